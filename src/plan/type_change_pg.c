/* From one type to another: what costs nothing, by the rules of binary coercible casts and of type modifiers.
 */
#include "plan/maker.h"

#include <stdlib.h>
#include <string.h>

enum { NO_MODIFIER = -1, TIME_DIGITS = 6 };

/* "numeric(10,2)" in parts; `base` has the words on both sides of the parentheses. */
typedef struct TypeParts {
    const char *base;
    long first, second; /* NO_MODIFIER where there is none */
    bool array;
} TypeParts;

static TypeParts parts_of(Arena *arena, const char *type)
{
    const char *name = type_canonical(arena, type), *open = strchr(name, '('), *close = strchr(name, ')');
    TypeParts parts = {.base = name, .first = NO_MODIFIER, .second = NO_MODIFIER};
    parts.array = strchr(name, '[') != NULL;
    if (open == NULL || close == NULL || close < open)
        return parts;
    char *end = NULL;
    parts.first = strtol(open + 1, &end, 10);
    if (*end == ',')
        parts.second = strtol(end + 1, NULL, 10);
    parts.base = arena_printf(arena, "%.*s%s", (int)(open - name), name, close + 1);
    return parts;
}

/* A limit that is not lower: none at all is the highest. */
static bool limit_grows(long from, long to)
{
    return to == NO_MODIFIER || (from != NO_MODIFIER && to >= from);
}

static bool modifier_widens(const TypeParts *from, const TypeParts *to)
{
    const char *base = from->base;
    if (str_eq(base, "character varying") || str_eq(base, "bit varying"))
        return limit_grows(from->first, to->first);
    if (str_eq(base, "numeric")) {
        long scale_from = from->second == NO_MODIFIER ? 0 : from->second;
        long scale_to = to->second == NO_MODIFIER ? 0 : to->second;
        return to->first == NO_MODIFIER ||
               (from->first != NO_MODIFIER && to->first >= from->first && scale_from == scale_to);
    }
    if (str_starts(base, "time") || str_eq(base, "interval"))
        return to->first == NO_MODIFIER ||
               to->first >= (from->first == NO_MODIFIER ? TIME_DIGITS : from->first);
    return from->first == to->first && from->second == to->second;
}

bool type_widens(Arena *arena, const char *from, const char *to)
{
    TypeParts a = parts_of(arena, from), b = parts_of(arena, to);
    if (type_same(arena, from, to))
        return true;
    if (a.array || b.array)
        return false;
    if (str_eq(a.base, b.base))
        return modifier_widens(&a, &b);
    bool text = str_eq(b.base, "text") || (str_eq(b.base, "character varying") && b.first == NO_MODIFIER);
    if (text && (str_eq(a.base, "text") || str_eq(a.base, "character varying")))
        return true;
    return str_eq(a.base, "cidr") && str_eq(b.base, "inet");
}

static int integer_size(const char *base)
{
    return str_eq(base, "smallint") ? 2 : str_eq(base, "integer") ? 4 : str_eq(base, "bigint") ? 8 : 0;
}

bool type_injective(Arena *arena, const char *from, const char *to)
{
    TypeParts a = parts_of(arena, from), b = parts_of(arena, to);
    if (type_widens(arena, from, to))
        return true;
    if (a.array || b.array || integer_size(a.base) == 0)
        return false;
    return integer_size(b.base) > integer_size(a.base) || str_eq(b.base, "text") ||
           (str_eq(b.base, "numeric") && b.first == NO_MODIFIER);
}

const char *type_same_again(Arena *arena, const char *value, const char *type, const char *other)
{
    static const char *const bases[] = {"smallint",
                                        "integer",
                                        "bigint",
                                        "numeric",
                                        "real",
                                        "double precision",
                                        "text",
                                        "character varying",
                                        "character",
                                        "date",
                                        "timestamp without time zone",
                                        "timestamp with time zone",
                                        "time without time zone",
                                        "interval",
                                        "boolean",
                                        "uuid",
                                        "bytea",
                                        "bit",
                                        "bit varying",
                                        "inet",
                                        "cidr",
                                        "jsonb",
                                        "money"};
    TypeParts parts = parts_of(arena, type);
    for (size_t i = 0; i < ARRAY_LEN(bases) && !parts.array; i++)
        if (str_eq(parts.base, bases[i]))
            return arena_printf(arena, "(%s)::%s IS NOT DISTINCT FROM %s", value, type, other);
    return NULL;
}

bool type_toasts(Arena *arena, const char *type)
{
    static const char *const bases[] = {
        "text", "character varying", "character", "bytea", "json",       "jsonb",
        "xml",  "numeric",           "tsvector",  "bit",   "bit varying"};
    TypeParts parts = parts_of(arena, type);
    for (size_t i = 0; i < ARRAY_LEN(bases); i++)
        if (str_eq(parts.base, bases[i]))
            return true;
    return parts.array;
}
