/* A table's own rows in ranges of its key, and columns of it filled there. */
#include "engine/mysql/fill_rows.h"

#include "base/clock.h"
#include "engine/my_table.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/shadow_my.h"
#include "engine/mysql/shadow_rows.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROWS_FIRST = 1000,
    ROWS_MOST = 20000,
    ROWS_LEAST = 1,
    CHUNK_BYTES = 4 << 20,
    BUSY_TRIES = 5, /* of a comparison under locks */
    BUSY_REST_MS = 50,
};

/* ---- choosing ------------------------------------------------------------------------------- */

static bool can_order(const Table *table, const Index *index)
{
    static const char *const no[] = {"float", "double"};
    for (size_t i = 0; i < index->column_count; i++)
        for (size_t k = 0; k < table->my->column_count; k++)
            for (size_t n = 0; n < ARRAY_LEN(no); n++)
                if (str_eq(table->my->columns[k].name, index->columns[i]) &&
                    str_eq(table->my->columns[k].data_type, no[n]))
                    return false;
    return true;
}

static const Index *key_of(const Table *table)
{
    const Index *best = NULL;
    for (size_t i = 0; i < table->index_count; i++) {
        const Index *index = &table->indexes[i];
        bool better =
            best == NULL || index->primary || (!best->primary && index->column_count < best->column_count);
        if (index->key && better && can_order(table, index))
            best = index;
    }
    return best;
}

/* Columns are those that are compared; none for ranges alone. */
static ShadowSpec *spec_of(Arena *arena, const Table *table, const Index *key)
{
    ShadowSpec *spec = arena_alloc(arena, sizeof *spec);
    *spec = (ShadowSpec){.schema = table->schema,
                         .source = table->name,
                         .shadow = table->name,
                         .key = key->name,
                         .key_columns = key->columns,
                         .key_targets = key->columns,
                         .key_count = key->column_count};
    return spec;
}

/* ---- keys ----------------------------------------------------------------------------------- */

static const char *const *names_of(Arena *arena, const Scan *scan)
{
    const char **names = arena_alloc(arena, (scan->rows->key_count + 1) * sizeof *names);
    for (size_t i = 0; i < scan->rows->key_count; i++)
        names[i] = my_ident(arena, scan->rows->key_columns[i]);
    return names;
}

static const char *key_predicate(Arena *arena, const Scan *scan, const KeyList *keys, size_t from, size_t to)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    form_add_keys(&sql, names_of(arena, scan), scan->rows->key_count, keys, from, to);
    return arena_dupn(arena, sql.buf, sql.len);
}

/* SELECT … FROM t FORCE INDEX (k) WHERE … */
static Err *select_keys(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *predicate,
                        const char *tail, KeyList *ret_keys)
{
    Form *form = NULL;
    Rows rows = {0};
    TRY(form_load(conn, wait, scan->rows, &form));
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena, "SELECT %s FROM %s FORCE INDEX (%s) WHERE %s%s", form->literal,
                                form->source, form->key_index, predicate, tail)));
    *ret_keys = rows_keys(arena, &rows);
    return NULL;
}

/* The highest key: a pass ends there. What is inserted behind it meanwhile was filled by a trigger, which
 * stands before any pass begins; to run after it would not end beside an application that inserts fast
 * enough. */
static Err *find_end(Conn *conn, const Wait *wait, Arena *arena, Scan *scan)
{
    CLEANUP(str_donep) Str tail = STR_INIT;
    const char *const *names = names_of(arena, scan);
    KeyList keys = {0};
    for (size_t i = 0; i < scan->rows->key_count; i++)
        str_addf(&tail, "%s%s DESC", i == 0 ? " ORDER BY " : ", ", names[i]);
    str_add(&tail, " LIMIT 1");
    TRY(select_keys(conn, wait, arena, scan, "TRUE", tail.buf, &keys));
    scan->end_key = keys.count > 0 ? keys.keys[0] : NULL;
    return NULL;
}

Err *my_scan_choose(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const Table *table,
                    Scan *ret_scan)
{
    (void)server;
    Scan scan = {.table = table, .method = SCAN_KEY, .size_min = ROWS_LEAST, .wave_count = 1};
    Form *form = NULL;
    scan.key = table->my == NULL ? NULL : key_of(table);
    if (scan.key == NULL)
        return err_new(ERR_UNSAFE, "no key orders the rows of \"%s\"", table->name);
    scan.rows = spec_of(arena, table, scan.key);
    TRY(form_load(conn, wait, scan.rows, &form)); /* the session's settings, too */
    int64_t width = table->row_estimate > 0 ? table->total_bytes / table->row_estimate : 0;
    int64_t fit = width > 0 ? CHUNK_BYTES / width : ROWS_MOST;
    scan.size_max = fit > ROWS_MOST ? ROWS_MOST : fit < ROWS_LEAST ? ROWS_LEAST : fit;
    scan.size = scan.size_max < ROWS_FIRST ? scan.size_max : ROWS_FIRST;
    TRY(find_end(conn, wait, arena, &scan));
    *ret_scan = scan;
    return NULL;
}

/* ---- walking -------------------------------------------------------------------------------- */

/* Whether a row from `low` on is left of those up to the end. The server compares, by the key's collation. */
static Err *is_before_end(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *low,
                          bool *ret_before)
{
    const KeyList end = {.keys = &scan->end_key, .count = 1};
    const char *from = my_scan_filter(arena, scan, &(Range){.low = low});
    const char *predicates[] = {
        my_scan_filter(arena, scan, &(Range){.low = low, .high = scan->end_key}),
        arena_printf(arena, "%s AND (%s)", from, key_predicate(arena, scan, &end, 0, 1))};
    *ret_before = false;
    for (size_t i = 0; i < ARRAY_LEN(predicates) && !*ret_before; i++) {
        KeyList found = {0};
        TRY(select_keys(conn, wait, arena, scan, predicates[i], " LIMIT 1", &found));
        *ret_before = found.count > 0;
    }
    return NULL;
}

Err *my_scan_next(Conn *conn, const Wait *wait, Arena *arena, Scan *scan, const char *low, int64_t size,
                  Range *ret_range, bool *ret_done)
{
    bool before = scan->end_key != NULL;
    if (before && low != NULL)
        TRY(is_before_end(conn, wait, arena, scan, low, &before));
    *ret_done = !before;
    if (!before)
        return NULL;
    return my_shadow_next(conn, wait, arena, scan->rows, SHADOW_COPIES, low, size, ret_range, ret_done);
}

char *my_scan_filter(Arena *arena, const Scan *scan, const Range *range)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_add(&sql, "(");
    form_add_range(&sql, names_of(arena, scan), scan->rows->key_count, range);
    str_add(&sql, ")");
    return arena_dupn(arena, sql.buf, sql.len);
}

/* Updates in place leave no dead rows whose room others could use. */
char *my_wave_filter(Arena *arena, const Scan *scan, int wave, int count)
{
    (void)scan, (void)wave, (void)count;
    return arena_dup(arena, "TRUE");
}

/* By rows: the estimate tells as much. */
double my_scan_fraction(const Scan *scan, const char *position)
{
    (void)scan, (void)position;
    return -1;
}

Err *my_row_list(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *predicate,
                 int64_t most, Rows *ret_rows)
{
    KeyList keys = {0};
    const char *tail = most > 0 ? arena_printf(arena, " LIMIT %lld", (long long)most) : "";
    TRY(select_keys(conn, wait, arena, scan, predicate, tail, &keys));
    const char **cells = arena_alloc(arena, (2 * keys.count + 1) * sizeof *cells);
    for (size_t i = 0; i < keys.count; i++) {
        cells[2 * i] = key_predicate(arena, scan, &keys, i, i + 1);
        cells[2 * i + 1] = my_shadow_key_text(arena, scan->rows, keys.keys[i]);
    }
    *ret_rows = (Rows){.row_count = keys.count, .col_count = 2, .cells = cells};
    return NULL;
}

char *my_row_filter(Arena *arena, const char *row_id) { return arena_dup(arena, row_id); }

/* ---- filling -------------------------------------------------------------------------------- */

/* What ON UPDATE would set is not for us to change. */
static const char *with_kept(Arena *arena, const Table *table, const char *set_sql)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_add(&sql, set_sql);
    for (size_t i = 0; i < table->my->column_count; i++) {
        const char *name = my_ident(arena, table->my->columns[i].name);
        if (table->my->columns[i].on_update != NULL)
            str_addf(&sql, ", %s = %s", name, name);
    }
    return arena_dupn(arena, sql.buf, sql.len);
}

/* "… at row 17" counts the rows that the statement has come to, in key order: told to people only. */
static Err *misfit(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *predicate,
                   Err *err)
{
    char *text = err_text(err);
    const char *at = strstr(text, " at row "), *name = NULL;
    long long row = at == NULL ? 0 : strtoll(at + strlen(" at row "), NULL, 10);
    KeyList keys = {0};
    if (row > 0)
        err_free(select_keys(conn, wait, arena, scan, predicate,
                             arena_printf(arena, " LIMIT 1 OFFSET %lld", row - 1), &keys));
    name = keys.count > 0 ? my_shadow_key_text(arena, scan->rows, keys.keys[0]) : NULL;
    Err *res = err_new(ERR_VERIFY, "the expression fails on a row of \"%s\"%s%s%s: %s", scan->table->name,
                       name != NULL ? " (" : "", name != NULL ? name : "", name != NULL ? ")" : "", text);
    free(text);
    err_free(err);
    return err_hint(res, "mend the row, or write an expression that can be computed for every row");
}

static Err *update_where(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *set_sql,
                         const char *predicate, int64_t *ret_rows)
{
    Form *form = NULL;
    Rows rows = {0};
    TRY(form_load(conn, wait, scan->rows, &form));
    Err *err = conn_query(conn, wait, arena, &rows,
                          arena_printf(arena, "UPDATE %s FORCE INDEX (%s) SET %s WHERE %s", form->source,
                                       form->key_index, set_sql, predicate));
    if (err != NULL && rows_is_misfit(err))
        return misfit(conn, wait, arena, scan, predicate, err);
    TRY(err);
    *ret_rows += rows.affected;
    return NULL;
}

/* The busy ones are left out by the locking read; what it has locked nobody else can change, and by their
 * keys no other row is met. */
static Err *update_free(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *set_sql,
                        const char *predicate, int64_t *ret_rows)
{
    KeyList keys = {0};
    TRY(select_keys(conn, wait, arena, scan, predicate, " FOR UPDATE SKIP LOCKED", &keys));
    for (size_t from = 0; from < keys.count; from += FORM_KEYS_MOST) {
        size_t to = from + FORM_KEYS_MOST < keys.count ? from + FORM_KEYS_MOST : keys.count;
        TRY(update_where(
            conn, wait, arena, scan, set_sql,
            arena_printf(arena, "(%s) AND (%s)", key_predicate(arena, scan, &keys, from, to), predicate),
            ret_rows));
    }
    return NULL;
}

Err *my_update_rows(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *set_sql,
                    const char *predicate, bool free_only, int64_t *ret_rows)
{
    KeyList locked = {0};
    const char *set = with_kept(arena, scan->table, set_sql);
    *ret_rows = 0;
    if (free_only)
        return update_free(conn, wait, arena, scan, set, predicate, ret_rows);
    TRY(select_keys(conn, wait, arena, scan, predicate, " FOR UPDATE NOWAIT", &locked));
    return locked.count == 0 ? NULL : update_where(conn, wait, arena, scan, set, predicate, ret_rows);
}

/* ---- looking -------------------------------------------------------------------------------- */

static const ShadowSpec *spec_with(Arena *arena, const Scan *scan, const char *const *columns,
                                   const char *const *exprs, size_t count)
{
    size_t keys = scan->rows->key_count;
    ShadowSpec *spec = arena_alloc(arena, sizeof *spec);
    ShadowColumn *all = arena_alloc(arena, (keys + count) * sizeof *all);
    for (size_t i = 0; i < keys; i++)
        all[i] = (ShadowColumn){.name = scan->rows->key_columns[i],
                                .source = scan->rows->key_columns[i],
                                .expr = my_ident(arena, scan->rows->key_columns[i]),
                                .same = true};
    for (size_t i = 0; i < count; i++)
        all[keys + i] = (ShadowColumn){.name = columns[i], .expr = exprs[i]};
    *spec = *scan->rows;
    spec->columns = all;
    spec->column_count = keys + count;
    return spec;
}

Err *my_unlike(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const Range *range,
               const char *const *columns, const char *const *exprs, size_t count, int64_t *ret_rows,
               KeyList *ret_names, int64_t *ret_busy)
{
    const ShadowSpec *spec = spec_with(arena, scan, columns, exprs, count);
    KeyList suspects = {0}, busy = {0};
    *ret_names = (KeyList){0};
    TRY(my_shadow_compare(conn, wait, arena, spec, range, ret_rows, &suspects));
    VEC(const char *) names = {0};
    busy = suspects;
    for (int tries = 0; busy.count > 0 && tries < BUSY_TRIES; tries++) {
        KeyList different = {0}, left = {0};
        if (tries > 0)
            stop_sleep(wait->stop, (int64_t)BUSY_REST_MS << tries);
        TRY(my_shadow_compare_keys(conn, wait, arena, spec, &busy, &different, &left));
        for (size_t i = 0; i < different.count; i++)
            *vec_push(arena, &names) = my_shadow_key_text(arena, spec, different.keys[i]);
        busy = left;
    }
    *ret_names = (KeyList){.keys = names.items, .count = names.len};
    *ret_busy = (int64_t)busy.count;
    return NULL;
}

Err *my_storage(Conn *conn, const Wait *wait, Arena *arena, const Table *table, const char **ret_storage)
{
    (void)conn, (void)wait, (void)arena, (void)table;
    *ret_storage = "key";
    return NULL;
}

Err *my_hot_updates(Conn *conn, const Wait *wait, Arena *arena, const Table *table, int64_t *ret_rows)
{
    (void)conn, (void)wait, (void)arena, (void)table;
    *ret_rows = 0;
    return NULL;
}

Err *my_shape(Conn *conn, const Wait *wait, Arena *arena, int64_t table_id, const char **ret_shape,
              int64_t *ret_hot_rows)
{
    (void)conn, (void)wait, (void)arena, (void)table_id;
    *ret_shape = "";
    *ret_hot_rows = 0;
    return NULL;
}
