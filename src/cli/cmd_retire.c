/* stoa retire: look, hide, wait, drop; and the way back. */
#include "base/unit.h"
#include "cli/guard.h"
#include "cli/session.h"
#include "cli/show.h"
#include "run/retire.h"

#include <string.h>

/* ---- what is asked -------------------------------------------------------------------------- */

static Err *read_subject(const Cli *cli, bool mysql, RetireWish *wish)
{
    const char *column = cli->args.positional, *index = cli_setting(cli, OPT_INDEX)->text;
    const char *table = cli_setting(cli, OPT_TABLE)->text;
    int given = (column != NULL) + (index != NULL) + (table != NULL);
    if (given != 1)
        return err_hint(err_new(ERR_USAGE, given == 0 ? "what is to be retired?" : "one thing at a time"),
                        "stoa retire TABLE.COLUMN, --index NAME or --table NAME");
    return column != NULL  ? retire_parse(cli->arena, column, HIDE_COLUMN, mysql, wish)
           : index != NULL ? retire_parse(cli->arena, index, HIDE_INDEX, mysql, wish)
                           : retire_parse(cli->arena, table, HIDE_TABLE, mysql, wish);
}

static HideBy read_by(const Cli *cli)
{
    const char *text = cli_setting(cli, OPT_BY)->text;
    for (int by = HIDE_BY_DEFAULT; by <= HIDE_BY_NONE; by++)
        if (cli_given(cli, OPT_BY) && str_eq(text, hide_by_name((HideBy)by)))
            return (HideBy)by;
    return HIDE_BY_DEFAULT;
}

static Err *check_together(const Cli *cli, const RetireWish *wish)
{
    if (cli_given(cli, OPT_FROM) && !cli_given(cli, OPT_UNDO))
        return err_new(ERR_USAGE, "--from belongs to --undo");
    if (cli_given(cli, OPT_KEEP_DATA) && wish->kind != HIDE_COLUMN)
        return err_new(ERR_USAGE, "--keep-data saves a column");
    if (wish->for_ms < 1000)
        return err_new(ERR_USAGE, "--for is at least 1s");
    return NULL;
}

static Err *read_wish(const Cli *cli, const RunOptions *options, RetireWish *ret_wish)
{
    RetireWish wish = {
        .by = read_by(cli),
        .for_ms = cli_given(cli, OPT_RETIRE_FOR) ? cli_setting(cli, OPT_RETIRE_FOR)->number : RETIRE_FOR_MS,
        .wait_ms = cli_given(cli, OPT_RETIRE_WAIT) ? cli_setting(cli, OPT_RETIRE_WAIT)->number : -1,
        .logs = cli_setting(cli, OPT_WATCH_LOG)->list,
        .log_count = cli_setting(cli, OPT_WATCH_LOG)->list_count,
        .url = cli_setting(cli, OPT_CHECK_URL)->text,
        .keep_file = cli_setting(cli, OPT_KEEP_DATA)->text,
        .from_file = cli_setting(cli, OPT_FROM)->text,
        .force = cli_given(cli, OPT_FORCE)};
    if (wish.url != NULL && strcmp(wish.url, "off") == 0)
        wish.url = NULL;
    TRY(read_subject(cli, options->ops->dialect == DIALECT_MYSQL, &wish));
    TRY(check_together(cli, &wish));
    *ret_wish = wish;
    return NULL;
}

/* ---- what is shown -------------------------------------------------------------------------- */

static const char *text_in(const json_t *report, const char *key)
{
    const char *text = json_string_value(json_object_get(report, key));
    return text == NULL ? "" : text;
}

static int64_t number_in(const json_t *report, const char *key)
{
    return json_integer_value(json_object_get(report, key));
}

static void show_lines(Page *page, const json_t *report, const char *key, const char *label, Style style)
{
    size_t i = 0;
    const json_t *line = NULL;
    json_array_foreach(json_object_get(report, key), i, line)
    {
        page_put(page, STYLE_DIM, i == 0 ? label : "");
        page_to(page, 12);
        page_wrap(page, style, 12, json_string_value(line));
        page_newline(page);
    }
}

static void show_use(Page *page, const json_t *use)
{
    size_t i = 0;
    const json_t *statement = NULL;
    if (use == NULL)
        return;
    page_put(page, STYLE_DIM, "used by");
    page_to(page, 12);
    if (!json_is_true(json_object_get(use, "known")))
        page_wrap(page, STYLE_YELLOW, 12, text_in(use, "why"));
    else
        page_putf(page, STYLE_PLAIN, "%lld statements name it since %s; %lld fell out of the statistics",
                  (long long)number_in(use, "statement_count"),
                  text_in(use, "since")[0] == '\0' ? "they were reset" : text_in(use, "since"),
                  (long long)(number_in(use, "evicted") < 0 ? 0 : number_in(use, "evicted")));
    page_newline(page);
    json_array_foreach(json_object_get(use, "statements"), i, statement)
    {
        page_to(page, 12);
        page_wrap(page, STYLE_PLAIN, 14, text_in(statement, "statement"));
        page_putf(page, STYLE_DIM, "  %s, %lld calls", text_in(statement, "role"),
                  (long long)number_in(statement, "calls"));
        page_newline(page);
    }
    show_lines(page, use, "functions", "functions", STYLE_YELLOW);
}

static void show_look(Page *page, const json_t *report)
{
    page_putf(page, STYLE_BOLD, "%s %s", text_in(report, "kind"), text_in(report, "of"));
    page_newline(page);
    show_use(page, json_object_get(report, "use"));
    show_lines(page, report, "does", "hides", STYLE_PLAIN);
    show_lines(page, report, "undo", "undo", STYLE_PLAIN);
    show_lines(page, report, "drop", "drops", STYLE_PLAIN);
    show_lines(page, report, "blind", "unaffected", STYLE_YELLOW);
    show_lines(page, report, "notes", "note", STYLE_PLAIN);
}

static void show_outcome(Page *page, const json_t *report)
{
    const char *state = text_in(report, "state");
    char span[UNIT_TEXT_BYTES];
    page_putf(page, STYLE_BOLD, "%s  ", text_in(report, "of"));
    if (strcmp(state, "in_use") == 0) {
        page_put(page, STYLE_RED, "is in use; it is shown again\n");
        show_lines(page, report, "seen", "seen", STYLE_PLAIN);
        return;
    }
    if (strcmp(state, "waiting") == 0) {
        page_putf(page, STYLE_PLAIN, "may be dropped in %s",
                  unit_duration_text(number_in(report, "left_ms"), span));
        page_newline(page);
        page_put(page, STYLE_DIM, "errors");
        page_to(page, 12);
        if (json_is_string(json_object_get(report, "observed")))
            page_putf(page, STYLE_GREEN, "none seen (%s)\n", text_in(report, "observed"));
        else
            page_put(page, STYLE_YELLOW, "not observed\n");
        return;
    }
    page_put(page, strcmp(state, "nothing") == 0 ? STYLE_PLAIN : STYLE_GREEN,
             strcmp(state, "nothing") == 0    ? "there is nothing to undo"
             : strcmp(state, "undone") == 0   ? "stays as it was"
             : strcmp(state, "restored") == 0 ? "is there again"
                                              : "is dropped");
    page_newline(page);
    if (strcmp(state, "dropped") == 0)
        show_lines(page, report, "notes", "note", STYLE_PLAIN);
}

/* ---- carried out ---------------------------------------------------------------------------- */

typedef struct Asked {
    Cli *cli;
    const RunOptions *options;
    Guard guard;
    Err *refusal;
} Asked;

static bool confirm(void *context, const json_t *report)
{
    Asked *asked = context;
    Cli *cli = asked->cli;
    const char *next = text_in(report, "next");
    char span[UNIT_TEXT_BYTES];
    if (!cli->term.json && strcmp(next, "drop") != 0) {
        Page page = term_lines_err(&cli->term);
        show_look(&page, report);
        term_show_err(&cli->term, &page, false);
    }
    const char *question =
        strcmp(next, "hide") == 0   ? arena_printf(cli->arena, "Hide it for %s?",
                                                   unit_duration_text(number_in(report, "for_ms"), span))
        : strcmp(next, "drop") == 0 ? arena_printf(cli->arena, "Drop %s?", text_in(report, "of"))
                                    : "Begin its waiting time?";
    asked->refusal = session_confirm(cli, question);
    if (asked->refusal == NULL && strcmp(next, "hide") == 0)
        asked->refusal = guard_start(cli, asked->options, &asked->guard);
    return asked->refusal == NULL;
}

static void show_report(Cli *cli, json_t *report)
{
    if (cli->term.json) {
        json_object_set_new(report, "v", json_integer(1));
        json_object_set_new(report, "event", json_string("retired"));
        term_json(&cli->term, report, false);
        return;
    }
    Page page = term_page_out(&cli->term);
    show_outcome(&page, report);
    term_show_out(&cli->term, &page);
}

static int code_of(const char *state)
{
    return strcmp(state, "in_use") == 0 ? EXIT_UNSAFE : strcmp(state, "waiting") == 0 ? EXIT_HELD : EXIT_DONE;
}

Err *cmd_retire(Cli *cli)
{
    RunOptions options;
    RetireWish wish;
    json_t *report = NULL;
    Asked asked = {.cli = cli, .options = &options};
    TRY(session_options(cli, &options));
    TRY(read_wish(cli, &options, &wish));
    Err *err = cli_given(cli, OPT_UNDO) ? run_retire_undo(&options, cli->arena, &wish, &report)
                                        : run_retire(&options, cli->arena, &wish, confirm, &asked, &report);
    guard_end(&asked.guard);
    if (asked.refusal != NULL) {
        err_free(err);
        return asked.refusal;
    }
    TRY(err);
    term_progress_end(&cli->term);
    show_report(cli, report);
    cli->exit_code = code_of(text_in(report, "state"));
    json_decref(report);
    return NULL;
}
