/* keys.h — keys of changed rows that wait to be brought over: each once, by its bytes, oldest first. Pure;
 * whoever shares a set among threads guards it.
 *
 * Captured batches are numbered. A batch is through when every key that it, or a batch before it, brought has
 * been taken and finished after it came; its position is then one to go on from after a crash. A key that
 * comes again while it is in somebody's hands is due once more. */
#pragma once
#include "engine/shadow.h"

enum {
    KEYS_BUCKETS = 8,    /* by a hash of the key: who takes from one of them has its keys alone */
    KEYS_BUSY_MS = 50,   /* a busy key rests so long */
    KEYS_BATCH_MAX = 900 /* at most so many are taken at once */
};

typedef struct Keys Keys;
/* It counts as full from `limit_bytes` on; nothing is thrown away even so. */
Keys *keys_new(size_t limit_bytes) __attribute__((returns_nonnull));
void keys_free(Keys *keys);

/* Puts in a captured batch and tells its number. With `hold` it is not through before keys_release. */
uint64_t keys_batch(Keys *keys, const KeyList *list, const char *position, bool hold);
/* Of all batches up to this number. */
void keys_release(Keys *keys, uint64_t number);
/* Keys that nobody captured: to be applied again. */
void keys_add(Keys *keys, const KeyList *list);

bool keys_full(const Keys *keys);
/* Waiting and in somebody's hands. */
size_t keys_count(const Keys *keys);
/* Whether it waits, or has come again. */
bool keys_has(const Keys *keys, const char *key);

/* Up to `most` keys out of the buckets b with b % workers == worker, busy ones that rested until `now_ms`
 * (clock_ms(); INT64_MAX: all) first. The texts live until the key is finished. */
size_t keys_take(Keys *keys, size_t worker, size_t workers, size_t most, int64_t now_ms,
                 const char **ret_keys);
/* The shadow owes `displaced`, which made room for some of what is taken: they are due before the batches of
 * that are through. With nothing taken: before what comes later. */
void keys_owe(Keys *keys, const char *const *taken, size_t count, const KeyList *displaced);
/* Those of `taken` that the shadow owes. */
size_t keys_owed(const Keys *keys, const char *const *taken, size_t count, const char **ret_owed);
/* What was taken is applied, but for those in `busy`. */
void keys_finish(Keys *keys, const char *const *taken, size_t count, const KeyList *busy, int64_t now_ms);
/* Nothing became of what was taken: it is due as before. */
void keys_give_back(Keys *keys, const char *const *taken, size_t count);

/* The number given last. */
uint64_t keys_number(const Keys *keys);
/* The number of the last batch that is through, with all before it; and the position behind it, NULL before
 * the first one. */
uint64_t keys_through(const Keys *keys);
const char *keys_position(const Keys *keys);
/* Forgets all of them, and the positions; numbers go on. Nothing may be in anybody's hands. */
void keys_clear(Keys *keys);
