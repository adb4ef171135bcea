/* stoa uninstall: removes journal, functions and triggers. */
#include "cli/session.h"

Err *cmd_uninstall(Cli *cli)
{
    if (!cli_given(cli, OPT_YES) && !term_can_ask())
        return err_hint(err_new(ERR_USAGE, "nobody can be asked here whether the journal may go"),
                        "give --yes");
    RunOptions options;
    TRY(session_options(cli, &options));
    const char *question = arena_printf(cli->arena, "Remove journal, history and sync triggers from %s?",
                                        options.database_label);
    if (!session_confirmed(cli, question))
        return err_new(ERR_STOPPED, "not confirmed; nothing was changed");
    TRY(run_uninstall(&options, cli->arena));
    session_done(cli, "uninstalled", NULL, "journal, functions and triggers are gone");
    return NULL;
}
