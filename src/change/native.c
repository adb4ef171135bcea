/* Statements that are carried out as written: what each takes, when it has its place, what it makes. */
#include "change/parser.h"
#include "engine/sql.h"

#include <string.h>

#define NODE(x)   PG_QUERY__NODE__NODE_##x
#define OBJECT(x) PG_QUERY__OBJECT_TYPE__OBJECT_##x

static const char mode_weak[] = "SHARE UPDATE EXCLUSIVE";
static const char mode_rows[] = "SHARE ROW EXCLUSIVE";
static const char mode_refresh[] = "EXCLUSIVE";
static const char mode_all[] = "ACCESS EXCLUSIVE";

typedef struct Native {
    const Statement *stmt;
    Arena *arena;
    PgQuery__Node *node;
    NativeSpec *spec;
    const char *words;
    NativeWhen when;
    bool refused; /* with a problem */
} Native;

static void refuse(Native *native, const char *why, const char *hint)
{
    native->refused = true;
    parser_refuse(native->stmt, native->words, why, hint);
}

static Name name_of(const PgQuery__RangeVar *relation)
{
    return (Name){.schema = relation->schemaname[0] == '\0' ? NULL : relation->schemaname,
                  .name = relation->relname};
}

void native_lock(Arena *arena, NativeSpec *spec, Name relation, const char *mode)
{
    NativeLock *locks = arena_alloc(arena, (spec->lock_count + 1) * sizeof *locks);
    if (spec->lock_count > 0)
        memcpy(locks, spec->locks, spec->lock_count * sizeof *locks);
    locks[spec->lock_count] = (NativeLock){relation, mode};
    spec->locks = locks;
    spec->lock_count++;
}

static void lock_on(Native *native, const PgQuery__RangeVar *relation, const char *mode)
{
    if (relation != NULL)
        native_lock(native->arena, native->spec, name_of(relation), mode);
}

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
            lock_on(native, item->constraint->pktable, mode_rows);
        if (item->node_case != NODE(COLUMN_DEF))
            continue;
        const PgQuery__ColumnDef *def = item->column_def;
        for (size_t j = 0; j < def->n_constraints; j++)
            if (def->constraints[j]->constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN)
                lock_on(native, def->constraints[j]->constraint->pktable, mode_rows);
    }
}

static void read_table(Native *native)
{
    PgQuery__CreateStmt *node = native->node->create_stmt;
    if (is_temporary(node->relation)) {
        refuse(native, "of a temporary table concerns one session only", "leave it out");
        return;
    }
    native->spec->quiet = node->if_not_exists;
    lock_references(native, node->table_elts, node->n_table_elts);
    lock_references(native, node->constraints, node->n_constraints);
    for (size_t i = 0; i < node->n_inh_relations; i++)
        lock_on(native, node->inh_relations[i]->range_var, node->partbound != NULL ? mode_all : mode_weak);
    native->spec->unknown = node->partbound != NULL; /* a default partition is read to its end */
    *vec_push(native->arena, &native->stmt->parser->made) = name_of(node->relation);
}

/* The rows are those of one moment, and the copy is long or short like its query. */
static void read_copy(Native *native, PgQuery__IntoClause *into, bool view)
{
    if (is_temporary(into->rel)) {
        refuse(native, "of a temporary table concerns one session only", "leave it out");
        return;
    }
    native->spec->run = into->skip_data ? NATIVE_SHORT : NATIVE_LONG;
    if (!into->skip_data)
        native->spec->note =
            view ? "the materialized view is filled from a snapshot of one moment; while it computes it "
                   "holds back pruning"
                 : "rows are copied as they are at one moment: later writes are not in the new table; while "
                   "it copies it holds back pruning";
    *vec_push(native->arena, &native->stmt->parser->made) = name_of(into->rel);
}

static void read_table_as(Native *native)
{
    PgQuery__CreateTableAsStmt *node = native->node->create_table_as_stmt;
    native->spec->quiet = node->if_not_exists;
    bool view = node->objtype == OBJECT(MATVIEW);
    if (view)
        native->when = NATIVE_LAST;
    read_copy(native, node->into, view);
}

static void read_select_into(Native *native)
{
    native->words = "SELECT INTO";
    read_copy(native, native->node->select_stmt->into_clause, false);
}

/* ---- views, sequences ------------------------------------------------------------------------- */

static void read_view(Native *native)
{
    PgQuery__ViewStmt *node = native->node->view_stmt;
    if (is_temporary(node->view)) {
        refuse(native, "of a temporary view concerns one session only", "leave it out");
        return;
    }
    native->spec->replaces = node->replace;
    if (node->replace)
        lock_on(native, node->view, mode_all);
}

static void read_refresh(Native *native)
{
    PgQuery__RefreshMatViewStmt *node = native->node->refresh_mat_view_stmt;
    if (!node->concurrent) {
        refuse(native,
               node->skip_data ? "WITH NO DATA makes it unreadable"
                               : "without CONCURRENTLY stops its readers for as long as it computes",
               "CREATE UNIQUE INDEX on it over plain columns of all rows, then REFRESH MATERIALIZED VIEW "
               "CONCURRENTLY");
        return;
    }
    native->spec->run = NATIVE_LONG;
    lock_on(native, node->relation, mode_refresh);
}

static void read_sequence(Native *native)
{
    PgQuery__CreateSeqStmt *node = native->node->create_seq_stmt;
    native->spec->quiet = node->if_not_exists;
    if (is_temporary(node->sequence))
        refuse(native, "of a temporary sequence concerns one session only", "leave it out");
}

static void read_alter_sequence(Native *native)
{
    PgQuery__AlterSeqStmt *node = native->node->alter_seq_stmt;
    native->spec->quiet = node->missing_ok;
    lock_on(native, node->sequence, mode_rows);
}

/* ---- types ---------------------------------------------------------------------------------- */

static const char *type_text(Arena *arena, PgQuery__Node *const *words, size_t count)
{
    Str text CLEANUP(str_donep) = STR_INIT;
    const char *const *names = parser_words(arena, words, count);
    for (size_t i = 0; i < count; i++) {
        str_sep(&text, ".");
        sql_add_ident(&text, names[i]);
    }
    return arena_dup(arena, text.buf);
}

/* Before 12 a value cannot be added inside a transaction block (release notes of 12). */
static void read_enum(Native *native)
{
    PgQuery__AlterEnumStmt *node = native->node->alter_enum_stmt;
    Arena *arena = native->arena;
    const char *type = sql_literal(arena, type_text(arena, node->type_name, node->n_type_name));
    const char *value = sql_literal(arena, node->new_val);
    static const char there[] = "SELECT EXISTS (SELECT FROM pg_catalog.pg_enum WHERE enumtypid = "
                                "pg_catalog.to_regtype(%s) AND enumlabel = %s)";
    if (node->old_val[0] != '\0') {
        native->words = "ALTER TYPE RENAME VALUE";
        native->when = NATIVE_CONTRACT;
        native->spec->note = "the old application may still write the old label: it is renamed by complete";
        native->spec->done_query = arena_printf(
            arena,
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype(%s) AND "
            "enumlabel = %s) AND NOT EXISTS (SELECT FROM pg_catalog.pg_enum WHERE enumtypid = "
            "pg_catalog.to_regtype(%s) AND enumlabel = %s)",
            type, value, type, sql_literal(arena, node->old_val));
        return;
    }
    native->words = "ALTER TYPE ADD VALUE";
    native->spec->outside_before = 120000;
    native->spec->done_query = arena_printf(arena, there, type, value);
    native->spec->note = "PostgreSQL cannot take an enum value away again: abort leaves it";
}

/* Validating reads every table that uses the domain, under SHARE (looked at on 10 to 18). */
static void read_alter_domain(Native *native)
{
    const PgQuery__AlterDomainStmt *node = native->node->alter_domain_stmt;
    char form = node->subtype[0];
    const PgQuery__Constraint *constraint =
        node->def != NULL && node->def->node_case == NODE(CONSTRAINT) ? node->def->constraint : NULL;
    bool adds = form == 'C' && constraint != NULL && !constraint->skip_validation;
    native->spec->unknown = form == 'O' || form == 'V' || adds;
    native->spec->quiet = node->missing_ok;
    if (adds)
        native->spec->note = "where tables with rows use the domain: ADD CONSTRAINT … NOT VALID binds new "
                             "values without reading old ones";
}

/* ---- on a table ----------------------------------------------------------------------------- */

static void read_trigger(Native *native)
{
    PgQuery__CreateTrigStmt *node = native->node->create_trig_stmt;
    native->spec->replaces = node->replace;
    lock_on(native, node->relation, mode_rows);
    lock_on(native, node->constrrel, mode_rows);
}

static void read_policy(Native *native)
{
    lock_on(native, native->node->create_policy_stmt->table, mode_all);
}

static void read_alter_policy(Native *native)
{
    lock_on(native, native->node->alter_policy_stmt->table, mode_all);
}

static void read_rule(Native *native)
{
    native->spec->replaces = native->node->rule_stmt->replace;
    lock_on(native, native->node->rule_stmt->relation, mode_all);
}

static void read_statistics(Native *native)
{
    PgQuery__CreateStatsStmt *node = native->node->create_stats_stmt;
    native->spec->quiet = node->if_not_exists;
    for (size_t i = 0; i < node->n_relations; i++)
        if (node->relations[i]->node_case == NODE(RANGE_VAR))
            lock_on(native, node->relations[i]->range_var, mode_weak);
}

static void lock_published(Native *native, PgQuery__Node *const *objects, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (objects[i]->node_case == NODE(PUBLICATION_OBJ_SPEC) &&
            objects[i]->publication_obj_spec->pubtable != NULL)
            lock_on(native, objects[i]->publication_obj_spec->pubtable->relation, mode_weak);
}

static void read_publication(Native *native)
{
    lock_published(native, native->node->create_publication_stmt->pubobjects,
                   native->node->create_publication_stmt->n_pubobjects);
    native->spec->note = "updates and deletes of a published table fail where it has no replica identity";
}

static void read_alter_publication(Native *native)
{
    lock_published(native, native->node->alter_publication_stmt->pubobjects,
                   native->node->alter_publication_stmt->n_pubobjects);
}

static void read_comment(Native *native)
{
    const PgQuery__CommentStmt *node = native->node->comment_stmt;
    const PgQuery__Node *object = node->object;
    bool part =
        node->objtype == OBJECT(TRIGGER) || node->objtype == OBJECT(POLICY) || node->objtype == OBJECT(RULE);
    size_t words = part && object != NULL && object->node_case == NODE(LIST) ? object->list->n_items : 0;
    Name name;
    if (words > 1 && parser_dotted(native->stmt, object->list->items, words - 1, &name))
        native_lock(native->arena, native->spec, name, mode_weak);
}

/* ---- others --------------------------------------------------------------------------------- */

static const char *function_body(const PgQuery__CreateFunctionStmt *node)
{
    for (size_t i = 0; i < node->n_options; i++) {
        const PgQuery__DefElem *option = node->options[i]->def_elem;
        if (option == NULL || !str_eq(option->defname, "as") || option->arg == NULL ||
            option->arg->node_case != NODE(LIST) || option->arg->list->n_items != 1)
            continue;
        return tree_string_of(option->arg->list->items[0]);
    }
    return NULL;
}

/* A statement of the body begins with a word that changes a schema. */
static bool holds_ddl(Arena *arena, const char *body)
{
    TreeFault fault;
    Tokens tokens = tree_scan(arena, body, &fault);
    bool begins = true;
    for (size_t i = 0; i < tokens.len; i++) {
        PgQuery__Token kind = tokens.items[i].kind;
        bool ddl = kind == PG_QUERY__TOKEN__ALTER || kind == PG_QUERY__TOKEN__CREATE ||
                   kind == PG_QUERY__TOKEN__DROP || kind == PG_QUERY__TOKEN__TRUNCATE;
        if (begins && ddl)
            return true;
        if (!token_is_comment(&tokens.items[i]))
            begins = kind == PG_QUERY__TOKEN__ASCII_59 || kind == PG_QUERY__TOKEN__BEGIN_P ||
                     kind == PG_QUERY__TOKEN__THEN || kind == PG_QUERY__TOKEN__ELSE;
    }
    return false;
}

static void read_function(Native *native)
{
    const PgQuery__CreateFunctionStmt *node = native->node->create_function_stmt;
    native->spec->replaces = node->replace;
    const char *body = function_body(node);
    if (body != NULL && holds_ddl(native->arena, body))
        native->spec->note = "its body changes the schema: that happens whenever somebody calls it, without "
                             "Stoa's care";
}

static void read_define(Native *native)
{
    native->spec->quiet = native->node->define_stmt->if_not_exists;
    native->spec->replaces = native->node->define_stmt->replace;
}

static void read_schema(Native *native)
{
    native->spec->quiet = native->node->create_schema_stmt->if_not_exists;
    native->spec->unknown = native->node->create_schema_stmt->n_schema_elts > 0;
}

static void read_extension(Native *native)
{
    native->spec->quiet = native->node->create_extension_stmt->if_not_exists;
}

static void read_unknown(Native *native) { native->spec->unknown = true; }

static void read_grant(Native *native)
{
    const PgQuery__GrantStmt *node = native->node->grant_stmt;
    if (!node->is_grant)
        native->when = NATIVE_CONTRACT;
    bool cluster = node->objtype == OBJECT(DATABASE) || node->objtype == OBJECT(TABLESPACE);
    if (cluster)
        refuse(native, "on a database or tablespace is not a change of a schema",
               "run it by hand, with psql");
}

static void read_foreign_table(Native *native)
{
    native->spec->quiet = native->node->create_foreign_table_stmt->base_stmt->if_not_exists;
}

static void read_import(Native *native) { native->spec->run = NATIVE_LONG; }

static bool has_option(PgQuery__Node *const *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (options[i]->node_case == NODE(DEF_ELEM) && str_eq(options[i]->def_elem->defname, name))
            return true;
    return false;
}

static void read_vacuum(Native *native)
{
    const PgQuery__VacuumStmt *node = native->node->vacuum_stmt;
    if (has_option(node->options, node->n_options, "full")) {
        native->words = "VACUUM FULL";
        refuse(native, "rewrites the table under ACCESS EXCLUSIVE: readers and writers stand still",
               "use pg_repack; a plain VACUUM lets new rows use the room again");
        return;
    }
    native->spec->run = NATIVE_OUTSIDE;
}

/* What an interrupted REINDEX CONCURRENTLY left has "_ccnew" or "_ccold" behind its name (its manual page).
 */
static const char *leftovers_query(Arena *arena, const PgQuery__ReindexStmt *node)
{
    const char *name = sql_literal(
        arena, sql_name(arena, node->relation->schemaname[0] == '\0' ? NULL : node->relation->schemaname,
                        node->relation->relname));
    return arena_printf(
        arena,
        "SELECT pg_catalog.format('DROP INDEX CONCURRENTLY IF EXISTS %%I.%%I', n.nspname, c.relname) FROM "
        "pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN "
        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid AND c.relname ~ "
        "'_cc(new|old)[0-9]*$' AND (i.indrelid = pg_catalog.to_regclass(%s) OR i.indrelid = (SELECT "
        "o.indrelid FROM pg_catalog.pg_index o WHERE o.indexrelid = pg_catalog.to_regclass(%s)))",
        name, name);
}

static void read_reindex(Native *native)
{
    const PgQuery__ReindexStmt *node = native->node->reindex_stmt;
    bool one = node->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_INDEX ||
               node->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_TABLE;
    if (!has_option(node->params, node->n_params, "concurrently") || !one) {
        refuse(native,
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

static void read_rename(Native *native)
{
    const PgQuery__RenameStmt *node = native->node->rename_stmt;
    native->spec->quiet = node->missing_ok;
    native->spec->unknown = node->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
    native->spec->note = "the old application may still use the old name: the new one is there from complete "
                         "on";
    lock_on(native, node->relation, mode_all);
}

static void read_move(Native *native)
{
    const PgQuery__AlterObjectSchemaStmt *node = native->node->alter_object_schema_stmt;
    native->spec->quiet = node->missing_ok;
    native->spec->note =
        "the old application may still look for it in the old schema: it moves with complete";
    lock_on(native, node->relation, mode_all);
}

static void read_owner(Native *native)
{
    lock_on(native, native->node->alter_owner_stmt->relation, mode_all);
}

/* ALTER VIEW, INDEX, SEQUENCE, MATERIALIZED VIEW, FOREIGN TABLE, TYPE. SET (options), STATISTICS and CLUSTER
 * ON take SHARE UPDATE EXCLUSIVE (manual of ALTER TABLE and ALTER INDEX); all else is taken for ACCESS
 * EXCLUSIVE.
 */
static void read_alter_relation(Native *native)
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
        lock_on(native, node->relation, weak ? mode_weak : mode_all);
    if (type && !takes)
        native->when = NATIVE_FIRST;
}

/* ---- rules ---------------------------------------------------------------------------------- */

typedef void Read(Native *native);

/* Locks were looked at on 10 to 18 (test/server/probe_cases.py). */
static const struct Rule {
    PgQuery__Node__NodeCase kind;
    NativeWhen when;
    Read *read; /* NULL: it locks no relation */
} rules[] = {
    {NODE(ALTER_COLLATION_STMT), NATIVE_FIRST, NULL},
    {NODE(ALTER_DEFAULT_PRIVILEGES_STMT), NATIVE_FIRST, NULL},
    {NODE(ALTER_DOMAIN_STMT), NATIVE_FIRST, read_alter_domain},
    {NODE(ALTER_ENUM_STMT), NATIVE_FIRST, read_enum},
    {NODE(ALTER_EVENT_TRIG_STMT), NATIVE_LAST, NULL},
    {NODE(ALTER_EXTENSION_CONTENTS_STMT), NATIVE_LAST, read_unknown},
    {NODE(ALTER_EXTENSION_STMT), NATIVE_FIRST, read_unknown},
    {NODE(ALTER_FDW_STMT), NATIVE_FIRST, NULL},
    {NODE(ALTER_FOREIGN_SERVER_STMT), NATIVE_FIRST, NULL},
    {NODE(ALTER_FUNCTION_STMT), NATIVE_FIRST, NULL},
    {NODE(ALTER_OBJECT_DEPENDS_STMT), NATIVE_LAST, NULL},
    {NODE(ALTER_OBJECT_SCHEMA_STMT), NATIVE_CONTRACT, read_move},
    {NODE(ALTER_OPERATOR_STMT), NATIVE_FIRST, NULL},
    {NODE(ALTER_OP_FAMILY_STMT), NATIVE_FIRST, NULL},
    {NODE(ALTER_OWNER_STMT), NATIVE_LAST, read_owner},
    {NODE(ALTER_POLICY_STMT), NATIVE_LAST, read_alter_policy},
    {NODE(ALTER_PUBLICATION_STMT), NATIVE_LAST, read_alter_publication},
    {NODE(ALTER_SEQ_STMT), NATIVE_LAST, read_alter_sequence},
    {NODE(ALTER_STATS_STMT), NATIVE_LAST, NULL},
    {NODE(ALTER_TABLE_STMT), NATIVE_LAST, read_alter_relation},
    {NODE(ALTER_TSCONFIGURATION_STMT), NATIVE_FIRST, NULL},
    {NODE(ALTER_TSDICTIONARY_STMT), NATIVE_FIRST, NULL},
    {NODE(ALTER_TYPE_STMT), NATIVE_FIRST, NULL},
    {NODE(ALTER_USER_MAPPING_STMT), NATIVE_FIRST, NULL},
    {NODE(COMMENT_STMT), NATIVE_LAST, read_comment},
    {NODE(COMPOSITE_TYPE_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_AM_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_CAST_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_CONVERSION_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_DOMAIN_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_ENUM_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_EVENT_TRIG_STMT), NATIVE_LAST, NULL},
    {NODE(CREATE_EXTENSION_STMT), NATIVE_FIRST, read_extension},
    {NODE(CREATE_FDW_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_FOREIGN_SERVER_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_FOREIGN_TABLE_STMT), NATIVE_FIRST, read_foreign_table},
    {NODE(CREATE_FUNCTION_STMT), NATIVE_FIRST, read_function},
    {NODE(CREATE_OP_CLASS_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_OP_FAMILY_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_PLANG_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_POLICY_STMT), NATIVE_LAST, read_policy},
    {NODE(CREATE_PUBLICATION_STMT), NATIVE_LAST, read_publication},
    {NODE(CREATE_RANGE_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_SCHEMA_STMT), NATIVE_FIRST, read_schema},
    {NODE(CREATE_SEQ_STMT), NATIVE_FIRST, read_sequence},
    {NODE(CREATE_STATS_STMT), NATIVE_LAST, read_statistics},
    {NODE(CREATE_STMT), NATIVE_FIRST, read_table},
    {NODE(CREATE_TABLE_AS_STMT), NATIVE_FIRST, read_table_as},
    {NODE(CREATE_TRANSFORM_STMT), NATIVE_FIRST, NULL},
    {NODE(CREATE_TRIG_STMT), NATIVE_LAST, read_trigger},
    {NODE(CREATE_USER_MAPPING_STMT), NATIVE_FIRST, NULL},
    {NODE(DEFINE_STMT), NATIVE_FIRST, read_define},
    {NODE(DROP_USER_MAPPING_STMT), NATIVE_CONTRACT, NULL},
    {NODE(GRANT_STMT), NATIVE_LAST, read_grant},
    {NODE(IMPORT_FOREIGN_SCHEMA_STMT), NATIVE_FIRST, read_import},
    {NODE(REFRESH_MAT_VIEW_STMT), NATIVE_LAST, read_refresh},
    {NODE(REINDEX_STMT), NATIVE_LAST, read_reindex},
    {NODE(RENAME_STMT), NATIVE_CONTRACT, read_rename},
    {NODE(RULE_STMT), NATIVE_LAST, read_rule},
    {NODE(SEC_LABEL_STMT), NATIVE_LAST, NULL},
    {NODE(VACUUM_STMT), NATIVE_LAST, read_vacuum},
    {NODE(VIEW_STMT), NATIVE_LAST, read_view},
};

/* ---- the operation -------------------------------------------------------------------------- */

/* To its last token: a comment behind it would swallow what follows. */
const char *statement_text(const Statement *stmt)
{
    const Tokens *tokens = &stmt->parser->tokens;
    size_t end = stmt->start;
    for (size_t i = stmt->parser->next_token; i < tokens->len && tokens->items[i].end <= stmt->end; i++)
        if (!token_is_comment(&tokens->items[i]))
            end = tokens->items[i].end;
    return arena_dupn(stmt->parser->arena, stmt->parser->text + stmt->start, end - stmt->start);
}

/* EXECUTE FUNCTION, which the deparser writes, is known from 11 on; EXECUTE PROCEDURE is always. */
static const char *trigger_sql(Arena *arena, const char *sql)
{
    TreeFault fault;
    Tokens tokens = tree_scan(arena, sql, &fault);
    for (size_t i = 0; i + 1 < tokens.len; i++)
        if (tokens.items[i].kind == PG_QUERY__TOKEN__EXECUTE &&
            tokens.items[i + 1].kind == PG_QUERY__TOKEN__FUNCTION)
            return arena_printf(arena, "%.*sPROCEDURE%s", (int)tokens.items[i + 1].start, sql,
                                sql + tokens.items[i + 1].end);
    return sql;
}

const char *native_sql(Arena *arena, PgQuery__Node *node)
{
    const char *sql = tree_sql(arena, node);
    if (sql != NULL && node->node_case == NODE(CREATE_TRIG_STMT))
        return trigger_sql(arena, sql);
    if (node->node_case != NODE(REINDEX_STMT) || node->reindex_stmt->n_params != 1)
        return sql;
    /* REINDEX (CONCURRENTLY) is known from 14 on */
    const PgQuery__RangeVar *relation = node->reindex_stmt->relation;
    bool index = node->reindex_stmt->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_INDEX;
    const char *plain = relation == NULL
                            ? NULL
                            : arena_printf(arena, "REINDEX %s CONCURRENTLY %s", index ? "INDEX" : "TABLE",
                                           sql_name(arena, name_of(relation).schema, relation->relname));
    return tree_is_sql(arena, node, plain) ? plain : sql;
}

Operation *native_add(const Statement *stmt, NativeSpec *spec, const char *words, NativeWhen when)
{
    Arena *arena = stmt->parser->arena;
    const char *sql = stmt->node != NULL ? native_sql(arena, stmt->node) : NULL;
    if (sql == NULL) /* what the deparser cannot write back is run as it stands there */
        sql = statement_text(stmt);
    Operation *operation = parser_add(stmt, OPERATION_NATIVE, sql);
    operation->native = spec;
    operation->words = words;
    operation->when = when;
    if (stmt->node != NULL)
        names_gather(arena, stmt->node, &operation->names, &operation->name_count);
    mentions_gather(arena, sql, &spec->mentions, &spec->mention_count);
    return operation;
}

/* Objects without a name of their own. */
static const char *undo_unnamed(Arena *arena, const PgQuery__Node *node)
{
    if (node->node_case == NODE(CREATE_CAST_STMT)) {
        const char *source = parse_type(arena, node->create_cast_stmt->sourcetype);
        const char *target = parse_type(arena, node->create_cast_stmt->targettype);
        bool both = source != NULL && target != NULL;
        return both ? arena_printf(arena, "DROP CAST (%s AS %s)", source, target) : NULL;
    }
    if (node->node_case != NODE(DEFINE_STMT) || node->define_stmt->kind != OBJECT(OPERATOR))
        return NULL;
    const PgQuery__DefineStmt *define = node->define_stmt;
    const char *sides[2] = {"NONE", "NONE"};
    for (size_t i = 0; i < define->n_definition; i++) {
        const PgQuery__DefElem *item = define->definition[i]->def_elem;
        bool left = str_eq(item->defname, "leftarg");
        if (!left && !str_eq(item->defname, "rightarg"))
            continue;
        if (item->arg == NULL || item->arg->node_case != NODE(TYPE_NAME))
            return NULL;
        sides[left ? 0 : 1] = parse_type(arena, item->arg->type_name);
    }
    Str name CLEANUP(str_donep) = STR_INIT;
    const char *const *words = parser_words(arena, define->defnames, define->n_defnames);
    for (size_t i = 0; i + 1 < define->n_defnames; i++) {
        sql_add_ident(&name, words[i]);
        str_add(&name, ".");
    }
    if (sides[0] == NULL || sides[1] == NULL || define->n_defnames == 0)
        return NULL;
    return arena_printf(arena, "DROP OPERATOR %s%s (%s, %s)", name.len > 0 ? name.buf : "",
                        words[define->n_defnames - 1], sides[0], sides[1]);
}

/* What DROP calls an object: its type's word, but for some. */
static const struct {
    const char *type, *drop;
} drops[] = {
    {"statistics object", "STATISTICS"},
    {"foreign-data wrapper", "FOREIGN DATA WRAPPER"},
    {"aggregate", "AGGREGATE"},
    {"collation", "COLLATION"},
    {"domain", "DOMAIN"},
    {"event trigger", "EVENT TRIGGER"},
    {"extension", "EXTENSION"},
    {"foreign table", "FOREIGN TABLE"},
    {"function", "FUNCTION"},
    {"materialized view", "MATERIALIZED VIEW"},
    {"policy", "POLICY"},
    {"procedure", "PROCEDURE"},
    {"publication", "PUBLICATION"},
    {"rule", "RULE"},
    {"schema", "SCHEMA"},
    {"sequence", "SEQUENCE"},
    {"server", "SERVER"},
    {"table", "TABLE"},
    {"text search configuration", "TEXT SEARCH CONFIGURATION"},
    {"text search dictionary", "TEXT SEARCH DICTIONARY"},
    {"trigger", "TRIGGER"},
    {"type", "TYPE"},
    {"view", "VIEW"},
};

/* Function and aggregate: behind the name. */
static void add_args(Str *text, const ObjectName *made)
{
    bool aggregate = str_eq(made->type, "aggregate");
    if (!aggregate && !str_eq(made->type, "function") && !str_eq(made->type, "procedure"))
        return;
    str_add(text, "(");
    for (size_t i = 0; i < made->arg_count; i++)
        str_addf(text, "%s%s", i == 0 ? "" : ", ", made->args[i]);
    str_add(text, aggregate && made->arg_count == 0 ? "*)" : ")");
}

/* "DROP VIEW public.v": what takes a made object away again, exactly. */
static const char *undo_of(Arena *arena, const PgQuery__Node *node, const ObjectName *made)
{
    Str text CLEANUP(str_donep) = STR_INIT;
    const char *drop = NULL;
    if (made->type == NULL)
        return undo_unnamed(arena, node);
    for (size_t i = 0; i < ARRAY_LEN(drops); i++)
        drop = str_eq(drops[i].type, made->type) ? drops[i].drop : drop;
    bool filled = node->node_case == NODE(CREATE_SCHEMA_STMT) && node->create_schema_stmt->n_schema_elts > 0;
    if (drop == NULL || filled)
        return NULL;
    str_addf(&text, "DROP %s ", drop);
    bool part = str_eq(made->type, "trigger") || str_eq(made->type, "policy") || str_eq(made->type, "rule");
    bool type = str_eq(made->type, "type") || str_eq(made->type, "domain");
    size_t count = made->name_count;
    if (part) {
        sql_add_ident(&text, made->names[--count]);
        str_add(&text, " ON ");
    }
    for (size_t i = 0; i < count; i++) {
        str_add(&text, i > 0 ? "." : "");
        if (type)
            str_add(&text, made->names[i]); /* quoted by object_type() */
        else
            sql_add_ident(&text, made->names[i]);
    }
    add_args(&text, made);
    return arena_dup(arena, text.buf);
}

/* Without IF NOT EXISTS: where nothing was there when the plan was made, somebody else's object that came in
 * between must not be taken for ours. */
static const char *plain_sql(Arena *arena, PgQuery__Node *node)
{
    PgQuery__Node *copy = tree_copy(arena, node);
    if (copy->node_case == NODE(CREATE_STMT))
        copy->create_stmt->if_not_exists = 0;
    else if (copy->node_case == NODE(CREATE_TABLE_AS_STMT))
        copy->create_table_as_stmt->if_not_exists = 0;
    else if (copy->node_case == NODE(CREATE_SEQ_STMT))
        copy->create_seq_stmt->if_not_exists = 0;
    else if (copy->node_case == NODE(CREATE_SCHEMA_STMT))
        copy->create_schema_stmt->if_not_exists = 0;
    else if (copy->node_case == NODE(CREATE_EXTENSION_STMT))
        copy->create_extension_stmt->if_not_exists = 0;
    else
        return NULL;
    return tree_sql(arena, copy);
}

static void drop_one(const Statement *stmt, PgQuery__Node *alone)
{
    const PgQuery__DropStmt *node = alone->drop_stmt;
    Arena *arena = stmt->parser->arena;
    NativeSpec *spec = arena_alloc(arena, sizeof *spec);
    *spec = (NativeSpec){.drops = object_of(arena, node->remove_type, node->objects[0]),
                         .quiet = node->missing_ok,
                         .unknown = node->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE};
    const PgQuery__Node *object = node->objects[0];
    bool relation = node->remove_type == OBJECT(VIEW) || node->remove_type == OBJECT(MATVIEW) ||
                    node->remove_type == OBJECT(SEQUENCE) || node->remove_type == OBJECT(FOREIGN_TABLE);
    bool part = node->remove_type == OBJECT(TRIGGER) || node->remove_type == OBJECT(POLICY) ||
                node->remove_type == OBJECT(RULE);
    Name name = {0};
    if ((relation || part) && object->node_case == NODE(LIST) && object->list->n_items > (part ? 1U : 0U)) {
        if (!parser_dotted(stmt, object->list->items, object->list->n_items - (part ? 1 : 0), &name))
            return;
        native_lock(arena, spec, name, mode_all);
    }
    spec->late = !relation && !part && node->remove_type != OBJECT(STATISTIC_EXT);
    Statement one = {.parser = stmt->parser, .start = stmt->start, .end = stmt->end, .node = alone};
    Operation *operation = native_add(&one, spec, statement_words(arena, alone), NATIVE_CONTRACT);
    if (name.name != NULL) {
        Name *names = arena_alloc(arena, sizeof *names);
        *names = name;
        operation->names = names;
        operation->name_count = 1;
        operation->table = name;
    }
}

/* One operation for each object. */
static void parse_drop(const Statement *stmt)
{
    const PgQuery__DropStmt *node = stmt->node->drop_stmt;
    for (size_t i = 0; i < node->n_objects; i++) {
        PgQuery__DropStmt single = *node;
        PgQuery__Node alone = *stmt->node;
        single.n_objects = 1;
        single.objects = &node->objects[i];
        alone.drop_stmt = &single;
        drop_one(stmt, &alone);
    }
}

/* A constraint of a domain in two: new values are bound first. */
static bool split_domain(const Statement *stmt)
{
    PgQuery__AlterDomainStmt *node = stmt->node->alter_domain_stmt;
    if (node->subtype[0] != 'C' || node->def == NULL || node->def->node_case != NODE(CONSTRAINT) ||
        node->def->constraint->conname[0] == '\0' || node->def->constraint->skip_validation)
        return false;
    Arena *arena = stmt->parser->arena;
    PgQuery__Node *first = tree_copy(arena, stmt->node), *second = tree_copy(arena, stmt->node);
    first->alter_domain_stmt->def->constraint->skip_validation = 1;
    first->alter_domain_stmt->def->constraint->initially_valid = 0;
    static char validate[] = "V";
    second->alter_domain_stmt->subtype = validate;
    second->alter_domain_stmt->name = node->def->constraint->conname;
    second->alter_domain_stmt->def = NULL;
    if (tree_sql(arena, first) == NULL || tree_sql(arena, second) == NULL)
        return false;
    for (int i = 0; i < 2; i++) {
        Statement one = *stmt;
        one.node = i == 0 ? first : second;
        if (!parse_native(&one))
            return false;
    }
    return true;
}

static const struct Rule *rule_of(const PgQuery__Node *node)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].kind == node->node_case)
            return &rules[i];
    return NULL;
}

static void parse_ruled(const Statement *stmt, Read *read, NativeWhen when)
{
    Arena *arena = stmt->parser->arena;
    NativeSpec *spec = arena_alloc(arena, sizeof *spec);
    *spec = (NativeSpec){0};
    Native native = {.stmt = stmt,
                     .arena = arena,
                     .node = stmt->node,
                     .spec = spec,
                     .words = statement_words(arena, stmt->node),
                     .when = when};
    if (read != NULL)
        read(&native);
    if (native.refused)
        return;
    spec->makes = object_made(arena, stmt->node);
    spec->undo_sql = undo_of(arena, stmt->node, &spec->makes);
    spec->plain_sql = spec->quiet ? plain_sql(arena, stmt->node) : NULL;
    native_same(arena, stmt->node, spec);
    Operation *operation = native_add(stmt, spec, native.words, native.when);
    if (spec->lock_count > 0)
        operation->table = spec->locks[0].relation;
    bool relation = str_eq(spec->makes.type, "table") || str_eq(spec->makes.type, "view") ||
                    str_eq(spec->makes.type, "materialized view") || str_eq(spec->makes.type, "sequence");
    if (relation && spec->makes.name_count <= 2)
        operation->table = (Name){.schema = spec->makes.name_count == 2 ? spec->makes.names[0] : NULL,
                                  .name = spec->makes.names[spec->makes.name_count - 1]};
}

bool parse_native(const Statement *stmt)
{
    const PgQuery__Node *node = stmt->node;
    if (node->node_case == NODE(DROP_STMT)) {
        parse_drop(stmt);
        return true;
    }
    if (node->node_case == NODE(DO_STMT)) {
        parse_do(stmt);
        return true;
    }
    if (node->node_case == NODE(SELECT_STMT) && node->select_stmt->into_clause != NULL) {
        parse_ruled(stmt, read_select_into, NATIVE_FIRST);
        return true;
    }
    if (node->node_case == NODE(ALTER_DOMAIN_STMT) && split_domain(stmt))
        return true;
    if (node->node_case == NODE(RENAME_STMT) && node->rename_stmt->rename_type == OBJECT(ROLE))
        return false;
    if (node->node_case == NODE(RENAME_STMT) && node->rename_stmt->rename_type == OBJECT(DATABASE))
        return false;
    if (node->node_case == NODE(COMMENT_STMT) &&
        (node->comment_stmt->objtype == OBJECT(DATABASE) || node->comment_stmt->objtype == OBJECT(ROLE) ||
         node->comment_stmt->objtype == OBJECT(TABLESPACE)))
        return false;
    const struct Rule *rule = rule_of(node);
    if (rule == NULL)
        return false;
    parse_ruled(stmt, rule->read, rule->when);
    return true;
}
