/* own.h — the sessions that this process has, and who waits for them. */
#pragma once
#include "engine/mysql/conn.h"

/* A session begins and ends; `server` tells servers apart. From any thread. */
void my_own_begin(const char *server, int64_t session_id);
void my_own_end(const char *server, int64_t session_id);

/* Sessions of others that have waited for a row lock of one of ours, on the server of `conn`, for a second:
 * InnoDB tells when a wait began in whole seconds, so some are told a second later. Needs PROCESS, and from
 * MySQL 8.0.1 on SELECT on performance_schema. */
Err *my_blocked_sessions(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_count) MUST_USE;

/* As EngineOps.doing. MariaDB tells it in its list of sessions; MySQL in
 * performance_schema.events_stages_current, where somebody has switched that on. */
Err *my_limit_build(Conn *conn, const Wait *wait, int64_t memory, int64_t workers);
Err *my_doing(Conn *conn, const Wait *wait, Arena *arena, int64_t session_id, const char **ret_what,
              double *ret_part) MUST_USE;
