/* scratch.h — the database beside the user's own in which clones are made.
 *
 * Each role has one for each database, "stoa_scratch_<database>_<role>" by their numbers, made on first use
 * and kept: making one copies template0 (before 15 behind two checkpoints that the server writes at once) and
 * dropping one forces a checkpoint on every version. It is ours where name, owner and comment say so; only
 * then is it ever emptied. Who uses it holds a session advisory lock inside it. Whoever finds it in use, or
 * goes through a transaction pooler, makes a temporary one, "stoa_scratch_<second>_<pid>_<random>", and drops
 * it again. */
#pragma once
#include "engine/engine.h"

/* The comment by which a database or schema is known to be ours. */
#define SCRATCH_MARK "empty copy in which Stoa tries statements out; may be dropped"

typedef struct Scratch {
    Arena *arena;
    Target home;   /* the user's own database */
    Target target; /* the scratch database */
    Conn *conn;    /* to it */
    bool made;     /* it is there, or may be */
    bool kept;     /* and stays, emptied */
} Scratch;

/* Connects to an empty scratch database. Leftovers of dead processes, and kept ones whose database is gone,
 * are dropped on the way. ERR_PRIVILEGE with what to grant where the role may not make a database or cannot
 * connect to it. scratch_close in any case. */
Err *scratch_open(const Target *home, Conn *conn, const Wait *wait, const Server *server,
                  Scratch *ret_scratch) MUST_USE;
/* Empties it, or drops it where it is not kept. */
void scratch_close(Scratch *scratch);
/* Drops all scratch databases of the database of `conn` that this role may drop, in use or not, and what dead
 * processes left. Member of EngineOps. */
Err *pg_clone_forget(Conn *conn, const Wait *wait) MUST_USE;

/* scratch_clear.c: drops everything in the database, and tells whether it is as empty as a new one then. */
Err *scratch_clear(Conn *scratch, const Wait *wait, bool *ret_clean) MUST_USE;
