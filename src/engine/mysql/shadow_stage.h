/* shadow_stage.h — temporary tables of the session with the shadow's columns, filled by the same INSERT …
 * SELECT as the shadow: what the new definition makes of rows and keys of the source. */
#pragma once
#include "engine/mysql/shadow_rows.h"

/* Made on first use, outside of any transaction (MySQL with enforced GTIDs refuses it within). */
Err *stage_open(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Form *form,
                const char **ret_name) MUST_USE;
/* Empties it, and fills it with the source's rows for which `where` holds. */
Err *stage_fill(Conn *conn, const Wait *wait, const ShadowSpec *spec, const Form *form, const char *name,
                const char *where) MUST_USE;

/* What keys of the source are in the shadow, as literals for form->target_names. Those that cannot be stored
 * there are left out. Outside of a transaction at its first call of a session, as stage_open. */
Err *stage_targets(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Form *form,
                   const KeyList *keys, KeyList *ret_targets) MUST_USE;
