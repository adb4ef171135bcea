/* canary.h — a point read of ours, ten times a second over a connection and a thread of its own, timed
 * against what it took before the work began: the application's latency where nothing counts its statements.
 */
#pragma once
#include "run/runner.h"

typedef struct CanarySeen {
    bool known;
    double ratio;   /* of the last seconds, to before */
    char text[200]; /* the table it reads; or why nothing is known */
} CanarySeen;

typedef struct CanaryWatch CanaryWatch;

/* Reads the first table of the plan that has a primary key. Until it knows what is usual, which takes a
 * second or two, nothing is known, which holds the work back. */
Err *canary_start(const Runner *runner, CanaryWatch **ret_watch) MUST_USE;
CanarySeen canary_seen(CanaryWatch *watch);
/* NULL is fine. */
void canary_free(CanaryWatch *watch);
