/* Ready is a position; quiet is the absence of old writers; and the sync trigger is looked at before one
 * relies on it. */
#include "run/runner.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/unit.h"

#include <string.h>

static bool has_sync(const Runner *runner) { return (runner->ops->features & ENGINE_SYNC_TRIGGERS) != 0; }

/* The step's table is this one, or the one at the top of its partitions. */
static bool stands_for(const Runner *runner, const Step *step, const Table *table)
{
    const char *name = table->is_partition ? table->root : NULL;
    if (name == NULL)
        name = sql_name(runner->scratch, table->schema, table->name);
    return str_eq(sql_name(runner->scratch, step->table.schema, step->table.name), name);
}

/* What the change registered stands for this very table, not for one that had its name before. */
static Err *same_table(Runner *runner, const Table *table)
{
    for (size_t i = 0; i < runner->plan.step_count; i++) {
        const Step *step = &runner->plan.steps[i];
        bool ours = step->sync && step->fill_count > 0 && stands_for(runner, step, table);
        int64_t id = 0;
        if (ours)
            TRY(journal_sync_table(runner->conn, runner->change_id, &step->fills[0], &id));
        if (id != 0 && id != (table->is_partition ? table->root_id : table->id))
            return err_hint(err_new(ERR_UNSAFE,
                                    "table \"%s\" was dropped or replaced by another one meanwhile",
                                    table->name),
                            "undo with: stoa abort %s, then apply again", runner->name);
    }
    return NULL;
}

Err *sync_check(Runner *runner, const Name *name)
{
    if (!has_sync(runner))
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Table table = {0};
    TRY(runner_load_table(runner, arena, name, &table));
    TRY(same_table(runner, &table));
    SyncColumn *columns = NULL;
    size_t count = 0;
    bool wanted = false;
    TRY(journal_sync_load(runner->conn, arena, table.is_partition ? table.root_id : table.id, &columns,
                          &count));
    for (size_t i = 0; i < count; i++)
        wanted = wanted || columns[i].change_id == runner->change_id;
    if (!wanted)
        return NULL;
    int found = 0;
    const char *last = NULL, *last_other = NULL;
    for (size_t i = 0; i < table.trigger_count; i++) {
        const Trigger *trigger = &table.triggers[i];
        if (!trigger->row || !trigger->before)
            continue;
        if (trigger->stoa && trigger->enabled == 'A') {
            found++;
            last = last == NULL || strcmp(trigger->name, last) < 0 ? trigger->name : last;
        } else if (!trigger->stoa && trigger->enabled != 'D') {
            last_other =
                last_other == NULL || strcmp(trigger->name, last_other) > 0 ? trigger->name : last_other;
        }
    }
    if (found < 2)
        return err_hint(err_new(ERR_UNSAFE,
                                "the sync trigger of \"%s\" is gone or disabled: writes may have been missed",
                                name->name),
                        "undo with: stoa abort %s, then apply again", runner->name);
    if (last_other != NULL && strcmp(last_other, last) > 0)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "trigger \"%s\" of \"%s\" was added meanwhile and sorts after the sync trigger: "
                    "it could change sources unseen",
                    last_other, name->name),
            "rename it: ALTER TRIGGER %s ON %s RENAME TO …", sql_ident(arena, last_other),
            sql_name(arena, name->schema, name->name));
    return NULL;
}

/* Writers are observed from here on. */
static Err *start_observing(Runner *runner, Arena *arena)
{
    if (!has_sync(runner))
        return NULL;
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    const char *id = arena_printf(arena, "%lld", (long long)runner->change_id);
    TRY(conn_params(runner->conn, &wait, arena, &rows,
                    "SELECT table_id, column_name, counter FROM stoa.sync_columns WHERE change_id = $1", id));
    for (size_t i = 0; i < rows.row_count; i++) {
        int64_t count = 0;
        Rows ignored = {0};
        TRY(runner->ops->counter_value(runner->conn, &wait, arena, rows_cell(&rows, i, 2), &count));
        TRY(conn_params(runner->conn, &wait, arena, &ignored,
                        "UPDATE stoa.sync_columns SET seen_count = $3, quiet_since = clock_timestamp() WHERE "
                        "table_id = $1 "
                        "AND column_name = $2",
                        rows_cell(&rows, i, 0), rows_cell(&rows, i, 1),
                        arena_printf(arena, "%lld", (long long)count)));
    }
    return NULL;
}

static const Step *ready_step(const Plan *plan)
{
    for (size_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].kind == STEP_READY)
            return &plan->steps[i];
    return NULL;
}

static Err *count_failures(Runner *runner, Arena *arena, int64_t *ret_count)
{
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, arena, &rows,
                    "SELECT count(*) FROM stoa.sync_failures f JOIN stoa.sync_columns s USING (table_id, "
                    "column_name) WHERE s.change_id = $1",
                    arena_printf(arena, "%lld", (long long)runner->change_id)));
    *ret_count = rows_int(&rows, 0, 0);
    return NULL;
}

Err *failures_note(Runner *runner)
{
    if (!has_sync(runner))
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const Step *step = ready_step(&runner->plan);
    int64_t count = 0;
    if (step == NULL)
        return NULL;
    TRY(count_failures(runner, arena, &count));
    return journal_checkpoint(runner->conn, &runner->lease, runner->change_id, step->ordinal,
                              arena_printf(arena, "{\"failures\": %lld}", (long long)count));
}

/* More than verify could know of: a failure counts from its commit, and its time is when its transaction
 * began. */
static Err *failures_grew(Runner *runner, Arena *arena, bool *ret_grew)
{
    const Step *step = ready_step(&runner->plan);
    int64_t count = 0;
    json_t *body = NULL;
    TRY(count_failures(runner, arena, &count));
    TRY(journal_load_checkpoint(runner->conn, arena, runner->change_id, step->ordinal, &body));
    const json_t *known = json_object_get(body, "failures");
    *ret_grew = json_is_integer(known) && count > json_integer_value(known);
    json_decref(body);
    return NULL;
}

/* What the trigger could not compute since the rows were verified: NULL, or on UPDATE the old value, may
 * stand there. */
static Err *failures_block(Runner *runner, Arena *arena)
{
    if (!has_sync(runner))
        return NULL;
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    bool grew = false;
    TRY(failures_grew(runner, arena, &grew));
    TRY(conn_params(
        runner->conn, &wait, arena, &rows,
        "SELECT f.column_name, f.key, f.message FROM stoa.sync_failures f JOIN stoa.sync_columns s USING "
        "(table_id, column_name) JOIN stoa.changes c ON c.id = s.change_id WHERE s.change_id = $1 AND ($2 OR "
        "f.at >= coalesce((SELECT min(started_at) FROM stoa.steps WHERE change_id = c.id AND phase = "
        "'verify'), c.created_at)) ORDER BY f.id DESC LIMIT 1",
        arena_printf(arena, "%lld", (long long)runner->change_id), grew ? "true" : "false"));
    if (rows.row_count == 0)
        return NULL;
    return err_hint(
        err_new(ERR_VERIFY, "column \"%s\" could not be computed for a write of the application (row %s): %s",
                rows_cell(&rows, 0, 0), rows_cell(&rows, 0, 1) != NULL ? rows_cell(&rows, 0, 1) : "unknown",
                rows_cell(&rows, 0, 2)),
        "mend the row, then: stoa resume %s, which verifies again", runner->name);
}

static Err *verify_again(Runner *runner, Arena *arena)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    return conn_params(runner->conn, &wait, arena, &rows,
                       "UPDATE stoa.steps SET state = 'pending' WHERE change_id = $1 AND phase = 'verify'",
                       arena_printf(arena, "%lld", (long long)runner->change_id));
}

static Err *ready_tx(Runner *runner, const Step *step, Arena *arena)
{
    Wait wait = runner_wait(runner);
    TRY(lease_prove(runner));
    TRY(failures_block(runner, arena));
    TRY(start_observing(runner, arena));
    TRY(journal_step(runner->conn, runner->change_id, step->ordinal, "done", NULL));
    TRY(journal_state(runner->conn, runner->change_id, "ready", "ready", NULL));
    TRY(failpoint_at("ready_before_commit"));
    return runner->ops->commit(runner->conn, &wait);
}

/* Each by itself, where the primary does not know. */
static Err *ask_each(Runner *runner, Arena *arena, const char *position, bool *ret_all)
{
    Wait wait = runner_wait(runner);
    *ret_all = true;
    for (size_t i = 0; i < runner->standby_count && *ret_all; i++) {
        CLEANUP(conn_closep) Conn *conn = NULL;
        TRY(runner_ask_standby(runner, i, NULL, &wait, &conn));
        TRY(runner->ops->reached(conn, &wait, arena, position, ret_all));
    }
    return NULL;
}

static Err *all_replayed(Runner *runner, Arena *arena, const char *position, bool *ret_all)
{
    Wait wait = runner_wait(runner);
    return runner->ops->reached != NULL
               ? ask_each(runner, arena, position, ret_all)
               : runner->ops->replayed(runner->conn, &wait, arena, position, ret_all);
}

static Err *wait_for_replicas(Runner *runner, const char *position)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (bool all = runner->standby_count == 0; !all;) {
        arena_clear(arena);
        TRY(control_gate(runner));
        TRY(all_replayed(runner, arena, position, &all));
        if (!all)
            stop_sleep(runner->options->stop, 100);
    }
    return NULL;
}

Err *ready_run(Runner *runner, const Step *step)
{
    TRY(evidence_begin(runner));
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    const char *position = NULL;
    if (step->table.name != NULL)
        TRY(sync_check(runner, &step->table));
    /* Most of the waiting is done here, where the change is still said to be running, or held by a replica.
     */
    TRY(runner->ops->position(runner->conn, &wait, arena, &position));
    TRY(wait_for_replicas(runner, position));
    TRY(runner->ops->begin(runner->conn, &wait,
                           &(TxSettings){.durable_commit = true, .lock_timeout_ms = 10000}));
    Err *err = ready_tx(runner, step, arena);
    if (err != NULL)
        runner->ops->rollback(runner->conn);
    if (err_is(err, ERR_VERIFY))
        err_free(verify_again(runner, arena));
    return err;
}

/* The replicas have replayed all that ready stands on before anybody is told. */
Err *ready_settle(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    const char *id = arena_printf(arena, "%lld", (long long)runner->change_id), *position = NULL;
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, arena, &rows,
                    "SELECT 1 FROM stoa.changes WHERE id = $1 AND ready_position IS NOT NULL", id));
    if (rows.row_count > 0)
        return NULL;
    TRY(runner->ops->position(runner->conn, &wait, arena, &position));
    TRY(wait_for_replicas(runner, position));
    TRY(conn_params(runner->conn, &wait, arena, &rows,
                    "UPDATE stoa.changes SET ready_position = $2 WHERE id = $1", id, position));
    span_ready(runner);
    runner_event(runner, "ready", 0, NULL, "ready: the application may rely on change \"%s\"", runner->name);
    return NULL;
}

/* ---- quiet ---------------------------------------------------------------------------------- */

static const char quiet_sql[] = "SELECT s.table_id, s.column_name, s.counter, s.seen_count, s.quiet_since, "
                                "(extract(epoch FROM clock_timestamp() - "
                                "s.quiet_since) * 1000)::bigint, (SELECT max(w.at) FROM stoa.writers w WHERE "
                                "w.table_id = s.table_id AND w.column_name = "
                                "s.column_name AND w.at > s.quiet_since), (SELECT w.application_name || ' (' "
                                "|| w.role_name || ')' FROM stoa.writers w "
                                "WHERE w.table_id = s.table_id AND w.column_name = s.column_name ORDER BY "
                                "w.id DESC LIMIT 1) FROM stoa.sync_columns s "
                                "WHERE s.change_id = $1";

/* A counter that moved since it was last read: an old writer. It is noted with its time, as exactly as is
 * known. */
static Err *note_writer(Runner *runner, Arena *arena, const Rows *rows, size_t row, int64_t count)
{
    Wait wait = runner_wait(runner);
    Rows ignored = {0};
    return conn_params(
        runner->conn, &wait, arena, &ignored,
        "UPDATE stoa.sync_columns SET seen_count = $3, quiet_since = coalesce($4::timestamptz + interval '1 "
        "minute', clock_timestamp()) WHERE table_id = $1 AND column_name = $2",
        rows_cell(rows, row, 0), rows_cell(rows, row, 1), arena_printf(arena, "%lld", (long long)count),
        rows_cell(rows, row, 6));
}

static Err *refuse_quiet(const char *column, const char *who, int64_t quiet_ms, int64_t wanted_ms,
                         const char *name)
{
    char quiet[UNIT_TEXT_BYTES], wanted[UNIT_TEXT_BYTES];
    (void)unit_duration_text(quiet_ms < 0 ? 0 : quiet_ms, quiet);
    (void)unit_duration_text(wanted_ms, wanted);
    Err *err =
        who != NULL
            ? err_new(ERR_UNSAFE, "an old writer of \"%s\" was seen %s ago, by application %s: less than %s",
                      column, quiet, who, wanted)
            : err_new(ERR_UNSAFE, "writers of \"%s\" have been observed for %s only: less than %s", column,
                      quiet, wanted);
    return err_hint(
        err,
        "deploy the application that writes the column everywhere and complete later; or: stoa complete %s "
        "--quiet 10m, or --force",
        name);
}

Err *quiet_run(Runner *runner, const Step *step)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    const char *id = arena_printf(arena, "%lld", (long long)runner->change_id);
    Controls controls = control_settings(runner);
    Rows rows = {0};
    if (has_sync(runner))
        TRY(conn_params(runner->conn, &wait, arena, &rows, quiet_sql, id));
    for (size_t i = 0; i < rows.row_count; i++) {
        int64_t count = 0;
        TRY(runner->ops->counter_value(runner->conn, &wait, arena, rows_cell(&rows, i, 2), &count));
        if (count != rows_int(&rows, i, 3))
            TRY(note_writer(runner, arena, &rows, i, count));
    }
    if (has_sync(runner))
        TRY(conn_params(runner->conn, &wait, arena, &rows, quiet_sql, id));
    for (size_t i = 0; i < rows.row_count && !runner->options->force; i++)
        if (rows_int(&rows, i, 5) < controls.quiet_ms)
            return refuse_quiet(rows_cell(&rows, i, 1), rows_cell(&rows, i, 7), rows_int(&rows, i, 5),
                                controls.quiet_ms, runner->name);
    if (runner->options->force)
        runner_event(runner, "forced", step->ordinal, NULL,
                     "completed by force: old writers were not waited for");
    for (size_t i = 0; i < rows.row_count; i++)
        runner_event(runner, "quiet", step->ordinal, NULL, "no old writer of \"%s\" seen since %s",
                     rows_cell(&rows, i, 1), rows_cell(&rows, i, 4));
    return journal_step(runner->conn, runner->change_id, step->ordinal, "done", NULL);
}
