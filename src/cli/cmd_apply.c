/* stoa apply: shows the plan, asks, and carries it out up to ready. */
#include "cli/fleet.h"
#include "cli/order.h"
#include "cli/rehearsals.h"
#include "cli/session.h"
#include "cli/show.h"
#include "serve/serve.h"

typedef struct Asked {
    Cli *cli;
    Err *refusal; /* why we said no */
} Asked;

static void tell_plan(Cli *cli, const Plan *plan)
{
    if (cli->term.json) {
        json_t *event = json_pack("{s:i, s:s, s:i, s:o, s:o*}", "v", 1, "event", "plan", "step", 0, "plan",
                                  plan_to_json(plan), "rehearsal", rehearsals_find(cli, plan));
        term_json(&cli->term, event, false);
        json_decref(event);
        return;
    }
    Page page = term_page_err(&cli->term);
    json_t *rehearsal = rehearsals_find(cli, plan);
    show_plan(&page, plan, cli_given(cli, OPT_VERBOSE), rehearsal);
    json_decref(rehearsal);
    page_newline(&page);
    term_show_err(&cli->term, &page, false);
}

static bool confirm(void *context, const Plan *plan)
{
    Asked *asked = context;
    Cli *cli = asked->cli;
    tell_plan(cli, plan);
    asked->refusal = session_strategy(cli, plan);
    if (asked->refusal == NULL)
        asked->refusal = plan_refusal(plan);
    if (asked->refusal != NULL)
        return false;
    if (plan->nothing_to_do || cli_given(cli, OPT_EXPECT))
        return true;
    asked->refusal = session_confirm(cli, "Carry it out?");
    return asked->refusal == NULL;
}

static void tell_next(Cli *cli, const char *change, const RunSummary *summary)
{
    if (cli->term.json || summary->state != STATE_READY)
        return;
    Page page = term_page_err(&cli->term);
    page_putf(&page, STYLE_DIM, "when no old application writes any more: stoa complete %s\n", change);
    term_show_err(&cli->term, &page, false);
}

Err *cmd_apply(Cli *cli)
{
    if (!cli_given(cli, OPT_YES) && !cli_given(cli, OPT_EXPECT) && !term_can_ask())
        return err_hint(err_new(ERR_USAGE, "nobody can be asked here whether the plan is right"),
                        "give --yes, or --expect with the digest that \"stoa plan\" prints");
    RunOptions options;
    Change change;
    RunSummary summary = {0};
    const RunNote *note = NULL;
    bool over = false;
    TRY(session_change(cli, &change));
    TRY(order_check(cli, &change, &note));
    TRY(fleet_enter(cli, arena_printf(cli->arena, "Apply \"%s\"", change.name), &over));
    if (over)
        return NULL;
    if (cli->place != NULL)
        change.name = arena_printf(cli->arena, "%s%s", change.name, cli->place->suffix);
    TRY(session_options(cli, &options));
    options.note = note;
    options.rehearsal = rehearsals_ask;
    options.rehearsal_context = cli;
    Asked asked = {.cli = cli};
    Serve *serve = NULL;
    TRY(session_listen(cli, &options, NULL, &serve));
    Err *err = run_apply(&options, cli->arena, &change, confirm, &asked, &summary);
    serve_stop(serve);
    if (asked.refusal != NULL) {
        err_free(err);
        return asked.refusal;
    }
    if (err != NULL)
        return session_resumable(err, change.name);
    session_summary(cli, change.name, &summary);
    tell_next(cli, change.name, &summary);
    return NULL;
}
