/* stoa help: explains a verb, and prints the tables in the forms that tools read. */
#include "cli/cli.h"
#include "cli/findings.h"
#include "cli/help.h"
#include "serve/metrics.h"

#include <string.h>

static void print(const Str *text) { (void)fwrite(text->buf, 1, text->len, stdout); }

Err *cmd_help(Cli *cli)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    if (cli_given(cli, OPT_OPTIONS_JSON)) {
        json_t *tables = help_tables();
        term_json(&cli->term, tables, true);
        json_decref(tables);
        return NULL;
    }
    if (cli_given(cli, OPT_MAN)) {
        help_man(&text);
        print(&text);
        return NULL;
    }
    if (cli_given(cli, OPT_METRICS_PAGE)) {
        metric_page(&text);
        print(&text);
        return NULL;
    }
    if (cli_given(cli, OPT_RULES_PAGE)) {
        rules_markdown(&text);
        print(&text);
        return NULL;
    }
    Page page = term_page_out(&cli->term);
    const Verb *verb = NULL;
    for (size_t i = 0; i < VERB_COUNT && cli->args.positional != NULL; i++)
        verb = strcmp(verbs[i].name, cli->args.positional) == 0 ? &verbs[i] : verb;
    if (verb != NULL)
        help_verb(&page, verb);
    else
        help_overview(&page);
    term_show_out(&cli->term, &page);
    return NULL;
}
