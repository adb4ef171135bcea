/* What Stoa knows about a server, its database and our account. */
#include "engine/mysql/server.h"

#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/my.h"

#include <stdlib.h>
#include <string.h>

enum { ER_TABLE_ACCESS_DENIED = 1142, ER_NO_SUCH_TABLE = 1146, ER_BAD_DB = 1049, ER_DB_ACCESS_DENIED = 1044 };

static Err *second_cell(Conn *conn, const Wait *wait, Arena *arena, const char *sql, const char **ret_value)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, sql));
    *ret_value = rows.row_count > 0 ? rows_cell(&rows, 0, 1) : NULL;
    return NULL;
}

Err *my_setting(Conn *conn, const Wait *wait, Arena *arena, const char *name, const char **ret_value)
{
    return second_cell(
        conn, wait, arena,
        arena_printf(arena, "SHOW GLOBAL VARIABLES WHERE Variable_name = %s", my_literal(conn, arena, name)),
        ret_value);
}

Err *my_status(Conn *conn, const Wait *wait, Arena *arena, const char *name, const char **ret_value)
{
    return second_cell(
        conn, wait, arena,
        arena_printf(arena, "SHOW GLOBAL STATUS WHERE Variable_name = %s", my_literal(conn, arena, name)),
        ret_value);
}

Err *my_find_schema(Conn *conn, const Wait *wait, Arena *arena, const char *name, bool *ret_there)
{
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = $1", name));
    *ret_there = rows.row_count > 0;
    return NULL;
}

/* Names of indexes are a table's own here, so there may be several: then none is meant. */
Err *my_index_table(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *index,
                    const char **ret_schema, const char **ret_table)
{
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME FROM information_schema.STATISTICS WHERE "
                    "TABLE_SCHEMA = COALESCE($1, DATABASE()) AND INDEX_NAME = $2",
                    schema, index));
    bool one = rows.row_count == 1;
    *ret_schema = one ? rows_cell(&rows, 0, 0) : NULL;
    *ret_table = one ? rows_cell(&rows, 0, 1) : NULL;
    return NULL;
}

/* ---- the journal ------------------------------------------------------------------------------------------
 */

/* A database that this account has no right in is as if it were not there. */
static Err *load_journal(Conn *conn, const Wait *wait, Arena *arena, const Grants *grants, Server *server)
{
    Rows rows = {0};
    bool there = false;
    TRY(my_find_schema(conn, wait, arena, "stoa", &there));
    server->may_read_journal = grants_have(grants, "SELECT", "stoa");
    server->may_use_journal = server->may_read_journal && grants_have(grants, "INSERT", "stoa") &&
                              grants_have(grants, "UPDATE", "stoa") &&
                              grants_have(grants, "DELETE", "stoa") && grants_have(grants, "CREATE", "stoa");
    server->may_read_journal = server->may_read_journal || !there;
    if (!there)
        return NULL;
    Err *err = conn_query(conn, wait, arena, &rows, "SELECT MAX(version) FROM stoa.meta");
    unsigned number = err == NULL ? 0 : err->server_errno;
    if (number == ER_NO_SUCH_TABLE || number == ER_BAD_DB || number == ER_TABLE_ACCESS_DENIED ||
        number == ER_DB_ACCESS_DENIED) {
        err_free(err);
        server->journal_version = number == ER_TABLE_ACCESS_DENIED || number == ER_DB_ACCESS_DENIED ? -1 : 0;
        return NULL;
    }
    TRY(err);
    server->journal_version = (int)rows_int(&rows, 0, 0);
    return NULL;
}

/* ---- replicas ---------------------------------------------------------------------------------------------
 */

/* Where the list is refused (MariaDB 10.5.2: REPLICATION MASTER ADMIN): sessions that read the binary log,
 * but for those of our own account. */
static Err *load_dumps(Conn *conn, const Wait *wait, Arena *arena, const Grants *grants, Server *server,
                       bool *ret_unknown)
{
    Rows rows = {0};
    *ret_unknown = !grants_have(grants, "PROCESS", NULL);
    if (*ret_unknown)
        return NULL;
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT DISTINCT SUBSTRING_INDEX(HOST, ':', 1) FROM information_schema.PROCESSLIST WHERE "
                   "COMMAND LIKE 'Binlog Dump%' AND USER <> SUBSTRING_INDEX(USER(), '@', 1)"));
    server->standbys = arena_alloc(arena, (rows.row_count + 1) * sizeof *server->standbys);
    server->standby_count = rows.row_count;
    for (size_t i = 0; i < rows.row_count; i++)
        server->standbys[i].name = arena_printf(arena, "at %s", rows_cell(&rows, i, 0));
    return NULL;
}

/* Those that have told their name (report_host), else their number. None of them can be asked through the
 * primary. */
static Err *load_replicas(Conn *conn, const Wait *wait, Arena *arena, const Grants *grants, Server *server,
                          bool *ret_unknown)
{
    enum { ID, HOST, PORT };
    Rows rows = {0};
    bool replica_words = !flavor_is_mariadb(my_flavor(conn)) && my_flavor(conn)->version >= 80022;
    Err *err = conn_query(conn, wait, arena, &rows, replica_words ? "SHOW REPLICAS" : "SHOW SLAVE HOSTS");
    if (err_is(err, ERR_PRIVILEGE) || err_is(err, ERR_SQL)) {
        err_free(err);
        return load_dumps(conn, wait, arena, grants, server, ret_unknown);
    }
    TRY(err);
    server->standbys = arena_alloc(arena, (rows.row_count + 1) * sizeof *server->standbys);
    server->standby_count = rows.row_count;
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *host = rows_cell(&rows, i, HOST);
        server->standbys[i].name = host != NULL && host[0] != '\0'
                                       ? arena_printf(arena, "%s:%s", host, rows_cell(&rows, i, PORT))
                                       : arena_printf(arena, "server %s", rows_cell(&rows, i, ID));
    }
    return NULL;
}

/* ---- the whole --------------------------------------------------------------------------------------------
 */

/* 'stoa'@'10.%' for GRANT … TO, from stoa@10.% */
static const char *quoted_account(Conn *conn, Arena *arena, const char *account)
{
    const char *at = strrchr(account, '@');
    if (at == NULL)
        return my_literal(conn, arena, account);
    return arena_printf(arena, "%s@%s",
                        my_literal(conn, arena, arena_dupn(arena, account, (size_t)(at - account))),
                        my_literal(conn, arena, at + 1));
}

static Err *load_session(Conn *conn, const Wait *wait, Arena *arena, Server *server)
{
    Rows rows = {0};
    const char *connections = NULL;
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT DATABASE(), CURRENT_USER(), CONNECTION_ID(), @@max_connections, "
                   "@@character_set_database"));
    server->database = rows_cell(&rows, 0, 0) == NULL ? "" : rows_cell(&rows, 0, 0);
    server->role = rows_cell(&rows, 0, 1) == NULL ? "" : rows_cell(&rows, 0, 1);
    server->role_sql = quoted_account(conn, arena, server->role);
    server->pooled = rows_int(&rows, 0, 2) != my_session_id(conn);
    server->max_connections = (int)rows_int(&rows, 0, 3);
    server->encoding = rows_cell(&rows, 0, 4);
    TRY(my_status(conn, wait, arena, "Threads_connected", &connections));
    server->connection_count = connections == NULL ? 0 : (int)strtol(connections, NULL, 10);
    const char **path = arena_alloc(arena, 2 * sizeof *path);
    path[0] = server->database;
    server->search_path = path;
    server->search_path_count = server->database[0] == '\0' ? 0 : 1;
    return NULL;
}

Err *my_load_server(Conn *conn, const Wait *wait, Arena *arena, Server *ret_server)
{
    Flavor flavor = *my_flavor(conn);
    Grants grants = {0};
    TRY(flavor_load(conn, wait, arena, &flavor));
    Server server = {.engine = flavor_is_mariadb(&flavor) ? "mariadb" : "mysql",
                     .version_num = flavor.version,
                     .version = flavor_name(arena, &flavor),
                     .in_recovery = flavor.read_only,
                     .read_only = flavor.read_only,
                     .has_no_wait = flavor_can(&flavor, FACT_RENAME_WAIT),
                     .may_temp = true};
    server.system_id = flavor.server_uuid != NULL
                           ? flavor.server_uuid
                           : arena_printf(arena, "server %lld", (long long)flavor.server_id);
    TRY(load_session(conn, wait, arena, &server));
    TRY(my_grants(conn, wait, arena, &grants));
    server.superuser = grants_have(&grants, "SUPER", NULL);
    server.may_create_database = grants_have(&grants, "CREATE", NULL) && grants_have(&grants, "DROP", NULL);
    server.may_create_schema = grants_have(&grants, "CREATE", "stoa");
    server.may_read_stats = grants_have(&grants, "PROCESS", NULL);
    TRY(load_journal(conn, wait, arena, &grants, &server));
    MyServer *my = arena_alloc(arena, sizeof *my);
    TRY(my_load_facts(conn, wait, arena, &grants, my));
    TRY(load_replicas(conn, wait, arena, &grants, &server, &my->replicas_unknown));
    server.my = my;
    *ret_server = server;
    return NULL;
}

#define TABLES_SQL(writes, join)                                                                             \
    "SELECT t.table_schema, t.table_name, " writes " FROM information_schema.tables t " join                 \
    "WHERE t.table_schema = DATABASE() AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1, 2"

Err *my_list_databases(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows)
{
    return conn_query(
        conn, wait, arena, ret_rows,
        "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ('mysql', "
        "'sys', 'information_schema', 'performance_schema', 'stoa') AND schema_name NOT LIKE "
        "'stoa\\_scratch\\_%' ORDER BY BINARY schema_name");
}

/* A role need not see performance_schema, nor has every server one. */
Err *my_list_tables(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows)
{
    Err *err = conn_query(conn, wait, arena, ret_rows,
                          TABLES_SQL("p.count_write",
                                     "LEFT JOIN performance_schema.table_io_waits_summary_by_table p "
                                     "ON p.object_schema = t.table_schema AND "
                                     "p.object_name = t.table_name "));
    if (!err_is(err, ERR_SQL) && !err_is(err, ERR_PRIVILEGE))
        return err;
    err_free(err);
    return conn_query(conn, wait, arena, ret_rows, TABLES_SQL("NULL", ""));
}

enum { WAIT_LONG_S = 600 };

/* The defaults, a day (MariaDB) and a year (MySQL), bound nothing that anybody would wait for. */
Err *my_session_limits(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_lock_ms,
                       int64_t *ret_statement_ms)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, "SELECT @@GLOBAL.lock_wait_timeout"));
    int64_t seconds = rows_int(&rows, 0, 0);
    *ret_lock_ms = seconds > 0 && seconds <= WAIT_LONG_S ? seconds * 1000 : 0;
    *ret_statement_ms = 0;
    return NULL;
}
