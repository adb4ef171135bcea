/* Statements are looked through for names of tables, and then for those of the columns. */
#include "run/stale_named.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One name of a table, or a column: sorted without case. */
typedef struct Entry {
    const char *name;
    size_t table, column;
} Entry;

struct Named {
    Arena *arena;
    VEC(NamedTable) tables;
    VEC(Entry) names;   /* of tables and partitions */
    VEC(Entry) columns; /* of all tables */
    bool sorted;
};

typedef struct Sorted {
    const char **items;
    size_t len;
} Sorted;

Named *named_new(Arena *arena)
{
    Named *named = arena_alloc(arena, sizeof *named);
    named->arena = arena;
    return named;
}

void named_add(Named *named, const char *schema, const char *table, const char *const *parts,
               size_t part_count, const char *const *columns, size_t column_count)
{
    size_t at = named->tables.len;
    NamedColumn *list = arena_alloc(named->arena, (column_count + 1) * sizeof *list);
    *vec_push(named->arena, &named->names) = (Entry){.name = table, .table = at};
    for (size_t i = 0; i < part_count; i++)
        *vec_push(named->arena, &named->names) = (Entry){.name = parts[i], .table = at};
    for (size_t i = 0; i < column_count; i++) {
        list[i].name = columns[i];
        *vec_push(named->arena, &named->columns) = (Entry){.name = columns[i], .table = at, .column = i};
    }
    NamedTable *added = vec_push(named->arena, &named->tables);
    *added = (NamedTable){.schema = schema, .name = table, .columns = list, .column_count = column_count};
    named->sorted = false;
}

static int compare_entries(const void *a, const void *b)
{
    return strcasecmp(((const Entry *)a)->name, ((const Entry *)b)->name);
}

static int compare_texts(const void *a, const void *b)
{
    return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort(Named *named)
{
    if (named->sorted)
        return;
    if (named->names.len > 0)
        qsort(named->names.items, named->names.len, sizeof *named->names.items, compare_entries);
    if (named->columns.len > 0)
        qsort(named->columns.items, named->columns.len, sizeof *named->columns.items, compare_entries);
    named->sorted = true;
}

/* The first of that name; `count` where there is none. */
static size_t first_of(const Entry *entries, size_t count, const char *name)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcasecmp(entries[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && strcasecmp(entries[low].name, name) == 0 ? low : count;
}

static Sorted sorted_names(Arena *arena, const Words *words)
{
    Sorted sorted = {.items = arena_alloc(arena, (words->len + 1) * sizeof(const char *))};
    for (size_t i = 0; i < words->len; i++)
        if (words->items[i].kind == WORD_NAME)
            sorted.items[sorted.len++] = words->items[i].text;
    qsort(sorted.items, sorted.len, sizeof *sorted.items, compare_texts);
    size_t out = 0;
    for (size_t i = 0; i < sorted.len; i++)
        if (i == 0 || strcasecmp(sorted.items[i], sorted.items[out - 1]) != 0)
            sorted.items[out++] = sorted.items[i];
    sorted.len = out;
    return sorted;
}

static bool has(const Sorted *sorted, const char *name)
{
    return bsearch(&name, sorted->items, sorted->len, sizeof *sorted->items, compare_texts) != NULL;
}

/* ---- the statement as a whole --------------------------------------------------------------- */

static bool is_word(const Words *words, size_t at, const char *word)
{
    return at < words->len && words->items[at].kind == WORD_NAME && !words->items[at].quoted &&
           strcasecmp(words->items[at].text, word) == 0;
}

static bool is_sign(const Words *words, size_t at, const char *sign)
{
    return at < words->len && words->items[at].kind == WORD_SIGN && strcmp(words->items[at].text, sign) == 0;
}

static bool is_one_of(const Words *words, size_t at, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_word(words, at, list[i]))
            return true;
    return false;
}

static bool uses_rows(const Words *words)
{
    static const char *const first[] = {"select", "insert", "update",  "delete",  "merge",
                                        "with",   "copy",   "declare", "prepare", "table",
                                        "values", "call",   "do",      "replace", "handler"};
    size_t at = 0;
    while (is_sign(words, at, "("))
        at++;
    return is_one_of(words, at, first, ARRAY_LEN(first));
}

/* A star that stands for columns: behind it comes no operand, and it is not count(*). */
static bool is_star(const Words *words, size_t at)
{
    static const char *const words_behind[] = {"from",  "into",   "where",    "union",  "order",
                                               "limit", "group",  "for",      "except", "join",
                                               "as",    "having", "intersect"};
    if (!is_sign(words, at, "*"))
        return false;
    if (at > 0 && is_sign(words, at - 1, "("))
        return false;
    return at + 1 >= words->len || is_sign(words, at + 1, ",") || is_sign(words, at + 1, ")") ||
           is_sign(words, at + 1, ";") || is_one_of(words, at + 1, words_behind, ARRAY_LEN(words_behind));
}

/* INSERT INTO t VALUES …, REPLACE INTO t SELECT …, COPY t FROM, TABLE t, NATURAL JOIN: names of columns are
 * left out. */
static bool is_without_list(const Words *words, size_t at)
{
    static const char *const behind[] = {"values", "value", "select", "with",
                                         "table",  "from",  "to",     "overriding"};
    bool into = is_word(words, at, "into") || (at == 0 && is_word(words, at, "copy"));
    if ((is_word(words, at, "insert") && is_word(words, at + 1, "values")) || is_word(words, at, "natural") ||
        (at == 0 && is_word(words, at, "table")))
        return true;
    if (!into)
        return false;
    size_t next = at + 2; /* behind the table's name */
    while (is_sign(words, next, "."))
        next += 2;
    if (is_word(words, next, "as"))
        next += 2;
    bool select =
        is_sign(words, next, "(") && (is_word(words, next + 1, "select") || is_word(words, next + 1, "with"));
    return select || is_one_of(words, next, behind, ARRAY_LEN(behind));
}

/* "f(orders)", "SELECT o FROM orders o": a row as a value, with all that is in it. A name that has no dot on
 * either side, and stands where no table is made known. */
static bool is_row(const Words *words, size_t at)
{
    static const char *const before[] = {"from",  "join", "into",  "update",  "only",
                                         "using", "as",   "table", "truncate"};
    static const char *const openers[] = {"from", "join", "only", "using"};
    if (words->items[at].kind != WORD_NAME || is_sign(words, at + 1, ".") || is_sign(words, at + 1, "("))
        return false;
    if (at == 0 || is_sign(words, at - 1, ".") || is_one_of(words, at - 1, before, ARRAY_LEN(before)))
        return false;
    if (is_sign(words, at - 1, "("))
        return at >= 2 && words->items[at - 2].kind == WORD_NAME &&
               !is_one_of(words, at - 2, openers, ARRAY_LEN(openers));
    return is_word(words, at - 1, "select") || is_word(words, at - 1, "returning") ||
           is_word(words, at - 1, "distinct") ||
           (is_sign(words, at - 1, ",") && (at + 1 >= words->len || is_word(words, at + 1, "from")));
}

/* What follows the table at `at` as its other name; NULL. */
static const char *alias_at(const Words *words, size_t at)
{
    static const char *const no_alias[] = {
        "set",   "where", "join",      "left",   "right",         "full",   "inner", "cross",
        "on",    "order", "group",     "limit",  "values",        "select", "using", "natural",
        "union", "for",   "returning", "having", "straight_join", "force",  "use"};
    size_t next = at + 1;
    if (is_sign(words, next, "*"))
        next++;
    if (is_word(words, next, "as"))
        next++;
    if (next >= words->len || words->items[next].kind != WORD_NAME ||
        is_one_of(words, next, no_alias, ARRAY_LEN(no_alias)))
        return NULL;
    return words->items[next].text;
}

/* The table whose name stands at `at`, or its alias, is used as a value. */
static bool is_used_whole(const Words *words, size_t at)
{
    const char *alias = alias_at(words, at), *name = words->items[at].text;
    for (size_t i = 0; i < words->len; i++) {
        const Word *word = &words->items[i];
        bool same = word->kind == WORD_NAME && (strcasecmp(word->text, name) == 0 ||
                                                (alias != NULL && strcasecmp(word->text, alias) == 0));
        if (same && is_row(words, i))
            return true;
    }
    return false;
}

static bool names_all(const Words *words)
{
    for (size_t i = 0; i < words->len; i++)
        if (is_star(words, i) || is_without_list(words, i))
            return true;
    return !words->whole;
}

/* ---- marks ---------------------------------------------------------------------------------- */

static void mark(NamedTable *table, const Sorted *names, bool all, bool dump, int64_t calls)
{
    size_t found = 0;
    for (size_t i = 0; i < table->column_count; i++)
        found += has(names, table->columns[i].name);
    if (dump && (all || found == table->column_count))
        return;
    for (size_t i = 0; i < table->column_count; i++)
        table->columns[i].named = table->columns[i].named || all || has(names, table->columns[i].name);
    table->calls += calls;
    table->statements += calls > 0;
}

/* Whatever of that name there is. */
static void mark_everywhere(Named *named, const Words *words)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Sorted all = sorted_names(arena, words), *names = &all;
    for (size_t i = 0; i < names->len; i++) {
        size_t at = first_of(named->columns.items, named->columns.len, names->items[i]);
        for (; at < named->columns.len && strcasecmp(named->columns.items[at].name, names->items[i]) == 0;
             at++)
            named->tables.items[named->columns.items[at].table]
                .columns[named->columns.items[at].column]
                .named = true;
    }
}

/* The tables that it names, and what it names of them. */
static void take(Named *named, const Words *words, int64_t calls)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Sorted names = sorted_names(arena, words);
    bool all = names_all(words),
         dump = is_word(words, 0, "copy") && !is_sign(words, 1, "(") && has(&names, "to");
    for (size_t i = 0; i < names.len; i++) {
        size_t at = first_of(named->names.items, named->names.len, names.items[i]);
        bool whole = all, known = at < named->names.len;
        for (size_t w = 0; w < words->len && known && !whole; w++)
            if (words->items[w].kind == WORD_NAME && strcasecmp(words->items[w].text, names.items[i]) == 0)
                whole = is_used_whole(words, w);
        for (; at < named->names.len && strcasecmp(named->names.items[at].name, names.items[i]) == 0; at++)
            mark(&named->tables.items[named->names.items[at].table], &names, whole, dump, calls);
    }
}

void named_statement(Named *named, const Words *words, int64_t calls)
{
    if (!uses_rows(words))
        return;
    sort(named);
    if (!words->whole) /* it may have gone on with any table */
        mark_everywhere(named, words);
    take(named, words, calls);
}

void named_body(Named *named, const Words *words)
{
    sort(named);
    mark_everywhere(named, words);
    take(named, words, 0);
}

size_t named_count(const Named *named) { return named->tables.len; }

const NamedTable *named_at(const Named *named, size_t at) { return &named->tables.items[at]; }
