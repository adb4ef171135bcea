/* Room in tables and indexes of PostgreSQL, as the source has it. */
#include "rehearse/build_pg.h"

#include "base/str.h"
#include "engine/sql.h"

#include <string.h>

enum { SAMPLE_ROWS = 5000, LEAF_FILLFACTOR = 90 };

/* ---- rows ----------------------------------------------------------------------------------- */

/* Bytes of a row on packed pages, by some of them. */
static Err *row_bytes(const Build *build, const FactTable *table, double *ret_bytes)
{
    Arena *arena = build->arena;
    const Facts *facts = build->stage->wish.facts;
    double *known = &build->stage->row_bytes[table - facts->tables];
    const char *sql = NULL;
    int64_t bytes = 0, rows = fill_row_count(build->fill, table);
    rows = rows < SAMPLE_ROWS ? rows : SAMPLE_ROWS;
    if (*known == 0 && rows > 0) {
        TRY(fill_insert(build->fill, table, "pg_temp.stoa_sample", 0, rows, &sql));
        TRY(build_run(build,
                      arena_printf(arena, "CREATE TEMPORARY TABLE stoa_sample (LIKE %s INCLUDING GENERATED)",
                                   sql_name(arena, table->schema, table->name))));
        TRY(build_run(build, sql));
        TRY(build_number(build, "SELECT pg_relation_size('pg_temp.stoa_sample')", &bytes));
        TRY(build_run(build, "DROP TABLE pg_temp.stoa_sample"));
        *known = (double)bytes / (double)rows;
    }
    *ret_bytes = *known;
    return NULL;
}

/* Room on the source's pages that no row uses: pages are filled only so far, which leaves the same room on
 * each. */
static Err *fillfactor_of(const Build *build, const FactTable *table, int *ret_fillfactor)
{
    double each = 0, rows = (double)fill_row_count(build->fill, table);
    double source = build_share(build, table, table->heap_bytes);
    TRY(row_bytes(build, table, &each));
    double packed = each * rows;
    *ret_fillfactor = table->fillfactor;
    if (source <= 0 || packed * (100 + BUILD_ROOM_PERCENT) >= source * table->fillfactor)
        return NULL;
    double factor = 100 * packed / source;
    *ret_fillfactor = factor < BUILD_LEAST_FILL ? BUILD_LEAST_FILL : (int)(factor + 0.5);
    return NULL;
}

static Err *set_fillfactor(const Build *build, const FactTable *table, int fillfactor)
{
    const char *name = sql_name(build->arena, table->schema, table->name);
    return build_run(
        build, fillfactor == 100
                   ? arena_printf(build->arena, "ALTER TABLE %s RESET (fillfactor)", name)
                   : arena_printf(build->arena, "ALTER TABLE %s SET (fillfactor = %d)", name, fillfactor));
}

Err *build_before_rows_pg(const Build *build, const FactTable *table)
{
    int fillfactor = 100;
    TRY(fillfactor_of(build, table, &fillfactor));
    return fillfactor == table->fillfactor ? NULL : set_fillfactor(build, table, fillfactor);
}

Err *build_after_rows_pg(const Build *build, const FactTable *table)
{
    return set_fillfactor(build, table, table->fillfactor);
}

/* ---- indexes -------------------------------------------------------------------------------- */

/* An index that grew over time has room on its leaves; it is built anew with as much. */
static Err *index_settle(const Build *build, const FactTable *table, const FactIndex *index)
{
    Arena *arena = build->arena;
    const char *name = sql_name(arena, table->schema, index->name);
    int64_t bytes = 0;
    double source = build_share(build, table, index->bytes);
    TRY(build_number(build,
                     arena_printf(arena, "SELECT coalesce(pg_relation_size(to_regclass(%s)), 0)",
                                  sql_literal(arena, name)),
                     &bytes));
    int usual = index->fillfactor > 0 ? index->fillfactor : LEAF_FILLFACTOR;
    double factor = source > 0 ? usual * (double)bytes / source : usual;
    if (bytes == 0 || factor * (100 + BUILD_ROOM_PERCENT) >= usual * 100 ||
        stage_is_alike(source, (double)bytes * 1.1))
        return NULL;
    TRY(build_run(build, arena_printf(arena, "ALTER INDEX %s SET (fillfactor = %d)", name,
                                      factor < BUILD_LEAST_FILL ? BUILD_LEAST_FILL : (int)(factor + 0.5))));
    TRY(build_run(build, arena_printf(arena, "REINDEX INDEX %s", name)));
    return build_run(
        build, index->fillfactor == 0
                   ? arena_printf(arena, "ALTER INDEX %s RESET (fillfactor)", name)
                   : arena_printf(arena, "ALTER INDEX %s SET (fillfactor = %d)", name, index->fillfactor));
}

Err *build_settle_pg(const Build *build)
{
    for (size_t i = 0; i < build->table_count; i++)
        for (size_t j = 0; j < build->tables[i]->index_count; j++)
            if (build->tables[i]->indexes[j].btree)
                TRY(index_settle(build, build->tables[i], &build->tables[i]->indexes[j]));
    return NULL;
}

Err *build_finish_pg(const Build *build)
{
    for (size_t i = 0; i < build->table_count; i++)
        TRY(build_run(
            build, arena_printf(build->arena, "VACUUM (ANALYZE) %s",
                                sql_name(build->arena, build->tables[i]->schema, build->tables[i]->name))));
    return NULL;
}

/* The trigger by which another change is ready needs that change's journal, which is not here. All that is
 * said of it goes with it. */
bool build_is_foreign_pg(const Facts *facts, const CopyStatement *statement)
{
    for (size_t i = 0; statement->part == COPY_AROUND && i < facts->statement_count; i++) {
        const CopyStatement *each = &facts->statements[i];
        if (each->part == COPY_AROUND && each->sql != NULL && str_eq(each->what, statement->what) &&
            (strstr(each->sql, " EXECUTE FUNCTION stoa.") != NULL ||
             strstr(each->sql, " EXECUTE PROCEDURE stoa.") != NULL))
            return true;
    }
    return false;
}
