/* Findings as JSON: our own, SARIF 2.1.0, and the code quality report of GitLab. */
#include "base/str.h"
#include "cli/findings.h"

#include <string.h>

/* What the object's table is like, and what the statement would cost it. */
static void add_facts(json_t *object, const Finding *finding)
{
    const TableFacts *table = finding->facts;
    if (table == NULL)
        return;
    json_t *views = json_array();
    for (size_t i = 0; i < table->view_count; i++)
        (void)json_array_append_new(views, json_string(table->views[i]));
    json_t *facts =
        json_pack("{s:s?, s:s, s:I, s:I, s:b, s:I, s:o}", "schema", table->schema, "name", table->name,
                  "rows", (json_int_t)table->rows, "bytes", (json_int_t)table->bytes, "empty",
                  (int)table->empty, "oldest_transaction_ms", (json_int_t)table->oldest_ms, "views", views);
    if (table->writes >= 0)
        (void)json_object_set_new(facts, "writes", json_integer(table->writes));
    if (table->row_versions_most > 0 && table->row_versions >= 0)
        (void)json_object_set_new(facts, "row_versions_left",
                                  json_integer(table->row_versions_most - table->row_versions));
    (void)json_object_set_new(object, "table", facts);
    if (finding->cost == COST_NONE || table->view)
        return;
    (void)json_object_set_new(object, "cost", json_string(cost_name(finding->cost)));
    (void)json_object_set_new(object, "estimate_ms", json_integer(finding->estimate_ms));
    (void)json_object_set_new(object, "estimate_rows", json_integer(table->empty ? 0 : table->rows));
}

json_t *findings_server_json(const CheckResult *result, const ServerFacts *facts, const Online *online)
{
    return json_pack("{s:s?, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?}", "version", facts->version_text,
                     "snapshot", facts->taken, "tables", (json_int_t)facts->table_count, "replicas",
                     (json_int_t)facts->replicas, "longest_transaction_ms", (json_int_t)facts->longest_ms,
                     "measured", (json_int_t)result->measured, "contradicted",
                     (json_int_t)result->contradicted, "copy_ms", (json_int_t)online->clone_ms, "measure_ms",
                     (json_int_t)online->measure_ms, "not_measured", online->unmeasured);
}

static json_t *finding_json(const Finding *finding)
{
    json_t *object =
        json_pack("{s:s, s:i, s:i, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:s?, s:s}", "file", finding->file,
                  "line", finding->line, "column", finding->column, "end_line", finding->end_line,
                  "end_column", finding->end_column, "severity", severity_name(finding->severity), "rule",
                  finding->rule->id, "object", finding->object, "message", finding->message, "evidence",
                  evidence_name(finding->evidence), "safer", finding->safer, "print", finding->print);
    add_facts(object, finding);
    return object;
}

json_t *findings_json(const CheckResult *result)
{
    Arena *arena = arena_new();
    json_t *object = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b, s:s?}", "statements", (json_int_t)result->statements,
        "unknown", (json_int_t)result->unknown, "files", (json_int_t)result->files, "silenced",
        (json_int_t)result->silenced, "in_baseline", (json_int_t)result->known, "on_new",
        (json_int_t)result->on_new, "server", check_target_text(arena, &result->target), "server_given",
        result->target.given, "tool", result->tool == TOOL_NONE ? NULL : tool_name(result->tool));
    arena_free(arena);
    return object;
}

static int add_bytes(const char *bytes, size_t len, void *context)
{
    str_addn(context, bytes, len);
    return 0;
}

void findings_json_text(Str *text, const CheckResult *result, json_t *rest, bool pretty)
{
    size_t flags = pretty ? JSON_INDENT(2) : JSON_COMPACT;
    str_add(text, "{\"v\":1,\"findings\":[");
    for (size_t i = 0; i < result->findings.len; i++) {
        json_t *finding = finding_json(&result->findings.items[i]);
        str_add(text, i == 0 ? "" : ",");
        str_add(text, pretty ? "\n" : "");
        (void)json_dump_callback(finding, add_bytes, text, flags);
        json_decref(finding);
    }
    str_add(text, "],");
    size_t at = text->len;
    (void)json_dump_callback(rest, add_bytes, text, flags);
    text->buf[at] = ' '; /* its brace stands at the beginning */
    str_add(text, "\n");
    json_decref(rest);
}

/* ---- SARIF ---------------------------------------------------------------------------------- */

static const char *level_of(Severity severity)
{
    return severity == SEVERITY_BLOCK  ? "error"
           : severity == SEVERITY_WARN ? "warning"
           : severity == SEVERITY_NOTE ? "note"
                                       : "none";
}

static json_t *rule_sarif(const Rule *rule)
{
    CLEANUP(str_donep) Str help = STR_INIT;
    str_add(&help, rule->why);
    if (rule->safer != NULL)
        str_addf(&help, "\n\n%s", rule->safer);
    return json_pack("{s:s, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}", "id", rule->id, "shortDescription", "text",
                     rule->message, "fullDescription", "text", rule->why, "help", "text", help.buf,
                     "defaultConfiguration", "level", level_of(rule->severity));
}

/* A path as a URI reference. */
static const char *uri_of(Arena *arena, const char *path)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    for (const char *at = path; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~/", c) != NULL;
        if (plain)
            str_addn(&text, at, 1);
        else
            str_addf(&text, "%%%02X", c);
    }
    return arena_dup(arena, text.buf);
}

static size_t rule_index(const Rule *rule)
{
    size_t at = 0;
    while (rule_at(at) != rule)
        at++;
    return at;
}

static json_t *finding_sarif(Arena *arena, const Finding *finding)
{
    json_t *region =
        json_pack("{s:i, s:i, s:i, s:i}", "startLine", finding->line, "startColumn", finding->column,
                  "endLine", finding->end_line, "endColumn", finding->end_column);
    json_t *location = json_pack("{s:{s:{s:s}, s:o}}", "physicalLocation", "artifactLocation", "uri",
                                 uri_of(arena, finding->file), "region", region);
    return json_pack("{s:s, s:I, s:s, s:{s:s}, s:[o], s:{s:s}, s:{s:s, s:s?}}", "ruleId", finding->rule->id,
                     "ruleIndex", (json_int_t)rule_index(finding->rule), "level", level_of(finding->severity),
                     "message", "text", finding->message, "locations", location, "partialFingerprints",
                     "statement/v1", finding->print, "properties", "evidence",
                     evidence_name(finding->evidence), "safer", finding->safer);
}

json_t *findings_sarif(const CheckResult *result)
{
    Arena *arena = arena_new();
    json_t *rules = json_array(), *results = json_array();
    for (size_t i = 0; i < rule_count(); i++)
        (void)json_array_append_new(rules, rule_sarif(rule_at(i)));
    for (size_t i = 0; i < result->findings.len; i++)
        (void)json_array_append_new(results, finding_sarif(arena, &result->findings.items[i]));
    json_t *driver = json_pack("{s:s, s:s, s:s, s:o}", "name", "stoa", "version", STOA_VERSION,
                               "semanticVersion", STOA_VERSION, "rules", rules);
    arena_free(arena);
    return json_pack("{s:s, s:s, s:[{s:{s:o}, s:s, s:o}]}", "$schema",
                     "https://json.schemastore.org/sarif-2.1.0.json", "version", "2.1.0", "runs", "tool",
                     "driver", driver, "columnKind", "unicodeCodePoints", "results", results);
}

/* ---- GitLab --------------------------------------------------------------------------------- */

/* Each fingerprint may stand there once. */
static json_t *finding_gitlab(const CheckResult *result, size_t index, size_t twin)
{
    const Finding *finding = &result->findings.items[index];
    static const char *const severities[] = {"info", "minor", "major", "blocker"};
    Arena *arena = arena_new();
    const char *print = finding->print + strcspn(finding->print, ":");
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:{s:i, s:i}}}", "description", finding->message,
                               "check_name", finding->rule->id, "fingerprint",
                               arena_printf(arena, "%s%zu", print + (*print == ':'), twin), "severity",
                               severities[finding->severity], "location", "path", finding->file, "lines",
                               "begin", finding->line, "end", finding->end_line);
    arena_free(arena);
    return object;
}

json_t *findings_gitlab(const CheckResult *result)
{
    json_t *list = json_array(), *seen = json_object();
    for (size_t i = 0; i < result->findings.len; i++) {
        const char *print = result->findings.items[i].print;
        json_int_t twin = json_integer_value(json_object_get(seen, print));
        (void)json_object_set_new(seen, print, json_integer(twin + 1));
        (void)json_array_append_new(list, finding_gitlab(result, i, (size_t)twin));
    }
    json_decref(seen);
    return list;
}
