/* flag_counts.h — how often each flag was asked for by its name. Flags that are asked for are found in sets,
 * which come and go; what was counted stays. */
#pragma once
#include "base/err.h"

#include <stdatomic.h>

enum { FLAG_COUNTS_MAX = 500 }; /* of flags that are counted by themselves */

typedef struct FlagCount {
    _Atomic int64_t values, errors;
} FlagCount;

typedef struct FlagCounts FlagCounts;
FlagCounts *flag_counts_new(void) __attribute__((returns_nonnull));
void flag_counts_free(FlagCounts *counts);
/* Where a flag is counted, for as long as `counts` is there; NULL once there are too many. One thread. */
FlagCount *flag_counts_of(FlagCounts *counts, const char *key);
