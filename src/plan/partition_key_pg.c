/* Indexes, unique constraints and primary keys of partitioned tables: built in each partition while writes go
 * on, then attached to an empty one of the parent.
 *
 * ALTER INDEX … ATTACH PARTITION takes ACCESS EXCLUSIVE on the partition's index, which everybody who plans a
 * query of the partition has to open, and which is free when the partition's own lock is had; on 11 also on
 * the parent's. It reads nothing. */
#include "plan/maker.h"

#include <string.h>

/* An index in the making, by the place of the table in the tree. */
typedef struct Tree {
    Maker *maker;
    TableWork *work;
    const char *name;       /* of the parent's */
    const char **names;     /* of each partition's */
    bool *attached;         /* a part of the parent's index already */
    const char *constraint; /* "UNIQUE", "PRIMARY KEY"; NULL: an index only */
    const char *definition; /* behind CREATE INDEX name ON table, or ADD CONSTRAINT name */
    bool unique;
} Tree;

static TableWork *part_work(const Tree *tree, size_t i)
{
    return maker_work(tree->maker, tree->work->table->partitions[i].table);
}

/* The index of the table right above partition `i`, and that table. */
static const char *parent_index(const Tree *tree, size_t i, const TableWork **ret_above)
{
    const Table *table = tree->work->table;
    *ret_above = tree->work;
    for (size_t k = 0; k < i; k++) {
        TableWork *above = part_work(tree, k);
        if (!str_eq(above->sql, table->partitions[i].parent))
            continue;
        *ret_above = above;
        return sql_name(tree->maker->arena, above->table->schema, tree->names[k]);
    }
    return sql_name(tree->maker->arena, table->schema, tree->name);
}

static Err *covers_key(const Table *table, const char *const *columns, size_t count)
{
    for (size_t i = 0; i < table->key_column_count; i++) {
        bool found = false;
        for (size_t k = 0; k < count && !found && table->key_columns[i] != NULL; k++)
            found = str_eq(columns[k], table->key_columns[i]);
        if (!found)
            return err_hint(
                err_new(
                    ERR_UNSAFE,
                    "\"%s.%s\" is partitioned by %s: the server keeps keys unique in each partition only, so "
                    "a unique key has to have all columns of the partition key",
                    table->schema, table->name, table->partition_key),
                table->key_columns[i] != NULL
                    ? "add column \"%s\" to the key"
                    : "the partition key has an expression: there is no unique key%s",
                table->key_columns[i] != NULL ? table->key_columns[i] : "");
    }
    return NULL;
}

static Err *covers_keys(const Table *table, const char *const *columns, size_t count)
{
    TRY(covers_key(table, columns, count));
    for (size_t i = 0; i < table->partition_count; i++)
        if (table->partitions[i].kind == 'p' && table->partitions[i].table != NULL)
            TRY(covers_key(table->partitions[i].table, columns, count));
    return NULL;
}

static void tree_open(Tree *tree)
{
    size_t count = tree->work->table->partition_count;
    tree->names = arena_alloc(tree->maker->arena, (count + 1) * sizeof *tree->names);
    tree->attached = arena_alloc(tree->maker->arena, (count + 1) * sizeof *tree->attached);
}

/* The parent's own, which holds nothing: invalid until all partitions have theirs. Made after those of lower
 * levels, and so undone before them: what is attached to it goes with it, and cannot go by itself. */
static void add_parent(const Tree *tree, TableWork *work, const char *name)
{
    Arena *arena = tree->maker->arena;
    const char *ident = sql_ident(arena, name);
    bool constraint = tree->constraint != NULL;
    const char *sql = constraint
                          ? arena_printf(arena, "ALTER TABLE ONLY %s ADD CONSTRAINT %s %s", work->sql, ident,
                                         tree->definition)
                          : arena_printf(arena, "CREATE %sINDEX %s ON ONLY %s %s",
                                         tree->unique ? "UNIQUE " : "", ident, work->sql, tree->definition);
    const char *undo =
        constraint
            ? arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", work->sql, ident)
            : arena_printf(arena, "DROP INDEX IF EXISTS %s", sql_name(arena, work->table->schema, name));
    Step *step = maker_ddl(tree->maker, PHASE_CONSTRAIN, work, constraint ? "ACCESS EXCLUSIVE" : "SHARE",
                           arena_printf(arena, "%s %s of %s itself, valid when all partitions have it",
                                        constraint ? "constraint" : "index", ident, work->sql),
                           sql, undo);
    step->first = !constraint;
    step_only(step);
}

static void attach(const Tree *tree, size_t i)
{
    Maker *maker = tree->maker;
    Arena *arena = maker->arena;
    TableWork *work = part_work(tree, i);
    const TableWork *above = NULL;
    const char *parent = parent_index(tree, i, &above);
    const char *own = sql_name(arena, work->table->schema, tree->names[i]);
    Step *step = maker_ddl(maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE",
                           arena_printf(arena, "attach index %s to %s", own, parent),
                           arena_printf(arena, "ALTER INDEX %s ATTACH PARTITION %s", parent, own), NULL);
    step_only(step);
    *vec_push(arena, &maker->covered) = step->sql[0]; /* it goes with the parent's */
    if (maker->server->version_num < INDEX_ATTACH_WEAK_VERSION)
        step_add_lock_mode(maker, step, above->sql, "ACCESS EXCLUSIVE");
}

/* Children first: what is attached to is whole by then. */
static void attach_all(const Tree *tree)
{
    for (size_t i = tree->work->table->partition_count; i > 0; i--)
        if (!tree->attached[i - 1])
            attach(tree, i - 1);
}

/* Partitions that came between the plan and its first step. */
static void check_whole(const Tree *tree)
{
    Maker *maker = tree->maker;
    Arena *arena = maker->arena;
    const char *index = sql_literal(arena, sql_name(arena, tree->work->table->schema, tree->name));
    const Check check = {
        .label = arena_printf(arena, "partitions without %s", sql_ident(arena, tree->name)),
        .query = arena_printf(
            arena,
            "SELECT t.inhrelid::pg_catalog.regclass FROM pg_catalog.pg_inherits t WHERE t.inhparent = "
            "%s::pg_catalog.regclass AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits x JOIN "
            "pg_catalog.pg_index i ON i.indexrelid = x.inhrelid WHERE x.inhparent = %s::pg_catalog.regclass "
            "AND "
            "i.indrelid = t.inhrelid) LIMIT 10",
            sql_literal(arena, tree->work->sql), index),
        .hint = "they came after the plan was made: abort this change and apply it again"};
    maker_look(maker, PHASE_CONSTRAIN, tree->work,
               arena_printf(arena, "every partition has %s", sql_ident(arena, tree->name)), &check);
}

/* ---- an index ------------------------------------------------------------------------------- */

static bool same_definition(Arena *arena, const Index *index, const IndexSpec *spec)
{
    return index->valid && index_like(arena, index, spec);
}

/* One that is there already, by preference a part of the parent's. */
static const Index *equal_index(const Tree *tree, const Table *table, const IndexSpec *spec,
                                const char *parent)
{
    const Index *found = NULL;
    for (size_t i = 0; i < table->index_count; i++) {
        const Index *index = &table->indexes[i];
        if (parent != NULL && str_eq(index->parent, parent))
            return index;
        bool free = index->parent == NULL && index->constraint == NULL;
        if (found == NULL && free && same_definition(tree->maker->arena, index, spec))
            found = index;
    }
    return found;
}

static void index_parts(Tree *tree, const IndexSpec *spec, const char *middle)
{
    Maker *maker = tree->maker;
    const Table *table = tree->work->table;
    bool *made = arena_alloc(maker->arena, (table->partition_count + 1) * sizeof *made);
    for (size_t i = 0; i < table->partition_count; i++) {
        TableWork *work = part_work(tree, i);
        const TableWork *above = NULL;
        const char *parent = parent_index(tree, i, &above);
        const Index *there = equal_index(tree, work->table, spec, parent);
        tree->attached[i] = there != NULL && str_eq(there->parent, parent);
        tree->names[i] = there != NULL ? there->name : name_free(maker, work, middle, "idx");
        made[i] = there == NULL && table->partitions[i].kind == 'p';
        if (there == NULL && !made[i])
            index_build(maker, work, tree->names[i], spec->unique, spec->definition_sql);
    }
    for (size_t i = table->partition_count; i > 0; i--)
        if (made[i - 1])
            add_parent(tree, part_work(tree, i - 1), tree->names[i - 1]);
}

Err *index_tree(Maker *maker, TableWork *work, const IndexSpec *spec, const char *name, const char *middle)
{
    Tree tree = {.maker = maker,
                 .work = work,
                 .name = name,
                 .definition = spec->definition_sql,
                 .unique = spec->unique};
    if (spec->unique)
        TRY(covers_keys(work->table, spec->columns, spec->column_count));
    tree_open(&tree);
    index_parts(&tree, spec, middle);
    if (table_index(work->table, name) == NULL)
        add_parent(&tree, work, name);
    attach_all(&tree);
    check_whole(&tree);
    return NULL;
}

Err *index_tree_drop(Maker *maker, TableWork *work, const Index *index)
{
    Arena *arena = maker->arena;
    const char *ident = sql_ident(arena, index->name);
    maker_ddl(maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE",
              arena_printf(arena, "drop index %s of all partitions", ident),
              arena_printf(arena, "DROP INDEX IF EXISTS %s", sql_name(arena, index->schema, index->name)),
              NULL);
    maker_risk(
        maker, "drop-index", NULL,
        arena_printf(arena,
                     "the server drops index %s of a partitioned table not CONCURRENTLY but under a short "
                     "lock on all partitions, and abort does not build it again",
                     ident),
        NULL);
    return NULL;
}

/* ---- a unique constraint or primary key ------------------------------------------------------------------
 */

static bool key_equal(const Index *index, const ConstraintSpec *spec)
{
    bool equal = index->unique && index->valid && index->column_count == spec->column_count;
    for (size_t i = 0; i < spec->column_count && equal; i++)
        equal = str_eq(index->columns[i], spec->columns[i]);
    return equal && index->primary == (spec->kind == CONSTRAINT_PRIMARY_KEY);
}

static const Index *equal_key(const Table *table, const ConstraintSpec *spec)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].constraint != NULL && table->indexes[i].parent == NULL &&
            key_equal(&table->indexes[i], spec))
            return &table->indexes[i];
    return NULL;
}

static void key_of_leaf(const Tree *tree, TableWork *work, const char *name, const ConstraintSpec *spec)
{
    Maker *maker = tree->maker;
    Arena *arena = maker->arena;
    const char *ident = sql_ident(arena, name);
    index_build(maker, work, name, true, spec->index_sql);
    maker_ddl(maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE",
              arena_printf(arena, "make index %s of %s a %s", ident, work->sql,
                           spec->kind == CONSTRAINT_PRIMARY_KEY ? "primary key" : "unique constraint"),
              arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s%s", work->sql, ident,
                           tree->constraint, ident, spec->suffix_sql != NULL ? spec->suffix_sql : ""),
              arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", work->sql, ident));
}

Err *key_tree(Maker *maker, TableWork *work, const ConstraintSpec *spec, const char *name)
{
    bool primary = spec->kind == CONSTRAINT_PRIMARY_KEY;
    Tree tree = {.maker = maker,
                 .work = work,
                 .name = name,
                 .definition = spec->definition_sql,
                 .unique = true,
                 .constraint = primary ? "PRIMARY KEY" : "UNIQUE"};
    const Table *table = work->table;
    if (spec->index_name != NULL)
        return err_hint(err_new(ERR_UNSAFE,
                                "the server does not make a key of partitioned table \"%s.%s\" from "
                                "an index that is there",
                                table->schema, table->name),
                        "name the columns instead: equal keys of partitions are taken over");
    TRY(covers_keys(table, spec->columns, spec->column_count));
    tree_open(&tree);
    const char *middle = primary ? NULL : name_columns(maker->arena, spec->columns, spec->column_count);
    for (size_t i = 0; i < table->partition_count; i++) {
        TableWork *part = part_work(&tree, i);
        const Index *there = equal_key(part->table, spec);
        tree.names[i] =
            there != NULL ? there->name : name_free(maker, part, middle, primary ? "pkey" : "key");
        if (there == NULL && table->partitions[i].kind != 'p')
            key_of_leaf(&tree, part, tree.names[i], spec);
    }
    for (size_t i = table->partition_count; i > 0; i--)
        if (table->partitions[i - 1].kind == 'p' && equal_key(table->partitions[i - 1].table, spec) == NULL)
            add_parent(&tree, part_work(&tree, i - 1), tree.names[i - 1]);
    add_parent(&tree, work, name);
    attach_all(&tree);
    check_whole(&tree);
    return NULL;
}
