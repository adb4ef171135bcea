/* The parts, put together. */
#include "serve/serve.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { LOOK_MS = 500 };

/* A Serve with what only this file knows. */
typedef struct Whole {
    Serve serve;
    Arena *arena;
    Routes routes;
} Whole;

static void on_look(void *context, const Picture *picture, bool fresh)
{
    Serve *serve = context;
    (void)fresh;
    atomic_store(&serve->looked_ms, clock_ms());
    if (serve->options.looked != NULL && picture->seen_ms > 0)
        serve->options.looked(serve->options.looked_context, picture);
    http_wake(serve->http); /* also without news: streams say now and then that they are still there */
}

/* Something was changed by us: the journal knows already. */
static void on_act(void *context)
{
    Serve *serve = context;
    board_hurry(serve->board);
}

void serve_routes(Serve *serve, Arena *arena, Routes *routes)
{
    api_routes(serve, arena, routes);
    openapi_routes(serve, arena, routes);
}

Err *serve_start(const ServeOptions *options, Serve **ret_serve)
{
    Whole *whole = mem_zero(sizeof *whole);
    Serve *serve = &whole->serve;
    whole->arena = arena_new();
    *serve = (Serve){.options = *options, .since_ms = clock_ms(), .looked_ms = clock_ms()};
    serve_routes(serve, whole->arena, &whole->routes);
    BoardOptions board = {.run = options->run, .every_ms = LOOK_MS, .looked = on_look, .context = serve};
    ActorOptions actor = options->actor;
    actor.ended = on_act;
    actor.context = serve;
    serve->board = board_new(&board);
    serve->actor = actor_new(&actor);
    HttpOptions http = {.listen = options->listen,
                        .token = options->token,
                        .tls_cert = options->tls_cert,
                        .tls_key = options->tls_key,
                        .public_hosts = options->public_hosts,
                        .public_host_count = options->public_host_count,
                        .routes = whole->routes.items,
                        .route_count = whole->routes.len};
    Err *err = http_start(&http, &serve->http);
    if (err == NULL)
        err = board_go(serve->board);
    if (err != NULL) {
        serve_stop(serve);
        return err;
    }
    *ret_serve = serve;
    return NULL;
}

void serve_stop(Serve *serve)
{
    Whole *whole = (Whole *)(void *)serve;
    if (serve == NULL)
        return;
    board_halt(serve->board); /* it wakes streams */
    http_stop(serve->http);   /* which read its picture */
    actor_free(serve->actor);
    board_free(serve->board);
    arena_free(whole->arena);
    free(whole);
}
