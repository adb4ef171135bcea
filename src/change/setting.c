/* Forms of ALTER TABLE that change the catalog alone: settings that no row and no application depends on. */
#include "change/parser.h"
#include "engine/sql.h"

#define COMMAND(x) PG_QUERY__ALTER_TABLE_TYPE__AT_##x

typedef enum Subject { OF_TABLE, OF_COLUMN, OF_TRIGGER, OF_CONSTRAINT, OF_PARENT, OF_STORAGE } Subject;

/* Locks as the manual of ALTER TABLE gives them; SET STORAGE and SET COMPRESSION were looked at on 15, those
 * from ALTER CONSTRAINT on on 10, 15 and 18. What plan/ knows more of is found there by its words. */
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
    {"ALTER CONSTRAINT", "ACCESS EXCLUSIVE", COMMAND(AlterConstraint), OF_CONSTRAINT},
    {"DROP EXPRESSION", "ACCESS EXCLUSIVE", COMMAND(DropExpression), OF_COLUMN},
    {"ADD GENERATED AS IDENTITY", "ACCESS EXCLUSIVE", COMMAND(AddIdentity), OF_COLUMN},
    {"SET GENERATED", "ACCESS EXCLUSIVE", COMMAND(SetIdentity), OF_COLUMN},
    {"DROP IDENTITY", "ACCESS EXCLUSIVE", COMMAND(DropIdentity), OF_COLUMN},
    {"INHERIT", "ACCESS EXCLUSIVE", COMMAND(AddInherit), OF_PARENT},
    {"NO INHERIT", "ACCESS EXCLUSIVE", COMMAND(DropInherit), OF_PARENT},
    {"OF type", "ACCESS EXCLUSIVE", COMMAND(AddOf), OF_TABLE},
    {"NOT OF", "ACCESS EXCLUSIVE", COMMAND(DropOf), OF_TABLE},
    {"SET LOGGED", "ACCESS EXCLUSIVE", COMMAND(SetLogged), OF_STORAGE},
    {"SET UNLOGGED", "ACCESS EXCLUSIVE", COMMAND(SetUnLogged), OF_STORAGE},
    {"SET TABLESPACE", "ACCESS EXCLUSIVE", COMMAND(SetTableSpace), OF_STORAGE},
    {"SET ACCESS METHOD", "ACCESS EXCLUSIVE", COMMAND(SetAccessMethod), OF_STORAGE},
};

/* The role's name; NULL for CURRENT_USER and the like. */
static const char *role_of(const PgQuery__RoleSpec *role)
{
    return role->roletype == PG_QUERY__ROLE_SPEC_TYPE__ROLESPEC_CSTRING ? role->rolename : NULL;
}

static bool read_parent(const Statement *stmt, const PgQuery__AlterTableCmd *command, const Name **ret_name)
{
    Name *name = arena_alloc(stmt->parser->arena, sizeof *name);
    *ret_name = name;
    if (command->def != NULL && command->def->node_case == PG_QUERY__NODE__NODE_RANGE_VAR)
        return parser_relation(stmt, command->def->range_var, name);
    parser_inexact(stmt);
    return false;
}

static const char *constraint_of(const PgQuery__AlterTableCmd *command)
{
    bool there = command->def != NULL && command->def->node_case == PG_QUERY__NODE__NODE_CONSTRAINT;
    return there ? command->def->constraint->conname : NULL;
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
    const char *sql = parser_sql(stmt, alone);
    if (sql == NULL)
        return NULL;
    const Name *parent = NULL;
    if (form->subject == OF_PARENT && !read_parent(stmt, command, &parent))
        return NULL;
    Operation *operation = parser_add(stmt, OPERATION_SETTING, sql);
    operation->names = parent;
    operation->name_count = parent != NULL ? 1 : 0;
    operation->rewrites = form->subject == OF_STORAGE; /* all of it is written anew */
    operation->constraint_name = form->subject == OF_CONSTRAINT ? constraint_of(command) : NULL;
    operation->part_if_exists = command->missing_ok;
    operation->words = form->words;
    operation->lock = form->lock;
    operation->new_name = command->newowner != NULL ? role_of(command->newowner) : NULL;
    operation->column = form->subject == OF_COLUMN ? command->name : NULL;
    operation->trigger = form->subject == OF_TRIGGER ? command->name : NULL;
    return operation;
}
