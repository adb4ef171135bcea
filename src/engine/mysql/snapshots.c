/* Snapshots older than the shadow's last row.
 *
 * Rows that were written into the shadow behind a transaction's snapshot are not there for it, so that after
 * the swap it would see a table of the past, or an empty one. Transactions that have read the source cannot
 * be open while it is locked; the others have not met it yet.
 *
 * Which of them have a snapshot (all seen on MariaDB 10.11 and 11.8, MySQL 5.6 and 9.7):
 *  - information_schema.INNODB_TRX lists every transaction from its first access to InnoDB or START
 * TRANSACTION WITH CONSISTENT SNAPSHOT on, read-only and idle ones included; BEGIN alone, or a first
 * statement that waits for our lock, is not there. trx_started has whole seconds, and it does not tell who
 * has a snapshot.
 *  - It is a copy that is made again only when nobody has read it for 100 ms, so it may be of the time before
 * the drain. A session that has just begun a transaction, and is in it, proves that it is not.
 *  - SHOW ENGINE INNODB STATUS tells who has one ("Trx read view …"), at once: all sessions on MariaDB
 * and 5.6, on MySQL 9.7 only those that have written something. Whoever is listed without has none, and will
 * get one that sees all.
 *  - READ COMMITTED takes a snapshot for each statement, behind its metadata locks; on MariaDB, START
 * TRANSACTION WITH CONSISTENT SNAPSHOT gives it one for the first statement. SERIALIZABLE reads with locks,
 * hence what is there now; with MariaDB's innodb_snapshot_isolation (on from 11.6.2) it has a snapshot beside
 * them, and would meet error 1412 at the new table. A SELECT with autocommit opens no further table.
 *  - Transactions of no session (prepared, recovered) read nothing more. */
#include "base/clock.h"
#include "base/stop.h"
#include "base/str.h"
#include "engine/mysql/error.h"
#include "engine/mysql/innodb_status.h"
#include "engine/mysql/swap_parts.h"

#include <stdlib.h>
#include <string.h>

enum { CACHE_MS = 105, STEP_MS = 3, LOOKS = 4 };

typedef struct Suspect {
    int64_t id;
    const char *level, *started;
    int64_t age_s;
    int64_t event; /* performance_schema's number of its transaction; 0 unknown */
    bool is_cleared, is_stuck;
} Suspect;

typedef struct Suspects {
    Suspect *items;
    size_t count;
} Suspects;

Err *swap_may_see(Attempt *a)
{
    Rows rows = {0};
    Err *err = my_query(a->control, a->wait, a->arena, "SHOW ENGINE INNODB STATUS", 0, NULL, &rows);
    if (!err_is(err, ERR_PRIVILEGE))
        return err;
    CLEANUP(err_freep) Err *cause = err;
    TRY(my_query(a->control, a->wait, a->arena, "SELECT CURRENT_USER()", 0, NULL, &rows));
    return err_hint(err_new(ERR_PRIVILEGE, "cannot see the snapshots of other sessions: PROCESS is needed"),
                    "GRANT PROCESS ON *.* TO %s, or --allow-old-snapshots", rows_cell(&rows, 0, 0));
}

/* ---- suspects
 * ----------------------------------------------------------------------------------------------
 */

enum { CELL_ID, CELL_LEVEL, CELL_ALONE, CELL_STARTED, CELL_COMMAND, CELL_AGE };

static bool is_suspect(const Attempt *a, const Rows *rows, size_t row)
{
    int64_t id = rows_int(rows, row, CELL_ID);
    const char *level = rows_cell(rows, row, CELL_LEVEL);
    if (id == 0 || swap_is_ours(a, id) || rows_bool(rows, row, CELL_ALONE) || level == NULL)
        return false;
    if (str_eq(level, "REPEATABLE READ"))
        return true;
    if (!flavor_is_mariadb(my_flavor(a->control)))
        return false;
    return str_eq(level, "SERIALIZABLE") ||
           (str_eq(level, "READ COMMITTED") && str_eq(rows_cell(rows, row, CELL_COMMAND), "Sleep"));
}

static const char list_sql[] =
    "SELECT x.trx_mysql_thread_id, x.trx_isolation_level, x.trx_autocommit_non_locking, x.trx_started, "
    "p.COMMAND, "
    "TIMESTAMPDIFF(SECOND, x.trx_started, CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM')) FROM "
    "information_schema.INNODB_TRX x LEFT JOIN information_schema.PROCESSLIST p ON p.ID = "
    "x.trx_mysql_thread_id";

static void take_suspects(Attempt *a, const Rows *rows, Suspects *ret_suspects)
{
    *ret_suspects = (Suspects){.items = arena_alloc(a->arena, (rows->row_count + 1) * sizeof(Suspect))};
    for (size_t row = 0; row < rows->row_count; row++)
        if (is_suspect(a, rows, row))
            ret_suspects->items[ret_suspects->count++] =
                (Suspect){.id = rows_int(rows, row, CELL_ID),
                          .level = rows_cell(rows, row, CELL_LEVEL),
                          .started = rows_cell(rows, row, CELL_STARTED),
                          .age_s = rows_int(rows, row, CELL_AGE)};
}

/* The list, made after this was called; ret_fresh false: it was older. `second` has had no transaction
 * before, so it is in no older list. */
static Err *list_suspects(Attempt *a, const Wait *wait, Suspects *ret_suspects, bool *ret_fresh)
{
    Rows rows = {0};
    TRY(my_query(
        a->second, wait, a->arena,
        arena_printf(a->arena,
                     "COMMIT; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH "
                     "CONSISTENT SNAPSHOT; %s",
                     list_sql),
        0, NULL, &rows));
    TRY(my_exec(a->second, wait, "COMMIT"));
    *ret_fresh = false;
    for (size_t row = 0; row < rows.row_count; row++)
        *ret_fresh = *ret_fresh || rows_int(&rows, row, CELL_ID) == my_session_id(a->second);
    take_suspects(a, &rows, ret_suspects);
    return NULL;
}

/* ---- what is never out of date
 * -----------------------------------------------------------------------------
 */

static Err *clear_by_status(Attempt *a, const Wait *wait, Suspects *suspects)
{
    InnodbStatus status;
    TRY(innodb_status_load(a->control, wait, a->arena, &status));
    for (size_t i = 0; i < suspects->count; i++)
        if (innodb_status_lacks_view(&status, suspects->items[i].id))
            suspects->items[i].is_cleared = true;
    return NULL;
}

enum { EVENT_ID, EVENT_IS_ON, EVENT_NUMBER, EVENT_REPEATS };

/* Every session with its open transaction's number, or 0, by performance_schema of MySQL 8.0 and later. No
 * rows where it does not tell: the transaction that `second` has open is not among them. */
static Err *list_events(Attempt *a, const Wait *wait, Rows *ret_rows)
{
    Rows rows = {0};
    *ret_rows = (Rows){0};
    const Flavor *flavor = my_flavor(a->control);
    if (flavor_is_mariadb(flavor) || flavor->version < 80000)
        return NULL;
    Err *err =
        my_query(a->second, wait, a->arena,
                 "START TRANSACTION WITH CONSISTENT SNAPSHOT; SELECT t.PROCESSLIST_ID, t.INSTRUMENTED = "
                 "'YES', IF(e.STATE = 'ACTIVE', e.EVENT_ID, 0), "
                 "e.ISOLATION_LEVEL = 'REPEATABLE READ' AND e.AUTOCOMMIT = 'NO' FROM "
                 "performance_schema.threads t LEFT JOIN performance_schema.events_transactions_current e ON "
                 "e.THREAD_ID = t.THREAD_ID WHERE t.PROCESSLIST_ID IS NOT NULL",
                 0, NULL, &rows);
    if (err_is(err, ERR_CONN_LOST))
        return err;
    bool is_on = false;
    for (size_t row = 0; err == NULL && row < rows.row_count; row++)
        is_on = is_on || (rows_int(&rows, row, EVENT_ID) == my_session_id(a->second) &&
                          rows_int(&rows, row, EVENT_NUMBER) > 0);
    if (is_on)
        *ret_rows = rows;
    err_free(err);
    return NULL; /* what comes next on this session ends it */
}

/* A transaction that is over, or has made room for another one, is cleared. */
static Err *clear_by_event(Attempt *a, const Wait *wait, Suspects *suspects)
{
    Rows rows = {0};
    TRY(list_events(a, wait, &rows));
    for (size_t i = 0; rows.row_count > 0 && i < suspects->count; i++) {
        Suspect *suspect = &suspects->items[i];
        bool is_on = true; /* as for a session that is gone */
        int64_t event = 0;
        for (size_t row = 0; row < rows.row_count; row++)
            if (rows_int(&rows, row, EVENT_ID) == suspect->id) {
                is_on = rows_bool(&rows, row, EVENT_IS_ON);
                event = rows_int(&rows, row, EVENT_NUMBER);
            }
        if (is_on && (event == 0 || (suspect->event != 0 && suspect->event != event)))
            suspect->is_cleared = true;
        suspect->event = event;
    }
    return NULL;
}

/* Snapshots of single statements pass by within milliseconds. */
static Err *views_pass(Attempt *a, const Wait *wait, bool *ret_clear)
{
    InnodbViews views = {0};
    *ret_clear = false;
    for (int look = 0; !*ret_clear && look < LOOKS; look++) {
        InnodbStatus status;
        InnodbViews now = {0};
        if (look > 0)
            stop_sleep(NULL, STEP_MS);
        TRY(innodb_status_load(a->control, wait, a->arena, &status));
        if (!status.has_all)
            return NULL;
        innodb_status_views(&status, a->arena, my_session_id(a->second), &now);
        if (look == 0)
            views = now;
        innodb_views_keep(&views, &now);
        *ret_clear = views.len == 0;
    }
    return NULL;
}

/* Whether nobody can have a snapshot; most attempts need nothing more. */
static Err *is_clear(Attempt *a, const Wait *wait, bool *ret_clear)
{
    Rows rows = {0};
    TRY(list_events(a, wait, &rows));
    *ret_clear = rows.row_count > 0;
    for (size_t row = 0; row < rows.row_count; row++)
        if (!swap_is_ours(a, rows_int(&rows, row, EVENT_ID)) &&
            (!rows_bool(&rows, row, EVENT_IS_ON) ||
             (rows_int(&rows, row, EVENT_NUMBER) > 0 && rows_bool(&rows, row, EVENT_REPEATS))))
            *ret_clear = false;
    if (rows.row_count > 0)
        return NULL;
    return views_pass(a, wait, ret_clear);
}

/* ---- waiting
 * -----------------------------------------------------------------------------------------------
 */

/* Who waits for our own lock does not end while we wait. */
static Err *find_stuck(Attempt *a, const Wait *wait, Suspects *suspects)
{
    Rows rows = {0};
    TRY(my_query(
        a->control, wait, a->arena,
        "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE = 'Waiting for table metadata lock'", 0,
        NULL, &rows));
    for (size_t i = 0; i < suspects->count; i++)
        for (size_t row = 0; row < rows.row_count; row++)
            if (rows_int(&rows, row, 0) == suspects->items[i].id)
                suspects->items[i].is_stuck = true;
    return NULL;
}

static size_t drop_cleared(Suspects *suspects, const Suspect **ret_worst)
{
    size_t left = 0;
    for (size_t i = 0; i < suspects->count; i++)
        if (!suspects->items[i].is_cleared)
            suspects->items[left++] = suspects->items[i];
    suspects->count = left;
    *ret_worst = left == 0 ? NULL : &suspects->items[0];
    for (size_t i = 0; i < left; i++)
        if (suspects->items[i].is_stuck && !(*ret_worst)->is_stuck)
            *ret_worst = &suspects->items[i];
    return left;
}

static Err *name_worst(Attempt *a, const Suspect *worst, const char **ret_who)
{
    return swap_session_text(a, worst->id,
                             arena_printf(a->arena, "%s with a snapshot of before the cutover (since %s)%s",
                                          worst->level, worst->started,
                                          worst->is_stuck ? ", which waits for the table itself" : ""),
                             ret_who);
}

static Err *wait_out(Attempt *a, Suspects *suspects, int64_t deadline_ms, const char **ret_who)
{
    const Suspect *worst = NULL;
    for (;;) {
        int64_t left = deadline_ms - clock_ms();
        Wait wait = {.timeout_ms = swap_left(a, 1)};
        TRY(clear_by_status(a, &wait, suspects));
        if (drop_cleared(suspects, &worst) > 0)
            TRY(clear_by_event(a, &wait, suspects));
        if (drop_cleared(suspects, &worst) == 0)
            return NULL;
        TRY(find_stuck(a, &wait, suspects));
        (void)drop_cleared(suspects, &worst);
        if (worst->is_stuck || left <= 0)
            break;
        stop_sleep(NULL, STEP_MS);
    }
    return name_worst(a, worst, ret_who);
}

/* A list that cannot be read (my_query) is as one that is too old. */
static Err *unless_unreadable(Err *err)
{
    if (err == NULL || err->server_errno != MY_ER_CANNOT_CONVERT)
        return err;
    err_free(err);
    return NULL;
}

Err *swap_snapshots(Attempt *a, int64_t deadline_ms, const char **ret_who)
{
    Suspects suspects = {0};
    bool is_fresh = false;
    *ret_who = NULL;
    Wait wait = {.timeout_ms = swap_left(a, 1)};
    bool clear = false;
    TRY(is_clear(a, &wait, &clear));
    while (!clear) {
        TRY(unless_unreadable(list_suspects(a, &wait, &suspects, &is_fresh)));
        if (is_fresh || clock_ms() + CACHE_MS > deadline_ms)
            break;
        stop_sleep(NULL, CACHE_MS);
    }
    if (!clear && !is_fresh) {
        *ret_who = "another session that reads information_schema.INNODB_TRX all the time, so that snapshots "
                   "cannot be "
                   "seen";
        return NULL;
    }
    return clear || suspects.count == 0 ? NULL : wait_out(a, &suspects, deadline_ms, ret_who);
}

/* Before the lock: who has had a snapshot for seconds will have it for longer than we may hold the lock. */
Err *swap_long_snapshot(Attempt *a, bool *ret_go)
{
    enum { LONG_S = 2 };
    Suspects suspects = {0}, old = {0};
    Rows rows = {0};
    *ret_go = true;
    TRY(unless_unreadable(my_query(a->control, a->wait, a->arena, list_sql, 0, NULL, &rows)));
    take_suspects(a, &rows, &suspects);
    old.items = suspects.items;
    for (size_t i = 0; i < suspects.count; i++)
        if (suspects.items[i].age_s >= LONG_S)
            old.items[old.count++] = suspects.items[i];
    const Suspect *worst = NULL;
    const char *who = NULL;
    if (old.count > 0)
        TRY(clear_by_status(a, a->wait, &old));
    *ret_go = drop_cleared(&old, &worst) == 0;
    if (*ret_go) /* our own look has made the list that one under the lock would get: it is to be made anew */
        return swap_pause(a, CACHE_MS);
    TRY(name_worst(a, worst, &who));
    swap_not_done(a, who, true);
    return NULL;
}
