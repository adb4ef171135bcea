/* One server for one check. */
#include "check/server/online.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/my_server.h"
#include "engine/sql.h"

enum { CONNECT_MS = 15000, CLONE_MS = 60000, DUPLICATES_MS = 2000, DUPLICATES_MOST = 1000 };

/* Larger tables are not read for a check. */
static const int64_t duplicates_most_bytes = (int64_t)1 << 30;

static Err *load_settings(Online *online)
{
    Wait wait = {.stop = online->stop, .timeout_ms = CONNECT_MS};
    ServerFacts *facts = &online->facts;
    const char *who = NULL;
    TRY(online->ops->load_server(online->conn, &wait, online->arena, &online->server));
    facts->version = online->server.version_num;
    facts->version_text = online->server.version;
    facts->replicas = (int64_t)online->server.standby_count;
    const MyServer *my = online->server.my;
    facts->engine = my == NULL ? CHECK_POSTGRES : my->mariadb ? CHECK_MARIADB : CHECK_MYSQL;
    if (my != NULL)
        online->dialect = (MyDialect){.mariadb = my->mariadb,
                                      .version = online->server.version_num,
                                      .ansi_quotes = my->ansi_quotes,
                                      .no_backslash_escapes = my->no_backslash_escapes};
    if (online->ops->horizon != NULL)
        TRY(online->ops->horizon(online->conn, &wait, online->arena, &facts->longest_ms, &who));
    return online->ops->session_limits(online->conn, &wait, online->arena, &facts->lock_timeout_ms,
                                       &facts->statement_timeout_ms);
}

static const char *quoted(const Online *online, Arena *arena, const char *name)
{
    return online->ops->dialect == DIALECT_MYSQL ? sql_backtick(arena, name) : sql_ident(arena, name);
}

static const char *duplicates_sql(const Online *online, Arena *arena, const TableFacts *table,
                                  const char *const *columns, size_t count)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    CLEANUP(str_donep) Str filled = STR_INIT;
    for (size_t i = 0; i < count; i++) {
        const char *column = quoted(online, arena, columns[i]);
        str_sep(&list, ", ");
        str_add(&list, column);
        str_addf(&filled, "%s%s IS NOT NULL", i == 0 ? "" : " AND ", column);
    }
    return arena_printf(
        arena,
        "SELECT count(*) FROM (SELECT 1 FROM %s.%s WHERE %s GROUP BY %s HAVING count(*) > 1 LIMIT %d) d",
        quoted(online, arena, table->schema), quoted(online, arena, table->name), filled.buf, list.buf,
        DUPLICATES_MOST);
}

/* What takes too long, or cannot be read, is not known; the rule that only warns stays then. */
static Err *duplicates(void *context, Arena *arena, const TableFacts *table, const char *const *columns,
                       size_t count, int64_t *ret_count)
{
    Online *online = context;
    Wait wait = {.stop = online->stop, .timeout_ms = DUPLICATES_MS};
    Rows rows = {0};
    *ret_count = -1;
    if (table->bytes - table->index_bytes > duplicates_most_bytes)
        return NULL;
    Err *err =
        conn_query(online->conn, &wait, arena, &rows, duplicates_sql(online, arena, table, columns, count));
    if (err == NULL)
        *ret_count = rows_int(&rows, 0, 0);
    if (err_is(err, ERR_STOPPED) || err_is(err, ERR_CONN_LOST))
        return err;
    err_free(err);
    return NULL;
}

Err *online_open(Arena *arena, const EngineOps *ops, const Target *target, const Stop *stop,
                 Online *ret_online)
{
    *ret_online = (Online){.arena = arena, .ops = ops, .target = *target, .stop = stop};
    Wait wait = {.stop = stop, .timeout_ms = CONNECT_MS};
    TRY(ops->connect(target, "check", &wait, &ret_online->conn));
    TRY(load_settings(ret_online));
    ret_online->asked =
        (CheckServer){.facts = &ret_online->facts, .context = ret_online, .duplicates = duplicates};
    return NULL;
}

void online_close(Online *online)
{
    if (online->clone != NULL)
        online->ops->clone_close(online->clone);
    online->clone = NULL;
    conn_closep(&online->conn);
}

/* The innermost reason, with what would help. */
static const char *reason(Arena *arena, const Err *err)
{
    const char *hint = err_first_hint(err);
    while (err->cause != NULL)
        err = err->cause;
    return hint == NULL ? arena_dup(arena, err->msg) : arena_printf(arena, "%s; %s", err->msg, hint);
}

Err *online_clone(Online *online, const CheckNames *names, bool in_schema)
{
    Wait wait = {.stop = online->stop, .timeout_ms = CLONE_MS};
    int64_t from_ms = clock_ms();
    if (online->server.in_recovery || online->server.read_only) {
        online->unmeasured = "this server is a standby, or read-only";
        return NULL;
    }
    Err *err = online->ops->clone_open(&online->target, online->conn, &wait, &online->server,
                                       online->tables.items, online->tables.len, names->mentions.items,
                                       names->mentions.len, in_schema, &online->clone);
    online->clone_ms = clock_ms() - from_ms;
    if (err_is(err, ERR_STOPPED) || err_is(err, ERR_BUG))
        return err;
    if (err != NULL) {
        online->unmeasured = reason(online->arena, err);
        err_free(err);
        return NULL;
    }
    online->clone_conn = online->ops->clone_conn(online->clone);
    online->asked.measure = online->ops->dialect == DIALECT_MYSQL ? measure_my : measure_pg;
    return NULL;
}

bool measure_is_due(const ActStatement *statement)
{
    for (size_t i = 0; i < statement->acts.len; i++) {
        const Act *act = &statement->acts.items[i];
        bool words = act->kind == ACT_UNKNOWN && act->words != NULL && act->words[0] != '\\';
        if (act_is_definition(act) || words || act->function != NULL)
            return true;
        if (act->kind == ACT_OTHER && act->words != NULL && act->words[0] != '\\')
            return true;
    }
    return false;
}
