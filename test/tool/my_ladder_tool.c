/* stoa-my-ladder-tool: what the engine knows of tables of MySQL and MariaDB, and what the server would do
 * with statements about the first of them, as JSON lines.
 *
 *   stoa-my-ladder-tool --url URL --table SCHEMA.TABLE … [--hold] [STATEMENT …]
 *
 * The first line is the table. Each statement is asked (a ladder line), or carried out in the clone where it
 * begins with "run: "; "renames a=b: " before it tells of a column's other name. With --hold it waits for a
 * line on stdin before the clone is closed. */
#include "engine/mysql/my.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static void print_json(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
    puts(text == NULL ? "{\"error\": \"not UTF-8\"}" : text);
    (void)fflush(stdout);
    free(text);
    json_decref(json);
}

static json_t *text_json(const char *text) { return text == NULL ? json_null() : json_string(text); }

static json_t *list_json(const char *const *texts, size_t count)
{
    json_t *json = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(json, text_json(texts[i]));
    return json;
}

static void print_error(const char *sql, Err *err)
{
    char *text = err_text(err);
    const char *hint = err_first_hint(err);
    print_json(json_pack("{s:o, s:s, s:i, s:s, s:o}", "sql", text_json(sql), "error",
                         err_kind_name(err->kind), "number", (int)err->server_errno, "message", text, "hint",
                         text_json(hint)));
    free(text);
    err_free(err);
}

/* ---- the table -------------------------------------------------------------------------------------------
 */

static json_t *columns_json(const Table *table)
{
    json_t *list = json_array();
    for (size_t i = 0; i < table->column_count; i++) {
        const MyColumn *column = &table->my->columns[i];
        json_t *json =
            json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s}", "name", column->name, "type",
                      column->type, "data_type", column->data_type, "charset", text_json(column->charset),
                      "collation", text_json(column->collation), "default", text_json(column->default_sql),
                      "on_update", text_json(column->on_update), "generated", text_json(column->generated),
                      "comment", column->comment);
        json_object_set_new(json, "check", text_json(column->check));
        json_object_set_new(json, "not_null", json_boolean(column->not_null));
        json_object_set_new(json, "stored", json_boolean(column->stored));
        json_object_set_new(json, "computed", json_boolean(column->default_computed));
        json_object_set_new(json, "auto_increment", json_boolean(column->auto_increment));
        json_object_set_new(json, "invisible", json_boolean(column->invisible));
        json_object_set_new(json, "exact", json_boolean(table->columns[i].exact_equality));
        json_object_set_new(json, "bytes", json_integer(column->bytes));
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *indexes_json(const Table *table)
{
    json_t *list = json_array();
    for (size_t i = 0; i < table->index_count; i++) {
        const Index *index = &table->indexes[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:o}", "name",
                                              index->name, "definition", index->definition, "kind",
                                              table->my->indexes[i].kind, "unique", index->unique, "primary",
                                              index->primary, "key", index->key, "integer_key",
                                              index->integer_key, "hidden", table->my->indexes[i].hidden,
                                              "columns", list_json(index->columns, index->column_count)));
    }
    return list;
}

static json_t *keys_json(const MyForeignKey *keys, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:s, s:s}", "name", keys[i].name,
                                        "schema", keys[i].schema, "table", keys[i].table, "columns",
                                        list_json(keys[i].columns, keys[i].count), "ref_schema",
                                        keys[i].ref_schema, "ref_table", keys[i].ref_table, "ref_columns",
                                        list_json(keys[i].ref_columns, keys[i].count), "on_delete",
                                        keys[i].on_delete, "on_update", keys[i].on_update));
    return list;
}

static json_t *constraints_json(const Table *table)
{
    json_t *list = json_array();
    for (size_t i = 0; i < table->constraint_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s#, s:s, s:b}", "name", table->constraints[i].name,
                                              "kind", &table->constraints[i].kind, 1, "definition",
                                              table->constraints[i].definition, "validated",
                                              table->constraints[i].validated));
    return list;
}

static json_t *partitions_json(const Table *table)
{
    json_t *list = json_array();
    for (size_t i = 0; i < table->partition_count; i++)
        json_array_append_new(
            list, json_pack("[s, o]", table->partitions[i].name, text_json(table->partitions[i].bound)));
    return list;
}

static json_t *table_json(const Table *table, const char *definition)
{
    const MyTable *my = table->my;
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:o, s:o}", "schema", table->schema == NULL ? "" : table->schema, "name",
                  table->name, "kind", relation_kind_name(table->kind), "definition", text_json(definition),
                  "similar", text_json(table->similar));
    json_object_set_new(json, "schema_missing", json_boolean(table->schema_missing));
    if (my == NULL)
        return json;
    json_object_set_new(json, "columns", columns_json(table));
    json_object_set_new(json, "indexes", indexes_json(table));
    json_object_set_new(json, "constraints", constraints_json(table));
    json_object_set_new(json, "parents", keys_json(my->parents, my->parent_count));
    json_object_set_new(json, "children", keys_json(my->children, my->child_count));
    json_object_set_new(json, "children_known", json_boolean(my->children_known));
    json_object_set_new(json, "partitions", partitions_json(table));
    json_object_set_new(json, "partition_by", text_json(my->partition_by));
    json_object_set_new(json, "views", list_json(table->views, table->view_count));
    json_t *triggers = json_array();
    for (size_t i = 0; i < table->trigger_count; i++)
        json_array_append_new(triggers, json_string(table->triggers[i].name));
    json_object_set_new(json, "triggers", triggers);
    json_object_set_new(json, "engine", text_json(my->engine));
    json_object_set_new(json, "row_format", text_json(my->row_format));
    json_object_set_new(json, "charset", text_json(my->charset));
    json_object_set_new(json, "collation", text_json(my->collation));
    json_object_set_new(json, "comment", text_json(my->comment));
    json_object_set_new(json, "options", text_json(my->options));
    json_object_set_new(json, "auto_increment", text_json(my->auto_increment));
    json_object_set_new(json, "compressed", json_boolean(my->compressed));
    json_object_set_new(json, "system_versioned", json_boolean(my->system_versioned));
    json_object_set_new(json, "fulltext", json_boolean(my->fulltext));
    json_object_set_new(json, "spatial", json_boolean(my->spatial));
    json_object_set_new(json, "virtual_columns", json_boolean(my->virtual_columns));
    json_object_set_new(json, "row_versions", json_integer(my->row_versions));
    json_object_set_new(json, "empty", json_boolean(table->empty));
    json_object_set_new(json, "rows", json_integer(table->row_estimate));
    return json;
}

/* ---- ladders ---------------------------------------------------------------------------------------------
 */

static json_t *ladder_json(const char *sql, const Ladder *ladder)
{
    json_t *tries = json_array(), *lost = json_array();
    for (size_t i = 0; i < ladder->try_count; i++)
        json_array_append_new(tries,
                              json_pack("{s:s, s:b, s:o}", "clause", ladder->tries[i].clause, "ok",
                                        ladder->tries[i].ok, "reason", text_json(ladder->tries[i].reason)));
    for (size_t i = 0; i < ladder->lost_count; i++)
        json_array_append_new(lost, json_pack("[s, s, s]", ladder->lost[i].object, ladder->lost[i].before,
                                              ladder->lost[i].after));
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:i, s:o, s:o, s:o, s:o}", "sql", sql, "rung",
                     rung_name(ladder->rung), "clause", ladder->clause, "rebuilds", ladder->rebuilds,
                     "builds_index", ladder->builds_index, "uses_row_version", ladder->uses_row_version,
                     "row_versions_left", ladder->row_versions_left, "before", text_json(ladder->before),
                     "after", text_json(ladder->after), "tries", tries, "lost", lost);
}

static Err *answer(Conn *conn, const Table *table, const char *sql)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    if (strncmp(sql, "run: ", 5) == 0) {
        const char *statement = sql + 5;
        TRY(my_clone_run(conn, NULL, &statement, 1, false));
        print_json(json_pack("{s:s}", "sql", sql));
        return NULL;
    }
    Ladder ladder = {0};
    static const char word[] = "renames ";
    ColumnRename rename = {0};
    const char *equals = strchr(sql, '='), *colon = strstr(sql, ": ");
    LadderRequest request = {.table = table, .sql = sql, .as_written = true};
    if (strncmp(sql, word, strlen(word)) == 0 && equals != NULL && colon != NULL && equals < colon) {
        const char *from = sql + strlen(word);
        rename.from = arena_dupn(arena, from, (size_t)(equals - from));
        rename.to = arena_dupn(arena, equals + 1, (size_t)(colon - equals - 1));
        request.sql = colon + 2;
        request.renames = &rename;
        request.rename_count = 1;
    }
    TRY(my_ladder(conn, NULL, arena, &request, &ladder));
    print_json(ladder_json(request.sql, &ladder));
    return NULL;
}

static Err *load(Conn *conn, Arena *arena, char **names, size_t count, Table *tables)
{
    for (size_t i = 0; i < count; i++) {
        char *point = strchr(names[i], '.');
        const char *schema = point == NULL ? NULL : arena_dupn(arena, names[i], (size_t)(point - names[i]));
        const char *name = point == NULL ? names[i] : point + 1, *definition = NULL;
        int64_t id = 0;
        TRY(my_load_table(conn, NULL, arena, NULL, schema, name, &tables[i]));
        TRY(my_find_table(conn, NULL, arena, schema, name, &id));
        if (id != tables[i].id)
            return err_new(ERR_BUG, "two numbers of \"%s\"", name);
        TRY(my_definition(conn, NULL, arena, schema, name, &definition));
        if (i == 0)
            print_json(table_json(&tables[i], definition));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"url", required_argument, NULL, 'u'},
                                            {"table", required_argument, NULL, 't'},
                                            {"hold", no_argument, NULL, 'h'},
                                            {0}};
    enum { MOST = 16 };
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Target target = {.url = ""};
    char *names[MOST];
    size_t count = 0;
    bool hold = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        target.url = option == 'u' ? optarg : target.url;
        hold = hold || option == 'h';
        if (option == 't' && count < MOST)
            names[count++] = optarg;
    }
    CLEANUP(my_closep) Conn *conn = NULL;
    Table tables[MOST] = {0};
    Clone *clone = NULL;
    Err *err = my_connect(&target, "tool", NULL, &conn);
    if (err == NULL)
        err = load(conn, arena, names, count, tables);
    if (err == NULL && optind < argc)
        err = my_clone_open(&target, conn, NULL, NULL, tables, count, NULL, 0, false, &clone);
    if (err != NULL)
        print_error(NULL, err);
    for (int i = optind; err == NULL && i < argc; i++) {
        Err *failed = answer(my_clone_conn(clone), &tables[0], argv[i]);
        if (failed != NULL)
            print_error(argv[i], failed);
    }
    if (hold)
        (void)getchar();
    my_clone_close(clone);
    return err != NULL;
}
