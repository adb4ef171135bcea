/* findings.h — findings and rules as text: for people, for programs, and for the services that show them at a
 * change. */
#pragma once
#include "check/check.h"
#include "check/server/online.h"
#include "cli/cli.h"

/* check_files.c: what the arguments of "stoa check" name, read. Folders are gone through, hidden ones left
 * out. */
Err *check_sets(Cli *cli, SourceSet ***ret_sets, size_t *ret_count) MUST_USE;
/* One file, whole. */
Err *check_file_text(Arena *arena, const char *path, const char **ret_text, size_t *ret_len) MUST_USE;

/* check_since.c: marks what git says is as it was at this revision: it has been applied. ERR_USAGE with git's
 * own words where it cannot tell. */
Err *check_since(Cli *cli, SourceSet *set, const char *revision) MUST_USE;

/* Adds what stands in the folder of the file and belongs to it: the other SQL files, marked as applied, and
 * what tools keep beside them. What cannot be read is left out. */
void check_neighbours(Cli *cli, SourceSet *set, const char *path);

/* check_lsp.c: the language server; ends with cli->exit_code. */
Err *check_lsp(Cli *cli, const CheckOptions *options) MUST_USE;
/* check_fix.c: fixes, and writes files or shows the difference; `result` is what is left. *ret_shown:
 * standard output is used up. */
Err *check_fix(Cli *cli, SourceSet **sets, size_t count, const CheckOptions *options, CheckResult *ret_result,
               bool *ret_shown) MUST_USE;
/* diff.c: the unified difference of two texts. */
void diff_unified(Str *out, const char *path, const char *before, size_t before_len, const char *after,
                  size_t after_len);
/* check_online.c: the server or the snapshot that the options name, asked about these files; options->server
 * is set where there is one. `ret_online` has to be closed, with an error as well. */
Err *check_online(Cli *cli, SourceSet *const *sets, size_t count, CheckOptions *options,
                  Online *ret_online) MUST_USE;
/* Writes the snapshot of a server. */
Err *check_write_snapshot(Cli *cli, const CheckOptions *options) MUST_USE;

/* findings_text.c; `set` lists are where the lines come from. */
void findings_text(Page *page, const CheckResult *result, SourceSet *const *sets, size_t count);
void findings_summary(Page *page, const CheckResult *result);
/* What the server was asked, and what it could not be asked. */
void findings_server(Page *page, const CheckResult *result, const ServerFacts *facts, const Online *online);
/* findings_json.c: what is told besides the findings; and the whole object, which takes `rest` over. Findings
 * are written one by one, since there may be many. */
json_t *findings_json(const CheckResult *result);
void findings_json_text(Str *text, const CheckResult *result, json_t *rest, bool pretty);
json_t *findings_server_json(const CheckResult *result, const ServerFacts *facts, const Online *online);
json_t *findings_sarif(const CheckResult *result);
json_t *findings_gitlab(const CheckResult *result);
/* findings_lines.c: workflow commands of GitHub; XML of checkstyle. */
void findings_github(Str *text, const CheckResult *result);
void findings_checkstyle(Str *text, const CheckResult *result);

/* rules_text.c */
void rules_list(Page *page);
json_t *rules_json(void);
/* ERR_USAGE with the nearest name for one that is none. */
Err *rules_explain(Page *page, const char *name) MUST_USE;
void rules_markdown(Str *text);
