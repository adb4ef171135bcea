/* What is pure of stoa retire: names, lines of logs, and the file of kept values. */
#include "base/str.h"
#include "run/keep_file.h"
#include "run/retire.h"
#include "run/retire_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void parsed(const char *text, HideKind kind, bool mysql, const char *schema, const char *table,
                   const char *name)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    RetireWish wish = {0};
    assert_null(retire_parse(arena, text, kind, mysql, &wish));
    assert_true(str_eq(wish.schema, schema) && str_eq(wish.table, table) && str_eq(wish.name, name));
}

static void refused(const char *text, HideKind kind, bool mysql)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    RetireWish wish = {0};
    Err *err = retire_parse(arena, text, kind, mysql, &wish);
    assert_true(err_is(err, ERR_USAGE));
    err_free(err);
}

static void names(void **state)
{
    (void)state;
    parsed("Orders.Note", HIDE_COLUMN, false, NULL, "orders", "note");
    parsed("Orders.Note", HIDE_COLUMN, true, NULL, "Orders", "Note");
    parsed("s.\"Or.d\"\"ers\".note", HIDE_COLUMN, false, "s", "Or.d\"ers", "note");
    parsed("`a``b`.c", HIDE_COLUMN, true, NULL, "a`b", "c");
    parsed("s.t", HIDE_TABLE, false, "s", "t", NULL);
    parsed("i", HIDE_INDEX, false, NULL, NULL, "i");
    parsed("s.i", HIDE_INDEX, false, "s", NULL, "i");
    parsed("t.i", HIDE_INDEX, true, NULL, "t", "i");
    static const char *const wrong[] = {"",     "a",       ".",     "a.",       ".a",
                                        "a..b", "a.b.c.d", "\"a.b", "\"a\"b.c", "a.\"\""};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        refused(wrong[i], HIDE_COLUMN, false);
    refused("i", HIDE_INDEX, true);
}

static void lines(void **state)
{
    (void)state;
    static const char *const names[] = {"orders", "note"};
    static const char *const tell[] = {"ERROR:  permission denied for table orders",
                                       "SQLSTATE 42501",
                                       "[42703] nothing else",
                                       "1054 (42S22): Unknown column 'note' in 'field list'",
                                       "Unknown column 'NOTE' in 'SELECT'",
                                       "Table 'shop.orders' doesn't exist",
                                       "psycopg.errors.UndefinedColumn: column orders.note does not exist"};
    static const char *const quiet[] = {"",
                                        "SELECT note FROM orders",
                                        "permission denied for table other",
                                        "column notes does not exist",
                                        "order 142501 sent",
                                        "Unknown column 'keynote'",
                                        "orders_note does not exist"};
    for (size_t i = 0; i < ARRAY_LEN(tell); i++)
        assert_true(retire_line_tells(tell[i], names, 2));
    for (size_t i = 0; i < ARRAY_LEN(quiet); i++)
        assert_false(retire_line_tells(quiet[i], names, 2));
}

static void log_grows(void **state)
{
    (void)state;
    char path[] = "/tmp/stoa-retire-XXXXXX", moved[64];
    int fd = mkstemp(path);
    const char *files[] = {path}, *names[] = {"note"};
    RetireWatch *watch = NULL;
    size_t count = 0;
    assert_int_equal(write(fd, "42501\n", 6), 6);
    assert_null(retire_watch_open(files, 1, NULL, names, 1, &watch));
    retire_watch_step(watch);
    (void)retire_watch_seen(watch, &count);
    assert_int_equal(count, 0); /* it was there before */
    assert_int_equal(write(fd, "a 425", 5), 5);
    retire_watch_step(watch);
    assert_int_equal(write(fd, "01 b\n", 5), 5);
    retire_watch_step(watch);
    const char *const *seen = retire_watch_seen(watch, &count);
    assert_int_equal(count, 1);
    assert_non_null(strstr(seen[0], "a 42501 b"));
    (void)snprintf(moved, sizeof moved, "%s.1", path);
    assert_int_equal(rename(path, moved), 0);
    FILE *file = fopen(path, "w");
    (void)fputs("42703 new\n", file);
    (void)fclose(file);
    retire_watch_step(watch);
    (void)retire_watch_seen(watch, &count);
    assert_int_equal(count, 2);
    retire_watch_free(watch);
    (void)close(fd);
    (void)unlink(path);
    (void)unlink(moved);
}

/* ---- the file ------------------------------------------------------------------------------- */

static const char *const rows[][3] = {{"1", "a", "plain"},
                                      {"2", "tab\there", NULL},
                                      {"3", "", "\\N"},
                                      {"{\"stoa\":\"end\"", "x", "{"},
                                      {"5", "back\\slash", "line\nend\r"}};

static void write_file(const char *path)
{
    KeepWriter *writer = NULL;
    json_t *header = json_pack("{s:s, s:s, s:s}", "schema", "s", "table", "t", "column", "c");
    assert_null(keep_writer_open(path, header, &writer));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_null(keep_writer_add(writer, rows[i], 3));
    assert_null(keep_writer_done(writer));
    keep_writer_free(writer);
    json_decref(header);
}

static void kept(void **state)
{
    (void)state;
    char folder[] = "/tmp/stoa-keep-XXXXXX", path[64];
    struct stat about;
    KeepReader *reader = NULL;
    bool done = false;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/file", folder);
    write_file(path);
    write_file(path); /* the same column again */
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_null(keep_reader_open(path, &reader));
    assert_int_equal(keep_reader_rows(reader), ARRAY_LEN(rows));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *cells[3];
        assert_null(keep_reader_next(reader, arena, cells, 3, &done));
        assert_false(done);
        for (size_t k = 0; k < 3; k++)
            assert_true(str_eq(cells[k], rows[i][k]));
    }
    assert_null(keep_reader_next(reader, arena, (const char *[3]){0}, 3, &done));
    assert_true(done);
    keep_reader_free(reader);
    (void)unlink(path);
    (void)rmdir(folder);
}

/* Every byte that is another one, and every length that is shorter, is noticed. */
static void spoiled(void **state)
{
    (void)state;
    char path[] = "/tmp/stoa-spoil-XXXXXX", text[4096];
    int fd = mkstemp(path);
    (void)unlink(path);
    write_file(path);
    FILE *file = fopen(path, "r");
    size_t len = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    for (size_t i = 0; i < 2 * len; i++) {
        KeepReader *reader = NULL;
        text[i % len] = (char)(text[i % len] ^ (i < len ? 1 : 0));
        file = fopen(path, "w");
        (void)fwrite(text, 1, i < len ? len : i - len, file);
        (void)fclose(file);
        text[i % len] = (char)(text[i % len] ^ (i < len ? 1 : 0));
        Err *err = keep_reader_open(path, &reader);
        bool last = i + 1 == len || i + 1 == 2 * len; /* the end of the last line is no matter */
        assert_true(err_is(err, ERR_VERIFY) || err_is(err, ERR_USAGE) || last);
        err_free(err);
        keep_reader_free(err == NULL ? reader : NULL);
    }
    (void)unlink(path);
    (void)close(fd);
}

static void other_files_stay(void **state)
{
    (void)state;
    char path[] = "/tmp/stoa-other-XXXXXX";
    int fd = mkstemp(path);
    KeepWriter *writer = NULL;
    json_t *header = json_pack("{s:s, s:s, s:s}", "schema", "s", "table", "t", "column", "c");
    assert_int_equal(write(fd, "mine\n", 5), 5);
    Err *err = keep_writer_open(path, header, &writer);
    assert_true(err_is(err, ERR_USAGE));
    err_free(err);
    json_decref(header);
    (void)unlink(path);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names),     cmocka_unit_test(lines),
                                       cmocka_unit_test(log_grows), cmocka_unit_test(kept),
                                       cmocka_unit_test(spoiled),   cmocka_unit_test(other_files_stay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
