/* CREATE INDEX, DROP INDEX and COMMENT ON. */
#include "change/parser.h"
#include "engine/sql.h"

#include <string.h>

/* What follows "ON table ", written by the deparser for a nameless index on t. */
static const char *index_definition(Arena *arena, const PgQuery__IndexStmt *node)
{
    static const char head[] = "CREATE INDEX ON t ";
    TreeFault fault;
    PgQuery__Node *plain = tree_parse(arena, "CREATE INDEX ON t (c)", &fault);
    if (plain == NULL)
        return NULL;
    PgQuery__IndexStmt copy = *node;
    static char none[] = "";
    copy.idxname = none;
    copy.relation = plain->index_stmt->relation;
    copy.unique = copy.concurrent = copy.if_not_exists = 0;
    plain->index_stmt = &copy;
    const char *sql = tree_sql(arena, plain);
    return sql == NULL || !str_starts(sql, head) ? NULL : sql + sizeof head - 1;
}

static void read_elements(Arena *arena, const PgQuery__IndexStmt *node, IndexSpec *spec)
{
    const char **columns = arena_alloc(arena, (node->n_index_params + 1) * sizeof *columns);
    for (size_t i = 0; i < node->n_index_params; i++) {
        const PgQuery__Node *param = node->index_params[i];
        bool named = param->node_case == PG_QUERY__NODE__NODE_INDEX_ELEM && param->index_elem->expr == NULL;
        columns[i] = named ? param->index_elem->name : NULL;
    }
    spec->columns = columns;
    spec->column_count = node->n_index_params;
}

void parse_create_index(const Statement *stmt)
{
    const PgQuery__IndexStmt *node = stmt->node->index_stmt;
    Arena *arena = stmt->parser->arena;
    Name table;
    if (!parser_relation(stmt, node->relation, &table))
        return;
    IndexSpec *spec = arena_alloc(arena, sizeof *spec);
    *spec = (IndexSpec){.name = node->idxname[0] == '\0' ? NULL : node->idxname,
                        .unique = node->unique,
                        .concurrently = node->concurrent,
                        .if_not_exists = node->if_not_exists,
                        .definition_sql = index_definition(arena, node)};
    read_elements(arena, node, spec);
    const char *sql =
        spec->definition_sql == NULL
            ? NULL
            : arena_printf(arena, "CREATE %sINDEX %s%s%s%sON %s%s %s", spec->unique ? "UNIQUE " : "",
                           spec->concurrently ? "CONCURRENTLY " : "",
                           spec->if_not_exists ? "IF NOT EXISTS " : "",
                           spec->name == NULL ? "" : sql_ident(arena, spec->name),
                           spec->name == NULL ? "" : " ", node->relation->inh ? "" : "ONLY ",
                           sql_name(arena, table.schema, table.name), spec->definition_sql);
    if (!tree_is_sql(arena, stmt->node, sql)) {
        parser_inexact(stmt);
        return;
    }
    Operation *operation = parser_add(stmt, OPERATION_CREATE_INDEX, sql);
    operation->table = table;
    operation->index = spec;
    operation->only = !node->relation->inh;
}

void parse_drops(const Statement *stmt, DropOne *one)
{
    const PgQuery__DropStmt *node = stmt->node->drop_stmt;
    for (size_t i = 0; i < node->n_objects; i++) {
        const PgQuery__Node *object = node->objects[i];
        Name name;
        if (object->node_case != PG_QUERY__NODE__NODE_LIST) {
            parser_inexact(stmt);
            continue;
        }
        if (!parser_dotted(stmt, object->list->items, object->list->n_items, &name))
            continue;
        PgQuery__DropStmt single = *node;
        PgQuery__Node alone = *stmt->node;
        single.n_objects = 1;
        single.objects = &node->objects[i];
        alone.drop_stmt = &single;
        one(stmt, &alone, &name);
    }
}

static void drop_index(const Statement *stmt, PgQuery__Node *alone, const Name *name)
{
    const PgQuery__DropStmt *node = alone->drop_stmt;
    Arena *arena = stmt->parser->arena;
    bool cascade = node->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
    const char *sql = arena_printf(arena, "DROP INDEX %s%s%s%s", node->concurrent ? "CONCURRENTLY " : "",
                                   node->missing_ok ? "IF EXISTS " : "",
                                   sql_name(arena, name->schema, name->name), cascade ? " CASCADE" : "");
    if (!tree_is_sql(arena, alone, sql)) {
        parser_inexact(stmt);
        return;
    }
    Operation *operation = parser_add(stmt, OPERATION_DROP_INDEX, sql);
    operation->table = *name;
    operation->on_index = true;
    operation->if_exists = node->missing_ok;
    operation->concurrently = node->concurrent;
    operation->cascade = cascade;
}

void parse_drop_index(const Statement *stmt) { parse_drops(stmt, drop_index); }

void parse_comment(const Statement *stmt)
{
    const PgQuery__CommentStmt *node = stmt->node->comment_stmt;
    PgQuery__ObjectType type = node->objtype;
    bool on_column = type == PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN;
    bool on_constraint = type == PG_QUERY__OBJECT_TYPE__OBJECT_TABCONSTRAINT;
    bool on_index = type == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX;
    if (!on_column && !on_constraint && !on_index && type != PG_QUERY__OBJECT_TYPE__OBJECT_TABLE) {
        if (!parse_native(stmt))
            refuse_statement(stmt);
        return;
    }
    if (node->object == NULL || node->object->node_case != PG_QUERY__NODE__NODE_LIST) {
        parser_inexact(stmt);
        return;
    }
    PgQuery__Node **words = node->object->list->items;
    size_t count = node->object->list->n_items;
    size_t parts = on_column || on_constraint;
    if (count <= parts) {
        parser_problem(stmt->parser, ERR_USAGE, stmt->start, "write table.column",
                       "the comment's column lacks its table");
        return;
    }
    Name name;
    if (!parser_dotted(stmt, words, count - parts, &name))
        return;
    const char *sql = parser_sql(stmt, stmt->node);
    if (sql == NULL)
        return;
    Operation *operation = parser_add(stmt, OPERATION_COMMENT, sql);
    operation->table = name;
    operation->on_index = on_index;
    if (on_column)
        operation->column = tree_string_of(words[count - 1]);
    if (on_constraint)
        operation->constraint_name = tree_string_of(words[count - 1]);
}
