/* Facts for "stoa stale" on MySQL and MariaDB: information_schema, performance_schema, and statistics that
 * were gathered; of the chosen database. */
#include "engine/mysql/stale.h"
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"

#include <string.h>

enum { STATEMENTS_MAX = 20000 };

/* Rows as objects; `names` of the columns, in order, divided by spaces. NULLs are left out. */
Err *stale_query(Conn *conn, const Wait *wait, const char *names, const char *sql, json_t **ret_rows)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, sql));
    json_t *list = json_array();
    for (size_t i = 0; i < rows.row_count; i++) {
        json_t *row = json_object();
        const char *name = names;
        for (size_t j = 0; j < rows.col_count && *name != '\0'; j++) {
            size_t len = strcspn(name, " ");
            const char *cell = rows_cell(&rows, i, j);
            if (cell != NULL)
                json_object_set_new(row, arena_dupn(arena, name, len), json_string(cell));
            name += len + (name[len] == ' ');
        }
        json_array_append_new(list, row);
    }
    *ret_rows = list;
    return NULL;
}

const char *stale_member(const json_t *row, const char *member)
{
    return json_string_value(json_object_get(row, member));
}

/* What is there only for some: an error of the server's means that there is none. */
Err *stale_query_maybe(Conn *conn, const Wait *wait, const char *names, const char *sql, json_t **ret_rows)
{
    Err *err = stale_query(conn, wait, names, sql, ret_rows);
    if (!err_is(err, ERR_SQL) && !err_is(err, ERR_PRIVILEGE))
        return err;
    err_free(err);
    *ret_rows = json_array();
    return NULL;
}

Err *stale_counters(Conn *conn, const Wait *wait, Counters *ret_counters, const char **ret_why,
                    const char **ret_remedy)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    bool mariadb = flavor_is_mariadb(my_flavor(conn));
    *ret_counters = COUNTERS_NONE;
    TRY(conn_query(conn, wait, arena, &rows,
                   "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('performance_schema', 'userstat')"));
    bool schema = false;
    for (size_t i = 0; i < rows.row_count; i++) {
        bool on = str_eq(rows_cell(&rows, i, 1), "ON");
        schema = schema || (on && str_eq(rows_cell(&rows, i, 0), "performance_schema"));
        if (on && str_eq(rows_cell(&rows, i, 0), "userstat"))
            *ret_counters = COUNTERS_USERSTAT;
    }
    *ret_why = "performance_schema is off";
    *ret_remedy = mariadb ? "SET GLOBAL userstat = 1; or performance_schema = ON and a restart"
                          : "performance_schema = ON and a restart";
    if (!schema)
        return NULL;
    Err *err = conn_query(
        conn, wait, arena, &rows,
        "SELECT ENABLED FROM performance_schema.setup_instruments WHERE NAME = 'wait/io/table/sql/handler'");
    *ret_remedy = "UPDATE performance_schema.setup_instruments SET ENABLED = 'YES' WHERE NAME = "
                  "'wait/io/table/sql/handler'";
    *ret_why = "performance_schema does not count uses of indexes";
    if (err == NULL && rows.row_count > 0 && str_eq(rows_cell(&rows, 0, 0), "YES"))
        *ret_counters = COUNTERS_SCHEMA;
    if (err != NULL) {
        *ret_why = "this account may not read performance_schema";
        *ret_remedy = "GRANT SELECT ON performance_schema.* TO it";
    }
    err_free(err);
    return NULL;
}

static Err *load_server(Conn *conn, const Wait *wait, json_t **ret_rows)
{
    Counters counters;
    const char *why = NULL, *remedy = NULL;
    json_t *rows = NULL, *standbys = NULL;
    TRY(stale_counters(conn, wait, &counters, &why, &remedy));
    bool mariadb = flavor_is_mariadb(my_flavor(conn));
    TRY(stale_query(
        conn, wait, "statistics_age_s statistics_since transactions",
        mariadb ? "SELECT u.VARIABLE_VALUE, NOW() - INTERVAL u.VARIABLE_VALUE SECOND, q.VARIABLE_VALUE FROM "
                  "information_schema.GLOBAL_STATUS u, information_schema.GLOBAL_STATUS q WHERE "
                  "u.VARIABLE_NAME = 'UPTIME_SINCE_FLUSH_STATUS' AND q.VARIABLE_NAME = 'QUESTIONS'"
                : "SELECT u.VARIABLE_VALUE, NOW() - INTERVAL u.VARIABLE_VALUE SECOND, q.VARIABLE_VALUE FROM "
                  "performance_schema.global_status u, performance_schema.global_status q WHERE "
                  "u.VARIABLE_NAME = 'Uptime' AND q.VARIABLE_NAME = 'Questions'",
        &rows));
    json_t *row = json_array_get(rows, 0);
    Err *err = stale_query_maybe(
        conn, wait, "standbys",
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'", &standbys);
    if (err == NULL && row != NULL) {
        json_object_update(row, json_array_get(standbys, 0));
        json_object_set_new(row, "counts", json_boolean(counters != COUNTERS_NONE));
        if (counters == COUNTERS_NONE) {
            json_object_set_new(row, "why_not", json_string(why));
            json_object_set_new(row, "remedy", json_string(remedy));
        }
    }
    json_decref(standbys);
    if (err != NULL) {
        json_decref(rows);
        return err;
    }
    *ret_rows = rows;
    return NULL;
}

/* ---- columns -------------------------------------------------------------------------------- */

/* MySQL keeps histograms where somebody made them, MariaDB statistics of the engine's own kind; both were
 * made by reading, then, and nothing is read now. */
static Err *load_statistics(Conn *conn, const Wait *wait, json_t **ret_rows)
{
    static const char names[] =
        "schema table column null_frac distinct table_rows sampled_rows analyzed_age_s table_bytes";
    static const char tables[] =
        " JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = DATABASE() AND t.TABLE_NAME = ";
    const Flavor *flavor = my_flavor(conn);
    CLEANUP(arena_freep) Arena *arena = arena_new();
    if (flavor_is_mariadb(flavor))
        return stale_query_maybe(
            conn, wait, names,
            arena_printf(
                arena,
                "SELECT s.db_name, s.table_name, s.column_name, s.nulls_ratio, IF(s.nulls_ratio < 1, 1, 0), "
                "t.TABLE_ROWS, FLOOR(t.TABLE_ROWS * IF(@@GLOBAL.analyze_sample_percentage = 0, 0.1, "
                "@@GLOBAL.analyze_sample_percentage / 100)), NULL, t.DATA_LENGTH FROM mysql.column_stats s%s"
                "s.table_name WHERE s.db_name = DATABASE() AND (s.nulls_ratio >= 1 OR s.nulls_ratio = 0 AND "
                "s.min_value = s.max_value AND LENGTH(s.min_value) < 200) ORDER BY 1, 2, 3",
                tables),
            ret_rows);
    if (flavor->version < 80000) {
        *ret_rows = json_array();
        return NULL;
    }
    return stale_query_maybe(
        conn, wait, names,
        arena_printf(
            arena,
            "SELECT s.SCHEMA_NAME, s.TABLE_NAME, s.COLUMN_NAME, s.HISTOGRAM ->> '$.\"null-values\"', "
            "JSON_LENGTH(s.HISTOGRAM, '$.buckets'), t.TABLE_ROWS, FLOOR(t.TABLE_ROWS * (s.HISTOGRAM ->> "
            "'$.\"sampling-rate\"')), TIMESTAMPDIFF(SECOND, CAST(s.HISTOGRAM ->> '$.\"last-updated\"' AS "
            "DATETIME), UTC_TIMESTAMP()), t.DATA_LENGTH FROM information_schema.COLUMN_STATISTICS s%s"
            "s.TABLE_NAME WHERE s.SCHEMA_NAME = DATABASE() AND (s.HISTOGRAM ->> '$.\"null-values\"' + 0 >= 1 "
            "OR "
            "s.HISTOGRAM ->> '$.\"null-values\"' + 0 = 0 AND JSON_LENGTH(s.HISTOGRAM, '$.buckets') = 1 AND "
            "s.HISTOGRAM ->> '$.\"histogram-type\"' = 'singleton') ORDER BY 1, 2, 3",
            tables),
        ret_rows);
}

static Err *load_columns(Conn *conn, const Wait *wait, json_t **ret_rows)
{
    json_t *rows = NULL, *list = json_array(), *table = NULL;
    const json_t *row = NULL;
    size_t i = 0;
    Err *err = stale_query(
        conn, wait, "schema table column",
        "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME FROM information_schema.COLUMNS c JOIN "
        "information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME AND "
        "t.TABLE_TYPE "
        "IN ('BASE TABLE', 'SYSTEM VERSIONED') LEFT JOIN (SELECT DISTINCT s.TABLE_NAME, s.COLUMN_NAME FROM "
        "information_schema.STATISTICS s WHERE s.TABLE_SCHEMA = DATABASE()) k ON k.TABLE_NAME = c.TABLE_NAME "
        "AND "
        "k.COLUMN_NAME = c.COLUMN_NAME WHERE c.TABLE_SCHEMA = DATABASE() AND k.COLUMN_NAME IS NULL ORDER BY "
        "c.TABLE_NAME, c.ORDINAL_POSITION",
        &rows);
    json_array_foreach(rows, i, row)
    {
        if (table == NULL || !str_eq(stale_member(table, "table"), stale_member(row, "table"))) {
            table = json_pack("{s:s?, s:s?, s:[]}", "schema", stale_member(row, "schema"), "table",
                              stale_member(row, "table"), "columns");
            json_array_append_new(list, table);
        }
        json_array_append(json_object_get(table, "columns"), json_object_get(row, "column"));
    }
    json_decref(rows);
    if (err != NULL) {
        json_decref(list);
        return err;
    }
    *ret_rows = list;
    return NULL;
}

static Err *load_bodies(Conn *conn, const Wait *wait, json_t **ret_rows)
{
    const Flavor *flavor = my_flavor(conn);
    CLEANUP(arena_freep) Arena *arena = arena_new();
    bool checks = flavor_is_mariadb(flavor) ? flavor->version >= 100210 : flavor->version >= 80016;
    return stale_query(
        conn, wait, "text",
        arena_printf(
            arena,
            "SELECT ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() "
            "UNION ALL "
            "SELECT ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() "
            "UNION ALL "
            "SELECT EVENT_DEFINITION FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() UNION "
            "ALL "
            "SELECT VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE() UNION ALL "
            "SELECT GENERATION_EXPRESSION FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() "
            "AND "
            "GENERATION_EXPRESSION <> '' UNION ALL "
            "SELECT PARTITION_EXPRESSION FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = DATABASE() "
            "AND "
            "PARTITION_EXPRESSION IS NOT NULL UNION ALL "
            "SELECT INFO FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND INFO IS NOT "
            "NULL%s",
            checks ? " UNION ALL SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE "
                     "CONSTRAINT_SCHEMA = DATABASE()"
                   : ""),
        ret_rows);
}

/* ---- statements ----------------------------------------------------------------------------- */

static Err *load_statements(Conn *conn, const Wait *wait, json_t **ret_rows)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    return stale_query(
        conn, wait, "text calls",
        arena_printf(arena,
                     "SELECT DIGEST_TEXT, SUM(COUNT_STAR) FROM "
                     "performance_schema.events_statements_summary_by_digest WHERE DIGEST_TEXT IS NOT NULL "
                     "AND DIGEST_TEXT NOT LIKE '%%`stoa` . %%' AND DIGEST_TEXT NOT LIKE "
                     "'%%`information_schema`%%' GROUP BY DIGEST_TEXT ORDER BY 2 DESC LIMIT %d",
                     STATEMENTS_MAX),
        ret_rows);
}

/* What found no place in the table of digests is summed up in one row without a digest. */
static Err *load_coverage(Conn *conn, const Wait *wait, json_t **ret_rows)
{
    json_t *rows = NULL;
    Err *err = stale_query(
        conn, wait, "calls statements since age_s evicted",
        "SELECT SUM(IF(DIGEST IS NULL, 0, COUNT_STAR)), SUM(DIGEST IS NOT NULL), MIN(FIRST_SEEN), "
        "TIMESTAMPDIFF(SECOND, MIN(FIRST_SEEN), NOW()), SUM(IF(DIGEST IS NULL, COUNT_STAR, 0)) FROM "
        "performance_schema.events_statements_summary_by_digest",
        &rows);
    if (!err_is(err, ERR_SQL) && !err_is(err, ERR_PRIVILEGE))
        TRY(err);
    const char *unknown = err != NULL ? "this account may not read performance_schema"
                          : stale_member(json_array_get(rows, 0), "since") == NULL
                              ? "performance_schema keeps no digests of statements"
                              : NULL;
    const char *remedy =
        err != NULL ? "GRANT SELECT ON performance_schema.* TO it" : "performance_schema = ON and a restart";
    err_free(err);
    if (unknown == NULL) {
        *ret_rows = rows;
        return NULL;
    }
    json_decref(rows);
    *ret_rows = json_pack("[{s:s, s:s}]", "unknown", unknown, "remedy", remedy);
    return NULL;
}

/* A prepared transaction that no session has any more. */
static Err *load_waiting(Conn *conn, const Wait *wait, json_t **ret_rows)
{
    json_t *row = NULL;
    size_t i = 0;
    TRY(stale_query_maybe(
        conn, wait, "name age_s",
        "SELECT CONCAT('transaction ', trx_id), TIMESTAMPDIFF(SECOND, trx_started, NOW()) FROM "
        "information_schema.INNODB_TRX WHERE trx_mysql_thread_id = 0",
        ret_rows));
    json_array_foreach(*ret_rows, i, row)
    {
        json_object_set_new(row, "type", json_string("prepared transaction"));
        json_object_set_new(row, "do",
                            json_string("XA RECOVER; then XA ROLLBACK '…' of the one that is meant"));
    }
    return NULL;
}

Err *my_load_stale(Conn *conn, const Wait *wait, Arena *arena UNUSED, const Server *server UNUSED,
                   StaleFact fact, json_t **ret_rows)
{
    switch (fact) {
    case STALE_SERVER:
        return load_server(conn, wait, ret_rows);
    case STALE_INDEXES:
        return stale_load_indexes(conn, wait, ret_rows);
    case STALE_STATISTICS:
        return load_statistics(conn, wait, ret_rows);
    case STALE_COLUMNS:
        return load_columns(conn, wait, ret_rows);
    case STALE_STATEMENTS:
        return load_statements(conn, wait, ret_rows);
    case STALE_BODIES:
        return load_bodies(conn, wait, ret_rows);
    case STALE_COVERAGE:
        return load_coverage(conn, wait, ret_rows);
    case STALE_OBJECTS:
        return stale_load_objects(conn, wait, ret_rows);
    case STALE_WAITING:
        return load_waiting(conn, wait, ret_rows);
    case STALE_CONSTRAINTS: /* there are none that hold for some rows only */
    case STALE_FACT_COUNT:
        break;
    }
    *ret_rows = json_array();
    return NULL;
}
