/* climb.h — the runs of a rehearsal: the same change at growing sizes, and what they say together. */
#pragma once
#include "rehearse/fault.h"

enum { CLIMB_SIZES = 4, CLIMB_REPEATS = 3 };

typedef struct ClimbSize {
    int64_t row_count;
    Trial plan[CLIMB_REPEATS], plain[CLIMB_REPEATS];
    size_t plan_count, plain_count;
} ClimbSize;

typedef struct Climb {
    Stage *stage;
    const Facts *facts;
    const json_t *words;           /* for fill_new() */
    const FactTable *const *mains; /* what the change is about, the largest first */
    size_t main_count;
    int64_t row_count; /* of the greatest size */
    double rate;       /* 0: the source's */
    bool faults;       /* a kill and a resume, too */
    const Change *change;
    const RunOptions *run;
    bool must_measure; /* a plan by rule is refused */
    /* measured: */
    ClimbSize sizes[CLIMB_SIZES]; /* ascending */
    size_t size_count;
    Mix mix;
    Fault fault;                 /* with `faults`, of the greatest size */
    Trial busy_plan, busy_plain; /* at the greatest size, with the application in the way */
    json_t *comparison;          /* stage_compare() of the greatest size; owned until climb_json() */
} Climb;

Err *climb_climb(Arena *arena, Climb *climb) MUST_USE;
/* The object of `stoa rehearse --json`; the caller's. */
json_t *climb_json(Arena *arena, Climb *climb);
