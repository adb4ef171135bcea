/* measure_known.h — one plan is tried out for all databases that are alike. Private to run/.
 *
 * What comes of trying a plan's DDL out depends on the clone, which is a text, on the server, on which tables
 * have rows, and on the plan by rule. Where all of that is the same, so is the outcome. */
#pragma once
#include "run/runner.h"

/* A digest over all that the outcome depends on; NULL where that cannot be told. */
const char *measure_key(Runner *runner, Arena *arena, const Table *tables, size_t count,
                        const Mention *mentions, size_t mention_count, const Plan *plan);
/* Makes it the measured plan, where the same was measured before. False, and the plan as it was, where not,
 * or where the digest of what comes out is not the one that was measured. */
bool measure_take(Runner *runner, Arena *arena, const char *key, Plan *plan);
/* Tells the observer what came of it. */
void measure_tell(Runner *runner, const char *key, const Plan *plan);
