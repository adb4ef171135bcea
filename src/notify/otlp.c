/* Spans to JSON, a bounded queue, and a thread that posts it. */
#include "notify/otlp.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/str.h"
#include "base/utf8.h"
#include "notify/notice.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TRACE_ID = 33,
    SPAN_ID = 17,
    EVENTS_MAX = 32,
    BATCH_MAX = 100,
    RETRY_FOR_MS = 60000,
    HEADERS_MAX = 16
};
/* Of the protocol: Span.kind, Status.code. */
enum { KIND_INTERNAL = 1, STATUS_OK = 1, STATUS_ERROR = 2 };

struct Otlp {
    char *address, *label, *verb, *environment;
    struct curl_slist *headers;
    pthread_t thread;
    bool going;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    json_t *queue; /* spans, oldest first */
    bool busy, closing;
    _Atomic int64_t until_ms; /* while closing */
    int64_t dropped;
    Stop over; /* what is under way has to end now */
    /* Of the run; under the lock. */
    char trace_id[TRACE_ID], change_span[SPAN_ID], run_span[SPAN_ID];
    char *change, *database, *engine; /* NULL before the first span */
    int64_t from_us;
    json_t *events; /* of the step under way */
};

/* ---- names ---------------------------------------------------------------------------------- */

void otlp_ids(const TraceSpan *span, char *ret_trace_id, char *ret_span_id)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *text = arena_printf(arena, "stoa trace\n%s\n%lld\n%s", span->database,
                                    (long long)span->change_id, span->change_digest);
    const char *hex = strchr(digest_text(arena, text, strlen(text)), ':') + 1;
    (void)snprintf(ret_trace_id, TRACE_ID, "%.32s", hex);
    (void)snprintf(ret_span_id, SPAN_ID, "%.16s", hex + 32);
}

static void fresh_span_id(char *ret_span_id)
{
    char id[33];
    parcel_id(id);
    (void)snprintf(ret_span_id, SPAN_ID, "%.16s", id);
}

char *otlp_address(const char *url)
{
    static const char path[] = "/v1/traces";
    if (!post_is_url(url) || strpbrk(url, "?#") != NULL)
        return NULL;
    Str text = STR_INIT;
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    str_addn(&text, url, len);
    if (len < sizeof path - 1 || strncmp(url + len - (sizeof path - 1), path, sizeof path - 1) != 0)
        str_add(&text, path);
    return str_take(&text);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static json_t *text_json(const char *text)
{
    CLEANUP(mem_freep) char *whole = utf8_mend(text == NULL ? "" : text);
    return json_string(whole);
}

/* 64-bit numbers are texts in this encoding. */
static json_t *number_json(int64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    return json_string(text);
}

static json_t *nanos(int64_t us)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld000", (long long)us);
    return json_string(text);
}

static void add_text(json_t *attributes, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0')
        json_array_append_new(
            attributes, json_pack("{s:s, s:{s:o}}", "key", key, "value", "stringValue", text_json(text)));
}

static void add_number(json_t *attributes, const char *key, int64_t number)
{
    json_array_append_new(attributes,
                          json_pack("{s:s, s:{s:o}}", "key", key, "value", "intValue", number_json(number)));
}

static json_t *status_json(const char *failed)
{
    return failed == NULL ? json_pack("{s:i}", "code", STATUS_OK)
                          : json_pack("{s:i, s:o}", "code", STATUS_ERROR, "message", text_json(failed));
}

/* Takes attributes and events over; `events` NULL: none. */
static json_t *span_json(const Otlp *otlp, const char *id, const char *parent, const char *name,
                         int64_t from_us, int64_t to_us, json_t *attributes, json_t *events,
                         const char *failed)
{
    json_t *span = json_pack("{s:s, s:s, s:o, s:i, s:o, s:o, s:o, s:o}", "traceId", otlp->trace_id, "spanId",
                             id, "name", text_json(name), "kind", KIND_INTERNAL, "startTimeUnixNano",
                             nanos(from_us), "endTimeUnixNano", nanos(to_us > from_us ? to_us : from_us),
                             "attributes", attributes, "status", status_json(failed));
    if (parent != NULL)
        json_object_set_new(span, "parentSpanId", json_string(parent));
    if (events != NULL)
        json_object_set_new(span, "events", events);
    return span;
}

static json_t *step_json(Otlp *otlp, const TraceSpan *span)
{
    json_t *attributes = json_array();
    char id[SPAN_ID];
    fresh_span_id(id);
    add_text(attributes, "stoa.change", span->change);
    add_number(attributes, "stoa.step", span->step);
    add_text(attributes, "stoa.phase", span->phase);
    add_text(attributes, "stoa.kind", span->kind);
    add_text(attributes, "stoa.lock", span->lock);
    add_text(attributes, "db.collection.name", span->table);
    if (span->rows >= 0)
        add_number(attributes, "stoa.rows", span->rows);
    add_number(attributes, "stoa.lock.acquired", span->locks_acquired);
    add_number(attributes, "stoa.lock.timed_out", span->locks_timed_out);
    add_number(attributes, "stoa.rested_ms", span->rested_ms);
    json_t *events = otlp->events;
    otlp->events = json_array();
    return span_json(otlp, id, otlp->run_span, span->title, span->from_us, span->to_us, attributes, events,
                     span->failed);
}

static json_t *change_json(const Otlp *otlp, const TraceSpan *span)
{
    json_t *attributes = json_array();
    CLEANUP(str_donep) Str name = STR_INIT;
    str_addf(&name, "change %s", span->change);
    add_text(attributes, "stoa.change", span->change);
    add_text(attributes, "stoa.change_digest", span->change_digest);
    return span_json(otlp, otlp->change_span, NULL, name.buf, span->from_us, span->to_us, attributes, NULL,
                     NULL);
}

static json_t *run_json(const Otlp *otlp, const char *failed)
{
    json_t *attributes = json_array();
    CLEANUP(str_donep) Str name = STR_INIT;
    str_addf(&name, "stoa %s %s", otlp->verb, otlp->change);
    add_text(attributes, "stoa.change", otlp->change);
    add_text(attributes, "stoa.verb", otlp->verb);
    return span_json(otlp, otlp->run_span, otlp->change_span, name.buf, otlp->from_us, clock_wall_us(),
                     attributes, NULL, failed);
}

/* Takes the spans over. */
static char *request_text(const Otlp *otlp, json_t *spans)
{
    json_t *attributes = json_array();
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    add_text(attributes, "service.name", "stoa");
    add_text(attributes, "service.version", STOA_VERSION);
    add_text(attributes, "host.name", host);
    add_number(attributes, "process.pid", getpid());
    add_text(attributes, "deployment.environment.name", otlp->environment);
    add_text(attributes, "db.system.name", str_eq(otlp->engine, "postgres") ? "postgresql" : otlp->engine);
    add_text(attributes, "db.namespace", otlp->database);
    json_t *json =
        json_pack("{s:[{s:{s:o}, s:[{s:{s:s, s:s}, s:o}]}]}", "resourceSpans", "resource", "attributes",
                  attributes, "scopeSpans", "scope", "name", "stoa", "version", STOA_VERSION, "spans", spans);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

/* ---- the queue ------------------------------------------------------------------------------ */

/* Under the lock. */
static void put(Otlp *otlp, json_t *span)
{
    if (json_array_size(otlp->queue) == OTLP_QUEUE_MAX) {
        (void)json_array_remove(otlp->queue, 0);
        otlp->dropped++;
    }
    json_array_append_new(otlp->queue, span);
    pthread_cond_broadcast(&otlp->wake);
}

/* What all spans of this process have in common comes with its first one. Under the lock. */
static void know_change(Otlp *otlp, const TraceSpan *span)
{
    if (otlp->change != NULL)
        return;
    otlp_ids(span, otlp->trace_id, otlp->change_span);
    fresh_span_id(otlp->run_span);
    otlp->change = mem_dup(span->change);
    otlp->database = mem_dup(span->database);
    otlp->engine = mem_dup(span->engine);
}

void otlp_span(Otlp *otlp, const TraceSpan *span)
{
    if (otlp == NULL)
        return;
    pthread_mutex_lock(&otlp->lock);
    know_change(otlp, span);
    put(otlp, span->step == 0 ? change_json(otlp, span) : step_json(otlp, span));
    pthread_mutex_unlock(&otlp->lock);
}

void otlp_event(Otlp *otlp, const Event *event)
{
    if (otlp == NULL || event->step == 0 || str_eq(event->kind, "step_started") ||
        str_eq(event->kind, "step_done"))
        return;
    json_t *attributes = json_array();
    add_text(attributes, "stoa.text", event->text);
    json_t *json = json_pack("{s:o, s:o, s:o}", "timeUnixNano", nanos(clock_wall_us()), "name",
                             text_json(event->kind), "attributes", attributes);
    pthread_mutex_lock(&otlp->lock);
    if (json_array_size(otlp->events) < EVENTS_MAX)
        (void)json_array_append(otlp->events, json);
    pthread_mutex_unlock(&otlp->lock);
    json_decref(json);
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Sleeps, but only until the end begins. */
static void rest(Otlp *otlp, int64_t ms)
{
    struct timespec until = clock_after(ms);
    pthread_mutex_lock(&otlp->lock);
    bool was_closing = otlp->closing;
    int late = 0;
    while (late == 0 && otlp->closing == was_closing && stop_level(&otlp->over) == STOP_NONE)
        late = pthread_cond_timedwait(&otlp->wake, &otlp->lock, &until);
    pthread_mutex_unlock(&otlp->lock);
}

static void send_text(Otlp *otlp, const char *text, size_t count)
{
    int64_t from_ms = clock_ms();
    for (int attempt = 0;; attempt++) {
        PostResult result;
        post_once(otlp->address, otlp->headers, text, &otlp->over, &result);
        if (post_came_through(&result))
            return;
        int64_t wait_ms = post_wait_ms(attempt, 0, &result), end_ms = atomic_load(&otlp->until_ms);
        int64_t until_ms = end_ms != 0 && end_ms < from_ms + RETRY_FOR_MS ? end_ms : from_ms + RETRY_FOR_MS;
        if (post_may_be_tried_again(&result) && clock_ms() + wait_ms <= until_ms &&
            stop_level(&otlp->over) == STOP_NONE) {
            rest(otlp, wait_ms);
            continue;
        }
        log_line(LOG_WARN, "traces: %zu span%s not sent to %s: %s", count, count == 1 ? "" : "s", otlp->label,
                 result.why);
        return;
    }
}

/* The oldest ones; NULL: the end. */
static json_t *await(Otlp *otlp)
{
    json_t *batch = NULL;
    pthread_mutex_lock(&otlp->lock);
    otlp->busy = false;
    pthread_cond_broadcast(&otlp->wake);
    while (json_array_size(otlp->queue) == 0 && !otlp->closing)
        (void)pthread_cond_wait(&otlp->wake, &otlp->lock);
    if (json_array_size(otlp->queue) > 0 && stop_level(&otlp->over) == STOP_NONE) {
        batch = json_array();
        otlp->busy = true;
    }
    while (batch != NULL && json_array_size(otlp->queue) > 0 && json_array_size(batch) < BATCH_MAX) {
        (void)json_array_append(batch, json_array_get(otlp->queue, 0));
        (void)json_array_remove(otlp->queue, 0);
    }
    pthread_mutex_unlock(&otlp->lock);
    return batch;
}

static void *otlp_main(void *argument)
{
    Otlp *otlp = argument;
    for (json_t *batch; (batch = await(otlp)) != NULL;) {
        size_t count = json_array_size(batch);
        char *text = request_text(otlp, batch);
        if (text != NULL)
            send_text(otlp, text, count);
        free(text);
    }
    return NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void otlp_free(Otlp *otlp)
{
    char *const texts[] = {otlp->address, otlp->label,    otlp->verb,  otlp->environment,
                           otlp->change,  otlp->database, otlp->engine};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    curl_slist_free_all(otlp->headers);
    json_decref(otlp->queue);
    json_decref(otlp->events);
    stop_done(&otlp->over);
    (void)pthread_mutex_destroy(&otlp->lock);
    (void)pthread_cond_destroy(&otlp->wake);
    free(otlp);
}

/* "key=value", the value percent-encoded; what cannot stand in a header is refused. */
static bool add_pair(struct curl_slist **headers, const char *pair, size_t len)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    static const char words[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    const char *text = arena_dupn(arena, pair, len), *equals = strchr(text, '=');
    const char *name = equals == NULL ? "" : arena_dupn(arena, text, (size_t)(equals - text));
    int size = 0;
    char *value = equals == NULL ? NULL : curl_easy_unescape(NULL, equals + 1, 0, &size);
    bool good = name[0] != '\0' && name[strspn(name, words)] == '\0' && value != NULL &&
                strlen(value) == (size_t)size && strpbrk(value, "\r\n") == NULL;
    if (good)
        post_add_header(headers, name, value);
    curl_free(value);
    return good;
}

static bool read_headers(struct curl_slist **headers, const char *text)
{
    size_t count = 0;
    for (const char *at = text; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ",");
        if (++count > HEADERS_MAX || !add_pair(headers, at, len))
            return false;
        at += len + (at[len] == ',');
    }
    return true;
}

static char *dup_or_null(const char *text) { return text == NULL ? NULL : mem_dup(text); }

Err *otlp_start(const OtlpOptions *options, Otlp **ret_otlp)
{
    CLEANUP(mem_freep) char *address = otlp_address(options->url);
    Stop over;
    if (address == NULL)
        return err_hint(err_new(ERR_USAGE, "--otlp is no http:// or https:// URL of a collector"),
                        "--otlp http://localhost:4318");
    TRY(stop_init(&over));
    Otlp *otlp = mem_zero(sizeof *otlp);
    *otlp = (Otlp){.address = mem_dup(address),
                   .label = post_label(address),
                   .verb = mem_dup(options->verb),
                   .environment = dup_or_null(options->environment),
                   .queue = json_array(),
                   .events = json_array(),
                   .from_us = clock_wall_us(),
                   .over = over};
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    (void)pthread_mutex_init(&otlp->lock, NULL);
    clock_condition_init(&otlp->wake);
    post_add_header(&otlp->headers, "Content-Type", "application/json");
    bool good = read_headers(&otlp->headers, options->headers);
    otlp->going = good && pthread_create(&otlp->thread, NULL, otlp_main, otlp) == 0;
    if (otlp->going) {
        *ret_otlp = otlp;
        return NULL;
    }
    otlp_free(otlp);
    return good ? err_new(ERR_IO, "cannot start a thread for traces")
                : err_hint(err_new(ERR_CONFIG, "$OTEL_EXPORTER_OTLP_HEADERS is no list of headers"),
                           "OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%%20TOKEN,x-tenant=shop'");
}

/* Until all is through, or the time is. */
static void drain(Otlp *otlp, const Stop *stop, int64_t most_ms)
{
    enum { LOOK_MS = 100 };
    int64_t until_ms = clock_ms() + most_ms;
    pthread_mutex_lock(&otlp->lock);
    atomic_store(&otlp->until_ms, until_ms);
    otlp->closing = true;
    pthread_cond_broadcast(&otlp->wake);
    while ((otlp->busy || json_array_size(otlp->queue) > 0) && clock_ms() < until_ms &&
           (stop == NULL || stop_level(stop) < STOP_NOW)) {
        struct timespec look = clock_after(LOOK_MS);
        (void)pthread_cond_timedwait(&otlp->wake, &otlp->lock, &look);
    }
    stop_raise(&otlp->over, STOP_NOW, 0);
    pthread_cond_broadcast(&otlp->wake);
    pthread_mutex_unlock(&otlp->lock);
    (void)pthread_join(otlp->thread, NULL);
}

void otlp_stop(Otlp *otlp, const char *failed, const Stop *stop, int64_t most_ms)
{
    if (otlp == NULL)
        return;
    pthread_mutex_lock(&otlp->lock);
    if (otlp->change != NULL)
        put(otlp, run_json(otlp, failed));
    pthread_mutex_unlock(&otlp->lock);
    drain(otlp, stop, most_ms);
    otlp->dropped += (int64_t)json_array_size(otlp->queue);
    if (otlp->dropped > 0)
        log_line(LOG_WARN, "traces: %lld spans were dropped", (long long)otlp->dropped);
    otlp_free(otlp);
}
