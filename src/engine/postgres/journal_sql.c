/* What the executor says to the journal on PostgreSQL; what each is for stands in engine.h. */
#include "engine/postgres/pg.h"

#define LEASE_COLUMNS                                                                                        \
    "SELECT table_key, holder, host, pid, date_trunc('second', since)::text, expires_at > "                  \
    "clock_timestamp(), session_id, session_started, expires_at::text FROM stoa.leases WHERE table_key IN "  \
    "({keys}) ORDER BY table_key"

#define EVENT                                                                                                \
    "e.id, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), e.change_id, e.kind, e.step, "  \
    "e.detail, e.text, e.by"

static const char *const texts[JOURNAL_SQL_COUNT] = {
    [JOURNAL_FIND_CHANGE] =
        "SELECT id, name, owner, change_digest, plan_digest, sql, state, phase, error, ready_position, plan "
        "FROM stoa.changes WHERE name = $1 AND state NOT IN ('aborted', 'reverted')",
    [JOURNAL_ADD_CHANGE] =
        "INSERT INTO stoa.changes (name, owner, change_digest, plan_digest, sql, plan, state, phase) VALUES "
        "($1, $2, $3, $4, $5, $6::json, 'running', 'prepare') RETURNING id",
    [JOURNAL_SET_CHANGE] =
        "UPDATE stoa.changes SET state = $2, phase = coalesce($3, phase), error = $4, throttled_by = NULL, "
        "ready_at = CASE $2 WHEN 'ready' THEN coalesce(ready_at, clock_timestamp()) WHEN 'completed' THEN "
        "ready_at END, ready_position = CASE WHEN $2 IN ('ready', 'completed') THEN ready_position END, "
        "ended_at = CASE WHEN $2 IN ('completed', 'aborted', 'reverted') THEN clock_timestamp() END "
        "WHERE id = $1",
    [JOURNAL_SET_REPLICAS] = "UPDATE stoa.changes SET replicas = ARRAY(SELECT json_array_elements_text($2)) "
                             "WHERE id = $1",
    [JOURNAL_REPLICAS] = "SELECT to_json(replicas) FROM stoa.changes WHERE id = $1",

    [JOURNAL_ADD_STEP] =
        "INSERT INTO stoa.steps (change_id, ordinal, phase, kind, title) VALUES ($1, $2, $3, $4, $5) ON "
        "CONFLICT (change_id, ordinal) DO NOTHING",
    [JOURNAL_SET_STEP] =
        "UPDATE stoa.steps SET state = $3, error = $4, attempts = attempts + CASE WHEN $3 = 'running' THEN 1 "
        "ELSE 0 END, started_at = CASE WHEN $3 = 'running' AND state <> 'running' THEN clock_timestamp() "
        "ELSE started_at END, ended_at = CASE WHEN $3 IN ('done', 'undone') THEN clock_timestamp() END "
        "WHERE change_id = $1 AND ordinal = $2",
    [JOURNAL_STEP_DONE] =
        "WITH proof AS ({proof}) UPDATE stoa.steps SET state = 'done', error = NULL, ended_at = "
        "clock_timestamp() WHERE change_id = $1 AND ordinal = $2 AND (SELECT count(*) FROM proof) = {count}",

    [JOURNAL_ADD_EVENT] =
        "INSERT INTO stoa.events (change_id, kind, step, detail, text) VALUES ($1, $2, $3, $4::json, $5)",
    [JOURNAL_PUT_CHECKPOINT] =
        "WITH proof AS ({proof}) INSERT INTO stoa.checkpoints (change_id, ordinal, body) SELECT $1, $2, "
        "$3::json WHERE (SELECT count(*) FROM proof) = {count} ON CONFLICT (change_id, ordinal) DO UPDATE "
        "SET "
        "body = excluded.body, updated_at = excluded.updated_at",
    [JOURNAL_SET_CONTROLS] =
        "UPDATE stoa.controls SET paused = coalesce($2::boolean, paused), max_stall_ms = "
        "coalesce($3::bigint, max_stall_ms), lock_wait_ms = coalesce($4::bigint, lock_wait_ms), max_lag_ms = "
        "coalesce($5::bigint, max_lag_ms), chunk_time_ms = coalesce($6::bigint, chunk_time_ms), quiet_ms = "
        "coalesce($7::bigint, quiet_ms), time_window = CASE WHEN $8::boolean THEN $9 ELSE time_window END, "
        "updated_at = now() WHERE change_id = $1",
    [JOURNAL_SET_ABORT] =
        "UPDATE stoa.controls SET abort_requested = $2::boolean, updated_at = now() WHERE change_id = $1",

    [JOURNAL_SETTINGS] = "SELECT name, value FROM stoa.settings WHERE change_id = $1",
    [JOURNAL_SET_SETTING] =
        "INSERT INTO stoa.settings (change_id, name, value) VALUES ($1, $2, $3) ON CONFLICT "
        "(change_id, name) DO UPDATE SET value = excluded.value",
    [JOURNAL_SIGNALS] =
        "SELECT body FROM stoa.signals WHERE change_id = $1 AND at > clock_timestamp() - interval '15 s'",
    [JOURNAL_PUT_SIGNALS] = "INSERT INTO stoa.signals (change_id, body) VALUES ($1, $2::json) ON CONFLICT "
                            "(change_id) DO UPDATE SET body = excluded.body, at = excluded.at",

    [JOURNAL_ADD_LEASE] =
        "INSERT INTO stoa.leases (table_key, epoch) VALUES ($1, 0) ON CONFLICT (table_key) DO NOTHING",
    [JOURNAL_LEASES] = LEASE_COLUMNS,
    [JOURNAL_LEASES_LOCK] = LEASE_COLUMNS " FOR UPDATE",
    [JOURNAL_SEIZE_LEASES] =
        "UPDATE stoa.leases SET epoch = epoch + 1, session_id = NULL, session_started = NULL, holder = $1, "
        "host = $2, pid = $3::int, change_id = $4::bigint, since = now(), expires_at = clock_timestamp() + "
        "$5::int * interval '1 ms' WHERE table_key IN ({keys}) RETURNING table_key, epoch",
    [JOURNAL_PROVE] = "SELECT 1 FROM stoa.leases WHERE {epochs} FOR KEY SHARE",
    [JOURNAL_RENEW_LEASES] =
        "UPDATE stoa.leases SET expires_at = clock_timestamp() + $2::int * interval '1 ms' WHERE holder = $1",
    [JOURNAL_RELEASE_LEASES] =
        "UPDATE stoa.leases SET expires_at = '-infinity', holder = NULL, session_id = NULL, "
        "session_started = NULL WHERE holder = $1",

    [JOURNAL_SINCE_MS] = "SELECT (extract(epoch FROM clock_timestamp() - $1::timestamptz) * 1000)::bigint",
    [JOURNAL_EVIDENCE_FRESH] =
        "SELECT coalesce(s.ended_at > clock_timestamp() - interval '1 hour', false) OR EXISTS (SELECT "
        "FROM stoa.steps o WHERE o.change_id = s.change_id AND o.phase = 'contract' AND o.kind NOT IN "
        "('quiet', 'evidence') AND o.state = 'done') FROM stoa.steps s WHERE s.change_id = $1 AND "
        "s.ordinal = $2",
    [JOURNAL_STATUS] =
        "SELECT c.id, c.name, c.owner, c.change_digest, c.plan_digest, c.state, c.phase, c.throttled_by, "
        "c.error, c.ready_at IS NOT NULL, to_json(c.created_at) #>> '{}', to_json(c.ready_at) #>> '{}', "
        "to_json(c.ended_at) #>> '{}', c.ready_position, (SELECT l.host || ' pid ' || l.pid FROM stoa.leases "
        "l WHERE l.change_id = c.id AND l.expires_at > clock_timestamp() LIMIT 1) FROM stoa.changes c WHERE "
        "($1::text IS NULL OR c.name = $1) AND ($2 OR $1 IS NOT NULL OR c.state NOT IN ('completed', "
        "'aborted', 'reverted')) ORDER BY CASE WHEN $1::text IS NULL THEN c.id ELSE -c.id END",
    [JOURNAL_STEPS] =
        "SELECT s.ordinal, s.phase, s.kind, s.title, s.state, s.attempts, to_json(s.started_at) #>> '{}', "
        "to_json(s.ended_at) #>> '{}', s.error, p.body FROM stoa.steps s LEFT JOIN stoa.checkpoints p USING "
        "(change_id, ordinal) WHERE s.change_id = $1 ORDER BY s.ordinal",
    [JOURNAL_HISTORY] =
        "SELECT to_json(e.at) #>> '{}', c.name, e.kind, e.step, e.text, e.detail, e.by, e.id FROM "
        "stoa.events e LEFT JOIN stoa.changes c ON c.id = e.change_id WHERE ($1::text IS NULL OR c.name = "
        "$1) "
        "AND e.id > CASE WHEN $2::bigint < 0 THEN (SELECT max(id) FROM stoa.events) + $2::bigint ELSE "
        "$2::bigint END ORDER BY e.id",
    [JOURNAL_REQUEST] = "SELECT sql, plan FROM stoa.changes WHERE id = $1",
    [JOURNAL_CREATED] =
        "SELECT (extract(epoch FROM created_at) * 1000000)::bigint FROM stoa.changes WHERE id = $1",
    [JOURNAL_FLAGS] =
        "SELECT to_json(at) #>> '{}', detail, by FROM stoa.events WHERE kind = 'flag' ORDER BY id",
    [JOURNAL_CONTRACTS] =
        "SELECT to_json(e.at) #>> '{}', e.detail, e.by, c.id, c.name, c.state FROM stoa.events e JOIN "
        "stoa.changes c "
        "ON c.id = e.change_id WHERE e.kind = 'contract' AND ($1::bigint IS NULL OR c.id = $1) ORDER BY e.id",

    [JOURNAL_UNSEALED] = "SELECT " EVENT " FROM stoa.events e WHERE e.id > $1 AND NOT EXISTS (SELECT FROM "
                         "stoa.seals s WHERE s.event_id = e.id) ORDER BY e.id LIMIT 1000",
    [JOURNAL_SEALS] =
        "SELECT s.ordinal, s.hash, s.event_id, " EVENT " FROM stoa.seals s LEFT JOIN stoa.events "
        "e ON e.id = s.event_id WHERE s.ordinal > $1 ORDER BY s.ordinal LIMIT 2000",
    [JOURNAL_MISPLACED] = "SELECT e.id, to_json(e.at) #>> '{}' FROM stoa.events e WHERE (SELECT n.at FROM "
                          "stoa.events n WHERE n.id "
                          "> e.id ORDER BY n.id LIMIT 1) < e.at - interval '1 hour' ORDER BY e.id",
    [JOURNAL_NOW] =
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS'), session_user",
    [JOURNAL_APPROVALS] = "SELECT id, to_json(at) #>> '{}', detail, by, kind FROM stoa.events WHERE kind IN "
                          "('approval', 'approval-revoked') ORDER BY id",
    [JOURNAL_RETIRES] = "SELECT detail, (extract(epoch FROM clock_timestamp() - at) * 1000)::bigint, "
                        "to_json(at) #>> '{}' FROM "
                        "stoa.events WHERE kind = 'retire' ORDER BY id",
    [JOURNAL_BROWNOUTS] =
        "SELECT table_key, epoch, expires_at <= clock_timestamp(), host, pid, date_trunc('second', "
        "since)::text, (extract(epoch FROM expires_at - clock_timestamp()) * 1000)::bigint FROM stoa.leases "
        "WHERE table_key LIKE 'brownout:%' AND holder IS NOT NULL ORDER BY table_key",
};

const char *pg_journal_work_sql(JournalSql statement) { return texts[statement]; }
