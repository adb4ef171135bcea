/* stale.h — facts about a database from which one may tell what nobody needs any more: what an engine reads
 * from its catalog and counters, without a look at any row of a table and without waiting for a lock.
 *
 * Facts come as JSON rows, one array a fact, since they are judged once and shown; the members of each stand
 * here. A number or flag may also come as its text. A member that this server does not tell is missing. */
#pragma once
#include "engine/schema.h"

#include <jansson.h>

typedef enum StaleFact {
    /* One row: "statistics_since" and "statistics_age_s" of the use counters (missing: not known),
     * "standbys" that hang on this server, "counts": uses are counted at all, "why_not", "remedy",
     * "transactions" since then. */
    STALE_SERVER,
    /* "schema", "table", "name", "method"; "bytes"; "table_bytes", "table_rows" (below 0: never analysed);
     * "keys": a text for each key column that is the same where column, collation, order and operator class
     * are; "includes": the same of further columns; "exprs", "predicate" (missing: none); "columns": names;
     * "unique", "primary", "held": a constraint stands on it, "foreign": names of foreign keys that need it
     * or use it, "immediate" (missing: yes), "nulls_alike": NULLs
     * are duplicates, "replica_identity", "clustered", "valid", "part": it goes with the index of a
     * partitioned table, "whole": it is one, "busy": somebody alters or builds on the table now; "scans"
     * (missing: not counted), "last_scan"; "table_uses": scans of the table and rows written. */
    STALE_INDEXES,
    /* Those that do not hold for all rows: "schema", "table", "name", "type" (check, foreign key, not null),
     * "table_bytes", "busy". */
    STALE_CONSTRAINTS,
    /* Columns that statistics show without a value, or with one: "schema", "table", "column", "null_frac",
     * "distinct", "table_rows", "sampled_rows", "analyzed_age_s" (missing: unknown), "changed_rows" since
     * then, "table_bytes". */
    STALE_STATISTICS,
    /* Tables with the columns that nothing in the catalog needs: "schema", "table", "table_rows",
     * "columns": [names], "parts": names of its partitions. */
    STALE_COLUMNS,
    /* Statements that the server remembers: "text", "calls", "schema" (the session's; missing). */
    STALE_STATEMENTS,
    /* Texts that name columns without being statements of a client: "text". */
    STALE_BODIES,
    /* One row on STALE_STATEMENTS: "calls" of all, "statements", "since", "age_s", "evicted" (missing), and
     * "unknown" with "remedy" where there is none to be had. */
    STALE_COVERAGE,
    /* Objects whose names are those that online tools give: "type" (table, trigger, schema, column, function,
     * sequence, database), "schema", "table", "name", "bytes", "rows", "comment", "age_s", "alive": a session
     * works with it, "note" (what else is known of it), "drop": the statement. */
    STALE_OBJECTS,
    /* What waits and holds others back: "type" (prepared transaction, replication slot), "name", "age_s",
     * "bytes" that it retains, "owner", "lost". */
    STALE_WAITING,
    STALE_FACT_COUNT
} StaleFact;

/* "indexes", "statements": for messages. */
const char *stale_fact_name(StaleFact fact);
