/* shadow_conflict.h — who is in the way when a row of the source does not go into the shadow because of a
 * unique index. */
#pragma once
#include "engine/mysql/shadow_stage.h"

typedef struct Conflict {
    KeyList keys;    /* rows of the shadow in the way, by the source's keys */
    KeyList targets; /* the same, for rows_delete */
} Conflict;

/* For the source's rows where `where` holds, whose keys, if `own` is given, are `own`: rows of the shadow
 * that have another key, not among `own`, and are equal to one of them in a unique index. With spec->tightens
 * ERR_VERIFY, naming both, where two rows of the source are equal in such an index. Outside of a transaction;
 * also under LOCK TABLES. */
Err *conflict_find(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Form *form,
                   const char *where, const KeyList *own, Conflict *ret_conflict) MUST_USE;
