/* A change of MySQL or MariaDB that stopped half-way: its tables as they were before it. */
#include "run/forward.h"

enum { CLONE_MS = 30000, STATEMENT_MS = 20000 };

typedef struct Strip {
    Runner *runner;
    Forward *forward;
    Table *real;           /* the tables that the old change has altered, as they are */
    const StepLook **look; /* of the first step that altered it; as many */
    size_t count;
    const char *why;
} Strip;

/* A statement that was begun: the definition tells whether it has come through. What it does not tell counts
 * as done, since doing or undoing it once more harms nothing. */
Err *forward_look_my(Runner *runner, const Step *step, StepLeft *ret_left)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    bool before = true, after = true;
    for (size_t i = 0; i < step->look_count; i++) {
        const StepLook *look = &step->looks[i];
        const char *text = NULL, *now = NULL;
        TRY(definition_digest(runner->ops, runner->conn, &wait, arena, &look->table, &text, &now));
        before = before && str_eq(now, look->before);
        after = after && str_eq(now, look->after);
    }
    *ret_left = before && !after ? LEFT_NOTHING : LEFT_BEGUN;
    return NULL;
}

static Err *load_real(Strip *strip, Arena *arena)
{
    const Plan *plan = &strip->forward->plan;
    strip->real = arena_alloc(arena, (plan->step_count + 1) * sizeof *strip->real);
    strip->look = arena_alloc(arena, (plan->step_count + 1) * sizeof *strip->look);
    for (size_t i = 0; i < plan->step_count; i++) {
        const Step *step = &plan->steps[i];
        bool known = !forward_alters_my(strip->forward, i);
        for (size_t k = 0; k < strip->count && !known; k++)
            known = str_eq(strip->real[k].name, step->table.name);
        if (known)
            continue;
        Table *table = &strip->real[strip->count];
        TRY(runner_load_table(strip->runner, arena, &step->table, table));
        if (table->kind == RELATION_MISSING) {
            strip->why = arena_printf(arena, "\"%s\" is gone", step->table.name);
            return NULL;
        }
        strip->look[strip->count++] = &step->looks[0];
    }
    return NULL;
}

/* In the copy, from the last to the first. */
static Err *undo_in(Strip *strip, Arena *arena, Conn *clone)
{
    Forward *forward = strip->forward;
    Wait wait = {.stop = strip->runner->options->stop, .timeout_ms = STATEMENT_MS};
    for (size_t i = forward->plan.step_count; i-- > 0;) {
        const Step *step = &forward->plan.steps[i];
        if (!forward_alters_my(forward, i))
            continue;
        Err *err = strip->runner->ops->clone_run(clone, &wait, step->undo, step->undo_count, false);
        if (err_is(err, ERR_SQL) || err_is(err, ERR_UNSAFE)) {
            strip->why = arena_printf(arena, "\"%s\" cannot be taken back on an empty copy: %s", step->title,
                                      err_root(err)->msg);
            err_free(err);
            return NULL;
        }
        TRY(err);
    }
    return NULL;
}

static Err *read_one(Strip *strip, Arena *arena, Conn *clone, size_t at)
{
    const EngineOps *ops = strip->runner->ops;
    const Table *real = &strip->real[at];
    const StepLook *look = strip->look[at];
    Wait wait = {.stop = strip->runner->options->stop, .timeout_ms = STATEMENT_MS};
    const char *text = NULL, *digest = NULL;
    Table copy = {0};
    TRY(definition_digest(ops, clone, &wait, arena, &look->table, &text, &digest));
    if (!str_eq(digest, look->before)) {
        strip->why =
            arena_printf(arena,
                         "without the old change \"%s\" is not what it was before: somebody else has "
                         "changed it",
                         real->name);
        return NULL;
    }
    TRY(ops->load_table(clone, &wait, arena, &strip->runner->server, NULL, real->name, &copy));
    forward_strip_my(arena, strip->forward, real, &copy, text, &strip->forward->stripped[at]);
    return NULL;
}

static Err *strip_in(Strip *strip, Arena *arena, Conn *clone)
{
    Forward *forward = strip->forward;
    forward->stripped = arena_alloc(arena, (strip->count + 1) * sizeof *forward->stripped);
    TRY(undo_in(strip, arena, clone));
    for (size_t i = 0; i < strip->count && strip->why == NULL; i++)
        TRY(read_one(strip, arena, clone, i));
    forward->stripped_count = strip->count;
    return NULL;
}

Err *forward_open_my(Runner *runner, Forward *forward, const char **ret_why)
{
    Arena *arena = runner->arena;
    Strip strip = {.runner = runner, .forward = forward};
    *ret_why = forward_why_not_my(arena, forward);
    if (*ret_why != NULL)
        return NULL;
    TRY(load_real(&strip, arena));
    if (strip.why == NULL && strip.count > 0) {
        Wait wait = {.stop = runner->options->stop, .timeout_ms = CLONE_MS};
        Clone *clone = NULL;
        TRY(runner->ops->clone_open(&runner->options->target, runner->conn, &wait, &runner->server,
                                    strip.real, strip.count, NULL, 0, false, &clone));
        Err *err = strip_in(&strip, arena, runner->ops->clone_conn(clone));
        runner->ops->clone_close(clone);
        TRY(err);
    }
    *ret_why = strip.why;
    return NULL;
}

void forward_take_my(const Forward *forward, Table *tables, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < forward->stripped_count; k++)
            if (str_eq(tables[i].name, forward->stripped[k].name))
                tables[i] = forward->stripped[k];
}
