/* What hangs on a table: triggers, views, partitions, and how often it was changed instantly. */
#include "engine/mysql/catalog.h"

#include "base/str.h"
#include "engine/mysql/quote.h"

#include <string.h>
#include <strings.h>

static Err *load_triggers(Conn *conn, const Wait *wait, Arena *arena, Table *table)
{
    enum { NAME, EVENT, TIMING };
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT trigger_name, event_manipulation, action_timing FROM information_schema.triggers "
                    "WHERE event_object_schema = $1 AND event_object_table = $2 ORDER BY trigger_name",
                    table->schema, table->name));
    table->triggers = arena_alloc(arena, (rows.row_count + 1) * sizeof *table->triggers);
    table->trigger_count = rows.row_count;
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *name = rows_cell(&rows, i, NAME), *event = rows_cell(&rows, i, EVENT);
        table->triggers[i] = (Trigger){
            .name = name,
            .function = "",
            .enabled = 'O',
            .row = true,
            .before = str_eq(rows_cell(&rows, i, TIMING), "BEFORE"),
            .on_insert = strstr(event, "INSERT") != NULL, /* MariaDB 12 may have several in one */
            .on_update = strstr(event, "UPDATE") != NULL,
            .on_delete = strstr(event, "DELETE") != NULL,
            .fires_on_backfill = strstr(event, "UPDATE") != NULL,
            .stoa = str_starts(name, "stoa_"),
        };
    }
    return NULL;
}

static void add_user(Arena *arena, MyTable *my, const char *what, const char *table, const char *text)
{
    MyUser *grown = arena_alloc(arena, (my->user_count + 1) * sizeof *grown);
    if (my->user_count > 0)
        memcpy(grown, my->users, my->user_count * sizeof *grown);
    grown[my->user_count++] = (MyUser){.what = what, .table = table, .text = text == NULL ? "" : text};
    my->users = grown;
}

/* Triggers of the database that stand on the table, or whose text has its name in it. */
static Err *load_trigger_texts(Conn *conn, const Wait *wait, Arena *arena, const Table *table, MyTable *my)
{
    enum { NAME, ON, TEXT };
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT trigger_name, event_object_table, action_statement FROM "
                    "information_schema.triggers WHERE trigger_schema = $1 AND (event_object_table = $2 OR "
                    "LOCATE($2, action_statement) > 0) ORDER BY trigger_name",
                    table->schema, table->name));
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *name = rows_cell(&rows, i, NAME), *on = rows_cell(&rows, i, ON);
        if (!str_starts(name, "stoa_"))
            add_user(arena, my, arena_printf(arena, "trigger %s of %s", name, on), on,
                     rows_cell(&rows, i, TEXT));
    }
    return NULL;
}

/* MySQL 8.0.13 lists the tables of each view; elsewhere their texts are looked through, of the same database
 * only, since each view would have to be opened. */
static Err *load_views(Conn *conn, const Wait *wait, Arena *arena, Table *table, MyTable *my)
{
    const Flavor *flavor = my_flavor(conn);
    Rows rows = {0};
    bool listed = !flavor_is_mariadb(flavor) && flavor->version >= 80013;
    const char *sql = listed ? "SELECT v.table_schema, v.table_name, v.view_definition FROM "
                               "information_schema.view_table_usage AS u JOIN information_schema.views AS v "
                               "ON v.table_schema = u.view_schema AND v.table_name = u.view_name "
                               "WHERE u.table_schema = $1 AND u.table_name = $2 AND $3 IS NOT NULL "
                               "ORDER BY 1, 2"
                             : "SELECT table_schema, table_name, view_definition FROM "
                               "information_schema.views WHERE table_schema = $1 AND $2 IS NOT NULL AND "
                               "LOCATE($3, view_definition) > 0 ORDER BY 1, 2";
    TRY(conn_params(conn, wait, arena, &rows, sql, table->schema, table->name,
                    my_name(arena, table->schema, table->name)));
    const char **views = arena_alloc(arena, (rows.row_count + 1) * sizeof *views);
    for (size_t i = 0; i < rows.row_count; i++) {
        views[i] = arena_printf(arena, "%s.%s", rows_cell(&rows, i, 0), rows_cell(&rows, i, 1));
        add_user(arena, my, arena_printf(arena, "view %s", rows_cell(&rows, i, 1)), NULL,
                 rows_cell(&rows, i, 2));
    }
    table->views = views;
    table->view_count = rows.row_count;
    return NULL;
}

static Err *load_partitions(Conn *conn, const Wait *wait, Arena *arena, Table *table, MyTable *my)
{
    enum { NAME, METHOD, EXPRESSION, BOUND, BYTES };
    Rows rows = {0};
    if (table->kind != RELATION_PARTITIONED)
        return NULL;
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT partition_name, partition_method, partition_expression, partition_description, "
                    "SUM(data_length) FROM information_schema.partitions WHERE table_schema = $1 AND "
                    "table_name = $2 AND partition_name IS NOT NULL GROUP BY 1, 2, 3, 4, "
                    "partition_ordinal_position ORDER BY partition_ordinal_position",
                    table->schema, table->name));
    table->partitions = arena_alloc(arena, (rows.row_count + 1) * sizeof *table->partitions);
    table->partition_count = rows.row_count;
    for (size_t i = 0; i < rows.row_count; i++)
        table->partitions[i] = (Partition){.schema = table->schema,
                                           .name = rows_cell(&rows, i, NAME),
                                           .parent = arena_printf(arena, "%s.%s", table->schema, table->name),
                                           .bound = rows_cell(&rows, i, BOUND),
                                           .kind = 'r',
                                           .bytes = rows_int(&rows, i, BYTES)};
    if (rows.row_count > 0) {
        const char *expression = rows_cell(&rows, 0, EXPRESSION);
        my->partition_by =
            arena_printf(arena, "%s (%s)", rows_cell(&rows, 0, METHOD), expression == NULL ? "" : expression);
        table->partition_key = my->partition_by;
    }
    return NULL;
}

/* A pattern for what a name is called in InnoDB's views: the form of file names. Letters beyond ASCII, which
 * have a table of their own there, match anything. */
static char *file_pattern(Arena *arena, const char *name)
{
    CLEANUP(str_donep) Str str = STR_INIT;
    for (const char *at = name; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        bool plain =
            (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
        if (plain)
            str_addn(&str, at, 1);
        else if (byte == '_')
            str_add(&str, "\\_");
        else if (byte < 0x80)
            str_addf(&str, "@00%02x", byte);
        else if (byte >= 0xc0) /* once a character */
            str_add(&str, "%");
    }
    return arena_dup(arena, str.buf);
}

static Err *load_row_versions(Conn *conn, const Wait *wait, Arena *arena, const Table *table, MyTable *my)
{
    const Flavor *flavor = my_flavor(conn);
    Rows rows = {0};
    if (!flavor_can(flavor, FACT_ROW_VERSIONS) || !my->innodb)
        return NULL;
    my->row_versions_most = flavor_can(flavor, FACT_ROW_VERSIONS_255) ? 255 : 64;
    const char *whole =
        arena_printf(arena, "%s/%s", file_pattern(arena, table->schema), file_pattern(arena, table->name));
    Err *err = conn_params(conn, wait, arena, &rows,
                           "SELECT MAX(total_row_versions) FROM information_schema.innodb_tables "
                           "WHERE name LIKE $1 OR name LIKE $2",
                           whole, arena_printf(arena, "%s#p#%%", whole));
    if (err_is(err, ERR_PRIVILEGE)) { /* PROCESS is missing: unknown */
        err_free(err);
        return NULL;
    }
    TRY(err);
    if (rows.row_count > 0 && rows_cell(&rows, 0, 0) != NULL)
        my->row_versions = (int)rows_int(&rows, 0, 0);
    return NULL;
}

Err *my_load_around(Conn *conn, const Wait *wait, Arena *arena, Table *table, MyTable *my)
{
    TRY(load_triggers(conn, wait, arena, table));
    TRY(load_trigger_texts(conn, wait, arena, table, my));
    TRY(load_views(conn, wait, arena, table, my));
    TRY(load_partitions(conn, wait, arena, table, my));
    return load_row_versions(conn, wait, arena, table, my);
}
