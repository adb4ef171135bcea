/* Who uses a table or a column, by what the server remembers: statement statistics, sessions, counters. */
#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/pg.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

enum {
    CANDIDATES_MAX = 5000,
    STATEMENT_BYTES = 200,
    STATEMENT_READ = 4000, /* characters of a statement that are looked through */
    STATISTICS_TIMEOUT_MS = 10000,
    NAME_JUMBLE_VERSION = 180000,
    COLLECTOR_MS = 600, /* before 15 counters travel at most every 500 ms (PGSTAT_STAT_INTERVAL) */
};

typedef struct UsedTable {
    const char *schema, *name;
} UsedTable;

typedef struct Search {
    Arena *arena;
    const UsedTable *tables; /* the table and its partitions, as far as they count */
    size_t table_count;
    bool any_schema;
    const char *const *columns;
    size_t column_count;
} Search;

static const char *cut(Arena *arena, const char *statement)
{
    size_t len = strnlen(statement, STATEMENT_BYTES);
    while (len > 0 && len == STATEMENT_BYTES && ((unsigned char)statement[len] & 0xC0) == 0x80)
        len--;
    return arena_dupn(arena, statement, len);
}

/* Our own look whether a table is empty, which every plan takes. */
static bool is_ours(const char *statement)
{
    return str_starts(statement, "SELECT NOT EXISTS (SELECT FROM ONLY ");
}

static const char *reason(const Search *search, const char *statement)
{
    const char *why = NULL;
    for (size_t i = 0; i < search->table_count && why == NULL; i++)
        if (strcasestr(statement, search->tables[i].name) != NULL ||
            strchr(search->tables[i].name, '"') != NULL)
            why = use_reason(statement, search->any_schema ? NULL : search->tables[i].schema,
                             search->tables[i].name, search->columns, search->column_count);
    return why;
}

static void find_uses(const Search *search, const json_t *rows, UseStatement **ret_uses, size_t *ret_count)
{
    VEC(UseStatement) uses = {0};
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *statement = json_string_value(json_object_get(row, "query"));
        const char *why = statement == NULL || is_ours(statement) ? NULL : reason(search, statement);
        if (why == NULL)
            continue;
        UseStatement *use = vec_push(search->arena, &uses);
        *use = (UseStatement){.key = catalog_text(search->arena, row, "key"),
                              .statement = cut(search->arena, statement),
                              .role = catalog_text(search->arena, row, "role"),
                              .why = why,
                              .calls = catalog_int(row, "calls")};
        use->calls = use->calls > 0 ? use->calls : 1;
    }
    *ret_uses = uses.items;
    *ret_count = uses.len;
}

/* Why the statistics tell nothing, or NULL. */
static const char *why_unknown(const json_t *row, const Server *server, const char **ret_remedy)
{
    const json_t *track = json_object_get(row, "track"), *max = json_object_get(row, "statement_max");
    *ret_remedy = NULL;
    if (!json_is_string(max)) {
        *ret_remedy = "shared_preload_libraries = 'pg_stat_statements', a restart, then CREATE EXTENSION "
                      "pg_stat_statements";
        return "pg_stat_statements is not loaded";
    }
    if (!json_is_string(json_object_get(row, "extension"))) {
        *ret_remedy = "CREATE EXTENSION pg_stat_statements";
        return "pg_stat_statements is not installed in this database";
    }
    if (!catalog_bool(row, "reachable") || !server->may_read_stats) {
        *ret_remedy = "GRANT pg_read_all_stats to this role";
        return "this role may not read the statements of others in pg_stat_statements";
    }
    if (str_eq(json_string_value(track), "none") || catalog_bool(row, "no_query_id")) {
        *ret_remedy = "pg_stat_statements.track = top, compute_query_id = auto";
        return "pg_stat_statements is told not to track";
    }
    return NULL;
}

/* Since when, and what fell out: known from 14 on. */
static Err *read_info(Conn *conn, const Wait *wait, Arena *arena, const char *extension, Use *use)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_add(&sql, "SELECT dealloc AS evicted, pg_catalog.date_trunc('second', stats_reset)::text AS since "
                  "FROM ");
    sql_add_name(&sql, extension, "pg_stat_statements_info");
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    TRY(catalog_query(conn, wait, sql.buf, 0, NULL, &rows));
    const json_t *row = json_array_get(rows, 0);
    use->evicted = catalog_int(row, "evicted");
    use->since = catalog_text(arena, row, "since");
    return NULL;
}

/* A name with a quote in it stands doubled in statements. */
static const char *as_written(Arena *arena, const char *name)
{
    if (strchr(name, '"') == NULL)
        return name;
    char *quoted = sql_ident(arena, name);
    return arena_dupn(arena, quoted + 1, strlen(quoted) - 2);
}

/* Names to look for: those that contain another one of them (events_2024, events) are found with it. */
static char *needles(const Search *search)
{
    json_t *list = json_array();
    for (size_t i = 0; i < search->table_count; i++) {
        const char *name = search->tables[i].name;
        bool found = false;
        for (size_t k = 0; k < search->table_count && !found; k++) {
            const char *other = search->tables[k].name;
            bool shorter = strlen(other) < strlen(name) || (strlen(other) == strlen(name) && k < i);
            found = shorter && strstr(name, other) != NULL;
        }
        if (!found)
            (void)json_array_append_new(list, json_string(as_written(search->arena, name)));
    }
    char *text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return text;
}

static Err *read_statements(Conn *conn, const Wait *wait, const Search *search, const char *extension,
                            Use *use)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql,
             "SELECT pg_catalog.concat_ws('/', s.userid, s.queryid) AS key, pg_catalog.left("
             "pg_catalog.min(s.query), %d) AS query, pg_catalog.pg_get_userbyid(s.userid) AS role, "
             "pg_catalog.sum(s.calls)::int8 AS calls FROM ",
             STATEMENT_READ);
    sql_add_name(&sql, extension, "pg_stat_statements");
    str_addf(&sql,
             " s WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = "
             "pg_catalog.current_database()) AND EXISTS (SELECT FROM "
             "pg_catalog.json_array_elements_text($1::json) "
             "n WHERE pg_catalog.strpos(pg_catalog.lower(s.query), pg_catalog.lower(n)) > 0) AND s.query !~* "
             "'\\mstoa\\.' GROUP BY s.userid, s.queryid "
             "ORDER BY 4 DESC LIMIT %d",
             CANDIDATES_MAX + 1);
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    CLEANUP(mem_freep) char *list = needles(search);
    const char *const names = list;
    Wait limit = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = STATISTICS_TIMEOUT_MS};
    Err *err = catalog_query(conn, &limit, sql.buf, 1, &names, &rows);
    if (err_is(err, ERR_CANCELLED)) {
        err_free(err);
        use->unknown = "pg_stat_statements could not be read within 10 s";
        return NULL;
    }
    if (err_is(err, ERR_SQL) || err_is(err, ERR_PRIVILEGE)) { /* installed, but not loaded; or not ours */
        use->unknown = arena_dup(search->arena, err->msg);
        err_free(err);
        return NULL;
    }
    TRY(err);
    if (json_array_size(rows) > CANDIDATES_MAX)
        use->unknown = "too many statements in pg_stat_statements mention the table";
    /* From 18 on, tables of the same name in different schemas share one entry, under the text of whoever
     * came first (release notes: query ids go by the table's name). */
    Search any = *search;
    any.any_schema = pg_conn_version(conn) >= NAME_JUMBLE_VERSION;
    find_uses(&any, rows, &use->statements, &use->seen_count);
    return NULL;
}

static void read_tables(Search *search, const json_t *list)
{
    UsedTable *tables = arena_alloc(search->arena, (json_array_size(list) + 1) * sizeof *tables);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        tables[i] = (UsedTable){.schema = catalog_text(search->arena, item, "schema"),
                                .name = catalog_text(search->arena, item, "name")};
    }
    search->tables = tables;
    search->table_count = json_array_size(list);
}

Err *pg_load_use(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const char *schema,
                 const char *table, bool parts, const char *const *columns, size_t column_count, Use *ret_use)
{
    Search search = {.arena = arena, .columns = columns, .column_count = column_count};
    CLEANUP(catalog_json_freep) json_t *list = json_array();
    for (size_t i = 0; i < column_count; i++)
        (void)json_array_append_new(list, json_string(columns[i]));
    CLEANUP(mem_freep) char *names = json_dumps(list, JSON_COMPACT);
    const char *params[] = {schema, table, names, parts ? "true" : "false"};
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    TRY(catalog_query(conn, wait, catalog_use_sql, ARRAY_LEN(params), params, &rows));
    const json_t *row = json_array_get(rows, 0);
    Use use = {.gone = catalog_bool(row, "gone"),
               .at = catalog_text(arena, row, "at"),
               .evicted = -1,
               .scans = catalog_int(row, "scans"),
               .writes = catalog_int(row, "writes")};
    use.functions = catalog_texts(arena, row, "functions", &use.function_count);
    use.unknown = why_unknown(row, server, &use.remedy);
    read_tables(&search, json_object_get(row, "parts"));
    find_uses(&search, json_object_get(row, "running"), &use.running, &use.running_count);
    const char *extension = json_string_value(json_object_get(row, "extension"));
    if (use.unknown == NULL)
        TRY(read_statements(conn, wait, &search, extension, &use));
    if (use.unknown == NULL && catalog_bool(row, "has_info"))
        TRY(read_info(conn, wait, arena, extension, &use));
    *ret_use = use;
    return NULL;
}

Err *pg_flush_counters(Conn *conn, const Wait *wait)
{
    if (pg_conn_version(conn) >= 150000)
        return conn_exec(conn, wait, "SELECT pg_catalog.pg_stat_force_next_flush()");
    stop_sleep(wait->stop, COLLECTOR_MS);
    TRY(conn_exec(conn, wait, "SELECT 1")); /* its end hands the counters on */
    stop_sleep(wait->stop, COLLECTOR_MS);
    return NULL;
}
