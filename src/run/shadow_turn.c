/* Turns: worker threads carry one kind of work out until its time is over, and nothing is in flight behind
 * it. */
#include "run/shadow.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/unit.h"

#include <stdlib.h>

enum {
    FAILURES_MAX = 20,      /* turns in a row in which nothing but errors came */
    FAILURE_PAUSE_MS = 20,  /* doubled each time */
    APPLY_KEYS_FIRST = 200, /* of a batch */
    APPLY_KEYS_MIN = 50,    /* fewer would not be faster: each batch waits for its commit */
    APPLY_SHARE = 4,        /* of --max-stall: so long the rows of a batch may be locked */
    BATCH_MS = 1000,        /* a turn ends with its last batch */
    CATCH_UP_MS = 200,      /* of an apply turn while catching up */
    CROWDED_SHARE = 50,     /* one key in so many has another row in its way */
    REPORT_MS = 250,
    TELL_BACKLOG_MS = 30000,
    TEXT_BYTES = 96,
};

/* ---- workers -------------------------------------------------------------------------------- */

/* The turn to take part in; false: the run ends. */
static bool wait_for_turn(Worker *worker)
{
    ShadowRun *run = worker->run;
    pthread_mutex_lock(&run->lock);
    while (!run->quitting && (run->turn == worker->turn || worker->number >= run->turn_workers))
        pthread_cond_wait(&run->wake, &run->lock);
    worker->turn = run->turn;
    bool go = !run->quitting;
    pthread_mutex_unlock(&run->lock);
    return go;
}

static void *worker_main(void *argument)
{
    Worker *worker = argument;
    ShadowRun *run = worker->run;
    while (wait_for_turn(worker)) {
        Err *err = run->turn_task(worker);
        arena_clear(worker->arena);
        pthread_mutex_lock(&run->lock);
        if (run->turn_err == NULL || (err != NULL && !err_is_transient(err))) { /* what counts more */
            Err *other = run->turn_err;
            run->turn_err = err;
            err = other;
        }
        run->turn_active--;
        pthread_cond_broadcast(&run->wake);
        pthread_mutex_unlock(&run->lock);
        err_free(err);
    }
    return NULL;
}

Wait shadow_worker_wait(const Worker *worker, int64_t timeout_ms)
{
    return (Wait){.stop = worker->run->runner->options->stop, .timeout_ms = timeout_ms};
}

bool shadow_turn_over(const Worker *worker)
{
    ShadowRun *run = worker->run;
    if (stop_level(run->runner->options->stop) != STOP_NONE || clock_ms() >= run->turn_until_ms ||
        control_is_held(run->runner))
        return true;
    pthread_mutex_lock(&run->lock);
    bool failed = run->turn_err != NULL;
    pthread_mutex_unlock(&run->lock);
    return failed;
}

/* A successor ends them: a chunk of a process that was stopped must not commit behind its back. */
Err *shadow_workers_open(ShadowRun *run, size_t count)
{
    Wait wait = runner_wait(run->runner);
    bool news = false;
    for (size_t i = 0; i < count; i++) {
        Worker *worker = &run->workers[i];
        if (worker->conn != NULL)
            continue;
        TRY(run->runner->ops->connect(&run->runner->options->target, "shadow", &wait, &worker->conn));
        news = true;
    }
    if (news)
        TRY(shadow_save(run));
    for (size_t i = 0; i < count; i++) {
        Worker *worker = &run->workers[i];
        if (worker->started)
            continue;
        worker->run = run;
        worker->number = i;
        worker->arena = arena_new();
        worker->turn = run->turn;
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
            return err_new(ERR_IO, "cannot start a thread");
        worker->started = true;
    }
    return NULL;
}

void shadow_workers_stop(ShadowRun *run)
{
    pthread_mutex_lock(&run->lock);
    run->quitting = true;
    pthread_cond_broadcast(&run->wake);
    pthread_mutex_unlock(&run->lock);
    for (size_t i = 0; i < SHADOW_WORKERS_MAX; i++) {
        Worker *worker = &run->workers[i];
        if (worker->started)
            (void)pthread_join(worker->thread, NULL);
        worker->started = false;
        conn_closep(&worker->conn);
        arena_free(worker->arena);
        worker->arena = NULL;
    }
    run->quitting = false;
}

Err *shadow_turn(ShadowRun *run, WorkerTask *task, size_t workers, int64_t until_ms)
{
    TRY(shadow_workers_open(run, workers));
    pthread_mutex_lock(&run->lock);
    run->turn_task = task;
    run->turn_until_ms = until_ms;
    run->turn_workers = run->turn_active = workers;
    run->turn_done = 0;
    run->turn++;
    pthread_cond_broadcast(&run->wake);
    while (run->turn_active > 0)
        pthread_cond_wait(&run->wake, &run->lock);
    Err *err = run->turn_err;
    run->turn_err = NULL;
    int64_t done = run->turn_done;
    pthread_mutex_unlock(&run->lock);
    if (done > 0) {
        run->runner->progress_marks++;
        run->failures = 0;
    }
    return err;
}

Err *shadow_forgive(ShadowRun *run, Err *err)
{
    if (err == NULL || !err_is_transient(err) || err->kind == ERR_CONN_LOST)
        return err;
    if (++run->failures > FAILURES_MAX)
        return err;
    Err *stop = stop_check(run->runner->options->stop);
    CLEANUP(mem_freep) char *text = err_text(err);
    log_line(LOG_DEBUG, "shadow: %s: %s", err_kind_name(err->kind), text);
    err_free(err);
    if (stop == NULL)
        stop_sleep(run->runner->options->stop, FAILURE_PAUSE_MS << (run->failures > 6 ? 6 : run->failures));
    return stop;
}

/* ---- the gate ------------------------------------------------------------------------------- */

static Err *altered(const ShadowRun *run)
{
    return err_hint(err_new(ERR_UNSAFE, "table \"%s\" was changed by somebody else meanwhile: %.300s",
                            run->spec->source, run->altered),
                    "undo with: stoa abort %s, then apply again", run->runner->name);
}

/* What stands in the log stays there: a new copy must begin behind it. */
static Err *not_captured(const ShadowRun *run, Err *err)
{
    if (!err_is(err, ERR_UNSAFE) || run->back)
        return err;
    const char *hint = err_first_hint(err);
    CLEANUP(mem_freep) char *copy = hint == NULL ? NULL : mem_dup(hint);
    return err_hint(err, "%s%sundo with: stoa abort %s, then apply again", copy == NULL ? "" : copy,
                    copy == NULL ? "" : "; ", run->runner->name);
}

static Err *lost_position(ShadowRun *run, Err *why)
{
    CLEANUP(mem_freep) char *text = err_text(why);
    if (run->back)
        return why;
    err_free(why);
    return shadow_begin_anew(run, text);
}

Err *shadow_gate(ShadowRun *run)
{
    if (control_is_held(run->runner)) /* it may be long: a checkpoint tells where it stands */
        TRY(shadow_save(run));
    TRY(control_gate(run->runner));
    pthread_mutex_lock(&run->lock);
    Err *err = run->reader_err;
    run->reader_err = NULL;
    bool emptied = run->emptied, is_altered = run->altered != NULL;
    uint64_t number = run->emptied_number;
    run->emptied = false;
    pthread_mutex_unlock(&run->lock);
    if (err_is(err, ERR_GONE))
        return lost_position(run, err);
    TRY(not_captured(run, err));
    if (is_altered)
        return altered(run);
    if (!emptied)
        return NULL;
    TRY(shadow_begin_anew(run, NULL));
    TRY(failpoint_at("shadow_emptied"));
    pthread_mutex_lock(&run->lock);
    if (!shadow_stays(run))
        keys_release(run->keys, number);
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

/* ---- apply ---------------------------------------------------------------------------------- */

/* By how long others may have to wait for it. Most of what a batch takes is the same for few keys as for many
 * where the machine is busy. */
static void resize_batch(ShadowRun *run, size_t count, int64_t held_ms, int64_t took_ms)
{
    int64_t size = run->batch_keys, target_ms = control_settings(run->runner).max_stall_ms / APPLY_SHARE;
    if (held_ms > target_ms * 2 || took_ms > BATCH_MS)
        size = size * 3 / 4;
    else if (held_ms < target_ms && (int64_t)count * 2 > size)
        size += size / 4 + 1;
    run->batch_keys = size < APPLY_KEYS_MIN ? APPLY_KEYS_MIN : size > KEYS_BATCH_MAX ? KEYS_BATCH_MAX : size;
}

static Err *apply_batch(Worker *worker, bool *ret_any)
{
    ShadowRun *run = worker->run;
    const char *taken[KEYS_BATCH_MAX], *owed[KEYS_BATCH_MAX];
    pthread_mutex_lock(&run->lock);
    size_t count =
        keys_take(run->keys, worker->number, run->turn_workers, (size_t)run->batch_keys, clock_ms(), taken);
    size_t owed_count = keys_owed(run->keys, taken, count, owed);
    pthread_mutex_unlock(&run->lock);
    *ret_any = count > 0;
    if (count == 0)
        return NULL;
    int64_t from = clock_ms();
    Applied applied = {0};
    Wait wait = shadow_worker_wait(worker, JOURNAL_TIMEOUT_MS);
    Err *err = failpoint_at("apply_before");
    if (err == NULL)
        err = run->ops->apply(worker->conn, &wait, worker->arena, run->spec,
                              &(KeyList){.keys = taken, .count = count},
                              &(KeyList){.keys = owed, .count = owed_count}, false, &applied);
    if (err == NULL)
        err = failpoint_at("apply_after");
    pthread_mutex_lock(&run->lock);
    keys_owe(run->keys, taken, count, &applied.displaced);
    if (err != NULL) {
        keys_give_back(run->keys, taken, count);
        run->batch_keys = run->batch_keys > APPLY_KEYS_MIN * 2 ? run->batch_keys / 2 : APPLY_KEYS_MIN;
    } else {
        keys_finish(run->keys, taken, count, &applied.busy, clock_ms());
        resize_batch(run, count, applied.held_ms, clock_ms() - from);
        int64_t done = (int64_t)count - (int64_t)applied.busy.count;
        run->keys_displaced += (int64_t)applied.displaced.count;
        run->keys_applied += done;
        run->turn_done += done;
        pthread_cond_broadcast(&run->wake); /* there is room again */
    }
    pthread_mutex_unlock(&run->lock);
    return err;
}

static Err *apply_task(Worker *worker)
{
    for (bool any = true; any && !shadow_turn_over(worker);) {
        TRY(apply_batch(worker, &any));
        arena_clear(worker->arena);
    }
    return NULL;
}

static size_t backlog_of(ShadowRun *run)
{
    pthread_mutex_lock(&run->lock);
    size_t count = keys_count(run->keys);
    pthread_mutex_unlock(&run->lock);
    return count;
}

/* More of them when the backlog grows all the same: each waits for the disk at its commits. Where unique
 * values move, several would be in each other's way, and one with large batches is faster. */
static void choose_appliers(ShadowRun *run, size_t before, size_t after, int64_t applied, int64_t displaced)
{
    if (!run->spec->key_exact)
        run->applier_count = 1; /* spellings that the server takes for one key stay in one hand */
    else if (displaced * CROWDED_SHARE > applied)
        run->applier_count = 1;
    else if (after > before && after > 1000 && run->applier_count < SHADOW_WORKERS_MAX)
        run->applier_count++;
}

Err *shadow_apply_turn(ShadowRun *run, int64_t budget_ms)
{
    if (shadow_stays(run))
        return shadow_bring_turn(run);
    size_t before = run->backlog, waiting = backlog_of(run);
    if (waiting == 0) {
        run->backlog = 0;
        return NULL;
    }
    int64_t from = clock_ms(), applied = run->keys_applied, displaced = run->keys_displaced;
    if (run->batch_keys == 0)
        run->batch_keys = APPLY_KEYS_FIRST;
    Err *err = shadow_turn(run, apply_task, run->applier_count, from + budget_ms);
    int64_t took_ms = clock_ms() - from;
    run->backlog = backlog_of(run);
    applied = run->keys_applied - applied;
    displaced = run->keys_displaced - displaced;
    choose_appliers(run, before, run->backlog, applied, displaced);
    if (took_ms > 0 && applied > 20)
        run->applied_per_s = applied * 1000 / took_ms;
    return shadow_forgive(run, err);
}

/* ---- catching up ---------------------------------------------------------------------------- */

/* Up to three of the keys that rest because their rows are locked. */
static Err *still_locked(ShadowRun *run)
{
    const char *some[3];
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str names = STR_INIT;
    pthread_mutex_lock(&run->lock);
    size_t all = keys_count(run->keys), count = keys_take(run->keys, 0, 1, ARRAY_LEN(some), INT64_MAX, some);
    for (size_t i = 0; i < count; i++) {
        str_sep(&names, "; ");
        str_add(&names, run->ops->key_text(arena, run->spec, some[i]));
    }
    keys_give_back(run->keys, some, count);
    pthread_mutex_unlock(&run->lock);
    return err_hint(
        err_new(ERR_LOCK_BUDGET,
                "%zu changed row%s of \"%s\" could not be brought over within --lock-wait: locked "
                "by others, or changing faster than they can be written (%s)",
                all, all == 1 ? "" : "s", run->spec->source, names.buf),
        "end the transactions that hold them, then: stoa resume %s", run->runner->name);
}

Err *shadow_catch_up(ShadowRun *run)
{
    Runner *runner = run->runner;
    int64_t began_ms = runner_clock_ms(runner);
    uint64_t through_before = 0;
    bool marked = false;
    if (shadow_stays(run))
        return shadow_bring_all(run);
    for (;;) {
        TRY(shadow_gate(run));
        Wait wait = runner_wait(runner);
        if (!marked || run->mark == NULL) /* a capture that was begun anew knows of none */
            TRY(shadow_mark(run, runner->conn, &wait));
        marked = true;
        TRY(shadow_apply_turn(run, CATCH_UP_MS));
        TRY(shadow_save_if_due(run));
        shadow_report(run, run->copied ? &run->compare : &run->copy);
        uint64_t number = 0;
        bool reached = shadow_mark_reached(run, &number);
        pthread_mutex_lock(&run->lock);
        uint64_t through_now = keys_through(run->keys);
        bool through = reached && through_now >= number;
        bool waiting = run->emptied || run->altered != NULL || run->reader_err != NULL;
        pthread_mutex_unlock(&run->lock);
        if (through && !waiting)
            return NULL;
        if (through_now > through_before) {
            through_before = through_now;
            began_ms = runner_clock_ms(runner);
            continue;
        }
        if (runner_clock_ms(runner) - began_ms > control_settings(runner).lock_wait_ms)
            return still_locked(run);
        shadow_wait(run, clock_ms() + 10);
    }
}

/* ---- figures -------------------------------------------------------------------------------- */

static void backlog_text(ShadowRun *run, char *ret_text)
{
    char age[UNIT_TEXT_BYTES] = "";
    pthread_mutex_lock(&run->lock);
    size_t count = keys_count(run->keys);
    int64_t behind_ms = run->behind_ms;
    pthread_mutex_unlock(&run->lock);
    if (behind_ms >= 1000)
        (void)unit_duration_text(behind_ms, age);
    (void)snprintf(ret_text, TEXT_BYTES, "%zu changed rows waiting%s%s%s", count,
                   age[0] != '\0' ? ", capture " : "", age, age[0] != '\0' ? " behind" : "");
}

void shadow_report(ShadowRun *run, const Pass *pass)
{
    Runner *runner = run->runner;
    if (clock_ms() - run->reported_at_ms < REPORT_MS)
        return;
    run->reported_at_ms = clock_ms();
    arena_clear(runner->scratch);
    Wait wait = runner_wait(runner);
    const char *low = pass_watermark(pass);
    char text[TEXT_BYTES];
    double part = pass_is_through(pass) ? 1 : low == NULL ? 0 : -1;
    if (part < 0)
        part = run->ops->fraction(runner->conn, &wait, runner->scratch, run->spec, low);
    if (part < 0)
        part = run->row_estimate > 0 ? (double)pass->rows / (double)run->row_estimate : 0;
    control_rows(runner, pass->rows, run->row_estimate, part > 1 ? 1 : part, -1);
    backlog_text(run, text);
    pthread_mutex_lock(&runner->control.lock);
    (void)snprintf(runner->control.title, sizeof runner->control.title, "%.60s; %s", run->step->title, text);
    pthread_mutex_unlock(&runner->control.lock);
    if (clock_ms() - run->told_at_ms < TELL_BACKLOG_MS)
        return;
    run->told_at_ms = clock_ms();
    runner_event(runner, "progress", run->step->ordinal, NULL, "%lld rows, %.0f %%; %s",
                 (long long)pass->rows, part * 100, text);
}
