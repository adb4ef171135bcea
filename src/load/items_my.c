/* What the application does on MySQL and MariaDB, in two profiles.
 *
 * The hostile one makes all that makes a change hard, in transactions that cannot deadlock with each other:
 * rows of which the last digit is not VOLATILE_DIGIT always exist, and a transaction over several of them
 * takes them in rising order. The others come and go and change their keys, in transactions of one row each
 * under a lock of the application's own (GET_LOCK), so that three sessions never meet in one row's
 * uniqueness check; READ COMMITTED there, so that what is missing locks no gap. What deadlocks is therefore
 * somebody else's doing. */
#include "load/row.h"

#include "base/clock.h"
#include "base/str.h"

#include <string.h>
#include <time.h>

enum { ROWS_MAX = 8, HOT_ROWS = 20, VOLATILE_DIGIT = 7, TEXT_MAX = 100 };

/* ---- statements ------------------------------------------------------------------------------------------
 */

/* A time that the table and its twin get alike. */
static const char *now_text(Session *session)
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    char text[TEXT_MAX];
    size_t len = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    text[len] = '\0';
    return arena_printf(session->arena, "%s.%06ld", text, now.tv_nsec / 1000);
}

/* Runs `head` TABLE `tail` on the table, and where that changed something, alike on the twin. */
static Err *write_both(Session *session, const char *head, const char *tail, size_t count,
                       const char *const *params, int64_t *ret_affected)
{
    const LoadNames *names = &session->load->names;
    Rows rows = {0};
    TRY(session_query(session, arena_printf(session->arena, "%s %s %s", head, names->main, tail), count,
                      params, &rows));
    if (ret_affected != NULL)
        *ret_affected = rows.affected;
    if (names->twin == NULL || rows.affected == 0)
        return NULL;
    return session_query(session, arena_printf(session->arena, "%s %s %s", head, names->twin, tail), count,
                         params, NULL);
}

static const char *number_text(Session *session, int64_t number)
{
    return arena_printf(session->arena, "%lld", (long long)number);
}

/* Several new rows in one statement, the ids by the server. */
static Err *insert_rows(Session *session, int row_count)
{
    const LoadNames *names = &session->load->names;
    CLEANUP(str_donep) Str mine = STR_INIT, twin = STR_INIT;
    enum { EACH = 4 };
    const char *params[ROWS_MAX * EACH + 1], *now = now_text(session);
    size_t count = 0;
    params[count++] = now;
    RowValues values;
    for (int i = 0; i < row_count; i++) {
        row_values(session, 0, &values);
        const char *each[EACH] = {values.customer, values.amount, values.status, values.note};
        str_addf(&mine, "%s($%zu, $%zu, $%zu, $%zu, $1, $1)", i == 0 ? "" : ", ", count + 1, count + 2,
                 count + 3, count + 4);
        str_addf(&twin, "%s(LAST_INSERT_ID() + %d, $%zu, $%zu, $%zu, $%zu, $1, $1)", i == 0 ? "" : ", ", i,
                 count + 1, count + 2, count + 3, count + 4);
        memcpy(&params[count], each, sizeof each);
        count += EACH;
    }
    const char *sql =
        arena_printf(session->arena,
                     "INSERT INTO %s (customer_id, amount, status, note, created_at, updated_at) VALUES %s",
                     names->main, mine.buf);
    TRY(session_query(session, sql, count, params, NULL));
    Rows rows = {0};
    TRY(session_query(session, "SELECT LAST_INSERT_ID()", 0, NULL, &rows));
    session_saw_id(session, rows_int(&rows, 0, 0) + row_count - 1);
    if (names->twin == NULL)
        return NULL;
    sql = arena_printf(session->arena, "INSERT INTO %s (" LOAD_COLUMNS ") VALUES %s", names->twin, twin.buf);
    return session_query(session, sql, count, params, NULL);
}

/* INSERT or REPLACE with an id of our choice; `tail` may be ON DUPLICATE KEY UPDATE. */
static Err *put_row(Session *session, const char *verb, int64_t id, const char *tail)
{
    RowValues values;
    row_values(session, id, &values);
    const char *params[] = {
        number_text(session, id), values.customer, values.amount, values.status, values.note,
        now_text(session)};
    return write_both(
        session, verb,
        arena_printf(session->arena, "(" LOAD_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $6)%s", tail),
        ARRAY_LEN(params), params, NULL);
}

static Err *update_row(Session *session, int64_t id)
{
    static const char *const COLUMNS[] = {"amount", "customer_id", "status", "note"};
    RowValues values;
    row_values(session, id, &values);
    const char *each[] = {values.amount, values.customer, values.status, values.note};
    size_t which = (size_t)random_between(&session->random, 0, ARRAY_LEN(COLUMNS) - 1);
    const char *params[] = {number_text(session, id), each[which], now_text(session)};
    return write_both(
        session, "UPDATE",
        arena_printf(session->arena, "SET %s = $2, updated_at = $3 WHERE id = $1", COLUMNS[which]),
        ARRAY_LEN(params), params, NULL);
}

/* ---- plain -----------------------------------------------------------------------------------------------
 */

Err *my_plain_item(Session *session)
{
    int64_t choice = random_between(&session->random, 0, 99);
    int64_t id = random_between(&session->random, 1, atomic_load(&session->load->max_id));
    Rows rows = {0};
    if (choice < 60)
        return row_select(session, id, &rows);
    return choice < 85 ? update_row(session, id) : insert_rows(session, 1);
}

/* ---- hostile: keys ---------------------------------------------------------------------------------------
 */

/* A row that is always there. */
static int64_t key_steady(Session *session)
{
    int64_t highest = session->load->base_max_id, step = highest / HOT_ROWS;
    int64_t id = random_percent(&session->random, 10) && step > 0
                     ? 1 + random_between(&session->random, 0, HOT_ROWS - 1) * step
                     : random_between(&session->random, 1, highest);
    if (id % 10 != VOLATILE_DIGIT)
        return id;
    return id > 1 ? id - 1 : 1;
}

static bool key_is_hot(const Session *session, int64_t id)
{
    int64_t step = session->load->base_max_id / HOT_ROWS;
    return step == 0 || (id - 1) % step <= 1 || (id - 1) % step == step - 1;
}

static int64_t key_volatile(Session *session)
{
    int64_t tens = session->load->base_max_id / 10;
    return tens == 0 ? 0 : random_between(&session->random, 0, tens - 1) * 10 + VOLATILE_DIGIT;
}

static void pause_maybe(Session *session)
{
    if (random_percent(&session->random, 1) && !session->on_hot_row)
        session_pause(session, random_between(&session->random, 100, 300));
    else if (random_percent(&session->random, 40))
        session_pause(session, random_between(&session->random, 0, 20));
}

static Err *end(Session *session, int rollback_percent)
{
    return session_exec(session, random_percent(&session->random, rollback_percent) ? "ROLLBACK" : "COMMIT");
}

/* ---- hostile: transactions
 * ---------------------------------------------------------------------------------
 */

static Err *select_for_update(Session *session, int64_t id)
{
    const char *params[] = {number_text(session, id)};
    return session_query(session,
                         arena_printf(session->arena, "SELECT id, amount FROM %s WHERE id = $1 FOR UPDATE",
                                      session->load->names.main),
                         1, params, NULL);
}

/* Rising keys; in a part of the cases with a savepoint, or rolled back as a whole. New rows come last: their
 * keys are behind all others. */
static Err *several_rows(Session *session)
{
    int count = (int)random_between(&session->random, 1, ROWS_MAX);
    bool savepoint = random_percent(&session->random, 25), back = random_percent(&session->random, 60);
    int64_t ids[ROWS_MAX];
    for (int i = 0; i < count; i++) {
        int64_t id = key_steady(session);
        session->on_hot_row |= key_is_hot(session, id);
        int at = i;
        for (; at > 0 && ids[at - 1] > id; at--)
            ids[at] = ids[at - 1];
        ids[at] = id;
    }
    TRY(session_exec(session, "BEGIN"));
    for (int i = 0; i < count; i++) {
        if (savepoint && i == count / 2)
            TRY(session_exec(session, "SAVEPOINT half"));
        TRY(random_percent(&session->random, 85) ? update_row(session, ids[i])
                                                 : select_for_update(session, ids[i]));
        pause_maybe(session);
        if (savepoint && back && i == count / 2)
            TRY(session_exec(session, "ROLLBACK TO SAVEPOINT half"));
    }
    if (random_percent(&session->random, 30))
        TRY(insert_rows(session, (int)random_between(&session->random, 1, 3)));
    return end(session, 10);
}

/* Sessions queue on one row. */
static Err *single_row(Session *session)
{
    int64_t id = key_steady(session);
    session->on_hot_row = key_is_hot(session, id);
    TRY(session_exec(session, "BEGIN"));
    TRY(update_row(session, id));
    pause_maybe(session);
    return end(session, 5);
}

/* The row goes, comes, is replaced, or changes its key: its negative is its other name. */
static Err *volatile_statement(Session *session, int64_t id)
{
    const char *params[] = {number_text(session, id), number_text(session, -id)};
    int64_t affected = 0;
    switch (random_between(&session->random, 0, 5)) {
    case 0:
        return write_both(session, "DELETE FROM", "WHERE id = $1", 1, params, NULL);
    case 1:
        TRY(write_both(session, "DELETE FROM", "WHERE id = $1", 1, params, &affected));
        pause_maybe(session);
        return affected > 0 ? put_row(session, "INSERT INTO", id, "") : NULL;
    case 2:
        return put_row(session, "REPLACE INTO", id, "");
    case 3:
        return put_row(session, "INSERT INTO", id,
                       " ON DUPLICATE KEY UPDATE amount = VALUES(amount), updated_at = VALUES(updated_at)");
    case 4:
        TRY(write_both(session, "DELETE FROM", "WHERE id = $2", 2, params, NULL));
        return write_both(session, "UPDATE", "SET id = $2 WHERE id = $1", 2, params, NULL);
    default:
        TRY(write_both(session, "DELETE FROM", "WHERE id = $1", 1, params, NULL));
        return write_both(session, "UPDATE", "SET id = $1 WHERE id = $2", 2, params, NULL);
    }
}

static Err *volatile_row(Session *session)
{
    int64_t id = key_volatile(session);
    if (id == 0)
        return single_row(session);
    const char *lock = arena_printf(session->arena, "GET_LOCK('stoa-load %lld', 60)", (long long)id);
    Rows rows = {0};
    int64_t begin_us = clock_us();
    TRY(session_query(session, arena_printf(session->arena, "SELECT %s", lock), 0, NULL, &rows));
    session->slept_us += clock_us() - begin_us;
    if (rows_int(&rows, 0, 0) != 1)
        return err_new(ERR_SQL, "row %lld was busy for a minute", (long long)id);
    TRY(session_exec(session, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN"));
    Err *err = volatile_statement(session, id);
    if (err == NULL)
        err = end(session, 10);
    else
        session->load->dialect->rollback(session);
    Err *released = session_exec(
        session, arena_printf(session->arena, "DO RELEASE_LOCK('stoa-load %lld')", (long long)id));
    if (err == NULL)
        return released;
    err_free(released);
    return err;
}

/* A snapshot that is kept: the same row must look the same twice. */
static Err *repeatable_reader(Session *session)
{
    int64_t id = key_steady(session);
    Rows first = {0}, second = {0};
    TRY(session_exec(session, "BEGIN"));
    TRY(row_select(session, id, &first));
    session_pause(session, random_between(&session->random, 0, 40));
    TRY(row_select(session, id, &second));
    bool same = first.row_count == 1 && second.row_count == 1;
    for (size_t i = 0; same && i < first.col_count; i++)
        same = str_eq(first.cells[i], second.cells[i]);
    if (!same)
        return err_new(ERR_VERIFY, "a repeatable read saw row %lld in two states", (long long)id);
    return session_exec(session, "COMMIT");
}

Err *my_hostile_item(Session *session)
{
    session->on_hot_row = false;
    Rows rows = {0};
    int64_t choice = random_between(&session->random, 0, 99);
    if (choice < 35)
        return several_rows(session);
    if (choice < 60)
        return single_row(session);
    if (choice < 78)
        return volatile_row(session);
    if (choice < 84)
        return insert_rows(session, (int)random_between(&session->random, 1, 5));
    return choice < 92 ? repeatable_reader(session) : row_select(session, key_steady(session), &rows);
}
