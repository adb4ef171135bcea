/* A change that stopped half-way gives way to another of its name: it is undone, and the other begins. */
#include "run/replace.h"

/* Whoever carries it out right now; NULL: nobody. */
static Err *find_runner(Runner *runner, const char *change, const char **ret_runner)
{
    enum { COL_ID = 0, COL_RUNNER = 14 };
    Wait wait = journal_wait();
    Rows rows = {0};
    *ret_runner = NULL;
    TRY(conn_params(runner->conn, &wait, runner->arena, &rows, runner->ops->journal_sql(JOURNAL_STATUS),
                    change, "false"));
    if (rows.row_count > 0)
        *ret_runner = rows_cell(&rows, 0, COL_RUNNER);
    return NULL;
}

Err *replace_check(Runner *runner, const JournalChange *known)
{
    const char *who = NULL;
    if (str_eq(known->state, "ready") || str_eq(known->state, "completed"))
        return err_hint(err_new(ERR_UNSAFE, "change \"%s\" is %s: applications may rely on it", known->name,
                                known->state),
                        "write what is to be different as a change of its own, with another name");
    if (str_eq(known->phase, phase_name(PHASE_REVERT)))
        return reverting(known->name);
    TRY(find_runner(runner, known->name, &who));
    if (who == NULL || lease_runner_is_dead(runner->arena, who)) /* then its lease is waited for */
        return NULL;
    return err_hint(err_new(ERR_HELD, "change \"%s\" is being carried out by %s", known->name, who),
                    "let it stop first (Ctrl-C there); where it was killed on another host, ten seconds "
                    "later: stoa status %s",
                    known->name);
}

Err *replace_old(const RunOptions *options, Arena *arena, const Change *change, const JournalChange *known,
                 const char *why)
{
    Runner runner;
    RunOptions undo = *options;
    undo.force = false;
    Err *err = runner_open(&runner, options, arena);
    if (err == NULL) {
        runner.change_id = known->id;
        runner.name = known->name;
        json_t *detail = json_pack("{s:s, s:s, s:[], s:s}", "from", known->change_digest, "to",
                                   change->change_digest, "kept", "why", why);
        runner_event(&runner, "replaced", 0, detail,
                     "undone to give way to other content, %s; nothing is kept: %s", change->change_digest,
                     why);
        json_decref(detail);
    }
    runner_close(&runner);
    if (err == NULL)
        err = run_abort(&undo, arena, known->name);
    return err == NULL ? NULL : err_wrap(err, "change \"%s\" cannot be replaced", known->name);
}
