/* shadow_owed.h — keys of rows that the shadow owes: they had to make room for others, and are written again
 * by a later transaction. Table owed_<change> in database stoa, made when a row has to make room for the
 * first time, so that whoever goes on after a crash knows them. */
#pragma once
#include "engine/mysql/shadow_form.h"

/* Makes the table unless it is there. Outside of a transaction, and not under LOCK TABLES. */
Err *owed_make(Conn *conn, const Wait *wait, const ShadowSpec *spec, Form *form) MUST_USE;
/* In the transaction that takes the rows of these keys out of the shadow. */
Err *owed_note(Conn *conn, const Wait *wait, const ShadowSpec *spec, const KeyList *keys) MUST_USE;
/* In the transaction that writes them again. The table is there. */
Err *owed_settle(Conn *conn, const Wait *wait, const ShadowSpec *spec, const KeyList *keys) MUST_USE;
/* Nothing is owed any more. */
Err *owed_clear(Conn *conn, const Wait *wait, const ShadowSpec *spec) MUST_USE;
/* The table goes; with a specification that leads forward that of the way back, too. */
Err *owed_drop(Conn *conn, const Wait *wait, const ShadowSpec *spec) MUST_USE;
