/* lex_my.h — tokens of MySQL and MariaDB, read from hostile bytes as the server of the dialect reads them.
 *
 * Character set. The lexer works on bytes: whatever is >= 0x80 is part of a name, a string or a comment. That
 * is exact wherever no byte of a longer character looks like ASCII: utf8mb4, utf8mb3, latin1 and all other
 * single byte sets, ujis, euckr. In gbk, gb18030, big5, sjis and cp932 a trailing byte may be a backslash or
 * a backtick
 * ("0xBF5C" is one character of gbk, and a broken escape here), so whoever sends such text must have it
 * converted and the connection set to utf8mb4; ucs2, utf16 and utf32 are no connection character sets at all.
 *
 * Sources of the rules:
 *  - MySQL 8.0, 8.4 and 9 reference manual, "Comments", "Schema Object Names", "String Literals", "Server SQL
 *    Modes"; MariaDB documentation, "Comment Syntax", "Identifier Names", "SQL_MODE".
 *  - "--" begins a comment only before white space, a control character or the end (both manuals); asked of
 *    MariaDB 10.11: "SELECT 1 --5" is 6.
 *  - Digits behind an opening mark: MySQL takes five, from 8.1 on six where white space follows them ("Are
 * you ready for MySQL 10?" in the MySQL blog archive); MariaDB takes five or six, and skips 50700 to 99999
 * where no M stands before the "!". Fewer than five digits are code.
 *  - An executable comment that is not for this server may hold plain comments, one deep; one that is
 * executed may hold any number of them, and another executed one ends both (seen on MariaDB 10.11).
 *  - A number that goes on with a letter is a name: 1abc, 0X1F, 1e; but 1e5, 0x1F and 0b01 are numbers. A
 * word straight behind a dot is a name, a keyword or digits as well (both manuals; asked of MariaDB 10.11).
 *  - $tag$ … $tag$ is text from MySQL 9.0 on (manual, "JavaScript Stored Program Creation and Management").
 */
#pragma once
#include "base/arena.h"

/* What decides how text is read. */
typedef struct MyDialect {
    bool mariadb;
    int version;               /* 80034, 90100, 101119: as in mysql_get_server_version() */
    bool ansi_quotes;          /* of sql_mode: "x" is a name */
    bool no_backslash_escapes; /* of sql_mode */
} MyDialect;

/* Bytes [start, end) of a text. Both 0: there is none. */
typedef struct MySpan {
    size_t start, end;
} MySpan;
static inline bool my_span_is(MySpan span) { return span.end > span.start; }

typedef enum MyTokenKind {
    MY_TOKEN_END,      /* behind the last token */
    MY_TOKEN_WORD,     /* a keyword or a name without quotes */
    MY_TOKEN_QUOTED,   /* `x`, and "x" under ANSI_QUOTES */
    MY_TOKEN_STRING,   /* 'x', "x", N'x', x'00', b'0', $$x$$; a _charset before it is a word of its own */
    MY_TOKEN_NUMBER,   /* 1, 1.5e3, .5, 0x1F, 0b01 */
    MY_TOKEN_VARIABLE, /* @x, @`x`, @'x', @@global.x; also the @host of an account */
    MY_TOKEN_SYMBOL,   /* operators and punctuation of one to three bytes, and \N */
    MY_TOKEN_COMMENT,  /* of any form that is not executed */
    MY_TOKEN_MARK      /* what opens or closes a comment that is executed: slash-star-!50110 and star-slash */
} MyTokenKind;

typedef struct MyToken {
    MyTokenKind kind;
    bool member;       /* stands straight behind a dot: a name, whatever it looks like */
    size_t start, end; /* bytes in the text: [start, end) */
} MyToken;

/* What is wrong with a text, and where. */
typedef struct MyFault {
    const char *message; /* NULL: nothing */
    const char *hint;    /* may be NULL */
    size_t offset;       /* bytes into the text */
} MyFault;

/* Reads token after token. Borrows text and dialect. */
typedef struct MyLexer {
    const char *text;
    size_t at, end; /* the next byte, and the end of what is read */
    const MyDialect *dialect;
    bool executed;      /* inside a comment that is executed */
    size_t executed_at; /* where it was opened */
    bool behind_dot;    /* the last token was the dot of a qualified name */
    MyTokenKind last;   /* kind of the last token, and where it ended */
    size_t last_end;
} MyLexer;

/* Reads the bytes [start, end) of `text`. */
MyLexer my_lexer(const MyDialect *dialect, const char *text, size_t start, size_t end);
/* The next token, MY_TOKEN_END at the end. False with a fault at the place where whatever does not end begins
 * (a string, a quoted name, a comment), or at the byte that no server takes. */
bool my_lexer_next(MyLexer *lexer, MyToken *ret_token, MyFault *ret_fault);

typedef VEC(MyToken) MyTokens;

/* All tokens of [start, end), comments and marks included, without MY_TOKEN_END. On a fault those before it.
 */
MyTokens my_lex(Arena *arena, const MyDialect *dialect, const char *text, size_t start, size_t end,
                MyFault *ret_fault);

/* True for the keyword, in any case, that is not quoted and not behind a dot. */
bool my_token_is(const char *text, const MyToken *token, const char *keyword);
/* True for this operator or punctuation. */
bool my_token_symbol(const char *text, const MyToken *token, const char *symbol);
/* The name that a word, quoted name or string stands for, without quotes; NULL for any other token. A string
 * is taken with its escapes as they are written. */
const char *my_token_name(Arena *arena, const char *text, const MyToken *token);

/* The text [start, end) as long as it was, but with spaces (and its line ends) in place of comments and of
 * the marks of executed ones: it means the same to this server, every offset stays valid, and it can be cut
 * anywhere between two tokens. Optimizer hints stay. NULL on a fault, and where
 * "--" stands straight before a comment and would begin one itself. */
const char *my_plain(Arena *arena, const MyDialect *dialect, const char *text, size_t start, size_t end);

/* ---- for the splitter, which reads as the client does: these skip one thing that begins at `at` ----------
 */

/* Behind the string or name whose quote stands at `at`; 0 where it does not end before `end`. */
size_t my_skip_quoted(const MyDialect *dialect, const char *text, size_t at, size_t end);
/* Behind the dollar quoted text at `at`; 0 where there is none; SIZE_MAX where it does not end. */
size_t my_skip_dollar(const MyDialect *dialect, const char *text, size_t at, size_t end);
/* True where "#" or "-- " begins a comment at `at`. */
bool my_is_line_comment(const char *text, size_t at, size_t end);
/* At the line end (or `end`) behind `at`. */
size_t my_line_end(const char *text, size_t at, size_t end);
static inline bool my_is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
/* The byte at `at`, or 0 from the end on. */
static inline char my_byte_at(const char *text, size_t at, size_t end)
{
    static const char none = '\0';
    return *(at < end ? text + at : &none);
}
/* True for a byte of a name without quotes. */
bool my_is_word(char c);
