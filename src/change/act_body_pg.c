/* DO blocks and bodies of functions, opened: the statements in them, each where it stands in the file. */
#include "base/str.h"
#include "change/act_pg.h"

#include <jansson.h>
#include <string.h>

enum { BODY_DEPTH_MAX = 3, BODY_WORDS_MAX = 400 };

/* A body, and where its text stands in the file. */
typedef struct Body {
    ActReader *reader;
    const char *text;     /* as the parser gives it */
    size_t start, end;    /* in the file: what is between the quotes; 0: not found */
    const char *function; /* "" in a DO block */
    size_t lines;         /* line breaks of the statement before the body */
} Body;

/* Only what is about objects counts in a function, whose rows are the application's business. */
static bool may_matter(const char *body)
{
    static const char *const words[] = {"alter",   "create", "drop",   "truncate", "execute", "reindex",
                                        "cluster", "vacuum", "rename", "refresh",  "lock"};
    size_t len = strlen(body);
    for (size_t at = 0; at < len;) {
        PgLexeme lexeme = pg_lexeme(body, at, len);
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            if (pg_lexeme_is(body, &lexeme, words[i]))
                return true;
        if (lexeme.kind == PG_LEXEME_END)
            break;
        at = lexeme.end;
    }
    return false;
}

/* The bytes between the quotes of the last string of the statement that holds `body`. */
static void find_body(Body *body)
{
    const ActReader *reader = body->reader;
    size_t len = strlen(reader->sql), want = strlen(body->text);
    for (size_t at = 0; at < len;) {
        PgLexeme lexeme = pg_lexeme(reader->sql, at, len);
        if (lexeme.kind == PG_LEXEME_END)
            return;
        size_t size = lexeme.end - lexeme.start;
        bool dollar = lexeme.kind == PG_LEXEME_STRING && reader->sql[lexeme.start] == '$';
        if (dollar && size > want) {
            size_t open = (size - want) / 2;
            if (memcmp(reader->sql + lexeme.start + open, body->text, want) == 0) {
                body->start = reader->start + lexeme.start + open;
                body->end = body->start + want;
                return;
            }
        }
        at = lexeme.end;
    }
}

/* Where the words of a statement stand in the body, from a line of it on; the whole statement where they are
 * not found as they are. */
static void place(const Body *body, const char *sql, int line, size_t *ret_start, size_t *ret_end)
{
    *ret_start = body->reader->start;
    *ret_end = body->reader->end;
    if (body->end == 0)
        return;
    size_t at = body->start, len = strlen(sql);
    for (int i = 1; i < line && at < body->end; at++)
        i += body->reader->text[at] == '\n';
    const char *found = memmem(body->reader->text + at, body->end - at, sql, len);
    if (found != NULL) {
        *ret_start = (size_t)(found - body->reader->text);
        *ret_end = *ret_start + len;
    }
}

static void read_inner(const Body *body, const char *sql, int line)
{
    ActReader inner = *body->reader;
    inner.function = body->function;
    inner.depth++;
    inner.acts = (Acts){0};
    place(body, sql, line, &inner.start, &inner.end);
    act_read_sql(&inner, sql, NULL);
    for (size_t i = 0; i < inner.acts.len; i++) {
        const Act *act = &inner.acts.items[i];
        if (act->kind == ACT_OTHER)
            continue;
        *vec_push(body->reader->scratch, &body->reader->acts) = *act;
    }
}

static void unknown_in(const Body *body, const char *words, const char *reason, const char *sql, int line)
{
    act_unknown(body->reader, words, reason);
    Act *act = &body->reader->acts.items[body->reader->acts.len - 1];
    act->function = body->function;
    place(body, sql, line, &act->start, &act->end);
}

/* ---- PL/pgSQL ------------------------------------------------------------------------------- */

static const char *query_of(const json_t *json, const char *key)
{
    const json_t *expr = json_object_get(json_object_get(json, key), "PLpgSQL_expr");
    return json_string_value(json_object_get(expr, "query"));
}

static void read_execute(const Body *body, const char *expr, int line)
{
    TreeFault fault;
    PgQuery__Node *node = tree_parse_expr(body->reader->scratch, expr, &fault);
    bool text = node != NULL && node->node_case == NODE(A_CONST) &&
                node->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL;
    if (text)
        read_inner(body, node->a_const->sval->sval, line);
    else
        unknown_in(body, "EXECUTE", "its text is made while it runs", expr, line);
}

static void read_part(const Body *body, const char *key, const json_t *json, int line)
{
    const char *sql = NULL;
    if (str_eq(key, "PLpgSQL_stmt_execsql"))
        sql = query_of(json, "sqlstmt");
    else if (str_eq(key, "PLpgSQL_stmt_call"))
        sql = query_of(json, "expr");
    if (sql != NULL)
        read_inner(body, sql, line);
    if (str_eq(key, "PLpgSQL_stmt_dynexecute") && query_of(json, "query") != NULL)
        read_execute(body, query_of(json, "query"), line);
    if (str_eq(key, "PLpgSQL_stmt_perform") && query_of(json, "expr") != NULL) {
        const char *text = query_of(json, "expr");
        bool select = strncasecmp(text, "select", 6) == 0;
        read_inner(body, select ? text : arena_printf(body->reader->scratch, "SELECT %s", text), line);
    }
}

typedef struct Part {
    json_t *json;
    int line;
} Part;

/* No recursion: a block nests as deep as it likes. Parts come in the order of the text. */
static void walk(const Body *body, json_t *root)
{
    VEC(Part) stack = {0};
    Arena *arena = arena_new();
    *vec_push(arena, &stack) = (Part){root, 1};
    while (stack.len > 0) {
        Part part = stack.items[--stack.len];
        size_t below = stack.len;
        if (json_is_array(part.json)) {
            for (size_t i = json_array_size(part.json); i-- > 0;)
                *vec_push(arena, &stack) = (Part){json_array_get(part.json, i), part.line};
            continue;
        }
        const char *key;
        json_t *item;
        json_object_foreach(part.json, key, item)
        {
            const json_t *at = json_object_get(item, "lineno");
            int line = json_is_integer(at) ? (int)json_integer_value(at) : part.line;
            read_part(body, key, item, line);
            *vec_push(arena, &stack) = (Part){item, line};
        }
        for (size_t i = below, j = stack.len; i + 1 < j; i++, j--) {
            Part swap = stack.items[i];
            stack.items[i] = stack.items[j - 1];
            stack.items[j - 1] = swap;
        }
    }
    arena_free(arena);
}

/* The parser of PL/pgSQL recurses. */
static bool is_deep(const Body *body)
{
    TreeFault fault;
    Tokens tokens = tree_scan(body->reader->scratch, body->text, &fault);
    size_t opening = 0;
    for (size_t i = 0; i < tokens.len; i++) {
        PgQuery__Token kind = tokens.items[i].kind;
        size_t len = tokens.items[i].end - tokens.items[i].start;
        bool loop = kind == PG_QUERY__TOKEN__IDENT && len == 4 &&
                    strncasecmp(body->text + tokens.items[i].start, "loop", 4) == 0;
        opening += loop || kind == PG_QUERY__TOKEN__BEGIN_P || kind == PG_QUERY__TOKEN__IF_P ||
                   kind == PG_QUERY__TOKEN__CASE;
    }
    return opening > BODY_WORDS_MAX || tree_too_deep(body->text, &tokens) != SIZE_MAX;
}

static void read_plpgsql(const Body *body, const char *words)
{
    if (is_deep(body)) {
        act_unknown(body->reader, words, "its body is nested too deep to be opened");
        return;
    }
    PgQueryPlpgsqlParseResult parsed = pg_query_parse_plpgsql(body->reader->sql);
    json_t *json = parsed.error == NULL ? json_loads(parsed.plpgsql_funcs, 0, NULL) : NULL;
    if (json == NULL) {
        act_unknown(body->reader, words, "its body cannot be read");
        Act *act = &body->reader->acts.items[body->reader->acts.len - 1];
        act->value = parsed.error == NULL ? NULL : act_keep(body->reader, parsed.error->message);
    }
    pg_query_free_plpgsql_parse_result(parsed);
    if (json != NULL)
        walk(body, json);
    json_decref(json);
}

/* LANGUAGE sql: statements as in a file. */
static void read_sql_body(const Body *body)
{
    size_t len = strlen(body->text);
    PgSplit split = pg_split(body->reader->scratch, body->text, 0, len);
    for (size_t i = 0; i < split.pieces.len; i++) {
        const PgPiece *piece = &split.pieces.items[i];
        if (piece->kind == PG_PIECE_SQL)
            read_inner(
                body, arena_dupn(body->reader->scratch, body->text + piece->start, piece->end - piece->start),
                1);
    }
}

/* ---- statements ----------------------------------------------------------------------------- */

typedef struct Options {
    const char *body, *language;
} Options;

static Options options_of(PgQuery__Node *const *items, size_t count)
{
    Options res = {0};
    for (size_t i = 0; i < count; i++) {
        const PgQuery__DefElem *item = items[i]->node_case == NODE(DEF_ELEM) ? items[i]->def_elem : NULL;
        if (item == NULL)
            continue;
        const PgQuery__Node *arg = item->arg;
        if (arg != NULL && arg->node_case == NODE(LIST) && arg->list->n_items > 0)
            arg = arg->list->items[0];
        if (str_eq(item->defname, "as"))
            res.body = tree_string_of(arg);
        if (str_eq(item->defname, "language"))
            res.language = tree_string_of(arg);
    }
    return res;
}

void act_read_do(ActReader *reader, const PgQuery__DoStmt *node)
{
    Options options = options_of(node->args, node->n_args);
    bool plpgsql = options.language == NULL || strcasecmp(options.language, "plpgsql") == 0;
    if (options.body == NULL || !plpgsql || reader->depth >= BODY_DEPTH_MAX) {
        act_unknown(reader, "DO",
                    plpgsql ? "it is nested too deep to be opened" : "its language cannot be read");
        return;
    }
    Body body = {.reader = reader, .text = options.body, .function = ""};
    find_body(&body);
    size_t before = reader->acts.len;
    read_plpgsql(&body, "DO");
    if (reader->acts.len == before)
        (void)act_add(reader, ACT_OTHER, "DO");
}

void act_read_function(ActReader *reader, const PgQuery__CreateFunctionStmt *node)
{
    Options options = options_of(node->options, node->n_options);
    Act *act =
        act_add(reader, ACT_CREATE_FUNCTION, node->is_procedure ? "CREATE PROCEDURE" : "CREATE FUNCTION");
    act->table = act_dotted(reader, node->funcname, node->n_funcname);
    act->name = act->table.name;
    act->flags |= node->replace ? ACT_REPLACES : 0;
    if (options.body == NULL || options.language == NULL || reader->depth >= BODY_DEPTH_MAX ||
        !may_matter(options.body))
        return;
    Body body = {.reader = reader, .text = options.body, .function = act->table.name};
    find_body(&body);
    if (strcasecmp(options.language, "plpgsql") == 0)
        read_plpgsql(&body, act->words);
    else if (strcasecmp(options.language, "sql") == 0)
        read_sql_body(&body);
}
