/* Ranges of rows: heap blocks by TID range scan (14+), keyset ranges, or lists of tuple ids.
 *
 * Facts: TID range scans exist from PostgreSQL 14. Page pruning happens in heap and index scans but not when
 * a tuple is fetched by its id, which is why lists of tuple ids never become HOT. hashtid() exists from 14.
 */
#include "engine/postgres/pg.h"

#include "base/str.h"
#include "engine/sql.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
    TID_RANGE_VERSION = 140000,
    BLOCKS_FIRST = 128, /* how fast this server is, nobody knows yet */
    BLOCKS_MAX = 512,   /* larger ones are no faster and hold rows longer */
    KEYS_LEAST = 100,
    KEYS_FIRST = 20000,     /* rows; more waves than 24 cost time there: each reads the chunk again */
    TUPLES_PER_BLOCK = 291, /* MaxHeapTuplesPerPage at 8 kB; more at larger blocks, see tid_list */
    WAVES_MIN = 4,
    WAVE_BUCKETS = 64,
    WAVES_MAX = 14,
    ROWS_A_WAVE = 5, /* of a page: fewer save index entries, but each wave looks at the whole chunk again */
    KEY_WAVES = 12,
};

/* ---- names of the key's columns ------------------------------------------------------------- */

static const char *key_type(const Scan *scan, size_t i)
{
    const Column *column = table_column(scan->table, scan->key->columns[i]);
    return column != NULL ? column->type : "text";
}

/* "(a, b)", or "a" for a single column. */
static char *key_row(Arena *arena, const Scan *scan)
{
    const char *list = sql_ident_list(arena, scan->key->columns, scan->key->column_count);
    return scan->key->column_count == 1 ? arena_dup(arena, list) : arena_printf(arena, "(%s)", list);
}

/* The values of a position (a JSON array of texts) as literals of the key's types. */
static char *key_values(Arena *arena, const Scan *scan, const char *position)
{
    json_t *values = json_loads(position, 0, NULL);
    CLEANUP(str_donep) Str out = STR_INIT;
    bool many = scan->key->column_count > 1;
    str_add(&out, many ? "(" : "");
    for (size_t i = 0; i < scan->key->column_count; i++) {
        const char *text = json_string_value(json_array_get(values, i));
        str_add(&out, i > 0 ? ", " : "");
        sql_add_literal(&out, text != NULL ? text : "");
        str_addf(&out, "::%s", key_type(scan, i));
    }
    str_add(&out, many ? ")" : "");
    json_decref(values);
    return arena_dup(arena, out.buf);
}

static char *table_ref(Arena *arena, const Table *table)
{
    return sql_name(arena, table->schema, table->name);
}

/* ---- choosing ------------------------------------------------------------------------------- */

static int waves_for(const Table *table)
{
    int waves = table->rows_per_block / ROWS_A_WAVE;
    return waves < WAVES_MIN ? WAVES_MIN : waves > WAVES_MAX ? WAVES_MAX : waves;
}

static Err *block_count(Conn *conn, const Wait *wait, const Table *table, int64_t *ret_count)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    char id[24];
    (void)snprintf(id, sizeof id, "%lld", (long long)table->id);
    Rows rows = {0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT pg_catalog.pg_relation_size($1::oid) / pg_catalog.current_setting('block_size')::bigint",
        id));
    *ret_count = rows_int(&rows, 0, 0);
    return NULL;
}

/* ---- walking -------------------------------------------------------------------------------- */

/* "SELECT json_build_array(a::text, b::text)::text FROM ONLY t" */
static char *key_select(Arena *arena, const Scan *scan)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    for (size_t i = 0; i < scan->key->column_count; i++)
        str_addf(&sql, "%s%s::text", i > 0 ? ", " : "", sql_ident(arena, scan->key->columns[i]));
    return arena_printf(arena, "SELECT pg_catalog.json_build_array(%s)::text FROM ONLY %s", sql.buf,
                        table_ref(arena, scan->table));
}

/* Rows that the application adds behind the highest key are its own, through the trigger: the scan has an
 * end. */
static Err *find_end_key(Conn *conn, const Wait *wait, Arena *arena, Scan *scan)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "%s ORDER BY ", key_select(arena, scan));
    for (size_t i = 0; i < scan->key->column_count; i++)
        str_addf(&sql, "%s%s DESC", i > 0 ? ", " : "", sql_ident(arena, scan->key->columns[i]));
    str_add(&sql, " LIMIT 1");
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, sql.buf));
    scan->end_key = rows.row_count > 0 ? rows_cell(&rows, 0, 0) : NULL;
    return NULL;
}

Err *pg_scan_choose(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const Table *table,
                    Scan *ret_scan)
{
    Scan scan = {.table = table, .key = table_key(table)};
    if (server->version_num >= TID_RANGE_VERSION)
        scan.method = SCAN_BLOCKS;
    else
        scan.method = scan.key != NULL ? SCAN_KEY : SCAN_TID_LIST;
    if (scan.key != NULL && scan.key->integer_key)
        scan.wave_on = sql_ident(arena, scan.key->columns[0]);
    else if (scan.method == SCAN_BLOCKS)
        scan.wave_on = "hashtid(ctid)";
    else if (scan.method == SCAN_KEY)
        scan.wave_on = arena_printf(arena, "pg_catalog.hashtext(ROW(%s)::text)",
                                    sql_ident_list(arena, scan.key->columns, scan.key->column_count));
    TRY(block_count(conn, wait, table, &scan.end));
    bool keys = scan.method == SCAN_KEY;
    if (keys)
        TRY(find_end_key(conn, wait, arena, &scan));
    scan.size_min = keys ? KEYS_LEAST : 1;
    scan.size = keys ? KEYS_FIRST : BLOCKS_FIRST;
    scan.size_max = keys ? KEYS_FIRST : BLOCKS_MAX;
    scan.wave_count = scan.wave_on == NULL ? 1 : keys ? KEY_WAVES : waves_for(table);
    *ret_scan = scan;
    return NULL;
}

static Err *next_key(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *low,
                     int64_t size, Range *ret_range)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "%s WHERE %s <= %s", key_select(arena, scan), key_row(arena, scan),
             key_values(arena, scan, scan->end_key));
    if (low != NULL)
        str_addf(&sql, " AND %s >= %s", key_row(arena, scan), key_values(arena, scan, low));
    str_addf(&sql, " ORDER BY %s OFFSET %lld LIMIT 1",
             sql_ident_list(arena, scan->key->columns, scan->key->column_count), (long long)size);
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, sql.buf));
    *ret_range = (Range){.low = low, .high = rows.row_count > 0 ? rows_cell(&rows, 0, 0) : NULL};
    return NULL;
}

Err *pg_scan_next(Conn *conn, const Wait *wait, Arena *arena, Scan *scan, const char *low, int64_t size,
                  Range *ret_range, bool *ret_done)
{
    *ret_done = false;
    if (size < 1)
        size = 1;
    if (scan->method == SCAN_KEY) {
        *ret_done = scan->end_key == NULL;
        return *ret_done ? NULL : next_key(conn, wait, arena, scan, low, size, ret_range);
    }
    int64_t from = low == NULL ? 0 : strtoll(low, NULL, 10);
    *ret_done = from >= scan->end;
    int64_t to = from + size;
    if (to > scan->end) /* never open: what our own updates append is no part of the last range */
        to = scan->end;
    *ret_range = (Range){.low = low == NULL ? "0" : low, .high = arena_printf(arena, "%lld", (long long)to)};
    return NULL;
}

static char *tid_list(Arena *arena, const Range *range)
{
    return arena_printf(arena,
                        "ctid = ANY (ARRAY(SELECT pg_catalog.format('(%%s,%%s)', b, o)::tid FROM "
                        "pg_catalog.generate_series(%s, %s - 1) b, pg_catalog.generate_series(1, %d * "
                        "pg_catalog.current_setting('block_size')::int / 8192) o))",
                        range->low, range->high, TUPLES_PER_BLOCK);
}

char *pg_scan_filter(Arena *arena, const Scan *scan, const Range *range)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    switch (scan->method) {
    case SCAN_TID_LIST:
        return tid_list(arena, range);
    case SCAN_BLOCKS:
        str_addf(&out, "ctid >= '(%s,0)'", range->low == NULL ? "0" : range->low);
        if (range->high != NULL)
            str_addf(&out, " AND ctid < '(%s,0)'", range->high);
        break;
    case SCAN_KEY:
        if (range->low != NULL)
            str_addf(&out, "%s >= %s", key_row(arena, scan), key_values(arena, scan, range->low));
        if (range->high != NULL) {
            str_sep(&out, " AND ");
            str_addf(&out, "%s < %s", key_row(arena, scan), key_values(arena, scan, range->high));
        } else if (scan->end_key != NULL) {
            str_sep(&out, " AND ");
            str_addf(&out, "%s <= %s", key_row(arena, scan), key_values(arena, scan, scan->end_key));
        }
        if (out.len == 0)
            str_add(&out, "true");
        break;
    }
    return arena_dup(arena, out.buf);
}

/* The first of the 64 buckets that belong to wave `wave` of `count`. The first wave makes the room that the
 * others use, and each leaves less of it, since the new version of a row is longer: so every wave is smaller
 * than the one before, from seven quarters of the average down to a half. Measured against waves of equal
 * size: 79 % instead of 60 % of the updates in place, and three quarters of the time. */
static int wave_begin(int wave, int count)
{
    double share = 0, all = 0;
    for (int i = 0; i < count; i++) {
        double weight = 1.75 - 1.25 * i / (count > 1 ? count - 1 : 1);
        share += i < wave ? weight : 0;
        all += weight;
    }
    return (int)(WAVE_BUCKETS * share / all + 0.5);
}

/* All buckets up to the wave's own: those of earlier waves are filled and skipped as such, so one comparison
 * does. Multiplying by 39 (64 times the golden ratio) spreads the rows of any page evenly over the buckets:
 * without it pages of 73 rows had twice as many of some, and the backfill took a tenth longer. `&` gives 0 to
 * 63 for negative numbers too. */
char *pg_wave_filter(Arena *arena, const Scan *scan, int wave, int count)
{
    if (count <= 1 || scan->wave_on == NULL)
        return arena_dup(arena, "true");
    return arena_printf(arena, "(%s & %d) * 39 & %d < %d", scan->wave_on, WAVE_BUCKETS - 1, WAVE_BUCKETS - 1,
                        wave_begin(wave + 1, count));
}

double pg_scan_fraction(const Scan *scan, const char *position)
{
    if (scan->method == SCAN_KEY || scan->end <= 0)
        return -1;
    double part = position == NULL ? 0 : (double)strtoll(position, NULL, 10) / (double)scan->end;
    return part > 1 ? 1 : part;
}

/* ---- rows of a range ------------------------------------------------------------------------ */

Err *pg_row_list(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *predicate,
                 int64_t most, Rows *ret_rows)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_add(&sql, "SELECT ctid::text, ");
    if (scan->key == NULL) {
        str_add(&sql, "'ctid=' || ctid::text");
    } else {
        for (size_t i = 0; i < scan->key->column_count; i++) {
            const char *column = scan->key->columns[i];
            str_addf(&sql, "%s%s || %s::text", i > 0 ? " || ', ' || " : "",
                     sql_literal(arena, arena_printf(arena, "%s=", column)), sql_ident(arena, column));
        }
    }
    str_addf(&sql, " FROM ONLY %s WHERE %s", table_ref(arena, scan->table), predicate);
    if (most > 0)
        str_addf(&sql, " LIMIT %lld", (long long)most);
    return conn_query(conn, wait, arena, ret_rows, sql.buf);
}

char *pg_row_filter(Arena *arena, const char *row_id)
{
    return arena_printf(arena, "ctid = %s::tid", sql_literal(arena, row_id));
}

/* A row that changes between the statement's snapshot and our lock comes back with its new id, which the
 * outer scan does not see: it is left out, and whoever changed it has filled it through the trigger. */
char *pg_update_free_rows(Arena *arena, const Table *table, const char *set_sql, const char *predicate)
{
    const char *name = table_ref(arena, table);
    return arena_printf(arena,
                        "UPDATE ONLY %s SET %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM ONLY %s WHERE %s "
                        "FOR NO KEY UPDATE SKIP LOCKED))",
                        name, set_sql, name, predicate);
}
