/* stoa demo: the product shown on a private server, under traffic. */
#include "base/str.h"
#include "cli/session.h"
#include "cli/show.h"
#include "cli/signals.h"
#include "demo/demo.h"
#include "rehearse/rehearse.h"

enum { DEMO_REHEARSED_ROWS = 20000, DEMO_SAMPLE_MS = 200 };

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
    show_plan(&page, plan, cli_given(cli, OPT_VERBOSE), NULL);
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

/* As "stoa rehearse" does it, on a second private server; the application is known already. */
static Err *rehearse(void *context, const Target *target, const Change *change, double rate,
                     json_t **ret_json)
{
    Cli *cli = context;
    RunOptions run = {.ops = engine_of(cli),
                      .target = *target,
                      .stop = &cli->stop,
                      .until = -1,
                      .plan = {.verify = VERIFY_AUTO, .replicas_given = true},
                      .database_label = "the demo"};
    controls_default(&run.controls);
    run.plan.max_stall_ms = run.controls.max_stall_ms;
    run.plan.measured = run.ops->dialect == DIALECT_MYSQL; /* which has no plan without */
    RehearseOptions options = {.ops = run.ops,
                               .target = *target,
                               .row_count = DEMO_REHEARSED_ROWS,
                               .rate = rate,
                               .sample_ms = DEMO_SAMPLE_MS,
                               .change = change,
                               .run = &run,
                               .stop = &cli->stop,
                               .say = say,
                               .context = cli};
    return rehearse_run(&options, cli->arena, ret_json);
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
    options.rehearse = cli_given(cli, OPT_DEMO_REHEARSE) ? rehearse : NULL;
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
        page_newline(&page);
        page_put(&page, STYLE_PLAIN, demo_predictions(cli->arena, figures));
        term_show_out(&cli->term, &page);
    }
    json_decref(figures);
    return err;
}
