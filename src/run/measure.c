/* The plan before it is shown: its DDL runs on an empty clone, step by step, and what the server did there is
 * what the plan says. */
#include "change/names.h"
#include "plan/forward.h"
#include "run/fingerprint.h"
#include "run/measure_known.h"
#include "run/runner.h"

#include "base/failpoint.h"
#include "base/log.h"

#include <string.h>

enum { CLONE_MS = 20000, STATEMENT_MS = 10000 };

typedef struct Measure {
    Runner *runner;
    Arena *arena;
    const Table *tables;
    size_t table_count;
    Plan *plan;
    Step *steps; /* the plan's, to be written */
    Conn *conn;  /* to the clone */
    Print from;  /* from where differences count */
    Print last;  /* taken last */
    bool prints; /* they can be taken */
    bool stale;  /* something was carried out since `last` */
    VEC(PlanMark) marks;
} Measure;

static void note(const Measure *measure, const char *why, const char *sql)
{
    Plan *plan = measure->plan;
    Risk *risks = arena_alloc(measure->arena, (plan->risk_count + 1) * sizeof *risks);
    if (plan->risk_count > 0)
        memcpy(risks, plan->risks, plan->risk_count * sizeof *risks);
    risks[plan->risk_count++] =
        (Risk){.id = "unmeasured",
               .message = arena_printf(
                   measure->arena, "locks are by rule, not measured on an empty copy of the tables: %s", why),
               .sql = sql};
    plan->risks = risks;
}

/* Why it could not be measured, for people; the error is freed. */
static void note_error(const Measure *measure, Err *err)
{
    const char *hint = err_first_hint(err);
    const Err *last = err;
    while (last->cause != NULL)
        last = last->cause;
    note(measure, arena_dup(measure->arena, last->msg),
         hint == NULL ? NULL : arena_dup(measure->arena, hint));
    err_free(err);
}

static bool is_ddl(const Step *step)
{
    bool kind = step->kind == STEP_DDL || step->kind == STEP_VALIDATE || step->kind == STEP_CREATE_INDEX ||
                step->kind == STEP_DROP_INDEX || step->kind == STEP_LONG || step->kind == STEP_OUTSIDE ||
                step->kind == STEP_COPY || step->kind == STEP_SWAP;
    /* the clone's materialized views hold nothing that could be refreshed beside it */
    bool refresh = step->kind == STEP_LONG && str_starts(step->sql[0], "REFRESH ");
    return kind && !refresh && step->sql_count + step->sync_sql_count > 0;
}

typedef VEC(const char *) Statements;

static void add_all(Arena *arena, Statements *out, const char *const *sql, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *vec_push(arena, out) = sql[i];
}

/* In the order of ddl.c: what goes out of the trigger goes before its column. In a transaction the step's own
 * statements run as its role. */
static Statements statements_of(const Measure *measure, const Step *step)
{
    Arena *arena = measure->arena;
    Statements out = {0};
    bool removes = step->sync && step->fill_count == 0;
    bool act = step->role != NULL && step_kinds[step->kind].transactional && step->sql_count > 0;
    if (removes)
        add_all(arena, &out, step->sync_sql, step->sync_sql_count);
    if (act)
        *vec_push(arena, &out) = arena_printf(arena, "SET LOCAL ROLE %s", sql_ident(arena, step->role));
    for (size_t i = 0; i < step->sql_count; i++) /* a clone has no publications */
        if (step->kind != STEP_SWAP || !str_starts(step->sql[i], "ALTER PUBLICATION "))
            *vec_push(arena, &out) = step->sql[i];
    if (act)
        *vec_push(arena, &out) = "RESET ROLE";
    if (!removes)
        add_all(arena, &out, step->sync_sql, step->sync_sql_count);
    return out;
}

/* What the statement itself is wrong about, whatever else there is in the database, and what is in its way:
 * the clone holds nothing that is not there. What the server cannot find may only be missing in the clone. */
static bool is_plain_mistake(const char *state)
{
    static const char *const states[] = {
        "42601", "42703", "42804", "42P16", "42P10", "42830", "42611", "42P17", "22P02", "22023",
        "22003", "22007", "22008", "42809", "0A000", "42710", "42P07", "42701", "42723", "42P06",
        "2BP01", "42P13", "42803", "42846", "42P18", "42P21", "42P22", "42939", "42602"};
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (str_eq(states[i], state))
            return true;
    return false;
}

static Err *refused(const Step *step, const char *state, const char *message, bool *ret_known)
{
    *ret_known = is_plain_mistake(state);
    if (!*ret_known)
        return NULL;
    return err_hint(
        err_new(ERR_USAGE, "the server refuses step %d (%s): %s", step->ordinal, step->title, message),
        "tried on an empty copy of the table; nothing was changed");
}

/* *ret_on: the next step can be measured, too. */
static Err *measure_step(const Measure *measure, Step *step, bool *ret_on)
{
    const EngineOps *ops = measure->runner->ops;
    Wait wait = {.stop = measure->runner->options->stop, .timeout_ms = STATEMENT_MS};
    Probe probe = {0};
    Statements sql = statements_of(measure, step);
    *ret_on = false;
    TRY(ops->probe(measure->conn, &wait, measure->arena, sql.items, sql.len, &probe));
    if (probe.error != NULL && !probe.outside) {
        bool known = false;
        TRY(refused(step, probe.error_state, probe.error, &known));
        note(measure, arena_printf(measure->arena, "step %d: %s", step->ordinal, probe.error), NULL);
        return NULL;
    }
    if (!probe.outside)
        TRY(step_measured(measure->arena, step, &probe, measure->tables, measure->table_count));
    Err *err = ops->clone_run(measure->conn, &wait, sql.items, sql.len, probe.outside);
    *ret_on = err == NULL;
    if (err_is(err, ERR_UNSAFE)) { /* the steps behind it go by rule */
        const char *why = arena_dup(measure->arena, err->msg);
        err_free(err);
        note(measure, arena_printf(measure->arena, "step %d: %s", step->ordinal, why), NULL);
        return NULL;
    }
    if (!err_is(err, ERR_SQL))
        return err;
    bool known = false;
    Err *mistake = refused(step, err->sqlstate, err->msg, &known);
    if (!known) {
        note_error(measure, err);
        return NULL;
    }
    err_free(err);
    return mistake;
}

/* A copy whose catalog cannot be read in full predicts nothing, and all else is measured as it is. */
static void take_print(Measure *measure)
{
    Wait wait = {.stop = measure->runner->options->stop, .timeout_ms = STATEMENT_MS};
    if (!measure->prints || !measure->stale)
        return;
    Print print = {0};
    Err *err = fingerprint_take(measure->runner->ops, measure->conn, &wait, measure->arena, measure->plan,
                                &measure->last, &print);
    if (err != NULL)
        log_line(LOG_DEBUG, "no fingerprint of the clone: %s", err->msg);
    measure->prints = err == NULL;
    err_free(err);
    measure->last = print;
    measure->stale = false;
}

static void put_mark(Measure *measure, const char *at, int step)
{
    take_print(measure);
    if (!measure->prints)
        return;
    PlanMark mark = {.at = at, .step = step};
    fingerprint_compare(measure->arena, measure->from.lines, measure->last.lines, &mark.difference);
    *vec_push(measure->arena, &measure->marks) = mark;
}

/* Before the step: what the catalog differs by then. */
static void mark_step(Measure *measure, const Step *step, bool *ret_contracts)
{
    if (fingerprint_is_due(measure->plan, step))
        put_mark(measure, step->kind == STEP_READY ? "ready" : "cutover", step->ordinal);
    if (step->phase != PHASE_CONTRACT || *ret_contracts)
        return;
    *ret_contracts = true;
    take_print(measure);
    measure->from = measure->last;
}

/* The sync trigger stands on the journal's tables; making these takes longer than all the rest. */
static bool needs_journal(const Step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Step *step = &steps[i];
        bool needs = step->sync_sql_count > 0;
        for (size_t s = 0; s < step->sql_count && is_ddl(step); s++)
            needs = needs || strstr(step->sql[s], "stoa.") != NULL;
        if (needs)
            return true;
    }
    return false;
}

static Err *make_journal(const Measure *measure)
{
    const EngineOps *ops = measure->runner->ops;
    Wait wait = {.stop = measure->runner->options->stop, .timeout_ms = STATEMENT_MS};
    const char *sql = ops->journal_sql(JOURNAL_CREATE);
    return ops->clone_run(measure->conn, &wait, &sql, 1, false);
}

/* What a change that gives way has left in the copy goes, as it is planned on the tables without that. */
static Err *undo_left(const Measure *measure, const Step *undos, size_t count)
{
    const EngineOps *ops = measure->runner->ops;
    Wait wait = {.stop = measure->runner->options->stop, .timeout_ms = STATEMENT_MS};
    for (size_t i = 0; i < count; i++) {
        Statements sql = statements_of(measure, &undos[i]);
        Err *err = ops->clone_run(measure->conn, &wait, sql.items, sql.len, undos[i].kind == STEP_DROP_INDEX);
        if (err_is(err, ERR_UNSAFE))
            err->kind = ERR_SQL; /* of the copy alone: then all goes by rule */
        TRY(err);
    }
    return NULL;
}

static Err *measure_steps(Measure *measure)
{
    Plan *plan = measure->plan;
    measure->steps = arena_alloc(measure->arena, (plan->step_count + 1) * sizeof *measure->steps);
    memcpy(measure->steps, plan->steps, plan->step_count * sizeof *measure->steps);
    plan->steps = measure->steps;
    const Step *undos = NULL;
    size_t undo_count = 0;
    if (measure->runner->forward != NULL)
        forward_undos(measure->arena, measure->runner->forward, measure->tables, measure->table_count, &undos,
                      &undo_count);
    if (needs_journal(plan->steps, plan->step_count) || needs_journal(undos, undo_count))
        TRY(make_journal(measure));
    TRY(undo_left(measure, undos, undo_count));
    measure->prints = measure->stale = true;
    take_print(measure);
    measure->from = measure->last;
    bool on = true, contracts = false;
    for (size_t i = 0; i < plan->step_count && on; i++) {
        Step *step = &measure->steps[i];
        mark_step(measure, step, &contracts);
        if (!is_ddl(step))
            continue;
        TRY(measure_step(measure, step, &on));
        measure->stale = true;
        if (on && step->kind == STEP_SWAP)
            put_mark(measure, "swap", step->ordinal);
    }
    if (on && contracts)
        put_mark(measure, "complete", 0);
    plan->marks = measure->marks.items;
    plan->mark_count = measure->marks.len;
    plan->plan_digest = plan_digest_make(measure->arena, plan);
    return NULL;
}

/* What its statements speak of has to be in the clone. */
static Mentions names_of_plan(Arena *arena, const Plan *plan)
{
    Mentions mentions = {0};
    for (size_t i = 0; i < plan->step_count; i++) {
        const Step *step = &plan->steps[i];
        for (size_t s = 0; s < step->sql_count && is_ddl(step); s++)
            names_of_sql(arena, step->sql[s], &mentions);
    }
    return mentions;
}

Err *measure_plan(Runner *runner, Arena *arena, const Table *tables, size_t count, Plan *plan)
{
    Measure measure = {
        .runner = runner, .arena = arena, .tables = tables, .table_count = count, .plan = plan};
    bool any = false;
    for (size_t i = 0; i < plan->step_count; i++)
        any = any || is_ddl(&plan->steps[i]);
    if (!any || !runner->options->plan.measured || runner->ops->clone_open == NULL)
        return NULL;
    Wait wait = {.stop = runner->options->stop, .timeout_ms = CLONE_MS};
    Clone *clone = NULL;
    Mentions mentions = names_of_plan(arena, plan);
    size_t risks = plan->risk_count;
    const char *key = NULL;
    if (runner->options->measured != NULL && runner->forward == NULL)
        key = measure_key(runner, arena, tables, count, mentions.items, mentions.len, plan);
    if (measure_take(runner, arena, key, plan))
        return NULL;
    Err *err = runner->ops->clone_open(&runner->options->target, runner->conn, &wait, &runner->server, tables,
                                       count, mentions.items, mentions.len,
                                       runner->options->plan.measured_in_schema, &clone);
    if (err == NULL) {
        measure.conn = runner->ops->clone_conn(clone);
        err = failpoint_at("clone_made");
        if (err == NULL)
            err = measure_steps(&measure);
    }
    runner->ops->clone_close(clone);
    bool fatal =
        err_is(err, ERR_USAGE) || err_is(err, ERR_UNSAFE) || err_is(err, ERR_STOPPED) || err_is(err, ERR_BUG);
    if (err == NULL && plan->risk_count == risks) /* nothing went by rule */
        measure_tell(runner, key, plan);
    if (err == NULL || fatal)
        return err;
    note_error(&measure, err);
    return NULL;
}
