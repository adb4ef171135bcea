/* /api/v1: changes and events as JSON, events as a stream, and what may be asked for; health. */
#include "serve/serve.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum { STALE_MS = 5000, STILL_THERE_MS = 15000 };

/* ---- pictures as JSON ----------------------------------------------------------------------- */

/* The picture's own objects are shared by all threads, and never changed. */
static json_t *shared(const json_t *json) { return json_incref((json_t *)(uintptr_t)json); }

static int64_t age_ms(const Picture *picture)
{
    return picture->seen_ms == 0 ? -1 : clock_ms() - picture->seen_ms;
}

static json_t *about(const Serve *serve, const Picture *picture)
{
    return json_pack("{s:i, s:s, s:s, s:s, s:s?, s:s, s:s, s:I, s:I, s:s?}", "v", 1, "stoa", STOA_VERSION,
                     "engine", picture->engine, "server", picture->server, "environment",
                     serve->options.environment, "database", picture->database, "system", picture->system_id,
                     "picture", (json_int_t)picture->number, "age_ms", (json_int_t)age_ms(picture), "failed",
                     picture->failed);
}

static void get_status(void *context, const HttpRequest *request, HttpReply *reply)
{
    Serve *serve = context;
    const Picture *picture = board_take(serve->board);
    json_t *json = about(serve, picture);
    (void)json_object_set_new(json, "changes", shared(picture->changes));
    (void)json_object_set_new(json, "acts", actor_told(serve->actor));
    (void)json_object_set_new(json, "may_act", json_boolean(request->trusted && !picture->reads_only));
    (void)json_object_set_new(json, "reads_only", json_boolean(picture->reads_only));
    (void)json_object_set_new(json, "has_token", json_boolean(serve->options.token != NULL));
    (void)json_object_set_new(json, "takes_approvals", json_boolean(serve->options.signers != NULL));
    http_reply_json(request, reply, 200, json);
    board_give(serve->board, picture);
}

static void get_changes(void *context, const HttpRequest *request, HttpReply *reply)
{
    Serve *serve = context;
    const Picture *picture = board_take(serve->board);
    http_reply_json(request, reply, 200,
                    json_pack("{s:i, s:o}", "v", 1, "changes", shared(picture->changes)));
    board_give(serve->board, picture);
}

static void no_change(const HttpRequest *request, HttpReply *reply, const char *name)
{
    http_reply_error(request, reply, 404, "usage",
                     arena_printf(request->arena, "there is no change \"%s\"", name), "GET /api/v1/changes");
}

/* "NAME" or "NAME/WORD": names hold no slash. */
static const char *split_rest(const HttpRequest *request, const char **ret_word)
{
    const char *slash = strchr(request->rest, '/');
    *ret_word = slash == NULL ? "" : slash + 1;
    return slash == NULL ? request->rest
                         : arena_dupn(request->arena, request->rest, (size_t)(slash - request->rest));
}

static json_t *events_after(const Picture *picture, const char *change, int64_t after)
{
    json_t *list = json_array(), *event = NULL;
    size_t i = 0;
    json_array_foreach(picture->events, i, event)
    {
        bool its = change == NULL || str_eq(json_string_value(json_object_get(event, "change")), change);
        if (its && json_integer_value(json_object_get(event, "id")) > after)
            (void)json_array_append(list, event);
    }
    return list;
}

static int64_t number_of(const char *text) { return text == NULL ? 0 : strtoll(text, NULL, 10); }

static void get_change(void *context, const HttpRequest *request, HttpReply *reply)
{
    Serve *serve = context;
    const char *word = "", *name = split_rest(request, &word);
    const Picture *picture = board_take(serve->board);
    const json_t *change = picture_change(picture, name);
    if (change == NULL)
        no_change(request, reply, name);
    else if (str_eq(word, ""))
        http_reply_json(request, reply, 200, json_pack("{s:i, s:o}", "v", 1, "change", shared(change)));
    else if (str_eq(word, "steps"))
        http_reply_json(request, reply, 200,
                        json_pack("{s:i, s:o}", "v", 1, "steps", shared(json_object_get(change, "steps"))));
    else if (str_eq(word, "plan"))
        http_reply_json(
            request, reply, 200,
            json_pack("{s:i, s:o}", "v", 1, "plan", shared(json_object_get(picture->plans, name))));
    else if (str_eq(word, "events"))
        http_reply_json(request, reply, 200,
                        json_pack("{s:i, s:o}", "v", 1, "events",
                                  events_after(picture, name, number_of(http_query(request, "after")))));
    else
        http_reply_error(request, reply, 404, "usage", "a change has a plan, steps and events", NULL);
    board_give(serve->board, picture);
}

/* ---- events as a stream --------------------------------------------------------------------- */

/* One listener. */
typedef struct Listener {
    Serve *serve;
    int64_t event_number, picture_number, said_ms;
    Str pending;
    size_t sent;
} Listener;

static void write_event(Listener *listener, const char *kind, int64_t id, json_t *data)
{
    char *text = json_dumps(data, JSON_COMPACT);
    if (id > 0)
        str_addf(&listener->pending, "id: %lld\n", (long long)id);
    str_addf(&listener->pending, "event: %s\ndata: %s\n\n", kind, text);
    listener->said_ms = clock_ms();
    free(text);
}

/* What is new since the last time. */
static void fill(Listener *listener)
{
    const Picture *picture = board_take(listener->serve->board);
    json_t *fresh = events_after(picture, NULL, listener->event_number), *event = NULL;
    size_t i = 0;
    json_array_foreach(fresh, i, event)
    {
        listener->event_number = json_integer_value(json_object_get(event, "id"));
        write_event(listener, "journal", listener->event_number, event);
    }
    json_decref(fresh);
    if (picture->number != listener->picture_number) {
        json_t *json = about(listener->serve, picture);
        write_event(listener, "picture", 0, json);
        json_decref(json);
        listener->picture_number = picture->number;
    }
    board_give(listener->serve->board, picture);
    if (clock_ms() - listener->said_ms >= STILL_THERE_MS) {
        str_add(&listener->pending, ": still there\n\n");
        listener->said_ms = clock_ms();
    }
}

static ssize_t listener_next(void *context, char *bytes, size_t size)
{
    Listener *listener = context;
    if (listener->sent == listener->pending.len) {
        str_clear(&listener->pending);
        listener->sent = 0;
        fill(listener);
    }
    size_t len = listener->pending.len - listener->sent;
    len = len < size ? len : size;
    memcpy(bytes, listener->pending.buf + listener->sent, len);
    listener->sent += len;
    return (ssize_t)len;
}

static void listener_done(void *context)
{
    Listener *listener = context;
    str_done(&listener->pending);
    free(listener);
}

/* JSON; or a stream, from ?after or Last-Event-ID on, else from now on. */
static void get_events(void *context, const HttpRequest *request, HttpReply *reply)
{
    Serve *serve = context;
    const char *accept = http_header(request, "Accept"), *last = http_header(request, "Last-Event-ID");
    const char *after = http_query(request, "after");
    const Picture *picture = board_take(serve->board);
    if (accept != NULL && strstr(accept, "text/event-stream") != NULL) {
        Listener *listener = mem_zero(sizeof *listener);
        *listener =
            (Listener){.serve = serve, .picture_number = -1, .said_ms = clock_ms(), .pending = STR_INIT};
        listener->event_number = last != NULL    ? number_of(last)
                                 : after != NULL ? number_of(after)
                                                 : picture->event_number;
        reply->type = "text/event-stream";
        http_reply_header(reply, "Cache-Control", "no-store");
        http_reply_header(reply, "X-Accel-Buffering", "no");
        reply->stream = (HttpStream){.next = listener_next, .done = listener_done, .context = listener};
    } else {
        http_reply_json(
            request, reply, 200,
            json_pack("{s:i, s:o}", "v", 1, "events", events_after(picture, NULL, number_of(after))));
    }
    board_give(serve->board, picture);
}

/* ---- acting --------------------------------------------------------------------------------- */

static bool may_be_asked(const char *verb)
{
    static const char *const all[] = {"pause", "resume", "abort", "complete", "revert"};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (str_eq(all[i], verb))
            return true;
    return false;
}

static int code_of(ErrKind kind)
{
    return kind == ERR_USAGE || kind == ERR_CONFIG                                 ? 400
           : kind == ERR_UNSAFE || kind == ERR_HELD                                ? 409
           : kind == ERR_CONNECT || kind == ERR_CONN_LOST || kind == ERR_PRIVILEGE ? 502
                                                                                   : 500;
}

void api_refuse(const HttpRequest *request, HttpReply *reply, Err *err)
{
    char *text = err_text(err);
    http_reply_error(request, reply, code_of(err->kind), err_kind_name(err->kind), text, err_first_hint(err));
    free(text);
    err_free(err);
}

void api_refuse_to_write(const HttpRequest *request, HttpReply *reply)
{
    http_reply_error(request, reply, 403, "privilege",
                     "this server only shows: its role may read the journal, and not write it",
                     "start it as a role that may: docs/serve.md");
}

static void post_change(void *context, const HttpRequest *request, HttpReply *reply)
{
    Serve *serve = context;
    const char *verb = "", *name = split_rest(request, &verb);
    const Picture *picture = board_take(serve->board);
    bool known = picture_change(picture, name) != NULL, reads_only = picture->reads_only;
    board_give(serve->board, picture);
    json_t *arguments =
        request->body_len == 0 ? json_object() : json_loadb(request->body, request->body_len, 0, NULL);
    if (!known) {
        no_change(request, reply, name);
    } else if (reads_only) {
        api_refuse_to_write(request, reply);
    } else if (!may_be_asked(verb)) {
        http_reply_error(request, reply, 404, "usage", "this cannot be asked for",
                         "POST …/pause, resume, abort, complete or revert");
    } else if (!json_is_object(arguments)) {
        http_reply_error(request, reply, 400, "usage", "the body is no JSON object", "{\"max-lag\": \"2s\"}");
    } else {
        Err *err = actor_ask(serve->actor, &(ActWish){.verb = verb, .change = name, .arguments = arguments});
        if (err != NULL)
            api_refuse(request, reply, err);
        else
            http_reply_json(request, reply, 202,
                            json_pack("{s:i, s:s, s:s}", "v", 1, "asked", verb, "change", name));
        board_hurry(serve->board);
    }
    json_decref(arguments);
}

/* Signed elsewhere, by "stoa approve --to": whose signature it is, and whether it counts, is looked at by the
 * process that records it, and told in the status. */
static void post_approval(void *context, const HttpRequest *request, HttpReply *reply)
{
    Serve *serve = context;
    const Picture *picture = board_take(serve->board);
    bool reads_only = picture->reads_only;
    board_give(serve->board, picture);
    json_t *paper = json_loadb(request->body, request->body_len, 0, NULL);
    const char *name = json_string_value(json_object_get(json_object_get(paper, "bundle"), "change"));
    if (reads_only) {
        api_refuse_to_write(request, reply);
    } else if (serve->options.signers == NULL) {
        http_reply_error(request, reply, 409, "config", "nobody's signature is known here",
                         "start it with --allowed-signers FILE");
    } else if (name == NULL || !json_is_string(json_object_get(paper, "signature"))) {
        http_reply_error(request, reply, 400, "usage", "the body is no signed approval",
                         "stoa approve --bundle review.json --sign KEY --to approval.json");
    } else {
        const char *options[] = {
            "--signed=-", arena_printf(request->arena, "--allowed-signers=%s", serve->options.signers), NULL};
        ActWish wish = {.verb = "approve", .change = name, .input = request->body, .options = options};
        Err *err = actor_ask(serve->actor, &wish);
        if (err != NULL)
            api_refuse(request, reply, err);
        else
            http_reply_json(request, reply, 202,
                            json_pack("{s:i, s:s, s:s}", "v", 1, "asked", "approve", "change", name));
    }
    json_decref(paper);
}

/* ---- health --------------------------------------------------------------------------------- */

static void get_healthz(void *context, const HttpRequest *request, HttpReply *reply)
{
    const Serve *serve = context;
    http_reply_json(
        request, reply, 200,
        json_pack("{s:s, s:I}", "status", "ok", "uptime_ms", (json_int_t)(clock_ms() - serve->since_ms)));
}

static void get_readyz(void *context, const HttpRequest *request, HttpReply *reply)
{
    Serve *serve = context;
    const Picture *picture = board_take(serve->board);
    int64_t age = age_ms(picture);
    bool ready = picture->failed == NULL && age >= 0 && age < STALE_MS && flags_known(serve->flags);
    const char *why = ready                     ? NULL
                      : picture->failed != NULL ? picture->failed
                                                : "the journal was not looked at for too long";
    http_reply_json(request, reply, ready ? 200 : 503,
                    json_pack("{s:s, s:I, s:s?}", "status", ready ? "ok" : "not ready", "age_ms",
                              (json_int_t)age, "why", why));
    board_give(serve->board, picture);
}

void api_routes(Serve *serve, Arena *arena, Routes *routes)
{
    const HttpRoute all[] = {{"GET", "/healthz", HTTP_READS, false, get_healthz, serve},
                             {"GET", "/readyz", HTTP_READS, false, get_readyz, serve},
                             {"GET", "/api/v1/status", HTTP_READS, false, get_status, serve},
                             {"GET", "/api/v1/changes", HTTP_READS, false, get_changes, serve},
                             {"GET", "/api/v1/changes/*", HTTP_READS, false, get_change, serve},
                             {"POST", "/api/v1/changes/*", HTTP_ACTS, false, post_change, serve},
                             {"POST", "/api/v1/approvals", HTTP_ACTS, false, post_approval, serve},
                             {"GET", "/api/v1/events", HTTP_READS, false, get_events, serve}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        *vec_push(arena, routes) = all[i];
}
