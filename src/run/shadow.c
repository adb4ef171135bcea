/* The steps of a table that is brought into its shadow: each begins by opening the run, and does what those
 * before it left undone. */
#include "run/shadow.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/unit.h"

#include <stdlib.h>

enum {
    STALL_SHARE = 100, /* an attempt to make triggers is followed by so many times its length of rest */
};

/* What was learnt over a lost connection may be wrong when the server comes back without its last commits:
 * the checkpoint knows. A stop leaves one behind. */
Err *shadow_failed(Runner *runner, Err *err)
{
    if (err_is(err, ERR_STOPPED))
        for (ShadowRun *run = runner->shadows; run != NULL; run = run->next)
            err_free(shadow_save(run));
    if (err_is(err, ERR_CONN_LOST) || err_is(err, ERR_CONNECT)) {
        shadow_close_all(runner);
        err->kind = ERR_CONN_LOST; /* a worker's: connect again, then go on */
    }
    return err;
}

/* ---- capture -------------------------------------------------------------------------------- */

/* Triggers need the table for a moment: attempts, each shorter than --max-stall, and rests. */
Err *shadow_capture_begin(Runner *runner, Arena *arena, const ShadowSpec *spec, const char **ret_position)
{
    int64_t from = runner_clock_ms(runner);
    for (;;) {
        TRY(control_gate(runner));
        Controls controls = control_settings(runner);
        Wait wait = {.stop = runner->options->stop, .timeout_ms = controls.max_stall_ms};
        if (spec->capture == CAPTURE_LOG)
            wait.timeout_ms = JOURNAL_TIMEOUT_MS;
        int64_t began = clock_ms();
        Err *err = runner->ops->shadow->capture_begin(runner->conn, &wait, arena, spec, ret_position);
        if (err == NULL || !err_is_transient(err) || err->kind == ERR_CONN_LOST)
            return err;
        if (runner_clock_ms(runner) - from > controls.lock_wait_ms) {
            err->kind = ERR_LOCK_BUDGET;
            return err;
        }
        err_free(err);
        int64_t stalled_ms =
            spec->capture == CAPTURE_LOG ? 0 : clock_ms() - began; /* nobody waits for us there */
        stop_sleep(runner->options->stop, stalled_ms * STALL_SHARE / 3 + 20 + random() % 20);
    }
}

/* Of complete: nothing is brought over any more, in neither direction. */
static Err *no_more_capture(Runner *runner, const Step *step, const ShadowSpec *spec)
{
    Wait wait = runner_wait(runner);
    TRY(runner->ops->shadow->capture_end(runner->conn, &wait, spec));
    TRY(failpoint_at("capture_ended"));
    return journal_step_done(runner->conn, &runner->lease, runner->change_id, step->ordinal);
}

/* A disk that is full stops the application, so there must be room for the whole copy and a tenth more, where
 * that can be known. */
static Err *check_room(Runner *runner, Arena *arena, const ShadowSpec *spec)
{
    Wait wait = runner_wait(runner);
    Table table = {0};
    const char *source = "";
    int64_t bytes = -1;
    if (runner->ops->disk_free == NULL)
        return NULL;
    TRY(runner_load_table(runner, arena, &(Name){.schema = spec->schema, .name = spec->source}, &table));
    Err *err = runner->ops->disk_free(runner->conn, &wait, arena, &bytes, &source);
    bool unknown = err_is(err, ERR_SQL) || err_is(err, ERR_PRIVILEGE) || err_is(err, ERR_USAGE);
    if (err != NULL && !unknown)
        return err;
    err_free(err);
    int64_t needed = table.total_bytes + table.total_bytes / 10;
    char needed_text[UNIT_TEXT_BYTES], free_text[UNIT_TEXT_BYTES];
    if (unknown || bytes < 0 || bytes >= needed)
        return NULL;
    return err_hint(err_new(ERR_UNSAFE, "the copy of \"%s\" needs %s of disk, and %s are free (%s)",
                            spec->source, unit_size_text(needed, needed_text),
                            unit_size_text(bytes, free_text), source),
                    "make room, then: stoa resume %s; or undo it: stoa abort %s", runner->name, runner->name);
}

Err *shadow_capture(Runner *runner, const Step *step)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const ShadowSpec *spec = shadow_spec_of(runner, arena, step);
    const char *position = NULL;
    if (step->phase == PHASE_CONTRACT)
        return no_more_capture(runner, step, spec);
    TRY(check_room(runner, arena, spec));
    TRY(shadow_capture_begin(runner, arena, spec, &position));
    TRY(failpoint_at("capture_begun"));
    json_t *body = json_pack("{s:s}", "position", position);
    CLEANUP(mem_freep) char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    /* This commit is behind all that the log tells before the position, so that a chunk sees it. */
    TRY(journal_checkpoint(runner->conn, &runner->lease, runner->change_id, step->ordinal, text));
    TRY(failpoint_at("capture_noted"));
    return journal_step_done(runner->conn, &runner->lease, runner->change_id, step->ordinal);
}

/* ---- copy and compare ----------------------------------------------------------------------- */

static Err *step_done(Runner *runner, const Step *step)
{
    TRY(failpoint_at("shadow_before_journal"));
    return journal_step_done(runner->conn, &runner->lease, runner->change_id, step->ordinal);
}

Err *shadow_copy(Runner *runner, const Step *step)
{
    ShadowRun *run = NULL;
    int64_t from = clock_ms();
    Err *err = shadow_open(runner, step, &run);
    int64_t before = err == NULL ? run->copy.rows : 0;
    if (err == NULL)
        err = shadow_until_copied(run);
    if (err != NULL)
        return shadow_failed(runner, err);
    runner->summary.rows_filled += run->copy.rows > before ? run->copy.rows - before : run->copy.rows;
    runner->summary.backfill_ms += clock_ms() - from;
    runner_event(runner, "copied", step->ordinal, NULL, "%lld rows copied, %lld changed rows brought over",
                 (long long)run->copy.rows, (long long)run->keys_applied);
    return shadow_failed(runner, step_done(runner, step));
}

Err *shadow_compare(Runner *runner, const Step *step)
{
    ShadowRun *run = NULL;
    Err *err = shadow_open(runner, step, &run);
    if (err == NULL)
        err = shadow_until_compared(run);
    if (err == NULL)
        err = step_done(runner, step);
    return shadow_failed(runner, err);
}

/* ---- undoing -------------------------------------------------------------------------------- */

static Err *undo_swap(Runner *runner, Arena *arena, const ShadowSpec *spec)
{
    const ShadowOps *ops = runner->ops->shadow;
    Wait wait = runner_wait(runner);
    SwapState state = SWAP_UNKNOWN;
    TRY(ops->swap_state(runner->conn, &wait, arena, spec, &state));
    if (state == SWAP_DONE)
        return err_hint(
            err_new(ERR_UNSAFE, "the swap of \"%s\" is done: it cannot be aborted any more", spec->source),
            "go on: stoa resume %s; then go back: stoa revert %s", runner->name, runner->name);
    return ops->swap_clear(runner->conn, &wait, spec);
}

Err *shadow_undo(Runner *runner, const Step *step)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const ShadowSpec *spec = shadow_spec_of(runner, arena, step);
    Wait wait = runner_wait(runner);
    json_t *body = NULL;
    shadow_close_all(runner);
    TRY(journal_load_checkpoint(runner->conn, arena, runner->change_id, shadow_ordinal(runner, step), &body));
    Err *err = shadow_end_sessions(runner, body);
    json_decref(body);
    TRY(err);
    const Step *back = step->kind == STEP_SWAP ? shadow_step_back(runner, spec) : NULL;
    if (step->kind == STEP_SWAP)
        TRY(undo_swap(runner, arena, spec));
    if (back != NULL)
        TRY(runner->ops->shadow->capture_end(runner->conn, &wait, shadow_spec_of(runner, arena, back)));
    if (step->kind == STEP_CAPTURE)
        TRY(runner->ops->shadow->capture_end(runner->conn, &wait, spec));
    TRY(failpoint_at("undo_between"));
    return journal_forget_checkpoint(runner->conn, runner->change_id, step->ordinal);
}

Err *shadow_contract(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    for (size_t i = 0; i < runner->plan.step_count; i++) {
        const Step *step = &runner->plan.steps[i];
        if (step->kind == STEP_CAPTURE)
            TRY(runner->ops->shadow->capture_end(runner->conn, &wait, shadow_spec_of(runner, arena, step)));
    }
    return NULL;
}
