/* What plans ask of the server: settings, capabilities, and whether its binary log may be read. */
#include "engine/mysql/my.h"

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

/* REPLICATION SLAVE (MariaDB writes REPLICATION REPLICA from 10.5.1 on) stands on *.* only. */
static Err *may_read_log(Conn *conn, const Wait *wait, Arena *arena, bool *ret_may)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, "SHOW GRANTS"));
    *ret_may = false;
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *grant = rows_cell(&rows, i, 0);
        const char *on = grant == NULL ? NULL : strstr(grant, " ON *.*");
        if (on == NULL)
            continue;
        const char *privileges = arena_dupn(arena, grant, (size_t)(on - grant));
        *ret_may = *ret_may || strstr(privileges, "ALL PRIVILEGES") != NULL ||
                   strstr(privileges, "REPLICATION SLAVE") != NULL ||
                   strstr(privileges, "REPLICATION REPLICA") != NULL;
    }
    return NULL;
}

static Err *log_fault(Conn *conn, const Wait *wait, Arena *arena, const Flavor *flavor, const char **ret_why)
{
    bool may = false;
    *ret_why = NULL;
    if (!flavor->binlog)
        *ret_why = "the binary log is off";
    else if (flavor->binlog_format == NULL || strcasecmp(flavor->binlog_format, "ROW") != 0)
        *ret_why = "binlog_format is not ROW";
    else if (flavor->row_image != NULL && strncasecmp(flavor->row_image, "FULL", 4) != 0)
        *ret_why = "binlog_row_image is not FULL";
    if (*ret_why != NULL)
        return NULL;
    TRY(may_read_log(conn, wait, arena, &may));
    *ret_why = may ? NULL : "this role may not read the binary log: GRANT REPLICATION SLAVE ON *.*";
    return NULL;
}

Err *my_load_facts(Conn *conn, const Wait *wait, Arena *arena, MyServer *ret_server)
{
    Flavor flavor = *my_flavor(conn);
    Rows rows = {0};
    TRY(flavor_load(conn, wait, arena, &flavor));
    TRY(conn_query(conn, wait, arena, &rows, "SELECT @@GLOBAL.sql_mode"));
    const char *mode = rows.row_count > 0 && rows_cell(&rows, 0, 0) != NULL ? rows_cell(&rows, 0, 0) : "";
    bool mariadb = flavor_is_mariadb(&flavor);
    MyServer server = {.mariadb = mariadb,
                       .ansi_quotes = strstr(mode, "ANSI_QUOTES") != NULL,
                       .no_backslash_escapes = strstr(mode, "NO_BACKSLASH_ESCAPES") != NULL,
                       .galera = flavor.galera,
                       .group_replication = flavor.group_replication,
                       .autoinc_lock_mode = (int)flavor.autoinc_lock_mode,
                       .invisible_columns = flavor_can(&flavor, FACT_INVISIBLE_COLUMNS),
                       .set_visible = !mariadb && flavor_can(&flavor, FACT_INVISIBLE_COLUMNS),
                       .checks_by_schema = !mariadb && flavor_can(&flavor, FACT_CHECK),
                       .logged = flavor.binlog,
                       .untested = !is_tested(&flavor)};
    TRY(log_fault(conn, wait, arena, &flavor, &server.no_log));
    *ret_server = server;
    return NULL;
}
