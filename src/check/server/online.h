/* online.h — the server that migrations are for, asked: what its tables are like, what statements do on empty
 * copies of them, what the tools say has been applied. */
#pragma once
#include "check/check.h"
#include "engine/engine.h"

typedef struct Online {
    Arena *arena;
    const EngineOps *ops;
    Target target;
    const Stop *stop;
    Conn *conn;
    Server server;
    ServerFacts facts;
    CheckServer asked;
    VEC(Table) tables; /* those of the facts, and what stands beneath them */
    Clone *clone;
    Conn *clone_conn;
    MyDialect dialect;      /* of MySQL and MariaDB */
    const char *unmeasured; /* why nothing is tried on copies; NULL */
    bool as_theirs;         /* MySQL and MariaDB: the copy's session is as strict as others are */
    bool astray;            /* something was not carried along: errors of what follows mean nothing */
    int64_t measure_ms;     /* all trying together; without making the copy */
    int64_t clone_ms;       /* making it */
} Online;

/* Connects, and tells which server it is. */
Err *online_open(Arena *arena, const EngineOps *ops, const Target *target, const Stop *stop,
                 Online *ret_online) MUST_USE;
void online_close(Online *online);

/* load.c: what is known of these tables, as far as they are there; NULL: of all. */
Err *online_load(Online *online, const CheckNames *names) MUST_USE;
/* Makes empty copies of what was loaded. Where that cannot be done `unmeasured` says why. */
Err *online_clone(Online *online, const CheckNames *names, bool in_schema) MUST_USE;

/* pending.c: marks files and parts that a state table of their tool says have been applied. ERR_USAGE where
 * there is no such table, and nothing that is known to keep one. */
Err *online_pending(const Online *online, SourceSet *const *sets, size_t count) MUST_USE;

/* measure_pg.c, measure_my.c: CheckServer.measure */
Err *measure_pg(void *context, Arena *arena, const char *sql, const ActStatement *statement, bool made,
                bool keys_unchecked, Measured *ret_measured) MUST_USE;
Err *measure_my(void *context, Arena *arena, const char *sql, const ActStatement *statement, bool made,
                bool keys_unchecked, Measured *ret_measured) MUST_USE;
/* True where the statement changes definitions, or could. */
bool measure_is_due(const ActStatement *statement);
