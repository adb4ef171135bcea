/* stoa uninstall: removes journal, functions and triggers. */
#include "cli/session.h"

Err *cmd_uninstall(Cli *cli)
{
    RunOptions options;
    TRY(session_options(cli, &options));
    const char *question = arena_printf(cli->arena, "Remove journal, history and sync triggers from %s?",
                                        options.database_label);
    TRY(session_confirm(cli, question));
    TRY(run_uninstall(&options, cli->arena));
    session_done(cli, "uninstalled", NULL, "journal, functions, triggers and scratch databases are gone");
    return NULL;
}
