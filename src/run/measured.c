/* What status tells of plans and of what was counted. */
#include "run/runner.h"

/* As it stands among the plan's tables, quoted where it must be. */
static json_t *name_json(Arena *arena, const Plan *plan, const Name *name)
{
    if (name->name == NULL)
        return json_null();
    for (size_t i = 0; i < plan->table_count; i++) {
        Name known = {0};
        sql_name_parts(arena, plan->tables[i], &known.schema, &known.name);
        if (str_eq(known.schema, name->schema) && str_eq(known.name, name->name))
            return json_string(plan->tables[i]);
    }
    return name->schema == NULL ? json_string(name->name) : json_sprintf("%s.%s", name->schema, name->name);
}

static json_t *columns_json(const Step *step)
{
    json_t *columns = json_array();
    for (size_t i = 0; i < step->fill_count; i++)
        (void)json_array_append_new(columns, json_string(step->fills[i].column));
    return columns;
}

/* {"tables", "strategy", "no_revert", "steps": {"3": {…}}}: what never changes once a change has begun. */
static json_t *plan_facts(Arena *arena, const Plan *plan)
{
    json_t *tables = json_array(), *steps = json_object();
    char number[16];
    for (size_t i = 0; i < plan->table_count; i++)
        (void)json_array_append_new(tables, json_string(plan->tables[i]));
    for (size_t i = 0; i < plan->step_count + plan->revert_count; i++) {
        const Step *step = i < plan->step_count ? &plan->steps[i] : &plan->reverts[i - plan->step_count];
        json_t *estimate = step->estimate_high_ms <= 0
                               ? json_null()
                               : json_pack("{s:I, s:I}", "low", (json_int_t)step->estimate_low_ms, "high",
                                           (json_int_t)step->estimate_high_ms);
        (void)snprintf(number, sizeof number, "%d", step->ordinal);
        (void)json_object_set_new(steps, number,
                                  json_pack("{s:o, s:s, s:o, s:o}", "table",
                                            name_json(arena, plan, &step->table), "lock",
                                            step->lock == NULL ? "" : step->lock, "estimate_ms", estimate,
                                            "columns", columns_json(step)));
    }
    return json_pack("{s:o, s:s?, s:s?, s:o}", "tables", tables, "strategy", plan->strategy, "no_revert",
                     plan->no_revert, "steps", steps);
}

static Err *load_facts(Runner *runner, const char *id, json_t **ret_facts)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, arena, &rows, "SELECT plan FROM stoa.changes WHERE id = $1", id));
    const char *text = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 0);
    json_t *json = text == NULL ? NULL : json_loads(text, 0, NULL);
    Plan plan = {0};
    Err *err = json == NULL ? NULL : plan_from_json(arena, json, &plan);
    if (err != NULL) /* of a newer program: what it says is not known here */
        plan = (Plan){0};
    err_free(err);
    *ret_facts = plan_facts(arena, &plan);
    (void)json_object_set_new(*ret_facts, "plan", json != NULL ? json : json_null());
    return NULL;
}

static void add_facts(json_t *change, const json_t *facts)
{
    size_t i = 0;
    json_t *step = NULL;
    char number[24];
    (void)json_object_set(change, "tables", json_object_get(facts, "tables"));
    (void)json_object_set(change, "strategy", json_object_get(facts, "strategy"));
    (void)json_object_set(change, "no_revert", json_object_get(facts, "no_revert"));
    json_array_foreach(json_object_get(change, "steps"), i, step)
    {
        (void)snprintf(number, sizeof number, "%lld",
                       (long long)json_integer_value(json_object_get(step, "ordinal")));
        json_t *fact = json_object_get(json_object_get(facts, "steps"), number);
        if (fact != NULL)
            (void)json_object_update(step, fact);
    }
}

static Err *load_tallies(Runner *runner, json_t **ret_tallies)
{
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, runner->arena, &rows,
                    "SELECT change_id, body FROM stoa.checkpoints WHERE ordinal = $1", "0"));
    *ret_tallies = json_object();
    for (size_t i = 0; i < rows.row_count; i++)
        (void)json_object_set_new(*ret_tallies, rows_cell(&rows, i, 0),
                                  json_loads(rows_cell(&rows, i, 1), 0, NULL));
    return NULL;
}

/* Under "": {name: plan}, the newest of each name. */
static void keep_by_name(json_t *plans, const json_t *change, const json_t *facts)
{
    if (!json_is_object(json_object_get(plans, "")))
        (void)json_object_set_new(plans, "", json_object());
    (void)json_object_set(json_object_get(plans, ""), json_string_value(json_object_get(change, "name")),
                          json_object_get(facts, "plan"));
}

static Err *add_to(Runner *runner, json_t *change, json_t *plans, const json_t *tallies)
{
    json_int_t number = json_integer_value(json_object_get(change, "id"));
    const char *id = arena_printf(runner->arena, "%lld", (long long)number);
    json_t *facts = json_incref(json_object_get(plans, id)), *tally = json_object_get(tallies, id);
    if (facts == NULL) {
        TRY(load_facts(runner, id, &facts));
        if (plans != NULL)
            (void)json_object_set(plans, id, facts);
    }
    add_facts(change, facts);
    if (plans != NULL)
        keep_by_name(plans, change, facts);
    json_decref(facts);
    (void)json_object_set_new(change, "measured", json_is_object(tally) ? json_incref(tally) : json_object());
    return NULL;
}

Err *measured_add(Runner *runner, json_t *changes, json_t *plans)
{
    size_t i = 0;
    json_t *each = NULL, *tallies = NULL;
    Err *err = load_tallies(runner, &tallies);
    json_array_foreach(changes, i, each) if (err == NULL) err = add_to(runner, each, plans, tallies);
    json_decref(tallies);
    return err;
}
