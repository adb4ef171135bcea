/* swap_parts.h — what the files of the cutover share. */
#pragma once
#include "engine/mysql/conn.h"

/* One attempt. `lock` holds the tables; `second` has not been used for anything before, looks for snapshots
 * and carries the RENAME of the sentry protocol. Each keeps a user-level lock, so that a successor finds it.
 */
typedef struct Attempt {
    const Target *target;
    Conn *control, *lock, *second;
    const Wait *wait;
    Arena *arena;
    const SwapRequest *request;
    const ShadowSpec *spec;
    const char *source, *shadow, *old; /* quoted, with their schema */
    int64_t begun_ms;                  /* clock: LOCK TABLES was sent; 0 before */
    int64_t granted_ms;                /* clock: the source was locked; 0 before */
    /* What the server tells of metadata locks, beyond the state of a session. */
    bool has_schema_locks, has_plugin_locks;
    bool keys_moved;   /* some of the foreign keys may have changed over */
    bool has_triggers; /* one of the tables: a RENAME of them must not be cut off */
    SwapResult *result;
} Attempt;

/* ---- swap.c: steps of both ways -------------------------------------------------------------------------
 */

/* What is left until `share` of max_stall_ms is over, in ms; at least 1. */
int64_t swap_left(const Attempt *attempt, double share);
/* Waits so long, or a batch longer, and lets what is captured be brought over; nobody may wait for us. */
Err *swap_pause(Attempt *attempt, int64_t ms) MUST_USE;
/* An attempt that ends here without an error. `who` NULL: nobody to name. */
void swap_not_done(Attempt *attempt, const char *who, bool old_snapshot);
/* LOCK TABLES of these, each WRITE, within its share of the time; where it is not granted the blocker is
 * named. */
Err *swap_lock(Attempt *attempt, const char *const *tables, size_t count, bool *ret_go) MUST_USE;
/* The caller's drain, and the look for old snapshots. */
Err *swap_drain(Attempt *attempt, bool *ret_go) MUST_USE;
/* Proves that the locking session lives and is under LOCK TABLES: the server refuses any other table (1100).
 */
Err *swap_holds(Attempt *attempt) MUST_USE;
/* UNLOCK TABLES, or the end of the session; tells how long it was. */
void swap_unlock(Attempt *attempt);

/* ---- the two ways ---------------------------------------------------------------------------------------
 */

Err *swap_by_lock(Attempt *attempt) MUST_USE;
Err *swap_by_sentry(Attempt *attempt) MUST_USE;

/* ---- swap_keys.c: foreign keys ----------------------------------------------------------------------------
 */

/* Under the lock, when both tables are equal. Whatever it comes to, swap_keys_restore() takes it back. */
Err *swap_keys_move(Attempt *attempt) MUST_USE;
void swap_keys_restore(Attempt *attempt);
/* What a dead attempt left: while the swap is not done the source has its keys, and the shadow none.
 * ERR_VERIFY where a row without a parent was written in between. */
Err *swap_keys_mend(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec) MUST_USE;

/* ---- swap_counter.c: the shadow counts on from where the source is; before any lock. ---- */

Err *swap_carry_counter(Attempt *attempt) MUST_USE;

/* ---- swap_around.c --------------------------------------------------------------------------------------
 */

/* ERR_UNSAFE where the source has got a trigger, or a foreign key that refers to it, or has lost the triggers
 * that capture its changes. Before any lock. */
Err *swap_check_around(Attempt *attempt) MUST_USE;
/* The same of triggers under the lock, and whether a transaction is prepared (XA) of which the lock may not
 * know: ret_who, else NULL. */
Err *swap_check_locked(Attempt *attempt, const char **ret_who) MUST_USE;

/* ---- swap_state.c ---------------------------------------------------------------------------------------
 */

extern const char sentry_comment[];
/* The user-level locks by which the two sessions of an attempt on this table are known. */
typedef enum SwapRole { SWAP_ROLE_LOCK, SWAP_ROLE_SECOND, SWAP_ROLE_COUNT } SwapRole;
char *swap_role_name(Arena *arena, const ShadowSpec *spec, SwapRole role) __attribute__((returns_nonnull));
/* Both sessions of any attempt on this table are gone; those that are not are killed. ERR_HELD where one
 * stays. */
Err *swap_end_sessions(Conn *conn, const Wait *wait, const ShadowSpec *spec) MUST_USE;

/* ---- swap_blockers.c ------------------------------------------------------------------------------------
 */

/* Who holds source or shadow, the longest first: "pid 12 (app@host), idle in transaction, 31 s, last: SELECT
 * …". Exactly where the server tells metadata locks (performance_schema.metadata_locks; MariaDB's plugin
 * METADATA_LOCK_INFO), and only who has been at it for min_seconds; else, with `guess`, by open transactions
 * and running statements. NULL where there is nobody, or it cannot be told. */
Err *swap_holder(Attempt *attempt, int min_seconds, bool guess, const char **ret_who) MUST_USE;
/* The same text about one session. */
Err *swap_session_text(Attempt *attempt, int64_t session_id, const char *what,
                       const char **ret_text) MUST_USE;
bool swap_is_ours(const Attempt *attempt, int64_t session_id);

/* ---- snapshots.c ----------------------------------------------------------------------------------------
 */

/* Waits at most until `deadline_ms` for all snapshots of other sessions to end that were there when this was
 * called; ret_who is NULL when they have, else whose is left. */
Err *swap_snapshots(Attempt *attempt, int64_t deadline_ms, const char **ret_who) MUST_USE;
/* Before the lock: ret_go false, and the session named, where one has had a snapshot for seconds. Rests until
 * swap_snapshots() need not wait for a list of its own. */
Err *swap_long_snapshot(Attempt *attempt, bool *ret_go) MUST_USE;
/* Whether we may see them at all: ERR_PRIVILEGE with the GRANT. */
Err *swap_may_see(Attempt *attempt) MUST_USE;
