/* The guard of a brown-out: forked, told by the end of a socket that its parent is gone. */
#include "cli/guard.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "run/retire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    READY_MS = 15000,
    AGAIN_MS = 500,
    TRIES_MS = 600000, /* where the database cannot be reached; then the next process of Stoa has to */
    FIRST_FD = 3,
};

/* Signals at a terminal go to all of its processes, and this one has to outlive the first. */
static Err *become_guard(Cli *cli, int fd)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)setsid();
    for (int to = STDIN_FILENO; to <= STDERR_FILENO; to++)
        (void)dup2(nothing, to);
    if (dup2(fd, FIRST_FD) < 0 || close_range(FIRST_FD + 1, ~0u, 0) != 0)
        return err_new(ERR_IO, "descriptors cannot be closed");
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        (void)signal(signals[i], SIG_IGN);
    cli->notify = NULL; /* its thread is the parent's */
    cli->term.out_tty = cli->term.err_tty = cli->term.drawn = false;
    return stop_init(&cli->stop);
}

static Err *reach(const RunOptions *options)
{
    CLEANUP(conn_closep) Conn *conn = NULL;
    Wait wait = {.timeout_ms = READY_MS};
    return options->ops->connect(&options->target, "guard", &wait, &conn);
}

static void show_again(const RunOptions *options, int64_t parent)
{
    for (int64_t until = clock_ms() + TRIES_MS; clock_ms() < until; stop_sleep(NULL, AGAIN_MS)) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        bool left = true;
        Err *err = run_show_again(options, arena, parent, &left);
        bool over = err == NULL && !left;
        err_free(err);
        if (over)
            return;
    }
}

static void watch(Cli *cli, const RunOptions *options, int fd, int64_t parent)
{
    char byte = 0;
    ssize_t len = 0;
    Err *err = become_guard(cli, fd);
    if (err == NULL)
        err = failpoint_at("guard_begun");
    if (err == NULL)
        err = reach(options);
    if (err != NULL || write(FIRST_FD, "r", 1) != 1)
        _exit(EXIT_CONNECT);
    do
        len = read(FIRST_FD, &byte, 1);
    while (len < 0 && errno == EINTR);
    if (len <= 0)
        show_again(options, parent);
    _exit(EXIT_DONE);
}

static bool is_ready(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    char byte = 0;
    int64_t until = clock_ms() + READY_MS;
    for (int64_t left = READY_MS; left > 0; left = until - clock_ms()) {
        int count = poll(&poller, 1, (int)left);
        if (count > 0)
            return read(fd, &byte, 1) == 1;
        if (count == 0 || errno != EINTR)
            return false;
    }
    return false;
}

Err *guard_start(Cli *cli, const RunOptions *options, Guard *ret_guard)
{
    int ends[2];
    int64_t parent = getpid();
    *ret_guard = (Guard){0};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return err_new(ERR_IO, "no socket for a second process");
    pid_t pid = fork();
    if (pid == 0)
        watch(cli, options, ends[1], parent);
    (void)close(ends[1]);
    *ret_guard = (Guard){.pid = pid, .fd = ends[0]};
    if (pid > 0 && is_ready(ends[0]))
        return NULL;
    guard_end(ret_guard);
    return err_hint(err_new(ERR_UNSAFE, "a second process, which would show it again if this one is killed, "
                                        "does not come up: nothing is hidden"),
                    "can it connect? stoa doctor; and see the limits of processes and connections");
}

void guard_end(Guard *guard)
{
    if (guard->pid == 0)
        return;
    (void)send(guard->fd, "q", 1, MSG_NOSIGNAL);
    (void)close(guard->fd);
    while (guard->pid > 0 && waitpid((pid_t)guard->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *guard = (Guard){0};
}
