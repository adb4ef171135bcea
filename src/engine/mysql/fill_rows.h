/* fill_rows.h — ranges of a table's own rows by its key, and columns of it filled there. What each function
 * promises stands at EngineOps in engine/engine.h; here only what is more.
 *
 * The table is its own shadow: the specification (Scan.rows) names it on both sides, so that positions are
 * those of a copy ("17,_utf8mb4 x'61'", see shadow_form.h), and rows are compared by the same staging. */
#pragma once
#include "engine/engine.h"

/* ERR_UNSAFE where no unique key over NOT NULL columns orders the rows. */
Err *my_scan_choose(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const Table *table,
                    Scan *ret_scan) MUST_USE;
Err *my_scan_next(Conn *conn, const Wait *wait, Arena *arena, Scan *scan, const char *low, int64_t size,
                  Range *ret_range, bool *ret_done) MUST_USE;
char *my_scan_filter(Arena *arena, const Scan *scan, const Range *range);
char *my_wave_filter(Arena *arena, const Scan *scan, int wave, int count);
double my_scan_fraction(const Scan *scan, const char *position);
/* A row's id is the predicate that finds it. */
Err *my_row_list(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *predicate,
                 int64_t most, Rows *ret_rows) MUST_USE;
char *my_row_filter(Arena *arena, const char *row_id);
/* Rows are locked without waiting, then updated; columns that the server would set by itself (ON UPDATE) keep
 * their value. ERR_VERIFY with the row's name where a value cannot be computed or stored. */
Err *my_update_rows(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *set_sql,
                    const char *predicate, bool free_only, int64_t *ret_rows) MUST_USE;
Err *my_unlike(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const Range *range,
               const char *const *columns, const char *const *exprs, size_t count, int64_t *ret_rows,
               KeyList *ret_names, int64_t *ret_busy) MUST_USE;
/* Rows keep their keys, whatever becomes of the table. */
Err *my_storage(Conn *conn, const Wait *wait, Arena *arena, const Table *table,
                const char **ret_storage) MUST_USE;
/* InnoDB knows no HOT updates, and no shape is asked for: always 0 and "". */
Err *my_hot_updates(Conn *conn, const Wait *wait, Arena *arena, const Table *table,
                    int64_t *ret_rows) MUST_USE;
Err *my_shape(Conn *conn, const Wait *wait, Arena *arena, int64_t table_id, const char **ret_shape,
              int64_t *ret_hot_rows) MUST_USE;
