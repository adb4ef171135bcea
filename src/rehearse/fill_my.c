/* Made rows in the words of MySQL and MariaDB. No MD5(): MySQL 9.6 has it as a component only. */
#include "rehearse/fill_parts.h"

#include "rehearse/numbers_my.h"

#include <math.h>
#include <string.h>

static int header(double width)
{
    (void)width;
    return 0; /* widths are those of the values alone */
}

static char *name_of(Arena *arena, const char *schema, const char *name)
{
    return schema == NULL
               ? sql_backtick(arena, name)
               : arena_printf(arena, "%s.%s", sql_backtick(arena, schema), sql_backtick(arena, name));
}

/* Right in every sql_mode but NO_BACKSLASH_ESCAPES, which a session of ours does not have. */
static char *literal(Arena *arena, const char *text)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    str_add(&out, "'");
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            str_add(&out, "\\");
        str_addn(&out, text, 1);
    }
    str_add(&out, "'");
    return arena_dup(arena, out.buf);
}

static char *param(Arena *arena, int number) { return arena_printf(arena, "CAST($%d AS SIGNED)", number); }

/* As an assignment does it, but that what a mask has moved out of the type's range stays at its end. */
static char *cast(Arena *arena, const char *x, const FactColumn *column)
{
    static const struct {
        const char *base;
        long long least, most, most_unsigned;
    } ranges[] = {{"tinyint", -128, 127, 255},
                  {"smallint", -32768, 32767, 65535},
                  {"mediumint", -8388608, 8388607, 16777215},
                  {"int", -2147483648LL, 2147483647, 4294967295LL},
                  {"year", 1901, 2155, 2155}};
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        bool positive = strstr(column->type, " unsigned") != NULL;
        if (str_eq(column->base, ranges[i].base))
            return arena_printf(arena, "LEAST(GREATEST(%s, %lld), %lld)", x, positive ? 0 : ranges[i].least,
                                positive ? ranges[i].most_unsigned : ranges[i].most);
    }
    return arena_printf(arena, "(%s)", x);
}

static char *whole(Arena *arena, const char *x)
{
    return arena_printf(arena, "CAST(FLOOR(%s) AS SIGNED)", x);
}

static char *left(Arena *arena, const char *text, const char *len)
{
    return arena_printf(arena, "LEFT(%s, %s)", text, len);
}

static char *concat(Arena *arena, const char *x, const char *y)
{
    return arena_printf(arena, "CONCAT(%s, %s)", x, y);
}

static char *hex(Arena *arena, const char *x, int digits)
{
    return arena_printf(arena, "LPAD(LOWER(HEX(%s)), GREATEST(%d, CHAR_LENGTH(HEX(%s))), '0')", x, digits, x);
}

static char *digest(Arena *arena, const char *x, int salt)
{
    return arena_printf(arena, "LEFT(SHA2(CONCAT(%s, ':%d'), 256), 32)", x, salt);
}

static char *digests(Arena *arena, const char *x, int count)
{
    return arena_printf(arena, "REPEAT(CONCAT(SHA2(%s, 256), SHA2(CONCAT(%s, ':'), 256)), %d)", x, x,
                        (count + 3) / 4);
}

/* 52 bits, which a double holds. */
static char *chance(const Fill *fill, const char *row, int64_t salt)
{
    return arena_printf(fill->arena,
                        "(CONV(LEFT(SHA2(CONCAT(%s, ':%lld'), 224), 13), 16, 10) / 4503599627370496e0)", row,
                        (long long)(salt % 1000000007));
}

static char *bucket(Arena *arena, const char *x, const char *list)
{
    return arena_printf(arena, "INTERVAL(%s, %s)", x, list);
}

static char *number_at(Arena *arena, const char *list, const char *k)
{
    return arena_printf(arena, "(ELT(%s, %s) + 0e0)", k, list);
}

static char *whole_at(Arena *arena, const char *list, const char *k)
{
    return arena_printf(arena, "CAST(ELT(%s, %s) AS SIGNED)", k, list);
}

static char *text_at(Arena *arena, const char *list, const char *k)
{
    return arena_printf(arena, "ELT(%s, %s)", k, list);
}

static char *typed(Arena *arena, const FactColumn *column, const char *x, bool is_whole)
{
    if (str_eq(column->base, "decimal"))
        return arena_printf(arena, "ROUND(%s, %d)", x, column->scale >= 0 ? column->scale : 0);
    if (column->kind == FACT_NUMBER)
        return arena_printf(arena, is_whole ? "FLOOR(%s)" : "(%s)", x);
    if (str_eq(column->base, "date"))
        return arena_printf(arena, "DATE '1970-01-01' + INTERVAL FLOOR((%s) / 86400) DAY", x);
    if (column->kind == FACT_SPAN)
        return arena_printf(arena, is_whole ? "SEC_TO_TIME(FLOOR(%s))" : "SEC_TO_TIME(%s)", x);
    if (str_eq(column->base, "timestamp")) /* which ends in 2038, wherever a mask has moved it to */
        x = arena_printf(arena, "1 + MOD(%s, 2147400000)", x);
    return arena_printf(arena,
                        is_whole ? "TIMESTAMP '1970-01-01 00:00:00' + INTERVAL FLOOR(%s) SECOND"
                                 : "TIMESTAMP '1970-01-01 00:00:00' + INTERVAL (%s) SECOND",
                        x);
}

/* Of so many bytes; with `unique` the level is in it whole. */
static const char *bytes_of(const Fill *fill, const FactColumn *column, const char *level, bool unique)
{
    int bytes = column->known && column->width >= 1 ? (int)(column->width + 0.5) : 8;
    bytes = column->most > 0 && bytes > column->most ? column->most : bytes;
    const char *digits = fill_filler(fill, level, 2 * bytes);
    int own = 2 * bytes < 16 ? 2 * bytes : 16;
    if (unique)
        digits = concat(fill->arena, hex(fill->arena, level, own), digits);
    return arena_printf(fill->arena, "UNHEX(LEFT(%s, %d))", digits, 2 * bytes);
}

static const char *other(const Fill *fill, const FactTable *table, const FactColumn *column,
                         const char *level, int digits, bool unique)
{
    const char *base = column->base;
    Arena *arena = fill->arena;
    if (str_eq(base, "json"))
        return fill_json(fill, table, column, level, digits, unique);
    if (strstr(base, "binary") != NULL || strstr(base, "blob") != NULL)
        return bytes_of(fill, column, level, unique);
    if (str_eq(base, "uuid"))
        return digest(arena, level, 0);
    if (str_eq(base, "inet4") || str_eq(base, "inet6"))
        return arena_printf(arena, "CONCAT('%s', INET_NTOA(167772160 + (%s)))",
                            str_eq(base, "inet6") ? "::ffff:" : "", level);
    if (str_eq(base, "bit"))
        return arena_printf(arena, "(%s) %% 2", level);
    if (str_eq(base, "point") || str_eq(base, "geometry"))
        return arena_printf(arena, "POINT((%s) %% 1000, 0)", level);
    return NULL;
}

static char *insert(Arena *arena, const char *table, const char *columns, const char *values,
                    const char *from)
{
    return arena_printf(arena, "INSERT INTO %s (%s) SELECT %s%s%s", table, columns, values,
                        from == NULL ? "" : " FROM ", from == NULL ? "" : from);
}

/* In their order, in which keys that follow the rows' numbers are made without splits. */
static char *series(Arena *arena, int64_t low, int64_t high)
{
    return arena_printf(arena, "(SELECT %lld + n AS i FROM " NUMBERS_MY " WHERE n < %lld ORDER BY n) AS made",
                        (long long)low, (long long)(high - low));
}

const FillDialect fill_dialect_my = {
    .chunk_rows = NUMBERS_MY_COUNT,
    .real = "e0",
    .divide = "DIV",
    .header = header,
    .ident = sql_backtick,
    .name = name_of,
    .literal = literal,
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
