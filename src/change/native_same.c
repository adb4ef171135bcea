/* The object that a statement makes, among temporary ones: the server makes it there for comparison. */
#include "change/native.h"
#include "engine/sql.h"

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
        Name name = relation_name(on);
        sql[count++] = arena_printf(arena, "CREATE TEMPORARY TABLE %s (LIKE %s)", sql_ident(arena, name.name),
                                    sql_name(arena, name.schema, name.name));
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
