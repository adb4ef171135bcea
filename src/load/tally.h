/* tally.h — what happened to an application in a span of time: latencies and what went wrong. Plain data that
 * can be added up, so that one run can be reported by the second, by the span and as a whole. */
#pragma once
#include "load/hist.h"
#include "load/load.h"

struct LoadTally {
    Hist hist; /* every statement or transaction that ended, well or not */
    int64_t errors, expected_errors, deadlocks, connection_errors, unfinished;
    int64_t span_us;
    char first_error[300];
};

/* Keeps the first text only. */
void tally_note(LoadTally *tally, const char *text);
