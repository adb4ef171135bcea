/* The statement that takes away again what a statement as written makes. */
#include "change/native.h"
#include "engine/sql.h"

/* Objects without a name of their own. */
static const char *undo_unnamed(Arena *arena, const PgQuery__Node *node)
{
    if (node->node_case == NODE(CREATE_CAST_STMT)) {
        const char *source = parse_type(arena, node->create_cast_stmt->sourcetype);
        const char *target = parse_type(arena, node->create_cast_stmt->targettype);
        bool both = source != NULL && target != NULL;
        return both ? arena_printf(arena, "DROP CAST (%s AS %s)", source, target) : NULL;
    }
    if (node->node_case != NODE(DEFINE_STMT) || node->define_stmt->kind != OBJECT(OPERATOR))
        return NULL;
    const PgQuery__DefineStmt *define = node->define_stmt;
    const char *sides[2] = {"NONE", "NONE"};
    for (size_t i = 0; i < define->n_definition; i++) {
        const PgQuery__DefElem *item = define->definition[i]->def_elem;
        bool left = str_eq(item->defname, "leftarg");
        if (!left && !str_eq(item->defname, "rightarg"))
            continue;
        if (item->arg == NULL || item->arg->node_case != NODE(TYPE_NAME))
            return NULL;
        sides[left ? 0 : 1] = parse_type(arena, item->arg->type_name);
    }
    Str name CLEANUP(str_donep) = STR_INIT;
    const char *const *words = parser_words(arena, define->defnames, define->n_defnames);
    for (size_t i = 0; i + 1 < define->n_defnames; i++) {
        sql_add_ident(&name, words[i]);
        str_add(&name, ".");
    }
    if (sides[0] == NULL || sides[1] == NULL || define->n_defnames == 0)
        return NULL;
    return arena_printf(arena, "DROP OPERATOR %s%s (%s, %s)", name.len > 0 ? name.buf : "",
                        words[define->n_defnames - 1], sides[0], sides[1]);
}

/* What DROP calls an object: its type's word, but for some. */
static const struct {
    const char *type, *drop;
} drops[] = {
    {"statistics object", "STATISTICS"},
    {"foreign-data wrapper", "FOREIGN DATA WRAPPER"},
    {"aggregate", "AGGREGATE"},
    {"collation", "COLLATION"},
    {"domain", "DOMAIN"},
    {"event trigger", "EVENT TRIGGER"},
    {"extension", "EXTENSION"},
    {"foreign table", "FOREIGN TABLE"},
    {"function", "FUNCTION"},
    {"materialized view", "MATERIALIZED VIEW"},
    {"policy", "POLICY"},
    {"procedure", "PROCEDURE"},
    {"publication", "PUBLICATION"},
    {"rule", "RULE"},
    {"schema", "SCHEMA"},
    {"sequence", "SEQUENCE"},
    {"server", "SERVER"},
    {"table", "TABLE"},
    {"text search configuration", "TEXT SEARCH CONFIGURATION"},
    {"text search dictionary", "TEXT SEARCH DICTIONARY"},
    {"trigger", "TRIGGER"},
    {"type", "TYPE"},
    {"view", "VIEW"},
};

/* Function and aggregate: behind the name. */
static void add_args(Str *text, const ObjectName *made)
{
    bool aggregate = str_eq(made->type, "aggregate");
    if (!aggregate && !str_eq(made->type, "function") && !str_eq(made->type, "procedure"))
        return;
    str_add(text, "(");
    for (size_t i = 0; i < made->arg_count; i++)
        str_addf(text, "%s%s", i == 0 ? "" : ", ", made->args[i]);
    str_add(text, aggregate && made->arg_count == 0 ? "*)" : ")");
}

const char *native_undo(Arena *arena, const PgQuery__Node *node, const ObjectName *made)
{
    Str text CLEANUP(str_donep) = STR_INIT;
    const char *drop = NULL;
    if (made->type == NULL)
        return undo_unnamed(arena, node);
    for (size_t i = 0; i < ARRAY_LEN(drops); i++)
        drop = str_eq(drops[i].type, made->type) ? drops[i].drop : drop;
    bool filled = node->node_case == NODE(CREATE_SCHEMA_STMT) && node->create_schema_stmt->n_schema_elts > 0;
    if (drop == NULL || filled)
        return NULL;
    str_addf(&text, "DROP %s ", drop);
    bool part = str_eq(made->type, "trigger") || str_eq(made->type, "policy") || str_eq(made->type, "rule");
    bool type = str_eq(made->type, "type") || str_eq(made->type, "domain");
    size_t count = made->name_count;
    if (part) {
        sql_add_ident(&text, made->names[--count]);
        str_add(&text, " ON ");
    }
    for (size_t i = 0; i < count; i++) {
        str_add(&text, i > 0 ? "." : "");
        if (type)
            str_add(&text, made->names[i]); /* quoted by object_type_text() */
        else
            sql_add_ident(&text, made->names[i]);
    }
    add_args(&text, made);
    return arena_dup(arena, text.buf);
}
