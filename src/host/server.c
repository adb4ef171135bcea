/* Starting and naming a private server. */
#include "host/server.h"

#include "base/clock.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

enum { START_MS = 120000, START_TRIES = 3, STEP_MS = 50 };

struct HostServer {
    const HostEngine *engine;
    Keeper keeper;
    bool keep;
    int port;
    char *dir;
};

/* ---- who and where -------------------------------------------------------------------------- */

/* A server refuses to run as root. */
static Err *user_find(const HostEngine *engine, uid_t *ret_uid, gid_t *ret_gid)
{
    *ret_uid = getuid();
    *ret_gid = getgid();
    if (geteuid() != 0)
        return NULL;
    const struct passwd *user = getpwnam(engine->account);
    if (user == NULL)
        user = getpwnam("nobody");
    if (user == NULL)
        return err_hint(err_new(ERR_CONFIG, "%s does not run as root, and there is no user %s or nobody",
                                engine->title, engine->account),
                        "run this as an ordinary user");
    *ret_uid = user->pw_uid;
    *ret_gid = user->pw_gid;
    return NULL;
}

/* May a user who is neither owner nor in the group make and remove directories in `path`? */
static bool path_open_to_all(const char *path)
{
    char part[PATH_MAX];
    (void)snprintf(part, sizeof part, "%s", path);
    for (mode_t need = S_IXOTH | S_IWOTH;; need = S_IXOTH) {
        struct stat info;
        if (stat(part, &info) != 0 || (info.st_mode & need) != need)
            return false;
        char *slash = strrchr(part, '/');
        if (slash == NULL || slash == part)
            return true;
        *slash = '\0';
    }
}

static Err *dir_make(const HostEngine *engine, const HostWish *wish, uid_t uid, gid_t gid, char **ret_dir)
{
    const char *root = getenv("TMPDIR");
    size_t socket_max = sizeof((struct sockaddr_un *)NULL)->sun_path - sizeof "/stoa-rehearsal-XXXXXX/" -
                        strlen(engine->socket_name);
    if (root == NULL || root[0] != '/' || strlen(root) > socket_max ||
        (geteuid() == 0 && !path_open_to_all(root)))
        root = "/tmp";
    struct statvfs disk;
    if (statvfs(root, &disk) == 0 && (int64_t)(disk.f_bavail * disk.f_frsize) < wish->need_bytes)
        return err_hint(err_new(ERR_CONFIG, "\"%s\" has %lld MB free, this needs about %lld MB", root,
                                (long long)(disk.f_bavail * disk.f_frsize >> 20),
                                (long long)(wish->need_bytes >> 20)),
                        "set TMPDIR to a directory with more room, or ask for fewer rows with --rows");
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/stoa-%s-XXXXXX", root, wish->purpose);
    if (mkdtemp(path) == NULL)
        return err_new(ERR_IO, "cannot make a directory in \"%s\": %s", root, strerror(errno));
    if (geteuid() == 0 && chown(path, uid, gid) != 0) {
        Err *err = err_new(ERR_IO, "cannot give \"%s\" to the server's user: %s", path, strerror(errno));
        (void)rmdir(path);
        return err;
    }
    *ret_dir = mem_dup(path);
    return NULL;
}

/* A port nobody listens on now; if somebody takes it before the server does, the start is tried again. */
static Err *port_find(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &len) == 0;
    Err *err = ok ? NULL : err_new(ERR_IO, "cannot find a free port on 127.0.0.1: %s", strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    *ret_port = ntohs(address.sin_port);
    return err;
}

/* ---- starting -------------------------------------------------------------------------------------------
 */

/* The end of the server's log, as one line. */
static char *log_tail(Arena *arena, const char *dir)
{
    char text[1500] = "";
    FILE *file = fopen(arena_printf(arena, "%s/log", dir), "re");
    if (file == NULL)
        return arena_dup(arena, "it left no log");
    if (fseek(file, -(long)sizeof text + 1, SEEK_END) != 0)
        rewind(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    text[len] = '\0';
    const char *from = strstr(text, "FATAL");
    if (from == NULL)
        from = strstr(text, "[ERROR]");
    char *line = arena_dup(arena, from != NULL ? from : len > 400 ? text + len - 400 : text);
    for (char *at = line; *at != '\0'; at++)
        if (*at == '\n')
            *at = ' ';
    return line;
}

static Err *keeper_expect(const HostServer *server, Arena *arena, const Stop *stop, int64_t deadline)
{
    for (;;) {
        TRY(stop_check(stop));
        switch (keeper_status(&server->keeper, STEP_MS)) {
        case KEEPER_STARTED:
            return NULL;
        case KEEPER_FAILED:
        case KEEPER_EXITED:
            return err_new(ERR_IO, "%s did not start: %s", server->engine->title,
                           log_tail(arena, server->dir));
        }
        if (clock_ms() > deadline)
            return err_new(ERR_IO, "the data directory was not made within %d s", START_MS / 1000);
    }
}

static Err *server_ready(const HostServer *server, const EngineOps *ops, Arena *arena, const Stop *stop,
                         int64_t deadline)
{
    Target target = {.url = server_url(arena, server, server->engine->admin)};
    Wait wait = {.stop = stop, .timeout_ms = 5000};
    for (;;) {
        TRY(stop_check(stop));
        CLEANUP(conn_closep) Conn *conn = NULL;
        CLEANUP(err_freep) Err *err = ops->connect(&target, "demo", &wait, &conn);
        if (err == NULL)
            return NULL;
        if (keeper_status(&server->keeper, STEP_MS) == (char)KEEPER_EXITED)
            return err_new(ERR_IO, "%s did not start: %s", server->engine->title,
                           log_tail(arena, server->dir));
        if (clock_ms() > deadline) {
            Err *last = err;
            err = NULL;
            return err_wrap(last, "%s did not answer within %d s", server->engine->title, START_MS / 1000);
        }
    }
}

static Err *server_try(const EngineOps *ops, const Stop *stop, Arena *arena, const KeeperConfig *config,
                       HostServer *server)
{
    int64_t deadline = clock_ms() + START_MS;
    TRY(keeper_start(config, &server->keeper));
    Err *err = keeper_expect(server, arena, stop, deadline);
    if (err == NULL)
        err = server_ready(server, ops, arena, stop, deadline);
    if (err != NULL)
        keeper_stop(&server->keeper, false);
    return err;
}

Err *server_start(const HostEngine *engine, const EngineOps *ops, const Stop *stop, const HostWish *wish,
                  HostServer **ret_server)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    KeeperConfig config = {.keep = wish->keep};
    const char *bin = NULL;
    TRY(engine->find(arena, wish->major, &bin));
    TRY(user_find(engine, &config.uid, &config.gid));
    for (int attempt = 1;; attempt++) {
        HostServer server = {.engine = engine, .keep = wish->keep};
        TRY(port_find(&server.port));
        TRY(dir_make(engine, wish, config.uid, config.gid, &server.dir));
        engine->configure(arena, bin, server.dir, server.port, wish->settings, &config);
        Err *err = server_try(ops, stop, arena, &config, &server);
        if (err == NULL) {
            *ret_server = mem_zero(sizeof **ret_server);
            **ret_server = server;
            return NULL;
        }
        free(server.dir);
        if (attempt == START_TRIES || err->kind != ERR_IO || strstr(err->msg, "in use") == NULL)
            return err;
        err_free(err);
    }
}

void server_stop(HostServer *server)
{
    if (server == NULL)
        return;
    keeper_stop(&server->keeper, server->keep);
    free(server->dir);
    free(server);
}

/* ---- names ------------------------------------------------------------------------------------------------
 */

const char *server_dir(const HostServer *server) { return server->dir; }

char *server_url(Arena *arena, const HostServer *server, const char *database)
{
    CLEANUP(str_donep) Str dir = STR_INIT;
    for (const char *at = server->dir; *at != '\0'; at++) {
        if (isalnum((unsigned char)*at) || strchr("/-_.", *at) != NULL)
            str_addn(&dir, at, 1);
        else
            str_addf(&dir, "%%%02X", (unsigned char)*at);
    }
    return server->engine->url(arena, dir.buf, server->port, database);
}

char *server_client(Arena *arena, const HostServer *server, const char *database)
{
    return server->engine->client(arena, server->port, database);
}

char *server_remove_command(Arena *arena, const HostServer *server)
{
    return server->engine->remove(arena, server->dir);
}
