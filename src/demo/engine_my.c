/* The demo on MariaDB: an indexed int column becomes bigint, which the server does with its writers stopped.
 */
#include "base/str.h"
#include "change/lex_my.h"
#include "demo/engine.h"
#include "demo/side.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALTER "ALTER TABLE " DEMO_TABLE " MODIFY customer_id bigint NOT NULL"

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

/* "" means the usual places. */
static Err *find(Arena *arena, const char **ret_bin)
{
    const char *given = getenv("STOA_MARIADB_BIN");
    const char *bin = given != NULL ? given : "";
    if (program_find(arena, bin, "mariadbd") != NULL &&
        program_find(arena, bin, "mariadb-install-db") != NULL) {
        *ret_bin = bin;
        return NULL;
    }
    if (bin[0] != '\0')
        return err_hint(
            err_new(ERR_CONFIG,
                    "STOA_MARIADB_BIN names \"%s\", where mariadbd and mariadb-install-db are not", bin),
            "name the directory that holds both programs, or unset STOA_MARIADB_BIN");
    return err_hint(
        err_new(ERR_CONFIG, "no MariaDB server is installed here: mariadbd and mariadb-install-db not found"),
        "apt-get install mariadb-server, or set STOA_MARIADB_BIN to the directory that holds both");
}

static const char *const *words(Arena *arena, size_t count, const char *const *from)
{
    const char **copy = arena_alloc(arena, (count + 1) * sizeof *copy);
    memcpy(copy, from, count * sizeof *copy);
    copy[count] = NULL;
    return copy;
}

static void configure(Arena *arena, const char *bin, const char *dir, int port, KeeperConfig *ret_config)
{
    const char *data = arena_printf(arena, "--datadir=%s/data", dir);
    const char *make[] = {program_find(arena, bin, "mariadb-install-db"), "--no-defaults", data,
                          "--auth-root-authentication-method=normal", "--skip-test-db"};
    const char *serve[] = {program_find(arena, bin, "mariadbd"),
                           "--no-defaults",
                           data,
                           arena_printf(arena, "--socket=%s/sock", dir),
                           arena_printf(arena, "--port=%d", port),
                           arena_printf(arena, "--pid-file=%s/pid", dir),
                           arena_printf(arena, "--tmpdir=%s", dir),
                           "--bind-address=127.0.0.1",
                           "--skip-name-resolve",
                           "--character-set-server=utf8mb4",
                           "--innodb-buffer-pool-size=256M",
                           "--log-bin=binlog",
                           "--binlog-format=ROW",
                           "--sync-binlog=1",
                           "--server-id=1"};
    ret_config->dir = dir;
    ret_config->make = words(arena, ARRAY_LEN(make), make);
    ret_config->serve = words(arena, ARRAY_LEN(serve), serve);
    ret_config->settings = NULL;
    ret_config->quit_signal = SIGKILL; /* an orderly end would write what is thrown away next */
}

static char *url(Arena *arena, const char *dir, int port, const char *database)
{
    (void)port;
    return arena_printf(arena, "mariadb://root@/%s?socket=%s/sock", database, dir);
}

static char *client(Arena *arena, int port, const char *database)
{
    return arena_printf(arena, "mariadb -h 127.0.0.1 -P %d -u root %s", port, database);
}

static char *remove_command(Arena *arena, const char *dir)
{
    return arena_printf(arena, "kill -KILL $(cat %s/pid) && rm -rf %s", dir, dir);
}

/* The application adds rows and changes all columns of a row but its number and when it was made. */
static char *rows_sql(Arena *arena, int64_t row_count)
{
    return arena_printf(
        arena,
        "SELECT COUNT(*), %lld - SUM(id <= %lld AND created_at = '2019-01-01' + INTERVAL id * 20 "
        "SECOND) FROM " DEMO_TABLE,
        (long long)row_count, (long long)row_count);
}

static void parse(Arena *arena, const ChangeInput *input, Change *ret_change)
{
    MyDialect dialect = {.mariadb = true, .version = 101100};
    change_parse_my(arena, input, &dialect, ret_change);
}

static Err *fresh(Conn *admin, const Wait *wait, Arena *arena)
{
    (void)arena;
    return conn_exec(admin, wait, "CREATE DATABASE shop_plain");
}

static const char *const drop[] = {"DROP DATABASE shop", NULL};
static const char *const plain[] = {ALTER, NULL};

const DemoEngine demo_engine_my = {
    .name = "mysql",
    .title = "MariaDB",
    .plain_title = "plain ALTER",
    .log_title = "redo written",
    .account = "mysql",
    .socket_name = "sock",
    .admin = "",
    .find = find,
    .configure = configure,
    .url = url,
    .client = client,
    .remove = remove_command,
    .fresh = fresh,
    .drop = drop,
    .size_sql =
        "SELECT DATA_LENGTH, INDEX_LENGTH, (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS "
        "WHERE VARIABLE_NAME = 'INNODB_LSN_CURRENT') FROM information_schema.TABLES WHERE TABLE_SCHEMA = "
        "DATABASE() AND TABLE_NAME = '" DEMO_TABLE "'",
    .rows_sql = rows_sql,
    .change = {.sql = ALTER, .name = "orders-customer-bigint"},
    .measured = true,
    .parse = parse,
    .plain = plain,
};
