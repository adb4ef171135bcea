/* signals.h — what a person's signals do to a verb that works. */
#pragma once
#include "base/stop.h"

/* SIGINT and SIGTERM: the first asks to stop soon, the second now. SIGUSR1 asks for the status. SIGHUP ends
 * nothing: settings are read from the journal all the time. With `keep_going` a closed pipe ends nothing. */
void signals_install(Stop *stop, bool keep_going);
/* From now on the first signal already asks to stop now: for work of which nothing is kept. */
void signals_stop_at_once(void);
/* True once after every SIGUSR1. */
bool signals_take_status(void);
