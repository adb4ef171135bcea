/* All that hangs on a column, from the catalog. */
#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"

#include <string.h>

static const char *const kinds[PART_KIND_COUNT] = {
    [PART_INDEX] = "index",         [PART_CHECK] = "check",
    [PART_NOT_NULL] = "not null",   [PART_FOREIGN_KEY] = "foreign key",
    [PART_REFERENCE] = "reference", [PART_STATISTICS] = "statistics",
    [PART_SEQUENCE] = "sequence",   [PART_IDENTITY] = "identity",
    [PART_VIEW] = "view",           [PART_TRIGGER] = "trigger",
    [PART_POLICY] = "policy",       [PART_FUNCTION] = "function",
    [PART_OTHER] = "other",
};

static ColumnPartKind kind_from(const char *name)
{
    for (int i = 0; i < PART_KIND_COUNT; i++)
        if (str_eq(kinds[i], name))
            return (ColumnPartKind)i;
    return PART_OTHER;
}

static ColumnPart read_one(Arena *arena, const json_t *row)
{
    const char *type = catalog_text(arena, row, "contype");
    ColumnPart one = {.kind = kind_from(catalog_text(arena, row, "kind")),
                      .schema = catalog_text(arena, row, "schema"),
                      .name = catalog_text(arena, row, "name"),
                      .table_schema = catalog_text(arena, row, "table_schema"),
                      .table_name = catalog_text(arena, row, "table_name"),
                      .definition = catalog_text(arena, row, "definition"),
                      .constraint = catalog_text(arena, row, "constraint"),
                      .type = (char)(type != NULL ? type[0] : '\0'),
                      .suffix = catalog_text(arena, row, "suffix"),
                      .validated = catalog_bool(row, "validated"),
                      .expression = catalog_bool(row, "expression"),
                      .is_unique = catalog_bool(row, "is_unique"),
                      .tablespace = catalog_text(arena, row, "tablespace"),
                      .owner = catalog_text(arena, row, "owner"),
                      .ref_schema = catalog_text(arena, row, "ref_schema"),
                      .ref_table = catalog_text(arena, row, "ref_table")};
    one.columns = catalog_texts(arena, row, "columns", &one.column_count);
    one.ref_columns = catalog_texts(arena, row, "ref_columns", &one.ref_column_count);
    one.drop_sql = catalog_texts(arena, row, "drop_sql", &one.drop_count);
    one.make_sql = catalog_texts(arena, row, "make_sql", &one.make_count);
    return one;
}

static void read_all(Arena *arena, const json_t *rows, ColumnParts *all)
{
    ColumnPart *items = arena_alloc(arena, (json_array_size(rows) + 1) * sizeof *items);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (!str_eq(json_string_value(json_object_get(row, "kind")), "column")) {
            items[all->count++] = read_one(arena, row);
            continue;
        }
        all->comment = catalog_text(arena, row, "definition");
        all->storage_sql = catalog_texts(arena, row, "drop_sql", &all->storage_sql_count);
        all->column_sql = catalog_texts(arena, row, "make_sql", &all->column_sql_count);
    }
    all->items = items;
}

Err *pg_load_column_parts(Conn *conn, const Wait *wait, Arena *arena, const Table *table, const char *column,
                          const char *twin, ColumnParts *ret_column_parts)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    const char *const params[] = {arena_printf(arena, "%lld", (long long)table->id), column, twin};
    TRY(conn->ops->begin(conn, wait, &(TxSettings){.read_only = true}));
    Err *err = conn_exec(conn, wait, "SET LOCAL search_path = pg_catalog, pg_temp");
    if (err == NULL)
        err = catalog_query(conn, wait, catalog_column_parts_sql, ARRAY_LEN(params), params, &rows);
    conn->ops->rollback(conn);
    TRY(err);
    *ret_column_parts = (ColumnParts){.column = arena_dup(arena, column), .twin = arena_dup(arena, twin)};
    read_all(arena, rows, ret_column_parts);
    return NULL;
}
