/* rehearse.h — a change carried out before production sees it: on made rows of several sizes, by the very
 * plan, with and without the application in its way, beside the way it is usually written; and what that says
 * of the source's size. */
#pragma once
#include "change/change.h"
#include "run/run.h"

#include <jansson.h>

typedef struct RehearseOptions {
    const EngineOps *ops;
    Target target;        /* the source; unused with `snapshot` */
    const char *snapshot; /* the text of a snapshot; NULL */
    const char *on;       /* a staging server; NULL: a private one */
    int64_t row_count;    /* the greatest size; 0: by share */
    double share;         /* of the source's rows; 0: the usual one */
    double rate;          /* statements a second; 0: the source's */
    bool faults;          /* kills the plan's process half-way, too, and has another one go on */
    int64_t sample_ms;    /* how long the source's counters are watched */
    const Change *change;
    const RunOptions *run; /* how the plan is made and carried out */
    const Stop *stop;
    void (*say)(void *context, const char *line); /* one line of talk; may be NULL */
    void *context;
} RehearseOptions;

/* *ret_json (the caller's) is the object of `stoa rehearse --json`. Nothing is written to the source, and
 * nothing is left of the server that it is done on. Errors: ERR_CONFIG where no server of that version is
 * installed, the disk is too small or there are no statistics, ERR_UNSAFE for what cannot be rehearsed, and
 * what the change met. */
Err *rehearse_run(const RehearseOptions *options, Arena *arena, json_t **ret_json) MUST_USE;
/* What rehearse_run would read, masked, as the text of a file; `change` NULL: all tables. The caller frees.
 */
Err *rehearse_snapshot(const RehearseOptions *options, Arena *arena, char **ret_text) MUST_USE;

/* "mariadb://" and its like, of the server that a snapshot is of; NULL: it is no snapshot. Static. */
const char *rehearse_snapshot_scheme(const char *text);

/* The object for people: aligned text, or Markdown for a pull request; in `arena`. */
char *rehearse_text(Arena *arena, const json_t *json) __attribute__((returns_nonnull));
char *rehearse_markdown(Arena *arena, const json_t *json) __attribute__((returns_nonnull));
/* One page with charts, which fetches nothing; `chart_js` is Chart.js as text. */
char *rehearse_html(Arena *arena, const json_t *json, const char *chart_js, size_t chart_js_len)
    __attribute__((returns_nonnull));
