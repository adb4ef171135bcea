/* The object that a statement makes or takes away, by its type and name. */
#include "change/native.h"
#include "engine/sql.h"

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

const char *object_type_text(Arena *arena, PgQuery__Node *const *words, size_t count)
{
    Str text CLEANUP(str_donep) = STR_INIT;
    const char *const *names = parser_words(arena, words, count);
    for (size_t i = 0; i < count; i++) {
        str_sep(&text, ".");
        sql_add_ident(&text, names[i]);
    }
    return arena_dup(arena, text.buf);
}

/* pg_get_object_address() takes a type's name as one text. */
static ObjectName object_type(Arena *arena, const char *type, PgQuery__Node *const *words, size_t count)
{
    return object_new(arena, type, (const char *const[]){object_type_text(arena, words, count)}, 1);
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
        Name name = relation_name(node->composite_type_stmt->typevar);
        return object_one(arena, "type", sql_name(arena, name.schema, name.name));
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
