/* stoa-my-shadow-tool: the functions of ShadowOps, one JSON line on stdin for each call, one on stdout with
 * what came of it.
 *
 *   {"do": "use", "url": URL, "spec": {…}}      the specification that all others are about
 *   {"do": "next" | "copy" | "apply" | "owed" | "compare" | "compare_keys" | "empty" | "key_text" |
 * "fraction", …}
 *   {"do": "begin" | "end" | "open" | "close" | "capture" | "applied" | "mark" | "reached", …}
 *   {"do": "lock"} {"do": "unlock"}             source and shadow under LOCK TABLES … WRITE, in a session of
 * its own
 *   {"do": "run", "size": N}                    copies all, and applies between chunks what is captured
 *   {"do": "sync"}                              applies until little comes at a time
 *   {"do": "drain"}                             with the lock held: all up to a mark
 */
#include "base/clock.h"
#include "engine/mysql/capture_parts.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/shadow_my.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct Tool {
    Arena *arena; /* as long as the program */
    Target target;
    const ShadowSpec *spec;
    Conn *conn, *locked;
    Capture *capture;
    const char **pending; /* keys to be applied: heap */
    size_t pending_count, pending_cap;
    const char *pending_position;
    int64_t copied, applied, busy, displaced, chunks;
    bool emptied;
    const char *altered;
} Tool;

static const ShadowOps *ops = &my_shadow_ops;
static const Wait no_wait = {0};

static json_t *list_json(const KeyList *list)
{
    json_t *json = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(json, json_string(list->keys[i]));
    return json;
}

static KeyList list_of(Arena *arena, const json_t *json)
{
    size_t count = json_array_size(json);
    const char **keys = arena_alloc(arena, (count + 1) * sizeof *keys);
    for (size_t i = 0; i < count; i++)
        keys[i] = json_string_value(json_array_get(json, i));
    return (KeyList){.keys = keys, .count = count};
}

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static int64_t number_of(const json_t *json, const char *key, int64_t other)
{
    const json_t *value = json_object_get(json, key);
    return json_is_integer(value) ? json_integer_value(value) : other;
}

/* ---- the loop --------------------------------------------------------------------------------------------
 */

static void keep(Tool *tool, const KeyList *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (tool->pending_count == tool->pending_cap) {
            tool->pending_cap = tool->pending_cap == 0 ? 64 : 2 * tool->pending_cap;
            tool->pending = mem_resize(tool->pending, tool->pending_cap * sizeof *tool->pending);
        }
        tool->pending[tool->pending_count++] = mem_dup(keys->keys[i]);
    }
}

static Err *apply_pending(Tool *tool, Conn *conn, bool locked)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    KeyList keys = {.keys = tool->pending, .count = tool->pending_count};
    Applied applied = {0};
    if (keys.count > 0)
        TRY(ops->apply(conn, &no_wait, arena, tool->spec, &keys, &(KeyList){0}, locked, &applied));
    const char **old = tool->pending;
    size_t old_count = tool->pending_count;
    tool->pending = NULL;
    tool->pending_count = tool->pending_cap = 0;
    keep(tool, &applied.busy);
    keep(tool, &applied.displaced);
    tool->applied += (int64_t)old_count;
    tool->busy += (int64_t)applied.busy.count;
    tool->displaced += (int64_t)applied.displaced.count;
    for (size_t i = 0; i < old_count; i++)
        free((void *)(uintptr_t)old[i]);
    free(old);
    if (tool->pending_count == 0 && tool->pending_position != NULL)
        return ops->capture_applied(tool->capture, &no_wait, tool->pending_position);
    return NULL;
}

static Err *capture_more(Tool *tool, int64_t timeout_ms, size_t *ret_count)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Captured captured = {0};
    Wait wait = {.timeout_ms = timeout_ms};
    TRY(ops->capture_next(tool->capture, &wait, arena, 1000, &captured));
    keep(tool, &captured.keys);
    tool->pending_position = arena_dup(tool->arena, captured.position);
    tool->emptied = tool->emptied || captured.emptied;
    if (captured.altered != NULL)
        tool->altered = arena_dup(tool->arena, captured.altered);
    *ret_count = captured.keys.count;
    return NULL;
}

static Err *sync_once(Tool *tool, int64_t timeout_ms, size_t *ret_count)
{
    TRY(capture_more(tool, timeout_ms, ret_count));
    *ret_count += tool->pending_count;
    return apply_pending(tool, tool->conn, false);
}

static Err *sync_all(Tool *tool)
{
    enum { FEW = 50 };
    for (size_t count = FEW; count >= FEW && !tool->emptied && tool->altered == NULL;)
        TRY(sync_once(tool, 20, &count));
    return NULL;
}

static Err *copy_chunk(Tool *tool, const Range *range)
{
    enum { ATTEMPTS = 50 };
    for (int attempt = 0;; attempt++) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        int64_t rows = 0;
        KeyList displaced = {0};
        Err *err = ops->copy(tool->conn, &no_wait, arena, tool->spec, range, &rows, &displaced);
        tool->copied += err == NULL ? rows : 0;
        keep(tool, &displaced);
        size_t count = 0;
        if (err == NULL || !err_is(err, ERR_SERIALIZE) || attempt >= ATTEMPTS)
            return err;
        err_free(err);
        TRY(sync_once(tool, 20, &count));
    }
}

static Err *copy_all(Tool *tool, int64_t size)
{
    const char *low = NULL;
    tool->emptied = false;
    for (;;) {
        Range range = {0};
        bool done = false;
        size_t count = 0;
        TRY(ops->next(tool->conn, &no_wait, tool->arena, tool->spec, SHADOW_COPIES, low, size, &range,
                      &done));
        if (done)
            return NULL;
        TRY(copy_chunk(tool, &range));
        tool->chunks++;
        if (tool->capture != NULL)
            TRY(sync_once(tool, 1, &count));
        if (range.high == NULL || tool->emptied || tool->altered != NULL)
            return NULL;
        low = range.high;
    }
}

static Err *run(Tool *tool, int64_t size)
{
    do {
        if (tool->emptied)
            TRY(ops->empty(tool->conn, &no_wait, tool->spec));
        TRY(copy_all(tool, size));
        if (tool->capture != NULL && tool->altered == NULL)
            TRY(sync_all(tool));
    } while (tool->emptied);
    return NULL;
}

static Err *lock(Tool *tool)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    if (tool->locked == NULL)
        TRY(my_connect(&tool->target, "lock", NULL, &tool->locked));
    trigger_capture_hold(tool->spec->change_id, true);
    return my_exec(
        tool->locked, NULL,
        arena_printf(arena, "SET lock_wait_timeout = 30; LOCK TABLES `%s`.`%s` WRITE, `%s`.`%s` WRITE",
                     tool->spec->schema, tool->spec->source, tool->spec->schema, tool->spec->shadow));
}

static Err *unlock(Tool *tool)
{
    TRY(my_exec(tool->locked, NULL, "UNLOCK TABLES"));
    trigger_capture_hold(tool->spec->change_id, false);
    return NULL;
}

static Err *drain(Tool *tool)
{
    const char *mark = NULL;
    size_t count = 0;
    TRY(ops->capture_mark(tool->locked, &no_wait, tool->arena, tool->spec, &mark));
    while (!ops->capture_reached(tool->capture, mark)) {
        TRY(capture_more(tool, 20, &count));
        TRY(apply_pending(tool, tool->locked, true));
    }
    while (tool->pending_count > 0)
        TRY(apply_pending(tool, tool->locked, true));
    return NULL;
}

/* ---- calls -----------------------------------------------------------------------------------------------
 */

static Err *use(Tool *tool, const json_t *call)
{
    tool->target = (Target){.url = arena_dup(tool->arena, text_of(call, "url"))};
    tool->spec = shadow_spec_from_json(tool->arena, json_object_get(call, "spec"));
    my_closep(&tool->conn);
    return my_connect(&tool->target, "tool", NULL, &tool->conn);
}

static Err *call_rows(Tool *tool, const json_t *call, Arena *arena, json_t *answer, bool *ret_known)
{
    const char *name = text_of(call, "do");
    Range range = {.low = text_of(call, "low"), .high = text_of(call, "high")};
    Conn *conn =
        tool->locked != NULL && json_is_true(json_object_get(call, "locked")) ? tool->locked : tool->conn;
    KeyList keys = list_of(arena, json_object_get(call, "keys")), different = {0}, busy = {0};
    int64_t rows = 0;
    bool done = false;
    if (strcmp(name, "next") == 0) {
        TRY(ops->next(conn, &no_wait, arena, tool->spec, SHADOW_COPIES, range.low,
                      number_of(call, "size", 1000), &range, &done));
        json_object_update(
            answer, json_pack("{s:s?, s:s?, s:b}", "low", range.low, "high", range.high, "done", done));
    } else if (strcmp(name, "copy") == 0) {
        TRY(ops->copy(conn, &no_wait, arena, tool->spec, &range, &rows, &different));
        json_object_set_new(answer, "rows", json_integer(rows));
        json_object_set_new(answer, "displaced", list_json(&different));
    } else if (strcmp(name, "apply") == 0) {
        Applied applied = {0};
        KeyList owed = list_of(arena, json_object_get(call, "owed"));
        TRY(ops->apply(conn, &no_wait, arena, tool->spec, &keys, &owed, conn == tool->locked, &applied));
        json_object_set_new(answer, "rows", json_integer(applied.rows));
        json_object_set_new(answer, "busy", list_json(&applied.busy));
        json_object_set_new(answer, "displaced", list_json(&applied.displaced));
    } else if (strcmp(name, "owed") == 0) {
        TRY(ops->owed(conn, &no_wait, arena, tool->spec, &keys));
        json_object_set_new(answer, "keys", list_json(&keys));
    } else if (strcmp(name, "compare") == 0) {
        TRY(ops->compare(conn, &no_wait, arena, tool->spec, &range, &rows, &different));
        json_object_set_new(answer, "rows", json_integer(rows));
        json_object_set_new(answer, "different", list_json(&different));
    } else if (strcmp(name, "compare_keys") == 0) {
        TRY(ops->compare_keys(conn, &no_wait, arena, tool->spec, &keys, &different, &busy));
        json_object_set_new(answer, "different", list_json(&different));
        json_object_set_new(answer, "busy", list_json(&busy));
    } else if (strcmp(name, "empty") == 0) {
        TRY(ops->empty(conn, &no_wait, tool->spec));
    } else if (strcmp(name, "key_text") == 0) {
        json_object_set_new(answer, "text",
                            json_string(ops->key_text(arena, tool->spec, text_of(call, "key"))));
    } else if (strcmp(name, "fraction") == 0) {
        json_object_set_new(
            answer, "fraction",
            json_real(ops->fraction(conn, &no_wait, arena, tool->spec, text_of(call, "key"))));
    } else {
        *ret_known = false;
    }
    return NULL;
}

static Err *call_capture(Tool *tool, const json_t *call, Arena *arena, json_t *answer, bool *ret_known)
{
    const char *name = text_of(call, "do"), *text = NULL;
    Conn *conn = tool->locked != NULL ? tool->locked : tool->conn;
    if (strcmp(name, "begin") == 0) {
        TRY(ops->capture_begin(tool->conn, &no_wait, arena, tool->spec, &text));
        json_object_set_new(answer, "position", json_string(text));
    } else if (strcmp(name, "end") == 0) {
        TRY(ops->capture_end(tool->conn, &no_wait, tool->spec));
    } else if (strcmp(name, "open") == 0) {
        ops->capture_close(tool->capture);
        tool->capture = NULL;
        TRY(ops->capture_open(&tool->target, &no_wait, tool->spec, text_of(call, "position"),
                              &tool->capture));
    } else if (strcmp(name, "close") == 0) {
        ops->capture_close(tool->capture);
        tool->capture = NULL;
    } else if (strcmp(name, "capture") == 0) {
        Captured captured = {0};
        Wait wait = {.timeout_ms = number_of(call, "timeout", 100)};
        TRY(ops->capture_next(tool->capture, &wait, arena, (size_t)number_of(call, "most", 1000), &captured));
        json_object_update(answer,
                           json_pack("{s:o, s:s, s:b, s:s?, s:I, s:I}", "keys", list_json(&captured.keys),
                                     "position", captured.position, "emptied", captured.emptied, "altered",
                                     captured.altered, "behind_ms", (json_int_t)captured.behind_ms,
                                     "behind_bytes", (json_int_t)captured.behind_bytes));
    } else if (strcmp(name, "applied") == 0) {
        TRY(ops->capture_applied(tool->capture, &no_wait, text_of(call, "position")));
    } else if (strcmp(name, "mark") == 0) {
        TRY(ops->capture_mark(conn, &no_wait, arena, tool->spec, &text));
        json_object_set_new(answer, "mark", json_string(text));
    } else if (strcmp(name, "reached") == 0) {
        json_object_set_new(answer, "reached",
                            json_boolean(ops->capture_reached(tool->capture, text_of(call, "mark"))));
    } else {
        *ret_known = false;
    }
    return NULL;
}

static Err *call_one(Tool *tool, const json_t *call, Arena *arena, json_t *answer)
{
    const char *name = text_of(call, "do");
    bool known = true;
    if (strcmp(name, "use") == 0)
        return use(tool, call);
    if (strcmp(name, "run") == 0)
        return run(tool, number_of(call, "size", 1000));
    if (strcmp(name, "sync") == 0)
        return sync_all(tool);
    if (strcmp(name, "lock") == 0)
        return lock(tool);
    if (strcmp(name, "unlock") == 0)
        return unlock(tool);
    if (strcmp(name, "drain") == 0)
        return drain(tool);
    TRY(call_rows(tool, call, arena, answer, &known));
    if (known)
        return NULL;
    known = true;
    TRY(call_capture(tool, call, arena, answer, &known));
    return known ? NULL : err_new(ERR_USAGE, "no call \"%s\"", name);
}

static void add_error(json_t *json, Err *err)
{
    char *text = err_text(err);
    const char *hint = err_first_hint(err);
    json_object_set_new(json, "error", json_string(err_kind_name(err->kind)));
    json_object_set_new(json, "number", json_integer(err->server_errno));
    json_object_set_new(json, "message", json_string(text));
    json_object_set_new(json, "hint", hint == NULL ? json_null() : json_string(hint));
    free(text);
    err_free(err);
}

int main(void)
{
    Tool tool = {.arena = arena_new()};
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) > 0) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        json_t *call = json_loads(line, 0, NULL), *answer = json_object();
        int64_t begun_us = clock_us();
        Err *err = text_of(call, "do") == NULL ? err_new(ERR_USAGE, "no call")
                                               : call_one(&tool, call, arena, answer);
        json_object_set_new(answer, "ms", json_real((double)(clock_us() - begun_us) / 1000));
        json_object_update(answer,
                           json_pack("{s:I, s:I, s:I, s:I, s:I, s:s?}", "copied", (json_int_t)tool.copied,
                                     "applied", (json_int_t)tool.applied, "busy_seen", (json_int_t)tool.busy,
                                     "displaced_seen", (json_int_t)tool.displaced, "chunks",
                                     (json_int_t)tool.chunks, "altered_seen", tool.altered));
        if (err != NULL)
            add_error(answer, err);
        char *text = json_dumps(answer, JSON_COMPACT);
        puts(text);
        (void)fflush(stdout);
        free(text);
        json_decref(answer);
        json_decref(call);
    }
    ops->capture_close(tool.capture);
    my_closep(&tool.conn);
    my_closep(&tool.locked);
    free(line);
    arena_free(tool.arena);
    return 0;
}
