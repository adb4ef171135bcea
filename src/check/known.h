/* known.h — what the statements so far have made: tables that nobody uses yet, and of all tables that are in
 * sight their columns, checks, indexes and partitions. */
#pragma once
#include "change/act.h"

typedef struct KnownColumn {
    const char *name;
    ActType type;
    bool not_null;
    const char *proved; /* a validated check that it is not null, by this name; NULL */
    const ActColumn *spec;
    bool made; /* added by this run */
} KnownColumn;

typedef struct KnownConstraint {
    const char *name; /* NULL: the server's own */
    ConstraintKind kind;
    const char *proves;
    bool valid;
    const ActConstraint *spec;
    size_t file, start, end; /* where NOT VALID was written */
} KnownConstraint;

typedef struct KnownIndex {
    const char *name;
    const char *const *keys;
    size_t key_count;
    bool unique, partial, constraint;
} KnownIndex;

typedef struct KnownTable {
    Name name;
    bool made;     /* by this run: it has no rows that anybody uses */
    bool maybe;    /* made with IF NOT EXISTS: it may have been there */
    bool complete; /* all of its columns are in sight */
    bool partitioned, default_partition;
    bool policies;
    bool wants_key, keyed;                                  /* it has columns of its own; a primary key */
    size_t file, start, end;                                /* where it was made */
    bool has_virtual, has_fulltext, compressed, not_innodb; /* MySQL and MariaDB */
    bool gone;
    Name parent;
    VEC(KnownColumn) columns;
    VEC(KnownConstraint) constraints;
    VEC(KnownIndex) indexes;
} KnownTable;

typedef enum KnownKind {
    KNOWN_TABLE,
    KNOWN_ENUM,
    KNOWN_DOMAIN,
    KNOWN_FUNCTION,
    KNOWN_VIEW,
    KNOWN_INDEX
} KnownKind;

typedef struct KnownThing {
    KnownKind kind;
    Name name;
    bool constrained; /* a domain with constraints */
    bool made;
    KnownTable *table;   /* or of an index: the one that it is on */
    const Acts *body;    /* of a function: the statement that made it, with what stands in it */
    const Act *followed; /* the last call that was followed into it */
} KnownThing;

typedef struct Known {
    Arena *arena;
    KnownThing *slots; /* open addressing over the last word of the name */
    size_t slot_count, used;
    size_t file;  /* index of the one being read */
    bool applied; /* it has been applied: what it makes has rows */
    bool whole;   /* the server's tables are in sight: what is not there is not on the server */
} Known;

KnownThing *known_find(const Known *known, KnownKind kind, Name name);
/* NULL: not in sight, or dropped. */
KnownTable *known_table(const Known *known, Name name);
KnownColumn *known_column(KnownTable *table, const char *name);
/* True for a table that this run makes. */
bool known_is_made(const Known *known, Name name);
/* True for one that was made with IF NOT EXISTS, and may have been there. */
bool known_is_maybe(const Known *known, Name name);
/* An index with these leading columns. */
const KnownIndex *known_index_on(const KnownTable *table, const char *const *columns, size_t count);
/* Notes what the act does. */
void known_take(Known *known, const Act *act);
