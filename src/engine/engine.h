/* engine.h — what a database server can do for Stoa: the one interface that every engine implements.
 *
 * Upper floors ask for a feature, never for a brand, and never see a client library. Every call that talks to
 * the server blocks in poll() over the server's socket and the stop token, and cancels the running statement
 * when the token reaches STOP_NOW or the time is up; afterwards the connection is usable. A connection
 * belongs to one thread at a time, except conn_cancel(). Positions, identifiers and SQL text are opaque
 * outside the engine. */
#pragma once
#include "base/arena.h"
#include "base/stop.h"
#include "base/str.h"
#include "engine/hide.h"
#include "engine/journal_sql.h"
#include "engine/ladder.h"
#include "engine/load_signal.h"
#include "engine/probe.h"
#include "engine/schema.h"
#include "engine/shadow.h"
#include "engine/stale.h"

typedef struct EngineOps EngineOps;

/* ---- where to connect ----------------------------------------------------------------------- */

struct Target {
    const char *url;              /* as given; may hold a secret: never printed, see target_redacted() */
    const char *password_command; /* what prints the password, for a shell; NULL */
    const char *database;         /* another one than the URL says; NULL */
    const char *schema; /* stands first in the search path, and has what is named without a schema; NULL */
};

/* The engine for a URL's scheme; "" and NULL mean the first engine's own conventions (PG*). */
Err *engine_for_url(const EngineOps *const *engines, size_t count, const char *url,
                    const EngineOps **ret_ops) MUST_USE;
/* The URL without password and secret parameters, for messages; in `arena`. */
char *target_redacted(Arena *arena, const char *url);
/* What the password command prints, without the end of its line; it is asked for each connection, so that it
 * may give a token that soon expires, and finds the redacted URL in $STOA_TARGET. *ret_password: NULL where
 * there is no command. Errors: ERR_CONNECT where it fails, prints nothing or takes longer than 30 s;
 * ERR_STOPPED. */
Err *target_password(Arena *arena, const Target *target, const Wait *wait,
                     const char **ret_password) MUST_USE;

/* ---- statements ----------------------------------------------------------------------------- */

struct Wait {
    const Stop *stop;   /* may be NULL */
    int64_t timeout_ms; /* 0: no limit; past it the statement is cancelled: ERR_CANCELLED */
    int64_t until_ms;   /* clock_ms(): the same for all statements together; 0 no limit */
    bool abandon; /* past its time, or at STOP_NOW, the session is given up instead: ERR_CONN_LOST. A server
                     that hangs may not even take a cancel, which waits for an answer */
};

/* How long that is from now; INT64_MAX: without a limit. */
int64_t wait_limit_ms(const Wait *wait);
/* What poll() may wait for until then, a minute at most; -1 where the deadline is INT64_MAX. */
int wait_poll_ms(int64_t deadline_ms);

/* A result: row-major text cells in the caller's arena; NULL cells are SQL NULL. */
typedef struct Rows {
    size_t row_count, col_count;
    int64_t affected; /* rows the statement changed; 0 where that has no meaning */
    const char *const *cells;
} Rows;
static inline const char *rows_cell(const Rows *rows, size_t row, size_t col)
{
    return rows->cells[row * rows->col_count + col];
}
/* The cell as a number; 0 for NULL. */
int64_t rows_int(const Rows *rows, size_t row, size_t col);
double rows_double(const Rows *rows, size_t row, size_t col);
/* Rows of identifier, calls and milliseconds, at most LOAD_STATEMENTS_MAX of them, into `statements`; how
 * many. */
size_t rows_statements(const Rows *rows, LoadStatement *statements);
/* "t" or "1". */
bool rows_bool(const Rows *rows, size_t row, size_t col);

enum { TX_IDLE_MS = 30000 };

/* How a transaction of ours behaves; zero means the server's own setting, except where said. */
typedef struct TxSettings {
    int64_t lock_timeout_ms;      /* each wait for a lock, row locks included */
    int64_t statement_timeout_ms; /* backstop; 0: no limit, whatever the role says */
    int64_t idle_timeout_ms; /* the server ends the session when it hears nothing of us for so long inside the
                                transaction: a process that is stopped, or cut off, holds its locks and its
                                snapshot no longer; 0: TX_IDLE_MS */
    bool async_commit;       /* backfill: rows and watermark are lost together or not at all */
    bool local_commit;       /* strong locks: do not wait for a synchronous standby while holding them */
    bool durable_commit;     /* ready: synchronous_commit = on */
    bool quiet_triggers;     /* the user's own triggers do not fire (only where the server says we may) */
    bool yield_autovacuum;   /* let the server cancel autovacuum quickly for us (only where we may) */
    const char *role;        /* act as this role (the table's owner); NULL: as ourselves */
    bool read_only;
    bool snapshot; /* all statements see the same; READ COMMITTED otherwise */
    bool narrow;   /* the statements read a small range: never by a scan of the whole table, whatever the
                      statistics say */
} TxSettings;

/* ---- locks ---------------------------------------------------------------------------------- */

typedef struct Blocker {
    int64_t pid;
    const char *application, *user, *state, *statement; /* statement cut to 200 bytes */
    const char *mode;                                   /* the lock it holds, or "prepared transaction" */
    const char *relation;
    int64_t age_ms; /* of its transaction */
    bool waiting;   /* it waits in the queue before us rather than holding */
    bool guessed; /* the server does not tell: it has an open transaction, or its statement names the table */
} Blocker;

typedef enum IndexState {
    INDEX_MISSING,
    INDEX_INVALID, /* left by an interrupted build, or one that is still running; a unique one enforces */
    INDEX_VALID,
    INDEX_PART,      /* valid, and attached to the index of a partitioned table, with which it goes */
    INDEX_ELSEWHERE, /* the name belongs to another table's index, or to no index at all */
} IndexState;

/* ---- ranges of rows ------------------------------------------------------------------------- */

typedef enum ScanMethod {
    SCAN_BLOCKS,   /* consecutive heap blocks by TID range scan (PostgreSQL 14+) */
    SCAN_KEY,      /* keyset ranges over a unique key of not-null columns */
    SCAN_TID_LIST, /* blocks by lists of tuple ids: no key and no TID range scan */
} ScanMethod;

/* One pass over a table in ranges. Filled by scan_choose; the caller keeps it and the arena alive. */
typedef struct Scan {
    const Table *table;
    ScanMethod method;
    const Index *key;    /* for SCAN_KEY, and to name rows; NULL if the table has none */
    const char *wave_on; /* an expression that yields an integer evenly spread in a page, or NULL */
    int64_t end;         /* SCAN_BLOCKS, SCAN_TID_LIST: blocks when the scan began; it ends there */
    int64_t size;        /* a good first chunk: blocks, or rows for SCAN_KEY */
    int64_t size_max;    /* never more than this */
    int64_t size_min;    /* nor less: round trips would be all there is */
    const char
        *end_key;   /* SCAN_KEY: the highest key when the scan began, where it ends; NULL: there was no row */
    int wave_count; /* suggested passes over a chunk */
    const ShadowSpec *rows; /* of an engine that walks by the key of a shadow's specification */
} Scan;

/* [low, high): positions are opaque text; NULL low is the beginning, NULL high is the end of the table. */
struct Range {
    const char *low, *high;
};

/* ---- replication ---------------------------------------------------------------------------- */

typedef struct Replica {
    const char *name; /* application name and address, or the URL it was reached by */
    bool sampled;     /* false: it cannot be measured (gone, or its columns are hidden): a missing sample */
    int64_t lag_ms;   /* -1 unknown */
    int64_t lag_bytes;
    const char *why; /* why it could not be sampled; NULL if it was */
} Replica;

/* The language of SQL texts that an engine takes. */
typedef enum Dialect { DIALECT_POSTGRES, DIALECT_MYSQL } Dialect;

/* ---- features ------------------------------------------------------------------------------- */

enum {
    ENGINE_TRANSACTIONAL_DDL = 1u << 0,
    ENGINE_SYNC_TRIGGERS = 1u << 1,  /* columns are kept in step by our triggers: stoa.sync_columns and what
                                        goes with it is there */
    ENGINE_SHARED_JOURNAL = 1u << 2, /* the databases of a server have one journal together */
};

/* Something that this server or role can do, or cannot, and a change would need. */
typedef struct ServerCheck {
    const char *name, *severity, *message; /* severity "block", "warn", "note"; "" where it is fine */
    const char *fix;                       /* a statement, or what to do; NULL */
} ServerCheck;

/* One statement that commits by itself and takes a lock that the application queues behind. */
typedef struct AlterRequest {
    const char *sql;
    const char *schema, *table; /* what it is about */
    int64_t stall_ms;           /* its waits for the lock are ended after this long, each; its work is not */
    int64_t
        work_ms; /* writers wait while it works: it is ended after this long, all in all; 0: they do not */
    bool queue;  /* it may wait in the queue; else not, where the server can be told so */
    bool as_written; /* the user's own words: under the server's own sql_mode and time zone */
    bool unchecked;  /* it adds foreign keys without a look at the rows: foreign_key_checks = 0 */
    /* It may not be begun while a transaction that has read the table could go on to write it: where somebody
     * waits for the table the server ends such a transaction as a deadlock. Then it is `blocked`. */
    bool gentle;
    /* Only while the table's definition, without its counter, is this one: looked at under a lock that keeps
     * it so. Else it is `changed`. NULL: whatever it is. */
    const char *while_sql;
} AlterRequest;

typedef struct AlterResult {
    bool done;    /* the server said so; when not, it may have happened all the same, as with any error */
    bool blocked; /* given up, or cut off, because of the lock */
    bool built;   /* … with the work done already: it was lost */
    bool slow;    /* … because of work_ms */
    bool changed; /* not begun, since the definition is not while_sql */
    int64_t waited_ms; /* in the queue: how long the application waited behind us */
    int64_t ran_ms;    /* all in all */
} AlterResult;

/* A column's comment, to be written. */
typedef struct CommentRequest {
    const char *schema, *table, *column, *comment;
    int64_t stall_ms; /* the application may wait that long for the lock, where it waits at all */
} CommentRequest;

/* ---- the table of functions ------------------------------------------------------------------------------
 */

struct EngineOps {
    const char *name;           /* "postgres" */
    const char *const *schemes; /* URL schemes, NULL-terminated; the first engine also takes none */
    uint32_t features;
    Dialect dialect;
    int journal_version;     /* that it makes, and works on */
    const ShadowOps *shadow; /* NULL: it copies no tables */

    /* Connects; `purpose` becomes part of the session's application name ("stoa: work"). Errors: ERR_CONNECT
     * with a hint, ERR_STOPPED. Session defaults: row_security off, no idle timeouts, UTC and ISO dates,
     * stable text output. */
    Err *(*connect)(const Target *target, const char *purpose, const Wait *wait, Conn **ret_conn);
    void (*close)(Conn *conn);

    /* One statement with text parameters ($1 …; NULL is SQL NULL). With no parameters several statements
     * separated by semicolons may be given, and the last result counts. `ret_rows` may be NULL. */
    Err *(*query)(Conn *conn, const Wait *wait, Arena *arena, const char *sql, size_t param_count,
                  const char *const *params, Rows *ret_rows);
    /* COPY … FROM STDIN with this data. */
    Err *(*copy_in)(Conn *conn, const Wait *wait, const char *sql, const char *data, size_t len);
    /* Asks the server to cancel what `conn` is running; from any thread; nothing happens when it is idle. */
    void (*cancel)(Conn *conn);

    Err *(*begin)(Conn *conn, const Wait *wait, const TxSettings *settings);
    /* A connection lost during COMMIT gives ERR_CONN_LOST: the journal row of the transaction tells whether
     * it happened. */
    Err *(*commit)(Conn *conn, const Wait *wait);
    /* Never fails visibly: a lost connection rolls back by itself. */
    void (*rollback)(Conn *conn);

    /* From here on the transaction acts as `role`, or as ourselves again where it is NULL. */
    Err *(*act_as)(Conn *conn, const Wait *wait, const char *role);
    /* The server's number of the session, for pid columns and messages. */
    int64_t (*session_id)(const Conn *conn);
    /* Ends a session of ours that outlived its process, and waits until it is gone (at most
     * wait->timeout_ms). `started` is what session_started said of it, so that a number used again is not
     * hit. */
    Err *(*end_session)(Conn *conn, const Wait *wait, int64_t session_id, const char *started);
    Err *(*session_started)(Conn *conn, const Wait *wait, Arena *arena, const char **ret_started);
    /* Takes (without waiting) the session lock that hints at a live runner; ret_taken tells. Never through a
     * pooler. */
    Err *(*hint_lock)(Conn *conn, const Wait *wait, const char *key, bool *ret_taken);
    /* Whom `session_id` waits for right now: "pid 123 (psql, idle in transaction for 12 s)"; NULL: nobody. */
    Err *(*waits_for)(Conn *conn, const Wait *wait, Arena *arena, int64_t session_id, const char **ret_who);

    /* What one statement of this session may use from here on to build an index: bytes to sort in, workers
     * beside the session itself; negative: as much as the server's own settings allow. ERR_USAGE where the
     * server has no such limit for a session. */
    Err *(*limit_build)(Conn *conn, const Wait *wait, int64_t memory, int64_t workers);

    /* What the server says that a long statement of `session_id` does just now ("building index: scanning
     * table"), and which part of that is done, from 0 to 1; negative where it is not told. *ret_what NULL:
     * nothing is told. */
    Err *(*doing)(Conn *conn, const Wait *wait, Arena *arena, int64_t session_id, const char **ret_what,
                  double *ret_part);

    /* Catalog. `load_table` succeeds with kind RELATION_MISSING when there is none; `schema` NULL: by search
     * path. */
    Err *(*load_server)(Conn *conn, const Wait *wait, Arena *arena, Server *ret_server);
    Err *(*load_table)(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const char *schema,
                       const char *name, Table *ret_table);
    /* Fills in the stars of a table that was loaded, from the statistics of statements: they may be large, so
     * this is for plans alone, and has a limit of time of its own. NULL where the engine has none. */
    Err *(*load_stars)(Conn *conn, const Wait *wait, Arena *arena, const Server *server, Table *table);
    /* All tables of the database, those of the server and ours left out: schema, name, and the rows written
     * since the server counts them (NULL: it does not tell). */
    Err *(*list_tables)(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows);
    /* Names of the server's databases, and of the database's schemas, that a change may be about, in their
     * order; the server's own and ours are left out. `list_schemas` is NULL where a database has none. */
    Err *(*list_databases)(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows);
    Err *(*list_schemas)(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows);
    /* The limits that a session of this role begins with, where nobody sets others; 0: none. */
    Err *(*session_limits)(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_lock_ms,
                           int64_t *ret_statement_ms);
    /* Adds what stands on a loaded table. */
    Err *(*load_dependents)(Conn *conn, const Wait *wait, Arena *arena, Table *table);
    /* Who uses a table, or these columns of it, by what the server remembers: statement statistics, sessions,
     * counters, the text of functions. Statements of our own and DDL are left out. `columns` none: the table
     * under its name. An INSERT or COPY without a column list uses every column; SELECT * counts as a use of
     * none. With `parts` what is said of one of its partitions, or counted there, counts as well. */
    Err *(*load_use)(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const char *schema,
                     const char *table, bool parts, const char *const *columns, size_t column_count,
                     Use *ret_use);
    /* What this session has counted is handed on to the statistics now. */
    Err *(*flush_counters)(Conn *conn, const Wait *wait);
    /* All that hangs on a column, with its own text by which it can be made for another column or made again.
     * `twin` is the name that the other column is to have. */
    Err *(*load_column_parts)(Conn *conn, const Wait *wait, Arena *arena, const Table *table,
                              const char *column, const char *twin, ColumnParts *ret_column_parts);
    /* What a copy of the table, to be called `copy`, needs so that it can take its place, the table being
     * called `old` from then on. NULL: the engine knows by other means, or copies no tables. */
    Err *(*load_copy)(Conn *conn, const Wait *wait, Arena *arena, const Table *table, const char *copy,
                      const char *old, TableCopy *ret_copy);
    /* The server's number of a table, 0 if there is none: waits for no lock, unlike load_table. */
    Err *(*find_table)(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                       int64_t *ret_id);
    /* Everything of these tables (by the server's numbers; those that are gone count as empty), of their
     * children and of the views that read them, as sorted lines "kind object: attribute = value" with names,
     * never numbers: columns and their order, options, owner, grants, policies, publications, replica
     * identity, comments, indexes, constraints and foreign keys to them, triggers, rules, view definitions,
     * statistics objects, owned sequences but for where they are, partitions, the enums and domains of the
     * columns. Without what is Stoa's own. Waits for no strong lock longer than two seconds:
     * ERR_LOCK_TIMEOUT. Outside a transaction. */
    Err *(*fingerprint)(Conn *conn, const Wait *wait, Arena *arena, const int64_t *tables, size_t count,
                        const char *const **ret_lines, size_t *ret_count);
    /* Whether an object is there; and, in a transaction that is rolled back, whether the statements of `ask`
     * make the same. An object that cannot be compared has no definition. */
    Err *(*load_object)(Conn *conn, const Wait *wait, Arena *arena, const ObjectAsk *ask,
                        ObjectState *ret_state);
    /* The table an index stands on. `schema` NULL: by search path. Both results are NULL when there is no
     * such index. */
    Err *(*index_table)(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *index,
                        const char **ret_schema, const char **ret_table);
    /* What a view in the table's place has to carry. */
    Err *(*load_face)(Conn *conn, const Wait *wait, Arena *arena, int64_t table_id, Face *ret_face);
    /* Whether there is a schema of this name. */
    Err *(*find_schema)(Conn *conn, const Wait *wait, Arena *arena, const char *name, bool *ret_there);
    /* Asks the server, in a transaction that is rolled back, what it thinks of a backfill expression: does it
     * parse, does it fit the column's type, is it immutable over the row. Wrong expressions give
     * ret_info->error, not Err. */
    Err *(*check_expression)(Conn *conn, const Wait *wait, Arena *arena, const Table *table,
                             const char *column, const char *column_type, const char *expr,
                             ExprInfo *ret_info);

    /* Who holds, or waits for, a lock on one of the tables that conflicts with `lock` ("ACCESS EXCLUSIVE" …),
     * our own sessions excepted; longest transaction first. */
    Err *(*blockers)(Conn *conn, const Wait *wait, Arena *arena, const int64_t *table_ids, size_t table_count,
                     const char *lock, Blocker **ret_blockers, size_t *ret_count);
    /* The same by name, for the lock of a statement that commits by itself. Where the server does not tell
     * who has used which table, open transactions that may have count, with a mode that says so. NULL: the
     * engine has no such statements. */
    Err *(*holders)(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                    Blocker **ret_blockers, size_t *ret_count);
    /* One attempt at such a statement. Not getting the lock is no error. ERR_CANCELLED and ERR_STOPPED as for
     * every statement. NULL as above. */
    Err *(*alter)(Conn *conn, const Target *target, const Wait *wait, const AlterRequest *request,
                  AlterResult *ret_result);
    /* Takes the lock in the open transaction, without waiting when `no_wait`: ERR_LOCK_TIMEOUT if it is not
     * free. With has_children set all tables beneath it are locked along with it. */
    Err *(*lock_table)(Conn *conn, const Wait *wait, const Table *table, const char *lock, bool no_wait);

    /* Ranges. */
    Err *(*scan_choose)(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const Table *table,
                        Scan *ret_scan);
    /* The range of about `size` units that begins at `low` (NULL: at the beginning). ret_range->high is NULL
     * for the last one of SCAN_KEY; ret_done is true when there is nothing of the scan at or after `low`:
     * blocks that were added since it was chosen are not part of it. */
    Err *(*scan_next)(Conn *conn, const Wait *wait, Arena *arena, Scan *scan, const char *low, int64_t size,
                      Range *ret_range, bool *ret_done);
    /* A predicate for WHERE that holds for exactly the rows in the range. */
    char *(*scan_filter)(Arena *arena, const Scan *scan, const Range *range);
    /* A predicate for the rows of waves 0 to `wave` of `count`; the last one holds for all rows. Those of
     * earlier waves are filled by then. */
    char *(*wave_filter)(Arena *arena, const Scan *scan, int wave, int count);
    /* The rows of a range by an opaque id, with text that names each to people ("id=17"); at most `most`.
     * ret_rows has two columns. row_filter gives the predicate for one id. */
    Err *(*row_list)(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *predicate,
                     int64_t most, Rows *ret_rows);
    char *(*row_filter)(Arena *arena, const char *row_id);
    /* The UPDATE's rows as `update_sql` would touch them, busy ones left out: SET text and predicate. */
    char *(*update_free_rows)(Arena *arena, const Table *table, const char *set_sql, const char *predicate);
    /* Where one statement cannot do that without waiting for a row while it holds others: the rows of the
     * predicate are updated in the transaction at hand. With `free_only` busy ones are left out; without it
     * they give ERR_LOCK_TIMEOUT at once. NULL: UPDATE, and update_free_rows, do. */
    Err *(*update_rows)(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *set_sql,
                        const char *predicate, bool free_only, int64_t *ret_rows);
    /* A table (or, without a schema, a column) as it stands in a statement, and what stands between FROM or
     * UPDATE and a table that is meant without those beneath it: "ONLY ", "". */
    char *(*quote)(Arena *arena, const char *schema, const char *name);
    const char *only;
    /* Rows of the range in which one of `columns` is not what the server makes of its expression when it is
     * stored there, each looked at again under a lock that keeps it as it is; by their names for people. Busy
     * ones are neither: *ret_busy of them. ret_rows: all of the range. NULL: predicates tell. */
    Err *(*unlike)(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const Range *range,
                   const char *const *columns, const char *const *exprs, size_t count, int64_t *ret_rows,
                   KeyList *ret_names, int64_t *ret_busy);
    /* A name for the table's storage; it changes when the table is rewritten, and positions lose their
     * meaning. */
    Err *(*storage)(Conn *conn, const Wait *wait, Arena *arena, const Table *table, const char **ret_storage);
    /* 0 … 1: how far `position` is into the scan. */
    double (*scan_fraction)(const Scan *scan, const char *position);
    /* Rows this session has updated in place (HOT) in the table since its counters were last handed on: grows
     * over several transactions, and begins again at 0 now and then (PostgreSQL hands them on about once a
     * second). */
    Err *(*hot_updates)(Conn *conn, const Wait *wait, Arena *arena, const Table *table, int64_t *ret_rows);
    /* A name for the table's triggers and indexes, another one when there are others; and what hot_updates
     * says. Inside a transaction that wrote to the table the triggers are those that the write met. */
    Err *(*shape)(Conn *conn, const Wait *wait, Arena *arena, int64_t table_id, const char **ret_shape,
                  int64_t *ret_hot_rows);
    /* How long the oldest snapshot that holds back pruning has been there, and who holds it (may be NULL). */
    Err *(*horizon)(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_age_ms, const char **ret_who);

    /* A name for log position of everything committed so far, and whether all `replicas` have replayed it. */
    Err *(*position)(Conn *conn, const Wait *wait, Arena *arena, const char **ret_position);
    Err *(*replicas)(Conn *conn, const Wait *wait, Arena *arena, Replica **ret_replicas, size_t *ret_count);
    Err *(*replayed)(Conn *conn, const Wait *wait, Arena *arena, const char *position, bool *ret_all);

    /* Where replicas are measured by a row of the journal: writes it on the primary, and gives the time that
     * stands in it; asked of a replica, the time that has come there. Milliseconds. NULL: not so. */
    Err *(*beat)(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_ms);
    Err *(*beat_seen)(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_ms);
    /* Asked of a replica itself: whether it has replayed the primary's `position`. NULL: `replayed` is asked.
     */
    Err *(*reached)(Conn *conn, const Wait *wait, Arena *arena, const char *position, bool *ret_reached);

    /* How busy the server is, one round: fills states and values; `sample` is that of the round before. Only
     * what ends the connection is an Err. NULL, with no signals: nothing of the kind slows a change down. */
    const LoadSignal *load_signals;
    size_t load_signal_count;
    Err *(*load)(Conn *conn, const Wait *wait, Arena *arena, LoadSample *sample);

    /* A cheap read of one row by the primary key, to time where nothing counts the application's statements.
     * ret_canary->sql is NULL where the table has no such key, or is not there. NULL: none. */
    Err *(*canary)(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                   Canary *ret_canary);
    /* Bytes that are free for the server's data and log, of the disk that has least. What tells it is named
     * in *ret_source. Where that cannot be known for certain *ret_bytes is -1 and *ret_source says why. */
    Err *(*disk_free)(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes,
                      const char **ret_source);

    /* Asked of a standby itself: bytes of the log it has replayed; comparable with log_bytes of its primary.
     */
    Err *(*replay_bytes)(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes);
    /* Asked of a replica itself: how many sessions there have waited for half a second for what is being
     * replayed, and how many queries it has ended for the sake of replay, ever; -1: it does not tell. NULL:
     * none tells. */
    Err *(*standby_state)(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_waiting,
                          int64_t *ret_ended);
    /* Asked of a standby itself, in the database of the change: who would hold up the replay of the strongest
     * lock on these tables, and readers behind it: sessions that use them, and where nothing keeps the
     * primary from pruning what they see, those with old snapshots, unless replay ends them within
     * `max_stall_ms`. NULL: `holders` tells. */
    Err *(*standby_blockers)(Conn *conn, const Wait *wait, Arena *arena, const int64_t *table_ids,
                             size_t table_count, int64_t max_stall_ms, Blocker **ret_blockers,
                             size_t *ret_count);

    /* Fills a scratch database beside the one of `conn`, which is kept for the next time, with empty copies
     * of `tables` and of all that they depend on or that depends on them, under their own names: schemas,
     * types, functions, sequences, defaults, constraints with their NOT VALID, indexes, foreign keys both
     * ways with the tables at their other end, triggers, policies, views, partitions and parents. Committed.
     * Where the role may not make a database or cannot connect to it, or `in_schema`, they stand in scratch
     * schemas of the database itself: what is run, probed and told through clone_conn() speaks of the real
     * names all the same. ERR_PRIVILEGE with the GRANT where the role may do neither; ERR_SQL where something
     * cannot be copied or forbids a scratch schema, naming it. What a dead process left is dropped on the
     * way. */
    Err *(*clone_open)(const Target *target, Conn *conn, const Wait *wait, const Server *server,
                       const Table *tables, size_t count, const Mention *mentions, size_t mention_count,
                       bool in_schema, Clone **ret_clone);
    /* All that would be in it, and the settings that would hold there, as text: the same text gives the same
     * clone, on the same server. NULL: the engine cannot tell. */
    Err *(*clone_text)(Conn *conn, const Wait *wait, const Server *server, const Table *tables, size_t count,
                       const Mention *mentions, size_t mention_count, Str *ret_text);
    /* A connection to it, which belongs to the clone. */
    Conn *(*clone_conn)(Clone *clone);
    /* Empties it for the next one, or drops it where it cannot be kept; NULL is fine. */
    void (*clone_close)(Clone *clone);
    /* Drops what is kept for this database, as far as this role may. */
    Err *(*clone_forget)(Conn *conn, const Wait *wait);
    /* What these statements would do in one transaction, which is rolled back. `conn` leads to a clone. What
     * the server refuses about them is ret_probe->error, not Err. */
    Err *(*probe)(Conn *conn, const Wait *wait, Arena *arena, const char *const *sql, size_t count,
                  Probe *ret_probe);

    /* Carries the statements out in a clone for what is probed next: in one transaction, or where the probe
     * said so (`outside`) one by one without. ERR_UNSAFE, with nothing done, where that would change what all
     * databases of the server share (roles, databases, tablespaces), or anything outside of scratch schemas.
     */
    Err *(*clone_run)(Conn *conn, const Wait *wait, const char *const *sql, size_t count, bool outside);

    /* The statements that clone_open would carry out, in order, for a copy on another server: read in one
     * transaction, nothing is made. NULL: the engine has none. */
    Err *(*copy_statements)(Conn *conn, const Wait *wait, Arena *arena, const Server *server,
                            const Table *tables, size_t count, const Mention *mentions, size_t mention_count,
                            CopyStatement **ret_statements, size_t *ret_count);

    /* What a rehearsal needs to know of server and tables (names quoted as in SQL), of which no row is read:
     * {"server":{"settings","hardware",…},"tables":[{"schema","name","rows","heap_bytes","columns","indexes",
     * "references",…}]}; rehearse/facts.h tells what stands in it. The caller's. Where the engine has no
     * load_use, also "statements" of each table: {"key","sql","calls"}. NULL: the engine cannot. */
    Err *(*load_source)(Conn *conn, const Wait *wait, Arena *arena, const char *const *names, size_t count,
                        json_t **ret_json);

    /* Adds the statistics of columns that load_source found none of, to its "tables": from `row_count` rows
     * of each at most, in short ranges of the key that are spread over it, for `most_ms` in all. The session
     * writes nothing from then on. NULL: a server that may be rehearsed keeps them itself. */
    Err *(*sample_source)(Conn *conn, const Wait *wait, Arena *arena, json_t *tables, int64_t row_count,
                          int64_t most_ms);

    const char *(*journal_sql)(JournalSql statement);
    /* What stands on users' tables and needs the journal goes before it; NULL: nothing does that
     * JOURNAL_DROP would not take along. */
    Err *(*undress)(Conn *conn, const Wait *wait);
    /* What a change will need of this server and role; NULL: what Server tells. */
    Err *(*checks)(Conn *conn, const Wait *wait, Arena *arena, const Server *server, ServerCheck **ret_checks,
                   size_t *ret_count);

    /* The same of one statement in the user's own words: under the server's own sql_mode and time zone, with
     * `unchecked` as in AlterRequest. NULL where there is no difference. */
    Err *(*clone_run_written)(Conn *conn, const Wait *wait, const char *sql, bool unchecked);

    /* How the server would carry one statement about a table out, asked on a clone (clone_open) that is as
     * before afterwards. What clone_run did before counts, so the actions of a statement can be asked one by
     * one, each as it would be behind the others. ERR_UNSAFE where the statement is about more than that
     * table and its relatives. MySQL and MariaDB only. */
    Err *(*ladder)(Conn *clone_conn, const Wait *wait, Arena *arena, const LadderRequest *request,
                   Ladder *ret_ladder);

    /* The definition of a table or view in a canonical form that tells every difference but what changes by
     * itself (the next AUTO_INCREMENT value): MySQL and MariaDB only, where statements commit by themselves.
     * NULL where there is none of that name. */
    Err *(*definition)(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                       const char **ret_text);

    /* What hiding a column, table or index would do; nothing is changed. NULL: this server hides nothing. */
    Err *(*hide_plan)(Conn *conn, const Wait *wait, Arena *arena, const Server *server,
                      const HideRequest *request, HidePlan *ret_plan);
    /* One attempt to hide it, or to show it again, by the plan's `body`: in the transaction at hand where the
     * engine has ENGINE_TRANSACTIONAL_DDL, else committing by itself. *ret_done: it is so now. A lock that
     * was not free: ERR_LOCK_TIMEOUT, or not done. hide: ERR_SERIALIZE where the plan is no longer true. */
    Err *(*hide)(Conn *conn, const Target *target, const Wait *wait, const char *body,
                 const HideLimits *limits, bool *ret_done);
    Err *(*show)(Conn *conn, const Target *target, const Wait *wait, const char *body,
                 const HideLimits *limits, bool *ret_done);

    /* Statements that a step's SQL is finished with. */
    /* A quiet, slowed-down VACUUM with fresh statistics. Outside a transaction. */
    Err *(*vacuum)(Conn *conn, const Wait *wait, const Server *server, const Table *table, const char *role);
    /* What stands under the name that an index of `table` is to have, or has. */
    Err *(*index_state)(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                        const char *index, IndexState *ret_state);
    /* Value of a counter of the sync trigger; -1 when it does not exist. */
    Err *(*counter_value)(Conn *conn, const Wait *wait, Arena *arena, const char *counter,
                          int64_t *ret_value);
    /* By the server's own counters, which begin anew with it: transactions of this database (PostgreSQL's
     * pg_stat_database), or statements of the whole server (MySQL's and MariaDB's Questions) so far, and the
     * server's time in seconds since 1970. */
    Err *(*work_sum)(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_at_s, int64_t *ret_sum);
    /* What the table and its indexes take on disk. NULL: never asked. */
    Err *(*table_bytes)(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                        int64_t *ret_heap, int64_t *ret_indexes);
    /* Bytes written to the log so far. */
    Err *(*log_bytes)(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes);
    /* Minutes since local midnight and day of the week (0 Sunday) in a time zone ("Europe/Berlin", "UTC",
     * "+05:30", east of Greenwich) by the server's own database of zones, else by this machine's: so many
     * minutes behind `at` ("2026-11-29 12:38:33", UTC), or behind the server's clock where that is NULL.
     * ERR_SQL: nobody knows the zone. */
    Err *(*local_time)(Conn *conn, const Wait *wait, Arena *arena, const char *time_zone, const char *at,
                       int64_t ahead_minutes, int *ret_minute, int *ret_weekday);

    /* Facts of one kind for "stoa stale" (engine/stale.h), in a read-only transaction at hand with short
     * limits of its own. *ret_rows: a new array. ERR_SQL, ERR_PRIVILEGE, ERR_CANCELLED: this fact cannot be
     * had. NULL: the engine has none. */
    Err *(*load_stale)(Conn *conn, const Wait *wait, Arena *arena, const Server *server, StaleFact fact,
                       json_t **ret_rows);
    /* The comment of a column, NULL where it has none; *ret_there false where there is no such column. */
    Err *(*column_comment)(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                           const char *column, bool *ret_there, const char **ret_comment);
    /* One attempt at another one in its place, outside of a transaction: a statement that changes nothing
     * else, under a weak lock, or a strong one for a moment; never work that grows with the table, which is
     * an error instead. Not getting the lock is none. */
    Err *(*set_column_comment)(Conn *conn, const Target *target, const Wait *wait, Arena *arena,
                               const CommentRequest *request, AlterResult *ret_result);
};

/* What every engine's connection begins with. */
struct Conn {
    const EngineOps *ops;
};

static inline void conn_closep(Conn **conn)
{
    if (*conn != NULL)
        (*conn)->ops->close(*conn);
    *conn = NULL;
}

/* Shorthands over the table of functions. */
Err *conn_exec(Conn *conn, const Wait *wait, const char *sql) MUST_USE;
Err *conn_query(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows, const char *sql) MUST_USE;
/* Parameters as a NULL-terminated list of arguments cannot hold SQL NULL: pass an array instead. */
#define conn_params(conn, wait, arena, ret_rows, sql, ...)                                                   \
    (conn)->ops->query((conn), (wait), (arena), (sql),                                                       \
                       sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *),                    \
                       (const char *const[]){__VA_ARGS__}, (ret_rows))
