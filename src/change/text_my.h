/* text_my.h — statements of MySQL and MariaDB, and parts of them, written anew. */
#pragma once
#include "change/parse_my.h"

/* The bytes of the span. */
char *my_text(Arena *arena, const char *text, MySpan span) __attribute__((returns_nonnull));
/* Tokens of [start, end) with one space where white space or comments stand between two, without comments and
 * marks of executed ones: the same for every layout. NULL with a fault. */
const char *my_canonical(Arena *arena, const MyDialect *dialect, const char *text, size_t start, size_t end,
                         MyFault *ret_fault);
/* "ALTER TABLE `table` a, b": an ALTER TABLE's actions whose `keep` is true (NULL: all of them) in their
 * order, on a table of this name; without ALGORITHM, LOCK, WAIT and ONLINE. "ADD (a int, b int)" is written
 * as two. `text` is canonical. NULL where no action is left. */
const char *my_alter_sql(Arena *arena, const char *table, const char *text, const MyStatement *statement,
                         const bool *keep);
