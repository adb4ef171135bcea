/* The table of lock modes. */
#include "engine/lock.h"

#include "base/str.h"

static const struct {
    const char *name, *catalog;
    unsigned conflicts; /* bits by mode */
} modes[LOCK_MODE_COUNT] = {
    [LOCK_NONE] = {"", "", 0},
    [LOCK_ACCESS_SHARE] = {"ACCESS SHARE", "AccessShareLock", 0x100},
    [LOCK_ROW_SHARE] = {"ROW SHARE", "RowShareLock", 0x180},
    [LOCK_ROW_EXCLUSIVE] = {"ROW EXCLUSIVE", "RowExclusiveLock", 0x1E0},
    [LOCK_SHARE_UPDATE_EXCLUSIVE] = {"SHARE UPDATE EXCLUSIVE", "ShareUpdateExclusiveLock", 0x1F0},
    [LOCK_SHARE] = {"SHARE", "ShareLock", 0x1D8},
    [LOCK_SHARE_ROW_EXCLUSIVE] = {"SHARE ROW EXCLUSIVE", "ShareRowExclusiveLock", 0x1F8},
    [LOCK_EXCLUSIVE] = {"EXCLUSIVE", "ExclusiveLock", 0x1FC},
    [LOCK_ACCESS_EXCLUSIVE] = {"ACCESS EXCLUSIVE", "AccessExclusiveLock", 0x1FE},
};

LockMode lock_mode(const char *name)
{
    for (LockMode mode = LOCK_ACCESS_SHARE; mode < LOCK_MODE_COUNT; mode++)
        if (str_eq(modes[mode].name, name))
            return mode;
    return LOCK_NONE;
}

LockMode lock_mode_of_catalog(const char *name)
{
    for (LockMode mode = LOCK_ACCESS_SHARE; mode < LOCK_MODE_COUNT; mode++)
        if (str_eq(modes[mode].catalog, name))
            return mode;
    return LOCK_NONE;
}

const char *lock_mode_name(LockMode mode) { return modes[mode].name; }
const char *lock_mode_catalog_name(LockMode mode) { return modes[mode].catalog; }
bool lock_modes_conflict(LockMode one, LockMode other) { return (modes[one].conflicts >> other & 1U) != 0; }
