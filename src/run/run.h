/* run.h — carries a plan out: one executor for every engine. The journal is the truth, resume is the same
 * loop again. */
#pragma once
#include "engine/engine.h"
#include "plan/plan.h"

/* What a user has looked at beside the server's own signals. */
typedef enum OutsideCheck {
    OUTSIDE_SQL,  /* a statement whose value holds the work while it is true, or a number other than 0 */
    OUTSIDE_URL,  /* holds the work while it answers otherwise than with 2xx */
    OUTSIDE_FILE, /* holds the work while it is there */
    OUTSIDE_DISK, /* a size: holds the work while less is free on the server's disks */
    OUTSIDE_COUNT
} OutsideCheck;

/* Everything that may be changed while a change runs; kept in the journal (stoa.controls) and read again
 * every quarter of a second. */
typedef struct Controls {
    bool paused;
    int64_t max_stall_ms;                     /* 200 */
    int64_t lock_wait_ms;                     /* 600000 */
    int64_t max_lag_ms;                       /* 5000 */
    int64_t chunk_time_ms;                    /* 100 */
    int64_t quiet_ms;                         /* 86400000 */
    const char *window;                       /* "22:00-06:00 Europe/Berlin"; NULL: any time */
    double load_limits[LOAD_SIGNALS_MAX];     /* of EngineOps.load_signals; negative: the usual one */
    double critical_limits[LOAD_SIGNALS_MAX]; /* past which the change is paused; negative: none */
    int64_t critical_retries; /* of a statement that was ended there; negative: as it was, which is 3 */
    int64_t build_memory;     /* bytes, to sort an index in; negative: as it was, which is the server's own */
    int64_t build_workers; /* beside the one session that builds; negative: as it was, which is the server's
                              own */
    double nice;           /* rest for each second of work; negative: as it was, which is 0 */
    const char *checks[OUTSIDE_COUNT]; /* NULL: as it was; "": none */
    int window_heavy; /* the window is for heavy steps alone: 1; for all: 0; -1: as it was, which is 0 */
} Controls;
void controls_default(Controls *ret_controls);

/* One thing that happened: goes to the journal's event log and to the observer. */
typedef struct Event {
    const char *change; /* its name; NULL before it is known */
    const char *kind;   /* "step_started", "step_done", "lock_blocked", "throttled", "retry", "ready" … */
    int step;           /* 0: the change as a whole */
    json_t *detail;     /* borrowed object, may be NULL */
    const char *text;   /* for people */
} Event;

typedef struct Progress {
    const char *change, *phase;
    int step, step_count;
    const char *title;
    int64_t rows_done, rows_total; /* 0 where rows have no meaning */
    double rows_per_s;
    int64_t eta_low_s, eta_high_s; /* -1 unknown */
    double hot_ratio;              /* -1 unknown */
    const char *throttled_by;      /* NULL: running */
} Progress;

/* What was carried out from one time to another, for traces: a step in one run of the program, or (step 0)
 * the change from when it was planned until it became ready. Times are microseconds since 1970. */
typedef struct TraceSpan {
    const char *change, *change_digest, *database, *engine;
    int64_t change_id;
    int step;
    const char *title, *phase, *kind, *table, *lock; /* of a step; table "" and lock "" where there is none */
    int64_t from_us, to_us;
    int64_t rows;                            /* that a backfill or copy has done so far; -1: it has none */
    int64_t locks_acquired, locks_timed_out; /* attempts so far */
    int64_t rested_ms;                       /* waited at the gate meanwhile */
    const char *failed;                      /* NULL */
} TraceSpan;

/* `event` is called from the working and the control thread, never two at a time; `progress` from the control
 * thread, about four times a second.
 */
typedef struct Observer {
    void (*event)(void *context, const Event *event);
    void (*progress)(void *context, const Progress *progress);
    void (*span)(void *context, const TraceSpan *span); /* from the working thread; may be NULL */
    void *context;
} Observer;

/* What is to stand in the journal of a change that is begun, or gone on with: an event of a kind of its own.
 */
typedef struct RunNote {
    const char *kind, *text;
    json_t *detail; /* borrowed */
} RunNote;

typedef struct RunOptions {
    const EngineOps *ops;
    Target target;
    Stop *stop;
    Observer observer;
    Controls controls;
    unsigned controls_given; /* which of controls were given by the user: CONTROL_… bits; others keep the
                                journal's */
    int until;               /* Phase to stop after, or -1 */
    const char *expect;      /* plan_digest that must match; NULL */
    bool force;              /* complete: also with old writers seen */
    bool replace;            /* apply: an unfinished change of this name gives way */
    int64_t approvals;       /* how many others must have approved the plan; 0: none */
    const char *signers;     /* file of allowed signers; NULL: signatures do not count */
    const char *sign_key;    /* whoever applies signs with it; NULL */
    const char *environment; /* its name; NULL */
    PlanOptions plan;
    const char *database_label; /* redacted, for messages */
    bool no_comment;            /* a contract is kept in the journal alone, not as the column's comment */
    const RunNote *note;        /* of apply; NULL */
    /* What plans came to when they were tried out, by all that this depends on: {key: plan}, borrowed. A plan
     * that stands there need not be tried out again. What is new is told as an event "measured" with key and
     * plan, and not journalled. NULL: each is tried out. */
    const json_t *measured;
    /* Of apply: the rehearsal of exactly this plan, as `stoa rehearse --json` tells it, a new reference; NULL
     * where there is none. Asked once, when a change is begun: what it predicts is journalled, and held
     * against what was measured once the change is ready. NULL: nobody is asked. */
    json_t *(*rehearsal)(void *context, const Plan *plan);
    void *rehearsal_context;
} RunOptions;
enum {
    CONTROL_MAX_STALL = 1 << 0,
    CONTROL_LOCK_WAIT = 1 << 1,
    CONTROL_MAX_LAG = 1 << 2,
    CONTROL_CHUNK_TIME = 1 << 3,
    CONTROL_QUIET = 1 << 4,
    CONTROL_WINDOW = 1 << 5, /* a limit of the load is given where it is not negative */
};

typedef enum ChangeState {
    STATE_PLANNED,
    STATE_RUNNING,
    STATE_PAUSED,
    STATE_WAITING,
    STATE_READY,
    STATE_COMPLETED,
    STATE_ABORTED,
    STATE_REVERTED,
    STATE_FAILED,
    STATE_AMBIGUOUS,
} ChangeState;
const char *change_state_name(ChangeState state);

/* What was measured while a change was carried out, summed over its steps and resumes. */
typedef struct RunSummary {
    ChangeState state;
    const char *plan_digest;
    int64_t rows_filled, rows_checked,
        rows_apart; /* apart: written by the application itself (verify filled) */
    int64_t hot_rows;
    bool hot_counted; /* this kind of server tells of such rows */
    int64_t backfill_ms, total_ms;
    int64_t wal_bytes;
    bool binary_log;   /* they are the binary log's */
    bool already_done; /* nothing was left to do */
} RunSummary;

/* Loads what the plan needs from the server and makes it. Nothing is changed. For a change that is in the
 * journal under way, the journalled plan is returned and *ret_journalled is true. A name that was made rather
 * than given, and belongs to another change that is over, gets a number: change->name says which. Errors as
 * plan_make_pg, plus connection. */
Err *run_plan(const RunOptions *options, Arena *arena, Change *change, Plan *ret_plan,
              bool *ret_journalled) MUST_USE;

/* Carries the change out up to ready (or options->until), or continues it. `confirm` is asked once, before
 * anything is changed, with the plan: false ends with ERR_STOPPED. May be NULL. Errors: ERR_HELD somebody
 * else runs it (host, pid, since in the message), ERR_LOCK_BUDGET, ERR_VERIFY, ERR_UNSAFE, ERR_STOPPED after
 * a signal with the work checkpointed, and whatever the server refused. */
Err *run_apply(const RunOptions *options, Arena *arena, Change *change,
               bool (*confirm)(void *context, const Plan *plan), void *confirm_context,
               RunSummary *ret_summary) MUST_USE;

/* The same for a change by name that is in the journal: goes on up to ready. Clears `paused` and stores given
 * controls; when a live runner has it, only that (ret_summary->state says running). */
Err *run_resume(const RunOptions *options, Arena *arena, const char *change,
                RunSummary *ret_summary) MUST_USE;
Err *run_pause(const RunOptions *options, Arena *arena, const char *change) MUST_USE;
Err *run_abort(const RunOptions *options, Arena *arena, const char *change) MUST_USE;
Err *run_complete(const RunOptions *options, Arena *arena, const char *change,
                  RunSummary *ret_summary) MUST_USE;
/* After ready: the old application alone again. ERR_UNSAFE where the plan has no way back or a direction is
 * broken, with time and key; nothing was changed then and the change is ready as before. */
Err *run_revert(const RunOptions *options, Arena *arena, const char *change,
                RunSummary *ret_summary) MUST_USE;
/* Removes schema, functions and triggers. ERR_UNSAFE while a change is under way unless force. */
Err *run_uninstall(const RunOptions *options, Arena *arena) MUST_USE;

/* The object of `stoa status --json`; `change` NULL: all that are not over, or with `all` every one. */
Err *run_status(const RunOptions *options, Arena *arena, const char *change, bool all,
                json_t **ret_json) MUST_USE;
/* A session that looks on, again and again: for dashboards, metrics and flags. One thread at a time. */
typedef struct RunView RunView;
Err *run_view_open(const RunOptions *options, RunView **ret_view) MUST_USE;
/* All changes as run_status() tells them, and the events whose number is higher than `after`, or where that
 * is below 0 the last so many, each with its "id". New arrays, the caller's. After an error the view is to be
 * closed. */
Err *run_view_look(RunView *view, Arena *arena, int64_t after, json_t **ret_changes,
                   json_t **ret_events) MUST_USE;
/* [{"flag","set","reason","account","at","by"}]: what operators said of flags, oldest first, as of the last
 * look. */
const json_t *run_view_flags(const RunView *view);
/* {"w": {…}}: the plans of all changes by name, as the journal has them, as of the last look; it goes on
 * being changed by the next. NULL: there are none. */
const json_t *run_view_plans(const RunView *view);
/* Whether the table has such a column now. */
Err *run_view_column(RunView *view, Arena *arena, const char *schema, const char *table, const char *column,
                     bool *ret_there) MUST_USE;
/* What the server was at the last look. Its texts live as long as that look's arena. */
const Server *run_view_server(const RunView *view);
void run_view_close(RunView *view);

/* What is approved, and how. */
typedef struct ApproveWish {
    const Plan *plan;
    bool revoke;                         /* take back what there is, instead */
    const char *key;                     /* sign with this key; NULL: as the role of the session */
    int64_t ttl_ms;                      /* how long it holds */
    const char *account;                 /* who says so, as far as the machine knows; NULL */
    const char *signed_text, *signature; /* what run_sign() came to elsewhere, in place of a key; NULL */
} ApproveWish;
/* Puts the approval into the event log, making the journal where there is none. With options->signers the
 * signature is looked at first: ERR_UNSAFE where it would not count. *ret_who: the signer, or the role. */
Err *run_approve(const RunOptions *options, Arena *arena, const ApproveWish *wish,
                 const char **ret_who) MUST_USE;
/* Signs an approval of wish->plan with wish->key, by the clock of this machine and without a server: for the
 * database that the plan was made in, and options->environment. To be recorded by run_approve() of somebody
 * who can reach it, with options->signers: ERR_UNSAFE there where it does not count, or was taken back. */
Err *run_sign(const RunOptions *options, Arena *arena, const ApproveWish *wish, const char **ret_text,
              const char **ret_signature) MUST_USE;

/* What an operator says of a flag. */
typedef struct FlagWish {
    const char *key;    /* in full */
    const char *change; /* whose flag it is */
    const char *set;    /* "off", "on", "25%" */
    const char *reason; /* NULL */
} FlagWish;
/* Notes it in the journal, with who asks. ERR_USAGE where there is no such change. */
Err *run_flag(const RunOptions *options, Arena *arena, const FlagWish *wish) MUST_USE;
/* What may be removed, with evidence: {"v":1,"findings":[{"kind","object","confidence","evidence","do",…}],
 * "unknown":[{"what","why","fix"}],"cost":{…},…}; docs/stale.md. Replicas of options->plan are asked as well.
 * Nothing is changed. */
Err *run_stale(const RunOptions *options, Arena *arena, json_t **ret_json) MUST_USE;
/* The life of a column over all changes: {"v":1,"column":…,"events":[…]} as run_history(). `name` is
 * table.column or schema.table.column: without a schema that of the first change that was about such a
 * column. ERR_USAGE where none was. */
Err *run_life(const RunOptions *options, Arena *arena, const char *name, json_t **ret_json) MUST_USE;
/* What a journal has of a request that stands in another one, too. */
typedef struct FoundChange {
    const char *name; /* NULL: nothing */
    const char *change_digest, *state, *phase;
    bool same;  /* it is the request with this digest; else another one by its name */
    bool ready; /* or completed, at a position that every replica has replayed */
} FoundChange;
/* Looks for the change with this digest, and where there is none for that of the name; those that were
 * aborted or reverted do not count. `suffix`: names of changes that count end in it; "": they have no "@". */
Err *run_find(const RunOptions *options, Arena *arena, const char *change_digest, const char *name,
              const char *suffix, FoundChange *ret_found) MUST_USE;
/* {"v":1,"events":[…]} of one change or of all, oldest first. */
Err *run_history(const RunOptions *options, Arena *arena, const char *change, json_t **ret_json) MUST_USE;
/* What rehearsals said of changes that became ready, and what came of it, oldest first; `change` NULL: of
 * all.
 * {"v":1,"inside","scored","steps_inside","steps_scored","changes":[{"change","at","cut",
 *  "seconds":{"low","high","actual","inside","scored"},"wal_bytes":{…},"steps":[{"ordinal","kind","title",
 *  "seconds":{…},"wal_bytes":{…}}],"past":{…}}]}; docs/rehearse.md. */
Err *run_predictions(const RunOptions *options, Arena *arena, const char *change, json_t **ret_json) MUST_USE;
/* Whether the event log is as it was sealed (run/chain.h), and the head of the chain, which may be kept
 * elsewhere and be `expected` later; NULL: none is.
 * {"v":1,"verified","sealed","unsealed","head":{"seal","hash","event"},"expected_head":{"hash","found","seal"},
 *  "finding_count","findings":[{"kind","event","seal","text"}]} */
Err *run_history_verify(const RunOptions *options, Arena *arena, const char *expected,
                        json_t **ret_json) MUST_USE;
/* Whether a window is open at `at` ("2026-11-29 12:38:33", UTC; NULL: the server's clock), as a check of
 * run_doctor() that joins those of `doctor`. */
Err *run_window(const RunOptions *options, Arena *arena, const char *window, const char *at,
                json_t *doctor) MUST_USE;
/* Notes in the file `path`, made where there is none, how much the server has done so far, and adds the check
 * "quiet hours" with what all samples in it suggest: "window" (text or null), "rates_per_s" by hour in UTC.
 */
Err *run_quiet(const RunOptions *options, Arena *arena, const char *path, json_t *doctor) MUST_USE;
/* {"v":1,"server":…,"checks":[{"name","ok","severity":"block|warn|note","message","fix"}]} */
Err *run_doctor(const RunOptions *options, Arena *arena, json_t **ret_json) MUST_USE;
