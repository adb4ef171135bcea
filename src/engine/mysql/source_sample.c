/* Statistics of columns out of some rows: short ranges, spread over the clustered key. */
#include "engine/mysql/source.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 3, RANGE_ROWS = 10, TEXT_LEN = 64, AXIS_BYTES = 6, FIRST_BYTE = 0x20, BYTES = 0x5f };
static const double GOLDEN = 0.6180339887498949; /* any number of its multiples lies evenly in [0, 1) */

typedef struct Sample {
    Conn *conn;
    Wait wait;
    Arena *arena;
    json_t *table;
    const char *name;      /* quoted */
    const char *key;       /* first column of the clustered key, unquoted; NULL: none */
    const char *key_kind;  /* as of columns */
    bool key_alone, whole; /* it is all of the key; whole numbers */
    double low, high;      /* of the key, as a number */
    const char *list;      /* what is selected: the key's place, then value and length of each column */
    VEC(json_t *) columns;
    VEC(const char *) cells; /* rows, each of 1 + 2 columns */
    double spans;            /* keys that the ranges covered … */
    int64_t rows;            /* … and the rows in them */
} Sample;

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* ---- what is selected ----------------------------------------------------------------------- */

/* As a number, or as the text that it is. */
static const char *value_sql(Arena *arena, const json_t *column)
{
    const char *name = my_ident(arena, text_of(column, "name")), *kind = text_of(column, "kind");
    if (str_eq(kind, "number"))
        return arena_printf(arena, "%s + 0e0", name);
    if (str_eq(kind, "time"))
        return arena_printf(arena, "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', %s) / 1e6", name);
    if (str_eq(kind, "span"))
        return arena_printf(arena, "TIME_TO_SEC(%s) + 0e0", name);
    if (str_eq(kind, "other"))
        return arena_printf(arena, "CRC32(%s) + 0e0", name);
    return arena_printf(arena, "LEFT(%s, %d)", name, TEXT_LEN);
}

/* Where the row lies on the key's axis: texts by their first bytes, which are no number here. */
static const char *place_sql(const Sample *sample)
{
    Arena *arena = sample->arena;
    if (sample->key == NULL)
        return "0";
    const char *name = my_ident(arena, sample->key);
    if (str_eq(sample->key_kind, "text"))
        return arena_printf(arena, "LEFT(%s, %d)", name, AXIS_BYTES);
    json_t *column = json_pack("{s:s, s:s}", "name", sample->key, "kind", sample->key_kind);
    const char *sql = value_sql(arena, column);
    json_decref(column);
    return sql;
}

static void choose_columns(Sample *sample)
{
    size_t i = 0;
    json_t *column = NULL;
    CLEANUP(str_donep) Str list = STR_INIT;
    str_add(&list, place_sql(sample));
    json_array_foreach(json_object_get(sample->table, "columns"), i, column)
    {
        if (json_is_true(json_object_get(column, "generated")) ||
            json_object_get(column, "null_fraction") != NULL)
            continue;
        *vec_push(sample->arena, &sample->columns) = column;
        str_addf(&list, ", %s, LENGTH(%s)", value_sql(sample->arena, column),
                 my_ident(sample->arena, text_of(column, "name")));
    }
    sample->list = arena_dup(sample->arena, list.buf);
}

/* The clustered key: the primary one, and here no other counts. */
static void choose_key(Sample *sample)
{
    size_t i = 0, j = 0;
    const json_t *index = NULL, *column = NULL;
    json_array_foreach(json_object_get(sample->table, "indexes"), i, index)
    {
        if (!json_is_true(json_object_get(index, "primary")))
            continue;
        const json_t *parts = json_object_get(index, "columns");
        const char *name = json_string_value(json_array_get(parts, 0));
        json_array_foreach(json_object_get(sample->table, "columns"), j, column)
        {
            const char *kind = text_of(column, "kind"), *base = text_of(column, "base");
            bool ordered = str_eq(kind, "number") || str_eq(kind, "time") || str_eq(kind, "text");
            if (!str_eq(text_of(column, "name"), name) || !ordered)
                continue;
            sample->key = name;
            sample->key_kind = kind;
            sample->key_alone = json_array_size(parts) == 1;
            sample->whole = str_eq(kind, "number") && strstr(base, "int") != NULL;
        }
    }
}

/* ---- the key's axis ------------------------------------------------------------------------- */

/* Of text: its first bytes as digits. Letters beyond ASCII count as the last. */
static double axis_of(const Sample *sample, const char *cell)
{
    if (cell == NULL)
        return 0;
    if (!str_eq(sample->key_kind, "text"))
        return strtod(cell, NULL);
    double place = 0;
    for (size_t i = 0, len = strlen(cell); i < AXIS_BYTES; i++) {
        int byte = i < len ? (unsigned char)cell[i] - FIRST_BYTE : 0;
        place = place * BYTES + (byte < 0 ? 0 : byte >= BYTES ? BYTES - 1 : byte);
    }
    return place;
}

static const char *axis_sql(const Sample *sample, double place)
{
    Arena *arena = sample->arena;
    if (str_eq(sample->key_kind, "time"))
        return arena_printf(arena, "TIMESTAMP '1970-01-01 00:00:00' + INTERVAL %.0f SECOND", place);
    if (!str_eq(sample->key_kind, "text"))
        return arena_printf(arena, sample->whole ? "%.0f" : "%.17g", sample->whole ? floor(place) : place);
    char text[AXIS_BYTES + 1] = "";
    for (int i = AXIS_BYTES - 1; i >= 0; i--) {
        text[i] = (char)(FIRST_BYTE + (int)fmod(place, BYTES));
        place = floor(place / BYTES);
    }
    return my_literal(sample->conn, arena, text);
}

static Err *read_ends(Sample *sample)
{
    const char *key = my_ident(sample->arena, sample->key);
    for (int end = 0; end < 2; end++) {
        Rows rows = {0};
        TRY(conn_query(sample->conn, &sample->wait, sample->arena, &rows,
                       arena_printf(sample->arena, "SELECT %s FROM %s ORDER BY %s%s LIMIT 1",
                                    place_sql(sample), sample->name, key, end == 0 ? "" : " DESC")));
        double place = rows.row_count == 0 ? 0 : axis_of(sample, rows_cell(&rows, 0, 0));
        *(end == 0 ? &sample->low : &sample->high) = place;
    }
    return NULL;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void take(Sample *sample, const Rows *rows)
{
    for (size_t i = 0; i < rows->row_count; i++)
        for (size_t j = 0; j < rows->col_count; j++)
            *vec_push(sample->arena, &sample->cells) = rows_cell(rows, i, j);
    sample->rows += (int64_t)rows->row_count;
}

static Err *read_range(Sample *sample, double place)
{
    Rows rows = {0};
    const char *key = my_ident(sample->arena, sample->key);
    TRY(conn_query(sample->conn, &sample->wait, sample->arena, &rows,
                   arena_printf(sample->arena, "SELECT %s FROM %s WHERE %s >= %s ORDER BY %s LIMIT %d",
                                sample->list, sample->name, key, axis_sql(sample, place), key, RANGE_ROWS)));
    if (rows.row_count == RANGE_ROWS) /* the last range ends before the keys do */
        sample->spans += axis_of(sample, rows_cell(&rows, RANGE_ROWS - 1, 0)) - floor(place) + 1;
    else
        sample->spans += sample->high - floor(place) + 1;
    take(sample, &rows);
    return NULL;
}

/* A table of few rows whole, one without a key that can be walked from its beginning, others in ranges. */
static Err *read_rows(Sample *sample, int64_t row_count, int64_t until_ms, bool *ret_all)
{
    Rows rows = {0};
    int64_t known = json_integer_value(json_object_get(sample->table, "rows"));
    *ret_all = false;
    if (sample->key == NULL || known <= row_count) {
        const char *order = sample->key == NULL ? ""
                                                : arena_printf(sample->arena, " ORDER BY %s",
                                                               my_ident(sample->arena, sample->key));
        TRY(conn_query(sample->conn, &sample->wait, sample->arena, &rows,
                       arena_printf(sample->arena, "SELECT %s FROM %s%s LIMIT %lld", sample->list,
                                    sample->name, order, (long long)row_count)));
        take(sample, &rows);
        *ret_all = (int64_t)rows.row_count < row_count;
        return NULL;
    }
    row_count = row_count < known / PARTS ? row_count : known / PARTS; /* else many would be read twice */
    TRY(read_ends(sample));
    double width = sample->high - sample->low;
    for (int64_t i = 0; sample->rows < row_count && clock_ms() < until_ms; i++) {
        int64_t before = sample->rows;
        TRY(read_range(sample, sample->low + width * fmod((double)i * GOLDEN, 1)));
        if (sample->rows == before || i > row_count) /* nobody is left */
            break;
    }
    return NULL;
}

/* ---- statistics ----------------------------------------------------------------------------- */

typedef struct Order {
    double place;
    size_t row;
} Order;

static int order_compare(const void *left, const void *right)
{
    const Order *a = left, *b = right;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

/* As the clustered key has the rows; ranges that met come twice, which is rare. */
static Order *order_of(const Sample *sample)
{
    size_t width = 1 + 2 * sample->columns.len;
    Order *order = arena_alloc(sample->arena, ((size_t)sample->rows + 1) * sizeof *order);
    for (size_t i = 0; i < (size_t)sample->rows; i++)
        order[i] = (Order){
            .row = i, .place = sample->key == NULL ? 0 : axis_of(sample, sample->cells.items[i * width])};
    qsort(order, (size_t)sample->rows, sizeof *order, order_compare);
    return order;
}

static void put_columns(const Sample *sample, double row_count)
{
    size_t width = 1 + 2 * sample->columns.len, count = (size_t)sample->rows;
    const Order *order = order_of(sample);
    for (size_t j = 0; j < sample->columns.len; j++) {
        const char *kind = text_of(sample->columns.items[j], "kind");
        bool text = str_eq(kind, "text") || str_eq(kind, "label");
        Sampled *values = arena_alloc(sample->arena, (count + 1) * sizeof *values);
        for (size_t i = 0; i < count; i++) {
            const char *const *cells = &sample->cells.items[order[i].row * width + 1 + 2 * j];
            values[i] = (Sampled){.null = cells[0] == NULL};
            if (cells[0] == NULL)
                continue;
            values[i].text = text ? cells[0] : NULL;
            values[i].number = text ? 0 : strtod(cells[0], NULL);
            values[i].bytes = cells[1] == NULL ? 0 : strtod(cells[1], NULL);
        }
        my_put_values(sample->arena, sample->columns.items[j], values, count, row_count);
    }
}

/* Of whole numbers that are the key alone, how densely they lie tells how many there are, better than the
 * server's own estimate. */
static double count_rows(const Sample *sample, bool all)
{
    double known = json_number_value(json_object_get(sample->table, "rows"));
    if (all)
        return (double)sample->rows;
    if (!sample->whole || !sample->key_alone || sample->spans <= 0 || sample->rows == 0)
        return known;
    return round((double)sample->rows / sample->spans * (sample->high - sample->low + 1));
}

static Err *sample_table(Sample *sample, int64_t row_count, int64_t until_ms)
{
    bool all = false;
    choose_key(sample);
    choose_columns(sample);
    if (sample->columns.len > 0) {
        TRY(read_rows(sample, row_count, until_ms, &all));
        double rows = count_rows(sample, all);
        json_object_set_new(sample->table, "rows", json_integer((json_int_t)rows));
        put_columns(sample, rows);
    }
    json_object_set_new(sample->table, "analyzed", json_true());
    return NULL;
}

Err *my_sample_source(Conn *conn, const Wait *wait, Arena *arena, json_t *tables, int64_t row_count,
                      int64_t most_ms)
{
    size_t i = 0;
    json_t *table = NULL;
    int64_t until_ms = clock_ms() + most_ms;
    TRY(conn_exec(conn, wait, "SET SESSION TRANSACTION READ ONLY"));
    json_array_foreach(tables, i, table)
    {
        CLEANUP(arena_freep) Arena *own = arena_new();
        Sample sample = {.conn = conn,
                         .wait = *wait,
                         .arena = own,
                         .table = table,
                         .name = my_name(own, text_of(table, "schema"), text_of(table, "name"))};
        Err *err = sample_table(&sample, row_count, until_ms);
        if (err != NULL)
            return err_wrap(err, "cannot read some rows of \"%s.%s\"", text_of(table, "schema"),
                            text_of(table, "name"));
    }
    (void)arena;
    return NULL;
}
