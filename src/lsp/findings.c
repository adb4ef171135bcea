/* Findings as an editor shows them: diagnostics, what can be done about them, and why. */
#include "lsp/lsp.h"

#include <string.h>

static int severity_number(Severity severity)
{
    return severity == SEVERITY_BLOCK ? 1 : severity == SEVERITY_WARN ? 2 : 3;
}

json_t *lsp_diagnostic(const LspDocument *document, const Finding *finding, LspEncoding encoding)
{
    Arena *arena = arena_new();
    const char *page =
        arena_printf(arena, "https://example.com/stoa/blob/main/docs/rules.md#%s", finding->rule->id);
    json_t *object = json_pack("{s:o, s:i, s:s, s:{s:s}, s:s, s:s, s:{s:s, s:s?}}", "range",
                               lsp_range(&document->lines, finding->start, finding->end, encoding),
                               "severity", severity_number(finding->severity), "code", finding->rule->id,
                               "codeDescription", "href", page, "source", "stoa", "message", finding->message,
                               "data", "evidence", evidence_name(finding->evidence), "safer", finding->safer);
    arena_free(arena);
    return object;
}

json_t *lsp_diagnostics(const LspDocument *document, LspEncoding encoding)
{
    json_t *list = json_array();
    for (size_t i = 0; i < document->result.findings.len; i++)
        (void)json_array_append_new(list,
                                    lsp_diagnostic(document, &document->result.findings.items[i], encoding));
    return list;
}

/* ---- hover ---------------------------------------------------------------------------------- */

json_t *lsp_hover(const LspDocument *document, const json_t *position, LspEncoding encoding)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    const Finding *first = NULL;
    if (!json_is_object(position))
        return json_null();
    size_t at = lsp_offset(&document->lines, position, encoding);
    for (size_t i = 0; i < document->result.findings.len; i++) {
        const Finding *finding = &document->result.findings.items[i];
        if (at < finding->start || at > finding->end)
            continue;
        first = first == NULL ? finding : first;
        str_sep(&text, "\n\n---\n\n");
        str_addf(&text, "**%s** (%s): %s\n\n%s", finding->rule->id, severity_name(finding->severity),
                 finding->message, finding->rule->why);
        if (finding->safer != NULL)
            str_addf(&text, "\n\n```sql\n%s\n```", finding->safer);
    }
    if (first == NULL)
        return json_null();
    return json_pack("{s:{s:s, s:s}, s:o}", "contents", "kind", "markdown", "value", text.buf, "range",
                     lsp_range(&document->lines, first->start, first->end, encoding));
}

/* ---- actions -------------------------------------------------------------------------------- */

typedef struct Offer {
    const LspDocument *document;
    const Finding *finding;
    LspEncoding encoding;
    json_t *list;
    Arena *arena;
} Offer;

static void offer(const Offer *offer, const char *title, bool preferred, const Edit *edits, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(
            list, json_pack("{s:o, s:s}", "range",
                            lsp_range(&offer->document->lines, edits[i].start, edits[i].end, offer->encoding),
                            "newText", edits[i].text));
    json_t *changes = json_object();
    (void)json_object_set_new(changes, offer->document->uri, list);
    json_t *action = json_pack(
        "{s:s, s:s, s:[o], s:{s:o}}", "title", title, "kind", "quickfix", "diagnostics",
        lsp_diagnostic(offer->document, offer->finding, offer->encoding), "edit", "changes", changes);
    if (preferred)
        (void)json_object_set_new(action, "isPreferred", json_true());
    (void)json_array_append_new(offer->list, action);
}

/* Where a line before the statement is written, and what stands before it there; in the middle of a line:
 * right before it. */
static size_t line_before(const Offer *offer, const char **ret_indent)
{
    const char *text = offer->document->checked;
    size_t at = offer->finding->statement_start, from = at;
    while (from > 0 && (text[from - 1] == ' ' || text[from - 1] == '\t'))
        from--;
    bool first = from == 0 || text[from - 1] == '\n' || text[from - 1] == '\r';
    *ret_indent = first ? arena_dupn(offer->arena, text + from, at - from) : NULL;
    return at;
}

static const char *comment_line(const Offer *offer, const char *indent, const char *words)
{
    return indent == NULL ? arena_printf(offer->arena, "/* %s */ ", words)
                          : arena_printf(offer->arena, "-- %s\n%s", words, indent);
}

static void offer_silence(const Offer *one)
{
    const char *id = one->finding->rule->id, *indent;
    size_t at = line_before(one, &indent);
    const char *words = arena_printf(one->arena, "stoa: ignore %s: say why", id);
    Edit edit = {at, at, comment_line(one, indent, words)};
    offer(one, arena_printf(one->arena, "Silence %s for this statement", id), false, &edit, 1);
}

/* "…" and lines that are comments only are for people to fill in. */
static bool is_whole_sql(const char *safer)
{
    if (strstr(safer, "…") != NULL || strchr(safer, '{') != NULL)
        return false;
    for (const char *at = safer; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (str_starts(at, "--"))
            return false;
    }
    return true;
}

static void offer_safer(const Offer *one)
{
    const Finding *finding = one->finding;
    const char *text = one->document->checked, *indent;
    if (finding->whole && is_whole_sql(finding->safer)) {
        size_t end = finding->statement_end;
        size_t len = strlen(finding->safer);
        bool closed = len > 0 && finding->safer[len - 1] == ';';
        end += closed && text[end] == ';'; /* else its own semicolon stays */
        Edit edit = {finding->statement_start, end, finding->safer};
        offer(one, "Replace the statement by the safer form", false, &edit, 1);
        return;
    }
    size_t at = line_before(one, &indent);
    if (indent == NULL)
        return;
    CLEANUP(str_donep) Str comment = STR_INIT;
    str_add(&comment, "-- safer:\n");
    for (const char *line = finding->safer; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        str_addf(&comment, "%s-- %.*s\n", indent, (int)len, line);
        line += len + (line[len] == '\n');
    }
    str_add(&comment, indent);
    Edit edit = {at, at, comment.buf};
    offer(one, "Write the safer form above, as a comment", false, &edit, 1);
}

/* NULL or empty: all kinds are wanted. */
static bool wants_fixes(const json_t *only)
{
    for (size_t i = 0; i < json_array_size(only); i++) {
        const char *kind = json_string_value(json_array_get(only, i));
        if (str_eq(kind, "quickfix") || str_eq(kind, ""))
            return true;
    }
    return json_array_size(only) == 0;
}

json_t *lsp_actions(const LspDocument *document, const json_t *params, LspEncoding encoding)
{
    json_t *list = json_array();
    const json_t *range = json_object_get(params, "range");
    if (!wants_fixes(json_object_get(json_object_get(params, "context"), "only")) || !json_is_object(range))
        return list;
    size_t start = lsp_offset(&document->lines, json_object_get(range, "start"), encoding);
    size_t end = lsp_offset(&document->lines, json_object_get(range, "end"), encoding);
    Arena *arena = arena_new();
    for (size_t i = 0; i < document->result.findings.len; i++) {
        const Finding *finding = &document->result.findings.items[i];
        if (finding->end < start || finding->start > end || finding->statement_end == 0)
            continue;
        Offer one = {document, finding, encoding, list, arena};
        if (finding->edit_count > 0)
            offer(&one, finding->fixed, true, finding->edits, finding->edit_count);
        else if (finding->safer != NULL)
            offer_safer(&one);
        offer_silence(&one);
    }
    arena_free(arena);
    return list;
}
