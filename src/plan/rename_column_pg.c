/* RENAME COLUMN with both names usable until `complete`: a column of the new name is kept in step with the
 * old one, both ways. `complete` drops it and renames the old one, in one short transaction: so all that
 * hangs on the column, and its place, stay as they are. */
#include "plan/maker.h"

#include <string.h>

static const char *rename_sql(Arena *arena, const TableWork *work, const char *from, const char *to)
{
    return arena_printf(arena, "ALTER TABLE %s RENAME COLUMN %s TO %s", work->sql, sql_ident(arena, from),
                        sql_ident(arena, to));
}

/* Nobody uses the old name: a table without rows, or somebody says so. */
static Err *rename_at_once(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    if (!work->table->empty)
        maker_risk(
            maker, "rename", "--accept-rename",
            arena_printf(arena,
                         "%s of %s gets its new name at once: statements that use the old one fail from "
                         "then on",
                         sql_ident(arena, op->column), work->sql),
            NULL);
    maker_ddl(
        maker, PHASE_EXPAND, work, "ACCESS EXCLUSIVE",
        arena_printf(arena, "rename %s to %s", sql_ident(arena, op->column), sql_ident(arena, op->new_name)),
        rename_sql(arena, work, op->column, op->new_name), rename_sql(arena, work, op->new_name, op->column));
    return NULL;
}

/* What follows what: the new column the old one, and the old one whoever writes the new name. */
static void both_ways(Maker *maker, TableWork *work, const Operation *op, const Column *old)
{
    Arena *arena = maker->arena;
    FillColumn *fill = &work->fills.items[work->fills.len - 1];
    const char **sources = arena_alloc(arena, sizeof *sources);
    SyncBack *back = arena_alloc(arena, sizeof *back);
    sources[0] = op->new_name;
    /* a NULL that the column may not hold is the server's to refuse */
    *back = (SyncBack){.column = old->name,
                       .expr = arena_printf(arena, "new.%s", sql_ident(arena, op->new_name)),
                       .sources = sources,
                       .source_count = 1,
                       .null_ok = true,
                       .wins = true};
    fill->sync.back = back;
    fill->sync.back_count = 1;
    fill->sync.null_ok = true;
    maker->derives_revert = true;
}

/* One of a partitioned table; its parts come with it. */
static Err *index_of_tree(Maker *maker, TableWork *work, const Operation *op, const char *name,
                          bool is_unique, const char *const *columns, size_t count, const char *definition)
{
    const char **named = arena_alloc(maker->arena, (count + 1) * sizeof *named);
    for (size_t i = 0; i < count; i++)
        named[i] = str_eq(columns[i], op->column) ? op->new_name : columns[i];
    const IndexSpec spec = {
        .unique = is_unique, .columns = named, .column_count = count, .definition_sql = definition};
    return index_tree(maker, work, &spec, name, op->new_name);
}

/* An index that a partition has for itself, where it is over the column. */
static Err *index_of_part(Maker *maker, TableWork *part, const Operation *op, const Index *index)
{
    Arena *arena = maker->arena;
    const ColumnNames names = {
        .table = part->table->name, .from = &op->column, .to = &op->new_name, .count = 1};
    const ColumnNames same = {.table = part->table->name};
    const char *definition = NULL, *as_it_is = NULL, *name = name_hidden(arena, index->name);
    if (index->parent != NULL || !index->valid)
        return NULL;
    TRY(redefine_index_pg(arena, index->definition, &same, NULL, &as_it_is));
    TRY(redefine_index_pg(arena, index->definition, &names, NULL, &definition));
    if (str_eq(definition, as_it_is))
        return NULL;
    if (part->table->kind == RELATION_PARTITIONED)
        return index_of_tree(maker, part, op, name, index->unique, index->columns, index->column_count,
                             definition);
    index_build(maker, part, name, index->unique, definition);
    return NULL;
}

/* So that statements under the new name are as fast, and may say ON CONFLICT. They go with the column. */
static Err *indexes_write(Maker *maker, TableWork *work, const Operation *op, const ColumnParts *parts)
{
    Arena *arena = maker->arena;
    const ColumnNames names = {
        .table = work->table->name, .from = &op->column, .to = &op->new_name, .count = 1};
    size_t at = 1;
    for (TableWork *part; (part = work_next_part(maker, work, &at)) != NULL;)
        for (size_t i = 0; i < part->table->index_count; i++)
            TRY(index_of_part(maker, part, op, &part->table->indexes[i]));
    for (size_t i = 0; i < parts->count; i++) {
        const ColumnPart *one = &parts->items[i];
        const char *definition = NULL;
        if (one->kind != PART_INDEX || !one->validated)
            continue;
        TRY(redefine_index_pg(arena, one->definition, &names, one->tablespace, &definition));
        if (work->table->kind == RELATION_PARTITIONED)
            TRY(index_of_tree(maker, work, op, name_hidden(arena, one->name), one->is_unique, one->columns,
                              one->column_count, definition));
        else
            index_build(maker, work, name_hidden(arena, one->name), one->is_unique, definition);
    }
    return NULL;
}

static PlanExpr *expr_of(Maker *maker, const Operation *op)
{
    Arena *arena = maker->arena;
    PlanExpr *expr = arena_alloc(arena, sizeof *expr);
    const char *ident = sql_ident(arena, op->column);
    *expr = (PlanExpr){.table = op->table,
                       .column = op->column,
                       .forms = {.plain = ident,
                                 .trigger = arena_printf(arena, "new.%s", ident),
                                 .sources = &op->column,
                                 .source_count = 1},
                       .info = {.immutable = true, .stable = true}};
    return expr;
}

static Err *rename_beside(Maker *maker, const Operation *op, TableWork *work, const Column *old,
                          const ColumnParts *parts)
{
    Arena *arena = maker->arena;
    ColumnSpec spec = {.name = op->new_name,
                       .type_sql = old->type,
                       .collation_sql = old->collation,
                       .not_null = old->not_null};
    Wish wish = {.op = op, .spec = spec, .ident = sql_ident(arena, op->new_name), .type = old->type};
    *vec_push(arena, &work->added) = op->new_name;
    *vec_push(arena, &work->new_defs) = arena_printf(arena, "%s %s", wish.ident, wish.type);
    TRY(column_twin(maker, work, &wish, expr_of(maker, op)));
    work->prepare.len = work->prepare.len > 0 ? work->prepare.len - 1 : 0; /* a copy can always be computed */
    both_ways(maker, work, op, old);
    for (size_t i = 0; i < parts->column_sql_count; i++)
        *vec_push(arena, &work->expand_sql) = parts->column_sql[i];
    for (size_t i = 0; i < parts->storage_sql_count; i++)
        *vec_push(arena, &work->expand_sql) = parts->storage_sql[i];
    TRY(indexes_write(maker, work, op, parts));
    *vec_push(arena, &work->contract_sql) =
        arena_printf(arena, "ALTER TABLE %s DROP COLUMN %s", work->sql, wish.ident);
    *vec_push(arena, &work->contract_sql) = rename_sql(arena, work, op->column, op->new_name);
    maker_evidence(maker, work, op->column, true);
    return NULL;
}

Err *rename_column(Maker *maker, const Operation *op, TableWork *work)
{
    const Table *table = work->table;
    const Column *old = table_column(table, op->column);
    if (old == NULL)
        return err_new(ERR_USAGE, "table \"%s.%s\" has no column \"%s\"", table->schema, table->name,
                       op->column);
    if (table_column(table, op->new_name) != NULL || maker_adds(maker, table, op->new_name) != NULL)
        return err_new(ERR_USAGE, "table \"%s.%s\" has a column \"%s\" already", table->schema, table->name,
                       op->new_name);
    TRY(column_alone(maker, op, work));
    if (table->empty || maker_accepts(maker, "rename"))
        return rename_at_once(maker, op, work);
    if (old->generated_sql != NULL)
        return err_hint(err_new(ERR_UNSAFE,
                                "column \"%s\" is generated: no value can be written under another name",
                                op->column),
                        "rename it at once, where nobody uses the old name: --accept-rename");
    TRY(partition_key_check(work, op->column,
                            "the trigger that keeps two names of it in step may not move a row",
                            "rename it at once: --accept-rename; applications must know the new name then"));
    const ColumnParts *parts = column_parts_find(table, op->column);
    if (parts == NULL)
        return err_new(ERR_BUG, "what hangs on \"%s.%s\" was not looked at", table->name, op->column);
    return rename_beside(maker, op, work, old, parts);
}
