/* load_signal.h — how busy a server is, as far as a change slows down for it: what an engine can measure, and
 * one round of it. */
#pragma once
#include "base/err.h"

enum { LOAD_SIGNALS_MAX = 16, LOAD_COUNTERS = 4, LOAD_STATEMENTS_MAX = 100 };

#define LOAD_NO_LIMIT 1e300

/* Each engine has one table of them (EngineOps.load_signals); all values are such that more is worse. */
typedef struct LoadSignal {
    const char *name;       /* as --max-load takes it: "threads-running" */
    const char *title;      /* for messages: "Threads_running" */
    double usual_limit;     /* where none is given; LOAD_NO_LIMIT: it only shows */
    const char *limited_by; /* the option that has its limit, so --max-load has none; NULL */
} LoadSignal;

/* A signal that a server does not have is absent and stops nothing; one that should be there and cannot be
 * read has `why`. */
typedef enum SignalState { SIGNAL_ABSENT, SIGNAL_READ, SIGNAL_UNREADABLE, SIGNAL_FORBIDDEN } SignalState;

/* A statement of the application, as the server has counted it. */
typedef struct LoadStatement {
    int64_t id;
    double calls, total_ms;
    double usual_ms; /* one call, before the change began */
    double recent;   /* calls in the last window, and one of them by the usual one */
    double ratio;
} LoadStatement;

/* A read of a row of ours: `sql` takes a point of the key as its parameter, unless it is CANARY_FIRST, and
 * gives the row from there on. */
typedef enum CanaryKey { CANARY_FIRST, CANARY_INTEGER, CANARY_UUID, CANARY_TEXT } CanaryKey;
typedef struct Canary {
    const char *sql;
    CanaryKey key;
    int64_t low, high; /* CANARY_INTEGER */
} Canary;

/* One round; given again to the next one, since some values are told by the difference. */
typedef struct LoadSample {
    SignalState state[LOAD_SIGNALS_MAX];
    double value[LOAD_SIGNALS_MAX];
    const char *why[LOAD_SIGNALS_MAX]; /* SIGNAL_UNREADABLE, SIGNAL_FORBIDDEN: in the caller's arena */
    const char
        *source[LOAD_SIGNALS_MAX];  /* what told it, where that is not the signal's usual source; NULL */
    int64_t at_ms;                  /* 0: there was no round before */
    int64_t counter[LOAD_COUNTERS]; /* the engine's own */
    LoadStatement statements[LOAD_STATEMENTS_MAX]; /* likewise */
    size_t statement_count;
    /* Given by the caller: the change's tables, as SQL names them, and a bit for each signal that has a
     * limit, since some are dear to read. */
    const char *const *table_names;
    size_t table_count;
    unsigned wanted;
} LoadSample;

/* Pure: what reads of ours take, without the slowest tenth; sorts them. 0 where there are none. */
double load_canary_ms(double *ms, size_t count);
/* Pure: the mean time now against the one before, over the statements that were called since the last window,
 * by their calls; 0 where too few were called. `statements` (LOAD_STATEMENTS_MAX) are those of the last
 * window and take over the new ones. */
/* Whether the statements are to be looked at now, which *looked_ms (clock_ms(); 0: never) keeps. */
bool load_latency_is_due(const LoadSample *sample, size_t signal, int64_t *looked_ms);
double load_latency_ratio(LoadStatement *statements, size_t *count, const LoadStatement *now,
                          size_t now_count);
