/* scratch.h — the names of a clone's databases: which copy stands for which database, in a session's
 * variable, and texts translated from one to the other. */
#pragma once
#include "engine/mysql/conn.h"

typedef struct ScratchName {
    const char *real, *copy; /* "shop", "stoa_scratch_q17_00" */
} ScratchName;

/* Empty in a session that has no clone. The first one is that of the first table. */
typedef struct Scratch {
    ScratchName *names;
    size_t count, cap;
    const char *prefix; /* "stoa_scratch_q17": also the user-level lock that its session holds */
} Scratch;

#define SCRATCH_PREFIX "stoa_scratch_"

/* "stoa_scratch_q17" in session 17, or "…_l17" where what it does is written to the binary log: those must be
 * dropped with the log on as well, since replicas have them. */
char *scratch_prefix(Arena *arena, int64_t session_id, bool logged) __attribute__((returns_nonnull));
/* What that name is made of: the session's lock for one of its databases; NULL where the name is none of
 * ours. */
char *scratch_lock_of(Arena *arena, const char *database, bool *ret_logged);

/* The copy's name, which is added where it is new. */
const char *scratch_add(Arena *arena, Scratch *scratch, const char *real) __attribute__((returns_nonnull));
/* Adds what FOREIGN KEY clauses of this CREATE TABLE name with a database. */
void scratch_add_references(Arena *arena, Scratch *scratch, const char *create_sql);

/* Kept in the session, and read again (nothing there: empty). */
Err *scratch_keep(Conn *conn, const Wait *wait, const Scratch *scratch) MUST_USE;
Err *scratch_load(Conn *conn, const Wait *wait, Arena *arena, Scratch *ret_scratch) MUST_USE;

/* The copy that stands for `schema`; `schema` itself where there is none. */
const char *scratch_of(const Scratch *scratch, const char *schema);
/* The statement with the copies' names where it names a database before a point, outside literals and
 * comments. */
char *scratch_sql(Arena *arena, const Scratch *scratch, const char *sql) __attribute__((returns_nonnull));
/* A definition or message with the real names again. */
char *scratch_real(Arena *arena, const Scratch *scratch, const char *text) __attribute__((returns_nonnull));
