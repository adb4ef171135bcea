/* Asks the server what it thinks of an expression over the row; nothing of it stays. */
#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/sql.h"

#include <string.h>

/* Named so that it meets neither a table of the user's nor an alias in the expression. */
#define PROBE "stoa_expression_probe"

static const char *innermost_message(const Err *err)
{
    while (err->cause != NULL)
        err = err->cause;
    return err->msg;
}

/* What the server refuses about the expression itself goes into `ret_info`; what has another cause stays an
 * error. */
static Err *judge(Arena *arena, Err *err, ExprInfo *ret_info)
{
    if (!err_is(err, ERR_SQL))
        return err;
    ret_info->error = arena_dup(arena, innermost_message(err));
    ret_info->error_state = arena_dup(arena, err->sqlstate);
    err_free(err);
    return NULL;
}

static Err *make_probe(Conn *conn, const Wait *wait, Arena *arena, const Table *table, const char *column,
                       const char *column_type)
{
    Err *err = conn_exec(conn, wait,
                         arena_printf(arena, "CREATE TEMPORARY TABLE " PROBE " (%s %s)",
                                      sql_ident(arena, column), column_type));
    if (!err_is(err, ERR_PRIVILEGE))
        return err;
    Rows rows = {0};
    conn->ops->rollback(conn);
    Err *other =
        conn_query(conn, wait, arena, &rows, "SELECT pg_catalog.current_database(), current_user::text");
    if (other != NULL) {
        err_free(err);
        return other;
    }
    const char *role = table->may_own && table->owner != NULL ? table->owner : rows_cell(&rows, 0, 1);
    return err_hint(err_wrap(err, "cannot check an expression without a temporary table"),
                    "GRANT TEMPORARY ON DATABASE %s TO %s", sql_ident(arena, rows_cell(&rows, 0, 0)),
                    sql_ident(arena, role));
}

/* An assignment to a column of the type, as UPDATE SET does it; in WHERE the server refuses aggregates,
 * window functions and sets, as it does in SET. */
static Err *explain_assignment(Conn *conn, const Wait *wait, Arena *arena, const char *from, const char *expr,
                               const char *role)
{
    Err *err = conn_exec(conn, wait,
                         arena_printf(arena,
                                      "EXPLAIN INSERT INTO pg_temp." PROBE
                                      " SELECT (%s\n) FROM %s WHERE (%s\n) IS NULL",
                                      expr, from, expr));
    if (!err_is(err, ERR_PRIVILEGE))
        return err;
    return err_hint(err, "GRANT SELECT (functions: EXECUTE) on what the expression reads TO %s", role);
}

/* The planner merges a sub-query into the outer one unless its output holds a volatile function
 * (prepjointree.c, is_simple_subquery; looked at 10 to 18), and does not push the condition down either: then
 * the plan has a scan of the sub-query. */
static Err *find_volatile(Conn *conn, const Wait *wait, Arena *arena, const char *from, const char *expr,
                          bool *ret_volatile)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena,
                                "EXPLAIN (COSTS OFF) SELECT value FROM (SELECT (%s\n) AS value FROM %s) "
                                "AS " PROBE " WHERE value IS NOT NULL",
                                expr, from)));
    *ret_volatile = false;
    for (size_t i = 0; i < rows.row_count; i++)
        if (strstr(rows_cell(&rows, i, 0), "Subquery Scan on " PROBE) != NULL)
            *ret_volatile = true;
    return NULL;
}

/* The table's columns, those that are coming among them, under its own name. */
static Err *make_copy(Conn *conn, const Wait *wait, Arena *arena, const Table *table)
{
    const char *bare = sql_ident(arena, table->name);
    Str sql CLEANUP(str_donep) = STR_INIT;
    str_addf(&sql, "CREATE TEMPORARY TABLE %s (LIKE %s)", bare, sql_name(arena, table->schema, table->name));
    for (size_t i = 0; i < table->column_count; i++) {
        const Column *column = &table->columns[i];
        if (!column->coming)
            continue;
        str_addf(&sql, "; ALTER TABLE pg_temp.%s ADD COLUMN %s %s", bare, sql_ident(arena, column->name),
                 column->type);
        if (column->collation != NULL)
            str_addf(&sql, " COLLATE %s", column->collation);
    }
    return conn_exec(conn, wait, sql.buf);
}

/* An index takes only what is immutable over the row, and no sub-select; the cast to the column's type is a
 * part of it. The copy has the table's name, so that the expression may use it. */
static Err *find_immutable(Conn *conn, const Wait *wait, Arena *arena, const Table *table, bool copied,
                           const char *column_type, const char *expr, bool *ret_immutable)
{
    const char *bare = sql_ident(arena, table->name);
    Err *err = copied ? NULL : make_copy(conn, wait, arena, table);
    if (err == NULL)
        err = conn_exec(conn, wait,
                        arena_printf(arena, "CREATE INDEX ON pg_temp.%s (((((%s\n))::%s) IS NULL))", bare,
                                     expr, column_type));
    *ret_immutable = err == NULL;
    if (err_is(err, ERR_SQL) || err_is(err, ERR_PRIVILEGE)) {
        err_free(err);
        return NULL;
    }
    return err;
}

static Err *check_inside(Conn *conn, const Wait *wait, Arena *arena, const Table *table, const char *column,
                         const char *column_type, const char *expr, ExprInfo *ret_info)
{
    bool copied = false; /* what is not there yet can only be read from a copy */
    for (size_t i = 0; i < table->column_count; i++)
        copied = copied || table->columns[i].coming;
    const char *from = copied ? arena_printf(arena, "pg_temp.%s", sql_ident(arena, table->name))
                              : sql_name(arena, table->schema, table->name);
    const char *role = table->may_own ? sql_ident(arena, table->owner) : "this role";
    TRY(judge(arena, make_probe(conn, wait, arena, table, column, column_type), ret_info));
    if (ret_info->error != NULL)
        return NULL;
    if (copied)
        TRY(judge(arena, make_copy(conn, wait, arena, table), ret_info));
    if (ret_info->error != NULL)
        return NULL;
    TRY(judge(arena, explain_assignment(conn, wait, arena, from, expr, role), ret_info));
    if (ret_info->error != NULL)
        return NULL;
    bool is_volatile = true;
    TRY(find_volatile(conn, wait, arena, from, expr, &is_volatile));
    ret_info->stable = !is_volatile;
    return is_volatile
               ? NULL
               : find_immutable(conn, wait, arena, table, copied, column_type, expr, &ret_info->immutable);
}

Err *pg_check_expression(Conn *conn, const Wait *wait, Arena *arena, const Table *table, const char *column,
                         const char *column_type, const char *expr, ExprInfo *ret_info)
{
    const Column *present = table_column(table, column);
    if (column_type == NULL && present == NULL)
        return err_new(ERR_BUG, "column \"%s\" of \"%s\" has no type", column, table->name);
    TxSettings settings = {.role = table->may_own ? table->owner : NULL,
                           .lock_timeout_ms = wait == NULL ? 0 : wait->timeout_ms};
    ExprInfo info = {0};
    TRY(conn->ops->begin(conn, wait, &settings));
    Err *err = check_inside(conn, wait, arena, table, column,
                            column_type != NULL ? column_type : present->type, expr, &info);
    conn->ops->rollback(conn);
    TRY(err);
    *ret_info = info;
    return NULL;
}
