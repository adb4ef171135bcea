/* A PostgreSQL session: every call waits in poll() over the socket and the stop token, and cancels when it
 * must. */
#include "engine/postgres/pg.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/postgres/postgres.h"
#include "engine/sql.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_TIMEOUT_MS = 10000,
    CANCEL_GRACE_MS =
        15000, /* after a cancel the server must answer within this, else the session is given up */
    STATEMENT_SHOWN = 120,
    KEPT_MOST = 16, /* statements that a session keeps prepared */
};

struct PgConn {
    Conn base;
    PGconn *pg;
    PGcancel *cancel;
    char *begin;  /* BEGIN and settings that go with the next statement, to save a round trip; NULL */
    PgHear *hear; /* who listens to the server's notices; NULL: nobody */
    void *hear_context;
    PgOrigin origin;
    const struct Spaces *spaces;
    bool own; /* the session is ours alone: no pooler hands it around */
    const char *kept[KEPT_MOST];
    size_t kept_count;
};

static inline void pq_clearp(PGresult **res) { PQclear(*res); }
static PgConn *pg_of(Conn *conn) { return (PgConn *)conn; }

int pg_conn_backend_pid(const Conn *conn) { return PQbackendPID(((const PgConn *)conn)->pg); }
bool pg_conn_in_transaction(const Conn *conn)
{
    return PQtransactionStatus(((const PgConn *)conn)->pg) != PQTRANS_IDLE;
}

int pg_conn_version(const Conn *conn) { return PQserverVersion(((const PgConn *)conn)->pg); }

/* ---- errors --------------------------------------------------------------------------------- */

typedef struct StateKind {
    const char *prefix;
    ErrKind kind;
} StateKind;

/* By the longest prefix of SQLSTATE (PostgreSQL documentation, appendix A). */
static const StateKind state_kinds[] = {
    {"55P03", ERR_LOCK_TIMEOUT}, {"40P01", ERR_DEADLOCK},  {"40001", ERR_SERIALIZE}, {"57014", ERR_CANCELLED},
    {"42501", ERR_PRIVILEGE},    {"53100", ERR_DISK_FULL}, {"57P01", ERR_CONN_LOST}, {"57P02", ERR_CONN_LOST},
    {"57P03", ERR_CONN_LOST},    {"57P05", ERR_CONN_LOST}, {"25P03", ERR_CONN_LOST}, {"08", ERR_CONN_LOST},
    {"28", ERR_CONNECT},         {"3D000", ERR_CONNECT},   {"53300", ERR_CONNECT},
};

static ErrKind kind_of_state(const char *state)
{
    for (size_t i = 0; i < ARRAY_LEN(state_kinds); i++)
        if (str_starts(state, state_kinds[i].prefix))
            return state_kinds[i].kind;
    return ERR_SQL;
}

/* libpq's message without its final line break and prefix. */
static char *message_of(const char *text)
{
    while (str_starts(text, "ERROR:  ") || str_starts(text, "FATAL:  "))
        text += 8;
    char *message = mem_dup(text);
    size_t len = strlen(message);
    while (len > 0 && (message[len - 1] == '\n' || message[len - 1] == ' '))
        message[--len] = '\0';
    for (char *at = message; *at != '\0'; at++)
        if (*at == '\n')
            *at = ' ';
    return message;
}

/* Context of a function's statement is a line for the statement and one for the function; a statement of our
 * own may have a single line: "while reindexing partitioned table …". */
static void note_origin(PgConn *conn, const PGresult *res)
{
    const char *function = PQresultErrorField(res, PG_DIAG_SOURCE_FUNCTION);
    const char *context = PQresultErrorField(res, PG_DIAG_CONTEXT);
    (void)snprintf(conn->origin.function, sizeof conn->origin.function, "%s",
                   function == NULL ? "" : function);
    conn->origin.is_within =
        context != NULL && (strchr(context, '\n') != NULL || str_starts(context, "SQL function "));
}

const PgOrigin *pg_conn_error_origin(const Conn *conn) { return &((const PgConn *)conn)->origin; }

void pg_conn_set_spaces(Conn *conn, const struct Spaces *spaces) { pg_of(conn)->spaces = spaces; }

const struct Spaces *pg_conn_spaces(const Conn *conn) { return ((const PgConn *)conn)->spaces; }

static Err *result_error(PgConn *conn, const PGresult *res)
{
    const char *state = res == NULL ? NULL : PQresultErrorField(res, PG_DIAG_SQLSTATE);
    if (state == NULL || PQstatus(conn->pg) == CONNECTION_BAD) {
        CLEANUP(mem_freep) char *message = message_of(PQerrorMessage(conn->pg));
        Err *err = err_new(ERR_CONN_LOST, "connection lost: %s",
                           message[0] != '\0' ? message : "the server closed it");
        if (state != NULL)
            (void)snprintf(err->sqlstate, sizeof err->sqlstate, "%s", state);
        return err;
    }
    note_origin(conn, res);
    const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
    /* Two sessions that change the same catalog row, as two GRANTs on one schema do; never translated. */
    bool collided = str_eq(state, "XX000") && primary != NULL && str_starts(primary, "tuple concurrently ");
    Err *err = err_new(collided ? ERR_SERIALIZE : kind_of_state(state), "%s%s%s%s",
                       primary != NULL ? primary : "unknown error", detail != NULL ? " (" : "",
                       detail != NULL ? detail : "", detail != NULL ? ")" : "");
    (void)snprintf(err->sqlstate, sizeof err->sqlstate, "%s", state);
    return hint == NULL ? err : err_hint(err, "%s", hint);
}

/* ---- waiting -------------------------------------------------------------------------------- */

void pg_cancel(Conn *base)
{
    char why[256];
    PgConn *conn = pg_of(base);
    if (conn->cancel != NULL)
        (void)PQcancel(conn->cancel, why, sizeof why);
}

typedef struct Patience {
    const Stop *stop;    /* may be NULL */
    int64_t timeout_ms;  /* 0 none */
    int64_t deadline_ms; /* monotonic; INT64_MAX none */
    bool abandon;        /* do not cancel */
    Err *cancelled;      /* why we cancelled; NULL if we did not */
} Patience;

static Patience patience_of(const Wait *wait)
{
    int64_t limit = wait_limit_ms(wait);
    return (Patience){.stop = wait == NULL ? NULL : wait->stop,
                      .abandon = wait != NULL && wait->abandon,
                      .timeout_ms = limit == INT64_MAX ? 0 : limit,
                      .deadline_ms = limit == INT64_MAX ? INT64_MAX : clock_ms() + limit};
}

/* Waits until the socket is ready for `events`; past the deadline or at STOP_NOW cancels the statement once,
 * and then waits for the server's answer to that. */
static Err *wait_socket(PgConn *conn, Patience *patience, short events)
{
    const Stop *stop = patience->stop;
    bool watch_stop = stop != NULL && patience->cancelled == NULL;
    struct pollfd fds[2] = {{.fd = PQsocket(conn->pg), .events = events},
                            {.fd = watch_stop ? stop->fd : -1, .events = POLLIN}};
    int ready = poll(fds, 2, wait_poll_ms(patience->deadline_ms));
    if (ready < 0 && errno != EINTR)
        return err_new(ERR_IO, "cannot poll: %s", strerror(errno));
    if (fds[0].revents != 0 || ready < 0)
        return NULL;
    if (clock_ms() < patience->deadline_ms && (fds[1].revents & POLLIN) == 0)
        return NULL;
    if (patience->cancelled != NULL)
        return err_new(ERR_CONN_LOST, "connection lost: the server did not answer a cancel within %d ms",
                       CANCEL_GRACE_MS);
    if (patience->abandon)
        return err_new(ERR_CONN_LOST, "no answer within %lld ms", (long long)patience->timeout_ms);
    patience->cancelled = (fds[1].revents & POLLIN) != 0 ? err_new(ERR_STOPPED, "stopped by request")
                                                         : err_new(ERR_CANCELLED, "cancelled after %lld ms",
                                                                   (long long)patience->timeout_ms);
    patience->deadline_ms = clock_ms() + CANCEL_GRACE_MS;
    pg_cancel(&conn->base);
    return NULL;
}

static Err *wait_result(PgConn *conn, Patience *patience)
{
    while (PQisBusy(conn->pg) != 0) {
        short events = PQflush(conn->pg) == 1 ? POLLIN | POLLOUT : POLLIN;
        TRY(wait_socket(conn, patience, events));
        if (PQconsumeInput(conn->pg) == 0)
            return result_error(conn, NULL);
    }
    return NULL;
}

/* Reads results up to the end of the statement; the last one is handed out, the first error wins. */
static Err *read_results(PgConn *conn, Patience *patience, PGresult **ret_last)
{
    Err *err = NULL;
    PGresult *last = NULL;
    for (;;) {
        Err *lost = wait_result(conn, patience);
        if (lost != NULL) {
            err_free(err);
            PQclear(last);
            return lost;
        }
        PGresult *res = PQgetResult(conn->pg);
        if (res == NULL)
            break;
        ExecStatusType status = PQresultStatus(res);
        bool fine = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
            PQclear(last);
            *ret_last = res;
            return err;
        }
        if (!fine && err == NULL)
            err = result_error(conn, res);
        PQclear(last);
        last = res;
    }
    if (err != NULL) {
        PQclear(last);
        return err;
    }
    *ret_last = last;
    return NULL;
}

static void copy_rows(Arena *arena, const PGresult *res, Rows *ret_rows)
{
    size_t rows = (size_t)PQntuples(res), cols = (size_t)PQnfields(res);
    const char **cells = arena_alloc(arena, (rows * cols + 1) * sizeof *cells);
    for (size_t row = 0; row < rows; row++)
        for (size_t col = 0; col < cols; col++)
            if (PQgetisnull(res, (int)row, (int)col) == 0)
                cells[row * cols + col] = arena_dup(arena, PQgetvalue(res, (int)row, (int)col));
    *ret_rows = (Rows){.row_count = rows, .col_count = cols, .cells = cells};
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
    err_free(patience->cancelled);
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

/* The results of what was sent, within the wait. */
static Err *settled(PgConn *conn, const Wait *wait, const char *sql, PGresult **ret_res)
{
    Patience patience = patience_of(wait);
    Err *err = settle(&patience, read_results(conn, &patience, ret_res));
    return statement_error(err, sql);
}

static Err *run_one(PgConn *conn, const Wait *wait, Arena *arena, const char *sent, const char *sql,
                    size_t param_count, const char *const *params, Rows *ret_rows)
{
    if (wait != NULL && stop_level(wait->stop) == STOP_NOW)
        return err_new(ERR_STOPPED, "stopped by request");
    int done = param_count == 0
                   ? PQsendQuery(conn->pg, sent)
                   : PQsendQueryParams(conn->pg, sent, (int)param_count, NULL, params, NULL, NULL, 0);
    if (done == 0)
        return result_error(conn, NULL);
    CLEANUP(pq_clearp) PGresult *res = NULL;
    TRY(settled(conn, wait, sql, &res));
    if (ret_rows != NULL && res != NULL) {
        copy_rows(arena, res, ret_rows);
        ret_rows->affected = strtoll(PQcmdTuples(res), NULL, 10);
    }
    return NULL;
}

static Err *send_begin(PgConn *conn, const Wait *wait)
{
    if (conn->begin == NULL)
        return NULL;
    CLEANUP(mem_freep) char *begin = conn->begin;
    conn->begin = NULL;
    return run_one(conn, wait, NULL, begin, begin, 0, NULL, NULL);
}

Err *pg_query(Conn *base, const Wait *wait, Arena *arena, const char *sql, size_t param_count,
              const char *const *params, Rows *ret_rows)
{
    PgConn *conn = pg_of(base);
    if (param_count > 0 || conn->begin == NULL) {
        TRY(send_begin(conn, wait));
        return run_one(conn, wait, arena, sql, sql, param_count, params, ret_rows);
    }
    CLEANUP(str_donep) Str both = STR_INIT;
    str_addf(&both, "%s; %s", conn->begin, sql);
    mem_freep(&conn->begin);
    return run_one(conn, wait, arena, both.buf, sql, 0, NULL, ret_rows);
}

/* The number under which it is prepared, KEPT_MOST where it cannot be. A prepared statement outlives its
 * transaction, rolled back or not, but nothing is prepared in one that might fail by it. */
static Err *keep(PgConn *conn, const Wait *wait, const char *key, const char *sql, size_t *ret_number)
{
    for (*ret_number = 0; *ret_number < conn->kept_count; (*ret_number)++)
        if (conn->kept[*ret_number] == key)
            return NULL;
    bool can = conn->own && conn->kept_count < KEPT_MOST && conn->begin == NULL &&
               PQtransactionStatus(conn->pg) == PQTRANS_IDLE;
    if (!can) {
        *ret_number = KEPT_MOST;
        return NULL;
    }
    CLEANUP(str_donep) Str prepare = STR_INIT;
    str_addf(&prepare, "PREPARE stoa_%zu AS %s", *ret_number, sql);
    TRY(run_one(conn, wait, NULL, prepare.buf, sql, 0, NULL, NULL));
    conn->kept[conn->kept_count++] = key;
    return NULL;
}

Err *pg_query_kept(Conn *base, const Wait *wait, Arena *arena, const char *key, const char *sql,
                   size_t param_count, const char *const *params, Rows *ret_rows)
{
    PgConn *conn = pg_of(base);
    size_t number = 0;
    TRY(keep(conn, wait, key, sql, &number));
    if (number == KEPT_MOST)
        return pg_query(base, wait, arena, sql, param_count, params, ret_rows);
    CLEANUP(str_donep) Str text = STR_INIT;
    CLEANUP(arena_freep) Arena *scratch = arena_new();
    /* Else the first five are planned each; local to this message, where no transaction is open. */
    if (PQserverVersion(conn->pg) >= 120000 && conn->begin == NULL &&
        PQtransactionStatus(conn->pg) == PQTRANS_IDLE)
        str_add(&text, "SELECT pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true); ");
    str_addf(&text, "EXECUTE stoa_%zu", number);
    for (size_t i = 0; i < param_count; i++)
        str_addf(&text, "%s%s", i == 0 ? "(" : ", ",
                 params[i] == NULL ? "NULL" : sql_literal(scratch, params[i]));
    str_add(&text, param_count > 0 ? ")" : "");
    return pg_query(base, wait, arena, text.buf, 0, NULL, ret_rows);
}

Err *pg_copy_in(Conn *base, const Wait *wait, const char *sql, const char *data, size_t len)
{
    PgConn *conn = pg_of(base);
    TRY(send_begin(conn, wait));
    if (PQsendQuery(conn->pg, sql) == 0)
        return result_error(conn, NULL);
    CLEANUP(pq_clearp) PGresult *res = NULL;
    TRY(settled(conn, wait, sql, &res));
    if (PQresultStatus(res) != PGRES_COPY_IN)
        return err_new(ERR_BUG, "not a COPY FROM STDIN: \"%s\"", sql);
    if (PQputCopyData(conn->pg, data, (int)len) != 1 || PQputCopyEnd(conn->pg, NULL) != 1)
        return result_error(conn, NULL);
    CLEANUP(pq_clearp) PGresult *end = NULL;
    return settled(conn, wait, sql, &end);
}

/* ---- transactions --------------------------------------------------------------------------- */

/* Session settings are never touched, so that nothing leaks through a pooler and a lost transaction loses
 * them too. The role is set last: the right to change the others is ours, not the table owner's. */
Err *pg_begin(Conn *base, const Wait *wait, const TxSettings *settings)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql,
             "BEGIN ISOLATION LEVEL %s %s; SET LOCAL lock_timeout = %lld; SET LOCAL "
             "statement_timeout = %lld",
             settings->snapshot ? "REPEATABLE READ" : "READ COMMITTED",
             settings->read_only ? "READ ONLY" : "READ WRITE", (long long)settings->lock_timeout_ms,
             (long long)settings->statement_timeout_ms);
    str_addf(&sql, "; SET LOCAL idle_in_transaction_session_timeout = %lld",
             (long long)(settings->idle_timeout_ms > 0 ? settings->idle_timeout_ms : TX_IDLE_MS));
    str_add(&sql, "; SET LOCAL stoa.bypass = 'on'; SET LOCAL row_security = off");
    const struct {
        bool wanted;
        const char *setting;
    } more[] = {
        {settings->async_commit, "synchronous_commit = off"},
        {settings->local_commit, "synchronous_commit = local"},
        {settings->durable_commit, "synchronous_commit = on"},
        {settings->yield_autovacuum, "deadlock_timeout = '20ms'"},
        {settings->narrow, "enable_seqscan = off"},
        {settings->quiet_triggers, "session_replication_role = replica"},
    };
    for (size_t i = 0; i < ARRAY_LEN(more); i++)
        if (more[i].wanted)
            str_addf(&sql, "; SET LOCAL %s", more[i].setting);
    if (settings->role != NULL) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        str_addf(&sql, "; SET LOCAL ROLE %s", sql_ident(arena, settings->role));
    }
    PgConn *conn = pg_of(base);
    free(conn->begin);
    conn->begin = str_take(&sql);
    /* Before 11 a statement timeout set within a message does not hold for the rest of that message. */
    Err *err = PQserverVersion(conn->pg) < 110000 ? send_begin(conn, wait) : NULL;
    if (err != NULL) /* BEGIN itself may have been done: no failed transaction is left behind */
        pg_rollback(base);
    return err;
}

Err *pg_commit(Conn *base, const Wait *wait)
{
    PgConn *conn = pg_of(base);
    if (PQtransactionStatus(conn->pg) == PQTRANS_INERROR)
        return err_new(ERR_BUG, "commit of a failed transaction");
    if (conn->begin != NULL) { /* nothing was done in it */
        mem_freep(&conn->begin);
        return NULL;
    }
    return pg_query(base, wait, NULL, "COMMIT", 0, NULL, NULL);
}

void pg_rollback(Conn *base)
{
    PgConn *conn = pg_of(base);
    mem_freep(&conn->begin);
    if (PQstatus(conn->pg) != CONNECTION_OK || PQtransactionStatus(conn->pg) == PQTRANS_IDLE)
        return;
    err_free(pg_query(base, &(Wait){.timeout_ms = CANCEL_GRACE_MS}, NULL, "ROLLBACK", 0, NULL, NULL));
}

/* ---- connecting -----------------------------------------------------------------------------------------
 */

/* One statement, so that it costs one round trip; names unknown to an older server are left out by the join.
 * In transactions as TX_IDLE_MS. */
static const char session_sql[] =
    "SELECT pg_catalog.set_config(s.name, v.value, false) FROM (VALUES ('row_security', 'off'), ('TimeZone', "
    "'UTC'),"
    " ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'), ('extra_float_digits', '3'), "
    "('bytea_output', 'hex'),"
    " ('idle_in_transaction_session_timeout', '30000'), ('idle_session_timeout', '0'), "
    "('transaction_timeout', "
    "'0'),"
    " ('statement_timeout', '0'), ('lock_timeout', '0'), ('client_min_messages', 'warning'),"
    " ('jit', 'off')) AS v(name, value) JOIN pg_catalog.pg_settings s USING (name)";

static Err *connect_failure(PgConn *conn, const Target *target)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(mem_freep) char *message = message_of(PQerrorMessage(conn->pg));
    Err *err = err_new(ERR_CONNECT, "cannot connect to %s: %s", target_redacted(arena, target->url), message);
    if (strstr(message, "password") != NULL || strstr(message, "authentication") != NULL)
        return err_hint(err, "check user and password: in --url, STOA_URL, PGPASSWORD or ~/.pgpass");
    if (strstr(message, "does not exist") != NULL)
        return err_hint(err, "check database and user in --url, STOA_URL or the PG* environment variables");
    return err_hint(err,
                    "check that the server runs, and --url, STOA_URL or PGHOST, PGPORT, PGUSER, PGDATABASE");
}

static Err *connect_poll(PgConn *conn, Patience *patience, const Target *target)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED)
            return connect_failure(conn, target);
        const Stop *stop = patience->stop;
        struct pollfd fds[2] = {
            {.fd = PQsocket(conn->pg), .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT},
            {.fd = stop != NULL ? stop->fd : -1, .events = POLLIN}};
        int ready = poll(fds, 2, wait_poll_ms(patience->deadline_ms));
        if (ready > 0 && fds[1].revents != 0)
            return err_new(ERR_STOPPED, "stopped by request");
        if (ready <= 0 && clock_ms() >= patience->deadline_ms) {
            CLEANUP(arena_freep) Arena *arena = arena_new();
            return err_hint(
                err_new(ERR_CONNECT, "cannot connect to %s: no answer", target_redacted(arena, target->url)),
                "check host and port, and whether a firewall is in between");
        }
        state = PQconnectPoll(conn->pg);
    }
    return NULL;
}

void pg_close(Conn *base)
{
    PgConn *conn = pg_of(base);
    free(conn->begin);
    PQfreeCancel(conn->cancel);
    PQfinish(conn->pg);
    free(conn);
}

/* Notices are for logs, not for the terminal of whoever runs a schema change. */
static void notice_receive(void *context, const PGresult *res)
{
    const PgConn *conn = context;
    const char *function = PQresultErrorField(res, PG_DIAG_SOURCE_FUNCTION);
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    if (conn->hear != NULL)
        conn->hear(conn->hear_context, function == NULL ? "" : function, text == NULL ? "" : text);
}

void pg_conn_hear(Conn *base, PgHear *hear, void *context)
{
    PgConn *conn = pg_of(base);
    conn->hear = hear;
    conn->hear_context = context;
}

static Err *session_schema(Conn *conn, const Wait *wait, Arena *arena, const char *schema)
{
    Rows rows = {0};
    TRY(pg_query(conn, wait, arena,
                 "SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(n.nspname) || CASE WHEN "
                 "s.path = '' THEN '' ELSE ', ' || s.path END, false) FROM pg_catalog.pg_namespace n, "
                 "pg_catalog.current_setting('search_path') AS s (path) WHERE n.nspname = $1",
                 1, &schema, &rows));
    return rows.row_count > 0 ? NULL : err_new(ERR_USAGE, "there is no schema \"%s\"", schema);
}

static Err *session_prepare(Conn *conn, const char *schema)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = {.timeout_ms = CONNECT_TIMEOUT_MS};
    Rows rows = {0};
    TRY(pg_query(conn, &wait, arena, "SELECT pg_catalog.pg_backend_pid()", 0, NULL, &rows));
    if (rows_int(&rows, 0, 0) != pg_conn_backend_pid(conn)) {
        /* behind a transaction pooler session settings would leak into other people's sessions */
        return schema == NULL
                   ? NULL
                   : err_hint(err_new(ERR_CONFIG, "a schema of its own needs a session of its own, "
                                                  "and there is a transaction pooler between"),
                              "connect to the server itself");
    }
    TRY(pg_query(conn, &wait, arena, session_sql, 0, NULL, &rows));
    pg_of(conn)->own = true;
    return schema == NULL ? NULL : session_schema(conn, &wait, arena, schema);
}

Err *pg_connect(const Target *target, const char *purpose, const Wait *wait, Conn **ret_conn)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *url = target->url != NULL ? target->url : "", *password = NULL;
    TRY(target_password(arena, target, wait, &password));
    /* A second dbname is taken as it is, and overrides the one in the URL; NULL values count as absent. */
    const char *keywords[] = {"dbname", "application_name", "client_encoding", "password", "dbname", NULL};
    const char *values[] = {url, arena_printf(arena, "stoa: %s", purpose), "UTF8", password, target->database,
                            NULL};
    PgConn *conn = mem_zero(sizeof *conn);
    conn->base.ops = &engine_postgres;
    /* An empty dbname would hide PGDATABASE. */
    bool bare = url[0] == '\0';
    conn->pg = PQconnectStartParams(bare ? keywords + 1 : keywords, bare ? values + 1 : values, 1);
    Err *err = NULL;
    Wait limit = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = CONNECT_TIMEOUT_MS};
    if (wait != NULL && wait->timeout_ms > 0 && wait->timeout_ms < limit.timeout_ms)
        limit.timeout_ms = wait->timeout_ms;
    Patience patience = patience_of(&limit);
    if (conn->pg == NULL || PQstatus(conn->pg) == CONNECTION_BAD)
        err = connect_failure(conn, target);
    if (err == NULL)
        err = connect_poll(conn, &patience, target);
    if (err == NULL) {
        (void)PQsetnonblocking(conn->pg, 1);
        (void)PQsetNoticeReceiver(conn->pg, notice_receive, conn);
        conn->cancel = PQgetCancel(conn->pg);
        err = session_prepare(&conn->base, target->schema);
    }
    if (err != NULL) {
        pg_close(&conn->base);
        return err;
    }
    *ret_conn = &conn->base;
    return NULL;
}
