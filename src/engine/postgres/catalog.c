/* Catalog queries: fitted to the server's version, answered as JSON by column name. */
#include "engine/postgres/catalog.h"

#include "base/str.h"
#include "engine/postgres/pg.h"

#include <stdlib.h>
#include <string.h>

/* True when the line (without its end) is meant for this version. */
static bool line_applies(const char *line, size_t len, int version_num)
{
    const char *mark = NULL;
    for (size_t i = 0; i + 3 <= len; i++)
        if (memcmp(line + i, "--@", 3) == 0)
            mark = line + i + 3;
    if (mark == NULL)
        return true;
    char *sign = NULL;
    long since = strtol(mark, &sign, 10);
    bool reached = version_num / 10000 >= since;
    return *sign == '+' ? reached : !reached;
}

char *catalog_sql_text(Arena *arena, const char *sql, int version_num)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    while (*sql != '\0') {
        size_t len = strcspn(sql, "\n");
        if (line_applies(sql, len, version_num)) {
            str_addn(&text, sql, len);
            str_add(&text, "\n");
        }
        sql += len + (sql[len] == '\n' ? 1 : 0);
    }
    return arena_dup(arena, text.buf);
}

static Err *take_json(const Rows *rows, json_t **ret_rows)
{
    const char *cell = rows->row_count == 1 ? rows_cell(rows, 0, 0) : NULL;
    json_error_t error;
    json_t *json = cell == NULL ? json_array() : json_loads(cell, 0, &error);
    if (json == NULL)
        return err_hint(err_new(ERR_SQL, "cannot read the catalog: %s", error.text),
                        "a name in the catalog may hold bytes that are no valid UTF-8");
    *ret_rows = json;
    return NULL;
}

static const char *as_json(Arena *arena, const Conn *conn, const char *sql)
{
    return arena_printf(arena, "SELECT pg_catalog.json_agg(pg_catalog.row_to_json(q)) FROM (\n%s) q",
                        catalog_sql_text(arena, sql, pg_conn_version(conn)));
}

Err *catalog_query(Conn *conn, const Wait *wait, const char *sql, size_t param_count,
                   const char *const *params, json_t **ret_rows)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn->ops->query(conn, wait, arena, as_json(arena, conn, sql), param_count, params, &rows));
    return take_json(&rows, ret_rows);
}

Err *catalog_query_kept(Conn *conn, const Wait *wait, const char *sql, size_t param_count,
                        const char *const *params, json_t **ret_rows)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(pg_query_kept(conn, wait, arena, sql, as_json(arena, conn, sql), param_count, params, &rows));
    return take_json(&rows, ret_rows);
}

const char *catalog_text(Arena *arena, const json_t *row, const char *member)
{
    const char *text = json_string_value(json_object_get(row, member));
    return text == NULL ? NULL : arena_dup(arena, text);
}

int64_t catalog_int(const json_t *row, const char *member)
{
    const json_t *value = json_object_get(row, member);
    if (json_is_string(value))
        return strtoll(json_string_value(value), NULL, 10);
    return json_is_real(value) ? (int64_t)json_real_value(value) : json_integer_value(value);
}

double catalog_double(const json_t *row, const char *member)
{
    return json_number_value(json_object_get(row, member));
}

bool catalog_bool(const json_t *row, const char *member)
{
    return json_is_true(json_object_get(row, member));
}

const char *const *catalog_texts(Arena *arena, const json_t *row, const char *member, size_t *ret_count)
{
    const json_t *list = json_object_get(row, member);
    size_t count = json_array_size(list);
    const char **texts = arena_alloc(arena, (count + 1) * sizeof *texts);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        texts[i] = text == NULL ? NULL : arena_dup(arena, text);
    }
    *ret_count = count;
    return texts;
}
