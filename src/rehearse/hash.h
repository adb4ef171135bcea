/* hash.h — chance that can be repeated, for masks. */
#pragma once
#include <stdint.h>

/* splitmix64's finish. */
static inline uint64_t hash_mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t hash_text(const char *text, uint64_t seed)
{
    for (; *text != '\0'; text++)
        seed = hash_mix(seed ^ (unsigned char)*text);
    return seed;
}
