/* http.h — HTTP/1.1 over libmicrohttpd: a table of routes, who may do what, limits, and streams that go on.
 *
 * Handlers run on the server's threads and must answer from memory: they never talk to a database. */
#pragma once
#include "base/arena.h"

#include <jansson.h>

typedef struct Http Http;

typedef struct HttpRequest {
    Arena *arena;              /* as long as the request */
    const char *method, *path; /* percent-decoded once, without the query */
    const char *rest;          /* what the star of the route stands for; "" */
    const char *body;          /* NUL-terminated; "" */
    size_t body_len;
    bool trusted; /* it came with the token */
    void *connection;
} HttpRequest;

/* NULL where it is not there. Valid as long as the request. */
const char *http_header(const HttpRequest *request, const char *name);
const char *http_query(const HttpRequest *request, const char *name);

/* An answer that goes on: `next` fills at most `size` bytes and returns how many; 0: nothing now, it is asked
 * again after http_wake(); -1: the end. `done` is called once, when nobody is there any more. */
typedef struct HttpStream {
    ssize_t (*next)(void *context, char *bytes, size_t size);
    void (*done)(void *context);
    void *context;
} HttpStream;

enum { HTTP_HEADERS_MAX = 8 };

typedef struct HttpReply {
    int code;
    const char *type; /* content type; NULL: there is no body */
    const char *body; /* in the request's arena, or static */
    size_t len;
    struct {
        const char *name, *value;
    } headers[HTTP_HEADERS_MAX];
    size_t header_count;
    HttpStream stream; /* in place of a body where `next` is set */
} HttpReply;

void http_reply_header(HttpReply *reply, const char *name, const char *value);
/* Takes the object over. */
void http_reply_json(const HttpRequest *request, HttpReply *reply, int code, json_t *json);
/* {"v":1,"error":{"kind":…,"message":…,"hint":…}}, as --json has it. `hint` may be NULL. */
void http_reply_error(const HttpRequest *request, HttpReply *reply, int code, const char *kind,
                      const char *message, const char *hint);
/* Answers 304 where the request's If-None-Match has this ETag, which is set in any case; true then. */
bool http_not_modified(const HttpRequest *request, HttpReply *reply, const char *etag);

typedef enum HttpAccess {
    HTTP_READS, /* for everyone who can reach the port */
    HTTP_ACTS,  /* with the token only */
} HttpAccess;

typedef struct HttpRoute {
    const char *method; /* "GET" answers HEAD too */
    const char *path;   /* "/api/v1/changes", "/api/v1/changes/" with a star at the end */
    HttpAccess access;
    bool cors; /* pages from elsewhere may ask */
    void (*handle)(void *context, const HttpRequest *request, HttpReply *reply);
    void *context;
} HttpRoute;

typedef struct HttpOptions {
    const char *listen; /* "127.0.0.1:8686", "[::1]:8686", ":8686" (all addresses), "8686" (loopback) */
    const char *token;  /* NULL: nothing that acts is allowed */
    const char *tls_cert, *tls_key; /* PEM texts; NULL: plain */
    /* Names that requests may be made to beside localhost. Without any, and not on loopback: every name. */
    const char *const *public_hosts;
    size_t public_host_count;
    const HttpRoute *routes; /* must live as long as the server; the first that fits answers */
    size_t route_count;
    /* Told after each answer, for metrics; may be NULL. Called on any of the server's threads. */
    void (*answered)(void *context, const HttpRoute *route, int code, double seconds);
    void *answered_context;
} HttpOptions;

/* Errors: ERR_USAGE for an address that is none, ERR_IO where it cannot be listened to, ERR_CONFIG for a key
 * or certificate that is none. */
Err *http_start(const HttpOptions *options, Http **ret_http) MUST_USE;
/* Where it listens, "http://127.0.0.1:8686"; for port 0 with the port that it got. */
const char *http_url(const Http *http);
/* All streams are asked again. From any thread. */
void http_wake(Http *http);
/* Ends streams, answers what is under way, and forgets the rest. */
void http_stop(Http *http);
