/* definition.h — definitions as SHOW CREATE TABLE gives them; my_definition() stands in my.h. */
#pragma once
#include "engine/mysql/my.h"

/* Without the next AUTO_INCREMENT value, which changes with every row; in `arena`. Pure. */
char *definition_plain(Arena *arena, const char *create_sql) __attribute__((returns_nonnull));
/* A view's without its definer; another text as it is. Pure. */
char *definition_any_definer(Arena *arena, const char *create_sql) __attribute__((returns_nonnull));
/* The same, and without what only says again what stands beside it, so that a table and a copy of it made
 * from its text have the same. Pure. */
char *definition_canonical(Arena *arena, const char *create_sql) __attribute__((returns_nonnull));
