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
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MOST_BYTES = 64 << 20, LOOK_MS = 1000 };

/* "NAME=…" has one of these names; they may go on with a value of their own. */
static bool is_among(const char *variable, const char *const *names)
{
    size_t len = strcspn(variable, "=");
    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        if (strcspn(names[i], "=") == len && strncmp(names[i], variable, len) == 0)
            return true;
    return false;
}

static char *const *environment(Arena *arena, const Command *command)
{
    VEC(char *) all = {0};
    for (size_t i = 0; environ[i] != NULL; i++)
        if (!is_among(environ[i], command->variables) && !is_among(environ[i], command->without))
            *vec_push(arena, &all) = environ[i];
    for (size_t i = 0; command->variables != NULL && command->variables[i] != NULL; i++)
        *vec_push(arena, &all) = arena_dup(arena, command->variables[i]);
    *vec_push(arena, &all) = NULL;
    return all.items;
}

/* A file in memory rather than a pipe: nobody has to wait for a program that does not read. */
static Err *open_input(const Command *command, int *ret_fd)
{
    if (command->input == NULL)
        return NULL;
    size_t len = strlen(command->input);
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, command->input, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0) {
        *ret_fd = fd;
        return NULL;
    }
    Err *err = err_new(ERR_IO, "cannot start %s: %s", command->words[0], strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return err;
}

static int spawn(const Command *command, int in, int out, pid_t *ret_pid)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t usual;
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawn_file_actions_init(&actions);
    if (in < 0)
        (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    else
        (void)posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (command->errors_too)
        (void)posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    (void)sigemptyset(&usual);
    (void)sigaddset(&usual, SIGPIPE);
    (void)posix_spawnattr_setsigdefault(&attributes, &usual);
    (void)posix_spawnattr_setflags(
        &attributes, (short)(command->own_group ? POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF : 0));
    int failed = posix_spawnp(ret_pid, command->words[0], &actions, &attributes, command->words,
                              environment(arena, command));
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return failed;
}

static Err *start(const Command *command, int out, pid_t *ret_pid)
{
    int in = -1;
    TRY(open_input(command, &in));
    int failed = spawn(command, in, out, ret_pid);
    if (in >= 0)
        (void)close(in);
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

static Err *too_slow(const Command *command)
{
    return err_new(ERR_CANCELLED, "%s took longer than %lld s", command->words[0],
                   (long long)(command->timeout_ms / 1000));
}

static Err *read_all(const Command *command, int fd, int64_t until_ms, Str *text)
{
    for (bool more = true; more;) {
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                                {.fd = command->stop == NULL ? -1 : command->stop->fd, .events = POLLIN}};
        int64_t left_ms = until_ms - clock_ms();
        if (left_ms <= 0)
            return too_slow(command);
        int ready = poll(fds, 2, (int)(left_ms < LOOK_MS ? left_ms : LOOK_MS));
        if (ready > 0 && fds[1].revents != 0)
            return err_new(ERR_STOPPED, "stopped by request");
        if (ready > 0 && fds[0].revents != 0)
            TRY(read_some(command, fd, text, &more));
    }
    return NULL;
}

/* One that has closed its output may still be busy. */
static Err *await(const Command *command, pid_t pid, int64_t until_ms, int *ret_status, bool *ret_ended)
{
    enum { NAP_MS = 10 };
    for (;;) {
        pid_t ended = waitpid(pid, ret_status, command->timeout_ms == 0 ? 0 : WNOHANG);
        *ret_ended = ended == pid || (ended < 0 && errno != EINTR);
        if (*ret_ended)
            return NULL;
        if (clock_ms() >= until_ms)
            return too_slow(command);
        struct pollfd stopped = {.fd = command->stop == NULL ? -1 : command->stop->fd, .events = POLLIN};
        if (poll(&stopped, 1, NAP_MS) > 0)
            return err_new(ERR_STOPPED, "stopped by request");
    }
}

static void end(const Command *command, pid_t pid, int *ret_status)
{
    int number = command->end_signal == 0 ? SIGKILL : command->end_signal;
    (void)kill(command->own_group ? -pid : pid, number);
    while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
        ;
}

Err *command_run(const Command *command, Str *ret_text, int *ret_status)
{
    int ends[2];
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_new(ERR_IO, "cannot start %s: %s", command->words[0], strerror(errno));
    Err *err = start(command, ends[1], &pid);
    bool started = err == NULL, ended = false;
    int64_t until_ms = command->timeout_ms == 0 ? INT64_MAX : clock_ms() + command->timeout_ms;
    (void)close(ends[1]);
    if (started)
        err = read_all(command, ends[0], until_ms, ret_text);
    (void)close(ends[0]);
    if (started && err == NULL)
        err = await(command, pid, until_ms, ret_status, &ended);
    if (started && !ended)
        end(command, pid, ret_status);
    return err;
}
