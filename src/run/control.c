/* The control thread: reads the controls, renews the lease, samples the throttle signals, watches long
 * statements. */
#include "run/runner.h"

#include "base/clock.h"
#include "base/log.h"
#include "run/critical.h"
#include "run/long.h"
#include "run/sample.h"
#include "run/seal.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    TELL_EVERY_MS = 30000,
    SAMPLE_STALE_MS = 5000, /* older than this a sample counts as missing: stop */
    BROKEN_EVERY_MS = 3000,
    NICE_MOST_MS = 10000,
    NICE_LOOK_MS = 50,
    TALLY_EVERY_MS = 1000,
    SIZE_EVERY_MS = 5000,
};

typedef struct Watcher {
    Runner *runner;
    Conn *conn;
    Arena *arena;
    int64_t renewed_at_ms, sampled_at_ms, window_at_ms, looked_at_ms, shown_at_ms, broken_at_ms;
    SampleWatch samples;
    CriticalWatch critical;
    SealWatch seals;
    char throttle[SIGNAL_TEXT_BYTES];
    char stored_throttle[SIGNAL_TEXT_BYTES];
    bool stored_resting;
    char told_cause[200]; /* the last one told, without its figures */
    int64_t told_at_ms;
    int64_t tallied_at_ms;
    int64_t log_bytes; /* when a backfill was last looked at; -1: none ran */
    int log_step;
    int64_t sized_ms; /* when the table that is filled was last measured; 0: none is */
    int sized_step;
    int tallied_step;
} Watcher;

/* ---- samples -------------------------------------------------------------------------------- */

/* Once for each cause, and again every 30 s; figures in the text change all the time. */
static Err *tell_throttle(Watcher *watcher)
{
    char cause[200];
    size_t len = 0;
    for (const char *at = watcher->throttle; *at != '\0'; at++)
        if (strchr("0123456789.", *at) == NULL)
            cause[len++] = *at;
    cause[len] = '\0';
    if (strcmp(cause, watcher->told_cause) == 0 && clock_ms() - watcher->told_at_ms < TELL_EVERY_MS)
        return NULL;
    Runner *runner = watcher->runner;
    bool on = watcher->throttle[0] != '\0';
    const char *kind = on ? "throttled" : "released", *text = on ? watcher->throttle : "going on";
    (void)snprintf(watcher->told_cause, sizeof watcher->told_cause, "%s", cause);
    watcher->told_at_ms = clock_ms();
    runner_tell(runner, kind, 0, NULL, text);
    return journal_event(watcher->conn, runner->change_id, kind, 0, NULL, text);
}

/* Keeps status truthful for other processes: what holds the work as soon as it is known, "paused" or
 * "waiting" once the chunk at hand is through. */
static Err *store_throttle(Watcher *watcher)
{
    Runner *runner = watcher->runner;
    pthread_mutex_lock(&runner->control.lock);
    bool resting = runner->control.resting;
    pthread_mutex_unlock(&runner->control.lock);
    if (strcmp(watcher->throttle, watcher->stored_throttle) == 0 && resting == watcher->stored_resting)
        return NULL;
    Wait wait = {.timeout_ms = CONTROL_TIMEOUT_MS};
    Rows rows = {0};
    bool on = watcher->throttle[0] != '\0';
    const char *state = !on || !resting                       ? "running"
                        : str_eq(watcher->throttle, "paused") ? "paused"
                                                              : "waiting";
    TRY(conn_params(watcher->conn, &wait, watcher->arena, &rows,
                    "UPDATE stoa.changes SET throttled_by = $2, state = $3 WHERE id = $1 AND state IN "
                    "('running', 'paused', "
                    "'waiting')",
                    arena_printf(watcher->arena, "%lld", (long long)runner->change_id),
                    on ? watcher->throttle : NULL, state));
    (void)snprintf(watcher->stored_throttle, sizeof watcher->stored_throttle, "%s", watcher->throttle);
    watcher->stored_resting = resting;
    return tell_throttle(watcher);
}

/* What others read; texts of the controls belong to one round, but for the window. */
static void publish(Watcher *watcher, Controls controls, bool abort_requested)
{
    Control *control = &watcher->runner->control;
    memset(controls.checks, 0, sizeof controls.checks);
    pthread_mutex_lock(&control->lock);
    const char *kept = control->controls.window;
    bool same = kept != NULL && controls.window != NULL && str_eq(kept, controls.window);
    controls.window = same                      ? kept
                      : controls.window != NULL ? arena_dup(control->texts, controls.window)
                                                : NULL;
    control->controls = controls;
    control->abort_requested = abort_requested;
    control->pace = watcher->samples.pace;
    (void)snprintf(control->throttled_by, sizeof control->throttled_by, "%s", watcher->throttle);
    control->sampled_at_ms = clock_ms();
    pthread_cond_broadcast(&control->wake);
    pthread_mutex_unlock(&control->lock);
}

static Err *sample(Watcher *watcher)
{
    Runner *runner = watcher->runner;
    Controls controls;
    bool abort_requested = false, ends = false;
    TRY(journal_load_controls(watcher->conn, watcher->arena, runner->change_id, &controls, &abort_requested));
    TRY(sample_round(runner, watcher->conn, watcher->arena, &controls, &watcher->samples, watcher->throttle));
    TRY(critical_look(runner, watcher->conn, &controls, &watcher->samples.signals, &watcher->critical,
                      watcher->throttle, &ends));
    publish(watcher, controls, abort_requested);
    if (ends) /* the gate is shut: it would be tried again */
        long_end(runner);
    return store_throttle(watcher);
}

/* ---- lease, long statements, progress ------------------------------------------------------- */

static Err *renew(Watcher *watcher)
{
    Runner *runner = watcher->runner;
    if (!runner->lease.held || clock_ms() - watcher->renewed_at_ms < LEASE_RENEW_MS)
        return NULL;
    bool held = true;
    TRY(lease_renew(watcher->conn, &runner->lease, &held));
    watcher->renewed_at_ms = clock_ms();
    if (!held) {
        pthread_mutex_lock(&runner->control.lock);
        runner->control.fenced = true;
        pthread_cond_broadcast(&runner->control.wake);
        pthread_mutex_unlock(&runner->control.lock);
    }
    return NULL;
}

static void show_progress(Watcher *watcher)
{
    Runner *runner = watcher->runner;
    Control *control = &runner->control;
    const Observer *observer = &runner->options->observer;
    if (observer->progress == NULL || clock_ms() - watcher->shown_at_ms < 250)
        return;
    watcher->shown_at_ms = clock_ms();
    pthread_mutex_lock(&control->lock);
    Progress progress = control->progress;
    char why[400], title[sizeof control->title + sizeof control->doing + 2];
    (void)snprintf(why, sizeof why, "%s",
                   control->throttled_by[0] != '\0' ? control->throttled_by : control->waiting_for);
    (void)snprintf(title, sizeof title, "%s%s%s", control->title, control->doing[0] != '\0' ? ": " : "",
                   control->doing);
    pthread_mutex_unlock(&control->lock);
    progress.title = title;
    progress.throttled_by = why[0] != '\0' ? why : NULL;
    observer->progress(observer->context, &progress);
}

static void fire_watchdog(Runner *runner)
{
    Control *control = &runner->control;
    pthread_mutex_lock(&control->lock);
    if (control->watched != NULL && !control->watch_fired && clock_ms() >= control->watch_until_ms) {
        control->watch_fired = true;
        runner->ops->cancel(control->watched); /* under the lock: the connection cannot be closed meanwhile */
    }
    pthread_mutex_unlock(&control->lock);
}

/* Lost values of ways back are told as soon as they are seen. */
static Err *look_at_broken(Watcher *watcher)
{
    if (clock_ms() - watcher->broken_at_ms < BROKEN_EVERY_MS)
        return NULL;
    watcher->broken_at_ms = clock_ms();
    const char *text = NULL;
    TRY(broken_note(watcher->conn, watcher->arena, watcher->runner->change_id, &text));
    if (text != NULL)
        runner_tell(watcher->runner, "back_broken", 0, NULL, text);
    return NULL;
}

/* ---- what was counted ---------------------------------------------------------------------- */

/* What the server wrote to its log while rows were filled or copied, whoever made it write. */
static Err *count_log(Watcher *watcher)
{
    Runner *runner = watcher->runner;
    Wait wait = {.timeout_ms = CONTROL_TIMEOUT_MS};
    pthread_mutex_lock(&runner->control.lock);
    bool fills = str_eq(runner->control.progress.phase, phase_name(PHASE_BACKFILL));
    int step = runner->control.progress.step;
    pthread_mutex_unlock(&runner->control.lock);
    int64_t before = watcher->log_bytes, now = -1;
    if (fills || before >= 0)
        TRY(runner->ops->log_bytes(watcher->conn, &wait, watcher->arena, &now));
    if (before >= 0 && now > before)
        tally_add(&runner->tally, watcher->log_step, "sums", "log_bytes", now - before);
    watcher->log_bytes = fills ? now : -1;
    watcher->log_step = step;
    return NULL;
}

static const Step *step_of(const Plan *plan, int ordinal)
{
    for (size_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].ordinal == ordinal)
            return &plan->steps[i];
    return NULL;
}

/* How large a table has become while it is filled, beside what it was: only where rows are written anew in
 * the table itself. Once more when that is over. */
static Err *count_bytes(Watcher *watcher)
{
    Runner *runner = watcher->runner;
    Tally *tally = &runner->tally;
    Wait wait = {.timeout_ms = CONTROL_TIMEOUT_MS};
    bool fills = watcher->log_bytes >= 0, over = !fills && watcher->sized_ms != 0;
    if (runner->ops->table_bytes == NULL || (!fills && !over) ||
        (fills && watcher->sized_ms != 0 && clock_ms() - watcher->sized_ms < SIZE_EVERY_MS))
        return NULL;
    watcher->sized_ms = fills ? clock_ms() : 0;
    int ordinal = fills ? watcher->log_step : watcher->sized_step;
    watcher->sized_step = ordinal;
    const Step *step = step_of(&runner->plan, ordinal);
    if (step == NULL || step->kind != STEP_BACKFILL || step->table.name == NULL)
        return NULL;
    int64_t heap = 0, indexes = 0;
    TRY(runner->ops->table_bytes(watcher->conn, &wait, watcher->arena, step->table.schema, step->table.name,
                                 &heap, &indexes));
    if (heap == 0)
        return NULL;
    tally_set(tally, ordinal, "bytes", "heap", heap);
    tally_set(tally, ordinal, "bytes", "indexes", indexes);
    tally_keep(tally, ordinal, "bytes", "heap", "heap_before");
    tally_keep(tally, ordinal, "bytes", "indexes", "indexes_before");
    return NULL;
}

/* Behind the lease, as every checkpoint. */
static Err *store_tally(Watcher *watcher)
{
    Runner *runner = watcher->runner;
    watcher->tallied_at_ms = clock_ms();
    TRY(count_log(watcher));
    TRY(count_bytes(watcher));
    if (!runner->lease.held && runner->lease.table_count > 0)
        return NULL;
    CLEANUP(mem_freep) char *text = tally_take(&runner->tally);
    if (text == NULL)
        return NULL;
    Err *err = journal_checkpoint(watcher->conn, &runner->lease, runner->change_id, TALLY_CHANGE, text);
    if (err != NULL) {
        tally_untaken(&runner->tally);
        log_line(LOG_DEBUG, "what was counted is not in the journal: %s", err->msg);
    }
    err_free(err); /* the work does not depend on it */
    return NULL;
}

/* A statement is to be cancelled in time, and nobody else would. */
static bool is_watching(Watcher *watcher)
{
    Control *control = &watcher->runner->control;
    pthread_mutex_lock(&control->lock);
    bool watching = control->watched != NULL && control->watch_until_ms != INT64_MAX;
    pthread_mutex_unlock(&control->lock);
    return watching;
}

/* Once in a while, and when a step is behind us. */
static bool tally_is_due(Watcher *watcher)
{
    Control *control = &watcher->runner->control;
    pthread_mutex_lock(&control->lock);
    int step = control->progress.step;
    pthread_mutex_unlock(&control->lock);
    if (is_watching(watcher))
        return false;
    bool due = step != watcher->tallied_step || clock_ms() - watcher->tallied_at_ms >= TALLY_EVERY_MS;
    watcher->tallied_step = step;
    return due;
}

static Err *restore_tally(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *body = NULL;
    TRY(journal_load_checkpoint(runner->conn, arena, runner->change_id, TALLY_CHANGE, &body));
    tally_restore(&runner->tally, body);
    return NULL;
}

/* ---- the thread ----------------------------------------------------------------------------- */

static Err *tick(Watcher *watcher)
{
    Runner *runner = watcher->runner;
    if (watcher->conn == NULL)
        TRY(runner->ops->connect(&runner->options->target, "control",
                                 &(Wait){.timeout_ms = CONTROL_TIMEOUT_MS}, &watcher->conn));
    TRY(renew(watcher));
    if (clock_ms() - watcher->sampled_at_ms >= CONTROL_TICK_MS) {
        watcher->sampled_at_ms = clock_ms();
        TRY(sample(watcher));
    }
    if (tally_is_due(watcher))
        TRY(store_tally(watcher));
    if (!is_watching(watcher))
        seal_now_and_then(watcher->conn, &watcher->seals);
    TRY(look_at_broken(watcher));
    return long_look(runner, watcher->conn, watcher->arena, &watcher->looked_at_ms);
}

static void *control_main(void *argument)
{
    Runner *runner = argument;
    Watcher watcher = {.runner = runner, .arena = arena_new(), .log_bytes = -1};
    Control *control = &runner->control;
    for (;;) {
        pthread_mutex_lock(&control->lock);
        bool quit = control->quit;
        bool watching = control->watched != NULL && control->watch_until_ms != INT64_MAX;
        pthread_mutex_unlock(&control->lock);
        if (quit)
            break;
        fire_watchdog(runner);
        Err *err = tick(&watcher);
        if (err != NULL) { /* no sample: control_gate holds the work once the last one is stale */
            log_line(LOG_DEBUG, "control: %s", err->msg);
            tally_error(&runner->tally, "control", err);
            err_free(err);
            conn_closep(&watcher.conn);
        }
        show_progress(&watcher);
        arena_clear(watcher.arena);
        (void)poll(NULL, 0, watching ? 5 : 50);
    }
    sample_done(&watcher.samples);
    if (watcher.conn != NULL)
        err_free(store_tally(&watcher));
    conn_closep(&watcher.conn);
    arena_free(watcher.arena);
    return NULL;
}

Err *control_start(Runner *runner)
{
    Control *control = &runner->control;
    control->controls = runner->options->controls;
    bool abort_requested = false;
    TRY(journal_load_controls(runner->conn, runner->arena, runner->change_id, &control->controls,
                              &abort_requested));
    TRY(restore_tally(runner));
    control->work_session = runner->ops->session_id(runner->conn);
    control->watch_until_ms = INT64_MAX;
    control->started_at_ms = clock_ms();
    control->texts = arena_new();
    control->progress =
        (Progress){.change = runner->name, .eta_low_s = -1, .eta_high_s = -1, .hot_ratio = -1};
    if (pthread_mutex_init(&control->lock, NULL) != 0 || pthread_cond_init(&control->wake, NULL) != 0 ||
        pthread_create(&control->thread, NULL, control_main, runner) != 0)
        return err_new(ERR_IO, "cannot start the control thread");
    control->started = true;
    return NULL;
}

void control_stop(Runner *runner)
{
    Control *control = &runner->control;
    if (!control->started)
        return;
    pthread_mutex_lock(&control->lock);
    control->quit = true;
    pthread_mutex_unlock(&control->lock);
    (void)pthread_join(control->thread, NULL);
    control->started = false;
    control->controls.window = NULL;
    arena_free(control->texts);
    control->texts = NULL;
}

/* ---- for the working thread ----------------------------------------------------------------- */

Controls control_settings(Runner *runner)
{
    Control *control = &runner->control;
    if (!control->started)
        return runner->options->controls;
    pthread_mutex_lock(&control->lock);
    Controls controls = control->controls;
    pthread_mutex_unlock(&control->lock);
    return controls;
}

static double rest_ratio(Runner *runner)
{
    pthread_mutex_lock(&runner->control.lock);
    double nice = runner->control.controls.nice, pace = runner->control.pace;
    pthread_mutex_unlock(&runner->control.lock);
    return nice > pace ? nice : pace;
}

/* Rests in proportion to the work since the last gate, as long as that is wanted. */
static void be_nice(Runner *runner)
{
    int64_t from_ms = clock_ms();
    int64_t worked_ms = runner->worked_from_ms == 0 ? 0 : from_ms - runner->worked_from_ms;
    for (double rest_ms = 1; rest_ms > 0 && stop_level(runner->options->stop) == STOP_NONE;) {
        double wanted_ms = (double)worked_ms * rest_ratio(runner);
        rest_ms = (wanted_ms < NICE_MOST_MS ? wanted_ms : NICE_MOST_MS) - (double)(clock_ms() - from_ms);
        if (rest_ms > 0)
            stop_sleep(runner->options->stop, rest_ms < NICE_LOOK_MS ? (int64_t)rest_ms + 1 : NICE_LOOK_MS);
    }
}

Err *control_gate(Runner *runner)
{
    Control *control = &runner->control;
    const char *reason = NULL;
    bool rested = false;
    for (int64_t from = clock_ms(), since = from;;) {
        int64_t now = clock_ms();
        if (reason != NULL)
            tally_add(&runner->tally, TALLY_CHANGE, "throttled_ms", reason, now - since);
        since = now;
        TRY(stop_check(runner->options->stop));
        pthread_mutex_lock(&control->lock);
        bool fenced = control->fenced, abort_requested = control->abort_requested;
        bool none = control->sampled_at_ms == 0;
        bool stale = none || clock_ms() - control->sampled_at_ms > SAMPLE_STALE_MS;
        bool held = stale || control->throttled_by[0] != '\0';
        bool tell =
            stale && clock_ms() - (none ? control->started_at_ms : control->sampled_at_ms) > SAMPLE_STALE_MS;
        if (tell)
            (void)snprintf(control->throttled_by, sizeof control->throttled_by,
                           "no fresh sample of the throttle signals: %.150s", control->failed);
        tell = tell && !control->told_failed;
        char why[sizeof control->throttled_by];
        memcpy(why, control->throttled_by, sizeof why);
        control->told_failed = stale && (control->told_failed || tell);
        control->resting = held && !fenced && !abort_requested;
        reason = held ? throttle_reason(control->throttled_by) : NULL;
        pthread_mutex_unlock(&control->lock);
        if (tell) /* the control thread cannot */
            runner_event(runner, "throttled", 0, NULL, "%s", why);
        if (fenced)
            return err_hint(err_new(ERR_FENCED, "another runner has taken over change \"%s\"", runner->name),
                            "see who has it: stoa status %s", runner->name);
        if (abort_requested)
            return err_hint(
                err_new(ERR_STOPPED, "change \"%s\" is being aborted by another process", runner->name),
                "see how it ended: stoa status %s", runner->name);
        if (!held && !rested) { /* and look again: much may happen in a long rest */
            be_nice(runner);
            rested = true;
            continue;
        }
        if (!held) {
            runner->rested_ms += clock_ms() - from;
            runner->worked_from_ms = clock_ms();
            return NULL;
        }
        stop_sleep(runner->options->stop, 20);
    }
}

bool control_is_held(Runner *runner)
{
    Control *control = &runner->control;
    pthread_mutex_lock(&control->lock);
    bool held = control->fenced || control->abort_requested || control->throttled_by[0] != '\0';
    pthread_mutex_unlock(&control->lock);
    return held;
}

void control_watch(Runner *runner, Conn *conn, int64_t at_ms)
{
    Control *control = &runner->control;
    pthread_mutex_lock(&control->lock);
    control->watched = conn;
    control->watch_until_ms = at_ms;
    control->watch_fired = false;
    pthread_mutex_unlock(&control->lock);
}

bool control_unwatch(Runner *runner)
{
    Control *control = &runner->control;
    pthread_mutex_lock(&control->lock);
    bool fired = control->watch_fired;
    control->watched = NULL;
    control->watch_until_ms = INT64_MAX;
    control->watch_fired = false;
    pthread_mutex_unlock(&control->lock);
    return fired;
}

void control_step(Runner *runner, const Step *step, double fraction)
{
    Control *control = &runner->control;
    pthread_mutex_lock(&control->lock);
    (void)snprintf(control->title, sizeof control->title, "%s", step->title);
    control->progress.phase = phase_name(step->phase);
    control->progress.step = step->ordinal;
    control->progress.step_count =
        (int)(runner->plan.step_count + (step->phase == PHASE_REVERT ? runner->plan.revert_count : 0));
    control->progress.rows_done = control->progress.rows_total = 0;
    control->progress.rows_per_s = 0;
    control->progress.hot_ratio = -1;
    control->progress.eta_low_s = control->progress.eta_high_s = -1;
    control->fraction_at_start = fraction;
    control->step_started_ms = clock_ms();
    pthread_mutex_unlock(&control->lock);
}

/* The range of the remaining time comes from the rate so far: from a fifth faster to twice as slow. */
void control_rows(Runner *runner, int64_t rows_done, int64_t rows_total, double fraction, double hot_ratio)
{
    Control *control = &runner->control;
    pthread_mutex_lock(&control->lock);
    Progress *progress = &control->progress;
    double seconds = (double)(clock_ms() - control->step_started_ms) / 1000;
    double gained = fraction - control->fraction_at_start;
    if (progress->rows_done == 0)
        control->progress.rows_per_s = 0;
    if (seconds > 0.5 && gained > 0 && fraction > 0) {
        double left = (1 - fraction) * seconds / gained;
        progress->eta_low_s = (int64_t)(left * 0.8);
        progress->eta_high_s = (int64_t)(left * 2) + 1;
        progress->rows_per_s = (double)rows_done * (gained / fraction) / seconds;
    }
    progress->rows_done = rows_done;
    progress->rows_total = rows_total > rows_done ? rows_total : rows_done;
    progress->hot_ratio = hot_ratio;
    pthread_mutex_unlock(&control->lock);
}
