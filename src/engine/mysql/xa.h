/* xa.h — transactions that are prepared (XA) and neither committed nor rolled back: their rows stand in the
 * binary log, or in a key log, from before, and become true at any time. */
#pragma once
#include "engine/engine.h"

typedef struct XaList {
    const char **names; /* each once */
    size_t count;
} XaList;

/* Those that are prepared now. MySQL 8.0 lists them to who has XA_RECOVER_ADMIN only; for others these are
 * the transactions without a session and, with `open`, all that have changed rows: PROCESS is needed then.
 * ERR_PRIVILEGE with the grant. Texts in `arena`. */
Err *xa_list(Conn *conn, const Wait *wait, Arena *arena, bool open, XaList *ret_list) MUST_USE;
/* Waits until those that are prepared now are none any more. ERR_LOCK_TIMEOUT naming one where that takes
 * longer than the wait's time, or than two seconds. */
Err *xa_outlast(Conn *conn, const Wait *wait) MUST_USE;
