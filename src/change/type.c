/* The name of a type as the server writes it. */
#include "base/str.h"
#include "change/parser.h"

#include <string.h>

/* format_type() of PostgreSQL 10 to 18: what stands before and behind the modifiers. */
static const struct {
    const char *name, *before, *behind;
} types[] = {
    {"bit", "bit", ""},
    {"bool", "boolean", ""},
    {"bpchar", "character", ""},
    {"float4", "real", ""},
    {"float8", "double precision", ""},
    {"int2", "smallint", ""},
    {"int4", "integer", ""},
    {"int8", "bigint", ""},
    {"numeric", "numeric", ""},
    {"time", "time", " without time zone"},
    {"timestamp", "timestamp", " without time zone"},
    {"timestamptz", "timestamp", " with time zone"},
    {"timetz", "time", " with time zone"},
    {"varbit", "bit varying", ""},
    {"varchar", "character varying", ""},
};

const char *type_server_name(Arena *arena, const PgQuery__TypeName *type)
{
    if (type->n_names < 1 || type->n_names > 2 ||
        (type->n_names == 2 && !str_eq(tree_string_of(type->names[0]), "pg_catalog")))
        return NULL;
    const char *word = tree_string_of(type->names[type->n_names - 1]);
    size_t found = 0;
    while (found < ARRAY_LEN(types) && !str_eq(word, types[found].name))
        found++;
    /* "bpchar" without length is not "character", which has length 1. */
    if (found == ARRAY_LEN(types) || (str_eq(word, "bpchar") && type->n_typmods == 0))
        return NULL;
    Str str = STR_INIT;
    str_add(&str, types[found].before);
    const char *res = NULL;
    for (size_t i = 0; i < type->n_typmods; i++) {
        const PgQuery__Node *modifier = type->typmods[i];
        if (modifier->node_case != PG_QUERY__NODE__NODE_A_CONST ||
            modifier->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL)
            goto done;
        str_addf(&str, "%s%d", i == 0 ? "(" : ",", modifier->a_const->ival->ival);
    }
    if (type->n_typmods == 1 && str_eq(word, "numeric"))
        str_add(&str, ",0");
    str_addf(&str, "%s%s%s", type->n_typmods > 0 ? ")" : "", types[found].behind,
             type->n_array_bounds > 0 ? "[]" : "");
    res = arena_dupn(arena, str.buf, str.len);
done:
    str_done(&str);
    return res;
}
