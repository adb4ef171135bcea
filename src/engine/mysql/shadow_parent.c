/* Parents of the shadow's rows: what its foreign keys refer to. */
#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/shadow_rows.h"

#include <string.h>

/* The new row's value for a column of the shadow. */
static const char *expr_of(const Form *form, const char *name)
{
    for (size_t i = 0; i < form->column_count; i++)
        if (str_eq(form->columns[i].name, name))
            return form->columns[i].expr;
    return "NULL"; /* generated: InnoDB itself looks at the parent */
}

static Err *load_keys(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Rows *ret_rows)
{
    return conn_params(
        conn, wait, arena, ret_rows,
        "SELECT CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, "
        "REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = $1 AND "
        "TABLE_NAME = $2 AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY CONSTRAINT_NAME, "
        "ORDINAL_POSITION",
        spec->schema, spec->shadow);
}

/* For one key: rows [from, to). */
static Err *lock_one(Conn *conn, const Wait *wait, Arena *arena, const Form *form, const Rows *keys,
                     size_t from, size_t to, const char *where)
{
    CLEANUP(str_donep) Str parents = STR_INIT;
    CLEANUP(str_donep) Str exprs = STR_INIT;
    CLEANUP(str_donep) Str sql = STR_INIT;
    const Flavor *flavor = my_flavor(conn);
    Rows rows = {0};
    for (size_t i = from; i < to; i++)
        str_addf(&exprs, "%s%s", i > from ? ", " : "", expr_of(form, my_ident(arena, rows_cell(keys, i, 1))));
    /* The values first, read plainly: in one statement with the parent MariaDB would lock the source's rows.
     */
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena, "SELECT DISTINCT %s FROM %s FORCE INDEX (%s) WHERE %s", exprs.buf,
                                form->source, form->key_index, where)));
    for (size_t row = 0; row < rows.row_count; row++) {
        bool has_null = false;
        for (size_t col = 0; col < rows.col_count; col++)
            has_null = has_null || rows_cell(&rows, row, col) == NULL;
        if (has_null)
            continue;
        str_add(&parents, parents.len > 0 ? " OR (" : "(");
        for (size_t col = 0; col < rows.col_count; col++)
            str_addf(&parents, "%s%s = %s", col > 0 ? " AND " : "",
                     my_ident(arena, rows_cell(keys, from + col, 4)),
                     my_literal(conn, arena, rows_cell(&rows, row, col)));
        str_add(&parents, ")");
    }
    if (parents.len == 0)
        return NULL;
    str_addf(&sql, "SELECT COUNT(*) FROM %s WHERE %s%s",
             my_name(arena, rows_cell(keys, from, 2), rows_cell(keys, from, 3)), parents.buf,
             flavor_can(flavor, FACT_FOR_SHARE)      ? " FOR SHARE NOWAIT"
             : flavor_can(flavor, FACT_SHARE_NOWAIT) ? " LOCK IN SHARE MODE NOWAIT"
                                                     : " LOCK IN SHARE MODE");
    return conn_query(conn, wait, arena, &rows, sql.buf);
}

Err *rows_lock_parents(Conn *conn, const Wait *wait, const ShadowSpec *spec, const Form *form,
                       const char *where)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows keys = {0};
    if (!form->has_fk)
        return NULL;
    TRY(load_keys(conn, wait, arena, spec, &keys));
    for (size_t from = 0, to; from < keys.row_count; from = to) {
        for (to = from; to < keys.row_count && str_eq(rows_cell(&keys, to, 0), rows_cell(&keys, from, 0));)
            to++;
        TRY(lock_one(conn, wait, arena, form, &keys, from, to, where));
    }
    return NULL;
}
