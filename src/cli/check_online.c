/* The server of "stoa check", or the file that stands for it. */
#include "base/str.h"
#include "cli/findings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static Err *open_server(Cli *cli, Online *ret_online)
{
    Target target = cli_target(cli);
    const EngineOps *ops = NULL;
    TRY(engine_for_url(cli->engines, cli->engine_count, target.url, &ops));
    return online_open(cli->arena, ops, &target, &cli->stop, ret_online);
}

static Err *ask_server(Cli *cli, SourceSet *const *sets, size_t count, CheckOptions *options, Online *online)
{
    CheckNames names;
    TRY(open_server(cli, online));
    if (cli_given(cli, OPT_PENDING))
        TRY(online_pending(online, sets, count));
    CheckTarget target = {.engine = online->facts.engine, .version = online->facts.version, .given = true};
    check_names(cli->arena, sets, count, options, &target, &names);
    TRY(online_load(online, &names));
    if (str_eq(cli_setting(cli, OPT_PROBE)->text, "off"))
        online->unmeasured = "--probe off";
    else
        TRY(online_clone(online, &names, str_eq(cli_setting(cli, OPT_PROBE)->text, "schema")));
    options->server = &online->asked;
    options->engine_given = true;
    options->engine = online->facts.engine;
    return NULL;
}

static Err *read_snapshot(Cli *cli, const char *path, CheckOptions *options)
{
    const char *text = NULL;
    size_t len = 0;
    ServerFacts *facts = arena_alloc(cli->arena, sizeof *facts);
    CheckServer *server = arena_alloc(cli->arena, sizeof *server);
    TRY(check_file_text(cli->arena, path, &text, &len));
    Err *err = snapshot_read(cli->arena, text, facts);
    if (err != NULL)
        return err_wrap(err, "\"%s\"", path);
    if (facts->taken == NULL)
        facts->taken = "another day";
    server->facts = facts;
    options->server = server;
    options->engine_given = true;
    options->engine = facts->engine;
    return NULL;
}

Err *check_online(Cli *cli, SourceSet *const *sets, size_t count, CheckOptions *options, Online *ret_online)
{
    const char *snapshot = cli_setting(cli, OPT_SNAPSHOT)->text;
    if (cli_setting(cli, OPT_URL)->text != NULL)
        return ask_server(cli, sets, count, options, ret_online);
    if (cli_given(cli, OPT_PENDING))
        return err_hint(err_new(ERR_USAGE, "--pending asks the database what has been applied"),
                        "give --url as well, or the last applied version: --applied VERSION");
    return snapshot == NULL ? NULL : read_snapshot(cli, snapshot, options);
}

static Err *write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    bool failed = file == NULL || fputs(text, file) < 0 || fputc('\n', file) < 0;
    int why = errno;
    if (file != NULL && fclose(file) != 0)
        failed = true;
    return failed ? err_new(ERR_USAGE, "cannot write \"%s\": %s", path, strerror(why)) : NULL;
}

Err *check_write_snapshot(Cli *cli, const CheckOptions *options)
{
    const char *path = cli_setting(cli, OPT_SNAPSHOT)->text;
    Online online = {0};
    Err *err = open_server(cli, &online);
    if (err == NULL)
        err = online_load(&online, NULL);
    if (err == NULL) {
        online.facts.taken = options->today;
        char *text = snapshot_text(&online.facts);
        err = write_text(path, text);
        free(text);
    }
    if (err == NULL) {
        Page page = term_lines_err(&cli->term);
        page_putf(&page, STYLE_PLAIN, "%zu %s in %s", online.facts.table_count,
                  online.facts.table_count == 1 ? "table" : "tables", path);
        page_newline(&page);
        term_show_err(&cli->term, &page, false);
    }
    online_close(&online);
    return err;
}
