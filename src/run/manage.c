/* The verbs that steer and end a change: pause, abort, complete, uninstall. */
#include "run/brownout.h"
#include "run/contract.h"
#include "run/fingerprint.h"
#include "run/runner.h"

#include "base/clock.h"
#include "base/failpoint.h"

enum { TAKE_OVER_MS = 60000 };

Err *run_pause(const RunOptions *options, Arena *arena, const char *change)
{
    Runner runner;
    JournalChange known = {0};
    Err *err = runner_adopt(&runner, options, arena, change, &known);
    bool over = known.id != 0 && (str_eq(known.state, "ready") || str_eq(known.state, "completed"));
    if (err == NULL && over)
        err =
            err_new(ERR_USAGE, "change \"%s\" is %s: nothing runs that could be paused", change, known.state);
    if (err == NULL)
        err = journal_store_controls(runner.conn, known.id, &options->controls, options->controls_given,
                                     &(bool){true});
    if (err == NULL)
        runner_event(&runner, "pause_requested", 0, NULL, "pause asked for");
    journal_change_done(&known);
    runner_close(&runner);
    return err;
}

/* Takes the lease, waiting for a live runner that was asked to stop. */
static Err *take_when_free(Runner *runner)
{
    int64_t deadline = clock_ms() + TAKE_OVER_MS;
    for (;;) {
        Err *err = lease_take(runner);
        if (!err_is(err, ERR_HELD) || clock_ms() > deadline)
            return err;
        err_free(err);
        stop_sleep(runner->options->stop, 100);
        TRY(stop_check(runner->options->stop));
    }
}

/* A revert that was begun is finished by itself. */
Err *reverting(const char *change)
{
    return err_hint(err_new(ERR_UNSAFE, "change \"%s\" is being reverted", change), "stoa revert %s", change);
}

Err *phase_has_begun(Runner *runner, Phase phase, bool *ret_begun)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(
        runner->conn, &wait, arena, &rows,
        "SELECT 1 FROM stoa.steps WHERE change_id = $1 AND phase = $2 AND kind NOT IN ('quiet', 'evidence') "
        "AND (state = 'done' OR (state = 'running' AND kind NOT IN ('ddl', 'swap'))) LIMIT 1",
        arena_printf(arena, "%lld", (long long)runner->change_id), phase_name(phase)));
    *ret_begun = rows.row_count > 0;
    return NULL;
}

Err *contract_check(Runner *runner)
{
    bool begun = false;
    TRY(phase_has_begun(runner, PHASE_CONTRACT, &begun));
    if (!begun)
        return NULL;
    return err_hint(err_new(ERR_UNSAFE,
                            "complete of change \"%s\" has begun to take the old shape away: there is no way "
                            "back any more",
                            runner->name),
                    "go on: stoa complete %s", runner->name);
}

/* ---- abort ---------------------------------------------------------------------------------- */

/* Before the undo itself; each can be repeated, so nothing is written down of them. */
static Err *undo_first(Runner *runner, const Step *step)
{
    for (size_t i = 0; i < step->undo_step_count; i++) {
        Step each = step->undo_steps[i];
        each.ordinal = step->ordinal;
        runner_event(runner, "undo", step->ordinal, NULL, "undoing: %s", each.title);
        if (each.kind == STEP_CREATE_INDEX)
            TRY(step_build_index(runner, &each, each.sql[0]));
        else
            TRY(each.kind == STEP_VALIDATE ? validate_run(runner, &each) : ddl_run(runner, &each));
        TRY(failpoint_at("undo_between"));
    }
    return NULL;
}

/* A statement as written that nothing takes back; what is done to a table is told by its fingerprint. */
static bool stays(const Step *step)
{
    bool written = step->kind == STEP_DDL || step->kind == STEP_LONG || step->kind == STEP_OUTSIDE ||
                   step->kind == STEP_ALTER;
    return written && step->table.name == NULL && step->undo_count + step->undo_step_count == 0 &&
           !step->sync;
}

static Err *undo_step(Runner *runner, const Step *step)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *state = NULL;
    TRY(journal_step_state(runner->conn, arena, runner->change_id, step->ordinal, &state));
    bool by_parts = step->kind == STEP_BACKFILL || !step_kinds[step->kind].transactional;
    bool began = str_eq(state, "done") || (str_eq(state, "running") && by_parts);
    if (!began)
        return NULL;
    failpoint_scope(step->ordinal);
    control_step(runner, step, 0);
    if (step->undo_count > 0 || step->sync)
        runner_event(runner, "undo", step->ordinal, NULL, "undoing: %s", step->title);
    if (stays(step))
        runner_event(runner, "stays", step->ordinal, NULL, "left as it is, nothing takes it back: %s",
                     step->title);
    TRY(undo_first(runner, step));
    if (step->kind == STEP_CREATE_INDEX)
        TRY(step_drop_index(runner, step, step->undo, step->undo_count));
    else if (step->kind == STEP_DROP_INDEX && step->undo_count > 0)
        TRY(step_build_index(runner, step, step->undo[0]));
    else if (step->kind == STEP_DETACH)
        return detach_undo(runner, step);
    else if (step->shadow != NULL)
        TRY(shadow_undo(runner, step));
    else if (step->kind == STEP_ALTER)
        return alter_undo(runner, step);
    else if (step->undo_count > 0 || step->sync)
        return ddl_undo(runner, step);
    /* Should the change be applied again after an abort that was cut off, rows must be filled again. */
    if (step->kind == STEP_BACKFILL)
        TRY(journal_forget_checkpoint(runner->conn, runner->change_id, step->ordinal));
    return journal_step(runner->conn, runner->change_id, step->ordinal, "undone", NULL);
}

Err *undo_with_retries(Runner *runner, const Step *step)
{
    for (int tries = 0;; tries++) {
        Err *err = undo_step(runner, step);
        if (err == NULL || !err_is_transient(err) || tries >= 10)
            return err;
        bool lost = err->kind == ERR_CONN_LOST;
        err_free(err);
        if (lost)
            TRY(runner_reconnect(runner, TAKE_OVER_MS));
        stop_sleep(runner->options->stop, 200);
        TRY(stop_check(runner->options->stop));
    }
}

/* Behind a cutover the new columns have the names, and the old ones must be made whole before they take them
 * again: that is what revert does. What complete took away nothing brings back. */
static Err *refuse_too_late(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (size_t i = 0; i < runner->plan.step_count; i++) {
        const Step *step = &runner->plan.steps[i];
        const char *state = NULL;
        if (step->phase != PHASE_CUTOVER)
            continue;
        TRY(journal_step_state(runner->conn, arena, runner->change_id, step->ordinal, &state));
        if (str_eq(state, "done"))
            return err_hint(
                err_new(ERR_UNSAFE, "the cutover of \"%s\" is done: it cannot be aborted any more",
                        step->table.name),
                "go on: stoa resume %s; then go back: stoa revert %s", runner->name, runner->name);
    }
    return contract_check(runner);
}

/* An abort that was cut off may have said so, too. */
static Err *something_stays(Runner *runner, bool *ret_left)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, arena, &rows,
                    "SELECT 1 FROM stoa.events WHERE change_id = $1 AND kind = 'stays' LIMIT 1",
                    arena_printf(arena, "%lld", (long long)runner->change_id)));
    *ret_left = rows.row_count > 0;
    return NULL;
}

static Err *abort_all(Runner *runner)
{
    TRY(refuse_too_late(runner));
    TRY(journal_state(runner->conn, runner->change_id, "failed", NULL,
                      "an abort was begun and not finished"));
    for (size_t i = runner->plan.step_count; i-- > 0;)
        if (runner->plan.steps[i].phase != PHASE_CONTRACT)
            TRY(undo_with_retries(runner, &runner->plan.steps[i]));
    TRY(fingerprint_back(runner, "abort"));
    TRY(failpoint_at("abort_before_state"));
    bool left = false;
    TRY(something_stays(runner, &left));
    runner_event(runner, "aborted", 0, NULL,
                 left ? "undone, but for what was said to stay: change \"%s\" is over"
                      : "undone: nothing is left of change \"%s\" but the journal",
                 runner->name);
    return journal_state(runner->conn, runner->change_id, "aborted", NULL, NULL);
}

static Err *may_abort(const RunOptions *options, const JournalChange *known)
{
    if (str_eq(known->state, "completed"))
        return err_new(ERR_UNSAFE, "change \"%s\" is completed: there is nothing left to abort", known->name);
    if (str_eq(known->state, "reverted") || str_eq(known->state, "aborted"))
        return err_new(ERR_USAGE, "change \"%s\" was %s just now", known->name, known->state);
    if (str_eq(known->phase, phase_name(PHASE_REVERT)))
        return reverting(known->name);
    if (str_eq(known->state, "ready") && !options->force)
        return err_hint(
            err_new(ERR_UNSAFE, "change \"%s\" is ready: applications may rely on it already", known->name),
            "finish it: stoa complete %s; or undo it all the same: stoa abort %s --force", known->name,
            known->name);
    return NULL;
}

Err *run_abort(const RunOptions *options, Arena *arena, const char *change)
{
    Runner runner;
    JournalChange known = {0};
    Err *err = runner_adopt(&runner, options, arena, change, &known);
    if (err == NULL)
        err = may_abort(options, &known);
    if (err == NULL)
        err = journal_request_abort(runner.conn, known.id, true);
    if (err == NULL)
        err = take_when_free(&runner);
    if (err == NULL) /* the request was for the other runner; ours must not obey it */
        err = journal_request_abort(runner.conn, known.id, false);
    if (err == NULL) /* which may have come to its end before it saw the request */
        err = journal_look_again(runner.conn, arena, &known);
    if (err == NULL)
        err = may_abort(options, &known);
    if (err == NULL)
        err = journal_store_controls(runner.conn, known.id, &options->controls, options->controls_given,
                                     &(bool){false});
    if (err == NULL)
        err = control_start(&runner);
    if (err == NULL)
        err = abort_all(&runner);
    journal_change_done(&known);
    runner_close(&runner);
    return err;
}

/* ---- complete ------------------------------------------------------------------------------- */

static Err *contract_all(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    TRY(fingerprint_contract(runner));
    for (size_t i = 0; i < runner->plan.step_count; i++) {
        const Step *step = &runner->plan.steps[i];
        const char *state = NULL;
        if (step->phase != PHASE_CONTRACT)
            continue;
        TRY(journal_step_state(runner->conn, arena, runner->change_id, step->ordinal, &state));
        bool done = str_eq(state, "done") && step->kind != STEP_QUIET;
        if (done && step->kind == STEP_EVIDENCE)
            TRY(evidence_is_fresh(runner, step, &done));
        if (done)
            continue;
        if (step->kind == STEP_EVIDENCE)
            TRY(journal_step(runner->conn, runner->change_id, step->ordinal, "pending", NULL));
        TRY(runner_step(runner, step));
    }
    TRY(shadow_contract(runner));
    TRY(fingerprint_completed(runner));
    TRY(failpoint_at("complete_before_state"));
    runner_event(runner, "completed", 0, NULL, "completed");
    return journal_state(runner->conn, runner->change_id, "completed", "contract", NULL);
}

static Err *may_complete(const JournalChange *known)
{
    if (str_eq(known->phase, phase_name(PHASE_REVERT)))
        return reverting(known->name);
    if (str_eq(known->state, "ready") || str_eq(known->state, "completed"))
        return NULL;
    return err_hint(err_new(ERR_UNSAFE, "change \"%s\" is not ready but %s", known->name, known->state),
                    "stoa resume %s", known->name);
}

Err *run_complete(const RunOptions *options, Arena *arena, const char *change, RunSummary *ret_summary)
{
    Runner runner;
    JournalChange known = {0};
    Err *err = runner_adopt(&runner, options, arena, change, &known);
    runner.summary.state = STATE_COMPLETED;
    if (err == NULL)
        err = may_complete(&known);
    if (err == NULL && !str_eq(known.state, "completed"))
        err = lease_take(&runner);
    if (err == NULL) /* whoever had the lease may have ended it, or begun to revert it */
        err = journal_look_again(runner.conn, arena, &known);
    if (err == NULL)
        err = may_complete(&known);
    runner.summary.already_done = err == NULL && str_eq(known.state, "completed");
    bool go = err == NULL && !runner.summary.already_done;
    if (go)
        err = journal_store_controls(runner.conn, known.id, &options->controls, options->controls_given,
                                     &(bool){false});
    if (go && err == NULL)
        err = control_start(&runner);
    if (go && err == NULL)
        err = contract_all(&runner);
    if (err != NULL)
        runner.summary.state = STATE_READY;
    else
        contract_settle(&runner);
    *ret_summary = runner.summary;
    journal_change_done(&known);
    runner_close(&runner);
    return err;
}

/* ---- uninstall ------------------------------------------------------------------------------ */

static Err *refuse_under_way(Runner *runner)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_query(runner->conn, &wait, runner->arena, &rows,
                   "SELECT name, state FROM stoa.changes WHERE state NOT IN ('completed', 'aborted', "
                   "'reverted') ORDER BY id"));
    if (rows.row_count == 0)
        return NULL;
    return err_hint(err_new(ERR_UNSAFE, "change \"%s\" is %s: its sync trigger would go with the journal",
                            rows_cell(&rows, 0, 0), rows_cell(&rows, 0, 1)),
                    "stoa complete %s, stoa abort %s, or --force", rows_cell(&rows, 0, 0),
                    rows_cell(&rows, 0, 0));
}

/* The triggers' tables are locked for the moment of the drop: in short attempts, like every strong lock. */
static Err *drop_journal(Runner *runner)
{
    const Controls *controls = &runner->options->controls;
    int64_t deadline = clock_ms() + controls->lock_wait_ms;
    Wait wait = runner_wait(runner);
    for (;;) {
        TRY(runner->ops->begin(runner->conn, &wait,
                               &(TxSettings){.lock_timeout_ms = controls->max_stall_ms / 4,
                                             .statement_timeout_ms = controls->max_stall_ms,
                                             .local_commit = true}));
        Err *err = conn_exec(runner->conn, &wait, runner->ops->journal_sql(JOURNAL_DROP));
        if (err == NULL)
            return runner->ops->commit(runner->conn, &wait);
        runner->ops->rollback(runner->conn);
        bool again = err->kind == ERR_LOCK_TIMEOUT || err->kind == ERR_DEADLOCK || err->kind == ERR_CANCELLED;
        if (!again || clock_ms() > deadline) {
            if (again)
                err->kind = ERR_LOCK_BUDGET;
            return err;
        }
        err_free(err);
        stop_sleep(runner->options->stop, controls->max_stall_ms * 5);
        TRY(stop_check(runner->options->stop));
    }
}

Err *run_uninstall(const RunOptions *options, Arena *arena)
{
    Runner runner;
    Err *err = runner_open(&runner, options, arena);
    bool there = err == NULL && runner.server.journal_version > 0;
    Wait wait = runner_wait(&runner);
    if (there)
        err = brownouts_over(&runner);
    if (there && err == NULL && !options->force)
        err = refuse_under_way(&runner);
    if (there && err == NULL && runner.ops->undress != NULL)
        err = runner.ops->undress(runner.conn, &wait);
    if (there && err == NULL)
        err = drop_journal(&runner);
    if (err == NULL && runner.ops->clone_forget != NULL)
        err = runner.ops->clone_forget(runner.conn, &wait);
    runner_close(&runner);
    return err;
}
