/* load.h — an application to stand in the way: fixed rate, open loop, many sessions.
 *
 * Statements fall due at fixed times whether or not earlier ones have returned, and a latency counts from the
 * time a statement was due; so a stall shows in full. Used by demo, tests, benchmarks and rehearsals. */
#pragma once
#include "engine/engine.h"

#include <jansson.h>

typedef enum LoadProfile {
    LOAD_PLAIN,   /* single statements: 60 % reads by key, 25 % updates, 15 % inserts */
    LOAD_HOSTILE, /* everything that makes a schema change hard, see load.c */
} LoadProfile;

typedef struct LoadConfig {
    const EngineOps *ops;
    Target target;
    const char *schema, *table; /* an orders table made by load_create_orders() */
    LoadProfile profile;
    double rate;          /* statements (plain) or transactions (hostile) per second */
    int session_count;    /* connections; 0: 16 */
    const char *twin;     /* hostile: also keep this twin table, row by row, in the same transactions; NULL */
    bool new_application; /* this application knows the column (load_new_column) and writes it itself */
    const char *new_column, *new_expr; /* "amount_cents", "(amount * 100)::bigint" */
    uint64_t seed;
} LoadConfig;

/* Latencies in milliseconds, of statements (plain) or transactions (hostile) that ended in the span. */
typedef struct LoadReport {
    int64_t count, errors;
    int64_t expected_errors; /* serialization failures of REPEATABLE READ, "cached plan must not change result
                                type" */
    int64_t deadlocks;       /* 40P01 where the application was the victim: part of errors */
    double p50_ms, p95_ms, p99_ms, max_ms;
    double seconds;
    char first_error[300];
} LoadReport;

typedef struct Load Load;

/* Creates and fills schema.table: id, customer_id, amount, status, note, created_at, updated_at; primary key
 * and two secondary indexes; VACUUM ANALYZE. */
Err *load_create_orders(Conn *conn, const Wait *wait, const char *schema, const char *table,
                        int64_t row_count) MUST_USE;
Err *load_start(const LoadConfig *config, Load **ret_load) MUST_USE;
/* What happened since the last mark (or the start); begins a new span. From any thread. */
void load_mark(Load *load, LoadReport *ret_report);
/* Stops, waits for the sessions; the report covers the span since the last mark. `ret_report` may be NULL. */
Err *load_stop(Load *load, LoadReport *ret_report) MUST_USE;
void load_free(Load *load);
json_t *load_report_json(const LoadReport *report);
