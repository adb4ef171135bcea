/* What one session asks about itself and others: identity, ending an orphan, hint locks, whom it waits for.
 */
#include "engine/postgres/pg.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/sql.h"

#include <poll.h>

static const char *id_text(Arena *arena, int64_t id) { return arena_printf(arena, "%lld", (long long)id); }

Err *pg_act_as(Conn *conn, const Wait *wait, const char *role)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    return conn_exec(conn, wait,
                     role == NULL ? "SET LOCAL ROLE NONE"
                                  : arena_printf(arena, "SET LOCAL ROLE %s", sql_ident(arena, role)));
}

int64_t pg_session_id(const Conn *conn) { return pg_conn_backend_pid(conn); }

Err *pg_session_started(Conn *conn, const Wait *wait, Arena *arena, const char **ret_started)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT backend_start::text FROM pg_catalog.pg_stat_activity WHERE pid = "
                   "pg_catalog.pg_backend_pid()"));
    *ret_started = rows.row_count > 0 ? rows_cell(&rows, 0, 0) : "";
    return NULL;
}

Err *pg_end_session(Conn *conn, const Wait *wait, int64_t session_id, const char *started)
{
    int64_t deadline = clock_ms() + (wait->timeout_ms > 0 ? wait->timeout_ms : 10000);
    for (;;) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        Rows rows = {0};
        TRY(conn_params(conn, wait, arena, &rows,
                        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity "
                        "WHERE pid = $1::int AND backend_start::text = $2",
                        id_text(arena, session_id), started));
        if (rows.row_count == 0)
            return NULL;
        TRY(stop_check(wait->stop));
        if (clock_ms() > deadline)
            return err_new(ERR_HELD, "session %lld of an earlier run does not end", (long long)session_id);
        (void)poll(NULL, 0, 20);
    }
}

Err *pg_hint_lock(Conn *conn, const Wait *wait, const char *key, bool *ret_taken)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT pg_catalog.pg_try_advisory_lock(1937009505, pg_catalog.hashtext($1))", key));
    *ret_taken = rows_bool(&rows, 0, 0);
    return NULL;
}

Err *pg_waits_for(Conn *conn, const Wait *wait, Arena *arena, int64_t session_id, const char **ret_who)
{
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT pg_catalog.string_agg(pg_catalog.format('pid %s (%s, %s%s)', a.pid, "
                    "coalesce(nullif(a.application_name, ''), a.backend_type, 'unknown'), coalesce(a.state, "
                    "'background'), "
                    "coalesce(' for ' || date_trunc('second', now() - a.xact_start)::text, '')), ', ') "
                    "FROM unnest(pg_catalog.pg_blocking_pids($1::int)) b(pid) "
                    "JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid",
                    id_text(arena, session_id)));
    *ret_who = rows_cell(&rows, 0, 0);
    return NULL;
}

/* PostgreSQL "Progress Reporting": pg_stat_progress_vacuum from 9.6 on, pg_stat_progress_create_index from 12
 * on. A scan by several workers is told in blocks, and so is the check of a concurrent build. */
Err *pg_doing(Conn *conn, const Wait *wait, Arena *arena, int64_t session_id, const char **ret_what,
              double *ret_part)
{
    static const char vacuum[] =
        "SELECT 'vacuum: ' || phase, CASE WHEN heap_blks_total > 0 THEN CASE phase WHEN 'vacuuming heap' "
        "THEN "
        "heap_blks_vacuumed ELSE heap_blks_scanned END / heap_blks_total::float8 END FROM "
        "pg_catalog.pg_stat_progress_vacuum WHERE pid = $1::int";
    static const char index[] =
        " UNION ALL SELECT phase, CASE WHEN phase LIKE 'waiting%' THEN lockers_done / "
        "nullif(lockers_total, 0)::float8 WHEN blocks_total > 0 THEN blocks_done / blocks_total::float8 "
        "ELSE tuples_done / nullif(tuples_total, 0)::float8 END FROM "
        "pg_catalog.pg_stat_progress_create_index WHERE pid = $1::int";
    Rows rows = {0};
    *ret_what = NULL;
    *ret_part = -1;
    TRY(conn_params(conn, wait, arena, &rows,
                    arena_printf(arena, "%s%s", vacuum, pg_conn_version(conn) >= 120000 ? index : ""),
                    id_text(arena, session_id)));
    if (rows.row_count == 0)
        return NULL;
    *ret_what = rows_cell(&rows, 0, 0);
    if (rows_cell(&rows, 0, 1) != NULL)
        *ret_part = rows_double(&rows, 0, 1);
    return NULL;
}

/* PostgreSQL "Resource Consumption": max_parallel_maintenance_workers is there from 11 on; before that
 * nothing is built by several. */
Err *pg_limit_build(Conn *conn, const Wait *wait, int64_t memory, int64_t workers)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *sql =
        memory < 0 ? "RESET maintenance_work_mem"
                   : arena_printf(arena, "SET maintenance_work_mem = '%lldkB'", (long long)(memory / 1024));
    if (pg_conn_version(conn) >= 110000)
        sql = workers < 0 ? arena_printf(arena, "%s; RESET max_parallel_maintenance_workers", sql)
                          : arena_printf(arena, "%s; SET max_parallel_maintenance_workers = %lld", sql,
                                         (long long)workers);
    return conn_exec(conn, wait, sql);
}
