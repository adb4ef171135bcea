/* predict.h — from what was counted at several sizes to another size. Pure.
 *
 * What is written (rows, log) grows in step with the rows, and is predicted to a few per cent. Time is not:
 * caches run over, neighbours work. So time is a band: with m at the greatest size rehearsed, k times as many
 * rows to come, b the slope between the two greatest sizes (log over log) and s the spread of repetitions
 * there, from m k^min(1,b) / sqrt(s) to m k^max(1,b) sqrt(s); what does not depend on the size is taken off
 * before and put back. The band is never narrower than what repetitions on another day were apart, and wider
 * where something of the source's memory is outgrown that was not outgrown in the rehearsal. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef struct PredictRange {
    double low, high;
} PredictRange;

/* One size: the median of its repetitions, and the least and the most of them. */
typedef struct PredictPoint {
    double rows, median, least, most;
} PredictPoint;

/* Points by rows, ascending; at least one. */
PredictRange predict_count(const PredictPoint *points, size_t count, double rows);
/* `reached`: all that the source outgrows was outgrown at the greatest size, too. */
PredictRange predict_seconds(const PredictPoint *points, size_t count, double rows, bool reached);
/* The median of values, which are sorted; 0 of none. */
double predict_median(double *values, size_t count);
