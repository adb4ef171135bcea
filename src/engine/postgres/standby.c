/* What readers of a hot standby have to do with replay.
 *
 * Sources: PostgreSQL "Hot Standby" (an ACCESS EXCLUSIVE lock is replayed and waits for readers up to
 * max_standby_streaming_delay, with new readers behind it; so does a cleanup of rows that a snapshot there
 * still sees, unless hot_standby_feedback keeps the primary from it), pg_stat_database_conflicts. The startup
 * process is a blocker like any other in pg_blocking_pids(). */
#include "engine/postgres/catalog.h"
#include "engine/postgres/pg.h"

#include "base/str.h"

Err *pg_standby_state(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_waiting, int64_t *ret_ended)
{
    Rows rows = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        "SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.wait_event_type = 'Lock' AND "
        "a.backend_type <> 'startup' AND pg_catalog.clock_timestamp() - a.query_start > interval '500 ms' "
        "AND "
        "EXISTS (SELECT FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) b JOIN "
        "pg_catalog.pg_stat_activity s ON s.pid = b AND s.backend_type = 'startup')), "
        "(SELECT coalesce(sum(confl_tablespace + confl_lock + confl_snapshot + confl_bufferpin + "
        "confl_deadlock), 0)::bigint FROM pg_catalog.pg_stat_database_conflicts)"));
    *ret_waiting = rows_int(&rows, 0, 0);
    *ret_ended = rows_int(&rows, 0, 1);
    return NULL;
}

/* Of this database, where nothing keeps the primary from pruning what is seen here, and replay would wait for
 * whoever sees it. Pruning elsewhere holds up nobody here. */
static Err *snapshots(Conn *conn, const Wait *wait, Arena *arena, int64_t max_stall_ms, Rows *ret_rows)
{
    return conn_params(
        conn, wait, arena, ret_rows,
        "SELECT a.pid, coalesce(a.application_name, ''), a.usename, a.state, \"left\"(a.query, 200), "
        "coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) * 1000, 0)::bigint FROM "
        "pg_catalog.pg_stat_activity a CROSS JOIN (SELECT setting::bigint AS ms FROM pg_catalog.pg_settings "
        "WHERE name = 'max_standby_streaming_delay') delay WHERE a.backend_xmin IS NOT NULL AND "
        "a.backend_type "
        "<> 'startup' AND a.pid <> pg_catalog.pg_backend_pid() AND a.datname = pg_catalog.current_database() "
        "AND "
        "a.application_name NOT LIKE 'stoa: %' AND NOT "
        "pg_catalog.current_setting('hot_standby_feedback')::bool "
        "AND (delay.ms < 0 OR delay.ms > $1::bigint) ORDER BY 6 DESC",
        arena_printf(arena, "%lld", (long long)max_stall_ms));
}

Err *pg_standby_blockers(Conn *conn, const Wait *wait, Arena *arena, const int64_t *table_ids,
                         size_t table_count, int64_t max_stall_ms, Blocker **ret_blockers, size_t *ret_count)
{
    Blocker *holders = NULL;
    size_t count = 0;
    Rows rows = {0};
    TRY(pg_blockers(conn, wait, arena, table_ids, table_count, "ACCESS EXCLUSIVE", &holders, &count));
    TRY(snapshots(conn, wait, arena, max_stall_ms, &rows));
    Blocker *all = arena_alloc(arena, (count + rows.row_count + 1) * sizeof *all);
    size_t held = count;
    count = 0;
    for (size_t i = 0; i < held; i++)
        if (holders[i].user[0] != '\0') /* replay itself has none: our own lock may be there already */
            all[count++] = holders[i];
    for (size_t i = 0; i < rows.row_count; i++)
        all[count++] = (Blocker){.pid = rows_int(&rows, i, 0),
                                 .application = rows_cell(&rows, i, 1),
                                 .user = rows_cell(&rows, i, 2),
                                 .state = rows_cell(&rows, i, 3),
                                 .statement = rows_cell(&rows, i, 4),
                                 .mode = "snapshot, without hot_standby_feedback",
                                 .relation = "",
                                 .age_ms = rows_int(&rows, i, 5)};
    *ret_blockers = all;
    *ret_count = count;
    return NULL;
}
