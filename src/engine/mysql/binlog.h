/* binlog.h — a decoder of binary log events over bytes: which keys of which rows changed, and where
 * transactions end. Pure: no connection, no clock.
 *
 * Of a row image only the values of the key columns are taken; everything else is skipped by its type. What
 * is not understood is an error that names the event and, where there is one, the table; nothing is skipped
 * in silence but what is known to change no row.
 *
 * Sources: MySQL's "Binary Log Event" internals documentation (libbinlogevents), MariaDB's replication
 * protocol documentation ("2-Binlog Event Header" and what follows), and streams captured from MariaDB 10.11
 * and 11.8, MySQL 5.6 and 9.7, which the unit tests replay. */
#pragma once
#include "base/arena.h"

/* Event types by number. From 160 on they are MariaDB's. */
enum {
    BINLOG_TYPE_QUERY = 2,
    BINLOG_TYPE_STOP = 3,
    BINLOG_TYPE_ROTATE = 4,
    BINLOG_TYPE_INTVAR = 5,
    BINLOG_TYPE_APPEND_BLOCK = 9,
    BINLOG_TYPE_DELETE_FILE = 11,
    BINLOG_TYPE_RAND = 13,
    BINLOG_TYPE_USER_VAR = 14,
    BINLOG_TYPE_FORMAT_DESCRIPTION = 15,
    BINLOG_TYPE_XID = 16,
    BINLOG_TYPE_BEGIN_LOAD_QUERY = 17,
    BINLOG_TYPE_EXECUTE_LOAD_QUERY = 18,
    BINLOG_TYPE_TABLE_MAP = 19,
    BINLOG_TYPE_WRITE_ROWS_V1 = 23,
    BINLOG_TYPE_UPDATE_ROWS_V1 = 24,
    BINLOG_TYPE_DELETE_ROWS_V1 = 25,
    BINLOG_TYPE_INCIDENT = 26,
    BINLOG_TYPE_HEARTBEAT = 27,
    BINLOG_TYPE_IGNORABLE = 28,
    BINLOG_TYPE_ROWS_QUERY = 29,
    BINLOG_TYPE_WRITE_ROWS = 30,
    BINLOG_TYPE_UPDATE_ROWS = 31,
    BINLOG_TYPE_DELETE_ROWS = 32,
    BINLOG_TYPE_GTID = 33,
    BINLOG_TYPE_ANONYMOUS_GTID = 34,
    BINLOG_TYPE_PREVIOUS_GTIDS = 35,
    BINLOG_TYPE_TRANSACTION_CONTEXT = 36,
    BINLOG_TYPE_VIEW_CHANGE = 37,
    BINLOG_TYPE_XA_PREPARE = 38,
    BINLOG_TYPE_PARTIAL_UPDATE_ROWS = 39,
    BINLOG_TYPE_TRANSACTION_PAYLOAD = 40,
    BINLOG_TYPE_HEARTBEAT_V2 = 41,
    BINLOG_TYPE_GTID_TAGGED = 42,
    BINLOG_TYPE_ANNOTATE_ROWS = 160,
    BINLOG_TYPE_BINLOG_CHECKPOINT = 161,
    BINLOG_TYPE_MARIADB_GTID = 162,
    BINLOG_TYPE_GTID_LIST = 163,
    BINLOG_TYPE_START_ENCRYPTION = 164,
    BINLOG_TYPE_QUERY_COMPRESSED = 165,
    BINLOG_TYPE_WRITE_ROWS_COMPRESSED_V1 = 166,
    BINLOG_TYPE_UPDATE_ROWS_COMPRESSED_V1 = 167,
    BINLOG_TYPE_DELETE_ROWS_COMPRESSED_V1 = 168,
    BINLOG_TYPE_WRITE_ROWS_COMPRESSED = 169,
    BINLOG_TYPE_UPDATE_ROWS_COMPRESSED = 170,
    BINLOG_TYPE_DELETE_ROWS_COMPRESSED = 171,
};
/* "UPDATE_ROWS" …; "event type 77" for what has no name here; in static memory or in `arena`. */
const char *binlog_type_name(Arena *arena, unsigned type);

/* A column of a watched table's key, as information_schema knows it: the stream itself tells neither
 * signedness nor character set on every server. */
typedef struct BinlogColumn {
    const char *name;
    size_t ordinal; /* from 0, over all columns of the table */
    bool is_unsigned;
    const char *charset; /* "utf8mb4", "binary"; NULL where the type has none */
} BinlogColumn;

typedef struct BinlogTable {
    const char *schema, *name;
    size_t column_count; /* of the whole table */
    const BinlogColumn *key;
    size_t key_count;
    bool any_case; /* the server compares table names without case (lower_case_table_names 1 or 2) */
} BinlogTable;

typedef enum BinlogKind {
    BINLOG_OTHER,     /* understood; says nothing about rows or positions */
    BINLOG_FORMAT,    /* a log's head: the decoder follows its checksums */
    BINLOG_ROTATE,    /* `file` and `position`: where the stream goes on */
    BINLOG_HEARTBEAT, /* nothing to send: `file`, and `position` up to which all was sent */
    BINLOG_GTID,      /* a transaction begins; `gtid`, NULL where it is anonymous */
    BINLOG_BEGIN,
    BINLOG_COMMIT,    /* the transaction ends: committed, rolled back as far as it could, or prepared (XA) */
    BINLOG_STATEMENT, /* a statement that commits by itself: DDL, and what a session in statement format wrote
                         to other tables */
    BINLOG_ROWS,      /* changes of one watched table */
} BinlogKind;

typedef enum BinlogVerb { BINLOG_WRITE, BINLOG_UPDATE, BINLOG_DELETE } BinlogVerb;

/* Keys of one changed row as SQL literals in the order of BinlogTable.key; a literal is the same text exactly
 * when the stored value is the same. `before` is NULL for BINLOG_WRITE, `after` for BINLOG_DELETE. */
typedef struct BinlogChange {
    const char *const *before;
    const char *const *after;
} BinlogChange;

typedef struct BinlogEvent {
    BinlogKind kind;
    unsigned type;
    uint32_t timestamp, server_id;
    uint32_t end_position; /* in the log file; 0 for what the server made up */
    const char *file;
    uint64_t position;
    const char *gtid;   /* "uuid:17", "uuid:tag:17", "0-1-17" */
    bool standalone;    /* BINLOG_GTID of MariaDB: one statement follows, and no commit */
    const char *schema; /* BINLOG_STATEMENT: the default database */
    const char *statement;
    bool mentions; /* BINLOG_STATEMENT: the text holds the name of a watched table, or may */
    bool unlogged; /* BINLOG_STATEMENT: it changed rows that no event tells: of other tables, unless a
                      trigger, a view or a function leads from them to a watched one */
    const BinlogTable *table;
    BinlogVerb verb;
    const BinlogChange *changes;
    size_t change_count;
} BinlogEvent;

/* Whether the text holds the name as a whole word, in any case; true where that cannot be told (the name may
 * be written otherwise: quotes in it, other characters than ASCII). */
bool binlog_text_names(const char *text, const char *name);

typedef struct Binlog Binlog;
/* `tables` must outlive the decoder. */
Binlog *binlog_new(const BinlogTable *tables, size_t count) __attribute__((returns_nonnull));
void binlog_free(Binlog *binlog);
/* Hands over one event as the server sent it, without the packet's first byte. The bytes must stay until
 * binlog_next has said that there is no more of it. */
void binlog_feed(Binlog *binlog, const uint8_t *bytes, size_t len);
/* The next event out of what was fed; most feeds hold one, a compressed transaction many. `ret_event` lives
 * in `arena`. After an error the decoder is of no more use. Errors: ERR_IO for damaged bytes and wrong
 * checksums, ERR_UNSAFE for what is not supported. */
Err *binlog_next(Binlog *binlog, Arena *arena, BinlogEvent *ret_event, bool *ret_more) MUST_USE;

static inline void binlog_freep(Binlog **binlog)
{
    binlog_free(*binlog);
    *binlog = NULL;
}
