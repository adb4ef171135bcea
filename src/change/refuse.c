/* Plain names of statements, and why those are not carried out that are not. */
#include "change/parser.h"

#define NODE(x)    PG_QUERY__NODE__NODE_##x
#define OBJECT(x)  PG_QUERY__OBJECT_TYPE__OBJECT_##x
#define COMMAND(x) PG_QUERY__ALTER_TABLE_TYPE__AT_##x

static const char hint_data[] = "rows are filled by a backfill: -- stoa: backfill table.column = expression";
static const char hint_set[] = "leave it out: Stoa bounds its own waits (--max-stall, --lock-wait); "
                               "write schema.table where search_path was meant";
static const char hint_hand[] = "run it by hand, with psql";
static const char hint_out[] = "leave it out";

/* Statements with one name. */
static const struct {
    PgQuery__Node__NodeCase kind;
    const char *words;
} statements[] = {
    {NODE(ALTER_COLLATION_STMT), "ALTER COLLATION"},
    {NODE(ALTER_DATABASE_REFRESH_COLL_STMT), "ALTER DATABASE"},
    {NODE(ALTER_DATABASE_SET_STMT), "ALTER DATABASE"},
    {NODE(ALTER_DATABASE_STMT), "ALTER DATABASE"},
    {NODE(ALTER_DEFAULT_PRIVILEGES_STMT), "ALTER DEFAULT PRIVILEGES"},
    {NODE(ALTER_DOMAIN_STMT), "ALTER DOMAIN"},
    {NODE(ALTER_ENUM_STMT), "ALTER TYPE"},
    {NODE(ALTER_EVENT_TRIG_STMT), "ALTER EVENT TRIGGER"},
    {NODE(ALTER_EXTENSION_CONTENTS_STMT), "ALTER EXTENSION"},
    {NODE(ALTER_EXTENSION_STMT), "ALTER EXTENSION"},
    {NODE(ALTER_FDW_STMT), "ALTER FOREIGN DATA WRAPPER"},
    {NODE(ALTER_FOREIGN_SERVER_STMT), "ALTER SERVER"},
    {NODE(ALTER_FUNCTION_STMT), "ALTER FUNCTION"},
    {NODE(ALTER_OPERATOR_STMT), "ALTER OPERATOR"},
    {NODE(ALTER_OP_FAMILY_STMT), "ALTER OPERATOR FAMILY"},
    {NODE(ALTER_POLICY_STMT), "ALTER POLICY"},
    {NODE(ALTER_PUBLICATION_STMT), "ALTER PUBLICATION"},
    {NODE(ALTER_ROLE_SET_STMT), "ALTER ROLE"},
    {NODE(ALTER_ROLE_STMT), "ALTER ROLE"},
    {NODE(ALTER_SEQ_STMT), "ALTER SEQUENCE"},
    {NODE(ALTER_STATS_STMT), "ALTER STATISTICS"},
    {NODE(ALTER_SUBSCRIPTION_STMT), "ALTER SUBSCRIPTION"},
    {NODE(ALTER_SYSTEM_STMT), "ALTER SYSTEM"},
    {NODE(ALTER_TABLE_MOVE_ALL_STMT), "ALTER TABLE ALL IN TABLESPACE"},
    {NODE(ALTER_TABLE_SPACE_OPTIONS_STMT), "ALTER TABLESPACE"},
    {NODE(ALTER_TSCONFIGURATION_STMT), "ALTER TEXT SEARCH CONFIGURATION"},
    {NODE(ALTER_TSDICTIONARY_STMT), "ALTER TEXT SEARCH DICTIONARY"},
    {NODE(ALTER_TYPE_STMT), "ALTER TYPE"},
    {NODE(ALTER_USER_MAPPING_STMT), "ALTER USER MAPPING"},
    {NODE(CALL_STMT), "CALL"},
    {NODE(CHECK_POINT_STMT), "CHECKPOINT"},
    {NODE(CLOSE_PORTAL_STMT), "CLOSE"},
    {NODE(CLUSTER_STMT), "CLUSTER"},
    {NODE(COMPOSITE_TYPE_STMT), "CREATE TYPE"},
    {NODE(CONSTRAINTS_SET_STMT), "SET CONSTRAINTS"},
    {NODE(COPY_STMT), "COPY"},
    {NODE(CREATEDB_STMT), "CREATE DATABASE"},
    {NODE(CREATE_AM_STMT), "CREATE ACCESS METHOD"},
    {NODE(CREATE_CAST_STMT), "CREATE CAST"},
    {NODE(CREATE_CONVERSION_STMT), "CREATE CONVERSION"},
    {NODE(CREATE_DOMAIN_STMT), "CREATE DOMAIN"},
    {NODE(CREATE_ENUM_STMT), "CREATE TYPE"},
    {NODE(CREATE_EVENT_TRIG_STMT), "CREATE EVENT TRIGGER"},
    {NODE(CREATE_EXTENSION_STMT), "CREATE EXTENSION"},
    {NODE(CREATE_FDW_STMT), "CREATE FOREIGN DATA WRAPPER"},
    {NODE(CREATE_FOREIGN_SERVER_STMT), "CREATE SERVER"},
    {NODE(CREATE_FOREIGN_TABLE_STMT), "CREATE FOREIGN TABLE"},
    {NODE(CREATE_FUNCTION_STMT), "CREATE FUNCTION"},
    {NODE(CREATE_OP_CLASS_STMT), "CREATE OPERATOR CLASS"},
    {NODE(CREATE_OP_FAMILY_STMT), "CREATE OPERATOR FAMILY"},
    {NODE(CREATE_PLANG_STMT), "CREATE LANGUAGE"},
    {NODE(CREATE_POLICY_STMT), "CREATE POLICY"},
    {NODE(CREATE_PUBLICATION_STMT), "CREATE PUBLICATION"},
    {NODE(CREATE_RANGE_STMT), "CREATE TYPE"},
    {NODE(CREATE_ROLE_STMT), "CREATE ROLE"},
    {NODE(CREATE_SCHEMA_STMT), "CREATE SCHEMA"},
    {NODE(CREATE_SEQ_STMT), "CREATE SEQUENCE"},
    {NODE(CREATE_STATS_STMT), "CREATE STATISTICS"},
    {NODE(CREATE_STMT), "CREATE TABLE"},
    {NODE(CREATE_SUBSCRIPTION_STMT), "CREATE SUBSCRIPTION"},
    {NODE(CREATE_TABLE_AS_STMT), "CREATE TABLE AS"},
    {NODE(CREATE_TABLE_SPACE_STMT), "CREATE TABLESPACE"},
    {NODE(CREATE_TRANSFORM_STMT), "CREATE TRANSFORM"},
    {NODE(CREATE_TRIG_STMT), "CREATE TRIGGER"},
    {NODE(CREATE_USER_MAPPING_STMT), "CREATE USER MAPPING"},
    {NODE(DEALLOCATE_STMT), "DEALLOCATE"},
    {NODE(DECLARE_CURSOR_STMT), "DECLARE CURSOR"},
    {NODE(DELETE_STMT), "DELETE"},
    {NODE(DISCARD_STMT), "DISCARD"},
    {NODE(DO_STMT), "DO"},
    {NODE(DROPDB_STMT), "DROP DATABASE"},
    {NODE(DROP_OWNED_STMT), "DROP OWNED"},
    {NODE(DROP_ROLE_STMT), "DROP ROLE"},
    {NODE(DROP_SUBSCRIPTION_STMT), "DROP SUBSCRIPTION"},
    {NODE(DROP_TABLE_SPACE_STMT), "DROP TABLESPACE"},
    {NODE(DROP_USER_MAPPING_STMT), "DROP USER MAPPING"},
    {NODE(EXECUTE_STMT), "EXECUTE"},
    {NODE(EXPLAIN_STMT), "EXPLAIN"},
    {NODE(FETCH_STMT), "FETCH"},
    {NODE(GRANT_ROLE_STMT), "GRANT"},
    {NODE(GRANT_STMT), "GRANT"},
    {NODE(IMPORT_FOREIGN_SCHEMA_STMT), "IMPORT FOREIGN SCHEMA"},
    {NODE(INSERT_STMT), "INSERT"},
    {NODE(LISTEN_STMT), "LISTEN"},
    {NODE(LOAD_STMT), "LOAD"},
    {NODE(LOCK_STMT), "LOCK TABLE"},
    {NODE(MERGE_STMT), "MERGE"},
    {NODE(NOTIFY_STMT), "NOTIFY"},
    {NODE(PREPARE_STMT), "PREPARE"},
    {NODE(REASSIGN_OWNED_STMT), "REASSIGN OWNED"},
    {NODE(REFRESH_MAT_VIEW_STMT), "REFRESH MATERIALIZED VIEW"},
    {NODE(REINDEX_STMT), "REINDEX"},
    {NODE(RULE_STMT), "CREATE RULE"},
    {NODE(SEC_LABEL_STMT), "SECURITY LABEL"},
    {NODE(SELECT_STMT), "SELECT"},
    {NODE(TRUNCATE_STMT), "TRUNCATE"},
    {NODE(UNLISTEN_STMT), "UNLISTEN"},
    {NODE(UPDATE_STMT), "UPDATE"},
    {NODE(VARIABLE_SET_STMT), "SET"},
    {NODE(VARIABLE_SHOW_STMT), "SHOW"},
    {NODE(VIEW_STMT), "CREATE VIEW"},
};

static const char why_cluster[] = "is not a change of a schema";
static const char why_data[] = "changes or reads rows, not the schema";
static const char why_session[] = "concerns a session only";
static const char why_remote[] = "reaches for another server, and copies rows at once";

static const struct {
    PgQuery__Node__NodeCase kind;
    const char *why, *hint;
} refusals[] = {
    {NODE(ALTER_DATABASE_REFRESH_COLL_STMT), why_cluster, hint_hand},
    {NODE(ALTER_DATABASE_SET_STMT), why_cluster, hint_hand},
    {NODE(ALTER_DATABASE_STMT), why_cluster, hint_hand},
    {NODE(ALTER_ROLE_SET_STMT), why_cluster, hint_hand},
    {NODE(ALTER_ROLE_STMT), why_cluster, hint_hand},
    {NODE(ALTER_SUBSCRIPTION_STMT), why_remote, hint_hand},
    {NODE(ALTER_SYSTEM_STMT), why_cluster, hint_hand},
    {NODE(ALTER_TABLE_MOVE_ALL_STMT), "copies table after table under ACCESS EXCLUSIVE",
     "move one table after the other, with pg_repack or by a new table"},
    {NODE(ALTER_TABLE_SPACE_OPTIONS_STMT), why_cluster, hint_hand},
    {NODE(CALL_STMT), "runs a procedure, which may do anything",
     "write the statements themselves, or call it by hand"},
    {NODE(CHECK_POINT_STMT), why_cluster, hint_hand},
    {NODE(CLOSE_PORTAL_STMT), why_session, hint_out},
    {NODE(CLUSTER_STMT), "rewrites the table under ACCESS EXCLUSIVE: readers and writers stand still",
     "use pg_repack, which sorts a copy; or ALTER TABLE … CLUSTER ON only marks the index"},
    {NODE(CONSTRAINTS_SET_STMT), why_session, hint_out},
    {NODE(COPY_STMT), why_data, hint_data},
    {NODE(CREATEDB_STMT), why_cluster, hint_hand},
    {NODE(CREATE_ROLE_STMT), why_cluster, hint_hand},
    {NODE(CREATE_SUBSCRIPTION_STMT), why_remote, hint_hand},
    {NODE(CREATE_TABLE_SPACE_STMT), why_cluster, hint_hand},
    {NODE(DEALLOCATE_STMT), why_session, hint_out},
    {NODE(DECLARE_CURSOR_STMT), why_session, hint_out},
    {NODE(DELETE_STMT), why_data, "delete in batches by hand"},
    {NODE(DISCARD_STMT), why_session, hint_out},
    {NODE(DROPDB_STMT), why_cluster, hint_hand},
    {NODE(DROP_OWNED_STMT), "drops whatever a role has, under ACCESS EXCLUSIVE on all of it",
     "write a DROP or REVOKE for each object"},
    {NODE(DROP_ROLE_STMT), why_cluster, hint_hand},
    {NODE(DROP_SUBSCRIPTION_STMT), why_remote, hint_hand},
    {NODE(DROP_TABLE_SPACE_STMT), why_cluster, hint_hand},
    {NODE(EXECUTE_STMT), why_session, hint_out},
    {NODE(EXPLAIN_STMT), why_data, "stoa plan shows what a change will do"},
    {NODE(FETCH_STMT), why_session, hint_out},
    {NODE(GRANT_ROLE_STMT), "of a role is not a change of a schema", hint_hand},
    {NODE(INSERT_STMT), why_data, hint_data},
    {NODE(LISTEN_STMT), why_session, hint_out},
    {NODE(LOAD_STMT), why_session, hint_out},
    {NODE(LOCK_STMT), "holds a lock for as long as the transaction lasts",
     "leave it out: Stoa takes the locks it needs, each for a moment"},
    {NODE(MERGE_STMT), why_data, hint_data},
    {NODE(NOTIFY_STMT), why_session, hint_out},
    {NODE(PREPARE_STMT), why_session, hint_out},
    {NODE(REASSIGN_OWNED_STMT), "takes ACCESS EXCLUSIVE on all that a role has, in one transaction",
     "write ALTER … OWNER TO for each object"},
    {NODE(COMMENT_STMT), why_cluster, hint_hand},
    {NODE(RENAME_STMT), why_cluster, hint_hand},
    {NODE(SELECT_STMT), why_data, hint_data},
    {NODE(TRANSACTION_STMT), "is not for a change to say", "leave it out: Stoa makes its own transactions"},
    {NODE(TRUNCATE_STMT), "takes away all rows, under ACCESS EXCLUSIVE, and nothing brings them back",
     "delete in batches by hand; or make a new table, and drop this one when nobody needs it"},
    {NODE(UNLISTEN_STMT), why_session, hint_out},
    {NODE(UPDATE_STMT), why_data, hint_data},
    {NODE(VARIABLE_SET_STMT), "holds for a session only", hint_set},
    {NODE(VARIABLE_SHOW_STMT), why_session, hint_out},
};

static const char *const objects[] = {
    [OBJECT(ACCESS_METHOD)] = "ACCESS METHOD",
    [OBJECT(AGGREGATE)] = "AGGREGATE",
    [OBJECT(ATTRIBUTE)] = "ATTRIBUTE",
    [OBJECT(CAST)] = "CAST",
    [OBJECT(COLUMN)] = "COLUMN",
    [OBJECT(COLLATION)] = "COLLATION",
    [OBJECT(CONVERSION)] = "CONVERSION",
    [OBJECT(DATABASE)] = "DATABASE",
    [OBJECT(DOMAIN)] = "DOMAIN",
    [OBJECT(DOMCONSTRAINT)] = "DOMAIN CONSTRAINT",
    [OBJECT(EVENT_TRIGGER)] = "EVENT TRIGGER",
    [OBJECT(EXTENSION)] = "EXTENSION",
    [OBJECT(FDW)] = "FOREIGN DATA WRAPPER",
    [OBJECT(FOREIGN_SERVER)] = "SERVER",
    [OBJECT(FOREIGN_TABLE)] = "FOREIGN TABLE",
    [OBJECT(FUNCTION)] = "FUNCTION",
    [OBJECT(INDEX)] = "INDEX",
    [OBJECT(LANGUAGE)] = "LANGUAGE",
    [OBJECT(LARGEOBJECT)] = "LARGE OBJECT",
    [OBJECT(MATVIEW)] = "MATERIALIZED VIEW",
    [OBJECT(OPCLASS)] = "OPERATOR CLASS",
    [OBJECT(OPERATOR)] = "OPERATOR",
    [OBJECT(OPFAMILY)] = "OPERATOR FAMILY",
    [OBJECT(POLICY)] = "POLICY",
    [OBJECT(PROCEDURE)] = "PROCEDURE",
    [OBJECT(PUBLICATION)] = "PUBLICATION",
    [OBJECT(ROLE)] = "ROLE",
    [OBJECT(ROUTINE)] = "ROUTINE",
    [OBJECT(RULE)] = "RULE",
    [OBJECT(SCHEMA)] = "SCHEMA",
    [OBJECT(SEQUENCE)] = "SEQUENCE",
    [OBJECT(SUBSCRIPTION)] = "SUBSCRIPTION",
    [OBJECT(STATISTIC_EXT)] = "STATISTICS",
    [OBJECT(TABCONSTRAINT)] = "CONSTRAINT",
    [OBJECT(TABLE)] = "TABLE",
    [OBJECT(TABLESPACE)] = "TABLESPACE",
    [OBJECT(TRANSFORM)] = "TRANSFORM",
    [OBJECT(TRIGGER)] = "TRIGGER",
    [OBJECT(TSCONFIGURATION)] = "TEXT SEARCH CONFIGURATION",
    [OBJECT(TSDICTIONARY)] = "TEXT SEARCH DICTIONARY",
    [OBJECT(TSPARSER)] = "TEXT SEARCH PARSER",
    [OBJECT(TSTEMPLATE)] = "TEXT SEARCH TEMPLATE",
    [OBJECT(TYPE)] = "TYPE",
    [OBJECT(VIEW)] = "VIEW",
};

static const char why_all[] = "concerns Stoa's own triggers, too, and ALL those of foreign keys";
static const char hint_one[] = "name the trigger";
static const char why_server[] = "is for foreign tables";

static const struct {
    PgQuery__AlterTableType type;
    const char *words, *why, *hint;
} commands[] = {
    {COMMAND(AlterColumnGenericOptions), "ALTER COLUMN OPTIONS", why_server, NULL},
    {COMMAND(DropOids), "SET WITHOUT OIDS",
     "means nothing on servers from 12 on, and rewrites the table before", "leave it out"},
    {COMMAND(EnableTrigAll), "ENABLE TRIGGER ALL", why_all, hint_one},
    {COMMAND(DisableTrigAll), "DISABLE TRIGGER ALL", why_all, hint_one},
    {COMMAND(EnableTrigUser), "ENABLE TRIGGER USER", why_all, hint_one},
    {COMMAND(DisableTrigUser), "DISABLE TRIGGER USER", why_all, hint_one},
    {COMMAND(GenericOptions), "OPTIONS", why_server, NULL},
};

const char *object_words(PgQuery__ObjectType type)
{
    const char *words = (size_t)type < ARRAY_LEN(objects) ? objects[type] : NULL;
    return words == NULL ? "object" : words;
}

void refuse_alter(const Statement *stmt, PgQuery__AlterTableType type)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].type == type) {
            parser_refuse(stmt, commands[i].words, commands[i].why, commands[i].hint);
            return;
        }
    parser_refuse(stmt, "this form of ALTER TABLE", "is not known", NULL);
}

static const char *transaction_words(PgQuery__TransactionStmtKind kind)
{
    switch (kind) {
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_SAVEPOINT:
        return "SAVEPOINT";
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_RELEASE:
        return "RELEASE SAVEPOINT";
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_TO:
        return "ROLLBACK TO SAVEPOINT";
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_PREPARE:
        return "PREPARE TRANSACTION";
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT_PREPARED:
        return "COMMIT PREPARED";
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_PREPARED:
        return "ROLLBACK PREPARED";
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK:
        return "ROLLBACK";
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT:
        return "COMMIT AND CHAIN";
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANSACTION_STMT_KIND_UNDEFINED:
    case _PG_QUERY__TRANSACTION_STMT_KIND_IS_INT_SIZE:
        break;
    }
    return "this transaction statement";
}

/* Statements whose name depends on what they are about; NULL for the others. */
static const char *varied_words(Arena *arena, const PgQuery__Node *node)
{
    if (node->node_case == NODE(DROP_STMT))
        return arena_printf(arena, "DROP %s", object_words(node->drop_stmt->remove_type));
    if (node->node_case == NODE(ALTER_TABLE_STMT))
        return arena_printf(arena, "ALTER %s", object_words(node->alter_table_stmt->objtype));
    if (node->node_case == NODE(COMMENT_STMT))
        return arena_printf(arena, "COMMENT ON %s", object_words(node->comment_stmt->objtype));
    if (node->node_case == NODE(DEFINE_STMT))
        return arena_printf(arena, "CREATE %s", object_words(node->define_stmt->kind));
    if (node->node_case == NODE(ALTER_OWNER_STMT))
        return arena_printf(arena, "ALTER %s OWNER TO", object_words(node->alter_owner_stmt->object_type));
    if (node->node_case == NODE(ALTER_OBJECT_SCHEMA_STMT))
        return arena_printf(arena, "ALTER %s SET SCHEMA",
                            object_words(node->alter_object_schema_stmt->object_type));
    if (node->node_case == NODE(ALTER_OBJECT_DEPENDS_STMT))
        return arena_printf(arena, "ALTER %s DEPENDS ON EXTENSION",
                            object_words(node->alter_object_depends_stmt->object_type));
    if (node->node_case == NODE(CREATE_TABLE_AS_STMT) &&
        node->create_table_as_stmt->objtype == OBJECT(MATVIEW))
        return "CREATE MATERIALIZED VIEW";
    if (node->node_case == NODE(CREATE_FUNCTION_STMT) && node->create_function_stmt->is_procedure)
        return "CREATE PROCEDURE";
    if (node->node_case == NODE(VACUUM_STMT))
        return node->vacuum_stmt->is_vacuumcmd ? "VACUUM" : "ANALYZE";
    if ((node->node_case == NODE(GRANT_STMT) && !node->grant_stmt->is_grant) ||
        (node->node_case == NODE(GRANT_ROLE_STMT) && !node->grant_role_stmt->is_grant))
        return "REVOKE";
    if (node->node_case == NODE(TRANSACTION_STMT))
        return transaction_words(node->transaction_stmt->kind);
    if (node->node_case != NODE(RENAME_STMT))
        return NULL;
    PgQuery__ObjectType type = node->rename_stmt->rename_type;
    if (type == OBJECT(COLUMN) || type == OBJECT(TABCONSTRAINT) || type == OBJECT(ATTRIBUTE))
        return arena_printf(arena, "RENAME %s", object_words(type));
    return arena_printf(arena, "ALTER %s RENAME TO", object_words(type));
}

const char *statement_words(Arena *arena, const PgQuery__Node *node)
{
    const char *words = varied_words(arena, node);
    for (size_t i = 0; words == NULL && i < ARRAY_LEN(statements); i++)
        words = statements[i].kind == node->node_case ? statements[i].words : NULL;
    return words == NULL ? "this statement" : words;
}

void refuse_statement(const Statement *stmt)
{
    const char *why = "is not known", *hint = hint_hand;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (refusals[i].kind == stmt->node->node_case) {
            why = refusals[i].why;
            hint = refusals[i].hint;
        }
    parser_refuse(stmt, statement_words(stmt->parser->arena, stmt->node), why, hint);
}
