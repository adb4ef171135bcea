/* Types, columns, defaults and constraints, as acts know them. */
#include "base/str.h"
#include "change/act_pg.h"

#include <string.h>

/* ---- types ---------------------------------------------------------------------------------- */

static const char *const builtin_types[] = {"abstime",       "bit",          "bool",
                                            "boolean",       "box",          "bpchar",
                                            "bytea",         "char",         "cid",
                                            "cidr",          "circle",       "citext",
                                            "date",          "daterange",    "datemultirange",
                                            "float4",        "float8",       "hstore",
                                            "inet",          "int2",         "int2vector",
                                            "int4",          "int4range",    "int4multirange",
                                            "int8",          "int8range",    "int8multirange",
                                            "interval",      "json",         "jsonb",
                                            "jsonpath",      "line",         "lseg",
                                            "macaddr",       "macaddr8",     "money",
                                            "name",          "numeric",      "nummultirange",
                                            "numrange",      "oid",          "oidvector",
                                            "path",          "pg_lsn",       "pg_snapshot",
                                            "point",         "polygon",      "refcursor",
                                            "regclass",      "regcollation", "regconfig",
                                            "regdictionary", "regnamespace", "regoper",
                                            "regoperator",   "regproc",      "regprocedure",
                                            "regrole",       "regtype",      "text",
                                            "tid",           "time",         "timestamp",
                                            "timestamptz",   "timetz",       "tsmultirange",
                                            "tsquery",       "tsrange",      "tstzmultirange",
                                            "tstzrange",     "tsvector",     "txid_snapshot",
                                            "uuid",          "varbit",       "varchar",
                                            "vector",        "xid",          "xid8",
                                            "xml",           "geometry",     "geography",
                                            "ltree"};

static const char *const serial_types[][2] = {{"bigserial", "int8"}, {"serial", "int4"},
                                              {"serial2", "int2"},   {"serial4", "int4"},
                                              {"serial8", "int8"},   {"smallserial", "int2"}};

static bool listed(const char *word, const char *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(items[i], word))
            return true;
    return false;
}

ActType act_type(const ActReader *reader, const PgQuery__TypeName *type)
{
    ActType res = {0};
    if (type == NULL || type->n_names == 0)
        return res;
    const char *word = tree_string_of(type->names[type->n_names - 1]);
    const char *schema = type->n_names > 1 ? tree_string_of(type->names[type->n_names - 2]) : NULL;
    bool plain = schema == NULL || str_eq(schema, "pg_catalog");
    res.array = type->n_array_bounds > 0;
    for (size_t i = 0; i < type->n_typmods && i < 2; i++) {
        const PgQuery__Node *mod = type->typmods[i];
        if (mod->node_case == NODE(A_CONST) && mod->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL)
            res.mods[res.mod_count++] = mod->a_const->ival->ival;
    }
    for (size_t i = 0; plain && i < ARRAY_LEN(serial_types); i++)
        if (str_eq(word, serial_types[i][0])) {
            res.serial = true;
            word = serial_types[i][1];
        }
    res.builtin = plain && listed(word, builtin_types, ARRAY_LEN(builtin_types));
    res.name = act_keep(reader, str_eq(word, "boolean") ? "bool" : word);
    res.schema = act_keep(reader, schema);
    return res;
}

/* ---- defaults ------------------------------------------------------------------------------- */

/* Functions whose value is the same for all rows of a statement: no rewrite (rules.md, E6). */
static const char *const stable_functions[] = {"age",
                                               "clock_date",
                                               "concat",
                                               "current_database",
                                               "current_schema",
                                               "current_setting",
                                               "date_trunc",
                                               "format",
                                               "inet_client_addr",
                                               "json_build_array",
                                               "json_build_object",
                                               "jsonb_build_array",
                                               "jsonb_build_object",
                                               "lower",
                                               "make_date",
                                               "make_interval",
                                               "make_timestamptz",
                                               "now",
                                               "pg_backend_pid",
                                               "statement_timestamp",
                                               "timezone",
                                               "to_char",
                                               "to_date",
                                               "to_timestamp",
                                               "transaction_timestamp",
                                               "upper",
                                               "version"};
static const char *const volatile_functions[] = {"clock_timestamp",
                                                 "currval",
                                                 "gen_random_bytes",
                                                 "gen_random_uuid",
                                                 "lastval",
                                                 "nextval",
                                                 "pg_sleep",
                                                 "random",
                                                 "setval",
                                                 "timeofday",
                                                 "txid_current",
                                                 "uuid_generate_v1",
                                                 "uuid_generate_v1mc",
                                                 "uuid_generate_v4",
                                                 "uuidv4",
                                                 "uuidv7"};

typedef struct DefaultLook {
    ActDefault kind;
    bool constant;
} DefaultLook;

static bool visit_default(void *context, PgQuery__Node *node, bool inside UNUSED)
{
    DefaultLook *look = context;
    if (node->node_case == NODE(SQLVALUE_FUNCTION))
        look->constant = false;
    if (node->node_case != NODE(FUNC_CALL))
        return true;
    const PgQuery__FuncCall *call = node->func_call;
    const char *word = call->n_funcname > 0 ? tree_string_of(call->funcname[call->n_funcname - 1]) : NULL;
    look->constant = false;
    if (listed(word, volatile_functions, ARRAY_LEN(volatile_functions)))
        look->kind = ACT_DEFAULT_VOLATILE;
    else if (look->kind != ACT_DEFAULT_VOLATILE &&
             !listed(word, stable_functions, ARRAY_LEN(stable_functions)))
        look->kind = ACT_DEFAULT_FUNCTION;
    return true;
}

ActDefault act_default(const PgQuery__Node *expr)
{
    if (expr == NULL)
        return ACT_DEFAULT_NONE;
    const PgQuery__Node *inner = expr;
    while (inner->node_case == NODE(TYPE_CAST) && inner->type_cast->arg != NULL)
        inner = inner->type_cast->arg;
    if (inner->node_case == NODE(A_CONST))
        return inner->a_const->isnull ? ACT_DEFAULT_NULL : ACT_DEFAULT_CONSTANT;
    DefaultLook look = {.kind = ACT_DEFAULT_STABLE, .constant = true};
    PgQuery__Node copy = *expr;
    tree_walk(&copy, visit_default, &look);
    return look.constant ? ACT_DEFAULT_CONSTANT : look.kind;
}

/* ---- constraints ---------------------------------------------------------------------------- */

/* The column that "c IS NOT NULL", alone or in an AND, is about. */
static const char *proved_column(const PgQuery__Node *expr)
{
    if (expr == NULL)
        return NULL;
    if (expr->node_case == NODE(BOOL_EXPR) && expr->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
        for (size_t i = 0; i < expr->bool_expr->n_args; i++) {
            const PgQuery__Node *arg = expr->bool_expr->args[i];
            const char *found = arg->node_case == NODE(NULL_TEST) ? proved_column(arg) : NULL;
            if (found != NULL)
                return found;
        }
        return NULL;
    }
    if (expr->node_case != NODE(NULL_TEST) ||
        expr->null_test->nulltesttype != PG_QUERY__NULL_TEST_TYPE__IS_NOT_NULL)
        return NULL;
    const PgQuery__Node *arg = expr->null_test->arg;
    if (arg == NULL || arg->node_case != NODE(COLUMN_REF) || arg->column_ref->n_fields != 1)
        return NULL;
    return tree_string_of(arg->column_ref->fields[0]);
}

static char letter_of(const char *text)
{
    if (text == NULL)
        return 'a';
    return text[0];
}

static void read_foreign(const ActReader *reader, const PgQuery__Constraint *node, ActConstraint *spec)
{
    spec->kind = CONSTRAINT_FOREIGN_KEY;
    spec->columns = act_words(reader, node->fk_attrs, node->n_fk_attrs);
    spec->column_count = node->n_fk_attrs;
    spec->references = act_relation(reader, node->pktable);
    spec->ref_columns = act_words(reader, node->pk_attrs, node->n_pk_attrs);
    spec->ref_column_count = node->n_pk_attrs;
    spec->on_delete = letter_of(node->fk_del_action);
}

bool act_read_constraint(const ActReader *reader, const PgQuery__Constraint *node, ActConstraint *ret_spec)
{
    ActConstraint spec = {.name = act_keep(reader, node->conname), .not_valid = node->skip_validation};
    switch ((int)node->contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK:
        spec.kind = CONSTRAINT_CHECK;
        spec.proves = act_keep(reader, proved_column(node->raw_expr));
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
    case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE:
        spec.kind = node->contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY ? CONSTRAINT_PRIMARY_KEY
                                                                           : CONSTRAINT_UNIQUE;
        spec.columns = act_words(reader, node->keys, node->n_keys);
        spec.column_count = node->n_keys;
        spec.index_name =
            node->indexname == NULL || node->indexname[0] == '\0' ? NULL : act_keep(reader, node->indexname);
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_EXCLUSION:
        spec.kind = CONSTRAINT_EXCLUDE;
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN:
        read_foreign(reader, node, &spec);
        break;
    default:
        return false;
    }
    if (spec.name != NULL && spec.name[0] == '\0')
        spec.name = NULL;
    act_constraint_span(reader, &spec, node->location);
    *ret_spec = spec;
    return true;
}

void act_constraint_span(const ActReader *reader, ActConstraint *spec, int location)
{
    size_t len = strlen(reader->sql), at = (size_t)(location < 0 ? 0 : location), to = at;
    for (int depth = 0; at < len;) {
        PgLexeme lexeme = pg_lexeme_code(reader->sql, at, len);
        char symbol = pg_lexeme_symbol(reader->sql, &lexeme);
        if (lexeme.kind == PG_LEXEME_END || (depth == 0 && (symbol == ',' || symbol == ')')))
            break;
        depth += symbol == '(' ? 1 : symbol == ')' ? -1 : 0;
        at = to = lexeme.end;
    }
    spec->start = reader->start + (size_t)(location < 0 ? 0 : location);
    spec->end = reader->start + to;
}

/* ---- columns -------------------------------------------------------------------------------- */

static void read_column_constraint(const ActReader *reader, const PgQuery__Constraint *node,
                                   ActColumn *column)
{
    switch ((int)node->contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL:
        column->not_null = true;
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_NULL:
        column->null = true;
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT:
        column->kind = act_default(node->raw_expr);
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY:
        column->identity = true;
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED:
        column->stored = true;
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK:
        column->check = true;
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
        column->primary = true;
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE:
        column->unique = true;
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN:
        column->references = true;
        column->parent = act_relation(reader, node->pktable);
        column->on_delete = letter_of(node->fk_del_action);
        column->ref_column =
            node->n_pk_attrs == 1 ? act_keep(reader, tree_string_of(node->pk_attrs[0])) : NULL;
        break;
    default:
        break;
    }
}

void act_read_column(const ActReader *reader, const PgQuery__ColumnDef *def, ActColumn *ret_column)
{
    *ret_column =
        (ActColumn){.name = act_keep(reader, def->colname), .type = act_type(reader, def->type_name)};
    if (def->coll_clause != NULL && def->coll_clause->n_collname > 0)
        ret_column->collation =
            act_keep(reader, tree_string_of(def->coll_clause->collname[def->coll_clause->n_collname - 1]));
    for (size_t i = 0; i < def->n_constraints; i++)
        if (def->constraints[i]->node_case == NODE(CONSTRAINT))
            read_column_constraint(reader, def->constraints[i]->constraint, ret_column);
    ret_column->not_null = ret_column->not_null || def->is_not_null;
}
