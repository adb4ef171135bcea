/* shadow_my.h — ShadowOps of MySQL and MariaDB; what each function promises stands in engine/shadow.h. */
#pragma once
#include "engine/engine.h"
#include "engine/shadow.h"

extern const ShadowOps my_shadow_ops;

/* ---- rows (shadow_rows.c, shadow_apply.c, shadow_compare.c) ---------------------------------------------
 */

Err *my_shadow_next(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, ShadowPass pass,
                    const char *low, int64_t size, Range *ret_range, bool *ret_done) MUST_USE;
Err *my_shadow_copy(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Range *range,
                    int64_t *ret_rows, KeyList *ret_displaced) MUST_USE;
Err *my_shadow_apply(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const KeyList *keys,
                     const KeyList *owed, bool locked, Applied *ret_applied) MUST_USE;
Err *my_shadow_owed(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                    KeyList *ret_keys) MUST_USE;
/* What a session needs to apply keys is asked and made before it does, so that no time is lost under a lock.
 */
Err *my_shadow_ready(Conn *conn, const Wait *wait, const ShadowSpec *spec) MUST_USE;
Err *my_shadow_compare(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Range *range,
                       int64_t *ret_rows, KeyList *ret_different) MUST_USE;
Err *my_shadow_compare_keys(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                            const KeyList *keys, KeyList *ret_different, KeyList *ret_busy) MUST_USE;
Err *my_shadow_empty(Conn *conn, const Wait *wait, const ShadowSpec *spec) MUST_USE;
char *my_shadow_key_text(Arena *arena, const ShadowSpec *spec, const char *key);
double my_shadow_fraction(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                          const char *position);

/* ---- capture (capture.c) ---------------------------------------------------------------------------------
 */

Err *my_capture_begin(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                      const char **ret_position) MUST_USE;
Err *my_capture_end(Conn *conn, const Wait *wait, const ShadowSpec *spec) MUST_USE;
Err *my_capture_open(const Target *target, const Wait *wait, const ShadowSpec *spec, const char *position,
                     Capture **ret_capture) MUST_USE;
void my_capture_close(Capture *capture);
Err *my_capture_next(Capture *capture, const Wait *wait, Arena *arena, size_t most,
                     Captured *ret_captured) MUST_USE;
Err *my_capture_applied(Capture *capture, const Wait *wait, const char *position) MUST_USE;
Err *my_capture_mark(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                     const char **ret_mark) MUST_USE;
bool my_capture_reached(const Capture *capture, const char *mark);
