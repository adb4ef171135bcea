/* forward.h — what a change that stopped half-way leaves to another one of its name. Pure.
 *
 * The new change is planned as though the old one had done nothing (forward_strip), so that its plan and
 * digest are those of a fresh one. Then steps are held against each other (forward_match): what was done and
 * is asked for again is kept, all else is undone first. */
#pragma once
#include "plan/plan.h"

typedef enum StepLeft {
    LEFT_NOTHING, /* not begun, undone, or rolled back with its transaction */
    LEFT_BEGUN,   /* and part of it stands: a backfill with its checkpoint, an index that was being built */
    LEFT_DONE
} StepLeft;

/* A table's sync trigger without the parts of the old change. */
typedef struct ForwardSync {
    Name table;
    const char *const *sql;
    size_t sql_count;
} ForwardSync;

typedef struct Forward {
    int64_t change_id;         /* the journal's number of the old change */
    const char *change_digest; /* its request */
    Plan plan;                 /* its plan */
    StepLeft *left;            /* one for each of its steps */
    int *
        kept_as; /* one for each of its steps: ordinal of the new plan's step that it is; 0: it is not kept */
    size_t kept_count;
    VEC(ForwardSync) syncs; /* of tables that were stripped */
    Table *stripped;        /* MySQL and MariaDB: the tables that it has altered, as they were before it */
    size_t stripped_count;
} Forward;

/* NULL, or why nothing can be kept: only additions to tables without partitions, and to no view of a version,
 * can be told apart from what was there before. `old_change` is the old request as far as it was written down
 * (what the command line added to it is seen in its plan). */
const char *forward_why_not(Arena *arena, const Forward *forward, const Change *old_change,
                            const Change *new_change, const PlanOptions *options, const Server *server);
/* The same of MySQL and MariaDB: only what changes the definition of one table, and can be taken back, or
 * fills rows. */
const char *forward_why_not_my(Arena *arena, const Forward *forward);
/* Whether the step at this place has changed, or may have changed, the definition of one table, and whether a
 * step makes a trigger that fills. */
bool forward_alters_my(const Forward *forward, size_t at);
bool forward_is_trigger_my(const Step *step);
/* `real` as it would be had the old change done nothing. `copy` is an empty one on which its undo has run,
 * and `definition` that copy's, with the names of real databases. */
void forward_strip_my(Arena *arena, const Forward *forward, const Table *real, const Table *copy,
                      const char *definition, Table *ret_table);
/* The table as it would be had the old change done nothing: without its columns, constraints, indexes, and
 * its part of the sync trigger. What others have added to its columns goes as well, as it would with them. */
void forward_strip(Arena *arena, Forward *forward, const Server *server, Table *table);
/* On an empty copy of these tables, in order: steps that undo what the old change has left there. */
void forward_undos(Arena *arena, const Forward *forward, const Table *tables, size_t count,
                   const Step **ret_steps, size_t *ret_count);
/* Fills in kept_as, Step.kept and Plan.replaces. A step is kept when the new plan has an equal one behind
 * those of the steps kept before it. From the first that is not found on, all is undone; and so is whatever
 * must go with what cannot be undone by itself. An index that is not unique stays or goes alone, wherever it
 * stands. Steps that only look are carried out anew. */
void forward_match(Arena *arena, Forward *forward, Plan *plan);
