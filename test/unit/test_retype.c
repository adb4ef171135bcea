/* Another type: which ones cost nothing, definitions for columns of other names, and what refers to a column.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "plan/maker.h"

static void test_widens(void **state)
{
    static const struct {
        const char *from, *to;
        bool widens;
    } cases[] = {
        {"character varying(10)", "varchar(20)", true},
        {"character varying(10)", "varchar(5)", false},
        {"character varying(10)", "text", true},
        {"character varying", "character varying(100)", false},
        {"text", "character varying", true},
        {"text", "character varying(100)", false},
        {"character(5)", "text", false},
        {"character(5)", "character(6)", false},
        {"numeric(8,2)", "numeric(10,2)", true},
        {"numeric(8,2)", "numeric(10,3)", false},
        {"numeric(8,2)", "numeric", true},
        {"numeric", "numeric(10,2)", false},
        {"numeric(8,0)", "numeric(9)", true},
        {"timestamp(3) without time zone", "timestamp", true},
        {"timestamp(3) without time zone", "timestamp(2) without time zone", false},
        {"timestamp without time zone", "timestamp with time zone", false},
        {"bit varying(4)", "varbit(8)", true},
        {"bit(4)", "bit(8)", false},
        {"cidr", "inet", true},
        {"inet", "cidr", false},
        {"integer", "bigint", false},
        {"integer", "oid", false},
        {"character varying(5)[]", "character varying(9)[]", false},
        {"interval(3)", "interval", true},
    };
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (type_widens(arena, cases[i].from, cases[i].to) != cases[i].widens)
            fail_msg("%s to %s", cases[i].from, cases[i].to);
    assert_true(type_injective(arena, "integer", "bigint"));
    assert_true(type_injective(arena, "smallint", "numeric"));
    assert_false(type_injective(arena, "bigint", "integer"));
    assert_false(type_injective(arena, "numeric(8,2)", "integer"));
}

static const char *const from[] = {"id", "my Col"}, *const to[] = {"_stoa_id", "_stoa_my Col"};
static const ColumnNames names = {.table = "t", .from = from, .to = to, .count = 2};

static void test_indexes(void **state)
{
    static const struct {
        const char *definition, *tablespace, *expected;
    } cases[] = {
        {"CREATE UNIQUE INDEX \"A b\" ON public.t USING btree (id)", NULL, "USING btree (_stoa_id)"},
        {"CREATE INDEX i ON s.t USING btree (\"my Col\" DESC NULLS LAST, a text_pattern_ops) INCLUDE (id) "
         "WHERE (id > "
         "5)",
         NULL,
         "USING btree (\"_stoa_my Col\" DESC NULLS LAST, a text_pattern_ops) INCLUDE (_stoa_id) WHERE "
         "_stoa_id > 5"},
        {"CREATE INDEX i ON s.t USING gin (lower(\"my Col\") gin_trgm_ops) WITH (fastupdate='off')",
         "fast disk",
         "USING gin (lower(\"_stoa_my Col\")gin_trgm_ops) WITH (fastupdate='off') TABLESPACE \"fast disk\""},
        {"CREATE INDEX i ON t USING btree ((t.*::text))", NULL, NULL},
        {"CREATE INDEX i ON t USING btree (((t)::text))", NULL, NULL},
    };
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *sql = NULL;
        Err *err = redefine_index_pg(arena, cases[i].definition, &names, cases[i].tablespace, &sql);
        if (cases[i].expected == NULL)
            assert_true(err_is(err, ERR_UNSAFE));
        else if (err != NULL)
            fail_msg("%s: %s", cases[i].definition, err->msg);
        else
            assert_string_equal(sql, cases[i].expected);
        err_free(err);
    }
}

static void test_constraints(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *sql = NULL;
    assert_null(
        redefine_constraint_pg(arena, "CHECK (((id > 0) AND (t.id < 9))) NOT VALID", &names, NULL, &sql));
    assert_string_equal(sql, "CHECK (_stoa_id > 0 AND t._stoa_id < 9)");
    assert_null(redefine_constraint_pg(
        arena,
        "FOREIGN KEY (a, id) REFERENCES public.p(x, id) MATCH FULL ON UPDATE CASCADE ON "
        "DELETE SET NULL DEFERRABLE INITIALLY DEFERRED NOT VALID",
        &names, &names, &sql));
    assert_string_equal(
        sql, "FOREIGN KEY (a, _stoa_id) REFERENCES public.p (x, _stoa_id) MATCH FULL ON UPDATE CASCADE "
             "ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED");
    assert_null(redefine_constraint_pg(arena, "FOREIGN KEY (id) REFERENCES p(id)", &names, NULL, &sql));
    assert_string_equal(sql, "FOREIGN KEY (_stoa_id) REFERENCES p (id)");
    Err *err =
        redefine_constraint_pg(arena, "FOREIGN KEY (id) REFERENCES p(id) NOT ENFORCED", &names, NULL, &sql);
    assert_true(err_is(err, ERR_UNSAFE));
    err_free(err);
}

static void test_statistics(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *sql = NULL;
    const Name name = {"s", "_stoa_x"};
    assert_null(redefine_statistics_pg(
        arena, "CREATE STATISTICS s.x (ndistinct, mcv) ON id, (\"my Col\" + 1), a FROM s.t", &name, &names,
        &sql));
    assert_string_equal(
        sql, "CREATE STATISTICS s._stoa_x (ndistinct, mcv) ON _stoa_id, (\"_stoa_my Col\" + 1), a FROM s.t");
    assert_null(redefine_row_expr_pg(arena, "new.id::bigint + id", "new", &names, &sql));
    assert_string_equal(sql, "new._stoa_id::bigint + id");
}

/* customers.id is referred to by orders.customer and by itself; nothing refers to those. */
static void test_grows(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    static const char *const id[] = {"id"}, *const customer[] = {"customer"}, *const boss[] = {"boss"};
    ColumnPart parts[] = {
        {.kind = PART_REFERENCE,
         .name = "of",
         .table_schema = "public",
         .table_name = "orders",
         .columns = customer,
         .column_count = 1,
         .ref_columns = id,
         .ref_column_count = 1},
        {.kind = PART_REFERENCE,
         .name = "boss",
         .table_schema = "public",
         .table_name = "customers",
         .columns = boss,
         .column_count = 1,
         .ref_columns = id,
         .ref_column_count = 1},
    };
    ColumnParts of_id = {.column = "id", .twin = "_stoa_id", .items = parts, .count = 2};
    Column columns[] = {{.name = "id", .type = "integer"}, {.name = "boss", .type = "integer"}};
    Table tables[] = {{.schema = "public",
                       .name = "customers",
                       .id = 1,
                       .kind = RELATION_TABLE,
                       .columns = columns,
                       .column_count = 2,
                       .column_parts = &of_id,
                       .column_parts_count = 1}};
    Operation ops[] = {
        {.kind = OPERATION_CHANGE_TYPE, .table = {NULL, "customers"}, .column = "id", .type_sql = "bigint"}};
    Change change = {.operations = ops, .operation_count = 1}, grown = {0};
    WantedName wanted[] = {{.name = {NULL, "customers"}}};
    assert_true(plan_grow(arena, &change, wanted, tables, 1, &grown));
    assert_int_equal(grown.operation_count, 3);
    assert_string_equal(grown.operations[1].table.name, "orders");
    assert_string_equal(grown.operations[1].column, "customer");
    assert_string_equal(grown.operations[1].sql,
                        "ALTER TABLE public.orders ALTER COLUMN customer TYPE bigint");
    assert_string_equal(grown.operations[2].column, "boss");
    assert_false(plan_grow(arena, &grown, wanted, tables, 1, &change));
    ops[0].type_sql = "integer";
    change = (Change){.operations = ops, .operation_count = 1};
    assert_false(plan_grow(arena, &change, wanted, tables, 1, &grown));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widens),     cmocka_unit_test(test_indexes), cmocka_unit_test(test_constraints),
        cmocka_unit_test(test_statistics), cmocka_unit_test(test_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
