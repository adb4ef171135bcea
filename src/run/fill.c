/* Where a backfill stands, and one transaction of it: rows and watermark move together or not at all. */
#include "run/fill.h"

#include "base/clock.h"
#include "base/failpoint.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROW_WAIT_MS = 40, /* for one busy row: then the wave is tried again, and at last leaves busy rows out */
};

/* Rows that lack all columns of the step, and that the expressions can fill. */
char *fill_unfilled_sql(Arena *arena, const EngineOps *ops, const Step *step)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    CLEANUP(str_donep) Str any = STR_INIT;
    bool all_null_legal = true;
    for (size_t i = 0; i < step->fill_count; i++) {
        const FillColumn *fill = &step->fills[i];
        str_sep(&out, " AND ");
        str_addf(&out, "%s IS NULL", ops->quote(arena, NULL, fill->column));
        str_sep(&any, " OR ");
        str_addf(&any, "(%s) IS NOT NULL", fill->expr);
        all_null_legal = all_null_legal && fill->null_legal && fill->immutable;
    }
    if (all_null_legal)
        str_addf(&out, " AND (%s)", any.buf);
    return arena_dup(arena, out.buf);
}

char *fill_set_sql(Arena *arena, const EngineOps *ops, const Table *table, const Step *step)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < step->fill_count; i++) {
        str_sep(&out, ", ");
        str_addf(&out, "%s = %s", ops->quote(arena, NULL, step->fills[i].column), step->fills[i].expr);
    }
    fills_add_self_set(&out, table, step->fills, step->fill_count);
    return arena_dup(arena, out.buf);
}

bool fill_sets_self(const Table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].self_set)
            return true;
    return false;
}

Err *fill_look_again(Fill *fill)
{
    Runner *runner = fill->runner;
    Wait wait = runner_wait(runner);
    Table now;
    const char *shape = NULL;
    int64_t hot = 0;
    TRY(runner->ops->shape(runner->conn, &wait, fill->arena, fill->table.id, &shape, &hot));
    TRY(runner_load_table(runner, fill->arena, &fill->step->table, &now)); /* later than its shape */
    fill->altered = fill->altered || !str_eq(shape, fill->shape);
    for (size_t i = 0; i < fill->table.column_count; i++) {
        Column *column = &fill->table.columns[i];
        const Column *found = table_column(&now, column->name);
        bool self_set = found != NULL && found->self_set;
        fill->altered = fill->altered || column->self_set != self_set;
        column->self_set = self_set;
    }
    fill->shape = shape;
    return NULL;
}

/* The application may have written NULL and meant it: only a row that lacks all such columns is unfilled. */
static const char *also_null(Arena *arena, const EngineOps *ops, const Step *step, const FillColumn *fill)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < step->fill_count && fill->sync.null_ok; i++)
        if (step->fills[i].sync.null_ok && &step->fills[i] != fill)
            str_addf(&out, " AND %s IS NULL", ops->quote(arena, NULL, step->fills[i].column));
    return out.len == 0 ? "" : arena_dup(arena, out.buf);
}

/* One column alone: for rows in which another column of the step was filled by somebody else. */
void fill_single_sql(Arena *arena, const EngineOps *ops, const Step *step, const FillColumn *fill,
                     const char **ret_set, const char **ret_where)
{
    const char *name = ops->quote(arena, NULL, fill->column);
    *ret_set = arena_printf(arena, "%s = %s", name, fill->expr);
    *ret_where = fill->null_legal && fill->immutable
                     ? arena_printf(arena, "%s IS NULL AND (%s) IS NOT NULL", name, fill->expr)
                     : arena_printf(arena, "%s IS NULL", name);
    *ret_where = arena_printf(arena, "%s%s", *ret_where, also_null(arena, ops, step, fill));
}

const char fill_rewritten_text[] =
    "the table was rewritten meanwhile: the backfill begins again, filled rows are skipped";

/* ---- checkpoint ----------------------------------------------------------------------------- */

void fill_replace(char **text, const char *by)
{
    char *copy = by == NULL ? NULL : mem_dup(by);
    free(*text);
    *text = copy;
}

static Err *save(Fill *fill)
{
    json_t *parked = json_array();
    for (size_t i = 0; i < fill->parked.len; i++)
        json_array_append_new(parked,
                              json_pack("[s?s?]", fill->parked.items[i].low, fill->parked.items[i].high));
    json_t *body =
        json_pack("{s:s?,s:I,s:s?,s:s?,s:i,s:i,s:b,s:I,s:I,s:I,s:I,s:I,s:s,s:o}", "end_key",
                  fill->scan.end_key, "total", (json_int_t)fill->table.row_estimate, "low", fill->low, "high",
                  fill->high, "wave", fill->wave, "waves", fill->scan.wave_count, "scanned",
                  (int)fill->scanned, "size", (json_int_t)fill->size, "rows", (json_int_t)fill->rows, "hot",
                  (json_int_t)fill->hot, "end", (json_int_t)fill->scan.end, "busy_ms",
                  (json_int_t)fill->busy_ms, "storage", fill->storage, "parked", parked);
    CLEANUP(mem_freep) char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    TRY(failpoint_at("checkpoint_before"));
    return journal_checkpoint(fill->runner->conn, &fill->runner->lease, fill->runner->change_id,
                              fill->step->ordinal, text);
}

void fill_restore(Fill *fill, const json_t *body)
{
    if (body == NULL)
        return;
    fill->rows = json_integer_value(json_object_get(body, "rows"));
    fill->hot = json_integer_value(json_object_get(body, "hot"));
    fill->busy_ms = json_integer_value(json_object_get(body, "busy_ms"));
    /* It commits with the rows; the tally of a killed process is a little behind. */
    tally_at_least(&fill->runner->tally, fill->step->ordinal, "sums", "rows", fill->rows);
    tally_at_least(&fill->runner->tally, fill->step->ordinal, "sums", "hot", fill->hot);
    if (!str_eq(json_string_value(json_object_get(body, "storage")), fill->storage)) {
        runner_event(fill->runner, "restarted", fill->step->ordinal, NULL, "%s", fill_rewritten_text);
        return;
    }
    fill_replace(&fill->low, json_string_value(json_object_get(body, "low")));
    fill_replace(&fill->high, json_string_value(json_object_get(body, "high")));
    /* Waves of another number would be other rows: then the chunk is begun again. */
    bool same = json_integer_value(json_object_get(body, "waves")) == fill->scan.wave_count;
    fill->wave = same ? (int)json_integer_value(json_object_get(body, "wave")) : 0;
    fill->scanned = json_is_true(json_object_get(body, "scanned"));
    const char *end_key = json_string_value(json_object_get(body, "end_key"));
    if (end_key != NULL)
        fill->scan.end_key = arena_dup(fill->arena, end_key);
    fill->scan.end = json_integer_value(json_object_get(body, "end"));
    int64_t size = json_integer_value(json_object_get(body, "size"));
    fill->size = size >= fill->scan.size_min && size <= fill->scan.size_max ? size : fill->size;
    size_t at = 0;
    const json_t *spot = NULL;
    json_array_foreach(json_object_get(body, "parked"), at, spot)
    {
        const char *low = json_string_value(json_array_get(spot, 0)),
                   *high = json_string_value(json_array_get(spot, 1));
        *vec_push(fill->arena, &fill->parked) =
            (Spot){.low = low == NULL ? NULL : arena_dup(fill->arena, low),
                   .high = high == NULL ? NULL : arena_dup(fill->arena, high)};
    }
}

/* ---- one transaction ------------------------------------------------------------------------ */

/* Chunk time + row wait stays under half of the deadlock timeout, so that the application is never the
 * victim. */
static TxSettings wave_settings(Fill *fill)
{
    Controls controls = control_settings(fill->runner);
    int64_t half = fill->runner->server.deadlock_timeout_ms / 2;
    int64_t most = half > 0 && half < controls.max_stall_ms ? half : controls.max_stall_ms;
    return (TxSettings){.lock_timeout_ms = most / 4 < ROW_WAIT_MS ? most / 4 + 1 : ROW_WAIT_MS,
                        .statement_timeout_ms = most,
                        .idle_timeout_ms = most,
                        .async_commit = true,
                        .narrow = true,
                        .quiet_triggers = fill->step->quiet_triggers,
                        .role = fill->step->role};
}

/* The HOT counter; and whether a trigger or a unique index stands there since the columns that are set to
 * themselves were chosen: then the wave is undone. The UPDATE's lock keeps off such triggers, so that it met
 * those that are seen now. Columns that are gone have made it fail. */
static Err *look_back(Fill *fill, const Wave *wave, int64_t *ret_hot)
{
    Runner *runner = fill->runner;
    Wait patient = journal_wait();
    if (!wave->self_set)
        return runner->ops->hot_updates(runner->conn, &patient, runner->scratch, &fill->table, ret_hot);
    const char *shape = NULL;
    TRY(runner->ops->shape(runner->conn, &patient, runner->scratch, fill->table.id, &shape, ret_hot));
    fill->altered = !str_eq(shape, fill->shape);
    return fill->altered ? err_new(ERR_SQL, "\"%s\" was altered", fill->table.name) : NULL;
}

static Err *wave_once(Fill *fill, Wave *wave, void (*advance)(Fill *fill, const void *context),
                      const void *context)
{
    Runner *runner = fill->runner;
    const EngineOps *ops = runner->ops;
    TxSettings settings = wave_settings(fill);
    /* At STOP_NOW the statement is cancelled; the transaction's own end is not interrupted. */
    Wait wait = runner_wait(runner), patient = journal_wait();
    int64_t from = clock_ms();
    TRY(ops->begin(runner->conn, &wait, &settings));
    Rows rows = {0};
    if (wave->where != NULL) {
        Wait bound = {.stop = wait.stop, .timeout_ms = settings.statement_timeout_ms};
        TRY(ops->update_rows(runner->conn, &bound, runner->scratch, &fill->scan, wave->set, wave->where,
                             wave->free_only, &wave->rows));
    } else {
        TRY(ops->query(runner->conn, &wait, runner->scratch, wave->sql, 0, NULL, &rows));
        wave->rows = rows.affected;
    }
    int64_t hot = 0;
    TRY(look_back(fill, wave, &hot));
    wave->hot = hot >= fill->hot_seen ? hot - fill->hot_seen : hot;
    fill->hot_seen = hot;
    if (settings.role != NULL)
        TRY(ops->act_as(runner->conn, &patient, NULL));
    fill->rows += wave->rows;
    fill->hot += wave->hot;
    advance(fill, context);
    fill->busy_ms += clock_ms() - from;
    TRY(save(fill));
    TRY(failpoint_at("wave_before_commit"));
    TRY(ops->commit(runner->conn, &patient));
    TRY(failpoint_at("wave_after_commit"));
    wave->ms = clock_ms() - from;
    return NULL;
}

/* `set` and `where` as the engine carries them out. */
void fill_wave_sql(const Fill *fill, const char *set, const char *where, bool free_only, Wave *wave)
{
    const EngineOps *ops = fill->runner->ops;
    Arena *arena = fill->runner->scratch;
    if (ops->update_rows != NULL) {
        wave->set = set;
        wave->where = where;
        wave->free_only = free_only;
        return;
    }
    wave->sql = free_only ? ops->update_free_rows(arena, &fill->table, set, where)
                          : arena_printf(arena, "UPDATE %s%s SET %s WHERE %s", ops->only,
                                         ops->quote(arena, fill->table.schema, fill->table.name), set, where);
}

/* State that a failed transaction must give back. */
typedef struct Keep {
    int64_t rows, hot, busy_ms;
    int wave;
    bool scanned;
    char *low, *high;
    size_t parked;
} Keep;

static Keep keep_of(const Fill *fill)
{
    return (Keep){.rows = fill->rows,
                  .hot = fill->hot,
                  .busy_ms = fill->busy_ms,
                  .wave = fill->wave,
                  .scanned = fill->scanned,
                  .low = fill->low == NULL ? NULL : mem_dup(fill->low),
                  .high = fill->high == NULL ? NULL : mem_dup(fill->high),
                  .parked = fill->parked.len};
}

static void keep_give_back(Fill *fill, const Keep *keep)
{
    fill->rows = keep->rows;
    fill->hot = keep->hot;
    fill->busy_ms = keep->busy_ms;
    fill->wave = keep->wave;
    fill->scanned = keep->scanned;
    fill->parked.len = keep->parked;
    fill_replace(&fill->low, keep->low);
    fill_replace(&fill->high, keep->high);
}

static void keep_done(Keep *keep)
{
    free(keep->low);
    free(keep->high);
}

static void count_wave(Fill *fill, const Wave *wave, const Err *err, int64_t us)
{
    Tally *tally = &fill->runner->tally;
    tally_batch(tally, fill->step->ordinal, err, wave->rows, us);
    if (err == NULL)
        tally_add(tally, fill->step->ordinal, "sums", "hot", wave->hot);
}

Err *fill_run(Fill *fill, Wave *wave, void (*advance)(Fill *fill, const void *context), const void *context)
{
    CLEANUP(keep_done) Keep keep = keep_of(fill);
    int64_t from_us = clock_us();
    Err *err = wave_once(fill, wave, advance, context);
    count_wave(fill, wave, err, clock_us() - from_us);
    if (err == NULL) {
        fill->runner->progress_marks++;
        return NULL;
    }
    fill->runner->ops->rollback(fill->runner->conn);
    keep_give_back(fill, &keep);
    return err;
}
