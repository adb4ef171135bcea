/* What is asked in the SQL of MySQL and MariaDB: operations, what is left out of them, refusals, digests. */
#include "base/str.h"
#include "change/change.h"
#include "change/parse_my.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const MyDialect mysql = {.version = 90700};
static const MyDialect maria = {.mariadb = true, .version = 101119};

/* Everything that a plan reads of it, a line each. */
static char *show(Arena *arena, const MyDialect *dialect, const char *sql)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    Change change;
    change_parse_my(arena, &(ChangeInput){.sql = sql}, dialect, &change);
    for (size_t i = 0; i < change.operation_count; i++) {
        const Operation *op = &change.operations[i];
        str_addf(&out, "%d %s%s%s", op->line, op->table.schema == NULL ? "" : op->table.schema,
                 op->table.schema == NULL ? "" : ".", op->table.name);
        str_addf(&out, "%s%s%s", op->when == NATIVE_CONTRACT ? " later" : "",
                 op->algorithm == NULL ? "" : " at most ", op->algorithm == NULL ? "" : op->algorithm);
        str_addf(&out, "%s%s: %s\n", op->said == NULL ? "" : " without ", op->said == NULL ? "" : op->said,
                 op->sql);
    }
    for (size_t i = 0; i < change.backfill_count; i++)
        str_addf(&out, "backfill %s.%s = %s\n", change.backfills[i].table.name, change.backfills[i].column,
                 change.backfills[i].expr_sql);
    for (size_t i = 0; i < change.problem_count; i++)
        str_addf(&out, "%d:%d %s\n", change.problems[i].line, change.problems[i].column,
                 change.problems[i].message);
    return arena_dup(arena, out.buf);
}

typedef struct Case {
    const MyDialect *dialect;
    const char *sql, *expected;
} Case;

static void check(const Case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Arena *arena = arena_new();
        assert_string_equal(show(arena, cases[i].dialect, cases[i].sql), cases[i].expected);
        arena_free(arena);
    }
}

static void operations(void **state)
{
    (void)state;
    static const Case cases[] = {
        {&mysql, "alter table orders add column note text, modify amount bigint not null;",
         "1 orders: ALTER TABLE `orders` add column note text, modify amount bigint not null\n"},
        {&mysql, "ALTER TABLE shop.`or``ders` ADD (a int, b int)",
         "1 shop.or`ders: ALTER TABLE `or``ders` ADD COLUMN a int, ADD COLUMN b int\n"},
        {&mysql,
         "-- first\nCREATE UNIQUE INDEX u ON t (a, b(10) DESC) COMMENT 'x' ALGORITHM=INPLACE LOCK=NONE;",
         "2 t at most INPLACE: ALTER TABLE `t` ADD UNIQUE INDEX `u` (a, b(10) DESC) COMMENT 'x'\n"},
        {&mysql, "DROP INDEX i ON t; DROP INDEX `PRIMARY` ON t",
         "1 t: ALTER TABLE `t` DROP INDEX `i`\n1 t: ALTER TABLE `t` DROP PRIMARY KEY\n"},
        {&maria, "ALTER ONLINE TABLE t WAIT 5 ADD a int /* why */ DEFAULT  1 , ALGORITHM=INSTANT",
         "1 t at most INSTANT without WAIT 5: ALTER TABLE `t` ADD a int DEFAULT 1\n"},
        {&mysql, "ALTER TABLE t ADD a int /*!80023 INVISIBLE */ /*!99999 COMMENT 'never' */",
         "1 t: ALTER TABLE `t` ADD a int INVISIBLE\n"},
        {&mysql, "BEGIN; CREATE TABLE IF NOT EXISTS a (id int PRIMARY KEY); CREATE TABLE b LIKE a; COMMIT",
         "1 a: CREATE TABLE IF NOT EXISTS `a` (id int PRIMARY KEY)\n1 b: CREATE TABLE `b` LIKE `a`\n"},
        {&mysql, "DROP TABLE IF EXISTS a, b",
         "1 a later: DROP TABLE IF EXISTS `a`\n1 b later: DROP TABLE IF "
         "EXISTS `b`\n"},
        {&mysql, "RENAME TABLE a TO c, b TO a", "1 a: RENAME TABLE `a` TO `c`, `b` TO `a`\n"},
        {&mysql, "CREATE OR REPLACE VIEW v AS SELECT 1", "1 v: CREATE OR REPLACE VIEW `v` AS SELECT 1\n"},
        {&mysql, "ALTER TABLE t MODIFY a bigint, DROP COLUMN b, DROP INDEX i, ADD INDEX j (a)",
         "1 t: ALTER TABLE `t` MODIFY a bigint, ADD INDEX j (a)\n"
         "1 t later: ALTER TABLE `t` DROP COLUMN b, DROP INDEX i\n"},
        {&mysql, "ALTER TABLE a ADD b int, RENAME TO c",
         "1 a: ALTER TABLE `a` ADD b int\n1 a: RENAME TABLE `a` TO `c`\n"},
        {&mysql, "ALTER TABLE t DROP INDEX i", "1 t: ALTER TABLE `t` DROP INDEX i\n"},
    };
    check(cases, ARRAY_LEN(cases));
}

static void refusals(void **state)
{
    (void)state;
    static const Case cases[] = {
        {&mysql, "ALTER TABLE t ADD a int, ALGORITHM=COPY",
         "1:1 ALGORITHM=COPY stops writers while the table is copied\n"},
        {&mysql, "ALTER TABLE t ADD a int, LOCK=SHARED", "1:1 LOCK=SHARED stops writers while it runs\n"},
        {&mysql, "ALTER TABLE t ADD a int, ALGORITHM=QUICK", "1:1 ALGORITHM=QUICK is none that is known\n"},
        {&maria, "ALTER IGNORE TABLE t ADD UNIQUE (a)",
         "1:1 ALTER IGNORE TABLE drops rows that are in the way without a word\n"},
        {&mysql, "\nTRUNCATE t", "2:1 TRUNCATE takes all rows away at once, and there is no way back\n"},
        {&mysql, "ALTER TABLE t DROP PARTITION p0",
         "1:1 taking partitions away, or giving them to another table, takes their rows at once, and there "
         "is "
         "no way back\n"},
        {&mysql, "ALTER TABLE t DROP COLUMN a, ADD COLUMN A int",
         "1:1 the statement drops something and makes it anew under the same name\n"},
        {&mysql, "UPDATE t SET a = 1", "1:1 UPDATE changes rows, not the schema\n"},
        {&mysql, "USE shop", "1:1 the database is the one that --url names\n"},
        {&mysql, "OPTIMIZE TABLE t",
         "1:1 OPTIMIZE TABLE rebuilds the table under the server's own choice of locks\n"},
        {&mysql, "CREATE TABLE a AS SELECT * FROM b", "1:1 CREATE TABLE … SELECT copies rows under locks\n"},
        {&maria, "CREATE OR REPLACE TABLE a (id int)",
         "1:1 CREATE OR REPLACE TABLE drops the table that is there\n"},
        {&mysql, "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
         "1:1 triggers are not carried out yet\n"},
        {&mysql, "ALTER TABLE t ADD a int; ALTER TABLE t 'x",
         "1 t: ALTER TABLE `t` ADD a int\n"
         "1:40 the quote that opens here is not closed\n"},
        {&mysql, "RENAME TABLE a TO other.b", "1:1 a table does not move to another database\n"},
        {&mysql, "-- nothing", "1:1 there is no statement\n"},
        {&mysql, "ALTER TABLE t ADD a int; -- stoa: nmae x",
         "1 t: ALTER TABLE `t` ADD a int\n1:35 unknown word \"nmae\" behind \"stoa:\"\n"},
    };
    check(cases, ARRAY_LEN(cases));
}

static void backfills(void **state)
{
    (void)state;
    static const Case cases[] = {
        {&mysql, "-- stoa: backfill t.a = b  * 100 /* cents */\nALTER TABLE t ADD a int",
         "2 t: ALTER TABLE `t` ADD a int\nbackfill t.a = b * 100\n"},
        {&mysql, "-- stoa: backfill t.a = (SELECT 1)\nALTER TABLE t ADD a int",
         "2 t: ALTER TABLE `t` ADD a int\n1:26 the backfill reads the row alone: a sub-select may change "
         "without "
         "the row\n"},
        {&mysql, "-- stoa: backfill t.a = \nALTER TABLE t ADD a int",
         "2 t: ALTER TABLE `t` ADD a int\n1:19 the backfill has no expression behind \"=\"\n"},
        {&mysql, "-- stoa: backfill a = 1\nALTER TABLE t ADD a int",
         "2 t: ALTER TABLE `t` ADD a int\n1:19 \"a = 1\" is not table.column = expression\n"},
    };
    check(cases, ARRAY_LEN(cases));
}

static Change parse(Arena *arena, const MyDialect *dialect, const char *sql)
{
    Change change;
    change_parse_my(arena, &(ChangeInput){.sql = sql}, dialect, &change);
    assert_int_equal(change.problem_count, 0);
    return change;
}

static void digests(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Change plain = parse(arena, &mysql, "ALTER TABLE t ADD a int");
    Change other =
        parse(arena, &mysql,
              "-- stoa: name x\n-- stoa: owner team\nALTER  TABLE t -- why\n ADD a   int, LOCK=NONE;");
    assert_string_equal(plain.change_digest, other.change_digest);
    assert_string_equal(other.name, "x");
    assert_string_equal(other.owner, "team");
    assert_string_equal(plain.name, "t-a");
    assert_string_not_equal(plain.change_digest,
                            parse(arena, &mysql, "ALTER TABLE t ADD a bigint").change_digest);
    assert_string_equal(parse(arena, &mysql, "ALTER TABLE orders MODIFY amount BIGINT NOT NULL").name,
                        "orders-amount-type-bigint");
    assert_string_equal(parse(arena, &mysql, "DROP TABLE old").name, "drop-table-old");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(operations), cmocka_unit_test(refusals),
                                       cmocka_unit_test(backfills), cmocka_unit_test(digests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
