/* Syntax that only servers newer than the parser know, as acts: by its tokens where these tell enough, else
 * by the parser once the new words are taken out. */
#include "base/str.h"
#include "change/act_pg.h"

#include <stdio.h>
#include <string.h>

enum { LEXEMES_MAX = 4000, WORDS_MAX = 5 };

typedef struct Text {
    ActReader *reader;
    const char *sql; /* of the whole statement */
    VEC(PgLexeme) items;
} Text;

static Text text_of(ActReader *reader)
{
    Text text = {.reader = reader, .sql = reader->sql};
    size_t len = strlen(reader->sql);
    for (size_t at = 0; text.items.len < LEXEMES_MAX;) {
        PgLexeme lexeme = pg_lexeme_code(reader->sql, at, len);
        if (lexeme.kind == PG_LEXEME_END)
            break;
        *vec_push(reader->scratch, &text.items) = lexeme;
        at = lexeme.end;
    }
    return text;
}

static bool is_symbol(const Text *text, size_t at, char symbol)
{
    return at < text->items.len && text->items.items[at].kind == PG_LEXEME_SYMBOL &&
           text->sql[text->items.items[at].start] == symbol;
}

static bool is_word(const Text *text, size_t at, const char *word)
{
    return at < text->items.len && pg_lexeme_is(text->sql, &text->items.items[at], word);
}

/* "NOT NULL *": "*" is any one token. */
static bool has_words(const Text *text, size_t at, const char *words)
{
    char word[32];
    int used = 0;
    for (const char *from = words; sscanf(from, "%31s%n", word, &used) == 1; from += used, at++)
        if (at >= text->items.len || (strcmp(word, "*") != 0 && !is_word(text, at, word)))
            return false;
    return true;
}

static const char *name_at(const Text *text, size_t at)
{
    if (at >= text->items.len)
        return NULL;
    const PgLexeme *lexeme = &text->items.items[at];
    if (lexeme->kind != PG_LEXEME_WORD && lexeme->kind != PG_LEXEME_QUOTED)
        return NULL;
    Token token = {.start = lexeme->start, .end = lexeme->end};
    return token_word(text->reader->arena, text->sql, &token);
}

static size_t read_name(const Text *text, size_t at, Name *ret_name)
{
    const char *first = name_at(text, at);
    if (first == NULL)
        return 0;
    *ret_name = (Name){.name = first};
    if (!is_symbol(text, at + 1, '.') || name_at(text, at + 2) == NULL)
        return 1;
    *ret_name = (Name){.schema = first, .name = name_at(text, at + 2)};
    return 3;
}

/* The parenthesis that closes the one at `at`. */
static size_t closing(const Text *text, size_t at)
{
    int depth = 0;
    for (; at < text->items.len; at++) {
        depth += is_symbol(text, at, '(') ? 1 : is_symbol(text, at, ')') ? -1 : 0;
        if (depth == 0)
            return at;
    }
    return text->items.len;
}

/* ---- new words taken out -------------------------------------------------------------------- */

/* What was taken out of a part. */
typedef struct Taken {
    bool not_enforced, virtual_, any;
    int since;
} Taken;

static void take(Taken *taken, int since)
{
    taken->any = true;
    taken->since = since > taken->since ? since : taken->since;
}

static void blank(const Text *text, char *sql, size_t from, size_t to, const char *instead)
{
    size_t start = text->items.items[from].start, end = text->items.items[to - 1].end;
    memset(sql + start, ' ', end - start);
    for (size_t i = 0; instead != NULL && instead[i] != '\0' && start + i < end; i++)
        sql[start + i] = instead[i];
}

static const struct {
    const char *words;   /* where they stand … */
    size_t skip, taken;  /* … so many words are kept, and so many taken out */
    const char *instead; /* NULL: nothing */
    int since;
} newer[] = {
    {"NOT ENFORCED", 0, 2, NULL, 180000},       {"ENFORCED", 0, 1, NULL, 180000},
    {"WITHOUT OVERLAPS", 0, 2, NULL, 180000},   {"METHOD DEFAULT", 1, 1, "heap", 170000},
    {"STATISTICS DEFAULT", 1, 1, "-1", 170000}, {"STORAGE DEFAULT", 1, 1, "plain", 160000},
};

/* A copy with the new words of lexemes [from, to) taken out. */
static char *without(const Text *text, size_t from, size_t to, Taken *ret_taken)
{
    char *sql = arena_dup(text->reader->scratch, text->sql);
    bool create = is_word(text, 0, "create");
    *ret_taken = (Taken){0};
    for (size_t at = from; at < to; at++) {
        for (size_t i = 0; i < ARRAY_LEN(newer); i++)
            if (has_words(text, at, newer[i].words)) {
                blank(text, sql, at + newer[i].skip, at + newer[i].skip + newer[i].taken, newer[i].instead);
                ret_taken->not_enforced = ret_taken->not_enforced || i == 0;
                take(ret_taken, newer[i].since);
                at += newer[i].skip + newer[i].taken - 1;
                break;
            }
        size_t open = at + 3;
        if (has_words(text, at, "GENERATED ALWAYS AS") && is_symbol(text, open, '(')) {
            size_t close = closing(text, open);
            bool stored = is_word(text, close + 1, "stored");
            if (!stored && close < to) {
                blank(text, sql, at, close + 1 + (is_word(text, close + 1, "virtual") ? 1 : 0), NULL);
                ret_taken->virtual_ = true;
                take(ret_taken, 180000);
                at = close;
            }
        } else if (is_word(text, at, "period") && name_at(text, at + 1) != NULL) {
            blank(text, sql, at, at + 1, NULL);
            take(ret_taken, 180000);
        } else if (create && is_word(text, at, "storage") && name_at(text, at + 1) != NULL) {
            blank(text, sql, at, at + 2, NULL);
            take(ret_taken, 160000);
        }
    }
    return sql;
}

static void mark_taken(ActReader *reader, size_t from, const Taken *taken)
{
    for (size_t i = from; i < reader->acts.len; i++) {
        Act *act = &reader->acts.items[i];
        act->since = taken->since;
        if (act->constraint != NULL && taken->not_enforced) {
            ActConstraint *spec = arena_alloc(reader->arena, sizeof *spec);
            *spec = *act->constraint;
            spec->not_enforced = true;
            act->constraint = spec;
        }
        if (act->column != NULL && taken->virtual_) {
            ActColumn *column = arena_alloc(reader->arena, sizeof *column);
            *column = *act->column;
            column->virtual_ = true;
            act->column = column;
        }
    }
}

/* ---- actions known by their tokens ---------------------------------------------------------- */

static bool read_not_null(const Text *text, size_t at, size_t to, Act *act)
{
    ActConstraint spec = {.not_null = true};
    if (!is_word(text, at++, "add"))
        return false;
    if (is_word(text, at, "constraint")) {
        spec.name = name_at(text, at + 1);
        at += 2;
    }
    if (!has_words(text, at, "NOT NULL") || name_at(text, at + 2) == NULL)
        return false;
    const char **columns = arena_alloc(text->reader->arena, sizeof *columns);
    columns[0] = name_at(text, at + 2);
    for (at += 3; at < to; at += 2) {
        bool not_valid = has_words(text, at, "NOT VALID");
        if (!not_valid && !has_words(text, at, "NO INHERIT"))
            return false;
        spec.not_valid = spec.not_valid || not_valid;
    }
    spec.columns = columns;
    spec.column_count = 1;
    act->kind = ACT_ADD_CONSTRAINT;
    act->since = 180000;
    act->name = columns[0];
    ActConstraint *kept = arena_alloc(text->reader->arena, sizeof *kept);
    *kept = spec;
    act->constraint = kept;
    return true;
}

static bool read_by_tokens(const Text *text, size_t at, size_t to, Act *act)
{
    if (read_not_null(text, at, to, act))
        return true;
    if (has_words(text, at, "ALTER CONSTRAINT *")) {
        act->kind = ACT_ALTER_CONSTRAINT;
        act->since = 180000;
        act->name = name_at(text, at + 2);
        act->value = is_word(text, at + 3, "enforced")         ? "ENFORCED"
                     : has_words(text, at + 3, "NOT ENFORCED") ? "NOT ENFORCED"
                     : is_word(text, at + 3, "inherit")        ? "INHERIT"
                     : has_words(text, at + 3, "NO INHERIT")   ? "NO INHERIT"
                                                               : NULL;
        return act->value != NULL;
    }
    size_t column = is_word(text, at, "alter") ? at + (is_word(text, at + 1, "column") ? 2 : 1) : to;
    if (column < to && has_words(text, column + 1, "SET EXPRESSION")) {
        act->kind = ACT_SET_EXPRESSION;
        act->since = 170000;
        act->name = name_at(text, column);
        return true;
    }
    if (has_words(text, at, "MERGE PARTITIONS") || has_words(text, at, "SPLIT PARTITION")) {
        act->kind = ACT_MERGE_SPLIT;
        act->since = 190000;
        act->value = is_word(text, at, "merge") ? "MERGE" : "SPLIT";
        return true;
    }
    return false;
}

/* ---- statements ----------------------------------------------------------------------------- */

static void read_part(Text *text, size_t head, size_t from, size_t to, Name table)
{
    ActReader *reader = text->reader;
    size_t start = text->items.items[from].start, end = text->items.items[to - 1].end;
    size_t head_end = text->items.items[head - 1].end;
    Act known = {.table = table,
                 .start = reader->start + start,
                 .end = reader->start + end,
                 .words = "ALTER TABLE",
                 .actions = 1,
                 .function = reader->function};
    if (read_by_tokens(text, from, to, &known)) {
        *vec_push(reader->scratch, &reader->acts) = known;
        return;
    }
    Taken taken;
    const char *sql = without(text, from, to, &taken);
    const char *alone =
        arena_printf(reader->scratch, "%.*s %.*s", (int)head_end, sql, (int)(end - start), sql + start);
    size_t before = reader->acts.len;
    ActReader inner = *reader;
    act_read_sql(&inner, alone, NULL);
    reader->acts = inner.acts;
    mark_taken(reader, before, &taken);
    for (size_t i = before; i < reader->acts.len; i++) {
        reader->acts.items[i].start = reader->start + start;
        reader->acts.items[i].end = reader->start + end;
    }
}

static bool read_alter(Text *text)
{
    Name table;
    size_t at = 2 + (has_words(text, 2, "IF EXISTS") ? 2U : 0U);
    at += is_word(text, at, "only") ? 1U : 0U;
    size_t name = read_name(text, at, &table), head = at + name, from = head;
    if (name == 0 || text->reader->depth > 2)
        return false;
    int depth = 0;
    size_t before = text->reader->acts.len, parts = 0;
    text->reader->depth++;
    for (size_t i = head; i <= text->items.len; i++) {
        bool end = i == text->items.len || (depth == 0 && is_symbol(text, i, ','));
        if (end && i > from) {
            read_part(text, head, from, i, table);
            parts++;
        }
        if (end)
            from = i + 1;
        else
            depth += is_symbol(text, i, '(') || is_symbol(text, i, '[')   ? 1
                     : is_symbol(text, i, ')') || is_symbol(text, i, ']') ? -1
                                                                          : 0;
    }
    text->reader->depth--;
    for (size_t i = before; i < text->reader->acts.len; i++)
        text->reader->acts.items[i].actions = parts;
    return parts > 0;
}

static bool read_repack(Text *text)
{
    Act *act = act_add(text->reader, ACT_REPACK, "REPACK");
    act->since = 190000;
    for (size_t i = 1; i < text->items.len; i++) {
        if (is_word(text, i, "concurrently"))
            act->flags |= ACT_CONCURRENTLY;
        if (!is_symbol(text, i - 1, '(') && !is_symbol(text, i, '(') && !is_symbol(text, i, ')') &&
            !is_word(text, i, "concurrently") && act->table.name == NULL)
            (void)read_name(text, i, &act->table);
    }
    return true;
}

static bool read_reindex(Text *text)
{
    Act *act = act_add(text->reader, ACT_REINDEX, "REINDEX");
    act->value = "DATABASE";
    act->since = 160000;
    for (size_t i = 1; i < text->items.len; i++)
        act->flags |= is_word(text, i, "concurrently") ? ACT_CONCURRENTLY : 0;
    return true;
}

/* The parser again, without the new words. */
static bool read_without(Text *text)
{
    Taken taken;
    const char *sql = without(text, 0, text->items.len, &taken);
    ActReader *reader = text->reader;
    if (!taken.any || reader->depth > 2)
        return false;
    size_t before = reader->acts.len;
    ActReader inner = *reader;
    inner.depth++;
    inner.sql = sql;
    act_read_sql(&inner, sql, NULL);
    reader->acts = inner.acts;
    mark_taken(reader, before, &taken);
    return true;
}

bool act_read_newer(ActReader *reader)
{
    Text text = text_of(reader);
    if (text.items.len < 2 || reader->depth > 2)
        return false;
    if (has_words(&text, 0, "ALTER TABLE")) {
        Taken taken;
        (void)without(&text, 0, text.items.len, &taken);
        bool known = taken.any;
        for (size_t i = 2; i < text.items.len && !known; i++) {
            Act act = {0};
            known = read_by_tokens(&text, i, text.items.len, &act) ||
                    has_words(&text, i, "MERGE PARTITIONS") || has_words(&text, i, "SPLIT PARTITION") ||
                    has_words(&text, i, "ADD NOT NULL") || has_words(&text, i, "CONSTRAINT * NOT NULL");
        }
        return known && read_alter(&text);
    }
    if (is_word(&text, 0, "repack"))
        return read_repack(&text);
    if (has_words(&text, 0, "REINDEX DATABASE") || has_words(&text, 0, "REINDEX SYSTEM"))
        return read_reindex(&text);
    return read_without(&text);
}
