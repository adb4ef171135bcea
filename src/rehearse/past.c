/* Scores of earlier predictions. */
#include "rehearse/past.h"

#include "rehearse/machine.h"

#include <math.h>
#include <stdlib.h>

static const double COVER = 0.9, LEAST_FACTOR = 0.8, MOST_FACTOR = 20, LEAST_S = 1e-3;
enum { PAST_MOST = 4096 };

static int double_compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double past_score(PredictRange range, double actual)
{
    double truth = fmax(actual, LEAST_S);
    return fmax(fmax(range.low, LEAST_S) / truth, truth / fmax(range.high, LEAST_S));
}

double past_factor(double *scores, size_t count)
{
    if (count == 0)
        return 1;
    qsort(scores, count, sizeof *scores, double_compare);
    size_t rank = (size_t)ceil(COVER * (double)(count + 1));
    double factor = rank > count ? fmax(1, scores[count - 1]) : scores[rank - 1];
    return fmin(fmax(factor, LEAST_FACTOR), MOST_FACTOR);
}

/* ---- as JSON -------------------------------------------------------------------------------- */

static bool has_number(const json_t *json, const char *key)
{
    return json_is_number(json_object_get(json, key)) &&
           isfinite(json_number_value(json_object_get(json, key)));
}

static double number(const json_t *json, const char *key)
{
    return json_number_value(json_object_get(json, key));
}

static bool is_scored(const json_t *range)
{
    return json_is_true(json_object_get(range, "scored")) && json_is_number(json_object_get(range, "actual"));
}

/* As the range was before earlier scores moved its ends. */
static json_t *pair_json(const json_t *range, double factor, json_t *machine)
{
    double by = factor > 0 ? factor : 1;
    json_t *pair = json_pack("{s:f, s:f, s:f, s:b}", "low", number(range, "low") * by, "high",
                             number(range, "high") / by, "actual", number(range, "actual"), "inside",
                             (int)json_is_true(json_object_get(range, "inside")));
    if (machine != NULL)
        json_object_set(pair, "machine", machine);
    return pair;
}

json_t *past_collect(const json_t *predictions)
{
    json_t *changes = json_array(), *steps = json_array();
    const json_t *change = NULL, *step = NULL;
    size_t i = 0, j = 0;
    json_array_foreach(json_object_get(predictions, "changes"), i, change)
    {
        const json_t *past = json_object_get(change, "past"), *seconds = json_object_get(change, "seconds");
        json_t *machine = json_object_get(change, "machine");
        if (json_is_true(json_object_get(change, "cut")))
            continue;
        if (is_scored(seconds))
            json_array_append_new(changes, pair_json(seconds, number(past, "factor"), machine));
        json_array_foreach(json_object_get(change, "steps"), j, step)
        {
            const json_t *range = json_object_get(step, "seconds");
            if (is_scored(range))
                json_array_append_new(steps, pair_json(range, number(past, "step_factor"), machine));
        }
    }
    return json_pack("{s:o, s:o}", "changes", changes, "steps", steps);
}

/* The newest ones where there are very many. */
static size_t scores_of(const json_t *list, const json_t *machine, double *scores, size_t *ret_inside,
                        size_t *ret_elsewhere)
{
    size_t count = 0, len = json_array_size(list);
    for (size_t i = len > PAST_MOST ? len - PAST_MOST : 0; i < len; i++) {
        const json_t *pair = json_array_get(list, i);
        PredictRange range = {.low = number(pair, "low"), .high = number(pair, "high")};
        double actual = number(pair, "actual");
        if (!has_number(pair, "low") || !has_number(pair, "high") || !has_number(pair, "actual") ||
            range.low < 0 || range.high < range.low || actual < 0)
            continue;
        if (!machine_is_alike(machine, json_object_get(pair, "machine"))) {
            ++*ret_elsewhere;
            continue;
        }
        scores[count++] = past_score(range, actual);
        *ret_inside += json_is_true(json_object_get(pair, "inside"));
    }
    return count;
}

Past past_read(const json_t *past, const json_t *machine)
{
    static _Thread_local double scores[PAST_MOST];
    Past read = {0};
    size_t steps_inside = 0, steps_elsewhere = 0;
    read.change_count =
        scores_of(json_object_get(past, "changes"), machine, scores, &read.inside, &read.elsewhere);
    read.factor = past_factor(scores, read.change_count);
    read.step_count =
        scores_of(json_object_get(past, "steps"), machine, scores, &steps_inside, &steps_elsewhere);
    read.step_factor = past_factor(scores, read.step_count);
    return read;
}
