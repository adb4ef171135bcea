/* Tokens of MySQL and MariaDB. Nothing here allocates but my_lex(), my_token_name() and my_plain(). */
#include "change/lex_my.h"

#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool my_is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
           (unsigned char)c >= 0x80;
}

static bool is_control(char c) { return (unsigned char)c < 0x20 || c == 0x7f; }

/* ---- one thing at a time -------------------------------------------------------------------- */

size_t my_skip_quoted(const MyDialect *dialect, const char *text, size_t at, size_t end)
{
    char quote = text[at];
    bool name = quote == '`' || (quote == '"' && dialect->ansi_quotes);
    bool escapes = !name && !dialect->no_backslash_escapes;
    for (size_t i = at + 1; i < end; i++) {
        bool escaped = text[i] == '\\' && escapes;
        bool doubled = text[i] == quote && my_byte_at(text, i + 1, end) == quote;
        if (escaped || doubled)
            i++;
        else if (text[i] == quote)
            return i + 1;
    }
    return 0;
}

size_t my_skip_dollar(const MyDialect *dialect, const char *text, size_t at, size_t end)
{
    if (dialect->mariadb || dialect->version < 90000 || text[at] != '$')
        return 0;
    size_t tag = at + 1;
    while (tag < end && text[tag] != '$' && my_is_word(text[tag]))
        tag++;
    if (tag >= end || text[tag] != '$')
        return 0;
    size_t len = tag + 1 - at;
    const char *close = memmem(text + tag + 1, end - tag - 1, text + at, len);
    return close == NULL ? SIZE_MAX : (size_t)(close - text) + len;
}

bool my_is_line_comment(const char *text, size_t at, size_t end)
{
    if (text[at] == '#')
        return true;
    if (text[at] != '-' || at + 1 >= end || text[at + 1] != '-')
        return false;
    return at + 2 >= end || my_is_space(text[at + 2]) || is_control(text[at + 2]);
}

size_t my_line_end(const char *text, size_t at, size_t end)
{
    const char *newline = at < end ? memchr(text + at, '\n', end - at) : NULL;
    return newline == NULL ? end : (size_t)(newline - text);
}

static bool is_pair(const char *text, size_t at, size_t end, const char *pair)
{
    return at + 1 < end && text[at] == pair[0] && text[at + 1] == pair[1];
}

/* Behind a block comment whose content begins at `at`, or 0; `nested` allows plain comments, one deep. */
static size_t skip_block(const char *text, size_t at, size_t end, bool nested)
{
    bool inner = false;
    while (at + 1 < end) {
        if (is_pair(text, at, end, "*/")) {
            at += 2;
            if (!inner)
                return at;
            inner = false;
        } else if (nested && !inner && is_pair(text, at, end, "/*")) {
            at += 2;
            inner = true;
        } else {
            at++;
        }
    }
    return 0;
}

/* ---- comments ------------------------------------------------------------------------------- */

/* The version behind the "!" at `at`: how many digits belong to it (0, 5 or 6). */
static size_t version_digits(const MyDialect *dialect, const char *text, size_t at, size_t end)
{
    size_t count = 0;
    while (count < 6 && at + count < end && is_digit(text[at + count]))
        count++;
    if (count < 5)
        return 0;
    if (count == 6 && !dialect->mariadb &&
        (dialect->version < 80100 || at + 6 >= end || !my_is_space(text[at + 6])))
        return 5;
    return count;
}

typedef enum Block { BLOCK_PLAIN, BLOCK_EXECUTED, BLOCK_SKIPPED, BLOCK_UNKNOWN } Block;

/* What the comment at `at` is to this server; ret_end is behind its opening mark with the version. */
static Block judge_block(const MyDialect *dialect, const char *text, size_t at, size_t end, size_t *ret_end)
{
    size_t mark = at + 2;
    *ret_end = mark;
    bool own = mark < end && text[mark] == 'M' && dialect->mariadb;
    if (own)
        mark++;
    if (mark >= end || text[mark] != '!')
        return BLOCK_PLAIN;
    mark++;
    *ret_end = mark;
    if (dialect->mariadb && mark < end && text[mark] == '!')
        return BLOCK_UNKNOWN;
    size_t count = version_digits(dialect, text, mark, end);
    int version = 0;
    for (size_t i = 0; i < count; i++)
        version = version * 10 + (text[mark + i] - '0');
    *ret_end = mark + count;
    if (version > dialect->version || (dialect->mariadb && !own && version >= 50700 && version <= 99999))
        return BLOCK_SKIPPED;
    return BLOCK_EXECUTED;
}

static bool fail(MyFault *fault, size_t offset, const char *message, const char *hint)
{
    *fault = (MyFault){.message = message, .hint = hint, .offset = offset};
    return false;
}

static bool read_block(MyLexer *lexer, MyToken *token, MyFault *fault)
{
    size_t inside;
    Block block = judge_block(lexer->dialect, lexer->text, lexer->at, lexer->end, &inside);
    if (block == BLOCK_UNKNOWN)
        return fail(fault, token->start, "a comment that opens with \"!!\" means different things to servers",
                    "write the statement for one server");
    if (block == BLOCK_EXECUTED) {
        token->kind = MY_TOKEN_MARK;
        token->end = inside;
        lexer->executed = true;
        lexer->executed_at = token->start;
        return true;
    }
    token->kind = MY_TOKEN_COMMENT;
    token->end = skip_block(lexer->text, inside, lexer->end, block == BLOCK_SKIPPED);
    if (token->end == 0)
        return fail(fault, token->start, "the comment that begins here does not end", "close it with */");
    return true;
}

/* ---- numbers and words ---------------------------------------------------------------------- */

static size_t skip_digits(const char *text, size_t at, size_t end)
{
    while (at < end && is_digit(text[at]))
        at++;
    return at;
}

static size_t skip_word(const char *text, size_t at, size_t end)
{
    while (at < end && my_is_word(text[at]))
        at++;
    return at;
}

/* Behind "e5", "e+5" at `at`; `at` itself where there is none. */
static size_t skip_exponent(const char *text, size_t at, size_t end)
{
    if (at >= end || (text[at] != 'e' && text[at] != 'E'))
        return at;
    size_t digits = at + 1;
    if (digits < end && (text[digits] == '+' || text[digits] == '-'))
        digits++;
    return digits < end && is_digit(text[digits]) ? skip_digits(text, digits, end) : at;
}

/* Behind 0x1F or 0b01; 0 where it is no such number but a name. */
static size_t skip_radix(const char *text, size_t at, size_t end)
{
    if (text[at] != '0' || at + 2 >= end || (text[at + 1] != 'x' && text[at + 1] != 'b'))
        return 0;
    bool hex = text[at + 1] == 'x';
    size_t i = at + 2;
    while (i < end && (hex ? is_hex(text[i]) : text[i] == '0' || text[i] == '1'))
        i++;
    return i > at + 2 && (i >= end || !my_is_word(text[i])) ? i : 0;
}

/* A number, or a name that begins with digits. */
static void read_number(MyLexer *lexer, MyToken *token)
{
    const char *text = lexer->text;
    size_t end = lexer->end, at = skip_radix(text, lexer->at, end);
    token->kind = MY_TOKEN_NUMBER;
    if (at != 0) {
        token->end = at;
        return;
    }
    at = skip_digits(text, lexer->at, end);
    if (at < end && text[at] == '.') {
        at = skip_digits(text, at + 1, end);
        token->end = skip_exponent(text, at, end);
        return;
    }
    size_t exponent = skip_exponent(text, at, end);
    token->end = exponent;
    if (exponent == at && at < end && my_is_word(text[at])) {
        token->kind = MY_TOKEN_WORD;
        token->end = skip_word(text, at, end);
    }
}

/* x'00' and b'01': digits only, then the quote. */
static bool read_digits_string(MyLexer *lexer, MyToken *token, MyFault *fault)
{
    bool hex = lexer->text[lexer->at] == 'x' || lexer->text[lexer->at] == 'X';
    size_t at = lexer->at + 2;
    while (at < lexer->end &&
           (hex ? is_hex(lexer->text[at]) : lexer->text[at] == '0' || lexer->text[at] == '1'))
        at++;
    if (at >= lexer->end || lexer->text[at] != '\'')
        return fail(fault, token->start, "a hexadecimal or binary string with something else in it", NULL);
    token->kind = MY_TOKEN_STRING;
    token->end = at + 1;
    return true;
}

static bool read_quoted(MyLexer *lexer, MyToken *token, MyFault *fault, size_t quote)
{
    char c = lexer->text[quote];
    bool name = c == '`' || (c == '"' && lexer->dialect->ansi_quotes);
    token->kind = name ? MY_TOKEN_QUOTED : MY_TOKEN_STRING;
    token->end = my_skip_quoted(lexer->dialect, lexer->text, quote, lexer->end);
    if (token->end == 0)
        return fail(fault, token->start,
                    name ? "the quoted name that begins here does not end"
                         : "the string that begins here does not end",
                    "close it, or double a quote that belongs to it");
    if (name && memchr(lexer->text + quote, '\0', token->end - quote) != NULL)
        return fail(fault, token->start, "a name with a NUL byte in it", NULL);
    return true;
}

static bool read_word(MyLexer *lexer, MyToken *token, MyFault *fault)
{
    const char *text = lexer->text;
    size_t at = lexer->at;
    char c = text[at], next = my_byte_at(text, at + 1, lexer->end);
    if (!token->member && next == '\'' && (c == 'x' || c == 'X' || c == 'b' || c == 'B'))
        return read_digits_string(lexer, token, fault);
    if (!token->member && next == '\'' && (c == 'n' || c == 'N'))
        return read_quoted(lexer, token, fault, at + 1);
    size_t dollar = token->member ? 0 : my_skip_dollar(lexer->dialect, text, at, lexer->end);
    if (dollar == SIZE_MAX)
        return fail(fault, token->start, "the dollar quoted text that begins here does not end", NULL);
    token->kind = dollar != 0 ? MY_TOKEN_STRING : MY_TOKEN_WORD;
    token->end = dollar != 0 ? dollar : skip_word(text, at, lexer->end);
    return true;
}

/* @x, @'x', @@x.y and the host of an account. */
static bool read_variable(MyLexer *lexer, MyToken *token, MyFault *fault)
{
    const char *text = lexer->text;
    bool system = is_pair(text, lexer->at, lexer->end, "@@");
    size_t at = lexer->at + (system ? 2 : 1);
    for (bool more = true; more;) {
        if (at < lexer->end && (text[at] == '`' || (!system && (text[at] == '\'' || text[at] == '"')))) {
            if (!read_quoted(lexer, token, fault, at))
                return false;
            at = token->end;
        } else {
            while (at < lexer->end && (my_is_word(text[at]) || (!system && text[at] == '.')))
                at++;
        }
        more = system && at + 1 < lexer->end && text[at] == '.' &&
               (my_is_word(text[at + 1]) || text[at + 1] == '`');
        at += more ? 1 : 0;
    }
    token->kind = MY_TOKEN_VARIABLE;
    token->end = at;
    return true;
}

/* ---- the lexer ------------------------------------------------------------------------------ */

MyLexer my_lexer(const MyDialect *dialect, const char *text, size_t start, size_t end)
{
    return (MyLexer){.text = text, .at = start, .end = end, .dialect = dialect, .last_end = start};
}

static bool read_symbol(MyLexer *lexer, MyToken *token, MyFault *fault)
{
    static const char *const symbols[] = {
        "<=>", "->>", ":=", "<=", ">=", "<>", "!=", "<<", ">>", "||", "&&", "->", "\\N"};
    const char *text = lexer->text + lexer->at;
    size_t left = lexer->end - lexer->at;
    token->kind = MY_TOKEN_SYMBOL;
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        size_t len = strlen(symbols[i]);
        if (len <= left && memcmp(text, symbols[i], len) == 0) {
            token->end = token->start + len;
            return true;
        }
    }
    token->end = token->start + 1;
    if (text[0] == '\\')
        return fail(fault, token->start, "a backslash outside of a string",
                    "commands of the client, such as \\G, are not SQL: end the statement with \";\"");
    if (is_control(text[0]))
        return fail(fault, token->start,
                    text[0] == '\0' ? "a NUL byte outside of a string" : "a control character in a statement",
                    "take it out");
    return true;
}

/* True where the dot at lexer->at separates names, and does not begin a number. */
static bool is_name_dot(const MyLexer *lexer, char next)
{
    bool straight = lexer->last == MY_TOKEN_WORD && lexer->last_end == lexer->at;
    return straight || !is_digit(next);
}

static bool read_token(MyLexer *lexer, MyToken *token, MyFault *fault)
{
    const char *text = lexer->text;
    size_t at = lexer->at, end = lexer->end;
    char c = text[at], next = my_byte_at(text, at + 1, end);
    if (my_is_line_comment(text, at, end)) {
        token->kind = MY_TOKEN_COMMENT;
        token->end = my_line_end(text, at, end);
        if (memchr(text + at, '\0', token->end - at) != NULL)
            return fail(fault, at, "a comment with a NUL byte in it", "take it out");
        return true;
    }
    if (c == '/' && next == '*')
        return read_block(lexer, token, fault);
    if (c == '*' && next == '/' && lexer->executed) {
        token->kind = MY_TOKEN_MARK;
        token->end = at + 2;
        lexer->executed = false;
        return true;
    }
    if (token->member && my_is_word(c))
        return read_word(lexer, token, fault);
    if (is_digit(c) || (c == '.' && is_digit(next) && !is_name_dot(lexer, next))) {
        read_number(lexer, token);
        return true;
    }
    if (my_is_word(c))
        return read_word(lexer, token, fault);
    if (c == '\'' || c == '"' || c == '`')
        return read_quoted(lexer, token, fault, at);
    if (c == '@')
        return read_variable(lexer, token, fault);
    return read_symbol(lexer, token, fault);
}

bool my_lexer_next(MyLexer *lexer, MyToken *ret_token, MyFault *ret_fault)
{
    *ret_fault = (MyFault){0};
    while (lexer->at < lexer->end && my_is_space(lexer->text[lexer->at]))
        lexer->at++;
    MyToken token = {.kind = MY_TOKEN_END, .start = lexer->at, .end = lexer->at};
    if (lexer->at >= lexer->end) {
        if (lexer->executed)
            return fail(ret_fault, lexer->executed_at, "the executable comment that begins here does not end",
                        "a delimiter inside of it cuts it: the client splits there, too");
        *ret_token = token;
        return true;
    }
    token.member = lexer->behind_dot && lexer->last_end == lexer->at;
    if (!read_token(lexer, &token, ret_fault))
        return false;
    char next = my_byte_at(lexer->text, token.end, lexer->end);
    lexer->behind_dot = token.kind == MY_TOKEN_SYMBOL && lexer->text[token.start] == '.' &&
                        (my_is_word(next) || next == '`' || next == '"');
    token.member = token.member && (token.kind == MY_TOKEN_WORD || token.kind == MY_TOKEN_QUOTED);
    lexer->at = lexer->last_end = token.end;
    lexer->last = token.kind;
    *ret_token = token;
    return true;
}

MyTokens my_lex(Arena *arena, const MyDialect *dialect, const char *text, size_t start, size_t end,
                MyFault *ret_fault)
{
    MyTokens tokens = {0};
    MyLexer lexer = my_lexer(dialect, text, start, end);
    MyToken token;
    while (my_lexer_next(&lexer, &token, ret_fault) && token.kind != MY_TOKEN_END)
        *vec_push(arena, &tokens) = token;
    return tokens;
}

/* ---- what a token says ---------------------------------------------------------------------- */

static int lower(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }

bool my_token_is(const char *text, const MyToken *token, const char *keyword)
{
    size_t len = token->end - token->start;
    if (token->kind != MY_TOKEN_WORD || token->member || strlen(keyword) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (lower(text[token->start + i]) != lower(keyword[i]))
            return false;
    return true;
}

bool my_token_symbol(const char *text, const MyToken *token, const char *symbol)
{
    size_t len = token->end - token->start;
    return token->kind == MY_TOKEN_SYMBOL && strlen(symbol) == len &&
           memcmp(text + token->start, symbol, len) == 0;
}

const char *my_token_name(Arena *arena, const char *text, const MyToken *token)
{
    size_t len = token->end - token->start;
    char quote = text[token->start];
    if (token->kind == MY_TOKEN_WORD)
        return arena_dupn(arena, text + token->start, len);
    if (token->kind != MY_TOKEN_QUOTED && (token->kind != MY_TOKEN_STRING || my_is_word(quote)))
        return NULL;
    char *name = arena_dupn(arena, text + token->start + 1, len - 2);
    size_t out = 0;
    for (size_t in = 0; in < len - 2; in++) {
        if (name[in] == quote)
            in++;
        name[out++] = name[in];
    }
    name[out] = '\0';
    return name;
}

const char *my_plain(Arena *arena, const MyDialect *dialect, const char *text, size_t start, size_t end)
{
    MyFault fault;
    MyTokens tokens = my_lex(arena, dialect, text, start, end, &fault);
    if (fault.message != NULL)
        return NULL;
    char *plain = arena_dupn(arena, text + start, end - start);
    for (size_t i = 0; i < tokens.len; i++) {
        const MyToken *token = &tokens.items[i];
        bool hint = token->end - token->start > 3 && memcmp(text + token->start, "/*+", 3) == 0;
        if (token->kind != MY_TOKEN_MARK && (token->kind != MY_TOKEN_COMMENT || hint))
            continue;
        if (token->start >= start + 2 && memcmp(text + token->start - 2, "--", 2) == 0)
            return NULL;
        for (size_t at = token->start; at < token->end; at++)
            if (text[at] != '\n')
                plain[at - start] = ' ';
    }
    return plain;
}
