/* tree.h — PostgreSQL's parse tree: read, walked, compared and written back. Internal to change/.
 *
 * The tree is libpg_query's protobuf tree (the grammar of PostgreSQL 15), unpacked into an arena. Text that
 * is nested deeper than TREE_DEPTH_MAX is refused before the parser sees it, because the parser's own output,
 * the unpacking and the deparser all recurse; nothing here recurses. */
#pragma once
#include "base/arena.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

/* Operators, parentheses and keywords between an expression's root and its deepest leaf. */
enum { TREE_DEPTH_MAX = 500 };

typedef struct Token {
    size_t start, end; /* bytes in the text: [start, end) */
    PgQuery__Token kind;
    PgQuery__KeywordKind keyword;
} Token;

typedef struct Tokens {
    Token *items;
    size_t len, cap;
} Tokens;

/* What the scanner or parser says of wrong text. */
typedef struct TreeFault {
    const char *message; /* NULL: no fault */
    size_t offset;       /* bytes into the text */
    bool too_deep;
} TreeFault;

static inline bool token_is_comment(const Token *token)
{
    return token->kind == PG_QUERY__TOKEN__SQL_COMMENT || token->kind == PG_QUERY__TOKEN__C_COMMENT;
}

/* The character of a token of one byte, '\0' for any other. */
static inline char token_symbol(const char *text, const Token *token)
{
    if (token->end - token->start != 1)
        return '\0';
    return text[token->start];
}

/* An identifier as the server folds it: quotes off, or lower case (of ASCII letters). */
const char *token_word(Arena *arena, const char *text, const Token *token);

/* All tokens, comments included. On a fault returns the tokens before the place where it happened. */
Tokens tree_scan(Arena *arena, const char *text, TreeFault *ret_fault);
/* Offset of the first token of `tokens` at which the nesting passes TREE_DEPTH_MAX, or SIZE_MAX. */
size_t tree_too_deep(const char *text, const Tokens *tokens);

/* The one statement in `text`, or NULL with a fault. */
PgQuery__Node *tree_parse(Arena *arena, const char *text, TreeFault *ret_fault);
/* The same for a look only: constants stand as the parser made them. */
PgQuery__Node *tree_parse_quick(Arena *arena, const char *text, TreeFault *ret_fault);
/* The expression in `text`: exactly what may stand as one item behind SELECT, without alias; or NULL. */
PgQuery__Node *tree_parse_expr(Arena *arena, const char *text, TreeFault *ret_fault);

/* Canonical SQL of a statement, without final semicolon. NULL where the text, parsed again, would not give
 * the same tree: what cannot be written back exactly must be refused. Positions in `stmt` are cleared. */
const char *tree_sql(Arena *arena, PgQuery__Node *stmt);
/* True when `sql` (may be NULL) parses to this very tree. Positions in `stmt` are cleared. */
bool tree_is_sql(Arena *arena, PgQuery__Node *stmt, const char *sql);
/* Canonical SQL of an expression; NULL as above. */
const char *tree_expr_sql(Arena *arena, PgQuery__Node *expr);

/* Called for each Node in pre-order; `inside` says that it stands in a sub-select. Returns false to leave out
 * what is below. May replace the node's contents in place (and then returns false). */
typedef bool TreeVisit(void *context, PgQuery__Node *node, bool inside);
void tree_walk(PgQuery__Node *root, TreeVisit *visit, void *context);

/* The same for messages of every kind; `field` is the one that holds it ("relation", "from_clause" …; inside
 * a Node the kind's own). */
typedef bool TreeVisitMessage(void *context, ProtobufCMessage *message, const char *field);
void tree_walk_messages(PgQuery__Node *root, TreeVisitMessage *visit, void *context);

/* New nodes. */
PgQuery__Node *tree_string(Arena *arena, const char *text);
PgQuery__Node *tree_select(Arena *arena, PgQuery__Node *value);
/* An independent copy. */
PgQuery__Node *tree_copy(Arena *arena, PgQuery__Node *node);
/* The text of a String node; NULL for any other. */
const char *tree_string_of(const PgQuery__Node *node);
