/* stoa stale: what may be removed, with evidence. */
#include "cli/session.h"
#include "cli/show.h"
#include "cli/stale_flags.h"

#include <fnmatch.h>
#include <string.h>

/* "public.legacy_*", "orders.note", "unused-index", "unused-index:public.*". */
static bool matches(const char *pattern, const json_t *finding)
{
    const char *kind = text_of(finding, "kind"), *object = text_of(finding, "object");
    size_t len = strlen(kind);
    if (strncmp(pattern, kind, len) == 0 && (pattern[len] == '\0' || pattern[len] == ':'))
        return pattern[len] == '\0' || fnmatch(pattern + len + 1, object, 0) == 0;
    const char *dot = strchr(object, '.');
    return fnmatch(pattern, object, 0) == 0 || (dot != NULL && fnmatch(pattern, dot + 1, 0) == 0);
}

static int64_t leave_out(const Setting *ignore, json_t *findings)
{
    int64_t count = 0;
    for (size_t i = json_array_size(findings); i-- > 0;) {
        bool hit = false;
        for (size_t j = 0; j < ignore->list_count && !hit; j++)
            hit = matches(ignore->list[j], json_array_get(findings, i));
        if (hit) {
            json_array_remove(findings, i);
            count++;
        }
    }
    return count;
}

static int rank(const char *confidence)
{
    static const char *const names[] = {"low", "medium", "high"};
    for (int i = 0; i < (int)ARRAY_LEN(names); i++)
        if (strcmp(names[i], confidence) == 0)
            return i;
    return (int)ARRAY_LEN(names); /* never */
}

/* The surest first, the kinds and objects as they came. */
static void sort(json_t *findings)
{
    json_t *sorted = json_array(), *finding = NULL;
    size_t i = 0;
    for (int level = 2; level >= 0; level--)
        json_array_foreach(findings, i, finding) if (rank(text_of(finding, "confidence")) == level)
            json_array_append(sorted, finding);
    json_array_clear(findings);
    json_array_extend(findings, sorted);
    json_decref(sorted);
}

static bool fails(const Cli *cli, const json_t *findings)
{
    const char *word = cli_setting(cli, OPT_FAIL_CONFIDENCE)->text;
    size_t i = 0;
    const json_t *finding = NULL;
    json_array_foreach(findings, i, finding) if (rank(text_of(finding, "confidence")) >=
                                                 rank(word == NULL ? "never" : word)) return true;
    return false;
}

Err *cmd_stale(Cli *cli)
{
    RunOptions options;
    json_t *stale = NULL;
    TRY(session_options(cli, &options));
    TRY(run_stale(&options, cli->arena, &stale));
    Err *err = stale_flags_add(cli, &options, stale);
    if (err != NULL) {
        json_decref(stale);
        return err;
    }
    json_t *findings = json_object_get(stale, "findings");
    json_object_set_new(stale, "ignored", json_integer(leave_out(cli_setting(cli, OPT_IGNORE), findings)));
    sort(findings);
    if (cli->term.json) {
        term_json(&cli->term, stale, true);
    } else {
        Page page = term_page_out(&cli->term);
        show_stale(&page, stale);
        term_show_out(&cli->term, &page);
    }
    cli->exit_code = fails(cli, findings) ? EXIT_UNSAFE : EXIT_DONE;
    json_decref(stale);
    return NULL;
}
