/* stoa history: what ever happened, and whether the log of it is as it was sealed. */
#include "cli/session.h"
#include "cli/show.h"

#include <string.h>

/* The name of a change, else that of a column. */
static Err *look(Cli *cli, const RunOptions *options, json_t **ret_history)
{
    const char *name = cli->args.positional;
    TRY(run_history(options, cli->arena, name, ret_history));
    bool none = json_array_size(json_object_get(*ret_history, "events")) == 0;
    if (name == NULL || !none || strchr(name, '.') == NULL)
        return NULL;
    json_decref(*ret_history);
    return run_life(options, cli->arena, name, ret_history);
}

static Err *verify(Cli *cli, const RunOptions *options)
{
    json_t *report = NULL;
    if (cli->args.positional != NULL)
        return err_hint(err_new(ERR_USAGE, "--verify looks at the whole log, not at one change of it"),
                        "stoa history --verify");
    TRY(run_history_verify(options, cli->arena, cli_setting(cli, OPT_EXPECT_HEAD)->text, &report));
    if (cli->term.json) {
        term_json(&cli->term, report, true);
    } else {
        Page page = term_page_out(&cli->term);
        show_chain(&page, report);
        term_show_out(&cli->term, &page);
    }
    cli->exit_code = json_is_true(json_object_get(report, "verified")) ? EXIT_DONE : EXIT_VERIFY;
    json_decref(report);
    return NULL;
}

static Err *predictions(Cli *cli, const RunOptions *options)
{
    json_t *told = NULL;
    TRY(run_predictions(options, cli->arena, cli->args.positional, &told));
    if (cli->term.json) {
        term_json(&cli->term, told, true);
    } else {
        Page page = term_page_out(&cli->term);
        show_predictions(&page, told);
        term_show_out(&cli->term, &page);
    }
    json_decref(told);
    return NULL;
}

Err *cmd_history(Cli *cli)
{
    RunOptions options;
    json_t *history = NULL;
    TRY(session_options(cli, &options));
    if (cli_given(cli, OPT_VERIFY_LOG) || cli_given(cli, OPT_EXPECT_HEAD))
        return verify(cli, &options);
    if (cli_given(cli, OPT_PREDICTIONS))
        return predictions(cli, &options);
    TRY(look(cli, &options, &history));
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
