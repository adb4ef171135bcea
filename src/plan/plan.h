/* plan.h — the ordered work. Pure: the same request, schema, server facts and options give the same plan and
 * digests. */
#pragma once
#include "base/str.h"
#include "change/change.h"
#include "engine/probe.h"
#include "engine/schema.h"
#include "engine/shadow.h"
#include "plan/fingerprint.h"

#include <jansson.h>

typedef enum Phase {
    PHASE_PREPARE,  /* looks only: rows that could not be computed, duplicates, orphans */
    PHASE_EXPAND,   /* nullable column, sync trigger, defaults: short locks */
    PHASE_BACKFILL, /* existing rows, then VACUUM ANALYZE */
    PHASE_VERIFY,
    PHASE_CONSTRAIN, /* indexes, constraints NOT VALID, VALIDATE, NOT NULL */
    PHASE_CUTOVER,   /* names change places: what was made for the new columns becomes theirs */
    PHASE_READY,
    PHASE_CONTRACT, /* what only `complete` does */
    PHASE_REVERT,   /* what only `revert` does: Plan.reverts */
    PHASE_COUNT
} Phase;
const char *phase_name(Phase phase);
/* -1 if unknown. */
int phase_from_name(const char *name);

typedef enum StepKind {
    STEP_DDL,          /* statements in one short transaction with its journal row */
    STEP_BACKFILL,     /* ranges and waves */
    STEP_VACUUM,       /* VACUUM (ANALYZE), outside a transaction */
    STEP_VERIFY,       /* counts rows that must not exist */
    STEP_CREATE_INDEX, /* CONCURRENTLY: outside a transaction, probed, an INVALID leftover is dropped and
                          rebuilt */
    STEP_DROP_INDEX,   /* CONCURRENTLY */
    STEP_DETACH,       /* DETACH PARTITION CONCURRENTLY; the second statement finishes one that was cut off */
    STEP_VALIDATE,     /* a scan under a weak lock, in a transaction with its journal row */
    STEP_READY,        /* the position from which the application may rely on the change */
    STEP_LONG,     /* statements in a transaction with its journal row that may take long, under locks that
                      stop no reader or writer of a table */
    STEP_OUTSIDE,  /* a statement that cannot run in a transaction; `checks` may hold a query that tells
                      whether it is done, and one that lists statements to clear away what an interrupted
                      run left */
    STEP_QUIET,    /* complete: no old writer for long enough */
    STEP_EVIDENCE, /* complete: nobody uses `columns` of the table, or the table, any more */
    STEP_ALTER,   /* one statement of a server whose DDL commits by itself: `looks` tell whether it is done */
    STEP_CAPTURE, /* from here on changes of the source of `shadow` are captured; undo ends that. Of phase
                     contract: the capture for the way back ends */
    STEP_COPY,    /* rows and changes are brought into the shadow */
    STEP_COMPARE, /* every chunk of source and shadow is compared, with repair */
    STEP_SWAP, /* the shadow takes the source's place, and changes are captured for the way back: the spec of
                  that is the one of Plan.reverts. Of phase revert: it gives the place back */
    STEP_KIND_COUNT
} StepKind;

/* What is true of a kind of step, read by the executor, the documentation and the tests. */
typedef struct StepKindInfo {
    const char *name;    /* "ddl", "backfill" … */
    bool transactional;  /* commits together with its journal row; else it has a probe */
    bool strong_lock;    /* bounded by --max-stall, with lock attempts within --lock-wait */
    const char *summary; /* one line for the documentation */
} StepKindInfo;
extern const StepKindInfo step_kinds[STEP_KIND_COUNT];

typedef enum Evidence { EVIDENCE_MEASURED, EVIDENCE_CATALOG, EVIDENCE_RULE, EVIDENCE_UNKNOWN } Evidence;
typedef enum Timeout { TIMEOUT_NONE, TIMEOUT_LOCK, TIMEOUT_CHUNK, TIMEOUT_WATCHDOG } Timeout;
const char *evidence_name(Evidence evidence);
const char *timeout_name(Timeout timeout);

/* A column that a backfill step fills. */
typedef struct FillColumn {
    const char *column;
    const char *type;
    const char *expr;    /* ExprForms.plain */
    bool immutable;      /* verified by equality */
    bool null_legal;     /* NULL is a legal result */
    bool exact_equality; /* of the column's type: "IS DISTINCT FROM" sees every difference */
    SyncColumn sync; /* its part of the sync trigger (change_id 0: filled in when the change is journalled) */
} FillColumn;

/* A count of rows that must be 0. */
typedef struct Check {
    const char *label;     /* "amount_cents differs from (amount * 100)::bigint" */
    const char *predicate; /* rows in a chunk for which it is true are wrong */
    const char *query;     /* instead of predicate: a whole statement that returns offending keys (duplicates,
                              orphans); NULL */
    bool evaluate_only;    /* prepare: the expression is evaluated for its errors and NULLs */
    bool count_only;       /* reported apart, never fails: "written by the application itself" */
    const char *hint;      /* what to do about such rows */
} Check;

/* A table (or view) that a statement changes: what EngineOps.definition says of it before and after, as
 * digests (base/digest.h); NULL: there is none of that name. Neither is ambiguous. */
typedef struct StepLook {
    Name table;
    const char *before, *after;
} StepLook;

/* What an unfinished change that gives way has done of a step already (plan/forward.h). */
typedef enum StepKept { STEP_KEPT_NOT, STEP_KEPT_BEGUN, STEP_KEPT_DONE } StepKept;
const char *step_kept_name(StepKept kept); /* "begun", "done"; NULL for none */

typedef struct Step {
    int ordinal; /* from 1 */
    Phase phase;
    StepKind kind;
    const char *title; /* "add column amount_cents, nullable, with the sync trigger" */
    const char *const
        *sql; /* in order, without final semicolons; a backfill and a verify show one typical statement */
    size_t sql_count;
    const char *const *undo; /* in order; none: nothing to undo */
    size_t undo_count;
    const char *lock; /* strongest lock: "ACCESS EXCLUSIVE" …; "" where none is held on a user's table */
    const char *const *lock_on;    /* "public.orders", strongest first */
    const char *const *lock_modes; /* what is taken on each of lock_on; the first is `lock` where the step has
                                      a table */
    size_t lock_count;
    size_t lock_tree; /* how many of lock_on, after the first, are its partitions: they are locked together */
    bool rewrites, scans;
    Evidence evidence;
    Timeout timeout;
    int64_t estimate_low_ms, estimate_high_ms;
    Name table; /* what it works on, always with schema; name NULL: none */
    /* DDL: regenerates the table's sync trigger after `sql`, with `fills` added to what stands there; without
     * fills it takes this change's part out. Undo takes this change's part out before `undo` (the trigger's
     * conditions name the columns that undo drops). `fills` take the place of all that this change had
     * registered for the table, so that a swap of names gives the new set. */
    bool sync;
    const char *const *sync_sql; /* the generated statements as they would be now, for display: made anew when
                                    the step runs */
    size_t sync_sql_count;
    const char *const *sync_undo; /* likewise for undo */
    size_t sync_undo_count;
    const FillColumn *fills; /* sync, backfill */
    size_t fill_count;
    bool quiet_triggers; /* backfill: run with the user's triggers quiet */
    const Check *checks; /* verify */
    size_t check_count;
    const char *const *columns; /* evidence: that are to go; none: the table, or its name */
    size_t column_count;
    bool counters; /* evidence: scans and writes of the table are uses of it (its name alone is to go where
                      this is false) */
    const struct Step *undo_steps; /* ddl, validate, create_index: run before `undo`, in order; each can be
                                      repeated without harm. They have no ordinals of their own */
    size_t undo_step_count;
    const char *index; /* create/drop index: its name, in the table's schema */
    bool index_unique;
    const char *role;      /* act as (the table's owner); NULL: as ourselves */
    bool needs_back;       /* ddl of a revert: under its locks no direction of the change may be broken, else
                              ERR_UNSAFE; to be set on the first step after which there is no way forward again */
    bool first;            /* while the plan is made: before the other steps of its phase, with the indexes */
    bool as_written;       /* alter: its statement is the user's own: under the server's sql_mode and zone */
    bool unchecked;        /* alter: as AlterRequest.unchecked; rows are looked at in a step of its own */
    const StepLook *looks; /* alter */
    size_t look_count;
    const ShadowSpec *shadow; /* capture, copy, compare, swap; NULL */
    StepKept kept;            /* like estimates no part of the digest */
} Step;

/* Something a person should know before saying yes. `accept` names the option that must be given, NULL for a
 * note. */
typedef struct Risk {
    const char *id;     /* "star", "triggers", "scan", "subscribers", "standby-stall" … */
    const char *accept; /* "--accept-star"; NULL: a note, nothing to accept */
    bool accepted;
    const char *message;
    const char *sql; /* what to run first, where that is the way out; NULL */
} Risk;

/* What the catalog will differ by at one moment, as seen on an empty clone. */
typedef struct PlanMark {
    const char *at; /* "cutover", "ready": since before the first step; "swap": the same, behind the step;
                       "complete": since ready */
    int step;       /* ordinal of the step before, or behind, which that holds; 0 for "complete" */
    Difference difference;
} PlanMark;

/* Which ways a plan may go. */
/* Secondary indexes of a shadow table: built behind its rows, or written with them. */
typedef enum LateIndexes { LATE_INDEXES_AUTO, LATE_INDEXES_ALWAYS, LATE_INDEXES_NEVER } LateIndexes;

typedef enum Strategy { STRATEGY_AUTO, STRATEGY_INSTANT, STRATEGY_IN_PLACE, STRATEGY_SHADOW } Strategy;
typedef enum VerifyMethod { VERIFY_AUTO, VERIFY_EXPRESSION, VERIFY_FILLED } VerifyMethod;

/* The unfinished change of the same name that gives way to this one: what of it is kept says Step.kept. */
typedef struct PlanReplaces {
    const char *change_digest;
    const char *const *undone; /* titles of its steps that are undone first, in that order */
    size_t undone_count;
} PlanReplaces;

typedef struct Plan {
    const char *change, *owner, *sql;
    const char *change_digest, *plan_digest;
    const char *engine, *server, *strategy; /* "instant", "in-place" or "shadow" */
    const char *const *search_path;         /* under which names in the SQL were resolved */
    size_t search_path_count;
    const char *const *tables; /* that are locked by the lease: "public.orders", sorted */
    size_t table_count;
    const Step *steps;
    size_t step_count;
    const Risk *risks;
    size_t risk_count;
    const Step *reverts; /* phase revert, in the order they are run by `stoa revert`, with ordinals that go on
                            behind those of `steps`; none: there is no way back once it is ready */
    size_t revert_count;
    const char *no_revert; /* why there is none, for people; NULL */
    const PlanMark *marks; /* none where nothing was measured */
    size_t mark_count;
    const char *version_schema;       /* of the views for the new application (--versioned); NULL: none */
    bool nothing_to_do;               /* everything asked for is there already */
    const PlanReplaces *replaces;     /* no part of the digest; NULL */
    const char *database, *system_id; /* where it was made; no part of it, and not in its JSON; NULL */
} Plan;

/* What the command line decides about the plan. */
typedef struct PlanOptions {
    int64_t max_stall_ms;
    VerifyMethod verify;
    Strategy strategy; /* read by plan_make_my; of PostgreSQL's, which take a shadow table only where they are
                          told to, others are refused when they are made */
    LateIndexes late_indexes;
    const char *const
        *accepted; /* ids: "star", "triggers", "scan", "subscribers" (from --subscribers-ready) … */
    size_t accepted_count;
    const char *const *replicas; /* --replicas: URLs; NULL and replicas_given with none: "0" */
    size_t replica_count;
    bool replicas_given;
    bool max_lag_given;
    bool measured;           /* --probe on or schema */
    bool measured_in_schema; /* --probe schema */
    double stands_for; /* a rehearsal's: the tables stand for ones so many times as large; 0: they do not */
    bool versioned;    /* --versioned: both applications at once */
    const char *version_schema; /* --versioned=NAME; NULL: made from the change's name */
} PlanOptions;

/* One expression looked at by the server, found by table, column and use. */
typedef struct PlanExpr {
    Name table; /* as written in the operation or backfill */
    const char *column;
    bool of_default;     /* the DEFAULT of an ADD COLUMN; else its backfill */
    bool of_reverse;     /* the way back to this old column */
    bool default_stable; /* of_reverse: the old column's own default is one value a statement, or there is
                            none */
    ExprForms forms;
    ExprInfo info;
} PlanExpr;

typedef struct PlanInput {
    const Change *change;
    const Server *server;
    const Table *tables; /* as plan_wanted_tables names them, in its order: kind RELATION_MISSING where there
                            is none (for an index: where there is no such index) */
    size_t table_count;
    const PlanExpr *exprs; /* one per backfill, reverse and non-constant default */
    size_t expr_count;
    const Face *faces;          /* with --versioned: one per table */
    const char *version_schema; /* with --versioned: plan_version_schema() */
    bool version_taken;         /* there is a schema of that name */
    const ObjectState *objects; /* one per operation, read for OPERATION_NATIVE; NULL: nothing is there */
    const char *journal_sql;    /* what creates the journal: shown to subscribers that would get it; NULL */
    PlanOptions options;
} PlanInput;

/* Makes the plan. Errors: ERR_UNSAFE with reason and hint for what cannot be done safely, ERR_USAGE for what
 * cannot be meant (missing table or column, backfill of a column nobody adds), ERR_PRIVILEGE naming the
 * grant. A risk that was not accepted is no error here: the plan is shown, apply refuses it (plan_refusal).
 * Everything lives in `arena`. */
Err *plan_make_pg(Arena *arena, const PlanInput *input, Plan *ret_plan) MUST_USE;

/* The first of the change's problems as an error; NULL. */
Err *change_check(const Change *change) MUST_USE;

/* Takes over what the server did with the step on an empty clone: its locks, as far as writers can meet them,
 * and the evidence. ERR_UNSAFE where a table with rows would be rewritten or read to its end under a lock
 * that stops writers, and the step does not say so. */
Err *step_measured(Arena *arena, Step *step, const Probe *probe, const Table *tables, size_t count) MUST_USE;
/* Over SQL, locks and strategy. To be made anew when a step was measured. */
const char *plan_digest_make(Arena *arena, const Plan *plan);

/* NULL, or ERR_UNSAFE naming a step whose locks no rule tells and that was not measured. */
Err *plan_unmeasured(const Plan *plan) MUST_USE;
/* NULL, or ERR_UNSAFE naming every risk that was not accepted, with the options in the hint. */
Err *plan_refusal(const Plan *plan) MUST_USE;

/* A table that plan_make needs. */
typedef struct WantedName {
    Name name;
    bool index;   /* the name is an index's (DROP INDEX, COMMENT ON INDEX): load the table that it stands on,
                     asked by EngineOps.index_table; the entry keeps its place even when that table is loaded
                     twice */
    bool closely; /* with EngineOps.load_dependents */
} WantedName;
/* The tables an engine must load before plan_make: each name once. */
void plan_wanted_tables(Arena *arena, const Change *change, WantedName **ret_names, size_t *ret_count);

/* What a shadow of the table is called, and the table behind the cutover: EngineOps.load_copy is asked with
 * these where the strategy is STRATEGY_SHADOW. */
void plan_copy_names(Arena *arena, const Table *table, const char **ret_copy, const char **ret_old);

/* The name of the schema for --versioned: `given`, or made of the first changed table's schema and the
 * change's name. NULL where no table gets another shape. */
const char *plan_version_schema(Arena *arena, const Change *change, const Table *tables,
                                const WantedName *wanted, size_t count, const char *given);
/* The columns of which plan_make needs Table.column_parts: those of a loaded table that this change gives
 * another type or name; and the names of the new columns beside them. */
void plan_wanted_column_parts(Arena *arena, const Change *change, const WantedName *names,
                              const Table *tables, size_t count, size_t at, const char *const **ret_columns,
                              const char *const **ret_twins, size_t *ret_count);
/* Columns that refer to one whose type changes change with it: false when there is none that the change does
 * not have, else the change with them. What it adds is not in its digest, since it follows from the catalog.
 */
bool plan_grow(Arena *arena, const Change *change, const WantedName *names, const Table *tables, size_t count,
               Change *ret_change);

/* An expression that the server must look at before plan_make (PlanExpr is its answer). */
typedef struct WantedExpr {
    Name table;
    const char *column;
    const char *type_sql; /* of the column that is added; NULL: the table has the column, take its type */
    const char *expr_sql;
    bool of_default;
    bool of_reverse; /* it may read the columns that the change adds */
} WantedExpr;
/* Every backfill and reverse, and every default of an added column that is not constant. */
void plan_wanted_exprs(Arena *arena, const Change *change, WantedExpr **ret_exprs, size_t *ret_count);

/* Lossless: the journal keeps plans in this form; plan --json prints it. Keys as in the command line's
 * contract. */
json_t *plan_to_json(const Plan *plan);
/* What the step does, and by what it is undone, in that form: without its place, words, locks, estimates, who
 * runs it, and texts of the sync trigger, which hold other changes' columns as well. Equal for equal work. */
json_t *step_work_json(const Step *step);
Err *plan_from_json(Arena *arena, const json_t *json, Plan *ret_plan) MUST_USE;

/* Adds ", b = b" for the columns that an UPDATE of these ones also sets to themselves (Column.self_set),
 * those among `fills` excepted. */
void fills_add_self_set(Str *out, const Table *table, const FillColumn *fills, size_t count);

/* Adds to `table` the columns among `fills` that it lacks, as the plan makes them. */
void fills_join_columns(Arena *arena, Table *table, const FillColumn *fills, size_t count);

/* The sync trigger of a table for the given columns (of one or more changes): statements, in order, that
 * create or replace function, counters and triggers, or, with no columns, that drop all of it. Counters of
 * columns in table->sync that are not among `columns` are dropped. Triggers are named so that they sort after
 * every other row trigger of the table. They are to run as the table's owner, in one transaction, with the
 * table's lock held; where the owner is not server->role they begin with the grants it needs on schema stoa,
 * as the session's own role. They stand on stoa.sync_failures (table_id, column_name, key, sqlstate, message,
 * at) and stoa.writers (table_id, column_name, application_name, role_name, at). Source of the semantics:
 * ARCHITECTURE.md "The fill invariant". */
void sync_sql_pg(Arena *arena, const Server *server, const Table *table, const SyncColumn *columns,
                 size_t count, const char *const *search_path, size_t search_path_count,
                 const char *const **ret_sql, size_t *ret_count);

/* The sequence, as qualified SQL, that counts what the trigger had to fill in this column (name made of the
 * table's number and the column, cut to 63 bytes). */
const char *sync_counter_pg(Arena *arena, int64_t table_id, const char *column);
/* The sequence that counts the values which this direction (its target column) has lost. */
const char *sync_broken_pg(Arena *arena, int64_t table_id, const char *column);
/* The sequence that holds the minute of the last row in stoa.writers for this column. */
const char *sync_minute_pg(Arena *arena, int64_t table_id, const char *column);
/* "x IS DISTINCT FROM y", or, where the type's equality does not see every difference, by images. */
const char *differs_pg(Arena *arena, bool exact_equality, const char *left, const char *right);
