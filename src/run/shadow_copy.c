/* Copying: turns of chunks, and between them turns that bring over what was captured meanwhile. */
#include "run/shadow.h"

#include "base/clock.h"
#include "base/failpoint.h"

enum {
    TURN_CHUNKS = 24,      /* a copy turn lasts for about so many times --chunk-time */
    SETTLE_ROWS = 500,     /* that differed are looked at again before the end */
    CHUNK_TIMES_MAX = 20,  /* a chunk that takes so many times --chunk-time is cancelled */
    CHUNK_LIMIT_MS = 2000, /* but never sooner */
    APPLY_SHARE_MAX = 4,   /* applying takes at most so many times as long as copying */
};

static Err *copy_chunk(Worker *worker, Chunk *chunk)
{
    ShadowRun *run = worker->run;
    int64_t limit_ms = control_settings(run->runner).chunk_time_ms * CHUNK_TIMES_MAX;
    limit_ms = (limit_ms < CHUNK_LIMIT_MS ? CHUNK_LIMIT_MS : limit_ms)
               << (chunk->tries > 5 ? 5 : chunk->tries);
    Wait wait = shadow_worker_wait(worker, limit_ms);
    int64_t rows = 0, from = clock_ms();
    KeyList displaced = {0};
    Err *err = failpoint_at("copy_before");
    if (err == NULL)
        err = run->ops->copy(worker->conn, &wait, worker->arena, run->spec,
                             &(Range){.low = chunk->low, .high = chunk->high}, &rows, &displaced);
    if (err == NULL)
        err = failpoint_at("copy_after");
    pthread_mutex_lock(&run->lock);
    keys_owe(run->keys, NULL, 0, &displaced);
    run->settle = run->settle || err_is(err, ERR_SERIALIZE);
    pthread_mutex_unlock(&run->lock);
    pass_give(worker, &run->copy, chunk, err, rows, clock_ms() - from);
    return err;
}

static size_t copiers(const ShadowRun *run) { return run->spec->one_writer ? 1 : SHADOW_WORKERS; }

/* The last worker compares what the others have copied. */
static Err *copy_task(Worker *worker)
{
    if (worker->number >= copiers(worker->run))
        return shadow_follow(worker);
    while (!shadow_turn_over(worker)) {
        Chunk *chunk = NULL;
        arena_clear(worker->arena);
        TRY(pass_take(worker, &worker->run->copy, &chunk));
        if (chunk == NULL)
            return NULL;
        TRY(copy_chunk(worker, chunk));
    }
    return NULL;
}

/* As much time for applying as for copying, and more while the backlog grows: copying keeps a fifth. */
static Err *apply_share(ShadowRun *run, int64_t copied_ms)
{
    size_t before = run->backlog;
    int64_t budget_ms = (copied_ms > 50 ? copied_ms : 50) * (int64_t)run->share;
    TRY(shadow_apply_turn(run, budget_ms));
    if (run->backlog > before && run->backlog > 1000 && run->share < APPLY_SHARE_MAX)
        run->share++;
    else if (run->backlog == 0 && run->share > 1)
        run->share--;
    return NULL;
}

static Err *copy_some(ShadowRun *run)
{
    TRY(shadow_gate(run));
    if (run->settle) {
        run->settle = false;
        TRY(shadow_catch_up(run));
    }
    int64_t from = clock_ms();
    int64_t until = from + control_settings(run->runner).chunk_time_ms * TURN_CHUNKS;
    Err *err = shadow_turn(run, copy_task, copiers(run) + run->follows, until);
    TRY(shadow_forgive(run, err));
    if (!shadow_stays(run))
        TRY(apply_share(run, clock_ms() - from));
    if (run->suspect_count > SETTLE_ROWS)
        TRY(shadow_settle(run));
    if (pass_is_through(&run->copy)) {
        if (shadow_stays(run))
            TRY(shadow_all_copied(run));
        TRY(shadow_catch_up(run));
        bool still = pass_is_through(&run->copy); /* the source was not emptied meanwhile */
        run->copied = still;
        TRY(shadow_save(run));
    }
    TRY(shadow_save_if_due(run));
    shadow_report(run, &run->copy);
    return NULL;
}

Err *shadow_until_copied(ShadowRun *run)
{
    if (run->share == 0)
        run->share = 1;
    run->follows = !shadow_stays(run) && str_eq(pass_watermark(&run->copy), pass_watermark(&run->compare));
    while (!run->copied)
        TRY(copy_some(run));
    return NULL;
}
