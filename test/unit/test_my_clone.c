/* Texts of clones and definitions of MySQL and MariaDB. */
#include "engine/mysql/clone.h"
#include "engine/mysql/comment.h"
#include "engine/mysql/definition.h"

#include <setjmp.h> /* cmocka.h needs these before */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static Scratch two(Arena *arena)
{
    Scratch scratch = {.prefix = scratch_prefix(arena, 17, false)};
    assert_string_equal(scratch_add(arena, &scratch, "shop"), "stoa_scratch_q17_00");
    assert_string_equal(scratch_add(arena, &scratch, "o`x"), "stoa_scratch_q17_01");
    assert_string_equal(scratch_add(arena, &scratch, "shop"), "stoa_scratch_q17_00");
    assert_int_equal(scratch.count, 2);
    return scratch;
}

static void names_lead_to_the_copies(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Scratch scratch = two(arena);
    static const char *const pairs[][2] = {
        {"ALTER TABLE shop.t ADD x INT", "ALTER TABLE `stoa_scratch_q17_00`.t ADD x INT"},
        {"ALTER TABLE `shop` . `t` ADD x INT", "ALTER TABLE `stoa_scratch_q17_00` . `t` ADD x INT"},
        {"ALTER TABLE `o``x`/* . */.t FORCE", "ALTER TABLE `stoa_scratch_q17_01`/* . */.t FORCE"},
        {"ALTER TABLE /*!50000 shop.*/t FORCE", "ALTER TABLE /*!50000 `stoa_scratch_q17_00`.*/t FORCE"},
        {"ALTER TABLE t RENAME SHOP.u", "ALTER TABLE t RENAME `stoa_scratch_q17_00`.u"},
        {"a 'shop.t' \"shop.t\" -- shop.t\n# shop.t\nshop t.shop.x /* shop.t */ `shop`",
         "a 'shop.t' \"shop.t\" -- shop.t\n# shop.t\nshop t.shop.x /* shop.t */ `shop`"},
        {"'it\\'s' shop.t", "'it\\'s' `stoa_scratch_q17_00`.t"},
        {"'unfinished shop.t", "'unfinished shop.t"},
        {"`unfinished shop.t", "`unfinished shop.t"},
        {"/* unfinished shop.t", "/* unfinished shop.t"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        assert_string_equal(scratch_sql(arena, &scratch, pairs[i][0]), pairs[i][1]);
    assert_string_equal(scratch_real(arena, &scratch, "table `stoa_scratch_q17_00`.`t`, stoa_scratch_q17_00"),
                        "table `shop`.`t`, shop");
    assert_string_equal(scratch_of(&scratch, "other"), "other");
}

static void references_are_found(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Scratch scratch = {.prefix = "p"};
    scratch_add_references(
        arena, &scratch,
        "CREATE TABLE t (c int COMMENT 'REFERENCES no.x', FOREIGN KEY (c) REFERENCES `a`.`b` "
        "(`c`), FOREIGN KEY (c) REFERENCES `d` (`c`))");
    assert_int_equal(scratch.count, 1);
    assert_string_equal(scratch.names[0].real, "a");
}

static void locks_of_databases(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    bool logged = false;
    assert_string_equal(scratch_lock_of(arena, "stoa_scratch_l17_03", &logged), "stoa_scratch_l17");
    assert_true(logged);
    assert_string_equal(scratch_lock_of(arena, "stoa_scratch_q8_100", &logged), "stoa_scratch_q8");
    assert_false(logged);
    static const char *const others[] = {"stoa",
                                         "stoa_scratch_",
                                         "stoa_scratch_mine",
                                         "stoa_scratch_q_00",
                                         "stoa_scratch_q7",
                                         "stoa_scratch_q7_0x",
                                         "shop"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_null(scratch_lock_of(arena, others[i], &logged));
}

static void what_changes_by_itself_is_left_out(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    assert_string_equal(
        definition_plain(arena, "CREATE TABLE `t` (\n  `a` int COMMENT 'x AUTO_INCREMENT=3'\n) ENGINE=InnoDB "
                                "AUTO_INCREMENT=17 DEFAULT CHARSET=utf8mb4"),
        "CREATE TABLE `t` (\n  `a` int COMMENT 'x AUTO_INCREMENT=3'\n) ENGINE=InnoDB DEFAULT "
        "CHARSET=utf8mb4");
    assert_string_equal(
        definition_plain(arena,
                         "CREATE TABLE `t` (\n  `a` int\n) ENGINE=InnoDB COMMENT='an AUTO_INCREMENT=3'"),
        "CREATE TABLE `t` (\n  `a` int\n) ENGINE=InnoDB COMMENT='an AUTO_INCREMENT=3'");
    assert_string_equal(
        definition_canonical(arena,
                             "  `v` varchar(9) CHARACTER SET latin1 COLLATE latin1_bin COMMENT ' CHARACTER "
                             "SET a COLLATE b',\n  `w` char(1) CHARACTER SET latin1,\n  `x` text"),
        "  `v` varchar(9) COLLATE latin1_bin COMMENT ' CHARACTER SET a COLLATE b',\n  `w` char(1) "
        "CHARACTER SET latin1,\n  `x` text");
}

static void contracts_are_left_out(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    static const char *const cases[][2] = {
        {"  `a` int COMMENT '[stoa: owner it''s]',\n", "  `a` int,\n"},
        {"  `a` int COMMENT 'it''s \\\\  [stoa: owner x]',\n", "  `a` int COMMENT 'it''s \\\\ ',\n"},
        {"  `a` int COMMENT 'a [stoa: x] b'\n", "  `a` int COMMENT 'a [stoa: x] b'\n"},
        {"  `a` int COMMENT 'a [b]'\n", "  `a` int COMMENT 'a [b]'\n"},
        {"  `a` text DEFAULT ' COMMENT ''[stoa: x]''',\n", "  `a` text DEFAULT ' COMMENT ''[stoa: x]''',\n"},
        {"  `a` int COMMENT '[stoa: x", "  `a` int COMMENT '[stoa: x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(definition_without_contracts(arena, cases[i][0]), cases[i][1]);
}

static void a_comment_has_its_place(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    static const char *const cases[][2] = {
        {"`a` int DEFAULT NULL", "`a` int DEFAULT NULL COMMENT 'n'"},
        {"`a` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT '{}' CHECK (json_valid(`a`))",
         "`a` JSON DEFAULT '{}' COMMENT 'n' CHECK (json_valid(`a`))"},
        {"`a` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL",
         "`a` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL COMMENT 'n'"},
        {"`a` int DEFAULT NULL CHECK (`a` > 0)", "`a` int DEFAULT NULL COMMENT 'n' CHECK (`a` > 0)"},
        {"`a` int COMMENT 'it''s \\\\ x' CHECK (`a` > 0)", "`a` int COMMENT 'n' CHECK (`a` > 0)"},
        {"`a CHECK (` text DEFAULT ' COMMENT ''b'''",
         "`a CHECK (` text DEFAULT ' COMMENT ''b''' COMMENT 'n'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(comment_in_line(arena, cases[i][0], "'n'"), cases[i][1]);
    assert_string_equal(definition_column_line(arena, "CREATE TABLE `t` (\n  `a` int,\n  `b` int\n)", "a"),
                        "`a` int");
    assert_null(definition_column_line(arena, "CREATE TABLE `t` (\n  `a` int\n)", "c"));
}

static void only_alter_and_indexes_are_tried(void **state)
{
    (void)state;
    static const char *const good[] = {"ALTER TABLE t FORCE", " alter\tonline table t FORCE",
                                       "CREATE INDEX i ON t (a)", "CREATE OR REPLACE UNIQUE INDEX i ON t (a)",
                                       "DROP INDEX i ON t"};
    static const char *const bad[] = {"DROP TABLE t", "ALTER DATABASE d", "CREATE TABLE t (a int)",
                                      "ALTERTABLE t", "DELETE FROM t",    ""};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_null(clone_may_run(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(err_freep) Err *err = clone_may_run(bad[i]);
        assert_true(err_is(err, ERR_UNSAFE));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_to_the_copies),
        cmocka_unit_test(references_are_found),
        cmocka_unit_test(locks_of_databases),
        cmocka_unit_test(what_changes_by_itself_is_left_out),
        cmocka_unit_test(contracts_are_left_out),
        cmocka_unit_test(a_comment_has_its_place),
        cmocka_unit_test(only_alter_and_indexes_are_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
