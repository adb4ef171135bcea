/* probe.h — what a statement would do, asked of the server itself on an empty clone. Plain data.
 *
 * An empty clone answers for the full table: locks, rewrites, scans and the server's own words were the same
 * for 179 of 183 statements, and the others differ in errors that depend on data (measured on 15). It must be
 * committed before anything is probed: a relation made in the same transaction shows its maker's locks. */
#pragma once
#include "base/arena.h"
#include "engine/schema.h"

/* The strongest lock on a relation of the user's: "public.orders", "ACCESS EXCLUSIVE". */
typedef struct ProbeLock {
    const char *relation, *mode;
    bool other; /* a view, a materialized view, a sequence: no table */
} ProbeLock;

/* Relations that the statements make themselves, and their indexes, appear nowhere, and those that were made
 * in the clone before them are not among the locks; one that they drop or
 * rename goes by its old name. Names are quoted as SQL needs it: "public.orders". */
typedef struct Probe {
    const char *error, *error_state; /* the server's refusal; NULL if it went through */
    bool outside;                    /* cannot run inside a transaction, but may alone: nothing was measured,
                                        and `error` is NULL */
    ProbeLock *locks; /* tables, views, sequences; not indexes; strongest first, then by name */
    size_t lock_count;
    ProbeLock
        *index_locks; /* the same of indexes, from SHARE UPDATE EXCLUSIVE on. ACCESS EXCLUSIVE on an index
                         stops whoever plans a query of its table: REINDEX, and before 12 RENAME */
    size_t index_lock_count;
    const char *const *rewritten; /* tables whose heap got new storage */
    size_t rewritten_count;
    const char *const *built; /* indexes made or built anew, those of rewritten tables excepted */
    size_t built_count;
    const char *const *scanned; /* tables read from end to end, to build, verify or validate; TRUNCATE of a
                                   table with indexes counts too (it builds them over nothing) */
    size_t scanned_count;
    const char *const *words; /* what the server said: "rewriting table \"orders\"" … */
    size_t word_count;
} Probe;

/* What a name in a statement may stand for. */
enum {
    NAMES_RELATION = 1 << 0,
    NAMES_TYPE = 1 << 1,
    NAMES_FUNCTION = 1 << 2,
    NAMES_OPERATOR = 1 << 3,
    NAMES_COLLATION = 1 << 4,
    NAMES_CLASS = 1 << 5,  /* operator class or family */
    NAMES_SEARCH = 1 << 6, /* text search configuration or dictionary */
    NAMES_EXTENSION = 1 << 7,
    NAMES_LANGUAGE = 1 << 8,
    NAMES_SCHEMA = 1 << 9,
    NAMES_CONTENT = 1 << 10, /* a schema and all that is in it */
    NAMES_MADE = 1 << 11,    /* a schema that the statement makes */
    NAMES_ANY = NAMES_CONTENT - 1,
};

/* A name that a statement speaks of: what it stands for has to be in the clone, if it is there at all. */
typedef struct Mention {
    const char *schema; /* NULL: by search path, all of it */
    const char *name;
    unsigned kinds; /* NAMES_… */
    bool target;    /* the statement may change it: what depends on it counts, too */
} Mention;

/* A scratch database with the tables, empty, and all that they depend on. */
typedef struct Clone Clone;

/* What a statement of a copy makes, in the order in which they are carried out. */
typedef enum CopyPart {
    COPY_BEFORE, /* schemas, extensions, types, functions, sequences */
    COPY_TABLE,
    COPY_DEFAULT,
    COPY_CHECK, /* of tables and domains: rows have to hold what it says */
    COPY_INDEX, /* keys, too */
    COPY_REFERENCE,
    COPY_AROUND, /* views, triggers, policies, owners */
    COPY_PART_COUNT
} CopyPart;

/* A statement that makes a part of a copy elsewhere. */
typedef struct CopyStatement {
    CopyPart part;
    const char *what; /* "view shop.totals", "table public.orders": names as SQL has them */
    const char *sql;  /* NULL: there is no statement that copies it */
    bool optional;    /* the copy is good without it */
} CopyStatement;
