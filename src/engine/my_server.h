/* my_server.h — what MySQL and MariaDB are set to, and can do, as far as plans ask for it. Plain data, filled
 * by engine/mysql, read by pure code. */
#pragma once
#include "base/err.h"

typedef struct MyServer {
    bool mariadb;
    bool ansi_quotes, no_backslash_escapes; /* of the global sql_mode */
    const char *odd_mode; /* a sql_mode of the server under which an expression may mean something else than
                             in a session of ours: "PIPES_AS_CONCAT"; NULL */
    const char *other_language; /* a sql_mode that reads statements in another language: "ORACLE"; NULL */
    bool utc;                   /* the server's own time zone is UTC */
    bool galera;                /* a node of a Galera cluster */
    bool group_replication;     /* an online member of a group */
    int autoinc_lock_mode;      /* innodb_autoinc_lock_mode */
    bool invisible_columns;     /* MySQL 8.0.23, MariaDB 10.3 */
    bool set_visible;           /* ALTER COLUMN … SET VISIBLE: MySQL 8.0.23 */
    bool repeatable_triggers;   /* CREATE OR REPLACE TRIGGER (MariaDB 10.1.4), or CREATE TRIGGER IF NOT EXISTS
                                   (MySQL 8.0.29) */
    bool checks_by_schema;   /* names of CHECK constraints are unique in a database, so that a copy of a table
                                has other ones: MySQL 8.0.16 */
    const char *no_log;      /* why changed rows cannot be read from the binary log: it is off, not by rows,
                                 without full images, not of all changes, or the role lacks REPLICATION SLAVE;
                                 NULL: they can */
    const char *no_triggers; /* why triggers would not see all changes: the server replays those of another
                                one; NULL: they would */
    const char *no_rows;     /* why our own changes cannot be logged by rows: binlog_format is STATEMENT, and
                                the role may not set it for its sessions; NULL: they can */
    bool replicas_unknown;   /* the role may see neither replicas nor their sessions */
    bool skips_locked;       /* FOR UPDATE SKIP LOCKED: MySQL 8.0.1, MariaDB 10.6 */
    bool logged;             /* the binary log is on */
    bool untested;           /* a version that Stoa's own tests do not run on: it stands on documentation */
} MyServer;
