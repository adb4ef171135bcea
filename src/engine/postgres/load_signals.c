/* How busy the server is: one statement a round, and a second one every few seconds where somebody asks for
 * it.
 *
 * Sources: PostgreSQL "The Cumulative Statistics System", pg_stat_archiver, pg_replication_slots,
 * pg_blocking_pids(), pg_stat_statements (columns total_time before 13, total_exec_time from then on). */
#include "engine/postgres/load_signals.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/postgres/pg.h"
#include "engine/sql.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAL_COUNTER = 0,     /* of LoadSample.counter: bytes of WAL in the last round */
    LATENCY_COUNTER = 1, /* when the statements were last looked at */
};

const LoadSignal pg_load_signals[PG_LOAD_COUNT] = {
    [PG_LOAD_ACTIVE] = {.name = "active-sessions",
                        .title = "the number of active sessions",
                        .usual_limit = 200},
    [PG_LOAD_BLOCKED] = {.name = "blocked-sessions",
                         .title = "the number of sessions that wait for us",
                         .usual_limit = 0},
    [PG_LOAD_LATENCY] = {.name = "latency",
                         .title = "the time of the application's statements, against before,",
                         .usual_limit = LOAD_NO_LIMIT},
    [PG_LOAD_ARCHIVE] = {.name = "archive-queue",
                         .title = "the queue of the WAL archiver",
                         .usual_limit = 42},
    [PG_LOAD_WAL] = {.name = "wal-rate", .title = "WAL in MB a second", .usual_limit = LOAD_NO_LIMIT},
    [PG_LOAD_SLOT] = {.name = "slot-wal",
                      .title = "WAL kept for a replication slot, in MB,",
                      .usual_limit = LOAD_NO_LIMIT},
    [PG_LOAD_SNAPSHOT] = {.name = "snapshot-age",
                          .title = "the age of the oldest snapshot, in seconds,",
                          .usual_limit = LOAD_NO_LIMIT},
    [PG_LOAD_VACUUM] = {.name = "autovacuum",
                        .title = "the number of autovacuums of the table",
                        .usual_limit = LOAD_NO_LIMIT},
    [PG_LOAD_DEAD] = {.name = "dead-rows",
                      .title = "the number of dead rows for each live one",
                      .usual_limit = LOAD_NO_LIMIT},
    [PG_LOAD_CHECKPOINT] = {.name = "checkpoint-wal",
                            .title = "WAL since the last checkpoint, as a part of max_wal_size,",
                            .usual_limit = LOAD_NO_LIMIT},
    [PG_LOAD_STANDBY_WAITING] = {.name = "standby-waiting",
                                 .title = "the number of sessions that wait for replay",
                                 .usual_limit = 0},
    [PG_LOAD_LAG] = {.name = "replica-lag",
                     .title = "the lag of a replica",
                     .usual_limit = LOAD_NO_LIMIT,
                     .limited_by = "--max-lag"},
    [PG_LOAD_STANDBY_ENDED] = {.name = "standby-ended",
                               .title = "the number of queries that replay has ended lately",
                               .usual_limit = 0},
};
static_assert((int)PG_LOAD_COUNT <= (int)LOAD_SIGNALS_MAX, "a sample holds all signals");

/* ---- one round ------------------------------------------------------------------------------ */

/* Sessions of ours are known by their names. A role without pg_read_all_stats sees no states of others. */
static const char round_sql[] =
    "WITH a AS (SELECT pid, datname, state, wait_event_type, query_start, xact_start, backend_xmin, query, "
    "application_name LIKE "
    "'stoa: %%' AS ours FROM pg_catalog.pg_stat_activity WHERE pid <> pg_catalog.pg_backend_pid()), "
    "r AS (SELECT c.oid FROM pg_catalog.unnest(%s) n JOIN pg_catalog.pg_class c ON c.oid = "
    "pg_catalog.to_regclass(n)), "
    "w AS (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE "
    "pg_catalog.pg_current_wal_insert_lsn() END AS lsn, "
    "(SELECT pg_catalog.pg_size_bytes(setting || CASE unit WHEN '8kB' THEN ' kB' ELSE '' END) * CASE unit "
    "WHEN '8kB' "
    "THEN 8 ELSE 1 END FROM pg_catalog.pg_settings WHERE name = 'wal_segment_size') AS segment) "
    "SELECT (SELECT count(*) FROM a WHERE query = '<insufficient privilege>'), "
    "(SELECT count(*) FROM a WHERE state = 'active' AND NOT ours), "
    "(SELECT count(*) FROM a WHERE NOT ours AND wait_event_type = 'Lock' AND pg_catalog.clock_timestamp() - "
    "query_start > "
    "interval '500 ms' AND EXISTS (SELECT FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) b JOIN "
    "a o ON "
    "o.pid = b AND o.ours AND o.datname = pg_catalog.current_database())), "
    "(SELECT pg_catalog.pg_wal_lsn_diff(lsn, '0/0')::bigint FROM w), "
    "(SELECT CASE WHEN pg_catalog.current_setting('archive_mode') = 'off' OR lsn IS NULL THEN NULL ELSE "
    "pg_catalog.pg_wal_lsn_diff(lsn, '0/0')::bigint / segment - coalesce((('x' || "
    "pg_catalog.substr(last_archived_wal, 9, "
    "8))::bit(32)::bigint * (4294967296 / segment) + ('x' || pg_catalog.substr(last_archived_wal, 17, "
    "8))::bit(32)::bigint), CASE WHEN failed_count = 0 THEN pg_catalog.pg_wal_lsn_diff(lsn, '0/0')::bigint / "
    "segment "
    "ELSE 0 END) END FROM w, pg_catalog.pg_stat_archiver), "
    "(SELECT coalesce(max(pg_catalog.pg_wal_lsn_diff(lsn, restart_lsn)), 0)::bigint / 1048576 FROM w, "
    "pg_catalog.pg_replication_slots), "
    "(SELECT coalesce(max(extract(epoch FROM pg_catalog.clock_timestamp() - xact_start)), 0) FROM a WHERE "
    "NOT ours AND "
    "backend_xmin IS NOT NULL), "
    "(SELECT count(*) FROM pg_catalog.pg_stat_progress_vacuum p JOIN a USING (pid) WHERE NOT ours AND "
    "p.relid IN (SELECT "
    "oid FROM r)), "
    "(SELECT coalesce(max(pg_catalog.pg_stat_get_dead_tuples(oid)::float8 / "
    "greatest(pg_catalog.pg_stat_get_live_tuples("
    "oid), 1)), 0) FROM r)";

static const char *names_array(Arena *arena, const LoadSample *sample)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    for (size_t i = 0; i < sample->table_count; i++) {
        str_sep(&list, ", ");
        str_add(&list, sql_literal(arena, sample->table_names[i]));
    }
    return arena_printf(arena, "ARRAY[%s]::text[]", list.buf);
}

static void take(LoadSample *sample, PgLoad signal, const Rows *rows, size_t column)
{
    sample->state[signal] = rows_cell(rows, 0, column) == NULL ? SIGNAL_ABSENT : SIGNAL_READ;
    sample->value[signal] = rows_double(rows, 0, column);
}

static void take_wal(LoadSample *sample, const Rows *rows, size_t column, int64_t now_ms)
{
    int64_t bytes = rows_int(rows, 0, column), before = sample->counter[WAL_COUNTER];
    bool rate =
        rows_cell(rows, 0, column) != NULL && before > 0 && now_ms > sample->at_ms && sample->at_ms > 0;
    sample->state[PG_LOAD_WAL] = rate ? SIGNAL_READ : SIGNAL_ABSENT;
    sample->value[PG_LOAD_WAL] =
        rate ? (double)(bytes - before) / 1048576 * 1000 / (double)(now_ms - sample->at_ms) : 0;
    sample->counter[WAL_COUNTER] = bytes;
}

static void hide(Arena *arena, LoadSample *sample, PgLoad signal, const char *role)
{
    sample->state[signal] = SIGNAL_FORBIDDEN;
    sample->why[signal] =
        arena_printf(arena, "other sessions are hidden: GRANT pg_read_all_stats TO %s", role);
}

/* ---- latency -------------------------------------------------------------------------------- */

static Err *where_statements_are(Conn *conn, const Wait *wait, Arena *arena, const char **ret_view,
                                 const char **ret_time)
{
    Rows rows = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        "SELECT pg_catalog.quote_ident(n.nspname) || '.pg_stat_statements', CASE WHEN EXISTS (SELECT FROM "
        "pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'total_exec_time') THEN "
        "'total_exec_time' ELSE 'total_time' END FROM pg_catalog.pg_extension e JOIN "
        "pg_catalog.pg_namespace n ON n.oid = e.extnamespace JOIN pg_catalog.pg_class c ON c.relnamespace = "
        "n.oid AND c.relname = 'pg_stat_statements' WHERE e.extname = 'pg_stat_statements'"));
    *ret_view = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 0);
    *ret_time = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 1);
    return NULL;
}

/* Ours say ONLY, or name the journal. */
static Err *read_statements(Conn *conn, const Wait *wait, Arena *arena, const LoadSample *sample,
                            const char *view, const char *time, LoadStatement *now, size_t *ret_count)
{
    Rows rows = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        arena_printf(
            arena,
            "SELECT s.queryid, sum(s.calls), sum(s.%s) FROM %s s JOIN pg_catalog.pg_database d ON "
            "d.oid = s.dbid AND d.datname = pg_catalog.current_database() WHERE s.queryid IS NOT NULL "
            "AND s.query !~ '\\mONLY\\M|\\mstoa\\.' AND EXISTS (SELECT FROM pg_catalog.unnest(%s) n "
            "JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(n) WHERE "
            "pg_catalog.strpos(s.query, c.relname) > 0) AND s.query ~* "
            "'^\\s*(select|insert|update|delete|merge|with)\\M' GROUP BY 1 ORDER BY 2 DESC LIMIT %d",
            time, view, names_array(arena, sample), LOAD_STATEMENTS_MAX)));
    *ret_count = rows_statements(&rows, now);
    return NULL;
}

/* A ratio stays until the next window has one. */
static Err *sample_latency(Conn *conn, const Wait *wait, Arena *arena, LoadSample *sample)
{
    LoadStatement now[LOAD_STATEMENTS_MAX];
    size_t count = 0;
    const char *view = NULL, *time = NULL;
    if (!load_latency_is_due(sample, PG_LOAD_LATENCY, &sample->counter[LATENCY_COUNTER]))
        return NULL;
    TRY(where_statements_are(conn, wait, arena, &view, &time));
    if (view == NULL) {
        sample->state[PG_LOAD_LATENCY] = SIGNAL_UNREADABLE;
        sample->why[PG_LOAD_LATENCY] = "pg_stat_statements is not installed in this database";
        return NULL;
    }
    Err *err = read_statements(conn, wait, arena, sample, view, time, now, &count);
    if (err != NULL && (err_is(err, ERR_PRIVILEGE) || err_is(err, ERR_SQL))) {
        sample->state[PG_LOAD_LATENCY] = err_is(err, ERR_PRIVILEGE) ? SIGNAL_FORBIDDEN : SIGNAL_UNREADABLE;
        sample->why[PG_LOAD_LATENCY] = "pg_stat_statements cannot be read";
        err_free(err);
        return NULL;
    }
    if (err != NULL)
        return err;
    double ratio = load_latency_ratio(sample->statements, &sample->statement_count, now, count);
    sample->state[PG_LOAD_LATENCY] = SIGNAL_READ;
    sample->value[PG_LOAD_LATENCY] = ratio;
    return NULL;
}

/* Read from the control file, for whoever has a limit for it. */
static Err *sample_checkpoint(Conn *conn, const Wait *wait, Arena *arena, LoadSample *sample)
{
    Rows rows = {0};
    if ((sample->wanted & 1U << PG_LOAD_CHECKPOINT) == 0)
        return NULL;
    Err *err =
        conn_query(conn, wait, arena, &rows,
                   "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), c.redo_lsn) / "
                   "pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size')) FROM "
                   "pg_catalog.pg_control_checkpoint() c");
    if (err != NULL && !err_is(err, ERR_PRIVILEGE) && !err_is(err, ERR_SQL))
        return err;
    sample->why[PG_LOAD_CHECKPOINT] =
        err == NULL ? NULL : "pg_control_checkpoint() cannot be called by this role";
    if (err == NULL)
        take(sample, PG_LOAD_CHECKPOINT, &rows, 0);
    else
        sample->state[PG_LOAD_CHECKPOINT] = SIGNAL_FORBIDDEN;
    err_free(err);
    return NULL;
}

/* The round itself came to nothing: what has a limit holds the work, and says why. */
static Err *all_unreadable(Arena *arena, LoadSample *sample, Err *err)
{
    const char *why = arena_dup(arena, err_root(err)->msg);
    for (size_t i = 0; i < PG_LOAD_OWN_COUNT; i++) {
        sample->state[i] = SIGNAL_UNREADABLE;
        sample->why[i] = why;
    }
    sample->at_ms = clock_ms();
    err_free(err);
    return NULL;
}

Err *pg_load(Conn *conn, const Wait *wait, Arena *arena, LoadSample *sample)
{
    Rows rows = {0};
    static const PgLoad plain[] = {PG_LOAD_ACTIVE, PG_LOAD_BLOCKED};
    static const PgLoad behind[] = {PG_LOAD_ARCHIVE, PG_LOAD_SLOT, PG_LOAD_SNAPSHOT, PG_LOAD_VACUUM,
                                    PG_LOAD_DEAD};
    enum { HIDDEN = 0, FIRST = 1, WAL = 3, BEHIND = 4 };
    Err *err =
        conn_query(conn, wait, arena, &rows, arena_printf(arena, round_sql, names_array(arena, sample)));
    if (err_is(err, ERR_SQL) || err_is(err, ERR_PRIVILEGE) || err_is(err, ERR_CANCELLED))
        return all_unreadable(arena, sample, err);
    TRY(err);
    int64_t now_ms = clock_ms();
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        take(sample, plain[i], &rows, FIRST + i);
    take_wal(sample, &rows, WAL, now_ms);
    for (size_t i = 0; i < ARRAY_LEN(behind); i++)
        take(sample, behind[i], &rows, BEHIND + i);
    if (rows_int(&rows, 0, HIDDEN) > 0) {
        static const PgLoad hidden[] = {PG_LOAD_ACTIVE, PG_LOAD_BLOCKED, PG_LOAD_SNAPSHOT};
        for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
            hide(arena, sample, hidden[i], "this role");
    }
    sample->at_ms = now_ms;
    TRY(sample_checkpoint(conn, wait, arena, sample));
    return sample_latency(conn, wait, arena, sample);
}
