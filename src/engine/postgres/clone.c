/* The scratch database: made beside the user's own, filled, and dropped again. */
#include "engine/postgres/clone.h"

#include "base/str.h"
#include "engine/postgres/pg.h"
#include "engine/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CREATE_TIMEOUT_MS = 120000, /* before 15 it waits for checkpoints */
    DROP_TIMEOUT_MS = 60000,
    RESET_TIMEOUT_MS = 5000,
    DROP_TRIES = 4,
    PROVIDER_VERSION = 150000,
    BUILTIN_VERSION = 170000,
};

#define OBJECT_IN_USE "55006"

struct Clone {
    Arena *arena;
    Target target; /* of the scratch database */
    Target home;   /* as it was given: to drop it from there */
    Conn *conn;
    bool made;
};

/* CREATE and DROP DATABASE stand outside transactions, where a read-only default of role or database would
 * hold. */
static Err *run_outside(Conn *conn, const Wait *wait, const char *sql)
{
    TRY(conn_exec(conn, wait, "SET default_transaction_read_only = off"));
    Err *err = conn_exec(conn, wait, sql);
    Err *reset =
        conn_exec(conn, &(Wait){.timeout_ms = RESET_TIMEOUT_MS}, "RESET default_transaction_read_only");
    if (err == NULL)
        return reset;
    err_free(reset);
    return err;
}

/* ---- dropping ------------------------------------------------------------------------------- */

/* Sessions of ours that still lead there, a pooler's for example, are ended first. Not WITH (FORCE): a role
 * that is no superuser may not end an autovacuum worker, and FORCE then fails (seen on 18), while a plain
 * DROP sends the worker away by itself and waits 5 s for whoever is leaving. */
static Err *drop_database(Conn *conn, const Wait *wait, const char *name)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *drop = arena_printf(arena, "DROP DATABASE IF EXISTS %s", sql_ident(arena, name));
    for (int tries = 1;; tries++) {
        Rows rows = {0};
        TRY(conn_params(conn, wait, arena, &rows,
                        "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a "
                        "WHERE a.datname = $1 AND a.pid <> pg_catalog.pg_backend_pid() "
                        "AND pg_catalog.pg_has_role(a.usesysid, 'USAGE')",
                        name));
        Err *err = run_outside(conn, wait, drop);
        if (err == NULL || !str_eq(err->sqlstate, OBJECT_IN_USE) || tries == DROP_TRIES)
            return err;
        err_free(err);
    }
}

/* What dead processes left: nobody is connected, and it is older than ten minutes by the time in its name, so
 * that one which is being made is left alone. */
static const char leftovers_sql[] =
    "SELECT d.datname FROM pg_catalog.pg_database d "
    "WHERE d.datname ~ '^stoa_scratch_[0-9]{1,12}_[0-9]+_[0-9a-f]+$' "
    "AND pg_catalog.pg_has_role(d.datdba, 'USAGE') "
    "AND pg_catalog.split_part(d.datname, '_', 3)::int8 "
    "< extract(epoch FROM pg_catalog.clock_timestamp()) - 600 "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)";

static Err *drop_leftovers(Conn *conn, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, leftovers_sql));
    for (size_t row = 0; row < rows.row_count; row++) {
        /* Somebody else may be at it, or it is in use again: not our business then. Never by force. */
        Err *err = run_outside(
            conn, wait,
            arena_printf(arena, "DROP DATABASE IF EXISTS %s", sql_ident(arena, rows_cell(&rows, row, 0))));
        if (err_is(err, ERR_STOPPED) || err_is(err, ERR_CONN_LOST))
            return err;
        err_free(err);
    }
    return NULL;
}

void pg_clone_close(Clone *clone)
{
    if (clone == NULL)
        return;
    conn_closep(&clone->conn);
    if (clone->made) {
        /* Also after a stop was asked for: nothing is to be left behind. */
        Wait wait = {.timeout_ms = DROP_TIMEOUT_MS};
        CLEANUP(conn_closep) Conn *conn = NULL;
        Err *err = pg_connect(&clone->home, "scratch", &wait, &conn);
        if (err == NULL)
            err = drop_database(conn, &wait, clone->target.database);
        err_free(err); /* the next clone drops it on its way */
    }
    arena_free(clone->arena);
    free(clone);
}

/* ---- making --------------------------------------------------------------------------------- */

static Err *database_options(Conn *conn, const Wait *wait, Arena *arena, const char **ret_options)
{
    int version = pg_conn_version(conn);
    const char *locale = version >= BUILTIN_VERSION    ? "d.datlocale"
                         : version >= PROVIDER_VERSION ? "d.daticulocale"
                                                       : "NULL";
    const char *provider = version >= PROVIDER_VERSION ? "d.datlocprovider" : "'c'";
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena,
                                "SELECT pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, "
                                "d.datctype, %s, %s FROM pg_catalog.pg_database d "
                                "WHERE d.datname = pg_catalog.current_database()",
                                provider, locale)));
    CLEANUP(str_donep) Str text = STR_INIT;
    str_add(&text, " TEMPLATE template0 ENCODING ");
    sql_add_literal(&text, rows_cell(&rows, 0, 0));
    str_add(&text, " LC_COLLATE ");
    sql_add_literal(&text, rows_cell(&rows, 0, 1));
    str_add(&text, " LC_CTYPE ");
    sql_add_literal(&text, rows_cell(&rows, 0, 2));
    if (!str_eq(rows_cell(&rows, 0, 3), "c") && rows_cell(&rows, 0, 4) != NULL) {
        bool icu = str_eq(rows_cell(&rows, 0, 3), "i");
        str_addf(&text, " LOCALE_PROVIDER %s %s ", icu ? "icu" : "builtin",
                 icu ? "ICU_LOCALE" : "BUILTIN_LOCALE");
        sql_add_literal(&text, rows_cell(&rows, 0, 4));
    } else if (version >= PROVIDER_VERSION) {
        str_add(&text, " LOCALE_PROVIDER libc");
    }
    *ret_options = arena_dup(arena, text.buf);
    return NULL;
}

static Err *create_error(Err *err, const Server *server)
{
    if (!err_is(err, ERR_PRIVILEGE))
        return err_wrap(err, "cannot make a scratch database");
    CLEANUP(arena_freep) Arena *arena = arena_new();
    return err_hint(err_wrap(err, "role \"%s\" may not make a scratch database", server->role),
                    "ALTER ROLE %s CREATEDB", sql_ident(arena, server->role));
}

static Err *create_database(Clone *clone, Conn *conn, const Wait *wait, const Server *server)
{
    Arena *arena = clone->arena;
    Rows rows = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        "SELECT pg_catalog.format('stoa_scratch_%s_%s_%s', "
        "extract(epoch FROM pg_catalog.clock_timestamp())::int8, pg_catalog.pg_backend_pid(), "
        "\"left\"(pg_catalog.md5(pg_catalog.random()::text || pg_catalog.clock_timestamp()), 8))"));
    const char *name = rows_cell(&rows, 0, 0);
    const char *options = "";
    TRY(database_options(conn, wait, arena, &options));
    Wait patience = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = CREATE_TIMEOUT_MS};
    clone->target.database = name;
    clone->made = true; /* a lost answer leaves it unknown: closing drops it if it is there */
    Err *err = run_outside(conn, &patience,
                           arena_printf(arena, "CREATE DATABASE %s%s", sql_ident(arena, name), options));
    if (err != NULL) {
        clone->made = !err_is(err, ERR_PRIVILEGE) && !err_is(err, ERR_SQL);
        return create_error(err, server);
    }
    return run_outside(
        conn, wait,
        arena_printf(arena,
                     "COMMENT ON DATABASE %s IS 'empty copy in which Stoa tries statements out; may be "
                     "dropped'; REVOKE CONNECT ON DATABASE %s FROM PUBLIC; "
                     "GRANT CREATE ON DATABASE %s TO PUBLIC",
                     sql_ident(arena, name), sql_ident(arena, name), sql_ident(arena, name)));
}

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

static Err *connect_scratch(Clone *clone, const Wait *wait)
{
    Err *err = pg_connect(&clone->target, "scratch", wait, &clone->conn);
    if (!err_is(err, ERR_CONNECT))
        return err;
    Err *wrapped = err_new(ERR_PRIVILEGE, "cannot connect to the scratch database that was made");
    wrapped->cause = err;
    return err_hint(wrapped, "let this role connect to databases named stoa_scratch_*: in pg_hba.conf, and "
                             "in the pooler if there is one between");
}

static Err *open_clone(Clone *clone, Conn *conn, const Wait *wait, const Server *server, const Table *tables,
                       size_t count)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    TRY(drop_leftovers(conn, wait));
    Rows settings = {0};
    TRY(conn_query(conn, wait, arena, &settings, settings_sql));
    CloneStatement *statements = NULL;
    size_t statement_count = 0;
    TRY(clone_statements(conn, wait, arena, tables, count, server->search_path, server->search_path_count,
                         &statements, &statement_count));
    TRY(create_database(clone, conn, wait, server));
    TRY(connect_scratch(clone, wait));
    TRY(clone_build(clone->conn, wait, statements, statement_count));
    return copy_settings(clone->conn, wait, arena, &settings);
}

static const char *dup_or_null(Arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_dup(arena, text);
}

Err *pg_clone_open(const Target *target, Conn *conn, const Wait *wait, const Server *server,
                   const Table *tables, size_t count, Clone **ret_clone)
{
    Clone *clone = mem_zero(sizeof *clone);
    clone->arena = arena_new();
    clone->home = (Target){.url = dup_or_null(clone->arena, target->url),
                           .password = dup_or_null(clone->arena, target->password),
                           .database = dup_or_null(clone->arena, target->database)};
    clone->target = clone->home;
    Err *err = open_clone(clone, conn, wait, server, tables, count);
    if (err != NULL) {
        pg_clone_close(clone);
        return err;
    }
    *ret_clone = clone;
    return NULL;
}

Conn *pg_clone_conn(Clone *clone) { return clone->conn; }
