/* lock.h — the modes in which a table can be locked, from the weakest to the strongest; the order and the
 * conflicts are those of the PostgreSQL documentation, "Explicit Locking". */
#pragma once
#include <stdbool.h>

typedef enum LockMode {
    LOCK_NONE,
    LOCK_ACCESS_SHARE,
    LOCK_ROW_SHARE,
    LOCK_ROW_EXCLUSIVE,
    LOCK_SHARE_UPDATE_EXCLUSIVE,
    LOCK_SHARE, /* from here on writers wait */
    LOCK_SHARE_ROW_EXCLUSIVE,
    LOCK_EXCLUSIVE,
    LOCK_ACCESS_EXCLUSIVE,
    LOCK_MODE_COUNT
} LockMode;

/* "ACCESS EXCLUSIVE", as in LOCK TABLE; LOCK_NONE for any other text, NULL included. */
LockMode lock_mode(const char *name);
/* "AccessExclusiveLock", as in pg_locks. */
LockMode lock_mode_of_catalog(const char *name);
/* The names; "" for LOCK_NONE. */
const char *lock_mode_name(LockMode mode);
const char *lock_mode_catalog_name(LockMode mode);
/* Does whoever asks for one wait for whoever holds the other? */
bool lock_modes_conflict(LockMode one, LockMode other);
