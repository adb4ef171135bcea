/* runner.h — what the files of run/ share: one change being carried out. Private to run/. */
#pragma once
#include "base/clock.h"
#include "base/str.h"
#include "engine/sql.h"
#include "run/run.h"
#include "run/tally.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    LEASE_TTL_MS = 10000,
    LEASE_RENEW_MS = 2000,
    CONTROL_TICK_MS = 200,
    CONTROL_TIMEOUT_MS = 3000, /* of the control thread's statements */
    LEASE_HOST_BYTES = 80,
    LEASE_HOLDER_BYTES = 33,
    JOURNAL_TIMEOUT_MS = 15000, /* a journal statement that takes longer is a lost server */
};

/* ---- the lease ------------------------------------------------------------------------------ */

typedef struct Lease {
    char holder[LEASE_HOLDER_BYTES]; /* of this process, unguessable */
    const char *const *proof;        /* pairs of key and epoch: one a table */
    size_t table_count;
    bool held;
} Lease;

/* ---- the control thread --------------------------------------------------------------------- */

/* What the working thread is doing, for the watchdog and the progress line. Guarded by Control.lock. */
typedef struct Control {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool quit;

    Controls controls; /* as last read from the journal */
    Arena *texts;      /* of the control thread: what `controls` points to */
    bool abort_requested;
    bool fenced;            /* the lease is no longer ours */
    char throttled_by[200]; /* "" : go */
    double pace;            /* rest for each second of work, for the sake of latency, if --nice is less */
    bool resting;           /* the working thread has come to its gate and waits there */
    int64_t sampled_at_ms;  /* last complete round of samples; 0 none */
    int64_t started_at_ms;
    char failed[200]; /* why the last round did not come through; "" */
    bool told_failed;
    char waiting_for[400]; /* who blocks the statement that runs; "" nobody */
    int64_t waiting_since_ms;

    Conn *watched;          /* cancel this connection … */
    int64_t watch_until_ms; /* … at this time; INT64_MAX never */
    bool watch_fired;
    bool long_statement; /* look whom it waits for; over lock_wait it is cancelled */
    int64_t long_from_ms;
    bool ended;      /* at a critical limit (run/critical.h) */
    char doing[120]; /* "building index: scanning table, 42 %"; "" not known */
    bool over_budget;
    bool long_cancelled; /* because of an abort that was asked for, or a lost lease */
    int64_t work_session;

    Progress progress;
    char title[160];
    double fraction_at_start; /* progress of the step when this run of it began */
    int64_t step_started_ms;
} Control;

typedef struct Runner {
    const RunOptions *options;
    const EngineOps *ops;
    Arena *arena;   /* as long as the run */
    Arena *scratch; /* cleared between chunks */
    Conn *conn;
    Server server;
    int64_t lost_session; /* that was ours when the connection was lost, until it is known to be gone; 0 */
    const char *session_started; /* of conn, to end exactly that session should it outlive us */
    int64_t change_id;
    const char *name;
    Plan plan;
    Lease lease;
    Control control;
    RunSummary summary;
    Tally tally;
    int counted_step; /* what of a backfill is in the summary already */
    int64_t counted_rows, counted_hot, counted_ms;
    Replica *standbys; /* the fixed set, by name */
    size_t standby_count;
    Conn *standby_conns[16]; /* to --replicas URLs, of the working thread */
    pthread_mutex_t telling;
    _Atomic bool told;      /* events were written that have no seal yet */
    int64_t progress_marks; /* raised whenever something was committed: retries are counted between marks */
    int64_t deadline_ms;    /* statements of the working thread are cancelled past it; 0: none */
    int64_t rested_ms;      /* the working thread has waited at its gate, all in all */
    int64_t worked_from_ms; /* when it last passed its gate; 0 never */
    struct ShadowRun *shadows; /* open ones (run/shadow.h) */
    json_t *rehearsed;         /* what a rehearsal said, until it was held against the truth; NULL */
    int64_t step_from_ms;      /* when the step at hand was begun, by runner_clock_ms() */
    bool cut;                  /* a process that worked on it ended without a word */
    struct Forward *forward;   /* the change that gives way to this one (plan/forward.h); NULL */
} Runner;

/* Monotonic, and stands still while the change is paused or throttled: for --lock-wait. */
static inline int64_t runner_clock_ms(const Runner *runner) { return clock_ms() - runner->rested_ms; }

static inline Wait runner_wait(const Runner *runner)
{
    int64_t left_ms = runner->deadline_ms == 0 ? 0 : runner->deadline_ms - clock_ms();
    return (Wait){.stop = runner->options->stop,
                  .timeout_ms = runner->deadline_ms == 0 ? 0
                                : left_ms > 0            ? left_ms
                                                         : 1};
}
/* For journal statements that must succeed even while stopping. */
static inline Wait journal_wait(void) { return (Wait){.timeout_ms = JOURNAL_TIMEOUT_MS}; }

/* A change as the journal has it. */
typedef struct JournalChange {
    int64_t id;
    const char *name, *owner, *change_digest, *plan_digest, *sql, *state, *phase, *error, *ready_position;
    json_t *plan; /* owned by whoever loaded it */
} JournalChange;

/* run.c */
/* Tells the observer, one event at a time, from any thread; nothing is journalled. */
void runner_tell(Runner *runner, const char *kind, int step, json_t *detail, const char *text);
/* Makes an empty one, without a connection. */
Err *runner_begin(Runner *runner, const RunOptions *options, Arena *arena) MUST_USE;
/* Connects, loads the server's facts and checks the journal's version. */
Err *runner_open(Runner *runner, const RunOptions *options, Arena *arena) MUST_USE;
/* The same for whoever only reads the journal: the right to read its tables is enough. */
Err *runner_open_to_read(Runner *runner, const RunOptions *options, Arena *arena) MUST_USE;
void runner_close(Runner *runner);
/* Runs the steps from the first that is not done, up to and including those of phase `last`, and records how
 * it ended. */
Err *runner_execute(Runner *runner, Phase last) MUST_USE;
/* One step with its retries. */
Err *runner_step(Runner *runner, const Step *step) MUST_USE;
/* Opens the runner and takes over a journalled change: plan, name, id. ERR_USAGE when there is none of that
 * name. Like runner_open() leaves a runner that must be closed, with or without an error. */
Err *runner_adopt(Runner *runner, const RunOptions *options, Arena *arena, const char *name,
                  JournalChange *ret_change) MUST_USE;
void runner_event(Runner *runner, const char *kind, int step, json_t *detail, const char *fmt, ...)
    PRINTF(5, 6);
Err *runner_connect(Runner *runner) MUST_USE;
/* Connects to a replica that was given by URL, with the password command of the primary; to `database`, or
 * where that is NULL to the URL's own. */
Err *runner_ask_standby(const Runner *runner, size_t at, const char *database, const Wait *wait,
                        Conn **ret_conn) MUST_USE;
/* The work connection is lost or suspect: closes it, connects again within `budget_ms`, proves the lease. */
Err *runner_reconnect(Runner *runner, int64_t budget_ms) MUST_USE;
bool err_is_transient(const Err *err); /* deadlock, serialization, lock timeout, cancelled, connection lost */

/* span.c: a step that was carried out from then on, whatever came of it; `rested_ms` of the runner when it
 * began. */
void span_step(Runner *runner, const Step *step, int64_t from_us, int64_t rested_ms, const Err *err);
/* The change has become ready. */
void span_ready(Runner *runner);

/* journal.c */
Err *journal_ensure(Conn *conn, const EngineOps *ops, const Server *server) MUST_USE;
Err *journal_check_version(const EngineOps *ops, const Server *server) MUST_USE;
Err *journal_check_readable(const EngineOps *ops, const Server *server) MUST_USE;
/* A journal of the version before gets what is new, in one short transaction, whoever else works with it.
 * ERR_PRIVILEGE where its owner must do that. */
Err *journal_upgrade(Conn *conn, const EngineOps *ops, Server *server) MUST_USE;
/* Runs the plan's DDL on an empty clone, step by step, and takes over what the server did there. Where no
 * clone can be made the plan stays as it is, with a note. ERR_USAGE: the server refuses a statement of the
 * plan; ERR_UNSAFE as step_measured. */
Err *measure_plan(Runner *runner, Arena *arena, const Table *tables, size_t count, Plan *plan) MUST_USE;

/* The text with `value` wherever {name} stands in it. */
const char *journal_fill(Arena *arena, const char *text, const char *name, const char *value);
/* "$3, $4": parameters by number. */
const char *journal_numbers(Arena *arena, size_t first, size_t count);
/* The GRANTs that let this role use the journal. */
const char *journal_grants(Arena *arena, const EngineOps *ops, const Server *server);
void journal_change_done(JournalChange *change);
/* The change that is not aborted or reverted, by name; id 0 if none. */
Err *journal_find(Conn *conn, Arena *arena, const char *name, JournalChange *ret_change) MUST_USE;
/* Its state and phase as they are now: another runner may have ended meanwhile. */
Err *journal_look_again(Conn *conn, Arena *arena, JournalChange *change) MUST_USE;
/* Inserts change, steps and controls, in the transaction at hand. */
Err *journal_insert(Conn *conn, Arena *arena, const Plan *plan, const Controls *controls,
                    int64_t *ret_id) MUST_USE;
/* Puts steps among the change's, those that are there already excepted. */
Err *journal_insert_steps(Conn *conn, Arena *arena, const Step *steps, size_t count,
                          int64_t change_id) MUST_USE;
Err *journal_event(Conn *conn, int64_t change_id, const char *kind, int step, json_t *detail,
                   const char *text) MUST_USE;
/* In the transaction at hand, or alone. */
Err *journal_step(Conn *conn, int64_t change_id, int ordinal, const char *state, const char *error) MUST_USE;
/* "done", only while the lease is ours: else ERR_FENCED. */
Err *journal_step_done(Conn *conn, const Lease *lease, int64_t change_id, int ordinal) MUST_USE;
Err *journal_step_state(Conn *conn, Arena *arena, int64_t change_id, int ordinal,
                        const char **ret_state) MUST_USE;
Err *journal_state(Conn *conn, int64_t change_id, const char *state, const char *phase,
                   const char *error) MUST_USE;
/* Writes the checkpoint only while the lease is ours, in the transaction at hand: else ERR_FENCED. */
Err *journal_checkpoint(Conn *conn, const Lease *lease, int64_t change_id, int ordinal,
                        const char *body) MUST_USE;
Err *journal_forget_checkpoint(Conn *conn, int64_t change_id, int ordinal) MUST_USE;
Err *journal_load_checkpoint(Conn *conn, Arena *arena, int64_t change_id, int ordinal,
                             json_t **ret_body) MUST_USE;
Err *journal_load_controls(Conn *conn, Arena *arena, int64_t change_id, Controls *ret_controls,
                           bool *ret_abort) MUST_USE;
Err *journal_put_signals(Conn *conn, int64_t change_id, json_t *signals) MUST_USE;
Err *journal_store_controls(Conn *conn, int64_t change_id, const Controls *controls, unsigned given,
                            const bool *paused) MUST_USE;
Err *journal_request_abort(Conn *conn, int64_t change_id, bool requested) MUST_USE;
/* Registers the step's columns in stoa.sync_columns, in place of what the change had there for the table. */
Err *journal_sync_put(Conn *conn, int64_t change_id, int64_t table_id, const FillColumn *fills,
                      size_t count) MUST_USE;
Err *journal_sync_remove(Conn *conn, int64_t change_id, int64_t table_id) MUST_USE;
/* The table for which the change has registered this column; 0 if none. */
Err *journal_sync_table(Conn *conn, int64_t change_id, const FillColumn *fill,
                        int64_t *ret_table_id) MUST_USE;
Err *journal_sync_load(Conn *conn, Arena *arena, int64_t table_id, SyncColumn **ret_columns,
                       size_t *ret_count) MUST_USE;

/* The fixed set of replicas of a change, without secrets; ret_known false: none was fixed yet. */
Err *journal_store_replicas(Conn *conn, int64_t change_id, const Replica *replicas, size_t count) MUST_USE;
Err *journal_load_replicas(Conn *conn, Arena *arena, int64_t change_id, bool *ret_known,
                           Replica **ret_replicas, size_t *ret_count) MUST_USE;

/* measured.c: what plan and tally say of changes, into the objects that `stoa status --json` shows: tables,
 * strategy and "measured" (run/tally.h), and of each step table, lock and estimate. `plans` keeps what plans
 * say, by the change's number, and under "" the plans themselves by the change's name; NULL: nothing is
 * kept. */
Err *measured_add(Runner *runner, json_t *changes, json_t *plans) MUST_USE;

/* lease.c */
/* ERR_HELD names host, pid and since when a live runner has one of the tables. */
Err *lease_take(Runner *runner) MUST_USE;
/* Whether `runner`, "HOST pid PID" as JOURNAL_STATUS tells it, ran on this host and is no more. */
bool lease_runner_is_dead(Arena *arena, const char *runner);
/* Whether the process ran on this host and is no more. Where host names are shared that may be wrong, so that
 * it is a reason to wait for the end of its lease, never one to take it. */
bool lease_is_dead_here(const char *host, int64_t pid);
/* Until when a row of JOURNAL_LEASES runs whose process is dead here; NULL: it is not. */
const char *lease_dead_expires(const Rows *rows, size_t row);
/* Calls `once` again for as long as it fails with ERR_HELD by a lease that runs until *ret_expires though its
 * holder is dead here (NULL: it is not): such a lease runs out, and one that is renewed meanwhile has a live
 * holder. What it allocates in the arena may stay until the end. */
typedef Err *LeaseTryFn(Runner *runner, Arena *arena, void *data, const char **ret_expires);
Err *lease_outlive(Runner *runner, Arena *arena, LeaseTryFn *once, void *data) MUST_USE;
void lease_make_holder(char *ret_holder);  /* LEASE_HOLDER_BYTES, at random */
void lease_own_host(char *ret_host);       /* LEASE_HOST_BYTES */
Err *lease_prove(Runner *runner) MUST_USE; /* in the transaction at hand; ERR_FENCED */
/* A SELECT that locks and returns one row a table while the lease is ours; its parameters are lease->proof,
 * two a table, numbered from `first`. */
const char *lease_epochs_sql(Arena *arena, const Lease *lease, size_t first);
const char *lease_proof_sql(Arena *arena, const EngineOps *ops, const Lease *lease, size_t first);
Err *lease_renew(Conn *conn, const Lease *lease, bool *ret_held) MUST_USE;
void lease_release(Runner *runner);
/* Records the work connection, so that a successor can end it. */
Err *lease_note_session(Runner *runner) MUST_USE;

/* control.c */
Err *control_start(Runner *runner) MUST_USE;
void control_stop(Runner *runner);
/* run.c: what the session's builds may use, as the controls are now. ERR_USAGE where that cannot be limited.
 */
Err *runner_limit_build(Runner *runner) MUST_USE;
/* Waits while paused, throttled or outside the window. ERR_STOPPED, ERR_FENCED. Hold no locks. */
Err *control_gate(Runner *runner) MUST_USE;
/* Whether control_gate would wait, or fail, now. */
bool control_is_held(Runner *runner);
Controls control_settings(Runner *runner);
void control_step(Runner *runner, const Step *step, double fraction);
void control_rows(Runner *runner, int64_t rows_done, int64_t rows_total, double fraction, double hot_ratio);
/* Cancels `conn` at the time given unless control_unwatch comes first; control_unwatch tells whether it
 * fired. */
void control_watch(Runner *runner, Conn *conn, int64_t at_ms);
bool control_unwatch(Runner *runner);
/* long.c: a statement that may wait long: its blockers are named, how far it is is told, and past --lock-wait
 * of waiting it is cancelled. */
void control_long_begin(Runner *runner);
bool control_long_end(Runner *runner); /* true: cancelled because the budget was used up */

/* window_gate.c */
/* What reads or writes many rows, or may take longer than a minute. */
bool step_is_heavy(const Step *step);
/* Whether the change's window is for the step at hand. Takes the control's lock. */
bool window_is_for(Runner *runner, const Controls *controls);
/* Passes the gate, and waits until the window, where it is for this step, is open long enough. ERR_HELD: it
 * never is. */
Err *window_wait(Runner *runner, const Step *step) MUST_USE;

/* lockwait.c */
/* How long attempts that make nobody wait go on before each that does: half of --lock-wait, a minute at most.
 * Whoever reads a table and then writes it in one transaction is ended (1213) by a lock that waits for it. */
int64_t lock_gentle_ms(Runner *runner);

enum { BLOCKERS_TEXT_BYTES = 400 };
/* "pid 17 (psql, idle in transaction, transaction open for 12.0 s): SELECT …; …", at most three whose
 * transactions are older than `patience_ms`; false where there is none. */
bool blockers_text(const Blocker *blockers, size_t count, int64_t patience_ms, char *ret_text);
/* `table` is as it was before the lock was asked for. */
typedef Err *LockedBody(Runner *runner, const Step *step, const Table *table, void *context);
/* Runs `body` in one transaction that holds the step's locks (for `undo` always the strongest), within
 * --max-stall, and commits; tries again until --lock-wait is used up: ERR_LOCK_BUDGET naming the blockers. */
Err *lockwait_run(Runner *runner, const Step *step, bool undo, LockedBody *body, void *context) MUST_USE;

/* steps */
Err *ddl_run(Runner *runner, const Step *step) MUST_USE;
Err *ddl_undo(Runner *runner, const Step *step) MUST_USE;
Err *backfill_run(Runner *runner, const Step *step) MUST_USE;
Err *verify_run(Runner *runner, const Step *step) MUST_USE;
/* Builds with this statement unless a valid index is there; drops an INVALID one first. */
Err *step_build_index(Runner *runner, const Step *step, const char *sql) MUST_USE;
/* One statement outside a transaction that may wait long for old transactions, within --lock-wait; whoever is
 * in its way is named. */
Err *step_run_long(Runner *runner, const Step *step, const char *sql) MUST_USE;
Err *detach_run(Runner *runner, const Step *step) MUST_USE;
Err *detach_undo(Runner *runner, const Step *step) MUST_USE;
Err *step_create_index(Runner *runner, const Step *step) MUST_USE;
Err *step_drop_index(Runner *runner, const Step *step, const char *const *sql, size_t count) MUST_USE;
Err *vacuum_run(Runner *runner, const Step *step) MUST_USE;
/* Carried out as written: in a transaction that may take long; outside of one. */
Err *long_run(Runner *runner, const Step *step) MUST_USE;
Err *outside_run(Runner *runner, const Step *step) MUST_USE;
/* What is there of the objects that the change's statements name, one per operation. */
Err *natives_load(Runner *runner, Arena *arena, const Change *change,
                  const ObjectState **ret_states) MUST_USE;
Err *validate_run(Runner *runner, const Step *step) MUST_USE;
Err *ready_run(Runner *runner, const Step *step) MUST_USE;
/* After ready: waits until every replica has replayed it, then notes the position. Does nothing when that is
 * done. */
Err *ready_settle(Runner *runner) MUST_USE;
/* Before the rows are verified: how many failures of the trigger stand in the journal. Ready is blocked while
 * there are more. */
Err *failures_note(Runner *runner) MUST_USE;
Err *quiet_run(Runner *runner, const Step *step) MUST_USE;
/* evidence.c */
/* Before ready: notes what is known of the use of all that is to go, to hold later looks against. */
Err *evidence_begin(Runner *runner) MUST_USE;
/* ERR_UNSAFE where somebody still uses it, where nothing tells, or where nobody was seen for less than
 * --quiet. What was found goes into the journal either way. */
Err *evidence_run(Runner *runner, const Step *step) MUST_USE;
/* Whether an evidence step that is done still holds. */
Err *evidence_is_fresh(Runner *runner, const Step *step, bool *ret_fresh) MUST_USE;
/* The sync trigger is still there, enabled, and sorts last: before verify and constraints. */
Err *sync_check(Runner *runner, const Name *table) MUST_USE;

/* manage.c: ERR_UNSAFE: the change is on its way back. */
Err *reverting(const char *change) MUST_USE;
/* Whether something of the phase is done, or may be half done: then there is no way but on. Looking whether
 * the old shape is still used does not count. */
Err *phase_has_begun(Runner *runner, Phase phase, bool *ret_begun) MUST_USE;
/* Undoes a step, as far as it was begun, and journals that. The same retries as forward steps: a lost
 * connection or a busy row does not leave an abort half done. */
Err *undo_with_retries(Runner *runner, const Step *step) MUST_USE;
/* ERR_UNSAFE: complete has taken something away already. */
Err *contract_check(Runner *runner) MUST_USE;

/* alter.c */
/* A statement that commits by itself: done once the definitions of `looks` are those behind it. */
Err *alter_run(Runner *runner, const Step *step) MUST_USE;
Err *alter_undo(Runner *runner, const Step *step) MUST_USE;
/* EngineOps.definition and its digest, as StepLook has it; both NULL where there is no such table. */
Err *definition_digest(const EngineOps *ops, Conn *conn, const Wait *wait, Arena *arena, const Name *table,
                       const char **ret_text, const char **ret_digest) MUST_USE;

/* shadow.c */
Err *shadow_capture(Runner *runner, const Step *step) MUST_USE;
Err *shadow_copy(Runner *runner, const Step *step) MUST_USE;
Err *shadow_compare(Runner *runner, const Step *step) MUST_USE;
Err *shadow_swap(Runner *runner, const Step *step) MUST_USE;
/* What is left of one of these steps goes; ERR_UNSAFE where the swap is done. */
Err *shadow_undo(Runner *runner, const Step *step) MUST_USE;
/* Behind the last step of complete: what captured changes is gone. */
Err *shadow_contract(Runner *runner) MUST_USE;
void shadow_close_all(Runner *runner);

/* revert.c */
/* ERR_UNSAFE with time and key when a direction of the change has lost a value. */
Err *broken_check(Runner *runner) MUST_USE;
/* Puts an event "back_broken" into the log for each direction of the change that is found broken and was not
 * told yet; *ret_text is what one of them says, NULL where there is nothing new. */
Err *broken_note(Conn *conn, Arena *arena, int64_t change_id, const char **ret_text) MUST_USE;

/* rows.c */
/* One query in a short read-only transaction as the step's role. */
Err *rows_read(Runner *runner, const Step *step, const char *sql, bool narrow, Rows *ret_rows) MUST_USE;
/* EngineOps.row_list in such a transaction, into runner->scratch. */
Err *rows_list(Runner *runner, const Step *step, const Scan *scan, const char *predicate, int64_t most,
               Rows *ret_rows) MUST_USE;
/* The server refused a value, not the statement. */
bool rows_err_is_data(const Err *err);
/* `select` ("SELECT … FROM ONLY t WHERE ") fails with `cause` somewhere in the range of about `size` units:
 * finds the row and names it. Takes `cause`; always gives an error of kind ERR_VERIFY. */
Err *rows_name_failing(Runner *runner, const Step *step, Scan *scan, Range range, int64_t size,
                       const char *select, Err *cause) MUST_USE;

/* load.c */
/* Loads what the plan needs over runner->conn and makes it. */
Err *runner_plan(Runner *runner, Arena *arena, const Change *change, Plan *ret_plan) MUST_USE;
/* load_my.c: the same for engines that speak DIALECT_MYSQL. */
Err *runner_plan_my(Runner *runner, Arena *arena, const Change *change, Plan *ret_plan) MUST_USE;
Err *runner_load_table(Runner *runner, Arena *arena, const Name *name, Table *ret_table) MUST_USE;
