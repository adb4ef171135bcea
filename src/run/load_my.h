/* load_my.h — what runner_plan_my keeps while it asks the server; known inside run/ only. */
#pragma once
#include "plan/plan_my.h"
#include "run/runner.h"

/* A statement that was carried out in the clone. */
typedef struct RanMy {
    const char *sql;
    bool as_written, unchecked; /* as in Step */
} RanMy;

typedef struct LoadMy {
    Runner *runner;
    Arena *arena;
    const Change *change;
    VEC(Table) tables; /* as they are: one for each name in the change */
    Clone *clone;
    VEC(RanMy) run; /* in the clone so far */
} LoadMy;

/* The table of this name, as the change writes it; NULL. */
const Table *load_named_my(const LoadMy *load, const char *name);
/* All tables and views that the change is about or speaks of: those that its foreign keys refer to, those in
 * its views, and what these stand on. */
Err *load_tables_my(LoadMy *load) MUST_USE;
/* Sizes in the measure of PlanOptions.stands_for. */
void load_scale_my(LoadMy *load);
/* The statements in the order in which they are carried out, ALTER TABLEs of one table together where nothing
 * in between could need the first or be needed by the second. `ret_len[i]` is how many of them from i on
 * belong together; 0 inside of a group. */
void load_order_my(const LoadMy *load, const Operation ***ret_order, size_t **ret_len);
