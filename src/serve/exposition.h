/* exposition.h — metrics as text: Prometheus 0.0.4, or OpenMetrics 1.0. Pure.
 *
 * A family's head is written with its first sample, so one without samples leaves no trace. All samples of a
 * family must come together. */
#pragma once
#include "base/str.h"

typedef enum MetricType {
    METRIC_COUNTER, /* its name ends in _total */
    METRIC_GAUGE,
    METRIC_INFO, /* a gauge that is 1; its name ends in _info */
    METRIC_HISTOGRAM,
} MetricType;

typedef struct Label {
    const char *name, *value; /* value NULL or "": the label is left out, which means the same */
} Label;

typedef struct Exposition {
    Str *text;
    bool open; /* OpenMetrics */
    const char *name, *help;
    MetricType type;
    bool begun;
} Exposition;

const char *metric_type_name(MetricType type);
void exposition_begin(Exposition *out, const char *name, MetricType type, const char *help);
void exposition_sample(Exposition *out, const Label *labels, size_t count, double value);

typedef struct Spread {
    const double *bounds;  /* upper ends, rising */
    const int64_t *counts; /* of each span alone; one more than bounds, for whatever lies above */
    size_t bound_count;
    double sum;
} Spread;
/* _bucket, _sum and _count. */
void exposition_spread(Exposition *out, const Label *labels, size_t count, const Spread *spread);
/* Behind the last family. */
void exposition_end(Exposition *out);

/* "17", "0.25", "1.5e+20", "NaN", "+Inf"; as short as it can be without a loss, whatever the locale. */
void exposition_number(Str *text, double value);
