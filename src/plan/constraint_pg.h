/* constraint_pg.h — what kinds of constraints share: names, what is there already, when rows are looked at.
 */
#pragma once
#include "plan/maker.h"

/* One of those that are free for such a constraint, as the server would choose it; remembered. */
const char *constraint_free_name(Maker *maker, TableWork *work, const ConstraintSpec *spec,
                                 const char *of_column);
/* It is the constraint that the spec describes, whatever its name, and whether it is validated or not. */
bool constraint_like(Maker *maker, const TableWork *work, const TableConstraint *there,
                     const ConstraintSpec *spec);
/* Rows must be looked at when the columns have their values: before anything where all are there already. */
Phase constraint_phase(const TableWork *work, const ConstraintSpec *spec, const char *of_column);
/* The referenced columns: as written, else the primary key; ERR_USAGE where there is none such. */
Err *constraint_references(const Table *parent, const ConstraintSpec *spec,
                           const char *const **ret_columns) MUST_USE;

/* foreign_key_pg.c */
Err *foreign_key_add(Maker *maker, TableWork *work, const ConstraintSpec *spec,
                     const char *of_column) MUST_USE;
