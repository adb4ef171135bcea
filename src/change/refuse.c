/* Plain names of everything that is understood but not carried out. */
#include "change/parser.h"

#define NODE(x)    PG_QUERY__NODE__NODE_##x
#define OBJECT(x)  PG_QUERY__OBJECT_TYPE__OBJECT_##x
#define COMMAND(x) PG_QUERY__ALTER_TABLE_TYPE__AT_##x

static const char hint_data[] = "rows are filled by a backfill: -- stoa: backfill table.column = expression";
static const char hint_set[] = "leave it out: Stoa bounds its own waits (--max-stall, --lock-wait); "
                               "write schema.table where search_path was meant";

/* Statements with one name. */
static const struct {
    PgQuery__Node__NodeCase kind;
    const char *words, *hint;
} statements[] = {
    {NODE(ALTER_COLLATION_STMT), "ALTER COLLATION", NULL},
    {NODE(ALTER_DATABASE_REFRESH_COLL_STMT), "ALTER DATABASE", NULL},
    {NODE(ALTER_DATABASE_SET_STMT), "ALTER DATABASE", NULL},
    {NODE(ALTER_DATABASE_STMT), "ALTER DATABASE", NULL},
    {NODE(ALTER_DEFAULT_PRIVILEGES_STMT), "ALTER DEFAULT PRIVILEGES", NULL},
    {NODE(ALTER_DOMAIN_STMT), "ALTER DOMAIN", NULL},
    {NODE(ALTER_ENUM_STMT), "ALTER TYPE", NULL},
    {NODE(ALTER_EVENT_TRIG_STMT), "ALTER EVENT TRIGGER", NULL},
    {NODE(ALTER_EXTENSION_CONTENTS_STMT), "ALTER EXTENSION", NULL},
    {NODE(ALTER_EXTENSION_STMT), "ALTER EXTENSION", NULL},
    {NODE(ALTER_FDW_STMT), "ALTER FOREIGN DATA WRAPPER", NULL},
    {NODE(ALTER_FOREIGN_SERVER_STMT), "ALTER SERVER", NULL},
    {NODE(ALTER_FUNCTION_STMT), "ALTER FUNCTION", NULL},
    {NODE(ALTER_OPERATOR_STMT), "ALTER OPERATOR", NULL},
    {NODE(ALTER_OP_FAMILY_STMT), "ALTER OPERATOR FAMILY", NULL},
    {NODE(ALTER_POLICY_STMT), "ALTER POLICY", NULL},
    {NODE(ALTER_PUBLICATION_STMT), "ALTER PUBLICATION", NULL},
    {NODE(ALTER_ROLE_SET_STMT), "ALTER ROLE", NULL},
    {NODE(ALTER_ROLE_STMT), "ALTER ROLE", NULL},
    {NODE(ALTER_SEQ_STMT), "ALTER SEQUENCE", NULL},
    {NODE(ALTER_STATS_STMT), "ALTER STATISTICS", NULL},
    {NODE(ALTER_SUBSCRIPTION_STMT), "ALTER SUBSCRIPTION", NULL},
    {NODE(ALTER_SYSTEM_STMT), "ALTER SYSTEM", NULL},
    {NODE(ALTER_TABLE_MOVE_ALL_STMT), "ALTER TABLE ALL IN TABLESPACE", NULL},
    {NODE(ALTER_TABLE_SPACE_OPTIONS_STMT), "ALTER TABLESPACE", NULL},
    {NODE(ALTER_TSCONFIGURATION_STMT), "ALTER TEXT SEARCH CONFIGURATION", NULL},
    {NODE(ALTER_TSDICTIONARY_STMT), "ALTER TEXT SEARCH DICTIONARY", NULL},
    {NODE(ALTER_TYPE_STMT), "ALTER TYPE", NULL},
    {NODE(ALTER_USER_MAPPING_STMT), "ALTER USER MAPPING", NULL},
    {NODE(CALL_STMT), "CALL", NULL},
    {NODE(CHECK_POINT_STMT), "CHECKPOINT", NULL},
    {NODE(CLOSE_PORTAL_STMT), "CLOSE", NULL},
    {NODE(CLUSTER_STMT), "CLUSTER", NULL},
    {NODE(COMPOSITE_TYPE_STMT), "CREATE TYPE", NULL},
    {NODE(CONSTRAINTS_SET_STMT), "SET CONSTRAINTS", NULL},
    {NODE(COPY_STMT), "COPY", hint_data},
    {NODE(CREATEDB_STMT), "CREATE DATABASE", NULL},
    {NODE(CREATE_AM_STMT), "CREATE ACCESS METHOD", NULL},
    {NODE(CREATE_CAST_STMT), "CREATE CAST", NULL},
    {NODE(CREATE_CONVERSION_STMT), "CREATE CONVERSION", NULL},
    {NODE(CREATE_DOMAIN_STMT), "CREATE DOMAIN", NULL},
    {NODE(CREATE_ENUM_STMT), "CREATE TYPE", NULL},
    {NODE(CREATE_EVENT_TRIG_STMT), "CREATE EVENT TRIGGER", NULL},
    {NODE(CREATE_EXTENSION_STMT), "CREATE EXTENSION", NULL},
    {NODE(CREATE_FDW_STMT), "CREATE FOREIGN DATA WRAPPER", NULL},
    {NODE(CREATE_FOREIGN_SERVER_STMT), "CREATE SERVER", NULL},
    {NODE(CREATE_FOREIGN_TABLE_STMT), "CREATE FOREIGN TABLE", NULL},
    {NODE(CREATE_FUNCTION_STMT), "CREATE FUNCTION", NULL},
    {NODE(CREATE_OP_CLASS_STMT), "CREATE OPERATOR CLASS", NULL},
    {NODE(CREATE_OP_FAMILY_STMT), "CREATE OPERATOR FAMILY", NULL},
    {NODE(CREATE_PLANG_STMT), "CREATE LANGUAGE", NULL},
    {NODE(CREATE_POLICY_STMT), "CREATE POLICY", NULL},
    {NODE(CREATE_PUBLICATION_STMT), "CREATE PUBLICATION", NULL},
    {NODE(CREATE_RANGE_STMT), "CREATE TYPE", NULL},
    {NODE(CREATE_ROLE_STMT), "CREATE ROLE", NULL},
    {NODE(CREATE_SCHEMA_STMT), "CREATE SCHEMA", NULL},
    {NODE(CREATE_SEQ_STMT), "CREATE SEQUENCE", NULL},
    {NODE(CREATE_STATS_STMT), "CREATE STATISTICS", NULL},
    {NODE(CREATE_STMT), "CREATE TABLE", NULL},
    {NODE(CREATE_SUBSCRIPTION_STMT), "CREATE SUBSCRIPTION", NULL},
    {NODE(CREATE_TABLE_AS_STMT), "CREATE TABLE AS", NULL},
    {NODE(CREATE_TABLE_SPACE_STMT), "CREATE TABLESPACE", NULL},
    {NODE(CREATE_TRANSFORM_STMT), "CREATE TRANSFORM", NULL},
    {NODE(CREATE_TRIG_STMT), "CREATE TRIGGER", NULL},
    {NODE(CREATE_USER_MAPPING_STMT), "CREATE USER MAPPING", NULL},
    {NODE(DEALLOCATE_STMT), "DEALLOCATE", NULL},
    {NODE(DECLARE_CURSOR_STMT), "DECLARE CURSOR", NULL},
    {NODE(DELETE_STMT), "DELETE", hint_data},
    {NODE(DISCARD_STMT), "DISCARD", NULL},
    {NODE(DO_STMT), "DO", NULL},
    {NODE(DROPDB_STMT), "DROP DATABASE", NULL},
    {NODE(DROP_OWNED_STMT), "DROP OWNED", NULL},
    {NODE(DROP_ROLE_STMT), "DROP ROLE", NULL},
    {NODE(DROP_SUBSCRIPTION_STMT), "DROP SUBSCRIPTION", NULL},
    {NODE(DROP_TABLE_SPACE_STMT), "DROP TABLESPACE", NULL},
    {NODE(DROP_USER_MAPPING_STMT), "DROP USER MAPPING", NULL},
    {NODE(EXECUTE_STMT), "EXECUTE", NULL},
    {NODE(EXPLAIN_STMT), "EXPLAIN", "stoa plan shows what a change will do"},
    {NODE(FETCH_STMT), "FETCH", NULL},
    {NODE(GRANT_ROLE_STMT), "GRANT", NULL},
    {NODE(GRANT_STMT), "GRANT", NULL},
    {NODE(IMPORT_FOREIGN_SCHEMA_STMT), "IMPORT FOREIGN SCHEMA", NULL},
    {NODE(INSERT_STMT), "INSERT", hint_data},
    {NODE(LISTEN_STMT), "LISTEN", NULL},
    {NODE(LOAD_STMT), "LOAD", NULL},
    {NODE(LOCK_STMT), "LOCK TABLE", "leave it out: Stoa takes the locks it needs, each for a moment"},
    {NODE(MERGE_STMT), "MERGE", hint_data},
    {NODE(NOTIFY_STMT), "NOTIFY", NULL},
    {NODE(PREPARE_STMT), "PREPARE", NULL},
    {NODE(REASSIGN_OWNED_STMT), "REASSIGN OWNED", NULL},
    {NODE(REFRESH_MAT_VIEW_STMT), "REFRESH MATERIALIZED VIEW", NULL},
    {NODE(REINDEX_STMT), "REINDEX", NULL},
    {NODE(RULE_STMT), "CREATE RULE", NULL},
    {NODE(SEC_LABEL_STMT), "SECURITY LABEL", NULL},
    {NODE(SELECT_STMT), "SELECT", hint_data},
    {NODE(TRUNCATE_STMT), "TRUNCATE", NULL},
    {NODE(UNLISTEN_STMT), "UNLISTEN", NULL},
    {NODE(UPDATE_STMT), "UPDATE", hint_data},
    {NODE(VARIABLE_SET_STMT), "SET", hint_set},
    {NODE(VARIABLE_SHOW_STMT), "SHOW", NULL},
    {NODE(VIEW_STMT), "CREATE VIEW", NULL},
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

static const struct {
    PgQuery__AlterTableType type;
    const char *words;
} commands[] = {
    {COMMAND(DropExpression), "ALTER COLUMN DROP EXPRESSION"},
    {COMMAND(SetStatistics), "ALTER COLUMN SET STATISTICS"},
    {COMMAND(SetOptions), "ALTER COLUMN SET (options)"},
    {COMMAND(ResetOptions), "ALTER COLUMN RESET (options)"},
    {COMMAND(SetStorage), "ALTER COLUMN SET STORAGE"},
    {COMMAND(SetCompression), "ALTER COLUMN SET COMPRESSION"},
    {COMMAND(DropColumn), "DROP COLUMN"},
    {COMMAND(AlterConstraint), "ALTER CONSTRAINT"},
    {COMMAND(DropConstraint), "DROP CONSTRAINT"},
    {COMMAND(AlterColumnType), "ALTER COLUMN TYPE"},
    {COMMAND(AlterColumnGenericOptions), "ALTER COLUMN OPTIONS"},
    {COMMAND(ChangeOwner), "OWNER TO"},
    {COMMAND(ClusterOn), "CLUSTER ON"},
    {COMMAND(DropCluster), "SET WITHOUT CLUSTER"},
    {COMMAND(SetLogged), "SET LOGGED"},
    {COMMAND(SetUnLogged), "SET UNLOGGED"},
    {COMMAND(DropOids), "SET WITHOUT OIDS"},
    {COMMAND(SetAccessMethod), "SET ACCESS METHOD"},
    {COMMAND(SetTableSpace), "SET TABLESPACE"},
    {COMMAND(SetRelOptions), "SET (storage parameters)"},
    {COMMAND(ResetRelOptions), "RESET (storage parameters)"},
    {COMMAND(EnableTrig), "ENABLE TRIGGER"},
    {COMMAND(EnableAlwaysTrig), "ENABLE ALWAYS TRIGGER"},
    {COMMAND(EnableReplicaTrig), "ENABLE REPLICA TRIGGER"},
    {COMMAND(DisableTrig), "DISABLE TRIGGER"},
    {COMMAND(EnableTrigAll), "ENABLE TRIGGER ALL"},
    {COMMAND(DisableTrigAll), "DISABLE TRIGGER ALL"},
    {COMMAND(EnableTrigUser), "ENABLE TRIGGER USER"},
    {COMMAND(DisableTrigUser), "DISABLE TRIGGER USER"},
    {COMMAND(EnableRule), "ENABLE RULE"},
    {COMMAND(EnableAlwaysRule), "ENABLE ALWAYS RULE"},
    {COMMAND(EnableReplicaRule), "ENABLE REPLICA RULE"},
    {COMMAND(DisableRule), "DISABLE RULE"},
    {COMMAND(AddInherit), "INHERIT"},
    {COMMAND(DropInherit), "NO INHERIT"},
    {COMMAND(AddOf), "OF type"},
    {COMMAND(DropOf), "NOT OF"},
    {COMMAND(ReplicaIdentity), "REPLICA IDENTITY"},
    {COMMAND(EnableRowSecurity), "ENABLE ROW LEVEL SECURITY"},
    {COMMAND(DisableRowSecurity), "DISABLE ROW LEVEL SECURITY"},
    {COMMAND(ForceRowSecurity), "FORCE ROW LEVEL SECURITY"},
    {COMMAND(NoForceRowSecurity), "NO FORCE ROW LEVEL SECURITY"},
    {COMMAND(GenericOptions), "OPTIONS"},
    {COMMAND(AttachPartition), "ATTACH PARTITION"},
    {COMMAND(DetachPartition), "DETACH PARTITION"},
    {COMMAND(DetachPartitionFinalize), "DETACH PARTITION FINALIZE"},
    {COMMAND(AddIdentity), "ALTER COLUMN ADD GENERATED AS IDENTITY"},
    {COMMAND(SetIdentity), "ALTER COLUMN SET GENERATED"},
    {COMMAND(DropIdentity), "ALTER COLUMN DROP IDENTITY"},
};

static const char *object_words(PgQuery__ObjectType type)
{
    const char *words = (size_t)type < ARRAY_LEN(objects) ? objects[type] : NULL;
    return words == NULL ? "object" : words;
}

void refuse_alter(const Statement *stmt, PgQuery__AlterTableType type)
{
    const char *words = "this form of ALTER TABLE";
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].type == type)
            words = commands[i].words;
    parser_refuse(stmt, words, NULL);
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

void refuse_statement(const Statement *stmt)
{
    const char *words = varied_words(stmt->parser->arena, stmt->node), *hint = NULL;
    for (size_t i = 0; words == NULL && i < ARRAY_LEN(statements); i++) {
        if (statements[i].kind == stmt->node->node_case) {
            words = statements[i].words;
            hint = statements[i].hint;
        }
    }
    if (stmt->node->node_case == NODE(TRANSACTION_STMT))
        hint = "leave it out: Stoa makes its own transactions";
    parser_refuse(stmt, words == NULL ? "this statement" : words, hint);
}
