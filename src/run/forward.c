/* A change that stopped half-way gives way to another of its name, which goes on with what it has done. */
#include "run/forward.h"

#include "base/failpoint.h"
#include "run/fingerprint.h"

#include <stdlib.h>
#include <string.h>

static const char *num(Arena *arena, int64_t value) { return arena_printf(arena, "%lld", (long long)value); }

/* ---- what is left --------------------------------------------------------------------------- */

static Err *left_of(Runner *runner, const Step *step, const char *state, StepLeft *ret_left)
{
    bool by_parts = step->kind == STEP_BACKFILL || step->kind == STEP_CREATE_INDEX;
    *ret_left = LEFT_NOTHING;
    if (str_eq(state, "done"))
        *ret_left = LEFT_DONE;
    else if (str_eq(state, "running") && step->kind == STEP_ALTER)
        return forward_look_my(runner, step, ret_left);
    else if (str_eq(state, "running") && by_parts)
        *ret_left = LEFT_BEGUN;
    return NULL;
}

static Err *load_left(Runner *runner, Arena *arena, const Forward *forward, StepLeft **ret_left)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    const Plan *plan = &forward->plan;
    TRY(conn_params(runner->conn, &wait, arena, &rows,
                    "SELECT ordinal, state FROM stoa.steps WHERE change_id = $1 ORDER BY ordinal",
                    num(arena, forward->change_id)));
    StepLeft *left = arena_alloc(arena, (plan->step_count + 1) * sizeof *left);
    for (size_t i = 0; i < rows.row_count; i++) {
        int64_t ordinal = rows_int(&rows, i, 0);
        if (ordinal >= 1 && ordinal <= (int64_t)plan->step_count)
            TRY(left_of(runner, &plan->steps[ordinal - 1], rows_cell(&rows, i, 1), &left[ordinal - 1]));
    }
    *ret_left = left;
    return NULL;
}

Err *forward_open(Runner *runner, const Change *change, const JournalChange *known, Forward **ret_forward,
                  const char **ret_why)
{
    Arena *arena = runner->arena;
    Forward *forward = arena_alloc(arena, sizeof *forward);
    forward->change_id = known->id;
    forward->change_digest = known->change_digest;
    *ret_forward = forward;
    *ret_why = NULL;
    TRY(plan_from_json(arena, known->plan, &forward->plan));
    TRY(load_left(runner, arena, forward, &forward->left));
    forward->kept_as = arena_alloc(arena, (forward->plan.step_count + 1) * sizeof *forward->kept_as);
    if (str_eq(known->state, "ambiguous"))
        *ret_why = "how far the old change came is not known";
    else if (runner->ops->dialect == DIALECT_MYSQL)
        return forward_open_my(runner, forward, ret_why);
    else {
        Change old = {0};
        change_parse_pg(arena, &(ChangeInput){.sql = known->sql}, &old);
        *ret_why = forward_why_not(arena, forward, &old, change, &runner->options->plan, &runner->server);
    }
    return NULL;
}

/* ---- what is not kept goes ------------------------------------------------------------------ */

/* Where it stands now; `undone`: steps that are not kept are undone by now. */
static Err *still_so(Runner *runner, const Forward *forward, const char *name, bool undone)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    StepLeft *left = NULL;
    TRY(load_left(runner, arena, forward, &left));
    for (size_t i = 0; i < forward->plan.step_count; i++) {
        StepLeft expected = undone && forward->kept_as[i] == 0 ? LEFT_NOTHING : forward->left[i];
        if (left[i] != expected)
            return err_hint(
                err_new(ERR_HELD, "change \"%s\" was carried on by another runner meanwhile", name),
                "apply again: what is kept is looked at anew");
    }
    return NULL;
}

static Err *undo_all(Runner *runner, const Forward *forward)
{
    const RunOptions *options = runner->options;
    TRY(journal_store_controls(runner->conn, runner->change_id, &options->controls, options->controls_given,
                               &(bool){false}));
    TRY(journal_request_abort(runner->conn, runner->change_id, false));
    TRY(journal_state(runner->conn, runner->change_id, "failed", NULL,
                      "it was to give way to other content, which was begun and not finished"));
    TRY(failpoint_at("forward_begun"));
    TRY(control_start(runner));
    for (size_t i = runner->plan.step_count; i-- > 0;) {
        if (forward->kept_as[i] != 0 || runner->plan.steps[i].phase == PHASE_CONTRACT)
            continue;
        TRY(undo_with_retries(runner, &runner->plan.steps[i]));
    }
    return failpoint_at("forward_undone");
}

Err *forward_undo(const RunOptions *options, Arena *arena, const Forward *forward, const char *name)
{
    Runner runner;
    RunOptions undo = *options;
    undo.force = false;
    JournalChange known = {0};
    Err *err = runner_adopt(&runner, &undo, arena, name, &known);
    if (err == NULL && known.id != forward->change_id)
        err = err_hint(err_new(ERR_HELD, "change \"%s\" is another one than a moment ago", name),
                       "apply again");
    if (err == NULL)
        err = lease_take(&runner);
    if (err == NULL)
        err = still_so(&runner, forward, name, false);
    if (err == NULL)
        err = undo_all(&runner, forward);
    journal_change_done(&known);
    runner_close(&runner);
    return err == NULL ? NULL : err_wrap(err, "change \"%s\" cannot be replaced", name);
}

/* ---- what is kept is handed on -------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The old change's tables as well: nobody may go on with it. They stay ours until this run ends. */
static Err *take_lease(Runner *runner, const Forward *forward)
{
    const Plan own = runner->plan;
    const char **all =
        arena_alloc(runner->arena, (own.table_count + forward->plan.table_count + 1) * sizeof *all);
    size_t count = 0;
    for (size_t i = 0; i < own.table_count; i++)
        all[count++] = own.tables[i];
    for (size_t i = 0; i < forward->plan.table_count; i++)
        if (!str_in_sorted(own.tables, own.table_count, forward->plan.tables[i]))
            all[count++] = forward->plan.tables[i];
    qsort(all, count, sizeof *all, compare_texts);
    runner->plan.tables = all;
    runner->plan.table_count = count;
    Err *err = lease_take(runner);
    runner->plan.tables = own.tables;
    runner->plan.table_count = own.table_count;
    return err;
}

/* One statement of the journal without a result. */
static Err *put(Runner *runner, Arena *arena, const char *sql, size_t count, const char *const *params)
{
    Wait wait = journal_wait();
    Rows ignored = {0};
    return runner->ops->query(runner->conn, &wait, arena, sql, count, params, &ignored);
}

/* The step's row as the old change has it, and its checkpoint. */
static Err *hand_on_step(Runner *runner, Arena *arena, int64_t from, int was, int now)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    const char *old_id = num(arena, from), *old_ordinal = num(arena, was);
    const char *id = num(arena, runner->change_id), *ordinal = num(arena, now);
    TRY(conn_params(runner->conn, &wait, arena, &rows,
                    "SELECT state, attempts, started_at, ended_at FROM stoa.steps WHERE change_id = $1 AND "
                    "ordinal = $2",
                    old_id, old_ordinal));
    if (rows.row_count == 0)
        return err_new(ERR_BUG, "step %d is not in the journal", was);
    const char *const step[] = {id,
                                ordinal,
                                rows_cell(&rows, 0, 0),
                                rows_cell(&rows, 0, 1),
                                rows_cell(&rows, 0, 2),
                                rows_cell(&rows, 0, 3)};
    TRY(put(
        runner, arena,
        "UPDATE stoa.steps SET state = $3, attempts = $4, started_at = $5, ended_at = $6 WHERE change_id = "
        "$1 AND ordinal = $2",
        ARRAY_LEN(step), step));
    TRY(conn_params(runner->conn, &wait, arena, &rows,
                    "SELECT body, updated_at FROM stoa.checkpoints WHERE change_id = $1 AND ordinal = $2",
                    old_id, old_ordinal));
    if (rows.row_count == 0)
        return NULL;
    const char *const body[] = {id, ordinal, rows_cell(&rows, 0, 0), rows_cell(&rows, 0, 1)};
    return put(runner, arena,
               "INSERT INTO stoa.checkpoints (change_id, ordinal, body, updated_at) VALUES ($1, $2, $3, $4)",
               ARRAY_LEN(body), body);
}

static Err *hand_on_steps(Runner *runner, Arena *arena, const Forward *forward)
{
    for (size_t i = 0; i < forward->plan.step_count; i++)
        if (forward->kept_as[i] != 0)
            TRY(hand_on_step(runner, arena, forward->change_id, forward->plan.steps[i].ordinal,
                             forward->kept_as[i]));
    if ((runner->ops->features & ENGINE_SYNC_TRIGGERS) == 0)
        return NULL;
    const char *const sync[] = {num(arena, runner->change_id), num(arena, forward->change_id)};
    return put(runner, arena, "UPDATE stoa.sync_columns SET change_id = $1 WHERE change_id = $2",
               ARRAY_LEN(sync), sync);
}

/* "kept: [{step, was, state}]" for both of the events. */
static json_t *kept_json(const Forward *forward)
{
    json_t *kept = json_array();
    for (size_t i = 0; i < forward->plan.step_count; i++)
        if (forward->kept_as[i] != 0)
            json_array_append_new(kept, json_pack("{s:i, s:i, s:s}", "step", forward->kept_as[i], "was",
                                                  forward->plan.steps[i].ordinal, "state",
                                                  forward->left[i] == LEFT_DONE ? "done" : "begun"));
    return kept;
}

typedef struct Told {
    const char *kind, *text;
    int64_t change_id;
    json_t *detail;
} Told;

/* Of the old change that it gave way, of the new one what it goes on with. */
static void make_told(Runner *runner, Arena *arena, const Forward *forward, Told *old, Told *new)
{
    const PlanReplaces *replaces = runner->plan.replaces;
    json_t *undone = json_array();
    for (size_t i = 0; i < replaces->undone_count; i++)
        json_array_append_new(undone, json_string(replaces->undone[i]));
    *old =
        (Told){.kind = "replaced",
               .change_id = forward->change_id,
               .text = arena_printf(arena, "gave way to other content, %s; steps kept: %zu, undone: %zu",
                                    runner->plan.change_digest, forward->kept_count, replaces->undone_count),
               .detail = json_pack("{s:s, s:s, s:o, s:o}", "from", forward->change_digest, "to",
                                   runner->plan.change_digest, "kept", kept_json(forward), "undone", undone)};
    *new = (Told){.kind = "kept",
                  .change_id = runner->change_id,
                  .text = arena_printf(arena, "goes on with what %s has done; steps kept: %zu",
                                       forward->change_digest, forward->kept_count),
                  .detail = json_pack("{s:s, s:I, s:o}", "from", forward->change_digest, "change_id",
                                      (json_int_t)forward->change_id, "kept", kept_json(forward))};
}

static Err *journal_told(Runner *runner, const Told *told)
{
    return journal_event(runner->conn, told->change_id, told->kind, 0, told->detail, told->text);
}

static Err *replace_in_tx(Runner *runner, Arena *arena, const Forward *forward, const Print *print, Told *old,
                          Told *new)
{
    TRY(lease_prove(runner));
    TRY(still_so(runner, forward, runner->name, true));
    TRY(journal_state(runner->conn, forward->change_id, "aborted", NULL, NULL));
    TRY(journal_insert(runner->conn, arena, &runner->plan, &runner->options->controls, &runner->change_id));
    TRY(hand_on_steps(runner, arena, forward));
    if (print != NULL)
        TRY(fingerprint_keep(runner, print));
    make_told(runner, arena, forward, old, new);
    TRY(journal_told(runner, old));
    if (forward->kept_count > 0)
        TRY(journal_told(runner, new));
    return failpoint_at("forward_before_commit");
}

static Err *replace_now(Runner *runner, Arena *arena, const Forward *forward, const Print *print, Told *old,
                        Told *new)
{
    const EngineOps *ops = runner->ops;
    Wait wait = journal_wait();
    TRY(ops->begin(runner->conn, &wait, &(TxSettings){.lock_timeout_ms = 5000}));
    Err *err = replace_in_tx(runner, arena, forward, print, old, new);
    if (err == NULL)
        err = ops->commit(runner->conn, &wait);
    if (err != NULL) {
        ops->rollback(runner->conn);
        runner->change_id = 0;
    }
    return err;
}

Err *forward_register(Runner *runner, const Forward *forward)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Told old = {0}, new = {0};
    Print print = {0};
    bool found = false;
    TRY(take_lease(runner, forward));
    TRY(fingerprint_hand_on(runner, arena, forward->change_id, &print, &found));
    Err *err =
        replace_now(runner, arena, forward, found && forward->kept_count > 0 ? &print : NULL, &old, &new);
    if (err == NULL)
        err = failpoint_at("forward_after_commit");
    if (err == NULL) {
        runner->told = true;
        runner_tell(runner, old.kind, 0, old.detail, old.text);
        if (forward->kept_count > 0)
            runner_tell(runner, new.kind, 0, new.detail, new.text);
    }
    json_decref(old.detail);
    json_decref(new.detail);
    return err;
}
