/* my.h — the functions that the engine's table (mysql.c) is made of, one block a file. What each promises
 * stands at EngineOps in engine/engine.h; here only what is more. */
#pragma once
#include "engine/engine.h"
#include "engine/my_server.h"
#include "engine/my_table.h"
#include "engine/mysql/conn.h"

/* ---- catalog.c: tables from information_schema ---- */

/* `schema` NULL: the session's database. Table.my is filled, too; Table.server's number is my_table_id().
 * ERR_LOCK_TIMEOUT where another session keeps the table locked longer than lock_wait_timeout (2 s). */
Err *my_load_table(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const char *schema,
                   const char *name, Table *ret_table) MUST_USE;
/* Waits for no lock. */
Err *my_find_table(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                   int64_t *ret_id) MUST_USE;
/* These servers have no number of a table that lives as long as it does (TABLE_ID changes with each rebuild),
 * so this is a hash of its name, above 0. */
int64_t my_table_id(const char *schema, const char *name);

/* ---- facts.c: what Server.my holds ---- */

typedef struct Grants Grants;
Err *my_load_facts(Conn *conn, const Wait *wait, Arena *arena, const Grants *grants,
                   MyServer *ret_server) MUST_USE;

/* ---- definition.c ---- */

Err *my_definition(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                   const char **ret_text) MUST_USE;

/* ---- clone.c: the scratch databases ---- */

/* `mentions` and `in_schema` mean nothing here. The copies stand in databases stoa_scratch_… that belong to
 * the clone's session; ERR_PRIVILEGE with the GRANT where the role may not make them. */
Err *my_clone_open(const Target *target, Conn *conn, const Wait *wait, const Server *server,
                   const Table *tables, size_t count, const Mention *mentions, size_t mention_count,
                   bool in_schema, Clone **ret_clone) MUST_USE;
Conn *my_clone_conn(Clone *clone);
void my_clone_close(Clone *clone);
/* Drops what dead processes left. */
Err *my_clone_forget(Conn *conn, const Wait *wait) MUST_USE;
/* Statements for what is asked next; they see the copies under the real names. `outside` means nothing here.
 */
Err *my_clone_run(Conn *conn, const Wait *wait, const char *const *sql, size_t count, bool outside) MUST_USE;
Err *my_clone_run_written(Conn *conn, const Wait *wait, const char *sql, bool unchecked) MUST_USE;

/* ---- ladder.c ---- */

Err *my_ladder(Conn *clone_conn, const Wait *wait, Arena *arena, const LadderRequest *request,
               Ladder *ret_ladder) MUST_USE;
