/* stoa abort: undoes a change that is not ready. */
#include "cli/session.h"

Err *cmd_abort(Cli *cli)
{
    RunOptions options;
    const char *change = NULL;
    TRY(session_options(cli, &options));
    TRY(session_pick(cli, &options, "|planned|running|paused|waiting|failed|ambiguous|", &change));
    const char *question = arena_printf(cli->arena, "Undo \"%s\"?", change);
    if (!session_confirmed(cli, question))
        return err_new(ERR_STOPPED, "not confirmed; nothing was changed");
    TRY(run_abort(&options, cli->arena, change));
    session_done(cli, "aborted", change, "is undone");
    return NULL;
}
