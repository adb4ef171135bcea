/* flavor.h — which server this is, and what follows from that: facts by brand and version stand in one table.
 *
 * Parsing is pure; flavor_load asks the server for what is set rather than built in. */
#pragma once
#include "engine/engine.h"

typedef enum FlavorBrand { FLAVOR_MYSQL, FLAVOR_MARIADB, FLAVOR_PERCONA } FlavorBrand;

/* Things that a server can do by its version; flavor_can() asks the table in flavor.c, which names the source
 * of each. */
typedef enum FlavorFact {
    FACT_INSTANT_ADD_LAST, /* ALGORITHM=INSTANT adds a column at the end */
    FACT_INSTANT_ADD_ANY,  /* … anywhere, and drops one */
    FACT_INSTANT_RENAME,   /* … renames one */
    FACT_INSTANT_BROKEN,   /* MySQL 8.0.29 to 8.0.31: instant columns break backups and rows */
    FACT_ROW_VERSIONS,     /* each instant change uses up a row version: MySQL, 64, or 255 from 9.1 on */
    FACT_ROW_VERSIONS_255,
    FACT_NOCOPY,            /* ALGORITHM=NOCOPY is a word */
    FACT_RENAME_UNDER_LOCK, /* RENAME TABLE of tables that the session has locked */
    FACT_ATOMIC_RENAME,     /* a RENAME TABLE of several tables survives a crash whole or not at all */
    FACT_RENAME_WAIT,       /* RENAME/ALTER/LOCK TABLE … WAIT n | NOWAIT */
    FACT_ONLINE_COPY,       /* ALGORITHM=COPY, LOCK=NONE */
    FACT_INVISIBLE_COLUMNS,
    FACT_CHECK,             /* CHECK constraints are enforced */
    FACT_FOR_SHARE,         /* FOR SHARE; elsewhere LOCK IN SHARE MODE */
    FACT_SHARE_NOWAIT,      /* a shared locking read takes NOWAIT */
    FACT_UPDATE_NOWAIT,     /* FOR UPDATE NOWAIT */
    FACT_SKIP_LOCKED,       /* FOR UPDATE SKIP LOCKED */
    FACT_ISOLATION_NAME,    /* the variable is transaction_isolation; elsewhere tx_isolation */
    FACT_SOURCE_WORDS,      /* SHOW BINARY LOG STATUS, SHOW REPLICA STATUS; the old words may be gone */
    FACT_SNAPSHOT_POSITION, /* binlog_snapshot_file and _position of a consistent snapshot */
    FACT_ROW_METADATA,      /* TABLE_MAP tells signedness and more: binlog_row_metadata */
    FACT_TAGGED_GTID,
    FACT_PAYLOAD,            /* binlog_transaction_compression */
    FACT_LOG_COMPRESS,       /* log_bin_compress */
    FACT_FULL_NODUP,         /* binlog_row_image=FULL_NODUP */
    FACT_COLLATION_CORRUPTS, /* an index built in place for another collation is corrupt */
    FACT_DDL_BUFFER,         /* innodb_ddl_buffer_size: what a session may sort an index in */
    FACT_COUNT
} FlavorFact;

typedef enum FlavorGtid { GTID_OFF, GTID_PERMISSIVE, GTID_ON } FlavorGtid;

typedef struct Flavor {
    FlavorBrand brand;
    int version;      /* 80036, 101119, 90700 */
    const char *text; /* the server's own */
    /* What flavor_load adds. */
    bool binlog; /* log_bin */
    const char *binlog_format, *row_image, *checksum, *row_value_options;
    bool binlog_compressed;    /* log_bin_compress, or binlog_transaction_compression */
    FlavorGtid gtid;           /* MariaDB has always ON */
    const char *gtid_executed; /* what a stream that begins now starts from; NULL where there is none */
    int64_t server_id;
    const char *server_uuid; /* MySQL; NULL on MariaDB */
    int lower_case_table_names;
    bool read_only;
    bool galera;            /* wsrep_on with a provider */
    bool group_replication; /* this member is online */
    int64_t autoinc_lock_mode;
} Flavor;

/* "10.11.19-MariaDB-0+deb12u1", "5.5.5-10.11.19-MariaDB", "8.0.36-28" with the comment "Percona Server …".
 * The text is kept, not copied. ERR_CONNECT for a version that cannot be read. */
Err *flavor_parse(const char *version, const char *comment, Flavor *ret_flavor) MUST_USE;
bool flavor_can(const Flavor *flavor, FlavorFact fact);
/* "rename under lock"; for messages and doctor. */
const char *flavor_fact_name(FlavorFact fact);
/* "MariaDB 10.11.19" into `arena`. */
char *flavor_name(Arena *arena, const Flavor *flavor) __attribute__((returns_nonnull));
static inline bool flavor_is_mariadb(const Flavor *flavor) { return flavor->brand == FLAVOR_MARIADB; }
/* Settings as they are now; `flavor` must be parsed. Texts in `arena`. */
Err *flavor_load(Conn *conn, const Wait *wait, Arena *arena, Flavor *flavor) MUST_USE;
