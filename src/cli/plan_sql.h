/* plan_sql.h — a plan as plain SQL files, for those who run it with a tool of their own. */
#pragma once
#include "cli/cli.h"
#include "plan/plan.h"

/* NULL, or ERR_UNSAFE naming the first step that only Stoa itself can carry out, and why. */
Err *plan_sql_refusal(const Plan *plan) MUST_USE;
/* Writes one file a phase into the folder, which is made, and must hold none of these files yet. */
Err *plan_sql_write(Cli *cli, const Plan *plan, int64_t max_stall_ms, const char *folder) MUST_USE;

/* plan_sql_pg.c, plan_sql_my.c: the statements of a step, with transactions and timeouts. */
typedef struct StepText {
    Arena *arena;
    const Plan *plan;
    int64_t max_stall_ms;
    int version; /* major version of PostgreSQL */
    Str *out;
} StepText;
void plan_sql_head_pg(const StepText *text);
void plan_sql_step_pg(const StepText *text, const Step *step);
void plan_sql_head_my(const StepText *text);
void plan_sql_step_my(const StepText *text, const Step *step);
/* plan_sql.c: a comment of one line each; what the step's queries look for. */
void plan_sql_comment(Str *out, const char *format, ...) PRINTF(2, 3);
