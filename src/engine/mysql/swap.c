/* One attempt at the cutover: its sessions, its time, and what is said of how it ended. */
#include "engine/mysql/swap.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/stop.h"
#include "base/str.h"
#include "engine/mysql/capture_parts.h"
#include "engine/mysql/error.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/session.h"
#include "engine/mysql/shadow_my.h"
#include "engine/mysql/swap_parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_MS = 5000,
    TIDY_MS = 5000,   /* each statement after the attempt */
    LONG_SECONDS = 1, /* who has held the tables for so long is not waited for */
    GAP_TRIES = 60,
    GAP_STEP_MS = 6, /* between them, at most */
};
/* Shares of max_stall_ms, from its beginning. What follows the last one is the RENAME itself, which nothing
 * ends any more once it commits: 30 to 90 ms on MySQL 9.7 beside a busy application. */
static const double share_queue = 0.3, share_drain = 0.55, share_snapshots = 0.62;

/* ---- steps
 * -------------------------------------------------------------------------------------------------
 */

int64_t swap_left(const Attempt *a, double share)
{
    int64_t left = a->begun_ms + (int64_t)((double)a->request->max_stall_ms * share) - clock_ms();
    return left < 1 ? 1 : left;
}

Err *swap_pause(Attempt *a, int64_t ms)
{
    const Stop *stop = a->wait == NULL ? NULL : a->wait->stop;
    int64_t until_ms = clock_ms() + ms;
    if (a->request->meanwhile != NULL)
        TRY(a->request->meanwhile(a->request->context, until_ms));
    int64_t left_ms = until_ms - clock_ms();
    if (left_ms > 0)
        stop_sleep(stop, left_ms);
    return stop_check(stop);
}

void swap_not_done(Attempt *a, const char *who, bool old_snapshot)
{
    a->result->done = false;
    a->result->blocker = who;
    a->result->old_snapshot = old_snapshot;
}

static bool is_passing(const Err *err)
{
    return err_is(err, ERR_CANCELLED) || err_is(err, ERR_LOCK_TIMEOUT) || err_is(err, ERR_DEADLOCK);
}

/* A transaction that has read the table and goes on to write it, while LOCK TABLES waits for it to end, is a
 * deadlock that the server ends at the application's cost. So the lock is first asked for without waiting,
 * where the server can be told so (MariaDB), or when no such transaction is seen (MySQL with
 * performance_schema). */
static bool has_nowait(const Attempt *a) { return flavor_is_mariadb(my_flavor(a->lock)); }

/* If this process is stopped while it holds the lock, the server ends the session. */
static Err *arm(const Attempt *a)
{
    return my_exec(a->lock, a->wait,
                   arena_printf(a->arena, "SET SESSION wait_timeout = %lld",
                                (long long)(a->request->max_stall_ms + 999) / 1000));
}

static Err *try_now(Attempt *a, const Wait *wait, const char *sql, bool *ret_locked)
{
    TRY(arm(a));
    int64_t begun = clock_ms();
    trigger_capture_hold(a->spec->change_id, true);
    Err *err = my_exec(a->lock, wait, arena_printf(a->arena, "%s NOWAIT", sql));
    *ret_locked = err == NULL;
    if (err == NULL)
        a->begun_ms = begun;
    else
        trigger_capture_hold(a->spec->change_id, false);
    if (err != NULL && !is_passing(err))
        return err;
    err_free(err);
    return NULL;
}

/* Until it is granted at once, or ret_clear: nobody would become a victim of an attempt that waits. */
static Err *find_gap(Attempt *a, const char *sql, bool *ret_locked, bool *ret_clear)
{
    Wait wait = {.stop = a->wait == NULL ? NULL : a->wait->stop, .timeout_ms = CONNECT_MS};
    *ret_locked = *ret_clear = false;
    for (int i = 0; i < GAP_TRIES; i++) {
        bool seen = true;
        if (has_nowait(a))
            TRY(try_now(a, &wait, sql, ret_locked));
        else
            TRY(my_sees_reader(a->control, &wait, a->spec->schema, a->spec->source, &seen));
        *ret_clear = !seen;
        if (*ret_locked || *ret_clear)
            return NULL;
        TRY(swap_pause(a, 1 + random() % GAP_STEP_MS));
    }
    return NULL;
}

static Err *name_holder(Attempt *a)
{
    const char *who = NULL;
    TRY(swap_holder(a, 0, true, &who));
    swap_not_done(a,
                  who != NULL
                      ? who
                      : arena_printf(a->arena, "transactions on %s that ended after %lld ms of waiting",
                                     a->source, (long long)a->result->waited_ms),
                  false);
    return NULL;
}

static Err *queue_lock(Attempt *a, const char *sql, bool *ret_locked)
{
    TRY(arm(a));
    trigger_capture_hold(a->spec->change_id, true);
    a->begun_ms = clock_ms();
    Wait wait = {.stop = a->wait == NULL ? NULL : a->wait->stop, .timeout_ms = swap_left(a, share_queue)};
    Err *err = my_exec(a->lock, &wait, sql);
    a->result->waited_ms = clock_ms() - a->begun_ms;
    *ret_locked = err == NULL;
    if (err == NULL || !is_passing(err))
        return err;
    err_free(err);
    return name_holder(a);
}

Err *swap_lock(Attempt *a, const char *const *tables, size_t count, bool *ret_go)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    for (size_t i = 0; i < count; i++)
        str_addf(&sql, "%s%s WRITE", i == 0 ? "LOCK TABLES " : ", ", tables[i]);
    bool clear = false;
    TRY(find_gap(a, sql.buf, ret_go, &clear));
    if (!*ret_go && !clear && a->request->gentle)
        return name_holder(a);
    if (!*ret_go)
        TRY(queue_lock(a, sql.buf, ret_go));
    if (*ret_go)
        a->granted_ms = clock_ms();
    return NULL;
}

Err *swap_drain(Attempt *a, bool *ret_go)
{
    *ret_go = false;
    const char *who = NULL;
    TRY(swap_check_locked(a, &who));
    if (who != NULL) {
        swap_not_done(a, who, false);
        return NULL;
    }
    int64_t begun = clock_ms(), deadline = begun + swap_left(a, share_drain);
    CLEANUP(err_freep) Err *err = a->request->drain(a->request->context, a->lock, deadline);
    int64_t took = clock_ms() - begun;
    if (err != NULL && !is_passing(err)) {
        Err *real = err;
        err = NULL;
        return real;
    }
    if (err != NULL || clock_ms() > deadline) {
        swap_not_done(
            a, arena_printf(a->arena, "the last changes, which took more than %lld ms", (long long)took),
            false);
        return NULL;
    }
    TRY(failpoint_at("swap_drained"));
    if (!a->request->allow_old_snapshots)
        TRY(swap_snapshots(a, clock_ms() + swap_left(a, share_snapshots), &who));
    if (who != NULL) {
        swap_not_done(a, who, true);
        return NULL;
    }
    *ret_go = true;
    return failpoint_at("swap_snapshots");
}

Err *swap_holds(Attempt *a)
{
    Wait wait = {.timeout_ms = swap_left(a, 1)};
    const char *other = my_name(a->arena, a->spec->schema, "stoa: not locked");
    Rows rows = {0};
    Err *err =
        my_query(a->lock, &wait, a->arena, arena_printf(a->arena, "SELECT 1 FROM %s", other), 0, NULL, &rows);
    if (err != NULL && err->server_errno == MY_ER_TABLE_NOT_LOCKED) {
        err_free(err);
        return NULL;
    }
    if (err_is(err, ERR_CONN_LOST) || err_is(err, ERR_CANCELLED))
        return err;
    err_free(err);
    return err_new(ERR_BUG, "the session that locked %s does not hold it any more", a->source);
}

void swap_unlock(Attempt *a)
{
    if (a->granted_ms == 0)
        return;
    Wait wait = {.timeout_ms = TIDY_MS};
    Err *err = my_exec(a->lock, &wait, "UNLOCK TABLES");
    if (err != NULL)
        my_closep(&a->lock);
    err_free(err);
    a->result->locked_ms = clock_ms() - a->granted_ms;
}

/* ---- sessions
 * ----------------------------------------------------------------------------------------------
 */

static Err *open_session(Attempt *a, const char *purpose, SwapRole role, Conn **ret_conn)
{
    Wait wait = {.stop = a->wait == NULL ? NULL : a->wait->stop, .timeout_ms = CONNECT_MS};
    TRY(my_connect(a->target, purpose, &wait, ret_conn));
    my_arm_by(*ret_conn, a->control);
    TRY(my_exec(*ret_conn, &wait, "SET SESSION lock_wait_timeout = 1"));
    Rows rows = {0};
    const char *name = swap_role_name(a->arena, a->spec, role);
    TRY(my_query(*ret_conn, &wait, a->arena,
                 arena_printf(a->arena, "SELECT GET_LOCK(%s, 0)", my_literal(*ret_conn, a->arena, name)), 0,
                 NULL, &rows));
    if (!rows_bool(&rows, 0, 0))
        return err_new(ERR_HELD, "another session swaps %s", a->source);
    return NULL;
}

static Err *open_sessions(Attempt *a)
{
    TRY(open_session(a, "swap lock", SWAP_ROLE_LOCK, &a->lock));
    return open_session(a, "swap", SWAP_ROLE_SECOND, &a->second);
}

/* ---- the outcome
 * -------------------------------------------------------------------------------------------
 */

static Err *state_error(const Attempt *a)
{
    Err *err = err_new(ERR_AMBIGUOUS, "%s, %s and %s are neither as before the cutover nor as behind it",
                       a->source, a->shadow, a->old);
    return err_hint(err,
                    "look at SHOW TABLE STATUS: the table with all rows is to be called %s, by RENAME TABLE",
                    a->source);
}

/* Looks with the control session, or where that is lost, with another one. */
static Err *look(Attempt *a, SwapState *ret_state)
{
    Wait wait = {.timeout_ms = TIDY_MS};
    Err *err = my_swap_state(a->control, &wait, a->arena, a->spec, ret_state);
    Conn *conn = a->control;
    CLEANUP(my_closep) Conn *other = NULL;
    if (err_is(err, ERR_CONN_LOST)) {
        err_free(err);
        TRY(my_connect(a->target, "swap", &wait, &other));
        conn = other;
        err = my_swap_state(conn, &wait, a->arena, a->spec, ret_state);
    }
    if (err == NULL && *ret_state == SWAP_NOT_DONE)
        err = my_swap_clear(conn, &wait, a->spec);
    return err;
}

/* A RENAME that is cut off while it reads the table's triggers says that one of them is empty (seen on
 * MariaDB 10.11, as 1064 as well; the triggers are lost then). */
static bool is_cut_off(const Err *err)
{
    return err->server_errno == MY_ER_TRIGGER_BODY || err->server_errno == MY_ER_UNKNOWN_TRIGGER_BODY ||
           err->server_errno == MY_ER_PARSE;
}

/* What an attempt has come to; takes over `err`. */
static Err *settle(Attempt *a, Err *err)
{
    if (a->result->done) {
        err_free(err);
        return NULL;
    }
    SwapState state = SWAP_UNKNOWN;
    Err *blind = look(a, &state);
    if (blind != NULL) {
        err_free(err);
        bool is_lost = err_is(blind, ERR_CONN_LOST) || err_is(blind, ERR_CONNECT);
        blind = err_wrap(blind, "what became of the cutover of %s is not known", a->source);
        if (is_lost)
            blind->kind = ERR_CONN_LOST;
        return blind;
    }
    if (state == SWAP_DONE) {
        a->result->done = true;
        a->result->blocker = NULL;
        err_free(err);
        return NULL;
    }
    if (state == SWAP_UNKNOWN) {
        err_free(err);
        return state_error(a);
    }
    if (err != NULL && (is_passing(err) || is_cut_off(err) || err_is(err, ERR_CONN_LOST))) {
        char *text = err_text(err);
        swap_not_done(a, arena_dup(a->arena, text), false);
        free(text);
        err_free(err);
        return NULL;
    }
    return err;
}

/* Not the first table of the statement, so that whoever waits for "a table" waits for the source. */
static Err *check_names(const Attempt *a)
{
    const ShadowSpec *spec = a->spec;
    if (strcmp(spec->source, spec->shadow) < 0 && strcmp(spec->source, spec->old) < 0)
        return NULL;
    return err_new(ERR_UNSAFE, "%s and %s must have names that sort after that of %s", a->shadow, a->old,
                   a->source);
}

/* Costs the application nothing, and is most of what happens while somebody sits on the table. */
static Err *look_first(Attempt *a, bool *ret_go)
{
    const char *who = NULL;
    TRY(swap_holder(a, LONG_SECONDS, false, &who));
    *ret_go = who == NULL;
    if (who != NULL)
        swap_not_done(a, who, false);
    return NULL;
}

static Err *attempt(Attempt *a)
{
    TRY(check_names(a));
    TRY(swap_check_around(a));
    if (!a->request->allow_old_snapshots)
        TRY(swap_may_see(a));
    bool go = false;
    TRY(look_first(a, &go));
    if (!go)
        return NULL;
    TRY(swap_carry_counter(a));
    TRY(open_sessions(a));
    TRY(my_shadow_ready(a->lock, a->wait, a->spec));
    TRY(failpoint_at("swap_opened"));
    if (!a->request->allow_old_snapshots)
        TRY(swap_long_snapshot(a, &go));
    if (!go)
        return NULL;
    return flavor_can(my_flavor(a->control), FACT_RENAME_UNDER_LOCK) ? swap_by_lock(a) : swap_by_sentry(a);
}

Err *my_swap(const Target *target, Conn *conn, const Wait *wait, Arena *arena, const SwapRequest *request,
             SwapResult *ret_result)
{
    const ShadowSpec *spec = request->spec;
    SwapResult result = {0};
    Attempt a = {.target = target,
                 .control = conn,
                 .wait = wait,
                 .arena = arena,
                 .request = request,
                 .spec = spec,
                 .source = my_name(arena, spec->schema, spec->source),
                 .shadow = my_name(arena, spec->schema, spec->shadow),
                 .old = my_name(arena, spec->schema, spec->old),
                 .result = &result};
    SwapState state = SWAP_UNKNOWN;
    TRY(my_swap_state(conn, wait, arena, spec, &state));
    if (state == SWAP_UNKNOWN)
        return state_error(&a);
    result.done = state == SWAP_DONE;
    if (!result.done) {
        TRY(my_swap_clear(conn, wait, spec));
        Err *err = attempt(&a);
        trigger_capture_hold(spec->change_id, false);
        my_closep(&a.lock);
        my_closep(&a.second);
        TRY(settle(&a, err));
    }
    *ret_result = result;
    return NULL;
}
