/* check.h — findings on migrations, without a server: pure, same input, same findings. */
#pragma once
#include "check/folder.h"
#include "check/rule.h"

typedef struct BaselineEntry {
    const char *print;
    bool used;
} BaselineEntry;

typedef VEC(BaselineEntry) Baseline;

typedef struct CheckOptions {
    bool engine_given;
    CheckEngine engine;
    const char *version;        /* as written; NULL: the oldest that its makers keep up */
    const Severity *severities; /* one for each rule, in the order of rule_at(); NULL: the rules' own */
    const char *today;          /* "2026-11-29" */
    const char *applied;        /* the last file that has been applied: a version or a file's name; NULL */
    bool down;                  /* the way back is checked instead of the way there */
    Baseline *baseline;         /* NULL */
} CheckOptions;

typedef struct CheckResult {
    VEC(Finding) findings; /* by file, then by place */
    size_t files, statements;
    size_t unknown;         /* statements that cannot be judged, at least in part */
    size_t on_new;          /* statements that hurt nobody, since an earlier file makes their table */
    size_t silenced, known; /* by comments; by the baseline */
    size_t other_way;       /* parts of files that were left out: the way back */
    size_t applied;         /* files that were read only */
    CheckTarget target;     /* of the last set */
    Tool tool;              /* the tool of most files; TOOL_NONE */
} CheckResult;

/* Checks sets one after the other; what earlier ones make is new to later ones. The texts must live as long
 * as the result. ERR_USAGE for a version that is none, and for `applied` that is no file. */
Err *check_run(Arena *arena, SourceSet *const *sets, size_t count, const CheckOptions *options,
               CheckResult *ret_result) MUST_USE;

/* baseline.c: findings as a baseline, one JSON object; and back. ERR_CONFIG for text that is none. */
char *baseline_text(const CheckResult *result) __attribute__((returns_nonnull));
Err *baseline_read(Arena *arena, const char *text, Baseline *ret_baseline) MUST_USE;
/* True for a finding that stands in it; each entry counts once. */
bool baseline_takes(Baseline *baseline, const Finding *finding);
