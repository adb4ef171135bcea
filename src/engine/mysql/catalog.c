/* Tables as information_schema tells them. */
#include "engine/mysql/catalog.h"

#include "base/str.h"
#include "engine/mysql/quote.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int64_t my_table_id(const char *schema, const char *name)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *part = schema; part != NULL; part = part == schema ? name : NULL) {
        for (const char *at = part; *at != '\0'; at++)
            hash = (hash ^ (unsigned char)*at) * 1099511628211u;
        hash = (hash ^ '/') * 1099511628211u;
    }
    return (int64_t)(hash >> 1 | 1);
}

const char *my_expression(const Flavor *flavor, Arena *arena, const char *text)
{
    if (text == NULL || flavor_is_mariadb(flavor))
        return text;
    char *plain = arena_dup(arena, text), *to = plain;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\\' && (at[1] == '\'' || at[1] == '\\'))
            at++;
        *to++ = *at;
    }
    *to = '\0';
    return plain;
}

const char *my_innodb_view(const Flavor *flavor, Arena *arena, const char *what)
{
    bool is_new = !flavor_is_mariadb(flavor) && flavor->version >= 80000;
    return arena_printf(arena, "information_schema.%s%s", is_new ? "innodb_" : "innodb_sys_", what);
}

/* ---- which one -------------------------------------------------------------------------------------------
 */

enum { NAME_SCHEMA, NAME_TABLE, NAME_TYPE };

/* information_schema may compare without case: the one that is spelled so, else a single one where names have
 * no case. */
static size_t pick(const Rows *rows, const char *name, bool any_case)
{
    for (size_t i = 0; i < rows->row_count; i++)
        if (str_eq(rows_cell(rows, i, NAME_TABLE), name))
            return i;
    for (size_t i = 0; any_case && i < rows->row_count; i++)
        if (strcasecmp(rows_cell(rows, i, NAME_TABLE), name) == 0)
            return i;
    return SIZE_MAX;
}

static Err *find(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                 Rows *ret_rows, size_t *ret_row)
{
    Rows any_case = {0};
    TRY(conn_query(conn, wait, arena, &any_case, "SELECT @@lower_case_table_names"));
    const char *const params[] = {schema, name};
    TRY(conn->ops->query(conn, wait, arena,
                         "SELECT table_schema, table_name, table_type FROM information_schema.tables "
                         "WHERE table_schema = COALESCE($1, DATABASE()) AND table_name = $2",
                         2, params, ret_rows));
    *ret_row = pick(ret_rows, name, rows_int(&any_case, 0, 0) != 0);
    return NULL;
}

Err *my_find_table(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                   int64_t *ret_id)
{
    Rows rows = {0};
    size_t row = SIZE_MAX;
    TRY(find(conn, wait, arena, schema, name, &rows, &row));
    *ret_id = row == SIZE_MAX
                  ? 0
                  : my_table_id(rows_cell(&rows, row, NAME_SCHEMA), rows_cell(&rows, row, NAME_TABLE));
    return NULL;
}

/* There is none: what is near to it. */
static Err *load_missing(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                         Table *table)
{
    Rows rows = {0};
    const char *const params[] = {schema, name};
    TRY(conn->ops->query(conn, wait, arena,
                         "SELECT (SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = "
                         "COALESCE($1, DATABASE())), (SELECT MIN(table_name) FROM information_schema.tables "
                         "WHERE table_schema = COALESCE($1, DATABASE()) AND LOWER(table_name) = LOWER($2)), "
                         "DATABASE()",
                         2, params, &rows));
    table->schema = schema != NULL ? arena_dup(arena, schema) : rows_cell(&rows, 0, 2);
    table->name = arena_dup(arena, name);
    table->kind = RELATION_MISSING;
    table->schema_missing = rows_int(&rows, 0, 0) == 0;
    const char *similar = rows_cell(&rows, 0, 1);
    table->similar = similar == NULL || str_eq(similar, name) ? NULL : my_ident(arena, similar);
    return NULL;
}

static RelationKind kind_of(const char *schema, const char *type, const char *options)
{
    static const char *const system[] = {"information_schema", "mysql", "performance_schema", "sys"};
    for (size_t i = 0; i < ARRAY_LEN(system); i++)
        if (strcasecmp(schema, system[i]) == 0)
            return RELATION_SYSTEM;
    if (strstr(type, "VIEW") != NULL)
        return RELATION_VIEW;
    if (!str_eq(type, "BASE TABLE") && !str_eq(type, "SYSTEM VERSIONED"))
        return RELATION_OTHER; /* MariaDB's sequences */
    return options != NULL && strstr(options, "partitioned") != NULL ? RELATION_PARTITIONED : RELATION_TABLE;
}

/* ---- the table itself ------------------------------------------------------------------------------------
 */

/* "utf8mb4" of "utf8mb4_general_ci": every collation's name begins with its character set's. */
static const char *charset_of(Arena *arena, const char *collation)
{
    return collation == NULL ? NULL : arena_dupn(arena, collation, strcspn(collation, "_"));
}

static bool option_is(const char *options, const char *name, const char *value)
{
    const char *at = strcasestr(options, name);
    if (at == NULL)
        return false;
    at += strlen(name);
    at += strspn(at, "`=\"' ");
    return strncasecmp(at, value, strlen(value)) == 0;
}

static Err *load_head(Conn *conn, const Wait *wait, Arena *arena, Table *table, MyTable *my)
{
    enum { TYPE, ENGINE, FORMAT, ROWS, DATA, INDEX, NEXT, COLLATION, OPTIONS, COMMENT };
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT table_type, engine, row_format, table_rows, data_length, index_length, "
                    "auto_increment, table_collation, create_options, table_comment "
                    "FROM information_schema.tables WHERE table_schema = $1 AND table_name = $2",
                    table->schema, table->name));
    if (rows.row_count == 0) { /* it went this moment */
        table->kind = RELATION_MISSING;
        return NULL;
    }
    const char *options = rows_cell(&rows, 0, OPTIONS), *comment = rows_cell(&rows, 0, COMMENT);
    table->kind = kind_of(table->schema, rows_cell(&rows, 0, TYPE), options);
    table->row_estimate = rows_int(&rows, 0, ROWS);
    table->heap_bytes = rows_int(&rows, 0, DATA);
    table->index_bytes = rows_int(&rows, 0, INDEX);
    table->total_bytes = table->heap_bytes + table->index_bytes;
    my->engine = rows_cell(&rows, 0, ENGINE);
    my->row_format = rows_cell(&rows, 0, FORMAT);
    my->auto_increment = rows_cell(&rows, 0, NEXT);
    my->collation = rows_cell(&rows, 0, COLLATION);
    my->charset = charset_of(arena, my->collation);
    my->options = options == NULL ? "" : options;
    my->comment = comment == NULL || table->kind == RELATION_VIEW ? "" : comment;
    my->innodb = my->engine != NULL && strcasecmp(my->engine, "InnoDB") == 0;
    my->system_versioned = str_eq(rows_cell(&rows, 0, TYPE), "SYSTEM VERSIONED");
    my->compressed =
        (my->row_format != NULL && strcasecmp(my->row_format, "Compressed") == 0) ||
        option_is(my->options, "PAGE_COMPRESSED", "1") || option_is(my->options, "PAGE_COMPRESSED", "ON") ||
        option_is(my->options, "compression", "zlib") || option_is(my->options, "compression", "lz4");
    my->encrypted = option_is(my->options, "ENCRYPTED", "YES") || option_is(my->options, "ENCRYPTION", "Y");
    return NULL;
}

static Err *load_create(Conn *conn, const Wait *wait, Arena *arena, const Table *table, MyTable *my)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena, "SHOW CREATE TABLE %s", my_name(arena, table->schema, table->name))));
    my->create_sql = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 1);
    return NULL;
}

/* Counted, since InnoDB's statistics may tell of no rows where there are millions. Without the right to read
 * rows it is not known. */
static Err *load_count(Conn *conn, const Wait *wait, Arena *arena, Table *table, MyTable *my)
{
    Rows rows = {0};
    Err *err = conn_query(conn, wait, arena, &rows,
                          arena_printf(arena, "SELECT COUNT(*) FROM (SELECT 1 FROM %s LIMIT %d) AS counted",
                                       my_name(arena, table->schema, table->name), MY_ROWS_COUNTED));
    if (err_is(err, ERR_PRIVILEGE)) {
        err_free(err);
        return NULL;
    }
    TRY(err);
    my->row_count = rows_int(&rows, 0, 0);
    table->empty = my->row_count == 0;
    return NULL;
}

Err *my_load_table(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const char *schema,
                   const char *name, Table *ret_table)
{
    (void)server;
    Rows rows = {0};
    size_t row = SIZE_MAX;
    Table table = {0};
    TRY(find(conn, wait, arena, schema, name, &rows, &row));
    if (row == SIZE_MAX) {
        TRY(load_missing(conn, wait, arena, schema, name, &table));
        *ret_table = table;
        return NULL;
    }
    MyTable *my = arena_alloc(arena, sizeof *my);
    table.schema = rows_cell(&rows, row, NAME_SCHEMA);
    table.name = rows_cell(&rows, row, NAME_TABLE);
    table.owner = "";
    table.may_own = true; /* these servers have no owner: a missing right shows when it is used */
    table.my = my;
    my->row_versions = -1;
    my->row_count = -1;
    TRY(load_create(conn, wait, arena, &table, my));
    TRY(load_head(conn, wait, arena, &table, my));
    TRY(my_load_columns(conn, wait, arena, &table, my));
    bool has_rows = table.kind == RELATION_TABLE || table.kind == RELATION_PARTITIONED;
    if (has_rows) {
        TRY(my_load_indexes(conn, wait, arena, &table, my));
        TRY(my_load_constraints(conn, wait, arena, &table, my));
        TRY(my_load_around(conn, wait, arena, &table, my));
        TRY(load_count(conn, wait, arena, &table, my));
    }
    table.id = table.kind == RELATION_MISSING ? 0 : my_table_id(table.schema, table.name);
    *ret_table = table;
    return NULL;
}
