/* Empties the scratch database that is kept. */
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/clone.h"
#include "engine/postgres/pg.h"
#include "engine/postgres/scratch.h"

#include <stdlib.h>

enum { CLEAR_TIMEOUT_MS = 30000 };

/* One catalog query under the names of pg_catalog alone. */
static Err *catalog_rows(Conn *conn, const Wait *wait, Arena *arena, const char *sql, Rows *ret_rows)
{
    TRY(pg_begin(conn, wait, &(TxSettings){.statement_timeout_ms = CLEAR_TIMEOUT_MS}));
    Err *err = conn_exec(
        conn, wait, "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL quote_all_identifiers = off");
    if (err == NULL)
        err = conn_query(conn, wait, arena, ret_rows, catalog_sql_text(arena, sql, pg_conn_version(conn)));
    pg_rollback(conn);
    return err;
}

static Err *is_clean(Conn *conn, const Wait *wait, bool *ret_clean)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(catalog_rows(conn, wait, arena, catalog_scratch_dirt_sql, &rows));
    *ret_clean = rows_bool(&rows, 0, 0);
    return NULL;
}

Err *scratch_clear(Conn *scratch, const Wait *wait, bool *ret_clean)
{
    bool clean = false;
    TRY(is_clean(scratch, wait, &clean));
    if (!clean) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        Rows rows = {0};
        TRY(catalog_rows(scratch, wait, arena, catalog_scratch_clear_sql, &rows));
        CloneStatement *statements = arena_alloc(arena, (rows.row_count + 1) * sizeof *statements);
        for (size_t row = 0; row < rows.row_count; row++)
            statements[row] =
                (CloneStatement){.what = rows_cell(&rows, row, 3), .sql = rows_cell(&rows, row, 4)};
        TRY(clone_build(scratch, wait, statements, rows.row_count));
        TRY(is_clean(scratch, wait, &clean));
    }
    *ret_clean = clean;
    return NULL;
}
