/* The journal's tables on MySQL and MariaDB, documented in docs/journal.md. */
#include "engine/mysql/journal.h"

#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"

/* DDL commits by itself here: each statement can be repeated, and the version comes last. Times are UTC, as
 * the session's. A name may be used again once its change is over, which a partial index would say: `live` is
 * NULL from then on. 190 characters are what an index of MySQL 5.6 takes (767 bytes). */
#define LIMITS_TABLE                                                                                         \
    "CREATE TABLE IF NOT EXISTS stoa.limits (change_id BIGINT NOT NULL, name VARCHAR(64) NOT NULL, most "    \
    "DOUBLE NOT NULL, PRIMARY KEY (change_id, name)) ENGINE=InnoDB;\n"

#define SIGNAL_TABLES                                                                                        \
    "CREATE TABLE IF NOT EXISTS stoa.settings (change_id BIGINT NOT NULL, name VARCHAR(64) NOT NULL, value " \
    "LONGTEXT NOT NULL, PRIMARY KEY (change_id, name)) ENGINE=InnoDB;\n"                                     \
    "CREATE TABLE IF NOT EXISTS stoa.signals (change_id BIGINT NOT NULL PRIMARY KEY, body LONGTEXT NOT "     \
    "NULL, at "                                                                                              \
    "DATETIME(6) NOT NULL) ENGINE=InnoDB;\n"

/* The hash chain over the events (run/chain.h). */
#define SEAL_TABLE                                                                                           \
    "CREATE TABLE IF NOT EXISTS stoa.seals (ordinal BIGINT NOT NULL PRIMARY KEY, event_id BIGINT NOT NULL, " \
    "hash VARCHAR(80) NOT NULL, UNIQUE KEY seals_event (event_id)) ENGINE=InnoDB;\n"

static const char create_sql[] =
    "CREATE DATABASE IF NOT EXISTS stoa CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;\n"
    "CREATE TABLE IF NOT EXISTS stoa.meta (version INT NOT NULL PRIMARY KEY, created_at DATETIME(6) NOT "
    "NULL, "
    "created_by VARCHAR(288) NOT NULL) ENGINE=InnoDB COMMENT='Journal of Stoa. Remove it with: stoa "
    "uninstall';\n"
    "CREATE TABLE IF NOT EXISTS stoa.changes (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name "
    "VARCHAR(190) "
    "NOT NULL, live TINYINT NULL, owner VARCHAR(255) NOT NULL, change_digest VARCHAR(80) NOT NULL, "
    "plan_digest "
    "VARCHAR(80) NOT NULL, `sql` LONGTEXT NOT NULL, plan LONGTEXT NOT NULL, state VARCHAR(20) NOT NULL, "
    "phase "
    "VARCHAR(20) NOT NULL, throttled_by TEXT, error LONGTEXT, ready_position LONGTEXT, replicas LONGTEXT, "
    "created_by VARCHAR(288) NOT NULL, created_at DATETIME(6) NOT NULL, ready_at DATETIME(6) NULL, ended_at "
    "DATETIME(6) NULL, UNIQUE KEY changes_name (name, live)) ENGINE=InnoDB;\n"
    "CREATE TABLE IF NOT EXISTS stoa.steps (change_id BIGINT NOT NULL, ordinal INT NOT NULL, phase "
    "VARCHAR(20) "
    "NOT NULL, kind VARCHAR(20) NOT NULL, title TEXT NOT NULL, state VARCHAR(20) NOT NULL DEFAULT 'pending', "
    "attempts INT NOT NULL DEFAULT 0, started_at DATETIME(6) NULL, ended_at DATETIME(6) NULL, error "
    "LONGTEXT, "
    "PRIMARY KEY (change_id, ordinal)) ENGINE=InnoDB;\n"
    "CREATE TABLE IF NOT EXISTS stoa.checkpoints (change_id BIGINT NOT NULL, ordinal INT NOT NULL, body "
    "LONGTEXT "
    "NOT NULL, updated_at DATETIME(6) NOT NULL, PRIMARY KEY (change_id, ordinal)) ENGINE=InnoDB;\n"
    "CREATE TABLE IF NOT EXISTS stoa.controls (change_id BIGINT NOT NULL PRIMARY KEY, paused TINYINT NOT "
    "NULL "
    "DEFAULT 0, abort_requested TINYINT NOT NULL DEFAULT 0, max_stall_ms BIGINT NOT NULL, lock_wait_ms "
    "BIGINT NOT "
    "NULL, max_lag_ms BIGINT NOT NULL, chunk_time_ms BIGINT NOT NULL, quiet_ms BIGINT NOT NULL, time_window "
    "VARCHAR(255), updated_at DATETIME(6) NULL) ENGINE=InnoDB;\n"
    "CREATE TABLE IF NOT EXISTS stoa.events (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, change_id BIGINT "
    "NULL, "
    "at DATETIME(6) NOT NULL, kind VARCHAR(40) NOT NULL, step INT NOT NULL DEFAULT 0, detail LONGTEXT, text "
    "LONGTEXT NOT NULL, `by` VARCHAR(288) NOT NULL, KEY events_change (change_id, id)) ENGINE=InnoDB;\n"
    "CREATE TABLE IF NOT EXISTS stoa.leases (table_key VARCHAR(190) NOT NULL PRIMARY KEY, epoch BIGINT NOT "
    "NULL, "
    "change_id BIGINT NULL, holder VARCHAR(64), host VARCHAR(255), pid BIGINT, session_id BIGINT, "
    "session_started "
    "VARCHAR(64), since DATETIME(6) NULL, expires_at DATETIME(6) NOT NULL, UNIQUE KEY fence (table_key, "
    "epoch)) "
    "ENGINE=InnoDB;\n"
    "CREATE TABLE IF NOT EXISTS stoa.heartbeat (id TINYINT NOT NULL PRIMARY KEY, at_ms BIGINT NOT NULL) "
    "ENGINE=InnoDB;\n" SIGNAL_TABLES SEAL_TABLE
    "INSERT INTO stoa.meta (version, created_at, created_by) VALUES (5, UTC_TIMESTAMP(6), CURRENT_USER()) ON "
    "DUPLICATE KEY UPDATE version = 5";

/* Needs SUPER, or log_bin_trust_function_creators, where the binary log is on (MySQL refman "Stored Program
 * Binary Logging"). */
static const char protect_sql[] =
    "CREATE TRIGGER stoa.events_stay BEFORE UPDATE ON stoa.events FOR EACH ROW SIGNAL SQLSTATE '45000' SET "
    "MESSAGE_TEXT = 'stoa.events is append-only';\n"
    "CREATE TRIGGER stoa.events_kept BEFORE DELETE ON stoa.events FOR EACH ROW SIGNAL SQLSTATE '45000' SET "
    "MESSAGE_TEXT = 'stoa.events is append-only'";

static const char protect_seals_sql[] =
    "CREATE TRIGGER stoa.seals_stay BEFORE UPDATE ON stoa.seals FOR EACH ROW SIGNAL SQLSTATE '45000' SET "
    "MESSAGE_TEXT = 'stoa.seals is append-only';\n"
    "CREATE TRIGGER stoa.seals_kept BEFORE DELETE ON stoa.seals FOR EACH ROW SIGNAL SQLSTATE '45000' SET "
    "MESSAGE_TEXT = 'stoa.seals is append-only'";

#define EVENT                                                                                                \
    "e.id, DATE_FORMAT(e.at, '%Y-%m-%dT%H:%i:%s.%f'), e.change_id, e.kind, e.step, e.detail, e.text, e.`by`"
#define TIME_TEXT(column) "DATE_FORMAT(" column ", '%Y-%m-%dT%H:%i:%s.%f+00:00')"
#define FLAG(parameter)   "(" parameter " = 'true')"
#define ALIVE             "expires_at > UTC_TIMESTAMP(6)"
#define IN_MS(parameter)  "UTC_TIMESTAMP(6) + INTERVAL CAST(" parameter " AS SIGNED) * 1000 MICROSECOND"
#define NEVER             "'1000-01-01'"
#define LEASE_COLUMNS                                                                                        \
    "SELECT table_key, holder, host, pid, DATE_FORMAT(since, '%Y-%m-%d %H:%i:%s+00'), " ALIVE ", "           \
    "session_id, session_started, " TIME_TEXT("expires_at") " FROM stoa.leases WHERE table_key IN ({keys}) " \
                                                            "ORDER BY table_key"

/* No derived table: MySQL 5.6 would want a database to be chosen for one (1046, seen). */
#define PROVEN                                                                                               \
    "(SELECT COUNT(*) FROM stoa.leases FORCE INDEX (fence) WHERE {epochs} LOCK IN SHARE MODE) = {count}"

/* Assignments are carried out from left to right here: what reads a column's old value comes before it. */
static const char *const texts[JOURNAL_SQL_COUNT] = {
    [JOURNAL_CREATE] = create_sql,
    [JOURNAL_PROTECT] = protect_sql,
    [JOURNAL_PROTECT_SEALS] = protect_seals_sql,
    /* Version 2 had no limits, version 3 had them in a table of their own, version 4 had no seals. */
    [JOURNAL_UPGRADE] = LIMITS_TABLE SIGNAL_TABLES
    "INSERT IGNORE INTO stoa.settings (change_id, name, value) SELECT "
    "change_id, CONCAT('max-load.', name), most FROM "
    "stoa.limits;\n"
    "DROP TABLE IF EXISTS stoa.limits;\n" SEAL_TABLE "UPDATE stoa.meta SET version = 5",
    [JOURNAL_DROP] = "DROP DATABASE IF EXISTS stoa",
    [JOURNAL_GRANTS] = "GRANT ALL ON stoa.* TO {role}",
    [JOURNAL_READ_GRANTS] = "GRANT SELECT ON stoa.* TO {role}",

    [JOURNAL_FIND_CHANGE] = "SELECT id, name, owner, change_digest, plan_digest, `sql`, state, phase, error, "
                            "ready_position, plan "
                            "FROM stoa.changes WHERE name = $1 AND live = 1",
    [JOURNAL_ADD_CHANGE] =
        "INSERT INTO stoa.changes (name, live, owner, change_digest, plan_digest, `sql`, plan, state, phase, "
        "created_by, created_at) VALUES ($1, 1, $2, $3, $4, $5, $6, 'running', 'prepare', CURRENT_USER(), "
        "UTC_TIMESTAMP(6)); SELECT LAST_INSERT_ID()",
    [JOURNAL_SET_CHANGE] =
        "UPDATE stoa.changes SET live = CASE WHEN $2 IN ('aborted', 'reverted') THEN NULL ELSE 1 END, phase "
        "= "
        "COALESCE($3, phase), error = $4, throttled_by = NULL, ready_at = CASE $2 WHEN 'ready' THEN "
        "COALESCE(ready_at, UTC_TIMESTAMP(6)) WHEN 'completed' THEN ready_at END, ready_position = CASE WHEN "
        "$2 IN ('ready', 'completed') THEN ready_position END, ended_at = CASE WHEN $2 IN ('completed', "
        "'aborted', 'reverted') THEN UTC_TIMESTAMP(6) END, state = $2 WHERE id = $1",
    [JOURNAL_SET_REPLICAS] = "UPDATE stoa.changes SET replicas = $2 WHERE id = $1",
    [JOURNAL_REPLICAS] = "SELECT replicas FROM stoa.changes WHERE id = $1",

    [JOURNAL_ADD_STEP] =
        "INSERT INTO stoa.steps (change_id, ordinal, phase, kind, title) VALUES ($1, $2, $3, $4, $5) ON "
        "DUPLICATE KEY UPDATE ordinal = ordinal",
    [JOURNAL_SET_STEP] =
        "UPDATE stoa.steps SET error = $4, attempts = attempts + CASE WHEN $3 = 'running' THEN 1 ELSE 0 END, "
        "started_at = CASE WHEN $3 = 'running' AND state <> 'running' THEN UTC_TIMESTAMP(6) ELSE started_at "
        "END, ended_at = CASE WHEN $3 IN ('done', 'undone') THEN UTC_TIMESTAMP(6) END, state = $3 WHERE "
        "change_id = $1 AND ordinal = $2",
    [JOURNAL_STEP_DONE] = "UPDATE stoa.steps SET state = 'done', error = NULL, ended_at = UTC_TIMESTAMP(6) "
                          "WHERE change_id = $1 "
                          "AND ordinal = $2 AND " PROVEN,

    [JOURNAL_ADD_EVENT] =
        "INSERT INTO stoa.events (change_id, kind, step, detail, text, at, `by`) VALUES ($1, $2, $3, $4, $5, "
        "UTC_TIMESTAMP(6), CURRENT_USER())",
    [JOURNAL_PUT_CHECKPOINT] =
        "INSERT INTO stoa.checkpoints (change_id, ordinal, body, updated_at) SELECT $1, $2, $3, "
        "UTC_TIMESTAMP(6) FROM DUAL WHERE " PROVEN
        " ON DUPLICATE KEY UPDATE body = VALUES(body), updated_at = "
        "VALUES(updated_at)",
    [JOURNAL_SET_CONTROLS] = "UPDATE stoa.controls SET paused = CASE WHEN $2 IS NULL THEN paused ELSE " FLAG(
        "$2") " END, max_stall_ms = COALESCE($3, max_stall_ms), lock_wait_ms = COALESCE($4, lock_wait_ms), "
              "max_lag_ms = COALESCE($5, max_lag_ms), chunk_time_ms = COALESCE($6, chunk_time_ms), quiet_ms "
              "= COALESCE($7, quiet_ms), time_window = CASE WHEN " FLAG(
                  "$8") " THEN $9 ELSE time_window END, updated_at = UTC_TIMESTAMP(6) WHERE change_id = $1",
    [JOURNAL_SET_ABORT] = "UPDATE stoa.controls SET abort_requested = " FLAG(
        "$2") ", updated_at = UTC_TIMESTAMP(6) WHERE change_id = $1",

    [JOURNAL_SETTINGS] = "SELECT name, value FROM stoa.settings WHERE change_id = $1",
    [JOURNAL_SET_SETTING] =
        "INSERT INTO stoa.settings (change_id, name, value) VALUES ($1, $2, $3) ON DUPLICATE "
        "KEY UPDATE value = VALUES(value)",
    [JOURNAL_SIGNALS] =
        "SELECT body FROM stoa.signals WHERE change_id = $1 AND at > UTC_TIMESTAMP(6) - INTERVAL 15 "
        "SECOND",
    [JOURNAL_PUT_SIGNALS] =
        "INSERT INTO stoa.signals (change_id, body, at) VALUES ($1, $2, UTC_TIMESTAMP(6)) ON "
        "DUPLICATE KEY UPDATE body = VALUES(body), at = VALUES(at)",

    [JOURNAL_ADD_LEASE] = "INSERT INTO stoa.leases (table_key, epoch, expires_at) VALUES ($1, 0, " NEVER
                          ") ON DUPLICATE KEY UPDATE table_key = table_key",
    [JOURNAL_LEASES] = LEASE_COLUMNS,
    [JOURNAL_LEASES_LOCK] = LEASE_COLUMNS " FOR UPDATE",
    [JOURNAL_SEIZE_LEASES] =
        "UPDATE stoa.leases SET epoch = epoch + 1, session_id = NULL, session_started = NULL, holder = $1, "
        "host = $2, pid = $3, change_id = $4, since = UTC_TIMESTAMP(6), expires_at = " IN_MS(
            "$5") " WHERE table_key IN ({keys}); SELECT table_key, epoch FROM stoa.leases WHERE table_key IN "
                  "({keys})",
    /* A shared lock of a covering index's record alone: a renewal, which changes no column of it, does not
     * wait for it, and a new epoch does (seen on MariaDB 10.11 and MySQL 9.7). */
    [JOURNAL_PROVE] = "SELECT 1 FROM stoa.leases FORCE INDEX (fence) WHERE {epochs} LOCK IN SHARE MODE",
    [JOURNAL_RENEW_LEASES] = "UPDATE stoa.leases SET expires_at = " IN_MS("$2") " WHERE holder = $1",
    [JOURNAL_RELEASE_LEASES] = "UPDATE stoa.leases SET expires_at = " NEVER ", session_id = NULL, "
                               "session_started = NULL, holder = NULL WHERE holder = $1",

    [JOURNAL_SINCE_MS] = "SELECT TIMESTAMPDIFF(MICROSECOND, $1, UTC_TIMESTAMP(6)) DIV 1000",
    [JOURNAL_EVIDENCE_FRESH] =
        "SELECT COALESCE(s.ended_at > UTC_TIMESTAMP(6) - INTERVAL 1 HOUR, 0) OR EXISTS (SELECT 1 FROM "
        "stoa.steps o WHERE o.change_id = s.change_id AND o.phase = 'contract' AND o.kind NOT IN ('quiet', "
        "'evidence') AND o.state = 'done') FROM stoa.steps s WHERE s.change_id = $1 AND s.ordinal = $2",
    [JOURNAL_STATUS] =
        "SELECT c.id, c.name, c.owner, c.change_digest, c.plan_digest, c.state, c.phase, c.throttled_by, "
        "c.error, c.ready_at IS NOT NULL, " TIME_TEXT("c.created_at") ", " TIME_TEXT(
            "c.ready_at") ", " TIME_TEXT("c.ended_at") ", c.ready_position, (SELECT CONCAT(l.host, ' pid ', "
                                                       "l.pid) FROM stoa.leases l WHERE l.change_id = c.id "
                                                       "AND l." ALIVE " LIMIT 1) FROM stoa.changes c WHERE "
                                                       "($1 IS NULL OR c.name = $1) AND (" FLAG(
                                                           "$2") " OR $1 IS NOT NULL OR c.state NOT IN "
                                                                 "('completed', 'aborted', 'reverted')) "
                                                                 "ORDER BY CASE WHEN $1 IS NULL THEN c.id "
                                                                 "ELSE -c.id END",
    [JOURNAL_STEPS] = "SELECT s.ordinal, s.phase, s.kind, s.title, s.state, s.attempts, " TIME_TEXT(
        "s.started_at") ", " TIME_TEXT("s.ended_at") ", s.error, p.body FROM stoa.steps s LEFT JOIN "
                                                     "stoa.checkpoints p USING (change_id, ordinal) WHERE "
                                                     "s.change_id = $1 ORDER BY s.ordinal",
    [JOURNAL_HISTORY] = "SELECT " TIME_TEXT(
        "e.at") ", c.name, e.kind, e.step, e.text, e.detail, e.`by`, e.id FROM "
                "stoa.events e LEFT JOIN stoa.changes c ON c.id = e.change_id WHERE ($1 IS "
                "NULL OR c.name = $1) AND e.id > CASE WHEN $2 < 0 THEN (SELECT max(id) FROM "
                "stoa.events) + $2 ELSE $2 END ORDER BY e.id",
    [JOURNAL_REQUEST] = "SELECT `sql`, plan FROM stoa.changes WHERE id = $1",
    [JOURNAL_CREATED] =
        "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at) FROM stoa.changes WHERE id = $1",
    [JOURNAL_FLAGS] =
        "SELECT " TIME_TEXT("at") ", detail, `by` FROM stoa.events WHERE kind = 'flag' ORDER BY id",
    [JOURNAL_CONTRACTS] =
        "SELECT " TIME_TEXT("e.at") ", e.detail, e.`by`, c.id, c.name, c.state FROM stoa.events e JOIN "
                                    "stoa.changes c ON c.id = e.change_id "
                                    "WHERE e.kind = 'contract' AND ($1 IS NULL OR c.id = $1) ORDER BY e.id",

    [JOURNAL_UNSEALED] =
        "SELECT " EVENT " FROM stoa.events e LEFT JOIN stoa.seals s ON s.event_id = e.id WHERE "
        "e.id > $1 AND s.ordinal IS NULL ORDER BY e.id LIMIT 1000",
    [JOURNAL_SEALS] =
        "SELECT s.ordinal, s.hash, s.event_id, " EVENT " FROM stoa.seals s LEFT JOIN stoa.events "
        "e ON e.id = s.event_id WHERE s.ordinal > $1 ORDER BY s.ordinal LIMIT 2000",
    [JOURNAL_MISPLACED] = "SELECT e.id, " TIME_TEXT(
        "e.at") " FROM stoa.events e WHERE (SELECT n.at FROM stoa.events "
                "n WHERE n.id > e.id ORDER BY n.id LIMIT 1) < e.at - INTERVAL 1 HOUR ORDER BY e.id",
    [JOURNAL_NOW] = "SELECT DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%dT%H:%i:%s'), CURRENT_USER()",
    [JOURNAL_APPROVALS] = "SELECT id, " TIME_TEXT("at") ", detail, `by`, kind FROM stoa.events WHERE kind IN "
                                                        "('approval', 'approval-revoked') ORDER BY id",
    [JOURNAL_RETIRES] =
        "SELECT detail, TIMESTAMPDIFF(MICROSECOND, at, UTC_TIMESTAMP(6)) DIV 1000, " TIME_TEXT(
            "at") " FROM stoa.events WHERE kind = 'retire' ORDER BY id",
    [JOURNAL_BROWNOUTS] =
        "SELECT table_key, epoch, expires_at <= UTC_TIMESTAMP(6), host, pid, DATE_FORMAT(since, '%Y-%m-%d "
        "%H:%i:%s+00'), TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), expires_at) DIV 1000 FROM stoa.leases "
        "WHERE table_key LIKE 'brownout:%' AND holder IS NOT NULL ORDER BY table_key",
};

const char *my_journal_sql(JournalSql statement) { return texts[statement]; }

Err *my_undress(Conn *conn, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT TRIGGER_SCHEMA, TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_NAME "
                   "REGEXP '^stoa_[0-9]+_(ins|upd|del)$'"));
    for (size_t i = 0; i < rows.row_count; i++)
        TRY(my_exec(conn, wait,
                    arena_printf(arena, "DROP TRIGGER IF EXISTS %s",
                                 my_name(arena, rows_cell(&rows, i, 0), rows_cell(&rows, i, 1)))));
    return NULL;
}
