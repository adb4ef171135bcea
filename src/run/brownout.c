/* Brown-outs: begun, ended, and found by others. */
#include "run/brownout.h"
#include "run/retire.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PREFIX "brownout:"

enum {
    PLANS_MAX = 5,     /* made anew, where privileges change under our hands */
    PAUSE_MS = 10,     /* between attempts that do not wait, plus as much at random */
    QUEUE_EVERY = 40,  /* of so many attempts one may wait in the queue */
    STALL_SHARE = 100, /* such a wait is paid for with so many times its length */
    EXPIRE_BUDGET_MS = 2000,
    GRACE_MS = 2000, /* whoever looks on ends it himself */
    TOLD_EVERY_MS = 60000,
};

const char *brownout_key(Arena *arena, const char *schema, const char *table)
{
    return arena_printf(arena, PREFIX "%s", sql_name(arena, schema, table));
}

static bool in_transactions(const Runner *runner)
{
    return (runner->ops->features & ENGINE_TRANSACTIONAL_DDL) != 0;
}

static const char *number(Arena *arena, int64_t value)
{
    return arena_printf(arena, "%lld", (long long)value);
}

/* ---- the lease ------------------------------------------------------------------------------ */

static Err *lock_lease(Runner *runner, Arena *arena, const char *const *keys, size_t count, Rows *ret_rows)
{
    Wait wait = journal_wait();
    const char *sql = journal_fill(arena, runner->ops->journal_sql(JOURNAL_LEASES_LOCK), "keys",
                                   journal_numbers(arena, 1, count));
    return runner->ops->query(runner->conn, &wait, arena, sql, count, keys, ret_rows);
}

/* *ret_expires as lease_outlive wants it. */
static Err *refuse_held(const Rows *rows, const char *key, const char **ret_expires)
{
    for (size_t i = 0; i < rows->row_count; i++) {
        const char *at = rows_cell(rows, i, 0), *host = rows_cell(rows, i, 2), *pid = rows_cell(rows, i, 3);
        if (rows_cell(rows, i, 1) == NULL)
            continue;
        if (str_eq(at, key))
            return err_hint(err_new(ERR_HELD, "a brown-out of %s is on already: host %s, pid %s, since %s",
                                    at + strlen(PREFIX), host, pid, rows_cell(rows, i, 4)),
                            "wait for its end, or end it: stoa retire … --undo");
        if (!rows_bool(rows, i, 5))
            continue;
        *ret_expires = lease_dead_expires(rows, i);
        return err_hint(err_new(ERR_HELD, "\"%s\" is being changed: host %s, pid %s, since %s", at, host, pid,
                                rows_cell(rows, i, 4)),
                        "follow it with: stoa watch");
    }
    return NULL;
}

static Err *seize(Runner *runner, Arena *arena, const char *key, int64_t for_ms, Brownout *ret_brownout)
{
    char host[LEASE_HOST_BYTES], holder[LEASE_HOLDER_BYTES];
    Wait wait = journal_wait();
    Rows rows = {0};
    lease_own_host(host);
    lease_make_holder(holder);
    const char *const params[] = {holder, host, number(arena, getpid()), NULL, number(arena, for_ms), key};
    const char *sql = journal_fill(arena, runner->ops->journal_sql(JOURNAL_SEIZE_LEASES), "keys",
                                   journal_numbers(arena, 6, 1));
    TRY(runner->ops->query(runner->conn, &wait, arena, sql, ARRAY_LEN(params), params, &rows));
    *ret_brownout =
        (Brownout){.key = key, .holder = arena_dup(arena, holder), .epoch = rows_cell(&rows, 0, 1)};
    return NULL;
}

/* Its end is so far away from now; it must still be ours. */
static Err *renew(Runner *runner, Arena *arena, const Brownout *brownout, int64_t for_ms)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_RENEW_LEASES),
                    brownout->holder, number(arena, for_ms)));
    return rows.affected == 1 ? NULL
                              : err_new(ERR_FENCED, "somebody else has ended the brown-out of %s",
                                        brownout->key + strlen(PREFIX));
}

static Err *release(Runner *runner, Arena *arena, const char *holder)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    return conn_params(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_RELEASE_LEASES),
                       holder);
}

/* ---- events --------------------------------------------------------------------------------- */

static json_t *texts(const char *const *items, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(items[i]));
    return list;
}

static Err *note_begun(Runner *runner, const Brownout *brownout, const HidePlan *plan, const char *of,
                       int64_t for_ms)
{
    json_t *detail =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:o, s:o}", "state", "begun", "key", brownout->key,
                  "epoch", brownout->epoch, "of", of, "by", hide_by_name(plan->by), "for_ms",
                  (json_int_t)for_ms, "body", plan->body, "does", texts(plan->sql, plan->sql_count), "undo",
                  texts(plan->undo_sql, plan->undo_count));
    char span[UNIT_TEXT_BYTES];
    CLEANUP(str_donep) Str text = STR_INIT;
    str_addf(&text, "brown-out of %s by %s for %s", of, hide_by_name(plan->by),
             unit_duration_text(for_ms, span));
    Err *err = journal_event(runner->conn, 0, "brownout", 0, detail, text.buf);
    json_decref(detail);
    return err;
}

static Err *note(Runner *runner, const char *key, const char *epoch, const char *state, const char *text)
{
    json_t *detail = json_pack("{s:s, s:s, s:s}", "state", state, "key", key, "epoch", epoch);
    Err *err = journal_event(runner->conn, 0, "brownout", 0, detail, text);
    json_decref(detail);
    return err;
}

/* What was journalled when this one began. */
static Err *load_begun(Runner *runner, Arena *arena, const char *key, const char *epoch,
                       const char **ret_body)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    *ret_body = NULL;
    TRY(conn_query(runner->conn, &wait, arena, &rows,
                   "SELECT detail FROM stoa.events WHERE kind = 'brownout' ORDER BY id DESC"));
    for (size_t i = 0; i < rows.row_count && *ret_body == NULL; i++) {
        const char *cell = rows_cell(&rows, i, 0);
        json_t *detail = cell == NULL ? NULL : json_loads(cell, 0, NULL);
        const char *body = json_string_value(json_object_get(detail, "body"));
        if (body != NULL && str_eq(json_string_value(json_object_get(detail, "key")), key) &&
            str_eq(json_string_value(json_object_get(detail, "epoch")), epoch))
            *ret_body = arena_dup(arena, body);
        json_decref(detail);
    }
    return *ret_body != NULL ? NULL
                             : err_new(ERR_AMBIGUOUS, "the journal does not say what the brown-out of %s was",
                                       key + strlen(PREFIX));
}

/* ---- begun ---------------------------------------------------------------------------------- */

typedef struct Begin {
    const char *key, *of;
    const HidePlan *plan;
    int64_t for_ms;
    Brownout *ret;
} Begin;

static Err *register_in_tx(Runner *runner, Arena *arena, const Begin *begin, const char **ret_expires)
{
    const char *const keys[] = {begin->key, begin->key + strlen(PREFIX)};
    Wait wait = journal_wait();
    Rows rows = {0}, ignored = {0};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        TRY(conn_params(runner->conn, &wait, arena, &ignored, runner->ops->journal_sql(JOURNAL_ADD_LEASE),
                        keys[i]));
    TRY(lock_lease(runner, arena, keys, ARRAY_LEN(keys), &rows));
    TRY(refuse_held(&rows, begin->key, ret_expires));
    TRY(seize(runner, arena, begin->key, begin->for_ms, begin->ret));
    TRY(note_begun(runner, begin->ret, begin->plan, begin->of, begin->for_ms));
    return failpoint_at("brownout_before_journal");
}

static Err *register_once(Runner *runner, Arena *arena, void *data, const char **ret_expires)
{
    Wait wait = journal_wait();
    TRY(runner->ops->begin(runner->conn, &wait,
                           &(TxSettings){.lock_timeout_ms = 5000, .durable_commit = true}));
    Err *err = register_in_tx(runner, arena, data, ret_expires);
    if (err == NULL)
        err = runner->ops->commit(runner->conn, &wait);
    if (err != NULL)
        runner->ops->rollback(runner->conn);
    return err == NULL ? failpoint_at("brownout_journalled") : err;
}

/* What an attempt at hiding or showing needs. */
typedef struct Attempt {
    Runner *runner;
    const Brownout *brownout; /* to be hidden; NULL: to be shown */
    const char *key, *body, *why;
    int64_t for_ms, stall_ms;
    bool queue, done, ended;
} Attempt;

static Err *hide_in_tx(Attempt *attempt, Arena *arena)
{
    Runner *runner = attempt->runner;
    Wait wait = runner_wait(runner);
    HideLimits limits = {.stall_ms = attempt->stall_ms, .queue = attempt->queue};
    TRY(renew(runner, arena, attempt->brownout, attempt->for_ms + GRACE_MS));
    TRY(runner->ops->hide(runner->conn, &runner->options->target, &wait, attempt->body, &limits,
                          &attempt->done));
    if (!attempt->done)
        return NULL;
    TRY(failpoint_at("brownout_hidden_before_commit"));
    if (!in_transactions(runner))
        TRY(renew(runner, arena, attempt->brownout, attempt->for_ms + GRACE_MS));
    return note(runner, attempt->brownout->key, attempt->brownout->epoch, "hidden", "hidden");
}

/* ---- ended ---------------------------------------------------------------------------------- */

static Err *show_in_tx(Attempt *attempt, Arena *arena)
{
    Runner *runner = attempt->runner;
    Wait wait = journal_wait();
    Rows rows = {0};
    HideLimits limits = {.stall_ms = attempt->stall_ms, .queue = attempt->queue};
    if (in_transactions(runner)) {
        TRY(lock_lease(runner, arena, &attempt->key, 1, &rows));
    } else {
        const char *sql = journal_fill(arena, runner->ops->journal_sql(JOURNAL_LEASES), "keys", "$1");
        TRY(runner->ops->query(runner->conn, &wait, arena, sql, 1, &attempt->key, &rows));
    }
    const char *holder = rows.row_count > 0 ? rows_cell(&rows, 0, 1) : NULL, *body = NULL;
    if (holder == NULL) {
        attempt->done = true;
        return NULL;
    }
    Rows epochs = {0};
    TRY(conn_params(runner->conn, &wait, arena, &epochs, "SELECT epoch FROM stoa.leases WHERE table_key = $1",
                    attempt->key));
    const char *epoch = rows_cell(&epochs, 0, 0);
    TRY(load_begun(runner, arena, attempt->key, epoch, &body));
    TRY(runner->ops->show(runner->conn, &runner->options->target, &wait, body, &limits, &attempt->done));
    if (!attempt->done)
        return NULL;
    TRY(failpoint_at("brownout_shown"));
    attempt->ended = true;
    TRY(note(runner, attempt->key, epoch, "ended", attempt->why));
    return release(runner, arena, holder);
}

/* One attempt; a lock that was not free is no error. */
static Err *try_once(Attempt *attempt)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Runner *runner = attempt->runner;
    const EngineOps *ops = runner->ops;
    Wait wait = journal_wait();
    bool whole = in_transactions(runner);
    int64_t share_ms = attempt->stall_ms / 4 > 0 ? attempt->stall_ms / 4 : 1;
    if (whole)
        TRY(ops->begin(
            runner->conn, &wait,
            &(TxSettings){.lock_timeout_ms = share_ms, .durable_commit = true, .idle_timeout_ms = 5000}));
    Err *err = attempt->brownout != NULL ? hide_in_tx(attempt, arena) : show_in_tx(attempt, arena);
    if (err == NULL && whole)
        err = ops->commit(runner->conn, &wait);
    if (err == NULL)
        return NULL;
    attempt->done = attempt->ended = false;
    if (whole)
        ops->rollback(runner->conn);
    bool again = err->kind == ERR_LOCK_TIMEOUT || err->kind == ERR_DEADLOCK ||
                 (err->kind == ERR_CANCELLED && stop_level(runner->options->stop) == STOP_NONE) ||
                 strstr(err_root(err)->msg, "tuple concurrently updated") != NULL;
    if (!again)
        return err;
    err_free(err);
    return NULL;
}

static Err *try_for(Attempt *attempt, int64_t budget_ms, bool stoppable)
{
    const Stop *stop = attempt->runner->options->stop;
    int64_t deadline = clock_ms() + budget_ms, not_before = 0;
    for (int tries = 1;; tries++) {
        int64_t from = clock_ms();
        attempt->queue = tries % QUEUE_EVERY == 0 && from >= not_before;
        TRY(try_once(attempt));
        if (attempt->done)
            return NULL;
        if (attempt->queue)
            not_before = clock_ms() + (clock_ms() - from) * STALL_SHARE;
        if (clock_ms() > deadline)
            return err_hint(
                err_new(ERR_LOCK_BUDGET, "no lock on %s within the time",
                        (attempt->brownout != NULL ? attempt->brownout->key : attempt->key) + strlen(PREFIX)),
                "end the transaction that uses it, and try again; or raise --lock-wait");
        if (stoppable)
            TRY(stop_check(stop));
        struct timespec pause = {.tv_nsec = (PAUSE_MS + random() % PAUSE_MS) * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
}

/* One at a time where it is no transaction. */
static Err *take_turn(Runner *runner, const char *key, int64_t budget_ms)
{
    int64_t deadline = clock_ms() + budget_ms;
    bool taken = in_transactions(runner);
    while (!taken && clock_ms() < deadline) {
        Wait wait = journal_wait();
        TRY(runner->ops->hint_lock(runner->conn, &wait, key, &taken));
        if (!taken)
            stop_sleep(NULL, 100);
    }
    return NULL; /* older servers have no such locks: then nothing worse happens than twice the same */
}

Err *brownout_end(Runner *runner, const char *key, const char *why, int64_t budget_ms, bool *ret_ended)
{
    Attempt attempt = {
        .runner = runner, .key = key, .why = why, .stall_ms = runner->options->controls.max_stall_ms};
    TRY(take_turn(runner, key, budget_ms < 5000 ? budget_ms : 5000));
    TRY(try_for(&attempt, budget_ms, false));
    *ret_ended = attempt.ended;
    return failpoint_at("brownout_over");
}

static Err *begin_once(Runner *runner, Arena *arena, const HideRequest *request, const char *of,
                       int64_t for_ms, HidePlan *ret_plan, Brownout *ret_brownout)
{
    const Controls *controls = &runner->options->controls;
    Wait wait = runner_wait(runner);
    const char *key = brownout_key(arena, request->schema, request->table);
    TRY(runner->ops->hide_plan(runner->conn, &wait, arena, &runner->server, request, ret_plan));
    Begin begin = {.key = key, .of = of, .plan = ret_plan, .for_ms = for_ms, .ret = ret_brownout};
    TRY(lease_outlive(runner, arena, register_once, &begin));
    Attempt attempt = {.runner = runner,
                       .brownout = ret_brownout,
                       .body = ret_plan->body,
                       .for_ms = for_ms,
                       .stall_ms = controls->max_stall_ms};
    Err *err = try_for(&attempt, controls->lock_wait_ms, true);
    if (err == NULL)
        return failpoint_at("brownout_hidden");
    bool ended = false;
    if (err->kind != ERR_CONN_LOST)
        err_free(brownout_end(runner, key, "it could not be hidden", controls->lock_wait_ms, &ended));
    return err;
}

Err *brownout_begin(Runner *runner, Arena *arena, const HideRequest *request, const char *of, int64_t for_ms,
                    HidePlan *ret_plan, Brownout *ret_brownout)
{
    for (int tries = 1;; tries++) {
        Err *err = begin_once(runner, arena, request, of, for_ms, ret_plan, ret_brownout);
        if (!err_is(err, ERR_SERIALIZE) || tries >= PLANS_MAX)
            return err;
        err_free(err);
    }
}

/* ---- found ---------------------------------------------------------------------------------- */

Err *brownout_is_on(Runner *runner, const Brownout *brownout, bool *ret_on)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, arena, &rows, "SELECT holder FROM stoa.leases WHERE table_key = $1",
                    brownout->key));
    *ret_on = rows.row_count > 0 && str_eq(rows_cell(&rows, 0, 0), brownout->holder);
    return NULL;
}

static Err *expire(Runner *runner, Arena *arena)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_query(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_BROWNOUTS)));
    for (size_t i = 0; i < rows.row_count; i++) {
        bool over = rows_bool(&rows, i, 2),
             dead = lease_is_dead_here(rows_cell(&rows, i, 3), rows_int(&rows, i, 4));
        const char *key = rows_cell(&rows, i, 0);
        bool ended = false;
        if (!over && !dead)
            continue;
        const char *why = arena_printf(arena, "%s, ended by pid %d",
                                       over ? "its time was over" : "its process was gone", (int)getpid());
        TRY(brownout_end(runner, key, why, EXPIRE_BUDGET_MS, &ended));
        if (ended)
            runner_tell(runner, "brownout_ended", 0, NULL,
                        arena_printf(arena, "the brown-out of %s is over: %s", key + strlen(PREFIX), why));
    }
    return NULL;
}

void brownouts_expire(Runner *runner)
{
    bool able = runner->server.journal_version > 0 && runner->server.may_use_journal &&
                !runner->server.in_recovery && runner->ops->show != NULL;
    if (!able)
        return;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    static _Atomic int64_t told_ms; /* of this process: a look twice a second would say it twice a second */
    Err *err = expire(runner, arena);
    if (err != NULL && (told_ms == 0 || clock_ms() - told_ms > TOLD_EVERY_MS)) {
        told_ms = clock_ms();
        CLEANUP(mem_freep) char *text = err_text(err);
        log_line(LOG_WARN, "a brown-out that is over could not be undone: %s", text);
        runner_tell(runner, "brownout_failed", 0, NULL,
                    arena_printf(arena, "a brown-out that is over could not be undone: %s", text));
    }
    err_free(err);
}

static Err *show_all_of(Runner *runner, int64_t pid, bool *ret_left)
{
    char own[LEASE_HOST_BYTES];
    Wait wait = journal_wait();
    Rows rows = {0};
    *ret_left = false;
    lease_own_host(own);
    if (runner->server.journal_version == 0)
        return NULL;
    TRY(conn_query(runner->conn, &wait, runner->arena, &rows, runner->ops->journal_sql(JOURNAL_BROWNOUTS)));
    for (size_t i = 0; i < rows.row_count; i++) {
        bool ended = false;
        if (!str_eq(rows_cell(&rows, i, 3), own) || rows_int(&rows, i, 4) != pid)
            continue;
        *ret_left = true;
        TRY(brownout_end(
            runner, rows_cell(&rows, i, 0),
            arena_printf(runner->arena, "its process was gone, ended by its guard, pid %d", (int)getpid()),
            EXPIRE_BUDGET_MS, &ended));
        *ret_left = false;
    }
    return NULL;
}

Err *run_show_again(const RunOptions *options, Arena *arena, int64_t pid, bool *ret_left)
{
    Runner runner;
    *ret_left = true;
    Err *err = runner_open(&runner, options, arena);
    if (err == NULL)
        err = show_all_of(&runner, pid, ret_left);
    runner_close(&runner);
    return err;
}

Err *brownouts_refuse(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    if (runner->ops->show == NULL)
        return NULL;
    TRY(conn_query(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_BROWNOUTS)));
    for (size_t i = 0; i < rows.row_count; i++)
        for (size_t k = 0; k < runner->plan.table_count; k++)
            if (str_eq(rows_cell(&rows, i, 0) + strlen(PREFIX), runner->plan.tables[k]))
                return err_hint(err_new(ERR_HELD, "a brown-out of %s is on: host %s, pid %s, since %s",
                                        runner->plan.tables[k], rows_cell(&rows, i, 3),
                                        rows_cell(&rows, i, 4), rows_cell(&rows, i, 5)),
                                "wait for its end, or end it: stoa retire … --undo");
    return NULL;
}

Err *brownouts_over(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    if (runner->ops->show == NULL)
        return NULL;
    TRY(conn_query(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_BROWNOUTS)));
    if (rows.row_count == 0)
        return NULL;
    return err_hint(err_new(ERR_UNSAFE, "a brown-out of %s is on: its undo would go with the journal",
                            rows_cell(&rows, 0, 0) + strlen(PREFIX)),
                    "end it first: stoa retire … --undo");
}
