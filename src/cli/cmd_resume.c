/* stoa resume: goes on with a change, or lets whoever holds it go on. */
#include "cli/fleet.h"
#include "cli/session.h"
#include "serve/serve.h"

Err *cmd_resume(Cli *cli)
{
    RunOptions options;
    const char *change = NULL;
    RunSummary summary = {0};
    bool over = false;
    TRY(fleet_enter(cli, NULL, &over));
    if (over)
        return NULL;
    TRY(session_options(cli, &options));
    TRY(session_pick(cli, &options, "|planned|running|paused|waiting|failed|", &change));
    Serve *serve = NULL;
    TRY(session_listen(cli, &options, NULL, &serve));
    Err *err = run_resume(&options, cli->arena, change, &summary);
    serve_stop(serve);
    if (err != NULL)
        return session_resumable(err, change);
    if (summary.state == STATE_RUNNING)
        session_done(cli, "resumed", change, "goes on in the process that holds it; see \"stoa watch\"");
    else
        session_summary(cli, change, &summary);
    return NULL;
}
