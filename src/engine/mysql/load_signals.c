/* How busy the server is: one SHOW GLOBAL STATUS and one counter of InnoDB a round. */
#include "engine/mysql/load_signals.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/mysql/conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const LoadSignal my_load_signals[MY_LOAD_COUNT] = {
    [LOAD_THREADS] = {.name = "threads-running", .title = "Threads_running", .usual_limit = 100},
    [LOAD_HISTORY] = {.name = "history-list", .title = "InnoDB's history list", .usual_limit = 2000000},
    [LOAD_FLOW] = {.name = "flow-control",
                   .title = "the part of the time that Galera's flow control stops writers",
                   .usual_limit = 0.1},
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

void my_load_status(const Rows *rows, int64_t now_ms, LoadSample *sample)
{
    take(sample, LOAD_THREADS, status_of(rows, "Threads_running"));
    take_flow(rows, now_ms, sample);
    take(sample, LOAD_QUEUE, status_of(rows, "wsrep_local_recv_queue"));
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

Err *my_load(Conn *conn, const Wait *wait, Arena *arena, LoadSample *sample)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_running', "
                   "'wsrep_flow_control_paused', 'wsrep_flow_control_paused_ns', 'wsrep_local_recv_queue')"));
    my_load_status(&rows, clock_ms(), sample);
    return sample_history(conn, wait, arena, sample);
}
