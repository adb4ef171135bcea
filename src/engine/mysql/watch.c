/* A table's key as the decoder needs it. */
#include "engine/mysql/watch.h"

#include "base/str.h"
#include "engine/mysql/conn.h"

#include <string.h>
#include <strings.h>

/* Types whose logged bytes are known to make a literal that finds the row again. */
static bool type_is_exact(const char *type)
{
    static const char *const exact[] = {
        "tinyint", "smallint",   "mediumint", "int",      "bigint",     "decimal",  "bit",
        "year",    "date",       "time",      "datetime", "timestamp",  "char",     "varchar",
        "binary",  "varbinary",  "tinytext",  "text",     "mediumtext", "longtext", "tinyblob",
        "blob",    "mediumblob", "longblob",  "enum",     "set",
    };
    for (size_t i = 0; i < ARRAY_LEN(exact); i++)
        if (strcasecmp(type, exact[i]) == 0)
            return true;
    return false;
}

enum { CELL_NAME, CELL_ORDINAL, CELL_COLUMN_TYPE, CELL_CHARSET, CELL_TYPE, CELL_NULLABLE };

/* utf8 is named as the server names it now; strings without a character set are bytes. */
static const char *charset_of(const char *charset, const char *type)
{
    if (charset != NULL)
        return strcasecmp(type, "enum") == 0 || strcasecmp(type, "set") == 0 ? NULL : charset;
    return strcasestr(type, "binary") != NULL || strcasestr(type, "blob") != NULL ? "binary" : NULL;
}

static Err *read_column(const Rows *rows, size_t row, const char *where, BinlogColumn *column)
{
    const char *name = rows_cell(rows, row, CELL_NAME), *type = rows_cell(rows, row, CELL_TYPE);
    if (name == NULL || type == NULL)
        return err_new(ERR_UNSAFE, "the key of %s has an expression, whose value is in no row image", where);
    if (!type_is_exact(type))
        return err_new(ERR_UNSAFE, "key column \"%s\" of %s is of type %s, which cannot be followed exactly",
                       name, where, type);
    if (!str_eq(rows_cell(rows, row, CELL_NULLABLE), "NO"))
        return err_new(ERR_UNSAFE, "key column \"%s\" of %s may be NULL", name, where);
    const char *column_type = rows_cell(rows, row, CELL_COLUMN_TYPE);
    *column =
        (BinlogColumn){.name = name,
                       .ordinal = (size_t)rows_int(rows, row, CELL_ORDINAL) - 1,
                       .is_unsigned = column_type != NULL && strcasestr(column_type, "unsigned") != NULL,
                       .charset = charset_of(rows_cell(rows, row, CELL_CHARSET), type)};
    return NULL;
}

Err *watch_load(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                const char *index, BinlogTable *ret_table)
{
    const char *where = arena_printf(arena, "table \"%s.%s\"", schema, table);
    const char *key = index == NULL ? "PRIMARY" : index;
    Rows rows = {0}, all = {0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT s.COLUMN_NAME, c.ORDINAL_POSITION, c.COLUMN_TYPE, c.CHARACTER_SET_NAME, c.DATA_TYPE, "
        "c.IS_NULLABLE FROM information_schema.STATISTICS s LEFT JOIN information_schema.COLUMNS c ON "
        "c.TABLE_SCHEMA = s.TABLE_SCHEMA AND c.TABLE_NAME = s.TABLE_NAME AND c.COLUMN_NAME = "
        "s.COLUMN_NAME WHERE s.TABLE_SCHEMA = $1 AND s.TABLE_NAME = $2 AND s.INDEX_NAME = $3 AND "
        "s.NON_UNIQUE = 0 ORDER BY s.SEQ_IN_INDEX",
        schema, table, key));
    if (rows.row_count == 0)
        return err_new(ERR_UNSAFE, "%s has no %s%s%s", where,
                       index == NULL ? "primary key" : "unique index \"", index == NULL ? "" : index,
                       index == NULL ? "" : "\"");
    /* MariaDB keeps a hidden column, the last ones of the table, for each unique index that is a hash (of
     * BLOBs and long strings); the log has it (seen on 10.11 and 11.8). */
    TRY(conn_params(
        conn, wait, arena, &all,
        "SELECT (SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = $1 AND TABLE_NAME = "
        "$2) + "
        "(SELECT COUNT(DISTINCT s.INDEX_NAME) FROM information_schema.STATISTICS s WHERE s.TABLE_SCHEMA = $1 "
        "AND "
        "s.TABLE_NAME = $2 AND s.INDEX_TYPE = 'HASH' AND s.NON_UNIQUE = 0 AND t.ENGINE = 'InnoDB'), "
        "@@lower_case_table_names, t.TABLE_TYPE FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = $1 "
        "AND "
        "t.TABLE_NAME = $2",
        schema, table));
    if (all.row_count == 0 || str_eq(rows_cell(&all, 0, 2), "SYSTEM VERSIONED"))
        return err_new(ERR_UNSAFE, "%s is %s", where,
                       all.row_count == 0 ? "gone"
                                          : "system-versioned, so old rows share the keys of present ones");
    BinlogColumn *columns = arena_alloc(arena, rows.row_count * sizeof *columns);
    for (size_t i = 0; i < rows.row_count; i++)
        TRY(read_column(&rows, i, where, &columns[i]));
    *ret_table = (BinlogTable){.schema = arena_dup(arena, schema),
                               .name = arena_dup(arena, table),
                               .column_count = (size_t)rows_int(&all, 0, 0),
                               .key = columns,
                               .key_count = rows.row_count,
                               .any_case = rows_int(&all, 0, 1) != 0};
    return NULL;
}

/* Texts that this account may not see are taken for such that lead there. */
Err *watch_leader(Conn *conn, const Wait *wait, Arena *arena, const char *table, const char **ret_leader)
{
    enum { NAME, TEXT };
    Rows rows = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        "SELECT CONCAT('trigger ', TRIGGER_SCHEMA, '.', TRIGGER_NAME), ACTION_STATEMENT FROM "
        "information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN ('sys', 'mysql') AND TRIGGER_NAME NOT LIKE "
        "'stoa|_%' ESCAPE '|' UNION ALL "
        "SELECT CONCAT('view ', TABLE_SCHEMA, '.', TABLE_NAME), VIEW_DEFINITION FROM "
        "information_schema.VIEWS "
        "WHERE TABLE_SCHEMA NOT IN ('sys', 'mysql') AND IS_UPDATABLE = 'YES' UNION ALL "
        "SELECT CONCAT('function ', ROUTINE_SCHEMA, '.', ROUTINE_NAME), ROUTINE_DEFINITION FROM "
        "information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN ('sys', 'mysql') AND ROUTINE_TYPE = "
        "'FUNCTION'"));
    *ret_leader = NULL;
    for (size_t i = 0; i < rows.row_count && *ret_leader == NULL; i++) {
        const char *text = rows_cell(&rows, i, TEXT);
        if (text == NULL || text[0] == '\0' || binlog_text_names(text, table))
            *ret_leader = rows_cell(&rows, i, NAME);
    }
    return NULL;
}
