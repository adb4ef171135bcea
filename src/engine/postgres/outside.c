/* What is looked at from outside: a read of one row, and the disk that a server on this machine stands on.
 *
 * Sources: PostgreSQL "postmaster.pid" (miscadmin.h, LOCK_FILE_LINE_*: process, data directory, start time,
 * port), pg_postmaster_start_time(), pg_tablespace_location(). */
#include "engine/local_disk.h"
#include "engine/postgres/pg.h"

#include "base/str.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

/* ---- one row -------------------------------------------------------------------------------- */

/* With ctid the row itself is read, not only the index. */
Err *pg_canary(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
               Canary *ret_canary)
{
    Rows rows = {0};
    const char *name = sql_name(arena, schema, table);
    *ret_canary = (Canary){0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT a.attname, CASE WHEN a.atttypid IN (20, 21, 23) THEN 'integer' WHEN a.atttypid = 2950 THEN "
        "'uuid' "
        "WHEN t.typcategory = 'S' THEN 'text' ELSE 'other' END FROM pg_catalog.pg_index i JOIN "
        "pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] JOIN "
        "pg_catalog.pg_type t ON t.oid = a.atttypid WHERE i.indrelid = pg_catalog.to_regclass($1) AND "
        "i.indisprimary AND i.indisvalid",
        name));
    if (rows.row_count == 0)
        return NULL;
    const char *key = sql_ident(arena, rows_cell(&rows, 0, 0)), *kind = rows_cell(&rows, 0, 1);
    ret_canary->key = str_eq(kind, "integer") ? CANARY_INTEGER
                      : str_eq(kind, "uuid")  ? CANARY_UUID
                      : str_eq(kind, "text")  ? CANARY_TEXT
                                              : CANARY_FIRST;
    bool first = ret_canary->key == CANARY_FIRST;
    if (ret_canary->key == CANARY_INTEGER) {
        TRY(conn_query(conn, wait, arena, &rows,
                       arena_printf(arena, "SELECT min(%s), max(%s) FROM %s", key, key, name)));
        ret_canary->low = rows_int(&rows, 0, 0);
        ret_canary->high = rows_int(&rows, 0, 1);
    }
    ret_canary->sql = arena_printf(arena, "SELECT ctid FROM %s %s%s%s ORDER BY %s LIMIT 1", name,
                                   first ? "" : "WHERE ", first ? "" : key, first ? "" : " >= $1", key);
    return NULL;
}

/* ---- disk ----------------------------------------------------------------------------------- */

/* The line of a file, from 0; NULL where it has fewer. */
static const char *line_of(const char *text, int number)
{
    for (int i = 0; i < number && text != NULL; i++) {
        text = strchr(text, '\n');
        text = text == NULL ? NULL : text + 1;
    }
    return text;
}

/* The server is the one whose file stands there: same start, same port. Then what is free there is what is
 * free for it, however it is connected to. */
static bool is_here(const char *directory, int64_t started_s, int64_t port)
{
    enum { START_LINE = 2, PORT_LINE = 3 };
    char path[4096], text[1024];
    (void)snprintf(path, sizeof path, "%s/postmaster.pid", directory);
    if (!local_read(path, text, sizeof text))
        return false;
    const char *start = line_of(text, START_LINE), *its_port = line_of(text, PORT_LINE);
    return start != NULL && its_port != NULL && strtoll(its_port, NULL, 10) == port &&
           llabs(strtoll(start, NULL, 10) - started_s) <= 1;
}

/* The data, the log, which may be a link to another disk, and tablespaces. */
static int64_t least_free(Arena *arena, const char *directory, int64_t version, const Rows *spaces,
                          const char **ret_why)
{
    const char *log = arena_printf(arena, "%s/%s", directory, version >= 100000 ? "pg_wal" : "pg_xlog");
    int64_t least = local_free(arena, directory, ret_why), next = local_free(arena, log, ret_why);
    least = next < least ? next : least;
    for (size_t i = 0; i < spaces->row_count && least >= 0; i++) {
        next = local_free(arena, rows_cell(spaces, i, 0), ret_why);
        least = next < least ? next : least;
    }
    return least;
}

Err *pg_disk_free(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes, const char **ret_source)
{
    Rows rows = {0}, spaces = {0};
    *ret_bytes = -1;
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT pg_catalog.current_setting('data_directory', true), "
                   "extract(epoch FROM pg_catalog.pg_postmaster_start_time())::bigint, "
                   "pg_catalog.current_setting('port'), pg_catalog.current_setting('server_version_num')"));
    const char *directory = rows_cell(&rows, 0, 0);
    if (directory == NULL || directory[0] == '\0') {
        *ret_source = "this role may not see where the data are: GRANT pg_read_all_settings";
        return NULL;
    }
    if (!is_here(directory, rows_int(&rows, 0, 1), rows_int(&rows, 0, 2))) {
        *ret_source = arena_printf(
            arena, "use --check-sql: no proof that the server's disk is here (%s/postmaster.pid)", directory);
        return NULL;
    }
    TRY(conn_query(conn, wait, arena, &spaces,
                   "SELECT pg_catalog.pg_tablespace_location(oid) FROM pg_catalog.pg_tablespace WHERE "
                   "pg_catalog.pg_tablespace_location(oid) <> ''"));
    const char *why = NULL;
    *ret_bytes = least_free(arena, directory, rows_int(&rows, 0, 3), &spaces, &why);
    *ret_source = *ret_bytes < 0 ? why : directory;
    return NULL;
}
