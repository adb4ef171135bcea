/* Metrics of a change as a whole. */
#include "serve/metrics.h"

#include "run/tally.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

/* ---- what it is, and where it stands -------------------------------------------------------- */

void metrics_info(Scrape *scrape, const ScrapeChange *change)
{
    size_t i = 0;
    const json_t *table = NULL;
    const json_t *approvers = json_object_get(metrics_sums(change, TALLY_CHANGE, "sums"), "approvers");
    Label labels[] = {
        {"table", NULL},
        {"kind", text_of(change->json, "strategy")},
        {"approver_count", arena_printf(scrape->arena, "%lld", (long long)json_integer_value(approvers))}};
    json_array_foreach(json_object_get(change->json, "tables"), i, table)
    {
        labels[0].value = json_string_value(table);
        metrics_put(scrape, change, labels, ARRAY_LEN(labels), 1);
    }
    if (i == 0)
        metrics_put(scrape, change, labels, ARRAY_LEN(labels), 1);
}

static bool is_over(const ScrapeChange *change) { return text_of(change->json, "ended_at") != NULL; }

void metrics_runner(Scrape *scrape, const ScrapeChange *change)
{
    if (!is_over(change))
        metrics_put(scrape, change, NULL, 0, text_of(change->json, "runner") != NULL);
}

static const char *const phases[] = {"planned",    "expanding",   "backfilling", "validating",
                                     "flag_ready", "contracting", "reverting",   "done",
                                     "failed",     "held",        "aborted",     "reverted"};

/* Words of the journal, and those of the metric. */
static const struct {
    const char *state, *phase, *shown;
} shown_phases[] = {
    {"planned", NULL, "planned"},   {"ready", NULL, "flag_ready"},     {"completed", NULL, "done"},
    {"aborted", NULL, "aborted"},   {"reverted", NULL, "reverted"},    {"failed", NULL, "failed"},
    {"ambiguous", NULL, "failed"},  {"paused", NULL, "held"},          {"waiting", NULL, "held"},
    {NULL, "prepare", "planned"},   {NULL, "expand", "expanding"},     {NULL, "backfill", "backfilling"},
    {NULL, "verify", "validating"}, {NULL, "constrain", "validating"}, {NULL, "cutover", "validating"},
    {NULL, "ready", "flag_ready"},  {NULL, "contract", "contracting"}, {NULL, "revert", "reverting"},
};

static const char *shown_phase(const char *state, const char *phase)
{
    for (size_t i = 0; i < ARRAY_LEN(shown_phases); i++)
        if (shown_phases[i].state != NULL ? str_eq(shown_phases[i].state, state)
                                          : str_eq(shown_phases[i].phase, phase))
            return shown_phases[i].shown;
    return "failed";
}

/* `complete` leaves a change ready until all of it is done. */
static bool contracts(const ScrapeChange *change)
{
    size_t i = 0;
    const json_t *step = NULL;
    bool any = false;
    json_array_foreach(json_object_get(change->json, "steps"), i, step)
    {
        bool its = str_eq(text_of(step, "phase"), "contract");
        any = any || (its && str_eq(text_of(step, "state"), "running"));
    }
    return any && str_eq(change->state, "ready") && text_of(change->json, "runner") != NULL;
}

void metrics_phase(Scrape *scrape, const ScrapeChange *change)
{
    const char *now = contracts(change) ? "contracting" : shown_phase(change->state, change->phase);
    for (size_t i = 0; i < ARRAY_LEN(phases); i++)
        metrics_put(scrape, change, &(Label){"phase", phases[i]}, 1, str_eq(phases[i], now));
}

/* The first step of each phase tells when it began. */
static double began(const ScrapeChange *change, const char *phase)
{
    double first = -1;
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(change->json, "steps"), i, step)
    {
        double at = metrics_time(text_of(step, "started_at"));
        if (at >= 0 && str_eq(shown_phase("", text_of(step, "phase")), phase) && (first < 0 || at < first))
            first = at;
    }
    return first;
}

static double entered(const ScrapeChange *change, const char *phase)
{
    if (str_eq(phase, "planned"))
        return metrics_time(text_of(change->json, "created_at"));
    if (str_eq(phase, "flag_ready"))
        return metrics_time(text_of(change->json, "ready_at"));
    if (str_eq(phase, "failed") || str_eq(phase, "held"))
        return -1; /* the journal has no time of its own for these */
    bool end = str_eq(phase, "done") || str_eq(phase, "aborted") || str_eq(phase, "reverted");
    if (!end)
        return began(change, phase);
    return str_eq(phase, shown_phase(change->state, change->phase))
               ? metrics_time(text_of(change->json, "ended_at"))
               : -1;
}

void metrics_phase_entered(Scrape *scrape, const ScrapeChange *change)
{
    for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
        double at = entered(change, phases[i]);
        if (at >= 0)
            metrics_put(scrape, change, &(Label){"phase", phases[i]}, 1, at);
    }
}

/* A column is there for the application once its change is ready. */
void metrics_ready(Scrape *scrape, const ScrapeChange *change)
{
    bool ready = json_is_true(json_object_get(change->json, "ready"));
    size_t i = 0, j = 0;
    const json_t *step = NULL, *column = NULL;
    json_array_foreach(json_object_get(change->json, "steps"), i, step)
    {
        if (!str_eq(text_of(step, "kind"), "backfill"))
            continue;
        json_array_foreach(json_object_get(step, "columns"), j, column)
        {
            const Label labels[] = {{"table", text_of(step, "table")}, {"column", json_string_value(column)}};
            metrics_put(scrape, change, labels, ARRAY_LEN(labels), ready);
        }
    }
}

void metrics_eta(Scrape *scrape, const ScrapeChange *change)
{
    static const char *const ends[] = {"low", "high"};
    const json_t *eta = json_object_get(change->json, "eta_s");
    for (size_t i = 0; i < ARRAY_LEN(ends) && json_is_object(eta); i++)
        metrics_put(scrape, change, &(Label){"bound", ends[i]}, 1,
                    json_number_value(json_object_get(eta, ends[i])));
}

/* ---- pauses, errors -------------------------------------------------------------------------- */

void metrics_throttle(Scrape *scrape, const ScrapeChange *change)
{
    const char *now = throttle_reason(text_of(change->json, "throttled_by"));
    bool going = str_eq(change->state, "running") || str_eq(change->state, "paused") ||
                 str_eq(change->state, "waiting");
    for (size_t i = 0; throttle_reasons[i] != NULL && going; i++)
        metrics_put(scrape, change, &(Label){"reason", throttle_reasons[i]}, 1,
                    str_eq(throttle_reasons[i], now));
}

void metrics_throttled(Scrape *scrape, const ScrapeChange *change)
{
    const char *reason = NULL;
    json_t *ms = NULL;
    json_object_foreach((json_t *)(uintptr_t)metrics_sums(change, TALLY_CHANGE, "throttled_ms"), reason, ms)
        metrics_put(scrape, change, &(Label){"reason", reason}, 1, json_number_value(ms) / 1000);
}

void metrics_errors(Scrape *scrape, const ScrapeChange *change)
{
    const char *key = NULL;
    json_t *count = NULL;
    json_object_foreach((json_t *)(uintptr_t)metrics_sums(change, TALLY_CHANGE, "errors"), key, count)
    {
        const char *slash = strchr(key, '/');
        if (slash == NULL)
            continue;
        const Label labels[] = {{"component", arena_dupn(scrape->arena, key, (size_t)(slash - key))},
                                {"code", slash + 1}};
        metrics_put(scrape, change, labels, ARRAY_LEN(labels), json_number_value(count));
    }
}

/* ---- signals --------------------------------------------------------------------------------- */

/* Never a host: what looks like one is told by its place in the list. */
static const char *target_of(Scrape *scrape, const json_t *signal, size_t index)
{
    const char *target = text_of(signal, "target");
    if (target == NULL || strpbrk(target, "/@:") == NULL)
        return target;
    return arena_printf(scrape->arena, "%zu", index + 1);
}

static void put_signals(Scrape *scrape, const ScrapeChange *change, const char *key, double scale)
{
    size_t i = 0;
    const json_t *signal = NULL;
    json_array_foreach(json_object_get(change->json, "signals"), i, signal)
    {
        const json_t *value = json_object_get(signal, key);
        const Label labels[] = {{"signal", text_of(signal, "name")},
                                {"target", target_of(scrape, signal, i)}};
        if (json_is_number(value))
            metrics_put(scrape, change, labels, ARRAY_LEN(labels), json_number_value(value) * scale);
    }
}

void metrics_signal(Scrape *scrape, const ScrapeChange *change) { put_signals(scrape, change, "value", 1); }
void metrics_threshold(Scrape *scrape, const ScrapeChange *change)
{
    put_signals(scrape, change, "limit", 1);
}
void metrics_signal_age(Scrape *scrape, const ScrapeChange *change)
{
    put_signals(scrape, change, "age_ms", 0.001);
}

/* The values of the signals of one name; a label "replica" where `method` is not NULL, else "fingerprint". */
static void put_named(Scrape *scrape, const ScrapeChange *change, const char *name, const char *method)
{
    size_t i = 0;
    const json_t *signal = NULL;
    json_array_foreach(json_object_get(change->json, "signals"), i, signal)
    {
        const json_t *value = json_object_get(signal, "value");
        const Label replica[] = {{"replica", target_of(scrape, signal, i)}, {"method", method}};
        const Label stat[] = {{"fingerprint", str_eq(name, "latency") ? "all" : text_of(signal, "target")},
                              {"stat", "mean"}};
        if (!json_is_number(value) || !str_eq(text_of(signal, "name"), name))
            continue;
        if (method != NULL)
            metrics_put(scrape, change, replica, ARRAY_LEN(replica), json_number_value(value));
        else
            metrics_put(scrape, change, stat, ARRAY_LEN(stat), json_number_value(value));
    }
}

/* Where the log tells how far a replica is, that is used; elsewhere a row that Stoa writes. */
void metrics_replica_lag(Scrape *scrape, const ScrapeChange *change)
{
    bool log = str_eq(scrape->source->picture->engine, "postgres");
    put_named(scrape, change, "replica-lag", log ? "lsn" : "heartbeat");
}

/* 0 stands for too few calls to tell. */
void metrics_latency_ratio(Scrape *scrape, const ScrapeChange *change)
{
    put_named(scrape, change, "latency", NULL);
    put_named(scrape, change, "statement-latency", NULL);
}

/* ---- who still reads it ---------------------------------------------------------------------- */

/* A use that was seen in the last look is of that moment; later ones are not known of. */
void metrics_last_read(Scrape *scrape, const ScrapeChange *change)
{
    size_t i = 0;
    const json_t *report = NULL;
    json_array_foreach(json_object_get(change->json, "evidence"), i, report)
    {
        const Label labels[] = {{"column", text_of(report, "of")}, {"evidence", "statements"}};
        double at = metrics_time(text_of(report, "at"));
        if (at >= 0 && json_array_size(json_object_get(report, "seen")) > 0)
            metrics_put(scrape, change, labels, ARRAY_LEN(labels), at);
    }
}
