/* tally.h — what is counted while a change runs, over all of its runs and steps: batches, locks, errors,
 * pauses. Counted in memory; the control thread puts it among the change's checkpoints, under number 0, once
 * a second and at the end, so what a killed process counted in its last second is lost, and nothing ever
 * falls. */
#pragma once
#include "base/err.h"

#include <jansson.h>
#include <pthread.h>

enum { TALLY_BOUNDS = 13, TALLY_CHANGE = 0 };
/* Upper ends of spans of time, rising; a last span holds whatever takes longer. */
extern const int64_t tally_bounds_us[TALLY_BOUNDS];

/* {"3": {"batches": {"ok": 7}, "batch_s": {"us": 81234, "n": [0, 2, …]}}}: by step, 0 being the change. */
typedef struct Tally {
    pthread_mutex_t lock;
    json_t *json;
    bool news; /* that was not taken yet */
} Tally;

void tally_init(Tally *tally);
void tally_done(Tally *tally);
/* Goes on from what the journal has; takes it over. NULL: nothing. */
void tally_restore(Tally *tally, json_t *json);
/* All of it as a text for the caller to free; NULL where there is nothing new. tally_untaken(): it was lost.
 */
char *tally_take(Tally *tally);
void tally_untaken(Tally *tally);

/* From any thread. */
void tally_add(Tally *tally, int step, const char *group, const char *key, int64_t by);
void tally_set(Tally *tally, int step, const char *group, const char *key, int64_t value);
void tally_at_least(Tally *tally, int step, const char *group, const char *key, int64_t value);
/* The group has this key alone; NULL: none. */
void tally_only(Tally *tally, int step, const char *group, const char *key, int64_t value);
/* sums[to] = sums[from], unless there is such a one already. */
void tally_keep(Tally *tally, int step, const char *group, const char *from, const char *to);
void tally_time(Tally *tally, int step, const char *group, int64_t us);
/* By the SQLSTATE, else the server's number, else our own kind. */
void tally_error(Tally *tally, const char *component, const Err *err);
/* 0 where nothing was counted. */
int64_t tally_value(Tally *tally, int step, const char *group, const char *key);
/* A batch that was committed, or failed. */
void tally_batch(Tally *tally, int step, const Err *err, int64_t rows, int64_t us);

/* What stands in `throttled_by` as one of a few words, "replica_lag"; NULL where nothing stands there. */
const char *throttle_reason(const char *text);
/* All words that throttle_reason() knows; NULL ends. */
extern const char *const throttle_reasons[];
