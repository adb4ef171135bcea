/* session.h — what one session does and asks: transactions, other sessions, locks, and statements that commit
 * by themselves. What each function promises stands at EngineOps in engine/engine.h; here only what is more.
 */
#pragma once
#include "engine/engine.h"

/* ---- session.c ---- */

/* Begins a transaction by `sql`, which my_end() ends: when the server hears nothing of us for idle_ms in
 * between (whole seconds, at least one; 0: TX_IDLE_MS) it ends the session, and so the transaction. */
Err *my_start(Conn *conn, const Wait *wait, int64_t idle_ms, const char *sql) MUST_USE;
/* Sends `sql`, "COMMIT" or "ROLLBACK". */
Err *my_end(Conn *conn, const Wait *wait, const char *sql) MUST_USE;
/* Lock times are whole seconds here, at least one, as is idle_timeout_ms, and go back to the session's own at
 * the end of the transaction; statement_timeout_ms is the server's where it has such a limit (MariaDB), else
 * only Wait bounds a statement. How durable a commit is, and as whom one acts, cannot be said here: those
 * settings mean nothing. */
Err *my_begin(Conn *conn, const Wait *wait, const TxSettings *settings) MUST_USE;
Err *my_commit(Conn *conn, const Wait *wait) MUST_USE;
void my_rollback(Conn *conn);
Err *my_act_as(Conn *conn, const Wait *wait, const char *role) MUST_USE;
/* The second at which the server was started: numbers of sessions are not used twice within one run of it. */
Err *my_session_started(Conn *conn, const Wait *wait, Arena *arena, const char **ret_started) MUST_USE;
Err *my_end_session(Conn *conn, const Wait *wait, int64_t session_id, const char *started) MUST_USE;
/* By GET_LOCK(). Where a session can have one of these only (before MySQL 5.7.5 and MariaDB 10.0.2) the first
 * key alone; none where the server refuses it (Galera). */
Err *my_hint_lock(Conn *conn, const Wait *wait, const char *key, bool *ret_taken) MUST_USE;

/* ---- holders.c ---- */

Err *my_waits_for(Conn *conn, const Wait *wait, Arena *arena, int64_t session_id,
                  const char **ret_who) MUST_USE;
Err *my_holders(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                Blocker **ret_blockers, size_t *ret_count) MUST_USE;

/* Whether a transaction of several statements has read the table and not written it so far. If it goes on to
 * write while somebody waits for the table for himself, that is a deadlock, which the server ends at the
 * transaction's cost (MDL_wait_for_graph_visitor: DML weighs less than DDL). Told by performance_schema of
 * MySQL 8.0 and later; elsewhere false. */
Err *my_sees_reader(Conn *conn, const Wait *wait, const char *schema, const char *table,
                    bool *ret_seen) MUST_USE;
/* Looks until there is none, for some 200 ms at most. */
Err *my_await_readers(Conn *conn, const Wait *wait, const char *schema, const char *table,
                      bool *ret_clear) MUST_USE;

/* ---- alter.c ---- */

Err *my_alter(Conn *conn, const Target *target, const Wait *wait, const AlterRequest *request,
              AlterResult *ret_result) MUST_USE;
/* The state of a session's statement in which it waits in a queue for a lock on names. */
bool my_state_waits(const char *state);
