/* parse_my.h — what a statement of MySQL or MariaDB does, as far as that can be told from its words.
 *
 * A recogniser, no parser: it finds the verb, the objects, and of ALTER TABLE and CREATE TABLE the items
 * between the top-level commas, each with its bytes in the source. Expressions, types, options of indexes and
 * whatever else needs the server stay text. What is not known through to its last token is OTHER, never
 * guessed: for such a statement or action nothing but its bytes and words is set. Whether a statement is
 * right, only the server says.
 *
 * Names are those of the tokens, without quotes and in the case that is written; spans are bytes of the text
 * that was given. A text with comments in it can be cut safely only as my_plain() returns it.
 *
 * Sources: the manuals of MySQL 8.0 to 9 ("ALTER TABLE", "CREATE TABLE", "CREATE INDEX", "DROP INDEX",
 * "RENAME TABLE", "TRUNCATE TABLE") and of MariaDB (the same, and "WAIT and NOWAIT", "System-Versioned
 * Tables"). Asked of MariaDB 10.11: of the tables' and indexes' statements in the unit tests and 290 others
 * it accepts none that is OTHER here, but for those below; it refuses some that are known here, most of them
 * MySQL's. ORDER BY takes everything up to the end of the list; ALGORITHM and LOCK are items of the list and
 * may come twice; PARTITION BY and further table options follow without comma; VECTOR behind ADD may be a
 * column; MODIFY t.a and CHANGE t.a are allowed. MySQL was not asked, only read about.
 *
 * Knowingly OTHER, though a server takes it: a name that begins with a dot (".t"), "{d '2020-01-01'}" as a
 * default, statements in SET STATEMENT … FOR, EXPLAIN and PREPARE, what sql_mode=ORACLE allows. */
#pragma once
#include "change/lex_my.h"

typedef struct MyName {
    MySpan span;          /* with the database */
    MySpan own;           /* the last token alone */
    const char *database; /* NULL: the current one */
    const char *name;     /* NULL: there is none */
} MyName;

/* One word of a statement that is a name. */
typedef struct MyWord {
    MySpan span;
    const char *text; /* NULL: there is none */
} MyWord;

typedef enum MyStored {
    MY_STORED_DEFAULT,
    MY_STORED_VIRTUAL,
    MY_STORED_STORED,
    MY_STORED_PERSISTENT
} MyStored;

/* A column definition. A span that is empty, a flag that is not set: it is not written. */
typedef struct MyColumnSpec {
    MySpan span; /* from the name to the end, with FIRST or AFTER */
    MyWord name;
    MySpan type; /* "varchar(10)", "double precision unsigned": without character set and collation */
    bool not_null, null;
    bool auto_increment;
    bool unique, primary;
    bool invisible, visible;
    bool compressed;                  /* MariaDB */
    bool without_versioning;          /* MariaDB: WITHOUT SYSTEM VERSIONING */
    bool row_start, row_end;          /* MariaDB: GENERATED ALWAYS AS ROW START, END */
    bool not_enforced;                /* a check */
    MySpan default_value, on_update;  /* the expressions */
    MySpan comment, charset, collate; /* the values */
    MySpan generated;                 /* "(a + b)" */
    MyStored stored;
    MyWord check_name;
    MySpan check;      /* "(a > 0)" */
    MyName references; /* the table of REFERENCES at the column; the clause: */
    MySpan references_clause;
    MySpan extra; /* the last of other attributes that are known: SRID, COLUMN_FORMAT, STORAGE, x = y … */
    bool first;
    MyWord after;
    MySpan position; /* FIRST, or AFTER x */
} MyColumnSpec;

typedef enum MyKeyKind {
    MY_KEY_INDEX,
    MY_KEY_UNIQUE,
    MY_KEY_FULLTEXT,
    MY_KEY_SPATIAL,
    MY_KEY_VECTOR,
    MY_KEY_PRIMARY,
    MY_KEY_FOREIGN,
    MY_KEY_CHECK
} MyKeyKind;

typedef struct MyKeyPart {
    MySpan span;
    MyWord column; /* no text: an expression, or something else */
    bool prefix;   /* of so many characters: "a(10)" */
    bool descending;
} MyKeyPart;

/* An index or constraint. */
typedef struct MyKey {
    MyKeyKind kind;
    MyWord constraint; /* behind CONSTRAINT */
    MyWord name;
    MySpan parts_span; /* "(a, b(10) DESC)" */
    MyKeyPart *parts;
    size_t part_count;
    MySpan options; /* behind the parts: USING, COMMENT, VISIBLE …; never looked at but for: */
    bool invisible; /* INVISIBLE, or IGNORED */
    MySpan expr;    /* a check: "(a > 0)" */
    bool not_enforced;
    MyName references; /* a foreign key */
    MySpan references_parts;
    MySpan on_delete, on_update; /* "SET NULL" */
} MyKey;

typedef enum MyActionKind {
    MY_ACTION_OTHER,
    MY_ACTION_ADD_COLUMN,
    MY_ACTION_ADD_LIST, /* ADD (a int, INDEX (a)): `items` */
    MY_ACTION_DROP_COLUMN,
    MY_ACTION_MODIFY_COLUMN,
    MY_ACTION_CHANGE_COLUMN, /* name is the old one, the new one stands in the column */
    MY_ACTION_SET_DEFAULT,   /* value: the expression */
    MY_ACTION_DROP_DEFAULT,
    MY_ACTION_SET_VISIBLE, /* of a column */
    MY_ACTION_SET_INVISIBLE,
    MY_ACTION_RENAME_COLUMN,
    MY_ACTION_RENAME_INDEX,
    MY_ACTION_RENAME_TABLE, /* table: the new name */
    MY_ACTION_ADD_KEY,      /* `key`: an index or constraint */
    MY_ACTION_ADD_PERIOD,   /* PERIOD FOR x (a, b) */
    MY_ACTION_ADD_VERSIONING,
    MY_ACTION_DROP_INDEX,
    MY_ACTION_DROP_PRIMARY_KEY,
    MY_ACTION_DROP_FOREIGN_KEY,
    MY_ACTION_DROP_CHECK,
    MY_ACTION_DROP_CONSTRAINT,
    MY_ACTION_DROP_PERIOD,
    MY_ACTION_DROP_VERSIONING,
    MY_ACTION_ALTER_INDEX, /* value: VISIBLE, INVISIBLE, IGNORED, NOT IGNORED */
    MY_ACTION_ALTER_CHECK, /* CHECK or CONSTRAINT; value: ENFORCED, NOT ENFORCED */
    MY_ACTION_CONVERT,     /* TO CHARACTER SET; value: the set and what follows */
    MY_ACTION_OPTION,      /* ENGINE=, DEFAULT CHARACTER SET, COMMENT= …: `option`, value */
    MY_ACTION_FORCE,
    MY_ACTION_ORDER_BY, /* value: the list */
    MY_ACTION_ENABLE_KEYS,
    MY_ACTION_DISABLE_KEYS,
    MY_ACTION_DISCARD_TABLESPACE,
    MY_ACTION_IMPORT_TABLESPACE,
    MY_ACTION_ALGORITHM,  /* value */
    MY_ACTION_LOCK,       /* value */
    MY_ACTION_VALIDATION, /* WITH or WITHOUT VALIDATION */
    MY_ACTION_PARTITION_BY,
    MY_ACTION_REMOVE_PARTITIONING,
    MY_ACTION_PARTITION, /* ADD, DROP, REORGANIZE, EXCHANGE … PARTITION: `option` is the first word, value the
                            rest behind it; table: the other one of EXCHANGE and CONVERT */
    MY_ACTION_COUNT
} MyActionKind;

typedef struct MyAction MyAction;
struct MyAction {
    MyActionKind kind;
    MySpan span;                   /* without commas around it; empty: nothing stands between two commas */
    bool joined;                   /* no comma stands before it, but another action */
    bool if_exists, if_not_exists; /* MariaDB */
    MyWord name;                   /* of the column, index, constraint */
    MyWord new_name;               /* RENAME COLUMN, RENAME INDEX */
    MyName table;
    MyColumnSpec *column; /* ADD, MODIFY, CHANGE */
    MyKey *key;
    MyAction *items; /* ADD_COLUMN, ADD_KEY, ADD_PERIOD or OTHER */
    size_t item_count;
    const char *option; /* upper case: "ENGINE", "CHARACTER SET", "ROW_FORMAT"; one of an engine as written */
    MySpan value;
};

typedef enum MyStatementKind {
    MY_STATEMENT_EMPTY, /* no token for this server */
    MY_STATEMENT_OTHER, /* see verb, and names where an object stands behind it */
    MY_STATEMENT_ALTER_TABLE,
    MY_STATEMENT_CREATE_TABLE, /* actions: its columns and keys, then its options and PARTITION BY */
    MY_STATEMENT_DROP_TABLE,
    MY_STATEMENT_RENAME_TABLE, /* names[i] gets new_names[i] */
    MY_STATEMENT_TRUNCATE,
    MY_STATEMENT_CREATE_INDEX, /* on names[0] */
    MY_STATEMENT_DROP_INDEX
} MyStatementKind;

typedef enum MyWait { MY_WAIT_DEFAULT, MY_WAIT_SECONDS, MY_WAIT_NOT } MyWait;

/* What the user wrote of ALGORITHM or LOCK: the last one counts (MariaDB 10.11, MySQL: issue 1026 of spirit).
 */
typedef struct MyClause {
    int count;
    MySpan span, value; /* of the last one */
} MyClause;

typedef struct MyStatement {
    MyStatementKind kind;
    MySpan span;      /* first to last token, without ";" at its end */
    const char *verb; /* upper case: "ALTER TABLE", "CREATE VIEW", "INSERT", "SET"; NULL: no word */
    MyName *names;    /* tables, or the object; OTHER: where it is known */
    size_t name_count;
    MyName *new_names; /* of RENAME TABLE */
    MyWord index;      /* of CREATE INDEX, DROP INDEX */
    bool or_replace, temporary, if_exists, if_not_exists;
    bool online, offline, ignore;
    MyWait wait; /* MariaDB */
    MySpan wait_span, wait_value;
    MyAction *actions;
    size_t action_count;
    MyKey *key; /* of CREATE INDEX */
    MyClause algorithm, lock;
    MyName like;   /* CREATE TABLE … LIKE */
    MySpan query;  /* CREATE TABLE … AS SELECT, from AS, IGNORE, REPLACE or the query on */
    MySpan tail;   /* DROP TABLE: RESTRICT or CASCADE */
    bool executed; /* parts of it stand in executable comments: cut my_plain() only */
    bool several;  /* a ";" inside: OTHER, unless it is a stored program or compound statement */
} MyStatement;

/* Recognises the statement in `span`. False with a fault where it is no sequence of tokens. */
bool my_parse(Arena *arena, const MyDialect *dialect, const char *text, MySpan span,
              MyStatement *ret_statement, MyFault *ret_fault);

/* The ALTER TABLE in `text` with those of its actions whose `keep` is true, in their order. `text` is what
 * my_plain() gave where the statement has comments; PARTITION BY and REMOVE PARTITIONING stay last. */
const char *my_alter_with(Arena *arena, const char *text, const MyStatement *statement, const bool *keep);

/* "ADD COLUMN", "ORDER BY": for messages and tests. */
const char *my_action_words(MyActionKind kind);
