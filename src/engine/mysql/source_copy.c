/* The statements that make tables elsewhere. */
#include "engine/mysql/source.h"

#include "base/str.h"
#include "engine/mysql/definition.h"
#include "engine/mysql/quote.h"

#include <string.h>

typedef struct Copying {
    Conn *conn;
    const Wait *wait;
    Arena *arena;
    const char *database;
    VEC(CopyStatement) statements;
    VEC(const char *) tables; /* that are there */
} Copying;

static void add(Copying *copying, CopyPart part, const char *what, const char *sql, bool optional)
{
    *vec_push(copying->arena, &copying->statements) =
        (CopyStatement){.part = part, .what = what, .sql = sql, .optional = optional};
}

/* Constraints have a line each. A check comes when the rows are there, so that one that these do not hold can
 * be kept as one that says nothing; a reference to another database leads nowhere. */
static void add_table(Copying *copying, const char *table, const char *create_sql)
{
    Arena *arena = copying->arena;
    const char *name = my_ident(arena, table), *what = my_name(arena, copying->database, table);
    CLEANUP(str_donep) Str kept = STR_INIT;
    const char *text = definition_plain(arena, create_sql);
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        char *own = arena_dupn(arena, line, len);
        bool constraint = str_starts(own, "  CONSTRAINT `"), comma = len > 0 && own[len - 1] == ',';
        const char *refers = constraint ? strstr(own, " REFERENCES `") : NULL;
        const char *end = refers == NULL ? NULL : strchr(refers + strlen(" REFERENCES `"), '`');
        bool check = constraint && strstr(own, " CHECK (") != NULL && refers == NULL;
        if (check) {
            own[len - (comma ? 1 : 0)] = '\0';
            add(copying, COPY_CHECK, arena_printf(arena, "a check of %s", name),
                arena_printf(arena, "ALTER TABLE %s ADD%s", name, own + 1), false);
        } else if (end == NULL || end[1] != '.') {
            if (str_starts(own, ") ") && kept.len > 1 && strcmp(kept.buf + kept.len - 2, ",\n") == 0) {
                kept.len -= 2; /* what stood last is left out */
                str_add(&kept, "\n");
            }
            str_addf(&kept, "%.*s%s", (int)len, line, line[len] == '\n' ? "\n" : "");
        }
        line += len + (line[len] == '\n');
    }
    add(copying, COPY_TABLE, arena_printf(arena, "table %s", what), arena_dup(arena, kept.buf), false);
}

static Err *copy_table(Copying *copying, const char *schema, const char *table, const char *create_sql)
{
    Arena *arena = copying->arena;
    if (!str_eq(schema, copying->database))
        return NULL;
    for (size_t i = 0; i < copying->tables.len; i++)
        if (str_eq(copying->tables.items[i], table))
            return NULL;
    if (create_sql == NULL) {
        Rows rows = {0};
        Err *err = conn_query(copying->conn, copying->wait, arena, &rows,
                              arena_printf(arena, "SHOW CREATE TABLE %s", my_name(arena, schema, table)));
        if (err_is(err, ERR_SQL)) { /* a parent may have been dropped, checks off */
            err_free(err);
            return NULL;
        }
        TRY(err);
        create_sql = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 1);
    }
    if (create_sql == NULL)
        return NULL;
    *vec_push(arena, &copying->tables) = table;
    add_table(copying, table, create_sql);
    return NULL;
}

static Err *copy_triggers(Copying *copying, const char *table)
{
    enum { NAME, TIMING, EVENT, BODY };
    Arena *arena = copying->arena;
    Rows rows = {0};
    TRY(conn_params(copying->conn, copying->wait, arena, &rows,
                    "SELECT trigger_name, action_timing, event_manipulation, action_statement FROM "
                    "information_schema.triggers WHERE event_object_schema = $1 AND event_object_table = $2 "
                    "ORDER BY event_manipulation, action_timing, action_order",
                    copying->database, table));
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *name = my_ident(arena, rows_cell(&rows, i, NAME));
        if (str_starts(rows_cell(&rows, i, NAME),
                       "stoa_")) /* of another change, whose journal is not there */
            continue;
        add(copying, COPY_AROUND, arena_printf(arena, "trigger %s", name),
            arena_printf(arena, "CREATE TRIGGER %s %s %s ON %s FOR EACH ROW %s", name,
                         rows_cell(&rows, i, TIMING), rows_cell(&rows, i, EVENT), my_ident(arena, table),
                         rows_cell(&rows, i, BODY)),
            false);
    }
    return NULL;
}

Err *my_copy_statements(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const Table *tables,
                        size_t count, const Mention *mentions, size_t mention_count,
                        CopyStatement **ret_statements, size_t *ret_count)
{
    (void)mentions, (void)mention_count;
    Copying copying = {.conn = conn, .wait = wait, .arena = arena, .database = server->database};
    for (size_t i = 0; i < count; i++)
        if (tables[i].my != NULL &&
            (tables[i].kind == RELATION_TABLE || tables[i].kind == RELATION_PARTITIONED))
            TRY(copy_table(&copying, tables[i].schema, tables[i].name, tables[i].my->create_sql));
    for (size_t i = 0; i < count; i++) {
        const MyTable *my = tables[i].my;
        for (size_t at = 0; my != NULL && at < my->parent_count; at++)
            TRY(copy_table(&copying, my->parents[at].ref_schema, my->parents[at].ref_table, NULL));
        for (size_t at = 0; my != NULL && at < my->child_count; at++)
            TRY(copy_table(&copying, my->children[at].schema, my->children[at].table, NULL));
    }
    for (size_t i = 0; i < copying.tables.len; i++)
        TRY(copy_triggers(&copying, copying.tables.items[i]));
    *ret_statements = copying.statements.items;
    *ret_count = copying.statements.len;
    return NULL;
}
