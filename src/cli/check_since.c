/* What git says has changed. */
#include "base/command.h"
#include "cli/findings.h"

#include <string.h>

enum { WORDS_MAX = 16 };

/* Runs git in a folder. Its errors go to our stderr. */
static Err *git(const Cli *cli, const char *const *words, Str *ret_text)
{
    Command command = {.words = (char *const *)(const void *)words, .stop = &cli->stop};
    int status = 0;
    TRY(command_run(&command, ret_text, &status));
    return status == 0 ? NULL
                       : err_hint(err_new(ERR_USAGE, "git cannot tell what has changed"),
                                  "--since takes a revision of the repository that the files are in");
}

static const char *folder_of(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? "." : slash == path ? "/" : arena_dupn(arena, path, (size_t)(slash - path));
}

/* Names that end in NUL, relative to `folder`: those files have changed. */
static void mark_changed(const SourceSet *set, const char *folder, const Str *names, bool *changed)
{
    size_t len = str_eq(folder, ".") ? 0 : strlen(folder) + 1;
    for (size_t at = 0; at < names->len; at += strlen(names->buf + at) + 1)
        for (size_t i = 0; i < set->files.len; i++) {
            const char *path = set->files.items[i].path;
            bool inside = len == 0 || (strncmp(path, folder, len - 1) == 0 && path[len - 1] == '/');
            const char *own = inside ? path + len : path;
            changed[i] = changed[i] || str_eq(str_starts(own, "./") ? own + 2 : own, names->buf + at);
        }
}

static Err *look_in(const Cli *cli, const SourceSet *set, const char *folder, const char *revision,
                    bool *changed)
{
    const char *diff[WORDS_MAX] = {
        "git", "-C", folder, "diff", "--name-only", "-z", "--relative", "--diff-filter=d", revision, "--"};
    const char *others[WORDS_MAX] = {"git", "-C", folder, "ls-files", "-z", "--others", "--exclude-standard"};
    CLEANUP(str_donep) Str names = STR_INIT;
    TRY(git(cli, diff, &names));
    TRY(git(cli, others, &names));
    mark_changed(set, folder, &names, changed);
    return NULL;
}

Err *check_since(Cli *cli, SourceSet *set, const char *revision)
{
    bool *changed = arena_alloc(cli->arena, (set->files.len + 1) * sizeof *changed);
    if (revision[0] == '-')
        return err_new(ERR_USAGE, "\"%s\" is no revision", revision);
    if (set->folder != NULL)
        TRY(look_in(cli, set, set->folder, revision, changed));
    const char *before = NULL;
    for (size_t i = 0; i < set->files.len && set->folder == NULL; i++) {
        const char *folder = folder_of(cli->arena, set->files.items[i].path);
        if (!str_eq(folder, before) && set->files.items[i].path[0] != '<')
            TRY(look_in(cli, set, folder, revision, changed));
        before = folder;
    }
    for (size_t i = 0; i < set->files.len; i++)
        set->files.items[i].applied = !changed[i];
    return NULL;
}
