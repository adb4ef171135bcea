/* Statements that are carried out as written and may take long, and such as cannot run in a transaction. */
#include "run/runner.h"

#include "base/failpoint.h"

#include <string.h>

static Err *over_budget(Runner *runner, const Step *step, Err *err)
{
    err_free(err);
    return err_hint(err_new(ERR_LOCK_BUDGET, "\"%s\" waited longer than --lock-wait: blocked by %s",
                            step->title, runner->control.waiting_for),
                    "end that transaction, or wait for it, then apply again");
}

/* ---- in a transaction -------------------------------------------------------------------------- */

static Err *long_body(Runner *runner, const Step *step, bool *ret_over)
{
    Wait wait = runner_wait(runner);
    TRY(lease_prove(runner));
    TRY(runner->ops->act_as(runner->conn, &wait, step->role));
    control_long_begin(runner);
    Err *err = NULL;
    for (size_t i = 0; i < step->sql_count && err == NULL; i++)
        err = conn_exec(runner->conn, &wait, step->sql[i]);
    *ret_over = control_long_end(runner);
    TRY(err);
    TRY(runner->ops->act_as(runner->conn, &wait, NULL));
    TRY(journal_step(runner->conn, runner->change_id, step->ordinal, "done", NULL));
    TRY(failpoint_at("long_before_commit"));
    return runner->ops->commit(runner->conn, &wait);
}

Err *long_run(Runner *runner, const Step *step)
{
    Wait wait = runner_wait(runner);
    bool over = false;
    TRY(runner->ops->begin(runner->conn, &wait, &(TxSettings){0}));
    Err *err = long_body(runner, step, &over);
    if (err == NULL)
        return failpoint_at("long_after_commit");
    runner->ops->rollback(runner->conn);
    if (over)
        return over_budget(runner, step, err);
    if (str_starts(err->sqlstate, "23"))
        err->kind = ERR_VERIFY;
    return err;
}

/* ---- outside ------------------------------------------------------------------------------------ */

static const char *query_of(const Step *step, const char *label)
{
    for (size_t i = 0; i < step->check_count; i++)
        if (str_eq(step->checks[i].label, label))
            return step->checks[i].query;
    return NULL;
}

/* One statement by itself; whom it waits for is named. */
static Err *run_alone(Runner *runner, const Step *step, const char *sql)
{
    Wait wait = runner_wait(runner);
    TRY(lease_prove(runner));
    control_long_begin(runner);
    Err *err = conn_exec(runner->conn, &wait, sql);
    bool over = control_long_end(runner);
    return over && err != NULL ? over_budget(runner, step, err) : err;
}

static Err *clear_leftovers(Runner *runner, const Step *step)
{
    const char *query = query_of(step, "leftovers");
    if (query == NULL)
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_query(runner->conn, &wait, arena, &rows, query));
    for (size_t i = 0; i < rows.row_count; i++) {
        runner_event(runner, "leftover", step->ordinal, NULL, "clearing what an interrupted run left: %s",
                     rows_cell(&rows, i, 0));
        TRY(run_alone(runner, step, rows_cell(&rows, i, 0)));
    }
    return NULL;
}

static Err *is_done(Runner *runner, const Step *step, bool *ret_done)
{
    const char *query = query_of(step, "done");
    *ret_done = false;
    if (query == NULL)
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_query(runner->conn, &wait, arena, &rows, query));
    *ret_done = rows.row_count == 1 && rows_bool(&rows, 0, 0);
    return NULL;
}

Err *outside_run(Runner *runner, const Step *step)
{
    bool done = false;
    TRY(clear_leftovers(runner, step));
    TRY(is_done(runner, step, &done));
    TRY(failpoint_at("outside_before"));
    for (size_t i = 0; i < step->sql_count && !done; i++) {
        Err *err = run_alone(runner, step, step->sql[i]);
        if (err != NULL && !err_is(err, ERR_CONN_LOST)) {
            Err *left = clear_leftovers(runner, step);
            if (left == NULL && i == 0) /* nothing was changed */
                left = journal_step(runner->conn, runner->change_id, step->ordinal, "pending", NULL);
            err_free(left);
        }
        TRY(err);
    }
    TRY(failpoint_at("outside_after"));
    return journal_step_done(runner->conn, &runner->lease, runner->change_id, step->ordinal);
}

/* ---- what is there ------------------------------------------------------------------------------ */

static Err *object_load(Runner *runner, Arena *arena, const Operation *op, ObjectState *ret_state)
{
    Wait wait = runner_wait(runner);
    const NativeSpec *native = op->native;
    bool makes = native->makes.type != NULL;
    ObjectAsk ask = {.of = makes ? native->makes : native->drops};
    if (makes && native->same_count > 0) {
        ask.same_sql = native->same_sql;
        ask.same_count = native->same_count;
        ask.same = native->same;
    }
    *ret_state = (ObjectState){0};
    if (ask.of.type != NULL)
        TRY(runner->ops->load_object(runner->conn, &wait, arena, &ask, ret_state));
    if (native->done_query == NULL)
        return NULL;
    Rows rows = {0};
    TRY(conn_query(runner->conn, &wait, arena, &rows, native->done_query));
    ret_state->done = rows.row_count == 1 && rows_bool(&rows, 0, 0);
    return NULL;
}

Err *natives_load(Runner *runner, Arena *arena, const Change *change, const ObjectState **ret_states)
{
    ObjectState *states = arena_alloc(arena, (change->operation_count + 1) * sizeof *states);
    for (size_t i = 0; i < change->operation_count; i++) {
        states[i] = (ObjectState){0};
        if (change->operations[i].kind == OPERATION_NATIVE)
            TRY(object_load(runner, arena, &change->operations[i], &states[i]));
    }
    *ret_states = states;
    return NULL;
}
