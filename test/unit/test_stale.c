/* What may be removed: which columns a statement names, which index covers which, whose leftover a name is.
 */
#include "base/str.h"
#include "run/contract.h"
#include "run/stale.h"
#include "run/stale_named.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

/* ---- statements ----------------------------------------------------------------------------- */

static const char *const orders_columns[] = {"note", "total", "old_ref"};
static const char *const people_columns[] = {"name", "old_ref"};
static const char *const orders_parts[] = {"orders_2024"};

/* "note total old_ref": columns of orders that the statement names; "-": it is no use of orders at all. */
static const char *named_by(Arena *arena, const char *sql, bool mysql, bool body)
{
    static const MyDialect dialect = {.version = 80036};
    Named *named = named_new(arena);
    named_add(named, "public", "orders", orders_parts, 1, orders_columns, ARRAY_LEN(orders_columns));
    named_add(named, "public", "people", NULL, 0, people_columns, ARRAY_LEN(people_columns));
    Words words = mysql ? words_my(arena, &dialect, sql) : words_pg(arena, sql);
    if (body)
        named_body(named, &words);
    else
        named_statement(named, &words, 5);
    const NamedTable *orders = named_at(named, 0);
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; i < orders->column_count; i++)
        if (orders->columns[i].named)
            str_addf(&text, "%s%s", text.len > 0 ? " " : "", orders->columns[i].name);
    if (orders->calls == 0 && !body && text.len == 0)
        return "-";
    return arena_dup(arena, text.buf);
}

static void test_statements(void **state)
{
    (void)state;
    static const char all[] = "note total old_ref";
    static const struct {
        const char *sql, *named;
    } cases[] = {
        {"SELECT note FROM orders WHERE id = $1", "note"},
        {"SELECT o.\"total\" FROM public.orders AS o", "total"},
        {"SELECT 'old_ref', $1 /* old_ref */ FROM orders -- old_ref", ""},
        {"SELECT note FROM orders_2024", "note"},
        {"SELECT name FROM people", "-"},
        {"SELECT p.old_ref FROM people p JOIN orders o ON o.id = p.id", "old_ref"}, /* in doubt: both */
        {"SELECT * FROM orders", all},
        {"SELECT o.*, 1 FROM orders o", all},
        {"SELECT DISTINCT ON (id) * FROM orders", all},
        {"SELECT count(*) FROM orders", ""},
        {"SELECT total * 2 FROM orders", "total"},
        {"SELECT id * total FROM orders", "total"},
        {"UPDATE orders SET note = $1 WHERE id = $2 RETURNING *", all},
        {"INSERT INTO orders VALUES ($1, $2)", all},
        {"INSERT INTO orders (id, note) VALUES ($1, $2)", "note"},
        {"INSERT INTO orders AS o (id, note) VALUES ($1, $2) ON CONFLICT DO NOTHING", "note"},
        {"INSERT INTO orders SELECT $1, $2", all},
        {"COPY orders FROM STDIN", all},
        {"COPY public.orders (id, note, total, old_ref) TO stdout", "-"},
        {"COPY public.orders (id, note) TO stdout", "note"},
        {"COPY orders TO stdout", "-"},
        {"COPY (SELECT * FROM orders) TO stdout", all},
        {"MERGE INTO orders USING x ON x.id = orders.id WHEN NOT MATCHED THEN INSERT VALUES (1)", all},
        {"SELECT row_to_json(orders) FROM orders", all},
        {"SELECT to_jsonb(o) FROM orders o", all},
        {"SELECT o FROM orders o", all},
        {"SELECT id, o FROM orders o", all},
        {"SELECT o.id FROM orders o, people", ""},
        {"SELECT id FROM (orders JOIN people USING (id))", ""},
        {"TABLE orders", all},
        {"SELECT id FROM orders NATURAL JOIN people", all},
        {"WITH x AS (SELECT note FROM orders) SELECT * FROM x", all},
        {"CREATE INDEX ON orders (old_ref)", "-"},
        {"ALTER TABLE orders DROP COLUMN old_ref", "-"},
        {"EXPLAIN SELECT old_ref FROM orders", "-"},
        {"ANALYZE orders (old_ref)", "-"},
        {"DELETE FROM ONLY orders WHERE total < $1", "total"},
        {"SELECT NOTE FROM ORDERS", "note"},
        {"SELECT id FROM orders WHERE note = 'unterminated", all},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        const char *named = named_by(arena, cases[i].sql, false, false);
        if (strcmp(named, cases[i].named) != 0)
            fail_msg("%s: names \"%s\", not \"%s\"", cases[i].sql, named, cases[i].named);
    }
}

static void test_digests_and_bodies(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    static const char all[] = "note total old_ref";
    assert_string_equal(
        named_by(arena, "SELECT `o` . `note` FROM `orders` `o` WHERE `id` IN (...)", true, false), "note");
    assert_string_equal(
        named_by(arena, "SELECT `id` , `total` FROM `orders` WHERE `id` = ? ...", true, false), all);
    assert_string_equal(named_by(arena, "SELECT `a` , `old_ref` ...", true, false), "old_ref");
    assert_string_equal(named_by(arena, "REPLACE INTO `orders` VALUES (...)", true, false), all);
    assert_string_equal(named_by(arena, "SHOW COLUMNS FROM `orders`", true, false), "-");
    assert_string_equal(named_by(arena, "BEGIN NEW.old_ref := 1; RETURN NEW; END", false, true), "old_ref");
    assert_string_equal(
        named_by(arena, "BEGIN FOR r IN SELECT * FROM orders LOOP NULL; END LOOP; END", false, true), all);
}

/* ---- indexes -------------------------------------------------------------------------------- */

static char *quote(Arena *arena, const char *schema, const char *name)
{
    return schema == NULL ? arena_dup(arena, name) : arena_printf(arena, "%s.%s", schema, name);
}

static Stale *stale_of(Arena *arena, StaleFact fact, const char *json)
{
    static const char server[] =
        "[{\"statistics_age_s\": 4000000, \"statistics_since\": \"long ago\", \"counts\": true}]";
    Stale *stale = arena_alloc(arena, sizeof *stale);
    *stale = (Stale){.arena = arena,
                     .quote = quote,
                     .elsewhere = json_object(),
                     .live = json_object(),
                     .findings = json_array()};
    json_error_t why;
    stale->facts[STALE_SERVER] = json_loads(server, 0, NULL);
    stale->facts[fact] = json_loads(json, 0, &why);
    if (stale->facts[fact] == NULL)
        fail_msg("%s: %s", json, why.text);
    return stale;
}

/* "kind object confidence" of each, one a line. */
static const char *told(Stale *stale)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    size_t i = 0;
    const json_t *each = NULL;
    json_array_foreach(stale->findings, i, each)
        str_addf(&text, "%s%s %s %s", text.len > 0 ? "\n" : "", stale_text(each, "kind"),
                 stale_text(each, "object"), stale_text(each, "confidence"));
    const char *res = arena_dup(stale->arena, text.buf);
    for (i = 0; i < STALE_FACT_COUNT; i++)
        json_decref(stale->facts[i]);
    json_decref(stale->elsewhere);
    json_decref(stale->live);
    json_decref(stale->findings);
    return res;
}

#define INDEX(name, keys, more)                                                                              \
    "{\"schema\": \"s\", \"table\": \"t\", \"name\": \"" name "\", \"method\": \"btree\", \"keys\": [" keys  \
    "], \"columns\": [\"c\"], \"bytes\": 1000000, \"table_bytes\": 9000000, \"valid\": true, \"scans\": "    \
    "5" more "}"

static void test_indexes(void **state)
{
    (void)state;
    static const struct {
        const char *rows, *told;
    } cases[] = {
        {"[" INDEX("a", "\"1 x\"", "") "," INDEX("b", "\"2 x\"", "") "]", ""},
        {"[" INDEX("a", "\"1 x\"", "") "," INDEX("b", "\"1 x\"", "") "]", "duplicate-index s.b high"},
        {"[" INDEX("a", "\"1 x\"", "") "," INDEX("b", "\"1 x\"", ", \"unique\": true") "]",
         "duplicate-index s.a high"},
        {"[" INDEX("a", "\"1 x\"", ", \"held\": true") "," INDEX("b", "\"1 x\"", "") "]",
         "duplicate-index s.b high"},
        {"[" INDEX("a", "\"1 x\"", ", \"held\": true") "," INDEX("b", "\"1 x\"", ", \"primary\": true") "]",
         ""},
        {"[" INDEX("a", "\"1 x\"", "") "," INDEX("b", "\"1 y\"", "") "]", ""},
        {"[" INDEX("a", "\"1 x\"", ", \"predicate\": \"p\"") "," INDEX("b", "\"1 x\"", "") "]", ""},
        {"[" INDEX("a", "\"1 x\"", "") "," INDEX("b", "\"1 x\", \"2 x\"", "") "]",
         "redundant-index s.a high"},
        {"[" INDEX("a", "\"2 x\"", "") "," INDEX("b", "\"1 x\", \"2 x\"", "") "]", ""},
        {"[" INDEX("a", "\"1 x\"", ", \"unique\": true") "," INDEX("b", "\"1 x\", \"2 x\"", "") "]", ""},
        {"[" INDEX("a", "\"1 x\"", ", \"includes\": [\"2\"]") "," INDEX("b", "\"1 x\", \"2 x\"", "") "]",
         "redundant-index s.a high"},
        {"[" INDEX("a", "\"1 x\"", ", \"includes\": [\"3\"]") "," INDEX("b", "\"1 x\", \"2 x\"", "") "]", ""},
        {"[" INDEX("a", "\"1 x\"", ", \"part\": true") "," INDEX("b", "\"1 x\"", ", \"part\": true") "]", ""},
        {"[" INDEX("a", "\"1 x\"", ", \"unique\": true") "," INDEX(
             "b", "\"1 x\"", ", \"unique\": true, \"immediate\": false") "]",
         "duplicate-index s.b high"},
        {"[" INDEX("a", "\"1 x\"", ", \"scans\": 0") "]", "unused-index s.a high"},
        {"[" INDEX("a", "\"1 x\"", ", \"scans\": 0, \"unique\": true") "]", ""},
        {"[" INDEX("a", "\"1 x\"", ", \"scans\": 0, \"table_bytes\": 1000") "]", ""},
        {"[" INDEX("a", "\"1 x\"", ", \"scans\": 0, \"table_uses\": 0") "]", "unused-index s.a low"},
        {"[" INDEX("a", "\"1 x\"", ", \"scans\": 0, \"foreign\": [\"f\"]") "]", "unused-index s.a medium"},
        {"[" INDEX("a", "\"1 x\"", ", \"valid\": false") "," INDEX("b", "\"1 x\"", "") "]",
         "invalid-index s.a high"},
        {"[" INDEX("a", "\"1 x\"", ", \"valid\": false, \"busy\": true") "]", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        Stale *stale = stale_of(arena, STALE_INDEXES, cases[i].rows);
        stale_indexes(stale);
        const char *is = told(stale);
        if (strcmp(is, cases[i].told) != 0)
            fail_msg("%s:\n%s\nnot\n%s", cases[i].rows, is, cases[i].told);
    }
}

/* ---- leftovers ------------------------------------------------------------------------------ */

static void test_leftovers(void **state)
{
    (void)state;
    static const struct {
        const char *row, *told;
    } cases[] = {
        {"\"type\": \"table\", \"name\": \"_t_gho\", \"age_s\": 90000", "leftover s._t_gho high"},
        {"\"type\": \"table\", \"name\": \"_t_gho\", \"age_s\": 60", "leftover s._t_gho low"},
        {"\"type\": \"table\", \"name\": \"_t_gho\", \"alive\": \"1\"", ""},
        {"\"type\": \"table\", \"name\": \"_t_old\", \"note\": \"t\"", "leftover s._t_old medium"},
        {"\"type\": \"table\", \"name\": \"_t_old\"", ""},
        {"\"type\": \"table\", \"name\": \"_gho\"", ""},
        {"\"type\": \"trigger\", \"table\": \"t\", \"name\": \"pt_osc_s_t_ins\"",
         "leftover s.t.pt_osc_s_t_ins medium"},
        {"\"type\": \"table\", \"name\": \"t__stoa_new\", \"note\": \"t\"", "leftover s.t__stoa_new high"},
        {"\"type\": \"table\", \"name\": \"live__stoa_new\", \"note\": \"live\"", ""},
        {"\"type\": \"trigger\", \"table\": \"t\", \"name\": \"stoa_7_ins\", \"note\": \"7\"",
         "leftover s.t.stoa_7_ins high"},
        {"\"type\": \"trigger\", \"table\": \"t\", \"name\": \"stoa_8_ins\", \"note\": \"8\"", ""},
        {"\"type\": \"trigger\", \"table\": \"live\", \"name\": \"zz_stoa_sync_insert\", \"note\": \"stoa\"",
         ""},
        {"\"type\": \"table\", \"name\": \"log_17\"", ""},
        {"\"type\": \"function\", \"name\": \"sync_all\"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        Stale *stale =
            stale_of(arena, STALE_OBJECTS,
                     arena_printf(arena, "[{\"schema\": \"s\", \"drop\": \"DROP IT\", %s}]", cases[i].row));
        json_object_set_new(stale->live, "s.live", json_true());
        json_object_set_new(stale->live, "change:8", json_true());
        stale_objects(stale);
        const char *is = told(stale);
        if (strcmp(is, cases[i].told) != 0)
            fail_msg("%s: %s, not %s", cases[i].row, is, cases[i].told);
    }
}

/* ---- comments ------------------------------------------------------------------------------- */

static void test_comments(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *detail = json_pack("{s:s, s:s, s:s}", "owner", "pay", "expires", "2031-01-01", "schema", "s");
    assert_string_equal(contract_comment(arena, NULL, detail), "[stoa: owner pay; expires 2031-01-01]");
    assert_string_equal(contract_comment(arena, "theirs", detail),
                        "theirs [stoa: owner pay; expires 2031-01-01]");
    assert_string_equal(contract_comment(arena, "theirs [stoa: flag x]", detail),
                        "theirs [stoa: owner pay; expires 2031-01-01]");
    assert_string_equal(contract_comment(arena, "[stoa: flag x]", detail),
                        "[stoa: owner pay; expires 2031-01-01]");
    assert_string_equal(contract_comment(arena, "theirs  [stoa: x]", detail),
                        "theirs  [stoa: owner pay; expires 2031-01-01]");
    assert_string_equal(contract_comment(arena, "a [stoa: x] b", detail),
                        "a [stoa: x] b [stoa: owner pay; expires 2031-01-01]");
    json_decref(detail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements), cmocka_unit_test(test_digests_and_bodies),
        cmocka_unit_test(test_indexes),    cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_comments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
