/* Names of facts. */
#include "engine/stale.h"

static const char *const names[STALE_FACT_COUNT] = {
    [STALE_SERVER] = "counters",         [STALE_INDEXES] = "indexes",
    [STALE_CONSTRAINTS] = "constraints", [STALE_STATISTICS] = "statistics",
    [STALE_COLUMNS] = "columns",         [STALE_STATEMENTS] = "statements",
    [STALE_BODIES] = "functions",        [STALE_COVERAGE] = "coverage",
    [STALE_OBJECTS] = "leftovers",       [STALE_WAITING] = "prepared transactions and slots",
};

const char *stale_fact_name(StaleFact fact) { return names[fact]; }
