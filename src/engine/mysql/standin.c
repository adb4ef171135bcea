/* A definition from SHOW CREATE TABLE alone. */
#include "engine/mysql/standin.h"

#include "engine/mysql/quote.h"

#include <string.h>

enum { ER_NO_SUCH_TABLE = 1146 };

Err *my_definition(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                   const char **ret_text)
{
    Rows rows = {0};
    *ret_text = NULL;
    Err *err = conn_query(conn, wait, arena, &rows,
                          arena_printf(arena, "SHOW CREATE TABLE %s", my_name(arena, schema, name)));
    if (err != NULL && err->server_errno == ER_NO_SUCH_TABLE) {
        err_free(err);
        return NULL;
    }
    TRY(err);
    char *text = arena_dup(arena, rows_cell(&rows, 0, 1));
    char *at = strstr(text, " AUTO_INCREMENT=");
    if (at != NULL) {
        const char *end = at + strlen(" AUTO_INCREMENT=");
        end += strspn(end, "0123456789");
        memmove(at, end, strlen(end) + 1);
    }
    *ret_text = text;
    return NULL;
}
