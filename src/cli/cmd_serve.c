/* stoa serve: looks on, and tells over HTTP. */
#include "base/clock.h"
#include "cli/session.h"
#include "serve/serve.h"

enum { NAP_MS = 60000 };

Err *cmd_serve(Cli *cli)
{
    RunOptions options;
    Serve *serve = NULL;
    TRY(session_options(cli, &options));
    TRY(session_listen(cli, &options, "127.0.0.1:8686", &serve));
    while (stop_level(&cli->stop) == STOP_NONE)
        stop_sleep(&cli->stop, NAP_MS);
    serve_stop(serve);
    return NULL;
}
