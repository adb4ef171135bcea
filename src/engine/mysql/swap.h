/* swap.h — the cutover: the shadow takes the source's name, and the source is called `old`.
 *
 * MySQL from 8.0.13 on renames what the session has locked (swap_lock.c). Elsewhere a RENAME of a second
 * session is queued behind the lock, and a sentry table makes it fail until everything is brought over
 * (swap_sentry.c, which holds the proof). In both, the whole from queueing for the lock to the application
 * going on stays within max_stall_ms: a third of it for the queue, the rest for drain, snapshots and RENAME.
 *
 * Where several names are involved, they sort after the source by bytes: ERR_UNSAFE else. The same functions
 * swap back: `shadow` is then the old table, and `old` the name that the shadow had.
 *
 * What drain() has to know of the session it gets: it is under LOCK TABLES, so BEGIN or START TRANSACTION
 * would release the source (use autocommit = 0 and COMMIT), every other table is refused (1100),
 * performance_schema included. Tables that triggers of the source write to are locked along with it, and on
 * MySQL (5.6 and 9.7 seen) no other session may read them meanwhile; on MariaDB others may. */
#pragma once
#include "engine/engine.h"

/* See ShadowOps. Errors of drain() are handed on, but for ERR_CANCELLED, ERR_LOCK_TIMEOUT and ERR_DEADLOCK,
 * which make an attempt that was not done. ERR_PRIVILEGE names PROCESS, without which old snapshots cannot be
 * seen. ERR_CONN_LOST where the server cannot be reached any more: my_swap_state tells what came of it,
 * later; ERR_AMBIGUOUS where it was reached, and tables are missing. */
Err *my_swap(const Target *target, Conn *conn, const Wait *wait, Arena *arena, const SwapRequest *request,
             SwapResult *ret_result) MUST_USE;
/* Ends sessions of a dead attempt first, so that nothing is under way any more. By existence: both tables are
 * renamed in one statement, which is atomic on MySQL 8.0 and MariaDB 10.6; before, a server that crashed in
 * the middle leaves no source, and then the old table is given its name back, which is NOT_DONE. */
Err *my_swap_state(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                   SwapState *ret_state) MUST_USE;
/* Ends sessions of a dead attempt and drops its sentry; ERR_UNSAFE where the table of that name is not ours.
 */
Err *my_swap_clear(Conn *conn, const Wait *wait, const ShadowSpec *spec) MUST_USE;
