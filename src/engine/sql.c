/* Quoting of PostgreSQL names and literals. */
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

/* Words that must not stand bare as a column, table or function name in PostgreSQL 10 to 18: reserved words
 * and those reserved for types and functions (pg_get_keywords(), catcode R, T and C). Sorted for bsearch. */
static const char *const keywords[] = {
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_table",
    "json_value",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "merge_action",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
};

static int keyword_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool ident_is_bare(const char *name)
{
    if (!((name[0] >= 'a' && name[0] <= 'z') || name[0] == '_'))
        return false;
    for (const char *at = name; *at != '\0'; at++)
        if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_'))
            return false;
    return bsearch(&name, keywords, ARRAY_LEN(keywords), sizeof keywords[0], keyword_compare) == NULL;
}

static void add_doubled(Str *str, const char *text, char quote)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == quote || (quote == '\'' && *at == '\\'))
            str_addn(str, at, 1);
        str_addn(str, at, 1);
    }
}

void sql_add_ident(Str *str, const char *name)
{
    if (ident_is_bare(name)) {
        str_add(str, name);
        return;
    }
    str_add(str, "\"");
    add_doubled(str, name, '"');
    str_add(str, "\"");
}

void sql_add_name(Str *str, const char *schema, const char *name)
{
    if (schema != NULL) {
        sql_add_ident(str, schema);
        str_add(str, ".");
    }
    sql_add_ident(str, name);
}

void sql_add_literal(Str *str, const char *text)
{
    if (text == NULL) {
        str_add(str, "NULL");
        return;
    }
    str_add(str, strchr(text, '\\') != NULL ? "E'" : "'");
    add_doubled(str, text, '\'');
    str_add(str, "'");
}

static char *into(Arena *arena, Str *str)
{
    char *res = arena_dupn(arena, str->buf, str->len);
    str_done(str);
    return res;
}

char *sql_ident(Arena *arena, const char *name)
{
    Str str = STR_INIT;
    sql_add_ident(&str, name);
    return into(arena, &str);
}

char *sql_name(Arena *arena, const char *schema, const char *name)
{
    Str str = STR_INIT;
    sql_add_name(&str, schema, name);
    return into(arena, &str);
}

char *sql_literal(Arena *arena, const char *text)
{
    Str str = STR_INIT;
    sql_add_literal(&str, text);
    return into(arena, &str);
}

char *sql_dollar(Arena *arena, const char *text)
{
    char tag[32] = "$stoa$";
    for (int i = 1; strstr(text, tag) != NULL; i++)
        (void)snprintf(tag, sizeof tag, "$stoa%d$", i);
    return arena_printf(arena, "%s%s%s", tag, text, tag);
}

char *sql_ident_list(Arena *arena, const char *const *names, size_t count)
{
    Str str = STR_INIT;
    for (size_t i = 0; i < count; i++) {
        str_sep(&str, ", ");
        sql_add_ident(&str, names[i]);
    }
    return into(arena, &str);
}

/* One word, quoted or not; what follows it is left in *at. */
static const char *take_word(Arena *arena, const char **at)
{
    CLEANUP(str_donep) Str word = STR_INIT;
    const char *from = *at;
    bool quoted = *from == '"';
    for (from += quoted ? 1 : 0; *from != '\0'; from++) {
        if (quoted && *from == '"' && *++from != '"')
            break;
        if (!quoted && *from == '.')
            break;
        str_addn(&word, from, 1);
    }
    *at = from;
    return arena_dup(arena, word.buf);
}

void sql_name_parts(Arena *arena, const char *sql, const char **ret_schema, const char **ret_name)
{
    const char *first = take_word(arena, &sql);
    *ret_schema = *sql == '.' ? first : NULL;
    if (*sql == '.')
        sql++;
    *ret_name = *ret_schema == NULL ? first : take_word(arena, &sql);
}

char *sql_backtick(Arena *arena, const char *name)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    str_add(&out, "`");
    for (const char *at = name; *at != '\0'; at++)
        str_addn(&out, *at == '`' ? "``" : at, *at == '`' ? 2 : 1);
    str_add(&out, "`");
    return arena_dup(arena, out.buf);
}
