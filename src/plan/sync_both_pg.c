/* The sync trigger where both sides are written: the new columns follow the old ones, and the old ones the
 * new. What the application wrote itself is never touched; the truth table stands in ARCHITECTURE.md, "The
 * way back". */
#include "plan/sync.h"

#include <string.h>

/* One way back, with its number in the function. */
typedef struct Way {
    const SyncColumn *of; /* the column that it is registered under */
    const SyncBack *back;
    size_t number;
} Way;

typedef struct Both {
    const Sync *sync;
    Way *ways; /* in the order of the columns */
    size_t way_count;
} Both;

bool sync_both_wanted(const Sync *sync)
{
    for (size_t i = 0; i < sync->count; i++)
        if (sync->columns[i].back_count > 0 || sync->columns[i].after)
            return true;
    return false;
}

void sync_both_targets(const SyncColumn *columns, size_t count,
                       void (*each)(void *context, const char *column), void *context)
{
    for (size_t i = 0; i < count; i++) {
        if (columns[i].after)
            each(context, columns[i].column);
        for (size_t j = 0; j < columns[i].back_count; j++)
            each(context, columns[i].back[j].column);
    }
}

static Both both_of(const Sync *sync)
{
    Both both = {.sync = sync};
    size_t count = 0;
    for (size_t i = 0; i < sync->count; i++)
        count += sync->columns[i].back_count;
    both.ways = arena_alloc(sync->arena, (count + 1) * sizeof *both.ways);
    for (size_t i = 0; i < sync->count; i++)
        for (size_t j = 0; j < sync->columns[i].back_count; j++) {
            both.ways[both.way_count] = (Way){
                .of = &sync->columns[i], .back = &sync->columns[i].back[j], .number = both.way_count + 1};
            both.way_count++;
        }
    return both;
}

static bool reads(const SyncBack *back, const char *column)
{
    for (size_t i = 0; i < back->source_count; i++)
        if (str_eq(back->sources[i], column))
            return true;
    return false;
}

/* The column of the same change that the way back reads; NULL where it is none of ours. */
static const SyncColumn *source_of(const Both *both, const Way *way, const char *name)
{
    for (size_t i = 0; i < both->sync->count; i++) {
        const SyncColumn *column = &both->sync->columns[i];
        if (column->change_id == way->of->change_id && str_eq(column->column, name))
            return column;
    }
    return NULL;
}

static size_t place(const Both *both, const SyncColumn *column)
{
    return (size_t)(column - both->sync->columns) + 1;
}

/* ---- what the application wrote ------------------------------------------------------------- */

/* UPDATE: the application wrote this new column. NULL is no value where the column may not hold it: then the
 * row is filled. */
static const char *written(const Sync *sync, const SyncColumn *column)
{
    const char *changed = sync_changed(sync, column->column);
    if (column->null_ok)
        return changed;
    return arena_printf(sync->arena, "%s IS NOT NULL AND %s", sync_field(sync->arena, "NEW", column->column),
                        changed);
}

/* INSERT: the old column was given a value. */
static const char *given(const Sync *sync, const SyncBack *back)
{
    Arena *arena = sync->arena;
    const char *field = sync_field(arena, "NEW", back->column);
    if (back->default_sql == NULL)
        return arena_printf(arena, "%s IS NOT NULL", field);
    const Column *known = table_column(sync->table, back->column);
    bool exact = known != NULL && known->exact_equality;
    const char *value =
        known == NULL ? back->default_sql : arena_printf(arena, "(%s)::%s", back->default_sql, known->type);
    return arena_printf(arena, "%s IS NOT NULL AND %s", field, differs_pg(arena, exact, field, value));
}

/* UPDATE: the row has not been filled yet. Where NULL is a value, only a row in which all such columns of the
 * change are NULL counts: the backfill fills them together. */
static const char *unfilled(const Sync *sync, const SyncColumn *column)
{
    Arena *arena = sync->arena;
    const char *field = sync_field(arena, "NEW", column->column);
    if (!column->null_ok)
        return arena_printf(arena, "%s IS NULL", field);
    Str str = STR_INIT;
    str_addf(&str, "%s IS NULL", field);
    for (size_t i = 0; i < sync->count; i++)
        if (sync->columns[i].change_id == column->change_id && sync->columns[i].null_ok &&
            !sync->columns[i].after)
            str_addf(&str, " AND %s IS NULL", sync_field(arena, "OLD", sync->columns[i].column));
    return sync_take(arena, &str);
}

/* A generated column is not computed yet in a BEFORE trigger; its own sources stand in the list. */
static bool generated(const Sync *sync, const char *name)
{
    const Column *column = table_column(sync->table, name);
    return column != NULL && column->generated_sql != NULL;
}

/* ---- WHEN ----------------------------------------------------------------------------------- */

static void when_or(Str *str, const char *condition)
{
    str_sep(str, " OR ");
    str_addf(str, "(%s)", condition);
}

static void when_filled(Str *str, const Sync *sync, const SyncColumn *column, bool update)
{
    Arena *arena = sync->arena;
    if (!update)
        when_or(str, arena_printf(arena, "%s IS NULL", sync_field(arena, "NEW", column->column)));
    else if (!column->after)
        when_or(str, unfilled(sync, column));
    Str sources = STR_INIT;
    for (size_t i = 0; update && i < column->source_count; i++)
        if (!generated(sync, column->sources[i])) {
            str_sep(&sources, " OR ");
            str_addf(&sources, "(%s)", sync_changed(sync, column->sources[i]));
        }
    if (sources.len > 0)
        when_or(str,
                arena_printf(arena, "(%s) AND NOT (%s)", sources.buf, sync_changed(sync, column->column)));
    str_done(&sources);
}

/* Our own backfill writes new columns, too. */
static const char bypassed[] = "pg_catalog.current_setting('stoa.bypass', true) IS NOT DISTINCT FROM 'on'";

static void when_back(Str *str, const Both *both, const Way *way, bool update)
{
    const Sync *sync = both->sync;
    Arena *arena = sync->arena;
    Str sources = STR_INIT;
    for (size_t i = 0; i < way->back->source_count; i++) {
        const char *name = way->back->sources[i];
        const SyncColumn *column = source_of(both, way, name);
        str_sep(&sources, " OR ");
        if (!update)
            str_addf(&sources, "%s IS NOT NULL", sync_field(arena, "NEW", name));
        else
            str_addf(&sources, "(%s)", column != NULL ? written(sync, column) : sync_changed(sync, name));
    }
    const char *wrote = sync_take(arena, &sources);
    if (update)
        when_or(str, arena_printf(arena, "(%s) AND NOT (%s) AND NOT (%s)", wrote,
                                  sync_changed(sync, way->back->column), bypassed));
    else if (way->of->after || way->back->wins)
        when_or(str, wrote);
    else
        when_or(str, arena_printf(arena, "(%s) AND NOT (%s)", wrote, given(sync, way->back)));
}

const char *sync_both_when(const Sync *sync, bool update)
{
    Both both = both_of(sync);
    Str str = STR_INIT;
    for (size_t i = 0; i < sync->count; i++)
        when_filled(&str, sync, &sync->columns[i], update);
    for (size_t i = 0; i < both.way_count; i++)
        when_back(&str, &both, &both.ways[i], update);
    return sync_take(sync->arena, &str);
}

/* ---- what is to be done, before anything is ------------------------------------------------- */

static void add_declarations(Str *body, const Both *both)
{
    str_addf(body,
             "\n#variable_conflict use_column\n"
             "DECLARE\n"
             "  stoa_bypass pg_catalog.bool := %s;\n"
             "  stoa_fill pg_catalog.bool;\n"
             "  stoa_done pg_catalog.bool;\n"
             "  stoa_n pg_catalog.int8;\n"
             "  stoa_minute pg_catalog.int8;\n",
             bypassed);
    for (size_t i = 0; i < both->sync->count; i++)
        str_addf(body, "  stoa_wrote_%zu pg_catalog.bool;\n", i + 1);
    for (size_t i = 0; i < both->way_count; i++)
        str_addf(body, "  stoa_back_%zu pg_catalog.bool;\n", i + 1);
}

/* A way back is taken when a column that it reads was written, or is itself reached by one, and its own
 * column was not. Later changes stand on earlier ones: their ways come first. */
static void add_way_taken(Str *body, const Both *both, const Way *way, bool update)
{
    const Sync *sync = both->sync;
    Str wrote CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < way->back->source_count; i++) {
        const char *name = way->back->sources[i];
        const SyncColumn *column = source_of(both, way, name);
        if (column != NULL) {
            str_sep(&wrote, " OR ");
            str_addf(&wrote, "stoa_wrote_%zu", place(both, column));
        }
        for (size_t j = way->number; j < both->way_count; j++)
            if (str_eq(both->ways[j].back->column, name)) {
                str_sep(&wrote, " OR ");
                str_addf(&wrote, "stoa_back_%zu", both->ways[j].number);
            }
    }
    if (wrote.len == 0)
        str_add(&wrote, "false");
    str_addf(body, "    stoa_back_%zu := (%s)", way->number, wrote.buf);
    if (update)
        str_addf(body, " AND NOT (%s)", sync_changed(sync, way->back->column));
    else if (!way->of->after && !way->back->wins)
        str_addf(body, " AND NOT (%s)", given(sync, way->back));
    str_add(body, ";\n");
}

static void add_taken(Str *body, const Both *both, bool update)
{
    const Sync *sync = both->sync;
    for (size_t i = 0; i < sync->count; i++) {
        const SyncColumn *column = &sync->columns[i];
        if (update)
            str_addf(body, "    stoa_wrote_%zu := NOT stoa_bypass AND %s;\n", i + 1, written(sync, column));
        else
            str_addf(body, "    stoa_wrote_%zu := %s IS NOT NULL;\n", i + 1,
                     sync_field(sync->arena, "NEW", column->column));
    }
    for (size_t i = both->way_count; i-- > 0;)
        add_way_taken(body, both, &both->ways[i], update);
}

/* ---- doing it ------------------------------------------------------------------------------- */

/* A lost value: counted, and noted until a note is seen that was committed. */
static void add_broken(Str *body, const Sync *sync, int64_t change_id, const char *column)
{
    Arena *arena = sync->arena;
    const char *name = sql_literal(arena, column);
    str_addf(
        body,
        "      BEGIN\n"
        "        stoa_n := pg_catalog.nextval(%s::pg_catalog.regclass);\n"
        "        IF NOT EXISTS (SELECT FROM stoa.sync_broken b WHERE b.change_id = %lld AND "
        "b.column_name = %s AND b.table_id = %lld) THEN\n"
        "          INSERT INTO stoa.sync_broken (change_id, table_id, column_name, key, sqlstate, message)\n"
        "          VALUES (%lld, %lld, %s, %s, SQLSTATE, SQLERRM);\n"
        "        END IF;\n"
        "      EXCEPTION WHEN OTHERS THEN\n"
        "        NULL;\n"
        "      END;\n",
        sql_literal(arena, sync_broken_pg(arena, sync->table->id, column)), (long long)change_id, name,
        (long long)sync->table->id, (long long)change_id, (long long)sync->table->id, name, sync_key(sync));
}

/* The old column gets its value, or NULL where it may, or keeps what it has; the write goes on. */
static void add_assignment(Str *body, const Sync *sync, int64_t change_id, const SyncBack *to)
{
    const char *column = to->column;
    Arena *arena = sync->arena;
    const char *field = sync_field(arena, "NEW", column);
    str_addf(body,
             "    BEGIN\n"
             "      %s := %s;\n",
             field, to->expr);
    if (!to->null_ok)
        str_addf(body,
                 "      IF %s IS NULL THEN\n"
                 "        RAISE EXCEPTION USING ERRCODE = 'not_null_violation', MESSAGE = %s;\n"
                 "      END IF;\n",
                 field, sql_literal(arena, arena_printf(arena, "column \"%s\" may not be null", column)));
    if (to->check_sql != NULL)
        str_addf(
            body,
            "      IF (%s) IS FALSE THEN\n"
            "        RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = %s;\n"
            "      END IF;\n",
            to->check_sql,
            sql_literal(arena, arena_printf(arena, "a CHECK refuses the value of column \"%s\"", column)));
    if (to->same_sql != NULL)
        str_addf(
            body,
            "      IF (%s) IS FALSE THEN\n"
            "        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = %s;\n"
            "      END IF;\n",
            to->same_sql,
            sql_literal(arena, arena_printf(arena, "column \"%s\" cannot hold the value exactly", column)));
    str_add(body, "    EXCEPTION WHEN OTHERS THEN\n");
    const char *kept = to->default_sql != NULL ? arena_printf(arena, "(%s)", to->default_sql) : "NULL";
    if (to->null_ok)
        str_addf(body, "      %s := NULL;\n", field);
    else
        str_addf(body,
                 "      IF TG_OP = 'UPDATE' THEN\n"
                 "        %s := %s;\n"
                 "      ELSE\n"
                 "        %s := %s;\n"
                 "      END IF;\n",
                 field, sync_field(arena, "OLD", column), field, kept);
    add_broken(body, sync, change_id, column);
    str_add(body, "    END;\n");
}

static void add_fill(Str *body, const Sync *sync, const SyncColumn *column)
{
    str_add(body, "  IF stoa_fill THEN\n");
    if (column->after)
        add_assignment(body, sync, column->change_id,
                       &(SyncBack){.column = column->column,
                                   .expr = column->expr,
                                   .same_sql = column->back_count > 0 ? column->back[0].same_sql : NULL,
                                   .null_ok = column->null_ok});
    else
        sync_add_fill(body, sync, column);
    str_add(body, "  END IF;\n");
}

/* " AND NOT stoa_back_2": no way back that is taken leads to this column. */
static const char *not_reached(const Both *both, const char *column)
{
    Str str = STR_INIT;
    for (size_t i = 0; i < both->way_count; i++)
        if (str_eq(both->ways[i].back->column, column))
            str_addf(&str, " AND NOT stoa_back_%zu", both->ways[i].number);
    return sync_take(both->sync->arena, &str);
}

/* " AND NOT stoa_back_1": no way back that is taken reads this column (and, with `target`, leads there). */
static const char *not_read(const Both *both, const char *column, const char *target)
{
    Str str = STR_INIT;
    for (size_t i = 0; i < both->way_count; i++)
        if (reads(both->ways[i].back, column) &&
            (target == NULL || str_eq(both->ways[i].back->column, target)))
            str_addf(&str, " AND NOT stoa_back_%zu", both->ways[i].number);
    return sync_take(both->sync->arena, &str);
}

/* Rows that were there before: filled from what they had before any way back reads them. */
static void add_late_fill(Str *body, const Both *both, const SyncColumn *column)
{
    if (column->after)
        return;
    str_addf(body,
             "  stoa_fill := false;\n"
             "  IF TG_OP = 'UPDATE' THEN\n"
             "    stoa_fill := %s%s;\n"
             "  END IF;\n",
             unfilled(both->sync, column), not_reached(both, column->column));
    add_fill(body, both->sync, column);
}

static void add_way(Str *body, const Both *both, const Way *way)
{
    str_addf(body, "  IF stoa_back_%zu THEN\n", way->number);
    SyncBack to = *way->back;
    if (way->of->after) /* the other direction's */
        to.same_sql = NULL;
    add_assignment(body, both->sync, way->of->change_id, &to);
    if (way->of->after) /* somebody writes the old shape still, by position */
        sync_add_counting(body, both->sync, way->of);
    str_add(body, "  END IF;\n");
}

/* INSERT: what was not given. UPDATE: what follows a source that changed, unless the source changed because
 * it follows this very column. */
static void add_follow(Str *body, const Both *both, const SyncColumn *column)
{
    const Sync *sync = both->sync;
    Arena *arena = sync->arena;
    Str sources CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < column->source_count; i++) {
        if (generated(sync, column->sources[i]))
            continue;
        str_sep(&sources, " OR ");
        str_addf(&sources, "((%s)%s)", sync_changed(sync, column->sources[i]),
                 not_read(both, column->column, column->sources[i]));
    }
    if (sources.len == 0)
        str_add(&sources, "false");
    str_addf(body,
             "  IF TG_OP = 'UPDATE' THEN\n"
             "    stoa_fill := NOT stoa_wrote_%zu AND (%s)%s;\n"
             "  ELSE\n"
             "    stoa_fill := %s IS NULL%s;\n"
             "  END IF;\n",
             place(both, column), sources.buf, not_reached(both, column->column),
             sync_field(arena, "NEW", column->column),
             column->null_ok || column->after ? not_read(both, column->column, NULL) : "");
    add_fill(body, sync, column);
}

void sync_both_body(Str *body, const Sync *sync)
{
    Both both = both_of(sync);
    add_declarations(body, &both);
    str_add(body, "BEGIN\n"
                  "  IF TG_OP = 'UPDATE' THEN\n");
    add_taken(body, &both, true);
    str_add(body, "  ELSE\n");
    add_taken(body, &both, false);
    str_add(body, "  END IF;\n");
    for (size_t i = 0; i < sync->count; i++)
        add_late_fill(body, &both, &sync->columns[i]);
    for (size_t i = both.way_count; i-- > 0;)
        add_way(body, &both, &both.ways[i]);
    for (size_t i = 0; i < sync->count; i++)
        add_follow(body, &both, &sync->columns[i]);
    str_add(body, "  RETURN NEW;\n"
                  "END\n");
}
