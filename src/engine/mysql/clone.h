/* clone.h — empty copies of tables in scratch databases of the same server, made and made again. */
#pragma once
#include "engine/mysql/scratch.h"

/* Makes a table in `database` from its CREATE TABLE, whatever the session's settings are, with references to
 * what is not there. The session is in that database afterwards, and else as before. */
Err *clone_make_table(Conn *conn, const Wait *wait, const char *database, const char *create_sql) MUST_USE;
/* All tables of these databases, locked by this session until UNLOCK TABLES: no statement of it can then
 * touch any other (error 1100). */
Err *clone_guard(Conn *conn, const Wait *wait, const Scratch *scratch) MUST_USE;
/* Whether the server refused the statement because it is about a table outside of the guard. */
bool clone_is_outside(const Err *err);
/* ERR_UNSAFE where this is no ALTER TABLE, CREATE INDEX or DROP INDEX. Pure. */
Err *clone_may_run(const char *sql) MUST_USE;
