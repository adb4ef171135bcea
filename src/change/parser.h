/* parser.h — what the parts of change_parse_pg() share. Internal to change/. */
#pragma once
#include "change/change.h"
#include "change/lex_my.h"
#include "change/tree.h"

typedef VEC(Name) Names;

typedef struct Parser {
    Arena *arena; /* of the results; trees live there as well */
    const char *text;
    Tokens tokens;
    size_t next_token; /* the first that may begin the next statement */
    VEC(Operation) operations;
    VEC(BackfillSpec) backfills, reverses;
    VEC(Problem) problems;
    const char *name, *owner; /* from annotations; NULL */
    bool inner;               /* the text stands in a DO block */
    Names made;               /* tables that CREATE TABLE has made so far */
    const MyDialect *my;      /* the text is MySQL's or MariaDB's; NULL: PostgreSQL's */
    Contract contract;        /* from annotations */
} Parser;

/* A statement being read. */
typedef struct Statement {
    Parser *parser;
    size_t start, end; /* in the text, from its first token */
    PgQuery__Node *node;
} Statement;

/* Where a byte of a text stands: line and column (in characters), both from 1. */
void text_position(const char *text, size_t offset, int *ret_line, int *ret_column);

#define NOWHERE SIZE_MAX /* an offset: the command line */

/* Notes a problem; `hint` may be NULL. */
void parser_problem(Parser *parser, ErrKind kind, size_t offset, const char *hint, const char *fmt, ...)
    PRINTF(5, 6);
/* "<what> <why>", at the statement; `hint` may be NULL. */
void parser_refuse(const Statement *stmt, const char *what, const char *why, const char *hint);
/* The text cannot be written back: refused. */
void parser_inexact(const Statement *stmt);
/* tree_sql() of the statement, or of `node` in its place; NULL with that problem. */
const char *parser_sql(const Statement *stmt, PgQuery__Node *node);
/* Adds an operation of the statement with kind, line and sql set. */
Operation *parser_add(const Statement *stmt, OperationKind kind, const char *sql);

/* The statement's own text, without what stands around it. */
const char *statement_text(const Statement *stmt);

/* The name as written. */
Name relation_name(const PgQuery__RangeVar *relation);
/* A name without schema may mean one in any. */
bool name_same(Name a, Name b);
/* CREATE TABLE has made it further up in the text. */
bool parser_made(const Parser *parser, Name name);
/* The name of a table or index. False (with a problem) for a name with a database in front. */
bool parser_relation(const Statement *stmt, const PgQuery__RangeVar *relation, Name *ret_name);
/* A dotted name of one or two words from String nodes. */
bool parser_dotted(const Statement *stmt, PgQuery__Node *const *words, size_t count, Name *ret_name);
/* Texts of String nodes. */
const char *const *parser_words(Arena *arena, PgQuery__Node *const *nodes, size_t count);

/* The nearest of `words` to `word`, if it is near enough to be a slip of the pen; else NULL. */
const char *word_nearest(const char *word, const char *const *words, size_t count);

/* ---- parts ------------------------------------------------------------------------------------------------
 */

/* alter.c: ALTER TABLE. */
void parse_alter_table(const Statement *stmt);
/* setting.c: one command of an ALTER TABLE (`alone`: the statement with it only) that changes the catalog
 * alone; NULL with a problem for any other. */
Operation *parse_setting(const Statement *stmt, PgQuery__Node *alone, const PgQuery__AlterTableCmd *command);
/* shape.c: what changes or takes away something that applications name. */
/* ALTER COLUMN TYPE, DROP COLUMN, DROP CONSTRAINT; false: the command is none of these. */
bool parse_shape(const Statement *stmt, PgQuery__Node *alone, const PgQuery__AlterTableCmd *command,
                 Operation **ret_operation);
/* partition.c: ATTACH and DETACH PARTITION; false: the command is none of these. */
bool parse_partition_command(const Statement *stmt, PgQuery__Node *alone,
                             const PgQuery__AlterTableCmd *command, Operation **ret_operation);
void parse_create_partition(const Statement *stmt);
void parse_rename(const Statement *stmt);
void parse_set_schema(const Statement *stmt);
void parse_drop_table(const Statement *stmt);
/* Calls `one` for each object of a DROP, with a statement that drops this one only. */
typedef void DropOne(const Statement *stmt, PgQuery__Node *alone, const Name *name);
void parse_drops(const Statement *stmt, DropOne *one);
/* index.c */
void parse_create_index(const Statement *stmt);
void parse_drop_index(const Statement *stmt);
void parse_comment(const Statement *stmt);
/* column.c: a column definition; ret_sql is its canonical text behind ADD COLUMN. False with a problem. */
bool parse_column(const Statement *stmt, PgQuery__ColumnDef *def, ColumnSpec *ret_spec, const char **ret_sql);
/* A type as ColumnSpec.type_sql has it; NULL where it cannot be written back. */
const char *parse_type(Arena *arena, PgQuery__TypeName *type);
/* type.c: a built-in type as the server's format_type() writes it: "integer", "numeric(10,2)",
 * "timestamp(3) with time zone", "character varying[]"; NULL for any other. */
const char *type_server_name(Arena *arena, const PgQuery__TypeName *type);
/* constraint.c: one constraint; `column` is the column it is written at, NULL for one of the table. False
 * with a problem. */
bool parse_constraint(const Statement *stmt, PgQuery__Constraint *node, const char *column,
                      ConstraintSpec *ret_spec);
/* Sets the suffix behind a unique, primary key or foreign key constraint, in all its texts. */
void constraint_set_suffix(Arena *arena, ConstraintSpec *spec, const char *suffix_sql);
/* "CHECK (…)", "UNIQUE …", "REFERENCES …" as written at a column, with CONSTRAINT name, without suffix. */
const char *constraint_column_sql(Arena *arena, const ConstraintSpec *spec, const char *column);
/* expr_check.c: NULL, or what makes the expression impossible over one row: a parameter, DEFAULT, an
 * aggregate, a window function or a set-returning function outside of sub-selects. */
const char *expr_refusal(Arena *arena, PgQuery__Node *expr);
/* annotation.c: everything behind "-- stoa:" in the text. */
void parse_annotations(Parser *parser);
/* One annotation: the bytes [at, end) of the text, behind "stoa:". */
void parse_annotation(Parser *parser, size_t at, size_t end);
/* One "table.column = expr"; `offset` is where it begins in the parser's text, or NOWHERE. */
void parse_backfill(Parser *parser, const char *text, size_t offset);
void parse_reverse(Parser *parser, const char *text, size_t offset);
/* clause_my.c: the same of MySQL and MariaDB: target, expression (canonical) and the names in it. `word` is
 * "backfill" or "reverse". False with a problem. */
bool parse_clause_my(Parser *parser, const char *word, const char *text, size_t offset,
                     BackfillSpec *ret_spec);
/* request.c: false with a problem for a text that is not UTF-8, or too long. */
bool parser_takes(Parser *parser);
/* request.c: the clauses of the command line, name, owner, digest and problems in order: what was read
 * becomes the change. */
void parser_finish(Parser *parser, const ChangeInput *input, Change *ret_change);
/* refuse.c: refuses a statement, or one command of an ALTER TABLE, by its plain name and with its reason. */
void refuse_statement(const Statement *stmt);
void refuse_alter(const Statement *stmt, PgQuery__AlterTableType type);
/* Plain names: "CREATE VIEW", "DROP FUNCTION", "MATERIALIZED VIEW". */
const char *statement_words(Arena *arena, const PgQuery__Node *node);
const char *object_words(PgQuery__ObjectType type);
/* native.c: what is carried out as written; false: the statement is none of these. */
bool parse_native(const Statement *stmt);
/* do_block.c: DO, its statements judged one by one. */
void parse_do(const Statement *stmt);
/* newer.c: syntax that only servers newer than the parser know; false: it is a plain mistake. */
bool parse_newer(Parser *parser, size_t start, size_t end);
/* parse_pg.c: one statement that was parsed; all statements of a parser's text. */
void parse_statement(const Statement *stmt);
void parse_inner(Parser *parser);
