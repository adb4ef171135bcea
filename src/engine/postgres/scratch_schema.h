/* scratch_schema.h — scratch schemas inside the user's own database, where no scratch database can be made.
 *
 * "stoa_scratch_<second>_<pid>_<random>_<ordinal>", one for each schema of the copy, with a comment by which
 * they are known to be ours. Who made them holds a session advisory lock on the name without the ordinal for
 * as long as it lives: so the next one drops what a killed process left, however young, and nobody's else. */
#pragma once
#include "engine/engine.h"
#include "engine/postgres/clone.h"
#include "engine/postgres/spaces.h"

typedef struct ScratchSchema {
    Arena *arena;
    Target home;
    Conn *conn; /* a session of its own, whose search_path leads to the copies */
    Spaces spaces;
} ScratchSchema;

/* Makes the schemas and carries the statements of the clone out in them, and proves that nothing in them
 * depends on anything real. ERR_PRIVILEGE where the role may not make a schema; ERR_SQL where something
 * forbids it or cannot be copied. scratch_schema_close in any case. */
Err *scratch_schema_open(const Target *home, const Wait *wait, const Server *server, const CloneWish *wish,
                         const CloneStatement *statements, size_t count, ScratchSchema *ret_scratch) MUST_USE;
void scratch_schema_close(ScratchSchema *scratch);
/* Drops what dead processes left, as far as the role may. */
Err *scratch_schema_forget(Conn *conn, const Wait *wait) MUST_USE;
