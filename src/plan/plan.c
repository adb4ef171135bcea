/* What is true of every plan: names of its parts, kinds of steps, what must be loaded first, and the refusal.
 */
#include "plan/plan.h"

#include "engine/sql.h"

#include "base/str.h"

#include <string.h>

const StepKindInfo step_kinds[STEP_KIND_COUNT] = {
    [STEP_DDL] = {.name = "ddl",
                  .transactional = true,
                  .strong_lock = true,
                  .summary = "catalog changes in one short transaction"},
    [STEP_BACKFILL] = {.name = "backfill",
                       .transactional = true,
                       .strong_lock = false,
                       .summary = "existing rows are filled in ranges and waves"},
    [STEP_VACUUM] = {.name = "vacuum",
                     .transactional = false,
                     .strong_lock = false,
                     .summary = "VACUUM (ANALYZE) after the backfill"},
    [STEP_VERIFY] = {.name = "verify",
                     .transactional = true,
                     .strong_lock = false,
                     .summary = "rows that must not exist are counted"},
    [STEP_CREATE_INDEX] = {.name = "create_index",
                           .transactional = false,
                           .strong_lock = false,
                           .summary = "an index is built while writes go on"},
    [STEP_DROP_INDEX] = {.name = "drop_index",
                         .transactional = false,
                         .strong_lock = false,
                         .summary = "an index is dropped while writes go on"},
    [STEP_DETACH] = {.name = "detach",
                     .transactional = false,
                     .strong_lock = false,
                     .summary = "a partition is detached while reads and writes go on"},
    [STEP_VALIDATE] = {.name = "validate",
                       .transactional = true,
                       .strong_lock = false,
                       .summary = "existing rows are checked against a constraint while writes go on"},
    [STEP_READY] = {.name = "ready",
                    .transactional = true,
                    .strong_lock = false,
                    .summary = "from here on the application may rely on the change"},
    [STEP_LONG] = {.name = "long",
                   .transactional = true,
                   .strong_lock = false,
                   .summary = "a statement that may take long, while reads and writes go on"},
    [STEP_OUTSIDE] = {.name = "outside",
                      .transactional = false,
                      .strong_lock = false,
                      .summary = "a statement that the server takes outside a transaction only"},
    [STEP_ALTER] = {.name = "alter",
                    .transactional = false,
                    .strong_lock = true,
                    .summary =
                        "one statement that commits by itself; the definition tells whether it is done"},
    [STEP_CAPTURE] = {.name = "capture",
                      .transactional = false,
                      .strong_lock = false,
                      .summary = "changes of a table are captured from here on"},
    [STEP_COPY] = {.name = "copy",
                   .transactional = false,
                   .strong_lock = false,
                   .summary = "rows and changes are brought into the shadow table"},
    [STEP_COMPARE] = {.name = "compare",
                      .transactional = false,
                      .strong_lock = false,
                      .summary = "source and shadow are compared, chunk by chunk, and repaired"},
    [STEP_SWAP] = {.name = "swap",
                   .transactional = false,
                   .strong_lock = true,
                   .summary = "the shadow takes the table's place"},
    [STEP_QUIET] = {.name = "quiet",
                    .transactional = true,
                    .strong_lock = false,
                    .summary = "waits until no old application writes any more"},
    [STEP_EVIDENCE] = {.name = "evidence",
                       .transactional = true,
                       .strong_lock = false,
                       .summary = "looks whether anybody still uses what is to go"},
};

static const char *const phase_names[PHASE_COUNT] = {
    [PHASE_PREPARE] = "prepare", [PHASE_EXPAND] = "expand",       [PHASE_BACKFILL] = "backfill",
    [PHASE_VERIFY] = "verify",   [PHASE_CONSTRAIN] = "constrain", [PHASE_READY] = "ready",
    [PHASE_CUTOVER] = "cutover", [PHASE_CONTRACT] = "contract",   [PHASE_REVERT] = "revert",
};

const char *phase_name(Phase phase) { return phase_names[phase]; }

int phase_from_name(const char *name)
{
    for (int i = 0; i < PHASE_COUNT; i++)
        if (str_eq(name, phase_names[i]))
            return i;
    return -1;
}

const char *evidence_name(Evidence evidence)
{
    switch (evidence) {
    case EVIDENCE_MEASURED:
        return "measured";
    case EVIDENCE_CATALOG:
        return "catalog";
    case EVIDENCE_RULE:
        return "rule";
    case EVIDENCE_UNKNOWN:
        return "unknown";
    }
    return "unknown";
}

const char *timeout_name(Timeout timeout)
{
    switch (timeout) {
    case TIMEOUT_NONE:
        return "none";
    case TIMEOUT_LOCK:
        return "lock";
    case TIMEOUT_CHUNK:
        return "chunk";
    case TIMEOUT_WATCHDOG:
        return "watchdog";
    }
    return "none";
}

const char *step_kept_name(StepKept kept)
{
    switch (kept) {
    case STEP_KEPT_NOT:
        return NULL;
    case STEP_KEPT_BEGUN:
        return "begun";
    case STEP_KEPT_DONE:
        return "done";
    }
    return NULL;
}

Err *plan_refusal(const Plan *plan)
{
    Str message CLEANUP(str_donep) = STR_INIT, options CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < plan->risk_count; i++) {
        const Risk *risk = &plan->risks[i];
        if (risk->accept == NULL || risk->accepted)
            continue;
        str_sep(&message, "; ");
        str_add(&message, risk->message);
        bool known = false;
        for (size_t j = 0; j < i && !known; j++)
            known = !plan->risks[j].accepted && str_eq(plan->risks[j].accept, risk->accept);
        if (known)
            continue;
        str_sep(&options, " ");
        str_add(&options, risk->accept);
    }
    if (message.len == 0)
        return NULL;
    return err_hint(err_new(ERR_UNSAFE, "not accepted: %s", message.buf), "look at the plan, then add %s",
                    options.buf);
}

Err *plan_unmeasured(const Plan *plan)
{
    const char *why = NULL, *hint = NULL;
    for (size_t i = 0; i < plan->risk_count; i++)
        if (str_eq(plan->risks[i].id, "unmeasured")) {
            why = plan->risks[i].message;
            hint = plan->risks[i].sql;
        }
    for (size_t i = 0; i < plan->step_count; i++) {
        const Step *step = &plan->steps[i];
        if (step->evidence != EVIDENCE_UNKNOWN)
            continue;
        return err_hint(err_new(ERR_UNSAFE,
                                "step %d (%s): what it locks and reads is told by no rule, and it was not "
                                "measured%s%s",
                                step->ordinal, step->title, why != NULL ? ": " : "", why != NULL ? why : ""),
                        "%s",
                        hint != NULL  ? hint
                        : why != NULL ? "run it by hand with lock_timeout, at a quiet time"
                                      : "--probe on; its role needs CREATEDB, or CREATE on the database");
    }
    return NULL;
}

/* ---- what must be loaded first -------------------------------------------------------------- */

typedef VEC(WantedName) WantedNames;

static WantedName *want(Arena *arena, WantedNames *wanted, Name name, bool index)
{
    if (name.name == NULL)
        return NULL;
    for (size_t i = 0; i < wanted->len; i++)
        if (wanted->items[i].index == index && str_eq(wanted->items[i].name.name, name.name) &&
            str_eq(wanted->items[i].name.schema, name.schema))
            return &wanted->items[i];
    WantedName *added = vec_push(arena, wanted);
    *added = (WantedName){.name = name, .index = index};
    return added;
}

/* Operations that must know what stands on the table. */
static bool looks_closely(const Operation *op)
{
    OperationKind kind = op->kind;
    if (kind == OPERATION_SETTING)
        return op->words != NULL && (strstr(op->words, "ROW LEVEL SECURITY") != NULL ||
                                     str_eq(op->words, "ADD GENERATED AS IDENTITY"));
    return kind == OPERATION_CHANGE_TYPE || kind == OPERATION_DROP_COLUMN ||
           kind == OPERATION_DROP_CONSTRAINT || kind == OPERATION_DROP_TABLE ||
           kind == OPERATION_RENAME_TABLE || kind == OPERATION_SET_SCHEMA;
}

/* What may stand under the name that a table is to get. */
static void want_new_name(Arena *arena, WantedNames *wanted, const Operation *op)
{
    if (op->kind == OPERATION_RENAME_TABLE)
        want(arena, wanted, (Name){.schema = op->table.schema, .name = op->new_name}, false);
    else if (op->kind == OPERATION_SET_SCHEMA)
        want(arena, wanted, (Name){.schema = op->new_name, .name = op->table.name}, false);
}

static void want_constraints(Arena *arena, WantedNames *wanted, const ConstraintSpec *specs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (specs[i].kind == CONSTRAINT_FOREIGN_KEY)
            want(arena, wanted, specs[i].references, false);
}

void plan_wanted_tables(Arena *arena, const Change *change, WantedName **ret_names, size_t *ret_count)
{
    WantedNames wanted = {0};
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *op = &change->operations[i];
        WantedName *name = want(arena, &wanted, op->table, op->kind == OPERATION_DROP_INDEX || op->on_index);
        if (name != NULL && looks_closely(op))
            name->closely = true;
        want_new_name(arena, &wanted, op);
        if (op->kind == OPERATION_SETTING && op->name_count > 0) /* INHERIT */
            want(arena, &wanted, op->names[0], false);
        if (op->add != NULL)
            want_constraints(arena, &wanted, op->add->constraints, op->add->constraint_count);
        if (op->partition != NULL)
            (void)want(arena, &wanted, op->partition->name, false);
        if (op->constraint != NULL)
            want_constraints(arena, &wanted, op->constraint, 1);
        for (size_t j = 0; j < op->name_count; j++)
            want(arena, &wanted, op->names[j], false);
    }
    for (size_t i = 0; i < change->backfill_count; i++)
        want(arena, &wanted, change->backfills[i].table, false);
    for (size_t i = 0; i < change->reverse_count; i++)
        want(arena, &wanted, change->reverses[i].table, false);
    *ret_names = wanted.items;
    *ret_count = wanted.len;
}

/* A backfill may name its table with or without the schema that the ALTER TABLE gave. */
static bool name_may_be(Name a, Name b)
{
    return str_eq(a.name, b.name) && (a.schema == NULL || b.schema == NULL || str_eq(a.schema, b.schema));
}

void plan_wanted_exprs(Arena *arena, const Change *change, WantedExpr **ret_exprs, size_t *ret_count)
{
    VEC(WantedExpr) wanted = {0};
    for (size_t i = 0; i < change->backfill_count; i++) {
        const BackfillSpec *fill = &change->backfills[i];
        WantedExpr *expr = vec_push(arena, &wanted);
        *expr = (WantedExpr){.table = fill->table, .column = fill->column, .expr_sql = fill->expr_sql};
        for (size_t j = 0; j < change->operation_count; j++) {
            const Operation *op = &change->operations[j];
            if (op->kind == OPERATION_ADD_COLUMN && name_may_be(op->table, fill->table) &&
                str_eq(op->add->name, fill->column))
                expr->type_sql = op->add->type_sql;
        }
    }
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *op = &change->operations[i];
        if (op->kind == OPERATION_ADD_COLUMN && op->add->default_sql != NULL && !op->add->default_constant)
            *vec_push(arena, &wanted) = (WantedExpr){.table = op->table,
                                                     .column = op->add->name,
                                                     .type_sql = op->add->type_sql,
                                                     .expr_sql = op->add->default_sql,
                                                     .of_default = true};
        if (op->kind == OPERATION_CHANGE_TYPE)
            *vec_push(arena, &wanted) = (WantedExpr){
                .table = op->table,
                .column = op->column,
                .type_sql = op->type_sql,
                .expr_sql = op->using_sql != NULL
                                ? op->using_sql
                                : arena_printf(arena, "%s::%s", sql_ident(arena, op->column), op->type_sql)};
    }
    for (size_t i = 0; i < change->reverse_count; i++)
        *vec_push(arena, &wanted) = (WantedExpr){.table = change->reverses[i].table,
                                                 .column = change->reverses[i].column,
                                                 .expr_sql = change->reverses[i].expr_sql,
                                                 .of_reverse = true};
    *ret_exprs = wanted.items;
    *ret_count = wanted.len;
}
