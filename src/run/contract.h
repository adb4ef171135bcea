/* contract.h — purpose, flag and expiry of the columns that a change adds: in the journal, as events of the
 * kind "contract" of which the last one of a column counts, and in the column's comment. Private to run/. */
#pragma once
#include "run/runner.h"
#include "run/stale.h"

/* Notes the contract, where one is given and the journal does not have it so already. */
Err *contract_note(Runner *runner, const Change *change) MUST_USE;
/* Once the change is ready: puts it behind the comment of each column, whose own text stays. What stands in
 * the way is told and journalled, and fails nothing. */
void contract_settle(Runner *runner);
/* Findings for columns that are there, of contracts that have expired. */
Err *contract_expired(Runner *runner, Stale *stale) MUST_USE;

/* `comment` (NULL: none) with the contract behind it, in place of one that stands there. `detail`: as
 * journalled. */
char *contract_comment(Arena *arena, const char *comment, const json_t *detail);
