/* What a statement names: relations, identifiers in its text, the object that it makes or takes away. */
#include "change/parser.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

#define NODE(x)   PG_QUERY__NODE__NODE_##x
#define OBJECT(x) PG_QUERY__OBJECT_TYPE__OBJECT_##x

typedef VEC(const char *) Words;

bool name_same(Name a, Name b)
{
    bool name = str_eq(a.name, b.name);
    return name && (a.schema == NULL || b.schema == NULL || str_eq(a.schema, b.schema));
}

/* ---- relations ------------------------------------------------------------------------------ */

typedef struct Gathered {
    Arena *arena;
    VEC(Name) names;
} Gathered;

static bool gather_relation(void *context, ProtobufCMessage *message, const char *field UNUSED)
{
    Gathered *gathered = context;
    if (message->descriptor != &pg_query__range_var__descriptor)
        return true;
    const PgQuery__RangeVar *relation = (const PgQuery__RangeVar *)(const void *)message;
    Name name = {.schema = relation->schemaname[0] == '\0' ? NULL : relation->schemaname,
                 .name = relation->relname};
    if (relation->catalogname[0] != '\0' || name.name[0] == '\0')
        return true;
    for (size_t i = 0; i < gathered->names.len; i++)
        if (str_eq(gathered->names.items[i].name, name.name) &&
            str_eq(gathered->names.items[i].schema, name.schema))
            return true;
    *vec_push(gathered->arena, &gathered->names) = name;
    return true;
}

void names_gather(Arena *arena, PgQuery__Node *node, const Name **ret_names, size_t *ret_count)
{
    Gathered gathered = {.arena = arena};
    tree_walk_messages(node, gather_relation, &gathered);
    *ret_names = gathered.names.items;
    *ret_count = gathered.names.len;
}

/* ---- identifiers ---------------------------------------------------------------------------- */

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* As the server folds it: quotes off, or lower case. */
static const char *word_of(Arena *arena, const char *text, const Token *token)
{
    bool quoted = text[token->start] == '"';
    size_t from = token->start + (quoted ? 1 : 0), to = token->end - (quoted ? 1 : 0);
    char *word = arena_dupn(arena, text + from, to > from ? to - from : 0);
    char *out = word;
    for (const char *at = word; *at != '\0'; at++) {
        bool upper = !quoted && *at >= 'A' && *at <= 'Z';
        *out++ = upper ? (char)(*at - 'A' + 'a') : *at;
        if (quoted && at[0] == '"' && at[1] == '"')
            at++;
    }
    *out = '\0';
    return word;
}

static void gather_words(Arena *arena, const char *text, Words *words, bool bodies)
{
    TreeFault fault;
    Tokens tokens = tree_scan(arena, text, &fault);
    for (size_t i = 0; i < tokens.len; i++) {
        const Token *token = &tokens.items[i];
        char first = text[token->start];
        bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_' ||
                      first == '"' || (unsigned char)first >= 0x80;
        if (token->kind == PG_QUERY__TOKEN__SCONST && bodies && token->end - token->start > 2) {
            size_t open = first == '$' ? strcspn(text + token->start + 1, "$") + 2 : 1;
            if (token->end - token->start >= 2 * open)
                gather_words(
                    arena,
                    arena_dupn(arena, text + token->start + open, token->end - token->start - 2 * open),
                    words, false);
        } else if (letter && !token_is_comment(token) && token->kind != PG_QUERY__TOKEN__SCONST) {
            *vec_push(arena, words) = word_of(arena, text, token);
        }
    }
}

void mentions_gather(Arena *arena, const char *text, const char *const **ret_words, size_t *ret_count)
{
    Words words = {0};
    gather_words(arena, text, &words, true);
    if (words.len > 1)
        qsort(words.items, words.len, sizeof words.items[0], compare_words);
    size_t kept = 0;
    for (size_t i = 0; i < words.len; i++)
        if (kept == 0 || !str_eq(words.items[kept - 1], words.items[i]))
            words.items[kept++] = words.items[i];
    *ret_words = words.items;
    *ret_count = kept;
}

/* ---- objects -------------------------------------------------------------------------------- */

static const struct {
    PgQuery__ObjectType type;
    const char *word;
} types[] = {
    {OBJECT(AGGREGATE), "aggregate"},
    {OBJECT(COLLATION), "collation"},
    {OBJECT(CONVERSION), "conversion"},
    {OBJECT(DOMAIN), "domain"},
    {OBJECT(EVENT_TRIGGER), "event trigger"},
    {OBJECT(EXTENSION), "extension"},
    {OBJECT(FDW), "foreign-data wrapper"},
    {OBJECT(FOREIGN_SERVER), "server"},
    {OBJECT(FOREIGN_TABLE), "foreign table"},
    {OBJECT(FUNCTION), "function"},
    {OBJECT(LANGUAGE), "language"},
    {OBJECT(MATVIEW), "materialized view"},
    {OBJECT(POLICY), "policy"},
    {OBJECT(PROCEDURE), "procedure"},
    {OBJECT(PUBLICATION), "publication"},
    {OBJECT(RULE), "rule"},
    {OBJECT(SCHEMA), "schema"},
    {OBJECT(SEQUENCE), "sequence"},
    {OBJECT(STATISTIC_EXT), "statistics object"},
    {OBJECT(TABLE), "table"},
    {OBJECT(TRIGGER), "trigger"},
    {OBJECT(TSCONFIGURATION), "text search configuration"},
    {OBJECT(TSDICTIONARY), "text search dictionary"},
    {OBJECT(TSPARSER), "text search parser"},
    {OBJECT(TSTEMPLATE), "text search template"},
    {OBJECT(TYPE), "type"},
    {OBJECT(VIEW), "view"},
};

static const char *type_word(PgQuery__ObjectType type)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].type == type)
            return types[i].word;
    return NULL;
}

static ObjectName object_new(Arena *arena, const char *type, const char *const *names, size_t count)
{
    const char **copy = arena_alloc(arena, (count + 1) * sizeof *copy);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (names[i] != NULL && names[i][0] != '\0')
            copy[kept++] = names[i];
    return (ObjectName){.type = kept == 0 ? NULL : type, .names = copy, .name_count = kept};
}

static ObjectName object_relation(Arena *arena, const char *type, const PgQuery__RangeVar *relation,
                                  const char *part)
{
    if (relation == NULL || relation->catalogname[0] != '\0')
        return (ObjectName){0};
    const char *names[] = {relation->schemaname, relation->relname, part};
    return object_new(arena, type, names, ARRAY_LEN(names));
}

/* pg_get_object_address() takes a type's name as one text. */
static ObjectName object_type(Arena *arena, const char *type, PgQuery__Node *const *words, size_t count)
{
    Str text CLEANUP(str_donep) = STR_INIT;
    const char *const *names = parser_words(arena, words, count);
    for (size_t i = 0; i < count; i++) {
        str_sep(&text, ".");
        sql_add_ident(&text, names[i]);
    }
    return object_new(arena, type, (const char *const[]){arena_dup(arena, text.buf)}, 1);
}

/* Argument types by which the server finds a function. */
static bool function_args(Arena *arena, const PgQuery__CreateFunctionStmt *node, ObjectName *object)
{
    const char **args = arena_alloc(arena, (node->n_parameters + 1) * sizeof *args);
    for (size_t i = 0; i < node->n_parameters; i++) {
        const PgQuery__FunctionParameter *parameter = node->parameters[i]->function_parameter;
        if (parameter->mode == PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_OUT ||
            parameter->mode == PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_TABLE)
            continue;
        const char *type = parse_type(arena, parameter->arg_type);
        if (type == NULL)
            return false;
        args[object->arg_count++] = type;
    }
    object->args = args;
    return true;
}

static ObjectName object_words_of(Arena *arena, const char *type, PgQuery__Node *const *words, size_t count)
{
    return object_new(arena, type, parser_words(arena, words, count), count);
}

static ObjectName object_one(Arena *arena, const char *type, const char *name)
{
    return object_new(arena, type, &name, 1);
}

static ObjectName made_function(Arena *arena, const PgQuery__CreateFunctionStmt *node)
{
    ObjectName object = object_words_of(arena, node->is_procedure ? "procedure" : "function", node->funcname,
                                        node->n_funcname);
    return function_args(arena, node, &object) ? object : (ObjectName){0};
}

/* An aggregate over plain arguments; one with ORDER BY in its arguments has no name here. */
static ObjectName made_aggregate(Arena *arena, const PgQuery__DefineStmt *node)
{
    ObjectName object = object_words_of(arena, "aggregate", node->defnames, node->n_defnames);
    bool plain = !node->oldstyle && node->n_args == 2 && node->args[0]->node_case == NODE(LIST) &&
                 node->args[1]->node_case == NODE(INTEGER) && node->args[1]->integer->ival == -1;
    if (!plain)
        return (ObjectName){0};
    const PgQuery__List *list = node->args[0]->list;
    const char **args = arena_alloc(arena, (list->n_items + 1) * sizeof *args);
    for (size_t i = 0; i < list->n_items; i++) {
        const PgQuery__Node *item = list->items[i];
        args[i] = item->node_case == NODE(FUNCTION_PARAMETER)
                      ? parse_type(arena, item->function_parameter->arg_type)
                      : NULL;
        if (args[i] == NULL)
            return (ObjectName){0};
    }
    object.args = args;
    object.arg_count = list->n_items;
    return object;
}

static ObjectName made_defined(Arena *arena, const PgQuery__DefineStmt *node)
{
    const char *type = type_word(node->kind);
    if (node->kind == OBJECT(AGGREGATE))
        return made_aggregate(arena, node);
    if (node->kind == OBJECT(TYPE))
        return object_type(arena, type, node->defnames, node->n_defnames);
    return type != NULL ? object_words_of(arena, type, node->defnames, node->n_defnames) : (ObjectName){0};
}

ObjectName object_made(Arena *arena, const PgQuery__Node *node)
{
    if (node->node_case == NODE(CREATE_STMT))
        return object_relation(arena, "table", node->create_stmt->relation, NULL);
    if (node->node_case == NODE(CREATE_TABLE_AS_STMT))
        return object_relation(
            arena, node->create_table_as_stmt->objtype == OBJECT(MATVIEW) ? "materialized view" : "table",
            node->create_table_as_stmt->into->rel, NULL);
    if (node->node_case == NODE(SELECT_STMT) && node->select_stmt->into_clause != NULL)
        return object_relation(arena, "table", node->select_stmt->into_clause->rel, NULL);
    if (node->node_case == NODE(VIEW_STMT))
        return object_relation(arena, "view", node->view_stmt->view, NULL);
    if (node->node_case == NODE(CREATE_SEQ_STMT))
        return object_relation(arena, "sequence", node->create_seq_stmt->sequence, NULL);
    if (node->node_case == NODE(CREATE_TRIG_STMT))
        return object_relation(arena, "trigger", node->create_trig_stmt->relation,
                               node->create_trig_stmt->trigname);
    if (node->node_case == NODE(CREATE_POLICY_STMT))
        return object_relation(arena, "policy", node->create_policy_stmt->table,
                               node->create_policy_stmt->policy_name);
    if (node->node_case == NODE(RULE_STMT))
        return object_relation(arena, "rule", node->rule_stmt->relation, node->rule_stmt->rulename);
    if (node->node_case == NODE(COMPOSITE_TYPE_STMT)) {
        const PgQuery__RangeVar *name = node->composite_type_stmt->typevar;
        return object_one(
            arena, "type",
            sql_name(arena, name->schemaname[0] == '\0' ? NULL : name->schemaname, name->relname));
    }
    if (node->node_case == NODE(CREATE_ENUM_STMT))
        return object_type(arena, "type", node->create_enum_stmt->type_name,
                           node->create_enum_stmt->n_type_name);
    if (node->node_case == NODE(CREATE_RANGE_STMT))
        return object_type(arena, "type", node->create_range_stmt->type_name,
                           node->create_range_stmt->n_type_name);
    if (node->node_case == NODE(CREATE_DOMAIN_STMT))
        return object_type(arena, "domain", node->create_domain_stmt->domainname,
                           node->create_domain_stmt->n_domainname);
    if (node->node_case == NODE(CREATE_FUNCTION_STMT))
        return made_function(arena, node->create_function_stmt);
    if (node->node_case == NODE(DEFINE_STMT))
        return made_defined(arena, node->define_stmt);
    if (node->node_case == NODE(CREATE_SCHEMA_STMT))
        return object_one(arena, "schema", node->create_schema_stmt->schemaname);
    if (node->node_case == NODE(CREATE_EXTENSION_STMT))
        return object_one(arena, "extension", node->create_extension_stmt->extname);
    if (node->node_case == NODE(CREATE_PUBLICATION_STMT))
        return object_one(arena, "publication", node->create_publication_stmt->pubname);
    if (node->node_case == NODE(CREATE_EVENT_TRIG_STMT))
        return object_one(arena, "event trigger", node->create_event_trig_stmt->trigname);
    if (node->node_case == NODE(CREATE_FDW_STMT))
        return object_one(arena, "foreign-data wrapper", node->create_fdw_stmt->fdwname);
    if (node->node_case == NODE(CREATE_FOREIGN_SERVER_STMT))
        return object_one(arena, "server", node->create_foreign_server_stmt->servername);
    if (node->node_case == NODE(CREATE_FOREIGN_TABLE_STMT))
        return object_relation(arena, "foreign table", node->create_foreign_table_stmt->base_stmt->relation,
                               NULL);
    if (node->node_case == NODE(CREATE_STATS_STMT) && node->create_stats_stmt->n_defnames > 0)
        return object_words_of(arena, "statistics object", node->create_stats_stmt->defnames,
                               node->create_stats_stmt->n_defnames);
    return (ObjectName){0};
}

static ObjectName object_with_args(Arena *arena, const char *type, const PgQuery__ObjectWithArgs *node)
{
    if (type == NULL || node->args_unspecified)
        return (ObjectName){0};
    ObjectName object = object_words_of(arena, type, node->objname, node->n_objname);
    const char **args = arena_alloc(arena, (node->n_objargs + 1) * sizeof *args);
    for (size_t i = 0; i < node->n_objargs; i++) {
        const PgQuery__Node *arg = node->objargs[i];
        args[i] = arg->node_case == NODE(TYPE_NAME) ? parse_type(arena, arg->type_name) : NULL;
        if (args[i] == NULL)
            return (ObjectName){0};
    }
    object.args = args;
    object.arg_count = node->n_objargs;
    return object;
}

ObjectName object_of(Arena *arena, PgQuery__ObjectType type, const PgQuery__Node *object)
{
    const char *word = type_word(type);
    if (word == NULL || object == NULL)
        return (ObjectName){0};
    if (object->node_case == NODE(OBJECT_WITH_ARGS))
        return object_with_args(arena, word, object->object_with_args);
    if (object->node_case == NODE(TYPE_NAME))
        return object_type(arena, word, object->type_name->names, object->type_name->n_names);
    if (object->node_case == NODE(LIST))
        return object_words_of(arena, word, object->list->items, object->list->n_items);
    return tree_string_of(object) != NULL ? object_one(arena, word, tree_string_of(object)) : (ObjectName){0};
}

/* ---- the same object among temporary ones ---------------------------------------------------------------
 */

static char temp_schema[] = "pg_temp", temp_mark[] = "t", no_text[] = "";

static void relation_temporary(PgQuery__RangeVar *relation)
{
    relation->schemaname = no_text;
    relation->relpersistence = temp_mark;
}

static void words_temporary(Arena *arena, PgQuery__Node ***words, size_t *count)
{
    PgQuery__Node **made = arena_alloc(arena, 2 * sizeof *made);
    made[0] = tree_string(arena, temp_schema);
    made[1] = (*words)[*count - 1];
    *words = made;
    *count = 2;
}

static bool is_foreign_key(const PgQuery__Node *node)
{
    return node->node_case == NODE(CONSTRAINT) &&
           node->constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN;
}

static size_t without_keys(PgQuery__Node **items, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_foreign_key(items[i]))
            items[kept++] = items[i];
    return kept;
}

/* A temporary table cannot refer to a permanent one. */
static bool table_temporary(PgQuery__CreateStmt *node)
{
    if (node->n_inh_relations > 0 || node->partbound != NULL || node->of_typename != NULL)
        return false;
    relation_temporary(node->relation);
    node->if_not_exists = 0;
    node->tablespacename = no_text;
    node->n_table_elts = without_keys(node->table_elts, node->n_table_elts);
    node->n_constraints = without_keys(node->constraints, node->n_constraints);
    for (size_t i = 0; i < node->n_table_elts; i++)
        if (node->table_elts[i]->node_case == NODE(COLUMN_DEF)) {
            PgQuery__ColumnDef *def = node->table_elts[i]->column_def;
            def->n_constraints = without_keys(def->constraints, def->n_constraints);
        }
    return true;
}

/* Triggers, policies and rules stand on a temporary table that looks like theirs. */
static PgQuery__RangeVar *standing_on(PgQuery__Node *node)
{
    if (node->node_case == NODE(CREATE_TRIG_STMT) && !node->create_trig_stmt->isconstraint)
        return node->create_trig_stmt->relation;
    if (node->node_case == NODE(CREATE_POLICY_STMT))
        return node->create_policy_stmt->table;
    return node->node_case == NODE(RULE_STMT) ? node->rule_stmt->relation : NULL;
}

static bool make_temporary(Arena *arena, PgQuery__Node *node)
{
    if (node->node_case == NODE(CREATE_STMT))
        return table_temporary(node->create_stmt);
    if (node->node_case == NODE(VIEW_STMT)) {
        relation_temporary(node->view_stmt->view);
        node->view_stmt->replace = 0;
    } else if (node->node_case == NODE(CREATE_SEQ_STMT)) {
        relation_temporary(node->create_seq_stmt->sequence);
        node->create_seq_stmt->if_not_exists = 0;
    } else if (node->node_case == NODE(COMPOSITE_TYPE_STMT)) {
        node->composite_type_stmt->typevar->schemaname = temp_schema;
    } else if (node->node_case == NODE(CREATE_ENUM_STMT)) {
        words_temporary(arena, &node->create_enum_stmt->type_name, &node->create_enum_stmt->n_type_name);
    } else if (node->node_case == NODE(CREATE_RANGE_STMT)) {
        words_temporary(arena, &node->create_range_stmt->type_name, &node->create_range_stmt->n_type_name);
    } else if (node->node_case == NODE(CREATE_DOMAIN_STMT)) {
        words_temporary(arena, &node->create_domain_stmt->domainname,
                        &node->create_domain_stmt->n_domainname);
    } else if (node->node_case == NODE(CREATE_FUNCTION_STMT)) {
        words_temporary(arena, &node->create_function_stmt->funcname,
                        &node->create_function_stmt->n_funcname);
        node->create_function_stmt->replace = 0;
    } else {
        return false;
    }
    return true;
}

static ObjectName name_temporary(Arena *arena, const ObjectName *object)
{
    ObjectName res = *object;
    const char **names = arena_alloc(arena, 3 * sizeof *names);
    bool type = str_eq(object->type, "type") || str_eq(object->type, "domain");
    bool part =
        str_eq(object->type, "trigger") || str_eq(object->type, "policy") || str_eq(object->type, "rule");
    const char *last = object->names[object->name_count - 1];
    names[0] = temp_schema;
    names[1] = part ? object->names[object->name_count - 2] : last;
    names[2] = last;
    if (type) {
        const char *dot = last;
        for (bool quoted = false; *last != '\0'; last++) {
            quoted = quoted != (*last == '"');
            dot = *last == '.' && !quoted ? last + 1 : dot;
        }
        names[0] = arena_printf(arena, "%s.%s", temp_schema, dot);
    }
    res.names = names;
    res.name_count = type ? 1 : part ? 3 : 2;
    return res;
}

void native_same(Arena *arena, PgQuery__Node *node, NativeSpec *spec)
{
    if (spec->makes.type == NULL)
        return;
    const char **sql = arena_alloc(arena, 2 * sizeof *sql);
    PgQuery__Node *copy = tree_copy(arena, node);
    PgQuery__RangeVar *on = standing_on(copy);
    size_t count = 0;
    if (on != NULL) {
        sql[count++] =
            arena_printf(arena, "CREATE TEMPORARY TABLE %s (LIKE %s)", sql_ident(arena, on->relname),
                         sql_name(arena, on->schemaname[0] == '\0' ? NULL : on->schemaname, on->relname));
        on->schemaname = temp_schema;
        if (copy->node_case == NODE(CREATE_TRIG_STMT))
            copy->create_trig_stmt->replace = 0;
        if (copy->node_case == NODE(RULE_STMT))
            copy->rule_stmt->replace = 0;
    } else if (!make_temporary(arena, copy)) {
        return;
    }
    sql[count] = native_sql(arena, copy);
    if (sql[count] == NULL)
        return;
    spec->same_sql = sql;
    spec->same_count = count + 1;
    spec->same = name_temporary(arena, &spec->makes);
}
