/* The scratch database as a clone: filled with empty copies, under the user's settings. */
#include "engine/postgres/clone.h"

#include "engine/postgres/pg.h"
#include "engine/postgres/scratch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* The number of the last relation that was copied tells these from what the plan makes itself. */
static Err *copy_settings(Conn *scratch, const Wait *wait, Arena *arena, const Rows *settings)
{
    Rows rows = {0};
    TRY(conn_query(scratch, wait, arena, &rows,
                   "SELECT pg_catalog.set_config('default_transaction_read_only', 'off', false), "
                   "pg_catalog.set_config('stoa.newest_copy', (SELECT max(c.oid::int8)::text FROM "
                   "pg_catalog.pg_class c), false)"));
    for (size_t row = 0; row < settings->row_count; row++) {
        Err *err = conn_params(scratch, wait, arena, &rows, "SELECT pg_catalog.set_config($1, $2, false)",
                               rows_cell(settings, row, 0), rows_cell(settings, row, 1));
        if (err != NULL && err->kind != ERR_PRIVILEGE && err->kind != ERR_SQL)
            return err;
        err_free(err); /* one that only a superuser may set changes no verdict */
    }
    return NULL;
}

/* ---- carrying out --------------------------------------------------------------------------- */

static Err *shared_error(void)
{
    return err_new(ERR_UNSAFE, "it changes what all databases of the server share, which is not tried out");
}

/* Roles, databases and the like are in no clone. Most commands keep their lock on the shared catalog until
 * the end; GRANT ON DATABASE leaves only its row. Every statement that makes an object writes pg_shdepend. */
static const char shared_sql[] =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation "
    "WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.database = 0 "
    "AND c.relisshared AND c.relkind = 'r' AND c.relname <> 'pg_shdepend' "
    "AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')) "
    "OR EXISTS (SELECT FROM pg_catalog.pg_database d WHERE pg_catalog.age(d.xmin) <= x.age) "
    "OR EXISTS (SELECT FROM pg_catalog.pg_tablespace t WHERE pg_catalog.age(t.xmin) <= x.age) "
    "OR EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s WHERE pg_catalog.age(s.xmin) <= x.age) "
    "FROM (SELECT pg_catalog.age((pg_catalog.txid_current() & 4294967295)::text::xid) AS age) x";

static Err *run_inside(Conn *conn, const Wait *wait, const char *const *sql, size_t count)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (size_t i = 0; i < count; i++)
        TRY(conn_exec(conn, wait, sql[i]));
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, shared_sql));
    return rows_bool(&rows, 0, 0) ? shared_error() : pg_commit(conn, wait);
}

/* There nothing can be looked at before it is done: only what is known to stay in the database. */
static bool stays_inside(const char *sql)
{
    static const char *const heads[] = {"CREATE INDEX",  "CREATE UNIQUE INDEX", "DROP INDEX",
                                        "REINDEX INDEX", "REINDEX TABLE",       "REINDEX (CONCURRENTLY",
                                        "ALTER TABLE",   "ALTER TYPE",          "VACUUM"};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        if (strncasecmp(sql, heads[i], strlen(heads[i])) == 0)
            return true;
    return false;
}

Err *pg_clone_run(Conn *conn, const Wait *wait, const char *const *sql, size_t count, bool outside)
{
    if (outside) {
        for (size_t i = 0; i < count; i++)
            if (!stays_inside(sql[i]))
                return shared_error();
        for (size_t i = 0; i < count; i++)
            TRY(conn_exec(conn, wait, sql[i]));
        return NULL;
    }
    TRY(pg_begin(conn, wait, &(TxSettings){.async_commit = true}));
    Err *err = run_inside(conn, wait, sql, count);
    if (err != NULL)
        pg_rollback(conn);
    return err;
}

/* ---- opening -------------------------------------------------------------------------------- */

static Err *open_clone(Clone *clone, const Target *target, Conn *conn, const Wait *wait, const Server *server,
                       const CloneWish *wish)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    TRY(scratch_open(target, conn, wait, server, &clone->scratch));
    Rows settings = {0};
    TRY(conn_query(conn, wait, arena, &settings, settings_sql));
    CloneStatement *statements = NULL;
    size_t statement_count = 0;
    TRY(clone_statements(conn, wait, arena, wish, &statements, &statement_count));
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
