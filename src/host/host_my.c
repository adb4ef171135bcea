/* MariaDB and MySQL as private servers. */
#include "base/command.h"
#include "base/str.h"
#include "host/host.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VERSION_MS = 20000 };
#define SETTINGS_FILE "my.cnf"

typedef struct Brand {
    const char *title, *variable; /* "STOA_MARIADB_BIN" names the directory of its programs */
    const char *server, *maker;   /* which programs; `maker` NULL: the server itself makes its data */
    const char *both, *package;   /* for people */
    bool mariadb;
} Brand;

static const Brand mariadb = {.title = "MariaDB",
                              .variable = "STOA_MARIADB_BIN",
                              .server = "mariadbd",
                              .maker = "mariadb-install-db",
                              .both = "mariadbd and mariadb-install-db",
                              .package = "mariadb-server",
                              .mariadb = true};
static const Brand mysql = {.title = "MySQL",
                            .variable = "STOA_MYSQL_BIN",
                            .server = "mysqld",
                            .both = "mysqld",
                            .package = "mysql-server"};

static const char *program(Arena *arena, const char *dir, const char *name)
{
    const char *path = arena_printf(arena, "%s/%s", dir, name);
    return access(path, X_OK) == 0 ? path : NULL;
}

/* Debian has the server in sbin and what makes its data in bin. */
static const char *program_find(Arena *arena, const char *bin, const char *name)
{
    static const char *const dirs[] = {"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"};
    const char *given = bin[0] != '\0' ? program(arena, bin, name) : NULL;
    for (size_t i = 0; given == NULL && bin[0] == '\0' && i < ARRAY_LEN(dirs); i++)
        given = program(arena, dirs[i], name);
    return given;
}

/* 1011 of "mariadbd  Ver 10.11.14-MariaDB for …"; 0 where it does not say, or is another brand's program by
 * that name, as Debian's mysqld is MariaDB's. */
static int series_of(const Brand *brand, const char *path)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    char *const words[] = {(char *)(uintptr_t)path, (char *)(uintptr_t) "--version", NULL};
    Command command = {.words = words, .errors_too = true, .timeout_ms = VERSION_MS};
    int status = 0;
    Err *err = command_run(&command, &text, &status);
    const char *at = err == NULL ? strstr(text.buf, " Ver ") : NULL;
    err_free(err);
    char *dot = NULL;
    if (at == NULL || (strstr(text.buf, "MariaDB") != NULL) != brand->mariadb)
        return 0;
    long first = strtol(at + strlen(" Ver "), &dot, 10);
    return *dot == '.' ? (int)(first * 100 + strtol(dot + 1, NULL, 10)) : 0;
}

/* "" means the usual places. `major` is a series: 1011. */
static Err *find_brand(Arena *arena, const Brand *brand, int major, const char **ret_bin)
{
    const char *given = getenv(brand->variable);
    const char *bin = given != NULL ? given : "", *server = program_find(arena, bin, brand->server);
    bool there = server != NULL && (brand->maker == NULL || program_find(arena, bin, brand->maker) != NULL);
    int series = there ? series_of(brand, server) : 0;
    if (there && (series == major || (major == 0 && (series > 0 || brand->mariadb)))) {
        *ret_bin = bin;
        return NULL;
    }
    if (there && series > 0)
        return err_hint(err_new(ERR_CONFIG, "%s %d.%d is not installed here, but %d.%d", brand->title,
                                major / 100, major % 100, series / 100, series % 100),
                        "set %s to the directory that holds %s of that version", brand->variable,
                        brand->both);
    if (bin[0] != '\0')
        return err_hint(err_new(ERR_CONFIG, "%s names \"%s\", where %s %s not", brand->variable, bin,
                                brand->both, brand->maker == NULL ? "is" : "are"),
                        "name the directory that holds %s, or unset %s",
                        brand->maker == NULL ? "it" : "both programs", brand->variable);
    return err_hint(
        err_new(ERR_CONFIG, "no %s server is installed here: %s not found", brand->title, brand->both),
        "apt-get install %s, or set %s to the directory that holds %s", brand->package, brand->variable,
        brand->maker == NULL ? "it" : "both");
}

static Err *find_mariadb(Arena *arena, int major, const char **ret_bin)
{
    return find_brand(arena, &mariadb, major, ret_bin);
}

static Err *find_mysql(Arena *arena, int major, const char **ret_bin)
{
    return find_brand(arena, &mysql, major, ret_bin);
}

static const char *const *words(Arena *arena, size_t count, const char *const *from)
{
    const char **copy = arena_alloc(arena, (count + 1) * sizeof *copy);
    memcpy(copy, from, count * sizeof *copy);
    copy[count] = NULL;
    return copy;
}

/* What every one of them is told. Settings that are given come from a file, which the command line would
 * overrule. */
static void configure_brand(Arena *arena, const Brand *brand, const char *bin, const char *dir, int port,
                            const char *settings, KeeperConfig *ret_config)
{
    static const char *const usual[] = {"--character-set-server=utf8mb4", "--innodb-buffer-pool-size=256M",
                                        "--log-bin=binlog", "--binlog-format=ROW", "--sync-binlog=1"};
    const char *data = arena_printf(arena, "--datadir=%s/data", dir);
    const char *server = program_find(arena, bin, brand->server);
    const char *make_mariadb[] = {program_find(arena, bin, "mariadb-install-db"), "--no-defaults", data,
                                  "--auth-root-authentication-method=normal", "--skip-test-db"};
    const char *make_mysql[] = {server, "--no-defaults", data, "--initialize-insecure",
                                "--secure-file-priv=NULL"};
    const char *serve[12 + ARRAY_LEN(usual)] = {
        server,
        settings != NULL ? arena_printf(arena, "--defaults-file=%s/" SETTINGS_FILE, dir) : "--no-defaults",
        data,
        arena_printf(arena, "--socket=%s/sock", dir),
        arena_printf(arena, "--port=%d", port),
        arena_printf(arena, "--pid-file=%s/pid", dir),
        arena_printf(arena, "--tmpdir=%s", dir),
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--loose-mysqlx=OFF", /* which has a port of its own */
        "--server-id=1"};
    size_t count = 11;
    if (!brand->mariadb) /* else a directory of the distribution's has to be there */
        serve[count++] = "--secure-file-priv=NULL";
    for (size_t i = 0; settings == NULL && i < ARRAY_LEN(usual); i++)
        serve[count++] = usual[i];
    ret_config->dir = dir;
    ret_config->make = brand->mariadb ? words(arena, ARRAY_LEN(make_mariadb), make_mariadb)
                                      : words(arena, ARRAY_LEN(make_mysql), make_mysql);
    ret_config->serve = words(arena, count, serve);
    ret_config->settings = settings == NULL ? NULL : arena_printf(arena, "[mysqld]\n%s", settings);
    ret_config->settings_file = SETTINGS_FILE;
    ret_config->quit_signal = SIGKILL; /* an orderly end would write what is thrown away next */
}

static void configure_mariadb(Arena *arena, const char *bin, const char *dir, int port, const char *settings,
                              KeeperConfig *ret_config)
{
    configure_brand(arena, &mariadb, bin, dir, port, settings, ret_config);
}

static void configure_mysql(Arena *arena, const char *bin, const char *dir, int port, const char *settings,
                            KeeperConfig *ret_config)
{
    configure_brand(arena, &mysql, bin, dir, port, settings, ret_config);
}

static char *url(Arena *arena, const char *dir, int port, const char *database)
{
    (void)port;
    return arena_printf(arena, "mariadb://root@/%s?socket=%s/sock", database, dir);
}

static char *url_mysql(Arena *arena, const char *dir, int port, const char *database)
{
    (void)port;
    return arena_printf(arena, "mysql://root@/%s?socket=%s/sock", database, dir);
}

static char *client(Arena *arena, int port, const char *database)
{
    return arena_printf(arena, "mariadb -h 127.0.0.1 -P %d -u root %s", port, database);
}

static char *remove_command(Arena *arena, const char *dir)
{
    return arena_printf(arena, "kill -KILL $(cat %s/pid) && rm -rf %s", dir, dir);
}

const HostEngine host_engine_my = {
    .name = "mysql",
    .title = "MariaDB",
    .account = "mysql",
    .socket_name = "sock",
    .admin = "",
    .find = find_mariadb,
    .configure = configure_mariadb,
    .url = url,
    .client = client,
    .remove = remove_command,
};

const HostEngine host_engine_mysql = {
    .name = "mysql",
    .title = "MySQL",
    .account = "mysql",
    .socket_name = "sock",
    .admin = "",
    .find = find_mysql,
    .configure = configure_mysql,
    .url = url_mysql,
    .client = client,
    .remove = remove_command,
};
