/* What single steps ask of the server: vacuum, state of an index, counters, the log, the local time. */
#include "engine/postgres/pg.h"
#include "engine/postgres/spaces.h"

#include "base/str.h"
#include "engine/sql.h"

#include <string.h>

enum { TRUNCATE_OPTION_VERSION = 120000 };

/* Slowed down by the server's own cost accounting: about 10000 units each 2 ms (a bounded share of one
 * processor and disk) leave room for the application. Truncation would take an ACCESS EXCLUSIVE lock at the
 * end; it can be turned off from 12 on. */
Err *pg_vacuum(Conn *conn, const Wait *wait, const Server *server, const Table *table, const char *role)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    if (role != NULL && !server->pooled) /* a session's settings leak through a pooler */
        TRY(conn_exec(conn, wait, arena_printf(arena, "SET ROLE %s", sql_ident(arena, role))));
    if (!server->pooled)
        TRY(conn_exec(conn, wait, "SET vacuum_cost_delay = 2; SET vacuum_cost_limit = 10000"));
    const char *options =
        server->version_num >= TRUNCATE_OPTION_VERSION ? "ANALYZE, TRUNCATE off" : "ANALYZE";
    Err *err = conn_exec(
        conn, wait,
        arena_printf(arena, "VACUUM (%s) %s", options, sql_name(arena, table->schema, table->name)));
    if (server->pooled)
        return err;
    Err *reset = conn_exec(conn, &(Wait){.timeout_ms = 5000},
                           "RESET vacuum_cost_delay; RESET vacuum_cost_limit; RESET ROLE");
    if (err == NULL)
        return reset;
    err_free(reset);
    return err;
}

Err *pg_index_state(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                    const char *index, IndexState *ret_state)
{
    Rows rows = {0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT t.relname IS NOT DISTINCT FROM $3 AND t.relnamespace = c.relnamespace, "
        "i.indisvalid AND i.indisready, "
        "EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid) FROM "
        "pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_catalog.pg_class t ON t.oid = "
        "i.indrelid WHERE n.nspname = $1 AND c.relname = $2",
        schema, index, table));
    *ret_state = rows.row_count == 0       ? INDEX_MISSING
                 : !rows_bool(&rows, 0, 0) ? INDEX_ELSEWHERE
                 : rows_bool(&rows, 0, 2)  ? INDEX_PART
                 : rows_bool(&rows, 0, 1)  ? INDEX_VALID
                                           : INDEX_INVALID;
    return NULL;
}

Err *pg_counter_value(Conn *conn, const Wait *wait, Arena *arena, const char *counter, int64_t *ret_value)
{
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", counter));
    *ret_value = -1;
    if (!rows_bool(&rows, 0, 0))
        return NULL;
    TRY(conn_query(
        conn, wait, arena, &rows,
        arena_printf(arena, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM %s", counter)));
    *ret_value = rows_int(&rows, 0, 0);
    return NULL;
}

Err *pg_work_sum(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_at_s, int64_t *ret_sum)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT extract(epoch FROM pg_catalog.clock_timestamp())::bigint, xact_commit + "
                   "xact_rollback FROM pg_catalog.pg_stat_database WHERE datname = "
                   "pg_catalog.current_database()"));
    *ret_at_s = rows_int(&rows, 0, 0);
    *ret_sum = rows_int(&rows, 0, 1);
    return NULL;
}

Err *pg_table_bytes(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                    int64_t *ret_heap, int64_t *ret_indexes)
{
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT pg_catalog.pg_table_size(c.oid), pg_catalog.pg_indexes_size(c.oid) FROM "
                    "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
                    "n.nspname = $1 AND c.relname = $2",
                    schema, name));
    *ret_heap = rows.row_count == 0 ? 0 : rows_int(&rows, 0, 0);
    *ret_indexes = rows.row_count == 0 ? 0 : rows_int(&rows, 0, 1);
    return NULL;
}

Err *pg_log_bytes(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes)
{
    Rows rows = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), '0/0')::bigint"));
    *ret_bytes = rows_int(&rows, 0, 0);
    return NULL;
}

/* As a text "+05:30" would be read as POSIX has it, west of Greenwich; as an interval it is east. */
Err *pg_local_time(Conn *conn, const Wait *wait, Arena *arena, const char *time_zone, const char *at,
                   int64_t ahead_minutes, int *ret_minute, int *ret_weekday)
{
    Rows rows = {0};
    bool offset = time_zone[0] == '+' || time_zone[0] == '-';
    const char *sql = arena_printf(arena,
                                   "SELECT (extract(hour FROM t) * 60 + extract(minute FROM t))::int, "
                                   "extract(dow FROM t)::int FROM (SELECT "
                                   "pg_catalog.timezone($1::%s, coalesce($2::timestamp AT TIME ZONE 'UTC', "
                                   "pg_catalog.clock_timestamp()) + "
                                   "$3::int * interval '1 minute') AS t) s",
                                   offset ? "interval" : "text");
    TRY(conn_params(conn, wait, arena, &rows, sql, time_zone, at,
                    arena_printf(arena, "%lld", (long long)ahead_minutes)));
    *ret_minute = (int)rows_int(&rows, 0, 0);
    *ret_weekday = (int)rows_int(&rows, 0, 1);
    return NULL;
}

Err *pg_storage(Conn *conn, const Wait *wait, Arena *arena, const Table *table, const char **ret_storage)
{
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows, "SELECT pg_catalog.pg_relation_filenode($1::oid)::text",
                    arena_printf(arena, "%lld", (long long)table->id)));
    *ret_storage = rows_cell(&rows, 0, 0) != NULL ? rows_cell(&rows, 0, 0) : "";
    return NULL;
}

Err *pg_replay_bytes(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT pg_catalog.pg_is_in_recovery(), "
                   "pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::bigint"));
    if (!rows_bool(&rows, 0, 0))
        return err_new(ERR_CONFIG, "not a standby");
    *ret_bytes = rows_int(&rows, 0, 1);
    return NULL;
}

Err *pg_find_table(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                   int64_t *ret_id)
{
    Rows rows = {0};
    const Spaces *spaces = pg_conn_spaces(conn);
    const Space *space = spaces == NULL ? NULL : spaces_find(spaces, schema);
    TRY(conn_params(conn, wait, arena, &rows, "SELECT pg_catalog.to_regclass($1)::oid::bigint",
                    sql_name(arena, space == NULL ? schema : space->scratch, name)));
    *ret_id = rows_int(&rows, 0, 0);
    return NULL;
}
