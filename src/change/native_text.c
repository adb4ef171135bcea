/* The text of a statement that is carried out as written. */
#include "change/native.h"
#include "engine/sql.h"

const char *native_sql(Arena *arena, PgQuery__Node *node)
{
    const char *sql = tree_sql(arena, node);
    if (node->node_case != NODE(REINDEX_STMT) || node->reindex_stmt->n_params != 1)
        return sql;
    /* REINDEX (CONCURRENTLY) is known from 14 on */
    const PgQuery__RangeVar *relation = node->reindex_stmt->relation;
    bool index = node->reindex_stmt->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_INDEX;
    const char *plain =
        relation == NULL ? NULL
                         : arena_printf(arena, "REINDEX %s CONCURRENTLY %s", index ? "INDEX" : "TABLE",
                                        sql_name(arena, relation_name(relation).schema, relation->relname));
    return tree_is_sql(arena, node, plain) ? plain : sql;
}

const char *native_plain_sql(Arena *arena, PgQuery__Node *node)
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
