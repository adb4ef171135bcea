/* A statement that commits by itself, and takes a metadata lock behind which the application queues: its
 * waits are measured from a second session, and ended when they last too long. */
#include "engine/mysql/session.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/definition.h"
#include "engine/mysql/error.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/written.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
    LOOK_LEAST_MS = 3,
    LOOKS_A_STALL = 12, /* so many looks in the time that a wait may last */
    WATCH_TIMEOUT_MS = 5000,
    WORK_MS = 50, /* what has worked for so long has something to lose */
};

/* Seen on MySQL 5.6 and 9.7, MariaDB 10.11 and 11.8: "Waiting for table metadata lock", "Waiting for schema
 * metadata lock", "Waiting for table flush", "Waiting for backup lock", "Waiting for global read lock". */
bool my_state_waits(const char *state)
{
    return state != NULL && str_starts(state, "Waiting for ") &&
           (strstr(state, "metadata lock") != NULL || strstr(state, "table flush") != NULL ||
            strstr(state, "backup lock") != NULL || strstr(state, "read lock") != NULL ||
            strstr(state, "table level lock") != NULL);
}

/* "altering table", "copy to tmp table", "preparing for alter table" … */
static bool state_works(const char *state)
{
    return state != NULL && (strstr(state, "alter") != NULL || strstr(state, "copy to tmp") != NULL);
}

/* Shared by the thread that looks on and the one whose statement runs. */
typedef struct Watch {
    Conn *conn; /* of the thread that looks on */
    Conn *work;
    int64_t stall_ms, began_ms;
    int64_t works_since_ms; /* of the thread that looks on: 0 not yet */
    const char *state_sql;
    _Atomic bool quit;
    _Atomic int64_t waited_ms; /* the longest wait */
    _Atomic bool cut, worked;
} Watch;

/* Where performance_schema is on it is asked, since reading the process list stops sessions from coming and
 * going. */
static Err *choose_source(Watch *watch, const Wait *wait, Arena *arena)
{
    Rows rows = {0};
    long long session = (long long)my_session_id(watch->work);
    TRY(conn_query(watch->conn, wait, arena, &rows, "SELECT @@performance_schema"));
    watch->state_sql =
        rows_bool(&rows, 0, 0)
            ? arena_printf(
                  arena,
                  "SELECT PROCESSLIST_STATE FROM performance_schema.threads WHERE PROCESSLIST_ID = %lld "
                  "AND PROCESSLIST_COMMAND <> 'Sleep'",
                  session)
            : arena_printf(arena,
                           "SELECT STATE FROM information_schema.PROCESSLIST WHERE ID = %lld AND COMMAND <> "
                           "'Sleep'",
                           session);
    return NULL;
}

/* One look; `*since_ms` is when the present wait began, 0 while it does not wait. */
static Err *look(Watch *watch, Arena *arena, int64_t *since_ms)
{
    Rows rows = {0};
    Wait wait = {.timeout_ms = WATCH_TIMEOUT_MS};
    int64_t asked_ms = clock_ms();
    TRY(conn_query(watch->conn, &wait, arena, &rows, watch->state_sql));
    bool runs = rows.row_count > 0, waits = runs && my_state_waits(rows_cell(&rows, 0, 0));
    if (!waits) {
        bool works = runs && state_works(rows_cell(&rows, 0, 0));
        if (works && watch->works_since_ms == 0)
            watch->works_since_ms = asked_ms;
        if (works && asked_ms - watch->works_since_ms > WORK_MS)
            atomic_store(&watch->worked, true);
        *since_ms = 0;
        return NULL;
    }
    if (*since_ms == 0)
        *since_ms = asked_ms;
    int64_t waited_ms = clock_ms() - *since_ms;
    if (waited_ms > atomic_load(&watch->waited_ms))
        atomic_store(&watch->waited_ms, waited_ms);
    if (waited_ms < watch->stall_ms || atomic_load(&watch->quit))
        return NULL;
    atomic_store(&watch->cut, true);
    my_cancel(watch->work);
    return NULL;
}

static void *watch_main(void *argument)
{
    Watch *watch = argument;
    Arena *arena = arena_new();
    int64_t since_ms = 0, pause_ms = watch->stall_ms / LOOKS_A_STALL;
    if (pause_ms < LOOK_LEAST_MS)
        pause_ms = LOOK_LEAST_MS;
    while (!atomic_load(&watch->quit) && !atomic_load(&watch->cut)) {
        Err *err = look(watch, arena, &since_ms);
        if (err != NULL) { /* nobody would end a wait: so the statement ends now, should it wait */
            err_free(err);
            atomic_store(&watch->cut, true);
            my_cancel(watch->work);
        }
        arena_clear(arena);
        (void)poll(NULL, 0, (int)pause_ms);
    }
    arena_free(arena);
    return NULL;
}

/* MariaDB KB "lock_wait_timeout": as of 10.3 0 means not to wait at all. */
static bool needs_no_watch(const Conn *conn, const AlterRequest *request)
{
    return !request->queue && flavor_can(my_flavor(conn), FACT_RENAME_WAIT);
}

/* The server's own limits, in whole seconds, are the backstop. */
static Err *set_limits(Conn *conn, const Wait *wait, Arena *arena, const AlterRequest *request)
{
    long long backstop = needs_no_watch(conn, request) ? 0 : (long long)(request->stall_ms + 999) / 1000 + 1;
    return my_exec(conn, wait,
                   arena_printf(arena,
                                "SET SESSION lock_wait_timeout = %lld, innodb_lock_wait_timeout = %lld",
                                backstop, backstop > 0 ? backstop : 1));
}

static void usual_limits(Conn *conn, bool as_written)
{
    Wait wait = {.timeout_ms = WATCH_TIMEOUT_MS};
    err_free(my_exec(conn, &wait, "DO 0")); /* a KILL that came too late hits this one */
    err_free(
        my_exec(conn, &wait,
                "SET SESSION lock_wait_timeout = 2, innodb_lock_wait_timeout = 1, foreign_key_checks = 1"));
    if (as_written)
        err_free(my_written_end(conn, &wait));
}

/* While it works writers wait, so the whole of it is limited, not only its waits. */
static Wait wait_for_work(const Wait *wait, const AlterRequest *request)
{
    Wait limited = *wait;
    if (request->work_ms > 0 && (limited.timeout_ms == 0 || request->work_ms < limited.timeout_ms))
        limited.timeout_ms = request->work_ms;
    return limited;
}

/* Cut off by that limit: what it had done is lost, and for all of the time the application waited. */
static bool note_slow(const AlterRequest *request, const Err *err, AlterResult *result)
{
    result->slow = request->work_ms > 0 && err_is(err, ERR_CANCELLED) && result->ran_ms >= request->work_ms;
    if (result->slow) {
        result->blocked = result->built = true;
        result->waited_ms = result->ran_ms;
    }
    return result->slow;
}

static Err *run_watched(Watch *watch, const Wait *wait, const AlterRequest *request, AlterResult *ret_result)
{
    pthread_t thread;
    watch->began_ms = clock_ms();
    if (pthread_create(&thread, NULL, watch_main, watch) != 0)
        return err_new(ERR_IO, "cannot start a thread");
    Wait limited = wait_for_work(wait, request);
    Err *err = my_exec(watch->work, &limited, request->sql);
    atomic_store(&watch->quit, true);
    (void)pthread_join(thread, NULL);
    ret_result->ran_ms = clock_ms() - watch->began_ms;
    ret_result->waited_ms = atomic_load(&watch->waited_ms);
    bool cut = atomic_load(&watch->cut) && err_is(err, ERR_CANCELLED);
    ret_result->blocked = cut || err_is(err, ERR_LOCK_TIMEOUT);
    ret_result->built = ret_result->blocked && atomic_load(&watch->worked);
    ret_result->done = err == NULL;
    if (!cut)
        (void)note_slow(request, err, ret_result);
    if (err_is(err, ERR_LOCK_TIMEOUT) && request->queue && ret_result->waited_ms == 0)
        ret_result->waited_ms = ret_result->ran_ms; /* between two looks */
    if (!ret_result->blocked)
        return err;
    err_free(err);
    return NULL;
}

static Err *run_alone(Conn *conn, const Wait *wait, const AlterRequest *request, AlterResult *ret_result)
{
    int64_t from = clock_ms();
    Wait limited = wait_for_work(wait, request);
    Err *err = my_exec(conn, &limited, request->sql);
    ret_result->ran_ms = clock_ms() - from;
    ret_result->done = err == NULL;
    ret_result->blocked = err_is(err, ERR_LOCK_TIMEOUT);
    (void)note_slow(request, err, ret_result);
    if (!ret_result->blocked)
        return err;
    err_free(err);
    return NULL;
}

/* ---- under a lock of our own
 * --------------------------------------------------------------------------------
 */

/* ALTER TABLE asks for its exclusive lock some milliseconds after it has begun, and by then somebody may have
 * read the table who goes on to write it (my_sees_reader). LOCK TABLES asks at once; behind it nobody comes.
 */
static bool locks_first(const Conn *conn, const AlterRequest *request)
{
    return request->while_sql != NULL ||
           (request->gentle && !request->queue && !request->unchecked &&
            !flavor_is_mariadb(my_flavor(conn)) && request->table != NULL &&
            str_starts(request->sql, "ALTER TABLE ") && strcasestr(request->sql, " RENAME ") == NULL);
}

static Err *lock_table(Conn *conn, const Wait *wait, const AlterRequest *request, AlterResult *ret_result)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait brief = *wait;
    int64_t from = clock_ms();
    brief.timeout_ms = request->stall_ms;
    Err *err =
        my_exec(conn, &brief,
                arena_printf(arena, "LOCK TABLES %s WRITE", my_name(arena, request->schema, request->table)));
    ret_result->waited_ms = clock_ms() - from;
    ret_result->blocked =
        err_is(err, ERR_CANCELLED) || err_is(err, ERR_LOCK_TIMEOUT) || err_is(err, ERR_DEADLOCK);
    if (!ret_result->blocked)
        return err;
    err_free(err);
    return NULL;
}

static Err *look_first(Conn *conn, const Wait *wait, const AlterRequest *request, bool *ret_changed)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    if (request->while_sql == NULL)
        return NULL;
    TRY(conn_query(
        conn, wait, arena, &rows,
        arena_printf(arena, "SHOW CREATE TABLE %s", my_name(arena, request->schema, request->table))));
    const char *sql = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 1);
    *ret_changed = sql == NULL || !str_eq(definition_plain(arena, sql), request->while_sql);
    return NULL;
}

/* `watch` NULL: nothing is waited for. */
static Err *alter_locked(Conn *conn, Watch *watch, const Wait *wait, const AlterRequest *request,
                         AlterResult *ret_result)
{
    bool changed = false;
    TRY(lock_table(conn, wait, request, ret_result));
    if (ret_result->blocked)
        return NULL;
    int64_t waited_ms = ret_result->waited_ms;
    Err *err = look_first(conn, wait, request, &changed);
    if (err == NULL && !changed)
        err = watch != NULL ? run_watched(watch, wait, request, ret_result)
                            : run_alone(conn, wait, request, ret_result);
    ret_result->waited_ms += waited_ms;
    ret_result->changed = changed;
    Wait tidy = {.timeout_ms = WATCH_TIMEOUT_MS};
    if (!err_is(err, ERR_CONN_LOST))
        err_free(my_exec(conn, &tidy, "UNLOCK TABLES"));
    if (err == NULL || err->server_errno != MY_ER_TABLE_NOT_LOCKED || request->while_sql != NULL)
        return err;
    err_free(err); /* it needs another table: nothing was done */
    *ret_result = (AlterResult){0};
    return run_watched(watch, wait, request, ret_result);
}

static Err *alter_watched(Conn *conn, const Target *target, const Wait *wait, const AlterRequest *request,
                          AlterResult *ret_result)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(my_closep) Conn *second = NULL;
    TRY(my_connect(target, "watch", wait, &second));
    TRY(my_arm(conn, wait)); /* so that ending a wait costs one round trip */
    Watch watch = {.conn = second, .work = conn, .stall_ms = request->stall_ms};
    bool clear = true;
    TRY(choose_source(&watch, wait, arena));
    if (request->gentle)
        TRY(my_await_readers(second, wait, request->schema, request->table, &clear));
    ret_result->blocked = !clear;
    if (!clear)
        return NULL;
    if (locks_first(conn, request))
        return alter_locked(conn, &watch, wait, request, ret_result);
    return run_watched(&watch, wait, request, ret_result);
}

Err *my_alter(Conn *conn, const Target *target, const Wait *wait, const AlterRequest *request,
              AlterResult *ret_result)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    *ret_result = (AlterResult){0};
    TRY(set_limits(conn, wait, arena, request));
    if (request->work_ms > 0)
        TRY(my_arm(conn, wait)); /* so that ending it costs one round trip */
    if (request->unchecked)
        TRY(my_exec(conn, wait, "SET SESSION foreign_key_checks = 0"));
    if (request->as_written)
        TRY(my_written_begin(conn, wait));
    bool alone = needs_no_watch(conn, request);
    Err *err = !alone                       ? alter_watched(conn, target, wait, request, ret_result)
               : locks_first(conn, request) ? alter_locked(conn, NULL, wait, request, ret_result)
                                            : run_alone(conn, wait, request, ret_result);
    if (!err_is(err, ERR_CONN_LOST))
        usual_limits(conn, request->as_written);
    return err;
}
