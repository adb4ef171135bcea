/* Metrics of a change's steps, and of its tables. */
#include "serve/metrics.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static int64_t ordinal_of(const json_t *step) { return json_integer_value(json_object_get(step, "ordinal")); }

/* ---- by table -------------------------------------------------------------------------------- */

typedef struct TableSums {
    const char *table;
    bool any;
    double total, done, first, second;
} TableSums;

typedef void AddStep(const ScrapeChange *change, const json_t *step, TableSums *sums);

/* Sums over the steps of each table: an array of `ret_count`. */
static TableSums *by_table(Scrape *scrape, const ScrapeChange *change, AddStep *add, size_t *ret_count)
{
    const json_t *steps = json_object_get(change->json, "steps"), *step = NULL;
    TableSums *all = arena_alloc(scrape->arena, (json_array_size(steps) + 1) * sizeof *all);
    size_t i = 0, count = 0;
    json_array_foreach(steps, i, step)
    {
        TableSums one = {.table = text_of(step, "table")};
        size_t at = 0;
        while (at < count && !str_eq(all[at].table, one.table))
            at++;
        TableSums *sums = at < count ? &all[at] : &one;
        add(change, step, sums);
        if (at == count && one.any)
            all[count++] = one;
    }
    *ret_count = count;
    return all;
}

static void add_rows(const ScrapeChange *change, const json_t *step, TableSums *sums)
{
    (void)change;
    if (json_object_get(step, "rows_done") == NULL)
        return;
    double done = json_number_value(json_object_get(step, "rows_done")),
           total = json_number_value(json_object_get(step, "rows_total"));
    bool over = str_eq(text_of(step, "state"), "done") && str_eq(text_of(step, "kind"), "backfill");
    sums->any = true;
    sums->done += done;
    sums->total += over || total < done ? done : total; /* estimates may be too low, or too high */
}

void metrics_rows(Scrape *scrape, const ScrapeChange *change)
{
    size_t count = 0;
    bool ready = json_is_true(json_object_get(change->json, "ready"));
    TableSums *all = by_table(scrape, change, add_rows, &count);
    for (size_t i = 0; i < count; i++) {
        double total = ready ? all[i].done : all[i].total;
        Label labels[] = {{"table", all[i].table}, {"state", "estimated_total"}};
        if (total > 0)
            metrics_put(scrape, change, labels, ARRAY_LEN(labels), total);
        labels[1].value = "done";
        metrics_put(scrape, change, labels, ARRAY_LEN(labels), all[i].done);
        labels[1].value = "remaining_upper";
        if (total > 0)
            metrics_put(scrape, change, labels, ARRAY_LEN(labels), total - all[i].done);
    }
}

static void add_updated(const ScrapeChange *change, const json_t *step, TableSums *sums)
{
    const json_t *counted = metrics_sums(change, ordinal_of(step), "sums"),
                 *rows = json_object_get(counted, "rows");
    sums->any = sums->any || rows != NULL;
    sums->first += json_number_value(rows);
    sums->second += json_number_value(json_object_get(counted, "hot"));
}

void metrics_rows_updated(Scrape *scrape, const ScrapeChange *change)
{
    size_t count = 0;
    TableSums *all = by_table(scrape, change, add_updated, &count);
    for (size_t i = 0; i < count; i++)
        metrics_put(scrape, change, &(Label){"table", all[i].table}, 1, all[i].first);
}

/* total: backfills; first: rows that they filled; second: rows that there were when that was verified. */
static void add_skipped(const ScrapeChange *change, const json_t *step, TableSums *sums)
{
    const json_t *counted = metrics_sums(change, ordinal_of(step), "sums"),
                 *checked = json_object_get(counted, "checked");
    bool fills = str_eq(text_of(step, "kind"), "backfill");
    double rows = json_number_value(checked);
    sums->any = sums->any || fills;
    sums->total += fills;
    sums->first += fills ? json_number_value(json_object_get(counted, "rows")) : 0;
    sums->second = rows > sums->second ? rows : sums->second;
}

void metrics_skipped(Scrape *scrape, const ScrapeChange *change)
{
    size_t count = 0;
    TableSums *all = by_table(scrape, change, add_skipped, &count);
    for (size_t i = 0; i < count; i++) {
        const Label labels[] = {{"table", all[i].table}, {"reason", "already_set"}};
        double skipped = all[i].total * all[i].second - all[i].first;
        if (all[i].second > 0)
            metrics_put(scrape, change, labels, ARRAY_LEN(labels), skipped > 0 ? skipped : 0);
    }
}

void metrics_hot(Scrape *scrape, const ScrapeChange *change)
{
    size_t count = 0;
    if (!str_eq(scrape->source->picture->engine, "postgres"))
        return;
    TableSums *all = by_table(scrape, change, add_updated, &count);
    for (size_t i = 0; i < count; i++)
        metrics_put(scrape, change, &(Label){"table", all[i].table}, 1, all[i].second);
}

static void add_log(const ScrapeChange *change, const json_t *step, TableSums *sums)
{
    const json_t *bytes = json_object_get(metrics_sums(change, ordinal_of(step), "sums"), "log_bytes");
    sums->any = sums->any || bytes != NULL;
    sums->first += json_number_value(bytes);
}

void metrics_wal(Scrape *scrape, const ScrapeChange *change)
{
    size_t count = 0;
    TableSums *all = by_table(scrape, change, add_log, &count);
    for (size_t i = 0; i < count; i++)
        metrics_put(scrape, change, &(Label){"table", all[i].table}, 1, all[i].first);
}

/* ---- by step --------------------------------------------------------------------------------- */

enum { STEP_LABELS = 3 };

/* "step", "kind" and "table". */
static void step_labels(Scrape *scrape, const json_t *step, Label *ret_labels)
{
    ret_labels[0] = (Label){"table", text_of(step, "table")};
    ret_labels[1] = (Label){"step", arena_printf(scrape->arena, "%lld", (long long)ordinal_of(step))};
    ret_labels[2] = (Label){"kind", text_of(step, "kind")};
}

/* Every word of `words` (NULL ends), also those that did not happen yet, where anything was counted. */
static void put_results(Scrape *scrape, const ScrapeChange *change, const char *group,
                        const char *const *words)
{
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(change->json, "steps"), i, step)
    {
        const json_t *sums = metrics_sums(change, ordinal_of(step), group);
        Label labels[STEP_LABELS + 1];
        step_labels(scrape, step, labels);
        for (size_t at = 0; sums != NULL && words[at] != NULL; at++) {
            labels[STEP_LABELS] = (Label){"result", words[at]};
            metrics_put(scrape, change, labels, ARRAY_LEN(labels),
                        json_number_value(json_object_get(sums, words[at])));
        }
    }
}

void metrics_batches(Scrape *scrape, const ScrapeChange *change)
{
    static const char *const words[] = {"ok",    "timeout", "lock_timeout", "deadlock", "serialization",
                                        "error", NULL};
    put_results(scrape, change, "batches", words);
}

void metrics_lock_attempts(Scrape *scrape, const ScrapeChange *change)
{
    static const char *const words[] = {"acquired", "timeout", NULL};
    put_results(scrape, change, "locks", words);
}

static void put_times(Scrape *scrape, const ScrapeChange *change, const char *group, bool mode)
{
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(change->json, "steps"), i, step)
    {
        Label labels[STEP_LABELS + 1];
        step_labels(scrape, step, labels);
        labels[STEP_LABELS] = (Label){"mode", mode ? text_of(step, "lock") : NULL};
        metrics_put_spread(scrape, change, labels, ARRAY_LEN(labels),
                           metrics_sums(change, ordinal_of(step), group));
    }
}

void metrics_batch_duration(Scrape *scrape, const ScrapeChange *change)
{
    put_times(scrape, change, "batch_s", false);
}
void metrics_lock_wait(Scrape *scrape, const ScrapeChange *change)
{
    put_times(scrape, change, "lock_wait_s", false);
}
void metrics_lock_hold(Scrape *scrape, const ScrapeChange *change)
{
    put_times(scrape, change, "lock_hold_s", true);
}

/* A figure of now, by step. */
static void put_now(Scrape *scrape, const ScrapeChange *change, const char *key)
{
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(change->json, "steps"), i, step)
    {
        const json_t *value = json_object_get(metrics_sums(change, ordinal_of(step), "now"), key);
        Label labels[STEP_LABELS];
        step_labels(scrape, step, labels);
        if (value != NULL)
            metrics_put(scrape, change, labels, STEP_LABELS, json_number_value(value));
    }
}

void metrics_batch_rows(Scrape *scrape, const ScrapeChange *change) { put_now(scrape, change, "batch_rows"); }
void metrics_violations(Scrape *scrape, const ScrapeChange *change) { put_now(scrape, change, "violations"); }

/* Of those steps that the signals were looked at for. */
void metrics_blocked(Scrape *scrape, const ScrapeChange *change)
{
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(change->json, "steps"), i, step)
    {
        const json_t *most = json_object_get(metrics_sums(change, ordinal_of(step), "sums"), "blocked_max");
        Label labels[STEP_LABELS];
        step_labels(scrape, step, labels);
        if (most != NULL)
            metrics_put(scrape, change, labels, STEP_LABELS, json_number_value(most));
    }
}

void metrics_step_duration(Scrape *scrape, const ScrapeChange *change)
{
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(change->json, "steps"), i, step)
    {
        double from = metrics_time(text_of(step, "started_at")), to = metrics_time(text_of(step, "ended_at"));
        Label labels[STEP_LABELS];
        step_labels(scrape, step, labels);
        if (from >= 0 && to >= from && str_eq(text_of(step, "state"), "done"))
            metrics_put(scrape, change, labels, STEP_LABELS, to - from);
    }
}

void metrics_step_predicted(Scrape *scrape, const ScrapeChange *change)
{
    static const char *const ends[] = {"low", "high"};
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(change->json, "steps"), i, step)
    {
        const json_t *estimate = json_object_get(step, "estimate_ms");
        Label labels[STEP_LABELS + 1];
        step_labels(scrape, step, labels);
        for (size_t at = 0; at < ARRAY_LEN(ends) && json_is_object(estimate); at++) {
            labels[STEP_LABELS] = (Label){"bound", ends[at]};
            metrics_put(scrape, change, labels, ARRAY_LEN(labels),
                        json_number_value(json_object_get(estimate, ends[at])) / 1000);
        }
    }
}

/* What the server says of a statement that runs long: what it does, and which part of that is done. */
void metrics_step_progress(Scrape *scrape, const ScrapeChange *change)
{
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(change->json, "steps"), i, step)
    {
        const char *what = NULL;
        json_t *part = NULL;
        json_t *stages = (json_t *)(uintptr_t)metrics_sums(change, ordinal_of(step), "stage");
        Label labels[STEP_LABELS + 1];
        step_labels(scrape, step, labels);
        json_object_foreach(stages, what, part)
        {
            labels[STEP_LABELS] = (Label){"stage", what};
            if (str_eq(text_of(step, "state"), "running"))
                metrics_put(scrape, change, labels, ARRAY_LEN(labels), json_number_value(part) / 1000);
        }
    }
}

void metrics_table_bytes(Scrape *scrape, const ScrapeChange *change)
{
    static const struct {
        const char *key, *part, *when;
    } all[] = {{"heap_before", "heap", "before"},
               {"heap", "heap", "now"},
               {"indexes_before", "indexes", "before"},
               {"indexes", "indexes", "now"}};
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(change->json, "steps"), i, step)
    {
        const json_t *bytes = metrics_sums(change, ordinal_of(step), "bytes");
        Label labels[STEP_LABELS + 2];
        step_labels(scrape, step, labels);
        for (size_t at = 0; bytes != NULL && at < ARRAY_LEN(all); at++) {
            labels[STEP_LABELS] = (Label){"part", all[at].part};
            labels[STEP_LABELS + 1] = (Label){"when", all[at].when};
            metrics_put(scrape, change, labels, ARRAY_LEN(labels),
                        json_number_value(json_object_get(bytes, all[at].key)));
        }
    }
}
