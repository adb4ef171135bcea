/* keep_sql.h — values as text, and back: how a column's values are read and written without loss, on each
 * kind of server. Private to run/. */
#pragma once
#include "run/retire_parts.h"

/* What is read and written of a table. */
typedef struct KeepTable {
    const char *name;            /* as SQL */
    const char *const *keys;     /* as SQL */
    const char *const *key_show; /* text of each */
    size_t key_count;
    const char *column, *show; /* as SQL; its text */
    const Subject *subject;
} KeepTable;

/* `column` may be gone by now: then its type is of no matter. ERR_UNSAFE without a usable key, and for types
 * that have no text without loss. */
Err *keep_table(Arena *arena, const Subject *subject, KeepTable *ret_table) MUST_USE;
/* "$3" as a value of this key, or of the column with `key` negative. `type` is the column's as it was kept.
 */
const char *keep_value(Arena *arena, const KeepTable *table, int key, const char *type, size_t number)
    __attribute__((returns_nonnull));
/* A page in the order of the key: behind the key of parameters $1 … where `after`, up to the one of the next
 * parameters where `upto`; at most `limit` rows where that is above 0. Cells: keys, value. */
const char *keep_page(Arena *arena, const KeepTable *table, bool after, bool upto, int limit)
    __attribute__((returns_nonnull));
/* "k1 = $2 AND k2 = $3" */
const char *keep_where(Arena *arena, const KeepTable *table, size_t first) __attribute__((returns_nonnull));
