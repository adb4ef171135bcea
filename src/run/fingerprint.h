/* fingerprint.h — when the catalog is compared: before the first step, before a cutover, before ready, after
 * complete, after abort. Private to run/. */
#pragma once
#include "run/runner.h"

/* A fingerprint with the tables it was taken of, by the server's numbers, which survive a rename. */
typedef struct Print {
    const int64_t *ids;
    size_t id_count;
    Lines lines;
} Print;

/* Of the tables that the plan's steps work on or its lease holds, as far as they are there under these names,
 * and of those of `since` (NULL: none). */
Err *fingerprint_take(const EngineOps *ops, Conn *conn, const Wait *wait, Arena *arena, const Plan *plan,
                      const Print *since, Print *ret_print) MUST_USE;

/* Keeps the print in the journal, unless a step has begun. */
Err *fingerprint_before(Runner *runner) MUST_USE;
/* Whether a step is one before which the catalog is compared: the first of the cutover, unless it is a swap,
 * and ready. */
bool fingerprint_is_due(const Plan *plan, const Step *step);
/* ERR_VERIFY where it differs from the plan's prediction and --accept-drift was not given. Without a
 * prediction it is only journalled. */
Err *fingerprint_check(Runner *runner, const Step *step) MUST_USE;
/* Before a swap that looks by itself: the source has to be what it was before the change. */
Err *fingerprint_check_source(Runner *runner, const Step *step) MUST_USE;
/* In the transaction of a swap, all but committed: the same against what was predicted for ready. */
Err *fingerprint_check_swap(Runner *runner, const Step *step) MUST_USE;
/* Keeps the print from which `complete` is compared. */
Err *fingerprint_contract(Runner *runner) MUST_USE;
/* Tells, and journals, what differs from the prediction for `complete`. */
Err *fingerprint_completed(Runner *runner) MUST_USE;
/* The same after `verb` ("abort") has undone everything: nothing may differ from before. */
Err *fingerprint_back(Runner *runner, const char *verb) MUST_USE;
/* The print from before the first step of the change `from`, which this one goes on with, and what there is
 * of this one's further tables. *ret_found false: there is none. Outside a transaction. */
Err *fingerprint_hand_on(Runner *runner, Arena *arena, int64_t from, Print *ret_print,
                         bool *ret_found) MUST_USE;
/* Journals it as this change's own. */
Err *fingerprint_keep(Runner *runner, const Print *print) MUST_USE;
