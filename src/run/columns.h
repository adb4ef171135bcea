/* columns.h — which columns a change in the journal is about. */
#pragma once
#include "run/runner.h"

/* Adds "columns" to the change as status tells it: [{"schema","table","column","is"}], `is` one of "added",
 * "changed", "dropped"; a renamed column is there twice, its old name as dropped. Read from the request and
 * the plan that the journal keeps. `known` (by id) holds what was read before; NULL: it is read anew. */
Err *columns_add(Runner *runner, json_t *known, json_t *change, const char *id) MUST_USE;
