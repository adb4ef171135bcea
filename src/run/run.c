/* The executor: intent into the journal, the step, the outcome; retries; and how a run begins and ends. */
#include "run/brownout.h"
#include "run/fingerprint.h"
#include "run/load_limit.h"
#include "run/predicted.h"
#include "run/runner.h"
#include "run/seal.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum {
    RETRIES_MAX = 20,    /* of transient errors in a row, without anything committed in between */
    RETRY_PAUSE_MS = 50, /* doubled each time, up to RETRY_PAUSE_MAX_MS */
    RETRY_PAUSE_MAX_MS = 2000,
    RECONNECT_BUDGET_MS = 300000,
    RETRY_SAID_MS = 10000,
};

void controls_default(Controls *ret_controls)
{
    *ret_controls = (Controls){.max_stall_ms = 200,
                               .lock_wait_ms = 600000,
                               .max_lag_ms = 5000,
                               .chunk_time_ms = 100,
                               .quiet_ms = 86400000};
    ret_controls->nice = LIMIT_UNSET;
    ret_controls->window_heavy = -1;
    ret_controls->critical_retries = ret_controls->build_memory = ret_controls->build_workers = -1;
    for (size_t i = 0; i < LOAD_SIGNALS_MAX; i++)
        ret_controls->load_limits[i] = ret_controls->critical_limits[i] = LIMIT_UNSET;
}

const char *change_state_name(ChangeState state)
{
    switch (state) {
    case STATE_PLANNED:
        return "planned";
    case STATE_RUNNING:
        return "running";
    case STATE_PAUSED:
        return "paused";
    case STATE_WAITING:
        return "waiting";
    case STATE_READY:
        return "ready";
    case STATE_COMPLETED:
        return "completed";
    case STATE_ABORTED:
        return "aborted";
    case STATE_REVERTED:
        return "reverted";
    case STATE_FAILED:
        return "failed";
    case STATE_AMBIGUOUS:
        return "ambiguous";
    }
    return "unknown";
}

bool err_is_transient(const Err *err)
{
    return err_is(err, ERR_LOCK_TIMEOUT) || err_is(err, ERR_DEADLOCK) || err_is(err, ERR_SERIALIZE) ||
           err_is(err, ERR_CANCELLED) || err_is(err, ERR_CONN_LOST);
}

/* ---- events --------------------------------------------------------------------------------- */

void runner_tell(Runner *runner, const char *kind, int step, json_t *detail, const char *text)
{
    const Observer *observer = &runner->options->observer;
    if (observer->event == NULL)
        return;
    Event event = {.change = runner->name, .kind = kind, .step = step, .detail = detail, .text = text};
    pthread_mutex_lock(&runner->telling);
    observer->event(observer->context, &event);
    pthread_mutex_unlock(&runner->telling);
}

void runner_event(Runner *runner, const char *kind, int step, json_t *detail, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    CLEANUP(mem_freep) char *text = mem_format(fmt, args);
    va_end(args);
    runner_tell(runner, kind, step, detail, text);
    if (runner->conn != NULL && runner->change_id != 0) {
        Err *err = journal_event(runner->conn, runner->change_id, kind, step, detail, text);
        if (err != NULL)
            log_line(LOG_DEBUG, "event not journalled: %s", err->msg);
        err_free(err);
        runner->told = true;
    }
}

/* ---- connection ----------------------------------------------------------------------------- */

Err *runner_connect(Runner *runner)
{
    Wait wait = runner_wait(runner);
    TRY(runner->ops->connect(&runner->options->target, "work", &wait, &runner->conn));
    return runner->ops->load_server(runner->conn, &wait, runner->arena, &runner->server);
}

Err *runner_begin(Runner *runner, const RunOptions *options, Arena *arena)
{
    *runner = (Runner){.options = options, .ops = options->ops, .arena = arena, .scratch = arena_new()};
    tally_init(&runner->tally);
    if (pthread_mutex_init(&runner->telling, NULL) != 0)
        return err_new(ERR_BUG, "cannot make a mutex");
    return NULL;
}

Err *runner_open(Runner *runner, const RunOptions *options, Arena *arena)
{
    TRY(runner_begin(runner, options, arena));
    TRY(runner_connect(runner));
    TRY(journal_check_version(runner->ops, &runner->server));
    brownouts_expire(runner);
    return NULL;
}

Err *runner_open_to_read(Runner *runner, const RunOptions *options, Arena *arena)
{
    TRY(runner_begin(runner, options, arena));
    TRY(runner_connect(runner));
    TRY(journal_check_readable(runner->ops, &runner->server));
    brownouts_expire(runner); /* where the role may */
    return NULL;
}

void runner_close(Runner *runner)
{
    shadow_close_all(runner);
    control_stop(runner);
    if (runner->told && runner->conn != NULL)
        seal_quietly(runner->conn);
    lease_release(runner);
    conn_closep(&runner->conn);
    for (size_t i = 0; i < ARRAY_LEN(runner->standby_conns); i++)
        conn_closep(&runner->standby_conns[i]);
    arena_free(runner->scratch);
    runner->scratch = NULL;
    tally_done(&runner->tally);
    json_decref(runner->rehearsed);
    runner->rehearsed = NULL;
}

/* One try to get back: the old session is ended first, since its transaction must not commit behind our back.
 */
static Err *come_back(Runner *runner, int64_t old_session, const char *old_started)
{
    Wait wait = {.stop = runner->options->stop, .timeout_ms = JOURNAL_TIMEOUT_MS};
    TRY(runner->ops->connect(&runner->options->target, "work", &wait, &runner->conn));
    Server server = {0};
    TRY(runner->ops->load_server(runner->conn, &wait, runner->arena, &server));
    if (server.in_recovery)
        return err_new(ERR_CONN_LOST, "the server is a standby now");
    runner->server = server;
    TRY(runner->ops->end_session(runner->conn, &wait, old_session, old_started));
    for (size_t i = 0; i < runner->plan.table_count && !server.pooled; i++) {
        bool taken = false;
        TRY(runner->ops->hint_lock(runner->conn, &wait, runner->plan.tables[i], &taken));
    }
    TRY(lease_prove(runner));
    return lease_note_session(runner);
}

Err *runner_ask_standby(const Runner *runner, size_t at, const char *database, const Wait *wait,
                        Conn **ret_conn)
{
    Target target = {.url = runner->standbys[at].name,
                     .database = database,
                     .password_command = runner->options->target.password_command};
    return runner->ops->connect(&target, "replica", wait, ret_conn);
}

Err *runner_reconnect(Runner *runner, int64_t budget_ms)
{
    int64_t from = clock_ms(), deadline = from + budget_ms, said = from, pause_ms = RETRY_PAUSE_MS;
    if (runner->conn != NULL)
        runner->lost_session = runner->ops->session_id(runner->conn);
    const char *old_started = runner->session_started != NULL ? runner->session_started : "";
    (void)control_unwatch(runner);
    conn_closep(&runner->conn);
    runner_event(runner, "conn_lost", 0, NULL, "connection lost, connecting again");
    for (;;) {
        Err *err = come_back(runner, runner->lost_session, old_started);
        if (err == NULL) {
            runner->lost_session = 0;
            return NULL;
        }
        conn_closep(&runner->conn);
        bool hopeless = err->kind == ERR_FENCED || err->kind == ERR_STOPPED || err->kind == ERR_PRIVILEGE;
        if (hopeless || clock_ms() > deadline)
            return err;
        if (clock_ms() - said > RETRY_SAID_MS) {
            said = clock_ms();
            runner_event(runner, "conn_lost", 0, NULL, "no connection for %lld s, %lld s are left: %s",
                         (long long)(said - from) / 1000, (long long)(deadline - said) / 1000, err->msg);
        }
        err_free(err);
        stop_sleep(runner->options->stop, pause_ms);
        TRY(stop_check(runner->options->stop));
        pause_ms = pause_ms * 2 > RETRY_PAUSE_MAX_MS ? RETRY_PAUSE_MAX_MS : pause_ms * 2;
    }
}

/* ---- one step ------------------------------------------------------------------------------- */

static Err *drop_step(Runner *runner, const Step *step)
{
    TRY(step_drop_index(runner, step, step->sql, step->sql_count));
    return journal_step_done(runner->conn, &runner->lease, runner->change_id, step->ordinal);
}

static Err *step_once(Runner *runner, const Step *step)
{
    bool relies = step->phase == PHASE_BACKFILL || step->phase == PHASE_CONSTRAIN;
    if (relies && step->table.name != NULL)
        TRY(sync_check(runner, &step->table));
    switch (step->kind) {
    case STEP_DDL:
        return ddl_run(runner, step);
    case STEP_BACKFILL:
        return backfill_run(runner, step);
    case STEP_VACUUM:
        return vacuum_run(runner, step);
    case STEP_VERIFY:
        return verify_run(runner, step);
    case STEP_CREATE_INDEX:
        return step_create_index(runner, step);
    case STEP_DROP_INDEX:
        return drop_step(runner, step);
    case STEP_DETACH:
        return detach_run(runner, step);
    case STEP_VALIDATE:
        return validate_run(runner, step);
    case STEP_READY:
        return ready_run(runner, step);
    case STEP_LONG:
        return long_run(runner, step);
    case STEP_OUTSIDE:
        return outside_run(runner, step);
    case STEP_QUIET:
        return quiet_run(runner, step);
    case STEP_EVIDENCE:
        return evidence_run(runner, step);
    case STEP_ALTER:
        return alter_run(runner, step);
    case STEP_CAPTURE:
        return shadow_capture(runner, step);
    case STEP_COPY:
        return shadow_copy(runner, step);
    case STEP_COMPARE:
        return shadow_compare(runner, step);
    case STEP_SWAP:
        return shadow_swap(runner, step);
    case STEP_KIND_COUNT:
        break;
    }
    return err_new(ERR_BUG, "step %d is of no known kind", step->ordinal);
}

/* After a transient error: gets the connection back and tells whether the step turns out to be done. */
static Err *recover(Runner *runner, const Step *step, const Err *why, bool *ret_done)
{
    bool lost = why->kind == ERR_CONN_LOST;
    tally_error(&runner->tally, "step", why);
    runner_event(runner, "retry", step->ordinal, NULL, "%s; trying again", why->msg);
    if (lost)
        TRY(runner_reconnect(runner, RECONNECT_BUDGET_MS));
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *state = NULL;
    TRY(journal_step_state(runner->conn, arena, runner->change_id, step->ordinal, &state));
    *ret_done = str_eq(state, "done") && step->kind != STEP_QUIET;
    return NULL;
}

/* The intent goes into the journal; *ret_done tells that nothing is left to do. */
static Err *step_begin(Runner *runner, const Step *step, bool *ret_done)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *state = NULL;
    TRY(journal_step_state(runner->conn, arena, runner->change_id, step->ordinal, &state));
    *ret_done = str_eq(state, "done") && step->kind != STEP_QUIET;
    if (*ret_done)
        return NULL;
    TRY(window_wait(runner, step));
    if (fingerprint_is_due(&runner->plan, step))
        TRY(fingerprint_check(runner, step));
    if (step->phase < PHASE_READY)
        TRY(journal_state(runner->conn, runner->change_id, "running", phase_name(step->phase), NULL));
    TRY(journal_step(runner->conn, runner->change_id, step->ordinal, "running", NULL));
    TRY(failpoint_at("step_intent"));
    runner_event(runner, "step_started", step->ordinal, NULL, "%s", step->title);
    runner->step_from_ms = runner_clock_ms(runner);
    return NULL;
}

/* A session's settings leak through a pooler, so that there none are made. */
Err *runner_limit_build(Runner *runner)
{
    Controls controls = control_settings(runner);
    Wait wait = journal_wait();
    if (!runner->server.pooled)
        return runner->ops->limit_build(runner->conn, &wait, controls.build_memory, controls.build_workers);
    if (controls.build_memory < 0 && controls.build_workers < 0)
        return NULL;
    return err_hint(
        err_new(ERR_USAGE, "--build-memory and --build-workers are of a session, and a pooler has none"),
        "connect to the server itself");
}

/* From the intent, or from where the last try of the step ended. */
static Err *step_try(Runner *runner, const Step *step, bool *ret_begun, bool *ret_done)
{
    if (!*ret_begun)
        TRY(step_begin(runner, step, ret_done));
    else
        TRY(window_wait(runner, step));
    if (*ret_done)
        return NULL;
    *ret_begun = true;
    TRY(runner_limit_build(runner));
    return step_once(runner, step);
}

/* *ret_begun: it was not done before. */
static Err *step_through(Runner *runner, const Step *step, bool *ret_begun)
{
    int64_t marks = runner->progress_marks, pause_ms = RETRY_PAUSE_MS, from = clock_ms();
    int tries = 0;
    bool done = false;
    failpoint_scope(step->ordinal);
    control_step(runner, step, 0);
    Err *err = step_try(runner, step, ret_begun, &done);
    while (err != NULL && err_is_transient(err)) {
        if (runner->progress_marks > marks) {
            marks = runner->progress_marks;
            tries = 0;
            pause_ms = RETRY_PAUSE_MS;
        }
        Err *stop = stop_check(runner->options->stop);
        if (stop != NULL) {
            err_free(err);
            return stop;
        }
        if (++tries > RETRIES_MAX)
            return err;
        stop_sleep(runner->options->stop, pause_ms);
        pause_ms = pause_ms * 2 > RETRY_PAUSE_MAX_MS ? RETRY_PAUSE_MAX_MS : pause_ms * 2;
        Err *again = recover(runner, step, err, &done);
        err_free(err);
        err = again;
        if (err == NULL && !done)
            err = step_try(runner, step, ret_begun, &done);
    }
    TRY(err);
    if (!*ret_begun)
        return NULL; /* done in an earlier run */
    TRY(failpoint_at("step_outcome"));
    runner_event(runner, "step_done", step->ordinal, NULL, "%s: %.1f s", step->title,
                 (double)(clock_ms() - from) / 1000);
    return NULL;
}

/* What it took without pauses, over all runs of it: the first time that it was done stays as it is. */
Err *runner_step(Runner *runner, const Step *step)
{
    Tally *tally = &runner->tally;
    int64_t from = runner_clock_ms(runner), from_us = clock_wall_us(), rested_ms = runner->rested_ms;
    int64_t log_from = predicted_log(runner);
    bool begun = false;
    Err *err = step_through(runner, step, &begun);
    if (begun)
        tally_add(tally, step->ordinal, "sums", "took_ms", runner_clock_ms(runner) - from);
    if (begun)
        predicted_step(runner, step, log_from);
    if (begun && err == NULL)
        tally_keep(tally, step->ordinal, "sums", "took_ms", "done_ms");
    if (begun)
        span_step(runner, step, from_us, rested_ms, err);
    return err;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static Err *run_steps(Runner *runner, Phase last)
{
    for (size_t i = 0; i < runner->plan.step_count; i++) {
        const Step *step = &runner->plan.steps[i];
        if (step->phase <= last && step->phase != PHASE_CONTRACT)
            TRY(runner_step(runner, step));
    }
    return NULL;
}

/* An index or a partition is half gone while its step runs: those outlive the statement that was cancelled.
 */
static bool changed_something(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    Err *err = conn_params(
        runner->conn, &wait, arena, &rows,
        "SELECT 1 FROM stoa.steps WHERE change_id = $1 AND phase <> 'prepare' AND (state = 'done' OR "
        "(state = 'running' AND kind IN ('create_index', 'drop_index', 'detach', 'outside', 'alter', "
        "'capture', 'copy', 'swap')))",
        arena_printf(arena, "%lld", (long long)runner->change_id));
    bool changed = err != NULL || rows.row_count > 0;
    err_free(err);
    return changed;
}

/* What is ready stays ready, whatever goes wrong afterwards. */
static bool is_ready(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    Err *err = conn_params(runner->conn, &wait, arena, &rows,
                           "SELECT 1 FROM stoa.changes WHERE id = $1 AND state IN ('ready', 'completed')",
                           arena_printf(arena, "%lld", (long long)runner->change_id));
    bool ready = err == NULL && rows.row_count > 0;
    err_free(err);
    return ready;
}

/* Writes how the run ended where the connection allows it; a lost one leaves "running" with a lease that runs
 * out. Gives the error back, with a hint where it has none. */
static Err *record_end(Runner *runner, Err *err)
{
    if (runner->conn == NULL || runner->change_id == 0 || err->kind == ERR_FENCED ||
        err->kind == ERR_CONN_LOST)
        return err;
    CLEANUP(mem_freep) char *text = err_text(err);
    bool resumable = err->kind == ERR_STOPPED || err->kind == ERR_HELD;
    const char *state = resumable ? "paused" : err->kind == ERR_LOCK_BUDGET ? "waiting" : "failed";
    if (err->kind == ERR_AMBIGUOUS)
        state = "ambiguous";
    /* Nothing was changed yet: no trace but this, and the name is free again. */
    if (!changed_something(runner) && !resumable)
        state = "aborted";
    bool ready = is_ready(runner);
    runner->summary.state = ready ? STATE_READY : resumable ? STATE_PAUSED : STATE_FAILED;
    runner_event(runner, resumable ? "stopped" : "failed", 0, NULL, "%s", text);
    if (!ready)
        err_free(journal_state(runner->conn, runner->change_id, state, NULL, resumable ? NULL : text));
    bool failed = !ready && str_eq(state, "failed") && err_first_hint(err) == NULL;
    return failed ? err_hint(err, "mend the cause and go on: stoa resume %s; or undo it: stoa abort %s",
                             runner->name, runner->name)
                  : err;
}

static Err *finish(Runner *runner, Phase last)
{
    bool contracts = false, was_last = last >= PHASE_READY;
    for (size_t i = 0; i < runner->plan.step_count; i++)
        contracts = contracts || runner->plan.steps[i].phase == PHASE_CONTRACT;
    runner->summary.state = was_last ? STATE_READY : STATE_PAUSED;
    if (!was_last)
        return journal_state(runner->conn, runner->change_id, "paused", NULL, NULL);
    TRY(ready_settle(runner));
    predicted_settle(runner);
    if (contracts)
        return NULL;
    runner->summary.state = STATE_COMPLETED;
    runner_event(runner, "completed", 0, NULL, "nothing is left to complete");
    return journal_state(runner->conn, runner->change_id, "completed", NULL, NULL);
}

/* The set of replicas that must be heard of is fixed when a change begins, until --replicas says otherwise.
 */
static Err *fix_standbys(Runner *runner)
{
    const PlanOptions *plan = &runner->options->plan;
    bool known = false;
    TRY(journal_load_replicas(runner->conn, runner->arena, runner->change_id, &known, &runner->standbys,
                              &runner->standby_count));
    if (known && !plan->replicas_given)
        return NULL;
    size_t count = plan->replicas_given ? plan->replica_count : runner->server.standby_count;
    if (count > ARRAY_LEN(runner->standby_conns))
        return err_new(ERR_USAGE, "%zu replicas are more than the %zu that can be watched", count,
                       ARRAY_LEN(runner->standby_conns));
    if (!plan->replicas_given && runner->ops->replicas == NULL)
        count = 0; /* they cannot be asked without a URL; the plan said so */
    runner->standbys = arena_alloc(runner->arena, (count + 1) * sizeof *runner->standbys);
    for (size_t i = 0; i < count; i++)
        runner->standbys[i].name = plan->replicas_given
                                       ? plan->replicas[i]
                                       : arena_dup(runner->arena, runner->server.standbys[i].name);
    runner->standby_count = count;
    return journal_store_replicas(runner->conn, runner->change_id, runner->standbys, count);
}

Err *runner_execute(Runner *runner, Phase last)
{
    int64_t from = clock_ms(), log_from = 0, log_to = 0;
    Wait wait = journal_wait();
    TRY(fix_standbys(runner));
    TRY(runner->ops->log_bytes(runner->conn, &wait, runner->arena, &log_from));
    TRY(control_start(runner));
    Err *err = fingerprint_before(runner);
    if (err == NULL)
        err = run_steps(runner, last);
    if (err == NULL)
        err = finish(runner, last);
    if (err != NULL && err->kind != ERR_STOPPED)
        tally_error(&runner->tally, "change", err);
    control_stop(runner);
    if (err != NULL)
        err = record_end(runner, err);
    runner->summary.total_ms = clock_ms() - from;
    if (err == NULL && runner->ops->log_bytes(runner->conn, &wait, runner->arena, &log_to) == NULL)
        runner->summary.wal_bytes = log_to - log_from;
    runner->summary.binary_log = runner->server.my != NULL;
    return err;
}
