/* replace.h — apply --replace: other content for a change that stopped half-way. Private to run/. */
#pragma once
#include "run/runner.h"

/* Whether it may give way. ERR_UNSAFE: it is ready, or over; ERR_HELD: somebody carries it out. */
Err *replace_check(Runner *runner, const JournalChange *known) MUST_USE;
/* Undoes it, as "stoa abort" would, and notes for which content, and why nothing of it is kept
 * (run/forward.h). ERR_UNSAFE where it can no longer be undone; what is undone by then stays so, and the same
 * apply goes on with it. */
Err *replace_old(const RunOptions *options, Arena *arena, const Change *change, const JournalChange *known,
                 const char *why) MUST_USE;
