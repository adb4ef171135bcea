/* Reading ranges of rows in short transactions, and finding the one row on which an expression fails. */
#include "run/runner.h"

static Err *begin_reading(Runner *runner, const Step *step, bool narrow)
{
    Wait wait = runner_wait(runner);
    return runner->ops->begin(
        runner->conn, &wait,
        &(TxSettings){.read_only = true, .narrow = narrow, .role = step->role, .lock_timeout_ms = 5000});
}

static Err *end_reading(Runner *runner, Err *err)
{
    Wait wait = runner_wait(runner);
    if (err == NULL)
        err = runner->ops->commit(runner->conn, &wait);
    if (err != NULL)
        runner->ops->rollback(runner->conn);
    return err;
}

Err *rows_read(Runner *runner, const Step *step, const char *sql, bool narrow, Rows *ret_rows)
{
    Wait wait = runner_wait(runner);
    TRY(begin_reading(runner, step, narrow));
    return end_reading(runner, conn_query(runner->conn, &wait, runner->scratch, ret_rows, sql));
}

Err *rows_list(Runner *runner, const Step *step, const Scan *scan, const char *predicate, int64_t most,
               Rows *ret_rows)
{
    Wait wait = runner_wait(runner);
    TRY(begin_reading(runner, step, true));
    return end_reading(
        runner, runner->ops->row_list(runner->conn, &wait, runner->scratch, scan, predicate, most, ret_rows));
}

/* Class 22 is data exceptions, P0 raised by functions, 23 constraints of domains. */
bool rows_err_is_data(const Err *err)
{
    return err_is(err, ERR_SQL) && (str_starts(err->sqlstate, "22") || str_starts(err->sqlstate, "23") ||
                                    str_starts(err->sqlstate, "P0"));
}

static Err *probe(Runner *runner, const Step *step, const char *select, const char *where)
{
    Rows ignored = {0};
    return rows_read(runner, step, arena_printf(runner->scratch, "%s%s", select, where), true, &ignored);
}

/* Narrows the range by halves to one unit of the scan. */
static Err *narrow_range(Runner *runner, const Step *step, Scan *scan, int64_t size, const char *select,
                         Range *range)
{
    Wait wait = runner_wait(runner);
    for (; size > 1; size = (size + 1) / 2) {
        Range half = {0};
        bool done = false;
        TRY(runner->ops->scan_next(runner->conn, &wait, runner->scratch, scan, range->low, size / 2, &half,
                                   &done));
        if (half.high == NULL || str_eq(half.high, range->high))
            continue;
        Err *err = probe(runner, step, select, runner->ops->scan_filter(runner->scratch, scan, &half));
        if (err != NULL)
            range->high = half.high;
        else
            range->low = half.high;
        err_free(err);
    }
    return NULL;
}

Err *rows_name_failing(Runner *runner, const Step *step, Scan *scan, Range range, int64_t size,
                       const char *select, Err *cause)
{
    Wait wait = runner_wait(runner);
    Rows ids = {0};
    Err *err = narrow_range(runner, step, scan, size, select, &range);
    if (err == NULL)
        err = runner->ops->row_list(runner->conn, &wait, runner->scratch, scan,
                                    runner->ops->scan_filter(runner->scratch, scan, &range), 0, &ids);
    for (size_t i = 0; err == NULL && i < ids.row_count; i++) {
        err = probe(runner, step, select, runner->ops->row_filter(runner->scratch, rows_cell(&ids, i, 0)));
        if (!rows_err_is_data(err))
            continue;
        err_free(cause);
        err->kind = ERR_VERIFY;
        return err_hint(err_wrap(err, "the expression fails on row %s of \"%s\"", rows_cell(&ids, i, 1),
                                 scan->table->name),
                        "mend the row, or write an expression that can be computed for every row");
    }
    err_free(err);
    cause->kind = ERR_VERIFY;
    return err_wrap(cause, "the expression fails on a row of \"%s\"", scan->table->name);
}
