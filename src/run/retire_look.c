/* What a retirement looks at before anything is done: the plan of the drop, who used it, what hiding does. */
#include "run/retire_parts.h"

enum { SHOWN_MAX = 5 }; /* statements */

/* ---- the report ----------------------------------------------------------------------------- */

json_t *turn_texts(const char *const *items, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(items[i]));
    return list;
}

void turn_put(Turn *turn, const char *key, json_t *value) { json_object_set_new(turn->report, key, value); }

void turn_add_note(Turn *turn, const char *text) { json_array_append_new(turn->notes, json_string(text)); }

/* ---- look ----------------------------------------------------------------------------------- */

static json_t *statements_json(const UseStatement *statements, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count && i < SHOWN_MAX; i++)
        json_array_append_new(list, json_pack("{s:s, s:s?, s:s?, s:I}", "statement", statements[i].statement,
                                              "role", statements[i].role, "why", statements[i].why, "calls",
                                              (json_int_t)statements[i].calls));
    return list;
}

/* What the server remembers. It tells of the past: who still uses it now is what hiding shows. */
Err *turn_use(Turn *turn)
{
    Runner *runner = &turn->runner;
    const Subject *subject = &turn->subject;
    Wait wait = runner_wait(runner);
    if (runner->ops->load_use == NULL || subject->kind == HIDE_INDEX) {
        turn_put(turn, "use",
                 json_pack("{s:b, s:s}", "known", false, "why", "this server is not asked who uses it"));
        return NULL;
    }
    turn->use_asked = true;
    TRY(runner->ops->load_use(runner->conn, &wait, turn->arena, &runner->server, subject->schema,
                              subject->table, true, &subject->name, subject->kind == HIDE_COLUMN ? 1 : 0,
                              &turn->use));
    const Use *use = &turn->use;
    json_t *json = json_pack("{s:b, s:s?, s:s?, s:I, s:I, s:o, s:o, s:I, s:I, s:o}", "known",
                             use->unknown == NULL, "why", use->unknown, "since", use->since, "evicted",
                             (json_int_t)use->evicted, "statement_count", (json_int_t)use->seen_count,
                             "statements", statements_json(use->statements, use->seen_count), "running",
                             statements_json(use->running, use->running_count), "table_scans",
                             (json_int_t)use->scans, "table_writes", (json_int_t)use->writes, "functions",
                             turn_texts(use->functions, use->function_count));
    turn_put(turn, "use", json);
    return NULL;
}

/* Nobody could leave it out: hiding it would show nothing but that. */
Err *turn_may_be_left_out(const Turn *turn)
{
    const Subject *subject = &turn->subject;
    const Column *column = subject->column;
    if (subject->kind != HIDE_COLUMN || turn->wish->force || !column->not_null ||
        column->default_sql != NULL || column->generated_sql != NULL || column->identity != '\0')
        return NULL;
    const char *name =
        subject->mysql ? sql_backtick(turn->arena, column->name) : sql_ident(turn->arena, column->name);
    return err_hint(
        err_new(ERR_UNSAFE,
                "%s may not be null and has no default: no application can leave it out of an INSERT",
                subject->of),
        subject->mysql ? "let it be null first, or give it a default: stoa apply 'ALTER TABLE %s ALTER "
                         "%s SET DEFAULT …'; then deploy; or --force"
                       : "let it be null first: stoa apply 'ALTER TABLE %s ALTER COLUMN %s DROP NOT "
                         "NULL'; then deploy; or --force",
        subject->table, name);
}

/* The drop is planned now, so that what stands on it is named before anybody is hurt. */
Err *turn_plan(Turn *turn)
{
    Change change;
    Plan plan = {0};
    bool journalled = false;
    TRY(retire_drop_change(turn->arena, &turn->subject, &change));
    TRY(run_plan(turn->options, turn->arena, &change, &plan, &journalled));
    TRY(plan_refusal(&plan));
    for (size_t i = 0; i < plan.risk_count; i++)
        turn_add_note(turn, plan.risks[i].message);
    json_t *drops = json_array();
    for (size_t i = 0; i < plan.step_count; i++)
        for (size_t k = 0; k < plan.steps[i].sql_count; k++)
            json_array_append_new(drops, json_string(plan.steps[i].sql[k]));
    turn_put(turn, "drop", drops);
    return NULL;
}

HideRequest turn_request(const Turn *turn)
{
    const Subject *subject = &turn->subject;
    return (HideRequest){.kind = subject->kind,
                         .by = turn->wish->by,
                         .schema = subject->schema,
                         .table = subject->table,
                         .name = subject->name};
}

/* Who would not notice has to be known to the one who asks. */
static Err *may_tell(const Turn *turn, const HidePlan *hide)
{
    CLEANUP(str_donep) Str who = STR_INIT;
    if (hide->by != HIDE_BY_PRIVILEGES || turn->wish->force)
        return NULL;
    for (size_t i = 0; i < hide->blind_count; i++) {
        str_sep(&who, "; ");
        str_add(&who, hide->blind[i]);
    }
    const char *hint =
        "--by rename hides it from everybody; --force if these are not the application; --by none "
        "goes by the statistics alone";
    if (who.len > 0)
        return err_hint(err_new(ERR_UNSAFE,
                                "privileges on %s cannot be taken from whom they do not matter to: %s",
                                sql_name(turn->arena, turn->subject.schema, turn->subject.table), who.buf),
                        "%s", hint);
    if (hide->hit_count == 0)
        return err_hint(err_new(ERR_UNSAFE,
                                "nobody but its owner has privileges on %s: there is nothing to take",
                                sql_name(turn->arena, turn->subject.schema, turn->subject.table)),
                        "%s", hint);
    return NULL;
}

Err *turn_hiding(Turn *turn, HidePlan *ret_hide)
{
    Runner *runner = &turn->runner;
    Wait wait = runner_wait(runner);
    HideRequest request = turn_request(turn);
    TRY(runner->ops->hide_plan(runner->conn, &wait, turn->arena, &runner->server, &request, ret_hide));
    turn_put(turn, "by", json_string(hide_by_name(ret_hide->by)));
    turn_put(turn, "does", turn_texts(ret_hide->sql, ret_hide->sql_count));
    turn_put(turn, "undo", turn_texts(ret_hide->undo_sql, ret_hide->undo_count));
    turn_put(turn, "blind", turn_texts(ret_hide->blind, ret_hide->blind_count));
    for (size_t i = 0; i < ret_hide->note_count; i++)
        turn_add_note(turn, ret_hide->notes[i]);
    return may_tell(turn, ret_hide);
}
