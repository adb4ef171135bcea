/* look.h — what a clone's tables are stored in, before and after a statement: whether it wrote a table or an
 * index anew. From InnoDB's views, which need PROCESS. */
#pragma once
#include "engine/mysql/scratch.h"

typedef struct Look {
    bool known;         /* the views could be read */
    bool indexes_known; /* … and show an index of every table: MySQL 8 and 9 show none of partitions (seen
                           on 9.7) */
    const char *engine; /* of the table; NULL where it is gone */
    int64_t *tables;    /* TABLE_ID of each table and partition, ascending */
    size_t table_count;
    struct LookIndex {
        int64_t id, table; /* INDEX_ID, TABLE_ID */
    } * indexes;           /* ascending */
    size_t index_count;
    int64_t row_versions; /* of all of them; 0 where they are not counted */
    Rows texts;           /* name and collation of each column that has one */
} Look;

/* `database` is a copy's name, `table` a table in it. */
Err *look_take(Conn *conn, const Wait *wait, Arena *arena, const char *database, const char *table,
               Look *ret_look) MUST_USE;
/* A table of before is gone and another one is there: rows were written. */
bool look_is_rebuilt(const Look *before, const Look *after);
/* A table of before has an index that it did not have. */
bool look_has_new_index(const Look *before, const Look *after);
/* A column has another collation than before; also where one under another name has. */
bool look_has_new_collation(const Look *before, const Look *after);
