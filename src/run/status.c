/* What the journal tells: status, history. */
#include "run/brownout.h"
#include "run/columns.h"
#include "run/runner.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static json_t *text_json(const Rows *rows, size_t row, size_t col)
{
    const char *cell = rows_cell(rows, row, col);
    json_t *text = cell == NULL ? json_null() : json_string(cell);
    return text != NULL ? text : json_null(); /* not UTF-8 */
}

static int64_t figure(const json_t *body, const char *key)
{
    return json_integer_value(json_object_get(body, key));
}

/* Steps, the sums over their checkpoints, and what the evidence steps have found. */
static Err *add_steps(Runner *runner, json_t *change, const char *id)
{
    static const char *const names[] = {"ordinal",  "phase",      "kind",     "title", "state",
                                        "attempts", "started_at", "ended_at", "error"};
    enum { KIND = 2, BODY = ARRAY_LEN(names) };
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, runner->arena, &rows, runner->ops->journal_sql(JOURNAL_STEPS), id));
    json_t *steps = json_array(), *evidence = json_array();
    int64_t done = 0, total = 0, busy_ms = 0, hot = 0;
    for (size_t i = 0; i < rows.row_count; i++) {
        json_t *step = json_object();
        for (size_t j = 0; j < ARRAY_LEN(names); j++)
            json_object_set_new(step, names[j],
                                j == 0 || str_eq(names[j], "attempts") ? json_integer(rows_int(&rows, i, j))
                                                                       : text_json(&rows, i, j));
        json_array_append_new(steps, step);
        const char *text = rows_cell(&rows, i, BODY);
        json_t *body = text == NULL ? NULL : json_loads(text, 0, NULL);
        json_t *report = json_object_get(body, "report");
        if (json_object_get(body, "rows") != NULL) {
            json_object_set(step, "rows_done", json_object_get(body, "rows"));
            json_object_set_new(step, "rows_total", json_integer(figure(body, "total")));
        }
        done += figure(body, "rows");
        total += figure(body, "total");
        busy_ms += figure(body, "busy_ms");
        hot += figure(body, "hot");
        if (report != NULL && str_eq(rows_cell(&rows, i, KIND), "evidence"))
            json_array_append(evidence, report);
        json_decref(body);
    }
    json_object_set_new(change, "rows_done", json_integer(done));
    json_object_set_new(change, "rows_total", json_integer(total));
    json_object_set_new(change, "busy_ms", json_integer(busy_ms));
    json_object_set_new(change, "hot_ratio", hot > 0 ? json_real((double)hot / (double)done) : json_null());
    json_object_set_new(change, "steps", steps);
    json_object_set_new(change, "evidence", evidence);
    return NULL;
}

static Err *load_changes(Runner *runner, const char *name, bool all, json_t *columns, json_t *changes)
{
    static const char *const names[] = {"id",          "name",           "owner",      "change_digest",
                                        "plan_digest", "state",          "phase",      "throttled_by",
                                        "error",       "ready",          "created_at", "ready_at",
                                        "ended_at",    "ready_position", "runner"};
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, runner->arena, &rows, runner->ops->journal_sql(JOURNAL_STATUS), name,
                    all ? "true" : "false"));
    for (size_t i = 0; i < rows.row_count; i++) {
        json_t *change = json_object();
        json_array_append_new(changes, change);
        for (size_t j = 0; j < ARRAY_LEN(names); j++)
            json_object_set_new(change, names[j],
                                j == 0                      ? json_integer(rows_int(&rows, i, j))
                                : str_eq(names[j], "ready") ? json_boolean(rows_bool(&rows, i, j))
                                                            : text_json(&rows, i, j));
        TRY(add_steps(runner, change, rows_cell(&rows, i, 0)));
        TRY(columns_add(runner, columns, change, rows_cell(&rows, i, 0)));
    }
    return NULL;
}

/* Turns the server's figures into those of the contract. */
static void derive(json_t *change)
{
    int64_t rows = json_integer_value(json_object_get(change, "rows_done"));
    int64_t total = json_integer_value(json_object_get(change, "rows_total"));
    double busy_s = json_number_value(json_object_get(change, "busy_ms")) / 1000;
    bool running = str_eq(json_string_value(json_object_get(change, "state")), "running");
    bool over = json_is_true(json_object_get(change, "ready")) || total < rows;
    json_object_set_new(change, "rows_done", json_integer(rows));
    json_object_set_new(change, "rows_total", json_integer(over ? rows : total));
    json_object_set_new(change, "rows_per_s",
                        json_integer(busy_s > 0 ? (json_int_t)((double)rows / busy_s) : 0));
    json_t *eta = json_null();
    if (running && rows > 0 && rows < total) {
        double left = busy_s * (double)(total - rows) / (double)rows;
        eta = json_pack("{s:I,s:I}", "low", (json_int_t)(left * 0.8), "high", (json_int_t)(left * 2) + 1);
    }
    json_object_set_new(change, "eta_s", eta);
    (void)json_object_del(change, "busy_ms");
    (void)json_object_del(change, "id");
}

static Err *query_json(Runner *runner, const char *sql, size_t count, const char *const *params,
                       json_t **ret_json)
{
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    TRY(runner->ops->query(runner->conn, &wait, runner->arena, sql, count, params, &rows));
    json_error_t why;
    *ret_json = json_loads(rows_cell(&rows, 0, 0), 0, &why);
    return *ret_json != NULL ? NULL : err_new(ERR_BUG, "the journal's answer cannot be read: %s", why.text);
}

/* What each way back has lost, if anything, beside what the journal says once. */
static Err *add_broken(Runner *runner, json_t *change)
{
    Wait wait = runner_wait(runner);
    Arena *arena = runner->arena;
    json_int_t number = json_integer_value(json_object_get(change, "id"));
    const char *id = arena_printf(arena, "%lld", (long long)number), *text = NULL;
    json_t *list = NULL, *each = NULL;
    if (!runner->server.in_recovery && runner->server.may_use_journal)
        err_free(broken_note(runner->conn, arena, number, &text));
    TRY(query_json(
        runner,
        "SELECT coalesce(json_agg(f), '[]') FROM (SELECT DISTINCT ON (b.table_id, b.column_name) "
        "coalesce(n.nspname || '.' || c.relname, b.table_id::text) AS \"table\", b.table_id, b.column_name "
        "AS \"column\", b.at, b.key, b.sqlstate, b.message FROM stoa.sync_broken b LEFT JOIN "
        "pg_catalog.pg_class c ON c.oid = b.table_id::oid LEFT JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE b.change_id = $1 ORDER BY b.table_id, b.column_name, b.id) f",
        1, &id, &list));
    size_t i = 0;
    json_array_foreach(list, i, each)
    {
        int64_t count = 0;
        const char *counter = sync_broken_pg(arena, json_integer_value(json_object_get(each, "table_id")),
                                             json_string_value(json_object_get(each, "column")));
        Err *err = runner->ops->counter_value(runner->conn, &wait, arena, counter, &count);
        json_object_set_new(each, "count", err == NULL && count >= 0 ? json_integer(count) : json_null());
        err_free(err);
        (void)json_object_del(each, "table_id");
    }
    json_object_set_new(change, "broken", list);
    return NULL;
}

/* What the signals say, while somebody carries it out. */
static Err *add_signals(Runner *runner, json_t *change)
{
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    json_int_t number = json_integer_value(json_object_get(change, "id"));
    TRY(conn_params(runner->conn, &wait, runner->arena, &rows, runner->ops->journal_sql(JOURNAL_SIGNALS),
                    arena_printf(runner->arena, "%lld", (long long)number)));
    const char *body = rows.row_count > 0 ? rows_cell(&rows, 0, 0) : NULL;
    json_t *signals = body == NULL ? NULL : json_loads(body, 0, NULL);
    json_object_set_new(change, "signals", signals != NULL ? signals : json_array());
    return NULL;
}

/* Of a server that answers, and may have no journal yet. `plans` and `columns`: what is known of them by the
 * change's id, or NULL. */
static Err *status_of(Runner *runner, const char *name, bool all, json_t *plans, json_t *columns,
                      json_t *changes)
{
    bool sync = (runner->ops->features & ENGINE_SYNC_TRIGGERS) != 0;
    size_t i = 0;
    json_t *each = NULL;
    if (runner->server.journal_version == 0)
        return NULL;
    TRY(load_changes(runner, name, all, columns, changes));
    TRY(measured_add(runner, changes, plans));
    json_array_foreach(changes, i, each)
    {
        if (sync && runner->server.journal_version >= 2)
            TRY(add_broken(runner, each));
        if (runner->server.journal_version == runner->ops->journal_version)
            TRY(add_signals(runner, each));
        derive(each);
    }
    return NULL;
}

Err *run_status(const RunOptions *options, Arena *arena, const char *change, bool all, json_t **ret_json)
{
    Runner runner;
    json_t *changes = json_array();
    Err *err = runner_open_to_read(&runner, options, arena);
    if (err == NULL)
        err = status_of(&runner, change, all, NULL, NULL, changes);
    runner_close(&runner);
    if (err == NULL && change != NULL && json_array_size(changes) == 0)
        err = err_hint(err_new(ERR_USAGE, "no change \"%s\" in the journal", change), "stoa status --all");
    if (err != NULL) {
        json_decref(changes);
        return err;
    }
    *ret_json = json_pack("{s:i,s:o}", "v", 1, "changes", changes);
    return NULL;
}

/* With their numbers, where `numbered`. */
static Err *load_events(Runner *runner, const char *name, int64_t after, bool numbered, json_t *events)
{
    static const char *const names[] = {"at", "change", "event", "step", "text", "detail", "by"};
    enum { STEP = 3, DETAIL = 5, NUMBER = ARRAY_LEN(names) };
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    if (runner->server.journal_version == 0)
        return NULL;
    TRY(conn_params(runner->conn, &wait, runner->arena, &rows, runner->ops->journal_sql(JOURNAL_HISTORY),
                    name, arena_printf(runner->arena, "%lld", (long long)after)));
    for (size_t i = 0; i < rows.row_count; i++) {
        json_t *event = json_object(), *detail = NULL;
        const char *body = rows_cell(&rows, i, DETAIL);
        if (body != NULL)
            detail = json_loads(body, JSON_DECODE_ANY, NULL);
        if (numbered)
            json_object_set_new(event, "id", json_integer(rows_int(&rows, i, NUMBER)));
        for (size_t j = 0; j < ARRAY_LEN(names); j++)
            json_object_set_new(event, names[j],
                                j == STEP        ? json_integer(rows_int(&rows, i, j))
                                : j != DETAIL    ? text_json(&rows, i, j)
                                : detail != NULL ? detail
                                                 : json_null());
        json_array_append_new(events, event);
    }
    return NULL;
}

Err *run_history(const RunOptions *options, Arena *arena, const char *change, json_t **ret_json)
{
    Runner runner;
    json_t *events = json_array();
    Err *err = runner_open_to_read(&runner, options, arena);
    if (err == NULL)
        err = load_events(&runner, change, 0, false, events);
    runner_close(&runner);
    if (err != NULL) {
        json_decref(events);
        return err;
    }
    *ret_json = json_pack("{s:i,s:o}", "v", 1, "events", events);
    return NULL;
}

/* ---- for those who look on ------------------------------------------------------------------ */

enum { FLAGS_EVERY_MS = 10000 };

struct RunView {
    Runner runner;
    Arena *arena;    /* as long as the session */
    json_t *plans;   /* what plans say, by the number of their change */
    json_t *columns; /* by the change's id */
    json_t *flags;
    int64_t flags_ms; /* when they were read; 0 */
};

Err *run_view_open(const RunOptions *options, RunView **ret_view)
{
    RunView *view = mem_zero(sizeof *view);
    view->arena = arena_new();
    view->plans = json_object();
    view->columns = json_object();
    view->flags = json_array();
    Err *err = runner_open_to_read(&view->runner, options, view->arena);
    if (err != NULL) {
        run_view_close(view);
        return err;
    }
    *ret_view = view;
    return NULL;
}

/* What is read belongs to one look; a journal may have been made, or gone, meanwhile. */
static Err *look(RunView *view, Arena *arena)
{
    Wait wait = {.stop = view->runner.options->stop, .timeout_ms = JOURNAL_TIMEOUT_MS};
    view->runner.arena = arena;
    TRY(view->runner.ops->load_server(view->runner.conn, &wait, arena, &view->runner.server));
    return journal_check_readable(view->runner.ops, &view->runner.server);
}

/* All that operators ever said of flags, anew where there may be more of it. */
static Err *look_at_flags(RunView *view, Arena *arena, const json_t *events)
{
    Runner *runner = &view->runner;
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    size_t i = 0;
    const json_t *event = NULL;
    bool more = view->flags_ms == 0 || clock_ms() - view->flags_ms > FLAGS_EVERY_MS;
    json_array_foreach(events, i, event) more =
        more || str_eq(json_string_value(json_object_get(event, "event")), "flag");
    if (!more)
        return NULL;
    if (runner->server.journal_version > 0)
        TRY(conn_params(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_FLAGS)));
    json_decref(view->flags);
    view->flags = json_array();
    view->flags_ms = clock_ms();
    for (i = 0; i < rows.row_count; i++) {
        const char *text = rows_cell(&rows, i, 1);
        json_t *detail = text == NULL ? NULL : json_loads(text, 0, NULL);
        if (detail == NULL)
            continue;
        json_object_set_new(detail, "at", text_json(&rows, i, 0));
        json_object_set_new(detail, "by", text_json(&rows, i, 2));
        json_array_append_new(view->flags, detail);
    }
    return NULL;
}

Err *run_view_look(RunView *view, Arena *arena, int64_t after, json_t **ret_changes, json_t **ret_events)
{
    json_t *changes = json_array(), *events = json_array();
    view->runner.deadline_ms = clock_ms() + JOURNAL_TIMEOUT_MS;
    Err *err = look(view, arena);
    if (err == NULL)
        brownouts_expire(&view->runner);
    if (err == NULL)
        err = status_of(&view->runner, NULL, true, view->plans, view->columns, changes);
    if (err == NULL)
        err = load_events(&view->runner, NULL, after, true, events);
    if (err == NULL)
        err = look_at_flags(view, arena, events);
    view->runner.arena = view->arena;
    if (err != NULL) {
        json_decref(changes);
        json_decref(events);
        return err;
    }
    *ret_changes = changes;
    *ret_events = events;
    return NULL;
}

const json_t *run_view_flags(const RunView *view) { return view->flags; }

const json_t *run_view_plans(const RunView *view) { return json_object_get(view->plans, ""); }

Err *run_view_column(RunView *view, Arena *arena, const char *schema, const char *table, const char *column,
                     bool *ret_there)
{
    Runner *runner = &view->runner;
    Table found = {0};
    runner->deadline_ms = clock_ms() + JOURNAL_TIMEOUT_MS;
    Wait wait = runner_wait(runner);
    TRY(runner->ops->load_table(runner->conn, &wait, arena, &runner->server, schema, table, &found));
    *ret_there = found.kind != RELATION_MISSING && table_column(&found, column) != NULL;
    return NULL;
}

const Server *run_view_server(const RunView *view) { return &view->runner.server; }

void run_view_close(RunView *view)
{
    if (view == NULL)
        return;
    runner_close(&view->runner);
    json_decref(view->plans);
    json_decref(view->columns);
    json_decref(view->flags);
    arena_free(view->arena);
    free(view);
}
