/* bundle.h — what a reviewer needs of a plan, as Markdown and as JSON. */
#pragma once
#include "cli/cli.h"
#include "plan/plan.h"

#include <jansson.h>

/* Writes FILE.md, FILE.json, or with another ending both; `rehearsal` is the report of this very plan, or
 * NULL. ERR_IO. */
Err *bundle_write(Cli *cli, const Plan *plan, json_t *rehearsal, const char *path) MUST_USE;
/* The plan in a JSON bundle, and what its rehearsal said (the caller's; NULL: it has none). ERR_USAGE: it
 * cannot be read; ERR_UNSAFE: its digest is not that of its steps. */
Err *bundle_read(Cli *cli, const char *path, Plan *ret_plan, json_t **ret_rehearsal) MUST_USE;
/* The same of a bundle that was read already; `path` is for messages. *ret_environment: what it was made for,
 * or NULL; may be NULL. */
Err *bundle_take(Arena *arena, const json_t *bundle, const char *path, Plan *ret_plan,
                 const char **ret_environment) MUST_USE;
/* The rehearsal in a bundle, borrowed; NULL: none of this plan. */
const json_t *bundle_rehearsal(const json_t *bundle, const Plan *plan);
