/* Files before they are judged: which have been applied, and what the others speak of. */
#include "change/names.h"
#include "check/check.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

/* ---- reading -------------------------------------------------------------------------------- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* All files up to the one that was named have been applied. */
static bool mark_applied(const char *wanted, SourceSet *set)
{
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < set->files.len; i++) {
        const Source *source = &set->files.items[i];
        const char *version =
            source->tool == TOOL_FLYWAY && source->version[0] != '\0' ? source->version + 1 : source->version;
        if (str_eq(source->path, wanted) || str_eq(base_of(source->path), wanted) ||
            str_eq(version, wanted) || str_eq(source->version, wanted))
            last = i;
    }
    for (size_t i = 0; last != SIZE_MAX && i <= last; i++)
        set->files.items[i].applied = true;
    return last != SIZE_MAX;
}

Err *check_read(Arena *arena, SourceSet *const *sets, size_t count, const CheckOptions *options)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        if (!sets[i]->read)
            folder_read(arena, sets[i]);
        sets[i]->read = true;
        if (options->applied != NULL)
            found = mark_applied(options->applied, sets[i]) || found;
    }
    if (options->applied == NULL || found)
        return NULL;
    return err_hint(err_new(ERR_USAGE, "no file is \"%s\"", options->applied),
                    "--applied takes the version or the name of the last file that has been applied");
}

/* ---- names ---------------------------------------------------------------------------------- */

typedef struct Naming {
    Arena *arena, *scratch;
    const CheckTarget *target;
    CheckNames *names;
    const char **slots; /* open addressing over "schema.name" */
    size_t slot_count, used;
} Naming;

/* True where it is new. */
static bool keep(Naming *naming, const char *text)
{
    if (naming->used * 2 >= naming->slot_count) {
        size_t count = naming->slot_count == 0 ? 256 : naming->slot_count * 2, old_count = naming->slot_count;
        const char **old = naming->slots;
        naming->slots = arena_alloc(naming->arena, count * sizeof(char *));
        naming->slot_count = count;
        naming->used = 0;
        for (size_t i = 0; i < old_count; i++)
            if (old[i] != NULL)
                (void)keep(naming, old[i]);
    }
    size_t at = 5381;
    for (const char *c = text; *c != '\0'; c++)
        at = at * 33 ^ (unsigned char)*c;
    for (at &= naming->slot_count - 1; naming->slots[at] != NULL; at = (at + 1) & (naming->slot_count - 1))
        if (str_eq(naming->slots[at], text))
            return false;
    naming->slots[at] = text;
    naming->used++;
    return true;
}

static void add_name(Naming *naming, Name name)
{
    if (name.name == NULL)
        return;
    const char *text =
        arena_printf(naming->arena, "%s.%s", name.schema == NULL ? "" : name.schema, name.name);
    if (keep(naming, text))
        *vec_push(naming->arena, &naming->names->tables) = name;
}

static void add_act(Naming *naming, const Act *act)
{
    add_name(naming, act->table);
    add_name(naming, act->other);
    if (act->constraint != NULL)
        add_name(naming, act->constraint->references);
    if (act->column != NULL)
        add_name(naming, act->column->parent);
    for (size_t i = 0; act->columns != NULL && i < act->column_count; i++)
        add_name(naming, act->columns[i].parent);
    for (size_t i = 0; act->constraints != NULL && i < act->constraint_count; i++)
        add_name(naming, act->constraints[i].references);
}

static void add_mentions(Naming *naming, const Source *source, const ActStatement *statement)
{
    Mentions mentions = {0};
    names_of_sql(
        naming->arena,
        arena_dupn(naming->arena, source->text + statement->start, statement->end - statement->start),
        &mentions);
    for (size_t i = 0; i < mentions.len; i++) {
        const Mention *mention = &mentions.items[i];
        const char *text =
            arena_printf(naming->arena, "%s.%s %u %d", mention->schema == NULL ? "" : mention->schema,
                         mention->name, mention->kinds, mention->target);
        if (keep(naming, text))
            *vec_push(naming->arena, &naming->names->mentions) = *mention;
    }
}

static bool is_word(char c, bool inside)
{
    bool letter =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || ((unsigned char)c & 0x80) != 0;
    return letter || (inside && c >= '0' && c <= '9');
}

/* Text that is put together when it runs may speak of any word in it. */
static void add_words(Naming *naming, const Source *source, const ActStatement *statement)
{
    const char *text = source->text;
    for (size_t at = statement->start; at < statement->end;) {
        size_t from = at;
        while (at < statement->end && is_word(text[at], at > from))
            at++;
        if (at == from) {
            at++;
            continue;
        }
        Name name = {.name = arena_dupn(naming->arena, text + from, at - from)};
        add_name(naming, name);
        if (keep(naming, arena_printf(naming->arena, "word %s", name.name)))
            *vec_push(naming->arena, &naming->names->mentions) =
                (Mention){.name = name.name, .kinds = NAMES_RELATION, .target = true};
    }
}

static void add_part(Naming *naming, const Source *source, const Part *part)
{
    ActStatements statements = {0};
    ActComments comments = {0};
    const CheckTarget *target = naming->target;
    if (target->engine == CHECK_POSTGRES) {
        acts_pg(naming->arena, naming->scratch, source->text, part->start, part->end, &statements, &comments);
    } else {
        MyDialect dialect = {.mariadb = target->engine == CHECK_MARIADB, .version = target->version};
        acts_my(naming->arena, naming->scratch, &dialect, source->text, part->start, part->end, &statements,
                &comments);
    }
    for (size_t i = 0; i < statements.len; i++) {
        const ActStatement *statement = &statements.items[i];
        if (statement->data)
            continue;
        for (size_t j = 0; j < statement->acts.len; j++)
            add_act(naming, &statement->acts.items[j]);
        if (target->engine == CHECK_POSTGRES)
            add_mentions(naming, source, statement);
        if (target->engine == CHECK_POSTGRES && statement->unknown)
            add_words(naming, source, statement);
    }
}

void check_names(Arena *arena, SourceSet *const *sets, size_t count, const CheckOptions *options,
                 const CheckTarget *target, CheckNames *ret_names)
{
    *ret_names = (CheckNames){0};
    Naming naming = {.arena = arena, .scratch = arena_new(), .target = target, .names = ret_names};
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sets[i]->files.len; j++) {
            const Source *source = &sets[i]->files.items[j];
            for (size_t k = 0; !source->skipped && !source->applied && k < source->parts.len; k++)
                if (source->parts.items[k].down == options->down && !source->parts.items[k].applied)
                    add_part(&naming, source, &source->parts.items[k]);
        }
    arena_free(naming.scratch);
}
