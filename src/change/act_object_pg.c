/* Statements about tables, indexes and other objects, as acts. */
#include "base/str.h"
#include "change/act_pg.h"

#include <string.h>

#define OBJECT(x) PG_QUERY__OBJECT_TYPE__OBJECT_##x

/* ---- CREATE TABLE --------------------------------------------------------------------------- */

static void read_table_elements(ActReader *reader, PgQuery__Node *const *items, size_t count, Act *act)
{
    ActColumn *columns = arena_alloc(reader->arena, (count + 1) * sizeof *columns);
    ActConstraint *constraints = arena_alloc(reader->arena, (count + 1) * sizeof *constraints);
    for (size_t i = 0; i < count; i++) {
        const PgQuery__Node *item = items[i];
        if (item->node_case == NODE(COLUMN_DEF))
            act_read_column(reader, item->column_def, &columns[act->column_count++]);
        else if (item->node_case == NODE(CONSTRAINT) &&
                 act_read_constraint(reader, item->constraint, &constraints[act->constraint_count]))
            act->constraint_count++;
        else if (item->node_case == NODE(TABLE_LIKE_CLAUSE))
            act->flags |= ACT_COPIED;
    }
    act->columns = columns;
    act->constraints = constraints;
}

static unsigned persistence_flags(const PgQuery__RangeVar *relation)
{
    const char *letter = relation == NULL ? NULL : relation->relpersistence;
    return str_eq(letter, "t") ? ACT_TEMPORARY : str_eq(letter, "u") ? ACT_UNLOGGED : 0;
}

static void read_create_table(ActReader *reader, const PgQuery__CreateStmt *node)
{
    Act *act = act_add(reader, ACT_CREATE_TABLE, "CREATE TABLE");
    act->table = act_relation(reader, node->relation);
    act->flags |= persistence_flags(node->relation) | (node->if_not_exists ? ACT_IF_NOT_EXISTS : 0);
    if (node->partspec != NULL)
        act->flags |= ACT_PARTITIONED;
    if (node->n_inh_relations > 0) {
        act->other = act_relation(reader, node->inh_relations[0]->range_var);
        act->flags |= ACT_COPIED | (node->partbound != NULL ? ACT_PARTITION_OF : 0);
    }
    if (node->of_typename != NULL)
        act->flags |= ACT_COPIED;
    if (node->partbound != NULL && node->partbound->is_default)
        act->flags |= ACT_DEFAULT_PARTITION;
    read_table_elements(reader, node->table_elts, node->n_table_elts, act);
}

static void read_create_as(ActReader *reader, const PgQuery__CreateTableAsStmt *node)
{
    bool view = node->objtype == OBJECT(MATVIEW);
    Act *act = act_add(reader, view ? ACT_CREATE_VIEW : ACT_CREATE_TABLE,
                       view ? "CREATE MATERIALIZED VIEW" : "CREATE TABLE AS");
    if (node->into != NULL)
        act->table = act_relation(reader, node->into->rel);
    act->flags |= ACT_COPIED | (node->if_not_exists ? ACT_IF_NOT_EXISTS : 0);
    if (node->into != NULL)
        act->flags |= persistence_flags(node->into->rel);
}

/* ---- indexes -------------------------------------------------------------------------------- */

static void read_create_index(ActReader *reader, const PgQuery__IndexStmt *node)
{
    Act *act = act_add(reader, ACT_CREATE_INDEX, "CREATE INDEX");
    act->table = act_relation(reader, node->relation);
    act->name = node->idxname == NULL || node->idxname[0] == '\0' ? NULL : act_keep(reader, node->idxname);
    act->flags |= (node->unique ? ACT_UNIQUE : 0) | (node->concurrent ? ACT_CONCURRENTLY : 0) |
                  (node->if_not_exists ? ACT_IF_NOT_EXISTS : 0) |
                  (node->where_clause != NULL ? ACT_PARTIAL | ACT_WHERE : 0) |
                  (node->relation != NULL && !node->relation->inh ? ACT_ONLY : 0);
    act->method = node->access_method == NULL ? NULL : act_keep(reader, node->access_method);
    const char **keys = arena_alloc(reader->arena, (node->n_index_params + 1) * sizeof *keys);
    for (size_t i = 0; i < node->n_index_params; i++) {
        const PgQuery__Node *item = node->index_params[i];
        bool named = item->node_case == NODE(INDEX_ELEM) && item->index_elem->name != NULL &&
                     item->index_elem->name[0] != '\0';
        keys[i] = named ? act_keep(reader, item->index_elem->name) : NULL;
        act->flags |= named ? 0 : ACT_PARTIAL;
    }
    act->keys = keys;
    act->key_count = node->n_index_params;
}

static bool param_is(PgQuery__Node *const *params, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (params[i]->node_case == NODE(DEF_ELEM) && str_eq(params[i]->def_elem->defname, name)) {
            const PgQuery__Node *arg = params[i]->def_elem->arg;
            const char *text = tree_string_of(arg);
            return text == NULL || (strcasecmp(text, "false") != 0 && strcasecmp(text, "off") != 0);
        }
    return false;
}

static void read_reindex(ActReader *reader, const PgQuery__ReindexStmt *node)
{
    Act *act = act_add(reader, ACT_REINDEX, "REINDEX");
    act->table = node->relation != NULL ? act_relation(reader, node->relation)
                                        : (Name){.name = act_keep(reader, node->name)};
    act->value = node->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_INDEX   ? "INDEX"
                 : node->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_TABLE ? "TABLE"
                                                                                     : "DATABASE";
    act->flags |= param_is(node->params, node->n_params, "concurrently") ? ACT_CONCURRENTLY : 0;
}

static void read_vacuum(ActReader *reader, const PgQuery__VacuumStmt *node)
{
    Act *act = act_add(reader, node->is_vacuumcmd ? ACT_VACUUM : ACT_OTHER,
                       node->is_vacuumcmd ? "VACUUM" : "ANALYZE");
    act->flags |= param_is(node->options, node->n_options, "full") ? ACT_FULL : 0;
    if (node->n_rels > 0 && node->rels[0]->node_case == NODE(VACUUM_RELATION))
        act->table = act_relation(reader, node->rels[0]->vacuum_relation->relation);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void read_rename(ActReader *reader, const PgQuery__RenameStmt *node)
{
    ActKind kind = ACT_OTHER;
    if (node->rename_type == OBJECT(COLUMN))
        kind = ACT_RENAME_COLUMN;
    else if (node->rename_type == OBJECT(TABLE) || node->rename_type == OBJECT(VIEW) ||
             node->rename_type == OBJECT(MATVIEW) || node->rename_type == OBJECT(FOREIGN_TABLE))
        kind = ACT_RENAME_TABLE;
    else if (node->rename_type == OBJECT(SCHEMA))
        kind = ACT_RENAME_SCHEMA;
    else if (node->rename_type == OBJECT(TABCONSTRAINT) || node->rename_type == OBJECT(TRIGGER) ||
             node->rename_type == OBJECT(POLICY))
        kind = ACT_ALTER_OTHER;
    Act *act = act_add(reader, kind, "ALTER … RENAME");
    if (node->relation != NULL)
        act->table = act_relation(reader, node->relation);
    else if (kind == ACT_RENAME_SCHEMA)
        act->table.name = act_keep(reader, node->subname);
    else
        act->table = act_object(reader, node->object);
    act->name = act_keep(reader, node->subname);
    act->new_name = act_keep(reader, node->newname);
    act->value = node->rename_type == OBJECT(VIEW) ? "VIEW" : "TABLE";
}

static void read_move(ActReader *reader, const PgQuery__AlterObjectSchemaStmt *node)
{
    bool table = node->relation != NULL && node->object_type != OBJECT(SEQUENCE);
    Act *act = act_add(reader, table ? ACT_SET_SCHEMA : ACT_OTHER, "ALTER … SET SCHEMA");
    act->table = table ? act_relation(reader, node->relation) : act_object(reader, node->object);
    act->new_name = act_keep(reader, node->newschema);
}

/* ---- DROP ----------------------------------------------------------------------------------- */

static const struct {
    PgQuery__ObjectType type;
    ActKind kind;
    const char *words;
} dropped[] = {
    {OBJECT(TABLE), ACT_DROP_TABLE, "DROP TABLE"},
    {OBJECT(FOREIGN_TABLE), ACT_DROP_TABLE, "DROP FOREIGN TABLE"},
    {OBJECT(INDEX), ACT_DROP_INDEX, "DROP INDEX"},
    {OBJECT(VIEW), ACT_DROP_VIEW, "DROP VIEW"},
    {OBJECT(MATVIEW), ACT_DROP_VIEW, "DROP MATERIALIZED VIEW"},
    {OBJECT(SCHEMA), ACT_DROP_SCHEMA, "DROP SCHEMA"},
    {OBJECT(TRIGGER), ACT_DROP_TRIGGER, "DROP TRIGGER"},
    {OBJECT(POLICY), ACT_DROP_POLICY, "DROP POLICY"},
    {OBJECT(RULE), ACT_DROP_POLICY, "DROP RULE"},
};

/* "table.trigger" and kin: the last word is the object's own. */
static bool is_on_table(ActKind kind) { return kind == ACT_DROP_TRIGGER || kind == ACT_DROP_POLICY; }

static void read_drop(ActReader *reader, const PgQuery__DropStmt *node)
{
    ActKind kind = ACT_DROP_OTHER;
    const char *words = "DROP";
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        if (dropped[i].type == node->remove_type) {
            kind = dropped[i].kind;
            words = dropped[i].words;
        }
    for (size_t i = 0; i < node->n_objects; i++) {
        Act *act = act_add(reader, kind, words);
        const PgQuery__Node *object = node->objects[i];
        if (is_on_table(kind) && object->node_case == NODE(LIST) && object->list->n_items >= 2) {
            size_t count = object->list->n_items - 1;
            act->table = act_dotted(reader, object->list->items, count);
            act->name = act_keep(reader, tree_string_of(object->list->items[count]));
        } else {
            act->table = act_object(reader, object);
            act->name = act->table.name;
        }
        act->flags |= (node->missing_ok ? ACT_IF_EXISTS : 0) | (node->concurrent ? ACT_CONCURRENTLY : 0) |
                      (node->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE ? ACT_CASCADES : 0);
    }
}

static void read_truncate(ActReader *reader, const PgQuery__TruncateStmt *node)
{
    for (size_t i = 0; i < node->n_relations; i++) {
        Act *act = act_add(reader, ACT_TRUNCATE, "TRUNCATE");
        act->table = act_relation(reader, node->relations[i]->range_var);
        act->flags |= node->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE ? ACT_CASCADES : 0;
    }
}

/* ---- types ---------------------------------------------------------------------------------- */

static void read_domain(ActReader *reader, const PgQuery__CreateDomainStmt *node)
{
    Act *act = act_add(reader, ACT_CREATE_DOMAIN, "CREATE DOMAIN");
    act->table = act_dotted(reader, node->domainname, node->n_domainname);
    act->constraint_count = node->n_constraints;
}

static void read_alter_domain(ActReader *reader, const PgQuery__AlterDomainStmt *node)
{
    static const char *const values[][2] = {{"C", "ADD CONSTRAINT"}, {"O", "SET NOT NULL"},
                                            {"V", "VALIDATE"},       {"T", "SET DEFAULT"},
                                            {"N", "DROP NOT NULL"},  {"X", "DROP CONSTRAINT"}};
    Act *act = act_add(reader, ACT_ALTER_DOMAIN, "ALTER DOMAIN");
    act->table = act_dotted(reader, node->type_name, node->n_type_name);
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (str_eq(node->subtype, values[i][0]))
            act->value = values[i][1];
    if (node->def != NULL && node->def->node_case == NODE(CONSTRAINT) &&
        node->def->constraint->skip_validation)
        act->value = "ADD CONSTRAINT NOT VALID";
}

static void read_enum(ActReader *reader, const PgQuery__AlterEnumStmt *node)
{
    bool renames = node->old_val != NULL && node->old_val[0] != '\0';
    Act *act = act_add(reader, renames ? ACT_ENUM_RENAME : ACT_ENUM_ADD, "ALTER TYPE");
    act->table = act_dotted(reader, node->type_name, node->n_type_name);
    act->value = act_keep(reader, node->new_val);
    act->flags |= node->new_val_neighbor != NULL && node->new_val_neighbor[0] != '\0' ? ACT_FIRST : 0;
}

/* ---- others --------------------------------------------------------------------------------- */

static void read_sequence(ActReader *reader, const PgQuery__AlterSeqStmt *node)
{
    Act *act = act_add(reader, ACT_OTHER, "ALTER SEQUENCE");
    act->table = act_relation(reader, node->sequence);
    for (size_t i = 0; i < node->n_options; i++) {
        const char *name =
            node->options[i]->node_case == NODE(DEF_ELEM) ? node->options[i]->def_elem->defname : NULL;
        if (!str_eq(name, "owned_by"))
            act->kind = ACT_ALTER_SEQUENCE;
    }
}

static void read_comment(ActReader *reader, const PgQuery__CommentStmt *node)
{
    bool column = node->objtype == OBJECT(COLUMN);
    bool table = node->objtype == OBJECT(TABLE) || node->objtype == OBJECT(VIEW);
    Act *act = act_add(reader, column || table ? ACT_COMMENT : ACT_OTHER, "COMMENT");
    if (node->object == NULL || node->object->node_case != NODE(LIST))
        return;
    const PgQuery__List *list = node->object->list;
    act->table = act_dotted(reader, list->items, list->n_items - (column && list->n_items > 1 ? 1 : 0));
}

static void read_on_table(ActReader *reader, const PgQuery__Node *node)
{
    if (node->node_case == NODE(CREATE_TRIG_STMT)) {
        Act *act = act_add(reader, ACT_CREATE_TRIGGER, "CREATE TRIGGER");
        act->table = act_relation(reader, node->create_trig_stmt->relation);
        act->name = act_keep(reader, node->create_trig_stmt->trigname);
    } else if (node->node_case == NODE(CREATE_POLICY_STMT)) {
        Act *act = act_add(reader, ACT_CREATE_POLICY, "CREATE POLICY");
        act->table = act_relation(reader, node->create_policy_stmt->table);
        act->name = act_keep(reader, node->create_policy_stmt->policy_name);
    } else if (node->node_case == NODE(RULE_STMT)) {
        Act *act = act_add(reader, ACT_CREATE_RULE, "CREATE RULE");
        act->table = act_relation(reader, node->rule_stmt->relation);
    } else if (node->node_case == NODE(VIEW_STMT)) {
        Act *act = act_add(reader, ACT_CREATE_VIEW, "CREATE VIEW");
        act->table = act_relation(reader, node->view_stmt->view);
        act->flags |= node->view_stmt->replace ? ACT_REPLACES : 0;
    } else if (node->node_case == NODE(CLUSTER_STMT)) {
        Act *act = act_add(reader, ACT_CLUSTER, "CLUSTER");
        act->table = act_relation(reader, node->cluster_stmt->relation);
    } else {
        Act *act = act_add(reader, ACT_REFRESH, "REFRESH MATERIALIZED VIEW");
        act->table = act_relation(reader, node->refresh_mat_view_stmt->relation);
        act->flags |= node->refresh_mat_view_stmt->concurrent ? ACT_CONCURRENTLY : 0;
        act->flags |= node->refresh_mat_view_stmt->skip_data ? ACT_DROPS : 0;
    }
}

static bool read_type(ActReader *reader, const PgQuery__Node *node)
{
    if (node->node_case == NODE(CREATE_DOMAIN_STMT)) {
        read_domain(reader, node->create_domain_stmt);
    } else if (node->node_case == NODE(ALTER_DOMAIN_STMT)) {
        read_alter_domain(reader, node->alter_domain_stmt);
    } else if (node->node_case == NODE(ALTER_ENUM_STMT)) {
        read_enum(reader, node->alter_enum_stmt);
    } else if (node->node_case == NODE(CREATE_ENUM_STMT)) {
        Act *act = act_add(reader, ACT_CREATE_ENUM, "CREATE TYPE");
        act->table =
            act_dotted(reader, node->create_enum_stmt->type_name, node->create_enum_stmt->n_type_name);
    } else if (node->node_case == NODE(DROPDB_STMT)) {
        Act *act = act_add(reader, ACT_DROP_DATABASE, "DROP DATABASE");
        act->table = (Name){.name = act_keep(reader, node->dropdb_stmt->dbname)};
    } else {
        return false;
    }
    return true;
}

bool act_read_object(ActReader *reader, const PgQuery__Node *node)
{
    switch ((int)node->node_case) {
    case NODE(ALTER_TABLE_STMT):
        act_read_alter(reader, node->alter_table_stmt);
        return true;
    case NODE(CREATE_STMT):
        read_create_table(reader, node->create_stmt);
        return true;
    case NODE(CREATE_TABLE_AS_STMT):
        read_create_as(reader, node->create_table_as_stmt);
        return true;
    case NODE(INDEX_STMT):
        read_create_index(reader, node->index_stmt);
        return true;
    case NODE(REINDEX_STMT):
        read_reindex(reader, node->reindex_stmt);
        return true;
    case NODE(VACUUM_STMT):
        read_vacuum(reader, node->vacuum_stmt);
        return true;
    case NODE(RENAME_STMT):
        read_rename(reader, node->rename_stmt);
        return true;
    case NODE(ALTER_OBJECT_SCHEMA_STMT):
        read_move(reader, node->alter_object_schema_stmt);
        return true;
    case NODE(DROP_STMT):
        read_drop(reader, node->drop_stmt);
        return true;
    case NODE(TRUNCATE_STMT):
        read_truncate(reader, node->truncate_stmt);
        return true;
    case NODE(ALTER_SEQ_STMT):
        read_sequence(reader, node->alter_seq_stmt);
        return true;
    case NODE(COMMENT_STMT):
        read_comment(reader, node->comment_stmt);
        return true;
    case NODE(CREATE_TRIG_STMT):
    case NODE(CREATE_POLICY_STMT):
    case NODE(RULE_STMT):
    case NODE(VIEW_STMT):
    case NODE(CLUSTER_STMT):
    case NODE(REFRESH_MAT_VIEW_STMT):
        read_on_table(reader, node);
        return true;
    default:
        return read_type(reader, node);
    }
}
