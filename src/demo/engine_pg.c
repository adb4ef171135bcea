/* The demo on PostgreSQL: a column that is added and filled. */
#include "demo/engine.h"

#include "base/str.h"
#include "demo/side.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMN "amount_cents"
#define EXPR   "(amount * 100)::bigint"

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

static Err *find(Arena *arena, const char **ret_bin)
{
    const char *given = getenv("STOA_PG_BIN");
    if (given != NULL && *given != '\0') {
        if (!bin_usable(given))
            return err_hint(
                err_new(ERR_CONFIG, "STOA_PG_BIN names \"%s\", where initdb and postgres are not", given),
                "name the directory that holds both programs, or unset STOA_PG_BIN");
        *ret_bin = given;
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

static void configure(Arena *arena, const char *bin, const char *dir, int port, KeeperConfig *ret_config)
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
                     "fsync = on\nshared_buffers = 256MB\nmax_wal_size = 4GB\nautovacuum = on\n",
                     port, dir);
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

static char *rows_sql(Arena *arena, int64_t row_count)
{
    (void)row_count;
    return arena_dup(arena, "SELECT count(*), count(*) FILTER (WHERE " COLUMN " IS DISTINCT FROM " EXPR
                            ") FROM " DEMO_TABLE);
}

/* File by file, where the server would write every block to its log otherwise. */
static Err *fresh(Conn *admin, const Wait *wait, Arena *arena)
{
    Rows rows;
    TRY(conn_query(admin, wait, arena, &rows, "SELECT current_setting('server_version_num')::int >= 150000"));
    return conn_exec(admin, wait,
                     rows_bool(&rows, 0, 0) ? "CREATE DATABASE shop_plain TEMPLATE shop STRATEGY file_copy"
                                            : "CREATE DATABASE shop_plain TEMPLATE shop");
}

static const char *const drop[] = {
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'shop'",
    "DROP DATABASE shop", NULL};

static const char *const plain[] = {
    "BEGIN",
    "ALTER TABLE " DEMO_TABLE " ADD COLUMN " COLUMN " bigint",
    "UPDATE " DEMO_TABLE " SET " COLUMN " = " EXPR,
    "ALTER TABLE " DEMO_TABLE " ALTER COLUMN " COLUMN " SET NOT NULL",
    "COMMIT",
    NULL,
};

const DemoEngine demo_engine_pg = {
    .name = "postgres",
    .title = "PostgreSQL",
    .plain_title = "ALTER + UPDATE",
    .log_title = "WAL written",
    .account = "postgres",
    .socket_name = ".s.PGSQL.65535",
    .admin = "postgres",
    .schema = "public",
    .find = find,
    .configure = configure,
    .url = url,
    .client = client,
    .remove = remove_command,
    .fresh = fresh,
    .fresh_is_copy = true,
    .drop = drop,
    .rest_sql = "CHECKPOINT",
    .size_sql = "SELECT pg_relation_size('" DEMO_TABLE "'), pg_indexes_size('" DEMO_TABLE "'), "
                "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint",
    .rows_sql = rows_sql,
    .change = {.sql = "ALTER TABLE " DEMO_TABLE " ADD COLUMN " COLUMN " bigint NOT NULL",
               .name = "orders-amount-cents",
               .backfills = (const char *const[]){DEMO_TABLE "." COLUMN " = " EXPR},
               .backfill_count = 1},
    .parse = change_parse_pg,
    .plain = plain,
};
