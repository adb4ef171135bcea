/* Indexes, put together from a row for each of their columns, with what is counted of their use. */
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/stale.h"

/* ---- indexes -------------------------------------------------------------------------------- */

/* "orders.note_idx": how parts of one index are found again. */
static const char *index_key(Arena *arena, const json_t *row)
{
    return arena_printf(arena, "%s.%s", stale_member(row, "table"), stale_member(row, "name"));
}

/* Rows of an index's columns become one object an index, in order. */
static json_t *put_together(Arena *arena, const json_t *parts, json_t *by_key)
{
    json_t *list = json_array(), *part = NULL;
    size_t i = 0;
    json_array_foreach(parts, i, part)
    {
        const char *key = index_key(arena, part);
        json_t *index = json_object_get(by_key, key);
        const char *column = stale_member(part, "column"), *expression = stale_member(part, "expression");
        if (index == NULL) {
            index = json_pack(
                "{s:s?, s:s?, s:s?, s:s?, s:b, s:b, s:b, s:[], s:[]}", "schema", stale_member(part, "schema"),
                "table", stale_member(part, "table"), "name", stale_member(part, "name"), "method",
                stale_member(part, "method"), "unique", (int)str_eq(stale_member(part, "non_unique"), "0"),
                "primary", (int)str_eq(stale_member(part, "name"), "PRIMARY"), "valid", 1, "keys", "columns");
            if (index == NULL)
                continue;
            if (str_eq(stale_member(part, "visible"), "NO"))
                json_object_set_new(index, "hidden", json_true());
            json_object_set_new(by_key, key, index);
            json_array_append(list, index);
        }
        const char *text =
            arena_printf(arena, "%s %s %s",
                         column != NULL       ? column
                         : expression != NULL ? expression
                                              : "?",
                         stale_member(part, "part") == NULL ? "" : stale_member(part, "part"),
                         stale_member(part, "order") == NULL ? "" : stale_member(part, "order"));
        json_array_append_new(json_object_get(index, "keys"), json_string(text));
        json_array_append_new(json_object_get(index, "columns"),
                              column != NULL ? json_string(column) : json_string("(expression)"));
    }
    return list;
}

/* Each row's members go to the index that it names, or, without a name, to all of the table's. */
static void put_onto(Arena *arena, json_t *by_key, const json_t *rows, const char *member)
{
    size_t i = 0;
    const json_t *row = NULL;
    json_array_foreach(rows, i, row)
    {
        json_t *index = json_object_get(by_key, index_key(arena, row)), *value = json_object_get(row, member);
        if (index != NULL && value != NULL)
            json_object_set(index, member, value);
    }
}

static void put_tables(json_t *list, const json_t *tables)
{
    json_t *by_name = json_object(), *index = NULL;
    const json_t *row = NULL;
    size_t i = 0;
    json_array_foreach(tables, i, row) if (stale_member(row, "table") != NULL)
        json_object_set(by_name, stale_member(row, "table"), json_array_get(tables, i));
    json_array_foreach(list, i, index)
    {
        row = json_object_get(by_name, stale_member(index, "table"));
        static const char *const members[] = {"table_rows", "table_bytes", "table_uses"};
        for (size_t j = 0; row != NULL && j < ARRAY_LEN(members); j++)
            if (json_object_get(row, members[j]) != NULL)
                json_object_set(index, members[j], json_object_get(row, members[j]));
    }
    json_decref(by_name);
}

static Err *load_scans(Conn *conn, const Wait *wait, Arena *arena, json_t *list, json_t *by_key)
{
    Counters counters;
    const char *why = NULL, *remedy = NULL;
    json_t *rows = NULL, *index = NULL;
    size_t i = 0;
    TRY(stale_counters(conn, wait, &counters, &why, &remedy));
    if (counters == COUNTERS_NONE)
        return NULL;
    if (counters == COUNTERS_USERSTAT) /* only those that were used have rows */
        json_array_foreach(list, i, index) json_object_set_new(index, "scans", json_integer(0));
    TRY(stale_query_maybe(
        conn, wait, "table name scans",
        counters == COUNTERS_SCHEMA
            ? "SELECT OBJECT_NAME, INDEX_NAME, COUNT_STAR FROM "
              "performance_schema.table_io_waits_summary_by_index_usage WHERE OBJECT_SCHEMA = DATABASE() AND "
              "INDEX_NAME IS NOT NULL"
            : "SELECT TABLE_NAME, INDEX_NAME, ROWS_READ FROM information_schema.INDEX_STATISTICS WHERE "
              "TABLE_SCHEMA = DATABASE()",
        &rows));
    put_onto(arena, by_key, rows, "scans");
    json_decref(rows);
    rows = NULL;
    TRY(stale_query_maybe(
        conn, wait, "table table_uses",
        counters == COUNTERS_SCHEMA
            ? "SELECT OBJECT_NAME, COUNT_STAR FROM performance_schema.table_io_waits_summary_by_table WHERE "
              "OBJECT_SCHEMA = DATABASE()"
            : "SELECT TABLE_NAME, ROWS_READ + ROWS_CHANGED FROM information_schema.TABLE_STATISTICS WHERE "
              "TABLE_SCHEMA = DATABASE()",
        &rows));
    put_tables(list, rows);
    json_decref(rows);
    return NULL;
}

/* Foreign keys whose columns an index begins with, on this side. */
static Err *load_foreign(Conn *conn, const Wait *wait, json_t *list)
{
    json_t *rows = NULL, *index = NULL;
    size_t i = 0, j = 0;
    const json_t *row = NULL;
    TRY(stale_query(conn, wait, "table name column place",
                    "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, ORDINAL_POSITION FROM "
                    "information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE() AND "
                    "REFERENCED_TABLE_NAME IS NOT "
                    "NULL AND ORDINAL_POSITION = 1",
                    &rows));
    json_array_foreach(list, i, index) json_array_foreach(rows, j, row)
    {
        const char *first = json_string_value(json_array_get(json_object_get(index, "columns"), 0));
        if (!str_eq(stale_member(row, "table"), stale_member(index, "table")) ||
            !str_eq(stale_member(row, "column"), first))
            continue;
        if (json_object_get(index, "foreign") == NULL)
            json_object_set_new(index, "foreign", json_array());
        json_array_append(json_object_get(index, "foreign"), json_object_get(row, "name"));
    }
    json_decref(rows);
    return NULL;
}

/* As InnoDB keeps them for its planner: nothing is opened for that. The account may not see it. */
static Err *load_rows(Conn *conn, const Wait *wait, json_t **ret_rows)
{
    static const char names[] = "table table_rows table_bytes";
    TRY(stale_query_maybe(conn, wait, names,
                          "SELECT table_name, n_rows, clustered_index_size * @@innodb_page_size FROM "
                          "mysql.innodb_table_stats WHERE database_name = DATABASE()",
                          ret_rows));
    if (json_array_size(*ret_rows) > 0)
        return NULL;
    json_decref(*ret_rows);
    return stale_query(
        conn, wait, names,
        "SELECT TABLE_NAME, TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES WHERE TABLE_SCHEMA = "
        "DATABASE() AND TABLE_TYPE <> 'VIEW'",
        ret_rows);
}

static Err *load_sizes(Conn *conn, const Wait *wait, Arena *arena, json_t *list, json_t *by_key)
{
    json_t *rows = NULL;
    TRY(load_rows(conn, wait, &rows));
    put_tables(list, rows);
    json_decref(rows);
    rows = NULL;
    TRY(stale_query_maybe(
        conn, wait, "table name bytes",
        "SELECT table_name, index_name, stat_value * @@innodb_page_size FROM mysql.innodb_index_stats WHERE "
        "database_name = DATABASE() AND stat_name = 'size'",
        &rows));
    put_onto(arena, by_key, rows, "bytes");
    json_decref(rows);
    return NULL;
}

Err *stale_load_indexes(Conn *conn, const Wait *wait, json_t **ret_rows)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const Flavor *flavor = my_flavor(conn);
    bool mariadb = flavor_is_mariadb(flavor);
    const char *more =
        mariadb ? (flavor->version >= 100600 ? "NULL, IF(IGNORED = 'YES', 'NO', 'YES')" : "NULL, NULL")
        : flavor->version >= 80013 ? "EXPRESSION, IS_VISIBLE"
                                   : "NULL, NULL";
    json_t *parts = NULL;
    TRY(stale_query(
        conn, wait, "schema table name non_unique column part order method expression visible",
        arena_printf(
            arena,
            "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, SUB_PART, COLLATION, "
            "INDEX_TYPE, %s FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() ORDER BY "
            "TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX",
            more),
        &parts));
    json_t *by_key = json_object();
    json_t *list = put_together(arena, parts, by_key);
    json_decref(parts);
    Err *err = load_scans(conn, wait, arena, list, by_key);
    if (err == NULL)
        err = load_foreign(conn, wait, list);
    if (err == NULL)
        err = load_sizes(conn, wait, arena, list, by_key);
    json_decref(by_key);
    if (err != NULL) {
        json_decref(list);
        return err;
    }
    *ret_rows = list;
    return NULL;
}
