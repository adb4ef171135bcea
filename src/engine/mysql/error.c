/* Error numbers to kinds. */
#include "engine/mysql/error.h"

/* MySQL: "Server Error Message Reference" and "Client Error Message Reference"; MariaDB: "MariaDB Error Code
 * Reference", which has its own numbers from 1900 to 1999 and from 4000 on. */
static const struct {
    unsigned number;
    ErrKind kind;
} kinds[] = {
    /* waiting */
    {1205, ERR_LOCK_TIMEOUT}, /* lock wait timeout; MariaDB's NOWAIT, too */
    {3572, ERR_LOCK_TIMEOUT}, /* MySQL's NOWAIT */
    {1613, ERR_LOCK_TIMEOUT}, /* XA_RBTIMEOUT */
    {1213, ERR_DEADLOCK},
    {1614, ERR_DEADLOCK},  /* XA_RBDEADLOCK */
    {3058, ERR_DEADLOCK},  /* user-level lock */
    {1020, ERR_SERIALIZE}, /* the record has changed: MariaDB's innodb_snapshot_isolation */
    {3101, ERR_SERIALIZE}, /* rolled back by Group Replication's certification */
    {1412, ERR_SERIALIZE}, /* the table was altered or emptied behind the snapshot */
    /* ended on purpose */
    {1317, ERR_CANCELLED}, /* KILL QUERY */
    {1969, ERR_CANCELLED}, /* MariaDB: max_statement_time */
    {3024, ERR_CANCELLED}, /* MySQL: max_execution_time */
    {1028, ERR_CANCELLED}, /* sort aborted, by a KILL */
    /* the session is gone; what it was doing may have happened */
    {1053, ERR_CONN_LOST}, /* server shutdown */
    {1927, ERR_CONN_LOST}, /* MariaDB: connection was killed */
    {3169, ERR_CONN_LOST}, /* MySQL: session was killed */
    {1152, ERR_CONN_LOST},
    {1158, ERR_CONN_LOST},
    {1159, ERR_CONN_LOST},
    {1160, ERR_CONN_LOST},
    {1161, ERR_CONN_LOST},
    {1184, ERR_CONN_LOST},
    {4031, ERR_CONN_LOST}, /* MySQL 8.0.24+: idle for wait_timeout */
    {2006, ERR_CONN_LOST},
    {2013, ERR_CONN_LOST},
    {2026, ERR_CONN_LOST}, /* TLS */
    {2027, ERR_CONN_LOST}, /* malformed packet */
    {2055, ERR_CONN_LOST},
    {1047, ERR_CONN_LOST}, /* Galera: this node is not part of the cluster now */
    /* no connection */
    {1040, ERR_CONNECT}, /* too many connections */
    {1042, ERR_CONNECT},
    {1043, ERR_CONNECT},
    {1049, ERR_CONNECT}, /* unknown database */
    {1129, ERR_CONNECT}, /* host is blocked */
    {1130, ERR_CONNECT}, /* host is not allowed */
    {1203, ERR_CONNECT},
    {1226, ERR_CONNECT},
    {1251, ERR_CONNECT},
    {1820, ERR_CONNECT}, /* the password must be set first */
    {1862, ERR_CONNECT}, /* the password has expired */
    {3118, ERR_CONNECT}, /* account is locked */
    {4151, ERR_CONNECT}, /* MariaDB: account is locked */
    {2002, ERR_CONNECT},
    {2003, ERR_CONNECT},
    {2005, ERR_CONNECT},
    {2012, ERR_CONNECT},
    {2054, ERR_CONNECT},
    {2058, ERR_CONNECT},
    {2059, ERR_CONNECT}, /* an authentication plugin cannot be loaded */
    {2061, ERR_CONNECT},
    /* grants */
    {1044, ERR_PRIVILEGE},
    {1045, ERR_PRIVILEGE},
    {1095, ERR_PRIVILEGE}, /* not the owner of that thread */
    {1142, ERR_PRIVILEGE},
    {1143, ERR_PRIVILEGE},
    {1227, ERR_PRIVILEGE},
    {1370, ERR_PRIVILEGE},
    {1410, ERR_PRIVILEGE},
    {1419,
     ERR_PRIVILEGE}, /* triggers with the binary log on need SUPER, or log_bin_trust_function_creators */
    {1698, ERR_PRIVILEGE},
    {1873, ERR_PRIVILEGE},
    /* room */
    {1021, ERR_DISK_FULL},
    {1114, ERR_DISK_FULL}, /* the table is full */
    {1874, ERR_DISK_FULL}, /* InnoDB is in read-only mode */
    {3019, ERR_DISK_FULL}, /* the undo log */
    {3675, ERR_DISK_FULL}, /* the tablespace */
};

ErrKind my_error_kind(unsigned number)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].number == number)
            return kinds[i].kind;
    return ERR_SQL;
}
