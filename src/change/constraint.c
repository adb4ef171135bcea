/* CHECK, FOREIGN KEY, UNIQUE, PRIMARY KEY and EXCLUDE, written at a column or at the table. */
#include "change/parser.h"
#include "engine/sql.h"

#include <string.h>

static const char *finish(Arena *arena, Str *str)
{
    const char *res = arena_dupn(arena, str->buf, str->len);
    str_done(str);
    return res;
}

static const char *suffix_of(const PgQuery__Constraint *node)
{
    if (node->initdeferred)
        return " DEFERRABLE INITIALLY DEFERRED";
    return node->deferrable ? " DEFERRABLE" : "";
}

/* "fillfactor=70" of WITH (…), or NULL; `ret_exact` is false where it cannot be written. */
static const char *storage_sql(Arena *arena, PgQuery__Constraint *node, bool *ret_exact)
{
    *ret_exact = true;
    if (node->n_options == 0)
        return NULL;
    static const char head[] = "CREATE INDEX ON t USING btree (c) WITH (";
    TreeFault fault;
    PgQuery__Node *index = tree_parse(arena, "CREATE INDEX ON t USING btree (c)", &fault);
    if (index != NULL) {
        index->index_stmt->n_options = node->n_options;
        index->index_stmt->options = node->options;
    }
    const char *sql = index == NULL ? NULL : tree_sql(arena, index);
    *ret_exact = sql != NULL && str_starts(sql, head);
    return *ret_exact ? arena_dupn(arena, sql + sizeof head - 1, strlen(sql) - sizeof head) : NULL;
}

/* Unique and primary key: definition behind ADD CONSTRAINT, and behind CREATE UNIQUE INDEX name ON table. */
static bool key_texts(Arena *arena, PgQuery__Constraint *node, ConstraintSpec *spec)
{
    bool exact;
    const char *storage = storage_sql(arena, node, &exact);
    bool distinct_nulls = !node->nulls_not_distinct;
    const char *columns = sql_ident_list(arena, spec->columns, spec->column_count);
    const char *included =
        sql_ident_list(arena, parser_words(arena, node->including, node->n_including), node->n_including);
    const char *space = node->indexspace[0] == '\0' ? NULL : sql_ident(arena, node->indexspace);
    Str definition = STR_INIT, index = STR_INIT;
    str_add(&definition, spec->kind == CONSTRAINT_UNIQUE ? "UNIQUE" : "PRIMARY KEY");
    if (spec->index_name == NULL) {
        str_addf(&definition, "%s (%s)", distinct_nulls ? "" : " NULLS NOT DISTINCT", columns);
        str_addf(&index, "(%s)", columns);
        if (node->n_including > 0) {
            str_addf(&definition, " INCLUDE (%s)", included);
            str_addf(&index, " INCLUDE (%s)", included);
        }
        if (!distinct_nulls)
            str_add(&index, " NULLS NOT DISTINCT");
        if (storage != NULL) {
            str_addf(&definition, " WITH (%s)", storage);
            str_addf(&index, " WITH (%s)", storage);
        }
        if (space != NULL) {
            str_addf(&definition, " USING INDEX TABLESPACE %s", space);
            str_addf(&index, " TABLESPACE %s", space);
        }
        spec->index_sql = arena_dupn(arena, index.buf, index.len);
    }
    str_done(&index);
    spec->definition_sql = finish(arena, &definition);
    return exact;
}

static bool check_texts(Arena *arena, PgQuery__Constraint *node, ConstraintSpec *spec)
{
    spec->kind = CONSTRAINT_CHECK;
    spec->expr_sql = node->raw_expr == NULL ? NULL : tree_expr_sql(arena, node->raw_expr);
    if (spec->expr_sql == NULL)
        return false;
    spec->definition_sql =
        arena_printf(arena, "CHECK (%s)%s", spec->expr_sql, node->is_no_inherit ? " NO INHERIT" : "");
    return true;
}

/* The deparser writes foreign keys well: "ALTER TABLE t ADD FOREIGN KEY …" without name and suffix. */
static bool foreign_key_texts(Arena *arena, const PgQuery__Constraint *node, ConstraintSpec *spec)
{
    static const char head[] = "ALTER TABLE t ADD FOREIGN KEY (c) ";
    TreeFault fault;
    PgQuery__Node *alter = tree_parse(arena, "ALTER TABLE t ADD FOREIGN KEY (c) REFERENCES r", &fault);
    if (alter == NULL)
        return false;
    PgQuery__Constraint *copy = alter->alter_table_stmt->cmds[0]->alter_table_cmd->def->constraint;
    copy->pktable = node->pktable;
    copy->n_pk_attrs = node->n_pk_attrs;
    copy->pk_attrs = node->pk_attrs;
    copy->fk_matchtype = node->fk_matchtype;
    copy->fk_upd_action = node->fk_upd_action;
    copy->fk_del_action = node->fk_del_action;
    copy->n_fk_del_set_cols = node->n_fk_del_set_cols;
    copy->fk_del_set_cols = node->fk_del_set_cols;
    const char *sql = tree_sql(arena, alter);
    if (sql == NULL || !str_starts(sql, head))
        return false;
    spec->definition_sql =
        arena_printf(arena, "FOREIGN KEY (%s) %s", sql_ident_list(arena, spec->columns, spec->column_count),
                     sql + sizeof head - 1);
    return true;
}

void constraint_set_suffix(Arena *arena, ConstraintSpec *spec, const char *suffix_sql)
{
    size_t bare = strlen(spec->definition_sql) - strlen(spec->suffix_sql);
    spec->definition_sql =
        arena_printf(arena, "%s%s", arena_dupn(arena, spec->definition_sql, bare), suffix_sql);
    spec->suffix_sql = suffix_sql;
}

const char *constraint_column_sql(Arena *arena, const ConstraintSpec *spec, const char *column)
{
    const char *sql = spec->definition_sql;
    const char *list = arena_printf(arena, " (%s)", sql_ident(arena, column));
    Str str = STR_INIT;
    if (spec->name != NULL)
        str_addf(&str, "CONSTRAINT %s ", sql_ident(arena, spec->name));
    if (spec->kind == CONSTRAINT_FOREIGN_KEY) {
        str_add(&str, sql + strlen("FOREIGN KEY") + strlen(list) + 1);
    } else if (spec->kind == CONSTRAINT_CHECK) {
        str_add(&str, sql);
    } else { /* the column list is left out */
        const char *at = strstr(sql, list);
        str_addn(&str, sql, at == NULL ? strlen(sql) : (size_t)(at - sql));
        str_add(&str, at == NULL ? "" : at + strlen(list));
    }
    return finish(arena, &str);
}

static bool foreign_key(const Statement *stmt, PgQuery__Constraint *node, ConstraintSpec *spec)
{
    Arena *arena = stmt->parser->arena;
    spec->kind = CONSTRAINT_FOREIGN_KEY;
    if (spec->column_count == 0) {
        spec->columns = parser_words(arena, node->fk_attrs, node->n_fk_attrs);
        spec->column_count = node->n_fk_attrs;
    }
    spec->ref_columns = parser_words(arena, node->pk_attrs, node->n_pk_attrs);
    spec->ref_column_count = node->n_pk_attrs;
    spec->not_valid = node->skip_validation;
    if (!parser_relation(stmt, node->pktable, &spec->references))
        return false;
    if (!foreign_key_texts(arena, node, spec)) {
        parser_inexact(stmt);
        return false;
    }
    return true;
}

static bool key(const Statement *stmt, PgQuery__Constraint *node, ConstraintSpec *spec)
{
    Arena *arena = stmt->parser->arena;
    spec->kind =
        node->contype == PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE ? CONSTRAINT_UNIQUE : CONSTRAINT_PRIMARY_KEY;
    if (spec->column_count == 0) {
        spec->columns = parser_words(arena, node->keys, node->n_keys);
        spec->column_count = node->n_keys;
    }
    spec->index_name = node->indexname[0] == '\0' ? NULL : node->indexname;
    if (!key_texts(arena, node, spec)) {
        parser_inexact(stmt);
        return false;
    }
    return true;
}

/* As written back behind ADD, without its name and suffix. */
static bool exclude(const Statement *stmt, const PgQuery__Constraint *node, ConstraintSpec *spec)
{
    static const char head[] = "ALTER TABLE t ADD ";
    Arena *arena = stmt->parser->arena;
    TreeFault fault;
    PgQuery__Node *alter = tree_parse(arena, "ALTER TABLE t ADD EXCLUDE (c WITH =)", &fault);
    const char *sql = NULL;
    char none[] = "";
    if (alter != NULL) {
        PgQuery__Constraint copy = *node;
        copy.conname = none;
        copy.deferrable = copy.initdeferred = false;
        alter->alter_table_stmt->cmds[0]->alter_table_cmd->def->constraint = &copy;
        sql = tree_sql(arena, alter);
    }
    spec->kind = CONSTRAINT_EXCLUDE;
    if (sql == NULL || !str_starts(sql, head)) {
        parser_inexact(stmt);
        return false;
    }
    spec->definition_sql = arena_dup(arena, sql + sizeof head - 1);
    const char **columns = arena_alloc(arena, (node->n_exclusions + 1) * sizeof *columns);
    for (size_t i = 0; i < node->n_exclusions; i++) {
        const PgQuery__List *pair =
            node->exclusions[i]->node_case == PG_QUERY__NODE__NODE_LIST ? node->exclusions[i]->list : NULL;
        const PgQuery__Node *element = pair != NULL && pair->n_items > 0 ? pair->items[0] : NULL;
        bool plain = element != NULL && element->node_case == PG_QUERY__NODE__NODE_INDEX_ELEM &&
                     element->index_elem->name[0] != '\0';
        columns[i] = plain ? element->index_elem->name : NULL;
    }
    spec->columns = columns;
    spec->column_count = node->n_exclusions;
    return true;
}

bool parse_constraint(const Statement *stmt, PgQuery__Constraint *node, const char *column,
                      ConstraintSpec *ret_spec)
{
    Arena *arena = stmt->parser->arena;
    ConstraintSpec spec = {.name = node->conname[0] == '\0' ? NULL : node->conname, .suffix_sql = ""};
    if (column != NULL) {
        const char **columns = arena_alloc(arena, sizeof *columns);
        columns[0] = column;
        spec.columns = columns;
        spec.column_count = 1;
    }
    if (node->contype == PG_QUERY__CONSTR_TYPE__CONSTR_CHECK) {
        spec.columns = NULL;
        spec.column_count = 0;
        spec.not_valid = node->skip_validation;
        if (!check_texts(arena, node, &spec)) {
            parser_inexact(stmt);
            return false;
        }
    } else if (node->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN) {
        if (!foreign_key(stmt, node, &spec))
            return false;
    } else if (node->contype == PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE ||
               node->contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY) {
        if (!key(stmt, node, &spec))
            return false;
    } else if (node->contype == PG_QUERY__CONSTR_TYPE__CONSTR_EXCLUSION) {
        if (!exclude(stmt, node, &spec))
            return false;
    } else {
        parser_refuse(stmt, "this kind of constraint", "is not known", NULL);
        return false;
    }
    constraint_set_suffix(arena, &spec, suffix_of(node));
    *ret_spec = spec;
    return true;
}
