/* Counting the rows that must not exist, chunk by chunk, exactly, and naming the first of them. */
#include "run/runner.h"

#include "base/clock.h"
#include "base/failpoint.h"

#include <stdlib.h>
#include <string.h>

enum {
    VERIFY_FIRST = 2048, /* blocks, or rows times ten: reading holds nobody up */
    VERIFY_MAX = 65536,
    NAMED_ROWS = 5,
};

typedef struct Verify {
    Runner *runner;
    const Step *step;
    Table table;
    Scan scan;
    char *low; /* owned */
    int64_t size;
    int64_t rows;
    int64_t *bad; /* per check */
    bool through;
} Verify;

/* "SELECT count(*), count(CASE WHEN … THEN 1 END), … FROM ONLY t WHERE " */
static char *count_sql(const Verify *verify, Arena *arena)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_add(&sql, "SELECT count(*)");
    for (size_t i = 0; i < verify->step->check_count; i++)
        if (verify->step->checks[i].predicate != NULL)
            str_addf(&sql, ", count(CASE WHEN %s THEN 1 END)", verify->step->checks[i].predicate);
    const EngineOps *ops = verify->runner->ops;
    str_addf(&sql, " FROM %s%s WHERE ", ops->only,
             ops->quote(arena, verify->table.schema, verify->table.name));
    return arena_dup(arena, sql.buf);
}

static char *range_sql_of(const Verify *verify, const char *low, const char *high)
{
    return verify->runner->ops->scan_filter(verify->runner->scratch, &verify->scan,
                                            &(Range){.low = low, .high = high});
}

/* The names of up to five rows in the range for which `predicate` holds. */
static Err *name_rows(Verify *verify, const char *range_sql, const char *predicate, Str *names)
{
    Runner *runner = verify->runner;
    Rows rows = {0};
    TRY(rows_list(runner, verify->step, &verify->scan,
                  arena_printf(runner->scratch, "%s AND (%s)", range_sql, predicate), NAMED_ROWS, &rows));
    for (size_t i = 0; i < rows.row_count; i++) {
        str_sep(names, "; ");
        str_add(names, rows_cell(&rows, i, 1));
    }
    return NULL;
}

static Err *bad_rows(Verify *verify, const char *range_sql, size_t at, int64_t count)
{
    const Check *check = &verify->step->checks[at];
    CLEANUP(str_donep) Str names = STR_INIT;
    TRY(name_rows(verify, range_sql, check->predicate, &names));
    Err *err = err_new(ERR_VERIFY, "in %lld row%s of \"%s\", and perhaps in later ones: %s (%s)",
                       (long long)count, count == 1 ? "" : "s", verify->table.name, check->label, names.buf);
    return check->hint != NULL ? err_hint(err, "%s", check->hint) : err;
}

/* "c differs from (a + b)", for the check that the engine itself makes. */
static Err *unlike_rows(Verify *verify, const KeyList *names)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    const Check *check = &verify->step->checks[0];
    for (size_t i = 0; i < names->count && i < NAMED_ROWS; i++) {
        str_sep(&list, "; ");
        str_add(&list, names->keys[i]);
    }
    Err *err = err_new(ERR_VERIFY, "in %zu row%s of \"%s\", and perhaps in later ones: %s (%s)", names->count,
                       names->count == 1 ? "" : "s", verify->table.name, check->label, list.buf);
    return check->hint != NULL ? err_hint(err, "%s", check->hint) : err;
}

/* Rows that others hold are waited for within --lock-wait, without a lock of ours. */
static Err *look_unlike(Verify *verify, const Range *range)
{
    Runner *runner = verify->runner;
    const Step *step = verify->step;
    Wait wait = runner_wait(runner);
    const char **columns = arena_alloc(runner->scratch, (step->fill_count + 1) * sizeof *columns);
    const char **exprs = arena_alloc(runner->scratch, (step->fill_count + 1) * sizeof *exprs);
    for (size_t i = 0; i < step->fill_count; i++) {
        columns[i] = step->fills[i].column;
        exprs[i] = step->fills[i].expr;
    }
    for (int64_t from = runner_clock_ms(runner);;) {
        KeyList names = {0};
        int64_t rows = 0, busy = 0;
        TRY(runner->ops->unlike(runner->conn, &wait, runner->scratch, &verify->scan, range, columns, exprs,
                                step->fill_count, &rows, &names, &busy));
        if (names.count > 0)
            return unlike_rows(verify, &names);
        if (busy == 0) {
            verify->rows += rows;
            return NULL;
        }
        if (runner_clock_ms(runner) - from > control_settings(runner).lock_wait_ms)
            return err_hint(err_new(ERR_LOCK_BUDGET,
                                    "%lld rows of \"%s\" are held by other transactions for longer than "
                                    "--lock-wait",
                                    (long long)busy, verify->table.name),
                            "end those transactions, then apply again");
        TRY(control_gate(runner));
    }
}

static bool is_unlike(const Verify *verify)
{
    return verify->step->fill_count > 0 && verify->runner->ops->unlike != NULL;
}

static void advance(Verify *verify, const Range *range, int64_t took_ms)
{
    char *high = range->high == NULL ? NULL : mem_dup(range->high);
    free(verify->low);
    verify->low = high;
    int64_t target = control_settings(verify->runner).chunk_time_ms;
    if (took_ms > 2 * target && verify->size > 64)
        verify->size /= 2;
    else if (took_ms < target &&
             verify->size * 2 <= (verify->scan.method == SCAN_KEY ? VERIFY_MAX * 10 : VERIFY_MAX))
        verify->size *= 2;
}

static Err *verify_chunk(Verify *verify)
{
    Runner *runner = verify->runner;
    arena_clear(runner->scratch);
    Wait wait = runner_wait(runner);
    Range range = {0};
    bool done = false;
    TRY(runner->ops->scan_next(runner->conn, &wait, runner->scratch, &verify->scan, verify->low, verify->size,
                               &range, &done));
    verify->through = done || range.high == NULL;
    if (done)
        return NULL;
    const char *where = range_sql_of(verify, range.low, range.high);
    Rows rows = {0};
    int64_t from = clock_ms();
    if (is_unlike(verify)) {
        TRY(look_unlike(verify, &range));
        advance(verify, &range, clock_ms() - from);
        return NULL;
    }
    const char *select = count_sql(verify, runner->scratch);
    Err *err =
        rows_read(runner, verify->step, arena_printf(runner->scratch, "%s%s", select, where), true, &rows);
    if (rows_err_is_data(err))
        return rows_name_failing(runner, verify->step, &verify->scan, range, verify->size, select, err);
    TRY(err);
    int64_t took_ms = clock_ms() - from;
    verify->rows += rows_int(&rows, 0, 0);
    size_t col = 1;
    for (size_t i = 0; i < verify->step->check_count; i++) {
        const Check *check = &verify->step->checks[i];
        if (check->predicate == NULL)
            continue;
        int64_t count = rows_int(&rows, 0, col++);
        verify->bad[i] += count;
        if (count > 0 && !check->count_only && !(check->evaluate_only && check->hint == NULL))
            return bad_rows(verify, where, i, count);
    }
    advance(verify, &range, took_ms);
    return NULL;
}

static Err *whole_query(Verify *verify, const Check *check)
{
    Runner *runner = verify->runner;
    Rows rows = {0};
    control_long_begin(runner);
    Err *err = rows_read(runner, verify->step, check->query, false, &rows);
    (void)control_long_end(runner);
    TRY(err);
    if (rows.row_count == 0)
        return NULL;
    CLEANUP(str_donep) Str names = STR_INIT;
    for (size_t i = 0; i < rows.row_count && i < NAMED_ROWS; i++) {
        str_sep(&names, "; ");
        for (size_t col = 0; col < rows.col_count; col++)
            str_addf(&names, "%s%s", col > 0 ? ", " : "",
                     rows_cell(&rows, i, col) != NULL ? rows_cell(&rows, i, col) : "NULL");
    }
    err = err_new(ERR_VERIFY, "rows of \"%s\" are in the way: %s (%s%s)", verify->table.name, check->label,
                  names.buf, rows.row_count > NAMED_ROWS ? " …" : "");
    return check->hint != NULL ? err_hint(err, "%s", check->hint) : err;
}

static Err *verify_all(Verify *verify)
{
    Runner *runner = verify->runner;
    bool chunks = is_unlike(verify);
    for (size_t i = 0; i < verify->step->check_count; i++) {
        chunks = chunks || verify->step->checks[i].predicate != NULL;
        if (verify->step->checks[i].query != NULL)
            TRY(whole_query(verify, &verify->step->checks[i]));
    }
    if (chunks && runner->ops->scan_choose == NULL)
        return err_new(ERR_BUG, "step %d reads ranges of rows, which this engine does not choose",
                       verify->step->ordinal);
    while (chunks && !verify->through) {
        TRY(control_gate(runner));
        TRY(verify_chunk(verify));
        double part = runner->ops->scan_fraction(&verify->scan, verify->low);
        if (part < 0)
            part = verify->table.row_estimate > 0 ? (double)verify->rows / (double)verify->table.row_estimate
                                                  : 0;
        control_rows(runner, verify->rows, verify->table.row_estimate, part > 1 ? 1 : part, -1);
    }
    return NULL;
}

static Err *verify_done(Verify *verify)
{
    Runner *runner = verify->runner;
    int64_t apart = 0;
    for (size_t i = 0; i < verify->step->check_count; i++)
        if (verify->step->checks[i].count_only)
            apart += verify->bad[i];
    if (verify->step->phase == PHASE_VERIFY) {
        if (verify->rows > 0)
            tally_at_least(&runner->tally, verify->step->ordinal, "sums", "checked", verify->rows);
        runner->summary.rows_checked += verify->rows;
        runner->summary.rows_apart += apart;
    }
    TRY(failpoint_at("verify_before_journal"));
    if (verify->rows > 0 && apart > 0)
        runner_event(runner, "verified", verify->step->ordinal, NULL,
                     "%lld rows checked, 0 wrong, %lld written by the application itself",
                     (long long)verify->rows, (long long)apart);
    else if (verify->rows > 0)
        runner_event(runner, "verified", verify->step->ordinal, NULL, "%lld rows checked, 0 wrong",
                     (long long)verify->rows);
    return journal_step_done(runner->conn, &runner->lease, runner->change_id, verify->step->ordinal);
}

static Err *verify_table(Runner *runner, const Step *step, bool whole);

/* Partitions that came after the plan was made: each is looked at like the others. */
static Err *verify_newcomers(Runner *runner, const Step *step, const Table *table)
{
    for (size_t i = 0; i < table->partition_count; i++) {
        const Partition *partition = &table->partitions[i];
        bool known = partition->kind != 'r';
        for (size_t k = 0; k < runner->plan.step_count && !known; k++) {
            const Step *other = &runner->plan.steps[k];
            known = other->kind == STEP_VERIFY && other->phase == step->phase &&
                    str_eq(other->table.name, partition->name) &&
                    str_eq(other->table.schema, partition->schema);
        }
        if (known)
            continue;
        runner_event(runner, "new_partition", step->ordinal, NULL,
                     "partition \"%s\" came meanwhile: verifying it", partition->name);
        Step one = *step;
        one.table = (Name){.schema = partition->schema, .name = partition->name};
        Err *err = verify_table(runner, &one, false);
        if (err_is(err, ERR_VERIFY) || err_is(err, ERR_UNSAFE))
            err = err_hint(
                err, "partition \"%s\" came while the change was under way: stoa abort %s, then apply again",
                partition->name, runner->name);
        TRY(err);
    }
    TRY(failpoint_at("verify_before_journal"));
    return journal_step_done(runner->conn, &runner->lease, runner->change_id, step->ordinal);
}

/* The rows of all tables are looked at from here on. */
static bool is_first(const Plan *plan, const Step *step)
{
    for (size_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].phase == PHASE_VERIFY)
            return plan->steps[i].ordinal == step->ordinal;
    return false;
}

Err *verify_run(Runner *runner, const Step *step)
{
    if (is_first(&runner->plan, step))
        TRY(failures_note(runner));
    return verify_table(runner, step, true);
}

static void count_violations(const Verify *verify, const Err *err)
{
    int64_t bad = 0;
    for (size_t i = 0; i < verify->step->check_count; i++) {
        const Check *check = &verify->step->checks[i];
        bool harmless = check->count_only || (check->evaluate_only && check->hint == NULL);
        bad += harmless ? 0 : verify->bad[i];
    }
    if (err == NULL || err->kind == ERR_VERIFY)
        tally_set(&verify->runner->tally, verify->step->ordinal, "now", "violations",
                  err == NULL ? 0
                  : bad > 0   ? bad
                              : 1);
}

/* `whole`: it is the step, and journalled. */
static Err *verify_table(Runner *runner, const Step *step, bool whole)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    Verify verify = {.runner = runner, .step = step};
    if (step->phase == PHASE_VERIFY)
        TRY(sync_check(runner, &step->table));
    TRY(runner_load_table(runner, arena, &step->table, &verify.table));
    if (verify.table.kind == RELATION_PARTITIONED && step->phase == PHASE_VERIFY)
        return verify_newcomers(runner, step, &verify.table);
    if (verify.table.kind != RELATION_PARTITIONED && runner->ops->scan_choose != NULL)
        TRY(runner->ops->scan_choose(runner->conn, &wait, arena, &runner->server, &verify.table,
                                     &verify.scan));
    verify.size = verify.scan.method == SCAN_KEY ? VERIFY_FIRST * 10 : VERIFY_FIRST;
    if (verify.scan.method == SCAN_TID_LIST)
        verify.size = 64;
    verify.bad = arena_alloc(arena, (step->check_count + 1) * sizeof *verify.bad);
    Err *err = verify_all(&verify);
    count_violations(&verify, err);
    if (err == NULL && whole)
        err = verify_done(&verify);
    free(verify.low);
    return err;
}
