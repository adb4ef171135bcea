/* past.h — earlier predictions for the same database against what happened: how far to trust the next one.
 * Pure.
 *
 * The score of a range is how far the truth was from it, as a factor of its nearer end: above 1 outside,
 * below 1 inside. The next range's ends are moved by the factor that holds nine of ten past scores (split
 * conformal prediction: the ceil(0.9 (n + 1))-th least of n). Fewer than nine do not tell that much: until
 * then the worst one widens, and nothing narrows.
 *
 * A stage that is faster or slower is off by as much each time: only scores of rehearsals on a machine like
 * the one at hand count (machine.h). Of those that do not say where they were made nothing is known; they
 * count, too. */
#pragma once
#include "rehearse/predict.h"

#include <jansson.h>

typedef struct Past {
    size_t change_count, inside; /* how many, and how many of their ranges, as they were told, held */
    size_t step_count;
    size_t elsewhere;           /* further changes, rehearsed on other machines */
    double factor, step_factor; /* 1: nothing is known */
} Past;

double past_score(PredictRange range, double actual);
/* `scores` are sorted. 0.8 at least, so that no range is turned inside out, and 20 at most. */
double past_factor(double *scores, size_t count);

/* run_predictions()'s object as it is kept among facts, numbers alone; the caller's. Of changes of which a
 * process was killed the time is not known: they are left out, and so are steps too short to tell. */
json_t *past_collect(const json_t *predictions);
/* `past` may be of any file; NULL: nothing is known. `machine`: the one at hand; NULL: all scores count. */
Past past_read(const json_t *past, const json_t *machine);
