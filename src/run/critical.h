/* critical.h — what is done past a critical limit (--critical-load). Work that goes on piece by piece is
 * paused until somebody resumes it. A statement of the server that cannot be slowed is ended, what it left is
 * cleared, and it is begun again by itself once that is over, so often as --critical-retries allows; then it
 * is paused, too. */
#pragma once
#include "run/runner.h"
#include "run/signal.h"

enum {
    CRITICAL_RETRIES = 3,
    CRITICAL_REST_LEAST_MS = 10000,  /* rests at least so long; and as long as the statement had run … */
    CRITICAL_REST_MOST_MS = 3600000, /* … but no longer than this */
};

typedef struct CriticalWatch {
    int step;         /* whose statement was ended last */
    int64_t count;    /* so often, since somebody resumed the change or this process began */
    int64_t until_ms; /* rests until then, and until the signal is well below its limit; 0: it does not */
    Signal past;      /* as it was when the statement was ended */
    char text[SIGNAL_TEXT_BYTES]; /* what is said meanwhile */
} CriticalWatch;

/* How long to rest after a statement that had run for so long. Pure. */
int64_t critical_rest_ms(int64_t ran_ms);
/* Whether the work that was ended may begin again: the signal was read, and is at or below SIGNAL_RELEASE of
 * what was critical. Pure. */
bool critical_is_over(const CriticalWatch *watch, const Signals *signals, int64_t now_ms);

/* After a round of samples: *ret_end tells that the statement under way is to be ended, once `throttle`
 * (SIGNAL_TEXT_BYTES), which says what holds the work, is published. Both ways stand in the journal as an
 * event "alarm". */
Err *critical_look(Runner *runner, Conn *conn, const Controls *controls, const Signals *signals,
                   CriticalWatch *watch, char *throttle, bool *ret_end) MUST_USE;
