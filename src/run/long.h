/* long.h — a statement of the server that runs long and cannot be slowed: control_long_begin() to
 * control_long_end(). */
#pragma once
#include "run/runner.h"

/* Once a second: whom it waits for, which past --lock-wait ends it, and how far it is, which goes to the
 * progress line and into the tally (stage: thousandths of what it does just now). */
Err *long_look(Runner *runner, Conn *conn, Arena *arena, int64_t *looked_at_ms) MUST_USE;
/* Ends the one that runs, if one does; it is tried again when control_gate() lets it. */
void long_end(Runner *runner);
