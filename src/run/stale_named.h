/* stale_named.h — which columns some statement names. Names are compared without case, and without their
 * schema: what is in doubt counts as named. Private to run/ and its tests. */
#pragma once
#include "change/words.h"

typedef struct NamedColumn {
    const char *name;
    bool named;
} NamedColumn;

typedef struct NamedTable {
    const char *schema, *name;
    NamedColumn *columns; /* in the order given */
    size_t column_count;
    int64_t calls; /* of statements that name the table */
    size_t statements;
} NamedTable;

typedef struct Named Named;

Named *named_new(Arena *arena) __attribute__((returns_nonnull));
/* Adds a table under its name and the names of its partitions; all of them before the first statement. */
void named_add(Named *named, const char *schema, const char *table, const char *const *parts,
               size_t part_count, const char *const *columns, size_t column_count);
/* One statement of a client. What is no SELECT, INSERT, UPDATE, DELETE or the like names nothing; a star, a
 * whole row, an INSERT without a list and a text that was cut off name every column; COPY … TO with all of
 * the columns, which is how tables are dumped, none. */
void named_statement(Named *named, const Words *words, int64_t calls);
/* The body of a function: whatever word stands there names all columns of that name. */
void named_body(Named *named, const Words *words);
size_t named_count(const Named *named);
const NamedTable *named_at(const Named *named, size_t at);
