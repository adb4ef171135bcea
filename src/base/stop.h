/* stop.h — the stop token: how a signal, a watchdog or another thread wakes whoever blocks in poll().
 *
 * Level STOP_SOON asks to finish the chunk and checkpoint; STOP_NOW also cancels the running statement, and
 * is the only level that makes the descriptor readable. */
#pragma once
#include "base/err.h"

#include <stdatomic.h>

typedef enum StopLevel { STOP_NONE, STOP_SOON, STOP_NOW } StopLevel;

typedef struct Stop {
    _Atomic int level;
    _Atomic int signal_number; /* the signal that asked, 0 if none */
    int fd;                    /* eventfd; readable from STOP_NOW on */
} Stop;

Err *stop_init(Stop *stop) MUST_USE;
void stop_done(Stop *stop);
/* Raises the level (never lowers it). Async-signal-safe. */
void stop_raise(Stop *stop, StopLevel level, int signal_number);
StopLevel stop_level(const Stop *stop);
/* NULL, or ERR_STOPPED when the level is at least STOP_SOON. `stop` may be NULL. */
Err *stop_check(const Stop *stop) MUST_USE;
/* Sleeps up to `ms`, less when the level rises to STOP_SOON or more (noticed within 20 ms). */
void stop_sleep(const Stop *stop, int64_t ms);
