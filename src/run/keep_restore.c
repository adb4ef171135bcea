/* A dropped column comes back: made again by a change, filled from the file in short transactions under live
 * writers, then made as strict as it was. */
#include "run/keep_file.h"
#include "run/keep_sql.h"

#include "base/failpoint.h"

#include <string.h>
#include <time.h>

enum { BATCH_ROWS = 200, KEYS_MAX = 32, TRIES_MAX = 200, REST_SHARE = 4 };

typedef struct Restore {
    const RunOptions *options;
    Runner *runner;
    Arena *arena;
    const Subject *subject;
    KeepReader *reader;
    const json_t *header;
    KeepTable table;
    const char *update_sql, *look_sql;
    int64_t filled, gone, kept, nulls;
} Restore;

static const char *in_header(const Restore *restore, const char *key)
{
    return json_string_value(json_object_get(restore->header, key));
}

static Err *fits(const Restore *restore, const char *file)
{
    const Subject *subject = restore->subject;
    bool same = str_eq(in_header(restore, "table"), subject->table) &&
                str_eq(in_header(restore, "column"), subject->name) && in_header(restore, "type") != NULL;
    return same ? NULL
                : err_new(ERR_USAGE, "\"%s\" holds %s.%s, not %s", file,
                          in_header(restore, "table") == NULL ? "?" : in_header(restore, "table"),
                          in_header(restore, "column") == NULL ? "?" : in_header(restore, "column"),
                          subject->of);
}

/* ---- the column ----------------------------------------------------------------------------- */

static Err *apply(const Restore *restore, const char *sql, const char *step, int times)
{
    Arena *arena = restore->arena;
    Change change;
    RunSummary summary = {0};
    const char *name =
        arena_printf(arena, "restore-%s-%s-%d", retire_slug(arena, restore->subject), step, times);
    TRY(retire_change(arena, restore->subject->server, sql, name, &change));
    TRY(run_apply(restore->options, arena, &change, NULL, NULL, &summary));
    return summary.state == STATE_READY ? run_complete(restore->options, arena, change.name, &summary) : NULL;
}

static const char *alter(const Restore *restore, const char *action)
{
    const Subject *subject = restore->subject;
    Arena *arena = restore->arena;
    return arena_printf(arena, "ALTER TABLE %s %s",
                        subject->mysql ? sql_backtick(arena, subject->table)
                                       : sql_name(arena, subject->schema, subject->table),
                        action);
}

/* Without its default, so that what is not filled can be told; new rows get it right after. */
static Err *add_column(Restore *restore, int times)
{
    Arena *arena = restore->arena;
    const char *collation = in_header(restore, "collation"), *standard = in_header(restore, "default");
    const char *collate = collation == NULL ? "" : arena_printf(arena, " COLLATE %s", collation);
    const char *column = restore->subject->mysql ? sql_backtick(arena, restore->subject->name)
                                                 : sql_ident(arena, restore->subject->name);
    if (restore->subject->column == NULL)
        TRY(apply(restore,
                  alter(restore, arena_printf(arena, "ADD COLUMN %s %s%s", column, in_header(restore, "type"),
                                              collate)),
                  "add", times));
    TRY(failpoint_at("restore_added"));
    if (standard == NULL || str_eq(standard, "NULL"))
        return NULL;
    return apply(restore,
                 alter(restore, arena_printf(arena, "ALTER COLUMN %s SET DEFAULT %s", column, standard)),
                 "default", times);
}

static Err *make_strict(const Restore *restore, int times)
{
    Arena *arena = restore->arena;
    Wait wait = runner_wait(restore->runner);
    Rows rows = {0};
    if (!json_is_true(json_object_get(restore->header, "not_null")) || restore->subject->mysql)
        return NULL;
    TRY(conn_query(restore->runner->conn, &wait, arena, &rows,
                   arena_printf(arena, "SELECT 1 FROM %s WHERE %s IS NULL LIMIT 1", restore->table.name,
                                restore->table.column)));
    if (rows.row_count > 0)
        return NULL;
    return apply(restore,
                 alter(restore, arena_printf(arena, "ALTER COLUMN %s SET NOT NULL", restore->table.column)),
                 "strict", times);
}

/* ---- its values ----------------------------------------------------------------------------- */

static void write_statements(Restore *restore)
{
    Arena *arena = restore->arena;
    const KeepTable *table = &restore->table;
    const char *where = keep_where(arena, table, 2);
    restore->update_sql =
        arena_printf(arena, "UPDATE %s SET %s = %s WHERE %s AND %s IS NULL", table->name, table->column,
                     keep_value(arena, table, -1, in_header(restore, "type"), 1), where, table->column);
    restore->look_sql =
        arena_printf(arena, "SELECT 1 FROM %s WHERE %s", table->name, keep_where(arena, table, 1));
}

/* cells: keys, value */
static Err *fill_row(Restore *restore, Arena *arena, const char *const *cells, int64_t *ret_filled,
                     int64_t *ret_gone)
{
    Runner *runner = restore->runner;
    size_t keys = restore->table.key_count;
    const char *params[KEYS_MAX + 1];
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    params[0] = cells[keys];
    for (size_t i = 0; i < keys; i++)
        params[i + 1] = cells[i];
    TRY(runner->ops->query(runner->conn, &wait, arena, restore->update_sql, keys + 1, params, &rows));
    *ret_filled += rows.affected > 0;
    if (rows.affected > 0)
        return NULL;
    TRY(runner->ops->query(runner->conn, &wait, arena, restore->look_sql, keys, params + 1, &rows));
    *ret_gone += rows.row_count == 0;
    return NULL;
}

static Err *fill_in_tx(Restore *restore, Arena *arena, const char *const *cells, size_t count,
                       int64_t *ret_filled, int64_t *ret_gone)
{
    size_t width = restore->table.key_count + 1;
    *ret_filled = *ret_gone = 0;
    for (size_t i = 0; i < count; i++)
        TRY(fill_row(restore, arena, &cells[i * width], ret_filled, ret_gone));
    return failpoint_at("restore_before_commit");
}

static Err *fill_once(Restore *restore, const char *const *cells, size_t count)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Runner *runner = restore->runner;
    Wait wait = runner_wait(runner);
    int64_t filled = 0, gone = 0;
    TRY(runner->ops->begin(runner->conn, &wait, &(TxSettings){.lock_timeout_ms = 200, .async_commit = true}));
    Err *err = fill_in_tx(restore, arena, cells, count, &filled, &gone);
    if (err == NULL)
        err = runner->ops->commit(runner->conn, &wait);
    if (err != NULL) {
        runner->ops->rollback(runner->conn);
        return err;
    }
    restore->filled += filled;
    restore->gone += gone;
    restore->kept += (int64_t)count - filled - gone;
    return NULL;
}

/* A row that somebody holds is waited for without holding others for long. */
static Err *fill_batch(Restore *restore, const char *const *cells, size_t count)
{
    const Stop *stop = restore->options->stop;
    int64_t from = clock_ms();
    for (int tries = 0; count > 0; tries++) {
        Err *err = fill_once(restore, cells, count);
        bool busy = err_is(err, ERR_LOCK_TIMEOUT) || err_is(err, ERR_DEADLOCK) || err_is(err, ERR_SERIALIZE);
        if (!busy || tries >= TRIES_MAX) {
            TRY(err);
            break;
        }
        err_free(err);
        TRY(stop_check(stop));
        stop_sleep(stop, 50);
    }
    stop_sleep(stop, (clock_ms() - from) / REST_SHARE);
    return stop_check(stop);
}

static Err *fill_all(Restore *restore)
{
    size_t width = restore->table.key_count + 1;
    for (bool done = false; !done;) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        const char **cells = arena_alloc(arena, BATCH_ROWS * width * sizeof *cells);
        size_t count = 0;
        while (count < BATCH_ROWS && !done) {
            TRY(keep_reader_next(restore->reader, arena, &cells[count * width], width, &done));
            bool is_null = !done && cells[count * width + width - 1] == NULL;
            restore->nulls += is_null;
            count += !done && !is_null;
        }
        TRY(fill_batch(restore, cells, count));
    }
    return NULL;
}

static bool same_keys(const Restore *restore)
{
    const json_t *keys = json_object_get(restore->header, "key");
    bool same = json_array_size(keys) == restore->table.key_count && restore->table.key_count <= KEYS_MAX;
    for (size_t i = 0; same && i < restore->table.key_count; i++)
        same = str_eq(json_string_value(json_array_get(keys, i)), restore->table.keys[i]);
    return same;
}

static Err *restore_all(Restore *restore, const char *file, int times)
{
    TRY(fits(restore, file));
    TRY(keep_table(restore->arena, restore->subject, &restore->table));
    if (!same_keys(restore))
        return err_hint(
            err_new(ERR_USAGE, "the key of \"%s\" is not the one of \"%s\"", restore->subject->table, file),
            "load the file into a table of its own, and fill the column by hand");
    TRY(add_column(restore, times));
    write_statements(restore);
    TRY(fill_all(restore));
    return make_strict(restore, times);
}

Err *keep_restore(const RunOptions *options, Runner *runner, Arena *arena, const Subject *subject, int times,
                  const char *file, json_t **ret_figures)
{
    Restore restore = {.options = options, .runner = runner, .arena = arena, .subject = subject};
    TRY(keep_reader_open(file, &restore.reader));
    restore.header = keep_reader_header(restore.reader);
    Err *err = restore_all(&restore, file, times);
    if (err == NULL)
        *ret_figures =
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "file", file, "rows",
                      (json_int_t)keep_reader_rows(restore.reader), "filled", (json_int_t)restore.filled,
                      "gone", (json_int_t)restore.gone, "written_meanwhile", (json_int_t)restore.kept, "null",
                      (json_int_t)restore.nulls);
    keep_reader_free(restore.reader);
    return err;
}
