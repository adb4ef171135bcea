/* facts.h — what a rehearsal knows of the server that a change is for: definitions, sizes, statistics,
 * settings and rates. Read from the server (source.h) or from a snapshot file, which has the same form; plain
 * data.
 *
 * As JSON: {"stoa_rehearsal":1, "taken", "engine", "version", "version_text", "masked", "search_path":[…],
 * "system", "database", "past" (past.h), "server":{"settings","hardware",…},
 * "statements":[{"part","what","sql","optional"}], "tables":[…]}; of tables what EngineOps.load_source gives,
 * and "mix". */
#pragma once
#include "base/arena.h"
#include "engine/engine.h"

#include <jansson.h>

/* How values of a column are ordered, and so how they are made. */
typedef enum FactKind {
    FACT_NUMBER,
    FACT_TIME,  /* dates and timestamps: seconds since 1970 */
    FACT_SPAN,  /* intervals and times of day: seconds */
    FACT_LABEL, /* enums and booleans */
    FACT_TEXT,
    FACT_OTHER, /* known by its width alone */
} FactKind;

typedef struct FactColumn {
    const char *name, *type; /* the type as SQL has it */
    const char *base;        /* the server's name of the type beneath domains: "int4" */
    FactKind kind;
    int size; /* bytes of a value; -1: it varies */
    bool array, not_null, identity, generated;
    int most;                                           /* characters that fit; 0: no limit */
    int scale;                                          /* digits behind the point; -1: any */
    bool known;                                         /* the planner has statistics of it: what follows */
    double null_fraction, width, distinct, correlation; /* distinct below 0: that share of all rows */
    const double *frequencies; /* of the most common values, which are in `numbers` or `texts` */
    const double *numbers;
    const char *const *texts;
    size_t common_count;
    const double *bounds; /* of buckets that hold the same number of the other values */
    size_t bound_count;
    const int *lengths; /* of these bounds, in bytes: text and others */
    size_t length_count;
    const char *const *labels; /* of an enum, in its order */
    size_t label_count;
} FactColumn;

typedef struct FactIndex {
    const char *name;
    int64_t bytes;
    bool unique, primary, btree;
    bool whole;                 /* not partial */
    int fillfactor;             /* 0: the usual one */
    const char *const *columns; /* key columns; NULL where one is an expression */
    size_t column_count;
} FactIndex;

typedef struct FactReference {
    const char *schema, *name;                /* of the table at the other end */
    const char *const *columns, *const *keys; /* ours, and theirs */
    size_t count;
} FactReference;

/* What an application does to a table. */
typedef enum FactUse { USE_READ, USE_INSERT, USE_UPDATE, USE_DELETE, USE_COUNT } FactUse;
const char *fact_use_name(FactUse use); /* "read" … */
typedef struct FactMix {
    FactUse use;
    const char *column; /* read: by which it looks; update: which it sets; NULL: by, or of, whatever suits */
    double per_s;
} FactMix;

typedef struct FactTable {
    const char *schema, *name;
    bool partitioned, analyzed;
    int64_t rows, heap_bytes, toast_bytes, dead_rows;
    int fillfactor;
    double hot_share; /* of updates that stayed on their page; -1 unknown */
    FactColumn *columns;
    size_t column_count;
    FactIndex *indexes;
    size_t index_count;
    FactReference *references;
    size_t reference_count;
    FactMix *mix;
    size_t mix_count;
} FactTable;

typedef struct Facts {
    const char *engine; /* as EngineOps.name */
    int version;        /* 150020 */
    const char *version_text, *taken;
    bool masked;
    const char *const *search_path;
    size_t search_path_count;
    const char *system, *database;     /* which server and database; NULL: not known */
    const json_t *past;                /* earlier predictions; borrowed from the JSON; may be NULL */
    const json_t *settings, *hardware; /* borrowed, too */
    const char *encoding, *collate, *ctype;
    CopyStatement *statements;
    size_t statement_count;
    FactTable *tables;
    size_t table_count;
} Facts;

/* Reads what stands in `json`, which has to live as long. ERR_CONFIG names what is wrong: a file may be any.
 */
Err *facts_read(Arena *arena, const json_t *json, Facts *ret_facts) MUST_USE;
/* The same from a file's text; *ret_json is the caller's. */
Err *facts_parse(Arena *arena, const char *text, json_t **ret_json, Facts *ret_facts) MUST_USE;

/* NULL where there is none; `schema` NULL: by search path. */
const FactTable *facts_find(const Facts *facts, const char *schema, const char *name);
const FactColumn *fact_column(const FactTable *table, const char *name);
/* A setting in bytes, or as a number; `otherwise` where it is not known. */
int64_t facts_setting(const Facts *facts, const char *name, int64_t otherwise);
const char *facts_setting_text(const Facts *facts, const char *name);

const char *copy_part_name(CopyPart part); /* "table", "check" … */
