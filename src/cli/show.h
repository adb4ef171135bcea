/* show.h — what people see: plans, progress, status, history, the doctor's findings, the final figures. */
#pragma once
#include "cli/page.h"
#include "plan/plan.h"
#include "run/run.h"

#include <jansson.h>

/* The plan: header, every step with its SQL, locks, time and undo, then the risks. With `whole` also the
 * statements that make the sync trigger; with `rehearsal` what it predicts, of the whole and of each step. */
void show_plan(Page *page, const Plan *plan, bool whole, const json_t *rehearsal);

/* show_rehearsal.c: the figures of a rehearsal's report, one line and what there is to say against them. */
void show_rehearsal(Page *page, const json_t *rehearsal);
/* Of one of its steps, without the end of the line. */
void show_rehearsal_step(Page *page, const json_t *step);
/* Borrowed; NULL where it has no such step. */
const json_t *rehearsal_step(const json_t *rehearsal, int ordinal);
/* run_predictions()'s object. */
void show_predictions(Page *page, const json_t *predictions);

/* One row: how far, how fast, how long still, why slow. With `bar` a bar is drawn. */
void show_progress(Page *page, const Progress *progress, bool bar);
/* The same as {"v":1,"event":"progress",…}; owned by the caller. */
json_t *progress_json(const Progress *progress);
/* A row of `changes` in run_status()'s object as progress, borrowed from `change`. */
Progress progress_of_status(const json_t *change);

/* What an apply, resume or complete measured. */
void show_summary(Page *page, const char *change, const RunSummary *summary);
/* {"v":1,"summary":{…}}; owned by the caller. */
json_t *summary_json(const char *change, const RunSummary *summary);

/* run_status()'s object as a table; with `steps` each change in full instead. */
void show_status(Page *page, const json_t *status, bool steps);
/* One line for each way back of the change that has lost a value. */
void show_broken(Page *page, const json_t *change, int column);
/* run_history()'s object. */
void show_history(Page *page, const json_t *history);
/* One line of the event log; `change` NULL and `step` 0 are left out. */
void show_event(Page *page, const char *time, const char *change, int step, const char *kind,
                const char *text);
/* run_stale()'s object, the surest findings first. */
void show_stale(Page *page, const json_t *stale);
/* run_doctor()'s object. */
/* The report of run_history_verify(). */
void show_chain(Page *page, const json_t *report);
void show_doctor(Page *page, const json_t *doctor);

/* The text of a member; "" where it is missing or null. */
const char *text_of(const json_t *object, const char *key);
/* The colour that a state is shown in. */
Style style_of_state(const char *state);
/* "42" or "4–9" seconds as "4.0 s – 9.0 s"; "" when unknown; into `ret_text`. */
enum { RANGE_TEXT_BYTES = 80 };
const char *range_text(int64_t low_ms, int64_t high_ms, char *ret_text);
