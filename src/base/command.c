/* A child and the pipe that it writes to. It stays in our process group: it may ask on the terminal. */
#include "base/command.h"

#include "base/arena.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MOST_BYTES = 64 << 20, LOOK_MS = 1000 };

static char *const *environment(Arena *arena, const Command *command)
{
    VEC(char *) all = {0};
    for (size_t i = 0; environ[i] != NULL; i++)
        *vec_push(arena, &all) = environ[i];
    for (size_t i = 0; command->variables != NULL && command->variables[i] != NULL; i++)
        *vec_push(arena, &all) = arena_dup(arena, command->variables[i]);
    *vec_push(arena, &all) = NULL;
    return all.items;
}

static Err *start(const Command *command, int out, pid_t *ret_pid)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    posix_spawn_file_actions_t actions;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    int failed =
        posix_spawnp(ret_pid, command->words[0], &actions, NULL, command->words, environment(arena, command));
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed == 0 ? NULL : err_new(ERR_IO, "cannot start %s: %s", command->words[0], strerror(failed));
}

static Err *read_some(const Command *command, int fd, Str *text, bool *ret_more)
{
    char buf[8192];
    ssize_t len = read(fd, buf, sizeof buf);
    *ret_more = len > 0 || (len < 0 && errno == EINTR);
    if (len > 0)
        str_addn(text, buf, (size_t)len);
    if (len < 0 && errno != EINTR)
        return err_new(ERR_IO, "cannot read what %s says: %s", command->words[0], strerror(errno));
    return text->len <= MOST_BYTES ? NULL : err_new(ERR_IO, "%s says too much", command->words[0]);
}

static Err *read_all(const Command *command, int fd, Str *text)
{
    int64_t until_ms = command->timeout_ms == 0 ? INT64_MAX : clock_ms() + command->timeout_ms;
    for (bool more = true; more;) {
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                                {.fd = command->stop == NULL ? -1 : command->stop->fd, .events = POLLIN}};
        int64_t left_ms = until_ms - clock_ms();
        if (left_ms <= 0)
            return err_new(ERR_CANCELLED, "%s took longer than %lld s", command->words[0],
                           (long long)(command->timeout_ms / 1000));
        int ready = poll(fds, 2, (int)(left_ms < LOOK_MS ? left_ms : LOOK_MS));
        if (ready > 0 && fds[1].revents != 0)
            return err_new(ERR_STOPPED, "stopped by request");
        if (ready > 0 && fds[0].revents != 0)
            TRY(read_some(command, fd, text, &more));
    }
    return NULL;
}

Err *command_run(const Command *command, Str *ret_text, int *ret_status)
{
    int ends[2];
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_new(ERR_IO, "cannot start %s: %s", command->words[0], strerror(errno));
    Err *err = start(command, ends[1], &pid);
    bool started = err == NULL;
    (void)close(ends[1]);
    if (started)
        err = read_all(command, ends[0], ret_text);
    (void)close(ends[0]);
    if (started && err != NULL)
        (void)kill(pid, command->end_signal == 0 ? SIGKILL : command->end_signal);
    while (started && waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
        ;
    return err;
}
