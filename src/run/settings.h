/* settings.h — what was given for a change beside its controls (stoa.settings). Private to run/. */
#pragma once
#include "run/runner.h"

/* Fills in what stands there; what does not is unset. */
Err *settings_load(Conn *conn, Arena *arena, int64_t change_id, Controls *controls) MUST_USE;
/* Those that are given; others stay as they were. */
Err *settings_store(Conn *conn, Arena *arena, int64_t change_id, const Controls *controls) MUST_USE;
