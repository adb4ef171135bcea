/* Foreign keys: looked at for orphans before, added without a look, validated. */
#include "plan/constraint_pg.h"

static const char *orphan_query(Maker *maker, const TableWork *work, const Table *parent,
                                const ConstraintSpec *spec, const char *const *ref_columns)
{
    Arena *arena = maker->arena;
    Str shown CLEANUP(str_donep) = STR_INIT, given CLEANUP(str_donep) = STR_INIT,
              on CLEANUP(str_donep) = STR_INIT;
    const Index *key = table_key(work->table);
    for (size_t i = 0; key != NULL && i < key->column_count; i++) {
        str_sep(&shown, ", ");
        str_addf(&shown, "c.%s", sql_ident(arena, key->columns[i]));
    }
    for (size_t i = 0; i < spec->column_count; i++) {
        const char *column = sql_ident(arena, spec->columns[i]);
        str_sep(&shown, ", ");
        str_addf(&shown, "c.%s", column);
        str_sep(&given, " AND ");
        str_addf(&given, "c.%s IS NOT NULL", column);
        str_sep(&on, " AND ");
        str_addf(&on, "p.%s = c.%s", sql_ident(arena, ref_columns[i]), column);
    }
    return arena_printf(
        arena,
        "SELECT %s FROM ONLY %s AS c WHERE %s AND NOT EXISTS (SELECT 1 FROM %s AS p WHERE %s) "
        "LIMIT 10",
        shown.buf, work->sql, given.buf, sql_name(arena, parent->schema, parent->name), on.buf);
}

static Err *parent_check(const Maker *maker, const ConstraintSpec *spec, const Table *parent)
{
    const char *name = spec->references.name;
    if (parent->kind == RELATION_MISSING)
        return err_new(ERR_USAGE, "table \"%s\" that the foreign key refers to does not exist", name);
    if (parent->kind != RELATION_TABLE && parent->kind != RELATION_PARTITION &&
        !(parent->kind == RELATION_PARTITIONED && maker->server->version_num >= 120000))
        return err_new(ERR_UNSAFE, "a foreign key cannot refer to \"%s\": it is a %s", name,
                       relation_kind_name(parent->kind));
    return NULL;
}

/* 11 takes more on partitions of partitions than on those of the table itself. */
static void lower_levels(Maker *maker, const TableWork *work, Step *step)
{
    const Table *table = work->table;
    step_only(step);
    for (size_t i = 0; i < table->partition_count; i++) {
        const Partition *part = &table->partitions[i];
        step_add_lock_mode(maker, step, sql_name(maker->arena, part->schema, part->name),
                           str_eq(part->parent, work->sql) ? "SHARE ROW EXCLUSIVE" : "ACCESS EXCLUSIVE");
    }
    step->lock_tree = table->partition_count;
}

/* Before 18 the parent cannot have one that is NOT VALID: each partition gets its own, which is validated,
 * and the parent's takes these over without reading anything. For that it drops their triggers on the other
 * table, which takes ACCESS EXCLUSIVE there (looked at on 11 to 17). */
static Err *foreign_key_tree(Maker *maker, TableWork *work, const ConstraintSpec *spec, const Table *parent,
                             const char *name)
{
    Arena *arena = maker->arena;
    const char *version = maker->server->version, *ident = sql_ident(arena, name);
    if (spec->not_valid)
        return err_hint(
            err_new(ERR_UNSAFE, "PostgreSQL %s has no NOT VALID foreign keys of partitioned tables", version),
            "leave NOT VALID out: it is validated while writes go on");
    if (maker_work(maker, parent) == work)
        return err_hint(err_new(ERR_UNSAFE,
                                "PostgreSQL %s reads \"%s\" under a strong lock to let it refer to itself",
                                version, parent->name),
                        "upgrade to 18, or by hand at a quiet time, under SET lock_timeout = '200ms'");
    size_t at = 0;
    for (TableWork *leaf; (leaf = work_next_leaf(maker, work, &at)) != NULL;) {
        const TableConstraint *there = NULL;
        for (size_t i = 0; i < leaf->table->constraint_count && there == NULL; i++)
            if (constraint_like(maker, leaf, &leaf->table->constraints[i], spec))
                there = &leaf->table->constraints[i];
        if (there != NULL && there->validated)
            continue;
        const char *own = there != NULL ? there->name : name;
        if (there == NULL && table_constraint(leaf->table, name) != NULL)
            own = constraint_free_name(maker, leaf, spec, NULL);
        if (there == NULL)
            constraint_not_valid(maker, leaf, own, spec->definition_sql, "SHARE ROW EXCLUSIVE", parent);
        maker_validate(maker, leaf, own, parent);
    }
    Step *step = maker_ddl(
        maker, PHASE_CONSTRAIN, work, "SHARE ROW EXCLUSIVE",
        arena_printf(arena, "add constraint %s, which takes over those of the partitions", ident),
        arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s", work->sql, ident, spec->definition_sql),
        arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", work->sql, ident));
    if (maker->server->version_num < 120000)
        lower_levels(maker, work, step);
    step_add_lock_mode(maker, step, sql_name(arena, parent->schema, parent->name), "ACCESS EXCLUSIVE");
    step_add_tree(maker, step, parent, "ACCESS EXCLUSIVE");
    return NULL;
}

Err *foreign_key_add(Maker *maker, TableWork *work, const ConstraintSpec *spec, const char *of_column)
{
    Arena *arena = maker->arena;
    const Table *parent = maker_table(maker, spec->references, false);
    const char *const *ref_columns = NULL;
    TRY(parent_check(maker, spec, parent));
    TRY(constraint_references(parent, spec, &ref_columns));
    const char *name = constraint_name(maker, work, spec, of_column);
    size_t at = 0;
    for (TableWork *leaf; !spec->not_valid && (leaf = work_next_leaf(maker, work, &at)) != NULL;) {
        const char *title = arena_printf(arena, "no orphans for %s", sql_ident(arena, name));
        const Check check = {.label = arena_printf(arena, "no row in %s for (%s)",
                                                   sql_name(arena, parent->schema, parent->name),
                                                   sql_ident_list(arena, spec->columns, spec->column_count)),
                             .query = orphan_query(maker, leaf, parent, spec, ref_columns),
                             .hint = "add the missing rows, or set the column to null or to one that exists"};
        maker_checks(maker, constraint_phase(work, spec, of_column), leaf, title, &check, 1);
    }
    if (work->table->kind == RELATION_PARTITIONED && maker->server->version_num < 180000)
        return foreign_key_tree(maker, work, spec, parent, name);
    const Table *also = parent == work->table || maker_work(maker, parent) == work ? NULL : parent;
    constraint_not_valid(maker, work, name, spec->definition_sql, "SHARE ROW EXCLUSIVE", also);
    if (!spec->not_valid)
        maker_validate(maker, work, name, also);
    return NULL;
}
