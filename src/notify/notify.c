/* A thread and a queue for each hook and webhook. */
#include "notify/notice.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_FOR_MS = 900000, LOOK_MS = 100 };

typedef struct Receiver {
    Notify *notify;
    bool hook;
    char *where; /* program or URL */
    char *label; /* without secrets */
    pthread_t thread;
    bool going;
    Parcel *first; /* the queue, under the lock */
    int count;
    bool busy;
    int64_t dropped;
} Receiver;

struct Notify {
    NotifyOptions options; /* with copies */
    char *secret, *database, *environment;
    Watch *watch;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool closing;
    _Atomic int64_t until_ms; /* while closing */
    Stop over;                /* what is under way has to end now */
    Receiver receivers[NOTIFY_RECEIVERS_MAX];
    size_t receiver_count;
};

/* ---- queues --------------------------------------------------------------------------------- */

static Parcel *take_first(Receiver *receiver)
{
    Parcel *parcel = receiver->first;
    receiver->first = parcel->next;
    receiver->count--;
    return parcel;
}

/* Says so at the first one, and then less and less often. */
static void drop_oldest(Receiver *receiver, Parcel **ret_dropped)
{
    *ret_dropped = take_first(receiver);
    receiver->dropped++;
    if ((receiver->dropped & (receiver->dropped - 1)) == 0)
        log_line(LOG_WARN, "%s is too slow: %lld dropped, oldest first", receiver->label,
                 (long long)receiver->dropped);
}

static void put(Receiver *receiver, Parcel *parcel)
{
    Parcel *dropped = NULL;
    pthread_mutex_lock(&receiver->notify->lock);
    if (receiver->count == NOTIFY_QUEUE_MAX)
        drop_oldest(receiver, &dropped);
    Parcel **end = &receiver->first;
    while (*end != NULL)
        end = &(*end)->next;
    *end = parcel;
    receiver->count++;
    pthread_cond_broadcast(&receiver->notify->wake);
    pthread_mutex_unlock(&receiver->notify->lock);
    if (dropped != NULL)
        parcel_free(dropped);
}

static void on_notice(void *context, const Notice *notice)
{
    Notify *notify = context;
    char delivery[33];
    parcel_id(delivery);
    for (size_t i = 0; i < notify->receiver_count; i++)
        put(&notify->receivers[i], parcel_new(&notify->options, notice, delivery));
}

/* ---- delivering ----------------------------------------------------------------------------- */

/* Sleeps, but for `ms` at most, and only until the end begins. */
static void rest(Notify *notify, int64_t ms)
{
    struct timespec until = clock_after(ms);
    pthread_mutex_lock(&notify->lock);
    bool was_closing = notify->closing;
    int late = 0;
    while (late == 0 && notify->closing == was_closing && stop_level(&notify->over) == STOP_NONE)
        late = pthread_cond_timedwait(&notify->wake, &notify->lock, &until);
    pthread_mutex_unlock(&notify->lock);
}

static double chance(void)
{
    char id[33];
    parcel_id(id);
    id[8] = '\0';
    return (double)strtoul(id, NULL, 16) / 4294967296.0;
}

/* Waits until it is worth another try; false where there is no time for one. */
static bool wait_for_retry(const Receiver *receiver, const Parcel *parcel, int attempt,
                           const PostResult *result)
{
    Notify *notify = receiver->notify;
    int64_t now_ms = clock_ms(), wait_ms = post_wait_ms(attempt, chance(), result);
    int64_t until_ms = parcel->told_ms + RETRY_FOR_MS, end_ms = atomic_load(&notify->until_ms);
    until_ms = end_ms != 0 && end_ms < until_ms ? end_ms : until_ms;
    if (now_ms + wait_ms > until_ms)
        return false;
    log_line(attempt == 0 ? LOG_WARN : LOG_DEBUG, "%s: \"%s\" not told yet: %s; again in %lld ms",
             receiver->label, parcel->event, result->why, (long long)wait_ms);
    rest(notify, wait_ms);
    return stop_level(&notify->over) == STOP_NONE;
}

static void post(const Receiver *receiver, const Parcel *parcel)
{
    Notify *notify = receiver->notify;
    for (int attempt = 0;; attempt++) {
        PostResult result;
        webhook_post(receiver->where, notify->options.secret, parcel, &notify->over, &result);
        if (post_came_through(&result)) {
            log_line(LOG_DEBUG, "%s: told \"%s\"", receiver->label, parcel->event);
            return;
        }
        if (!post_may_be_tried_again(&result) || !wait_for_retry(receiver, parcel, attempt, &result)) {
            log_line(LOG_WARN, "%s: \"%s\" not told: %s", receiver->label, parcel->event, result.why);
            return;
        }
    }
}

static void deliver(const Receiver *receiver, const Parcel *parcel)
{
    if (!receiver->hook) {
        post(receiver, parcel);
        return;
    }
    Err *err = hook_run(receiver->where, parcel, &receiver->notify->over);
    if (err == NULL)
        log_line(LOG_DEBUG, "%s: told \"%s\"", receiver->label, parcel->event);
    else
        log_line(LOG_WARN, "%s: \"%s\": %s", receiver->label, parcel->event, err->msg);
    err_free(err);
}

/* NULL: the end. */
static Parcel *await(Receiver *receiver)
{
    Notify *notify = receiver->notify;
    Parcel *parcel = NULL;
    pthread_mutex_lock(&notify->lock);
    receiver->busy = false;
    pthread_cond_broadcast(&notify->wake);
    while (receiver->count == 0 && !notify->closing)
        (void)pthread_cond_wait(&notify->wake, &notify->lock);
    if (receiver->count > 0 && stop_level(&notify->over) == STOP_NONE) {
        parcel = take_first(receiver);
        receiver->busy = true;
    }
    pthread_mutex_unlock(&notify->lock);
    return parcel;
}

static void *receiver_main(void *argument)
{
    Receiver *receiver = argument;
    for (Parcel *parcel; (parcel = await(receiver)) != NULL;) {
        deliver(receiver, parcel);
        parcel_free(parcel);
    }
    return NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* Its arguments may be secrets. */
static char *hook_label(size_t number, const char *program)
{
    Str label = STR_INIT;
    size_t len = strcspn(program, " \t\n");
    bool plain = len <= 100 && memchr(program, '=', len) == NULL;
    str_addf(&label, "hook %zu", number);
    if (plain)
        str_addf(&label, " (%.*s)", (int)len, program);
    return str_take(&label);
}

static void add_receiver(Notify *notify, bool hook, const char *where)
{
    Receiver *receiver = &notify->receivers[notify->receiver_count++];
    *receiver = (Receiver){.notify = notify, .hook = hook, .where = mem_dup(where)};
    receiver->label = hook ? hook_label(notify->receiver_count, where) : webhook_label(where);
}

static Err *check(const NotifyOptions *options)
{
    if (options->hook_count + options->webhook_count > NOTIFY_RECEIVERS_MAX)
        return err_new(ERR_USAGE, "more than %d hooks and webhooks", NOTIFY_RECEIVERS_MAX);
    for (size_t i = 0; i < options->webhook_count; i++)
        TRY(webhook_check(options->webhooks[i]));
    return NULL;
}

static char *dup_or_null(const char *text) { return text == NULL ? NULL : mem_dup(text); }

static Err *notify_new(const NotifyOptions *options, Notify **ret_notify)
{
    TRY(check(options));
    Stop over;
    TRY(stop_init(&over));
    Notify *notify = mem_zero(sizeof *notify);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    notify->options = *options;
    notify->options.secret = notify->secret = dup_or_null(options->secret);
    notify->options.database = notify->database = dup_or_null(options->database);
    notify->options.environment = notify->environment = dup_or_null(options->environment);
    notify->over = over;
    notify->watch = watch_new(&(WatchOptions){
        .throttled_after_ms = options->throttled_after_ms, .tell = on_notice, .context = notify});
    (void)pthread_mutex_init(&notify->lock, NULL);
    clock_condition_init(&notify->wake);
    for (size_t i = 0; i < options->hook_count; i++)
        add_receiver(notify, true, options->hooks[i]);
    for (size_t i = 0; i < options->webhook_count; i++)
        add_receiver(notify, false, options->webhooks[i]);
    *ret_notify = notify;
    return NULL;
}

static void notify_free(Notify *notify)
{
    for (size_t i = 0; i < notify->receiver_count; i++) {
        Receiver *receiver = &notify->receivers[i];
        while (receiver->first != NULL)
            parcel_free(take_first(receiver));
        free(receiver->where);
        free(receiver->label);
    }
    watch_free(notify->watch);
    free(notify->secret);
    free(notify->database);
    free(notify->environment);
    stop_done(&notify->over);
    (void)pthread_mutex_destroy(&notify->lock);
    (void)pthread_cond_destroy(&notify->wake);
    free(notify);
}

Err *notify_start(const NotifyOptions *options, Notify **ret_notify)
{
    Notify *notify = NULL;
    *ret_notify = NULL;
    if (options->hook_count + options->webhook_count == 0)
        return NULL;
    TRY(notify_new(options, &notify));
    for (size_t i = 0; i < notify->receiver_count; i++) {
        Receiver *receiver = &notify->receivers[i];
        receiver->going = pthread_create(&receiver->thread, NULL, receiver_main, receiver) == 0;
        if (!receiver->going) {
            notify_stop(notify, NULL, 0);
            return err_new(ERR_IO, "cannot start a thread for notifications");
        }
    }
    *ret_notify = notify;
    return NULL;
}

void notify_event(Notify *notify, const Event *event)
{
    if (notify != NULL)
        watch_event(notify->watch, clock_ms(), event);
}

void notify_progress(Notify *notify, const Progress *progress)
{
    if (notify != NULL)
        watch_progress(notify->watch, clock_ms(), progress->change, progress->throttled_by);
}

void notify_failed(Notify *notify, const char *text)
{
    if (notify != NULL)
        watch_failed(notify->watch, clock_ms(), text);
}

void notify_look(Notify *notify, const json_t *changes, const json_t *events)
{
    if (notify != NULL)
        watch_look(notify->watch, clock_ms(), changes, events);
}

/* ---- the end -------------------------------------------------------------------------------- */

static bool all_is_told(Notify *notify)
{
    bool told = true;
    for (size_t i = 0; i < notify->receiver_count; i++)
        told = told && !notify->receivers[i].busy && notify->receivers[i].count == 0;
    return told;
}

static void close_queues(Notify *notify, int64_t most_ms)
{
    pthread_mutex_lock(&notify->lock);
    atomic_store(&notify->until_ms, clock_ms() + most_ms);
    notify->closing = true;
    pthread_cond_broadcast(&notify->wake);
    pthread_mutex_unlock(&notify->lock);
}

static void await_end(Notify *notify, const Stop *stop)
{
    for (;;) {
        pthread_mutex_lock(&notify->lock);
        bool told = all_is_told(notify);
        pthread_mutex_unlock(&notify->lock);
        bool late = clock_ms() >= atomic_load(&notify->until_ms);
        if (told || late || (stop != NULL && stop_level(stop) == STOP_NOW))
            return;
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 100000}, NULL);
    }
}

void notify_stop(Notify *notify, const Stop *stop, int64_t most_ms)
{
    if (notify == NULL)
        return;
    close_queues(notify, most_ms);
    await_end(notify, stop);
    pthread_mutex_lock(&notify->lock);
    stop_raise(&notify->over, STOP_NOW, 0);
    pthread_cond_broadcast(&notify->wake);
    pthread_mutex_unlock(&notify->lock);
    for (size_t i = 0; i < notify->receiver_count; i++) {
        Receiver *receiver = &notify->receivers[i];
        if (receiver->going)
            (void)pthread_join(receiver->thread, NULL);
        if (receiver->count > 0)
            log_line(LOG_WARN, "%s: there was no time left to tell %d more", receiver->label,
                     receiver->count);
    }
    notify_free(notify);
}

/* ---- a test --------------------------------------------------------------------------------- */

static char *try_once(const Receiver *receiver, const Parcel *parcel, const Stop *stop)
{
    if (receiver->hook) {
        Err *err = hook_run(receiver->where, parcel, stop);
        char *why = err == NULL ? NULL : err_text(err);
        err_free(err);
        return why;
    }
    PostResult result;
    webhook_post(receiver->where, receiver->notify->options.secret, parcel, stop, &result);
    return post_came_through(&result) ? NULL : mem_dup(result.why);
}

json_t *notify_test(const NotifyOptions *options, const Stop *stop)
{
    Notify *notify = NULL;
    Notice notice = {
        .event = "test", .change = "", .state = "", .text = "a test of \"stoa doctor --notify\""};
    json_t *list = json_array();
    Err *err = notify_new(options, &notify);
    if (err != NULL) {
        (void)json_array_append_new(list, json_pack("{s:s, s:b, s:s, s:s, s:s?}", "name", "notify", "ok", 0,
                                                    "severity", "block", "message", err->msg, "fix",
                                                    err_first_hint(err)));
        err_free(err);
        return list;
    }
    char delivery[33];
    parcel_id(delivery);
    for (size_t i = 0; i < notify->receiver_count; i++) {
        const Receiver *receiver = &notify->receivers[i];
        Parcel *parcel = parcel_new(options, &notice, delivery);
        CLEANUP(mem_freep) char *why = try_once(receiver, parcel, stop);
        CLEANUP(str_donep) Str text = STR_INIT;
        str_addf(&text, "%s: %s", receiver->label, why == NULL ? "told \"test\"" : why);
        (void)json_array_append_new(list, json_pack("{s:s, s:b, s:s, s:s, s:n}", "name",
                                                    receiver->hook ? "hook" : "webhook", "ok", why == NULL,
                                                    "severity", "warn", "message", text.buf, "fix"));
        parcel_free(parcel);
    }
    notify_free(notify);
    return list;
}
