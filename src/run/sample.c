/* Window, replicas, the server's load, and what users look at, in this order. */
#include "run/sample.h"

#include "base/clock.h"
#include "base/str.h"
#include "run/window.h"

#include <string.h>

enum { STORE_MS = 2000 };

static Err *sample_window(Runner *runner, Conn *conn, Arena *arena, const char *text, Signals *signals)
{
    Window window;
    int minute = 0, weekday = 0;
    Wait wait = {.timeout_ms = CONTROL_TIMEOUT_MS};
    if (text == NULL || text[0] == '\0')
        return NULL;
    TRY(window_parse(text, &window));
    TRY(runner->ops->local_time(conn, &wait, arena, window.time_zone, &minute, &weekday));
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

Err *sample_round(Runner *runner, Conn *conn, Arena *arena, const Controls *controls, SampleWatch *watch,
                  char *ret_throttle)
{
    Wait wait = {.timeout_ms = CONTROL_TIMEOUT_MS};
    Signals *signals = &watch->signals;
    take_names(runner, watch);
    signals_begin(signals);
    TRY(sample_window(runner, conn, arena, controls->window, signals));
    TRY(lag_watch(runner, conn, arena, controls->max_lag_ms, &watch->lag, signals));
    TRY(load_watch(conn, &wait, arena, controls, &watch->load, signals));
    TRY(outside_watch(conn, &wait, arena, controls, &watch->outside, signals));
    signals_end(signals);
    const Signal *holder = signals_holder(signals);
    (void)snprintf(ret_throttle, SIGNAL_TEXT_BYTES, "%s",
                   controls->paused ? "paused"
                   : holder != NULL ? holder->text
                                    : "");
    return store(runner, conn, watch, ret_throttle);
}

Err *sample_alarm(Runner *runner, Conn *conn, const SampleWatch *watch, bool *ret_paused)
{
    const Signal *signal = signals_alarm(&watch->signals);
    const bool paused = true;
    *ret_paused = signal != NULL;
    if (signal == NULL)
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *text = arena_printf(arena, "paused: %s is %.12g (--critical-load %s=%.12g)", signal->name,
                                    signal->value, signal->name, signal->critical);
    Controls none;
    controls_default(&none);
    TRY(journal_store_controls(conn, runner->change_id, &none, 0, &paused));
    runner_tell(runner, "alarm", 0, NULL, text);
    return journal_event(conn, runner->change_id, "alarm", 0, NULL, text);
}

void sample_done(SampleWatch *watch)
{
    outside_done(&watch->outside);
    arena_free(watch->names);
    watch->names = NULL;
}
