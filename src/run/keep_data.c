/* The values of a column into a file, in one snapshot, page by page; and a second look, before they are gone.
 */
#include "run/keep_file.h"
#include "run/keep_sql.h"

#include "base/failpoint.h"

#include <string.h>

enum { PAGE_ROWS = 2000, KEYS_MAX = 32 };

/* ---- a snapshot ----------------------------------------------------------------------------- */

/* A session of its own, so that nothing else is done in its transaction. */
static Err *open_snapshot(Runner *runner, Conn **ret_conn)
{
    Wait wait = runner_wait(runner);
    TRY(runner->ops->connect(&runner->options->target, "keep", &wait, ret_conn));
    return runner->ops->begin(*ret_conn, &wait, &(TxSettings){.read_only = true, .snapshot = true});
}

/* One page behind the key of `last` (NULL: from the beginning), up to that of `upto` (NULL: `limit` rows). */
static Err *read_page(Runner *runner, Conn *conn, Arena *arena, const KeepTable *table,
                      const char *const *last, const char *const *upto, int limit, Rows *ret_rows)
{
    const char *params[2 * KEYS_MAX];
    size_t count = 0;
    Wait wait = runner_wait(runner);
    for (size_t i = 0; last != NULL && i < table->key_count; i++)
        params[count++] = last[i];
    for (size_t i = 0; upto != NULL && i < table->key_count; i++)
        params[count++] = upto[i];
    return runner->ops->query(conn, &wait, arena, keep_page(arena, table, last != NULL, upto != NULL, limit),
                              count, params, ret_rows);
}

/* The key of one row, to live on. */
static void remember(Arena *arena, const char *const *cells, size_t count, const char **ret_key)
{
    for (size_t i = 0; i < count; i++)
        ret_key[i] = arena_dup(arena, cells[i]);
}

/* ---- saved ---------------------------------------------------------------------------------- */

static json_t *header_of(const KeepTable *table)
{
    const Subject *subject = table->subject;
    const Column *column = subject->column;
    json_t *key = json_array();
    for (size_t i = 0; i < table->key_count; i++)
        json_array_append_new(key, json_string(table->keys[i]));
    char now[CLOCK_TEXT_BYTES];
    clock_wall_text(now);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:b, s:o, s:s, s:s}", "engine",
                     subject->server->engine, "schema", subject->schema, "table", subject->table, "column",
                     subject->name, "type", column->type, "default", column->default_sql, "collation",
                     column->collation, "not_null", column->not_null, "key", key, "server",
                     subject->server->version, "saved_at", now);
}

static Err *save_rows(Runner *runner, Conn *conn, const KeepTable *table, KeepWriter *writer)
{
    CLEANUP(arena_freep) Arena *keys = arena_new();
    const char *last[KEYS_MAX];
    bool begun = false;
    for (;;) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        Rows rows = {0};
        TRY(stop_check(runner->options->stop));
        TRY(read_page(runner, conn, arena, table, begun ? last : NULL, NULL, PAGE_ROWS, &rows));
        for (size_t i = 0; i < rows.row_count; i++)
            TRY(keep_writer_add(writer, &rows.cells[i * rows.col_count], rows.col_count));
        if (rows.row_count < PAGE_ROWS)
            return NULL;
        arena_clear(keys);
        remember(keys, &rows.cells[(rows.row_count - 1) * rows.col_count], table->key_count, last);
        begun = true;
    }
}

/* As many rows as the server counts in the same snapshot. */
static Err *check_count(Runner *runner, Conn *conn, Arena *arena, const KeepTable *table, int64_t rows)
{
    Wait wait = runner_wait(runner);
    Rows counted = {0};
    TRY(conn_query(conn, &wait, arena, &counted,
                   arena_printf(arena, "SELECT count(*) FROM %s", table->name)));
    return rows_int(&counted, 0, 0) == rows ? NULL
                                            : err_new(ERR_VERIFY, "%lld rows were read of %lld",
                                                      (long long)rows, (long long)rows_int(&counted, 0, 0));
}

static Err *save_in(Runner *runner, Conn *conn, Arena *arena, const KeepTable *table, const char *file,
                    int64_t *ret_rows)
{
    KeepWriter *writer = NULL;
    json_t *header = header_of(table);
    Err *err = keep_writer_open(file, header, &writer);
    json_decref(header);
    TRY(err);
    err = save_rows(runner, conn, table, writer);
    *ret_rows = keep_writer_rows(writer);
    if (err == NULL)
        err = check_count(runner, conn, arena, table, *ret_rows);
    if (err == NULL)
        err = failpoint_at("keep_before_done");
    if (err == NULL)
        err = keep_writer_done(writer);
    keep_writer_free(writer);
    return err;
}

Err *keep_save(Runner *runner, Arena *arena, const Subject *subject, const char *file, json_t **ret_figures)
{
    KeepTable table;
    KeepReader *reader = NULL;
    CLEANUP(conn_closep) Conn *conn = NULL;
    int64_t rows = 0, from = clock_ms();
    TRY(keep_table(arena, subject, &table));
    if (table.key_count > KEYS_MAX)
        return err_new(ERR_UNSAFE, "the key of \"%s\" has more than %d columns", subject->table, KEYS_MAX);
    TRY(open_snapshot(runner, &conn));
    TRY(save_in(runner, conn, arena, &table, file, &rows));
    TRY(keep_reader_open(file, &reader)); /* as it will be read */
    bool whole = keep_reader_rows(reader) == rows;
    keep_reader_free(reader);
    if (!whole)
        return err_new(ERR_VERIFY, "\"%s\" does not hold what was written", file);
    *ret_figures = json_pack("{s:s, s:I, s:I}", "file", file, "rows", (json_int_t)rows, "ms",
                             (json_int_t)(clock_ms() - from));
    runner_tell(runner, "kept", 0, NULL,
                arena_printf(arena, "%lld rows of %s are in %s", (long long)rows, subject->of, file));
    return NULL;
}

/* ---- looked at again ------------------------------------------------------------------------ */

typedef struct Again {
    Runner *runner;
    Conn *conn;
    const KeepTable *table;
    const char *absent; /* the value of a row that leaves it out; NULL: NULL */
    int64_t changed, written;
} Again;

static bool same_key(const char *const *a, const char *const *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!str_eq(a[i], b[i]))
            return false;
    return true;
}

/* Both are in the order of the key: rows that are gone are passed by, and new ones stand between. */
static void compare(Again *again, const char *const *kept, size_t kept_count, const Rows *now)
{
    size_t keys = again->table->key_count, width = keys + 1, at = 0;
    for (size_t row = 0; row < now->row_count; row++) {
        const char *const *cells = &now->cells[row * width];
        size_t found = at;
        while (found < kept_count && !same_key(&kept[found * width], cells, keys))
            found++;
        if (found < kept_count) {
            again->changed += !str_eq(kept[found * width + keys], cells[keys]);
            at = found + 1;
        } else {
            again->written += cells[keys] != NULL && !str_eq(cells[keys], again->absent);
        }
    }
}

static Err *compare_page(Again *again, KeepReader *reader, Arena *keys, const char **last, bool *io_begun,
                         bool *ret_done)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    size_t width = again->table->key_count + 1, count = 0;
    const char **kept = arena_alloc(arena, PAGE_ROWS * width * sizeof *kept);
    Rows rows = {0};
    while (count < PAGE_ROWS && !*ret_done) {
        TRY(keep_reader_next(reader, arena, &kept[count * width], width, ret_done));
        count += !*ret_done;
    }
    const char *const *upto = *ret_done || count == 0 ? NULL : &kept[(count - 1) * width];
    TRY(stop_check(again->runner->options->stop));
    TRY(read_page(again->runner, again->conn, arena, again->table, *io_begun ? last : NULL, upto, 0, &rows));
    compare(again, kept, count, &rows);
    if (upto == NULL)
        return NULL;
    arena_clear(keys);
    remember(keys, upto, again->table->key_count, last);
    *io_begun = true;
    return NULL;
}

/* A default that is another one each time makes every new row count as written. */
static Err *load_absent(Again *again, Arena *arena)
{
    const Column *column = again->table->subject->column;
    Wait wait = runner_wait(again->runner);
    Rows rows = {0};
    if (column->default_sql == NULL)
        return NULL;
    const char *sql =
        again->table->subject->mysql
            ? arena_printf(arena, "SELECT HEX(%s), %s", column->default_sql, column->default_sql)
            : arena_printf(arena, "SELECT (%s)::%s::text", column->default_sql, column->type);
    Err *err = conn_query(again->conn, &wait, arena, &rows, sql);
    if (err == NULL)
        again->absent =
            rows_cell(&rows, 0, again->table->subject->mysql && !str_starts(again->table->show, "HEX"));
    err_free(err);
    return NULL;
}

Err *keep_check(Runner *runner, Arena *arena, const Subject *subject, const char *file)
{
    KeepTable table;
    KeepReader *reader = NULL;
    CLEANUP(conn_closep) Conn *conn = NULL;
    CLEANUP(arena_freep) Arena *keys = arena_new();
    const char *last[KEYS_MAX];
    bool begun = false, done = false;
    TRY(keep_table(arena, subject, &table));
    TRY(open_snapshot(runner, &conn));
    Again again = {.runner = runner, .conn = conn, .table = &table};
    TRY(load_absent(&again, arena));
    TRY(keep_reader_open(file, &reader));
    Err *err = NULL;
    while (err == NULL && !done)
        err = compare_page(&again, reader, keys, last, &begun, &done);
    keep_reader_free(reader);
    TRY(err);
    if (again.changed + again.written == 0)
        return NULL;
    return err_hint(err_new(ERR_VERIFY, "%s was written while it was saved: %lld rows changed, %lld new ones",
                            subject->of, (long long)again.changed, (long long)again.written),
                    "somebody still uses it: find out who (stoa retire hides it again after --undo)");
}
