/* Writing steps into the plan that is being made. */
#include "plan/maker.h"

#include <string.h>

/* Lists in steps are small and grow one by one. */
static void append(Maker *maker, const char *const **items, size_t *count, const char *text)
{
    const char **grown = arena_alloc(maker->arena, (*count + 1) * sizeof *grown);
    if (*count > 0)
        memcpy(grown, *items, *count * sizeof *grown);
    grown[*count] = text;
    *items = grown;
    (*count)++;
}

void step_add_sql(Maker *maker, Step *step, const char *sql)
{
    append(maker, &step->sql, &step->sql_count, sql);
}

void step_add_undo(Maker *maker, Step *step, const char *undo)
{
    append(maker, &step->undo, &step->undo_count, undo);
}

void step_add_lock_mode(Maker *maker, Step *step, const char *relation, const char *mode)
{
    size_t count = step->lock_count;
    append(maker, &step->lock_on, &step->lock_count, relation);
    append(maker, &step->lock_modes, &count, mode);
}

void step_add_lock(Maker *maker, Step *step, const Table *table)
{
    bool own = str_eq(step->table.name, table->name) && str_eq(step->table.schema, table->schema);
    step_add_lock_mode(maker, step, sql_name(maker->arena, table->schema, table->name),
                       own ? step->lock : "SHARE ROW EXCLUSIVE");
}

void step_estimate(Step *step, int64_t low_ms, int64_t high_ms)
{
    step->estimate_low_ms = low_ms;
    step->estimate_high_ms = high_ms;
}

Step *maker_step(Maker *maker, Phase phase, StepKind kind, const TableWork *work, const char *title)
{
    Step *step = vec_push(maker->arena, &maker->steps[phase]);
    *step = (Step){.phase = phase,
                   .kind = kind,
                   .title = title,
                   .lock = "",
                   .evidence = EVIDENCE_RULE,
                   .timeout = TIMEOUT_NONE,
                   .estimate_high_ms = 1};
    if (work != NULL) {
        const Table *table = work->table;
        step->table = (Name){.schema = table->schema, .name = table->name};
        step->role = str_eq(table->owner, maker->server->role) ? NULL : table->owner;
    }
    return step;
}

Step *maker_ddl(Maker *maker, Phase phase, TableWork *work, const char *lock, const char *title,
                const char *sql, const char *undo)
{
    Step *step = maker_step(maker, phase, STEP_DDL, work, title);
    work->touched = true;
    step->lock = lock;
    step->timeout = TIMEOUT_LOCK;
    step_add_lock(maker, step, work->table);
    step_estimate(step, 1, 20);
    if (sql != NULL)
        step_add_sql(maker, step, sql);
    if (undo != NULL)
        step_add_undo(maker, step, undo);
    return step;
}

void maker_validate(Maker *maker, TableWork *work, const char *constraint, const Table *also)
{
    Arena *arena = maker->arena;
    Step *step = maker_step(maker, PHASE_CONSTRAIN, STEP_VALIDATE, work,
                            arena_printf(arena, "validate constraint %s", sql_ident(arena, constraint)));
    work->touched = true;
    step_add_sql(maker, step,
                 arena_printf(arena, "ALTER TABLE %s VALIDATE CONSTRAINT %s", work->sql,
                              sql_ident(arena, constraint)));
    step->lock = "SHARE UPDATE EXCLUSIVE";
    step_add_lock(maker, step, work->table);
    if (also != NULL)
        step_add_lock_mode(maker, step, sql_name(maker->arena, also->schema, also->name), "ROW SHARE");
    step->scans = true;
    step->timeout = TIMEOUT_WATCHDOG;
    Span span = estimate_scan(work->table);
    step_estimate(step, span.low, span.high);
}

void maker_no_revert(Maker *maker, const char *why)
{
    if (maker->no_revert == NULL)
        maker->no_revert = why;
}

void maker_risk(Maker *maker, const char *id, const char *accept, const char *message, const char *sql)
{
    *vec_push(maker->arena, &maker->risks) = (Risk){.id = id,
                                                    .accept = accept,
                                                    .accepted = accept != NULL && maker_accepts(maker, id),
                                                    .message = message,
                                                    .sql = sql};
}

/* One statement to show what is counted. */
static const char *check_sql(Maker *maker, const TableWork *work, const Check *check)
{
    if (check->query != NULL)
        return check->query;
    return arena_printf(maker->arena, "SELECT pg_catalog.count(*) FROM ONLY %s WHERE %s", work->sql,
                        check->predicate);
}

void maker_checks(Maker *maker, Phase phase, TableWork *work, const char *title, const Check *checks,
                  size_t count)
{
    Step *step = maker_step(maker, phase, STEP_VERIFY, work, title);
    work->touched = true;
    Check *copy = arena_alloc(maker->arena, count * sizeof *copy);
    memcpy(copy, checks, count * sizeof *copy);
    step->checks = copy;
    step->check_count = count;
    for (size_t i = 0; i < count; i++)
        step_add_sql(maker, step, check_sql(maker, work, &checks[i]));
    step->lock = "ACCESS SHARE";
    step_add_lock(maker, step, work->table);
    step->scans = true;
    step->timeout = TIMEOUT_CHUNK;
    Span span = estimate_scan(work->table);
    int64_t passes = (int64_t)count;
    step_estimate(step, span.low, span.high * passes);
}
