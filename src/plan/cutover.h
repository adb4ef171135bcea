/* cutover.h — what making the parts of new columns and their cutover share; known inside plan/ only. */
#pragma once
#include "plan/maker.h"

/* One table's part. */
typedef struct Side {
    TableWork *work;
    const ColumnPart *const *items;
    size_t count;
    const char *const *not_null; /* per twin: the constraint that proved it, where it stays (18); NULL */
} Side;

/* A foreign key to this table from columns that stay as they are: it is this table's cutover that points it
 * to the new columns. */
bool part_is_repointed(const Maker *maker, const ColumnPart *one);

/* All that hangs on the old columns is made for the new ones, in the constrain phase (twin_parts_pg.c). */
Err *twin_parts_write(Maker *maker, Side *side) MUST_USE;
