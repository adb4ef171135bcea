/* capture_parts.h — the two ways of capture behind one type. */
#pragma once
#include "engine/mysql/shadow_my.h"

/* ---- the binary log (capture_log.c) ----------------------------------------------------------------------
 */

typedef struct LogCapture LogCapture;
Err *log_capture_begin(Conn *conn, const Wait *wait, Arena *arena, const char **ret_position) MUST_USE;
Err *log_capture_open(const Target *target, const Wait *wait, const ShadowSpec *spec, const char *position,
                      LogCapture **ret_capture) MUST_USE;
void log_capture_close(LogCapture *capture);
Err *log_capture_next(LogCapture *capture, const Wait *wait, Arena *arena, size_t most,
                      Captured *ret_captured) MUST_USE;
Err *log_capture_mark(Conn *conn, const Wait *wait, Arena *arena, const char **ret_mark) MUST_USE;
bool log_capture_reached(const LogCapture *capture, const char *mark);

/* ---- triggers and a key log (capture_trigger.c) ----------------------------------------------------------
 */

typedef struct TriggerCapture TriggerCapture;
Err *trigger_capture_begin(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                           const char **ret_position) MUST_USE;
Err *trigger_capture_end(Conn *conn, const Wait *wait, const ShadowSpec *spec) MUST_USE;
Err *trigger_capture_open(const Target *target, const Wait *wait, const ShadowSpec *spec,
                          const char *position, TriggerCapture **ret_capture) MUST_USE;
void trigger_capture_close(TriggerCapture *capture);
Err *trigger_capture_next(TriggerCapture *capture, const Wait *wait, Arena *arena, size_t most,
                          Captured *ret_captured) MUST_USE;
Err *trigger_capture_applied(TriggerCapture *capture, const Wait *wait, const char *position) MUST_USE;
Err *trigger_capture_mark(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                          const char **ret_mark) MUST_USE;
/* While a session locks the source, or is about to, captures of the change leave the key log alone: they
 * would wait for it. What trigger_capture_mark reads under the lock they hand out. */
void trigger_capture_hold(int64_t change_id, bool hold);
bool trigger_capture_reached(const TriggerCapture *capture, const char *mark);

/* ---- logged statements (capture_ddl.c) -------------------------------------------------------------------
 */

typedef enum DdlKind {
    DDL_NONE,    /* nothing to do with the source's rows or definition */
    DDL_EMPTIED, /* TRUNCATE */
    DDL_ALTERED, /* another definition, another table in its place, or none */
} DdlKind;
/* What a statement that commits by itself, run in the default database `database`, did to the source. Renames
 * among the change's own tables are ours. Pure. */
DdlKind ddl_judge(const ShadowSpec *spec, bool any_case, const char *database, const char *statement);

/* The comment before statements of ours that change the source's definition for a moment (swap_keys.c), by
 * which capture knows them. */
char *my_keys_mark(Arena *arena, int64_t change_id) __attribute__((returns_nonnull));
