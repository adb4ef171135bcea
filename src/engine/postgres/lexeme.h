/* lexeme.h — the tokens of a statement as PostgreSQL's scanner tells them apart (scan.l,
 * standard_conforming_strings on), as far as names and texts go. Reads no byte outside [text, text + len),
 * whatever stands there. */
#pragma once
#include "base/arena.h"

typedef enum LexemeKind {
    LEXEME_WORD,   /* a name or keyword without quotes */
    LEXEME_QUOTED, /* "Name" */
    LEXEME_STRING, /* 'text', E'text', B'', X'', N'' */
    LEXEME_DOLLAR, /* $tag$text$tag$ */
    LEXEME_SIGN,   /* one byte of anything else: digits, operators, brackets */
    LEXEME_ODD,    /* U&'text' and U&"name", and what has no end: not taken apart */
} LexemeKind;

/* Offsets into the text. `inner` is what stands between the quotes; of a word the whole. */
typedef struct Lexeme {
    LexemeKind kind;
    size_t start, end;
    size_t inner, inner_end;
    bool escapes; /* E'…': a backslash means something */
} Lexeme;

/* The next lexeme at or after `at`, blanks and comments left out; false where there is none. */
bool lexeme_next(const char *text, size_t len, size_t at, Lexeme *ret_lexeme);
/* The name that a word or a quoted one stands for, folded and without quotes, as the server has it; other
 * tokens are what they are. */
char *lexeme_name(Arena *arena, const char *text, const Lexeme *lexeme) __attribute__((returns_nonnull));
