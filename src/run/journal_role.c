/* What a role may do with the journal. */
#include "run/runner.h"

const char *journal_grants(Arena *arena, const EngineOps *ops, const Server *server)
{
    return journal_fill(arena, ops->journal_sql(JOURNAL_GRANTS), "role", server->role_sql);
}

static Err *check_known(const EngineOps *ops, const Server *server)
{
    return server->journal_version <= ops->journal_version
               ? NULL
               : err_hint(err_new(ERR_CONFIG,
                                  "the journal in schema \"stoa\" is of version %d, this program knows "
                                  "version %d",
                                  server->journal_version, ops->journal_version),
                          "use the newer stoa that made it");
}

Err *journal_check_readable(const EngineOps *ops, const Server *server)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    TRY(check_known(ops, server));
    if (server->may_read_journal)
        return NULL;
    return err_hint(
        err_new(ERR_PRIVILEGE, "role \"%s\" may not read the journal in schema \"stoa\"", server->role),
        "as the role that made it: %s",
        journal_fill(arena, ops->journal_sql(JOURNAL_READ_GRANTS), "role", server->role_sql));
}

Err *journal_check_version(const EngineOps *ops, const Server *server)
{
    TRY(check_known(ops, server));
    if (server->journal_version == 0 || server->may_use_journal)
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    return err_hint(
        err_new(ERR_PRIVILEGE, "role \"%s\" may not use the journal in schema \"stoa\"", server->role),
        "connect as the role that made it, or: %s", journal_grants(arena, ops, server));
}
