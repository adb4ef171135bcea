/* Copies of databases of MySQL and MariaDB: the files of a table are taken over, so that its pages are what
 * they were. */
#include "rehearse/build_my.h"

#include "base/str.h"
#include "engine/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct CopyTable {
    const char *name, *create_sql;
    const FactTable *facts; /* NULL: rows are not copied */
    bool by_file;
} CopyTable;

typedef struct Copy {
    Build build; /* of the copy */
    const char *from;
    VEC(CopyTable) tables;
} Copy;

static const char *in(const Copy *copy, const char *database, const CopyTable *table)
{
    Arena *arena = copy->build.arena;
    return arena_printf(arena, "%s.%s", sql_backtick(arena, database), sql_backtick(arena, table->name));
}

/* Other names have another form on disk. */
static bool is_plain(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(name);
}

static const FactTable *facts_named(const Facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->table_count; i++)
        if (str_eq(facts->tables[i].name, name))
            return &facts->tables[i];
    return NULL;
}

static Err *list_tables(Copy *copy)
{
    const Build *build = &copy->build;
    Rows names = {0};
    TRY(conn_params(build->conn, &build->wait, build->arena, &names,
                    "SELECT table_name FROM information_schema.tables WHERE table_schema = $1 AND table_type "
                    "= 'BASE TABLE' ORDER BY table_name",
                    copy->from));
    for (size_t i = 0; i < names.row_count; i++) {
        CopyTable table = {.name = rows_cell(&names, i, 0)};
        Rows rows = {0};
        TRY(conn_query(build->conn, &build->wait, build->arena, &rows,
                       arena_printf(build->arena, "SHOW CREATE TABLE %s", in(copy, copy->from, &table))));
        table.create_sql = rows_cell(&rows, 0, 1);
        TRY(conn_query(build->conn, &build->wait, build->arena, &rows,
                       arena_printf(build->arena, "SELECT 1 FROM %s LIMIT 1", in(copy, copy->from, &table))));
        table.facts = rows.row_count > 0 ? facts_named(build->stage->wish.facts, table.name) : NULL;
        table.by_file = table.facts != NULL && build->stage->server != NULL && is_plain(table.name) &&
                        is_plain(build->database) && strstr(table.create_sql, "FULLTEXT KEY") == NULL &&
                        strstr(table.create_sql, "SPATIAL KEY") == NULL &&
                        strstr(table.create_sql, ") ENGINE=InnoDB") != NULL;
        *vec_push(build->arena, &copy->tables) = table;
    }
    return NULL;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static Err *rows_copy(const Copy *copy, const CopyTable *table)
{
    CLEANUP(str_donep) Str columns = STR_INIT;
    for (size_t i = 0; i < table->facts->column_count; i++)
        if (!table->facts->columns[i].generated)
            str_addf(&columns, "%s%s", columns.len > 0 ? ", " : "",
                     sql_backtick(copy->build.arena, table->facts->columns[i].name));
    return build_run(&copy->build, arena_printf(copy->build.arena, "INSERT INTO %s (%s) SELECT %s FROM %s",
                                                in(copy, copy->build.database, table), columns.buf,
                                                columns.buf, in(copy, copy->from, table)));
}

/* With the owner and rights of the first one. */
static bool file_copy(const char *from, const char *to)
{
    struct stat info;
    int in_fd = open(from, O_RDONLY | O_CLOEXEC);
    if (in_fd < 0)
        return false;
    int out_fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = out_fd >= 0 && fstat(in_fd, &info) == 0 && fchmod(out_fd, info.st_mode & 0777) == 0 &&
              (geteuid() != 0 || fchown(out_fd, info.st_uid, info.st_gid) == 0);
    static _Thread_local char bytes[1 << 20];
    ssize_t got = 0;
    while (ok && (got = read(in_fd, bytes, sizeof bytes)) > 0)
        ok = write(out_fd, bytes, (size_t)got) == got;
    ok = ok && got == 0;
    (void)close(in_fd);
    if (out_fd >= 0)
        ok = close(out_fd) == 0 && ok;
    return ok;
}

static Err *files_copy(const Copy *copy, const CopyTable *table)
{
    static const char *const endings[] = {"ibd", "cfg"};
    Arena *arena = copy->build.arena;
    const char *data = arena_printf(arena, "%s/data", server_dir(copy->build.stage->server));
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        const char *from = arena_printf(arena, "%s/%s/%s.%s", data, copy->from, table->name, endings[i]);
        const char *to =
            arena_printf(arena, "%s/%s/%s.%s", data, copy->build.database, table->name, endings[i]);
        if (!file_copy(from, to))
            return err_new(ERR_IO, "cannot copy \"%s\": %s", from, strerror(errno));
    }
    return NULL;
}

/* The server has written all of them, and writes nothing more, while another session holds them. */
static Err *export_files(const Copy *copy)
{
    CLEANUP(conn_closep) Conn *conn = NULL;
    CLEANUP(str_donep) Str names = STR_INIT;
    const Build *build = &copy->build;
    for (size_t i = 0; i < copy->tables.len; i++)
        if (copy->tables.items[i].by_file)
            str_addf(&names, "%s%s", names.len > 0 ? ", " : "", in(copy, copy->from, &copy->tables.items[i]));
    if (names.len == 0)
        return NULL;
    TRY(stage_connect(build->stage, copy->from, &conn));
    TRY(conn_exec(conn, &build->wait, arena_printf(build->arena, "FLUSH TABLES %s FOR EXPORT", names.buf)));
    for (size_t i = 0; i < copy->tables.len; i++)
        if (copy->tables.items[i].by_file)
            TRY(files_copy(copy, &copy->tables.items[i]));
    return conn_exec(conn, &build->wait, "UNLOCK TABLES");
}

static Err *alter_tablespaces(const Copy *copy, const char *action)
{
    for (size_t i = 0; i < copy->tables.len; i++) {
        const CopyTable *table = &copy->tables.items[i];
        if (table->by_file)
            TRY(build_run(&copy->build, arena_printf(copy->build.arena, "ALTER TABLE %s %s TABLESPACE",
                                                     in(copy, copy->build.database, table), action)));
    }
    return NULL;
}

static Err *copy_all(Copy *copy)
{
    const Build *build = &copy->build;
    Rows rows = {0};
    TRY(build_run(build, build->stage->engine->begin_sql));
    TRY(list_tables(copy));
    for (size_t i = 0; i < copy->tables.len; i++)
        TRY(build_run(build, copy->tables.items[i].create_sql));
    TRY(alter_tablespaces(copy, "DISCARD"));
    TRY(export_files(copy));
    TRY(alter_tablespaces(copy, "IMPORT"));
    for (size_t i = 0; i < copy->tables.len; i++) {
        const CopyTable *table = &copy->tables.items[i];
        if (table->facts != NULL && !table->by_file)
            TRY(rows_copy(copy, table));
        if (table->facts != NULL)
            TRY(conn_query(build->conn, &build->wait, build->arena, &rows,
                           arena_printf(build->arena, "ANALYZE TABLE %s", in(copy, build->database, table))));
    }
    return build_parts(build, COPY_AROUND, COPY_AROUND);
}

Err *build_copy_my(Stage *stage, const char *name, const char *from)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(conn_closep) Conn *conn = NULL;
    TRY(stage_create(stage, name));
    TRY(stage_connect(stage, name, &conn));
    Copy copy = {.from = from,
                 .build = {.stage = stage,
                           .database = name,
                           .conn = conn,
                           .wait = {.stop = stage->wish.stop},
                           .arena = arena}};
    return copy_all(&copy);
}
