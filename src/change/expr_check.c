/* What cannot be computed from one row. */
#include "base/str.h"
#include "change/parser.h"

/* Built-in aggregates, window functions and set-returning functions; only names that no scalar function of
 * the server has (PostgreSQL 10 to 18: pg_proc.prokind and proretset). */
static const char *const aggregates[] = {"any_value",
                                         "array_agg",
                                         "avg",
                                         "bit_and",
                                         "bit_or",
                                         "bit_xor",
                                         "bool_and",
                                         "bool_or",
                                         "corr",
                                         "count",
                                         "covar_pop",
                                         "covar_samp",
                                         "every",
                                         "json_agg",
                                         "jsonb_agg",
                                         "max",
                                         "min",
                                         "json_object_agg",
                                         "jsonb_object_agg",
                                         "mode",
                                         "percentile_cont",
                                         "percentile_disc",
                                         "range_agg",
                                         "range_intersect_agg",
                                         "regr_avgx",
                                         "regr_avgy",
                                         "regr_count",
                                         "regr_intercept",
                                         "regr_r2",
                                         "regr_slope",
                                         "regr_sxx",
                                         "regr_sxy",
                                         "regr_syy",
                                         "stddev",
                                         "stddev_pop",
                                         "stddev_samp",
                                         "string_agg",
                                         "sum",
                                         "var_pop",
                                         "var_samp",
                                         "variance",
                                         "xmlagg"};
static const char *const windows[] = {"cume_dist", "dense_rank", "first_value",  "lag",  "last_value", "lead",
                                      "nth_value", "ntile",      "percent_rank", "rank", "row_number"};
static const char *const sets[] = {"generate_series",
                                   "generate_subscripts",
                                   "json_array_elements",
                                   "json_array_elements_text",
                                   "json_each",
                                   "json_each_text",
                                   "json_object_keys",
                                   "json_populate_recordset",
                                   "json_to_recordset",
                                   "jsonb_array_elements",
                                   "jsonb_array_elements_text",
                                   "jsonb_each",
                                   "jsonb_each_text",
                                   "jsonb_object_keys",
                                   "jsonb_path_query",
                                   "jsonb_populate_recordset",
                                   "jsonb_to_recordset",
                                   "regexp_matches",
                                   "regexp_split_to_table",
                                   "string_to_table",
                                   "ts_stat",
                                   "unnest"};

static bool listed(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(name, names[i]))
            return true;
    return false;
}

/* The name of a function that may be the server's own; NULL for one of another schema. */
static const char *builtin_name(const PgQuery__FuncCall *call)
{
    if (call->n_funcname == 0 || call->n_funcname > 2)
        return NULL;
    if (call->n_funcname == 2 && !str_eq(tree_string_of(call->funcname[0]), "pg_catalog"))
        return NULL;
    return tree_string_of(call->funcname[call->n_funcname - 1]);
}

typedef struct Refusal {
    Arena *arena;
    const char *text;
} Refusal;

static const char *call_refusal(Arena *arena, const PgQuery__FuncCall *call)
{
    const char *last = call->n_funcname > 0 ? tree_string_of(call->funcname[call->n_funcname - 1]) : NULL;
    const char *name = builtin_name(call);
    if (call->over != NULL || listed(name, windows, ARRAY_LEN(windows)))
        return arena_printf(arena, "the window function \"%s\" needs more than one row", last);
    if (call->agg_star || call->agg_distinct || call->agg_within_group || call->agg_filter != NULL ||
        call->n_agg_order > 0 || listed(name, aggregates, ARRAY_LEN(aggregates)))
        return arena_printf(arena, "the aggregate \"%s\" needs more than one row", last);
    if (listed(name, sets, ARRAY_LEN(sets)))
        return arena_printf(arena, "\"%s\" returns a set of rows, not one value", last);
    return NULL;
}

static bool visit_refusal(void *context, PgQuery__Node *node, bool inside)
{
    Refusal *refusal = context;
    if (refusal->text != NULL)
        return false;
    if (node->node_case == PG_QUERY__NODE__NODE_PARAM_REF)
        refusal->text = arena_printf(refusal->arena, "there is no parameter $%d", node->param_ref->number);
    else if (node->node_case == PG_QUERY__NODE__NODE_SET_TO_DEFAULT)
        refusal->text = "DEFAULT is no expression";
    else if (node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && !inside &&
             node->column_ref->n_fields == 1 && tree_string_of(node->column_ref->fields[0]) == NULL)
        refusal->text = "\"*\" is no value";
    else if (node->node_case == PG_QUERY__NODE__NODE_GROUPING_FUNC && !inside)
        refusal->text = "the aggregate \"grouping\" needs more than one row";
    else if (node->node_case == PG_QUERY__NODE__NODE_FUNC_CALL && !inside)
        refusal->text = call_refusal(refusal->arena, node->func_call);
    return refusal->text == NULL;
}

const char *expr_refusal(Arena *arena, PgQuery__Node *expr)
{
    Refusal refusal = {.arena = arena};
    tree_walk(expr, visit_refusal, &refusal);
    return refusal.text;
}
