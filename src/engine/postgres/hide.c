/* Hiding a column or a table: the choice of the way, and another name. */
#include "engine/postgres/hide.h"

#include "base/str.h"
#include "engine/postgres/pg.h"
#include "engine/sql.h"

#include <string.h>

#define SUFFIX "__stoa_retired"
enum { NAME_BYTES_MAX = 63 };

/* "note__stoa_retired", cut between characters where it would be too long. */
static const char *hidden_name(Arena *arena, const char *name)
{
    size_t len = strlen(name), most = NAME_BYTES_MAX - strlen(SUFFIX);
    for (len = len > most ? most : len; len > 0 && ((unsigned char)name[len] & 0xC0) == 0x80;)
        len--;
    return arena_printf(arena, "%.*s%s", (int)len, name, SUFFIX);
}

static Err *hidden_is_free(Conn *conn, const Wait *wait, Arena *arena, const Table *table,
                           const HideRequest *request, const char *hidden)
{
    int64_t id = 0;
    if (request->kind == HIDE_TABLE)
        TRY(pg_find_table(conn, wait, arena, table->schema, hidden, &id));
    if (id != 0 || (request->kind == HIDE_COLUMN && table_column(table, hidden) != NULL))
        return err_hint(err_new(ERR_UNSAFE, "there is a \"%s\" already", hidden),
                        "stoa retire … --undo; or rename it yourself");
    return NULL;
}

static const char *rename_sql(Arena *arena, const char *schema, const char *table, const char *column,
                              const char *from, const char *to)
{
    return column == NULL
               ? arena_printf(arena, "ALTER TABLE %s RENAME TO %s", sql_name(arena, schema, from),
                              sql_ident(arena, to))
               : arena_printf(arena, "ALTER TABLE %s RENAME COLUMN %s TO %s", sql_name(arena, schema, table),
                              sql_ident(arena, from), sql_ident(arena, to));
}

static Err *rename_plan(Conn *conn, const Wait *wait, Arena *arena, const HideRequest *request,
                        const Table *table, HidePlan *ret_plan)
{
    const char *column = request->kind == HIDE_COLUMN ? request->name : NULL;
    const char *name = column != NULL ? column : table->name, *hidden = hidden_name(arena, name);
    TRY(hidden_is_free(conn, wait, arena, table, request, hidden));
    const char **sql = arena_alloc(arena, 2 * sizeof *sql);
    sql[0] = rename_sql(arena, table->schema, table->name, column, name, hidden);
    sql[1] = rename_sql(arena, table->schema, table->name, column, hidden, name);
    json_t *body = json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s}", "by", "rename", "schema", table->schema,
                             "table", table->name, "column", column, "owner", table->owner, "hidden", hidden);
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    *ret_plan = (HidePlan){.by = HIDE_BY_RENAME,
                           .body = arena_dup(arena, text),
                           .sql = sql,
                           .sql_count = 1,
                           .undo_sql = sql + 1,
                           .undo_count = 1};
    mem_freep(&text);
    return NULL;
}

static void add_notes(Arena *arena, const HideRequest *request, HidePlan *plan)
{
    const char **notes = arena_alloc(arena, 3 * sizeof *notes);
    if (plan->by == HIDE_BY_PRIVILEGES && request->kind == HIDE_COLUMN) {
        notes[plan->note_count++] =
            "SELECT * and INSERT without a column list fail as well while it is hidden";
        notes[plan->note_count++] =
            "the server's message is \"permission denied for table …\" (42501), without the column's name";
    }
    if (plan->by == HIDE_BY_RENAME && request->kind == HIDE_COLUMN)
        notes[plan->note_count++] =
            "views and keys follow the new name, so who reads through them notices nothing";
    plan->notes = notes;
}

Err *pg_hide_plan(Conn *conn, const Wait *wait, Arena *arena, const Server *server,
                  const HideRequest *request, HidePlan *ret_plan)
{
    Table table = {0};
    HidePlan plan = {.by = HIDE_BY_NONE, .body = "{}"};
    TRY(pg_load_table(conn, wait, arena, server, request->schema, request->table, &table));
    if (request->by == HIDE_BY_INVISIBLE)
        return err_hint(err_new(ERR_USAGE, "PostgreSQL hides nothing by itself"),
                        "--by privileges or --by rename");
    if (request->kind == HIDE_INDEX && request->by != HIDE_BY_DEFAULT && request->by != HIDE_BY_NONE)
        return err_new(ERR_USAGE, "PostgreSQL cannot hide an index: there is only what it counts");
    if (request->kind == HIDE_INDEX || request->by == HIDE_BY_NONE) {
        *ret_plan = plan;
        return NULL;
    }
    if (request->by == HIDE_BY_RENAME)
        TRY(rename_plan(conn, wait, arena, request, &table, &plan));
    else
        TRY(acl_plan(conn, wait, arena, request, &table, &plan));
    add_notes(arena, request, &plan);
    *ret_plan = plan;
    return NULL;
}

static Err *read_body(const char *body, json_t **ret_json)
{
    *ret_json = json_loads(body, 0, NULL);
    return *ret_json != NULL ? NULL : err_new(ERR_BUG, "what is kept of a brown-out cannot be read");
}

static Err *is_there(Conn *conn, const Wait *wait, Arena *arena, const json_t *body, const char *name,
                     bool *ret_there)
{
    Rows rows = {0};
    bool column = json_is_string(json_object_get(body, "column"));
    const char *schema = json_string_value(json_object_get(body, "schema"));
    const char *table = column ? json_string_value(json_object_get(body, "table")) : name;
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND ($3::text IS NULL OR EXISTS (SELECT "
        "FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = $3 AND NOT "
        "a.attisdropped AND a.attnum > 0))",
        schema, table, column ? name : NULL));
    *ret_there = rows.row_count > 0;
    return NULL;
}

/* The lock is asked for by itself, so that an attempt which does not wait makes nobody else wait. */
static Err *rename_locked(Conn *conn, const Wait *wait, const json_t *body, bool back,
                          const HideLimits *limits)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *schema = json_string_value(json_object_get(body, "schema"));
    const char *table = json_string_value(json_object_get(body, "table"));
    const char *column = json_string_value(json_object_get(body, "column"));
    const char *name = column != NULL ? column : table;
    const char *hidden = json_string_value(json_object_get(body, "hidden"));
    const char *from = back ? hidden : name, *to = back ? name : hidden;
    bool from_there = false, to_there = false;
    TRY(is_there(conn, wait, arena, body, from, &from_there));
    TRY(is_there(conn, wait, arena, body, to, &to_there));
    if (!from_there && (back || to_there))
        return NULL; /* done, or never begun */
    if (to_there)
        return err_hint(err_new(ERR_UNSAFE, "there are both \"%s\" and \"%s\"", from, to),
                        "somebody has made one of them: look, and rename by hand");
    TRY(pg_act_as(conn, wait, json_string_value(json_object_get(body, "owner"))));
    TRY(conn_exec(conn, wait,
                  arena_printf(arena, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE%s",
                               sql_name(arena, schema, column != NULL ? table : from),
                               limits->queue ? "" : " NOWAIT")));
    TRY(conn_exec(conn, wait, rename_sql(arena, schema, table, column, from, to)));
    return pg_act_as(conn, wait, NULL);
}

static Err *either(Conn *conn, const Wait *wait, const char *text, bool back, const HideLimits *limits)
{
    CLEANUP(catalog_json_freep) json_t *body = NULL;
    TRY(read_body(text, &body));
    if (str_eq(json_string_value(json_object_get(body, "by")), "privileges"))
        return back ? acl_show(conn, wait, body) : acl_hide(conn, wait, body);
    return rename_locked(conn, wait, body, back, limits);
}

Err *pg_hide(Conn *conn, const Target *target, const Wait *wait, const char *body, const HideLimits *limits,
             bool *ret_done)
{
    (void)target;
    TRY(either(conn, wait, body, false, limits));
    *ret_done = true;
    return NULL;
}

Err *pg_show(Conn *conn, const Target *target, const Wait *wait, const char *body, const HideLimits *limits,
             bool *ret_done)
{
    (void)target;
    TRY(either(conn, wait, body, true, limits));
    *ret_done = true;
    return NULL;
}
