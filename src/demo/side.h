/* side.h — one side of the comparison: a database, the application on it, and the change made in one way. */
#pragma once
#include "demo/demo.h"
#include "demo/engine.h"
#include "host/server.h"
#include "load/load.h"

#define DEMO_TABLE   "orders"
#define DEMO_SESSION "demo"

/* What every part of a demo needs. */
typedef struct Demo {
    DemoOptions options;
    const DemoEngine *engine;
    HostServer *server;
    Arena *arena;
    json_t *rehearsal; /* what it predicts; NULL */
} Demo;

/* One line of talk. */
void demo_say(const Demo *demo, const char *fmt, ...) PRINTF(2, 3);

/* How a side makes the change; hot_ratio stays -1 where nobody knows. */
typedef struct Side {
    const char *database;
    Err *(*carry_out)(const Demo *demo, struct Side *side);
    int64_t before_ms; /* how long the quiet application is measured; 0: not */
    int64_t settle_ms; /* how long the application goes on after the change, still counted as "during" */
    int settle_share;  /* … and this percentage of the change's time on top, for the backlog it left */
    /* measured: */
    LoadReport before, during;
    int64_t errors; /* of the application, from its first statement to its last */
    char first_error[sizeof((LoadReport *)NULL)->first_error];
    double seconds, backfill_seconds;
    int64_t wal_bytes, heap_before, heap_after, index_before, index_after;
    int64_t row_count, rows_wrong; /* exact, over all rows, after the application has stopped */
    double hot_ratio;
    json_t *predictions; /* run_predictions()'s object; owned; NULL */
} Side;

Err *side_run(const Demo *demo, Side *side) MUST_USE;
/* The application alone on the side's database, for so long: so that the server has counted what it does. */
Err *side_warm(const Demo *demo, const Side *side, int64_t ms) MUST_USE;
/* Growth as a ratio; 1 for an empty table. */
double side_ratio(int64_t before, int64_t after);

/* The two ways. */
Err *way_stoa(const Demo *demo, Side *side) MUST_USE;
Err *way_plain(const Demo *demo, Side *side) MUST_USE;
