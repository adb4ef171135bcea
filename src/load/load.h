/* load.h — an application to stand in the way: fixed rate, open loop, many sessions.
 *
 * Statements fall due at fixed times whether or not earlier ones have returned, and a latency counts from the
 * time a statement was due; so a stall shows in full. Used by demo, tests, benchmarks and rehearsals. */
#pragma once
#include "engine/engine.h"

#include <jansson.h>

typedef enum LoadProfile {
    LOAD_PLAIN,   /* single statements: 60 % reads by key, 25 % updates, 15 % inserts */
    LOAD_HOSTILE, /* everything that makes a schema change hard, see hostile.c */
    LOAD_MIX,     /* the statements of LoadConfig.items, whatever table they are about */
} LoadProfile;

/* A statement of LOAD_MIX. */
typedef struct LoadItem {
    const char *sql;
    double share;    /* of all statements, in proportion to the others */
    int param_count; /* 1: $1 is the number of a row; 2: $2 is one more such number, for a value */
    bool fresh;      /* $1 is a number that no row had so far */
} LoadItem;

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
    const LoadItem *items;             /* LOAD_MIX: live as long as the load */
    size_t item_count;
    int64_t row_count; /* LOAD_MIX: rows have the numbers below it */
    uint64_t seed;
    const char *application; /* application_name; NULL: "new-app" or "old-app" */
} LoadConfig;

/* Latencies in milliseconds, of statements (plain) or transactions (hostile) that ended in the span, from the
 * time they were due. Not counted are the pauses that a transaction makes of its own accord, and its waits
 * for the advisory locks that keep transactions of several rows from deadlocking each other. */
typedef struct LoadReport {
    int64_t count, errors;
    int64_t expected_errors; /* serialization failures of REPEATABLE READ, "cached plan must not change result
                                type" */
    int64_t deadlocks;       /* 40P01 where the application was the victim: part of errors */
    int64_t connection_errors; /* cut off, or the server is away: not part of errors; sessions reconnect */
    int64_t unfinished; /* due before the stop, and still not done ten seconds after it: part of count */
    double p50_ms, p95_ms, p99_ms, max_ms;
    double seconds;
    char first_error[300];
} LoadReport;

typedef struct Load Load;

/* Creates and fills schema.table (schema NULL: by search path; one that is missing is created): id,
 * customer_id, amount, status, note, created_at, updated_at; primary key and two secondary indexes; VACUUM
 * ANALYZE. The same rows each time. */
Err *load_create_orders(Conn *conn, const Wait *wait, const char *schema, const char *table,
                        int64_t row_count) MUST_USE;
/* Connects all sessions and starts. The hostile profile adds the child table <table>_item where it is
 * missing. Errors: ERR_CONNECT, ERR_SQL (no such table), ERR_USAGE (a twin without new_column and new_expr,
 * or with the plain profile). */
Err *load_start(const LoadConfig *config, Load **ret_load) MUST_USE;
/* What happened since the last mark (or the start); begins a new span. From any thread. */
void load_mark(Load *load, LoadReport *ret_report);
/* Stops, waits for the sessions: what was due is still done, for at most ten seconds, then cancelled. The
 * report covers the span since the last mark. `ret_report` may be NULL: then load_mark() still gives it. */
Err *load_stop(Load *load, LoadReport *ret_report) MUST_USE;
/* Stops first if that has not been done. */
void load_free(Load *load);
json_t *load_report_json(const LoadReport *report);

/* Spans that can be added up. load_drain() is load_mark() into a tally: it adds what happened since the last
 * mark to `into`. */
typedef struct LoadTally LoadTally;
LoadTally *load_tally_new(void) __attribute__((returns_nonnull));
void load_tally_free(LoadTally *tally);
void load_tally_clear(LoadTally *tally);
void load_tally_add(LoadTally *into, const LoadTally *from);
void load_tally_report(const LoadTally *tally, LoadReport *ret_report);
void load_drain(Load *load, LoadTally *into);

/* The twin: a copy of the table, made while nobody writes, with the new column filled by the expression from
 * the start. Every hostile transaction of a load with config.twin changes both tables alike, and the new
 * column of the twin by the rules that the changed table is to follow: computed when a row is inserted or a
 * column named in the expression changes, kept otherwise; what the new application writes stands. */
Err *load_twin_create(Conn *conn, const Wait *wait, const char *schema, const char *table, const char *twin,
                      const char *new_column, const char *new_expr) MUST_USE;
/* Rows in which table and twin differ, or that only one of them has, in one snapshot; with the new column
 * where the table has it (*ret_compared_new, may be NULL). *ret_sample describes up to five of them, in
 * `arena`; "" if none. */
Err *load_twin_compare(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                       const char *twin, const char *new_column, int64_t *ret_difference_count,
                       const char **ret_sample, bool *ret_compared_new) MUST_USE;
