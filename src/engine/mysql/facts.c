/* What plans ask of the server: settings, capabilities, and whether its binary log may be read. */
#include "engine/mysql/conn.h"
#include "engine/mysql/my.h"
#include "engine/mysql/server.h"
#include "engine/mysql/written.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

/* What the tests run on (script/test --matrix mysql): MariaDB 10.11 and 11.8, MySQL 9.7 and 5.6. */
static bool is_tested(const Flavor *flavor)
{
    int minor = flavor->version / 100;
    if (flavor_is_mariadb(flavor))
        return minor == 1011 || minor == 1108;
    return flavor->brand == FLAVOR_MYSQL && (minor == 907 || minor == 506);
}

/* MariaDB writes REPLICATION REPLICA for it from 10.5.1 on. */
static const char *log_fault(const Flavor *flavor, const Grants *grants)
{
    bool may =
        grants_have(grants, "REPLICATION SLAVE", NULL) || grants_have(grants, "REPLICATION REPLICA", NULL);
    if (!flavor->binlog)
        return "the binary log is off";
    if (flavor->binlog_format == NULL || strcasecmp(flavor->binlog_format, "ROW") != 0)
        return "binlog_format is not ROW";
    if (flavor->row_image != NULL && strncasecmp(flavor->row_image, "FULL", 4) != 0)
        return "binlog_row_image is not FULL";
    if (flavor->row_value_options[0] != '\0')
        return "binlog_row_value_options is not empty: JSON columns are logged in part";
    return may ? NULL : "this role may not read the binary log: GRANT REPLICATION SLAVE ON *.*";
}

/* What a filter leaves out shows nowhere else. */
static Err *load_filters(Conn *conn, const Wait *wait, Arena *arena, const Flavor *flavor,
                         const char **ret_fault)
{
    enum { DO_DB = 2, IGNORE_DB = 3 };
    Rows rows = {0};
    Err *err =
        conn_query(conn, wait, arena, &rows,
                   flavor_can(flavor, FACT_SOURCE_WORDS) ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS");
    if (err_is(err, ERR_PRIVILEGE)) {
        err_free(err);
        *ret_fault = arena_printf(arena, "this role may not see where the binary log ends: GRANT %s ON *.*",
                                  flavor_is_mariadb(flavor) ? "BINLOG MONITOR" : "REPLICATION CLIENT");
        return NULL;
    }
    TRY(err);
    for (size_t cell = DO_DB; rows.row_count > 0 && cell <= IGNORE_DB && cell < rows.col_count; cell++)
        if (rows_cell(&rows, 0, cell) != NULL && rows_cell(&rows, 0, cell)[0] != '\0')
            *ret_fault = cell == DO_DB ? "binlog_do_db is set: changes of other databases are not logged"
                                       : "binlog_ignore_db is set: some changes are not logged";
    return NULL;
}

/* Whether the server replays another one's log now. Each kind of server tells it elsewhere; where this
 * account may not ask, the sessions of the server itself tell it. */
static Err *load_follows(Conn *conn, const Wait *wait, Arena *arena, const Flavor *flavor, bool *ret_follows)
{
    Rows rows = {0};
    const char *running = NULL;
    bool is_old = !flavor_is_mariadb(flavor) && flavor->version < 50702;
    if (flavor_is_mariadb(flavor) || is_old) {
        TRY(my_status(conn, wait, arena, is_old ? "Slave_running" : "Slaves_running", &running));
        *ret_follows = running != NULL && !str_eq(running, "0") && strcasecmp(running, "OFF") != 0;
        return NULL;
    }
    Err *err = conn_query(conn, wait, arena, &rows,
                          "SELECT COUNT(*) FROM performance_schema.replication_applier_status WHERE "
                          "SERVICE_STATE = 'ON' AND CHANNEL_NAME NOT LIKE 'group_replication_%'");
    if (err_is(err, ERR_PRIVILEGE) || err_is(err, ERR_SQL)) {
        err_free(err);
        err = conn_query(conn, wait, arena, &rows,
                         "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'system user'");
    }
    TRY(err);
    *ret_follows = rows_int(&rows, 0, 0) > 0;
    return NULL;
}

/* MySQL calls it log_replica_updates from 8.0.26 on. */
static Err *load_relayed(Conn *conn, const Wait *wait, Arena *arena, bool *ret_relayed)
{
    const char *value = NULL;
    TRY(my_setting(conn, wait, arena, "log_slave_updates", &value));
    if (value == NULL)
        TRY(my_setting(conn, wait, arena, "log_replica_updates", &value));
    *ret_relayed = value != NULL && (strcasecmp(value, "ON") == 0 || str_eq(value, "1"));
    return NULL;
}

/* MariaDB 10.5.2: BINLOG ADMIN; MySQL 8.0.14: SESSION_VARIABLES_ADMIN. */
static const char *rows_fault(const Flavor *flavor, const Grants *grants)
{
    static const char *const any[] = {"SUPER", "BINLOG ADMIN", "SESSION_VARIABLES_ADMIN",
                                      "SYSTEM_VARIABLES_ADMIN"};
    bool mariadb = flavor_is_mariadb(flavor);
    if (!flavor->binlog || flavor->binlog_format == NULL ||
        strcasecmp(flavor->binlog_format, "STATEMENT") != 0)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(any); i++)
        if (grants_have(grants, any[i], NULL))
            return NULL;
    return mariadb && flavor->version >= 100502
               ? "binlog_format is STATEMENT, and this role may not write by rows: GRANT BINLOG ADMIN ON *.*"
           : !mariadb && flavor->version >= 80014
               ? "binlog_format is STATEMENT, and this role may not write by rows: GRANT "
                 "SESSION_VARIABLES_ADMIN ON *.*"
               : "binlog_format is STATEMENT, and this role may not write by rows: GRANT SUPER ON *.*";
}

static Err *load_capture(Conn *conn, const Wait *wait, Arena *arena, const Flavor *flavor,
                         const Grants *grants, MyServer *server)
{
    bool follows = false, relayed = false;
    server->no_log = log_fault(flavor, grants);
    server->no_rows = rows_fault(flavor, grants);
    if (server->no_log == NULL)
        TRY(load_filters(conn, wait, arena, flavor, &server->no_log));
    TRY(load_follows(conn, wait, arena, flavor, &follows));
    if (!follows)
        return NULL;
    TRY(load_relayed(conn, wait, arena, &relayed));
    if (server->no_log == NULL && !relayed)
        server->no_log = "this server replays the changes of another one and does not log them "
                         "(log_slave_updates is off)";
    server->no_triggers = "this server replays the changes of another one, and runs no triggers for them";
    return NULL;
}

Err *my_load_facts(Conn *conn, const Wait *wait, Arena *arena, const Grants *grants, MyServer *ret_server)
{
    Flavor flavor = *my_flavor(conn);
    Rows rows = {0};
    TRY(flavor_load(conn, wait, arena, &flavor));
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT @@GLOBAL.sql_mode, IF(@@GLOBAL.time_zone = 'SYSTEM', "
                   "@@system_time_zone, @@GLOBAL.time_zone)"));
    const char *mode = rows.row_count > 0 && rows_cell(&rows, 0, 0) != NULL ? rows_cell(&rows, 0, 0) : "";
    const char *zone = rows.row_count > 0 && rows_cell(&rows, 0, 1) != NULL ? rows_cell(&rows, 0, 1) : "";
    bool mariadb = flavor_is_mariadb(&flavor);
    MyServer server = {.mariadb = mariadb,
                       .ansi_quotes = strstr(mode, "ANSI_QUOTES") != NULL,
                       .no_backslash_escapes = strstr(mode, "NO_BACKSLASH_ESCAPES") != NULL,
                       .odd_mode = my_odd_mode(mode),
                       .other_language = my_language_mode(mode),
                       .utc = str_eq(zone, "UTC") || str_eq(zone, "+00:00") || str_eq(zone, "Etc/UTC"),
                       .galera = flavor.galera,
                       .group_replication = flavor.group_replication,
                       .autoinc_lock_mode = (int)flavor.autoinc_lock_mode,
                       .invisible_columns = flavor_can(&flavor, FACT_INVISIBLE_COLUMNS),
                       .set_visible = !mariadb && flavor_can(&flavor, FACT_INVISIBLE_COLUMNS),
                       .repeatable_triggers = mariadb || flavor.version >= 80029,
                       .checks_by_schema = !mariadb && flavor_can(&flavor, FACT_CHECK),
                       .skips_locked = flavor_can(&flavor, FACT_SKIP_LOCKED),
                       .logged = flavor.binlog,
                       .untested = !is_tested(&flavor)};
    TRY(load_capture(conn, wait, arena, &flavor, grants, &server));
    *ret_server = server;
    return NULL;
}
