/* Statements that a new column changes are told from those that it does not. */
#include "engine/postgres/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct StarCase {
    const char *why; /* NULL: nothing to tell */
    const char *statement;
} StarCase;

static const StarCase cases[] = {
    {"SELECT *", "SELECT * FROM orders WHERE id = $1"},
    {"SELECT table.*", "select o.* from public.orders o where id=1"},
    {NULL, "SELECT c.* FROM customers c JOIN orders o ON o.c = c.id"},
    {"SELECT table.*", "SELECT o.*, c.name FROM customers c JOIN orders AS o ON o.c = c.id"},
    {NULL, "SELECT * FROM customers WHERE id IN (SELECT customer_id FROM orders)"},
    {NULL, "SELECT * FROM (SELECT a FROM orders) s"},
    {NULL, "SELECT count(*) FROM orders"},
    {NULL, "SELECT count(o.*) FROM orders o"},
    {NULL, "SELECT a * b FROM orders"},
    {NULL, "SELECT 1 FROM x WHERE EXISTS (SELECT * FROM orders WHERE y)"},
    {"RETURNING *", "UPDATE orders SET a = 1 WHERE id = 2 RETURNING *"},
    {"RETURNING *", "DELETE FROM orders RETURNING orders.*"},
    {"RETURNING *", "INSERT INTO orders (a, b) VALUES ($1, $2) RETURNING *"},
    {NULL, "UPDATE orders SET a = 1 FROM b WHERE b.id = orders.id RETURNING b.*"},
    {"INSERT without a column list", "INSERT INTO orders VALUES ($1, $2)"},
    {NULL, "INSERT INTO orders (a, b) VALUES ($1, $2)"},
    {NULL, "INSERT INTO public.orders AS o (a) VALUES (1)"},
    {"INSERT without a column list", "INSERT INTO orders SELECT * FROM other"},
    {"INSERT without a column list", "INSERT INTO orders (SELECT 1)"},
    {NULL, "INSERT INTO orders DEFAULT VALUES"},
    {"COPY FROM without a column list", "COPY orders FROM STDIN"},
    {NULL, "COPY orders (a,b) FROM STDIN"},
    {NULL, "COPY orders TO STDOUT"},
    {NULL, "COPY other.orders FROM STDIN"},
    {NULL, "SELECT * FROM other.orders"},
    {NULL, "SELECT * FROM \"Orders\""},
    {"SELECT *", "SELECT * FROM \"orders\""},
    {NULL, "SELECT * FROM orders_archive"},
    {NULL, "SELECT 'select * from orders' FROM y"},
    {NULL, "SELECT $x$ select * from orders $x$, E'\\' select * from orders' FROM y"},
    {NULL, "/* select * from orders */ SELECT id FROM orders -- select * from orders"},
    {"SELECT *", "WITH x AS (SELECT * FROM orders WHERE id = 1) SELECT a FROM x"},
    {"SELECT *", "SELECT * FROM ONLY orders"},
    {"SELECT table.*", "SELECT \"orders\".\"id\", \"orders\".* FROM \"orders\""},
    {"SELECT *", "SELECT * FROM customers c LEFT JOIN orders o ON true"},
    {NULL, "CREATE VIEW v AS SELECT * FROM orders"},
    {NULL, "SELECT *"},
    {NULL, "SELECT * FROM orders."},
    {NULL, "'"},
    {NULL, "\""},
    {NULL, "$x$ ("},
    {NULL, ""},
};

static void test_star_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *why = star_reason(cases[i].statement, "public", "orders");
        if (why == NULL && cases[i].why == NULL)
            continue;
        print_message("%s\n", cases[i].statement);
        assert_non_null(why);
        assert_non_null(cases[i].why);
        assert_string_equal(why, cases[i].why);
    }
}

static void test_quoted_name(void **state)
{
    (void)state;
    assert_non_null(star_reason("SELECT * FROM \"Or\"\"ders\"", "public", "Or\"ders"));
    assert_non_null(star_reason("SELECT * FROM \"Sh op\".\"Orders\"", "Sh op", "Orders"));
    assert_null(star_reason("SELECT * FROM \"Or\"\"ders2\"", "public", "Or\"ders"));
}

static const struct {
    const char *why, *statement; /* uses of orders.note */
} uses[] = {
    {"names it", "SELECT o.note FROM orders o"},
    {"names it", "UPDATE \"orders\" SET \"note\" = $1 WHERE id = $2"},
    {"names it", "WITH x AS (SELECT NOTE FROM public.Orders) SELECT * FROM x"},
    {"names it", "PREPARE p AS SELECT note FROM orders"},
    {"names it", "COPY orders (id, note) TO stdout"},
    {"INSERT without a column list", "INSERT INTO orders VALUES ($1, $2)"},
    {"COPY FROM without a column list", "COPY orders FROM stdin"},
    {NULL, "SELECT * FROM orders"},
    {NULL, "SELECT id FROM orders WHERE status = 'note'"},
    {NULL, "SELECT note FROM customers"},
    {NULL, "SELECT note FROM other.orders"},
    {NULL, "SELECT notes FROM orders"},
    {NULL, "ALTER TABLE orders ALTER COLUMN note DROP NOT NULL"},
    {NULL, "CREATE VIEW v AS SELECT note FROM orders"},
    {NULL, "-- SELECT note FROM orders"},
    {NULL, "INSERT INTO orders (id) VALUES ($1) /* note */"},
    {NULL, ""},
};

static void test_use_reason(void **state)
{
    (void)state;
    static const char *const columns[] = {"note"};
    for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
        const char *why = use_reason(uses[i].statement, "public", "orders", columns, 1);
        if (why == NULL && uses[i].why == NULL)
            continue;
        print_message("%s\n", uses[i].statement);
        assert_non_null(why);
        assert_non_null(uses[i].why);
        assert_string_equal(why, uses[i].why);
    }
    assert_non_null(use_reason("SELECT 1 FROM orders", "public", "orders", NULL, 0));
    assert_non_null(use_reason("TRUNCATE orders", "public", "orders", NULL, 0));
    assert_null(use_reason("SELECT 1 FROM other.orders", "public", "orders", NULL, 0));
    assert_non_null(use_reason("SELECT 1 FROM other.orders", NULL, "orders", NULL, 0));
    assert_null(use_reason("SELECT orders_total FROM t", "public", "orders", NULL, 0));
}

/* What is marked for another version is left out, whole lines only. */
static void test_sql_for_version(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *sql = "a\nb --@15+\nc --@15-\nd";
    assert_string_equal(catalog_sql_text(arena, sql, 140023), "a\nc --@15-\nd\n");
    assert_string_equal(catalog_sql_text(arena, sql, 150000), "a\nb --@15+\nd\n");
    assert_string_equal(catalog_sql_text(arena, sql, 180004), "a\nb --@15+\nd\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_star_reason),
        cmocka_unit_test(test_quoted_name),
        cmocka_unit_test(test_use_reason),
        cmocka_unit_test(test_sql_for_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
