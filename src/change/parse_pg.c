/* The request as a whole: statements, annotations, name and digest. */
#include "base/digest.h"
#include "change/native.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 100, DEFAULT_NAME_BYTES = 60, OWNER_BYTES = 200, TEXT_BYTES_MAX = 16 << 20 };

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

/* ---- name ----------------------------------------------------------------------------------- */

static bool name_is_good(const char *name)
{
    size_t len = strlen(name);
    return len >= 1 && len <= NAME_BYTES &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static const char *constraint_part(Arena *arena, const ConstraintSpec *spec)
{
    static const char *const kinds[] = {[CONSTRAINT_CHECK] = "check",
                                        [CONSTRAINT_FOREIGN_KEY] = "foreign-key",
                                        [CONSTRAINT_UNIQUE] = "unique",
                                        [CONSTRAINT_PRIMARY_KEY] = "primary-key",
                                        [CONSTRAINT_EXCLUDE] = "exclude"};
    if (spec->name != NULL)
        return arena_printf(arena, "add-constraint-%s", spec->name);
    Str str = STR_INIT;
    str_addf(&str, "add-%s", kinds[spec->kind]);
    for (size_t i = 0; i < spec->column_count; i++)
        str_addf(&str, "-%s", spec->columns[i] != NULL ? spec->columns[i] : "expr");
    const char *res = arena_dup(arena, str.buf);
    str_done(&str);
    return res;
}

static const char *describe_native(Arena *arena, const Operation *operation)
{
    const NativeSpec *native = operation->native;
    const ObjectName *object = native->makes.type != NULL ? &native->makes : &native->drops;
    const char *of = object->type != NULL            ? object->names[object->name_count - 1]
                     : operation->name_count > 0     ? operation->names[0].name
                     : operation->table.name != NULL ? operation->table.name
                                                     : operation->sql;
    return arena_printf(arena, "%s-%s", operation->words, of);
}

/* What the first operation does, before it is made fit for a name. */
static const char *describe(Arena *arena, const Operation *operation)
{
    const char *table = operation->table.name;
    switch (operation->kind) {
    case OPERATION_ADD_COLUMN:
        return arena_printf(arena, "%s-%s", table, operation->column);
    case OPERATION_SET_NOT_NULL:
        return arena_printf(arena, "%s-%s-set-not-null", table, operation->column);
    case OPERATION_DROP_NOT_NULL:
        return arena_printf(arena, "%s-%s-drop-not-null", table, operation->column);
    case OPERATION_SET_DEFAULT:
        return arena_printf(arena, "%s-%s-set-default", table, operation->column);
    case OPERATION_DROP_DEFAULT:
        return arena_printf(arena, "%s-%s-drop-default", table, operation->column);
    case OPERATION_ADD_CONSTRAINT:
        return arena_printf(arena, "%s-%s", table, constraint_part(arena, operation->constraint));
    case OPERATION_VALIDATE_CONSTRAINT:
        return arena_printf(arena, "%s-validate-%s", table, operation->constraint_name);
    case OPERATION_CREATE_INDEX:
        return operation->index->name != NULL
                   ? arena_printf(arena, "%s-create-index-%s", table, operation->index->name)
                   : arena_printf(arena, "%s-create-index-%s", table, operation->index->definition_sql);
    case OPERATION_DROP_INDEX:
        return arena_printf(arena, "drop-index-%s", table);
    case OPERATION_COMMENT:
        if (operation->column != NULL)
            return arena_printf(arena, "%s-%s-comment", table, operation->column);
        return operation->constraint_name != NULL
                   ? arena_printf(arena, "%s-%s-comment", table, operation->constraint_name)
                   : arena_printf(arena, "%s-comment", table);
    case OPERATION_SETTING:
        return arena_printf(arena, "%s-%s-%s", table,
                            operation->column != NULL    ? operation->column
                            : operation->trigger != NULL ? operation->trigger
                                                         : "table",
                            operation->words);
    case OPERATION_RENAME:
        return arena_printf(arena, "%s-%s-rename-to-%s", table,
                            operation->on_index ? "index" : operation->constraint_name, operation->new_name);
    case OPERATION_CHANGE_TYPE:
        return arena_printf(arena, "%s-%s-type-%s", table, operation->column, operation->type_sql);
    case OPERATION_RENAME_COLUMN:
        return arena_printf(arena, "%s-%s-rename-to-%s", table, operation->column, operation->new_name);
    case OPERATION_RENAME_TABLE:
        return arena_printf(arena, "%s-rename-to-%s", table, operation->new_name);
    case OPERATION_SET_SCHEMA:
        return arena_printf(arena, "%s-to-schema-%s", table, operation->new_name);
    case OPERATION_DROP_COLUMN:
        return arena_printf(arena, "%s-drop-%s", table, operation->column);
    case OPERATION_DROP_CONSTRAINT:
        return arena_printf(arena, "%s-drop-constraint-%s", table, operation->constraint_name);
    case OPERATION_ATTACH_PARTITION:
        return arena_printf(arena, "%s-attach-%s", table, operation->partition->name.name);
    case OPERATION_DETACH_PARTITION:
        return arena_printf(arena, "%s-detach-%s", table, operation->partition->name.name);
    case OPERATION_CREATE_PARTITION:
        return arena_printf(arena, "%s-create-%s", table, operation->partition->name.name);
    case OPERATION_DROP_TABLE:
        return arena_printf(arena, "drop-table-%s", table);
    case OPERATION_NATIVE:
        return describe_native(arena, operation);
    case OPERATION_COUNT:
        break;
    }
    return "change";
}

/* Lower case, words separated by single hyphens. What does not fit, or lost letters, ends in eight digits of
 * the description's digest, so that different descriptions keep different names. */
static const char *make_name(Arena *arena, const Operation *operation)
{
    const char *description = describe(arena, operation);
    Str str = STR_INIT;
    bool gap = false, lost = false;
    for (const char *at = description; *at != '\0'; at++) {
        char c = *at;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        lost = lost || (unsigned char)c >= 0x80;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
            gap = true;
            continue;
        }
        if (gap)
            str_sep(&str, "-");
        gap = false;
        str_addn(&str, &c, 1);
    }
    const char *res = arena_dupn(arena, str.buf, str.len);
    if (lost || str.len == 0 || str.len > DEFAULT_NAME_BYTES) {
        const char *digest = digest_text(arena, description, strlen(description)) + strlen("sha256:");
        int keep = DEFAULT_NAME_BYTES - 9;
        while (keep > 0 && ((size_t)keep > str.len || str.buf[keep - 1] == '-'))
            keep--;
        res = arena_printf(arena, "%.*s%s%.8s", keep, res, keep > 0 ? "-" : "change-", digest);
    }
    str_done(&str);
    return res;
}

static void read_name(Parser *parser, const ChangeInput *input, Change *change)
{
    const char *name = input->name != NULL ? input->name : parser->name;
    if (name != NULL && !name_is_good(name))
        parser_problem(parser, ERR_USAGE, NOWHERE,
                       "a name has 1 to 100 letters, digits, dots, hyphens and underscores",
                       "the name \"%s\" is not possible", name);
    change->name_made = name == NULL;
    if (name == NULL)
        name = parser->operations.len > 0 ? make_name(parser->arena, &parser->operations.items[0]) : "";
    change->name = arena_dup(parser->arena, name);
    const char *owner = input->owner != NULL ? input->owner : parser->owner;
    if (owner != NULL && strlen(owner) > OWNER_BYTES)
        parser_problem(parser, ERR_USAGE, NOWHERE, NULL, "the owner is longer than %d bytes", OWNER_BYTES);
    change->owner = arena_dup(parser->arena, owner == NULL ? "" : owner);
}

/* ---- digest --------------------------------------------------------------------------------- */

static void digest_part(Str *str, const char *kind, const char *text)
{
    str_addf(str, "%s %zu\n%s\n", kind, strlen(text), text);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, because their order means nothing. */
static void digest_clauses(Str *str, Arena *arena, const char *word, const BackfillSpec *specs, size_t count)
{
    const char **texts = arena_alloc(arena, (count + 1) * sizeof *texts);
    for (size_t i = 0; i < count; i++)
        texts[i] =
            arena_printf(arena, "%s.%s = %s", sql_name(arena, specs[i].table.schema, specs[i].table.name),
                         sql_ident(arena, specs[i].column), specs[i].expr_sql);
    qsort(texts, count, sizeof *texts, compare_texts);
    for (size_t i = 0; i < count; i++)
        digest_part(str, word, texts[i]);
}

/* Operations in order, then backfills and the ways back. */
static const char *digest(const Parser *parser)
{
    Arena *arena = parser->arena;
    Str str = STR_INIT;
    str_add(&str, "stoa change 1\n");
    for (size_t i = 0; i < parser->operations.len; i++)
        digest_part(&str, "operation", parser->operations.items[i].sql);
    digest_clauses(&str, arena, "backfill", parser->backfills.items, parser->backfills.len);
    digest_clauses(&str, arena, "reverse", parser->reverses.items, parser->reverses.len);
    const char *res = digest_text(arena, str.buf, str.len);
    str_done(&str);
    return res;
}

/* ---- the whole ------------------------------------------------------------------------------------------
 */

/* Offset of the first byte that is not UTF-8, or SIZE_MAX. */
static size_t utf8_fault(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t more = *at < 0x80 ? 0 : *at >= 0xF0 ? 3 : *at >= 0xE0 ? 2 : 1;
        bool bad = (*at >= 0x80 && *at < 0xC2) || *at > 0xF4 || (*at == 0xE0 && at[1] < 0xA0) ||
                   (*at == 0xED && at[1] > 0x9F) || (*at == 0xF0 && at[1] < 0x90) ||
                   (*at == 0xF4 && at[1] > 0x8F);
        for (size_t i = 1; i <= more && !bad; i++)
            bad = (at[i] & 0xC0) != 0x80;
        if (bad)
            return (size_t)(at - (const unsigned char *)text);
        at += more + 1;
    }
    return SIZE_MAX;
}

static int compare_problems(const void *a, const void *b)
{
    const Problem *x = *(const Problem *const *)a, *y = *(const Problem *const *)b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* By place in the text, those of one place as they were found. */
static const Problem *sort_problems(const Parser *parser)
{
    size_t count = parser->problems.len;
    const Problem **order = arena_alloc(parser->arena, (count + 1) * sizeof(const Problem *));
    Problem *sorted = arena_alloc(parser->arena, (count + 1) * sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        order[i] = &parser->problems.items[i];
    qsort(order, count, sizeof(const Problem *), compare_problems);
    for (size_t i = 0; i < count; i++)
        sorted[i] = *order[i];
    return sorted;
}

static void parse_text(Parser *parser)
{
    size_t bad = utf8_fault(parser->text);
    if (bad != SIZE_MAX) {
        parser_problem(parser, ERR_USAGE, bad, "save the file as UTF-8", "the text is not UTF-8");
        return;
    }
    if (strlen(parser->text) > TEXT_BYTES_MAX) {
        parser_problem(parser, ERR_USAGE, 0, NULL, "the text is longer than %d bytes", TEXT_BYTES_MAX);
        return;
    }
    TreeFault fault;
    parser->tokens = tree_scan(parser->arena, parser->text, &fault);
    parse_annotations(parser);
    parse_statements(parser, &fault);
    if (parser->operations.len == 0 && parser->problems.len == 0)
        parser_problem(parser, ERR_USAGE, 0,
                       "give a statement, for example: ALTER TABLE orders ADD COLUMN note text",
                       "there is no statement");
}

static void parse_given_clauses(Parser *parser, const ChangeInput *input)
{
    for (size_t i = 0; i < input->backfill_count; i++) {
        if (utf8_fault(input->backfills[i]) != SIZE_MAX)
            parser_problem(parser, ERR_USAGE, NOWHERE, NULL, "backfill %zu is not UTF-8", i + 1);
        else
            parse_backfill(parser, input->backfills[i], NOWHERE);
    }
    for (size_t i = 0; i < input->reverse_count; i++) {
        if (utf8_fault(input->reverses[i]) != SIZE_MAX)
            parser_problem(parser, ERR_USAGE, NOWHERE, NULL, "reverse %zu is not UTF-8", i + 1);
        else
            parse_reverse(parser, input->reverses[i], NOWHERE);
    }
}

void change_parse_pg(Arena *arena, const ChangeInput *input, Change *ret_change)
{
    Parser parser = {.arena = arena, .text = arena_dup(arena, input->sql == NULL ? "" : input->sql)};
    parse_text(&parser);
    parse_given_clauses(&parser, input);
    Change change = {.sql = parser.text};
    read_name(&parser, input, &change);
    change.operations = parser.operations.items;
    change.operation_count = parser.operations.len;
    change.backfills = parser.backfills.items;
    change.backfill_count = parser.backfills.len;
    change.reverses = parser.reverses.items;
    change.reverse_count = parser.reverses.len;
    change.problems = sort_problems(&parser);
    change.problem_count = parser.problems.len;
    change.change_digest = digest(&parser);
    *ret_change = change;
}
