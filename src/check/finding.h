/* finding.h — what check reports. */
#pragma once
#include "plan/plan.h"

typedef enum Severity {
    SEVERITY_OFF,
    SEVERITY_NOTE,  /* worth knowing */
    SEVERITY_WARN,  /* may hurt: look */
    SEVERITY_BLOCK, /* will stop the application, break it, or lose rows */
    SEVERITY_COUNT
} Severity;

/* What a rule's hurt grows with. */
typedef enum Cost {
    COST_NONE,    /* nothing: what it says holds for an empty table as well */
    COST_SCAN,    /* the table is read under a lock that stops writers */
    COST_BUILD,   /* an index is built under one */
    COST_REWRITE, /* table and indexes are written anew under one */
    COST_COPY,    /* MySQL and MariaDB: likewise */
    COST_REBUILD, /* MySQL and MariaDB: written anew beside writers */
    COST_ROWS,    /* rows are changed by one statement */
    COST_CONTENT  /* it fails where there is a row */
} Cost;
const char *cost_name(Cost cost); /* "none", "scan", "build" … */

typedef struct Rule Rule;
typedef struct TableFacts TableFacts;

/* Bytes [start, end) of the file get this text. */
typedef struct Edit {
    size_t start, end;
    const char *text;
} Edit;

typedef struct Finding {
    const Rule *rule;
    Severity severity;
    Evidence evidence;
    const char *file;
    size_t order;      /* of the file among all of them */
    size_t start, end; /* bytes in the file */
    int line, column;  /* from 1, columns in characters */
    int end_line, end_column;
    const char *object; /* what it is about; "" */
    const char *message;
    const char *safer;                     /* SQL; NULL */
    const char *print;                     /* SHA-256 of rule, file and statement, for baselines */
    size_t statement_start, statement_end; /* that it stands in; both 0: it is about no statement */
    bool whole;                            /* what it is about is all of its statement */
    const Edit *edits;                     /* that make the finding go, and change nothing else; by place */
    size_t edit_count;
    const char *fixed; /* what they do: "build the index CONCURRENTLY"; NULL without edits */
    Name table;        /* the object, in two parts */
    /* online, or with a snapshot */
    const TableFacts *facts; /* of the object's table; NULL */
    Cost cost;               /* COST_NONE: no estimate */
    int64_t estimate_ms;
} Finding;

const char *severity_name(Severity severity);
/* "off", "note", "warn", "block"; SEVERITY_COUNT for any other. */
Severity severity_of(const char *name);
/* For qsort: by file, place and severity, the worst first. */
int finding_compare(const void *a, const void *b);
