/* Shows progress, status and the final figures. */
#include "base/unit.h"
#include "cli/show.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static int64_t number_of(const json_t *object, const char *key)
{
    return (int64_t)json_number_value(json_object_get(object, key));
}

const char *range_text(int64_t low_ms, int64_t high_ms, char *ret_text)
{
    char low[UNIT_TEXT_BYTES], high[UNIT_TEXT_BYTES];
    *ret_text = '\0';
    if (high_ms < 0 || low_ms < 0)
        return ret_text;
    (void)unit_duration_text(low_ms, low);
    (void)unit_duration_text(high_ms, high);
    const char *unit = strchr(low, ' ');
    if (strcmp(low, high) == 0)
        (void)snprintf(ret_text, RANGE_TEXT_BYTES, "%s", high);
    else if (unit != NULL && str_eq(unit, strchr(high, ' ')))
        (void)snprintf(ret_text, RANGE_TEXT_BYTES, "%.*s–%s", (int)(unit - low), low, high);
    else
        (void)snprintf(ret_text, RANGE_TEXT_BYTES, "%s – %s", low, high);
    return ret_text;
}

Style style_of_state(const char *state)
{
    static const struct {
        const char *state;
        Style style;
    } styles[] = {{"running", STYLE_CYAN},  {"paused", STYLE_YELLOW},   {"waiting", STYLE_YELLOW},
                  {"ready", STYLE_GREEN},   {"completed", STYLE_GREEN}, {"failed", STYLE_RED},
                  {"ambiguous", STYLE_RED}, {"done", STYLE_GREEN}};
    for (size_t i = 0; i < ARRAY_LEN(styles); i++)
        if (strcmp(styles[i].state, state) == 0)
            return styles[i].style;
    return STYLE_DIM;
}

static double percent(int64_t done, int64_t total)
{
    return total <= 0 ? 0 : done >= total ? 100 : 100 * (double)done / (double)total;
}

static void rate_text(double rows_per_s, char *ret_text)
{
    if (rows_per_s >= 1e6)
        (void)snprintf(ret_text, UNIT_TEXT_BYTES, "%.1fM rows/s", rows_per_s / 1e6);
    else if (rows_per_s >= 1e4)
        (void)snprintf(ret_text, UNIT_TEXT_BYTES, "%.0fk rows/s", rows_per_s / 1e3);
    else
        (void)snprintf(ret_text, UNIT_TEXT_BYTES, "%.0f rows/s", rows_per_s);
}

/* " · 4.0–9.0 s left", or nothing where nobody knows. */
static void show_left(Page *page, const Progress *progress)
{
    char text[RANGE_TEXT_BYTES];
    int64_t low_ms = progress->eta_low_s * 1000, high_ms = progress->eta_high_s * 1000;
    if (progress->eta_low_s < 0 || progress->eta_high_s < 0)
        return;
    if (low_ms == 0)
        page_putf(page, STYLE_PLAIN, " · up to %s left",
                  unit_duration_text(high_ms == 0 ? 1000 : high_ms, text));
    else
        page_putf(page, STYLE_PLAIN, " · %s left", range_text(low_ms, high_ms, text));
}

static void show_bar(Page *page, double share)
{
    enum { CELLS = 16 };
    int full = (int)(share / 100 * CELLS + 0.5);
    CLEANUP(str_donep) Str done = STR_INIT, left = STR_INIT;
    for (int i = 0; i < CELLS; i++)
        str_add(i < full ? &done : &left, i < full ? "━" : "─");
    page_put(page, STYLE_GREEN, done.buf);
    page_put(page, STYLE_DIM, left.buf);
    page_put(page, STYLE_PLAIN, " ");
}

void show_progress(Page *page, const Progress *progress, bool bar)
{
    char text[RANGE_TEXT_BYTES];
    if (!bar)
        page_putf(page, STYLE_PLAIN, "%s · ", progress->change == NULL ? "change" : progress->change);
    page_putf(page, STYLE_CYAN, "%s", progress->phase == NULL ? "" : progress->phase);
    if (progress->step_count > 0)
        page_putf(page, STYLE_DIM, " %d/%d", progress->step, progress->step_count);
    page_put(page, STYLE_PLAIN, bar ? " " : " · ");
    if (progress->rows_total > 0) {
        double share = percent(progress->rows_done, progress->rows_total);
        if (bar)
            show_bar(page, share);
        page_putf(page, STYLE_BOLD, "%.1f %%", share);
        page_putf(page, STYLE_PLAIN, " of %s rows", unit_count_text(progress->rows_total, text));
    } else if (progress->title != NULL) {
        page_put(page, STYLE_PLAIN, progress->title);
    }
    if (progress->rows_per_s > 0) {
        rate_text(progress->rows_per_s, text);
        page_putf(page, STYLE_PLAIN, " · %s", text);
    }
    show_left(page, progress);
    if (progress->throttled_by != NULL)
        page_putf(page, STYLE_YELLOW, " · waiting: %s", progress->throttled_by);
    if (progress->hot_ratio >= 0)
        page_putf(page, STYLE_DIM, " · HOT %.0f %%", progress->hot_ratio * 100);
}

json_t *progress_json(const Progress *progress)
{
    json_t *object =
        json_pack("{s:i, s:s, s:s*, s:s*, s:i, s:I, s:I, s:f, s:s?}", "v", 1, "event", "progress", "change",
                  progress->change, "phase", progress->phase, "step", progress->step, "rows_done",
                  (json_int_t)progress->rows_done, "rows_total", (json_int_t)progress->rows_total,
                  "rows_per_s", progress->rows_per_s, "throttled_by", progress->throttled_by);
    if (progress->eta_high_s >= 0)
        (void)json_object_set_new(object, "eta_s",
                                  json_pack("{s:I, s:I}", "low", (json_int_t)progress->eta_low_s, "high",
                                            (json_int_t)progress->eta_high_s));
    if (progress->hot_ratio >= 0)
        (void)json_object_set_new(object, "hot_ratio", json_real(progress->hot_ratio));
    return object;
}

/* The step at work, or the last one begun. */
static const json_t *step_at(const json_t *change, size_t *ret_count)
{
    const json_t *steps = json_object_get(change, "steps"), *found = NULL;
    *ret_count = json_array_size(steps);
    for (size_t i = 0; i < *ret_count; i++) {
        const json_t *step = json_array_get(steps, i);
        const char *state = text_of(step, "state");
        if (strcmp(state, "running") == 0)
            return step;
        if (strcmp(state, "done") == 0)
            found = step;
    }
    return found;
}

Progress progress_of_status(const json_t *change)
{
    size_t count = 0;
    const json_t *step = step_at(change, &count), *eta = json_object_get(change, "eta_s");
    const json_t *hot = json_object_get(change, "hot_ratio");
    return (Progress){
        .change = json_string_value(json_object_get(change, "name")),
        .phase = json_string_value(json_object_get(change, "phase")),
        .step = (int)number_of(step, "ordinal"),
        .step_count = (int)count,
        .title = json_string_value(json_object_get(step, "title")),
        .rows_done = number_of(change, "rows_done"),
        .rows_total = number_of(change, "rows_total"),
        .rows_per_s = json_number_value(json_object_get(change, "rows_per_s")),
        .eta_low_s = json_is_object(eta) ? number_of(eta, "low") : -1,
        .eta_high_s = json_is_object(eta) ? number_of(eta, "high") : -1,
        .hot_ratio = json_is_number(hot) ? json_number_value(hot) : -1,
        .throttled_by = json_string_value(json_object_get(change, "throttled_by")),
    };
}

static void show_row(Page *page, const json_t *change, int name_width)
{
    char text[RANGE_TEXT_BYTES];
    Progress progress = progress_of_status(change);
    const char *state = text_of(change, "state");
    page_put(page, STYLE_BOLD, text_of(change, "name"));
    page_to(page, name_width + 2);
    page_put(page, style_of_state(state), state);
    page_to(page, name_width + 13);
    page_put(page, STYLE_PLAIN, progress.phase == NULL ? "" : progress.phase);
    if (progress.rows_total > 0) {
        page_to(page, name_width + 24);
        page_putf(page, STYLE_PLAIN, "%3.0f %% of %s rows", percent(progress.rows_done, progress.rows_total),
                  unit_count_text(progress.rows_total, text));
    }
    if (progress.rows_per_s > 0 && strcmp(state, "running") == 0) {
        rate_text(progress.rows_per_s, text);
        page_putf(page, STYLE_PLAIN, " · %s", text);
    }
    show_left(page, &progress);
    page_newline(page);
    if (progress.throttled_by != NULL && strcmp(progress.throttled_by, state) != 0) {
        page_to(page, name_width + 2);
        page_putf(page, STYLE_YELLOW, "waiting: %s", progress.throttled_by);
        page_newline(page);
    }
    const char *error = json_string_value(json_object_get(change, "error"));
    if (error != NULL && strcmp(state, "failed") == 0) {
        page_to(page, name_width + 2);
        page_wrap(page, STYLE_RED, name_width + 2, error);
        page_newline(page);
    }
}

/* Milliseconds since 1970 of "2026-11-20T21:04:31.5+00:00"; -1 when it is none. */
static int64_t time_of(const char *text)
{
    struct tm time = {0};
    const char *at = strptime(text, "%Y-%m-%dT%H:%M:", &time);
    if (at == NULL)
        return -1;
    char *end = NULL;
    double seconds = strtod(at, &end);
    if (end == at)
        return -1;
    return (int64_t)timegm(&time) * 1000 + (int64_t)(seconds * 1000);
}

static void show_step_row(Page *page, const json_t *step)
{
    enum { TITLE_COLUMN = 39 };
    char text[UNIT_TEXT_BYTES];
    const char *state = text_of(step, "state"), *title = text_of(step, "title"),
               *error = text_of(step, "error");
    int64_t began = time_of(text_of(step, "started_at")), ended = time_of(text_of(step, "ended_at"));
    page_putf(page, STYLE_PLAIN, "  %3lld  ", (long long)number_of(step, "ordinal"));
    page_put(page, style_of_state(state), state);
    page_to(page, 16);
    page_put(page, STYLE_PLAIN, text_of(step, "phase"));
    page_to(page, 27);
    if (began >= 0 && ended >= began)
        page_putf(page, STYLE_DIM, "%9s", unit_duration_text(ended - began, text));
    page_to(page, TITLE_COLUMN);
    page_wrap(page, STYLE_PLAIN, TITLE_COLUMN, title[0] == '\0' ? text_of(step, "kind") : title);
    if (number_of(step, "attempts") > 1)
        page_putf(page, STYLE_YELLOW, ", %lld attempts", (long long)number_of(step, "attempts"));
    page_newline(page);
    if (error[0] != '\0' && strcmp(state, "done") != 0) {
        page_to(page, TITLE_COLUMN);
        page_wrap(page, STYLE_RED, TITLE_COLUMN, error);
        page_newline(page);
    }
}

static void show_fact(Page *page, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    page_to(page, 2);
    page_put(page, STYLE_DIM, name);
    page_to(page, 10);
    page_wrap(page, STYLE_PLAIN, 10, text);
    page_newline(page);
}

void show_broken(Page *page, const json_t *change, int column)
{
    size_t i;
    const json_t *broken;
    json_array_foreach(json_object_get(change, "broken"), i, broken)
    {
        const char *at = text_of(broken, "at");
        page_to(page, column);
        page_putf(page, STYLE_RED, "the way back to %s.%s is broken since %.10s %.8s",
                  text_of(broken, "table"), text_of(broken, "column"), at, strlen(at) > 11 ? at + 11 : "");
        page_putf(page, STYLE_PLAIN, " · %lld lost · row %s: ", (long long)number_of(broken, "count"),
                  text_of(broken, "key"));
        page_wrap(page, STYLE_PLAIN, column, text_of(broken, "message"));
        page_newline(page);
    }
}

static void show_steps(Page *page, const json_t *change)
{
    size_t i;
    const json_t *step;
    show_fact(page, "owner", text_of(change, "owner"));
    show_fact(page, "change", text_of(change, "change_digest"));
    show_fact(page, "plan", text_of(change, "plan_digest"));
    show_fact(page, "runner", text_of(change, "runner"));
    show_fact(page, "error", text_of(change, "error"));
    json_array_foreach(json_object_get(change, "steps"), i, step) show_step_row(page, step);
}

void show_status(Page *page, const json_t *status, bool steps)
{
    const json_t *changes = json_object_get(status, "changes"), *change;
    size_t i;
    int name_width = 0;
    json_array_foreach(changes, i, change)
    {
        int columns = text_columns(text_of(change, "name"));
        name_width = columns > name_width ? columns : name_width;
    }
    json_array_foreach(changes, i, change)
    {
        show_row(page, change, name_width);
        show_broken(page, change, steps ? 2 : name_width + 2);
        if (steps)
            show_steps(page, change);
    }
    if (json_array_size(changes) == 0) {
        page_put(page, STYLE_DIM, "no change is under way");
        page_newline(page);
    }
}

static void figure(Page *page, const char *name, const char *text)
{
    page_to(page, 2);
    page_put(page, STYLE_DIM, name);
    page_to(page, 12);
    page_wrap(page, STYLE_PLAIN, 12, text);
    page_newline(page);
}

static void show_rows(Page *page, const RunSummary *summary)
{
    char text[160], count[UNIT_TEXT_BYTES], time[UNIT_TEXT_BYTES], rate[UNIT_TEXT_BYTES] = "";
    if (summary->rows_filled > 0) {
        if (summary->backfill_ms > 0)
            rate_text((double)summary->rows_filled * 1000 / (double)summary->backfill_ms, rate);
        (void)snprintf(text, sizeof text, "%s rows in %s%s%s", unit_count_text(summary->rows_filled, count),
                       unit_duration_text(summary->backfill_ms, time), rate[0] == '\0' ? "" : ", ", rate);
        figure(page, "filled", text);
        (void)snprintf(text, sizeof text, "%.0f %% of the updates (HOT)",
                       percent(summary->hot_rows, summary->rows_filled));
        if (summary->hot_counted)
            figure(page, "in place", text);
    }
    if (summary->rows_checked > 0) {
        (void)snprintf(text, sizeof text, "%s rows, none wrong",
                       unit_count_text(summary->rows_checked, count));
        figure(page, "checked", text);
    }
    if (summary->rows_apart > 0) {
        (void)snprintf(text, sizeof text, "%s rows written by the application itself",
                       unit_count_text(summary->rows_apart, count));
        figure(page, "apart", text);
    }
}

void show_summary(Page *page, const char *change, const RunSummary *summary)
{
    char text[UNIT_TEXT_BYTES];
    const char *state = change_state_name(summary->state);
    page_put(page, style_of_state(state), state);
    page_putf(page, STYLE_BOLD, "  %s", change);
    page_put(page, STYLE_DIM, summary->already_done ? "  nothing was left to do" : "");
    page_newline(page);
    show_rows(page, summary);
    if (summary->wal_bytes > 0)
        figure(page, summary->binary_log ? "log" : "WAL", unit_size_text(summary->wal_bytes, text));
    if (summary->total_ms > 0)
        figure(page, "took", unit_duration_text(summary->total_ms, text));
}

json_t *summary_json(const char *change, const RunSummary *summary)
{
    double rate =
        summary->backfill_ms > 0 ? (double)summary->rows_filled * 1000 / (double)summary->backfill_ms : 0;
    return json_pack("{s:i, s:{s:s, s:s, s:s*, s:b, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I}}", "v", 1,
                     "summary", "change", change, "state", change_state_name(summary->state), "plan_digest",
                     summary->plan_digest, "already_done", summary->already_done, "rows_filled",
                     (json_int_t)summary->rows_filled, "rows_checked", (json_int_t)summary->rows_checked,
                     "rows_apart", (json_int_t)summary->rows_apart, "hot_rows", (json_int_t)summary->hot_rows,
                     "rows_per_s", rate, "backfill_ms", (json_int_t)summary->backfill_ms, "total_ms",
                     (json_int_t)summary->total_ms, "wal_bytes", (json_int_t)summary->wal_bytes);
}
