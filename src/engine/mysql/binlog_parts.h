/* binlog_parts.h — what the files of the decoder share. */
#pragma once
#include "base/arena.h"
#include "engine/mysql/binlog.h"
#include "engine/mysql/bytes.h"

enum {
    BINLOG_HEADER = 19,
    BINLOG_CHECKSUM = 4,
    BINLOG_EVENT_MOST = 1 << 30, /* max_allowed_packet's own limit: 1 GB */
};

/* ---- values (binlog_value.c) -----------------------------------------------------------------------------
 */

/* Column types as they stand in a TABLE_MAP event (enum_field_types). */
enum {
    COLUMN_TINY = 1,
    COLUMN_SHORT = 2,
    COLUMN_LONG = 3,
    COLUMN_FLOAT = 4,
    COLUMN_DOUBLE = 5,
    COLUMN_NULL = 6,
    COLUMN_TIMESTAMP = 7,
    COLUMN_LONGLONG = 8,
    COLUMN_INT24 = 9,
    COLUMN_DATE = 10,
    COLUMN_TIME = 11,
    COLUMN_DATETIME = 12,
    COLUMN_YEAR = 13,
    COLUMN_NEWDATE = 14,
    COLUMN_VARCHAR = 15,
    COLUMN_BIT = 16,
    COLUMN_TIMESTAMP2 = 17,
    COLUMN_DATETIME2 = 18,
    COLUMN_TIME2 = 19,
    COLUMN_BLOB_COMPRESSED = 140,    /* MariaDB: a COMPRESSED column */
    COLUMN_VARCHAR_COMPRESSED = 141, /* MariaDB */
    COLUMN_VECTOR = 242,
    COLUMN_JSON = 245,
    COLUMN_NEWDECIMAL = 246,
    COLUMN_ENUM = 247,
    COLUMN_SET = 248,
    COLUMN_TINY_BLOB = 249,
    COLUMN_MEDIUM_BLOB = 250,
    COLUMN_LONG_BLOB = 251,
    COLUMN_BLOB = 252,
    COLUMN_VAR_STRING = 253,
    COLUMN_STRING = 254,
    COLUMN_GEOMETRY = 255,
};

/* `meta` by type: bytes of a length prefix, most bytes of a string, decimals of a time, bits of a BIT, bytes
 * of an ENUM or SET, precision << 8 | scale. */
typedef struct BinlogType {
    uint8_t type;
    uint32_t meta;
} BinlogType;

/* Reads what stands in the metadata block for a column of the type; false for a type that is not known. */
bool binlog_type_read(uint8_t type, Bytes *meta, BinlogType *ret_type);
bool binlog_type_is_integer(const BinlogType *type);
/* Types that have a bit in the optional metadata's signedness block; ret_sure is false where servers differ.
 */
bool binlog_type_has_sign(const BinlogType *type, bool *ret_sure);
/* Takes one value out of a row image; strings come without their length. NULL when the row ends before. */
const uint8_t *binlog_value_take(const BinlogType *type, Bytes *row, size_t *ret_len);
/* The value as an SQL literal in `arena`. ERR_UNSAFE for a type that cannot be a key here, ERR_IO for bytes
 * that are no value of the type. `where` is `table "s.t"`. */
Err *binlog_value_literal(Arena *arena, const BinlogType *type, const BinlogColumn *column,
                          const uint8_t *from, size_t len, const char *where,
                          const char **ret_literal) MUST_USE;

/* ---- tables and rows (binlog_rows.c) ---------------------------------------------------------------------
 */

/* A table as the log numbers it until the statement's last rows event. */
typedef struct BinlogMap {
    uint64_t id;
    const BinlogTable *table; /* NULL: not watched */
    size_t column_count;
    BinlogType *columns; /* heap; NULL where it is not watched */
} BinlogMap;

typedef struct BinlogMaps {
    BinlogMap *items; /* heap */
    size_t count, cap;
} BinlogMaps;

void binlog_maps_clear(BinlogMaps *maps);
void binlog_maps_done(BinlogMaps *maps);
Err *binlog_map_read(BinlogMaps *maps, const BinlogTable *tables, size_t table_count, bool is_mariadb,
                     Bytes body) MUST_USE;
/* `type` is one of the rows events, compressed ones and PARTIAL_UPDATE_ROWS included. Not a watched table's:
 * ret_event->kind stays BINLOG_OTHER. */
Err *binlog_rows_read(BinlogMaps *maps, unsigned type, Bytes body, Arena *arena,
                      BinlogEvent *ret_event) MUST_USE;
bool binlog_table_named(const BinlogTable *table, const char *schema, size_t schema_len, const char *name,
                        size_t name_len);

/* ---- statements and transactions' names (binlog_text.c) --------------------------------------------------
 */

/* Decides kind, schema, statement and mentions of a QUERY event. */
Err *binlog_query_read(const BinlogTable *tables, size_t table_count, bool is_compressed, Bytes body,
                       Arena *arena, BinlogEvent *ret_event) MUST_USE;
Err *binlog_gtid_read(unsigned type, Bytes body, Arena *arena, BinlogEvent *ret_event) MUST_USE;
Err *binlog_rotate_read(Bytes body, Arena *arena, BinlogEvent *ret_event) MUST_USE;
Err *binlog_heartbeat_read(unsigned type, Bytes body, Arena *arena, BinlogEvent *ret_event) MUST_USE;

/* ---- compression (binlog_zip.c) --------------------------------------------------------------------------
 */

/* What MariaDB's log_bin_compress made: a byte of algorithm and length bytes, the length, zlib's stream. */
Err *binlog_inflate(Bytes body, Arena *arena, Bytes *ret_plain) MUST_USE;

/* A TRANSACTION_PAYLOAD under way: its events come out one by one, so that memory is that of the largest. */
typedef struct BinlogPayload BinlogPayload;
Err *binlog_payload_open(Bytes body, BinlogPayload **ret_payload) MUST_USE;
void binlog_payload_close(BinlogPayload *payload);
/* The next event's bytes, header included, valid until the next call; ret_event->at is NULL at the end. */
Err *binlog_payload_next(BinlogPayload *payload, Bytes *ret_event) MUST_USE;
