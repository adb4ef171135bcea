/* Sets fixed round by round: what one fix leaves behind, the next round looks at. */
#include "check/fix.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_ROUNDS = 200 };

typedef struct Worked {
    const Source *given;
    size_t set;
    const char *text, *before; /* now, and before this round */
    size_t len, before_len;
    bool edited; /* in this round */
    bool stuck;  /* fixes of it led to something worse */
    FixedLines round;
} Worked;

typedef struct Work {
    Arena *arena;
    SourceSet **sets;
    size_t set_count;
    const CheckOptions *options;
    VEC(Worked) files;
    FixResult *result;
} Work;

/* The sets as they were given, with the texts of now. */
static SourceSet **fresh_sets(const Work *work, Arena *arena)
{
    SourceSet **sets = arena_alloc(arena, (work->set_count + 1) * sizeof(SourceSet *));
    for (size_t i = 0; i < work->set_count; i++) {
        sets[i] = arena_alloc(arena, sizeof(SourceSet));
        *sets[i] = *work->sets[i];
        memset(&sets[i]->files, 0, sizeof sets[i]->files);
        sets[i]->read = false;
    }
    for (size_t i = 0; i < work->files.len; i++) {
        const Worked *file = &work->files.items[i];
        *vec_push(arena, &sets[file->set]->files) = (Source){.path = file->given->path,
                                                             .text = file->text,
                                                             .len = file->len,
                                                             .from_stdin = file->given->from_stdin,
                                                             .applied = file->given->applied};
    }
    return sets;
}

/* Parts of files that a state table says have been applied: a fix changes what stands in a part, and never
 * their number. */
static void keep_applied(const Work *work, SourceSet *const *sets)
{
    for (size_t i = 0; i < work->files.len; i++) {
        const Worked *file = &work->files.items[i];
        SourceSet *set = sets[file->set];
        for (size_t j = 0; j < set->files.len; j++) {
            Source *source = &set->files.items[j];
            for (size_t k = 0; source->path == file->given->path && k < source->parts.len; k++)
                source->parts.items[k].applied =
                    k < file->given->parts.len && file->given->parts.items[k].applied;
        }
    }
}

static Err *check_now(const Work *work, Arena *arena, SourceSet ***ret_sets, CheckResult *ret_result)
{
    Baseline *baseline = work->options->baseline;
    for (size_t i = 0; baseline != NULL && i < baseline->len; i++)
        baseline->items[i].used = false;
    *ret_sets = fresh_sets(work, arena);
    TRY(check_read(arena, *ret_sets, work->set_count, work->options));
    keep_applied(work, *ret_sets);
    return check_run(arena, *ret_sets, work->set_count, work->options, ret_result);
}

static size_t rule_place(const Rule *rule)
{
    size_t at = 0;
    while (rule_at(at) != rule)
        at++;
    return at;
}

/* The file has more of one kind of block than before. */
static bool is_worse(const CheckResult *old, const CheckResult *now, const char *path)
{
    const CheckResult *both[] = {old, now};
    int64_t *more = mem_zero(rule_count() * sizeof *more);
    bool worse = false;
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < both[side]->findings.len; i++) {
            const Finding *finding = &both[side]->findings.items[i];
            if (finding->severity == SEVERITY_BLOCK && finding->file == path)
                more[rule_place(finding->rule)] += side == 0 ? -1 : 1;
        }
    for (size_t i = 0; i < rule_count(); i++)
        worse = worse || more[i] > 0;
    free(more);
    return worse;
}

static void keep_lines(const Work *work, FixedLines *to, const FixedLines *from)
{
    for (size_t i = 0; i < from->len; i++)
        *vec_push(work->arena, to) = from->items[i];
}

/* True: something was taken back. */
static bool settle(Work *work, const CheckResult *old, const CheckResult *now)
{
    bool back = false;
    for (size_t i = 0; i < work->files.len; i++) {
        Worked *file = &work->files.items[i];
        if (!file->edited)
            continue;
        file->edited = false;
        bool worse = is_worse(old, now, file->given->path);
        keep_lines(work, worse ? &work->result->refused : &work->result->lines, &file->round);
        file->round = (FixedLines){0};
        if (!worse)
            continue;
        file->stuck = back = true;
        file->text = file->before;
        file->len = file->before_len;
    }
    return back;
}

/* ---- a round -------------------------------------------------------------------------------- */

static void note(Work *work, Worked *file, const Finding *finding)
{
    *vec_push(work->arena, &file->round) = (FixedLine){.file = file->given->path,
                                                       .rule = finding->rule->id,
                                                       .object = arena_dup(work->arena, finding->object),
                                                       .what = arena_dup(work->arena, finding->fixed),
                                                       .line = finding->line,
                                                       .column = finding->column};
}

/* The findings [from, to) are those of the file, by place; each statement is edited once a round, since a
 * second edit might not know of the first. */
static void edit(Work *work, Worked *file, const Finding *from, const Finding *to)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    size_t at = 0, last = SIZE_MAX;
    for (const Finding *finding = from; finding < to; finding++) {
        if (finding->edit_count == 0 || finding->statement_start == last || finding->edits[0].start < at)
            continue;
        last = finding->statement_start;
        note(work, file, finding);
        for (size_t i = 0; i < finding->edit_count; i++) {
            const Edit *one = &finding->edits[i];
            str_addn(&text, file->text + at, one->start - at);
            str_add(&text, one->text);
            at = one->end;
        }
    }
    if (last == SIZE_MAX)
        return;
    str_addn(&text, file->text + at, file->len - at);
    file->before = file->text;
    file->before_len = file->len;
    file->text = arena_dupn(work->arena, text.buf, text.len);
    file->len = text.len;
    file->edited = true;
}

static Worked *worked_of(Work *work, const char *path)
{
    for (size_t i = 0; i < work->files.len; i++)
        if (work->files.items[i].given->path == path)
            return &work->files.items[i];
    return NULL;
}

static bool edit_all(Work *work, const CheckResult *now)
{
    bool any = false;
    const Finding *findings = now->findings.items;
    for (size_t i = 0, end; i < now->findings.len; i = end) {
        for (end = i + 1; end < now->findings.len && findings[end].file == findings[i].file;)
            end++;
        Worked *file = worked_of(work, findings[i].file);
        if (file == NULL || file->stuck || file->edited)
            continue;
        edit(work, file, findings + i, findings + end);
        any = any || file->edited;
    }
    return any;
}

static Err *rounds(Work *work, Arena **old_arena, Arena **now_arena)
{
    CheckResult old = {0}, now;
    SourceSet **sets;
    for (int round = 0; round < MOST_ROUNDS; round++) {
        *now_arena = arena_new();
        TRY(check_now(work, *now_arena, &sets, &now));
        bool back = round > 0 && settle(work, &old, &now);
        arena_free(*old_arena);
        *old_arena = *now_arena;
        *now_arena = NULL;
        old = now;
        if (!back && !edit_all(work, &now))
            return NULL;
    }
    for (size_t i = 0; i < work->files.len; i++) { /* what the last round did was not looked at */
        Worked *file = &work->files.items[i];
        if (file->edited) {
            file->text = file->before;
            file->len = file->before_len;
        }
    }
    return NULL;
}

Err *fix_run(Arena *arena, SourceSet **sets, size_t count, const CheckOptions *options, FixResult *ret_fixes,
             CheckResult *ret_result)
{
    Work work = {.arena = arena, .sets = sets, .set_count = count, .options = options, .result = ret_fixes};
    Arena *old = NULL, *now = NULL;
    SourceSet **fixed = NULL;
    *ret_fixes = (FixResult){0};
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sets[i]->files.len; j++) {
            Source *given = arena_alloc(arena, sizeof *given);
            *given = sets[i]->files.items[j];
            *vec_push(arena, &work.files) =
                (Worked){.given = given, .set = i, .text = given->text, .len = given->len};
        }
    Err *err = rounds(&work, &old, &now);
    arena_free(old);
    arena_free(now);
    if (err == NULL)
        err = check_now(&work, arena, &fixed, ret_result);
    for (size_t i = 0; i < count && err == NULL; i++)
        sets[i] = fixed[i];
    for (size_t i = 0; i < work.files.len && err == NULL; i++) {
        const Worked *file = &work.files.items[i];
        if (file->text != file->given->text)
            *vec_push(arena, &ret_fixes->files) = (FixedFile){file->given, file->text, file->len};
    }
    return err;
}
