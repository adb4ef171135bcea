/* How busy the server is: one SHOW GLOBAL STATUS and one counter of InnoDB a round. */
#include "engine/mysql/load_signals.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/own.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    LATENCY_COUNTER = 1, /* of LoadSample.counter: when the statements were last looked at */
    REDO_COUNTER = 2,    /* bytes of redo in the last round */
};

const LoadSignal my_load_signals[MY_LOAD_COUNT] = {
    [LOAD_THREADS] = {.name = "threads-running", .title = "Threads_running", .usual_limit = 100},
    [LOAD_HISTORY] = {.name = "history-list", .title = "InnoDB's history list", .usual_limit = 2000000},
    [LOAD_FLOW] = {.name = "flow-control",
                   .title = "the part of the time that Galera's flow control stops writers",
                   .usual_limit = 0.1},
    [LOAD_LATENCY] = {.name = "latency",
                      .title = "the time of the application's statements, against before,",
                      .usual_limit = LOAD_NO_LIMIT},
    [LOAD_REDO] = {.name = "redo-rate", .title = "redo in MB a second", .usual_limit = LOAD_NO_LIMIT},
    [LOAD_CHECKPOINT] = {.name = "checkpoint-age",
                         .title = "the part of the redo log that is waiting for a checkpoint",
                         .usual_limit = LOAD_NO_LIMIT},
    [LOAD_BLOCKED] = {.name = "blocked-sessions",
                      .title = "the number of sessions that wait for us",
                      .usual_limit = 0},
    [LOAD_STANDBY_WAITING] = {.name = "standby-waiting",
                              .title = "the number of sessions that wait for replay",
                              .usual_limit = 0},
    [LOAD_LAG] = {.name = "replica-lag",
                  .title = "the lag of a replica",
                  .usual_limit = LOAD_NO_LIMIT,
                  .limited_by = "--max-lag"},
    [LOAD_QUEUE] = {.name = "receive-queue", .title = "Galera's receive queue", .usual_limit = 100},
};
static_assert((int)MY_LOAD_COUNT <= (int)LOAD_SIGNALS_MAX, "a sample holds all signals");

/* ---- pure parts ----------------------------------------------------------------------------- */

int64_t my_history_length(const char *status)
{
    static const char label[] = "History list length ";
    const char *at = strstr(status, label);
    if (at == NULL)
        return -1;
    at += sizeof label - 1;
    char *end = NULL;
    int64_t length = strtoll(at, &end, 10);
    return end == at || length < 0 ? -1 : length;
}

static const char *status_of(const Rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->row_count; i++)
        if (rows_cell(rows, i, 0) != NULL && strcasecmp(rows_cell(rows, i, 0), name) == 0)
            return rows_cell(rows, i, 1);
    return NULL;
}

static void take(LoadSample *sample, int signal, const char *text)
{
    sample->state[signal] = text == NULL ? SIGNAL_ABSENT : SIGNAL_READ;
    sample->value[signal] = text == NULL ? 0 : strtod(text, NULL);
}

/* Before there was a round, and where FLUSH STATUS began the counter again, the average is what is known. */
static void take_flow(const Rows *rows, int64_t now_ms, LoadSample *sample)
{
    const char *counter = status_of(rows, "wsrep_flow_control_paused_ns");
    int64_t paused_ns = counter == NULL ? -1 : strtoll(counter, NULL, 10);
    int64_t span_ms = now_ms - sample->at_ms;
    take(sample, LOAD_FLOW, status_of(rows, "wsrep_flow_control_paused"));
    if (paused_ns >= 0 && paused_ns >= sample->counter[0] && sample->at_ms > 0 && span_ms > 0) {
        sample->state[LOAD_FLOW] = SIGNAL_READ;
        sample->value[LOAD_FLOW] = (double)(paused_ns - sample->counter[0]) / 1e6 / (double)span_ms;
    }
    sample->counter[0] = paused_ns;
}

static void take_redo(const Rows *rows, int64_t now_ms, LoadSample *sample)
{
    const char *written = status_of(rows, "Innodb_os_log_written");
    int64_t bytes = written == NULL ? -1 : strtoll(written, NULL, 10), before = sample->counter[REDO_COUNTER];
    bool rate = bytes >= before && before > 0 && sample->at_ms > 0 && now_ms > sample->at_ms;
    sample->state[LOAD_REDO] = rate ? SIGNAL_READ : SIGNAL_ABSENT;
    sample->value[LOAD_REDO] =
        rate ? (double)(bytes - before) / 1048576 * 1000 / (double)(now_ms - sample->at_ms) : 0;
    sample->counter[REDO_COUNTER] = bytes;
}

static void take_checkpoint(const Rows *rows, LoadSample *sample)
{
    static const char *const names[][2] = {
        {"Innodb_checkpoint_age", "Innodb_checkpoint_max_age"},
        {"Innodb_redo_log_logical_size", "Innodb_redo_log_capacity_resized"}};
    sample->state[LOAD_CHECKPOINT] = SIGNAL_ABSENT;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *age = status_of(rows, names[i][0]), *most = status_of(rows, names[i][1]);
        if (age == NULL || most == NULL || strtod(most, NULL) <= 0)
            continue;
        sample->state[LOAD_CHECKPOINT] = SIGNAL_READ;
        sample->value[LOAD_CHECKPOINT] = strtod(age, NULL) / strtod(most, NULL);
    }
}

void my_load_status(const Rows *rows, int64_t now_ms, LoadSample *sample)
{
    take(sample, LOAD_THREADS, status_of(rows, "Threads_running"));
    take_flow(rows, now_ms, sample);
    take(sample, LOAD_QUEUE, status_of(rows, "wsrep_local_recv_queue"));
    take_redo(rows, now_ms, sample);
    take_checkpoint(rows, sample);
    sample->at_ms = now_ms;
}

/* ---- the server ----------------------------------------------------------------------------- */

static Err *read_history(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_length)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT `COUNT` FROM information_schema.INNODB_METRICS WHERE NAME = "
                   "'trx_rseg_history_len' AND TIME_ENABLED IS NOT NULL AND TIME_DISABLED IS NULL"));
    *ret_length = rows.row_count > 0 ? rows_int(&rows, 0, 0) : -1;
    if (rows.row_count > 0)
        return NULL;
    TRY(conn_query(conn, wait, arena, &rows, "SHOW ENGINE INNODB STATUS"));
    const char *text = rows.row_count > 0 ? rows_cell(&rows, 0, 2) : NULL;
    *ret_length = text == NULL ? -1 : my_history_length(text);
    return NULL;
}

static Err *sample_history(Conn *conn, const Wait *wait, Arena *arena, LoadSample *sample)
{
    int64_t length = -1;
    Err *err = read_history(conn, wait, arena, &length);
    if (err != NULL && !err_is(err, ERR_PRIVILEGE) && !err_is(err, ERR_SQL))
        return err;
    sample->state[LOAD_HISTORY] = err_is(err, ERR_PRIVILEGE) ? SIGNAL_FORBIDDEN
                                  : length < 0               ? SIGNAL_UNREADABLE
                                                             : SIGNAL_READ;
    sample->value[LOAD_HISTORY] = (double)length;
    sample->why[LOAD_HISTORY] = err != NULL ? arena_dup(arena, err->msg) : "the server does not tell it";
    err_free(err);
    return NULL;
}

/* ---- who waits ----------------------------------------------------------------------------------------- */

/* Where nobody waits for any row nobody waits for ours: then nothing more is asked. */
static Err *sample_blocked(Conn *conn, const Wait *wait, Arena *arena, const Rows *status, LoadSample *sample)
{
    const char *waits = status_of(status, "Innodb_row_lock_current_waits");
    int64_t count = 0;
    Err *err = waits == NULL || str_eq(waits, "0") ? NULL : my_blocked_sessions(conn, wait, arena, &count);
    if (err != NULL && !err_is(err, ERR_PRIVILEGE) && !err_is(err, ERR_SQL))
        return err;
    sample->state[LOAD_BLOCKED] = waits == NULL                ? SIGNAL_ABSENT
                                  : err == NULL                ? SIGNAL_READ
                                  : err_is(err, ERR_PRIVILEGE) ? SIGNAL_FORBIDDEN
                                                               : SIGNAL_UNREADABLE;
    sample->value[LOAD_BLOCKED] = (double)count;
    sample->why[LOAD_BLOCKED] = err == NULL ? NULL : arena_dup(arena, err->msg);
    err_free(err);
    return NULL;
}

/* ---- latency -------------------------------------------------------------------------------- */

/* Statements of the database that name one of the tables; ours name what is ours. */
static const char *statements_sql(Conn *conn, Arena *arena, const LoadSample *sample)
{
    CLEANUP(str_donep) Str names = STR_INIT;
    for (size_t i = 0; i < sample->table_count; i++) {
        const char *point = strrchr(sample->table_names[i], '.'), *name = sample->table_names[i];
        name = point == NULL ? name : point + 1;
        size_t quoted = name[0] == '`', len = strlen(name) - 2 * quoted;
        str_sep(&names, " OR ");
        str_addf(&names, "LOCATE(%s, DIGEST_TEXT) > 0",
                 my_literal(conn, arena, arena_dupn(arena, name + quoted, len)));
    }
    return arena_printf(
        arena,
        "SELECT CONV(SUBSTRING(DIGEST, 1, 15), 16, 10), SUM(COUNT_STAR), SUM(SUM_TIMER_WAIT) / 1e9 FROM "
        "performance_schema.events_statements_summary_by_digest WHERE SCHEMA_NAME = DATABASE() AND DIGEST "
        "IS NOT NULL AND (%s) AND DIGEST_TEXT NOT LIKE '%%stoa%%' AND DIGEST_TEXT REGEXP "
        "'^(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH)' GROUP BY 1 ORDER BY 2 DESC LIMIT %d",
        names.len == 0 ? "FALSE" : names.buf, LOAD_STATEMENTS_MAX);
}

static Err *read_statements(Conn *conn, const Wait *wait, Arena *arena, const LoadSample *sample,
                            LoadStatement *now, size_t *ret_count)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, "SELECT @@performance_schema"));
    if (!rows_bool(&rows, 0, 0))
        return err_new(ERR_SQL, "performance_schema is off");
    TRY(conn_query(conn, wait, arena, &rows, statements_sql(conn, arena, sample)));
    *ret_count = rows_statements(&rows, now);
    return NULL;
}

static Err *sample_latency(Conn *conn, const Wait *wait, Arena *arena, LoadSample *sample)
{
    LoadStatement now[LOAD_STATEMENTS_MAX];
    size_t count = 0;
    if (!load_latency_is_due(sample, LOAD_LATENCY, &sample->counter[LATENCY_COUNTER]))
        return NULL;
    Err *err = read_statements(conn, wait, arena, sample, now, &count);
    if (err != NULL && !err_is(err, ERR_PRIVILEGE) && !err_is(err, ERR_SQL))
        return err;
    sample->state[LOAD_LATENCY] = err == NULL                  ? SIGNAL_READ
                                  : err_is(err, ERR_PRIVILEGE) ? SIGNAL_FORBIDDEN
                                                               : SIGNAL_UNREADABLE;
    sample->why[LOAD_LATENCY] = err == NULL                  ? NULL
                                : err_is(err, ERR_PRIVILEGE) ? "no SELECT on performance_schema"
                                                             : "performance_schema is off";
    if (err == NULL)
        sample->value[LOAD_LATENCY] =
            load_latency_ratio(sample->statements, &sample->statement_count, now, count);
    err_free(err);
    return NULL;
}

Err *my_load(Conn *conn, const Wait *wait, Arena *arena, LoadSample *sample)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_running', "
                   "'wsrep_flow_control_paused', 'wsrep_flow_control_paused_ns', 'wsrep_local_recv_queue', "
                   "'Innodb_row_lock_current_waits', 'Innodb_os_log_written', 'Innodb_checkpoint_age', "
                   "'Innodb_checkpoint_max_age', "
                   "'Innodb_redo_log_logical_size', 'Innodb_redo_log_capacity_resized')"));
    my_load_status(&rows, clock_ms(), sample);
    TRY(sample_blocked(conn, wait, arena, &rows, sample));
    TRY(sample_history(conn, wait, arena, sample));
    return sample_latency(conn, wait, arena, sample);
}
