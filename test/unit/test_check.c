/* Check: an example for and against every rule of the table, and what is not about one rule. */
#include "base/str.h"
#include "check/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- running -------------------------------------------------------------------------------- */

static const char applied_mark[] = "-- applied\n";

/* Two files where the text has the mark: the first of them has been applied. */
static CheckResult run(Arena *arena, const char *engine, const char *version, const char *sql,
                       const char *rule)
{
    SourceSet *set = arena_alloc(arena, sizeof *set);
    const char *mark = strstr(sql, applied_mark);
    const char *before = mark == NULL ? NULL : arena_dupn(arena, sql, (size_t)(mark - sql));
    const char *text = mark == NULL ? sql : mark + sizeof applied_mark - 1;
    if (before != NULL)
        *vec_push(arena, &set->files) = (Source){.path = "0.sql", .text = before, .len = strlen(before)};
    *vec_push(arena, &set->files) = (Source){.path = "1.sql", .text = text, .len = strlen(text)};
    Severity *severities = arena_alloc(arena, rule_count() * sizeof *severities);
    for (size_t i = 0; i < rule_count(); i++) {
        severities[i] = rule_at(i)->severity;
        if (str_eq(rule_at(i)->id, rule) && severities[i] == SEVERITY_OFF)
            severities[i] = SEVERITY_NOTE;
    }
    CheckOptions options = {.engine_given = true,
                            .engine = str_eq(engine, "mysql")     ? CHECK_MYSQL
                                      : str_eq(engine, "mariadb") ? CHECK_MARIADB
                                                                  : CHECK_POSTGRES,
                            .version = version,
                            .severities = severities,
                            .today = "2026-11-29",
                            .applied = before == NULL ? NULL : "0.sql"};
    CheckResult result;
    Err *err = check_run(arena, &set, 1, &options, &result);
    assert_null(err);
    return result;
}

static size_t count_of(const CheckResult *result, const char *rule)
{
    size_t count = 0;
    for (size_t i = 0; i < result->findings.len; i++)
        count += str_eq(result->findings.items[i].rule->id, rule);
    return count;
}

static bool blocks(const CheckResult *result, const Rule *rule)
{
    for (size_t i = 0; i < result->findings.len; i++)
        if (result->findings.items[i].rule == rule && result->findings.items[i].severity == SEVERITY_BLOCK)
            return true;
    return false;
}

static const Finding *only(const CheckResult *result, const char *rule)
{
    const Finding *found = NULL;
    for (size_t i = 0; i < result->findings.len; i++)
        if (str_eq(result->findings.items[i].rule->id, rule)) {
            assert_null(found);
            found = &result->findings.items[i];
        }
    assert_non_null(found);
    return found;
}

static void print_findings(const CheckResult *result)
{
    for (size_t i = 0; i < result->findings.len; i++)
        print_message("    %s: %s\n", result->findings.items[i].rule->id, result->findings.items[i].message);
}

/* ---- examples ------------------------------------------------------------------------------- */

typedef struct Example {
    char rule[64], engine[16], version[16];
    const char *bad, *good;
} Example;

static char *read_all(Arena *arena, const char *path)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = arena_alloc(arena, 1 << 20);
    size_t len = fread(text, 1, (1 << 20) - 1, file);
    assert_true(len > 0);
    (void)fclose(file);
    return text;
}

/* Takes the next block off the text. */
static bool next_example(Arena *arena, const char **at, Example *ret_example)
{
    const char *head = strstr(*at, "\n= ");
    if (head == NULL)
        return false;
    memset(ret_example, 0, sizeof *ret_example);
    assert_true(sscanf(head, "\n= %63s %15s %15s", ret_example->rule, ret_example->engine,
                       ret_example->version) == 3);
    const char *bad = strstr(head, "\nbad\n"), *good = strstr(head, "\ngood\n");
    assert_true(bad != NULL && good != NULL && bad < good);
    const char *end = strstr(good, "\n= ");
    end = end == NULL ? good + strlen(good) : end;
    ret_example->bad = arena_dupn(arena, bad + 5, (size_t)(good - bad) - 4);
    ret_example->good = arena_dupn(arena, good + 6, (size_t)(end - good) - 6);
    *at = end;
    return true;
}

/* Of servers: test/server/test_check_online.py. */
static bool is_online(const Rule *rule)
{
    return rule >= rules_online.rules && rule < rules_online.rules + rules_online.count;
}

static void test_examples(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    const char *at = read_all(arena, TEST_DIR "/check/rules.txt");
    bool *seen = arena_alloc(arena, rule_count() * sizeof *seen);
    size_t wrong = 0, count = 0;
    for (Example example; next_example(arena, &at, &example); count++) {
        CheckResult bad = run(arena, example.engine, example.version, example.bad, example.rule);
        CheckResult good = run(arena, example.engine, example.version, example.good, example.rule);
        bool named = false;
        for (size_t i = 0; i < rule_count(); i++)
            if (str_eq(rule_at(i)->id, example.rule))
                named = seen[i] = true;
        if (named && count_of(&bad, example.rule) > 0 && count_of(&good, example.rule) == 0)
            continue;
        wrong++;
        print_message("%s (%s %s)%s\n  bad: %s", example.rule, example.engine, example.version,
                      named ? "" : " is no rule", example.bad);
        print_findings(&bad);
        print_message("  good: %s", example.good);
        print_findings(&good);
    }
    for (size_t i = 0; i < rule_count(); i++)
        if (!seen[i] && !is_online(rule_at(i)) && !str_starts(rule_at(i)->id, "migration-") &&
            !str_eq(rule_at(i)->id, "opaque-operation")) { /* of folders and frameworks: test/cli */
            print_message("%s has no example\n", rule_at(i)->id);
            wrong++;
        }
    print_message("%zu examples, %zu rules\n", count, rule_count());
    assert_int_equal(wrong, 0);
    arena_free(arena);
}

/* What is written instead is understood, and is not what it stands for. */
static void test_safer(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    const char *at = read_all(arena, TEST_DIR "/check/rules.txt");
    size_t wrong = 0, looked = 0;
    for (Example example; next_example(arena, &at, &example);) {
        CheckResult bad = run(arena, example.engine, example.version, example.bad, example.rule);
        for (size_t i = 0; i < bad.findings.len; i++) {
            const Finding *finding = &bad.findings.items[i];
            if (finding->safer == NULL || strstr(finding->safer, "…") != NULL)
                continue;
            looked++;
            CheckResult safe = run(arena, example.engine, example.version, finding->safer, example.rule);
            if (count_of(&safe, "syntax-unknown") == 0 && !blocks(&safe, finding->rule))
                continue;
            wrong++;
            print_message("%s: %s\n", finding->rule->id, finding->safer);
            print_findings(&safe);
        }
    }
    print_message("%zu looked at\n", looked);
    assert_int_equal(wrong, 0);
    arena_free(arena);
}

/* ---- the table ------------------------------------------------------------------------------ */

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < rule_count(); i++) {
        const Rule *rule = rule_at(i);
        assert_true(rule->engines != 0 && rule->message != NULL && rule->why != NULL);
        assert_true(strspn(rule->id, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(rule->id));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rule->id, rule_at(j)->id);
        size_t next = 0;
        assert_ptr_equal(rule_find(rule->id, &next), rule);
    }
    size_t next = 0;
    assert_string_equal(rule_find("require-concurrent-index-creation", &next)->id, "create-index-blocks");
    next = 0;
    assert_string_equal(rule_find("squawk/ban-drop-column", &next)->id, "drop-column");
    next = 0;
    assert_null(rule_find("ban-drop", &next));
}

/* ---- streams -------------------------------------------------------------------------------- */

static void test_broken_statement(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    CheckResult result =
        run(arena, "postgres", "15",
            "SELECT 1; ALTER TABEL x; ALTER TABLE t DROP COLUMN c; SELECT 'open;\nDROP TABLE u;", "");
    assert_int_equal(count_of(&result, "syntax-unknown"), 2);
    assert_int_equal(count_of(&result, "drop-column"), 1);
    assert_int_equal(result.statements, 4);
    assert_int_equal(result.unknown, 2);
    arena_free(arena);
}

static void test_what_hurts_blocks(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    static const char make[] = "CREATE TABLE t (id bigint%s); CREATE UNIQUE INDEX i ON t (id);\n-- applied\n"
                               "ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY USING INDEX i;";
    CheckResult nullable =
        run(arena, "postgres", "15", arena_printf(arena, make, ""), "primary-key-nullable");
    assert_int_equal(only(&nullable, "primary-key-nullable")->severity, SEVERITY_BLOCK);
    CheckResult filled =
        run(arena, "postgres", "15", arena_printf(arena, make, " NOT NULL"), "primary-key-nullable");
    assert_int_equal(count_of(&filled, "primary-key-nullable"), 0);
    CheckResult unseen =
        run(arena, "postgres", "15", "ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY USING INDEX i;",
            "primary-key-nullable");
    assert_int_equal(only(&unseen, "primary-key-nullable")->severity, SEVERITY_WARN);
    assert_int_equal(only(&unseen, "primary-key-nullable")->evidence, EVIDENCE_UNKNOWN);
    CheckResult all = run(arena, "postgres", "15", "DROP SCHEMA s CASCADE;", "");
    CheckResult empty = run(arena, "postgres", "15", "DROP SCHEMA s;", "");
    assert_int_equal(count_of(&all, "lock-timeout-missing"), 1);
    assert_int_equal(count_of(&empty, "lock-timeout-missing"), 0);
    arena_free(arena);
}

/* What a server before that version calls a syntax error, though the parser knows it. */
static void test_words_of_later_versions(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        int since;
    } cases[] = {{"ALTER TABLE t SET ACCESS METHOD heap;", 15},
                 {"ALTER TABLE t DETACH PARTITION p CONCURRENTLY;", 14},
                 {"ALTER TABLE t DETACH PARTITION p FINALIZE;", 14},
                 {"REINDEX TABLE CONCURRENTLY t;", 12},
                 {"ALTER TABLE t ADD COLUMN c int GENERATED ALWAYS AS (a + 1) STORED;", 12},
                 {"ALTER TABLE t DETACH PARTITION p; REINDEX TABLE t; ALTER TABLE t ADD COLUMN c int;", 0}};
    Arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int version = 10; version <= 18; version++) {
            CheckResult result =
                run(arena, "postgres", arena_printf(arena, "%d", version), cases[i].sql, "syntax-too-new");
            assert_int_equal(count_of(&result, "syntax-too-new"), version < cases[i].since);
        }
    arena_free(arena);
}

static void test_places(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    CheckResult result =
        run(arena, "postgres", "15",
            "-- ä comment; with a semicolon\nSELECT 'ö;', \"x;y\", $a$;$a$ /* ; /* ; */ ; */;\n"
            "ALTER TABLE t\n  ADD COLUMN ü int,\n  DROP COLUMN c;\n",
            "");
    const Finding *finding = only(&result, "drop-column");
    assert_int_equal(finding->line, 5);
    assert_int_equal(finding->column, 3);
    assert_int_equal(finding->end_line, 5);
    assert_int_equal(finding->end_column, 16);
    assert_string_equal(finding->object, "t");
    arena_free(arena);
}

static void test_psql(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    CheckResult result =
        run(arena, "postgres", "15",
            "\\set ON_ERROR_STOP on\n\\timing\nCOPY t (a) FROM stdin;\nDROP TABLE x;\n\\.\n"
            "ALTER TABLE :\"tab\" DROP COLUMN :col;\nSELECT 'DROP TABLE ' || x FROM y \\gexec\n"
            "\\i other.sql\nALTER TABLE ${schema}.t DROP COLUMN {{ col }};\n"
            "SELECT a::int, b[1:2] FROM t;\n",
            "");
    assert_int_equal(count_of(&result, "drop-table"), 0);
    assert_int_equal(count_of(&result, "drop-column"), 2);
    assert_int_equal(count_of(&result, "dynamic-sql"), 1);
    assert_int_equal(count_of(&result, "unknown-statement"), 1);
    assert_int_equal(count_of(&result, "syntax-unknown"), 0);
    arena_free(arena);
}

static void test_bodies(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    CheckResult result =
        run(arena, "postgres", "15",
            "DO $$\nBEGIN\n  IF true THEN\n    ALTER TABLE t DROP COLUMN c;\n  END IF;\nEND\n$$;\n"
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $f$\nBEGIN\n  DROP TABLE u;\n"
            "  UPDATE v SET a = 1;\nEND\n$f$;\n"
            "CREATE FUNCTION g(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC\n  SELECT 1; SELECT 2; END;\n"
            "CREATE FUNCTION h() RETURNS int LANGUAGE sql AS 'DROP TABLE w; SELECT 1';\n",
            "");
    const Finding *inner = only(&result, "drop-column");
    assert_int_equal(inner->line, 4);
    assert_int_equal(inner->column, 19);
    assert_int_equal(count_of(&result, "drop-table"), 2);
    assert_int_equal(count_of(&result, "all-rows-at-once"), 0);
    assert_int_equal(count_of(&result, "syntax-unknown"), 0);
    assert_int_equal(result.statements, 4);
    for (size_t i = 0; i < result.findings.len; i++)
        if (str_eq(result.findings.items[i].rule->id, "drop-table")) {
            assert_int_equal(result.findings.items[i].severity, SEVERITY_WARN);
            assert_true(str_starts(result.findings.items[i].message, "in function "));
        }
    arena_free(arena);
}

/* A function that the file itself calls counts as what it does. */
static void test_called(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    CheckResult result =
        run(arena, "postgres", "15",
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$\nBEGIN\n  DROP TABLE u;\n"
            "  UPDATE v SET a = 1;\nEND $$;\nSELECT f();\n",
            "");
    assert_int_equal(count_of(&result, "drop-table"), 2);
    assert_int_equal(count_of(&result, "unknown-statement"), 0);
    const Finding *rows = only(&result, "all-rows-at-once");
    assert_int_equal(rows->line, 6);
    bool block = false;
    for (size_t i = 0; i < result.findings.len; i++)
        block = block ||
                (result.findings.items[i].line == 6 && result.findings.items[i].severity == SEVERITY_BLOCK);
    assert_true(block);
    arena_free(arena);
}

static void test_new_tables(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    CheckResult result =
        run(arena, "postgres", "15",
            "CREATE TABLE s.t (id bigint PRIMARY KEY, a int);\nALTER TABLE s.t ADD COLUMN b uuid "
            "DEFAULT gen_random_uuid();\nCREATE INDEX ON t (a);\nALTER TABLE other.t ALTER COLUMN a "
            "SET NOT NULL;\nALTER TABLE t RENAME TO u;\nALTER TABLE u DROP COLUMN a;\n",
            "");
    assert_int_equal(count_of(&result, "add-column-volatile-default"), 0);
    assert_int_equal(count_of(&result, "create-index-blocks"), 0);
    assert_int_equal(count_of(&result, "set-not-null-scan"), 1);
    assert_int_equal(count_of(&result, "drop-column"), 0);
    assert_true(result.on_new >= 3);
    arena_free(arena);
}

static void test_my_bodies(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    CheckResult result =
        run(arena, "mysql", "8.0",
            "DELIMITER //\nCREATE PROCEDURE p()\nBEGIN\n  ALTER TABLE t DROP COLUMN c;\n"
            "  PREPARE s FROM @x;\nEND//\nDELIMITER ;\n/*!50110 ALTER TABLE u DROP COLUMN d */;\n"
            "ALTER TABLE v ADD COLUMN e enum('a','b') NOT NULL DEFAULT 'a', RENAME COLUMN f TO g;\n",
            "");
    assert_int_equal(count_of(&result, "drop-column"), 2);
    assert_int_equal(count_of(&result, "dynamic-sql"), 1);
    assert_int_equal(count_of(&result, "rename-column"), 1);
    assert_int_equal(count_of(&result, "syntax-unknown"), 0);
    arena_free(arena);
}

static void test_silencing(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    CheckResult result =
        run(arena, "postgres", "15",
            "-- stoa: ignore-file lock-timeout-missing, statement-timeout-missing: the tool sets it\n"
            "/* stoa: ignore drop-column, ban-drop-table */\nALTER TABLE t DROP COLUMN c,\n"
            "  ALTER d SET NOT NULL;\n-- squawk-ignore renaming-column\nALTER TABLE t RENAME a TO b;\n"
            "ALTER TABLE t RENAME c TO d;\n-- stoa: ignore: all of it\nDROP TABLE t CASCADE;\n",
            "");
    assert_int_equal(count_of(&result, "drop-column"), 0);
    assert_int_equal(count_of(&result, "set-not-null-scan"), 1);
    assert_int_equal(count_of(&result, "rename-column"), 1);
    assert_int_equal(count_of(&result, "drop-table") + count_of(&result, "drop-cascade"), 0);
    assert_int_equal(count_of(&result, "silence-unused"), 0);
    assert_int_equal(count_of(&result, "lock-timeout-missing"), 0);
    assert_true(result.silenced >= 6);
    arena_free(arena);
}

static void test_baseline(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    static const char sql[] = "ALTER TABLE t DROP COLUMN c;\nALTER TABLE t DROP COLUMN c;\n";
    CheckResult first = run(arena, "postgres", "15", sql, "");
    char *text = baseline_text(&first);
    Baseline baseline = {0};
    assert_null(baseline_read(arena, text, &baseline));
    assert_int_equal(baseline.len, first.findings.len);
    for (size_t i = 0; i < first.findings.len; i++)
        assert_true(baseline_takes(&baseline, &first.findings.items[i]));
    assert_false(baseline_takes(&baseline, &first.findings.items[0]));
    Err *err = baseline_read(arena, "[]", &baseline);
    assert_true(err_is(err, ERR_CONFIG));
    err_free(err);
    free(text);
    arena_free(arena);
}

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        CheckEngine engine;
        const char *text;
        int version;
    } good[] = {{CHECK_POSTGRES, "14", 149999},    {CHECK_POSTGRES, "14.3", 140003},
                {CHECK_MYSQL, "8.0", 80099},       {CHECK_MYSQL, "8.0.36", 80036},
                {CHECK_MYSQL, "8", 89999},         {CHECK_MARIADB, "10.11", 101199},
                {CHECK_MARIADB, "11.4.2", 110402}, {CHECK_MARIADB, "10.11.6-MariaDB", 101106}};
    static const char *const bad[] = {"", "x", "9.6", "14x", "14.", "-1", "1000"};
    int version = 0;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_null(check_target_version(good[i].engine, good[i].text, &version));
        assert_int_equal(version, good[i].version);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Err *err = check_target_version(CHECK_POSTGRES, bad[i], &version);
        assert_true(err_is(err, ERR_USAGE));
        err_free(err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_called),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_safer),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_broken_statement),
        cmocka_unit_test(test_what_hurts_blocks),
        cmocka_unit_test(test_words_of_later_versions),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_psql),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_new_tables),
        cmocka_unit_test(test_my_bodies),
        cmocka_unit_test(test_silencing),
        cmocka_unit_test(test_baseline),
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
