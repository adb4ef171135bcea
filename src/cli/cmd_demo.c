/* stoa demo: the product shown on a private server, under traffic. */
#include "base/str.h"
#include "cli/session.h"
#include "cli/show.h"
#include "cli/signals.h"
#include "demo/demo.h"

static void say(void *context, const char *line)
{
    Cli *cli = context;
    Page page = term_page_err(&cli->term);
    page_put(&page, STYLE_PLAIN, line);
    page_newline(&page);
    term_show_err(&cli->term, &page, false);
}

static void tell_plan(void *context, const Plan *plan)
{
    Cli *cli = context;
    Page page = term_page_err(&cli->term);
    page_newline(&page);
    show_plan(&page, plan, cli_given(cli, OPT_VERBOSE));
    page_newline(&page);
    term_show_err(&cli->term, &page, false);
}

/* MariaDB is reached by the engine for both it and MySQL. */
static const EngineOps *engine_of(const Cli *cli)
{
    const char *url = str_eq(cli_setting(cli, OPT_ENGINE)->text, "mariadb") ? "mariadb://" : "postgres://";
    const EngineOps *ops = cli->engines[0];
    err_free(engine_for_url(cli->engines, cli->engine_count, url, &ops));
    return ops;
}

Err *cmd_demo(Cli *cli)
{
    if (str_eq(cli_setting(cli, OPT_ENGINE)->text, "mysql"))
        return err_hint(err_new(ERR_USAGE, "there is no demo on MySQL"), "stoa demo --engine mariadb");
    DemoOptions options = {.row_count = cli_setting(cli, OPT_ROWS)->number,
                           .rate = (double)cli_setting(cli, OPT_RATE)->number,
                           .keep = cli_given(cli, OPT_KEEP),
                           .ops = engine_of(cli),
                           .stop = &cli->stop,
                           .say = say,
                           .show_plan = tell_plan,
                           .context = cli};
    signals_stop_at_once(); /* a demo that was stopped leaves nothing to go on with */
    json_t *figures = NULL;
    Err *err = demo_run(&options, cli->arena, &figures);
    if (figures == NULL)
        return err;
    if (cli->term.json) {
        term_json(&cli->term, figures, false);
    } else {
        Page page = term_page_out(&cli->term);
        page_newline(&page);
        page_put(&page, STYLE_PLAIN, demo_table(cli->arena, figures));
        term_show_out(&cli->term, &page);
    }
    json_decref(figures);
    return err;
}
