/* journal.h — the journal on MySQL and MariaDB: its texts, what of ours stands on users' tables, the
 * heartbeat. */
#pragma once
#include "engine/engine.h"

const char *my_journal_sql(JournalSql statement);
/* As EngineOps.undress: triggers that capture changes go before the tables into which they write. */
Err *my_undress(Conn *conn, const Wait *wait) MUST_USE;
/* As EngineOps.beat and beat_seen. */
Err *my_beat(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_ms) MUST_USE;
Err *my_beat_seen(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_ms) MUST_USE;
