/* Indexes of a shadow that are built when its rows are there.
 *
 * A row that comes into a table writes an entry into each index, each at a place of its own; sorted first,
 * the entries of all rows cost a third of that (docs/mysql-measurements.md). But the build is one statement,
 * which replicas begin when it is done here. */
#include "plan/maker_my.h"

#include <string.h>

enum { QUICK_MS = 1000 }; /* a build that replicas follow within a second */

typedef VEC(const MyIndex *) Indexes;

/* The copy may find rows by it, the server numbers them by it, or its build would stop writers. */
static bool is_needed(const Table *table, const MyIndex *index, const ShadowSpec *spec)
{
    if (index->unique || index->part_count == 0 || !str_eq(index->kind, "BTREE"))
        return true;
    for (size_t i = 0; i < index->part_count; i++) {
        const MyColumn *column =
            index->parts[i].column == NULL ? NULL : column_my(table, index->parts[i].column);
        if (column == NULL || column->generated != NULL || (i == 0 && column->auto_increment))
            return true;
    }
    for (size_t i = 0; i < spec->key_count; i++)
        if (strcasecmp(spec->key_targets[i], index->parts[0].column) == 0)
            return true;
    return false;
}

static const char *beginning_of(Arena *arena, const MyIndex *index)
{
    return arena_printf(arena, "  KEY %s ", sql_backtick(arena, index->name));
}

static const MyIndex *index_of_line(Arena *arena, const Table *table, const char *line)
{
    for (size_t i = 0; i < table->my->index_count; i++)
        if (str_starts(line, beginning_of(arena, &table->my->indexes[i])))
            return &table->my->indexes[i];
    return NULL;
}

/* Those at the end of the definition, so that they stand there again when they are added. */
static Indexes indexes_at_end(Arena *arena, const Table *table, const ShadowSpec *spec)
{
    Indexes result = {0};
    for (const char *line = strchr(table->my->create_sql, '\n'); line != NULL; line = strchr(line, '\n')) {
        const MyIndex *index = index_of_line(arena, table, ++line);
        if (index != NULL && is_needed(table, index, spec))
            result.len = 0;
        else if (index != NULL)
            *vec_push(arena, &result) = index;
    }
    return result;
}

static const char *without(Arena *arena, const char *create_sql, const Indexes *indexes)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (const char *line = create_sql; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        len += line[len] == '\n';
        bool goes = false;
        for (size_t i = 0; i < indexes->len; i++)
            goes = goes || str_starts(line, beginning_of(arena, indexes->items[i]));
        if (!goes)
            str_addn(&out, line, len);
        line += len;
    }
    return arena_dupn(arena, out.buf, out.len);
}

static bool pays(const MakerMy *maker, const WorkMy *work)
{
    LateIndexes late = maker->input->options.late_indexes;
    if (late != LATE_INDEXES_AUTO)
        return late == LATE_INDEXES_ALWAYS;
    return !is_tiny_my(work) && (!maker_replicates(maker) || maker_accepts_my(maker, "replica-lag") ||
                                 estimate_build_my(work->table).high <= QUICK_MS);
}

const char *late_indexes_go_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked,
                               const ShadowSpec *spec)
{
    Indexes late = indexes_at_end(maker->arena, asked->after, spec);
    return late.len == 0 || !pays(maker, work) ? asked->after->my->create_sql
                                               : without(maker->arena, asked->after->my->create_sql, &late);
}

void late_indexes_come_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, const ShadowSpec *spec)
{
    Arena *arena = maker->arena;
    Indexes late = indexes_at_end(arena, asked->after, spec);
    CLEANUP(str_donep) Str add = STR_INIT;
    CLEANUP(str_donep) Str drop = STR_INIT;
    CLEANUP(str_donep) Str names = STR_INIT;
    if (late.len == 0 || !pays(maker, work))
        return;
    for (size_t i = 0; i < late.len; i++) {
        const char *name = late.items[i]->name, *comma = i > 0 ? ", " : "";
        str_addf(&add, "%sADD %s", comma, definition_index_my(arena, asked->after->my->create_sql, name));
        str_addf(&drop, "%sDROP INDEX %s", comma, sql_backtick(arena, name));
        str_addf(&names, "%s%s", comma, name);
    }
    const char *shadow = sql_backtick(arena, spec->shadow);
    Step *step = maker_alter_my(
        maker, PHASE_BACKFILL, (Name){.name = spec->shadow},
        arena_printf(arena, "build %s of the shadow, whose rows are there: %s",
                     late.len == 1 ? "the index" : arena_printf(arena, "%zu indexes", late.len), names.buf),
        arena_printf(arena, "ALTER TABLE %s %s", shadow, add.buf),
        arena_printf(arena, "ALTER TABLE %s %s", shadow, drop.buf));
    SpanMs ms = estimate_build_my(work->table);
    step->scans = true;
    step->timeout = TIMEOUT_WATCHDOG;
    step->estimate_low_ms = ms.low;
    step->estimate_high_ms = ms.high;
    maker_risk_my(maker, "late-indexes", NULL,
                  arena_printf(arena,
                               "%s of the shadow of %s %s built behind its rows, in one piece; "
                               "--late-indexes never writes them row by row",
                               late.len == 1 ? "an index" : arena_printf(arena, "%zu indexes", late.len),
                               spec->source, late.len == 1 ? "is" : "are"));
}
