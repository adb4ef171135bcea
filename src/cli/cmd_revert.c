/* stoa revert: back to the old shape after ready. */
#include "cli/fleet.h"
#include "cli/session.h"

Err *cmd_revert(Cli *cli)
{
    RunOptions options;
    const char *change = NULL;
    RunSummary summary = {0};
    bool over = false;
    TRY(fleet_enter(cli,
                    arena_printf(cli->arena, "Go back to the shape before \"%s\"",
                                 cli->args.positional == NULL ? "" : cli->args.positional),
                    &over));
    if (over)
        return NULL;
    TRY(session_options(cli, &options));
    TRY(session_pick(cli, &options, "|ready|running|paused|waiting|failed|", &change));
    const char *question = arena_printf(
        cli->arena, "Go back to the shape before \"%s\"? Applications that use the new one fail then.",
        change);
    TRY(session_confirm(cli, question));
    Err *err = run_revert(&options, cli->arena, change, &summary);
    if (err_is(err, ERR_STOPPED) && err_first_hint(err) == NULL)
        return err_hint(err, "go on with: stoa revert %s", change);
    TRY(err);
    session_summary(cli, change, &summary);
    return NULL;
}
