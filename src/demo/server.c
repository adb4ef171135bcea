/* Finding, starting and naming a private PostgreSQL. */
#include "demo/server.h"

#include "base/clock.h"
#include "base/str.h"
#include "demo/keeper.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
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

struct PgServer {
    Keeper keeper;
    bool keep;
    int port;
    char *dir;
};

/* ---- the programs --------------------------------------------------------------------------- */

static bool bin_usable(const char *dir)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/initdb", dir);
    if (access(path, X_OK) != 0)
        return false;
    (void)snprintf(path, sizeof path, "%s/postgres", dir);
    return access(path, X_OK) == 0;
}

static char *bin_in_path(Arena *arena)
{
    const char *path = getenv("PATH");
    for (const char *at = path; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ":");
        char *dir = arena_dupn(arena, at, len);
        if (len > 0 && dir[0] == '/' && bin_usable(dir))
            return dir;
        at += len + (at[len] == ':');
    }
    return NULL;
}

/* Debian keeps the versions side by side. */
static char *bin_newest(Arena *arena)
{
    static const char root[] = "/usr/lib/postgresql";
    DIR *versions = opendir(root);
    char *best = NULL;
    long best_version = 0;
    for (struct dirent *entry; versions != NULL && (entry = readdir(versions)) != NULL;) {
        long version = strtol(entry->d_name, NULL, 10);
        char *dir = arena_printf(arena, "%s/%s/bin", root, entry->d_name);
        if (version > best_version && bin_usable(dir)) {
            best = dir;
            best_version = version;
        }
    }
    if (versions != NULL)
        (void)closedir(versions);
    return best;
}

static char *bin_of_pg_config(Arena *arena)
{
    char line[PATH_MAX] = "";
    /* NOLINTNEXTLINE(cert-env33-c): a fixed command, with nothing of a user's in it but the PATH */
    FILE *pipe = popen("pg_config --bindir 2>/dev/null", "re");
    if (pipe == NULL)
        return NULL;
    bool got = fgets(line, sizeof line, pipe) != NULL;
    (void)pclose(pipe);
    line[strcspn(line, "\n")] = '\0';
    return got && bin_usable(line) ? arena_dup(arena, line) : NULL;
}

static Err *bin_find(Arena *arena, const char **ret_dir)
{
    const char *given = getenv("STOA_PG_BIN");
    if (given != NULL && *given != '\0') {
        if (!bin_usable(given))
            return err_hint(
                err_new(ERR_CONFIG, "STOA_PG_BIN names \"%s\", where initdb and postgres are not", given),
                "name the directory that holds both programs, or unset STOA_PG_BIN");
        *ret_dir = given;
        return NULL;
    }
    const char *dir = bin_in_path(arena);
    if (dir == NULL)
        dir = bin_newest(arena);
    if (dir == NULL)
        dir = bin_of_pg_config(arena);
    if (dir == NULL)
        return err_hint(
            err_new(ERR_CONFIG, "no PostgreSQL server is installed here: initdb and postgres not found"),
            "apt-get install postgresql-15, or set STOA_PG_BIN to the directory that holds both");
    *ret_dir = dir;
    return NULL;
}

/* ---- who and where -------------------------------------------------------------------------- */

/* PostgreSQL refuses to run as root. */
static Err *user_find(uid_t *ret_uid, gid_t *ret_gid)
{
    *ret_uid = getuid();
    *ret_gid = getgid();
    if (geteuid() != 0)
        return NULL;
    const struct passwd *user = getpwnam("postgres");
    if (user == NULL)
        user = getpwnam("nobody");
    if (user == NULL)
        return err_hint(
            err_new(ERR_CONFIG, "PostgreSQL does not run as root, and there is no user postgres or nobody"),
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

static Err *dir_make(uid_t uid, gid_t gid, int64_t need_bytes, char **ret_dir)
{
    const char *root = getenv("TMPDIR");
    size_t socket_max =
        sizeof((struct sockaddr_un *)NULL)->sun_path - sizeof "/stoa-demo-XXXXXX/.s.PGSQL.65535";
    if (root == NULL || root[0] != '/' || strlen(root) > socket_max ||
        (geteuid() == 0 && !path_open_to_all(root)))
        root = "/tmp";
    struct statvfs disk;
    if (statvfs(root, &disk) == 0 && (int64_t)(disk.f_bavail * disk.f_frsize) < need_bytes)
        return err_hint(err_new(ERR_CONFIG, "\"%s\" has %lld MB free, this needs about %lld MB", root,
                                (long long)(disk.f_bavail * disk.f_frsize >> 20),
                                (long long)(need_bytes >> 20)),
                        "set TMPDIR to a directory with more room, or ask for fewer rows with --rows");
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/stoa-demo-XXXXXX", root);
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
    char *line = arena_dup(arena, from != NULL ? from : len > 400 ? text + len - 400 : text);
    for (char *at = line; *at != '\0'; at++)
        if (*at == '\n')
            *at = ' ';
    return line;
}

static Err *keeper_expect(const PgServer *server, Arena *arena, const Stop *stop, int64_t deadline)
{
    for (;;) {
        TRY(stop_check(stop));
        switch (keeper_status(&server->keeper, STEP_MS)) {
        case KEEPER_STARTED:
            return NULL;
        case KEEPER_FAILED:
        case KEEPER_EXITED:
            return err_new(ERR_IO, "PostgreSQL did not start: %s", log_tail(arena, server->dir));
        }
        if (clock_ms() > deadline)
            return err_new(ERR_IO, "initdb did not end within %d s", START_MS / 1000);
    }
}

static Err *server_ready(const PgServer *server, const EngineOps *ops, Arena *arena, const Stop *stop,
                         int64_t deadline)
{
    Target target = {.url = server_url(arena, server, "postgres")};
    Wait wait = {.stop = stop, .timeout_ms = 5000};
    for (;;) {
        TRY(stop_check(stop));
        CLEANUP(conn_closep) Conn *conn = NULL;
        CLEANUP(err_freep) Err *err = ops->connect(&target, "demo", &wait, &conn);
        if (err == NULL)
            return NULL;
        if (keeper_status(&server->keeper, STEP_MS) == (char)KEEPER_EXITED)
            return err_new(ERR_IO, "PostgreSQL did not start: %s", log_tail(arena, server->dir));
        if (clock_ms() > deadline) {
            Err *last = err;
            err = NULL;
            return err_wrap(last, "PostgreSQL did not answer within %d s", START_MS / 1000);
        }
    }
}

static Err *server_try(const EngineOps *ops, const Stop *stop, Arena *arena, const KeeperConfig *config,
                       PgServer *server)
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

static char *settings_text(Arena *arena, const char *dir, int port)
{
    return arena_printf(arena,
                        "\nlisten_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = '%s'\n"
                        "fsync = on\nshared_buffers = 256MB\nmax_wal_size = 4GB\nautovacuum = on\n",
                        port, dir);
}

Err *server_start(const EngineOps *ops, const Stop *stop, int64_t need_bytes, bool keep,
                  PgServer **ret_server)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    KeeperConfig config = {.keep = keep};
    const char *bin = NULL;
    TRY(bin_find(arena, &bin));
    TRY(user_find(&config.uid, &config.gid));
    config.initdb = arena_printf(arena, "%s/initdb", bin);
    config.postgres = arena_printf(arena, "%s/postgres", bin);
    for (int attempt = 1;; attempt++) {
        PgServer server = {.keep = keep};
        TRY(port_find(&server.port));
        TRY(dir_make(config.uid, config.gid, need_bytes, &server.dir));
        config.dir = server.dir;
        config.settings = settings_text(arena, server.dir, server.port);
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

void server_stop(PgServer *server)
{
    if (server == NULL)
        return;
    keeper_stop(&server->keeper, server->keep);
    free(server->dir);
    free(server);
}

/* ---- names ------------------------------------------------------------------------------------------------
 */

const char *server_dir(const PgServer *server) { return server->dir; }

char *server_url(Arena *arena, const PgServer *server, const char *database)
{
    CLEANUP(str_donep) Str url = STR_INIT;
    str_addf(&url, "postgres:///%s?user=postgres&port=%d&host=", database, server->port);
    for (const char *at = server->dir; *at != '\0'; at++) {
        if (isalnum((unsigned char)*at) || strchr("/-_.", *at) != NULL)
            str_addn(&url, at, 1);
        else
            str_addf(&url, "%%%02X", (unsigned char)*at);
    }
    return arena_dup(arena, url.buf);
}

char *server_public_url(Arena *arena, const PgServer *server, const char *database)
{
    return arena_printf(arena, "postgres://postgres@127.0.0.1:%d/%s", server->port, database);
}

char *server_remove_command(Arena *arena, const PgServer *server)
{
    return arena_printf(arena, "kill -QUIT $(head -1 %s/data/postmaster.pid) && rm -rf %s", server->dir,
                        server->dir);
}
