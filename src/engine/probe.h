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
} ProbeLock;

/* Relations that the statements make themselves, and their indexes, appear nowhere; one that they drop or
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

/* A scratch database with the tables, empty, and all that they depend on. */
typedef struct Clone Clone;
