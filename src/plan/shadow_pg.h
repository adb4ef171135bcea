/* shadow_pg.h — a change carried out in a shadow table of PostgreSQL; known inside plan/ only. */
#pragma once
#include "plan/maker.h"

/* A column of the table as it will be. */
typedef struct ShadowWish {
    const Column *old; /* NULL: it is added */
    const char *name, *type;
    const char *expr;      /* its value over the source, of the new type */
    const char *expr_back; /* of an old one that gets another type: its value over the new table */
    bool computed;         /* `expr` is more than the source's column */
} ShadowWish;

typedef struct ShadowWork {
    TableWork *work;       /* of the table */
    TableWork shadow, old; /* of the two other names */
    const TableCopy *copy;
    const Index *key;
    VEC(ShadowWish) wishes;
    Texts alters; /* the change, on the shadow */
    Texts words;  /* for the title */
} ShadowWork;

/* What is asked of the table, as statements on the shadow and as expressions over the source. ERR_UNSAFE
 * naming what cannot be done so. */
Err *shadow_ask(Maker *maker, ShadowWork *shadow) MUST_USE;
/* The steps of the whole change (shadow_steps_pg.c). */
void shadow_steps(Maker *maker, ShadowWork *shadow);
