/* Rows of the source into the shadow: chunks of the copy, and captured keys.
 *
 * Facts: INSERT … ON CONFLICT DO NOTHING needs no index to exist. TID range scans exist from PostgreSQL 14;
 * before that chunks are ranges of the key. */
#include "engine/postgres/shadow.h"

#include "engine/sql.h"

#include <inttypes.h>
#include <stdlib.h>

static const int64_t BLOCKS_MAX = 4294967296; /* a table has fewer: its last chunk is noted as ending there */

enum {
    TID_RANGE_VERSION = 140000,
    /* In the log of what is copied: */
    MARK_BEHIND = -1,                   /* the shadow has its key */
    MARK_WRITTEN = SHADOW_MARK_WRITTEN, /* the last transaction that wrote to it */
    LOG_VACUUM_BYTES = 8 << 20,         /* a key log that is larger gets its room back … */
    LOG_VACUUM_KEYS = 1000, /* … when so many were brought over at once; else autovacuum does it */
};

/* What does not fit the shadow is the rows' fault. */
static Err *judged(Err *err)
{
    if (err != NULL && (str_starts(err->sqlstate, "22") || str_starts(err->sqlstate, "23")))
        err->kind = ERR_VERIFY;
    return err;
}

/* ---- ranges --------------------------------------------------------------------------------- */

/* Blocks that are in the shadow already, of a chunk whose process died before it could say so, are left out.
 */
static Err *next_blocks(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const char *low,
                        int64_t size, Range *ret_range, bool *ret_done)
{
    Rows rows = {0};
    const char *from = low == NULL ? "0" : low;
    const char *sql = arena_printf(
        arena,
        "WITH t AS (SELECT pg_catalog.pg_relation_size(c.oid) / "
        "pg_catalog.current_setting('block_size')::bigint "
        "AS blocks, CASE WHEN c.reltuples > 0 THEN c.reltuples / greatest(c.relpages, 1) ELSE 50 END AS "
        "a_block "
        "FROM pg_catalog.pg_class c WHERE c.oid = %s::pg_catalog.regclass), "
        "f AS (SELECT coalesce((SELECT max(high) FROM %s WHERE low >= 0 AND low <= $1::bigint AND high > "
        "$1::bigint), $1::bigint) AS low FROM t) "
        "SELECT f.low, least(f.low + greatest($2::bigint / greatest(t.a_block, 1), 1)::bigint, (SELECT "
        "min(c.low) FROM "
        "%s c WHERE c.low > f.low)), t.blocks FROM t, f",
        sql_literal(arena, shadow_source_sql(arena, spec)), spec->copied_log, spec->copied_log);
    TRY(conn_params(conn, wait, arena, &rows, sql, from, arena_printf(arena, "%" PRId64, size)));
    int64_t begin = rows_int(&rows, 0, 0), end = rows_int(&rows, 0, 1), blocks = rows_int(&rows, 0, 2);
    *ret_done = begin >= blocks;
    *ret_range = (Range){.low = arena_printf(arena, "%" PRId64, begin),
                         .high = end >= blocks ? NULL : arena_printf(arena, "%" PRId64, end)};
    return NULL;
}

static Err *next_keys(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const char *low,
                      int64_t size, Range *ret_range)
{
    Rows rows = {0};
    const char *keys = shadow_key_sql(arena, spec, "s.", false);
    const char *from = "";
    if (low != NULL)
        from = arena_printf(arena, " WHERE ROW(%s) >= %s", keys, shadow_row_sql(arena, spec, low));
    TRY(pg_begin(conn, wait, &(TxSettings){.read_only = true, .narrow = true, .role = spec->role}));
    Err *err =
        conn_query(conn, wait, arena, &rows,
                   arena_printf(arena, "SELECT %s FROM ONLY %s s%s ORDER BY %s OFFSET %" PRId64 " LIMIT 1",
                                shadow_key_json_sql(arena, spec, "s.", false), shadow_source_sql(arena, spec),
                                from, keys, size));
    TRY(shadow_end(conn, wait, err));
    *ret_range = (Range){.low = low, .high = rows.row_count > 0 ? rows_cell(&rows, 0, 0) : NULL};
    return NULL;
}

Err *pg_shadow_next(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, ShadowPass pass,
                    const char *low, int64_t size, Range *ret_range, bool *ret_done)
{
    *ret_done = false;
    if (pass == SHADOW_COPIES && pg_conn_version(conn) >= TID_RANGE_VERSION)
        return next_blocks(conn, wait, arena, spec, low, size, ret_range, ret_done);
    return next_keys(conn, wait, arena, spec, low, size, ret_range);
}

/* ---- chunks --------------------------------------------------------------------------------- */

static char *range_sql(Conn *conn, Arena *arena, const ShadowSpec *spec, const Range *range)
{
    if (pg_conn_version(conn) < TID_RANGE_VERSION)
        return shadow_range_sql(arena, spec, range, false);
    CLEANUP(str_donep) Str out = STR_INIT;
    str_addf(&out, "s.ctid >= '(%s,0)'", range->low == NULL ? "0" : range->low);
    if (range->high != NULL)
        str_addf(&out, " AND s.ctid < '(%s,0)'", range->high);
    return arena_dup(arena, out.buf);
}

/* The note and the rows are one transaction. The same chunk again, after an answer that was lost, finds its
 * note. Ranges of the key are noted by what they begin with. */
static Err *note_chunk(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Range *range,
                       bool *ret_new)
{
    Rows rows = {0};
    bool blocks = pg_conn_version(conn) >= TID_RANGE_VERSION;
    const char *low = blocks ? range->low : "0", *high = blocks ? range->high : "0";
    TRY(conn_params(
        conn, wait, arena, &rows,
        arena_printf(arena,
                     "INSERT INTO %s (low, high, key, storage) SELECT $1::bigint, coalesce($2::bigint, "
                     "%" PRId64 "), coalesce($3, ''), pg_catalog.pg_relation_filenode(%s) ON CONFLICT DO "
                     "NOTHING",
                     spec->copied_log, BLOCKS_MAX, sql_literal(arena, shadow_source_sql(arena, spec))),
        low, high, blocks ? NULL : range->low));
    *ret_new = rows.affected == 1;
    return NULL;
}

/* Rows that are there already are left alone: a row that has moved between two chunks, or a value that has
 * moved to another row, was changed meanwhile, so both rows' keys are captured and brought over behind the
 * copy. */
static Err *write_chunk(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                        const Range *range, int64_t *ret_rows)
{
    Rows rows = {0};
    bool is_new = false;
    TRY(note_chunk(conn, wait, arena, spec, range, &is_new));
    if (!is_new)
        return NULL;
    const char *sql = arena_printf(arena,
                                   "INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM ONLY %s s "
                                   "WHERE %s ON CONFLICT DO NOTHING",
                                   shadow_table_sql(arena, spec), shadow_columns_sql(arena, spec, ""),
                                   shadow_exprs_sql(arena, spec), shadow_source_sql(arena, spec),
                                   range_sql(conn, arena, spec, range));
    TRY(conn_query(conn, wait, arena, &rows, sql));
    *ret_rows = rows.affected;
    return NULL;
}

Err *pg_shadow_copy(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Range *range,
                    int64_t *ret_rows, KeyList *ret_displaced)
{
    *ret_displaced = (KeyList){0};
    TRY(shadow_begin(conn, wait, spec, false));
    Err *err =
        conn_exec(conn, wait,
                  pg_conn_version(conn) < TID_RANGE_VERSION ? "SET LOCAL enable_seqscan = off" : "SELECT 1");
    if (err == NULL)
        err = write_chunk(conn, wait, arena, spec, range, ret_rows);
    return judged(shadow_end(conn, wait, err));
}

/* ---- behind the copy ------------------------------------------------------------------------ */

/* Somebody has written the whole table anew (VACUUM FULL, CLUSTER): its rows are in other blocks since. */
static Err *is_one_storage(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec)
{
    Rows rows = {0};
    if (pg_conn_version(conn) < TID_RANGE_VERSION)
        return NULL;
    TRY(conn_query(
        conn, wait, arena, &rows,
        arena_printf(arena,
                     "SELECT pg_catalog.count(*) FROM %s WHERE low >= 0 AND storage IS DISTINCT FROM "
                     "pg_catalog.pg_relation_filenode(%s)",
                     spec->copied_log, sql_literal(arena, shadow_source_sql(arena, spec)))));
    return rows_int(&rows, 0, 0) == 0
               ? NULL
               : err_new(ERR_GONE, "\"%s\" was written anew by somebody else while it was copied",
                         spec->source);
}

/* Where chunks are ranges of the key, one that was copied when a process died may have been copied again in
 * part. What is left here was not changed since, so both rows are the same. */
static Err *leave_doubles(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec)
{
    if (pg_conn_version(conn) >= TID_RANGE_VERSION)
        return NULL;
    return conn_exec(
        conn, wait,
        arena_printf(arena,
                     "DELETE FROM ONLY %s WHERE ctid = ANY (ARRAY(SELECT x.ctid FROM (SELECT ctid, "
                     "pg_catalog.row_number() OVER (PARTITION BY %s) AS n FROM ONLY %s) x WHERE x.n > 1))",
                     shadow_table_sql(arena, spec), shadow_key_sql(arena, spec, "", true),
                     shadow_table_sql(arena, spec)));
}

/* All that was captured so far, the latest changes as well: bring writes them again. */
static Err *leave_captured(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec)
{
    TRY(conn_exec(conn, wait, arena_printf(arena, "ANALYZE %s", spec->key_log)));
    return conn_exec(conn, wait,
                     arena_printf(arena,
                                  "DELETE FROM ONLY %s d USING (SELECT DISTINCT %s FROM %s l) l WHERE %s",
                                  shadow_table_sql(arena, spec), shadow_key_sql(arena, spec, "l.", false),
                                  spec->key_log, shadow_join_sql(arena, spec, "l", "d", true)));
}

static Err *has_key(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, bool *ret_has)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena, "SELECT 1 FROM %s WHERE low = %d", spec->copied_log, MARK_BEHIND)));
    *ret_has = spec->behind_count == 0 || rows.row_count > 0;
    return NULL;
}

/* A snapshot that sees this transaction sees every row of the shadow. */
static Err *note_written(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec)
{
    return conn_exec(
        conn, wait,
        arena_printf(arena,
                     "INSERT INTO %s (low, high, key) VALUES (%d, pg_catalog.txid_current(), '') ON "
                     "CONFLICT (low, key) DO UPDATE SET high = EXCLUDED.high",
                     spec->copied_log, MARK_WRITTEN));
}

static Err *give_key(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec)
{
    for (size_t i = 0; i < spec->behind_count; i++)
        TRY(conn_exec(conn, wait, spec->behind[i]));
    return conn_exec(conn, wait,
                     arena_printf(arena, "INSERT INTO %s (low, high, key) VALUES (%d, %d, '')",
                                  spec->copied_log, MARK_BEHIND, MARK_BEHIND));
}

Err *pg_shadow_copied(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    bool has = false;
    TRY(shadow_begin(conn, wait, spec, false));
    Err *err = has_key(conn, wait, arena, spec, &has);
    if (err == NULL)
        err = is_one_storage(conn, wait, arena, spec);
    if (err == NULL && !has)
        err = leave_captured(conn, wait, arena, spec);
    if (err == NULL && !has)
        err = leave_doubles(conn, wait, arena, spec);
    if (err == NULL && !has)
        err = give_key(conn, wait, arena, spec);
    if (err == NULL)
        err = note_written(conn, wait, arena, spec);
    return judged(shadow_end(conn, wait, err));
}

/* ---- captured keys -------------------------------------------------------------------------- */

/* In a few statements of one snapshot. A sub-select that may not be pulled up makes the server look each key
 * up by its index: nothing is known of the log's size, and a scan of a large table for a few keys would take
 * too long. */
static Err *bring_keys(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec)
{
    const char *keys = arena_printf(arena, "(SELECT DISTINCT %s FROM %s l) l",
                                    shadow_key_sql(arena, spec, "l.", false), spec->key_log);
    TRY(conn_exec(
        conn, wait,
        arena_printf(arena,
                     "DELETE FROM ONLY %s WHERE ctid = ANY (ARRAY(SELECT d.ctid FROM %s CROSS JOIN LATERAL "
                     "(SELECT d.ctid FROM ONLY %s d WHERE %s OFFSET 0) d))",
                     shadow_table_sql(arena, spec), keys, shadow_table_sql(arena, spec),
                     shadow_join_sql(arena, spec, "l", "d", true))));
    TRY(conn_exec(
        conn, wait,
        arena_printf(arena,
                     "INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s CROSS JOIN LATERAL "
                     "(SELECT %s FROM ONLY %s s WHERE %s OFFSET 0) s",
                     shadow_table_sql(arena, spec), shadow_columns_sql(arena, spec, ""),
                     shadow_columns_sql(arena, spec, "s."), keys, shadow_exprs_sql(arena, spec),
                     shadow_source_sql(arena, spec), shadow_join_sql(arena, spec, "l", "s", false))));
    return conn_exec(conn, wait, arena_printf(arena, "DELETE FROM %s", spec->key_log));
}

static Err *bring_all(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                      Brought *ret_brought)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena,
                                "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE %s IS NULL), "
                                "pg_catalog.pg_relation_size(%s) FROM %s",
                                sql_ident(arena, spec->key_columns[0]), sql_literal(arena, spec->key_log),
                                spec->key_log)));
    *ret_brought = (Brought){.keys = rows_int(&rows, 0, 0), .emptied = rows_int(&rows, 0, 1) > 0};
    if (ret_brought->keys == 0 || ret_brought->emptied)
        return NULL;
    TRY(conn_exec(
        conn, wait,
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"));
    TRY(bring_keys(conn, wait, arena, spec));
    TRY(note_written(conn, wait, arena, spec));
    return conn_exec(
        conn, wait,
        "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on");
}

/* Its dead rows would be read with each call. It is ours alone: VACUUM stops nobody who writes. */
static Err *tidy_log(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena, "SELECT pg_catalog.pg_relation_size(%s) > %d",
                                sql_literal(arena, spec->key_log), LOG_VACUUM_BYTES)));
    if (!rows_bool(&rows, 0, 0))
        return NULL;
    return conn_exec(conn, wait, arena_printf(arena, "VACUUM %s", spec->key_log));
}

Err *pg_shadow_bring(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, bool locked,
                     Brought *ret_brought)
{
    if (locked) {
        if (spec->role != NULL)
            TRY(pg_act_as(conn, wait, spec->role));
        TRY(judged(bring_all(conn, wait, arena, spec, ret_brought)));
        return spec->role == NULL ? NULL : pg_act_as(conn, wait, NULL);
    }
    TRY(shadow_begin(conn, wait, spec, true));
    Err *err = judged(shadow_end(conn, wait, bring_all(conn, wait, arena, spec, ret_brought)));
    if (err != NULL || ret_brought->keys < LOG_VACUUM_KEYS)
        return err;
    return tidy_log(conn, wait, arena, spec);
}

Err *pg_shadow_owe(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const KeyList *keys)
{
    if (keys->count == 0)
        return NULL;
    TRY(shadow_begin(conn, wait, spec, false));
    return shadow_end(conn, wait,
                      conn_exec(conn, wait,
                                arena_printf(arena, "INSERT INTO %s (%s) %s", spec->key_log,
                                             shadow_key_sql(arena, spec, "", false),
                                             shadow_values_sql(arena, spec, keys))));
}

/* What is captured until now is in the source that the next chunks read. */
Err *pg_shadow_empty(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    TRY(shadow_begin(conn, wait, spec, false));
    return shadow_end(
        conn, wait,
        conn_exec(conn, wait,
                  arena_printf(arena, "TRUNCATE ONLY %s; DELETE FROM %s WHERE low >= 0; DELETE FROM %s",
                               shadow_table_sql(arena, spec), spec->copied_log, spec->key_log)));
}

double pg_shadow_fraction(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                          const char *position)
{
    Rows rows = {0};
    if (position == NULL || position[0] == '[')
        return -1;
    Err *err = conn_query(conn, wait, arena, &rows,
                          arena_printf(arena,
                                       "SELECT pg_catalog.pg_relation_size(%s) / "
                                       "pg_catalog.current_setting('block_size')::bigint",
                                       sql_literal(arena, shadow_source_sql(arena, spec))));
    bool known = err == NULL && rows_int(&rows, 0, 0) > 0;
    err_free(err);
    return known ? (double)strtoll(position, NULL, 10) / (double)rows_int(&rows, 0, 0) : -1;
}
