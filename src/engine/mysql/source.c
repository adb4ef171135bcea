/* What a rehearsal needs to know of the server and of tables, out of catalogs and counters. */
#include "engine/mysql/source.h"

#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/server.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 16384 };

static const char *const settings[] = {"innodb_buffer_pool_size",
                                       "innodb_log_file_size",
                                       "innodb_redo_log_capacity",
                                       "innodb_page_size",
                                       "innodb_flush_log_at_trx_commit",
                                       "sync_binlog",
                                       "innodb_doublewrite",
                                       "innodb_io_capacity",
                                       "innodb_io_capacity_max",
                                       "innodb_default_row_format",
                                       "innodb_sort_buffer_size",
                                       "innodb_autoinc_lock_mode",
                                       "innodb_adaptive_hash_index",
                                       "innodb_change_buffering",
                                       "innodb_alter_copy_bulk",
                                       "innodb_strict_mode",
                                       "log_bin",
                                       "binlog_format",
                                       "binlog_row_image",
                                       "sql_mode",
                                       "character_set_server",
                                       "collation_server",
                                       "tmp_table_size",
                                       "innodb_fill_factor"};

/* What the role may not see, or the server does not have, is not known. */
static Err *if_allowed(Err *err, bool *ret_known)
{
    *ret_known = err == NULL;
    if (!err_is(err, ERR_SQL) && !err_is(err, ERR_PRIVILEGE))
        return err;
    err_free(err);
    return NULL;
}

void my_name_parts(Arena *arena, const char *sql, const char **ret_schema, const char **ret_name)
{
    const char *parts[2] = {NULL, NULL};
    size_t count = 0;
    for (const char *at = sql; *at == '`' && count < 2;) {
        CLEANUP(str_donep) Str part = STR_INIT;
        for (at++; *at != '\0' && (*at != '`' || at[1] == '`'); at++) {
            str_addn(&part, at, 1);
            at += *at == '`';
        }
        parts[count++] = arena_dup(arena, part.buf);
        at += *at == '`';
        at += *at == '.';
    }
    *ret_schema = count == 2 ? parts[0] : NULL;
    *ret_name = count == 2 ? parts[1] : parts[0];
}

/* ---- the server ----------------------------------------------------------------------------- */

static Err *server_json(Conn *conn, const Wait *wait, Arena *arena, json_t **ret_json)
{
    Rows rows = {0};
    CLEANUP(str_donep) Str list = STR_INIT;
    const char *uptime = NULL;
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        str_addf(&list, "%s'%s'", i == 0 ? "" : ", ", settings[i]);
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena, "SHOW GLOBAL VARIABLES WHERE variable_name IN (%s)", list.buf)));
    json_t *values = json_object();
    for (size_t i = 0; i < rows.row_count; i++)
        json_object_set_new(values, rows_cell(&rows, i, 0), json_string(rows_cell(&rows, i, 1)));
    json_t *json = json_pack("{s:o, s:{}}", "settings", values, "hardware");
    Err *err = my_status(conn, wait, arena, "Uptime", &uptime);
    if (err == NULL)
        err = conn_query(conn, wait, arena, &rows,
                         "SELECT default_character_set_name, default_collation_name FROM "
                         "information_schema.schemata WHERE schema_name = DATABASE()");
    if (err != NULL) {
        json_decref(json);
        return err;
    }
    json_object_set_new(json, "counted_s", json_real(uptime == NULL ? 0 : strtod(uptime, NULL)));
    if (rows.row_count > 0) {
        json_object_set_new(json, "encoding", json_string(rows_cell(&rows, 0, 0)));
        json_object_set_new(json, "collate", json_string(rows_cell(&rows, 0, 1)));
    }
    *ret_json = json;
    return NULL;
}

/* ---- columns -------------------------------------------------------------------------------- */

static const char *kind_of(const char *type)
{
    static const struct {
        const char *type, *kind;
    } kinds[] = {{"tinyint", "number"}, {"smallint", "number"}, {"mediumint", "number"},
                 {"int", "number"},     {"bigint", "number"},   {"decimal", "number"},
                 {"float", "number"},   {"double", "number"},   {"year", "number"},
                 {"date", "time"},      {"datetime", "time"},   {"timestamp", "time"},
                 {"time", "span"},      {"enum", "label"},      {"set", "label"},
                 {"char", "text"},      {"varchar", "text"},    {"tinytext", "text"},
                 {"text", "text"},      {"mediumtext", "text"}, {"longtext", "text"}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(kinds[i].type, type))
            return kinds[i].kind;
    return "other";
}

/* "enum('a','it''s')" → a, it's */
static json_t *labels_of(const char *type)
{
    json_t *labels = json_array();
    for (const char *at = strchr(type, '\''); at != NULL && *at == '\'';) {
        CLEANUP(str_donep) Str label = STR_INIT;
        for (at++; *at != '\0' && (*at != '\'' || at[1] == '\''); at++) {
            str_addn(&label, at, 1);
            at += *at == '\'';
        }
        (void)json_array_append_new(labels, json_string(label.buf));
        at += *at == '\'';
        at += *at == ',';
    }
    return labels;
}

static Err *columns_json(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                         json_t *columns)
{
    enum { NAME, TYPE, WORD, NULLABLE, EXTRA, CHARACTERS, BYTES, SCALE, EXPRESSION };
    Rows rows = {0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT column_name, column_type, data_type, is_nullable, extra, character_maximum_length, "
        "character_octet_length, numeric_scale, generation_expression FROM "
        "information_schema.columns WHERE table_schema = $1 AND table_name = $2 ORDER BY "
        "ordinal_position",
        schema, table));
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *word = rows_cell(&rows, i, WORD), *kind = kind_of(word);
        const char *expression = rows_cell(&rows, i, EXPRESSION);
        int64_t most = rows_int(&rows, i, str_eq(kind, "text") ? CHARACTERS : BYTES);
        bool labelled = str_eq(kind, "label"); /* the labels stand apart, where they are masked */
        json_t *column =
            json_pack("{s:s, s:s, s:s, s:s, s:i, s:b, s:b, s:b}", "name", rows_cell(&rows, i, NAME), "type",
                      labelled ? word : rows_cell(&rows, i, TYPE), "base", word, "kind", kind, "size", -1,
                      "array", 0, "not_null", str_eq(rows_cell(&rows, i, NULLABLE), "NO"), "generated",
                      expression != NULL && expression[0] != '\0');
        json_object_set_new(
            column, "identity",
            json_string(strstr(rows_cell(&rows, i, EXTRA), "auto_increment") != NULL ? "a" : ""));
        if (most > 0 && most < 100000000)
            json_object_set_new(column, "most", json_integer(most));
        if (rows_cell(&rows, i, SCALE) != NULL)
            json_object_set_new(column, "scale", json_integer(rows_int(&rows, i, SCALE)));
        if (labelled)
            json_object_set_new(column, "labels", labels_of(rows_cell(&rows, i, TYPE)));
        (void)json_array_append_new(columns, column);
    }
    return NULL;
}

/* ---- indexes and references ----------------------------------------------------------------- */

static Err *indexes_json(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                         json_t *indexes)
{
    enum { NAME, NOT_UNIQUE, COLUMN, PREFIX, KIND };
    Rows rows = {0};
    json_t *index = NULL;
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT index_name, non_unique, column_name, sub_part, index_type FROM "
                    "information_schema.statistics WHERE table_schema = $1 AND table_name = $2 ORDER BY "
                    "index_name, seq_in_index",
                    schema, table));
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *name = rows_cell(&rows, i, NAME), *column = rows_cell(&rows, i, COLUMN);
        if (index == NULL || !str_eq(json_string_value(json_object_get(index, "name")), name)) {
            index =
                json_pack("{s:s, s:i, s:b, s:b, s:b, s:b, s:i, s:[]}", "name", name, "bytes", 0, "unique",
                          rows_int(&rows, i, NOT_UNIQUE) == 0, "primary", str_eq(name, "PRIMARY"), "whole", 1,
                          "btree", str_eq(rows_cell(&rows, i, KIND), "BTREE"), "fillfactor", 0, "columns");
            (void)json_array_append_new(indexes, index);
        }
        (void)json_array_append_new(json_object_get(index, "columns"),
                                    column == NULL ? json_null() : json_string(column));
    }
    return NULL;
}

static Err *references_json(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                            json_t *references)
{
    enum { NAME, COLUMN, REF_TABLE, REF_COLUMN };
    Rows rows = {0};
    const char *last = NULL;
    json_t *reference = NULL;
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT constraint_name, column_name, referenced_table_name, referenced_column_name FROM "
                    "information_schema.key_column_usage WHERE table_schema = $1 AND table_name = $2 AND "
                    "referenced_table_schema = $1 ORDER BY constraint_name, ordinal_position",
                    schema, table));
    for (size_t i = 0; i < rows.row_count; i++) {
        if (!str_eq(last, rows_cell(&rows, i, NAME))) {
            last = rows_cell(&rows, i, NAME);
            reference = json_pack("{s:s, s:s, s:[], s:[]}", "schema", schema, "name",
                                  rows_cell(&rows, i, REF_TABLE), "columns", "keys");
            (void)json_array_append_new(references, reference);
        }
        (void)json_array_append_new(json_object_get(reference, "columns"),
                                    json_string(rows_cell(&rows, i, COLUMN)));
        (void)json_array_append_new(json_object_get(reference, "keys"),
                                    json_string(rows_cell(&rows, i, REF_COLUMN)));
    }
    return NULL;
}

/* ---- sizes and counters --------------------------------------------------------------------- */

static json_t *index_named(json_t *indexes, const char *name)
{
    size_t i = 0;
    json_t *each = NULL;
    json_array_foreach(indexes, i,
                       each) if (str_eq(json_string_value(json_object_get(each, "name")), name)) return each;
    return NULL;
}

/* MariaDB says 1 of an index that it has read whole for its statistics (seen on 10.11.19: one with fewer leaf
 * pages than innodb_stats_persistent_sample_pages for each of its columns). Up to 32 pages come one by one,
 * and `size` has these and the root; then they come 64 at a time. 0: it is not known. */
static int64_t leaf_pages(int64_t told, int64_t size)
{
    return told > 1 || size <= 1 ? told : size <= 33 ? size - 1 : 0;
}

static Err *put_sizes(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                      json_t *table)
{
    enum { ROWS, DATA, OPTIONS };
    Rows rows = {0};
    bool known = false;
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT table_rows, data_length, create_options FROM information_schema.tables WHERE "
                    "table_schema = $1 AND table_name = $2",
                    schema, name));
    if (rows.row_count == 0)
        return err_new(ERR_SQL, "the table \"%s.%s\" is gone", schema, name);
    const char *options = rows_cell(&rows, 0, OPTIONS);
    json_object_set_new(table, "partitioned",
                        json_boolean(options != NULL && strstr(options, "partitioned") != NULL));
    json_object_set_new(table, "rows", json_integer(rows_int(&rows, 0, ROWS)));
    json_object_set_new(table, "heap_bytes", json_integer(rows_int(&rows, 0, DATA)));
    TRY(if_allowed(
        conn_params(conn, wait, arena, &rows,
                    "SELECT l.index_name, l.stat_value, s.stat_value FROM mysql.innodb_index_stats l "
                    "JOIN mysql.innodb_index_stats s USING (database_name, table_name, index_name) "
                    "WHERE database_name = $1 AND table_name = $2 AND l.stat_name = "
                    "'n_leaf_pages' AND s.stat_name = 'size'",
                    schema, name),
        &known));
    for (size_t i = 0; known && i < rows.row_count; i++) {
        int64_t pages = leaf_pages(rows_int(&rows, i, 1), rows_int(&rows, i, 2));
        json_t *bytes = json_integer(pages * PAGE_BYTES);
        json_t *index = index_named(json_object_get(table, "indexes"), rows_cell(&rows, i, 0));
        bool clustered =
            str_eq(rows_cell(&rows, i, 0), "PRIMARY") || str_eq(rows_cell(&rows, i, 0), "GEN_CLUST_INDEX");
        if (clustered && pages > 0)
            json_object_set(table, "heap_bytes", bytes);
        else if (!clustered && index != NULL)
            json_object_set(index, "bytes", bytes);
        json_decref(bytes);
    }
    return NULL;
}

static Err *put_counters(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                         json_t *table)
{
    static const char *const keys[] = {"inserted", "updated", "deleted"}; /* rows read say little of reads */
    Rows rows = {0};
    bool known = false;
    TRY(if_allowed(conn_params(conn, wait, arena, &rows,
                               "SELECT count_insert, count_update, count_delete FROM "
                               "performance_schema.table_io_waits_summary_by_table WHERE object_schema = $1 "
                               "AND object_name = $2",
                               schema, name),
                   &known));
    for (size_t i = 0; known && rows.row_count > 0 && i < ARRAY_LEN(keys); i++)
        json_object_set_new(table, keys[i], json_integer(rows_int(&rows, 0, i)));
    return NULL;
}

/* Of the digests that name it, quoted as the standard has it: a digest has no values, and all names in
 * backticks. */
static Err *put_statements(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                           json_t *table)
{
    Rows rows = {0};
    bool known = false;
    json_t *statements = json_array();
    json_object_set_new(table, "statements", statements);
    TRY(if_allowed(conn_params(conn, wait, arena, &rows,
                               "SELECT digest, digest_text, count_star FROM "
                               "performance_schema.events_statements_summary_by_digest WHERE schema_name = "
                               "$1 AND LOCATE($2, digest_text) > 0 ORDER BY count_star DESC LIMIT 1000",
                               schema, my_ident(arena, name)),
                   &known));
    for (size_t i = 0; known && i < rows.row_count; i++) {
        char *text = arena_dup(arena, rows_cell(&rows, i, 1));
        for (char *at = text; *at != '\0'; at++)
            *at = *at == '`' ? '"' : *at;
        (void)json_array_append_new(statements,
                                    json_pack("{s:s, s:s, s:I}", "key", rows_cell(&rows, i, 0), "sql", text,
                                              "calls", (json_int_t)rows_int(&rows, i, 2)));
    }
    return NULL;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static Err *table_json(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                       json_t *tables)
{
    json_t *table =
        json_pack("{s:s, s:s, s:i, s:i, s:i, s:[], s:[], s:[]}", "schema", schema, "name", name,
                  "toast_bytes", 0, "fillfactor", 100, "dead_rows", 0, "columns", "indexes", "references");
    (void)json_array_append_new(tables, table);
    json_t *columns = json_object_get(table, "columns");
    TRY(columns_json(conn, wait, arena, schema, name, columns));
    TRY(indexes_json(conn, wait, arena, schema, name, json_object_get(table, "indexes")));
    TRY(references_json(conn, wait, arena, schema, name, json_object_get(table, "references")));
    TRY(put_sizes(conn, wait, arena, schema, name, table));
    TRY(put_counters(conn, wait, arena, schema, name, table));
    TRY(put_statements(conn, wait, arena, schema, name, table));
    return my_load_stored(conn, wait, arena, schema, name, json_number_value(json_object_get(table, "rows")),
                          columns);
}

Err *my_load_source(Conn *conn, const Wait *wait, Arena *arena, const char *const *names, size_t count,
                    json_t **ret_json)
{
    json_t *server = NULL;
    TRY(server_json(conn, wait, arena, &server));
    json_t *source = json_pack("{s:o, s:[]}", "server", server, "tables");
    Err *err = NULL;
    for (size_t i = 0; i < count && err == NULL; i++) {
        const char *schema = NULL, *name = NULL;
        my_name_parts(arena, names[i], &schema, &name);
        err = table_json(conn, wait, arena, schema, name, json_object_get(source, "tables"));
    }
    if (err != NULL) {
        json_decref(source);
        return err_wrap(err, "cannot read what is known of the tables");
    }
    *ret_json = source;
    return NULL;
}
