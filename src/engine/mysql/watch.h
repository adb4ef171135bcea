/* watch.h — what the decoder has to know of a table before it can read its keys, from information_schema. */
#pragma once
#include "engine/engine.h"
#include "engine/mysql/binlog.h"

/* The table with its primary key, or with the unique index `index` (NULL: the primary key). Texts in `arena`.
 * ERR_UNSAFE, naming what is in the way, where there is no such key, where the table is system-versioned,
 * where a key column may be NULL or is an expression, or where its type has no exact literal (FLOAT, DOUBLE,
 * JSON, GEOMETRY, VECTOR, UUID, INET). */
Err *watch_load(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                const char *index, BinlogTable *ret_table) MUST_USE;

/* What may lead from other tables to this one, as far as the account sees it: "trigger shop.t_log", a view
 * that can be written to, a function; NULL where there is none. In `arena`. */
Err *watch_leader(Conn *conn, const Wait *wait, Arena *arena, const char *table,
                  const char **ret_leader) MUST_USE;
