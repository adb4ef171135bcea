/* The life of a run: opened from its checkpoint, begun anew where that is worth nothing any more, closed. */
#include "run/shadow.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BYTES = 4 << 20, /* of the source, by its average row */
    CHUNK_ROWS_MAX = 50000,
    ORPHAN_MS = 30000,
    RESTARTS_MAX = 3, /* of one process: a copy that loses its log each time never ends */
};

/* ---- which ---------------------------------------------------------------------------------- */

static bool same_table(const ShadowSpec *a, const ShadowSpec *b)
{
    return str_eq(a->schema, b->schema) && str_eq(a->source, b->source) && str_eq(a->shadow, b->shadow);
}

static const Step *capture_step(const Runner *runner, const ShadowSpec *spec)
{
    for (size_t i = 0; i < runner->plan.step_count; i++) {
        const Step *step = &runner->plan.steps[i];
        if (step->kind == STEP_CAPTURE && step->phase != PHASE_CONTRACT && same_table(step->shadow, spec))
            return step;
    }
    return NULL;
}

const Step *shadow_step_back(const Runner *runner, const ShadowSpec *spec)
{
    for (size_t i = 0; i < runner->plan.revert_count; i++) {
        const Step *step = &runner->plan.reverts[i];
        if (step->kind == STEP_SWAP && str_eq(step->shadow->source, spec->source) &&
            str_eq(step->shadow->schema, spec->schema))
            return step;
    }
    return NULL;
}

int shadow_ordinal(const Runner *runner, const Step *step)
{
    const Step *begins = step->phase == PHASE_REVERT ? NULL : capture_step(runner, step->shadow);
    return begins != NULL ? begins->ordinal : step->ordinal;
}

const ShadowSpec *shadow_spec_of(const Runner *runner, Arena *arena, const Step *step)
{
    ShadowSpec *spec = arena_alloc(arena, sizeof *spec);
    *spec = *step->shadow;
    spec->change_id = runner->change_id;
    return spec;
}

/* ---- the checkpoint ------------------------------------------------------------------------- */

/* What stood in the body before a restart of the process is of no use to the next one: only what is true now.
 */
static json_t *sessions_json(ShadowRun *run)
{
    Wait wait = journal_wait();
    json_t *list = json_array();
    for (size_t i = 0; i < SHADOW_WORKERS_MAX; i++) {
        Worker *worker = &run->workers[i];
        if (worker->conn == NULL)
            continue;
        if (worker->session_started == NULL) {
            const char *started = NULL;
            Err *err = run->runner->ops->session_started(worker->conn, &wait, run->arena, &started);
            worker->session_started = err == NULL && started != NULL ? started : "";
            err_free(err);
        }
        json_array_append_new(list, json_pack("[I,s]", (json_int_t)run->runner->ops->session_id(worker->conn),
                                              worker->session_started));
    }
    return list;
}

Err *shadow_save(ShadowRun *run)
{
    json_t *sessions = sessions_json(run);
    pthread_mutex_lock(&run->lock);
    const char *position = keys_position(run->keys);
    json_t *body =
        json_pack("{s:s?, s:s?, s:b, s:b, s:s?, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
                  "position", position != NULL ? position : run->begun_at, "low", pass_watermark(&run->copy),
                  "through", (int)pass_is_through(&run->copy), "copied", (int)run->copied, "compare_low",
                  run->settled, "compare_through", (int)run->settled_through, "compared", (int)run->compared,
                  "rows", (json_int_t)run->copy.rows, "checked", (json_int_t)run->compare.rows, "total",
                  (json_int_t)run->row_estimate, "size", (json_int_t)run->copy.size, "compare_size",
                  (json_int_t)run->compare.size, "keys", (json_int_t)run->keys_applied, "repaired",
                  (json_int_t)run->repaired, "busy_ms", (json_int_t)run->busy_ms, "sessions", sessions);
    pthread_mutex_unlock(&run->lock);
    CLEANUP(mem_freep) char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    TRY(failpoint_at("checkpoint_before"));
    TRY(journal_checkpoint(run->runner->conn, &run->runner->lease, run->runner->change_id, run->ordinal,
                           text));
    run->saved_at_ms = clock_ms();
    return failpoint_at("checkpoint_after");
}

Err *shadow_save_if_due(ShadowRun *run)
{
    return clock_ms() - run->saved_at_ms >= SHADOW_SAVE_MS ? shadow_save(run) : NULL;
}

static int64_t int_of(const json_t *body, const char *key)
{
    return json_integer_value(json_object_get(body, key));
}

static void restore_pass(Pass *pass, const json_t *body, const char *low, const char *rows, const char *size)
{
    const char *text = json_string_value(json_object_get(body, low));
    pass->low = text == NULL ? NULL : mem_dup(text);
    pass->rows = int_of(body, rows);
    if (int_of(body, size) > 0)
        pass->size = int_of(body, size);
}

static void restore(ShadowRun *run, const json_t *body)
{
    run->copied = json_is_true(json_object_get(body, "copied"));
    run->compared = json_is_true(json_object_get(body, "compared"));
    restore_pass(&run->copy, body, "low", "rows", "size");
    restore_pass(&run->compare, body, "compare_low", "checked", "compare_size");
    run->copy.through = run->copied || json_is_true(json_object_get(body, "through"));
    run->compare.through = run->compared || json_is_true(json_object_get(body, "compare_through"));
    shadow_settled(run);
    run->keys_applied = int_of(body, "keys");
    run->repaired = int_of(body, "repaired");
    run->busy_ms = int_of(body, "busy_ms");
    tally_at_least(&run->runner->tally, run->ordinal, "sums", "rows", run->copy.rows);
}

Err *shadow_end_sessions(Runner *runner, const json_t *body)
{
    size_t at = 0;
    const json_t *each = NULL;
    Wait wait = {.stop = runner->options->stop, .timeout_ms = ORPHAN_MS};
    json_array_foreach(json_object_get(body, "sessions"), at, each)
    {
        const char *started = json_string_value(json_array_get(each, 1));
        if (started == NULL || started[0] == '\0')
            continue;
        Err *err = runner->ops->end_session(runner->conn, &wait, json_integer_value(json_array_get(each, 0)),
                                            started);
        if (!err_is(err, ERR_PRIVILEGE)) /* the lease's epoch keeps its checkpoints out all the same */
            TRY(err);
        err_free(err);
    }
    return NULL;
}

/* ---- the source ----------------------------------------------------------------------------- */

/* The swap knows what the source looked like when the plan was made. */
static const StepLook *source_look(const ShadowRun *run)
{
    const Plan *plan = &run->runner->plan;
    const Step *swap = run->back ? run->step : NULL;
    for (size_t i = 0; swap == NULL && i < plan->step_count; i++)
        if (plan->steps[i].kind == STEP_SWAP && same_table(plan->steps[i].shadow, run->spec))
            swap = &plan->steps[i];
    for (size_t i = 0; swap != NULL && i < swap->look_count; i++)
        if (str_eq(swap->looks[i].table.name, run->spec->source))
            return &swap->looks[i];
    return NULL;
}

Err *shadow_source_check(ShadowRun *run)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Runner *runner = run->runner;
    Wait wait = runner_wait(runner);
    const StepLook *look = source_look(run);
    const char *text = NULL;
    if (look == NULL || look->before == NULL)
        return NULL;
    TRY(runner->ops->definition(runner->conn, &wait, arena, run->spec->schema, run->spec->source, &text));
    if (text != NULL && str_eq(digest_text(arena, text, strlen(text)), look->before))
        return NULL;
    return err_hint(err_new(ERR_UNSAFE,
                            "table \"%s\" is not what it was when the plan was made: somebody "
                            "else has changed it",
                            run->spec->source),
                    "undo with: stoa abort %s, then apply again", runner->name);
}

/* ---- beginning anew ------------------------------------------------------------------------- */

static void reset(ShadowRun *run)
{
    pass_reset(&run->copy);
    pass_reset(&run->compare);
    suspects_clear(run);
    shadow_settled(run);
    run->copied = run->compared = false;
}

Err *shadow_begin_anew(ShadowRun *run, const char *why)
{
    Runner *runner = run->runner;
    Wait wait = runner_wait(runner);
    bool lost = why != NULL;
    if (lost && ++run->restarts > RESTARTS_MAX)
        return err_hint(err_new(ERR_UNSAFE, "the copy of \"%s\" has begun anew %d times already: %s",
                                run->spec->source, RESTARTS_MAX, why),
                        "mend the cause, then: stoa resume %s; or undo it: stoa abort %s", runner->name,
                        runner->name);
    runner_event(runner, "restarted", run->step->ordinal, NULL,
                 lost ? "the copy of \"%s\" begins anew: %s" : "\"%s\" was emptied: the copy begins anew",
                 run->spec->source, why);
    reset(run);
    if (lost) {
        const char *position = NULL;
        shadow_read_stop(run);
        keys_clear(run->keys);
        TRY(shadow_capture_begin(runner, run->arena, run->spec, &position));
        TRY(shadow_source_check(run));
        TRY(shadow_read_start(run, position));
    }
    if (shadow_stays(run)) /* what says that it was emptied goes as well: a successor must know without */
        TRY(shadow_save(run));
    TRY(failpoint_at("shadow_empties"));
    TRY(run->ops->empty(runner->conn, &wait, run->spec));
    return shadow_save(run);
}

/* ---- opening -------------------------------------------------------------------------------- */

static ShadowRun *run_new(Runner *runner, const Step *step)
{
    ShadowRun *run = mem_zero(sizeof *run);
    run->arena = arena_new();
    run->runner = runner;
    run->ops = runner->ops->shadow;
    run->spec = shadow_spec_of(runner, run->arena, step);
    run->back = step->phase == PHASE_REVERT;
    run->ordinal = shadow_ordinal(runner, step);
    run->keys = keys_new(SHADOW_KEY_BYTES);
    run->applier_count = run->spec->key_exact ? SHADOW_WORKERS : 1;
    run->told_at_ms = run->saved_at_ms = clock_ms();
    run->behind_ms = run->behind_bytes = -1;
    if (pthread_mutex_init(&run->lock, NULL) != 0 || pthread_cond_init(&run->wake, NULL) != 0)
        abort();
    pass_init(&run->copy);
    pass_init(&run->compare);
    return run;
}

/* Figures only: how many rows there are about, and how many make a chunk of some megabytes. */
static void size_up(ShadowRun *run)
{
    Table table = {0};
    const Name name = {.schema = run->spec->schema, .name = run->spec->source};
    Err *err = runner_load_table(run->runner, run->arena, &name, &table);
    int64_t row_bytes = table.row_estimate > 0 ? table.heap_bytes / table.row_estimate : 0;
    run->row_estimate = table.row_estimate;
    run->rows_max = row_bytes > 0 ? CHUNK_BYTES / row_bytes + 1 : CHUNK_ROWS_MAX;
    run->rows_max = run->rows_max > CHUNK_ROWS_MAX ? CHUNK_ROWS_MAX : run->rows_max;
    err_free(err);
}

/* The way back begins where the table was locked for the swap; every row is in the old table then. */
static Err *load_body(Runner *runner, ShadowRun *run, json_t **ret_body)
{
    TRY(journal_load_checkpoint(runner->conn, run->arena, runner->change_id, run->ordinal, ret_body));
    if (*ret_body != NULL || !run->back)
        return NULL;
    for (size_t i = 0; i < runner->plan.step_count && *ret_body == NULL; i++) {
        const Step *step = &runner->plan.steps[i];
        if (step->kind == STEP_SWAP && str_eq(step->shadow->source, run->spec->source) &&
            str_eq(step->shadow->schema, run->spec->schema))
            TRY(journal_load_checkpoint(runner->conn, run->arena, runner->change_id, step->ordinal,
                                        ret_body));
    }
    if (*ret_body == NULL && shadow_stays(run)) /* captured since the transaction of the swap */
        *ret_body = json_pack("{s:s, s:b}", "position", "server", "copied", 1);
    return NULL;
}

static Err *no_position(const ShadowRun *run)
{
    if (run->back)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "nothing tells what was written to \"%s\" since the swap: the old table cannot "
                    "be brought up to date",
                    run->spec->source),
            "go forward with: stoa complete %s", run->runner->name);
    return err_new(ERR_BUG, "the capture of \"%s\" has no checkpoint", run->spec->source);
}

/* Rows that made room for others when a process died: nothing else would bring them back. */
static Err *take_debts(ShadowRun *run)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(run->runner);
    KeyList owed = {0};
    if (shadow_stays(run))
        return NULL;
    TRY(run->ops->owed(run->runner->conn, &wait, arena, run->spec, &owed));
    keys_owe(run->keys, NULL, 0, &owed);
    return NULL;
}

static Err *open_from(ShadowRun *run, const json_t *body)
{
    const char *position = json_string_value(json_object_get(body, "position"));
    if (position == NULL)
        return no_position(run);
    TRY(shadow_end_sessions(run->runner, body));
    restore(run, body);
    TRY(take_debts(run));
    size_up(run);
    TRY(shadow_source_check(run));
    Err *err = shadow_read_start(run, position);
    if (!err_is(err, ERR_GONE) || run->back)
        return err;
    CLEANUP(mem_freep) char *text = err_text(err);
    err_free(err);
    return shadow_begin_anew(run, text);
}

Err *shadow_open(Runner *runner, const Step *step, ShadowRun **ret_run)
{
    for (ShadowRun *run = runner->shadows; run != NULL; run = run->next)
        if (same_table(run->spec, step->shadow) && run->back == (step->phase == PHASE_REVERT)) {
            run->step = step;
            *ret_run = run;
            return NULL;
        }
    ShadowRun *run = run_new(runner, step);
    run->step = step;
    json_t *body = NULL;
    Err *err = load_body(runner, run, &body);
    if (err == NULL)
        err = open_from(run, body);
    json_decref(body);
    run->next = runner->shadows;
    runner->shadows = run;
    if (err != NULL)
        shadow_close(run);
    else
        *ret_run = run;
    return err;
}

void shadow_close(ShadowRun *run)
{
    ShadowRun **at = &run->runner->shadows;
    while (*at != NULL && *at != run)
        at = &(*at)->next;
    if (*at == run)
        *at = run->next;
    shadow_read_stop(run);
    shadow_workers_stop(run);
    pass_done(&run->copy);
    pass_done(&run->compare);
    suspects_clear(run);
    free(run->suspects);
    free(run->begun_at);
    free(run->settled);
    keys_free(run->keys);
    (void)pthread_mutex_destroy(&run->lock);
    (void)pthread_cond_destroy(&run->wake);
    arena_free(run->arena);
    free(run);
}

void shadow_close_all(Runner *runner)
{
    while (runner->shadows != NULL)
        shadow_close(runner->shadows);
}
