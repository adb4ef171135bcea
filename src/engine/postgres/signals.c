/* Signals: what holds back pruning, how far the standbys are, and which updates stayed in place. */
#include "base/str.h"
#include "base/unit.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/sql.h"

enum {
    /* A standby reports its snapshot every 10 s (wal_receiver_status_interval), so that some of its age in
     * transactions says nothing. */
    HORIZON_XIDS = 100000,
};

Err *pg_hot_updates(Conn *conn, const Wait *wait, Arena *arena, const Table *table, int64_t *ret_rows)
{
    Rows rows = {0};
    const char *id = arena_printf(arena, "%lld", (long long)table->id);
    TRY(conn->ops->query(conn, wait, arena, "SELECT pg_catalog.pg_stat_get_xact_tuples_hot_updated($1::oid)",
                         1, &id, &rows));
    *ret_rows = rows_int(&rows, 0, 0);
    return NULL;
}

/* In the same statement as the counter: both are asked for after each wave, and that costs a tenth of a
 * millisecond more than the counter alone. A sum of plain numbers would not see one trigger enabled and
 * another disabled. */
Err *pg_shape(Conn *conn, const Wait *wait, Arena *arena, int64_t table_id, const char **ret_shape,
              int64_t *ret_hot_rows)
{
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT pg_catalog.concat_ws(' ', "
                    "(SELECT pg_catalog.sum(pg_catalog.hashint8(g.oid::int8 * 256 + "
                    "pg_catalog.ascii(g.tgenabled::text))) FROM pg_catalog.pg_trigger g WHERE g.tgrelid = "
                    "$1::oid), (SELECT pg_catalog.sum(i.indexrelid::int8) FROM pg_catalog.pg_index i "
                    "WHERE i.indrelid = $1::oid)), pg_catalog.pg_stat_get_xact_tuples_hot_updated($1::oid)",
                    arena_printf(arena, "%lld", (long long)table_id)));
    *ret_shape = rows_cell(&rows, 0, 0);
    *ret_hot_rows = rows_int(&rows, 0, 1);
    return NULL;
}

Err *pg_horizon(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_age_ms, const char **ret_who)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    TRY(catalog_query(conn, wait, catalog_horizon_sql, 0, NULL, &rows));
    *ret_age_ms = 0;
    *ret_who = NULL;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *who = catalog_text(arena, row, "who"), *state = catalog_text(arena, row, "state");
        int64_t xids = catalog_int(row, "xids");
        if (!json_is_null(json_object_get(row, "age_ms"))) {
            char age[UNIT_TEXT_BYTES];
            *ret_age_ms = catalog_int(row, "age_ms") < 0 ? 0 : catalog_int(row, "age_ms");
            *ret_who = arena_printf(arena, "%s, %s for %s", who, state, unit_duration_text(*ret_age_ms, age));
            return NULL;
        }
        if (xids > HORIZON_XIDS) {
            char count[UNIT_TEXT_BYTES];
            *ret_age_ms = -1;
            *ret_who = arena_printf(arena, "%s, %s, %s transactions behind", who, state,
                                    unit_count_text(xids, count));
            return NULL;
        }
    }
    return NULL;
}

/* The flushed position covers every commit before the last durable one. The insert position may stay ahead of
 * what any standby can get for as long as nothing commits. */
Err *pg_position(Conn *conn, const Wait *wait, Arena *arena, const char **ret_position)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() "
                   "ELSE pg_catalog.pg_current_wal_flush_lsn() END"));
    if (rows_cell(&rows, 0, 0) == NULL)
        return err_new(ERR_SQL, "the server has no log position");
    *ret_position = rows_cell(&rows, 0, 0);
    return NULL;
}

Err *pg_replicas(Conn *conn, const Wait *wait, Arena *arena, Replica **ret_replicas, size_t *ret_count)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    const char *none = NULL;
    TRY(catalog_query(conn, wait, catalog_replicas_sql, 1, &none, &rows));
    size_t count = json_array_size(rows);
    Replica *replicas = arena_alloc(arena, (count + 1) * sizeof *replicas);
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, i);
        bool visible = catalog_bool(row, "visible"), replays = catalog_bool(row, "replays");
        Replica *replica = &replicas[i];
        *replica =
            (Replica){.name = catalog_text(arena, row, "name"), .sampled = visible && replays, .lag_ms = -1};
        if (replica->sampled) {
            replica->lag_ms = catalog_int(row, "lag_ms");
            replica->lag_bytes = catalog_int(row, "lag_bytes");
        } else if (visible)
            replica->why =
                arena_printf(arena, "it reports no position (%s)", catalog_text(arena, row, "state"));
        else
            replica->why = arena_printf(arena, "columns hidden: GRANT pg_monitor TO %s",
                                        sql_ident(arena, catalog_text(arena, row, "role")));
    }
    *ret_replicas = replicas;
    *ret_count = count;
    return NULL;
}

Err *pg_replayed(Conn *conn, const Wait *wait, Arena *arena UNUSED, const char *position, bool *ret_all)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    TRY(catalog_query(conn, wait, catalog_replicas_sql, 1, &position, &rows));
    bool all = true;
    for (size_t i = 0; i < json_array_size(rows); i++)
        all = all && catalog_bool(json_array_get(rows, i), "reached");
    *ret_all = all;
    return NULL;
}
