/* The cutover: one short transaction under ACCESS EXCLUSIVE, in which the last changes are brought over and
 * all names change places.
 *
 * A row of the shadow cannot be seen by a snapshot that is older than the transaction that wrote it, and a
 * transaction in REPEATABLE READ keeps its snapshot; once the shadow has the table's name, it would see rows
 * missing. So whoever holds a snapshot from before the last rows that were brought over without the lock must
 * have let go of it before the lock is asked for; nobody waits meanwhile. What is brought over under the lock
 * is newer than any snapshot: then no transaction may sit idle with one, and statements of others that are
 * under way must end. A statement that waits for what we have locked took its snapshot in these few
 * milliseconds; in READ COMMITTED it takes another one when it goes on, so it counts only where another
 * isolation level is the default.
 *
 * Facts: pg_stat_activity.backend_xmin is NULL for a session without a snapshot, so also between the
 * statements of a READ COMMITTED transaction. A transaction that was prepared (2PC) has no snapshot left.
 * VACUUM's is none that reads rows. Source of the statements in the transaction: the plan (SwapRequest.sql).
 */
#include "engine/postgres/shadow.h"

#include "base/clock.h"
#include "engine/postgres/catalog.h"
#include "engine/sql.h"

#include <poll.h>
#include <stdlib.h>

enum {
    SNAPSHOT_WAIT_MS = 1000, /* without a lock */
    SNAPSHOT_LOOK_MS = 5,
    LOCKED_SHARE = 4,   /* of max_stall, for statements of others that end by themselves under the lock */
    NOWAIT_LOCK_MS = 5, /* for what the statements need besides */
    QUEUE_SHARE = 3,    /* of max_stall, in the lock's queue */
    NAMED_EVERY = 8,    /* attempts of which one asks who is in the way */
};

#define SNAPSHOTS                                                                                            \
    "pg_catalog.pg_stat_activity a WHERE a.backend_xmin IS NOT NULL AND a.pid <> "                           \
    "pg_catalog.pg_backend_pid() AND "                                                                       \
    "a.datname = pg_catalog.current_database() AND a.backend_type <> 'autovacuum worker'"
#define SNAPSHOT_NAME "pg_catalog.concat(a.pid, '/', a.xact_start, '/', a.backend_xmin)"
#define SNAPSHOT_TEXT                                                                                        \
    "pg_catalog.format('pid %s (%s, %s, transaction open for %s): %s', a.pid, "                              \
    "coalesce(nullif(a.application_name, "                                                                   \
    "''), 'no name'), a.state, pg_catalog.date_trunc('milliseconds', pg_catalog.clock_timestamp() - "        \
    "a.xact_start), "                                                                                        \
    "pg_catalog.left(a.query, 80))"

/* ---- snapshots ------------------------------------------------------------------------------ */

/* Those that do not see the last transaction which wrote to the shadow. Where none is noted, all of them. */
static Err *list_snapshots(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                           const char **ret_list)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena,
                                "SELECT pg_catalog.array_agg(" SNAPSHOT_NAME ") FROM " SNAPSHOTS
                                " AND coalesce((SELECT pg_catalog.age(a.backend_xmin) >= "
                                "pg_catalog.age((w.high %% 4294967296)::text::xid) "
                                "FROM %s w WHERE w.low = %d), true)",
                                spec->copied_log, SHADOW_MARK_WRITTEN)));
    *ret_list = rows_cell(&rows, 0, 0);
    return NULL;
}

/* Waits until all who hold an old one now have let go of it. *ret_who NULL: they have. */
static Err *await_snapshots(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                            const char **ret_who)
{
    Rows rows = {0};
    int64_t until = clock_ms() + SNAPSHOT_WAIT_MS;
    const char *held = NULL;
    *ret_who = NULL;
    TRY(list_snapshots(conn, wait, arena, spec, &held));
    while (held != NULL) {
        TRY(conn_params(conn, wait, arena, &rows,
                        "SELECT pg_catalog.string_agg(" SNAPSHOT_TEXT ", '; ') FROM " SNAPSHOTS
                        " AND " SNAPSHOT_NAME " = ANY ($1::text[])",
                        held));
        if (rows_cell(&rows, 0, 0) == NULL)
            return NULL;
        if (clock_ms() > until) {
            *ret_who = rows_cell(&rows, 0, 0);
            return NULL;
        }
        TRY(stop_check(wait->stop));
        (void)poll(NULL, 0, SNAPSHOT_LOOK_MS);
    }
    return NULL;
}

/* Under the lock, behind rows that were brought over there. */
static Err *look_at_snapshots(Conn *conn, const Wait *wait, Arena *arena, int64_t until_ms,
                              const char **ret_who)
{
    static const char sql[] =
        "SELECT pg_catalog.string_agg(" SNAPSHOT_TEXT
        ", '; '), pg_catalog.bool_or(a.state LIKE 'idle%') FROM " SNAPSHOTS
        " AND NOT (EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_locks o ON o.pid = "
        "pg_catalog.pg_backend_pid() AND o.granted AND o.mode = 'AccessExclusiveLock' AND o.relation = "
        "l.relation WHERE l.pid = a.pid AND NOT l.granted) AND NOT EXISTS (SELECT FROM "
        "pg_catalog.pg_db_role_setting r, "
        "pg_catalog.unnest(r.setconfig) s WHERE s LIKE 'default_transaction_isolation=%' AND s NOT LIKE "
        "'%read committed') "
        "AND (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'default_transaction_isolation') = "
        "'read "
        "committed')";
    for (;;) {
        Rows rows = {0};
        /* a transaction reads it once, else */
        TRY(conn_exec(conn, wait, "SELECT pg_catalog.pg_stat_clear_snapshot()"));
        TRY(conn_query(conn, wait, arena, &rows, sql));
        *ret_who = rows_cell(&rows, 0, 0);
        if (*ret_who == NULL || rows_bool(&rows, 0, 1) || clock_ms() >= until_ms)
            return NULL;
        (void)poll(NULL, 0, 1);
    }
}

/* ---- one attempt ---------------------------------------------------------------------------- */

typedef struct Attempt {
    const SwapRequest *request;
    SwapResult *result;
    int64_t asked_ms, got_ms; /* the source's lock; 0: it was not got */
    int64_t held_ms;          /* since when others may wait for us; 0 */
} Attempt;

/* Others than the source first: whoever uses a view, or writes to the other end of a foreign key, has locked
 * that before the source. They wait from the first of these locks on. */
static Err *lock_source(Conn *conn, const Wait *wait, Arena *arena, Attempt *attempt)
{
    const SwapRequest *request = attempt->request;
    const ShadowSpec *spec = request->spec;
    const char *name = shadow_source_sql(arena, spec);
    Wait queue = *wait;
    attempt->asked_ms = clock_ms();
    queue.until_ms = attempt->asked_ms + request->max_stall_ms / QUEUE_SHARE + 1;
    attempt->held_ms = spec->front_count > 0 ? attempt->asked_ms : 0;
    for (size_t i = 0; i < spec->front_count; i++)
        TRY(conn_exec(conn, &queue, spec->front[i]));
    if (spec->role != NULL)
        TRY(pg_act_as(conn, wait, spec->role));
    TRY(conn_exec(conn, &queue,
                  arena_printf(arena, "LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE%s", name,
                               request->gentle ? " NOWAIT" : "")));
    attempt->got_ms = clock_ms();
    if (attempt->held_ms == 0)
        attempt->held_ms = attempt->got_ms;
    return spec->role == NULL ? NULL : pg_act_as(conn, wait, NULL);
}

/* Rows of the catalog are written anew by whatever changes them, but for VACUUM and ANALYZE, which overwrite
 * theirs in place; and whatever hangs on a table has a row in pg_depend. */
static Err *shadow_stamp(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                         const char **ret_stamp)
{
    Rows rows = {0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT pg_catalog.md5(pg_catalog.string_agg(s, ' ' ORDER BY s)) FROM ("
        "SELECT 'c' || c.xmin || ' ' || c.oid FROM pg_catalog.pg_class c WHERE c.oid = $1::regclass UNION "
        "ALL "
        "SELECT 'a' || a.xmin || ' ' || a.attnum FROM pg_catalog.pg_attribute a WHERE a.attrelid = "
        "$1::regclass "
        "UNION ALL SELECT 'd' || d.xmin || ' ' || d.classid || ' ' || d.objid || ' ' || d.refobjsubid FROM "
        "pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = "
        "$1::regclass UNION ALL "
        "SELECT 'm' || m.xmin || ' ' || m.objsubid FROM pg_catalog.pg_description m WHERE m.objoid = "
        "$1::regclass UNION ALL "
        "SELECT 'i' || x.xmin || ' ' || i.indexrelid || ' ' || i.indisvalid || i.indisclustered || "
        "i.indisreplident FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid "
        "WHERE "
        "i.indrelid = $1::regclass UNION ALL "
        "SELECT 't' || t.xmin || ' ' || t.oid FROM pg_catalog.pg_trigger t WHERE t.tgrelid = $1::regclass "
        "UNION "
        "ALL SELECT 'k' || k.xmin || ' ' || k.oid FROM pg_catalog.pg_constraint k WHERE k.conrelid = "
        "$1::regclass UNION ALL "
        "SELECT 'p' || p.xmin || ' ' || p.oid FROM pg_catalog.pg_publication p WHERE p.puballtables) x (s)",
        shadow_source_sql(arena, spec)));
    *ret_stamp = rows_cell(&rows, 0, 0);
    return NULL;
}

static Err *is_unchanged(Conn *conn, const Wait *wait, Arena *arena, const SwapRequest *request)
{
    const char *stamp = NULL;
    TRY(shadow_stamp(conn, wait, arena, request->spec, &stamp));
    return request->stamp == NULL || str_eq(stamp, request->stamp)
               ? NULL
               : err_new(ERR_LOCK_TIMEOUT, "somebody has changed the table just now");
}

/* The last changes, and whether anybody would miss them. */
static Err *bring_last(Conn *conn, const Wait *wait, Arena *arena, Attempt *attempt)
{
    const SwapRequest *request = attempt->request;
    Rows rows = {0};
    TRY(pg_shadow_is_captured(conn, wait, request->spec->schema, request->spec->source));
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena, "SELECT EXISTS (SELECT FROM %s)", request->spec->key_log)));
    bool waiting = rows_bool(&rows, 0, 0);
    TRY(request->drain(request->context, conn, attempt->held_ms + request->max_stall_ms));
    if (!waiting || request->allow_old_snapshots)
        return NULL;
    const char *who = NULL;
    TRY(look_at_snapshots(conn, wait, arena, attempt->got_ms + request->max_stall_ms / LOCKED_SHARE, &who));
    if (who == NULL)
        return NULL;
    attempt->result->blocker = who;
    attempt->result->old_snapshot = true;
    return err_new(ERR_LOCK_TIMEOUT, "a snapshot is older than the last row");
}

static Err *swap_locked(Conn *conn, const Wait *wait, Arena *arena, Attempt *attempt)
{
    const SwapRequest *request = attempt->request;
    TRY(lock_source(conn, wait, arena, attempt));
    Wait held = *wait;
    held.until_ms = attempt->held_ms + request->max_stall_ms;
    TRY(is_unchanged(conn, &held, arena, request));
    TRY(bring_last(conn, &held, arena, attempt));
    for (size_t i = 0; i < request->sql_count; i++)
        TRY(conn_exec(conn, &held, request->sql[i]));
    TRY(request->look(request->context, conn));
    return pg_commit(conn, wait);
}

/* Not done, and why. */
static Err *given_up(Conn *conn, const Wait *wait, Arena *arena, const Attempt *attempt)
{
    SwapResult *result = attempt->result;
    int64_t id = 0;
    Blocker *blockers = NULL;
    size_t count = 0;
    if (result->blocker != NULL || attempt->got_ms != 0 || random() % NAMED_EVERY != 0)
        return NULL;
    TRY(pg_find_table(conn, wait, arena, attempt->request->spec->schema, attempt->request->spec->source,
                      &id));
    TRY(conn->ops->blockers(conn, wait, arena, &id, 1, "ACCESS EXCLUSIVE", &blockers, &count));
    if (count > 0)
        result->blocker = arena_printf(arena, "pid %lld (%s, %s), transaction open for %lld ms: %.80s",
                                       (long long)blockers[0].pid, blockers[0].application ?: "no name",
                                       blockers[0].state ?: "unknown", (long long)blockers[0].age_ms,
                                       blockers[0].statement ?: "");
    return NULL;
}

Err *pg_shadow_swap(const Target *target UNUSED, Conn *conn, const Wait *wait, Arena *arena,
                    const SwapRequest *request, SwapResult *ret_result)
{
    Attempt attempt = {.request = request, .result = ret_result};
    int64_t share_ms = request->max_stall_ms / QUEUE_SHARE + 1;
    int64_t shadow = 0;
    *ret_result = (SwapResult){0};
    TRY(pg_find_table(conn, wait, arena, request->spec->schema, request->spec->shadow, &shadow));
    TRY(pg_fingerprint_prepare(conn, wait, arena, shadow));
    if (!request->allow_old_snapshots)
        TRY(await_snapshots(conn, wait, arena, request->spec, &ret_result->blocker));
    ret_result->old_snapshot = ret_result->blocker != NULL;
    if (ret_result->old_snapshot)
        return NULL;
    TRY(pg_begin(conn, wait,
                 &(TxSettings){.lock_timeout_ms = request->gentle ? NOWAIT_LOCK_MS : share_ms,
                               .statement_timeout_ms = request->max_stall_ms,
                               .idle_timeout_ms = request->max_stall_ms,
                               .local_commit = true}));
    Err *err = swap_locked(conn, wait, arena, &attempt);
    if (err != NULL)
        pg_rollback(conn);
    int64_t now = clock_ms();
    ret_result->done = err == NULL;
    ret_result->locked_ms = attempt.held_ms == 0 ? 0 : now - attempt.held_ms;
    if (!request->gentle && attempt.asked_ms != 0)
        ret_result->waited_ms = (attempt.got_ms == 0 ? now : attempt.got_ms) - attempt.asked_ms;
    bool passes = err_is(err, ERR_LOCK_TIMEOUT) || err_is(err, ERR_DEADLOCK) || err_is(err, ERR_CANCELLED);
    if (err == NULL || !passes)
        return err;
    err_free(err);
    return given_up(conn, wait, arena, &attempt);
}

/* ---- what is there -------------------------------------------------------------------------- */

Err *pg_shadow_swap_state(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                          SwapState *ret_state)
{
    int64_t source = 0, shadow = 0, old = 0;
    TRY(pg_find_table(conn, wait, arena, spec->schema, spec->source, &source));
    TRY(pg_find_table(conn, wait, arena, spec->schema, spec->shadow, &shadow));
    TRY(pg_find_table(conn, wait, arena, spec->schema, spec->old, &old));
    *ret_state = source != 0 && shadow != 0 && old == 0   ? SWAP_NOT_DONE
                 : source != 0 && shadow == 0 && old != 0 ? SWAP_DONE
                                                          : SWAP_UNKNOWN;
    return NULL;
}

Err *pg_shadow_is_captured(Conn *conn, const Wait *wait, const char *schema, const char *relation)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena,
                                "SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger t WHERE t.tgrelid = "
                                "%s::pg_catalog.regclass AND t.tgname LIKE '" SHADOW_TRIGGER
                                "\\_%%' AND t.tgenabled = 'A'",
                                sql_literal(arena, sql_name(arena, schema, relation)))));
    if (rows_int(&rows, 0, 0) == SHADOW_TRIGGERS)
        return NULL;
    return err_hint(
        err_new(ERR_UNSAFE,
                "the triggers that capture changes of \"%s\" are gone, or were disabled: changes may "
                "have been missed",
                relation),
        "abort the change, then apply it again");
}

static Err *capture_begin(Conn *conn, const Wait *wait, Arena *arena UNUSED, const ShadowSpec *spec,
                          const char **ret_position)
{
    *ret_position = "server";
    return pg_shadow_is_captured(conn, wait, spec->schema, spec->source);
}

/* What captures is made and taken away by steps of the plan, with the lock that they need. */
static Err *capture_end(Conn *conn UNUSED, const Wait *wait UNUSED, const ShadowSpec *spec UNUSED)
{
    return NULL;
}

static Err *swap_clear(Conn *conn UNUSED, const Wait *wait UNUSED, const ShadowSpec *spec UNUSED)
{
    return NULL;
}

const ShadowOps pg_shadow_ops = {
    .next = pg_shadow_next,
    .copy = pg_shadow_copy,
    .compare = pg_shadow_compare,
    .compare_keys = pg_shadow_compare_keys,
    .empty = pg_shadow_empty,
    .key_text = pg_shadow_key_text,
    .fraction = pg_shadow_fraction,
    .copied = pg_shadow_copied,
    .bring = pg_shadow_bring,
    .owe = pg_shadow_owe,
    .stamp = shadow_stamp,
    .capture_begin = capture_begin,
    .capture_end = capture_end,
    .swap = pg_shadow_swap,
    .swap_state = pg_shadow_swap_state,
    .swap_clear = swap_clear,
};
