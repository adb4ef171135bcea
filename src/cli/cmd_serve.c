/* stoa serve: looks on, and tells over HTTP. */
#include "base/clock.h"
#include "base/systemd.h"
#include "cli/session.h"
#include "serve/serve.h"

enum { NAP_MS = 60000, LOOKS_MOST_MS = 60000 };

/* A database that is gone is no reason to be started anew; a thread that looks no more is. */
static void say_alive(const Serve *serve)
{
    if (clock_ms() - serve->looked_ms < LOOKS_MOST_MS)
        systemd_tell("WATCHDOG=1");
}

Err *cmd_serve(Cli *cli)
{
    RunOptions options;
    Serve *serve = NULL;
    TRY(session_options(cli, &options));
    TRY(session_listen(cli, &options, "127.0.0.1:8686", &serve));
    int64_t watchdog_ms = systemd_watchdog_ms();
    systemd_tell("READY=1");
    while (stop_level(&cli->stop) == STOP_NONE) {
        say_alive(serve);
        stop_sleep(&cli->stop, watchdog_ms > 0 && watchdog_ms / 2 < NAP_MS ? watchdog_ms / 2 : NAP_MS);
    }
    systemd_tell("STOPPING=1");
    serve_stop(serve);
    return NULL;
}
