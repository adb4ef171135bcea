/* A pass over the source in chunks: their sizes, who has which, and what must be done again. */
#include "run/shadow.h"

#include "base/clock.h"

#include <stdlib.h>

enum {
    CHUNK_ROWS_MIN = 200, /* fewer are not faster: each chunk waits for its commit */
    COPY_TIMES = 2,       /* a chunk that is copied may take so many times --chunk-time */
};

void pass_init(Pass *pass)
{
    *pass = (Pass){.size = SHADOW_FIRST_ROWS};
    if (pthread_mutex_init(&pass->cursor, NULL) != 0)
        abort();
}

static void chunk_free(Chunk *chunk)
{
    free(chunk->low);
    free(chunk->high);
    free(chunk);
}

void pass_reset(Pass *pass)
{
    for (Chunk *chunk = pass->parked, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        chunk_free(chunk);
    }
    free(pass->low);
    pass->low = NULL;
    pass->parked = NULL;
    pass->through = false;
    pass->rows = 0;
}

void pass_done(Pass *pass)
{
    pass_reset(pass);
    (void)pthread_mutex_destroy(&pass->cursor);
}

bool pass_is_through(const Pass *pass) { return pass->through && pass->parked == NULL; }

const char *pass_watermark(const Pass *pass) { return pass->parked != NULL ? pass->parked->low : pass->low; }

static char *dup_or_null(const char *text) { return text == NULL ? NULL : mem_dup(text); }

static void put(Chunk **at, Chunk *chunk)
{
    while (*at != NULL && (*at)->number < chunk->number)
        at = &(*at)->next;
    chunk->next = *at;
    *at = chunk;
}

static void park(ShadowRun *run, Pass *pass, Chunk *chunk)
{
    chunk->turn = run->turn;
    chunk->tries++;
    put(&pass->parked, chunk);
}

/* With the run's lock: the chunk is with a worker. */
static Chunk *fly(Pass *pass, Chunk *chunk)
{
    if (chunk != NULL)
        put(&pass->flying, chunk);
    return chunk;
}

static void land(Pass *pass, Chunk *chunk)
{
    Chunk **at = &pass->flying;
    while (*at != NULL && *at != chunk)
        at = &(*at)->next;
    if (*at == chunk)
        *at = chunk->next;
}

/* One that was tried in an earlier turn. */
static Chunk *take_parked(ShadowRun *run, Pass *pass)
{
    pthread_mutex_lock(&run->lock);
    Chunk **at = &pass->parked;
    while (*at != NULL && (*at)->turn == run->turn)
        at = &(*at)->next;
    Chunk *chunk = *at;
    if (chunk != NULL)
        *at = chunk->next;
    (void)fly(pass, chunk);
    pthread_mutex_unlock(&run->lock);
    return chunk;
}

static Err *take_next(Worker *worker, Pass *pass, Chunk **ret_chunk)
{
    ShadowRun *run = worker->run;
    Wait wait = shadow_worker_wait(worker, JOURNAL_TIMEOUT_MS);
    Range range = {0};
    bool done = pass->through;
    if (done)
        return NULL;
    pthread_mutex_lock(&run->lock);
    int64_t size = pass->size;
    pthread_mutex_unlock(&run->lock);
    TRY(run->ops->next(worker->conn, &wait, worker->arena, run->spec,
                       pass == &run->copy ? SHADOW_COPIES : SHADOW_COMPARES, pass->low, size, &range, &done));
    pthread_mutex_lock(&run->lock);
    pass->through = done || range.high == NULL;
    /* Behind the source's last row the shadow may still have some: that is compared, too. */
    if (!done || pass == &run->compare) {
        Chunk *chunk = mem_zero(sizeof *chunk);
        chunk->number = ++pass->numbers;
        chunk->low = dup_or_null(range.low);
        chunk->high = dup_or_null(range.high);
        free(pass->low);
        pass->low = dup_or_null(range.high);
        *ret_chunk = fly(pass, chunk);
    }
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

Err *pass_take(Worker *worker, Pass *pass, Chunk **ret_chunk)
{
    *ret_chunk = take_parked(worker->run, pass);
    if (*ret_chunk != NULL)
        return NULL;
    pthread_mutex_lock(&pass->cursor);
    Err *err = take_next(worker, pass, ret_chunk);
    pthread_mutex_unlock(&pass->cursor);
    return err;
}

/* Slowly up, at once down. */
static void resize(ShadowRun *run, Pass *pass, int64_t rows, int64_t took_ms)
{
    int64_t target_ms = control_settings(run->runner).chunk_time_ms, size = pass->size;
    if (pass == &run->copy) /* the application waits for nothing that a copying transaction holds */
        target_ms *= COPY_TIMES;
    if (took_ms > target_ms * 2)
        size = size * target_ms / took_ms;
    else if (took_ms > target_ms)
        size = size * 3 / 4;
    else if (rows * 2 >= size) /* it was about as large as was asked for */
        size = took_ms * 3 < target_ms * 2 ? size * 3 / 2 : size + size / 20;
    size = size < CHUNK_ROWS_MIN ? CHUNK_ROWS_MIN : size;
    pass->size = size > run->rows_max ? run->rows_max : size;
}

/* While workers are at it: what lies below is done. */
static const char *done_up_to(const Pass *pass)
{
    const Chunk *first = pass->flying;
    if (first == NULL || (pass->parked != NULL && pass->parked->number < first->number))
        first = pass->parked;
    return first != NULL ? first->low : pass->low;
}

Err *pass_follow(Worker *worker, const Pass *ahead, Pass *pass, Chunk **ret_chunk)
{
    ShadowRun *run = worker->run;
    *ret_chunk = take_parked(run, pass);
    if (*ret_chunk != NULL)
        return NULL;
    pthread_mutex_lock(&run->lock);
    bool end = pass_is_through(ahead) && ahead->flying == NULL;
    const char *low = end ? NULL : done_up_to(ahead);
    if (!pass->through && (end || (low != NULL && !str_eq(low, pass->low)))) {
        Chunk *chunk = mem_zero(sizeof *chunk);
        chunk->number = ++pass->numbers;
        chunk->low = dup_or_null(pass->low);
        chunk->high = dup_or_null(low);
        free(pass->low);
        pass->low = dup_or_null(low);
        pass->through = end;
        *ret_chunk = fly(pass, chunk);
    }
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

void pass_give(Worker *worker, Pass *pass, Chunk *chunk, const Err *err, int64_t rows, int64_t took_ms)
{
    ShadowRun *run = worker->run;
    if (pass == &run->copy)
        tally_batch(&run->runner->tally, run->ordinal, err, rows, took_ms * 1000);
    pthread_mutex_lock(&run->lock);
    resize(run, pass, rows, took_ms);
    land(pass, chunk);
    run->busy_ms += took_ms;
    if (err == NULL) {
        pass->rows += rows;
        run->turn_done += rows + 1; /* an empty chunk is progress, too */
        chunk_free(chunk);
    } else {
        park(run, pass, chunk);
    }
    pthread_cond_broadcast(&run->wake); /* whoever follows may go on */
    pthread_mutex_unlock(&run->lock);
}
