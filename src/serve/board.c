/* One thread that looks, and pictures that are counted. */
#include "serve/board.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/my_server.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 1000, SERVER_TEXTS = 4 };

/* A picture with what it is made of. */
typedef struct Frame {
    Picture picture;
    json_t *changes, *events, *flags, *plans;
    char *failed;
    char *texts[SERVER_TEXTS]; /* engine, server, database, system_id */
    int holders;               /* under the board's lock */
} Frame;

struct Board {
    BoardOptions options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool going, quit, hurry;
    Frame *frame; /* the board holds it, too */
};

/* ---- frames --------------------------------------------------------------------------------- */

static Frame *frame_new(json_t *changes, json_t *events, json_t *flags, json_t *plans)
{
    Frame *frame = mem_zero(sizeof *frame);
    frame->changes = changes;
    frame->events = events;
    frame->flags = flags;
    frame->plans = plans;
    for (size_t i = 0; i < SERVER_TEXTS; i++)
        frame->texts[i] = mem_dup("");
    frame->holders = 1;
    return frame;
}

static void frame_free(Frame *frame)
{
    json_decref(frame->changes);
    json_decref(frame->events);
    json_decref(frame->flags);
    json_decref(frame->plans);
    free(frame->failed);
    for (size_t i = 0; i < SERVER_TEXTS; i++)
        free(frame->texts[i]);
    free(frame);
}

static void frame_seal(Frame *frame)
{
    frame->picture.changes = frame->changes;
    frame->picture.events = frame->events;
    frame->picture.flags = frame->flags;
    frame->picture.plans = frame->plans;
    frame->picture.failed = frame->failed;
    frame->picture.engine = frame->texts[0];
    frame->picture.server = frame->texts[1];
    frame->picture.database = frame->texts[2];
    frame->picture.system_id = frame->texts[3];
    size_t count = json_array_size(frame->events);
    if (count > 0)
        frame->picture.event_number =
            json_integer_value(json_object_get(json_array_get(frame->events, count - 1), "id"));
}

const Picture *board_take(Board *board)
{
    pthread_mutex_lock(&board->lock);
    Frame *frame = board->frame;
    frame->holders++;
    pthread_mutex_unlock(&board->lock);
    return &frame->picture;
}

void board_give(Board *board, const Picture *picture)
{
    Frame *frame = (Frame *)(uintptr_t)picture; /* its first member */
    pthread_mutex_lock(&board->lock);
    bool last = --frame->holders == 0;
    pthread_mutex_unlock(&board->lock);
    if (last)
        frame_free(frame);
}

static void put(Board *board, Frame *frame)
{
    frame_seal(frame);
    pthread_mutex_lock(&board->lock);
    Frame *before = board->frame;
    board->frame = frame;
    pthread_mutex_unlock(&board->lock);
    board_give(board, &before->picture);
}

/* ---- looking -------------------------------------------------------------------------------- */

/* Events that were there before, without those that are too many, and the new ones. Numbers are given before
 * they are committed, so a lower one may come after a higher one: each look reads a few again. */
static json_t *join_events(const json_t *before, const json_t *fresh)
{
    enum { AGAIN = 50 };
    json_t *all = json_array(), *event = NULL;
    size_t i = 0, old = json_array_size(before);
    json_int_t first = json_integer_value(json_object_get(json_array_get(fresh, 0), "id"));
    for (size_t j = 0; j < old; j++)
        if (json_array_size(fresh) == 0 ||
            json_integer_value(json_object_get(json_array_get(before, j), "id")) < first)
            (void)json_array_append(all, json_array_get(before, j));
    json_array_foreach(fresh, i, event)(void) json_array_append(all, event);
    while (json_array_size(all) > PICTURE_EVENTS + AGAIN)
        (void)json_array_remove(all, 0);
    return all;
}

/* Where to read on from: a few before the last one. */
static int64_t read_from(const json_t *events)
{
    enum { AGAIN = 20 };
    size_t count = json_array_size(events);
    if (count == 0)
        return -PICTURE_EVENTS;
    size_t at = count > AGAIN ? count - AGAIN : 0;
    return json_integer_value(json_object_get(json_array_get(events, at), "id")) - 1;
}

static void take_texts(Frame *frame, const char *const *texts)
{
    for (size_t i = 0; i < SERVER_TEXTS; i++) {
        free(frame->texts[i]);
        frame->texts[i] = mem_dup(texts[i] == NULL ? "" : texts[i]);
    }
}

static void take_server(Arena *arena, Frame *frame, const Server *server)
{
    bool mariadb = server->my != NULL && server->my->mariadb;
    const char *texts[SERVER_TEXTS] = {
        mariadb ? "mariadb" : server->engine, server->version, server->database,
        arena_printf(arena, "%s/%lld", server->system_id, (long long)server->timeline)};
    take_texts(frame, texts);
    frame->picture.reads_only = !server->may_use_journal || server->in_recovery || server->read_only;
}

static void looked(Board *board, bool fresh)
{
    if (board->options.looked == NULL)
        return;
    const Picture *picture = board_take(board);
    board->options.looked(board->options.context, picture, fresh);
    board_give(board, picture);
}

static Err *look(Board *board, RunView *view, Arena *arena)
{
    const Frame *before = board->frame; /* only this thread puts another one */
    json_t *changes = NULL, *fresh = NULL;
    TRY(run_view_look(view, arena, read_from(before->events), &changes, &fresh));
    json_t *events = join_events(before->events, fresh);
    json_decref(fresh);
    json_t *plans = json_copy((json_t *)(uintptr_t)run_view_plans(view)); /* the next look adds to them */
    Frame *frame = frame_new(changes, events, json_incref((json_t *)(uintptr_t)run_view_flags(view)),
                             plans != NULL ? plans : json_object());
    take_server(arena, frame, run_view_server(view));
    bool same = before->picture.seen_ms > 0 && before->failed == NULL &&
                json_equal(changes, before->changes) && json_equal(events, before->events) &&
                json_equal(frame->flags, before->flags);
    frame->picture.number = before->picture.number + !same;
    frame->picture.seen_ms = clock_ms();
    put(board, frame);
    looked(board, !same);
    return NULL;
}

/* What was known stays, with the reason why nothing newer is. */
static void look_failed(Board *board, const Err *err)
{
    const Frame *before = board->frame;
    char *text = err_text(err);
    bool same = before->failed != NULL && str_eq(before->failed, text);
    if (same) {
        free(text);
        looked(board, false);
        return;
    }
    log_line(LOG_WARN, "cannot look at the journal: %s", text);
    Frame *frame = frame_new(json_incref(before->changes), json_incref(before->events),
                             json_incref(before->flags), json_incref(before->plans));
    take_texts(frame, (const char *const *)before->texts);
    frame->failed = text;
    frame->picture.reads_only = before->picture.reads_only;
    frame->picture.number = before->picture.number + 1;
    frame->picture.seen_ms = before->picture.seen_ms;
    frame->picture.failed_ms = before->picture.failed_ms > 0 ? before->picture.failed_ms : clock_ms();
    put(board, frame);
    looked(board, true);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static bool rest(Board *board, int64_t ms)
{
    struct timespec until = clock_after(ms);
    pthread_mutex_lock(&board->lock);
    int late = 0;
    while (!board->quit && !board->hurry && late == 0)
        late = pthread_cond_timedwait(&board->wake, &board->lock, &until);
    board->hurry = false;
    bool on = !board->quit;
    pthread_mutex_unlock(&board->lock);
    return on;
}

static void *board_main(void *argument)
{
    Board *board = argument;
    RunView *view = NULL;
    Arena *arena = arena_new();
    bool on = true;
    while (on) {
        Err *err = view == NULL ? run_view_open(board->options.run, &view) : NULL;
        if (err == NULL)
            err = look(board, view, arena);
        bool failed = err != NULL;
        if (failed) {
            look_failed(board, err);
            err_free(err);
            run_view_close(view);
            view = NULL;
        }
        arena_clear(arena);
        on = rest(board, failed ? RETRY_MS : board->options.every_ms);
    }
    if (board->options.looks_at_end && view != NULL) {
        Err *err = look(board, view, arena);
        if (err != NULL)
            look_failed(board, err);
        err_free(err);
    }
    run_view_close(view);
    arena_free(arena);
    return NULL;
}

Board *board_new(const BoardOptions *options)
{
    Board *board = mem_zero(sizeof *board);
    board->options = *options;
    board->frame = frame_new(json_array(), json_array(), json_array(), json_object());
    frame_seal(board->frame);
    (void)pthread_mutex_init(&board->lock, NULL);
    clock_condition_init(&board->wake);
    return board;
}

Err *board_go(Board *board)
{
    if (pthread_create(&board->thread, NULL, board_main, board) != 0)
        return err_new(ERR_IO, "cannot start the thread that looks at the journal");
    board->going = true;
    return NULL;
}

void board_hurry(Board *board)
{
    pthread_mutex_lock(&board->lock);
    board->hurry = true;
    pthread_cond_broadcast(&board->wake);
    pthread_mutex_unlock(&board->lock);
}

void board_halt(Board *board)
{
    if (!board->going)
        return;
    pthread_mutex_lock(&board->lock);
    board->quit = true;
    pthread_cond_broadcast(&board->wake);
    pthread_mutex_unlock(&board->lock);
    (void)pthread_join(board->thread, NULL);
    board->going = false;
}

void board_free(Board *board)
{
    frame_free(board->frame);
    (void)pthread_mutex_destroy(&board->lock);
    (void)pthread_cond_destroy(&board->wake);
    free(board);
}

const json_t *picture_change(const Picture *picture, const char *name)
{
    size_t i = 0;
    json_t *change = NULL;
    const json_t *found = NULL;
    json_array_foreach(picture->changes, i,
                       change) if (str_eq(json_string_value(json_object_get(change, "name")), name)) found =
        change;
    return found; /* the newest of that name */
}
