/* ALTER TABLE and its kin: one act for each action. */
#include "base/str.h"
#include "change/act_pg.h"

#include <string.h>

#define AT(x) PG_QUERY__ALTER_TABLE_TYPE__AT_##x

/* What needs no look at its definition. */
static const struct {
    PgQuery__AlterTableType type;
    ActKind kind;
    unsigned flags;
    const char *value;
} plain[] = {
    {AT(DropColumn), ACT_DROP_COLUMN, 0, NULL},
    {AT(SetNotNull), ACT_SET_NOT_NULL, 0, NULL},
    {AT(DropNotNull), ACT_DROP_NOT_NULL, 0, NULL},
    {AT(DropExpression), ACT_ALTER_OTHER, 0, "DROP EXPRESSION"},
    {AT(SetStatistics), ACT_SET_STATISTICS, 0, "STATISTICS"},
    {AT(SetOptions), ACT_SET_STATISTICS, 0, "column options"},
    {AT(ResetOptions), ACT_SET_STATISTICS, 0, "column options"},
    {AT(SetStorage), ACT_SET_STORAGE, 0, "STORAGE"},
    {AT(SetCompression), ACT_SET_STORAGE, 0, "COMPRESSION"},
    {AT(ValidateConstraint), ACT_VALIDATE, 0, NULL},
    {AT(DropConstraint), ACT_DROP_CONSTRAINT, 0, NULL},
    {AT(AlterConstraint), ACT_ALTER_CONSTRAINT, 0, NULL},
    {AT(AddIdentity), ACT_ADD_IDENTITY, 0, NULL},
    {AT(SetLogged), ACT_SET_LOGGED, 0, "LOGGED"},
    {AT(SetUnLogged), ACT_SET_LOGGED, 0, "UNLOGGED"},
    {AT(SetTableSpace), ACT_SET_TABLESPACE, 0, NULL},
    {AT(SetAccessMethod), ACT_SET_ACCESS_METHOD, 0, NULL},
    {AT(SetRelOptions), ACT_SET_OPTIONS, 0, NULL},
    {AT(ResetRelOptions), ACT_SET_OPTIONS, 0, NULL},
    {AT(EnableTrig), ACT_TRIGGER_STATE, 0, "ENABLE TRIGGER"},
    {AT(EnableAlwaysTrig), ACT_TRIGGER_STATE, 0, "ENABLE ALWAYS TRIGGER"},
    {AT(EnableReplicaTrig), ACT_TRIGGER_STATE, 0, "ENABLE REPLICA TRIGGER"},
    {AT(DisableTrig), ACT_TRIGGER_STATE, ACT_DROPS, "DISABLE TRIGGER"},
    {AT(EnableTrigAll), ACT_TRIGGER_STATE, 0, "ENABLE TRIGGER ALL"},
    {AT(DisableTrigAll), ACT_TRIGGER_STATE, ACT_DROPS | ACT_FULL, "DISABLE TRIGGER ALL"},
    {AT(EnableTrigUser), ACT_TRIGGER_STATE, 0, "ENABLE TRIGGER USER"},
    {AT(DisableTrigUser), ACT_TRIGGER_STATE, ACT_DROPS, "DISABLE TRIGGER USER"},
    {AT(EnableRowSecurity), ACT_ROW_SECURITY, 0, "ENABLE"},
    {AT(DisableRowSecurity), ACT_ROW_SECURITY, ACT_DROPS, "DISABLE"},
    {AT(ForceRowSecurity), ACT_ROW_SECURITY, 0, "FORCE"},
    {AT(NoForceRowSecurity), ACT_ROW_SECURITY, ACT_DROPS, "NO FORCE"},
    {AT(ReplicaIdentity), ACT_TABLE_LINK, 0, "REPLICA IDENTITY"},
    {AT(AddOf), ACT_TABLE_LINK, 0, "OF"},
    {AT(DropOf), ACT_TABLE_LINK, 0, "NOT OF"},
    {AT(AddInherit), ACT_TABLE_LINK, 0, "INHERIT"},
    {AT(DropInherit), ACT_TABLE_LINK, 0, "NO INHERIT"},
};

/* ---- where each action stands --------------------------------------------------------------- */

typedef VEC(PgComment) Parts;

/* The actions of the statement, at commas outside of parentheses and brackets. */
static Parts parts_of(const ActReader *reader)
{
    Parts parts = {0};
    const char *sql = reader->sql;
    size_t len = strlen(sql), at = 0, begin = SIZE_MAX, last = 0;
    int depth = 0, words = 0;
    bool named = false, dotted = false;
    for (;;) {
        PgLexeme lexeme = pg_lexeme_code(sql, at, len);
        char symbol = pg_lexeme_symbol(sql, &lexeme);
        bool end = lexeme.kind == PG_LEXEME_END;
        if (begin != SIZE_MAX && (end || (depth == 0 && symbol == ','))) {
            *vec_push(reader->scratch, &parts) = (PgComment){begin, last};
            begin = SIZE_MAX;
        } else if (named && begin == SIZE_MAX && symbol != '*' && symbol != '.' && !dotted) {
            begin = lexeme.start; /* behind the name, or behind a comma */
        } else if (!named) {
            /* ALTER [FOREIGN | MATERIALIZED] TABLE [IF EXISTS] [ONLY] name */
            bool skip = words == 0 || pg_lexeme_is(sql, &lexeme, "table") ||
                        pg_lexeme_is(sql, &lexeme, "if") || pg_lexeme_is(sql, &lexeme, "exists") ||
                        pg_lexeme_is(sql, &lexeme, "only") || pg_lexeme_is(sql, &lexeme, "view") ||
                        pg_lexeme_is(sql, &lexeme, "index") || pg_lexeme_is(sql, &lexeme, "foreign") ||
                        pg_lexeme_is(sql, &lexeme, "materialized") || pg_lexeme_is(sql, &lexeme, "sequence");
            named = !skip;
            words++;
        }
        if (end)
            return parts;
        dotted = symbol == '.';
        depth += symbol == '(' || symbol == '[' ? 1 : symbol == ')' || symbol == ']' ? -1 : 0;
        at = last = lexeme.end;
    }
}

/* ---- actions -------------------------------------------------------------------------------- */

static const ActColumn *keep_column(ActReader *reader, const PgQuery__ColumnDef *def)
{
    ActColumn *column = arena_alloc(reader->arena, sizeof *column);
    act_read_column(reader, def, column);
    return column;
}

static void read_change_type(ActReader *reader, const PgQuery__AlterTableCmd *cmd, Act *act)
{
    act->kind = ACT_CHANGE_TYPE;
    if (cmd->def == NULL || cmd->def->node_case != NODE(COLUMN_DEF))
        return;
    act->column = keep_column(reader, cmd->def->column_def);
    if (cmd->def->column_def->raw_default != NULL)
        act->flags |= ACT_USING;
}

static void read_options(ActReader *reader, const PgQuery__AlterTableCmd *cmd, Act *act)
{
    const PgQuery__Node *list = cmd->def;
    for (size_t i = 0; list != NULL && list->node_case == NODE(LIST) && i < list->list->n_items; i++) {
        const PgQuery__Node *item = list->list->items[i];
        const char *name = item->node_case == NODE(DEF_ELEM) ? item->def_elem->defname : NULL;
        if (act->value == NULL || str_eq(name, "user_catalog_table"))
            act->value = act_keep(reader, name);
    }
}

static void read_partition(ActReader *reader, const PgQuery__AlterTableCmd *cmd, Act *act)
{
    bool attach = cmd->subtype == AT(AttachPartition);
    act->kind = attach ? ACT_ATTACH : ACT_DETACH;
    if (cmd->def == NULL || cmd->def->node_case != NODE(PARTITION_CMD))
        return;
    const PgQuery__PartitionCmd *part = cmd->def->partition_cmd;
    act->other = act_relation(reader, part->name);
    act->flags |= part->concurrent ? ACT_CONCURRENTLY : 0;
    act->flags |= cmd->subtype == AT(DetachPartitionFinalize) ? ACT_FINALIZE : 0;
    act->flags |= part->bound != NULL && part->bound->is_default ? ACT_DEFAULT_PARTITION : 0;
}

static void read_constraint(ActReader *reader, const PgQuery__AlterTableCmd *cmd, Act *act)
{
    ActConstraint *spec = arena_alloc(reader->arena, sizeof *spec);
    if (cmd->def == NULL || cmd->def->node_case != NODE(CONSTRAINT) ||
        !act_read_constraint(reader, cmd->def->constraint, spec)) {
        act->kind = ACT_ALTER_OTHER;
        return;
    }
    act->kind = ACT_ADD_CONSTRAINT;
    act->constraint = spec;
    act->name = spec->name;
    act->other = spec->references;
}

static void read_plain(ActReader *reader, const PgQuery__AlterTableCmd *cmd, Act *act)
{
    act->kind = ACT_ALTER_OTHER;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (plain[i].type == cmd->subtype) {
            act->kind = plain[i].kind;
            act->flags |= plain[i].flags;
            act->value = plain[i].value;
        }
    if (act->kind == ACT_SET_OPTIONS)
        read_options(reader, cmd, act);
    if (cmd->subtype == AT(AddInherit) && cmd->def != NULL && cmd->def->node_case == NODE(RANGE_VAR))
        act->other = act_relation(reader, cmd->def->range_var);
}

static void read_command(ActReader *reader, const PgQuery__AlterTableCmd *cmd, Act *act)
{
    act->name = cmd->name == NULL || cmd->name[0] == '\0' ? NULL : act_keep(reader, cmd->name);
    act->flags |= cmd->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE ? ACT_CASCADES : 0;
    if (cmd->missing_ok)
        act->flags |= cmd->subtype == AT(AddColumn) ? ACT_IF_NOT_EXISTS : ACT_IF_EXISTS;
    switch ((int)cmd->subtype) {
    case AT(AddColumn):
        act->kind = ACT_ADD_COLUMN;
        if (cmd->def != NULL && cmd->def->node_case == NODE(COLUMN_DEF)) {
            act->column = keep_column(reader, cmd->def->column_def);
            act->name = act->column->name;
            act->other = act->column->parent;
        }
        break;
    case AT(AlterColumnType):
        read_change_type(reader, cmd, act);
        break;
    case AT(ColumnDefault):
        act->kind = ACT_SET_DEFAULT;
        act->flags |= cmd->def == NULL ? ACT_DROPS : 0;
        break;
    case AT(AddConstraint):
        read_constraint(reader, cmd, act);
        break;
    case AT(AttachPartition):
    case AT(DetachPartition):
    case AT(DetachPartitionFinalize):
        read_partition(reader, cmd, act);
        break;
    default:
        read_plain(reader, cmd, act);
        break;
    }
}

/* What ALTER VIEW, ALTER INDEX and ALTER SEQUENCE write like an ALTER TABLE. */
static void read_relation(ActReader *reader, const PgQuery__AlterTableStmt *node)
{
    bool index = node->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX;
    if (node->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_TYPE) {
        act_unknown(reader, "ALTER TYPE", "tables that use the type may be read or written anew");
        reader->acts.items[reader->acts.len - 1].table = act_relation(reader, node->relation);
        return;
    }
    bool matview = node->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW;
    for (size_t i = 0; i < node->n_cmds; i++) {
        const PgQuery__AlterTableCmd *cmd = node->cmds[i]->alter_table_cmd;
        bool moves = cmd != NULL && cmd->subtype == AT(SetTableSpace);
        Act *act = act_add(reader, moves && (index || matview) ? ACT_SET_TABLESPACE : ACT_OTHER,
                           index ? "ALTER INDEX" : "ALTER VIEW");
        act->table = act_relation(reader, node->relation);
    }
}

void act_read_alter(ActReader *reader, const PgQuery__AlterTableStmt *node)
{
    if (node->objtype != PG_QUERY__OBJECT_TYPE__OBJECT_TABLE &&
        node->objtype != PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE) {
        read_relation(reader, node);
        return;
    }
    Parts parts = parts_of(reader);
    Name table = act_relation(reader, node->relation);
    for (size_t i = 0; i < node->n_cmds; i++) {
        if (node->cmds[i]->node_case != NODE(ALTER_TABLE_CMD))
            continue;
        Act *act = act_add(reader, ACT_ALTER_OTHER, "ALTER TABLE");
        act->table = table;
        act->actions = node->n_cmds;
        act->flags |= node->missing_ok ? ACT_IF_EXISTS : 0;
        if (parts.len == node->n_cmds) {
            act->start = reader->start + parts.items[i].start;
            act->end = reader->start + parts.items[i].end;
        }
        read_command(reader, node->cmds[i]->alter_table_cmd, act);
        act->flags |= node->relation != NULL && !node->relation->inh ? ACT_ONLY : 0;
    }
}
