/* column_part.h — all that hangs on one column of a table: what a twin of the column must get, and what must
 * be made again when the names change places. Plain data. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ColumnPartKind {
    PART_INDEX,       /* that of a constraint, too */
    PART_CHECK,       /* a constraint */
    PART_NOT_NULL,    /* the named one of PostgreSQL 18 */
    PART_FOREIGN_KEY, /* from the column */
    PART_REFERENCE,   /* a foreign key that points to it, of this or another table */
    PART_STATISTICS,
    PART_SEQUENCE, /* owned by the column */
    PART_IDENTITY, /* the sequence of an identity column */
    PART_VIEW,     /* reads it, or reads a view that does; those that are read come first */
    PART_TRIGGER,  /* its condition or its list of columns names it */
    PART_POLICY,
    PART_FUNCTION, /* of a row trigger: sessions remember the column's type in it */
    PART_OTHER,    /* cannot be carried over; `name` says what it is */
    PART_KIND_COUNT
} ColumnPartKind;

typedef struct ColumnPart {
    ColumnPartKind kind;
    const char *schema, *name;
    const char *table_schema, *table_name; /* on which it stands; REFERENCE: the table that refers */
    const char *definition; /* the server's own text: CREATE INDEX, CREATE STATISTICS, the constraint behind
                               its name, the options of a sequence in parentheses; NULL */
    const char *constraint; /* INDEX: of this constraint; NULL */
    char type;              /* INDEX: 'p' or 'u' with a constraint; IDENTITY: 'a' or 'd' */
    const char *suffix;     /* INDEX: " DEFERRABLE INITIALLY DEFERRED" or ""; a sequence: its type */
    bool validated;         /* constraints; INDEX: valid; VIEW, FUNCTION: we may act as its owner */
    bool expression;        /* INDEX: with an expression or a predicate */
    bool is_unique;
    const char *const *columns; /* INDEX: key columns, NULL for an expression; foreign keys: theirs */
    size_t column_count;
    const char *ref_schema, *ref_table; /* foreign keys: what they point to */
    const char *const *ref_columns;     /* INDEX: plain columns, those of INCLUDE too */
    size_t ref_column_count;
    const char *tablespace; /* INDEX: not the default one; NULL */
    const char *owner;      /* STATISTICS, VIEW, FUNCTION */
    const char *const *drop_sql;
    size_t drop_count;
    const char *const *make_sql; /* VIEW, TRIGGER, POLICY: makes it again, whole. Others: what `definition`
                                    does not say (comments, settings, grants), for one of the same name */
    size_t make_count;
} ColumnPart;

typedef struct ColumnParts {
    const char *column;
    const char *twin;              /* the name in column_sql and storage_sql */
    const char *comment;           /* the column's; NULL: none */
    const char *const *column_sql; /* gives the twin the column's grants, statistics target, options */
    size_t column_sql_count;
    const char *const *storage_sql; /* and storage and compression, where the type can have them */
    size_t storage_sql_count;
    const ColumnPart *items;
    size_t count;
} ColumnParts;
