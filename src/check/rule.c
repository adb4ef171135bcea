/* The table of rules: found, told, and its texts filled. */
#include "check/rule.h"

#include "base/str.h"
#include "engine/sql.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const RulePage *const pages[] = {
    &rules_column_pg, &rules_table_pg, &rules_constraint_pg, &rules_index_pg, &rules_stream,
    &rules_unknown,   &rules_style,    &rules_column_my,     &rules_table_my, &rules_online};

size_t rule_page_count(void) { return ARRAY_LEN(pages); }
const RulePage *rule_page(size_t index) { return pages[index]; }

size_t rule_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        count += pages[i]->count;
    return count;
}

const Rule *rule_at(size_t index)
{
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (index < pages[i]->count)
            return &pages[i]->rules[index];
        index -= pages[i]->count;
    }
    return NULL;
}

/* One of "tool/name, tool/name": with or without the tool. */
static bool has_alias(const Rule *rule, const char *name)
{
    for (const char *at = rule->aliases; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ",");
        const char *bare = memchr(at, '/', len);
        size_t tool = bare == NULL ? 0 : (size_t)(bare - at) + 1;
        bool whole = strlen(name) == len && strncmp(at, name, len) == 0;
        if (whole || (strlen(name) == len - tool && strncmp(at + tool, name, len - tool) == 0))
            return true;
        at += len + strspn(at + len, ", ");
    }
    return false;
}

const Rule *rule_find(const char *name, size_t *ret_next)
{
    for (size_t i = *ret_next; i < rule_count(); i++) {
        const Rule *rule = rule_at(i);
        if (str_eq(rule->id, name) || has_alias(rule, name)) {
            *ret_next = i + 1;
            return rule;
        }
    }
    *ret_next = rule_count();
    return NULL;
}

const Rule *rule_own(const char *id)
{
    size_t next = 0;
    const Rule *rule = rule_find(id, &next);
    assert(rule != NULL);
    return rule;
}

Severity severity_among(const Severity *severities, const Rule *rule)
{
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (rule >= pages[i]->rules && rule < pages[i]->rules + pages[i]->count)
            return severities[rule - pages[i]->rules];
        severities += pages[i]->count;
    }
    return rule->severity;
}

Err *severities_set(Severity *severities, const char *name, const char *word)
{
    Severity severity = severity_of(word);
    bool all = str_eq(name, "all"), found = all;
    size_t next = 0;
    if (severity == SEVERITY_COUNT)
        return err_hint(err_new(ERR_USAGE, "\"%s\" is no severity", word), "write block, warn, note or off");
    for (size_t i = 0; all && i < rule_count(); i++)
        severities[i] = severity;
    for (const Rule *rule; !all && (rule = rule_find(name, &next)) != NULL; found = true)
        severities[next - 1] = severity;
    return found ? NULL
                 : err_hint(err_new(ERR_USAGE, "\"%s\" is no rule", name),
                            "\"stoa check --list-rules\" lists them");
}

static bool in_versions(RuleVersions versions, int version)
{
    return (versions.since == 0 || version >= versions.since) &&
           (versions.before == 0 || version < versions.before);
}

/* PostgreSQL's ranges are written as majors, or in full where a minor version counts. */
static RuleVersions full(RuleVersions versions)
{
    return (RuleVersions){versions.since < 100 ? versions.since * 10000 : versions.since,
                          versions.before < 100 ? versions.before * 10000 : versions.before};
}

bool rule_applies(const Rule *rule, const CheckTarget *target)
{
    switch (target->engine) {
    case CHECK_POSTGRES:
        return (rule->engines & RULE_PG) != 0 && in_versions(full(rule->pg), target->version);
    case CHECK_MYSQL:
        return (rule->engines & RULE_MYSQL) != 0 && in_versions(rule->mysql, target->version);
    case CHECK_MARIADB:
        return (rule->engines & RULE_MARIADB) != 0 && in_versions(rule->mariadb, target->version);
    }
    return false;
}

/* ---- in words ------------------------------------------------------------------------------- */

static const char *version_word(Arena *arena, int version)
{
    if (version < 100)
        return arena_printf(arena, "%d", version);
    if (version >= 140000 && version < 200000 && version % 10000 < 100 && version / 10000 >= 14 &&
        version / 10000 <= 19)
        return arena_printf(arena, "%d.%d", version / 10000, version % 10000);
    int low = version % 100;
    return low == 0 ? arena_printf(arena, "%d.%d", version / 10000, version / 100 % 100)
                    : arena_printf(arena, "%d.%d.%d", version / 10000, version / 100 % 100, low);
}

static void add_versions(Arena *arena, Str *text, const char *engine, RuleVersions versions)
{
    if (versions.since == 0 && versions.before == 0)
        return;
    str_sep(text, "; ");
    str_add(text, engine);
    if (versions.since != 0)
        str_addf(text, " %s and later", version_word(arena, versions.since));
    if (versions.before != 0)
        str_addf(text, "%s before %s", versions.since != 0 ? "," : "", version_word(arena, versions.before));
}

const char *rule_versions_text(Arena *arena, const Rule *rule)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    add_versions(arena, &text, "PostgreSQL", rule->pg);
    add_versions(arena, &text, "MySQL", rule->mysql);
    add_versions(arena, &text, "MariaDB", rule->mariadb);
    return arena_dup(arena, text.buf);
}

const char *rule_engines_text(const Rule *rule)
{
    static const char *const names[] = {
        "",        "PostgreSQL",          "MySQL",          "PostgreSQL, MySQL",
        "MariaDB", "PostgreSQL, MariaDB", "MySQL, MariaDB", "PostgreSQL, MySQL, MariaDB"};
    return names[rule->engines & RULE_ALL];
}

/* ---- texts filled --------------------------------------------------------------------------- */

typedef struct Filling {
    Arena *arena;
    const Stream *stream;
    const Act *act;
    bool my;
} Filling;

static bool is_plain_my(const char *name)
{
    return name[0] != '\0' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$") == strlen(name);
}

static const char *ident(const Filling *filling, const char *name)
{
    if (name == NULL)
        return "…";
    if (!filling->my)
        return sql_ident(filling->arena, name);
    return is_plain_my(name) ? name : sql_backtick(filling->arena, name);
}

static const char *qualified(const Filling *filling, Name name)
{
    if (name.schema == NULL)
        return ident(filling, name.name);
    return arena_printf(filling->arena, "%s.%s", ident(filling, name.schema), ident(filling, name.name));
}

/* A name that the statement leaves to the server: "orders_amount_check". */
static const char *made_name(const Filling *filling, const char *suffix)
{
    const Act *act = filling->act;
    const char *table = act->table.name == NULL ? "table" : act->table.name, *column = act->name;
    const ActConstraint *spec = act->constraint;
    if (spec != NULL) {
        if (spec->name != NULL)
            return ident(filling, spec->name);
        column = spec->column_count > 0 ? spec->columns[0] : NULL;
    }
    if (column == NULL && act->key_count > 0)
        column = act->keys[0];
    return ident(filling, column == NULL ? arena_printf(filling->arena, "%s_%s", table, suffix)
                                         : arena_printf(filling->arena, "%s_%s_%s", table, column, suffix));
}

/* Bytes of the file on one line. */
static const char *source(const Filling *filling, size_t start, size_t end)
{
    const char *text = filling->stream->text;
    if (text == NULL || end <= start)
        return "…";
    char *res = arena_dupn(filling->arena, text + start, end - start);
    size_t out = 0;
    for (size_t i = 0; res[i] != '\0'; i++) {
        bool space = res[i] == ' ' || (res[i] >= '\t' && res[i] <= '\r');
        if (!space)
            res[out++] = res[i];
        else if (out > 0 && res[out - 1] != ' ')
            res[out++] = ' ';
    }
    while (out > 0 && res[out - 1] == ' ')
        out--;
    res[out] = '\0';
    return res;
}

static const char *columns_text(const Filling *filling)
{
    const Act *act = filling->act;
    const char *const *names = act->constraint != NULL ? act->constraint->columns : act->keys;
    size_t count = act->constraint != NULL ? act->constraint->column_count : act->key_count;
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; i < count; i++) {
        str_sep(&text, ", ");
        str_add(&text, names[i] == NULL ? "(…)" : ident(filling, names[i]));
    }
    return count == 0 && act->name != NULL ? ident(filling, act->name) : arena_dup(filling->arena, text.buf);
}

/* As people write it. */
static const char *type_word(const char *name)
{
    static const char *const words[][2] = {{"int8", "bigint"},
                                           {"int4", "integer"},
                                           {"int2", "smallint"},
                                           {"bpchar", "char"},
                                           {"float8", "double precision"},
                                           {"float4", "real"},
                                           {"bool", "boolean"}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(words[i][0], name))
            return words[i][1];
    return name;
}

static const char *type_text(const Filling *filling)
{
    const ActColumn *column = filling->act->column;
    if (column == NULL || column->type.name == NULL)
        return "…";
    if (column->type.text != NULL)
        return column->type.text;
    const ActType *type = &column->type;
    const char *base = type->schema == NULL || str_eq(type->schema, "pg_catalog")
                           ? type_word(type->name)
                           : qualified(filling, (Name){type->schema, type->name});
    const char *mods =
        type->mod_count == 0 ? ""
        : type->mod_count == 1
            ? arena_printf(filling->arena, "(%lld)", (long long)type->mods[0])
            : arena_printf(filling->arena, "(%lld,%lld)", (long long)type->mods[0], (long long)type->mods[1]);
    return arena_printf(filling->arena, "%s%s%s", base, mods, type->array ? "[]" : "");
}

static const char *definition_text(const Filling *filling)
{
    const ActConstraint *spec = filling->act->constraint;
    return spec != NULL && spec->end > spec->start ? source(filling, spec->start, spec->end)
                                                   : source(filling, filling->act->start, filling->act->end);
}

static const char *value_of(const Filling *filling, const char *word)
{
    const Act *act = filling->act;
    const char *column = act->constraint != NULL && act->constraint->column_count > 0
                             ? act->constraint->columns[0]
                             : act->name;
    static const char *const suffixes[] = {"not_null", "check", "key", "fkey", "idx", "pkey"};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (str_eq(word, suffixes[i]))
            return made_name(filling, suffixes[i]);
    if (str_eq(word, "table"))
        return qualified(filling, act->table);
    if (str_eq(word, "other"))
        return qualified(filling, act->other);
    if (str_eq(word, "column"))
        return ident(filling, column);
    if (str_eq(word, "columns"))
        return columns_text(filling);
    if (str_eq(word, "name"))
        return act->name == NULL ? "…" : ident(filling, act->name);
    if (str_eq(word, "new"))
        return ident(filling, act->new_name);
    if (str_eq(word, "bare"))
        return ident(filling, act->table.name);
    if (str_eq(word, "copy"))
        return qualified(filling,
                         (Name){act->table.schema, arena_printf(filling->arena, "%s_new", act->table.name)});
    if (str_eq(word, "type"))
        return type_text(filling);
    if (str_eq(word, "value"))
        return act->value == NULL ? "…" : act->value;
    if (str_eq(word, "words"))
        return act->words == NULL ? "statement" : act->words;
    if (str_eq(word, "reason"))
        return act->reason == NULL ? "" : act->reason;
    if (str_eq(word, "function"))
        return act->function == NULL ? "" : act->function;
    if (str_eq(word, "action"))
        return source(filling, act->start, act->end);
    if (str_eq(word, "definition"))
        return definition_text(filling);
    if (str_eq(word, "index"))
        return act->constraint != NULL && act->constraint->index_name != NULL
                   ? ident(filling, act->constraint->index_name)
                   : made_name(filling, "key");
    return NULL;
}

const char *rule_fill(Arena *arena, const Stream *stream, const Act *act, const char *template_text)
{
    Filling filling = {
        .arena = arena, .stream = stream, .act = act, .my = stream->target->engine != CHECK_POSTGRES};
    CLEANUP(str_donep) Str text = STR_INIT;
    char word[32];
    for (const char *at = template_text; *at != '\0';) {
        size_t plain = strcspn(at, "{");
        str_addn(&text, at, plain);
        at += plain;
        size_t len = *at == '{' ? strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_") : 0;
        if (*at == '{' && len > 0 && len < sizeof word && at[len + 1] == '}') {
            memcpy(word, at + 1, len);
            word[len] = '\0';
            const char *value = value_of(&filling, word);
            str_add(&text, value == NULL ? "…" : value);
            at += len + 2;
        } else if (*at == '{') {
            str_addn(&text, at++, 1);
        }
    }
    return arena_dup(arena, text.buf);
}
