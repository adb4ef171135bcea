/* retire_parts.h — what the files of retire share. Private to run/. */
#pragma once
#include "run/retire.h"
#include "run/runner.h"

/* What a retirement is about, as the server has it. */
typedef struct Subject {
    HideKind kind;
    const char *schema, *table, *name; /* name NULL: the table */
    const char *of;                    /* "public.orders.note" */
    const char *change;                /* name of the change that drops it */
    Table there;                       /* kind RELATION_MISSING where it is gone */
    const Column *column;              /* NULL where it is gone */
    const Server *server;
    bool mysql;
} Subject;

/* Where it stands. */
typedef struct Standing {
    json_t *last;      /* the newest event's detail; NULL: none */
    int64_t age_ms;    /* of it */
    const char *state; /* "" where there is none */
    int dropped_count; /* how often it was dropped before */
} Standing;

/* One run of `stoa retire`. */
typedef struct Turn {
    const RunOptions *options;
    Runner runner;
    Arena *arena;
    const RetireWish *wish;
    Subject subject;
    Standing standing;
    RetireConfirm *confirm;
    void *context;
    json_t *report, *notes;
    const char *observed; /* what was looked at; NULL */
    Use use;
    bool use_asked; /* the server can be asked */
} Turn;

/* retire_look.c */
json_t *turn_texts(const char *const *items, size_t count);
/* A member of the report; `value` is taken. */
void turn_put(Turn *turn, const char *key, json_t *value);
void turn_add_note(Turn *turn, const char *text);
/* What the server remembers of its use: into turn->use, and "use" of the report. */
Err *turn_use(Turn *turn) MUST_USE;
/* ERR_UNSAFE: no INSERT could leave it out. */
Err *turn_may_be_left_out(const Turn *turn) MUST_USE;
/* Plans the drop: ERR_UNSAFE names what stands on it, and risks that were not accepted. */
Err *turn_plan(Turn *turn) MUST_USE;
HideRequest turn_request(const Turn *turn);
/* ERR_UNSAFE where somebody would not notice. */
Err *turn_hiding(Turn *turn, HidePlan *ret_hide) MUST_USE;

/* retire_parts.c */
/* ERR_USAGE where there is nothing of that name, and never was. */
Err *subject_find(Runner *runner, Arena *arena, const RetireWish *wish, Subject *ret_subject,
                  Standing *ret_standing) MUST_USE;
void standing_done(Standing *standing);
/* The event; `detail` is joined by of, kind and state, and taken. */
Err *retire_note(Runner *runner, const Subject *subject, const char *state, json_t *detail,
                 const char *text) MUST_USE;
/* The change that drops it. */
Err *retire_drop_change(Arena *arena, const Subject *subject, Change *ret_change) MUST_USE;
/* A change with this text under this name. */
Err *retire_change(Arena *arena, const Server *server, const char *sql, const char *name,
                   Change *ret_change) MUST_USE;
/* The name that stands for it in changes' names: "orders-note". */
const char *retire_slug(Arena *arena, const Subject *subject) __attribute__((returns_nonnull));

/* keep_data.c */
/* Saves key and value of every row of the column, in one snapshot; the figures are for the report. */
Err *keep_save(Runner *runner, Arena *arena, const Subject *subject, const char *file,
               json_t **ret_figures) MUST_USE;
/* Whether the values are still those of the file: ERR_VERIFY with how many rows differ. */
Err *keep_check(Runner *runner, Arena *arena, const Subject *subject, const char *file) MUST_USE;
/* keep_restore.c */
/* Adds the column again and fills it from the file, in short transactions; what is there already is left as
 * it is, so that it may be called again. `times` makes its changes' names. */
Err *keep_restore(const RunOptions *options, Runner *runner, Arena *arena, const Subject *subject, int times,
                  const char *file, json_t **ret_figures) MUST_USE;
