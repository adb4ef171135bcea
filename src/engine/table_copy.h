/* table_copy.h — what a copy of a table needs so that it can take the table's place, in the server's own
 * words: statements, and what cannot be carried over. Plain data. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef struct CopyStatements {
    const char *const *items;
    size_t count;
} CopyStatements;

/* The table itself, one of its indexes (that of a constraint, too), a sequence of one of its columns, or what
 * else belongs to it: "policy own", "trigger touched", "publication all_of_it". */
typedef struct CopyMember {
    const char *name;
    CopyStatements make;    /* on the copy */
    CopyStatements swap;    /* with the change of names: the table is called TableCopy.old by then */
    CopyStatements back;    /* the same the other way round: the copy gets the name it was made with again */
    CopyStatements columns; /* their names; the types of these must stay, since it uses them */
    CopyStatements front;   /* what locks it, before the table is locked; nothing else comes of it */
} CopyMember;

/* A foreign key of the table, or one that refers to it: swap and back make it without looking at the rows. */
typedef struct CopyKey {
    CopyMember member;
    const char *schema, *table, *constraint;
    const char *other; /* the other table, as SQL names it */
    bool validated;    /* it was; then it is to be validated behind the change of names */
} CopyKey;

typedef struct TableCopy {
    const char *copy, *old;       /* what the copy is called, and the table behind the change of names */
    const char *const *obstacles; /* "view public.paid", "row level security" … */
    size_t obstacle_count;
    CopyMember table; /* make: CREATE TABLE … LIKE, options, comments, rights, statistics targets */
    const CopyMember *sequences, *indexes, *parts;
    const CopyMember *memberships; /* carried over by the session's role itself, not as the table's owner */
    const CopyKey *keys;           /* likewise */
    size_t sequence_count, index_count, part_count, membership_count, key_count;
} TableCopy;
