/* Which server this is, and what follows from that. */
#include "engine/mysql/flavor.h"

#include "base/str.h"
#include "engine/mysql/conn.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NEVER = 0, ALWAYS = 1, NO_END = 999999 };

/* From the first version of `from` to before `until`. Percona Server follows MySQL. */
static const struct {
    const char *name;
    int mysql_from, mysql_until;
    int mariadb_from, mariadb_until;
} facts[FACT_COUNT] = {
    /* MySQL refman "Online DDL Operations"; MariaDB KB "InnoDB Online DDL Operations with ALGORITHM=INSTANT"
     */
    [FACT_INSTANT_ADD_LAST] = {"instant add of a last column", 80012, NO_END, 100302, NO_END},
    [FACT_INSTANT_ADD_ANY] = {"instant add and drop of any column", 80029, NO_END, 100400, NO_END},
    [FACT_INSTANT_RENAME] = {"instant rename of a column", 80028, NO_END, 100400, NO_END},
    /* Percona XtraBackup documentation, "MySQL 8.0.29 instant columns" */
    [FACT_INSTANT_BROKEN] = {"instant columns are not safe", 80029, 80032, NEVER, NEVER},
    [FACT_ROW_VERSIONS] = {"instant changes are counted", 80029, NO_END, NEVER, NEVER},
    [FACT_ROW_VERSIONS_255] = {"255 instant changes", 90100, NO_END, NEVER, NEVER},
    [FACT_NOCOPY] = {"ALGORITHM=NOCOPY", NEVER, NEVER, 100307, NO_END},
    /* MySQL 8.0.13 release notes; MariaDB 10.11 refuses it with 1192 (seen) */
    [FACT_RENAME_UNDER_LOCK] = {"RENAME TABLE under LOCK TABLES", 80013, NO_END, NEVER, NEVER},
    /* MySQL refman "Atomic Data Definition Statement Support"; MariaDB KB "Atomic DDL" */
    [FACT_ATOMIC_RENAME] = {"atomic RENAME TABLE", 80000, NO_END, 100601, NO_END},
    [FACT_RENAME_WAIT] = {"WAIT and NOWAIT of DDL", NEVER, NEVER, 100300, NO_END},
    [FACT_ONLINE_COPY] = {"online ALGORITHM=COPY", NEVER, NEVER, 110200, NO_END},
    [FACT_INVISIBLE_COLUMNS] = {"invisible columns", 80023, NO_END, 100303, NO_END},
    [FACT_CHECK] = {"enforced CHECK", 80016, NO_END, 100201, NO_END},
    [FACT_FOR_SHARE] = {"FOR SHARE", 80001, NO_END, NEVER, NEVER},
    [FACT_SHARE_NOWAIT] = {"NOWAIT of shared locking reads", 80001, NO_END, 100300, NO_END},
    [FACT_UPDATE_NOWAIT] = {"FOR UPDATE NOWAIT", 80001, NO_END, 100300, NO_END},
    [FACT_SKIP_LOCKED] = {"FOR UPDATE SKIP LOCKED", 80001, NO_END, 100600, NO_END},
    [FACT_ISOLATION_NAME] = {"transaction_isolation", 50720, NO_END, 110101, NO_END},
    [FACT_SOURCE_WORDS] = {"SHOW BINARY LOG STATUS", 80200, NO_END, NEVER, NEVER},
    /* MariaDB KB "Enhancements for START TRANSACTION WITH CONSISTENT SNAPSHOT" */
    [FACT_SNAPSHOT_POSITION] = {"the snapshot's log position", NEVER, NEVER, 100000, NO_END},
    [FACT_ROW_METADATA] = {"binlog_row_metadata", 80001, NO_END, 100500, NO_END},
    [FACT_TAGGED_GTID] = {"tagged GTIDs", 80300, NO_END, NEVER, NEVER},
    [FACT_PAYLOAD] = {"binlog_transaction_compression", 80020, NO_END, NEVER, NEVER},
    [FACT_LOG_COMPRESS] = {"log_bin_compress", NEVER, NEVER, 100203, NO_END},
    [FACT_FULL_NODUP] = {"binlog_row_image=FULL_NODUP", NEVER, NEVER, 110401, NO_END},
    /* Seen on 10.11 and 11.8 within seconds: 1034 for writers, then the server dies. In place since
     * 10.4.3 (MDEV-15564). A rebuild of the whole table and ALGORITHM=COPY stood the same load. */
    [FACT_COLLATION_CORRUPTS] = {"an index built for another collation is corrupt", NEVER, NEVER, 100403,
                                 NO_END},
    [FACT_DDL_BUFFER] = {"innodb_ddl_buffer_size", 80027, NO_END, NEVER, NEVER},
};

bool flavor_can(const Flavor *flavor, FlavorFact fact)
{
    bool is_mariadb = flavor_is_mariadb(flavor);
    int from = is_mariadb ? facts[fact].mariadb_from : facts[fact].mysql_from;
    int until = is_mariadb ? facts[fact].mariadb_until : facts[fact].mysql_until;
    return from != NEVER && flavor->version >= from && flavor->version < until;
}

const char *flavor_fact_name(FlavorFact fact) { return facts[fact].name; }

Err *flavor_parse(const char *version, const char *comment, Flavor *ret_flavor)
{
    /* MariaDB before 11 says 5.5.5- first where it answers as a replication source. */
    bool is_mariadb = strstr(version, "MariaDB") != NULL || strcasestr(comment, "mariadb") != NULL;
    const char *at = is_mariadb && str_starts(version, "5.5.5-") ? version + strlen("5.5.5-") : version;
    int parts[3];
    for (int i = 0; i < 3; i++) {
        char *end;
        long part = strtol(at, &end, 10);
        if (end == at || part < 0 || part > 99 || (i < 2 && *end != '.'))
            return err_new(ERR_CONNECT,
                           "the server says it is version \"%s\", which is neither MySQL's nor MariaDB's",
                           version);
        parts[i] = (int)part;
        at = end + 1;
    }
    ret_flavor->text = version;
    ret_flavor->version = parts[0] * 10000 + parts[1] * 100 + parts[2];
    ret_flavor->brand = is_mariadb                               ? FLAVOR_MARIADB
                        : strcasestr(comment, "percona") != NULL ? FLAVOR_PERCONA
                                                                 : FLAVOR_MYSQL;
    return NULL;
}

char *flavor_name(Arena *arena, const Flavor *flavor)
{
    static const char *const brands[] = {
        [FLAVOR_MYSQL] = "MySQL", [FLAVOR_MARIADB] = "MariaDB", [FLAVOR_PERCONA] = "Percona Server"};
    return arena_printf(arena, "%s %d.%d.%d", brands[flavor->brand], flavor->version / 10000,
                        flavor->version / 100 % 100, flavor->version % 100);
}

/* ---- what is set -----------------------------------------------------------------------------------------
 */

static const char *setting(const Rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->row_count; i++)
        if (strcasecmp(rows_cell(rows, i, 0), name) == 0)
            return rows_cell(rows, i, 1);
    return NULL;
}

static bool is_on(const char *value)
{
    return value != NULL && (strcasecmp(value, "ON") == 0 || str_eq(value, "1"));
}

static FlavorGtid gtid_mode(const Flavor *flavor, const char *mode)
{
    if (flavor_is_mariadb(flavor) || is_on(mode))
        return GTID_ON;
    return mode == NULL || strcasecmp(mode, "OFF") == 0 ? GTID_OFF : GTID_PERMISSIVE;
}

/* SHOW VARIABLES would cut a long set off. */
static Err *load_gtid(Conn *conn, const Wait *wait, Arena *arena, Flavor *flavor)
{
    if (flavor->gtid == GTID_OFF)
        return NULL;
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   flavor_is_mariadb(flavor) ? "SELECT @@GLOBAL.gtid_binlog_pos"
                                             : "SELECT @@GLOBAL.gtid_executed"));
    flavor->gtid_executed = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 0);
    return NULL;
}

Err *flavor_load(Conn *conn, const Wait *wait, Arena *arena, Flavor *flavor)
{
    Rows rows = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format', 'binlog_row_image', "
        "'binlog_checksum', 'binlog_row_value_options', 'log_bin_compress', "
        "'binlog_transaction_compression', 'gtid_mode', 'server_id', 'server_uuid', "
        "'lower_case_table_names', 'read_only', 'wsrep_on', 'wsrep_provider', "
        "'group_replication_group_name', 'innodb_autoinc_lock_mode')"));
    const char *text = setting(&rows, "binlog_row_value_options"), *number = setting(&rows, "server_id");
    const char *names = setting(&rows, "lower_case_table_names"),
               *autoinc = setting(&rows, "innodb_autoinc_lock_mode");
    const char *provider = setting(&rows, "wsrep_provider"),
               *group = setting(&rows, "group_replication_group_name");
    flavor->binlog = is_on(setting(&rows, "log_bin"));
    flavor->binlog_format = setting(&rows, "binlog_format");
    flavor->row_image = setting(&rows, "binlog_row_image");
    flavor->checksum = setting(&rows, "binlog_checksum");
    flavor->row_value_options = text == NULL ? "" : text;
    flavor->binlog_compressed =
        is_on(setting(&rows, "log_bin_compress")) || is_on(setting(&rows, "binlog_transaction_compression"));
    flavor->gtid = gtid_mode(flavor, setting(&rows, "gtid_mode"));
    flavor->server_id = number == NULL ? 0 : strtoll(number, NULL, 10);
    flavor->server_uuid = setting(&rows, "server_uuid");
    flavor->lower_case_table_names = names == NULL ? 0 : (int)strtol(names, NULL, 10);
    flavor->read_only = is_on(setting(&rows, "read_only"));
    flavor->galera = is_on(setting(&rows, "wsrep_on")) && provider != NULL && !str_eq(provider, "none") &&
                     provider[0] != '\0';
    flavor->group_replication = group != NULL && group[0] != '\0';
    flavor->autoinc_lock_mode = autoinc == NULL ? 1 : strtoll(autoinc, NULL, 10);
    return load_gtid(conn, wait, arena, flavor);
}
