/* Sizes, one after the other. */
#include "rehearse/climb.h"

#include "base/unit.h"

#include <math.h>

static const double SPAN = 16; /* from the smallest size to the greatest */
static const int64_t LEAST_ROWS = 500;
enum { RATE_TRIES = 4, CALM_P50_MS = 50, CALM_P99_MS = 500 };

static void choose_sizes(Climb *climb)
{
    int64_t last = 0;
    for (int i = 0; i < CLIMB_SIZES; i++) {
        double share = pow(SPAN, -(double)(CLIMB_SIZES - 1 - i) / (CLIMB_SIZES - 1));
        int64_t rows = (int64_t)((double)climb->row_count * share);
        if (i < CLIMB_SIZES - 1 && (rows < LEAST_ROWS || rows <= last))
            continue;
        climb->sizes[climb->size_count++].row_count = i == CLIMB_SIZES - 1 ? climb->row_count : rows;
        last = rows;
    }
}

typedef struct ClimbBase {
    const Fill *fill;
    const FactTable *const *tables;
    size_t table_count;
    const char *base;
} ClimbBase;

static Err *base_make(Arena *arena, Climb *climb, int64_t row_count, ClimbBase *ret_rung)
{
    char text[UNIT_TEXT_BYTES];
    ClimbBase made = {.fill = fill_new(arena, climb->facts, climb->mains[0], row_count, climb->words),
                      .base = stage_name(climb->stage, "base", row_count)};
    fill_tables(arena, climb->facts, climb->mains, climb->main_count, &made.tables, &made.table_count);
    stage_say(climb->stage, "making %s rows of %s.%s", unit_count_text(row_count, text),
              climb->mains[0]->schema, climb->mains[0]->name);
    *ret_rung = made;
    return stage_build(climb->stage, made.fill, made.tables, made.table_count, made.base);
}

static Err *run_once(Arena *arena, const Climb *climb, const ClimbBase *made, int64_t row_count, bool plain,
                     const Mix *mix, bool measured, Trial *ret_trial)
{
    RunOptions options = *climb->run;
    options.plan.measured = options.plan.measured && (measured || climb->must_measure);
    options.plan.stands_for = (double)climb->mains[0]->rows / (double)row_count;
    TrialWish wish = {.stage = climb->stage,
                      .base = made->base,
                      .row_count = row_count,
                      .change = climb->change,
                      .options = &options,
                      .plain = plain,
                      .mix = mix};
    char seconds[UNIT_TEXT_BYTES], log[UNIT_TEXT_BYTES];
    TRY(trial_run(arena, &wish, ret_trial));
    stage_say(climb->stage, "  %s: %s, %s of log%s", plain ? "as usually written" : "the plan",
              unit_duration_text((int64_t)(ret_trial->seconds * 1000), seconds),
              unit_size_text(ret_trial->wal_bytes, log), ret_trial->error != NULL ? ", and it fails" : "");
    return NULL;
}

/* The plan is tried on empty copies before the first run, so that a refusal comes early, and before the one
 * that is shown; in between its statements are the same, and each try would take longer than they do. */
static Err *run_plan_alone(Arena *arena, Climb *climb, const ClimbBase *made, ClimbSize *size)
{
    bool first = size == climb->sizes && size->plan_count == 0;
    Trial *trial = &size->plan[size->plan_count];
    Err *err =
        run_once(arena, climb, made, size->row_count, false, NULL, first || climb->must_measure, trial);
    if (err_is(err, ERR_UNSAFE) && !first && !climb->must_measure && climb->run->plan.measured) {
        err_free(err);
        climb->must_measure = true;
        err = run_once(arena, climb, made, size->row_count, false, NULL, true, trial);
    }
    size->plan_count += err == NULL;
    return err;
}

/* Alone: what is counted is the change's. The greatest size is repeated, to see how far apart runs are. */
static Err *run_alone(Arena *arena, Climb *climb, const ClimbBase *made, ClimbSize *size, bool greatest)
{
    size_t plans = greatest ? CLIMB_REPEATS : 1, plains = greatest ? 2 : 1;
    for (size_t i = 0; i < plans; i++)
        TRY(run_plan_alone(arena, climb, made, size));
    for (size_t i = 0; i < plains; i++)
        TRY(run_once(arena, climb, made, size->row_count, true, NULL, false,
                     &size->plain[size->plain_count++]));
    return NULL;
}

/* A rate that this machine carries: where statements queue up without any change, stalls tell nothing of it.
 */
static Err *settle_rate(Climb *climb, const ClimbBase *made)
{
    char carried[UNIT_TEXT_BYTES];
    double wanted = climb->mix.rate;
    for (int attempt = 0; attempt < RATE_TRIES; attempt++) {
        LoadReport report = {0};
        TrialWish wish = {
            .stage = climb->stage, .base = made->base, .row_count = climb->row_count, .mix = &climb->mix};
        TRY(trial_calm(&wish, &report));
        if (report.p50_ms <= CALM_P50_MS && report.p99_ms <= CALM_P99_MS)
            break;
        climb->mix.rate = climb->mix.rate / 2;
    }
    if (climb->mix.rate < wanted)
        stage_note(climb->stage,
                   "this machine does not carry %.0f statements a second: the application sends %s", wanted,
                   unit_count_text((int64_t)climb->mix.rate, carried));
    return NULL;
}

static Err *run_busy(Arena *arena, Climb *climb, const ClimbBase *made)
{
    mix_make(arena, made->fill, climb->facts, climb->mains[0], climb->rate, &climb->mix);
    if (climb->mix.item_count == 0) {
        stage_note(climb->stage,
                   "no application is rehearsed: \"%s.%s\" has neither a key nor statistics of its use",
                   climb->mains[0]->schema, climb->mains[0]->name);
        return NULL;
    }
    TRY(settle_rate(climb, made));
    stage_say(climb->stage, "the plan with an application of %.0f statements a second in its way",
              climb->mix.rate);
    TRY(run_once(arena, climb, made, climb->row_count, false, &climb->mix, true, &climb->busy_plan));
    stage_say(climb->stage, "the same change as it is usually written, beside the same application");
    return run_once(arena, climb, made, climb->row_count, true, &climb->mix, false, &climb->busy_plain);
}

/* Beside the application, where there is one; the plan is not tried out again. */
static Err *run_fault(Arena *arena, Climb *climb, const ClimbBase *made, const ClimbSize *size)
{
    RunOptions options = *climb->run;
    options.plan.measured = options.plan.measured && climb->must_measure;
    options.plan.stands_for = (double)climb->mains[0]->rows / (double)size->row_count;
    const Trial *like = climb->mix.item_count > 0 ? &climb->busy_plan : &size->plan[0];
    TrialWish wish = {.stage = climb->stage,
                      .base = made->base,
                      .row_count = size->row_count,
                      .change = climb->change,
                      .options = &options,
                      .mix = climb->mix.item_count > 0 ? &climb->mix : NULL};
    stage_say(climb->stage, "the plan once more, killed half-way and gone on with");
    TRY(fault_run(arena, &wish, like->steps, like->step_count, &climb->fault));
    stage_say(climb->stage, "  %s",
              climb->fault.ordinal == 0 ? "it was over before it could be killed"
              : climb->fault.ready      ? "ready all the same"
                                        : "it does not get ready any more");
    return NULL;
}

Err *climb_climb(Arena *arena, Climb *climb)
{
    choose_sizes(climb);
    climb->must_measure = climb->stage->engine->always_measured;
    TRY(stage_hurry(climb->stage, true));
    for (size_t i = 0; i < climb->size_count; i++) {
        ClimbSize *size = &climb->sizes[i];
        bool greatest = i + 1 == climb->size_count;
        ClimbBase made = {0};
        TRY(base_make(arena, climb, size->row_count, &made));
        if (greatest)
            TRY(stage_compare(climb->stage, made.fill, made.tables, made.table_count, made.base,
                              &climb->comparison));
        TRY(run_alone(arena, climb, &made, size, greatest));
        if (greatest)
            TRY(run_busy(arena, climb, &made));
        if (greatest && climb->faults)
            TRY(run_fault(arena, climb, &made, size));
        TRY(stage_drop(climb->stage, made.base));
    }
    return NULL;
}
