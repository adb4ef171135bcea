/* The reading thread: takes captured keys over into memory, waits while there are too many, and tells when it
 * has come to a mark. */
#include "run/shadow.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    READ_KEYS = 2000, /* at most about so many at once */
    READ_WAIT_MS = 50,
    READ_HURRY_MS = 2,   /* while somebody waits for a mark */
    APPLIED_MS = 200,    /* the engine is told so often what is applied */
    OPEN_AGAIN_MS = 250, /* after a lost stream; doubled each time */
    OPEN_TRIES = 6,
};

typedef struct Reader {
    ShadowRun *run;
    Arena *arena;
    char *position; /* behind what was read last */
    char *told;     /* what the engine knows to be applied */
    int64_t told_at_ms;
} Reader;

static void keep(char **slot, const char *text)
{
    char *copy = text == NULL ? NULL : mem_dup(text);
    free(*slot);
    *slot = copy;
}

static void wait_a_while(ShadowRun *run, int64_t until_ms)
{
    int64_t ms = until_ms - clock_ms();
    if (ms <= 0)
        return;
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&run->wake, &run->lock, &at);
}

/* How long to wait for the next batch; -1: the run ends. Waits itself while no more keys fit. */
static int64_t may_read(ShadowRun *run)
{
    pthread_mutex_lock(&run->lock);
    while (stop_level(&run->quit) == STOP_NONE && keys_full(run->keys))
        wait_a_while(run, clock_ms() + 100);
    bool hurry = run->hurry || (run->mark != NULL && !run->reached);
    pthread_mutex_unlock(&run->lock);
    return stop_level(&run->quit) != STOP_NONE ? -1 : hurry ? READ_HURRY_MS : READ_WAIT_MS;
}

/* Behind a RENAME of ours: the way back reads on from where the table was locked. */
static bool is_own_swap(const ShadowRun *run, const Captured *batch)
{
    return run->back && batch->altered != NULL && strstr(batch->altered, run->spec->old) != NULL &&
           strstr(batch->altered, run->spec->shadow) != NULL;
}

static void take_over(Reader *reader, const Captured *batch)
{
    ShadowRun *run = reader->run;
    bool altered = batch->altered != NULL && !is_own_swap(run, batch), hold = batch->emptied || altered;
    pthread_mutex_lock(&run->lock);
    if (batch->keys.count > 0 || hold || !str_eq(batch->position, reader->position)) {
        uint64_t number = keys_batch(run->keys, &batch->keys, batch->position, hold);
        if (batch->emptied) {
            run->emptied = true;
            run->emptied_number = number;
        }
        if (altered && run->altered == NULL)
            run->altered = mem_dup(batch->altered);
    }
    run->behind_ms = batch->behind_ms;
    run->behind_bytes = batch->behind_bytes;
    if (run->mark != NULL && !run->reached && run->ops->capture_reached(run->capture, run->mark)) {
        run->reached = true;
        run->reached_number = keys_number(run->keys);
    }
    pthread_cond_broadcast(&run->wake);
    pthread_mutex_unlock(&run->lock);
    if (batch->position != NULL)
        keep(&reader->position, batch->position);
}

/* The engine may forget what is applied. */
static Err *tell_applied(Reader *reader)
{
    ShadowRun *run = reader->run;
    if (clock_ms() - reader->told_at_ms < APPLIED_MS)
        return NULL;
    pthread_mutex_lock(&run->lock);
    const char *now = keys_position(run->keys);
    bool news = !run->swapping && now != NULL && !str_eq(now, reader->told);
    if (news)
        keep(&reader->told, now);
    pthread_mutex_unlock(&run->lock);
    reader->told_at_ms = news ? clock_ms() : reader->told_at_ms;
    Wait wait = {.stop = &run->quit, .timeout_ms = JOURNAL_TIMEOUT_MS};
    return news ? run->ops->capture_applied(run->capture, &wait, reader->told) : NULL;
}

static Err *read_all(Reader *reader)
{
    ShadowRun *run = reader->run;
    for (;;) {
        int64_t timeout_ms = may_read(run);
        if (timeout_ms < 0)
            return NULL;
        arena_clear(reader->arena);
        Wait wait = {.stop = &run->quit, .timeout_ms = timeout_ms};
        Captured batch = {.behind_ms = -1, .behind_bytes = -1};
        TRY(run->ops->capture_next(run->capture, &wait, reader->arena, READ_KEYS, &batch));
        take_over(reader, &batch);
        TRY(tell_applied(reader));
    }
}

/* A stream that broke goes on behind the last batch: its keys are all here. */
static Err *open_again(Reader *reader)
{
    ShadowRun *run = reader->run;
    for (int tries = 0;; tries++) {
        if (run->capture != NULL)
            run->ops->capture_close(run->capture);
        run->capture = NULL;
        stop_sleep(&run->quit, OPEN_AGAIN_MS << tries);
        TRY(stop_check(&run->quit));
        Wait wait = {.stop = &run->quit, .timeout_ms = JOURNAL_TIMEOUT_MS};
        Err *err = run->ops->capture_open(&run->runner->options->target, &wait, run->spec, reader->position,
                                          &run->capture);
        bool again = err_is(err, ERR_CONNECT) || (err != NULL && err_is_transient(err));
        if (!again || tries >= OPEN_TRIES)
            return err;
        err_free(err);
    }
}

static void *reader_main(void *argument)
{
    ShadowRun *run = argument;
    Reader reader = {.run = run, .arena = arena_new(), .position = mem_dup(run->begun_at)};
    Err *err = read_all(&reader);
    while (err != NULL && err_is_transient(err) && stop_level(&run->quit) == STOP_NONE) {
        log_line(LOG_DEBUG, "capture: %s", err->msg);
        err_free(err);
        err = open_again(&reader);
        if (err == NULL)
            err = read_all(&reader);
    }
    if (stop_level(&run->quit) != STOP_NONE) {
        err_free(err);
        err = NULL;
    }
    pthread_mutex_lock(&run->lock);
    run->reader_err = err;
    pthread_cond_broadcast(&run->wake);
    pthread_mutex_unlock(&run->lock);
    free(reader.position);
    free(reader.told);
    arena_free(reader.arena);
    return NULL;
}

/* ---- for the working thread ----------------------------------------------------------------- */

Err *shadow_read_start(ShadowRun *run, const char *position)
{
    Wait wait = runner_wait(run->runner);
    if (shadow_stays(run)) {
        keep(&run->begun_at, position);
        return NULL;
    }
    TRY(run->ops->capture_open(&run->runner->options->target, &wait, run->spec, position, &run->capture));
    keep(&run->begun_at, position);
    TRY(stop_init(&run->quit));
    if (pthread_create(&run->reader, NULL, reader_main, run) != 0)
        return err_new(ERR_IO, "cannot start the thread that reads changes");
    run->reader_started = true;
    return NULL;
}

void shadow_read_stop(ShadowRun *run)
{
    if (run->reader_started) {
        stop_raise(&run->quit, STOP_NOW, 0);
        pthread_mutex_lock(&run->lock);
        pthread_cond_broadcast(&run->wake);
        pthread_mutex_unlock(&run->lock);
        (void)pthread_join(run->reader, NULL);
        stop_done(&run->quit);
    }
    run->reader_started = false;
    if (run->capture != NULL)
        run->ops->capture_close(run->capture);
    run->capture = NULL;
    err_free(run->reader_err);
    run->reader_err = NULL;
    keep(&run->mark, NULL);
    keep(&run->altered, NULL);
    run->reached = run->emptied = false;
}

Err *shadow_mark(ShadowRun *run, Conn *conn, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *mark = NULL;
    TRY(run->ops->capture_mark(conn, wait, arena, run->spec, &mark));
    pthread_mutex_lock(&run->lock);
    keep(&run->mark, mark);
    run->reached = false;
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

bool shadow_mark_reached(ShadowRun *run, uint64_t *ret_number)
{
    pthread_mutex_lock(&run->lock);
    bool reached = run->reached;
    *ret_number = run->reached_number;
    pthread_mutex_unlock(&run->lock);
    return reached;
}

void shadow_wait(ShadowRun *run, int64_t until_ms)
{
    pthread_mutex_lock(&run->lock);
    wait_a_while(run, until_ms);
    pthread_mutex_unlock(&run->lock);
}
