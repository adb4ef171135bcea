/* The list of sessions by another view. */
#include "engine/mysql/sessions.h"

#include "base/str.h"

#include <string.h>

static const char name[] = "information_schema.PROCESSLIST";
static const char view[] =
    "(SELECT PROCESSLIST_ID AS ID, PROCESSLIST_USER AS USER, PROCESSLIST_HOST AS HOST, "
    "PROCESSLIST_DB AS DB, PROCESSLIST_COMMAND AS COMMAND, PROCESSLIST_TIME AS TIME, "
    "PROCESSLIST_STATE AS STATE, PROCESSLIST_INFO AS INFO FROM performance_schema.threads "
    "WHERE PROCESSLIST_ID IS NOT NULL)";

const char sessions_probe[] =
    "SELECT 1 FROM performance_schema.threads WHERE PROCESSLIST_ID = CONNECTION_ID()";

bool sessions_named(const char *sql) { return strstr(sql, name) != NULL; }

/* A derived table needs a name of its own, where the statement gives it none. */
static bool has_alias(const char *behind) { return behind[0] == ' ' && behind[1] >= 'a' && behind[1] <= 'z'; }

const char *sessions_by_threads(Arena *arena, const char *sql)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (const char *at; (at = strstr(sql, name)) != NULL;) {
        str_addn(&out, sql, (size_t)(at - sql));
        sql = at + strlen(name);
        str_addf(&out, "%s%s", view, has_alias(sql) ? "" : " AS sessions");
    }
    str_add(&out, sql);
    return arena_dup(arena, out.buf);
}
