/* Hiding a column, an index or a table: statements that commit by themselves, each in the cheapest form that
 * the server takes, under its metadata lock for a moment. */
#include "engine/mysql/hide.h"

#include "base/str.h"
#include "engine/my_table.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/definition.h"
#include "engine/mysql/flavor.h"
#include "engine/mysql/my.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/session.h"

#include <jansson.h>
#include <string.h>

#define SUFFIX "__stoa_retired"
enum {
    NAME_CHARACTERS_MAX = 64,
    ER_NOT_SUPPORTED = 1845,        /* ER_ALTER_OPERATION_NOT_SUPPORTED */
    ER_NOT_SUPPORTED_REASON = 1846, /* … with its reason */
};

typedef struct Ways {
    const char *there, *back; /* the name that it has before, and while it is hidden */
    VEC(const char *) hide;   /* the same in several forms, the cheapest first */
    VEC(const char *) show;
} Ways;

/* ---- statements ----------------------------------------------------------------------------- */

static const char *hidden_name(Arena *arena, const char *name)
{
    size_t at = 0, most = NAME_CHARACTERS_MAX - strlen(SUFFIX), count = 0;
    for (; name[at] != '\0'; at++)
        if (((unsigned char)name[at] & 0xC0) != 0x80 && count++ == most)
            break;
    return arena_printf(arena, "%.*s%s", (int)at, name, SUFFIX);
}

/* INSTANT does not take LOCK=NONE: it holds its lock for a moment whatever is said. */
static void in_both_forms(Arena *arena, const char *sql, const char ***ret_items, size_t *ret_count)
{
    const char **items = arena_alloc(arena, 2 * sizeof *items);
    items[0] = arena_printf(arena, "%s, ALGORITHM=INSTANT", sql);
    items[1] = arena_printf(arena, "%s, ALGORITHM=INPLACE, LOCK=NONE", sql);
    *ret_items = items;
    *ret_count = 2;
}

static bool can_rename(const Flavor *flavor)
{
    return flavor->version >= (flavor->brand == FLAVOR_MARIADB ? 100502 : 80000);
}

static Err *rename_ways(Arena *arena, const Flavor *flavor, const HideRequest *request, Ways *ways)
{
    const char *table = my_name(arena, request->schema, request->table);
    ways->there = request->kind == HIDE_COLUMN ? request->name : request->table;
    ways->back = hidden_name(arena, ways->there);
    if (request->kind == HIDE_INDEX)
        return err_hint(err_new(ERR_USAGE, "an index under another name is used all the same"),
                        "--by invisible");
    if (request->kind == HIDE_TABLE) {
        const char *hidden = my_name(arena, request->schema, ways->back);
        *vec_push(arena, &ways->hide) = arena_printf(arena, "ALTER TABLE %s RENAME TO %s", table, hidden);
        *vec_push(arena, &ways->show) = arena_printf(arena, "ALTER TABLE %s RENAME TO %s", hidden, table);
        return NULL;
    }
    if (!can_rename(flavor))
        return err_hint(err_new(ERR_USAGE, "this server renames a column only with its whole definition"),
                        "--by none goes without a brown-out");
    const char *from = my_ident(arena, ways->there), *to = my_ident(arena, ways->back);
    in_both_forms(arena, arena_printf(arena, "ALTER TABLE %s RENAME COLUMN %s TO %s", table, from, to),
                  &ways->hide.items, &ways->hide.len);
    in_both_forms(arena, arena_printf(arena, "ALTER TABLE %s RENAME COLUMN %s TO %s", table, to, from),
                  &ways->show.items, &ways->show.len);
    return NULL;
}

static Err *invisible_column(Arena *arena, const Flavor *flavor, const HideRequest *request,
                             const Table *table, Ways *ways)
{
    const char *name = my_name(arena, request->schema, request->table),
               *ident = my_ident(arena, request->name);
    const char *hide = NULL, *show = NULL;
    if (flavor->version < (flavor->brand == FLAVOR_MARIADB ? 100300 : 80023))
        return err_hint(err_new(ERR_USAGE, "this server has no invisible columns"), "--by rename");
    if (flavor->brand == FLAVOR_MARIADB) {
        const char *line = definition_column_line(arena, table->my->create_sql, request->name);
        if (line == NULL)
            return err_new(ERR_SQL, "SHOW CREATE TABLE does not show column \"%s\"", request->name);
        hide = arena_printf(arena, "ALTER TABLE %s MODIFY COLUMN %s INVISIBLE", name, line);
        show = arena_printf(arena, "ALTER TABLE %s MODIFY COLUMN %s", name, line);
    } else {
        hide = arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s SET INVISIBLE", name, ident);
        show = arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s SET VISIBLE", name, ident);
    }
    in_both_forms(arena, hide, &ways->hide.items, &ways->hide.len);
    in_both_forms(arena, show, &ways->show.items, &ways->show.len);
    return NULL;
}

static Err *invisible_ways(Arena *arena, const Flavor *flavor, const HideRequest *request, const Table *table,
                           Ways *ways)
{
    bool mariadb = flavor->brand == FLAVOR_MARIADB;
    const char *name = my_name(arena, request->schema, request->table);
    ways->there = ways->back = request->name;
    if (request->kind == HIDE_COLUMN)
        return invisible_column(arena, flavor, request, table, ways);
    if (request->kind == HIDE_TABLE)
        return err_hint(err_new(ERR_USAGE, "a table cannot be invisible"), "--by rename");
    if (flavor->version < (mariadb ? 100600 : 80000))
        return err_hint(err_new(ERR_USAGE, "this server cannot hide an index"), "--by none goes without");
    const char *ident = my_ident(arena, request->name);
    *vec_push(arena, &ways->hide) = arena_printf(arena, "ALTER TABLE %s ALTER INDEX %s %s", name, ident,
                                                 mariadb ? "IGNORED" : "INVISIBLE");
    *vec_push(arena, &ways->show) = arena_printf(arena, "ALTER TABLE %s ALTER INDEX %s %s", name, ident,
                                                 mariadb ? "NOT IGNORED" : "VISIBLE");
    return NULL;
}

/* ---- the plan ------------------------------------------------------------------------------- */

static json_t *texts(const char *const *items, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(items[i]));
    return list;
}

static const char *note_of(const HideRequest *request, HideBy by)
{
    if (request->kind == HIDE_INDEX)
        return "statements that want the index become slow, not wrong: look at times, not at errors";
    if (by == HIDE_BY_INVISIBLE)
        return "this finds only who says SELECT * or INSERT without a column list; who names it notices "
               "nothing";
    return request->kind == HIDE_COLUMN ? "SELECT * goes on, with the column under another name" : NULL;
}

static Err *hidden_is_free(Conn *conn, const Wait *wait, Arena *arena, const HideRequest *request,
                           const Table *table, const char *hidden)
{
    int64_t id = 0;
    if (request->kind == HIDE_TABLE)
        TRY(my_find_table(conn, wait, arena, request->schema, hidden, &id));
    if (id != 0 || (request->kind == HIDE_COLUMN && table_column(table, hidden) != NULL))
        return err_hint(err_new(ERR_UNSAFE, "there is a \"%s\" already", hidden),
                        "stoa retire … --undo; or rename it yourself");
    return NULL;
}

Err *my_hide_plan(Conn *conn, const Wait *wait, Arena *arena, const Server *server,
                  const HideRequest *request, HidePlan *ret_plan)
{
    static const char *const kinds[] = {
        [HIDE_COLUMN] = "column", [HIDE_TABLE] = "table", [HIDE_INDEX] = "index"};
    const Flavor *flavor = my_flavor(conn);
    HideBy by = request->by != HIDE_BY_DEFAULT ? request->by
                : request->kind == HIDE_INDEX  ? HIDE_BY_INVISIBLE
                                               : HIDE_BY_RENAME;
    Table table = {0};
    Ways ways = {0};
    if (by == HIDE_BY_NONE) {
        *ret_plan = (HidePlan){.by = by, .body = "{}"};
        return NULL;
    }
    if (by == HIDE_BY_PRIVILEGES)
        return err_hint(err_new(ERR_USAGE,
                                "privileges of this server are no way to hide anything: a role's rights on "
                                "the whole database would have to go"),
                        "--by rename");
    TRY(my_load_table(conn, wait, arena, server, request->schema, request->table, &table));
    if (by == HIDE_BY_RENAME)
        TRY(rename_ways(arena, flavor, request, &ways));
    else
        TRY(invisible_ways(arena, flavor, request, &table, &ways));
    if (by == HIDE_BY_RENAME)
        TRY(hidden_is_free(conn, wait, arena, request, &table, ways.back));
    json_t *body = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "by", hide_by_name(by), "kind",
                             kinds[request->kind], "schema", request->schema, "table", request->table, "name",
                             ways.there, "hidden", ways.back, "hide", texts(ways.hide.items, ways.hide.len),
                             "show", texts(ways.show.items, ways.show.len));
    CLEANUP(mem_freep) char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    const char **notes = arena_alloc(arena, sizeof *notes);
    notes[0] = note_of(request, by);
    *ret_plan = (HidePlan){.by = by,
                           .body = arena_dup(arena, text),
                           .sql = ways.hide.items,
                           .sql_count = 1,
                           .undo_sql = ways.show.items,
                           .undo_count = 1,
                           .notes = notes,
                           .note_count = notes[0] != NULL};
    return NULL;
}

/* ---- carried out ---------------------------------------------------------------------------- */

static const char *text_in(const json_t *body, const char *key)
{
    return json_string_value(json_object_get(body, key));
}

static Err *is_there(Conn *conn, const Wait *wait, Arena *arena, const json_t *body, const char *name,
                     bool *ret_there)
{
    Rows rows = {0};
    const char *schema = text_in(body, "schema"), *table = text_in(body, "table");
    if (str_eq(text_in(body, "kind"), "table"))
        TRY(conn_params(conn, wait, arena, &rows,
                        "SELECT 1 FROM information_schema.tables WHERE table_schema = $1 AND table_name = $2",
                        schema, name));
    else if (str_eq(text_in(body, "kind"), "column"))
        TRY(conn_params(
            conn, wait, arena, &rows,
            "SELECT 1 FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 AND "
            "column_name = $3",
            schema, table, name));
    else
        TRY(conn_params(
            conn, wait, arena, &rows,
            "SELECT 1 FROM information_schema.statistics WHERE table_schema = $1 AND table_name = $2 AND "
            "index_name = $3 LIMIT 1",
            schema, table, name));
    *ret_there = rows.row_count > 0;
    return NULL;
}

/* Whether something is left to do. Statements that leave the name may be said again. */
static Err *is_to_do(Conn *conn, const Wait *wait, Arena *arena, const json_t *body, bool back,
                     bool *ret_to_do)
{
    const char *from = text_in(body, back ? "hidden" : "name"), *to = text_in(body, back ? "name" : "hidden");
    bool from_there = false, to_there = false;
    TRY(is_there(conn, wait, arena, body, from, &from_there));
    TRY(is_there(conn, wait, arena, body, to, &to_there));
    *ret_to_do = from_there;
    if (from_there && to_there && !str_eq(from, to))
        return err_hint(err_new(ERR_UNSAFE, "there are both \"%s\" and \"%s\"", from, to),
                        "somebody has made one of them: look, and rename by hand");
    return NULL;
}

static bool is_refused_form(const Err *err)
{
    const Err *root = err == NULL ? NULL : err_root(err);
    return root != NULL &&
           (root->server_errno == ER_NOT_SUPPORTED || root->server_errno == ER_NOT_SUPPORTED_REASON);
}

static Err *carry_out(Conn *conn, const Target *target, const Wait *wait, const json_t *body, bool back,
                      const HideLimits *limits, bool *ret_done)
{
    const json_t *forms = json_object_get(body, back ? "show" : "hide");
    bool renamed_table = back && str_eq(text_in(body, "kind"), "table");
    for (size_t i = 0; i < json_array_size(forms); i++) {
        AlterRequest request = {.sql = json_string_value(json_array_get(forms, i)),
                                .schema = text_in(body, "schema"),
                                .table = text_in(body, renamed_table ? "hidden" : "table"),
                                .stall_ms = limits->stall_ms / 2 > 0 ? limits->stall_ms / 2 : 1,
                                .queue = limits->queue,
                                .gentle = !limits->queue};
        AlterResult result = {0};
        Err *err = my_alter(conn, target, wait, &request, &result);
        if (!is_refused_form(err) || i + 1 == json_array_size(forms)) {
            *ret_done = err == NULL && result.done;
            return err;
        }
        err_free(err);
    }
    return err_new(ERR_BUG, "a brown-out without a statement");
}

static Err *either(Conn *conn, const Target *target, const Wait *wait, const char *text, bool back,
                   const HideLimits *limits, bool *ret_done)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    bool to_do = false;
    json_t *body = json_loads(text, 0, NULL);
    if (body == NULL)
        return err_new(ERR_BUG, "what is kept of a brown-out cannot be read");
    Err *err = is_to_do(conn, wait, arena, body, back, &to_do);
    *ret_done = err == NULL && !to_do;
    if (err == NULL && to_do)
        err = carry_out(conn, target, wait, body, back, limits, ret_done);
    json_decref(body);
    return err;
}

Err *my_hide(Conn *conn, const Target *target, const Wait *wait, const char *body, const HideLimits *limits,
             bool *ret_done)
{
    return either(conn, target, wait, body, false, limits, ret_done);
}

Err *my_show(Conn *conn, const Target *target, const Wait *wait, const char *body, const HideLimits *limits,
             bool *ret_done)
{
    return either(conn, target, wait, body, true, limits, ret_done);
}
