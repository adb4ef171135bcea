/* Forms of ALTER TABLE that change the catalog alone: settings that no row and no application depends on. */
#include "change/parser.h"
#include "engine/sql.h"

#define COMMAND(x) PG_QUERY__ALTER_TABLE_TYPE__AT_##x

typedef enum Subject { OF_TABLE, OF_COLUMN, OF_TRIGGER } Subject;

/* Locks as the manual of ALTER TABLE gives them; SET STORAGE and SET COMPRESSION were looked at on 15. */
static const struct Form {
    const char *words, *lock;
    PgQuery__AlterTableType type;
    Subject subject;
} forms[] = {
    {"SET STATISTICS", "SHARE UPDATE EXCLUSIVE", COMMAND(SetStatistics), OF_COLUMN},
    {"SET (options)", "SHARE UPDATE EXCLUSIVE", COMMAND(SetOptions), OF_COLUMN},
    {"RESET (options)", "SHARE UPDATE EXCLUSIVE", COMMAND(ResetOptions), OF_COLUMN},
    {"SET STORAGE", "ACCESS EXCLUSIVE", COMMAND(SetStorage), OF_COLUMN},
    {"SET COMPRESSION", "ACCESS EXCLUSIVE", COMMAND(SetCompression), OF_COLUMN},
    {"CLUSTER ON", "SHARE UPDATE EXCLUSIVE", COMMAND(ClusterOn), OF_TABLE},
    {"SET WITHOUT CLUSTER", "SHARE UPDATE EXCLUSIVE", COMMAND(DropCluster), OF_TABLE},
    {"SET (storage parameters)", "SHARE UPDATE EXCLUSIVE", COMMAND(SetRelOptions), OF_TABLE},
    {"RESET (storage parameters)", "SHARE UPDATE EXCLUSIVE", COMMAND(ResetRelOptions), OF_TABLE},
    {"REPLICA IDENTITY", "ACCESS EXCLUSIVE", COMMAND(ReplicaIdentity), OF_TABLE},
    {"ENABLE TRIGGER", "SHARE ROW EXCLUSIVE", COMMAND(EnableTrig), OF_TRIGGER},
    {"ENABLE ALWAYS TRIGGER", "SHARE ROW EXCLUSIVE", COMMAND(EnableAlwaysTrig), OF_TRIGGER},
    {"ENABLE REPLICA TRIGGER", "SHARE ROW EXCLUSIVE", COMMAND(EnableReplicaTrig), OF_TRIGGER},
    {"DISABLE TRIGGER", "SHARE ROW EXCLUSIVE", COMMAND(DisableTrig), OF_TRIGGER},
    {"ENABLE RULE", "ACCESS EXCLUSIVE", COMMAND(EnableRule), OF_TABLE},
    {"ENABLE ALWAYS RULE", "ACCESS EXCLUSIVE", COMMAND(EnableAlwaysRule), OF_TABLE},
    {"ENABLE REPLICA RULE", "ACCESS EXCLUSIVE", COMMAND(EnableReplicaRule), OF_TABLE},
    {"DISABLE RULE", "ACCESS EXCLUSIVE", COMMAND(DisableRule), OF_TABLE},
    {"ENABLE ROW LEVEL SECURITY", "ACCESS EXCLUSIVE", COMMAND(EnableRowSecurity), OF_TABLE},
    {"DISABLE ROW LEVEL SECURITY", "ACCESS EXCLUSIVE", COMMAND(DisableRowSecurity), OF_TABLE},
    {"FORCE ROW LEVEL SECURITY", "ACCESS EXCLUSIVE", COMMAND(ForceRowSecurity), OF_TABLE},
    {"NO FORCE ROW LEVEL SECURITY", "ACCESS EXCLUSIVE", COMMAND(NoForceRowSecurity), OF_TABLE},
    {"OWNER TO", "ACCESS EXCLUSIVE", COMMAND(ChangeOwner), OF_TABLE},
    {"ALTER CONSTRAINT", "ACCESS EXCLUSIVE", COMMAND(AlterConstraint), OF_TABLE},
    {"DROP EXPRESSION", "ACCESS EXCLUSIVE", COMMAND(DropExpression), OF_COLUMN},
    {"ADD GENERATED AS IDENTITY", "ACCESS EXCLUSIVE", COMMAND(AddIdentity), OF_COLUMN},
    {"SET GENERATED", "ACCESS EXCLUSIVE", COMMAND(SetIdentity), OF_COLUMN},
    {"DROP IDENTITY", "ACCESS EXCLUSIVE", COMMAND(DropIdentity), OF_COLUMN},
    {"OF type", "ACCESS EXCLUSIVE", COMMAND(AddOf), OF_TABLE},
    {"NOT OF", "ACCESS EXCLUSIVE", COMMAND(DropOf), OF_TABLE},
};

/* The role's name; NULL for CURRENT_USER and the like. */
static const char *role_of(const PgQuery__RoleSpec *role)
{
    return role->roletype == PG_QUERY__ROLE_SPEC_TYPE__ROLESPEC_CSTRING ? role->rolename : NULL;
}

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
    operation->new_name = command->newowner != NULL ? role_of(command->newowner) : NULL;
    operation->column = form->subject == OF_COLUMN ? command->name : NULL;
    operation->trigger = form->subject == OF_TRIGGER ? command->name : NULL;
    return operation;
}
