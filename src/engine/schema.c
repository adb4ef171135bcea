/* Looking things up in what is known about a table. */
#include "engine/schema.h"

#include "base/str.h"

const char *relation_kind_name(RelationKind kind)
{
    switch (kind) {
    case RELATION_MISSING:
        return "missing table";
    case RELATION_TABLE:
        return "table";
    case RELATION_PARTITIONED:
        return "partitioned table";
    case RELATION_PARTITION:
        return "partition";
    case RELATION_VIEW:
        return "view";
    case RELATION_MATVIEW:
        return "materialized view";
    case RELATION_FOREIGN:
        return "foreign table";
    case RELATION_SYSTEM:
        return "system table";
    case RELATION_OTHER:
        return "relation that is not a table";
    }
    return "relation";
}

const Column *table_column(const Table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (str_eq(table->columns[i].name, name))
            return &table->columns[i];
    return NULL;
}

const Index *table_index(const Table *table, const char *name)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (str_eq(table->indexes[i].name, name))
            return &table->indexes[i];
    return NULL;
}

const TableConstraint *table_constraint(const Table *table, const char *name)
{
    for (size_t i = 0; i < table->constraint_count; i++)
        if (str_eq(table->constraints[i].name, name))
            return &table->constraints[i];
    return NULL;
}

const Index *table_key(const Table *table)
{
    const Index *best = NULL;
    for (size_t i = 0; i < table->index_count; i++) {
        const Index *index = &table->indexes[i];
        if (index->key &&
            (best == NULL || index->primary || (!best->primary && index->column_count < best->column_count)))
            best = index;
    }
    return best;
}
