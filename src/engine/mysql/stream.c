/* The binary log as it grows, over raw packets of a session that asked for it as a replica would. */
#include "engine/mysql/stream.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/error.h"
#include "engine/mysql/gtid.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    COM_BINLOG_DUMP = 0x12,
    COM_BINLOG_DUMP_GTID = 0x1e,
    FLAG_THROUGH_GTID = 4, /* BINLOG_THROUGH_GTID */
    FIRST_POSITION = 4,    /* behind a log's magic bytes */
};

struct Stream {
    Conn *conn;
    Binlog *binlog;
    Flavor flavor;
    Arena *arena;
    bool is_fed; /* the decoder has not said yet that a packet is used up */
    bool in_transaction;
    bool is_single; /* MariaDB: the transaction at hand is one statement without a commit */
    char *file;     /* of what is read */
    uint64_t position;
    char *safe_file; /* behind the last whole transaction */
    uint64_t safe_position;
    GtidSet *gtids; /* NULL: not followed */
    char *gtid;     /* of the transaction at hand; NULL */
};

/* ---- asking for it ---------------------------------------------------------------------------------------
 */

static Err *check_log(const Flavor *flavor)
{
    if (!flavor->binlog)
        return err_new(ERR_UNSAFE, "the server writes no binary log (log_bin is OFF)");
    if (flavor->binlog_format != NULL && !str_eq(flavor->binlog_format, "ROW"))
        return err_hint(err_new(ERR_UNSAFE, "the binary log is not in ROW format (binlog_format is %s)",
                                flavor->binlog_format),
                        "SET GLOBAL binlog_format = 'ROW' (sessions take it over when they connect)");
    return NULL;
}

static Err *privilege_hint(Err *err, const Flavor *flavor)
{
    if (!err_is(err, ERR_PRIVILEGE))
        return err;
    return err_hint(err, "GRANT REPLICATION SLAVE, %s ON *.* TO this user",
                    flavor_is_mariadb(flavor) && flavor->version >= 100502 ? "BINLOG MONITOR"
                                                                           : "REPLICATION CLIENT");
}

/* What a replica says of itself. The checksum setting is the server's, so that events come as they are
 * stored; capability 4 lets MariaDB send its own event types as they are. */
static Err *introduce(Stream *stream, const Wait *wait, int64_t heartbeat_ms, uint32_t id)
{
    Conn *conn = stream->conn;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    TRY(my_exec(conn, wait,
                "SET @master_binlog_checksum = @@GLOBAL.binlog_checksum, @source_binlog_checksum = "
                "@@GLOBAL.binlog_checksum"));
    TRY(my_exec(
        conn, wait,
        arena_printf(arena, "SET @master_heartbeat_period = %" PRId64 ", @source_heartbeat_period = %" PRId64,
                     heartbeat_ms * 1000000, heartbeat_ms * 1000000)));
    TRY(my_exec(conn, wait, "SET SESSION net_write_timeout = 3600"));
    if (flavor_is_mariadb(&stream->flavor))
        return my_exec(conn, wait, "SET @mariadb_slave_capability = 4");
    /* MySQL ends an older dump of the same replica by its uuid. */
    return my_exec(
        conn, wait,
        arena_printf(arena,
                     "SET @slave_uuid = '53746f61-0000-4000-8000-%08x%04x', @replica_uuid = @slave_uuid", id,
                     id >> 16));
}

static void add_little(Str *bytes, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char byte = (char)(value >> (8 * i) & 0xff);
        str_addn(bytes, &byte, 1);
    }
}

static Err *dump_by_file(Stream *stream, const Wait *wait, uint32_t id)
{
    if (stream->position > UINT32_MAX)
        return err_new(ERR_UNSAFE,
                       "position %" PRIu64 " of \"%s\" is above 4 GB, where a replica cannot begin",
                       stream->position, stream->file);
    CLEANUP(str_donep) Str bytes = STR_INIT;
    add_little(&bytes, stream->position, 4);
    add_little(&bytes, 0, 2);
    add_little(&bytes, id, 4);
    str_add(&bytes, stream->file);
    return my_command(stream->conn, wait, COM_BINLOG_DUMP, bytes.buf, bytes.len);
}

static Err *dump_by_mysql_gtid(Stream *stream, const Wait *wait, uint32_t id)
{
    CLEANUP(str_donep) Str set = STR_INIT;
    CLEANUP(str_donep) Str bytes = STR_INIT;
    gtid_encode(stream->gtids, &set);
    add_little(&bytes, FLAG_THROUGH_GTID, 2);
    add_little(&bytes, id, 4);
    add_little(&bytes, 0, 4); /* no file name */
    add_little(&bytes, FIRST_POSITION, 8);
    add_little(&bytes, set.len, 4);
    str_addn(&bytes, set.buf, set.len);
    return my_command(stream->conn, wait, COM_BINLOG_DUMP_GTID, bytes.buf, bytes.len);
}

static Err *dump_by_mariadb_gtid(Stream *stream, const Wait *wait, uint32_t id)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *set = gtid_text(arena, stream->gtids);
    TRY(my_exec(stream->conn, wait,
                arena_printf(arena,
                             "SET @slave_connect_state = %s, @slave_gtid_strict_mode = 0, "
                             "@slave_gtid_ignore_duplicates = 0",
                             my_literal(stream->conn, arena, set))));
    return dump_by_file(stream, wait, id);
}

/* A position that is not given is the end of the log: transactions that end later are seen whole. */
static Err *find_end(Stream *stream, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_query(stream->conn, wait, arena, &rows,
                   flavor_can(&stream->flavor, FACT_SOURCE_WORDS) ? "SHOW BINARY LOG STATUS"
                                                                  : "SHOW MASTER STATUS"));
    if (rows.row_count == 0 || rows.col_count < 2)
        return err_new(ERR_UNSAFE, "the server does not tell where its binary log ends");
    stream->file = arena_dup(stream->arena, rows_cell(&rows, 0, 0));
    stream->position = (uint64_t)rows_int(&rows, 0, 1);
    return NULL;
}

static Err *find_start(Stream *stream, const Wait *wait, const StreamStart *start)
{
    bool is_mariadb = flavor_is_mariadb(&stream->flavor);
    if (start->gtid != NULL) {
        if (stream->flavor.gtid == GTID_OFF)
            return err_new(ERR_UNSAFE, "the server has no GTIDs (gtid_mode is OFF)");
        stream->gtids = gtid_new(is_mariadb);
        stream->position = FIRST_POSITION;
        return gtid_add(stream->gtids, start->gtid);
    }
    if (start->file == NULL)
        return find_end(stream, wait);
    stream->file = arena_dup(stream->arena, start->file);
    stream->position = start->position;
    return NULL;
}

static void mark_safe(Stream *stream)
{
    stream->safe_file = stream->file;
    stream->safe_position = stream->position;
}

static Err *begin(Stream *stream, const Wait *wait, const StreamStart *start, int64_t heartbeat_ms)
{
    /* A server ends the older of two replicas with one number; these are far from those that people choose.
     */
    uint32_t id = (uint32_t)clock_us();
    (void)!getrandom(&id, sizeof id, 0);
    id |= 0x80000000;
    TRY(check_log(&stream->flavor));
    TRY(find_start(stream, wait, start));
    TRY(introduce(stream, wait, heartbeat_ms, id));
    mark_safe(stream);
    if (stream->gtids == NULL)
        return dump_by_file(stream, wait, id);
    return flavor_is_mariadb(&stream->flavor) ? dump_by_mariadb_gtid(stream, wait, id)
                                              : dump_by_mysql_gtid(stream, wait, id);
}

Err *stream_open(const Target *target, const Wait *wait, const StreamStart *start, const BinlogTable *tables,
                 size_t table_count, int64_t heartbeat_ms, Stream **ret_stream)
{
    CLEANUP(my_closep) Conn *conn = NULL;
    TRY(my_connect(target, "stream", wait, &conn));
    Stream *stream = mem_zero(sizeof *stream);
    stream->arena = arena_new();
    stream->flavor = *my_flavor(conn);
    stream->flavor.text = arena_dup(stream->arena, stream->flavor.text);
    stream->conn = conn;
    stream->file = arena_dup(stream->arena, "");
    stream->binlog = binlog_new(tables, table_count);
    conn = NULL;
    Err *err = flavor_load(stream->conn, wait, stream->arena, &stream->flavor);
    if (err == NULL)
        err = begin(stream, wait, start, heartbeat_ms);
    if (err != NULL) {
        err = privilege_hint(err, &stream->flavor);
        stream_close(stream);
        return err;
    }
    *ret_stream = stream;
    return NULL;
}

void stream_close(Stream *stream)
{
    if (stream == NULL)
        return;
    my_closep(&stream->conn);
    binlog_free(stream->binlog);
    gtid_free(stream->gtids);
    free(stream->gtid);
    arena_free(stream->arena);
    free(stream);
}

const Flavor *stream_flavor(const Stream *stream) { return &stream->flavor; }

/* ---- reading ---------------------------------------------------------------------------------------------
 */

static void rotate(Stream *stream, const BinlogEvent *event)
{
    if (!str_eq(stream->file, event->file))
        stream->file = arena_dup(stream->arena, event->file);
    stream->position = event->position;
    if (!stream->in_transaction)
        mark_safe(stream);
}

static Err *transaction_end(Stream *stream)
{
    stream->in_transaction = stream->is_single = false;
    if (stream->gtids != NULL && stream->gtid != NULL)
        TRY(gtid_add(stream->gtids, stream->gtid));
    mem_freep(&stream->gtid);
    mark_safe(stream);
    return NULL;
}

static void transaction_begin(Stream *stream, const BinlogEvent *event)
{
    stream->in_transaction = true;
    stream->is_single = event->standalone;
    free(stream->gtid);
    stream->gtid = event->gtid == NULL ? NULL : mem_dup(event->gtid);
}

/* Positions in the log are of 32 bits, and one transaction may be larger. */
static void advance(Stream *stream, const BinlogEvent *event)
{
    if (event->end_position == 0 || event->kind == BINLOG_HEARTBEAT || event->kind == BINLOG_ROTATE)
        return;
    uint64_t wraps = stream->position >> 32;
    if (event->end_position < (uint32_t)stream->position && event->kind != BINLOG_FORMAT)
        wraps++;
    stream->position = wraps << 32 | event->end_position;
}

/* A statement that is not within BEGIN and COMMIT ends the transaction that its GTID, if any, began. Within
 * one it can only be what MariaDB logs for tables without transactions, and the COMMIT is still to come. */
static Err *follow(Stream *stream, const BinlogEvent *event, bool *ret_wanted)
{
    *ret_wanted = true;
    advance(stream, event);
    switch (event->kind) {
    case BINLOG_OTHER:
    case BINLOG_FORMAT:
        if (!stream->in_transaction && event->type != BINLOG_TYPE_TABLE_MAP)
            mark_safe(stream);
        *ret_wanted = false;
        return NULL;
    case BINLOG_ROTATE:
        rotate(stream, event);
        *ret_wanted = false;
        return NULL;
    case BINLOG_HEARTBEAT:
        if (!stream->in_transaction && event->position > stream->position &&
            str_eq(event->file, stream->file)) {
            stream->position = event->position;
            mark_safe(stream);
        }
        return NULL;
    case BINLOG_GTID:
        transaction_begin(stream, event);
        if (!flavor_is_mariadb(&stream->flavor))
            stream->is_single = true; /* until a BEGIN says otherwise */
        return NULL;
    case BINLOG_BEGIN:
        stream->in_transaction = true;
        stream->is_single = false;
        return NULL;
    case BINLOG_COMMIT:
        return transaction_end(stream);
    case BINLOG_STATEMENT:
        return !stream->in_transaction || stream->is_single ? transaction_end(stream) : NULL;
    case BINLOG_ROWS:
        stream->in_transaction = true;
        return NULL;
    }
    return NULL;
}

/* Feeds the decoder with the next packet. */
static Err *feed(Stream *stream, const Wait *wait, bool *ret_there)
{
    enum { OK_BYTE = 0x00, END_BYTE = 0xfe };
    const uint8_t *bytes;
    size_t len = 0;
    TRY(my_packet(stream->conn, wait, &bytes, &len));
    *ret_there = bytes != NULL;
    if (bytes == NULL)
        return NULL;
    if (len > 0 && len < 9 && bytes[0] == END_BYTE)
        return err_new(ERR_CONN_LOST, "the server has ended the binary log's stream");
    if (len < 1 || bytes[0] != OK_BYTE)
        return err_new(ERR_IO, "the binary log's stream has a packet that is none");
    binlog_feed(stream->binlog, bytes + 1, len - 1);
    stream->is_fed = true;
    return NULL;
}

Err *stream_next(Stream *stream, const Wait *wait, Arena *arena, BinlogEvent *ret_event, bool *ret_there)
{
    int64_t deadline_ms = wait != NULL && wait->timeout_ms > 0 ? clock_ms() + wait->timeout_ms : INT64_MAX;
    *ret_there = false;
    for (;;) {
        bool wanted = false, there = true;
        if (!stream->is_fed) {
            int64_t left = deadline_ms == INT64_MAX ? 0 : deadline_ms - clock_ms();
            Wait rest = {.stop = wait == NULL ? NULL : wait->stop,
                         .timeout_ms = deadline_ms == INT64_MAX ? 0
                                       : left < 1               ? 1
                                                                : left};
            TRY(privilege_hint(feed(stream, &rest, &there), &stream->flavor));
        }
        if (!there)
            return NULL;
        TRY(binlog_next(stream->binlog, arena, ret_event, &stream->is_fed));
        if (stream->is_fed)
            TRY(follow(stream, ret_event, &wanted));
        if (wanted) {
            *ret_there = true;
            return NULL;
        }
        if (clock_ms() >= deadline_ms)
            return NULL;
    }
}

StreamPosition stream_position(const Stream *stream, Arena *arena)
{
    return (StreamPosition){.file = arena_dup(arena, stream->safe_file),
                            .position = stream->safe_position,
                            .gtid = stream->gtids == NULL ? NULL : gtid_text(arena, stream->gtids)};
}
