/* fix.h — the safe form as edits of the text: everything around them stays as it is written. Only what means
 * the same when it is over is rewritten, and only where nothing has to be guessed. */
#pragma once
#include "check/check.h"

struct Fix {
    Arena *arena;
    VEC(Edit) edits;
    const char *what; /* what they do, in words */
};

/* Fills it by the rule's function; without edits where there is no exact rewrite. */
void fix_make(Arena *arena, const RuleCall *call, Fix *fix);

/* The functions of the rules. */
RuleFix fix_concurrently, fix_detach, fix_not_valid, fix_unique, fix_not_null, fix_lock_timeout,
    fix_lock_wait_timeout, fix_algorithm;

/* fix_run.c: sets with all that can be fixed, fixed. */
typedef struct FixedFile {
    const Source *source; /* as it was given */
    const char *text;     /* as it is now */
    size_t len;
} FixedFile;

typedef struct FixedLine {
    const char *file, *rule, *object, *what;
    int line, column; /* in the text as it was in the round that fixed it */
} FixedLine;

typedef VEC(FixedLine) FixedLines;

typedef struct FixResult {
    VEC(FixedFile) files; /* that come out changed, in the order of the sets */
    FixedLines lines;     /* what was done */
    FixedLines refused;   /* what was not, since it would have led to a new finding of severity block */
} FixResult;

/* Edits the texts of the sets in memory, again and again, until nothing is left to fix; `result` is that of
 * the last round. Afterwards the sets hold the new texts. Errors as of check_run(). */
Err *fix_run(Arena *arena, SourceSet **sets, size_t count, const CheckOptions *options, FixResult *ret_fixes,
             CheckResult *ret_result) MUST_USE;
