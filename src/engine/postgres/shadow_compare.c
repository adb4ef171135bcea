/* Source and shadow compared in one statement, and so in one snapshot, with the log of keys that wait: what
 * is different and waits is only on its way.
 *
 * Fact: *<> compares records byte by byte, of any types, with what is stored outside of rows fetched. */
#include "engine/postgres/shadow.h"

#include "engine/sql.h"

/* Counts rows of the source; lists keys that differ and do not wait, and those that differ and do. */
static char *compare_sql(Arena *arena, const ShadowSpec *spec, const char *source_where,
                         const char *shadow_where)
{
    CLEANUP(str_donep)
    Str keys = STR_INIT, theirs = STR_INIT, join = STR_INIT, waits = STR_INIT, json = STR_INIT;
    for (size_t i = 0; i < spec->key_count; i++) {
        str_addf(&keys, "s.%s AS k%zu, ", sql_ident(arena, spec->key_columns[i]), i);
        str_addf(&theirs, "d.%s AS k%zu, ", sql_ident(arena, spec->key_targets[i]), i);
        str_addf(&join, "%ss.k%zu = d.k%zu", i > 0 ? " AND " : "", i, i);
        str_addf(&waits, "%sl.%s = coalesce(s.k%zu, d.k%zu)", i > 0 ? " AND " : "",
                 sql_ident(arena, spec->key_columns[i]), i, i);
        str_addf(&json, "%scoalesce(s.k%zu, d.k%zu)::text", i > 0 ? ", " : "", i, i);
    }
    const char *differs = "(s.k0 IS NULL OR d.k0 IS NULL OR s.r OPERATOR(pg_catalog.*<>) d.r)";
    const char *waiting = arena_printf(arena, "EXISTS (SELECT FROM %s l WHERE %s)", spec->key_log, waits.buf);
    return arena_printf(
        arena,
        "SELECT pg_catalog.count(s.k0), "
        "pg_catalog.json_agg(pg_catalog.json_build_array(%s)) FILTER (WHERE %s AND NOT %s), "
        "pg_catalog.json_agg(pg_catalog.json_build_array(%s)) FILTER (WHERE %s AND %s) "
        "FROM (SELECT %sx AS r FROM ONLY %s s CROSS JOIN LATERAL (SELECT %s) x WHERE %s) s "
        "FULL JOIN (SELECT %sy AS r FROM ONLY %s d CROSS JOIN LATERAL (SELECT %s) y WHERE %s) d ON %s",
        json.buf, differs, waiting, json.buf, differs, waiting, keys.buf, shadow_source_sql(arena, spec),
        shadow_exprs_sql(arena, spec), source_where, theirs.buf, shadow_table_sql(arena, spec),
        shadow_columns_sql(arena, spec, "d."), shadow_where, join.buf);
}

/* An array of arrays into keys; NULL is none. */
static KeyList key_list(Arena *arena, const char *text)
{
    json_t *list = text == NULL ? NULL : json_loads(text, 0, NULL);
    size_t count = json_array_size(list);
    const char **keys = arena_alloc(arena, (count + 1) * sizeof *keys);
    for (size_t i = 0; i < count; i++) {
        char *key = json_dumps(json_array_get(list, i), JSON_ENCODE_ANY);
        keys[i] = arena_dup(arena, key);
        free(key);
    }
    json_decref(list);
    return (KeyList){.keys = keys, .count = count};
}

static Err *run_compare(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const char *sql,
                        int64_t *ret_rows, KeyList *ret_different, KeyList *ret_waiting)
{
    Rows rows = {0};
    TRY(pg_begin(conn, wait, &(TxSettings){.read_only = true, .narrow = true, .role = spec->role}));
    TRY(shadow_end(conn, wait, conn_query(conn, wait, arena, &rows, sql)));
    *ret_rows = rows_int(&rows, 0, 0);
    *ret_different = key_list(arena, rows_cell(&rows, 0, 1));
    *ret_waiting = key_list(arena, rows_cell(&rows, 0, 2));
    return NULL;
}

Err *pg_shadow_compare(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Range *range,
                       int64_t *ret_rows, KeyList *ret_different)
{
    KeyList waiting = {0};
    return run_compare(conn, wait, arena, spec,
                       compare_sql(arena, spec, shadow_range_sql(arena, spec, range, false),
                                   shadow_range_sql(arena, spec, range, true)),
                       ret_rows, ret_different, &waiting);
}

Err *pg_shadow_compare_keys(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                            const KeyList *keys, KeyList *ret_different, KeyList *ret_busy)
{
    int64_t rows = 0;
    const char *values = shadow_values_sql(arena, spec, keys);
    return run_compare(
        conn, wait, arena, spec,
        compare_sql(arena, spec,
                    arena_printf(arena, "(%s) IN (%s)", shadow_key_sql(arena, spec, "s.", false), values),
                    arena_printf(arena, "(%s) IN (%s)", shadow_key_sql(arena, spec, "d.", true), values)),
        &rows, ret_different, ret_busy);
}
