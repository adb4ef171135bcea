/* What git says has changed. */
#include "base/str.h"
#include "cli/findings.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { WORDS_MAX = 16 };

static Err *read_all(int fd, Str *ret_text)
{
    char buf[8192];
    for (;;) {
        ssize_t len = read(fd, buf, sizeof buf);
        if (len > 0)
            str_addn(ret_text, buf, (size_t)len);
        else if (len == 0 || errno != EINTR)
            return len == 0 ? NULL : err_new(ERR_IO, "cannot read what git says: %s", strerror(errno));
    }
}

/* Runs git in a folder. Its errors go to our stderr. */
static Err *git(char *const *words, Str *ret_text)
{
    int ends[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_new(ERR_IO, "cannot start git: %s", strerror(errno));
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int failed = posix_spawnp(&pid, "git", &actions, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    Err *err = failed != 0 ? err_new(ERR_USAGE, "cannot start git: %s", strerror(failed))
                           : read_all(ends[0], ret_text);
    (void)close(ends[0]);
    int status = 0;
    while (failed == 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (err == NULL && status != 0)
        err = err_hint(err_new(ERR_USAGE, "git cannot tell what has changed"),
                       "--since takes a revision of the repository that the files are in");
    return err;
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

static Err *look_in(const SourceSet *set, const char *folder, const char *revision, bool *changed)
{
    const char *diff[WORDS_MAX] = {
        "git", "-C", folder, "diff", "--name-only", "-z", "--relative", "--diff-filter=d", revision, "--"};
    const char *others[WORDS_MAX] = {"git", "-C", folder, "ls-files", "-z", "--others", "--exclude-standard"};
    CLEANUP(str_donep) Str names = STR_INIT;
    TRY(git((char *const *)(void *)diff, &names));
    TRY(git((char *const *)(void *)others, &names));
    mark_changed(set, folder, &names, changed);
    return NULL;
}

Err *check_since(Cli *cli, SourceSet *set, const char *revision)
{
    bool *changed = arena_alloc(cli->arena, (set->files.len + 1) * sizeof *changed);
    if (revision[0] == '-')
        return err_new(ERR_USAGE, "\"%s\" is no revision", revision);
    if (set->folder != NULL)
        TRY(look_in(set, set->folder, revision, changed));
    const char *before = NULL;
    for (size_t i = 0; i < set->files.len && set->folder == NULL; i++) {
        const char *folder = folder_of(cli->arena, set->files.items[i].path);
        if (!str_eq(folder, before) && set->files.items[i].path[0] != '<')
            TRY(look_in(set, folder, revision, changed));
        before = folder;
    }
    for (size_t i = 0; i < set->files.len; i++)
        set->files.items[i].applied = !changed[i];
    return NULL;
}
