/* The two ways to make the same change: Stoa's, and the one that is usually written. */
#include "base/clock.h"
#include "base/str.h"
#include "base/unit.h"
#include "demo/side.h"
#include "run/run.h"

enum { SAY_EVERY_MS = 2000 };

/* ---- stoa apply ----------------------------------------------------------------------------- */

typedef struct Watch {
    const Demo *demo;
    int64_t said_ms;
} Watch;

static void plan_say(const Demo *demo, const Plan *plan)
{
    demo_say(demo, "plan %.19s, %s:", plan->plan_digest, plan->strategy);
    for (size_t i = 0; i < plan->step_count; i++) {
        const Step *step = &plan->steps[i];
        demo_say(demo, "  %2d  %-9s  %s%s%s", step->ordinal, phase_name(step->phase), step->title,
                 step->lock[0] != '\0' ? "  · lock " : "", step->lock);
    }
}

static bool plan_agree(void *context, const Plan *plan)
{
    const Watch *watch = context;
    const DemoOptions *options = &watch->demo->options;
    if (options->show_plan != NULL)
        options->show_plan(options->context, plan);
    else
        plan_say(watch->demo, plan);
    return true;
}

static void watch_event(void *context, const Event *event)
{
    const Watch *watch = context;
    bool twice = str_eq(event->kind, "step_started"); /* the end of a step says the same, with its time */
    if (event->text != NULL && event->text[0] != '\0' && !twice)
        demo_say(watch->demo, "  %s", event->text);
}

static void watch_progress(void *context, const Progress *progress)
{
    Watch *watch = context;
    if (progress->rows_total <= 0 || progress->rows_done <= 0 || clock_ms() - watch->said_ms < SAY_EVERY_MS)
        return;
    watch->said_ms = clock_ms();
    char done[UNIT_TEXT_BYTES], total[UNIT_TEXT_BYTES];
    demo_say(watch->demo, "  %s: %s of %s rows%s%s", progress->phase,
             unit_count_text(progress->rows_done, done), unit_count_text(progress->rows_total, total),
             progress->throttled_by != NULL ? ", slowed by " : "",
             progress->throttled_by != NULL ? progress->throttled_by : "");
}

/* Of exactly this plan. */
static json_t *rehearsal_of(void *context, const Plan *plan)
{
    json_t *report = context;
    const char *digest = json_string_value(json_object_get(report, "plan_digest"));
    return str_eq(digest, plan->plan_digest) ? json_incref(report) : NULL;
}

Err *way_stoa(const Demo *demo, Side *side)
{
    Change change;
    demo->engine->parse(demo->arena, &demo->engine->change, &change);
    if (change.problem_count > 0)
        return err_new(ERR_BUG, "the demo's own change is refused: %s", change.problems[0].message);
    Watch watch = {.demo = demo};
    RunOptions options = {
        .ops = demo->options.ops,
        .target = {.url = server_url(demo->arena, demo->server, side->database)},
        .stop = demo->options.stop,
        .observer = {.event = watch_event, .progress = watch_progress, .context = &watch},
        .until = -1,
        .plan = {.verify = VERIFY_AUTO, .replicas_given = true, .measured = demo->engine->measured},
        .database_label = side->database};
    controls_default(&options.controls);
    options.plan.max_stall_ms = options.controls.max_stall_ms;
    if (demo->rehearsal != NULL) {
        options.rehearsal = rehearsal_of;
        options.rehearsal_context = demo->rehearsal;
    }
    RunSummary summary = {0};
    TRY(run_apply(&options, demo->arena, &change, plan_agree, &watch, &summary));
    side->backfill_seconds = (double)summary.backfill_ms / 1000;
    side->hot_ratio = summary.rows_filled > 0 ? (double)summary.hot_rows / (double)summary.rows_filled : -1;
    return demo->rehearsal == NULL ? NULL : run_predictions(&options, demo->arena, NULL, &side->predictions);
}

/* ---- the usual way --------------------------------------------------------------------------------------
 */

Err *way_plain(const Demo *demo, Side *side)
{
    Wait wait = {.stop = demo->options.stop};
    Target target = {.url = server_url(demo->arena, demo->server, side->database)};
    CLEANUP(conn_closep) Conn *conn = NULL;
    TRY(demo->options.ops->connect(&target, DEMO_SESSION, &wait, &conn));
    for (const char *const *sql = demo->engine->plain; *sql != NULL; sql++) {
        TRY(stop_check(demo->options.stop));
        demo_say(demo, "  %s", *sql);
        TRY(conn_exec(conn, &wait, *sql));
    }
    return NULL;
}
