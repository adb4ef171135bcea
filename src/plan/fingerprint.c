/* Two fingerprints compared, and a real difference against the planned one. */
#include "plan/fingerprint.h"

#include "base/str.h"

#include <string.h>

typedef VEC(const char *) Texts;

/* "kind object: attribute = value" taken apart; quoted names may hold anything. */
typedef struct Line {
    const char *text;
    size_t object_len;    /* of "kind object" */
    size_t attribute_len; /* of "kind object: attribute" */
} Line;

static size_t find_outside_quotes(const char *text, size_t from, const char *what)
{
    size_t at = from;
    for (bool quoted = false; text[at] != '\0'; at++) {
        if (text[at] == '"')
            quoted = !quoted;
        else if (!quoted && strncmp(text + at, what, strlen(what)) == 0)
            return at;
    }
    return at;
}

static Line line_of(const char *text)
{
    Line line = {.text = text, .object_len = find_outside_quotes(text, 0, ": ")};
    line.attribute_len = find_outside_quotes(text, line.object_len, " = ");
    return line;
}

static bool same_object(const Line *a, const Line *b)
{
    return a->object_len == b->object_len && strncmp(a->text, b->text, a->object_len) == 0;
}

static bool same_attribute(const Line *a, const Line *b)
{
    return same_object(a, b) && a->attribute_len == b->attribute_len &&
           strncmp(a->text, b->text, a->attribute_len) == 0;
}

/* The attribute's name alone, or its beginning. */
static bool attribute_starts(const Line *line, const char *name)
{
    return line->attribute_len > line->object_len + 2 && str_starts(line->text + line->object_len + 2, name);
}

static bool has(Lines lines, const char *text) { return str_in_sorted(lines.items, lines.count, text); }

/* The attribute that every object of its kind has. */
static bool is_primary(const Line *line)
{
    static const char *const names[] = {"kind =", "type =", "definition =", "labels =", "domain over ="};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (attribute_starts(line, names[i]) && !str_starts(line->text, "view ") &&
            !str_starts(line->text, "materialized view "))
            return true;
    return attribute_starts(line, "kind =");
}

static bool has_primary(Lines lines, const Line *line)
{
    for (size_t i = 0; i < lines.count; i++) {
        Line other = line_of(lines.items[i]);
        if (same_object(&other, line) && is_primary(&other))
            return true;
    }
    return false;
}

static bool is_gone(const Difference *difference, const Line *line)
{
    return has_primary(difference->removed, line) && !has_primary(difference->added, line);
}

static bool is_new(const Difference *difference, const Line *line)
{
    return has_primary(difference->added, line) && !has_primary(difference->removed, line);
}

static bool has_attribute(Lines lines, const Line *line)
{
    for (size_t i = 0; i < lines.count; i++) {
        Line other = line_of(lines.items[i]);
        if (same_attribute(&other, line))
            return true;
    }
    return false;
}

/* Rights and memberships, which a clone does not have. */
static bool is_of_the_place(const Line *line)
{
    return attribute_starts(line, "owner =") || attribute_starts(line, "owner keeps =") ||
           attribute_starts(line, "grant to ") || attribute_starts(line, "publication ") ||
           attribute_starts(line, "security label ") || attribute_starts(line, "tablespace =");
}

static bool same_kind(const Line *a, const Line *b)
{
    size_t length = strcspn(a->text, " ");
    return strncmp(a->text, b->text, length + 1) == 0;
}

/* The same was said of an object of its kind that went: a rename. */
static bool has_moved(const Difference *planned, const Difference *real, const Line *line)
{
    for (size_t i = 0; i < real->removed.count; i++) {
        Line other = line_of(real->removed.items[i]);
        if (same_kind(&other, line) && is_gone(planned, &other) &&
            str_eq(other.text + other.object_len, line->text + line->object_len))
            return true;
    }
    return false;
}

static bool was_invalid(const Difference *real, const Line *line)
{
    for (size_t i = 0; i < real->removed.count; i++) {
        Line other = line_of(real->removed.items[i]);
        if (same_object(&other, line) && attribute_starts(&other, "valid ="))
            return true;
    }
    return false;
}

static bool is_spared(Spared spared, const Line *line)
{
    if ((spared & SPARE_COMMENTS) != 0 && attribute_starts(line, "comment ="))
        return true;
    return (spared & SPARE_RIGHTS) != 0 &&
           (attribute_starts(line, "grant to ") || attribute_starts(line, "owner keeps ="));
}

/* The object is the relation `name`, or one of its parts: "table n", "column n.c". */
static bool is_about(const Line *line, const char *name, size_t length)
{
    const char *object = line->text, *end = line->text + line->object_len;
    for (const char *at = object; at + length <= end; at++)
        if (at > object && at[-1] == ' ' && strncmp(at, name, length) == 0)
            return at + length == end || at[length] == '.';
    return false;
}

static bool is_index_on(Lines lines, const Line *line, const char *name, size_t length)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *on = arena_printf(arena, " ON %.*s ", (int)length, name);
    const char *on_only = arena_printf(arena, " ON ONLY %.*s ", (int)length, name);
    for (size_t i = 0; i < lines.count && str_starts(line->text, "index "); i++) {
        Line other = line_of(lines.items[i]);
        if (same_object(&other, line) && attribute_starts(&other, "definition =") &&
            (strstr(other.text, on) != NULL || strstr(other.text, on_only) != NULL))
            return true;
    }
    return false;
}

/* About a partition that came (or, with the lists exchanged, went) as a whole meanwhile: jobs that make next
 * month's and drop last year's do not rest. What is said of it otherwise is looked at by the steps. */
static bool is_of_passing(Lines planned, Lines here, Lines there, const Line *line)
{
    static const char head[] = "table ";
    for (size_t i = 0; i < here.count; i++) {
        Line table = line_of(here.items[i]);
        if (!str_starts(table.text, head) || !attribute_starts(&table, "partition of ") ||
            !has_primary(here, &table) || has_primary(there, &table) || has_primary(planned, &table))
            continue;
        const char *name = table.text + strlen(head);
        size_t length = table.object_len - strlen(head);
        if (is_about(line, name, length) || is_index_on(here, line, name, length))
            return true;
    }
    return false;
}

static bool removal_planned(const Difference *planned, const Difference *real, const Line *line)
{
    return has(planned->removed, line->text) || has_attribute(planned->added, line) ||
           has_attribute(planned->removed, line) || is_gone(planned, line) || was_invalid(real, line);
}

static bool addition_planned(const Difference *planned, const Difference *real, const Line *line)
{
    bool other_value = is_of_the_place(line) && has_attribute(planned->added, line);
    if (has(planned->added, line->text) || other_value)
        return true;
    return is_new(planned, line) && (is_of_the_place(line) || has_moved(planned, real, line));
}

void fingerprint_compare(Arena *arena, Lines before, Lines after, Difference *ret_difference)
{
    Texts removed = {0}, added = {0};
    size_t i = 0, j = 0;
    while (i < before.count || j < after.count) {
        int order = i == before.count ? 1 : j == after.count ? -1 : strcmp(before.items[i], after.items[j]);
        if (order < 0)
            *vec_push(arena, &removed) = before.items[i];
        else if (order > 0)
            *vec_push(arena, &added) = after.items[j];
        i += order <= 0 ? 1 : 0;
        j += order >= 0 ? 1 : 0;
    }
    *ret_difference =
        (Difference){.removed = {removed.items, removed.len}, .added = {added.items, added.len}};
}

Lines fingerprint_unplanned(Arena *arena, const Difference *planned, const Difference *real, Lines after,
                            Spared spared)
{
    Texts out = {0};
    for (size_t i = 0; i < real->removed.count; i++) {
        Line line = line_of(real->removed.items[i]);
        if (!removal_planned(planned, real, &line) && !is_spared(spared, &line) &&
            !is_of_passing(planned->removed, real->removed, real->added, &line))
            *vec_push(arena, &out) = arena_printf(arena, "- %s", line.text);
    }
    for (size_t i = 0; i < real->added.count; i++) {
        Line line = line_of(real->added.items[i]);
        if (!addition_planned(planned, real, &line) && !is_spared(spared, &line) &&
            !is_of_passing(planned->added, real->added, real->removed, &line))
            *vec_push(arena, &out) = arena_printf(arena, "+ %s", line.text);
    }
    for (size_t i = 0; i < planned->added.count; i++) {
        Line line = line_of(planned->added.items[i]);
        if (!has(after, line.text) && !is_of_the_place(&line) &&
            !is_of_passing(planned->removed, real->removed, real->added, &line))
            *vec_push(arena, &out) = arena_printf(arena, "missing: + %s", line.text);
    }
    for (size_t i = 0; i < planned->removed.count; i++) {
        Line line = line_of(planned->removed.items[i]);
        /* the table that takes the name of a view has comments and rights of its own */
        bool beside = is_of_the_place(&line) || attribute_starts(&line, "comment =");
        if (!beside && has(after, line.text))
            *vec_push(arena, &out) = arena_printf(arena, "missing: - %s", line.text);
    }
    return (Lines){out.items, out.len};
}
