/* Shows the journal's history and the doctor's findings. */
#include "cli/show.h"

#include <string.h>

/* Events that a person looks for first. */
static Style style_of_event(const char *kind)
{
    if (strstr(kind, "fail") != NULL || strstr(kind, "ambiguous") != NULL || strstr(kind, "error") != NULL ||
        strstr(kind, "broken") != NULL)
        return STYLE_RED;
    if (strcmp(kind, "ready") == 0 || strcmp(kind, "completed") == 0)
        return STYLE_GREEN;
    if (strstr(kind, "block") != NULL || strstr(kind, "retry") != NULL || strstr(kind, "throttle") != NULL ||
        strstr(kind, "pause") != NULL || strstr(kind, "abort") != NULL)
        return STYLE_YELLOW;
    return STYLE_PLAIN;
}

void show_event(Page *page, const char *time, const char *change, int step, const char *kind,
                const char *text)
{
    page_putf(page, STYLE_DIM, "%s ", time);
    if (change != NULL)
        page_putf(page, STYLE_BOLD, "%s ", change);
    if (step > 0)
        page_putf(page, STYLE_DIM, "%2d ", step);
    page_wrap(page, style_of_event(kind), page->column, text == NULL || text[0] == '\0' ? kind : text);
    page_newline(page);
}

void show_history(Page *page, const json_t *history)
{
    const json_t *events = json_object_get(history, "events"), *event;
    size_t i;
    json_array_foreach(events, i, event)
    {
        char time[32];
        const char *at = text_of(event, "at");
        (void)snprintf(time, sizeof time, "%.10s %.8s", at, strlen(at) > 11 ? at + 11 : "");
        show_event(page, time, text_of(event, "change"),
                   (int)json_integer_value(json_object_get(event, "step")), text_of(event, "event"),
                   text_of(event, "text"));
    }
    if (json_array_size(events) == 0) {
        page_put(page, STYLE_DIM, "nothing has happened yet");
        page_newline(page);
    }
}

void show_chain(Page *page, const json_t *report)
{
    const json_t *findings = json_object_get(report, "findings"), *finding;
    const json_t *head = json_object_get(report, "head");
    json_int_t found = json_integer_value(json_object_get(report, "finding_count")),
               unsealed = json_integer_value(json_object_get(report, "unsealed"));
    size_t i;
    json_array_foreach(findings, i, finding)
    {
        page_put(page, STYLE_RED, text_of(finding, "kind"));
        page_to(page, 16);
        page_wrap(page, STYLE_PLAIN, 16, text_of(finding, "text"));
        page_newline(page);
    }
    if (found > (json_int_t)json_array_size(findings))
        page_putf(page, STYLE_PLAIN, "and %lld more\n",
                  (long long)found - (long long)json_array_size(findings));
    page_putf(page, STYLE_PLAIN, "%lld events are sealed",
              (long long)json_integer_value(json_object_get(report, "sealed")));
    if (unsealed > 0)
        page_putf(page, STYLE_PLAIN, ", %lld are not yet: whoever writes the next ones seals them",
                  (long long)unsealed);
    page_newline(page);
    page_put(page, found == 0 ? STYLE_GREEN : STYLE_RED,
             found == 0 ? "the log is as it was sealed" : "the log is not as it was sealed");
    page_newline(page);
    if (json_is_object(head))
        page_putf(page, STYLE_DIM, "head %s  (seal %lld): keep it elsewhere, for --expect-head\n",
                  text_of(head, "hash"), (long long)json_integer_value(json_object_get(head, "seal")));
}

void show_doctor(Page *page, const json_t *doctor)
{
    const json_t *checks = json_object_get(doctor, "checks"), *check;
    size_t i, blocks = 0, warns = 0;
    json_array_foreach(checks, i, check)
    {
        bool ok = json_is_true(json_object_get(check, "ok"));
        const char *severity = text_of(check, "severity"), *fix = text_of(check, "fix");
        bool block = !ok && strcmp(severity, "block") == 0, warn = !ok && strcmp(severity, "warn") == 0;
        blocks += block;
        warns += warn;
        page_put(page,
                 ok      ? STYLE_GREEN
                 : block ? STYLE_RED
                 : warn  ? STYLE_YELLOW
                         : STYLE_DIM,
                 ok ? "ok" : severity);
        page_to(page, 7);
        page_put(page, STYLE_BOLD, text_of(check, "name"));
        page_to(page, 27);
        page_wrap(page, STYLE_PLAIN, 27, text_of(check, "message"));
        page_newline(page);
        if (!ok && fix[0] != '\0') {
            page_to(page, 27);
            page_put(page, STYLE_DIM, "fix ");
            page_sql(page, 31, fix);
            page_newline(page);
        }
    }
    page_newline(page);
    if (blocks > 0)
        page_putf(page, STYLE_RED, "%zu in the way", blocks);
    else
        page_put(page, STYLE_GREEN, "this server and role can do it");
    if (warns > 0)
        page_putf(page, STYLE_YELLOW, ", %zu to look at", warns);
    page_newline(page);
}
