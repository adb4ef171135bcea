/* shadow_conflict.h — who is in the way when a row of the source does not go into the shadow because of a
 * unique index. */
#pragma once
#include "engine/mysql/shadow_stage.h"

typedef struct Conflict {
    KeyList keys;    /* rows of the shadow in the way, by the source's keys */
    KeyList targets; /* the same, for rows_delete */
} Conflict;

/* Stages the source's rows where `where` holds, and finds rows of the shadow that have another key than, and
 * are equal in a unique index to, one of them. With spec->tightens ERR_VERIFY, naming both, where two rows of
 * the source are equal in such an index. In a transaction that has deleted the shadow's rows of these keys,
 * with the stage open already (stage_open); also under LOCK TABLES. Indexes over expressions are not looked
 * at. */
Err *conflict_find(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Form *form,
                   const char *where, const char **ret_stage, Conflict *ret_conflict) MUST_USE;
