/* stoa revert: the old application alone again, and what the new one wrote with it; and broken ways back. */
#include "run/runner.h"

#include "base/failpoint.h"
#include "run/fingerprint.h"
#include "run/shadow.h"

/* ---- broken ways back ----------------------------------------------------------------------- */

Err *broken_check(Runner *runner)
{
    if ((runner->ops->features & ENGINE_SYNC_TRIGGERS) == 0)
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    TRY(conn_params(
        runner->conn, &wait, arena, &rows,
        "SELECT b.column_name, to_char(b.at, 'YYYY-MM-DD HH24:MI:SSOF'), coalesce(b.key, 'unknown'), "
        "b.message, b.sqlstate, coalesce(n.nspname || '.' || c.relname, b.table_id::text) FROM "
        "stoa.sync_broken b LEFT JOIN pg_catalog.pg_class c ON c.oid = b.table_id::oid LEFT JOIN "
        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE b.change_id = $1 ORDER BY b.id LIMIT 1",
        arena_printf(arena, "%lld", (long long)runner->change_id)));
    if (rows.row_count == 0)
        return NULL;
    return err_hint(
        err_new(ERR_UNSAFE,
                "the way back to column \"%s\" of \"%s\" is broken since %s, row %s: %s (SQLSTATE %s)",
                rows_cell(&rows, 0, 0), rows_cell(&rows, 0, 5), rows_cell(&rows, 0, 1),
                rows_cell(&rows, 0, 2), rows_cell(&rows, 0, 3), rows_cell(&rows, 0, 4)),
        "the old shape does not hold all that was written: go forward with \"stoa complete %s\"",
        runner->name);
}

/* Each direction is told once; the event log is what knows. */
Err *broken_note(Conn *conn, Arena *arena, int64_t change_id, const char **ret_text)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    *ret_text = NULL;
    if ((conn->ops->features & ENGINE_SYNC_TRIGGERS) == 0)
        return NULL;
    TRY(conn_params(
        conn, &wait, arena, &rows,
        "WITH first AS (SELECT DISTINCT ON (b.change_id, b.table_id, b.column_name) b.* FROM "
        "stoa.sync_broken b "
        "WHERE b.change_id = $1 ORDER BY b.change_id, b.table_id, b.column_name, b.id) "
        "INSERT INTO stoa.events (change_id, kind, detail, text) SELECT f.change_id, 'back_broken', "
        "json_build_object('table_id', f.table_id, 'column', f.column_name, 'at', f.at, 'key', f.key, "
        "'sqlstate', "
        "f.sqlstate, 'message', f.message), 'the way back to column \"' || f.column_name || '\" is broken: "
        "row ' || "
        "coalesce(f.key, 'unknown') || ': ' || f.message || '; it cannot be reverted any more' FROM first f "
        "WHERE NOT "
        "EXISTS (SELECT FROM stoa.events e WHERE e.change_id = f.change_id AND e.kind = 'back_broken' AND "
        "e.detail->>'column' = f.column_name AND e.detail->>'table_id' = f.table_id::text) RETURNING text",
        arena_printf(arena, "%lld", (long long)change_id)));
    if (rows.row_count > 0)
        *ret_text = rows_cell(&rows, 0, 0);
    return NULL;
}

/* ---- the journal's part --------------------------------------------------------------------- */

/* The state without what journal_state() resets: the change has been ready, and may be so again. */
static Err *store_state(Runner *runner, const char *state, const char *phase, const char *error)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    const char *const params[] = {arena_printf(arena, "%lld", (long long)runner->change_id), state, phase,
                                  error};
    return runner->ops->query(
        runner->conn, &wait, arena,
        "UPDATE stoa.changes SET state = $2, phase = $3, error = $4, throttled_by = NULL WHERE id = $1",
        ARRAY_LEN(params), params, &rows);
}

/* The steps stand in the journal from here on, whatever becomes of this process. */
static Err *register_steps(Runner *runner)
{
    Wait wait = journal_wait();
    TRY(runner->ops->begin(runner->conn, &wait, &(TxSettings){.lock_timeout_ms = 5000}));
    Err *err = journal_insert_steps(runner->conn, runner->arena, runner->plan.reverts,
                                    runner->plan.revert_count, runner->change_id);
    if (err == NULL)
        err = store_state(runner, "running", phase_name(PHASE_REVERT), NULL);
    if (err == NULL)
        err = failpoint_at("revert_before_register");
    if (err == NULL)
        err = runner->ops->commit(runner->conn, &wait);
    if (err != NULL)
        runner->ops->rollback(runner->conn);
    return err;
}

static Err *forget_steps(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    return conn_params(runner->conn, &wait, arena, &rows,
                       "DELETE FROM stoa.steps WHERE change_id = $1 AND phase = 'revert'",
                       arena_printf(arena, "%lld", (long long)runner->change_id));
}

/* A swap back that was tried may have come through, whatever was said of it: its tables tell. */
static bool may_be_swapped(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    for (size_t i = 0; i < runner->plan.revert_count; i++) {
        const Step *step = &runner->plan.reverts[i];
        SwapState state = SWAP_UNKNOWN;
        if (step->kind != STEP_SWAP)
            continue;
        Err *err = runner->ops->shadow->swap_state(runner->conn, &wait, arena,
                                                   shadow_spec_of(runner, arena, step), &state);
        bool done = err != NULL || state != SWAP_NOT_DONE;
        err_free(err);
        if (done)
            return true;
    }
    return false;
}

/* Nothing was changed yet: the change is ready as before. Else it can be gone on with. Gives the error back.
 */
static Err *record_end(Runner *runner, Err *err)
{
    if (runner->conn == NULL || err->kind == ERR_FENCED || err->kind == ERR_CONN_LOST)
        return err;
    CLEANUP(mem_freep) char *text = err_text(err);
    bool begun = true, stopped = err->kind == ERR_STOPPED || err->kind == ERR_HELD;
    err_free(phase_has_begun(runner, PHASE_REVERT, &begun));
    runner_event(runner, stopped ? "stopped" : "failed", 0, NULL, "%s", text);
    if (!begun && !may_be_swapped(runner)) {
        runner->summary.state = STATE_READY;
        err_free(forget_steps(runner));
        err_free(store_state(runner, "ready", phase_name(PHASE_READY), NULL));
        return err;
    }
    runner->summary.state = stopped ? STATE_PAUSED : STATE_FAILED;
    const char *state = stopped ? "paused" : err->kind == ERR_LOCK_BUDGET ? "waiting" : "failed";
    err_free(store_state(runner, state, phase_name(PHASE_REVERT), stopped ? NULL : text));
    return err_first_hint(err) == NULL
               ? err_hint(err, "mend the cause and go on: stoa revert %s", runner->name)
               : err;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static Err *may_revert(Runner *runner, const JournalChange *known)
{
    bool begun = str_eq(known->phase, phase_name(PHASE_REVERT));
    if (str_eq(known->state, "completed"))
        return err_new(ERR_UNSAFE, "change \"%s\" is completed: the old columns are no longer kept in step",
                       known->name);
    if (str_eq(known->state, "reverted"))
        return err_new(ERR_USAGE, "change \"%s\" was reverted just now", known->name);
    if (!begun && !str_eq(known->state, "ready"))
        return err_hint(err_new(ERR_UNSAFE, "change \"%s\" is not ready but %s", known->name, known->state),
                        "undo it with: stoa abort %s", known->name);
    if (runner->plan.revert_count == 0)
        return err_hint(
            err_new(ERR_UNSAFE, "change \"%s\" has no way back: %s", known->name,
                    runner->plan.no_revert != NULL ? runner->plan.no_revert : "its plan has no steps for it"),
            "go forward with \"stoa complete %s\", or undo it and lose what was written since: "
            "stoa abort %s --force",
            known->name, known->name);
    bool done = false;
    if (begun)
        TRY(phase_has_begun(runner, PHASE_REVERT, &done));
    TRY(contract_check(runner));
    return done ? NULL : broken_check(runner);
}

static Err *revert_all(Runner *runner)
{
    for (size_t i = 0; i < runner->plan.revert_count; i++)
        TRY(runner_step(runner, &runner->plan.reverts[i]));
    TRY(fingerprint_back(runner, "revert"));
    TRY(failpoint_at("revert_before_state"));
    runner_event(runner, "reverted", 0, NULL,
                 "reverted: the old application has its table back, change \"%s\" is over", runner->name);
    return journal_state(runner->conn, runner->change_id, "reverted", phase_name(PHASE_REVERT), NULL);
}

Err *run_revert(const RunOptions *options, Arena *arena, const char *change, RunSummary *ret_summary)
{
    Runner runner;
    JournalChange known = {0};
    Err *err = runner_adopt(&runner, options, arena, change, &known);
    runner.summary.state = STATE_REVERTED;
    runner.summary.plan_digest = runner.plan.plan_digest;
    int64_t from = clock_ms();
    if (err == NULL)
        err = may_revert(&runner, &known);
    if (err == NULL)
        err = lease_take(&runner);
    if (err == NULL)
        err = journal_look_again(runner.conn, arena, &known);
    if (err == NULL)
        err = may_revert(&runner, &known);
    bool held = err == NULL;
    if (err == NULL)
        err = journal_store_controls(runner.conn, known.id, &options->controls, options->controls_given,
                                     &(bool){false});
    if (err == NULL)
        err = register_steps(&runner);
    if (err == NULL)
        err = control_start(&runner);
    if (err == NULL)
        err = revert_all(&runner);
    control_stop(&runner);
    if (err != NULL && held)
        err = record_end(&runner, err);
    runner.summary.total_ms = clock_ms() - from;
    *ret_summary = runner.summary;
    journal_change_done(&known);
    runner_close(&runner);
    return err;
}
