/* DETACH PARTITION … CONCURRENTLY: two transactions of the server's own, with a wait for old ones between
 * them. */
#include "run/runner.h"

#include "base/failpoint.h"

typedef enum DetachState { DETACH_ATTACHED, DETACH_PENDING, DETACH_DONE } DetachState;

static Err *detach_state(Runner *runner, const Step *step, DetachState *ret_state)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Table child = {0};
    TRY(runner_load_table(runner, arena, &step->table, &child));
    if (child.id == 0)
        return err_new(ERR_SQL, "\"%s\" was dropped meanwhile", step->table.name);
    *ret_state = child.is_partition ? DETACH_ATTACHED : DETACH_DONE;
    if (child.detaching)
        *ret_state = DETACH_PENDING;
    return NULL;
}

Err *detach_run(Runner *runner, const Step *step)
{
    DetachState state = DETACH_DONE;
    TRY(detach_state(runner, step, &state));
    TRY(failpoint_at("detach_before"));
    if (state != DETACH_DONE)
        TRY(step_run_long(runner, step, step->sql[state == DETACH_PENDING ? 1 : 0]));
    TRY(failpoint_at("detach_after"));
    return journal_step_done(runner->conn, &runner->lease, runner->change_id, step->ordinal);
}

Err *detach_undo(Runner *runner, const Step *step)
{
    DetachState state = DETACH_DONE;
    TRY(detach_state(runner, step, &state));
    if (state == DETACH_PENDING)
        TRY(step_run_long(runner, step, step->sql[1]));
    if (state != DETACH_ATTACHED)
        return ddl_undo(runner, step);
    return journal_step(runner->conn, runner->change_id, step->ordinal, "undone", NULL);
}
