/* source.h — facts out of the server that a change is for: its catalog, statistics and counters are read, and
 * nothing is written. Rows of a user's table are read only where the server keeps no statistics of columns
 * (MySQL, MariaDB): few, and from a replica where one is named. */
#pragma once
#include "change/change.h"
#include "rehearse/facts.h"

typedef struct SourceWish {
    const EngineOps *ops;
    Target target;
    const Stop *stop;
    const Change *change; /* its tables, and what stands around them; NULL: all of the database */
    const char *replica;  /* rows are read there; NULL */
    int64_t sample_ms;    /* how long counters are watched for rates */
    void (*say)(void *context, const char *line); /* may be NULL */
    void *context;
} SourceWish;

/* The caller's, as facts.h describes it, not masked. ERR_CONFIG where the tables have no statistics,
 * ERR_UNSAFE for what cannot be rehearsed yet (partitioned tables), and what the server says. */
Err *source_read(Arena *arena, const SourceWish *wish, json_t **ret_json) MUST_USE;

/* The "server" and "tables" of these names in a database; rows are read by `reader`, NULL: by `conn`. The
 * caller's. */
Err *source_statistics(Conn *conn, const Wait *wait, Arena *arena, const char *const *names, size_t count,
                       Conn *reader, json_t **ret_json) MUST_USE;
