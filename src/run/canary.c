/* A point read of ours. */
#include "run/canary.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    EVERY_MS = 100,
    WINDOW = 50, /* reads that count: five seconds */
    FEWEST = 10,
    USUAL_READS = 100, /* before the work */
    USUAL_EVERY_MS = 10,
    ANSWER_MS = 3000, /* no answer counts as so long */
    STALE_MS = 5000,
    AGAIN_MS = 1000,
};

/* Below this a read is as fast as it can be seen from here, and twice that is nothing that anybody feels. */
static const double LEAST_MS = 0.2;

struct CanaryWatch {
    const Runner *runner;
    pthread_t thread;
    bool started;
    Stop stop;
    pthread_mutex_t lock;
    /* Guarded by lock. */
    double reads[WINDOW];
    size_t count, next;
    double usual_ms;
    int64_t at_ms;
    char table[120], why[160];
    /* The thread's own. */
    Conn *conn;
    Arena *arena; /* of `canary` */
    Canary canary;
    double usual[USUAL_READS];
    size_t usual_count;
};

static const char *point_of(Arena *arena, const Canary *canary)
{
    uint64_t high = (uint64_t)random() << 32 | (uint64_t)random(),
             low = (uint64_t)random() << 32 | (uint64_t)random();
    if (canary->key == CANARY_INTEGER) {
        uint64_t span = (uint64_t)canary->high - (uint64_t)canary->low;
        uint64_t step = span == UINT64_MAX ? high : high % (span + 1);
        return arena_printf(arena, "%lld", (long long)((uint64_t)canary->low + step));
    }
    if (canary->key == CANARY_UUID)
        return arena_printf(arena, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                            (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff), (unsigned)(low >> 48),
                            (unsigned long long)(low & 0xffffffffffff));
    return arena_printf(arena, "%08x", (unsigned)(low >> 32));
}

/* The first table of the plan that can be read so. */
static Err *find_table(CanaryWatch *watch, const Wait *wait)
{
    const Runner *runner = watch->runner;
    arena_clear(watch->arena);
    for (size_t i = 0; i < runner->plan.step_count; i++) {
        Name table = runner->plan.steps[i].table;
        if (table.name == NULL)
            continue;
        TRY(runner->ops->canary(watch->conn, wait, watch->arena, table.schema, table.name, &watch->canary));
        if (watch->canary.sql == NULL)
            continue;
        pthread_mutex_lock(&watch->lock);
        (void)snprintf(watch->table, sizeof watch->table, "%s.%s", table.schema != NULL ? table.schema : "",
                       table.name);
        pthread_mutex_unlock(&watch->lock);
        return NULL;
    }
    return err_new(ERR_USAGE, "no table of the change has a primary key to read a row by");
}

static Err *read_once(CanaryWatch *watch, double *ret_ms)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const Wait wait = {.stop = &watch->stop, .timeout_ms = ANSWER_MS, .abandon = true};
    Rows rows = {0};
    if (watch->conn == NULL)
        TRY(watch->runner->ops->connect(&watch->runner->options->target, "canary", &wait, &watch->conn));
    if (watch->canary.sql == NULL)
        TRY(find_table(watch, &wait));
    const char *point = point_of(arena, &watch->canary);
    int64_t from = clock_us();
    TRY(watch->runner->ops->query(watch->conn, &wait, arena, watch->canary.sql,
                                  watch->canary.key != CANARY_FIRST, &point, &rows));
    *ret_ms = (double)(clock_us() - from) / 1000;
    return NULL;
}

static void take(CanaryWatch *watch, double ms)
{
    pthread_mutex_lock(&watch->lock);
    watch->at_ms = clock_ms();
    watch->why[0] = '\0';
    if (watch->usual_count < USUAL_READS) {
        watch->usual[watch->usual_count++] = ms;
        if (watch->usual_count == USUAL_READS) {
            double usual_ms = load_canary_ms(watch->usual, USUAL_READS);
            watch->usual_ms = usual_ms > LEAST_MS ? usual_ms : LEAST_MS;
        }
    } else {
        watch->reads[watch->next] = ms;
        watch->next = (watch->next + 1) % WINDOW;
        watch->count += watch->count < WINDOW;
    }
    pthread_mutex_unlock(&watch->lock);
}

static void *canary_main(void *argument)
{
    CanaryWatch *watch = argument;
    while (stop_level(&watch->stop) == STOP_NONE) {
        double ms = 0;
        int64_t from = clock_ms();
        Err *err = read_once(watch, &ms);
        bool late = err_is(err, ERR_CONN_LOST) && clock_ms() - from >= ANSWER_MS;
        if (err == NULL || late)
            take(watch, late ? ANSWER_MS : ms);
        if (err != NULL && !late) {
            pthread_mutex_lock(&watch->lock);
            (void)snprintf(watch->why, sizeof watch->why, "%s", err_root(err)->msg);
            pthread_mutex_unlock(&watch->lock);
            watch->canary.sql = NULL; /* the table may have become another one */
        }
        if (err != NULL)
            conn_closep(&watch->conn);
        stop_sleep(&watch->stop, err != NULL && !late               ? AGAIN_MS
                                 : watch->usual_count < USUAL_READS ? USUAL_EVERY_MS
                                                                    : EVERY_MS);
        err_free(err);
    }
    conn_closep(&watch->conn);
    return NULL;
}

Err *canary_start(const Runner *runner, CanaryWatch **ret_watch)
{
    CanaryWatch *watch = mem_zero(sizeof *watch);
    watch->runner = runner;
    Err *err = stop_init(&watch->stop);
    if (err == NULL && pthread_mutex_init(&watch->lock, NULL) != 0)
        err = err_new(ERR_BUG, "cannot make a mutex");
    if (err != NULL) {
        free(watch);
        return err;
    }
    watch->arena = arena_new();
    watch->started = pthread_create(&watch->thread, NULL, canary_main, watch) == 0;
    *ret_watch = watch;
    return NULL;
}

CanarySeen canary_seen(CanaryWatch *watch)
{
    CanarySeen seen = {0};
    double reads[WINDOW];
    pthread_mutex_lock(&watch->lock);
    memcpy(reads, watch->reads, sizeof reads);
    size_t count = watch->count;
    int64_t age_ms = clock_ms() - watch->at_ms;
    seen.known = watch->usual_ms > 0 && watch->why[0] == '\0' && age_ms < STALE_MS;
    if (seen.known)
        (void)snprintf(seen.text, sizeof seen.text, "point reads of %s", watch->table);
    else if (watch->why[0] != '\0')
        (void)snprintf(seen.text, sizeof seen.text, "%s", watch->why);
    else
        (void)snprintf(seen.text, sizeof seen.text, "%s",
                       watch->usual_ms > 0 ? "no answer to a point read"
                                           : "what a point read usually takes is not known yet");
    double usual_ms = watch->usual_ms;
    pthread_mutex_unlock(&watch->lock);
    if (seen.known && count >= FEWEST)
        seen.ratio = load_canary_ms(reads, count) / usual_ms;
    return seen;
}

void canary_free(CanaryWatch *watch)
{
    if (watch == NULL)
        return;
    stop_raise(&watch->stop, STOP_NOW, 0);
    if (watch->started)
        (void)pthread_join(watch->thread, NULL);
    stop_done(&watch->stop);
    (void)pthread_mutex_destroy(&watch->lock);
    arena_free(watch->arena);
    free(watch);
}
