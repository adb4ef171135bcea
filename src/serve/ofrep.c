/* OFREP (open-feature/protocol 0.3): one flag, all flags, and a stream that says when to ask again; flagd's
 * document; /api/v1/flags for people and operators. */
#include "serve/serve.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum { STILL_THERE_MS = 15000 };

static const char type_of_json[] = "application/json; charset=utf-8";
static const char unknown[] = "nothing is known yet: the journal could not be read";

/* ---- what is asked -------------------------------------------------------------------------- */

/* The body of an evaluation, or what is wrong with it. */
typedef struct Asked {
    json_t *json;
    const char *target; /* NULL: none */
    size_t target_len;
    const char *code, *details; /* NULL: all is well */
} Asked;

static void read_body(const HttpRequest *request, Asked *ret_asked)
{
    *ret_asked = (Asked){.json = json_loadb(request->body, request->body_len, 0, NULL)};
    const json_t *context = json_object_get(ret_asked->json, "context");
    const json_t *target = json_object_get(context, "targetingKey");
    if (!json_is_object(ret_asked->json)) {
        ret_asked->code = "PARSE_ERROR";
        ret_asked->details = "the body is no JSON object";
    } else if (!json_is_object(context)) {
        ret_asked->code = "INVALID_CONTEXT";
        ret_asked->details = "the body has no \"context\" that is an object";
    } else if (target != NULL && !json_is_string(target) && !json_is_null(target)) {
        ret_asked->code = "INVALID_CONTEXT";
        ret_asked->details = "\"targetingKey\" is no text";
    } else if (json_is_string(target)) {
        ret_asked->target = json_string_value(target);
        ret_asked->target_len = json_string_length(target);
    }
}

/* Flags are for everybody who can reach the port; but who shows a wrong token learns it. */
static bool shows_wrong_token(const Serve *serve, const HttpRequest *request)
{
    bool shows = http_header(request, "Authorization") != NULL || http_header(request, "X-API-Key") != NULL;
    return shows && serve->options.token != NULL && !request->trusted;
}

static void reply_failure(const HttpRequest *request, HttpReply *reply, int code, const char *key,
                          const char *error, const char *details)
{
    json_t *json = json_pack("{s:s, s:s}", "errorCode", error, "errorDetails", details);
    if (key != NULL)
        json_object_set_new(json, "key", json_string(key));
    http_reply_json(request, reply, code, json);
}

static void refuse_token(const HttpRequest *request, HttpReply *reply)
{
    http_reply_header(reply, "WWW-Authenticate", "Bearer");
    http_reply_json(request, reply, 401, json_pack("{s:s}", "errorDetails", "this is not the token"));
}

/* ---- one flag ------------------------------------------------------------------------------- */

static void reply_answer(const HttpRequest *request, HttpReply *reply, const char *key, const Flag *flag,
                         const FlagAnswer *answer)
{
    reply->code = answer->reason == FLAG_ERROR ? 500 : 200;
    reply->type = type_of_json;
    if (str_eq(key, flag->key)) {
        reply->body = arena_dupn(request->arena, answer->whole, answer->whole_len);
        reply->len = answer->whole_len;
        return;
    }
    CLEANUP(str_donep) Str text = STR_INIT;
    json_t *json = json_string(key);
    char *quoted = json_dumps(json, JSON_ENCODE_ANY);
    str_addf(&text, "{\"key\":%s", quoted == NULL ? "\"\"" : quoted);
    str_addn(&text, answer->tail, answer->tail_len);
    reply->body = arena_dupn(request->arena, text.buf, text.len);
    reply->len = text.len;
    free(quoted);
    json_decref(json);
}

static void answer_one(Serve *serve, const HttpRequest *request, HttpReply *reply, const Asked *asked)
{
    const char *key = request->rest, *why = unknown;
    const FlagSet *set = flags_take(serve->flags);
    const Flag *flag = set == NULL ? NULL : flagset_find(set, request->arena, key, &why);
    if (flag != NULL) {
        const FlagAnswer *answer = flag_answer(flag, asked->target, asked->target_len);
        reply_answer(request, reply, key, flag, answer);
        flags_count_one(serve->flags, flag, answer->reason);
    } else {
        reply_failure(request, reply, set == NULL ? 500 : 404, key,
                      set == NULL ? "GENERAL" : "FLAG_NOT_FOUND", why);
        flags_count(serve->flags, set == NULL ? FLAG_ERROR : FLAG_REASON_COUNT);
    }
    if (set != NULL)
        flags_give(serve->flags, set);
}

/* ---- all flags ------------------------------------------------------------------------------ */

/* Behind a proxy that takes a prefix off and says so, the stream's address has it, too. */
static void reply_bulk(const HttpRequest *request, HttpReply *reply, const FlagDoc *doc)
{
    static const char before[] = "\"requestUri\":\""; /* no text in JSON has such quotes */
    static const char usual[] = "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.~-";
    const char *prefix = http_header(request, "X-Forwarded-Prefix"), *at = strstr(doc->text, before);
    bool good = prefix != NULL && prefix[0] == '/' && prefix[strspn(prefix, usual)] == '\0' && at != NULL;
    int len = good ? (int)strlen(prefix) : 0;
    at = good ? at + strlen(before) : at;
    while (len > 0 && prefix[len - 1] == '/')
        len--;
    reply->type = type_of_json;
    reply->body =
        good ? arena_printf(request->arena, "%.*s%.*s%s", (int)(at - doc->text), doc->text, len, prefix, at)
             : arena_dupn(request->arena, doc->text, doc->len);
    reply->len = doc->len + (size_t)len;
}

static void answer_all(Serve *serve, const HttpRequest *request, HttpReply *reply, const Asked *asked)
{
    const FlagSet *set = flags_take(serve->flags);
    if (set == NULL) {
        reply_failure(request, reply, 500, NULL, "GENERAL", unknown);
        flags_count(serve->flags, FLAG_ERROR);
        return;
    }
    bool split = false;
    FlagDoc doc = flagset_bulk(set, &split);
    if (split && asked->target != NULL)
        doc = flagset_bulk_for(set, request->arena, asked->target, asked->target_len);
    const char *etag = arena_dup(request->arena, doc.etag);
    if (!http_not_modified(request, reply, etag))
        reply_bulk(request, reply, &doc);
    flags_count(serve->flags, FLAG_STATIC);
    flags_give(serve->flags, set);
}

static void post_flags(void *context, const HttpRequest *request, HttpReply *reply)
{
    Serve *serve = context;
    bool one = request->rest[0] != '\0';
    Asked asked;
    read_body(request, &asked);
    if (shows_wrong_token(serve, request))
        refuse_token(request, reply);
    else if (asked.code != NULL)
        reply_failure(request, reply, 400, one ? request->rest : NULL, asked.code, asked.details);
    else if (one)
        answer_one(serve, request, reply, &asked);
    else
        answer_all(serve, request, reply, &asked);
    json_decref(asked.json);
}

/* ---- the stream ----------------------------------------------------------------------------- */

typedef struct Ear {
    Serve *serve;
    char *told; /* the ETag that this client was told; NULL: none yet */
    int64_t said_ms;
    Str pending;
    size_t sent;
} Ear;

/* An ETag stands in quotes. */
static void write_change(Ear *ear, const char *etag)
{
    int len = (int)strlen(etag) - 2;
    str_addf(&ear->pending,
             "id: %.*s\nevent: message\ndata: {\"type\":\"refetchEvaluation\",\"etag\":\"%.*s\"}\n\n", len,
             etag + 1, len, etag + 1);
    ear->said_ms = clock_ms();
}

/* The first message comes at once: what changed between the fetch and the connection is not lost. */
static void listen_again(Ear *ear)
{
    bool split = false;
    const FlagSet *set = flags_take(ear->serve->flags);
    const char *etag = set == NULL ? NULL : flagset_bulk(set, &split).etag;
    if (etag != NULL && (ear->told == NULL || !str_eq(ear->told, etag))) {
        write_change(ear, etag);
        free(ear->told);
        ear->told = mem_dup(etag);
    }
    if (set != NULL)
        flags_give(ear->serve->flags, set);
    if (clock_ms() - ear->said_ms >= STILL_THERE_MS) {
        str_add(&ear->pending, ": still there\n\n");
        ear->said_ms = clock_ms();
    }
}

static ssize_t ear_next(void *context, char *bytes, size_t size)
{
    Ear *ear = context;
    if (ear->sent == ear->pending.len) {
        str_clear(&ear->pending);
        ear->sent = 0;
        listen_again(ear);
    }
    size_t len = ear->pending.len - ear->sent;
    len = len < size ? len : size;
    memcpy(bytes, ear->pending.buf + ear->sent, len);
    ear->sent += len;
    return (ssize_t)len;
}

static void ear_done(void *context)
{
    Ear *ear = context;
    str_done(&ear->pending);
    free(ear->told);
    free(ear);
}

static void get_stream(void *context, const HttpRequest *request, HttpReply *reply)
{
    const char *last = http_header(request, "Last-Event-ID");
    Ear *ear = mem_zero(sizeof *ear);
    *ear = (Ear){.serve = context, .said_ms = clock_ms(), .pending = STR_INIT};
    if (last != NULL)
        ear->told = mem_dup(arena_printf(request->arena, "\"%s\"", last));
    reply->type = "text/event-stream";
    http_reply_header(reply, "Cache-Control", "no-store");
    http_reply_header(reply, "X-Accel-Buffering", "no");
    reply->stream = (HttpStream){.next = ear_next, .done = ear_done, .context = ear};
}

/* ---- flagd ---------------------------------------------------------------------------------- */

static void get_flagd(void *context, const HttpRequest *request, HttpReply *reply)
{
    Serve *serve = context;
    const FlagSet *set = flags_take(serve->flags);
    if (set == NULL) {
        http_reply_error(request, reply, 503, "conn_lost", unknown, NULL);
        return;
    }
    FlagDoc doc = flagset_flagd(set);
    if (!http_not_modified(request, reply, arena_dup(request->arena, doc.etag))) {
        reply->type = type_of_json;
        reply->body = arena_dupn(request->arena, doc.text, doc.len);
        reply->len = doc.len;
    }
    flags_give(serve->flags, set);
}

/* ---- people and operators ------------------------------------------------------------------- */

static void get_told(void *context, const HttpRequest *request, HttpReply *reply)
{
    Serve *serve = context;
    const FlagSet *set = flags_take(serve->flags);
    json_t *list = set == NULL ? json_array() : flagset_told(set);
    http_reply_json(request, reply, 200, json_pack("{s:i, s:o}", "v", 1, "flags", list));
    if (set != NULL)
        flags_give(serve->flags, set);
}

static void ask_for(Serve *serve, const HttpRequest *request, HttpReply *reply, const Flag *flag,
                    const char *word)
{
    json_t *arguments =
        request->body_len == 0 ? json_object() : json_loadb(request->body, request->body_len, 0, NULL);
    Err *err =
        !json_is_object(arguments)
            ? err_hint(err_new(ERR_USAGE, "the body is no JSON object"), "{\"reason\": \"…\"}")
            : actor_ask(
                  serve->actor,
                  &(ActWish){.verb = "flag", .change = flag->key, .word = word, .arguments = arguments});
    if (err != NULL)
        api_refuse(request, reply, err);
    else
        http_reply_json(request, reply, 202,
                        json_pack("{s:i, s:s, s:s}", "v", 1, "asked", word, "flag", flag->key));
    json_decref(arguments);
}

/* "KEY/off", "KEY/on", "KEY/25%": the journal is written by a process of its own, and the next look shows it.
 */
static void post_told(void *context, const HttpRequest *request, HttpReply *reply)
{
    Serve *serve = context;
    const char *slash = strrchr(request->rest, '/'), *word = slash == NULL ? "" : slash + 1, *why = unknown;
    const char *key = slash == NULL
                          ? request->rest
                          : arena_dupn(request->arena, request->rest, (size_t)(slash - request->rest));
    const Picture *picture = board_take(serve->board);
    bool reads_only = picture->reads_only;
    board_give(serve->board, picture);
    bool known_word = str_eq(word, "on") || str_eq(word, "off") || flag_share_read(word) >= 0;
    const FlagSet *set = flags_take(serve->flags);
    const Flag *flag = set == NULL ? NULL : flagset_find(set, request->arena, key, &why);
    if (reads_only)
        api_refuse_to_write(request, reply);
    else if (!known_word)
        http_reply_error(request, reply, 404, "usage", "this cannot be said of a flag",
                         "POST /api/v1/flags/KEY/off, KEY/on or KEY/25%25");
    else if (flag == NULL)
        http_reply_error(request, reply, 404, "usage", why, "GET /api/v1/flags");
    else
        ask_for(serve, request, reply, flag, word);
    if (set != NULL)
        flags_give(serve->flags, set);
}

void ofrep_routes(Serve *serve, Arena *arena, Routes *routes)
{
    const HttpRoute all[] = {{"POST", "/ofrep/v1/evaluate/flags/*", HTTP_READS, true, post_flags, serve},
                             {"POST", "/ofrep/v1/evaluate/flags", HTTP_READS, true, post_flags, serve},
                             {"GET", "/ofrep/v1/stream", HTTP_READS, true, get_stream, serve},
                             {"GET", "/flagd/flags.json", HTTP_READS, true, get_flagd, serve},
                             {"GET", "/api/v1/flags", HTTP_READS, false, get_told, serve},
                             {"POST", "/api/v1/flags/*", HTTP_ACTS, false, post_told, serve}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        *vec_push(arena, routes) = all[i];
}
