/* The parts, put together. */
#include "serve/serve.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { LOOK_MS = 500, TEXTFILE_MS = 2000 };

/* A Serve with what only this file knows. */
typedef struct Whole {
    Serve serve;
    Arena *arena;
    Routes routes;
    int64_t written_ms; /* of the textfile; of the board's thread */
    bool write_failed;
} Whole;

/* Every few seconds, since its age tells whether anybody is there. What fails once is said once. */
static void write_textfile(Whole *whole, const Picture *picture)
{
    Serve *serve = &whole->serve;
    CLEANUP(str_donep) Str text = STR_INIT;
    if (whole->written_ms != 0 && clock_ms() - whole->written_ms < TEXTFILE_MS)
        return;
    whole->written_ms = clock_ms();
    serve_metrics(serve, picture, false, &text);
    Err *err = textfile_write(serve->options.textfile, &text);
    if (err != NULL && !whole->write_failed)
        log_line(LOG_WARN, "%s", err->msg);
    whole->write_failed = err != NULL;
    err_free(err);
}

/* How all ended. */
static void write_last_textfile(Whole *whole)
{
    const Picture *picture = board_take(whole->serve.board);
    whole->written_ms = 0;
    write_textfile(whole, picture);
    board_give(whole->serve.board, picture);
}

static void on_look(void *context, const Picture *picture, bool fresh)
{
    Serve *serve = context;
    atomic_store(&serve->looked_ms, clock_ms());
    if (serve->options.looked != NULL && picture->seen_ms > 0)
        serve->options.looked(serve->options.looked_context, picture);
    (void)fresh; /* streams say now and then that they are still there */
    if (picture->failed != NULL)
        serve->look_failures++;
    flags_look(serve->flags, picture);
    if (serve->http != NULL)
        http_wake(serve->http);
    if (serve->options.textfile != NULL)
        write_textfile((Whole *)context, picture);
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
    metrics_routes(serve, arena, routes);
    ofrep_routes(serve, arena, routes);
    page_routes(serve, arena, routes);
}

Err *serve_start(const ServeOptions *options, Serve **ret_serve)
{
    Whole *whole = mem_zero(sizeof *whole);
    Serve *serve = &whole->serve;
    whole->arena = arena_new();
    *serve = (Serve){.options = *options, .since_ms = clock_ms(), .looked_ms = clock_ms()};
    serve->counts = http_counts_new();
    serve_routes(serve, whole->arena, &whole->routes);
    BoardOptions board = {.run = options->run,
                          .every_ms = LOOK_MS,
                          .looks_at_end = options->textfile != NULL,
                          .looked = on_look,
                          .context = serve};
    ActorOptions actor = options->actor;
    actor.ended = on_act;
    actor.context = serve;
    serve->board = board_new(&board);
    serve->actor = actor_new(&actor);
    serve->flags = flags_new(&(FlagsOptions){.state_file = options->state_file,
                                             .flagd_file = options->flagd_file,
                                             .label = options->run->database_label,
                                             .environment = options->environment});
    HttpOptions http = {.listen = options->listen,
                        .token = options->token,
                        .tls_cert = options->tls_cert,
                        .tls_key = options->tls_key,
                        .public_hosts = options->public_hosts,
                        .public_host_count = options->public_host_count,
                        .routes = whole->routes.items,
                        .route_count = whole->routes.len,
                        .answered = http_counts_answered,
                        .answered_context = serve->counts};
    Err *err = options->listen == NULL ? NULL : http_start(&http, &serve->http);
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
    if (serve->options.textfile != NULL)
        write_last_textfile(whole);
    http_stop(serve->http); /* which read its picture */
    actor_free(serve->actor);
    flags_free(serve->flags);
    board_free(serve->board);
    http_counts_free(serve->counts);
    arena_free(whole->arena);
    free(whole);
}
