/* sample.h — one round of all signals, and what comes of it. */
#pragma once
#include "run/lag.h"
#include "run/load_limit.h"
#include "run/outside.h"

typedef struct SampleWatch {
    LagWatch lag;
    LoadWatch load;
    OutsideWatch outside;
    Signals signals;
    double pace;                    /* rest for each second of work, for the sake of latency; 0: none */
    int64_t paced_ms;               /* when it was last thought over; 0: latency has no limit */
    Arena *names;                   /* of the change's tables; NULL before the first round */
    int64_t stored_ms;              /* when they were last put into the journal */
    char stored[SIGNAL_TEXT_BYTES]; /* what held the work then */
} SampleWatch;

/* Asks all signals, puts them into the journal every few seconds and whenever what holds the work is another
 * one, and writes the reason why the work must rest into `ret_throttle` (SIGNAL_TEXT_BYTES); "": none. */
Err *sample_round(Runner *runner, Conn *conn, Arena *arena, const Controls *controls, SampleWatch *watch,
                  char *ret_throttle) MUST_USE;
void sample_done(SampleWatch *watch);
