/* The fenced lease: one runner a table. Its epoch is proved inside every transaction; the session lock is
 * only a hint.
 *
 * A successor raises the epoch, which waits for transactions that have proved the old one (FOR KEY SHARE
 * against an update of a key column) and fails all later ones. Renewing changes no key column, so it waits
 * for nobody. */
#include "run/runner.h"

#include "base/clock.h"
#include "base/failpoint.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    ORPHAN_WAIT_MS = 30000,
    HOST_BYTES = 80,
};

static void make_holder(Lease *lease)
{
    unsigned char noise[16];
    if (getrandom(noise, sizeof noise, 0) != (ssize_t)sizeof noise)
        memset(noise, (int)getpid(), sizeof noise);
    for (size_t i = 0; i < sizeof noise; i++)
        (void)snprintf(lease->holder + 2 * i, 3, "%02x", noise[i]);
}

static Err *held_by(const Rows *rows, size_t row)
{
    return err_hint(err_new(ERR_HELD, "\"%s\" is being changed by another runner: host %s, pid %s, since %s",
                            rows_cell(rows, row, 0), rows_cell(rows, row, 2), rows_cell(rows, row, 3),
                            rows_cell(rows, row, 4)),
                    "follow it with: stoa watch, or stop it with: stoa pause");
}

/* A live foreign lease is held unless its session lock is free: then its process is gone, or cut off, and the
 * epoch fences what is left of it. A runner behind a pooler has no session, and so no lock that could tell.
 */
static bool is_held(const Runner *runner, const Rows *rows, size_t row, bool hint_free)
{
    const char *holder = rows_cell(rows, row, 1);
    return holder != NULL && !str_eq(holder, runner->lease.holder) && rows_bool(rows, row, 5) &&
           !(hint_free && rows_cell(rows, row, 7) != NULL);
}

/* Looks at the lease rows; with `lock` they are locked from here to the end of the transaction. */
static Err *look(Runner *runner, Arena *arena, const char *keys, bool hint_free, bool lock, Rows *ret_rows)
{
    Wait wait = journal_wait();
    TRY(conn_params(
        runner->conn, &wait, arena, ret_rows,
        arena_printf(
            arena,
            "SELECT table_key, holder, host, pid, date_trunc('second', since)::text, expires_at > "
            "clock_timestamp(), session_id, session_started, expires_at::text FROM stoa.leases WHERE "
            "table_key = ANY ($1::text[]) ORDER BY table_key%s",
            lock ? " FOR UPDATE" : ""),
        keys));
    for (size_t i = 0; i < ret_rows->row_count; i++)
        if (is_held(runner, ret_rows, i, hint_free))
            return held_by(ret_rows, i);
    return NULL;
}

static void own_host(char *ret_host)
{
    memset(ret_host, 0, HOST_BYTES);
    if (gethostname(ret_host, HOST_BYTES - 1) != 0)
        (void)snprintf(ret_host, HOST_BYTES, "unknown");
}

static Err *seize(Runner *runner, Arena *arena, const char *keys)
{
    char host[HOST_BYTES];
    own_host(host);
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(
        runner->conn, &wait, arena, &rows,
        "UPDATE stoa.leases SET epoch = epoch + 1, session_id = NULL, session_started = NULL, holder = $2, "
        "host = $3, pid = $4::int, change_id = "
        "$5::bigint, "
        "since = now(), expires_at = clock_timestamp() + $6::int * interval '1 ms' WHERE table_key = ANY "
        "($1::text[]) RETURNING table_key, epoch",
        keys, runner->lease.holder, host, arena_printf(arena, "%d", (int)getpid()),
        runner->change_id == 0 ? NULL : arena_printf(arena, "%lld", (long long)runner->change_id),
        arena_printf(arena, "%d", LEASE_TTL_MS)));
    CLEANUP(str_donep) Str prove = STR_INIT;
    for (size_t i = 0; i < rows.row_count; i++) {
        str_add(&prove, i == 0 ? "SELECT 1 FROM stoa.leases WHERE (table_key, epoch) IN (" : ", ");
        str_add(&prove, "(");
        sql_add_literal(&prove, rows_cell(&rows, i, 0));
        str_addf(&prove, ", %lld)", (long long)rows_int(&rows, i, 1));
    }
    str_add(&prove, ") FOR KEY SHARE");
    runner->lease.prove = arena_dup(runner->arena, prove.buf);
    runner->lease.table_count = rows.row_count;
    return NULL;
}

static Err *take_in_tx(Runner *runner, Arena *arena, bool hint_free, Rows *ret_before)
{
    const EngineOps *ops = runner->ops;
    Wait wait = journal_wait();
    const char *keys = journal_text_array(arena, runner->plan.tables, runner->plan.table_count);
    TRY(ops->begin(runner->conn, &wait, &(TxSettings){.lock_timeout_ms = 5000}));
    Rows ignored = {0};
    Err *err = conn_params(
        runner->conn, &wait, arena, &ignored,
        "INSERT INTO stoa.leases (table_key, epoch) SELECT k, 0 FROM unnest($1::text[]) k ON CONFLICT "
        "(table_key) DO NOTHING",
        keys);
    if (err == NULL)
        err = look(runner, arena, keys, hint_free, true, ret_before);
    if (err == NULL)
        err = seize(runner, arena, keys);
    if (err == NULL)
        err = failpoint_at("lease_take");
    if (err == NULL)
        err = ops->commit(runner->conn, &wait);
    if (err != NULL)
        ops->rollback(runner->conn);
    return err;
}

/* What an earlier process left running on the server ends now: an index build or a validation goes on without
 * its client. A session that may not be ended is fenced all the same. */
static Err *end_orphans(Runner *runner, const Rows *rows)
{
    Wait wait = {.stop = runner->options->stop, .timeout_ms = ORPHAN_WAIT_MS};
    for (size_t i = 0; i < rows->row_count; i++) {
        const char *holder = rows_cell(rows, i, 1);
        if (holder == NULL || str_eq(holder, runner->lease.holder) || rows_cell(rows, i, 7) == NULL)
            continue;
        Err *err = runner->ops->end_session(runner->conn, &wait, rows_int(rows, i, 6), rows_cell(rows, i, 7));
        if (!err_is(err, ERR_PRIVILEGE))
            TRY(err);
        else
            err_free(err);
    }
    return NULL;
}

static Err *take_hints(Runner *runner, bool *ret_free)
{
    Wait wait = journal_wait();
    *ret_free = !runner->server.pooled;
    for (size_t i = 0; i < runner->plan.table_count && !runner->server.pooled; i++) {
        bool taken = false;
        TRY(runner->ops->hint_lock(runner->conn, &wait, runner->plan.tables[i], &taken));
        *ret_free = *ret_free && taken;
    }
    return NULL;
}

/* Whether the lease's process ran on this host and is no more. Where host names are shared that may be wrong,
 * so that it is a reason to wait for the end of the lease, never one to take it. */
static bool is_dead_here(const Rows *rows, size_t row)
{
    char host[HOST_BYTES];
    own_host(host);
    int64_t pid = rows_int(rows, row, 3);
    return str_eq(rows_cell(rows, row, 2), host) && pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* *ret_expires is until when a lease runs that stands in the way though its holder seems dead; NULL: none. */
static Err *take_once(Runner *runner, Arena *arena, const char **ret_expires)
{
    const char *keys = journal_text_array(arena, runner->plan.tables, runner->plan.table_count);
    bool hint_free = false;
    Rows before = {0};
    *ret_expires = NULL;
    TRY(take_hints(runner, &hint_free));
    Err *err = look(runner, arena, keys, hint_free, false, &before);
    for (size_t i = 0; i < before.row_count && err != NULL; i++)
        if (is_held(runner, &before, i, hint_free) && is_dead_here(&before, i))
            *ret_expires = rows_cell(&before, i, 8);
    TRY(err);
    TRY(end_orphans(runner, &before)); /* before: it may hold the rows that we need */
    err = take_in_tx(runner, arena, hint_free, &before);
    if (err_is(err, ERR_LOCK_TIMEOUT)) {
        err_free(err);
        return err_new(ERR_HELD, "another runner is working on \"%s\" right now", runner->plan.tables[0]);
    }
    TRY(err);
    runner->lease.held = true;
    TRY(end_orphans(runner, &before));
    return lease_note_session(runner);
}

/* The lease of a process that was killed runs out while we wait; one that is renewed meanwhile has a live
 * holder. */
Err *lease_take(Runner *runner)
{
    if (runner->plan.table_count == 0)
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    if (runner->lease.holder[0] == '\0')
        make_holder(&runner->lease);
    const char *first = NULL, *expires = NULL;
    int64_t deadline = clock_ms() + LEASE_TTL_MS + LEASE_RENEW_MS;
    for (;;) {
        Err *err = take_once(runner, arena, &expires);
        bool renewed = expires == NULL || (first != NULL && !str_eq(first, expires));
        if (!err_is(err, ERR_HELD) || renewed || clock_ms() > deadline)
            return err;
        err_free(err);
        first = expires;
        stop_sleep(runner->options->stop, 100);
        TRY(stop_check(runner->options->stop));
    }
}

Err *lease_note_session(Runner *runner)
{
    if (!runner->lease.held)
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    const char *started = NULL;
    if (!runner->server.pooled)
        TRY(runner->ops->session_started(runner->conn, &wait, arena, &started));
    runner->session_started = started == NULL ? NULL : arena_dup(runner->arena, started);
    Rows rows = {0};
    return conn_params(
        runner->conn, &wait, arena, &rows,
        "UPDATE stoa.leases SET session_id = $2::bigint, session_started = $3, change_id = $4::bigint WHERE "
        "holder = "
        "$1",
        runner->lease.holder, arena_printf(arena, "%lld", (long long)runner->ops->session_id(runner->conn)),
        started, runner->change_id == 0 ? NULL : arena_printf(arena, "%lld", (long long)runner->change_id));
}

Err *lease_prove(Runner *runner)
{
    if (runner->lease.table_count == 0)
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_query(runner->conn, &wait, arena, &rows, runner->lease.prove));
    if (rows.row_count != runner->lease.table_count)
        return err_hint(err_new(ERR_FENCED, "another runner has taken over change \"%s\"", runner->name),
                        "see who has it: stoa status %s", runner->name);
    return NULL;
}

Err *lease_renew(Conn *conn, const Lease *lease, bool *ret_held)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(
        conn, &wait, arena, &rows,
        "UPDATE stoa.leases SET expires_at = clock_timestamp() + $2::int * interval '1 ms' WHERE holder = $1",
        lease->holder, arena_printf(arena, "%d", LEASE_TTL_MS)));
    *ret_held = rows.affected == (int64_t)lease->table_count;
    return NULL;
}

void lease_release(Runner *runner)
{
    if (!runner->lease.held || runner->conn == NULL)
        return;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    err_free(conn_params(runner->conn, &wait, arena, &rows,
                         "UPDATE stoa.leases SET expires_at = '-infinity', holder = NULL, session_id = NULL, "
                         "session_started = NULL WHERE holder = $1",
                         runner->lease.holder));
    runner->lease.held = false;
}
