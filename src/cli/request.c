/* Reads what is asked: the SQL from argument, file or standard input, parsed, with all its problems told. */
#include "change/lex_my.h"
#include "cli/places.h"
#include "cli/session.h"
#include "cli/show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REQUEST_MOST_BYTES = 16 << 20 };

static Err *read_stream(FILE *file, const char *label, Str *ret_text)
{
    char buf[8192];
    for (size_t len; (len = fread(buf, 1, sizeof buf, file)) > 0;) {
        if (memchr(buf, '\0', len) != NULL)
            return err_new(ERR_USAGE, "\"%s\" is not text", label);
        str_addn(ret_text, buf, len);
        if (ret_text->len > REQUEST_MOST_BYTES)
            return err_new(ERR_USAGE, "\"%s\" is larger than 16 MB", label);
    }
    if (ferror(file))
        return err_new(ERR_USAGE, "cannot read \"%s\": %s", label, strerror(errno));
    return NULL;
}

static Err *read_file(const char *path, Str *ret_text)
{
    if (strcmp(path, "-") == 0)
        return read_stream(stdin, "standard input", ret_text);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_new(ERR_USAGE, "cannot read \"%s\": %s", path, strerror(errno));
    Err *err = read_stream(file, path, ret_text);
    (void)fclose(file);
    return err;
}

/* "orders.sql", or another word that is a file's name. */
static bool is_a_file(const char *text)
{
    size_t len = strlen(text);
    return text[strcspn(text, " \t\n;")] == '\0' &&
           ((len > 4 && strcasecmp(text + len - 4, ".sql") == 0) || access(text, F_OK) == 0);
}

/* The text, and the name that its problems are told under. */
static Err *read_request(Cli *cli, const char **ret_sql, const char **ret_label)
{
    const char *path = cli_setting(cli, OPT_FILE)->text, *verb = verbs[cli->args.verb].name;
    if (path != NULL && cli->args.positional != NULL)
        return err_hint(err_new(ERR_USAGE, "the SQL is given twice: as argument and with -f"),
                        "leave out one");
    if (path == NULL && cli->args.positional == NULL)
        return err_hint(err_new(ERR_USAGE, "there is no SQL"), "stoa %s -f FILE, or stoa %s 'ALTER TABLE …'",
                        verb, verb);
    if (path == NULL && is_a_file(cli->args.positional))
        return err_hint(
            err_new(ERR_USAGE, "\"%s\" is a file's name, and SQL is expected", cli->args.positional),
            "stoa %s -f %s", verb, cli->args.positional);
    *ret_label = path == NULL ? "<argument>" : strcmp(path, "-") == 0 ? "<stdin>" : path;
    *ret_sql = cli->args.positional;
    if (path == NULL)
        return NULL;
    CLEANUP(str_donep) Str text = STR_INIT;
    TRY(read_file(path, &text));
    *ret_sql = arena_dupn(cli->arena, text.buf, text.len);
    return NULL;
}

static void show_problem(Cli *cli, const char *label, const Problem *problem)
{
    Page page = term_lines_err(&cli->term);
    if (problem->line > 0)
        page_putf(&page, STYLE_BOLD, "%s:%d:%d: ", label, problem->line, problem->column);
    else
        page_put(&page, STYLE_BOLD, "on the command line: ");
    page_put(&page, STYLE_PLAIN, problem->message);
    page_newline(&page);
    if (problem->hint != NULL) {
        page_put(&page, STYLE_CYAN, "  hint: ");
        page_wrap(&page, STYLE_PLAIN, 8, problem->hint);
        page_newline(&page);
    }
    term_show_err(&cli->term, &page, true);
    json_array_append_new(cli->error_problems,
                          json_pack("{s:s, s:s, s:i, s:i, s:s, s:s?}", "kind", err_kind_name(problem->kind),
                                    "file", label, "line", problem->line, "column", problem->column,
                                    "message", problem->message, "hint", problem->hint));
}

static Err *tell_problems(Cli *cli, const char *label, const Change *change)
{
    ErrKind kind = ERR_UNSAFE;
    CLEANUP(str_donep) Str all = STR_INIT;
    cli->error_problems = json_array();
    for (size_t i = 0; i < change->problem_count; i++) {
        show_problem(cli, label, &change->problems[i]);
        str_sep(&all, "; ");
        str_add(&all, change->problems[i].message);
        kind = change->problems[i].kind == ERR_USAGE ? ERR_USAGE : kind;
    }
    if (cli->term.json) /* people have read them above */
        return err_new(kind, "%s", all.buf);
    return err_new(kind, "%zu %s in %s; nothing was changed", change->problem_count,
                   change->problem_count == 1 ? "problem" : "problems", label);
}

/* How the text is read before the server is known: as the newest of the kind that the URL names would. */
static Err *parse_change(Cli *cli, const ChangeInput *input, Change *ret_change)
{
    const char *url = cli_setting(cli, OPT_URL)->text;
    const EngineOps *ops = NULL;
    TRY(engine_for_url(cli->engines, cli->engine_count, url, &ops));
    bool mariadb = url != NULL && strncasecmp(url, "mariadb:", strlen("mariadb:")) == 0;
    MyDialect dialect = {.mariadb = mariadb, .version = mariadb ? 110800 : 90700};
    if (ops->dialect == DIALECT_MYSQL)
        change_parse_my(cli->arena, input, &dialect, ret_change);
    else
        change_parse_pg(cli->arena, input, ret_change);
    return NULL;
}

Err *session_change(Cli *cli, Change *ret_change)
{
    const Setting *backfills = cli_setting(cli, OPT_BACKFILL), *reverses = cli_setting(cli, OPT_REVERSE);
    const char *label = NULL;
    ChangeInput input = {.name = cli_setting(cli, OPT_NAME)->text,
                         .owner = cli_setting(cli, OPT_OWNER)->text,
                         .contract = {.purpose = cli_setting(cli, OPT_PURPOSE)->text,
                                      .flag = cli_setting(cli, OPT_FLAG)->text,
                                      .expires = cli_setting(cli, OPT_EXPIRES)->text},
                         .backfills = backfills->list,
                         .backfill_count = backfills->list_count,
                         .reverses = reverses->list,
                         .reverse_count = reverses->list_count};
    TRY(read_request(cli, &input.sql, &label));
    Change change;
    TRY(parse_change(cli, &input, &change));
    if (change.problem_count > 0)
        return tell_problems(cli, label, &change);
    if (change.operation_count == 0)
        return err_hint(err_new(ERR_USAGE, "%s holds no statement", label),
                        "write for example: ALTER TABLE …");
    if (cli->place != NULL)
        change.name = arena_printf(cli->arena, "%s%s", change.name, cli->place->suffix);
    *ret_change = change;
    return NULL;
}
