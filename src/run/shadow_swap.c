/* The swap: attempts with the shadow all but up to date, the last changes brought over under the lock. */
#include "run/shadow.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/unit.h"
#include "run/fingerprint.h"
#include "run/standby.h"

#include <stdlib.h>

enum {
    STALL_SHARE = 100, /* an attempt that stopped writers is followed by so many times its length of rest */
    FIRST_SHARE = 20,  /* the first ones by less: most often the second one succeeds */
    FIRST_ATTEMPTS = 2,
    DRAIN_SHARE = 5,    /* what is left must take less than this part of --max-stall before an attempt */
    KEYS_PER_S = 1000,  /* where no pace is known */
    DRAIN_KEYS = 200,   /* at once under the lock */
    DRAIN_WAIT_MS = 5,  /* for more to be read */
    JITTER_MS = 40,     /* between attempts that cost nothing */
    REST_LOOK_MS = 100, /* while resting, what is captured is applied so often */
    SAID_EVERY_MS = 10000,
    GENTLE_ATTEMPTS = 40, /* of these all but one do not wait in the queue */
};

typedef struct Swap {
    ShadowRun *run;
    int64_t from_ms, not_before_ms, said_at_ms;
    int64_t gentle_until_ms;
    int attempts;
    char *stamp; /* of a source that is as it was before the change; owned */
    int stalls;  /* attempts that stopped writers and were not done */
    int standby_tries;
    int64_t slow_ms;       /* how long catching up took when it was too slow */
    int64_t drained_per_s; /* keys, under the lock; 0: not known */
    char blocked_by[BLOCKERS_TEXT_BYTES];
    char *position; /* of the log when the table was locked; owned */
} Swap;

/* ---- under the lock ------------------------------------------------------------------------- */

static Err *drain_batch(ShadowRun *run, Conn *locked, const Wait *wait, size_t *ret_count)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *taken[DRAIN_KEYS];
    pthread_mutex_lock(&run->lock);
    size_t count = keys_take(run->keys, 0, 1, DRAIN_KEYS, INT64_MAX, taken);
    pthread_mutex_unlock(&run->lock);
    *ret_count = count;
    if (count == 0)
        return NULL;
    Applied applied = {0};
    Err *err = run->ops->apply(locked, wait, arena, run->spec, &(KeyList){.keys = taken, .count = count},
                               &(KeyList){0}, true, &applied);
    pthread_mutex_lock(&run->lock);
    if (err != NULL)
        keys_give_back(run->keys, taken, count);
    else
        keys_finish(run->keys, taken, count, &applied.busy, clock_ms());
    pthread_mutex_unlock(&run->lock);
    return err;
}

/* What stops an attempt: something that must be looked at in peace. */
static bool is_disturbed(const ShadowRun *run)
{
    return run->emptied || run->altered != NULL || run->reader_err != NULL;
}

/* Nobody else is at work there: it is another pace than before the lock. */
static void note_pace(Swap *swap, size_t keys, int64_t took_ms)
{
    enum { ENOUGH_KEYS = 100 };
    if (keys >= ENOUGH_KEYS && took_ms > 0)
        swap->drained_per_s = (int64_t)keys * 1000 / took_ms;
}

static Err *drain(void *context, Conn *locked, int64_t deadline_ms)
{
    Swap *swap = context;
    ShadowRun *run = swap->run;
    Wait wait = {.until_ms = deadline_ms};
    TRY(failpoint_at("swap_locked"));
    if (shadow_stays(run))
        return shadow_bring_locked(run, locked, &wait);
    TRY(shadow_mark(run, locked, &wait));
    int64_t from_ms = clock_ms();
    size_t all = 0;
    for (bool applied = false;;) {
        if (clock_ms() >= deadline_ms)
            return err_new(ERR_CANCELLED, "the last changes were not brought over within --max-stall");
        uint64_t number = 0;
        bool reached = shadow_mark_reached(run, &number);
        size_t count = 0;
        TRY(drain_batch(run, locked, &wait, &count));
        all += count;
        note_pace(swap, all, clock_ms() - from_ms);
        pthread_mutex_lock(&run->lock);
        bool empty = keys_count(run->keys) == 0, disturbed = is_disturbed(run);
        const char *position = keys_position(run->keys);
        bool drained = reached && empty && count == 0;
        if (drained && !applied && !disturbed) {
            free(swap->position);
            swap->position = mem_dup(position != NULL ? position : run->begun_at);
        }
        pthread_mutex_unlock(&run->lock);
        if (disturbed)
            return err_new(ERR_CANCELLED, "the source was changed while it was to be swapped");
        if (drained && !applied)
            return failpoint_at("swap_applied");
        applied = applied || count > 0;
        if (drained) {
            /* What was brought over stands in the log as well, and with it every table that is locked, the
             * source as it was among them: the way back reads on behind it. */
            applied = false;
            TRY(shadow_mark(run, locked, &wait));
        }
        if (count == 0)
            shadow_wait(run, clock_ms() + DRAIN_WAIT_MS);
    }
}

static Err *bring_meanwhile(void *context, int64_t until_ms)
{
    const Swap *swap = context;
    int64_t left_ms = until_ms - clock_ms();
    return left_ms > 0 ? shadow_apply_turn(swap->run, left_ms) : NULL;
}

/* ---- between attempts ----------------------------------------------------------------------- */

static bool accepts_old_snapshots(const Runner *runner)
{
    const PlanOptions *plan = &runner->options->plan;
    for (size_t i = 0; i < plan->accepted_count; i++)
        if (str_eq(plan->accepted[i], "old-snapshots"))
            return true;
    for (size_t i = 0; i < runner->plan.risk_count; i++)
        if (str_eq(runner->plan.risks[i].id, "old-snapshots") && runner->plan.risks[i].accepted)
            return true;
    return false;
}

static void show_waiting(Runner *runner, const char *who)
{
    pthread_mutex_lock(&runner->control.lock);
    (void)snprintf(runner->control.waiting_for, sizeof runner->control.waiting_for, "%s", who);
    pthread_mutex_unlock(&runner->control.lock);
}

/* Swap.blocked_by, wherever it is shown at once, and in the event log now and then. */
static void say_blocked(Swap *swap, const char *hint)
{
    ShadowRun *run = swap->run;
    show_waiting(run->runner, swap->blocked_by);
    if (swap->said_at_ms != 0 && clock_ms() - swap->said_at_ms < SAID_EVERY_MS)
        return;
    swap->said_at_ms = clock_ms();
    runner_event(run->runner, "lock_blocked", run->step->ordinal, NULL, "waiting to swap %s: %s%s",
                 run->spec->source, swap->blocked_by, hint);
}

static void tell_blocked(Swap *swap, const SwapResult *result)
{
    if (result->blocker == NULL)
        return;
    (void)snprintf(swap->blocked_by, sizeof swap->blocked_by, "%s%s", result->blocker,
                   result->old_snapshot ? " (its snapshot is older than the copy's last rows)" : "");
    say_blocked(swap, result->old_snapshot ? "; --allow-old-snapshots does not wait for it" : "");
}

/* Replicas rename as well, with their readers behind it: no attempt while somebody there holds the table. */
static Err *look_at_standbys(Swap *swap, bool *ret_ready)
{
    ShadowRun *run = swap->run;
    Name name = {.schema = run->spec->schema, .name = run->spec->source};
    char who[BLOCKERS_TEXT_BYTES] = "";
    StandbyFound found = STANDBY_FREE;
    TRY(standby_look(run->runner,
                     &(StandbyAsk){.names = &name, .name_count = 1, .tries = swap->standby_tries}, &found,
                     who));
    swap->standby_tries += found != STANDBY_FREE;
    *ret_ready = found == STANDBY_FREE;
    if (found == STANDBY_HELD) {
        (void)snprintf(swap->blocked_by, sizeof swap->blocked_by, "%s", who);
        say_blocked(swap, "");
    }
    if (found != STANDBY_FREE)
        stop_sleep(run->runner->options->stop, found == STANDBY_HELD ? REST_LOOK_MS : DRAIN_WAIT_MS);
    return NULL;
}

static Err *budget_used(const Swap *swap)
{
    const ShadowRun *run = swap->run;
    char text[UNIT_TEXT_BYTES], slow[UNIT_TEXT_BYTES];
    (void)unit_duration_text(control_settings(run->runner).lock_wait_ms, text);
    Err *err = NULL;
    if (swap->blocked_by[0] == '\0' && swap->slow_ms > 0)
        err = err_new(ERR_LOCK_BUDGET,
                      "\"%s\" changes so fast that its last changes take %s to bring over, too long for "
                      "--max-stall, for %s",
                      run->spec->source, unit_duration_text(swap->slow_ms, slow), text);
    else
        err = err_new(ERR_LOCK_BUDGET, "no moment to swap \"%s\" within %s%s%s", run->spec->source, text,
                      swap->blocked_by[0] != '\0' ? ": blocked by " : "", swap->blocked_by);
    return err_hint(err,
                    "end or wait for the blocking session, then: stoa resume %s; or raise --lock-wait or "
                    "--max-stall",
                    run->runner->name);
}

/* How long what is left would take under the lock. */
static int64_t rest_ms(Swap *swap)
{
    ShadowRun *run = swap->run;
    int64_t pace = swap->drained_per_s > run->applied_per_s ? swap->drained_per_s : run->applied_per_s;
    pthread_mutex_lock(&run->lock);
    int64_t left = (int64_t)keys_count(run->keys);
    pthread_mutex_unlock(&run->lock);
    return left * 1000 / (pace > 0 ? pace : KEYS_PER_S);
}

/* Reads up to now and applies what it can. Rows that others hold locked are left: under the lock nobody does.
 */
static Err *come_near(Swap *swap, int64_t most_ms, int64_t *ret_took_ms)
{
    ShadowRun *run = swap->run;
    int64_t from = clock_ms();
    uint64_t number = 0;
    Wait wait = runner_wait(run->runner);
    TRY(shadow_gate(run));
    if (!run->copied) /* begun anew */
        return NULL;
    if (shadow_stays(run)) {
        TRY(shadow_bring_turn(run));
        TRY(shadow_save_if_due(run));
        *ret_took_ms = run->brought ? clock_ms() - from : most_ms + 1;
        return NULL;
    }
    TRY(shadow_mark(run, run->runner->conn, &wait));
    bool reached = false;
    while (!reached && clock_ms() - from <= most_ms) {
        TRY(shadow_apply_turn(run, most_ms));
        TRY(shadow_save_if_due(run));
        reached = shadow_mark_reached(run, &number);
        if (!reached)
            shadow_wait(run, clock_ms() + DRAIN_WAIT_MS);
        TRY(stop_check(run->runner->options->stop));
    }
    *ret_took_ms = reached ? rest_ms(swap) : most_ms + 1;
    return NULL;
}

/* Whether the shadow is so nearly up to date that the rest fits under the lock. */
static Err *get_ready(Swap *swap, bool *ret_ready)
{
    ShadowRun *run = swap->run;
    *ret_ready = false;
    TRY(shadow_until_compared(run));
    int64_t took_ms = 0, most_ms = control_settings(run->runner).max_stall_ms / DRAIN_SHARE;
    TRY(come_near(swap, most_ms, &took_ms));
    if (!run->copied || !run->compared)
        return NULL;
    if (took_ms > most_ms) {
        swap->slow_ms = took_ms;
        TRY(shadow_catch_up(run));
        return NULL;
    }
    if (clock_ms() < swap->not_before_ms) {
        shadow_wait(run, clock_ms() + REST_LOOK_MS);
        return NULL;
    }
    *ret_ready = true;
    return NULL;
}

static void rest_after(Swap *swap, int64_t stalled_ms)
{
    int share = swap->stalls < FIRST_ATTEMPTS ? FIRST_SHARE : STALL_SHARE;
    swap->stalls += stalled_ms > 0;
    swap->not_before_ms = clock_ms() + stalled_ms * share + 1 + random() % JITTER_MS;
}

/* For a step of revert to begin at. */
static Err *note_back(Runner *runner, const Step *step, const char *position)
{
    json_t *body = json_pack("{s:s, s:b}", "position", position, "copied", 1);
    CLEANUP(mem_freep) char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return journal_checkpoint(runner->conn, &runner->lease, runner->change_id, step->ordinal, text);
}

/* ---- attempts ------------------------------------------------------------------------------- */

/* What cannot be told from the attempt is looked at. */
static Err *look(ShadowRun *run, Err *why, bool *ret_done)
{
    Wait wait = journal_wait();
    SwapState state = SWAP_UNKNOWN;
    Err *err = run->ops->swap_state(run->runner->conn, &wait, run->runner->scratch, run->spec, &state);
    *ret_done = err == NULL && state == SWAP_DONE;
    bool known = err == NULL && state != SWAP_UNKNOWN;
    err_free(err);
    if (!known)
        return why;
    err_free(why);
    return NULL;
}

/* While writers wait the reading thread does nothing but read. */
static void set_swapping(ShadowRun *run, bool swapping)
{
    pthread_mutex_lock(&run->lock);
    run->swapping = swapping;
    pthread_mutex_unlock(&run->lock);
}

static void be_gentle(Swap *swap) { swap->gentle_until_ms = clock_ms() + lock_gentle_ms(swap->run->runner); }

static void count_attempt(ShadowRun *run, bool done, const SwapResult *result)
{
    Tally *tally = &run->runner->tally;
    int ordinal = run->step->ordinal;
    tally_add(tally, ordinal, "locks", done ? "acquired" : "timeout", 1);
    tally_time(tally, ordinal, "lock_wait_s", result->waited_ms * 1000);
    if (result->locked_ms > 0)
        tally_time(tally, ordinal, "lock_hold_s", result->locked_ms * 1000);
}

/* As with any other strong lock: most attempts do not wait (lockwait.c). */
static bool is_gentle(Swap *swap)
{
    if (!shadow_stays(swap->run))
        return clock_ms() < swap->gentle_until_ms;
    return ++swap->attempts % GENTLE_ATTEMPTS != 0;
}

/* What the catalog will be when the swap is committed must be what the plan said. */
static Err *look_at_catalog(void *context, Conn *locked UNUSED)
{
    const Swap *swap = context;
    if (swap->run->back)
        return NULL;
    TRY(fingerprint_check_swap(swap->run->runner, swap->run->step));
    return failpoint_at("swap_looked");
}

/* What somebody else has changed of the source would be lost with it: it must be what it was before the
 * change. It is compared in full whenever it has another stamp, and under the lock by its stamp alone. */
static Err *check_source(Swap *swap)
{
    ShadowRun *run = swap->run;
    Runner *runner = run->runner;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    const char *stamp = NULL;
    if (run->ops->stamp == NULL)
        return shadow_source_check(run);
    TRY(run->ops->stamp(runner->conn, &wait, arena, run->spec, &stamp));
    if (str_eq(stamp, swap->stamp))
        return NULL;
    if (!run->back)
        TRY(fingerprint_check_source(runner, run->step));
    free(swap->stamp);
    swap->stamp = mem_dup(stamp);
    return NULL;
}

static Err *attempt(Swap *swap, bool *ret_done)
{
    ShadowRun *run = swap->run;
    Runner *runner = run->runner;
    Controls controls = control_settings(runner);
    arena_clear(runner->scratch);
    Wait wait = runner_wait(runner);
    SwapResult result = {0};
    TRY(check_source(swap));
    const SwapRequest request = {.spec = run->spec,
                                 .max_stall_ms = controls.max_stall_ms,
                                 .allow_old_snapshots = accepts_old_snapshots(runner),
                                 .gentle = is_gentle(swap),
                                 .drain = drain,
                                 .meanwhile = bring_meanwhile,
                                 .context = swap,
                                 .sql = run->step->sql,
                                 .sql_count = run->step->sql_count,
                                 .stamp = swap->stamp,
                                 .look = look_at_catalog};
    TRY(lease_prove(runner));
    TRY(failpoint_at("swap_before"));
    int64_t from = clock_ms();
    set_swapping(run, true);
    Err *err =
        run->ops->swap(&runner->options->target, runner->conn, &wait, runner->scratch, &request, &result);
    set_swapping(run, false);
    if (!request.gentle)
        be_gentle(swap);
    int64_t took_ms = clock_ms() - from;
    if (err_is(err, ERR_AMBIGUOUS))
        return look(run, err, ret_done);
    bool passes = err != NULL && err_is_transient(err) && err->kind != ERR_CONN_LOST;
    if (err != NULL && !passes)
        return err;
    *ret_done = err == NULL && result.done;
    count_attempt(run, *ret_done, &result);
    if (*ret_done) {
        TRY(failpoint_at("swap_after"));
        runner_event(runner, "swapped", run->step->ordinal, NULL,
                     "\"%s\" is the new table: locked for %lld ms, waited %lld ms for the lock",
                     run->spec->source, (long long)result.locked_ms, (long long)result.waited_ms);
        return NULL;
    }
    tell_blocked(swap, &result);
    rest_after(swap, err != NULL ? (took_ms < controls.max_stall_ms ? took_ms : controls.max_stall_ms)
                                 : result.locked_ms + result.waited_ms);
    err_free(err);
    return stop_check(runner->options->stop);
}

/* Where the way back is captured by triggers, they are made on the shadow while nobody else writes to it, and
 * go with it. They note the keys of what we write as well, which does no harm: a key is brought back as it is
 * then. The position holds across the RENAME, so it is noted before. */
static Err *prepare_back(const Swap *swap)
{
    ShadowRun *run = swap->run;
    Runner *runner = run->runner;
    const Step *back = run->back ? NULL : shadow_step_back(runner, run->spec);
    if (back == NULL || back->shadow->capture != CAPTURE_TRIGGER || shadow_stays(run))
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    ShadowSpec early = *shadow_spec_of(runner, arena, back);
    const char *position = NULL;
    early.source = run->spec->shadow;
    early.shadow = run->spec->source;
    TRY(shadow_capture_begin(runner, arena, &early, &position));
    TRY(failpoint_at("swap_back_made"));
    return note_back(runner, run->step, position);
}

static Err *swap_all(Swap *swap)
{
    ShadowRun *run = swap->run;
    Runner *runner = run->runner;
    TRY(shadow_workers_open(run, 1));
    pthread_mutex_lock(&run->lock);
    run->hurry = true;
    pthread_mutex_unlock(&run->lock);
    swap->from_ms = runner_clock_ms(runner);
    be_gentle(swap);
    for (bool done = false; !done;) {
        bool ready = false;
        TRY(get_ready(swap, &ready));
        if (ready)
            TRY(look_at_standbys(swap, &ready));
        if (ready)
            TRY(prepare_back(swap));
        if (ready)
            TRY(attempt(swap, &done));
        if (!done && runner_clock_ms(runner) - swap->from_ms > control_settings(runner).lock_wait_ms)
            return budget_used(swap);
    }
    show_waiting(runner, "");
    return NULL;
}

/* ---- behind it ------------------------------------------------------------------------------ */

/* Where the way back has to read on in the log: only a swap of this very run knows. */
static Err *note_position(Runner *runner, const Step *step, const char *position)
{
    if (position == NULL || step->phase == PHASE_REVERT || step->shadow->capture == CAPTURE_TRIGGER)
        return NULL;
    return note_back(runner, step, position);
}

/* Triggers would go with the old table, and the keys they noted are worth nothing. What cannot go now goes at
 * complete; behind a way back nothing comes any more, and nothing may stay. */
static Err *end_capture(Runner *runner, Arena *arena, const Step *step)
{
    Wait wait = {.timeout_ms = JOURNAL_TIMEOUT_MS};
    const ShadowSpec *spec = shadow_spec_of(runner, arena, step);
    Err *err = runner->ops->shadow->capture_end(runner->conn, &wait, spec);
    if (step->phase != PHASE_REVERT) {
        err_free(err);
        return NULL;
    }
    TRY(err);
    for (size_t i = 0; i < runner->plan.step_count; i++) {
        const Step *other = &runner->plan.steps[i];
        if (other->kind == STEP_CAPTURE && str_eq(other->shadow->source, spec->source) &&
            str_eq(other->shadow->schema, spec->schema))
            TRY(runner->ops->shadow->capture_end(runner->conn, &wait, shadow_spec_of(runner, arena, other)));
    }
    return NULL;
}

static Err *swap_done(Runner *runner, const Step *step, const char *position)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    TRY(note_position(runner, step, position));
    shadow_close_all(runner);
    TRY(end_capture(runner, arena, step));
    TRY(failpoint_at("swap_before_journal"));
    return journal_step_done(runner->conn, &runner->lease, runner->change_id, step->ordinal);
}

static Err *unknown_state(const ShadowSpec *spec)
{
    return err_hint(err_new(ERR_AMBIGUOUS,
                            "neither \"%s\" and \"%s\" nor \"%s\" and \"%s\" stand there: somebody else has "
                            "renamed tables",
                            spec->source, spec->shadow, spec->source, spec->old),
                    "look at the tables of \"%s\" and give them their names back", spec->schema);
}

Err *shadow_swap(Runner *runner, const Step *step)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const ShadowOps *ops = runner->ops->shadow;
    const ShadowSpec *spec = shadow_spec_of(runner, arena, step);
    Wait wait = runner_wait(runner);
    SwapState state = SWAP_UNKNOWN;
    TRY(ops->swap_state(runner->conn, &wait, arena, spec, &state));
    if (state == SWAP_UNKNOWN)
        return unknown_state(spec);
    if (state == SWAP_DONE)
        return swap_done(runner, step, NULL);
    TRY(ops->swap_clear(runner->conn, &wait, spec));
    Swap swap = {0};
    TRY(shadow_open(runner, step, &swap.run));
    Err *err = swap_all(&swap);
    if (err == NULL)
        err = swap_done(runner, step, swap.position);
    free(swap.position);
    free(swap.stamp);
    return shadow_failed(runner, err);
}
