/* drop.h — what drops share: what stands on the thing that goes; known inside plan/ only. */
#pragma once
#include "plan/maker.h"

/* The operation's table is this one. */
bool op_is_on(const Maker *maker, const Operation *op, const char *schema, const char *name);
/* Another operation of the change takes the dependent away before `op` has its turn. */
bool taken_first(const Maker *maker, const Operation *op, const Dependent *dependent);
/* It stands on the column, else on the constraint, else on the table as a whole. */
bool stands_on(const Dependent *dependent, const char *column, const char *constraint);
/* The other end of a foreign key goes with this change as well. */
bool end_goes_too(const Maker *maker, const Operation *op, const Dependent *dependent);
/* ERR_UNSAFE with all that stands in the way, and how to write it into the change. */
Err *dependents_check(Maker *maker, const Operation *op, TableWork *work, const char *what) MUST_USE;
/* It belongs to this table alone: neither to a partition of it nor, on a partition, to its parent as well. */
bool dependent_is_own(const TableWork *part, const Dependent *dependent);
/* A step of contract that drops the foreign key of `owner`; `far` is the table at its other end, NULL: none.
 */
void key_goes(Maker *maker, TableWork *owner, const char *name, const char *far);
/* The table that the foreign key refers to, quoted; NULL. */
const char *far_end(Arena *arena, const Table *table, const char *constraint);
/* A note of functions that only mention it. */
void mention_note(Maker *maker, const Operation *op, TableWork *work, const char *what);
