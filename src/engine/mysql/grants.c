/* What this account may do, as SHOW GRANTS says it. */
#include "engine/mysql/server.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

Err *my_grants(Conn *conn, const Wait *wait, Arena *arena, Grants *ret_grants)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, "SHOW GRANTS"));
    const char **lines = arena_alloc(arena, (rows.row_count + 1) * sizeof *lines);
    for (size_t i = 0; i < rows.row_count; i++)
        lines[i] = rows_cell(&rows, i, 0) == NULL ? "" : rows_cell(&rows, i, 0);
    *ret_grants = (Grants){.lines = lines, .count = rows.row_count};
    return NULL;
}

/* LIKE of a grant's database: % and _, and backslashes before those that mean themselves. */
static bool matches(const char *pattern, size_t len, const char *name)
{
    for (; len > 0; pattern++, len--) {
        if (*pattern == '%') {
            for (const char *rest = name;; rest++) {
                if (matches(pattern + 1, len - 1, rest))
                    return true;
                if (*rest == '\0')
                    return false;
            }
        }
        bool any = *pattern == '_';
        if (*pattern == '\\' && len > 1) {
            pattern++;
            len--;
        }
        if (*name == '\0' || (!any && *pattern != *name))
            return false;
        name++;
    }
    return *name == '\0';
}

/* "*.*", "`shop`.*", "`shop%`.*"; what is granted on single tables or routines does not count. */
static bool covers(const char *scope, const char *database)
{
    if (str_starts(scope, "*.*"))
        return true;
    if (database == NULL || *scope != '`')
        return false;
    const char *end = strstr(scope + 1, "`.*");
    return end != NULL && matches(scope + 1, (size_t)(end - scope - 1), database);
}

/* Between "GRANT " and " ON ", separated by commas; ALL PRIVILEGES holds all. */
static bool lists(const char *from, const char *end, const char *privilege)
{
    size_t len = strlen(privilege);
    for (const char *at = from; at < end;) {
        size_t word = strcspn(at, ",(");
        if ((size_t)(end - at) < word)
            word = (size_t)(end - at);
        if ((word == len && strncasecmp(at, privilege, len) == 0) ||
            (word >= 3 && strncasecmp(at, "ALL", 3) == 0 && (word == 3 || at[3] == ' ')))
            return true;
        at += word;
        if (at < end && *at == '(') /* columns */
            return false;
        at += strspn(at, ", ");
    }
    return false;
}

bool grants_have(const Grants *grants, const char *privilege, const char *database)
{
    for (size_t i = 0; i < grants->count; i++) {
        const char *line = grants->lines[i], *on = strstr(line, " ON ");
        if (!str_starts(line, "GRANT ") || on == NULL)
            continue;
        if (covers(on + strlen(" ON "), database) && lists(line + strlen("GRANT "), on, privilege))
            return true;
    }
    return false;
}
