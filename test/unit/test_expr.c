/* Expressions over one row: their forms, what they depend on, and that nothing is lost when they are written
 * back. */
#include "base/str.h"
#include "change/change.h"

#include <pg_query.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const columns[] = {"id",   "amount", "Amount", "currency", "note",  "data",
                                      "tags", "paid",   "at",     "select",   "gross", "label"};
static const char *const generated[] = {NULL, NULL, NULL, NULL, NULL,           NULL,
                                        NULL, NULL, NULL, NULL, "amount * 1.2", "lower(note)"};
static const char *const types[] = {"bigint", "numeric(10,2)", "integer",
                                    "text",   "text",          "jsonb",
                                    "text[]", "boolean",       "timestamp with time zone",
                                    "text",   "numeric(10,2)", "text"};
static const char *const collations[] = {NULL, NULL, NULL, NULL, NULL, NULL,
                                         NULL, NULL, NULL, NULL, NULL, "pg_catalog.\"C\""};
static const ExprScope orders = {.table = {.schema = "public", .name = "orders"},
                                 .columns = columns,
                                 .generated = generated,
                                 .types = types,
                                 .collations = collations,
                                 .column_count = ARRAY_LEN(columns)};

/* "plain\ntrigger\nsources flags", or the error. */
static char *show(const char *expr, const ExprScope *scope)
{
    Arena *arena = arena_new();
    ExprForms forms;
    Str str = STR_INIT;
    Err *err = expr_forms_pg(arena, expr, scope, &forms);
    if (err != NULL) {
        char *text = err_text(err);
        str_addf(&str, "%s: %s", err_kind_name(err->kind), text);
        if (err->hint != NULL)
            str_addf(&str, " hint<%s>", err->hint);
        free(text);
        err_free(err);
    } else {
        str_addf(&str, "%s\n%s\n", forms.plain, forms.trigger);
        for (size_t i = 0; i < forms.source_count; i++)
            str_addf(&str, "%s%s", i == 0 ? "" : ",", forms.sources[i]);
        str_add(&str, forms.sub_select ? " sub-select" : "");
        str_add(&str, forms.whole_row ? " whole-row" : "");
    }
    arena_free(arena);
    return str_take(&str);
}

typedef struct Case {
    const char *expr, *expected;
} Case;

static void expect_all(const Case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *shown = show(cases[i].expr, &orders);
        assert_string_equal(shown, cases[i].expected);
        free(shown);
    }
}

static void test_columns(void **state UNUSED)
{
    static const Case cases[] = {
        {"(amount * 100)::bigint", "(amount * 100)::bigint\n"
                                   "(new.amount * 100)::bigint\n"
                                   "amount"},
        {"orders.amount + public.orders.\"Amount\"", "amount + \"Amount\"\n"
                                                     "new.amount + new.\"Amount\"\n"
                                                     "Amount,amount"},
        {"\"select\" || note", "\"select\" || note\n"
                               "new.\"select\" || new.note\n"
                               "note,select"},
        {"amount", "amount\n"
                   "new.amount\n"
                   "amount"},
        {"5", "5\n"
              "5\n"},
        {"AMOUNT", "amount\n"
                   "new.amount\n"
                   "amount"},
        {"gross", "gross\n"
                  "(new.amount * 1.2)::numeric(10, 2)\n"
                  "amount"},
        {"gross * 2", "gross * 2\n"
                      "(new.amount * 1.2)::numeric(10, 2) * 2\n"
                      "amount"},
        {"label < 'x'", "label < 'x'\n"
                        "lower(new.note)::text COLLATE pg_catalog.\"C\" < 'x'\n"
                        "note"},
        {"coalesce(gross, label::numeric, id)",
         "COALESCE(gross, label::numeric, id)\n"
         "COALESCE((new.amount * 1.2)::numeric(10, 2), (lower(new.note)::text COLLATE "
         "pg_catalog.\"C\")::numeric, new.id)\n"
         "amount,id,note"},
        {"CASE WHEN paid THEN amount ELSE -amount END",
         "CASE WHEN paid THEN amount ELSE - amount END\n"
         "CASE WHEN new.paid THEN new.amount ELSE - new.amount END\n"
         "amount,paid"},
        {"data->>'k'", "data ->> 'k'\n"
                       "new.data ->> 'k'\n"
                       "data"},
        {"tags[1]", "tags[1]\n"
                    "new.tags[1]\n"
                    "tags"},
        {"(data).x", "(data).x\n"
                     "(new.data).x\n"
                     "data"},
        {"now()", "now()\n"
                  "now()\n"},
        {"f(note => note, VARIADIC tags)", "f(note := note, VARIADIC tags)\n"
                                           "f(note := new.note, VARIADIC new.tags)\n"
                                           "note,tags"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_sub_selects(void **state UNUSED)
{
    static const Case cases[] = {
        {"(SELECT rate FROM rates r WHERE r.currency = orders.currency)",
         "(SELECT rate FROM rates r WHERE r.currency = orders.currency)\n"
         "(SELECT (SELECT rate FROM rates r WHERE r.currency = orders.currency) FROM (SELECT new.id AS id, "
         "new.amount AS amount, new.\"Amount\" AS \"Amount\", new.currency AS currency, new.note AS note, "
         "new.data AS data, new.tags AS tags, new.paid AS paid, new.at AS at, new.\"select\" AS \"select\", "
         "(new.amount * 1.2)::numeric(10, 2) AS gross, lower(new.note)::text COLLATE pg_catalog.\"C\" AS "
         "label) AS orders)\n"
         "currency sub-select"},
        {"(SELECT max(r.rate) FROM public.rates r WHERE r.currency = public.orders.currency AND r.at < "
         "orders.at) * orders.amount",
         "(SELECT max(r.rate) FROM public.rates r WHERE r.currency = orders.currency AND r.at < orders.at) * "
         "amount\n"
         "(SELECT (SELECT max(r.rate) FROM public.rates r WHERE r.currency = orders.currency AND r.at < "
         "orders.at) * amount FROM (SELECT new.id AS id, new.amount AS amount, new.\"Amount\" AS \"Amount\", "
         "new.currency AS currency, new.note AS note, new.data AS data, new.tags AS tags, new.paid AS paid, "
         "new.at AS at, new.\"select\" AS \"select\", (new.amount * 1.2)::numeric(10, 2) AS gross, "
         "lower(new.note)::text COLLATE pg_catalog.\"C\" AS label) AS orders)\n"
         "amount,at,currency sub-select"},
        {"EXISTS (SELECT 1 FROM paid)",
         "EXISTS (SELECT 1 FROM paid)\n"
         "(SELECT EXISTS (SELECT 1 FROM paid) FROM (SELECT new.id AS id, new.amount AS amount, "
         "new.\"Amount\" AS \"Amount\", new.currency AS currency, new.note AS note, new.data AS data, "
         "new.tags AS tags, new.paid AS paid, new.at AS at, new.\"select\" AS \"select\", (new.amount * "
         "1.2)::numeric(10, 2) AS gross, lower(new.note)::text COLLATE pg_catalog.\"C\" AS label) AS "
         "orders)\n"
         " sub-select"},
        {"amount IN (SELECT x FROM y)",
         "amount IN (SELECT x FROM y)\n"
         "(SELECT amount IN (SELECT x FROM y) FROM (SELECT new.id AS id, new.amount AS amount, "
         "new.\"Amount\" AS \"Amount\", new.currency AS currency, new.note AS note, new.data AS data, "
         "new.tags AS tags, new.paid AS paid, new.at AS at, new.\"select\" AS \"select\", (new.amount * "
         "1.2)::numeric(10, 2) AS gross, lower(new.note)::text COLLATE pg_catalog.\"C\" AS label) AS "
         "orders)\n"
         "amount sub-select"},
        {"(SELECT count(*) FROM orders o WHERE o.note = orders.note)",
         "(SELECT count(*) FROM orders o WHERE o.note = orders.note)\n"
         "(SELECT (SELECT count(*) FROM orders o WHERE o.note = orders.note) FROM (SELECT new.id AS id, "
         "new.amount AS amount, new.\"Amount\" AS \"Amount\", new.currency AS currency, new.note AS note, "
         "new.data AS data, new.tags AS tags, new.paid AS paid, new.at AS at, new.\"select\" AS \"select\", "
         "(new.amount * 1.2)::numeric(10, 2) AS gross, lower(new.note)::text COLLATE pg_catalog.\"C\" AS "
         "label) AS orders)\n"
         "note sub-select"},
        {"(SELECT sum(amount) FROM orders)",
         "(SELECT sum(amount) FROM orders)\n"
         "(SELECT (SELECT sum(amount) FROM orders) FROM (SELECT new.id AS id, new.amount AS amount, "
         "new.\"Amount\" AS \"Amount\", new.currency AS currency, new.note AS note, new.data AS data, "
         "new.tags AS tags, new.paid AS paid, new.at AS at, new.\"select\" AS \"select\", (new.amount * "
         "1.2)::numeric(10, 2) AS gross, lower(new.note)::text COLLATE pg_catalog.\"C\" AS label) AS "
         "orders)\n"
         "amount sub-select"},
        {"(SELECT public.orders.id FROM other.orders)",
         "usage: a sub-select reads another table named \"orders\" hint<give the table in the sub-select an "
         "alias>"},
        {"(SELECT gross)",
         "(SELECT gross)\n"
         "(SELECT (SELECT gross) FROM (SELECT new.id AS id, new.amount AS amount, new.\"Amount\" AS "
         "\"Amount\", new.currency AS currency, new.note AS note, new.data AS data, new.tags AS tags, "
         "new.paid AS paid, new.at AS at, new.\"select\" AS \"select\", (new.amount * 1.2)::numeric(10, 2) "
         "AS gross, lower(new.note)::text COLLATE pg_catalog.\"C\" AS label) AS orders)\n"
         "amount sub-select"},
        {"(SELECT $$a$$ || label)",
         "(SELECT 'a' || label)\n"
         "(SELECT (SELECT 'a' || label) FROM (SELECT new.id AS id, new.amount AS amount, new.\"Amount\" AS "
         "\"Amount\", new.currency AS currency, new.note AS note, new.data AS data, new.tags AS tags, "
         "new.paid AS paid, new.at AS at, new.\"select\" AS \"select\", (new.amount * 1.2)::numeric(10, 2) "
         "AS gross, lower(new.note)::text COLLATE pg_catalog.\"C\" AS label) AS orders)\n"
         "note sub-select"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_whole_rows(void **state UNUSED)
{
    static const Case cases[] = {
        {"to_jsonb(orders)",
         "(SELECT to_jsonb(orders) FROM (SELECT id AS id, amount AS amount, \"Amount\" AS \"Amount\", "
         "currency AS currency, note AS note, data AS data, tags AS tags, paid AS paid, at AS at, \"select\" "
         "AS \"select\", gross AS gross, label AS label) AS orders)\n"
         "(SELECT to_jsonb(orders) FROM (SELECT new.id AS id, new.amount AS amount, new.\"Amount\" AS "
         "\"Amount\", new.currency AS currency, new.note AS note, new.data AS data, new.tags AS tags, "
         "new.paid AS paid, new.at AS at, new.\"select\" AS \"select\", (new.amount * 1.2)::numeric(10, 2) "
         "AS gross, lower(new.note)::text COLLATE pg_catalog.\"C\" AS label) AS orders)\n"
         "Amount,amount,at,currency,data,id,note,paid,select,tags whole-row"},
        {"to_jsonb(orders.*) - 'x'",
         "(SELECT to_jsonb(orders.*) - 'x' FROM (SELECT id AS id, amount AS amount, \"Amount\" AS "
         "\"Amount\", currency AS currency, note AS note, data AS data, tags AS tags, paid AS paid, at AS "
         "at, \"select\" AS \"select\", gross AS gross, label AS label) AS orders)\n"
         "(SELECT to_jsonb(orders.*) - 'x' FROM (SELECT new.id AS id, new.amount AS amount, new.\"Amount\" "
         "AS \"Amount\", new.currency AS currency, new.note AS note, new.data AS data, new.tags AS tags, "
         "new.paid AS paid, new.at AS at, new.\"select\" AS \"select\", (new.amount * 1.2)::numeric(10, 2) "
         "AS gross, lower(new.note)::text COLLATE pg_catalog.\"C\" AS label) AS orders)\n"
         "Amount,amount,at,currency,data,id,note,paid,select,tags whole-row"},
        {"f(public.orders.*)",
         "(SELECT f(orders.*) FROM (SELECT id AS id, amount AS amount, \"Amount\" AS \"Amount\", currency AS "
         "currency, note AS note, data AS data, tags AS tags, paid AS paid, at AS at, \"select\" AS "
         "\"select\", gross AS gross, label AS label) AS orders)\n"
         "(SELECT f(orders.*) FROM (SELECT new.id AS id, new.amount AS amount, new.\"Amount\" AS \"Amount\", "
         "new.currency AS currency, new.note AS note, new.data AS data, new.tags AS tags, new.paid AS paid, "
         "new.at AS at, new.\"select\" AS \"select\", (new.amount * 1.2)::numeric(10, 2) AS gross, "
         "lower(new.note)::text COLLATE pg_catalog.\"C\" AS label) AS orders)\n"
         "Amount,amount,at,currency,data,id,note,paid,select,tags whole-row"},
        {"(orders).amount",
         "(SELECT (orders).amount FROM (SELECT id AS id, amount AS amount, \"Amount\" AS \"Amount\", "
         "currency AS currency, note AS note, data AS data, tags AS tags, paid AS paid, at AS at, \"select\" "
         "AS \"select\", gross AS gross, label AS label) AS orders)\n"
         "(SELECT (orders).amount FROM (SELECT new.id AS id, new.amount AS amount, new.\"Amount\" AS "
         "\"Amount\", new.currency AS currency, new.note AS note, new.data AS data, new.tags AS tags, "
         "new.paid AS paid, new.at AS at, new.\"select\" AS \"select\", (new.amount * 1.2)::numeric(10, 2) "
         "AS gross, lower(new.note)::text COLLATE pg_catalog.\"C\" AS label) AS orders)\n"
         "Amount,amount,at,currency,data,id,note,paid,select,tags whole-row"},
        {"(SELECT f(orders))",
         "(SELECT (SELECT f(orders)) FROM (SELECT id AS id, amount AS amount, \"Amount\" AS \"Amount\", "
         "currency AS currency, note AS note, data AS data, tags AS tags, paid AS paid, at AS at, \"select\" "
         "AS \"select\", gross AS gross, label AS label) AS orders)\n"
         "(SELECT (SELECT f(orders)) FROM (SELECT new.id AS id, new.amount AS amount, new.\"Amount\" AS "
         "\"Amount\", new.currency AS currency, new.note AS note, new.data AS data, new.tags AS tags, "
         "new.paid AS paid, new.at AS at, new.\"select\" AS \"select\", (new.amount * 1.2)::numeric(10, 2) "
         "AS gross, lower(new.note)::text COLLATE pg_catalog.\"C\" AS label) AS orders)\n"
         "Amount,amount,at,currency,data,id,note,paid,select,tags sub-select whole-row"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_refused(void **state UNUSED)
{
    static const Case cases[] = {
        {"amout * 2", "usage: there is no column \"amout\" in \"orders\" hint<did you mean \"amount\"?>"},
        {"foo", "usage: there is no column \"foo\" in \"orders\""},
        {"orders.amout", "usage: there is no column \"amout\" in \"orders\" hint<did you mean \"amount\"?>"},
        {"other.amount", "usage: there is no table \"other\" beside the row of \"orders\" hint<other tables "
                         "are read by a sub-select: (SELECT … FROM other …)>"},
        {"x.orders.amount", "usage: there is no table \"orders\" beside the row of \"orders\" hint<other "
                            "tables are read by a sub-select: (SELECT … FROM orders …)>"},
        {"*", "usage: expression \"*\": \"*\" is no value"},
        {"orders.amount.x", "usage: there is no table \"amount\" beside the row of \"orders\" hint<other "
                            "tables are read by a sub-select: (SELECT … FROM amount …)>"},
        {"new.amount", "usage: there is no table \"new\" beside the row of \"orders\" hint<other tables are "
                       "read by a sub-select: (SELECT … FROM new …)>"},
        {"sum(amount)", "usage: expression \"sum(amount)\": the aggregate \"sum\" needs more than one row"},
        {"count(*)", "usage: expression \"count(*)\": the aggregate \"count\" needs more than one row"},
        {"pg_catalog.max(id)",
         "usage: expression \"pg_catalog.max(id)\": the aggregate \"max\" needs more than one row"},
        {"array_agg(DISTINCT note)", "usage: expression \"array_agg(DISTINCT note)\": the aggregate "
                                     "\"array_agg\" needs more than one row"},
        {"lag(id) OVER (ORDER BY id)", "usage: expression \"lag(id) OVER (ORDER BY id)\": the window "
                                       "function \"lag\" needs more than one row"},
        {"row_number() OVER ()", "usage: expression \"row_number() OVER ()\": the window function "
                                 "\"row_number\" needs more than one row"},
        {"unnest(tags)",
         "usage: expression \"unnest(tags)\": \"unnest\" returns a set of rows, not one value"},
        {"generate_series(1, 2)", "usage: expression \"generate_series(1, 2)\": \"generate_series\" returns "
                                  "a set of rows, not one value"},
        {"regexp_matches(note, $$x$$)", "usage: expression \"regexp_matches(note, $$x$$)\": "
                                        "\"regexp_matches\" returns a set of rows, not one value"},
        {"mode() WITHIN GROUP (ORDER BY id)", "usage: expression \"mode() WITHIN GROUP (ORDER BY id)\": the "
                                              "aggregate \"mode\" needs more than one row"},
        {"sum(id) FILTER (WHERE paid)",
         "usage: expression \"sum(id) FILTER (WHERE paid)\": the aggregate \"sum\" needs more than one row"},
        {"$1 + 1", "usage: expression \"$1 + 1\": there is no parameter $1"},
        {"DEFAULT", "usage: expression \"DEFAULT\": DEFAULT is no expression"},
        {"1, 2", "usage: expression \"1, 2\": one expression is expected here (line 1, column 1)"},
        {"1 AS x", "usage: expression \"1 AS x\": one expression is expected here (line 1, column 1)"},
        {"1 x", "usage: expression \"1 x\": one expression is expected here (line 1, column 1)"},
        {"1;",
         "usage: expression \"1;\": one expression is expected here, without a semicolon (line 1, column 2)"},
        {"1; SELECT 2",
         "usage: expression \"1; SELECT 2\": one statement is expected here (line 1, column 1)"},
        {"amount FROM orders",
         "usage: expression \"amount FROM orders\": one expression is expected here (line 1, column 1)"},
        {"DISTINCT amount",
         "usage: expression \"DISTINCT amount\": one expression is expected here (line 1, column 1)"},
        {"1 +", "usage: expression \"1 +\": syntax error at end of input (line 1, column 4)"},
        {"", "usage: expression \"\": one expression is expected here (line 1, column 1)"},
        {"-- x", "usage: expression \"-- x\": one expression is expected here (line 1, column 1)"},
        {"1) + (2", "usage: expression \"1) + (2\": syntax error at or near \")\" (line 1, column 2)"},
        {"amount) FROM (SELECT 1",
         "usage: expression \"amount) FROM (SELECT 1\": syntax error at or near \")\" (line 1, column 7)"},
        {"1 UNION SELECT 2",
         "usage: expression \"1 UNION SELECT 2\": one expression is expected here (line 1, column 1)"},
        {"'oops",
         "usage: expression \"'oops\": unterminated quoted string at or near \"'oops\" (line 1, column 1)"},
        {"\n"
         "ž amount +\n"
         "  * 2",
         "usage: expression \"\n"
         "ž amount +\n"
         "  * 2\": syntax error at or near \"+\" (line 2, column 10)"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static const char *const round_trips[] = {
    "CAST(amount AS numeric(10,2))",
    "CURRENT_DATE",
    "current_timestamp(3)",
    "localtime",
    "current_user",
    "session_user",
    "CASE WHEN amount > 1 THEN 'x' WHEN paid THEN 'y' ELSE 'z' END",
    "CASE id WHEN 1 THEN 2 END",
    "ARRAY[1,2,id]",
    "ARRAY[]::int[]",
    "ARRAY[[1,2],[3,4]]",
    "(ARRAY[1,2,3])[2]",
    "tags[1:2]",
    "tags[:2][3]",
    "tags[id + 1]",
    "(tags || tags)[1]",
    "coalesce(note, currency, 'c')",
    "greatest(id,amount)",
    "least(id,amount)",
    "nullif(id,amount)",
    "id OPERATOR(pg_catalog.+) amount",
    "id OPERATOR(public.@@@) amount",
    "data ->> 'k'",
    "data -> 'a' -> 'b' ->> 0",
    "data #>> '{a,b}'",
    "data ? 'k'",
    "data ?| array['a','b']",
    "data @> '{\"a\":1}'::jsonb",
    "jsonb_path_query_first(data, '$.x ? (@ > 1)')",
    "note LIKE 'a%'",
    "note NOT LIKE 'a!%' ESCAPE '!'",
    "note ILIKE 'a%'",
    "note NOT ILIKE 'a%'",
    "note SIMILAR TO 'a%'",
    "note ~* 'a.*'",
    "note LIKE (currency || '%')",
    "id BETWEEN 1 AND 2",
    "id NOT BETWEEN 1 AND 2",
    "id BETWEEN SYMMETRIC 2 AND 1",
    "paid BETWEEN (paid AND paid) AND paid",
    "id IN (1,2,3)",
    "id NOT IN (1,2)",
    "at AT TIME ZONE 'UTC'",
    "at AT TIME ZONE 'x' AT TIME ZONE 'y'",
    "(at + interval '1 day') AT TIME ZONE 'x'",
    "(at AT TIME ZONE 'x')::date",
    "(id,amount) < (1,2)",
    "ROW(id,amount) = ROW(1,2)",
    "(id,amount) IN ((1,2),(3,4))",
    "(id,amount) = ANY (SELECT 1,2)",
    "extract(epoch FROM at)",
    "extract(year from at)::int",
    "date_part('year', at)",
    "U&'\\0441\\043B'",
    "\"Amount\" + 1",
    "note IS NULL",
    "note IS NOT NULL",
    "paid IS TRUE",
    "paid IS NOT UNKNOWN",
    "(paid AND paid) IS TRUE",
    "id IS DISTINCT FROM amount",
    "id IS NOT DISTINCT FROM amount",
    "paid IS NOT DISTINCT FROM (paid OR paid)",
    "NOT paid",
    "NOT (paid AND paid OR paid)",
    "NOT (NOT paid)",
    "(NOT paid) = paid",
    "(NOT paid)::text",
    "(paid OR paid) AND NOT paid",
    "- (-id)",
    "-(-1)",
    "1 - -1",
    "(id + amount) * 2",
    "id - (id - (id - 1))",
    "(id = 1) = paid",
    "(id = 1) IN (true)",
    "-id ^ 2",
    "(-id) ^ 2",
    "-(id ^ 2)",
    "note || ' ' || currency",
    "(note || currency) COLLATE \"C\"",
    "note COLLATE \"C\" || currency",
    "upper(note COLLATE pg_catalog.\"C\")",
    "substring(note from 1 for 2)",
    "substring(note from 'x' for '#')",
    "position('a' in note)",
    "overlay(note placing 'x' from 1 for 2)",
    "trim(both ' ' from note)",
    "trim(leading from note)",
    "trim(note)",
    "interval '1 day'",
    "interval '1' day",
    "'1 day'::interval day to second",
    "date '2020-01-01'",
    "timestamp with time zone '2020-01-01'",
    "'f'::boolean",
    "id::int::text::varchar(3)",
    "id::pg_catalog.int4",
    "id::\"MyType\"",
    "id::myschema.\"MyType\"[]",
    "note::\"char\"",
    "note::bit varying(3)",
    "note::interval hour to minute",
    "(SELECT max(x) FROM t WHERE t.id = orders.id ORDER BY 1 LIMIT 1)",
    "EXISTS (SELECT 1 FROM t WHERE t.a = id)",
    "id NOT IN (SELECT x FROM t)",
    "id < ALL (SELECT x FROM t)",
    "id = ANY (array[1,2])",
    "id <> ALL ('{1,2}'::int[])",
    "ARRAY(SELECT x FROM t ORDER BY x DESC NULLS LAST)",
    "(WITH x AS (SELECT 1 AS y) SELECT y FROM x)",
    "(SELECT x FROM unnest(tags) WITH ORDINALITY AS u(x, n) LIMIT 1)",
    "(SELECT string_agg(x, ',' ORDER BY x) FILTER (WHERE x > 'a') FROM regexp_split_to_table(note, ',') x)",
    "(SELECT row_number() OVER (PARTITION BY a ORDER BY b) FROM t LIMIT 1)",
    "(SELECT a FROM b JOIN c USING (id) LEFT JOIN d ON d.x = c.x)",
    "(SELECT DISTINCT ON (a) b FROM t ORDER BY a, c DESC NULLS LAST OFFSET 1)",
    "(SELECT id UNION ALL SELECT 2)",
    "((data).b[1]).c",
    "pg_catalog.lower(note)",
    "myschema.\"MyFunc\"(note)",
    "xmlelement(name foo, note)",
    "(at, at) OVERLAPS (at, at)",
    "note IS NFC NORMALIZED",
    "id <-> amount",
    "@ id"};

/* A table outside of the search path, without types: no casts; its name must be quoted. */
static void test_other_table(void **state UNUSED)
{
    static const char *const names[] = {"a", "B c"};
    static const char *const made[] = {NULL, "a + 1"};
    ExprScope scope = {.table = {.schema = "s", .name = "My Table"},
                       .columns = names,
                       .generated = made,
                       .column_count = ARRAY_LEN(names)};
    char *shown = show("s.\"My Table\".\"B c\" * a", &scope);
    assert_string_equal(shown, "\"B c\" * a\n(new.a + 1) * new.a\na");
    free(shown);
    shown = show("(SELECT x FROM u WHERE u.a = s.\"My Table\".\"B c\")", &scope);
    assert_string_equal(shown,
                        "(SELECT x FROM u WHERE u.a = \"My Table\".\"B c\")\n"
                        "(SELECT (SELECT x FROM u WHERE u.a = \"My Table\".\"B c\") FROM (SELECT new.a AS a, "
                        "new.a + 1 AS \"B c\") AS \"My Table\")\na sub-select");
    free(shown);
    scope.generated = NULL;
    shown = show("\"B c\"", &scope);
    assert_string_equal(shown, "\"B c\"\nnew.\"B c\"\nB c");
    free(shown);
}

static uint64_t fingerprint(const char *expr)
{
    char *sql = malloc(strlen(expr) + 8);
    (void)sprintf(sql, "SELECT %s", expr);
    PgQueryFingerprintResult res = pg_query_fingerprint(sql);
    assert_null(res.error);
    uint64_t value = res.fingerprint;
    pg_query_free_fingerprint_result(res);
    free(sql);
    return value;
}

/* What is written is what was meant: the parser's own fingerprint of both is one. */
static void test_round_trip(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(round_trips); i++) {
        Arena *arena = arena_new();
        ExprForms forms;
        Err *err = expr_forms_pg(arena, round_trips[i], &orders, &forms);
        if (err != NULL)
            print_error("%s: %s\n", round_trips[i], err->msg);
        assert_null(err);
        if (fingerprint(forms.plain) != fingerprint(round_trips[i]))
            print_error("%s became %s\n", round_trips[i], forms.plain);
        assert_true(fingerprint(forms.plain) == fingerprint(round_trips[i]));
        /* Writing again changes nothing. */
        ExprForms again;
        assert_null(expr_forms_pg(arena, forms.plain, &orders, &again));
        assert_string_equal(again.plain, forms.plain);
        arena_free(arena);
    }
}

/* The fingerprint leaves constants out, so these are looked at as text. */
static void test_constants(void **state UNUSED)
{
    static const char *const same[] = {"'it''s'",       "E'a\\\\b'",
                                       "'žluťoučký 🐎'", "1.50",
                                       "1e10",          "12345678901234567890",
                                       "NULL",          "true",
                                       "'1'::text",     "b'101'",
                                       "x'1F'",         "-1",
                                       "'a\nb'",        "'$1 %s -- /* x'",
                                       "'\"'",          "'new.amount'"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        Arena *arena = arena_new();
        ExprForms forms;
        assert_null(expr_forms_pg(arena, same[i], &orders, &forms));
        assert_string_equal(forms.plain, same[i]);
        assert_string_equal(forms.trigger, same[i]);
        assert_int_equal(forms.source_count, 0);
        arena_free(arena);
    }
}

static void test_nesting(void **state UNUSED)
{
    Str str = STR_INIT;
    for (int i = 0; i < 3000; i++)
        str_add(&str, "(1 + ");
    str_add(&str, "1");
    for (int i = 0; i < 3000; i++)
        str_add(&str, ")");
    Arena *arena = arena_new();
    ExprForms forms;
    Err *err = expr_forms_pg(arena, str.buf, &orders, &forms);
    assert_true(err_is(err, ERR_USAGE));
    assert_non_null(strstr(err->msg, "nested too deep"));
    err_free(err);
    arena_free(arena);
    str_done(&str);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),     cmocka_unit_test(test_sub_selects),
        cmocka_unit_test(test_whole_rows),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_other_table), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_constants),   cmocka_unit_test(test_nesting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
