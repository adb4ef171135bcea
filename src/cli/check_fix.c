/* stoa check --fix: what was changed, told, shown and written. */
#include "base/str.h"
#include "check/fix.h"
#include "cli/findings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---------------------------------------------------------------------------------- */

/* Bytes that are no UTF-8 were read as "?", and somebody may have written the file meanwhile. */
static Err *same_as_read(const char *path, const Source *source)
{
    FILE *file = fopen(path, "re");
    bool same = file != NULL;
    char buf[65536];
    size_t at = 0;
    for (size_t len; same && (len = fread(buf, 1, sizeof buf, file)) > 0; at += len)
        same = at + len <= source->len && memcmp(buf, source->text + at, len) == 0;
    same = same && at == source->len;
    if (file != NULL)
        (void)fclose(file);
    return same ? NULL
                : err_hint(err_new(ERR_USAGE, "\"%s\" is not what was checked, and was left alone", path),
                           "it has changed meanwhile, or is not UTF-8");
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, text, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        text += put;
        len -= (size_t)put;
    }
    return fsync(fd) == 0;
}

/* The whole file or nothing of it, with the rights that it has. */
static Err *write_file(Arena *arena, const FixedFile *file)
{
    char *path = realpath(file->source->path, NULL);
    if (path == NULL)
        return err_new(ERR_USAGE, "cannot write \"%s\": %s", file->source->path, strerror(errno));
    char *draft = arena_printf(arena, "%s.XXXXXX", path);
    struct stat there;
    Err *err = same_as_read(path, file->source);
    int fd = err == NULL ? mkostemp(draft, O_CLOEXEC) : -1;
    bool done = fd >= 0 && stat(path, &there) == 0 && fchmod(fd, there.st_mode & 07777) == 0 &&
                write_all(fd, file->text, file->len) && rename(draft, path) == 0;
    if (err == NULL && !done)
        err = err_new(ERR_USAGE, "cannot write \"%s\": %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    if (fd >= 0 && !done)
        (void)unlink(draft);
    free(path);
    return err;
}

/* ---- what was done -------------------------------------------------------------------------- */

static json_t *lines_json(const FixedLines *lines)
{
    json_t *list = json_array();
    for (size_t i = 0; i < lines->len; i++) {
        const FixedLine *line = &lines->items[i];
        (void)json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:s, s:s, s:s}", "file", line->file,
                                                    "line", line->line, "column", line->column, "rule",
                                                    line->rule, "object", line->object, "what", line->what));
    }
    return list;
}

static void show_lines(Page *page, const FixedLines *lines, const char *word, Style style)
{
    for (size_t i = 0; i < lines->len; i++) {
        const FixedLine *line = &lines->items[i];
        page_putf(page, STYLE_BOLD, "%s:%d:%d: ", line->file, line->line, line->column);
        page_put(page, style, word);
        page_putf(page, STYLE_PLAIN, ": %s", line->what);
        page_putf(page, STYLE_DIM, " [%s]", line->rule);
        page_newline(page);
    }
}

static void show_json(Cli *cli, const FixResult *fixes, const CheckResult *result, const Str *text)
{
    json_t *json = findings_json(result);
    (void)json_object_set_new(json, "fixed", lines_json(&fixes->lines));
    (void)json_object_set_new(json, "not_fixed", lines_json(&fixes->refused));
    (void)json_object_set_new(json, cli_given(cli, OPT_DRY_RUN) ? "diff" : "text",
                              text->len == 0 ? json_null() : json_string(text->buf));
    CLEANUP(str_donep) Str whole = STR_INIT;
    findings_json_text(&whole, result, json, isatty(STDOUT_FILENO) != 0);
    (void)fwrite(whole.buf, 1, whole.len, stdout);
}

/* Differences, or texts that came from standard input, into `text`; the others are written. */
static Err *put_files(Cli *cli, SourceSet *const *sets, size_t count, const FixResult *fixes, Str *text)
{
    for (size_t i = 0; i < fixes->files.len; i++) {
        const FixedFile *file = &fixes->files.items[i];
        if (cli_given(cli, OPT_DRY_RUN))
            diff_unified(text, file->source->path, file->source->text, file->source->len, file->text,
                         file->len);
        else if (!file->source->from_stdin)
            TRY(write_file(cli->arena, file));
    }
    for (size_t i = 0; i < count && !cli_given(cli, OPT_DRY_RUN); i++)
        for (size_t j = 0; j < sets[i]->files.len; j++)
            if (sets[i]->files.items[j].from_stdin)
                str_addn(text, sets[i]->files.items[j].text, sets[i]->files.items[j].len);
    return NULL;
}

Err *check_fix(Cli *cli, SourceSet **sets, size_t count, const CheckOptions *options, CheckResult *ret_result,
               bool *ret_shown)
{
    FixResult fixes;
    CLEANUP(str_donep) Str text = STR_INIT;
    TRY(fix_run(cli->arena, sets, count, options, &fixes, ret_result));
    TRY(put_files(cli, sets, count, &fixes, &text));
    bool json = cli->term.json || str_eq(cli_setting(cli, OPT_FORMAT)->text, "json");
    *ret_shown = json || cli_given(cli, OPT_DRY_RUN) || text.len > 0;
    Page page = term_lines_err(&cli->term);
    show_lines(&page, &fixes.lines, cli_given(cli, OPT_DRY_RUN) ? "would be fixed" : "fixed", STYLE_GREEN);
    show_lines(&page, &fixes.refused, "not fixed, since worse would follow", STYLE_YELLOW);
    if (*ret_shown)
        findings_summary(&page, ret_result);
    term_show_err(&cli->term, &page, false);
    if (json)
        show_json(cli, &fixes, ret_result, &text);
    else
        (void)fwrite(text.buf, 1, text.len, stdout);
    return NULL;
}
