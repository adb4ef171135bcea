/* my_table.h — what MySQL and MariaDB know of a table beyond schema.h. Plain data, filled by engine/mysql,
 * read by pure code. Texts are the server's own, in utf8mb4. */
#pragma once
#include "base/err.h"

/* In the order of Table.columns. */
typedef struct MyColumn {
    const char *name;
    const char *type;                /* "varchar(20)", "enum('a','b')", "bigint(20) unsigned" */
    const char *data_type;           /* the word alone, lower case: "varchar" */
    const char *charset, *collation; /* NULL where it has none */
    const char *default_sql;         /* as it would be written behind DEFAULT; NULL: none, or NULL */
    const char *on_update;           /* "current_timestamp()"; NULL */
    const char *generated;           /* the expression; NULL */
    const char *comment;             /* never NULL */
    const char *check;               /* MariaDB: the column's own CHECK; NULL */
    bool not_null;
    bool stored;           /* of a generated column: its values are kept */
    bool default_computed; /* the default is an expression, not a constant */
    bool auto_increment, invisible;
    bool compressed;           /* MariaDB: the column's own compression */
    bool unversioned;          /* MariaDB: WITHOUT SYSTEM VERSIONING */
    int64_t characters, bytes; /* at most, of texts and binaries; -1 elsewhere */
    int precision, scale;      /* of numbers; -1 */
    int fraction;              /* digits of seconds; -1 */
} MyColumn;

typedef struct MyIndexPart {
    const char *column;     /* NULL where it is an expression */
    const char *expression; /* NULL */
    int64_t prefix;         /* characters, or bytes of a binary; 0: the whole column */
    bool descending;
    bool nullable;
} MyIndexPart;

/* In the order of Table.indexes. */
typedef struct MyIndex {
    const char *name;
    const char *kind; /* "BTREE", "HASH", "FULLTEXT", "SPATIAL", "RTREE" */
    const char *comment;
    MyIndexPart *parts;
    size_t part_count;
    bool unique;
    bool hidden; /* INVISIBLE, or MariaDB's IGNORED: the optimiser does not use it */
} MyIndex;

typedef struct MyForeignKey {
    const char *name;
    const char *schema, *table; /* whose constraint it is: the child */
    const char *const *columns;
    const char *ref_schema, *ref_table; /* the parent */
    const char *const *ref_columns;
    size_t count;
    const char *on_delete, *on_update; /* "RESTRICT", "CASCADE", "SET NULL", "NO ACTION", "SET DEFAULT" */
} MyForeignKey;

/* A trigger or view whose text names the table. */
typedef struct MyUser {
    const char *what;  /* "trigger audit of orders", "view totals" */
    const char *table; /* a trigger: the table that it stands on; NULL: a view */
    const char *text;
} MyUser;

enum { MY_ROWS_COUNTED = 1001 }; /* rows are counted up to here */

typedef struct MyTable {
    const char *engine;              /* "InnoDB"; NULL for a view */
    const char *row_format;          /* "Dynamic" … as it is, written or not */
    const char *charset, *collation; /* the table's defaults */
    const char *comment;             /* never NULL */
    const char *options;             /* CREATE_OPTIONS: "row_format=COMPRESSED partitioned"; never NULL */
    const char *auto_increment; /* the next value, as digits (it may be beyond int64_t); NULL: it has none */
    const char *create_sql;     /* SHOW CREATE TABLE, or VIEW */
    MyColumn *columns;
    size_t column_count;
    MyIndex *indexes;
    size_t index_count;
    MyForeignKey *parents; /* its own foreign keys */
    size_t parent_count;
    MyForeignKey *children; /* those of others, and its own, that lead to it */
    size_t child_count;
    bool children_known;      /* the role sees all of them (PROCESS); else those of tables it may use */
    const char *partition_by; /* "RANGE (year(`at`))"; NULL */
    bool innodb, compressed, encrypted;
    bool system_versioned;
    bool fulltext, spatial; /* it has such an index */
    bool virtual_columns;
    int64_t row_count; /* at most MY_ROWS_COUNTED; -1: not counted */
    MyUser *users;
    size_t user_count;
    int row_versions;      /* instant changes so far; -1: they are not counted, or cannot be seen */
    int row_versions_most; /* 64, or 255; 0 where they are not counted */
} MyTable;
