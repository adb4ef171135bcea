/* quote.h — names in SQL of MySQL and MariaDB; literals are my_literal's (conn.h). */
#pragma once
#include "base/arena.h"

/* The name in backticks, which need no escape but their own doubling in any sql_mode; in `arena`. */
char *my_ident(Arena *arena, const char *name) __attribute__((returns_nonnull));
/* schema.name, both in backticks; `schema` may be NULL. */
char *my_name(Arena *arena, const char *schema, const char *name) __attribute__((returns_nonnull));
