/* stoa pause: lets a running change rest. */
#include "cli/fleet.h"
#include "cli/session.h"

Err *cmd_pause(Cli *cli)
{
    RunOptions options;
    const char *change = NULL;
    bool over = false;
    TRY(fleet_enter(cli, NULL, &over));
    if (over)
        return NULL;
    TRY(session_options(cli, &options));
    TRY(session_pick(cli, &options, "|planned|running|waiting|paused|", &change));
    TRY(run_pause(&options, cli->arena, change));
    session_done(cli, "paused", change, "rests at the end of its chunk; \"stoa resume\" lets it go on");
    return NULL;
}
