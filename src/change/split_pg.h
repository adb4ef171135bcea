/* split_pg.h — a text for PostgreSQL cut into statements, where psql cuts it, without the parser's help: so a
 * statement that does not parse hides no other, and client commands, COPY data and placeholders are known.
 *
 * Sources: the manual of PostgreSQL 10 to 18, "Lexical Structure" (nested comments, dollar quotes, E'' and
 * U&""), "psql" (backslash commands, variables ":x", ":'x'", ":\"x\""), "COPY" (data up to "\." alone on a
 * line), "CREATE FUNCTION" (BEGIN ATOMIC … END), "CREATE RULE" (statements in parentheses). */
#pragma once
#include "base/arena.h"

typedef enum PgLexemeKind {
    PG_LEXEME_END,
    PG_LEXEME_WORD,    /* keyword or name without quotes */
    PG_LEXEME_QUOTED,  /* "x", U&"x" */
    PG_LEXEME_STRING,  /* 'x', E'x', $tag$x$tag$ … */
    PG_LEXEME_NUMBER,  /* 1, 1.5e3, $1 */
    PG_LEXEME_SYMBOL,  /* one byte */
    PG_LEXEME_COMMENT, /* of either form */
    PG_LEXEME_META,    /* a command of psql, from the backslash to the end of the line */
    PG_LEXEME_HOLE     /* a placeholder: :x  :'x'  :"x"  ${x}  {{x}}  <% x %>  #{x} */
} PgLexemeKind;

typedef struct PgLexeme {
    PgLexemeKind kind;
    bool open; /* a quote or comment that does not end */
    size_t start, end;
} PgLexeme;

/* The next one from `at` on; PG_LEXEME_END at `end`. */
PgLexeme pg_lexeme(const char *text, size_t at, size_t end);
/* The next one that is no comment. */
PgLexeme pg_lexeme_code(const char *text, size_t at, size_t end);
/* The byte of a symbol; '\0' for anything else. */
char pg_lexeme_symbol(const char *text, const PgLexeme *lexeme);
/* True for this keyword, in any case. */
bool pg_lexeme_is(const char *text, const PgLexeme *lexeme, const char *word);

typedef enum PgPieceKind {
    PG_PIECE_SQL,
    PG_PIECE_META, /* a command of psql */
    PG_PIECE_DATA  /* what COPY reads */
} PgPieceKind;

typedef struct PgPiece {
    PgPieceKind kind;
    size_t start, end; /* from its first to its last byte of code */
    bool open;         /* a quote in it does not end: it reaches to the end of the text */
    bool holes;        /* placeholders in it */
    bool executed;     /* \gexec: its rows are run as statements */
} PgPiece;

typedef struct PgComment {
    size_t start, end;
} PgComment;

typedef struct PgSplit {
    VEC(PgPiece) pieces;
    VEC(PgComment) comments;
} PgSplit;

/* Cuts the bytes [start, end). */
PgSplit pg_split(Arena *arena, const char *text, size_t start, size_t end);
/* The piece with names of the same length in place of its placeholders, and spaces in place of psql's
 * commands in it. */
char *pg_piece_text(Arena *arena, const char *text, const PgPiece *piece) __attribute__((returns_nonnull));
