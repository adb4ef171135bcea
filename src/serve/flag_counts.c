/* Keys to counters that never move. */
#include "serve/flag_counts.h"

#include "base/arena.h"

#include <jansson.h>
#include <stdlib.h>

struct FlagCounts {
    json_t *index; /* of keys */
    FlagCount items[FLAG_COUNTS_MAX];
    size_t count;
};

FlagCounts *flag_counts_new(void)
{
    FlagCounts *counts = mem_zero(sizeof *counts);
    counts->index = json_object();
    return counts;
}

void flag_counts_free(FlagCounts *counts)
{
    if (counts == NULL)
        return;
    json_decref(counts->index);
    free(counts);
}

FlagCount *flag_counts_of(FlagCounts *counts, const char *key)
{
    const json_t *at = json_object_get(counts->index, key);
    if (at != NULL)
        return &counts->items[json_integer_value(at)];
    if (counts->count == FLAG_COUNTS_MAX)
        return NULL;
    json_object_set_new(counts->index, key, json_integer((json_int_t)counts->count));
    return &counts->items[counts->count++];
}
