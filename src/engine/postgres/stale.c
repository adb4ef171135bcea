/* Facts for "stoa stale": one catalog query each; statements from pg_stat_statements. */
#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/pg.h"
#include "engine/sql.h"

#include <string.h>

enum { STATEMENTS_MAX = 20000, STATEMENT_CHARS = 20000 };

static const char coverage_sql[] =
    "SELECT pg_catalog.current_setting('pg_stat_statements.max', true) AS loaded, "
    "pg_catalog.current_setting('pg_stat_statements.track', true) AS track, "
    "pg_catalog.current_setting('compute_query_id', true) = 'off' AS no_query_id, "
    "(SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = "
    "e.extnamespace "
    "WHERE e.extname = 'pg_stat_statements') AS extension, "
    "EXISTS (SELECT FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_depend d ON d.refclassid = "
    "'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e' JOIN pg_catalog.pg_class "
    "v "
    "ON d.classid = 'pg_catalog.pg_class'::regclass AND v.oid = d.objid WHERE e.extname = "
    "'pg_stat_statements' "
    "AND v.relname = 'pg_stat_statements_info') AS has_info";

/* Why there is nothing to be read, as members of the coverage. */
static void note_unknown(json_t *row, const Server *server)
{
    const char *unknown = NULL, *remedy = NULL;
    if (!json_is_string(json_object_get(row, "loaded"))) {
        unknown = "pg_stat_statements is not loaded";
        remedy = "shared_preload_libraries = 'pg_stat_statements', a restart, then CREATE EXTENSION "
                 "pg_stat_statements";
    } else if (!json_is_string(json_object_get(row, "extension"))) {
        unknown = "pg_stat_statements is not installed in this database";
        remedy = "CREATE EXTENSION pg_stat_statements";
    } else if (!server->may_read_stats) {
        unknown = "this role may not read the statements of others in pg_stat_statements";
        remedy = "GRANT pg_read_all_stats to this role";
    } else if (str_eq(json_string_value(json_object_get(row, "track")), "none") ||
               catalog_bool(row, "no_query_id")) {
        unknown = "pg_stat_statements is told not to track";
        remedy = "pg_stat_statements.track = top, compute_query_id = auto";
    }
    if (unknown != NULL) {
        json_object_set_new(row, "unknown", json_string(unknown));
        json_object_set_new(row, "remedy", json_string(remedy));
    }
}

static void add_from(Str *sql, const char *extension)
{
    str_add(sql, " FROM ");
    sql_add_name(sql, extension, "pg_stat_statements");
    str_add(sql, " s WHERE s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = "
                 "pg_catalog.current_database())");
}

static Err *load_coverage(Conn *conn, const Wait *wait, const Server *server, json_t **ret_rows)
{
    json_t *rows = NULL;
    TRY(catalog_query(conn, wait, coverage_sql, 0, NULL, &rows));
    json_t *row = json_array_get(rows, 0);
    note_unknown(row, server);
    if (json_object_get(row, "unknown") != NULL) {
        *ret_rows = rows;
        return NULL;
    }
    const char *extension = json_string_value(json_object_get(row, "extension"));
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_add(&sql, "SELECT pg_catalog.sum(s.calls)::int8 AS calls, pg_catalog.count(*) AS statements");
    if (catalog_bool(row, "has_info")) {
        str_add(&sql,
                ", i.dealloc AS evicted, pg_catalog.date_trunc('second', i.stats_reset)::text AS since, "
                "extract(epoch FROM pg_catalog.clock_timestamp() - i.stats_reset)::int8 AS age_s FROM ");
        sql_add_name(&sql, extension, "pg_stat_statements_info");
        str_add(&sql, " i LEFT JOIN (SELECT *");
        add_from(&sql, extension);
        str_add(&sql, ") s ON true GROUP BY i.dealloc, i.stats_reset");
    } else {
        add_from(&sql, extension);
    }
    CLEANUP(catalog_json_freep) json_t *more = NULL;
    Err *err = catalog_query(conn, wait, sql.buf, 0, NULL, &more);
    if (err == NULL)
        json_object_update(row, json_array_get(more, 0));
    if (err != NULL) {
        json_decref(rows);
        return err;
    }
    *ret_rows = rows;
    return NULL;
}

/* Our own are left out: they name the journal, or look whether a table is empty. Without access to the view
 * the caller has not asked. */
static Err *load_statements(Conn *conn, const Wait *wait, json_t **ret_rows)
{
    CLEANUP(catalog_json_freep) json_t *known = NULL;
    TRY(catalog_query(conn, wait, coverage_sql, 0, NULL, &known));
    const char *extension = json_string_value(json_object_get(json_array_get(known, 0), "extension"));
    if (extension == NULL) {
        *ret_rows = json_array();
        return NULL;
    }
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql,
             "SELECT pg_catalog.left(pg_catalog.min(s.query), %d) AS text, pg_catalog.sum(s.calls)::int8 AS "
             "calls",
             STATEMENT_CHARS);
    add_from(&sql, extension);
    str_addf(&sql,
             " AND s.query !~* '\\mstoa\\.' AND s.query NOT LIKE 'SELECT NOT EXISTS (SELECT FROM ONLY %%' "
             "GROUP BY s.queryid ORDER BY 2 DESC LIMIT %d",
             STATEMENTS_MAX);
    return catalog_query(conn, wait, sql.buf, 0, NULL, ret_rows);
}

/* pgroll's own state: whether a migration of it is under way, how long ago the last one was, and the schemas
 * of its versions. */
static const char pgroll_sql[] =
    "SELECT pg_catalog.bool_or(NOT m.done) AS active, extract(epoch FROM pg_catalog.clock_timestamp() - "
    "pg_catalog.max(m.updated_at))::int8 AS age_s, (SELECT pg_catalog.json_agg(n.nspname ORDER BY n.nspname) "
    "FROM "
    "pg_catalog.pg_namespace n WHERE n.nspname IN (SELECT v.schema || '_' || v.name FROM pgroll.migrations "
    "v)) "
    "AS versions FROM pgroll.migrations m";

static bool has_pgroll(const json_t *rows)
{
    size_t i = 0;
    const json_t *row = NULL;
    json_array_foreach(
        rows, i, row) if (str_eq(json_string_value(json_object_get(row, "name")), "pgroll") &&
                          str_eq(json_string_value(json_object_get(row, "type")), "schema")) return true;
    return false;
}

static void take_pgroll(Arena *arena, json_t *rows, const json_t *state)
{
    size_t i = 0;
    json_t *row = NULL, *version = NULL;
    json_array_foreach(rows, i, row)
    {
        if (strstr(json_string_value(json_object_get(row, "name")), "pgroll") == NULL)
            continue;
        if (catalog_bool(state, "active"))
            json_object_set_new(row, "alive", json_true());
        json_object_set(row, "age_s", json_object_get(state, "age_s"));
    }
    json_array_foreach(json_object_get(state, "versions"), i, version)
    {
        const char *name = json_string_value(version);
        json_array_append_new(
            rows, json_pack("{s:s, s:s, s:s, s:s, s:b, s:O, s:s}", "type", "schema", "schema", name, "name",
                            name, "note", "pgroll", "alive", (int)catalog_bool(state, "active"), "age_s",
                            json_object_get(state, "age_s"), "drop",
                            arena_printf(arena, "DROP SCHEMA %s CASCADE", sql_ident(arena, name))));
    }
}

static Err *load_objects(Conn *conn, const Wait *wait, Arena *arena, json_t **ret_rows)
{
    json_t *rows = NULL, *state = NULL;
    TRY(catalog_query(conn, wait, catalog_stale_objects_sql, 0, NULL, &rows));
    *ret_rows = rows;
    if (!has_pgroll(rows))
        return NULL;
    Err *err =
        catalog_query(conn, wait, pgroll_sql, 0, NULL, &state); /* its tables may be others', or not ours */
    if (err == NULL && json_array_size(state) > 0)
        take_pgroll(arena, rows, json_array_get(state, 0));
    json_decref(state);
    err_free(err);
    return NULL;
}

Err *pg_load_stale(Conn *conn, const Wait *wait, Arena *arena, const Server *server, StaleFact fact,
                   json_t **ret_rows)
{
    switch (fact) {
    case STALE_SERVER:
        return catalog_query(conn, wait, catalog_stale_server_sql, 0, NULL, ret_rows);
    case STALE_INDEXES:
        return catalog_query(conn, wait, catalog_stale_indexes_sql, 0, NULL, ret_rows);
    case STALE_CONSTRAINTS:
        return catalog_query(conn, wait, catalog_stale_constraints_sql, 0, NULL, ret_rows);
    case STALE_STATISTICS:
        return catalog_query(conn, wait, catalog_stale_statistics_sql, 0, NULL, ret_rows);
    case STALE_COLUMNS:
        return catalog_query(conn, wait, catalog_stale_columns_sql, 0, NULL, ret_rows);
    case STALE_STATEMENTS:
        return load_statements(conn, wait, ret_rows);
    case STALE_BODIES:
        return catalog_query(conn, wait, catalog_stale_bodies_sql, 0, NULL, ret_rows);
    case STALE_COVERAGE:
        return load_coverage(conn, wait, server, ret_rows);
    case STALE_OBJECTS:
        return load_objects(conn, wait, arena, ret_rows);
    case STALE_WAITING:
        return catalog_query(conn, wait, catalog_stale_waiting_sql, 0, NULL, ret_rows);
    case STALE_FACT_COUNT:
        break;
    }
    *ret_rows = json_array();
    return NULL;
}
