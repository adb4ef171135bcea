/* Comparing every row before the swap. What differs is looked at again behind everything that was captured:
 * most of it was only on its way. What still differs is brought over again, counted and named. */
#include "run/shadow.h"

#include "base/clock.h"
#include "base/failpoint.h"

#include <stdlib.h>
#include <string.h>

enum {
    TURN_CHUNKS = 8,
    COMPARE_LIMIT_MS = 60000,
    SUSPECTS_MAX = 20000, /* more than that is no accident */
    LOOK_KEYS = 100,      /* compared under locks at once */
    LOCKED_SHARE = 4,     /* of --max-stall: so long their rows may be locked */
    REPAIRS_MAX = 3,
    CHANGES_MAX = 10, /* a row that was changed each time it was looked at is brought over again anyway */
    NAMED_KEYS = 5,
    APPLY_MS = 500,
};

void suspects_clear(ShadowRun *run)
{
    for (size_t i = 0; i < run->suspect_count; i++)
        free(run->suspects[i].key);
    run->suspect_count = 0;
}

void shadow_settled(ShadowRun *run)
{
    const char *low = pass_watermark(&run->compare);
    free(run->settled);
    run->settled = low == NULL ? NULL : mem_dup(low);
    run->settled_through = pass_is_through(&run->compare);
}

static Err *add_suspects(ShadowRun *run, const KeyList *list)
{
    pthread_mutex_lock(&run->lock);
    for (size_t i = 0; i < list->count; i++) {
        if (run->suspect_count == run->suspect_cap) {
            run->suspect_cap = run->suspect_cap * 2 + 64;
            run->suspects = mem_resize(run->suspects, run->suspect_cap * sizeof *run->suspects);
        }
        run->suspects[run->suspect_count++] = (Suspect){.key = mem_dup(list->keys[i])};
    }
    bool many = run->suspect_count > SUSPECTS_MAX;
    pthread_mutex_unlock(&run->lock);
    return !many ? NULL
                 : err_new(ERR_VERIFY, "more than %d rows of \"%s\" differ from their copies", SUSPECTS_MAX,
                           run->spec->source);
}

static Err *compare_chunk(Worker *worker, Chunk *chunk)
{
    ShadowRun *run = worker->run;
    Wait wait = shadow_worker_wait(worker, COMPARE_LIMIT_MS);
    int64_t rows = 0, from = clock_ms();
    KeyList different = {0};
    Err *err = failpoint_at("compare_before");
    if (err == NULL)
        err = run->ops->compare(worker->conn, &wait, worker->arena, run->spec,
                                &(Range){.low = chunk->low, .high = chunk->high}, &rows, &different);
    if (err == NULL)
        err = add_suspects(run, &different);
    pass_give(worker, &run->compare, chunk, err, rows, clock_ms() - from);
    return err;
}

static Err *compare_task(Worker *worker)
{
    while (!shadow_turn_over(worker)) {
        Chunk *chunk = NULL;
        arena_clear(worker->arena);
        TRY(pass_take(worker, &worker->run->compare, &chunk));
        if (chunk == NULL)
            return NULL;
        TRY(compare_chunk(worker, chunk));
    }
    return NULL;
}

Err *shadow_follow(Worker *worker)
{
    ShadowRun *run = worker->run;
    enum { LOOK_MS = 5 };
    while (!shadow_turn_over(worker)) {
        Chunk *chunk = NULL;
        arena_clear(worker->arena);
        TRY(pass_follow(worker, &run->copy, &run->compare, &chunk));
        if (chunk != NULL) {
            TRY(compare_chunk(worker, chunk));
            continue;
        }
        pthread_mutex_lock(&run->lock);
        bool alone = run->turn_active <= 1; /* nobody copies any more in this turn */
        pthread_mutex_unlock(&run->lock);
        if (alone)
            return NULL;
        shadow_wait(run, clock_ms() + LOOK_MS);
    }
    return NULL;
}

/* ---- second looks --------------------------------------------------------------------------- */

static bool is_among(const KeyList *list, const char *key)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->keys[i], key) == 0)
            return true;
    return false;
}

static void drop_suspect(ShadowRun *run, size_t at)
{
    free(run->suspects[at].key);
    run->suspects[at] = run->suspects[--run->suspect_count];
}

static void name_keys(ShadowRun *run, Str *out, const KeyList *keys)
{
    for (size_t i = 0; i < keys->count && i < NAMED_KEYS; i++) {
        str_sep(out, "; ");
        str_add(out, run->ops->key_text(run->runner->scratch, run->spec, keys->keys[i]));
    }
    if (keys->count > NAMED_KEYS)
        str_add(out, "; …");
}

static Err *cannot_repair(ShadowRun *run, const KeyList *keys)
{
    CLEANUP(str_donep) Str names = STR_INIT;
    name_keys(run, &names, keys);
    return err_hint(err_new(ERR_VERIFY,
                            "%zu row%s of \"%s\" differ%s from the copy even after being copied again: %s",
                            keys->count, keys->count == 1 ? "" : "s", run->spec->source,
                            keys->count == 1 ? "s" : "", names.buf),
                    "undo with: stoa abort %s", run->runner->name);
}

/* All that was committed before now is among the keys, and nothing of it is applied. ret_known false: there
 * are more keys than fit. */
static Err *read_up_to_now(ShadowRun *run, bool *ret_known)
{
    Runner *runner = run->runner;
    Wait wait = runner_wait(runner);
    TRY(shadow_mark(run, runner->conn, &wait));
    for (uint64_t number = 0;;) {
        TRY(stop_check(runner->options->stop));
        *ret_known = shadow_mark_reached(run, &number);
        pthread_mutex_lock(&run->lock);
        bool over = keys_full(run->keys) || run->reader_err != NULL;
        pthread_mutex_unlock(&run->lock);
        if (*ret_known || over)
            return NULL;
        shadow_wait(run, clock_ms() + 5);
    }
}

/* Those of the looked-at that are equal go; changed ones are looked at again; the others are brought over. */
static Err *judge(ShadowRun *run, size_t count, const KeyList *different, const KeyList *busy)
{
    Arena *scratch = run->runner->scratch;
    const char **repairs = arena_alloc(scratch, (count + 1) * sizeof *repairs);
    const char **hopeless = arena_alloc(scratch, (count + 1) * sizeof *hopeless);
    size_t repair_count = 0, hopeless_count = 0;
    for (size_t i = count; i-- > 0;) {
        Suspect *suspect = &run->suspects[i];
        if (is_among(busy, suspect->key))
            continue;
        if (!is_among(different, suspect->key)) {
            drop_suspect(run, i);
            continue;
        }
        pthread_mutex_lock(&run->lock);
        bool changed = keys_has(run->keys, suspect->key);
        pthread_mutex_unlock(&run->lock);
        if (changed && ++suspect->changes <= CHANGES_MAX)
            continue;
        if (changed) {
            drop_suspect(run, i);
            continue;
        }
        if (suspect->repairs++ < REPAIRS_MAX)
            repairs[repair_count++] = arena_dup(scratch, suspect->key);
        else
            hopeless[hopeless_count++] = arena_dup(scratch, suspect->key);
    }
    if (hopeless_count > 0)
        return cannot_repair(run, &(KeyList){.keys = hopeless, .count = hopeless_count});
    if (repair_count == 0)
        return NULL;
    const KeyList list = {.keys = repairs, .count = repair_count};
    CLEANUP(str_donep) Str names = STR_INIT;
    name_keys(run, &names, &list);
    run->repaired += (int64_t)repair_count;
    runner_event(run->runner, "repaired", run->step->ordinal, NULL,
                 "%zu row%s of the copy differed and %s brought over again: %s", repair_count,
                 repair_count == 1 ? "" : "s", repair_count == 1 ? "is" : "are", names.buf);
    if (shadow_stays(run)) {
        Wait wait = runner_wait(run->runner);
        return run->ops->owe(run->runner->conn, &wait, scratch, run->spec, &list);
    }
    pthread_mutex_lock(&run->lock);
    keys_add(run->keys, &list);
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

static Err *look_again(ShadowRun *run)
{
    Runner *runner = run->runner;
    Wait wait = runner_wait(runner);
    wait.timeout_ms = control_settings(runner).max_stall_ms / LOCKED_SHARE + 1;
    arena_clear(runner->scratch);
    size_t count = run->suspect_count < LOOK_KEYS ? run->suspect_count : LOOK_KEYS;
    const char **keys = arena_alloc(runner->scratch, count * sizeof *keys);
    for (size_t i = 0; i < count; i++)
        keys[i] = run->suspects[i].key;
    KeyList different = {0}, busy = {0};
    TRY(run->ops->compare_keys(runner->conn, &wait, runner->scratch, run->spec,
                               &(KeyList){.keys = keys, .count = count}, &different, &busy));
    bool known = true;
    if (different.count > 0 && !shadow_stays(run))
        TRY(read_up_to_now(run, &known));
    return known ? judge(run, count, &different, &busy) : NULL;
}

static Err *locked_too_long(ShadowRun *run)
{
    const char *key = run->suspects[0].key;
    return err_hint(err_new(ERR_LOCK_BUDGET,
                            "%zu row%s of \"%s\" could not be compared within --lock-wait (%s)",
                            run->suspect_count, run->suspect_count == 1 ? "" : "s", run->spec->source,
                            run->ops->key_text(run->runner->scratch, run->spec, key)),
                    "end the transactions that hold them, then: stoa resume %s", run->runner->name);
}

static Err *settle_suspects(ShadowRun *run)
{
    int64_t from = runner_clock_ms(run->runner);
    while (run->suspect_count > 0) {
        size_t before = run->suspect_count;
        TRY(shadow_catch_up(run));
        if (run->suspect_count == 0) /* begun anew */
            return NULL;
        TRY(shadow_forgive(run, look_again(run)));
        if (run->suspect_count < before)
            from = runner_clock_ms(run->runner);
        if (runner_clock_ms(run->runner) - from > control_settings(run->runner).lock_wait_ms)
            return locked_too_long(run);
    }
    return NULL;
}

Err *shadow_settle(ShadowRun *run)
{
    TRY(settle_suspects(run));
    shadow_settled(run);
    return failpoint_at("compare_settled");
}

/* ---- the pass ------------------------------------------------------------------------------- */

static void tell(ShadowRun *run)
{
    json_t *detail =
        json_pack("{s:I,s:I}", "rows", (json_int_t)run->compare.rows, "repaired", (json_int_t)run->repaired);
    runner_event(run->runner, "verified", run->step->ordinal, detail,
                 "%lld rows compared with their copies, %lld repaired, 0 different",
                 (long long)run->compare.rows, (long long)run->repaired);
    json_decref(detail);
    run->runner->summary.rows_checked += run->compare.rows;
}

static Err *compare_some(ShadowRun *run)
{
    TRY(shadow_gate(run));
    if (!run->copied)
        return NULL;
    int64_t until = clock_ms() + control_settings(run->runner).chunk_time_ms * TURN_CHUNKS;
    Err *err = shadow_turn(run, compare_task, SHADOW_WORKERS, until);
    TRY(shadow_forgive(run, err));
    TRY(shadow_apply_turn(run, APPLY_MS));
    TRY(shadow_settle(run));
    if (run->copied && pass_is_through(&run->compare)) {
        run->compared = true;
        tell(run);
        return shadow_save(run);
    }
    shadow_report(run, &run->compare);
    return shadow_save_if_due(run);
}

Err *shadow_until_compared(ShadowRun *run)
{
    while (!run->copied || !run->compared)
        TRY(run->copied ? compare_some(run) : shadow_until_copied(run));
    return NULL;
}
