/* retire.h — taking a column, an index or a table out of use, in the open: look, hide it for a while, wait,
 * drop it. What has come of it stands in the journal as events of the kind "retire", the last one counts; the
 * drop itself is an ordinary change. */
#pragma once
#include "engine/hide.h"
#include "run/run.h"

typedef struct RetireWish {
    HideKind kind;
    const char *schema, *table, *name; /* as asked for: NULL where not given */
    HideBy by;
    int64_t for_ms;
    int64_t wait_ms; /* negative: as it was, or the usual */
    const char *const *logs;
    size_t log_count;
    const char *url;       /* NULL */
    const char *keep_file; /* where the column's values go before it is dropped; NULL */
    const char *from_file; /* undo: where they come from; NULL */
    bool force;
} RetireWish;

enum { RETIRE_FOR_MS = 60000 };
#define RETIRE_WAIT_MS (7 * INT64_C(86400000))

/* Asked once before anything is hidden or dropped, with a report as below; false: ERR_STOPPED. */
typedef bool RetireConfirm(void *context, const json_t *report);

/* "orders.note", "shop.orders.note" in parts, quoted as in SQL; what is not quoted in lower case on
 * PostgreSQL. An index is "name" or "schema.name", on MySQL and MariaDB "table.name". ERR_USAGE. */
Err *retire_parse(Arena *arena, const char *text, HideKind kind, bool mysql, RetireWish *ret_wish) MUST_USE;

/* One turn: as far as it goes now. *ret_report, the caller's:
 * {"of","kind","state":"planned|waiting|in use|dropped|restored|undone|nothing","by","observed":text or null,
 *  "seen":[lines],"does":[SQL],"undo":[SQL],"blind":[…],"notes":[…],"use":{…},"wait_ms","left_ms","change"}
 * Errors: those of plan, apply and complete; ERR_UNSAFE, ERR_HELD, ERR_LOCK_BUDGET. */
Err *run_retire(const RunOptions *options, Arena *arena, const RetireWish *wish, RetireConfirm *confirm,
                void *context, json_t **ret_report) MUST_USE;
/* For a second process beside one that hides: shows again what process `pid` of this host, which is gone, has
 * hidden. *ret_left: something could not be shown yet. */
Err *run_show_again(const RunOptions *options, Arena *arena, int64_t pid, bool *ret_left) MUST_USE;
/* Takes back what was done last: a brown-out that is on, a drop that waits, or with a kept file a column that
 * was dropped. */
Err *run_retire_undo(const RunOptions *options, Arena *arena, const RetireWish *wish,
                     json_t **ret_report) MUST_USE;
