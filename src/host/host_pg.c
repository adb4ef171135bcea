/* PostgreSQL as a private server. */
#include "base/str.h"
#include "host/host.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool bin_usable(const char *dir)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/initdb", dir);
    if (access(path, X_OK) != 0)
        return false;
    (void)snprintf(path, sizeof path, "%s/postgres", dir);
    return access(path, X_OK) == 0;
}

/* The major version of the programs in `dir`; 0: they do not say. */
static int bin_major(Arena *arena, const char *dir)
{
    char line[128] = "";
    if (strchr(dir, '\'') != NULL)
        return 0;
    /* NOLINTNEXTLINE(cert-env33-c): a directory that holds the program, without quotes in it */
    FILE *pipe = popen(arena_printf(arena, "'%s/postgres' --version 2>/dev/null", dir), "re");
    if (pipe == NULL)
        return 0;
    bool got = fgets(line, sizeof line, pipe) != NULL;
    (void)pclose(pipe);
    const char *number = got ? strpbrk(line, "0123456789") : NULL;
    return number == NULL ? 0 : (int)strtol(number, NULL, 10);
}

static bool bin_fits(Arena *arena, const char *dir, int major)
{
    return bin_usable(dir) && (major == 0 || bin_major(arena, dir) == major);
}

static char *bin_in_path(Arena *arena, int major)
{
    const char *path = getenv("PATH");
    for (const char *at = path; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ":");
        char *dir = arena_dupn(arena, at, len);
        if (len > 0 && dir[0] == '/' && bin_fits(arena, dir, major))
            return dir;
        at += len + (at[len] == ':');
    }
    return NULL;
}

/* Debian keeps the versions side by side. */
static char *bin_newest(Arena *arena, int major)
{
    static const char root[] = "/usr/lib/postgresql";
    DIR *versions = opendir(root);
    char *best = NULL;
    long best_version = 0;
    for (struct dirent *entry; versions != NULL && (entry = readdir(versions)) != NULL;) {
        long version = strtol(entry->d_name, NULL, 10);
        char *dir = arena_printf(arena, "%s/%s/bin", root, entry->d_name);
        if (version > best_version && bin_usable(dir) && (major == 0 || version == major)) {
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

static Err *none_error(int major)
{
    if (major == 0)
        return err_hint(
            err_new(ERR_CONFIG, "no PostgreSQL server is installed here: initdb and postgres not found"),
            "apt-get install postgresql-15, or set STOA_PG_BIN to the directory that holds both");
    return err_hint(
        err_new(ERR_CONFIG, "no server of PostgreSQL %d is installed here", major),
        "apt-get install postgresql-%d, or set STOA_PG_BIN to the directory that holds its initdb "
        "and postgres",
        major);
}

static Err *find(Arena *arena, int major, const char **ret_bin)
{
    const char *given = getenv("STOA_PG_BIN");
    if (given != NULL && *given != '\0') {
        if (!bin_usable(given))
            return err_hint(
                err_new(ERR_CONFIG, "STOA_PG_BIN names \"%s\", where initdb and postgres are not", given),
                "name the directory that holds both programs, or unset STOA_PG_BIN");
        if (!bin_fits(arena, given, major))
            return err_hint(
                err_new(ERR_CONFIG, "STOA_PG_BIN names \"%s\", which is not PostgreSQL %d", given, major),
                "name the directory of that version, or unset STOA_PG_BIN");
        *ret_bin = given;
        return NULL;
    }
    const char *dir = bin_in_path(arena, major);
    if (dir == NULL)
        dir = bin_newest(arena, major);
    if (dir == NULL)
        dir = bin_of_pg_config(arena);
    if (dir == NULL || !bin_fits(arena, dir, major))
        return none_error(major);
    *ret_bin = dir;
    return NULL;
}

static const char *const *words(Arena *arena, size_t count, const char *const *from)
{
    const char **copy = arena_alloc(arena, (count + 1) * sizeof *copy);
    memcpy(copy, from, count * sizeof *copy);
    copy[count] = NULL;
    return copy;
}

static void configure(Arena *arena, const char *bin, const char *dir, int port, const char *settings,
                      KeeperConfig *ret_config)
{
    const char *data = arena_printf(arena, "%s/data", dir);
    const char *make[] = {arena_printf(arena, "%s/initdb", bin),
                          "-D",
                          data,
                          "-U",
                          "postgres",
                          "-A",
                          "trust",
                          "-E",
                          "UTF8",
                          "--no-locale",
                          "-N"};
    const char *serve[] = {arena_printf(arena, "%s/postgres", bin), "-D", data};
    ret_config->dir = dir;
    ret_config->make = words(arena, ARRAY_LEN(make), make);
    ret_config->serve = words(arena, ARRAY_LEN(serve), serve);
    ret_config->quit_signal = SIGQUIT; /* no checkpoint for the bin */
    ret_config->settings_file = "data/postgresql.conf";
    ret_config->settings =
        arena_printf(arena,
                     "\nlisten_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = '%s'\n"
                     "fsync = on\nshared_buffers = 256MB\nmax_wal_size = 4GB\nautovacuum = on\n%s",
                     port, dir, settings != NULL ? settings : "");
}

static char *url(Arena *arena, const char *dir, int port, const char *database)
{
    return arena_printf(arena, "postgres:///%s?user=postgres&port=%d&host=%s", database, port, dir);
}

static char *client(Arena *arena, int port, const char *database)
{
    return arena_printf(arena, "psql 'postgres://postgres@127.0.0.1:%d/%s'", port, database);
}

static char *remove_command(Arena *arena, const char *dir)
{
    return arena_printf(arena, "kill -QUIT $(head -1 %s/data/postmaster.pid) && rm -rf %s", dir, dir);
}

const HostEngine host_engine_pg = {
    .name = "postgres",
    .title = "PostgreSQL",
    .account = "postgres",
    .socket_name = ".s.PGSQL.65535",
    .admin = "postgres",
    .find = find,
    .configure = configure,
    .url = url,
    .client = client,
    .remove = remove_command,
};
