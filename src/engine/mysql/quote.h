/* quote.h — names of MySQL and MariaDB in backticks. Literals are the session's: my_literal() in conn.h. */
#pragma once
#include "base/arena.h"

/* `name`, with the backticks in it doubled; in `arena`. */
char *my_ident(Arena *arena, const char *name) __attribute__((returns_nonnull));
/* `schema`.`name`; `schema` may be NULL. */
char *my_name(Arena *arena, const char *schema, const char *name) __attribute__((returns_nonnull));
