/* Columns that a backfill also sets to themselves. */
#include "engine/self_set.h"

#include "base/str.h"

enum { BOTTOM_UP_VERSION = 140000 };

static bool in_unique_index(const Table *table, const char *column)
{
    for (size_t i = 0; i < table->index_count; i++)
        for (size_t k = 0; table->indexes[i].unique && k < table->indexes[i].column_count; k++)
            if (str_eq(table->indexes[i].columns[k], column))
                return true;
    return false;
}

/* The column, where it may stand in a SET list; NULL otherwise. */
static Column *self_settable(Table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++) {
        Column *column = &table->columns[i];
        if (name != NULL && str_eq(column->name, name))
            return column->identity == 'a' || !column->writable || in_unique_index(table, name) ? NULL
                                                                                                : column;
    }
    return NULL;
}

/* Whether setting a column to itself may be noticed by anybody. */
static bool self_set_is_silent(const Table *table)
{
    for (size_t i = 0; i < table->trigger_count; i++) {
        const Trigger *trigger = &table->triggers[i];
        bool looks = trigger->names_columns || (trigger->compiled && !trigger->internal);
        if (trigger->on_update && looks && trigger->enabled != 'D')
            return false; /* UPDATE OF looks at the SET list, not at values; so may a function in C, as
                             tsvector_update_trigger() and lo_manage() do (tg_updatedcols) */
    }
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].generated_sql != NULL)
            return false; /* computed again when a column that it reads is in the SET list */
    return true;
}

void self_set_mark(const Server *server, Table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        table->columns[i].self_set = false;
    if (server == NULL || server->version_num < BOTTOM_UP_VERSION || !self_set_is_silent(table))
        return;
    for (size_t i = 0; i < table->index_count; i++) {
        const Index *index = &table->indexes[i];
        Column *found = NULL;
        for (size_t k = 0; k < index->column_count && found == NULL && index->btree; k++)
            found = self_settable(table, index->columns[k]);
        if (found != NULL)
            found->self_set = true;
    }
}
