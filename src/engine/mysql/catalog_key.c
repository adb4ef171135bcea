/* Indexes, constraints and foreign keys as information_schema tells them. */
#include "engine/mysql/catalog.h"

#include "base/str.h"
#include "engine/mysql/quote.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- indexes ---------------------------------------------------------------------------------------------
 */

enum { INDEX, NON_UNIQUE, COLUMN, PREFIX, ORDER, NULLABLE, KIND, COMMENT, EXPRESSION, HIDDEN };

static const char *index_sql(const Flavor *flavor, Arena *arena)
{
    bool is_mariadb = flavor_is_mariadb(flavor);
    /* MySQL 8.0.13: functional key parts; 8.0.0: invisible indexes; MariaDB 10.6: ignored indexes (release
     * notes) */
    return arena_printf(
        arena,
        "SELECT index_name, non_unique, column_name, sub_part, collation, nullable, index_type, "
        "index_comment, "
        "%s, %s FROM information_schema.statistics WHERE table_schema = $1 AND table_name = $2 "
        "ORDER BY index_name = 'PRIMARY' DESC, index_name, seq_in_index",
        !is_mariadb && flavor->version >= 80013 ? "expression" : "NULL",
        is_mariadb ? (flavor->version >= 100600 ? "ignored = 'YES'" : "0")
                   : (flavor->version >= 80000 ? "is_visible = 'NO'" : "0"));
}

static MyIndexPart read_part(const Flavor *flavor, Arena *arena, const Rows *rows, size_t row)
{
    return (MyIndexPart){.column = rows_cell(rows, row, COLUMN),
                         .expression = my_expression(flavor, arena, rows_cell(rows, row, EXPRESSION)),
                         .prefix = rows_int(rows, row, PREFIX),
                         .descending = str_eq(rows_cell(rows, row, ORDER), "D"),
                         .nullable = str_eq(rows_cell(rows, row, NULLABLE), "YES")};
}

static const char *index_definition(Arena *arena, const MyIndex *index)
{
    CLEANUP(str_donep) Str str = STR_INIT;
    bool special = str_eq(index->kind, "FULLTEXT") || str_eq(index->kind, "SPATIAL");
    str_addf(&str, "%s%s%s (",
             str_eq(index->name, "PRIMARY") ? "PRIMARY KEY"
             : special                      ? index->kind
             : index->unique                ? "UNIQUE KEY "
                                            : "KEY ",
             special ? " KEY " : "", str_eq(index->name, "PRIMARY") ? "" : my_ident(arena, index->name));
    for (size_t i = 0; i < index->part_count; i++) {
        const MyIndexPart *part = &index->parts[i];
        str_add(&str, i == 0 ? "" : ", ");
        if (part->column == NULL)
            str_addf(&str, "(%s)", part->expression == NULL ? "" : part->expression);
        else
            str_add(&str, my_ident(arena, part->column));
        if (part->prefix > 0 && !special)
            str_addf(&str, "(%lld)", (long long)part->prefix);
        str_add(&str, part->descending ? " DESC" : "");
    }
    str_add(&str, ")");
    if (str_eq(index->kind, "HASH") || str_eq(index->kind, "RTREE"))
        str_addf(&str, " USING %s", index->kind);
    str_add(&str, index->hidden ? " INVISIBLE" : "");
    return arena_dup(arena, str.buf);
}

static bool is_integer(const Table *table, const char *name)
{
    static const char *const words[] = {"tinyint", "smallint", "mediumint", "int", "bigint"};
    const Column *column = name == NULL ? NULL : table_column(table, name);
    for (size_t i = 0; column != NULL && i < ARRAY_LEN(words); i++)
        if (str_starts(column->type, words[i]) && (column->type[strlen(words[i])] & 0x60) != 0x60)
            return true;
    return false;
}

static void read_index(Arena *arena, const Table *table, const MyIndex *from, Index *index)
{
    bool plain = true;
    const char **columns = arena_alloc(arena, (from->part_count + 1) * sizeof *columns);
    for (size_t i = 0; i < from->part_count; i++) {
        columns[i] = from->parts[i].column;
        plain = plain && columns[i] != NULL && from->parts[i].prefix == 0 && !from->parts[i].nullable;
    }
    bool primary = str_eq(from->name, "PRIMARY");
    *index = (Index){
        .schema = table->schema,
        .name = from->name,
        .definition = index_definition(arena, from),
        .constraint = from->unique ? from->name : NULL,
        .columns = columns,
        .column_count = from->part_count,
        .unique = from->unique,
        .primary = primary,
        .valid = true,
        .btree = str_eq(from->kind, "BTREE"),
        /* MariaDB's unique hashes (over long texts) order nothing, and what the optimiser does not use is no
         * way to walk */
        .key = from->unique && plain && str_eq(from->kind, "BTREE") && (primary || !from->hidden),
    };
    index->integer_key = index->key && from->part_count == 1 && is_integer(table, columns[0]);
}

Err *my_load_indexes(Conn *conn, const Wait *wait, Arena *arena, Table *table, MyTable *my)
{
    const Flavor *flavor = my_flavor(conn);
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows, index_sql(flavor, arena), table->schema, table->name));
    VEC(MyIndex) indexes = {0};
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *name = rows_cell(&rows, i, INDEX);
        if (indexes.len == 0 || !str_eq(indexes.items[indexes.len - 1].name, name))
            *vec_push(arena, &indexes) =
                (MyIndex){.name = name,
                          .kind = rows_cell(&rows, i, KIND),
                          .comment = rows_cell(&rows, i, COMMENT),
                          .parts = arena_alloc(arena, (rows.row_count - i) * sizeof(MyIndexPart)),
                          .unique = rows_int(&rows, i, NON_UNIQUE) == 0,
                          .hidden = rows_int(&rows, i, HIDDEN) != 0};
        MyIndex *index = &indexes.items[indexes.len - 1];
        index->parts[index->part_count++] = read_part(flavor, arena, &rows, i);
    }
    my->indexes = indexes.items;
    my->index_count = table->index_count = indexes.len;
    table->indexes = arena_alloc(arena, (indexes.len + 1) * sizeof *table->indexes);
    for (size_t i = 0; i < indexes.len; i++) {
        read_index(arena, table, &indexes.items[i], &table->indexes[i]);
        my->fulltext = my->fulltext || str_eq(indexes.items[i].kind, "FULLTEXT");
        my->spatial = my->spatial || str_eq(indexes.items[i].kind, "SPATIAL");
    }
    return NULL;
}

/* ---- foreign keys ----------------------------------------------------------------------------------------
 */

typedef VEC(MyForeignKey) ForeignKeys;

/* Those of one table; with `parent` only those that lead to it. */
static Err *load_foreign_keys(Conn *conn, const Wait *wait, Arena *arena, const char *schema,
                              const char *name, const Table *parent, ForeignKeys *keys)
{
    enum { NAME, CHILD_COLUMN, REF_SCHEMA, REF_TABLE, REF_COLUMN, ON_DELETE, ON_UPDATE };
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT k.constraint_name, k.column_name, k.referenced_table_schema, "
                    "k.referenced_table_name, k.referenced_column_name, r.delete_rule, r.update_rule "
                    "FROM information_schema.key_column_usage k "
                    "JOIN information_schema.referential_constraints r ON r.constraint_schema = $1 "
                    "AND r.table_name = $2 AND r.constraint_name = k.constraint_name "
                    "WHERE k.table_schema = $1 AND k.table_name = $2 AND k.referenced_table_name IS NOT NULL "
                    "ORDER BY k.constraint_name, k.ordinal_position",
                    schema, name));
    const char *last = NULL;
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *ref_schema = rows_cell(&rows, i, REF_SCHEMA), *ref_table = rows_cell(&rows, i, REF_TABLE);
        if (parent != NULL &&
            (strcasecmp(ref_schema, parent->schema) != 0 || strcasecmp(ref_table, parent->name) != 0))
            continue;
        if (!str_eq(last, rows_cell(&rows, i, NAME)))
            *vec_push(arena, keys) =
                (MyForeignKey){.name = rows_cell(&rows, i, NAME),
                               .schema = arena_dup(arena, schema),
                               .table = arena_dup(arena, name),
                               .columns = arena_alloc(arena, (rows.row_count - i) * sizeof(char *)),
                               .ref_schema = ref_schema,
                               .ref_table = ref_table,
                               .ref_columns = arena_alloc(arena, (rows.row_count - i) * sizeof(char *)),
                               .on_delete = rows_cell(&rows, i, ON_DELETE),
                               .on_update = rows_cell(&rows, i, ON_UPDATE)};
        last = rows_cell(&rows, i, NAME);
        MyForeignKey *key = &keys->items[keys->len - 1];
        size_t at = key->count++;
        ((const char **)(uintptr_t)key->columns)[at] = rows_cell(&rows, i, CHILD_COLUMN);
        ((const char **)(uintptr_t)key->ref_columns)[at] = rows_cell(&rows, i, REF_COLUMN);
    }
    return NULL;
}

/* The children's names as InnoDB knows them; rows are (schema, table). information_schema would open every
 * table of the server for that on MariaDB, and show only tables that the role may use. */
Err *my_find_children(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                      Rows *ret_rows, bool *ret_known)
{
    const char *from = my_innodb_view(my_flavor(conn), arena, "foreign");
    /* MariaDB and MySQL 5.x keep these names in the form of file names; MySQL 8 has them plain, and has no
     * such character set any more (seen on 9.7). */
    bool encoded = strstr(from, "_sys_") != NULL;
    const char *sql = arena_printf(
        arena,
        encoded
            ? "SELECT DISTINCT CONVERT(CONVERT(CONVERT(SUBSTRING_INDEX(for_name, '/', 1) USING binary) USING "
              "filename) USING utf8mb4), CONVERT(CONVERT(CONVERT(SUBSTRING_INDEX(for_name, '/', -1) USING "
              "binary) USING filename) USING utf8mb4) FROM %s WHERE ref_name = CONCAT("
              "CONVERT(CONVERT(CONVERT($1 USING filename) USING binary) USING utf8mb4), '/', "
              "CONVERT(CONVERT(CONVERT($2 USING filename) USING binary) USING utf8mb4))"
            : "SELECT DISTINCT SUBSTRING_INDEX(for_name, '/', 1), SUBSTRING(for_name, LOCATE('/', for_name) "
              "+ 1) "
              "FROM %s WHERE ref_name = CONCAT($1, '/', $2)",
        from);
    Err *err = conn_params(conn, wait, arena, ret_rows, sql, schema, table);
    *ret_known = err == NULL;
    if (!err_is(err, ERR_PRIVILEGE))
        return err;
    err_free(err);
    return conn_params(conn, wait, arena, ret_rows,
                       "SELECT DISTINCT table_schema, table_name FROM information_schema.key_column_usage "
                       "WHERE referenced_table_schema = $1 AND referenced_table_name = $2",
                       schema, table);
}

static char *column_list(Arena *arena, const char *const *columns, size_t count)
{
    CLEANUP(str_donep) Str str = STR_INIT;
    for (size_t i = 0; i < count; i++)
        str_addf(&str, "%s%s", i == 0 ? "" : ", ", my_ident(arena, columns[i]));
    return arena_dup(arena, str.buf);
}

/* ---- constraints -----------------------------------------------------------------------------------------
 */

static Err *load_checks(Conn *conn, const Wait *wait, Arena *arena, const Table *table, MyTable *my,
                        Rows *ret_rows)
{
    enum { NAME, CLAUSE, ENFORCED, OF_COLUMN };
    const Flavor *flavor = my_flavor(conn);
    if (!flavor_can(flavor, FACT_CHECK))
        return NULL;
    /* MariaDB 10.5.10: LEVEL (release notes); MySQL 8.0.16: ENFORCED */
    const char *sql =
        flavor_is_mariadb(flavor)
            ? arena_printf(
                  arena,
                  "SELECT constraint_name, check_clause, 1, %s FROM information_schema.check_constraints "
                  "WHERE constraint_schema = $1 AND table_name = $2 ORDER BY 1",
                  flavor->version >= 100510 ? "level = 'Column'" : "0")
            : "SELECT c.constraint_name, c.check_clause, t.enforced = 'YES', 0 "
              "FROM information_schema.table_constraints t JOIN information_schema.check_constraints c "
              "ON c.constraint_schema = t.constraint_schema AND c.constraint_name = t.constraint_name "
              "WHERE t.table_schema = $1 AND t.table_name = $2 AND t.constraint_type = 'CHECK' ORDER BY 1";
    TRY(conn_params(conn, wait, arena, ret_rows, sql, table->schema, table->name));
    for (size_t i = 0; i < ret_rows->row_count; i++)
        for (size_t at = 0; rows_bool(ret_rows, i, OF_COLUMN) && at < my->column_count; at++)
            if (str_eq(my->columns[at].name, rows_cell(ret_rows, i, NAME)))
                my->columns[at].check = rows_cell(ret_rows, i, CLAUSE);
    return NULL;
}

static void list_constraints(const Flavor *flavor, Arena *arena, Table *table, const MyTable *my,
                             const Rows *checks)
{
    VEC(TableConstraint) list = {0};
    for (size_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].unique)
            *vec_push(arena, &list) = (TableConstraint){.name = table->indexes[i].name,
                                                        .kind = table->indexes[i].primary ? 'p' : 'u',
                                                        .validated = true,
                                                        .definition = table->indexes[i].definition};
    for (size_t i = 0; i < checks->row_count; i++)
        *vec_push(arena, &list) = (TableConstraint){
            .name = rows_cell(checks, i, 0),
            .kind = 'c',
            .validated = rows_bool(checks, i, 2),
            .definition =
                arena_printf(arena, "CHECK (%s)%s", my_expression(flavor, arena, rows_cell(checks, i, 1)),
                             rows_bool(checks, i, 2) ? "" : " NOT ENFORCED")};
    for (size_t i = 0; i < my->parent_count; i++) {
        const MyForeignKey *key = &my->parents[i];
        *vec_push(arena, &list) = (TableConstraint){
            .name = key->name,
            .kind = 'f',
            .validated = true,
            .ref_schema = key->ref_schema,
            .ref_table = key->ref_table,
            .definition = arena_printf(
                arena, "FOREIGN KEY (%s) REFERENCES %s (%s) ON DELETE %s ON UPDATE %s",
                column_list(arena, key->columns, key->count), my_name(arena, key->ref_schema, key->ref_table),
                column_list(arena, key->ref_columns, key->count), key->on_delete, key->on_update)};
    }
    for (size_t i = 0; i < list.len; i++)
        list.items[i].local = true;
    table->constraints = list.items;
    table->constraint_count = list.len;
}

Err *my_load_constraints(Conn *conn, const Wait *wait, Arena *arena, Table *table, MyTable *my)
{
    ForeignKeys parents = {0}, children = {0};
    Rows names = {0}, checks = {0};
    TRY(load_foreign_keys(conn, wait, arena, table->schema, table->name, NULL, &parents));
    TRY(my_find_children(conn, wait, arena, table->schema, table->name, &names, &my->children_known));
    for (size_t i = 0; i < names.row_count; i++)
        TRY(load_foreign_keys(conn, wait, arena, rows_cell(&names, i, 0), rows_cell(&names, i, 1), table,
                              &children));
    my->parents = parents.items;
    my->parent_count = parents.len;
    my->children = children.items;
    my->child_count = children.len;
    TRY(load_checks(conn, wait, arena, table, my, &checks));
    list_constraints(my_flavor(conn), arena, table, my, &checks);
    return NULL;
}
