/* catalog.h — the parts that my_load_table() puts together; see my.h. `table` has its schema, name and kind,
 * and `my` is table->my. Texts in `arena`. */
#pragma once
#include "engine/mysql/my.h"

/* catalog_column.c */
Err *my_load_columns(Conn *conn, const Wait *wait, Arena *arena, Table *table, MyTable *my) MUST_USE;
/* catalog_key.c: indexes, then constraints and foreign keys both ways. */
Err *my_load_indexes(Conn *conn, const Wait *wait, Arena *arena, Table *table, MyTable *my) MUST_USE;
Err *my_load_constraints(Conn *conn, const Wait *wait, Arena *arena, Table *table, MyTable *my) MUST_USE;
/* Whose foreign keys lead to the table: rows are (schema, table). ret_known is false where the
 * account sees only those of tables that it may use (PROCESS is missing). */
Err *my_find_children(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                      Rows *ret_rows, bool *ret_known) MUST_USE;
/* catalog_around.c: triggers, views, partitions, row versions. */
Err *my_load_around(Conn *conn, const Wait *wait, Arena *arena, Table *table, MyTable *my) MUST_USE;

/* The server's text for a check or a generated column as information_schema has it: MySQL puts backslashes
 * before quotes there. */
const char *my_expression(const Flavor *flavor, Arena *arena, const char *text);
/* "innodb_tables", or what it is called before MySQL 8 and on MariaDB: "innodb_sys_tables". */
const char *my_innodb_view(const Flavor *flavor, Arena *arena, const char *what);
