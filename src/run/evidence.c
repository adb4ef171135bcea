/* Before something old goes: who still uses it, by what the server remembers since the change became ready.
 */
#include "run/runner.h"

#include "base/failpoint.h"
#include "base/unit.h"

#include <stdlib.h>

enum { SHOWN_MAX = 5 };

/* What the evidence step looks at, for people: "public.orders.note, public.orders.old". */
static const char *subject(Arena *arena, const Step *step)
{
    const char *table = sql_name(arena, step->table.schema, step->table.name);
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; i < step->column_count; i++) {
        str_sep(&text, ", ");
        str_addf(&text, "%s.%s", table, sql_ident(arena, step->columns[i]));
    }
    return step->column_count == 0 ? table : arena_dup(arena, text.buf);
}

static Err *look(Runner *runner, Arena *arena, const Step *step, Use *ret_use)
{
    Wait wait = runner_wait(runner);
    if (runner->ops->load_use == NULL) {
        *ret_use =
            (Use){.at = "", .unknown = "this server is not asked for the use of tables", .evicted = -1};
        return NULL;
    }
    bool parts = step->column_count > 0 || step->counters; /* else its own name alone is to go */
    return runner->ops->load_use(runner->conn, &wait, arena, &runner->server, step->table.schema,
                                 step->table.name, parts, step->columns, step->column_count, ret_use);
}

/* ---- what was known before ------------------------------------------------------------------ */

/* The figures that the next look is held against; `quiet_since` as the server writes times. */
static json_t *baseline_json(const Use *use, const char *quiet_since)
{
    json_t *json = json_object(), *calls = json_object();
    for (size_t i = 0; i < use->seen_count; i++)
        json_object_set_new(calls, use->statements[i].key, json_integer(use->statements[i].calls));
    json_object_set_new(json, "calls", calls);
    json_object_set_new(json, "known", json_boolean(use->unknown == NULL));
    json_object_set_new(json, "evicted", json_integer(use->evicted));
    json_object_set_new(json, "since", json_string(use->since == NULL ? "" : use->since));
    json_object_set_new(json, "scans", json_integer(use->scans));
    json_object_set_new(json, "writes", json_integer(use->writes));
    json_object_set_new(json, "quiet_since", json_string(quiet_since));
    return json;
}

static Err *store(Runner *runner, const Step *step, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    Err *err = journal_checkpoint(runner->conn, &runner->lease, runner->change_id, step->ordinal,
                                  text == NULL ? "{}" : text);
    free(text);
    return err;
}

Err *evidence_begin(Runner *runner)
{
    bool flushed = false;
    for (size_t i = 0; i < runner->plan.step_count && runner->ops->load_use != NULL; i++) {
        const Step *step = &runner->plan.steps[i];
        if (step->kind != STEP_EVIDENCE)
            continue;
        CLEANUP(arena_freep) Arena *arena = arena_new();
        Wait wait = runner_wait(runner);
        Use use = {0};
        if (step->counters && !flushed &&
            runner->ops->flush_counters !=
                NULL) /* our own look at the table must not count as somebody else's */
            TRY(runner->ops->flush_counters(runner->conn, &wait));
        flushed = flushed || step->counters;
        TRY(look(runner, arena, step, &use));
        json_t *body = baseline_json(&use, use.at);
        Err *err = store(runner, step, body);
        json_decref(body);
        TRY(err);
    }
    return NULL;
}

/* ---- what was seen since -------------------------------------------------------------------- */

typedef struct Finding {
    json_t *seen;          /* statements: text, role, calls since, why */
    const char *first;     /* the first of them, for the message */
    bool counted;          /* scans or writes of the table grew */
    int64_t scans, writes; /* by how much */
    bool blind;            /* nothing can be said: */
    const char *why_blind, *remedy;
} Finding;

static void add_seen(Arena *arena, Finding *finding, const UseStatement *use, int64_t calls, bool running)
{
    const char *text = running ? arena_printf(arena, "%s (role %s, running)", use->statement, use->role)
                               : arena_printf(arena, "%s (role %s, %lld calls, %s)", use->statement,
                                              use->role, (long long)calls, use->why);
    if (finding->first == NULL)
        finding->first = text;
    if (json_array_size(finding->seen) < SHOWN_MAX)
        json_array_append_new(finding->seen, json_pack("{s:s, s:s?, s:s, s:I, s:b}", "statement",
                                                       use->statement, "role", use->role, "why", use->why,
                                                       "calls", (json_int_t)calls, "running", running));
}

static int64_t known_calls(const json_t *before, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(before, "calls"), key));
}

static int64_t known(const json_t *before, const char *key)
{
    return json_integer_value(json_object_get(before, key));
}

/* Counters that count less than before were reset: then nothing is known of what was in between. */
static void compare(Arena *arena, const Step *step, const json_t *before, const Use *use, Finding *finding)
{
    for (size_t i = 0; i < use->seen_count; i++) {
        int64_t calls = use->statements[i].calls, old = known_calls(before, use->statements[i].key);
        if (calls != old)
            add_seen(arena, finding, &use->statements[i], calls > old ? calls - old : calls, false);
    }
    for (size_t i = 0; i < use->running_count; i++)
        add_seen(arena, finding, &use->running[i], 1, true);
    finding->scans = use->scans - known(before, "scans");
    finding->writes = use->writes - known(before, "writes");
    bool reset = finding->scans < 0 || finding->writes < 0;
    finding->counted = step->counters && (finding->scans > 0 || finding->writes > 0);
    bool by_counters = step->counters && !reset; /* they see all uses of the table, whatever statements do */
    if (by_counters)
        return;
    if (use->unknown != NULL) {
        finding->blind = true;
        finding->why_blind = use->unknown;
        finding->remedy = use->remedy;
    } else if (!json_is_true(json_object_get(before, "known"))) {
        finding->blind = true;
        finding->why_blind = "pg_stat_statements was not there when the last look was taken";
    } else if (!str_eq(json_string_value(json_object_get(before, "since")),
                       use->since == NULL ? "" : use->since)) {
        finding->blind = true;
        finding->why_blind = "pg_stat_statements was reset since the last look";
    } else if (use->evicted > known(before, "evicted")) {
        finding->blind = true;
        finding->why_blind =
            arena_printf(arena, "pg_stat_statements threw statements out %lld times since the last look",
                         (long long)(use->evicted - known(before, "evicted")));
        finding->remedy = "a larger pg_stat_statements.max";
    }
}

static json_t *report_json(Arena *arena, const Step *step, const Use *use, const Finding *finding,
                           const char *quiet_since, int64_t quiet_ms)
{
    json_t *json = json_object(), *functions = json_array();
    for (size_t i = 0; i < use->function_count; i++)
        json_array_append_new(functions, json_string(use->functions[i]));
    json_object_set_new(json, "of", json_string(subject(arena, step)));
    json_object_set_new(json, "at", json_string(use->at));
    json_object_set_new(json, "quiet_since", json_string(quiet_since));
    json_object_set_new(json, "quiet_ms", json_integer(quiet_ms));
    json_object_set_new(json, "seen", json_incref(finding->seen));
    if (step->counters) {
        json_object_set_new(json, "scans", json_integer(finding->scans));
        json_object_set_new(json, "rows_written", json_integer(finding->writes));
    }
    json_object_set_new(json, "coverage", json_string(finding->blind ? "none" : "statements and sessions"));
    if (finding->why_blind != NULL)
        json_object_set_new(json, "why", json_string(finding->why_blind));
    json_object_set_new(json, "statistics_since", use->since == NULL ? json_null() : json_string(use->since));
    json_object_set_new(json, "evicted", use->evicted < 0 ? json_null() : json_integer(use->evicted));
    json_object_set_new(json, "functions_that_mention_it", functions);
    return json;
}

/* ---- the verdict ---------------------------------------------------------------------------- */

static Err *quiet_for(Runner *runner, Arena *arena, const char *since, int64_t *ret_ms)
{
    Wait wait = runner_wait(runner);
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_SINCE_MS), since));
    *ret_ms = rows_int(&rows, 0, 0);
    return NULL;
}

static Err *refuse_used(Runner *runner, Arena *arena, const Step *step, const Finding *finding)
{
    const char *what = subject(arena, step);
    Err *err =
        finding->first != NULL
            ? err_new(ERR_UNSAFE, "%s is still used: %s", what, finding->first)
            : err_new(ERR_UNSAFE, "%s is still used: %lld scans, %lld rows written since the last look", what,
                      (long long)finding->scans, (long long)finding->writes);
    return err_hint(
        err,
        "deploy the application that does without it everywhere, then complete again after a while: "
        "stoa complete %s --quiet 10m; or, if you know better, --force",
        runner->name);
}

static Err *refuse_blind(Runner *runner, Arena *arena, const Step *step, const Finding *finding)
{
    Err *err = err_new(ERR_UNSAFE, "nothing tells whether %s is still used: %s", subject(arena, step),
                       finding->why_blind);
    return finding->remedy != NULL
               ? err_hint(err, "%s; or, if you know that nobody uses it: stoa complete %s --force",
                          finding->remedy, runner->name)
               : err_hint(err,
                          "look again later; or, if you know that nobody uses it: stoa complete %s --force",
                          runner->name);
}

static Err *refuse_short(Runner *runner, Arena *arena, const Step *step, int64_t quiet_ms, int64_t wanted_ms)
{
    char quiet[UNIT_TEXT_BYTES], wanted[UNIT_TEXT_BYTES];
    return err_hint(err_new(ERR_UNSAFE, "no use of %s was seen, but for %s only: less than %s",
                            subject(arena, step), unit_duration_text(quiet_ms < 0 ? 0 : quiet_ms, quiet),
                            unit_duration_text(wanted_ms, wanted)),
                    "complete later; or with a shorter span: stoa complete %s --quiet 10m; or --force",
                    runner->name);
}

static Err *verdict(Runner *runner, Arena *arena, const Step *step, const Finding *finding, int64_t quiet_ms)
{
    int64_t wanted_ms = control_settings(runner).quiet_ms;
    if (runner->options->force)
        return NULL;
    if (finding->first != NULL || finding->counted)
        return refuse_used(runner, arena, step, finding);
    if (finding->blind)
        return refuse_blind(runner, arena, step, finding);
    return quiet_ms < wanted_ms ? refuse_short(runner, arena, step, quiet_ms, wanted_ms) : NULL;
}

/* One look, kept for the next one; what it found goes into the journal whatever it leads to. */
static Err *judge(Runner *runner, Arena *arena, const Step *step, const json_t *before, Finding *finding)
{
    Use use = {0};
    TRY(look(runner, arena, step, &use));
    if (use.gone)
        return NULL;
    compare(arena, step, before, &use, finding);
    const char *since = json_string_value(json_object_get(before, "quiet_since"));
    bool used = finding->first != NULL || finding->counted || finding->blind || since == NULL;
    int64_t quiet_ms = 0;
    since = used ? use.at : arena_dup(arena, since);
    if (!used)
        TRY(quiet_for(runner, arena, since, &quiet_ms));
    json_t *report = report_json(arena, step, &use, finding, since, quiet_ms);
    json_t *body = baseline_json(&use, since);
    json_object_set(body, "report", report);
    Err *err = store(runner, step, body);
    if (err == NULL)
        runner_event(runner, "evidence", step->ordinal, report, "%s: %s", subject(arena, step),
                     finding->first != NULL ? "still used"
                     : finding->counted     ? "still read or written"
                     : finding->blind       ? finding->why_blind
                                            : "no use seen");
    json_decref(body);
    json_decref(report);
    TRY(err);
    return verdict(runner, arena, step, finding, quiet_ms);
}

/* Where the engine does not tell of any use. */
static Err *judge_nothing(Runner *runner, Arena *arena, const Step *step)
{
    static const Finding blind = {.blind = true, .why_blind = "this server is not asked who uses a table"};
    return runner->options->force ? NULL : refuse_blind(runner, arena, step, &blind);
}

Err *evidence_run(Runner *runner, const Step *step)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *before = NULL;
    TRY(journal_load_checkpoint(runner->conn, arena, runner->change_id, step->ordinal, &before));
    Finding finding = {.seen = json_array()};
    Err *err = runner->ops->load_use == NULL ? judge_nothing(runner, arena, step)
                                             : judge(runner, arena, step, before, &finding);
    json_decref(finding.seen);
    json_decref(before);
    TRY(err);
    if (runner->options->force)
        runner_event(runner, "forced", step->ordinal, NULL, "%s: by force, whoever may use it",
                     subject(arena, step));
    TRY(failpoint_at("evidence_before_journal"));
    return journal_step(runner->conn, runner->change_id, step->ordinal, "done", NULL);
}

/* A verdict holds for an hour, and as soon as something went on its strength. */
Err *evidence_is_fresh(Runner *runner, const Step *step, bool *ret_fresh)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_EVIDENCE_FRESH),
                    arena_printf(arena, "%lld", (long long)runner->change_id),
                    arena_printf(arena, "%d", step->ordinal)));
    *ret_fresh = rows.row_count > 0 && rows_bool(&rows, 0, 0);
    return NULL;
}
