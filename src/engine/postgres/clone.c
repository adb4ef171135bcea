/* The scratch database as a clone: filled with empty copies, under the user's settings. */
#include "engine/postgres/clone.h"

#include "engine/postgres/pg.h"
#include "engine/postgres/scratch.h"
#include "engine/postgres/scratch_guard.h"
#include "engine/postgres/scratch_schema.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct Clone {
    Scratch scratch; /* its arena is NULL where there is none */
    ScratchSchema schema;
};

/* ---- settings ------------------------------------------------------------------------------- */

/* What ALTER DATABASE … SET says (search_path, standard_conforming_strings …) belongs to the user's database
 * and has to hold in the copy as well, and so does the search path of a session that works in one schema. */
static const char settings_sql[] =
    "SELECT s.name, pg_catalog.current_setting(s.name) FROM pg_catalog.pg_settings s "
    "WHERE (s.source IN ('database', 'database user') OR s.name = 'search_path' AND s.source = 'session') "
    "AND "
    "s.context IN ('user', 'superuser') "
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
    const char *why = NULL, *gone = NULL;
    for (size_t i = 0; i < count && why == NULL; i++) {
        TRY(guard_before(conn, wait, arena, sql[i], &why));
        if (why == NULL)
            TRY(conn_exec(conn, wait, sql[i]));
    }
    if (why == NULL)
        TRY(guard_after(conn, wait, arena, &why, &gone));
    if (why != NULL)
        return err_new(ERR_UNSAFE, "%s", why);
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

static Err *run_transaction(Conn *conn, const Wait *wait, const char *const *sql, size_t count)
{
    TRY(pg_begin(conn, wait, &(TxSettings){.lock_timeout_ms = guard_lock_ms(conn), .async_commit = true}));
    Err *err = run_inside(conn, wait, sql, count);
    if (err != NULL)
        pg_rollback(conn);
    return err;
}

static Err *run_outside(Conn *conn, const Wait *wait, const char *const *sql, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!stays_inside(sql[i]))
            return shared_error();
    for (size_t i = 0; i < count; i++)
        TRY(conn_exec(conn, wait, sql[i]));
    return NULL;
}

/* Beside the application, an index that is built concurrently would wait for every older transaction; over
 * empty copies it is the same index when built at once. REINDEX and VACUUM change nothing of an empty table.
 */
static Err *run_at_once(Conn *conn, const Wait *wait, const char *const *sql, size_t count)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (size_t i = 0; i < count; i++) {
        const char *now = spaces_at_once(arena, sql[i]), *why = NULL;
        if (now != NULL) {
            TRY(run_transaction(conn, wait, &now, 1));
            continue;
        }
        if (strncasecmp(sql[i], "VACUUM", strlen("VACUUM")) == 0 ||
            strncasecmp(sql[i], "REINDEX", strlen("REINDEX")) == 0)
            continue;
        TRY(guard_before(conn, wait, arena, sql[i], &why));
        if (why != NULL)
            return err_new(ERR_UNSAFE, "%s", why);
        TRY(run_outside(conn, wait, &sql[i], 1));
    }
    return NULL;
}

Err *pg_clone_run(Conn *conn, const Wait *wait, const char *const *sql, size_t count, bool outside)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *why = NULL;
    const char *const *sent = guard_prepare(conn, arena, sql, count, &why);
    if (why != NULL)
        return err_new(ERR_UNSAFE, "%s", why);
    Err *err = !outside                       ? run_transaction(conn, wait, sent, count)
               : pg_conn_spaces(conn) != NULL ? run_at_once(conn, wait, sent, count)
                                              : run_outside(conn, wait, sent, count);
    return guard_error(conn, err);
}

/* ---- for others ----------------------------------------------------------------------------- */

/* The stages of sql/clone_types.sql, clone_tables.sql and clone_views.sql. */
static CopyPart part_of(int64_t stage)
{
    if (stage == 45 || (stage >= 71 && stage <= 73))
        return COPY_CHECK;
    if (stage < 60)
        return COPY_BEFORE;
    if (stage == 70)
        return COPY_DEFAULT;
    if (stage < 80)
        return COPY_TABLE;
    return stage < 86 ? COPY_INDEX : stage < 90 ? COPY_REFERENCE : COPY_AROUND;
}

Err *pg_copy_statements(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const Table *tables,
                        size_t count, const Mention *mentions, size_t mention_count,
                        CopyStatement **ret_statements, size_t *ret_count)
{
    CloneWish wish = {.tables = tables,
                      .table_count = count,
                      .mentions = mentions,
                      .mention_count = mention_count,
                      .search_path = server->search_path,
                      .search_path_count = server->search_path_count};
    CloneStatement *from = NULL;
    TRY(clone_statements(conn, wait, arena, &wish, &from, ret_count));
    CopyStatement *to = arena_alloc(arena, (*ret_count + 1) * sizeof *to);
    for (size_t i = 0; i < *ret_count; i++)
        to[i] = (CopyStatement){.part = part_of(from[i].stage),
                                .what = from[i].what,
                                .sql = from[i].sql,
                                .optional = from[i].optional};
    *ret_statements = to;
    return NULL;
}

/* ---- opening -------------------------------------------------------------------------------- */

static Err *open_database(Clone *clone, const Target *target, Conn *conn, const Wait *wait,
                          const Server *server, const CloneWish *wish)
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

static Err *open_schema(Clone *clone, const Target *target, Conn *conn, const Wait *wait,
                        const Server *server, const CloneWish *wish)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CloneStatement *statements = NULL;
    size_t statement_count = 0;
    TRY(clone_statements(conn, wait, arena, wish, &statements, &statement_count));
    return scratch_schema_open(target, wait, server, wish, statements, statement_count, &clone->schema);
}

static void close_database(Clone *clone)
{
    if (clone->scratch.arena != NULL)
        scratch_close(&clone->scratch);
    clone->scratch.arena = NULL;
}

void pg_clone_close(Clone *clone)
{
    if (clone == NULL)
        return;
    close_database(clone);
    if (clone->schema.arena != NULL)
        scratch_schema_close(&clone->schema);
    free(clone);
}

/* Where the role may do neither, the database's error says what to grant; where something forbids the schema,
 * that is why, and CREATEDB helps. */
static Err *either_error(Err *database, Err *schema)
{
    const char *hint = err_first_hint(database);
    if (err_is(schema, ERR_PRIVILEGE)) {
        err_free(schema);
        return database;
    }
    if (!err_is(schema, ERR_STOPPED) && hint != NULL)
        schema = err_hint(schema, "%s", hint);
    err_free(database);
    return schema;
}

/* What a missing grant forbids in a scratch database may go in a scratch schema. */
static Err *open_either(Clone *clone, const Target *target, Conn *conn, const Wait *wait,
                        const Server *server, const CloneWish *wish)
{
    Err *err = open_database(clone, target, conn, wait, server, wish);
    if (!err_is(err, ERR_PRIVILEGE))
        return err;
    close_database(clone);
    Err *second = open_schema(clone, target, conn, wait, server, wish);
    if (second != NULL)
        return either_error(err, second);
    err_free(err);
    return NULL;
}

static CloneWish wish_of(const Server *server, const Table *tables, size_t count, const Mention *mentions,
                         size_t mention_count)
{
    return (CloneWish){.tables = tables,
                       .table_count = count,
                       .mentions = mentions,
                       .mention_count = mention_count,
                       .search_path = server->search_path,
                       .search_path_count = server->search_path_count};
}

Err *pg_clone_text(Conn *conn, const Wait *wait, const Server *server, const Table *tables, size_t count,
                   const Mention *mentions, size_t mention_count, Str *ret_text)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CloneWish wish = wish_of(server, tables, count, mentions, mention_count);
    CloneStatement *statements = NULL;
    size_t statement_count = 0;
    Rows settings = {0};
    TRY(conn_query(conn, wait, arena, &settings, settings_sql));
    TRY(clone_statements(conn, wait, arena, &wish, &statements, &statement_count));
    for (size_t row = 0; row < settings.row_count; row++)
        str_addf(ret_text, "%s = %s\n", rows_cell(&settings, row, 0), rows_cell(&settings, row, 1));
    for (size_t i = 0; i < statement_count; i++)
        str_addf(ret_text, "%s %d: %s\n", statements[i].what, statements[i].optional,
                 statements[i].sql == NULL ? "-" : statements[i].sql);
    return NULL;
}

Err *pg_clone_open(const Target *target, Conn *conn, const Wait *wait, const Server *server,
                   const Table *tables, size_t count, const Mention *mentions, size_t mention_count,
                   bool in_schema, Clone **ret_clone)
{
    CloneWish wish = wish_of(server, tables, count, mentions, mention_count);
    Clone *clone = mem_zero(sizeof *clone);
    Err *err = in_schema ? open_schema(clone, target, conn, wait, server, &wish)
                         : open_either(clone, target, conn, wait, server, &wish);
    if (err != NULL) {
        pg_clone_close(clone);
        return err;
    }
    *ret_clone = clone;
    return NULL;
}

Conn *pg_clone_conn(Clone *clone)
{
    return clone->schema.conn != NULL ? clone->schema.conn : clone->scratch.conn;
}
