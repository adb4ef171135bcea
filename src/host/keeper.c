/* The keeper: a forked process that outlives a crash of ours for as long as cleaning up takes. */
#include "host/keeper.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { POLL_MS = 20, QUIT_MS = 10000, RELEASE_BYTE = 'k' };

typedef enum Order { ORDER_GO_ON, ORDER_RELEASE, ORDER_CLEAN } Order;

/* What the owner wants after at most `timeout_ms`: its death closes the pipe. */
static Order order_read(int control, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = control, .events = POLLIN};
    if (poll(&poll_fd, 1, timeout_ms) <= 0)
        return ORDER_GO_ON;
    char byte = 0;
    ssize_t got = read(control, &byte, 1);
    if (got == 1 && byte == RELEASE_BYTE)
        return ORDER_RELEASE;
    return got < 0 && errno == EINTR ? ORDER_GO_ON : ORDER_CLEAN;
}

static void status_write(int status, KeeperStatus what)
{
    char byte = (char)what;
    if (write(status, &byte, 1) != 1)
        return; /* the owner is gone: the control pipe says so as well */
}

static void signals_default(void)
{
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Everything the child writes goes to the log; it ends with the keeper unless `survives`. */
static pid_t child_start(const KeeperConfig *config, int log_fd, const char *const *argv, bool survives)
{
    pid_t keeper = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    (void)setsid();
    signals_default();
    if (!survives && (prctl(PR_SET_PDEATHSIG, SIGQUIT) != 0 || getppid() != keeper))
        _exit(127);
    if (dup2(log_fd, 1) < 0 || dup2(log_fd, 2) < 0 || chdir(config->dir) != 0)
        _exit(127);
    (void)setenv("LC_ALL", "C", 1);
    (void)unsetenv("PGDATA");
    union {
        const char *const *from;
        char *const *to;
    } args = {.from = argv}; /* execv promises not to write into it */
    execv(argv[0], args.to);
    dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* True when the child has ended by itself with status 0; asks the owner meanwhile. */
static bool child_wait(pid_t pid, int control, Order *ret_order)
{
    for (;;) {
        int status = 0;
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        *ret_order = order_read(control, POLL_MS);
        if (*ret_order == ORDER_GO_ON)
            continue;
        (void)kill(-pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        return false;
    }
}

/* The data goes with the directory, so an immediate shutdown is right: no checkpoint for the bin. */
static void server_end(pid_t pid, int quit_signal)
{
    (void)kill(pid, quit_signal);
    for (int64_t deadline = clock_ms() + QUIT_MS; clock_ms() < deadline;) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return;
        (void)poll(NULL, 0, POLL_MS);
    }
    (void)kill(-pid, SIGKILL);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static int entry_remove(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info, (void)kind, (void)ftw;
    (void)remove(path);
    return 0;
}

/* Twice: a server process that was just ending may have left a file behind the first walk. */
static void dir_remove(const char *dir)
{
    for (int i = 0; i < 2; i++)
        if (nftw(dir, entry_remove, 16, FTW_DEPTH | FTW_PHYS) == 0 && access(dir, F_OK) != 0)
            return;
}

static bool settings_append(const KeeperConfig *config)
{
    if (config->settings == NULL)
        return true;
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", config->dir, config->settings_file);
    FILE *file = fopen(path, "ae");
    if (file == NULL)
        return false;
    bool ok = fputs(config->settings, file) >= 0;
    return fclose(file) == 0 && ok;
}

/* The data directory, the server, then waiting; returns what is to be done at the end. */
static Order keeper_serve(const KeeperConfig *config, int control, int status, int log_fd, pid_t *ret_server)
{
    Order order = ORDER_GO_ON;
    pid_t pid = child_start(config, log_fd, config->make, false);
    if (pid < 0 || !child_wait(pid, control, &order) || !settings_append(config)) {
        status_write(status, KEEPER_FAILED);
        while (order == ORDER_GO_ON)
            order = order_read(control, -1);
        return ORDER_CLEAN;
    }
    pid = child_start(config, log_fd, config->serve, config->keep);
    status_write(status, pid < 0 ? KEEPER_EXITED : KEEPER_STARTED);
    *ret_server = pid;
    while (order == ORDER_GO_ON) {
        if (*ret_server > 0 && waitpid(*ret_server, NULL, WNOHANG) != 0) {
            *ret_server = -1;
            status_write(status, KEEPER_EXITED);
        }
        order = order_read(control, *ret_server > 0 ? POLL_MS * 5 : -1);
    }
    return order;
}

static _Noreturn void keeper_main(const KeeperConfig *config, int control, int status)
{
    (void)setsid();
    signals_default();
    for (size_t i = 0; i < 4; i++)
        (void)signal((const int[]){SIGINT, SIGTERM, SIGHUP, SIGPIPE}[i], SIG_IGN);
    if (geteuid() == 0 &&
        (setgroups(1, &config->gid) != 0 || setgid(config->gid) != 0 || setuid(config->uid) != 0))
        _exit(1);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
        if (null_fd >= 0)
            (void)dup2(null_fd, fd);
    for (int fd = 3; fd < 1024; fd++)
        if (fd != control && fd != status)
            (void)close(fd);
    char log_path[4096];
    (void)snprintf(log_path, sizeof log_path, "%s/log", config->dir);
    int log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t server = -1;
    Order order = keeper_serve(config, control, status, log_fd, &server);
    if (order == ORDER_RELEASE)
        _exit(0);
    if (server > 0)
        server_end(server, config->quit_signal);
    if (chdir("/") == 0)
        dir_remove(config->dir);
    _exit(0);
}

Err *keeper_start(const KeeperConfig *config, Keeper *ret_keeper)
{
    int control[2], status[2];
    if (pipe2(control, O_CLOEXEC) != 0)
        return err_new(ERR_IO, "cannot make a pipe: %s", strerror(errno));
    if (pipe2(status, O_CLOEXEC) != 0) {
        (void)close(control[0]), (void)close(control[1]);
        return err_new(ERR_IO, "cannot make a pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(control[1]), (void)close(status[0]);
        keeper_main(config, control[0], status[1]);
    }
    (void)close(control[0]), (void)close(status[1]);
    if (pid < 0) {
        (void)close(control[1]), (void)close(status[0]);
        return err_new(ERR_IO, "cannot start a process: %s", strerror(errno));
    }
    *ret_keeper = (Keeper){.pid = pid, .control = control[1], .status = status[0]};
    return NULL;
}

char keeper_status(const Keeper *keeper, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = keeper->status, .events = POLLIN};
    if (poll(&poll_fd, 1, timeout_ms) <= 0)
        return 0;
    char byte = 0;
    if (read(keeper->status, &byte, 1) != 1)
        return (char)KEEPER_EXITED;
    return byte;
}

void keeper_stop(Keeper *keeper, bool release)
{
    char byte = RELEASE_BYTE;
    /* should the write fail, the keeper is gone and there is nothing to release */
    while (release && write(keeper->control, &byte, 1) < 0 && errno == EINTR)
        continue;
    (void)close(keeper->control);
    while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    (void)close(keeper->status);
}
