/* schedule.h — when things fall due in an open loop: item i at start + i / rate, however long others take.
 * Computed from the beginning each time, so that rounding never adds up. */
#pragma once
#include <stdint.h>

static inline int64_t schedule_due_us(int64_t start_us, double rate, int64_t index)
{
    return start_us + (int64_t)((double)index * 1e6 / rate);
}

/* How many items were due at `now_us` or before: the index of the first that was not. */
static inline int64_t schedule_due_count(int64_t start_us, double rate, int64_t now_us)
{
    if (now_us < start_us)
        return 0;
    int64_t count = (int64_t)((double)(now_us - start_us) * rate / 1e6);
    while (count > 0 && schedule_due_us(start_us, rate, count - 1) > now_us)
        count--;
    while (schedule_due_us(start_us, rate, count) <= now_us)
        count++;
    return count;
}
