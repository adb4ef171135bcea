/* Findings for people: place, message, the line with a caret, and what to write instead. */
#include "base/str.h"
#include "base/unit.h"
#include "cli/findings.h"

#include <string.h>

static Style style_of(Severity severity)
{
    return severity == SEVERITY_BLOCK ? STYLE_RED : severity == SEVERITY_WARN ? STYLE_YELLOW : STYLE_CYAN;
}

static const Source *source_of(const Finding *finding, SourceSet *const *sets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sets[i]->files.len; j++)
            if (sets[i]->files.items[j].path == finding->file)
                return &sets[i]->files.items[j];
    return NULL;
}

enum { LINE_COLUMNS = 110 };

/* The line that the finding begins on, cut to the part around it, and carets under what it is about. */
static void show_line(Page *page, const Finding *finding, const Source *source)
{
    size_t start = finding->start < source->len ? finding->start : source->len;
    while (start > 0 && source->text[start - 1] != '\n')
        start--;
    size_t end = start + strcspn(source->text + start, "\r\n");
    if (finding->start - start > LINE_COLUMNS - 30) {
        start = finding->start - 20;
        while (start < finding->start && ((unsigned char)source->text[start] & 0xC0) == 0x80)
            start++;
    }
    size_t last = finding->end < end ? finding->end : end;
    if (end - start > LINE_COLUMNS)
        end = start + LINE_COLUMNS;
    while (end > start && end < source->len && ((unsigned char)source->text[end] & 0xC0) == 0x80)
        end--;
    last = last < end ? last : end;
    char number[16];
    int width = snprintf(number, sizeof number, "%5d", finding->line);
    page_putf(page, STYLE_DIM, "%s | ", number);
    page_putf(page, STYLE_PLAIN, "%.*s", (int)(end - start), source->text + start);
    page_newline(page);
    page_putf(page, STYLE_DIM, "%*s | ", width, "");
    CLEANUP(str_donep) Str marks = STR_INIT;
    for (size_t at = start; at < finding->start && at < end; at++)
        if (((unsigned char)source->text[at] & 0xC0) != 0x80)
            str_add(&marks, " ");
    size_t carets = 0;
    for (size_t at = finding->start; at < last; at++)
        carets += ((unsigned char)source->text[at] & 0xC0) != 0x80;
    for (size_t i = 0; i < (carets == 0 ? 1 : carets); i++)
        str_add(&marks, "^");
    page_put(page, style_of(finding->severity), marks.buf);
    page_newline(page);
}

static void show_lines(Page *page, const char *label, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        page_putf(page, STYLE_GREEN, "%8s", label);
        page_putf(page, STYLE_PLAIN, "%.*s", (int)len, text);
        page_newline(page);
        label = "";
        text += len + (text[len] == '\n');
    }
}

/* The table as the server has it, and what the statement would cost. */
static void show_facts(Page *page, const Finding *finding)
{
    char rows[UNIT_TEXT_BYTES], size[UNIT_TEXT_BYTES], time[UNIT_TEXT_BYTES];
    const TableFacts *table = finding->facts;
    bool says =
        finding->cost != COST_NONE || (table != NULL && (table->oldest_ms >= 1000 || table->view_count > 0));
    if (table == NULL || table->view || !says)
        return;
    page_putf(page, STYLE_GREEN, "%8s", "table: ");
    if (table->empty)
        page_putf(page, STYLE_PLAIN, "%s is empty", table->name);
    else
        page_putf(page, STYLE_PLAIN, "%s has about %s row%s, %s", table->name,
                  unit_count_text(table->rows, rows), table->rows == 1 ? "" : "s",
                  unit_size_text(table->bytes, size));
    if (finding->cost != COST_NONE && finding->cost != COST_CONTENT && !table->empty)
        page_putf(page, STYLE_PLAIN, "; %s: about %s", cost_name(finding->cost),
                  unit_duration_text(finding->estimate_ms, time));
    if (table->oldest_ms >= 1000)
        page_putf(page, STYLE_PLAIN, "; a transaction of %s holds it",
                  unit_duration_text(table->oldest_ms, time));
    for (size_t i = 0; i < table->view_count && i < 3; i++)
        page_putf(page, STYLE_PLAIN, "%s%s", i == 0 ? "; read by view " : ", ", table->views[i]);
    page_newline(page);
}

void findings_server(Page *page, const CheckResult *result, const ServerFacts *facts, const Online *online)
{
    if (facts->taken != NULL)
        page_putf(page, STYLE_DIM, "by a snapshot of %s", facts->taken);
    else if (online->unmeasured != NULL)
        page_putf(page, STYLE_YELLOW, "not tried on empty copies: %s", online->unmeasured);
    else
        page_putf(page, STYLE_DIM, "%zu %s tried on empty copies in %lld ms (making these: %lld ms)",
                  result->measured, result->measured == 1 ? "statement" : "statements",
                  (long long)online->measure_ms, (long long)online->clone_ms);
    if (result->contradicted > 0)
        page_putf(page, STYLE_DIM, "; %zu %s left out, since the server does it otherwise",
                  result->contradicted, result->contradicted == 1 ? "finding" : "findings");
    page_newline(page);
}

void findings_text(Page *page, const CheckResult *result, SourceSet *const *sets, size_t count)
{
    const Source *source = NULL;
    const char *file = NULL;
    for (size_t i = 0; i < result->findings.len; i++) {
        const Finding *finding = &result->findings.items[i];
        if (file != finding->file)
            source = source_of(finding, sets, count);
        file = finding->file;
        page_putf(page, STYLE_BOLD, "%s:%d:%d: ", finding->file, finding->line, finding->column);
        page_putf(page, style_of(finding->severity), "%s: ", severity_name(finding->severity));
        page_put(page, STYLE_PLAIN, finding->message);
        page_putf(page, STYLE_DIM, " [%s]", finding->rule->id);
        page_newline(page);
        if (source != NULL)
            show_line(page, finding, source);
        show_facts(page, finding);
        if (finding->safer != NULL)
            show_lines(page, "safer: ", finding->safer);
    }
}

static void add_count(Str *text, size_t count, const char *one, const char *many)
{
    if (count == 0)
        return;
    str_sep(text, ", ");
    str_addf(text, "%zu %s", count, count == 1 ? one : many);
}

void findings_summary(Page *page, const CheckResult *result)
{
    Arena *arena = arena_new();
    size_t counts[SEVERITY_COUNT] = {0};
    for (size_t i = 0; i < result->findings.len; i++)
        counts[result->findings.items[i].severity]++;
    CLEANUP(str_donep) Str text = STR_INIT;
    add_count(&text, counts[SEVERITY_BLOCK], "block", "block");
    add_count(&text, counts[SEVERITY_WARN], "warn", "warn");
    add_count(&text, counts[SEVERITY_NOTE], "note", "notes");
    page_putf(page, counts[SEVERITY_BLOCK] > 0 ? STYLE_RED : STYLE_BOLD, "%s",
              text.len == 0 ? "no findings" : text.buf);
    page_putf(page, STYLE_PLAIN, " in %zu %s of %zu %s", result->statements,
              result->statements == 1 ? "statement" : "statements", result->files,
              result->files == 1 ? "file" : "files");
    if (result->tool != TOOL_NONE)
        page_putf(page, STYLE_PLAIN, " (%s)", tool_name(result->tool));
    page_putf(page, STYLE_PLAIN, ", for %s%s", check_target_text(arena, &result->target),
              result->target.given ? "" : ", the oldest in care; --server-version tells which");
    page_newline(page);
    str_clear(&text);
    add_count(&text, result->unknown, "statement cannot be judged", "statements cannot be judged");
    add_count(&text, result->on_new, "is about a table that is new here",
              "are about tables that are new here");
    add_count(&text, result->silenced, "finding silenced by a comment", "findings silenced by comments");
    add_count(&text, result->known, "finding stands in the baseline", "findings stand in the baseline");
    add_count(&text, result->applied, "file has been applied, and was only read",
              "files have been applied, and were only read");
    add_count(&text, result->other_way, "part is the other way (--down)", "parts are the other way (--down)");
    if (text.len > 0) {
        page_put(page, STYLE_DIM, text.buf);
        page_newline(page);
    }
    arena_free(arena);
}
