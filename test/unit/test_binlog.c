/* The decoder against logs of real servers, and against damage. `test_binlog --print NAME` writes what it
 * makes of binlog/NAME.hex. */
#include "base/str.h"
#include "engine/mysql/binlog.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const BinlogColumn wide_key[] = {
    {"k2", 5, false, "latin1"}, {"k1", 2, true, NULL}, {"k3", 16, false, NULL}};
static const BinlogColumn types_key[] = {
    {"k1", 0, false, NULL}, {"k2", 1, false, "binary"}, {"k3", 2, false, NULL},       {"k4", 3, false, NULL},
    {"k5", 4, false, NULL}, {"k6", 5, false, NULL},     {"k7", 6, false, NULL},       {"k8", 7, false, NULL},
    {"k9", 8, false, NULL}, {"k10", 9, false, NULL},    {"k11", 10, false, "utf8mb3"}};
static const BinlogColumn docs_key[] = {{"id", 0, false, NULL}};
static const BinlogTable tables[] = {
    {.schema = "d", .name = "wide", .column_count = 18, .key = wide_key, .key_count = 3},
    {.schema = "d", .name = "types", .column_count = 12, .key = types_key, .key_count = 11},
    {.schema = "d", .name = "docs", .column_count = 2, .key = docs_key, .key_count = 1}};

typedef struct Event {
    uint8_t *bytes;
    size_t len;
} Event;

static char *read_file(Arena *arena, const char *name, const char *ending)
{
    FILE *file = fopen(arena_printf(arena, "%s/binlog/%s.%s", TEST_DIR, name, ending), "r");
    Str text = STR_INIT;
    char line[4096];
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        str_add(&text, line);
    if (file != NULL)
        (void)fclose(file);
    char *res = arena_dupn(arena, text.buf, text.len);
    str_done(&text);
    return res;
}

static size_t read_events(Arena *arena, const char *name, Event **ret_events)
{
    VEC(Event) events = {0};
    char *text = read_file(arena, name, "hex"), *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        Event *event = vec_push(arena, &events);
        event->len = strlen(line) / 2;
        event->bytes = arena_alloc(arena, event->len + 1);
        for (size_t i = 0; i < event->len; i++)
            event->bytes[i] = (uint8_t)strtoul((char[]){line[2 * i], line[2 * i + 1], '\0'}, NULL, 16);
    }
    *ret_events = events.items;
    return events.len;
}

static void add_key(Str *str, const BinlogTable *table, const char *const *key)
{
    str_add(str, " (");
    for (size_t i = 0; key != NULL && i < table->key_count; i++)
        str_addf(str, "%s%s", i > 0 ? ", " : "", key[i]);
    str_add(str, ")");
}

static void add_event(Str *str, const BinlogEvent *event)
{
    static const char *const verbs[] = {"write", "update", "delete"};
    for (size_t i = 0; event->kind == BINLOG_ROWS && i < event->change_count; i++) {
        str_addf(str, "%s %s", verbs[event->verb], event->table->name);
        add_key(str, event->table, event->changes[i].before);
        add_key(str, event->table, event->changes[i].after);
        str_add(str, "\n");
    }
    if (event->kind == BINLOG_GTID)
        str_addf(str, "gtid %s%s\n", event->gtid == NULL ? "none" : event->gtid,
                 event->standalone ? " alone" : "");
    if (event->kind == BINLOG_BEGIN || event->kind == BINLOG_COMMIT)
        str_addf(str, "%s\n", event->kind == BINLOG_BEGIN ? "begin" : "commit");
    if (event->kind == BINLOG_STATEMENT)
        str_addf(str, "statement in %s%s: %.40s\n", event->schema, event->mentions ? " mentions" : "",
                 event->statement);
}

/* All events of a log as text; the first error ends it. */
static char *print_log(Arena *arena, const char *name)
{
    CLEANUP(binlog_freep) Binlog *binlog = binlog_new(tables, ARRAY_LEN(tables));
    CLEANUP(str_donep) Str text = STR_INIT;
    Event *events;
    size_t count = read_events(arena, name, &events);
    for (size_t i = 0; i < count; i++) {
        binlog_feed(binlog, events[i].bytes, events[i].len);
        for (bool more = true; more;) {
            BinlogEvent event;
            Err *err = binlog_next(binlog, arena, &event, &more);
            if (err != NULL) {
                str_addf(&text, "error %s: %s\n", err_kind_name(err->kind), err->msg);
                err_free(err);
                return arena_dup(arena, text.buf);
            }
            if (more)
                add_event(&text, &event);
        }
    }
    return arena_dup(arena, text.buf);
}

static const char *const logs[] = {
    "mariadb-10.11",     "mariadb-10.11-compressed", "mariadb-11.8-nodup", "mysql-9.7",
    "mysql-9.7-minimal", "mysql-9.7-payload",        "mysql-9.7-partial",  "mysql-5.6"};

static void test_logs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(logs); i++) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        char *wanted = read_file(arena, logs[i], "txt");
        assert_true(strlen(wanted) > 0);
        assert_string_equal(print_log(arena, logs[i]), wanted);
    }
}

/* ---- damage ----------------------------------------------------------------------------------------------
 */

static Err *feed_one(Binlog *binlog, Arena *arena, const uint8_t *bytes, size_t len, BinlogEvent *event)
{
    bool more = true;
    Err *err = NULL;
    binlog_feed(binlog, bytes, len);
    for (BinlogEvent each; err == NULL && more;) {
        err = binlog_next(binlog, arena, &each, &more);
        if (err == NULL && more)
            *event = each;
    }
    return err;
}

static void put_little(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

/* The event's first `len` bytes with a length and, where the log has them, a checksum that are right again;
 * in memory of just that size, so that the sanitizers see a read beyond it. */
static void feed_cut(Binlog *binlog, Arena *arena, const Event *event, size_t len, bool has_sum)
{
    enum { HEADER = 19, SIZE_AT = 9 };
    size_t size = len + (has_sum && len >= HEADER ? 4 : 0);
    uint8_t *cut = malloc(size == 0 ? 1 : size);
    memcpy(cut, event->bytes, len);
    if (len >= HEADER)
        put_little(cut + SIZE_AT, (uint32_t)size);
    if (size > len)
        put_little(cut + len, (uint32_t)crc32(0, cut, (uInt)len));
    BinlogEvent ignored = {0};
    err_free(feed_one(binlog, arena, cut, size, &ignored));
    free(cut);
}

/* Each event cut off at each length, behind the log's head and the events just before it. */
static void test_cut_off(void **state)
{
    (void)state;
    for (size_t l = 0; l < ARRAY_LEN(logs); l++) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        Event *events;
        size_t count = read_events(arena, logs[l], &events);
        bool has_sum = strstr(logs[l], "compressed") == NULL && strstr(logs[l], "minimal") == NULL;
        for (size_t i = 1; i < count; i++)
            for (size_t len = 0; len < events[i].len; len++) {
                CLEANUP(binlog_freep) Binlog *binlog = binlog_new(tables, ARRAY_LEN(tables));
                CLEANUP(arena_freep) Arena *each = arena_new();
                BinlogEvent event = {0};
                for (size_t before = 0; before < i; before++)
                    if (before == 0 || before + 3 >= i)
                        err_free(feed_one(binlog, each, events[before].bytes, events[before].len, &event));
                feed_cut(binlog, each, &events[i], len, has_sum);
            }
    }
}

static Err *feed_log_until(Binlog *binlog, Arena *arena, Event *events, size_t count)
{
    BinlogEvent event;
    for (size_t i = 0; i < count; i++)
        TRY(feed_one(binlog, arena, events[i].bytes, events[i].len, &event));
    return NULL;
}

static void assert_error(Err *err, ErrKind kind, const char *part)
{
    assert_non_null(err);
    if (strstr(err->msg, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, err->msg);
    assert_int_equal(err->kind, kind);
    err_free(err);
}

static void test_checksum(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(binlog_freep) Binlog *binlog = binlog_new(tables, ARRAY_LEN(tables));
    Event *events;
    size_t count = read_events(arena, "mysql-9.7", &events);
    events[count / 2].bytes[events[count / 2].len - 6] ^= 1;
    assert_error(feed_log_until(binlog, arena, events, count), ERR_IO, "wrong checksum of");
}

/* An event of this type without checksum behind a head that says so. */
static Err *feed_made_up(Arena *arena, const BinlogTable *watched, size_t watched_count, unsigned type,
                         const void *body, size_t len, BinlogEvent *ret_event)
{
    CLEANUP(binlog_freep) Binlog *binlog = binlog_new(watched, watched_count);
    Event *events;
    (void)read_events(arena, "mariadb-10.11-compressed", &events);
    TRY(feed_one(binlog, arena, events[0].bytes, events[0].len, ret_event));
    uint8_t *bytes = arena_alloc(arena, 19 + len);
    bytes[4] = (uint8_t)type;
    bytes[5] = 1;
    put_little(bytes + 9, (uint32_t)(19 + len));
    put_little(bytes + 13, 1000);
    memcpy(bytes + 19, body, len);
    return feed_one(binlog, arena, bytes, 19 + len, ret_event);
}

static void test_refused(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    BinlogEvent event;
    assert_error(feed_made_up(arena, NULL, 0, 77, "", 0, &event), ERR_UNSAFE, "not supported: event type 77");
    assert_error(feed_made_up(arena, NULL, 0, BINLOG_TYPE_INCIDENT, "", 0, &event), ERR_GONE, "INCIDENT");
    assert_error(feed_made_up(arena, NULL, 0, BINLOG_TYPE_EXECUTE_LOAD_QUERY, "", 0, &event), ERR_UNSAFE,
                 "LOAD DATA");
    assert_error(
        feed_made_up(arena, NULL, 0, BINLOG_TYPE_WRITE_ROWS_V1, "\5\0\0\0\0\0\1\0\1\1\0", 11, &event), ERR_IO,
        "WRITE_ROWS_V1 of a table without TABLE_MAP");
    Event *events;
    size_t count = read_events(arena, "mysql-9.7", &events);
    BinlogTable other = tables[0];
    other.column_count = 17;
    CLEANUP(binlog_freep) Binlog *binlog = binlog_new(&other, 1);
    assert_error(feed_log_until(binlog, arena, events, count), ERR_UNSAFE,
                 "table \"d.wide\": 18 columns, where there were 17");
    BinlogColumn moved = {"k1", 2, false, NULL};
    other = tables[0];
    other.key = &moved;
    other.key_count = 1;
    CLEANUP(binlog_freep) Binlog *second = binlog_new(&other, 1);
    assert_error(feed_log_until(second, arena, events, count), ERR_UNSAFE, "signedness is not what it was");
    moved = (BinlogColumn){"n", 2, true, NULL};
    CLEANUP(binlog_freep) Binlog *third = binlog_new(&other, 1);
    assert_error(feed_log_until(third, arena, events, count), ERR_UNSAFE, "a key column is not where it was");
    moved = (BinlogColumn){"a", 0, false, NULL};
    CLEANUP(binlog_freep) Binlog *fourth = binlog_new(&other, 1);
    assert_error(feed_log_until(fourth, arena, events, count), ERR_UNSAFE, "cannot be part of a key here");
}

/* ---- statements and positions ----------------------------------------------------------------------------
 */

static Err *feed_statement(Arena *arena, const char *sql, BinlogEvent *event)
{
    Str body = STR_INIT;
    str_addn(&body, "\0\0\0\0\0\0\0\0\1\0\0\0\0d\0", 15);
    str_add(&body, sql);
    Err *err = feed_made_up(arena, tables, ARRAY_LEN(tables), BINLOG_TYPE_QUERY, body.buf, body.len, event);
    str_done(&body);
    return err;
}

static void test_statements(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        BinlogKind kind;
        bool mentions, unlogged;
    } cases[] = {
        {"BEGIN", BINLOG_BEGIN, false, false},
        {"COMMIT", BINLOG_COMMIT, false, false},
        {"ROLLBACK", BINLOG_COMMIT, false, false},
        {"ROLLBACK TO `s`", BINLOG_OTHER, false, false},
        {"SAVEPOINT `s`", BINLOG_OTHER, false, false},
        {"XA START X'61',X'',1", BINLOG_BEGIN, false, false},
        {"XA END X'61',X'',1", BINLOG_OTHER, false, false},
        {"XA COMMIT X'61',X'',1", BINLOG_STATEMENT, false, false},
        {"TRUNCATE TABLE `wide`", BINLOG_STATEMENT, true, false},
        {"/* insert */ ALTER TABLE d.WIDE FORCE", BINLOG_STATEMENT, true, false},
        {"CREATE TABLE wide2 (id INT)", BINLOG_STATEMENT, false, false},
        {"DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `x`", BINLOG_STATEMENT, false, false},
        {"DELETE FROM `m`.`memory`", BINLOG_STATEMENT, false, false},
        {"INSERT INTO mysql.rds_heartbeat2(id, value) values (1,1) ON DUPLICATE KEY UPDATE value = 1",
         BINLOG_STATEMENT, false, false},
        {"REPLACE LOW_PRIORITY INTO `mysql` . `x` SELECT * FROM wide", BINLOG_STATEMENT, true, false},
        {"/*!50000 UPDATE */ x SET a = 1", BINLOG_STATEMENT, false, true},
        {"# c\n  REPLACE x VALUES (1)", BINLOG_STATEMENT, false, true},
        {"DELETE FROM x", BINLOG_STATEMENT, false, true},
        {"insert into mysqlx.y values (1)", BINLOG_STATEMENT, false, true},
        {"WITH c AS (SELECT 1) UPDATE x SET a = 1", BINLOG_STATEMENT, false, true},
    };
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BinlogEvent event = {0};
        assert_null(feed_statement(arena, cases[i].sql, &event));
        if (event.kind != cases[i].kind ||
            (event.kind == BINLOG_STATEMENT && event.mentions != cases[i].mentions) ||
            event.unlogged != cases[i].unlogged)
            fail_msg("%s: kind %d, mentions %d, unlogged %d", cases[i].sql, (int)event.kind, event.mentions,
                     event.unlogged);
    }
    static const char *const refused[] = {"insert into wide values (1)",
                                          "DELETE FROM `d`.`wide`",
                                          "/*!50000 UPDATE */ mysql.x JOIN WIDE SET a = 1",
                                          "# c\n  REPLACE x SELECT * FROM wide",
                                          "SET STATEMENT a = 'x for', b=1 FOR INSERT INTO wide VALUES (1)",
                                          "CALL p()",
                                          "DO f(1)",
                                          "WITH c AS (SELECT 1) UPDATE wide SET a = 1"};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        BinlogEvent event;
        assert_error(feed_statement(arena, refused[i], &event), ERR_UNSAFE, "statement format");
    }
}

static void test_positions(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    BinlogEvent event = {0};
    assert_null(feed_made_up(arena, NULL, 0, BINLOG_TYPE_ROTATE, "\4\0\0\0\0\0\0\0log.000002", 18, &event));
    assert_int_equal(event.kind, BINLOG_ROTATE);
    assert_string_equal(event.file, "log.000002");
    assert_int_equal(event.position, 4);
    assert_null(feed_made_up(arena, NULL, 0, BINLOG_TYPE_HEARTBEAT, "log.000002", 10, &event));
    assert_int_equal(event.kind, BINLOG_HEARTBEAT);
    assert_int_equal(event.position, 1000);
    assert_null(feed_made_up(arena, NULL, 0, BINLOG_TYPE_HEARTBEAT_V2,
                             "\1\12log.000002\2\11\376\0\0\0\0\1\0\0\0\0", 24, &event));
    assert_int_equal(event.kind, BINLOG_HEARTBEAT);
    assert_string_equal(event.file, "log.000002");
    assert_true(event.position == 1ULL << 32);
    assert_error(feed_made_up(arena, NULL, 0, BINLOG_TYPE_ROTATE, "\4\0\0\0\0\0\0\0", 8, &event), ERR_IO,
                 "no file name");
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--print") == 0) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        fputs(print_log(arena, argv[2]), stdout);
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_logs),       cmocka_unit_test(test_cut_off),
                                       cmocka_unit_test(test_checksum),   cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_statements), cmocka_unit_test(test_positions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
