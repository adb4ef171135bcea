/* Measures one side: quiet application, change, all rows compared. */
#include "demo/side.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { WARM_MS = 1000 };

double side_ratio(int64_t before, int64_t after) { return before > 0 ? (double)after / (double)before : 1; }

static Err *sizes_read(const Demo *demo, Conn *conn, const Wait *wait, int64_t *ret_heap, int64_t *ret_index,
                       int64_t *ret_wal)
{
    Rows rows;
    TRY(conn_query(conn, wait, demo->arena, &rows, demo->engine->size_sql));
    *ret_heap = rows_int(&rows, 0, 0);
    *ret_index = rows_int(&rows, 0, 1);
    *ret_wal = rows_int(&rows, 0, 2);
    return NULL;
}

static Err *rows_compare(const Demo *demo, Conn *conn, const Wait *wait, Side *side)
{
    Rows rows;
    TRY(conn_query(conn, wait, demo->arena, &rows,
                   demo->engine->rows_sql(demo->arena, demo->options.row_count)));
    side->row_count = rows_int(&rows, 0, 0);
    side->rows_wrong = rows_int(&rows, 0, 1);
    return NULL;
}

static void errors_add(Side *side, const LoadReport *report)
{
    side->errors += report->errors;
    if (side->first_error[0] == '\0')
        memcpy(side->first_error, report->first_error, sizeof side->first_error);
}

static void load_freep(Load **load)
{
    if (*load != NULL)
        load_free(*load);
}

static Err *application_start(const Demo *demo, const Side *side, Load **ret_load)
{
    LoadConfig config = {.ops = demo->options.ops,
                         .target = {.url = server_url(demo->arena, demo->server, side->database)},
                         .schema = demo->engine->schema,
                         .table = DEMO_TABLE,
                         .profile = LOAD_PLAIN,
                         .rate = demo->options.rate,
                         .seed = 1};
    return load_start(&config, ret_load);
}

/* The application is running: measures it before and during the change. */
static Err *change_measure(const Demo *demo, Side *side, Conn *conn, const Wait *wait, Load *load)
{
    int64_t wal_before = 0, wal_after = 0;
    LoadReport report;
    stop_sleep(demo->options.stop, WARM_MS);
    load_mark(load, &report);
    errors_add(side, &report);
    if (side->before_ms > 0) {
        stop_sleep(demo->options.stop, side->before_ms);
        load_mark(load, &side->before);
        errors_add(side, &side->before);
    }
    TRY(stop_check(demo->options.stop));
    TRY(sizes_read(demo, conn, wait, &side->heap_before, &side->index_before, &wal_before));
    int64_t start_ms = clock_ms();
    Err *err = side->carry_out(demo, side);
    int64_t change_ms = clock_ms() - start_ms;
    if (err == NULL)
        stop_sleep(demo->options.stop, side->settle_ms + change_ms * side->settle_share / 100);
    load_mark(load, &side->during);
    errors_add(side, &side->during);
    TRY(err);
    side->seconds = (double)change_ms / 1000;
    TRY(sizes_read(demo, conn, wait, &side->heap_after, &side->index_after, &wal_after));
    side->wal_bytes = wal_after - wal_before;
    return NULL;
}

Err *side_warm(const Demo *demo, const Side *side, int64_t ms)
{
    Wait wait = {.stop = demo->options.stop};
    Target target = {.url = server_url(demo->arena, demo->server, side->database)};
    CLEANUP(conn_closep) Conn *conn = NULL;
    CLEANUP(load_freep) Load *load = NULL;
    if (demo->engine->forget_sql != NULL) {
        TRY(demo->options.ops->connect(&target, DEMO_SESSION, &wait, &conn));
        TRY(conn_exec(conn, &wait, demo->engine->forget_sql));
    }
    TRY(application_start(demo, side, &load));
    stop_sleep(demo->options.stop, ms);
    TRY(load_stop(load, NULL));
    return stop_check(demo->options.stop);
}

Err *side_run(const Demo *demo, Side *side)
{
    Wait wait = {.stop = demo->options.stop};
    Target target = {.url = server_url(demo->arena, demo->server, side->database)};
    CLEANUP(conn_closep) Conn *conn = NULL;
    TRY(demo->options.ops->connect(&target, DEMO_SESSION, &wait, &conn));
    if (demo->engine->rest_sql != NULL)
        TRY(conn_exec(conn, &wait, demo->engine->rest_sql));
    CLEANUP(load_freep) Load *load = NULL;
    TRY(application_start(demo, side, &load));
    Err *err = change_measure(demo, side, conn, &wait, load);
    LoadReport rest = {0};
    CLEANUP(err_freep) Err *stopped = load_stop(load, &rest);
    errors_add(side, &rest);
    TRY(err);
    if (stopped != NULL) {
        err = stopped;
        stopped = NULL;
        return err;
    }
    return rows_compare(demo, conn, &wait, side);
}
