/* The formats, line by line. Sources: "Exposition formats" of the Prometheus documentation; RFC-draft and
 * specification 1.0 of OpenMetrics. */
#include "serve/exposition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *metric_type_name(MetricType type)
{
    switch (type) {
    case METRIC_COUNTER:
        return "counter";
    case METRIC_GAUGE:
        return "gauge";
    case METRIC_INFO:
        return "info";
    case METRIC_HISTOGRAM:
        return "histogram";
    }
    return "unknown";
}

/* Backslash and line feed always, the quote where one would end the text. */
static void add_escaped(Str *text, const char *value, bool quotes)
{
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\n')
            str_add(text, "\\n");
        else if (*at == '\\' || (quotes && *at == '"'))
            str_addf(text, "\\%c", *at);
        else
            str_addn(text, at, 1);
    }
}

void exposition_number(Str *text, double value)
{
    enum { DIGITS_MOST = 17 };
    char number[40];
    if (isnan(value) || isinf(value)) {
        str_add(text, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int digits = 15; digits <= DIGITS_MOST; digits++) {
        (void)snprintf(number, sizeof number, "%.*g", digits, value);
        if (strtod(number, NULL) == value)
            break;
    }
    for (char *at = number; *at != '\0'; at++)
        if (*at == ',')
            *at = '.';
    str_add(text, number);
}

void exposition_begin(Exposition *out, const char *name, MetricType type, const char *help)
{
    out->name = name;
    out->type = type;
    out->help = help;
    out->begun = false;
}

/* A family of OpenMetrics lacks the suffix that its samples have. */
static int family_len(const Exposition *out)
{
    size_t len = strlen(out->name), suffix = 0;
    if (out->open && out->type == METRIC_COUNTER)
        suffix = strlen("_total");
    else if (out->open && out->type == METRIC_INFO)
        suffix = strlen("_info");
    return (int)(len > suffix ? len - suffix : len);
}

static void head(Exposition *out)
{
    if (out->begun)
        return;
    out->begun = true;
    int len = family_len(out);
    const char *type = out->type == METRIC_INFO && !out->open ? "gauge" : metric_type_name(out->type);
    str_addf(out->text, "# HELP %.*s ", len, out->name);
    add_escaped(out->text, out->help, out->open);
    str_addf(out->text, "\n# TYPE %.*s %s\n", len, out->name, type);
}

static void add_labels(Exposition *out, const Label *labels, size_t count, const char *bound)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (labels[i].value == NULL || labels[i].value[0] == '\0')
            continue;
        str_addf(out->text, "%s%s=\"", any ? "," : "{", labels[i].name);
        add_escaped(out->text, labels[i].value, true);
        str_add(out->text, "\"");
        any = true;
    }
    if (bound != NULL)
        str_addf(out->text, "%sle=\"%s\"", any ? "," : "{", bound);
    if (any || bound != NULL)
        str_add(out->text, "}");
}

void exposition_sample(Exposition *out, const Label *labels, size_t count, double value)
{
    head(out);
    str_add(out->text, out->name);
    add_labels(out, labels, count, NULL);
    str_add(out->text, " ");
    exposition_number(out->text, value);
    str_add(out->text, "\n");
}

static void add_bucket(Exposition *out, const Label *labels, size_t count, const char *bound, int64_t below)
{
    str_addf(out->text, "%s_bucket", out->name);
    add_labels(out, labels, count, bound);
    str_addf(out->text, " %lld\n", (long long)below);
}

void exposition_spread(Exposition *out, const Label *labels, size_t count, const Spread *spread)
{
    head(out);
    int64_t below = 0;
    for (size_t i = 0; i < spread->bound_count; i++) {
        CLEANUP(str_donep) Str bound = STR_INIT;
        exposition_number(&bound, spread->bounds[i]);
        if (out->open && strpbrk(bound.buf, ".e") == NULL)
            str_add(&bound, ".0"); /* a float in its canonical form */
        below += spread->counts[i];
        add_bucket(out, labels, count, bound.buf, below);
    }
    below += spread->counts[spread->bound_count];
    add_bucket(out, labels, count, "+Inf", below);
    str_addf(out->text, "%s_sum", out->name);
    add_labels(out, labels, count, NULL);
    str_add(out->text, " ");
    exposition_number(out->text, spread->sum);
    str_addf(out->text, "\n%s_count", out->name);
    add_labels(out, labels, count, NULL);
    str_addf(out->text, " %lld\n", (long long)below);
}

void exposition_end(Exposition *out)
{
    if (out->open)
        str_add(out->text, "# EOF\n");
}
