/* Keys of rows that had to make room and are still to be written again. */
#include "engine/mysql/shadow_owed.h"

#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/shadow_my.h"

static char *table_name(Arena *arena, const ShadowSpec *spec, bool back)
{
    return arena_printf(arena, "owed_%lld%s", (long long)spec->change_id, back ? "_back" : "");
}

static char *owed_table(Arena *arena, const ShadowSpec *spec)
{
    return my_name(arena, "stoa", table_name(arena, spec, spec->back));
}

static Err *is_there(Conn *conn, const Wait *wait, const ShadowSpec *spec, bool back, bool *ret_there)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'stoa' AND TABLE_NAME = $1",
        table_name(arena, spec, back)));
    *ret_there = rows_int(&rows, 0, 0) > 0;
    return NULL;
}

static Err *make_schema(Conn *conn, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'stoa'"));
    return rows_int(&rows, 0, 0) > 0 ? NULL : my_exec(conn, wait, "CREATE DATABASE IF NOT EXISTS `stoa`");
}

/* No index but over a number of its own: a key can be longer than an index takes, so it is found by its
 * beginning. */
Err *owed_make(Conn *conn, const Wait *wait, const ShadowSpec *spec, Form *form)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    bool there = false;
    if (form->has_owed)
        return NULL;
    TRY(is_there(conn, wait, spec, spec->back, &there));
    if (!there)
        TRY(make_schema(conn, wait));
    if (!there)
        TRY(my_exec(conn, wait,
                    arena_printf(arena,
                                 "CREATE TABLE IF NOT EXISTS %s (seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT "
                                 "PRIMARY KEY, name LONGBLOB NOT NULL, KEY (name(200))) ENGINE=InnoDB",
                                 owed_table(arena, spec))));
    form->has_owed = true;
    return NULL;
}

Err *owed_note(Conn *conn, const Wait *wait, const ShadowSpec *spec, const KeyList *keys)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str sql = STR_INIT;
    if (keys->count == 0)
        return NULL;
    str_addf(&sql, "INSERT INTO %s (name) VALUES ", owed_table(arena, spec));
    for (size_t i = 0; i < keys->count; i++)
        str_addf(&sql, "%s(%s)", i > 0 ? ", " : "", my_literal(conn, arena, keys->keys[i]));
    return my_exec(conn, wait, sql.buf);
}

Err *owed_settle(Conn *conn, const Wait *wait, const ShadowSpec *spec, const KeyList *keys)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str sql = STR_INIT;
    if (keys->count == 0)
        return NULL;
    const char *table = owed_table(arena, spec);
    str_addf(&sql, "DELETE FROM %s USING %s FORCE INDEX (name) WHERE name IN (", table, table);
    for (size_t i = 0; i < keys->count; i++)
        str_addf(&sql, "%s%s", i > 0 ? ", " : "", my_literal(conn, arena, keys->keys[i]));
    str_add(&sql, ")");
    return my_exec(conn, wait, sql.buf);
}

Err *owed_clear(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    bool there = false;
    TRY(is_there(conn, wait, spec, spec->back, &there));
    return there ? my_exec(conn, wait, arena_printf(arena, "DELETE FROM %s", owed_table(arena, spec))) : NULL;
}

Err *owed_drop(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (int back = spec->back; back <= 1; back++) {
        bool there = false;
        TRY(is_there(conn, wait, spec, back, &there));
        if (there)
            TRY(my_exec(conn, wait,
                        arena_printf(arena, "DROP TABLE IF EXISTS %s",
                                     my_name(arena, "stoa", table_name(arena, spec, back)))));
    }
    return NULL;
}

Err *my_shadow_owed(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, KeyList *ret_keys)
{
    Rows rows = {0};
    bool there = false;
    *ret_keys = (KeyList){0};
    TRY(is_there(conn, wait, spec, spec->back, &there));
    if (!there)
        return NULL;
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena, "SELECT DISTINCT name FROM %s", owed_table(arena, spec))));
    const char **keys = arena_alloc(arena, (rows.row_count + 1) * sizeof *keys);
    for (size_t i = 0; i < rows.row_count; i++)
        keys[i] = rows_cell(&rows, i, 0);
    *ret_keys = (KeyList){.keys = keys, .count = rows.row_count};
    return NULL;
}
