/* NOT NULL without a scan under a strong lock: by a validated CHECK, or by the server's own NOT VALID. */
#include "plan/maker.h"

#include <string.h>

/* A validated CHECK that says the column is not null: from 12 on the server takes it as the proof. */
static const TableConstraint *proof_find(Arena *arena, const Table *table, const char *column)
{
    const char *text = arena_printf(arena, "CHECK (%s IS NOT NULL)", sql_ident(arena, column));
    for (size_t i = 0; i < table->constraint_count; i++) {
        const TableConstraint *constraint = &table->constraints[i];
        if (constraint->kind == 'c' && constraint->validated &&
            definition_like(arena, constraint->definition, text))
            return constraint;
    }
    return NULL;
}

/* A NOT NULL … NOT VALID of PostgreSQL 18 that nobody has validated yet. */
static const TableConstraint *unvalidated_find(Arena *arena, const Table *table, const char *column)
{
    const char *text = arena_printf(arena, "NOT NULL %s NOT VALID", sql_ident(arena, column));
    for (size_t i = 0; i < table->constraint_count; i++) {
        const TableConstraint *constraint = &table->constraints[i];
        if (constraint->kind == 'n' && !constraint->validated &&
            definition_like(arena, constraint->definition, text))
            return constraint;
    }
    return NULL;
}

/* SET NOT NULL; `drop` is the CHECK that has done its work, or NULL. */
static Step *set_step(Maker *maker, TableWork *work, const char *column, const char *drop, bool new_column)
{
    Arena *arena = maker->arena;
    const char *ident = sql_ident(arena, column);
    Step *step = maker_ddl(
        maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE", arena_printf(arena, "set %s not null", ident),
        arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", work->sql, ident),
        new_column ? NULL
                   : arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", work->sql, ident));
    if (new_column)
        *vec_push(arena, &maker->covered) = step->sql[0];
    if (drop != NULL)
        step_add_sql(
            maker, step,
            arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT %s", work->sql, sql_ident(arena, drop)));
    return step;
}

/* ADD CONSTRAINT … NOT VALID and its validation; returns the name. */
static const char *add_proof(Maker *maker, TableWork *work, const char *column, bool new_column,
                             const char *definition)
{
    Arena *arena = maker->arena;
    const char *name = name_free(maker, work, column, "not_null");
    const char *ident = sql_ident(arena, name);
    const Step *step = maker_ddl(
        maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE",
        arena_printf(arena, "new rows need %s: constraint %s, not valid", sql_ident(arena, column), ident),
        arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", work->sql, ident, definition),
        arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", work->sql, ident));
    if (new_column)
        *vec_push(arena, &maker->covered) = step->sql[0];
    maker_validate(maker, work, name, NULL);
    return name;
}

/* 10 and 11 scan under the strong lock whatever CHECK stands there; `ours` may go afterwards. */
static Err *set_by_scan(Maker *maker, TableWork *work, const char *column, const char *check, bool ours,
                        bool new_column, bool hard)
{
    Arena *arena = maker->arena;
    int64_t stall_ms = estimate_stall_ms(work->table), half_ms = maker->input->options.max_stall_ms / 2;
    bool accepted = maker_accepts(maker, "scan");
    const char *column_text = arena_printf(arena, "%s.%s.%s", work->table->schema, work->table->name, column);
    if (stall_ms > half_ms && !accepted && hard)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "\"%s\" must be NOT NULL, and PostgreSQL %s can only do that with a scan of about "
                    "%lld ms under ACCESS EXCLUSIVE, more than half of --max-stall",
                    column_text, maker->server->version, (long long)stall_ms),
            "add --accept-scan, raise --max-stall, or upgrade the server to 12 or newer");
    if (stall_ms > half_ms && !accepted) {
        maker_risk(
            maker, "scan", NULL,
            arena_printf(arena,
                         "SET NOT NULL on %s would scan for about %lld ms under ACCESS EXCLUSIVE on "
                         "PostgreSQL %s: the column stays on the validated constraint %s; --accept-scan sets "
                         "it all the same",
                         column_text, (long long)stall_ms, maker->server->version, check),
            NULL);
        return NULL;
    }
    if (stall_ms > half_ms)
        maker_risk(maker, "scan", "--accept-scan",
                   arena_printf(arena, "SET NOT NULL on %s scans for about %lld ms under ACCESS EXCLUSIVE",
                                column_text, (long long)stall_ms),
                   NULL);
    Step *step = set_step(maker, work, column, ours ? check : NULL, new_column);
    step->scans = true;
    step->evidence = EVIDENCE_CATALOG;
    step_estimate(step, stall_ms / 2 + 1, stall_ms * 2 + 20);
    return NULL;
}

Err *not_null_prove(Maker *maker, TableWork *work, const char *column, bool new_column, bool hard)
{
    Arena *arena = maker->arena;
    int version = maker->server->version_num;
    const char *ident = sql_ident(arena, column);
    const TableConstraint *proof = proof_find(arena, work->table, column);
    if (proof != NULL && version >= 120000) {
        set_step(maker, work, column, NULL, new_column)->evidence = EVIDENCE_CATALOG;
        return NULL;
    }
    if (proof != NULL)
        return set_by_scan(maker, work, column, proof->name, false, new_column, hard);
    if (version >= 180000) {
        add_proof(maker, work, column, new_column, arena_printf(arena, "NOT NULL %s", ident));
        return NULL;
    }
    const char *check =
        add_proof(maker, work, column, new_column, arena_printf(arena, "CHECK (%s IS NOT NULL)", ident));
    if (version < 120000)
        return set_by_scan(maker, work, column, check, true, new_column, hard);
    set_step(maker, work, column, check, new_column);
    return NULL;
}

bool not_null_known(Arena *arena, const Table *table, const char *column)
{
    const Column *found = table_column(table, column);
    return found != NULL && (found->not_null ? unvalidated_find(arena, table, column) == NULL
                                             : proof_find(arena, table, column) != NULL);
}

static bool filled_by_this_change(const TableWork *work, const char *column)
{
    for (size_t i = 0; i < work->fills.len; i++)
        if (str_eq(work->fills.items[i].column, column))
            return true;
    return false;
}

Err *not_null_set(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    TRY(maker_needs_column(maker, work->table, op->column));
    const Column *column = table_column(work->table, op->column);
    const TableConstraint *half = unvalidated_find(arena, work->table, op->column);
    if (column == NULL || (column->not_null && half == NULL))
        return NULL;
    const char *ident = sql_ident(arena, op->column);
    bool proved = proof_find(arena, work->table, op->column) != NULL;
    if (!proved && !filled_by_this_change(work, op->column)) {
        const Check check = {
            .label = arena_printf(arena, "%s is null", ident),
            .predicate = arena_printf(arena, "%s IS NULL", ident),
            .hint =
                arena_printf(arena, "fill these rows first, or let this change do it: --backfill '%s.%s = …'",
                             sql_ident(arena, work->table->name), ident)};
        maker_checks(maker, PHASE_PREPARE, work, arena_printf(arena, "no row lacks %s", ident), &check, 1);
    }
    if (half != NULL) {
        maker_validate(maker, work, half->name, NULL);
        return NULL;
    }
    return not_null_prove(maker, work, op->column, false, false);
}

Err *not_null_drop(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    TRY(maker_needs_column(maker, work->table, op->column));
    const Column *column = table_column(work->table, op->column);
    if (column == NULL || !column->not_null)
        return NULL;
    const char *ident = sql_ident(arena, op->column);
    Step *step = maker_ddl(
        maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE", arena_printf(arena, "let %s be null", ident),
        arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", work->sql, ident), NULL);
    back_not_null(maker, work, step, op->column);
    return NULL;
}
