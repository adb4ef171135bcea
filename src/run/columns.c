/* The request is parsed again; where a name has no schema, a step of the plan tells it. */
#include "run/columns.h"

#include "base/str.h"
#include "change/parse_my.h"
#include "engine/my_server.h"

#include <strings.h>

typedef struct Columns {
    const json_t *plan;
    const Server *server;
    json_t *list;
} Columns;

/* ---- names ---------------------------------------------------------------------------------- */

static const char *schema_in_steps(const json_t *plan, const char *table)
{
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(plan, "steps"), i, step)
    {
        const json_t *name = json_object_get(step, "table");
        if (str_eq(json_string_value(json_object_get(name, "name")), table))
            return json_string_value(json_object_get(name, "schema"));
    }
    return NULL;
}

static const char *schema_of(const Columns *columns, const char *schema, const char *table)
{
    if (schema != NULL)
        return schema;
    const char *found = schema_in_steps(columns->plan, table);
    const json_t *path = json_object_get(columns->plan, "search_path");
    if (found == NULL)
        found = json_string_value(json_array_get(path, 0));
    return found != NULL ? found : columns->server->database;
}

static void add(Columns *columns, const char *schema, const char *table, const char *column, const char *is)
{
    if (table == NULL || column == NULL)
        return;
    json_t *one = json_pack("{s:s, s:s, s:s, s:s}", "schema", schema_of(columns, schema, table), "table",
                            table, "column", column, "is", is);
    size_t i = 0;
    json_t *other = NULL;
    bool there = one == NULL; /* not UTF-8 */
    json_array_foreach(columns->list, i, other) there = there || json_equal(one, other);
    if (!there)
        json_array_append(columns->list, one);
    json_decref(one);
}

/* ---- PostgreSQL ----------------------------------------------------------------------------- */

static void add_operation(Columns *columns, const Operation *operation)
{
    const char *schema = operation->table.schema, *table = operation->table.name;
    if (operation->on_index)
        return;
    if (operation->kind == OPERATION_ADD_COLUMN) {
        add(columns, schema, table, operation->add->name, "added");
    } else if (operation->kind == OPERATION_CHANGE_TYPE || operation->kind == OPERATION_SET_NOT_NULL ||
               operation->kind == OPERATION_DROP_NOT_NULL || operation->kind == OPERATION_SET_DEFAULT ||
               operation->kind == OPERATION_DROP_DEFAULT) {
        add(columns, schema, table, operation->column, "changed");
    } else if (operation->kind == OPERATION_RENAME_COLUMN) {
        add(columns, schema, table, operation->new_name, "changed");
        add(columns, schema, table, operation->column, "dropped");
    } else if (operation->kind == OPERATION_DROP_COLUMN) {
        add(columns, schema, table, operation->column, "dropped");
    }
}

/* ---- MySQL and MariaDB ---------------------------------------------------------------------- */

static void add_action(Columns *columns, const MyName *table, const MyAction *action)
{
    const char *old = action->name.text, *name = action->column == NULL ? NULL : action->column->name.text;
    if (action->kind == MY_ACTION_ADD_COLUMN) {
        add(columns, table->database, table->name, name, "added");
    } else if (action->kind == MY_ACTION_MODIFY_COLUMN) {
        add(columns, table->database, table->name, name, "changed");
    } else if (action->kind == MY_ACTION_SET_DEFAULT || action->kind == MY_ACTION_DROP_DEFAULT) {
        add(columns, table->database, table->name, old, "changed");
    } else if (action->kind == MY_ACTION_CHANGE_COLUMN || action->kind == MY_ACTION_RENAME_COLUMN) {
        name = action->kind == MY_ACTION_RENAME_COLUMN ? action->new_name.text : name;
        add(columns, table->database, table->name, name, "changed");
        if (old != NULL && name != NULL && strcasecmp(old, name) != 0)
            add(columns, table->database, table->name, old, "dropped");
    } else if (action->kind == MY_ACTION_DROP_COLUMN) {
        add(columns, table->database, table->name, old, "dropped");
    }
}

static void add_my(Columns *columns, const MyStatement *statement)
{
    if (statement->kind != MY_STATEMENT_ALTER_TABLE || statement->name_count == 0)
        return;
    for (size_t i = 0; i < statement->action_count; i++) {
        const MyAction *action = &statement->actions[i];
        add_action(columns, &statement->names[0], action);
        for (size_t j = 0; j < action->item_count; j++)
            add_action(columns, &statement->names[0], &action->items[j]);
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void parse(const Runner *runner, Arena *arena, const char *sql, Change *ret_change)
{
    ChangeInput input = {.sql = sql};
    const MyServer *my = runner->server.my;
    if (runner->ops->dialect != DIALECT_MYSQL || my == NULL) {
        change_parse_pg(arena, &input, ret_change);
        return;
    }
    MyDialect dialect = {.mariadb = my->mariadb,
                         .version = runner->server.version_num,
                         .ansi_quotes = my->ansi_quotes,
                         .no_backslash_escapes = my->no_backslash_escapes};
    change_parse_my(arena, &input, &dialect, ret_change);
}

static json_t *columns_read(const Runner *runner, const char *sql, const char *plan)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *json = json_loads(plan, 0, NULL);
    Columns columns = {.plan = json, .server = &runner->server, .list = json_array()};
    Change change = {0};
    parse(runner, arena, sql, &change);
    for (size_t i = 0; i < change.operation_count; i++) {
        const Operation *operation = &change.operations[i];
        if (operation->kind == OPERATION_MY)
            add_my(&columns, operation->my);
        else
            add_operation(&columns, operation);
    }
    json_decref(json);
    return columns.list;
}

Err *columns_add(Runner *runner, json_t *known, json_t *change, const char *id)
{
    json_t *columns = json_incref(json_object_get(known, id));
    if (columns == NULL) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        Wait wait = runner_wait(runner);
        Rows rows = {0};
        TRY(conn_params(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_REQUEST), id));
        columns = rows.row_count == 0 ? json_array()
                                      : columns_read(runner, rows_cell(&rows, 0, 0), rows_cell(&rows, 0, 1));
        if (known != NULL)
            json_object_set(known, id, columns);
    }
    json_object_set_new(change, "columns", columns);
    return NULL;
}
