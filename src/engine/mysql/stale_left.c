/* Tables, triggers and databases under names that online tools give. */
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/scratch.h"
#include "engine/mysql/stale.h"

#include <string.h>

/* ---- leftovers ------------------------------------------------------------------------------ */

static bool is_known(const json_t *tables, const char *name)
{
    size_t i = 0;
    const json_t *row = NULL;
    json_array_foreach(tables, i, row) if (str_eq(stale_member(row, "name"), name)) return true;
    return false;
}

/* The table that a tool's name says it was made for, if there is one; as "note". */
static void note_base(Arena *arena, json_t *row, const json_t *tables)
{
    static const char *const behind[] = {
        "_gho",           "_ghc",    "_ghk",       "_del",       "_new",
        "_old",           "_chkpnt", "__stoa_new", "__stoa_old", "__stoa_fill_ins",
        "__stoa_fill_upd"};
    const char *name = stale_member(row, "name");
    for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
        size_t len = strlen(name), end = strlen(behind[i]);
        if (len <= end || strcmp(name + len - end, behind[i]) != 0)
            continue;
        const char *base = arena_dupn(arena, name, len - end);
        for (; *base != '\0'; base++) {
            if (is_known(tables, base))
                json_object_set_new(row, "note", json_string(base));
            if (*base != '_')
                break;
        }
    }
    if (str_starts(name, "lhmn_") && is_known(tables, name + strlen("lhmn_")))
        json_object_set_new(row, "note", json_string(name + strlen("lhmn_")));
    if (str_starts(name, "stoa_")) {
        size_t digits = strspn(name + strlen("stoa_"), "0123456789");
        if (digits > 0)
            json_object_set_new(row, "note", json_string(arena_dupn(arena, name + strlen("stoa_"), digits)));
    }
}

static Err *add_figures(Conn *conn, const Wait *wait, Arena *arena, json_t *row)
{
    Rows rows = {0};
    const char *name = stale_member(row, "name"), *base = stale_member(row, "note");
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT DATA_LENGTH + INDEX_LENGTH, TABLE_ROWS, TIMESTAMPDIFF(SECOND, GREATEST(CREATE_TIME, "
        "COALESCE(UPDATE_TIME, CREATE_TIME)), NOW()), TABLE_COMMENT, IS_USED_LOCK(CONCAT('gh-ost::', "
        "DATABASE(), '.', $2)) IS NOT NULL FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
        "AND TABLE_NAME = $1",
        name, base == NULL ? "" : base));
    static const char *const members[] = {"bytes", "rows", "age_s", "comment", "alive"};
    for (size_t i = 0; rows.row_count > 0 && i < ARRAY_LEN(members); i++)
        if (rows_cell(&rows, 0, i) != NULL)
            json_object_set_new(row, members[i], json_string(rows_cell(&rows, 0, i)));
    json_object_set_new(
        row, "drop",
        json_string(arena_printf(arena, "DROP TABLE %s", my_name(arena, stale_member(row, "schema"), name))));
    return NULL;
}

/* Scratch databases whose session is gone; those that are in use hold a lock of their name. */
static Err *add_scratch(Conn *conn, const Wait *wait, Arena *arena, json_t *list)
{
    Rows rows = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'stoa\\_scratch\\_%'"));
    for (size_t i = 0; i < rows.row_count; i++) {
        Rows used = {0};
        bool logged = false;
        const char *name = rows_cell(&rows, i, 0), *lock = scratch_lock_of(arena, name, &logged);
        if (lock == NULL)
            continue;
        TRY(conn_params(conn, wait, arena, &used, "SELECT IS_USED_LOCK($1) IS NOT NULL", lock));
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:b, s:s}", "type", "database", "schema", name,
                                        "name", name, "alive", (int)rows_bool(&used, 0, 0), "drop",
                                        arena_printf(arena, "DROP DATABASE %s", my_name(arena, NULL, name))));
    }
    return NULL;
}

static Err *add_tables(Conn *conn, const Wait *wait, Arena *arena, json_t *list)
{
    json_t *tables = NULL, *row = NULL;
    size_t i = 0;
    TRY(stale_query(
        conn, wait, "schema name",
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
        &tables));
    Err *err = NULL;
    json_array_foreach(tables, i, row)
    {
        const char *name = stale_member(row, "name");
        bool odd = name[0] == '_' || str_starts(name, "lhm") || strstr(name, "_stoa_") != NULL ||
                   strstr(name, "~stoa_") != NULL;
        if (!odd || err != NULL)
            continue;
        json_object_set_new(row, "type", json_string("table"));
        json_object_set(row, "table", json_object_get(row, "name"));
        note_base(arena, row, tables);
        err = add_figures(conn, wait, arena, row);
        json_array_append(list, row);
    }
    json_decref(tables);
    return err;
}

static Err *add_triggers(Conn *conn, const Wait *wait, Arena *arena, json_t *list)
{
    json_t *triggers = NULL, *row = NULL;
    size_t i = 0;
    TRY(stale_query(
        conn, wait, "schema table name age_s",
        "SELECT TRIGGER_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME, TIMESTAMPDIFF(SECOND, CREATED, NOW()) FROM "
        "information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND (TRIGGER_NAME LIKE 'pt\\_osc\\_%' "
        "OR "
        "TRIGGER_NAME LIKE 'lhmt\\_%' OR TRIGGER_NAME LIKE '%stoa\\_%')",
        &triggers));
    json_array_foreach(triggers, i, row)
    {
        json_object_set_new(row, "type", json_string("trigger"));
        note_base(arena, row, triggers);
        json_object_set_new(row, "drop",
                            json_string(arena_printf(
                                arena, "DROP TRIGGER %s",
                                my_name(arena, stale_member(row, "schema"), stale_member(row, "name")))));
        json_array_append(list, row);
    }
    json_decref(triggers);
    return NULL;
}

Err *stale_load_objects(Conn *conn, const Wait *wait, json_t **ret_rows)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *list = json_array();
    Err *err = add_tables(conn, wait, arena, list);
    if (err == NULL)
        err = add_triggers(conn, wait, arena, list);
    if (err == NULL)
        err = add_scratch(conn, wait, arena, list);
    if (err != NULL) {
        json_decref(list);
        return err;
    }
    *ret_rows = list;
    return NULL;
}
