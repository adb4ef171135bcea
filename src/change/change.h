/* change.h — what is asked: the parsed request. Pure data, made by change_parse(), read by plan/. */
#pragma once
#include "base/arena.h"
#include "engine/schema.h"

typedef struct Name {
    const char *schema; /* NULL: by search path */
    const char *name;
} Name;

typedef enum OperationKind {
    OPERATION_ADD_COLUMN,
    OPERATION_SET_NOT_NULL,
    OPERATION_DROP_NOT_NULL,
    OPERATION_SET_DEFAULT,
    OPERATION_DROP_DEFAULT,
    OPERATION_ADD_CONSTRAINT, /* check, foreign key, unique, primary key */
    OPERATION_VALIDATE_CONSTRAINT,
    OPERATION_CREATE_INDEX,
    OPERATION_DROP_INDEX,
    OPERATION_COMMENT,
    OPERATION_SETTING, /* ALTER TABLE that changes the catalog alone and the meaning of no row */
    OPERATION_RENAME,  /* of a constraint or an index */
    OPERATION_CHANGE_TYPE,
    OPERATION_RENAME_COLUMN,
    OPERATION_RENAME_TABLE,
    OPERATION_SET_SCHEMA, /* of a table */
    OPERATION_DROP_COLUMN,
    OPERATION_DROP_CONSTRAINT,
    OPERATION_DROP_TABLE, /* one for each table of the statement */
    OPERATION_ATTACH_PARTITION,
    OPERATION_DETACH_PARTITION,
    OPERATION_CREATE_PARTITION, /* CREATE TABLE … PARTITION OF; `table` is the parent */
    OPERATION_NATIVE, /* anything else that is carried out as written; `names` says what it touches */
    OPERATION_MY,     /* a statement of MySQL or MariaDB: `my` says which; `table` is its first table */
    OPERATION_COUNT
} OperationKind;

/* Where in a change a statement that is carried out as written has its place. */
typedef enum NativeWhen {
    NATIVE_FIRST,   /* before tables change: what they may need (types, functions, schemas, tables) */
    NATIVE_LAST,    /* after them: what may need them (views, policies, triggers, comments) */
    NATIVE_CONTRACT /* with `complete`: it takes away what the old application may use */
} NativeWhen;

/* How it runs. */
typedef enum NativeRun {
    NATIVE_SHORT, /* in a short transaction with its journal row */
    NATIVE_LONG,  /* in a transaction that may take long, under locks that stop no reader or writer of a table
                   */
    NATIVE_OUTSIDE /* the server takes it outside a transaction only */
} NativeRun;

typedef struct NativeLock {
    Name relation;
    const char *mode;
} NativeLock;

/* A statement that is carried out as written. */
typedef struct NativeSpec {
    NativeRun run;
    int outside_before;          /* before this version of the server it runs outside a transaction; 0 */
    int since;                   /* the first version that knows the statement; 0 */
    ObjectName makes;            /* what it creates, replaces, or … */
    ObjectName drops;            /* takes away */
    bool quiet;                  /* IF NOT EXISTS, IF EXISTS: one that is (not) there is left alone */
    bool replaces;               /* OR REPLACE */
    const char *plain_sql;       /* without IF NOT EXISTS; NULL: the same */
    const char *undo_sql;        /* where nothing was there before; NULL: none */
    const char *const *same_sql; /* make the same object among temporary ones, as `same`, to compare with */
    size_t same_count;
    ObjectName same;
    const char *done_query;      /* one boolean: nothing is left to do; NULL */
    const char *leftovers_query; /* outside: statements that remove what an interrupted run left; NULL */
    const NativeLock *locks;     /* by rule: what it takes, from SHARE UPDATE EXCLUSIVE on */
    size_t lock_count;
    bool unknown;         /* no rule tells its locks: it must be measured */
    bool late;            /* contract: after columns and tables have gone */
    const char *note;     /* for whoever reads the plan; NULL */
    const char *only_new; /* carried out only where the change itself makes the table: why not otherwise */
    const char *only_new_hint;
    const char *const *mentions; /* identifiers in it, in bodies of functions as well; sorted, each once */
    size_t mention_count;
} NativeSpec;

typedef enum ConstraintKind {
    CONSTRAINT_CHECK,
    CONSTRAINT_FOREIGN_KEY,
    CONSTRAINT_UNIQUE,
    CONSTRAINT_PRIMARY_KEY,
    CONSTRAINT_EXCLUDE
} ConstraintKind;

typedef struct ConstraintSpec {
    ConstraintKind kind;
    const char *name;           /* NULL: the server's convention, see plan/ */
    const char *expr_sql;       /* check: the expression, without parentheses around it */
    const char *const *columns; /* foreign key, unique, primary key: constrained columns */
    size_t column_count;
    Name references;                /* foreign key: the referenced table */
    const char *const *ref_columns; /* foreign key: referenced columns; may be none */
    size_t ref_column_count;
    const char
        *definition_sql;    /* what follows ADD CONSTRAINT name: "CHECK (…) NO INHERIT", "FOREIGN KEY (…)
                               REFERENCES    …", "UNIQUE (…) DEFERRABLE", without NOT VALID and USING INDEX */
    const char *suffix_sql; /* " DEFERRABLE INITIALLY DEFERRED" or "": goes behind USING INDEX name as well */
    const char *index_name; /* USING INDEX name; NULL */
    const char
        *index_sql; /* unique, primary key without USING INDEX: what follows CREATE UNIQUE INDEX name ON t:
                       "(a, b) INCLUDE (c) NULLS NOT DISTINCT" */
    bool not_valid;
} ConstraintSpec;

typedef struct ColumnSpec {
    const char *name;
    const char *type_sql; /* built-in types as the server writes them: "bigint", "numeric(10,2)[]", "character
                             varying(3)"; for serial the integer type beneath */
    const char *collation_sql; /* "\"C\"" or NULL */
    const char *extra_sql;     /* STORAGE, COMPRESSION as written, or NULL */
    const char *default_sql;   /* NULL if none */
    bool default_constant;     /* a literal, cast literal, NULL or array of these: no server needed to know */
    bool serial;               /* serial, bigserial, smallserial */
    bool not_null;             /* NOT NULL, PRIMARY KEY, serial or identity */
    const char *not_null_name; /* CONSTRAINT name NOT NULL: kept by PostgreSQL 18, ignored before; NULL */
    bool explicit_null;
    const char *generated_sql;         /* GENERATED ALWAYS AS (expr) STORED: the expression; NULL */
    char identity;                     /* 'a', 'd' or 0 */
    const char *identity_options_sql;  /* "START WITH 10 INCREMENT BY 5" or "" */
    const ConstraintSpec *constraints; /* CHECK, UNIQUE, PRIMARY KEY, REFERENCES written at the column */
    size_t constraint_count;
} ColumnSpec;

typedef struct IndexSpec {
    const char *name; /* NULL: the server's convention */
    bool unique, concurrently, if_not_exists;
    const char *definition_sql; /* what follows ON table: "USING btree (a, lower(b)) WHERE c" */
    const char *const *columns; /* plain columns; NULL entries are expressions */
    size_t column_count;
} IndexSpec;

/* ATTACH, DETACH, CREATE TABLE … PARTITION OF. */
typedef struct PartitionSpec {
    Name name;                /* the partition */
    const char *bound_sql;    /* "FOR VALUES FROM (…) TO (…)", "DEFAULT"; NULL of DETACH */
    char strategy;            /* 'r' range, 'l' list, 'h' hash, 'd' default partition */
    const char *const *lower; /* range: one for each key column; MINVALUE and MAXVALUE as such */
    const char *const *upper;
    size_t bound_count;
    const char *const *values; /* list: expressions; "NULL" for null */
    size_t value_count;
    int modulus, remainder;      /* hash */
    bool concurrently, finalize; /* DETACH as written */
    const char *tail_sql;        /* CREATE: " PARTITION BY … WITH … TABLESPACE …" or "" */
} PartitionSpec;

typedef struct Operation {
    OperationKind kind;
    Name table;    /* the table; for DROP INDEX the index (table unknown) */
    bool on_index; /* COMMENT ON INDEX, ALTER INDEX: `table` is the index's name; always true of DROP INDEX */
    bool if_exists;              /* ALTER TABLE IF EXISTS, DROP INDEX IF EXISTS */
    bool if_not_exists;          /* ADD COLUMN IF NOT EXISTS */
    bool only;                   /* ALTER TABLE ONLY */
    bool cascade;                /* DROP … CASCADE */
    bool concurrently;           /* DROP INDEX CONCURRENTLY as written */
    const char *column;          /* of whatever concerns one */
    const char *constraint_name; /* VALIDATE, COMMENT ON, RENAME and DROP CONSTRAINT */
    const char *trigger;         /* SETTING: ENABLE and DISABLE TRIGGER */
    const char *new_name;        /* RENAME, RENAME_COLUMN, RENAME_TABLE; SET_SCHEMA: the schema */
    bool part_if_exists;         /* DROP COLUMN IF EXISTS, DROP CONSTRAINT IF EXISTS */
    const char *type_sql;        /* CHANGE_TYPE: as ColumnSpec.type_sql */
    const char *collation_sql;   /* CHANGE_TYPE: or NULL */
    const char *using_sql;       /* CHANGE_TYPE: USING, canonical; NULL */
    NativeWhen when;             /* NATIVE */
    const Name *names;           /* NATIVE: relations it names, that may be there or be made by this change */
    size_t name_count;
    const NativeSpec *native;      /* NATIVE */
    const struct MyStatement *my;  /* MY: read from `sql`, where its spans are */
    const struct MyDialect *lexis; /* MY: how `sql` is read */
    const char *algorithm;         /* MY: what ALGORITHM asked for: "INSTANT", "NOCOPY", "INPLACE"; NULL */
    const char *said;              /* MY: a clause that was left out, for people: "WAIT 5"; NULL */
    bool on_new;       /* its table may be made by this change: then it runs as written, together with
                          the CREATE TABLE */
    const char *words; /* SETTING, NATIVE: "SET STATISTICS", "CREATE VIEW" …; MY: what it does, for the
                          change's name */
    const char *lock;  /* SETTING: what the server takes, by rule */
    bool rewrites;     /* SETTING: the server writes all of the table anew */
    const char *default_sql; /* SET DEFAULT */
    const ColumnSpec *add;   /* ADD COLUMN */
    const ConstraintSpec *constraint;
    const IndexSpec *index;
    const PartitionSpec *partition;
    const char *sql; /* canonical SQL of this operation alone, without a final semicolon */
    int line;        /* where its statement begins, from 1 */
} Operation;

/* "-- stoa: backfill orders.amount_cents = (amount * 100)::bigint", or --backfill; and the way back,
 * "-- stoa: reverse orders.amount = amount_cents / 100", or --reverse, in the same form. */
typedef struct BackfillSpec {
    Name table;
    const char *column;
    const char *expr_sql; /* canonical (deparsed) */
    const char *const
        *refs; /* last words of all column references in it, sub-selects included, each once, sorted */
    size_t ref_count;
    bool whole_row; /* refers to the whole row (orders.*, or orders as a value) */
    bool sub_select;
    int line; /* 0: from the command line */
} BackfillSpec;

/* Something in the request that cannot be carried out. All of them are reported, not only the first. */
typedef struct Problem {
    ErrKind kind;     /* ERR_USAGE: it does not parse or makes no sense; ERR_UNSAFE: understood, refused */
    int line, column; /* from 1 */
    const char *message, *hint; /* hint may be NULL */
} Problem;

/* What is promised of the columns that a change adds. */
typedef struct Contract {
    const char *purpose, *flag; /* NULL: not said */
    const char *expires;        /* "2027-06-30"; NULL: never */
} Contract;
static inline bool contract_is_given(const Contract *contract)
{
    return contract->purpose != NULL || contract->flag != NULL || contract->expires != NULL;
}

typedef struct Change {
    const char *name;  /* given, or made from the first operation: "orders-amount-cents" */
    bool name_made;    /* not given */
    const char *owner; /* "" if none */
    const char *sql;   /* as given */
    const Operation *operations;
    size_t operation_count;
    const BackfillSpec *backfills;
    size_t backfill_count;
    const BackfillSpec *reverses; /* old columns computed from new ones: both applications write at once */
    size_t reverse_count;
    const Problem *problems;
    size_t problem_count;
    const char *change_digest; /* over canonical operations and backfills, not over name, owner, contract,
                                  comments or layout */
    Contract contract;
} Change;

/* What the command line adds to the text. */
typedef struct ChangeInput {
    const char *sql;
    const char *name, *owner;     /* NULL: from the annotations */
    const char *const *backfills; /* "orders.amount_cents = expr" each */
    size_t backfill_count;
    const char *const *reverses; /* "orders.amount = expr" each */
    size_t reverse_count;
    Contract contract; /* like name and owner */
} ChangeInput;

/* Parses PostgreSQL SQL. Statements are split by the scanner, so a statement that does not parse does not
 * hide the others. Never fails: what is wrong stands in ret_change->problems. Everything lives in `arena`. */
void change_parse_pg(Arena *arena, const ChangeInput *input, Change *ret_change);
/* The same of MySQL and MariaDB: one operation for each ALTER TABLE (CREATE INDEX and DROP INDEX are written
 * as one), CREATE TABLE, DROP TABLE (one a table), RENAME TABLE, CREATE and DROP VIEW. What the user wrote of
 * ALGORITHM, LOCK and WAIT is left out of Operation.sql, and refused where it asks for less than Stoa gives.
 */
void change_parse_my(Arena *arena, const ChangeInput *input, const struct MyDialect *dialect,
                     Change *ret_change);

/* ---- expressions (expr.h's job, kept here because pg_query.h may not leave this floor) --------------------
 */

/* How to rewrite column references of an expression over one row of `table`. */
typedef struct ExprScope {
    Name table;                   /* references "name.column" and "schema.name.column" are ours too */
    const char *const *columns;   /* the table's columns */
    const char *const *generated; /* per column: its generation expression, or NULL */
    const char *const *types; /* per column: its type with modifiers. A generated column's expression is cast
                                 to it, as storing would do; NULL (the array or an entry): no cast */
    const char *const *collations; /* per column: its own collation, "schema"."name", or NULL; may be NULL */
    size_t column_count;
} ExprScope;

/* The expression in three forms. */
typedef struct ExprForms {
    const char *plain;   /* over the table in an UPDATE or SELECT, under its own name: references unqualified,
                            schema stripped; with whole-row references "(SELECT … FROM (SELECT id AS id, …) AS
                            orders)", so that the row has the columns of the scope only */
    const char *trigger; /* over NEW in a plpgsql assignment: "(new.amount * 100)::bigint"; with sub-selects
                            or whole-row references: "(SELECT … FROM (SELECT new.id AS id, …) AS orders)";
                            generated columns replaced by their expressions */
    const char *const *sources; /* table columns the value depends on, generated ones replaced by their
                                   sources, sorted; all columns for whole-row references */
    size_t source_count;
    bool sub_select, whole_row;
} ExprForms;

/* Errors: ERR_USAGE for text that is not one expression (with the parser's words), for aggregates and window
 * functions over the row, and for a column that neither the table nor a sub-select can have. */
Err *expr_forms_pg(Arena *arena, const char *expr_sql, const ExprScope *scope, ExprForms *ret_forms) MUST_USE;

/* ---- definitions for columns of other names (redefine.c)
 * ---------------------------------------------------
 */

/* Columns of a table, and what they are called instead. */
typedef struct ColumnNames {
    const char *table; /* bare: references to the whole row are known by it */
    const char *const *from, *const *to;
    size_t count;
} ColumnNames;

/* The server's CREATE INDEX for columns of other names: what follows ON table. `tablespace` may be NULL,
 * which the server's text leaves out. ERR_UNSAFE, here and below, for what does not parse, what cannot be
 * written back so that it parses to the very same tree, and what reads the whole row. */
Err *redefine_index_pg(Arena *arena, const char *definition, const ColumnNames *names, const char *tablespace,
                       const char **ret_sql) MUST_USE;
/* "CHECK (…)" or "FOREIGN KEY (…) REFERENCES …" without NOT VALID; `referenced` are the columns of the table
 * at the other end, or NULL. */
Err *redefine_constraint_pg(Arena *arena, const char *definition, const ColumnNames *names,
                            const ColumnNames *referenced, const char **ret_sql) MUST_USE;
/* CREATE STATISTICS, whole, under another name. */
Err *redefine_statistics_pg(Arena *arena, const char *definition, const Name *name, const ColumnNames *names,
                            const char **ret_sql) MUST_USE;
/* An expression in which "new.a" is to be "new.b": references that begin with `row` alone are touched. */
Err *redefine_row_expr_pg(Arena *arena, const char *expr_sql, const char *row, const ColumnNames *names,
                          const char **ret_sql) MUST_USE;
