/* The scratch database: made beside the user's own, kept or dropped again. */
#include "engine/postgres/scratch.h"

#include "base/str.h"
#include "engine/postgres/pg.h"
#include "engine/postgres/scratch_schema.h"
#include "engine/sql.h"

#include <string.h>

enum {
    CREATE_TIMEOUT_MS = 120000, /* before 15 it waits for checkpoints */
    DROP_TIMEOUT_MS = 60000,
    RESET_TIMEOUT_MS = 5000,
    CLEAR_TIMEOUT_MS = 30000,
    DROP_TRIES = 4,
    PROVIDER_VERSION = 150000,
    BUILTIN_VERSION = 170000,
};

#define OBJECT_IN_USE "55006"

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

/* What dead processes left ($1: at least so many seconds old, by the time in its name, so that one which is
 * being made is left alone), and what was kept for a database or a role that is gone. Nobody is connected. */
static const char leftovers_sql[] =
    "SELECT d.datname FROM pg_catalog.pg_database d "
    "WHERE pg_catalog.pg_has_role(d.datdba, 'USAGE') "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid) AND CASE "
    "WHEN d.datname ~ '^stoa_scratch_[0-9]{1,12}_[0-9]+_[0-9a-f]+$' "
    "THEN pg_catalog.split_part(d.datname, '_', 3)::int8 "
    "< extract(epoch FROM pg_catalog.clock_timestamp()) - $1::int "
    "WHEN d.datname ~ '^stoa_scratch_[0-9]{1,10}_[0-9]{1,10}$' "
    "THEN pg_catalog.shobj_description(d.oid, 'pg_database') = $2 "
    "AND (NOT EXISTS (SELECT FROM pg_catalog.pg_database h "
    "WHERE h.oid::int8 = pg_catalog.split_part(d.datname, '_', 3)::int8) "
    "OR d.datdba::int8 <> pg_catalog.split_part(d.datname, '_', 4)::int8) END";

/* Those of this database, whoever's we may drop. */
static const char own_sql[] =
    "SELECT d.datname FROM pg_catalog.pg_database d JOIN pg_catalog.pg_database h "
    "ON h.datname = pg_catalog.current_database() AND d.datname ~ ('^stoa_scratch_' || h.oid || '_[0-9]+$') "
    "WHERE pg_catalog.pg_has_role(d.datdba, 'USAGE') "
    "AND pg_catalog.shobj_description(d.oid, 'pg_database') = $1";

/* Never by force: whoever is in it now, or at dropping it, keeps it. */
static Err *drop_quietly(Conn *conn, const Wait *wait, const char *name, bool *ret_dropped)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Err *err =
        run_outside(conn, wait, arena_printf(arena, "DROP DATABASE IF EXISTS %s", sql_ident(arena, name)));
    *ret_dropped = err == NULL;
    if (err_is(err, ERR_STOPPED) || err_is(err, ERR_CONN_LOST))
        return err;
    err_free(err);
    return NULL;
}

static Err *drop_leftovers(Conn *conn, const Wait *wait, const char *age_s)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows, leftovers_sql, age_s, SCRATCH_MARK));
    for (size_t row = 0; row < rows.row_count; row++) {
        bool dropped = false;
        TRY(drop_quietly(conn, wait, rows_cell(&rows, row, 0), &dropped));
    }
    return NULL;
}

Err *pg_clone_forget(Conn *conn, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(scratch_schema_forget(conn, wait));
    TRY(drop_leftovers(conn, wait, "0"));
    TRY(conn_params(conn, wait, arena, &rows, own_sql, SCRATCH_MARK));
    for (size_t row = 0; row < rows.row_count; row++)
        TRY(drop_database(conn, wait, rows_cell(&rows, row, 0)));
    return NULL;
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

static Err *no_database(const Server *server)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    return err_hint(err_new(ERR_PRIVILEGE, "role \"%s\" may not make a scratch database", server->role),
                    "ALTER ROLE %s CREATEDB", sql_ident(arena, server->role));
}

/* Made under a name of its own, so that one that was not finished is known by it. */
static Err *create_database(Scratch *scratch, Conn *conn, const Wait *wait)
{
    Arena *arena = scratch->arena;
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
    scratch->target.database = name;
    scratch->made = true; /* a lost answer leaves it unknown: closing drops it if it is there */
    Err *err = run_outside(conn, &patience,
                           arena_printf(arena, "CREATE DATABASE %s%s", sql_ident(arena, name), options));
    if (err != NULL) {
        scratch->made = !err_is(err, ERR_PRIVILEGE) && !err_is(err, ERR_SQL);
        return err_wrap(err, "cannot make a scratch database");
    }
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "COMMENT ON DATABASE %s IS ", sql_ident(arena, name));
    sql_add_literal(&sql, SCRATCH_MARK);
    str_addf(&sql, "; REVOKE CONNECT ON DATABASE %s FROM PUBLIC; GRANT CREATE ON DATABASE %s TO PUBLIC",
             sql_ident(arena, name), sql_ident(arena, name));
    return run_outside(conn, wait, sql.buf);
}

static Err *connect_scratch(Scratch *scratch, const Wait *wait)
{
    Err *err = pg_connect(&scratch->target, "scratch", wait, &scratch->conn);
    if (!err_is(err, ERR_CONNECT))
        return err;
    Err *wrapped = err_new(ERR_PRIVILEGE, "cannot connect to the scratch database that was made");
    wrapped->cause = err;
    return err_hint(wrapped, "let this role connect to databases named stoa_scratch_*: in pg_hba.conf, and "
                             "in the pooler if there is one between");
}

/* ---- the one that is kept -------------------------------------------------------------------- */

typedef struct Kept {
    const char *name;
    bool exists;
    bool ours;
    bool fits; /* encoding and locale are the database's, and it can be connected to */
    bool may_make;
} Kept;

static const char kept_sql[] =
    "SELECT k.name, d.oid IS NOT NULL, d.datdba = k.role AND coalesce("
    "pg_catalog.shobj_description(d.oid, 'pg_database') = $1, false), "
    "d.encoding = k.encoding AND d.datcollate = k.datcollate AND d.datctype = k.datctype "
    "AND d.datallowconn AND d.datconnlimit <> -2 AND NOT EXISTS (SELECT FROM pg_catalog.unnest("
    "ARRAY['datlocprovider', 'daticulocale', 'datlocale', 'daticurules']) AS u(key) WHERE "
    "pg_catalog.to_jsonb(d) ->> u.key IS DISTINCT FROM k.attributes ->> u.key), k.may_make FROM ("
    "SELECT pg_catalog.format('stoa_scratch_%s_%s', h.oid, r.oid) AS name, r.oid AS role, h.encoding, "
    "h.datcollate, h.datctype, pg_catalog.to_jsonb(h) AS attributes, "
    "r.rolcreatedb OR r.rolsuper AS may_make "
    "FROM pg_catalog.pg_database h, pg_catalog.pg_roles r "
    "WHERE h.datname = pg_catalog.current_database() AND r.rolname = current_user) k "
    "LEFT JOIN pg_catalog.pg_database d ON d.datname = k.name";

static Err *find_kept(Conn *conn, const Wait *wait, Arena *arena, Kept *ret_kept)
{
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows, kept_sql, SCRATCH_MARK));
    *ret_kept = (Kept){.name = rows_cell(&rows, 0, 0),
                       .exists = rows_bool(&rows, 0, 1),
                       .ours = rows_bool(&rows, 0, 2),
                       .fits = rows_bool(&rows, 0, 3),
                       .may_make = rows_bool(&rows, 0, 4)};
    return NULL;
}

static Err *take(Scratch *scratch, const Wait *wait, bool *ret_taken)
{
    Rows rows = {0};
    TRY(conn_query(scratch->conn, wait, scratch->arena, &rows,
                   "SELECT pg_catalog.pg_try_advisory_lock(1937009505, 0)"));
    *ret_taken = rows_bool(&rows, 0, 0);
    return NULL;
}

static void leave(Scratch *scratch)
{
    conn_closep(&scratch->conn);
    scratch->target.database = scratch->home.database;
    scratch->kept = false;
}

/* *ret_usable: it is connected to, locked and empty. *ret_gone: it could not be emptied, and was dropped. */
static Err *use_kept(Scratch *scratch, Conn *conn, const Wait *wait, const Kept *kept, bool *ret_usable,
                     bool *ret_gone)
{
    bool clean = false, taken = false;
    if (kept->fits) {
        scratch->target.database = kept->name;
        TRY(connect_scratch(scratch, wait));
        TRY(take(scratch, wait, &taken));
        if (!taken) {
            leave(scratch);
            return NULL;
        }
        scratch->kept = true;
        Err *err = scratch_clear(scratch->conn, wait, &clean);
        if (err_is(err, ERR_STOPPED))
            return err;
        err_free(err);
    }
    *ret_usable = clean;
    if (clean)
        return NULL;
    leave(scratch);
    return drop_quietly(conn, wait, kept->name, ret_gone);
}

/* The new one becomes the one that is kept, unless another process was faster or is faster now: then it is
 * dropped in the end. */
static Err *keep(Scratch *scratch, Conn *conn, const Wait *wait, const Kept *kept)
{
    Arena *arena = scratch->arena;
    const char *temporary = scratch->target.database;
    Err *err = run_outside(conn, wait,
                           arena_printf(arena, "ALTER DATABASE %s RENAME TO %s", sql_ident(arena, temporary),
                                        sql_ident(arena, kept->name)));
    if (err_is(err, ERR_STOPPED) || err_is(err, ERR_CONN_LOST))
        return err;
    if (err == NULL) {
        scratch->target.database = kept->name;
        scratch->kept = true;
    }
    err_free(err);
    return NULL;
}

/* ---- opening and closing --------------------------------------------------------------------- */

/* A new one, which `kept` (may be NULL) is to become. *ret_taken false: somebody came in between and has it.
 */
static Err *open_new(Scratch *scratch, Conn *conn, const Wait *wait, const Kept *kept, bool *ret_taken)
{
    TRY(create_database(scratch, conn, wait));
    if (kept != NULL)
        TRY(keep(scratch, conn, wait, kept));
    Err *err = connect_scratch(scratch, wait);
    if (err != NULL) {
        scratch->kept = false; /* of no use to anybody */
        return err;
    }
    *ret_taken = true;
    if (scratch->kept)
        TRY(take(scratch, wait, ret_taken));
    if (!*ret_taken) {
        leave(scratch);
        scratch->made = false;
    }
    return NULL;
}

static Err *open_any(Scratch *scratch, Conn *conn, const Wait *wait, const Server *server)
{
    TRY(drop_leftovers(conn, wait, "600"));
    Kept kept = {0};
    TRY(find_kept(conn, wait, scratch->arena, &kept));
    bool usable = false, gone = !kept.exists;
    if (kept.exists && kept.ours && !server->pooled)
        TRY(use_kept(scratch, conn, wait, &kept, &usable, &gone));
    if (usable)
        return NULL;
    if (!kept.may_make)
        return no_database(server);
    TRY(open_new(scratch, conn, wait, gone && !server->pooled ? &kept : NULL, &usable));
    return usable ? NULL : open_new(scratch, conn, wait, NULL, &usable);
}

static const char *dup_or_null(Arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_dup(arena, text);
}

Err *scratch_open(const Target *home, Conn *conn, const Wait *wait, const Server *server,
                  Scratch *ret_scratch)
{
    Arena *arena = arena_new();
    *ret_scratch = (Scratch){.arena = arena,
                             .home = {.url = dup_or_null(arena, home->url),
                                      .password_command = dup_or_null(arena, home->password_command),
                                      .database = dup_or_null(arena, home->database)}};
    ret_scratch->target = ret_scratch->home;
    return open_any(ret_scratch, conn, wait, server);
}

/* What cannot be emptied now is emptied, or dropped, by the next one that comes. */
static void clear_kept(Scratch *scratch)
{
    Wait wait = {.timeout_ms = CLEAR_TIMEOUT_MS};
    bool clean = false;
    if (scratch->conn == NULL)
        return;
    pg_rollback(scratch->conn);
    Err *err = conn_exec(scratch->conn, &wait, "RESET SESSION AUTHORIZATION; RESET ROLE");
    if (err == NULL)
        err = scratch_clear(scratch->conn, &wait, &clean);
    err_free(err);
}

void scratch_close(Scratch *scratch)
{
    /* Also after a stop was asked for: nothing is to be left behind. */
    if (scratch->kept)
        clear_kept(scratch);
    conn_closep(&scratch->conn);
    if (scratch->made && !scratch->kept) {
        Wait wait = {.timeout_ms = DROP_TIMEOUT_MS};
        CLEANUP(conn_closep) Conn *conn = NULL;
        Err *err = pg_connect(&scratch->home, "scratch", &wait, &conn);
        if (err == NULL)
            err = drop_database(conn, &wait, scratch->target.database);
        err_free(err); /* the next clone drops it on its way */
    }
    arena_free(scratch->arena);
}
