/* lag.h — how far replicas are behind, and what is said when one is too far. */
#pragma once
#include "run/runner.h"
#include "run/signal.h"

enum {
    LAG_POSITIONS = 256, /* positions remembered to turn bytes of lag into time */
};

/* Where the log stood when; to tell how old the oldest byte is that a replica lacks. */
typedef struct LagPosition {
    int64_t at_ms, bytes;
} LagPosition;

typedef struct LagWatch {
    LagPosition positions[LAG_POSITIONS];
    size_t position_count;
    struct StandbyWatch *standbys; /* those given by URL (run/standby.h); NULL before the first round */
} LagWatch;

/* Asks the server behind `conn`, takes what replicas given by URL said last, and tells a signal "replica-lag"
 * for each of the fixed set (Runner.standbys), in seconds. One that is gone or hides its columns is missing.
 * What those given by URL say of their readers are the signals "standby-waiting" and "standby-ended". */
Err *lag_watch(Runner *runner, Conn *conn, Arena *arena, const Controls *controls, LagWatch *watch,
               Signals *signals) MUST_USE;
void lag_done(LagWatch *watch);
