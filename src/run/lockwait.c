/* Getting a strong lock without anybody noticing.
 *
 * An attempt with NOWAIT costs the application nothing, since nothing queues behind it; so most attempts are
 * of that kind. Only where short transactions never leave a gap does an attempt wait in the queue, for a
 * share of --max-stall, never while a known long blocker lives, and so rarely that the induced stalls stay
 * under one per cent of the time. A statement may need further tables (the other end of a foreign key): while
 * somebody holds one of these there is no attempt at all, because it would wait with the first lock in hand.
 */
#include "run/runner.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/unit.h"
#include "run/standby.h"

#include <stdlib.h>
#include <string.h>

enum {
    NOWAIT_TRIES = 40,    /* before the first attempt that waits in the queue */
    NOWAIT_PAUSE_MS = 10, /* plus as much at random */
    NOWAIT_LOCK_MS = 5,   /* for what such an attempt needs besides the table itself */
    BLOCKED_PAUSE_MS = 100,
    STALL_SHARE = 100, /* waits may take one hundredth of the time */
    HELD_TOO_LONG_MAX = 3,
    BLOCKER_SAID_EVERY_MS = 10000,
};

/* Relations that are locked in one mode. */
typedef struct Group {
    int64_t *ids;
    size_t id_count;
    const char *mode;
} Group;

typedef struct Attempt {
    const Step *step;
    LockedBody *body;
    Table own;     /* the step's table; with has_children its partitions are locked along with it */
    Group *groups; /* the first is the step's own table, where it has one, with its partitions */
    size_t group_count;
    Table *others; /* of a step without a table of its own: what it locks, and how */
    const char **other_modes;
    size_t other_count;
    void *context;
    bool unbounded;         /* a scan under the lock that was accepted */
    int64_t not_before_ms;  /* no attempt at all before this time */
    int64_t queue_after_ms; /* no attempt in the queue before this time */
    int64_t said_at_ms;
    int tries, held_too_long;
    int standby_tries; /* looks at standbys that found somebody */
    char blocked_by[BLOCKERS_TEXT_BYTES];
} Attempt;

/* ---- what is locked ------------------------------------------------------------------------- */

/* Undoing drops triggers, foreign keys and indexes, which takes the strongest lock on both ends. */
static const char *mode_of(const Step *step, size_t index, bool undo)
{
    bool own = step->table.name != NULL && index == 0;
    const char *mode = own ? step->lock : step->lock_modes[index];
    bool raises = undo && (!own || str_eq(mode, "SHARE ROW EXCLUSIVE") || str_eq(mode, "SHARE"));
    return raises ? "ACCESS EXCLUSIVE" : mode;
}

/* What the step's own lock takes: the table, and where partitions go with it these as well. */
static Err *load_own(Runner *runner, Arena *arena, bool undo, Attempt *attempt)
{
    const Step *step = attempt->step;
    Table *own = &attempt->own;
    TRY(runner_load_table(runner, arena, &step->table, own));
    own->has_children = own->has_children && (undo || step->lock_tree > 0 || own->partition_count == 0 ||
                                              own->kind != RELATION_PARTITIONED);
    size_t below = own->has_children ? own->partition_count : 0;
    int64_t *ids = arena_alloc(arena, (below + 1) * sizeof *ids);
    ids[0] = own->id;
    for (size_t i = 0; i < below; i++)
        ids[i + 1] = own->partitions[i].id;
    attempt->groups[attempt->group_count++] =
        (Group){.ids = ids, .id_count = own->id == 0 ? 0 : below + 1, .mode = mode_of(step, 0, undo)};
    return NULL;
}

static Err *load_others(Runner *runner, Arena *arena, bool undo, Attempt *attempt)
{
    const Step *step = attempt->step;
    attempt->others = arena_alloc(arena, (step->lock_count + 1) * sizeof *attempt->others);
    attempt->other_modes = arena_alloc(arena, (step->lock_count + 1) * sizeof *attempt->other_modes);
    for (size_t i = 0; i < step->lock_count; i++) {
        Name name = {0};
        sql_name_parts(arena, step->lock_on[i], &name.schema, &name.name);
        Table *table = &attempt->others[attempt->other_count];
        TRY(runner_load_table(runner, arena, &name, table));
        table->has_children = false; /* those that are locked stand in the list themselves */
        attempt->other_modes[attempt->other_count++] = mode_of(step, i, undo);
    }
    return NULL;
}

/* The last one, from number `first` on, where it is of this mode; else a new one. */
static Group *group_for(Arena *arena, Attempt *attempt, size_t first, const char *mode)
{
    size_t count = attempt->group_count;
    if (count > first && str_eq(attempt->groups[count - 1].mode, mode))
        return &attempt->groups[count - 1];
    int64_t *ids = arena_alloc(arena, attempt->step->lock_count * sizeof *ids);
    attempt->groups[count] = (Group){.ids = ids, .mode = mode};
    attempt->group_count = count + 1;
    return &attempt->groups[count];
}

/* Relations of one mode are looked at together. */
static Err *load_groups(Runner *runner, Arena *arena, bool undo, Attempt *attempt)
{
    const Step *step = attempt->step;
    Wait wait = runner_wait(runner);
    bool own = step->table.name != NULL;
    attempt->groups = arena_alloc(arena, (step->lock_count + 1) * sizeof *attempt->groups);
    if (own)
        TRY(load_own(runner, arena, undo, attempt));
    else
        TRY(load_others(runner, arena, undo, attempt));
    for (size_t i = own ? 1 + step->lock_tree : 0; i < step->lock_count; i++) {
        const char *schema = NULL, *name = NULL, *mode = mode_of(step, i, undo);
        sql_name_parts(arena, step->lock_on[i], &schema, &name);
        Group *group = group_for(arena, attempt, own ? 1 : 0, mode);
        int64_t id = 0;
        TRY(runner->ops->find_table(runner->conn, &wait, arena, schema, name, &id));
        if (id != 0)
            group->ids[group->id_count++] = id;
    }
    return NULL;
}

static bool scan_accepted(const Plan *plan, const Step *step)
{
    for (size_t i = 0; i < plan->risk_count && step->scans; i++)
        if (str_eq(plan->risks[i].id, "scan") && plan->risks[i].accepted)
            return true;
    return false;
}

/* Waits + hold + commit stay under max_stall: every lock may wait its share, one share is for the hold. */
static int64_t share_of(const Attempt *attempt, const Controls *controls)
{
    int64_t share_ms = controls->max_stall_ms / ((int64_t)attempt->group_count + 1);
    return share_ms > 0 ? share_ms : 1;
}

/* ---- who is in the way -----------------------------------------------------------------------------------
 */

int64_t lock_gentle_ms(Runner *runner)
{
    enum { MOST_MS = 60000 };
    int64_t half_ms = control_settings(runner).lock_wait_ms / 2;
    return half_ms < MOST_MS ? half_ms : MOST_MS;
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

/* Autovacuum gives way to whoever waits in the queue, where the session may ask for that soon enough. */
static size_t leave_out_yielding(const Runner *runner, Blocker *blockers, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!runner->server.may_yield_autovacuum || !str_eq(blockers[i].application, "autovacuum"))
            blockers[kept++] = blockers[i];
    return kept;
}

/* In the event log now and then, and wherever it is shown at once; "": nobody is. */
static void say_blocked(Runner *runner, Attempt *attempt, const char *on, const char *who)
{
    if (who[0] != '\0')
        (void)snprintf(attempt->blocked_by, sizeof attempt->blocked_by, "%s", who);
    if (who[0] != '\0' &&
        (attempt->said_at_ms == 0 || clock_ms() - attempt->said_at_ms > BLOCKER_SAID_EVERY_MS)) {
        attempt->said_at_ms = clock_ms();
        runner_event(runner, "lock_blocked", attempt->step->ordinal, NULL, "waiting for a lock on %s: %s", on,
                     who);
    }
    pthread_mutex_lock(&runner->control.lock);
    (void)snprintf(runner->control.waiting_for, sizeof runner->control.waiting_for, "%s", who);
    pthread_mutex_unlock(&runner->control.lock);
}

/* Long transactions in the way of the groups from number `first` on: those of the first that has any. */
static Err *look_at_blockers(Runner *runner, Attempt *attempt, size_t first, bool *ret_long)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    int64_t patience_ms = control_settings(runner).max_stall_ms / 2;
    char who[BLOCKERS_TEXT_BYTES];
    const char *on = "";
    *ret_long = false;
    for (size_t i = first; i < attempt->group_count && !*ret_long; i++) {
        const Group *group = &attempt->groups[i];
        Blocker *blockers = NULL;
        size_t count = 0;
        if (group->id_count == 0)
            continue;
        TRY(runner->ops->blockers(runner->conn, &wait, arena, group->ids, group->id_count, group->mode,
                                  &blockers, &count));
        count = leave_out_yielding(runner, blockers, count);
        *ret_long = blockers_text(blockers, count, patience_ms, who);
        on = count > 0 ? blockers[0].relation : on;
    }
    say_blocked(runner, attempt, on, *ret_long ? who : "");
    return NULL;
}

/* The strongest lock is taken on hot standbys as well, where readers queue behind it: those that can be asked
 * are looked at before each attempt, and again before its end. */
static Err *look_at_standbys(Runner *runner, Attempt *attempt, bool quick, StandbyFound *ret_found)
{
    char who[BLOCKERS_TEXT_BYTES] = "";
    CLEANUP(arena_freep) Arena *arena = arena_new();
    size_t count = 0;
    *ret_found = STANDBY_FREE;
    for (size_t i = 0; i < attempt->group_count; i++)
        count += attempt->groups[i].id_count;
    int64_t *ids = arena_alloc(arena, (count + 1) * sizeof *ids);
    count = 0;
    for (size_t i = 0; i < attempt->group_count; i++) {
        const Group *group = &attempt->groups[i];
        for (size_t j = 0; str_eq(group->mode, "ACCESS EXCLUSIVE") && j < group->id_count; j++)
            ids[count++] = group->ids[j];
    }
    if (count == 0 || !standby_is_watched(runner))
        return NULL;
    TRY(standby_look(
        runner, &(StandbyAsk){.ids = ids, .id_count = count, .tries = attempt->standby_tries, .quick = quick},
        ret_found, who));
    attempt->standby_tries += *ret_found != STANDBY_FREE;
    if (*ret_found == STANDBY_HELD && !quick)
        say_blocked(runner, attempt, attempt->step->lock_count > 0 ? attempt->step->lock_on[0] : "", who);
    return NULL;
}

/* Somebody may have come there since; the lock is given up then, and nothing was seen of it there. */
static Err *look_again(Runner *runner, Attempt *attempt)
{
    StandbyFound found = STANDBY_FREE;
    TRY(look_at_standbys(runner, attempt, true, &found));
    return found == STANDBY_FREE
               ? NULL
               : err_new(ERR_LOCK_TIMEOUT, "somebody on a replica has begun to use the table");
}

/* ---- one attempt ---------------------------------------------------------------------------- */

/* A table with partitions waits its share for all of them together, not for each. */
static Err *take_own(Runner *runner, const Attempt *attempt, int64_t share_ms, bool no_wait)
{
    Wait wait = runner_wait(runner);
    if (attempt->own.has_children && !no_wait)
        wait.timeout_ms = share_ms;
    return runner->ops->lock_table(runner->conn, &wait, &attempt->own, attempt->groups[0].mode, no_wait);
}

/* A statement without a table of its own: what it needs of tables is taken first, so that nobody queues
 * behind an attempt. Views and sequences cannot be locked by themselves (LOCK TABLE goes on to what a view
 * reads), so the statement waits for these as long as the lock timeout lets it. */
static Err *lock_others(Runner *runner, Attempt *attempt, bool no_wait, int64_t *ret_got_ms)
{
    Wait wait = runner_wait(runner);
    for (size_t i = 0; i < attempt->other_count; i++) {
        const Table *table = &attempt->others[i];
        bool lockable = table->kind == RELATION_TABLE || table->kind == RELATION_PARTITION ||
                        table->kind == RELATION_PARTITIONED;
        if (table->id == 0 || !lockable || !table->may_own)
            continue;
        TRY(runner->ops->lock_table(runner->conn, &wait, table, attempt->other_modes[i], no_wait));
        if (*ret_got_ms == 0)
            *ret_got_ms = clock_ms();
    }
    return NULL;
}

static Err *locked(Runner *runner, Attempt *attempt, bool no_wait, int64_t *ret_got_ms)
{
    const Step *step = attempt->step;
    static const Table none = {0};
    bool own = step->table.name != NULL;
    const Table *table = own ? &attempt->own : &none;
    Controls controls = control_settings(runner);
    int64_t share_ms = share_of(attempt, &controls);
    Wait wait = runner_wait(runner);
    *ret_got_ms = 0;
    TRY(runner->ops->begin(
        runner->conn, &wait,
        &(TxSettings){.lock_timeout_ms = no_wait && share_ms > NOWAIT_LOCK_MS ? NOWAIT_LOCK_MS : share_ms,
                      .statement_timeout_ms = attempt->unbounded ? 0 : controls.max_stall_ms,
                      .idle_timeout_ms = share_ms,
                      .local_commit = true,
                      .yield_autovacuum = runner->server.may_yield_autovacuum}));
    TRY(lease_prove(runner));
    Err *err = NULL;
    if (own && step->lock_count > 0 && table->id != 0) {
        err = runner->ops->act_as(runner->conn, &wait, step->role);
        if (err == NULL)
            err = take_own(runner, attempt, share_ms, no_wait);
        if (err == NULL)
            *ret_got_ms = clock_ms();
        if (err == NULL)
            err = runner->ops->act_as(runner->conn, &wait, NULL);
    }
    if (err == NULL && !own)
        err = lock_others(runner, attempt, no_wait, ret_got_ms);
    if (err == NULL)
        err = attempt->body(runner, step, table, attempt->context);
    if (err == NULL)
        err = look_again(runner, attempt);
    if (err == NULL)
        err = failpoint_at("locked_before_commit");
    if (err == NULL)
        err = runner->ops->commit(runner->conn, &wait);
    if (err == NULL)
        err = failpoint_at("locked_after_commit");
    return err;
}

/* What a failed attempt may have cost the application is paid for with a pause. */
static void pause_after(Attempt *attempt, bool no_wait, int64_t from_ms, int64_t got_ms)
{
    int64_t now = clock_ms();
    if (!no_wait)
        attempt->queue_after_ms = now + (now - from_ms) * STALL_SHARE;
    if (got_ms != 0)
        attempt->not_before_ms = now + (now - got_ms) * STALL_SHARE;
}

static void count_attempt(Runner *runner, const Step *step, const Err *err, int64_t from_ms, int64_t got_ms)
{
    Tally *tally = &runner->tally;
    int64_t now = clock_ms();
    bool late = err_is(err, ERR_LOCK_TIMEOUT) || err_is(err, ERR_DEADLOCK) || err_is(err, ERR_CANCELLED);
    if (err != NULL && !late)
        return;
    tally_add(tally, step->ordinal, "locks", err == NULL ? "acquired" : "timeout", 1);
    if (got_ms != 0 || late)
        tally_time(tally, step->ordinal, "lock_wait_s", ((got_ms != 0 ? got_ms : now) - from_ms) * 1000);
    if (got_ms != 0)
        tally_time(tally, step->ordinal, "lock_hold_s", (now - got_ms) * 1000);
}

/* The log of an attempt that held its lock may have got to standbys already, where the lock is held until the
 * end of the attempt gets there as well. The server is in no hurry to write that; a commit of ours makes it.
 */
static void tell_standbys(Runner *runner, const Step *step, int64_t got_ms)
{
    if (got_ms != 0 && standby_is_watched(runner))
        runner_event(runner, "lock_given_up", step->ordinal, NULL, "the lock was given up after %lld ms",
                     (long long)(clock_ms() - got_ms));
}

/* One attempt; *ret_done tells whether it succeeded. A lock that was not granted is no error. */
static Err *try_once(Runner *runner, Attempt *attempt, bool no_wait, bool *ret_done)
{
    int64_t from = clock_ms(), got = 0, max_stall_ms = control_settings(runner).max_stall_ms;
    if (!attempt->unbounded) {
        control_watch(runner, runner->conn, from + max_stall_ms);
        runner->deadline_ms = from + max_stall_ms;
    }
    Err *err = locked(runner, attempt, no_wait, &got);
    runner->deadline_ms = 0;
    (void)control_unwatch(runner);
    *ret_done = err == NULL;
    if (err != NULL)
        runner->ops->rollback(runner->conn);
    count_attempt(runner, attempt->step, err, from, got);
    if (err == NULL)
        return NULL;
    tell_standbys(runner, attempt->step, got);
    pause_after(attempt, no_wait, from, got);
    bool too_long = err->kind == ERR_CANCELLED && stop_level(runner->options->stop) == STOP_NONE;
    if (err->kind != ERR_LOCK_TIMEOUT && err->kind != ERR_DEADLOCK && !too_long)
        return err;
    if (too_long && got != 0 && ++attempt->held_too_long >= HELD_TOO_LONG_MAX) {
        err_free(err);
        return err_hint(err_new(ERR_LOCK_BUDGET,
                                "the lock on \"%s\" would be held for longer than --max-stall: seen %d times",
                                attempt->step->lock_count > 0 ? attempt->step->lock_on[0] : "the catalog",
                                HELD_TOO_LONG_MAX),
                        "apply again at a quieter time, or with a longer --max-stall");
    }
    err_free(err);
    return NULL;
}

static Err *budget_used(const Attempt *attempt, int64_t lock_wait_ms)
{
    char text[UNIT_TEXT_BYTES];
    const Step *step = attempt->step;
    const char *on = step->table.name != NULL ? step->table.name
                     : step->lock_count > 0   ? step->lock_on[0]
                                              : "the catalog";
    Err *err = err_new(ERR_LOCK_BUDGET, "no %s lock on \"%s\" within %s%s%s",
                       attempt->group_count > 0 ? attempt->groups[0].mode : "catalog", on,
                       unit_duration_text(lock_wait_ms, text),
                       attempt->blocked_by[0] != '\0' ? ": blocked by " : "", attempt->blocked_by);
    return err_hint(
        err, "end or wait for the blocking session, then apply again; or raise --lock-wait or --max-stall");
}

/* The next attempt that may be made now: none while a further table is held by somebody, or while the last
 * one is still to be paid for; NOWAIT, or in the queue where that failed often and nobody long is before us.
 */
static Err *next_attempt(Runner *runner, Attempt *attempt, bool *ret_done)
{
    bool blocked = false, paid = clock_ms() >= attempt->not_before_ms;
    size_t first = attempt->step->table.name != NULL ? 1 : 0;
    if (attempt->group_count > first)
        TRY(look_at_blockers(runner, attempt, first, &blocked));
    StandbyFound found = STANDBY_FREE;
    if (!blocked && paid)
        TRY(look_at_standbys(runner, attempt, false, &found));
    if (blocked || !paid || found == STANDBY_HELD)
        stop_sleep(runner->options->stop, BLOCKED_PAUSE_MS);
    if (blocked || !paid || found != STANDBY_FREE)
        return NULL;
    bool queue = attempt->tries >= NOWAIT_TRIES && clock_ms() >= attempt->queue_after_ms;
    if (queue || attempt->tries % 20 == 6) {
        TRY(look_at_blockers(runner, attempt, 0, &blocked));
        queue = queue && !blocked;
    }
    attempt->tries++;
    return try_once(runner, attempt, !queue, ret_done);
}

Err *lockwait_run(Runner *runner, const Step *step, bool undo, LockedBody *body, void *context)
{
    int64_t from = runner_clock_ms(runner);
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Attempt attempt = {.step = step,
                       .body = body,
                       .context = context,
                       .unbounded = !undo && scan_accepted(&runner->plan, step)};
    TRY(load_groups(runner, arena, undo, &attempt));
    for (bool done = false; !done;) {
        TRY(control_gate(runner));
        TRY(next_attempt(runner, &attempt, &done));
        int64_t lock_wait_ms = control_settings(runner).lock_wait_ms;
        if (!done && runner_clock_ms(runner) - from >= lock_wait_ms) {
            bool blocked = false;
            StandbyFound found = STANDBY_FREE;
            TRY(look_at_standbys(runner, &attempt, false, &found));
            if (found == STANDBY_FREE)
                TRY(look_at_blockers(runner, &attempt, 0, &blocked));
            return budget_used(&attempt, lock_wait_ms);
        }
        if (!done)
            stop_sleep(runner->options->stop, NOWAIT_PAUSE_MS + random() % NOWAIT_PAUSE_MS);
    }
    pthread_mutex_lock(&runner->control.lock);
    runner->control.waiting_for[0] = '\0';
    pthread_mutex_unlock(&runner->control.lock);
    runner->progress_marks++;
    return NULL;
}
