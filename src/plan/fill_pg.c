/* Columns that are filled: nullable with the sync trigger, backfill, verify, and only then constrained. */
#include "plan/maker.h"

#include <string.h>

/* The expression with the column's type, as an assignment would give it. */
static const char *value_sql(Arena *arena, const char *expr, const char *type)
{
    const char *cast = arena_printf(arena, "::%s", type);
    size_t len = strlen(expr), tail = strlen(cast);
    if (len > tail && str_eq(expr + len - tail, cast) && expr[0] == '(')
        return arena_printf(arena, "(%s)", expr);
    return arena_printf(arena, "(%s)::%s", expr, type);
}

static void add_prepare(Maker *maker, TableWork *work, const Wish *wish, const FillColumn *fill, bool stable)
{
    Arena *arena = maker->arena;
    if (!stable)
        return; /* evaluating it beforehand could have effects, and says nothing of the value it gives later
                 */
    bool not_null = !fill->null_legal;
    *vec_push(arena, &work->prepare) =
        (Check){.label = not_null ? arena_printf(arena, "%s would be null", wish->ident)
                                  : arena_printf(arena, "%s can be computed", wish->ident),
                .predicate = arena_printf(arena, "%s IS NULL", value_sql(arena, fill->expr, fill->type)),
                .evaluate_only = true,
                .count_only = !not_null,
                .hint = "correct these rows, or catch the case in the expression: coalesce(…, 0), nullif(…)"};
    long limit = type_char_limit(arena, fill->type);
    if (limit > 0)
        *vec_push(arena, &work->prepare) = (Check){
            .label = arena_printf(arena, "%s would be longer than %ld characters", wish->ident, limit),
            .predicate =
                arena_printf(arena, "pg_catalog.char_length(pg_catalog.rtrim((%s)::pg_catalog.text)) > %ld",
                             fill->expr, limit),
            .evaluate_only = true,
            .hint = "widen the column's type, or cut the value in the expression: left(…)"};
}

static Err *add_verify(Maker *maker, TableWork *work, const char *ident, const FillColumn *fill, bool of_row)
{
    Arena *arena = maker->arena;
    VerifyMethod method = maker->input->options.verify;
    if (method == VERIFY_EXPRESSION && of_row && !fill->immutable)
        return err_hint(err_new(ERR_USAGE,
                                "--verify expression: the expression of \"%s\" is not immutable over the "
                                "row, so its values cannot be compared later",
                                fill->column),
                        "leave --verify out: it is verified as filled");
    const char *differs = fill->immutable ? differs_pg(arena, fill->exact_equality, ident,
                                                       value_sql(arena, fill->expr, fill->type))
                                          : NULL;
    if (differs != NULL && method != VERIFY_FILLED)
        *vec_push(arena, &work->verify) =
            (Check){.label = arena_printf(arena, "%s differs from %s", ident, fill->expr),
                    .predicate = differs,
                    .hint = "where the application writes the column itself: --verify filled"};
    *vec_push(arena, &work->verify) =
        (Check){.label = arena_printf(arena, "%s is null", ident),
                .predicate = arena_printf(arena, "%s IS NULL", ident),
                .count_only = fill->null_legal,
                .hint = "see stoa.sync_failures for rows that could not be computed"};
    if (differs != NULL && method == VERIFY_FILLED)
        *vec_push(arena, &work->verify) =
            (Check){.label = arena_printf(arena, "%s was written by the application itself", ident),
                    .predicate = arena_printf(arena, "%s IS NOT NULL AND %s", ident, differs),
                    .count_only = true};
    return NULL;
}

static SyncColumn sync_part(Maker *maker, const TableWork *work, const char *column, const char *expr,
                            const char *const *sources, size_t source_count)
{
    return (SyncColumn){.column = column,
                        .expr = expr,
                        .sources = sources,
                        .source_count = source_count,
                        .counter = sync_counter_pg(maker->arena, work->table->id, column)};
}

/* Keeps the place of the table's one expand step: where its first column stands among the operations. */
static void expand_place(Maker *maker, TableWork *work)
{
    if (work->expand_placed)
        return;
    work->expand_placed = true;
    work->expand_at = maker->steps[PHASE_EXPAND].len;
    Step *step = maker_ddl(maker, PHASE_EXPAND, work, "ACCESS EXCLUSIVE", "", NULL, NULL);
    step->sync = true;
}

/* Notes that a person who reads the plan should see. */
static void expr_notes(Maker *maker, const TableWork *work, const Wish *wish, const PlanExpr *expr,
                       bool not_null)
{
    Arena *arena = maker->arena;
    if (!expr->info.immutable)
        maker_risk(maker, "volatile", NULL,
                   arena_printf(
                       arena,
                       "the value of %s depends on more than the row%s: each row keeps the value at the time "
                       "it is written, and it is verified as filled, not by comparing",
                       wish->ident, expr->forms.sub_select ? " (a sub-select)" : ""),
                   NULL);
    for (size_t i = 0; i < expr->forms.source_count && not_null; i++) {
        const Column *source = table_column(work->table, expr->forms.sources[i]);
        if (source == NULL || source->not_null || source->generated_sql != NULL ||
            strcasestr(expr->forms.plain, "coalesce") != NULL)
            continue;
        maker_risk(
            maker, "nullable-source", NULL,
            arena_printf(arena,
                         "%s may be null and %s may not: a write that sets it to null would be refused once "
                         "%s is NOT NULL; coalesce(%s, …) in the backfill avoids that",
                         sql_ident(arena, source->name), wish->ident, wish->ident,
                         sql_ident(arena, source->name)),
            NULL);
    }
}

static Err *constraints_add(Maker *maker, TableWork *work, const Wish *wish)
{
    if (wish->spec.not_null)
        TRY(not_null_prove(maker, work, wish->spec.name, true, wish_hard(maker, work, wish)));
    for (size_t i = 0; i < wish->spec.constraint_count; i++)
        TRY(constraint_add(maker, work, &wish->spec.constraints[i], wish->spec.name));
    return NULL;
}

FillColumn column_fill(Maker *maker, const TableWork *work, const ColumnSpec *spec, const char *type,
                       const PlanExpr *expr)
{
    return (FillColumn){.column = spec->name,
                        .type = type,
                        .expr = expr->forms.plain,
                        .immutable = expr->info.immutable,
                        .null_legal = !spec->not_null,
                        .exact_equality = type_exact(maker->arena, type, spec->collation_sql),
                        .sync = sync_part(maker, work, spec->name, expr->forms.trigger, expr->forms.sources,
                                          expr->forms.source_count)};
}

Err *column_backfill(Maker *maker, TableWork *work, const Wish *wish)
{
    Arena *arena = maker->arena;
    const ColumnSpec *spec = &wish->spec;
    if (spec->generated_sql != NULL || spec->serial || spec->identity != 0)
        return err_new(ERR_USAGE, "\"%s\" computes its own values: a backfill contradicts that", spec->name);
    const PlanExpr *expr = NULL;
    TRY(maker_expr(maker, work->table, spec->name, false, &expr));
    FillColumn fill = column_fill(maker, work, spec, wish->type, expr);
    expand_place(maker, work);
    *vec_push(arena, &work->expand_sql) = column_add_sql(arena, work, wish, wish->type);
    *vec_push(arena, &work->expand_undo) = column_drop_sql(arena, work, wish);
    *vec_push(arena, &work->fills) = fill;
    work->quiet = true;
    add_prepare(maker, work, wish, &fill, expr->info.immutable || expr->info.stable);
    TRY(add_verify(maker, work, wish->ident, &fill, true));
    expr_notes(maker, work, wish, expr, spec->not_null);
    if (spec->default_sql != NULL && !wish->drop_default_later)
        *vec_push(arena, &work->contract_sql) =
            arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s", work->sql, wish->ident,
                         spec->default_sql);
    return constraints_add(maker, work, wish);
}

Err *column_twin(Maker *maker, TableWork *work, const Wish *wish, const PlanExpr *expr)
{
    Arena *arena = maker->arena;
    FillColumn fill = column_fill(maker, work, &wish->spec, wish->type, expr);
    expand_place(maker, work);
    *vec_push(arena, &work->expand_sql) = column_add_sql(arena, work, wish, wish->type);
    *vec_push(arena, &work->expand_undo) = column_drop_sql(arena, work, wish);
    *vec_push(arena, &work->fills) = fill;
    work->quiet = true;
    Wish old = *wish;
    old.ident = sql_ident(arena, wish->op->column);
    add_prepare(maker, work, &old, &fill, expr->info.immutable || expr->info.stable);
    TRY(add_verify(maker, work, wish->ident, &fill, true));
    expr_notes(maker, work, wish, expr, false);
    return NULL;
}

/* ---- defaults that the catalog cannot give to existing rows -----------------------------------------------
 */

static const char *sequence_sql(Arena *arena, const char *name, const Wish *wish)
{
    const char *options = wish->spec.identity != 0 ? wish->spec.identity_options_sql : NULL;
    bool has_options = options != NULL && *options != '\0';
    return arena_printf(arena, "CREATE SEQUENCE %s AS %s%s%s", name, wish->type, has_options ? " " : "",
                        has_options ? options : "");
}

/* The sequence of a serial column, or the one that stands in until the identity can be set. */
static const char *sequence_create(Maker *maker, TableWork *work, const Wish *wish)
{
    Arena *arena = maker->arena;
    const ColumnSpec *spec = &wish->spec;
    bool identity = spec->identity != 0;
    const char *name = sql_name(arena, work->table->schema,
                                name_free(maker, work, spec->name, identity ? "stoa_seq" : "seq"));
    *vec_push(arena, &work->expand_sql) = sequence_sql(arena, name, wish);
    if (identity) /* not owned: the identity's own sequence is found by ownership */
        *vec_push(arena, &work->expand_undo) = arena_printf(arena, "DROP SEQUENCE IF EXISTS %s", name);
    else
        *vec_push(arena, &work->expand_sql) =
            arena_printf(arena, "ALTER SEQUENCE %s OWNED BY %s.%s", name, work->sql, wish->ident);
    return name;
}

static void identity_set(Maker *maker, TableWork *work, const Wish *wish, const char *sequence)
{
    Arena *arena = maker->arena;
    const ColumnSpec *spec = &wish->spec;
    bool options = spec->identity_options_sql != NULL && *spec->identity_options_sql != '\0';
    Step *step =
        maker_ddl(maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE",
                  arena_printf(arena, "make %s an identity", wish->ident),
                  arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", work->sql, wish->ident),
                  sequence_sql(arena, sequence, wish));
    /* writers are given a value until the column goes as well */
    const char *own = arena_printf(arena, "pg_catalog.pg_get_serial_sequence(%s, %s)::pg_catalog.regclass",
                                   sql_literal(arena, work->sql), sql_literal(arena, spec->name));
    step_add_undo(maker, step,
                  arena_printf(arena,
                               "SELECT pg_catalog.setval(%s::pg_catalog.regclass, pg_catalog.nextval(%s))",
                               sql_literal(arena, sequence), own));
    step_add_undo(maker, step,
                  arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP IDENTITY IF EXISTS", work->sql,
                               wish->ident));
    step_add_undo(maker, step,
                  arena_printf(arena,
                               "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT "
                               "pg_catalog.nextval(%s::pg_catalog.regclass)",
                               work->sql, wish->ident, sql_literal(arena, sequence)));
    step_add_sql(maker, step,
                 arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s ADD GENERATED %s AS IDENTITY%s%s%s",
                              work->sql, wish->ident, spec->identity == 'a' ? "ALWAYS" : "BY DEFAULT",
                              options ? " (" : "", options ? spec->identity_options_sql : "",
                              options ? ")" : ""));
    step_add_sql(
        maker, step,
        arena_printf(arena, "SELECT pg_catalog.setval(%s, last_value, is_called) FROM %s", own, sequence));
    step_add_sql(maker, step, arena_printf(arena, "DROP SEQUENCE %s", sequence));
}

Err *column_phased_default(Maker *maker, TableWork *work, const Wish *wish)
{
    Arena *arena = maker->arena;
    const ColumnSpec *spec = &wish->spec;
    const char *plain = spec->default_sql, *trigger = spec->default_sql, *sequence = NULL;
    const PlanExpr *expr = NULL;
    expand_place(maker, work);
    *vec_push(arena, &work->expand_sql) = column_add_sql(arena, work, wish, wish->type);
    if (spec->serial || spec->identity != 0) {
        sequence = sequence_create(maker, work, wish);
        plain =
            arena_printf(arena, "pg_catalog.nextval(%s::pg_catalog.regclass)", sql_literal(arena, sequence));
        trigger = plain;
    } else if (!spec->default_constant) {
        TRY(maker_expr(maker, work->table, spec->name, true, &expr));
        plain = expr->forms.plain;
        trigger = expr->forms.trigger;
    }
    *vec_push(arena, &work->expand_sql) =
        arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s", work->sql, wish->ident,
                     sequence != NULL ? plain : spec->default_sql);
    *vec_push(arena, &work->expand_undo) = column_drop_sql(arena, work, wish);
    FillColumn fill = {.column = spec->name,
                       .type = wish->type,
                       .expr = plain,
                       .null_legal = false,
                       .exact_equality = type_exact(arena, wish->type, spec->collation_sql),
                       .sync = sync_part(maker, work, spec->name, trigger, NULL, 0)};
    *vec_push(arena, &work->fills) = fill;
    fill.null_legal = !spec->not_null; /* for the verify: a nullable column's default may give NULL */
    TRY(add_verify(maker, work, wish->ident, &fill, false));
    TRY(constraints_add(maker, work, wish));
    if (spec->identity != 0)
        identity_set(maker, work, wish, sequence);
    if (wish->drop_default_later)
        *vec_push(arena, &work->contract_sql) =
            arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", work->sql, wish->ident);
    return NULL;
}

/* ---- a column that is there ------------------------------------------------------------------------------
 */

static const Operation *set_not_null_find(const Maker *maker, const TableWork *work, const char *column)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *op = &maker->change->operations[i];
        const Table *table = op->kind == OPERATION_SET_NOT_NULL ? maker_table(maker, op->table, false) : NULL;
        if (table != NULL && table->kind != RELATION_MISSING && maker_work(maker, table) == work &&
            str_eq(op->column, column))
            return op;
    }
    return NULL;
}

Err *column_fill_existing(Maker *maker, const BackfillSpec *backfill, TableWork *work)
{
    Arena *arena = maker->arena;
    const Column *column = table_column(work->table, backfill->column);
    if (maker_adds(maker, work->table, backfill->column) != NULL)
        return NULL; /* the column is there as asked, or column_add says how it differs */
    const char *ident = sql_ident(arena, column->name);
    if (set_not_null_find(maker, work, column->name) == NULL)
        return err_hint(err_new(ERR_USAGE,
                                "column \"%s\" of \"%s.%s\" exists, and this change does not make it NOT "
                                "NULL: there is nothing to backfill",
                                column->name, work->table->schema, work->table->name),
                        "add ALTER TABLE %s ALTER COLUMN %s SET NOT NULL to the change", work->sql, ident);
    if (not_null_known(arena, work->table, column->name))
        return NULL;
    if (column->generated_sql != NULL)
        return err_new(ERR_USAGE, "column \"%s\" is generated: it cannot be backfilled", column->name);
    const PlanExpr *expr = NULL;
    TRY(maker_expr(maker, work->table, column->name, false, &expr));
    expand_place(maker, work);
    /* its rows hold what the application wrote: only the missing ones are filled, and verified as filled */
    const FillColumn fill = {.column = column->name,
                             .type = column->type,
                             .expr = expr->forms.plain,
                             .exact_equality = column->exact_equality,
                             .sync = sync_part(maker, work, column->name, expr->forms.trigger, NULL, 0)};
    *vec_push(arena, &work->fills) = fill;
    work->quiet = true;
    if (expr->info.immutable || expr->info.stable)
        *vec_push(arena, &work->prepare) =
            (Check){.label = arena_printf(arena, "%s would be null", ident),
                    .predicate = arena_printf(arena, "%s IS NULL AND %s IS NULL", ident,
                                              value_sql(arena, fill.expr, fill.type)),
                    .evaluate_only = true,
                    .hint = "correct these rows, or catch the case in the expression: coalesce(…, 0)"};
    return add_verify(maker, work, ident, &fill, false);
}

/* ---- the shared steps of a table ------------------------------------------------------------ */

static const char *fill_names(Arena *arena, const TableWork *work)
{
    Str str CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < work->fills.len; i++) {
        str_sep(&str, ", ");
        sql_add_ident(&str, work->fills.items[i].column);
    }
    return arena_dup(arena, str.buf);
}

void fills_join_columns(Arena *arena, Table *table, const FillColumn *fills, size_t count)
{
    Column *columns = arena_alloc(arena, (table->column_count + count + 1) * sizeof *columns);
    if (table->column_count > 0)
        memcpy(columns, table->columns, table->column_count * sizeof *columns);
    table->columns = columns;
    for (size_t i = 0; i < count; i++)
        if (table_column(table, fills[i].column) == NULL)
            columns[table->column_count++] = (Column){
                .name = fills[i].column, .type = fills[i].type, .exact_equality = fills[i].exact_equality};
}

/* The generated statements for display: with this change's part added to what stands there, and without. */
static void sync_show(Maker *maker, const TableWork *work, const char *const **ret_with,
                      size_t *ret_with_count, const char *const **ret_without, size_t *ret_without_count)
{
    const Server *server = maker->server;
    Table joined = *work->table;
    fills_join_columns(maker->arena, &joined, work->fills.items, work->fills.len);
    const Table *table = &joined;
    size_t others = table->sync_count;
    SyncColumn *all = arena_alloc(maker->arena, (others + work->fills.len) * sizeof *all);
    if (others > 0)
        memcpy(all, table->sync, others * sizeof *all);
    for (size_t i = 0; i < work->fills.len; i++)
        all[others + i] = work->fills.items[i].sync;
    sync_sql_pg(maker->arena, server, table, all, others + work->fills.len, server->search_path,
                server->search_path_count, ret_with, ret_with_count);
    Table after = *table;
    after.sync = all;
    after.sync_count = others + work->fills.len;
    sync_sql_pg(maker->arena, server, &after, all, others, server->search_path, server->search_path_count,
                ret_without, ret_without_count);
}

void fills_sync(Maker *maker, const TableWork *work, Step *step)
{
    step->sync = true;
    step->fills = work->fills.items;
    step->fill_count = work->fills.len;
    sync_show(maker, work, &step->sync_sql, &step->sync_sql_count, &step->sync_undo, &step->sync_undo_count);
}

void fills_unsync(Maker *maker, const TableWork *work, Step *step)
{
    const char *const *with = NULL;
    size_t with_count = 0;
    step->sync = true;
    sync_show(maker, work, &with, &with_count, &step->sync_sql, &step->sync_sql_count);
}

static void expand_write(Maker *maker, TableWork *work)
{
    Arena *arena = maker->arena;
    Step *step = &maker->steps[PHASE_EXPAND].items[work->expand_at];
    step->sql = work->expand_sql.items;
    step->sql_count = work->expand_sql.len;
    for (size_t i = work->expand_undo.len; i > 0; i--) /* what was made last goes first */
        step_add_undo(maker, step, work->expand_undo.items[i - 1]);
    step->title =
        work->expand_sql.len > 0
            ? arena_printf(arena, "add %s, nullable, with the sync trigger", fill_names(arena, work))
            : arena_printf(arena, "sync trigger for %s", fill_names(arena, work));
    fills_sync(maker, work, step);
}

void fills_add_self_set(Str *out, const Table *table, const FillColumn *fills, size_t count)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const Column *column = &table->columns[i];
        bool set = column->self_set;
        for (size_t k = 0; k < count && set; k++)
            set = !str_eq(fills[k].column, column->name);
        if (!set)
            continue;
        str_add(out, ", ");
        sql_add_ident(out, column->name);
        str_add(out, " = ");
        sql_add_ident(out, column->name);
    }
}

/* One statement as the backfill sends it, with an example of a range. */
static const char *backfill_sql(Maker *maker, const TableWork *work, const TableWork *leaf)
{
    Arena *arena = maker->arena;
    Str set CLEANUP(str_donep) = STR_INIT, where CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < work->fills.len; i++) {
        const FillColumn *fill = &work->fills.items[i];
        const char *ident = sql_ident(arena, fill->column);
        str_sep(&set, ", ");
        if (table_column(work->table, fill->column) != NULL && work->fills.len > 1)
            str_addf(&set, "%s = coalesce(%s, %s)", ident, ident, fill->expr);
        else
            str_addf(&set, "%s = %s", ident, fill->expr);
        str_sep(&where, " OR ");
        str_addf(&where, "%s IS NULL", ident);
    }
    fills_add_self_set(&set, leaf->table, work->fills.items, work->fills.len);
    const Index *key = table_key(leaf->table);
    const char *range = "ctid >= '(0,0)'::tid AND ctid < '(256,0)'::tid";
    if (maker->server->version_num < 140000 && key != NULL) {
        const char *columns = sql_ident_list(arena, key->columns, key->column_count);
        range = arena_printf(arena, "ROW(%s) >= $1 AND ROW(%s) < $2", columns, columns);
    }
    return arena_printf(arena, "UPDATE ONLY %s SET %s WHERE %s AND (%s)", leaf->sql, set.buf, range,
                        where.buf);
}

/* One table that holds rows of it. */
static void backfill_write(Maker *maker, TableWork *work, TableWork *leaf)
{
    Arena *arena = maker->arena;
    const Table *table = leaf->table;
    const char *names = fill_names(arena, work);
    Step *step = maker_step(maker, PHASE_BACKFILL, STEP_BACKFILL, leaf,
                            in_leaf(maker, work, leaf, arena_printf(arena, "fill %s in ranges", names)));
    leaf->touched = true;
    step_add_sql(maker, step, backfill_sql(maker, work, leaf));
    step->lock = "ROW EXCLUSIVE";
    step_add_lock(maker, step, table);
    step->scans = true;
    step->timeout = TIMEOUT_CHUNK;
    step->fills = work->fills.items;
    step->fill_count = work->fills.len;
    for (size_t i = 0; i < table->trigger_count && maker->server->may_quiet_triggers; i++)
        step->quiet_triggers =
            step->quiet_triggers || (table->triggers[i].fires_on_backfill && !table->triggers[i].stoa);
    Span span = estimate_backfill(table);
    step_estimate(step, span.low, span.high);
    step = maker_step(maker, PHASE_BACKFILL, STEP_VACUUM, leaf,
                      in_leaf(maker, work, leaf, "clean up after the backfill, gather statistics"));
    step_add_sql(maker, step,
                 arena_printf(arena, "VACUUM (ANALYZE%s) %s",
                              maker->server->version_num >= 120000 ? ", TRUNCATE false" : "", leaf->sql));
    step->lock = "SHARE UPDATE EXCLUSIVE";
    step_add_lock(maker, step, table);
    step->scans = true;
    step->timeout = TIMEOUT_WATCHDOG;
    span = estimate_vacuum(table);
    step_estimate(step, span.low, span.high);
}

/* Takes our part of the trigger out: with `complete` where an old application may depend on it, else as soon
 * as the rows are filled. */
void fills_contract(Maker *maker, TableWork *work)
{
    Arena *arena = maker->arena;
    Step *step = NULL;
    if (work->quiet) {
        step =
            maker_step(maker, PHASE_CONTRACT, STEP_QUIET, work,
                       arena_printf(arena, "no old application writes %s any more", fill_names(arena, work)));
        step->fills = work->fills.items;
        step->fill_count = work->fills.len;
        step->evidence = EVIDENCE_MEASURED;
    }
    if (work->fills.len == 0 && work->contract_sql.len == 0)
        return;
    bool early = !work->quiet && work->contract_sql.len == 0;
    const char *title = work->fills.len > 0
                            ? arena_printf(arena, "take %s out of the sync trigger", fill_names(arena, work))
                            : "change the default";
    step = maker_ddl(maker, early ? PHASE_CONSTRAIN : PHASE_CONTRACT, work, "ACCESS EXCLUSIVE", title, NULL,
                     NULL);
    step->sql = work->contract_sql.items;
    step->sql_count = work->contract_sql.len;
    for (size_t i = 0; work->swap != NULL && i < work->swap->lock_count; i++)
        if (!str_eq(work->swap->lock_on[i], work->sql))
            step_add_lock_mode(maker, step, work->swap->lock_on[i], work->swap->lock_modes[i]);
    if (work->fills.len > 0)
        fills_unsync(maker, work, step);
}

Err *column_finish(Maker *maker, TableWork *work)
{
    if (work->prepare.len > 0)
        maker_checks(maker, PHASE_PREPARE, work,
                     arena_printf(maker->arena, "compute %s for every row, change nothing",
                                  fill_names(maker->arena, work)),
                     work->prepare.items, work->prepare.len);
    TRY(reverse_write(maker, work));
    if (work->fills.len > 0) {
        expand_write(maker, work);
        size_t at = 0;
        for (TableWork *leaf; (leaf = work_next_leaf(maker, work, &at)) != NULL;)
            backfill_write(maker, work, leaf);
    }
    if (work->verify.len > 0)
        maker_checks(maker, PHASE_VERIFY, work,
                     arena_printf(maker->arena, "every row has its %s", fill_names(maker->arena, work)),
                     work->verify.items, work->verify.len);
    if (work->verify.len > 0 && work_is_tree(work))
        maker_newcomers(maker, work, work->verify.items, work->verify.len);
    fills_contract(maker, work);
    return NULL;
}
