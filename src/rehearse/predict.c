/* Fits and bands. */
#include "rehearse/predict.h"

#include <math.h>
#include <stdlib.h>

static const double COUNT_MARGIN = 0.02; /* what a few pages, hints and the journal make */
static const double LOW_MARGIN = 1.3, HIGH_MARGIN = 1.6;
static const double UNREACHED = 2; /* what the first run past a cache may cost more */
static const double SLOPE_LEAST = 0.6, SLOPE_MOST = 1.4;
static const double CLOCK_NOISE_S = 0.02; /* below it a slope is made of noise */

static int double_compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double predict_median(double *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, double_compare);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Value = a + b rows, by least squares of relative errors. */
static void line_fit(const PredictPoint *points, size_t count, double *ret_a, double *ret_b)
{
    double w = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < count; i++) {
        double weight = 1 / fmax(points[i].median * points[i].median, 1e-12);
        w += weight;
        x += weight * points[i].rows;
        y += weight * points[i].median;
        xx += weight * points[i].rows * points[i].rows;
        xy += weight * points[i].rows * points[i].median;
    }
    double divisor = w * xx - x * x;
    *ret_b = divisor > 0 ? (w * xy - x * y) / divisor : 0;
    *ret_a = w > 0 ? (y - *ret_b * x) / w : 0;
    const PredictPoint *last = &points[count - 1];
    if (count == 1 || *ret_b < 0 || *ret_a < 0) {
        bool flat = count > 1 && *ret_b < 0;
        *ret_b = flat || last->rows <= 0 ? 0 : last->median / last->rows;
        *ret_a = flat ? last->median : 0;
    }
}

PredictRange predict_count(const PredictPoint *points, size_t count, double rows)
{
    double a = 0, b = 0, apart = 0;
    line_fit(points, count, &a, &b);
    for (size_t i = 0; i < count; i++)
        if (points[i].median > 0 && 2 * i >= count) /* small sizes are mostly beginnings */
            apart = fmax(apart, fabs(points[i].median - (a + b * points[i].rows)) / points[i].median);
    const PredictPoint *last = &points[count - 1];
    double spread = last->median > 0 ? (last->most - last->least) / last->median : 0;
    double value = a + b * rows, margin = COUNT_MARGIN + apart + spread / 2;
    /* The greatest size alone, in step: where the line says otherwise, both are in the range. */
    double alone = last->rows > 0 ? a + (last->median - a) * rows / last->rows : value;
    return (PredictRange){.low = fmin(value, alone) * (1 - fmin(margin, 0.9)),
                          .high = fmax(value, alone) * (1 + margin)};
}

PredictRange predict_seconds(const PredictPoint *points, size_t count, double rows, bool reached)
{
    double a = 0, b = 0;
    line_fit(points, count, &a, &b);
    const PredictPoint *last = &points[count - 1], *before = count > 1 ? &points[count - 2] : last;
    a = fmin(a, points[0].least); /* what even the smallest one did not take is no constant */
    double grown = fmax(last->median - a, 0), half = fmax(before->median - a, 0);
    double times = last->rows > 0 ? rows / last->rows : 1, slope = 1;
    if (half > CLOCK_NOISE_S && grown > CLOCK_NOISE_S && last->rows > before->rows)
        slope = log(grown / half) / log(last->rows / before->rows);
    slope = fmin(fmax(slope, SLOPE_LEAST), SLOPE_MOST);
    double spread = sqrt(fmax(1, last->most / fmax(last->least, 1e-6)));
    double low = (a + grown * pow(times, fmin(1, slope))) / fmax(spread, LOW_MARGIN);
    double high = (a + grown * pow(times, fmax(1, slope))) * fmax(spread, HIGH_MARGIN);
    return (PredictRange){.low = low, .high = reached ? high : high * UNREACHED};
}
