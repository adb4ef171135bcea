/* random.h — chance that can be repeated: splitmix64, one generator an item, so that a retry does the same.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct Random {
    uint64_t state;
} Random;

static inline uint64_t random_next(Random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Item `index` of the run with `seed`. */
static inline Random random_for(uint64_t seed, int64_t index)
{
    Random random = {seed ^ ((uint64_t)index * 0xd1342543de82ef95u)};
    random_next(&random);
    return random;
}

/* [low, high], evenly. */
static inline int64_t random_between(Random *random, int64_t low, int64_t high)
{
    return low + (int64_t)(random_next(random) % (uint64_t)(high - low + 1));
}

static inline bool random_percent(Random *random, int percent)
{
    return random_between(random, 0, 99) < percent;
}
