/* From a request to a plan on MySQL and MariaDB: the server is asked on an empty clone how it would carry
 * each statement out; then the plan's own statements are carried out on another one, in their order, so that
 * each is known to work, and by which definition it is known to be done. */
#include "run/load_my.h"
#include "change/text_my.h"
#include "run/forward.h"

#include "base/digest.h"

#include <string.h>

enum { CLONE_MS = 30000, STATEMENT_MS = 20000 };

static Wait wait_of(const LoadMy *load, int64_t timeout_ms)
{
    return (Wait){.stop = load->runner->options->stop, .timeout_ms = timeout_ms};
}

static Err *find_leftover(LoadMy *load, const char *table, const char **ret_name)
{
    static const char *const suffixes[] = {"stoa_new", "stoa_old"};
    Wait wait = runner_wait(load->runner);
    for (size_t i = 0; i < ARRAY_LEN(suffixes) && *ret_name == NULL; i++) {
        const char *name = plan_shadow_name_my(load->arena, table, suffixes[i]);
        int64_t id = 0;
        if (name != NULL)
            TRY(load->runner->ops->find_table(load->runner->conn, &wait, load->arena,
                                              load->runner->server.database, name, &id));
        *ret_name = id != 0 ? name : NULL;
    }
    return NULL;
}

/* ---- the clone ------------------------------------------------------------------------------ */

static Err *open_clone(const LoadMy *load, Clone **ret_clone)
{
    Runner *runner = load->runner;
    Wait wait = wait_of(load, CLONE_MS);
    Err *err = runner->ops->clone_open(&runner->options->target, runner->conn, &wait, &runner->server,
                                       load->tables.items, load->tables.len, NULL, 0, false, ret_clone);
    return err == NULL ? NULL : err_wrap(err, "no empty copy of the tables can be made to try the change on");
}

/* In the user's own words, or in ours. */
static Err *run_in(const LoadMy *load, Clone *clone, RanMy ran)
{
    const EngineOps *ops = load->runner->ops;
    Wait wait = wait_of(load, STATEMENT_MS);
    return ran.as_written && ops->clone_run_written != NULL
               ? ops->clone_run_written(ops->clone_conn(clone), &wait, ran.sql, ran.unchecked)
               : ops->clone_run(ops->clone_conn(clone), &wait, &ran.sql, 1, false);
}

/* Another clone that is where the first one is. */
static Err *open_second(const LoadMy *load, Clone **ret_clone)
{
    Clone *clone = NULL;
    TRY(open_clone(load, &clone));
    Err *err = NULL;
    for (size_t i = 0; err == NULL && i < load->run.len; i++)
        err = run_in(load, clone, load->run.items[i]);
    if (err != NULL)
        load->runner->ops->clone_close(clone);
    else
        *ret_clone = clone;
    return err;
}

/* ---- asking --------------------------------------------------------------------------------- */

static Err *load_in(const LoadMy *load, Clone *clone, const char *name, const Table **ret_table)
{
    const EngineOps *ops = load->runner->ops;
    Wait wait = wait_of(load, STATEMENT_MS);
    Table *table = arena_alloc(load->arena, sizeof *table);
    TRY(ops->load_table(ops->clone_conn(clone), &wait, load->arena, &load->runner->server, NULL, name,
                        table));
    *ret_table = table;
    return NULL;
}

/* Asks about one statement, and carries it out in the clone where the server takes it. */
static Err *ask_one(const LoadMy *load, Clone *clone, const char *table, const char *sql,
                    const MyDialect *lexis, bool run, AskedMy *ret_asked)
{
    const EngineOps *ops = load->runner->ops;
    Wait wait = wait_of(load, STATEMENT_MS);
    Table named = {.schema = load->runner->server.database, .name = table};
    AskedMy asked = {.sql = sql};
    MyStatement *my = arena_alloc(load->arena, sizeof *my);
    MyFault fault = {0};
    if (!my_parse(load->arena, lexis, sql, (MySpan){.start = 0, .end = strlen(sql)}, my, &fault))
        return err_new(ERR_BUG, "a statement that was written anew cannot be read: %s", fault.message);
    asked.my = my;
    TRY(load_in(load, clone, table, &asked.before));
    if (asked.before->kind == RELATION_MISSING)
        return err_new(ERR_USAGE, "there is no table \"%s\"", table);
    named.my = asked.before->my;
    const Table *real = load_named_my(load, table);
    if (real != NULL && real->my != NULL)
        named.my = real->my; /* its row versions count */
    LadderRequest request = {.table = &named, .sql = sql, .as_written = true, .unchecked = unchecked_my(my)};
    plan_renames_my(load->arena, my, &request);
    TRY(ops->ladder(ops->clone_conn(clone), &wait, load->arena, &request, &asked.ladder));
    if (asked.ladder.rung != RUNG_REFUSED && run) {
        TRY(run_in(load, clone, (RanMy){.sql = sql, .as_written = true, .unchecked = unchecked_my(my)}));
        TRY(load_in(load, clone, table, &asked.after));
    }
    *ret_asked = asked;
    return NULL;
}

/* The actions one by one; none where they do not lead to the same table. */
static Err *ask_parts_in(const LoadMy *load, Clone *clone, const char *table, const MyDialect *lexis,
                         AskedMy *asked)
{
    AskedMy *parts = arena_alloc(load->arena, asked->my->action_count * sizeof *parts);
    bool *keep = arena_alloc(load->arena, asked->my->action_count);
    for (size_t i = 0; i < asked->my->action_count; i++) {
        keep[i] = true;
        TRY(ask_one(load, clone, table, my_alter_sql(load->arena, table, asked->sql, asked->my, keep), lexis,
                    true, &parts[i]));
        keep[i] = false;
        parts[i].hides = asked->hides;
        if (parts[i].ladder.rung == RUNG_REFUSED)
            return NULL;
    }
    size_t count = asked->my->action_count;
    if (!str_eq(parts[count - 1].ladder.after, asked->ladder.after))
        return NULL;
    asked->parts = parts;
    asked->part_count = count;
    return NULL;
}

static Err *ask_parts(const LoadMy *load, const char *table, const MyDialect *lexis, AskedMy *asked)
{
    Clone *clone = NULL;
    if (ladder_is_cheap(&asked->ladder) || asked->ladder.rung == RUNG_REFUSED || asked->my->action_count < 2)
        return NULL;
    TRY(open_second(load, &clone));
    Err *err = ask_parts_in(load, clone, table, lexis, asked);
    load->runner->ops->clone_close(clone);
    return err;
}

/* A table that only this change knows has no INSERTs yet; one that it renames has another name by the time
 * when the columns were to become visible. */
static const char *hidden_sql(const LoadMy *load, const Operation *operation)
{
    const Table *table = load_named_my(load, operation->table.name);
    bool hides =
        load->runner->server.my->invisible_columns && table != NULL && table->kind != RELATION_MISSING;
    for (size_t i = 0; i < load->change->operation_count && hides; i++) {
        const Operation *other = &load->change->operations[i];
        for (size_t k = 0; k < other->name_count && other->my->kind == MY_STATEMENT_RENAME_TABLE; k++)
            hides = hides && !str_eq(other->names[k].name, operation->table.name);
    }
    return hides ? plan_hide_my(load->arena, operation) : NULL;
}

/* With the added columns invisible, where the server takes that; else as written. */
static Err *ask_operation(LoadMy *load, const Operation *operation, AskedMy *ret_asked)
{
    const char *table = operation->table.name;
    const char *hidden = hidden_sql(load, operation);
    AskedMy asked = {0};
    if (hidden != NULL)
        TRY(ask_one(load, load->clone, table, hidden, operation->lexis, false, &asked));
    const char *sql = hidden != NULL && asked.ladder.rung != RUNG_REFUSED ? hidden : operation->sql;
    TRY(ask_one(load, load->clone, table, sql, operation->lexis, false, &asked));
    asked.hides = sql == hidden && hidden != NULL;
    TRY(ask_parts(load, table, operation->lexis, &asked));
    if (asked.ladder.rung != RUNG_REFUSED) {
        const RanMy ran = {.sql = sql, .as_written = true, .unchecked = unchecked_my(asked.my)};
        TRY(run_in(load, load->clone, ran));
        TRY(load_in(load, load->clone, table, &asked.after));
        *vec_push(load->arena, &load->run) = ran;
    }
    *ret_asked = asked;
    return NULL;
}

/* All statements of a group as one, asked before any of them is carried out. `sql` are the single ones. */
static Err *ask_joined(LoadMy *load, const WorkMy *work, AskedMy *ret_asked, bool *ret_asked_it)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    const char *table = work->operations[0]->table.name;
    size_t head = strlen("ALTER TABLE ") + strlen(sql_backtick(load->arena, table));
    bool hidden = false;
    for (size_t i = 0; i < work->count; i++) {
        const char *hide = hidden_sql(load, work->operations[i]);
        const char *text = hide != NULL ? hide : work->operations[i]->sql;
        hidden = hidden || hide != NULL;
        str_addf(&sql, "%s%s", i == 0 ? "" : ",", i == 0 ? text : text + head);
    }
    Clone *clone = NULL;
    TRY(open_second(load, &clone));
    Err *err = ask_one(load, clone, table, arena_dup(load->arena, sql.buf), work->operations[0]->lexis, true,
                       ret_asked);
    load->runner->ops->clone_close(clone);
    ret_asked->hides = hidden;
    *ret_asked_it = err == NULL && ret_asked->ladder.rung != RUNG_REFUSED;
    return err;
}

static Err *ask_group(LoadMy *load, WorkMy *work)
{
    AskedMy *asked = arena_alloc(load->arena, work->count * sizeof *asked);
    AskedMy *joined = arena_alloc(load->arena, sizeof *joined);
    bool joins = false;
    work->asked = asked;
    TRY(find_leftover(load, work->operations[0]->table.name, &work->leftover));
    if (work->count > 1)
        TRY(ask_joined(load, work, joined, &joins));
    for (size_t i = 0; i < work->count; i++) {
        TRY(ask_operation(load, work->operations[i], &asked[i]));
        if (asked[i].ladder.rung == RUNG_REFUSED)
            return NULL; /* the plan says so */
    }
    if (joins && str_eq(joined->ladder.after, asked[work->count - 1].ladder.after))
        work->joined = joined;
    return NULL;
}

/* ---- statements in their order -------------------------------------------------------------- */

static bool is_alter(const Operation *operation) { return operation->my->kind == MY_STATEMENT_ALTER_TABLE; }

/* What cannot be tried here (it is there already, say) is for the plan to judge. */
static Err *try_other(LoadMy *load, const WorkMy *work)
{
    const Operation *operation = work->operations[0];
    bool there = work->table->kind != RELATION_MISSING;
    bool creates = operation->my->kind == MY_STATEMENT_CREATE_TABLE;
    bool drops = operation->my->kind == MY_STATEMENT_DROP_TABLE || str_eq(operation->my->verb, "DROP VIEW");
    bool quiet = operation->my->kind == MY_STATEMENT_OTHER && operation->if_not_exists;
    if (((creates || quiet) && there) || (drops && !there))
        return NULL;
    const RanMy ran = {.sql = operation->sql, .as_written = true};
    Err *err = run_in(load, load->clone, ran);
    if (err_is(err, ERR_SQL))
        return err_hint(err_wrap(err, "the server refuses line %d", operation->line),
                        "tried on empty copies of the tables; nothing was changed");
    if (err == NULL)
        *vec_push(load->arena, &load->run) = ran;
    return err;
}

typedef VEC(WorkMy) Works;

static Err *ask_work(LoadMy *load, const Operation *const *operations, size_t count, Works *works)
{
    WorkMy *work = vec_push(load->arena, works);
    *work = (WorkMy){
        .operations = operations, .count = count, .table = load_named_my(load, operations[0]->table.name)};
    if (!is_alter(operations[0]))
        return try_other(load, work);
    if (work->table->kind == RELATION_VIEW)
        return err_new(ERR_USAGE, "\"%s\" is a view", work->table->name);
    return ask_group(load, work);
}

static Err *ask_all(LoadMy *load, Works *works)
{
    const Operation **order = NULL;
    size_t *len = NULL;
    load_order_my(load, &order, &len);
    for (size_t i = 0; i < load->change->operation_count; i += len[i])
        TRY(ask_work(load, order + i, len[i], works));
    return NULL;
}

/* ---- the plan's own steps, tried ------------------------------------------------------------ */

static Err *look_at(const LoadMy *load, const Name *name, const char **ret_digest, const char **ret_text)
{
    const EngineOps *ops = load->runner->ops;
    Wait wait = wait_of(load, STATEMENT_MS);
    return definition_digest(ops, ops->clone_conn(load->clone), &wait, load->arena, name, ret_text,
                             ret_digest);
}

/* Fills in one side of all looks. */
static Err *look(const LoadMy *load, StepLook *looks, size_t count, bool after)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = NULL;
        TRY(look_at(load, &looks[i].table, after ? &looks[i].after : &looks[i].before, &text));
    }
    return NULL;
}

/* An undo that leads back, in the way that the server would take; else there is none. */
static Err *try_undo(const LoadMy *load, Step *step)
{
    const EngineOps *ops = load->runner->ops;
    Wait wait = wait_of(load, STATEMENT_MS);
    if (step->undo_count != 1 || !str_starts(step->undo[0], "ALTER TABLE "))
        return NULL;
    Ladder ladder = {0};
    Table named = {.schema = step->table.schema, .name = step->table.name};
    const Table *real = load_named_my(load, step->table.name);
    named.my = real == NULL ? NULL : real->my;
    LadderRequest request = {.table = &named, .sql = step->undo[0]};
    TRY(ops->ladder(ops->clone_conn(load->clone), &wait, load->arena, &request, &ladder));
    bool back = ladder.rung <= RUNG_ONLINE_COPY && ladder.after != NULL &&
                str_eq(digest_text(load->arena, ladder.after, strlen(ladder.after)), step->looks[0].before);
    const char **undo = arena_alloc(load->arena, sizeof *undo);
    undo[0] = back && ladder.clause[0] != '\0'
                  ? arena_printf(load->arena, "%s, %s", step->undo[0], ladder.clause)
                  : step->undo[0];
    step->undo = undo;
    step->undo_count = back ? 1 : 0;
    return NULL;
}

static Err *try_statement(LoadMy *load, const Step *step, const char *sql)
{
    const RanMy ran = {.sql = sql, .as_written = step->as_written, .unchecked = step->unchecked};
    Err *err = run_in(load, load->clone, ran);
    if (err == NULL)
        *vec_push(load->arena, &load->run) = ran;
    if (!err_is(err, ERR_SQL))
        return err;
    return err_hint(err_wrap(err, "the server refuses step %d (%s)", step->ordinal, step->title),
                    "tried on empty copies of the tables; nothing was changed");
}

static const char *swap_sql(Arena *arena, const ShadowSpec *spec)
{
    return arena_printf(arena, "RENAME TABLE %s TO %s, %s TO %s", sql_backtick(arena, spec->source),
                        sql_backtick(arena, spec->old), sql_backtick(arena, spec->shadow),
                        sql_backtick(arena, spec->source));
}

/* As the swap itself does it (engine/mysql/swap_keys.c). */
static Err *try_swap(LoadMy *load, const Step *step)
{
    const ShadowSpec *spec = step->shadow;
    Arena *arena = load->arena;
    const char *statements[] = {
        spec->keys_off == NULL
            ? NULL
            : arena_printf(arena, "ALTER TABLE %s %s", sql_backtick(arena, spec->source), spec->keys_off),
        spec->keys_on == NULL
            ? NULL
            : arena_printf(arena, "ALTER TABLE %s %s", sql_backtick(arena, spec->shadow), spec->keys_on),
        swap_sql(arena, spec)};
    for (size_t i = 0; i < ARRAY_LEN(statements); i++)
        if (statements[i] != NULL)
            TRY(try_statement(load, step, statements[i]));
    return NULL;
}

/* Tables that change names and have the same definition: after a crash nothing would tell which is which. */
static Err *check_told(const Step *step)
{
    bool told = !str_starts(step->sql[0], "RENAME TABLE ");
    for (size_t i = 0; i < step->look_count; i++)
        told = told || !str_eq(step->looks[i].before, step->looks[i].after);
    if (told)
        return NULL;
    return err_hint(err_new(ERR_UNSAFE,
                            "\"%s\": these tables have the same definition, so that after a crash nothing "
                            "would tell whether they have changed names",
                            step->sql[0]),
                    "rename them in two changes, by a name that is new");
}

/* Statements of our own get the clause that the server takes, so that they can never do more than that. */
static Err *add_clause(const LoadMy *load, Step *step)
{
    const EngineOps *ops = load->runner->ops;
    Wait wait = wait_of(load, STATEMENT_MS);
    Ladder ladder = {0};
    Table named = {.schema = step->table.schema, .name = step->table.name};
    if (step->as_written || !str_starts(step->sql[0], "ALTER TABLE "))
        return NULL;
    LadderRequest request = {.table = &named, .sql = step->sql[0]};
    TRY(ops->ladder(ops->clone_conn(load->clone), &wait, load->arena, &request, &ladder));
    if (ladder.rung == RUNG_REFUSED)
        return NULL; /* which is said when it is tried */
    const char **sql = arena_alloc(load->arena, sizeof *sql);
    sql[0] = ladder.clause[0] == '\0' ? step->sql[0]
                                      : arena_printf(load->arena, "%s, %s", step->sql[0], ladder.clause);
    step->sql = sql;
    step->scans = step->scans || !ladder_is_cheap(&ladder);
    step->rewrites = step->rewrites || ladder.rebuilds;
    if (step->scans && ladder.rung <= RUNG_ONLINE_COPY)
        step->timeout = TIMEOUT_WATCHDOG;
    return NULL;
}

static Err *try_step(LoadMy *load, Step *step)
{
    bool swap = step->kind == STEP_SWAP;
    if (step->kind != STEP_ALTER && !swap)
        return NULL;
    StepLook *looks = arena_alloc(load->arena, (step->look_count + 1) * sizeof *looks);
    memcpy(looks, step->looks, step->look_count * sizeof *looks);
    step->looks = looks;
    TRY(look(load, looks, step->look_count, false));
    if (!swap)
        TRY(add_clause(load, step));
    TRY(swap ? try_swap(load, step) : try_statement(load, step, step->sql[0]));
    TRY(look(load, looks, step->look_count, true));
    if (!swap)
        TRY(check_told(step));
    step->evidence = EVIDENCE_MEASURED;
    return try_undo(load, step);
}

static Err *try_reverts_in(LoadMy *load, Plan *plan)
{
    Step *steps = arena_alloc(load->arena, (plan->revert_count + 1) * sizeof *steps);
    for (size_t i = 0; i < plan->revert_count; i++) {
        steps[i] = plan->reverts[i];
        TRY(try_step(load, &steps[i]));
    }
    plan->reverts = steps;
    return NULL;
}

/* The way back is tried where it would begin, on a clone of its own. */
static Err *try_reverts(LoadMy *load, Plan *plan)
{
    Clone *forward = load->clone, *back = NULL;
    size_t count = load->run.len;
    if (plan->revert_count == 0)
        return NULL;
    TRY(open_second(load, &back));
    load->clone = back;
    Err *err = try_reverts_in(load, plan);
    load->runner->ops->clone_close(back);
    load->clone = forward;
    load->run.len = count;
    return err;
}

static Err *try_plan_in(LoadMy *load, Plan *plan)
{
    Step *steps = arena_alloc(load->arena, (plan->step_count + 1) * sizeof *steps);
    for (size_t i = 0; i < plan->step_count; i++) {
        steps[i] = plan->steps[i];
        TRY(try_step(load, &steps[i]));
        if (steps[i].kind == STEP_READY)
            TRY(try_reverts(load, plan));
    }
    plan->steps = steps;
    plan->plan_digest = plan_digest_make(load->arena, plan);
    return NULL;
}

static Err *try_plan(LoadMy *load, Plan *plan)
{
    load->run.len = 0;
    TRY(open_clone(load, &load->clone));
    Err *err = try_plan_in(load, plan);
    load->runner->ops->clone_close(load->clone);
    load->clone = NULL;
    return err;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* The text was read before the server was known: executable comments, quotes and escapes may mean something
 * else there. */
static Err *check_reading(const LoadMy *load)
{
    const Server *server = &load->runner->server;
    const Change *change = load->change;
    MyDialect dialect = {.mariadb = server->my->mariadb,
                         .version = server->version_num,
                         .ansi_quotes = server->my->ansi_quotes,
                         .no_backslash_escapes = server->my->no_backslash_escapes};
    /* its name is not among what is read */
    ChangeInput input = {.sql = change->sql, .owner = change->owner, .contract = change->contract};
    Change again;
    change_parse_my(load->arena, &input, &dialect, &again);
    bool same = again.operation_count == change->operation_count && again.problem_count == 0;
    for (size_t i = 0; i < change->operation_count && same; i++)
        same = str_eq(change->operations[i].sql, again.operations[i].sql);
    if (same)
        return NULL;
    const char *why = again.problem_count > 0
                          ? again.problems[0].message
                          : "executable comments, quotes or backslashes mean something else";
    return err_hint(err_new(ERR_USAGE, "on this server (%s %s) the SQL reads in another way: %s",
                            server->engine, server->version, why),
                    "name the server's kind in --url (mysql:// or mariadb://), and write names in backticks");
}

static Err *ask_and_make(LoadMy *load, Plan *ret_plan)
{
    Works works = {0};
    TRY(open_clone(load, &load->clone));
    Err *err = ask_all(load, &works);
    load->runner->ops->clone_close(load->clone);
    load->clone = NULL;
    TRY(err);
    PlanInputMy input = {.change = load->change,
                         .server = &load->runner->server,
                         .works = works.items,
                         .work_count = works.len,
                         .options = load->runner->options->plan};
    return plan_make_my(load->arena, &input, ret_plan);
}

Err *runner_plan_my(Runner *runner, Arena *arena, const Change *change, Plan *ret_plan)
{
    LoadMy load = {.runner = runner, .arena = arena, .change = change};
    if (runner->server.my == NULL)
        return err_new(ERR_BUG, "the engine told nothing of the server's settings");
    if (runner->server.in_recovery || runner->server.read_only)
        return err_hint(err_new(ERR_UNSAFE, "this server is read-only: a replica?"),
                        "connect to the primary");
    if (!runner->options->plan.measured)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "without an empty copy to try the change on, nothing tells how this server would "
                    "carry it out, nor whether a statement that was cut off is done"),
            "leave --probe off out");
    TRY(change_check(change));
    if (runner->server.my->other_language != NULL)
        return err_hint(err_new(ERR_UNSAFE, "this server's sql_mode is %s, which is another language",
                                runner->server.my->other_language),
                        "SET GLOBAL sql_mode to one without it while the change is planned and carried out");
    TRY(check_reading(&load));
    TRY(load_tables_my(&load));
    if (runner->forward != NULL)
        forward_take_my(runner->forward, load.tables.items, load.tables.len);
    load_scale_my(&load);
    TRY(ask_and_make(&load, ret_plan));
    TRY(try_plan(&load, ret_plan));
    if (runner->forward != NULL)
        forward_match(arena, runner->forward, ret_plan);
    return NULL;
}
