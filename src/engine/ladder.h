/* ladder.h — how the server would carry an ALTER TABLE out, asked of it on an empty clone. Plain data. */
#pragma once
#include "base/arena.h"

/* From the cheapest on. */
typedef enum Rung {
    RUNG_INSTANT,     /* catalog only */
    RUNG_METADATA,    /* neither rows nor indexes were written, whatever lock the server insists on */
    RUNG_NOCOPY,      /* MariaDB: an index is built, the table is not rebuilt; writers go on */
    RUNG_INPLACE,     /* INPLACE, LOCK=NONE: index build or rebuild; writers go on, replicas lag by as long */
    RUNG_ONLINE_COPY, /* MariaDB 11.2+: COPY, LOCK=NONE */
    RUNG_SHARED,      /* writers wait: LOCK=SHARED at best */
    RUNG_EXCLUSIVE,
    RUNG_REFUSED, /* the server refuses the statement as such: `reason` says why */
} Rung;
const char *rung_name(Rung rung);

typedef struct LadderTry {
    const char *clause; /* "ALGORITHM=INSTANT" */
    bool ok;
    const char *reason; /* the server's words; NULL */
} LadderTry;

/* An attribute of a column, index or the table that the statement takes away or changes without naming it. */
typedef struct LostAttribute {
    const char *object;         /* "column amount" */
    const char *before, *after; /* "NOT NULL", "" */
} LostAttribute;

/* A column that a statement gives another name. */
typedef struct ColumnRename {
    const char *from, *to;
} ColumnRename;

typedef struct Table Table;

typedef struct LadderRequest {
    const Table *table;
    const char *sql; /* ALTER TABLE, CREATE INDEX or DROP INDEX, without ALGORITHM and LOCK */
    bool as_written; /* the user's own words: under the server's own sql_mode and time zone */
    bool unchecked;  /* as in AlterRequest */
    /* The statement stays done, by the first way that the server takes; else the copy is as before. Then
     * definitions and what is lost are told only where `lost` asks for them. */
    bool keep, lost;
    const char *algorithm, *lock; /* with `keep`: what the user wants, who would get no other way; NULL */
    const ColumnRename *renames;
    size_t rename_count;
} LadderRequest;

/* The answer for one statement. */
typedef struct Ladder {
    Rung rung;
    const char *clause; /* to be put behind the statement: "ALGORITHM=INPLACE, LOCK=NONE" */
    LadderTry *tries;   /* in order */
    size_t try_count;
    bool rebuilds; /* the table gets new storage (TABLE_ID, or file) */
    bool builds_index;
    bool uses_row_version;      /* MySQL: one of `row_versions_left` */
    int row_versions_left;      /* -1: no such limit */
    const char *before, *after; /* definitions (EngineOps.definition) of the table without and with it */
    LostAttribute *lost;
    size_t lost_count;
} Ladder;
