/* PostgreSQL's parse tree: read, walked, compared and written back. */
#include "change/tree.h"

#include "base/str.h"

#include <string.h>

/* ---- unpacking into an arena ---------------------------------------------------------------- */

static void *allocate(void *arena, size_t size) { return arena_alloc(arena, size); }
static void release(void *arena UNUSED, void *pointer UNUSED) {}

static ProtobufCAllocator allocator(Arena *arena)
{
    return (ProtobufCAllocator){.alloc = allocate, .free = release, .allocator_data = arena};
}

enum { FAULT_BYTES = 160 };

static void fault_set(Arena *arena, TreeFault *fault, const char *text, const PgQueryError *error)
{
    size_t offset = 0; /* cursorpos counts characters from 1 */
    for (int chars = 1; chars < error->cursorpos && text[offset] != '\0'; chars++)
        do
            offset++;
        while (((unsigned char)text[offset] & 0xC0) == 0x80);
    /* "at or near" may quote the whole rest of the text: keep one line of it. */
    size_t len = strcspn(error->message, "\n");
    if (len > FAULT_BYTES)
        for (len = FAULT_BYTES; ((unsigned char)error->message[len] & 0xC0) == 0x80; len--)
            ;
    *fault = (TreeFault){.offset = offset,
                         .message = error->message[len] == '\0'
                                        ? arena_dup(arena, error->message)
                                        : arena_printf(arena, "%.*s…\"", (int)len, error->message)};
}

/* ---- tokens --------------------------------------------------------------------------------- */

static Tokens scan_prefix(Arena *arena, const char *text, TreeFault *fault)
{
    Tokens tokens = {0};
    PgQueryScanResult scanned = pg_query_scan(text);
    if (scanned.error != NULL) {
        fault_set(arena, fault, text, scanned.error);
    } else {
        ProtobufCAllocator alloc = allocator(arena);
        PgQuery__ScanResult *list = pg_query__scan_result__unpack(
            &alloc, scanned.pbuf.len, (const uint8_t *)(const void *)scanned.pbuf.data);
        for (size_t i = 0; list != NULL && i < list->n_tokens; i++)
            *(Token *)vec_push(arena, &tokens) = (Token){.start = (size_t)list->tokens[i]->start,
                                                         .end = (size_t)list->tokens[i]->end,
                                                         .kind = list->tokens[i]->token,
                                                         .keyword = list->tokens[i]->keyword_kind};
    }
    pg_query_free_scan_result(scanned);
    return tokens;
}

const char *token_word(Arena *arena, const char *text, const Token *token)
{
    size_t len = token->end - token->start, out = 0;
    const char *from = text + token->start;
    char *word = arena_dupn(arena, from, len);
    bool quoted = len >= 2 && *from == '"';
    for (size_t i = quoted ? 1 : 0; i < (quoted ? len - 1 : len); i++) {
        char c = from[i];
        if (quoted && c == '"')
            i++; /* doubled */
        word[out++] = (char)(!quoted && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    word[out] = '\0';
    return word;
}

Tokens tree_scan(Arena *arena, const char *text, TreeFault *ret_fault)
{
    *ret_fault = (TreeFault){0};
    Tokens tokens = scan_prefix(arena, text, ret_fault);
    if (ret_fault->message == NULL)
        return tokens;
    TreeFault again = {0};
    return scan_prefix(arena, arena_dupn(arena, text, ret_fault->offset), &again);
}

typedef struct Level {
    size_t count; /* since the last separator */
    size_t sets;  /* UNION and kin nest to the left across the whole level */
} Level;

typedef struct Levels {
    Level *items;
    size_t len, cap;
    size_t total;
} Levels;

static void level_reset(Levels *levels)
{
    Level *top = &levels->items[levels->len - 1];
    levels->total -= top->count;
    top->count = 0;
}

static void level_pop(Levels *levels)
{
    if (levels->len == 1)
        return;
    level_reset(levels);
    levels->total -= levels->items[levels->len - 1].sets + 1;
    levels->len--;
}

/* What a token does to the depth of the tree. Lists (commas, WHEN) are siblings; everything else may nest. */
static void level_step(Arena *arena, Levels *levels, char symbol, PgQuery__Token kind)
{
    if (symbol == ';') {
        while (levels->len > 1)
            level_pop(levels);
        levels->items[0] = (Level){0};
        levels->total = 0;
    } else if (symbol == '(' || symbol == '[' || kind == PG_QUERY__TOKEN__CASE) {
        *vec_push(arena, levels) = (Level){0};
        levels->total++;
    } else if (symbol == ')' || symbol == ']' || kind == PG_QUERY__TOKEN__END_P) {
        level_pop(levels);
    } else if (symbol == ',' || kind == PG_QUERY__TOKEN__WHEN) {
        level_reset(levels);
    } else if (kind == PG_QUERY__TOKEN__UNION || kind == PG_QUERY__TOKEN__INTERSECT ||
               kind == PG_QUERY__TOKEN__EXCEPT) {
        level_reset(levels);
        levels->items[levels->len - 1].sets++;
        levels->total++;
    } else {
        levels->items[levels->len - 1].count++;
        levels->total++;
    }
}

static bool token_is_leaf(PgQuery__Token kind)
{
    return kind == PG_QUERY__TOKEN__IDENT || kind == PG_QUERY__TOKEN__UIDENT ||
           kind == PG_QUERY__TOKEN__FCONST || kind == PG_QUERY__TOKEN__SCONST ||
           kind == PG_QUERY__TOKEN__USCONST || kind == PG_QUERY__TOKEN__BCONST ||
           kind == PG_QUERY__TOKEN__XCONST || kind == PG_QUERY__TOKEN__ICONST ||
           kind == PG_QUERY__TOKEN__PARAM || kind == PG_QUERY__TOKEN__SQL_COMMENT ||
           kind == PG_QUERY__TOKEN__C_COMMENT || kind == PG_QUERY__TOKEN__ASCII_46;
}

size_t tree_too_deep(const char *text, const Tokens *tokens)
{
    Arena *arena = arena_new();
    Levels levels = {0};
    *(Level *)vec_push(arena, &levels) = (Level){0};
    size_t res = SIZE_MAX;
    for (size_t i = 0; i < tokens->len && res == SIZE_MAX; i++) {
        const Token *token = &tokens->items[i];
        if (token_is_leaf(token->kind))
            continue;
        level_step(arena, &levels, token_symbol(text, token), token->kind);
        if (levels.total > TREE_DEPTH_MAX)
            res = token->start;
    }
    arena_free(arena);
    return res;
}

/* ---- parsing -------------------------------------------------------------------------------- */

static bool depth_allowed(Arena *arena, const char *text, TreeFault *ret_fault)
{
    Tokens tokens = tree_scan(arena, text, ret_fault);
    if (ret_fault->message != NULL)
        return false;
    size_t deep = tree_too_deep(text, &tokens);
    if (deep != SIZE_MAX)
        *ret_fault =
            (TreeFault){.message = "the expression is nested too deep", .offset = deep, .too_deep = true};
    return deep == SIZE_MAX;
}

static bool visit_boolean(void *context, PgQuery__Node *node, bool inside UNUSED)
{
    if (node->node_case != PG_QUERY__NODE__NODE_TYPE_CAST)
        return true;
    const PgQuery__TypeCast *cast = node->type_cast;
    const PgQuery__Node *arg = cast->arg;
    if (arg == NULL || arg->node_case != PG_QUERY__NODE__NODE_A_CONST ||
        arg->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL || cast->type_name->n_names != 2 ||
        cast->type_name->n_array_bounds != 0 ||
        !str_eq(tree_string_of(cast->type_name->names[0]), "pg_catalog") ||
        !str_eq(tree_string_of(cast->type_name->names[1]), "bool"))
        return true;
    bool is_true = str_eq(arg->a_const->sval->sval, "t");
    if (!is_true && !str_eq(arg->a_const->sval->sval, "f"))
        return true;
    PgQuery__Boolean *value = arena_alloc(context, sizeof *value);
    pg_query__boolean__init(value);
    value->boolval = is_true;
    PgQuery__AConst *constant = arena_alloc(context, sizeof *constant);
    pg_query__a__const__init(constant);
    constant->val_case = PG_QUERY__A__CONST__VAL_BOOLVAL;
    constant->boolval = value;
    node->node_case = PG_QUERY__NODE__NODE_A_CONST;
    node->a_const = constant;
    return false;
}

PgQuery__Node *tree_parse_quick(Arena *arena, const char *text, TreeFault *ret_fault)
{
    *ret_fault = (TreeFault){0};
    /* each level takes a byte at least */
    if (strlen(text) > TREE_DEPTH_MAX && !depth_allowed(arena, text, ret_fault))
        return NULL;
    PgQuery__Node *res = NULL;
    PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(text);
    if (parsed.error != NULL) {
        fault_set(arena, ret_fault, text, parsed.error);
    } else {
        ProtobufCAllocator alloc = allocator(arena);
        PgQuery__ParseResult *list = pg_query__parse_result__unpack(
            &alloc, parsed.parse_tree.len, (const uint8_t *)(const void *)parsed.parse_tree.data);
        if (list != NULL && list->n_stmts == 1)
            res = list->stmts[0]->stmt;
        else
            *ret_fault = (TreeFault){.message = "one statement is expected here"};
    }
    pg_query_free_protobuf_parse_result(parsed);
    return res;
}

PgQuery__Node *tree_parse(Arena *arena, const char *text, TreeFault *ret_fault)
{
    PgQuery__Node *res = tree_parse_quick(arena, text, ret_fault);
    if (res != NULL)
        tree_walk(res, visit_boolean, arena); /* 't'::boolean is written back as true */
    return res;
}

PgQuery__Node *tree_string(Arena *arena, const char *text)
{
    PgQuery__String *string = arena_alloc(arena, sizeof *string);
    pg_query__string__init(string);
    string->sval = arena_dup(arena, text);
    PgQuery__Node *node = arena_alloc(arena, sizeof *node);
    pg_query__node__init(node);
    node->node_case = PG_QUERY__NODE__NODE_STRING;
    node->string = string;
    return node;
}

const char *tree_string_of(const PgQuery__Node *node)
{
    return node != NULL && node->node_case == PG_QUERY__NODE__NODE_STRING ? node->string->sval : NULL;
}

PgQuery__Node *tree_select(Arena *arena, PgQuery__Node *value)
{
    struct {
        PgQuery__Node select_node, target_node;
        PgQuery__SelectStmt select;
        PgQuery__ResTarget target;
        PgQuery__Node *targets[1];
    } *made = arena_alloc(arena, sizeof *made);
    pg_query__res_target__init(&made->target);
    made->target.val = value;
    pg_query__node__init(&made->target_node);
    made->target_node.node_case = PG_QUERY__NODE__NODE_RES_TARGET;
    made->target_node.res_target = &made->target;
    made->targets[0] = &made->target_node;
    pg_query__select_stmt__init(&made->select);
    made->select.n_target_list = 1;
    made->select.target_list = made->targets;
    made->select.limit_option = PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_DEFAULT;
    made->select.op = PG_QUERY__SET_OPERATION__SETOP_NONE;
    pg_query__node__init(&made->select_node);
    made->select_node.node_case = PG_QUERY__NODE__NODE_SELECT_STMT;
    made->select_node.select_stmt = &made->select;
    return &made->select_node;
}

/* ---- walking -------------------------------------------------------------------------------- */

typedef struct Pending {
    ProtobufCMessage *message;
    bool inside;
    const char *field; /* of the message that holds it */
} Pending;

typedef struct PendingStack {
    Pending *items;
    size_t len, cap;
} PendingStack;

static void push_message(Arena *arena, PendingStack *stack, ProtobufCMessage *message, bool inside,
                         const char *field)
{
    if (message != NULL)
        *(Pending *)vec_push(arena, stack) = (Pending){message, inside, field};
}

/* Pushes what `item` contains, last first, so that it is taken in the order of the text. */
static void push_children(Arena *arena, PendingStack *stack, Pending item)
{
    const ProtobufCMessageDescriptor *type = item.message->descriptor;
    unsigned char *base = (unsigned char *)item.message;
    for (unsigned i = type->n_fields; i-- > 0;) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        bool inside =
            item.inside || (type == &pg_query__sub_link__descriptor && strcmp(field->name, "subselect") == 0);
        void *member = base + field->offset;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count;
            memcpy(&count, base + field->quantifier_offset, sizeof count);
            ProtobufCMessage **list;
            memcpy(&list, member, sizeof list);
            while (count-- > 0)
                push_message(arena, stack, list[count], inside, field->name);
            continue;
        }
        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
            uint32_t chosen;
            memcpy(&chosen, base + field->quantifier_offset, sizeof chosen);
            if (chosen != field->id)
                continue;
        }
        ProtobufCMessage *message;
        memcpy(&message, member, sizeof(ProtobufCMessage *));
        push_message(arena, stack, message, inside, field->name);
    }
}

void tree_walk(PgQuery__Node *root, TreeVisit *visit, void *context)
{
    Arena *arena = arena_new();
    PendingStack stack = {0};
    push_message(arena, &stack, &root->base, false, "");
    while (stack.len > 0) {
        Pending item = stack.items[--stack.len];
        if (item.message->descriptor == &pg_query__node__descriptor &&
            !visit(context, (PgQuery__Node *)(void *)item.message, item.inside))
            continue;
        push_children(arena, &stack, item);
    }
    arena_free(arena);
}

void tree_walk_messages(PgQuery__Node *root, TreeVisitMessage *visit, void *context)
{
    Arena *arena = arena_new();
    PendingStack stack = {0};
    push_message(arena, &stack, &root->base, false, "");
    while (stack.len > 0) {
        Pending item = stack.items[--stack.len];
        if (visit(context, item.message, item.field))
            push_children(arena, &stack, item);
    }
    arena_free(arena);
}

/* Positions in the text are no part of the meaning. */
static void clear_positions(PgQuery__Node *root)
{
    Arena *arena = arena_new();
    PendingStack stack = {0};
    push_message(arena, &stack, &root->base, false, "");
    while (stack.len > 0) {
        Pending item = stack.items[--stack.len];
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(item.message->descriptor, "location");
        if (field != NULL)
            memset((unsigned char *)item.message + field->offset, 0, sizeof(int32_t));
        push_children(arena, &stack, item);
    }
    arena_free(arena);
}

/* ---- writing back --------------------------------------------------------------------------- */

static PgQueryProtobuf pack(Arena *arena, PgQuery__Node *node)
{
    size_t len = pg_query__node__get_packed_size(node);
    char *data = arena_alloc(arena, len + 1);
    (void)pg_query__node__pack(node, (uint8_t *)(void *)data);
    return (PgQueryProtobuf){.len = len, .data = data};
}

static bool tree_same(Arena *arena, PgQuery__Node *a, PgQuery__Node *b)
{
    clear_positions(a);
    clear_positions(b);
    PgQueryProtobuf packed_a = pack(arena, a), packed_b = pack(arena, b);
    return packed_a.len == packed_b.len && memcmp(packed_a.data, packed_b.data, packed_a.len) == 0;
}

PgQuery__Node *tree_copy(Arena *arena, PgQuery__Node *node)
{
    PgQueryProtobuf packed = pack(arena, node);
    ProtobufCAllocator alloc = allocator(arena);
    return pg_query__node__unpack(&alloc, packed.len, (const uint8_t *)(const void *)packed.data);
}

PgQuery__Node *tree_parse_expr(Arena *arena, const char *text, TreeFault *ret_fault)
{
    static const char head[] = "SELECT ";
    PgQuery__Node *stmt = tree_parse(arena, arena_printf(arena, "%s%s", head, text), ret_fault);
    if (ret_fault->message != NULL)
        ret_fault->offset -= ret_fault->offset < sizeof head - 1 ? ret_fault->offset : sizeof head - 1;
    if (stmt == NULL)
        return NULL;
    Tokens tokens = tree_scan(arena, text, ret_fault);
    for (size_t i = 0; i < tokens.len; i++)
        if (tokens.items[i].kind == PG_QUERY__TOKEN__ASCII_59)
            *ret_fault = (TreeFault){.message = "one expression is expected here, without a semicolon",
                                     .offset = tokens.items[i].start};
    if (ret_fault->message != NULL)
        return NULL;
    *ret_fault = (TreeFault){.message = "one expression is expected here"};
    if (stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT || stmt->select_stmt->n_target_list != 1)
        return NULL;
    PgQuery__Node *value = stmt->select_stmt->target_list[0]->res_target->val;
    if (value == NULL || !tree_same(arena, stmt, tree_select(arena, value)))
        return NULL;
    *ret_fault = (TreeFault){0};
    return value;
}

/* Parentheses are no part of the tree, and the deparser forgets some ("(NOT a)::text"). An implicit row of
 * one item is written as parentheses, so every operand is put into one, where the plain text will not do. */
static bool operand_is_compound(const PgQuery__Node *node)
{
    static const PgQuery__Node__NodeCase kinds[] = {
        PG_QUERY__NODE__NODE_A_EXPR,        PG_QUERY__NODE__NODE_BOOL_EXPR,
        PG_QUERY__NODE__NODE_NULL_TEST,     PG_QUERY__NODE__NODE_BOOLEAN_TEST,
        PG_QUERY__NODE__NODE_TYPE_CAST,     PG_QUERY__NODE__NODE_COLLATE_CLAUSE,
        PG_QUERY__NODE__NODE_A_INDIRECTION, PG_QUERY__NODE__NODE_CASE_EXPR,
        PG_QUERY__NODE__NODE_A_ARRAY_EXPR,  PG_QUERY__NODE__NODE_SUB_LINK,
        PG_QUERY__NODE__NODE_XML_EXPR,
    };
    for (size_t i = 0; node != NULL && i < ARRAY_LEN(kinds); i++)
        if (node->node_case == kinds[i])
            return true;
    return node != NULL && node->node_case == PG_QUERY__NODE__NODE_FUNC_CALL &&
           node->func_call->funcformat == PG_QUERY__COERCION_FORM__COERCE_SQL_SYNTAX;
}

static void parenthesise(Arena *arena, PgQuery__Node **operand)
{
    if (!operand_is_compound(*operand))
        return;
    PgQuery__RowExpr *row = arena_alloc(arena, sizeof *row);
    pg_query__row_expr__init(row);
    row->row_format = PG_QUERY__COERCION_FORM__COERCE_IMPLICIT_CAST;
    row->n_args = 1;
    row->args = arena_alloc(arena, sizeof(PgQuery__Node *));
    row->args[0] = *operand;
    PgQuery__Node *node = arena_alloc(arena, sizeof *node);
    pg_query__node__init(node);
    node->node_case = PG_QUERY__NODE__NODE_ROW_EXPR;
    node->row_expr = row;
    *operand = node;
}

/* "(a + b)::int" rather than "CAST(a + b AS int)". */
static bool visit_cast(void *context, PgQuery__Node *node, bool inside UNUSED)
{
    if (node->node_case != PG_QUERY__NODE__NODE_TYPE_CAST || node->type_cast->arg == NULL)
        return true;
    PgQuery__Node__NodeCase kind = node->type_cast->arg->node_case;
    if (kind != PG_QUERY__NODE__NODE_TYPE_CAST && kind != PG_QUERY__NODE__NODE_SUB_LINK &&
        kind != PG_QUERY__NODE__NODE_A_ARRAY_EXPR && kind != PG_QUERY__NODE__NODE_A_INDIRECTION &&
        kind != PG_QUERY__NODE__NODE_FUNC_CALL)
        parenthesise(context, &node->type_cast->arg);
    return true;
}

static void parenthesise_all(Arena *arena, PgQuery__Node **operands, size_t count)
{
    for (size_t i = 0; i < count; i++)
        parenthesise(arena, &operands[i]);
}

static void parenthesise_operator(Arena *arena, PgQuery__AExpr *expr)
{
    bool pattern = expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_LIKE ||
                   expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE ||
                   expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_SIMILAR;
    parenthesise(arena, &expr->lexpr);
    if (expr->rexpr != NULL && expr->rexpr->node_case == PG_QUERY__NODE__NODE_LIST)
        parenthesise_all(arena, expr->rexpr->list->items, expr->rexpr->list->n_items);
    else if (!pattern || expr->rexpr == NULL || expr->rexpr->node_case != PG_QUERY__NODE__NODE_FUNC_CALL)
        parenthesise(arena, &expr->rexpr);
}

static bool visit_parenthesise(void *context, PgQuery__Node *node, bool inside UNUSED)
{
    Arena *arena = context;
    if (node->node_case == PG_QUERY__NODE__NODE_A_EXPR)
        parenthesise_operator(arena, node->a_expr);
    else if (node->node_case == PG_QUERY__NODE__NODE_BOOL_EXPR)
        parenthesise_all(arena, node->bool_expr->args, node->bool_expr->n_args);
    else if (node->node_case == PG_QUERY__NODE__NODE_NULL_TEST)
        parenthesise(arena, &node->null_test->arg);
    else if (node->node_case == PG_QUERY__NODE__NODE_BOOLEAN_TEST)
        parenthesise(arena, &node->boolean_test->arg);
    else if (node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        parenthesise(arena, &node->type_cast->arg);
    else if (node->node_case == PG_QUERY__NODE__NODE_COLLATE_CLAUSE)
        parenthesise(arena, &node->collate_clause->arg);
    else if (node->node_case == PG_QUERY__NODE__NODE_A_INDIRECTION)
        parenthesise(arena, &node->a_indirection->arg);
    else if (node->node_case == PG_QUERY__NODE__NODE_SUB_LINK)
        parenthesise(arena, &node->sub_link->testexpr);
    else if (node->node_case == PG_QUERY__NODE__NODE_FUNC_CALL &&
             node->func_call->funcformat == PG_QUERY__COERCION_FORM__COERCE_SQL_SYNTAX)
        parenthesise_all(arena, node->func_call->args, node->func_call->n_args);
    return true;
}

/* The deparser's text without the blank that it leaves behind some statements; NULL where it gives up. */
static const char *deparse(Arena *arena, PgQuery__Node *stmt)
{
    PgQuery__RawStmt raw = PG_QUERY__RAW_STMT__INIT, *raws[1] = {&raw};
    raw.stmt = stmt;
    PgQuery__ParseResult list = PG_QUERY__PARSE_RESULT__INIT;
    list.version = PG_VERSION_NUM;
    list.n_stmts = 1;
    list.stmts = raws;
    size_t len = pg_query__parse_result__get_packed_size(&list);
    char *data = arena_alloc(arena, len + 1);
    (void)pg_query__parse_result__pack(&list, (uint8_t *)(void *)data);
    PgQueryDeparseResult deparsed = pg_query_deparse_protobuf((PgQueryProtobuf){.len = len, .data = data});
    char *sql = deparsed.error == NULL ? arena_dup(arena, deparsed.query) : NULL;
    pg_query_free_deparse_result(deparsed);
    for (size_t end = sql == NULL ? 0 : strlen(sql); end > 0 && sql[end - 1] == ' '; end--)
        sql[end - 1] = '\0';
    return sql;
}

bool tree_is_sql(Arena *arena, PgQuery__Node *stmt, const char *sql)
{
    TreeFault fault;
    PgQuery__Node *again = sql == NULL ? NULL : tree_parse(arena, sql, &fault);
    return again != NULL && tree_same(arena, stmt, again);
}

/* The deparser writes EXECUTE FUNCTION, which PostgreSQL 10 does not know; every version knows PROCEDURE. */
static const char *trigger_sql(Arena *arena, const char *sql)
{
    TreeFault fault;
    Tokens tokens = tree_scan(arena, sql, &fault);
    for (size_t i = 0; i + 1 < tokens.len; i++)
        if (tokens.items[i].kind == PG_QUERY__TOKEN__EXECUTE &&
            tokens.items[i + 1].kind == PG_QUERY__TOKEN__FUNCTION)
            return arena_printf(arena, "%.*sPROCEDURE%s", (int)tokens.items[i + 1].start, sql,
                                sql + tokens.items[i + 1].end);
    return sql;
}

static const char *readable_sql(Arena *arena, PgQuery__Node *stmt)
{
    PgQuery__Node *readable = tree_copy(arena, stmt);
    tree_walk(readable, visit_cast, arena);
    const char *sql = deparse(arena, readable);
    if (tree_is_sql(arena, stmt, sql))
        return sql;
    sql = deparse(arena, stmt);
    if (tree_is_sql(arena, stmt, sql))
        return sql;
    PgQuery__Node *careful = tree_copy(arena, stmt);
    tree_walk(careful, visit_parenthesise, arena);
    sql = deparse(arena, careful);
    return tree_is_sql(arena, stmt, sql) ? sql : NULL;
}

const char *tree_sql(Arena *arena, PgQuery__Node *stmt)
{
    const char *sql = readable_sql(arena, stmt);
    bool trigger = stmt->node_case == PG_QUERY__NODE__NODE_CREATE_TRIG_STMT;
    return sql != NULL && trigger ? trigger_sql(arena, sql) : sql;
}

const char *tree_expr_sql(Arena *arena, PgQuery__Node *expr)
{
    static const char head[] = "SELECT ";
    const char *sql = tree_sql(arena, tree_select(arena, expr));
    return sql == NULL || strncmp(sql, head, sizeof head - 1) != 0 ? NULL : sql + sizeof head - 1;
}
