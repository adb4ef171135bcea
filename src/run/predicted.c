/* Rehearsals held against what happened. */
#include "run/predicted.h"

#include <math.h>

/* Below it a clock tells more of the machine than of the change: such steps are shown, and not scored. */
static const double SHORT_S = 0.1;

/* ---- ranges --------------------------------------------------------------------------------- */

/* low and high of a range that makes sense; NULL where it does not. */
static json_t *range_of(const json_t *json, const char *key)
{
    const json_t *range = json_object_get(json, key);
    double low = json_number_value(json_object_get(range, "low"));
    double high = json_number_value(json_object_get(range, "high"));
    if (!json_is_object(range) || !isfinite(low) || !isfinite(high) || low < 0 || high < low)
        return NULL;
    return json_pack("{s:O, s:O}", "low", json_object_get(range, "low"), "high",
                     json_object_get(range, "high"));
}

/* The range under `key`, taken over with what happened; `least`: what is too little to be scored. NULL where
 * there is no such range. */
static json_t *scored_of(const json_t *json, const char *key, double actual, double least)
{
    json_t *range = range_of(json, key);
    if (range == NULL || actual < 0)
        return range;
    double low = json_number_value(json_object_get(range, "low"));
    double high = json_number_value(json_object_get(range, "high"));
    json_object_set_new(range, "actual", json_real(actual));
    json_object_set_new(range, "inside", json_boolean(actual >= low && actual <= high));
    json_object_set_new(range, "scored", json_boolean(high >= least || actual >= least));
    return range;
}

/* ---- what was said -------------------------------------------------------------------------- */

/* Of a report as much as is needed later. */
static json_t *said_of(const json_t *report)
{
    static const char *const heads[] = {"made_at", "rows", "rehearsed_rows", "realistic", "past", "machine"};
    const json_t *prediction = json_object_get(report, "prediction"), *step = NULL;
    json_t *steps = json_array(), *said = json_pack("{s:o}", "steps", steps);
    static const char *const keys[] = {"seconds", "wal_bytes"};
    size_t i = 0;
    for (size_t k = 0; k < ARRAY_LEN(heads); k++)
        json_object_set(said, heads[k], json_object_get(report, heads[k]));
    for (size_t k = 0; k < ARRAY_LEN(keys); k++)
        json_object_set_new(said, keys[k], range_of(prediction, keys[k]));
    json_array_foreach(json_object_get(report, "steps"), i, step)
    {
        json_t *each = json_pack("{s:I}", "ordinal", json_integer_value(json_object_get(step, "ordinal")));
        for (size_t k = 0; k < ARRAY_LEN(keys); k++)
            json_object_set_new(each, keys[k], range_of(step, keys[k]));
        json_array_append_new(steps, each);
    }
    return said;
}

void predicted_begin(Runner *runner)
{
    const RunOptions *options = runner->options;
    json_t *report =
        options->rehearsal == NULL ? NULL : options->rehearsal(options->rehearsal_context, &runner->plan);
    if (report == NULL)
        return;
    runner->rehearsed = said_of(report);
    json_decref(report);
    const json_t *seconds = json_object_get(runner->rehearsed, "seconds");
    runner_event(runner, "rehearsed", 0, runner->rehearsed, "by its rehearsal it takes %.1f to %.1f s",
                 json_number_value(json_object_get(seconds, "low")),
                 json_number_value(json_object_get(seconds, "high")));
}

static Err *load(Runner *runner)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, runner->arena, &rows,
                    "SELECT kind, detail FROM stoa.events WHERE change_id = $1 AND kind IN ('rehearsed', "
                    "'resumed', 'predicted') ORDER BY id",
                    arena_printf(runner->arena, "%lld", (long long)runner->change_id)));
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *kind = rows_cell(&rows, i, 0), *body = rows_cell(&rows, i, 1);
        json_t *detail = body == NULL ? NULL : json_loads(body, 0, NULL);
        if (str_eq(kind, "rehearsed") && detail != NULL && runner->rehearsed == NULL)
            runner->rehearsed = json_incref(detail);
        if (str_eq(kind, "resumed") && str_eq(json_string_value(json_object_get(detail, "was")), "running"))
            runner->cut = true;
        if (str_eq(kind, "predicted")) { /* it has been told */
            json_decref(runner->rehearsed);
            runner->rehearsed = NULL;
        }
        json_decref(detail);
    }
    return NULL;
}

void predicted_resume(Runner *runner, const char *was)
{
    runner->cut = str_eq(was, "running"); /* its time until then is lost with the process */
    err_free(load(runner));
}

/* ---- what happened -------------------------------------------------------------------------- */

int64_t predicted_log(Runner *runner)
{
    Wait wait = journal_wait();
    int64_t bytes = -1;
    if (runner->rehearsed == NULL || runner->conn == NULL)
        return -1;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Err *err = runner->ops->log_bytes(runner->conn, &wait, arena, &bytes);
    if (err != NULL)
        bytes = -1;
    err_free(err);
    return bytes;
}

void predicted_step(Runner *runner, const Step *step, int64_t log_from)
{
    int64_t now = log_from < 0 ? -1 : predicted_log(runner);
    /* As a rehearsal counts: without the looks at window and catalog before a step. */
    if (runner->rehearsed != NULL)
        tally_add(&runner->tally, step->ordinal, "sums", "work_ms",
                  runner_clock_ms(runner) - runner->step_from_ms);
    if (now >= 0)
        tally_add(&runner->tally, step->ordinal, "sums", "wal_bytes", now - log_from);
}

static const json_t *step_said(const Runner *runner, int ordinal)
{
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(runner->rehearsed, "steps"), i,
                       step) if (json_integer_value(json_object_get(step, "ordinal")) == ordinal) return step;
    return NULL;
}

static bool is_true(const json_t *json, const char *key) { return json_is_true(json_object_get(json, key)); }

/* The whole is what its steps are together. */
static json_t *outcome(Runner *runner, json_int_t *ret_inside, json_int_t *ret_scored)
{
    json_t *steps = json_array();
    double all_s = 0, all_bytes = 0;
    for (size_t i = 0; i < runner->plan.step_count; i++) {
        const Step *step = &runner->plan.steps[i];
        const json_t *said = step_said(runner, step->ordinal);
        if (said == NULL)
            continue;
        double seconds = (double)tally_value(&runner->tally, step->ordinal, "sums", "work_ms") / 1000;
        double bytes = (double)tally_value(&runner->tally, step->ordinal, "sums", "wal_bytes");
        all_s += seconds;
        all_bytes += bytes;
        json_t *scored = scored_of(said, "seconds", seconds, SHORT_S);
        *ret_scored += is_true(scored, "scored");
        *ret_inside += is_true(scored, "scored") && is_true(scored, "inside");
        json_array_append_new(steps, json_pack("{s:i, s:s, s:s, s:s, s:o*, s:o*}", "ordinal", step->ordinal,
                                               "phase", phase_name(step->phase), "kind",
                                               step_kinds[step->kind].name, "title", step->title, "seconds",
                                               scored, "wal_bytes", scored_of(said, "wal_bytes", bytes, 0)));
    }
    char at[CLOCK_TEXT_BYTES];
    clock_wall_text(at);
    json_t *json = json_pack("{s:s, s:b, s:o*, s:o*, s:I, s:I, s:o}", "at", at, "cut", (int)runner->cut,
                             "seconds", scored_of(runner->rehearsed, "seconds", all_s, SHORT_S), "wal_bytes",
                             scored_of(runner->rehearsed, "wal_bytes", all_bytes, 0), "steps_inside",
                             *ret_inside, "steps_scored", *ret_scored, "steps", steps);
    json_object_update_missing(json, runner->rehearsed);
    return json;
}

void predicted_settle(Runner *runner)
{
    json_int_t inside = 0, scored = 0;
    if (runner->rehearsed == NULL)
        return;
    json_t *json = outcome(runner, &inside, &scored);
    const json_t *seconds = json_object_get(json, "seconds");
    runner_event(runner, "predicted", 0, json,
                 "it took %.1f s, and its rehearsal said %.1f to %.1f s; %lld of %lld steps that took long "
                 "enough to tell are inside their ranges",
                 json_number_value(json_object_get(seconds, "actual")),
                 json_number_value(json_object_get(seconds, "low")),
                 json_number_value(json_object_get(seconds, "high")), (long long)inside, (long long)scored);
    json_decref(json);
    json_decref(runner->rehearsed);
    runner->rehearsed = NULL;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* What the log has, oldest first. */
static Err *read_all(Runner *runner, const char *name, json_t *changes)
{
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    if (runner->server.journal_version == 0)
        return NULL;
    TRY(conn_params(runner->conn, &wait, runner->arena, &rows,
                    "SELECT c.name, e.detail FROM stoa.events e JOIN stoa.changes c ON c.id = e.change_id "
                    "WHERE e.kind = 'predicted' ORDER BY e.id"));
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *body = rows_cell(&rows, i, 1);
        json_t *detail = body == NULL ? NULL : json_loads(body, 0, NULL);
        if (json_is_object(detail) && (name == NULL || str_eq(rows_cell(&rows, i, 0), name))) {
            json_object_set_new(detail, "change", json_string(rows_cell(&rows, i, 0)));
            json_array_append(changes, detail);
        }
        json_decref(detail);
    }
    return NULL;
}

/* How many of those with the whole story are inside. */
static json_t *with_sums(json_t *changes)
{
    json_int_t inside = 0, scored = 0, steps_inside = 0, steps_scored = 0;
    const json_t *change = NULL;
    size_t i = 0;
    json_array_foreach(changes, i, change)
    {
        const json_t *seconds = json_object_get(change, "seconds");
        if (is_true(change, "cut"))
            continue;
        scored += is_true(seconds, "scored");
        inside += is_true(seconds, "scored") && is_true(seconds, "inside");
        steps_inside += json_integer_value(json_object_get(change, "steps_inside"));
        steps_scored += json_integer_value(json_object_get(change, "steps_scored"));
    }
    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:o}", "v", 1, "inside", inside, "scored", scored,
                     "steps_inside", steps_inside, "steps_scored", steps_scored, "changes", changes);
}

Err *run_predictions(const RunOptions *options, Arena *arena, const char *change, json_t **ret_json)
{
    Runner runner;
    json_t *changes = json_array();
    Err *err = runner_open_to_read(&runner, options, arena);
    if (err == NULL)
        err = read_all(&runner, change, changes);
    runner_close(&runner);
    if (err != NULL) {
        json_decref(changes);
        return err;
    }
    *ret_json = with_sums(changes);
    return NULL;
}
