/* The catalog before and after: what a change makes different has to be what its plan said. */
#include "run/fingerprint.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TOLD_LINES = 8, FINGERPRINT_MS = 60000 };

/* ---- taking --------------------------------------------------------------------------------- */

typedef VEC(int64_t) Numbers;

static void add_number(Arena *arena, Numbers *numbers, int64_t number)
{
    for (size_t i = 0; i < numbers->len; i++)
        if (numbers->items[i] == number)
            return;
    if (number != 0)
        *vec_push(arena, numbers) = number;
}

static Err *add_table(const EngineOps *ops, Conn *conn, const Wait *wait, Arena *arena, const Name *name,
                      Numbers *ids)
{
    int64_t id = 0;
    if (name->name == NULL)
        return NULL;
    TRY(ops->find_table(conn, wait, arena, name->schema, name->name, &id));
    add_number(arena, ids, id);
    return NULL;
}

/* Tables under the names of a shadow, before the cutover and behind it: ours, whatever they carry. */
static Err *leave_out_shadows(const EngineOps *ops, Conn *conn, const Wait *wait, Arena *arena,
                              const Plan *plan, Numbers *ids)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        const ShadowSpec *spec = plan->steps[i].kind == STEP_SWAP ? plan->steps[i].shadow : NULL;
        const char *const names[] = {spec == NULL ? NULL : spec->shadow, spec == NULL ? NULL : spec->old};
        for (size_t n = 0; spec != NULL && n < ARRAY_LEN(names); n++) {
            int64_t id = 0;
            size_t kept = 0;
            TRY(ops->find_table(conn, wait, arena, spec->schema, names[n], &id));
            for (size_t k = 0; k < ids->len; k++)
                if (ids->items[k] != id)
                    ids->items[kept++] = ids->items[k];
            ids->len = kept;
        }
    }
    return NULL;
}

/* The tables of `since`, in their order, then those of the plan. */
static Err *fingerprint_ids(const EngineOps *ops, Conn *conn, const Wait *wait, Arena *arena,
                            const Plan *plan, const Print *since, Print *ret_print)
{
    Numbers ids = {0};
    for (size_t i = 0; since != NULL && i < since->id_count; i++)
        add_number(arena, &ids, since->ids[i]);
    for (size_t i = 0; i < plan->step_count; i++)
        TRY(add_table(ops, conn, wait, arena, &plan->steps[i].table, &ids));
    for (size_t i = 0; i < plan->table_count; i++) {
        Name name = {0};
        sql_name_parts(arena, plan->tables[i], &name.schema, &name.name);
        if (name.schema != NULL) /* else the lease is of no table */
            TRY(add_table(ops, conn, wait, arena, &name, &ids));
    }
    TRY(leave_out_shadows(ops, conn, wait, arena, plan, &ids));
    *ret_print = (Print){.ids = ids.items, .id_count = ids.len};
    return NULL;
}

Err *fingerprint_take(const EngineOps *ops, Conn *conn, const Wait *wait, Arena *arena, const Plan *plan,
                      const Print *since, Print *ret_print)
{
    TRY(fingerprint_ids(ops, conn, wait, arena, plan, since, ret_print));
    return ops->fingerprint(conn, wait, arena, ret_print->ids, ret_print->id_count, &ret_print->lines.items,
                            &ret_print->lines.count);
}

/* ---- in the journal: events of the kind "fingerprint"
 * --------------------------------------------------------
 */

static json_t *lines_json(Lines lines)
{
    json_t *list = json_array();
    for (size_t i = 0; i < lines.count; i++)
        (void)json_array_append_new(list, json_string(lines.items[i]));
    return list;
}

static Err *journal_print(Runner *runner, const char *at, const Print *print)
{
    json_t *ids = json_array();
    for (size_t i = 0; i < print->id_count; i++)
        (void)json_array_append_new(ids, json_integer(print->ids[i]));
    json_t *detail = json_pack("{s:s, s:o, s:o}", "at", at, "ids", ids, "lines", lines_json(print->lines));
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Err *err = journal_event(runner->conn, runner->change_id, "fingerprint", 0, detail,
                             arena_printf(arena, "the catalog %s: %zu lines about %zu tables", at,
                                          print->lines.count, print->id_count));
    json_decref(detail);
    return err;
}

static Print print_of(Arena *arena, const json_t *detail)
{
    const json_t *ids = json_object_get(detail, "ids"), *list = json_object_get(detail, "lines");
    Print print = {.id_count = json_array_size(ids), .lines.count = json_array_size(list)};
    int64_t *numbers = arena_alloc(arena, (print.id_count + 1) * sizeof *numbers);
    for (size_t i = 0; i < print.id_count; i++)
        numbers[i] = json_integer_value(json_array_get(ids, i));
    const char **lines = arena_alloc(arena, (print.lines.count + 1) * sizeof *lines);
    for (size_t i = 0; i < print.lines.count; i++)
        lines[i] = arena_dup(arena, json_string_value(json_array_get(list, i)));
    print.ids = numbers;
    print.lines.items = lines;
    return print;
}

/* The newest; *ret_found false: there is none of that moment. */
static Err *load_print_of(Runner *runner, Arena *arena, int64_t change_id, const char *at, Print *ret_print,
                          bool *ret_found)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    *ret_found = false;
    if (runner->ops->fingerprint == NULL)
        return NULL;
    TRY(conn_params(
        runner->conn, &wait, arena, &rows,
        "SELECT detail FROM stoa.events WHERE change_id = $1 AND kind = 'fingerprint' ORDER BY id "
        "DESC",
        arena_printf(arena, "%lld", (long long)change_id)));
    for (size_t i = 0; i < rows.row_count && !*ret_found; i++) {
        const char *text = rows_cell(&rows, i, 0);
        json_t *detail = text == NULL ? NULL : json_loads(text, 0, NULL);
        *ret_found = str_eq(json_string_value(json_object_get(detail, "at")), at) &&
                     json_object_get(detail, "lines") != NULL;
        if (*ret_found)
            *ret_print = print_of(arena, detail);
        json_decref(detail);
    }
    return NULL;
}

static Err *load_print(Runner *runner, Arena *arena, const char *at, Print *ret_print, bool *ret_found)
{
    return load_print_of(runner, arena, runner->change_id, at, ret_print, ret_found);
}

static Err *take_now(Runner *runner, Arena *arena, const Print *since, Print *ret_print)
{
    Wait wait = {.stop = runner->options->stop, .timeout_ms = FINGERPRINT_MS};
    return fingerprint_take(runner->ops, runner->conn, &wait, arena, &runner->plan, since, ret_print);
}

static Err *keep_now(Runner *runner, const char *at)
{
    if (runner->ops->fingerprint == NULL)
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Print print = {0};
    bool found = false;
    TRY(load_print(runner, arena, at, &print, &found));
    if (found)
        return NULL;
    TRY(take_now(runner, arena, NULL, &print));
    return journal_print(runner, at, &print);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of tables that the old print says nothing of, what is there now. */
static Err *add_new_tables(Runner *runner, Arena *arena, Print *print)
{
    Wait wait = {.stop = runner->options->stop, .timeout_ms = FINGERPRINT_MS};
    Print both = {0};
    TRY(fingerprint_ids(runner->ops, runner->conn, &wait, arena, &runner->plan, print, &both));
    size_t known = print->id_count, more = both.id_count - known, count = 0;
    if (more == 0)
        return NULL;
    const char *const *lines = NULL;
    TRY(runner->ops->fingerprint(runner->conn, &wait, arena, both.ids + known, more, &lines, &count));
    const char **all = arena_alloc(arena, (print->lines.count + count + 1) * sizeof *all);
    size_t len = 0;
    for (size_t i = 0; i < print->lines.count; i++)
        all[len++] = print->lines.items[i];
    for (size_t i = 0; i < count; i++)
        if (!str_in_sorted(print->lines.items, print->lines.count, lines[i]))
            all[len++] = lines[i];
    qsort(all, len, sizeof *all, compare_lines);
    both.lines = (Lines){.items = all, .count = len};
    *print = both;
    return NULL;
}

Err *fingerprint_hand_on(Runner *runner, Arena *arena, int64_t from, Print *ret_print, bool *ret_found)
{
    TRY(load_print_of(runner, arena, from, "before", ret_print, ret_found));
    return *ret_found ? add_new_tables(runner, arena, ret_print) : NULL;
}

Err *fingerprint_keep(Runner *runner, const Print *print) { return journal_print(runner, "before", print); }

/* ---- comparing ------------------------------------------------------------------------------ */

static const PlanMark *mark_of(const Plan *plan, int step)
{
    for (size_t i = 0; i < plan->mark_count; i++)
        if (plan->marks[i].step == step)
            return &plan->marks[i];
    return NULL;
}

/* "+ column …; - index … and 3 more" */
static const char *told_lines(Arena *arena, Lines lines)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; i < lines.count && i < TOLD_LINES; i++) {
        str_sep(&text, "; ");
        str_add(&text, lines.items[i]);
    }
    if (lines.count > TOLD_LINES)
        str_addf(&text, "; and %zu more", lines.count - TOLD_LINES);
    return arena_dup(arena, text.buf);
}

static json_t *detail_of(const char *at, const Difference *real, Lines unplanned)
{
    return json_pack("{s:s, s:o, s:o, s:o}", "at", at, "removed", lines_json(real->removed), "added",
                     lines_json(real->added), "unplanned", lines_json(unplanned));
}

static bool accepts_drift(const Runner *runner)
{
    const PlanOptions *options = &runner->options->plan;
    for (size_t i = 0; i < options->accepted_count; i++)
        if (str_eq(options->accepted[i], "drift"))
            return true;
    return false;
}

static bool ends(const char *text, const char *end)
{
    size_t length = strlen(text), size = strlen(end);
    return length >= size && strcasecmp(text + length - size, end) == 0;
}

static Spared spared_of(const Plan *plan)
{
    Spared spared = 0;
    for (size_t i = 0; i < plan->step_count; i++)
        for (size_t j = 0; j < plan->steps[i].sql_count; j++) {
            const char *sql = plan->steps[i].sql[j];
            if (strncasecmp(sql, "COMMENT ON ", 11) == 0 && ends(sql, " IS NULL"))
                spared |= SPARE_COMMENTS;
            if (strncasecmp(sql, "REVOKE ", 7) == 0)
                spared |= SPARE_RIGHTS;
        }
    return spared;
}

/* What differs from the print of `from`, beside what was planned; `planned` NULL: nothing is known of that.
 */
static Err *compare_since(Runner *runner, Arena *arena, const char *from, const Difference *planned,
                          Spared spared, Difference *ret_real, Lines *ret_unplanned, bool *ret_known)
{
    Print before = {0}, now = {0};
    TRY(load_print(runner, arena, from, &before, ret_known));
    if (!*ret_known)
        return NULL;
    TRY(take_now(runner, arena, &before, &now));
    fingerprint_compare(arena, before.lines, now.lines, ret_real);
    if (planned != NULL)
        *ret_unplanned = fingerprint_unplanned(arena, planned, ret_real, now.lines, spared);
    return NULL;
}

/* ---- when ----------------------------------------------------------------------------------- */

Err *fingerprint_before(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, arena, &rows,
                    "SELECT 1 FROM stoa.steps WHERE change_id = $1 AND state <> 'pending' LIMIT 1",
                    arena_printf(arena, "%lld", (long long)runner->change_id)));
    return rows.row_count > 0 ? NULL : keep_now(runner, "before");
}

bool fingerprint_is_due(const Plan *plan, const Step *step)
{
    if (step->kind == STEP_READY)
        return true;
    if (step->kind == STEP_SWAP) /* it looks by itself, in its transaction */
        return false;
    for (size_t i = 0; i < plan->step_count && step->phase == PHASE_CUTOVER; i++)
        if (plan->steps[i].phase == PHASE_CUTOVER)
            return plan->steps[i].ordinal == step->ordinal;
    return false;
}

static Err *check_at(Runner *runner, const Step *step, const char *at, const Difference *planned)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Difference real = {0};
    Lines unplanned = {0};
    bool known = false;
    TRY(compare_since(runner, arena, "before", planned, spared_of(&runner->plan), &real, &unplanned, &known));
    if (!known)
        return NULL;
    json_t *detail = detail_of(at, &real, unplanned);
    size_t count = real.removed.count + real.added.count;
    Err *err = NULL;
    if (unplanned.count > 0 && accepts_drift(runner))
        runner_event(runner, "drift_accepted", step->ordinal, detail, "differs from the plan, accepted: %s",
                     told_lines(arena, unplanned));
    else
        err = journal_event(runner->conn, runner->change_id, "fingerprint", step->ordinal, detail,
                            arena_printf(arena,
                                         "before %s %zu lines of the catalog differ from before the change%s",
                                         at, count,
                                         planned == NULL       ? " (not measured on a copy, so not compared)"
                                         : unplanned.count > 0 ? ", some not as planned"
                                                               : ", as planned"));
    json_decref(detail);
    TRY(err);
    if (unplanned.count == 0 || accepts_drift(runner))
        return NULL;
    return err_hint(
        err_new(ERR_VERIFY, "the catalog differs from what the plan leaves, before %s: %s", at,
                told_lines(arena, unplanned)),
        "somebody else changed these tables meanwhile: undo that and go on with \"stoa resume %s\", keep "
        "it with \"stoa resume %s --accept-drift\", or undo the change with \"stoa abort %s\"",
        runner->name, runner->name, runner->name);
}

Err *fingerprint_check(Runner *runner, const Step *step)
{
    const PlanMark *mark = mark_of(&runner->plan, step->ordinal);
    return check_at(runner, step, step->kind == STEP_READY ? "ready" : "cutover",
                    mark == NULL ? NULL : &mark->difference);
}

Err *fingerprint_check_source(Runner *runner, const Step *step)
{
    const Difference none = {0};
    return check_at(runner, step, "cutover", &none);
}

Err *fingerprint_check_swap(Runner *runner, const Step *step)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const PlanMark *mark = NULL;
    for (size_t i = 0; i < runner->plan.mark_count; i++)
        if (str_eq(runner->plan.marks[i].at, "swap") && runner->plan.marks[i].step == step->ordinal)
            mark = &runner->plan.marks[i];
    Difference real = {0};
    Lines unplanned = {0};
    bool known = false;
    if (mark == NULL)
        return NULL;
    TRY(compare_since(runner, arena, "before", &mark->difference, spared_of(&runner->plan), &real, &unplanned,
                      &known));
    if (!known || unplanned.count == 0 || accepts_drift(runner))
        return NULL;
    return err_hint(err_new(ERR_VERIFY, "the swap of \"%s\" would not leave what was planned: %s",
                            step->shadow->source, told_lines(arena, unplanned)),
                    "nothing was swapped; undo with: stoa abort %s, or go on with: stoa resume %s "
                    "--accept-drift",
                    runner->name, runner->name);
}

Err *fingerprint_contract(Runner *runner) { return keep_now(runner, "ready"); }

/* What is done is done: a difference is told and journalled, and fails nothing. */
static Err *report(Runner *runner, Arena *arena, const char *at, const Difference *real, Lines unplanned)
{
    json_t *detail = detail_of(at, real, unplanned);
    Err *err = NULL;
    if (unplanned.count > 0)
        runner_event(runner, "drift", 0, detail, "%s the catalog differs from what was expected: %s", at,
                     told_lines(arena, unplanned));
    else
        err = journal_event(runner->conn, runner->change_id, "fingerprint", 0, detail,
                            arena_printf(arena, "%s the catalog is as expected", at));
    json_decref(detail);
    return err;
}

Err *fingerprint_completed(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const PlanMark *mark = mark_of(&runner->plan, 0);
    Difference real = {0};
    Lines unplanned = {0};
    bool known = false;
    TRY(compare_since(runner, arena, "ready", mark == NULL ? NULL : &mark->difference,
                      spared_of(&runner->plan), &real, &unplanned, &known));
    return known ? report(runner, arena, "after complete", &real, unplanned) : NULL;
}

Err *fingerprint_back(Runner *runner, const char *verb)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Difference real = {0}, nothing = {0};
    Lines unplanned = {0};
    bool known = false;
    TRY(compare_since(runner, arena, "before", &nothing, 0, &real, &unplanned, &known));
    return known ? report(runner, arena, arena_printf(arena, "after %s", verb), &real, unplanned) : NULL;
}
