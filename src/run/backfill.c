/* The backfill: chunks of consecutive rows, each in several waves, one short transaction a wave.
 *
 * Each wave touches a fraction of a chunk's rows; page pruning gives the room of its dead versions back to
 * the next one, so that most updates stay on their page (HOT) and write no index entries. A row is picked by
 * one wave, and only while it is not filled; whatever the application touches meanwhile is filled by the sync
 * trigger. */
#include "run/fill.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    WAVE_TRIES = 3,
    PARK_PAUSE_MS = 200,
    PARKED_MAX = 500,  /* more are revisited before going on */
    FLAT_MOST = 16,    /* chunks in one pass before waves are tried again: 1, 2, 4 … up to this */
    HOT_HOPELESS = 10, /* per cent over a whole chunk: pruning does not happen */
};

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
        fill_replace(&fill->high, to->high);
        return;
    }
    fill_replace(&fill->low, to->high);
    fill_replace(&fill->high, NULL);
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
    if (runner->ops->blockers != NULL)
        TRY(runner->ops->blockers(runner->conn, &wait, runner->scratch, &fill->table.id, 1, "ROW EXCLUSIVE",
                                  &blockers, &count));
    else
        TRY(runner->ops->holders(runner->conn, &wait, runner->scratch, fill->table.schema, fill->table.name,
                                 &blockers, &count));
    if (runner_clock_ms(runner) - from_ms > control_settings(runner).lock_wait_ms)
        return err_hint(err_new(ERR_LOCK_BUDGET,
                                "\"%s\" cannot be written for longer than --lock-wait: %s (pid %lld)",
                                fill->table.name, count > 0 ? blockers[0].mode : why->msg,
                                count > 0 ? (long long)blockers[0].pid : 0LL),
                        "end that session, then apply again");
    stop_sleep(runner->options->stop, PARK_PAUSE_MS);
    return control_gate(runner);
}

/* Fills what `set` and `where` say; when rows stay busy it does so without them and parks the chunk. A
 * statement that takes longer than it may sets ret_slow: the chunk is begun again, smaller; and so, in its
 * size, when the table was altered. */
static Err *fill_rows(Fill *fill, const char *set, const char *where, Advance *to, Wave *ret_wave,
                      bool *ret_slow)
{
    Runner *runner = fill->runner;
    /* the busy rows of an earlier wave would be met again */
    fill_wave_sql(fill, set, where, to->parked, ret_wave);
    int64_t from_ms = runner_clock_ms(runner);
    for (int tries = 1;; tries++) {
        CLEANUP(err_freep) Err *err = fill_run(fill, ret_wave, advance_chunk, to);
        if (err == NULL)
            return NULL;
        *ret_slow = err->kind == ERR_CANCELLED && stop_level(runner->options->stop) != STOP_NOW;
        if (*ret_slow && fill->size > fill->scan.size_min)
            return NULL;
        if (ret_wave->self_set && (err_is(err, ERR_SQL) || err_is(err, ERR_PRIVILEGE))) {
            TRY(fill_look_again(fill));
            *ret_slow = fill->altered;
            if (fill->altered)
                return NULL;
        }
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
            fill_wave_sql(fill, set, where, true, ret_wave);
            to->parked = true;
        }
    }
}

/* From the same place again, with half the size unless the table was altered; what is filled already is
 * skipped. */
static void begin_again(Fill *fill)
{
    if (!fill->altered)
        fill->size = fill->size / 2 > fill->scan.size_min ? fill->size / 2 : fill->scan.size_min;
    fill->altered = false;
    fill->wave = 0;
    fill_replace(&fill->high, NULL);
}

static void servo(Fill *fill, int64_t slowest_ms)
{
    int64_t target = control_settings(fill->runner).chunk_time_ms, size = fill->size;
    if (slowest_ms > target)
        size = size * target / slowest_ms;
    else if (slowest_ms < target / 2)
        size = size * 3 / 2 + 1;
    size = size > fill->scan.size_max ? fill->scan.size_max : size;
    fill->size = size < fill->scan.size_min ? fill->scan.size_min : size;
}

/* Waves are of no use while something holds back pruning: then one pass is, which is no worse than any other
 * loop. */
static Err *watch_hot(Fill *fill, int waves)
{
    if (fill->flat_chunks > 0) {
        fill->flat_chunks--;
        return NULL;
    }
    if (waves < 4 || fill->chunk_rows < 100)
        return NULL;
    if (fill->chunk_hot * 100 >= fill->chunk_rows * HOT_HOPELESS) {
        fill->flat_next = 1;
        return NULL;
    }
    Runner *runner = fill->runner;
    Wait wait = runner_wait(runner);
    int64_t age_ms = 0;
    const char *who = NULL;
    TRY(runner->ops->horizon(runner->conn, &wait, runner->scratch, &age_ms, &who));
    fill->flat_chunks = fill->flat_next * fill->scan.wave_count; /* ranges of the size of a wave */
    fill->flat_next = fill->flat_next * 2 > FLAT_MOST ? FLAT_MOST : fill->flat_next * 2;
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
    int64_t size = fill->flat_chunks > 0 ? fill->size / fill->scan.wave_count : fill->size;
    TRY(runner->ops->scan_next(runner->conn, &wait, runner->scratch, &fill->scan, fill->low,
                               size > 0 ? size : 1, ret_range, &done));
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
        fill_single_sql(scratch, fill->runner->ops, fill->step, &fill->step->fills[i], &set, &where);
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
    const char *unfilled = fill_unfilled_sql(runner->scratch, runner->ops, fill->step),
               *set = fill_set_sql(runner->scratch, runner->ops, &fill->table, fill->step);
    for (int at = fill->wave; at < waves && !*ret_slow; at++) {
        TRY(control_gate(runner));
        to->next_wave = at + 1 == waves && !more ? 0 : at + 1;
        Wave wave = {.self_set = fill_sets_self(&fill->table)};
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
        begin_again(fill);
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
                  arena_printf(scratch, "SELECT count(*) FROM %s%s WHERE %s", runner->ops->only,
                               runner->ops->quote(scratch, fill->table.schema, fill->table.name), where),
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
    fill_single_sql(scratch, fill->runner->ops, fill->step, column, &set, &where);
    where = arena_printf(scratch, "%s AND %s", range_sql, where);
    int64_t before = 0, after = 0;
    TRY(count_unfilled(fill, where, &before));
    Wave wave = {0};
    fill_wave_sql(fill, set, where, true, &wave);
    bool pop = false;
    Err *err = fill_run(fill, &wave, advance_parked, &pop);
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
        fill_single_sql(runner->scratch, runner->ops, fill->step, &fill->step->fills[i], &set, &where);
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
    if (left && runner_clock_ms(runner) > deadline_ms)
        return held_row(fill, range_sql);
    if (left) {
        stop_sleep(runner->options->stop, PARK_PAUSE_MS);
        return NULL;
    }
    Wave none = {.sql = "SELECT 1"};
    return fill_run(fill, &none, advance_parked, &pop);
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
            deadline_ms = runner_clock_ms(runner) + control_settings(runner).lock_wait_ms;
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
    runner_event(runner, "restarted", fill->step->ordinal, NULL, "%s", fill_rewritten_text);
    fill->storage = storage;
    TRY(runner->ops->scan_choose(runner->conn, &wait, fill->arena, &runner->server, &fill->table,
                                 &fill->scan));
    fill_replace(&fill->low, NULL);
    fill_replace(&fill->high, NULL);
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
    runner->summary.hot_counted = true;
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
    Fill fill = {.runner = runner, .step = step, .arena = arena, .flat_next = 1};
    int64_t id = 0;
    TRY(runner->ops->find_table(runner->conn, &wait, arena, step->table.schema, step->table.name, &id));
    TRY(runner->ops->shape(runner->conn, &wait, arena, id, &fill.shape, &fill.hot_seen));
    TRY(runner_load_table(runner, arena, &step->table, &fill.table)); /* later than its shape */
    TRY(runner->ops->storage(runner->conn, &wait, arena, &fill.table, &fill.storage));
    TRY(runner->ops->scan_choose(runner->conn, &wait, arena, &runner->server, &fill.table, &fill.scan));
    fill.size = fill.scan.size;
    json_t *body = NULL;
    TRY(journal_load_checkpoint(runner->conn, arena, runner->change_id, step->ordinal, &body));
    fill_restore(&fill, body);
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
