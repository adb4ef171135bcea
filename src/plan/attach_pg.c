/* Partitions that come and go: ATTACH PARTITION, CREATE TABLE … PARTITION OF, DETACH PARTITION.
 *
 * ATTACH reads the new partition, and the default partition under ACCESS EXCLUSIVE, unless a validated CHECK
 * says what they would be read for; it builds the indexes and checks the foreign keys of the parent that the
 * new partition lacks. So all of that is made before, while writes go on; then it reads nothing (looked at on
 * 10 to 18). From 12 on it takes SHARE UPDATE EXCLUSIVE on the parent, where CREATE TABLE … PARTITION OF
 * takes ACCESS EXCLUSIVE: so a partition is created as a table, and attached. */
#include "plan/maker.h"

#include <string.h>

enum { WEAK_ATTACH_VERSION = 120000, DETACH_CONCURRENTLY_VERSION = 140000 };

/* ---- parts -----------------------------------------------------------------------------------------------
 */

typedef struct Coming {
    Maker *maker;
    const Operation *op;
    TableWork *parent, *child; /* child NULL: it is made by this change */
    const char *child_sql;
    const char *bounds;                       /* NULL: nothing to prove */
    TableWork *fallback;                      /* the default partition where it has rows; NULL */
    const char *child_proof, *fallback_proof; /* names of CHECKs */
} Coming;

static TableWork *default_partition(const Maker *maker, const TableWork *parent)
{
    for (size_t i = 0; i < parent->table->partition_count; i++) {
        const Partition *partition = &parent->table->partitions[i];
        if (partition->is_default && str_eq(partition->parent, parent->sql) && partition->table != NULL)
            return maker_work(maker, partition->table);
    }
    return NULL;
}

static const char *prove(Maker *maker, TableWork *work, const char *label, const char *condition)
{
    const char *name = name_free(maker, work, NULL, label);
    constraint_not_valid(maker, work, name, arena_printf(maker->arena, "CHECK (%s)", condition),
                         "ACCESS EXCLUSIVE", NULL);
    maker_validate(maker, work, name, NULL);
    return name;
}

static void prove_child(Coming *coming)
{
    Maker *maker = coming->maker;
    Arena *arena = maker->arena;
    const char *above = coming->parent->table->partition_constraint;
    const char *all =
        above != NULL ? arena_printf(arena, "(%s) AND (%s)", above, coming->bounds) : coming->bounds;
    const Check check = {.label = arena_printf(arena, "is no row %s", coming->op->partition->bound_sql),
                         .predicate = arena_printf(arena, "(%s) IS NOT TRUE", all),
                         .hint = "move or remove these rows: the partition must not hold them"};
    maker_checks(maker, PHASE_PREPARE, coming->child,
                 arena_printf(arena, "every row of %s fits the partition", coming->child_sql), &check, 1);
    coming->child_proof = prove(maker, coming->child, "bounds", all);
}

static void prove_fallback(Coming *coming)
{
    Maker *maker = coming->maker;
    Arena *arena = maker->arena;
    TableWork *work = coming->fallback;
    const Check check = {.label = arena_printf(arena, "belongs to %s", coming->child_sql),
                         .predicate = arena_printf(arena, "(%s) IS TRUE", coming->bounds),
                         .hint = "move these rows into the new partition's table first"};
    maker_checks(maker, PHASE_PREPARE, work,
                 arena_printf(arena, "the default partition %s has no row of the new one", work->sql), &check,
                 1);
    coming->fallback_proof =
        prove(maker, work, "not_bounds", arena_printf(arena, "NOT (%s)", coming->bounds));
    maker_risk(
        maker, "default-partition", NULL,
        arena_printf(arena,
                     "until %s is attached, rows that would go into the default partition %s although they "
                     "are the new one's are refused",
                     coming->child_sql, work->sql),
        NULL);
}

/* The proof has done its work. */
static void drop_proof(Maker *maker, TableWork *work, const char *name)
{
    Arena *arena = maker->arena;
    if (name == NULL)
        return;
    const char *ident = sql_ident(arena, name);
    /* undo of the step that made it drops it as well */
    maker_ddl(maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE",
              arena_printf(arena, "drop the proof %s of %s", ident, work->sql),
              arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", work->sql, ident), NULL);
}

/* ---- what the new partition must have like its parent ----------------------------------------------------
 */

static Err *columns_fit(Coming *coming)
{
    const Table *parent = coming->parent->table, *child = coming->child->table;
    for (size_t i = 0; i < parent->column_count; i++) {
        const Column *column = &parent->columns[i], *own = table_column(child, column->name);
        if (own == NULL || !str_eq(own->type, column->type))
            return err_new(ERR_USAGE,
                           own == NULL ? "\"%s.%s\" lacks column \"%s\" of its parent"
                                       : "column \"%s.%s.%s\" has another type than its parent's",
                           child->schema, child->name, column->name);
        if (!column->not_null || not_null_known(coming->maker->arena, child, column->name))
            continue;
        const char *ident = sql_ident(coming->maker->arena, column->name);
        const Check check = {.label = arena_printf(coming->maker->arena, "%s is null", ident),
                             .predicate = arena_printf(coming->maker->arena, "%s IS NULL", ident),
                             .hint = "fill these rows first"};
        maker_checks(coming->maker, PHASE_PREPARE, coming->child,
                     arena_printf(coming->maker->arena, "no row lacks %s", ident), &check, 1);
        TRY(not_null_prove(coming->maker, coming->child, column->name, false, true));
    }
    for (size_t i = 0; i < child->column_count; i++)
        if (table_column(parent, child->columns[i].name) == NULL)
            return err_new(ERR_USAGE, "\"%s.%s\" has column \"%s\", which its parent does not have",
                           child->schema, child->name, child->columns[i].name);
    return NULL;
}

static bool has_constraint(const Coming *coming, const TableConstraint *wanted)
{
    const Table *child = coming->child->table;
    for (size_t i = 0; i < child->constraint_count; i++) {
        const TableConstraint *own = &child->constraints[i];
        bool named = wanted->kind != 'c' || str_eq(own->name, wanted->name); /* CHECKs are merged by name */
        if (own->kind == wanted->kind && named && own->validated &&
            definition_like(coming->maker->arena, own->definition, wanted->definition))
            return true;
    }
    return false;
}

/* CHECKs and foreign keys; keys come with their indexes. */
static void add_constraints(Coming *coming)
{
    Maker *maker = coming->maker;
    const Table *parent = coming->parent->table;
    for (size_t i = 0; i < parent->constraint_count; i++) {
        const TableConstraint *wanted = &parent->constraints[i];
        bool takes = wanted->kind == 'c' || wanted->kind == 'f';
        if (!takes || !wanted->validated || has_constraint(coming, wanted))
            continue;
        const char *name = wanted->name;
        if (wanted->kind == 'f' && table_constraint(coming->child->table, name) != NULL)
            name = name_free(maker, coming->child, NULL, "fkey");
        const char *lock = wanted->kind == 'c' ? "ACCESS EXCLUSIVE" : "SHARE ROW EXCLUSIVE";
        const Table other = {.schema = wanted->ref_schema, .name = wanted->ref_table};
        const Table *also = wanted->kind == 'f' && wanted->ref_table != NULL ? &other : NULL;
        constraint_not_valid(maker, coming->child, name, wanted->definition, lock, also);
        maker_validate(maker, coming->child, name, also);
    }
}

/* The server's text behind "ON [ONLY] schema.table ". */
static const char *index_definition(const Index *index)
{
    const char *at = strstr(index->definition, " USING ");
    return at != NULL ? at + 1 : index->definition;
}

static bool has_index(const Coming *coming, const Index *wanted)
{
    const Table *child = coming->child->table;
    for (size_t i = 0; i < child->index_count; i++) {
        const Index *own = &child->indexes[i];
        if (own->valid && own->unique == wanted->unique && own->primary == wanted->primary &&
            (own->constraint != NULL) == (wanted->constraint != NULL) &&
            definition_like(coming->maker->arena, index_definition(own), index_definition(wanted)))
            return true;
    }
    return false;
}

static void add_indexes(Coming *coming)
{
    Maker *maker = coming->maker;
    Arena *arena = maker->arena;
    TableWork *child = coming->child;
    const Table *parent = coming->parent->table;
    for (size_t i = 0; i < parent->index_count; i++) {
        const Index *wanted = &parent->indexes[i];
        if (!wanted->valid || has_index(coming, wanted))
            continue;
        bool key = wanted->constraint != NULL;
        const char *middle =
            wanted->primary ? NULL : name_columns(arena, wanted->columns, wanted->column_count);
        const char *name = name_free(maker, child, middle, wanted->primary ? "pkey" : key ? "key" : "idx");
        const char *ident = sql_ident(arena, name);
        index_build(maker, child, name, wanted->unique, index_definition(wanted));
        if (!key)
            continue;
        maker_ddl(maker, PHASE_CONSTRAIN, child, "ACCESS EXCLUSIVE",
                  arena_printf(arena, "make index %s the %s", ident,
                               wanted->primary ? "primary key" : "unique constraint"),
                  arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s", child->sql, ident,
                               wanted->primary ? "PRIMARY KEY" : "UNIQUE", ident),
                  arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", child->sql, ident));
    }
}

/* ---- the steps -------------------------------------------------------------------------------------------
 */

static void lock_references(Maker *maker, Step *step, const Table *parent)
{
    for (size_t i = 0; i < parent->constraint_count; i++) {
        const TableConstraint *constraint = &parent->constraints[i];
        if (constraint->kind == 'f' && constraint->ref_table != NULL)
            step_add_lock_mode(maker, step,
                               sql_name(maker->arena, constraint->ref_schema, constraint->ref_table),
                               "ACCESS EXCLUSIVE");
    }
}

static void attach_step(const Coming *coming)
{
    Maker *maker = coming->maker;
    Arena *arena = maker->arena;
    TableWork *parent = coming->parent, *fallback = default_partition(maker, parent);
    bool weak = maker->server->version_num >= WEAK_ATTACH_VERSION;
    /* what is asked for first, without waiting, is the lock that others meet most */
    TableWork *own = !weak ? parent : fallback != NULL ? fallback : parent;
    Step *step = maker_ddl(
        maker, PHASE_CONSTRAIN, own, own == parent && weak ? "SHARE UPDATE EXCLUSIVE" : "ACCESS EXCLUSIVE",
        arena_printf(arena, "attach %s to %s", coming->child_sql, parent->sql),
        arena_printf(arena, "ALTER TABLE %s ATTACH PARTITION %s %s", parent->sql, coming->child_sql,
                     coming->op->partition->bound_sql),
        arena_printf(arena, "ALTER TABLE %s DETACH PARTITION %s", parent->sql, coming->child_sql));
    step_only(step);
    step_add_lock_mode(maker, step, coming->child_sql, "ACCESS EXCLUSIVE");
    if (own != parent)
        step_add_lock_mode(maker, step, parent->sql, weak ? "SHARE UPDATE EXCLUSIVE" : "ACCESS EXCLUSIVE");
    if (fallback != NULL && own != fallback)
        step_add_lock_mode(maker, step, fallback->sql, "ACCESS EXCLUSIVE");
    lock_references(maker, step, parent->table);
    parent->touched = true;
}

static Err *fallback_find(Coming *coming)
{
    TableWork *fallback = default_partition(coming->maker, coming->parent);
    if (fallback == NULL)
        return NULL;
    const Table *table = fallback->table;
    if (coming->op->partition->strategy == 'd')
        return err_new(ERR_USAGE, "\"%s.%s\" has a default partition already: %s",
                       coming->parent->table->schema, coming->parent->table->name, fallback->sql);
    if (table->kind == RELATION_PARTITIONED)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "the default partition %s is partitioned itself: the server would read all its parts "
                    "under a strong lock to know that none has a row of the new partition",
                    fallback->sql),
            "detach it, attach the new partition, attach it again");
    coming->fallback = table->empty ? NULL : fallback;
    return NULL;
}

static Err *coming_write(Coming *coming, bool child_has_rows)
{
    Maker *maker = coming->maker;
    Bounds bounds = {.arena = maker->arena, .parent = coming->parent->table, .spec = coming->op->partition};
    TRY(fallback_find(coming));
    bool is_default = bounds.spec->strategy == 'd';
    if (is_default && child_has_rows)
        return err_hint(err_new(ERR_UNSAFE,
                                "%s has rows: to know that none of them belongs to another partition, the "
                                "server would read it under a strong lock",
                                coming->child_sql),
                        "attach it empty, then insert its rows");
    if (!is_default && (child_has_rows || coming->fallback != NULL)) {
        TRY(bounds_check(&bounds));
        coming->bounds = bounds_sql(&bounds);
    }
    if (child_has_rows)
        prove_child(coming);
    if (coming->fallback != NULL)
        prove_fallback(coming);
    attach_step(coming);
    drop_proof(maker, coming->child, coming->child_proof);
    if (coming->fallback != NULL)
        drop_proof(maker, coming->fallback, coming->fallback_proof);
    return NULL;
}

static Err *parent_kind(const TableWork *parent)
{
    if (parent->table->kind == RELATION_PARTITIONED)
        return NULL;
    return err_new(ERR_USAGE, "\"%s.%s\" is not partitioned", parent->table->schema, parent->table->name);
}

static bool is_part_of(const Table *table, const TableWork *parent)
{
    for (size_t i = 0; i < parent->table->partition_count; i++)
        if (parent->table->partitions[i].id == table->id &&
            str_eq(parent->table->partitions[i].parent, parent->sql))
            return true;
    return false;
}

static Err *child_check(const Maker *maker, const Table *child, const TableWork *parent)
{
    if (child->kind == RELATION_MISSING)
        return err_new(ERR_USAGE, "table \"%s\" does not exist", child->name);
    if (child->kind != RELATION_TABLE || child->parent != NULL || child->has_children)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "\"%s.%s\" is a %s: all that it consists of would be read under a strong lock",
                    child->schema, child->name,
                    child->parent != NULL ? "part of another table" : relation_kind_name(child->kind)),
            "attach its parts one by one");
    if (!child->may_own || !str_eq(child->owner, parent->table->owner))
        return err_hint(err_new(ERR_PRIVILEGE, "\"%s.%s\" belongs to \"%s\", its parent to \"%s\"",
                                child->schema, child->name, child->owner, parent->table->owner),
                        "ALTER TABLE %s OWNER TO %s", sql_name(maker->arena, child->schema, child->name),
                        sql_ident(maker->arena, parent->table->owner));
    return NULL;
}

static Name made_name(const Maker *maker, const Operation *op)
{
    Name name = op->partition->name;
    if (name.schema == NULL)
        name.schema = maker->server->search_path_count > 0 ? maker->server->search_path[0] : "public";
    return name;
}

/* A table that the change makes: nobody uses it, and there is no row for which the server would look at it or
 * build what it lacks. */
static Err *attach_new(Maker *maker, const Operation *op, TableWork *parent)
{
    Name name = made_name(maker, op);
    Coming coming = {.maker = maker,
                     .op = op,
                     .parent = parent,
                     .child_sql = sql_name(maker->arena, name.schema, name.name)};
    return coming_write(&coming, false);
}

Err *partition_attach(Maker *maker, const Operation *op, TableWork *parent)
{
    const Table *child = maker_table(maker, op->partition->name, false);
    TRY(parent_kind(parent));
    if (child->kind == RELATION_MISSING && native_makes_table(maker, op, op->partition->name))
        return attach_new(maker, op, parent);
    if (child->kind != RELATION_MISSING && is_part_of(child, parent))
        return NULL; /* done already */
    TRY(child_check(maker, child, parent));
    Coming coming = {.maker = maker, .op = op, .parent = parent, .child = maker_work(maker, child)};
    coming.child_sql = coming.child->sql;
    TRY(columns_fit(&coming));
    add_constraints(&coming);
    add_indexes(&coming);
    return coming_write(&coming, !child->empty);
}

/* The table as LIKE makes it. */
static TableWork *made_table(const Maker *maker, const Operation *op, const Table *parent)
{
    Arena *arena = maker->arena;
    Name name = made_name(maker, op);
    Table *table = arena_alloc(arena, sizeof *table);
    *table = (Table){.schema = name.schema,
                     .name = name.name,
                     .kind = RELATION_TABLE,
                     .owner = parent->owner,
                     .may_own = true,
                     .empty = true,
                     .columns = parent->columns,
                     .column_count = parent->column_count};
    table->constraints = arena_alloc(arena, (parent->constraint_count + 1) * sizeof *table->constraints);
    for (size_t i = 0; i < parent->constraint_count; i++)
        if (parent->constraints[i].kind == 'c')
            table->constraints[table->constraint_count++] = parent->constraints[i];
    TableWork *work = arena_alloc(arena, sizeof *work);
    *work = (TableWork){.table = table, .sql = sql_name(arena, table->schema, table->name)};
    return work;
}

/* Everything that a partition made by PARTITION OF would have of its parent. */
Err *partition_create(Maker *maker, const Operation *op, TableWork *parent)
{
    Arena *arena = maker->arena;
    const Table *child = maker_table(maker, op->partition->name, false);
    TRY(parent_kind(parent));
    TableWork *made = made_table(maker, op, parent->table);
    const char *name = made->sql;
    if (child->kind != RELATION_MISSING && is_part_of(child, parent))
        return NULL;
    if (child->kind != RELATION_MISSING)
        return err_hint(err_new(ERR_USAGE, "\"%s.%s\" exists already and is no partition of %s",
                                child->schema, child->name, parent->sql),
                        "ALTER TABLE %s ATTACH PARTITION %s %s", parent->sql,
                        sql_name(arena, child->schema, child->name), op->partition->bound_sql);
    Step *step = maker_step(maker, PHASE_EXPAND, STEP_DDL, parent,
                            arena_printf(arena, "create %s like %s", name, parent->sql));
    step->table = (Name){0};
    step->timeout = TIMEOUT_LOCK;
    step_estimate(step, 1, 20);
    parent->touched = true;
    const char *generated = maker->server->version_num >= 120000 ? " INCLUDING GENERATED" : "";
    const char *compression = maker->server->version_num >= 140000 ? " INCLUDING COMPRESSION" : "";
    step_add_sql(maker, step,
                 arena_printf(arena,
                              "CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING "
                              "STORAGE%s%s)%s",
                              name, parent->sql, generated, compression, op->partition->tail_sql));
    const char *body = arena_printf(arena,
                                    "\nBEGIN\n"
                                    "  IF EXISTS (SELECT FROM ONLY %s) THEN\n"
                                    "    RAISE EXCEPTION 'table %% has rows', %s;\n"
                                    "  END IF;\n"
                                    "END\n",
                                    name, sql_literal(arena, name));
    bool plain = strstr(op->partition->tail_sql, "PARTITION BY") == NULL;
    if (plain)
        step_add_undo(maker, step, arena_printf(arena, "DO %s", sql_dollar(arena, body)));
    step_add_undo(maker, step, arena_printf(arena, "DROP TABLE %s", name));
    Coming coming = {.maker = maker, .op = op, .parent = parent, .child = made, .child_sql = name};
    if (plain) { /* else it holds nothing that could be read, and nothing is built in it */
        add_constraints(&coming);
        add_indexes(&coming);
    }
    return coming_write(&coming, false);
}

/* ---- detach ----------------------------------------------------------------------------------------------
 */

/* The server leaves the bounds as a CHECK behind (14 and later), under a name of its choice: with the column
 * where the expression reads but one. An undo needs it for ATTACH, and takes it away. */
static const char *left_check(Maker *maker, const TableWork *parent, TableWork *child)
{
    const Table *table = parent->table;
    bool one = table->key_column_count == 1 && !table->is_partition;
    return name_free(maker, child, one ? table->key_columns[0] : NULL, "check");
}

static void detach_slowly(Maker *maker, TableWork *parent, TableWork *child, const Partition *partition)
{
    Arena *arena = maker->arena;
    const char *head = arena_printf(arena, "ALTER TABLE %s DETACH PARTITION %s", parent->sql, child->sql);
    Step *step = maker_step(maker, PHASE_CONSTRAIN, STEP_DETACH, child,
                            arena_printf(arena, "detach %s from %s", child->sql, parent->sql));
    child->touched = parent->touched = true;
    step_add_sql(maker, step, arena_printf(arena, "%s CONCURRENTLY", head));
    step_add_sql(maker, step, arena_printf(arena, "%s FINALIZE", head));
    step_add_undo(maker, step,
                  arena_printf(arena, "ALTER TABLE %s ATTACH PARTITION %s %s", parent->sql, child->sql,
                               partition->bound));
    step_add_undo(maker, step,
                  arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", child->sql,
                               sql_ident(arena, left_check(maker, parent, child))));
    step->lock = "ACCESS EXCLUSIVE";
    step_add_lock(maker, step, child->table);
    step_add_lock_mode(maker, step, parent->sql, "SHARE UPDATE EXCLUSIVE");
    step->timeout = TIMEOUT_WATCHDOG;
    step_estimate(step, 1, 1000);
}

static void detach_at_once(Maker *maker, TableWork *parent, TableWork *child, const Partition *partition)
{
    Arena *arena = maker->arena;
    const TableWork *fallback = default_partition(maker, parent);
    Step *step = maker_ddl(maker, PHASE_CONSTRAIN, parent, "ACCESS EXCLUSIVE",
                           arena_printf(arena, "detach %s from %s", child->sql, parent->sql),
                           arena_printf(arena, "ALTER TABLE %s DETACH PARTITION %s", parent->sql, child->sql),
                           arena_printf(arena, "ALTER TABLE %s ATTACH PARTITION %s %s", parent->sql,
                                        child->sql, partition->bound));
    step_only(step);
    step_add_lock_mode(maker, step, child->sql,
                       maker->server->version_num < DETACH_CONCURRENTLY_VERSION ? "SHARE UPDATE EXCLUSIVE"
                                                                                : "ACCESS EXCLUSIVE");
    if (fallback != NULL && fallback != child)
        step_add_lock_mode(maker, step, fallback->sql, "ACCESS EXCLUSIVE");
    lock_references(maker, step, parent->table);
    child->touched = true;
}

Err *partition_detach(Maker *maker, const Operation *op, TableWork *parent)
{
    const Table *child = maker_table(maker, op->partition->name, false);
    TRY(parent_kind(parent));
    if (child->kind == RELATION_MISSING)
        return err_new(ERR_USAGE, "table \"%s\" does not exist", op->partition->name.name);
    if (!child->is_partition)
        return NULL; /* done already */
    if (!is_part_of(child, parent))
        return err_new(ERR_USAGE, "\"%s.%s\" is a partition of %s, not of %s", child->schema, child->name,
                       child->parent, parent->sql);
    const Partition *partition = NULL;
    for (size_t i = 0; i < parent->table->partition_count; i++)
        if (parent->table->partitions[i].id == child->id)
            partition = &parent->table->partitions[i];
    if (partition == NULL)
        return err_new(ERR_USAGE, "\"%s.%s\" was attached to or detached from %s just now", child->schema,
                       child->name, parent->sql);
    TableWork *work = maker_work(maker, child);
    bool slowly = maker->server->version_num >= DETACH_CONCURRENTLY_VERSION &&
                  (default_partition(maker, parent) == NULL || partition->detaching);
    if (slowly)
        detach_slowly(maker, parent, work, partition);
    else
        detach_at_once(maker, parent, work, partition);
    return NULL;
}
