/* Takes statements apart into tokens. */
#include "engine/postgres/lexeme.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool begins_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_in_word(char c) { return begins_word(c) || is_digit(c) || c == '$'; }

static bool is_at(const char *text, size_t len, size_t at, const char *what)
{
    size_t size = strlen(what);
    return len - at >= size && memcmp(text + at, what, size) == 0;
}

/* Comments in comments count. One without an end is an error of the server's; here it goes to the end. */
static size_t skip_comment(const char *text, size_t len, size_t at)
{
    size_t depth = 0;
    do {
        if (is_at(text, len, at, "/*")) {
            depth++;
            at += 2;
        } else if (is_at(text, len, at, "*/")) {
            depth--;
            at += 2;
        } else {
            at++;
        }
    } while (at < len && depth > 0);
    return at;
}

static size_t skip_blanks(const char *text, size_t len, size_t at)
{
    while (at < len) {
        if (is_blank(text[at])) {
            at++;
        } else if (is_at(text, len, at, "--")) {
            while (at < len && text[at] != '\n' && text[at] != '\r')
                at++;
        } else if (is_at(text, len, at, "/*")) {
            at = skip_comment(text, len, at);
        } else {
            break;
        }
    }
    return at;
}

/* From the opening quote at lexeme->inner - 1 on. A doubled quote stands for one. */
static void read_quoted(const char *text, size_t len, char quote, Lexeme *lexeme)
{
    size_t at = lexeme->inner;
    while (at < len) {
        if (lexeme->escapes && text[at] == '\\') {
            at = len - at > 2 ? at + 2 : len;
        } else if (text[at] != quote) {
            at++;
        } else if (len - at > 1 && text[at + 1] == quote) {
            at += 2;
        } else {
            lexeme->inner_end = at;
            lexeme->end = at + 1;
            return;
        }
    }
    lexeme->kind = LEXEME_ODD;
    lexeme->inner_end = lexeme->end = len;
}

/* False: it is no dollar quote but a parameter or a stray sign. */
static bool read_dollar(const char *text, size_t len, Lexeme *lexeme)
{
    size_t tag_end = lexeme->start + 1;
    if (tag_end < len && begins_word(text[tag_end]))
        while (tag_end < len && text[tag_end] != '$' && is_in_word(text[tag_end]))
            tag_end++;
    if (tag_end >= len || text[tag_end] != '$')
        return false;
    size_t size = tag_end + 1 - lexeme->start;
    lexeme->kind = LEXEME_DOLLAR;
    lexeme->inner = tag_end + 1;
    for (size_t at = lexeme->inner; len - at >= size; at++)
        if (memcmp(text + at, text + lexeme->start, size) == 0) {
            lexeme->inner_end = at;
            lexeme->end = at + size;
            return true;
        }
    lexeme->kind = LEXEME_ODD;
    lexeme->inner_end = lexeme->end = len;
    return true;
}

/* A word, or the prefix of a text: E'…' and the like, U&'…'. */
static void read_word(const char *text, size_t len, Lexeme *lexeme)
{
    size_t at = lexeme->start;
    while (at < len && is_in_word(text[at]))
        at++;
    size_t size = at - lexeme->start;
    char first = text[lexeme->start];
    bool one = size == 1 && at < len;
    if (one && text[at] == '\'' && strchr("eEbBxXnN", first) != NULL) {
        lexeme->kind = LEXEME_STRING;
        lexeme->escapes = first == 'e' || first == 'E';
        lexeme->inner = at + 1;
        read_quoted(text, len, '\'', lexeme);
        return;
    }
    if (one && (first == 'u' || first == 'U') && text[at] == '&' && len - at > 1 &&
        (text[at + 1] == '\'' || text[at + 1] == '"')) {
        lexeme->inner = at + 2;
        read_quoted(text, len, text[at + 1], lexeme);
        lexeme->kind = LEXEME_ODD;
        return;
    }
    *lexeme = (Lexeme){LEXEME_WORD, lexeme->start, at, lexeme->start, at, false};
}

bool lexeme_next(const char *text, size_t len, size_t at, Lexeme *ret_lexeme)
{
    at = skip_blanks(text, len, at);
    if (at >= len)
        return false;
    Lexeme lexeme = {.kind = LEXEME_SIGN, .start = at, .end = at + 1, .inner = at + 1, .inner_end = at + 1};
    char c = text[at];
    if (begins_word(c)) {
        read_word(text, len, &lexeme);
    } else if (c == '\'' || c == '"') {
        lexeme.kind = c == '"' ? LEXEME_QUOTED : LEXEME_STRING;
        read_quoted(text, len, c, &lexeme);
    } else if (c == '$') {
        (void)read_dollar(text, len, &lexeme);
    }
    *ret_lexeme = lexeme;
    return true;
}

char *lexeme_name(Arena *arena, const char *text, const Lexeme *lexeme)
{
    size_t size = lexeme->inner_end - lexeme->inner, out = 0;
    if (lexeme->kind == LEXEME_SIGN)
        return arena_dupn(arena, text + lexeme->start, 1);
    char *name = arena_dupn(arena, text + lexeme->inner, size);
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        if (lexeme->kind == LEXEME_QUOTED && c == '"')
            i++; /* doubled */
        name[out++] = (char)(lexeme->kind == LEXEME_WORD && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    name[out] = '\0';
    return name;
}
