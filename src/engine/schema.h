/* schema.h — what Stoa knows about a server and a table: plain data, filled by an engine, read by pure code.
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "engine/column_part.h"
#include "engine/table_copy.h"

#include <jansson.h>

typedef enum RelationKind {
    RELATION_MISSING,
    RELATION_TABLE,
    RELATION_PARTITIONED, /* the parent */
    RELATION_PARTITION,   /* a child of a partitioned table, or of an inheritance parent */
    RELATION_VIEW,
    RELATION_MATVIEW,
    RELATION_FOREIGN,
    RELATION_SYSTEM, /* a catalog table */
    RELATION_OTHER,
} RelationKind;
const char *relation_kind_name(RelationKind kind); /* "table", "partitioned table", "view" … */

typedef struct Column {
    const char *name;
    const char *type;          /* as the server writes it, with modifiers: "numeric(10,2)" */
    const char *default_sql;   /* NULL if none */
    const char *generated_sql; /* the expression of a stored generated column; NULL if none */
    const char *collation;     /* "schema"."name" when it is not the type's own; NULL */
    char identity;             /* 'a' always, 'd' by default, 0 none */
    bool not_null;
    bool exact_equality; /* "=" is true for identical bytes only (integers, dates, uuid, text …): IS DISTINCT
                            FROM sees every change. Otherwise compare images (numeric, float, citext, json …)
                          */
    bool writable;       /* the table's owner may UPDATE it */
    bool coming;         /* not there yet: check_expression tries expressions over it as if it were */
    bool self_set;       /* our UPDATE of other columns also sets this one to itself: see self_set_mark() in
                            engine/self_set.h */
} Column;

typedef struct Index {
    const char *schema, *name;
    const char *definition;     /* the server's own CREATE INDEX */
    const char *constraint;     /* name of the constraint it belongs to; NULL */
    const char *const *columns; /* plain key columns, in order; NULL where one is an expression */
    size_t column_count;
    bool unique, primary, valid, btree;
    bool key; /* unique, valid, immediate, not partial, plain not-null columns: can name and order rows */
    bool integer_key;   /* key with a single integer column */
    const char *parent; /* the partitioned index it is a part of, "schema.name"; NULL */
    double correlation; /* of its first column with the physical order, -1 … 1; 0 unknown */
    int64_t bytes;
} Index;

typedef struct TableConstraint {
    const char *name;
    char kind; /* 'c' check, 'f' foreign key, 'u' unique, 'p' primary key, 'x' exclusion, 'n' not null */
    bool validated;
    const char *ref_schema, *ref_table; /* foreign key: the referenced table */
    const char *definition;             /* the server's own text, with NOT VALID where it applies */
    bool inherited;                     /* it is its parent's as well: only there can it be changed */
    bool local;                         /* the table's own: it stays when the parent's goes */
} TableConstraint;

typedef struct Trigger {
    const char *name;
    const char *function;
    char enabled; /* 'O' origin, 'R' replica, 'A' always, 'D' disabled */
    bool row, before, on_insert, on_update, on_delete;
    bool fires_on_backfill; /* an UPDATE that sets only a new column would fire it in a normal session */
    bool fires_when_quiet;  /* … and also with the user's triggers quiet (ENABLE ALWAYS or REPLICA) */
    bool names_columns;     /* UPDATE OF … */
    bool compiled;          /* its function is in C */
    bool internal;          /* foreign keys and the like */
    bool stoa;              /* ours */
} Trigger;

/* A publication that carries the table (or the journal). */
typedef struct Publication {
    const char *name;
    bool all_tables;  /* FOR ALL TABLES, or TABLES IN SCHEMA: new tables join by themselves */
    bool column_list; /* it names columns: a new column is not carried */
    bool row_filter;
    bool journal_too; /* it would carry schema stoa as well */
} Publication;

/* A logical slot that is there while the change runs. */
typedef struct Slot {
    const char *name, *plugin;
    bool active;
    int64_t retained_bytes;
} Slot;

/* A statement seen in the server's statistics that a new column can break. */
typedef struct StarStatement {
    const char *statement; /* cut to 200 bytes */
    const char *why; /* "prepared SELECT *", "INSERT without a column list", "COPY without a column list" … */
    int64_t calls;
} StarStatement;

/* The way back: an old column that follows the new one(s). It is recomputed when one of `sources` was written
 * and the column itself was not. It never fails a write: what cannot be computed, does not fit the column, or
 * is NULL where that may not be, is noted in stoa.sync_broken. */
typedef struct SyncBack {
    const char *column;         /* the old one */
    const char *expr;           /* as it stands in the trigger function: over NEW */
    const char *const *sources; /* new columns whose change recomputes it; each is kept in step by the same
                                   change */
    size_t source_count;
    const char *default_sql; /* the old column's default: an INSERT that leaves this value in it counts as one
                                that did not name it; NULL: none, or one that gives another value each time */
    const char *check_sql;   /* over NEW, with the result in it: where this is false the result is not taken,
                                because a CHECK would refuse the write; NULL */
    const char *same_sql;    /* over NEW, once the old shape has its value: where this is false it cannot hold
                                what    was written, which is noted as a loss; NULL: not looked at. Of a column
                                kept    alive    behind a cutover it is the first way's */
    bool wins;               /* an INSERT that gives one of the sources a value means it, whatever is in the
                                column */
    bool null_ok;            /* NULL is taken as the result; else the column keeps its value */
} SyncBack;

/* A column kept in step by our trigger, of this or another change (stoa.sync_columns). */
typedef struct SyncColumn {
    int64_t change_id;
    const char *column;
    const char *expr;           /* as it stands in the trigger function: over NEW */
    const char *const *sources; /* columns whose change recomputes it */
    size_t source_count;
    const char *counter;  /* qualified name of the sequence that counts fills */
    const SyncBack *back; /* the way back, under one of the columns that it reads; each old column once a
                             change */
    size_t back_count;
    bool null_ok; /* the application may write NULL into it and mean it: NULL is filled only while all such
                     columns of the change are NULL. Only where a way back reads the column */
    bool after;   /* the old shape, kept alive behind a cutover: what it cannot hold never fails the write and
                     is noted in stoa.sync_broken; it becomes NULL (`null_ok`) or keeps its value. An INSERT
                     that gives it a value is one by position and wins over the new column's default */
} SyncColumn;

/* Ways back as the journal and plans keep them: a JSON list. The list is the caller's. */
json_t *sync_backs_to_json(const SyncBack *backs, size_t count);
void sync_backs_from_json(Arena *arena, const json_t *list, const SyncBack **ret_backs, size_t *ret_count);

/* Something that stands on a table, on one of its columns or on one of its constraints. What stands on it
 * through something else (the default of another table that draws from a column's sequence) counts as well;
 * one object may appear for several columns. */
typedef struct Dependent {
    const char *column;     /* of the table: it stands on this one; NULL */
    const char *constraint; /* likewise; neither: it stands on the table as a whole */
    const char *kind; /* "view", "materialized view", "rule", "foreign key", "check constraint", "constraint",
                         "index", "sequence", "generated column", "default", "trigger", "policy",
                         "statistics", "publication", "function", "table", "type" … */
    const char *schema, *name;  /* of the object; schema NULL where it has none of its own */
    const char *on_schema, *on; /* the relation that a constraint, index, trigger … belongs to; NULL */
    const char *text;           /* for people: "view public.paid", "foreign key f on public.items" */
    bool goes;                  /* goes away with it without a word; else the server would ask for CASCADE */
    bool hint;   /* only the text of a function mentions it: the server knows of no dependence */
    bool shared; /* an index, constraint or statistics object that needs further columns */
} Dependent;

typedef struct Face Face;

/* A table beneath a partitioned table, or beneath an inheritance parent, at whatever level. */
typedef struct Partition {
    const char *schema, *name;
    int64_t id;
    const char *parent; /* "schema.name" of the table right above it */
    const char *bound;  /* "FOR VALUES FROM (1) TO (10)", "DEFAULT"; NULL for an inheritance child */
    char kind;          /* 'r' holds rows, 'p' is partitioned itself, 'f' foreign table */
    int64_t bytes;      /* of its heap */
    bool is_default;
    bool detaching;            /* a DETACH … CONCURRENTLY that was not finished (14 and later) */
    const struct Table *table; /* all that is known of it; loaded for a plan only, else NULL */
} Partition;

typedef struct Table {
    const char *schema, *name;
    int64_t id;          /* the server's own number of it; 0 if missing */
    const char *similar; /* where it is missing: one that differs in upper and lower case, quoted; NULL */
    RelationKind kind;
    bool schema_missing; /* where it is missing: the schema that was named is, too */
    const char *owner;
    bool may_own; /* we are the owner, a member of it, or superuser */
    bool temporary, unlogged;
    bool rls, rls_forced;
    bool has_children;                /* inheritance children */
    const char *parent;               /* of a partition or inheritance child */
    const char *partition_constraint; /* of a partition: what its rows satisfy; NULL */
    bool detaching;                   /* a partition whose DETACH … CONCURRENTLY was not finished */
    bool is_partition;                /* of a partitioned table; an inheritance child is none */
    const char *root;      /* "schema.name" at the top of the tree that it is a part of; NULL if it is none */
    int64_t root_id;       /* 0 if there is none above it */
    Partition *partitions; /* all beneath it, parents before their children */
    size_t partition_count;
    const char *partition_key;      /* "RANGE (created_at)"; NULL */
    const char *const *key_columns; /* of the partition key; NULL where one is an expression */
    size_t key_column_count;
    int64_t row_estimate; /* reltuples, or from the size where never analysed; 0 when it has no blocks */
    bool empty;           /* looked: not one row is there */
    int64_t block_count, heap_bytes, index_bytes, total_bytes;
    int rows_per_block;
    int fillfactor;
    Column *columns;
    size_t column_count;
    Index *indexes;
    size_t index_count;
    TableConstraint *constraints;
    size_t constraint_count;
    Trigger *triggers;
    size_t trigger_count;
    Publication *publications;
    size_t publication_count;
    StarStatement *stars;
    size_t star_count;
    bool stars_known;              /* statement statistics could be read */
    const char *statements_schema; /* where pg_stat_statements is; NULL */
    SyncColumn *sync;
    size_t sync_count;
    const char *const *views; /* views that read the table ("schema.name") */
    size_t view_count;
    bool dependents_known; /* EngineOps.load_dependents and load_face were asked: what follows */
    Dependent *dependents;
    size_t dependent_count;
    const Face *face;
    int64_t oldest_writer_ms;        /* age of the longest transaction that holds a lock on it now; 0 none */
    bool repeatable_read_default;    /* the database or a role defaults to REPEATABLE READ or higher */
    const ColumnParts *column_parts; /* of the columns that were asked for (EngineOps.load_column_parts) */
    size_t column_parts_count;
    const TableCopy *copy;    /* where it may be copied (EngineOps.load_copy was asked); NULL */
    const struct MyTable *my; /* engine/my_table.h, of MySQL and MariaDB; NULL */
} Table;

/* A privilege of others than the owner on a relation or on one of its columns. */
typedef struct Grant {
    const char *column;    /* NULL: on the relation */
    const char *privilege; /* "SELECT" … */
    const char *grantee;   /* NULL: everybody */
    bool grantable;
} Grant;

typedef struct ColumnComment {
    const char *column, *comment;
} ColumnComment;

/* A view of a version (--versioned) over a table. */
typedef struct VersionView {
    const char *schema, *view;
    int64_t other_count; /* further relations in that schema */
} VersionView;

/* What a view in a table's place has to carry, and the versions that show the table already. */
struct Face {
    const char *comment; /* NULL if none */
    ColumnComment *comments;
    size_t comment_count;
    Grant *grants;
    size_t grant_count;
    const char *const *schema_users; /* who may use the table's schema, the table's owner left out; an entry
                                        NULL: everybody */
    size_t schema_user_count;
    VersionView *versions;
    size_t version_count;
};

const Column *table_column(const Table *table, const char *name);              /* NULL if none */
const Index *table_index(const Table *table, const char *name);                /* NULL if none */
const TableConstraint *table_constraint(const Table *table, const char *name); /* NULL if none */
/* The best key to walk and name rows by: the primary key, else a unique index over not-null columns; NULL. */
const Index *table_key(const Table *table);

/* ---- who uses it ---------------------------------------------------------------------------- */

/* A statement of the application that names a table, or one of the columns asked for. */
typedef struct UseStatement {
    const char *key;       /* the same statement of the same role has the same one */
    const char *statement; /* cut to 200 bytes */
    const char *role;
    const char *why; /* "names it", "INSERT without a column list" … */
    int64_t calls;   /* since the server began to count; 1 for one that runs now */
} UseStatement;

/* What the server remembers of the use of a table, or of columns of it. */
typedef struct Use {
    bool gone;                /* the table, or one of the columns, does not exist (any more) */
    const char *at;           /* the server's time */
    const char *unknown;      /* why statement statistics tell nothing; NULL: they could be read */
    const char *remedy;       /* what would change that; NULL */
    const char *since;        /* the statistics count since then; NULL before 14 */
    int64_t evicted;          /* statements that fell out of them, since then; -1 unknown (before 14) */
    UseStatement *statements; /* finished ones, from the statistics */
    size_t seen_count;
    UseStatement *running; /* right now, or the last of an open transaction */
    size_t running_count;
    int64_t scans, writes;        /* of the whole table: scans begun, rows written */
    const char *const *functions; /* whose text mentions it: a hint */
    size_t function_count;
} Use;

/* A role whose tables we may not alter. */
typedef struct TableOwner {
    const char *name;
    int64_t table_count;
} TableOwner;

typedef struct Standby {
    const char *name; /* application name, or address */
    bool visible;     /* its columns could be read */
    bool synchronous;
} Standby;

typedef struct Server {
    const char *engine;  /* "postgres" */
    int version_num;     /* 150020 */
    const char *version; /* "15.20" */
    const char *database, *role;
    const char *role_sql;  /* the role as a GRANT names it */
    const char *system_id; /* system identifier, "" where hidden */
    int64_t timeline;
    bool superuser;
    bool in_recovery;          /* a standby */
    bool read_only;            /* default_transaction_read_only */
    bool pooled;               /* the session goes through a transaction pooler */
    bool may_quiet_triggers;   /* may set session_replication_role */
    bool may_yield_autovacuum; /* may set deadlock_timeout */
    bool may_create_schema;    /* CREATE on the database */
    bool may_create_database;  /* CREATEDB */
    bool may_read_stats;  /* pg_read_all_stats or superuser: other sessions' statements and standby columns */
    bool has_no_wait;     /* a statement that commits by itself can be told not to wait for its lock */
    bool may_temp;        /* TEMP on the database */
    int journal_version;  /* 0: there is none; -1: there is one that this role may not read */
    bool may_use_journal; /* owns it or has the grants; without one: may create it */
    int block_size;
    const char *const *search_path; /* schemas that exist, in order, without pg_catalog and temporary ones */
    size_t search_path_count;
    const char *wal_level;
    int64_t deadlock_timeout_ms;
    int max_connections, connection_count; /* the limit, and client sessions there are now */
    const char *encoding;                  /* "UTF8" */
    bool autovacuum;
    bool statement_statistics; /* pg_stat_statements is loaded, and installed in this database */
    bool wants_synchronous;    /* synchronous_standby_names is set: a commit may wait for a standby */
    Standby *standbys;
    size_t standby_count;
    Slot *slots; /* logical ones of this database */
    size_t slot_count;
    TableOwner *other_owners; /* of tables in this database that this role may not alter */
    size_t other_owner_count;
    Publication *publications; /* that would carry a new table: FOR ALL TABLES, or the schema stoa */
    size_t publication_count;
    const struct MyServer *my; /* engine/my_server.h, of MySQL and MariaDB; NULL */
    bool may_read_journal;     /* all of its tables; also where there is none */
} Server;

/* An object of the catalog in the words of pg_get_object_address(): type "view", "function", "trigger" …
 * (NULL: none that can be named), {"public", "v"} or {"public", "orders", "touch"}, and argument types. */
typedef struct ObjectName {
    const char *type;
    const char *const *names;
    size_t name_count;
    const char *const *args;
    size_t arg_count;
} ObjectName;

/* What to look for, and how to make the wanted one among temporary objects. */
typedef struct ObjectAsk {
    ObjectName of;
    const char *const *same_sql;
    size_t same_count; /* 0: it is not compared */
    ObjectName same;
} ObjectAsk;

/* What stands in the catalog under the name of an object that a statement makes or takes away. */
typedef struct ObjectState {
    bool there;
    const char *definition;  /* the server's own words for it, without its schema; NULL: not to be compared */
    const char *wanted;      /* the same of what the statement would make; NULL */
    const char *restore_sql; /* makes it again as it is, over another definition; NULL */
    bool done;               /* the statement's own question says that nothing is left to do */
} ObjectState;

/* What the server says of an expression over the row. */
typedef struct ExprInfo {
    const char *error; /* the server's words where it is wrong; NULL if it is right */
    const char *error_state;
    bool immutable; /* the same row gives the same value: can be verified by equality */
    bool stable;    /* no volatile function in it (true as well where immutable): one value a statement */
} ExprInfo;
