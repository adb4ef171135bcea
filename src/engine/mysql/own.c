/* Sessions of this process: their list, who waits for their row locks, and how far a long statement of one
 * is. */
#include "engine/mysql/own.h"

#include "base/str.h"
#include "engine/mysql/conn_parts.h"

#include <stdlib.h>

/* ---- the list ---------------------------------------------------------------------------------------------
 */

typedef struct Own {
    char *server;
    int64_t id;
} Own;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Own *owns;
static size_t own_count, own_room;

void my_own_begin(const char *server, int64_t session_id)
{
    pthread_mutex_lock(&lock);
    if (own_count == own_room) {
        own_room = own_room == 0 ? 16 : own_room * 2;
        owns = mem_resize(owns, own_room * sizeof *owns);
    }
    owns[own_count++] = (Own){.server = mem_dup(server), .id = session_id};
    pthread_mutex_unlock(&lock);
}

void my_own_end(const char *server, int64_t session_id)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < own_count; i++)
        if (owns[i].id == session_id && str_eq(owns[i].server, server)) {
            free(owns[i].server);
            owns[i] = owns[--own_count];
            break;
        }
    if (own_count == 0) {
        free(owns);
        owns = NULL;
        own_room = 0;
    }
    pthread_mutex_unlock(&lock);
}

/* "17, 23". */
static const char *own_list(Arena *arena, const char *server)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < own_count; i++)
        if (str_eq(owns[i].server, server)) {
            str_sep(&list, ", ");
            str_addf(&list, "%lld", (long long)owns[i].id);
        }
    pthread_mutex_unlock(&lock);
    return arena_dup(arena, list.len == 0 ? "0" : list.buf);
}

/* ---- who waits for us -------------------------------------------------------------------------------------
 */

Err *my_blocked_sessions(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_count)
{
    bool schema = !flavor_is_mariadb(my_flavor(conn)) && my_flavor(conn)->version >= 80001;
    const char *ours = own_list(arena, my_server_name(conn));
    Rows rows = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        arena_printf(
            arena,
            "SELECT COUNT(DISTINCT r.trx_mysql_thread_id) FROM %s JOIN information_schema.INNODB_TRX "
            "r ON r.trx_id = w.%s JOIN information_schema.INNODB_TRX b ON b.trx_id = w.%s WHERE "
            "b.trx_mysql_thread_id IN (%s) AND r.trx_mysql_thread_id NOT IN (%s) AND "
            "r.trx_wait_started <= CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM') - INTERVAL 2 "
            "SECOND",
            schema ? "performance_schema.data_lock_waits w" : "information_schema.INNODB_LOCK_WAITS w",
            schema ? "REQUESTING_ENGINE_TRANSACTION_ID" : "requesting_trx_id",
            schema ? "BLOCKING_ENGINE_TRANSACTION_ID" : "blocking_trx_id", ours, ours)));
    *ret_count = rows_int(&rows, 0, 0);
    return NULL;
}

/* ---- how far it is ----------------------------------------------------------------------------------------
 */

Err *my_doing(Conn *conn, const Wait *wait, Arena *arena, int64_t session_id, const char **ret_what,
              double *ret_part)
{
    Rows rows = {0};
    const char *session = arena_printf(arena, "%lld", (long long)session_id);
    *ret_what = NULL;
    *ret_part = -1;
    TRY(conn_params(
        conn, wait, arena, &rows,
        flavor_is_mariadb(my_flavor(conn))
            ? "SELECT STATE, (STAGE - 1 + PROGRESS / 100) / NULLIF(MAX_STAGE, 0) FROM "
              "information_schema.PROCESSLIST WHERE ID = $1 AND COMMAND = 'Query'"
            : "SELECT SUBSTRING_INDEX(e.EVENT_NAME, '/', -1), e.WORK_COMPLETED / NULLIF(e.WORK_ESTIMATED, 0) "
              "FROM performance_schema.events_stages_current e JOIN performance_schema.threads t ON "
              "t.THREAD_ID = e.THREAD_ID WHERE t.PROCESSLIST_ID = $1",
        session));
    const char *what = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 0);
    if (what == NULL || *what == '\0')
        return NULL;
    *ret_what = what;
    if (rows_cell(&rows, 0, 1) != NULL)
        *ret_part = rows_double(&rows, 0, 1) > 1 ? 1 : rows_double(&rows, 0, 1);
    return NULL;
}

/* ---- what it may use --------------------------------------------------------------------------------------
 */

/* "0-1,4": how many that is. */
static int cpus_in(const char *list)
{
    int count = 0;
    for (const char *at = list; at != NULL && *at != '\0';) {
        char *end = NULL;
        long first = strtol(at, &end, 10), last = *end == '-' ? strtol(end + 1, &end, 10) : first;
        count += last >= first ? (int)(last - first + 1) : 0;
        at = *end == ',' ? end + 1 : NULL;
    }
    return count;
}

/* The server's own number of threads is four for each part of the work, however few processors it has: with
 * two of them, two need a third less of their time, which the application has meanwhile. Where the role may
 * not see how many there are (RESOURCE_GROUP_ADMIN), it stays at that. */
static Err *usual_threads(Conn *conn, const Wait *wait, Arena *arena, const char **ret_threads)
{
    enum { SERVERS_OWN = 4 };
    Rows rows = {0};
    *ret_threads = "DEFAULT";
    Err *err = conn_query(conn, wait, arena, &rows,
                          "SELECT VCPU_IDS FROM information_schema.RESOURCE_GROUPS WHERE "
                          "RESOURCE_GROUP_NAME = 'USR_default'");
    if (err_is(err, ERR_SQL) || err_is(err, ERR_PRIVILEGE)) {
        err_free(err);
        return NULL;
    }
    TRY(err);
    int cpus = rows.row_count == 0 ? 0 : cpus_in(rows_cell(&rows, 0, 0));
    if (cpus > 0 && cpus < SERVERS_OWN)
        *ret_threads = arena_printf(arena, "%d", cpus);
    return NULL;
}

/* MySQL refman "Configuring Parallel Threads for Online DDL Operations". MariaDB sorts in
 * innodb_sort_buffer_size, which is set when the server starts, with one thread. Two indexes of a million
 * rows: 2.0 s with 64 MB, 2.4 s with the 1 MB of the server. */
Err *my_limit_build(Conn *conn, const Wait *wait, int64_t memory, int64_t workers)
{
    enum { SORT_BYTES = 64 << 20 };
    CLEANUP(arena_freep) Arena *arena = arena_new();
    if (!flavor_can(my_flavor(conn), FACT_DDL_BUFFER) && memory < 0 && workers < 0)
        return NULL;
    if (!flavor_can(my_flavor(conn), FACT_DDL_BUFFER))
        return err_hint(
            err_new(ERR_USAGE, "this server cannot limit what one session builds an index with"),
            "leave out --build-memory and --build-workers, which are of MySQL from 8.0.27 on and of "
            "PostgreSQL");
    const char *threads = arena_printf(arena, "%lld", (long long)workers + 1);
    if (workers < 0)
        TRY(usual_threads(conn, wait, arena, &threads));
    return my_exec(conn, wait,
                   arena_printf(arena,
                                "SET SESSION innodb_ddl_buffer_size = %lld, innodb_ddl_threads = %s, "
                                "innodb_parallel_read_threads = %s",
                                (long long)(memory < 0 ? SORT_BYTES : memory), threads, threads));
}
