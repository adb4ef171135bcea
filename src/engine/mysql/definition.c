/* The server's own definition of a table or view, without what changes by itself. */
#include "engine/mysql/definition.h"

#include "base/str.h"
#include "engine/contract_mark.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/scratch.h"

#include <string.h>

enum { NO_SUCH_TABLE = 1146, BAD_DATABASE = 1049 };

/* The options stand in the one line that begins with a parenthesis; the counter comes before any comment. */
char *definition_plain(Arena *arena, const char *create_sql)
{
    static const char counter[] = " AUTO_INCREMENT=";
    const char *options = strstr(create_sql, "\n)");
    const char *at = options == NULL ? NULL : strstr(options, counter);
    const char *comment = options == NULL ? NULL : strstr(options, " COMMENT='");
    if (at == NULL || (comment != NULL && comment < at))
        return arena_dup(arena, create_sql);
    const char *behind = at + strlen(counter);
    behind += strspn(behind, "0123456789");
    return arena_printf(arena, "%.*s%s", (int)(at - create_sql), create_sql, behind);
}

size_t definition_quoted(const char *at)
{
    if (*at != '\'' && *at != '`')
        return 0;
    const char *end = at + 1;
    while (*end != '\0' && (*end != *at || end[1] == *at)) {
        bool pair = *end == *at || (*end == '\\' && *at == '\'' && end[1] != '\0');
        end += pair ? 2 : 1;
    }
    return (size_t)(end - at) + (*end != '\0');
}

/* Of " CHARACTER SET x" before " COLLATE x_…", which says it again: MySQL 8 and later show it where the
 * column was made with a COLLATE of its own, which a copy made from the text always is (seen on 9.7). 0
 * elsewhere. */
static size_t needless(const char *at)
{
    static const char word[] = " CHARACTER SET ", next[] = " COLLATE ";
    if (!str_starts(at, word))
        return 0;
    size_t len = strlen(word) + strcspn(at + strlen(word), " ,\n");
    return str_starts(at + len, next) ? len : 0;
}

char *definition_any_definer(Arena *arena, const char *create_sql)
{
    static const char word[] = " DEFINER=";
    const char *at = strstr(create_sql, word), *name = strchr(create_sql, '`');
    if (!str_starts(create_sql, "CREATE ALGORITHM=") || at == NULL || name == NULL || name < at)
        return arena_dup(arena, create_sql);
    const char *behind = at + strlen(word);
    behind += definition_quoted(behind);
    behind += *behind == '@';
    behind += definition_quoted(behind);
    return arena_printf(arena, "%.*s%s", (int)(at - create_sql), create_sql, behind);
}

/* Of " COMMENT 'text [stoa: …]'" the text alone goes to `out`, and nothing where that is all; returns how
 * long it is, 0 elsewhere. */
static size_t without_contract(Str *out, const char *at)
{
    static const char word[] = " COMMENT '";
    if (!str_starts(at, word))
        return 0;
    const char *text = at + strlen(word);
    size_t len = definition_quoted(text - 1), text_len = len < 2 ? 0 : len - 2;
    size_t kept = contract_mark_at(text, text_len);
    if (kept == text_len)
        return 0;
    if (kept > 0)
        str_addf(out, "%s%.*s'", word, (int)kept, text);
    return strlen(word) - 1 + len;
}

char *definition_without_contracts(Arena *arena, const char *create_sql)
{
    CLEANUP(str_donep) Str str = STR_INIT;
    for (const char *at = create_sql; *at != '\0';) {
        size_t len = without_contract(&str, at);
        at += len;
        if (len > 0)
            continue;
        len = definition_quoted(at);
        len = len == 0 ? 1 : len;
        str_addn(&str, at, len);
        at += len;
    }
    return arena_dup(arena, str.buf);
}

const char *definition_column_line(Arena *arena, const char *create_sql, const char *column)
{
    const char *mark = arena_printf(arena, "\n  %s ", my_ident(arena, column)),
               *at = strstr(create_sql, mark);
    if (at == NULL)
        return NULL;
    at += strlen("\n  ");
    size_t len = strcspn(at, "\n");
    return arena_dupn(arena, at, len > 0 && at[len - 1] == ',' ? len - 1 : len);
}

char *definition_canonical(Arena *arena, const char *create_sql)
{
    CLEANUP(str_donep) Str str = STR_INIT;
    const char *plain = definition_any_definer(arena, definition_plain(arena, create_sql));
    for (const char *at = definition_without_contracts(arena, plain); *at != '\0';) {
        at += needless(at);
        size_t len = definition_quoted(at);
        len = len == 0 ? 1 : len;
        str_addn(&str, at, len);
        at += len;
    }
    return arena_dup(arena, str.buf);
}

Err *my_definition(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                   const char **ret_text)
{
    Rows rows = {0};
    Scratch scratch = {0};
    TRY(scratch_load(conn, wait, arena, &scratch));
    const char *sql =
        arena_printf(arena, "SHOW CREATE TABLE %s", my_name(arena, scratch_of(&scratch, schema), name));
    Err *err = conn_query(conn, wait, arena, &rows, sql);
    if (err != NULL && (err->server_errno == NO_SUCH_TABLE || err->server_errno == BAD_DATABASE)) {
        err_free(err);
        *ret_text = NULL;
        return NULL;
    }
    TRY(err);
    if (rows.row_count == 0 || rows_cell(&rows, 0, 1) == NULL)
        return err_new(ERR_SQL, "the server shows no definition of \"%s\"", name);
    *ret_text = scratch_real(arena, &scratch, definition_canonical(arena, rows_cell(&rows, 0, 1)));
    return NULL;
}
