/* What is looked at from outside: a read of one row, and the disk that a server stands on.
 *
 * Sources: MariaDB KB "Information Schema DISKS Table" (kB; wants FILE); MySQL refman "pid_file", "Uptime".
 */
#include "engine/mysql/outside.h"

#include "base/str.h"
#include "engine/local_disk.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/server.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- one row -------------------------------------------------------------------------------- */

static CanaryKey kind_of(const char *type)
{
    static const char *const integers[] = {"tinyint", "smallint", "mediumint", "int", "bigint"};
    for (size_t i = 0; i < ARRAY_LEN(integers); i++)
        if (str_eq(type, integers[i]))
            return CANARY_INTEGER;
    return str_eq(type, "uuid")                                  ? CANARY_UUID
           : str_eq(type, "char") || str_eq(type, "varchar")     ? CANARY_TEXT
           : str_eq(type, "binary") || str_eq(type, "varbinary") ? CANARY_TEXT
                                                                 : CANARY_FIRST;
}

/* By the primary key the row itself is read. */
Err *my_canary(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
               Canary *ret_canary)
{
    Rows rows = {0};
    const char *name = my_name(arena, schema, table);
    *ret_canary = (Canary){0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT c.COLUMN_NAME, LOWER(c.DATA_TYPE) FROM information_schema.STATISTICS s JOIN "
        "information_schema.COLUMNS c ON c.TABLE_SCHEMA = s.TABLE_SCHEMA AND c.TABLE_NAME = "
        "s.TABLE_NAME AND c.COLUMN_NAME = s.COLUMN_NAME WHERE s.TABLE_SCHEMA = $1 AND s.TABLE_NAME "
        "= $2 AND s.INDEX_NAME = 'PRIMARY' AND s.SEQ_IN_INDEX = 1",
        schema, table));
    if (rows.row_count == 0)
        return NULL;
    const char *key = sql_backtick(arena, rows_cell(&rows, 0, 0));
    ret_canary->key = kind_of(rows_cell(&rows, 0, 1));
    bool first = ret_canary->key == CANARY_FIRST;
    if (ret_canary->key == CANARY_INTEGER) {
        TRY(conn_query(conn, wait, arena, &rows,
                       arena_printf(arena, "SELECT MIN(%s), MAX(%s) FROM %s", key, key, name)));
        ret_canary->low = rows_int(&rows, 0, 0);
        ret_canary->high = rows_int(&rows, 0, 1);
    }
    ret_canary->sql =
        arena_printf(arena, "SELECT %s FROM %s FORCE INDEX (PRIMARY) %s%s%s ORDER BY %s LIMIT 1", key, name,
                     first ? "" : "WHERE ", first ? "" : key, first ? "" : " >= $1", key);
    return NULL;
}

/* ---- readers of a replica ------------------------------------------------------------------- */

/* Without PROCESS the sessions that replay are not seen, and nothing is told. */
Err *my_standby_state(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_waiting, int64_t *ret_ended)
{
    Rows rows = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        "SELECT CASE WHEN SUM(USER = 'system user') > 0 THEN SUM(USER <> 'system user' AND TIME >= 1 "
        "AND COALESCE(STATE LIKE 'Waiting for%metadata lock', 0)) * (SUM(USER = 'system user' AND "
        "COALESCE(STATE LIKE 'Waiting for%metadata lock', 0)) > 0) ELSE -1 END FROM "
        "information_schema.PROCESSLIST"));
    *ret_waiting = rows_cell(&rows, 0, 0) == NULL ? -1 : rows_int(&rows, 0, 0);
    *ret_ended = -1; /* replay ends nobody here */
    return NULL;
}

/* ---- disk, as MariaDB tells it -------------------------------------------------------------- */

/* Of the mounts the one that the path is under: the longest that it begins with, up to a slash. */
int64_t my_disk_of(const Rows *disks, const char *path)
{
    size_t best = 0;
    int64_t free_kb = -1;
    for (size_t i = 0; i < disks->row_count; i++) {
        const char *mount = rows_cell(disks, i, 0);
        size_t len = mount == NULL ? 0 : strlen(mount);
        bool root = len == 1 && mount[0] == '/';
        bool under =
            len > 0 && strncmp(path, mount, len) == 0 && (root || path[len] == '/' || path[len] == '\0');
        if (under && len > best) {
            best = len;
            free_kb = rows_int(disks, i, 1);
        }
    }
    return free_kb < 0 ? -1 : free_kb * 1024;
}

/* The plugin leaves out what has no device of its own (a network's disk): that is taken for the disk it is
 * mounted on, which docs/signals.md says. */
static Err *ask_disks(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_disks)
{
    *ret_disks = (Rows){0};
    Err *err =
        conn_query(conn, wait, arena, ret_disks, "SELECT Path, Available FROM information_schema.DISKS");
    if (!err_is(err, ERR_SQL) && !err_is(err, ERR_PRIVILEGE))
        return err;
    err_free(err);
    *ret_disks = (Rows){0};
    return NULL;
}

/* ---- disk of this machine ------------------------------------------------------------------- */

static const char *in_datadir(Arena *arena, const char *datadir, const char *path)
{
    return path == NULL || path[0] == '\0' ? datadir
           : path[0] == '/'                ? path
                                           : arena_printf(arena, "%s/%s", datadir, path);
}

/* The server's file of its process number says a process that runs here, is a server of this kind, and began
 * when the server did; and the machine has the server's name. */
static bool is_here(const char *pid_file, const char *hostname, int64_t started_s)
{
    enum { PATIENCE_S = 5 };
    char text[64], host[256] = "", name[16] = "";
    int64_t began_s = 0;
    (void)gethostname(host, sizeof host - 1);
    if (!str_eq(hostname, host) || !local_read(pid_file, text, sizeof text) ||
        !local_process(strtoll(text, NULL, 10), &began_s, name))
        return false;
    bool loader = str_starts(name, "ld-linux"); /* a server that is run by another loader */
    return (str_starts(name, "mysqld") || str_starts(name, "mariadbd") || loader) &&
           llabs(began_s - started_s) <= PATIENCE_S;
}

static const char *directory_of(Arena *arena, const char *path)
{
    const char *slash = path == NULL ? NULL : strrchr(path, '/');
    return slash == NULL ? NULL : arena_dupn(arena, path, (size_t)(slash - path) + (slash == path));
}

Err *my_disk_free(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes, const char **ret_source)
{
    enum { DATADIR, LOG, BINLOG, PID_FILE, HOSTNAME, STARTED };
    Rows rows = {0}, disks = {0};
    const char *uptime = NULL, *why = NULL;
    *ret_bytes = -1;
    TRY(conn_query(
        conn, wait, arena, &rows,
        "SELECT @@datadir, @@innodb_log_group_home_dir, @@log_bin_basename, @@pid_file, @@hostname, "
        "UNIX_TIMESTAMP()"));
    TRY(my_status(conn, wait, arena, "Uptime", &uptime));
    const char *datadir = rows_cell(&rows, 0, DATADIR);
    const char *paths[] = {datadir, in_datadir(arena, datadir, rows_cell(&rows, 0, LOG)),
                           directory_of(arena, rows_cell(&rows, 0, BINLOG))};
    bool here =
        is_here(in_datadir(arena, datadir, rows_cell(&rows, 0, PID_FILE)), rows_cell(&rows, 0, HOSTNAME),
                rows_int(&rows, 0, STARTED) - (uptime == NULL ? 0 : strtoll(uptime, NULL, 10)));
    if (!here)
        TRY(ask_disks(conn, wait, arena, &disks));
    if (!here && disks.row_count == 0) {
        *ret_source =
            "use --check-sql: no proof that the server's disk is here (its pid_file), and it does not "
            "tell (MariaDB: INSTALL SONAME 'disks', GRANT FILE)";
        return NULL;
    }
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < ARRAY_LEN(paths) && least >= 0; i++) {
        int64_t bytes = paths[i] == NULL ? INT64_MAX
                        : here           ? local_free(arena, paths[i], &why)
                                         : my_disk_of(&disks, paths[i]);
        least = bytes < least ? bytes : least;
    }
    *ret_bytes = least;
    *ret_source = least >= 0 ? (here ? datadir : "information_schema.DISKS")
                  : here     ? why
                             : "information_schema.DISKS does not tell of the disk that the data are on";
    return NULL;
}
