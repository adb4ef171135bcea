/* act.h — what a statement does, told plainly enough for rules: one act for each action of an ALTER TABLE,
 * one for most other statements; the same words for all engines. Read from PostgreSQL's parse tree
 * (act*_pg.c) or from the recogniser of MySQL and MariaDB (act*_my.c); pure.
 *
 * A statement that is not understood to its end gives ACT_UNKNOWN, never nothing. */
#pragma once
#include "change/change.h"
#include "change/lex_my.h"

typedef enum ActKind {
    ACT_OTHER,   /* understood, and nothing that a rule is about */
    ACT_UNKNOWN, /* cannot be judged: `words` is what it is, `reason` why */
    ACT_BEGIN,
    ACT_COMMIT,
    ACT_ROLLBACK,
    ACT_SET, /* name, value; flags LOCAL, RESET */
    ACT_LOCK,
    ACT_SELECT,
    ACT_INSERT,
    ACT_UPDATE,
    ACT_DELETE,
    ACT_COPY,
    ACT_CREATE_TABLE, /* columns, constraints; other: the parent of a partition */
    ACT_DROP_TABLE,
    ACT_TRUNCATE,
    ACT_RENAME_TABLE, /* new_name */
    ACT_SET_SCHEMA,
    ACT_RENAME_COLUMN,
    ACT_RENAME_SCHEMA,
    ACT_ADD_COLUMN, /* column */
    ACT_DROP_COLUMN,
    ACT_CHANGE_TYPE,   /* column: type, collation */
    ACT_MODIFY_COLUMN, /* MySQL: MODIFY and CHANGE; column, new_name of CHANGE */
    ACT_SET_NOT_NULL,
    ACT_DROP_NOT_NULL,
    ACT_SET_DEFAULT, /* DROP DEFAULT as well */
    ACT_SET_EXPRESSION,
    ACT_ADD_IDENTITY,
    ACT_SET_STORAGE, /* SET COMPRESSION as well */
    ACT_SET_STATISTICS,
    ACT_ADD_CONSTRAINT, /* constraint */
    ACT_VALIDATE,
    ACT_DROP_CONSTRAINT,
    ACT_ALTER_CONSTRAINT, /* value: ENFORCED, NOT ENFORCED … */
    ACT_SET_OPTIONS,      /* value: the option */
    ACT_SET_LOGGED,       /* SET UNLOGGED as well */
    ACT_SET_TABLESPACE,
    ACT_SET_ACCESS_METHOD,
    ACT_TRIGGER_STATE, /* value: "DISABLE ALL" … */
    ACT_ROW_SECURITY,  /* value: "ENABLE" … */
    ACT_TABLE_LINK,    /* REPLICA IDENTITY, OF TYPE, INHERIT: value */
    ACT_ALTER_OTHER,   /* of ALTER TABLE: OWNER TO and what else no rule is about */
    ACT_ATTACH,        /* other: the partition */
    ACT_DETACH,
    ACT_MERGE_SPLIT,
    ACT_CREATE_INDEX, /* index in name; columns */
    ACT_DROP_INDEX,   /* MySQL: table */
    ACT_REINDEX,
    ACT_CLUSTER,
    ACT_VACUUM,
    ACT_REFRESH,
    ACT_REPACK,
    ACT_CREATE_TRIGGER,
    ACT_DROP_TRIGGER,
    ACT_CREATE_POLICY,
    ACT_DROP_POLICY,
    ACT_CREATE_RULE,
    ACT_COMMENT,
    ACT_CREATE_VIEW,
    ACT_DROP_VIEW,
    ACT_ALTER_SEQUENCE,
    ACT_CREATE_ENUM,
    ACT_CREATE_DOMAIN,
    ACT_ALTER_DOMAIN,
    ACT_ENUM_ADD, /* value */
    ACT_ENUM_RENAME,
    ACT_DROP_SCHEMA,
    ACT_DROP_DATABASE,
    ACT_DROP_OTHER,
    ACT_CREATE_FUNCTION,
    ACT_CONVERT,          /* MySQL: TO CHARACTER SET */
    ACT_ENGINE,           /* MySQL: value */
    ACT_REBUILD,          /* MySQL: FORCE, ROW_FORMAT, OPTIMIZE …: value */
    ACT_PARTITION,        /* MySQL: value: "REORGANIZE" … */
    ACT_DROP_PRIMARY_KEY, /* MySQL */
    ACT_VERSIONING,       /* MariaDB */
    ACT_INDEX_VISIBLE,    /* MySQL, MariaDB: value */
    ACT_KIND_COUNT
} ActKind;

/* Bits of Act.flags. */
enum {
    ACT_IF_EXISTS = 1 << 0,
    ACT_IF_NOT_EXISTS = 1 << 1,
    ACT_CASCADES = 1 << 2,
    ACT_CONCURRENTLY = 1 << 3,
    ACT_UNIQUE = 1 << 4,
    ACT_LOCAL = 1 << 5, /* SET LOCAL */
    ACT_RESET = 1 << 6,
    ACT_TEMPORARY = 1 << 7,
    ACT_UNLOGGED = 1 << 8,
    ACT_REPLACES = 1 << 9,
    ACT_WHERE = 1 << 10,
    ACT_PARTITIONED = 1 << 11, /* CREATE TABLE … PARTITION BY */
    ACT_PARTITION_OF = 1 << 12,
    ACT_DEFAULT_PARTITION = 1 << 13,
    ACT_COPIED = 1 << 14, /* CREATE TABLE … LIKE, AS, INHERITS: columns that are not in sight */
    ACT_FULL = 1 << 15,   /* VACUUM FULL */
    ACT_FINALIZE = 1 << 16,
    ACT_DROPS = 1 << 17, /* DROP DEFAULT, NO DATA … */
    ACT_ONLY = 1 << 18,
    ACT_USING = 1 << 19,     /* ALTER TYPE … USING */
    ACT_PARTIAL = 1 << 20,   /* an index with WHERE or expressions */
    ACT_FIRST = 1 << 21,     /* MySQL: FIRST or AFTER */
    ACT_ALGORITHM = 1 << 22, /* MySQL: ALGORITHM or LOCK is written */
    ACT_TWICE = 1 << 23,     /* a column is assigned twice */
    ACT_ADDS = 1 << 24,
    ACT_SEQUENCE_AS = 1 << 25,
    ACT_SPECIAL = 1 << 26,       /* MySQL: FULLTEXT or SPATIAL */
    ACT_WAITS = 1 << 27,         /* MariaDB: WAIT n, NOWAIT */
    ACT_COMPRESSED = 1 << 29,    /* MySQL: ROW_FORMAT=COMPRESSED, KEY_BLOCK_SIZE */
    ACT_READS_FUNCTION = 1 << 28 /* SELECT of a function that is not the server's own */
};

/* A type as far as rules compare it. */
typedef struct ActType {
    const char *name;   /* "int8", "varchar"; of MySQL the first word in lower case */
    const char *schema; /* NULL; "pg_catalog" where the grammar says so */
    const char *text;   /* as written */
    int64_t mods[2];
    int mod_count;
    bool array;
    bool builtin; /* a type that the server comes with */
    bool serial;
} ActType;

typedef enum ActDefault {
    ACT_DEFAULT_NONE,
    ACT_DEFAULT_NULL,
    ACT_DEFAULT_CONSTANT,
    ACT_DEFAULT_STABLE, /* now() and kin: the same value for all rows */
    ACT_DEFAULT_VOLATILE,
    ACT_DEFAULT_FUNCTION /* one that is not known */
} ActDefault;

typedef struct ActConstraint {
    ConstraintKind kind;
    bool not_null;    /* PostgreSQL 18: ADD [CONSTRAINT n] NOT NULL c; `kind` means nothing then */
    const char *name; /* NULL */
    const char *const *columns;
    size_t column_count;
    Name references;
    const char *const *ref_columns;
    size_t ref_column_count;
    char on_delete; /* PostgreSQL's letters: 'a' none, 'r' restrict, 'c' cascade, 'n' null, 'd' default */
    const char *index_name; /* USING INDEX */
    const char *proves;     /* a check that its column is not null: the column; NULL */
    bool not_valid, not_enforced;
    size_t start, end; /* in the text; 0: at a column */
} ActConstraint;

typedef struct ActColumn {
    const char *name;
    ActType type;
    const char *collation; /* NULL */
    ActDefault kind;       /* of the default */
    const char *default_text;
    bool not_null, null;
    bool identity, stored, virtual_;
    bool check, unique, primary, references, constraint_name;
    Name parent;    /* of REFERENCES */
    char on_delete; /* of it */
    const char *ref_column;
    /* MySQL and MariaDB */
    bool auto_increment, comment, charset, on_update;
    const char *const *values; /* of ENUM and SET, as written */
    size_t value_count;
} ActColumn;

typedef struct Act {
    ActKind kind;
    unsigned flags;
    size_t start, end;  /* bytes in the text: of the action, or of the statement */
    const char *words;  /* "ALTER TABLE", "CALL": what it is */
    const char *reason; /* UNKNOWN: why */
    Name table;         /* or whatever the act is about */
    Name other;         /* the referenced table, the parent … */
    const char *name;   /* of the column, index, constraint, setting, trigger … */
    const char *new_name;
    const char *value;
    const ActColumn *column;
    const ActConstraint *constraint;
    const ActColumn *columns; /* CREATE TABLE */
    size_t column_count;
    const ActConstraint *constraints;
    size_t constraint_count;
    const char *const *keys; /* of an index: its columns, NULL for an expression */
    size_t key_count;
    const char *method;   /* of an index: "hash" */
    const char *function; /* the act stands in the body of this function; "" in a DO block; NULL */
    size_t actions;       /* of the ALTER TABLE that it is one of */
    int since;            /* PostgreSQL: the first version that knows the words, 180000; 0: all */
} Act;

typedef VEC(Act) Acts;

typedef struct ActStatement {
    size_t start, end; /* in the text */
    Acts acts;         /* at least one */
    bool unknown;      /* some of it cannot be judged */
    bool data;         /* COPY's data: no statement */
} ActStatement;

typedef struct ActComment {
    size_t start, end; /* with its marks */
} ActComment;

typedef VEC(ActStatement) ActStatements;
typedef VEC(ActComment) ActComments;

/* Reads the bytes [start, end) of `text`, a NUL-terminated text of `ret_statements`' lifetime, which is that
 * of `arena`. `scratch` is emptied after every statement. Both lists are added to. */
void acts_pg(Arena *arena, Arena *scratch, const char *text, size_t start, size_t end,
             ActStatements *ret_statements, ActComments *ret_comments);
void acts_my(Arena *arena, Arena *scratch, const MyDialect *dialect, const char *text, size_t start,
             size_t end, ActStatements *ret_statements, ActComments *ret_comments);
