/* refuse_my.h — statements of MySQL and MariaDB that are not carried out, and why. Internal to change/. */
#pragma once
#include "change/parse_my.h"

/* An ALTER TABLE with an action that is never carried out, whatever the server says. */
bool refuses_alter(const MyStatement *statement, const char **ret_reason, const char **ret_hint);
/* The reason for any statement without an operation of its own: ERR_UNSAFE, or ERR_USAGE where it is none
 * that these servers know, or not written as they would have it. */
ErrKind refuses_other(Arena *arena, const MyStatement *statement, const char **ret_reason,
                      const char **ret_hint);
/* BEGIN, START TRANSACTION, COMMIT. */
bool is_frame_my(const char *text);
