/* Positions in the log, the heartbeat by which replicas are measured, and the server's time. */
#include "engine/mysql/server.h"

#include "base/str.h"
#include "base/zone.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/journal.h"

#include <stdlib.h>
#include <string.h>

#define GTID_PREFIX "gtid:"
#define FILE_PREFIX "file:"

/* ---- positions --------------------------------------------------------------------------------------------
 */

/* Without binary log there is none, and without the grant nothing can be said. */
static Err *file_position(Conn *conn, const Wait *wait, Arena *arena, const char **ret_position)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   flavor_can(my_flavor(conn), FACT_SOURCE_WORDS) ? "SHOW BINARY LOG STATUS"
                                                                  : "SHOW MASTER STATUS"));
    *ret_position = rows.row_count == 0 ? "none"
                                        : arena_printf(arena, FILE_PREFIX "%s:%s", rows_cell(&rows, 0, 0),
                                                       rows_cell(&rows, 0, 1));
    return NULL;
}

Err *my_position(Conn *conn, const Wait *wait, Arena *arena, const char **ret_position)
{
    Flavor flavor = *my_flavor(conn);
    TRY(flavor_load(conn, wait, arena, &flavor));
    if (flavor.binlog && flavor.gtid == GTID_ON && flavor.gtid_executed != NULL) {
        *ret_position = arena_printf(arena, GTID_PREFIX "%s", flavor.gtid_executed);
        return NULL;
    }
    *ret_position = "none";
    return flavor.binlog ? file_position(conn, wait, arena, ret_position) : NULL;
}

/* By columns' names, which differ: Relay_Master_Log_File, Relay_Source_Log_File. */
static Err *replayed_file(Conn *conn, const Wait *wait, Arena *arena, const char *position, bool *ret_reached)
{
    enum { MARIADB_FILE = 9, MARIADB_POSITION = 21 }; /* the same columns on all versions so far */
    Rows rows = {0};
    bool replica_words = !flavor_is_mariadb(my_flavor(conn)) && my_flavor(conn)->version >= 80022;
    TRY(conn_query(conn, wait, arena, &rows, replica_words ? "SHOW REPLICA STATUS" : "SHOW SLAVE STATUS"));
    const char *colon = strrchr(position, ':');
    if (rows.row_count == 0 || rows.col_count <= MARIADB_POSITION || colon == NULL)
        return err_new(ERR_UNSAFE, "this server is no replica, so nothing tells what it has replayed");
    const char *file = rows_cell(&rows, 0, MARIADB_FILE);
    int64_t at = rows_int(&rows, 0, MARIADB_POSITION);
    size_t len = (size_t)(colon - position);
    int order = file == NULL          ? -1
                : strlen(file) != len ? (strlen(file) < len ? -1 : 1)
                                      : strncmp(file, position, len);
    *ret_reached = order > 0 || (order == 0 && at >= strtoll(colon + 1, NULL, 10));
    return NULL;
}

/* MySQL refman "GTID Functions"; MariaDB KB "MASTER_GTID_WAIT": 0 once reached, -1 when the time is over. */
Err *my_reached(Conn *conn, const Wait *wait, Arena *arena, const char *position, bool *ret_reached)
{
    Rows rows = {0};
    *ret_reached = true;
    if (str_eq(position, "none"))
        return NULL;
    if (str_starts(position, FILE_PREFIX))
        return replayed_file(conn, wait, arena, position + strlen(FILE_PREFIX), ret_reached);
    bool is_mariadb = flavor_is_mariadb(my_flavor(conn));
    TRY(conn_params(conn, wait, arena, &rows,
                    is_mariadb ? "SELECT MASTER_GTID_WAIT($1, 0) = 0"
                               : "SELECT GTID_SUBSET($1, @@GLOBAL.gtid_executed)",
                    position + strlen(GTID_PREFIX)));
    *ret_reached = rows_bool(&rows, 0, 0);
    return NULL;
}

Err *my_work_sum(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_at_s, int64_t *ret_sum)
{
    Rows rows = {0};
    const char *sum = NULL;
    TRY(conn_query(conn, wait, arena, &rows, "SELECT CAST(UNIX_TIMESTAMP() AS SIGNED)"));
    TRY(my_status(conn, wait, arena, "Questions", &sum));
    *ret_at_s = rows_int(&rows, 0, 0);
    *ret_sum = sum == NULL ? 0 : strtoll(sum, NULL, 10);
    return NULL;
}

Err *my_log_bytes(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes)
{
    const char *bytes = NULL;
    TRY(my_status(conn, wait, arena, "Innodb_os_log_written", &bytes));
    *ret_bytes = bytes == NULL ? 0 : strtoll(bytes, NULL, 10);
    return NULL;
}

/* ---- heartbeat --------------------------------------------------------------------------------------------
 */

#define NOW_MS "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"

Err *my_beat(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_ms)
{
    Rows rows = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        "INSERT INTO stoa.heartbeat (id, at_ms) VALUES (1, " NOW_MS
        ") ON DUPLICATE KEY UPDATE at_ms = VALUES(at_ms); SELECT at_ms FROM stoa.heartbeat WHERE id "
        "= 1"));
    *ret_ms = rows_int(&rows, 0, 0);
    return NULL;
}

Err *my_beat_seen(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_ms)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, "SELECT at_ms FROM stoa.heartbeat WHERE id = 1"));
    if (rows.row_count == 0)
        return err_new(ERR_SQL, "no heartbeat of ours has come there yet");
    *ret_ms = rows_int(&rows, 0, 0);
    return NULL;
}

/* ---- time -------------------------------------------------------------------------------------------------
 */

/* mysql.time_zone is empty unless somebody has loaded it: then it is this machine's database that tells. */
static Err *local_by_machine(Conn *conn, const Wait *wait, Arena *arena, const char *time_zone,
                             const char *at, int64_t ahead_minutes, int *ret_minute, int *ret_weekday)
{
    Rows rows = {0};
    int64_t offset_s = 0;
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT TIMESTAMPDIFF(SECOND, '1970-01-01 00:00:00', COALESCE($1, UTC_TIMESTAMP())) + $2 * 60", at,
        arena_printf(arena, "%lld", (long long)ahead_minutes)));
    int64_t utc_s = rows_int(&rows, 0, 0);
    Err *err = zone_offset_s(NULL, time_zone, utc_s, &offset_s);
    if (err != NULL) {
        err_free(err);
        return err_hint(
            err_new(ERR_SQL, "neither the server nor this machine knows a time zone \"%s\"", time_zone),
            "give it as an offset (+01:00), or load the zones: mysql_tzinfo_to_sql "
            "/usr/share/zoneinfo | mysql mysql");
    }
    int64_t minutes = (utc_s + offset_s) / 60;
    *ret_minute = (int)(minutes % 1440);
    *ret_weekday = (int)((minutes / 1440 + 4) % 7); /* 1970 began on a Thursday */
    return NULL;
}

Err *my_local_time(Conn *conn, const Wait *wait, Arena *arena, const char *time_zone, const char *at,
                   int64_t ahead_minutes, int *ret_minute, int *ret_weekday)
{
    Rows rows = {0};
    const char *zone = str_eq(time_zone, "UTC") ? "+00:00" : time_zone;
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT HOUR(t) * 60 + MINUTE(t), DAYOFWEEK(t) - 1 FROM (SELECT CONVERT_TZ(COALESCE($2, "
                    "UTC_TIMESTAMP()) + INTERVAL $3 MINUTE, '+00:00', $1) AS t) now",
                    zone, at, arena_printf(arena, "%lld", (long long)ahead_minutes)));
    if (rows.row_count == 0 || rows_cell(&rows, 0, 0) == NULL)
        return local_by_machine(conn, wait, arena, time_zone, at, ahead_minutes, ret_minute, ret_weekday);
    *ret_minute = (int)rows_int(&rows, 0, 0);
    *ret_weekday = (int)rows_int(&rows, 0, 1);
    return NULL;
}
