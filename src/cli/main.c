/* The program: parses, runs the verb, prints its error once, and ends with the code that the error means. */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/revision.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/revision_built.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "engine/mysql/mysql.h"
#include "engine/postgres/postgres.h"

#include <stdlib.h>
#include <string.h>

static const EngineOps *const engines[] = {&engine_postgres, &engine_mysql};

static void on_log(void *context, LogLevel level, const char *line)
{
    Cli *cli = context;
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if (term_log(&cli->term, &(LogEntry){.level = names[level], .event = "log", .text = line},
                 level <= LOG_WARN))
        return;
    Page page = term_lines_err(&cli->term);
    static const Style styles[] = {STYLE_RED, STYLE_YELLOW, STYLE_PLAIN, STYLE_DIM};
    page_wrap(&page, styles[level], 2, line);
    page_newline(&page);
    term_show_err(&cli->term, &page, level <= LOG_WARN);
}

/* Text that may come from anywhere as a JSON string. */
static json_t *text_json(const char *text)
{
    CLEANUP(mem_freep) char *mended = utf8_mend(text == NULL ? "" : text);
    return text == NULL ? json_null() : json_string(mended);
}

static void print_error_json(Cli *cli, const Err *err, const char *text, const char *hint)
{
    const char *sqlstate = err->sqlstate[0] == '\0' ? NULL : err->sqlstate;
    json_t *object =
        json_pack("{s:i, s:{s:s, s:o, s:o, s:s?}}", "v", 1, "error", "kind", err_kind_name(err->kind),
                  "message", text_json(text), "hint", text_json(hint), "sqlstate", sqlstate);
    if (cli->error_problems != NULL)
        (void)json_object_set(json_object_get(object, "error"), "problems", cli->error_problems);
    term_json(&cli->term, object, false);
    json_decref(object);
}

static void print_error_page(Cli *cli, const Err *err, const char *text, const char *hint)
{
    Page page = term_lines_err(&cli->term);
    page_put(&page, STYLE_RED, "error: ");
    page_wrap(&page, STYLE_PLAIN, 7, text);
    page_newline(&page);
    if (hint != NULL) {
        page_put(&page, STYLE_CYAN, "hint: ");
        page_put(&page, STYLE_PLAIN, hint); /* in one line: it can be pasted */
        page_newline(&page);
    }
    if (err->kind == ERR_BUG) {
        page_putf(&page, STYLE_DIM, "this is a bug in stoa " STOA_VERSION " (%s:%d); please report it",
                  err->file, err->line);
        page_newline(&page);
    }
    term_show_err(&cli->term, &page, true);
}

static void print_error(Cli *cli, const Err *err)
{
    char *text = err_text(err);
    const char *hint = err_first_hint(err);
    LogEntry entry = {
        .level = "error", .event = "error", .text = text, .hint = hint, .kind = err_kind_name(err->kind)};
    if (!term_log(&cli->term, &entry, true))
        print_error_page(cli, err, text, hint);
    if (cli->args.json)
        print_error_json(cli, err, text, hint);
    free(text);
}

/* A second signal ends us as it would have ended any program. */
static int exit_of(const Cli *cli, const Err *err)
{
    bool cut = err_is(err, ERR_STOPPED) || err_is(err, ERR_CANCELLED);
    int number = atomic_load(&cli->stop.signal_number);
    if (cut && stop_level(&cli->stop) == STOP_NOW && number != 0)
        return EXIT_SIGNAL + number;
    return exit_for(err->kind);
}

static Err *run_verb(Cli *cli)
{
    const Verb *verb = &verbs[cli->args.verb];
    TRY(stop_init(&cli->stop));
    signals_install(&cli->stop, verb->acts);
    return verb->run(cli);
}

static void set_up_term(Cli *cli)
{
    const char *color = cli_setting(cli, OPT_COLOR)->text;
    bool silent = cli_given(cli, OPT_SILENT);
    term_init(&cli->term,
              str_eq(color, "always")  ? COLOR_ALWAYS
              : str_eq(color, "never") ? COLOR_NEVER
                                       : COLOR_AUTO,
              cli->args.json, silent, str_eq(cli_setting(cli, OPT_LOG_FORMAT)->text, "json"));
    log_set_sink(on_log, cli, cli_given(cli, OPT_VERBOSE) ? LOG_DEBUG : silent ? LOG_ERROR : LOG_INFO);
}

int main(int argc, char **argv)
{
    Cli cli = {
        .engines = engines, .engine_count = ARRAY_LEN(engines), .arena = arena_new(), .stop = {.fd = -1}};
    stoa_revision = STOA_REVISION;
    Err *err = args_parse(cli.arena, argc, argv, &cli.args);
    set_up_term(&cli);
    if (err == NULL)
        err = run_verb(&cli);
    term_progress_end(&cli.term);
    if (err == NULL)
        err = term_flush(&cli.term);
    int code = cli.exit_code;
    if (err != NULL) {
        print_error(&cli, err);
        code = exit_of(&cli, err);
    }
    session_notify_end(&cli, err);
    session_trace_end(&cli, err);
    err_free(err);
    failpoint_report();
    json_decref(cli.error_problems);
    json_decref(cli.measured);
    term_done(&cli.term);
    stop_done(&cli.stop);
    arena_free(cli.arena);
    return code;
}
