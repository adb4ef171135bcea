/* Indexes built and dropped CONCURRENTLY: outside a transaction, so the catalog tells how far it came.
 *
 * An interrupted build leaves an INVALID index, and a unique one still enforces: it is dropped at once. */
#include "run/runner.h"

#include "base/failpoint.h"
#include "run/standby.h"

/* Dropping an index is the strongest lock on it, which standbys replay: readers there that use the table are
 * waited for, within --lock-wait. */
static Err *wait_for_standbys(Runner *runner, const Step *step)
{
    enum { PAUSE_MS = 100, MOMENT_MS = 10, SAID_EVERY_MS = 10000 };
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    char who[BLOCKERS_TEXT_BYTES] = "";
    int64_t from = runner_clock_ms(runner), said_ms = 0, id = 0;
    StandbyFound found = standby_is_watched(runner) ? STANDBY_HELD : STANDBY_FREE;
    StandbyAsk ask = {.ids = &id, .id_count = 1};
    if (found != STANDBY_FREE)
        TRY(runner->ops->find_table(runner->conn, &wait, arena, step->table.schema, step->table.name, &id));
    for (; found != STANDBY_FREE; ask.tries++) {
        TRY(control_gate(runner));
        TRY(standby_look(runner, &ask, &found, who));
        int64_t lock_wait_ms = control_settings(runner).lock_wait_ms;
        if (found != STANDBY_FREE && runner_clock_ms(runner) - from > lock_wait_ms)
            return err_hint(err_new(ERR_LOCK_BUDGET, "index \"%s\" cannot be dropped: %s", step->index, who),
                            "end or wait for that session, then apply again; or raise --lock-wait");
        if (found == STANDBY_HELD && (said_ms == 0 || clock_ms() - said_ms > SAID_EVERY_MS)) {
            said_ms = clock_ms();
            runner_event(runner, "lock_blocked", step->ordinal, NULL, "waiting to drop index %s: %s",
                         step->index, who);
        }
        if (found != STANDBY_FREE)
            stop_sleep(runner->options->stop, found == STANDBY_HELD ? PAUSE_MS : MOMENT_MS);
    }
    return NULL;
}

/* One statement that may wait long for old transactions; it blocks no reader or writer meanwhile. */
Err *step_run_long(Runner *runner, const Step *step, const char *sql)
{
    Wait wait = runner_wait(runner);
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait journal = journal_wait();
    TRY(lease_prove(runner));
    /* The role of a session leaks through a pooler; the server runs the index's expressions as the owner. */
    bool role = step->role != NULL && !runner->server.pooled;
    if (role)
        TRY(conn_exec(runner->conn, &wait, arena_printf(arena, "SET ROLE %s", sql_ident(arena, step->role))));
    control_long_begin(runner);
    Err *err = conn_exec(runner->conn, &wait, sql);
    bool over = control_long_end(runner);
    if (role && !err_is(err, ERR_CONN_LOST))
        err_free(conn_exec(runner->conn, &journal, "RESET ROLE"));
    if (!over || err == NULL)
        return err;
    err_free(err);
    return err_hint(err_new(ERR_LOCK_BUDGET, "\"%.60s\" waited longer than --lock-wait: blocked by %s", sql,
                            runner->control.waiting_for),
                    "end that transaction, or wait for it, then apply again");
}

static Err *drop_leftover(Runner *runner, const Step *step)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    runner_event(runner, "invalid_index", step->ordinal, NULL,
                 "dropping what an interrupted build left: index \"%s\"", step->index);
    TRY(wait_for_standbys(runner, step));
    return step_run_long(runner, step,
                         arena_printf(arena, "DROP INDEX CONCURRENTLY IF EXISTS %s",
                                      sql_name(arena, step->table.schema, step->index)));
}

static Err *index_state(Runner *runner, const Step *step, IndexState *ret_state)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    return runner->ops->index_state(runner->conn, &wait, arena, step->table.schema, step->table.name,
                                    step->index, ret_state);
}

/* What a failed build left is dropped at once; else the error says who does it. */
static Err *clear_failed(Runner *runner, const Step *step, Err *err)
{
    IndexState state = INDEX_MISSING;
    err_free(index_state(runner, step, &state));
    Err *left = state == INDEX_INVALID ? drop_leftover(runner, step) : NULL;
    if (left != NULL)
        err = err_hint(err, "INVALID index %s is left: apply again, or stoa abort %s, drops it",
                       sql_name(runner->arena, step->table.schema, step->index), runner->name);
    err_free(left);
    if (str_starts(err->sqlstate, "23"))
        err->kind = ERR_VERIFY;
    return err;
}

Err *step_build_index(Runner *runner, const Step *step, const char *sql)
{
    IndexState state = INDEX_MISSING;
    TRY(index_state(runner, step, &state));
    if (state == INDEX_ELSEWHERE)
        return err_hint(err_new(ERR_SQL,
                                "\"%s\" is not an index of \"%s\" but exists since the plan was made",
                                step->index, step->table.name),
                        "rename it, or abort and give the index another name: stoa abort %s", runner->name);
    if (state == INDEX_INVALID)
        TRY(drop_leftover(runner, step));
    if (state != INDEX_VALID && state != INDEX_PART) {
        TRY(failpoint_at("index_before"));
        Err *err = step_run_long(runner, step, sql);
        if (err == NULL)
            err = failpoint_at("index_after");
        if (err != NULL)
            return err->kind == ERR_CONN_LOST ? err : clear_failed(runner, step, err);
    }
    TRY(index_state(runner, step, &state));
    if (state != INDEX_VALID && state != INDEX_PART)
        return err_new(ERR_SQL, "index \"%s\" is not valid after its build", step->index);
    return NULL;
}

Err *step_create_index(Runner *runner, const Step *step)
{
    TRY(step_build_index(runner, step, step->sql[0]));
    return journal_step_done(runner->conn, &runner->lease, runner->change_id, step->ordinal);
}

Err *step_drop_index(Runner *runner, const Step *step, const char *const *sql, size_t count)
{
    IndexState state = INDEX_MISSING;
    TRY(index_state(runner, step, &state));
    /* never another table's index, nor one that the step before undoes with the parent's */
    bool ours = state == INDEX_VALID || state == INDEX_INVALID;
    if (ours)
        TRY(wait_for_standbys(runner, step));
    for (size_t i = 0; ours && i < count; i++)
        TRY(step_run_long(runner, step, sql[i]));
    return NULL;
}

Err *vacuum_run(Runner *runner, const Step *step)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    Table table = {0};
    TRY(runner_load_table(runner, arena, &step->table, &table));
    TRY(lease_prove(runner));
    control_long_begin(runner);
    Err *err = runner->ops->vacuum(runner->conn, &wait, &runner->server, &table, step->role);
    bool over = control_long_end(runner);
    if (over && err != NULL) { /* somebody keeps vacuum's lock from us: not worth failing for */
        runner_event(runner, "vacuum_skipped", step->ordinal, NULL, "vacuum left out: blocked by %s",
                     runner->control.waiting_for);
        err_free(err);
        err = NULL;
    }
    TRY(err);
    return journal_step_done(runner->conn, &runner->lease, runner->change_id, step->ordinal);
}
