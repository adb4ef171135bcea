/* The key, and what a measured plan has beyond the one by rule: locks, evidence and marks. */
#include "run/measure_known.h"

#include "base/digest.h"
#include "base/log.h"

#include <string.h>

enum { TEXT_MS = 10000 };

const char *measure_key(Runner *runner, Arena *arena, const Table *tables, size_t count,
                        const Mention *mentions, size_t mention_count, const Plan *plan)
{
    const Server *server = &runner->server;
    Wait wait = {.stop = runner->options->stop, .timeout_ms = TEXT_MS};
    CLEANUP(str_donep) Str text = STR_INIT;
    if (runner->ops->clone_text == NULL || str_eq(server->system_id, ""))
        return NULL;
    str_addf(&text, "%s %s %s %s %d\n", server->system_id, server->version, server->role, plan->plan_digest,
             runner->options->plan.measured_in_schema);
    for (size_t i = 0; i < count; i++)
        str_addf(&text, "%s.%s %d %d\n", tables[i].schema == NULL ? "" : tables[i].schema, tables[i].name,
                 (int)tables[i].kind, tables[i].empty);
    Err *err =
        runner->ops->clone_text(runner->conn, &wait, server, tables, count, mentions, mention_count, &text);
    if (err != NULL)
        log_line(LOG_DEBUG, "no key for the plan: %s", err->msg);
    bool known = err == NULL;
    err_free(err);
    return known ? digest_text(arena, text.buf, text.len) : NULL;
}

/* Of the steps, what the server told; all else is this database's own. */
static void take_steps(Arena *arena, const Plan *from, Plan *plan)
{
    Step *steps = arena_alloc(arena, (plan->step_count + 1) * sizeof *steps);
    for (size_t i = 0; i < plan->step_count; i++) {
        steps[i] = plan->steps[i];
        steps[i].lock = from->steps[i].lock;
        steps[i].lock_on = from->steps[i].lock_on;
        steps[i].lock_modes = from->steps[i].lock_modes;
        steps[i].lock_count = from->steps[i].lock_count;
        steps[i].evidence = from->steps[i].evidence;
    }
    plan->steps = steps;
}

bool measure_take(Runner *runner, Arena *arena, const char *key, Plan *plan)
{
    const json_t *json = key == NULL ? NULL : json_object_get(runner->options->measured, key);
    Plan from = {0}, taken = *plan;
    if (json == NULL)
        return false;
    Err *err = plan_from_json(arena, json, &from);
    bool fits = err == NULL && from.step_count == plan->step_count;
    err_free(err);
    if (!fits)
        return false;
    take_steps(arena, &from, &taken);
    taken.marks = from.marks;
    taken.mark_count = from.mark_count;
    taken.plan_digest = plan_digest_make(arena, &taken);
    if (!str_eq(taken.plan_digest, from.plan_digest))
        return false;
    *plan = taken;
    return true;
}

void measure_tell(Runner *runner, const char *key, const Plan *plan)
{
    if (key == NULL)
        return;
    json_t *detail = json_pack("{s:s, s:o}", "key", key, "plan", plan_to_json(plan));
    runner_tell(runner, "measured", 0, detail, "tried out on an empty copy");
    json_decref(detail);
}
