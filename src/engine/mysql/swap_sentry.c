/* The cutover where RENAME TABLE is refused under LOCK TABLES: MariaDB, and MySQL before 8.0.13.
 *
 * Two sessions. L makes the sentry, a table with the name that the source is to get, and locks source, shadow
 * and sentry. The last changes are brought over. Then R sends the RENAME, which waits; once that is proved, L
 * drops the sentry and unlocks, and the RENAME goes ahead of the application's statements, since the server
 * grants exclusive metadata locks first (unless max_write_lock_count is small, which is refused).
 *
 * What must never happen: a RENAME that succeeds after a write to the source that was not brought over. Such
 * a write needs the source unlocked after the drain.
 *
 *  1. R sends its RENAME after the drain has ended, and not at all where it failed. So while L holds the
 * source, any success of R is right.
 *  2. While the sentry stands, every RENAME fails with 1050 without having done anything: its first part is
 *     "source TO old", and that name is taken.
 *  3. Only L drops the sentry, only while it holds the source, and only when R is queued for the source.
 * RENAME takes its locks in the order of the names' bytes, and the source's name is the first: as long as R
 * waits for "a table" while L holds the source, it waits for the source. DROP under LOCK TABLES needs the
 * lock, so that a session which has lost it cannot drop.
 *  4. So behind the DROP nobody gets to the source between L and R.
 *
 * Who dies, and when:
 *  - L before the DROP reaches the server: its lock goes, the sentry stays; R fails (2), now or when its turn
 *    comes. Nothing is done.
 *  - L behind the DROP: its lock goes, R is the next (4): done.
 *  - L while it drops: one or the other.
 *  - R before the proof: there is none, so the sentry stays; L unlocks. Nothing is done.
 *  - R behind the proof, by KILL, lock_wait_timeout or our own limit: L unlocks, nobody renames, the
 * application goes on with the source, where it finds everything. Nothing is done, or R had been served
 * already: done.
 *  - R's client only: the server's R goes on waiting; as if it lived.
 *  - the control session: no proof, hence as R before the proof; behind the proof it is not needed.
 *  - this process: both sessions end at the server, which is one of the orders above. R may still be queued
 * behind others when this happens, so whoever comes next must not drop the sentry before R is gone: R holds a
 *    user-level lock for as long as it lives, and swap_end_sessions() kills it and waits.
 *  - this process is stopped: wait_timeout ends L, lock_wait_timeout R.
 *  - the server: all locks go. RENAME is atomic on MariaDB 10.6; before, and on MySQL 5, a crash in the
 * middle of it leaves no source: my_swap_state() gives it its name back. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/stop.h"
#include "base/str.h"
#include "engine/mysql/error.h"
#include "engine/mysql/swap_parts.h"

enum { PROOF_STEP_MS = 1, KILL_MS = 1000, UNKILLED_MS = 10000, HOG_MIN = 100000 };
static const double share_proof = 0.88;

/* ---- the sentry
 * --------------------------------------------------------------------------------------------
 */

/* Asked before the lock, so that nothing is tried in vain under it. */
static void find_locks(Attempt *a)
{
    Rows rows = {0};
    Err *err =
        my_query(a->second, a->wait, a->arena,
                 "SELECT (SELECT COUNT(*) FROM performance_schema.metadata_locks m JOIN "
                 "performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID), (SELECT COUNT(*) FROM "
                 "performance_schema.setup_instruments WHERE NAME = 'wait/lock/metadata/sql/mdl' AND ENABLED "
                 "= 'YES')",
                 0, NULL, &rows);
    a->has_schema_locks = err == NULL && rows_int(&rows, 0, 1) > 0;
    err_free(err);
    err = my_query(a->second, a->wait, a->arena, "SELECT COUNT(*) FROM information_schema.METADATA_LOCK_INFO",
                   0, NULL, &rows);
    a->has_plugin_locks = err == NULL;
    err_free(err);
}

/* Without rows; MEMORY, where it may be, is gone without a write to the disk. */
static Err *make_sentry(Attempt *a)
{
    Rows rows = {0};
    TRY(my_query(a->lock, a->wait, a->arena, "SELECT @@GLOBAL.max_write_lock_count", 0, NULL, &rows));
    const char *count = rows_cell(&rows, 0, 0);
    if (count != NULL && rows_double(&rows, 0, 0) < HOG_MIN)
        return err_hint(err_new(ERR_UNSAFE,
                                "max_write_lock_count is %s, so writers could come before the RENAME of %s",
                                count, a->source),
                        "SET GLOBAL max_write_lock_count = DEFAULT");
    /* MySQL with enforce_gtid_consistency locks no MEMORY table beside one of InnoDB (1785, seen on 5.6). */
    const char *engine = flavor_is_mariadb(my_flavor(a->lock)) ? "MEMORY" : "InnoDB";
    const char *comment = my_literal(a->lock, a->arena, sentry_comment);
    Err *err = my_exec(
        a->lock, a->wait,
        arena_printf(a->arena, "CREATE TABLE %s (id INT) ENGINE = %s COMMENT = %s", a->old, engine, comment));
    if (err == NULL || !err_is(err, ERR_SQL))
        return err;
    err_free(err);
    return my_exec(a->lock, a->wait,
                   arena_printf(a->arena, "CREATE TABLE %s (id INT) COMMENT = %s", a->old, comment));
}

/* ---- the proof
 * ---------------------------------------------------------------------------------------------
 */

static const char waits_for_table[] = "Waiting for table metadata lock";

/* More than R's state, where the server tells it: its request in performance_schema, or, by MariaDB's plugin,
 * which lists granted locks only, that it has none yet. */
static Err *locks_agree(Attempt *a, const Wait *wait, bool *ret_agree)
{
    const char *id = arena_printf(a->arena, "%lld", (long long)my_session_id(a->second));
    Rows rows = {0};
    if (*ret_agree && a->has_schema_locks) {
        TRY(conn_params(
            a->control, wait, a->arena, &rows,
            "SELECT COUNT(*) FROM performance_schema.metadata_locks m JOIN performance_schema.threads t "
            "ON t.THREAD_ID = m.OWNER_THREAD_ID WHERE t.PROCESSLIST_ID = $3 AND m.LOCK_STATUS = "
            "'PENDING' AND m.LOCK_TYPE = 'EXCLUSIVE' AND m.OBJECT_TYPE = 'TABLE' AND "
            "LOWER(m.OBJECT_SCHEMA) = LOWER($1) AND LOWER(m.OBJECT_NAME) = LOWER($2)",
            a->spec->schema, a->spec->source, id));
        *ret_agree = rows_int(&rows, 0, 0) > 0;
    }
    if (*ret_agree && a->has_plugin_locks) {
        TRY(conn_params(a->control, wait, a->arena, &rows,
                        "SELECT COUNT(*) FROM information_schema.METADATA_LOCK_INFO WHERE THREAD_ID = $1 AND "
                        "LOCK_TYPE = 'Table metadata lock' AND LOCK_MODE = 'MDL_EXCLUSIVE'",
                        id));
        *ret_agree = rows_int(&rows, 0, 0) == 0;
    }
    return NULL;
}

/* Whether R is queued for the source now. */
static Err *is_queued(Attempt *a, const Wait *wait, bool *ret_queued)
{
    Rows rows = {0};
    TRY(conn_params(a->control, wait, a->arena, &rows,
                    "SELECT STATE, INFO FROM information_schema.PROCESSLIST WHERE ID = $1",
                    arena_printf(a->arena, "%lld", (long long)my_session_id(a->second))));
    *ret_queued = rows.row_count == 1 && str_eq(rows_cell(&rows, 0, 0), waits_for_table) &&
                  rows_cell(&rows, 0, 1) != NULL && str_starts(rows_cell(&rows, 0, 1), "RENAME TABLE");
    return *ret_queued ? locks_agree(a, wait, ret_queued) : NULL;
}

/* Somebody else's statement that wants the table for itself, and may have come before R: it would be granted
 * between L and R. Whoever comes behind R is behind it. */
static Err *find_rival(Attempt *a, const Wait *wait, const char **ret_rival)
{
    Rows rows = {0};
    *ret_rival = NULL;
    TRY(conn_params(
        a->control, wait, a->arena, &rows,
        "SELECT ID, LEFT(INFO, 80) FROM information_schema.PROCESSLIST WHERE STATE = $1 AND ID <> $2 AND "
        "(INFO IS NULL OR LOCATE(LOWER($3), LOWER(INFO)) > 0) AND NOT COALESCE(INFO REGEXP "
        "'^[[:space:](]*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|VALUES|LOAD|CALL|HANDLER)[[:space:](]', "
        "FALSE) LIMIT 1",
        waits_for_table, arena_printf(a->arena, "%lld", (long long)my_session_id(a->second)),
        a->spec->source));
    if (rows.row_count > 0)
        *ret_rival =
            arena_printf(a->arena, "pid %s, which waits for the table itself: %s", rows_cell(&rows, 0, 0),
                         rows_cell(&rows, 0, 1) == NULL ? "?" : rows_cell(&rows, 0, 1));
    return NULL;
}

static Err *prove(Attempt *a, bool *ret_proved)
{
    int64_t deadline = clock_ms() + swap_left(a, share_proof);
    *ret_proved = false;
    /* An answer before the unlocking is a refusal, or R's death. */
    while (!*ret_proved && !my_answered(a->second) && clock_ms() < deadline) {
        Wait wait = {.timeout_ms = swap_left(a, 1)};
        TRY(is_queued(a, &wait, ret_proved));
        if (!*ret_proved)
            stop_sleep(NULL, PROOF_STEP_MS);
    }
    if (!*ret_proved) {
        swap_not_done(a, arena_printf(a->arena, "the RENAME was not seen to queue for %s", a->source), false);
        return NULL;
    }
    const char *rival = NULL;
    Wait wait = {.timeout_ms = swap_left(a, 1)};
    TRY(find_rival(a, &wait, &rival));
    *ret_proved = rival == NULL;
    if (rival != NULL)
        swap_not_done(a, rival, false);
    return *ret_proved ? swap_holds(a) : NULL;
}

/* ---- R
 * -----------------------------------------------------------------------------------------------------
 */

static const char *rename_sql(const Attempt *a)
{
    return arena_printf(a->arena, "RENAME TABLE %s TO %s, %s TO %s", a->source, a->old, a->shadow, a->source);
}

/* R is not wanted any more. Its end is waited for, but not for long: while the sentry stands it can do no
 * harm, and before that goes swap_end_sessions() has the last word. */
static void call_off(Attempt *a)
{
    my_cancel(a->second);
    Wait wait = {.timeout_ms = KILL_MS};
    err_free(my_reap(a->second, &wait, a->arena, "RENAME TABLE", NULL));
}

/* Behind the unlocking. A RENAME that is killed while it moves a table's triggers may leave none of them in
 * their file, and a database that cannot be dropped (seen on MariaDB 10.11 and 11.8): it ends by itself then,
 * by lock_wait_timeout, if somebody reads the shadow. */
static Err *await_rename(Attempt *a, const char *sql)
{
    Wait wait = {.timeout_ms = a->has_triggers ? UNKILLED_MS : swap_left(a, 1)};
    Err *err = my_reap(a->second, &wait, a->arena, sql, NULL);
    a->result->locked_ms = clock_ms() - a->granted_ms;
    if (err == NULL)
        a->result->done = true;
    if (!err_is(err, ERR_CANCELLED) && !err_is(err, ERR_LOCK_TIMEOUT))
        return err;
    err_free(err);
    swap_not_done(a,
                  arena_printf(a->arena, "readers of %s, or locks on the schema, that came before the RENAME",
                               a->shadow),
                  false);
    return NULL;
}

/* ---- under the lock
 * ----------------------------------------------------------------------------------------
 */

/* ret_free: the sentry is gone, or may be. */
static Err *release(Attempt *a, bool *ret_free)
{
    TRY(failpoint_at("swap_rename_sent"));
    bool proved = false;
    TRY(prove(a, &proved));
    if (!proved)
        return NULL;
    TRY(failpoint_at("swap_proved"));
    Wait wait = {.timeout_ms = swap_left(a, 1)};
    *ret_free = true;
    TRY(my_exec(a->lock, &wait, arena_printf(a->arena, "DROP TABLE %s", a->old)));
    return failpoint_at("swap_sentry_dropped");
}

static Err *under_lock(Attempt *a)
{
    TRY(failpoint_at("swap_granted"));
    bool go = false, is_free = false;
    TRY(swap_drain(a, &go));
    if (!go)
        return NULL;
    const char *sql = rename_sql(a);
    TRY(swap_keys_move(a));
    Wait wait = {.timeout_ms = swap_left(a, 1)};
    TRY(my_send(a->second, &wait, sql));
    Err *err = release(a, &is_free);
    if (!is_free) {
        swap_keys_restore(a);
        swap_unlock(a); /* what R comes to then is 1050 */
        call_off(a);
        return err;
    }
    swap_unlock(a);
    Err *answer = await_rename(a, sql);
    if (answer == NULL || answer->server_errno != MY_ER_TABLE_EXISTS) {
        err_free(err);
        return answer;
    }
    err_free(answer); /* the sentry stands: what went wrong was its DROP */
    return err;
}

Err *swap_by_sentry(Attempt *a)
{
    find_locks(a);
    TRY(make_sentry(a));
    TRY(failpoint_at("swap_sentry_made"));
    bool go = false;
    const char *const tables[] = {a->source, a->shadow, a->old};
    TRY(swap_lock(a, tables, ARRAY_LEN(tables), &go));
    if (!go)
        return NULL;
    Err *err = under_lock(a);
    if (a->lock != NULL && a->result->locked_ms == 0) {
        swap_keys_restore(a);
        swap_unlock(a);
    }
    return err;
}
