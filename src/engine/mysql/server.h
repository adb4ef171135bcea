/* server.h — what is asked of a server as a whole: facts, grants, positions, replicas. What each function
 * promises stands at EngineOps in engine/engine.h; here only what is more. */
#pragma once
#include "engine/engine.h"
#include "engine/mysql/flavor.h"

/* ---- server.c ---- */

/* Server.engine is "mysql" or "mariadb", version with the brand ("MariaDB 10.11.19"). A server that is
 * read_only counts as a standby. */
Err *my_load_server(Conn *conn, const Wait *wait, Arena *arena, Server *ret_server) MUST_USE;
/* A setting that not every version has; NULL where this one has none. */
Err *my_setting(Conn *conn, const Wait *wait, Arena *arena, const char *name,
                const char **ret_value) MUST_USE;
/* Likewise a counter of SHOW GLOBAL STATUS. */
Err *my_status(Conn *conn, const Wait *wait, Arena *arena, const char *name, const char **ret_value) MUST_USE;
Err *my_list_tables(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows) MUST_USE;
Err *my_list_databases(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows) MUST_USE;
Err *my_session_limits(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_lock_ms,
                       int64_t *ret_statement_ms) MUST_USE;
Err *my_find_schema(Conn *conn, const Wait *wait, Arena *arena, const char *name, bool *ret_there) MUST_USE;
Err *my_index_table(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *index,
                    const char **ret_schema, const char **ret_table) MUST_USE;

/* ---- grants.c ---- */

/* Lines of SHOW GRANTS, of the roles that are active, too. */
typedef struct Grants {
    const char *const *lines;
    size_t count;
} Grants;
Err *my_grants(Conn *conn, const Wait *wait, Arena *arena, Grants *ret_grants) MUST_USE;
/* Whether they give the privilege ("CREATE") on all of a database; NULL: on the whole server. */
bool grants_have(const Grants *grants, const char *privilege, const char *database);

/* ---- doctor.c ---- */

Err *my_checks(Conn *conn, const Wait *wait, Arena *arena, const Server *server, ServerCheck **ret_checks,
               size_t *ret_count) MUST_USE;

/* ---- positions.c ---- */

/* "gtid:…", or "file:binlog.000003:1234" where there are none; "none" without a binary log. */
Err *my_position(Conn *conn, const Wait *wait, Arena *arena, const char **ret_position) MUST_USE;
/* ERR_UNSAFE for a position that this server cannot compare its own with. */
Err *my_reached(Conn *conn, const Wait *wait, Arena *arena, const char *position, bool *ret_reached) MUST_USE;
/* Innodb_os_log_written: of the redo log. */
Err *my_work_sum(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_at_s, int64_t *ret_sum) MUST_USE;
Err *my_log_bytes(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes) MUST_USE;
/* A zone by name needs the server's time zone tables; "UTC", "SYSTEM" and "+01:00" do not. */
Err *my_local_time(Conn *conn, const Wait *wait, Arena *arena, const char *time_zone, const char *at,
                   int64_t ahead_minutes, int *ret_minute, int *ret_weekday) MUST_USE;
