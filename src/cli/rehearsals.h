/* rehearsals.h — reports of rehearsals, one file for each plan of each database: what "stoa plan", the review
 * bundle and "stoa apply" know of them. */
#pragma once
#include "cli/cli.h"
#include "plan/plan.h"

#include <jansson.h>

/* Keeps the object of rehearse_run() in the folder: --rehearsals, else $XDG_STATE_HOME/stoa/rehearsals, else
 * the same below ~/.local/state. *ret_path NULL: there is no such folder. ERR_IO. */
Err *rehearsals_keep(Cli *cli, const json_t *report, const char **ret_path) MUST_USE;
/* The rehearsal of exactly this plan, and for this database where the report names one; the caller's. NULL:
 * there is none that can be read. plan->database and plan->system_id are to be set. */
json_t *rehearsals_find(Cli *cli, const Plan *plan);
/* For RunOptions.rehearsal; `context` is the Cli. */
json_t *rehearsals_ask(void *context, const Plan *plan);
