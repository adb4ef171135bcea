/* stoa complete: removes what only the old application needs. */
#include "cli/fleet.h"
#include "cli/session.h"

Err *cmd_complete(Cli *cli)
{
    RunOptions options;
    const char *change = NULL;
    RunSummary summary = {0};
    bool over = false;
    TRY(fleet_enter(
        cli,
        arena_printf(cli->arena, "Complete \"%s\"", cli->args.positional == NULL ? "" : cli->args.positional),
        &over));
    if (over)
        return NULL;
    TRY(session_options(cli, &options));
    TRY(session_pick(cli, &options, "|ready|", &change));
    const char *question =
        arena_printf(cli->arena, "Remove what only the old application needs of \"%s\"?", change);
    TRY(session_confirm(cli, question));
    Err *err = run_complete(&options, cli->arena, change, &summary);
    if (err_is(err, ERR_STOPPED) && err_first_hint(err) == NULL)
        return err_hint(err, "go on with: stoa complete %s", change);
    TRY(err);
    session_summary(cli, change, &summary);
    return NULL;
}
