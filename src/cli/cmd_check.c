/* stoa check: findings on migrations. */
#include "base/str.h"
#include "cli/config.h"
#include "cli/findings.h"
#include "cli/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- options -------------------------------------------------------------------------------- */

/* "rule=severity", for each rule of that name. */
static Err *take_rule(Arena *arena, Severity *severities, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL)
        return err_hint(err_new(ERR_USAGE, "--rule \"%s\" is not understood", text),
                        "write --rule drop-column=warn");
    Err *err = severities_set(severities, arena_dupn(arena, text, (size_t)(equals - text)), equals + 1);
    return err == NULL ? NULL : err_wrap(err, "--rule %s", text);
}

static bool path_holds(const ConfigPath *path, const char *file)
{
    for (size_t i = 0; i < path->patterns.len; i++)
        if (config_matches(path->patterns.items[i], file))
            return true;
    return false;
}

static Err *take_rules(Severity *severities, const ConfigRules *rules)
{
    for (size_t i = 0; i < rules->len; i++)
        TRY(severities_set(severities, rules->items[i].name, rules->items[i].severity));
    return NULL;
}

/* The rules' own, then what stoa.yaml says for all files and for this one, then the command line. */
static Err *make_severities(const Cli *cli, const char *file, const Severity **ret_severities)
{
    const Setting *rules = cli_setting(cli, OPT_RULE);
    const Config *config = cli->args.config;
    Severity *severities = arena_alloc(cli->arena, rule_count() * sizeof *severities);
    for (size_t i = 0; i < rule_count(); i++)
        severities[i] = rule_at(i)->severity;
    if (config != NULL)
        TRY(take_rules(severities, &config->rules));
    for (size_t i = 0; file != NULL && i < config->paths.len; i++)
        if (path_holds(&config->paths.items[i], file))
            TRY(take_rules(severities, &config->paths.items[i].rules));
    for (size_t i = 0; i < rules->list_count; i++)
        TRY(take_rule(cli->arena, severities, rules->list[i]));
    *ret_severities = severities;
    return NULL;
}

/* Severities by which paths of stoa.yaml hold for a file. */
typedef struct Held {
    const char *which; /* a character for each path */
    const Severity *severities;
} Held;

typedef struct PathSeverities {
    Cli *cli;
    VEC(Held) made;
} PathSeverities;

static const Severity *severities_for(void *context, const char *path)
{
    PathSeverities *all = context;
    const Config *config = all->cli->args.config;
    CLEANUP(arena_freep) Arena *scratch = arena_new();
    const char *file = config_relative(scratch, config, path);
    char *which = arena_alloc(scratch, config->paths.len + 1);
    for (size_t i = 0; i < config->paths.len; i++)
        which[i] = file != NULL && path_holds(&config->paths.items[i], file) ? 'x' : '-';
    for (size_t i = 0; i < all->made.len; i++)
        if (str_eq(all->made.items[i].which, which))
            return all->made.items[i].severities;
    Held held = {.which = arena_dup(all->cli->arena, which)};
    err_free(make_severities(all->cli, file, &held.severities)); /* its words have been read before */
    *vec_push(all->cli->arena, &all->made) = held;
    return held.severities;
}

static Err *read_severities(Cli *cli, CheckOptions *options)
{
    const Config *config = cli->args.config;
    bool in_file = config != NULL && config->rules.len + config->paths.len > 0;
    if (!in_file && cli_setting(cli, OPT_RULE)->list_count == 0)
        return NULL;
    TRY(make_severities(cli, NULL, &options->severities));
    if (!in_file || config->paths.len == 0)
        return NULL;
    PathSeverities *all = arena_alloc(cli->arena, sizeof *all);
    all->cli = cli;
    options->severities_for = severities_for;
    options->severities_context = all;
    return NULL;
}

static Err *read_engine(Cli *cli, CheckOptions *options)
{
    const char *engine = cli_setting(cli, OPT_ENGINE)->text, *url = cli_setting(cli, OPT_URL)->text;
    const EngineOps *ops = NULL;
    options->engine_given = engine != NULL || url != NULL;
    if (engine != NULL) {
        options->engine = str_eq(engine, "mysql")     ? CHECK_MYSQL
                          : str_eq(engine, "mariadb") ? CHECK_MARIADB
                                                      : CHECK_POSTGRES;
        return NULL;
    }
    if (url == NULL)
        return NULL; /* a snapshot tells, else the text */
    TRY(engine_for_url(cli->engines, cli->engine_count, url, &ops));
    bool mariadb = strncasecmp(url, "mariadb:", strlen("mariadb:")) == 0;
    options->engine = ops->dialect != DIALECT_MYSQL ? CHECK_POSTGRES : mariadb ? CHECK_MARIADB : CHECK_MYSQL;
    return NULL;
}

static const char *today_text(Arena *arena)
{
    time_t now = time(NULL);
    struct tm day;
    (void)gmtime_r(&now, &day);
    return arena_printf(arena, "%04d-%02d-%02d", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
}

static Err *read_options(Cli *cli, CheckOptions *ret_options)
{
    *ret_options = (CheckOptions){.version = cli_setting(cli, OPT_SERVER_VERSION)->text,
                                  .today = today_text(cli->arena),
                                  .applied = cli_setting(cli, OPT_APPLIED)->text,
                                  .fixes = cli_given(cli, OPT_FIX) || cli_given(cli, OPT_LSP),
                                  .down = cli_given(cli, OPT_DOWN)};
    TRY(read_engine(cli, ret_options));
    TRY(read_severities(cli, ret_options));
    const char *path = cli_setting(cli, OPT_BASELINE)->text, *text;
    size_t len;
    if (path == NULL)
        return NULL;
    TRY(check_file_text(cli->arena, path, &text, &len));
    ret_options->baseline = arena_alloc(cli->arena, sizeof *ret_options->baseline);
    return baseline_read(cli->arena, text, ret_options->baseline);
}

/* ---- output --------------------------------------------------------------------------------- */

static void print_json(json_t *json, size_t flags)
{
    char *text = json_dumps(json, flags | JSON_PRESERVE_ORDER);
    if (text != NULL) {
        (void)fputs(text, stdout);
        (void)fputc('\n', stdout);
    }
    free(text);
    json_decref(json);
}

static void print_findings(Cli *cli, const CheckOptions *options, const Online *online,
                           const CheckResult *result, SourceSet *const *sets, size_t count)
{
    const char *format = cli->term.json ? "json" : cli_setting(cli, OPT_FORMAT)->text;
    CLEANUP(str_donep) Str text = STR_INIT;
    if (str_eq(format, "json")) {
        json_t *json = findings_json(result);
        if (options->server != NULL)
            (void)json_object_set_new(json, "asked",
                                      findings_server_json(result, options->server->facts, online));
        findings_json_text(&text, result, json, isatty(STDOUT_FILENO) != 0);
    } else if (str_eq(format, "sarif")) {
        print_json(findings_sarif(result), JSON_INDENT(1));
    } else if (str_eq(format, "gitlab")) {
        print_json(findings_gitlab(result), JSON_INDENT(1));
    } else if (str_eq(format, "github")) {
        findings_github(&text, result);
    } else if (str_eq(format, "checkstyle")) {
        findings_checkstyle(&text, result);
    } else {
        Page page = term_lines_out(&cli->term);
        findings_text(&page, result, sets, count);
        term_show_out(&cli->term, &page);
    }
    (void)fwrite(text.buf, 1, text.len, stdout);
    Page page = term_lines_err(&cli->term);
    findings_summary(&page, result);
    if (options->server != NULL)
        findings_server(&page, result, options->server->facts, online);
    term_show_err(&cli->term, &page, false);
}

static Err *write_baseline(const char *path, const CheckResult *result)
{
    char *text = baseline_text(result);
    FILE *file = fopen(path, "we");
    Err *err = NULL;
    bool failed = file == NULL || fputs(text, file) < 0 || fputc('\n', file) < 0;
    int why = errno;
    if (file != NULL && fclose(file) != 0)
        failed = true;
    if (failed)
        err = err_new(ERR_USAGE, "cannot write \"%s\": %s", path, strerror(why));
    free(text);
    return err;
}

static int exit_code_of(Cli *cli, const CheckResult *result)
{
    const char *word = cli_setting(cli, OPT_FAIL_ON)->text;
    Severity least = word == NULL ? SEVERITY_WARN : severity_of(word); /* "never": none is so severe */
    for (size_t i = 0; i < result->findings.len; i++)
        if (result->findings.items[i].severity >= least)
            return EXIT_UNSAFE;
    return EXIT_DONE;
}

static Err *show_rules(Cli *cli)
{
    const char *name = cli_setting(cli, OPT_EXPLAIN)->text;
    if (name == NULL && (cli->term.json || str_eq(cli_setting(cli, OPT_FORMAT)->text, "json"))) {
        json_t *json = rules_json();
        term_json(&cli->term, json, true);
        json_decref(json);
        return NULL;
    }
    Page page = term_page_out(&cli->term);
    Err *err = NULL;
    if (name != NULL)
        err = rules_explain(&page, name);
    else
        rules_list(&page);
    if (err == NULL)
        term_show_out(&cli->term, &page);
    page_donep(&page);
    return err;
}

static Err *check_all(Cli *cli, CheckOptions *options, Online *online)
{
    CheckResult result;
    SourceSet **sets = NULL;
    size_t count = 0;
    TRY(check_sets(cli, &sets, &count));
    const char *since = cli_setting(cli, OPT_SINCE)->text;
    for (size_t i = 0; i < count && since != NULL; i++)
        TRY(check_since(cli, sets[i], since));
    TRY(check_read(cli->arena, sets, count, options));
    TRY(check_online(cli, sets, count, options, online));
    bool shown = false;
    if (cli_given(cli, OPT_FIX))
        TRY(check_fix(cli, sets, count, options, &result, &shown));
    else
        TRY(check_run(cli->arena, sets, count, options, &result));
    const char *baseline = cli_setting(cli, OPT_WRITE_BASELINE)->text;
    if (baseline != NULL)
        return write_baseline(baseline, &result);
    if (!shown)
        print_findings(cli, options, online, &result, sets, count);
    cli->exit_code = exit_code_of(cli, &result);
    return NULL;
}

Err *cmd_check(Cli *cli)
{
    CheckOptions options;
    Online online = {0};
    if (cli_given(cli, OPT_LIST_RULES) || cli_given(cli, OPT_EXPLAIN))
        return show_rules(cli);
    (void)setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    TRY(read_options(cli, &options));
    if (cli_given(cli, OPT_LSP))
        return check_lsp(cli, &options);
    if (cli_given(cli, OPT_DRY_RUN) && !cli_given(cli, OPT_FIX))
        return err_new(ERR_USAGE, "--dry-run goes with --fix");
    if (cli_given(cli, OPT_SNAPSHOT) && cli_setting(cli, OPT_URL)->text != NULL &&
        cli->args.positional_count == 0)
        return check_write_snapshot(cli, &options);
    Err *err = check_all(cli, &options, &online);
    online_close(&online);
    return err;
}
