/* written.h — statements in the user's own words. */
#pragma once
#include "engine/mysql/conn.h"

/* One statement under the server's own time zone, and with those modes of its sql_mode that decide what the
 * words mean (|| and ", a backslash, REAL …), on top of this session's own modes; strict as all others.
 * The session is as before afterwards. Errors as my_exec. */
Err *my_exec_written(Conn *conn, const Wait *wait, const char *sql) MUST_USE;
/* The two halves, for a statement that is sent elsewhere. */
Err *my_written_begin(Conn *conn, const Wait *wait) MUST_USE;
Err *my_written_end(Conn *conn, const Wait *wait) MUST_USE;

/* Of these modes the first that is in `sql_mode` and may change what an expression means; NULL. */
const char *my_odd_mode(const char *sql_mode);
/* The mode that reads statements in another language, ORACLE; NULL. */
const char *my_language_mode(const char *sql_mode);
