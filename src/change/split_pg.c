/* PostgreSQL's text cut into statements. */
#include "change/split_pg.h"

#include <string.h>
#include <strings.h>

static char byte_at(const char *text, size_t at, size_t end)
{
    if (at >= end)
        return '\0';
    return text[at];
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static bool is_first(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || ((unsigned char)c & 0x80) != 0;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_word(char c) { return is_first(c) || is_digit(c) || c == '$'; }

/* ---- what ends where ------------------------------------------------------------------------ */

static size_t line_end(const char *text, size_t at, size_t end)
{
    const char *found = memchr(text + at, '\n', end - at);
    return found == NULL ? end : (size_t)(found - text);
}

/* Behind the closing quote; SIZE_MAX where there is none. */
static size_t quote_end(const char *text, size_t at, size_t end, char quote, bool escapes)
{
    for (at++; at < end; at++) {
        bool doubled = text[at] == quote && byte_at(text, at + 1, end) == quote;
        if (doubled || (escapes && text[at] == '\\'))
            at++;
        else if (text[at] == quote)
            return at + 1;
    }
    return SIZE_MAX;
}

static size_t block_comment_end(const char *text, size_t at, size_t end)
{
    int depth = 0;
    for (; at + 1 < end; at++) {
        bool opens = text[at] == '/' && text[at + 1] == '*', closes = text[at] == '*' && text[at + 1] == '/';
        depth += opens ? 1 : closes ? -1 : 0;
        at += opens || closes;
        if (closes && depth == 0)
            return at + 1;
    }
    return SIZE_MAX;
}

/* 0: no dollar quote begins here. */
static size_t dollar_end(const char *text, size_t at, size_t end)
{
    size_t tag = at + 1;
    if (is_digit(byte_at(text, tag, end)))
        return 0;
    while (tag < end && is_word(text[tag]) && text[tag] != '$')
        tag++;
    if (byte_at(text, tag, end) != '$')
        return 0;
    size_t len = tag + 1 - at;
    const char *found = memmem(text + at + len, end - at - len, text + at, len);
    return found == NULL ? SIZE_MAX : (size_t)(found - text) + len;
}

static size_t bracket_end(const char *text, size_t at, size_t end, const char *open, const char *close)
{
    size_t len = strlen(open), stop = line_end(text, at, end);
    if (at + len > end || memcmp(text + at, open, len) != 0)
        return 0;
    const char *found = memmem(text + at + len, stop - at - len, close, strlen(close));
    return found == NULL ? 0 : (size_t)(found - text) + strlen(close);
}

static size_t hole_end(const char *text, size_t at, size_t end)
{
    static const struct {
        const char *open, *close;
    } kinds[] = {{"${", "}"}, {"{{", "}}"}, {"<%", "%>"}, {"#{", "}"}};
    char c = text[at], next = byte_at(text, at + 1, end);
    if (c == ':' && (at == 0 || text[at - 1] != ':')) {
        size_t to = at + 1;
        if (next == '\'' || next == '"') {
            to = quote_end(text, at + 1, line_end(text, at, end), next, false);
            return to == SIZE_MAX ? 0 : to;
        }
        while (to < end && (is_first(text[to]) || (to > at + 1 && is_digit(text[to]))))
            to++;
        return to > at + 1 ? to : 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds) && strchr("${<#", c) != NULL; i++) {
        size_t to = bracket_end(text, at, end, kinds[i].open, kinds[i].close);
        if (to != 0)
            return to;
    }
    return 0;
}

/* ---- lexemes -------------------------------------------------------------------------------- */

static PgLexeme made(PgLexemeKind kind, size_t start, size_t end, size_t limit)
{
    bool open = end == SIZE_MAX;
    return (PgLexeme){.kind = kind, .open = open, .start = start, .end = open || end > limit ? limit : end};
}

static PgLexeme word(const char *text, size_t at, size_t end)
{
    char c = text[at], next = byte_at(text, at + 1, end);
    bool quote_next = next == '\'';
    if (quote_next && strchr("eE", c) != NULL)
        return made(PG_LEXEME_STRING, at, quote_end(text, at + 1, end, '\'', true), end);
    if (quote_next && strchr("bBxXnN", c) != NULL)
        return made(PG_LEXEME_STRING, at, quote_end(text, at + 1, end, '\'', false), end);
    char third = byte_at(text, at + 2, end);
    if (strchr("uU", c) != NULL && next == '&' && (third == '\'' || third == '"'))
        return made(third == '"' ? PG_LEXEME_QUOTED : PG_LEXEME_STRING, at,
                    quote_end(text, at + 2, end, third, false), end);
    size_t to = at;
    while (to < end && is_word(text[to]))
        to++;
    return made(PG_LEXEME_WORD, at, to, end);
}

PgLexeme pg_lexeme(const char *text, size_t at, size_t end)
{
    while (at < end && is_space(text[at]))
        at++;
    if (at >= end)
        return made(PG_LEXEME_END, end, end, end);
    char c = text[at], next = byte_at(text, at + 1, end);
    if (is_first(c))
        return word(text, at, end);
    if (c == '-' && next == '-')
        return made(PG_LEXEME_COMMENT, at, line_end(text, at, end), end);
    if (c == '/' && next == '*')
        return made(PG_LEXEME_COMMENT, at, block_comment_end(text, at, end), end);
    if (c == '\'')
        return made(PG_LEXEME_STRING, at, quote_end(text, at, end, c, false), end);
    if (c == '"')
        return made(PG_LEXEME_QUOTED, at, quote_end(text, at, end, c, false), end);
    if (c == '\\')
        return made(PG_LEXEME_META, at, line_end(text, at, end), end);
    size_t to = c == '$' ? dollar_end(text, at, end) : 0;
    if (to != 0)
        return made(PG_LEXEME_STRING, at, to, end);
    to = strchr(":${<#", c) != NULL ? hole_end(text, at, end) : 0;
    if (to != 0)
        return made(PG_LEXEME_HOLE, at, to, end);
    if (is_digit(c) || (c == '.' && is_digit(next)) || (c == '$' && is_digit(next))) {
        for (to = at + 1; to < end && (is_word(text[to]) || text[to] == '.'); to++)
            ;
        return made(PG_LEXEME_NUMBER, at, to, end);
    }
    return made(PG_LEXEME_SYMBOL, at, at + 1, end);
}

PgLexeme pg_lexeme_code(const char *text, size_t at, size_t end)
{
    PgLexeme lexeme = pg_lexeme(text, at, end);
    while (lexeme.kind == PG_LEXEME_COMMENT)
        lexeme = pg_lexeme(text, lexeme.end, end);
    return lexeme;
}

char pg_lexeme_symbol(const char *text, const PgLexeme *lexeme)
{
    if (lexeme->kind != PG_LEXEME_SYMBOL)
        return '\0';
    return text[lexeme->start];
}

bool pg_lexeme_is(const char *text, const PgLexeme *lexeme, const char *word)
{
    size_t len = lexeme->end - lexeme->start;
    return lexeme->kind == PG_LEXEME_WORD && strncasecmp(text + lexeme->start, word, len) == 0 &&
           word[len] == '\0';
}

/* ---- pieces --------------------------------------------------------------------------------- */

typedef struct Cutter {
    Arena *arena;
    const char *text;
    size_t end;
    PgSplit split;
    PgPiece piece;
    size_t words;       /* of the piece so far */
    bool create, rule;  /* the piece is CREATE …, CREATE RULE */
    bool copy, stdin_;  /* COPY … FROM STDIN */
    bool begin;         /* the last word was BEGIN */
    int parens, blocks; /* open ones; blocks: END that must still come */
} Cutter;

static void cutter_end(Cutter *cutter, size_t at)
{
    if (cutter->piece.end > cutter->piece.start) {
        cutter->piece.end = at > cutter->piece.end ? at : cutter->piece.end;
        *vec_push(cutter->arena, &cutter->split.pieces) = cutter->piece;
    }
    cutter->piece = (PgPiece){0};
    cutter->words = 0;
    cutter->create = cutter->rule = cutter->copy = cutter->stdin_ = cutter->begin = false;
    cutter->parens = cutter->blocks = 0;
}

static void cutter_word(Cutter *cutter, const PgLexeme *lexeme)
{
    const char *text = cutter->text;
    size_t nth = cutter->words++;
    if (nth == 0) {
        cutter->create = pg_lexeme_is(text, lexeme, "create");
        cutter->copy = pg_lexeme_is(text, lexeme, "copy");
    }
    if (cutter->copy && pg_lexeme_is(text, lexeme, "stdin"))
        cutter->stdin_ = true;
    if (!cutter->create)
        return;
    if (nth <= 3 && pg_lexeme_is(text, lexeme, "rule"))
        cutter->rule = true;
    bool opens = cutter->begin && pg_lexeme_is(text, lexeme, "atomic");
    if (opens || (cutter->blocks > 0 && pg_lexeme_is(text, lexeme, "case")))
        cutter->blocks++;
    else if (cutter->blocks > 0 && pg_lexeme_is(text, lexeme, "end"))
        cutter->blocks--;
    cutter->begin = pg_lexeme_is(text, lexeme, "begin");
}

static bool is_sending(const char *text, const PgLexeme *meta)
{
    static const char *const words[] = {"g", "gx", "gset", "gexec", "gdesc", "crosstabview", "watch"};
    size_t len = 0, at = meta->start + 1;
    while (at + len < meta->end && is_first(text[at + len]))
        len++;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strlen(words[i]) == len && strncmp(words[i], text + at, len) == 0)
            return true;
    return false;
}

static void cutter_meta(Cutter *cutter, const PgLexeme *meta)
{
    bool sending = is_sending(cutter->text, meta);
    if (cutter->piece.end > 0 && !sending) {
        cutter->piece.holes = true; /* taken out of the statement */
        return;
    }
    if (cutter->piece.end > 0)
        cutter->piece.executed = strncmp(cutter->text + meta->start, "\\gexec", 6) == 0;
    cutter_end(cutter, 0);
    if (!sending)
        *vec_push(cutter->arena, &cutter->split.pieces) =
            (PgPiece){.kind = PG_PIECE_META, .start = meta->start, .end = meta->end};
}

/* COPY's data follow on the next line. Returns where the text goes on. */
static size_t cutter_data(Cutter *cutter, size_t at)
{
    size_t from = line_end(cutter->text, at, cutter->end) + 1;
    for (size_t line = from; line < cutter->end;) {
        size_t to = line_end(cutter->text, line, cutter->end);
        if (to - line >= 2 && memcmp(cutter->text + line, "\\.", 2) == 0) {
            *vec_push(cutter->arena, &cutter->split.pieces) =
                (PgPiece){.kind = PG_PIECE_DATA, .start = from, .end = to};
            return to;
        }
        line = to + 1;
    }
    return at; /* the client sends them in another way */
}

static size_t cutter_step(Cutter *cutter, const PgLexeme *lexeme)
{
    char symbol = pg_lexeme_symbol(cutter->text, lexeme);
    if (lexeme->kind == PG_LEXEME_COMMENT) {
        *vec_push(cutter->arena, &cutter->split.comments) = (PgComment){lexeme->start, lexeme->end};
        return lexeme->end;
    }
    if (lexeme->kind == PG_LEXEME_META) {
        cutter_meta(cutter, lexeme);
        return lexeme->end;
    }
    bool inner = cutter->blocks > 0 || (cutter->rule && cutter->parens > 0);
    if (symbol == ';' && !inner) {
        bool data = cutter->stdin_;
        cutter_end(cutter, 0);
        return data ? cutter_data(cutter, lexeme->end) : lexeme->end;
    }
    if (cutter->piece.end == 0)
        cutter->piece.start = lexeme->start;
    cutter->piece.end = lexeme->end;
    cutter->piece.open = cutter->piece.open || lexeme->open;
    cutter->piece.holes = cutter->piece.holes || lexeme->kind == PG_LEXEME_HOLE;
    cutter->parens += symbol == '(' ? 1 : symbol == ')' ? -1 : 0;
    if (lexeme->kind == PG_LEXEME_WORD)
        cutter_word(cutter, lexeme);
    else
        cutter->begin = false;
    return lexeme->end;
}

PgSplit pg_split(Arena *arena, const char *text, size_t start, size_t end)
{
    Cutter cutter = {.arena = arena, .text = text, .end = end};
    for (size_t at = start; at < end;) {
        PgLexeme lexeme = pg_lexeme(text, at, end);
        if (lexeme.kind == PG_LEXEME_END)
            break;
        at = cutter_step(&cutter, &lexeme);
    }
    cutter_end(&cutter, 0);
    return cutter.split;
}

char *pg_piece_text(Arena *arena, const char *text, const PgPiece *piece)
{
    char *copy = arena_dupn(arena, text + piece->start, piece->end - piece->start);
    for (size_t at = piece->start; piece->holes && at < piece->end;) {
        PgLexeme lexeme = pg_lexeme(text, at, piece->end);
        char *from = copy + (lexeme.start - piece->start);
        size_t len = lexeme.end - lexeme.start;
        if (lexeme.kind == PG_LEXEME_META)
            memset(from, ' ', len);
        else if (lexeme.kind == PG_LEXEME_HOLE && (from[1] == '\'' || from[1] == '"'))
            *from = ' ';
        else if (lexeme.kind == PG_LEXEME_HOLE)
            for (size_t i = 0; i < len; i++)
                if (i == 0 || !is_word(from[i]))
                    from[i] = i == 0 ? 'x' : '_';
        if (lexeme.kind == PG_LEXEME_END)
            break;
        at = lexeme.end;
    }
    return copy;
}
