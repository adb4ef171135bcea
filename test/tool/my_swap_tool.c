/* stoa-my-swap-tool: cutovers of a small table against a fresh shadow, each attempt as a JSON line.
 *
 *   stoa-my-swap-tool --url URL --schema S --table T [--count N] [--stall MS] [--tries N] [--allow-old]
 * [--back]
 *                     [--look] [--hold MS]
 *
 * The shadow is the table with column v as BIGINT and INT in turns. The drain copies the whole table. --back
 * swaps back each time; --hold lets the drain take so long; --look only tells the state and clears what is
 * left. What an earlier process left is looked at first, so that it can be started again after a kill -9. */
#include "base/clock.h"
#include "base/stop.h"
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/swap.h"

#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>

enum { RECONNECT_TRIES = 1200, RECONNECT_MS = 50 };

typedef struct Tool {
    const char *url, *schema, *table;
    int count, tries, stall_ms, hold_ms;
    bool allow_old, back, look;
    Conn *conn;
    ShadowSpec there, again; /* the way there, and back */
} Tool;

static void print_json(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
    puts(text);
    (void)fflush(stdout);
    free(text);
    json_decref(json);
}

static void print_error(const Err *err)
{
    char *text = err_text(err);
    const char *hint = err_first_hint(err);
    print_json(
        json_pack("{s:s, s:s, s:s?}", "error", err_kind_name(err->kind), "message", text, "hint", hint));
    free(text);
}

static Err *run(Conn *conn, const char *sql)
{
    Wait wait = {.timeout_ms = 20000};
    return my_exec(conn, &wait, sql);
}

/* ---- one cutover
 * -------------------------------------------------------------------------------------------
 */

typedef struct Drain {
    const Tool *tool;
    const ShadowSpec *spec;
} Drain;

static Err *drain(void *context, Conn *locked, int64_t deadline_ms)
{
    const Drain *drain = context;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *source = my_name(arena, drain->spec->schema, drain->spec->source);
    const char *shadow = my_name(arena, drain->spec->schema, drain->spec->shadow);
    int64_t left = deadline_ms - clock_ms();
    Wait wait = {.timeout_ms = left < 1 ? 1 : left};
    if (drain->tool->hold_ms > 0)
        stop_sleep(NULL, drain->tool->hold_ms);
    TRY(my_exec(locked, &wait, "SET autocommit = 0"));
    TRY(my_exec(locked, &wait, arena_printf(arena, "DELETE FROM %s", shadow)));
    TRY(my_exec(locked, &wait, arena_printf(arena, "INSERT INTO %s SELECT * FROM %s", shadow, source)));
    TRY(my_exec(locked, &wait, "COMMIT"));
    return my_exec(locked, &wait, "SET autocommit = 1");
}

static Err *prepare(const Tool *tool, int number)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const ShadowSpec *spec = &tool->there;
    const char *source = my_name(arena, spec->schema, spec->source),
               *shadow = my_name(arena, spec->schema, spec->shadow);
    Rows rows = {0};
    Wait wait = {.timeout_ms = 20000};
    TRY(conn_params(
        tool->conn, &wait, arena, &rows,
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = $1 AND TABLE_NAME IN ($2, $3)",
        spec->schema, spec->shadow, spec->old));
    SwapState state = SWAP_UNKNOWN;
    if (rows.row_count > 0) {
        TRY(my_swap_state(tool->conn, &wait, arena, spec, &state));
        TRY(my_swap_clear(tool->conn, &wait, spec));
    }
    if (state == SWAP_DONE)
        TRY(run(tool->conn, arena_printf(arena, "DROP TABLE %s", my_name(arena, spec->schema, spec->old))));
    if (state == SWAP_NOT_DONE)
        return NULL;
    TRY(run(tool->conn, arena_printf(arena, "DROP TABLE IF EXISTS %s", shadow)));
    TRY(run(tool->conn, arena_printf(arena, "CREATE TABLE %s LIKE %s", shadow, source)));
    return run(tool->conn, arena_printf(arena, "ALTER TABLE %s MODIFY v %s NOT NULL", shadow,
                                        number % 2 == 0 ? "BIGINT" : "INT"));
}

static Err *reconnect(Tool *tool)
{
    my_closep(&tool->conn);
    for (int i = 1;; i++) {
        Err *err = my_connect(&(Target){.url = tool->url}, "tool", NULL, &tool->conn);
        if (err == NULL || i == RECONNECT_TRIES)
            return err;
        err_free(err);
        stop_sleep(NULL, RECONNECT_MS);
    }
}

static Err *attempt(Tool *tool, const ShadowSpec *spec, bool *ret_done)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Drain context = {.tool = tool, .spec = spec};
    SwapRequest request = {.spec = spec,
                           .max_stall_ms = tool->stall_ms,
                           .allow_old_snapshots = tool->allow_old,
                           .drain = drain,
                           .context = &context};
    SwapResult result = {0};
    Wait wait = {.timeout_ms = 10000};
    int64_t begun = clock_ms();
    Err *err = my_swap(&(Target){.url = tool->url}, tool->conn, &wait, arena, &request, &result);
    if (err_is(err, ERR_CONN_LOST)) {
        SwapState state = SWAP_UNKNOWN;
        print_error(err);
        err_free(err);
        TRY(reconnect(tool));
        TRY(my_swap_state(tool->conn, &wait, arena, spec, &state));
        TRY(my_swap_clear(tool->conn, &wait, spec));
        *ret_done = state == SWAP_DONE;
        print_json(json_pack("{s:b, s:s}", "done", *ret_done, "by", "looking"));
        return NULL;
    }
    TRY(err);
    print_json(json_pack("{s:I, s:I, s:b, s:I, s:I, s:I, s:s?, s:b}", "begun", (json_int_t)begun, "ended",
                         (json_int_t)clock_ms(), "done", result.done, "waited", (json_int_t)result.waited_ms,
                         "locked", (json_int_t)result.locked_ms, "whole", (json_int_t)(clock_ms() - begun),
                         "blocker", result.blocker, "old_snapshot", result.old_snapshot));
    *ret_done = result.done;
    return my_exec(tool->conn, &wait, "DO 0");
}

static Err *cutover(Tool *tool, const ShadowSpec *spec)
{
    bool done = false;
    for (int i = 0; !done && i < tool->tries; i++) {
        if (i > 0)
            stop_sleep(NULL, 20 + rand() % 60);
        Err *err = attempt(tool, spec, &done);
        if (err_is(err, ERR_CONN_LOST)) {
            print_error(err);
            err_free(err);
            err = reconnect(tool);
        }
        TRY(err);
    }
    return done ? NULL : err_new(ERR_HELD, "not done in %d attempts", tool->tries);
}

static Err *look(const Tool *tool)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    static const char *const names[] = {"not done", "done", "unknown"};
    SwapState state = SWAP_UNKNOWN;
    TRY(my_swap_state(tool->conn, NULL, arena, &tool->there, &state));
    print_json(json_pack("{s:s}", "state", names[state]));
    return my_swap_clear(tool->conn, NULL, &tool->there);
}

static Err *work(Tool *tool)
{
    TRY(reconnect(tool));
    if (tool->look)
        return look(tool);
    for (int i = 0; i < tool->count; i++) {
        Err *err = prepare(tool, i);
        if (err_is(err, ERR_CONN_LOST)) {
            err_free(err);
            TRY(reconnect(tool));
            err = prepare(tool, i);
        }
        TRY(err);
        TRY(cutover(tool, &tool->there));
        if (tool->back)
            TRY(cutover(tool, &tool->again));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"url", required_argument, NULL, 'u'},
                                            {"schema", required_argument, NULL, 's'},
                                            {"table", required_argument, NULL, 't'},
                                            {"count", required_argument, NULL, 'c'},
                                            {"stall", required_argument, NULL, 'm'},
                                            {"tries", required_argument, NULL, 'n'},
                                            {"hold", required_argument, NULL, 'h'},
                                            {"allow-old", no_argument, NULL, 'a'},
                                            {"back", no_argument, NULL, 'b'},
                                            {"look", no_argument, NULL, 'l'},
                                            {"keys-off", required_argument, NULL, 'f'},
                                            {"keys-on", required_argument, NULL, 'k'},
                                            {0}};
    const char *keys_off = NULL,
               *keys_on = NULL; /* of the table: what drops its foreign keys, and adds them */
    Tool tool = {.url = "", .schema = "test", .table = "t", .count = 1, .tries = 1, .stall_ms = 500};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        tool.url = option == 'u' ? optarg : tool.url;
        tool.schema = option == 's' ? optarg : tool.schema;
        tool.table = option == 't' ? optarg : tool.table;
        tool.count = option == 'c' ? atoi(optarg) : tool.count;
        tool.stall_ms = option == 'm' ? atoi(optarg) : tool.stall_ms;
        tool.tries = option == 'n' ? atoi(optarg) : tool.tries;
        tool.hold_ms = option == 'h' ? atoi(optarg) : tool.hold_ms;
        tool.allow_old = tool.allow_old || option == 'a';
        tool.back = tool.back || option == 'b';
        tool.look = tool.look || option == 'l';
        keys_off = option == 'f' ? optarg : keys_off;
        keys_on = option == 'k' ? optarg : keys_on;
    }
    CLEANUP(arena_freep) Arena *arena = arena_new();
    srand((unsigned)clock_us());
    const char *new_name = arena_printf(arena, "%s__stoa_new", tool.table);
    const char *old_name = arena_printf(arena, "%s__stoa_old", tool.table);
    tool.there = (ShadowSpec){
        .schema = tool.schema, .source = tool.table, .shadow = new_name, .old = old_name, .sentry = old_name};
    tool.again = (ShadowSpec){
        .schema = tool.schema, .source = tool.table, .shadow = old_name, .old = new_name, .sentry = new_name};
    ShadowSpec *const both[] = {&tool.there, &tool.again};
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        both[i]->keys_off = both[i]->keys_away = keys_off;
        both[i]->keys_on = both[i]->keys_back = keys_on;
    }
    CLEANUP(err_freep) Err *err = work(&tool);
    my_closep(&tool.conn);
    if (err != NULL)
        print_error(err);
    return err == NULL ? 0 : 1;
}
