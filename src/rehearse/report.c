/* The figures of a rehearsal as one object. */
#include "rehearse/climb.h"
#include "rehearse/past.h"
#include "rehearse/predict.h"

#include "base/clock.h"
#include "base/str.h"

#include <math.h>

static const double SLOWER_MOST = 3;
static const double SLACK_MS = 50; /* that a wait may be longer than --max-stall */

typedef double Figure(const Trial *trial, size_t step);

static double trial_seconds(const Trial *trial, size_t step)
{
    (void)step;
    return trial->seconds;
}
static double trial_wal(const Trial *trial, size_t step)
{
    (void)step;
    return (double)trial->wal_bytes;
}
static double step_seconds(const Trial *trial, size_t step) { return trial->steps[step].seconds; }
static double step_wal(const Trial *trial, size_t step) { return (double)trial->steps[step].wal_bytes; }

/* One point a size; a size whose plan has other steps than the greatest one is left out where steps are
 * meant. */
static size_t points_of(const Climb *climb, bool plain, Figure *figure, size_t step, bool steps,
                        PredictPoint *ret_points)
{
    size_t count = 0, step_count = climb->sizes[climb->size_count - 1].plan[0].step_count;
    for (size_t i = 0; i < climb->size_count; i++) {
        const ClimbSize *size = &climb->sizes[i];
        double values[CLIMB_REPEATS];
        size_t value_count = plain ? size->plain_count : size->plan_count;
        const Trial *trials = plain ? size->plain : size->plan;
        if (value_count == 0 || (steps && trials[0].step_count != step_count))
            continue;
        for (size_t j = 0; j < value_count; j++)
            values[j] = figure(&trials[j], step);
        double median = predict_median(values, value_count);
        ret_points[count++] = (PredictPoint){.rows = (double)size->row_count,
                                             .median = median,
                                             .least = values[0],
                                             .most = values[value_count - 1]};
    }
    return count;
}

static json_t *range_json(PredictRange range, bool whole)
{
    if (whole)
        return json_pack("{s:I, s:I}", "low", (json_int_t)floor(range.low), "high",
                         (json_int_t)ceil(range.high));
    return json_pack("{s:f, s:f}", "low", range.low, "high", range.high);
}

/* ---- what is outgrown ----------------------------------------------------------------------- */

/* The working set against the server's cache, and a sort of the rows against the memory it gets: both on the
 * source, and in the rehearsal, whose settings may have been cut at their least. */
static bool regime(const Climb *climb, json_t *ret_why)
{
    const FactTable *main = climb->mains[0];
    double bytes = (double)main->heap_bytes, share = (double)climb->row_count / (double)main->rows;
    for (size_t i = 0; i < main->index_count; i++)
        bytes += (double)main->indexes[i].bytes;
    const RehearseEngine *engine = climb->stage->engine;
    const struct {
        const char *setting, *what;
        double need, least;
    } walls[] = {
        {engine->cache_setting, "table and indexes", bytes, (double)engine->least_cache},
        {engine->sort_setting, "a sort of all rows", (double)main->rows * 32, (double)engine->least_sort}};
    bool reached = true;
    for (size_t i = 0; i < ARRAY_LEN(walls); i++) {
        double setting =
            walls[i].setting == NULL ? 0 : (double)facts_setting(climb->facts, walls[i].setting, 0);
        double here = fmax(setting * share, walls[i].least);
        if (setting <= 0 || walls[i].need <= setting || walls[i].need * share > here)
            continue;
        reached = false;
        (void)json_array_append_new(ret_why, json_sprintf("%s outgrows %s on the source, and did not here",
                                                          walls[i].what, walls[i].setting));
    }
    return reached;
}

/* ---- one way -------------------------------------------------------------------------------- */

static double ratio_of(double busy, double alone)
{
    return alone > 0.001 && busy > alone ? fmin(busy / alone, SLOWER_MOST) : 1;
}

/* As far as earlier ranges for this database were off. */
static PredictRange moved(PredictRange range, double factor)
{
    return (PredictRange){.low = range.low / factor, .high = range.high * factor};
}

/* The application makes it slower, there as here; a machine that is at its end says nothing of another one.
 */
static PredictRange slowed(PredictRange range, double times)
{
    return (PredictRange){.low = range.low * sqrt(times), .high = range.high * times};
}

/* A statement that waits for the whole of a lock waits longer on a larger table; one that only met the server
 * at work does not. */
static PredictRange stall_of(const Trial *busy, PredictRange seconds)
{
    double seen = busy->during.max_ms, usual = fmax(busy->before.max_ms, 1);
    PredictRange range = {.low = fmin(usual, seen), .high = 2 * fmax(usual, seen)};
    if (busy->blocked == 0 || busy->seconds <= 0 || seen < 0.3 * busy->seconds * 1000)
        return range;
    double part = fmin(1.2, seen / (busy->seconds * 1000)); /* of the time it took */
    double high = fmax(seconds.high * 1000 * part, seen);
    if (seen < 3 * usual) /* it may have been the machine, too: both are in the range */
        return (PredictRange){.low = range.low, .high = fmax(range.high, high)};
    return (PredictRange){.low = seconds.low * 1000 * part, .high = high};
}

static json_t *latency_json(const LoadReport *report)
{
    return json_pack("{s:f, s:f, s:f}", "p50_ms", report->p50_ms, "p99_ms", report->p99_ms, "max_ms",
                     report->max_ms);
}

static json_t *application_json(const Trial *busy)
{
    json_t *json = json_pack("{s:I, s:I, s:o, s:o, s:i}", "statements", (json_int_t)busy->during.count,
                             "errors", (json_int_t)busy->during.errors, "before", latency_json(&busy->before),
                             "during", latency_json(&busy->during), "blocked", busy->blocked);
    if (busy->during.first_error[0] != '\0')
        json_object_set_new(json, "first_error", json_string(busy->during.first_error));
    return json;
}

/* "seconds", "wal_bytes" and "longest_stall_ms" of the source's size. */
static json_t *predicted(const Climb *climb, bool plain, bool reached)
{
    PredictPoint points[CLIMB_SIZES];
    const Trial *busy = plain ? &climb->busy_plain : &climb->busy_plan;
    double rows = (double)climb->mains[0]->rows;
    size_t count = points_of(climb, plain, trial_seconds, 0, false, points);
    PredictRange seconds = predict_seconds(points, count, rows, reached);
    if (climb->mix.item_count > 0)
        seconds = slowed(seconds, ratio_of(busy->seconds, points[count - 1].median));
    seconds = moved(seconds, past_read(climb->facts->past, climb->stage->machine).factor);
    count = points_of(climb, plain, trial_wal, 0, false, points);
    json_t *json = json_pack("{s:o, s:o}", "seconds", range_json(seconds, false), "wal_bytes",
                             range_json(predict_count(points, count, rows), true));
    if (climb->mix.item_count > 0) {
        PredictRange stall = stall_of(busy, seconds);
        json_object_set_new(json, "longest_stall_ms", range_json(stall, false));
        json_object_set_new(json, "stalls",
                            json_boolean(sqrt(stall.low * stall.high) >
                                         (double)climb->run->controls.max_stall_ms + SLACK_MS));
    }
    return json;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static const TrialStep *busy_step(const Climb *climb, int ordinal)
{
    for (size_t i = 0; i < climb->busy_plan.step_count; i++)
        if (climb->busy_plan.steps[i].ordinal == ordinal)
            return &climb->busy_plan.steps[i];
    return NULL;
}

static json_t *step_json(const Climb *climb, size_t at, bool reached, double step_factor)
{
    PredictPoint points[CLIMB_SIZES];
    const ClimbSize *greatest = &climb->sizes[climb->size_count - 1];
    const TrialStep *step = &greatest->plan[0].steps[at], *busy = busy_step(climb, step->ordinal);
    double rows = (double)climb->mains[0]->rows;
    json_t *json =
        json_pack("{s:i, s:s, s:s, s:s, s:s}", "ordinal", step->ordinal, "phase", step->phase, "kind",
                  step->kind, "title", step->title, "lock", busy != NULL ? busy->lock : step->lock);
    json_t *seen = json_pack("{s:f, s:I, s:I}", "seconds", step->seconds, "wal_bytes",
                             (json_int_t)step->wal_bytes, "temp_bytes", (json_int_t)step->temp_bytes);
    if (busy != NULL) {
        json_object_set_new(seen, "busy_seconds", json_real(busy->seconds));
        json_object_set_new(seen, "blocked", json_integer(busy->blocked));
        json_object_set_new(seen, "lock_waits", json_integer(busy->lock_waits));
        json_object_set_new(seen, "application", latency_json(&busy->latency));
    }
    json_object_set_new(json, "rehearsed", seen);
    size_t count = points_of(climb, false, step_seconds, at, true, points);
    PredictRange seconds = predict_seconds(points, count, rows, reached);
    if (busy != NULL && climb->mix.item_count > 0)
        seconds = slowed(seconds, ratio_of(busy->seconds, points[count - 1].median));
    json_object_set_new(json, "seconds", range_json(moved(seconds, step_factor), false));
    count = points_of(climb, false, step_wal, at, true, points);
    json_object_set_new(json, "wal_bytes", range_json(predict_count(points, count, rows), true));
    return json;
}

static json_t *steps_json(const Climb *climb, bool reached)
{
    json_t *steps = json_array();
    double factor = past_read(climb->facts->past, climb->stage->machine).step_factor;
    for (size_t i = 0; i < climb->sizes[climb->size_count - 1].plan[0].step_count; i++)
        (void)json_array_append_new(steps, step_json(climb, i, reached, factor));
    return steps;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static json_t *run_json(const Trial *trial, bool plain)
{
    return json_pack("{s:s, s:I, s:f, s:I, s:I, s:I}", "way", plain ? "plain" : "plan", "rows",
                     (json_int_t)trial->row_count, "seconds", trial->seconds, "wal_bytes",
                     (json_int_t)trial->wal_bytes, "temp_bytes", (json_int_t)trial->temp_bytes, "disk_bytes",
                     (json_int_t)trial->disk_bytes);
}

static json_t *runs_json(const Climb *climb)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < climb->size_count; i++) {
        for (size_t j = 0; j < climb->sizes[i].plan_count; j++)
            (void)json_array_append_new(runs, run_json(&climb->sizes[i].plan[j], false));
        for (size_t j = 0; j < climb->sizes[i].plain_count; j++)
            (void)json_array_append_new(runs, run_json(&climb->sizes[i].plain[j], true));
    }
    return runs;
}

static json_t *mix_json(const Climb *climb)
{
    json_t *list = json_array();
    double all = 0;
    for (size_t i = 0; i < climb->mix.item_count; i++)
        all += climb->mix.items[i].share;
    for (size_t i = 0; i < climb->mix.item_count; i++)
        (void)json_array_append_new(list, json_pack("{s:s, s:f}", "statement", climb->mix.texts[i], "share",
                                                    all > 0 ? climb->mix.items[i].share / all : 0));
    return json_pack("{s:f, s:o}", "per_s", climb->mix.rate, "statements", list);
}

static json_t *past_json(const Climb *climb)
{
    Past past = past_read(climb->facts->past, climb->stage->machine);
    return json_pack("{s:I, s:I, s:f, s:I, s:f, s:I}", "changes", (json_int_t)past.change_count, "inside",
                     (json_int_t)past.inside, "factor", past.factor, "steps", (json_int_t)past.step_count,
                     "step_factor", past.step_factor, "elsewhere", (json_int_t)past.elsewhere);
}

static json_t *naive_json(const Climb *climb, bool reached)
{
    const ClimbSize *greatest = &climb->sizes[climb->size_count - 1];
    json_t *naive = predicted(climb, true, reached);
    const char *error = greatest->plain[0].error != NULL ? greatest->plain[0].error : climb->busy_plain.error;
    json_object_set_new(naive, "rehearsed", run_json(&greatest->plain[0], true));
    json_object_set_new(naive, "error", error != NULL ? json_string(error) : json_null());
    if (climb->mix.item_count > 0)
        json_object_set_new(naive, "application", application_json(&climb->busy_plain));
    return naive;
}

static json_t *fault_json(const Climb *climb)
{
    const Fault *fault = &climb->fault;
    const ClimbSize *greatest = &climb->sizes[climb->size_count - 1];
    const Trial *whole = climb->mix.item_count > 0 ? &climb->busy_plan : &greatest->plan[0];
    if (fault->ordinal == 0)
        return json_pack("{s:n}", "killed_in");
    json_t *json =
        json_pack("{s:{s:i, s:s}, s:f, s:f, s:f, s:b, s:s?}", "killed_in", "ordinal", fault->ordinal, "title",
                  fault->title, "killed_after_s", fault->killed_s, "resumed_s", fault->resumed_s,
                  "undisturbed_s", whole->seconds, "ready", (int)fault->ready, "error", fault->error);
    if (climb->mix.item_count > 0) {
        json_t *application = latency_json(&fault->during);
        json_object_set_new(application, "statements", json_integer((json_int_t)fault->during.count));
        json_object_set_new(application, "errors", json_integer((json_int_t)fault->during.errors));
        json_object_set_new(json, "application", application);
    }
    return json;
}

json_t *climb_json(Arena *arena, Climb *climb)
{
    (void)arena;
    const ClimbSize *greatest = &climb->sizes[climb->size_count - 1];
    const FactTable *main = climb->mains[0];
    const Trial *shown = climb->mix.item_count > 0 ? &climb->busy_plan : &greatest->plan[0];
    json_t *why = json_array(), *notes = json_array(), *sizes = json_array();
    bool reached = regime(climb, why);
    for (size_t i = 0; i < climb->stage->notes.len; i++)
        (void)json_array_append_new(notes, json_string(climb->stage->notes.items[i]));
    for (size_t i = 0; i < climb->size_count; i++)
        (void)json_array_append_new(sizes, json_integer((json_int_t)climb->sizes[i].row_count));
    json_t *json = json_pack(
        "{s:i, s:s, s:s, s:s?, s:s?, s:s, s:s, s:s, s:I, s:I, s:o, s:b}", "v", 1, "change",
        climb->change->name, "change_digest", climb->change->change_digest, "plan_digest", shown->plan_digest,
        "strategy", shown->strategy, "engine", climb->facts->engine, "server", climb->facts->version_text,
        "table", main->name, "rows", (json_int_t)main->rows, "rehearsed_rows",
        (json_int_t)greatest->row_count, "sizes", sizes, "masked", (int)climb->facts->masked);
    char made_at[CLOCK_TEXT_BYTES];
    clock_wall_text(made_at);
    json_object_set_new(json, "made_at", json_string(made_at));
    json_object_set_new(json, "system",
                        climb->facts->system != NULL ? json_string(climb->facts->system) : json_null());
    json_object_set_new(json, "database",
                        climb->facts->database != NULL ? json_string(climb->facts->database) : json_null());
    json_object_set(json, "machine", climb->stage->machine);
    json_object_set_new(json, "past", past_json(climb));
    json_t *prediction = predicted(climb, false, reached);
    if (climb->busy_plan.error != NULL) /* it would not get its locks at that rate */
        json_object_set_new(prediction, "error", json_string(climb->busy_plan.error));
    json_object_set_new(json, "prediction", prediction);
    json_object_set_new(json, "regime_reached", json_boolean(reached));
    json_object_set_new(json, "regime", why);
    json_object_set(json, "realistic", json_object_get(climb->comparison, "realistic"));
    json_object_set_new(json, "comparison", climb->comparison);
    climb->comparison = NULL;
    json_object_set_new(json, "steps", steps_json(climb, reached));
    if (climb->mix.item_count > 0) {
        json_object_set_new(json, "mix", mix_json(climb));
        json_object_set_new(json, "application", application_json(&climb->busy_plan));
    }
    json_object_set_new(json, "naive", naive_json(climb, reached));
    if (climb->faults)
        json_object_set_new(json, "faults", fault_json(climb));
    json_object_set_new(json, "runs", runs_json(climb));
    json_object_set_new(json, "notes", notes);
    return json;
}
