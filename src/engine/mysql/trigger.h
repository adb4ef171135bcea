/* trigger.h — the triggers that write the keys of changed rows into a log, and that log's table. */
#pragma once
#include "engine/engine.h"
#include "engine/shadow.h"

/* Makes what is missing: table `stoa`.`keys_<change>`, triggers stoa_<change>_ins, _upd and _del on the
 * source, AFTER each row; of a way back keys_<change>_back and stoa_<change>_back_ins … Each CREATE TRIGGER
 * waits for the table's metadata lock for at most 100 ms at a time, and rests in between; ERR_LOCK_BUDGET
 * where it never got it. ERR_PRIVILEGE with the grant; ERR_UNSAFE where the server takes one trigger for each
 * event only (before MySQL 5.7.2 and MariaDB 10.2.3) and there is one.
 *
 * The triggers run as their definer, this session's user, without a strict mode, and write with a plain
 * INSERT into a table without any other unique index: they give the application's statements no errors. */
Err *trigger_make(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec) MUST_USE;
/* All of it goes, as far as it is there. */
Err *trigger_drop(Conn *conn, const Wait *wait, const ShadowSpec *spec) MUST_USE;
/* Whether the triggers hang on the source: names move with a table that is renamed. */
Err *trigger_hang(Conn *conn, const Wait *wait, const ShadowSpec *spec, bool *ret_whole) MUST_USE;
/* Whether all of it is there. */
Err *trigger_check(Conn *conn, const Wait *wait, const ShadowSpec *spec, bool *ret_whole) MUST_USE;
/* The log's table, qualified and quoted, and an expression over it for the key's text. */
char *trigger_log(Arena *arena, const ShadowSpec *spec);
Err *trigger_literal(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                     const char **ret_literal) MUST_USE;
