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

/* What operators say of a share of targets is not told: everybody else gets the value. */
static FlagValue value_of(const Serve *serve, Arena *arena, const Flag *flag)
{
    bool told = flag->kind != FLAG_STAGE && flag->unproved == NULL;
    return (FlagValue){.flag = arena_dup(arena, flag->key),
                       .environment = serve->options.environment,
                       .value = told ? flag->in.on : -1,
                       .evaluations = flag->counted == NULL ? -1 : atomic_load(&flag->counted->values),
                       .errors = flag->counted == NULL ? -1 : atomic_load(&flag->counted->errors)};
}

static size_t flag_values(void *context, Arena *arena, FlagValue *values, size_t size)
{
    const Serve *serve = context;
    size_t count = 0;
    const FlagSet *set = flags_take(serve->flags);
    for (size_t i = 0; set != NULL && i < flagset_count(set) && count < size; i++)
        values[count++] = value_of(serve, arena, flagset_at(set, i));
    if (set != NULL)
        flags_give(serve->flags, set);
    return count;
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
                                   .flags_not_found = flags_counted(serve->flags, FLAG_REASON_COUNT),
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
