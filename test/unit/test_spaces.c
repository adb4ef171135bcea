/* Statements are led from real schemas to their stand-ins, and nothing is left of the real ones; what cannot
 * be told for sure is doubted. */
#include "engine/postgres/lexeme.h"
#include "engine/postgres/spaces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* By name: z_0 Odd.Shop, z_1 Sh"op, z_2 public, z_3 shop, z_4 stoa. */
static Spaces make_spaces(Arena *arena)
{
    static const char *const real[] = {"stoa", "shop", "public", "Sh\"op", "Odd.Shop"};
    static const SpaceMember members[] = {{"public", "citext"}, {"public", "="}, {"public", "similarity"}};
    Spaces spaces = {.base = "z", .count = ARRAY_LEN(real), .member_count = ARRAY_LEN(members)};
    spaces.items = arena_alloc(arena, sizeof(Space) * ARRAY_LEN(real));
    spaces.members = arena_alloc(arena, sizeof members);
    memcpy(spaces.members, members, sizeof members);
    for (size_t i = 0; i < ARRAY_LEN(real); i++)
        spaces.items[i].real = real[i];
    spaces_name(arena, &spaces);
    return spaces;
}

typedef struct Case {
    const char *from, *to; /* `to` NULL: stays as it is */
} Case;

static const Case cases[] = {
    {"ALTER TABLE public.orders ADD COLUMN c int", "ALTER TABLE z_2.orders ADD COLUMN c int"},
    {"ALTER TABLE orders ADD COLUMN public int", NULL},
    {"ALTER TABLE PUBLIC . \"Orders\" ADD x shop.Mood", "ALTER TABLE z_2 . \"Orders\" ADD x z_3.Mood"},
    {"SELECT \"public\".a.b, \"PUBLIC\".c, o.public FROM o", "SELECT z_2.a.b, \"PUBLIC\".c, o.public FROM o"},
    {"SELECT \"Odd.Shop\".t.x, \"Sh\"\"op\".f(1)", "SELECT z_0.t.x, z_1.f(1)"},
    {"SELECT 1 -- public.orders\n FROM shop.a/* shop.b /* shop.c */ */",
     "SELECT 1 -- public.orders\n FROM z_3.a/* shop.b /* shop.c */ */"},
    {"SELECT nextval('public.s'::regclass)", "SELECT nextval('z_2.s'::regclass)"},
    {"SELECT nextval('\"Sh\"\"op\".\"S\"'::regclass)", "SELECT nextval('z_1.\"S\"'::regclass)"},
    {"SELECT 'it''s public.a'", NULL},
    {"SELECT 'say ''public.a'' now'", "SELECT 'say ''z_2.a'' now'"},
    {"SELECT E'a\\'b', 'x'", NULL},
    {"SELECT E'public.a'", "SELECT 'z_2.a'"},
    {"CREATE FUNCTION shop.f() RETURNS int LANGUAGE sql AS $f$SELECT count(*) FROM public.t$f$",
     "CREATE FUNCTION z_3.f() RETURNS int LANGUAGE sql AS $f$SELECT count(*) FROM z_2.t$f$"},
    {"AS $$BEGIN EXECUTE 'DROP TABLE shop.t'; EXECUTE $x$ALTER TABLE shop.u$x$; END$$",
     "AS $$BEGIN EXECUTE 'DROP TABLE z_3.t'; EXECUTE $x$ALTER TABLE z_3.u$x$; END$$"},
    {"CREATE FUNCTION f() SET search_path = public, \"Odd.Shop\", pg_temp AS ''",
     "CREATE FUNCTION f() SET search_path = z_2, z_0, pg_temp AS ''"},
    {"SET search_path TO 'shop', 'pg_temp'", "SET search_path TO 'z_3', 'pg_temp'"},
    {"ALTER TABLE t SET SCHEMA shop", "ALTER TABLE t SET SCHEMA z_3"},
    {"CREATE SCHEMA IF NOT EXISTS stoa; COMMENT ON SCHEMA stoa IS 'x'",
     "CREATE SCHEMA IF NOT EXISTS z_4; COMMENT ON SCHEMA z_4 IS 'x'"},
    {"GRANT ALL ON ALL TABLES IN SCHEMA shop, public TO shop",
     "GRANT ALL ON ALL TABLES IN SCHEMA z_3, z_2 TO shop"},
    {"DROP SCHEMA IF EXISTS shop CASCADE", "DROP SCHEMA IF EXISTS z_3 CASCADE"},
    {"CREATE TABLE t (schema text, public int)", NULL},
    {"SET LOCAL stoa.bypass = 'on'; SELECT 1 FROM stoa.meta",
     "SET LOCAL stoa.bypass = 'on'; SELECT 1 FROM z_4.meta"},
    {"ALTER TABLE t ADD c public.citext DEFAULT public.similarity('a', 'b')", NULL},
    {"SELECT a OPERATOR(public.=) b, a OPERATOR(public.===) b, a OPERATOR(shop.=) b",
     "SELECT a OPERATOR(public.=) b, a OPERATOR(z_2.===) b, a OPERATOR(z_3.=) b"},
    {"SELECT $1, a$b$.public, $2", NULL},
    {"FOR i IN 1..2 LOOP shop.f(); END LOOP", "FOR i IN 1..2 LOOP z_3.f(); END LOOP"},
    {"SELECT B'01', X'ff', N'shop.x', e'shop'", "SELECT B'01', X'ff', 'z_3.x', e'shop'"},
    {"", NULL},
    {".public.", NULL},
    {"public.", "z_2."},
};

static void test_leads_to_stand_ins(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Spaces spaces = make_spaces(arena);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *why = NULL;
        const char *now = spaces_rewrite(&spaces, arena, cases[i].from, &why);
        assert_string_equal(now, cases[i].to == NULL ? cases[i].from : cases[i].to);
        if (why != NULL)
            fail_msg("%s: %s", cases[i].from, why);
    }
}

static void test_doubts(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Spaces spaces = make_spaces(arena);
    static const char *const doubtful[] = {
        "ALTER TABLE db.public.orders ADD x int",
        "ALTER TABLE U&\"publi\\0063\".t ADD x int",
        "SELECT U&'p\\0075blic.t'::regclass",
        "SELECT E'public.\\x6frders'::regclass",
        "SELECT 'public.a'\n'b'::regclass",
        "SELECT 'open",
        "SELECT \"open",
        "SELECT $a$ open",
        "ALTER TABLE abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij.t ADD x int",
    };
    for (size_t i = 0; i < ARRAY_LEN(doubtful); i++) {
        const char *why = NULL;
        (void)spaces_rewrite(&spaces, arena, doubtful[i], &why);
        assert_non_null(why);
    }
}

static void test_back(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Spaces spaces = make_spaces(arena);
    spaces.base = "stoa_scratch_1_2_ab";
    spaces_name(arena, &spaces);
    static const Case back[] = {
        {"column stoa_scratch_1_2_ab_2.orders.id: type = stoa_scratch_1_2_ab_0.m",
         "column public.orders.id: type = \"Odd.Shop\".m"},
        {"relation \"stoa_scratch_1_2_ab_0.t\" is not there", "relation \"Odd.Shop.t\" is not there"},
        {"\"stoa_scratch_1_2_ab_1\"", "\"Sh\"op\""},
        {"stoa_scratch_1_2_ab_17.t stoa_scratch_1_2_ab stoa_scratch_1_2_ab_", NULL},
        {"nothing", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(back); i++)
        assert_string_equal(spaces_back(&spaces, arena, back[i].from),
                            back[i].to == NULL ? back[i].from : back[i].to);
    assert_string_equal(spaces_real(&spaces, "stoa_scratch_1_2_ab_3"), "shop");
    assert_string_equal(spaces_real(&spaces, "stoa_scratch_1_2_ab_3x"), "stoa_scratch_1_2_ab_3x");
    assert_string_equal(spaces_real(&spaces, "other"), "other");
}

static void test_only_what_a_schema_binds_is_tried(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Spaces spaces = make_spaces(arena);
    static const char *const tried[] = {
        "ALTER TABLE t ADD x int",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)",
        "SET LOCAL ROLE x; DROP TABLE t; RESET ROLE;",
        "COMMENT ON COLUMN t.a IS 'x'",
        "GRANT SELECT ON t TO x",
        "REVOKE ALL ON SCHEMA shop FROM x",
        "CREATE SCHEMA IF NOT EXISTS shop",
        "DROP SCHEMA shop",
        "REINDEX (VERBOSE) TABLE t",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
        "  /* x */ ; ;",
        "CREATE CONSTRAINT TRIGGER t",
        "INSERT INTO stoa.meta VALUES (2)",
        "ALTER TEXT SEARCH CONFIGURATION c ADD MAPPING FOR word WITH simple",
    };
    static const char *const refused[] = {
        "DO $$BEGIN END$$",
        "CREATE EXTENSION x",
        "CREATE SCHEMA unknown",
        "CREATE SCHEMA AUTHORIZATION x",
        "DROP SCHEMA shop, other",
        "ALTER SCHEMA shop RENAME TO x",
        "CREATE ROLE x",
        "GRANT a TO b",
        "GRANT CREATE ON DATABASE x TO y",
        "DROP OWNED BY x",
        "ALTER TABLE ALL IN TABLESPACE x SET TABLESPACE y",
        "ALTER MATERIALIZED VIEW ALL IN TABLESPACE x SET TABLESPACE y",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO x",
        "REINDEX DATABASE x",
        "ANALYZE",
        "CLUSTER",
        "CREATE CAST (a AS b)",
        "SELECT 1; CREATE EVENT TRIGGER x",
        "COPY t TO PROGRAM 'x'",
        "CALL x()",
        "COMMIT",
        "CREATE PUBLICATION x",
        "; 1",
        "CREATE FOREIGN TABLE f (a int) SERVER s",
        "ALTER EXTENSION x UPDATE",
        "COMMENT ON ROLE x IS ''",
        "EXECUTE x",
        "\"select\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(tried); i++)
        if (spaces_refuse(&spaces, arena, tried[i]) != NULL)
            fail_msg("refused: %s", tried[i]);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (spaces_refuse(&spaces, arena, refused[i]) == NULL)
            fail_msg("not refused: %s", refused[i]);
}

static void test_words_and_builds(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    assert_string_equal(spaces_words(arena, "SELECT A.\"b\\\"\"c\", 'x.y', $$z$$, 1"),
                        "{\"select\",\"a\",\"b\\\\\\\"c\",\"x\",\"y\",\"z\"}");
    assert_string_equal(spaces_at_once(arena, "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)"),
                        "CREATE UNIQUE INDEX  i ON t (a)");
    assert_true(spaces_chained(arena, "DROP TABLE t; SELECT 1"));
    assert_true(spaces_chained(arena, "SELECT 1; ALTER TABLE t RENAME TO u;; DROP TABLE u;"));
    assert_false(spaces_chained(arena, "CREATE TABLE t (a int); DROP TABLE t;"));
    assert_null(spaces_at_once(arena, "DROP INDEX CONCURRENTLY i"));
    assert_null(spaces_at_once(arena, "CREATE TABLE concurrently (a int)"));
}

/* Every prefix, at the end of its memory: no byte behind it is read (valgrind and the sanitizers watch). */
static void test_any_end(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Spaces spaces = make_spaces(arena);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t len = 0; len <= strlen(cases[i].from); len++) {
            const char *why = NULL;
            Lexeme lexeme;
            char *text = arena_dupn(arena, cases[i].from, len);
            for (size_t at = 0; lexeme_next(text, len, at, &lexeme); at = lexeme.end) {
                assert_true(lexeme.start >= at && lexeme.end > lexeme.start && lexeme.end <= len);
                assert_true(lexeme.inner <= lexeme.inner_end && lexeme.inner_end <= lexeme.end);
            }
            (void)spaces_rewrite(&spaces, arena, text, &why);
            (void)spaces_refuse(&spaces, arena, text);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leads_to_stand_ins),
        cmocka_unit_test(test_doubts),
        cmocka_unit_test(test_back),
        cmocka_unit_test(test_only_what_a_schema_binds_is_tried),
        cmocka_unit_test(test_words_and_builds),
        cmocka_unit_test(test_any_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
