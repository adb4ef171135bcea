/* The hostile profile: all that makes a schema change hard, in transactions that cannot deadlock with each
 * other.
 *
 * A transaction over several rows first takes advisory locks for the buckets of all its rows in sorted order,
 * and then touches the rows in random order. One over a single row takes none: it holds nothing that others
 * wait for in turn, so real queues on row locks arise without a cycle. Keys are taken from those that were
 * there when the load began; new ones only from the sequence. What deadlocks is therefore somebody else's
 * doing. */
#include "load/row.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdlib.h>

enum { ROWS_MAX = 8, HOT_ROWS = 20, BUCKETS = 8192, LOCK_CLASS = 0x6c6f6165 };

typedef struct Keys {
    int count;
    int64_t ids[ROWS_MAX];
} Keys;

/* ---- keys ------------------------------------------------------------------------------------------------
 */

static int64_t key_hot(Session *session)
{
    int64_t step = session->load->base_max_id / HOT_ROWS;
    return 1 + random_between(&session->random, 0, HOT_ROWS - 1) * step;
}

static bool key_is_hot(const Session *session, int64_t id)
{
    int64_t step = session->load->base_max_id / HOT_ROWS;
    return step == 0 || (id - 1) % step == 0;
}

static int64_t key_any(Session *session)
{
    if (random_percent(&session->random, 10))
        return key_hot(session);
    return random_between(&session->random, 1, session->load->base_max_id);
}

static int compare_ids(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

/* Chooses the rows of a transaction and takes their advisory locks, in the order of the buckets. Waiting for
 * each other here is the application's own affair, like a pause: no latency counts it. */
static Err *keys_lock(Session *session, Keys *ret_keys)
{
    *ret_keys = (Keys){.count = (int)random_between(&session->random, 1, ROWS_MAX)};
    int64_t buckets[ROWS_MAX] = {0};
    for (int i = 0; i < ret_keys->count; i++) {
        ret_keys->ids[i] = key_any(session);
        session->on_hot_row |= key_is_hot(session, ret_keys->ids[i]);
        buckets[i] = ret_keys->ids[i] % BUCKETS;
    }
    qsort(buckets, (size_t)ret_keys->count, sizeof *buckets, compare_ids);
    CLEANUP(str_donep) Str sql = STR_INIT;
    for (int i = 0; i < ret_keys->count; i++)
        str_addf(&sql, "%s pg_advisory_xact_lock(%d, %lld)", i == 0 ? "SELECT" : ",", LOCK_CLASS,
                 (long long)buckets[i]);
    int64_t begin_us = clock_us();
    Err *err = session_exec(session, sql.buf);
    session->slept_us += clock_us() - begin_us;
    return err;
}

/* ---- parts of transactions -------------------------------------------------------------------------------
 */

/* People at keyboards, and other services: mostly nothing, sometimes long. Not long on a hot row, where the
 * application would stall itself and hide what others do to it. */
static void pause_maybe(Session *session)
{
    bool at_length = random_percent(&session->random, 1);
    if (at_length && !session->on_hot_row)
        session_pause(session, random_between(&session->random, 100, 300));
    else if (random_percent(&session->random, 40))
        session_pause(session, random_between(&session->random, 0, 20));
}

static Err *begin(Session *session, bool repeatable_read)
{
    return session_exec(session, repeatable_read ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN");
}

static Err *item_insert(Session *session, int64_t id)
{
    const LoadNames *names = &session->load->names;
    const char *sql =
        arena_printf(session->arena,
                     "INSERT INTO %s (order_id, sku, quantity) SELECT id, 'sku-' || $2, $3 FROM "
                     "%s WHERE id = $1",
                     names->item, names->main);
    const char *params[] = {
        arena_printf(session->arena, "%lld", (long long)id),
        arena_printf(session->arena, "%d", (int)random_between(&session->random, 1, 9999)),
        arena_printf(session->arena, "%d", (int)random_between(&session->random, 1, 9)),
    };
    return session_query(session, sql, 3, params, NULL);
}

static Err *item_delete(Session *session, int64_t id)
{
    const char *item = session->load->names.item;
    const char *sql =
        arena_printf(session->arena,
                     "DELETE FROM %s WHERE id = (SELECT id FROM %s WHERE order_id = $1 LIMIT 1)", item, item);
    const char *params[] = {arena_printf(session->arena, "%lld", (long long)id)};
    return session_query(session, sql, 1, params, NULL);
}

static Err *select_for_update(Session *session, int64_t id)
{
    const char *sql = arena_printf(session->arena, "SELECT id, amount FROM %s WHERE id = $1 FOR UPDATE",
                                   session->load->names.main);
    const char *params[] = {arena_printf(session->arena, "%lld", (long long)id)};
    return session_query(session, sql, 1, params, NULL);
}

static Err *delete_and_insert_again(Session *session, int64_t id)
{
    bool deleted;
    TRY(row_delete(session, id, &deleted));
    if (!deleted)
        return NULL;
    pause_maybe(session);
    RowValues values;
    row_values(session, id, &values);
    return row_insert(session, &values);
}

/* Something with one row of a transaction that holds its advisory lock. */
static Err *row_anything(Session *session, int64_t id, bool repeatable_read)
{
    RowValues values;
    bool deleted, hot = key_is_hot(session, id);
    int64_t choice = random_between(&session->random, 0, 99);
    if (choice < 28)
        return row_update_amount(session, id, false);
    if (choice < 33)
        return row_update_amount(session, id, true);
    if (choice < 55)
        return row_update_other(session, id);
    if (choice < 60)
        return row_update_new(session, id);
    if (choice < 68) {
        row_values(session, 0, &values);
        return row_insert(session, &values);
    }
    if (choice < 75) {
        row_values(session, id, &values);
        return row_upsert(session, &values);
    }
    if (choice < 80)
        return delete_and_insert_again(session, id);
    if (choice < 83 && !hot)
        return row_delete(session, id, &deleted);
    if (choice < 87 && !hot)
        return row_move(session, id);
    /* Its snapshot may show a parent that is gone: the foreign key would refuse what was no mistake. */
    if (choice < 94 && !repeatable_read)
        return item_insert(session, id);
    if (choice < 97)
        return item_delete(session, id);
    return select_for_update(session, id);
}

/* ---- transactions --------------------------------------------------------------------------- */

/* Several rows in random order, in a part of the cases with a savepoint, or rolled back as a whole. */
static Err *several_rows(Session *session)
{
    bool repeatable_read = random_percent(&session->random, 15);
    bool savepoint = random_percent(&session->random, 25), back = random_percent(&session->random, 60);
    Keys keys;
    TRY(begin(session, repeatable_read));
    TRY(keys_lock(session, &keys));
    int middle = keys.count / 2;
    for (int i = 0; i < keys.count; i++) {
        if (savepoint && i == middle)
            TRY(session_exec(session, "SAVEPOINT half"));
        TRY(row_anything(session, keys.ids[i], repeatable_read));
        pause_maybe(session);
        if (savepoint && back && i == middle)
            TRY(session_exec(session, "ROLLBACK TO SAVEPOINT half"));
    }
    return session_exec(session, random_percent(&session->random, 10) ? "ROLLBACK" : "COMMIT");
}

/* One row without an advisory lock: sessions queue on the row itself. */
static Err *single_row(Session *session)
{
    int64_t id = random_percent(&session->random, 25) ? key_hot(session) : key_any(session);
    session->on_hot_row = key_is_hot(session, id);
    TRY(begin(session, random_percent(&session->random, 15)));
    int64_t choice = random_between(&session->random, 0, 9);
    if (choice < 5)
        TRY(row_update_amount(session, id, false));
    else if (choice < 6)
        TRY(row_update_amount(session, id, true));
    else if (choice < 9)
        TRY(row_update_other(session, id));
    else
        TRY(row_update_new(session, id));
    pause_maybe(session);
    return session_exec(session, random_percent(&session->random, 5) ? "ROLLBACK" : "COMMIT");
}

/* SELECT * that was prepared before the column came: refused once by the server when it has come. */
static Err *prepared_star(Session *session)
{
    if (!session->star_prepared) {
        const char *sql = arena_printf(
            session->arena, "DEALLOCATE ALL; PREPARE load_star (bigint) AS SELECT * FROM %s WHERE id = $1",
            session->load->names.main);
        TRY(session_exec(session, sql));
        session->star_prepared = true;
    }
    bool inside = random_percent(&session->random, 30);
    if (inside)
        TRY(begin(session, false));
    for (int i = 0; i < 2; i++) {
        Rows rows = {0};
        const char *sql =
            arena_printf(session->arena, "EXECUTE load_star (%lld)", (long long)key_any(session));
        TRY(session_query(session, sql, 0, NULL, &rows));
        if (inside && i == 0)
            pause_maybe(session);
    }
    return inside ? session_exec(session, "COMMIT") : NULL;
}

/* A snapshot that is kept: the same row must look the same twice. */
static Err *repeatable_reader(Session *session)
{
    int64_t id = random_percent(&session->random, 50) ? key_hot(session) : key_any(session);
    Rows first = {0}, second = {0};
    TRY(begin(session, true));
    TRY(row_select(session, id, &first));
    session_pause(session, random_between(&session->random, 0, 40));
    TRY(row_select(session, id, &second));
    bool same = first.row_count == second.row_count;
    for (size_t i = 0; same && i < first.row_count * first.col_count; i++)
        same = str_eq(first.cells[i], second.cells[i]);
    if (!same)
        return err_new(ERR_VERIFY, "a repeatable read saw row %lld in two states", (long long)id);
    return session_exec(session, "COMMIT");
}

static Err *copy_rows(Session *session)
{
    TRY(begin(session, false));
    TRY(row_copy(session, (int)random_between(&session->random, 1, 5)));
    pause_maybe(session);
    return session_exec(session, random_percent(&session->random, 10) ? "ROLLBACK" : "COMMIT");
}

static Err *plain_read(Session *session)
{
    Rows rows = {0};
    return row_select(session, random_between(&session->random, 1, atomic_load(&session->load->max_id)),
                      &rows);
}

Err *hostile_item(Session *session)
{
    session->on_hot_row = false;
    int64_t choice = random_between(&session->random, 0, 99);
    if (choice < 40)
        return several_rows(session);
    if (choice < 68)
        return single_row(session);
    if (choice < 80)
        return prepared_star(session);
    if (choice < 86)
        return copy_rows(session);
    return choice < 92 ? repeatable_reader(session) : plain_read(session);
}
