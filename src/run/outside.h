/* outside.h — what users have looked at beside the server's own signals: a statement of theirs, a URL, a
 * file, what is free on the server's disks. */
#pragma once
#include "run/run.h"
#include "run/signal.h"

typedef struct OutsideWatch {
    int64_t at_ms; /* of the last round; 0: there was none */
    int asked;     /* what was asked in it */
    struct UrlProbe *probe;
} OutsideWatch;

/* Tells a signal for each check that is set. Statement and disk are asked on `conn`, once a second; the URL
 * is asked beside, and has 2 s. What cannot be asked is missing. */
Err *outside_watch(Conn *conn, const Wait *wait, Arena *arena, const Controls *controls, OutsideWatch *watch,
                   Signals *signals) MUST_USE;
void outside_done(OutsideWatch *watch);
