/* The pure parts of the MySQL engine: URLs, error numbers, versions, sets of transactions. */
#include "base/str.h"
#include "engine/mysql/capture_parts.h"
#include "engine/mysql/error.h"
#include "engine/mysql/flavor.h"
#include "engine/mysql/gtid.h"
#include "engine/mysql/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(const char *text, const char *wanted)
{
    if (!str_eq(text, wanted))
        fail_msg("\"%s\" is not \"%s\"", text == NULL ? "NULL" : text, wanted == NULL ? "NULL" : wanted);
}

static void test_urls(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    MyUrl url;
    assert_null(my_url_parse(
        arena, "mysql://u%40x:p%3A%2F@db.example:3307/shop%20a?ssl-mode=REQUIRED&ssl-ca=/a", &url));
    assert_text(url.user, "u@x");
    assert_text(url.password, "p:/");
    assert_text(url.host, "db.example");
    assert_int_equal(url.port, 3307);
    assert_text(url.database, "shop a");
    assert_int_equal(url.ssl_mode, MY_SSL_REQUIRED);
    assert_text(url.ssl_ca, "/a");
    assert_null(my_url_parse(arena, "mariadb:///shop?socket=/run/mysqld/mysqld.sock", &url));
    assert_text(url.user, NULL);
    assert_text(url.host, NULL);
    assert_text(url.database, "shop");
    assert_text(url.socket, "/run/mysqld/mysqld.sock");
    assert_int_equal(url.ssl_mode, MY_SSL_PREFERRED);
    assert_null(my_url_parse(arena, "mysql://a@b@[::1]:3306", &url));
    assert_text(url.user, "a@b");
    assert_text(url.host, "::1");
    assert_int_equal(url.port, 3306);
    assert_null(my_url_parse(arena, "mysql://root:@localhost", &url));
    assert_text(url.password, "");
    assert_null(my_url_parse(arena, "", &url));
    assert_text(url.host, NULL);
}

static void test_bad_urls(void **state)
{
    (void)state;
    static const char *const bad[] = {"postgres://x",
                                      "mysql:x",
                                      "mysql://h:0/",
                                      "mysql://h:70000",
                                      "mysql://h:x",
                                      "mysql://[::1",
                                      "mysql://[::1]x",
                                      "mysql://h/%zz",
                                      "mysql://h/%00",
                                      "mysql://h/d?ssl-mode=x",
                                      "mysql://h/d?what=1",
                                      "mysql://h/d?socket",
                                      "mysql://secret:secret@h:/",
                                      "mysql://secret:secret@h/?x%=secret"};
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        MyUrl url;
        CLEANUP(err_freep) Err *err = my_url_parse(arena, bad[i], &url);
        if (!err_is(err, ERR_USAGE))
            fail_msg("%s is taken", bad[i]);
        assert_null(strstr(err->msg, "secret"));
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        unsigned number;
        ErrKind kind;
    } cases[] = {
        {1205, ERR_LOCK_TIMEOUT}, {3572, ERR_LOCK_TIMEOUT}, {1213, ERR_DEADLOCK},  {1317, ERR_CANCELLED},
        {1969, ERR_CANCELLED},    {3024, ERR_CANCELLED},    {2006, ERR_CONN_LOST}, {2013, ERR_CONN_LOST},
        {1927, ERR_CONN_LOST},    {1044, ERR_PRIVILEGE},    {1045, ERR_PRIVILEGE}, {1142, ERR_PRIVILEGE},
        {1227, ERR_PRIVILEGE},    {1040, ERR_CONNECT},      {1049, ERR_CONNECT},   {1114, ERR_DISK_FULL},
        {1062, ERR_SQL},          {1064, ERR_SQL},          {1236, ERR_SQL},       {0, ERR_SQL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(my_error_kind(cases[i].number), cases[i].kind);
}

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        const char *version, *comment;
        FlavorBrand brand;
        int number;
        const char *name;
    } cases[] = {
        {"10.11.19-MariaDB-0+deb12u1-log", "Debian 12", FLAVOR_MARIADB, 101119, "MariaDB 10.11.19"},
        {"5.5.5-10.3.39-MariaDB", "", FLAVOR_MARIADB, 100339, "MariaDB 10.3.39"},
        {"11.8.9-MariaDB", "", FLAVOR_MARIADB, 110809, "MariaDB 11.8.9"},
        {"9.7.4-1", "(Debian)", FLAVOR_MYSQL, 90704, "MySQL 9.7.4"},
        {"8.0.36-28", "Percona Server (GPL), Release 28", FLAVOR_PERCONA, 80036, "Percona Server 8.0.36"},
        {"5.6.24-log", "Source distribution", FLAVOR_MYSQL, 50624, "MySQL 5.6.24"},
    };
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Flavor flavor = {0};
        assert_null(flavor_parse(cases[i].version, cases[i].comment, &flavor));
        assert_int_equal(flavor.brand, cases[i].brand);
        assert_int_equal(flavor.version, cases[i].number);
        assert_text(flavor_name(arena, &flavor), cases[i].name);
    }
    Flavor flavor = {0};
    CLEANUP(err_freep) Err *err = flavor_parse("TiDB", "", &flavor);
    assert_true(err_is(err, ERR_CONNECT));
}

static void test_facts(void **state)
{
    (void)state;
    static const struct {
        FlavorBrand brand;
        int version;
        FlavorFact fact;
        bool holds;
    } cases[] = {
        {FLAVOR_MYSQL, 80012, FACT_RENAME_UNDER_LOCK, false},
        {FLAVOR_MYSQL, 80013, FACT_RENAME_UNDER_LOCK, true},
        {FLAVOR_MARIADB, 110800, FACT_RENAME_UNDER_LOCK, false},
        {FLAVOR_MARIADB, 101119, FACT_RENAME_WAIT, true},
        {FLAVOR_MARIADB, 110104, FACT_ONLINE_COPY, false},
        {FLAVOR_MARIADB, 110200, FACT_ONLINE_COPY, true},
        {FLAVOR_MYSQL, 80031, FACT_INSTANT_BROKEN, true},
        {FLAVOR_PERCONA, 80032, FACT_INSTANT_BROKEN, false},
        {FLAVOR_MYSQL, 50624, FACT_INSTANT_ADD_LAST, false},
        {FLAVOR_MYSQL, 90100, FACT_ROW_VERSIONS_255, true},
        {FLAVOR_MARIADB, 101119, FACT_ISOLATION_NAME, false},
        {FLAVOR_MYSQL, 50720, FACT_ISOLATION_NAME, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Flavor flavor = {.brand = cases[i].brand, .version = cases[i].version};
        assert_int_equal(flavor_can(&flavor, cases[i].fact), cases[i].holds);
    }
    for (FlavorFact fact = 0; fact < FACT_COUNT; fact++)
        assert_non_null(flavor_fact_name(fact));
}

static void check_set(bool is_mariadb, const char *const *added, const char *wanted)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(gtid_freep) GtidSet *set = gtid_new(is_mariadb);
    for (; *added != NULL; added++)
        assert_null(gtid_add(set, *added));
    assert_text(gtid_text(arena, set), wanted);
}

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "a6099cc6-eb90-11f1-80b2-02fc00000001"

static void test_gtid_sets(void **state)
{
    (void)state;
    check_set(false, (const char *const[]){"", NULL}, "");
    check_set(false, (const char *const[]){A ":1-5,\n" B ":7", A ":6", A ":9", A ":8-10", NULL},
              A ":1-6:8-10," B ":7");
    check_set(false, (const char *const[]){B ":2", B ":1", "A6099CC6EB9011F180B202FC00000001:3", NULL},
              B ":1-3");
    check_set(false, (const char *const[]){B ":1-5:tag:1-2", B ":tag:3", B ":x:1", NULL},
              B ":1-5:tag:1-3:x:1");
    check_set(false, (const char *const[]){A ":5:3:1", A ":2-4", NULL}, A ":1-5");
    check_set(true, (const char *const[]){"0-1-5,3-2-1", "0-7-6", NULL}, "0-7-6,3-2-1");
    static const char *const bad[] = {"x",     A,        A ":",    A ":0",  A ":5-3",
                                      A ":1-", A ":tag", A ":1 2", "0-1-2", A ":1;"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(gtid_freep) GtidSet *set = gtid_new(false);
        CLEANUP(err_freep) Err *err = gtid_add(set, bad[i]);
        assert_true(err_is(err, ERR_CONFIG));
    }
    CLEANUP(gtid_freep) GtidSet *set = gtid_new(true);
    CLEANUP(err_freep) Err *err = gtid_add(set, "0-1");
    assert_true(err_is(err, ERR_CONFIG));
}

static void test_gtid_bytes(void **state)
{
    (void)state;
    CLEANUP(gtid_freep) GtidSet *set = gtid_new(false);
    CLEANUP(str_donep) Str bytes = STR_INIT;
    assert_null(gtid_add(set, A ":1-5"));
    gtid_encode(set, &bytes);
    assert_int_equal(bytes.len, 8 + 16 + 8 + 16);
    assert_memory_equal(bytes.buf, "\1\0\0\0\0\0\0\0\x3e\x11\xfa\x47", 12);
    assert_memory_equal(bytes.buf + 24, "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0", 24);
    str_clear(&bytes);
    assert_null(gtid_add(set, A ":tag:1"));
    gtid_encode(set, &bytes);
    assert_int_equal(bytes.len, 8 + 2 * (16 + 1 + 8 + 16) + 3);
    assert_memory_equal(bytes.buf, "\1\2\0\0\0\0\0\1", 8);
}

/* ---- logged statements ------------------------------------------------------------------------------------
 */

static void test_ddl(void **state)
{
    (void)state;
    static const ShadowSpec spec = {.schema = "d",
                                    .source = "status",
                                    .shadow = "status__stoa_new",
                                    .old = "status__stoa_old",
                                    .sentry = "status__stoa_old"};
    static const struct {
        const char *sql;
        DdlKind kind;
    } cases[] = {
        {"TRUNCATE status", DDL_EMPTIED},
        {"TRUNCATE TABLE e.status", DDL_NONE},
        {"SET STATEMENT max_statement_time=100, sql_mode='for' FOR TRUNCATE d.status", DDL_EMPTIED},
        {"SET STATEMENT lock_wait_timeout=1 FOR ALTER TABLE `status` ADD w INT", DDL_ALTERED},
        {"SET STATEMENT lock_wait_timeout=1 FOR RENAME TABLE d.status TO d.x", DDL_ALTERED},
        {"ALTER TABLE status ADD w INT", DDL_ALTERED},
        {"ALTER TABLE status__stoa_new ADD w INT", DDL_NONE},
        {"/* stoa: contract of a column */ ALTER TABLE d.status MODIFY COLUMN `w` int COMMENT 'x', "
         "ALGORITHM=INSTANT",
         DDL_NONE},
        {"ALTER TABLE e.x ADD status INT", DDL_NONE},
        {"ALTER TABLE x ADD COLUMN a INT, RENAME COLUMN status TO state, DROP INDEX status", DDL_NONE},
        {"ALTER TABLE x RENAME COLUMN state TO status", DDL_NONE},
        {"ALTER TABLE x RENAME KEY state TO status", DDL_NONE},
        {"ALTER TABLE x RENAME status", DDL_ALTERED},
        {"ALTER TABLE x RENAME AS d.status", DDL_ALTERED},
        {"ALTER TABLE x RENAME TO e.status", DDL_NONE},
        {"ALTER TABLE x EXCHANGE PARTITION p WITH TABLE status", DDL_ALTERED},
        {"ALTER TABLE x CONVERT PARTITION p TO TABLE `status`", DDL_ALTERED},
        {"ALTER TABLE e.x ADD FOREIGN KEY (a) REFERENCES d.status (id)", DDL_ALTERED},
        {"ALTER TABLE e.x ADD FOREIGN KEY (a) REFERENCES e.status (id)", DDL_NONE},
        {"RENAME TABLE status TO x", DDL_ALTERED},
        {"RENAME TABLE status TO status__stoa_old, status__stoa_new TO status", DDL_NONE},
        {"CREATE TABLE status (a INT)", DDL_ALTERED},
        {"CREATE TABLE items (a INT, status INT, FOREIGN KEY (a) REFERENCES status (id))", DDL_ALTERED},
        {"CREATE TABLE e.items (a INT REFERENCES `d`.`status` (id))", DDL_ALTERED},
        {"CREATE TABLE items (a INT COMMENT 'REFERENCES status', FOREIGN KEY (a) REFERENCES t (status))",
         DDL_NONE},
        {"CREATE DEFINER=`root`@`localhost` TRIGGER log AFTER INSERT ON status FOR EACH ROW SET @a = 1",
         DDL_ALTERED},
        {"CREATE OR REPLACE DEFINER = app TRIGGER IF NOT EXISTS `d`.`log` BEFORE UPDATE ON `d`.`status` FOR "
         "EACH ROW BEGIN END",
         DDL_ALTERED},
        {"CREATE DEFINER=`a`@`b` TRIGGER stoa_7_ins AFTER INSERT ON status FOR EACH ROW SET @a = 1",
         DDL_NONE},
        {"CREATE TRIGGER log AFTER INSERT ON x FOR EACH ROW INSERT INTO status VALUES (1)", DDL_NONE},
        {"CREATE OR REPLACE TRIGGER `status__stoa_fill_ins` BEFORE INSERT ON `status` FOR EACH ROW SET @a = "
         "1",
         DDL_NONE},
        {"CREATE INDEX i ON status (a)", DDL_ALTERED},
        {"DROP TABLE x, status", DDL_ALTERED},
        {"DROP DATABASE d", DDL_ALTERED},
        {"INSERT INTO status VALUES (1)", DDL_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        DdlKind kind = ddl_judge(&spec, false, "d", cases[i].sql);
        if (kind != cases[i].kind)
            fail_msg("%s: kind %d", cases[i].sql, (int)kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_urls),       cmocka_unit_test(test_bad_urls),
                                       cmocka_unit_test(test_errors),     cmocka_unit_test(test_versions),
                                       cmocka_unit_test(test_facts),      cmocka_unit_test(test_gtid_sets),
                                       cmocka_unit_test(test_gtid_bytes), cmocka_unit_test(test_ddl)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
