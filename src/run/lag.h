/* lag.h — how far replicas are behind, and what is said when one is too far. */
#pragma once
#include "run/runner.h"
#include "run/signal.h"

enum {
    CONTROL_TIMEOUT_MS = 3000, /* of the control thread's statements */
    LAG_POSITIONS = 256,       /* positions remembered to turn bytes of lag into time */
};

/* Where the log stood when; to tell how old the oldest byte is that a replica lacks. */
typedef struct LagPosition {
    int64_t at_ms, bytes;
} LagPosition;

typedef struct LagWatch {
    LagPosition positions[LAG_POSITIONS];
    size_t position_count;
} LagWatch;

/* Asks the server behind `conn`, and replicas given by URL over Runner.replica_conns, and tells a signal
 * "replica-lag" for each of the fixed set (Runner.standbys), in seconds. One that is gone or hides its
 * columns is missing. */
Err *lag_watch(Runner *runner, Conn *conn, Arena *arena, int64_t max_lag_ms, LagWatch *watch,
               Signals *signals) MUST_USE;
