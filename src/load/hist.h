/* hist.h — how long things took: a log-linear histogram of microseconds in fixed memory.
 *
 * Values below 256 µs are kept exactly, larger ones with a relative error of at most 0.4 %, up to nine hours;
 * the greatest value is exact. One thread at a time. */
#pragma once
#include "base/err.h"

enum {
    HIST_SUB_BITS = 7, /* 128 buckets an octave */
    HIST_TOP_BIT = 34, /* 2^35 µs and more share the last bucket */
    HIST_BUCKET_COUNT = ((HIST_TOP_BIT - HIST_SUB_BITS) << HIST_SUB_BITS) + (2 << HIST_SUB_BITS),
};

typedef struct Hist {
    int64_t count;
    int64_t max_us;
    uint32_t buckets[HIST_BUCKET_COUNT];
} Hist;

/* Negative values count as 0. */
void hist_record(Hist *hist, int64_t value_us);
/* Adds all of `from` to `into`. */
void hist_add(Hist *into, const Hist *from);
/* The value that a share `quantile` (0 … 1) of all values does not exceed; 0 when there is none. */
int64_t hist_quantile_us(const Hist *hist, double quantile);
