/* table_copy.h — what a copy of a table needs so that it can take the table's place, in the server's own
 * words: statements, and what cannot be carried over. Plain data. */
#pragma once
#include <stddef.h>

typedef struct CopyStatements {
    const char *const *items;
    size_t count;
} CopyStatements;

/* The table itself, one of its indexes (that of a constraint, too), or a sequence of one of its columns. */
typedef struct CopyMember {
    const char *name;
    CopyStatements make; /* on the copy */
    CopyStatements swap; /* with the change of names: the table is called TableCopy.old by then */
    CopyStatements back; /* the same the other way round: the copy gets the name it was made with again */
} CopyMember;

typedef struct TableCopy {
    const char *copy, *old;       /* what the copy is called, and the table behind the change of names */
    const char *const *obstacles; /* "view public.paid", "row level security" … */
    size_t obstacle_count;
    CopyMember table; /* make: CREATE TABLE … LIKE, options, comments, rights, statistics targets */
    const CopyMember *sequences, *indexes;
    size_t sequence_count, index_count;
} TableCopy;
