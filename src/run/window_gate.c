/* The window while a change runs: which steps it is for, and whether a long one would be through in time. */
#include "run/window.h"

#include "base/unit.h"
#include "run/runner.h"

enum { WINDOW_LOOK_MS = 2000, HEAVY_MS = 60000 };

bool step_is_heavy(const Step *step)
{
    switch (step->kind) {
    case STEP_BACKFILL:
    case STEP_VACUUM:
    case STEP_VERIFY:
    case STEP_CREATE_INDEX:
    case STEP_VALIDATE:
    case STEP_LONG:
    case STEP_OUTSIDE:
    case STEP_COPY:
    case STEP_COMPARE:
        return true;
    case STEP_DDL:
    case STEP_ALTER:
    case STEP_DROP_INDEX:
    case STEP_DETACH:
    case STEP_READY:
    case STEP_QUIET:
    case STEP_EVIDENCE:
    case STEP_CAPTURE:
    case STEP_SWAP:
    case STEP_KIND_COUNT:
        break;
    }
    return step->rewrites || step->scans || step->estimate_high_ms > HEAVY_MS;
}

bool window_is_for(Runner *runner, const Controls *controls)
{
    if (controls->window_heavy != 1)
        return true;
    pthread_mutex_lock(&runner->control.lock);
    int ordinal = runner->control.progress.step;
    pthread_mutex_unlock(&runner->control.lock);
    for (size_t i = 0; i < runner->plan.step_count; i++)
        if (runner->plan.steps[i].ordinal == ordinal)
            return step_is_heavy(&runner->plan.steps[i]);
    for (size_t i = 0; i < runner->plan.revert_count; i++)
        if (runner->plan.reverts[i].ordinal == ordinal)
            return step_is_heavy(&runner->plan.reverts[i]);
    return true;
}

/* Whether a step may begin now, and one that cannot be slowed would be through before the window closes; with
 * what is to be said where not. A clock that is set forward on the way takes its hour: so its last minute is
 * looked at, too. */
static Err *fits_window(Runner *runner, Arena *arena, const Step *step, const char *text,
                        const char **ret_why)
{
    Window window;
    int minute = 0, weekday = 0, later = 0, day = 0;
    Wait wait = runner_wait(runner);
    char need_text[UNIT_TEXT_BYTES];
    bool whole = step->timeout == TIMEOUT_WATCHDOG;
    int64_t need = whole ? (step->estimate_high_ms + 59999) / 60000 : 1;
    need = need > 0 ? need : 1;
    *ret_why = NULL;
    TRY(window_parse(text, &window));
    TRY(runner->ops->local_time(runner->conn, &wait, arena, window.time_zone, NULL, 0, &minute, &weekday));
    int left = window_left(&window, minute, weekday);
    if (need <= left) {
        TRY(runner->ops->local_time(runner->conn, &wait, arena, window.time_zone, NULL, need - 1, &later,
                                    &day));
        if (window_contains(&window, later, day))
            return NULL;
    }
    unit_duration_text(step->estimate_high_ms, need_text);
    if (whole && need > window_longest(&window))
        return err_hint(err_new(ERR_HELD, "step %d may take %s, which is longer than the window %s",
                                step->ordinal, need_text, text),
                        "give it a longer one: stoa resume %s --window '22:00-08:00 UTC'", runner->name);
    *ret_why = whole ? arena_printf(arena, "it may take %s, and the window %s closes in %d min", need_text,
                                    text, left)
                     : arena_printf(arena, "outside the window %s", text);
    return NULL;
}

Err *window_wait(Runner *runner, const Step *step)
{
    for (bool told = false;; told = true) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        const Controls controls = control_settings(runner);
        const char *text = controls.window, *why = NULL;
        bool heavy_only = controls.window_heavy == 1;
        TRY(control_gate(runner));
        /* the gate itself keeps everything out, but for the step at hand it may not know yet that it is heavy
         */
        bool look = heavy_only ? step_is_heavy(step) : step->timeout == TIMEOUT_WATCHDOG;
        if (!look || text == NULL || text[0] == '\0')
            return NULL;
        TRY(fits_window(runner, arena, step, text, &why));
        if (why == NULL)
            return NULL;
        if (!told)
            runner_event(runner, "window_wait", step->ordinal, NULL, "%s", why);
        stop_sleep(runner->options->stop, WINDOW_LOOK_MS);
    }
}

/* ---- doctor --------------------------------------------------------------------------------- */

static Err *look(Runner *runner, const char *text, const char *at, json_t *doctor)
{
    Window window;
    int minute = 0, weekday = 0, later = 0, day = 0;
    Wait wait = journal_wait();
    Arena *arena = runner->arena;
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    TRY(window_parse(text, &window));
    Err *err =
        runner->ops->local_time(runner->conn, &wait, arena, window.time_zone, at, 0, &minute, &weekday);
    if (err_is(err, ERR_SQL))
        err->kind = ERR_USAGE;
    if (err != NULL)
        return err_wrap(err, "--window \"%s\"", text);
    int left = window_left(&window, minute, weekday);
    bool always = left >= WINDOW_WEEK;
    if (left > 0 && !always) {
        TRY(runner->ops->local_time(runner->conn, &wait, arena, window.time_zone, at, left, &later, &day));
        int shift = window_shift(minute, later, left);
        left -= shift > 0 && shift < left ? shift : 0;
    }
    const char *state = always     ? "always open"
                        : left > 0 ? arena_printf(arena, "open, for %d min more", left)
                                   : "closed";
    json_t *check =
        json_pack("{s:s, s:b, s:n, s:s, s:n, s:b, s:i}", "name", "window", "ok", true, "severity", "message",
                  arena_printf(arena, "%s: %s; it is %s %02d:%02d there", text, state, days[weekday],
                               minute / 60, minute % 60),
                  "fix", "open", left > 0, "left_minutes", always ? -1 : left);
    (void)json_array_append_new(json_object_get(doctor, "checks"), check);
    return NULL;
}

Err *run_window(const RunOptions *options, Arena *arena, const char *window, const char *at, json_t *doctor)
{
    Runner runner;
    Err *err = runner_open(&runner, options, arena);
    if (err == NULL)
        err = look(&runner, window, at, doctor);
    runner_close(&runner);
    return err;
}
