/* silence.h — comments that silence findings, with a reason and, where wanted, a last day:
 *   -- stoa: ignore drop-column until 2027-01-01: nobody reads it since March      the next statement
 *   -- stoa: ignore-file rename-table, drop-table: the application is not out yet  the file
 * Without a rule: all of them. squawk's and Atlas's own comments are understood as well. */
#pragma once
#include "check/rule.h"

typedef struct Silencer {
    size_t start, end;       /* the comment */
    size_t from, to;         /* bytes of the file that it is for; from == to: nothing follows it */
    VEC(const Rule *) rules; /* none: all */
    bool expired, malformed, reason;
    bool used;
    const char *problem; /* malformed: what */
} Silencer;

typedef VEC(Silencer) Silencers;

/* Reads those of a file. `today` is "2026-11-29". */
void silence_read(Arena *arena, const char *text, const ActComments *comments,
                  const ActStatements *statements, const char *today, Silencers *ret_silencers);
/* True where one of them silences the finding; notes that it did. */
bool silence_takes(Silencers *silencers, const Finding *finding);
