/* definition.h — definitions as SHOW CREATE TABLE gives them; my_definition() stands in my.h. */
#pragma once
#include "engine/mysql/my.h"

/* Without the next AUTO_INCREMENT value, which changes with every row; in `arena`. Pure. */
char *definition_plain(Arena *arena, const char *create_sql) __attribute__((returns_nonnull));
/* A view's without its definer; another text as it is. Pure. */
char *definition_any_definer(Arena *arena, const char *create_sql) __attribute__((returns_nonnull));
/* Without the contracts in comments of columns (engine/contract_mark.h), which come and go as they like; a
 * comment that is nothing else goes as a whole. Pure. */
char *definition_without_contracts(Arena *arena, const char *create_sql) __attribute__((returns_nonnull));
/* A column's line, without the comma; NULL where there is no such column. Pure. */
const char *definition_column_line(Arena *arena, const char *create_sql, const char *column);
/* The length of the literal or quoted name at `at`; 0 where there is none. Pure. */
size_t definition_quoted(const char *at);
/* All of that, and without what only says again what stands beside it, so that a table and a copy of it made
 * from its text have the same. Pure. */
char *definition_canonical(Arena *arena, const char *create_sql) __attribute__((returns_nonnull));
