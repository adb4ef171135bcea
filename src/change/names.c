/* Collects the names that a statement speaks of. */
#include "change/names.h"

#include "base/str.h"
#include "change/tree.h"

#include <string.h>

enum { NAME_BYTES_MAX = 63, LITERAL_BYTES_MAX = 200, LITERALS_DEEP = 3 };

typedef struct Collector {
    Arena *arena;
    Mentions *out;
    bool targets; /* a statement that is about what it names, whatever the place */
} Collector;

static void add(Collector *collector, const char *schema, const char *name, unsigned kinds, bool target)
{
    if (name == NULL || *name == '\0' || strlen(name) > NAME_BYTES_MAX || str_eq(schema, "pg_catalog") ||
        str_eq(schema, "stoa"))
        return;
    for (size_t i = 0; i < collector->out->len; i++) {
        Mention *known = &collector->out->items[i];
        if (str_eq(known->name, name) && str_eq(known->schema, schema)) {
            known->kinds |= kinds;
            known->target = known->target || target;
            return;
        }
    }
    *vec_push(collector->arena, collector->out) =
        (Mention){.schema = schema == NULL || *schema == '\0' ? NULL : arena_dup(collector->arena, schema),
                  .name = arena_dup(collector->arena, name),
                  .kinds = kinds,
                  .target = target};
}

/* Each two neighbours: it may be schema.table.column, table.column or schema.table. */
static void add_dotted(Collector *collector, const char *const *words, size_t count, unsigned kinds,
                       bool target)
{
    if (count > 0 && count <= 2)
        add(collector, NULL, words[0], kinds, target);
    if (count > 1)
        add(collector, NULL, words[0], NAMES_SCHEMA, false);
    for (size_t i = 1; i < count; i++)
        add(collector, words[i - 1], words[i], kinds, target);
}

/* ---- by words ------------------------------------------------------------------------------- */

static bool is_word(const Token *token)
{
    return token->kind == PG_QUERY__TOKEN__IDENT ||
           token->keyword == PG_QUERY__KEYWORD_KIND__UNRESERVED_KEYWORD ||
           token->keyword == PG_QUERY__KEYWORD_KIND__COL_NAME_KEYWORD;
}

typedef VEC(const char *) Texts;

static const char *literal_inside(Arena *arena, const char *text, const Token *token)
{
    const char *from = text + token->start, *end = text + token->end;
    const char *quote = memchr(from, *from == '$' ? '$' : '\'', (size_t)(end - from));
    if (*from == '$')
        quote = memchr(from + 1, '$', (size_t)(end - from - 1));
    if (quote == NULL || end - quote < 2)
        return "";
    size_t tail = *from == '$' ? (size_t)(quote - from + 1) : 1;
    return (size_t)(end - quote - 1) < tail ? ""
                                            : arena_dupn(arena, quote + 1, (size_t)(end - quote - 1) - tail);
}

/* One text; the literals in it go to `inner`. */
static void scan_text(Collector *collector, const char *text, unsigned kinds, bool target, Texts *inner)
{
    Arena *arena = collector->arena;
    TreeFault fault;
    Tokens tokens = tree_scan(arena, text, &fault);
    VEC(const char *) words = {0};
    for (size_t i = 0; i < tokens.len; i++) {
        const Token *token = &tokens.items[i];
        if (is_word(token)) {
            *vec_push(arena, &words) = token_word(arena, text, token);
            bool goes_on = i + 2 < tokens.len && token_symbol(text, token + 1) == '.' && is_word(token + 2);
            if (goes_on) {
                i++;
                continue;
            }
        } else if (token->kind == PG_QUERY__TOKEN__SCONST) {
            *vec_push(arena, inner) = literal_inside(arena, text, token);
        } else if (token->kind == PG_QUERY__TOKEN__Op) {
            add(collector, NULL, arena_dupn(arena, text + token->start, token->end - token->start),
                NAMES_OPERATOR & kinds, false);
        }
        add_dotted(collector, words.items, words.len, kinds, target);
        words.len = 0;
    }
}

/* Every word of a text, and of the literals in it. */
static void scan(Collector *collector, const char *text, unsigned kinds, bool target)
{
    Texts now = {0};
    *vec_push(collector->arena, &now) = text;
    for (int depth = 0; depth < LITERALS_DEEP && now.len > 0; depth++) {
        Texts inner = {0};
        for (size_t i = 0; i < now.len; i++)
            scan_text(collector, now.items[i], kinds, target, &inner);
        now = inner;
    }
}

/* ---- by the parse tree ---------------------------------------------------------------------- */

/* Fields that hold a name as a list of words. */
static const struct {
    const char *field;
    unsigned kinds;
    bool target;
} dotted_fields[] = {
    {"names", NAMES_TYPE | NAMES_FUNCTION, false},
    {"funcname", NAMES_FUNCTION | NAMES_TYPE, false},
    {"func_name", NAMES_FUNCTION, false},
    {"type_name", NAMES_TYPE, true},
    {"domainname", NAMES_TYPE, true},
    {"objname", NAMES_ANY, true},
    {"collname", NAMES_COLLATION, false},
    {"collation", NAMES_COLLATION, false},
    {"opclass", NAMES_CLASS, false},
    {"opclassname", NAMES_CLASS, true},
    {"opfamilyname", NAMES_CLASS, true},
    {"name", NAMES_OPERATOR, false},
    {"oper_name", NAMES_OPERATOR, false},
    {"use_op", NAMES_OPERATOR, false},
    {"items", NAMES_ANY, true},
    {"cfgname", NAMES_SEARCH, true},
    {"dictname", NAMES_SEARCH, true},
};

static void visit_dotted(Collector *collector, PgQuery__Node *const *list, size_t count, const char *field)
{
    for (size_t f = 0; f < ARRAY_LEN(dotted_fields); f++) {
        if (!str_eq(dotted_fields[f].field, field))
            continue;
        VEC(const char *) words = {0};
        for (size_t i = 0; i < count; i++)
            if (tree_string_of(list[i]) != NULL)
                *vec_push(collector->arena, &words) = tree_string_of(list[i]);
        if (words.len == count)
            add_dotted(collector, words.items, words.len, dotted_fields[f].kinds,
                       dotted_fields[f].target || collector->targets);
    }
}

static void visit_lists(Collector *collector, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    const unsigned char *base = (const unsigned char *)message;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label != PROTOBUF_C_LABEL_REPEATED)
            continue;
        size_t count;
        PgQuery__Node **list;
        memcpy(&count, base + field->quantifier_offset, sizeof count);
        memcpy(&list, base + field->offset, sizeof list);
        if (count > 0)
            visit_dotted(collector, list, count, field->name);
    }
}

static void visit_range(Collector *collector, const PgQuery__RangeVar *range, const char *field)
{
    static const char *const weak[] = {"range_var", "pktable", "rel"};
    bool target = true;
    for (size_t i = 0; i < ARRAY_LEN(weak); i++)
        target = target && !str_eq(field, weak[i]);
    add(collector, range->schemaname, range->relname, NAMES_RELATION, target || collector->targets);
    add(collector, NULL, range->schemaname, NAMES_SCHEMA, false);
}

/* False: what is below was read here. */
static bool visit_def(Collector *collector, const PgQuery__DefElem *def)
{
    const PgQuery__Node *arg = def->arg;
    if (str_eq(def->defname, "language") && arg != NULL)
        add(collector, NULL, tree_string_of(arg), NAMES_LANGUAGE, false);
    if (!str_eq(def->defname, "as") || arg == NULL)
        return true;
    const char *body = tree_string_of(arg);
    if (body == NULL && arg->node_case == PG_QUERY__NODE__NODE_LIST && arg->list->n_items > 0)
        body = tree_string_of(arg->list->items[0]);
    if (body != NULL)
        scan(collector, body, NAMES_ANY, collector->targets);
    return body == NULL;
}

/* A literal may name something where it is cast or handed to a function: 'shop.numbers'::regclass. */
static void visit_literal(Collector *collector, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$.\"";
    if (strlen(text) <= LITERAL_BYTES_MAX && strspn(text, plain) == strlen(text))
        scan(collector, text, NAMES_RELATION | NAMES_SEARCH | NAMES_FUNCTION | NAMES_TYPE, false);
}

static void visit_drop(Collector *collector, const PgQuery__DropStmt *drop)
{
    bool schema = drop->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA;
    for (size_t i = 0; i < drop->n_objects; i++)
        add(collector, NULL, tree_string_of(drop->objects[i]),
            schema ? NAMES_CONTENT | NAMES_SCHEMA : NAMES_ANY, true);
}

static bool visit(void *context, ProtobufCMessage *message, const char *field)
{
    Collector *collector = context;
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (type == &pg_query__def_elem__descriptor)
        return visit_def(collector, (const PgQuery__DefElem *)(const void *)message);
    if (type == &pg_query__range_var__descriptor)
        visit_range(collector, (const PgQuery__RangeVar *)(const void *)message, field);
    else if (type == &pg_query__drop_stmt__descriptor)
        visit_drop(collector, (const PgQuery__DropStmt *)(const void *)message);
    else if (type == &pg_query__alter_object_schema_stmt__descriptor)
        add(collector, NULL, ((const PgQuery__AlterObjectSchemaStmt *)(const void *)message)->newschema,
            NAMES_SCHEMA, false);
    else if (type == &pg_query__create_schema_stmt__descriptor)
        add(collector, NULL, ((const PgQuery__CreateSchemaStmt *)(const void *)message)->schemaname,
            NAMES_MADE, false);
    else if (type == &pg_query__alter_extension_stmt__descriptor)
        add(collector, NULL, ((const PgQuery__AlterExtensionStmt *)(const void *)message)->extname,
            NAMES_EXTENSION, true);
    else if (type == &pg_query__a__const__descriptor) {
        const PgQuery__AConst *constant = (const PgQuery__AConst *)(const void *)message;
        if (constant->val_case == PG_QUERY__A__CONST__VAL_SVAL)
            visit_literal(collector, constant->sval->sval);
    }
    visit_lists(collector, message);
    return true;
}

static bool is_about_all(const PgQuery__Node *node)
{
    static const PgQuery__Node__NodeCase cases[] = {
        PG_QUERY__NODE__NODE_DROP_STMT,    PG_QUERY__NODE__NODE_RENAME_STMT,
        PG_QUERY__NODE__NODE_COMMENT_STMT, PG_QUERY__NODE__NODE_ALTER_OWNER_STMT,
        PG_QUERY__NODE__NODE_LOCK_STMT,    PG_QUERY__NODE__NODE_ALTER_OBJECT_SCHEMA_STMT,
        PG_QUERY__NODE__NODE_GRANT_STMT,   PG_QUERY__NODE__NODE_TRUNCATE_STMT,
        PG_QUERY__NODE__NODE_DO_STMT,
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (cases[i] == node->node_case)
            return true;
    return false;
}

/* The functions that Stoa makes itself speak of what the plan has loaded anyway. */
static bool is_own(const PgQuery__Node *node)
{
    return node->node_case == PG_QUERY__NODE__NODE_CREATE_FUNCTION_STMT &&
           node->create_function_stmt->n_funcname == 2 &&
           str_eq(tree_string_of(node->create_function_stmt->funcname[0]), "stoa");
}

void names_of_sql(Arena *arena, const char *sql, Mentions *mentions)
{
    CLEANUP(arena_freep) Arena *scratch = arena_new();
    TreeFault fault;
    PgQuery__Node *node = tree_parse(scratch, sql, &fault);
    Collector collector = {.arena = arena, .out = mentions, .targets = node == NULL || is_about_all(node)};
    if (node == NULL)
        scan(&collector, sql, NAMES_ANY, true);
    else if (!is_own(node))
        tree_walk_messages(node, visit, &collector);
}
