/* journal_sql.h — the statements of the journal that each engine has a text of its own for. */
#pragma once

/* Statements of the journal whose text differs between engines (engine/<name>/journal*.c); one text that is
 * right for all stands where it is run (run/). Parameters in order. In some texts a word in braces stands for
 * what the executor puts in its place: {keys} a list of parameters with the keys of the leases, {epochs}
 * "table_key = $1 AND epoch = $2 OR …", {proof} a locking SELECT with one row a lease that is still ours and
 * {count} how many these have to be, {role} us. Flags are "true" or "false". Times in results are text as in
 * "2026-11-29T12:38:33.123456+00:00". */
typedef enum JournalSql {
    JOURNAL_CREATE,  /* () creates schema and tables, whole: in the transaction at hand, or so that it can be
                        repeated, with the version as the last of all */
    JOURNAL_PROTECT, /* () events become append-only, where the role may do that; "" where nothing is left to
                      * do
                      */
    JOURNAL_PROTECT_SEALS, /* () the same of seals */
    JOURNAL_UPGRADE,       /* () from the version before to the present one, in the transaction at hand */
    JOURNAL_DROP,          /* () removes all of it, sync triggers and functions included */
    JOURNAL_GRANTS,        /* what lets {role} use it: shown, never run */

    JOURNAL_FIND_CHANGE,  /* (name) -> id, name, owner, change_digest, plan_digest, sql, state, phase, error,
                             ready_position, plan of the one that is not aborted or reverted */
    JOURNAL_ADD_CHANGE,   /* (name, owner, change_digest, plan_digest, sql, plan) -> id */
    JOURNAL_SET_CHANGE,   /* (change, state, phase or NULL: as it is, error) */
    JOURNAL_SET_REPLICAS, /* (change, JSON array of names) */
    JOURNAL_REPLICAS,     /* (change) -> JSON array of names, NULL where none were set */

    JOURNAL_ADD_STEP,  /* (change, ordinal, phase, kind, title); nothing where it is there */
    JOURNAL_SET_STEP,  /* (change, ordinal, state, error); counts attempts, notes times */
    JOURNAL_STEP_DONE, /* (change, ordinal) while {proof} has {count} rows */

    JOURNAL_ADD_EVENT,      /* (change or NULL, kind, step, detail as JSON or NULL, text) */
    JOURNAL_PUT_CHECKPOINT, /* (change, ordinal, body) while {proof} has {count} rows */
    JOURNAL_SET_CONTROLS, /* (change, paused, max_stall_ms, lock_wait_ms, max_lag_ms, chunk_time_ms, quiet_ms,
                             whether the window is given, time_window); NULL: as it is */
    JOURNAL_SET_ABORT,    /* (change, flag) */
    JOURNAL_SETTINGS,     /* (change) -> name, value: further limits and checks that were given for it */
    JOURNAL_SET_SETTING,  /* (change, name, value) */
    JOURNAL_SIGNALS,      /* (change) -> JSON, where it is fresh */
    JOURNAL_PUT_SIGNALS,  /* (change, JSON): what the signals say now */

    JOURNAL_ADD_LEASE,    /* (key) with epoch 0; nothing where it is there */
    JOURNAL_LEASES,       /* ({keys} from 1) -> table_key, holder, host, pid, since, whether it is alive,
                             session_id, session_started, expires_at, in the order of the keys */
    JOURNAL_LEASES_LOCK,  /* the same, and locks them to the end of the transaction */
    JOURNAL_SEIZE_LEASES, /* (holder, host, pid, change or NULL, milliseconds to live, {keys} from 6) raises
                             the epochs -> table_key, epoch. Waits for those that have proved the old ones */
    JOURNAL_PROVE, /* ({epochs}) -> one row a lease that has this epoch, which it keeps to the end of the
                      transaction. Renewing does not wait for it */
    JOURNAL_RENEW_LEASES,   /* (holder, milliseconds to live) */
    JOURNAL_RELEASE_LEASES, /* (holder) */

    JOURNAL_SINCE_MS,       /* (time as the server writes it) -> milliseconds ago */
    JOURNAL_EVIDENCE_FRESH, /* (change, ordinal) -> whether that step was done within the hour, or a step of
                               contract was done on the strength of it */
    JOURNAL_STATUS,         /* (name or NULL: all, flag: with those that are over) -> id, name, owner,
                               change_digest, plan_digest, state, phase, throttled_by, error, ready (flag),
                               created_at, ready_at, ended_at, ready_position, runner ("host pid 17"); by id, or with
                               a name the newest first */
    JOURNAL_STEPS,          /* (change) -> ordinal, phase, kind, title, state, attempts, started_at, ended_at,
                               error, body of its checkpoint; by ordinal */
    JOURNAL_HISTORY,     /* (name or NULL: all, number) -> at, change, kind, step, text, detail, by, number;
                            oldest first: those with a higher number, or where it is below 0 the last so many */
    JOURNAL_REQUEST,     /* (change) -> sql, plan */
    JOURNAL_FLAGS,       /* () -> at, detail, by of the events of kind "flag", oldest first */
    JOURNAL_CONTRACTS,   /* (change or NULL: all) -> at, detail, by, change, its name and state, of the events
                            of kind "contract", oldest first */
    JOURNAL_CREATED,     /* (change) -> when it was planned, in microseconds since 1970 */
    JOURNAL_READ_GRANTS, /* what lets {role} read it: shown, never run */

    /* "Event" below: id, at (UTC, six digits behind the second, without a zone), change, kind, step, detail,
     * text, by. */
    JOURNAL_UNSEALED, /* (number) -> the first 1000 events with a higher number that have no seal, by number
                       */
    JOURNAL_SEALS,    /* (ordinal) -> ordinal, hash, event of the first 2000 seals behind it, and the event */
    JOURNAL_MISPLACED, /* () -> id, at of events that are an hour younger than the next by number */
    JOURNAL_NOW, /* () -> the time as in an event below, without its digits; who this session is, as in "by"
                  */
    JOURNAL_APPROVALS, /* () -> id, at, detail, by, kind of approvals and their revocations, by number */
    JOURNAL_RETIRES,   /* () -> detail, milliseconds ago, at of the events of kind "retire", oldest first */
    JOURNAL_BROWNOUTS, /* () -> table_key, epoch, whether its end has come, host, pid, since, milliseconds to
                          its end of the leases of brown-outs that are on */
    JOURNAL_SQL_COUNT
} JournalSql;
