/* shadow_write.h — keys whose changes can be seen, brought over in one transaction. */
#pragma once
#include "engine/mysql/shadow_form.h"

typedef VEC(const char *) Keys;
static inline KeyList keys_list(const Keys *keys)
{
    return (KeyList){.keys = keys->items, .count = keys->len};
}

typedef struct Writing {
    Conn *conn;
    const Wait *wait;
    Arena *arena;
    const ShadowSpec *spec;
    Form *form;
    bool locked;    /* as ShadowOps.apply */
    KeyList owed;   /* sorted, each once: their notes go together with what they owe */
    Keys displaced; /* by transactions that are committed */
    int64_t rows;
    int64_t held_ms; /* as Applied */
} Writing;

/* `found`: what the source calls rows of these keys, where it takes several spellings for one. NULL: done.
 * ERR_DEADLOCK and ERR_LOCK_TIMEOUT where others are in the way for long, MY_ER_DUP_ENTRY where what is in
 * the way cannot be found, or does not stay away: with fewer keys it may be done. */
Err *write_keys(Writing *writing, const KeyList *keys, const KeyList *found) MUST_USE;

/* Each key once, sorted. */
KeyList keys_distinct(Arena *arena, const KeyList *keys);
