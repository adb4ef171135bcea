/* demo.h — the product shown on a private server: a big table, a busy application, the change carried out by
 * Stoa, and the same change as it is usually written.
 *
 * Everything lives in one temporary directory and is gone at the end: after success, after an error, after a
 * signal, and also when this process is killed. */
#pragma once
#include "base/arena.h"
#include "base/stop.h"
#include "change/change.h"
#include "engine/engine.h"
#include "plan/plan.h"

#include <jansson.h>

typedef struct DemoOptions {
    int64_t row_count;    /* rows of the orders table; 0: 1,000,000, or 300,000 with a rehearsal */
    double rate;          /* statements per second of the application; 0: 300 */
    bool keep;            /* leave the server running and say how to connect and how to remove it */
    const EngineOps *ops; /* PostgreSQL, or MySQL for a MariaDB server */
    Stop *stop;           /* may be NULL */
    void (*say)(void *context, const char *line);       /* one line of talk, without newline; may be NULL */
    void (*show_plan)(void *context, const Plan *plan); /* NULL: the plan is said in short lines */
    /* Rehearses the change on the database before it is made there: *ret_json, the caller's, is the report.
     * What came of it joins the figures. NULL: it is not rehearsed. */
    Err *(*rehearse)(void *context, const Target *target, const Change *change, double rate,
                     json_t **ret_json);
    void *context; /* of these */
} DemoOptions;

/* Runs the demo; *ret_json (owned by the caller) is the object of `stoa demo --json`. Errors: ERR_CONFIG when
 * the server is not installed or the disk is too small (hint), ERR_STOPPED after a signal, whatever the
 * change met, and ERR_VERIFY when rows are wrong or the application had errors: then *ret_json is set all the
 * same, so that the figures can be shown. On every other error it is untouched. */
Err *demo_run(const DemoOptions *options, Arena *arena, json_t **ret_json) MUST_USE;

/* The figures of demo_run's object as an aligned table for people, Stoa and the plain way side by side, with
 * ratios; lines end with a newline; in `arena`. */
char *demo_table(Arena *arena, const json_t *json) __attribute__((returns_nonnull));
/* What was predicted of both ways beside what it was; "" where nothing was rehearsed. */
char *demo_predictions(Arena *arena, const json_t *json) __attribute__((returns_nonnull));
