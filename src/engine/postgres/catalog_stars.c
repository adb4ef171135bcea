/* Finds statements that a new column changes: a small scanner over SQL text, not a parser. */
#include "engine/postgres/catalog.h"

#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef enum TokenKind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_SYMBOL, TOKEN_OTHER } TokenKind;

typedef struct Token {
    TokenKind kind;
    const char *text;
    size_t len;
    int depth; /* parentheses around it */
} Token;

enum { TOKENS_MAX = 1200 };

static const char *skip_quoted(const char *at, char quote, bool backslash)
{
    for (at++; *at != '\0'; at++) {
        bool escaped = backslash && *at == '\\' && at[1] != '\0', doubled = *at == quote && at[1] == quote;
        if (escaped || doubled)
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return at;
}

static const char *skip_blanks(const char *at)
{
    for (;;) {
        at += strspn(at, " \t\r\n\f");
        if (str_starts(at, "--"))
            at += strcspn(at, "\n");
        else if (str_starts(at, "/*")) {
            const char *end = strstr(at, "*/");
            at = end == NULL ? at + strlen(at) : end + 2;
        } else
            return at;
    }
}

static bool word_char(char c) { return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80) != 0; }

/* $tag$ … $tag$, or $1. */
static const char *skip_dollar(const char *at)
{
    size_t tag = 1;
    while (word_char(at[tag]) && at[tag] != '$')
        tag++;
    if (at[tag] != '$')
        return at + tag;
    const char *end = at + tag + 1;
    while (*end != '\0' && strncmp(end, at, tag + 1) != 0)
        end++;
    return *end == '\0' ? end : end + tag + 1;
}

static const char *next_token(const char *at, Token *ret_token)
{
    at = skip_blanks(at);
    const char *end = at + 1;
    TokenKind kind = TOKEN_SYMBOL;
    if (*at == '\0') {
        kind = TOKEN_END;
        end = at;
    } else if ((*at == 'e' || *at == 'E') && at[1] == '\'') {
        kind = TOKEN_OTHER;
        end = skip_quoted(at + 1, '\'', true);
    } else if (*at == '\'') {
        kind = TOKEN_OTHER;
        end = skip_quoted(at, '\'', false);
    } else if (*at == '"') {
        kind = TOKEN_QUOTED;
        end = skip_quoted(at, '"', false);
    } else if (*at == '$') {
        kind = TOKEN_OTHER;
        end = skip_dollar(at);
    } else if (word_char(*at)) {
        kind = isdigit((unsigned char)*at) ? TOKEN_OTHER : TOKEN_WORD;
        while (word_char(*end))
            end++;
    }
    *ret_token = (Token){.kind = kind, .text = at, .len = (size_t)(end - at)};
    return end;
}

static bool is_word(const Token *token, const char *word)
{
    return token->kind == TOKEN_WORD && strlen(word) == token->len &&
           strncasecmp(token->text, word, token->len) == 0;
}

static bool is_symbol(const Token *token, char symbol)
{
    return token->kind == TOKEN_SYMBOL && token->text[0] == symbol;
}

/* An identifier token against a name as the catalog has it. */
static bool is_name(const Token *token, const char *name)
{
    if (token->kind == TOKEN_WORD)
        return strlen(name) == token->len && strncasecmp(token->text, name, token->len) == 0;
    if (token->kind != TOKEN_QUOTED)
        return false;
    const char *at = token->text + 1, *end = token->text + token->len - 1;
    while (at < end && *name == *at) {
        at += *at == '"' ? 2 : 1;
        name++;
    }
    return at >= end && *name == '\0';
}

static bool is_identifier(const Token *token)
{
    static const char *const words[] = {
        "set",   "where",   "join",        "left",  "right",   "full",       "inner",
        "cross", "on",      "order",       "group", "limit",   "values",     "select",
        "from",  "using",   "returning",   "to",    "default", "overriding", "union",
        "for",   "natural", "tablesample", "with",  "having",  "offset",     "window"};
    if (token->kind == TOKEN_QUOTED)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (is_word(token, words[i]))
            return false;
    return token->kind == TOKEN_WORD;
}

typedef struct Scanner {
    Token *tokens; /* with one TOKEN_END at least at its end */
    size_t count;
    const char *schema, *name; /* schema NULL: any */
} Scanner;

/* The token after a reference to our table that begins at `at`, or 0 where there is none. */
static size_t table_at(const Scanner *scan, size_t at)
{
    const Token *token = &scan->tokens[at];
    if (at > 0 && is_symbol(token - 1, '.'))
        return 0;
    if (token->kind != TOKEN_WORD && token->kind != TOKEN_QUOTED)
        return 0;
    if (is_symbol(token + 1, '.'))
        return (scan->schema == NULL || is_name(token, scan->schema)) && is_name(token + 2, scan->name)
                   ? at + 3
                   : 0;
    return is_name(token, scan->name) ? at + 1 : 0;
}

/* Whether a token stands where a table does: after FROM, JOIN, UPDATE, INTO, ONLY, USING, or a comma. */
static bool table_place(const Scanner *scan, size_t at)
{
    static const char *const before[] = {"from", "join", "update", "into", "only", "using"};
    if (at == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(before); i++)
        if (is_word(&scan->tokens[at - 1], before[i]))
            return true;
    return is_symbol(&scan->tokens[at - 1], ',') || is_symbol(&scan->tokens[at - 1], '(');
}

/* Looks for the table at one level of parentheses from token `from` on, forward or (for RETURNING) backward;
 * where `alias` is given, only for a table that goes by that name. */
static bool level_has_table(const Scanner *scan, size_t from, bool forward, const Token *alias)
{
    int depth = scan->tokens[from].depth;
    for (size_t at = from; at < scan->count; at = forward ? at + 1 : at - 1) {
        const Token *token = &scan->tokens[at];
        if (token->kind == TOKEN_END || token->depth < depth)
            return false;
        size_t after = token->depth == depth && table_place(scan, at) ? table_at(scan, at) : 0;
        if (after != 0) {
            const Token *next = &scan->tokens[after];
            next += is_symbol(next, '*') ? 1 : 0;
            next += is_word(next, "as") ? 1 : 0;
            const Token *known = is_identifier(next) ? next : NULL;
            if (alias == NULL || (known != NULL ? known->len == alias->len &&
                                                      strncasecmp(known->text, alias->text, alias->len) == 0
                                                : is_name(alias, scan->name)))
                return true;
        }
        if (at == 0)
            return false;
    }
    return false;
}

/* A star at `at` that stands for columns of our table. */
static const char *star_at(const Scanner *scan, size_t at)
{
    const Token *star = &scan->tokens[at], *before = star - 1;
    bool qualified = is_symbol(before, '.') && at >= 2;
    if (qualified && is_symbol(star + 1, ')'))
        return NULL; /* count(t.*), row(t.*): no list of columns */
    const Token *alias = qualified ? before - 1 : NULL;
    bool bare = is_word(before, "select") || is_word(before, "distinct") || is_word(before, "all") ||
                is_word(before, "returning") || is_symbol(before, ',');
    if (!qualified && !bare)
        return NULL;
    /* Back to the word that opens the list. */
    size_t open = at;
    while (open > 0 &&
           !(scan->tokens[open].depth <= star->depth &&
             (is_word(&scan->tokens[open], "select") || is_word(&scan->tokens[open], "returning"))))
        open--;
    bool returning = is_word(&scan->tokens[open], "returning");
    if (!returning && open >= 2 && is_symbol(&scan->tokens[open - 1], '(') &&
        is_word(&scan->tokens[open - 2], "exists"))
        return NULL;
    if (!level_has_table(scan, at, !returning, alias))
        return NULL;
    return returning ? "RETURNING *" : qualified ? "SELECT table.*" : "SELECT *";
}

/* The token after the table of INSERT INTO and COPY. */
static const char *list_missing(const Scanner *scan, size_t at)
{
    bool insert = is_word(&scan->tokens[at], "into") && at > 0 && is_word(&scan->tokens[at - 1], "insert");
    bool copy = is_word(&scan->tokens[at], "copy") && at == 0;
    size_t after = insert || copy ? table_at(scan, at + 1) : 0;
    if (after == 0)
        return NULL;
    const Token *next = &scan->tokens[after];
    if (copy)
        return is_word(next, "from") ? "COPY FROM without a column list" : NULL;
    if (is_word(next, "as"))
        next += 2;
    if (is_symbol(next, '('))
        next +=
            is_word(next + 1, "select") || is_word(next + 1, "with") || is_word(next + 1, "values") ? 1 : 0;
    bool list = is_symbol(next, '(') || is_word(next, "default");
    return list ? NULL : "INSERT without a column list";
}

static void scan_tokens(Scanner *scan, const char *statement)
{
    int depth = 0;
    for (const char *at = statement; scan->count < TOKENS_MAX; scan->count++) {
        Token *token = &scan->tokens[scan->count];
        at = next_token(at, token);
        if (token->kind == TOKEN_END)
            break;
        depth -= is_symbol(token, ')') ? 1 : 0;
        token->depth = depth;
        depth += is_symbol(token, '(') ? 1 : 0;
    }
}

const char *star_reason(const char *statement, const char *schema, const char *name)
{
    CLEANUP(mem_freep) Token *tokens = mem_zero((TOKENS_MAX + 4) * sizeof *tokens);
    Scanner scan = {.tokens = tokens, .schema = schema, .name = name};
    scan_tokens(&scan, statement);
    /* A view keeps its columns, and EXPLAIN has none of the table's. */
    if (is_word(&tokens[0], "create") || is_word(&tokens[0], "explain"))
        return NULL;
    for (size_t i = 0; i < scan.count; i++) {
        const char *why = i > 0 && is_symbol(&tokens[i], '*') ? star_at(&scan, i) : NULL;
        if (why == NULL)
            why = list_missing(&scan, i);
        if (why != NULL)
            return why;
    }
    return NULL;
}

/* Statements that read or write rows; what a session prepares, declares or calls counts by its text. */
static bool is_use(const Scanner *scan)
{
    static const char *const words[] = {"select",  "insert",  "update", "delete", "merge",    "with", "copy",
                                        "declare", "prepare", "table",  "values", "truncate", "call", "do"};
    size_t first = 0;
    while (is_symbol(&scan->tokens[first], '('))
        first++;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (is_word(&scan->tokens[first], words[i]))
            return true;
    return false;
}

const char *use_reason(const char *statement, const char *schema, const char *name,
                       const char *const *columns, size_t column_count)
{
    CLEANUP(mem_freep) Token *tokens = mem_zero((TOKENS_MAX + 4) * sizeof *tokens);
    Scanner scan = {.tokens = tokens, .schema = schema, .name = name};
    scan_tokens(&scan, statement);
    bool table = false, column = false;
    if (!is_use(&scan))
        return NULL;
    for (size_t i = 0; i < scan.count; i++) {
        table = table || table_at(&scan, i) != 0;
        for (size_t j = 0; j < column_count && !column; j++)
            column = is_name(&tokens[i], columns[j]);
    }
    for (size_t i = 0; i < scan.count && table && column_count > 0 && !column; i++)
        if (list_missing(&scan, i) != NULL)
            return list_missing(&scan, i);
    return table && (column || column_count == 0) ? "names it" : NULL;
}
