/* trial.h — one run of a change on a copy of a made database, with or without an application in its way, and
 * what was counted meanwhile. */
#pragma once
#include "change/change.h"
#include "load/load.h"
#include "rehearse/stage.h"
#include "run/run.h"

/* The application of a rehearsal: the source's statements, in their shares, at its rate. */
typedef struct Mix {
    LoadItem *items;
    size_t item_count;
    double rate;              /* statements a second */
    const char *const *texts; /* of each item, for people: "UPDATE of status by key" */
} Mix;
/* mix.c: out of the facts of the table; `rate` 0: the source's, but at least so many that a stall is seen. */
void mix_make(Arena *arena, const Fill *fill, const Facts *facts, const FactTable *table, double rate,
              Mix *ret_mix);

typedef struct TrialStep {
    int ordinal;
    const char *phase, *kind, *title, *lock; /* lock "" where none is held on a user's table */
    double seconds;
    int64_t wal_bytes, temp_bytes; /* temporary files at their most */
    int blocked;        /* sessions of the application that waited for a lock at the worst moment */
    int lock_waits;     /* attempts that were in somebody's way */
    LoadReport latency; /* of statements that ended meanwhile; count 0: none */
} TrialStep;

typedef struct Trial {
    int64_t row_count;
    double seconds; /* the plain way: of all statements; the plan: of its steps */
    int64_t wal_bytes, temp_bytes;
    int64_t disk_bytes; /* the database grew by so much at its most */
    int blocked;
    TrialStep *steps; /* of the plan */
    size_t step_count;
    LoadReport before, during;
    const char *error; /* what the server said to the plain way; why the plan got no lock; NULL */
    const char *plan_digest, *strategy;
} Trial;

typedef struct TrialWish {
    Stage *stage;
    const char *base; /* the database that is copied */
    int64_t row_count;
    const Change *change;
    const RunOptions *options; /* of the plan and its run; target, observer and stop are set here */
    bool plain;                /* as it is usually written, instead of by the plan */
    const Mix *mix;            /* NULL: nobody is in the way */
} TrialWish;
/* What the change meets is an error of ours, but what the server says to the plain way. */
Err *trial_run(Arena *arena, const TrialWish *wish, Trial *ret_trial) MUST_USE;

/* Those of the plan's run on that database of the stage, without anybody who listens. */
void trial_options(const TrialWish *wish, const char *database, RunOptions *ret_options);
/* The application of wish->mix on that database. */
Err *trial_application(const TrialWish *wish, const char *database, Load **ret_load) MUST_USE;

/* What the application alone meets on a copy, without any change. */
Err *trial_calm(const TrialWish *wish, LoadReport *ret_report) MUST_USE;

/* plain.c: the change as statements that are usually written for it. */
void plain_statements(Arena *arena, const RehearseEngine *engine, const Change *change,
                      const char *const **ret_sql, size_t *ret_count);
