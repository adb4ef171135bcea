/* Events one by one: header, checksum, and who reads the rest. */
#include "engine/mysql/binlog.h"

#include "base/str.h"
#include "engine/mysql/binlog_parts.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct Binlog {
    const BinlogTable *tables;
    size_t table_count;
    Bytes fed;
    bool has_fed;
    bool has_format; /* a FORMAT_DESCRIPTION was seen */
    bool has_checksums;
    bool is_mariadb;
    BinlogMaps maps;
    BinlogPayload *payload; /* a compressed transaction under way; NULL */
    uint32_t payload_end;
};

static const struct {
    unsigned type;
    const char *name;
} type_names[] = {
    {BINLOG_TYPE_QUERY, "QUERY"},
    {BINLOG_TYPE_STOP, "STOP"},
    {BINLOG_TYPE_ROTATE, "ROTATE"},
    {BINLOG_TYPE_INTVAR, "INTVAR"},
    {BINLOG_TYPE_APPEND_BLOCK, "APPEND_BLOCK"},
    {BINLOG_TYPE_DELETE_FILE, "DELETE_FILE"},
    {BINLOG_TYPE_RAND, "RAND"},
    {BINLOG_TYPE_USER_VAR, "USER_VAR"},
    {BINLOG_TYPE_FORMAT_DESCRIPTION, "FORMAT_DESCRIPTION"},
    {BINLOG_TYPE_XID, "XID"},
    {BINLOG_TYPE_BEGIN_LOAD_QUERY, "BEGIN_LOAD_QUERY"},
    {BINLOG_TYPE_EXECUTE_LOAD_QUERY, "EXECUTE_LOAD_QUERY"},
    {BINLOG_TYPE_TABLE_MAP, "TABLE_MAP"},
    {BINLOG_TYPE_WRITE_ROWS_V1, "WRITE_ROWS_V1"},
    {BINLOG_TYPE_UPDATE_ROWS_V1, "UPDATE_ROWS_V1"},
    {BINLOG_TYPE_DELETE_ROWS_V1, "DELETE_ROWS_V1"},
    {BINLOG_TYPE_INCIDENT, "INCIDENT"},
    {BINLOG_TYPE_HEARTBEAT, "HEARTBEAT"},
    {BINLOG_TYPE_IGNORABLE, "IGNORABLE"},
    {BINLOG_TYPE_ROWS_QUERY, "ROWS_QUERY"},
    {BINLOG_TYPE_WRITE_ROWS, "WRITE_ROWS"},
    {BINLOG_TYPE_UPDATE_ROWS, "UPDATE_ROWS"},
    {BINLOG_TYPE_DELETE_ROWS, "DELETE_ROWS"},
    {BINLOG_TYPE_GTID, "GTID"},
    {BINLOG_TYPE_ANONYMOUS_GTID, "ANONYMOUS_GTID"},
    {BINLOG_TYPE_PREVIOUS_GTIDS, "PREVIOUS_GTIDS"},
    {BINLOG_TYPE_TRANSACTION_CONTEXT, "TRANSACTION_CONTEXT"},
    {BINLOG_TYPE_VIEW_CHANGE, "VIEW_CHANGE"},
    {BINLOG_TYPE_XA_PREPARE, "XA_PREPARE"},
    {BINLOG_TYPE_PARTIAL_UPDATE_ROWS, "PARTIAL_UPDATE_ROWS"},
    {BINLOG_TYPE_TRANSACTION_PAYLOAD, "TRANSACTION_PAYLOAD"},
    {BINLOG_TYPE_HEARTBEAT_V2, "HEARTBEAT_V2"},
    {BINLOG_TYPE_GTID_TAGGED, "GTID_TAGGED"},
    {BINLOG_TYPE_ANNOTATE_ROWS, "ANNOTATE_ROWS"},
    {BINLOG_TYPE_BINLOG_CHECKPOINT, "BINLOG_CHECKPOINT"},
    {BINLOG_TYPE_MARIADB_GTID, "GTID"},
    {BINLOG_TYPE_GTID_LIST, "GTID_LIST"},
    {BINLOG_TYPE_START_ENCRYPTION, "START_ENCRYPTION"},
    {BINLOG_TYPE_QUERY_COMPRESSED, "QUERY_COMPRESSED"},
    {BINLOG_TYPE_WRITE_ROWS_COMPRESSED_V1, "WRITE_ROWS_COMPRESSED_V1"},
    {BINLOG_TYPE_UPDATE_ROWS_COMPRESSED_V1, "UPDATE_ROWS_COMPRESSED_V1"},
    {BINLOG_TYPE_DELETE_ROWS_COMPRESSED_V1, "DELETE_ROWS_COMPRESSED_V1"},
    {BINLOG_TYPE_WRITE_ROWS_COMPRESSED, "WRITE_ROWS_COMPRESSED"},
    {BINLOG_TYPE_UPDATE_ROWS_COMPRESSED, "UPDATE_ROWS_COMPRESSED"},
    {BINLOG_TYPE_DELETE_ROWS_COMPRESSED, "DELETE_ROWS_COMPRESSED"},
};

const char *binlog_type_name(Arena *arena, unsigned type)
{
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
        if (type_names[i].type == type)
            return type_names[i].name;
    return arena_printf(arena, "event type %u", type);
}

Binlog *binlog_new(const BinlogTable *tables, size_t count)
{
    Binlog *binlog = mem_zero(sizeof *binlog);
    binlog->tables = tables;
    binlog->table_count = count;
    return binlog;
}

void binlog_free(Binlog *binlog)
{
    if (binlog == NULL)
        return;
    binlog_payload_close(binlog->payload);
    binlog_maps_done(&binlog->maps);
    free(binlog);
}

void binlog_feed(Binlog *binlog, const uint8_t *bytes, size_t len)
{
    binlog->fed = bytes_of(bytes, len);
    binlog->has_fed = true;
}

/* ---- checksums -------------------------------------------------------------------------------------------
 */

static bool checksum_holds(Bytes event, bool is_format)
{
    size_t len = bytes_left(&event) - BINLOG_CHECKSUM;
    enum { FLAGS_AT = 17, IN_USE = 1 };
    uint8_t head[BINLOG_HEADER];
    memcpy(head, event.at, sizeof head);
    if (is_format) /* the log that is being written is marked after the sum was taken */
        head[FLAGS_AT] &= (uint8_t)~IN_USE;
    uLong sum = crc32(crc32(0, head, sizeof head), event.at + BINLOG_HEADER, (uInt)(len - BINLOG_HEADER));
    Bytes tail = bytes_of(event.at + len, BINLOG_CHECKSUM);
    return sum == bytes_little(&tail, BINLOG_CHECKSUM);
}

static Err *checksum_error(Arena *arena, const BinlogEvent *event)
{
    return err_new(ERR_IO, "the binary log is damaged: wrong checksum of %s that ends at %u",
                   binlog_type_name(arena, event->type), event->end_position);
}

/* Cuts the checksum off the body. A ROTATE that the server made up comes before the log's head, so it is not
 * known yet whether it has one: it has where the sum is right. */
static Err *check_sum(const Binlog *binlog, Bytes event, Arena *arena, const BinlogEvent *head, Bytes *body)
{
    if (bytes_left(body) < BINLOG_CHECKSUM)
        return binlog->has_checksums ? checksum_error(arena, head) : NULL;
    bool is_made_up = head->type == BINLOG_TYPE_ROTATE && head->end_position == 0;
    if (!binlog->has_checksums && !is_made_up)
        return NULL;
    bool holds = checksum_holds(event, false);
    if (!holds && !is_made_up)
        return checksum_error(arena, head);
    if (holds)
        body->end -= BINLOG_CHECKSUM;
    return NULL;
}

/* ---- the log's head --------------------------------------------------------------------------------------
 */

/* Lengths of the fixed heads that this decoder relies on. */
static bool heads_fit(const uint8_t *lengths, size_t count)
{
    static const struct {
        unsigned type;
        uint8_t len;
    } known[] = {
        {BINLOG_TYPE_QUERY, 13},        {BINLOG_TYPE_ROTATE, 8},         {BINLOG_TYPE_TABLE_MAP, 8},
        {BINLOG_TYPE_WRITE_ROWS_V1, 8}, {BINLOG_TYPE_UPDATE_ROWS_V1, 8}, {BINLOG_TYPE_DELETE_ROWS_V1, 8},
        {BINLOG_TYPE_WRITE_ROWS, 10},   {BINLOG_TYPE_UPDATE_ROWS, 10},   {BINLOG_TYPE_DELETE_ROWS, 10},
    };
    if (count < BINLOG_TYPE_DELETE_ROWS_V1)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].type <= count && lengths[known[i].type - 1] != known[i].len &&
            lengths[known[i].type - 1] != 0)
            return false;
    return true;
}

/* The last five bytes of a head are always the algorithm and a checksum, whether checksums are on or not
 * (Format_description_event; servers from 5.6 and MariaDB 5.3 on). */
static Err *read_format(Binlog *binlog, Bytes event, Bytes body, Arena *arena, BinlogEvent *head)
{
    enum { VERSION_BYTES = 50, ALGORITHM_NONE = 0, ALGORITHM_CRC32 = 1 };
    uint64_t version = bytes_little(&body, 2);
    const uint8_t *server = bytes_take(&body, VERSION_BYTES);
    (void)bytes_little(&body, 4);
    uint64_t header_len = bytes_little(&body, 1);
    if (body.bad || version != 4 || header_len != BINLOG_HEADER || bytes_left(&body) < 1 + BINLOG_CHECKSUM)
        return err_new(ERR_UNSAFE, "the binary log's format is not version 4, or has no checksum field");
    body.end -= BINLOG_CHECKSUM + 1;
    uint8_t algorithm = *body.end;
    if (!heads_fit(body.at, bytes_left(&body)))
        return err_new(ERR_UNSAFE, "the binary log's events have heads that are not known");
    if (algorithm != ALGORITHM_NONE && algorithm != ALGORITHM_CRC32)
        return err_new(ERR_UNSAFE, "the binary log has checksums of algorithm %u, which is not known",
                       algorithm);
    binlog->has_checksums = algorithm == ALGORITHM_CRC32;
    if (binlog->has_checksums && !checksum_holds(event, true))
        return checksum_error(arena, head);
    char name[VERSION_BYTES + 1] = {0};
    memcpy(name, server, VERSION_BYTES);
    binlog->is_mariadb = strstr(name, "MariaDB") != NULL;
    binlog->has_format = true;
    binlog_maps_clear(&binlog->maps);
    head->kind = BINLOG_FORMAT;
    return NULL;
}

/* ---- one event -------------------------------------------------------------------------------------------
 */

static Err *refuse(Arena *arena, unsigned type)
{
    const char *name = binlog_type_name(arena, type);
    if (type == BINLOG_TYPE_INCIDENT)
        return err_new(ERR_GONE, "the binary log says that changes are missing from it (INCIDENT)");
    if (type == BINLOG_TYPE_EXECUTE_LOAD_QUERY)
        return err_hint(err_new(ERR_UNSAFE,
                                "a LOAD DATA was written in statement format, so its rows are not in the "
                                "binary log"),
                        "binlog_format must be ROW in every session that writes");
    return err_new(ERR_UNSAFE, "the binary log has an event that is not supported: %s", name);
}

/* Known to change no row and to end no transaction; or to go with a statement that is refused itself. */
static bool says_nothing(unsigned type)
{
    switch (type) {
    case BINLOG_TYPE_STOP:
    case BINLOG_TYPE_INTVAR:
    case BINLOG_TYPE_RAND:
    case BINLOG_TYPE_USER_VAR:
    case BINLOG_TYPE_APPEND_BLOCK:
    case BINLOG_TYPE_DELETE_FILE:
    case BINLOG_TYPE_BEGIN_LOAD_QUERY:
    case BINLOG_TYPE_IGNORABLE:
    case BINLOG_TYPE_ROWS_QUERY:
    case BINLOG_TYPE_PREVIOUS_GTIDS:
    case BINLOG_TYPE_TRANSACTION_CONTEXT:
    case BINLOG_TYPE_VIEW_CHANGE:
    case BINLOG_TYPE_ANNOTATE_ROWS:
    case BINLOG_TYPE_BINLOG_CHECKPOINT:
    case BINLOG_TYPE_GTID_LIST:
    case BINLOG_TYPE_START_ENCRYPTION:
        return true;
    default:
        return false;
    }
}

static Err *read_body(Binlog *binlog, Bytes body, Arena *arena, BinlogEvent *event)
{
    switch (event->type) {
    case BINLOG_TYPE_ROTATE:
        binlog_maps_clear(&binlog->maps);
        return binlog_rotate_read(body, arena, event);
    case BINLOG_TYPE_HEARTBEAT:
    case BINLOG_TYPE_HEARTBEAT_V2:
        return binlog_heartbeat_read(event->type, body, arena, event);
    case BINLOG_TYPE_QUERY:
    case BINLOG_TYPE_QUERY_COMPRESSED:
        return binlog_query_read(binlog->tables, binlog->table_count,
                                 event->type == BINLOG_TYPE_QUERY_COMPRESSED, body, arena, event);
    case BINLOG_TYPE_XID:
    case BINLOG_TYPE_XA_PREPARE:
        binlog_maps_clear(&binlog->maps);
        event->kind = BINLOG_COMMIT;
        return NULL;
    case BINLOG_TYPE_GTID:
    case BINLOG_TYPE_ANONYMOUS_GTID:
    case BINLOG_TYPE_GTID_TAGGED:
    case BINLOG_TYPE_MARIADB_GTID:
        return binlog_gtid_read(event->type, body, arena, event);
    case BINLOG_TYPE_TABLE_MAP:
        return binlog_map_read(&binlog->maps, binlog->tables, binlog->table_count, binlog->is_mariadb, body);
    case BINLOG_TYPE_TRANSACTION_PAYLOAD:
        if (binlog->payload != NULL)
            return err_new(ERR_IO, "the binary log is damaged: TRANSACTION_PAYLOAD within another");
        binlog->payload_end = event->end_position;
        return binlog_payload_open(body, &binlog->payload);
    case BINLOG_TYPE_PARTIAL_UPDATE_ROWS:
        return binlog_rows_read(&binlog->maps, event->type, body, arena, event);
    default:
        break;
    }
    if ((event->type >= BINLOG_TYPE_WRITE_ROWS_V1 && event->type <= BINLOG_TYPE_DELETE_ROWS_V1) ||
        (event->type >= BINLOG_TYPE_WRITE_ROWS && event->type <= BINLOG_TYPE_DELETE_ROWS) ||
        (event->type >= BINLOG_TYPE_WRITE_ROWS_COMPRESSED_V1 &&
         event->type <= BINLOG_TYPE_DELETE_ROWS_COMPRESSED))
        return binlog_rows_read(&binlog->maps, event->type, body, arena, event);
    return says_nothing(event->type) ? NULL : refuse(arena, event->type);
}

static Err *read_header(Bytes bytes, Bytes *ret_body, BinlogEvent *ret_event)
{
    size_t len = bytes_left(&bytes);
    *ret_event = (BinlogEvent){.timestamp = (uint32_t)bytes_little(&bytes, 4)};
    ret_event->type = (unsigned)bytes_little(&bytes, 1);
    ret_event->server_id = (uint32_t)bytes_little(&bytes, 4);
    uint64_t size = bytes_little(&bytes, 4);
    ret_event->end_position = (uint32_t)bytes_little(&bytes, 4);
    (void)bytes_little(&bytes, 2);
    if (bytes.bad || size != len)
        return err_new(ERR_IO, "the binary log is damaged: an event of %zu bytes says it has %llu", len,
                       (unsigned long long)size);
    *ret_body = bytes;
    return NULL;
}

static Err *read_fed(Binlog *binlog, Arena *arena, BinlogEvent *ret_event)
{
    Bytes body = {0};
    TRY(read_header(binlog->fed, &body, ret_event));
    if (ret_event->type == BINLOG_TYPE_FORMAT_DESCRIPTION)
        return read_format(binlog, binlog->fed, body, arena, ret_event);
    if (!binlog->has_format && ret_event->type != BINLOG_TYPE_ROTATE)
        return err_new(ERR_IO, "the binary log is damaged: %s before the log's head",
                       binlog_type_name(arena, ret_event->type));
    TRY(check_sum(binlog, binlog->fed, arena, ret_event, &body));
    return read_body(binlog, body, arena, ret_event);
}

/* Events within a payload have neither checksums nor positions of their own. */
static Err *read_inner(Binlog *binlog, Arena *arena, BinlogEvent *ret_event, bool *ret_more)
{
    Bytes inner = {0}, body = {0};
    TRY(binlog_payload_next(binlog->payload, &inner));
    *ret_more = inner.at != NULL;
    if (!*ret_more) {
        binlog_payload_close(binlog->payload);
        binlog->payload = NULL;
        return NULL;
    }
    TRY(read_header(inner, &body, ret_event));
    ret_event->end_position = binlog->payload_end;
    return read_body(binlog, body, arena, ret_event);
}

Err *binlog_next(Binlog *binlog, Arena *arena, BinlogEvent *ret_event, bool *ret_more)
{
    BinlogEvent event = {0};
    *ret_more = true;
    if (binlog->has_fed) {
        binlog->has_fed = false;
        TRY(read_fed(binlog, arena, &event));
    } else if (binlog->payload != NULL) {
        TRY(read_inner(binlog, arena, &event, ret_more));
    } else {
        *ret_more = false;
    }
    *ret_event = event;
    return NULL;
}
