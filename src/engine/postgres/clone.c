/* The scratch database as a clone: filled with empty copies, under the user's settings. */
#include "engine/postgres/clone.h"

#include "engine/postgres/pg.h"
#include "engine/postgres/scratch.h"

#include <stdlib.h>

struct Clone {
    Scratch scratch;
};

/* ---- settings ------------------------------------------------------------------------------- */

/* What ALTER DATABASE … SET says (search_path, standard_conforming_strings …) belongs to the user's database
 * and has to hold in the copy as well. */
static const char settings_sql[] =
    "SELECT s.name, pg_catalog.current_setting(s.name) FROM pg_catalog.pg_settings s "
    "WHERE s.source IN ('database', 'database user') AND s.context IN ('user', 'superuser') "
    "AND s.name <> 'default_transaction_read_only'";

static Err *copy_settings(Conn *scratch, const Wait *wait, Arena *arena, const Rows *settings)
{
    Rows rows = {0};
    TRY(conn_query(scratch, wait, arena, &rows,
                   "SELECT pg_catalog.set_config('default_transaction_read_only', 'off', false)"));
    for (size_t row = 0; row < settings->row_count; row++) {
        Err *err = conn_params(scratch, wait, arena, &rows, "SELECT pg_catalog.set_config($1, $2, false)",
                               rows_cell(settings, row, 0), rows_cell(settings, row, 1));
        if (err != NULL && err->kind != ERR_PRIVILEGE && err->kind != ERR_SQL)
            return err;
        err_free(err); /* one that only a superuser may set changes no verdict */
    }
    return NULL;
}

/* ---- opening -------------------------------------------------------------------------------- */

static Err *open_clone(Clone *clone, const Target *target, Conn *conn, const Wait *wait, const Server *server,
                       const CloneWish *wish)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows settings = {0};
    TRY(conn_query(conn, wait, arena, &settings, settings_sql));
    CloneStatement *statements = NULL;
    size_t statement_count = 0;
    TRY(clone_statements(conn, wait, arena, wish, &statements, &statement_count));
    TRY(scratch_open(target, conn, wait, server, &clone->scratch));
    TRY(clone_build(clone->scratch.conn, wait, statements, statement_count));
    return copy_settings(clone->scratch.conn, wait, arena, &settings);
}

void pg_clone_close(Clone *clone)
{
    if (clone == NULL)
        return;
    if (clone->scratch.arena != NULL)
        scratch_close(&clone->scratch);
    free(clone);
}

Err *pg_clone_open(const Target *target, Conn *conn, const Wait *wait, const Server *server,
                   const Table *tables, size_t count, const Mention *mentions, size_t mention_count,
                   Clone **ret_clone)
{
    CloneWish wish = {.tables = tables,
                      .table_count = count,
                      .mentions = mentions,
                      .mention_count = mention_count,
                      .search_path = server->search_path,
                      .search_path_count = server->search_path_count};
    Clone *clone = mem_zero(sizeof *clone);
    Err *err = open_clone(clone, target, conn, wait, server, &wish);
    if (err != NULL) {
        pg_clone_close(clone);
        return err;
    }
    *ret_clone = clone;
    return NULL;
}

Conn *pg_clone_conn(Clone *clone) { return clone->scratch.conn; }
