/* What the journal tells: status, history. */
#include "run/runner.h"

#include <string.h>

/* Rows as objects: one query gives a JSON document, which the server builds. */
static const char status_sql[] =
    "SELECT coalesce(json_agg(c ORDER BY c.id), '[]') FROM (SELECT c.id, c.name, c.owner, c.change_digest, "
    "c.plan_digest, "
    "c.state, c.phase, c.ready_at IS NOT NULL AS ready, c.throttled_by, c.error, c.created_at, c.ready_at, "
    "c.ended_at, "
    "c.ready_position, (SELECT l.host || ' pid ' || l.pid FROM stoa.leases l WHERE l.change_id = c.id AND "
    "l.expires_at > "
    "clock_timestamp() LIMIT 1) AS runner, (SELECT sum((k.body->>'rows')::bigint) FROM stoa.checkpoints k "
    "WHERE k.change_id = "
    "c.id) AS rows_done, (SELECT sum((k.body->>'busy_ms')::bigint) FROM stoa.checkpoints k WHERE k.change_id "
    "= c.id) AS "
    "busy_ms, (SELECT avg(CASE WHEN (k.body->>'end')::bigint > 0 AND k.body->>'storage' <> '' THEN least(1, "
    "(CASE WHEN "
    "(k.body->>'scanned')::boolean THEN 1 WHEN k.body->>'low' ~ '^[0-9]+$' THEN (k.body->>'low')::numeric / "
    "(k.body->>'end')::numeric ELSE 0 END)) END) FROM stoa.checkpoints k WHERE k.change_id = c.id) AS "
    "fraction, (SELECT "
    "json_agg(json_build_object('ordinal', s.ordinal, 'phase', s.phase, 'kind', s.kind, 'title', s.title, "
    "'state', s.state, "
    "'attempts', s.attempts, 'started_at', s.started_at, 'ended_at', s.ended_at, 'error', s.error) ORDER BY "
    "s.ordinal) FROM "
    "stoa.steps s WHERE s.change_id = c.id) AS steps FROM stoa.changes c WHERE ($1::text IS NULL OR c.name = "
    "$1) AND ($2 OR "
    "c.state NOT IN ('completed', 'aborted', 'reverted') OR $1 IS NOT NULL)) c";

/* Turns the server's figures into those of the contract. */
static void derive(json_t *change)
{
    double fraction = json_number_value(json_object_get(change, "fraction"));
    int64_t rows = json_integer_value(json_object_get(change, "rows_done"));
    double busy_s = json_number_value(json_object_get(change, "busy_ms")) / 1000;
    bool running = str_eq(json_string_value(json_object_get(change, "state")), "running");
    double per_s = busy_s > 0 ? (double)rows / busy_s : 0;
    json_object_set_new(change, "rows_done", json_integer(rows));
    json_object_set_new(
        change, "rows_total",
        json_integer(fraction > 0 ? (json_int_t)((double)rows / fraction) : (json_int_t)rows));
    json_object_set_new(change, "rows_per_s", json_integer((json_int_t)per_s));
    json_t *eta = json_null();
    if (running && fraction > 0.01 && fraction < 1) {
        double left = busy_s * (1 - fraction) / fraction;
        eta = json_pack("{s:I,s:I}", "low", (json_int_t)(left * 0.8), "high", (json_int_t)(left * 2) + 1);
    }
    json_object_set_new(change, "eta_s", eta);
    (void)json_object_del(change, "fraction");
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
    runner_close(&runner);
    TRY(err);
    size_t i = 0;
    json_t *each = NULL;
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
