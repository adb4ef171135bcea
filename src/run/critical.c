/* Pauses the change, or ends the statement that cannot be slowed and holds it back for a while. */
#include "run/critical.h"

#include "base/clock.h"
#include "base/str.h"

#include <string.h>

int64_t critical_rest_ms(int64_t ran_ms)
{
    return ran_ms < CRITICAL_REST_LEAST_MS  ? CRITICAL_REST_LEAST_MS
           : ran_ms > CRITICAL_REST_MOST_MS ? CRITICAL_REST_MOST_MS
                                            : ran_ms;
}

static const Signal *same(const Signals *signals, const Signal *wanted)
{
    for (size_t i = 0; i < signals->count; i++)
        if (str_eq(signals->items[i].name, wanted->name) && str_eq(signals->items[i].target, wanted->target))
            return &signals->items[i];
    return NULL;
}

bool critical_is_over(const CriticalWatch *watch, const Signals *signals, int64_t now_ms)
{
    const Signal *now = same(signals, &watch->past);
    if (now != NULL && now->critical >= LIMIT_OFF)
        return true; /* nobody asks for it any more */
    if (now_ms < watch->until_ms)
        return false;
    if (now == NULL || !now->known)
        return now == NULL;
    return now->minimum ? now->value >= now->critical / SIGNAL_RELEASE
                        : now->value <= now->critical * SIGNAL_RELEASE;
}

static Err *pause_change(Runner *runner, Conn *conn, Arena *arena, const Signal *signal, int64_t count,
                         char *throttle)
{
    const bool paused = true;
    const char *after = count > 0 ? arena_printf(arena, " again, after %lld tries", (long long)count) : "";
    const char *text = arena_printf(arena, "paused: %s is %.12g%s (--critical-load %s=%.12g)", signal->name,
                                    signal->value, after, signal->name, signal->critical);
    Controls none;
    controls_default(&none);
    TRY(journal_store_controls(conn, runner->change_id, &none, 0, &paused));
    (void)snprintf(throttle, SIGNAL_TEXT_BYTES, "paused");
    runner_tell(runner, "alarm", 0, NULL, text);
    return journal_event(conn, runner->change_id, "alarm", 0, NULL, text);
}

static Err *end_statement(Runner *runner, Conn *conn, Arena *arena, const Signal *signal, int64_t retries,
                          int64_t ran_ms, CriticalWatch *watch, char *throttle)
{
    int64_t rest_ms = critical_rest_ms(ran_ms);
    watch->past = *signal;
    watch->count++;
    watch->until_ms = clock_ms() + rest_ms;
    (void)snprintf(watch->text, sizeof watch->text,
                   "what was ended at --critical-load %s=%.12g waits for that to be over", signal->name,
                   signal->critical);
    (void)snprintf(throttle, SIGNAL_TEXT_BYTES, "%s", watch->text);
    tally_add(&runner->tally, watch->step, "sums", "ended", 1);
    const char *text = arena_printf(
        arena,
        "step %d ended after %.1f s: %s is %.12g (--critical-load %s=%.12g); it begins again when that is "
        "over, in %lld s at the earliest (%lld of %lld)",
        watch->step, (double)ran_ms / 1000, signal->name, signal->value, signal->name, signal->critical,
        (long long)(rest_ms / 1000), (long long)watch->count, (long long)retries);
    runner_tell(runner, "alarm", watch->step, NULL, text);
    return journal_event(conn, runner->change_id, "alarm", watch->step, NULL, text);
}

/* Still held back, if nothing else holds it; cleared once that is over. */
static bool rests(const Signals *signals, CriticalWatch *watch, char *throttle)
{
    if (watch->until_ms == 0)
        return false;
    if (critical_is_over(watch, signals, clock_ms())) {
        watch->until_ms = 0;
        return false;
    }
    if (throttle[0] == '\0')
        (void)snprintf(throttle, SIGNAL_TEXT_BYTES, "%s", watch->text);
    return true;
}

Err *critical_look(Runner *runner, Conn *conn, const Controls *controls, const Signals *signals,
                   CriticalWatch *watch, char *throttle, bool *ret_end)
{
    Control *control = &runner->control;
    *ret_end = false;
    if (controls->paused) { /* whoever resumes it begins anew */
        watch->count = watch->until_ms = 0;
        return NULL;
    }
    if (rests(signals, watch, throttle))
        return NULL;
    const Signal *signal = signals_alarm(signals);
    if (signal == NULL)
        return NULL;
    pthread_mutex_lock(&control->lock);
    bool one = control->long_statement;
    int step = control->progress.step;
    int64_t ran_ms = clock_ms() - control->long_from_ms;
    pthread_mutex_unlock(&control->lock);
    if (step != watch->step)
        watch->count = 0;
    watch->step = step;
    int64_t retries = controls->critical_retries >= 0 ? controls->critical_retries : CRITICAL_RETRIES;
    *ret_end = true;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    return one && watch->count < retries
               ? end_statement(runner, conn, arena, signal, retries, ran_ms, watch, throttle)
               : pause_change(runner, conn, arena, signal, watch->count, throttle);
}
