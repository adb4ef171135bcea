/* Sessions with MySQL and MariaDB: every wait is ours, and cancels when it must. */
#include "engine/mysql/conn_parts.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/mysql/error.h"
#include "engine/mysql/mysql.h"
#include "engine/mysql/own.h"
#include "engine/mysql/params.h"
#include "engine/mysql/sessions.h"
#include "engine/mysql/url.h"

#include <mysql.h> /* before ma_pvio.h, which needs its types */
#define HAVE_TLS   /* so that ma_pvio.h tells what stands behind its TLS pointer */
typedef unsigned char uchar;

#include <errno.h>
#include <fcntl.h>
#include <ma_pvio.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    UNREADABLE_TRIES = 40,
    CANCEL_GRACE_MS =
        15000,       /* after a cancel the server must answer within this, else the session is given up */
    SPARE_MS = 1000, /* waits outside of any statement: the farewell of a session */
    STATEMENT_SHOWN = 120,
};

static MyConn *my_of(Conn *conn) { return (MyConn *)conn; }
static inline void result_freep(MYSQL_RES **res) { mysql_free_result(*res); }

const Flavor *my_flavor(const Conn *conn) { return &((const MyConn *)conn)->flavor; }
const char *my_server_name(const Conn *conn) { return ((const MyConn *)conn)->server; }
int64_t my_session_id(const Conn *conn) { return ((const MyConn *)conn)->session_id; }
unsigned my_warning_count(const Conn *conn) { return ((const MyConn *)conn)->warning_count; }
void **my_memo(Conn *conn) { return &((MyConn *)conn)->memo; }
Arena *my_memory(Conn *conn) { return ((MyConn *)conn)->arena; }

bool my_only_lock(Conn *conn, const char *name)
{
    MyConn *my = (MyConn *)conn;
    if (my->only_lock == NULL)
        my->only_lock = arena_dup(my->arena, name);
    return str_eq(my->only_lock, name);
}

bool my_was_killed(const Conn *conn) { return ((const MyConn *)conn)->was_killed; }

/* ---- waiting ---------------------------------------------------------------------------------------------
 */

static _Thread_local Patience *patience_now;

Patience my_patience(const Wait *wait, MyConn *conn)
{
    int64_t limit = wait_limit_ms(wait);
    return (Patience){.conn = wait != NULL && wait->abandon ? NULL : conn,
                      .stop = wait == NULL ? NULL : wait->stop,
                      .timeout_ms = limit == INT64_MAX ? 0 : limit,
                      .deadline_ms = limit == INT64_MAX ? INT64_MAX : clock_ms() + limit};
}

Patience *my_patience_swap(Patience *patience)
{
    Patience *before = patience_now;
    patience_now = patience;
    return before;
}

/* The reason is kept once: what comes after a cancel is the grace given to the server, and then its loss. */
static bool patience_spent(Patience *patience, bool stopped)
{
    if (patience->cancelled != NULL)
        return true;
    patience->cancelled =
        stopped ? err_new(ERR_STOPPED, "stopped by request")
                : err_new(ERR_CANCELLED, "cancelled after %lld ms", (long long)patience->timeout_ms);
    patience->deadline_ms = clock_ms() + CANCEL_GRACE_MS;
    if (patience->conn == NULL)
        return true;
    my_cancel(&patience->conn->base);
    return false;
}

my_bool my_wait_socket(my_socket socket, my_bool is_read, int timeout_ms)
{
    Patience spare = {.deadline_ms = clock_ms() + SPARE_MS};
    Patience *patience = patience_now != NULL ? patience_now : &spare;
    (void)timeout_ms; /* the library's own limits are not used */
    for (;;) {
        bool watch_stop = patience->stop != NULL && patience->cancelled == NULL;
        struct pollfd fds[2] = {{.fd = socket, .events = is_read ? POLLIN : POLLOUT},
                                {.fd = watch_stop ? patience->stop->fd : -1, .events = POLLIN}};
        int ready = poll(fds, 2, wait_poll_ms(patience->deadline_ms));
        if (ready < 0 && errno != EINTR)
            return 0;
        if (ready > 0 && fds[0].revents != 0)
            return 1;
        bool stopped = ready > 0 && fds[1].revents != 0;
        if (!stopped && clock_ms() < patience->deadline_ms)
            continue;
        if (patience == &spare || patience_spent(patience, stopped)) {
            err_free(spare.cancelled);
            return 0;
        }
    }
}

/* ---- errors ----------------------------------------------------------------------------------------------
 */

static Err *server_error(MYSQL *my)
{
    unsigned number = mysql_errno(my);
    ErrKind kind = my_error_kind(number);
    const char *message = mysql_error(my);
    Err *err =
        kind == ERR_CONN_LOST ? err_new(kind, "connection lost: %s", message) : err_new(kind, "%s", message);
    err->server_errno = number;
    (void)snprintf(err->sqlstate, sizeof err->sqlstate, "%s", mysql_sqlstate(my));
    return err;
}

static Err *statement_error(Err *err, const char *sql)
{
    if (err == NULL || err->kind == ERR_STOPPED || err->kind == ERR_CONN_LOST)
        return err;
    int shown = (int)strcspn(sql, "\n");
    return err_wrap(err, "cannot run \"%.*s%s\"", shown > STATEMENT_SHOWN ? STATEMENT_SHOWN : shown, sql,
                    shown > STATEMENT_SHOWN || sql[shown] != '\0' ? "…" : "");
}

/* What was cancelled by us is told as such, with our reason rather than the server's words. */
static Err *settle(Patience *patience, Err *err)
{
    if (patience->cancelled == NULL)
        return err;
    if (err_is(err, ERR_CANCELLED)) {
        err_free(err);
        return patience->cancelled;
    }
    if (err_is(err, ERR_CONN_LOST)) {
        err_free(err);
        err_free(patience->cancelled);
        if (patience->conn == NULL)
            return err_new(ERR_CONN_LOST, "no answer within %lld ms", (long long)patience->timeout_ms);
        return err_new(ERR_CONN_LOST, "connection lost: the server did not answer a cancel within %d ms",
                       CANCEL_GRACE_MS);
    }
    err_free(patience->cancelled);
    return err;
}

/* ---- ending ----------------------------------------------------------------------------------------------
 */

static void killer_drop(MyConn *conn)
{
    if (conn->killer != NULL && !conn->killer_is_lent)
        mysql_close(conn->killer);
    conn->killer = NULL;
    conn->killer_is_lent = false;
}

void my_close(Conn *base)
{
    MyConn *conn = my_of(base);
    if (conn->session_id != 0)
        my_own_end(conn->server, conn->session_id);
    if (conn->my != NULL)
        mysql_close(conn->my);
    killer_drop(conn);
    (void)pthread_mutex_destroy(&conn->killer_lock);
    arena_free(conn->arena);
    free(conn);
}

/* ---- cancelling ------------------------------------------------------------------------------------------
 */

static Err *killer_open(MyConn *conn, const Wait *wait)
{
    return conn->killer != NULL ? NULL : my_connect_handle(conn, wait, &conn->killer);
}

Err *my_arm(Conn *base, const Wait *wait)
{
    MyConn *conn = my_of(base);
    (void)pthread_mutex_lock(&conn->killer_lock);
    Err *err = killer_open(conn, wait);
    (void)pthread_mutex_unlock(&conn->killer_lock);
    return err;
}

void my_arm_by(Conn *base, Conn *idle)
{
    MyConn *conn = my_of(base);
    (void)pthread_mutex_lock(&conn->killer_lock);
    killer_drop(conn);
    conn->killer = my_of(idle)->my;
    conn->killer_is_lent = true;
    (void)pthread_mutex_unlock(&conn->killer_lock);
}

void my_cancel(Conn *base)
{
    enum { ATTEMPTS = 2 }; /* the second one with a fresh session, where the kept one has died */
    MyConn *conn = my_of(base);
    char sql[64];
    (void)snprintf(sql, sizeof sql, "KILL QUERY %lld", (long long)conn->session_id);
    Wait wait = {.timeout_ms = CANCEL_GRACE_MS / 3};
    Patience *before = patience_now;
    (void)pthread_mutex_lock(&conn->killer_lock);
    for (int i = 0; i < ATTEMPTS; i++) {
        Err *err = killer_open(conn, &wait);
        err_free(err);
        if (conn->killer == NULL)
            break;
        Patience patience = my_patience(&wait, NULL);
        patience_now = &patience;
        bool sent = mysql_real_query(conn->killer, sql, (unsigned long)strlen(sql)) == 0;
        patience_now = before;
        err_free(patience.cancelled);
        if (sent || my_error_kind(mysql_errno(conn->killer)) != ERR_CONN_LOST)
            break;
        killer_drop(conn);
    }
    (void)pthread_mutex_unlock(&conn->killer_lock);
}

/* ---- statements ------------------------------------------------------------------------------------------
 */

static void copy_rows(Arena *arena, MYSQL_RES *res, Rows *ret_rows)
{
    size_t rows = (size_t)mysql_num_rows(res), cols = mysql_num_fields(res);
    const char **cells = arena_alloc(arena, (rows * cols + 1) * sizeof *cells);
    for (size_t row = 0; row < rows; row++) {
        MYSQL_ROW from = mysql_fetch_row(res);
        const unsigned long *lengths = mysql_fetch_lengths(res);
        for (size_t col = 0; from != NULL && lengths != NULL && col < cols; col++)
            if (from[col] != NULL)
                cells[row * cols + col] = arena_dupn(arena, from[col], lengths[col]);
    }
    *ret_rows = (Rows){.row_count = rows, .col_count = cols, .cells = cells};
}

/* Reads every result of what was sent; the last one counts. ret_is_rows: it has columns. */
static Err *read_results(MyConn *conn, Arena *arena, Rows *ret_rows, bool *ret_is_rows)
{
    int more = 0;
    if (mysql_read_query_result(conn->my))
        return server_error(conn->my);
    while (more == 0) {
        CLEANUP(result_freep) MYSQL_RES *res = mysql_store_result(conn->my);
        if (res == NULL && mysql_errno(conn->my) != 0)
            return server_error(conn->my);
        *ret_is_rows = res != NULL;
        if (ret_rows != NULL && res != NULL)
            copy_rows(arena, res, ret_rows);
        else if (ret_rows != NULL)
            *ret_rows = (Rows){.affected = (int64_t)mysql_affected_rows(conn->my)};
        conn->warning_count = mysql_warning_count(conn->my);
        more = mysql_next_result(conn->my);
    }
    return more > 0 ? server_error(conn->my) : NULL;
}

/* A KILL QUERY that came when the statement was over could hit the next one: this is the next one. */
static void absorb_kill(MyConn *conn)
{
    Patience patience = my_patience(&(Wait){.timeout_ms = CANCEL_GRACE_MS}, NULL), *before = patience_now;
    patience_now = &patience;
    (void)mysql_real_query(conn->my, "DO 0", 4);
    patience_now = before;
    err_free(patience.cancelled);
}

/* With `sent` the statement is on its way already. */
static Err *run(MyConn *conn, const Wait *wait, Arena *arena, const char *sql, bool sent, Rows *ret_rows)
{
    conn->was_killed = false;
    if (!sent && wait != NULL && wait->stop != NULL && stop_level(wait->stop) == STOP_NOW)
        return err_new(ERR_STOPPED, "stopped by request");
    Patience patience = my_patience(wait, conn), *before = patience_now;
    bool is_rows = false;
    patience_now = &patience;
    Err *err = !sent && mysql_send_query(conn->my, sql, (unsigned long)strlen(sql)) != 0
                   ? server_error(conn->my)
                   : read_results(conn, arena, ret_rows, &is_rows);
    patience_now = before;
    if (patience.cancelled != NULL && !err_is(err, ERR_CONN_LOST))
        absorb_kill(conn);
    if (patience.cancelled != NULL && err == NULL) {
        conn->was_killed = true;
        if (is_rows)
            return statement_error(patience.cancelled, sql);
    }
    return statement_error(settle(&patience, err), sql);
}

Err *my_send(Conn *base, const Wait *wait, const char *sql)
{
    MyConn *conn = my_of(base);
    Patience patience = my_patience(wait, NULL), *before = patience_now;
    patience_now = &patience;
    Err *err =
        mysql_send_query(conn->my, sql, (unsigned long)strlen(sql)) != 0 ? server_error(conn->my) : NULL;
    patience_now = before;
    return statement_error(settle(&patience, err), sql);
}

bool my_answered(const Conn *base)
{
    struct pollfd fd = {.fd = mysql_get_socket(((const MyConn *)base)->my), .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

Err *my_reap(Conn *base, const Wait *wait, Arena *arena, const char *sql, Rows *ret_rows)
{
    return run(my_of(base), wait, arena, sql, true, ret_rows);
}

char *my_literal(Conn *base, Arena *arena, const char *text)
{
    size_t len = strlen(text);
    char *literal = arena_alloc(arena, 2 * len + 3);
    literal[0] = '\'';
    unsigned long used = mysql_real_escape_string(my_of(base)->my, literal + 1, text, (unsigned long)len);
    literal[used + 1] = '\'';
    return literal;
}

static Err *choose_sessions(MyConn *conn, const Wait *wait, Arena *arena)
{
    Rows rows = {0};
    Err *err = NULL;
    if (!flavor_is_mariadb(&conn->flavor) && conn->flavor.version >= 80000)
        err = run(conn, wait, arena, sessions_probe, false, &rows);
    if (err != NULL && !err_is(err, ERR_SQL) && !err_is(err, ERR_PRIVILEGE))
        return err;
    conn->sessions = err == NULL && rows.row_count > 0 ? SESSIONS_THREADS : SESSIONS_PROCESSLIST;
    err_free(err);
    return NULL;
}

/* INNODB_TRX, as PROCESSLIST (sessions.h), cannot be read while some statement has a character that its view
 * cannot hold; such a statement is over soon. */
static bool is_unreadable(const Err *err, const char *sql)
{
    return err != NULL && err->server_errno == MY_ER_CANNOT_CONVERT &&
           strstr(sql, "information_schema.") != NULL;
}

Err *my_query(Conn *base, const Wait *wait, Arena *arena, const char *sql, size_t param_count,
              const char *const *params, Rows *ret_rows)
{
    CLEANUP(arena_freep) Arena *names = arena_new();
    if (sessions_named(sql) && my_of(base)->sessions == SESSIONS_UNKNOWN)
        TRY(choose_sessions(my_of(base), wait, names));
    if (my_of(base)->sessions == SESSIONS_THREADS)
        sql = sessions_by_threads(names, sql);
    CLEANUP(str_donep) Str whole = STR_INIT;
    if (param_count > 0)
        TRY(my_put_params(base, &whole, sql, param_count, params));
    for (int tries = 1;; tries++) {
        Err *err = run(my_of(base), wait, arena, param_count > 0 ? whole.buf : sql, false, ret_rows);
        if (!is_unreadable(err, sql) || tries == UNREADABLE_TRIES)
            return err;
        err_free(err);
        stop_sleep(wait == NULL ? NULL : wait->stop, 1);
    }
}

Err *my_exec(Conn *base, const Wait *wait, const char *sql)
{
    return run(my_of(base), wait, NULL, sql, false, NULL);
}

/* ---- raw packets -----------------------------------------------------------------------------------------
 */

Err *my_command(Conn *base, const Wait *wait, unsigned command, const void *bytes, size_t len)
{
    MyConn *conn = my_of(base);
    Patience patience = my_patience(wait, NULL), *before = patience_now;
    patience_now = &patience;
    int failed =
        conn->my->methods->db_command(conn->my, (enum enum_server_command)command, bytes, len, 1, NULL);
    patience_now = before;
    err_free(patience.cancelled);
    return failed ? server_error(conn->my) : NULL;
}

/* What the library, or OpenSSL beneath it, has read already: poll() would not see it. Where TLS is another
 * library's that cannot be asked, so the answer is yes, and the server's heartbeats bound the wait. */
static bool is_buffered(const MYSQL *my)
{
    const MARIADB_PVIO *pvio = my->net.pvio;
    if (pvio == NULL || pvio->cache + pvio->cache_size > pvio->cache_pos)
        return true;
    if (pvio->ctls == NULL)
        return false;
    const char *library = "";
    (void)mariadb_get_infov(NULL, MARIADB_TLS_LIBRARY, &library);
    return strstr(library, "OpenSSL") == NULL || SSL_pending(pvio->ctls->ssl) > 0;
}

/* Waits between packets, where nothing is lost by giving up. */
static Err *wait_packet(MYSQL *my, const Wait *wait, bool *ret_there)
{
    Patience patience = my_patience(wait, NULL);
    *ret_there = true;
    while (!is_buffered(my)) {
        struct pollfd fds[2] = {{.fd = mysql_get_socket(my), .events = POLLIN},
                                {.fd = patience.stop != NULL ? patience.stop->fd : -1, .events = POLLIN}};
        int ready = poll(fds, 2, wait_poll_ms(patience.deadline_ms));
        if (ready < 0 && errno != EINTR)
            return err_new(ERR_IO, "cannot poll: %s", strerror(errno));
        if (ready > 0 && fds[1].revents != 0)
            return err_new(ERR_STOPPED, "stopped by request");
        if (ready > 0 && fds[0].revents != 0)
            return NULL;
        if (clock_ms() >= patience.deadline_ms) {
            *ret_there = false;
            return NULL;
        }
    }
    return NULL;
}

Err *my_packet(Conn *base, const Wait *wait, const uint8_t **ret_bytes, size_t *ret_len)
{
    MyConn *conn = my_of(base);
    bool there = false;
    *ret_bytes = NULL;
    TRY(wait_packet(conn->my, wait, &there));
    if (!there)
        return NULL;
    Wait within = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = CANCEL_GRACE_MS};
    Patience patience = my_patience(&within, NULL), *before = patience_now;
    patience_now = &patience;
    unsigned long len = mysql_net_read_packet(conn->my);
    patience_now = before;
    Err *cancelled = patience.cancelled;
    if (len == packet_error) {
        Err *err = server_error(conn->my);
        if (!err_is(cancelled, ERR_STOPPED)) {
            err_free(cancelled);
            return err;
        }
        err_free(err);
        return cancelled;
    }
    err_free(cancelled);
    *ret_bytes = conn->my->net.read_pos;
    *ret_len = len;
    return NULL;
}
