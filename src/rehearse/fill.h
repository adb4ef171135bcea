/* fill.h — rows made of statistics: SQL by which the server makes them itself.
 *
 * Everything in a row is a function of its number, so that a foreign key needs no look at the other table,
 * and an application can compute which keys there are. Every unique key is a bijection of "levels", 0 to the
 * number of rows less one; a reference draws a level of its table and takes that row's key. Common values are
 * never taken over as they are, but where the definitions or the change name them. Pure. */
#pragma once
#include "rehearse/facts.h"

typedef struct Fill Fill;

/* Rows for a table of `row_count` rows that stands for `facts->tables[main]`; all others in the same measure.
 * `words`: texts that may be taken over as they are, a JSON object with a key for each. */
Fill *fill_new(Arena *arena, const Facts *facts, const FactTable *main, int64_t row_count,
               const json_t *words) __attribute__((returns_nonnull));
int64_t fill_row_count(const Fill *fill, const FactTable *table);
/* The tables that need rows when `mains` have some: these, those that refer to them, and all that these refer
 * to, each once, those that are referred to first where that is possible. */
void fill_tables(Arena *arena, const Facts *facts, const FactTable *const *mains, size_t main_count,
                 const FactTable *const **ret_tables, size_t *ret_count);

/* INSERT of rows number [low, high) into the table (`into` NULL: itself; else a copy of it, quoted).
 * ERR_UNSAFE names a column that cannot be left empty, and of whose type no values can be made. */
Err *fill_insert(const Fill *fill, const FactTable *table, const char *into, int64_t low, int64_t high,
                 const char **ret_sql) MUST_USE;
/* How many rows one INSERT should make at most. */
int64_t fill_chunk_rows(const Fill *fill);
/* The table as it stands in SQL of the server that the facts are of. */
const char *fill_table_name(const Fill *fill, const FactTable *table);
const char *fill_ident(const Fill *fill, const char *name);
/* $1 or $2, a whole number, as an expression. */
const char *fill_param(const Fill *fill, int number);
/* The value as one of the column's type. */
const char *fill_cast(const Fill *fill, const FactColumn *column, const char *value);
/* INSERT of the one row of number `row`, which is an expression. */
Err *fill_insert_one(const Fill *fill, const FactTable *table, const char *row,
                     const char **ret_sql) MUST_USE;
/* "id = 1 + $1": the row with this level of the best key; NULL: it has no key. */
const char *fill_key_filter(const Fill *fill, const FactTable *table, const char *level);
/* A value of the column for a row of this number, as an expression; NULL: none can be made. */
const char *fill_value(const Fill *fill, const FactTable *table, const FactColumn *column, const char *row);
/* Whether the column is a part of a unique key, or refers to a table, so that not every value will do. */
bool fill_is_bound(const FactTable *table, const FactColumn *column);
