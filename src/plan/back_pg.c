/* Ways back of steps that drop something the rows must prove again: never by a scan under a strong lock. */
#include "plan/maker.h"

#include <string.h>

Step *back_push(Maker *maker, Step *step, const Table *table, StepKind kind, const char *lock,
                const char *title)
{
    Step *grown = arena_alloc(maker->arena, (step->undo_step_count + 1) * sizeof *grown);
    if (step->undo_step_count > 0)
        memcpy(grown, step->undo_steps, step->undo_step_count * sizeof *grown);
    Step *added = &grown[step->undo_step_count++];
    *added = (Step){.phase = step->phase,
                    .kind = kind,
                    .title = title,
                    .lock = lock,
                    .evidence = EVIDENCE_RULE,
                    .timeout = kind == STEP_DDL ? TIMEOUT_LOCK : TIMEOUT_WATCHDOG,
                    .estimate_low_ms = 1,
                    .estimate_high_ms = 20,
                    .table = {.schema = table->schema, .name = table->name},
                    .scans = kind != STEP_DDL,
                    .role = step->role};
    step_add_lock(maker, added, table);
    step_add_tree(maker, added, table, lock);
    added->lock_tree = table->partition_count;
    step->undo_steps = grown;
    return added;
}

Step *back_not_valid(Maker *maker, const TableWork *work, Step *step, const char *name,
                     const char *definition)
{
    Arena *arena = maker->arena;
    const char *ident = sql_ident(arena, name);
    Step *added = back_push(maker, step, work->table, STEP_DDL, "ACCESS EXCLUSIVE",
                            arena_printf(arena, "put %s back for new rows", ident));
    step_add_sql(maker, added,
                 arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", work->sql, ident));
    step_add_sql(
        maker, added,
        arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", work->sql, ident, definition));
    return added;
}

static void validate_one(Maker *maker, const TableWork *work, Step *step, const char *name, const char *title)
{
    Arena *arena = maker->arena;
    Step *added = back_push(maker, step, work->table, STEP_VALIDATE, "SHARE UPDATE EXCLUSIVE", title);
    step_add_sql(
        maker, added,
        arena_printf(arena, "ALTER TABLE %s VALIDATE CONSTRAINT %s", work->sql, sql_ident(arena, name)));
    added->scans = !work_is_tree(work); /* else its partitions are valid by then */
    Span span = estimate_scan(work->table);
    if (added->scans)
        step_estimate(added, span.low, span.high);
}

void back_validate(Maker *maker, const TableWork *work, Step *step, const char *name)
{
    const char *title = arena_printf(maker->arena, "validate %s", sql_ident(maker->arena, name));
    size_t at = 0;
    for (TableWork *leaf; work_is_tree(work) && (leaf = work_next_leaf(maker, work, &at)) != NULL;)
        validate_one(maker, leaf, step, name, in_leaf(maker, work, leaf, title));
    validate_one(maker, work, step, name, title);
}

/* PostgreSQL 18's own constraint. */
static const TableConstraint *not_null_find(Arena *arena, const Table *table, const char *column)
{
    const char *text = arena_printf(arena, "NOT NULL %s", sql_ident(arena, column));
    for (size_t i = 0; i < table->constraint_count; i++)
        if (table->constraints[i].kind == 'n' && str_starts(table->constraints[i].definition, text) &&
            strchr(" ", table->constraints[i].definition[strlen(text)]) != NULL)
            return &table->constraints[i];
    return NULL;
}

bool not_null_own(Arena *arena, const Table *table, const char *column)
{
    const TableConstraint *found = not_null_find(arena, table, column);
    return found != NULL && found->local;
}

void back_not_null(Maker *maker, TableWork *work, Step *step, const char *column)
{
    Arena *arena = maker->arena;
    int version = maker->server->version_num;
    const char *ident = sql_ident(arena, column), *own = NULL;
    const TableConstraint *constraint = not_null_find(arena, work->table, column);
    if (constraint != NULL)
        own = constraint->name;
    const char *set = arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", work->sql, ident);
    if (work_is_tree(work) && version < 120000) {
        back_not_null_tree(maker, work, step, column);
    } else if (version >= 180000 && own != NULL) {
        back_not_valid(maker, work, step, own, arena_printf(arena, "NOT NULL %s", ident));
        back_validate(maker, work, step, own);
    } else if (version >= 120000) { /* a valid CHECK is the proof: no scan */
        const char *name = name_free(maker, work, column, "not_null");
        back_not_valid(maker, work, step, name, arena_printf(arena, "CHECK (%s IS NOT NULL)", ident));
        back_validate(maker, work, step, name);
        step_add_undo(maker, step, set);
        step_add_undo(maker, step,
                      arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", work->sql,
                                   sql_ident(arena, name)));
    } else { /* 10 and 11 know no proof: the scan is bounded by --max-stall */
        step_add_undo(maker, step, set);
    }
}

static const char *deferrable_suffix(const char *definition)
{
    static const char *const suffixes[] = {" DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        size_t len = strlen(definition), cut = strlen(suffixes[i]);
        if (len >= cut && str_eq(definition + len - cut, suffixes[i]))
            return suffixes[i];
    }
    return "";
}

const char *back_key_sql(Arena *arena, const TableWork *work, const TableConstraint *constraint,
                         const char *name)
{
    const char *ident = sql_ident(arena, name);
    return arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s%s", work->sql, ident,
                        constraint->kind == 'p' ? "PRIMARY KEY" : "UNIQUE", ident,
                        deferrable_suffix(constraint->definition));
}

void back_index(Maker *maker, const TableWork *work, Step *step, const Index *index)
{
    Arena *arena = maker->arena;
    Step *build = back_push(maker, step, work->table, STEP_CREATE_INDEX, "SHARE UPDATE EXCLUSIVE",
                            arena_printf(arena, "build index %s again", sql_ident(arena, index->name)));
    step_add_sql(maker, build, index_rebuild_sql(arena, index));
    build->index = index->name;
    build->index_unique = index->unique;
    Span span = estimate_index(work->table);
    step_estimate(build, span.low, span.high);
}

static void back_key(Maker *maker, TableWork *work, Step *step, const TableConstraint *constraint)
{
    Arena *arena = maker->arena;
    const Index *index = NULL;
    for (size_t i = 0; i < work->table->index_count; i++)
        if (str_eq(work->table->indexes[i].constraint, constraint->name))
            index = &work->table->indexes[i];
    if (index == NULL)
        return;
    back_index(maker, work, step, index);
    step_add_undo(maker, step, back_key_sql(arena, work, constraint, index->name));
}

void back_constraint(Maker *maker, TableWork *work, Step *step, const TableConstraint *constraint)
{
    Arena *arena = maker->arena;
    if (work_is_tree(work) && strchr("upf", constraint->kind) != NULL && constraint->validated) {
        back_constraint_tree(maker, work, step, constraint);
    } else if (constraint->kind == 'u' || constraint->kind == 'p') {
        back_key(maker, work, step, constraint);
    } else if (constraint->validated) {
        Step *add = back_not_valid(maker, work, step, constraint->name, constraint->definition);
        if (constraint->ref_table != NULL && step->lock_count > 1)
            step_add_lock_mode(maker, add, step->lock_on[1], "ACCESS EXCLUSIVE");
        back_validate(maker, work, step, constraint->name);
    } else {
        step_add_undo(maker, step,
                      arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s", work->sql,
                                   sql_ident(arena, constraint->name), constraint->definition));
    }
}
