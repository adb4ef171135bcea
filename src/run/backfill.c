/* The backfill: chunks of consecutive rows, each in several waves, one short transaction a wave.
 *
 * Each wave touches a fraction of a chunk's rows; page pruning gives the room of its dead versions back to
 * the next one, so that most updates stay on their page (HOT) and write no index entries. A row is picked by
 * one wave, and only while it is not filled; whatever the application touches meanwhile is filled by the sync
 * trigger. */
#include "run/runner.h"

#include "base/clock.h"
#include "base/failpoint.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROW_WAIT_MS = 40, /* for one busy row: then the wave is tried again, and at last leaves busy rows out */
    WAVE_TRIES = 3,
    PARK_PAUSE_MS = 200,
    PARKED_MAX = 500,  /* more are revisited before going on */
    PROBE_EVERY = 16,  /* chunks in one pass before waves are tried again */
    HOT_HOPELESS = 10, /* per cent over a whole chunk: pruning does not happen */
};

static const char rewritten_text[] =
    "the table was rewritten meanwhile: the backfill begins again, filled rows are skipped";

typedef struct Spot {
    const char *low, *high;
} Spot;

/* Where it stands: the checkpoint's content. */
typedef struct Fill {
    Runner *runner;
    const Step *step;
    Table table;
    Scan scan;
    Arena *arena; /* as long as the step: parked ranges */
    const char *storage;
    char *low;    /* owned; NULL at the beginning */
    int wave;     /* next wave of the chunk at low */
    char *high;   /* owned; end of the chunk at low while wave > 0 */
    bool scanned; /* all chunks are through; parked ones may be left */
    int64_t size;
    int64_t rows, hot, chunk_rows, chunk_hot;
    int64_t hot_seen; /* the server's counter runs over several transactions, until it hands it on */
    int64_t busy_ms;
    int flat_chunks; /* chunks still to do in one pass because pruning is held back */
    bool told_horizon;
    VEC(Spot) parked;
} Fill;

/* ---- predicates ----------------------------------------------------------------------------- */

/* Rows that lack all columns of the step, and that the expressions can fill. */
static char *unfilled_sql(Arena *arena, const Step *step)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    CLEANUP(str_donep) Str any = STR_INIT;
    bool all_null_legal = true;
    for (size_t i = 0; i < step->fill_count; i++) {
        const FillColumn *fill = &step->fills[i];
        str_sep(&out, " AND ");
        str_addf(&out, "%s IS NULL", sql_ident(arena, fill->column));
        str_sep(&any, " OR ");
        str_addf(&any, "(%s) IS NOT NULL", fill->expr);
        all_null_legal = all_null_legal && fill->null_legal && fill->immutable;
    }
    if (all_null_legal)
        str_addf(&out, " AND (%s)", any.buf);
    return arena_dup(arena, out.buf);
}

static char *set_sql(Arena *arena, const Step *step)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < step->fill_count; i++) {
        str_sep(&out, ", ");
        str_addf(&out, "%s = %s", sql_ident(arena, step->fills[i].column), step->fills[i].expr);
    }
    return arena_dup(arena, out.buf);
}

/* One column alone: for rows in which another column of the step was filled by somebody else. */
static void single_fill(Arena *arena, const FillColumn *fill, const char **ret_set, const char **ret_where)
{
    const char *name = sql_ident(arena, fill->column);
    *ret_set = arena_printf(arena, "%s = %s", name, fill->expr);
    *ret_where = fill->null_legal && fill->immutable
                     ? arena_printf(arena, "%s IS NULL AND (%s) IS NOT NULL", name, fill->expr)
                     : arena_printf(arena, "%s IS NULL", name);
}

/* ---- checkpoint ----------------------------------------------------------------------------- */

static void replace(char **text, const char *by)
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
    json_t *body = json_pack(
        "{s:I,s:s?,s:s?,s:i,s:i,s:b,s:I,s:I,s:I,s:I,s:I,s:s,s:o}", "total",
        (json_int_t)fill->table.row_estimate, "low", fill->low, "high", fill->high, "wave", fill->wave,
        "waves", fill->scan.wave_count, "scanned", (int)fill->scanned, "size", (json_int_t)fill->size, "rows",
        (json_int_t)fill->rows, "hot", (json_int_t)fill->hot, "end", (json_int_t)fill->scan.end, "busy_ms",
        (json_int_t)fill->busy_ms, "storage", fill->storage, "parked", parked);
    CLEANUP(mem_freep) char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    TRY(failpoint_at("checkpoint_before"));
    return journal_checkpoint(fill->runner->conn, &fill->runner->lease, fill->runner->change_id,
                              fill->step->ordinal, text);
}

static void restore(Fill *fill, const json_t *body)
{
    if (body == NULL)
        return;
    fill->rows = json_integer_value(json_object_get(body, "rows"));
    fill->hot = json_integer_value(json_object_get(body, "hot"));
    fill->busy_ms = json_integer_value(json_object_get(body, "busy_ms"));
    if (!str_eq(json_string_value(json_object_get(body, "storage")), fill->storage)) {
        runner_event(fill->runner, "restarted", fill->step->ordinal, NULL, "%s", rewritten_text);
        return;
    }
    replace(&fill->low, json_string_value(json_object_get(body, "low")));
    replace(&fill->high, json_string_value(json_object_get(body, "high")));
    /* Waves of another number would be other rows: then the chunk is begun again. */
    bool same = json_integer_value(json_object_get(body, "waves")) == fill->scan.wave_count;
    fill->wave = same ? (int)json_integer_value(json_object_get(body, "wave")) : 0;
    fill->scanned = json_is_true(json_object_get(body, "scanned"));
    fill->scan.end = json_integer_value(json_object_get(body, "end"));
    int64_t size = json_integer_value(json_object_get(body, "size"));
    fill->size = size > 0 && size <= fill->scan.size_max ? size : fill->size;
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

typedef struct Wave {
    const char *sql;
    int64_t rows, hot, ms;
} Wave;

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
    TRY(ops->query(runner->conn, &wait, runner->scratch, wave->sql, 0, NULL, &rows));
    wave->rows = rows.affected;
    int64_t hot = 0;
    TRY(ops->hot_updates(runner->conn, &patient, runner->scratch, &fill->table, &hot));
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
    replace(&fill->low, keep->low);
    replace(&fill->high, keep->high);
}

static void keep_done(Keep *keep)
{
    free(keep->low);
    free(keep->high);
}

static Err *wave_run(Fill *fill, Wave *wave, void (*advance)(Fill *fill, const void *context),
                     const void *context)
{
    CLEANUP(keep_done) Keep keep = keep_of(fill);
    Err *err = wave_once(fill, wave, advance, context);
    if (err == NULL) {
        fill->runner->progress_marks++;
        return NULL;
    }
    fill->runner->ops->rollback(fill->runner->conn);
    keep_give_back(fill, &keep);
    return err;
}

/* ---- a chunk -------------------------------------------------------------------------------- */

typedef struct Advance {
    const char *low, *high; /* of the chunk */
    int next_wave;          /* 0: the chunk is through */
    bool parked;            /* busy rows were left out */
} Advance;

static void advance_chunk(Fill *fill, const void *context)
{
    const Advance *to = context;
    if (to->parked) {
        const Spot *last = fill->parked.len > 0 ? &fill->parked.items[fill->parked.len - 1] : NULL;
        bool same = last != NULL && str_eq(last->low, to->low) && str_eq(last->high, to->high);
        if (!same)
            *vec_push(fill->arena, &fill->parked) =
                (Spot){.low = to->low == NULL ? NULL : arena_dup(fill->arena, to->low),
                       .high = to->high == NULL ? NULL : arena_dup(fill->arena, to->high)};
    }
    fill->wave = to->next_wave;
    if (to->next_wave > 0) {
        replace(&fill->high, to->high);
        return;
    }
    replace(&fill->low, to->high);
    replace(&fill->high, NULL);
    fill->scanned = to->high == NULL;
}

static bool err_is_busy(const Err *err)
{
    return err_is(err, ERR_LOCK_TIMEOUT) || err_is(err, ERR_DEADLOCK) || err_is(err, ERR_SERIALIZE);
}

/* The table itself is locked by somebody: named once in a while, and waited for within --lock-wait. */
static Err *wait_for_table(Fill *fill, int64_t from_ms, const Err *why)
{
    Runner *runner = fill->runner;
    Wait wait = runner_wait(runner);
    Blocker *blockers = NULL;
    size_t count = 0;
    TRY(runner->ops->blockers(runner->conn, &wait, runner->scratch, fill->table.id, "ROW EXCLUSIVE",
                              &blockers, &count));
    if (clock_ms() - from_ms > control_settings(runner).lock_wait_ms)
        return err_hint(err_new(ERR_LOCK_BUDGET,
                                "\"%s\" cannot be written for longer than --lock-wait: %s (pid %lld)",
                                fill->table.name, count > 0 ? blockers[0].mode : why->msg,
                                count > 0 ? (long long)blockers[0].pid : 0LL),
                        "end that session, then apply again");
    stop_sleep(runner->options->stop, PARK_PAUSE_MS);
    return control_gate(runner);
}

/* Fills what `set` and `where` say; when rows stay busy it does so without them and parks the chunk. A
 * statement that takes longer than it may sets ret_slow: the chunk is begun again, smaller. */
static Err *fill_rows(Fill *fill, const char *set, const char *where, Advance *to, Wave *ret_wave,
                      bool *ret_slow)
{
    Runner *runner = fill->runner;
    const char *table = sql_name(runner->scratch, fill->table.schema, fill->table.name);
    ret_wave->sql = arena_printf(runner->scratch, "UPDATE ONLY %s SET %s WHERE %s", table, set, where);
    int64_t from_ms = clock_ms();
    for (int tries = 1;; tries++) {
        CLEANUP(err_freep) Err *err = wave_run(fill, ret_wave, advance_chunk, to);
        if (err == NULL)
            return NULL;
        *ret_slow = err->kind == ERR_CANCELLED && stop_level(runner->options->stop) != STOP_NOW;
        if (*ret_slow && fill->size > 1)
            return NULL;
        if (!err_is_busy(err)) {
            Err *out = err;
            err = NULL;
            return *ret_slow
                       ? err_hint(out,
                                  "filling the rows of one block takes longer than --max-stall: raise it, or "
                                  "make the expression faster")
                       : out;
        }
        TRY(control_gate(runner));
        if (tries > WAVE_TRIES) /* also without the busy rows: so it is the table */
            TRY(wait_for_table(fill, from_ms, err));
        if (tries >= WAVE_TRIES) {
            ret_wave->sql = runner->ops->update_free_rows(runner->scratch, &fill->table, set, where);
            to->parked = true;
        }
    }
}

/* From the same place again with half the size; what is filled already is skipped. */
static void begin_smaller(Fill *fill)
{
    fill->size = fill->size / 2 > 0 ? fill->size / 2 : 1;
    fill->wave = 0;
    replace(&fill->high, NULL);
}

static void servo(Fill *fill, int64_t slowest_ms)
{
    int64_t target = control_settings(fill->runner).chunk_time_ms;
    if (slowest_ms > target && fill->size > 1)
        fill->size = fill->size * target / slowest_ms > 0 ? fill->size * target / slowest_ms : 1;
    else if (slowest_ms < target / 2 && fill->size < fill->scan.size_max)
        fill->size =
            fill->size * 3 / 2 + 1 > fill->scan.size_max ? fill->scan.size_max : fill->size * 3 / 2 + 1;
}

/* Waves are of no use while something holds back pruning: then one pass is, which is no worse than any other
 * loop. */
static Err *watch_hot(Fill *fill, int waves)
{
    if (fill->flat_chunks > 0) {
        fill->flat_chunks--;
        return NULL;
    }
    if (waves < 4 || fill->chunk_rows < 100 || fill->chunk_hot * 100 >= fill->chunk_rows * HOT_HOPELESS)
        return NULL;
    Runner *runner = fill->runner;
    Wait wait = runner_wait(runner);
    int64_t age_ms = 0;
    const char *who = NULL;
    TRY(runner->ops->horizon(runner->conn, &wait, runner->scratch, &age_ms, &who));
    fill->flat_chunks = PROBE_EVERY;
    if (!fill->told_horizon)
        runner_event(
            runner, "horizon_held", fill->step->ordinal, NULL,
            "updates find no room on their page: %s holds back pruning; going on in one pass a chunk",
            who != NULL ? who : "an old snapshot");
    fill->told_horizon = true;
    return NULL;
}

static void report(Fill *fill, const char *position)
{
    double part = fill->runner->ops->scan_fraction(&fill->scan, position);
    if (part < 0)
        part = fill->table.row_estimate > 0 ? (double)fill->rows / (double)fill->table.row_estimate : 0;
    control_rows(fill->runner, fill->rows, fill->table.row_estimate, part > 1 ? 1 : part,
                 fill->rows > 0 ? (double)fill->hot / (double)fill->rows : -1);
}

static Err *chunk_range(Fill *fill, Range *ret_range)
{
    if (fill->wave > 0) {
        *ret_range = (Range){.low = fill->low, .high = fill->high};
        return NULL;
    }
    Runner *runner = fill->runner;
    Wait wait = runner_wait(runner);
    bool done = false;
    TRY(runner->ops->scan_next(runner->conn, &wait, runner->scratch, &fill->scan, fill->low, fill->size,
                               ret_range, &done));
    fill->scanned = done;
    return NULL;
}

/* The columns one by one, for rows in which somebody else has filled some: a second, cheap look at the chunk.
 */
static Err *sweep_columns(Fill *fill, const char *range_sql, Advance *to, int64_t *slowest_ms, bool *ret_slow)
{
    Arena *scratch = fill->runner->scratch;
    for (size_t i = 0; i < fill->step->fill_count && !*ret_slow; i++) {
        const char *set = NULL, *where = NULL;
        single_fill(scratch, &fill->step->fills[i], &set, &where);
        Wave wave = {0};
        to->next_wave = i + 1 == fill->step->fill_count ? 0 : to->next_wave;
        TRY(fill_rows(fill, set, arena_printf(scratch, "%s AND %s", range_sql, where), to, &wave, ret_slow));
        *slowest_ms = wave.ms > *slowest_ms ? wave.ms : *slowest_ms;
    }
    return NULL;
}

/* The error of a value that cannot be computed, with the row that has it. */
static Err *name_row(Fill *fill, const Range *range, Err *cause)
{
    Arena *scratch = fill->runner->scratch;
    CLEANUP(str_donep) Str select = STR_INIT;
    for (size_t i = 0; i < fill->step->fill_count; i++)
        str_addf(&select, "%scount((%s)::%s)", i == 0 ? "SELECT " : ", ", fill->step->fills[i].expr,
                 fill->step->fills[i].type);
    str_addf(&select, " FROM ONLY %s WHERE ", sql_name(scratch, fill->table.schema, fill->table.name));
    return rows_name_failing(fill->runner, fill->step, &fill->scan, *range, fill->size, select.buf, cause);
}

static Err *sweep_waves(Fill *fill, const char *range_sql, Advance *to, int waves, int64_t *slowest_ms,
                        bool *ret_slow)
{
    Runner *runner = fill->runner;
    bool more = fill->step->fill_count > 1;
    const char *unfilled = unfilled_sql(runner->scratch, fill->step),
               *set = set_sql(runner->scratch, fill->step);
    for (int at = fill->wave; at < waves && !*ret_slow; at++) {
        TRY(control_gate(runner));
        to->next_wave = at + 1 == waves && !more ? 0 : at + 1;
        Wave wave = {0};
        const char *where = arena_printf(runner->scratch, "%s AND %s AND %s", range_sql, unfilled,
                                         runner->ops->wave_filter(runner->scratch, &fill->scan, at, waves));
        TRY(fill_rows(fill, set, where, to, &wave, ret_slow));
        fill->chunk_rows += wave.rows;
        fill->chunk_hot += wave.hot;
        *slowest_ms = wave.ms > *slowest_ms ? wave.ms : *slowest_ms;
    }
    return more && !*ret_slow ? sweep_columns(fill, range_sql, to, slowest_ms, ret_slow) : NULL;
}

static Err *chunk(Fill *fill)
{
    Runner *runner = fill->runner;
    arena_clear(runner->scratch);
    Range range = {0};
    TRY(chunk_range(fill, &range));
    if (fill->scanned)
        return NULL;
    int waves = fill->flat_chunks > 0 ? 1 : fill->scan.wave_count;
    fill->wave = fill->wave >= waves ? waves - 1 : fill->wave;
    const char *range_sql = runner->ops->scan_filter(runner->scratch, &fill->scan, &range);
    Advance to = {.low = range.low == NULL ? NULL : arena_dup(runner->scratch, range.low),
                  .high = range.high == NULL ? NULL : arena_dup(runner->scratch, range.high)};
    int64_t slowest_ms = 0;
    fill->chunk_rows = fill->chunk_hot = 0;
    bool whole = fill->wave == 0, slow = false;
    Err *err = sweep_waves(fill, range_sql, &to, waves, &slowest_ms, &slow);
    if (rows_err_is_data(err))
        return name_row(fill, &range, err);
    TRY(err);
    if (slow) {
        begin_smaller(fill);
        return NULL;
    }
    servo(fill, slowest_ms);
    report(fill, fill->scanned ? NULL : fill->low);
    return whole ? watch_hot(fill, waves) : NULL;
}

/* ---- parked chunks -------------------------------------------------------------------------- */

static void advance_parked(Fill *fill, const void *context)
{
    if (*(const bool *)context)
        fill->parked.len--;
}

/* Rows of the range that lack the column's value. */
static Err *count_unfilled(Fill *fill, const char *where, int64_t *ret_count)
{
    Runner *runner = fill->runner;
    Arena *scratch = runner->scratch;
    Rows rows = {0};
    TRY(rows_read(runner, fill->step,
                  arena_printf(scratch, "SELECT count(*) FROM ONLY %s WHERE %s",
                               sql_name(scratch, fill->table.schema, fill->table.name), where),
                  true, &rows));
    *ret_count = rows_int(&rows, 0, 0);
    return NULL;
}

/* Fills one column of a parked range, busy rows left out; *ret_left tells whether there were such rows. */
static Err *revisit_column(Fill *fill, const FillColumn *column, const char *range_sql, bool *ret_left)
{
    Runner *runner = fill->runner;
    Arena *scratch = runner->scratch;
    const char *set = NULL, *where = NULL;
    single_fill(scratch, column, &set, &where);
    where = arena_printf(scratch, "%s AND %s", range_sql, where);
    int64_t before = 0, after = 0;
    TRY(count_unfilled(fill, where, &before));
    Wave wave = {.sql = runner->ops->update_free_rows(scratch, &fill->table, set, where)};
    bool pop = false;
    Err *err = wave_run(fill, &wave, advance_parked, &pop);
    bool busy = err_is_busy(err);
    if (!busy)
        TRY(err);
    err_free(busy ? err : NULL);
    TRY(count_unfilled(fill, where, &after));
    /* Where the value may be NULL and is not known beforehand, rows that were seen to stay NULL are through.
     */
    bool may_stay = column->null_legal && !column->immutable;
    *ret_left = *ret_left || (after > 0 && (busy || !may_stay || before > wave.rows));
    return NULL;
}

/* The first row of the range that still lacks a value, by name. */
static Err *held_row(Fill *fill, const char *range_sql)
{
    Runner *runner = fill->runner;
    const char *row = "?";
    for (size_t i = 0; i < fill->step->fill_count; i++) {
        const char *set = NULL, *where = NULL;
        Rows rows = {0};
        single_fill(runner->scratch, &fill->step->fills[i], &set, &where);
        TRY(rows_list(runner, fill->step, &fill->scan,
                      arena_printf(runner->scratch, "%s AND %s", range_sql, where), 1, &rows));
        if (rows.row_count > 0)
            row = rows_cell(&rows, 0, 1);
    }
    return err_hint(err_new(ERR_LOCK_BUDGET,
                            "row %s of \"%s\" is held by another transaction for longer than --lock-wait",
                            row, fill->table.name),
                    "end that transaction, then apply again");
}

static Err *revisit(Fill *fill, int64_t deadline_ms)
{
    Runner *runner = fill->runner;
    arena_clear(runner->scratch);
    Spot spot = fill->parked.items[fill->parked.len - 1];
    const char *range_sql =
        runner->ops->scan_filter(runner->scratch, &fill->scan, &(Range){.low = spot.low, .high = spot.high});
    bool left = false, pop = true;
    for (size_t i = 0; i < fill->step->fill_count; i++)
        TRY(revisit_column(fill, &fill->step->fills[i], range_sql, &left));
    if (left && clock_ms() > deadline_ms)
        return held_row(fill, range_sql);
    if (left) {
        stop_sleep(runner->options->stop, PARK_PAUSE_MS);
        return NULL;
    }
    Wave none = {.sql = "SELECT 1"};
    return wave_run(fill, &none, advance_parked, &pop);
}

/* ---- the step ------------------------------------------------------------------------------- */

static Err *fill_all(Fill *fill)
{
    Runner *runner = fill->runner;
    int64_t deadline_ms = 0;
    while (!fill->scanned || fill->parked.len > 0) {
        TRY(control_gate(runner));
        bool back = fill->scanned || fill->parked.len >= PARKED_MAX;
        size_t parked = fill->parked.len;
        if (back && deadline_ms == 0)
            deadline_ms = clock_ms() + control_settings(runner).lock_wait_ms;
        TRY(back ? revisit(fill, deadline_ms) : chunk(fill));
        if (!back || fill->parked.len < parked) /* each parked range has its own --lock-wait */
            deadline_ms = 0;
    }
    return NULL;
}

/* A rewrite (VACUUM FULL, CLUSTER) moves rows that are not filled to where the scan has been already. */
static Err *begin_again_if_rewritten(Fill *fill, bool *ret_whole)
{
    Runner *runner = fill->runner;
    Wait wait = runner_wait(runner);
    const char *storage = NULL;
    TRY(runner->ops->storage(runner->conn, &wait, fill->arena, &fill->table, &storage));
    *ret_whole = str_eq(storage, fill->storage);
    if (*ret_whole)
        return NULL;
    runner_event(runner, "restarted", fill->step->ordinal, NULL, "%s", rewritten_text);
    fill->storage = storage;
    TRY(runner->ops->scan_choose(runner->conn, &wait, fill->arena, &runner->server, &fill->table,
                                 &fill->scan));
    replace(&fill->low, NULL);
    replace(&fill->high, NULL);
    fill->wave = 0;
    fill->scanned = false;
    fill->parked.len = 0;
    return NULL;
}

/* A step that is entered again after a lost connection is counted once. */
static void count_in(Runner *runner, const Fill *fill)
{
    bool again = runner->counted_step == fill->step->ordinal;
    runner->summary.rows_filled += fill->rows - (again ? runner->counted_rows : 0);
    runner->summary.hot_rows += fill->hot - (again ? runner->counted_hot : 0);
    runner->summary.backfill_ms += fill->busy_ms - (again ? runner->counted_ms : 0);
    runner->counted_step = fill->step->ordinal;
    runner->counted_rows = fill->rows;
    runner->counted_hot = fill->hot;
    runner->counted_ms = fill->busy_ms;
}

Err *backfill_run(Runner *runner, const Step *step)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    Fill fill = {.runner = runner, .step = step, .arena = arena};
    TRY(runner_load_table(runner, arena, &step->table, &fill.table));
    TRY(runner->ops->storage(runner->conn, &wait, arena, &fill.table, &fill.storage));
    TRY(runner->ops->scan_choose(runner->conn, &wait, arena, &runner->server, &fill.table, &fill.scan));
    fill.size = fill.scan.size;
    json_t *body = NULL;
    TRY(journal_load_checkpoint(runner->conn, arena, runner->change_id, step->ordinal, &body));
    restore(&fill, body);
    json_decref(body);
    report(&fill, fill.low);
    bool whole = false;
    Err *err = NULL;
    while (err == NULL && !whole) {
        err = fill_all(&fill);
        if (err == NULL)
            err = begin_again_if_rewritten(&fill, &whole);
    }
    if (err == NULL)
        err = journal_step_done(runner->conn, &runner->lease, runner->change_id, step->ordinal);
    count_in(runner, &fill);
    free(fill.low);
    free(fill.high);
    return err;
}
