/* load_limit.h — limits of a server's load signals (--max-load), and what is said when one is passed. */
#pragma once
#include "run/run.h"

enum { THROTTLE_BYTES = 200 };

/* No limit of the user's: the signal's usual one holds. */
#define LOAD_LIMIT_UNSET (-1.0)
#define LOAD_LIMIT_OFF   1e300

/* "threads-running=50", "history-list=off" into limits[LOAD_SIGNALS_MAX]. ERR_USAGE naming the signals that
 * the engine has. */
Err *load_limit_parse(const EngineOps *ops, const char *text, double *limits) MUST_USE;
/* The first signal that is past its limit, as text into `ret_text` (THROTTLE_BYTES), and true. One that
 * cannot be read counts as passed; where the role may not read it only if the user has set its limit. */
bool load_limit_passed(const EngineOps *ops, const double *limits, const LoadSample *sample, char *ret_text);

/* Rounds of samples, one a second. */
typedef struct LoadWatch {
    LoadSample sample;
    char passed[THROTTLE_BYTES]; /* in the last round; "" */
} LoadWatch;
/* Asks the server when it is time, and gives what the last round said; "" where nothing is passed. */
Err *load_watch(Conn *conn, const Wait *wait, Arena *arena, const double *limits, LoadWatch *watch,
                char *ret_text) MUST_USE;
