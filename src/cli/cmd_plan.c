/* stoa plan: shows the steps that apply would take. */
#include "cli/bundle.h"
#include "cli/plan_sql.h"
#include "cli/rehearsals.h"
#include "cli/session.h"
#include "cli/show.h"

#include <stdlib.h>

/* What apply would still refuse goes below the plan; it is no error here. */
static void show_refusal(Cli *cli, const Plan *plan)
{
    Err *refusal = plan_refusal(plan);
    if (refusal == NULL)
        return;
    Page page = term_lines_err(&cli->term);
    char *text = err_text(refusal);
    page_put(&page, STYLE_YELLOW, "apply will refuse: ");
    page_wrap(&page, STYLE_PLAIN, 2, text);
    page_newline(&page);
    free(text);
    if (err_first_hint(refusal) != NULL) {
        page_put(&page, STYLE_CYAN, "hint: ");
        page_wrap(&page, STYLE_PLAIN, 6, err_first_hint(refusal));
        page_newline(&page);
    }
    term_show_err(&cli->term, &page, false);
    err_free(refusal);
}

static void json_freep(json_t **json) { json_decref(*json); }

Err *cmd_plan(Cli *cli)
{
    RunOptions options;
    Change change;
    Plan plan;
    bool journalled = false;
    TRY(session_options(cli, &options));
    TRY(session_change(cli, &change));
    TRY(run_plan(&options, cli->arena, &change, &plan, &journalled));
    TRY(session_strategy(cli, &plan));
    term_progress_end(&cli->term);
    if (cli_given(cli, OPT_SQL)) {
        const char *folder = cli_setting(cli, OPT_SQL)->text;
        return plan_sql_write(cli, &plan, options.plan.max_stall_ms, folder == NULL ? plan.change : folder);
    }
    CLEANUP(json_freep) json_t *rehearsal = rehearsals_find(cli, &plan);
    if (cli_given(cli, OPT_BUNDLE))
        TRY(bundle_write(cli, &plan, rehearsal, cli_setting(cli, OPT_BUNDLE)->text));
    if (cli->term.json) {
        json_t *json = plan_to_json(&plan);
        json_object_set(json, "rehearsal", rehearsal);
        term_json(&cli->term, json, true);
        json_decref(json);
        return NULL;
    }
    Page page = term_page_out(&cli->term);
    show_plan(&page, &plan, cli_given(cli, OPT_VERBOSE), rehearsal);
    if (journalled)
        page_put(&page, STYLE_YELLOW,
                 "\nthis plan is in the journal already; \"stoa status\" says where it stands\n");
    term_show_out(&cli->term, &page);
    show_refusal(cli, &plan);
    return NULL;
}
