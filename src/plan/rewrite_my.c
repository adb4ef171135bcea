/* The plan for MySQL and MariaDB: statements in their order, each in its way, put together by phases. */
#include "plan/maker_my.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- ALTER TABLE ---------------------------------------------------------------------------- */

static Phase phase_of(const Operation *operation)
{
    return operation->when == NATIVE_CONTRACT ? PHASE_CONTRACT : PHASE_EXPAND;
}

/* Each action alone is cheap, or an index build, where all of them together would take more: MariaDB and
 * MySQL rebuild the table for an instant column and an index in one statement. */
static bool parts_are_better(const MakerMy *maker, const WorkMy *work, const AskedMy *asked)
{
    bool better = asked->part_count > 1 && maker->input->options.strategy != STRATEGY_SHADOW &&
                  !fills_my(maker, work->operations[0]->table.name, asked);
    for (size_t i = 0; i < asked->part_count; i++) {
        const Ladder *part = &asked->parts[i].ladder;
        bool less =
            part->rung < asked->ladder.rung || (asked->ladder.rebuilds && part->rung <= asked->ladder.rung);
        better = better && less && part->rung <= RUNG_INPLACE && !part->rebuilds;
    }
    return better;
}

static Err *write_one(MakerMy *maker, const WorkMy *work, const Operation *operation, const AskedMy *asked,
                      Way way, Phase phase)
{
    if (way == WAY_NOTHING)
        return NULL;
    way_note_my(maker, work, asked, way);
    notes_alter_my(maker, work->table, operation->table.name, asked);
    if (way == WAY_NATIVE)
        return native_alter_my(maker, work, operation, asked, phase);
    if (way == WAY_FILL)
        return fill_write_my(maker, work, operation, asked, phase);
    if (phase == PHASE_CONTRACT)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "line %d takes something away with \"stoa complete\", where no table is copied "
                    "beside the application",
                    operation->line),
            "--strategy in-place, where the server can do it while writers go on");
    return shadow_write_my(maker, work, asked);
}

/* The ways of its actions one by one, where that is better and none of them needs a copy: the copy would be
 * made without the others. NULL where the statement goes as a whole. */
static Err *choose_parts(MakerMy *maker, const WorkMy *work, const AskedMy *asked, const Way **ret_ways)
{
    *ret_ways = NULL;
    if (!parts_are_better(maker, work, asked))
        return NULL;
    Way *ways = arena_alloc(maker->arena, asked->part_count * sizeof *ways);
    for (size_t i = 0; i < asked->part_count; i++) {
        TRY(way_choose_my(maker, work, &asked->parts[i], &ways[i]));
        if (ways[i] == WAY_SHADOW)
            return NULL;
    }
    *ret_ways = ways;
    return NULL;
}

static Err *write_parts(MakerMy *maker, const WorkMy *work, const Operation *operation, const AskedMy *asked,
                        const Way *ways, Phase phase)
{
    maker_risk_my(maker, "parts", NULL,
                  arena_printf(maker->arena,
                               "%s: its %zu actions are carried out one by one, because together the server "
                               "would do more work",
                               operation->table.name, asked->part_count));
    for (size_t i = 0; i < asked->part_count; i++)
        TRY(write_one(maker, work, operation, &asked->parts[i], ways[i], phase));
    return NULL;
}

static Err *another_copy(const Operation *operation)
{
    return err_hint(err_new(ERR_UNSAFE,
                            "line %d needs another copy of \"%s\", and cannot be joined with the one before",
                            operation->line, operation->table.name),
                    "make it a change of its own");
}

static bool adds(const Operation *operation, const char *column)
{
    for (size_t i = 0; i < operation->my->action_count; i++) {
        const MyAction *action = &operation->my->actions[i];
        if (action->kind == MY_ACTION_ADD_COLUMN && strcasecmp(action->column->name.text, column) == 0)
            return true;
        for (size_t k = 0; k < action->item_count; k++)
            if (action->items[k].kind == MY_ACTION_ADD_COLUMN &&
                strcasecmp(action->items[k].column->name.text, column) == 0)
                return true;
    }
    return false;
}

/* What a column is at the end was decided where it is added: invisible until complete, filled by triggers. */
static Err *check_added(const WorkMy *work, size_t at)
{
    const Operation *operation = work->operations[at];
    for (size_t i = 0; i < operation->my->action_count; i++) {
        const MyAction *action = &operation->my->actions[i];
        bool again = action->kind == MY_ACTION_MODIFY_COLUMN || action->kind == MY_ACTION_CHANGE_COLUMN ||
                     action->kind == MY_ACTION_SET_DEFAULT || action->kind == MY_ACTION_DROP_DEFAULT ||
                     action->kind == MY_ACTION_RENAME_COLUMN || action->kind == MY_ACTION_DROP_COLUMN;
        const char *column =
            action->kind == MY_ACTION_MODIFY_COLUMN ? action->column->name.text : action->name.text;
        for (size_t k = 0; k < at && again && column != NULL; k++)
            if (adds(work->operations[k], column))
                return err_hint(err_new(ERR_UNSAFE, "line %d changes column \"%s\", which line %d adds",
                                        operation->line, column, work->operations[k]->line),
                                "write it there as it is to be; NOT NULL behind a backfill is a change of "
                                "its own, for when this one is complete");
    }
    return NULL;
}

static Err *filled_before(const Operation *operation)
{
    return err_hint(
        err_new(ERR_UNSAFE,
                "line %d needs a copy of \"%s\", of which an earlier line fills a column in place",
                operation->line, operation->table.name),
        "make it a change of its own, or fill the column in the copy: --strategy shadow");
}

/* How one statement of a work goes. */
typedef struct Chosen {
    Way way;
    const Way *parts; /* NULL: as a whole */
} Chosen;

/* A table is copied once: what stands behind the copy is done behind its cutover, and what stands behind a
 * fill when that is verified. */
static Err *write_each(MakerMy *maker, const WorkMy *work, const Chosen *chosen)
{
    for (size_t i = 0; i < work->count; i++) {
        const Operation *operation = work->operations[i];
        const AskedMy *asked = &work->asked[i];
        bool copied = maker_is_copied(maker, operation->table.name);
        bool filled = maker_is_filled(maker, operation->table.name);
        if (copied && chosen[i].way == WAY_SHADOW)
            return another_copy(operation);
        if (filled && chosen[i].way == WAY_SHADOW)
            return filled_before(operation);
        Phase phase = phase_of(operation);
        if (filled && chosen[i].way == WAY_NATIVE && phase < PHASE_CONSTRAIN)
            phase = PHASE_CONSTRAIN; /* indexes are built over values, and told that they are equal */
        if (copied && phase < PHASE_CUTOVER)
            phase = PHASE_CUTOVER;
        if (chosen[i].parts != NULL)
            TRY(write_parts(maker, work, operation, asked, chosen[i].parts, phase));
        else
            TRY(write_one(maker, work, operation, asked, chosen[i].way, phase));
    }
    return NULL;
}

static Err *write_work(MakerMy *maker, const WorkMy *work)
{
    if (work->asked == NULL)
        return native_other_my(maker, work);
    Chosen *chosen = arena_alloc(maker->arena, work->count * sizeof *chosen);
    Way joined = WAY_NATIVE;
    bool copies = false;
    for (size_t i = 0; i < work->count; i++) {
        chosen[i].way = WAY_NATIVE;
        TRY(check_added(work, i));
        TRY(choose_parts(maker, work, &work->asked[i], &chosen[i].parts));
        if (chosen[i].parts == NULL)
            TRY(way_choose_my(maker, work, &work->asked[i], &chosen[i].way));
        copies = copies || chosen[i].way == WAY_SHADOW;
    }
    if (copies && work->joined != NULL)
        TRY(way_choose_my(maker, work, work->joined, &joined));
    if (joined != WAY_SHADOW)
        return write_each(maker, work, chosen);
    if (maker_is_copied(maker, work->operations[0]->table.name))
        return another_copy(work->operations[0]);
    maker_risk_my(
        maker, "joined", NULL,
        arena_printf(maker->arena,
                     "%s: its %zu statements are carried out as one, so that the table is gone through "
                     "once",
                     work->operations[0]->table.name, work->count));
    return write_one(maker, work, work->operations[0], work->joined, joined, PHASE_EXPAND);
}

/* Names change at the end of a change: what is said of the table under its new name would run before. */
static Err *check_renames(const Change *change)
{
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *rename = &change->operations[i];
        if (rename->my->kind != MY_STATEMENT_RENAME_TABLE)
            continue;
        for (size_t k = i + 1; k < change->operation_count; k++)
            for (size_t n = 0; n < rename->name_count; n++)
                if (strcasecmp(change->operations[k].table.name, rename->names[n].name) == 0)
                    return err_hint(
                        err_new(ERR_UNSAFE,
                                "line %d is about a table that line %d renames, which is done at the "
                                "end",
                                change->operations[k].line, rename->line),
                        "put RENAME TABLE behind it, or make it a change of its own");
    }
    return NULL;
}

/* ---- what is true of all -------------------------------------------------------------------- */

static Err *check_database(const MakerMy *maker)
{
    const Change *change = maker->input->change;
    const char *database = maker->server->database;
    if (database == NULL || database[0] == '\0')
        return err_hint(err_new(ERR_USAGE, "--url names no database"), "write --url mysql://host/DATABASE");
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *operation = &change->operations[i];
        bool other = operation->table.schema != NULL && !str_eq(operation->table.schema, database);
        for (size_t k = 0; k < operation->name_count; k++)
            other = other ||
                    (operation->names[k].schema != NULL && !str_eq(operation->names[k].schema, database));
        if (other)
            return err_hint(err_new(ERR_USAGE, "line %d is about another database than \"%s\"",
                                    operation->line, database),
                            "one change, one database: the one that --url names");
    }
    return NULL;
}

static void note_server(MakerMy *maker)
{
    const Server *server = maker->server;
    if (server->my->untested)
        maker_risk_my(
            maker, "untested-server", NULL,
            arena_printf(maker->arena,
                         "untested server: Stoa's own tests do not run on %s %s; what is said of it "
                         "stands on its documentation and on what it answers",
                         server->engine, server->version));
    if (server->my->galera)
        maker_risk_my(maker, "galera", NULL,
                      "on Galera each ALTER TABLE stops the whole cluster while it runs: only what changes "
                      "catalogs alone is done");
    if (maker->input->options.replicas_given || server->standby_count > 0 || !server->my->logged)
        return;
    maker_risk_my(maker, "replicas", NULL,
                  "no replica is seen; --replicas URL names one, --replicas 0 states that there is none");
}

static void note_said(MakerMy *maker)
{
    const Change *change = maker->input->change;
    for (size_t i = 0; i < change->operation_count; i++)
        if (change->operations[i].said != NULL)
            maker_risk_my(
                maker, "clause", NULL,
                arena_printf(maker->arena,
                             "%s in line %d is left out: locks are waited for within --max-stall and "
                             "--lock-wait",
                             change->operations[i].said, change->operations[i].line));
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Within contract, captures end and old tables go before anything else is changed. */
static int step_rank(const Step *step) { return step->phase == PHASE_CONTRACT && step->shadow == NULL; }

static void plan_steps(MakerMy *maker, Plan *plan)
{
    VEC(Step) all = {0};
    for (int phase = 0; phase < PHASE_REVERT; phase++)
        for (int rank = 0; rank < 2; rank++)
            for (size_t i = 0; i < maker->steps[phase].len; i++) {
                const Step *from = &maker->steps[phase].items[i];
                if (step_rank(from) != rank)
                    continue;
                Step *step = vec_push(maker->arena, &all);
                *step = *from;
                step->ordinal = (int)all.len;
            }
    plan->steps = all.items;
    plan->step_count = all.len;
    plan->strategy = maker->copies ? "shadow" : maker->scans ? "in-place" : "instant";
}

static void plan_reverts(MakerMy *maker, Plan *plan)
{
    if (maker->no_revert == NULL && maker->in_place_count > 0)
        maker->no_revert = "what was done in the tables themselves stays";
    if (maker->no_revert != NULL || maker->reverts.len == 0) {
        plan->no_revert = maker->no_revert;
        return;
    }
    plan->reverts = maker->reverts.items;
    plan->revert_count = maker->reverts.len;
    for (size_t i = 0; i < maker->reverts.len; i++)
        maker->reverts.items[i].ordinal = (int)(plan->step_count + i + 1);
}

Err *plan_make_my(Arena *arena, const PlanInputMy *input, Plan *ret_plan)
{
    const Change *change = input->change;
    MakerMy maker = {.arena = arena, .input = input, .server = input->server};
    TRY(change_check(change));
    TRY(check_database(&maker));
    TRY(fills_check_my(&maker));
    TRY(check_renames(change));
    for (size_t i = 0; i < input->work_count; i++)
        TRY(write_work(&maker, &input->works[i]));
    bool work = false;
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        work = work || maker.steps[phase].len > 0;
    Plan plan = {.change = change->name,
                 .owner = change->owner,
                 .sql = change->sql,
                 .change_digest = change->change_digest,
                 .engine = input->server->engine,
                 .server = input->server->version,
                 .search_path = input->server->search_path,
                 .search_path_count = input->server->search_path_count,
                 .nothing_to_do = !work};
    if (work) {
        Step *ready = maker_step_my(&maker, PHASE_READY, STEP_READY, (Name){0},
                                    "ready: the application may rely on it");
        ready->evidence = EVIDENCE_CATALOG;
        note_server(&maker);
        note_said(&maker);
    }
    if (maker.tables.len > 1)
        qsort(maker.tables.items, maker.tables.len, sizeof maker.tables.items[0], text_compare);
    plan.tables = maker.tables.items;
    plan.table_count = maker.tables.len;
    plan_steps(&maker, &plan);
    plan_reverts(&maker, &plan);
    plan.risks = maker.risks.items;
    plan.risk_count = maker.risks.len;
    plan.plan_digest = plan_digest_make(arena, &plan);
    *ret_plan = plan;
    return NULL;
}

/* ---- columns that stay hidden until complete ------------------------------------------------- */

/* Where INVISIBLE may stand: behind the type of a column, behind the expression of a generated one, always
 * before FIRST and AFTER. */
static size_t hide_at(const MyColumnSpec *column)
{
    size_t at = column->type.end;
    if (my_span_is(column->generated))
        return my_span_is(column->position) ? column->position.start : column->span.end;
    at = column->charset.end > at ? column->charset.end : at;
    return column->collate.end > at ? column->collate.end : at;
}

const char *plan_hide_my(Arena *arena, const Operation *operation)
{
    const MyStatement *my = operation->my;
    CLEANUP(str_donep) Str out = STR_INIT;
    size_t from = 0;
    for (size_t i = 0; i < my->action_count; i++) {
        const MyAction *action = &my->actions[i];
        if (action->kind != MY_ACTION_ADD_COLUMN)
            continue;
        const MyColumnSpec *column = action->column;
        if (column->visible || column->invisible || column->auto_increment || column->primary ||
            column->row_start || column->row_end)
            return NULL;
        size_t at = hide_at(column);
        const char *gap = operation->sql[at - 1] == ' ' ? "" : " ";
        str_addn(&out, operation->sql + from, at - from);
        str_addf(&out, "%sINVISIBLE%s", gap, gap[0] == '\0' ? " " : "");
        from = at;
    }
    if (out.len == 0)
        return NULL;
    str_add(&out, operation->sql + from);
    return arena_dup(arena, out.buf);
}
