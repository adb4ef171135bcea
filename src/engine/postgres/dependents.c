/* What stands on a table, its columns and its constraints, by the server's own dependences. */
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"

Err *pg_load_dependents(Conn *conn, const Wait *wait, Arena *arena, Table *table)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    const char *id = arena_printf(arena, "%lld", (long long)table->id);
    TRY(catalog_query_kept(conn, wait, catalog_dependents_sql, 1, &id, &rows));
    table->dependent_count = json_array_size(rows);
    table->dependents = arena_alloc(arena, (table->dependent_count + 1) * sizeof *table->dependents);
    for (size_t i = 0; i < table->dependent_count; i++) {
        const json_t *row = json_array_get(rows, i);
        table->dependents[i] = (Dependent){.column = catalog_text(arena, row, "column"),
                                           .constraint = catalog_text(arena, row, "constraint"),
                                           .kind = catalog_text(arena, row, "kind"),
                                           .schema = catalog_text(arena, row, "schema"),
                                           .name = catalog_text(arena, row, "name"),
                                           .on_schema = catalog_text(arena, row, "on_schema"),
                                           .on = catalog_text(arena, row, "on"),
                                           .text = catalog_text(arena, row, "text"),
                                           .goes = catalog_bool(row, "goes"),
                                           .hint = catalog_bool(row, "hint"),
                                           .shared = catalog_bool(row, "shared")};
    }
    table->dependents_known = true;
    return NULL;
}
