/* clone.h — the scratch database, or scratch schemas, in which statements are tried out, and how it is filled
 * from the catalog.
 *
 * Empty and without rows to compute on, it may be simpler where no DDL can tell: text search configurations
 * have no dictionaries, aggregates no variants for moving windows, operators no planner hints. What is not
 * copied at all: operator classes and casts outside of extensions, base types, foreign tables (ERR_SQL names
 * them); indexes left INVALID, grants, comments, publications, tablespaces, event triggers (left out).
 *
 * Making a database is cheap from 15 on (STRATEGY wal_log); before that it forces two checkpoints, and
 * dropping one forces one on every version. */
#pragma once
#include "engine/engine.h"

/* One statement that makes a part of the clone. */
typedef struct CloneStatement {
    const char *what; /* "view shop.totals" */
    const char *sql;  /* NULL: there is no statement that copies it */
    bool optional;    /* the clone is good without it */
    int64_t stage;    /* as the queries number them (sql/clone_*.sql) */
} CloneStatement;

/* What is to be in a clone. */
typedef struct CloneWish {
    const Table *tables;
    size_t table_count;
    const Mention *mentions;
    size_t mention_count;
    const char *const *search_path;
    size_t search_path_count;
} CloneWish;

/* What the tables need and what depends on them, as statements in an order that works unless things depend on
 * each other in circles the catalog does not tell; the schemas of the search path are made as well. Reads in
 * one transaction of its own. */
Err *clone_statements(Conn *conn, const Wait *wait, Arena *arena, const CloneWish *wish,
                      CloneStatement **ret_statements, size_t *ret_count) MUST_USE;
/* Carries them out in the scratch database, in rounds until nothing more succeeds. */
Err *clone_build(Conn *scratch, const Wait *wait, const CloneStatement *statements, size_t count) MUST_USE;

/* Members of EngineOps. */
Err *pg_copy_statements(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const Table *tables,
                        size_t count, const Mention *mentions, size_t mention_count,
                        CopyStatement **ret_statements, size_t *ret_count) MUST_USE;
Err *pg_clone_open(const Target *target, Conn *conn, const Wait *wait, const Server *server,
                   const Table *tables, size_t count, const Mention *mentions, size_t mention_count,
                   bool in_schema, Clone **ret_clone) MUST_USE;
Err *pg_clone_text(Conn *conn, const Wait *wait, const Server *server, const Table *tables, size_t count,
                   const Mention *mentions, size_t mention_count, Str *ret_text) MUST_USE;
Conn *pg_clone_conn(Clone *clone);
void pg_clone_close(Clone *clone);
Err *pg_clone_run(Conn *conn, const Wait *wait, const char *const *sql, size_t count, bool outside) MUST_USE;
