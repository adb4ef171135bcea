/* GET /metrics. */
#include "serve/serve.h"

#include "base/clock.h"

#include <string.h>
#include <time.h>

static int64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Where they are put. */
typedef struct FlagList {
    Arena *arena;
    FlagValue *values;
    size_t size, count;
    const char *environment;
} FlagList;

static void add_flag(void *context, const char *key, bool value)
{
    FlagList *list = context;
    if (list->count < list->size)
        list->values[list->count++] = (FlagValue){.flag = arena_dup(list->arena, key),
                                                  .environment = list->environment,
                                                  .value = value,
                                                  .evaluations = -1};
}

/* Who asks for which one is not counted: that would cost the answer more than the answer itself. */
static size_t flag_values(void *context, Arena *arena, FlagValue *values, size_t size)
{
    Serve *serve = context;
    FlagList list = {
        .arena = arena, .values = values, .size = size, .environment = serve->options.environment};
    (void)flags_each(serve, add_flag, &list);
    return list.count;
}

void serve_metrics(Serve *serve, const Picture *picture, bool open, Str *text)
{
    metrics_write(text, open,
                  &(MetricsSource){.picture = picture,
                                   .environment = serve->options.environment,
                                   .http = serve->http == NULL ? NULL : serve->counts,
                                   .look_failures = serve->look_failures,
                                   .flag_values = flag_values,
                                   .flag_context = serve,
                                   .now_ms = clock_ms(),
                                   .wall_ms = wall_ms()});
}

static void get_metrics(void *context, const HttpRequest *request, HttpReply *reply)
{
    Serve *serve = context;
    CLEANUP(str_donep) Str text = STR_INIT;
    const char *accept = http_header(request, "Accept");
    bool open = accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;
    const Picture *picture = board_take(serve->board);
    serve_metrics(serve, picture, open, &text);
    board_give(serve->board, picture);
    reply->type = open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                       : "text/plain; version=0.0.4; charset=utf-8";
    reply->body = arena_dupn(request->arena, text.buf, text.len);
    reply->len = text.len;
    http_reply_header(reply, "Vary", "Accept");
    http_reply_header(reply, "Cache-Control", "no-store");
}

void metrics_routes(Serve *serve, Arena *arena, Routes *routes)
{
    *vec_push(arena, routes) = (HttpRoute){"GET", "/metrics", HTTP_READS, false, get_metrics, serve};
}
