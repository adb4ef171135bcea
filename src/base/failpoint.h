/* failpoint.h — named places where a test makes the process die or fail.
 *
 * STOA_FAILPOINT="backfill_commit=kill:17,journal_write=error:3" makes the 17th passage of the first kill the
 * process with SIGKILL, and the third passage of the second return an error. "pause" stops the process with
 * SIGSTOP, "sleep" its thread alone for FAILPOINT_SLEEP_MS. A passage without a matching entry costs one
 * comparison.
 *
 * STOA_FAILPOINT_CHAIN=FILE kills the process at the first passage of every point in every step: each death
 * is written into FILE as "name@step", and passed by from then on. Started again until it ends by itself, one
 * change dies at each of its points in turn. */
#pragma once
#include "base/err.h"

enum { FAILPOINT_SLEEP_MS = 5000 };

/* NULL, or the injected error; or does not return. */
Err *failpoint_at(const char *name) MUST_USE;
/* The passages from here on, of any thread, belong to this step. */
void failpoint_scope(int step);
/* How often each point was passed, as "name=count" lines into the file named by STOA_FAILPOINT_LOG, at exit:
 * with it a crash test learns how many places there are. */
void failpoint_report(void);
