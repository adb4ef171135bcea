/* systemd.h — what a service says to systemd, by the protocol of sd_notify(3); without libsystemd. */
#pragma once
#include "base/err.h"

/* "READY=1", "STOPPING=1", "WATCHDOG=1"; nothing where $NOTIFY_SOCKET is not set. Never blocks. */
void systemd_tell(const char *state);
/* How often "WATCHDOG=1" is awaited of this process, in milliseconds; 0: it is not. */
int64_t systemd_watchdog_ms(void);
