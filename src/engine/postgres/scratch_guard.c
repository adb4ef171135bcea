/* Keeps what is tried in scratch schemas inside them. */
#include "engine/postgres/scratch_guard.h"

#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/pg.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

enum { LOCK_MS = 500 }; /* nobody else uses the copies: whatever waits there has gone astray */

const char *const *guard_prepare(Conn *conn, Arena *arena, const char *const *sql, size_t count,
                                 const char **ret_why)
{
    const Spaces *spaces = pg_conn_spaces(conn);
    const char *why = NULL;
    if (spaces == NULL)
        return sql;
    const char **now = arena_alloc(arena, (count + 1) * sizeof *now);
    for (size_t i = 0; i < count && why == NULL; i++) {
        why = spaces_refuse(spaces, arena, sql[i]);
        if (why != NULL)
            break;
        now[i] = spaces_rewrite(spaces, arena, sql[i], &why);
        if (why != NULL)
            why = arena_printf(arena, "it has %s, which cannot be led to a scratch schema for sure", why);
    }
    *ret_why = why;
    return now;
}

/* Schemas that hold members of extensions stay in the search path, behind their stand-ins. There a name must
 * not mean anything that is no member and has no copy. */
static const char astray_sql[] =
    "WITH path AS (SELECT r.oid, s.oid AS scratch FROM ROWS FROM (pg_catalog.unnest($2::text[]), "
    "pg_catalog.unnest($3::text[])) AS p(real, scratch) JOIN pg_catalog.pg_namespace r ON r.nspname = p.real "
    "LEFT JOIN pg_catalog.pg_namespace s "
    "ON s.nspname = p.scratch), object AS ("
    "SELECT 'pg_catalog.pg_class'::regclass AS class, c.oid, c.relnamespace AS space, c.relname AS name "
    "FROM pg_catalog.pg_class c WHERE c.relname = ANY ($1::text[]) "
    "UNION ALL SELECT 'pg_catalog.pg_type'::regclass, t.oid, t.typnamespace, t.typname "
    "FROM pg_catalog.pg_type t WHERE t.typname = ANY ($1::text[]) "
    "UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, p.oid, p.pronamespace, p.proname "
    "FROM pg_catalog.pg_proc p WHERE p.proname = ANY ($1::text[])) "
    "SELECT o.name FROM path JOIN object o ON o.space = path.oid "
    "WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = o.class AND d.objid = o.oid "
    "AND d.deptype = 'e') GROUP BY path.scratch, o.class, o.name HAVING count(*) > (SELECT count(*) "
    "FROM object c WHERE c.class = o.class AND c.name = o.name AND c.space = path.scratch) LIMIT 1";

Err *guard_before(Conn *conn, const Wait *wait, Arena *arena, const char *sql, const char **ret_why)
{
    const Spaces *spaces = pg_conn_spaces(conn);
    if (spaces == NULL || spaces->real_path == NULL)
        return NULL;
    if (spaces_chained(arena, sql)) {
        *ret_why = "several statements in one, of which one takes names away";
        return NULL;
    }
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows, astray_sql, spaces_words(arena, sql), spaces->real_path,
                    spaces->scratch_path));
    if (rows.row_count > 0)
        *ret_why = arena_printf(arena, "\"%s\" would mean what is not copied", rows_cell(&rows, 0, 0));
    return NULL;
}

Err *guard_open(Conn *conn, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str sql = STR_INIT;
    static const char place[] = "$1::text";
    const Spaces *spaces = pg_conn_spaces(conn);
    const char *text = catalog_sql_text(arena, catalog_scratch_guard_sql, pg_conn_version(conn));
    str_addf(&sql, "PREPARE %s AS ", sql_ident(arena, spaces->base));
    for (const char *at = text, *next; at != NULL; at = next) {
        next = strstr(at, place);
        str_addn(&sql, at, next == NULL ? strlen(at) : (size_t)(next - at));
        if (next == NULL)
            break;
        sql_add_literal(&sql, spaces->base);
        next += strlen(place);
    }
    return conn_exec(conn, wait, sql.buf);
}

Err *guard_after(Conn *conn, const Wait *wait, Arena *arena, const char **ret_why, const char **ret_gone)
{
    const Spaces *spaces = pg_conn_spaces(conn);
    if (spaces == NULL)
        return NULL;
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena, "EXECUTE %s", sql_ident(arena, spaces->base))));
    *ret_why = spaces_back(spaces, arena, rows_cell(&rows, 0, 0));
    *ret_gone = rows_cell(&rows, 0, 1);
    return NULL;
}

Err *guard_gone(Conn *conn, const Wait *wait, Arena *arena, const char *gone, const char **ret_why)
{
    const Spaces *spaces = pg_conn_spaces(conn);
    if (spaces == NULL || gone == NULL)
        return NULL;
    Rows rows = {0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT pg_catalog.format('it drops %I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class "
        "c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[]) "
        "AND n.nspname !~ '^pg_' AND pg_catalog.left(n.nspname, pg_catalog.length($2::text)) <> $2::text "
        "LIMIT 1",
        gone, spaces->base));
    if (rows.row_count > 0)
        *ret_why = rows_cell(&rows, 0, 0);
    return NULL;
}

int64_t guard_lock_ms(const Conn *conn) { return pg_conn_spaces(conn) == NULL ? 0 : LOCK_MS; }

static void put_back(const Spaces *spaces, Arena *arena, char **text)
{
    if (*text == NULL || strstr(*text, spaces->base) == NULL)
        return;
    char *now = mem_dup(spaces_back(spaces, arena, *text));
    free(*text);
    *text = now;
}

Err *guard_error(Conn *conn, Err *err)
{
    const Spaces *spaces = pg_conn_spaces(conn);
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (Err *at = spaces == NULL ? NULL : err; at != NULL; at = at->cause) {
        put_back(spaces, arena, &at->msg);
        put_back(spaces, arena, &at->hint);
    }
    return err;
}
