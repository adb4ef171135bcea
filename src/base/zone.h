/* zone.h — local time in a named zone by this machine's database (TZif, RFC 8536), without touching the
 * process's own zone. */
#pragma once
#include "base/err.h"

/* Seconds east of Greenwich at a moment (seconds since 1970, UTC). `folder` NULL: $TZDIR, else
 * /usr/share/zoneinfo. Errors: ERR_USAGE there is no such zone, ERR_IO its file cannot be understood. */
Err *zone_offset_s(const char *folder, const char *name, int64_t utc_s, int64_t *ret_offset_s) MUST_USE;
