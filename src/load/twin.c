/* The twin table: made as a copy, and compared row by row. */
#include "engine/sql.h"
#include "load/session.h"

Err *pg_twin_create(Conn *conn, const Wait *wait, const char *schema, const char *table, const char *twin,
                    const char *new_column, const char *new_expr)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *main_name = sql_name(arena, schema, table), *twin_name = sql_name(arena, schema, twin);
    TRY(conn_exec(conn, wait,
                  arena_printf(arena,
                               "CREATE TABLE %s AS SELECT " LOAD_COLUMNS ", (%s) AS %s FROM %s; "
                               "ALTER TABLE %s ADD PRIMARY KEY (id)",
                               twin_name, new_expr, sql_ident(arena, new_column), main_name, twin_name)));
    return conn_exec(conn, wait, arena_printf(arena, "VACUUM ANALYZE %s", twin_name));
}

/* The row as "(m.id, m.customer_id, …)", each column as text: equal images are equal, whatever the type. */
static char *row_text(Arena *arena, const char *alias, const char *new_column)
{
    static const char *const COLUMNS[] = {"id",   "customer_id", "amount",    "status",
                                          "note", "created_at",  "updated_at"};
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(COLUMNS); i++) {
        str_sep(&text, ", ");
        str_addf(&text, "%s.%s", alias, COLUMNS[i]);
    }
    if (new_column != NULL)
        str_addf(&text, ", %s.%s::text", alias, sql_ident(arena, new_column));
    return arena_printf(arena, "ROW(%s)", text.buf);
}

Err *pg_twin_compare(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                     const char *twin, const char *new_column, int64_t *ret_difference_count,
                     const char **ret_sample, bool *ret_compared_new)
{
    const char *main_name = sql_name(arena, schema, table), *twin_name = sql_name(arena, schema, twin);
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena,
                                "SELECT count(*) FROM pg_catalog.pg_attribute WHERE attrelid = %s::regclass "
                                "AND attname = %s AND NOT attisdropped",
                                sql_literal(arena, main_name), sql_literal(arena, new_column))));
    bool has_column = rows_int(&rows, 0, 0) > 0;
    const char *column = has_column ? new_column : NULL;
    const char *main_row = row_text(arena, "m", column), *twin_row = row_text(arena, "t", column);
    const char *sql = arena_printf(
        arena,
        "WITH difference AS (SELECT coalesce(m.id, t.id) AS id, %s::text AS mine, %s::text AS "
        "twin FROM %s AS m FULL JOIN %s AS t ON m.id = t.id WHERE %s IS DISTINCT FROM %s) "
        "SELECT (SELECT count(*) FROM difference), coalesce((SELECT string_agg(format('%%s: %%s, twin %%s', "
        "id, mine, twin), '; ' ORDER BY id) FROM (SELECT * FROM difference ORDER BY id LIMIT 5) AS few), '')",
        main_row, twin_row, main_name, twin_name, main_row, twin_row);
    TRY(conn_query(conn, wait, arena, &rows, sql));
    *ret_difference_count = rows_int(&rows, 0, 0);
    *ret_sample = rows_cell(&rows, 0, 1);
    if (ret_compared_new != NULL)
        *ret_compared_new = has_column;
    return NULL;
}
