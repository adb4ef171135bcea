/* stoa history: what ever happened. */
#include "cli/session.h"
#include "cli/show.h"

Err *cmd_history(Cli *cli)
{
    RunOptions options;
    json_t *history = NULL;
    TRY(session_options(cli, &options));
    TRY(run_history(&options, cli->arena, cli->args.positional, &history));
    if (cli->term.json) {
        term_json(&cli->term, history, true);
    } else {
        Page page = term_lines_out(&cli->term);
        show_history(&page, history);
        term_show_out(&cli->term, &page);
    }
    json_decref(history);
    return NULL;
}
