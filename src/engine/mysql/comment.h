/* comment.h — comments of columns on MySQL and MariaDB. What the functions promise stands at EngineOps in
 * engine/engine.h; here only what is more. */
#pragma once
#include "engine/engine.h"

/* Before the statement that writes one: captures know by it that rows and definition stay what they are. */
#define COMMENT_MARK "/* stoa: contract of a column */ "

Err *my_column_comment(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                       const char *column, bool *ret_there, const char **ret_comment) MUST_USE;
/* MODIFY with the definition that the column has, looked at under the lock, and ALGORITHM=INSTANT; where the
 * server does not know the word (before MySQL 8.0.12 and MariaDB 10.3.2), INPLACE with LOCK=NONE, cut off
 * where it takes longer than the stall. A comment alone was seen to leave InnoDB's table number as it is on
 * MySQL 5.6 and 9.7, MariaDB 10.11 and 11.8, whatever the column. */
Err *my_set_column_comment(Conn *conn, const Target *target, const Wait *wait, Arena *arena,
                           const CommentRequest *request, AlterResult *ret_result) MUST_USE;

/* `line`, a column's line of SHOW CREATE TABLE without the comma, with another comment, which is a literal,
 * as MODIFY takes it; in `arena`. Pure. */
char *comment_in_line(Arena *arena, const char *line, const char *literal) __attribute__((returns_nonnull));
