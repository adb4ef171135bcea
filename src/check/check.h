/* check.h — findings on migrations: pure, same input and same answers of the server, same findings. */
#pragma once
#include "check/facts.h"
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
    /* Those for one file; the same address for the same severities. NULL: `severities` for all of them. */
    const Severity *(*severities_for)(void *context, const char *path);
    void *severities_context;
    const char *today;         /* "2026-11-29" */
    const char *applied;       /* the last file that has been applied: a version or a file's name; NULL */
    bool fixes;                /* findings tell the edits that would mend them */
    bool down;                 /* the way back is checked instead of the way there */
    Baseline *baseline;        /* NULL */
    const CheckServer *server; /* NULL: none is asked, and none is known */
} CheckOptions;

typedef struct CheckResult {
    VEC(Finding) findings; /* by file, then by place */
    size_t files, statements;
    size_t unknown;         /* statements that cannot be judged, at least in part */
    size_t on_new;          /* statements that hurt nobody, since an earlier file makes their table */
    size_t silenced, known; /* by comments; by the baseline */
    size_t other_way;       /* parts of files that were left out: the way back */
    size_t applied;         /* files that were read only */
    size_t measured;        /* statements that were tried on empty copies */
    size_t contradicted;    /* findings that the server has shown to be wrong */
    CheckTarget target;     /* of the last set */
    Tool tool;              /* the tool of most files; TOOL_NONE */
} CheckResult;

/* Reads the folders: tools, parts, order, and what has been applied by `options`. check_run() does it where
 * it was not done. ERR_USAGE for `applied` that is no file. */
Err *check_read(Arena *arena, SourceSet *const *sets, size_t count, const CheckOptions *options) MUST_USE;
/* named.c: what the statements that are to be checked speak of: tables, and whatever stands in an index's
 * place; and for PostgreSQL all that a copy of them needs. Each once. After check_read(). */
typedef struct CheckNames {
    VEC(Name) tables;
    VEC(Mention) mentions;
} CheckNames;
void check_names(Arena *arena, SourceSet *const *sets, size_t count, const CheckOptions *options,
                 const CheckTarget *target, CheckNames *ret_names);

/* Checks sets one after the other; what earlier ones make is new to later ones. The texts must live as long
 * as the result. ERR_USAGE for a version that is none, and for `applied` that is no file. */
Err *check_run(Arena *arena, SourceSet *const *sets, size_t count, const CheckOptions *options,
               CheckResult *ret_result) MUST_USE;

/* baseline.c: findings as a baseline, one JSON object; and back. ERR_CONFIG for text that is none. */
char *baseline_text(const CheckResult *result) __attribute__((returns_nonnull));
Err *baseline_read(Arena *arena, const char *text, Baseline *ret_baseline) MUST_USE;
/* True for a finding that stands in it; each entry counts once. */
bool baseline_takes(Baseline *baseline, const Finding *finding);
