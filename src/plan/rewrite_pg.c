/* The plan for PostgreSQL: resolves what the change names, lets each operation write its steps, puts them in
 * order. */
#include "base/digest.h"
#include "plan/maker.h"
#include "plan/version.h"

#include <stdlib.h>
#include <string.h>

/* ---- looking up ----------------------------------------------------------------------------- */

const Table *maker_table(const Maker *maker, Name name, bool index)
{
    for (size_t i = 0; i < maker->wanted_count && i < maker->input->table_count; i++)
        if (maker->wanted[i].index == index && str_eq(maker->wanted[i].name.name, name.name) &&
            str_eq(maker->wanted[i].name.schema, name.schema))
            return &maker->input->tables[i];
    static const Table missing = {.kind = RELATION_MISSING};
    return &missing;
}

static bool table_same(const Table *a, const Table *b)
{
    return a == b || (a->kind != RELATION_MISSING && b->kind != RELATION_MISSING &&
                      str_eq(a->name, b->name) && str_eq(a->schema, b->schema));
}

TableWork *maker_work(const Maker *maker, const Table *table)
{
    for (size_t i = 0; i < maker->work_count; i++)
        if (table_same(maker->works[i].table, table))
            return &maker->works[i];
    return NULL;
}

const Operation *maker_adds(const Maker *maker, const Table *table, const char *column)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *op = &maker->change->operations[i];
        if (op->kind == OPERATION_ADD_COLUMN && str_eq(op->add->name, column) &&
            table_same(maker_table(maker, op->table, false), table))
            return op;
    }
    return NULL;
}

Err *maker_needs_column(const Maker *maker, const Table *table, const char *column)
{
    if (table_column(table, column) != NULL || maker_adds(maker, table, column) != NULL)
        return NULL;
    return err_new(ERR_USAGE, "table \"%s.%s\" has no column \"%s\"", table->schema, table->name, column);
}

Err *maker_expr(const Maker *maker, const Table *table, const char *column, bool of_default,
                const PlanExpr **ret_expr)
{
    for (size_t i = 0; i < maker->input->expr_count; i++) {
        const PlanExpr *expr = &maker->input->exprs[i];
        if (expr->of_default != of_default || expr->of_reverse || !str_eq(expr->column, column) ||
            !table_same(maker_table(maker, expr->table, false), table))
            continue;
        if (expr->info.error != NULL)
            return err_hint(err_new(ERR_USAGE, "%s of \"%s.%s.%s\": %s (SQLSTATE %s)",
                                    of_default ? "default" : "backfill", table->schema, table->name, column,
                                    expr->info.error,
                                    expr->info.error_state != NULL ? expr->info.error_state : "?"),
                            "nothing was changed; correct the expression");
        *ret_expr = expr;
        return NULL;
    }
    return err_new(ERR_BUG, "the expression of \"%s.%s\" was not looked at", table->name, column);
}

bool maker_accepts(const Maker *maker, const char *id)
{
    for (size_t i = 0; i < maker->input->options.accepted_count; i++)
        if (str_eq(maker->input->options.accepted[i], id))
            return true;
    return false;
}

/* ---- may this be done here at all ----------------------------------------------------------- */

static Err *server_check(const Maker *maker)
{
    const Server *server = maker->server;
    if (server->in_recovery)
        return err_hint(err_new(ERR_UNSAFE, "the server is a standby and takes no changes"),
                        "connect to the primary");
    if (server->read_only)
        return err_hint(err_new(ERR_UNSAFE, "transactions are read-only for role \"%s\" in database \"%s\"",
                                server->role, server->database),
                        "ALTER ROLE %s SET default_transaction_read_only = off",
                        sql_ident(maker->arena, server->role));
    if (server->pooled)
        return err_hint(
            err_new(ERR_CONNECT, "the connection goes through a pooler in transaction mode"),
            "connect to the server itself: session locks and settings do not survive transaction pooling");
    if (server->version_num < 100000)
        return err_new(ERR_UNSAFE, "PostgreSQL %s is not supported: 10 is the oldest", server->version);
    if (server->journal_version == 0 && !server->may_create_schema)
        return err_hint(
            err_new(ERR_PRIVILEGE, "role \"%s\" may not create the journal's schema \"stoa\"", server->role),
            "GRANT CREATE ON DATABASE %s TO %s", sql_ident(maker->arena, server->database),
            sql_ident(maker->arena, server->role));
    if (server->journal_version != 0 && !server->may_use_journal)
        return err_hint(
            err_new(ERR_PRIVILEGE, "role \"%s\" may not use the journal in schema \"stoa\"", server->role),
            "GRANT ALL ON SCHEMA stoa TO %s; GRANT ALL ON ALL TABLES IN SCHEMA stoa TO %s; GRANT ALL ON "
            "ALL SEQUENCES IN SCHEMA stoa TO %s",
            sql_ident(maker->arena, server->role), sql_ident(maker->arena, server->role),
            sql_ident(maker->arena, server->role));
    const PlanOptions *options = &maker->input->options;
    if (options->max_lag_given && !options->replicas_given && server->standby_count == 0)
        return err_hint(
            err_new(ERR_USAGE, "--max-lag was given, but no replica is seen"),
            "say which replicas there are with --replicas URL, or that there are none: --replicas 0");
    return NULL;
}

/* `op` NULL: a backfill. */
static Err *kind_check(const Maker *maker, const Operation *op, const Table *table)
{
    switch (table->kind) {
    case RELATION_TABLE:
    case RELATION_PARTITIONED:
    case RELATION_PARTITION:
        break;
    case RELATION_MISSING:
    case RELATION_VIEW:
    case RELATION_MATVIEW:
    case RELATION_FOREIGN:
    case RELATION_SYSTEM:
    case RELATION_OTHER:
        return err_new(ERR_UNSAFE, "\"%s.%s\" is a %s, not a table that can be changed", table->schema,
                       table->name, relation_kind_name(table->kind));
    }
    if (table->temporary)
        return err_new(ERR_UNSAFE, "\"%s.%s\" is a temporary table: it belongs to one session", table->schema,
                       table->name);
    return partition_check(maker, op, table);
}

static const char *name_text(Arena *arena, Name name)
{
    return name.schema != NULL ? arena_printf(arena, "%s.%s", name.schema, name.name) : name.name;
}

static Err *missing_hint(Err *err, const Table *table)
{
    return table->similar != NULL ? err_hint(err, "did you mean %s?", table->similar)
                                  : err_hint(err, "check the name and the search_path");
}

/* ERR_USAGE for what is not there, and the refusals of what is. `ret_table` is NULL where IF EXISTS covers
 * it. */
static Err *operation_table(Maker *maker, const Operation *op, const Table **ret_table)
{
    bool index = op->kind == OPERATION_DROP_INDEX || op->on_index;
    const Table *table = maker_table(maker, op->table, index);
    *ret_table = NULL;
    if (table->kind == RELATION_MISSING && op->if_exists) {
        maker_risk(maker, "missing", NULL,
                   arena_printf(maker->arena, "%s \"%s\" does not exist: skipped as IF EXISTS asks",
                                index ? "index" : "table", name_text(maker->arena, op->table)),
                   NULL);
        return NULL;
    }
    if (table->kind == RELATION_MISSING)
        return missing_hint(err_new(ERR_USAGE, "%s \"%s\" does not exist in database \"%s\"",
                                    index ? "index" : "table", name_text(maker->arena, op->table),
                                    maker->server->database),
                            table);
    bool index_of_view = table->kind == RELATION_MATVIEW &&
                         (op->kind == OPERATION_CREATE_INDEX || op->kind == OPERATION_DROP_INDEX);
    if (!index_of_view)
        TRY(kind_check(maker, op, table));
    if (!table->may_own)
        return err_hint(err_new(ERR_PRIVILEGE, "role \"%s\" is not an owner of %s", maker->server->role,
                                sql_name(maker->arena, table->schema, table->name)),
                        "GRANT %s TO %s", sql_ident(maker->arena, table->owner),
                        sql_ident(maker->arena, maker->server->role));
    *ret_table = table;
    return NULL;
}

/* ---- operations ----------------------------------------------------------------------------- */

static Err *operation_comment(Maker *maker, const Operation *op, TableWork *work)
{
    if (op->column != NULL)
        TRY(maker_needs_column(maker, work->table, op->column));
    maker_ddl(maker, PHASE_CONSTRAIN, work, "SHARE UPDATE EXCLUSIVE", "set a comment", op->sql, NULL);
    return NULL;
}

static Err *operation_constraint(Maker *maker, const Operation *op, TableWork *work)
{
    return constraint_add(maker, work, op->constraint, NULL);
}

/* Who writes the steps of an operation; `words` for what nobody writes. */
static const struct {
    Err *(*write)(Maker *maker, const Operation *op, TableWork *work);
    const char *words;
} operations[OPERATION_COUNT] = {
    [OPERATION_ADD_COLUMN] = {.write = column_add},
    [OPERATION_SET_NOT_NULL] = {.write = not_null_set},
    [OPERATION_DROP_NOT_NULL] = {.write = not_null_drop},
    [OPERATION_SET_DEFAULT] = {.write = column_default},
    [OPERATION_DROP_DEFAULT] = {.write = column_default},
    [OPERATION_ADD_CONSTRAINT] = {.write = operation_constraint},
    [OPERATION_VALIDATE_CONSTRAINT] = {.write = constraint_validate},
    [OPERATION_CREATE_INDEX] = {.write = index_create},
    [OPERATION_DROP_INDEX] = {.write = index_drop},
    [OPERATION_COMMENT] = {.write = operation_comment},
    [OPERATION_SETTING] = {.write = setting_write},
    [OPERATION_RENAME] = {.write = rename_write},
    [OPERATION_CHANGE_TYPE] = {.write = twin_change_type},
    [OPERATION_RENAME_COLUMN] = {.write = rename_column},
    [OPERATION_RENAME_TABLE] = {.write = table_rename},
    [OPERATION_SET_SCHEMA] = {.write = table_rename},
    [OPERATION_DROP_COLUMN] = {.write = column_drop},
    [OPERATION_DROP_CONSTRAINT] = {.write = constraint_drop},
    [OPERATION_DROP_TABLE] = {.write = table_drop},
    [OPERATION_ATTACH_PARTITION] = {.write = partition_attach},
    [OPERATION_DETACH_PARTITION] = {.write = partition_detach},
    [OPERATION_CREATE_PARTITION] = {.write = partition_create},
};

static Err *operation_write(Maker *maker, const Operation *op, TableWork *work)
{
    bool renames = op->kind == OPERATION_RENAME_COLUMN || op->kind == OPERATION_RENAME_TABLE ||
                   op->kind == OPERATION_SET_SCHEMA;
    if (renames && maker->input->options.versioned)
        return version_rename(maker, op, work);
    if (operations[op->kind].write != NULL)
        return operations[op->kind].write(maker, op, work);
    return err_new(ERR_BUG, "line %d: nobody writes the steps of this statement", op->line);
}

static bool retyped(const Maker *maker, const Table *table, const char *column)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *op = &maker->change->operations[i];
        if (op->kind == OPERATION_CHANGE_TYPE && str_eq(op->column, column) &&
            table_same(maker_table(maker, op->table, false), table))
            return true;
    }
    return false;
}

/* SET or DROP NOT NULL and DEFAULT of a column that the same change adds are part of its ADD COLUMN; those of
 * a default, part of a change of type. */
static void operations_consume(Maker *maker)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *op = &maker->change->operations[i];
        bool of_column = op->kind == OPERATION_SET_NOT_NULL || op->kind == OPERATION_DROP_NOT_NULL ||
                         op->kind == OPERATION_SET_DEFAULT || op->kind == OPERATION_DROP_DEFAULT;
        const Table *table = of_column ? maker_table(maker, op->table, false) : NULL;
        if (table != NULL && table->kind != RELATION_MISSING && table_column(table, op->column) == NULL)
            maker->consumed[i] = maker_adds(maker, table, op->column) != NULL;
        if (identity_takes_default(maker, op))
            maker->consumed[i] = true;
        bool of_default = op->kind == OPERATION_SET_DEFAULT || op->kind == OPERATION_DROP_DEFAULT;
        if (table != NULL && of_default && table->kind != RELATION_MISSING &&
            retyped(maker, table, op->column))
            maker->consumed[i] = true;
    }
}

static Err *backfills_check(const Maker *maker)
{
    const Change *change = maker->change;
    for (size_t i = 0; i < change->backfill_count; i++) {
        const BackfillSpec *fill = &change->backfills[i];
        const Table *table = maker_table(maker, fill->table, false);
        if (table->kind == RELATION_MISSING)
            return missing_hint(err_new(ERR_USAGE, "backfill names table \"%s\", which does not exist",
                                        name_text(maker->arena, fill->table)),
                                table);
        if (table_column(table, fill->column) == NULL && maker_adds(maker, table, fill->column) == NULL)
            return err_hint(err_new(ERR_USAGE, "backfill of \"%s.%s\": nobody adds this column",
                                    fill->table.name, fill->column),
                            "ALTER TABLE %s ADD COLUMN %s … belongs into the same change",
                            sql_name(maker->arena, table->schema, table->name),
                            sql_ident(maker->arena, fill->column));
        for (size_t j = 0; j < i; j++)
            if (str_eq(change->backfills[j].column, fill->column) &&
                table_same(maker_table(maker, change->backfills[j].table, false), table))
                return err_new(ERR_USAGE, "two backfills for \"%s.%s\"", fill->table.name, fill->column);
    }
    return NULL;
}

static Err *operations_write(Maker *maker)
{
    const Change *change = maker->change;
    TRY(backfills_check(maker));
    TRY(reverses_check(maker));
    if (maker->input->options.strategy == STRATEGY_SHADOW)
        return shadow_write_pg(maker);
    operations_consume(maker);
    TRY(natives_sort(maker));
    TRY(natives_before(maker));
    for (size_t i = 0; i < change->backfill_count; i++) {
        const BackfillSpec *fill = &change->backfills[i];
        const Table *table = maker_table(maker, fill->table, false);
        if (table_column(table, fill->column) == NULL)
            continue;
        TRY(kind_check(maker, NULL, table));
        TRY(column_fill_existing(maker, fill, maker_work(maker, table)));
    }
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *op = &change->operations[i];
        const Table *table = NULL;
        if (native_has(maker, i))
            continue;
        TRY(operation_table(maker, op, &table));
        if (table != NULL && !maker->consumed[i])
            TRY(operation_write(maker, op, maker_work(maker, table)));
    }
    TRY(twins_finish(maker));
    for (size_t i = 0; i < maker->work_count; i++)
        TRY(column_finish(maker, &maker->works[i]));
    TRY(natives_after(maker));
    return version_finish(maker);
}

/* ---- the whole ------------------------------------------------------------------------------------------
 */

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void plan_tables(Maker *maker, Plan *plan)
{
    Texts tables = {0};
    for (size_t i = 0; i < maker->work_count; i++) {
        const char *lease = work_lease(&maker->works[i]);
        bool known = !maker->works[i].touched;
        for (size_t k = 0; k < tables.len && !known; k++)
            known = str_eq(tables.items[k], lease);
        if (!known)
            *vec_push(maker->arena, &tables) = lease;
    }
    bool any = false;
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        any = any || maker->steps[phase].len > 0;
    if (tables.len == 0 && any) /* of no table: the change itself is what one runner holds */
        *vec_push(maker->arena, &tables) =
            arena_printf(maker->arena, "change %s", sql_ident(maker->arena, maker->change->name));
    if (tables.len > 1)
        qsort(tables.items, tables.len, sizeof tables.items[0], text_compare);
    plan->tables = tables.items;
    plan->table_count = tables.len;
}

enum { STEP_RANKS = 4 };

/* Within constrain, indexes are built before new rows are bound to anything. Within contract, everything is
 * looked at before anything goes, views of an earlier version go first, and the sync trigger goes before the
 * columns that it reads. */
static int step_rank(const Step *step)
{
    if (step->phase == PHASE_CONSTRAIN)
        return step->kind == STEP_CREATE_INDEX || step->first ? 0 : 1;
    if (step->phase != PHASE_CONTRACT || step->kind == STEP_QUIET || step->kind == STEP_EVIDENCE)
        return 0;
    return step->first ? 1 : step->sync ? 2 : 3;
}

/* All steps in the order of their phases, and whether rows have to be visited. */
static void plan_steps(Maker *maker, Plan *plan)
{
    VEC(Step) all = {0};
    bool visits = false, copies = false;
    for (int phase = 0; phase < PHASE_REVERT; phase++)
        for (int rank = 0; rank < STEP_RANKS; rank++)
            for (size_t i = 0; i < maker->steps[phase].len; i++) {
                const Step *from = &maker->steps[phase].items[i];
                if (step_rank(from) != rank)
                    continue;
                Step *step = vec_push(maker->arena, &all);
                *step = *from;
                step->ordinal = (int)all.len;
                copies = copies || step->kind == STEP_COPY;
                visits =
                    visits || step->scans || step->kind == STEP_BACKFILL || step->kind == STEP_CREATE_INDEX;
            }
    plan->steps = all.items;
    plan->step_count = all.len;
    plan->strategy = copies ? "shadow" : visits ? "in-place" : "instant";
}

/* The way back, whole or not at all. */
static void plan_reverts(Maker *maker, Plan *plan)
{
    reverts_derive(maker, plan->steps, plan->step_count);
    Step *steps = maker->steps[PHASE_REVERT].items;
    size_t count = maker->steps[PHASE_REVERT].len;
    if (count == 0 || maker->no_revert != NULL) {
        plan->no_revert = maker->no_revert;
        return;
    }
    for (size_t i = 0; i < count; i++)
        steps[i].ordinal = (int)(plan->step_count + i + 1);
    plan->reverts = steps;
    plan->revert_count = count;
}

static void digest_list(Str *str, const char *key, const char *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        str_addf(str, "%s %zu:%s\n", key, strlen(items[i]), items[i]);
}

static void digest_fill(Str *str, const FillColumn *fill)
{
    const SyncColumn *sync = &fill->sync;
    digest_list(str, "fill", (const char *const[]){fill->column, fill->expr, sync->expr}, 3);
    digest_list(str, "source", sync->sources, sync->source_count);
    if (sync->back_count > 0 || sync->after)
        str_addf(str, "null %d after %d\n", sync->null_ok, sync->after);
    for (size_t i = 0; i < sync->back_count; i++) {
        const SyncBack *back = &sync->back[i];
        const char *const words[] = {back->column, back->expr,
                                     back->default_sql != NULL ? back->default_sql : ""};
        digest_list(str, back->null_ok ? "back or null" : "back", words, ARRAY_LEN(words));
        digest_list(str, "reads", back->sources, back->source_count);
        if (back->wins)
            str_add(str, "wins\n");
    }
}

static void digest_step(Str *str, const Step *step)
{
    str_addf(str, "step %s %s lock %s role %s sync %d quiet %d\n", phase_name(step->phase),
             step_kinds[step->kind].name, step->lock, step->role != NULL ? step->role : "-", step->sync,
             step->quiet_triggers);
    digest_list(str, "on", step->lock_on, step->lock_count);
    digest_list(str, "sql", step->sql, step->sql_count);
    digest_list(str, "undo", step->undo, step->undo_count);
    digest_list(str, "columns", step->columns, step->column_count);
    for (size_t i = 0; i < step->undo_step_count; i++)
        digest_list(str, "undo first", step->undo_steps[i].sql, step->undo_steps[i].sql_count);
    for (size_t i = 0; i < step->fill_count; i++)
        digest_fill(str, &step->fills[i]);
}

/* Over ordered SQL, phases, locks and strategy. The generated trigger stands in it by what is computed from
 * what, not by its text, which carries the table's number and the parts of other changes. */
const char *plan_digest_make(Arena *arena, const Plan *plan)
{
    Str str CLEANUP(str_donep) = STR_INIT;
    str_addf(&str, "stoa plan 1\nengine %s\nstrategy %s\n", plan->engine, plan->strategy);
    digest_list(&str, "path", plan->search_path, plan->search_path_count);
    if (plan->version_schema != NULL)
        str_addf(&str, "version %s\n", plan->version_schema);
    for (size_t i = 0; i < plan->step_count; i++)
        digest_step(&str, &plan->steps[i]);
    for (size_t i = 0; i < plan->revert_count; i++)
        digest_step(&str, &plan->reverts[i]);
    return digest_text(arena, str.buf, str.len);
}

Err *change_check(const Change *change)
{
    if (change->problem_count == 0)
        return NULL;
    const Problem *problem = &change->problems[0];
    Err *err = err_new(problem->kind, "line %d: %s", problem->line, problem->message);
    return problem->hint != NULL ? err_hint(err, "%s", problem->hint) : err;
}

Err *plan_make_pg(Arena *arena, const PlanInput *input, Plan *ret_plan)
{
    const Change *change = input->change;
    Maker maker = {.arena = arena, .input = input, .change = change, .server = input->server};
    TRY(change_check(change));
    TRY(server_check(&maker));
    plan_wanted_tables(arena, change, &maker.wanted, &maker.wanted_count);
    if (input->table_count != maker.wanted_count)
        return err_new(ERR_BUG, "%zu tables were loaded where %zu are wanted", input->table_count,
                       maker.wanted_count);
    maker.consumed = arena_alloc(arena, (change->operation_count + 1) * sizeof(bool));
    works_open(&maker);
    TRY(operations_write(&maker));
    Plan plan = {.change = change->name,
                 .owner = change->owner,
                 .sql = change->sql,
                 .change_digest = change->change_digest,
                 .engine = input->server->engine,
                 .server = input->server->version,
                 .search_path = input->server->search_path,
                 .search_path_count = input->server->search_path_count};
    bool work = false;
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        work = work || maker.steps[phase].len > 0;
    plan.nothing_to_do = !work;
    if (work) {
        Step *ready =
            maker_step(&maker, PHASE_READY, STEP_READY, NULL, "ready: the application may rely on it");
        ready->evidence = EVIDENCE_CATALOG;
    }
    TRY(risk_gather(&maker));
    plan_tables(&maker, &plan);
    plan_steps(&maker, &plan);
    plan_reverts(&maker, &plan);
    plan.version_schema = maker.version_schema;
    plan.risks = maker.risks.items;
    plan.risk_count = maker.risks.len;
    plan.plan_digest = plan_digest_make(arena, &plan);
    *ret_plan = plan;
    return NULL;
}
