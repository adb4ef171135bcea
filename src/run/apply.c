/* How a change begins: a new one is planned, confirmed and registered under its lease; a known one is gone on
 * with. */
#include "run/contract.h"
#include "run/runner.h"

#include "base/failpoint.h"
#include "run/approve.h"
#include "run/forward.h"
#include "run/predicted.h"
#include "run/replace.h"
#include "run/window.h"

Err *runner_adopt(Runner *runner, const RunOptions *options, Arena *arena, const char *name,
                  JournalChange *ret_change)
{
    TRY(runner_open(runner, options, arena));
    if (runner->server.journal_version == 0)
        return err_hint(err_new(ERR_USAGE, "no change \"%s\" in this database: it has no journal", name),
                        "stoa apply …");
    TRY(journal_upgrade(runner->conn, runner->ops, &runner->server));
    TRY(journal_find(runner->conn, runner->arena, name, ret_change));
    if (ret_change->id == 0)
        return err_hint(err_new(ERR_USAGE, "no change \"%s\" is under way or ready", name),
                        "\"stoa status --all\" lists the ended ones as well");
    runner->change_id = ret_change->id;
    runner->name = ret_change->name;
    return plan_from_json(runner->arena, ret_change->plan, &runner->plan);
}

/* Ready with a position: every replica has replayed it. */
static bool is_over(const JournalChange *change)
{
    return str_eq(change->state, "completed") ||
           (str_eq(change->state, "ready") && change->ready_position != NULL);
}

/* What the journal says of a request by that name: nothing, the same under way or done, or something else,
 * which is *ret_known where it is to give way. Where the name was made, and is that of another change which
 * is over, the next free one is taken. */
static Err *look_up(Runner *runner, Change *change, JournalChange *ret_known)
{
    if (runner->server.journal_version == 0)
        return NULL;
    const char *made = change->name;
    for (int number = 2;; number++) {
        TRY(journal_find(runner->conn, runner->arena, change->name, ret_known));
        if (ret_known->id == 0 || str_eq(ret_known->change_digest, change->change_digest))
            return NULL;
        if (!change->name_made || !is_over(ret_known))
            break;
        journal_change_done(ret_known);
        change->name = arena_printf(runner->arena, "%s-%d", made, number);
    }
    if (runner->options->replace && !is_over(ret_known))
        return replace_check(runner, ret_known);
    return err_hint(err_new(ERR_USAGE, "a change named \"%s\" with other content is in the journal (%s)",
                            change->name, ret_known->state),
                    is_over(ret_known)
                        ? "give this one another name: --name NAME"
                        : "finish it (stoa resume %s), undo it (stoa abort %s), let this one take its place "
                          "(--replace), or give this one another name: --name NAME",
                    change->name, change->name);
}

static Err *open_and_look_up(Runner *runner, const RunOptions *options, Arena *arena, Change *change,
                             JournalChange *ret_known)
{
    TRY(runner_open(runner, options, arena));
    return look_up(runner, change, ret_known);
}

static bool gives_way(const JournalChange *known, const Change *change)
{
    return known->id != 0 && !str_eq(known->change_digest, change->change_digest);
}

/* The plan in place of a change that stopped half-way: one that would begin with nothing is made when that is
 * undone. */
static Err *plan_forward(Runner *runner, const Change *change, const JournalChange *known, Plan *ret_plan)
{
    const char *why = NULL;
    TRY(forward_open(runner, change, known, &runner->forward, &why));
    if (why == NULL)
        return runner_plan(runner, runner->arena, change, ret_plan);
    return err_hint(
        err_new(ERR_UNSAFE,
                "nothing of change \"%s\" can be kept, and the plan can be made when it is undone: "
                "%s",
                known->name, why),
        "stoa abort %s, then plan; or let apply --replace undo it first", known->name);
}

Err *run_plan(const RunOptions *options, Arena *arena, Change *change, Plan *ret_plan, bool *ret_journalled)
{
    Runner runner;
    JournalChange known = {0};
    Err *err = open_and_look_up(&runner, options, arena, change, &known);
    *ret_journalled = err == NULL && known.id != 0 && !gives_way(&known, change);
    if (err == NULL && gives_way(&known, change))
        err = plan_forward(&runner, change, &known, ret_plan);
    else if (err == NULL)
        err = known.id != 0 ? plan_from_json(arena, known.plan, ret_plan)
                            : runner_plan(&runner, arena, change, ret_plan);
    if (err == NULL) {
        ret_plan->database = arena_dup(arena, runner.server.database);
        ret_plan->system_id = arena_dup(arena, runner.server.system_id);
    }
    journal_change_done(&known);
    runner_close(&runner);
    return err;
}

/* Under the lease: nobody else can have begun the same in between, or it is found now. */
static Err *register_change(Runner *runner, const Change *change)
{
    const EngineOps *ops = runner->ops;
    Wait wait = journal_wait();
    JournalChange known = {0};
    Change planned = *change;
    planned.name_made = false; /* it is the plan's by now */
    Err *err = look_up(runner, &planned, &known);
    bool exists = known.id != 0;
    journal_change_done(&known);
    TRY(err);
    if (exists)
        return err_hint(err_new(ERR_HELD, "change \"%s\" was begun by another runner just now", change->name),
                        "apply again to continue it");
    TRY(ops->begin(runner->conn, &wait, &(TxSettings){.lock_timeout_ms = 5000}));
    err = journal_insert(runner->conn, runner->arena, &runner->plan, &runner->options->controls,
                         &runner->change_id);
    if (err == NULL)
        err = failpoint_at("register_before_commit");
    if (err == NULL)
        err = ops->commit(runner->conn, &wait);
    if (err == NULL)
        return NULL;
    ops->rollback(runner->conn);
    return err;
}

static void json_freep(json_t **json) { json_decref(*json); }

/* A time zone that the server does not know would mean to wait for ever. */
static Err *check_window(Runner *runner)
{
    const char *text = runner->options->controls.window;
    if (text == NULL || text[0] == '\0')
        return NULL;
    Window window;
    int minute = 0, weekday = 0;
    Wait wait = journal_wait();
    TRY(window_parse(text, &window));
    Err *err = runner->ops->local_time(runner->conn, &wait, runner->scratch, window.time_zone, NULL, 0,
                                       &minute, &weekday);
    if (!err_is(err, ERR_SQL))
        return err;
    err->kind = ERR_USAGE;
    return err_hint(err_wrap(err, "--window: the server knows no time zone \"%s\"", window.time_zone),
                    "write --window '22:00-06:00 Europe/Berlin'");
}

/* What no step could be carried out with is told before anything is begun. */
static Err *check_controls(Runner *runner)
{
    TRY(check_window(runner));
    Err *err = runner_limit_build(runner);
    if (!err_is(err, ERR_SQL))
        return err;
    err->kind = ERR_USAGE; /* the server's own bounds */
    return err_wrap(err, "--build-memory, --build-workers");
}

static Err *check_expect(const RunOptions *options, const Plan *plan)
{
    if (options->expect == NULL || str_eq(options->expect, plan->plan_digest))
        return NULL;
    return err_hint(
        err_new(ERR_UNSAFE, "the plan is %s, not the expected %s", plan->plan_digest, options->expect),
        "look at it with: stoa plan, and approve it anew");
}

static void tell_note(Runner *runner)
{
    const RunNote *note = runner->options->note;
    if (note != NULL)
        runner_event(runner, note->kind, 0, note->detail, "%s", note->text);
}

/* Under its lease, in the journal: as a new change, or in the place of one that gives way. */
static Err *register_plan(Runner *runner, const Change *change)
{
    if (runner->forward == NULL) {
        TRY(lease_take(runner));
        return register_change(runner, change);
    }
    TRY(forward_undo(runner->options, runner->arena, runner->forward, change->name));
    return forward_register(runner, runner->forward);
}

/* What a rehearsal said is of the whole, not of what is left of it. */
static bool keeps_some(const Runner *runner)
{
    return runner->forward != NULL && runner->forward->kept_count > 0;
}

static Err *begin_new(Runner *runner, const Change *change, bool (*confirm)(void *, const Plan *),
                      void *confirm_context)
{
    TRY(check_controls(runner));
    TRY(runner_plan(runner, runner->arena, change, &runner->plan));
    runner->plan.database = runner->server.database;
    runner->plan.system_id = runner->server.system_id;
    runner->name = runner->plan.change;
    runner->summary.plan_digest = runner->plan.plan_digest;
    if (runner->plan.nothing_to_do) {
        runner->summary.already_done = true;
        runner->summary.state = STATE_COMPLETED;
        return NULL;
    }
    TRY(check_expect(runner->options, &runner->plan));
    TRY(plan_refusal(&runner->plan));
    CLEANUP(json_freep) json_t *approved = NULL;
    TRY(approval_check(runner, &runner->plan, &approved));
    if (confirm != NULL && !confirm(confirm_context, &runner->plan))
        return err_new(ERR_STOPPED, "not confirmed: nothing was changed");
    TRY(journal_ensure(runner->conn, runner->ops, &runner->server));
    Wait wait = journal_wait();
    TRY(runner->ops->load_server(runner->conn, &wait, runner->arena, &runner->server));
    TRY(register_plan(runner, change));
    TRY(lease_note_session(runner));
    runner_event(runner, "planned", 0, NULL, "%zu steps, %s, plan %s", runner->plan.step_count,
                 runner->plan.strategy, runner->plan.plan_digest);
    if (approved != NULL)
        tally_set(&runner->tally, TALLY_CHANGE, "sums", "approvers",
                  (int64_t)json_array_size(json_object_get(approved, "by")));
    if (approved != NULL)
        runner_event(runner, "approved", 0, approved, "%zu have approved this plan",
                     json_array_size(json_object_get(approved, "by")));
    if (!keeps_some(runner))
        predicted_begin(runner);
    tell_note(runner);
    return NULL;
}

/* In the place of a change that stopped half-way: with what of it can be kept, else when all of it is undone.
 */
static Err *begin_replacing(Runner *runner, const Change *change, const JournalChange *known,
                            bool (*confirm)(void *, const Plan *), void *confirm_context)
{
    const char *why = NULL;
    TRY(forward_open(runner, change, known, &runner->forward, &why));
    if (why != NULL) {
        runner->forward = NULL;
        TRY(replace_old(runner->options, runner->arena, change, known, why));
        return begin_new(runner, change, confirm, confirm_context);
    }
    TRY(begin_new(runner, change, confirm, confirm_context));
    bool nothing_left = runner->plan.nothing_to_do;
    return nothing_left ? replace_old(runner->options, runner->arena, change, known, "nothing is left to do")
                        : NULL;
}

static Err *begin_known(Runner *runner, const JournalChange *known)
{
    const RunOptions *options = runner->options;
    runner->change_id = known->id;
    runner->name = known->name;
    TRY(plan_from_json(runner->arena, known->plan, &runner->plan));
    runner->summary.plan_digest = runner->plan.plan_digest;
    TRY(check_expect(options, &runner->plan));
    if (options->plan.versioned && runner->plan.version_schema == NULL)
        return err_hint(err_new(ERR_USAGE, "change \"%s\" was begun without --versioned", known->name),
                        "leave it out; or undo the change and apply it anew: stoa abort %s", known->name);
    if (is_over(known)) {
        runner->summary.already_done = true;
        runner->summary.state = str_eq(known->state, "ready") ? STATE_READY : STATE_COMPLETED;
        return NULL;
    }
    if (str_eq(known->phase, phase_name(PHASE_REVERT)))
        return reverting(known->name);
    TRY(check_controls(runner));
    TRY(lease_take(runner));
    TRY(journal_store_controls(runner->conn, known->id, &options->controls, options->controls_given,
                               &(bool){false}));
    TRY(journal_request_abort(runner->conn, known->id, false));
    predicted_resume(runner, known->state);
    CLEANUP(json_freep) json_t *was = json_pack("{s:s}", "was", known->state);
    runner_event(runner, "resumed", 0, was, "going on where it stopped (%s)", known->state);
    tell_note(runner);
    return NULL;
}

static Phase last_phase(const RunOptions *options)
{
    return options->until >= 0 ? (Phase)options->until : PHASE_READY;
}

Err *run_apply(const RunOptions *options, Arena *arena, Change *change,
               bool (*confirm)(void *context, const Plan *plan), void *confirm_context,
               RunSummary *ret_summary)
{
    Runner runner;
    JournalChange known = {0};
    Err *err = open_and_look_up(&runner, options, arena, change, &known);
    if (err == NULL)
        err = journal_upgrade(runner.conn, runner.ops, &runner.server);
    if (err == NULL && gives_way(&known, change))
        err = begin_replacing(&runner, change, &known, confirm, confirm_context);
    else if (err == NULL)
        err = known.id != 0 ? begin_known(&runner, &known)
                            : begin_new(&runner, change, confirm, confirm_context);
    if (err == NULL && runner.change_id != 0)
        err = contract_note(&runner, change);
    if (err == NULL && !runner.summary.already_done)
        err = runner_execute(&runner, last_phase(options));
    if (err == NULL)
        contract_settle(&runner);
    *ret_summary = runner.summary;
    journal_change_done(&known);
    runner_close(&runner);
    return err;
}

Err *run_resume(const RunOptions *options, Arena *arena, const char *change, RunSummary *ret_summary)
{
    Runner runner;
    JournalChange known = {0};
    Err *err = runner_adopt(&runner, options, arena, change, &known);
    if (err == NULL)
        err = journal_store_controls(runner.conn, known.id, &options->controls, options->controls_given,
                                     &(bool){false});
    if (err == NULL)
        err = begin_known(&runner, &known);
    if (err_is(err, ERR_HELD)) { /* a live runner has it: it reads the controls by itself */
        err_free(err);
        err = NULL;
        runner.summary.state = STATE_RUNNING;
    } else if (err == NULL && !runner.summary.already_done) {
        err = runner_execute(&runner, last_phase(options));
        if (err == NULL)
            contract_settle(&runner);
    }
    *ret_summary = runner.summary;
    journal_change_done(&known);
    runner_close(&runner);
    return err;
}
