/* fault.h — a process that carries the plan out is killed half-way, and another one goes on. */
#pragma once
#include "rehearse/trial.h"

typedef struct Fault {
    int ordinal; /* of the step that it was killed in; 0: it was over before */
    const char *title;
    double killed_s;  /* after so long, from its first look at the database */
    double resumed_s; /* what the second process took up to ready */
    bool ready;
    const char *error; /* of the second one; NULL */
    LoadReport during; /* the application, from before the kill to the end; count 0: there was none */
} Fault;

/* On a copy of wish->base, with the application of wish->mix. `steps` are of a run that nobody disturbed: the
 * kill comes half-way through the longest one. To be called while this process has no other thread. Errors
 * are those of the stage; what the second process meets stands in *ret_fault. */
Err *fault_run(Arena *arena, const TrialWish *wish, const TrialStep *steps, size_t step_count,
               Fault *ret_fault) MUST_USE;
