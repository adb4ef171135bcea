/* PostgreSQL SQL: statements and annotations. */
#include "change/native.h"

#include <stdlib.h>
#include <string.h>

/* ---- statements ----------------------------------------------------------------------------- */

static bool is_transaction_frame(const PgQuery__Node *node)
{
    if (node->node_case != PG_QUERY__NODE__NODE_TRANSACTION_STMT)
        return false;
    PgQuery__TransactionStmtKind kind = node->transaction_stmt->kind;
    return !node->transaction_stmt->chain && (kind == PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN ||
                                              kind == PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START ||
                                              kind == PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT);
}

static void parse_known(const Statement *stmt)
{
    const PgQuery__Node *node = stmt->node;
    bool drops = node->node_case == PG_QUERY__NODE__NODE_DROP_STMT;
    if (is_transaction_frame(node))
        return; /* Stoa makes its own transactions */
    if (node->node_case == PG_QUERY__NODE__NODE_ALTER_TABLE_STMT)
        parse_alter_table(stmt);
    else if (node->node_case == PG_QUERY__NODE__NODE_INDEX_STMT)
        parse_create_index(stmt);
    else if (drops && node->drop_stmt->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX)
        parse_drop_index(stmt);
    else if (node->node_case == PG_QUERY__NODE__NODE_COMMENT_STMT)
        parse_comment(stmt);
    else if (drops && node->drop_stmt->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_TABLE)
        parse_drop_table(stmt);
    else if (node->node_case == PG_QUERY__NODE__NODE_RENAME_STMT)
        parse_rename(stmt);
    else if (node->node_case == PG_QUERY__NODE__NODE_CREATE_STMT && node->create_stmt->partbound != NULL)
        parse_create_partition(stmt);
    else if (node->node_case == PG_QUERY__NODE__NODE_ALTER_OBJECT_SCHEMA_STMT)
        parse_set_schema(stmt);
    else if (!parse_native(stmt))
        refuse_statement(stmt);
}

/* The table a statement is about, among those that the change has made so far. */
static bool is_on_made(const Statement *stmt)
{
    const PgQuery__Node *node = stmt->node;
    const PgQuery__RangeVar *relation = NULL;
    if (node->node_case == PG_QUERY__NODE__NODE_ALTER_TABLE_STMT)
        relation = node->alter_table_stmt->relation;
    else if (node->node_case == PG_QUERY__NODE__NODE_INDEX_STMT)
        relation = node->index_stmt->relation;
    else if (node->node_case == PG_QUERY__NODE__NODE_CREATE_TRIG_STMT)
        relation = node->create_trig_stmt->relation;
    else if (node->node_case == PG_QUERY__NODE__NODE_CREATE_POLICY_STMT)
        relation = node->create_policy_stmt->table;
    else if (node->node_case == PG_QUERY__NODE__NODE_RULE_STMT)
        relation = node->rule_stmt->relation;
    else if (node->node_case == PG_QUERY__NODE__NODE_CREATE_STMT && node->create_stmt->partbound != NULL &&
             node->create_stmt->n_inh_relations == 1)
        relation = node->create_stmt->inh_relations[0]->range_var;
    return relation != NULL && parser_made(stmt->parser, relation_name(relation));
}

/* Nobody uses a table that the change itself makes: whatever is said of it runs as it is written, even what
 * is refused elsewhere. */
static void parse_on_made(const Statement *stmt)
{
    Parser *parser = stmt->parser;
    size_t operations = parser->operations.len, problems = parser->problems.len;
    PgQuery__Node *node = tree_copy(parser->arena, stmt->node);
    parse_known(stmt);
    const Problem *problem = problems < parser->problems.len ? &parser->problems.items[problems] : NULL;
    if (problem != NULL && problem->kind != ERR_UNSAFE)
        return;
    if (problem != NULL) {
        NativeSpec *spec = arena_alloc(parser->arena, sizeof *spec);
        *spec = (NativeSpec){.only_new = problem->message, .only_new_hint = problem->hint};
        parser->operations.len = operations;
        parser->problems.len = problems;
        if (node->node_case == PG_QUERY__NODE__NODE_INDEX_STMT)
            node->index_stmt->concurrent = 0;
        Statement plain = *stmt;
        plain.node = node;
        Operation *operation = native_add(&plain, spec, statement_words(parser->arena, node), NATIVE_FIRST);
        if (operation->name_count > 0)
            operation->table = operation->names[0];
    }
    for (size_t i = operations; i < parser->operations.len; i++)
        parser->operations.items[i].on_new = true;
}

void parse_statement(const Statement *stmt)
{
    if (is_on_made(stmt))
        parse_on_made(stmt);
    else
        parse_known(stmt);
}

static const char hint_version[] =
    "the parser at hand is PostgreSQL 15's, and the statement is none of the newer ones that are known";

static void parse_fault(Parser *parser, size_t offset, const TreeFault *fault, const char *around)
{
    const char *hint = hint_version;
    if (fault->too_deep)
        hint = "write a simpler expression, or put it into a function";
    else if (around[0] == '\\')
        hint = "commands of psql are not SQL: take the line out";
    parser_problem(parser, ERR_USAGE, offset, hint, "%s", fault->message);
}

/* The statement in [begin, end), which may begin with comments. */
static void parse_piece(Parser *parser, size_t begin, size_t end)
{
    const Tokens *tokens = &parser->tokens;
    size_t *at = &parser->next_token; /* pieces come in order */
    while (*at < tokens->len && (tokens->items[*at].start < begin || token_is_comment(&tokens->items[*at])))
        (*at)++;
    if (*at == tokens->len || tokens->items[*at].start >= end)
        return;
    size_t start = tokens->items[*at].start;
    const char *text = arena_dupn(parser->arena, parser->text + start, end - start);
    TreeFault fault;
    Statement stmt = {
        .parser = parser, .start = start, .end = end, .node = tree_parse(parser->arena, text, &fault)};
    if (stmt.node != NULL)
        parse_statement(&stmt);
    else if (fault.too_deep || !parse_newer(parser, start, end))
        parse_fault(parser, start + fault.offset, &fault, text + fault.offset);
}

/* Where in a statement a semicolon does not end it: the body of an SQL function (BEGIN ATOMIC … END) and the
 * list of a rule. Parentheses count nowhere else, so that one left open does not hide what follows. */
typedef struct Nesting {
    int parens, ends; /* open parentheses; END that must still come */
    bool rule, body;
} Nesting;

static void nesting_step(Nesting *nesting, const Parser *parser, const Token *token)
{
    char symbol = token_symbol(parser->text, token);
    if (token->kind == PG_QUERY__TOKEN__RULE)
        nesting->rule = true;
    if (token->kind == PG_QUERY__TOKEN__ATOMIC) {
        nesting->body = true;
        nesting->ends++;
    }
    if (nesting->body && token->kind == PG_QUERY__TOKEN__CASE)
        nesting->ends++;
    if (nesting->ends > 0 && token->kind == PG_QUERY__TOKEN__END_P)
        nesting->ends--;
    if (nesting->rule && symbol == '(')
        nesting->parens++;
    if (nesting->parens > 0 && symbol == ')')
        nesting->parens--;
}

/* Splits by the scanner's tokens, so that a statement that does not parse does not hide the others; where the
 * split is wrong the piece does not parse. (libpg_query's own split by the scanner leaves out statements
 * without a keyword.) */
static void parse_statements(Parser *parser, const TreeFault *fault)
{
    size_t begin = 0;
    Nesting nesting = {0};
    for (size_t i = 0; i < parser->tokens.len; i++) {
        const Token *token = &parser->tokens.items[i];
        if (token->kind != PG_QUERY__TOKEN__ASCII_59 || nesting.parens > 0 || nesting.ends > 0) {
            nesting_step(&nesting, parser, token);
            continue;
        }
        parse_piece(parser, begin, token->start);
        begin = token->end;
        nesting = (Nesting){0};
    }
    if (fault->message == NULL)
        parse_piece(parser, begin, strlen(parser->text));
    else /* the statement in which the scanner stopped is only half there */
        parser_problem(parser, ERR_USAGE, fault->offset, NULL, "%s", fault->message);
}

void parse_inner(Parser *parser)
{
    TreeFault fault;
    parser->tokens = tree_scan(parser->arena, parser->text, &fault);
    parse_statements(parser, &fault);
}

/* ---- the whole ------------------------------------------------------------------------------------------
 */

static void parse_text(Parser *parser)
{
    if (!parser_takes(parser))
        return;
    TreeFault fault;
    parser->tokens = tree_scan(parser->arena, parser->text, &fault);
    parse_annotations(parser);
    parse_statements(parser, &fault);
    if (parser->operations.len == 0 && parser->problems.len == 0)
        parser_problem(parser, ERR_USAGE, 0,
                       "give a statement, for example: ALTER TABLE orders ADD COLUMN note text",
                       "there is no statement");
}

void change_parse_pg(Arena *arena, const ChangeInput *input, Change *ret_change)
{
    Parser parser = {.arena = arena, .text = arena_dup(arena, input->sql == NULL ? "" : input->sql)};
    parse_text(&parser);
    parser_finish(&parser, input, ret_change);
}
