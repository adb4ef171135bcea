/* Steps of one short transaction: statements, the sync trigger's part, and the journal row, all or nothing.
 */
#include "run/runner.h"

#include "base/failpoint.h"

static Err *run_all(Runner *runner, const char *const *sql, size_t count)
{
    Wait wait = runner_wait(runner);
    for (size_t i = 0; i < count; i++)
        TRY(conn_exec(runner->conn, &wait, sql[i]));
    return NULL;
}

/* The trigger function belongs to the table's owner, who must reach its tables and make its function and
 * counters. */
static Err *grant_journal(Runner *runner, const Table *table)
{
    if (str_eq(table->owner, runner->server.role))
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    const char *owner = sql_ident(arena, table->owner);
    return conn_exec(runner->conn, &wait,
                     arena_printf(arena,
                                  "GRANT USAGE, CREATE ON SCHEMA stoa TO %s; GRANT INSERT ON stoa.writers, "
                                  "stoa.sync_failures TO %s; GRANT SELECT, INSERT ON stoa.sync_broken TO %s",
                                  owner, owner, owner));
}

/* Makes function and triggers anew from the columns that are registered now, of this and other changes. */
static Err *regenerate(Runner *runner, const Step *step, const Table *table)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    SyncColumn *columns = NULL;
    size_t column_count = 0, sql_count = 0;
    const char *const *sql = NULL;
    TRY(journal_sync_load(runner->conn, arena, table->id, &columns, &column_count));
    Table now = *table;
    bool swapped = step->phase == PHASE_CUTOVER || (step->phase == PHASE_REVERT && step->fill_count > 0);
    if (swapped) /* names have changed places: what is compared how has, too */
        TRY(runner->ops->load_table(runner->conn, &wait, arena, &runner->server, table->schema, table->name,
                                    &now));
    fills_join_columns(arena, &now, step->fills, step->fill_count);
    sync_sql_pg(arena, &runner->server, &now, columns, column_count, runner->plan.search_path,
                runner->plan.search_path_count, &sql, &sql_count);
    TRY(runner->ops->act_as(runner->conn, &wait, step->role));
    TRY(run_all(runner, sql, sql_count));
    return runner->ops->act_as(runner->conn, &wait, NULL);
}

/* An old writer may have come between the look and the lock: the counters are read again under it. */
static Err *still_quiet(Runner *runner, const Table *table)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, arena, &rows,
                    "SELECT column_name, counter, seen_count FROM stoa.sync_columns WHERE change_id = $1 AND "
                    "table_id = $2",
                    arena_printf(arena, "%lld", (long long)runner->change_id),
                    arena_printf(arena, "%lld", (long long)table->id)));
    for (size_t i = 0; i < rows.row_count; i++) {
        int64_t count = 0;
        TRY(runner->ops->counter_value(runner->conn, &wait, arena, rows_cell(&rows, i, 1), &count));
        if (count != rows_int(&rows, i, 2) && !runner->options->force)
            return err_hint(
                err_new(ERR_UNSAFE, "an old writer of \"%s\" was seen just now", rows_cell(&rows, i, 0)),
                "deploy the application that writes the column everywhere, then complete again");
    }
    return NULL;
}

static Err *ddl_body(Runner *runner, const Step *step, const Table *table, void *context UNUSED)
{
    Wait wait = runner_wait(runner);
    bool removes = step->sync && step->fill_count == 0;
    if (step->needs_back)
        TRY(broken_check(runner)); /* whoever wrote to the table has ended by now */
    if (removes && step->phase == PHASE_CONTRACT)
        TRY(still_quiet(runner, table));
    if (step->sync && !removes)
        TRY(grant_journal(runner, table));
    if (removes) {
        TRY(journal_sync_remove(runner->conn, runner->change_id, table->id));
        TRY(regenerate(runner, step, table));
    }
    TRY(runner->ops->act_as(runner->conn, &wait, step->role));
    TRY(run_all(runner, step->sql, step->sql_count));
    TRY(runner->ops->act_as(runner->conn, &wait, NULL));
    if (step->sync && !removes) {
        TRY(journal_sync_put(runner->conn, runner->change_id, table->id, step->fills, step->fill_count));
        TRY(regenerate(runner, step, table));
    }
    TRY(failpoint_at("ddl_before_journal"));
    return journal_step(runner->conn, runner->change_id, step->ordinal, "done", NULL);
}

Err *ddl_run(Runner *runner, const Step *step) { return lockwait_run(runner, step, false, ddl_body, NULL); }

/* The table is gone, or another one has its name, which is none of ours: what is left is the function and the
 * counters. */
static Err *undo_without_table(Runner *runner, const Step *step, int64_t id)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    Table table = {
        .schema = step->table.schema, .name = step->table.name, .id = id, .owner = runner->server.role};
    SyncColumn *columns = NULL, *others = NULL;
    size_t other_count = 0, sql_count = 0;
    const char *const *sql = NULL;
    TRY(journal_sync_load(runner->conn, arena, id, &columns, &table.sync_count));
    table.sync = columns;
    TRY(journal_sync_remove(runner->conn, runner->change_id, id));
    TRY(journal_sync_load(runner->conn, arena, id, &others, &other_count));
    if (other_count > 0)
        return NULL; /* with the last of them */
    sync_sql_pg(arena, &runner->server, &table, NULL, 0, runner->plan.search_path,
                runner->plan.search_path_count, &sql, &sql_count);
    TRY(runner->ops->act_as(runner->conn, &wait, step->role));
    TRY(run_all(runner, sql, sql_count));
    return runner->ops->act_as(runner->conn, &wait, NULL);
}

/* The trigger's part goes first: its conditions name the columns that the undo drops. */
static Err *undo_body(Runner *runner, const Step *step, const Table *table, void *context UNUSED)
{
    Wait wait = runner_wait(runner);
    int64_t id = 0;
    if (step->sync && step->fill_count > 0)
        TRY(journal_sync_table(runner->conn, runner->change_id, &step->fills[0], &id));
    bool other = id != 0 && id != table->id, gone = step->table.name != NULL && table->id == 0;
    if (other)
        TRY(undo_without_table(runner, step, id));
    if (other || gone)
        return journal_step(runner->conn, runner->change_id, step->ordinal, "undone", NULL);
    if (step->sync) {
        TRY(journal_sync_remove(runner->conn, runner->change_id, table->id));
        TRY(regenerate(runner, step, table));
    }
    TRY(runner->ops->act_as(runner->conn, &wait, step->role));
    TRY(run_all(runner, step->undo, step->undo_count));
    TRY(runner->ops->act_as(runner->conn, &wait, NULL));
    TRY(failpoint_at("undo_before_journal"));
    return journal_step(runner->conn, runner->change_id, step->ordinal, "undone", NULL);
}

Err *ddl_undo(Runner *runner, const Step *step) { return lockwait_run(runner, step, true, undo_body, NULL); }

/* A scan under a weak lock that blocks no reader or writer: no lock timeout, but whoever is in its way is
 * named, and
 * --lock-wait bounds the waiting. */
Err *validate_run(Runner *runner, const Step *step)
{
    Wait wait = runner_wait(runner);
    TRY(runner->ops->begin(runner->conn, &wait, &(TxSettings){0}));
    Err *err = lease_prove(runner);
    if (err == NULL)
        err = runner->ops->act_as(runner->conn, &wait, step->role);
    control_long_begin(runner);
    if (err == NULL)
        err = run_all(runner, step->sql, step->sql_count);
    bool over = control_long_end(runner);
    if (err == NULL)
        err = runner->ops->act_as(runner->conn, &wait, NULL);
    if (err == NULL)
        err = journal_step(runner->conn, runner->change_id, step->ordinal, "done", NULL);
    if (err == NULL)
        err = failpoint_at("validate_before_commit");
    if (err == NULL)
        err = runner->ops->commit(runner->conn, &wait);
    if (err == NULL)
        return NULL;
    runner->ops->rollback(runner->conn);
    if (over) {
        err_free(err);
        return err_new(ERR_LOCK_BUDGET, "no lock on \"%s\" within --lock-wait: blocked by %s",
                       step->table.name, runner->control.waiting_for);
    }
    bool violated = str_starts(err->sqlstate, "23");
    if (violated)
        err->kind = ERR_VERIFY;
    return err;
}
