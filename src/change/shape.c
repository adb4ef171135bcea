/* Statements that change or take away what applications name: types, names, columns, constraints, tables. */
#include "change/parser.h"
#include "engine/sql.h"

#define COMMAND(x) PG_QUERY__ALTER_TABLE_TYPE__AT_##x
#define OBJECT(x)  PG_QUERY__OBJECT_TYPE__OBJECT_##x

static const char *collation_of(Arena *arena, const PgQuery__CollateClause *clause)
{
    if (clause == NULL)
        return NULL;
    Str name CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < clause->n_collname; i++) {
        const char *word = tree_string_of(clause->collname[i]);
        str_sep(&name, ".");
        sql_add_ident(&name, word == NULL ? "" : word);
    }
    return arena_dup(arena, name.buf);
}

static Operation *change_type(const Statement *stmt, const PgQuery__AlterTableCmd *command, const char *sql)
{
    Arena *arena = stmt->parser->arena;
    const PgQuery__ColumnDef *def = command->def != NULL ? command->def->column_def : NULL;
    const char *type = def != NULL ? parse_type(arena, def->type_name) : NULL;
    const char *using_sql =
        def != NULL && def->raw_default != NULL ? tree_expr_sql(arena, def->raw_default) : NULL;
    if (type == NULL || (def->raw_default != NULL && using_sql == NULL)) {
        parser_inexact(stmt);
        return NULL;
    }
    Operation *operation = parser_add(stmt, OPERATION_CHANGE_TYPE, sql);
    operation->type_sql = type;
    operation->using_sql = using_sql;
    operation->collation_sql = collation_of(arena, def->coll_clause);
    operation->column = command->name;
    return operation;
}

bool parse_shape(const Statement *stmt, PgQuery__Node *alone, const PgQuery__AlterTableCmd *command,
                 Operation **ret_operation)
{
    bool type = command->subtype == COMMAND(AlterColumnType);
    bool column = command->subtype == COMMAND(DropColumn);
    if (!type && !column && command->subtype != COMMAND(DropConstraint))
        return false;
    *ret_operation = NULL;
    const char *sql = parser_sql(stmt, alone);
    if (sql == NULL)
        return true;
    if (type) {
        *ret_operation = change_type(stmt, command, sql);
        return true;
    }
    Operation *operation = parser_add(stmt, column ? OPERATION_DROP_COLUMN : OPERATION_DROP_CONSTRAINT, sql);
    operation->column = column ? command->name : NULL;
    operation->constraint_name = column ? NULL : command->name;
    operation->part_if_exists = command->missing_ok;
    operation->cascade = command->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
    *ret_operation = operation;
    return true;
}

/* ---- names ---------------------------------------------------------------------------------- */

static OperationKind rename_kind(const PgQuery__RenameStmt *node)
{
    if (node->rename_type == OBJECT(COLUMN) && node->relation_type == OBJECT(TABLE))
        return OPERATION_RENAME_COLUMN;
    if (node->rename_type == OBJECT(TABLE))
        return OPERATION_RENAME_TABLE;
    bool part = node->rename_type == OBJECT(INDEX) || node->rename_type == OBJECT(TABCONSTRAINT);
    return part ? OPERATION_RENAME : OPERATION_COUNT;
}

void parse_rename(const Statement *stmt)
{
    const PgQuery__RenameStmt *node = stmt->node->rename_stmt;
    OperationKind kind = rename_kind(node);
    Name name;
    if (kind == OPERATION_COUNT) {
        if (!parse_native(stmt))
            refuse_statement(stmt);
        return;
    }
    if (!parser_relation(stmt, node->relation, &name))
        return;
    const char *sql = parser_sql(stmt, stmt->node);
    if (sql == NULL)
        return;
    Operation *operation = parser_add(stmt, kind, sql);
    operation->table = name;
    operation->on_index = node->rename_type == OBJECT(INDEX);
    operation->if_exists = node->missing_ok;
    operation->only = !node->relation->inh;
    operation->constraint_name = node->rename_type == OBJECT(TABCONSTRAINT) ? node->subname : NULL;
    operation->column = kind == OPERATION_RENAME_COLUMN ? node->subname : NULL;
    operation->new_name = node->newname;
}

void parse_set_schema(const Statement *stmt)
{
    const PgQuery__AlterObjectSchemaStmt *node = stmt->node->alter_object_schema_stmt;
    Name name;
    if (node->object_type != OBJECT(TABLE)) {
        if (!parse_native(stmt))
            refuse_statement(stmt);
        return;
    }
    if (!parser_relation(stmt, node->relation, &name))
        return;
    const char *sql = parser_sql(stmt, stmt->node);
    if (sql == NULL)
        return;
    Operation *operation = parser_add(stmt, OPERATION_SET_SCHEMA, sql);
    operation->table = name;
    operation->if_exists = node->missing_ok;
    operation->new_name = node->newschema;
}

/* ---- tables --------------------------------------------------------------------------------- */

static void drop_table(const Statement *stmt, PgQuery__Node *alone, const Name *name)
{
    const char *sql = parser_sql(stmt, alone);
    if (sql == NULL)
        return;
    Operation *operation = parser_add(stmt, OPERATION_DROP_TABLE, sql);
    operation->table = *name;
    operation->if_exists = alone->drop_stmt->missing_ok;
    operation->cascade = alone->drop_stmt->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
}

void parse_drop_table(const Statement *stmt) { parse_drops(stmt, drop_table); }
