/* Prepared transactions (XA).
 *
 * Seen: MySQL 9.7 and MariaDB 10.11 log the rows at XA PREPARE, and XA COMMIT as a statement without any. A
 * session that has prepared one may leave: MySQL 9.7 keeps the tables' metadata locks, MariaDB does not, so
 * that LOCK TABLES and reads of the state before are possible. MySQL 5.6 rolls it back instead, and logs the
 * rows at XA COMMIT. */
#include "engine/mysql/xa.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/mysql/conn.h"

/* What MySQL answers without XA_RECOVER_ADMIN (seen on 9.7). */
enum { RMERR = 1401 };
enum { POLL_MS = 20, USUAL_MS = 2000, SHOWN = 40 };

/* Where XA RECOVER is refused. */
static Err *list_open(Conn *conn, const Wait *wait, Arena *arena, bool open, XaList *list)
{
    Rows rows = {0};
    Err *err =
        conn_query(conn, wait, arena, &rows,
                   open ? "SELECT trx_id, trx_mysql_thread_id FROM information_schema.INNODB_TRX WHERE "
                          "trx_mysql_thread_id = 0 OR trx_rows_modified > 0"
                        : "SELECT trx_id, trx_mysql_thread_id FROM information_schema.INNODB_TRX WHERE "
                          "trx_mysql_thread_id = 0");
    if (err_is(err, ERR_PRIVILEGE))
        return err_hint(err,
                        "GRANT XA_RECOVER_ADMIN ON *.* TO this user: rows of prepared transactions would "
                        "be missed");
    TRY(err);
    list->names = arena_alloc(arena, (rows.row_count + 1) * sizeof *list->names);
    list->count = rows.row_count;
    for (size_t i = 0; i < rows.row_count; i++)
        list->names[i] =
            rows_int(&rows, i, 1) == 0
                ? arena_printf(arena, "transaction %s of no session (prepared)", rows_cell(&rows, i, 0))
                : arena_printf(arena, "transaction %s of pid %s", rows_cell(&rows, i, 0),
                               rows_cell(&rows, i, 1));
    return NULL;
}

/* Bytes that are no text are shown by their code. */
static const char *name_of(Arena *arena, const Rows *rows, size_t row)
{
    enum { FORMAT, GLOBAL_BYTES, BRANCH_BYTES, DATA };
    CLEANUP(str_donep) Str name = STR_INIT;
    const char *data = rows_cell(rows, row, DATA);
    str_add(&name, "prepared transaction ");
    for (size_t i = 0; data != NULL && data[i] != '\0' && i < SHOWN; i++) {
        bool plain = data[i] > ' ' && data[i] < 0x7f;
        str_addf(&name, plain ? "%c" : "\\x%02x", plain ? data[i] : (unsigned char)data[i]);
    }
    str_addf(&name, " (XA RECOVER: %s, %s, %s)", rows_cell(rows, row, FORMAT),
             rows_cell(rows, row, GLOBAL_BYTES), rows_cell(rows, row, BRANCH_BYTES));
    return arena_dup(arena, name.buf);
}

Err *xa_list(Conn *conn, const Wait *wait, Arena *arena, bool open, XaList *ret_list)
{
    Rows rows = {0};
    XaList list = {0};
    Err *err = conn_query(conn, wait, arena, &rows, "XA RECOVER");
    if (err_is(err, ERR_PRIVILEGE) || (err != NULL && err->server_errno == RMERR)) {
        err_free(err);
        TRY(list_open(conn, wait, arena, open, &list));
    } else {
        TRY(err);
        list.names = arena_alloc(arena, (rows.row_count + 1) * sizeof *list.names);
        list.count = rows.row_count;
        for (size_t i = 0; i < rows.row_count; i++)
            list.names[i] = name_of(arena, &rows, i);
    }
    *ret_list = list;
    return NULL;
}

static const char *first_of_both(const XaList *before, const XaList *now)
{
    for (size_t i = 0; i < before->count; i++)
        for (size_t k = 0; k < now->count; k++)
            if (str_eq(before->names[i], now->names[k]))
                return before->names[i];
    return NULL;
}

Err *xa_outlast(Conn *conn, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(arena_freep) Arena *scratch = arena_new();
    int64_t deadline_ms = clock_ms() + (wait != NULL && wait->timeout_ms > 0 ? wait->timeout_ms : USUAL_MS);
    XaList before = {0}, now = {0};
    TRY(xa_list(conn, wait, arena, true, &before));
    now = before;
    for (const char *left; (left = first_of_both(&before, &now)) != NULL;) {
        if (clock_ms() >= deadline_ms)
            return err_hint(
                err_new(ERR_LOCK_TIMEOUT,
                        "changes cannot be captured while a transaction is open that was prepared "
                        "before: %s",
                        left),
                "XA COMMIT or XA ROLLBACK it");
        TRY(stop_check(wait == NULL ? NULL : wait->stop));
        stop_sleep(wait == NULL ? NULL : wait->stop, POLL_MS);
        arena_clear(scratch);
        TRY(xa_list(conn, wait, scratch, true, &now));
    }
    return NULL;
}
