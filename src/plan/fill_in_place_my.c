/* A column that is computed from others, filled in the table itself: added at once and nullable, kept filled
 * by triggers, and filled for the rows that are there by an UPDATE in chunks of the key. */
#include "plan/maker_my.h"

#include <string.h>

enum {
    FILL_FAST_ROWS_MS = 50, /* one session, see docs/mysql-measurements.md */
    FILL_SLOW_ROWS_MS = 5,
    LOG_BYTES_MS = 100000, /* written, or sent */
    REPLICA_TIMES = 3,     /* what a replica gets is sent, kept and carried out there once more */
    COPY_MARGIN = 80,      /* per cent: a copy needs room for a second table, and a cutover */
};

/* In their order: a row that an INSERT has filled must not be updated without the other one. */
enum { ON_UPDATE, ON_INSERT };
static const char *const suffixes[] = {[ON_UPDATE] = "stoa_fill_upd", [ON_INSERT] = "stoa_fill_ins"};

/* ---- what stands against it ----------------------------------------------------------------- */

static bool is_of(const char *const *columns, size_t count, const char *column)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(columns[i], column) == 0)
            return true;
    return false;
}

/* The server changes such a column by itself, and no trigger fires for it. */
static const char *cascade_of(const Table *table, const char *column)
{
    for (size_t i = 0; i < table->my->parent_count; i++) {
        const MyForeignKey *key = &table->my->parents[i];
        bool sets = str_eq(key->on_update, "CASCADE") || str_eq(key->on_update, "SET NULL") ||
                    str_eq(key->on_update, "SET DEFAULT") || str_eq(key->on_delete, "SET NULL") ||
                    str_eq(key->on_delete, "SET DEFAULT");
        if (sets && is_of(key->columns, key->count, column))
            return key->name;
    }
    return NULL;
}

static const char *source_blocker(MakerMy *maker, const WorkMy *work, const AskedMy *asked,
                                  const char *filled)
{
    size_t count = 0;
    const char *const *sources = fill_sources_my(maker, asked->before, work->table->name, filled, &count);
    for (size_t i = 0; i < count; i++) {
        const char *key = cascade_of(work->table, sources[i]);
        if (key != NULL)
            return arena_printf(maker->arena, "foreign key %s changes %s by itself, which fires no trigger",
                                key, sources[i]);
    }
    return NULL;
}

static const char *triggers_of(Arena *arena, const Table *table)
{
    for (size_t i = 0; i < table->trigger_count; i++)
        if (!table->triggers[i].stoa)
            return arena_printf(arena,
                                "its own trigger %s would fire for each row that is filled, or not see "
                                "what is filled",
                                table->triggers[i].name);
    return NULL;
}

const char *fill_blocker_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked)
{
    const MyServer *server = maker->server->my;
    const Table *table = work->table;
    if (table->kind == RELATION_MISSING || table->my == NULL)
        return "there is no such table yet";
    if (server->galera || server->group_replication)
        return "on a cluster rows are certified when they are committed, which fails the application's "
               "writes";
    if (!ladder_is_cheap(&asked->ladder))
        return "the server adds the column by a rebuild, which can compute it in the same pass";
    if (!server->skips_locked)
        return "this server has no SKIP LOCKED, so that the UPDATE would wait for rows while it holds others";
    if (!table->my->innodb || table->my->system_versioned)
        return "only InnoDB without system versioning lets single rows be filled";
    ColumnMapMy map = column_map_my(maker->arena, asked->my);
    if (key_my(asked->before, asked->after, &map) == NULL)
        return "it has no PRIMARY KEY or UNIQUE index over NOT NULL columns";
    const char *triggers = triggers_of(maker->arena, table);
    if (triggers != NULL)
        return triggers;
    for (size_t i = 0; i < asked->my->action_count; i++) {
        const MyAction *action = &asked->my->actions[i];
        if (action->kind != MY_ACTION_ADD_COLUMN ||
            fill_of_my(maker, table->name, action->column->name.text) == NULL)
            continue;
        if (my_span_is(action->column->check))
            return "the column's CHECK would fail the writes of old applications whose value violates it";
        const char *source = source_blocker(maker, work, asked, action->column->name.text);
        if (source != NULL)
            return source;
    }
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (plan_shadow_name_my(maker->arena, table->name, suffixes[i]) == NULL)
            return "its name is too long for those of its triggers";
    return NULL;
}

/* ---- by cost -------------------------------------------------------------------------------- */

typedef struct FillCost {
    int64_t in_place_ms, shadow_ms;
} FillCost;

/* Both write every row once. In place each row is in the binary log twice (before and after), and no index is
 * written; a copy writes rows and indexes anew, each row into the log once, and reads all of it once more to
 * be compared. */
static FillCost cost_of(const MakerMy *maker, const Table *table)
{
    int64_t rows = table->row_estimate, written_ms = table->total_bytes / LOG_BYTES_MS;
    int64_t times = !maker->server->my->logged ? 0 : maker_replicates(maker) ? REPLICA_TIMES : 1;
    return (FillCost){.in_place_ms = rows / FILL_FAST_ROWS_MS + 2 * times * written_ms,
                      .shadow_ms = 2 * estimate_copy_my(table).low + (1 + times) * written_ms};
}

static bool copy_is_better(const MakerMy *maker, const Table *table)
{
    FillCost cost = cost_of(maker, table);
    return cost.shadow_ms * 100 < cost.in_place_ms * COPY_MARGIN;
}

/* ---- choosing ------------------------------------------------------------------------------- */

/* A BEFORE INSERT trigger sees 0 in its place (seen on MariaDB 10.11 and MySQL 9.7), whichever way the column
 * is filled. */
static Err *check_sources(MakerMy *maker, const WorkMy *work, const AskedMy *asked)
{
    for (size_t i = 0; i < asked->my->action_count; i++) {
        const MyAction *action = &asked->my->actions[i];
        size_t count = 0;
        if (action->kind != MY_ACTION_ADD_COLUMN)
            continue;
        const char *const *sources =
            fill_sources_my(maker, asked->before, work->table->name, action->column->name.text, &count);
        for (size_t k = 0; k < count; k++)
            if (column_my(asked->before, sources[k])->auto_increment)
                return err_hint(
                    err_new(ERR_UNSAFE,
                            "the backfill of \"%s\" reads %s, whose number an INSERT gets only behind "
                            "the trigger that would fill it",
                            action->column->name.text, sources[k]),
                    "fill the column from the application");
    }
    return NULL;
}

static Err *cannot(const WorkMy *work, const char *where, const char *why)
{
    return err_hint(err_new(ERR_UNSAFE, "\"%s\" cannot be filled %s: %s", work->table->name, where, why),
                    "leave --strategy out");
}

static Err *neither(const WorkMy *work, const char *in_place, const char *shadow, const char *hint)
{
    Err *err = err_new(ERR_UNSAFE,
                       "\"%s\" cannot be filled in place: %s; and it cannot be copied beside the "
                       "application: %s",
                       work->table->name, in_place, shadow);
    return err_hint(err, "%s", hint != NULL ? hint : "fill the column from the application");
}

Err *fill_choose_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Way *ret_way)
{
    TRY(check_sources(maker, work, asked));
    const char *hint = NULL, *in_place = fill_blocker_my(maker, work, asked);
    const char *shadow = shadow_blocker_my(maker, work, asked, &hint);
    switch (maker->input->options.strategy) {
    case STRATEGY_INSTANT:
        return cannot(work, "at once", "every row has to be written");
    case STRATEGY_IN_PLACE:
        *ret_way = WAY_FILL;
        return in_place == NULL ? NULL : cannot(work, "in place", in_place);
    case STRATEGY_SHADOW:
        *ret_way = WAY_SHADOW;
        return shadow == NULL ? NULL : cannot(work, "in a copy", shadow);
    case STRATEGY_AUTO:
        break;
    }
    if (in_place != NULL && shadow != NULL)
        return neither(work, in_place, shadow, hint);
    bool copy = shadow == NULL && (in_place != NULL || copy_is_better(maker, work->table));
    *ret_way = copy ? WAY_SHADOW : WAY_FILL;
    return NULL;
}

static const char *reason(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Way way)
{
    Arena *arena = maker->arena;
    const char *hint = NULL, *in_place = fill_blocker_my(maker, work, asked);
    if (maker->input->options.strategy != STRATEGY_AUTO)
        return "as asked for";
    if (way == WAY_SHADOW && in_place != NULL)
        return arena_printf(arena, "because %s", in_place);
    const char *shadow = shadow_blocker_my(maker, work, asked, &hint);
    if (way == WAY_FILL && shadow != NULL)
        return arena_printf(arena, "because it cannot be copied: %s", shadow);
    FillCost cost = cost_of(maker, work->table);
    const char *log = !maker->server->my->logged ? ""
                      : maker_replicates(maker)
                          ? ", with a binary log for replicas, which has each row twice in "
                            "place and once for a copy"
                          : ", with a binary log, which has each row twice in place and "
                            "once for a copy";
    int64_t rows = work->table->row_estimate;
    return arena_printf(
        arena,
        "because a copy%s: about %lld s of work in place, %lld s for a copy, at %lld rows of %lld bytes%s",
        way == WAY_SHADOW ? " is clearly cheaper"
                          : ", with its second table and its cutover, would not be clearly cheaper",
        (long long)cost.in_place_ms / 1000, (long long)cost.shadow_ms / 1000, (long long)rows,
        (long long)(rows > 0 ? work->table->total_bytes / rows : 0), log);
}

void fill_note_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Way way)
{
    const char *how = way == WAY_FILL ? "added at once, then filled in the table itself"
                                      : "a shadow table, where the new column is computed in the one pass of "
                                        "the copy";
    maker_risk_my(maker, "way", NULL,
                  arena_printf(maker->arena, "%s (%s): %s, %s", work->table->name,
                               words_of_my(maker->arena, asked), how, reason(maker, work, asked, way)));
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void write_triggers(MakerMy *maker, const Operation *operation, const AskedMy *asked)
{
    Arena *arena = maker->arena;
    const char *table = operation->table.name;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        const char *name = plan_shadow_name_my(arena, table, suffixes[i]);
        const char *drop = arena_printf(arena, "DROP TRIGGER IF EXISTS %s", sql_backtick(arena, name));
        maker_alter_my(maker, PHASE_EXPAND, operation->table,
                       arena_printf(arena, "%s: what is %s is filled by a trigger", table,
                                    i == ON_INSERT ? "inserted" : "updated"),
                       fill_trigger_my(maker, asked->before, table, table, asked, i == ON_UPDATE, name),
                       drop);
        maker_alter_my(maker, PHASE_CONTRACT, operation->table, arena_printf(arena, "trigger %s goes", name),
                       drop, NULL);
    }
    maker_risk_my(maker, "fill", NULL,
                  arena_printf(arena,
                               "triggers of %s fill the new columns for old applications until \"stoa "
                               "complete\"; they act as %s, an account that must stay until then",
                               table, maker->server->role != NULL ? maker->server->role : "this account"));
}

static void fills_of(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Step *step, Str *words)
{
    Arena *arena = maker->arena;
    FillColumn *fills = arena_alloc(arena, asked->my->action_count * sizeof *fills);
    size_t count = 0;
    for (size_t i = 0; i < asked->my->action_count; i++) {
        const MyAction *action = &asked->my->actions[i];
        const char *name = action->kind == MY_ACTION_ADD_COLUMN ? action->column->name.text : NULL;
        const char *expr = name == NULL ? NULL : fill_expr_my(maker, asked->before, work->table->name, name);
        const MyColumn *column = expr == NULL ? NULL : column_my(asked->after, name);
        if (column == NULL)
            continue;
        fills[count++] = (FillColumn){.column = column->name,
                                      .type = column->type,
                                      .expr = expr,
                                      .immutable = true,
                                      .null_legal = true,
                                      .sync = {.column = column->name, .expr = expr, .counter = ""}};
        str_sep(words, ", ");
        str_addf(words, "%s = %s", column->name, expr);
    }
    step->fills = fills;
    step->fill_count = count;
}

static void set_sql(Arena *arena, Step *step, const char *text)
{
    const char **sql = arena_alloc(arena, sizeof *sql);
    sql[0] = text;
    step->sql = sql;
    step->sql_count = 1;
}

static void write_backfill(MakerMy *maker, const WorkMy *work, const AskedMy *asked)
{
    Arena *arena = maker->arena;
    CLEANUP(str_donep) Str words = STR_INIT;
    CLEANUP(str_donep) Str set = STR_INIT;
    const Table *table = work->table;
    Step *step = maker_step_my(maker, PHASE_BACKFILL, STEP_BACKFILL, (Name){.name = table->name}, "");
    fills_of(maker, work, asked, step, &words);
    for (size_t i = 0; i < step->fill_count; i++)
        str_addf(&set, "%s%s = %s", i > 0 ? ", " : "", sql_backtick(arena, step->fills[i].column),
                 step->fills[i].expr);
    step->title = arena_printf(arena, "fill %s: %s, in chunks of the key", table->name, words.buf);
    set_sql(arena, step,
            arena_printf(arena,
                         "UPDATE %s SET %s WHERE /* a range of the key, locked without waiting */ %s "
                         "IS NULL",
                         sql_backtick(arena, table->name), set.buf,
                         sql_backtick(arena, step->fills[0].column)));
    step->timeout = TIMEOUT_CHUNK;
    step->estimate_low_ms = 1 + table->row_estimate / FILL_FAST_ROWS_MS;
    step->estimate_high_ms = 2 + table->row_estimate / FILL_SLOW_ROWS_MS;
}

/* The triggers must have stood all the time: a row that was written without them may lack its value. */
static const char *triggers_query(MakerMy *maker, const Table *table)
{
    Arena *arena = maker->arena;
    CLEANUP(str_donep) Str sql = STR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        const char *name = sql_literal(arena, plan_shadow_name_my(arena, table->name, suffixes[i]));
        str_addf(&sql,
                 "%sSELECT %s FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM information_schema.TRIGGERS WHERE "
                 "TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME = %s)",
                 i > 0 ? " UNION ALL " : "", name, name);
    }
    return arena_dup(arena, sql.buf);
}

static void write_verify(MakerMy *maker, const WorkMy *work, const AskedMy *asked)
{
    Arena *arena = maker->arena;
    CLEANUP(str_donep) Str words = STR_INIT;
    CLEANUP(str_donep) Str gaps = STR_INIT;
    const Table *table = work->table;
    Name name = {.name = table->name};
    bool filled = maker->input->options.verify == VERIFY_FILLED;
    Step *step = maker_step_my(maker, PHASE_VERIFY, STEP_VERIFY, name, "");
    fills_of(maker, work, asked, step, &words);
    for (size_t i = 0; i < step->fill_count; i++)
        str_addf(&gaps, "%s(%s IS NULL AND %s IS NOT NULL)", i > 0 ? " OR " : "",
                 sql_backtick(arena, step->fills[i].column), step->fills[i].expr);
    Check *check = arena_alloc(arena, sizeof *check);
    *check = filled ? (Check){.label = arena_printf(arena, "not filled: %s", words.buf),
                              .predicate = arena_dup(arena, gaps.buf)}
                    : (Check){.label = arena_printf(arena, "differs from %s", words.buf),
                              .hint = "if the application writes the column itself, apply with --verify "
                                      "filled; else mend those rows"};
    step->title = arena_printf(arena, filled ? "every row of %s is filled: %s" : "every row of %s has %s",
                               table->name, words.buf);
    set_sql(arena, step,
            arena_printf(arena, "SELECT COUNT(*) FROM %s WHERE /* a range of the key */ %s",
                         sql_backtick(arena, table->name), gaps.buf));
    if (filled)
        step->fill_count = 0; /* the predicate tells */
    step->checks = check;
    step->check_count = 1;
    step->scans = true;
    step->timeout = TIMEOUT_CHUNK;
    SpanMs ms = estimate_copy_my(table);
    step->estimate_low_ms = ms.low;
    step->estimate_high_ms = ms.high;
    Check stand = {.label = "the trigger that fills the new columns is gone",
                   .query = triggers_query(maker, table),
                   .hint = "stoa abort, then apply again"};
    Check *stands = arena_alloc(arena, sizeof *stands);
    *stands = stand;
    step = maker_step_my(maker, PHASE_VERIFY, STEP_VERIFY, name,
                         arena_printf(arena, "the triggers of %s still stand", table->name));
    step->checks = stands;
    step->check_count = 1;
    set_sql(arena, step, stand.query);
    step->timeout = TIMEOUT_CHUNK;
}

Err *fill_write_my(MakerMy *maker, const WorkMy *work, const Operation *operation, const AskedMy *asked,
                   Phase phase)
{
    if (phase != PHASE_EXPAND)
        return err_hint(err_new(ERR_UNSAFE, "line %d fills a column of \"%s\", which another line has copied",
                                operation->line, operation->table.name),
                        "make it a change of its own");
    TRY(native_alter_my(maker, work, operation, asked, PHASE_EXPAND));
    *vec_push(maker->arena, &maker->filled) = operation->table.name;
    write_triggers(maker, operation, asked);
    write_backfill(maker, work, asked);
    write_verify(maker, work, asked);
    maker->scans = true;
    return NULL;
}
