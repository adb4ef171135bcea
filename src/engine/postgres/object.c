/* What stands in the catalog under an object's name, and whether a statement would make the same. */
#include "engine/postgres/catalog.h"

#include "base/str.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/pg.h"

enum { LOCK_MS = 2000, TIMEOUT_MS = 10000 };

/* {"a","b"} */
static const char *text_array(Arena *arena, const char *const *items, size_t count)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    str_add(&text, "{");
    for (size_t i = 0; i < count; i++) {
        str_add(&text, i > 0 ? ",\"" : "\"");
        for (const char *at = items[i]; *at != '\0'; at++) {
            if (*at == '"' || *at == '\\')
                str_add(&text, "\\");
            str_addn(&text, at, 1);
        }
        str_add(&text, "\"");
    }
    str_add(&text, "}");
    return arena_dup(arena, text.buf);
}

/* The server has no such object, or no schema or table that it could be in. */
static bool is_missing(const Err *err)
{
    static const char *const states[] = {"42704", "42P01", "42883", "3F000", "42809"};
    for (size_t i = 0; err_is(err, ERR_SQL) && i < ARRAY_LEN(states); i++)
        if (str_eq(states[i], err->sqlstate))
            return true;
    return false;
}

/* In the transaction at hand. */
static Err *look(Conn *conn, const Wait *wait, Arena *arena, const ObjectName *object, const char **ret_text,
                 const char **ret_restore)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    const char *type = str_eq(object->type, "domain") ? "type" : object->type;
    const char *params[] = {type, text_array(arena, object->names, object->name_count),
                            text_array(arena, object->args, object->arg_count)};
    TRY(catalog_query(conn, wait, catalog_object_sql, 3, params, &rows));
    const json_t *row = json_array_get(rows, 0);
    *ret_text = catalog_text(arena, row, "definition");
    *ret_restore = catalog_text(arena, row, "restore");
    return NULL;
}

static Err *look_now(Conn *conn, const Wait *wait, Arena *arena, const ObjectAsk *ask, ObjectState *ret_state)
{
    TRY(pg_begin(
        conn, wait,
        &(TxSettings){.lock_timeout_ms = LOCK_MS, .statement_timeout_ms = TIMEOUT_MS, .read_only = true}));
    Err *err = look(conn, wait, arena, &ask->of, &ret_state->definition, &ret_state->restore_sql);
    pg_rollback(conn);
    ret_state->there = err == NULL;
    if (!is_missing(err))
        return err;
    err_free(err);
    return NULL;
}

/* Made among temporary objects, looked at, and gone again. What does not work is no answer. */
static Err *look_wanted(Conn *conn, const Wait *wait, Arena *arena, const ObjectAsk *ask,
                        ObjectState *ret_state)
{
    const char *restore = NULL;
    TRY(pg_begin(
        conn, wait,
        &(TxSettings){.lock_timeout_ms = LOCK_MS, .statement_timeout_ms = TIMEOUT_MS, .async_commit = true}));
    Err *err = NULL;
    for (size_t i = 0; i < ask->same_count && err == NULL; i++)
        err = conn_exec(conn, wait, ask->same_sql[i]);
    if (err == NULL)
        err = look(conn, wait, arena, &ask->same, &ret_state->wanted, &restore);
    pg_rollback(conn);
    bool fatal = err_is(err, ERR_CONN_LOST) || err_is(err, ERR_STOPPED) || err_is(err, ERR_BUG);
    if (fatal)
        return err;
    err_free(err);
    return NULL;
}

Err *pg_load_object(Conn *conn, const Wait *wait, Arena *arena, const ObjectAsk *ask, ObjectState *ret_state)
{
    ObjectState state = {0};
    TRY(look_now(conn, wait, arena, ask, &state));
    if (state.there && state.definition != NULL && ask->same_count > 0)
        TRY(look_wanted(conn, wait, arena, ask, &state));
    *ret_state = state;
    return NULL;
}
