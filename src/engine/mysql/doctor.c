/* What a change will need of this server and account, looked at beforehand. */
#include "engine/mysql/server.h"

#include "base/str.h"
#include "engine/my_server.h"
#include "engine/mysql/conn.h"

#include <stdlib.h>
#include <string.h>

typedef VEC(ServerCheck) Checks;

typedef struct Doctor {
    Conn *conn;
    const Wait *wait;
    Arena *arena;
    const Server *server;
    Flavor flavor;
    Grants grants;
    Checks checks;
} Doctor;

static void add(Doctor *doctor, const char *name, const char *severity, const char *message, const char *fix)
{
    *vec_push(doctor->arena, &doctor->checks) =
        (ServerCheck){.name = name, .severity = severity, .message = message, .fix = fix};
}

/* Those on which the tests are run. */
static bool is_tested(const Flavor *flavor)
{
    int minor = flavor->version / 100;
    return flavor_is_mariadb(flavor) ? minor == 1011 || minor == 1108
                                     : flavor->brand == FLAVOR_MYSQL && (minor == 907 || minor == 506);
}

static void check_server(Doctor *doctor)
{
    const Flavor *flavor = &doctor->flavor;
    const char *name = flavor_name(doctor->arena, flavor);
    if (flavor->version < (flavor_is_mariadb(flavor) ? 100300 : 50600))
        add(doctor, "version", "block", name, "MariaDB 10.3 and MySQL 5.6 are the oldest that are supported");
    else if (!is_tested(flavor))
        add(doctor, "version", "note", arena_printf(doctor->arena, "%s: untested server", name),
            "tests run on MariaDB 10.11 and 11.8, MySQL 5.6 and 9.7");
    else
        add(doctor, "version", "", name, NULL);
    bool standby = doctor->server->in_recovery, pooled = doctor->server->pooled;
    add(doctor, "primary", standby ? "block" : "",
        standby ? "this server is read only" : "this server takes writes",
        standby ? "connect to the primary" : NULL);
    add(doctor, "pooler", pooled ? "block" : "",
        pooled ? "the session goes through a pooler" : "no pooler in between",
        pooled ? "connect to the server directly" : NULL);
    add(doctor, "database", doctor->server->database[0] == '\0' ? "note" : "",
        doctor->server->database[0] == '\0'
            ? "no database is chosen: names need theirs in front"
            : arena_printf(doctor->arena, "database %s", doctor->server->database),
        doctor->server->database[0] == '\0' ? "put it behind the host: mysql://user@host/database" : NULL);
    if (flavor->galera)
        add(doctor, "cluster", "warn",
            "Galera: statements that change tables stop the whole cluster while they run", NULL);
    if (flavor->group_replication)
        add(doctor, "cluster", "warn", "Group Replication: certification may roll our transactions back",
            NULL);
}

static const char *grant(Doctor *doctor, const char *privileges, const char *on)
{
    return arena_printf(doctor->arena, "GRANT %s ON %s TO %s", privileges, on, doctor->server->role_sql);
}

static void check_journal(Doctor *doctor)
{
    const Server *server = doctor->server;
    bool usable = server->may_use_journal && server->journal_version >= 0;
    add(doctor, "journal", usable ? "" : "block",
        !usable ? "may not use the journal in database stoa"
        : server->journal_version == 0
            ? "no journal yet: made on first use"
            : arena_printf(doctor->arena, "journal of version %d in database stoa", server->journal_version),
        usable ? NULL : grant(doctor, "ALL", "stoa.*"));
}

static Err *check_protection(Doctor *doctor)
{
    const char *trusted = NULL;
    TRY(my_setting(doctor->conn, doctor->wait, doctor->arena, "log_bin_trust_function_creators", &trusted));
    bool may = grants_have(&doctor->grants, "TRIGGER", "stoa") &&
               (!doctor->flavor.binlog || doctor->server->superuser || str_eq(trusted, "ON"));
    add(doctor, "triggers", may ? "" : "note",
        may ? "may make triggers"
            : "may not make triggers: events of the journal are not protected, and changes "
              "are captured from the binary log alone",
        may ? NULL : "SET GLOBAL log_bin_trust_function_creators = 1");
    return NULL;
}

static void check_account(Doctor *doctor)
{
    const Server *server = doctor->server;
    add(doctor, "scratch database", server->may_create_database ? "" : "block",
        server->may_create_database ? "may make scratch databases, to try plans on empty copies"
                                    : "may not make scratch databases: nothing tells how the server would "
                                      "carry a statement out",
        server->may_create_database ? NULL : grant(doctor, "CREATE, DROP, ALTER, INDEX, REFERENCES", "*.*"));
    bool stages =
        server->superuser || grants_have(&doctor->grants, "CREATE TEMPORARY TABLES", server->database);
    add(doctor, "temporary tables", stages ? "" : "warn",
        stages ? "may make temporary tables, to compare converted rows"
               : "may not make temporary tables: rows whose keys or types change cannot be compared",
        stages ? NULL
               : grant(doctor, "CREATE TEMPORARY TABLES",
                       arena_printf(doctor->arena, "%s.*", server->database)));
    add(doctor, "sessions", server->may_read_stats ? "" : "warn",
        server->may_read_stats ? "may see other sessions"
                               : "may not see other sessions: whoever is in the way is "
                                 "not named, and old snapshots are not seen",
        server->may_read_stats ? NULL : grant(doctor, "PROCESS", "*.*"));
}

static Err *check_locks(Doctor *doctor)
{
    Rows rows = {0};
    Err *err = conn_query(doctor->conn, doctor->wait, doctor->arena, &rows,
                          "SELECT (SELECT COUNT(*) FROM performance_schema.setup_instruments WHERE NAME = "
                          "'wait/lock/metadata/sql/mdl' AND ENABLED = 'YES' AND @@performance_schema = 1) + "
                          "(SELECT COUNT(*) FROM information_schema.PLUGINS WHERE PLUGIN_NAME = "
                          "'METADATA_LOCK_INFO' AND PLUGIN_STATUS = 'ACTIVE')");
    bool known = err == NULL && rows_int(&rows, 0, 0) > 0;
    if (err_is(err, ERR_SQL) || err_is(err, ERR_PRIVILEGE)) {
        err_free(err);
        err = NULL;
    }
    TRY(err);
    const char *fix = flavor_is_mariadb(&doctor->flavor)
                          ? "INSTALL SONAME 'metadata_lock_info'"
                          : "UPDATE performance_schema.setup_instruments SET ENABLED = 'YES' WHERE NAME = "
                            "'wait/lock/metadata/sql/mdl'";
    add(doctor, "metadata locks", known ? "" : "note",
        known ? "the server tells who holds a table"
              : "the server does not tell who holds a table: open transactions are named instead",
        known ? NULL : fix);
    return NULL;
}

static void check_binlog(Doctor *doctor)
{
    const Flavor *flavor = &doctor->flavor;
    bool is_mariadb = flavor_is_mariadb(flavor);
    bool follows = grants_have(&doctor->grants, "REPLICATION SLAVE", NULL);
    bool places = grants_have(&doctor->grants, is_mariadb ? "BINLOG MONITOR" : "REPLICATION CLIENT", NULL) ||
                  grants_have(&doctor->grants, "REPLICATION CLIENT", NULL);
    if (!flavor->binlog) {
        add(doctor, "binary log", "note", "off: changes are captured by triggers", NULL);
        return;
    }
    if (!str_eq(flavor->binlog_format, "ROW")) {
        add(doctor, "binary log", "warn",
            arena_printf(doctor->arena, "format %s: it does not hold the rows that change",
                         flavor->binlog_format == NULL ? "unknown" : flavor->binlog_format),
            "SET GLOBAL binlog_format = 'ROW'");
        return;
    }
    if (follows && places && doctor->server->my->no_log != NULL) {
        add(doctor, "binary log", "warn",
            arena_printf(doctor->arena, "%s: changes are captured by triggers", doctor->server->my->no_log),
            NULL);
        return;
    }
    add(doctor, "binary log", follows && places ? "" : "warn",
        follows && places ? "may be followed, to capture changes"
                          : "may not be followed: changes are captured by triggers",
        follows && places ? NULL
                          : grant(doctor,
                                  is_mariadb ? "REPLICATION SLAVE, BINLOG MONITOR"
                                             : "REPLICATION SLAVE, REPLICATION CLIENT",
                                  "*.*"));
}

/* What stands against the two ways of capture beyond that. */
static void check_capture(Doctor *doctor)
{
    const MyServer *my = doctor->server->my;
    bool follows = my->no_triggers != NULL;
    if (follows)
        add(doctor, "replay", my->no_log != NULL ? "warn" : "note", my->no_triggers,
            my->no_log != NULL ? "connect to the primary, or log_slave_updates = ON" : NULL);
    if (my->no_rows != NULL)
        add(doctor, "rows", "warn", my->no_rows, "or SET GLOBAL binlog_format = 'ROW'");
    bool lists = flavor_is_mariadb(&doctor->flavor) || doctor->flavor.version < 80000 ||
                 grants_have(&doctor->grants, "XA_RECOVER_ADMIN", NULL);
    if (!lists)
        add(doctor, "prepared transactions", "note",
            "may not list prepared transactions (XA): capture begins when all open ones have ended",
            grant(doctor, "XA_RECOVER_ADMIN", "*.*"));
}

static void check_replicas(Doctor *doctor)
{
    if (doctor->server->my->replicas_unknown)
        add(doctor, "replica", "note", "may not see replicas: plans are made as if there were some",
            grant(doctor, "PROCESS", "*.*"));
    for (size_t i = 0; i < doctor->server->standby_count; i++)
        add(doctor, "replica", "note",
            arena_printf(doctor->arena, "replica %s", doctor->server->standbys[i].name),
            "have its lag watched: --replicas mysql://user@host:3306/");
}

Err *my_checks(Conn *conn, const Wait *wait, Arena *arena, const Server *server, ServerCheck **ret_checks,
               size_t *ret_count)
{
    Doctor doctor = {
        .conn = conn, .wait = wait, .arena = arena, .server = server, .flavor = *my_flavor(conn)};
    TRY(flavor_load(conn, wait, arena, &doctor.flavor));
    TRY(my_grants(conn, wait, arena, &doctor.grants));
    check_server(&doctor);
    check_journal(&doctor);
    check_account(&doctor);
    TRY(check_protection(&doctor));
    TRY(check_locks(&doctor));
    check_binlog(&doctor);
    check_capture(&doctor);
    check_replicas(&doctor);
    *ret_checks = doctor.checks.items;
    *ret_count = doctor.checks.len;
    return NULL;
}
