/* What a copy of a table needs to take the table's place, from the catalog. */
#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"

static CopyStatements statements(Arena *arena, const json_t *row, const char *member)
{
    CopyStatements out = {0};
    out.items = catalog_texts(arena, row, member, &out.count);
    return out;
}

static CopyMember part_of(Arena *arena, const json_t *row)
{
    return (CopyMember){.name = catalog_text(arena, row, "name"),
                        .make = statements(arena, row, "make"),
                        .swap = statements(arena, row, "swap"),
                        .back = statements(arena, row, "back"),
                        .columns = statements(arena, row, "columns")};
}

static CopyMember membership_of(Arena *arena, const json_t *row)
{
    CopyMember member = part_of(arena, row);
    member.front = statements(arena, row, "more");
    return member;
}

static CopyKey key_of(Arena *arena, const json_t *row)
{
    size_t count = 0;
    const char *const *parts = catalog_texts(arena, row, "more", &count);
    return (CopyKey){.member = part_of(arena, row),
                     .schema = parts[0],
                     .table = parts[1],
                     .constraint = parts[2],
                     .other = parts[3],
                     .validated = parts[4][0] != '\0'};
}

static void read_all(Arena *arena, const json_t *rows, TableCopy *copy)
{
    size_t most = json_array_size(rows) + 1;
    const char **obstacles = arena_alloc(arena, most * sizeof *obstacles);
    CopyMember *indexes = arena_alloc(arena, most * sizeof *indexes);
    CopyMember *sequences = arena_alloc(arena, most * sizeof *sequences);
    CopyMember *parts = arena_alloc(arena, most * sizeof *parts);
    CopyMember *memberships = arena_alloc(arena, most * sizeof *memberships);
    CopyKey *keys = arena_alloc(arena, most * sizeof *keys);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *kind = json_string_value(json_object_get(row, "kind"));
        if (str_eq(kind, "obstacle"))
            obstacles[copy->obstacle_count++] = catalog_text(arena, row, "name");
        else if (str_eq(kind, "index"))
            indexes[copy->index_count++] = part_of(arena, row);
        else if (str_eq(kind, "sequence"))
            sequences[copy->sequence_count++] = part_of(arena, row);
        else if (str_eq(kind, "part"))
            parts[copy->part_count++] = part_of(arena, row);
        else if (str_eq(kind, "membership"))
            memberships[copy->membership_count++] = membership_of(arena, row);
        else if (str_eq(kind, "key"))
            keys[copy->key_count++] = key_of(arena, row);
        else
            copy->table = part_of(arena, row);
    }
    copy->obstacles = obstacles;
    copy->indexes = indexes;
    copy->sequences = sequences;
    copy->parts = parts;
    copy->memberships = memberships;
    copy->keys = keys;
}

Err *pg_load_copy(Conn *conn, const Wait *wait, Arena *arena, const Table *table, const char *copy,
                  const char *old, TableCopy *ret_copy)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    const char *const params[] = {arena_printf(arena, "%lld", (long long)table->id), copy, old};
    TRY(conn->ops->begin(conn, wait, &(TxSettings){.read_only = true}));
    Err *err = conn_exec(conn, wait, "SET LOCAL search_path = pg_catalog, pg_temp");
    if (err == NULL)
        err = catalog_query(conn, wait, catalog_table_copy_sql, ARRAY_LEN(params), params, &rows);
    conn->ops->rollback(conn);
    TRY(err);
    *ret_copy = (TableCopy){.copy = arena_dup(arena, copy), .old = arena_dup(arena, old)};
    read_all(arena, rows, ret_copy);
    return NULL;
}
