/* load_limit.h — limits of a server's load signals (--max-load), and what is said when one is passed. */
#pragma once
#include "run/run.h"
#include "run/signal.h"

/* "threads-running=50", "history-list=off" into limits[LOAD_SIGNALS_MAX]; `critical`: for --critical-load.
 * ERR_USAGE naming the signals that the engine has, or the option that has this one's limit. */
Err *load_limit_parse(const EngineOps *ops, const char *text, bool critical, double *limits) MUST_USE;
/* What is critical of the signal of that name; LIMIT_OFF where nothing is. */
double load_limit_critical(const EngineOps *ops, const Controls *controls, const char *name);
/* Each signal of the sample, against its limits. One that cannot be read is missing; where the role may not
 * read it only if the user has set its limit. */
void load_limit_tell(const EngineOps *ops, const Controls *controls, const LoadSample *sample,
                     Signals *signals);

/* One that is not the server's own sample but has a row in the engine's table and so a limit: `target` is the
 * replica that told it. Nothing is told where the table has no such row. */
void load_limit_one(const EngineOps *ops, const Controls *controls, const char *name, const char *target,
                    double value, int64_t now_ms, Signals *signals);

struct Runner; /* run/runner.h */

/* Rounds of samples, one a second. */
typedef struct LoadWatch {
    LoadSample sample;          /* its `table_names` are to be set before the first one */
    struct CanaryWatch *canary; /* where latency has a limit and the server does not count statements; NULL */
    SignalState counted_state;  /* what the server itself said of it last */
    double counted;
} LoadWatch;
/* Asks the server when it is time, and tells its signals; between two rounds they stay as they are. */
Err *load_watch(const struct Runner *runner, Conn *conn, Arena *arena, const Controls *controls,
                LoadWatch *watch, Signals *signals) MUST_USE;
void load_done(LoadWatch *watch);
