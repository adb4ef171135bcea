/* Routes and limits over libmicrohttpd. */
#include "serve/http.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/utf8.h"
#include "serve/guests.h"
#include "serve/host.h"
#include "serve/listen.h"

#include <microhttpd.h>
#include <netdb.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    BODY_MOST_BYTES = 1 << 20,
    CONNECTIONS_MAX = 2000,
    FILES_WANTED = 4096,
    FILES_OF_OTHERS = 256, /* descriptors that connections leave to the rest of the program */
    IDLE_S = 30,
    THREADS = 2,
    CONNECTION_BYTES = 16 << 10, /* cleared for each request */
    STREAM_BLOCK = 8 << 10,
};

/* One that waits for http_wake(). */
typedef struct Sleeper {
    struct MHD_Connection *connection;
    struct Sleeper *next;
} Sleeper;

struct Http {
    HttpOptions options;
    Arena *arena;
    struct MHD_Daemon *daemon;
    const char *url;
    bool loopback; /* it listens there and nowhere else */
    Guests *guests;
    pthread_mutex_t lock;
    Sleeper *sleepers;
    bool over;
};

/* What belongs to one request from its first line on. */
typedef struct Exchange {
    HttpRequest request;
    Str body;
    bool too_large;
    int64_t since_us;
} Exchange;

typedef struct Flow {
    Http *http;
    HttpStream stream;
    struct MHD_Connection *connection;
} Flow;

/* ---- what handlers use ---------------------------------------------------------------------- */

static struct MHD_Connection *connection_of(const HttpRequest *request) { return request->connection; }

const char *http_header(const HttpRequest *request, const char *name)
{
    return MHD_lookup_connection_value(connection_of(request), MHD_HEADER_KIND, name);
}

const char *http_query(const HttpRequest *request, const char *name)
{
    return MHD_lookup_connection_value(connection_of(request), MHD_GET_ARGUMENT_KIND, name);
}

void http_reply_header(HttpReply *reply, const char *name, const char *value)
{
    if (reply->header_count == HTTP_HEADERS_MAX)
        return;
    reply->headers[reply->header_count].name = name;
    reply->headers[reply->header_count].value = value;
    reply->header_count++;
}

void http_reply_json(const HttpRequest *request, HttpReply *reply, int code, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(12));
    reply->code = code;
    reply->type = "application/json; charset=utf-8";
    reply->body = arena_dup(request->arena, text == NULL ? "null" : text);
    reply->len = strlen(reply->body);
    free(text);
    json_decref(json);
}

void http_reply_error(const HttpRequest *request, HttpReply *reply, int code, const char *kind,
                      const char *message, const char *hint)
{
    http_reply_json(request, reply, code,
                    json_pack("{s:i, s:{s:s, s:s, s:s?}}", "v", 1, "error", "kind", kind, "message", message,
                              "hint", hint));
}

/* One of a list, weak or not. */
static bool etag_is_in(const char *list, const char *etag)
{
    size_t len = strlen(etag);
    for (const char *at = list; (at = strstr(at, etag)) != NULL; at += len)
        if (at[len] == '\0' || at[len] == ',' || at[len] == ' ')
            return true;
    return str_eq(list, "*");
}

bool http_not_modified(const HttpRequest *request, HttpReply *reply, const char *etag)
{
    const char *known = http_header(request, "If-None-Match");
    http_reply_header(reply, "ETag", etag);
    if (known == NULL || !etag_is_in(known, etag))
        return false;
    reply->code = MHD_HTTP_NOT_MODIFIED;
    return true;
}

/* ---- streams -------------------------------------------------------------------------------- */

static ssize_t flow_read(void *context, uint64_t at, char *bytes, size_t size)
{
    (void)at;
    Flow *flow = context;
    Http *http = flow->http;
    pthread_mutex_lock(&http->lock);
    ssize_t len = http->over ? -1 : flow->stream.next(flow->stream.context, bytes, size);
    if (len == 0) {
        Sleeper *sleeper = mem_zero(sizeof *sleeper);
        *sleeper = (Sleeper){.connection = flow->connection, .next = http->sleepers};
        http->sleepers = sleeper;
        MHD_suspend_connection(flow->connection);
    }
    pthread_mutex_unlock(&http->lock);
    return len < 0 ? MHD_CONTENT_READER_END_OF_STREAM : len;
}

static void flow_free(void *context)
{
    Flow *flow = context;
    if (flow->stream.done != NULL)
        flow->stream.done(flow->stream.context);
    free(flow);
}

void http_wake(Http *http)
{
    guests_sweep(http->guests);
    pthread_mutex_lock(&http->lock);
    Sleeper *all = http->sleepers;
    http->sleepers = NULL;
    while (all != NULL) {
        Sleeper *next = all->next;
        MHD_resume_connection(all->connection);
        free(all);
        all = next;
    }
    pthread_mutex_unlock(&http->lock);
}

/* ---- answers -------------------------------------------------------------------------------- */

static struct MHD_Response *make_response(Http *http, struct MHD_Connection *connection,
                                          const HttpReply *reply)
{
    if (reply->stream.next == NULL)
        return MHD_create_response_from_buffer(reply->len, (void *)(uintptr_t)reply->body,
                                               MHD_RESPMEM_MUST_COPY);
    Flow *flow = mem_zero(sizeof *flow);
    *flow = (Flow){.http = http, .stream = reply->stream, .connection = connection};
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, flow_read, flow, flow_free);
}

static void add_cors(struct MHD_Response *response)
{
    (void)MHD_add_response_header(response, "Access-Control-Allow-Origin", "*");
    (void)MHD_add_response_header(response, "Access-Control-Expose-Headers", "ETag, Retry-After");
}

static enum MHD_Result send_reply(Http *http, struct MHD_Connection *connection, const HttpRoute *route,
                                  const HttpReply *reply)
{
    struct MHD_Response *response = make_response(http, connection, reply);
    if (response == NULL)
        return MHD_NO;
    if (reply->type != NULL)
        (void)MHD_add_response_header(response, "Content-Type", reply->type);
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < reply->header_count; i++)
        (void)MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    if (route != NULL && route->cors)
        add_cors(response);
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)reply->code, response);
    MHD_destroy_response(response);
    return queued;
}

/* ---- routes --------------------------------------------------------------------------------- */

static bool path_fits(const HttpRoute *route, const char *path, const char **ret_rest)
{
    size_t len = strlen(route->path);
    *ret_rest = "";
    if (len == 0 || route->path[len - 1] != '*')
        return str_eq(route->path, path);
    if (strncmp(route->path, path, len - 1) != 0)
        return false;
    *ret_rest = path + len - 1;
    return true;
}

static bool method_fits(const HttpRoute *route, const char *method)
{
    return str_eq(route->method, method) || (str_eq(route->method, "GET") && str_eq(method, "HEAD"));
}

static bool is_token(const Http *http, const char *given)
{
    size_t len = http->options.token == NULL ? 0 : strlen(http->options.token);
    return len > 0 && given != NULL && strlen(given) == len &&
           CRYPTO_memcmp(given, http->options.token, len) == 0;
}

static bool is_trusted(const Http *http, const HttpRequest *request)
{
    const char *bearer = http_header(request, "Authorization");
    return (bearer != NULL && strncasecmp(bearer, "Bearer ", 7) == 0 && is_token(http, bearer + 7)) ||
           is_token(http, http_header(request, "X-API-Key"));
}

static void refuse_untrusted(const Http *http, const HttpRequest *request, HttpReply *reply)
{
    if (http->options.token == NULL) {
        http_reply_error(request, reply, MHD_HTTP_FORBIDDEN, "privilege",
                         "this server only shows; it was started without a token",
                         "start it with --token-file, and send the token");
        return;
    }
    http_reply_header(reply, "WWW-Authenticate", "Bearer");
    http_reply_error(request, reply, MHD_HTTP_UNAUTHORIZED, "privilege", "this needs the token",
                     "send it as Authorization: Bearer TOKEN");
}

/* What the browser asks first. */
static void answer_preflight(HttpReply *reply)
{
    reply->code = MHD_HTTP_NO_CONTENT;
    http_reply_header(reply, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    http_reply_header(reply, "Access-Control-Allow-Headers",
                      "content-type, authorization, x-api-key, if-none-match");
    http_reply_header(reply, "Access-Control-Max-Age", "600");
}

static void refuse_path(const HttpRequest *request, HttpReply *reply, const char *methods)
{
    if (methods[0] == '\0') {
        http_reply_error(request, reply, MHD_HTTP_NOT_FOUND, "usage", "there is nothing here",
                         "/api/v1/openapi.json tells what there is");
        return;
    }
    http_reply_header(reply, "Allow", methods);
    http_reply_error(request, reply, MHD_HTTP_METHOD_NOT_ALLOWED, "usage", "this path has no such method",
                     NULL);
}

/* As the API says it, and as OFREP does. */
static void refuse_size(const HttpRequest *request, HttpReply *reply)
{
    static const char why[] = "the body is larger than 1 MiB";
    http_reply_json(request, reply, MHD_HTTP_CONTENT_TOO_LARGE,
                    json_pack("{s:i, s:{s:s, s:s, s:n}, s:s}", "v", 1, "error", "kind", "usage", "message",
                              why, "hint", "errorDetails", why));
}

/* The route that answers; NULL where the reply is made already. */
static const HttpRoute *find_route(const Http *http, HttpRequest *request, HttpReply *reply,
                                   const HttpRoute **ret_near)
{
    CLEANUP(str_donep) Str methods = STR_INIT;
    const char *rest = "";
    for (size_t i = 0; i < http->options.route_count; i++) {
        const HttpRoute *route = &http->options.routes[i];
        if (!path_fits(route, request->path, &rest))
            continue;
        *ret_near = route;
        if (method_fits(route, request->method)) {
            request->rest = rest;
            return route;
        }
        str_sep(&methods, ", ");
        str_add(&methods, route->method);
    }
    if (*ret_near != NULL && (*ret_near)->cors && str_eq(request->method, "OPTIONS"))
        answer_preflight(reply);
    else
        refuse_path(request, reply, arena_dup(request->arena, methods.buf));
    return NULL;
}

/* ---- who may ask ---------------------------------------------------------------------------- */

static bool may_be_asked_as(const Http *http, const char *host)
{
    const HttpOptions *options = &http->options;
    bool any = !http->loopback && options->public_host_count == 0;
    return host == NULL || any || host_is_loopback(host) || (!http->loopback && host_is_address(host)) ||
           host_is_listed(host, options->public_hosts, options->public_host_count);
}

/* True: refused, and the reply says why. A browser names the site of the page that asks in Origin. */
static bool refuse_site(const Http *http, const HttpRequest *request, const HttpRoute *route,
                        HttpReply *reply)
{
    const char *host = http_header(request, "Host"), *origin = http_header(request, "Origin");
    if (!may_be_asked_as(http, host)) {
        http_reply_error(request, reply, MHD_HTTP_MISDIRECTED_REQUEST, "usage",
                         "the Host of this request is none of this server's names",
                         "ask for localhost, or start it with --public-host NAME");
        return true;
    }
    if (route == NULL || route->access != HTTP_ACTS || origin == NULL || origin_is_host(origin, host))
        return false;
    http_reply_error(request, reply, MHD_HTTP_FORBIDDEN, "privilege",
                     "a page of another site may not ask for this",
                     "ask from a page of this server, or without a browser");
    return true;
}

static void make_reply(const Http *http, const Exchange *exchange, const HttpRoute *route, HttpReply *reply)
{
    const HttpRequest *request = &exchange->request;
    if (route == NULL)
        return;
    if (exchange->too_large)
        refuse_size(request, reply);
    else if (route->access == HTTP_ACTS && !request->trusted)
        refuse_untrusted(http, request, reply);
    else
        route->handle(route->context, request, reply);
}

/* The access log. Never the query, which may hold anything. */
static void log_answer(struct MHD_Connection *connection, const HttpRequest *request, int code,
                       double seconds)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char from[64] = "?";
    if (!log_wanted(LOG_DEBUG))
        return;
    if (info != NULL && info->client_addr != NULL) {
        socklen_t len = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                 : sizeof(struct sockaddr_in);
        (void)getnameinfo(info->client_addr, len, from, sizeof from, NULL, 0, NI_NUMERICHOST);
    }
    CLEANUP(mem_freep) char *method = utf8_line(request->method);
    CLEANUP(mem_freep) char *path = utf8_line(request->path);
    log_line(LOG_DEBUG, "%s %.20s %.500s %d %.1f ms", from, method, path, code, seconds * 1000);
}

static Guest *guest_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

static enum MHD_Result answer(Http *http, struct MHD_Connection *connection, Exchange *exchange)
{
    HttpRequest *request = &exchange->request;
    HttpReply reply = {.code = MHD_HTTP_OK};
    const HttpRoute *near = NULL;
    request->body = exchange->body.buf;
    request->body_len = exchange->body.len;
    request->trusted = is_trusted(http, request);
    guest_busy(http->guests, guest_of(connection), true);
    const HttpRoute *route = find_route(http, request, &reply, &near);
    if (refuse_site(http, request, route, &reply))
        near = route = NULL;
    else
        make_reply(http, exchange, route, &reply);
    double seconds = (double)(clock_us() - exchange->since_us) / 1e6;
    log_answer(connection, request, reply.code, seconds);
    if (http->options.answered != NULL)
        http->options.answered(http->options.answered_context, route, reply.code, seconds);
    return send_reply(http, connection, near, &reply);
}

/* ---- libmicrohttpd -------------------------------------------------------------------------- */

static Exchange *exchange_new(struct MHD_Connection *connection, const char *path, const char *method)
{
    Exchange *exchange = mem_zero(sizeof *exchange);
    Arena *arena = arena_new();
    exchange->body = STR_INIT;
    exchange->since_us = clock_us();
    exchange->request = (HttpRequest){.arena = arena,
                                      .method = arena_dup(arena, method),
                                      .path = arena_dup(arena, path),
                                      .rest = "",
                                      .connection = connection};
    return exchange;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **state)
{
    (void)version;
    Exchange *exchange = *state;
    if (exchange == NULL) {
        *state = exchange_new(connection, path, method);
        return MHD_YES;
    }
    if (*size == 0)
        return answer(context, connection, exchange);
    if (exchange->body.len + *size > BODY_MOST_BYTES)
        exchange->too_large = true;
    else
        str_addn(&exchange->body, data, *size);
    *size = 0;
    return MHD_YES;
}

static void on_end(void *context, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode why)
{
    Http *http = context;
    (void)why;
    Exchange *exchange = *state;
    if (exchange == NULL)
        return;
    guest_busy(http->guests, guest_of(connection), false);
    str_done(&exchange->body);
    arena_free(exchange->request.arena);
    free(exchange);
    *state = NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **guest,
                          enum MHD_ConnectionNotificationCode what)
{
    Http *http = context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *guest = guest_come(http->guests, info->connect_fd);
    } else {
        guest_leave(http->guests, *guest);
    }
}

/* Decodes once; a NUL would end the path early, so it stands as it is written. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strstr(text, "%00") != NULL ? strlen(text) : MHD_http_unescape(text);
}

/* As many as there are descriptors for; others of this program must not be left without. */
static unsigned connections_max(void)
{
    struct rlimit files = {0};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return CONNECTIONS_MAX / 4;
    if (files.rlim_cur < FILES_WANTED) {
        files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    rlim_t free_ones =
        files.rlim_cur > FILES_OF_OTHERS * 2 ? files.rlim_cur - FILES_OF_OTHERS : files.rlim_cur / 2;
    unsigned most = free_ones < CONNECTIONS_MAX ? (unsigned)free_ones : CONNECTIONS_MAX;
    return most < THREADS ? THREADS : most;
}

static Err *start_daemon(Http *http, int socket)
{
    const HttpOptions *options = &http->options;
    bool tls = options->tls_cert != NULL;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0U);
    unsigned most = connections_max();
    http->guests = guests_new(most);
    struct MHD_OptionItem items[] = {{MHD_OPTION_LISTEN_SOCKET, socket, NULL},
                                     {MHD_OPTION_CONNECTION_LIMIT, most, NULL},
                                     {MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, NULL},
                                     {MHD_OPTION_THREAD_POOL_SIZE, THREADS, NULL},
                                     {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL},
                                     {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_end, http},
                                     {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, http},
                                     {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)unescape, NULL},
                                     {MHD_OPTION_END, 0, NULL},
                                     {MHD_OPTION_END, 0, NULL},
                                     {MHD_OPTION_END, 0, NULL}};
    if (tls) {
        items[8] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->tls_cert};
        items[9] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->tls_key};
    }
    http->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
    if (http->daemon != NULL)
        return NULL;
    return tls ? err_hint(err_new(ERR_CONFIG, "cannot serve HTTPS with this certificate and key"),
                          "both are PEM files; the key must not have a passphrase")
               : err_new(ERR_IO, "cannot serve HTTP");
}

Err *http_start(const HttpOptions *options, Http **ret_http)
{
    int socket = -1;
    const char *at = NULL;
    Arena *arena = arena_new();
    Err *err = listen_open(arena, options->listen, &socket, &at);
    if (err != NULL) {
        arena_free(arena);
        return err;
    }
    Http *http = mem_zero(sizeof *http);
    http->options = *options;
    http->arena = arena;
    http->url = arena_printf(arena, "%s://%s", options->tls_cert != NULL ? "https" : "http", at);
    http->loopback = listen_is_loopback(socket);
    (void)pthread_mutex_init(&http->lock, NULL);
    err = start_daemon(http, socket);
    if (err != NULL) {
        listen_close(socket);
        http_stop(http);
        return err;
    }
    *ret_http = http;
    return NULL;
}

const char *http_url(const Http *http) { return http->url; }

void http_stop(Http *http)
{
    if (http == NULL)
        return;
    pthread_mutex_lock(&http->lock);
    http->over = true;
    pthread_mutex_unlock(&http->lock);
    http_wake(http);
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon);
    guests_free(http->guests);
    (void)pthread_mutex_destroy(&http->lock);
    arena_free(http->arena);
    free(http);
}
