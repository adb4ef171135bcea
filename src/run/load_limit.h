/* load_limit.h — limits of a server's load signals (--max-load), and what is said when one is passed. */
#pragma once
#include "run/run.h"
#include "run/signal.h"

/* "threads-running=50", "history-list=off" into limits[LOAD_SIGNALS_MAX]. ERR_USAGE naming the signals that
 * the engine has. */
Err *load_limit_parse(const EngineOps *ops, const char *text, double *limits) MUST_USE;
/* Each signal of the sample, against its limits. One that cannot be read is missing; where the role may not
 * read it only if the user has set its limit. */
void load_limit_tell(const EngineOps *ops, const Controls *controls, const LoadSample *sample,
                     Signals *signals);

/* Rounds of samples, one a second. */
typedef struct LoadWatch {
    LoadSample sample; /* its `table_names` are to be set before the first one */
} LoadWatch;
/* Asks the server when it is time, and tells its signals; between two rounds they stay as they are. */
Err *load_watch(Conn *conn, const Wait *wait, Arena *arena, const Controls *controls, LoadWatch *watch,
                Signals *signals) MUST_USE;
