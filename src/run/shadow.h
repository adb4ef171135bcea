/* shadow.h — a table that is being brought into its shadow: who works on it, and where it stands. Private to
 * run/.
 *
 * One ShadowRun a table and process, from the first of its steps to the swap. The working thread plans turns;
 * worker threads, each with a session of its own, carry them out: a turn copies chunks, compares chunks or
 * applies keys, and ends with no statement in flight. A reading thread captures keys all the time. What is
 * kept for a successor stands in one checkpoint, under the number of the step that began the capture. */
#pragma once
#include "run/keys.h"
#include "run/runner.h"

enum {
    SHADOW_WORKERS = 2,
    SHADOW_WORKERS_MAX = KEYS_BUCKETS,
    SHADOW_KEY_BYTES = 24 << 20, /* of keys in memory; then the log or the triggers' table keeps them */
    SHADOW_SAVE_MS = 1000,       /* a checkpoint about so often */
    SHADOW_FIRST_ROWS = 500,     /* of the first chunk */
};

typedef struct ShadowRun ShadowRun;
typedef struct Worker Worker;

/* A part of a pass that is to be done again before what is behind it counts. */
typedef struct Chunk {
    struct Chunk *next;
    uint64_t number; /* in the order of the key */
    uint64_t turn;   /* in which it was tried last */
    int tries;
    char *low, *high;
} Chunk;

/* The source from its beginning to its end, in chunks, by several workers. Guarded by ShadowRun.lock,
 * `cursor` by itself. */
typedef struct Pass {
    pthread_mutex_t cursor; /* held while the end of a chunk is looked up */
    char *low;              /* the next chunk begins here; NULL: the beginning */
    bool through;           /* there is none */
    Chunk *parked;          /* in order */
    Chunk *flying;          /* with a worker, in order */
    uint64_t numbers;
    int64_t size; /* rows of the next chunk */
    int64_t rows;
} Pass;

/* A key that was found different. */
typedef struct Suspect {
    char *key;
    int repairs, changes; /* brought over again; changed by the application while it was looked at */
} Suspect;

struct Worker {
    ShadowRun *run;
    size_t number;
    pthread_t thread;
    bool started;
    Conn *conn;
    const char *session_started; /* in the run's arena */
    Arena *arena;
    uint64_t turn; /* the last one that it took part in */
};

typedef Err *WorkerTask(Worker *worker);

struct ShadowRun {
    ShadowRun *next; /* of the runner */
    Runner *runner;
    const ShadowOps *ops;
    const ShadowSpec *spec;
    Arena *arena;
    int ordinal;      /* of the step under which the checkpoint stands */
    bool back;        /* from the new table into the old one */
    const Step *step; /* that is being run */
    int64_t row_estimate, rows_max;

    pthread_mutex_t lock; /* everything below, but where it says otherwise */
    pthread_cond_t wake;
    Keys *keys;

    /* The reading thread. */
    pthread_t reader;
    bool reader_started;
    Capture *capture; /* the reading thread's while it runs */
    Stop quit;        /* ends it */
    char *begun_at;   /* the position it was opened at */
    char *mark;       /* whether all before it is in `keys`: asked by the working thread; NULL */
    bool reached, hurry, swapping;
    uint64_t reached_number;
    bool emptied;
    uint64_t emptied_number;
    char *altered;
    Err *reader_err;
    int64_t behind_ms, behind_bytes;

    /* Turns. */
    Worker workers[SHADOW_WORKERS_MAX];
    size_t applier_count;
    bool quitting;
    uint64_t turn;
    size_t turn_workers, turn_active;
    WorkerTask *turn_task;
    int64_t turn_until_ms;
    Err *turn_err;
    int64_t turn_done;  /* rows or keys of the turn */
    int64_t batch_keys; /* of the next apply */

    /* Where it stands. Of the working thread, but for what passes hold. */
    bool copied, compared;
    Pass copy, compare;
    char *settled;        /* of the comparison: what lies below has no suspects left */
    bool settled_through; /* there is nothing above it */
    Suspect *suspects;    /* workers add to it under the lock */
    size_t suspect_count, suspect_cap;
    int64_t keys_applied, keys_displaced, repaired, busy_ms;
    int64_t saved_at_ms, told_at_ms, reported_at_ms, applied_per_s;
    bool brought;   /* the last call of bring, or of copied, came through */
    bool follows;   /* rows are compared while others are copied: both passes began together */
    bool settle;    /* what is captured must be applied before the next chunk */
    size_t backlog; /* behind the last apply turn */
    int failures, share, restarts;
};

/* ---- shadow_open.c: a run's life ------------------------------------------------------------ */

/* The run of the step's table; opened from its checkpoint unless it is open. ERR_UNSAFE, or ERR_GONE, where
 * the way back has lost what it would read. */
Err *shadow_open(Runner *runner, const Step *step, ShadowRun **ret_run) MUST_USE;
/* Ends the threads; the checkpoint stays as it is. */
void shadow_close(ShadowRun *run);
/* Where the capture's checkpoint of this table stands: the step's own for a way back. */
int shadow_ordinal(const Runner *runner, const Step *step);
/* The step that goes back from a swap of `spec`; NULL. */
const Step *shadow_step_back(const Runner *runner, const ShadowSpec *spec);
/* The specification with the change's number, in `arena`. */
const ShadowSpec *shadow_spec_of(const Runner *runner, Arena *arena, const Step *step);
/* Sessions that a dead runner's workers had are ended, before anything is done. */
Err *shadow_end_sessions(Runner *runner, const json_t *body) MUST_USE;
/* ERR_UNSAFE where the source is not the table any more that the plan was made for. */
Err *shadow_source_check(ShadowRun *run) MUST_USE;
/* Everything from the beginning: the shadow is emptied. `why`: what captured changes would be read on from is
 * gone; a few times in one process, then that is the error. NULL: the source was emptied. */
Err *shadow_begin_anew(ShadowRun *run, const char *why) MUST_USE;
Err *shadow_save(ShadowRun *run) MUST_USE;
Err *shadow_save_if_due(ShadowRun *run) MUST_USE;

/* ---- shadow_read.c: the reading thread ------------------------------------------------------ */

/* Captures from `position` on. ERR_GONE as ShadowOps.capture_open. */
Err *shadow_read_start(ShadowRun *run, const char *position) MUST_USE;
void shadow_read_stop(ShadowRun *run);
/* Asks for a mark behind all that is committed now; shadow_mark_reached tells whether everything before it is
 * among the keys, and the number of the last batch that may hold some of it. */
Err *shadow_mark(ShadowRun *run, Conn *conn, const Wait *wait) MUST_USE;
bool shadow_mark_reached(ShadowRun *run, uint64_t *ret_number);
/* Waits for what the reading thread has to say, at most until then. */
void shadow_wait(ShadowRun *run, int64_t until_ms);

/* ---- shadow_turn.c: turns ------------------------------------------------------------------- */

/* Workers with sessions of their own, which are noted in the checkpoint before they do anything. */
Err *shadow_workers_open(ShadowRun *run, size_t count) MUST_USE;
/* One turn of the first `workers` workers. What they did before an error counts. */
Err *shadow_turn(ShadowRun *run, WorkerTask *task, size_t workers, int64_t until_ms) MUST_USE;
/* Whether a worker should begin nothing more in this turn. */
bool shadow_turn_over(const Worker *worker);
Wait shadow_worker_wait(const Worker *worker, int64_t timeout_ms);
void shadow_workers_stop(ShadowRun *run);
/* Before each turn: waits at the gate; takes note of what capture found: ERR_UNSAFE where the source was
 * altered. A source that was emptied is copied anew: look at run->copied afterwards. */
Err *shadow_gate(ShadowRun *run) MUST_USE;
/* NULL for what the next turn may do better: errors that pass by, unless there were many without any progress
 * in between. */
Err *shadow_forgive(ShadowRun *run, Err *err) MUST_USE;
/* Applies for at most `budget_ms`. */
Err *shadow_apply_turn(ShadowRun *run, int64_t budget_ms) MUST_USE;
/* Applies until all that was committed before the call is in the shadow. ERR_LOCK_BUDGET naming rows that
 * stay locked by others. Ends early when the source was emptied. */
Err *shadow_catch_up(ShadowRun *run) MUST_USE;
/* Title and figures for those who watch. */
void shadow_report(ShadowRun *run, const Pass *pass);

/* ---- shadow_bring.c: captured keys that stay in the server ---------------------------------- */

/* The engine is of that kind. */
bool shadow_stays(const ShadowRun *run);
/* One call of bring, by a worker; run->brought tells whether it came through. */
Err *shadow_bring_turn(ShadowRun *run) MUST_USE;
/* Until one that began behind this call came through, or the copy was begun anew. */
Err *shadow_bring_all(ShadowRun *run) MUST_USE;
/* Under the lock of the swap. ERR_CANCELLED where something must be looked at in peace. */
Err *shadow_bring_locked(ShadowRun *run, Conn *locked, const Wait *wait) MUST_USE;
/* Behind the last chunk: ShadowOps.copied. */
Err *shadow_all_copied(ShadowRun *run) MUST_USE;

/* ---- shadow_pass.c -------------------------------------------------------------------------- */

void pass_init(Pass *pass);
void pass_done(Pass *pass);
/* From the beginning. */
void pass_reset(Pass *pass);
bool pass_is_through(const Pass *pass);
/* What is done lies below; NULL: nothing. */
const char *pass_watermark(const Pass *pass);
/* The next chunk; NULL when there is none for this turn. */
Err *pass_take(Worker *worker, Pass *pass, Chunk **ret_chunk) MUST_USE;
/* What `ahead` has done and `pass` has not, as one chunk; NULL when there is nothing. */
Err *pass_follow(Worker *worker, const Pass *ahead, Pass *pass, Chunk **ret_chunk) MUST_USE;
/* It is done, or to be done again after `err`. */
void pass_give(Worker *worker, Pass *pass, Chunk *chunk, const Err *err, int64_t rows, int64_t took_ms);

/* ---- shadow_copy.c, shadow_compare.c -------------------------------------------------------- */

/* Until every row is in the shadow; and until every row was compared. */
Err *shadow_until_copied(ShadowRun *run) MUST_USE;
Err *shadow_until_compared(ShadowRun *run) MUST_USE;
/* A worker's task beside those that copy: compares what they have done; and what is to be done behind such a
 * turn and its apply. */
Err *shadow_follow(Worker *worker) MUST_USE;
Err *shadow_settle(ShadowRun *run) MUST_USE;
void suspects_clear(ShadowRun *run);
/* What was compared so far holds: it goes into checkpoints. */
void shadow_settled(ShadowRun *run);

/* ---- shadow.c ------------------------------------------------------------------------------- */

/* ShadowOps.capture_begin in attempts, each shorter than --max-stall where it needs the table, within
 * --lock-wait: then ERR_LOCK_BUDGET. */
Err *shadow_capture_begin(Runner *runner, Arena *arena, const ShadowSpec *spec,
                          const char **ret_position) MUST_USE;

/* What an error leaves behind: a checkpoint where we were stopped, nothing in memory where a connection was
 * lost. Gives it back. */
Err *shadow_failed(Runner *runner, Err *err) MUST_USE;
