/* Rehearsals without a server: masks, rows as SQL, predictions, what a snapshot may hold. */
#include "rehearse/facts.h"
#include "rehearse/fill.h"
#include "rehearse/machine.h"
#include "rehearse/mask.h"
#include "rehearse/past.h"
#include "rehearse/predict.h"

#include "base/str.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ---- masks ---------------------------------------------------------------------------------- */

static int setup(void **state)
{
    *state = arena_new();
    return 0;
}

static int teardown(void **state)
{
    Arena *arena = *state;
    arena_free(arena);
    return 0;
}

static void text_keeps_its_shape(void **state)
{
    Mask *mask = mask_new(*state, 7);
    const char *masked = mask_text(mask, "Anna.Berg-42@example.org");
    assert_int_equal(strlen(masked), strlen("Anna.Berg-42@example.org"));
    assert_int_equal(masked[4], '.');
    assert_int_equal(masked[12], '@');
    assert_true(masked[0] >= 'A' && masked[0] <= 'Z');
    assert_true(masked[10] >= '0' && masked[10] <= '9');
    assert_null(strstr(masked, "Anna"));
    assert_string_equal(mask_text(mask, "Anna.Berg-42@example.org"), masked);
}

static void short_texts_stay_apart(void **state)
{
    Mask *mask = mask_new(*state, 7);
    char seen[26] = {0};
    for (char letter = 'a'; letter <= 'm'; letter++) {
        char text[2] = {letter, '\0'};
        const char *masked = mask_text(mask, text);
        assert_string_not_equal(masked, text);
        assert_int_equal(seen[masked[0] - 'a'], 0);
        seen[masked[0] - 'a'] = 1;
    }
}

static void code_loses_its_literals(void **state)
{
    static const struct {
        const char *sql, *has, *lacks;
    } cases[] = {
        {"CHECK ((status = ANY (ARRAY['secret'::text, 'other'::text])))", "::text", "secret"},
        {"CHECK ((amount < 4711))", "CHECK ((amount < ", "4711"},
        {"CHECK ((length(name) > 31415))", "length(name)", "31415"},
        {"CHECK ((a::numeric(10,2) > 12))", "numeric(10,2)", "> 12"},
        {"CHECK (('x'::text = 'y'::text) AND (b > 98765))", "AND", "98765"},
        {"SET DEFAULT nextval('public.orders_id_seq'::regclass)", "public.orders_id_seq", "\t"},
        {"SET DEFAULT '1987-06-05'::date", "::date", "1987"},
        {"SET DEFAULT '{\"a\": \"secret\"}'::jsonb", "'{}'::jsonb", "secret"},
        {"SET DEFAULT '{secret,b}'::text[]", "'{}'::text[]", "secret"},
        {"SET DEFAULT '2001-02-03 04:05:06'::timestamp without time zone", "without time zone", "2001"},
        {"CREATE INDEX i ON t USING btree (a) WITH (fillfactor='70') WHERE (b = 'secret'::text)",
         "fillfactor='70'", "secret"},
        {"CREATE FUNCTION f() AS $function$ BEGIN -- secret\n RETURN 'secret'; END $function$", "RETURN",
         "secret"},
        {"CREATE FUNCTION f() AS $x$ SELECT 'it''s secret' $x$", "SELECT", "secret"},
        {"SELECT E'se\\'cret'", "SELECT", "cret"},
        {"SELECT x'5ec7e7'", "SELECT", "5ec7e7"},
        {"SELECT \"secret column\" FROM t", "secret column", "\t"},
        {"SELECT 1 /* secret */", "SELECT 1", "secret"}};
    Mask *mask = mask_new(*state, 3);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *masked = mask_code(mask, cases[i].sql);
        if (strstr(masked, cases[i].has) == NULL || strstr(masked, cases[i].lacks) != NULL)
            fail_msg("%s -> %s", cases[i].sql, masked);
    }
}

static void the_same_literal_stays_the_same(void **state)
{
    Mask *mask = mask_new(*state, 3);
    const char *masked = mask_code(mask, "status = 'paid'::text");
    assert_non_null(strstr(masked, mask_text(mask, "paid")));
}

static void statements_are_masked_by_what_they_make(void **state)
{
    Mask *mask = mask_new(*state, 3);
    const char *table =
        mask_statement(mask, "table", "table public.t",
                       "CREATE TABLE public.t (a numeric(10,2), b text GENERATED ALWAYS AS ((a || "
                       "'secret'::text)) STORED, c character varying(4711)) WITH (fillfactor='85')");
    assert_non_null(strstr(table, "numeric(10,2)"));
    assert_non_null(strstr(table, "varying(4711)"));
    assert_non_null(strstr(table, "fillfactor='85'"));
    assert_null(strstr(table, "secret"));
    assert_null(strstr(
        mask_statement(mask, "before", "type public.mood", "CREATE TYPE public.mood AS ENUM ('secret')"),
        "secret"));
    assert_null(mask_statement(mask, "around", "TABLE t", "ALTER TABLE t OWNER TO secret"));
    assert_null(mask_statement(mask, "around", "policy p", "CREATE POLICY p ON t TO secret USING (true)"));
    assert_null(mask_statement(mask, "table", "table p",
                               "ALTER TABLE t ATTACH PARTITION p FOR VALUES IN ('secret')"));
}

static void definitions_of_mysql_lose_their_literals(void **state)
{
    static const struct {
        const char *part, *sql, *has, *lacks;
    } cases[] = {
        {"table",
         "CREATE TABLE `t` (\n  `a` varchar(40) DEFAULT 'secret' COMMENT 'secret'\n) ENGINE=InnoDB "
         "COMMENT='secret'",
         "varchar(40)", "secret"},
        {"table", "CREATE TABLE `t` (\n  `m` enum('secret','other') NOT NULL\n)", "enum('", "secret"},
        {"table", "CREATE TABLE `t` (\n  `d` date DEFAULT '1987-06-05'\n)", "'2000-01-01'", "1987"},
        {"table", "CREATE TABLE `t` (\n  `n` int(11) DEFAULT 4711\n) KEY_BLOCK_SIZE=8", "int(11)", "4711"},
        {"table", "CREATE TABLE `t` (\n  `n` int DEFAULT '4711'\n) KEY_BLOCK_SIZE=16", "KEY_BLOCK_SIZE=16",
         "4711"},
        {"table",
         "CREATE TABLE `t` (\n  `g` varchar(80) GENERATED ALWAYS AS (concat(`v`,'secret',31415)) VIRTUAL,\n  "
         "KEY `k` (`g`(17))\n)",
         "(`g`(17))", "secret"},
        {"table", "CREATE TABLE `t` (\n  `g` int GENERATED ALWAYS AS (`v` + 31415) VIRTUAL\n)", "(`v` + ",
         "31415"},
        {"check", "ALTER TABLE `t` ADD CONSTRAINT `c` CHECK (`t` <> _utf8mb4'secret' and `i` <> 31415)",
         "_utf8mb4'", "31415"},
        {"around",
         "CREATE TRIGGER `x` BEFORE UPDATE ON `t` FOR EACH ROW SET NEW.c = 'it''s secret' /* secret */",
         "SET NEW.c = ", "secret"},
        {"around",
         "CREATE TRIGGER `x` BEFORE UPDATE ON `t` FOR EACH ROW SET NEW.c = 'se\\'cret', NEW.n = 31415",
         "NEW.n = ", "31415"}};
    Mask *mask = mask_new(*state, 3);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *masked = mask_statement_my(mask, cases[i].part, "t", cases[i].sql);
        if (masked == NULL || strstr(masked, cases[i].has) == NULL || strstr(masked, cases[i].lacks) != NULL)
            fail_msg("%s -> %s", cases[i].sql, masked == NULL ? "nothing" : masked);
    }
    const char *label =
        mask_statement_my(mask, "table", "t", "CREATE TABLE `t` (\n  `m` enum('paid') NOT NULL\n)");
    assert_non_null(strstr(label, mask_text(mask, "paid")));
    assert_null(mask_statement_my(mask, "around", "t", "CREATE TRIGGER x 'not closed"));
}

static void machines_are_told_apart(void **state)
{
    (void)state;
    json_t *own = json_pack("{s:i, s:f, s:f}", "cores", 4, "memory_bytes", 16e9, "sync_ms", 1.0);
    json_t *others[] = {json_pack("{s:i, s:f, s:f}", "cores", 4, "memory_bytes", 17e9, "sync_ms", 2.0),
                        json_object(),
                        json_pack("{s:i, s:f, s:f}", "cores", 8, "memory_bytes", 16e9, "sync_ms", 1.0),
                        json_pack("{s:i, s:f, s:f}", "cores", 4, "memory_bytes", 32e9, "sync_ms", 1.0),
                        json_pack("{s:i, s:f, s:f}", "cores", 4, "memory_bytes", 16e9, "sync_ms", 12.0)};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_int_equal(machine_is_alike(own, others[i]), i < 2);
        json_decref(others[i]);
    }
    assert_true(machine_is_alike(own, NULL) && machine_is_alike(NULL, own));
    json_decref(own);
}

static void scores_of_other_machines_are_left_aside(void **state)
{
    (void)state;
    json_t *here = json_pack("{s:i}", "cores", 4), *there = json_pack("{s:i}", "cores", 64);
    json_t *past = json_pack("{s:[{s:f, s:f, s:f, s:b, s:O}, {s:f, s:f, s:f, s:b, s:O}]}", "changes", "low",
                             1.0, "high", 2.0, "actual", 8.0, "inside", 0, "machine", here, "low", 1.0,
                             "high", 2.0, "actual", 30.0, "inside", 0, "machine", there);
    Past read = past_read(past, here);
    assert_int_equal(read.change_count, 1);
    assert_int_equal(read.elsewhere, 1);
    assert_true(read.factor == 4);
    assert_true(past_read(past, there).factor == 15);
    assert_int_equal(past_read(past, NULL).change_count, 2);
    json_decref(past);
    json_decref(here);
    json_decref(there);
}

static void bounds_move_and_keep_their_distances(void **state)
{
    double bounds[] = {71234567, 71234570, 71235570, 71299999}, values[] = {71234568, 71234569, 71290000};
    Mask *mask = mask_new(*state, 11);
    mask_axis(mask, bounds, 4, values, 3);
    assert_true(bounds[0] >= 1e7 && bounds[0] < 1e8);
    assert_true(bounds[0] != 71234567);
    assert_true(bounds[1] - bounds[0] == 3);
    assert_true(bounds[2] - bounds[1] == 1000);
    assert_true(bounds[3] - bounds[2] == 64000);
    assert_true(values[0] != values[1] && values[1] != values[2]);
    assert_true(values[2] > bounds[2] && values[2] < bounds[3]);
}

/* ---- predictions ---------------------------------------------------------------------------- */

static void the_past_moves_the_ends(void **state)
{
    (void)state;
    PredictRange range = {.low = 5, .high = 10};
    assert_true(fabs(past_score(range, 20) - 2) < 1e-9);
    assert_true(fabs(past_score(range, 2.5) - 2) < 1e-9);
    assert_true(past_score(range, 7) < 1);
    /* Few widen only. */
    double one_inside[] = {0.7}, one_outside[] = {1.5, 0.7};
    assert_true(past_factor(NULL, 0) == 1);
    assert_true(past_factor(one_inside, 1) == 1);
    assert_true(past_factor(one_outside, 2) == 1.5);
    /* Of nineteen the eighteenth: one may be anywhere. */
    double many[19], narrow[19], absurd[] = {1e6};
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        many[i] = i == 3 ? 50 : 0.9 + 0.01 * (double)i;
        narrow[i] = 0.3;
    }
    assert_true(fabs(past_factor(many, 19) - 1.08) < 1e-9);
    assert_true(past_factor(narrow, 19) == 0.8);
    assert_true(past_factor(absurd, 1) == 20);
}

static json_t *told(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static void the_past_is_read_from_the_log(void **state)
{
    (void)state;
    /* The second range was moved by 2 already: before that it was 4 to 8, and 12 is half as much again. */
    json_t *predictions =
        told("{\"changes\": [{\"seconds\": {\"low\": 4, \"high\": 8, \"actual\": 6, \"inside\": true, "
             "\"scored\": true}},"
             "{\"past\": {\"factor\": 2, \"step_factor\": 1},"
             " \"seconds\": {\"low\": 2, \"high\": 16, \"actual\": 12, \"inside\": true, \"scored\": true},"
             " \"steps\": [{\"seconds\": {\"low\": 1, \"high\": 2, \"actual\": 6, \"inside\": false, "
             "\"scored\": true}},"
             "            {\"seconds\": {\"low\": 0, \"high\": 0.01, \"actual\": 0.09, \"inside\": false, "
             "\"scored\": "
             "false}}]},"
             "{\"cut\": true, \"seconds\": {\"low\": 4, \"high\": 8, \"actual\": 600, \"inside\": false, "
             "\"scored\": true}}]}");
    json_t *kept = past_collect(predictions);
    Past past = past_read(kept, NULL);
    assert_int_equal(past.change_count, 2);
    assert_int_equal(past.inside, 2);
    assert_int_equal(past.step_count, 1);
    assert_true(fabs(past.factor - 1.5) < 1e-9);
    assert_true(fabs(past.step_factor - 3) < 1e-9);
    json_decref(kept);
    json_decref(predictions);
}

static void a_damaged_past_says_nothing(void **state)
{
    (void)state;
    json_t *past = told("{\"changes\": [{\"low\": 9, \"high\": 1, \"actual\": 3}, {\"low\": \"x\"}, 7, null,"
                        " {\"low\": -1, \"high\": 1, \"actual\": 3}], \"steps\": \"none\"}");
    Past read = past_read(past, NULL);
    assert_int_equal(read.change_count, 0);
    assert_true(read.factor == 1);
    assert_int_equal(read.step_count, 0);
    assert_true(read.step_factor == 1);
    json_decref(past);
    read = past_read(NULL, NULL);
    assert_int_equal(read.change_count, 0);
    assert_true(read.factor == 1);
}

static void counters_grow_in_step(void **state)
{
    (void)state;
    PredictPoint points[] = {{.rows = 1000, .median = 120000, .least = 120000, .most = 120000},
                             {.rows = 4000, .median = 420000, .least = 420000, .most = 420000},
                             {.rows = 16000, .median = 1620000, .least = 1620000, .most = 1620000}};
    PredictRange range = predict_count(points, 3, 160000);
    assert_true(range.low < 16020000 && range.high > 16020000);
    assert_true(range.high / range.low < 1.1);
}

static void time_is_a_band(void **state)
{
    (void)state;
    PredictPoint points[] = {{.rows = 1000, .median = 0.11, .least = 0.11, .most = 0.11},
                             {.rows = 4000, .median = 0.14, .least = 0.14, .most = 0.14},
                             {.rows = 16000, .median = 0.26, .least = 0.25, .most = 0.27}};
    PredictRange range = predict_seconds(points, 3, 160000, true),
                 wide = predict_seconds(points, 3, 160000, false);
    assert_true(range.low < 1.7 && range.high > 1.7);
    assert_true(range.high / range.low < 4);
    assert_true(wide.low == range.low && wide.high > 1.9 * range.high);
}

static void a_constant_stays_one(void **state)
{
    (void)state;
    PredictPoint points[] = {{.rows = 1000, .median = 0.100, .least = 0.1, .most = 0.1},
                             {.rows = 16000, .median = 0.101, .least = 0.1, .most = 0.101}};
    PredictRange range = predict_seconds(points, 2, 160000, true);
    assert_true(range.low > 0.05 && range.low < 0.12 && range.high >= 0.12);
}

static void one_size_is_enough_to_say_something(void **state)
{
    (void)state;
    PredictPoint point = {.rows = 100, .median = 1, .least = 0.9, .most = 1.2};
    PredictRange range = predict_seconds(&point, 1, 1000, true);
    assert_true(range.low > 0 && range.low < 10 && range.high > 10);
    range = predict_count(&point, 1, 1000);
    assert_true(range.low <= 10 && range.high >= 10);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static const char shop[] =
    "{\"stoa_rehearsal\":1,\"engine\":\"postgres\",\"version\":150020,\"version_text\":\"15.20\","
    "\"search_path\":[\"public\"],\"server\":{\"settings\":{\"shared_buffers\":\"134217728\"}},"
    "\"statements\":[],"
    "\"tables\":[{\"schema\":\"public\",\"name\":\"people\",\"rows\":1000,\"heap_bytes\":81920,\"columns\":["
    "{\"name\":\"id\",\"type\":\"bigint\",\"base\":\"int8\",\"kind\":\"number\",\"size\":8,\"not_null\":true,"
    "\"null_fraction\":0,\"width\":8,\"distinct\":-1,\"correlation\":1,\"bounds\":[5,500,1004]}],\"indexes\":"
    "["
    "{\"name\":\"people_pkey\",\"bytes\":40960,\"unique\":true,\"primary\":true,\"whole\":true,\"btree\":"
    "true,"
    "\"columns\":[\"id\"]}]},"
    "{\"schema\":\"public\",\"name\":\"orders\",\"rows\":10000,\"heap_bytes\":819200,\"columns\":["
    "{\"name\":\"id\",\"type\":\"bigint\",\"base\":\"int8\",\"kind\":\"number\",\"size\":8,\"not_null\":true,"
    "\"null_fraction\":0,\"width\":8,\"distinct\":-1,\"correlation\":0.1,\"bounds\":[1,10000]},"
    "{\"name\":\"person\",\"type\":\"bigint\",\"base\":\"int8\",\"kind\":\"number\",\"size\":8,\"not_null\":"
    "true,"
    "\"null_fraction\":0,\"width\":8,\"distinct\":900,\"correlation\":0.0,\"bounds\":[5,1004]},"
    "{\"name\":\"status\",\"type\":\"text\",\"base\":\"text\",\"kind\":\"text\",\"not_null\":false,"
    "\"null_fraction\":0.5,\"width\":6,\"distinct\":2,\"correlation\":0.3,\"frequencies\":[0.3,0.2],"
    "\"common\":[\"secret\",\"known\"]}],\"indexes\":[{\"name\":\"orders_pkey\",\"bytes\":240000,\"unique\":"
    "true,"
    "\"primary\":true,\"whole\":true,\"btree\":true,\"columns\":[\"id\"]}],\"references\":[{\"schema\":"
    "\"public\","
    "\"name\":\"people\",\"columns\":[\"person\"],\"keys\":[\"id\"]}]}]}";

static void rows_are_sql(void **state)
{
    Facts facts;
    json_t *json = NULL;
    assert_null(facts_parse(*state, shop, &json, &facts));
    json_t *words = json_pack("{s:b}", "known", 1);
    const FactTable *orders = facts_find(&facts, NULL, "orders"),
                    *people = facts_find(&facts, "public", "people");
    assert_non_null(orders);
    Fill *fill = fill_new(*state, &facts, orders, 2000, words);
    assert_int_equal(fill_row_count(fill, orders), 2000);
    assert_int_equal(fill_row_count(fill, people), 200);
    const FactTable *const *tables = NULL;
    size_t count = 0;
    fill_tables(*state, &facts, &orders, 1, &tables, &count);
    assert_int_equal(count, 2);
    assert_ptr_equal(tables[0], people); /* before those that refer to it */
    const char *sql = NULL;
    assert_null(fill_insert(fill, orders, NULL, 0, 2000, &sql));
    assert_non_null(strstr(sql, "generate_series(0::bigint, 1999::bigint)"));
    assert_null(strstr(sql, "'secret'"));
    assert_non_null(strstr(sql, "'known'")); /* a text that the change names */
    assert_non_null(strstr(sql, "% 200"));   /* a level of people */
    assert_non_null(fill_key_filter(fill, orders, "$1::bigint"));
    json_decref(words);
    json_decref(json);
}

static void damage_is_named(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"stoa_rehearsal\":2}",
        "{\"stoa_rehearsal\":1}",
        "{\"stoa_rehearsal\":1,\"engine\":\"postgres\",\"version\":5,\"version_text\":\"x\"}",
        "{\"stoa_rehearsal\":1,\"engine\":\"postgres\",\"version\":150000,\"version_text\":\"x\",\"tables\":"
        "3}",
        "{\"stoa_rehearsal\":1,\"engine\":\"postgres\",\"version\":150000,\"version_text\":\"x\",\"tables\":["
        "{}]}",
        "{\"stoa_rehearsal\":1,\"engine\":\"postgres\",\"version\":150000,\"version_text\":\"x\","
        "\"statements\":[7]}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        Facts facts;
        json_t *json = NULL;
        Err *err = facts_parse(*state, texts[i], &json, &facts);
        if (!err_is(err, ERR_CONFIG))
            fail_msg("taken: %s", texts[i]);
        err_free(err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text_keeps_its_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(short_texts_stay_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(code_loses_its_literals, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_literal_stays_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(statements_are_masked_by_what_they_make, setup, teardown),
        cmocka_unit_test_setup_teardown(definitions_of_mysql_lose_their_literals, setup, teardown),
        cmocka_unit_test(machines_are_told_apart),
        cmocka_unit_test(scores_of_other_machines_are_left_aside),
        cmocka_unit_test_setup_teardown(bounds_move_and_keep_their_distances, setup, teardown),
        cmocka_unit_test(the_past_moves_the_ends),
        cmocka_unit_test(the_past_is_read_from_the_log),
        cmocka_unit_test(a_damaged_past_says_nothing),
        cmocka_unit_test_setup_teardown(counters_grow_in_step, setup, teardown),
        cmocka_unit_test_setup_teardown(time_is_a_band, setup, teardown),
        cmocka_unit_test_setup_teardown(a_constant_stays_one, setup, teardown),
        cmocka_unit_test_setup_teardown(one_size_is_enough_to_say_something, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_are_sql, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
