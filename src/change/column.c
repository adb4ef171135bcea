/* The definition of a column in ADD COLUMN. */
#include "change/parser.h"
#include "engine/sql.h"

#include <string.h>

typedef struct ColumnReader {
    const Statement *stmt;
    Arena *arena;
    ColumnSpec *spec;
    Str sql; /* canonical text so far */
    VEC(ConstraintSpec) constraints;
    bool last_takes_suffix; /* the constraint read last may be followed by DEFERRABLE */
    bool not_deferrable;    /* … and was followed by NOT DEFERRABLE */
} ColumnReader;

static bool usage(const ColumnReader *reader, const char *what)
{
    parser_problem(reader->stmt->parser, ERR_USAGE, reader->stmt->start, NULL, "column \"%s\": %s",
                   reader->spec->name, what);
    return false;
}

static bool inexact(const ColumnReader *reader)
{
    parser_inexact(reader->stmt);
    return false;
}

/* Writes "ALTER TABLE t ADD COLUMN c …" around a type and constraint, and returns what stands behind "c ". */
static const char *column_sql(Arena *arena, PgQuery__TypeName *type, PgQuery__Node *constraint)
{
    static const char head[] = "ALTER TABLE t ADD COLUMN c ";
    TreeFault fault;
    PgQuery__Node *alter = tree_parse(arena, "ALTER TABLE t ADD COLUMN c int", &fault);
    if (alter == NULL)
        return NULL;
    PgQuery__ColumnDef *def = alter->alter_table_stmt->cmds[0]->alter_table_cmd->def->column_def;
    if (type != NULL)
        def->type_name = type;
    def->constraints = &constraint;
    def->n_constraints = constraint != NULL;
    const char *sql = tree_sql(arena, alter);
    return sql == NULL || !str_starts(sql, head) ? NULL : sql + sizeof head - 1;
}

const char *parse_type(Arena *arena, PgQuery__TypeName *type)
{
    const char *written = column_sql(arena, type, NULL), *known = type_server_name(arena, type);
    return written != NULL && known != NULL ? known : written;
}

static bool read_type(ColumnReader *reader, PgQuery__TypeName *type)
{
    static const char *const serials[][2] = {{"serial", "integer"},       {"serial4", "integer"},
                                             {"bigserial", "bigint"},     {"serial8", "bigint"},
                                             {"smallserial", "smallint"}, {"serial2", "smallint"}};
    if (type->setof)
        return usage(reader, "cannot be a set");
    const char *word = type->n_names > 0 ? tree_string_of(type->names[type->n_names - 1]) : NULL;
    bool plain =
        type->n_names == 1 || (type->n_names == 2 && str_eq(tree_string_of(type->names[0]), "pg_catalog"));
    const char *written = column_sql(reader->arena, type, NULL);
    if (written == NULL)
        return inexact(reader);
    const char *known = type_server_name(reader->arena, type);
    reader->spec->type_sql = known != NULL ? known : written;
    for (size_t i = 0; plain && i < ARRAY_LEN(serials); i++) {
        if (!str_eq(word, serials[i][0]))
            continue;
        if (type->n_array_bounds > 0)
            return usage(reader, "an array of serial is not possible");
        reader->spec->type_sql = serials[i][1];
        reader->spec->serial = true;
        reader->spec->not_null = true;
    }
    str_addf(&reader->sql, " %s", written);
    return true;
}

static bool read_collation(ColumnReader *reader, const PgQuery__CollateClause *clause)
{
    if (clause == NULL)
        return true;
    Str name = STR_INIT;
    for (size_t i = 0; i < clause->n_collname; i++) {
        const char *word = tree_string_of(clause->collname[i]);
        str_sep(&name, ".");
        sql_add_ident(&name, word == NULL ? "" : word);
    }
    reader->spec->collation_sql = arena_dup(reader->arena, name.buf);
    str_addf(&reader->sql, " COLLATE %s", name.buf);
    str_done(&name);
    return true;
}

/* ---- defaults ------------------------------------------------------------------------------- */

static bool is_builtin_cast(const PgQuery__TypeName *type)
{
    static const char *const names[] = {"bool", "bpchar", "float4",  "float8", "int2",
                                        "int4", "int8",   "numeric", "text",   "varchar"};
    if (type->n_names == 0 || type->n_names > 2)
        return false;
    if (type->n_names == 2 && !str_eq(tree_string_of(type->names[0]), "pg_catalog"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(tree_string_of(type->names[type->n_names - 1]), names[i]))
            return true;
    return false;
}

static bool is_scalar_constant(const PgQuery__Node *node)
{
    if (node->node_case == PG_QUERY__NODE__NODE_A_CONST)
        return true;
    if (node->node_case == PG_QUERY__NODE__NODE_A_EXPR) { /* a sign the parser did not fold */
        const PgQuery__AExpr *expr = node->a_expr;
        const char *sign = expr->n_name == 1 ? tree_string_of(expr->name[0]) : NULL;
        return expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP && expr->lexpr == NULL &&
               expr->rexpr != NULL && (str_eq(sign, "-") || str_eq(sign, "+")) &&
               expr->rexpr->node_case == PG_QUERY__NODE__NODE_A_CONST;
    }
    if (node->node_case != PG_QUERY__NODE__NODE_TYPE_CAST || node->type_cast->arg == NULL)
        return false;
    /* A cast string or NULL is a literal of that type, read when the DDL is; casts of numbers call a function
     * which for other types than these may depend on settings. */
    const PgQuery__Node *arg = node->type_cast->arg;
    if (arg->node_case == PG_QUERY__NODE__NODE_A_CONST &&
        (arg->a_const->isnull || arg->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL))
        return true;
    bool literal = arg->node_case == PG_QUERY__NODE__NODE_A_CONST;
    return literal && node->type_cast->type_name->n_array_bounds == 0 &&
           is_builtin_cast(node->type_cast->type_name);
}

static bool is_constant(const PgQuery__Node *node)
{
    if (node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST && node->type_cast->arg != NULL &&
        node->type_cast->arg->node_case == PG_QUERY__NODE__NODE_A_ARRAY_EXPR)
        node = node->type_cast->arg;
    if (node->node_case != PG_QUERY__NODE__NODE_A_ARRAY_EXPR)
        return is_scalar_constant(node);
    for (size_t i = 0; i < node->a_array_expr->n_elements; i++)
        if (!is_scalar_constant(node->a_array_expr->elements[i]))
            return false;
    return true;
}

/* As it may stand behind DEFAULT in a column definition, where not every expression may go bare. */
static const char *default_text(Arena *arena, PgQuery__Constraint *node)
{
    PgQuery__Constraint copy = *node;
    PgQuery__Node holder = PG_QUERY__NODE__INIT;
    holder.node_case = PG_QUERY__NODE__NODE_CONSTRAINT;
    holder.constraint = &copy;
    static char none[] = "";
    copy.conname = none;
    static const char head[] = "int DEFAULT ";
    const char *sql = column_sql(arena, NULL, &holder);
    if (sql != NULL && str_starts(sql, head))
        return sql + sizeof head - 1;
    sql = tree_expr_sql(arena, node->raw_expr);
    return sql == NULL ? NULL : arena_printf(arena, "(%s)", sql);
}

static bool read_default(ColumnReader *reader, PgQuery__Constraint *node)
{
    if (reader->spec->default_sql != NULL)
        return usage(reader, "more than one default");
    reader->spec->default_sql = default_text(reader->arena, node);
    if (reader->spec->default_sql == NULL)
        return inexact(reader);
    reader->spec->default_constant = is_constant(node->raw_expr);
    str_addf(&reader->sql, " DEFAULT %s", reader->spec->default_sql);
    return true;
}

/* ---- the other clauses ---------------------------------------------------------------------- */

static bool read_not_null(ColumnReader *reader, const PgQuery__Constraint *node)
{
    reader->spec->not_null = true;
    if (node->conname[0] != '\0') {
        reader->spec->not_null_name = node->conname;
        str_addf(&reader->sql, " CONSTRAINT %s", sql_ident(reader->arena, node->conname));
    }
    str_add(&reader->sql, " NOT NULL");
    return true;
}

static bool read_generated(ColumnReader *reader, PgQuery__Constraint *node)
{
    if (reader->spec->generated_sql != NULL)
        return usage(reader, "more than one generation clause");
    reader->spec->generated_sql = tree_expr_sql(reader->arena, node->raw_expr);
    if (reader->spec->generated_sql == NULL)
        return inexact(reader);
    str_addf(&reader->sql, " GENERATED ALWAYS AS (%s) STORED", reader->spec->generated_sql);
    return true;
}

static bool read_identity(ColumnReader *reader, PgQuery__Node *node)
{
    static const char *const heads[] = {"int GENERATED ALWAYS AS IDENTITY",
                                        "int GENERATED BY DEFAULT AS IDENTITY"};
    if (reader->spec->identity != '\0')
        return usage(reader, "more than one identity clause");
    bool always = node->constraint->generated_when[0] == 'a';
    const char *head = heads[always ? 0 : 1];
    PgQuery__Constraint copy = *node->constraint;
    PgQuery__Node holder = *node;
    static char none[] = "";
    copy.conname = none;
    holder.constraint = &copy;
    const char *sql = column_sql(reader->arena, NULL, &holder);
    if (sql == NULL || !str_starts(sql, head))
        return inexact(reader);
    const char *options = sql + strlen(head);
    size_t len = strlen(options);
    if (len > 0) { /* " (START 10 CYCLE )" */
        options += 2;
        len -= 3;
        while (len > 0 && options[len - 1] == ' ')
            len--;
    }
    reader->spec->identity = always ? 'a' : 'd';
    reader->spec->not_null = true;
    reader->spec->identity_options_sql = arena_dupn(reader->arena, options, len);
    str_addf(&reader->sql, "%s", head + strlen("int"));
    if (len > 0)
        str_addf(&reader->sql, " (%s)", reader->spec->identity_options_sql);
    return true;
}

static bool read_constraint(ColumnReader *reader, PgQuery__Constraint *node)
{
    ConstraintSpec *spec = vec_push(reader->arena, &reader->constraints);
    if (!parse_constraint(reader->stmt, node, reader->spec->name, spec))
        return false;
    if (spec->kind == CONSTRAINT_PRIMARY_KEY)
        reader->spec->not_null = true;
    reader->last_takes_suffix = spec->kind != CONSTRAINT_CHECK;
    str_addf(&reader->sql, " %s", constraint_column_sql(reader->arena, spec, reader->spec->name));
    return true;
}

/* DEFERRABLE and kin are clauses of their own, and belong to the constraint before them. */
static bool read_attribute(ColumnReader *reader, PgQuery__ConstrType type)
{
    static const char *const words[] = {" DEFERRABLE", " NOT DEFERRABLE", " INITIALLY DEFERRED",
                                        " INITIALLY IMMEDIATE"};
    if (!reader->last_takes_suffix)
        return usage(reader, "DEFERRABLE or INITIALLY stands behind no constraint that can be deferred");
    ConstraintSpec *last = &reader->constraints.items[reader->constraints.len - 1];
    if (type == PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_NOT_DEFERRABLE)
        reader->not_deferrable = true;
    else if (type == PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRED)
        constraint_set_suffix(reader->arena, last, " DEFERRABLE INITIALLY DEFERRED");
    else if (type == PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRABLE && last->suffix_sql[0] == '\0')
        constraint_set_suffix(reader->arena, last, " DEFERRABLE");
    str_add(&reader->sql, words[type - PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRABLE]);
    if (reader->not_deferrable && last->suffix_sql[0] != '\0')
        return usage(reader, "both DEFERRABLE and NOT DEFERRABLE");
    return true;
}

static bool read_clause(ColumnReader *reader, PgQuery__Node *holder)
{
    PgQuery__Constraint *node = holder->constraint;
    switch (node->contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_NULL:
        reader->spec->explicit_null = true;
        str_add(&reader->sql, " NULL");
        return true;
    case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL:
        return read_not_null(reader, node);
    case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT:
        return read_default(reader, node);
    case PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY:
        return read_identity(reader, holder);
    case PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED:
        return read_generated(reader, node);
    case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRABLE:
    case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_NOT_DEFERRABLE:
    case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRED:
    case PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_IMMEDIATE:
        return read_attribute(reader, node->contype);
    case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK:
    case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
    case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE:
    case PG_QUERY__CONSTR_TYPE__CONSTR_EXCLUSION:
    case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN:
        return read_constraint(reader, node);
    case PG_QUERY__CONSTR_TYPE__CONSTR_TYPE_UNDEFINED:
    case _PG_QUERY__CONSTR_TYPE_IS_INT_SIZE:
        break;
    }
    return inexact(reader);
}

static bool read_clauses(ColumnReader *reader, const PgQuery__ColumnDef *def)
{
    for (size_t i = 0; i < def->n_constraints; i++) {
        PgQuery__Node *holder = def->constraints[i];
        if (holder->node_case != PG_QUERY__NODE__NODE_CONSTRAINT)
            return inexact(reader);
        PgQuery__ConstrType type = holder->constraint->contype;
        if (type < PG_QUERY__CONSTR_TYPE__CONSTR_ATTR_DEFERRABLE)
            reader->last_takes_suffix = reader->not_deferrable = false;
        if (!read_clause(reader, holder))
            return false;
    }
    return true;
}

/* What the server would refuse after the fact, seen without it. */
static bool clauses_agree(ColumnReader *reader)
{
    const ColumnSpec *spec = reader->spec;
    int values = (spec->default_sql != NULL) + (spec->generated_sql != NULL) + (spec->identity != '\0') +
                 (int)spec->serial;
    if (values > 1)
        return usage(reader, "only one of DEFAULT, GENERATED, IDENTITY and serial can be");
    if (spec->not_null && spec->explicit_null)
        return usage(reader, "both NULL and NOT NULL");
    size_t primary_keys = 0;
    for (size_t i = 0; i < reader->constraints.len; i++)
        primary_keys += reader->constraints.items[i].kind == CONSTRAINT_PRIMARY_KEY;
    return primary_keys < 2 || usage(reader, "more than one primary key");
}

bool parse_column(const Statement *stmt, PgQuery__ColumnDef *def, ColumnSpec *ret_spec, const char **ret_sql)
{
    ColumnSpec spec = {.name = def->colname, .identity_options_sql = ""};
    ColumnReader reader = {.stmt = stmt, .arena = stmt->parser->arena, .spec = &spec, .sql = STR_INIT};
    bool done = false;
    if (def->n_fdwoptions > 0) {
        parser_refuse(stmt, "OPTIONS of a column", "are for foreign tables", NULL);
    } else if (def->type_name == NULL) {
        (void)usage(&reader, "has no type");
    } else {
        sql_add_ident(&reader.sql, spec.name);
        done = read_type(&reader, def->type_name);
    }
    if (done && def->compression[0] != '\0') {
        spec.extra_sql =
            arena_printf(reader.arena, "COMPRESSION %s", sql_ident(reader.arena, def->compression));
        str_addf(&reader.sql, " %s", spec.extra_sql);
    }
    done = done && read_collation(&reader, def->coll_clause) && read_clauses(&reader, def) &&
           clauses_agree(&reader);
    spec.constraints = reader.constraints.items;
    spec.constraint_count = reader.constraints.len;
    if (done) {
        *ret_spec = spec;
        *ret_sql = arena_dupn(reader.arena, reader.sql.buf, reader.sql.len);
    }
    str_done(&reader.sql);
    return done;
}
