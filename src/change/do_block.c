/* DO blocks: opened, and each statement in them judged as one of its own. */
#include "change/native.h"
#include "engine/sql.h"

#include <jansson.h>
#include <string.h>

enum { BLOCK_WORDS_MAX = 400 }; /* words that open something: the parser of PL/pgSQL recurses */

typedef struct Block {
    const Statement *stmt;
    Arena *arena;
    NativeSpec *spec;
    VEC(Name) names;
    int line; /* where the body begins */
    bool refused, first, last, contract;
} Block;

/* A part of the parsed block that is still to be looked at. */
typedef struct Part {
    json_t *json;
    int line; /* in the body */
    bool loop;
} Part;

typedef VEC(Part) Parts;

static void refuse(Block *block, int line, ErrKind kind, const char *hint, const char *message)
{
    Parser *parser = block->stmt->parser;
    block->refused = true;
    *vec_push(parser->arena, &parser->problems) =
        (Problem){.kind = kind,
                  .line = block->line + line - 1,
                  .column = 1,
                  .message = arena_printf(block->arena, "in the DO block: %s", message),
                  .hint = hint == NULL ? NULL : arena_dup(block->arena, hint)};
}

/* ---- one statement of the block
 * ----------------------------------------------------------------------------
 */

/* Changes of a table that neither read nor rewrite it, by rule; their lock is ACCESS EXCLUSIVE. */
static bool is_light(const Operation *op)
{
    switch (op->kind) {
    case OPERATION_ADD_COLUMN: {
        const ColumnSpec *add = op->add;
        return (add->default_sql == NULL || add->default_constant) && !add->serial && !add->not_null &&
               add->generated_sql == NULL && add->identity == '\0' && add->constraint_count == 0;
    }
    case OPERATION_DROP_DEFAULT:
    case OPERATION_SET_DEFAULT:
    case OPERATION_DROP_NOT_NULL:
    case OPERATION_SETTING:
    case OPERATION_COMMENT:
        return true;
    case OPERATION_ADD_CONSTRAINT:
        return op->constraint->not_valid;
    case OPERATION_NATIVE:
        return op->native->run == NATIVE_SHORT && op->native->outside_before == 0;
    case OPERATION_SET_NOT_NULL:
    case OPERATION_VALIDATE_CONSTRAINT:
    case OPERATION_CREATE_INDEX:
    case OPERATION_DROP_INDEX:
    case OPERATION_RENAME:
    case OPERATION_CHANGE_TYPE:
    case OPERATION_RENAME_COLUMN:
    case OPERATION_RENAME_TABLE:
    case OPERATION_SET_SCHEMA:
    case OPERATION_DROP_COLUMN:
    case OPERATION_DROP_CONSTRAINT:
    case OPERATION_DROP_TABLE:
    case OPERATION_ATTACH_PARTITION:
    case OPERATION_DETACH_PARTITION:
    case OPERATION_CREATE_PARTITION:
    case OPERATION_MY:
    case OPERATION_COUNT:
        break;
    }
    return false;
}

static void add_name(Block *block, Name name)
{
    if (name.name != NULL)
        *vec_push(block->arena, &block->names) = name;
}

static void take_native(Block *block, const Operation *op)
{
    const NativeSpec *native = op->native;
    for (size_t i = 0; i < native->lock_count; i++)
        native_lock(block->arena, block->spec, native->locks[i].relation, native->locks[i].mode);
    block->spec->unknown = block->spec->unknown || native->unknown;
    block->first = block->first || op->when == NATIVE_FIRST;
    block->last = block->last || op->when == NATIVE_LAST;
    block->contract = block->contract || op->when == NATIVE_CONTRACT;
    for (size_t i = 0; i < op->name_count; i++)
        add_name(block, op->names[i]);
}

static void take_operation(Block *block, const Operation *op, int line)
{
    if (!is_light(op) && !op->on_new) {
        const char *hint =
            arena_printf(block->arena,
                         "write it as a statement of its own, without the DO: %s; what is there "
                         "already is found by Stoa itself",
                         op->sql);
        refuse(block, line, ERR_UNSAFE, hint,
               arena_printf(block->arena, "\"%s\" must be taken apart into safe steps", op->sql));
        return;
    }
    if (op->kind == OPERATION_NATIVE) {
        take_native(block, op);
        return;
    }
    const char *mode = op->kind == OPERATION_COMMENT   ? "SHARE UPDATE EXCLUSIVE"
                       : op->kind == OPERATION_SETTING ? op->lock
                                                       : "ACCESS EXCLUSIVE";
    bool key = op->kind == OPERATION_ADD_CONSTRAINT && op->constraint->kind == CONSTRAINT_FOREIGN_KEY;
    if (key)
        native_lock(block->arena, block->spec, op->constraint->references, "SHARE ROW EXCLUSIVE");
    if (!op->on_index)
        native_lock(block->arena, block->spec, op->table, mode);
    add_name(block, op->table);
    block->first = block->first || op->kind == OPERATION_ADD_COLUMN;
    block->last = block->last || op->kind != OPERATION_ADD_COLUMN;
}

/* Reads of the block's own: nothing by rule, so the server is asked. */
static bool is_read(Arena *arena, const char *sql)
{
    TreeFault fault;
    PgQuery__Node *node = tree_parse(arena, sql, &fault);
    return node != NULL && node->node_case == NODE(SELECT_STMT) && node->select_stmt->into_clause == NULL &&
           node->select_stmt->n_locking_clause == 0;
}

static void take_statement(Block *block, const char *sql, int line)
{
    if (is_read(block->arena, sql)) {
        block->spec->unknown = true;
        return;
    }
    Parser inner = {.arena = block->arena, .text = sql, .made = block->stmt->parser->made, .inner = true};
    parse_inner(&inner);
    block->stmt->parser->made = inner.made;
    for (size_t i = 0; i < inner.problems.len; i++) {
        const Problem *problem = &inner.problems.items[i];
        refuse(block, line + (problem->line > 0 ? problem->line - 1 : 0), problem->kind, problem->hint,
               problem->message);
    }
    for (size_t i = 0; i < inner.operations.len; i++)
        take_operation(block, &inner.operations.items[i], line);
}

static const char *query_of(const json_t *json, const char *key)
{
    const json_t *expr = json_object_get(json_object_get(json, key), "PLpgSQL_expr");
    return json_string_value(json_object_get(expr, "query"));
}

/* The value of an expression that is one string; NULL for any other. */
static const char *constant_of(Arena *arena, const char *expr)
{
    TreeFault fault;
    PgQuery__Node *node = tree_parse_expr(arena, expr, &fault);
    if (node == NULL || node->node_case != NODE(A_CONST) ||
        node->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL)
        return NULL;
    return node->a_const->sval->sval;
}

static void take_execute(Block *block, const char *expr, int line, bool loop)
{
    const char *text = constant_of(block->arena, expr);
    if (text != NULL)
        take_statement(block, text, line);
    else if (loop)
        refuse(block, line, ERR_UNSAFE, "write the statements themselves",
               "EXECUTE of a text that is computed in a loop cannot be judged before it runs");
    else
        block->spec->unknown = true;
}

/* ---- the block ------------------------------------------------------------------------------ */

static bool is_loop(const char *key)
{
    static const char *const kinds[] = {"PLpgSQL_stmt_loop",     "PLpgSQL_stmt_while", "PLpgSQL_stmt_fori",
                                        "PLpgSQL_stmt_fors",     "PLpgSQL_stmt_forc",  "PLpgSQL_stmt_dynfors",
                                        "PLpgSQL_stmt_foreach_a"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(kinds[i], key))
            return true;
    return false;
}

static void take_part(Block *block, const char *key, const json_t *json, int line, bool loop)
{
    if (str_eq(key, "PLpgSQL_stmt_execsql")) {
        const char *sql = query_of(json, "sqlstmt");
        if (sql != NULL)
            take_statement(block, sql, line);
    } else if (str_eq(key, "PLpgSQL_stmt_dynexecute")) {
        const char *expr = query_of(json, "query");
        if (expr != NULL)
            take_execute(block, expr, line, loop);
    } else if (str_eq(key, "PLpgSQL_stmt_perform")) {
        block->spec->unknown = true;
    } else if (str_eq(key, "PLpgSQL_stmt_call")) {
        refuse(block, line, ERR_UNSAFE, "write the statements themselves, or call it by hand",
               "CALL runs a procedure, which may do anything");
    } else if (str_eq(key, "PLpgSQL_stmt_commit") || str_eq(key, "PLpgSQL_stmt_rollback")) {
        refuse(block, line, ERR_UNSAFE, "write the parts as statements of their own",
               "COMMIT and ROLLBACK would end the transaction that Stoa bounds");
    }
}

/* No recursion: a block nests as deep as it likes. */
static void walk(Block *block, json_t *root)
{
    Parts parts = {0};
    *vec_push(block->arena, &parts) = (Part){.json = root, .line = 1};
    for (size_t i = 0; i < parts.len; i++) {
        Part part = parts.items[i];
        size_t index;
        json_t *item;
        if (json_is_array(part.json)) {
            json_array_foreach(part.json, index, item)
            {
                *vec_push(block->arena, &parts) = (Part){item, part.line, part.loop};
            }
            continue;
        }
        const char *key;
        json_object_foreach(part.json, key, item)
        {
            const json_t *at = json_object_get(item, "lineno");
            int line = json_is_integer(at) ? (int)json_integer_value(at) : part.line;
            take_part(block, key, item, line, part.loop);
            *vec_push(block->arena, &parts) = (Part){item, line, part.loop || is_loop(key)};
        }
    }
}

/* The body and where it begins; NULL for another language. */
static const char *body_of(const PgQuery__DoStmt *node)
{
    const char *body = NULL, *language = "plpgsql";
    for (size_t i = 0; i < node->n_args; i++) {
        const PgQuery__DefElem *arg = node->args[i]->def_elem;
        if (arg != NULL && str_eq(arg->defname, "as"))
            body = tree_string_of(arg->arg);
        if (arg != NULL && str_eq(arg->defname, "language"))
            language = tree_string_of(arg->arg);
    }
    return str_eq(language, "plpgsql") ? body : NULL;
}

static bool is_deep(Arena *arena, const char *body)
{
    TreeFault fault;
    Tokens tokens = tree_scan(arena, body, &fault);
    size_t opening = 0;
    for (size_t i = 0; i < tokens.len; i++) {
        PgQuery__Token kind = tokens.items[i].kind;
        const char *word = body + tokens.items[i].start;
        bool loop = kind == PG_QUERY__TOKEN__IDENT && tokens.items[i].end - tokens.items[i].start == 4 &&
                    strncasecmp(word, "loop", 4) == 0;
        opening += loop || kind == PG_QUERY__TOKEN__BEGIN_P || kind == PG_QUERY__TOKEN__IF_P ||
                   kind == PG_QUERY__TOKEN__CASE;
    }
    return opening > BLOCK_WORDS_MAX || tree_too_deep(body, &tokens) != SIZE_MAX;
}

/* The line on which the body's string begins. */
static int body_line(const Statement *stmt)
{
    const Tokens *tokens = &stmt->parser->tokens;
    int line = 1, column;
    for (size_t i = 0; i < tokens->len; i++)
        if (tokens->items[i].start >= stmt->start && tokens->items[i].start < stmt->end &&
            tokens->items[i].kind == PG_QUERY__TOKEN__SCONST) {
            text_position(stmt->parser->text, tokens->items[i].start, &line, &column);
            break;
        }
    return line;
}

static json_t *parse_block(Block *block)
{
    PgQueryPlpgsqlParseResult parsed = pg_query_parse_plpgsql(statement_text(block->stmt));
    json_t *json = NULL;
    if (parsed.error != NULL)
        refuse(block, 1, ERR_USAGE, NULL, arena_dup(block->arena, parsed.error->message));
    else
        json = json_loads(parsed.plpgsql_funcs, 0, NULL);
    pg_query_free_plpgsql_parse_result(parsed);
    if (json == NULL && !block->refused)
        refuse(block, 1, ERR_UNSAFE, "write its statements without it", "it cannot be read");
    return json;
}

static void block_end(Block *block)
{
    if (block->contract && (block->first || block->last)) {
        refuse(block, 1, ERR_UNSAFE, "write each as a statement of its own",
               "it makes something and takes something away, which cannot be done at the same time");
        return;
    }
    NativeWhen when = block->contract                ? NATIVE_CONTRACT
                      : block->last && !block->first ? NATIVE_LAST
                                                     : NATIVE_FIRST;
    Operation *operation = native_add(block->stmt, block->spec, "DO", when);
    operation->names = block->names.items;
    operation->name_count = block->names.len;
    if (block->spec->lock_count > 0)
        operation->table = block->spec->locks[0].relation;
}

void parse_do(const Statement *stmt)
{
    Arena *arena = stmt->parser->arena;
    Block block = {.stmt = stmt,
                   .arena = arena,
                   .spec = arena_alloc(arena, sizeof *block.spec),
                   .line = body_line(stmt)};
    *block.spec = (NativeSpec){0};
    const char *body = body_of(stmt->node->do_stmt);
    if (stmt->parser->inner) {
        parser_refuse(stmt, "DO", "inside a DO is not opened", "write its statements without it");
        return;
    }
    if (body == NULL) {
        parser_refuse(stmt, "DO", "in another language than plpgsql cannot be judged",
                      "write its statements without it");
        return;
    }
    if (is_deep(arena, body)) {
        parser_refuse(stmt, "DO", "with so many nested parts is not opened",
                      "write its statements without it");
        return;
    }
    size_t made = stmt->parser->made.len;
    json_t *json = parse_block(&block);
    if (json != NULL)
        walk(&block, json);
    json_decref(json);
    if (!block.refused)
        block_end(&block);
    if (block.refused)
        stmt->parser->made.len = made;
}
