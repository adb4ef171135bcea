/* stoa rehearse: carries a change out on made rows, and predicts what it would be on the source. */
#include "base/str.h"
#include "cli/rehearsals.h"
#include "cli/session.h"
#include "cli/show.h"
#include "cli/signals.h"
#include "rehearse/rehearse.h"
#include "serve/page.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SNAPSHOT_MOST_BYTES = 256 << 20, SAMPLE_MS = 5000 };

static void say(void *context, const char *line)
{
    Cli *cli = context;
    Page page = term_lines_err(&cli->term);
    page_put(&page, STYLE_PLAIN, line);
    page_newline(&page);
    term_show_err(&cli->term, &page, false);
}

/* "10%" or "0.1". */
static Err *read_scale(const Cli *cli, double *ret_share)
{
    const Setting *scale = cli_setting(cli, OPT_SCALE);
    char *end = NULL;
    if (!scale->given)
        return NULL;
    double share = strtod(scale->text, &end);
    if (*end == '%') {
        share /= 100;
        end++;
    }
    if (*end != '\0' || end == scale->text || !(share > 0 && share <= 1))
        return err_hint(err_new(ERR_USAGE, "--scale cannot be \"%s\"", scale->text), "write --scale 10%%");
    *ret_share = share;
    return NULL;
}

static const char *format_of(const Cli *cli)
{
    const char *format = cli_setting(cli, OPT_FORMAT)->text;
    return cli->term.json ? "json" : format == NULL ? "text" : format;
}

static Err *read_snapshot(const char *path, Arena *arena, const char **ret_text)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    char buf[65536];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_new(ERR_USAGE, "cannot read \"%s\": %s", path, strerror(errno));
    for (size_t len; text.len <= SNAPSHOT_MOST_BYTES && (len = fread(buf, 1, sizeof buf, file)) > 0;)
        str_addn(&text, buf, len);
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed || text.len > SNAPSHOT_MOST_BYTES || memchr(text.buf, '\0', text.len) != NULL)
        return err_new(ERR_CONFIG, "\"%s\" is no snapshot", path);
    *ret_text = arena_dupn(arena, text.buf, text.len);
    return NULL;
}

static Err *write_snapshot(Cli *cli, const RehearseOptions *options, const char *path)
{
    char *text = NULL;
    TRY(rehearse_snapshot(options, cli->arena, &text));
    FILE *file = fopen(path, "we");
    bool failed = file == NULL || fputs(text, file) < 0 || fputc('\n', file) < 0;
    int why = errno;
    if (file != NULL && fclose(file) != 0)
        failed = true;
    free(text);
    if (failed)
        return err_new(ERR_USAGE, "cannot write \"%s\": %s", path, strerror(why));
    if (!cli->term.json)
        say(cli, arena_printf(cli->arena, "written without any value of the source: %s", path));
    return NULL;
}

/* With the Chart.js that the page at "/" has. */
static const char *html_of(Cli *cli, const json_t *json)
{
    const PageFile *chart = NULL;
    for (size_t i = 0; i < page_file_count; i++)
        if (str_eq(page_files[i].path, "/page/chart.js"))
            chart = &page_files[i];
    return rehearse_html(cli->arena, json, chart == NULL ? "" : (const char *)chart->bytes,
                         chart == NULL ? 0 : chart->len);
}

static void show(Cli *cli, const json_t *json, const char *format)
{
    if (str_eq(format, "json")) {
        term_json(&cli->term, json, false);
        return;
    }
    Page page = term_page_out(&cli->term);
    if (str_eq(format, "html"))
        str_add(&page.text, html_of(cli, json)); /* as it is, without a terminal's columns */
    else
        page_put(&page, STYLE_PLAIN,
                 str_eq(format, "markdown") ? rehearse_markdown(cli->arena, json)
                                            : rehearse_text(cli->arena, json));
    term_show_out(&cli->term, &page);
}

static Err *keep(Cli *cli, const json_t *json)
{
    const char *path = NULL;
    Err *err = rehearsals_keep(cli, json, &path);
    if (err != NULL && !cli_given(cli, OPT_REHEARSALS)) { /* nobody asked for it */
        say(cli, arena_printf(cli->arena, "not kept: %s", err->msg));
        err_free(err);
        return NULL;
    }
    TRY(err);
    if (path != NULL && !cli->term.json)
        say(cli, arena_printf(cli->arena, "kept for \"stoa plan\" and \"stoa apply\": %s", path));
    return NULL;
}

/* Without a URL the file tells how the change's text is to be read. */
static Err *take_snapshot(Cli *cli, const char *path, const char **ret_text)
{
    Setting *url = &cli->args.settings[OPT_URL];
    TRY(read_snapshot(path, cli->arena, ret_text));
    if (url->text == NULL)
        url->text = rehearse_snapshot_scheme(*ret_text);
    return NULL;
}

Err *cmd_rehearse(Cli *cli)
{
    RunOptions run;
    Change change;
    const char *snapshot = cli_setting(cli, OPT_SNAPSHOT)->text, *format = format_of(cli), *text = NULL;
    bool asked = cli->args.positional != NULL || cli_given(cli, OPT_FILE);
    if (snapshot != NULL && asked)
        TRY(take_snapshot(cli, snapshot, &text));
    TRY(session_options(cli, &run));
    RehearseOptions options = {.ops = run.ops,
                               .target = run.target,
                               .snapshot = text,
                               .on = cli_setting(cli, OPT_ON)->text,
                               .row_count = cli_setting(cli, OPT_ROWS)->number,
                               .rate = (double)cli_setting(cli, OPT_RATE)->number,
                               .sample_ms = cli_given(cli, OPT_SAMPLE) ? cli_setting(cli, OPT_SAMPLE)->number
                                                                       : SAMPLE_MS,
                               .faults = cli_given(cli, OPT_FAULTS),
                               .run = &run,
                               .stop = &cli->stop,
                               .say = say,
                               .context = cli};
    TRY(read_scale(cli, &options.share));
    signals_stop_at_once(); /* what was made goes with it, and nothing can be gone on with */
    if (snapshot != NULL && !asked)
        return write_snapshot(cli, &options, snapshot);
    TRY(session_change(cli, &change));
    options.change = &change;
    json_t *json = NULL;
    TRY(rehearse_run(&options, cli->arena, &json));
    show(cli, json, format);
    Err *err = keep(cli, json);
    json_decref(json);
    return err;
}
