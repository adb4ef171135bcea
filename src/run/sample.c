/* Window, replicas, the server's load, and what users look at, in this order. */
#include "run/sample.h"

#include "base/clock.h"
#include "base/str.h"
#include "run/pace.h"
#include "run/window.h"

#include <string.h>

enum { STORE_MS = 2000, PACE_MS = 2000 };

static Err *sample_window(Runner *runner, Conn *conn, Arena *arena, const Controls *controls,
                          Signals *signals)
{
    const char *text = controls->window;
    Window window;
    int minute = 0, weekday = 0;
    Wait wait = {.timeout_ms = CONTROL_TIMEOUT_MS};
    if (text == NULL || text[0] == '\0' || !window_is_for(runner, controls))
        return NULL;
    TRY(window_parse(text, &window));
    TRY(runner->ops->local_time(conn, &wait, arena, window.time_zone, NULL, 0, &minute, &weekday));
    signal_value(signal_tell(signals, "window", text), !window_contains(&window, minute, weekday), 0,
                 clock_ms(), "outside the window %s", text);
    return NULL;
}

static bool is_named(const LoadSample *sample, const char *name)
{
    for (size_t i = 0; i < sample->table_count; i++)
        if (str_eq(sample->table_names[i], name))
            return true;
    return false;
}

/* Tables that steps are about; what the lease is on may be something else. */
static void take_names(const Runner *runner, SampleWatch *watch)
{
    LoadSample *sample = &watch->load.sample;
    const Plan *plan = &runner->plan;
    if (watch->names != NULL)
        return;
    watch->names = arena_new();
    const char **names = arena_alloc(watch->names, (plan->step_count + 1) * sizeof *names);
    sample->table_names = names;
    for (size_t i = 0; i < plan->step_count; i++) {
        Name table = plan->steps[i].table;
        const char *name =
            table.name == NULL ? NULL : runner->ops->quote(watch->names, table.schema, table.name);
        if (name != NULL && !is_named(sample, name))
            names[sample->table_count++] = name;
    }
}

/* Once a window: the mean of two seconds does not tell more often what came of the last step. */
static void set_pace(const Signals *signals, SampleWatch *watch)
{
    const Signal *latency = NULL;
    for (size_t i = 0; i < signals->count; i++)
        if (str_eq(signals->items[i].name, "latency") && signals->items[i].known)
            latency = &signals->items[i];
    bool limited = latency != NULL && latency->limit < LIMIT_OFF;
    if (!limited || watch->paced_ms == 0)
        watch->pace = limited ? PACE_FIRST : 0;
    if (limited && watch->paced_ms != 0 && clock_ms() - watch->paced_ms < PACE_MS)
        return;
    if (limited && watch->paced_ms != 0)
        watch->pace = pace_next(watch->pace, latency->value, latency->limit);
    watch->paced_ms = limited ? clock_ms() : 0;
}

static Err *store(Runner *runner, Conn *conn, SampleWatch *watch, const char *throttle)
{
    if (clock_ms() - watch->stored_ms < STORE_MS && str_eq(throttle, watch->stored))
        return NULL;
    json_t *json = signals_json(&watch->signals, clock_ms());
    Err *err = journal_put_signals(conn, runner->change_id, json);
    json_decref(json);
    watch->stored_ms = clock_ms();
    (void)snprintf(watch->stored, sizeof watch->stored, "%s", throttle);
    return err;
}

/* The most sessions that were ever seen to wait for the step that is under way. */
static void keep_blocked(Runner *runner, const Signals *signals)
{
    pthread_mutex_lock(&runner->control.lock);
    int step = runner->control.progress.step;
    pthread_mutex_unlock(&runner->control.lock);
    for (size_t i = 0; i < signals->count && step > 0; i++)
        if (signals->items[i].known && str_eq(signals->items[i].name, "blocked-sessions"))
            tally_at_least(&runner->tally, step, "sums", "blocked_max", (int64_t)signals->items[i].value);
}

Err *sample_round(Runner *runner, Conn *conn, Arena *arena, const Controls *controls, SampleWatch *watch,
                  char *ret_throttle)
{
    Wait wait = {.timeout_ms = CONTROL_TIMEOUT_MS};
    Signals *signals = &watch->signals;
    take_names(runner, watch);
    signals_begin(signals);
    TRY(sample_window(runner, conn, arena, controls, signals));
    TRY(lag_watch(runner, conn, arena, controls, &watch->lag, signals));
    TRY(load_watch(runner, conn, arena, controls, &watch->load, signals));
    TRY(outside_watch(conn, &wait, arena, controls, &watch->outside, signals));
    signals_end(signals);
    keep_blocked(runner, signals);
    set_pace(signals, watch);
    const Signal *holder = signals_holder(signals);
    (void)snprintf(ret_throttle, SIGNAL_TEXT_BYTES, "%s",
                   controls->paused ? "paused"
                   : holder != NULL ? holder->text
                                    : "");
    return store(runner, conn, watch, ret_throttle);
}

void sample_done(SampleWatch *watch)
{
    lag_done(&watch->lag);
    load_done(&watch->load);
    outside_done(&watch->outside);
    arena_free(watch->names);
    watch->names = NULL;
}
