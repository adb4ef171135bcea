/* conn.h — sessions with a MySQL or MariaDB server: statements, cancelling, raw packets.
 *
 * All waiting, that of connecting and of TLS included, goes through one poll() over the socket and the stop
 * token (libmariadb calls us for it: MARIADB_OPT_IO_WAIT, seen to work in 3.3.20). These functions are what
 * EngineOps needs of a session. */
#pragma once
#include "engine/engine.h"
#include "engine/mysql/flavor.h"

/* Connects, reads what the server is, and sets the session up: utf8mb4, UTC, strict sql_mode without the zero
 * date modes, READ COMMITTED, autocommit, lock_wait_timeout 2 s and innodb_lock_wait_timeout 1 s. Errors:
 * ERR_CONNECT and ERR_PRIVILEGE with a hint, ERR_STOPPED, ERR_USAGE for the URL. */
Err *my_connect(const Target *target, const char *purpose, const Wait *wait, Conn **ret_conn) MUST_USE;
void my_close(Conn *conn);

/* As EngineOps.query: parameters are put in as literals where $1 … stand outside quotes and comments. When
 * time or token make us cancel, the error is ours (ERR_CANCELLED, ERR_STOPPED). The server may report success
 * all the same, and then: a statement that changes something has happened, and NULL is returned; rows may be
 * those of an interrupted statement (SLEEP() returns 1 on MySQL), so they are thrown away and our error is
 * returned. my_was_killed() tells both. Rows.affected counts the rows that an UPDATE found, changed or not.
 */
Err *my_query(Conn *conn, const Wait *wait, Arena *arena, const char *sql, size_t param_count,
              const char *const *params, Rows *ret_rows) MUST_USE;
Err *my_exec(Conn *conn, const Wait *wait, const char *sql) MUST_USE;
/* The two halves of my_query, for a statement that waits for something we have to do meanwhile. Between them
 * the session takes nothing else, and may be closed. my_reap's limit and its cancelling are those of
 * my_query. */
Err *my_send(Conn *conn, const Wait *wait, const char *sql) MUST_USE;
/* Whether something has come for it (the answer, or the end of the session); waits for nothing. */
bool my_answered(const Conn *conn);
Err *my_reap(Conn *conn, const Wait *wait, Arena *arena, const char *sql, Rows *ret_rows) MUST_USE;
/* Whether the last statement was sent a KILL QUERY and reported success nevertheless. */
bool my_was_killed(const Conn *conn);

/* KILL QUERY over a second connection, which is opened on first use and kept; from any thread. */
void my_cancel(Conn *conn);
/* Opens that second connection now, so that a later cancel costs one round trip only. */
Err *my_arm(Conn *conn, const Wait *wait) MUST_USE;
/* The same by a session that is there already, is used by this thread only, idle whenever `conn` may have to
 * be cancelled, and closed later. */
void my_arm_by(Conn *conn, Conn *idle);

/* Warnings, notes among them, of the last statement. */
unsigned my_warning_count(const Conn *conn);

/* What some part of the engine has learnt once for the session: a slot for its own use, NULL at first, and an
 * arena that lives as long as the session. */
void **my_memo(Conn *conn);
Arena *my_memory(Conn *conn);
/* Of a server whose sessions hold one GET_LOCK() at most: whether it is, or may become, this one. */
bool my_only_lock(Conn *conn, const char *name);

const Flavor *my_flavor(const Conn *conn);
/* Tells the servers apart that this process has sessions with. */
const char *my_server_name(const Conn *conn);
/* CONNECTION_ID(). */
int64_t my_session_id(const Conn *conn);
/* The text in quotes, right for this session's character set and sql_mode; in `arena`. */
char *my_literal(Conn *conn, Arena *arena, const char *text) __attribute__((returns_nonnull));

/* ---- raw packets, for the binary log's stream ------------------------------------------------------------
 */

/* Sends a command whose answer is read by my_packet. */
Err *my_command(Conn *conn, const Wait *wait, unsigned command, const void *bytes, size_t len) MUST_USE;
/* The next packet, valid until the next call; ret_bytes is NULL when none came within wait->timeout_ms. When
 * the token stops us between packets the connection stays good; within one it is given up. An error packet is
 * an Err with the server's number. */
Err *my_packet(Conn *conn, const Wait *wait, const uint8_t **ret_bytes, size_t *ret_len) MUST_USE;

static inline void my_closep(Conn **conn)
{
    if (*conn != NULL)
        my_close(*conn);
    *conn = NULL;
}
