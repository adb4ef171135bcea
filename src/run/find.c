/* What another database's journal has of a request. */
#include "run/runner.h"

#include <string.h>

static bool is_of(const char *name, const char *suffix)
{
    const char *at = strchr(name, '@');
    return str_eq(at == NULL ? "" : at, suffix);
}

static FoundChange read_row(const Rows *rows, size_t row, const char *digest)
{
    FoundChange found = {.name = rows_cell(rows, row, 0),
                         .change_digest = rows_cell(rows, row, 1),
                         .state = rows_cell(rows, row, 2),
                         .phase = rows_cell(rows, row, 3)};
    bool over = str_eq(found.state, "ready") || str_eq(found.state, "completed");
    found.same = str_eq(found.change_digest, digest);
    found.ready = over && rows_cell(rows, row, 4) != NULL;
    return found;
}

static Err *find(Runner *runner, const char *digest, const char *name, const char *suffix,
                 FoundChange *ret_found)
{
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    if (runner->server.journal_version == 0)
        return NULL;
    TRY(conn_params(
        runner->conn, &wait, runner->arena, &rows,
        "SELECT name, change_digest, state, phase, ready_position FROM stoa.changes WHERE "
        "(change_digest = $1 OR name = $2) AND state NOT IN ('aborted', 'reverted') ORDER BY id DESC",
        digest, name));
    for (size_t i = 0; i < rows.row_count; i++) {
        FoundChange found = read_row(&rows, i, digest);
        bool better = ret_found->name == NULL || (found.same && !ret_found->same);
        if (is_of(found.name, suffix) && better)
            *ret_found = found;
    }
    return NULL;
}

Err *run_find(const RunOptions *options, Arena *arena, const char *change_digest, const char *name,
              const char *suffix, FoundChange *ret_found)
{
    Runner runner;
    *ret_found = (FoundChange){0};
    Err *err = runner_open_to_read(&runner, options, arena);
    runner.deadline_ms = clock_ms() + JOURNAL_TIMEOUT_MS;
    if (err == NULL)
        err = find(&runner, change_digest, arena_printf(arena, "%s%s", name, suffix), suffix, ret_found);
    runner_close(&runner);
    return err;
}
