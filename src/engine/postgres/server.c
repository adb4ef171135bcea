/* Loads what Stoa knows about a server, its database and our role in it. */
#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/pg.h"
#include "engine/sql.h"

#include <string.h>

static void read_standbys(Arena *arena, const json_t *list, Server *server)
{
    server->standby_count = json_array_size(list);
    server->standbys = arena_alloc(arena, (server->standby_count + 1) * sizeof *server->standbys);
    for (size_t i = 0; i < server->standby_count; i++) {
        const json_t *item = json_array_get(list, i);
        server->standbys[i] = (Standby){.name = catalog_text(arena, item, "name"),
                                        .visible = catalog_bool(item, "visible"),
                                        .synchronous = catalog_bool(item, "synchronous")};
    }
}

static void read_owners(Arena *arena, const json_t *list, Server *server)
{
    server->other_owner_count = json_array_size(list);
    server->other_owners = arena_alloc(arena, (server->other_owner_count + 1) * sizeof *server->other_owners);
    for (size_t i = 0; i < server->other_owner_count; i++) {
        const json_t *item = json_array_get(list, i);
        server->other_owners[i] = (TableOwner){.name = catalog_text(arena, item, "name"),
                                               .table_count = catalog_int(item, "tables")};
    }
}

static void read_slots(Arena *arena, const json_t *list, Server *server)
{
    server->slot_count = json_array_size(list);
    server->slots = arena_alloc(arena, (server->slot_count + 1) * sizeof *server->slots);
    for (size_t i = 0; i < server->slot_count; i++) {
        const json_t *item = json_array_get(list, i);
        server->slots[i] = (Slot){.name = catalog_text(arena, item, "name"),
                                  .plugin = catalog_text(arena, item, "plugin"),
                                  .active = catalog_bool(item, "active"),
                                  .retained_bytes = catalog_int(item, "retained")};
    }
}

static void read_publications(Arena *arena, const json_t *list, Server *server)
{
    server->publication_count = json_array_size(list);
    server->publications = arena_alloc(arena, (server->publication_count + 1) * sizeof *server->publications);
    for (size_t i = 0; i < server->publication_count; i++) {
        const json_t *item = json_array_get(list, i);
        server->publications[i] = (Publication){.name = catalog_text(arena, item, "name"),
                                                .all_tables = catalog_bool(item, "all"),
                                                .journal_too = true};
    }
}

static void read_server(Arena *arena, const json_t *row, Server *server)
{
    server->version = catalog_text(arena, row, "version");
    server->database = catalog_text(arena, row, "database");
    server->role = catalog_text(arena, row, "role");
    server->role_sql = sql_ident(arena, server->role);
    server->superuser = catalog_bool(row, "superuser");
    server->in_recovery = catalog_bool(row, "in_recovery");
    server->read_only = catalog_bool(row, "read_only");
    server->may_quiet_triggers = catalog_bool(row, "may_quiet_triggers");
    server->may_yield_autovacuum = catalog_bool(row, "may_yield_autovacuum");
    server->may_create_schema = catalog_bool(row, "may_create_schema");
    server->may_create_database = catalog_bool(row, "may_create_database");
    server->may_read_stats = catalog_bool(row, "may_read_stats");
    server->may_temp = catalog_bool(row, "may_temp");
    server->block_size = (int)catalog_int(row, "block_size");
    server->wal_level = catalog_text(arena, row, "wal_level");
    server->deadlock_timeout_ms = catalog_int(row, "deadlock_timeout_ms");
    server->max_connections = (int)catalog_int(row, "max_connections");
    server->connection_count = (int)catalog_int(row, "connections");
    server->encoding = catalog_text(arena, row, "encoding");
    server->autovacuum = catalog_bool(row, "autovacuum");
    server->statement_statistics = catalog_bool(row, "statement_statistics");
    server->wants_synchronous = catalog_bool(row, "wants_synchronous");
    server->search_path = catalog_texts(arena, row, "search_path", &server->search_path_count);
    read_standbys(arena, json_object_get(row, "standbys"), server);
    read_owners(arena, json_object_get(row, "other_owners"), server);
    read_slots(arena, json_object_get(row, "slots"), server);
    read_publications(arena, json_object_get(row, "publications"), server);
}

/* What may not even be named where the grant or the table is missing. The timeline comes from the name of the
 * WAL file in use, because the control file's is that of the last checkpoint. */
static Err *load_rest(Conn *conn, const Wait *wait, Arena *arena, const json_t *row, Server *server)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_add(&sql, "SELECT ");
    str_add(&sql, catalog_bool(row, "may_control_system")
                      ? "(SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system_id"
                      : "NULL AS system_id");
    if (!server->in_recovery)
        str_add(&sql, ", pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, "
                      "8) AS timeline");
    else if (catalog_bool(row, "may_control_checkpoint"))
        str_add(&sql, ", (SELECT pg_catalog.lpad(pg_catalog.to_hex(timeline_id), 8, '0') FROM "
                      "pg_catalog.pg_control_checkpoint()) AS timeline");
    bool journal = catalog_bool(row, "journal_exists");
    if (journal && catalog_bool(row, "journal_readable"))
        str_add(&sql, ", (SELECT pg_catalog.max((pg_catalog.to_jsonb(m) ->> 'version')::int) FROM stoa.meta "
                      "m) AS journal_version");
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    TRY(catalog_query(conn, wait, sql.buf, 0, NULL, &rows));
    const json_t *rest = json_array_get(rows, 0);
    const char *system_id = catalog_text(arena, rest, "system_id");
    const char *timeline = catalog_text(arena, rest, "timeline");
    server->system_id = system_id == NULL ? "" : system_id;
    server->timeline = timeline == NULL ? 0 : strtoll(timeline, NULL, 16);
    server->journal_version = (int)catalog_int(rest, "journal_version");
    if (journal && !catalog_bool(row, "journal_readable"))
        server->journal_version = -1;
    server->may_read_journal = !journal || catalog_bool(row, "journal_all_readable");
    server->may_use_journal = journal ? catalog_bool(row, "journal_granted") : server->may_create_schema;
    return NULL;
}

Err *pg_load_server(Conn *conn, const Wait *wait, Arena *arena, Server *ret_server)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    TRY(catalog_query(conn, wait, catalog_server_sql, 0, NULL, &rows));
    const json_t *row = json_array_get(rows, 0);
    Server server = {.engine = "postgres", .version_num = pg_conn_version(conn)};
    read_server(arena, row, &server);
    server.pooled = catalog_int(row, "pid") != pg_conn_backend_pid(conn);
    TRY(load_rest(conn, wait, arena, row, &server));
    *ret_server = server;
    return NULL;
}

Err *pg_list_tables(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows)
{
    return conn_query(
        conn, wait, arena, ret_rows,
        "SELECT n.nspname, c.relname, pg_catalog.pg_stat_get_tuples_inserted(c.oid) "
        "+ pg_catalog.pg_stat_get_tuples_updated(c.oid) + pg_catalog.pg_stat_get_tuples_deleted(c.oid) "
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^(pg_|stoa_scratch_)' "
        "AND n.nspname NOT IN ('information_schema', 'stoa') ORDER BY 1, 2");
}

Err *pg_list_databases(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows)
{
    return conn_query(conn, wait, arena, ret_rows,
                      "SELECT d.datname FROM pg_catalog.pg_database d WHERE d.datallowconn AND NOT "
                      "d.datistemplate AND d.datname !~ '^stoa_scratch_' AND "
                      "pg_catalog.has_database_privilege(d.oid, 'CONNECT') ORDER BY d.datname COLLATE \"C\"");
}

Err *pg_list_schemas(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows)
{
    return conn_query(conn, wait, arena, ret_rows,
                      "SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname !~ "
                      "'^(pg_|stoa_scratch_)' AND n.nspname NOT IN ('information_schema', 'stoa') "
                      "ORDER BY n.nspname COLLATE \"C\"");
}

/* reset_val is what the session began with, whatever we have set since. */
Err *pg_session_limits(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_lock_ms,
                       int64_t *ret_statement_ms)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT s.reset_val FROM pg_catalog.pg_settings s "
                   "WHERE s.name IN ('lock_timeout', 'statement_timeout') ORDER BY s.name"));
    *ret_lock_ms = rows.row_count > 0 ? rows_int(&rows, 0, 0) : 0;
    *ret_statement_ms = rows.row_count > 1 ? rows_int(&rows, 1, 0) : 0;
    return NULL;
}
