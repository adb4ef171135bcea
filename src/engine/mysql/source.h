/* source.h — what a rehearsal reads of a server; what the functions promise stands at EngineOps. */
#pragma once
#include "engine/engine.h"

/* ---- source_copy.c ---- */

/* Tables of other databases are left out, and references to them; partitions are part of their table. */
Err *my_copy_statements(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const Table *tables,
                        size_t count, const Mention *mentions, size_t mention_count,
                        CopyStatement **ret_statements, size_t *ret_count) MUST_USE;

/* ---- source.c ---- */

/* Sizes are those of leaf pages (mysql.innodb_index_stats), which need SELECT on that table; without it
 * DATA_LENGTH, and of indexes none. Columns have what ANALYZE TABLE … PERSISTENT (MariaDB) or UPDATE
 * HISTOGRAM (MySQL) left, and else no statistics. "statements": digests of performance_schema that name the
 * table. */
Err *my_load_source(Conn *conn, const Wait *wait, Arena *arena, const char *const *names, size_t count,
                    json_t **ret_json) MUST_USE;
/* The parts of a name that my_name() wrote. */
void my_name_parts(Arena *arena, const char *sql, const char **ret_schema, const char **ret_name);

/* ---- source_sample.c ---- */

Err *my_sample_source(Conn *conn, const Wait *wait, Arena *arena, json_t *tables, int64_t row_count,
                      int64_t most_ms) MUST_USE;

/* ---- source_stored.c ---- */

/* Adds to `columns` what is stored of their values; `rows`: how many there are. */
Err *my_load_stored(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                    double rows, json_t *columns) MUST_USE;

/* ---- source_values.c: pure ---- */

/* Values of one column in a sample, in the order of the rows. */
typedef struct Sampled {
    bool null;
    double number;    /* of what has an order as a number */
    const char *text; /* else; NULL */
    double bytes;     /* of the value */
} Sampled;
/* Adds null_fraction, width, distinct, correlation, frequencies, common, bounds and lengths to the column
 * (rehearse/facts.h). `row_count`: of the table. Sorts `values`. */
void my_put_values(Arena *arena, json_t *column, Sampled *values, size_t count, double row_count);
