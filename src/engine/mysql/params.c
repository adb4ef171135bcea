/* Parameters put into a statement's text. */
#include "engine/mysql/params.h"

#include "engine/mysql/conn.h"

#include <stdlib.h>
#include <string.h>

/* The end of what begins at `at` and may hold a $1 that is none: quotes, comments; `at` itself elsewhere. */
static const char *skip_quoted(const char *at)
{
    if (*at == '\'' || *at == '"' || *at == '`') {
        char quote = *at++;
        while (*at != '\0' && *at != quote)
            at += *at == '\\' && quote != '`' && at[1] != '\0' ? 2 : 1;
        return *at == '\0' ? at : at + 1;
    }
    if (*at == '#' || str_starts(at, "-- "))
        return at + strcspn(at, "\n");
    if (str_starts(at, "/*")) {
        const char *end = strstr(at + 2, "*/");
        return end == NULL ? at + strlen(at) : end + 2;
    }
    return at;
}

Err *my_put_params(Conn *conn, Str *str, const char *sql, size_t count, const char *const *params)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (const char *at = sql; *at != '\0';) {
        const char *end = skip_quoted(at);
        char *number_end = NULL;
        unsigned long number = end == at && *at == '$' ? strtoul(at + 1, &number_end, 10) : 0;
        if (end != at) {
            str_addn(str, at, (size_t)(end - at));
            at = end;
        } else if (number == 0) {
            str_addn(str, at++, 1);
        } else if (number > count) {
            return err_new(ERR_BUG, "a statement asks for parameter %lu of %zu", number, count);
        } else {
            str_add(str, params[number - 1] == NULL ? "NULL" : my_literal(conn, arena, params[number - 1]));
            at = number_end;
        }
    }
    return NULL;
}
