/* flag_key.h — names of flags, "schema.public.orders.amount_cents.read", and who is in a share of them. */
#pragma once
#include "base/arena.h"

/* A part as it stands in a key: as it is where it is letters, digits, "_" and "$", else in double quotes. */
const char *flag_key_part(Arena *arena, const char *name) __attribute__((returns_nonnull));
/* The same parts always give the same text: without quotes (double ones and backticks are read), a control
 * character in place of each point, and what follows "@" of the last part as it is. Case counts. */
char *flag_key_plain(Arena *arena, const char *key) __attribute__((returns_nonnull));

enum { FLAG_SHARE_ALL = 10000, FLAG_PART_END = 0x1f };

/* "25%", "12.5%" to hundredths of a percent; -1 for what is no share from 0% to 100%. */
int flag_share_read(const char *text);
/* Whether this target is among the first `share` of FLAG_SHARE_ALL. Who is in stays in when the share grows.
 * The bucket is that of flagd's "fractional" over the texts of key and target joined: murmur3 (x86, 32 bits,
 * seed 0), taken as int32, its absolute value by 2^31 - 1. */
bool flag_share_has(const char *key, const char *target, size_t target_len, int share);
/* For tests. */
uint32_t flag_murmur3(const char *bytes, size_t len);
