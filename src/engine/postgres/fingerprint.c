/* Everything of some tables that a change must leave as it was, as lines of text. */
#include "engine/postgres/catalog.h"

#include "base/str.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/pg.h"
#include "engine/postgres/scratch_guard.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

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
