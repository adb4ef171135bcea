/* predicted.h — what a rehearsal said of a change, in the journal, and what came of it. Private to run/.
 *
 * An event "rehearsed" when a change is begun for whose plan there is a rehearsal: the ranges of the whole
 * and of each step. An event "predicted" once it is ready: the same ranges with what was measured. Nothing
 * here ends a change. */
#pragma once
#include "run/runner.h"

/* A new change, behind its first event. */
void predicted_begin(Runner *runner);
/* One that is gone on with. `was`: its state until now. */
void predicted_resume(Runner *runner, const char *was);
/* The server's log so far; -1 where nothing was rehearsed, or it does not tell. */
int64_t predicted_log(Runner *runner);
/* A step has run, whatever came of it; `log_from` by predicted_log(). */
void predicted_step(Runner *runner, const Step *step, int64_t log_from);
/* The change is ready. */
void predicted_settle(Runner *runner);
