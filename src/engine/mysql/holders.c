/* Who has used a table in a transaction that is still open, or waits for it; and whom a session waits for. */
#include "engine/mysql/session.h"

#include "base/stop.h"
#include "base/str.h"
#include "engine/mysql/conn.h"

#include <stdlib.h>
#include <string.h>

enum { CELL_ID, CELL_USER, CELL_HOST, CELL_COMMAND, CELL_TIME, CELL_INFO, CELL_MODE, CELL_AGE, CELL_WAITING };
enum { WHO_BYTES = 400 };

/* Times of INNODB_TRX are the system's local ones, whatever the session's zone. */
#define AGE                                                                                                  \
    "GREATEST(COALESCE(p.TIME, 0), COALESCE(TIMESTAMPDIFF(SECOND, x.trx_started, "                           \
    "CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM')), 0))"
#define SESSION_COLUMNS "p.ID, p.USER, p.HOST, p.COMMAND, p.TIME, LEFT(p.INFO, 200)"
#define WITH_TRX                                                                                             \
    "JOIN information_schema.PROCESSLIST p ON p.ID = l.id LEFT JOIN information_schema.INNODB_TRX x ON "     \
    "x.trx_mysql_thread_id = p.ID WHERE p.ID <> CONNECTION_ID() ORDER BY 8 DESC LIMIT 50"

/* The instrument is on from MySQL 8.0 on (refman "The metadata_locks Table"); on MariaDB performance_schema
 * is off as a whole. */
static const char enabled_sql[] =
    "SELECT 1 FROM performance_schema.setup_instruments WHERE NAME = "
    "'wait/lock/metadata/sql/mdl' AND ENABLED = 'YES' AND @@performance_schema = 1";
static const char by_schema_sql[] =
    "SELECT " SESSION_COLUMNS ", l.mode, " AGE ", l.waiting FROM (SELECT t.PROCESSLIST_ID AS id, "
    "MAX(m.LOCK_TYPE) AS mode, MIN(m.LOCK_STATUS <> 'GRANTED') AS waiting FROM "
    "performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.THREAD_ID = "
    "m.OWNER_THREAD_ID WHERE m.OBJECT_TYPE = 'TABLE' AND LOWER(m.OBJECT_SCHEMA) = LOWER($1) AND "
    "LOWER(m.OBJECT_NAME) = LOWER($2) GROUP BY t.PROCESSLIST_ID) l " WITH_TRX;
/* MariaDB's plugin tells of granted locks only. */
static const char plugin_sql[] = "SELECT 1 FROM information_schema.PLUGINS WHERE PLUGIN_NAME = "
                                 "'METADATA_LOCK_INFO' AND PLUGIN_STATUS = 'ACTIVE'";
static const char by_plugin_sql[] =
    "SELECT " SESSION_COLUMNS ", l.mode, " AGE ", 0 FROM (SELECT m.THREAD_ID AS id, MAX(m.LOCK_MODE) AS mode "
    "FROM information_schema.METADATA_LOCK_INFO m WHERE m.LOCK_TYPE = 'Table metadata lock' AND "
    "LOWER(m.TABLE_SCHEMA) = LOWER($1) AND LOWER(m.TABLE_NAME) = LOWER($2) GROUP BY m.THREAD_ID) l " WITH_TRX;
/* Everywhere: open transactions, and statements that name the table. */
static const char by_guess_sql[] =
    "SELECT " SESSION_COLUMNS ", NULL, " AGE ", COALESCE(p.STATE LIKE 'Waiting for%metadata lock', 0) FROM "
    "(SELECT trx_mysql_thread_id AS id FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id > 0 "
    "UNION "
    "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND IN ('Query', 'Execute') AND "
    "LOCATE(LOWER($2), "
    "LOWER(INFO)) > 0) l " WITH_TRX;

/* Tables that this server lacks, or this account may not read, are as if they were empty. */
static Err *ask(Conn *conn, const Wait *wait, Arena *arena, const char *sql, size_t count,
                const char *const *params, Rows *ret_rows)
{
    *ret_rows = (Rows){0};
    Err *err = my_query(conn, wait, arena, sql, count, params, ret_rows);
    if (!err_is(err, ERR_SQL) && !err_is(err, ERR_PRIVILEGE))
        return err;
    err_free(err);
    *ret_rows = (Rows){0};
    return NULL;
}

static Err *choose(Conn *conn, const Wait *wait, Arena *arena, const char **ret_sql)
{
    Rows rows = {0};
    *ret_sql = by_schema_sql;
    TRY(ask(conn, wait, arena, enabled_sql, 0, NULL, &rows));
    if (rows.row_count > 0)
        return NULL;
    *ret_sql = by_plugin_sql;
    if (flavor_is_mariadb(my_flavor(conn)))
        TRY(ask(conn, wait, arena, plugin_sql, 0, NULL, &rows));
    if (rows.row_count == 0)
        *ret_sql = by_guess_sql;
    return NULL;
}

static const char *account(Arena *arena, const Rows *rows, size_t row)
{
    const char *user = rows_cell(rows, row, CELL_USER), *host = rows_cell(rows, row, CELL_HOST);
    size_t len = host == NULL ? 0 : strcspn(host, ":");
    return arena_printf(arena, "%s@%.*s", user == NULL ? "?" : user, (int)len, host == NULL ? "" : host);
}

Err *my_holders(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                Blocker **ret_blockers, size_t *ret_count)
{
    const char *sql = NULL, *const params[] = {schema, table};
    Rows rows = {0};
    TRY(choose(conn, wait, arena, &sql));
    TRY(my_query(conn, wait, arena, sql, ARRAY_LEN(params), params, &rows));
    bool guess = sql == by_guess_sql;
    Blocker *blockers = arena_alloc(arena, (rows.row_count + 1) * sizeof *blockers);
    for (size_t i = 0; i < rows.row_count; i++) {
        bool idle = str_eq(rows_cell(&rows, i, CELL_COMMAND), "Sleep");
        blockers[i] = (Blocker){.pid = rows_int(&rows, i, CELL_ID),
                                .application = account(arena, &rows, i),
                                .user = rows_cell(&rows, i, CELL_USER),
                                .state = idle ? "idle in transaction" : "active",
                                .statement = rows_cell(&rows, i, CELL_INFO),
                                .mode = guess ? "open transaction" : rows_cell(&rows, i, CELL_MODE),
                                .relation = arena_printf(arena, "%s.%s", schema, table),
                                .age_ms = rows_int(&rows, i, CELL_AGE) * 1000,
                                .waiting = rows_bool(&rows, i, CELL_WAITING),
                                .guessed = guess};
    }
    *ret_blockers = blockers;
    *ret_count = rows.row_count;
    return NULL;
}

/* ---- whom a session waits for -----------------------------------------------------------------------------
 */

static const char *who_text(Arena *arena, const Blocker *blockers, size_t count, int64_t own)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; i < count && text.len < WHO_BYTES / 2; i++) {
        if (blockers[i].pid == own || blockers[i].waiting)
            continue;
        str_sep(&text, ", ");
        str_addf(&text, "pid %lld (%s, %s for %lld s%s)", (long long)blockers[i].pid, blockers[i].application,
                 blockers[i].state, (long long)blockers[i].age_ms / 1000,
                 blockers[i].guessed ? ", perhaps" : "");
    }
    return text.len == 0 ? NULL : arena_dup(arena, text.buf);
}

/* Row locks: MySQL 8.0 has them in performance_schema, the others in information_schema. */
static Err *row_blockers(Conn *conn, const Wait *wait, Arena *arena, const char *session,
                         const char **ret_who)
{
    const char *const params[] = {session};
    bool schema = !flavor_is_mariadb(my_flavor(conn)) && my_flavor(conn)->version >= 80001;
    Rows rows = {0};
    TRY(ask(conn, wait, arena,
            schema ? "SELECT DISTINCT p.ID, p.USER, p.HOST FROM performance_schema.data_lock_waits w JOIN "
                     "performance_schema.threads r ON r.THREAD_ID = w.REQUESTING_THREAD_ID JOIN "
                     "performance_schema.threads b ON b.THREAD_ID = w.BLOCKING_THREAD_ID JOIN "
                     "information_schema.PROCESSLIST p ON p.ID = b.PROCESSLIST_ID WHERE r.PROCESSLIST_ID = $1"
                   : "SELECT DISTINCT p.ID, p.USER, p.HOST FROM information_schema.INNODB_LOCK_WAITS w JOIN "
                     "information_schema.INNODB_TRX r ON r.trx_id = w.requesting_trx_id JOIN "
                     "information_schema.INNODB_TRX b ON b.trx_id = w.blocking_trx_id JOIN "
                     "information_schema.PROCESSLIST p ON p.ID = b.trx_mysql_thread_id WHERE "
                     "r.trx_mysql_thread_id = $1",
            1, params, &rows));
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; i < rows.row_count && text.len < WHO_BYTES / 2; i++) {
        str_sep(&text, ", ");
        str_addf(&text, "pid %s (%s)", rows_cell(&rows, i, CELL_ID), account(arena, &rows, i));
    }
    *ret_who = text.len == 0 ? NULL : arena_dup(arena, text.buf);
    return NULL;
}

Err *my_waits_for(Conn *conn, const Wait *wait, Arena *arena, int64_t session_id, const char **ret_who)
{
    const char *session = arena_printf(arena, "%lld", (long long)session_id), *const params[] = {session};
    Rows rows = {0};
    *ret_who = NULL;
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT STATE FROM information_schema.PROCESSLIST WHERE ID = $1", session));
    if (rows.row_count == 0)
        return NULL;
    if (!my_state_waits(rows_cell(&rows, 0, 0)))
        return row_blockers(conn, wait, arena, session, ret_who);
    TRY(ask(conn, wait, arena,
            "SELECT m.OBJECT_SCHEMA, m.OBJECT_NAME FROM performance_schema.metadata_locks m JOIN "
            "performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID WHERE t.PROCESSLIST_ID = $1 AND "
            "m.LOCK_STATUS = 'PENDING' AND m.OBJECT_TYPE = 'TABLE'",
            1, params, &rows));
    Blocker *blockers = NULL;
    size_t count = 0;
    bool known = rows.row_count > 0;
    TRY(my_holders(conn, wait, arena, known ? rows_cell(&rows, 0, 0) : "",
                   known ? rows_cell(&rows, 0, 1) : "", &blockers, &count));
    *ret_who = who_text(arena, blockers, count, session_id);
    if (*ret_who == NULL)
        *ret_who = "somebody who cannot be seen";
    return NULL;
}

/* ---- who may become a victim ------------------------------------------------------------------------------
 */

Err *my_sees_reader(Conn *conn, const Wait *wait, const char *schema, const char *table, bool *ret_seen)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *params[] = {schema, table};
    Rows rows = {0};
    *ret_seen = false;
    if (flavor_is_mariadb(my_flavor(conn)) || my_flavor(conn)->version < 80000)
        return NULL;
    TRY(ask(
        conn, wait, arena,
        "SELECT COUNT(*) FROM performance_schema.metadata_locks m JOIN "
        "performance_schema.events_transactions_current e ON e.THREAD_ID = m.OWNER_THREAD_ID WHERE "
        "m.OBJECT_TYPE "
        "= 'TABLE' AND m.LOCK_STATUS = 'GRANTED' AND m.LOCK_TYPE = 'SHARED_READ' AND LOWER(m.OBJECT_SCHEMA) "
        "= "
        "LOWER($1) AND LOWER(m.OBJECT_NAME) = LOWER($2) AND e.STATE = 'ACTIVE' AND e.AUTOCOMMIT = 'NO' AND "
        "e.ACCESS_MODE = 'READ WRITE'",
        ARRAY_LEN(params), params, &rows));
    *ret_seen = rows.row_count > 0 && rows_int(&rows, 0, 0) > 0;
    return NULL;
}

Err *my_await_readers(Conn *conn, const Wait *wait, const char *schema, const char *table, bool *ret_clear)
{
    enum { LOOKS = 60, STEP_MS = 3 };
    const Stop *stop = wait == NULL ? NULL : wait->stop;
    bool seen = true;
    for (int i = 0; i < LOOKS && seen; i++) {
        TRY(my_sees_reader(conn, wait, schema, table, &seen));
        if (seen)
            stop_sleep(stop, 1 + random() % STEP_MS);
        TRY(stop_check(stop));
    }
    *ret_clear = !seen;
    return NULL;
}
