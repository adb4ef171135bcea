/* ALTER TABLE: one operation for each of its commands. */
#include "change/parser.h"
#include "engine/sql.h"

typedef struct Alter {
    const Statement *stmt;
    Arena *arena;
    const char *head; /* "ALTER TABLE IF EXISTS ONLY s.t " */
    Name table;
    PgQuery__Node *alone; /* the statement with this command only, to compare with */
    PgQuery__AlterTableCmd *command;
} Alter;

static Operation *alter_add(const Alter *alter, OperationKind kind, const char *sql)
{
    const PgQuery__AlterTableStmt *node = alter->stmt->node->alter_table_stmt;
    Operation *operation = parser_add(alter->stmt, kind, sql);
    operation->table = alter->table;
    operation->if_exists = node->missing_ok;
    operation->only = !node->relation->inh;
    return operation;
}

/* The command's canonical text, checked to mean the same; NULL with a problem. */
static const char *checked(const Alter *alter, const char *sql)
{
    if (tree_is_sql(alter->arena, alter->alone, sql))
        return sql;
    parser_inexact(alter->stmt);
    return NULL;
}

static void add_column(const Alter *alter)
{
    if (alter->command->def == NULL || alter->command->def->node_case != PG_QUERY__NODE__NODE_COLUMN_DEF) {
        parser_inexact(alter->stmt);
        return;
    }
    ColumnSpec *spec = arena_alloc(alter->arena, sizeof *spec);
    const char *text;
    if (!parse_column(alter->stmt, alter->command->def->column_def, spec, &text))
        return;
    bool quiet = alter->command->missing_ok;
    const char *sql = checked(alter, arena_printf(alter->arena, "%sADD COLUMN %s%s", alter->head,
                                                  quiet ? "IF NOT EXISTS " : "", text));
    if (sql == NULL)
        return;
    Operation *operation = alter_add(alter, OPERATION_ADD_COLUMN, sql);
    operation->add = spec;
    operation->column = spec->name;
    operation->if_not_exists = quiet;
}

static void add_constraint(const Alter *alter)
{
    if (alter->command->def == NULL || alter->command->def->node_case != PG_QUERY__NODE__NODE_CONSTRAINT) {
        parser_inexact(alter->stmt);
        return;
    }
    ConstraintSpec *spec = arena_alloc(alter->arena, sizeof *spec);
    if (!parse_constraint(alter->stmt, alter->command->def->constraint, NULL, spec))
        return;
    const char *name = spec->name == NULL ? ""
                                          : arena_printf(alter->arena, "CONSTRAINT %s ",
                                                         sql_ident(alter->arena, spec->name));
    const char *definition = spec->definition_sql;
    if (spec->index_name != NULL)
        definition = arena_printf(alter->arena, "%s USING INDEX %s%s",
                                  spec->kind == CONSTRAINT_UNIQUE ? "UNIQUE" : "PRIMARY KEY",
                                  sql_ident(alter->arena, spec->index_name), spec->suffix_sql);
    const char *sql = checked(alter, arena_printf(alter->arena, "%sADD %s%s%s", alter->head, name, definition,
                                                  spec->not_valid ? " NOT VALID" : ""));
    if (sql == NULL)
        return;
    alter_add(alter, OPERATION_ADD_CONSTRAINT, sql)->constraint = spec;
}

static void alter_column(const Alter *alter, OperationKind kind)
{
    const char *default_sql = NULL;
    if (kind == OPERATION_SET_DEFAULT) {
        default_sql = tree_expr_sql(alter->arena, alter->command->def);
        if (default_sql == NULL) {
            parser_inexact(alter->stmt);
            return;
        }
    }
    static const struct {
        OperationKind kind;
        const char *words;
    } tails[] = {{OPERATION_SET_NOT_NULL, "SET NOT NULL"},
                 {OPERATION_DROP_NOT_NULL, "DROP NOT NULL"},
                 {OPERATION_SET_DEFAULT, "SET DEFAULT "},
                 {OPERATION_DROP_DEFAULT, "DROP DEFAULT"}};
    const char *words = "";
    for (size_t i = 0; i < ARRAY_LEN(tails); i++)
        if (tails[i].kind == kind)
            words = tails[i].words;
    const char *sql = checked(alter, arena_printf(alter->arena, "%sALTER COLUMN %s %s%s", alter->head,
                                                  sql_ident(alter->arena, alter->command->name), words,
                                                  default_sql == NULL ? "" : default_sql));
    if (sql == NULL)
        return;
    Operation *operation = alter_add(alter, kind, sql);
    operation->column = alter->command->name;
    operation->default_sql = default_sql;
}

static void validate_constraint(const Alter *alter)
{
    const char *sql = checked(alter, arena_printf(alter->arena, "%sVALIDATE CONSTRAINT %s", alter->head,
                                                  sql_ident(alter->arena, alter->command->name)));
    if (sql != NULL)
        alter_add(alter, OPERATION_VALIDATE_CONSTRAINT, sql)->constraint_name = alter->command->name;
}

/* Commands that are kept as they are written. */
static void alter_whole(const Alter *alter)
{
    const PgQuery__AlterTableStmt *node = alter->stmt->node->alter_table_stmt;
    Operation *operation = NULL;
    if (!parse_shape(alter->stmt, alter->alone, alter->command, &operation) &&
        !parse_partition_command(alter->stmt, alter->alone, alter->command, &operation))
        operation = parse_setting(alter->stmt, alter->alone, alter->command);
    if (operation == NULL)
        return;
    operation->table = alter->table;
    operation->if_exists = node->missing_ok;
    operation->only = !node->relation->inh;
}

static void alter_command(const Alter *alter)
{
    PgQuery__AlterTableType type = alter->command->subtype;
    if (type == PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn)
        add_column(alter);
    else if (type == PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint)
        add_constraint(alter);
    else if (type == PG_QUERY__ALTER_TABLE_TYPE__AT_SetNotNull)
        alter_column(alter, OPERATION_SET_NOT_NULL);
    else if (type == PG_QUERY__ALTER_TABLE_TYPE__AT_DropNotNull)
        alter_column(alter, OPERATION_DROP_NOT_NULL);
    else if (type == PG_QUERY__ALTER_TABLE_TYPE__AT_ColumnDefault)
        alter_column(alter, alter->command->def != NULL ? OPERATION_SET_DEFAULT : OPERATION_DROP_DEFAULT);
    else if (type == PG_QUERY__ALTER_TABLE_TYPE__AT_ValidateConstraint)
        validate_constraint(alter);
    else
        alter_whole(alter);
}

void parse_alter_table(const Statement *stmt)
{
    PgQuery__AlterTableStmt *node = stmt->node->alter_table_stmt;
    Arena *arena = stmt->parser->arena;
    if (node->objtype != PG_QUERY__OBJECT_TYPE__OBJECT_TABLE) {
        if (!parse_native(stmt))
            refuse_statement(stmt);
        return;
    }
    Alter alter = {.stmt = stmt, .arena = arena};
    if (!parser_relation(stmt, node->relation, &alter.table))
        return;
    alter.head = arena_printf(arena, "ALTER TABLE %s%s%s ", node->missing_ok ? "IF EXISTS " : "",
                              node->relation->inh ? "" : "ONLY ",
                              sql_name(arena, alter.table.schema, alter.table.name));
    PgQuery__AlterTableStmt one = *node;
    PgQuery__Node alone = *stmt->node;
    alone.alter_table_stmt = &one;
    alter.alone = &alone;
    for (size_t i = 0; i < node->n_cmds; i++) {
        one.n_cmds = 1;
        one.cmds = &node->cmds[i];
        alter.command = node->cmds[i]->alter_table_cmd;
        alter_command(&alter);
    }
}
