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

/* ---- ways back as JSON ---------------------------------------------------------------------- */

static json_t *text_json(const char *text) { return text == NULL ? json_null() : json_string(text); }

json_t *sync_backs_to_json(const SyncBack *backs, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const SyncBack *back = &backs[i];
        json_t *json = json_object(), *sources = json_array();
        for (size_t j = 0; j < back->source_count; j++)
            (void)json_array_append_new(sources, json_string(back->sources[j]));
        (void)json_object_set_new(json, "column", text_json(back->column));
        (void)json_object_set_new(json, "expr", text_json(back->expr));
        (void)json_object_set_new(json, "sources", sources);
        (void)json_object_set_new(json, "default", text_json(back->default_sql));
        (void)json_object_set_new(json, "check", text_json(back->check_sql));
        (void)json_object_set_new(json, "same", text_json(back->same_sql));
        (void)json_object_set_new(json, "null_ok", json_boolean(back->null_ok));
        (void)json_object_set_new(json, "wins", json_boolean(back->wins));
        (void)json_array_append_new(list, json);
    }
    return list;
}

static const char *text_of(Arena *arena, const json_t *json)
{
    const char *text = json_string_value(json);
    return text == NULL ? NULL : arena_dup(arena, text);
}

void sync_backs_from_json(Arena *arena, const json_t *list, const SyncBack **ret_backs, size_t *ret_count)
{
    size_t count = json_array_size(list);
    SyncBack *backs = arena_alloc(arena, (count + 1) * sizeof *backs);
    for (size_t i = 0; i < count; i++) {
        const json_t *json = json_array_get(list, i), *names = json_object_get(json, "sources");
        size_t source_count = json_array_size(names);
        const char **sources = arena_alloc(arena, (source_count + 1) * sizeof *sources);
        for (size_t j = 0; j < source_count; j++)
            sources[j] = text_of(arena, json_array_get(names, j));
        backs[i] = (SyncBack){.column = text_of(arena, json_object_get(json, "column")),
                              .expr = text_of(arena, json_object_get(json, "expr")),
                              .sources = sources,
                              .source_count = source_count,
                              .default_sql = text_of(arena, json_object_get(json, "default")),
                              .check_sql = text_of(arena, json_object_get(json, "check")),
                              .same_sql = text_of(arena, json_object_get(json, "same")),
                              .null_ok = json_is_true(json_object_get(json, "null_ok")),
                              .wins = json_is_true(json_object_get(json, "wins"))};
    }
    *ret_backs = count == 0 ? NULL : backs;
    *ret_count = count;
}
