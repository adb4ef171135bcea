/* words.h — the words of one statement, for whoever asks what it names: no grammar, but the lexers' own
 * truth about what is a name and what is a text, a comment or a number. */
#pragma once
#include "base/arena.h"
#include "change/lex_my.h"

typedef enum WordKind {
    WORD_NAME,  /* a name or keyword, folded as the server does (MySQL: as written), quotes off */
    WORD_SIGN,  /* one sign or operator, as written */
    WORD_VALUE, /* a string, number or parameter; `text` is "" */
} WordKind;

typedef struct Word {
    WordKind kind;
    bool quoted;
    const char *text;
} Word;

typedef struct Words {
    Word *items;
    size_t len, cap;
    bool whole; /* false: the text was cut off, or could not be read, behind the last of them */
} Words;

/* Of a statement as pg_stat_statements keeps it, or of a function's body. */
Words words_pg(Arena *arena, const char *text);
/* Of a digest as performance_schema keeps it ("…" or "..." at the end: it was cut off), or of a body. */
Words words_my(Arena *arena, const MyDialect *dialect, const char *text);
