/* Comments of columns: COMMENT takes SHARE UPDATE EXCLUSIVE, which stops no reader or writer. */
#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/sql.h"

enum { LOCK_MS = 1000, STATEMENT_MS = 5000 };

Err *pg_column_comment(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                       const char *column, bool *ret_there, const char **ret_comment)
{
    Rows rows = {0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT d.description FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = "
        "a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN "
        "pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = c.oid "
        "AND d.objsubid = a.attnum WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 AND "
        "a.attnum > 0 AND NOT a.attisdropped",
        schema, table, column));
    *ret_there = rows.row_count > 0;
    *ret_comment = rows.row_count > 0 ? rows_cell(&rows, 0, 0) : NULL;
    return NULL;
}

static Err *set_in_tx(Conn *conn, const Wait *wait, const CommentRequest *request)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_add(&sql, "COMMENT ON COLUMN ");
    sql_add_name(&sql, request->schema, request->table);
    str_add(&sql, ".");
    sql_add_ident(&sql, request->column);
    str_add(&sql, " IS ");
    sql_add_literal(&sql, request->comment);
    TRY(conn_exec(conn, wait, sql.buf));
    return conn->ops->commit(conn, wait);
}

Err *pg_set_column_comment(Conn *conn, const Target *target UNUSED, const Wait *wait, Arena *arena UNUSED,
                           const CommentRequest *request, AlterResult *ret_result)
{
    TxSettings settings = {.lock_timeout_ms = LOCK_MS, .statement_timeout_ms = STATEMENT_MS};
    *ret_result = (AlterResult){0};
    TRY(conn->ops->begin(conn, wait, &settings));
    Err *err = set_in_tx(conn, wait, request);
    ret_result->done = err == NULL;
    if (err != NULL)
        conn->ops->rollback(conn);
    ret_result->blocked = err_is(err, ERR_LOCK_TIMEOUT);
    if (!ret_result->blocked)
        return err;
    err_free(err);
    return NULL;
}
