/* Getting a strong lock without anybody noticing.
 *
 * An attempt with NOWAIT costs the application nothing, since nothing queues behind it; so most attempts are
 * of that kind. Only where short transactions never leave a gap does an attempt wait in the queue, for a
 * share of --max-stall, never while a known long blocker lives, and so rarely that the induced stalls stay
 * under one per cent of the time. */
#include "run/runner.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/unit.h"

#include <stdlib.h>
#include <string.h>

enum {
    NOWAIT_TRIES = 40,    /* before the first attempt that waits in the queue */
    NOWAIT_PAUSE_MS = 10, /* plus as much at random */
    STALL_SHARE = 100,    /* waits may take one hundredth of the time */
    BLOCKER_SAID_EVERY_MS = 10000,
};

typedef struct Attempt {
    const Step *step;
    LockedBody *body;
    Table table;
    void *context;
    int64_t deadline_ms;
    int64_t queue_after_ms; /* no attempt in the queue before this time */
    int64_t said_at_ms;
    int tries;
    char blocked_by[BLOCKERS_TEXT_BYTES];
} Attempt;

static int64_t locks_of(const Step *step) { return step->lock_count > 0 ? (int64_t)step->lock_count : 1; }

/* Waits + hold + commit stay under max_stall: every lock may wait its share, one share is for the hold. */
static int64_t share_of(const Step *step, const Controls *controls)
{
    return controls->max_stall_ms / (locks_of(step) + 1);
}

bool blockers_text(const Blocker *blockers, size_t count, int64_t patience_ms, char *ret_text)
{
    CLEANUP(str_donep) Str who = STR_INIT;
    for (size_t i = 0, named = 0; i < count && named < 3; i++) {
        const Blocker *blocker = &blockers[i];
        if (blocker->age_ms < patience_ms)
            continue;
        named++;
        char age[UNIT_TEXT_BYTES];
        str_sep(&who, "; ");
        str_addf(&who, "pid %lld (%s, %s, transaction open for %s)%s%.80s", (long long)blocker->pid,
                 blocker->application != NULL && blocker->application[0] != '\0' ? blocker->application
                                                                                 : "no name",
                 blocker->state != NULL  ? blocker->state
                 : blocker->mode != NULL ? blocker->mode
                                         : "unknown",
                 unit_duration_text(blocker->age_ms, age), blocker->statement != NULL ? ": " : "",
                 blocker->statement != NULL ? blocker->statement : "");
    }
    (void)snprintf(ret_text, BLOCKERS_TEXT_BYTES, "%s", who.len > 0 ? who.buf : "nobody who can be seen");
    return who.len > 0;
}

static Err *look_at_blockers(Runner *runner, Attempt *attempt, int64_t patience_ms, bool *ret_long)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    *ret_long = false;
    if (attempt->table.id == 0)
        return NULL;
    Blocker *blockers = NULL;
    size_t count = 0;
    TRY(runner->ops->blockers(runner->conn, &wait, arena, attempt->table.id, attempt->step->lock, &blockers,
                              &count));
    char who[BLOCKERS_TEXT_BYTES];
    *ret_long = blockers_text(blockers, count, patience_ms, who);
    if (*ret_long)
        (void)snprintf(attempt->blocked_by, sizeof attempt->blocked_by, "%s", who);
    if (*ret_long && (attempt->said_at_ms == 0 || clock_ms() - attempt->said_at_ms > BLOCKER_SAID_EVERY_MS)) {
        attempt->said_at_ms = clock_ms();
        runner_event(runner, "lock_blocked", attempt->step->ordinal, NULL, "waiting for a lock on %s: %s",
                     attempt->step->table.name, who);
    }
    pthread_mutex_lock(&runner->control.lock);
    (void)snprintf(runner->control.waiting_for, sizeof runner->control.waiting_for, "%s",
                   *ret_long ? who : "");
    pthread_mutex_unlock(&runner->control.lock);
    return NULL;
}

static Err *locked(Runner *runner, Attempt *attempt, bool no_wait, int64_t share_ms, int64_t *ret_waited_ms)
{
    const Step *step = attempt->step;
    Wait wait = runner_wait(runner);
    const Table *table = &attempt->table;
    TRY(runner->ops->begin(runner->conn, &wait,
                           &(TxSettings){.lock_timeout_ms = share_ms,
                                         .statement_timeout_ms = control_settings(runner).max_stall_ms,
                                         .local_commit = true,
                                         .yield_autovacuum = runner->server.may_yield_autovacuum}));
    TRY(lease_prove(runner));
    int64_t from = clock_ms();
    Err *err = NULL;
    if (step->lock_count > 0 && table->id != 0) {
        err = runner->ops->act_as(runner->conn, &wait, step->role);
        if (err == NULL)
            err = runner->ops->lock_table(runner->conn, &wait, table, step->lock, no_wait);
    }
    *ret_waited_ms = clock_ms() - from;
    if (err == NULL)
        err = runner->ops->act_as(runner->conn, &wait, NULL);
    if (err == NULL)
        err = attempt->body(runner, step, table, attempt->context);
    if (err == NULL)
        err = failpoint_at("locked_before_commit");
    if (err == NULL)
        err = runner->ops->commit(runner->conn, &wait);
    if (err == NULL)
        err = failpoint_at("locked_after_commit");
    return err;
}

/* One attempt; *ret_done tells whether it succeeded. A lock that was not granted is no error. */
static Err *try_once(Runner *runner, Attempt *attempt, bool no_wait, bool *ret_done)
{
    Controls controls = control_settings(runner);
    int64_t share = share_of(attempt->step, &controls), waited = 0;
    control_watch(runner, runner->conn, clock_ms() + controls.max_stall_ms);
    Err *err = locked(runner, attempt, no_wait, share, &waited);
    bool fired = control_unwatch(runner);
    *ret_done = err == NULL;
    if (err == NULL)
        return NULL;
    runner->ops->rollback(runner->conn);
    if (!no_wait)
        attempt->queue_after_ms = clock_ms() + waited * STALL_SHARE;
    bool again = err->kind == ERR_LOCK_TIMEOUT || err->kind == ERR_DEADLOCK ||
                 (err->kind == ERR_CANCELLED && fired) ||
                 (err->kind == ERR_CANCELLED && stop_level(runner->options->stop) == STOP_NONE);
    if (!again)
        return err;
    if (err->kind == ERR_CANCELLED) /* held too long: not at once again */
        attempt->queue_after_ms = clock_ms() + controls.max_stall_ms * STALL_SHARE;
    err_free(err);
    return NULL;
}

static Err *budget_used(const Attempt *attempt, int64_t lock_wait_ms)
{
    char text[UNIT_TEXT_BYTES];
    Err *err = err_new(ERR_LOCK_BUDGET, "no %s lock on \"%s\" within %s%s%s", attempt->step->lock,
                       attempt->step->table.name, unit_duration_text(lock_wait_ms, text),
                       attempt->blocked_by[0] != '\0' ? ": blocked by " : "", attempt->blocked_by);
    return err_hint(
        err, "end or wait for the blocking session, then apply again; or raise --lock-wait or --max-stall");
}

Err *lockwait_run(Runner *runner, const Step *step, LockedBody *body, void *context)
{
    int64_t from = clock_ms();
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Attempt attempt = {.step = step, .body = body, .context = context};
    if (step->table.name != NULL)
        TRY(runner_load_table(runner, arena, &step->table, &attempt.table));
    for (;; attempt.tries++) {
        TRY(control_gate(runner));
        Controls controls = control_settings(runner);
        bool queue = attempt.tries >= NOWAIT_TRIES && clock_ms() >= attempt.queue_after_ms, done = false;
        if (queue) {
            bool blocked = false;
            TRY(look_at_blockers(runner, &attempt, controls.max_stall_ms / 2, &blocked));
            queue = !blocked;
        }
        TRY(try_once(runner, &attempt, !queue, &done));
        if (done)
            break;
        if (clock_ms() - from >= controls.lock_wait_ms)
            return budget_used(&attempt, controls.lock_wait_ms);
        if (attempt.tries % 20 == 5) {
            bool blocked = false;
            TRY(look_at_blockers(runner, &attempt, controls.max_stall_ms / 2, &blocked));
        }
        stop_sleep(runner->options->stop, NOWAIT_PAUSE_MS + random() % NOWAIT_PAUSE_MS);
    }
    pthread_mutex_lock(&runner->control.lock);
    runner->control.waiting_for[0] = '\0';
    pthread_mutex_unlock(&runner->control.lock);
    runner->progress_marks++;
    return NULL;
}
