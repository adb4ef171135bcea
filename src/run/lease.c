/* The fenced lease: one runner a table. Its epoch is proved inside every transaction; the session lock is
 * only a hint.
 *
 * A successor raises the epoch, which waits for transactions that have proved the old one (a shared lock of
 * the key against an update of a key column) and fails all later ones. Renewing changes no key column, so it
 * waits for nobody. */
#include "run/brownout.h"

#include "base/clock.h"
#include "base/failpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    ORPHAN_WAIT_MS = 30000,
};

void lease_make_holder(char *ret_holder)
{
    unsigned char noise[16];
    if (getrandom(noise, sizeof noise, 0) != (ssize_t)sizeof noise)
        memset(noise, (int)getpid(), sizeof noise);
    for (size_t i = 0; i < sizeof noise; i++)
        (void)snprintf(ret_holder + 2 * i, 3, "%02x", noise[i]);
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

/* A statement over the leases of the plan's tables: its parameters, then their keys. */
static Err *over_leases(Runner *runner, Arena *arena, JournalSql statement, size_t count,
                        const char *const *params, Rows *ret_rows)
{
    size_t keys = runner->plan.table_count;
    const char **all = arena_alloc(arena, (count + keys) * sizeof *all);
    for (size_t i = 0; i < count + keys; i++)
        all[i] = i < count ? params[i] : runner->plan.tables[i - count];
    const char *sql = journal_fill(arena, runner->ops->journal_sql(statement), "keys",
                                   journal_numbers(arena, count + 1, keys));
    Wait wait = journal_wait();
    return runner->ops->query(runner->conn, &wait, arena, sql, count + keys, all, ret_rows);
}

/* Looks at the lease rows; with `lock` they are locked from here to the end of the transaction. */
static Err *look(Runner *runner, Arena *arena, bool hint_free, bool lock, Rows *ret_rows)
{
    TRY(over_leases(runner, arena, lock ? JOURNAL_LEASES_LOCK : JOURNAL_LEASES, 0, NULL, ret_rows));
    for (size_t i = 0; i < ret_rows->row_count; i++)
        if (is_held(runner, ret_rows, i, hint_free))
            return held_by(ret_rows, i);
    return NULL;
}

void lease_own_host(char *ret_host)
{
    memset(ret_host, 0, LEASE_HOST_BYTES);
    if (gethostname(ret_host, LEASE_HOST_BYTES - 1) != 0)
        (void)snprintf(ret_host, LEASE_HOST_BYTES, "unknown");
}

static Err *seize(Runner *runner, Arena *arena)
{
    char host[LEASE_HOST_BYTES];
    lease_own_host(host);
    Rows rows = {0};
    const char *const params[] = {
        runner->lease.holder, host, arena_printf(arena, "%d", (int)getpid()),
        runner->change_id == 0 ? NULL : arena_printf(arena, "%lld", (long long)runner->change_id),
        arena_printf(arena, "%d", LEASE_TTL_MS)};
    TRY(over_leases(runner, arena, JOURNAL_SEIZE_LEASES, ARRAY_LEN(params), params, &rows));
    const char **proof = arena_alloc(runner->arena, (2 * rows.row_count + 1) * sizeof *proof);
    for (size_t i = 0; i < 2 * rows.row_count; i++)
        proof[i] = arena_dup(runner->arena, rows_cell(&rows, i / 2, i % 2));
    runner->lease.proof = proof;
    runner->lease.table_count = rows.row_count;
    return NULL;
}

static Err *add_leases(Runner *runner, Arena *arena)
{
    Wait wait = journal_wait();
    Rows ignored = {0};
    for (size_t i = 0; i < runner->plan.table_count; i++)
        TRY(conn_params(runner->conn, &wait, arena, &ignored, runner->ops->journal_sql(JOURNAL_ADD_LEASE),
                        runner->plan.tables[i]));
    return NULL;
}

static Err *take_in_tx(Runner *runner, Arena *arena, bool hint_free, Rows *ret_before)
{
    const EngineOps *ops = runner->ops;
    Wait wait = journal_wait();
    TRY(ops->begin(runner->conn, &wait, &(TxSettings){.lock_timeout_ms = 5000}));
    Err *err = add_leases(runner, arena);
    if (err == NULL)
        err = look(runner, arena, hint_free, true, ret_before);
    if (err == NULL)
        err = brownouts_refuse(runner);
    if (err == NULL)
        err = seize(runner, arena);
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

bool lease_is_dead_here(const char *host, int64_t pid)
{
    char own[LEASE_HOST_BYTES];
    lease_own_host(own);
    return str_eq(host, own) && pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

bool lease_runner_is_dead(Arena *arena, const char *runner)
{
    static const char mark[] = " pid ";
    const char *pid = strstr(runner, mark);
    return pid != NULL && lease_is_dead_here(arena_printf(arena, "%.*s", (int)(pid - runner), runner),
                                             strtoll(pid + strlen(mark), NULL, 10));
}

const char *lease_dead_expires(const Rows *rows, size_t row)
{
    return lease_is_dead_here(rows_cell(rows, row, 2), rows_int(rows, row, 3)) ? rows_cell(rows, row, 8)
                                                                               : NULL;
}

static Err *take_once(Runner *runner, Arena *arena, void *data, const char **ret_expires)
{
    bool hint_free = false;
    Rows before = {0};
    (void)data;
    TRY(take_hints(runner, &hint_free));
    Err *err = look(runner, arena, hint_free, false, &before);
    for (size_t i = 0; i < before.row_count && err != NULL; i++)
        if (is_held(runner, &before, i, hint_free) && lease_dead_expires(&before, i) != NULL)
            *ret_expires = lease_dead_expires(&before, i);
    TRY(err);
    TRY(end_orphans(runner, &before)); /* before: it may hold the rows that we need */
    err = take_in_tx(runner, arena, hint_free, &before);
    if (err_is(err, ERR_LOCK_TIMEOUT) || err_is(err, ERR_DEADLOCK)) {
        err_free(err);
        return err_new(ERR_HELD, "another runner is working on \"%s\" right now", runner->plan.tables[0]);
    }
    TRY(err);
    runner->lease.held = true;
    TRY(end_orphans(runner, &before));
    return lease_note_session(runner);
}

Err *lease_outlive(Runner *runner, Arena *arena, LeaseTryFn *once, void *data)
{
    const char *first = NULL;
    int64_t deadline = clock_ms() + LEASE_TTL_MS + LEASE_RENEW_MS;
    for (;;) {
        const char *expires = NULL;
        Err *err = once(runner, arena, data, &expires);
        bool renewed = expires == NULL || (first != NULL && !str_eq(first, expires));
        if (!err_is(err, ERR_HELD) || renewed || clock_ms() > deadline)
            return err;
        err_free(err);
        first = expires;
        stop_sleep(runner->options->stop, 100);
        TRY(stop_check(runner->options->stop));
    }
}

Err *lease_take(Runner *runner)
{
    if (runner->plan.table_count == 0)
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    if (runner->lease.holder[0] == '\0')
        lease_make_holder(runner->lease.holder);
    return lease_outlive(runner, arena, take_once, NULL);
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
        "UPDATE stoa.leases SET session_id = $2, session_started = $3, change_id = $4 WHERE holder = $1",
        runner->lease.holder, arena_printf(arena, "%lld", (long long)runner->ops->session_id(runner->conn)),
        started, runner->change_id == 0 ? NULL : arena_printf(arena, "%lld", (long long)runner->change_id));
}

const char *lease_epochs_sql(Arena *arena, const Lease *lease, size_t first)
{
    CLEANUP(str_donep) Str epochs = STR_INIT;
    for (size_t i = 0; i < lease->table_count; i++) {
        str_sep(&epochs, " OR ");
        str_addf(&epochs, "table_key = $%zu AND epoch = $%zu", first + 2 * i, first + 2 * i + 1);
    }
    return lease->table_count == 0 ? "1 = 0" : arena_dup(arena, epochs.buf);
}

const char *lease_proof_sql(Arena *arena, const EngineOps *ops, const Lease *lease, size_t first)
{
    return journal_fill(arena, ops->journal_sql(JOURNAL_PROVE), "epochs",
                        lease_epochs_sql(arena, lease, first));
}

Err *lease_prove(Runner *runner)
{
    if (runner->lease.table_count == 0)
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(runner->ops->query(runner->conn, &wait, arena, lease_proof_sql(arena, runner->ops, &runner->lease, 1),
                           2 * runner->lease.table_count, runner->lease.proof, &rows));
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
    TRY(conn_params(conn, &wait, arena, &rows, conn->ops->journal_sql(JOURNAL_RENEW_LEASES), lease->holder,
                    arena_printf(arena, "%d", LEASE_TTL_MS)));
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
    err_free(conn_params(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_RELEASE_LEASES),
                         runner->lease.holder));
    runner->lease.held = false;
}
