/* ALTER COLUMN TYPE that needs other bytes in every row: a new column is kept in step with the old one, and
 * takes its name when all is ready. Here: which columns these are, what follows from the catalog, and the new
 * column itself. */
#include "plan/maker.h"

#include <string.h>

/* ---- before anything is planned ------------------------------------------------------------- */

/* The name under which the new column stands beside the old one. */
static const char *twin_name(Arena *arena, const Table *table, const char *column)
{
    const char *name = name_hidden(arena, column);
    for (int pass = 1; table_column(table, name) != NULL; pass++)
        name = name_hidden(arena, arena_printf(arena, "%d_%s", pass, column));
    return name;
}

static bool retypes(const Operation *op) { return op->kind == OPERATION_CHANGE_TYPE; }

static bool name_same(Name a, Name b) { return str_eq(a.name, b.name) && str_eq(a.schema, b.schema); }

static const Table *loaded(const WantedName *names, const Table *tables, size_t count, Name name)
{
    for (size_t i = 0; i < count; i++)
        if (!names[i].index && name_same(names[i].name, name))
            return &tables[i];
    return NULL;
}

void plan_wanted_column_parts(Arena *arena, const Change *change, const WantedName *names,
                              const Table *tables, size_t count, size_t at, const char *const **ret_columns,
                              const char *const **ret_twins, size_t *ret_count)
{
    Texts columns = {0}, twins = {0};
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *op = &change->operations[i];
        bool wanted = retypes(op) || op->kind == OPERATION_RENAME_COLUMN;
        const Table *table = wanted ? loaded(names, tables, count, op->table) : NULL;
        bool same = table != NULL && table->id != 0 && table->id == tables[at].id;
        bool known = false;
        for (size_t j = 0; j < columns.len; j++)
            known = known || str_eq(columns.items[j], op->column);
        if (!same || known || table_column(table, op->column) == NULL)
            continue;
        *vec_push(arena, &columns) = op->column;
        *vec_push(arena, &twins) = retypes(op) ? twin_name(arena, table, op->column) : op->new_name;
    }
    *ret_columns = columns.items;
    *ret_twins = twins.items;
    *ret_count = columns.len;
}

const ColumnParts *column_parts_find(const Table *table, const char *column)
{
    for (size_t i = 0; i < table->column_parts_count; i++)
        if (str_eq(table->column_parts[i].column, column))
            return &table->column_parts[i];
    return NULL;
}

typedef VEC(Operation) Operations;

/* The column of the foreign key that refers to `column`. */
static const char *referring_column(const ColumnPart *reference, const char *column)
{
    for (size_t i = 0; i < reference->ref_column_count && i < reference->column_count; i++)
        if (str_eq(reference->ref_columns[i], column))
            return reference->columns[i];
    return NULL;
}

static bool has_operation(const Operations *operations, const WantedName *names, const Table *tables,
                          size_t count, const ColumnPart *reference, const char *column)
{
    for (size_t i = 0; i < operations->len; i++) {
        const Operation *op = &operations->items[i];
        if (!retypes(op) || !str_eq(op->column, column))
            continue;
        const Table *table = loaded(names, tables, count, op->table);
        Name name = table != NULL && table->schema != NULL ? (Name){table->schema, table->name} : op->table;
        if (name_same(name, (Name){reference->table_schema, reference->table_name}))
            return true;
    }
    return false;
}

static void grow_by(Arena *arena, Operations *operations, const Operation *cause, const ColumnPart *reference,
                    const char *column)
{
    Operation op = {.kind = OPERATION_CHANGE_TYPE,
                    .table = {reference->table_schema, reference->table_name},
                    .column = column,
                    .type_sql = cause->type_sql,
                    .collation_sql = cause->collation_sql,
                    .line = cause->line};
    op.sql =
        arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s TYPE %s",
                     sql_name(arena, op.table.schema, op.table.name), sql_ident(arena, column), op.type_sql);
    *vec_push(arena, operations) = op;
}

bool plan_grow(Arena *arena, const Change *change, const WantedName *names, const Table *tables, size_t count,
               Change *ret_change)
{
    Operations operations = {0};
    for (size_t i = 0; i < change->operation_count; i++)
        *vec_push(arena, &operations) = change->operations[i];
    for (size_t i = 0; i < operations.len; i++) {
        const Operation op = operations.items[i];
        const Table *table = retypes(&op) ? loaded(names, tables, count, op.table) : NULL;
        const Column *old = table != NULL ? table_column(table, op.column) : NULL;
        const ColumnParts *column_parts = old != NULL ? column_parts_find(table, op.column) : NULL;
        if (column_parts == NULL || type_widens(arena, old->type, op.type_sql))
            continue;
        for (size_t j = 0; j < column_parts->count; j++) {
            const ColumnPart *reference = &column_parts->items[j];
            const char *column =
                reference->kind == PART_REFERENCE ? referring_column(reference, op.column) : NULL;
            if (column != NULL && !has_operation(&operations, names, tables, count, reference, column))
                grow_by(arena, &operations, &op, reference, column);
        }
    }
    if (operations.len == change->operation_count)
        return false;
    *ret_change = *change;
    ret_change->operations = operations.items;
    ret_change->operation_count = operations.len;
    return true;
}

/* ---- may it be done ------------------------------------------------------------------------- */

Err *column_parts_check(Maker *maker, const TableWork *work, const char *column,
                        const ColumnParts *column_parts)
{
    Arena *arena = maker->arena;
    for (size_t i = 0; i < column_parts->count; i++) {
        const ColumnPart *one = &column_parts->items[i];
        if (one->kind == PART_OTHER)
            return err_hint(err_new(ERR_UNSAFE,
                                    "%s depends on column \"%s\" of \"%s.%s\" and cannot be carried over",
                                    one->name, column, work->table->schema, work->table->name),
                            "take it away first, and make it again when the change is ready");
        if (one->kind == PART_VIEW && !one->validated)
            return err_hint(err_new(ERR_PRIVILEGE, "view %s reads column \"%s\" and belongs to role \"%s\"",
                                    sql_name(arena, one->schema, one->name), column, one->owner),
                            "GRANT %s TO %s", sql_ident(arena, one->owner),
                            sql_ident(arena, maker->server->role));
    }
    return NULL;
}

/* Whether another operation of the change works on the column, too: in which order, nobody could say. */
Err *column_alone(const Maker *maker, const Operation *op, const TableWork *work)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *other = &maker->change->operations[i];
        const Table *table = other == op ? NULL : maker_table(maker, other->table, false);
        bool same = table != NULL && table->kind != RELATION_MISSING && maker_work(maker, table) == work &&
                    str_eq(other->column, op->column);
        bool of_default = other->kind == OPERATION_SET_DEFAULT || other->kind == OPERATION_DROP_DEFAULT;
        if (same && !of_default)
            return err_hint(err_new(ERR_UNSAFE, "line %d: column \"%s\" changes its type in the same change",
                                    other->line, op->column),
                            "one after the other, each in a change of its own");
    }
    return NULL;
}

/* The value would depend on the time zone of whoever writes it. */
static Err *zone_check(const Twin *twin, const TableWork *work)
{
    const char *from = twin->old->type, *to = twin->type;
    bool zone_from = strstr(from, "with time zone") != NULL, zone_to = strstr(to, "with time zone") != NULL;
    bool times = str_starts(from, "timestamp") && str_starts(to, "timestamp");
    if (!times || !twin->plain || zone_from == zone_to)
        return NULL;
    return err_hint(err_new(ERR_UNSAFE,
                            "from %s to %s each session would convert \"%s.%s\" by its own time zone", from,
                            to, work->table->name, twin->old->name),
                    "say which one it is: USING %s AT TIME ZONE 'UTC'", twin->old->name);
}

/* The cast, as it stands or written as USING. */
static bool is_plain(Arena *arena, const Operation *op, const Column *old)
{
    if (op->using_sql == NULL)
        return true;
    const char *ident = sql_ident(arena, old->name);
    return definition_like(arena, op->using_sql, ident) ||
           str_eq(op->using_sql, arena_printf(arena, "%s::%s", ident, op->type_sql));
}

/* The default that the change itself gives the column, else the old one. */
static const char *default_of(const Maker *maker, const TableWork *work, const Column *old)
{
    const char *sql = old->default_sql;
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *op = &maker->change->operations[i];
        bool of_default = op->kind == OPERATION_SET_DEFAULT || op->kind == OPERATION_DROP_DEFAULT;
        if (of_default && str_eq(op->column, old->name) &&
            maker_work(maker, maker_table(maker, op->table, false)) == work)
            sql = op->kind == OPERATION_SET_DEFAULT ? op->default_sql : NULL;
    }
    return sql;
}

bool twin_hidden(const TableWork *work, const char *column)
{
    for (size_t i = 0; i < work->twins.len; i++)
        if (str_eq(work->twins.items[i].hidden, column))
            return true;
    return false;
}

/* ---- the new column ------------------------------------------------------------------------- */

static void expand_add(Maker *maker, TableWork *work, const char *sql)
{
    *vec_push(maker->arena, &work->expand_sql) = sql;
}

static void expand_settings(Maker *maker, TableWork *work, const Twin *twin)
{
    Arena *arena = maker->arena;
    const ColumnParts *column_parts = twin->column_parts;
    const char *hidden = sql_ident(arena, twin->hidden);
    for (size_t i = 0; i < column_parts->column_sql_count; i++)
        expand_add(maker, work, column_parts->column_sql[i]);
    for (size_t i = 0; i < column_parts->storage_sql_count && type_toasts(arena, twin->type); i++)
        expand_add(maker, work, column_parts->storage_sql[i]);
    if (twin->default_sql == NULL)
        return;
    /* does it fit the type? The cutover is no time to learn that it does not */
    expand_add(maker, work,
               arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s", work->sql, hidden,
                            twin->default_sql));
    expand_add(maker, work,
               arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", work->sql, hidden));
}

static void order_risk(Maker *maker, const TableWork *work, const Twin *twin)
{
    const Table *table = work->table;
    Arena *arena = maker->arena;
    if (twin->old == &table->columns[table->column_count - 1])
        return;
    maker_risk(maker, "column-order", "--accept-column-order",
               arena_printf(
                   arena,
                   "%s of %s becomes the last column: SELECT * gives another order from the cutover on, and "
                   "after complete an INSERT or COPY without a column list would put values into other "
                   "columns; until then it still finds the old places, and complete waits while there is one",
                   sql_ident(arena, twin->old->name), work->sql),
               NULL);
}

static Err *twin_expand(Maker *maker, TableWork *work, Twin *twin)
{
    Arena *arena = maker->arena;
    TRY(maker_expr(maker, work->table, twin->old->name, false, &twin->expr));
    TRY(zone_check(twin, work));
    ColumnSpec spec = {.name = twin->hidden,
                       .type_sql = twin->type,
                       .collation_sql = twin->op->collation_sql,
                       .not_null = twin->old->not_null};
    Wish wish = {.op = twin->op, .spec = spec, .ident = sql_ident(arena, twin->hidden), .type = twin->type};
    *vec_push(arena, &work->added) = twin->hidden;
    *vec_push(arena, &work->new_defs) = arena_printf(arena, "%s %s", wish.ident, wish.type);
    TRY(column_twin(maker, work, &wish, twin->expr));
    if (maker->input->options.versioned)
        TRY(reverse_twin(maker, work, twin));
    expand_settings(maker, work, twin);
    *vec_push(arena, &work->contract_sql) =
        arena_printf(arena, "ALTER TABLE %s DROP COLUMN %s", work->sql, sql_ident(arena, twin->hidden));
    order_risk(maker, work, twin);
    *vec_push(arena, &work->twins) = *twin;
    return NULL;
}

static bool is_referenced(const ColumnParts *column_parts)
{
    for (size_t i = 0; i < column_parts->count; i++)
        if (column_parts->items[i].kind == PART_REFERENCE)
            return true;
    return false;
}

Err *twin_change_type(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    const Table *table = work->table;
    const Column *old = table_column(table, op->column);
    TRY(maker_needs_column(maker, table, op->column));
    if (old == NULL)
        return err_hint(err_new(ERR_USAGE, "column \"%s\" is added by the same change", op->column),
                        "write its type at ADD COLUMN");
    bool collation = op->collation_sql != NULL && !str_eq(op->collation_sql, old->collation);
    if (type_same(arena, old->type, op->type_sql) && op->using_sql == NULL && !collation)
        return NULL;
    if (old->generated_sql != NULL)
        return err_hint(err_new(ERR_UNSAFE,
                                "column \"%s\" is generated: another type would compute every row anew "
                                "under ACCESS EXCLUSIVE",
                                op->column),
                        "add a new column of the type that is kept in step (--backfill), and drop this one");
    const ColumnParts *column_parts = column_parts_find(table, op->column);
    if (column_parts == NULL)
        return err_new(ERR_BUG, "what hangs on \"%s.%s\" was not looked at", table->name, op->column);
    TRY(column_alone(maker, op, work));
    TRY(column_parts_check(maker, work, op->column, column_parts));
    Twin twin = {.op = op,
                 .old = old,
                 .hidden = column_parts->twin,
                 .type = op->type_sql,
                 .plain = is_plain(arena, op, old),
                 .column_parts = column_parts,
                 .default_sql = default_of(maker, work, old)};
    bool free = twin.plain && !collation && type_widens(arena, old->type, op->type_sql), done = false;
    TRY(type_tree_check(maker, op, work, column_parts, free));
    if (free || (table->empty && !is_referenced(column_parts)))
        TRY(widen_write(maker, op, work, column_parts, &done));
    if (done)
        return NULL;
    if (!twin.plain && is_referenced(column_parts))
        return err_hint(err_new(ERR_UNSAFE,
                                "foreign keys point to \"%s.%s\", and USING says how to convert this "
                                "column only",
                                table->name, op->column),
                        "change the type of both ends without USING, or drop the foreign keys first");
    return twin_expand(maker, work, &twin);
}
