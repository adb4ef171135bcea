/* Rehearsals on PostgreSQL. */
#include "base/str.h"
#include "change/split_pg.h"
#include "engine/sql.h"
#include "rehearse/build_pg.h"

#include <string.h>

enum { LEAST_CACHE = 8 << 20, LEAST_SORT = 1 << 20 };

/* Settings of memory and log follow the rows, so that what does not fit on the source does not fit here
 * either. */
static void add_scaled(Str *out, const Facts *facts, const char *name, double share, int64_t least_bytes,
                       int64_t most_bytes)
{
    int64_t bytes = rehearse_scaled(facts, name, share, least_bytes, most_bytes);
    if (bytes == 0)
        return;
    if (strstr(name, "wal_size") != NULL)
        str_addf(out, "%s = '%lldMB'\n", name, (long long)(bytes >> 20));
    else
        str_addf(out, "%s = '%lldkB'\n", name, (long long)(bytes >> 10));
}

static char *settings(Arena *arena, const Facts *facts, double share)
{
    static const char *const same[] = {"full_page_writes",
                                       "synchronous_commit",
                                       "wal_compression",
                                       "wal_log_hints",
                                       "checkpoint_completion_target",
                                       "max_parallel_maintenance_workers",
                                       "default_statistics_target",
                                       "track_commit_timestamp"};
    CLEANUP(str_donep) Str out = STR_INIT;
    int64_t memory = rehearse_memory();
    add_scaled(&out, facts, "shared_buffers", share, LEAST_CACHE, memory / 4);
    add_scaled(&out, facts, "maintenance_work_mem", share, LEAST_SORT, memory / 8);
    add_scaled(&out, facts, "max_wal_size", share, 64 << 20, INT64_C(64) << 30);
    str_add(&out, "min_wal_size = '32MB'\n");
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        rehearse_setting(&out, facts, same[i], same[i]);
    const char *level = facts_setting_text(facts, "wal_level");
    if (str_eq(level, "logical") || str_eq(level, "minimal"))
        str_addf(&out, "wal_level = '%s'\n%s", level,
                 str_eq(level, "minimal") ? "max_wal_senders = 0\n" : "");
    /* What runs at times of its own choice would stand in one measurement and not in the next. */
    str_add(&out, "autovacuum_naptime = '1h'\ncheckpoint_timeout = '1h'\nmax_connections = 200\n"
                  "track_io_timing = on\n");
    return arena_dup(arena, out.buf);
}

static int series(int version) { return version / 10000; }

static char *create_sql(Arena *arena, const Facts *facts, const char *name, bool locale)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "CREATE DATABASE %s TEMPLATE template0", sql_ident(arena, name));
    if (facts->encoding != NULL)
        str_addf(&sql, " ENCODING %s", sql_literal(arena, facts->encoding));
    if (locale && facts->collate != NULL && facts->ctype != NULL)
        str_addf(&sql, " LC_COLLATE %s LC_CTYPE %s", sql_literal(arena, facts->collate),
                 sql_literal(arena, facts->ctype));
    else
        str_add(&sql, " LC_COLLATE 'C' LC_CTYPE 'C'");
    return arena_dup(arena, sql.buf);
}

static Err *copy(Stage *stage, const char *name, const char *from)
{
    Arena *arena = stage->arena;
    return stage_admin_exec(stage, arena_printf(arena, "CREATE DATABASE %s TEMPLATE %s%s",
                                                sql_ident(arena, name), sql_ident(arena, from),
                                                stage->version >= 150000 ? " STRATEGY file_copy" : ""));
}

static char *drop_sql(Arena *arena, const char *name)
{
    return arena_printf(arena, "DROP DATABASE IF EXISTS %s", sql_ident(arena, name));
}

static char *path_sql(Arena *arena, const Facts *facts, const char *name)
{
    return facts->search_path_count == 0
               ? NULL
               : arena_printf(arena, "ALTER DATABASE %s SET search_path = %s", sql_ident(arena, name),
                              sql_ident_list(arena, facts->search_path, facts->search_path_count));
}

/* A database that is copied is some hundred files, each of which would be synced. */
static const char *const *pace_sql(Arena *arena, const Facts *facts, bool hurry)
{
    static const char *const fast[] = {"ALTER SYSTEM SET fsync = off", "SELECT pg_catalog.pg_reload_conf()",
                                       NULL};
    static const char *const calm[] = {"ALTER SYSTEM SET fsync = on", "SELECT pg_catalog.pg_reload_conf()",
                                       NULL};
    (void)arena, (void)facts;
    return hurry ? fast : calm;
}

static void statements(Arena *arena, const char *sql, const char *const **ret_sql, size_t *ret_count)
{
    VEC(const char *) out = {0};
    PgSplit split = pg_split(arena, sql, 0, strlen(sql));
    for (size_t i = 0; i < split.pieces.len; i++)
        if (split.pieces.items[i].kind == PG_PIECE_SQL)
            *vec_push(arena, &out) = pg_piece_text(arena, sql, &split.pieces.items[i]);
    *ret_sql = out.items;
    *ret_count = out.len;
}

const RehearseEngine rehearse_engine_pg = {
    .name = "postgres",
    .scheme = "postgres://",
    .host = &host_engine_pg,
    .settings = settings,
    .series = series,
    .create_sql = create_sql,
    .copy = copy,
    .drop_sql = drop_sql,
    .path_sql = path_sql,
    .begin_sql = "SET search_path = pg_catalog, pg_temp; SET check_function_bodies = off; "
                 "SET synchronous_commit = off; SET standard_conforming_strings = on; "
                 "SET client_min_messages = error; SET lock_timeout = 0; SET statement_timeout = 0; "
                 "SET session_replication_role = origin; SET max_parallel_workers_per_gather = 0",
    .before_rows = build_before_rows_pg,
    .after_rows = build_after_rows_pg,
    .settle = build_settle_pg,
    .finish = build_finish_pg,
    .is_foreign = build_is_foreign_pg,
    .pace_sql = pace_sql,
    .rest_sql = "CHECKPOINT",
    .counters_sql = "SELECT pg_catalog.pg_database_size(d.oid), pg_catalog.pg_stat_get_db_temp_bytes(d.oid) "
                    "FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()",
    .waiting_sql = "SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.application_name = "
                   "'" REHEARSE_APPLICATION "' AND a.wait_event_type = 'Lock'), "
                   "(SELECT coalesce(sum(f.size), 0) FROM pg_catalog.pg_ls_tmpdir() f)",
    .cache_setting = "shared_buffers",
    .sort_setting = "maintenance_work_mem",
    .least_cache = LEAST_CACHE,
    .least_sort = LEAST_SORT,
    .words = mask_words,
    .mask = mask_statement,
    .statements = statements,
};
