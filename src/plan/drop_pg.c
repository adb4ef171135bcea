/* Columns and constraints that go: what stands on them is named first, who uses them is looked for,
 * and the strong locks come one by one. */
#include "plan/drop.h"

#include <ctype.h>
#include <string.h>

/* ---- evidence ------------------------------------------------------------------------------- */

static void columns_add(Maker *maker, Step *step, const char *column)
{
    const char **grown = arena_alloc(maker->arena, (step->column_count + 1) * sizeof *grown);
    if (step->column_count > 0)
        memcpy(grown, step->columns, step->column_count * sizeof *grown);
    grown[step->column_count++] = column;
    step->columns = grown;
    step->title = arena_printf(maker->arena, "nobody uses %s any more",
                               sql_ident_list(maker->arena, grown, step->column_count));
}

void maker_evidence(Maker *maker, TableWork *work, const char *column, bool name_only)
{
    for (size_t i = 0; i < maker->steps[PHASE_CONTRACT].len && column != NULL; i++) {
        Step *step = &maker->steps[PHASE_CONTRACT].items[i];
        if (step->kind == STEP_EVIDENCE && step->column_count > 0 &&
            str_eq(step->table.name, work->table->name) && str_eq(step->table.schema, work->table->schema)) {
            columns_add(maker, step, column);
            return;
        }
    }
    Step *step = maker_step(maker, PHASE_CONTRACT, STEP_EVIDENCE, work,
                            arena_printf(maker->arena, "nobody uses %s any more", work->sql));
    work->touched = true;
    step->evidence = EVIDENCE_MEASURED;
    step->counters = column == NULL && !name_only;
    step->role = NULL;
    if (column != NULL)
        columns_add(maker, step, column);
}

/* ---- steps of contract ---------------------------------------------------------------------- */

static bool contract_has(const Maker *maker, const char *sql)
{
    for (size_t i = 0; i < maker->steps[PHASE_CONTRACT].len; i++) {
        const Step *step = &maker->steps[PHASE_CONTRACT].items[i];
        if (step->sql_count > 0 && str_eq(step->sql[0], sql))
            return true;
    }
    return false;
}

static void index_goes(Maker *maker, TableWork *work, const Dependent *dependent)
{
    Arena *arena = maker->arena;
    const char *sql = arena_printf(arena, "DROP INDEX CONCURRENTLY IF EXISTS %s",
                                   sql_name(arena, dependent->schema, dependent->name));
    if (contract_has(maker, sql))
        return;
    Step *step = maker_step(maker, PHASE_CONTRACT, STEP_DROP_INDEX, work,
                            arena_printf(arena, "drop index %s", sql_ident(arena, dependent->name)));
    step_add_sql(maker, step, sql);
    step->lock = "SHARE UPDATE EXCLUSIVE";
    step_add_lock(maker, step, work->table);
    step->timeout = TIMEOUT_WATCHDOG;
    step->index = dependent->name;
    step_estimate(step, 1, 1000);
}

/* One short transaction that takes both ends of a foreign key (measured: ACCESS EXCLUSIVE on both). */
void key_goes(Maker *maker, TableWork *owner, const char *name, const char *far)
{
    Arena *arena = maker->arena;
    const char *sql = arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", owner->sql,
                                   sql_ident(arena, name));
    if (contract_has(maker, sql))
        return;
    Step *step = maker_ddl(maker, PHASE_CONTRACT, owner, "ACCESS EXCLUSIVE",
                           arena_printf(arena, "drop foreign key %s", sql_ident(arena, name)), sql, NULL);
    if (far != NULL && !str_eq(far, owner->sql))
        step_add_lock_mode(maker, step, far, "ACCESS EXCLUSIVE");
}

const char *far_end(Arena *arena, const Table *table, const char *constraint)
{
    const TableConstraint *key = table_constraint(table, constraint);
    return key != NULL && key->ref_table != NULL ? sql_name(arena, key->ref_schema, key->ref_table) : NULL;
}

/* ---- column --------------------------------------------------------------------------------- */

static bool dropped_here(const Maker *maker, const TableWork *work, const char *column)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *op = &maker->change->operations[i];
        if (op->kind == OPERATION_DROP_COLUMN && str_eq(op->column, column) &&
            op_is_on(maker, op, work->table->schema, work->table->name))
            return true;
    }
    return false;
}

/* An index goes with its columns: nothing is lost where the change names them all. */
static bool whole_index_goes(const Maker *maker, const TableWork *work, const TableWork *part,
                             const char *name)
{
    const Index *index = table_index(part->table, name);
    for (size_t i = 0; index != NULL && i < index->column_count; i++)
        if (index->columns[i] == NULL || !dropped_here(maker, work, index->columns[i]))
            return false;
    return index != NULL;
}

static bool is_key(const TableWork *work, const Dependent *dependent)
{
    const Index *index = table_index(work->table, dependent->name);
    return str_eq(dependent->kind, "primary key") || str_eq(dependent->kind, "unique constraint") ||
           str_eq(dependent->kind, "exclusion constraint") ||
           (str_eq(dependent->kind, "index") && index != NULL && index->unique);
}

/* The server would take it along with the column, and no earlier step does. */
static bool goes_along(Maker *maker, const Operation *op, const TableWork *part, const Dependent *dependent)
{
    return stands_on(dependent, op->column, NULL) && dependent->goes && dependent_is_own(part, dependent) &&
           !taken_first(maker, op, dependent);
}

/* What the server would take along without a word. */
static void column_losses(Maker *maker, const Operation *op, TableWork *work, const char *what)
{
    Arena *arena = maker->arena;
    Str keys CLEANUP(str_donep) = STR_INIT, others CLEANUP(str_donep) = STR_INIT;
    size_t at = 0;
    for (TableWork *part; (part = work_next_part(maker, work, &at)) != NULL;)
        for (size_t i = 0; i < part->table->dependent_count; i++) {
            const Dependent *dependent = &part->table->dependents[i];
            if (!goes_along(maker, op, part, dependent))
                continue;
            bool key = is_key(part, dependent);
            bool lost = dependent->shared && !whole_index_goes(maker, work, part, dependent->name);
            if (!key && !lost)
                continue;
            Str *list = key ? &keys : &others;
            str_sep(list, ", ");
            str_add(list, dependent->text);
        }
    if (keys.len > 0)
        maker_risk(maker, "key-loss", "--accept-key-loss",
                   arena_printf(arena,
                                "with %s goes what keeps rows apart: %s; duplicates, and ON CONFLICT without "
                                "an index to stand on, are possible afterwards",
                                what, keys.buf),
                   NULL);
    if (others.len > 0)
        maker_risk(maker, "index-loss", "--accept-index-loss",
                   arena_printf(arena, "with %s goes what other columns need as well: %s", what, others.buf),
                   NULL);
}

static const TableConstraint *not_null_check(Arena *arena, const Table *table, const char *column)
{
    const char *text = arena_printf(arena, "CHECK (%s IS NOT NULL)", sql_ident(arena, column));
    for (size_t i = 0; i < table->constraint_count; i++) {
        const TableConstraint *constraint = &table->constraints[i];
        size_t len = strlen(constraint->definition);
        bool half = len > 10 && str_eq(constraint->definition + len - 10, " NOT VALID");
        if (constraint->kind == 'c' &&
            definition_like(
                arena, half ? arena_dupn(arena, constraint->definition, len - 10) : constraint->definition,
                text))
            return constraint;
    }
    return NULL;
}

static bool in_primary_key(const Maker *maker, const TableWork *work, const TableWork *part,
                           const char *column)
{
    const TableConstraint *dropped = primary_key_dropped(maker, work);
    for (size_t i = 0; i < part->table->index_count && dropped == NULL; i++)
        for (size_t k = 0; part->table->indexes[i].primary && k < part->table->indexes[i].column_count; k++)
            if (str_eq(part->table->indexes[i].columns[k], column))
                return true;
    return false;
}

static bool is_published_by(const Table *table, const char *publication)
{
    for (size_t i = 0; i < table->publication_count; i++)
        if (str_eq(table->publications[i].name, publication))
            return true;
    return false;
}

/* Subscribers with the column's NOT NULL would stop at the first row without it. `whole` is the table that is
 * changed, `work` this or a partition of it. */
static void subscribers_risk(Maker *maker, const TableWork *whole, const TableWork *work, const char *ident)
{
    for (size_t i = 0; i < work->table->publication_count; i++) {
        if (work != whole && is_published_by(whole->table, work->table->publications[i].name))
            continue;
        maker_risk(
            maker, "subscribers", "--subscribers-ready",
            arena_printf(maker->arena,
                         "publication %s carries %s: a subscriber where %s may not be null stops at the "
                         "first row without it; let it be null there first",
                         sql_ident(maker->arena, work->table->publications[i].name), work->sql, ident),
            arena_printf(maker->arena, "ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", work->sql, ident));
    }
}

static Err *not_in_key(const Maker *maker, const TableWork *work, const TableWork *part, const char *column)
{
    if (!in_primary_key(maker, work, part, column))
        return NULL;
    return err_hint(
        err_new(ERR_UNSAFE,
                "\"%s.%s.%s\" is part of the primary key and has no default: no application can leave "
                "it out before it goes",
                part->table->schema, part->table->name, column),
        "replace the key in the same change, before this: ALTER TABLE %s DROP CONSTRAINT …, ADD PRIMARY "
        "KEY (…); or give the column a default",
        part->sql);
}

/* One table of the tree, or the plain one. What a partition has of its parent went with that. */
static Err *left_out_of(Maker *maker, TableWork *work, TableWork *part, const char *name)
{
    Arena *arena = maker->arena;
    const Column *column = table_column(part->table, name);
    const char *ident = sql_ident(arena, name);
    TRY(not_in_key(maker, work, part, name));
    const TableConstraint *check = not_null_check(arena, part->table, name);
    bool of_parent = part != work && table_column(work->table, name)->not_null;
    bool lets = column->not_null && (!of_parent || not_null_own(arena, part->table, name));
    const char *title = in_leaf(maker, work, part, arena_printf(arena, "let %s be left out", ident));
    if (lets) {
        Step *step = maker_ddl(
            maker, PHASE_CONSTRAIN, part, "ACCESS EXCLUSIVE", title,
            arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", part->sql, ident), NULL);
        back_not_null(maker, part, step, name);
    }
    if (check != NULL && (part == work || !check->inherited)) {
        Step *step = maker_ddl(maker, PHASE_CONSTRAIN, part, "ACCESS EXCLUSIVE", title,
                               arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT %s", part->sql,
                                            sql_ident(arena, check->name)),
                               NULL);
        back_constraint(maker, part, step, check);
    }
    if (column->not_null || check != NULL)
        subscribers_risk(maker, work, part, ident);
    return NULL;
}

/* The new application leaves the column out from `ready` on: it must have a default, or may be null, in each
 * partition as well, since rows may be written into it by its name. */
static Err *column_left_out(Maker *maker, TableWork *work, const char *name)
{
    bool computed = true;
    size_t at = 0;
    for (TableWork *part; (part = work_next_part(maker, work, &at)) != NULL && computed;) {
        const Column *column = table_column(part->table, name);
        computed = column->default_sql != NULL || column->generated_sql != NULL || column->identity != '\0';
    }
    at = 0;
    for (TableWork *part; !computed && (part = work_next_part(maker, work, &at)) != NULL;)
        TRY(left_out_of(maker, work, part, name));
    return NULL;
}

/* Another change still computes something from it. */
static Err *sync_check_column(const Table *table, const char *column)
{
    for (size_t i = 0; i < table->sync_count; i++) {
        const SyncColumn *sync = &table->sync[i];
        bool used = str_eq(sync->column, column);
        for (size_t k = 0; k < sync->source_count; k++)
            used = used || str_eq(sync->sources[k], column);
        for (size_t k = 0; k < sync->back_count; k++)
            used = used || str_eq(sync->back[k].column, column);
        if (used)
            return err_hint(err_new(ERR_UNSAFE, "another change keeps \"%s\" of \"%s.%s\" in step by \"%s\"",
                                    sync->column, table->schema, table->name, column),
                            "complete or abort it first: stoa status");
    }
    return NULL;
}

/* The server drops an index of a partitioned table with all its parts, and not CONCURRENTLY: so each goes by
 * itself, under a lock of its own that is held for as long as that takes and no longer (its files are removed
 * when the lock is gone). */
static void tree_index_goes(Maker *maker, TableWork *work, const Dependent *dependent)
{
    Arena *arena = maker->arena;
    const char *ident = sql_ident(arena, dependent->name);
    const char *sql =
        arena_printf(arena, "DROP INDEX IF EXISTS %s", sql_name(arena, dependent->schema, dependent->name));
    if (contract_has(maker, sql))
        return;
    maker_ddl(maker, PHASE_CONTRACT, work, "ACCESS EXCLUSIVE",
              arena_printf(arena, "drop index %s of all partitions", ident), sql, NULL);
    maker_risk(maker, "drop-index", NULL,
               arena_printf(arena,
                            "the server drops index %s of a partitioned table not CONCURRENTLY but under a "
                            "short lock on all partitions: it goes by itself, before the column",
                            ident),
               NULL);
}

static void column_goes(Maker *maker, const Operation *op, TableWork *work, const char *ident)
{
    Arena *arena = maker->arena;
    size_t at = 0;
    for (TableWork *part; (part = work_next_part(maker, work, &at)) != NULL;)
        for (size_t i = 0; i < part->table->dependent_count; i++) {
            const Dependent *dependent = &part->table->dependents[i];
            if (!goes_along(maker, op, part, dependent))
                continue;
            if (str_eq(dependent->kind, "index") && part->table->kind == RELATION_PARTITIONED)
                tree_index_goes(maker, part, dependent);
            else if (str_eq(dependent->kind, "index"))
                index_goes(maker, part, dependent);
            else if (str_eq(dependent->kind, "foreign key"))
                key_goes(maker, part, dependent->name, far_end(arena, part->table, dependent->name));
        }
    maker_ddl(maker, PHASE_CONTRACT, work, "ACCESS EXCLUSIVE", arena_printf(arena, "drop column %s", ident),
              arena_printf(arena, "ALTER TABLE %s DROP COLUMN IF EXISTS %s", work->sql, ident), NULL);
}

Err *column_drop(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    const Column *column = table_column(work->table, op->column);
    const char *ident = sql_ident(arena, op->column);
    const char *what = arena_printf(arena, "%s.%s", work->sql, ident);
    if (column == NULL && maker_adds(maker, work->table, op->column) != NULL)
        return err_new(ERR_USAGE, "line %d: the change adds and drops column \"%s\"", op->line, op->column);
    if (column == NULL && op->part_if_exists) {
        maker_risk(maker, "missing", NULL,
                   arena_printf(arena, "column %s does not exist: skipped as IF EXISTS asks", what), NULL);
        return NULL;
    }
    if (column == NULL)
        return err_new(ERR_USAGE, "table \"%s.%s\" has no column \"%s\"", work->table->schema,
                       work->table->name, op->column);
    TRY(partition_key_check(
        work, op->column, "it cannot be dropped",
        "a new table that is partitioned another way, filled from this one, takes its place"));
    TRY(sync_check_column(work->table, op->column));
    TRY(dependents_check(maker, op, work, what));
    TRY(column_left_out(maker, work, column->name));
    maker->derives_revert = true;
    column_losses(maker, op, work, what);
    mention_note(maker, op, work, what);
    maker_evidence(maker, work, column->name, false);
    column_goes(maker, op, work, ident);
    return NULL;
}

/* ---- constraint ----------------------------------------------------------------------------- */

static const Operation *key_replaced_by(const Maker *maker, const Operation *op)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *other = &maker->change->operations[i];
        const Table *table = maker_table(maker, op->table, false);
        if (other > op && other->kind == OPERATION_ADD_CONSTRAINT &&
            other->constraint->kind == CONSTRAINT_PRIMARY_KEY &&
            op_is_on(maker, other, table->schema, table->name))
            return other;
    }
    return NULL;
}

const TableConstraint *primary_key_dropped(const Maker *maker, const TableWork *work)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *op = &maker->change->operations[i];
        const TableConstraint *constraint =
            op->kind == OPERATION_DROP_CONSTRAINT &&
                    op_is_on(maker, op, work->table->schema, work->table->name)
                ? table_constraint(work->table, op->constraint_name)
                : NULL;
        if (constraint != NULL && constraint->kind == 'p')
            return constraint;
    }
    return NULL;
}

static void key_risk(Maker *maker, const TableWork *work, const TableConstraint *constraint)
{
    if (constraint->kind != 'p' || work->table->publication_count == 0)
        return;
    maker_risk(maker, "key-loss", "--accept-key-loss",
               arena_printf(maker->arena,
                            "%s is published: without a primary key or another replica identity the server "
                            "refuses every UPDATE and DELETE of it",
                            work->sql),
               arena_printf(maker->arena, "ALTER TABLE %s REPLICA IDENTITY FULL", work->sql));
}

static const char *constraint_words(char kind)
{
    switch (kind) {
    case 'c':
        return "check constraint";
    case 'f':
        return "foreign key";
    case 'u':
        return "unique constraint";
    case 'p':
        return "primary key";
    case 'x':
        return "exclusion constraint";
    case 'n':
        return "not-null constraint";
    default:
        return "constraint";
    }
}

Err *constraint_drop(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    const TableConstraint *constraint = table_constraint(work->table, op->constraint_name);
    const char *ident = sql_ident(arena, op->constraint_name);
    if (constraint == NULL && op->part_if_exists) {
        maker_risk(maker, "missing", NULL,
                   arena_printf(arena, "constraint %s of %s does not exist: skipped as IF EXISTS asks", ident,
                                work->sql),
                   NULL);
        return NULL;
    }
    if (constraint == NULL)
        return err_new(ERR_USAGE, "\"%s.%s\" has no constraint \"%s\"", work->table->schema,
                       work->table->name, op->constraint_name);
    const char *what =
        arena_printf(arena, "%s %s of %s", constraint_words(constraint->kind), ident, work->sql);
    TRY(dependents_check(maker, op, work, what));
    if (constraint->kind == 'p' && key_replaced_by(maker, op) != NULL && !work_is_tree(work))
        return NULL; /* in the transaction that makes the new one */
    key_risk(maker, work, constraint);
    /* There is no way back online for it, so it stays as long as the old application may need it. */
    bool late = constraint->kind == 'x' || strstr(constraint->definition, "WITHOUT OVERLAPS") != NULL;
    Step *step =
        maker_ddl(maker, late ? PHASE_CONTRACT : PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE",
                  arena_printf(arena, "drop %s %s", constraint_words(constraint->kind), ident),
                  arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", work->sql, ident), NULL);
    const char *far = far_end(arena, work->table, op->constraint_name);
    if (far != NULL && !str_eq(far, work->sql))
        step_add_lock_mode(maker, step, far, "ACCESS EXCLUSIVE");
    if (!late)
        back_constraint(maker, work, step, constraint);
    return NULL;
}
