/* Who is in the way of the cutover, by name. */
#include "base/str.h"
#include "engine/mysql/swap_parts.h"

#include <stdlib.h>
#include <string.h>

enum { CELL_ID, CELL_USER, CELL_HOST, CELL_COMMAND, CELL_SECONDS, CELL_STATE, CELL_SQL, CELL_LAST };
enum { STATEMENT_SHOWN = 120 };

bool swap_is_ours(const Attempt *a, int64_t id)
{
    const Conn *const ours[] = {a->control, a->lock, a->second};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (ours[i] != NULL && my_session_id(ours[i]) == id)
            return true;
    return false;
}

/* One line, cut between characters. */
static char *shown(Arena *arena, const char *sql)
{
    char *text = arena_dup(arena, sql);
    for (char *at = text; *at != '\0'; at++)
        if (*at == '\n' || *at == '\r' || *at == '\t')
            *at = ' ';
    if (strlen(text) <= STATEMENT_SHOWN)
        return text;
    size_t len = STATEMENT_SHOWN;
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    return arena_printf(arena, "%.*s…", (int)len, text);
}

static const char *session_text(Arena *arena, const Rows *rows, size_t row, const char *what)
{
    const char *user = rows_cell(rows, row, CELL_USER), *host = rows_cell(rows, row, CELL_HOST);
    const char *sql = rows_cell(rows, row, CELL_SQL), *last = rows_cell(rows, row, CELL_LAST);
    bool is_idle = str_eq(rows_cell(rows, row, CELL_COMMAND), "Sleep");
    CLEANUP(str_donep) Str text = STR_INIT;
    size_t host_len = host == NULL ? 0 : strcspn(host, ":");
    str_addf(&text, "pid %s (%s@%.*s)", rows_cell(rows, row, CELL_ID), user == NULL ? "?" : user,
             (int)host_len, host == NULL ? "" : host);
    if (what != NULL)
        str_addf(&text, ", %s", what);
    if (is_idle)
        str_add(&text, ", idle in transaction");
    str_addf(&text, ", %lld s", (long long)rows_int(rows, row, CELL_SECONDS));
    if (sql != NULL && *sql != '\0')
        str_addf(&text, ", %s", shown(arena, sql));
    else if (last != NULL && *last != '\0')
        str_addf(&text, ", last: %s", shown(arena, last));
    return arena_dup(arena, text.buf);
}

/* Queries that this server, or this user, cannot have are as if they had no rows. */
static Err *try_query(Attempt *a, const char *sql, size_t count, const char *const *params, Rows *ret_rows)
{
    *ret_rows = (Rows){0};
    Err *err = my_query(a->control, a->wait, a->arena, sql, count, params, ret_rows);
    if (err_is(err, ERR_SQL) || err_is(err, ERR_PRIVILEGE)) {
        *ret_rows = (Rows){0};
        err_free(err);
        return NULL;
    }
    return err;
}

/* ---- who holds the tables
 * ----------------------------------------------------------------------------------
 */

/* MySQL 5.7.3 and later, on from 8.0 on; MariaDB 10.5 with performance_schema. */
static const char by_schema_sql[] =
    "SELECT DISTINCT t.PROCESSLIST_ID, t.PROCESSLIST_USER, t.PROCESSLIST_HOST, t.PROCESSLIST_COMMAND, "
    "t.PROCESSLIST_TIME, t.PROCESSLIST_STATE, LEFT(t.PROCESSLIST_INFO, 400), (SELECT LEFT(MAX(s.SQL_TEXT), "
    "400) FROM "
    "performance_schema.events_statements_current s WHERE s.THREAD_ID = t.THREAD_ID AND "
    "s.NESTING_EVENT_LEVEL = 0) "
    "FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.THREAD_ID = "
    "m.OWNER_THREAD_ID "
    "WHERE m.OBJECT_TYPE = 'TABLE' AND m.LOCK_STATUS = 'GRANTED' AND LOWER(m.OBJECT_SCHEMA) = LOWER($1) AND "
    "LOWER(m.OBJECT_NAME) IN (LOWER($2), LOWER($3)) AND t.PROCESSLIST_ID IS NOT NULL AND t.PROCESSLIST_TIME "
    ">= $4 "
    "ORDER BY t.PROCESSLIST_TIME DESC LIMIT 20";
/* MariaDB's plugin metadata_lock_info. */
static const char by_plugin_sql[] =
    "SELECT DISTINCT p.ID, p.USER, p.HOST, p.COMMAND, p.TIME, p.STATE, LEFT(p.INFO, 400), NULL FROM "
    "information_schema.METADATA_LOCK_INFO m JOIN information_schema.PROCESSLIST p ON p.ID = m.THREAD_ID "
    "WHERE "
    "m.LOCK_TYPE = 'Table metadata lock' AND LOWER(m.TABLE_SCHEMA) = LOWER($1) AND LOWER(m.TABLE_NAME) IN "
    "(LOWER($2), LOWER($3)) AND p.TIME >= $4 ORDER BY p.TIME DESC LIMIT 20";
/* Everywhere: what names the table and has run for a second, then open transactions, oldest first. What began
 * just now is the traffic that comes and goes. */
#define GUESSED_AGE "COALESCE(TIMESTAMPDIFF(SECOND, x.trx_started, SYSDATE()), p.TIME)"
static const char by_guess_sql[] =
    "SELECT p.ID, p.USER, p.HOST, p.COMMAND, " GUESSED_AGE ", p.STATE, LEFT(p.INFO, 400), NULL FROM "
    "information_schema.PROCESSLIST p LEFT JOIN information_schema.INNODB_TRX x ON x.trx_mysql_thread_id = "
    "p.ID WHERE (x.trx_id IS NOT NULL OR p.COMMAND IN ('Query', 'Execute')) AND COALESCE(p.STATE, '') <> "
    "'Waiting for table metadata lock' AND p.TIME >= $4 ORDER BY LOCATE($2, COALESCE(p.INFO, '')) > 0 "
    "AND " GUESSED_AGE " >= 1 DESC, COALESCE(x.trx_started, SYSDATE()) LIMIT 20";

static Err *first_other(Attempt *a, const char *sql, int min_seconds, const char *what, const char **ret_who)
{
    const char *params[] = {a->spec->schema, a->spec->source, a->spec->shadow,
                            arena_printf(a->arena, "%d", min_seconds)};
    Rows rows = {0};
    TRY(try_query(a, sql, ARRAY_LEN(params), params, &rows));
    for (size_t row = 0; *ret_who == NULL && row < rows.row_count; row++)
        if (!swap_is_ours(a, rows_int(&rows, row, CELL_ID)))
            *ret_who = session_text(a->arena, &rows, row, what);
    return NULL;
}

Err *swap_holder(Attempt *a, int min_seconds, bool guess, const char **ret_who)
{
    *ret_who = NULL;
    TRY(first_other(a, by_schema_sql, min_seconds, NULL, ret_who));
    if (*ret_who == NULL && flavor_is_mariadb(my_flavor(a->control)))
        TRY(first_other(a, by_plugin_sql, min_seconds, NULL, ret_who));
    return *ret_who == NULL && guess ? first_other(a, by_guess_sql, min_seconds, "perhaps", ret_who) : NULL;
}

Err *swap_session_text(Attempt *a, int64_t id, const char *what, const char **ret_text)
{
    const char *params[] = {arena_printf(a->arena, "%lld", (long long)id)};
    Rows rows = {0};
    *ret_text = arena_printf(a->arena, "pid %lld, %s", (long long)id, what);
    TRY(try_query(a,
                  "SELECT ID, USER, HOST, COMMAND, TIME, STATE, LEFT(INFO, 400), NULL FROM "
                  "information_schema.PROCESSLIST WHERE ID = $1",
                  1, params, &rows));
    if (rows.row_count > 0)
        *ret_text = session_text(a->arena, &rows, 0, what);
    return NULL;
}
