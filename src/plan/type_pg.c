/* Names of types as people write them and as PostgreSQL gives them back. */
#include "plan/maker.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Names that people write and the names the server gives back. */
static const char *const type_aliases[][2] = {
    {"int8", "bigint"},
    {"int", "integer"},
    {"int4", "integer"},
    {"int2", "smallint"},
    {"float8", "double precision"},
    {"float", "double precision"},
    {"float4", "real"},
    {"bool", "boolean"},
    {"varchar", "character varying"},
    {"bpchar", "character"},
    {"char", "character"},
    {"decimal", "numeric"},
    {"timestamptz", "timestamp with time zone"},
    {"timestamp", "timestamp without time zone"},
    {"timetz", "time with time zone"},
    {"time", "time without time zone"},
    {"varbit", "bit varying"},
};

/* Types whose values no CHECK of a domain can limit. */
static const char *const builtin_types[] = {
    "bigint",
    "bigserial",
    "bit",
    "bit varying",
    "boolean",
    "box",
    "bytea",
    "character",
    "character varying",
    "cidr",
    "circle",
    "date",
    "daterange",
    "double precision",
    "inet",
    "integer",
    "int4range",
    "int8range",
    "interval",
    "json",
    "jsonb",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "numeric",
    "numrange",
    "oid",
    "path",
    "pg_lsn",
    "point",
    "polygon",
    "real",
    "smallint",
    "text",
    "time without time zone",
    "time with time zone",
    "timestamp without time zone",
    "timestamp with time zone",
    "tsquery",
    "tstzrange",
    "tsrange",
    "tsvector",
    "uuid",
    "xml",
};

/* "pg_catalog.int8" -> "bigint", "varchar(20)[]" -> "character varying(20)[]". */
const char *type_canonical(Arena *arena, const char *type)
{
    const char *bare = str_starts(type, "pg_catalog.") ? type + strlen("pg_catalog.") : type;
    size_t len = strcspn(bare, "([");
    while (len > 0 && bare[len - 1] == ' ')
        len--;
    const char *word = arena_dupn(arena, bare, len), *rest = bare + strcspn(bare, "([");
    for (size_t i = 0; i < ARRAY_LEN(type_aliases); i++)
        if (strcasecmp(word, type_aliases[i][0]) != 0)
            continue;
        else if ((str_eq(word, "timestamp") || str_eq(word, "time") || str_eq(word, "timestamptz") ||
                  str_eq(word, "timetz")) &&
                 *rest == '(') { /* the server writes timestamp(3) with time zone */
            const char *zone = strchr(type_aliases[i][1], ' ');
            size_t modifier = strcspn(rest, ")") + 1;
            if (str_starts(rest + modifier, " with"))
                return arena_dup(arena, bare);
            return arena_printf(arena, "%.*s%.*s%s%s", (int)(zone - type_aliases[i][1]), type_aliases[i][1],
                                (int)modifier, rest, zone, rest + modifier);
        } else
            return arena_printf(arena, "%s%s", type_aliases[i][1], rest);
    return arena_printf(arena, "%s%s", word, rest);
}

bool type_builtin(Arena *arena, const char *type)
{
    const char *name = type_canonical(arena, type);
    const char *base = arena_dupn(arena, name, strcspn(name, "(["));
    for (size_t i = 0; i < ARRAY_LEN(builtin_types); i++)
        if (str_eq(base, builtin_types[i]))
            return true;
    return strchr(name, '(') != NULL && (str_starts(name, "time") || str_starts(name, "interval"));
}

bool type_same(Arena *arena, const char *a, const char *b)
{
    const char *left = type_canonical(arena, a), *right = type_canonical(arena, b);
    if (str_eq(left, "character"))
        left = "character(1)";
    return definition_like(arena, left, right);
}

/* Types whose "=" is true for identical bytes only. */
static const char *const exact_types[] = {
    "bigint",
    "boolean",
    "bytea",
    "character varying",
    "date",
    "integer",
    "oid",
    "smallint",
    "text",
    "uuid",
    "timestamp with time zone",
    "timestamp without time zone",
};

bool type_exact(Arena *arena, const char *type, const char *collation_sql)
{
    const char *name = type_canonical(arena, type);
    if (strchr(name, '[') != NULL || collation_sql != NULL)
        return false;
    const char *base = arena_dupn(arena, name, strcspn(name, "("));
    for (size_t i = 0; i < ARRAY_LEN(exact_types); i++)
        if (str_eq(base, exact_types[i]))
            return true;
    return false;
}

long type_char_limit(Arena *arena, const char *type)
{
    const char *name = type_canonical(arena, type);
    if (!str_starts(name, "character") || strchr(name, '[') != NULL)
        return 0;
    const char *limit = strchr(name, '(');
    return limit != NULL ? strtol(limit + 1, NULL, 10) : str_eq(name, "character") ? 1 : 0;
}
