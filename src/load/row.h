/* row.h — private to load/: what an application does to one row, in the table and alike in its twin.
 *
 * The table's row is always touched first and its twin only when that found a row, so that the lock on the
 * table's row orders the twin's changes as well. Sessions that know the new column write it themselves where
 * they insert a row or change its amount. */
#pragma once
#include "load/session.h"

typedef struct RowValues {
    int64_t id; /* 0: the server chooses */
    const char *customer, *amount, *status;
    const char *note; /* may be NULL */
} RowValues;

/* Chance gives all but the id. In the session's arena. */
void row_values(Session *session, int64_t id, RowValues *ret_values);
Err *row_insert(Session *session, RowValues *values) MUST_USE; /* sets values->id */
Err *row_upsert(Session *session, const RowValues *values) MUST_USE;
/* Several new rows by COPY with a column list. */
Err *row_copy(Session *session, int row_count) MUST_USE;
/* `same`: to what it is already. */
Err *row_update_amount(Session *session, int64_t id, bool same) MUST_USE;
/* status or note, which the expression mostly does not read. */
Err *row_update_other(Session *session, int64_t id) MUST_USE;
/* Only the new column, by the new application; others change status or note instead. */
Err *row_update_new(Session *session, int64_t id) MUST_USE;
Err *row_delete(Session *session, int64_t id, bool *ret_deleted) MUST_USE;
/* Gives the row a new, unused id. */
Err *row_move(Session *session, int64_t id) MUST_USE;
Err *row_select(Session *session, int64_t id, Rows *ret_rows) MUST_USE;
