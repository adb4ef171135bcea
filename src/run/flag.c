/* What operators say of flags: an event each, and the last one of a flag counts. */
#include "run/runner.h"

#include "base/str.h"

#include <pwd.h>
#include <unistd.h>

/* The account that asked, as far as it is known. */
static const char *who(Arena *arena)
{
    char host[256] = "";
    const struct passwd *account = getpwuid(getuid());
    (void)gethostname(host, sizeof host - 1);
    return arena_printf(arena, "%s@%s", account == NULL ? "?" : account->pw_name, host);
}

static Err *note(Runner *runner, const FlagWish *wish)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    if (runner->server.journal_version > 0)
        TRY(conn_params(runner->conn, &wait, runner->arena, &rows,
                        "SELECT max(id) FROM stoa.changes WHERE name = $1", wish->change));
    if (rows.row_count == 0 || rows_cell(&rows, 0, 0) == NULL)
        return err_new(ERR_USAGE, "no change \"%s\" in the journal", wish->change);
    const char *because = wish->reason == NULL ? "" : arena_printf(runner->arena, ": %s", wish->reason);
    json_t *detail = json_pack("{s:s, s:s, s:s?, s:s}", "flag", wish->key, "set", wish->set, "reason",
                               wish->reason, "account", who(runner->arena));
    if (detail == NULL)
        return err_new(ERR_USAGE, "the reason is not UTF-8");
    Err *err = journal_event(runner->conn, rows_int(&rows, 0, 0), "flag", 0, detail,
                             arena_printf(runner->arena, "flag %s: %s%s", wish->key, wish->set, because));
    json_decref(detail);
    runner->told = true;
    return err;
}

Err *run_flag(const RunOptions *options, Arena *arena, const FlagWish *wish)
{
    Runner runner;
    Err *err = runner_open(&runner, options, arena);
    if (err == NULL)
        err = note(&runner, wish);
    runner_close(&runner);
    return err;
}
