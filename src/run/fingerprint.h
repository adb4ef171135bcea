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
/* Whether a step is one before which the catalog is compared: the first of the cutover, and ready. */
bool fingerprint_is_due(const Plan *plan, const Step *step);
/* ERR_VERIFY where it differs from the plan's prediction and --accept-drift was not given. Without a
 * prediction it is only journalled. */
Err *fingerprint_check(Runner *runner, const Step *step) MUST_USE;
/* Keeps the print from which `complete` is compared. */
Err *fingerprint_contract(Runner *runner) MUST_USE;
/* Tells, and journals, what differs from the prediction for `complete`. */
Err *fingerprint_completed(Runner *runner) MUST_USE;
/* The same after `verb` ("abort") has undone everything: nothing may differ from before. */
Err *fingerprint_back(Runner *runner, const char *verb) MUST_USE;
