/* The server's own definitions of indexes, constraints and statistics, written for columns of other names. */
#include "change/change.h"
#include "change/tree.h"

#include "base/str.h"
#include "engine/sql.h"

#include <string.h>

typedef struct Rename {
    Arena *arena;
    const ColumnNames *names;
    const char *row; /* only references that begin with this word; NULL: all */
    bool whole_row;
} Rename;

static const char *renamed(const ColumnNames *names, const char *column)
{
    for (size_t i = 0; names != NULL && column != NULL && i < names->count; i++)
        if (str_eq(names->from[i], column))
            return names->to[i];
    return column;
}

static void rename_text(Arena *arena, const ColumnNames *names, char **text)
{
    if (*text != NULL && **text != '\0')
        *text = arena_dup(arena, renamed(names, *text));
}

static void rename_strings(Arena *arena, const ColumnNames *names, PgQuery__Node **nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tree_string_of(nodes[i]) != NULL)
            rename_text(arena, names, &nodes[i]->string->sval);
}

/* References in expressions: bare, or behind the table's name. */
static void rename_reference(Rename *rename, PgQuery__ColumnRef *ref)
{
    if (rename->row != NULL && (ref->n_fields != 2 || !str_eq(tree_string_of(ref->fields[0]), rename->row)))
        return;
    const char *last = ref->n_fields > 0 ? tree_string_of(ref->fields[ref->n_fields - 1]) : NULL;
    bool star = last == NULL;
    if (star || (ref->n_fields == 1 && str_eq(last, rename->names->table)))
        rename->whole_row = true;
    if (!star)
        rename_text(rename->arena, rename->names, &ref->fields[ref->n_fields - 1]->string->sval);
}

static bool visit(void *context, PgQuery__Node *node, bool inside UNUSED)
{
    Rename *rename = context;
    if (node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF) {
        rename_reference(rename, node->column_ref);
        return false;
    }
    if (node->node_case == PG_QUERY__NODE__NODE_INDEX_ELEM)
        rename_text(rename->arena, rename->names, &node->index_elem->name);
    if (node->node_case == PG_QUERY__NODE__NODE_STATS_ELEM)
        rename_text(rename->arena, rename->names, &node->stats_elem->name);
    return true;
}

static Err *inexact(const char *definition, const char *why)
{
    return err_hint(err_new(ERR_UNSAFE, "\"%s\" cannot be made for another column: %s", definition, why),
                    "drop it first and make it again afterwards, each in a change of its own");
}

static Err *unknown_syntax(const char *definition)
{
    return inexact(definition, "the parser at hand does not know its syntax");
}

/* The statement's text behind `head`, which it must begin with. */
static Err *write_behind(Arena *arena, const char *definition, PgQuery__Node *stmt, const Rename *rename,
                         const char *head, const char **ret_sql)
{
    if (rename->whole_row)
        return inexact(definition, "it reads the whole row");
    const char *sql = tree_sql(arena, stmt);
    if (sql == NULL || !str_starts(sql, head))
        return inexact(definition, "it cannot be written back exactly");
    *ret_sql = sql + strlen(head);
    return NULL;
}

/* A name that needs no quotes, in place of the table's. */
static void plain_table(Arena *arena, PgQuery__RangeVar *relation)
{
    relation->schemaname = arena_dup(arena, "");
    relation->relname = arena_dup(arena, "t");
    relation->inh = true;
}

Err *redefine_index_pg(Arena *arena, const char *definition, const ColumnNames *names, const char *tablespace,
                       const char **ret_sql)
{
    TreeFault fault;
    Rename rename = {.arena = arena, .names = names};
    PgQuery__Node *stmt = tree_parse(arena, definition, &fault);
    if (stmt == NULL || stmt->node_case != PG_QUERY__NODE__NODE_INDEX_STMT)
        return unknown_syntax(definition);
    PgQuery__IndexStmt *index = stmt->index_stmt;
    bool unique = index->unique;
    tree_walk(stmt, visit, &rename);
    index->idxname = arena_dup(arena, "i");
    plain_table(arena, index->relation);
    if (tablespace != NULL)
        index->table_space = arena_dup(arena, tablespace);
    return write_behind(arena, definition, stmt, &rename,
                        unique ? "CREATE UNIQUE INDEX i ON t " : "CREATE INDEX i ON t ", ret_sql);
}

Err *redefine_constraint_pg(Arena *arena, const char *definition, const ColumnNames *names,
                            const ColumnNames *referenced, const char **ret_sql)
{
    static const char head[] = "ALTER TABLE t ADD CONSTRAINT c ";
    TreeFault fault;
    Rename rename = {.arena = arena, .names = names};
    PgQuery__Node *stmt = tree_parse(arena, arena_printf(arena, "%s%s", head, definition), &fault);
    if (stmt == NULL || stmt->node_case != PG_QUERY__NODE__NODE_ALTER_TABLE_STMT)
        return unknown_syntax(definition);
    const PgQuery__Node *command =
        stmt->alter_table_stmt->n_cmds == 1 ? stmt->alter_table_stmt->cmds[0] : NULL;
    const PgQuery__Node *def = command != NULL ? command->alter_table_cmd->def : NULL;
    if (def == NULL || def->node_case != PG_QUERY__NODE__NODE_CONSTRAINT)
        return unknown_syntax(definition);
    PgQuery__Constraint *constraint = def->constraint;
    if (constraint->raw_expr != NULL)
        tree_walk(constraint->raw_expr, visit, &rename);
    rename_strings(arena, names, constraint->fk_attrs, constraint->n_fk_attrs);
    rename_strings(arena, names, constraint->fk_del_set_cols, constraint->n_fk_del_set_cols);
    rename_strings(arena, referenced, constraint->pk_attrs, constraint->n_pk_attrs);
    constraint->skip_validation = false;
    constraint->initially_valid = true;
    return write_behind(arena, definition, stmt, &rename, head, ret_sql);
}

/* The deparser at hand has no CREATE STATISTICS. NULL where an expression cannot be written. */
static const char *statistics_sql(Arena *arena, const PgQuery__CreateStatsStmt *statistics)
{
    Str sql CLEANUP(str_donep) = STR_INIT, kinds CLEANUP(str_donep) = STR_INIT,
            items CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < statistics->n_stat_types; i++) {
        const char *kind = tree_string_of(statistics->stat_types[i]);
        str_sep(&kinds, ", ");
        sql_add_ident(&kinds, kind != NULL ? kind : "");
    }
    for (size_t i = 0; i < statistics->n_exprs; i++) {
        const PgQuery__StatsElem *item = statistics->exprs[i]->stats_elem;
        const char *expr = item->expr != NULL ? tree_expr_sql(arena, item->expr) : NULL;
        str_sep(&items, ", ");
        if (item->expr == NULL)
            sql_add_ident(&items, item->name);
        else
            str_addf(&items, "(%s)", expr != NULL ? expr : "");
    }
    const PgQuery__RangeVar *table =
        statistics->n_relations == 1 ? statistics->relations[0]->range_var : NULL;
    str_add(&sql, "CREATE STATISTICS ");
    sql_add_name(&sql, tree_string_of(statistics->defnames[0]), tree_string_of(statistics->defnames[1]));
    if (kinds.len > 0)
        str_addf(&sql, " (%s)", kinds.buf);
    str_addf(&sql, " ON %s FROM ", items.buf);
    if (table != NULL)
        sql_add_name(&sql, table->schemaname, table->relname);
    return arena_dup(arena, sql.buf);
}

Err *redefine_statistics_pg(Arena *arena, const char *definition, const Name *name, const ColumnNames *names,
                            const char **ret_sql)
{
    TreeFault fault;
    Rename rename = {.arena = arena, .names = names};
    PgQuery__Node *stmt = tree_parse(arena, definition, &fault);
    if (stmt == NULL || stmt->node_case != PG_QUERY__NODE__NODE_CREATE_STATS_STMT)
        return unknown_syntax(definition);
    PgQuery__CreateStatsStmt *statistics = stmt->create_stats_stmt;
    tree_walk(stmt, visit, &rename);
    statistics->n_defnames = 2;
    statistics->defnames = arena_alloc(arena, 2 * sizeof(PgQuery__Node *));
    statistics->defnames[0] = tree_string(arena, name->schema);
    statistics->defnames[1] = tree_string(arena, name->name);
    *ret_sql = statistics_sql(arena, statistics);
    return rename.whole_row || !tree_is_sql(arena, stmt, *ret_sql)
               ? inexact(definition, "it cannot be written back exactly")
               : NULL;
}

Err *redefine_row_expr_pg(Arena *arena, const char *expr_sql, const char *row, const ColumnNames *names,
                          const char **ret_sql)
{
    TreeFault fault;
    Rename rename = {.arena = arena, .names = names, .row = row};
    PgQuery__Node *expr = tree_parse_expr(arena, expr_sql, &fault);
    if (expr == NULL)
        return unknown_syntax(expr_sql);
    tree_walk(expr, visit, &rename);
    const char *sql = tree_expr_sql(arena, expr);
    if (sql == NULL)
        return inexact(expr_sql, "it cannot be written back exactly");
    *ret_sql = sql;
    return NULL;
}
