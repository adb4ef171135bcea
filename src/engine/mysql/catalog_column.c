/* Columns as information_schema tells them. */
#include "engine/mysql/catalog.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    NAME,
    TYPE,
    DATA_TYPE,
    NULLABLE,
    DEFAULT,
    EXTRA,
    CHARSET,
    COLLATION,
    COMMENT,
    CHARACTERS,
    BYTES,
    PRECISION,
    SCALE,
    FRACTION,
    GENERATED,
};

static bool among(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcasecmp(word, *words) == 0)
            return true;
    return false;
}

/* A value's bytes are the same wherever "=" holds. Of texts only those without padding and compared by bytes;
 * of CHAR the padding is not kept anyway. */
static bool is_exact(const char *data_type, const char *collation)
{
    static const char *const exact[] = {
        "tinyint",    "smallint", "mediumint", "int", "bigint", "decimal",   "date",     "time",
        "year",       "datetime", "timestamp", "bit", "binary", "varbinary", "tinyblob", "blob",
        "mediumblob", "longblob", "enum",      "set", "uuid",   "inet4",     "inet6",    NULL};
    if (among(data_type, exact))
        return true;
    if (collation == NULL)
        return false;
    bool by_bytes = strstr(collation, "_bin") != NULL;
    bool unpadded = strstr(collation, "_0900_") != NULL || strstr(collation, "nopad") != NULL;
    return by_bytes && (unpadded || strcasecmp(data_type, "char") == 0);
}

static int64_t number(const Rows *rows, size_t row, size_t col)
{
    return rows_cell(rows, row, col) == NULL ? -1 : rows_int(rows, row, col);
}

/* MariaDB tells defaults as SQL, MySQL constants as their plain value. */
static const char *default_of(Conn *conn, Arena *arena, const MyColumn *column, const char *text,
                              const char *extra)
{
    static const char *const moments[] = {"timestamp", "datetime", NULL};
    static const char *const binaries[] = {"binary", "varbinary", NULL};
    const Flavor *flavor = my_flavor(conn);
    if (text == NULL || column->generated != NULL || column->auto_increment)
        return NULL;
    if (flavor_is_mariadb(flavor))
        return str_eq(text, "NULL") ? NULL : text;
    if (among(column->data_type, moments) && strncasecmp(text, "CURRENT_TIMESTAMP", 17) == 0)
        return text;
    if (strstr(extra, "DEFAULT_GENERATED") != NULL)
        return arena_printf(arena, "(%s)", my_expression(flavor, arena, text));
    bool is_sql = strcasecmp(column->data_type, "bit") == 0 ||
                  (among(column->data_type, binaries) && str_starts(text, "0x"));
    return is_sql ? text : my_literal(conn, arena, text);
}

static bool is_computed(const MyColumn *column)
{
    const char *text = column->default_sql;
    return text != NULL && text[0] != '\'' && strncasecmp(text, "b'", 2) != 0 &&
           strncasecmp(text, "x'", 2) != 0 && strspn(text, "0123456789.-+eE") != strlen(text) &&
           !str_starts(text, "0x");
}

static void read_column(Conn *conn, Arena *arena, const Rows *rows, size_t row, MyColumn *column)
{
    const char *extra = rows_cell(rows, row, EXTRA), *comment = rows_cell(rows, row, COMMENT);
    extra = extra == NULL ? "" : extra;
    const char *update = strcasestr(extra, "on update ");
    const char *generated = my_expression(my_flavor(conn), arena, rows_cell(rows, row, GENERATED));
    *column = (MyColumn){
        .name = rows_cell(rows, row, NAME),
        .type = rows_cell(rows, row, TYPE),
        .data_type = rows_cell(rows, row, DATA_TYPE),
        .charset = rows_cell(rows, row, CHARSET),
        .collation = rows_cell(rows, row, COLLATION),
        .on_update = update == NULL ? NULL : arena_dupn(arena, update + 10, strcspn(update + 10, ",")),
        .generated = generated == NULL || generated[0] == '\0' ? NULL : generated,
        .comment = comment == NULL ? "" : comment,
        .not_null = str_eq(rows_cell(rows, row, NULLABLE), "NO"),
        .stored = strcasestr(extra, "STORED") != NULL || strcasestr(extra, "PERSISTENT") != NULL,
        .auto_increment = strcasestr(extra, "auto_increment") != NULL,
        .invisible = strcasestr(extra, "INVISIBLE") != NULL,
        .compressed = strcasestr(rows_cell(rows, row, TYPE), "COMPRESSED*/") != NULL,
        .unversioned = strcasestr(extra, "WITHOUT SYSTEM VERSIONING") != NULL,
        .characters = number(rows, row, CHARACTERS),
        .bytes = number(rows, row, BYTES),
        .precision = (int)number(rows, row, PRECISION),
        .scale = (int)number(rows, row, SCALE),
        .fraction = (int)number(rows, row, FRACTION),
    };
    column->default_sql = default_of(conn, arena, column, rows_cell(rows, row, DEFAULT), extra);
    column->default_computed = is_computed(column);
}

Err *my_load_columns(Conn *conn, const Wait *wait, Arena *arena, Table *table, MyTable *my)
{
    const Flavor *flavor = my_flavor(conn);
    /* MySQL 5.7.6 and MariaDB 10.2.5 release notes: the column is there */
    bool has_generated = flavor->version >= (flavor_is_mariadb(flavor) ? 100205 : 50706);
    const char *sql = arena_printf(
        arena,
        "SELECT column_name, column_type, data_type, is_nullable, column_default, extra, character_set_name, "
        "collation_name, column_comment, character_maximum_length, character_octet_length, "
        "numeric_precision, "
        "numeric_scale, datetime_precision, %s FROM information_schema.columns "
        "WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position",
        has_generated ? "generation_expression" : "NULL");
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows, sql, table->schema, table->name));
    my->columns = arena_alloc(arena, (rows.row_count + 1) * sizeof *my->columns);
    table->columns = arena_alloc(arena, (rows.row_count + 1) * sizeof *table->columns);
    my->column_count = table->column_count = rows.row_count;
    for (size_t i = 0; i < rows.row_count; i++) {
        MyColumn *column = &my->columns[i];
        read_column(conn, arena, &rows, i, column);
        my->virtual_columns = my->virtual_columns || (column->generated != NULL && !column->stored);
        table->columns[i] = (Column){
            .name = column->name,
            .type = column->type,
            .default_sql = column->default_sql,
            .generated_sql = column->generated,
            .collation = column->collation,
            .not_null = column->not_null,
            .exact_equality = is_exact(column->data_type, column->collation),
            .writable = column->generated == NULL,
        };
    }
    return NULL;
}
