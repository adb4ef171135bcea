/* shadow_rows.h — what the files about a shadow's rows share. */
#pragma once
#include "engine/mysql/shadow_form.h"

/* ---- transactions (shadow_rows.c) ------------------------------------------------------------------------
 */

/* Begins a transaction that rows_rollback() or my_end() ends. */
Err *rows_start(Conn *conn, const Wait *wait, const Form *form) MUST_USE;
/* Ends the transaction at hand without it; never fails visibly. */
void rows_rollback(Conn *conn);
/* Whether a transaction that was refused with this may succeed when it is tried again at once: a deadlock, or
 * a lock that was waited for in vain. Sleeps a little, and frees the error then. */
bool rows_again(Err *err, const Wait *wait, int attempt);
/* Where foreign keys stand on the shadow: shared locks on the parents of the source's rows with `where`,
 * first of all in a transaction and without waiting, so that the INSERT finds them its own; and a parent that
 * is deleted meanwhile takes its children with it in the source and in the shadow. ERR_LOCK_TIMEOUT where one
 * is locked by others. */
Err *rows_lock_parents(Conn *conn, const Wait *wait, const ShadowSpec *spec, const Form *form,
                       const char *where) MUST_USE;
/* INSERT INTO `into` … SELECT … FROM source WHERE `where`; a plain read of the source. ERR_VERIFY for values
 * that do not fit and for warnings, with the row's key where the server tells which it was. */
Err *rows_insert(Conn *conn, const Wait *wait, const ShadowSpec *spec, const Form *form, const char *into,
                 const char *where, int64_t *ret_rows) MUST_USE;
/* The same out of a stage that was filled with `where` (shadow_stage.h), into the shadow. */
Err *rows_insert_staged(Conn *conn, const Wait *wait, const ShadowSpec *spec, const Form *form,
                        const char *stage, const char *where, int64_t *ret_rows) MUST_USE;
/* The shadow's rows with these targets (shadow_stage.h) go. */
Err *rows_delete(Conn *conn, const Wait *wait, const Form *form, const KeyList *targets,
                 int64_t *ret_rows) MUST_USE;
/* A value that a strict server does not store as it is. */
bool rows_is_misfit(const Err *err);
/* The first column of a result as keys in `arena`, which holds the result. */
KeyList rows_keys(Arena *arena, const Rows *rows);
