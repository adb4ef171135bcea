/* ALTER COLUMN TYPE at once: types that hold the same bytes, and tables without rows. What hangs on the
 * column makes it dear all the same, unless it is taken away and made again around it in the same short
 * transaction. */
#include "plan/maker.h"

#include <string.h>

/* An index over an expression or with a predicate is built anew under the lock. */
static bool is_dear(const TableWork *work, const ColumnParts *column_parts)
{
    for (size_t i = 0; i < column_parts->count; i++) {
        const ColumnPart *one = &column_parts->items[i];
        bool index = one->kind == PART_INDEX && one->expression;
        bool statistics = one->kind == PART_STATISTICS && strchr(one->definition, '(') != NULL &&
                          strstr(one->definition, " ON (") != NULL;
        if ((index || statistics) && !work->table->empty)
            return true;
    }
    return false;
}

static bool is_constraint(const ColumnPart *one)
{
    return one->kind == PART_CHECK || one->kind == PART_FOREIGN_KEY || one->kind == PART_REFERENCE;
}

static const char *table_of(Maker *maker, const ColumnPart *one)
{
    return sql_name(maker->arena, one->table_schema, one->table_name);
}

static void drop_constraints(Maker *maker, Step *step, const TableWork *work, const ColumnParts *column_parts)
{
    Arena *arena = maker->arena;
    for (size_t i = 0; i < column_parts->count; i++) {
        const ColumnPart *one = &column_parts->items[i];
        if (!is_constraint(one))
            continue;
        const char *table = table_of(maker, one);
        const char *far = one->ref_table != NULL ? sql_name(arena, one->ref_schema, one->ref_table) : table;
        if (!str_eq(table, work->sql))
            step_add_lock_mode(maker, step, table, "ACCESS EXCLUSIVE");
        if (!str_eq(far, work->sql) && !str_eq(far, table))
            step_add_lock_mode(maker, step, far, "ACCESS EXCLUSIVE");
        step_add_sql(
            maker, step,
            arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT %s", table, sql_ident(arena, one->name)));
    }
}

static bool ends_not_valid(const char *definition)
{
    static const char tail[] = " NOT VALID";
    size_t len = strlen(definition);
    return len >= strlen(tail) && str_eq(definition + len - strlen(tail), tail);
}

/* Bound to new rows again in the same transaction; old ones satisfied it before and still do. */
static void add_constraints(Maker *maker, Step *step, const ColumnParts *column_parts)
{
    Arena *arena = maker->arena;
    for (size_t i = 0; i < column_parts->count; i++) {
        const ColumnPart *one = &column_parts->items[i];
        if (!is_constraint(one))
            continue;
        step_add_sql(maker, step,
                     arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s%s", table_of(maker, one),
                                  sql_ident(arena, one->name), one->definition,
                                  ends_not_valid(one->definition) ? "" : " NOT VALID"));
        for (size_t j = 0; j < one->make_count; j++)
            step_add_sql(maker, step, one->make_sql[j]);
    }
}

static TableWork *work_of(Maker *maker, TableWork *own, const ColumnPart *one)
{
    if (str_eq(one->table_schema, own->table->schema) && str_eq(one->table_name, own->table->name))
        return own;
    Table *table = arena_alloc(maker->arena, sizeof *table);
    *table = (Table){.schema = one->table_schema, .name = one->table_name, .owner = own->table->owner};
    TableWork *work = arena_alloc(maker->arena, sizeof *work);
    *work = (TableWork){.table = table, .sql = table_of(maker, one)};
    return work;
}

static void validate_again(Maker *maker, TableWork *work, const ColumnParts *column_parts)
{
    for (size_t i = 0; i < column_parts->count; i++) {
        const ColumnPart *one = &column_parts->items[i];
        if (!is_constraint(one) || !one->validated)
            continue;
        const Table far = {.schema = one->ref_schema, .name = one->ref_table};
        maker_validate(maker, work_of(maker, work, one), one->name, one->ref_table != NULL ? &far : NULL);
    }
}

/* SET and DROP DEFAULT of the same change. */
static void set_default(Maker *maker, Step *step, const TableWork *work, const Operation *op)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *other = &maker->change->operations[i];
        bool of_default = other->kind == OPERATION_SET_DEFAULT || other->kind == OPERATION_DROP_DEFAULT;
        if (of_default && str_eq(other->column, op->column) &&
            maker_work(maker, maker_table(maker, other->table, false)) == work)
            step_add_sql(maker, step, other->sql);
    }
}

Err *widen_write(Maker *maker, const Operation *op, TableWork *work, const ColumnParts *column_parts,
                 bool *ret_done)
{
    Arena *arena = maker->arena;
    const char *ident = sql_ident(arena, op->column);
    const ColumnPart *const *items = NULL;
    size_t count = 0;
    *ret_done = !is_dear(work, column_parts);
    if (!*ret_done)
        return NULL;
    TableWork alone = {.table = work->table};
    column_parts_all(maker, &alone, column_parts, &items, &count);
    Step *step = maker_ddl(maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE",
                           arena_printf(arena, "give %s type %s", ident, op->type_sql), NULL, NULL);
    text_drop_sql(maker, step, work, items, count);
    drop_constraints(maker, step, work, column_parts);
    step_add_sql(maker, step,
                 arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s TYPE %s%s%s%s%s", work->sql, ident,
                              op->type_sql, op->collation_sql != NULL ? " COLLATE " : "",
                              op->collation_sql != NULL ? op->collation_sql : "",
                              op->using_sql != NULL ? " USING " : "",
                              op->using_sql != NULL ? op->using_sql : ""));
    set_default(maker, step, work, op);
    add_constraints(maker, step, column_parts);
    text_make_sql(maker, step, work, items, count);
    step->rewrites = step->scans = work->table->empty;
    if (!work->table->empty)
        maker_risk(
            maker, "widened", NULL,
            arena_printf(arena,
                         "%s of %s gets type %s at once, without looking at a row; an abort later does not "
                         "take the wider type back",
                         ident, work->sql, op->type_sql),
            NULL);
    maker_no_revert(maker, "a column was widened at once: to make it narrower again is a change of its own");
    validate_again(maker, work, column_parts);
    return NULL;
}
