/* stream.h — the binary log as it grows: changed keys of watched tables, and a position that only moves where
 * a transaction has ended. */
#pragma once
#include "engine/engine.h"
#include "engine/mysql/binlog.h"
#include "engine/mysql/flavor.h"

typedef struct StreamStart {
    const char *gtid; /* a GTID set, "" for the log's beginning; NULL: by file and position */
    const char *file; /* NULL (with gtid NULL): from now on */
    uint64_t position;
} StreamStart;

typedef struct StreamPosition {
    const char *file; /* "" before the first event */
    uint64_t position;
    const char
        *gtid; /* all transactions up to here; NULL where the server has none, or they were not followed */
} StreamPosition;

typedef struct Stream Stream;

/* Opens a session of its own (REPLICATION SLAVE is needed; a start from now on asks for REPLICATION CLIENT,
 * on MariaDB BINLOG MONITOR, too). `tables` must outlive the stream. The server sends a heartbeat each
 * `heartbeat_ms` without traffic. Errors: those of my_connect; ERR_PRIVILEGE with the GRANT; ERR_UNSAFE where
 * the log is off, not in ROW format, or was begun in a way that cannot be followed; server number 1236 where
 * the position is purged or wrong, which shows at the first stream_next. */
Err *stream_open(const Target *target, const Wait *wait, const StreamStart *start, const BinlogTable *tables,
                 size_t table_count, int64_t heartbeat_ms, Stream **ret_stream) MUST_USE;
void stream_close(Stream *stream);

/* The next event of interest, in `arena`; ret_there is false when none came within wait->timeout_ms (0: no
 * limit). Never BINLOG_OTHER, BINLOG_FORMAT or BINLOG_ROTATE. After an error but ERR_STOPPED between two
 * events the stream is of no more use; a new one goes on at stream_position. */
Err *stream_next(Stream *stream, const Wait *wait, Arena *arena, BinlogEvent *ret_event,
                 bool *ret_there) MUST_USE;
/* Behind the last transaction that was handed out whole; in `arena`. */
StreamPosition stream_position(const Stream *stream, Arena *arena);
const Flavor *stream_flavor(const Stream *stream);

static inline void stream_closep(Stream **stream)
{
    stream_close(*stream);
    *stream = NULL;
}
