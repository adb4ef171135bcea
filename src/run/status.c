/* What the journal tells: status, history. */
#include "run/runner.h"

#include <string.h>

/* Rows as objects: one query gives a JSON document, which the server builds. */
static const char status_sql[] =
    "SELECT coalesce(json_agg(c ORDER BY CASE WHEN $1::text IS NULL THEN c.id ELSE -c.id END), '[]') FROM (\n"
    "  SELECT c.id, c.name, c.owner, c.change_digest, c.plan_digest, c.state, c.phase, c.throttled_by, "
    "c.error,\n"
    "    c.ready_at IS NOT NULL AS ready, c.created_at, c.ready_at, c.ended_at, c.ready_position,\n"
    "    (SELECT l.host || ' pid ' || l.pid FROM stoa.leases l\n"
    "      WHERE l.change_id = c.id AND l.expires_at > clock_timestamp() LIMIT 1) AS runner,\n"
    "    k.rows_done, k.rows_total, k.busy_ms, s.steps, e.evidence\n"
    "  FROM stoa.changes c\n"
    "  CROSS JOIN LATERAL (SELECT sum((body->>'rows')::bigint) AS rows_done, sum((body->>'total')::bigint) "
    "AS\n"
    "    rows_total, sum((body->>'busy_ms')::bigint) AS busy_ms FROM stoa.checkpoints WHERE change_id = "
    "c.id) k\n"
    "  CROSS JOIN LATERAL (SELECT json_agg(json_build_object('ordinal', ordinal, 'phase', phase, 'kind', "
    "kind,\n"
    "    'title', title, 'state', state, 'attempts', attempts, 'started_at', started_at, 'ended_at', "
    "ended_at,\n"
    "    'error', error) ORDER BY ordinal) AS steps FROM stoa.steps WHERE change_id = c.id) s\n"
    "  CROSS JOIN LATERAL (SELECT coalesce(json_agg(p.body->'report' ORDER BY p.ordinal), '[]') AS evidence\n"
    "    FROM stoa.checkpoints p JOIN stoa.steps t USING (change_id, ordinal) WHERE p.change_id = c.id AND\n"
    "    t.kind = 'evidence' AND p.body->'report' IS NOT NULL) e\n"
    "  WHERE ($1::text IS NULL OR c.name = $1)\n"
    "    AND ($2 OR $1 IS NOT NULL OR c.state NOT IN ('completed', 'aborted', 'reverted'))) c";

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

Err *run_status(const RunOptions *options, Arena *arena, const char *change, bool all, json_t **ret_json)
{
    Runner runner;
    json_t *changes = NULL;
    Err *err = runner_open(&runner, options, arena);
    if (err == NULL && runner.server.journal_version == 0)
        changes = json_array();
    else if (err == NULL)
        err = query_json(&runner, status_sql, 2, (const char *const[]){change, all ? "true" : "false"},
                         &changes);
    size_t i = 0;
    json_t *each = NULL;
    json_array_foreach(changes, i, each) if (err == NULL && runner.server.journal_version >= 2) err =
        add_broken(&runner, each);
    runner_close(&runner);
    if (err != NULL) {
        json_decref(changes);
        return err;
    }
    json_array_foreach(changes, i, each) derive(each);
    if (change != NULL && json_array_size(changes) == 0) {
        json_decref(changes);
        return err_hint(err_new(ERR_USAGE, "no change \"%s\" in the journal", change), "stoa status --all");
    }
    *ret_json = json_pack("{s:i,s:o}", "v", 1, "changes", changes);
    return NULL;
}

Err *run_history(const RunOptions *options, Arena *arena, const char *change, json_t **ret_json)
{
    Runner runner;
    json_t *events = NULL;
    Err *err = runner_open(&runner, options, arena);
    if (err == NULL && runner.server.journal_version == 0)
        events = json_array();
    else if (err == NULL)
        err =
            query_json(&runner,
                       "SELECT coalesce(json_agg(json_build_object('at', e.at, 'change', c.name, 'event', "
                       "e.kind, 'step', "
                       "e.step, 'text', e.text, 'detail', e.detail, 'by', e.by) ORDER BY e.id), '[]') FROM "
                       "stoa.events e "
                       "LEFT JOIN stoa.changes c ON c.id = e.change_id WHERE $1::text IS NULL OR c.name = $1",
                       1, (const char *const[]){change}, &events);
    runner_close(&runner);
    TRY(err);
    *ret_json = json_pack("{s:i,s:o}", "v", 1, "events", events);
    return NULL;
}
