/* fill_parts.h — private to fill*.c. */
#pragma once
#include "rehearse/fill.h"

#include "base/str.h"
#include "engine/sql.h"
#include "rehearse/mask.h"

/* How one kind of server's SQL says it; texts in the arena. `x` and `k` are expressions, `list` has its items
 * with commas between them. fill_pg.c, fill_my.c. */
typedef struct FillDialect {
    bool schemas;                /* tables are named with theirs; else they are in the session's database */
    int64_t chunk_rows;          /* that one INSERT makes */
    const char *real;            /* behind a number, so that it is a double */
    const char *divide;          /* whole numbers */
    int (*header)(double width); /* bytes of a value's width that are none of the value */
    char *(*ident)(Arena *arena, const char *name);
    char *(*name)(Arena *arena, const char *schema, const char *name);
    char *(*literal)(Arena *arena, const char *text);
    char *(*param)(Arena *arena, int number); /* a parameter that is a whole number */
    char *(*cast)(Arena *arena, const char *x, const FactColumn *column);
    char *(*whole)(Arena *arena, const char *x); /* its floor, as a whole number */
    char *(*left)(Arena *arena, const char *text, const char *len);
    char *(*concat)(Arena *arena, const char *x, const char *y);
    char *(*hex)(Arena *arena, const char *x, int digits);             /* at least so many */
    char *(*digest)(Arena *arena, const char *x, int salt);            /* 32 hexadecimal digits */
    char *(*digests)(Arena *arena, const char *x, int count);          /* so many of them, in a row */
    char *(*chance)(const Fill *fill, const char *row, int64_t salt);  /* fill_chance() */
    char *(*bucket)(Arena *arena, const char *x, const char *list);    /* how many of these are not above x */
    char *(*number_at)(Arena *arena, const char *list, const char *k); /* from 1 on */
    char *(*whole_at)(Arena *arena, const char *list, const char *k);
    char *(*text_at)(Arena *arena, const char *list, const char *k);
    /* A double as a value of the column's type; `whole`: its values are. */
    char *(*typed)(Arena *arena, const FactColumn *column, const char *x, bool whole);
    /* Of a type that is known by its width alone; NULL: none. */
    const char *(*other)(const Fill *fill, const FactTable *table, const FactColumn *column,
                         const char *level, int digits, bool unique);
    /* INSERT of all columns in `columns`; `from`: what fill_series() gave, or NULL for one row. */
    char *(*insert)(Arena *arena, const char *table, const char *columns, const char *values,
                    const char *from);
    /* What has rows in which i is [low, high), as it stands behind FROM. */
    char *(*series)(Arena *arena, int64_t low, int64_t high);
} FillDialect;
extern const FillDialect fill_dialect_pg, fill_dialect_my;

struct Fill {
    Arena *arena;
    const FillDialect *dialect;
    const Facts *facts;
    double share; /* of all rows of the source */
    const json_t *words;
    Mask *mask; /* of common texts */
};

/* How a column's values follow from a level in a unique key. */
typedef struct FillKey {
    bool in_key;   /* the rest holds */
    bool whole;    /* the column alone is the key */
    bool sorted;   /* levels follow the rows' numbers */
    int place;     /* in a key of several columns: 0 is the one with most values, 1 the others */
    int64_t width; /* how many levels that first one has */
} FillKey;
FillKey fill_key_of(const Fill *fill, const FactTable *table, const FactColumn *column);
/* The reference that the column is a part of, and its place; NULL. */
const FactReference *fill_reference_of(const FactTable *table, const FactColumn *column, size_t *ret_place);

/* A number in [0, 1) that only `row` and the column decide, another one for each `use`. */
char *fill_chance(const Fill *fill, const FactTable *table, const FactColumn *column, const char *row,
                  int use);
/* Distinct values of the column among so many rows. */
double fill_distinct(const Fill *fill, const FactTable *table, const FactColumn *column);
/* By the column's kind: the value for an expression in [0, 1), and for a level of a unique key; NULL: none.
 */
const char *fill_draw(const Fill *fill, const FactTable *table, const FactColumn *column, const char *u);
const char *fill_level_value(const Fill *fill, const FactTable *table, const FactColumn *column,
                             const char *level);
/* fill_text.c: a text of the column for a level (a whole number), of `digits` hexadecimal digits and more. */
const char *fill_token(const Fill *fill, const FactTable *table, const FactColumn *column, const char *level,
                       int digits, bool unique);
const char *fill_json(const Fill *fill, const FactTable *table, const FactColumn *column, const char *level,
                      int digits, bool unique);
/* So many hexadecimal digits at least that no compression makes much of. */
const char *fill_filler(const Fill *fill, const char *row, int most);
int fill_digits(double levels);
