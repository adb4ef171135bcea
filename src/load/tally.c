/* Adding up what happened, and saying it. */
#include "load/tally.h"

#include <string.h>

LoadTally *load_tally_new(void) { return mem_zero(sizeof(LoadTally)); }

void load_tally_free(LoadTally *tally) { mem_freep(&tally); }

void load_tally_clear(LoadTally *tally) { memset(tally, 0, sizeof *tally); }

void tally_note(LoadTally *tally, const char *text)
{
    if (tally->first_error[0] == '\0')
        snprintf(tally->first_error, sizeof tally->first_error, "%s", text);
}

void load_tally_add(LoadTally *into, const LoadTally *from)
{
    hist_add(&into->hist, &from->hist);
    into->errors += from->errors;
    into->expected_errors += from->expected_errors;
    into->deadlocks += from->deadlocks;
    into->connection_errors += from->connection_errors;
    into->unfinished += from->unfinished;
    into->span_us += from->span_us;
    tally_note(into, from->first_error);
}

void load_tally_report(const LoadTally *tally, LoadReport *ret_report)
{
    const Hist *hist = &tally->hist;
    *ret_report = (LoadReport){
        .count = hist->count,
        .errors = tally->errors,
        .expected_errors = tally->expected_errors,
        .deadlocks = tally->deadlocks,
        .connection_errors = tally->connection_errors,
        .unfinished = tally->unfinished,
        .p50_ms = (double)hist_quantile_us(hist, 0.50) / 1000,
        .p95_ms = (double)hist_quantile_us(hist, 0.95) / 1000,
        .p99_ms = (double)hist_quantile_us(hist, 0.99) / 1000,
        .max_ms = (double)hist->max_us / 1000,
        .seconds = (double)tally->span_us / 1e6,
    };
    memcpy(ret_report->first_error, tally->first_error, sizeof ret_report->first_error);
}

json_t *load_report_json(const LoadReport *report)
{
    json_t *json =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "count",
                  (json_int_t)report->count, "errors", (json_int_t)report->errors, "expected_errors",
                  (json_int_t)report->expected_errors, "deadlocks", (json_int_t)report->deadlocks,
                  "connection_errors", (json_int_t)report->connection_errors, "unfinished",
                  (json_int_t)report->unfinished, "p50_ms", report->p50_ms, "p95_ms", report->p95_ms,
                  "p99_ms", report->p99_ms, "max_ms", report->max_ms, "seconds", report->seconds);
    json_t *first = report->first_error[0] == '\0' ? json_null() : json_string(report->first_error);
    json_object_set_new(json, "first_error", first != NULL ? first : json_string("(not UTF-8)"));
    return json;
}
