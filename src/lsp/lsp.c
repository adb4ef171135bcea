/* Messages of the Language Server Protocol, taken and answered. */
#include "lsp/lsp.h"

#include <stdlib.h>
#include <string.h>

/* Of JSON-RPC and the protocol. */
enum {
    CODE_PARSE = -32700,
    CODE_INVALID_REQUEST = -32600,
    CODE_NO_METHOD = -32601,
    CODE_INVALID_PARAMS = -32602,
    CODE_NOT_INITIALIZED = -32002
};

typedef enum LspState { STATE_NEW, STATE_READY, STATE_SHUT, STATE_OVER } LspState;

struct Lsp {
    const CheckOptions *options;
    LspHost host;
    LspState state;
    bool was_shut;
    LspEncoding encoding;
    LspDocument *documents;
};

/* ---- documents ------------------------------------------------------------------------------ */

static void document_free(LspDocument *document)
{
    if (document == NULL)
        return;
    arena_free(document->arena);
    str_done(&document->text);
    free(document->uri);
    free(document);
}

static LspDocument **slot_of(Lsp *lsp, const char *uri)
{
    LspDocument **slot = &lsp->documents;
    while (*slot != NULL && uri != NULL && strcmp((*slot)->uri, uri) != 0)
        slot = &(*slot)->next;
    return slot;
}

static LspDocument *find(Lsp *lsp, const json_t *params)
{
    const char *uri = json_string_value(json_object_get(json_object_get(params, "textDocument"), "uri"));
    return uri == NULL ? NULL : *slot_of(lsp, uri);
}

static void check_one(Lsp *lsp, LspDocument *document)
{
    arena_free(document->arena);
    Arena *arena = document->arena = arena_new();
    const char *path = lsp_path_of(arena, document->uri);
    document->checked = arena_dupn(arena, document->text.buf, document->text.len);
    document->dirty = false;
    SourceSet *set = arena_alloc(arena, sizeof *set);
    *vec_push(arena, &set->files) =
        (Source){.path = path, .text = document->checked, .len = document->text.len};
    if (lsp->host.beside != NULL)
        lsp->host.beside(lsp->host.context, arena, set, path);
    lsp_lines(arena, document->checked, document->text.len, &document->lines);
    Err *err = check_run(arena, &set, 1, lsp->options, &document->result);
    if (err != NULL) /* a wrong --server-version or --applied, which was looked at before */
        document->result = (CheckResult){0};
    err_free(err);
}

/* ---- sending -------------------------------------------------------------------------------- */

static void send_json(const Lsp *lsp, json_t *message)
{
    (void)json_object_set_new(message, "jsonrpc", json_string("2.0"));
    char *text = json_dumps(message, JSON_COMPACT);
    if (text != NULL)
        lsp->host.send(lsp->host.context, text, strlen(text));
    free(text);
    json_decref(message);
}

static void answer(const Lsp *lsp, const json_t *id, json_t *result)
{
    send_json(lsp, json_pack("{s:o, s:o}", "id", json_deep_copy(id), "result", result));
}

static void fail(const Lsp *lsp, const json_t *id, int code, const char *message)
{
    send_json(lsp, json_pack("{s:o, s:{s:i, s:s}}", "id", id == NULL ? json_null() : json_deep_copy(id),
                             "error", "code", code, "message", message));
}

static void publish(const Lsp *lsp, const char *uri, const json_int_t *version, json_t *diagnostics)
{
    json_t *params = json_pack("{s:s, s:o}", "uri", uri, "diagnostics", diagnostics);
    if (version != NULL)
        (void)json_object_set_new(params, "version", json_integer(*version));
    send_json(lsp, json_pack("{s:s, s:o}", "method", "textDocument/publishDiagnostics", "params", params));
}

void lsp_refuse(Lsp *lsp, const char *why)
{
    if (lsp->state != STATE_OVER)
        fail(lsp, NULL, CODE_INVALID_REQUEST, why);
}

/* ---- notifications -------------------------------------------------------------------------- */

static void on_open(Lsp *lsp, const json_t *params)
{
    const json_t *item = json_object_get(params, "textDocument");
    const char *uri = json_string_value(json_object_get(item, "uri"));
    if (uri == NULL || !json_is_string(json_object_get(item, "text")))
        return;
    LspDocument **slot = slot_of(lsp, uri);
    if (*slot == NULL) {
        *slot = mem_zero(sizeof **slot);
        (*slot)->uri = mem_dup(uri);
        str_add(&(*slot)->text, ""); /* on the heap */
        (*slot)->arena = arena_new();
    }
    LspDocument *document = *slot;
    document->version = json_integer_value(json_object_get(item, "version"));
    document->dirty = true;
    lsp_text_set(&document->text, json_object_get(item, "text"));
}

static void on_change(Lsp *lsp, const json_t *params)
{
    LspDocument *document = find(lsp, params);
    if (document == NULL)
        return;
    const json_t *version = json_object_get(json_object_get(params, "textDocument"), "version");
    if (json_is_integer(version))
        document->version = json_integer_value(version);
    lsp_text_change(&document->text, json_object_get(params, "contentChanges"), lsp->encoding);
    document->dirty = true;
}

/* Other files of the folder may have been saved as well: all are looked at again. */
static void on_save(Lsp *lsp, const json_t *params)
{
    LspDocument *document = find(lsp, params);
    const json_t *text = json_object_get(params, "text");
    if (document != NULL && json_is_string(text))
        lsp_text_set(&document->text, text);
    for (LspDocument *one = lsp->documents; one != NULL; one = one->next)
        one->dirty = true;
}

static void on_close(Lsp *lsp, const json_t *params)
{
    LspDocument *document = find(lsp, params);
    if (document == NULL)
        return;
    *slot_of(lsp, document->uri) = document->next;
    publish(lsp, document->uri, NULL, json_array());
    document_free(document);
}

/* $/cancelRequest among others needs nothing: a request is answered before the next message is read. */
static void notified(Lsp *lsp, const char *method, const json_t *params)
{
    static const struct {
        const char *method;
        void (*take)(Lsp *lsp, const json_t *params);
    } takes[] = {{"textDocument/didOpen", on_open},
                 {"textDocument/didChange", on_change},
                 {"textDocument/didSave", on_save},
                 {"textDocument/didClose", on_close}};
    if (strcmp(method, "exit") == 0) {
        lsp->was_shut = lsp->state == STATE_SHUT;
        lsp->state = STATE_OVER;
    }
    for (size_t i = 0; i < ARRAY_LEN(takes) && lsp->state == STATE_READY; i++)
        if (strcmp(method, takes[i].method) == 0)
            takes[i].take(lsp, params);
}

/* ---- requests ------------------------------------------------------------------------------- */

/* The client names encodings in the order of its liking; UTF-16 is what all of them have. */
static LspEncoding encoding_of(const json_t *params)
{
    const json_t *general = json_object_get(json_object_get(params, "capabilities"), "general");
    const json_t *wanted = json_object_get(general, "positionEncodings");
    static const LspEncoding all[] = {LSP_UTF8, LSP_UTF16, LSP_UTF32};
    for (size_t i = 0; i < json_array_size(wanted); i++)
        for (size_t j = 0; j < ARRAY_LEN(all); j++)
            if (str_eq(json_string_value(json_array_get(wanted, i)), lsp_encoding_name(all[j])))
                return all[j];
    return LSP_UTF16;
}

static json_t *initialize(Lsp *lsp, const json_t *params)
{
    lsp->encoding = encoding_of(params);
    lsp->state = STATE_READY;
    return json_pack("{s:{s:s, s:{s:b, s:i, s:{s:b}}, s:b, s:{s:[s]}}, s:{s:s, s:s}}", "capabilities",
                     "positionEncoding", lsp_encoding_name(lsp->encoding), "textDocumentSync", "openClose", 1,
                     "change", 2, "save", "includeText", 0, "hoverProvider", 1, "codeActionProvider",
                     "codeActionKinds", "quickfix", "serverInfo", "name", "stoa", "version", STOA_VERSION);
}

/* The findings that are asked about are those of the text as it is now. */
static json_t *about_document(Lsp *lsp, const char *method, const json_t *params)
{
    LspDocument *document = find(lsp, params);
    bool hover = str_eq(method, "textDocument/hover");
    if (document == NULL)
        return hover ? json_null() : json_array();
    if (document->dirty) {
        check_one(lsp, document);
        publish(lsp, document->uri, &document->version, lsp_diagnostics(document, lsp->encoding));
    }
    return hover ? lsp_hover(document, json_object_get(params, "position"), lsp->encoding)
                 : lsp_actions(document, params, lsp->encoding);
}

static void requested(Lsp *lsp, const json_t *id, const char *method, const json_t *params)
{
    if (str_eq(method, "initialize")) {
        if (lsp->state == STATE_NEW)
            answer(lsp, id, initialize(lsp, params));
        else
            fail(lsp, id, CODE_INVALID_REQUEST, "initialize was sent before");
    } else if (lsp->state == STATE_NEW) {
        fail(lsp, id, CODE_NOT_INITIALIZED, "initialize comes first");
    } else if (lsp->state == STATE_SHUT) {
        fail(lsp, id, CODE_INVALID_REQUEST, "after shutdown only exit may come");
    } else if (str_eq(method, "shutdown")) {
        lsp->state = STATE_SHUT;
        answer(lsp, id, json_null());
    } else if (!str_eq(method, "textDocument/codeAction") && !str_eq(method, "textDocument/hover")) {
        fail(lsp, id, CODE_NO_METHOD, "this method is not known here");
    } else if (!json_is_object(params)) {
        fail(lsp, id, CODE_INVALID_PARAMS, "params must be an object");
    } else {
        answer(lsp, id, about_document(lsp, method, params));
    }
}

void lsp_take(Lsp *lsp, const char *body, size_t len)
{
    json_error_t why;
    json_t *message = lsp->state == STATE_OVER ? NULL : json_loadb(body, len, JSON_ALLOW_NUL, &why);
    if (lsp->state == STATE_OVER)
        return;
    const json_t *id = json_object_get(message, "id"), *method = json_object_get(message, "method");
    if (message == NULL)
        fail(lsp, NULL, CODE_PARSE, "the message is no JSON");
    else if (!json_is_object(message) || (method != NULL && !json_is_string(method)))
        fail(lsp, NULL, CODE_INVALID_REQUEST, "the message is no request");
    else if (method != NULL && id == NULL)
        notified(lsp, json_string_value(method), json_object_get(message, "params"));
    else if (method != NULL && (json_is_string(id) || json_is_integer(id)))
        requested(lsp, id, json_string_value(method), json_object_get(message, "params"));
    else if (method != NULL)
        fail(lsp, NULL, CODE_INVALID_REQUEST, "id is neither a number nor a string");
    json_decref(message); /* without a method it answers something: we ask nothing */
}

/* ---- the whole ------------------------------------------------------------------------------ */

Lsp *lsp_new(const CheckOptions *options, const LspHost *host)
{
    Lsp *lsp = mem_zero(sizeof *lsp);
    lsp->options = options;
    lsp->host = *host;
    return lsp;
}

void lsp_free(Lsp *lsp)
{
    for (LspDocument *document = lsp == NULL ? NULL : lsp->documents, *next; document != NULL;
         document = next) {
        next = document->next;
        document_free(document);
    }
    free(lsp);
}

bool lsp_waits(const Lsp *lsp)
{
    for (const LspDocument *document = lsp->documents; document != NULL; document = document->next)
        if (document->dirty)
            return true;
    return false;
}

void lsp_check(Lsp *lsp)
{
    for (LspDocument *document = lsp->documents; document != NULL; document = document->next) {
        if (!document->dirty)
            continue;
        check_one(lsp, document);
        publish(lsp, document->uri, &document->version, lsp_diagnostics(document, lsp->encoding));
    }
}

bool lsp_over(const Lsp *lsp) { return lsp->state == STATE_OVER; }

int lsp_exit_code(const Lsp *lsp) { return lsp->was_shut ? 0 : 1; }
