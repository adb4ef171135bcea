/* serve.h — one database over HTTP: health, API, metrics, flags, the page. */
#pragma once
#include "serve/actor.h"
#include "serve/board.h"
#include "serve/flags.h"
#include "serve/http.h"
#include "serve/metrics.h"

typedef struct ServeOptions {
    const RunOptions *run;               /* must live as long as it serves */
    const char *listen;                  /* NULL: nothing is served, a textfile alone is written */
    const char *token;                   /* NULL: it only shows */
    const char *tls_cert, *tls_key;      /* PEM texts; NULL */
    const char *environment;             /* "production"; NULL */
    const char *signers;                 /* file of allowed signers, for approvals; NULL: none are taken */
    const char *textfile;                /* metrics are written there every few seconds; NULL */
    const char *state_file, *flagd_file; /* as FlagsOptions has them; NULL */
    const char *const *public_hosts;     /* as HttpOptions has them */
    size_t public_host_count;
    /* Sees the picture after each look, on the board's thread; may be NULL. */
    void (*looked)(void *context, const Picture *picture);
    void *looked_context;
    ActorOptions actor; /* but for `ended` */
} ServeOptions;

/* What all parts of the server share. */
typedef struct Serve {
    ServeOptions options;
    Board *board;
    Actor *actor;
    Flags *flags;
    Http *http; /* NULL without options.listen */
    HttpCounts *counts;
    _Atomic int64_t look_failures;
    int64_t since_ms;          /* clock_ms() of the start */
    _Atomic int64_t looked_ms; /* clock_ms() of the last look, whatever came of it */
} Serve;

/* Starts board and server. Errors as http_start(). */
Err *serve_start(const ServeOptions *options, Serve **ret_serve) MUST_USE;
void serve_stop(Serve *serve); /* NULL is fine */

/* Each part adds its routes; contexts are the Serve. */
typedef VEC(HttpRoute) Routes;
void api_routes(Serve *serve, Arena *arena, Routes *routes);
void openapi_routes(Serve *serve, Arena *arena, Routes *routes);
void metrics_routes(Serve *serve, Arena *arena, Routes *routes);
void ofrep_routes(Serve *serve, Arena *arena, Routes *routes);
void page_routes(Serve *serve, Arena *arena, Routes *routes);
/* Those of all parts, in the order in which they are asked. */
void serve_routes(Serve *serve, Arena *arena, Routes *routes);

/* Answers with what an act was refused for; takes the error over. */
void api_refuse(const HttpRequest *request, HttpReply *reply, Err *err);

/* Where the role may only read: 403. */
void api_refuse_to_write(const HttpRequest *request, HttpReply *reply);

/* metrics_route.c: the metrics of this picture, now. */
void serve_metrics(Serve *serve, const Picture *picture, bool open, Str *text);
