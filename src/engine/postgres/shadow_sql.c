/* Parts of the statements about source, shadow and key log, and the transactions that they run in. */
#include "engine/postgres/shadow.h"

#include "engine/sql.h"

#include <jansson.h>

char *shadow_source_sql(Arena *arena, const ShadowSpec *spec)
{
    return sql_name(arena, spec->schema, spec->source);
}

char *shadow_table_sql(Arena *arena, const ShadowSpec *spec)
{
    return sql_name(arena, spec->schema, spec->shadow);
}

char *shadow_exprs_sql(Arena *arena, const ShadowSpec *spec)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < spec->column_count; i++)
        str_addf(&out, "%s%s AS %s", i > 0 ? ", " : "", spec->columns[i].expr,
                 sql_ident(arena, spec->columns[i].name));
    return arena_dup(arena, out.buf);
}

char *shadow_columns_sql(Arena *arena, const ShadowSpec *spec, const char *prefix)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < spec->column_count; i++)
        str_addf(&out, "%s%s%s", i > 0 ? ", " : "", prefix, sql_ident(arena, spec->columns[i].name));
    return arena_dup(arena, out.buf);
}

char *shadow_join_sql(Arena *arena, const ShadowSpec *spec, const char *left, const char *right, bool targets)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < spec->key_count; i++)
        str_addf(&out, "%s%s.%s = %s.%s", i > 0 ? " AND " : "", left, sql_ident(arena, spec->key_columns[i]),
                 right, sql_ident(arena, targets ? spec->key_targets[i] : spec->key_columns[i]));
    return arena_dup(arena, out.buf);
}

char *shadow_key_sql(Arena *arena, const ShadowSpec *spec, const char *prefix, bool targets)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < spec->key_count; i++)
        str_addf(&out, "%s%s%s", i > 0 ? ", " : "", prefix,
                 sql_ident(arena, targets ? spec->key_targets[i] : spec->key_columns[i]));
    return arena_dup(arena, out.buf);
}

char *shadow_key_json_sql(Arena *arena, const ShadowSpec *spec, const char *prefix, bool targets)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < spec->key_count; i++)
        str_addf(&out, "%s%s%s::text", i > 0 ? ", " : "", prefix,
                 sql_ident(arena, targets ? spec->key_targets[i] : spec->key_columns[i]));
    return arena_printf(arena, "pg_catalog.json_build_array(%s)::text", out.buf);
}

/* "('1'::integer, 'x'::text)" */
static void add_values(Str *out, const ShadowSpec *spec, const char *key)
{
    json_t *values = json_loads(key, 0, NULL);
    for (size_t i = 0; i < spec->key_count; i++) {
        const char *text = json_string_value(json_array_get(values, i));
        str_add(out, i == 0 ? "(" : ", ");
        sql_add_literal(out, text != NULL ? text : "");
        str_addf(out, "::%s", spec->key_types[i]);
    }
    str_add(out, ")");
    json_decref(values);
}

char *shadow_row_sql(Arena *arena, const ShadowSpec *spec, const char *key)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    str_add(&out, "ROW");
    add_values(&out, spec, key);
    return arena_dup(arena, out.buf);
}

char *shadow_range_sql(Arena *arena, const ShadowSpec *spec, const Range *range, bool targets)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    const char *keys = shadow_key_sql(arena, spec, targets ? "d." : "s.", targets);
    str_add(&out, "true");
    if (range->low != NULL)
        str_addf(&out, " AND ROW(%s) >= %s", keys, shadow_row_sql(arena, spec, range->low));
    if (range->high != NULL)
        str_addf(&out, " AND ROW(%s) < %s", keys, shadow_row_sql(arena, spec, range->high));
    return arena_dup(arena, out.buf);
}

char *shadow_values_sql(Arena *arena, const ShadowSpec *spec, const KeyList *keys)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < keys->count; i++) {
        str_add(&out, i == 0 ? "VALUES " : ", ");
        add_values(&out, spec, keys->keys[i]);
    }
    return arena_dup(arena, out.buf);
}

char *pg_shadow_key_text(Arena *arena, const ShadowSpec *spec, const char *key)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    json_t *values = json_loads(key, 0, NULL);
    for (size_t i = 0; i < spec->key_count; i++) {
        const char *text = json_string_value(json_array_get(values, i));
        str_addf(&out, "%s%s=%s", i > 0 ? ", " : "", spec->key_columns[i], text != NULL ? text : "?");
    }
    json_decref(values);
    return arena_dup(arena, out.buf);
}

/* Rows of the shadow and what is noted of them are lost together or not at all, so their commits need not
 * wait for the disk: a later checkpoint, which does, is behind them in the log. */
Err *shadow_begin(Conn *conn, const Wait *wait, const ShadowSpec *spec, bool isolated)
{
    enum { LOCK_MS = 2000 };
    TRY(pg_begin(conn, wait,
                 &(TxSettings){.lock_timeout_ms = LOCK_MS, .async_commit = true, .role = spec->role}));
    Err *err = isolated ? conn_exec(conn, wait, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ") : NULL;
    return err == NULL ? NULL : shadow_end(conn, wait, err);
}

Err *shadow_end(Conn *conn, const Wait *wait, Err *err)
{
    if (err == NULL)
        err = pg_commit(conn, wait);
    if (err != NULL)
        pg_rollback(conn);
    return err;
}
