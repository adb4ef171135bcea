/* A column's comment is a part of its definition here, so all of it is said again: as it stands, and only
 * while nobody else can change it. */
#include "engine/mysql/comment.h"

#include "base/failpoint.h"
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/definition.h"
#include "engine/mysql/flavor.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/session.h"

#include <string.h>

Err *my_column_comment(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                       const char *column, bool *ret_there, const char **ret_comment)
{
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT column_comment FROM information_schema.columns WHERE table_schema = $1 AND "
                    "table_name = $2 AND column_name = $3",
                    schema, table, column));
    const char *comment = rows.row_count > 0 ? rows_cell(&rows, 0, 0) : NULL;
    *ret_there = rows.row_count > 0;
    *ret_comment = comment == NULL || comment[0] == '\0' ? NULL : comment;
    return NULL;
}

/* A column of MariaDB's type JSON is shown as a text with a CHECK, and to say that again is another type to
 * the server (seen on 10.11 and 11.8): it has to be told JSON. */
static const char *type_as_told(Arena *arena, const char *line)
{
    static const char shown[] = " longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
    size_t name_len = definition_quoted(line);
    const char *type = line + name_len,
               *check = arena_printf(arena, " CHECK (json_valid(%.*s))", (int)name_len, line);
    const char *at = strstr(line, check);
    if (!str_starts(type, shown) || at == NULL || at[strlen(check)] != '\0')
        return line;
    return arena_printf(arena, "%.*s JSON%s", (int)name_len, line, type + strlen(shown));
}

/* The grammar of MariaDB has a column's CHECK behind all else; other words may stand in any order. */
char *comment_in_line(Arena *arena, const char *line, const char *literal)
{
    static const char word[] = " COMMENT '", check[] = " CHECK (";
    line = type_as_told(arena, line);
    const char *from = line + strlen(line), *to = from;
    for (const char *at = line; *at != '\0';) {
        size_t len = definition_quoted(at);
        if (len == 0 && str_starts(at, word)) {
            from = at;
            to = at + strlen(word) - 1;
            to += definition_quoted(to);
            break;
        }
        if (len == 0 && str_starts(at, check) && *from == '\0')
            from = to = at;
        at += len == 0 ? 1 : len;
    }
    return arena_printf(arena, "%.*s COMMENT %s%s", (int)(from - line), line, literal, to);
}

Err *my_set_column_comment(Conn *conn, const Target *target, const Wait *wait, Arena *arena,
                           const CommentRequest *request, AlterResult *ret_result)
{
    Rows rows = {0};
    const char *name = my_name(arena, request->schema, request->table);
    bool instant = flavor_can(my_flavor(conn), FACT_INSTANT_ADD_LAST);
    *ret_result = (AlterResult){0};
    TRY(conn_query(conn, wait, arena, &rows, arena_printf(arena, "SHOW CREATE TABLE %s", name)));
    const char *create_sql = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 1);
    const char *line = create_sql == NULL ? NULL : definition_column_line(arena, create_sql, request->column);
    if (line == NULL)
        return err_new(ERR_SQL, "SHOW CREATE TABLE does not show column \"%s\"", request->column);
    AlterRequest alter = {
        .sql = arena_printf(arena, COMMENT_MARK "ALTER TABLE %s MODIFY COLUMN %s, %s", name,
                            comment_in_line(arena, line, my_literal(conn, arena, request->comment)),
                            instant ? "ALGORITHM=INSTANT" : "ALGORITHM=INPLACE, LOCK=NONE"),
        .schema = request->schema,
        .table = request->table,
        .stall_ms = request->stall_ms,
        .work_ms = instant ? 0 : request->stall_ms,
        .while_sql = definition_plain(arena, create_sql),
        .gentle = true};
    TRY(failpoint_at("comment_before"));
    return my_alter(conn, target, wait, &alter, ret_result);
}
