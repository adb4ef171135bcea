/* forward.h — apply --replace that keeps what is done already: run/replace.h undoes all. Private to run/. */
#pragma once
#include "plan/forward.h"
#include "run/runner.h"

/* Reads what the old change has left. *ret_why: NULL, or why nothing of it can be kept; then it is to be
 * undone as a whole before the new one is planned. */
Err *forward_open(Runner *runner, const Change *change, const JournalChange *known, Forward **ret_forward,
                  const char **ret_why) MUST_USE;
/* forward_my.c, of MySQL and MariaDB. Takes what the old change has done off an empty copy of its tables, by
 * its undo, into Forward.stripped; the definition must then be the one from before it. */
Err *forward_open_my(Runner *runner, Forward *forward, const char **ret_why) MUST_USE;
/* What a STEP_ALTER has left that was begun and not journalled as done. */
Err *forward_look_my(Runner *runner, const Step *step, StepLeft *ret_left) MUST_USE;
/* Puts the stripped tables in the place of those of the same name. */
void forward_take_my(const Forward *forward, Table *tables, size_t count);
/* Undoes the old change's steps that are not kept, from the last to the first, each with its journal row: a
 * process that dies here leaves a change that stopped half-way. ERR_HELD: it went on since the plan was made,
 * or somebody carries it out. */
Err *forward_undo(const RunOptions *options, Arena *arena, const Forward *forward, const char *name) MUST_USE;
/* Takes the lease of both changes' tables, and in one transaction ends the old change, registers the plan at
 * hand, and hands on what is kept: steps with their times, checkpoints, columns of the sync trigger (whose
 * text holds no change's number), the fingerprint from before the first step. Sets runner->change_id. */
Err *forward_register(Runner *runner, const Forward *forward) MUST_USE;
