/* A change of one table carried out in a shadow table: whether that can be done, and what the shadow's
 * columns are of the table's. */
#include "plan/shadow_pg.h"

#include "base/unit.h"

#include <string.h>

static const char in_place[] = "leave out --strategy shadow: it is done in the table itself then";

/* ---- names ---------------------------------------------------------------------------------- */

void plan_copy_names(Arena *arena, const Table *table, const char **ret_copy, const char **ret_old)
{
    *ret_copy = name_headed(arena, "stoa_new_", table->name);
    *ret_old = name_headed(arena, "stoa_old_", table->name);
}

/* ---- may it be done ------------------------------------------------------------------------- */

static Err *not_so(const char *what)
{
    return err_hint(err_new(ERR_UNSAFE, "%s is not done in a shadow table of PostgreSQL", what), "%s",
                    in_place);
}

static Err *one_table(Maker *maker, ShadowWork *shadow)
{
    const Change *change = maker->change;
    if (maker->input->options.versioned)
        return not_so("--versioned");
    if (change->reverse_count > 0)
        return not_so("a reverse (both applications at once)");
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *op = &change->operations[i];
        const Table *table = maker_table(maker, op->table, op->on_index);
        if (table->kind == RELATION_MISSING || op->kind == OPERATION_NATIVE)
            return not_so(arena_printf(maker->arena, "line %d: such a statement", op->line));
        TableWork *work = maker_work(maker, table);
        if (shadow->work != NULL && shadow->work != work)
            return not_so("a change of more than one table");
        shadow->work = work;
    }
    return shadow->work == NULL ? not_so("such a change") : NULL;
}

static Err *carried(const Maker *maker, const TableWork *work)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    const TableCopy *copy = work->table->copy;
    if (!work->table->may_own)
        return err_hint(
            err_new(ERR_PRIVILEGE, "role \"%s\" is not an owner of %s", maker->server->role, work->sql),
            "GRANT %s TO %s", sql_ident(maker->arena, work->table->owner),
            sql_ident(maker->arena, maker->server->role));
    if (copy == NULL)
        return not_so(arena_printf(maker->arena, "a change of a %s", relation_kind_name(work->table->kind)));
    for (size_t i = 0; i < copy->obstacle_count; i++)
        str_addf(&list, "%s%s", i > 0 ? "; " : "", copy->obstacles[i]);
    if (copy->obstacle_count == 0)
        return NULL;
    return err_hint(err_new(ERR_UNSAFE, "a shadow table of \"%s.%s\" could not take over all that it has: %s",
                            work->table->schema, work->table->name, list.buf),
                    "%s", in_place);
}

/* Rows are named by values that are equal only when their bytes are. */
static Err *usable_key(ShadowWork *shadow)
{
    const Table *table = shadow->work->table;
    const Index *key = table_key(table);
    bool usable = key != NULL;
    for (size_t i = 0; usable && i < key->column_count; i++) {
        const Column *column = table_column(table, key->columns[i]);
        usable = column != NULL && column->exact_equality && column->generated_sql == NULL;
    }
    if (!usable)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "\"%s.%s\" has no key by which rows of a shadow table could be named: a primary key, or "
                    "a unique index over NOT NULL columns, whose equal values have equal bytes",
                    table->schema, table->name),
            "%s", in_place);
    shadow->key = key;
    return NULL;
}

static Err *sees_snapshots(const Maker *maker)
{
    if (maker->server->may_read_stats || maker_accepts(maker, "old-snapshots"))
        return NULL;
    return err_hint(
        err_new(
            ERR_PRIVILEGE,
            "role \"%s\" may not see which sessions hold an old snapshot: they would miss rows behind the "
            "cutover",
            maker->server->role),
        "GRANT pg_read_all_stats TO %s; or accept it with --allow-old-snapshots",
        sql_ident(maker->arena, maker->server->role));
}

/* ---- values --------------------------------------------------------------------------------- */

/* With a cast to the type as INSERT would store it. A cast to varchar(n) cuts where storing raises, so it
 * goes to the type without its length. */
static Err *cast_to(Arena *arena, const char *column, const char *expr, const char *type,
                    const char **ret_sql)
{
    const char *canonical = type_canonical(arena, type);
    static const char varying[] = "character varying(";
    bool cuts = (str_starts(canonical, "character(") || str_starts(canonical, "bit") ||
                 strstr(canonical, varying) != NULL || strstr(canonical, "character(") != NULL);
    if (str_starts(canonical, varying) && strchr(canonical, '[') == NULL) {
        *ret_sql = arena_printf(arena, "(%s)::character varying", expr);
        return NULL;
    }
    if (cuts)
        return not_so(arena_printf(arena, "a value for column \"%s\" of type %s, to which a cast may cut it,",
                                   column, type));
    *ret_sql = arena_printf(arena, "(%s)::%s", expr, type);
    return NULL;
}

static Err *computed(Maker *maker, const ShadowWork *shadow, const char *column, const char *type,
                     const char **ret_sql)
{
    const PlanExpr *expr = NULL;
    TRY(maker_expr(maker, shadow->work->table, column, false, &expr));
    if (!expr->info.immutable)
        return not_so(arena_printf(
            maker->arena, "a value for column \"%s\" that is not the same each time it is computed", column));
    if (expr->forms.sub_select || expr->forms.whole_row)
        return not_so(arena_printf(
            maker->arena, "a value for column \"%s\" that reads whole rows or other tables", column));
    return cast_to(maker->arena, column, expr->forms.plain, type, ret_sql);
}

static ShadowWish *wish_of(ShadowWork *shadow, const char *column)
{
    for (size_t i = 0; i < shadow->wishes.len; i++)
        if (str_eq(shadow->wishes.items[i].name, column))
            return &shadow->wishes.items[i];
    return NULL;
}

static void alter(Maker *maker, ShadowWork *shadow, const char *column, const char *action)
{
    *vec_push(maker->arena, &shadow->alters) =
        arena_printf(maker->arena, "ALTER TABLE %s ALTER COLUMN %s %s", shadow->shadow.sql,
                     sql_ident(maker->arena, column), action);
}

/* From 18 on NOT NULL has a name, which is to be the one that the table itself would give it. */
static void set_not_null(Maker *maker, ShadowWork *shadow, const char *column)
{
    Arena *arena = maker->arena;
    if (maker->server->version_num < 180000) {
        alter(maker, shadow, column, "SET NOT NULL");
        return;
    }
    const char *name = name_free(maker, shadow->work, column, "not_null");
    *vec_push(arena, &shadow->alters) =
        arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s NOT NULL %s", shadow->shadow.sql,
                     sql_ident(arena, name), sql_ident(arena, column));
}

/* ---- operations ----------------------------------------------------------------------------- */

static bool has_backfill(const Maker *maker, const ShadowWork *shadow, const char *column)
{
    for (size_t i = 0; i < maker->change->backfill_count; i++) {
        const BackfillSpec *fill = &maker->change->backfills[i];
        if (str_eq(fill->column, column) &&
            maker_work(maker, maker_table(maker, fill->table, false)) == shadow->work)
            return true;
    }
    return false;
}

/* The application as it is writes to the new table from the cutover on, and knows nothing of the column: the
 * trigger fills it until complete, and its default comes then. */
static Err *ask_fill(Maker *maker, const ColumnSpec *spec, ShadowWork *shadow, const char **ret_expr)
{
    const PlanExpr *expr = NULL;
    TableWork *work = shadow->work;
    for (size_t i = 0; i < shadow->copy->membership_count; i++)
        if (str_starts(shadow->copy->memberships[i].name, "publication "))
            return err_hint(err_new(ERR_UNSAFE,
                                    "subscribers of %s would not get the values of \"%s\" in rows that are "
                                    "there already: what is written to a shadow table is published nowhere",
                                    shadow->copy->memberships[i].name, spec->name),
                            "%s", in_place);
    TRY(computed(maker, shadow, spec->name, spec->type_sql, ret_expr));
    TRY(maker_expr(maker, work->table, spec->name, false, &expr));
    *vec_push(maker->arena, &work->fills) = column_fill(maker, work, spec, spec->type_sql, expr);
    work->quiet = true;
    if (spec->default_sql != NULL)
        *vec_push(maker->arena, &work->contract_sql) =
            arena_printf(maker->arena, "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s", work->sql,
                         sql_ident(maker->arena, spec->name), spec->default_sql);
    return NULL;
}

static Err *ask_add(Maker *maker, const Operation *op, ShadowWork *shadow)
{
    Arena *arena = maker->arena;
    const ColumnSpec *spec = op->add;
    const char *more = spec->serial                  ? "a serial column"
                       : spec->identity != 0         ? "an identity column"
                       : spec->generated_sql != NULL ? "a generated column"
                       : spec->constraint_count > 0  ? "a constraint written at a new column"
                                                     : NULL;
    if (more != NULL)
        return not_so(more);
    if (wish_of(shadow, spec->name) != NULL)
        return not_so(arena_printf(arena, "column \"%s\", which is there already,", spec->name));
    ShadowWish wish = {
        .name = spec->name, .type = spec->type_sql, .expr = arena_printf(arena, "NULL::%s", spec->type_sql)};
    wish.computed = has_backfill(maker, shadow, spec->name) || spec->default_sql != NULL;
    if (has_backfill(maker, shadow, spec->name))
        TRY(ask_fill(maker, spec, shadow, &wish.expr));
    else if (spec->default_sql != NULL && !spec->default_constant)
        return not_so(
            arena_printf(arena, "a default of column \"%s\" that is computed for each row", spec->name));
    else if (spec->default_sql != NULL)
        TRY(cast_to(arena, spec->name, spec->default_sql, spec->type_sql, &wish.expr));
    *vec_push(arena, &shadow->wishes) = wish;
    Wish added = {.op = op, .spec = *spec, .ident = sql_ident(arena, spec->name), .type = spec->type_sql};
    *vec_push(arena, &shadow->alters) = column_add_sql(arena, &shadow->shadow, &added, spec->type_sql);
    if (spec->default_sql != NULL && !has_backfill(maker, shadow, spec->name))
        alter(maker, shadow, spec->name, arena_printf(arena, "SET DEFAULT %s", spec->default_sql));
    if (spec->not_null)
        set_not_null(maker, shadow, spec->name);
    *vec_push(arena, &shadow->work->added) = spec->name;
    *vec_push(arena, &shadow->work->new_defs) =
        column_far(arena, &added, has_backfill(maker, shadow, spec->name));
    *vec_push(arena, &shadow->words) = arena_printf(arena, "column %s", added.ident);
    return NULL;
}

static bool in_key(const ShadowWork *shadow, const char *column)
{
    for (size_t i = 0; i < shadow->key->column_count; i++)
        if (str_eq(shadow->key->columns[i], column))
            return true;
    return false;
}

/* The default that the column has afterwards comes back behind the new type, to which it may not be cast. */
static void retype(Maker *maker, const Operation *op, ShadowWork *shadow, const Column *old)
{
    Arena *arena = maker->arena;
    if (old->default_sql != NULL)
        alter(maker, shadow, old->name, "DROP DEFAULT");
    alter(maker, shadow, old->name,
          arena_printf(arena, "TYPE %s%s%s USING NULL::%s", op->type_sql,
                       op->collation_sql != NULL ? " COLLATE " : "",
                       op->collation_sql != NULL ? op->collation_sql : "", op->type_sql));
    if (old->default_sql != NULL)
        alter(maker, shadow, old->name, arena_printf(arena, "SET DEFAULT %s", old->default_sql));
}

/* Values of the key under the new type are equal to those of the old one, and to no others. */
static bool names_same_rows(Arena *arena, const Operation *op, const Column *old)
{
    static const char *const integers[] = {"smallint", "integer", "bigint"};
    bool from = false, to = false;
    for (size_t i = 0; i < ARRAY_LEN(integers); i++) {
        from = from || str_eq(type_canonical(arena, old->type), integers[i]);
        to = to || str_eq(type_canonical(arena, op->type_sql), integers[i]);
    }
    if (op->using_sql != NULL || op->collation_sql != NULL)
        return false;
    return type_widens(arena, old->type, op->type_sql) ||
           (from && to && type_injective(arena, old->type, op->type_sql));
}

/* What uses it was made for its type; ALTER TABLE refuses that as well. */
static Err *not_used(const CopyMember *parts, size_t count, const char *column)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < parts[i].columns.count; k++)
            if (str_eq(parts[i].columns.items[k], column))
                return err_hint(err_new(ERR_UNSAFE, "column \"%s\" is used by %s", column, parts[i].name),
                                "drop that first, and make it anew behind the change");
    return NULL;
}

static Err *ask_type(Maker *maker, const Operation *op, ShadowWork *shadow)
{
    Arena *arena = maker->arena;
    ShadowWish *wish = wish_of(shadow, op->column);
    TRY(maker_needs_column(maker, shadow->work->table, op->column));
    if (wish == NULL || wish->old == NULL || wish->old->generated_sql != NULL)
        return not_so(arena_printf(arena, "another type of column \"%s\"", op->column));
    const Column *old = wish->old;
    TRY(not_used(shadow->copy->parts, shadow->copy->part_count, op->column));
    TRY(not_used(shadow->copy->memberships, shadow->copy->membership_count, op->column));
    for (size_t i = 0; i < shadow->copy->key_count && !names_same_rows(arena, op, old); i++)
        TRY(not_used(&shadow->copy->keys[i].member, 1, op->column));
    if (in_key(shadow, op->column) && !names_same_rows(arena, op, old))
        return not_so(arena_printf(arena, "another value of key column \"%s\"", op->column));
    TRY(computed(maker, shadow, op->column, op->type_sql, &wish->expr));
    wish->computed = true;
    wish->type = op->type_sql;
    if (op->using_sql != NULL || !type_injective(arena, old->type, op->type_sql))
        maker_no_revert(maker, arena_printf(arena, "nothing tells how \"%s\" is converted back", op->column));
    else
        TRY(cast_to(arena, op->column, arena_printf(arena, "s.%s", sql_ident(arena, op->column)), old->type,
                    &wish->expr_back));
    retype(maker, op, shadow, old);
    *vec_push(arena, &shadow->words) =
        arena_printf(arena, "%s as %s", sql_ident(arena, op->column), op->type_sql);
    return NULL;
}

static Err *ask_one(Maker *maker, const Operation *op, ShadowWork *shadow)
{
    Arena *arena = maker->arena;
    if (op->kind == OPERATION_ADD_COLUMN)
        return ask_add(maker, op, shadow);
    if (op->kind == OPERATION_CHANGE_TYPE)
        return ask_type(maker, op, shadow);
    if (op->kind == OPERATION_ADD_CONSTRAINT && op->constraint->kind == CONSTRAINT_CHECK &&
        !op->constraint->not_valid) {
        const char *name = sql_ident(arena, constraint_name(maker, shadow->work, op->constraint, NULL));
        *vec_push(arena, &shadow->alters) =
            arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s", shadow->shadow.sql, name,
                         op->constraint->definition_sql);
        *vec_push(arena, &shadow->words) = arena_printf(arena, "check %s", name);
        return NULL;
    }
    bool of_column = op->kind == OPERATION_SET_NOT_NULL || op->kind == OPERATION_DROP_NOT_NULL ||
                     op->kind == OPERATION_SET_DEFAULT || op->kind == OPERATION_DROP_DEFAULT;
    if (!of_column)
        return not_so(arena_printf(arena, "line %d: such a statement", op->line));
    ShadowWish *wish = wish_of(shadow, op->column);
    if (wish == NULL)
        return err_new(ERR_USAGE, "table \"%s\" has no column \"%s\"", shadow->work->table->name, op->column);
    if (op->kind == OPERATION_SET_NOT_NULL && (wish->old == NULL || !wish->old->not_null))
        set_not_null(maker, shadow, op->column);
    if (op->kind == OPERATION_DROP_NOT_NULL) {
        alter(maker, shadow, op->column, "DROP NOT NULL");
        maker_no_revert(maker, "the table as it was cannot hold NULLs that may be written by then");
    }
    if (op->kind == OPERATION_SET_DEFAULT)
        alter(maker, shadow, op->column, arena_printf(arena, "SET DEFAULT %s", op->default_sql));
    if (op->kind == OPERATION_DROP_DEFAULT)
        alter(maker, shadow, op->column, "DROP DEFAULT");
    *vec_push(arena, &shadow->words) = sql_ident(arena, op->column);
    return NULL;
}

/* The columns as they are. */
static void wishes_begin(Maker *maker, ShadowWork *shadow)
{
    const Table *table = shadow->work->table;
    for (size_t i = 0; i < table->column_count; i++) {
        const Column *column = &table->columns[i];
        *vec_push(maker->arena, &shadow->wishes) =
            (ShadowWish){.old = column,
                         .name = column->name,
                         .type = column->type,
                         .expr = arena_printf(maker->arena, "s.%s", sql_ident(maker->arena, column->name))};
    }
}

Err *shadow_ask(Maker *maker, ShadowWork *shadow)
{
    const Change *change = maker->change;
    wishes_begin(maker, shadow);
    for (size_t i = 0; i < change->operation_count; i++)
        TRY(ask_one(maker, &change->operations[i], shadow));
    for (size_t i = 0; i < change->backfill_count; i++) {
        const ShadowWish *wish = wish_of(shadow, change->backfills[i].column);
        if (wish == NULL || wish->old != NULL)
            return not_so("a backfill of a column that is there already");
    }
    return NULL;
}

/* A name beside the table's. */
static TableWork work_as(Maker *maker, const TableWork *work, const char *name)
{
    Table *table = arena_alloc(maker->arena, sizeof *table);
    *table = *work->table;
    table->name = name;
    return (TableWork){.table = table, .sql = sql_name(maker->arena, table->schema, name)};
}

static void snapshot_risk(Maker *maker, const ShadowWork *shadow)
{
    bool allowed = maker_accepts(maker, "old-snapshots");
    maker_risk(
        maker, allowed ? "old-snapshots" : "snapshots", allowed ? "--allow-old-snapshots" : NULL,
        arena_printf(maker->arena,
                     allowed
                         ? "a transaction whose snapshot is older than the last row of the shadow sees %s "
                           "without rows behind the cutover"
                         : "the cutover waits for transactions whose snapshot is older than the last row of "
                           "the shadow, since they would see %s without rows; --allow-old-snapshots does not "
                           "wait",
                     shadow->work->sql),
        NULL);
}

static void room_risk(Maker *maker, const ShadowWork *shadow)
{
    char text[UNIT_TEXT_BYTES];
    maker_risk(maker, "room", NULL,
               arena_printf(maker->arena,
                            "the copy of %s takes about %s of disk until complete; it is not begun where the "
                            "server's disk can be seen and has less",
                            shadow->work->sql, unit_size_text(shadow->work->table->total_bytes, text)),
               NULL);
}

Err *shadow_write_pg(Maker *maker)
{
    ShadowWork shadow = {0};
    TRY(one_table(maker, &shadow));
    TRY(carried(maker, shadow.work));
    TRY(usable_key(&shadow));
    TRY(sees_snapshots(maker));
    shadow.copy = shadow.work->table->copy;
    shadow.shadow = work_as(maker, shadow.work, shadow.copy->copy);
    shadow.old = work_as(maker, shadow.work, shadow.copy->old);
    shadow.work->touched = true;
    TRY(shadow_ask(maker, &shadow));
    shadow_steps(maker, &shadow);
    snapshot_risk(maker, &shadow);
    room_risk(maker, &shadow);
    return NULL;
}
