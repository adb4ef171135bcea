/* board.h — what is known of one database right now: a thread looks at the journal, everybody else reads the
 * last picture from memory. A picture never changes; a new one takes its place. */
#pragma once
#include "run/run.h"

typedef struct Board Board;

enum { PICTURE_EVENTS = 500 };

typedef struct Picture {
    int64_t number; /* rises by one with each that differs from the one before; 0: nothing was seen yet */
    int64_t event_number; /* the id of the last event; 0 */
    int64_t seen_ms;      /* clock_ms() of the last look that came through; 0: none did */
    const char *failed;   /* why the last look did not; NULL */
    int64_t failed_ms;    /* since when; 0 */
    const json_t
        *changes;         /* as in run_status(), with those that are over; read only, and not to be counted */
    const json_t *events; /* the last PICTURE_EVENTS, oldest first, each with its "id"; likewise */
    const json_t *flags;  /* as run_view_flags(); likewise */
    const json_t *plans;  /* by the change's name; likewise */
    const char *engine;   /* "postgres", "mysql", "mariadb"; "" before the first look */
    const char *server;   /* its version: "15.20" */
    const char *database;
    const char *system_id; /* of this server and timeline; "" */
    bool reads_only;       /* the journal cannot be written by this role, or on this server */
} Picture;

typedef struct BoardOptions {
    const RunOptions *run; /* must live as long as the board */
    int64_t every_ms;      /* between looks: 500 */
    bool looks_at_end;     /* once more before it is halted, so that the last picture has how all ended */
    /* After each look, on the board's thread: `fresh` with a new picture. May be NULL. */
    void (*looked)(void *context, const Picture *picture, bool fresh);
    void *context;
} BoardOptions;

/* With an empty picture. board_go() starts the thread; it connects by itself, and again whenever the
 * connection is lost. board_halt() ends it; the last picture stays until board_free(). */
Board *board_new(const BoardOptions *options) __attribute__((returns_nonnull));
Err *board_go(Board *board) MUST_USE;
void board_halt(Board *board);
void board_free(Board *board);
/* The last picture, for as long as it is held. Never NULL. From any thread. */
const Picture *board_take(Board *board) __attribute__((returns_nonnull));
void board_give(Board *board, const Picture *picture);
/* Looks at once instead of when it is time: after something was changed by us. */
void board_hurry(Board *board);

/* A change by name in a picture; NULL. */
const json_t *picture_change(const Picture *picture, const char *name);
