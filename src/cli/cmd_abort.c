/* stoa abort: undoes a change that is not ready. */
#include "cli/fleet.h"
#include "cli/session.h"

Err *cmd_abort(Cli *cli)
{
    RunOptions options;
    const char *change = NULL;
    bool over = false;
    TRY(fleet_enter(
        cli,
        arena_printf(cli->arena, "Undo \"%s\"", cli->args.positional == NULL ? "" : cli->args.positional),
        &over));
    if (over)
        return NULL;
    TRY(session_options(cli, &options));
    const char *states = options.force ? "|planned|running|paused|waiting|failed|ambiguous|ready|"
                                       : "|planned|running|paused|waiting|failed|ambiguous|";
    TRY(session_pick(cli, &options, states, &change));
    const char *question = arena_printf(cli->arena, "Undo \"%s\"?", change);
    TRY(session_confirm(cli, question));
    Err *err = run_abort(&options, cli->arena, change);
    if (err_is(err, ERR_STOPPED) && err_first_hint(err) == NULL)
        return err_hint(err, "go on undoing with: stoa abort %s", change);
    TRY(err);
    session_done(cli, "aborted", change, "is undone");
    return NULL;
}
