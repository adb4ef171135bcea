/* Flags from bytes. The first one says what the others are: a key, a state file, an operator's word, a
 * request of an OpenFeature client (path, If-None-Match and prefix a line each, then the body), or what the
 * journal says. */
#include "serve/serve.h"

#include "base/str.h"
#include "run/run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- in place of what talks to the world ----------------------------------------------------- */

static struct {
    const char *etag, *prefix;
} headers;

Err *run_view_open(const RunOptions *options UNUSED, RunView **ret_view UNUSED)
{
    return err_new(ERR_CONNECT, "none");
}
Err *run_view_look(RunView *view UNUSED, Arena *arena UNUSED, int64_t after UNUSED,
                   json_t **ret_changes UNUSED, json_t **ret_events UNUSED)
{
    return err_new(ERR_CONNECT, "none");
}
const json_t *run_view_flags(const RunView *view UNUSED) { return NULL; }
const Server *run_view_server(const RunView *view UNUSED) { return NULL; }
void run_view_close(RunView *view UNUSED) {}
const char *http_header(const HttpRequest *request UNUSED, const char *name)
{
    return str_eq(name, "If-None-Match")        ? headers.etag
           : str_eq(name, "X-Forwarded-Prefix") ? headers.prefix
                                                : NULL;
}
const char *http_query(const HttpRequest *request UNUSED, const char *name UNUSED) { return NULL; }
void http_reply_header(HttpReply *reply, const char *name, const char *value)
{
    if (reply->header_count == HTTP_HEADERS_MAX)
        return;
    reply->headers[reply->header_count].name = name;
    reply->headers[reply->header_count++].value = value;
}
void http_reply_json(const HttpRequest *request, HttpReply *reply, int code, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    if (text == NULL)
        abort(); /* an answer that is none */
    reply->code = code;
    reply->type = "application/json";
    reply->body = arena_dup(request->arena, text);
    reply->len = strlen(text);
    free(text);
    json_decref(json);
}
void http_reply_error(const HttpRequest *request, HttpReply *reply, int code, const char *kind,
                      const char *message, const char *hint)
{
    http_reply_json(request, reply, code,
                    json_pack("{s:s, s:s, s:s?}", "kind", kind, "message", message, "hint", hint));
}
bool http_not_modified(const HttpRequest *request, HttpReply *reply, const char *etag)
{
    http_reply_header(reply, "ETag", etag);
    bool same = http_header(request, "If-None-Match") != NULL && str_eq(headers.etag, etag);
    reply->code = same ? 304 : reply->code;
    return same;
}
void http_wake(Http *http UNUSED) {}

/* ---- what is asked of ------------------------------------------------------------------------ */

static const char changes_text[] =
    "[{\"name\":\"w\",\"state\":\"ready\",\"phase\":\"ready\",\"ready_position\":\"0/"
    "1\",\"columns\":[{\"schema\":\"public\","
    "\"table\":\"orders\",\"column\":\"c\",\"is\":\"added\"},{\"schema\":\"a.b\",\"table\":\"T "
    "\\\"q\\\"\",\"column\":\"é\",\"is\":"
    "\"added\"}],\"steps\":[{\"phase\":\"expand\",\"kind\":\"ddl\",\"state\":\"done\"}]},"
    "{\"name\":\"x\",\"state\":\"running\",\"phase\":\"backfill\",\"columns\":[{\"schema\":\"public\","
    "\"table\":\"orders\","
    "\"column\":\"c\",\"is\":\"added\"},{\"schema\":\"s2\",\"table\":\"orders\",\"column\":\"d\",\"is\":"
    "\"dropped\"}],\"steps\":"
    "[{\"phase\":\"expand\",\"kind\":\"ddl\",\"state\":\"done\"},{\"phase\":\"backfill\",\"kind\":"
    "\"backfill\",\"state\":"
    "\"running\"}]}]";
static const char said_text[] =
    "[{\"flag\":\"schema.public.orders.c.write\",\"set\":\"25%\",\"at\":\"2026-11-20T21:04:31Z\"},"
    "{\"flag\":\"schema.public.orders.c.stage\",\"set\":\"off\",\"at\":\"2026-11-20T21:04:32Z\"}]";

static Serve *the_server(void)
{
    static Serve serve;
    if (serve.flags != NULL)
        return &serve;
    json_t *changes = json_loads(changes_text, 0, NULL), *said = json_loads(said_text, 0, NULL);
    serve.board = board_new(&(BoardOptions){.every_ms = 500});
    serve.flags = flags_new(&(FlagsOptions){.label = "fuzz"});
    const Picture picture = {.seen_ms = 1,
                             .changes = changes,
                             .flags = said,
                             .engine = "postgres",
                             .server = "15",
                             .database = "shop",
                             .system_id = "7/1"};
    flags_look(serve.flags, &picture);
    if (!flags_known(serve.flags))
        abort();
    json_decref(changes);
    json_decref(said);
    return &serve;
}

/* ---- the kinds ------------------------------------------------------------------------------- */

/* What is found under a name is found under its key in full. */
static void try_key(const char *text)
{
    Serve *serve = the_server();
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *why = NULL, *plain = flag_key_plain(arena, text);
    if (strlen(plain) > strlen(text))
        abort();
    const FlagSet *set = flags_take(serve->flags);
    const Flag *flag = flagset_find(set, arena, text, &why);
    if (flag == NULL ? why == NULL : flagset_find(set, arena, flag->key, &why) != flag)
        abort();
    const char *part = flag_key_part(arena, text);
    if (text[0] != '\0' && strchr(flag_key_plain(arena, part), FLAG_PART_END) != NULL &&
        strchr(text, FLAG_PART_END) == NULL)
        abort(); /* a quoted name is one part */
    flags_give(serve->flags, set);
}

static void try_state_file(const char *text, size_t len)
{
    static char path[64];
    if (path[0] == '\0')
        (void)snprintf(path, sizeof path, "/dev/shm/stoa-fuzz-flags-%d", (int)getpid());
    FILE *file = fopen(path, "we");
    if (file == NULL || fwrite(text, 1, len, file) != len || fclose(file) != 0)
        abort();
    Flags *flags = flags_new(&(FlagsOptions){.state_file = path, .label = "fuzz"});
    const FlagSet *set = flags_take(flags);
    if (set != NULL) {
        bool split = false;
        json_t *bulk = json_loads(flagset_bulk(set, &split).text, 0, NULL),
               *flagd = json_loads(flagset_flagd(set).text, 0, NULL), *told = flagset_told(set);
        if (bulk == NULL || flagd == NULL || told == NULL)
            abort();
        json_decref(bulk);
        json_decref(flagd);
        json_decref(told);
        flags_give(flags, set);
    }
    flags_free(flags);
    (void)unlink(path);
}

static void try_word(const char *text)
{
    int share = flag_share_read(text);
    if (share < -1 || share > FLAG_SHARE_ALL)
        abort();
    for (int at = 0; at < 2; at++)
        (void)flag_share_has(text, text, strlen(text), at == 0 ? 0 : FLAG_SHARE_ALL);
    if (flag_share_has("k", text, strlen(text), 0) ||
        !flag_share_has("k", text, strlen(text), FLAG_SHARE_ALL))
        abort(); /* nobody, everybody */
}

/* Up to the end of the line. */
static char *take_line(Arena *arena, const char **at, const char *end)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t len = (size_t)((stop == NULL ? end : stop) - *at);
    char *line = arena_dupn(arena, *at, len);
    *at = stop == NULL ? end : stop + 1;
    return line;
}

static const HttpRoute *route_of(const Routes *routes, const char *method, const char *path)
{
    for (size_t i = 0; i < routes->len; i++)
        if (str_eq(routes->items[i].method, method) && str_eq(routes->items[i].path, path))
            return &routes->items[i];
    abort();
}

static void must_be_json(const HttpReply *reply)
{
    if (reply->code == 304 && reply->body == NULL)
        return;
    json_t *json = json_loadb(reply->body, reply->len, 0, NULL);
    if (!json_is_object(json))
        abort();
    json_decref(json);
}

static void try_request(const char *text, size_t len)
{
    static Routes routes;
    static Arena *kept;
    if (kept == NULL) {
        kept = arena_new();
        ofrep_routes(the_server(), kept, &routes);
    }
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *at = text, *end = text + len, *path = take_line(arena, &at, end);
    headers.etag = take_line(arena, &at, end);
    headers.prefix = take_line(arena, &at, end);
    HttpRequest request = {.arena = arena,
                           .method = "POST",
                           .path = path,
                           .rest = path,
                           .body = arena_dupn(arena, at, (size_t)(end - at)),
                           .body_len = (size_t)(end - at)};
    static const char *const paths[] = {"/ofrep/v1/evaluate/flags/*", "/ofrep/v1/evaluate/flags"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        HttpReply reply = {.code = 200};
        const HttpRoute *route = route_of(&routes, "POST", paths[i]);
        request.rest = i == 0 ? path : "";
        route->handle(route->context, &request, &reply);
        must_be_json(&reply);
    }
    static const char *const gets[] = {"/flagd/flags.json", "/api/v1/flags"};
    for (size_t i = 0; i < ARRAY_LEN(gets); i++) {
        HttpReply reply = {.code = 200};
        const HttpRoute *route = route_of(&routes, "GET", gets[i]);
        route->handle(route->context, &request, &reply);
        must_be_json(&reply);
    }
}

/* {"changes": […], "flags": […], "system": "…"}, twice: another system is not believed at once. */
static void try_journal(const char *text, size_t len)
{
    json_t *json = json_loadb(text, len, 0, NULL), *none = json_array();
    json_t *changes = json_object_get(json, "changes"), *said = json_object_get(json, "flags");
    const char *system = json_string_value(json_object_get(json, "system"));
    Picture picture = {.seen_ms = 1,
                       .changes = json_is_array(changes) ? changes : none,
                       .flags = json_is_array(said) ? said : none,
                       .engine = "postgres",
                       .server = "15",
                       .database = "shop",
                       .system_id = "7/1"};
    Flags *flags = flags_new(&(FlagsOptions){.label = "fuzz", .environment = "e"});
    for (int at = 0; at < 3 && json != NULL; at++) {
        flags_look(flags, &picture);
        picture.system_id = system == NULL ? "7/2" : system;
        CLEANUP(str_donep) Str out = STR_INIT;
        metrics_write(&out, at == 1, &(MetricsSource){.picture = &picture, .now_ms = 10, .wall_ms = 10});
    }
    flags_free(flags);
    json_decref(json);
    json_decref(none);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { KINDS = 5 };
    if (size < 2)
        return 0;
    size_t len = size - 1;
    char *text = malloc(len + 1);
    if (text == NULL)
        abort();
    memcpy(text, data + 1, len);
    text[len] = '\0';
    switch (data[0] % KINDS) {
    case 0:
        try_key(text);
        break;
    case 1:
        try_state_file(text, len);
        break;
    case 2:
        try_word(text);
        break;
    case 3:
        try_request(text, len);
        break;
    default:
        try_journal(text, len);
        break;
    }
    free(text);
    return 0;
}
