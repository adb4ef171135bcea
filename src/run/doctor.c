/* Can this server and this role do it: each fact that a change will need, looked at beforehand. */
#include "run/runner.h"

static void add(json_t *checks, const ServerCheck *finding)
{
    bool ok = finding->severity[0] == '\0';
    json_array_append_new(checks, json_pack("{s:s,s:b,s:s?,s:s,s:s?}", "name", finding->name, "ok", (int)ok,
                                            "severity", ok ? NULL : finding->severity, "message",
                                            finding->message, "fix", finding->fix));
}

static void check_server(const Server *server, Arena *arena, json_t *checks)
{
    bool old = server->version_num < 100000;
    add(checks,
        &(ServerCheck){"version", old ? "block" : "", arena_printf(arena, "PostgreSQL %s", server->version),
                       old ? "10 is the oldest version that is supported" : NULL});
    add(checks, &(ServerCheck){"primary", server->in_recovery ? "block" : "",
                               server->in_recovery ? "this server is a standby" : "this server is a primary",
                               server->in_recovery ? "connect to the primary" : NULL});
    add(checks, &(ServerCheck){"pooler", server->pooled ? "block" : "",
                               server->pooled ? "the session goes through a transaction pooler"
                                              : "no transaction pooler in between",
                               server->pooled ? "connect to the server directly" : NULL});
}

/* Whoever alters a table must own it. */
static void check_owners(const Server *server, Arena *arena, json_t *checks)
{
    for (size_t i = 0; i < server->other_owner_count; i++) {
        const TableOwner *owner = &server->other_owners[i];
        const char *name = sql_ident(arena, owner->name);
        add(checks, &(ServerCheck){
                        "tables", "warn",
                        arena_printf(arena, "may not alter %lld table%s of %s", (long long)owner->table_count,
                                     owner->table_count == 1 ? "" : "s", name),
                        arena_printf(arena, "GRANT %s TO %s", name, sql_ident(arena, server->role))});
    }
    if (server->other_owner_count == 0)
        add(checks, &(ServerCheck){"tables", "", "may alter every table of this database", NULL});
}

static void check_role(const EngineOps *ops, const Server *server, Arena *arena, json_t *checks)
{
    bool journal = server->journal_version != 0;
    bool usable = journal ? server->may_use_journal : server->may_create_schema;
    add(checks,
        &(ServerCheck){
            "journal", usable ? "" : "block",
            !journal  ? "no journal yet: made on first use"
            : !usable ? "may not use the journal in schema stoa"
                      : arena_printf(arena, "journal of version %d in schema stoa", server->journal_version),
            usable    ? NULL
            : journal ? journal_grants(arena, ops, server)
                      : arena_printf(arena, "GRANT CREATE ON DATABASE %s TO %s",
                                     sql_ident(arena, server->database), sql_ident(arena, server->role))});
    add(checks, &(ServerCheck){"temporary tables", server->may_temp ? "" : "block",
                               server->may_temp ? "may make temporary tables, to try expressions on"
                                                : "may not make temporary tables, to try expressions on",
                               server->may_temp ? NULL
                                                : arena_printf(arena, "GRANT TEMPORARY ON DATABASE %s TO %s",
                                                               sql_ident(arena, server->database),
                                                               sql_ident(arena, server->role))});
    add(checks, &(ServerCheck){
                    "scratch database", server->may_create_database ? "" : "note",
                    server->may_create_database ? "may make a scratch database, to try plans on empty copies"
                    : server->may_create_schema
                        ? "may not make a scratch database: plans are tried in scratch schemas of this one"
                        : "may not make a scratch database: plans go by rule, not by measurement",
                    server->may_create_database || server->may_create_schema
                        ? NULL
                        : arena_printf(arena, "ALTER ROLE %s CREATEDB", sql_ident(arena, server->role))});
    add(checks, &(ServerCheck){
                    "statistics", server->may_read_stats ? "" : "warn",
                    server->may_read_stats ? "may see other sessions and standbys"
                                           : "may not see other sessions' statements and standbys' columns",
                    server->may_read_stats
                        ? NULL
                        : arena_printf(arena, "GRANT pg_monitor TO %s", sql_ident(arena, server->role))});
    const char *role = sql_ident(arena, server->role);
    const char *quiet_fix =
        server->version_num >= 150000
            ? arena_printf(arena, "GRANT SET ON PARAMETER session_replication_role TO %s", role)
            : "needs a superuser before PostgreSQL 15";
    add(checks, &(ServerCheck){"quiet triggers", server->may_quiet_triggers ? "" : "note",
                               server->may_quiet_triggers
                                   ? "user triggers stay quiet during a backfill"
                                   : "user triggers will fire for the backfill (--accept-triggers), "
                                     "unless a superuser says:",
                               server->may_quiet_triggers ? NULL : quiet_fix});
}

static void check_replication(const Server *server, Arena *arena, json_t *checks)
{
    for (size_t i = 0; i < server->standby_count; i++) {
        const Standby *standby = &server->standbys[i];
        add(checks, &(ServerCheck){"standby", standby->visible ? "note" : "warn",
                                   arena_printf(arena, "standby %s%s%s", standby->name,
                                                standby->synchronous ? ", synchronous" : "",
                                                standby->visible ? "" : ", its lag is hidden from this role"),
                                   standby->visible ? NULL : "GRANT pg_monitor"});
    }
    for (size_t i = 0; i < server->slot_count; i++)
        add(checks, &(ServerCheck){"slot", server->slots[i].active ? "note" : "warn",
                                   arena_printf(arena, "logical slot %s is %s and retains %lld MB",
                                                server->slots[i].name,
                                                server->slots[i].active ? "active" : "inactive",
                                                (long long)(server->slots[i].retained_bytes >> 20)),
                                   NULL});
    for (size_t i = 0; i < server->publication_count; i++)
        add(checks,
            &(ServerCheck){"publication", "note",
                           arena_printf(arena, "publication %s would carry the journal to its subscribers",
                                        server->publications[i].name),
                           "see: stoa plan, which prints what subscribers need first"});
}

/* What Server tells, where the engine has nothing of its own to say. */
static void check_all(const EngineOps *ops, const Server *server, Arena *arena, json_t *checks)
{
    check_server(server, arena, checks);
    check_role(ops, server, arena, checks);
    check_owners(server, arena, checks);
    check_replication(server, arena, checks);
}

static Err *check_own(Runner *runner, json_t *checks)
{
    Wait wait = runner_wait(runner);
    ServerCheck *found = NULL;
    size_t count = 0;
    TRY(runner->ops->checks(runner->conn, &wait, runner->arena, &runner->server, &found, &count));
    for (size_t i = 0; i < count; i++)
        add(checks, &found[i]);
    return NULL;
}

Err *run_doctor(const RunOptions *options, Arena *arena, json_t **ret_json)
{
    Runner runner;
    Err *err = runner_open(&runner, options, arena);
    json_t *checks = json_array();
    if (err_is(err, ERR_PRIVILEGE) && runner.server.version_num > 0) { /* one finding among the others */
        err_free(err);
        err = NULL;
    }
    if (err == NULL && runner.ops->checks != NULL)
        err = check_own(&runner, checks);
    else if (err == NULL)
        check_all(runner.ops, &runner.server, arena, checks);
    if (err == NULL) {
        *ret_json = json_pack("{s:i,s:s,s:s,s:s,s:o}", "v", 1, "server", runner.server.version, "database",
                              runner.server.database, "role", runner.server.role, "checks", checks);
    } else {
        json_decref(checks);
    }
    runner_close(&runner);
    return err;
}
