/* Shows what may be removed. */
#include "base/unit.h"
#include "cli/show.h"

#include <string.h>

enum { KIND_COLUMN = 8, OBJECT_COLUMN = 29, TEXT_COLUMN = 8 };

static Style style_of(const char *confidence)
{
    return strcmp(confidence, "high") == 0     ? STYLE_GREEN
           : strcmp(confidence, "medium") == 0 ? STYLE_YELLOW
                                               : STYLE_DIM;
}

static void show_finding(Page *page, const json_t *finding)
{
    char size[UNIT_TEXT_BYTES];
    const json_t *bytes = json_object_get(finding, "bytes");
    const char *confidence = text_of(finding, "confidence");
    page_put(page, style_of(confidence), confidence);
    page_to(page, KIND_COLUMN);
    page_put(page, STYLE_PLAIN, text_of(finding, "kind"));
    page_to(page, OBJECT_COLUMN);
    page_put(page, STYLE_BOLD, text_of(finding, "object"));
    if (json_is_integer(bytes) && json_integer_value(bytes) > 0)
        page_putf(page, STYLE_DIM, "  %s", unit_size_text(json_integer_value(bytes), size));
    page_newline(page);
    page_to(page, TEXT_COLUMN);
    page_wrap(page, STYLE_PLAIN, TEXT_COLUMN, text_of(finding, "evidence"));
    page_newline(page);
    page_to(page, TEXT_COLUMN);
    page_put(page, STYLE_DIM, "do ");
    page_sql(page, TEXT_COLUMN + 3, text_of(finding, "do"));
    page_newline(page);
}

static void show_unknown(Page *page, const json_t *unknown)
{
    size_t i = 0;
    const json_t *each = NULL;
    json_array_foreach(unknown, i, each)
    {
        page_putf(page, STYLE_YELLOW, "not judged: ");
        page_wrap(page, STYLE_PLAIN, page->column, text_of(each, "what"));
        page_put(page, STYLE_PLAIN, ": ");
        page_wrap(page, STYLE_PLAIN, TEXT_COLUMN, text_of(each, "why"));
        page_newline(page);
        if (text_of(each, "fix")[0] != '\0') {
            page_to(page, TEXT_COLUMN);
            page_put(page, STYLE_DIM, "fix ");
            page_sql(page, TEXT_COLUMN + 4, text_of(each, "fix"));
            page_newline(page);
        }
    }
}

static size_t count_of(const json_t *findings, const char *confidence)
{
    size_t i = 0, count = 0;
    const json_t *finding = NULL;
    json_array_foreach(findings, i, finding) count += strcmp(text_of(finding, "confidence"), confidence) == 0;
    return count;
}

static void show_sum(Page *page, const json_t *stale)
{
    const json_t *findings = json_object_get(stale, "findings");
    json_int_t ignored = json_integer_value(json_object_get(stale, "ignored"));
    if (json_array_size(findings) == 0)
        page_put(page, STYLE_GREEN, "nothing to remove was found");
    else
        page_putf(page, STYLE_BOLD, "%zu found: %zu high, %zu medium, %zu low", json_array_size(findings),
                  count_of(findings, "high"), count_of(findings, "medium"), count_of(findings, "low"));
    if (ignored > 0)
        page_putf(page, STYLE_DIM, ", %lld ignored", (long long)ignored);
    page_newline(page);
}

void show_stale(Page *page, const json_t *stale)
{
    const json_t *cost = json_object_get(stale, "cost"), *finding = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(stale, "findings"), i, finding) show_finding(page, finding);
    if (i > 0)
        page_newline(page);
    show_unknown(page, json_object_get(stale, "unknown"));
    show_sum(page, stale);
    page_putf(page, STYLE_DIM, "cost: %lld questions in %lld ms, the longest %lld ms (%s); no table was read",
              (long long)json_integer_value(json_object_get(cost, "questions")),
              (long long)json_integer_value(json_object_get(cost, "ms")),
              (long long)json_integer_value(json_object_get(cost, "longest_ms")), text_of(cost, "longest"));
    page_newline(page);
}
