/* What of an unfinished change can be kept for another one of its name. */
#include "plan/forward.h"

#include "engine/self_set.h"
#include "engine/sql.h"

#include <string.h>

/* ---- what its steps have made --------------------------------------------------------------- */

static bool is_of(const Step *step, const Table *table)
{
    return step->table.name != NULL && str_eq(step->table.name, table->name) &&
           str_eq(step->table.schema, table->schema);
}

/* A statement of the step has this text in it; statements of plans are always written the same way. */
static bool says(const Step *step, const char *text)
{
    for (size_t i = 0; i < step->sql_count; i++)
        if (strstr(step->sql[i], text) != NULL)
            return true;
    return false;
}

static bool adds(Arena *arena, const Step *step, const char *words, const char *name)
{
    return says(step, arena_printf(arena, " %s %s ", words, sql_ident(arena, name)));
}

/* A step of the old change on this table that left something, and that says so. */
static bool left_by(Arena *arena, const Forward *forward, const Table *table, const char *words,
                    const char *name)
{
    for (size_t i = 0; i < forward->plan.step_count; i++)
        if (forward->left[i] != LEFT_NOTHING && is_of(&forward->plan.steps[i], table) &&
            adds(arena, &forward->plan.steps[i], words, name))
            return true;
    return false;
}

static bool column_goes(Arena *arena, const Forward *forward, const Table *table, const char *name)
{
    return left_by(arena, forward, table, "ADD COLUMN", name);
}

/* The server's own NOT NULL of a column (18 and later) goes with the column. */
static bool is_not_null_of(Arena *arena, const TableConstraint *constraint, const Column *column)
{
    const char *text = arena_printf(arena, "NOT NULL %s", sql_ident(arena, column->name));
    size_t len = strlen(text);
    return constraint->kind == 'n' && str_starts(constraint->definition, text) &&
           (constraint->definition[len] == '\0' || constraint->definition[len] == ' ');
}

static bool constraint_goes(Arena *arena, const Forward *forward, const Table *table,
                            const TableConstraint *constraint)
{
    if (left_by(arena, forward, table, "CONSTRAINT", constraint->name))
        return true;
    for (size_t i = 0; i < table->column_count; i++)
        if (is_not_null_of(arena, constraint, &table->columns[i]) &&
            column_goes(arena, forward, table, table->columns[i].name))
            return true;
    return false;
}

static bool index_goes(Arena *arena, const Forward *forward, const Table *table, const Index *index)
{
    for (size_t i = 0; i < forward->plan.step_count; i++) {
        const Step *step = &forward->plan.steps[i];
        if (forward->left[i] != LEFT_NOTHING && step->kind == STEP_CREATE_INDEX && is_of(step, table) &&
            str_eq(step->index, index->name))
            return true;
    }
    for (size_t i = 0; i < table->constraint_count && index->constraint != NULL; i++)
        if (str_eq(table->constraints[i].name, index->constraint) &&
            constraint_goes(arena, forward, table, &table->constraints[i]))
            return true;
    for (size_t i = 0; i < index->column_count; i++)
        if (index->columns[i] != NULL && column_goes(arena, forward, table, index->columns[i]))
            return true;
    return false;
}

/* ---- the table without that ----------------------------------------------------------------- */

/* The trigger as it is to be on an empty copy, made while the table still has everything. */
static void note_sync(Arena *arena, Forward *forward, const Server *server, const Table *table,
                      const SyncColumn *others, size_t other_count)
{
    ForwardSync *sync = NULL;
    for (size_t i = 0; i < forward->syncs.len; i++)
        if (str_eq(forward->syncs.items[i].table.name, table->name) &&
            str_eq(forward->syncs.items[i].table.schema, table->schema))
            sync = &forward->syncs.items[i];
    if (sync == NULL)
        sync = vec_push(arena, &forward->syncs);
    *sync = (ForwardSync){.table = {.schema = table->schema, .name = table->name}};
    sync_sql_pg(arena, server, table, others, other_count, forward->plan.search_path,
                forward->plan.search_path_count, &sync->sql, &sync->sql_count);
}

static void strip_sync(Arena *arena, Forward *forward, const Server *server, Table *table)
{
    SyncColumn *others = arena_alloc(arena, (table->sync_count + 1) * sizeof *others);
    size_t count = 0;
    for (size_t i = 0; i < table->sync_count; i++)
        if (table->sync[i].change_id != forward->change_id)
            others[count++] = table->sync[i];
    if (count == table->sync_count)
        return;
    note_sync(arena, forward, server, table, others, count);
    table->sync = others;
    table->sync_count = count;
    if (count > 0)
        return;
    Trigger *triggers = arena_alloc(arena, (table->trigger_count + 1) * sizeof *triggers);
    size_t trigger_count = 0;
    for (size_t i = 0; i < table->trigger_count; i++)
        if (!table->triggers[i].stoa)
            triggers[trigger_count++] = table->triggers[i];
    table->triggers = triggers;
    table->trigger_count = trigger_count;
}

static void strip_dependents(Arena *arena, const Forward *forward, Table *table)
{
    Dependent *kept = arena_alloc(arena, (table->dependent_count + 1) * sizeof *kept);
    size_t count = 0;
    for (size_t i = 0; i < table->dependent_count; i++) {
        const Dependent *dependent = &table->dependents[i];
        bool goes = dependent->column != NULL && column_goes(arena, forward, table, dependent->column);
        if (dependent->constraint != NULL)
            goes = goes || left_by(arena, forward, table, "CONSTRAINT", dependent->constraint);
        if (!goes)
            kept[count++] = *dependent;
    }
    table->dependents = kept;
    table->dependent_count = count;
}

void forward_strip(Arena *arena, Forward *forward, const Server *server, Table *table)
{
    if (table->id == 0)
        return;
    const Table whole = *table;
    Table out = whole;
    strip_sync(arena, forward, server, &out);
    strip_dependents(arena, forward, &out);
    out.columns = arena_alloc(arena, (whole.column_count + 1) * sizeof *out.columns);
    out.constraints = arena_alloc(arena, (whole.constraint_count + 1) * sizeof *out.constraints);
    out.indexes = arena_alloc(arena, (whole.index_count + 1) * sizeof *out.indexes);
    out.column_count = out.constraint_count = out.index_count = 0;
    for (size_t i = 0; i < whole.column_count; i++)
        if (!column_goes(arena, forward, &whole, whole.columns[i].name))
            out.columns[out.column_count++] = whole.columns[i];
    for (size_t i = 0; i < whole.constraint_count; i++)
        if (!constraint_goes(arena, forward, &whole, &whole.constraints[i]))
            out.constraints[out.constraint_count++] = whole.constraints[i];
    for (size_t i = 0; i < whole.index_count; i++)
        if (!index_goes(arena, forward, &whole, &whole.indexes[i]))
            out.indexes[out.index_count++] = whole.indexes[i];
    self_set_mark(server, &out);
    *table = out;
}

/* ---- the empty copy without that ------------------------------------------------------------ */

static const ForwardSync *sync_of(const Forward *forward, const Step *step)
{
    for (size_t i = 0; i < forward->syncs.len && step->sync; i++)
        if (str_eq(forward->syncs.items[i].table.name, step->table.name) &&
            str_eq(forward->syncs.items[i].table.schema, step->table.schema))
            return &forward->syncs.items[i];
    return NULL;
}

void forward_undos(Arena *arena, const Forward *forward, const Table *tables, size_t count,
                   const Step **ret_steps, size_t *ret_count)
{
    VEC(Step) undos = {0};
    for (size_t i = forward->plan.step_count; i-- > 0;) {
        const Step *step = &forward->plan.steps[i];
        bool here = false;
        for (size_t t = 0; t < count; t++)
            here = here || is_of(step, &tables[t]);
        if (!here || forward->left[i] == LEFT_NOTHING || (step->undo_count == 0 && !step->sync))
            continue;
        Step undo = {.ordinal = step->ordinal,
                     .phase = step->phase,
                     .kind = step->kind == STEP_CREATE_INDEX ? STEP_DROP_INDEX : STEP_DDL,
                     .title = arena_printf(arena, "undo: %s", step->title),
                     .table = step->table,
                     .role = step->role,
                     .sync = step->sync,
                     .sql = step->undo,
                     .sql_count = step->undo_count};
        const ForwardSync *sync = sync_of(forward, step);
        if (sync != NULL) {
            undo.sync_sql = sync->sql;
            undo.sync_sql_count = sync->sql_count;
        }
        *vec_push(arena, &undos) = undo;
    }
    *ret_steps = undos.items;
    *ret_count = undos.len;
}

/* ---- step by step --------------------------------------------------------------------------- */

enum { NONE = -1 };

/* Leaves something that a later run must not do again, or must undo. */
static bool has_effect(const Step *step)
{
    switch (step->kind) {
    case STEP_DDL:
    case STEP_BACKFILL:
    case STEP_VACUUM:
    case STEP_CREATE_INDEX:
    case STEP_VALIDATE:
    case STEP_DROP_INDEX:
    case STEP_DETACH:
    case STEP_LONG:
    case STEP_OUTSIDE:
    case STEP_ALTER:
    case STEP_CAPTURE:
    case STEP_COPY:
    case STEP_COMPARE:
    case STEP_SWAP:
        return step->phase < PHASE_READY;
    case STEP_VERIFY:
    case STEP_READY:
    case STEP_QUIET:
    case STEP_EVIDENCE:
    case STEP_KIND_COUNT:
        break;
    }
    return false;
}

static bool same_work(const Step *a, const Step *b)
{
    if (a->kind != b->kind || a->phase != b->phase || !str_eq(a->table.name, b->table.name))
        return false;
    json_t *left = step_work_json(a), *right = step_work_json(b);
    bool same = json_equal(left, right) != 0;
    json_decref(left);
    json_decref(right);
    return same;
}

/* The text between two words of a statement of the step, or behind the first where `to` is NULL; NULL. */
static const char *between(Arena *arena, const Step *step, const char *from, const char *to)
{
    for (size_t i = 0; i < step->sql_count; i++) {
        const char *at = strstr(step->sql[i], from);
        if (at == NULL)
            continue;
        const char *text = at + strlen(from), *end = to == NULL ? text + strlen(text) : strstr(text, to);
        if (end != NULL)
            return arena_dupn(arena, text, (size_t)(end - text));
    }
    return NULL;
}

/* On MySQL and MariaDB the column is added by one statement and filled by others: what they have written goes
 * with the column. On PostgreSQL the step that adds it has the trigger. */
static size_t filled_by(const Plan *plan, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (plan->steps[i].kind == STEP_ALTER &&
            str_eq(plan->steps[i].table.name, plan->steps[at].table.name))
            return i;
    return at;
}

/* The step with whose undo this one goes: itself, or where it has none the one that made what it is about. */
static size_t goes_with(Arena *arena, const Plan *plan, size_t at)
{
    const Step *step = &plan->steps[at];
    if (step->kind == STEP_BACKFILL || forward_is_trigger_my(step))
        return filled_by(plan, at);
    bool alone = step->kind == STEP_VACUUM || step->sync || step->undo_count + step->undo_step_count > 0;
    if (alone || !has_effect(step))
        return at;
    const char *validated = between(arena, step, " VALIDATE CONSTRAINT ", NULL);
    const char *filled = between(arena, step, " ALTER COLUMN ", " SET NOT NULL");
    const char *made = NULL;
    if (validated != NULL)
        made = arena_printf(arena, " ADD CONSTRAINT %s ", validated);
    else if (filled != NULL)
        made = arena_printf(arena, " ADD COLUMN %s ", filled);
    for (size_t i = 0; i < at && made != NULL; i++)
        if (str_eq(plan->steps[i].table.name, step->table.name) &&
            str_eq(plan->steps[i].table.schema, step->table.schema) && says(&plan->steps[i], made))
            return i;
    return 0;
}

static int find_equal(const Plan *plan, const Step *step, size_t from)
{
    for (size_t i = from; i < plan->step_count; i++)
        if (has_effect(&plan->steps[i]) && same_work(step, &plan->steps[i]))
            return (int)i;
    return NONE;
}

/* The first step from which on everything goes. */
static size_t find_cut(Forward *forward, const Plan *plan)
{
    size_t at = 0;
    for (size_t i = 0; i < forward->plan.step_count; i++) {
        const Step *step = &forward->plan.steps[i];
        if (forward->left[i] == LEFT_NOTHING || !has_effect(step))
            continue;
        bool index_alone = step->kind == STEP_CREATE_INDEX && !step->index_unique;
        int equal = find_equal(plan, step, index_alone ? 0 : at);
        if (equal == NONE && !index_alone && step->kind != STEP_VACUUM)
            return i;
        if (equal == NONE)
            continue;
        forward->kept_as[i] = plan->steps[equal].ordinal;
        at = index_alone ? at : (size_t)equal + 1;
    }
    return forward->plan.step_count;
}

/* What goes and has no undo of its own takes along what it goes with, and all behind that. */
static size_t lower_cut(Arena *arena, const Forward *forward, size_t cut)
{
    for (bool lower = true; lower;) {
        lower = false;
        for (size_t i = cut; i < forward->plan.step_count; i++) {
            if (forward->left[i] == LEFT_NOTHING || !has_effect(&forward->plan.steps[i]))
                continue;
            size_t with = goes_with(arena, &forward->plan, i);
            lower = lower || with < cut;
            cut = with < cut ? with : cut;
        }
    }
    return cut;
}

static const PlanReplaces *replaces_of(Arena *arena, const Forward *forward)
{
    PlanReplaces *replaces = arena_alloc(arena, sizeof *replaces);
    VEC(const char *) undone = {0};
    for (size_t i = forward->plan.step_count; i-- > 0;) {
        const Step *step = &forward->plan.steps[i];
        bool undo = step->undo_count + step->undo_step_count > 0 || step->sync || step->kind == STEP_BACKFILL;
        if (forward->left[i] != LEFT_NOTHING && forward->kept_as[i] == 0 && has_effect(step) && undo)
            *vec_push(arena, &undone) = step->title;
    }
    *replaces = (PlanReplaces){
        .change_digest = forward->change_digest, .undone = undone.items, .undone_count = undone.len};
    return replaces;
}

void forward_match(Arena *arena, Forward *forward, Plan *plan)
{
    Step *steps = arena_alloc(arena, (plan->step_count + 1) * sizeof *steps);
    for (size_t i = 0; i < plan->step_count; i++)
        steps[i] = plan->steps[i];
    size_t cut = lower_cut(arena, forward, find_cut(forward, plan));
    forward->kept_count = 0;
    for (size_t i = 0; i < forward->plan.step_count; i++) {
        int as = i < cut ? forward->kept_as[i] : 0;
        forward->kept_as[i] = as;
        if (as == 0)
            continue;
        forward->kept_count++;
        steps[as - 1].kept = forward->left[i] == LEFT_DONE ? STEP_KEPT_DONE : STEP_KEPT_BEGUN;
    }
    plan->steps = steps;
    plan->replaces = replaces_of(arena, forward);
}

/* ---- whether at all ------------------------------------------------------------------------- */

static bool adds_column(const Change *change, const char *name)
{
    for (size_t i = 0; i < change->operation_count; i++)
        if (change->operations[i].kind == OPERATION_ADD_COLUMN &&
            str_eq(change->operations[i].add->name, name))
            return true;
    return false;
}

static bool has_primary_key(const Operation *operation)
{
    const ColumnSpec *add = operation->add;
    for (size_t i = 0; add != NULL && i < add->constraint_count; i++)
        if (add->constraints[i].kind == CONSTRAINT_PRIMARY_KEY)
            return true;
    return operation->constraint != NULL && operation->constraint->kind == CONSTRAINT_PRIMARY_KEY;
}

/* Adds to what is there, or says something of a column that the change adds. */
static bool is_addition(const Change *change, const Operation *operation)
{
    switch (operation->kind) {
    case OPERATION_ADD_COLUMN:
    case OPERATION_ADD_CONSTRAINT:
        return !has_primary_key(operation);
    case OPERATION_CREATE_INDEX:
        return true;
    case OPERATION_SET_NOT_NULL:
    case OPERATION_DROP_NOT_NULL:
    case OPERATION_SET_DEFAULT:
    case OPERATION_DROP_DEFAULT:
    case OPERATION_COMMENT:
        return operation->column != NULL && adds_column(change, operation->column);
    case OPERATION_VALIDATE_CONSTRAINT:
    case OPERATION_DROP_INDEX:
    case OPERATION_SETTING:
    case OPERATION_RENAME:
    case OPERATION_CHANGE_TYPE:
    case OPERATION_RENAME_COLUMN:
    case OPERATION_RENAME_TABLE:
    case OPERATION_SET_SCHEMA:
    case OPERATION_DROP_COLUMN:
    case OPERATION_DROP_CONSTRAINT:
    case OPERATION_DROP_TABLE:
    case OPERATION_ATTACH_PARTITION:
    case OPERATION_DETACH_PARTITION:
    case OPERATION_CREATE_PARTITION:
    case OPERATION_NATIVE:
    case OPERATION_MY:
    case OPERATION_COUNT:
        break;
    }
    return false;
}

static const char *why_change(Arena *arena, const Change *change, const char *whose)
{
    if (change->reverse_count > 0)
        return arena_printf(arena, "%s change has a way back (--reverse)", whose);
    for (size_t i = 0; i < change->operation_count; i++)
        if (!is_addition(change, &change->operations[i]))
            return arena_printf(arena, "%s change does more than add columns, indexes and constraints: %.80s",
                                whose, change->operations[i].sql);
    return NULL;
}

/* The steps' table is the one that the lease is of: it is no partition, and has none. */
static bool is_plain(Arena *arena, const Plan *plan, const Step *step)
{
    const char *name =
        step->table.name == NULL ? NULL : sql_name(arena, step->table.schema, step->table.name);
    bool leased = name == NULL;
    for (size_t i = 0; i < plan->table_count && !leased; i++)
        leased = str_eq(plan->tables[i], name);
    return leased && step->lock_tree == 0;
}

static const char *why_plan(Arena *arena, const Change *change, const Plan *plan)
{
    if (plan->version_schema != NULL)
        return "the old change has a view for the new application (--versioned)";
    for (size_t i = 0; i < plan->step_count; i++) {
        const Step *step = &plan->steps[i];
        if (step->phase == PHASE_CUTOVER)
            return "the old change has a cutover";
        if (!is_plain(arena, plan, step))
            return arena_printf(arena, "\"%s.%s\" has partitions, or is one", step->table.schema,
                                step->table.name);
        for (size_t f = 0; f < step->fill_count; f++) {
            if (step->fills[f].sync.back_count > 0)
                return "the old change has a way back (--reverse)";
            if (!adds_column(change, step->fills[f].column))
                return arena_printf(arena, "the old change fills \"%s\", which was there before",
                                    step->fills[f].column);
        }
    }
    return NULL;
}

static bool same_path(const Plan *plan, const Server *server)
{
    if (plan->search_path_count != server->search_path_count)
        return false;
    for (size_t i = 0; i < plan->search_path_count; i++)
        if (!str_eq(plan->search_path[i], server->search_path[i]))
            return false;
    return true;
}

const char *forward_why_not(Arena *arena, const Forward *forward, const Change *old_change,
                            const Change *new_change, const PlanOptions *options, const Server *server)
{
    if (options->versioned)
        return "the new change has a view for the new application (--versioned)";
    if (!same_path(&forward->plan, server))
        return "the search path is another one than that of the old change";
    const char *why = why_change(arena, old_change, "the old");
    if (why == NULL)
        why = why_plan(arena, old_change, &forward->plan);
    return why != NULL ? why : why_change(arena, new_change, "the new");
}
