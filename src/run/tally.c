/* Sums by step, as a JSON object under a mutex. */
#include "run/tally.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

const int64_t tally_bounds_us[TALLY_BOUNDS] = {1000,   2500,   5000,    10000,   25000,   50000,   100000,
                                               250000, 500000, 1000000, 2500000, 5000000, 10000000};

void tally_init(Tally *tally)
{
    *tally = (Tally){.json = json_object()};
    (void)pthread_mutex_init(&tally->lock, NULL);
}

void tally_done(Tally *tally)
{
    if (tally->json == NULL)
        return;
    json_decref(tally->json);
    tally->json = NULL;
    (void)pthread_mutex_destroy(&tally->lock);
}

void tally_restore(Tally *tally, json_t *json)
{
    if (!json_is_object(json)) {
        json_decref(json);
        return;
    }
    pthread_mutex_lock(&tally->lock);
    json_decref(tally->json);
    tally->json = json;
    pthread_mutex_unlock(&tally->lock);
}

char *tally_take(Tally *tally)
{
    pthread_mutex_lock(&tally->lock);
    char *text = tally->news ? json_dumps(tally->json, JSON_COMPACT) : NULL;
    tally->news = false;
    pthread_mutex_unlock(&tally->lock);
    return text;
}

void tally_untaken(Tally *tally)
{
    pthread_mutex_lock(&tally->lock);
    tally->news = true;
    pthread_mutex_unlock(&tally->lock);
}

/* ---- counting ------------------------------------------------------------------------------- */

/* A member that is an object, made where it is none. */
static json_t *child(json_t *parent, const char *name)
{
    json_t *found = json_object_get(parent, name);
    if (json_is_object(found))
        return found;
    found = json_object();
    return json_object_set_new(parent, name, found) == 0 ? found : NULL;
}

/* Under the lock. */
static json_t *group_of(Tally *tally, int step, const char *group)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", step);
    tally->news = true;
    return child(child(tally->json, number), group);
}

static int64_t value_of(const json_t *group, const char *key)
{
    return json_integer_value(json_object_get(group, key));
}

void tally_add(Tally *tally, int step, const char *group, const char *key, int64_t by)
{
    pthread_mutex_lock(&tally->lock);
    json_t *sums = group_of(tally, step, group);
    (void)json_object_set_new(sums, key, json_integer(value_of(sums, key) + by));
    pthread_mutex_unlock(&tally->lock);
}

void tally_set(Tally *tally, int step, const char *group, const char *key, int64_t value)
{
    pthread_mutex_lock(&tally->lock);
    (void)json_object_set_new(group_of(tally, step, group), key, json_integer(value));
    pthread_mutex_unlock(&tally->lock);
}

void tally_only(Tally *tally, int step, const char *group, const char *key, int64_t value)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", step);
    pthread_mutex_lock(&tally->lock);
    bool none = json_object_size(json_object_get(json_object_get(tally->json, number), group)) == 0;
    if (key != NULL || !none) {
        json_t *all = group_of(tally, step, group);
        (void)json_object_clear(all);
        if (key != NULL)
            (void)json_object_set_new(all, key, json_integer(value));
    }
    pthread_mutex_unlock(&tally->lock);
}

void tally_at_least(Tally *tally, int step, const char *group, const char *key, int64_t value)
{
    pthread_mutex_lock(&tally->lock);
    bool news = tally->news;
    json_t *sums = group_of(tally, step, group);
    bool more = json_object_get(sums, key) == NULL || value_of(sums, key) < value;
    if (more)
        (void)json_object_set_new(sums, key, json_integer(value));
    tally->news = news || more; /* it is asked again and again */
    pthread_mutex_unlock(&tally->lock);
}

int64_t tally_value(Tally *tally, int step, const char *group, const char *key)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", step);
    pthread_mutex_lock(&tally->lock);
    int64_t value = value_of(json_object_get(json_object_get(tally->json, number), group), key);
    pthread_mutex_unlock(&tally->lock);
    return value;
}

void tally_keep(Tally *tally, int step, const char *group, const char *from, const char *to)
{
    pthread_mutex_lock(&tally->lock);
    json_t *sums = group_of(tally, step, group);
    if (json_object_get(sums, to) == NULL)
        (void)json_object_set_new(sums, to, json_integer(value_of(sums, from)));
    pthread_mutex_unlock(&tally->lock);
}

void tally_time(Tally *tally, int step, const char *group, int64_t us)
{
    size_t span = 0;
    while (span < TALLY_BOUNDS && us > tally_bounds_us[span])
        span++;
    pthread_mutex_lock(&tally->lock);
    json_t *times = group_of(tally, step, group), *counts = json_object_get(times, "n");
    if (json_array_size(counts) != TALLY_BOUNDS + 1) {
        counts = json_array();
        for (size_t i = 0; i <= TALLY_BOUNDS; i++)
            (void)json_array_append_new(counts, json_integer(0));
        (void)json_object_set_new(times, "n", counts);
    }
    int64_t count = json_integer_value(json_array_get(counts, span)) + 1;
    (void)json_array_set_new(counts, span, json_integer(count));
    (void)json_object_set_new(times, "us", json_integer(value_of(times, "us") + us));
    pthread_mutex_unlock(&tally->lock);
}

void tally_error(Tally *tally, const char *component, const Err *err)
{
    char key[64];
    bool vague = err->sqlstate[0] == '\0' || str_eq(err->sqlstate, "HY000");
    if (!vague)
        (void)snprintf(key, sizeof key, "%s/%s", component, err->sqlstate);
    else if (err->server_errno != 0)
        (void)snprintf(key, sizeof key, "%s/%u", component, err->server_errno);
    else
        (void)snprintf(key, sizeof key, "%s/%s", component, err_kind_name(err->kind));
    tally_add(tally, TALLY_CHANGE, "errors", key, 1);
}

static const char *result_of(const Err *err)
{
    return err == NULL                     ? "ok"
           : err->kind == ERR_LOCK_TIMEOUT ? "lock_timeout"
           : err->kind == ERR_DEADLOCK     ? "deadlock"
           : err->kind == ERR_SERIALIZE    ? "serialization"
           : err->kind == ERR_CANCELLED    ? "timeout"
                                           : "error";
}

void tally_batch(Tally *tally, int step, const Err *err, int64_t rows, int64_t us)
{
    tally_add(tally, step, "batches", result_of(err), 1);
    tally_time(tally, step, "batch_s", us);
    if (err != NULL)
        return;
    tally_add(tally, step, "sums", "rows", rows);
    tally_set(tally, step, "now", "batch_rows", rows);
}

/* ---- why it waits --------------------------------------------------------------------------- */

const char *const throttle_reasons[] = {
    "replica_lag",     "query_latency",   "lock_waiters", "wal_queue", "autovacuum",
    "active_sessions", "threads_running", "history_list", "dead_rows", "snapshot_age",
    "check",           "window",          "manual",       "no_sample", "galera",
    "critical",        "replica_readers", "disk",         "other",     NULL};

/* Words of our own texts, in this order. A signal says its name in the option that limits it. */
static const struct {
    const char *word, *reason;
} words[] = {
    {"outside the window", "window"},
    {"--critical-load", "critical"},
    {"no sample", "no_sample"},
    {"no fresh sample", "no_sample"},
    {": gone", "no_sample"},
    {"is not known yet", "no_sample"},
    {" lags ", "replica_lag"},
    {"--max-load threads-running=", "threads_running"},
    {"--max-load history-list=", "history_list"},
    {"--max-load blocked-sessions=", "lock_waiters"},
    {"--max-load active-sessions=", "active_sessions"},
    {"--max-load latency=", "query_latency"},
    {"--max-load autovacuum=", "autovacuum"},
    {"--max-load dead-rows=", "dead_rows"},
    {"--max-load snapshot-age=", "snapshot_age"},
    {"--max-load archive-queue=", "wal_queue"},
    {"--max-load wal-rate=", "wal_queue"},
    {"--max-load slot-wal=", "wal_queue"},
    {"--max-load redo-rate=", "wal_queue"},
    {"--max-load checkpoint-", "wal_queue"},
    {"--max-load standby-", "replica_readers"},
    {"--min-free-disk", "disk"},
    {"--max-load flow-control=", "galera"},
    {"--max-load receive-queue=", "galera"},
    {"--check-sql", "check"},
    {" is there", "check"},
    {" answers ", "check"},
};

const char *throttle_reason(const char *text)
{
    if (text == NULL || text[0] == '\0')
        return NULL;
    if (str_eq(text, "paused"))
        return "manual";
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strstr(text, words[i].word) != NULL)
            return words[i].reason;
    return "other";
}
