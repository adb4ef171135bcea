/* Statements over a column's values. */
#include "run/keep_sql.h"

#include "engine/my_server.h"
#include "engine/my_table.h"

#include <string.h>

/* ---- types ---------------------------------------------------------------------------------- */

typedef enum Form {
    FORM_PLAIN,  /* text as it is */
    FORM_TEXT,   /* hexadecimal of UTF-8: a text may hold any character */
    FORM_BYTES,  /* hexadecimal */
    FORM_NUMBER, /* binary floating point: all digits */
    FORM_BITS,
    FORM_NONE,
} Form;

/* The word of a type of MySQL or MariaDB: "varchar(20)" -> varchar. */
static Form form_my(const char *type)
{
    static const struct {
        const char *word;
        Form form;
    } forms[] = {{"char", FORM_TEXT},         {"varchar", FORM_TEXT},
                 {"tinytext", FORM_TEXT},     {"text", FORM_TEXT},
                 {"mediumtext", FORM_TEXT},   {"longtext", FORM_TEXT},
                 {"enum", FORM_TEXT},         {"set", FORM_TEXT},
                 {"json", FORM_TEXT},         {"binary", FORM_BYTES},
                 {"varbinary", FORM_BYTES},   {"tinyblob", FORM_BYTES},
                 {"blob", FORM_BYTES},        {"mediumblob", FORM_BYTES},
                 {"longblob", FORM_BYTES},    {"float", FORM_NUMBER},
                 {"double", FORM_NUMBER},     {"bit", FORM_BITS},
                 {"geometry", FORM_NONE},     {"point", FORM_NONE},
                 {"linestring", FORM_NONE},   {"polygon", FORM_NONE},
                 {"multipoint", FORM_NONE},   {"multilinestring", FORM_NONE},
                 {"multipolygon", FORM_NONE}, {"geometrycollection", FORM_NONE},
                 {"vector", FORM_NONE}};
    size_t len = strcspn(type, "( ");
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (strlen(forms[i].word) == len && strncmp(forms[i].word, type, len) == 0)
            return forms[i].form;
    return FORM_PLAIN;
}

static const char *show_my(Arena *arena, const char *name, const char *type)
{
    switch (form_my(type)) {
    case FORM_TEXT:
        return arena_printf(arena, "HEX(CONVERT(CAST(t.%s AS CHAR) USING utf8mb4))", name);
    case FORM_BYTES:
        return arena_printf(arena, "HEX(t.%s)", name);
    case FORM_NUMBER:
        return arena_printf(arena, "CAST(t.%s + 0e0 AS CHAR)", name);
    case FORM_BITS:
        return arena_printf(arena, "CAST(CAST(t.%s AS UNSIGNED) AS CHAR)", name);
    case FORM_PLAIN:
    case FORM_NONE:
        break;
    }
    return arena_printf(arena, "CAST(t.%s AS CHAR)", name);
}

static const char *value_my(Arena *arena, const char *type, size_t number)
{
    switch (form_my(type)) {
    case FORM_TEXT:
        return arena_printf(arena, "CONVERT(UNHEX($%zu) USING utf8mb4)", number);
    case FORM_BYTES:
        return arena_printf(arena, "UNHEX($%zu)", number);
    case FORM_BITS:
        return arena_printf(arena, "CAST($%zu AS UNSIGNED)", number);
    case FORM_PLAIN:
    case FORM_NUMBER:
    case FORM_NONE:
        break;
    }
    return arena_printf(arena, "$%zu", number);
}

static const char *type_of(const Subject *subject, const char *name)
{
    const Table *table = &subject->there;
    for (size_t i = 0; i < table->column_count; i++)
        if (str_eq(table->columns[i].name, name))
            return subject->mysql ? table->my->columns[i].type : table->columns[i].type;
    return "text";
}

const char *keep_value(Arena *arena, const KeepTable *table, int key, const char *type, size_t number)
{
    const char *of = key < 0 ? type : type_of(table->subject, table->keys[key]);
    return table->subject->mysql ? value_my(arena, of, number) : arena_printf(arena, "$%zu::%s", number, of);
}

/* ---- the table ------------------------------------------------------------------------------ */

static const char *ident(Arena *arena, const Subject *subject, const char *name)
{
    return subject->mysql ? sql_backtick(arena, name) : sql_ident(arena, name);
}

static const char *show(Arena *arena, const Subject *subject, const char *name)
{
    const char *quoted = ident(arena, subject, name);
    return subject->mysql ? show_my(arena, quoted, type_of(subject, name))
                          : arena_printf(arena, "t.%s::text", quoted);
}

/* A key that does not go with the column. */
static const Index *key_of(const Subject *subject)
{
    const Index *best = NULL;
    for (size_t i = 0; i < subject->there.index_count; i++) {
        const Index *index = &subject->there.indexes[i];
        bool fits = index->key;
        for (size_t k = 0; k < index->column_count && fits; k++)
            fits = index->columns[k] != NULL && !str_eq(index->columns[k], subject->name) &&
                   (!subject->mysql || form_my(type_of(subject, index->columns[k])) != FORM_NUMBER);
        if (fits && (best == NULL || index->primary))
            best = index;
    }
    return best;
}

Err *keep_table(Arena *arena, const Subject *subject, KeepTable *ret_table)
{
    const Index *key = key_of(subject);
    if (key == NULL)
        return err_hint(err_new(ERR_UNSAFE, "\"%s\" has no key that stays: rows could not be found again",
                                subject->table),
                        "a primary key, or a unique index over NOT NULL columns; or save the column by hand");
    if (subject->mysql && form_my(type_of(subject, subject->name)) == FORM_NONE)
        return err_new(ERR_UNSAFE, "values of type %s are not kept in a file",
                       type_of(subject, subject->name));
    const char **shows = arena_alloc(arena, key->column_count * sizeof *shows);
    for (size_t i = 0; i < key->column_count; i++)
        shows[i] = show(arena, subject, key->columns[i]);
    *ret_table = (KeepTable){.name = subject->mysql
                                         ? arena_printf(arena, "%s.%s", sql_backtick(arena, subject->schema),
                                                        sql_backtick(arena, subject->table))
                                         : sql_name(arena, subject->schema, subject->table),
                             .keys = key->columns,
                             .key_show = shows,
                             .key_count = key->column_count,
                             .column = ident(arena, subject, subject->name),
                             .show = show(arena, subject, subject->name),
                             .subject = subject};
    return NULL;
}

/* ---- statements ----------------------------------------------------------------------------- */

/* Behind (or not behind) a key, written so that every server uses an index: a > $1 OR (a = $1 AND (b > $2)).
 */
static void add_bound(Arena *arena, Str *sql, const KeepTable *table, size_t first, bool upto)
{
    const char *beyond = upto ? "<" : ">";
    str_add(sql, "(");
    for (size_t i = 0; i < table->key_count; i++) {
        const char *key = ident(arena, table->subject, table->keys[i]);
        const char *value = keep_value(arena, table, (int)i, NULL, first + i);
        bool last = i + 1 == table->key_count;
        str_addf(sql, "t.%s %s%s %s", key, beyond, last && upto ? "=" : "", value);
        if (!last)
            str_addf(sql, " OR (t.%s = %s AND (", key, value);
    }
    for (size_t i = 1; i < table->key_count; i++)
        str_add(sql, "))");
    str_add(sql, ")");
    const char *key = ident(arena, table->subject, table->keys[0]);
    if (table->key_count > 1)
        str_addf(sql, " AND t.%s %s= %s", key, beyond, keep_value(arena, table, 0, NULL, first));
}

const char *keep_page(Arena *arena, const KeepTable *table, bool after, bool upto, int limit)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    CLEANUP(str_donep) Str order = STR_INIT;
    str_add(&sql, "SELECT ");
    for (size_t i = 0; i < table->key_count; i++) {
        str_addf(&sql, "%s, ", table->key_show[i]);
        str_sep(&order, ", ");
        str_addf(&order, "t.%s", ident(arena, table->subject, table->keys[i]));
    }
    str_addf(&sql, "%s FROM %s t", table->show, table->name);
    if (after) {
        str_add(&sql, " WHERE ");
        add_bound(arena, &sql, table, 1, false);
    }
    if (upto) {
        str_add(&sql, after ? " AND " : " WHERE ");
        add_bound(arena, &sql, table, after ? 1 + table->key_count : 1, true);
    }
    str_addf(&sql, " ORDER BY %s", order.buf);
    if (limit > 0)
        str_addf(&sql, " LIMIT %d", limit);
    return arena_dup(arena, sql.buf);
}

const char *keep_where(Arena *arena, const KeepTable *table, size_t first)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    for (size_t i = 0; i < table->key_count; i++) {
        str_sep(&sql, " AND ");
        str_addf(&sql, "%s = %s", ident(arena, table->subject, table->keys[i]),
                 keep_value(arena, table, (int)i, NULL, first + i));
    }
    return arena_dup(arena, sql.buf);
}
