/* metrics.h — what Prometheus and others collect: a table of metrics (metric_table.c), written from a picture
 * and from memory, never from the database. The names and what they mean are a contract: docs/metrics.md. */
#pragma once
#include "serve/board.h"
#include "serve/exposition.h"
#include "serve/http.h"

#include <stdatomic.h>

/* ---- requests that were answered ------------------------------------------------------------- */

typedef struct HttpCounts HttpCounts;
HttpCounts *http_counts_new(void) __attribute__((returns_nonnull));
void http_counts_free(HttpCounts *counts);
/* HttpOptions.answered. Of the route only its pattern is kept. */
void http_counts_answered(void *counts, const HttpRoute *route, int code, double seconds);

/* ---- writing --------------------------------------------------------------------------------- */

/* What is served for a flag right now. */
typedef struct FlagValue {
    const char *flag, *environment;
    int value;                   /* 0, 1; negative: it is neither, or not proved */
    int64_t evaluations, errors; /* since the start; negative: not counted */
} FlagValue;

typedef struct MetricsSource {
    const Picture *picture;
    const char *environment; /* NULL */
    HttpCounts *http;        /* NULL: nothing is served over HTTP */
    int64_t look_failures;   /* of the board since the start */
    int64_t now_ms, wall_ms; /* clock_ms(); since 1970 */
    /* Fills at most `size`, with texts in `arena`, and returns how many there are. NULL: no flags are served.
     */
    size_t (*flag_values)(void *context, Arena *arena, FlagValue *values, size_t size);
    void *flag_context;
    int64_t flags_not_found; /* asked for, since the start; negative: not counted */
} MetricsSource;

/* All metrics; those without a value are absent. `open`: OpenMetrics. */
void metrics_write(Str *text, bool open, const MetricsSource *source);
/* Writes into a file beside it and renames that. */
Err *textfile_write(const char *path, const Str *text) MUST_USE;

/* ---- the table ------------------------------------------------------------------------------- */

/* One collection under way. */
typedef struct Scrape {
    Exposition out;
    const MetricsSource *source;
    Arena *arena;
    struct ScrapeChange *changes;
    size_t change_count;
} Scrape;

/* A change with what its samples have in common. */
typedef struct ScrapeChange {
    const json_t *json;     /* as in status */
    const json_t *measured; /* run/tally.h */
    const char *name, *state, *phase;
} ScrapeChange;

typedef struct Metric {
    const char *name;
    MetricType type;
    const char *labels; /* besides environment, engine, database and migration, where `each` is set */
    const char *help;
    void (*once)(Scrape *scrape);
    void (*each)(Scrape *scrape, const ScrapeChange *change); /* for every change */
} Metric;

size_t metric_count(void);
const Metric *metric_at(size_t index);
/* docs/metrics.md */
void metric_page(Str *text);

/* The functions that rows of the table name. metrics.c: */
void metrics_build(Scrape *scrape);
void metrics_loop(Scrape *scrape);
void metrics_look_errors(Scrape *scrape);
void metrics_flag(Scrape *scrape);
void metrics_flag_evaluations(Scrape *scrape);
void metrics_prediction(Scrape *scrape);
/* metrics_http.c: */
void metrics_http_requests(Scrape *scrape);
void metrics_http_duration(Scrape *scrape);
void metrics_ofrep_requests(Scrape *scrape);
void metrics_ofrep_duration(Scrape *scrape);
/* metrics_change.c: */
void metrics_errors(Scrape *scrape, const ScrapeChange *change);
void metrics_info(Scrape *scrape, const ScrapeChange *change);
void metrics_runner(Scrape *scrape, const ScrapeChange *change);
void metrics_phase(Scrape *scrape, const ScrapeChange *change);
void metrics_phase_entered(Scrape *scrape, const ScrapeChange *change);
void metrics_ready(Scrape *scrape, const ScrapeChange *change);
void metrics_eta(Scrape *scrape, const ScrapeChange *change);
void metrics_throttle(Scrape *scrape, const ScrapeChange *change);
void metrics_throttled(Scrape *scrape, const ScrapeChange *change);
void metrics_last_read(Scrape *scrape, const ScrapeChange *change);
/* From change["signals"], where it is there: [{"name", "target", "value", "limit", "age_ms"}]. */
void metrics_signal(Scrape *scrape, const ScrapeChange *change);
void metrics_threshold(Scrape *scrape, const ScrapeChange *change);
void metrics_signal_age(Scrape *scrape, const ScrapeChange *change);
void metrics_replica_lag(Scrape *scrape, const ScrapeChange *change);
void metrics_latency_ratio(Scrape *scrape, const ScrapeChange *change);
/* metrics_step.c: */
void metrics_rows(Scrape *scrape, const ScrapeChange *change);
void metrics_rows_updated(Scrape *scrape, const ScrapeChange *change);
void metrics_skipped(Scrape *scrape, const ScrapeChange *change);
void metrics_hot(Scrape *scrape, const ScrapeChange *change);
void metrics_batches(Scrape *scrape, const ScrapeChange *change);
void metrics_batch_duration(Scrape *scrape, const ScrapeChange *change);
void metrics_step_progress(Scrape *scrape, const ScrapeChange *change);
void metrics_table_bytes(Scrape *scrape, const ScrapeChange *change);
void metrics_batch_rows(Scrape *scrape, const ScrapeChange *change);
void metrics_wal(Scrape *scrape, const ScrapeChange *change);
void metrics_lock_attempts(Scrape *scrape, const ScrapeChange *change);
void metrics_lock_wait(Scrape *scrape, const ScrapeChange *change);
void metrics_lock_hold(Scrape *scrape, const ScrapeChange *change);
void metrics_step_duration(Scrape *scrape, const ScrapeChange *change);
void metrics_step_predicted(Scrape *scrape, const ScrapeChange *change);
void metrics_violations(Scrape *scrape, const ScrapeChange *change);
void metrics_blocked(Scrape *scrape, const ScrapeChange *change);

/* What they use. */
enum { METRIC_LABELS_MAX = 10 };
/* A sample with the change's labels and these. */
void metrics_put(Scrape *scrape, const ScrapeChange *change, const Label *labels, size_t count, double value);
void metrics_put_spread(Scrape *scrape, const ScrapeChange *change, const Label *labels, size_t count,
                        const json_t *times);
/* The tally of a step: measured[ordinal][group]; NULL. */
const json_t *metrics_sums(const ScrapeChange *change, int64_t step, const char *group);
/* Seconds since 1970 of "2026-11-20T21:04:31.5+00:00"; negative where that is none. */
double metrics_time(const char *text);
