/* What plans ask of the server: settings, capabilities, and whether its binary log may be read. */
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
    return may ? NULL : "this role may not read the binary log: GRANT REPLICATION SLAVE ON *.*";
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
                       .logged = flavor.binlog,
                       .untested = !is_tested(&flavor)};
    server.no_log = log_fault(&flavor, grants);
    *ret_server = server;
    return NULL;
}
