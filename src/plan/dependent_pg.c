/* What stands on something that is to go: named, unless the change takes it away first. */
#include "plan/drop.h"

#include <string.h>

/* ---- what stands in the way ----------------------------------------------------------------- */

bool op_is_on(const Maker *maker, const Operation *op, const char *schema, const char *name)
{
    const Table *table = maker_table(maker, op->table, false);
    return table->kind != RELATION_MISSING && str_eq(table->schema, schema) && str_eq(table->name, name);
}

/* A statement as written that drops the object, or takes the table out of the publication. */
static bool native_takes(Arena *arena, const Operation *op, const Dependent *dependent)
{
    bool drops = str_starts(op->words, "DROP ") || str_starts(op->words, "ALTER PUBLICATION");
    return drops && dependent->name != NULL && strstr(op->sql, sql_ident(arena, dependent->name)) != NULL;
}

/* Another operation of the change takes the dependent away before `op` has its turn. */
bool taken_first(const Maker *maker, const Operation *op, const Dependent *dependent)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *other = &maker->change->operations[i];
        bool before = other < op, on = op_is_on(maker, other, dependent->on_schema, dependent->on);
        bool taken = false;
        if (other->kind == OPERATION_DROP_CONSTRAINT) /* long before contract */
            taken = on && str_eq(other->constraint_name, dependent->name);
        else if (other->kind == OPERATION_DROP_INDEX)
            taken = str_eq(dependent->kind, "index") && str_eq(other->table.name, dependent->name);
        else if (other->kind == OPERATION_DROP_COLUMN)
            taken = before && on && str_eq(other->column, dependent->name);
        else if (other->kind == OPERATION_DROP_DEFAULT)
            taken = on && str_eq(dependent->kind, "default") && str_eq(other->column, dependent->name);
        else if (other->kind == OPERATION_DROP_TABLE)
            taken = on && before;
        else if (other->kind == OPERATION_NATIVE)
            taken =
                (before || other->when != NATIVE_CONTRACT) && native_takes(maker->arena, other, dependent);
        if (taken)
            return true;
    }
    return false;
}

/* What a person would write to get it out of the way. */
static const char *removal_sql(Arena *arena, const Dependent *dependent)
{
    const char *name = sql_ident(arena, dependent->name);
    const char *on = dependent->on != NULL ? sql_name(arena, dependent->on_schema, dependent->on) : NULL;
    const char *kind = dependent->kind;
    if (on == NULL && (str_eq(kind, "view") || str_eq(kind, "materialized view") || str_eq(kind, "table")))
        return arena_printf(arena, "DROP %s %s",
                            str_eq(kind, "view")    ? "VIEW"
                            : str_eq(kind, "table") ? "TABLE"
                                                    : "MATERIALIZED VIEW",
                            sql_name(arena, dependent->schema, dependent->name));
    if (on == NULL)
        return NULL;
    if (str_eq(kind, "trigger") || str_eq(kind, "policy") || str_eq(kind, "rule"))
        return arena_printf(arena, "DROP %s %s ON %s",
                            str_eq(kind, "trigger")  ? "TRIGGER"
                            : str_eq(kind, "policy") ? "POLICY"
                                                     : "RULE",
                            name, on);
    if (str_eq(kind, "generated column") || str_eq(kind, "column"))
        return arena_printf(arena, "ALTER TABLE %s DROP COLUMN %s", on, name);
    if (str_eq(kind, "default"))
        return arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", on, name);
    return arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT %s", on, name);
}

/* Of the column, else of the constraint, else of the table as a whole. */
bool stands_on(const Dependent *dependent, const char *column, const char *constraint)
{
    return !dependent->hint && str_eq(dependent->column, column) &&
           str_eq(dependent->constraint, constraint) &&
           (column != NULL || constraint != NULL ||
            (dependent->column == NULL && dependent->constraint == NULL));
}

bool dependent_is_own(const TableWork *part, const Dependent *dependent)
{
    const Table *table = part->table;
    if (dependent->on == NULL)
        return true;
    if (!str_eq(dependent->on, table->name) || !str_eq(dependent->on_schema, table->schema))
        return false;
    const Index *index = table_index(table, dependent->name);
    const TableConstraint *constraint = table_constraint(table, dependent->name);
    if (!table->is_partition)
        return true;
    return str_eq(dependent->kind, "index") ? index == NULL || index->parent == NULL
                                            : constraint == NULL || !constraint->inherited;
}

/* The other end goes with this change as well: its foreign key is dropped on the way. */
bool end_goes_too(const Maker *maker, const Operation *op, const Dependent *dependent)
{
    if (op->kind != OPERATION_DROP_TABLE || dependent->on == NULL)
        return false;
    bool key = str_eq(dependent->kind, "foreign key");
    for (size_t i = 0; i < maker->change->operation_count; i++)
        if (maker->change->operations[i].kind == OPERATION_DROP_TABLE && key &&
            op_is_on(maker, &maker->change->operations[i], dependent->on_schema, dependent->on))
            return true;
    return false;
}

/* Nothing goes that nobody named: ERR_UNSAFE with all that stands in the way. A generated column is in the
 * way even where the server would let it go without a word (12 to 14). */
/* `top` is the table itself, `work` this or a partition of it. */
static void find_in_way(Maker *maker, const Operation *op, const TableWork *top, const TableWork *work,
                        const char *constraint, Str *found, Str *sql)
{
    Arena *arena = maker->arena;
    for (size_t i = 0; i < work->table->dependent_count; i++) {
        const Dependent *dependent = &work->table->dependents[i];
        bool generated = op->kind == OPERATION_DROP_COLUMN && str_eq(dependent->kind, "generated column");
        bool named = work != top && generated && table_column(top->table, dependent->name) != NULL;
        bool ends = str_eq(dependent->kind, "view") &&
                    version_ends(maker, work->table, dependent->schema, dependent->name);
        if (!stands_on(dependent, op->column, constraint) || (dependent->goes && !generated) || ends ||
            named || taken_first(maker, op, dependent) || end_goes_too(maker, op, dependent))
            continue;
        const char *removal = removal_sql(arena, dependent);
        str_sep(found, ", ");
        str_add(found, dependent->text);
        if (removal == NULL)
            continue;
        str_sep(sql, "; ");
        str_add(sql, removal);
    }
}

/* Of a partition: its part of the parent's constraint. */
static const char *constraint_part(const TableWork *work, const TableWork *part, const char *name)
{
    const TableConstraint *whole = name != NULL ? table_constraint(work->table, name) : NULL;
    for (size_t i = 0; whole != NULL && i < part->table->constraint_count; i++) {
        const TableConstraint *one = &part->table->constraints[i];
        if (one->kind == whole->kind && one->inherited && str_eq(one->definition, whole->definition))
            return one->name;
    }
    return name;
}

Err *dependents_check(Maker *maker, const Operation *op, TableWork *work, const char *what)
{
    Str found CLEANUP(str_donep) = STR_INIT, sql CLEANUP(str_donep) = STR_INIT;
    find_in_way(maker, op, work, work, op->constraint_name, &found, &sql);
    size_t at = 1; /* what stands on partitions stands on the parent as a whole, as the server sees it */
    for (TableWork *part;
         op->kind != OPERATION_DROP_TABLE && (part = work_next_part(maker, work, &at)) != NULL;)
        find_in_way(maker, op, work, part, constraint_part(work, part, op->constraint_name), &found, &sql);
    if (found.len == 0)
        return NULL;
    Err *err = err_new(ERR_UNSAFE, "%s cannot go while others stand on it: %s", what, found.buf);
    if (op->cascade)
        return err_hint(err,
                        "CASCADE would take them away unseen; write them into the change, before this: %s",
                        sql.len > 0 ? sql.buf : "drop or change each of them by name");
    return err_hint(err, "write them into the same change, before this: %s",
                    sql.len > 0 ? sql.buf : "drop or change each of them by name");
}

/* Functions that only mention it: the server knows nothing of it, and they fail afterwards. */
void mention_note(Maker *maker, const Operation *op, TableWork *work, const char *what)
{
    Str found CLEANUP(str_donep) = STR_INIT;
    Texts known = {0};
    size_t at = 0;
    for (TableWork *part; (part = work_next_part(maker, work, &at)) != NULL;)
        for (size_t i = 0; i < part->table->dependent_count; i++) {
            const Dependent *dependent = &part->table->dependents[i];
            bool said = !dependent->hint || !str_eq(dependent->column, op->column);
            for (size_t k = 0; k < known.len && !said; k++)
                said = str_eq(known.items[k], dependent->text);
            if (said)
                continue;
            *vec_push(maker->arena, &known) = dependent->text;
            str_sep(&found, ", ");
            str_add(&found, dependent->text);
        }
    if (found.len > 0)
        maker_risk(maker, "mentions", NULL,
                   arena_printf(maker->arena, "these mention %s in their text, and may fail afterwards: %s",
                                what, found.buf),
                   NULL);
}
