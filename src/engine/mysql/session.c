/* What one session does about transactions, and asks about others: ending an orphan, hint locks. */
#include "engine/mysql/session.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/server.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    END_WAIT_MS = 10000,
    SAME_START_S = 2, /* Uptime and the clock are read one after the other, in whole seconds */
    ROLLBACK_MS = 10000,
    ER_NO_SUCH_THREAD = 1094,
};

/* As my_connect() sets them. */
#define USUAL_WAITS "SET SESSION innodb_lock_wait_timeout = 1, lock_wait_timeout = 2, wait_timeout = 86400"

static int64_t whole_seconds(int64_t ms) { return ms <= 1000 ? 1 : (ms + 999) / 1000; }

/* wait_timeout holds from the next time that the server waits for us (my_net_set_read_timeout() before each
 * command). */
Err *my_start(Conn *conn, const Wait *wait, int64_t idle_ms, const char *sql)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    str_addf(&text, "SET SESSION wait_timeout = %lld; %s",
             (long long)whole_seconds(idle_ms > 0 ? idle_ms : TX_IDLE_MS), sql);
    return my_exec(conn, wait, text.buf);
}

Err *my_end(Conn *conn, const Wait *wait, const char *sql)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    str_addf(&text, "%s; SET SESSION wait_timeout = 86400", sql);
    return my_exec(conn, wait, text.buf);
}

Err *my_begin(Conn *conn, const Wait *wait, const TxSettings *settings)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    bool is_mariadb = flavor_is_mariadb(my_flavor(conn));
    if (settings->lock_timeout_ms > 0)
        str_addf(&sql, "SET SESSION innodb_lock_wait_timeout = %lld, lock_wait_timeout = %lld; ",
                 (long long)whole_seconds(settings->lock_timeout_ms),
                 (long long)whole_seconds(settings->lock_timeout_ms));
    if (is_mariadb && my_flavor(conn)->version >= 100101)
        str_addf(&sql, "SET SESSION max_statement_time = %lld.%03lld; ",
                 (long long)settings->statement_timeout_ms / 1000,
                 (long long)settings->statement_timeout_ms % 1000);
    if (settings->snapshot)
        str_add(&sql, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; ");
    str_addf(&sql, "START TRANSACTION %s%s%s", settings->snapshot ? "WITH CONSISTENT SNAPSHOT" : "",
             settings->snapshot && settings->read_only ? ", " : "", settings->read_only ? "READ ONLY" : "");
    return my_start(conn, wait, settings->idle_timeout_ms, sql.buf);
}

static const char *then_usual(const Conn *conn, bool commit)
{
    bool limits = flavor_is_mariadb(my_flavor(conn)) && my_flavor(conn)->version >= 100101;
    if (limits)
        return commit ? "COMMIT; " USUAL_WAITS ", max_statement_time = 0"
                      : "ROLLBACK; " USUAL_WAITS ", max_statement_time = 0";
    return commit ? "COMMIT; " USUAL_WAITS : "ROLLBACK; " USUAL_WAITS;
}

Err *my_commit(Conn *conn, const Wait *wait) { return my_exec(conn, wait, then_usual(conn, true)); }

void my_rollback(Conn *conn)
{
    Wait wait = {.timeout_ms = ROLLBACK_MS};
    err_free(my_exec(conn, &wait, then_usual(conn, false)));
}

Err *my_act_as(Conn *conn, const Wait *wait, const char *role)
{
    (void)conn, (void)wait, (void)role;
    return NULL;
}

/* ---- other sessions ---------------------------------------------------------------------------------------
 */

Err *my_session_started(Conn *conn, const Wait *wait, Arena *arena, const char **ret_started)
{
    const char *uptime = NULL;
    Rows rows = {0};
    TRY(my_status(conn, wait, arena, "Uptime", &uptime));
    TRY(conn_query(conn, wait, arena, &rows, "SELECT UNIX_TIMESTAMP()"));
    int64_t up_s = uptime == NULL ? 0 : strtoll(uptime, NULL, 10);
    *ret_started = arena_printf(arena, "%lld", (long long)(rows_int(&rows, 0, 0) - up_s));
    return NULL;
}

static Err *is_there(Conn *conn, const Wait *wait, Arena *arena, int64_t session_id, bool *ret_there)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena,
                                "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = %lld AND USER = "
                                "SUBSTRING_INDEX(USER(), '@', 1)",
                                (long long)session_id)));
    *ret_there = rows.row_count > 0;
    return NULL;
}

static Err *kill_session(Conn *conn, const Wait *wait, Arena *arena, int64_t session_id)
{
    Err *err = my_exec(conn, wait, arena_printf(arena, "KILL %lld", (long long)session_id));
    bool gone = err != NULL && err->server_errno == ER_NO_SUCH_THREAD;
    if (gone)
        err_free(err);
    return gone ? NULL : err;
}

Err *my_end_session(Conn *conn, const Wait *wait, int64_t session_id, const char *started)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    int64_t deadline = clock_ms() + (wait->timeout_ms > 0 ? wait->timeout_ms : END_WAIT_MS);
    const char *now = NULL;
    bool there = false;
    if (started == NULL || started[0] == '\0')
        return NULL;
    TRY(my_session_started(conn, wait, arena, &now));
    if (llabs(strtoll(now, NULL, 10) - strtoll(started, NULL, 10)) > SAME_START_S)
        return NULL; /* the server was restarted since */
    TRY(is_there(conn, wait, arena, session_id, &there));
    if (there)
        TRY(kill_session(conn, wait, arena, session_id));
    while (there) { /* it rolls back first */
        TRY(stop_check(wait->stop));
        if (clock_ms() > deadline)
            return err_new(ERR_HELD, "session %lld of an earlier run does not end", (long long)session_id);
        (void)poll(NULL, 0, 20);
        arena_clear(arena);
        TRY(is_there(conn, wait, arena, session_id, &there));
    }
    return NULL;
}

/* MySQL refman "Locking Functions": names of at most 64 characters; several at once as of 5.7.5, before that
 * a second one gives the first back. MariaDB KB "GET_LOCK": several as of 10.0.2. */
Err *my_hint_lock(Conn *conn, const Wait *wait, const char *key, bool *ret_taken)
{
    enum { PREFIX = sizeof "sha256:" - 1, SHOWN = 40 };
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const Flavor *flavor = my_flavor(conn);
    bool has_one = flavor->version < (flavor_is_mariadb(flavor) ? 100002 : 50705);
    const char *digest = digest_text(arena, key, strlen(key));
    const char *name = arena_printf(arena, "stoa.%.*s", SHOWN, digest + PREFIX);
    Rows rows = {0};
    *ret_taken = false;
    if (has_one && !my_only_lock(conn, name))
        return NULL;
    Err *err = conn_query(conn, wait, arena, &rows, arena_printf(arena, "SELECT GET_LOCK('%s', 0)", name));
    if (err_is(err, ERR_SQL)) {
        err_free(err);
        return NULL;
    }
    TRY(err);
    *ret_taken = rows_bool(&rows, 0, 0);
    return NULL;
}
