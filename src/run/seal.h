/* seal.h — seals over the event log (run/chain.h): who writes events seals them afterwards. Private to run/.
 */
#pragma once
#include "run/runner.h"

/* How far a process has looked; all zero at first. */
typedef struct SealWatch {
    int64_t from_id;  /* events up to here were looked at a while ago */
    int64_t whole_ms; /* when the whole log was looked at last */
    int64_t looked_ms;
    int64_t sealed_id;
} SealWatch;

/* Seals what is committed and has no seal, in the order of the events' numbers: in a transaction of its own,
 * without a lock that anybody waits for longer than its INSERT takes. Where another process seals the same
 * events at the same time, they are his. `watch` may be NULL: the whole log is looked at. */
Err *seal_events(Conn *conn, SealWatch *watch) MUST_USE;
/* The same, of the whole log; what could not be sealed now is sealed by the next who writes events. */
void seal_quietly(Conn *conn);
/* The same once a second, for a thread that comes by often. Errors are logged only: the next look makes up
 * for it. */
void seal_now_and_then(Conn *conn, SealWatch *watch);
