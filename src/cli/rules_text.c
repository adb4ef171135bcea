/* The table of rules for people and programs, and as docs/rules.md. */
#include "base/str.h"
#include "cli/findings.h"

#include <stdlib.h>
#include <string.h>

enum { ID_COLUMN = 8, TEXT_COLUMN = 42 };

static Style style_of(Severity severity)
{
    return severity == SEVERITY_BLOCK ? STYLE_RED : severity == SEVERITY_WARN ? STYLE_YELLOW : STYLE_PLAIN;
}

void rules_list(Page *page)
{
    for (size_t i = 0; i < rule_page_count(); i++) {
        const RulePage *rules = rule_page(i);
        page_put(page, STYLE_CYAN, rules->title);
        page_newline(page);
        for (size_t j = 0; j < rules->count; j++) {
            const Rule *rule = &rules->rules[j];
            page_to(page, 2);
            page_put(page, style_of(rule->severity), severity_name(rule->severity));
            page_to(page, ID_COLUMN);
            page_put(page, STYLE_BOLD, rule->id);
            page_to(page, TEXT_COLUMN);
            page_wrap(page, STYLE_PLAIN, TEXT_COLUMN, rule->message);
            page_newline(page);
        }
        page_newline(page);
    }
}

static json_t *aliases_json(const Rule *rule)
{
    json_t *list = json_array();
    for (const char *at = rule->aliases; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ",");
        (void)json_array_append_new(list, json_stringn(at, len));
        at += len + strspn(at + len, ", ");
    }
    return list;
}

static json_t *engines_json(const Rule *rule)
{
    json_t *list = json_array();
    static const char *const names[] = {"postgres", "mysql", "mariadb"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if ((rule->engines >> i & 1U) != 0)
            (void)json_array_append_new(list, json_string(names[i]));
    return list;
}

json_t *rules_json(void)
{
    Arena *arena = arena_new();
    json_t *list = json_array();
    for (size_t i = 0; i < rule_count(); i++) {
        const Rule *rule = rule_at(i);
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s?, s:o}", "id", rule->id, "severity",
                            severity_name(rule->severity), "engines", engines_json(rule), "versions",
                            rule_versions_text(arena, rule), "message", rule->message, "why", rule->why,
                            "safer", rule->safer, "aliases", aliases_json(rule)));
    }
    arena_free(arena);
    return json_pack("{s:i, s:o}", "v", 1, "rules", list);
}

/* ---- one rule ------------------------------------------------------------------------------- */

static const char *nearest(const char *name)
{
    const char *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < rule_count(); i++) {
        const char *id = rule_at(i)->id;
        size_t common = 0;
        for (const char *word = id; *word != '\0'; word += strcspn(word, "-"), word += *word == '-') {
            char part[48] = {0};
            size_t len = strcspn(word, "-");
            memcpy(part, word, len < sizeof part ? len : sizeof part - 1);
            common += strstr(name, part) != NULL ? len : 0;
        }
        if (common > most) {
            most = common;
            best = id;
        }
    }
    return best;
}

static void add_field(Page *page, const char *label, const char *text)
{
    if (text[0] == '\0')
        return;
    page_put(page, STYLE_CYAN, label);
    page_to(page, 12);
    page_wrap(page, STYLE_PLAIN, 12, text);
    page_newline(page);
}

static void explain(Page *page, const Rule *rule)
{
    Arena *arena = arena_new();
    page_put(page, STYLE_BOLD, rule->id);
    page_newline(page);
    page_newline(page);
    page_wrap(page, STYLE_PLAIN, 0, rule->message);
    page_newline(page);
    page_newline(page);
    page_wrap(page, STYLE_PLAIN, 0, rule->why);
    page_newline(page);
    page_newline(page);
    add_field(page, "severity", severity_name(rule->severity));
    add_field(page, "servers", rule_engines_text(rule));
    add_field(page, "versions", rule_versions_text(arena, rule));
    add_field(page, "elsewhere", rule->aliases == NULL ? "" : rule->aliases);
    if (rule->safer != NULL) {
        page_newline(page);
        page_put(page, STYLE_GREEN, "instead");
        page_newline(page);
        page_to(page, 2);
        page_sql(page, 2, rule->safer);
        page_newline(page);
    }
    arena_free(arena);
}

Err *rules_explain(Page *page, const char *name)
{
    size_t next = 0;
    const Rule *rule = rule_find(name, &next);
    if (rule == NULL) {
        Err *err = err_new(ERR_USAGE, "\"%s\" is no rule", name);
        const char *near = nearest(name);
        return near != NULL ? err_hint(err, "did you mean %s?", near)
                            : err_hint(err, "\"stoa check --list-rules\" lists them");
    }
    for (bool first = true; rule != NULL; rule = rule_find(name, &next), first = false) {
        if (!first)
            page_newline(page);
        explain(page, rule);
    }
    return NULL;
}

/* ---- docs/rules.md -------------------------------------------------------------------------- */

/* Statements whose locks are shown; all of them were looked at on PostgreSQL 15. */
static const struct {
    const char *words;
    Act act;
} shown[] = {
    {"`ALTER TABLE … ADD COLUMN`, `DROP COLUMN`, `ALTER COLUMN …`", {.kind = ACT_SET_NOT_NULL}},
    {"`ALTER TABLE … ALTER COLUMN … SET STATISTICS`", {.kind = ACT_SET_STATISTICS}},
    {"`ALTER TABLE … SET (fillfactor …)`", {.kind = ACT_SET_OPTIONS}},
    {"`ALTER TABLE … ADD CONSTRAINT … CHECK`, `UNIQUE`, `PRIMARY KEY`, `EXCLUDE`",
     {.kind = ACT_ADD_IDENTITY}},
    {"`ALTER TABLE … VALIDATE CONSTRAINT`", {.kind = ACT_VALIDATE}},
    {"`ALTER TABLE … DISABLE TRIGGER`", {.kind = ACT_TRIGGER_STATE}},
    {"`ALTER TABLE … ATTACH PARTITION`", {.kind = ACT_ATTACH}},
    {"`ALTER TABLE … DETACH PARTITION`", {.kind = ACT_DETACH}},
    {"`ALTER TABLE … DETACH PARTITION … CONCURRENTLY`", {.kind = ACT_DETACH, .flags = ACT_CONCURRENTLY}},
    {"`CREATE TABLE … PARTITION OF`", {.kind = ACT_CREATE_TABLE, .flags = ACT_PARTITION_OF}},
    {"`CREATE INDEX`", {.kind = ACT_CREATE_INDEX}},
    {"`CREATE INDEX CONCURRENTLY`", {.kind = ACT_CREATE_INDEX, .flags = ACT_CONCURRENTLY}},
    {"`DROP INDEX`", {.kind = ACT_DROP_INDEX}},
    {"`REINDEX` (other: the index)", {.kind = ACT_REINDEX}},
    {"`CREATE TRIGGER`", {.kind = ACT_CREATE_TRIGGER}},
    {"`DROP TRIGGER`", {.kind = ACT_DROP_TRIGGER}},
    {"`CREATE POLICY`, `DROP POLICY`", {.kind = ACT_CREATE_POLICY}},
    {"`COMMENT ON`", {.kind = ACT_COMMENT}},
    {"`DROP TABLE` (other: every table that its foreign keys name)", {.kind = ACT_DROP_TABLE}},
    {"`TRUNCATE`", {.kind = ACT_TRUNCATE}},
    {"`CREATE OR REPLACE VIEW`", {.kind = ACT_CREATE_VIEW, .flags = ACT_REPLACES}},
    {"`REFRESH MATERIALIZED VIEW`", {.kind = ACT_REFRESH}},
    {"`REFRESH MATERIALIZED VIEW CONCURRENTLY`", {.kind = ACT_REFRESH, .flags = ACT_CONCURRENTLY}},
    {"`VACUUM FULL`", {.kind = ACT_VACUUM, .flags = ACT_FULL}},
    {"`INSERT`, `UPDATE`, `DELETE`", {.kind = ACT_UPDATE}},
};

static void add_locks(Str *text)
{
    str_add(text, "\n## Locks of PostgreSQL\n\n"
                  "By the table that check goes by; the modes were read from `pg_locks` on PostgreSQL 15.\n\n"
                  "| statement | its table | another one |\n| --- | --- | --- |\n");
    static const ActConstraint key = {.kind = CONSTRAINT_FOREIGN_KEY};
    Act foreign = {.kind = ACT_ADD_CONSTRAINT, .constraint = &key};
    for (size_t i = 0; i <= ARRAY_LEN(shown); i++) {
        bool last = i == ARRAY_LEN(shown);
        const Act *act = last ? &foreign : &shown[i].act;
        LockMode other, mode = act_lock(act, 180000, &other);
        str_addf(text, "| %s | %s | %s |\n", last ? "`ALTER TABLE … ADD FOREIGN KEY`" : shown[i].words,
                 mode == LOCK_NONE ? "–" : lock_mode_name(mode),
                 other == LOCK_NONE ? "–" : lock_mode_name(other));
    }
}

/* "{table}" reads better as *table*. */
static void add_text(Str *text, const char *value)
{
    for (; *value != '\0'; value++)
        if (*value == '{' || *value == '}')
            str_add(text, "*");
        else
            str_addn(text, value, 1);
}

static void add_rule(Str *text, const Rule *rule)
{
    Arena *arena = arena_new();
    const char *versions = rule_versions_text(arena, rule);
    str_addf(text, "\n### %s\n\n**%s** · %s\n\n", rule->id, severity_name(rule->severity),
             versions[0] == '\0' ? rule_engines_text(rule) : versions);
    add_text(text, rule->message);
    str_add(text, ".\n\n");
    add_text(text, rule->why);
    str_add(text, "\n");
    if (rule->safer != NULL)
        str_addf(text, "\n```sql\n%s\n```\n", rule->safer);
    if (rule->fix != NULL)
        str_add(text, "\n`stoa check --fix` writes it, where that is a rewrite of text.\n");
    if (rule->aliases != NULL)
        str_addf(text, "\nElsewhere: %s.\n", rule->aliases);
    arena_free(arena);
}

void rules_markdown(Str *text)
{
    str_add(
        text,
        "# Rules\n\n"
        "What `stoa check` reports. This page is made by `stoa help --rules-page` from the table of rules "
        "in src/check.\n\n"
        "**block**: it stops or breaks the application, or loses rows. **warn**: it may. **note**: worth "
        "knowing. **off**: only where `--rule NAME=SEVERITY` turns it on. In SQL, braces stand for names "
        "of the statement. A comment silences a rule for the next statement, `-- stoa: ignore RULE until "
        "2027-01-01: REASON`, or for the file, `-- stoa: ignore-file RULE: REASON`. Names of other linters' "
        "rules are understood in comments, `--rule` and `--explain`.\n");
    for (size_t i = 0; i < rule_page_count(); i++) {
        const RulePage *page = rule_page(i);
        str_addf(text, "\n## %s\n", page->title);
        for (size_t j = 0; j < page->count; j++)
            add_rule(text, &page->rules[j]);
    }
    add_locks(text);
}
