/* How far replicas are behind. */
#include "run/lag.h"

#include "base/clock.h"
#include "run/load_limit.h"
#include "run/standby.h"

#include <string.h>

/* One look at all of them. */
typedef struct Look {
    Runner *runner;
    Conn *conn;
    Arena *arena;
    LagWatch *watch;
    const Controls *controls;
    int64_t max_lag_ms;
    Signals *signals;
} Look;

static void remember_position(LagWatch *watch, int64_t bytes, int64_t max_lag_ms)
{
    size_t last = watch->position_count;
    if (last > 0 && clock_ms() - watch->positions[last - 1].at_ms < max_lag_ms * 2 / LAG_POSITIONS)
        return;
    if (watch->position_count == LAG_POSITIONS) {
        watch->position_count--;
        memmove(watch->positions, watch->positions + 1, watch->position_count * sizeof watch->positions[0]);
    }
    watch->positions[watch->position_count++] = (LagPosition){.at_ms = clock_ms(), .bytes = bytes};
}

/* How long ago the log first stood past `replayed` bytes; 0 when it does not yet, -1 when that was before we
 * looked. */
static int64_t lag_by_position(const LagWatch *watch, int64_t replayed)
{
    if (watch->position_count > 0 && replayed < watch->positions[0].bytes)
        return -1;
    for (size_t i = 0; i < watch->position_count; i++)
        if (watch->positions[i].bytes > replayed)
            return clock_ms() - watch->positions[i].at_ms;
    return 0;
}

/* What the server says and what we saw, whichever is more; -1: it lags since before we looked, so nobody
 * knows. */
static int64_t lag_of(const Look *look, const Replica *replica, int64_t bytes)
{
    if (look->runner->ops->beat != NULL)
        return replica->lag_ms;
    if (replica->lag_bytes <= 0)
        return 0;
    int64_t seen = lag_by_position(look->watch, bytes - replica->lag_bytes);
    int64_t watched = look->watch->position_count > 0 ? clock_ms() - look->watch->positions[0].at_ms : 0;
    if (seen < 0 && watched > look->max_lag_ms)
        seen = watched;
    return seen < 0 && replica->lag_ms > look->max_lag_ms ? replica->lag_ms : seen;
}

static const Replica *replica_of(const Replica *replicas, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(replicas[i].name, name))
            return &replicas[i];
    return NULL;
}

/* Decision 8: a replica of the fixed set that is gone or hides its columns is a missing sample, and stops the
 * work. */
static void judge_replica(const Look *look, const char *name, const Replica *replica, int64_t bytes)
{
    const char *shown = target_redacted(look->arena, name);
    Signal *signal = signal_tell(look->signals, "replica-lag", shown);
    if (replica == NULL || !replica->sampled) {
        signal_missing(signal, clock_ms(), "replica %s: %s", shown,
                       replica == NULL        ? "gone"
                       : replica->why != NULL ? replica->why
                                              : "no sample");
        return;
    }
    int64_t lag = lag_of(look, replica, bytes);
    double lag_s = (double)lag / 1000, limit_s = (double)look->max_lag_ms / 1000;
    signal->critical = load_limit_critical(look->runner->ops, look->controls, "replica-lag");
    if (lag < 0)
        signal_missing(signal, clock_ms(), "replica %s: its lag is not known yet", shown);
    else
        signal_value(signal, lag_s, limit_s, clock_ms(), "replica %s lags %.1f s (limit %.1f s)", shown,
                     lag_s, limit_s);
}

static void judge_replicas(const Look *look, const Replica *replicas, size_t count, int64_t bytes)
{
    const Runner *runner = look->runner;
    for (size_t i = 0; i < runner->standby_count; i++)
        judge_replica(look, runner->standbys[i].name, replica_of(replicas, count, runner->standbys[i].name),
                      bytes);
}

/* What its readers feel, against the limits of the signals of that name, where the engine has them. */
static void tell_readers(const Look *look, size_t at, const StandbySeen *seen)
{
    const char *shown = target_redacted(look->arena, look->runner->standbys[at].name);
    const struct {
        const char *name;
        int64_t value;
    } told[] = {{"standby-waiting", seen->waiting}, {"standby-ended", seen->ended}};
    for (size_t i = 0; i < ARRAY_LEN(told); i++)
        if (told[i].value >= 0)
            load_limit_one(look->runner->ops, look->controls, told[i].name, shown, (double)told[i].value,
                           clock_ms(), look->signals);
}

/* A replica given by URL, as it said itself; `bytes`: where the log stands. */
static void take_standby(const Look *look, size_t at, int64_t bytes, Replica *ret_replica)
{
    StandbySeen seen = standby_watch_seen(look->watch->standbys, at);
    *ret_replica = (Replica){.name = look->runner->standbys[at].name, .sampled = seen.sampled};
    if (!seen.sampled) {
        ret_replica->why = arena_dup(look->arena, seen.why);
        return;
    }
    tell_readers(look, at, &seen);
    if (look->runner->ops->beat == NULL) {
        ret_replica->lag_bytes = bytes - seen.there;
        return;
    }
    ret_replica->lag_bytes = -1;
    ret_replica->lag_ms = seen.beat_ms > seen.there ? seen.beat_ms - seen.there : 0;
}

static Err *look_at_all(const Look *look)
{
    Runner *runner = look->runner;
    if (runner->standby_count == 0)
        return NULL;
    Wait wait = {.timeout_ms = CONTROL_TIMEOUT_MS};
    Replica *replicas = NULL;
    size_t count = 0;
    int64_t bytes = 0;
    bool first = look->watch->standbys == NULL;
    if (first)
        TRY(standby_watch_start(runner, &look->watch->standbys));
    bool beats = runner->ops->beat != NULL;
    TRY(beats ? runner->ops->beat(look->conn, &wait, look->arena, &bytes)
              : runner->ops->log_bytes(look->conn, &wait, look->arena, &bytes));
    if (runner->ops->replicas != NULL)
        TRY(runner->ops->replicas(look->conn, &wait, look->arena, &replicas, &count));
    Replica *all = arena_alloc(look->arena, (count + runner->standby_count) * sizeof *all);
    if (count > 0)
        memcpy(all, replicas, count * sizeof *all);
    if (beats)
        standby_watch_beat(look->watch->standbys, bytes);
    if (first)
        standby_watch_settle(look->watch->standbys);
    for (size_t i = 0; i < runner->standby_count; i++)
        if (strstr(runner->standbys[i].name, "://") != NULL)
            take_standby(look, i, bytes, &all[count++]);
    if (!beats)
        remember_position(look->watch, bytes, look->max_lag_ms);
    judge_replicas(look, all, count, bytes);
    return NULL;
}

Err *lag_watch(Runner *runner, Conn *conn, Arena *arena, const Controls *controls, LagWatch *watch,
               Signals *signals)
{
    return look_at_all(&(Look){.runner = runner,
                               .conn = conn,
                               .arena = arena,
                               .watch = watch,
                               .controls = controls,
                               .max_lag_ms = controls->max_lag_ms,
                               .signals = signals});
}

void lag_done(LagWatch *watch)
{
    standby_watch_free(watch->standbys);
    watch->standbys = NULL;
}
