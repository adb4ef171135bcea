/* Forms of ALTER TABLE and ALTER INDEX that change the catalog alone: settings and names that no row and no
 * application depends on. */
#include "change/parser.h"
#include "engine/sql.h"

#define COMMAND(x) PG_QUERY__ALTER_TABLE_TYPE__AT_##x

typedef enum Subject { OF_TABLE, OF_COLUMN, OF_TRIGGER } Subject;

/* Locks as the manual of ALTER TABLE gives them; SET STORAGE and SET COMPRESSION were looked at on 15. */
static const struct Form {
    PgQuery__AlterTableType type;
    const char *words, *lock;
    Subject subject;
} forms[] = {
    {COMMAND(SetStatistics), "SET STATISTICS", "SHARE UPDATE EXCLUSIVE", OF_COLUMN},
    {COMMAND(SetOptions), "SET (options)", "SHARE UPDATE EXCLUSIVE", OF_COLUMN},
    {COMMAND(ResetOptions), "RESET (options)", "SHARE UPDATE EXCLUSIVE", OF_COLUMN},
    {COMMAND(SetStorage), "SET STORAGE", "ACCESS EXCLUSIVE", OF_COLUMN},
    {COMMAND(SetCompression), "SET COMPRESSION", "ACCESS EXCLUSIVE", OF_COLUMN},
    {COMMAND(ClusterOn), "CLUSTER ON", "SHARE UPDATE EXCLUSIVE", OF_TABLE},
    {COMMAND(DropCluster), "SET WITHOUT CLUSTER", "SHARE UPDATE EXCLUSIVE", OF_TABLE},
    {COMMAND(SetRelOptions), "SET (storage parameters)", "SHARE UPDATE EXCLUSIVE", OF_TABLE},
    {COMMAND(ResetRelOptions), "RESET (storage parameters)", "SHARE UPDATE EXCLUSIVE", OF_TABLE},
    {COMMAND(ReplicaIdentity), "REPLICA IDENTITY", "ACCESS EXCLUSIVE", OF_TABLE},
    {COMMAND(EnableTrig), "ENABLE TRIGGER", "SHARE ROW EXCLUSIVE", OF_TRIGGER},
    {COMMAND(EnableAlwaysTrig), "ENABLE ALWAYS TRIGGER", "SHARE ROW EXCLUSIVE", OF_TRIGGER},
    {COMMAND(EnableReplicaTrig), "ENABLE REPLICA TRIGGER", "SHARE ROW EXCLUSIVE", OF_TRIGGER},
    {COMMAND(DisableTrig), "DISABLE TRIGGER", "SHARE ROW EXCLUSIVE", OF_TRIGGER},
};

Operation *parse_setting(const Statement *stmt, PgQuery__Node *alone, const PgQuery__AlterTableCmd *command)
{
    const struct Form *form = NULL;
    for (size_t i = 0; i < ARRAY_LEN(forms) && form == NULL; i++)
        form = forms[i].type == command->subtype ? &forms[i] : NULL;
    if (form == NULL) {
        refuse_alter(stmt, command->subtype);
        return NULL;
    }
    const char *sql = tree_sql(stmt->parser->arena, alone);
    if (sql == NULL) {
        parser_inexact(stmt);
        return NULL;
    }
    Operation *operation = parser_add(stmt, OPERATION_SETTING, sql);
    operation->words = form->words;
    operation->lock = form->lock;
    operation->column = form->subject == OF_COLUMN ? command->name : NULL;
    operation->trigger = form->subject == OF_TRIGGER ? command->name : NULL;
    return operation;
}

void parse_rename(const Statement *stmt)
{
    const PgQuery__RenameStmt *node = stmt->node->rename_stmt;
    bool index = node->rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX;
    bool constraint = node->rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_TABCONSTRAINT;
    Name name;
    if (!index && !constraint) {
        refuse_statement(stmt);
        return;
    }
    if (!parser_relation(stmt, node->relation, &name))
        return;
    Arena *arena = stmt->parser->arena;
    const char *on = sql_name(arena, name.schema, name.name), *to = sql_ident(arena, node->newname);
    const char *quiet = node->missing_ok ? "IF EXISTS " : "";
    const char *sql =
        index ? arena_printf(arena, "ALTER INDEX %s%s RENAME TO %s", quiet, on, to)
              : arena_printf(arena, "ALTER TABLE %s%s%s RENAME CONSTRAINT %s TO %s", quiet,
                             node->relation->inh ? "" : "ONLY ", on, sql_ident(arena, node->subname), to);
    if (!tree_is_sql(arena, stmt->node, sql)) {
        parser_inexact(stmt);
        return;
    }
    Operation *operation = parser_add(stmt, OPERATION_RENAME, sql);
    operation->table = name;
    operation->on_index = index;
    operation->if_exists = node->missing_ok;
    operation->only = !node->relation->inh;
    operation->constraint_name = constraint ? node->subname : NULL;
    operation->new_name = node->newname;
}
