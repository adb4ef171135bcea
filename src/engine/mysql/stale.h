/* stale.h — a member of EngineOps (see engine/stale.h), and what its files share. */
#pragma once
#include "engine/engine.h"

#include <jansson.h>

Err *my_load_stale(Conn *conn, const Wait *wait, Arena *arena, const Server *server, StaleFact fact,
                   json_t **ret_rows) MUST_USE;

Err *stale_load_indexes(Conn *conn, const Wait *wait, json_t **ret_rows) MUST_USE;
Err *stale_load_objects(Conn *conn, const Wait *wait, json_t **ret_rows) MUST_USE;

/* Rows as objects; `names` of the columns, in order, divided by spaces. NULLs are left out. */
Err *stale_query(Conn *conn, const Wait *wait, const char *names, const char *sql,
                 json_t **ret_rows) MUST_USE;
/* The same of what is there for some only: what the server refuses has no rows. */
Err *stale_query_maybe(Conn *conn, const Wait *wait, const char *names, const char *sql,
                       json_t **ret_rows) MUST_USE;
/* NULL where it is missing. */
const char *stale_member(const json_t *row, const char *member);

/* Whether uses of indexes are counted, and by whom. */
typedef enum Counters { COUNTERS_NONE, COUNTERS_SCHEMA, COUNTERS_USERSTAT } Counters;

/* *ret_why and *ret_remedy where nobody counts. */
Err *stale_counters(Conn *conn, const Wait *wait, Counters *ret_counters, const char **ret_why,
                    const char **ret_remedy) MUST_USE;
