/* stale_flags.h — flags that have been true for everybody for long. */
#pragma once
#include "cli/session.h"

#include <jansson.h>

/* Adds findings of the kind "flag-always-on" to run_stale()'s object. */
Err *stale_flags_add(Cli *cli, const RunOptions *options, json_t *stale) MUST_USE;
