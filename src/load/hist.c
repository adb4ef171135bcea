/* A log-linear histogram: the bucket is the position of the highest bit and the seven bits below it. */
#include "load/hist.h"

#include <math.h>

static size_t bucket_of(int64_t value_us)
{
    if (value_us < 0)
        return 0;
    uint64_t value = (uint64_t)value_us;
    if (value >> (HIST_TOP_BIT + 1) != 0)
        return HIST_BUCKET_COUNT - 1;
    if (value < 2u << HIST_SUB_BITS)
        return (size_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HIST_SUB_BITS;
    return ((size_t)shift << HIST_SUB_BITS) + (size_t)(value >> shift);
}

/* The middle of a bucket. */
static int64_t bucket_value(size_t bucket)
{
    if (bucket < 2u << HIST_SUB_BITS)
        return (int64_t)bucket;
    size_t shift = (bucket >> HIST_SUB_BITS) - 1;
    uint64_t low = (uint64_t)(bucket - (shift << HIST_SUB_BITS)) << shift;
    return (int64_t)(low + ((uint64_t)1 << shift) / 2);
}

void hist_record(Hist *hist, int64_t value_us)
{
    hist->count++;
    hist->buckets[bucket_of(value_us)]++;
    if (value_us > hist->max_us)
        hist->max_us = value_us;
}

void hist_add(Hist *into, const Hist *from)
{
    if (from->count == 0)
        return;
    into->count += from->count;
    for (size_t i = 0; i < HIST_BUCKET_COUNT; i++)
        into->buckets[i] += from->buckets[i];
    if (from->max_us > into->max_us)
        into->max_us = from->max_us;
}

int64_t hist_quantile_us(const Hist *hist, double quantile)
{
    if (hist->count == 0)
        return 0;
    int64_t rank = (int64_t)ceil(quantile * (double)hist->count), seen = 0;
    if (rank >= hist->count)
        return hist->max_us;
    for (size_t i = 0; i < HIST_BUCKET_COUNT; i++) {
        seen += hist->buckets[i];
        if (seen >= rank && seen > 0) {
            int64_t value = bucket_value(i);
            return value < hist->max_us ? value : hist->max_us;
        }
    }
    return hist->max_us;
}
