/* fingerprint.h — what a change makes different in the catalog: lines of EngineOps.fingerprint() compared.
 * Pure.
 *
 * A line is "kind object: attribute = value". What happened on the clone is the prediction; what happened on
 * the tables themselves has to be the same, although a clone has no grants, comments or publications and may
 * have another owner. */
#pragma once
#include "base/arena.h"

typedef struct Lines {
    const char *const *items; /* sorted by strcmp() */
    size_t count;
} Lines;

typedef struct Difference {
    Lines removed, added;
} Difference;

/* What a plan takes away that a clone never had: nothing predicts it. */
typedef unsigned Spared;
enum {
    SPARE_COMMENTS = 1 << 0, /* COMMENT … IS NULL */
    SPARE_RIGHTS = 1 << 1,   /* REVOKE */
};

void fingerprint_compare(Arena *arena, Lines before, Lines after, Difference *ret_difference);

/* What of `real`, which led to `after`, is not in `planned`, as "- line" and "+ line"; and what was planned
 * and did not come, as "missing: + line". Not told: what goes with an object that was to go (its comment, its
 * grants), what a new object has of rights, owner and publications, what moved from an object that went to a
 * new one of its kind (a rename), another value of a right that a clone did not have, and an INVALID index
 * that went. */
Lines fingerprint_unplanned(Arena *arena, const Difference *planned, const Difference *real, Lines after,
                            Spared spared);
