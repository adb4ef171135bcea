/* Scratch schemas: made, filled, proved to stand alone, dropped. */
#include "engine/postgres/scratch_schema.h"

#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/pg.h"
#include "engine/postgres/scratch.h"
#include "engine/postgres/scratch_guard.h"
#include "engine/sql.h"

#include <string.h>

enum { DROP_TIMEOUT_MS = 60000, CATALOG_TIMEOUT_MS = 30000 };

/* ---- dropping ------------------------------------------------------------------------------- */

/* The first key of the advisory lock; the second is the hash of the name. */
#define LOCK_KEY "1937009506, pg_catalog.hashtext($1::text)"

static Err *drop_schemas(Conn *conn, const Wait *wait, const char *base)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(pg_begin(conn, wait, &(TxSettings){.statement_timeout_ms = CATALOG_TIMEOUT_MS}));
    Err *err = conn_exec(
        conn, wait, "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL quote_all_identifiers = off");
    if (err == NULL)
        err = conn_params(conn, wait, arena, &rows,
                          catalog_sql_text(arena, catalog_scratch_schema_drop_sql, pg_conn_version(conn)),
                          base);
    pg_rollback(conn);
    if (err != NULL)
        return err;
    CloneStatement *statements = arena_alloc(arena, (rows.row_count + 1) * sizeof *statements);
    for (size_t row = 0; row < rows.row_count; row++)
        statements[row] = (CloneStatement){.what = rows_cell(&rows, row, 0), .sql = rows_cell(&rows, row, 1)};
    return clone_build(conn, wait, statements, rows.row_count);
}

static const char leftovers_sql[] =
    "SELECT DISTINCT pg_catalog.regexp_replace(n.nspname, '_[0-9]+$', '') FROM pg_catalog.pg_namespace n "
    "WHERE n.nspname ~ '^stoa_scratch_[0-9]{1,12}_[0-9]+_[0-9a-f]+_[0-9]+$' "
    "AND pg_catalog.obj_description(n.oid, 'pg_namespace') = $1 "
    "AND pg_catalog.pg_has_role(n.nspowner, 'USAGE')";

/* One that is in use stays; one that cannot be dropped now is met again by the next. */
static Err *drop_leftover(Conn *conn, const Wait *wait, const char *base)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows, "SELECT pg_catalog.pg_try_advisory_lock(" LOCK_KEY ")", base));
    if (!rows_bool(&rows, 0, 0))
        return NULL;
    Err *err = drop_schemas(conn, wait, base);
    if (err_is(err, ERR_STOPPED) || err_is(err, ERR_CONN_LOST))
        return err;
    err_free(err);
    return conn_params(conn, wait, arena, &rows, "SELECT pg_catalog.pg_advisory_unlock(" LOCK_KEY ")", base);
}

Err *scratch_schema_forget(Conn *conn, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows, leftovers_sql, SCRATCH_MARK));
    for (size_t row = 0; row < rows.row_count; row++)
        TRY(drop_leftover(conn, wait, rows_cell(&rows, row, 0)));
    return NULL;
}

/* ---- may it be done ------------------------------------------------------------------------- */

static const char obstacles_sql[] =
    "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'), "
    "(SELECT pg_catalog.min(e.evtname) FROM pg_catalog.pg_event_trigger e WHERE e.evtenabled <> 'D'), "
    "(SELECT pg_catalog.min(p.pubname) FROM pg_catalog.pg_publication p WHERE p.puballtables), "
    "pg_catalog.current_setting('standard_conforming_strings') = 'on', "
    "pg_catalog.quote_ident(pg_catalog.current_database())";

static Err *may_make(Conn *conn, const Wait *wait, Arena *arena, const Server *server)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, obstacles_sql));
    if (!rows_bool(&rows, 0, 0))
        return err_hint(err_new(ERR_PRIVILEGE, "role \"%s\" may not make a scratch schema", server->role),
                        "GRANT CREATE ON DATABASE %s TO %s", rows_cell(&rows, 0, 4),
                        sql_ident(arena, server->role));
    const char *trigger = rows_cell(&rows, 0, 1), *publication = rows_cell(&rows, 0, 2);
    if (trigger != NULL)
        return err_new(ERR_SQL, "event trigger \"%s\" would fire for a scratch schema", trigger);
    if (publication != NULL)
        return err_new(ERR_SQL, "publication \"%s\" is for all tables, those of a scratch schema too",
                       publication);
    if (!rows_bool(&rows, 0, 3))
        return err_new(ERR_SQL, "standard_conforming_strings is off, which a scratch schema cannot do with");
    if (server->pooled)
        return err_new(ERR_SQL, "a scratch schema needs a session of its own, not a pooler's");
    return NULL;
}

/* ---- names ---------------------------------------------------------------------------------- */

static Err *take_name(ScratchSchema *scratch, const Wait *wait)
{
    Rows rows = {0};
    TRY(conn_query(
        scratch->conn, wait, scratch->arena, &rows,
        "SELECT pg_catalog.format('stoa_scratch_%s_%s_%s', "
        "extract(epoch FROM pg_catalog.clock_timestamp())::int8, pg_catalog.pg_backend_pid(), "
        "\"left\"(pg_catalog.md5(pg_catalog.random()::text || pg_catalog.clock_timestamp()), 8))"));
    const char *base = rows_cell(&rows, 0, 0);
    TRY(conn_params(scratch->conn, wait, scratch->arena, &rows,
                    "SELECT pg_catalog.pg_try_advisory_lock(" LOCK_KEY ")", base));
    if (!rows_bool(&rows, 0, 0)) /* another name with the same hash */
        return err_new(ERR_HELD, "another plan holds the name of a scratch schema");
    scratch->spaces.base = base;
    return NULL;
}

static const char schemas_sql[] =
    "SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^(pg_|stoa_scratch_)' "
    "AND n.nspname <> 'information_schema' UNION SELECT 'stoa'";

/* Of types, functions, relations, operators and the like; what else there is has no schema, or no name that a
 * statement could use. */
static const char members_sql[] =
    "SELECT n.nspname, o.name FROM pg_catalog.pg_depend d CROSS JOIN LATERAL ("
    "SELECT c.relnamespace AS space, c.relname AS name FROM pg_catalog.pg_class c "
    "WHERE d.classid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objid "
    "UNION ALL SELECT t.typnamespace, t.typname FROM pg_catalog.pg_type t "
    "WHERE d.classid = 'pg_catalog.pg_type'::regclass AND t.oid = d.objid "
    "UNION ALL SELECT p.pronamespace, p.proname FROM pg_catalog.pg_proc p "
    "WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.objid "
    "UNION ALL SELECT p.oprnamespace, p.oprname FROM pg_catalog.pg_operator p "
    "WHERE d.classid = 'pg_catalog.pg_operator'::regclass AND p.oid = d.objid "
    "UNION ALL SELECT p.opcnamespace, p.opcname FROM pg_catalog.pg_opclass p "
    "WHERE d.classid = 'pg_catalog.pg_opclass'::regclass AND p.oid = d.objid "
    "UNION ALL SELECT p.opfnamespace, p.opfname FROM pg_catalog.pg_opfamily p "
    "WHERE d.classid = 'pg_catalog.pg_opfamily'::regclass AND p.oid = d.objid "
    "UNION ALL SELECT l.collnamespace, l.collname FROM pg_catalog.pg_collation l "
    "WHERE d.classid = 'pg_catalog.pg_collation'::regclass AND l.oid = d.objid "
    "UNION ALL SELECT s.cfgnamespace, s.cfgname FROM pg_catalog.pg_ts_config s "
    "WHERE d.classid = 'pg_catalog.pg_ts_config'::regclass AND s.oid = d.objid "
    "UNION ALL SELECT s.dictnamespace, s.dictname FROM pg_catalog.pg_ts_dict s "
    "WHERE d.classid = 'pg_catalog.pg_ts_dict'::regclass AND s.oid = d.objid) o "
    "JOIN pg_catalog.pg_namespace n ON n.oid = o.space WHERE d.deptype = 'e' AND n.nspname !~ '^pg_' "
    "AND n.nspname <> 'information_schema'";

static bool has_members(const Spaces *spaces, const char *schema)
{
    for (size_t i = 0; i < spaces->member_count; i++)
        if (str_eq(spaces->members[i].schema, schema))
            return true;
    return false;
}

/* Every schema of the database, and those that the plan makes. */
static Err *load_spaces(ScratchSchema *scratch, const Wait *wait, const CloneWish *wish)
{
    Arena *arena = scratch->arena;
    Spaces *spaces = &scratch->spaces;
    Rows schemas = {0}, members = {0};
    TRY(conn_query(scratch->conn, wait, arena, &schemas, schemas_sql));
    TRY(conn_query(scratch->conn, wait, arena, &members, members_sql));
    spaces->items = arena_alloc(arena, (schemas.row_count + wish->mention_count + 1) * sizeof(Space));
    for (size_t row = 0; row < schemas.row_count; row++)
        spaces->items[spaces->count++].real = rows_cell(&schemas, row, 0);
    for (size_t i = 0; i < wish->mention_count; i++) {
        const Mention *mention = &wish->mentions[i];
        bool known = (mention->kinds & NAMES_MADE) == 0;
        for (size_t s = 0; s < spaces->count && !known; s++)
            known = str_eq(spaces->items[s].real, mention->name);
        if (!known)
            spaces->items[spaces->count++].real = mention->name;
    }
    spaces->members = arena_alloc(arena, (members.row_count + 1) * sizeof(SpaceMember));
    for (size_t row = 0; row < members.row_count; row++)
        spaces->members[row] = (SpaceMember){rows_cell(&members, row, 0), rows_cell(&members, row, 1)};
    spaces->member_count = members.row_count;
    spaces_name(arena, spaces);
    return NULL;
}

/* ---- filling -------------------------------------------------------------------------------- */

/* Owners of what is copied, into whose hands the copies are given and as whom steps run. */
static Err *load_owners(ScratchSchema *scratch, const Wait *wait, Rows *ret_rows)
{
    return conn_query(
        scratch->conn, wait, scratch->arena, ret_rows,
        "SELECT DISTINCT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(o.owner)) FROM ("
        "SELECT c.relowner AS owner FROM pg_catalog.pg_class c WHERE c.oid >= 16384 "
        "UNION SELECT p.proowner FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 "
        "UNION SELECT t.typowner FROM pg_catalog.pg_type t WHERE t.oid >= 16384 "
        "UNION SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.oid >= 16384) o "
        "WHERE pg_catalog.pg_has_role(o.owner, 'USAGE') AND pg_catalog.pg_get_userbyid(o.owner) <> "
        "current_user");
}

static const char *make_schema(Arena *arena, const Space *space, const Rows *owners)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "CREATE SCHEMA %s; COMMENT ON SCHEMA %s IS ", space->scratch, space->scratch);
    sql_add_literal(&sql, SCRATCH_MARK);
    for (size_t row = 0; row < owners->row_count; row++)
        str_addf(&sql, "; GRANT ALL ON SCHEMA %s TO %s", space->scratch, rows_cell(owners, row, 0));
    return arena_dup(arena, sql.buf);
}

/* The schema that a statement of the clone makes; NULL. */
static const Space *made_schema(const Spaces *spaces, const char *sql)
{
    static const char head[] = "CREATE SCHEMA IF NOT EXISTS ";
    if (!str_starts(sql, head))
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (size_t i = 0; i < spaces->count; i++) {
        const char *name = sql_ident(arena, spaces->items[i].real), *rest = sql + strlen(head);
        if (str_starts(rest, name) && rest[strlen(name)] == ';')
            return &spaces->items[i];
    }
    return NULL;
}

/* Extensions are there already; the schemas stay ours, so that they can be dropped. */
static bool is_left_out(const char *sql)
{
    return str_starts(sql, "CREATE EXTENSION ") || str_starts(sql, "ALTER SCHEMA ");
}

static Err *rewrite_all(ScratchSchema *scratch, const Wait *wait, const CloneStatement *statements,
                        size_t count, CloneStatement **ret_now, size_t *ret_count)
{
    Arena *arena = scratch->arena;
    Rows owners = {0};
    TRY(load_owners(scratch, wait, &owners));
    CloneStatement *now = arena_alloc(arena, (count + 1) * sizeof *now);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const char *sql = statements[i].sql, *why = NULL;
        if (sql != NULL && is_left_out(sql))
            continue;
        const Space *space = sql == NULL ? NULL : made_schema(&scratch->spaces, sql);
        now[kept] = statements[i];
        if (space != NULL)
            now[kept].sql = make_schema(arena, space, &owners);
        else if (sql != NULL)
            now[kept].sql = spaces_rewrite(&scratch->spaces, arena, sql, &why);
        if (why != NULL && !statements[i].optional)
            return err_new(ERR_SQL, "%s has %s, which cannot be led to a scratch schema for sure",
                           statements[i].what, why);
        kept += why == NULL ? 1 : 0;
    }
    *ret_now = now;
    *ret_count = kept;
    return NULL;
}

static Err *prove(ScratchSchema *scratch, const Wait *wait)
{
    const char *why = NULL, *gone = NULL;
    TRY(pg_begin(scratch->conn, wait, &(TxSettings){.statement_timeout_ms = CATALOG_TIMEOUT_MS}));
    Err *err = guard_after(scratch->conn, wait, scratch->arena, &why, &gone);
    pg_rollback(scratch->conn);
    if (err == NULL && why != NULL)
        err = err_new(ERR_SQL, "a copy in a scratch schema would not stand alone: %s", why);
    return err;
}

/* Names without a schema lead to the copies. Where a schema holds members of extensions, which have no copy,
 * it comes behind all of these: see guard_before(). */
static Err *set_path(ScratchSchema *scratch, const Wait *wait, const CloneWish *wish)
{
    Arena *arena = scratch->arena;
    Spaces *spaces = &scratch->spaces;
    Str path CLEANUP(str_donep) = STR_INIT, real CLEANUP(str_donep) = STR_INIT,
             stand CLEANUP(str_donep) = STR_INIT, behind CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < wish->search_path_count; i++) {
        const char *schema = wish->search_path[i];
        const Space *space = spaces_find(spaces, schema);
        if (space == NULL)
            continue;
        str_sep(&path, ", ");
        str_add(&path, space->scratch);
        if (!has_members(spaces, schema))
            continue;
        str_addf(&behind, ", %s", sql_ident(arena, schema));
        str_sep(&real, ",");
        str_sep(&stand, ",");
        str_add(&real, "\"");
        for (const char *c = schema; *c != '\0'; c++)
            str_addf(&real, "%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
        str_add(&real, "\"");
        str_add(&stand, space->scratch);
    }
    str_add(&path, behind.buf);
    if (real.len > 0) {
        spaces->real_path = arena_printf(arena, "{%s}", real.buf);
        spaces->scratch_path = arena_printf(arena, "{%s}", stand.buf);
    }
    Rows rows = {0};
    return conn_params(scratch->conn, wait, arena, &rows,
                       "SELECT pg_catalog.set_config('search_path', $1, false), "
                       "pg_catalog.set_config('default_transaction_read_only', 'off', false), "
                       "pg_catalog.set_config('lock_timeout', $3, false), "
                       "pg_catalog.set_config('stoa.newest_copy', (SELECT max(c.oid::int8)::text FROM "
                       "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                       "WHERE pg_catalog.left(n.nspname, pg_catalog.length($2::text)) = $2::text), false)",
                       path.buf, spaces->base,
                       arena_printf(arena, "%lld", (long long)guard_lock_ms(scratch->conn)));
}

/* ---- opening and closing -------------------------------------------------------------------- */

static const char *dup_or_null(Arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_dup(arena, text);
}

static Err *open_filled(ScratchSchema *scratch, const Wait *wait, const Server *server, const CloneWish *wish,
                        const CloneStatement *statements, size_t count)
{
    CloneStatement *now = NULL;
    size_t now_count = 0;
    TRY(pg_connect(&scratch->home, "scratch", wait, &scratch->conn));
    TRY(may_make(scratch->conn, wait, scratch->arena, server));
    TRY(scratch_schema_forget(scratch->conn, wait));
    TRY(take_name(scratch, wait));
    TRY(load_spaces(scratch, wait, wish));
    pg_conn_set_spaces(scratch->conn, &scratch->spaces);
    TRY(rewrite_all(scratch, wait, statements, count, &now, &now_count));
    TRY(clone_build(scratch->conn, wait, now, now_count));
    TRY(guard_open(scratch->conn, wait));
    TRY(prove(scratch, wait));
    return set_path(scratch, wait, wish);
}

Err *scratch_schema_open(const Target *home, const Wait *wait, const Server *server, const CloneWish *wish,
                         const CloneStatement *statements, size_t count, ScratchSchema *ret_scratch)
{
    Arena *arena = arena_new();
    *ret_scratch = (ScratchSchema){.arena = arena,
                                   .home = {.url = dup_or_null(arena, home->url),
                                            .password_command = dup_or_null(arena, home->password_command),
                                            .database = dup_or_null(arena, home->database)}};
    Err *err = open_filled(ret_scratch, wait, server, wish, statements, count);
    return ret_scratch->conn == NULL ? err : guard_error(ret_scratch->conn, err);
}

/* Also after a stop was asked for: nothing is to be left behind. What cannot be dropped is by the next one.
 */
void scratch_schema_close(ScratchSchema *scratch)
{
    Wait wait = {.timeout_ms = DROP_TIMEOUT_MS};
    Err *err = NULL;
    if (scratch->conn != NULL && scratch->spaces.base != NULL) {
        pg_rollback(scratch->conn);
        pg_conn_set_spaces(scratch->conn, NULL);
        err = conn_exec(scratch->conn, &wait,
                        "RESET SESSION AUTHORIZATION; RESET ROLE; SET default_transaction_read_only = off");
        if (err == NULL)
            err = drop_schemas(scratch->conn, &wait, scratch->spaces.base);
    }
    conn_closep(&scratch->conn);
    if (err != NULL) { /* the session was lost, and its lock with it */
        err_free(err);
        CLEANUP(conn_closep) Conn *conn = NULL;
        err = pg_connect(&scratch->home, "scratch", &wait, &conn);
        if (err == NULL)
            err = scratch_schema_forget(conn, &wait);
    }
    err_free(err);
    arena_free(scratch->arena);
}
