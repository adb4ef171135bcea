/* libFuzzer target: any bytes as events of a binary log, each behind two bytes of length; nothing may crash,
 * read beyond an event, or make a literal that SQL would not take for one.
 *
 * Lengths in the events' heads are set right first, and the log's own head is put before them without
 * checksums: otherwise nothing behind these would ever be reached. A first byte with its lowest bit set
 * leaves out the head. */
#include "base/str.h"
#include "engine/mysql/binlog.h"
#include "engine/mysql/gtid.h"
#include "engine/mysql/url.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 19, SIZE_AT = 9, TYPE_AT = 4, EVENTS_MOST = 64 };

static const BinlogColumn wide_key[] = {
    {"k2", 5, false, "latin1"}, {"k1", 2, true, NULL}, {"k3", 16, false, NULL}};
static const BinlogColumn types_key[] = {
    {"k1", 0, false, NULL}, {"k2", 1, false, "binary"}, {"k3", 2, false, NULL},       {"k4", 3, false, NULL},
    {"k5", 4, false, NULL}, {"k6", 5, false, NULL},     {"k7", 6, false, NULL},       {"k8", 7, false, NULL},
    {"k9", 8, false, NULL}, {"k10", 9, false, NULL},    {"k11", 10, false, "utf8mb3"}};
static const BinlogColumn docs_key[] = {{"id", 0, false, "utf8mb4"}};
static const BinlogTable tables[] = {
    {.schema = "d", .name = "wide", .column_count = 18, .key = wide_key, .key_count = 3},
    {.schema = "d", .name = "types", .column_count = 12, .key = types_key, .key_count = 11},
    {.schema = "d", .name = "docs", .column_count = 2, .key = docs_key, .key_count = 1},
    {.schema = "d", .name = "other", .column_count = 1, .key = docs_key, .key_count = 1, .any_case = true}};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* A number, a time in quotes, or hexadecimal: none of them can end early, or hold another statement. */
static void check_literal(const char *literal)
{
    const char *at = literal;
    if (*at == '_') {
        at = strstr(at, " x'");
        require(at != NULL);
        at += 3;
        size_t digits = strspn(at, "0123456789abcdef");
        require(digits % 2 == 0 && strcmp(at + digits, "'") == 0);
    } else if (*at == '\'') {
        at += 1 + strspn(at + 1, "0123456789:.- ");
        require(strcmp(at, "'") == 0);
    } else if (strcmp(at, "NULL") != 0) {
        require(*at != '\0' && at[strspn(at, "0123456789.-")] == '\0');
    }
}

static void check_event(const BinlogEvent *event)
{
    for (size_t i = 0; event->kind == BINLOG_ROWS && i < event->change_count; i++)
        for (size_t k = 0; k < event->table->key_count; k++) {
            if (event->changes[i].before != NULL)
                check_literal(event->changes[i].before[k]);
            if (event->changes[i].after != NULL)
                check_literal(event->changes[i].after[k]);
        }
}

static bool feed(Binlog *binlog, const uint8_t *bytes, size_t len)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    uint8_t *exact = malloc(len == 0 ? 1 : len); /* so that a read beyond the event is seen */
    memcpy(exact, bytes, len);
    if (len >= HEADER)
        for (size_t i = 0; i < 4; i++)
            exact[SIZE_AT + i] = (uint8_t)(len >> (8 * i));
    binlog_feed(binlog, exact, len);
    Err *err = NULL;
    bool more = true;
    while (err == NULL && more) {
        BinlogEvent event;
        err = binlog_next(binlog, arena, &event, &more);
        if (err == NULL && more)
            check_event(&event);
    }
    free(exact);
    bool good = err == NULL;
    err_free(err);
    return good;
}

/* The head of a MariaDB 10.11 log: 171 types, those that the decoder knows with their lengths. */
static bool feed_head(Binlog *binlog)
{
    uint8_t head[HEADER + 57 + 171 + 5] = {0};
    static const struct {
        uint8_t type, len;
    } lens[] = {{2, 13}, {4, 8}, {19, 8}, {23, 8}, {24, 8}, {25, 8}, {30, 10}, {31, 10}, {32, 10}};
    head[TYPE_AT] = BINLOG_TYPE_FORMAT_DESCRIPTION;
    head[HEADER] = 4;
    head[HEADER + 56] = HEADER;
    for (size_t i = 0; i < ARRAY_LEN(lens); i++)
        head[HEADER + 57 + lens[i].type - 1] = lens[i].len;
    return feed(binlog, head, sizeof head);
}

static void check_texts(const uint8_t *data, size_t size)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    char *text = arena_dupn(arena, (const char *)data, size);
    MyUrl url;
    err_free(my_url_parse(arena, text, &url));
    for (int is_mariadb = 0; is_mariadb < 2; is_mariadb++) {
        CLEANUP(gtid_freep) GtidSet *set = gtid_new(is_mariadb != 0);
        CLEANUP(gtid_freep) GtidSet *again = gtid_new(is_mariadb != 0);
        Err *err = gtid_add(set, text);
        if (err == NULL) {
            char *first = gtid_text(arena, set);
            err = gtid_add(again, first);
            require(err == NULL && strcmp(first, gtid_text(arena, again)) == 0);
        }
        err_free(err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    if ((data[0] & 3) == 3) {
        check_texts(data + 1, size - 1);
        return 0;
    }
    Binlog *binlog = binlog_new(tables, ARRAY_LEN(tables));
    bool good = (data[0] & 1) != 0 || feed_head(binlog);
    size_t at = 1;
    for (int i = 0; good && i < EVENTS_MOST && size - at >= 2; i++) {
        size_t len = (size_t)data[at] | (size_t)data[at + 1] << 8;
        at += 2;
        if (len > size - at)
            len = size - at;
        good = feed(binlog, data + at, len);
        at += len;
    }
    binlog_free(binlog);
    return 0;
}
