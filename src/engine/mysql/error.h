/* error.h — what a server's error number means to us; one table. Pure. */
#pragma once
#include "base/err.h"

/* Numbers from 2000 to 2999 are the client library's. ERR_SQL for what is not in the table. */
ErrKind my_error_kind(unsigned number);

enum {
    MY_ER_TABLE_EXISTS = 1050,
    MY_ER_DUP_ENTRY = 1062,
    MY_ER_PARSE = 1064,
    MY_ER_CANNOT_CONVERT = 3854, /* a string, from utf8mb4 to utf8mb3 */
    MY_ER_NO_SUCH_THREAD = 1094,
    MY_ER_TABLE_NOT_LOCKED = 1100,
    MY_ER_LOCK_WAIT_TIMEOUT = 1205,
    MY_ER_LOCK_DEADLOCK = 1213,
    MY_ER_BINLOG_FATAL = 1236, /* the dump cannot go on: purged, or the position is wrong */
    MY_ER_QUERY_INTERRUPTED = 1317,
    MY_ER_TRIGGER_BODY = 1710,
    MY_ER_UNKNOWN_TRIGGER_BODY = 1711,
    MY_ER_LOCK_NOWAIT = 3572,
};
