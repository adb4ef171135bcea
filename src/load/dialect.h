/* dialect.h — private to load/: what an application says differently on another kind of server. */
#pragma once
#include "load/load.h"

typedef struct Session Session;

typedef struct LoadDialect {
    bool has_new_column; /* the application may know a new column, and a twin needs one */
    /* schema.name as it stands in SQL; `schema` NULL: by itself. */
    char *(*name)(Arena *arena, const char *schema, const char *name);
    /* Makes a fresh connection an application's. */
    Err *(*settle)(Session *session);
    /* Before each item. */
    Err *(*prepare)(Session *session);
    /* Whether an application that is prepared for it takes this failure in its stride, and tries again. */
    bool (*expects)(Session *session, const Err *err, const char *text);
    void (*rollback)(Session *session);
    /* Before the first item: keys to take, and tables that the hostile profile needs beside. */
    Err *(*look)(Load *load);
    /* One item; on failure the transaction may still be open. */
    Err *(*plain_item)(Session *session);
    Err *(*hostile_item)(Session *session);
    /* As load.h promises. */
    Err *(*orders_create)(Conn *conn, const Wait *wait, const char *schema, const char *table,
                          int64_t row_count);
    Err *(*twin_create)(Conn *conn, const Wait *wait, const char *schema, const char *table, const char *twin,
                        const char *new_column, const char *new_expr);
    Err *(*twin_compare)(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                         const char *twin, const char *new_column, int64_t *ret_difference_count,
                         const char **ret_sample, bool *ret_compared_new);
} LoadDialect;

extern const LoadDialect load_dialect_pg, load_dialect_my;
const LoadDialect *load_dialect(const EngineOps *ops) __attribute__((returns_nonnull));

/* PostgreSQL: orders.c, twin.c, plain.c, hostile.c. */
Err *pg_orders_create(Conn *conn, const Wait *wait, const char *schema, const char *table,
                      int64_t row_count) MUST_USE;
Err *pg_twin_create(Conn *conn, const Wait *wait, const char *schema, const char *table, const char *twin,
                    const char *new_column, const char *new_expr) MUST_USE;
Err *pg_twin_compare(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                     const char *twin, const char *new_column, int64_t *ret_difference_count,
                     const char **ret_sample, bool *ret_compared_new) MUST_USE;
Err *plain_item(Session *session) MUST_USE;
Err *hostile_item(Session *session) MUST_USE;

/* MySQL and MariaDB: orders_my.c, items_my.c. */
Err *my_orders_create(Conn *conn, const Wait *wait, const char *schema, const char *table,
                      int64_t row_count) MUST_USE;
Err *my_twin_create(Conn *conn, const Wait *wait, const char *schema, const char *table, const char *twin,
                    const char *new_column, const char *new_expr) MUST_USE;
Err *my_twin_compare(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                     const char *twin, const char *new_column, int64_t *ret_difference_count,
                     const char **ret_sample, bool *ret_compared_new) MUST_USE;
Err *my_plain_item(Session *session) MUST_USE;
Err *my_hostile_item(Session *session) MUST_USE;
/* schema.name in backticks. */
char *my_load_name(Arena *arena, const char *schema, const char *name) __attribute__((returns_nonnull));
