/* Statements of the server that run long: whom they wait for, how far they are, and how they end. */
#include "run/long.h"

#include "base/clock.h"

#include <string.h>

enum { LOOK_MS = 1000 };

void long_end(Runner *runner)
{
    Control *control = &runner->control;
    pthread_mutex_lock(&control->lock);
    control->ended = control->long_statement && control->watched != NULL;
    if (control->ended)
        runner->ops->cancel(control->watched);
    pthread_mutex_unlock(&control->lock);
}

/* Not worth an error: it is shown, and nothing depends on it. */
static void look_at_progress(Runner *runner, Conn *conn, Arena *arena, int64_t session)
{
    Control *control = &runner->control;
    Wait wait = {.timeout_ms = CONTROL_TIMEOUT_MS};
    const char *what = NULL;
    double part = -1;
    Err *err = runner->ops->doing(conn, &wait, arena, session, &what, &part);
    err_free(err);
    pthread_mutex_lock(&control->lock);
    int step = control->progress.step;
    bool still = control->long_statement && what != NULL;
    if (!still)
        control->doing[0] = '\0';
    else if (part < 0)
        (void)snprintf(control->doing, sizeof control->doing, "%s", what);
    else
        (void)snprintf(control->doing, sizeof control->doing, "%s, %d %%", what, (int)(part * 100));
    pthread_mutex_unlock(&control->lock);
    if (still)
        tally_only(&runner->tally, step, "stage", what, part < 0 ? 0 : (int64_t)(part * 1000));
}

/* Whom it waits for, and whether that is new. Ends it where it has waited too long, or nobody wants it any
 * more. */
static bool note_waiting(Runner *runner, const char *who)
{
    Control *control = &runner->control;
    pthread_mutex_lock(&control->lock);
    bool fresh = who != NULL && control->waiting_for[0] == '\0';
    (void)snprintf(control->waiting_for, sizeof control->waiting_for, "%s", who != NULL ? who : "");
    if (fresh || who == NULL)
        control->waiting_since_ms = clock_ms();
    bool over = who != NULL && clock_ms() - control->waiting_since_ms > control->controls.lock_wait_ms;
    /* Once only: what is left of an index is dropped by a long statement, too. */
    bool unwanted = (control->abort_requested || control->fenced) && !control->long_cancelled;
    Conn *cancel = control->long_statement && (over || unwanted) ? control->watched : NULL;
    if (cancel != NULL) {
        control->over_budget = over;
        control->long_cancelled = true;
        runner->ops->cancel(cancel);
    }
    pthread_mutex_unlock(&control->lock);
    return fresh;
}

Err *long_look(Runner *runner, Conn *conn, Arena *arena, int64_t *looked_at_ms)
{
    Control *control = &runner->control;
    pthread_mutex_lock(&control->lock);
    bool look = control->long_statement && clock_ms() - *looked_at_ms >= LOOK_MS;
    int64_t session = control->work_session;
    pthread_mutex_unlock(&control->lock);
    if (!look)
        return NULL;
    *looked_at_ms = clock_ms();
    const char *who = NULL;
    Wait wait = {.timeout_ms = CONTROL_TIMEOUT_MS};
    TRY(runner->ops->waits_for(conn, &wait, arena, session, &who));
    bool fresh = note_waiting(runner, who);
    look_at_progress(runner, conn, arena, session);
    if (!fresh)
        return NULL;
    const char *text = arena_printf(arena, "waiting for %s", who);
    runner_tell(runner, "lock_blocked", 0, NULL, text);
    return journal_event(conn, runner->change_id, "lock_blocked", 0, NULL, text);
}

void control_long_begin(Runner *runner)
{
    Control *control = &runner->control;
    control_watch(runner, runner->conn, INT64_MAX);
    pthread_mutex_lock(&control->lock);
    control->long_statement = true;
    control->long_from_ms = clock_ms();
    control->ended = false;
    control->over_budget = false;
    control->waiting_for[0] = '\0';
    control->waiting_since_ms = clock_ms();
    control->work_session = runner->ops->session_id(runner->conn);
    pthread_mutex_unlock(&control->lock);
}

bool control_long_end(Runner *runner)
{
    Control *control = &runner->control;
    pthread_mutex_lock(&control->lock);
    bool over = control->over_budget;
    runner->progress_marks += control->ended; /* no failure of its own that counts among the retries */
    control->ended = false;
    control->long_statement = false;
    control->over_budget = false;
    control->doing[0] = '\0';
    int step = control->progress.step;
    pthread_mutex_unlock(&control->lock);
    (void)control_unwatch(runner);
    tally_only(&runner->tally, step, "stage", NULL, 0);
    pthread_mutex_lock(&control->lock);
    if (!over)
        control->waiting_for[0] = '\0';
    pthread_mutex_unlock(&control->lock);
    return over;
}
