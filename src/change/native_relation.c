/* Tables, views, sequences and indexes: what a statement as written takes, and how it runs. */
#include "change/native.h"
#include "engine/sql.h"

static bool is_temporary(const PgQuery__RangeVar *relation)
{
    return relation != NULL && relation->relpersistence != NULL && relation->relpersistence[0] == 't';
}

/* ---- tables --------------------------------------------------------------------------------- */

static void lock_references(Native *native, PgQuery__Node *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const PgQuery__Node *item = items[i];
        if (item->node_case == NODE(CONSTRAINT) &&
            item->constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN)
            native_lock_on(native, item->constraint->pktable, "SHARE ROW EXCLUSIVE");
        if (item->node_case != NODE(COLUMN_DEF))
            continue;
        const PgQuery__ColumnDef *def = item->column_def;
        for (size_t j = 0; j < def->n_constraints; j++)
            if (def->constraints[j]->constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN)
                native_lock_on(native, def->constraints[j]->constraint->pktable, "SHARE ROW EXCLUSIVE");
    }
}

void native_read_table(Native *native)
{
    PgQuery__CreateStmt *node = native->node->create_stmt;
    if (is_temporary(node->relation)) {
        native_refuse(native, "of a temporary table concerns one session only", "leave it out");
        return;
    }
    native->spec->quiet = node->if_not_exists;
    lock_references(native, node->table_elts, node->n_table_elts);
    lock_references(native, node->constraints, node->n_constraints);
    for (size_t i = 0; i < node->n_inh_relations; i++)
        native_lock_on(native, node->inh_relations[i]->range_var,
                       node->partbound != NULL ? "ACCESS EXCLUSIVE" : "SHARE UPDATE EXCLUSIVE");
    native->spec->unknown = node->partbound != NULL; /* a default partition is read to its end */
    *vec_push(native->arena, &native->stmt->parser->made) = relation_name(node->relation);
}

/* The rows are those of one moment, and the copy is long or short like its query. */
static void read_copy(Native *native, PgQuery__IntoClause *into, bool view)
{
    if (is_temporary(into->rel)) {
        native_refuse(native, "of a temporary table concerns one session only", "leave it out");
        return;
    }
    native->spec->run = into->skip_data ? NATIVE_SHORT : NATIVE_LONG;
    if (!into->skip_data)
        native->spec->note =
            view ? "the materialized view is filled from a snapshot of one moment; while it computes it "
                   "holds back pruning"
                 : "rows are copied as they are at one moment: later writes are not in the new table; while "
                   "it copies it holds back pruning";
    *vec_push(native->arena, &native->stmt->parser->made) = relation_name(into->rel);
}

void native_read_table_as(Native *native)
{
    PgQuery__CreateTableAsStmt *node = native->node->create_table_as_stmt;
    native->spec->quiet = node->if_not_exists;
    bool view = node->objtype == OBJECT(MATVIEW);
    if (view)
        native->when = NATIVE_LAST;
    read_copy(native, node->into, view);
}

void native_read_select_into(Native *native)
{
    native->words = "SELECT INTO";
    read_copy(native, native->node->select_stmt->into_clause, false);
}

/* ---- views, sequences ------------------------------------------------------------------------- */

void native_read_view(Native *native)
{
    PgQuery__ViewStmt *node = native->node->view_stmt;
    if (is_temporary(node->view)) {
        native_refuse(native, "of a temporary view concerns one session only", "leave it out");
        return;
    }
    native->spec->replaces = node->replace;
    if (node->replace)
        native_lock_on(native, node->view, "ACCESS EXCLUSIVE");
}

void native_read_refresh(Native *native)
{
    PgQuery__RefreshMatViewStmt *node = native->node->refresh_mat_view_stmt;
    if (!node->concurrent) {
        native_refuse(
            native,
            node->skip_data ? "WITH NO DATA makes it unreadable"
                            : "without CONCURRENTLY stops its readers for as long as it computes",
            "CREATE UNIQUE INDEX on it over plain columns of all rows, then REFRESH MATERIALIZED VIEW "
            "CONCURRENTLY");
        return;
    }
    native->spec->run = NATIVE_LONG;
    native_lock_on(native, node->relation, "EXCLUSIVE");
}

void native_read_sequence(Native *native)
{
    PgQuery__CreateSeqStmt *node = native->node->create_seq_stmt;
    native->spec->quiet = node->if_not_exists;
    if (is_temporary(node->sequence))
        native_refuse(native, "of a temporary sequence concerns one session only", "leave it out");
}

void native_read_alter_sequence(Native *native)
{
    PgQuery__AlterSeqStmt *node = native->node->alter_seq_stmt;
    native->spec->quiet = node->missing_ok;
    native_lock_on(native, node->sequence, "SHARE ROW EXCLUSIVE");
}
/* ---- on a table ----------------------------------------------------------------------------- */

void native_read_trigger(Native *native)
{
    PgQuery__CreateTrigStmt *node = native->node->create_trig_stmt;
    native->spec->replaces = node->replace;
    native_lock_on(native, node->relation, "SHARE ROW EXCLUSIVE");
    native_lock_on(native, node->constrrel, "SHARE ROW EXCLUSIVE");
}

void native_read_policy(Native *native)
{
    native_lock_on(native, native->node->create_policy_stmt->table, "ACCESS EXCLUSIVE");
}

void native_read_alter_policy(Native *native)
{
    native_lock_on(native, native->node->alter_policy_stmt->table, "ACCESS EXCLUSIVE");
}

void native_read_rule(Native *native)
{
    native->spec->replaces = native->node->rule_stmt->replace;
    native_lock_on(native, native->node->rule_stmt->relation, "ACCESS EXCLUSIVE");
}

void native_read_statistics(Native *native)
{
    PgQuery__CreateStatsStmt *node = native->node->create_stats_stmt;
    native->spec->quiet = node->if_not_exists;
    for (size_t i = 0; i < node->n_relations; i++)
        if (node->relations[i]->node_case == NODE(RANGE_VAR))
            native_lock_on(native, node->relations[i]->range_var, "SHARE UPDATE EXCLUSIVE");
}

/* ---- VACUUM, REINDEX, ALTER ------------------------------------------------------------------ */

static bool has_option(PgQuery__Node *const *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (options[i]->node_case == NODE(DEF_ELEM) && str_eq(options[i]->def_elem->defname, name))
            return true;
    return false;
}

void native_read_vacuum(Native *native)
{
    const PgQuery__VacuumStmt *node = native->node->vacuum_stmt;
    if (has_option(node->options, node->n_options, "full")) {
        native->words = "VACUUM FULL";
        native_refuse(native, "rewrites the table under ACCESS EXCLUSIVE: readers and writers stand still",
                      "use pg_repack; a plain VACUUM lets new rows use the room again");
        return;
    }
    native->spec->run = NATIVE_OUTSIDE;
}

/* What an interrupted REINDEX CONCURRENTLY left has "_ccnew" or "_ccold" behind its name (its manual page).
 */
static const char *leftovers_query(Arena *arena, const PgQuery__ReindexStmt *node)
{
    Name relation = relation_name(node->relation);
    const char *name = sql_literal(arena, sql_name(arena, relation.schema, relation.name));
    return arena_printf(
        arena,
        "SELECT pg_catalog.format('DROP INDEX CONCURRENTLY IF EXISTS %%I.%%I', n.nspname, c.relname) FROM "
        "pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN "
        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid AND c.relname ~ "
        "'_cc(new|old)[0-9]*$' AND (i.indrelid = pg_catalog.to_regclass(%s) OR i.indrelid = (SELECT "
        "o.indrelid FROM pg_catalog.pg_index o WHERE o.indexrelid = pg_catalog.to_regclass(%s)))",
        name, name);
}

void native_read_reindex(Native *native)
{
    const PgQuery__ReindexStmt *node = native->node->reindex_stmt;
    bool one = node->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_INDEX ||
               node->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_TABLE;
    if (!has_option(node->params, node->n_params, "concurrently") || !one) {
        native_refuse(native,
                      one ? "without CONCURRENTLY stops writers, and whoever plans a query, while it builds"
                          : "of a schema or database locks table after table",
                      "REINDEX TABLE CONCURRENTLY for each table, on 12 and later; before that CREATE INDEX "
                      "CONCURRENTLY under another name, then drop the old one");
        return;
    }
    native->spec->run = NATIVE_OUTSIDE;
    native->spec->since = 120000;
    native->spec->leftovers_query = leftovers_query(native->arena, node);
}

void native_read_rename(Native *native)
{
    const PgQuery__RenameStmt *node = native->node->rename_stmt;
    native->spec->quiet = node->missing_ok;
    native->spec->unknown = node->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
    native->spec->note = "the old application may still use the old name: the new one is there from complete "
                         "on";
    native_lock_on(native, node->relation, "ACCESS EXCLUSIVE");
}

void native_read_move(Native *native)
{
    const PgQuery__AlterObjectSchemaStmt *node = native->node->alter_object_schema_stmt;
    native->spec->quiet = node->missing_ok;
    native->spec->note =
        "the old application may still look for it in the old schema: it moves with complete";
    native_lock_on(native, node->relation, "ACCESS EXCLUSIVE");
}

void native_read_owner(Native *native)
{
    native_lock_on(native, native->node->alter_owner_stmt->relation, "ACCESS EXCLUSIVE");
}

/* ALTER VIEW, INDEX, SEQUENCE, MATERIALIZED VIEW, FOREIGN TABLE, TYPE. SET (options), STATISTICS and CLUSTER
 * ON take SHARE UPDATE EXCLUSIVE (manual of ALTER TABLE and ALTER INDEX); all else is taken for ACCESS
 * EXCLUSIVE.
 */
void native_read_alter_relation(Native *native)
{
    const PgQuery__AlterTableStmt *node = native->node->alter_table_stmt;
    native->spec->quiet = node->missing_ok;
    bool weak = true, takes = false, type = node->objtype == OBJECT(TYPE);
    for (size_t i = 0; i < node->n_cmds; i++) {
        const PgQuery__AlterTableCmd *command = node->cmds[i]->alter_table_cmd;
        PgQuery__AlterTableType form = command->subtype;
        weak = weak && (form == PG_QUERY__ALTER_TABLE_TYPE__AT_SetRelOptions ||
                        form == PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions ||
                        form == PG_QUERY__ALTER_TABLE_TYPE__AT_SetStatistics ||
                        form == PG_QUERY__ALTER_TABLE_TYPE__AT_ClusterOn);
        takes = takes || form == PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn ||
                form == PG_QUERY__ALTER_TABLE_TYPE__AT_AlterColumnType;
        native->spec->unknown = native->spec->unknown || takes ||
                                command->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE ||
                                form == PG_QUERY__ALTER_TABLE_TYPE__AT_SetTableSpace ||
                                form == PG_QUERY__ALTER_TABLE_TYPE__AT_AttachPartition ||
                                form == PG_QUERY__ALTER_TABLE_TYPE__AT_SetAccessMethod;
    }
    if (takes)
        native->when = NATIVE_CONTRACT;
    if (node->objtype == OBJECT(FOREIGN_TABLE) && takes)
        native->spec->late = true;
    if (!type)
        native_lock_on(native, node->relation, weak ? "SHARE UPDATE EXCLUSIVE" : "ACCESS EXCLUSIVE");
    if (type && !takes)
        native->when = NATIVE_FIRST;
}
