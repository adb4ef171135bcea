/* scratch_guard.h — what is sent to a clone inside the user's own database, and the proof that it stayed
 * there.
 *
 * Three things hold together: statements are rewritten so that they name no real schema (spaces.h); right
 * before each of them the names without a schema are looked up; and before anything is committed locks,
 * changed catalog rows and dependencies are looked at. Sessions to a scratch database have none of it: then
 * the functions change nothing and find nothing. */
#pragma once
#include "engine/engine.h"
#include "engine/postgres/spaces.h"

/* Statements as they are sent. *ret_why: why they may not run; NULL. */
const char *const *guard_prepare(Conn *conn, Arena *arena, const char *const *sql, size_t count,
                                 const char **ret_why);
/* Whether a name in the statement, about to run, could mean a real object. */
Err *guard_before(Conn *conn, const Wait *wait, Arena *arena, const char *sql, const char **ret_why) MUST_USE;
/* Has the server plan what guard_after() asks, once for the session: planning it takes as long as the answer.
 * If a statement makes it forget that, guard_after() fails, and nothing is known of the statements. */
Err *guard_open(Conn *conn, const Wait *wait) MUST_USE;
/* In the transaction: whether it locked, changed or came to depend on anything real, by what is to be seen.
 * *ret_gone: numbers of what it locked and is not there any more. */
Err *guard_after(Conn *conn, const Wait *wait, Arena *arena, const char **ret_why,
                 const char **ret_gone) MUST_USE;
/* After the rollback: whether one of those is real. */
Err *guard_gone(Conn *conn, const Wait *wait, Arena *arena, const char *gone, const char **ret_why) MUST_USE;
/* The longest that a statement may wait for a lock there; 0 in a scratch database: no limit. */
int64_t guard_lock_ms(const Conn *conn);
/* The error with real names in place of stand-ins. */
Err *guard_error(Conn *conn, Err *err) MUST_USE;
