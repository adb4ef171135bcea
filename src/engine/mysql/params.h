/* params.h — parameters put into a statement's text as literals of the session. */
#pragma once
#include "base/str.h"
#include "engine/engine.h"

/* Adds `sql` to `str` with params[0] where $1 stands outside quotes and comments, and so on; NULL is SQL
 * NULL. ERR_BUG for a number without a parameter. */
Err *my_put_params(Conn *conn, Str *str, const char *sql, size_t count, const char *const *params) MUST_USE;
