/* act_pg.h — what the parts of acts_pg() share. Internal to change/. */
#pragma once
#include "change/act.h"
#include "change/split_pg.h"
#include "change/tree.h"

#define NODE(x) PG_QUERY__NODE__NODE_##x

/* Reads one statement. Its tree lives in `scratch`; what an act keeps is copied into `arena`. */
typedef struct ActReader {
    Arena *arena, *scratch;
    const char *text;     /* all of it */
    const char *sql;      /* the statement: placeholders and commands of the client taken out */
    size_t start, end;    /* the statement in `text` */
    const char *function; /* it stands in the body of this function, "" in a DO block; NULL */
    int depth;            /* of bodies in bodies */
    Acts acts;            /* in scratch */
} ActReader;

/* A new act over the whole statement; valid until the next one. */
Act *act_add(ActReader *reader, ActKind kind, const char *words);
void act_unknown(ActReader *reader, const char *words, const char *reason);

/* Copies; NULL stays NULL. */
const char *act_keep(const ActReader *reader, const char *text);
Name act_relation(const ActReader *reader, const PgQuery__RangeVar *relation);
/* A dotted name from String nodes, or a List of them. */
Name act_dotted(const ActReader *reader, PgQuery__Node *const *words, size_t count);
Name act_object(const ActReader *reader, const PgQuery__Node *node);
const char *const *act_words(const ActReader *reader, PgQuery__Node *const *nodes, size_t count);

/* act_column_pg.c */
ActType act_type(const ActReader *reader, const PgQuery__TypeName *type);
void act_read_column(const ActReader *reader, const PgQuery__ColumnDef *def, ActColumn *ret_column);
/* False: it is none of a table (DEFAULT, NOT NULL …). */
bool act_read_constraint(const ActReader *reader, const PgQuery__Constraint *node, ActConstraint *ret_spec);
ActDefault act_default(const PgQuery__Node *expr);
/* Sets the bytes that a constraint of a table takes, from where it begins to the next comma or parenthesis.
 */
void act_constraint_span(const ActReader *reader, ActConstraint *spec, int location);

/* act_alter_pg.c */
void act_read_alter(ActReader *reader, const PgQuery__AlterTableStmt *node);
/* act_object_pg.c; false: it is none of its statements. */
bool act_read_object(ActReader *reader, const PgQuery__Node *node);
/* act_stmt_pg.c: rows, transactions, settings. */
bool act_read_stmt(ActReader *reader, const PgQuery__Node *node);
/* act_body_pg.c */
void act_read_do(ActReader *reader, const PgQuery__DoStmt *node);
void act_read_function(ActReader *reader, const PgQuery__CreateFunctionStmt *node);
/* act_newer_pg.c: syntax of servers newer than the parser, by its tokens; false: it is a plain mistake. */
bool act_read_newer(ActReader *reader);

/* Reads one statement and adds its acts. The bytes [start, end) of the text are where it is reported. */
void act_read_sql(ActReader *reader, const char *sql, const char *reason_prefix);
