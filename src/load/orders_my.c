/* The orders table and its twin on MySQL and MariaDB: filled by the server, the same rows each time. */
#include "base/str.h"
#include "load/session.h"

enum { FILL_CHUNK_ROWS = 100000 };

static const char TABLE_SQL[] =
    "CREATE TABLE %s (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id int NOT NULL, "
    "amount decimal(12,2) NOT NULL, status varchar(20) NOT NULL, note varchar(100), "
    "created_at datetime(6) NOT NULL, updated_at datetime(6) NOT NULL, KEY customer (customer_id), "
    "KEY status_created (status, created_at)) ENGINE=InnoDB";

#define DIGIT                                                                                                \
    "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL "  \
    "SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"

/* Chance by multiplication, as in the orders table of PostgreSQL. No MD5(): MySQL 9.7 as Debian builds it has
 * none. Numbers come from a product of digits, since 5.6 has neither sequences nor WITH. */
static const char FILL_SQL[] =
    "INSERT INTO %s (id, customer_id, amount, status, note, created_at, updated_at) "
    "SELECT i, 1 + b %% 50000, (100 + a %% 999900) / 100.0, "
    "ELT(1 + b %% 10, 'new','paid','paid','packed','sent','sent','sent','sent','returned','cancelled'), "
    "CASE WHEN a %% 7 > 0 THEN LEFT(CONCAT(SHA2(i, 256), ' ', SHA2(b, 256)), 10 + a %% 71) END, "
    "'2019-01-01' + INTERVAL i * 20 SECOND, '2019-01-01' + INTERVAL i * 20 + b %% 864000 SECOND "
    "FROM (SELECT i, (i * 2654435761 + 12345) %% 4294967296 AS a, (i * 2246822519 + 977) %% 4294967291 AS b "
    "FROM (SELECT %lld + d0.d + 10 * d1.d + 100 * d2.d + 1000 * d3.d + 10000 * d4.d AS i FROM " DIGIT
    " AS d0, " DIGIT " AS d1, " DIGIT " AS d2, " DIGIT " AS d3, " DIGIT " AS d4) AS n "
    "WHERE i <= %lld) AS chance ORDER BY i";

Err *my_orders_create(Conn *conn, const Wait *wait, const char *schema, const char *table, int64_t row_count)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *name = my_load_name(arena, schema, table);
    if (schema != NULL)
        TRY(conn_exec(
            conn, wait,
            arena_printf(arena, "CREATE DATABASE IF NOT EXISTS %s", my_load_name(arena, NULL, schema))));
    TRY(conn_exec(conn, wait, arena_printf(arena, TABLE_SQL, name)));
    for (int64_t low = 1; low <= row_count; low += FILL_CHUNK_ROWS)
        TRY(conn_exec(conn, wait, arena_printf(arena, FILL_SQL, name, (long long)low, (long long)row_count)));
    return conn_exec(conn, wait, arena_printf(arena, "ANALYZE TABLE %s", name));
}

/* ---- the twin -------------------------------------------------------------------------------------------
 */

Err *my_twin_create(Conn *conn, const Wait *wait, const char *schema, const char *table, const char *twin,
                    const char *new_column, const char *new_expr)
{
    (void)new_column, (void)new_expr; /* the application here knows none */
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *main_name = my_load_name(arena, schema, table),
               *twin_name = my_load_name(arena, schema, twin);
    TRY(conn_exec(conn, wait, arena_printf(arena, TABLE_SQL, twin_name)));
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena, "SELECT MIN(id), MAX(id) FROM %s", main_name)));
    if (rows_cell(&rows, 0, 0) == NULL)
        return NULL;
    int64_t end = rows_int(&rows, 0, 1);
    for (int64_t low = rows_int(&rows, 0, 0); low <= end; low += FILL_CHUNK_ROWS)
        TRY(conn_exec(conn, wait,
                      arena_printf(arena,
                                   "INSERT INTO %s (" LOAD_COLUMNS ") SELECT " LOAD_COLUMNS
                                   " FROM %s WHERE id >= %lld AND id < %lld",
                                   twin_name, main_name, (long long)low, (long long)low + FILL_CHUNK_ROWS)));
    return conn_exec(conn, wait, arena_printf(arena, "ANALYZE TABLE %s", twin_name));
}

/* "rows of one that are not byte for byte in the other", in one statement for both directions. */
static void add_missing(Str *sql, const char *one, const char *other, const char *remark)
{
    static const char *const COLUMNS[] = {"customer_id", "amount",     "status",
                                          "note",        "created_at", "updated_at"};
    str_addf(sql, "SELECT a.id AS id, '%s' AS remark FROM %s AS a LEFT JOIN %s AS b ON a.id = b.id", remark,
             one, other);
    for (size_t i = 0; i < ARRAY_LEN(COLUMNS); i++)
        str_addf(sql, " AND CAST(a.%s AS BINARY) <=> CAST(b.%s AS BINARY)", COLUMNS[i], COLUMNS[i]);
    str_add(sql, " WHERE b.id IS NULL");
}

Err *my_twin_compare(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                     const char *twin, const char *new_column, int64_t *ret_difference_count,
                     const char **ret_sample, bool *ret_compared_new)
{
    (void)new_column;
    const char *main_name = my_load_name(arena, schema, table),
               *twin_name = my_load_name(arena, schema, twin);
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_add(&sql,
            "SELECT COUNT(DISTINCT id), COALESCE(SUBSTRING(GROUP_CONCAT(CONCAT(id, ' ', remark) ORDER BY id "
            "SEPARATOR '; '), 1, 200), '') FROM (");
    add_missing(&sql, main_name, twin_name, "differs from the twin");
    str_add(&sql, " UNION ALL ");
    add_missing(&sql, twin_name, main_name, "is in the twin only so");
    str_add(&sql, ") AS difference");
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, sql.buf));
    *ret_difference_count = rows_int(&rows, 0, 0);
    *ret_sample = rows_cell(&rows, 0, 1);
    if (ret_compared_new != NULL)
        *ret_compared_new = false;
    return NULL;
}
