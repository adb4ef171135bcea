/* Facts as JSON that can be kept beside the migrations, and back. */
#include "check/facts.h"

#include "base/str.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1, TABLES_MOST = 1000000 };

static const char *const engines[] = {
    [CHECK_POSTGRES] = "postgres", [CHECK_MYSQL] = "mysql", [CHECK_MARIADB] = "mariadb"};

/* ---- writing -------------------------------------------------------------------------------- */

static json_t *texts_json(const char *const *texts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_string(texts[i]));
    return list;
}

static json_t *table_json(const TableFacts *table)
{
    json_t *object = json_pack("{s:s*, s:s, s:b, s:b, s:I, s:I, s:I, s:I}", "schema", table->schema, "name",
                               table->name, "view", (int)table->view, "empty", (int)table->empty, "rows",
                               (json_int_t)table->rows, "bytes", (json_int_t)table->bytes, "index_bytes",
                               (json_int_t)table->index_bytes, "writes", (json_int_t)table->writes);
    if (table->row_versions_most > 0) {
        (void)json_object_set_new(object, "row_versions", json_integer(table->row_versions));
        (void)json_object_set_new(object, "row_versions_most", json_integer(table->row_versions_most));
    }
    (void)json_object_set_new(object, "views", texts_json(table->views, table->view_count));
    (void)json_object_set_new(object, "indexes", texts_json(table->indexes, table->index_count));
    (void)json_object_set_new(object, "ddl", texts_json(table->ddl, table->ddl_count));
    return object;
}

char *snapshot_text(const ServerFacts *facts)
{
    json_t *tables = json_array();
    for (size_t i = 0; i < facts->table_count; i++)
        (void)json_array_append_new(tables, table_json(&facts->tables[i]));
    json_t *object = json_pack(
        "{s:i, s:s*, s:s, s:i, s:s*, s:I, s:I, s:I, s:o}", "stoa_snapshot", FORMAT, "taken", facts->taken,
        "engine", engines[facts->engine], "version", facts->version, "version_text", facts->version_text,
        "replicas", (json_int_t)facts->replicas, "lock_timeout_ms", (json_int_t)facts->lock_timeout_ms,
        "statement_timeout_ms", (json_int_t)facts->statement_timeout_ms, "tables", tables);
    char *text = json_dumps(object, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    json_decref(object);
    if (text == NULL)
        abort(); /* names of a server are UTF-8 */
    return text;
}

/* ---- reading -------------------------------------------------------------------------------- */

typedef struct Reader {
    Arena *arena;
    const char *wrong; /* the first thing that is; NULL */
} Reader;

static void *fail(Reader *reader, const char *what)
{
    if (reader->wrong == NULL)
        reader->wrong = what;
    return NULL;
}

/* NULL where it is not there. */
static const char *text_of(Reader *reader, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value))
        return NULL;
    if (!json_is_string(value))
        return fail(reader, key);
    return arena_dup(reader->arena, json_string_value(value));
}

/* Sizes and times are never below `least_value`, and far from where sums overflow. */
static int64_t number_of(Reader *reader, const json_t *object, const char *key, int64_t least_value)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL)
        return least_value;
    if (!json_is_integer(value) || json_integer_value(value) < least_value ||
        json_integer_value(value) > INT64_MAX / 1024) {
        (void)fail(reader, key);
        return least_value;
    }
    return json_integer_value(value);
}

static const char *const *texts_of(Reader *reader, const json_t *object, const char *key, size_t *ret_count)
{
    const json_t *list = json_object_get(object, key);
    *ret_count = 0;
    if (list != NULL && !json_is_array(list))
        return fail(reader, key);
    size_t count = json_array_size(list);
    const char **texts = arena_alloc(reader->arena, (count + 1) * sizeof *texts);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_string(item))
            return fail(reader, key);
        texts[i] = arena_dup(reader->arena, json_string_value(item));
    }
    *ret_count = count;
    return texts;
}

static TableFacts table_of(Reader *reader, const json_t *object)
{
    TableFacts table = {.schema = text_of(reader, object, "schema"),
                        .name = text_of(reader, object, "name"),
                        .view = json_is_true(json_object_get(object, "view")),
                        .empty = json_is_true(json_object_get(object, "empty")),
                        .rows = number_of(reader, object, "rows", 0),
                        .bytes = number_of(reader, object, "bytes", 0),
                        .index_bytes = number_of(reader, object, "index_bytes", 0),
                        .writes = number_of(reader, object, "writes", -1),
                        .row_versions = -1};
    int64_t most = number_of(reader, object, "row_versions_most", 0);
    if (most > 0 && most <= INT16_MAX) {
        int64_t used = number_of(reader, object, "row_versions", -1);
        table.row_versions_most = (int)most;
        table.row_versions = used > most ? (int)most : (int)used;
    }
    table.views = texts_of(reader, object, "views", &table.view_count);
    table.indexes = texts_of(reader, object, "indexes", &table.index_count);
    table.ddl = texts_of(reader, object, "ddl", &table.ddl_count);
    if (table.name == NULL || table.name[0] == '\0')
        (void)fail(reader, "name");
    if (table.index_bytes > table.bytes)
        table.index_bytes = table.bytes;
    return table;
}

static void read_tables(Reader *reader, const json_t *list, ServerFacts *facts)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > TABLES_MOST) {
        (void)fail(reader, "tables");
        return;
    }
    facts->tables = arena_alloc(reader->arena, (count + 1) * sizeof *facts->tables);
    for (size_t i = 0; i < count && reader->wrong == NULL; i++) {
        if (json_is_object(json_array_get(list, i)))
            facts->tables[facts->table_count++] = table_of(reader, json_array_get(list, i));
        else
            (void)fail(reader, "tables");
    }
}

static void read_server(Reader *reader, const json_t *object, ServerFacts *facts)
{
    const char *engine = text_of(reader, object, "engine");
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(engines) && engine != NULL && !known; i++) {
        facts->engine = (CheckEngine)i;
        known = str_eq(engines[i], engine);
    }
    int64_t version = number_of(reader, object, "version", 0);
    if (!known)
        (void)fail(reader, "engine");
    if (version < 10000 || version > 9999999)
        (void)fail(reader, "version");
    else
        facts->version = (int)version;
    facts->version_text = text_of(reader, object, "version_text");
    facts->taken = text_of(reader, object, "taken");
    facts->replicas = number_of(reader, object, "replicas", 0);
    facts->lock_timeout_ms = number_of(reader, object, "lock_timeout_ms", 0);
    facts->statement_timeout_ms = number_of(reader, object, "statement_timeout_ms", 0);
    facts->whole = true;
}

Err *snapshot_read(Arena *arena, const char *text, ServerFacts *ret_facts)
{
    json_error_t error;
    *ret_facts = (ServerFacts){0};
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (object == NULL)
        return err_new(ERR_CONFIG, "the snapshot is no JSON: line %d: %s", error.line, error.text);
    Reader reader = {.arena = arena};
    const json_t *format = json_object_get(object, "stoa_snapshot");
    if (!json_is_integer(format) || json_integer_value(format) != FORMAT) {
        json_decref(object);
        return err_hint(err_new(ERR_CONFIG, "this is no snapshot, or one of another version of stoa"),
                        "write it anew: stoa check --snapshot FILE --url URL");
    }
    read_server(&reader, object, ret_facts);
    read_tables(&reader, json_object_get(object, "tables"), ret_facts);
    json_decref(object);
    if (reader.wrong == NULL)
        return NULL;
    return err_new(ERR_CONFIG, "the snapshot is damaged at \"%s\"", reader.wrong);
}
