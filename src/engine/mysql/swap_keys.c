/* Foreign keys of the table itself change over with it.
 *
 * A shadow that had them while it is copied would keep parents alive by rows that the application has deleted
 * already, and so would the old table afterwards. So under the lock, when both tables are equal, the source
 * loses them and the shadow gets them under the same names: without checks, since the source's rows were
 * under the same keys, and every row was compared. Both are changes of the catalog alone (seen on
 * MariaDB 10.11 and MySQL 9.7: 10 to 40 ms each, the index stays). MySQL locks the parents for them; MariaDB
 * does not.
 *
 * If the attempt fails, the keys go back before the lock does. If this process dies in between, the source is
 * without them until a successor comes: it gives them back, and looks for rows that were written meanwhile
 * and have no parent. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/stop.h"
#include "base/str.h"
#include "engine/mysql/capture_parts.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/swap_parts.h"

enum {
    TIDY_MS = 5000,
    MEND_MS = 60000,     /* of all attempts to give the source its keys back */
    MEND_TRY_MS = 100,   /* of one, in the lock's queue */
    MEND_REST_MS = 2000, /* behind it */
};

static const char *alter_sql(Arena *arena, const ShadowSpec *spec, const char *table, const char *actions)
{
    return arena_printf(arena, "%s ALTER TABLE %s %s, ALGORITHM=INPLACE",
                        my_keys_mark(arena, spec->change_id), table, actions);
}

/* Parents are named without their database: MySQL 5.6 takes that of the session, the others that of the
 * table. */
static Err *prepare(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec)
{
    TRY(my_exec(conn, wait, arena_printf(arena, "USE %s", my_ident(arena, spec->schema))));
    return my_exec(conn, wait, "SET SESSION foreign_key_checks = 0");
}

Err *swap_keys_move(Attempt *a)
{
    const ShadowSpec *spec = a->spec;
    Wait wait = {.until_ms = clock_ms() + swap_left(a, 1)};
    if (spec->keys_off == NULL)
        return NULL;
    TRY(prepare(a->lock, &wait, a->arena, spec));
    a->keys_moved = true;
    TRY(my_exec(a->lock, &wait, alter_sql(a->arena, spec, a->source, spec->keys_off)));
    TRY(failpoint_at("swap_keys_off"));
    if (spec->keys_on != NULL)
        TRY(my_exec(a->lock, &wait, alter_sql(a->arena, spec, a->shadow, spec->keys_on)));
    return failpoint_at("swap_keys_on");
}

void swap_keys_restore(Attempt *a)
{
    const ShadowSpec *spec = a->spec;
    Wait wait = {.timeout_ms = TIDY_MS};
    if (!a->keys_moved || a->lock == NULL)
        return;
    if (spec->keys_away !=
        NULL) /* they may not have come so far: what is wrong then shows in my_swap_clear */
        err_free(my_exec(a->lock, &wait, alter_sql(a->arena, spec, a->shadow, spec->keys_away)));
    err_free(my_exec(a->lock, &wait, alter_sql(a->arena, spec, a->source, spec->keys_back)));
    a->keys_moved = false;
}

/* ---- what a dead attempt left
 * ------------------------------------------------------------------------------
 */

/* Attempts that stop the application for no longer than a tenth of a second, and rests. */
static Err *insist(Conn *conn, const Wait *wait, const char *sql)
{
    int64_t deadline = clock_ms() + MEND_MS;
    const Stop *stop = wait == NULL ? NULL : wait->stop;
    for (;;) {
        Wait brief = {.stop = stop, .timeout_ms = MEND_TRY_MS};
        Err *err = my_exec(conn, &brief, sql);
        if (err == NULL ||
            (!err_is(err, ERR_CANCELLED) && !err_is(err, ERR_LOCK_TIMEOUT) && !err_is(err, ERR_DEADLOCK)) ||
            clock_ms() > deadline)
            return err;
        err_free(err);
        stop_sleep(stop, MEND_REST_MS);
        TRY(stop_check(stop));
    }
}

/* Rows whose parents are not there, by each key of the source. */
static Err *find_orphans(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec)
{
    Rows keys = {0};
    TRY(conn_params(
        conn, wait, arena, &keys,
        "SELECT CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, "
        "REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = $1 AND "
        "TABLE_NAME = $2 AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY CONSTRAINT_NAME, "
        "ORDINAL_POSITION",
        spec->schema, spec->source));
    for (size_t from = 0, to; from < keys.row_count; from = to) {
        CLEANUP(str_donep) Str on = STR_INIT;
        CLEANUP(str_donep) Str full = STR_INIT;
        for (to = from; to < keys.row_count && str_eq(rows_cell(&keys, to, 0), rows_cell(&keys, from, 0));
             to++) {
            const char *column = my_ident(arena, rows_cell(&keys, to, 1));
            str_addf(&on, "%sp.%s = c.%s", to > from ? " AND " : "", my_ident(arena, rows_cell(&keys, to, 4)),
                     column);
            str_addf(&full, "%sc.%s IS NOT NULL", to > from ? " AND " : "", column);
        }
        Rows rows = {0};
        TRY(conn_query(
            conn, wait, arena, &rows,
            arena_printf(arena,
                         "SELECT 1 FROM %s c WHERE %s AND NOT EXISTS (SELECT 1 FROM %s p WHERE %s) "
                         "LIMIT 1",
                         my_name(arena, spec->schema, spec->source), full.buf,
                         my_name(arena, rows_cell(&keys, from, 2), rows_cell(&keys, from, 3)), on.buf)));
        if (rows.row_count > 0)
            return err_hint(
                err_new(
                    ERR_VERIFY,
                    "foreign key \"%s\" of \"%s\" was off when a cutover was cut off, and a row without a "
                    "parent was written meanwhile",
                    rows_cell(&keys, from, 0), spec->source),
                "SELECT c.* FROM %s c WHERE %s AND NOT EXISTS (SELECT 1 FROM %s p WHERE %s)",
                my_name(arena, spec->schema, spec->source), full.buf,
                my_name(arena, rows_cell(&keys, from, 2), rows_cell(&keys, from, 3)), on.buf);
    }
    return NULL;
}

Err *swap_keys_mend(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec)
{
    Rows rows = {0};
    if (spec->keys_off == NULL)
        return NULL;
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT COALESCE(SUM(TABLE_NAME = $2), 0), COALESCE(SUM(TABLE_NAME = $3), 0) FROM "
        "information_schema.TABLE_CONSTRAINTS WHERE TABLE_SCHEMA = $1 AND TABLE_NAME IN ($2, $3) AND "
        "CONSTRAINT_TYPE = 'FOREIGN KEY'",
        spec->schema, spec->source, spec->shadow));
    bool source_has = rows_int(&rows, 0, 0) > 0, shadow_has = rows_int(&rows, 0, 1) > 0;
    if (source_has && !shadow_has)
        return NULL;
    TRY(prepare(conn, wait, arena, spec));
    Err *err = NULL;
    if (shadow_has && spec->keys_away != NULL)
        err = insist(conn, wait,
                     alter_sql(arena, spec, my_name(arena, spec->schema, spec->shadow), spec->keys_away));
    if (err == NULL && !source_has)
        err = insist(conn, wait,
                     alter_sql(arena, spec, my_name(arena, spec->schema, spec->source), spec->keys_back));
    if (!err_is(err, ERR_CONN_LOST)) {
        Wait tidy = {.timeout_ms = TIDY_MS};
        err_free(my_exec(conn, &tidy, "SET SESSION foreign_key_checks = 1"));
    }
    TRY(err);
    return source_has ? NULL : find_orphans(conn, wait, arena, spec);
}
