/* Made rows in PostgreSQL's words. */
#include "rehearse/fill_parts.h"

#include <math.h>
#include <string.h>

enum { CHUNK_ROWS = 250000, SHORT_HEADER_MOST = 126, CHANCE_VERSION = 110000 };

static int header(double width) { return width > SHORT_HEADER_MOST ? 4 : 1; }

static char *param(Arena *arena, int number) { return arena_printf(arena, "$%d::bigint", number); }

static char *cast(Arena *arena, const char *x, const FactColumn *column)
{
    return arena_printf(arena, "(%s)::%s", x, column->type);
}

static char *whole(Arena *arena, const char *x) { return arena_printf(arena, "floor(%s)::bigint", x); }

static char *left(Arena *arena, const char *text, const char *len)
{
    return arena_printf(arena, "left(%s, (%s)::integer)", text, len);
}

static char *concat(Arena *arena, const char *x, const char *y)
{
    return arena_printf(arena, "(%s || %s)", x, y);
}

static char *hex(Arena *arena, const char *x, int digits)
{
    return arena_printf(arena, "lpad(to_hex(%s), %d, '0')", x, digits);
}

static char *digest(Arena *arena, const char *x, int salt)
{
    return salt == 0 ? arena_printf(arena, "md5((%s)::text)", x)
                     : arena_printf(arena, "md5((%s)::text || '%d')", x, salt);
}

static char *digests(Arena *arena, const char *x, int count)
{
    return arena_printf(
        arena, "(SELECT string_agg(md5((%s)::text || part), '') FROM generate_series(1, %d) AS part)", x,
        count);
}

static char *chance(const Fill *fill, const char *row, int64_t salt)
{
    if (fill->facts->version >= CHANCE_VERSION)
        return arena_printf(fill->arena,
                            "((hashint8extended(%s, %lld) & 9007199254740991) / 9007199254740992::float8)",
                            row, (long long)salt);
    return arena_printf(fill->arena,
                        "((hashint8(%s * 2654435761 + %lld)::bigint & 4294967295) / 4294967296::float8)", row,
                        (long long)(salt % 4294967296));
}

static char *bucket(Arena *arena, const char *x, const char *list)
{
    return arena_printf(arena, "width_bucket(%s, ARRAY[%s]::float8[])", x, list);
}

static char *at(Arena *arena, const char *list, const char *type, const char *k)
{
    return arena_printf(arena, "(ARRAY[%s]::%s[])[(%s)::integer]", list, type, k);
}

static char *number_at(Arena *arena, const char *list, const char *k) { return at(arena, list, "float8", k); }

static char *whole_at(Arena *arena, const char *list, const char *k) { return at(arena, list, "bigint", k); }

static char *text_at(Arena *arena, const char *list, const char *k) { return at(arena, list, "text", k); }

static char *typed(Arena *arena, const FactColumn *column, const char *x, bool is_whole)
{
    if (str_eq(column->base, "numeric"))
        return arena_printf(arena, "round((%s)::numeric, %d)", x,
                            column->scale >= 0 ? column->scale
                            : is_whole         ? 0
                                               : 2);
    if (str_eq(column->base, "money"))
        return arena_printf(arena, "(%s)::numeric::money", x);
    if (column->kind == FACT_NUMBER)
        return arena_printf(arena, is_whole ? "floor(%s)" : "(%s)", x);
    if (str_eq(column->base, "date"))
        return arena_printf(arena, "date '1970-01-01' + floor((%s) / 86400)::integer", x);
    char *seconds =
        arena_printf(arena, is_whole ? "floor(%s) * interval '1 second'" : "(%s) * interval '1 second'", x);
    if (str_eq(column->base, "timestamptz"))
        return arena_printf(arena, "timestamptz '1970-01-01 00:00:00+00' + %s", seconds);
    if (str_eq(column->base, "timestamp"))
        return arena_printf(arena, "timestamp '1970-01-01 00:00:00' + %s", seconds);
    return str_eq(column->base, "time") ? arena_printf(arena, "time '00:00' + %s", seconds) : seconds;
}

static const char *array_value(const Fill *fill, const FactTable *table, const FactColumn *column,
                               const char *level, int digits)
{
    FactColumn item = *column;
    item.length_count = 0;
    item.width = fmax(2, column->width - 24);
    if (str_eq(column->base, "_text") || str_eq(column->base, "_varchar"))
        return arena_printf(fill->arena, "ARRAY[%s]", fill_token(fill, table, &item, level, digits, false));
    int size = str_eq(column->base, "_int8") || str_eq(column->base, "_float8") ? 8
               : str_eq(column->base, "_int2")                                  ? 2
               : str_eq(column->base, "_int4")                                  ? 4
                                                                                : 0;
    int count = size == 0 ? 0 : (int)((column->width - 20) / size);
    if (size == 0)
        return arena_printf(fill->arena, "'{}'");
    return arena_printf(fill->arena, "array_fill((%s) %% 30000, ARRAY[%d])", level, count < 1 ? 1 : count);
}

static const char *other(const Fill *fill, const FactTable *table, const FactColumn *column,
                         const char *level, int digits, bool unique)
{
    const char *base = column->base;
    Arena *arena = fill->arena;
    if (column->array)
        return array_value(fill, table, column, level, digits);
    if (str_eq(base, "uuid"))
        return arena_printf(arena, "md5((%s)::text)", level);
    if (str_eq(base, "json") || str_eq(base, "jsonb"))
        return fill_json(fill, table, column, level, digits, unique);
    if (str_eq(base, "bytea")) {
        int bytes = column->known && column->width > 1 ? (int)column->width - 1 : 8;
        return arena_printf(arena, "decode(left(%s, %d), 'hex')", fill_filler(fill, level, 2 * bytes),
                            2 * bytes);
    }
    if (str_eq(base, "inet") || str_eq(base, "cidr"))
        return arena_printf(arena, "inet '10.0.0.0' + (%s)", level);
    if (str_eq(base, "macaddr"))
        return arena_printf(arena, "lpad(to_hex((%s)::bigint), 12, '0')", level);
    if (str_eq(base, "tsvector"))
        return arena_printf(arena, "to_tsvector('simple', md5((%s)::text))", level);
    if (str_eq(base, "xml"))
        return arena_printf(arena, "'<v>' || (%s) || '</v>'", level);
    if (str_eq(base, "point"))
        return arena_printf(arena, "point((%s), 0)", level);
    size_t len = strlen(base);
    if (len > 5 && str_eq(base + len - 5, "range") && strstr(base, "multi") == NULL)
        return "'empty'";
    return NULL;
}

static char *insert(Arena *arena, const char *table, const char *columns, const char *values,
                    const char *from)
{
    const char *source = from == NULL ? "" : arena_printf(arena, " FROM %s", from);
    if (columns[0] == '\0')
        return arena_printf(arena, "INSERT INTO %s SELECT%s", table, source);
    return arena_printf(arena, "INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s%s", table, columns,
                        values, source);
}

static char *series(Arena *arena, int64_t low, int64_t high)
{
    return arena_printf(arena, "generate_series(%lld::bigint, %lld::bigint) AS i", (long long)low,
                        (long long)high - 1);
}

const FillDialect fill_dialect_pg = {
    .schemas = true,
    .chunk_rows = CHUNK_ROWS,
    .real = "::float8",
    .divide = "/",
    .header = header,
    .ident = sql_ident,
    .name = sql_name,
    .literal = sql_literal,
    .param = param,
    .cast = cast,
    .whole = whole,
    .left = left,
    .concat = concat,
    .hex = hex,
    .digest = digest,
    .digests = digests,
    .chance = chance,
    .bucket = bucket,
    .number_at = number_at,
    .whole_at = whole_at,
    .text_at = text_at,
    .typed = typed,
    .other = other,
    .insert = insert,
    .series = series,
};
