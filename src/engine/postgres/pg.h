/* pg.h — what the files of the PostgreSQL engine share. */
#pragma once
#include "engine/engine.h"

typedef struct PgConn PgConn;

/* The backend's process id as the server announced it when the session began; behind a transaction pooler it
 * is not the one that pg_backend_pid() answers. */
int pg_conn_backend_pid(const Conn *conn);
/* 150020. */
int pg_conn_version(const Conn *conn);

/* Shorthand: one query with one parameter or none, in `arena`. */
Err *pg_query(Conn *conn, const Wait *wait, Arena *arena, const char *sql, size_t param_count,
              const char *const *params, Rows *ret_rows) MUST_USE;
