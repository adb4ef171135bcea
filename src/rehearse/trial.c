/* A change on a copy, watched. */
#include "rehearse/trial.h"

#include "base/clock.h"
#include "base/str.h"

#include <pthread.h>
#include <string.h>

enum {
    ALONE_STALL_MS = 5000,
    BUSY_LOCK_WAIT_MS = 60000,
    CALM_MS = 2000,
    SAMPLE_MS = 20,
    SIZE_EVERY = 10,
    WARM_MS = 1000,
    BEFORE_MS = 2000,
    SETTLE_MS = 500,
    READ_MS = 10000
};

/* What goes on in the database while the change is made. */
typedef struct Watch {
    const TrialWish *wish;
    Arena *arena;
    Conn *meter; /* of the working thread */
    Conn *eyes;  /* of the sampling one */
    Wait wait;
    Load *load; /* NULL */
    Trial *trial;
    VEC(TrialStep) steps;
    const Plan *plan;
    int64_t begun_us, begun_log; /* of the step at hand */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    bool ending;
    int blocked, blocked_most;
    int64_t temp_bytes, first_bytes, most_bytes;
} Watch;

/* ---- sampling ------------------------------------------------------------------------------- */

static void sample(Watch *watch, Arena *arena, int64_t round)
{
    const RehearseEngine *engine = watch->wish->stage->engine;
    Rows rows = {0}, sizes = {0};
    Err *err = conn_query(watch->eyes, &watch->wait, arena, &rows, engine->waiting_sql);
    if (err == NULL && round % SIZE_EVERY == 0)
        err = conn_query(watch->eyes, &watch->wait, arena, &sizes, engine->counters_sql);
    if (err == NULL) {
        pthread_mutex_lock(&watch->lock);
        int blocked = (int)rows_int(&rows, 0, 0);
        int64_t temp = rows_int(&rows, 0, 1), bytes = sizes.row_count > 0 ? rows_int(&sizes, 0, 0) : 0;
        watch->blocked = blocked > watch->blocked ? blocked : watch->blocked;
        watch->blocked_most = blocked > watch->blocked_most ? blocked : watch->blocked_most;
        watch->temp_bytes = temp > watch->temp_bytes ? temp : watch->temp_bytes;
        watch->most_bytes = bytes > watch->most_bytes ? bytes : watch->most_bytes;
        watch->first_bytes = watch->first_bytes == 0 ? bytes : watch->first_bytes;
        pthread_mutex_unlock(&watch->lock);
    }
    err_free(err); /* one look less */
}

static void *sample_main(void *context)
{
    Watch *watch = context;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (int64_t round = 0;; round++) {
        pthread_mutex_lock(&watch->lock);
        bool ending = watch->ending;
        pthread_mutex_unlock(&watch->lock);
        if (ending)
            return NULL;
        arena_clear(arena);
        sample(watch, arena, round);
        stop_sleep(NULL, SAMPLE_MS);
    }
}

/* ---- the plan's steps ----------------------------------------------------------------------- */

static int64_t log_now(Watch *watch)
{
    int64_t bytes = 0;
    err_free(watch->wish->stage->wish.ops->log_bytes(watch->meter, &watch->wait, watch->arena, &bytes));
    return bytes;
}

static const Step *step_of(const Plan *plan, int ordinal)
{
    for (size_t i = 0; plan != NULL && i < plan->step_count; i++)
        if (plan->steps[i].ordinal == ordinal)
            return &plan->steps[i];
    return NULL;
}

static void step_begins(Watch *watch, const Event *event)
{
    LoadReport rest;
    watch->begun_log = log_now(watch);
    if (watch->load != NULL) {
        load_mark(watch->load, &rest);
        if (rest.max_ms > watch->trial->during.max_ms)
            watch->trial->during.max_ms = rest.max_ms; /* in between two steps */
        watch->trial->during.errors += rest.errors;
    }
    pthread_mutex_lock(&watch->lock);
    watch->blocked = 0;
    watch->temp_bytes = 0;
    pthread_mutex_unlock(&watch->lock);
    const Step *step = step_of(watch->plan, event->step);
    *vec_push(watch->arena, &watch->steps) =
        (TrialStep){.ordinal = event->step,
                    .phase = step == NULL ? "" : phase_name(step->phase),
                    .kind = step == NULL ? "" : step_kinds[step->kind].name,
                    .title = step == NULL ? arena_dup(watch->arena, event->text) : step->title,
                    .lock = step == NULL ? "" : step->lock};
    watch->begun_us = clock_us();
}

static void step_ends(Watch *watch)
{
    TrialStep *step = &watch->steps.items[watch->steps.len - 1];
    step->seconds = (double)(clock_us() - watch->begun_us) / 1e6;
    step->wal_bytes = log_now(watch) - watch->begun_log;
    watch->trial->seconds += step->seconds;
    watch->trial->wal_bytes += step->wal_bytes;
    if (watch->load != NULL)
        load_mark(watch->load, &step->latency);
    pthread_mutex_lock(&watch->lock);
    step->blocked = watch->blocked;
    step->temp_bytes = watch->temp_bytes;
    pthread_mutex_unlock(&watch->lock);
}

static void on_event(void *context, const Event *event)
{
    Watch *watch = context;
    TrialStep *last = watch->steps.len == 0 ? NULL : &watch->steps.items[watch->steps.len - 1];
    if (str_eq(event->kind, "step_started") && (last == NULL || last->ordinal != event->step))
        step_begins(watch, event);
    else if (str_eq(event->kind, "step_done") && last != NULL && last->ordinal == event->step)
        step_ends(watch);
    else if (str_eq(event->kind, "lock_blocked") && last != NULL)
        last->lock_waits++;
}

static bool on_plan(void *context, const Plan *plan)
{
    Watch *watch = context;
    watch->plan = plan;
    watch->trial->plan_digest = arena_dup(watch->arena, plan->plan_digest);
    watch->trial->strategy = arena_dup(watch->arena, plan->strategy);
    return true;
}

void trial_options(const TrialWish *wish, const char *database, RunOptions *ret_options)
{
    RunOptions options = *wish->options;
    options.target = stage_target(wish->stage, database);
    options.stop = (Stop *)(uintptr_t)wish->stage->wish.stop;
    options.observer = (Observer){0};
    options.until = -1;
    options.expect = NULL;
    options.plan.replicas = NULL;
    options.plan.replica_count = 0;
    options.plan.replicas_given = true;
    options.database_label = "the rehearsal";
    /* With nobody in the way a slow moment of this machine is no stall. */
    if (wish->mix == NULL && options.controls.max_stall_ms < ALONE_STALL_MS)
        options.controls.max_stall_ms = ALONE_STALL_MS;
    /* A lock that is not to be had for so long beside the application is what is to be said. */
    if (wish->mix != NULL && options.controls.lock_wait_ms > BUSY_LOCK_WAIT_MS)
        options.controls.lock_wait_ms = BUSY_LOCK_WAIT_MS;
    *ret_options = options;
}

static Err *by_plan(Watch *watch, const char *database)
{
    const TrialWish *wish = watch->wish;
    RunOptions options;
    Change change = *wish->change;
    RunSummary summary = {0};
    trial_options(wish, database, &options);
    options.observer = (Observer){.event = on_event, .context = watch};
    Err *err = run_apply(&options, watch->arena, &change, on_plan, watch, &summary);
    if (wish->mix == NULL || !err_is(err, ERR_LOCK_BUDGET))
        return err;
    CLEANUP(mem_freep) char *text = err_text(err); /* which is what a rehearsal is for */
    watch->trial->error = arena_dup(watch->arena, text);
    err_free(err);
    return NULL;
}

/* ---- the plain way -------------------------------------------------------------------------- */

static Err *by_hand(Watch *watch, const char *database)
{
    const char *const *sql = NULL;
    size_t count = 0;
    CLEANUP(conn_closep) Conn *conn = NULL;
    plain_statements(watch->arena, watch->wish->stage->engine, watch->wish->change, &sql, &count);
    TRY(stage_connect(watch->wish->stage, database, &conn));
    int64_t begun_us = clock_us(), begun_log = log_now(watch);
    Err *err = NULL;
    Wait wait = {.stop = watch->wish->stage->wish.stop};
    for (size_t i = 0; i < count && err == NULL; i++)
        err = conn_exec(conn, &wait, sql[i]);
    watch->trial->seconds = (double)(clock_us() - begun_us) / 1e6;
    watch->trial->wal_bytes = log_now(watch) - begun_log;
    if (err == NULL || err->kind == ERR_STOPPED || err->kind == ERR_CONN_LOST)
        return err;
    CLEANUP(mem_freep) char *text = err_text(err);
    watch->trial->error = arena_dup(watch->arena, text);
    err_free(err);
    return NULL;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void load_freep(Load **load) { load_free(*load); }

Err *trial_application(const TrialWish *wish, const char *database, Load **ret_load)
{
    LoadConfig config = {.ops = wish->stage->wish.ops,
                         .target = stage_target(wish->stage, database),
                         .table = "",
                         .profile = LOAD_MIX,
                         .rate = wish->mix->rate,
                         .items = wish->mix->items,
                         .item_count = wish->mix->item_count,
                         .row_count = wish->row_count,
                         .application = REHEARSE_APPLICATION,
                         .seed = 1};
    return load_start(&config, ret_load);
}

/* The worst of all spans, and the sum of their errors. */
static void during_add(LoadReport *during, const LoadReport *span)
{
    during->max_ms = span->max_ms > during->max_ms ? span->max_ms : during->max_ms;
    during->p99_ms = span->p99_ms > during->p99_ms ? span->p99_ms : during->p99_ms;
    during->p50_ms = span->p50_ms > during->p50_ms ? span->p50_ms : during->p50_ms;
    during->count += span->count;
    during->errors += span->errors;
    if (during->first_error[0] == '\0')
        memcpy(during->first_error, span->first_error, sizeof during->first_error);
}

static Err *measure(Watch *watch, const char *database)
{
    Trial *trial = watch->trial;
    const Stop *stop = watch->wish->stage->wish.stop;
    LoadReport span;
    if (watch->load != NULL) {
        stop_sleep(stop, WARM_MS);
        load_mark(watch->load, &span);
        stop_sleep(stop, BEFORE_MS);
        load_mark(watch->load, &trial->before);
        TRY(stop_check(stop));
    }
    if (pthread_create(&watch->thread, NULL, sample_main, watch) != 0)
        return err_new(ERR_IO, "cannot start a thread");
    Err *err = watch->wish->plain ? by_hand(watch, database) : by_plan(watch, database);
    if (watch->load != NULL && err == NULL)
        stop_sleep(stop, SETTLE_MS + (watch->wish->plain ? (int64_t)(trial->seconds * 200) : 0));
    pthread_mutex_lock(&watch->lock);
    watch->ending = true;
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    if (watch->load != NULL) {
        load_mark(watch->load, &span);
        during_add(&trial->during, &span);
        for (size_t i = 0; i < watch->steps.len; i++)
            during_add(&trial->during, &watch->steps.items[i].latency);
    }
    trial->steps = watch->steps.items;
    trial->step_count = watch->steps.len;
    trial->blocked = watch->blocked_most;
    trial->disk_bytes = watch->most_bytes - watch->first_bytes;
    return err;
}

static Err *run_on(Arena *arena, const TrialWish *wish, const char *database, Trial *trial)
{
    Watch watch = {.wish = wish, .arena = arena, .trial = trial, .wait = {.timeout_ms = READ_MS}};
    CLEANUP(conn_closep) Conn *meter = NULL;
    CLEANUP(conn_closep) Conn *eyes = NULL;
    CLEANUP(load_freep) Load *load = NULL;
    Wait wait = {.stop = wish->stage->wish.stop};
    Rows rows = {0};
    TRY(stage_connect(wish->stage, database, &meter));
    TRY(stage_connect(wish->stage, database, &eyes));
    TRY(conn_exec(meter, &wait, wish->stage->engine->rest_sql));
    watch.meter = meter;
    watch.eyes = eyes;
    if (wish->mix != NULL)
        TRY(trial_application(wish, database, &load));
    watch.load = load;
    pthread_mutex_init(&watch.lock, NULL);
    Err *err = measure(&watch, database);
    pthread_mutex_destroy(&watch.lock);
    if (load != NULL)
        err_free(load_stop(load, NULL));
    TRY(err);
    TRY(conn_query(meter, &wait, arena, &rows, wish->stage->engine->counters_sql));
    trial->temp_bytes = rows_int(&rows, 0, 1);
    return NULL;
}

Err *trial_run(Arena *arena, const TrialWish *wish, Trial *ret_trial)
{
    Stage *stage = wish->stage;
    const char *database = stage_trial_name(stage, wish->plain ? "plain" : "plan");
    Trial trial = {.row_count = wish->row_count};
    TRY(stage_copy(stage, database, wish->base));
    TRY(stage_hurry(stage, false));
    TRY(run_on(arena, wish, database, &trial));
    TRY(stage_hurry(stage, true));
    TRY(stage_drop(stage, database));
    *ret_trial = trial;
    return NULL;
}

Err *trial_calm(const TrialWish *wish, LoadReport *ret_report)
{
    Stage *stage = wish->stage;
    const char *database = stage_trial_name(stage, "calm");
    TRY(stage_copy(stage, database, wish->base));
    TRY(stage_hurry(stage, false));
    Load *load = NULL;
    LoadReport warm;
    TRY(trial_application(wish, database, &load));
    stop_sleep(stage->wish.stop, WARM_MS);
    load_mark(load, &warm);
    stop_sleep(stage->wish.stop, CALM_MS);
    load_mark(load, ret_report);
    load_free(load);
    TRY(stop_check(stage->wish.stop));
    TRY(stage_hurry(stage, true));
    return stage_drop(stage, database);
}
