/* Statistics of columns that the server keeps because somebody asked it to. */
#include "engine/mysql/source.h"

#include "base/str.h"
#include "engine/mysql/conn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BUCKETS = 100 };

/* A part of the values other than NULL: one value, or a bucket. */
typedef struct Part {
    const char *low, *high; /* as the server writes them; `high` NULL: one value */
    double share, distinct;
} Part;
typedef VEC(Part) Parts;

static const char *kind_of(const json_t *column)
{
    return json_string_value(json_object_get(column, "kind"));
}

static double number_of(const char *kind, const char *text)
{
    struct tm time = {.tm_mday = 1};
    int hours = 0, minutes = 0;
    double seconds = 0;
    if (str_eq(kind, "time")) {
        (void)sscanf(text, "%d-%d-%d %d:%d:%lf", &time.tm_year, &time.tm_mon, &time.tm_mday, &hours,
                     &minutes, /* NOLINT(cert-err34-c) */
                     &seconds);
        time.tm_year -= 1900;
        time.tm_mon -= 1;
        return (double)timegm(&time) + hours * 3600 + minutes * 60 + seconds;
    }
    if (str_eq(kind, "span")) {
        (void)sscanf(text, "%d:%d:%lf", &hours, &minutes, &seconds); /* NOLINT(cert-err34-c) */
        return hours * 3600 + minutes * 60 + seconds;
    }
    return strtod(text, NULL);
}

/* The ends of buckets that hold the same share each of all that lies in buckets. */
static json_t *bounds_of(const char *kind, const Part *parts, size_t count)
{
    json_t *bounds = json_array();
    double whole = 0, below = 0;
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        whole += parts[i].high != NULL ? parts[i].share : 0;
    for (int i = 0; whole > 0 && i <= BUCKETS; i++) {
        double wanted = whole * i / BUCKETS;
        while (at < count &&
               (parts[at].high == NULL || (below + parts[at].share < wanted && at + 1 < count))) {
            below += parts[at].high != NULL ? parts[at].share : 0;
            at++;
        }
        if (at == count)
            break;
        double low = number_of(kind, parts[at].low), high = number_of(kind, parts[at].high);
        double part = parts[at].share > 0 ? fmin(1, fmax(0, (wanted - below) / parts[at].share)) : 0;
        (void)json_array_append_new(bounds, json_real(low + (high - low) * part));
    }
    return bounds;
}

static void put_parts(json_t *column, const Parts *parts, double null_fraction, double width, double distinct)
{
    const char *kind = kind_of(column);
    bool texts = str_eq(kind, "text") || str_eq(kind, "label");
    json_t *common = json_array(), *frequencies = json_array(), *lengths = json_array();
    double bytes = 0, values = 0;
    for (size_t i = 0; i < parts->len; i++) {
        const Part *part = &parts->items[i];
        bytes += (double)strlen(part->low) * part->share;
        values += part->distinct;
        if (part->high != NULL && texts)
            (void)json_array_append_new(lengths, json_integer((json_int_t)strlen(part->low)));
        if (part->high != NULL || !(part->share > 0))
            continue;
        (void)json_array_append_new(common,
                                    texts ? json_string(part->low) : json_real(number_of(kind, part->low)));
        (void)json_array_append_new(frequencies, json_real(fmin(1, part->share * (1 - null_fraction))));
    }
    json_object_set_new(column, "null_fraction", json_real(null_fraction));
    json_object_set_new(column, "width", json_real(width >= 0 ? width : bytes));
    json_object_set_new(column, "distinct", json_real(distinct > 0 ? distinct : values));
    const char *identity = json_string_value(json_object_get(column, "identity"));
    json_object_set_new(column, "correlation", json_real(identity != NULL && identity[0] != '\0' ? 1 : 0));
    json_object_set_new(column, "common", common);
    json_object_set_new(column, "frequencies", frequencies);
    if (texts)
        json_object_set(column, "lengths", lengths);
    else
        json_object_set_new(column, "bounds", bounds_of(kind, parts->items, parts->len));
    json_decref(lengths);
}

/* ---- MySQL: information_schema.COLUMN_STATISTICS -------------------------------------------- */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* "base64:type254:YWJj" → abc */
static const char *decode(Arena *arena, const char *text)
{
    const char *at = str_starts(text, "base64:") ? strchr(text + strlen("base64:"), ':') : NULL;
    if (at == NULL)
        return text;
    char *out = arena_alloc(arena, strlen(at) + 1);
    size_t len = 0;
    unsigned bits = 0;
    int held = 0;
    for (at++; digit_of(*at) >= 0; at++) {
        bits = (bits << 6 | (unsigned)digit_of(*at)) & 0xffffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[len++] = (char)(bits >> held & 0xff);
        }
    }
    return out;
}

/* A value as text; of enums the histogram has numbers. */
static const char *value_text(Arena *arena, const json_t *column, const json_t *value)
{
    if (json_is_string(value))
        return decode(arena, json_string_value(value));
    if (str_eq(kind_of(column), "label") && json_is_integer(value)) {
        const json_t *label =
            json_array_get(json_object_get(column, "labels"), (size_t)(json_integer_value(value) - 1));
        return json_is_string(label) ? json_string_value(label) : "";
    }
    return arena_printf(arena, "%.17g", json_number_value(value));
}

static void put_histogram(Arena *arena, json_t *column, const json_t *histogram)
{
    enum { LOW, HIGH, SUM, DISTINCT };
    Parts parts = {0};
    size_t i = 0;
    const json_t *bucket = NULL;
    double null_fraction = json_number_value(json_object_get(histogram, "null-values")), below = 0;
    double full = fmax(1e-9, 1 - null_fraction);
    json_array_foreach(json_object_get(histogram, "buckets"), i, bucket)
    {
        bool single = json_array_size(bucket) == 2;
        double sum = json_number_value(json_array_get(bucket, single ? 1 : SUM));
        *vec_push(arena, &parts) =
            (Part){.low = value_text(arena, column, json_array_get(bucket, LOW)),
                   .high = single ? NULL : value_text(arena, column, json_array_get(bucket, HIGH)),
                   .share = (sum - below) / full,
                   .distinct = single ? 1 : json_number_value(json_array_get(bucket, DISTINCT))};
        below = sum;
    }
    put_parts(column, &parts, null_fraction, -1, 0);
}

/* ---- MariaDB: mysql.column_stats ------------------------------------------------------------ */

/* JSON_HB (10.8): buckets with their start; one with a single value is that value. */
static Parts parts_of_json(Arena *arena, const json_t *histogram)
{
    Parts parts = {0};
    const json_t *buckets = json_object_get(histogram, "histogram_hb");
    for (size_t i = 0; i < json_array_size(buckets); i++) {
        const json_t *bucket = json_array_get(buckets, i), *next = json_array_get(buckets, i + 1);
        const char *low = json_string_value(json_object_get(bucket, "start"));
        const char *high = json_string_value(json_object_get(bucket, "end"));
        double distinct = json_number_value(json_object_get(bucket, "ndv"));
        high = high != NULL ? high : json_string_value(json_object_get(next, "start"));
        if (low != NULL)
            *vec_push(arena, &parts) = (Part){.low = low,
                                              .high = distinct <= 1  ? NULL
                                                      : high != NULL ? high
                                                                     : low,
                                              .share = json_number_value(json_object_get(bucket, "size")),
                                              .distinct = distinct};
    }
    return parts;
}

/* *_PREC_HB: widths of buckets that hold the same, as shares of all from the least value to the greatest. */
static Parts parts_of_widths(Arena *arena, const json_t *column, const char *list, const char *least,
                             const char *greatest)
{
    Parts parts = {0};
    const char *kind = kind_of(column);
    double low = number_of(kind, least), width = number_of(kind, greatest) - low;
    size_t count = 1;
    for (const char *at = list; *at != '\0'; at++)
        count += *at == ',';
    if (str_eq(kind, "text") || str_eq(kind, "label") || str_eq(kind, "time") || str_eq(kind, "span"))
        return parts;
    for (const char *at = list; at != NULL && *at != '\0';) {
        double part = strtod(at, NULL) * width;
        *vec_push(arena, &parts) = (Part){.low = arena_printf(arena, "%.17g", low),
                                          .high = arena_printf(arena, "%.17g", low + part),
                                          .share = 1 / (double)count};
        low += part;
        at = strchr(at, ',');
        at = at == NULL ? NULL : at + 1;
    }
    return parts;
}

static json_t *column_named(json_t *columns, const char *name)
{
    size_t i = 0;
    json_t *column = NULL;
    json_array_foreach(columns, i, column)
    {
        if (str_eq(json_string_value(json_object_get(column, "name")), name))
            return column;
    }
    return NULL;
}

static bool is_known_kind(const json_t *column)
{
    return column != NULL && !str_eq(kind_of(column), "other");
}

static Err *load_mariadb(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                         double row_count, json_t *columns)
{
    enum { NAME, LEAST, GREATEST, NULLS, LENGTH, FREQUENCY, HISTOGRAM };
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT column_name, min_value, max_value, nulls_ratio, avg_length, avg_frequency, "
                    "DECODE_HISTOGRAM(hist_type, histogram) FROM mysql.column_stats WHERE db_name = $1 AND "
                    "table_name = $2 AND nulls_ratio IS NOT NULL AND min_value IS NOT NULL AND max_value IS "
                    "NOT NULL AND histogram IS NOT NULL",
                    schema, table));
    for (size_t i = 0; i < rows.row_count; i++) {
        json_t *column = column_named(columns, rows_cell(&rows, i, NAME));
        const char *text = rows_cell(&rows, i, HISTOGRAM);
        if (!is_known_kind(column) || text == NULL)
            continue;
        json_t *histogram = json_loads(text, 0, NULL);
        Parts parts = histogram != NULL ? parts_of_json(arena, histogram)
                                        : parts_of_widths(arena, column, text, rows_cell(&rows, i, LEAST),
                                                          rows_cell(&rows, i, GREATEST));
        double nulls = rows_double(&rows, i, NULLS), each = rows_double(&rows, i, FREQUENCY);
        if (parts.len > 0)
            put_parts(column, &parts, nulls, rows_double(&rows, i, LENGTH),
                      each > 0 ? row_count * (1 - nulls) / each : 0);
        json_decref(histogram);
    }
    return NULL;
}

static Err *load_mysql(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                       json_t *columns)
{
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT column_name, histogram FROM information_schema.column_statistics WHERE "
                    "schema_name = $1 AND table_name = $2",
                    schema, table));
    for (size_t i = 0; i < rows.row_count; i++) {
        json_t *column = column_named(columns, rows_cell(&rows, i, 0));
        json_t *histogram = json_loads(rows_cell(&rows, i, 1), 0, NULL);
        if (is_known_kind(column) && histogram != NULL)
            put_histogram(arena, column, histogram);
        json_decref(histogram);
    }
    return NULL;
}

Err *my_load_stored(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                    double rows, json_t *columns)
{
    Err *err = flavor_is_mariadb(my_flavor(conn))
                   ? load_mariadb(conn, wait, arena, schema, table, rows, columns)
                   : load_mysql(conn, wait, arena, schema, table, columns);
    if (!err_is(err, ERR_SQL) &&
        !err_is(err, ERR_PRIVILEGE)) /* 5.7 has none, and the role may not see them */
        return err;
    err_free(err);
    return NULL;
}
