/* Replicas given by URL. */
#include "run/standby.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROUND_MS = 100,
    CONNECT_MS = 3000,
    AGAIN_MS = 500,       /* after a failed try to connect */
    STALE_MS = 1500,      /* an answer that is older says nothing of now */
    STATE_EVERY_MS = 500, /* who waits there is asked less often than how far it is */
};

typedef struct Watched {
    StandbyWatch *watch;
    size_t at; /* of Runner.standbys */
    pthread_t thread;
    bool started;
    StandbySeen seen; /* guarded by StandbyWatch.lock */
    /* The thread's own. */
    Conn *conn;
    Arena *arena;
    int64_t stated_ms, ended_before, ended_at_ms, connected_ms;
    StandbySeen draft;
} Watched;

struct StandbyWatch {
    const Runner *runner;
    pthread_mutex_t lock;
    Stop stop;
    int64_t beat_ms; /* guarded by lock */
    Watched *items;
    size_t count;
};

static bool is_url(const Runner *runner, size_t at)
{
    return strstr(runner->standbys[at].name, "://") != NULL;
}

bool standby_is_watched(const Runner *runner)
{
    for (size_t i = 0; i < runner->standby_count; i++)
        if (is_url(runner, i))
            return true;
    return false;
}

/* ---- the threads ---------------------------------------------------------------------------- */

/* Queries that were ended before we looked are nobody's of this change. */
static Err *ask_state(Watched *watched, const Wait *wait)
{
    const EngineOps *ops = watched->watch->runner->ops;
    int64_t waiting = -1, ended = -1, now = clock_ms();
    if (ops->standby_state == NULL || (watched->stated_ms != 0 && now - watched->stated_ms < STATE_EVERY_MS))
        return NULL;
    TRY(ops->standby_state(watched->conn, wait, watched->arena, &waiting, &ended));
    bool known = watched->stated_ms != 0;
    watched->stated_ms = now;
    watched->draft.waiting = waiting;
    if (known && ended > watched->ended_before) {
        bool fresh = watched->ended_at_ms != 0 && now - watched->ended_at_ms < STANDBY_CONFLICT_MS;
        watched->draft.ended = (fresh ? watched->draft.ended : 0) + ended - watched->ended_before;
        watched->ended_at_ms = now;
    } else if (now - watched->ended_at_ms >= STANDBY_CONFLICT_MS) {
        watched->draft.ended = ended < 0 ? -1 : 0;
    }
    watched->ended_before = ended;
    return NULL;
}

static Err *ask(Watched *watched)
{
    StandbyWatch *watch = watched->watch;
    const Runner *runner = watch->runner;
    const EngineOps *ops = runner->ops;
    if (watched->conn == NULL) {
        const Wait connect = {.stop = &watch->stop, .timeout_ms = CONNECT_MS, .abandon = true};
        TRY(runner_ask_standby(runner, watched->at, NULL, &connect, &watched->conn));
    }
    const Wait wait = {.stop = &watch->stop, .until_ms = clock_ms() + STANDBY_ANSWER_MS, .abandon = true};
    pthread_mutex_lock(&watch->lock);
    watched->draft.beat_ms = watch->beat_ms;
    pthread_mutex_unlock(&watch->lock);
    watched->draft.asked_ms = clock_ms();
    TRY(ops->beat_seen != NULL
            ? ops->beat_seen(watched->conn, &wait, watched->arena, &watched->draft.there)
            : ops->replay_bytes(watched->conn, &wait, watched->arena, &watched->draft.there));
    return ask_state(watched, &wait);
}

static void *watch_main(void *argument)
{
    Watched *watched = argument;
    StandbyWatch *watch = watched->watch;
    while (stop_level(&watch->stop) == STOP_NONE) {
        Err *err = ask(watched);
        bool beats = watch->runner->ops->beat != NULL;
        watched->draft.sampled = err == NULL && (!beats || watched->draft.beat_ms != 0);
        if (err == NULL && !watched->draft.sampled)
            (void)snprintf(watched->draft.why, sizeof watched->draft.why, "no heartbeat yet");
        if (err != NULL) {
            (void)snprintf(watched->draft.why, sizeof watched->draft.why, "%s", err->msg);
            conn_closep(&watched->conn);
        }
        pthread_mutex_lock(&watch->lock);
        watched->seen = watched->draft;
        pthread_mutex_unlock(&watch->lock);
        stop_sleep(&watch->stop, err == NULL ? ROUND_MS : AGAIN_MS);
        err_free(err);
        arena_clear(watched->arena);
    }
    conn_closep(&watched->conn);
    return NULL;
}

Err *standby_watch_start(const Runner *runner, StandbyWatch **ret_watch)
{
    StandbyWatch *watch = mem_zero(sizeof *watch);
    watch->runner = runner;
    Err *err = stop_init(&watch->stop);
    if (err == NULL && pthread_mutex_init(&watch->lock, NULL) != 0)
        err = err_new(ERR_BUG, "cannot make a mutex");
    if (err != NULL) {
        free(watch);
        return err;
    }
    *ret_watch = watch;
    watch->items = mem_zero((runner->standby_count + 1) * sizeof *watch->items);
    watch->count = runner->standby_count;
    for (size_t i = 0; i < watch->count; i++) {
        Watched *watched = &watch->items[i];
        *watched = (Watched){.watch = watch, .at = i, .draft = {.waiting = -1, .ended = -1}};
        if (!is_url(runner, i))
            continue;
        watched->arena = arena_new();
        watched->started = pthread_create(&watched->thread, NULL, watch_main, watched) == 0;
    }
    return NULL;
}

void standby_watch_free(StandbyWatch *watch)
{
    if (watch == NULL)
        return;
    stop_raise(&watch->stop, STOP_NOW, 0);
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->items[i].started)
            (void)pthread_join(watch->items[i].thread, NULL);
        arena_free(watch->items[i].arena);
    }
    stop_done(&watch->stop);
    (void)pthread_mutex_destroy(&watch->lock);
    free(watch->items);
    free(watch);
}

void standby_watch_beat(StandbyWatch *watch, int64_t beat_ms)
{
    pthread_mutex_lock(&watch->lock);
    watch->beat_ms = beat_ms;
    pthread_mutex_unlock(&watch->lock);
}

void standby_watch_settle(StandbyWatch *watch)
{
    enum { MOST_MS = 1000, LOOK_MS = 10 };
    int64_t until_ms = clock_ms() + MOST_MS;
    for (bool all = false; !all && clock_ms() < until_ms;) {
        all = true;
        for (size_t i = 0; i < watch->count; i++)
            all = all && (!is_url(watch->runner, i) || standby_watch_seen(watch, i).sampled);
        if (!all)
            stop_sleep(&watch->stop, LOOK_MS);
    }
}

StandbySeen standby_watch_seen(StandbyWatch *watch, size_t at)
{
    pthread_mutex_lock(&watch->lock);
    StandbySeen seen = watch->items[at].seen;
    pthread_mutex_unlock(&watch->lock);
    int64_t age_ms = clock_ms() - seen.asked_ms;
    if (seen.asked_ms == 0 && seen.why[0] == '\0')
        (void)snprintf(seen.why, sizeof seen.why, "no answer yet");
    else if (seen.sampled && age_ms > STALE_MS) {
        seen.sampled = false;
        (void)snprintf(seen.why, sizeof seen.why, "no answer for %.1f s", (double)age_ms / 1000);
    }
    return seen;
}

/* ---- before a lock -------------------------------------------------------------------------- */

/* Sessions of the server's own that replay are not in replay's way. */
static size_t leave_out_replay(Blocker *blockers, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!str_eq(blockers[i].user, "system user"))
            blockers[kept++] = blockers[i];
    return kept;
}

/* Nobody at all at first; later, where there is always somebody, only those who have been there for a while.
 */
static int64_t patience_ms(const StandbyAsk *ask, int64_t max_stall_ms)
{
    enum { STRICT = 50, LESS = 150, SHORT = 8, LONG = 2 };
    return ask->tries < STRICT ? 0 : ask->tries < LESS ? max_stall_ms / SHORT : max_stall_ms / LONG;
}

static StandbyFound judge(const Blocker *blockers, size_t count, const StandbyAsk *ask, int64_t max_stall_ms,
                          char *who)
{
    if (blockers_text(blockers, count, max_stall_ms / 2, who))
        return STANDBY_HELD;
    return blockers_text(blockers, count, patience_ms(ask, max_stall_ms), who) ? STANDBY_BUSY : STANDBY_FREE;
}

static Err *look_at(Runner *runner, Conn *conn, Arena *arena, const StandbyAsk *ask, StandbyFound *ret_found,
                    char *who)
{
    enum { QUICK_SHARE = 4 };
    const EngineOps *ops = runner->ops;
    int64_t max_stall_ms = control_settings(runner).max_stall_ms;
    int64_t patience = ask->quick ? max_stall_ms / QUICK_SHARE : STANDBY_ANSWER_MS;
    const Wait wait = {.stop = runner->options->stop, .until_ms = clock_ms() + patience, .abandon = true};
    Blocker *blockers = NULL;
    size_t count = 0;
    *ret_found = STANDBY_FREE;
    if (ops->standby_blockers != NULL) {
        TRY(ops->standby_blockers(conn, &wait, arena, ask->ids, ask->id_count, max_stall_ms, &blockers,
                                  &count));
        *ret_found = judge(blockers, count, ask, max_stall_ms, who);
    }
    for (size_t i = 0; i < ask->name_count && ops->holders != NULL && *ret_found == STANDBY_FREE; i++) {
        TRY(ops->holders(conn, &wait, arena, ask->names[i].schema, ask->names[i].name, &blockers, &count));
        *ret_found = judge(blockers, leave_out_replay(blockers, count), ask, max_stall_ms, who);
    }
    return NULL;
}

/* What it has not replayed yet would be in the way of the lock; so long it may take to get there. */
static Err *catch_up(Runner *runner, Conn *conn, Arena *arena, bool *ret_behind)
{
    enum { PATIENCE_MS = 500, LOOK_MS = 5 };
    const EngineOps *ops = runner->ops;
    const Wait wait = {
        .stop = runner->options->stop, .until_ms = clock_ms() + STANDBY_ANSWER_MS, .abandon = true};
    int64_t from = clock_ms(), there = 0, wanted = 0;
    *ret_behind = false;
    if (ops->beat != NULL) /* the lag signal tells, at the gate before each attempt */
        return NULL;
    TRY(ops->log_bytes(runner->conn, &(Wait){.stop = runner->options->stop}, arena, &wanted));
    for (;;) {
        TRY(ops->replay_bytes(conn, &wait, arena, &there));
        *ret_behind = there < wanted;
        if (!*ret_behind || clock_ms() - from > PATIENCE_MS)
            return NULL;
        stop_sleep(runner->options->stop, LOOK_MS);
    }
}

static Err *look_at_one(Runner *runner, size_t at, Arena *arena, const StandbyAsk *ask,
                        StandbyFound *ret_found, char *who)
{
    const Wait wait = {.stop = runner->options->stop, .timeout_ms = CONNECT_MS, .abandon = true};
    const char *shown = target_redacted(arena, runner->standbys[at].name);
    const char *database = runner->ops->standby_blockers != NULL ? runner->server.database : NULL;
    char there[BLOCKERS_TEXT_BYTES] = "";
    bool behind = false;
    Conn **conn = &runner->standby_conns[at];
    if (*conn == NULL && ask->quick)
        return NULL;
    Err *err = *conn != NULL ? NULL : runner_ask_standby(runner, at, database, &wait, conn);
    if (err == NULL && !ask->quick)
        err = catch_up(runner, *conn, arena, &behind);
    if (err == NULL && !behind)
        err = look_at(runner, *conn, arena, ask, ret_found, there);
    if (err_is(err, ERR_STOPPED))
        return err;
    if (err != NULL) {
        conn_closep(conn);
        (void)snprintf(there, sizeof there, "it cannot be looked at: %s", err_root(err)->msg);
    } else if (behind) {
        (void)snprintf(there, sizeof there, "it has not replayed what is there");
    }
    if (behind || (err != NULL && !ask->quick))
        *ret_found = STANDBY_HELD;
    err_free(err);
    if (*ret_found != STANDBY_FREE)
        (void)snprintf(who, BLOCKERS_TEXT_BYTES, "replica %.80s: %.300s", shown, there);
    return NULL;
}

Err *standby_look(Runner *runner, const StandbyAsk *ask, StandbyFound *ret_found, char *who)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    *ret_found = STANDBY_FREE;
    for (size_t i = 0; i < runner->standby_count && *ret_found == STANDBY_FREE; i++)
        if (is_url(runner, i))
            TRY(look_at_one(runner, i, arena, ask, ret_found, who));
    return NULL;
}
