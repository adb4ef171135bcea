/* Everything of some tables that a change must leave as it was, as lines of text. */
#include "engine/postgres/catalog.h"

#include "base/str.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/pg.h"
#include "engine/postgres/scratch_guard.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_NAME "stoa_look_"

enum {
    LOCK_MS = 2000, /* view definitions need a weak lock on what they read */
    TIMEOUT_MS = 30000,
    TRIES = 3, /* what is dropped between the catalog and a definition is an error of the server */
};

/* The journal is left out, in a scratch schema by the name of that. */
static const char *query_text(Conn *conn, Arena *arena)
{
    static const char ours[] = "'stoa'";
    const char *text = catalog_sql_text(arena, catalog_fingerprint_sql, pg_conn_version(conn));
    const Spaces *spaces = pg_conn_spaces(conn);
    const Space *space = spaces == NULL ? NULL : spaces_find(spaces, "stoa");
    if (space == NULL)
        return text;
    CLEANUP(str_donep) Str now = STR_INIT;
    for (const char *at = strstr(text, ours); at != NULL; at = strstr(text, ours)) {
        str_addn(&now, text, (size_t)(at - text));
        sql_add_literal(&now, space->scratch);
        text = at + strlen(ours);
    }
    str_add(&now, text);
    return arena_dup(arena, now.buf);
}

static int line_compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Under the real names, and in their order. */
static void put_back(const Spaces *spaces, Arena *arena, const char **lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        lines[i] = spaces_back(spaces, arena, lines[i]);
    if (count > 0)
        qsort(lines, count, sizeof *lines, line_compare);
}

static Err *read_lines(Conn *conn, const Wait *wait, Arena *arena, const char *tables, Rows *ret_rows)
{
    CLEANUP(str_donep) Str begin = STR_INIT;
    str_addf(&begin,
             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp; "
             "SET LOCAL standard_conforming_strings = on; SET LOCAL quote_all_identifiers = off; "
             "SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = %d",
             LOCK_MS, TIMEOUT_MS);
    TRY(conn_exec(conn, wait, begin.buf));
    return conn_params(conn, wait, arena, ret_rows, query_text(conn, arena), tables);
}

/* Planning the query takes most of its time; a statement without parameters is planned once. */
Err *pg_fingerprint_prepare(Conn *conn, const Wait *wait, Arena *arena, int64_t table_id)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    const char *text = query_text(conn, arena), *at = strstr(text, "$1");
    const char *name = arena_printf(arena, LOOK_NAME "%lld", (long long)table_id);
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT 1 FROM pg_catalog.pg_prepared_statements WHERE name = $1", name));
    if (rows.row_count > 0 || at == NULL)
        return NULL;
    str_addf(&sql,
             "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL "
             "standard_conforming_strings = on; "
             "PREPARE %s AS ",
             name);
    str_addn(&sql, text, (size_t)(at - text));
    str_addf(&sql, "'{%lld}'%s", (long long)table_id, at + strlen("$1"));
    Err *err = conn_exec(conn, wait, sql.buf);
    if (err == NULL)
        err = conn_exec(conn, wait, arena_printf(arena, "EXECUTE %s", name));
    if (err == NULL)
        err = conn_exec(conn, wait, "COMMIT");
    if (err != NULL)
        pg_rollback(conn);
    return err;
}

/* In the transaction at hand, whose changes count. */
static Err *read_here(Conn *conn, const Wait *wait, Arena *arena, const char *tables,
                      const char *const **ret_lines, size_t *ret_count)
{
    Rows rows = {0};
    const char *name = arena_printf(arena, LOOK_NAME "%.*s", (int)strcspn(tables + 1, ",}"), tables + 1);
    bool one = strchr(tables, ',') == NULL;
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT 1 FROM pg_catalog.pg_prepared_statements WHERE name = $1", name));
    bool prepared = one && rows.row_count > 0;
    TRY(conn_exec(conn, wait,
                  "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL standard_conforming_strings = on"));
    if (prepared)
        TRY(conn_query(conn, wait, arena, &rows, arena_printf(arena, "EXECUTE %s", name)));
    else
        TRY(conn_params(conn, wait, arena, &rows, query_text(conn, arena), tables));
    const char **lines = arena_alloc(arena, (rows.row_count + 1) * sizeof *lines);
    for (size_t i = 0; i < rows.row_count; i++)
        lines[i] = rows_cell(&rows, i, 0);
    *ret_lines = lines;
    *ret_count = rows.row_count;
    return NULL;
}

Err *pg_fingerprint(Conn *conn, const Wait *wait, Arena *arena, const int64_t *tables, size_t count,
                    const char *const **ret_lines, size_t *ret_count)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    for (size_t i = 0; i < count; i++) {
        str_sep(&list, ",");
        str_addf(&list, "%lld", (long long)tables[i]);
    }
    const char *numbers = arena_printf(arena, "{%s}", list.buf);
    Rows rows = {0};
    Err *err = NULL;
    if (pg_conn_in_transaction(conn))
        return read_here(conn, wait, arena, numbers, ret_lines, ret_count);
    for (int tries = 1; tries <= TRIES; tries++) {
        err_free(err);
        err = read_lines(conn, wait, arena, numbers, &rows);
        pg_rollback(conn);
        if (!err_is(err, ERR_SQL))
            break;
    }
    if (err != NULL)
        return err_wrap(err, "cannot take the fingerprint of the tables");
    const char **lines = arena_alloc(arena, (rows.row_count + 1) * sizeof *lines);
    for (size_t i = 0; i < rows.row_count; i++)
        lines[i] = rows_cell(&rows, i, 0);
    if (pg_conn_spaces(conn) != NULL)
        put_back(pg_conn_spaces(conn), arena, lines, rows.row_count);
    *ret_lines = lines;
    *ret_count = rows.row_count;
    return NULL;
}
