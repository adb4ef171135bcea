/* One collection: which changes are told of, what samples have in common, and metrics of the process. */
#include "serve/metrics.h"

#include "base/revision.h"
#include "run/tally.h"
#include "serve/flag_counts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ENDED_MOST = 100, FLAGS_MOST = FLAG_COUNTS_MAX };

/* ---- changes -------------------------------------------------------------------------------- */

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text == NULL ? "" : text;
}

static bool is_known(const Scrape *scrape, const char *name)
{
    for (size_t i = 0; i < scrape->change_count; i++)
        if (str_eq(scrape->changes[i].name, name))
            return true;
    return false;
}

/* Newest first. A name that was used again stands for its last change; of those that are over the last ones
 * are told. */
static void choose(Scrape *scrape)
{
    const json_t *all = scrape->source->picture->changes;
    size_t count = json_array_size(all), ended = 0;
    scrape->changes = arena_alloc(scrape->arena, (count + 1) * sizeof *scrape->changes);
    for (size_t i = count; i-- > 0;) {
        const json_t *json = json_array_get(all, i);
        const char *name = text_of(json, "name");
        bool over = json_is_string(json_object_get(json, "ended_at"));
        if (name[0] == '\0' || (over && ended >= ENDED_MOST) || is_known(scrape, name))
            continue;
        ended += over;
        scrape->changes[scrape->change_count++] =
            (ScrapeChange){.json = json,
                           .measured = json_object_get(json, "measured"),
                           .name = name,
                           .state = text_of(json, "state"),
                           .phase = text_of(json, "phase")};
    }
}

/* ---- samples -------------------------------------------------------------------------------- */

static const char *engine_label(const Picture *picture)
{
    return str_eq(picture->engine, "postgres") ? "postgresql" : picture->engine;
}

/* `ret_all` holds METRIC_LABELS_MAX. */
static size_t all_labels(const Scrape *scrape, const ScrapeChange *change, const Label *labels, size_t count,
                         Label *ret_all)
{
    const Picture *picture = scrape->source->picture;
    const Label common[] = {{"environment", scrape->source->environment},
                            {"engine", engine_label(picture)},
                            {"database", picture->database},
                            {"migration", change == NULL ? NULL : change->name}};
    memcpy(ret_all, common, sizeof common);
    for (size_t i = 0; i < count && ARRAY_LEN(common) + i < METRIC_LABELS_MAX; i++)
        ret_all[ARRAY_LEN(common) + i] = labels[i];
    return ARRAY_LEN(common) + count;
}

void metrics_put(Scrape *scrape, const ScrapeChange *change, const Label *labels, size_t count, double value)
{
    Label all[METRIC_LABELS_MAX];
    count = all_labels(scrape, change, labels, count, all);
    exposition_sample(&scrape->out, all, count, value);
}

void metrics_put_spread(Scrape *scrape, const ScrapeChange *change, const Label *labels, size_t count,
                        const json_t *times)
{
    Label all[METRIC_LABELS_MAX];
    double bounds[TALLY_BOUNDS];
    int64_t counts[TALLY_BOUNDS + 1] = {0};
    const json_t *list = json_object_get(times, "n");
    if (json_array_size(list) != TALLY_BOUNDS + 1)
        return;
    for (size_t i = 0; i <= TALLY_BOUNDS; i++) {
        counts[i] = json_integer_value(json_array_get(list, i));
        if (i < TALLY_BOUNDS)
            bounds[i] = (double)tally_bounds_us[i] / 1e6;
    }
    count = all_labels(scrape, change, labels, count, all);
    exposition_spread(&scrape->out, all, count,
                      &(Spread){.bounds = bounds,
                                .counts = counts,
                                .bound_count = TALLY_BOUNDS,
                                .sum = (double)json_integer_value(json_object_get(times, "us")) / 1e6});
}

const json_t *metrics_sums(const ScrapeChange *change, int64_t step, const char *group)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%lld", (long long)step);
    return json_object_get(json_object_get(change->measured, number), group);
}

double metrics_time(const char *text)
{
    struct tm at = {0};
    char *end = NULL;
    if (text == NULL || (end = strptime(text, "%Y-%m-%dT%H:%M:%S", &at)) == NULL)
        return -1;
    double part = *end == '.' ? strtod(end, &end) : 0, offset_s = 0;
    if (*end == '+' || *end == '-') {
        int hours = 0, minutes = 0;
        if (sscanf(end + 1, "%2d:%2d", &hours, &minutes) < 1)
            return -1;
        offset_s = (*end == '-' ? -60.0 : 60.0) * (hours * 60 + minutes);
    } else if (*end != 'Z') {
        return -1;
    }
    return (double)timegm(&at) + part - offset_s;
}

/* ---- of the process ------------------------------------------------------------------------- */

void metrics_build(Scrape *scrape)
{
    const Label labels[] = {{"version", STOA_VERSION}, {"revision", stoa_revision}};
    exposition_sample(&scrape->out, labels, ARRAY_LEN(labels), 1);
}

void metrics_loop(Scrape *scrape)
{
    const MetricsSource *source = scrape->source;
    if (source->picture->seen_ms > 0)
        exposition_sample(&scrape->out, &(Label){"loop", "journal"}, 1,
                          (double)(source->wall_ms - (source->now_ms - source->picture->seen_ms)) / 1000);
}

void metrics_look_errors(Scrape *scrape)
{
    const Label labels[] = {
        {"environment", scrape->source->environment}, {"component", "serve"}, {"code", "look"}};
    exposition_sample(&scrape->out, labels, ARRAY_LEN(labels), (double)scrape->source->look_failures);
}

/* ---- flags ---------------------------------------------------------------------------------- */

static size_t flags_of(const Scrape *scrape, FlagValue **ret_values)
{
    const MetricsSource *source = scrape->source;
    *ret_values = arena_alloc(scrape->arena, FLAGS_MOST * sizeof **ret_values);
    return source->flag_values == NULL
               ? 0
               : source->flag_values(source->flag_context, scrape->arena, *ret_values, FLAGS_MOST);
}

void metrics_flag(Scrape *scrape)
{
    FlagValue *values = NULL;
    size_t count = flags_of(scrape, &values);
    for (size_t i = 0; i < count; i++) {
        const Label labels[] = {{"environment", values[i].environment}, {"flag", values[i].flag}};
        if (values[i].value >= 0)
            exposition_sample(&scrape->out, labels, ARRAY_LEN(labels), values[i].value);
    }
}

void metrics_flag_evaluations(Scrape *scrape)
{
    FlagValue *values = NULL;
    size_t count = flags_of(scrape, &values);
    for (size_t i = 0; i < count; i++) {
        Label labels[] = {
            {"environment", values[i].environment}, {"flag", values[i].flag}, {"result", "value"}};
        if (values[i].evaluations < 0)
            continue;
        exposition_sample(&scrape->out, labels, ARRAY_LEN(labels), (double)values[i].evaluations);
        labels[2].value = "error";
        exposition_sample(&scrape->out, labels, ARRAY_LEN(labels), (double)values[i].errors);
    }
    const Label none[] = {{"environment", scrape->source->environment}, {"result", "not_found"}};
    if (scrape->source->flag_values != NULL && scrape->source->flags_not_found >= 0)
        exposition_sample(&scrape->out, none, ARRAY_LEN(none), (double)scrape->source->flags_not_found);
}

/* ---- estimates, over all changes that the journal has --------------------------------------- */

enum { RATIO_BOUNDS = 11, KINDS_MOST = 32 };
static const double ratio_bounds[RATIO_BOUNDS] = {0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 8};

typedef struct Ratios {
    const char *kind;
    int64_t counts[RATIO_BOUNDS + 1];
    double sum;
} Ratios;

static void count_ratio(Ratios *all, size_t *count, const char *kind, double ratio)
{
    size_t at = 0, span = 0;
    while (at < *count && !str_eq(all[at].kind, kind))
        at++;
    if (at == KINDS_MOST)
        return;
    *count += at == *count;
    all[at].kind = kind;
    while (span < RATIO_BOUNDS && ratio > ratio_bounds[span])
        span++;
    all[at].counts[span]++;
    all[at].sum += ratio;
}

static void count_ratios(const json_t *change, Ratios *all, size_t *count)
{
    const ScrapeChange wrapped = {.json = change, .measured = json_object_get(change, "measured")};
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(change, "steps"), i, step)
    {
        const json_t *estimate = json_object_get(step, "estimate_ms");
        int64_t ordinal = json_integer_value(json_object_get(step, "ordinal"));
        const json_t *took = json_object_get(metrics_sums(&wrapped, ordinal, "sums"), "done_ms");
        double expected = (json_number_value(json_object_get(estimate, "low")) +
                           json_number_value(json_object_get(estimate, "high"))) /
                          2;
        if (json_integer_value(took) > 0 && expected > 0)
            count_ratio(all, count, text_of(step, "kind"), json_number_value(took) / expected);
    }
}

void metrics_prediction(Scrape *scrape)
{
    Ratios *all = arena_alloc(scrape->arena, KINDS_MOST * sizeof *all);
    size_t count = 0, i = 0;
    const json_t *change = NULL;
    json_array_foreach(scrape->source->picture->changes, i, change) count_ratios(change, all, &count);
    for (size_t at = 0; at < count; at++) {
        Label labels[METRIC_LABELS_MAX];
        size_t label_count = all_labels(scrape, NULL, &(Label){"kind", all[at].kind}, 1, labels);
        exposition_spread(&scrape->out, labels, label_count,
                          &(Spread){.bounds = ratio_bounds,
                                    .counts = all[at].counts,
                                    .bound_count = RATIO_BOUNDS,
                                    .sum = all[at].sum});
    }
}

/* ---- all of them ---------------------------------------------------------------------------- */

void metrics_write(Str *text, bool open, const MetricsSource *source)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Scrape scrape = {.out = {.text = text, .open = open}, .source = source, .arena = arena};
    choose(&scrape);
    for (size_t i = 0; i < metric_count(); i++) {
        const Metric *metric = metric_at(i);
        exposition_begin(&scrape.out, metric->name, metric->type, metric->help);
        if (metric->once != NULL)
            metric->once(&scrape);
        for (size_t j = 0; metric->each != NULL && j < scrape.change_count; j++)
            metric->each(&scrape, &scrape.changes[j]);
    }
    exposition_end(&scrape.out);
}

/* ---- as a file ------------------------------------------------------------------------------ */

static Err *write_all(int file, const Str *text)
{
    for (size_t at = 0; at < text->len;) {
        ssize_t wrote = write(file, text->buf + at, text->len - at);
        if (wrote < 0 && errno != EINTR)
            return err_new(ERR_IO, "%s", strerror(errno));
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    return NULL;
}

/* node_exporter reads "*.prom" alone, so a name with something behind that is not seen. */
Err *textfile_write(const char *path, const Str *text)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *beside = arena_printf(arena, "%s.%lld.tmp", path, (long long)getpid());
    int file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file < 0)
        return err_new(ERR_IO, "cannot write \"%s\": %s", beside, strerror(errno));
    Err *err = write_all(file, text);
    if (close(file) != 0 && err == NULL)
        err = err_new(ERR_IO, "%s", strerror(errno));
    if (err == NULL && rename(beside, path) != 0)
        err = err_new(ERR_IO, "%s", strerror(errno));
    if (err == NULL)
        return NULL;
    (void)unlink(beside);
    return err_wrap(err, "cannot write \"%s\"", path);
}
