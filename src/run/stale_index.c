/* Indexes: not used, covered by another one, not valid; and constraints that do not hold for all rows. */
#include "run/stale.h"

#include "base/str.h"

#include <string.h>

enum {
    READ_WHOLE_BYTES =
        512 * 1024, /* a smaller table is read whole whatever indexes it has: they tell nothing */
    WIDE = 2,       /* times as large: then the narrow index may be worth its place */
};

/* The indexes of one table. */
typedef struct Shelf {
    Stale *stale;
    const json_t *rows;
    size_t from, to;
} Shelf;

static const char *object_of(const Stale *stale, const json_t *index)
{
    const char *schema = stale_text(index, "schema"), *name = stale_text(index, "name");
    return stale->dialect == DIALECT_MYSQL
               ? arena_printf(stale->arena, "%s.%s.%s", schema, stale_text(index, "table"), name)
               : arena_printf(stale->arena, "%s.%s", schema, name);
}

static const char *drop_sql(const Stale *stale, const json_t *index)
{
    Arena *arena = stale->arena;
    const char *schema = stale_text(index, "schema"), *name = stale_text(index, "name");
    if (stale->dialect == DIALECT_MYSQL)
        return arena_printf(arena, "ALTER TABLE %s DROP INDEX %s",
                            stale->quote(arena, schema, stale_text(index, "table")),
                            stale->quote(arena, NULL, name));
    return arena_printf(arena, "DROP INDEX %s", stale->quote(arena, schema, name));
}

static const char *columns_of(const Stale *stale, const json_t *index)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    size_t i = 0;
    const json_t *column = NULL;
    json_array_foreach(json_object_get(index, "columns"), i, column)
    {
        str_sep(&text, ", ");
        str_add(&text, json_string_value(column) == NULL ? "(expression)" : json_string_value(column));
    }
    return arena_printf(stale->arena, "(%s)", text.buf);
}

/* ---- one covers the other ------------------------------------------------------------------- */

static size_t size_of(const json_t *index, const char *member)
{
    return json_array_size(json_object_get(index, member));
}

/* The first keys of `wide` are those of `narrow`. */
static bool has_prefix(const json_t *narrow, const json_t *wide)
{
    const json_t *some = json_object_get(narrow, "keys"), *all = json_object_get(wide, "keys");
    if (json_array_size(some) == 0 || json_array_size(some) > json_array_size(all))
        return false;
    for (size_t i = 0; i < json_array_size(some); i++)
        if (!json_equal(json_array_get(some, i), json_array_get(all, i)))
            return false;
    return true;
}

static bool has_text(const json_t *list, const char *text, bool first_word)
{
    size_t i = 0;
    const json_t *each = NULL;
    json_array_foreach(list, i, each)
    {
        const char *other = json_string_value(each);
        size_t len = first_word ? strcspn(other, " ") : strlen(other);
        if (strlen(text) == len && strncmp(text, other, len) == 0)
            return true;
    }
    return false;
}

/* What `narrow` carries along beside its keys stands in `wide` too. */
static bool carries(const json_t *narrow, const json_t *wide)
{
    size_t i = 0;
    const json_t *each = NULL;
    json_array_foreach(json_object_get(narrow, "includes"), i, each)
    {
        const char *text = json_string_value(each);
        if (!has_text(json_object_get(wide, "includes"), text, false) &&
            !has_text(json_object_get(wide, "keys"), text, true))
            return false;
    }
    return true;
}

static bool same_text(const json_t *a, const json_t *b, const char *member)
{
    return str_eq(stale_text(a, member), stale_text(b, member));
}

/* Something but reads relies on it. */
static bool is_bound(const json_t *index)
{
    return stale_flag(index, "primary") || stale_flag(index, "held") || stale_flag(index, "replica_identity");
}

static bool has_same_keys(const json_t *a, const json_t *b)
{
    return size_of(a, "keys") == size_of(b, "keys") && has_prefix(a, b);
}

/* Every read, and every rule, that `index` serves `other` serves as well. `later`: of two that are alike the
 * later one goes. */
static bool is_covered(const json_t *index, const json_t *other, bool later)
{
    bool unique = stale_flag(index, "unique");
    if (is_bound(index) || stale_flag(index, "part") || !stale_flag(other, "valid"))
        return false;
    if (!same_text(index, other, "method") || !same_text(index, other, "predicate") ||
        !carries(index, other) || stale_flag(index, "whole") != stale_flag(other, "whole"))
        return false;
    if (has_same_keys(index, other) && same_text(index, other, "exprs")) {
        bool strict = !stale_has(other, "immediate") || stale_flag(other, "immediate");
        if (unique && (!stale_flag(other, "unique") || !strict ||
                       stale_flag(index, "nulls_alike") != stale_flag(other, "nulls_alike")))
            return false;
        bool alike = !is_bound(other) && unique == stale_flag(other, "unique") && carries(other, index);
        return alike ? later : true;
    }
    bool ordered = strcasecmp(stale_text(index, "method"), "btree") == 0;
    return ordered && !unique && stale_text(index, "exprs") == NULL && has_prefix(index, other);
}

/* One that covers it, of those that stay if there is one; NULL. */
static const json_t *cover_of(const Shelf *shelf, size_t at, bool staying)
{
    const json_t *index = json_array_get(shelf->rows, at);
    for (size_t i = shelf->from; i < shelf->to; i++) {
        const json_t *other = json_array_get(shelf->rows, i);
        if (i == at || !is_covered(index, other, at > i))
            continue;
        if (!staying || cover_of(shelf, i, false) == NULL)
            return other;
    }
    return NULL;
}

static void add_covered(Stale *stale, const json_t *index, const json_t *other)
{
    Arena *arena = stale->arena;
    bool same = has_same_keys(index, other) && size_of(index, "includes") == size_of(other, "includes");
    int64_t bytes = stale_int(index, "bytes"), wide = stale_int(other, "bytes");
    bool wider = bytes > 0 && wide > bytes * WIDE;
    const char *scans = !stale_has(index, "scans")
                            ? ""
                            : arena_printf(arena, "; %s scans of its own, which that one would take over",
                                           stale_count(arena, stale_int(index, "scans")));
    const char *larger =
        wider ? arena_printf(arena, "; that one is %lld times as large", (long long)(wide / bytes)) : "";
    const char *evidence =
        arena_printf(arena, "%s %s on %s: %s %s %s%s%s%s", columns_of(stale, index), same ? "is" : "leads",
                     stale_text(index, "table"), same ? "the same as" : "the columns of",
                     stale_text(other, "name"), columns_of(stale, other),
                     stale_flag(other, "primary")  ? ", the primary key"
                     : stale_flag(other, "unique") ? ", which is unique"
                                                   : "",
                     scans, larger);
    stale_add(stale, &(StaleFinding){.kind = same ? "duplicate-index" : "redundant-index",
                                     .object = object_of(stale, index),
                                     .schema = stale_text(index, "schema"),
                                     .table = stale_text(index, "table"),
                                     .name = stale_text(index, "name"),
                                     .confidence = wider ? CONFIDENCE_MEDIUM : CONFIDENCE_HIGH,
                                     .bytes = bytes,
                                     .evidence = evidence,
                                     .todo = stale_apply(arena, drop_sql(stale, index))});
}

/* ---- not used ------------------------------------------------------------------------------- */

static int64_t scans_elsewhere(const Stale *stale, const json_t *index)
{
    const char *key = arena_printf(stale->arena, "%s.%s.%s", stale_text(index, "schema"),
                                   stale_text(index, "table"), stale_text(index, "name"));
    return json_integer_value(json_object_get(stale->elsewhere, key));
}

static bool is_unused(const Stale *stale, const json_t *index)
{
    bool whole = stale_flag(index, "whole");
    int64_t read = stale_int(index, whole ? "bytes" : "table_bytes");
    return stale_has(index, "scans") && stale_int(index, "scans") == 0 && read >= READ_WHOLE_BYTES &&
           !stale_flag(index, "unique") && !is_bound(index) && !stale_flag(index, "part") &&
           scans_elsewhere(stale, index) == 0;
}

/* MySQL and MariaDB can hide an index first; then an error costs a statement, not a build. */
static const char *unused_todo(const Stale *stale, const json_t *index)
{
    Arena *arena = stale->arena;
    bool hides = stale->mariadb ? stale->version_num >= 100600 : stale->version_num >= 80000;
    if (stale->dialect != DIALECT_MYSQL || !hides)
        return stale_apply(arena, drop_sql(stale, index));
    return arena_printf(arena, "ALTER TABLE %s ALTER INDEX %s %s; later: %s",
                        stale->quote(arena, stale_text(index, "schema"), stale_text(index, "table")),
                        stale->quote(arena, NULL, stale_text(index, "name")),
                        stale->mariadb ? "IGNORED" : "INVISIBLE", stale_apply(arena, drop_sql(stale, index)));
}

static void add_unused(Stale *stale, const json_t *index)
{
    Arena *arena = stale->arena;
    const json_t *server = stale_server(stale), *foreign = json_object_get(index, "foreign");
    bool known = stale_has(server, "statistics_age_s");
    int64_t age_s = stale_int(server, "statistics_age_s");
    Confidence confidence = known ? stale_by_age(age_s) : CONFIDENCE_LOW;
    CLEANUP(str_donep) Str text = STR_INIT;
    str_addf(&text, "no scan of %s on %s ", columns_of(stale, index), stale_text(index, "table"));
    if (known)
        str_addf(&text, "in the %s since %s, when counting began", stale_age(arena, age_s),
                 stale_text(server, "statistics_since"));
    else
        str_add(&text, "since counting began, at a time that is not known");
    if (stale->replicas_asked > 0)
        str_addf(&text, ", on this server and on %zu replica%s", stale->replicas_asked,
                 stale->replicas_asked == 1 ? "" : "s");
    if (stale_unseen(stale) != NULL) {
        str_addf(&text, "; %s", stale_unseen(stale));
        confidence = CONFIDENCE_LOW;
    }
    if (stale_has(index, "table_uses") && stale_int(index, "table_uses") == 0) {
        str_add(&text, "; nothing else used the table either");
        confidence = CONFIDENCE_LOW;
    }
    if (json_array_size(foreign) > 0) {
        str_addf(&text, "; it serves foreign key %s: deletes at its other end would read the whole table",
                 json_string_value(json_array_get(foreign, 0)));
        confidence = confidence_lower(confidence);
    }
    if (stale_flag(index, "clustered")) {
        str_add(&text, "; CLUSTER orders the table by it");
        confidence = confidence_lower(confidence);
    }
    stale_add(stale, &(StaleFinding){.kind = "unused-index",
                                     .object = object_of(stale, index),
                                     .schema = stale_text(index, "schema"),
                                     .table = stale_text(index, "table"),
                                     .name = stale_text(index, "name"),
                                     .confidence = confidence,
                                     .bytes = stale_int(index, "bytes"),
                                     .evidence = arena_dup(arena, text.buf),
                                     .todo = unused_todo(stale, index)});
}

/* ---- not valid ------------------------------------------------------------------------------ */

static bool ends_in_cc(const char *name, const char *mark)
{
    const char *at = strstr(name, mark), *next = at;
    while (next != NULL) {
        at = next;
        next = strstr(at + 1, mark);
    }
    if (at == NULL)
        return false;
    at += strlen(mark);
    return at[strspn(at, "0123456789")] == '\0';
}

static void add_invalid(Stale *stale, const json_t *index)
{
    Arena *arena = stale->arena;
    const char *name = stale_text(index, "name");
    bool fresh = ends_in_cc(name, "_ccnew"), old = ends_in_cc(name, "_ccold");
    const char *left =
        fresh ? "left by a REINDEX CONCURRENTLY that did not end; the index it was to replace works on"
        : old ? "the old index of a REINDEX CONCURRENTLY, which could not be dropped"
              : "left by a CREATE INDEX CONCURRENTLY that failed; no read uses it";
    const char *evidence =
        arena_printf(arena, "INVALID, and nobody builds it now: %s; every write keeps it up%s", left,
                     stale_flag(index, "unique") ? ", and it refuses duplicates" : "");
    const char *todo = stale_apply(arena, drop_sql(stale, index));
    if (stale_flag(index, "whole")) {
        evidence = arena_printf(arena, "INVALID: not every partition of %s has an index attached to it",
                                stale_text(index, "table"));
        todo = "build the missing ones and ALTER INDEX … ATTACH PARTITION them";
    }
    stale_add(stale,
              &(StaleFinding){.kind = "invalid-index",
                              .object = object_of(stale, index),
                              .schema = stale_text(index, "schema"),
                              .table = stale_text(index, "table"),
                              .name = name,
                              .confidence = stale_flag(index, "whole") ? CONFIDENCE_MEDIUM : CONFIDENCE_HIGH,
                              .bytes = stale_int(index, "bytes"),
                              .evidence = evidence,
                              .todo = todo});
}

static void judge(const Shelf *shelf)
{
    for (size_t at = shelf->from; at < shelf->to; at++) {
        Stale *stale = shelf->stale;
        const json_t *index = json_array_get(shelf->rows, at), *other = NULL;
        bool live = stale_is_live(stale, stale_text(index, "schema"), stale_text(index, "table"));
        if (stale_flag(index, "busy"))
            continue;
        if (!stale_flag(index, "valid")) {
            if (!live)
                add_invalid(stale, index);
            continue;
        }
        other = cover_of(shelf, at, true);
        if (other == NULL)
            other = cover_of(shelf, at, false);
        if (other != NULL)
            add_covered(stale, index, other);
        else if (is_unused(stale, index))
            add_unused(stale, index);
    }
}

void stale_indexes(Stale *stale)
{
    const json_t *rows = stale->facts[STALE_INDEXES];
    size_t count = json_array_size(rows);
    for (size_t from = 0, to = 0; from < count; from = to) {
        const json_t *first = json_array_get(rows, from);
        for (to = from + 1; to < count; to++) {
            const json_t *next = json_array_get(rows, to);
            if (!same_text(first, next, "schema") || !same_text(first, next, "table"))
                break;
        }
        judge(&(Shelf){.stale = stale, .rows = rows, .from = from, .to = to});
    }
}

/* ---- constraints ---------------------------------------------------------------------------- */

void stale_constraints(Stale *stale)
{
    Arena *arena = stale->arena;
    size_t i = 0;
    const json_t *row = NULL;
    json_array_foreach(stale->facts[STALE_CONSTRAINTS], i, row)
    {
        const char *schema = stale_text(row, "schema"), *table = stale_text(row, "table");
        const char *name = stale_text(row, "name"), *type = stale_text(row, "type");
        if (stale_flag(row, "busy") || stale_is_live(stale, schema, table))
            continue;
        const char *sql = arena_printf(arena, "ALTER TABLE %s VALIDATE CONSTRAINT %s",
                                       stale->quote(arena, schema, table), stale->quote(arena, NULL, name));
        const char *evidence = arena_printf(
            arena,
            "%s constraint that is NOT VALID: it holds for what is written, not for all rows, and "
            "the planner cannot rely on it; validating reads %s beside the application",
            type, stale_size(arena, stale_int(row, "table_bytes")));
        stale_add(stale, &(StaleFinding){.kind = "not-valid-constraint",
                                         .object = arena_printf(arena, "%s.%s.%s", schema, table, name),
                                         .schema = schema,
                                         .table = table,
                                         .name = name,
                                         .confidence = CONFIDENCE_HIGH,
                                         .bytes = -1,
                                         .evidence = evidence,
                                         .todo = stale_apply(arena, sql)});
    }
}
