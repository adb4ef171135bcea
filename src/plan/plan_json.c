/* A plan as JSON and back without loss: what the journal keeps and `plan --json` prints. */
#include "base/str.h"
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing -------------------------------------------------------------------------------- */

static void put(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

static json_t *text_json(const char *text) { return text == NULL ? json_null() : json_string(text); }

static json_t *name_json(Name name)
{
    if (name.name == NULL)
        return json_null();
    json_t *json = json_object();
    put(json, "schema", text_json(name.schema));
    put(json, "name", json_string(name.name));
    return json;
}

static void extend(json_t *list, const char *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_string(items[i]));
}

static json_t *list_json(const char *const *items, size_t count)
{
    json_t *json = json_array();
    extend(json, items, count);
    return json;
}

/* Statements as one text; null where there are none. */
static json_t *joined_json(const json_t *statements)
{
    if (json_array_size(statements) == 0)
        return json_null();
    Str str CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < json_array_size(statements); i++) {
        str_sep(&str, ";\n");
        str_add(&str, json_string_value(json_array_get(statements, i)));
    }
    return json_string(str.buf);
}

static json_t *sync_json(const SyncColumn *sync)
{
    json_t *json = json_object();
    put(json, "change_id", json_integer(sync->change_id));
    put(json, "column", text_json(sync->column));
    put(json, "expr", text_json(sync->expr));
    put(json, "sources", list_json(sync->sources, sync->source_count));
    put(json, "counter", text_json(sync->counter));
    put(json, "back", sync_backs_to_json(sync->back, sync->back_count));
    put(json, "null_ok", json_boolean(sync->null_ok));
    put(json, "after", json_boolean(sync->after));
    return json;
}

static json_t *fills_json(const FillColumn *fills, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const FillColumn *fill = &fills[i];
        json_t *json = json_object();
        put(json, "column", text_json(fill->column));
        put(json, "type", text_json(fill->type));
        put(json, "expr", text_json(fill->expr));
        put(json, "immutable", json_boolean(fill->immutable));
        put(json, "null_legal", json_boolean(fill->null_legal));
        put(json, "exact_equality", json_boolean(fill->exact_equality));
        put(json, "sync", sync_json(&fill->sync));
        (void)json_array_append_new(list, json);
    }
    return list;
}

static json_t *checks_json(const Check *checks, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const Check *check = &checks[i];
        json_t *json = json_object();
        put(json, "label", text_json(check->label));
        put(json, "predicate", text_json(check->predicate));
        put(json, "query", text_json(check->query));
        put(json, "evaluate_only", json_boolean(check->evaluate_only));
        put(json, "count_only", json_boolean(check->count_only));
        put(json, "hint", text_json(check->hint));
        (void)json_array_append_new(list, json);
    }
    return list;
}

static json_t *looks_json(const StepLook *looks, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *json = json_object();
        put(json, "table", name_json(looks[i].table));
        put(json, "before", text_json(looks[i].before));
        put(json, "after", text_json(looks[i].after));
        (void)json_array_append_new(list, json);
    }
    return list;
}

static void put_statements(json_t *json, const Step *step)
{
    json_t *sql = list_json(step->sql, step->sql_count);
    extend(sql, step->sync_sql, step->sync_sql_count);
    put(json, "sql", joined_json(sql));
    put(json, "statements", sql);
    put(json, "sync_statement_count", json_integer((json_int_t)step->sync_sql_count));
    json_t *undo = list_json(step->sync_undo, step->sync_undo_count);
    extend(undo, step->undo, step->undo_count);
    json_t *whole = json_array();
    for (size_t i = 0; i < step->undo_step_count; i++)
        extend(whole, step->undo_steps[i].sql, step->undo_steps[i].sql_count);
    (void)json_array_extend(whole, undo);
    put(json, "undo", joined_json(whole));
    json_decref(whole);
    put(json, "undo_statements", undo);
    put(json, "sync_undo_count", json_integer((json_int_t)step->sync_undo_count));
}

static json_t *step_alone_json(const Step *step)
{
    json_t *json = json_object(), *estimate = json_object();
    put(json, "ordinal", json_integer(step->ordinal));
    put(json, "phase", json_string(phase_name(step->phase)));
    put(json, "kind", json_string(step_kinds[step->kind].name));
    put(json, "title", text_json(step->title));
    put_statements(json, step);
    put(json, "lock", text_json(step->lock));
    put(json, "lock_on", list_json(step->lock_on, step->lock_count));
    put(json, "lock_modes", list_json(step->lock_modes, step->lock_count));
    put(json, "lock_tree", json_integer((json_int_t)step->lock_tree));
    put(json, "rewrites", json_boolean(step->rewrites));
    put(json, "scans", json_boolean(step->scans));
    put(json, "evidence", json_string(evidence_name(step->evidence)));
    put(json, "timeout", json_string(timeout_name(step->timeout)));
    put(estimate, "low", json_integer(step->estimate_low_ms));
    put(estimate, "high", json_integer(step->estimate_high_ms));
    put(json, "estimate_ms", estimate);
    put(json, "table", name_json(step->table));
    put(json, "sync", json_boolean(step->sync));
    put(json, "needs_back", json_boolean(step->needs_back));
    put(json, "fills", fills_json(step->fills, step->fill_count));
    put(json, "quiet_triggers", json_boolean(step->quiet_triggers));
    if (step->as_written)
        put(json, "as_written", json_true());
    if (step->unchecked)
        put(json, "unchecked", json_true());
    if (step->look_count > 0)
        put(json, "looks", looks_json(step->looks, step->look_count));
    if (step->shadow != NULL)
        put(json, "shadow", shadow_spec_to_json(step->shadow));
    put(json, "checks", checks_json(step->checks, step->check_count));
    put(json, "index", text_json(step->index));
    put(json, "columns", list_json(step->columns, step->column_count));
    put(json, "counters", json_boolean(step->counters));
    put(json, "index_unique", json_boolean(step->index_unique));
    put(json, "role", text_json(step->role));
    if (step->kept != STEP_KEPT_NOT)
        put(json, "kept", text_json(step_kept_name(step->kept)));
    return json;
}

static json_t *step_json(const Step *step)
{
    json_t *json = step_alone_json(step), *undo_steps = json_array();
    for (size_t i = 0; i < step->undo_step_count; i++)
        (void)json_array_append_new(undo_steps, step_alone_json(&step->undo_steps[i]));
    put(json, "undo_steps", undo_steps);
    return json;
}

json_t *step_work_json(const Step *step)
{
    Step work = *step;
    work.ordinal = 0;
    work.title = work.lock = work.role = NULL;
    work.lock_count = work.lock_tree = work.sync_sql_count = work.sync_undo_count = 0;
    work.rewrites = work.scans = work.quiet_triggers = false;
    work.evidence = EVIDENCE_RULE;
    work.timeout = TIMEOUT_NONE;
    work.estimate_low_ms = work.estimate_high_ms = 0;
    work.kept = STEP_KEPT_NOT;
    if (step->kind == STEP_BACKFILL)
        work.sql_count = 0; /* a typical statement; what is filled is told by its columns */
    return step_json(&work);
}

static json_t *risk_json(const Risk *risk)
{
    json_t *json = json_object();
    put(json, "id", text_json(risk->id));
    put(json, "accept", text_json(risk->accept));
    put(json, "accepted", json_boolean(risk->accepted));
    put(json, "message", text_json(risk->message));
    put(json, "sql", text_json(risk->sql));
    return json;
}

static json_t *marks_json(const PlanMark *marks, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *json = json_object();
        const Difference *difference = &marks[i].difference;
        put(json, "at", text_json(marks[i].at));
        put(json, "step", json_integer(marks[i].step));
        put(json, "removed", list_json(difference->removed.items, difference->removed.count));
        put(json, "added", list_json(difference->added.items, difference->added.count));
        (void)json_array_append_new(list, json);
    }
    return list;
}

json_t *plan_to_json(const Plan *plan)
{
    json_t *json = json_object(), *steps = json_array(), *risks = json_array();
    put(json, "v", json_integer(1));
    put(json, "change", text_json(plan->change));
    put(json, "owner", text_json(plan->owner));
    put(json, "change_digest", text_json(plan->change_digest));
    put(json, "plan_digest", text_json(plan->plan_digest));
    put(json, "engine", text_json(plan->engine));
    put(json, "server", text_json(plan->server));
    put(json, "strategy", text_json(plan->strategy));
    put(json, "version_schema", text_json(plan->version_schema));
    put(json, "nothing_to_do", json_boolean(plan->nothing_to_do));
    put(json, "search_path", list_json(plan->search_path, plan->search_path_count));
    put(json, "tables", list_json(plan->tables, plan->table_count));
    for (size_t i = 0; i < plan->step_count; i++)
        (void)json_array_append_new(steps, step_json(&plan->steps[i]));
    put(json, "steps", steps);
    json_t *reverts = json_array();
    for (size_t i = 0; i < plan->revert_count; i++)
        (void)json_array_append_new(reverts, step_json(&plan->reverts[i]));
    put(json, "revert_steps", reverts);
    put(json, "no_revert", text_json(plan->no_revert));
    for (size_t i = 0; i < plan->risk_count; i++)
        (void)json_array_append_new(risks, risk_json(&plan->risks[i]));
    put(json, "risks", risks);
    if (plan->mark_count > 0)
        put(json, "fingerprint", marks_json(plan->marks, plan->mark_count));
    put(json, "source", text_json(plan->sql));
    if (plan->replaces != NULL) {
        json_t *replaces = json_object();
        put(replaces, "change_digest", text_json(plan->replaces->change_digest));
        put(replaces, "undone", list_json(plan->replaces->undone, plan->replaces->undone_count));
        put(json, "replaces", replaces);
    }
    return json;
}

/* ---- reading -------------------------------------------------------------------------------- */

static const char *get_text(Arena *arena, const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text == NULL ? NULL : arena_dup(arena, text);
}

static bool get_bool(const json_t *json, const char *key) { return json_is_true(json_object_get(json, key)); }

static int64_t get_int(const json_t *json, const char *key)
{
    return json_integer_value(json_object_get(json, key));
}

/* Part of a list of strings; `count` SIZE_MAX: to its end. Anything that is no string reads as "". */
static const char *const *get_list(Arena *arena, const json_t *list, size_t from, size_t count,
                                   size_t *ret_count)
{
    size_t size = json_array_size(list);
    from = from < size ? from : size;
    count = count < size - from ? count : size - from;
    *ret_count = count;
    if (count == 0)
        return NULL;
    const char **items = arena_alloc(arena, count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(list, from + i));
        items[i] = arena_dup(arena, text == NULL ? "" : text);
    }
    return items;
}

static Name get_name(Arena *arena, const json_t *json)
{
    return (Name){.schema = get_text(arena, json, "schema"), .name = get_text(arena, json, "name")};
}

static SyncColumn get_sync(Arena *arena, const json_t *json)
{
    SyncColumn sync = {.change_id = get_int(json, "change_id"),
                       .column = get_text(arena, json, "column"),
                       .expr = get_text(arena, json, "expr"),
                       .counter = get_text(arena, json, "counter"),
                       .null_ok = get_bool(json, "null_ok"),
                       .after = get_bool(json, "after")};
    sync.sources = get_list(arena, json_object_get(json, "sources"), 0, SIZE_MAX, &sync.source_count);
    sync_backs_from_json(arena, json_object_get(json, "back"), &sync.back, &sync.back_count);
    return sync;
}

static void get_fills(Arena *arena, const json_t *list, Step *step)
{
    step->fill_count = json_array_size(list);
    if (step->fill_count == 0)
        return;
    FillColumn *fills = arena_alloc(arena, step->fill_count * sizeof *fills);
    for (size_t i = 0; i < step->fill_count; i++) {
        const json_t *json = json_array_get(list, i);
        fills[i] = (FillColumn){.column = get_text(arena, json, "column"),
                                .type = get_text(arena, json, "type"),
                                .expr = get_text(arena, json, "expr"),
                                .immutable = get_bool(json, "immutable"),
                                .null_legal = get_bool(json, "null_legal"),
                                .exact_equality = get_bool(json, "exact_equality"),
                                .sync = get_sync(arena, json_object_get(json, "sync"))};
    }
    step->fills = fills;
}

static void get_checks(Arena *arena, const json_t *list, Step *step)
{
    step->check_count = json_array_size(list);
    if (step->check_count == 0)
        return;
    Check *checks = arena_alloc(arena, step->check_count * sizeof *checks);
    for (size_t i = 0; i < step->check_count; i++) {
        const json_t *json = json_array_get(list, i);
        checks[i] = (Check){.label = get_text(arena, json, "label"),
                            .predicate = get_text(arena, json, "predicate"),
                            .query = get_text(arena, json, "query"),
                            .evaluate_only = get_bool(json, "evaluate_only"),
                            .count_only = get_bool(json, "count_only"),
                            .hint = get_text(arena, json, "hint")};
    }
    step->checks = checks;
}

static void get_looks(Arena *arena, const json_t *list, Step *step)
{
    step->look_count = json_array_size(list);
    if (step->look_count == 0)
        return;
    StepLook *looks = arena_alloc(arena, step->look_count * sizeof *looks);
    for (size_t i = 0; i < step->look_count; i++) {
        const json_t *json = json_array_get(list, i);
        looks[i] = (StepLook){.table = get_name(arena, json_object_get(json, "table")),
                              .before = get_text(arena, json, "before"),
                              .after = get_text(arena, json, "after")};
    }
    step->looks = looks;
}

/* The value whose name is in the JSON text; -1 if none has it. */
static int kind_from_name(const char *name)
{
    for (int i = 0; i < STEP_KIND_COUNT; i++)
        if (str_eq(name, step_kinds[i].name))
            return i;
    return -1;
}

static int evidence_from_name(const char *name)
{
    for (int i = EVIDENCE_MEASURED; i <= EVIDENCE_UNKNOWN; i++)
        if (str_eq(name, evidence_name((Evidence)i)))
            return i;
    return -1;
}

static int timeout_from_name(const char *name)
{
    for (int i = TIMEOUT_NONE; i <= TIMEOUT_WATCHDOG; i++)
        if (str_eq(name, timeout_name((Timeout)i)))
            return i;
    return -1;
}

static StepKept kept_from_name(const char *name)
{
    for (StepKept kept = STEP_KEPT_BEGUN; kept <= STEP_KEPT_DONE; kept++)
        if (str_eq(name, step_kept_name(kept)))
            return kept;
    return STEP_KEPT_NOT;
}

static Err *get_enums(const json_t *json, Step *step)
{
    int phase = phase_from_name(json_string_value(json_object_get(json, "phase")));
    int kind = kind_from_name(json_string_value(json_object_get(json, "kind")));
    int evidence = evidence_from_name(json_string_value(json_object_get(json, "evidence")));
    int timeout = timeout_from_name(json_string_value(json_object_get(json, "timeout")));
    if (phase < 0 || kind < 0 || evidence < 0 || timeout < 0)
        return err_hint(err_new(ERR_CONFIG,
                                "plan step %lld has a phase, kind, evidence or timeout that this version "
                                "of stoa does not know",
                                (long long)get_int(json, "ordinal")),
                        "use the version of stoa that made the plan");
    step->phase = (Phase)phase;
    step->kind = (StepKind)kind;
    step->evidence = (Evidence)evidence;
    step->timeout = (Timeout)timeout;
    return NULL;
}

/* Splits a list of statements where the generated ones begin or end. */
static size_t part_count(const json_t *json, const char *key, size_t size)
{
    int64_t count = get_int(json, key);
    return count < 0 ? 0 : (size_t)count < size ? (size_t)count : size;
}

/* Plans that were journalled before the modes stood in them: what the executor took then. */
static const char *const *get_modes(Arena *arena, const json_t *list, const Step *step)
{
    size_t count = 0;
    const char *const *modes = get_list(arena, list, 0, SIZE_MAX, &count);
    if (count == step->lock_count)
        return modes;
    const char **made = arena_alloc(arena, (step->lock_count + 1) * sizeof *made);
    for (size_t i = 0; i < step->lock_count; i++)
        made[i] = i == 0 ? step->lock : "SHARE ROW EXCLUSIVE";
    return made;
}

static Err *get_step_alone(Arena *arena, const json_t *json, Step *ret_step)
{
    Step step = {.ordinal = (int)get_int(json, "ordinal"),
                 .title = get_text(arena, json, "title"),
                 .lock = get_text(arena, json, "lock"),
                 .rewrites = get_bool(json, "rewrites"),
                 .scans = get_bool(json, "scans"),
                 .table = get_name(arena, json_object_get(json, "table")),
                 .sync = get_bool(json, "sync"),
                 .needs_back = get_bool(json, "needs_back"),
                 .quiet_triggers = get_bool(json, "quiet_triggers"),
                 .as_written = get_bool(json, "as_written"),
                 .unchecked = get_bool(json, "unchecked"),
                 .counters = get_bool(json, "counters"),
                 .index = get_text(arena, json, "index"),
                 .index_unique = get_bool(json, "index_unique"),
                 .role = get_text(arena, json, "role")};
    TRY(get_enums(json, &step));
    step.kept = kept_from_name(json_string_value(json_object_get(json, "kept")));
    const json_t *estimate = json_object_get(json, "estimate_ms");
    step.estimate_low_ms = get_int(estimate, "low");
    step.estimate_high_ms = get_int(estimate, "high");
    const json_t *sql = json_object_get(json, "statements"), *undo = json_object_get(json, "undo_statements");
    size_t own = json_array_size(sql) - part_count(json, "sync_statement_count", json_array_size(sql));
    step.sql = get_list(arena, sql, 0, own, &step.sql_count);
    step.sync_sql = get_list(arena, sql, own, SIZE_MAX, &step.sync_sql_count);
    size_t generated = part_count(json, "sync_undo_count", json_array_size(undo));
    step.sync_undo = get_list(arena, undo, 0, generated, &step.sync_undo_count);
    step.undo = get_list(arena, undo, generated, SIZE_MAX, &step.undo_count);
    step.lock_on = get_list(arena, json_object_get(json, "lock_on"), 0, SIZE_MAX, &step.lock_count);
    step.lock_modes = get_modes(arena, json_object_get(json, "lock_modes"), &step);
    step.columns = get_list(arena, json_object_get(json, "columns"), 0, SIZE_MAX, &step.column_count);
    int64_t tree = get_int(json, "lock_tree");
    step.lock_tree = tree > 0 && (size_t)tree < step.lock_count ? (size_t)tree : 0;
    get_fills(arena, json_object_get(json, "fills"), &step);
    get_checks(arena, json_object_get(json, "checks"), &step);
    get_looks(arena, json_object_get(json, "looks"), &step);
    step.shadow = shadow_spec_from_json(arena, json_object_get(json, "shadow"));
    *ret_step = step;
    return NULL;
}

static Err *get_step(Arena *arena, const json_t *json, Step *ret_step)
{
    const json_t *list = json_object_get(json, "undo_steps");
    size_t count = json_array_size(list);
    Step step, *undo = count > 0 ? arena_alloc(arena, count * sizeof *undo) : NULL;
    TRY(get_step_alone(arena, json, &step));
    for (size_t i = 0; i < count; i++)
        TRY(get_step_alone(arena, json_array_get(list, i), &undo[i]));
    step.undo_steps = undo;
    step.undo_step_count = count;
    *ret_step = step;
    return NULL;
}

static Err *get_steps(Arena *arena, const json_t *list, const Step **ret_steps, size_t *ret_count)
{
    size_t count = json_array_size(list);
    Step *items = arena_alloc(arena, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++)
        TRY(get_step(arena, json_array_get(list, i), &items[i]));
    *ret_steps = items;
    *ret_count = count;
    return NULL;
}

static void get_risks(Arena *arena, const json_t *list, Plan *plan)
{
    plan->risk_count = json_array_size(list);
    if (plan->risk_count == 0)
        return;
    Risk *risks = arena_alloc(arena, plan->risk_count * sizeof *risks);
    for (size_t i = 0; i < plan->risk_count; i++) {
        const json_t *json = json_array_get(list, i);
        risks[i] = (Risk){.id = get_text(arena, json, "id"),
                          .accept = get_text(arena, json, "accept"),
                          .accepted = get_bool(json, "accepted"),
                          .message = get_text(arena, json, "message"),
                          .sql = get_text(arena, json, "sql")};
    }
    plan->risks = risks;
}

static void get_marks(Arena *arena, const json_t *list, Plan *plan)
{
    plan->mark_count = json_array_size(list);
    PlanMark *marks = arena_alloc(arena, (plan->mark_count + 1) * sizeof *marks);
    for (size_t i = 0; i < plan->mark_count; i++) {
        const json_t *json = json_array_get(list, i);
        Difference *difference = &marks[i].difference;
        marks[i].at = get_text(arena, json, "at");
        marks[i].step = (int)get_int(json, "step");
        difference->removed.items =
            get_list(arena, json_object_get(json, "removed"), 0, SIZE_MAX, &difference->removed.count);
        difference->added.items =
            get_list(arena, json_object_get(json, "added"), 0, SIZE_MAX, &difference->added.count);
    }
    plan->marks = marks;
}

static const PlanReplaces *get_replaces(Arena *arena, const json_t *json)
{
    if (!json_is_object(json))
        return NULL;
    PlanReplaces *replaces = arena_alloc(arena, sizeof *replaces);
    replaces->change_digest = get_text(arena, json, "change_digest");
    replaces->undone = get_list(arena, json_object_get(json, "undone"), 0, SIZE_MAX, &replaces->undone_count);
    return replaces;
}

Err *plan_from_json(Arena *arena, const json_t *json, Plan *ret_plan)
{
    const json_t *steps = json_object_get(json, "steps");
    if (get_int(json, "v") != 1 || !json_is_array(steps))
        return err_hint(err_new(ERR_CONFIG, "this is not a plan that this version of stoa can read"),
                        "use the version of stoa that made the plan");
    Plan plan = {.change = get_text(arena, json, "change"),
                 .owner = get_text(arena, json, "owner"),
                 .sql = get_text(arena, json, "source"),
                 .change_digest = get_text(arena, json, "change_digest"),
                 .plan_digest = get_text(arena, json, "plan_digest"),
                 .engine = get_text(arena, json, "engine"),
                 .server = get_text(arena, json, "server"),
                 .strategy = get_text(arena, json, "strategy"),
                 .no_revert = get_text(arena, json, "no_revert"),
                 .version_schema = get_text(arena, json, "version_schema"),
                 .nothing_to_do = get_bool(json, "nothing_to_do")};
    plan.search_path =
        get_list(arena, json_object_get(json, "search_path"), 0, SIZE_MAX, &plan.search_path_count);
    plan.tables = get_list(arena, json_object_get(json, "tables"), 0, SIZE_MAX, &plan.table_count);
    TRY(get_steps(arena, steps, &plan.steps, &plan.step_count));
    TRY(get_steps(arena, json_object_get(json, "revert_steps"), &plan.reverts, &plan.revert_count));
    get_risks(arena, json_object_get(json, "risks"), &plan);
    get_marks(arena, json_object_get(json, "fingerprint"), &plan);
    plan.replaces = get_replaces(arena, json_object_get(json, "replaces"));
    *ret_plan = plan;
    return NULL;
}
