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
    step_add_tree(maker, step, work->table, lock);
    step->lock_tree = work->table->partition_count;
    step_estimate(step, 1, 20);
    if (sql != NULL)
        step_add_sql(maker, step, sql);
    if (undo != NULL)
        step_add_undo(maker, step, undo);
    return step;
}

static void validate_one(Maker *maker, TableWork *work, TableWork *one, const char *constraint,
                         const Table *also)
{
    Arena *arena = maker->arena;
    const char *title = arena_printf(arena, "validate constraint %s", sql_ident(arena, constraint));
    Step *step = maker_step(maker, PHASE_CONSTRAIN, STEP_VALIDATE, one, in_leaf(maker, work, one, title));
    one->touched = true;
    step_add_sql(
        maker, step,
        arena_printf(arena, "ALTER TABLE %s VALIDATE CONSTRAINT %s", one->sql, sql_ident(arena, constraint)));
    step->lock = "SHARE UPDATE EXCLUSIVE";
    step_add_lock(maker, step, one->table);
    step_add_tree(maker, step, one->table, step->lock);
    step->lock_tree = one->table->partition_count;
    if (also != NULL)
        step_add_lock_mode(maker, step, sql_name(maker->arena, also->schema, also->name), "ROW SHARE");
    step->scans = !work_is_tree(one); /* else its partitions are valid by then */
    step->timeout = TIMEOUT_WATCHDOG;
    Span span = estimate_scan(one->table);
    if (step->scans)
        step_estimate(step, span.low, span.high);
}

void maker_validate(Maker *maker, TableWork *work, const char *constraint, const Table *also)
{
    size_t at = 0;
    for (TableWork *leaf; work_is_tree(work) && (leaf = work_next_leaf(maker, work, &at)) != NULL;)
        validate_one(maker, work, leaf, constraint, also);
    validate_one(maker, work, work, constraint, also);
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

static void checks_one(Maker *maker, Phase phase, TableWork *work, const char *title, const Check *checks,
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

void maker_look(Maker *maker, Phase phase, TableWork *work, const char *title, const Check *check)
{
    checks_one(maker, phase, work, title, check, 1);
    Step *step = &maker->steps[phase].items[maker->steps[phase].len - 1];
    step->scans = false;
    step_estimate(step, 1, 10);
}

void maker_newcomers(Maker *maker, TableWork *work, const Check *checks, size_t count)
{
    checks_one(maker, PHASE_VERIFY, work, "the same of partitions that came meanwhile", checks, count);
    Step *step = &maker->steps[PHASE_VERIFY].items[maker->steps[PHASE_VERIFY].len - 1];
    step->scans = false;
    step_estimate(step, 1, 10);
}

void maker_checks(Maker *maker, Phase phase, TableWork *work, const char *title, const Check *checks,
                  size_t count)
{
    size_t at = 0;
    for (TableWork *leaf; (leaf = work_next_leaf(maker, work, &at)) != NULL;)
        checks_one(maker, phase, leaf, in_leaf(maker, work, leaf, title), checks, count);
}
