/* definition.h — definitions as SHOW CREATE TABLE gives them; my_definition() stands in my.h. */
#pragma once
#include "engine/mysql/my.h"

/* Without the next AUTO_INCREMENT value, which changes with every row; in `arena`. Pure. */
char *definition_plain(Arena *arena, const char *create_sql) __attribute__((returns_nonnull));
