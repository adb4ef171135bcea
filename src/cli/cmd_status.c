/* stoa status: where every change stands. */
#include "cli/fleet.h"
#include "cli/session.h"
#include "cli/show.h"

Err *cmd_status(Cli *cli)
{
    RunOptions options;
    json_t *status = NULL;
    if (cli->args.environment != NULL && environment_is_many(cli->args.environment))
        return fleet_status(cli);
    TRY(session_options(cli, &options));
    TRY(run_status(&options, cli->arena, cli->args.positional, cli_given(cli, OPT_ALL), &status));
    if (cli->term.json) {
        term_json(&cli->term, status, true);
    } else {
        Page page = term_lines_out(&cli->term);
        show_status(&page, status, cli->args.positional != NULL);
        term_show_out(&cli->term, &page);
    }
    json_decref(status);
    return NULL;
}
