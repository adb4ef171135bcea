/* What a rehearsal needs to know of the server: from the catalog and the planner's statistics, never from
 * rows. */
#include "engine/postgres/catalog.h"

#include "base/str.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/pg.h"

#include <string.h>

enum { READ_LOCK_MS = 2000, READ_TIMEOUT_MS = 60000 };

static Err *json_of(const char *text, json_t **ret_json)
{
    json_error_t why;
    *ret_json = text == NULL ? json_null() : json_loads(text, JSON_DECODE_ANY, &why);
    return *ret_json != NULL ? NULL : err_new(ERR_BUG, "statistics cannot be read as JSON: %s", why.text);
}

/* Names as an array's text: each is quoted once more. */
static char *name_array(Arena *arena, const char *const *names, size_t count)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; i < count; i++) {
        str_add(&text, i == 0 ? "\"" : ",\"");
        for (const char *at = names[i]; *at != '\0'; at++) {
            if (*at == '"' || *at == '\\')
                str_add(&text, "\\");
            str_addn(&text, at, 1);
        }
        str_add(&text, "\"");
    }
    return arena_printf(arena, "{%s}", text.buf);
}

static Err *read_all(Conn *conn, const Wait *wait, Arena *arena, const char *const *names, size_t count,
                     json_t *source)
{
    Rows rows = {0};
    json_t *server = NULL;
    const char *param = name_array(arena, names, count);
    TRY(conn->ops->query(conn, wait, arena, catalog_source_server_sql, 0, NULL, &rows));
    TRY(json_of(rows_cell(&rows, 0, 0), &server));
    json_object_set_new(source, "server", server);
    json_t *tables = json_array();
    json_object_set_new(source, "tables", tables);
    TRY(conn->ops->query(conn, wait, arena, catalog_source_tables_sql, 1, &param, &rows));
    for (size_t row = 0; row < rows.row_count; row++) {
        json_t *table = NULL;
        TRY(json_of(rows_cell(&rows, row, 0), &table));
        json_array_append_new(tables, table);
    }
    return NULL;
}

Err *pg_load_source(Conn *conn, const Wait *wait, Arena *arena, const char *const *names, size_t count,
                    json_t **ret_json)
{
    CLEANUP(str_donep) Str begin = STR_INIT;
    str_addf(&begin,
             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp; "
             "SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = %d",
             READ_LOCK_MS, READ_TIMEOUT_MS);
    TRY(conn_exec(conn, wait, begin.buf));
    json_t *source = json_object();
    Err *err = read_all(conn, wait, arena, names, count, source);
    pg_rollback(conn);
    if (err != NULL) {
        json_decref(source);
        return err_wrap(err, "cannot read the statistics of the tables");
    }
    *ret_json = source;
    return NULL;
}
