/* facts.h — what is known of the server that migrations are for: asked of it, or read from a snapshot of it.
 * Plain data: names, definitions, sizes and settings; no rows, no addresses, no secrets. */
#pragma once
#include "check/finding.h"
#include "check/stream.h"
#include "engine/ladder.h"
#include "engine/probe.h"

struct TableFacts {
    const char *schema, *name;
    bool view;
    bool empty;               /* not one row */
    int64_t rows;             /* about */
    int64_t bytes;            /* with its indexes */
    int64_t index_bytes;      /* of them */
    int64_t writes;           /* rows written, since the server counts; -1 unknown */
    int64_t oldest_ms;        /* of the longest transaction that holds a lock on it; 0 none */
    int row_versions;         /* MySQL: instant changes so far; -1: not counted */
    int row_versions_most;    /* 0: not counted */
    const char *const *views; /* that read it */
    size_t view_count;
    const char *const *indexes; /* by name */
    size_t index_count;
    const char *const *ddl; /* statements that make it, as far as rules look at it */
    size_t ddl_count;
};

typedef struct ServerFacts {
    CheckEngine engine;
    int version;              /* as in CheckTarget */
    const char *version_text; /* "15.20" */
    int64_t replicas;
    int64_t longest_ms;           /* the longest transaction of the server; 0 none */
    int64_t lock_timeout_ms;      /* that sessions begin with; 0: none */
    int64_t statement_timeout_ms; /* likewise */
    TableFacts *tables;
    size_t table_count;
    bool whole;        /* all tables of the database are there */
    const char *taken; /* of a snapshot: when, "2026-11-29"; NULL */
} ServerFacts;

/* What a statement did on an empty copy of the tables. */
typedef struct Measured {
    bool tried;           /* false: nothing of what follows is known */
    const char *error;    /* the server's refusal; NULL */
    const char *state;    /* its SQLSTATE or number */
    bool mistake;         /* … which is about the statement itself, or what is in its way */
    bool there;           /* … because what it makes is there already */
    const Probe *probe;   /* PostgreSQL; NULL */
    const Ladder *ladder; /* MySQL and MariaDB; NULL */
} Measured;

/* Who can be asked while statements are judged. */
typedef struct CheckServer {
    const ServerFacts *facts;
    void *context;
    /* Tries the statement on empty copies and carries it along for those behind it. `made`: the tables that
     * it is about are all the run's own, so nothing needs to be measured. `keys_unchecked`: the session has
     * foreign_key_checks off. NULL: nobody can be asked. */
    Err *(*measure)(void *context, Arena *arena, const char *sql, const ActStatement *statement, bool made,
                    bool keys_unchecked, Measured *ret_measured);
    /* How many values of the columns stand in the table more than once; -1: that cannot be looked at now. */
    Err *(*duplicates)(void *context, Arena *arena, const TableFacts *table, const char *const *columns,
                       size_t count, int64_t *ret_count);
} CheckServer;

/* The table of this name, or the one whose index has it; NULL. */
const TableFacts *facts_table(const ServerFacts *facts, Name name);
/* What a cost of this kind comes to on the table, in milliseconds: rates of a usual disk, within a factor of
 * five. */
int64_t facts_estimate_ms(const TableFacts *table, Cost cost);

/* snapshot.c: facts as one JSON object, and back. ERR_CONFIG for text that is none. */
char *snapshot_text(const ServerFacts *facts) __attribute__((returns_nonnull));
Err *snapshot_read(Arena *arena, const char *text, ServerFacts *ret_facts) MUST_USE;
