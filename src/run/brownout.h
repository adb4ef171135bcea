/* brownout.h — hidden for a while: the lease that says so, its undo in the journal, and its end.
 *
 * A brown-out is a lease "brownout:schema.table" with a holder: one at a time a table, with an end by the
 * server's clock. The event that has all it takes to undo it is committed with the lease, before anything is
 * hidden. Whoever finds the lease past its end, or its process dead, shows the thing again and gives the
 * lease back, in one transaction where the server can do that. */
#pragma once
#include "run/runner.h"

typedef struct Brownout {
    const char *key; /* of the lease */
    const char *holder;
    const char *epoch;
} Brownout;

/* The key for a table. */
const char *brownout_key(Arena *arena, const char *schema, const char *table)
    __attribute__((returns_nonnull));
/* Makes the plan anew, journals it and hides, within --max-stall, for so long. `of` is what it is for people.
 * ERR_HELD where there is one already, or where a change of the table is under way; ERR_LOCK_BUDGET. */
Err *brownout_begin(Runner *runner, Arena *arena, const HideRequest *request, const char *of, int64_t for_ms,
                    HidePlan *ret_plan, Brownout *ret_brownout) MUST_USE;
/* Shows it again, trying for `budget_ms`; *ret_ended false: there was none any more. `why` for the journal.
 */
Err *brownout_end(Runner *runner, const char *key, const char *why, int64_t budget_ms,
                  bool *ret_ended) MUST_USE;
/* Whether it is still on, and still this one. */
Err *brownout_is_on(Runner *runner, const Brownout *brownout, bool *ret_on) MUST_USE;
/* Ends those whose time is over, or whose process on this host is dead. What fails is told, and tried again
 * by the next one. One statement where there is none. */
void brownouts_expire(Runner *runner);
/* ERR_HELD where one of the plan's tables has one: in the transaction that takes their leases. */
Err *brownouts_refuse(Runner *runner) MUST_USE;
/* ERR_UNSAFE where there is one, of whatever table: before the journal goes. */
Err *brownouts_over(Runner *runner) MUST_USE;
