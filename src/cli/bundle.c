/* What a reviewer needs of a plan, as Markdown and as JSON. */
#include "cli/bundle.h"

#include "base/unit.h"
#include "rehearse/rehearse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- figures -------------------------------------------------------------------------------- */

/* The strongest lock that a step takes on a table, and how many take one so strong, are what is asked first.
 */
static bool stops_writers(const char *lock)
{
    static const char *const strong[] = {"SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"};
    for (size_t i = 0; i < ARRAY_LEN(strong); i++)
        if (str_eq(lock, strong[i]))
            return true;
    return false;
}

static void total_estimate(const Plan *plan, int64_t *ret_low_ms, int64_t *ret_high_ms)
{
    *ret_low_ms = *ret_high_ms = 0;
    for (size_t i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].phase == PHASE_CONTRACT)
            continue;
        *ret_low_ms += plan->steps[i].estimate_low_ms;
        *ret_high_ms += plan->steps[i].estimate_high_ms;
    }
}

static void span_text(int64_t low_ms, int64_t high_ms, char *ret_text, size_t size)
{
    char low[UNIT_TEXT_BYTES], high[UNIT_TEXT_BYTES];
    unit_duration_text(low_ms, low);
    unit_duration_text(high_ms, high);
    (void)snprintf(ret_text, size, strcmp(low, high) == 0 ? "%s" : "%s to %s", low, high);
}

static const char *utc_now(Arena *arena)
{
    struct tm tm;
    char text[40];
    time_t now = time(NULL);
    (void)gmtime_r(&now, &tm);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return arena_dup(arena, text);
}

/* ---- Markdown ------------------------------------------------------------------------------- */

/* A fence longer than any run of backticks in the text. */
static void fenced(Str *out, const char *const *sql, size_t count)
{
    size_t run = 0, longest = 2;
    for (size_t i = 0; i < count; i++)
        for (const char *at = sql[i]; *at != '\0'; at++) {
            run = *at == '`' ? run + 1 : 0;
            longest = run > longest ? run : longest;
        }
    for (size_t i = 0; i <= longest; i++)
        str_add(out, "`");
    str_add(out, "sql\n");
    for (size_t i = 0; i < count; i++)
        str_addf(out, "%s;\n", sql[i]);
    for (size_t i = 0; i <= longest; i++)
        str_add(out, "`");
    str_add(out, "\n\n");
}

/* Text in a paragraph or a cell: nothing in it is Markdown. */
static void plain(Str *out, const char *text)
{
    for (const char *at = text == NULL ? "" : text; *at != '\0'; at++) {
        if (strchr("\\`*_{}[]<>#|~", *at) != NULL)
            str_add(out, "\\");
        str_addn(out, *at == '\n' ? " " : at, 1);
    }
}

/* Its ranges, and what there is to say against them; all of it stands below. */
static void rehearsal_md(Str *out, const json_t *rehearsal)
{
    const json_t *prediction = json_object_get(rehearsal, "prediction");
    const json_t *seconds = json_object_get(prediction, "seconds");
    char span[2 * UNIT_TEXT_BYTES + 8];
    if (rehearsal == NULL) {
        str_add(out, "none");
        return;
    }
    span_text((int64_t)(json_number_value(json_object_get(seconds, "low")) * 1000),
              (int64_t)(json_number_value(json_object_get(seconds, "high")) * 1000), span, sizeof span);
    str_addf(out, "%s, by made rows, on ", span);
    plain(out, json_string_value(json_object_get(rehearsal, "made_at")));
    if (json_is_string(json_object_get(prediction, "error")))
        str_add(out, "; **it did not get through beside the application**");
    if (json_is_false(json_object_get(rehearsal, "realistic")))
        str_add(out, "; **not realistic**");
}

static void head_md(Str *out, const Plan *plan, const json_t *rehearsal, const char *environment,
                    const char *now)
{
    char span[2 * UNIT_TEXT_BYTES + 8];
    int64_t low = 0, high = 0;
    total_estimate(plan, &low, &high);
    span_text(low, high, span, sizeof span);
    str_add(out, "# Review: ");
    plain(out, plan->change);
    str_add(out, "\n\n| | |\n|---|---|\n| owner | ");
    plain(out, plan->owner == NULL || plan->owner[0] == '\0' ? "nobody named" : plan->owner);
    str_addf(out, " |\n| plan digest | `%s` |\n| change digest | `%s` |\n| server | ", plan->plan_digest,
             plan->change_digest);
    plain(out, plan->engine);
    str_add(out, " ");
    plain(out, plan->server);
    str_add(out, " |\n| environment | ");
    plain(out, environment == NULL ? "not named" : environment);
    str_add(out, " |\n| tables | ");
    for (size_t i = 0; i < plan->table_count; i++) {
        str_add(out, i == 0 ? "" : ", ");
        plain(out, plan->tables[i]);
    }
    str_addf(out, " |\n| strategy | %s |\n| time up to ready | %s, estimated |\n| rehearsal | ",
             plan->strategy, span);
    rehearsal_md(out, rehearsal);
    str_addf(out, " |\n| made | %s |\n\n", now);
}

static void request_md(Str *out, const Plan *plan)
{
    str_add(out, "## What is asked\n\n");
    fenced(out, (const char *const[]){plan->sql == NULL ? "" : plan->sql}, 1);
}

/* What of an unfinished change is there already when the bundle is made. */
static void replaces_md(Str *out, const Plan *plan)
{
    if (plan->replaces == NULL)
        return;
    str_addf(out, "## What gives way\n\nChange `%s` of this name stopped half-way.\n\n",
             plan->replaces->change_digest);
    for (size_t i = 0; i < plan->replaces->undone_count; i++) {
        str_add(out, "- undone: ");
        plain(out, plan->replaces->undone[i]);
        str_add(out, "\n");
    }
    for (size_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].kept != STEP_KEPT_NOT)
            str_addf(out, "- kept as step %d, %s\n", plan->steps[i].ordinal,
                     step_kept_name(plan->steps[i].kept));
    str_add(out, "\n");
}

static void risks_md(Str *out, const Plan *plan)
{
    str_add(out, "## Risks\n\n");
    for (size_t i = 0; i < plan->risk_count; i++) {
        const Risk *risk = &plan->risks[i];
        str_add(out, "- ");
        if (risk->accept != NULL)
            str_addf(out, "**%s `%s`**: ",
                     risk->accepted ? "accepted by" : "not accepted, apply will refuse it; accept by",
                     risk->accept);
        plain(out, risk->message);
        str_add(out, "\n");
        if (risk->sql != NULL) {
            str_add(out, "\n");
            fenced(out, (const char *const[]){risk->sql}, 1);
        }
    }
    str_add(out, plan->risk_count == 0 ? "None is known.\n\n" : "\n");
}

static void table_md(Str *out, const Plan *plan)
{
    str_add(
        out,
        "## Steps\n\n| | phase | what | lock | stops writers | rewrites | reads all rows | time | evidence "
        "|\n|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < plan->step_count; i++) {
        const Step *step = &plan->steps[i];
        char span[2 * UNIT_TEXT_BYTES + 8];
        span_text(step->estimate_low_ms, step->estimate_high_ms, span, sizeof span);
        str_addf(out, "| %d | %s | ", step->ordinal, phase_name(step->phase));
        plain(out, step->title);
        str_add(out, " | ");
        plain(out, step->lock);
        for (size_t j = 0; j < step->lock_count; j++) {
            str_add(out, j == 0 ? " on " : ", ");
            plain(out, step->lock_on[j]);
        }
        str_addf(
            out, " | %s | %s | %s | %s | %s |\n",
            stops_writers(step->lock) || step_kinds[step->kind].strong_lock ? "for a moment, bounded" : "no",
            step->rewrites ? "yes" : "no", step->scans ? "yes" : "no", span, evidence_name(step->evidence));
    }
    str_add(out, "\n");
}

static void undo_md(Str *out, Arena *arena, const Step *step)
{
    VEC(const char *) undo = {0};
    for (size_t i = 0; i < step->undo_step_count; i++)
        for (size_t j = 0; j < step->undo_steps[i].sql_count; j++)
            *vec_push(arena, &undo) = step->undo_steps[i].sql[j];
    for (size_t i = 0; i < step->sync_undo_count; i++)
        *vec_push(arena, &undo) = step->sync_undo[i];
    for (size_t i = 0; i < step->undo_count; i++)
        *vec_push(arena, &undo) = step->undo[i];
    if (undo.len == 0)
        return;
    str_add(out, "undone by\n\n");
    fenced(out, undo.items, undo.len);
}

static void steps_md(Str *out, Arena *arena, const Step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Step *step = &steps[i];
        if (step->sql_count + step->sync_sql_count + step->undo_count + step->undo_step_count == 0)
            continue;
        str_addf(out, "### %d. ", step->ordinal);
        plain(out, step->title);
        str_add(out, "\n\n");
        VEC(const char *) sql = {0};
        for (size_t j = 0; j < step->sql_count; j++)
            *vec_push(arena, &sql) = step->sql[j];
        for (size_t j = 0; j < step->sync_sql_count; j++)
            *vec_push(arena, &sql) = step->sync_sql[j];
        if (sql.len > 0)
            fenced(out, sql.items, sql.len);
        undo_md(out, arena, step);
    }
}

static void back_md(Str *out, Arena *arena, const Plan *plan)
{
    str_add(out, "## The way back\n\nUntil ready `stoa abort` undoes every step. After ready: ");
    if (plan->revert_count == 0) {
        plain(out, plan->no_revert == NULL ? "there is none but another change" : plan->no_revert);
        str_add(out, ".\n\n");
        return;
    }
    str_add(out,
            "`stoa revert`, until `stoa complete` has begun, loses nothing that was written meanwhile:\n\n");
    steps_md(out, arena, plan->reverts, plan->revert_count);
}

static const char *markdown(Cli *cli, const Plan *plan, const json_t *rehearsal, const char *now)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    const char *environment = cli_setting(cli, OPT_ENV)->text;
    head_md(&out, plan, rehearsal, environment, now);
    request_md(&out, plan);
    replaces_md(&out, plan);
    risks_md(&out, plan);
    table_md(&out, plan);
    if (rehearsal != NULL)
        str_addf(&out, "%s\n", rehearse_markdown(cli->arena, rehearsal));
    str_add(&out, "## SQL\n\n");
    steps_md(&out, cli->arena, plan->steps, plan->step_count);
    back_md(&out, cli->arena, plan);
    str_addf(
        &out,
        "## Approve\n\n```\nstoa approve --bundle FILE.json --sign KEY\n```\n\nThe approval is for the plan "
        "`%s` alone: `stoa apply` refuses any other.\n",
        plan->plan_digest);
    return arena_dup(cli->arena, out.buf);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static const char *json_text(Cli *cli, const Plan *plan, json_t *rehearsal, const char *now)
{
    int64_t low = 0, high = 0;
    total_estimate(plan, &low, &high);
    json_t *needs = json_array();
    for (size_t i = 0; i < plan->risk_count; i++)
        if (plan->risks[i].accept != NULL && !plan->risks[i].accepted)
            (void)json_array_append_new(needs, json_string(plan->risks[i].accept));
    json_t *json = json_pack("{s:i, s:s, s:s?, s:s?, s:s?, s:s, s:s, s:s, s:{s:I, s:I}, s:o, s:O?, s:o}", "v",
                             1, "made_at", now, "environment", cli_setting(cli, OPT_ENV)->text, "database",
                             plan->database, "system", plan->system_id, "change", plan->change,
                             "change_digest", plan->change_digest, "plan_digest", plan->plan_digest,
                             "estimate_ms", "low", (json_int_t)low, "high", (json_int_t)high, "not_accepted",
                             needs, "rehearsal", rehearsal, "plan", plan_to_json(plan));
    CLEANUP(mem_freep) char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
    json_decref(json);
    return text == NULL ? "" : arena_printf(cli->arena, "%s\n", text);
}

static Err *put(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    bool good = file != NULL && fputs(text, file) >= 0;
    int why = errno;
    if (file != NULL && fclose(file) != 0) {
        why = errno;
        good = false;
    }
    return good ? NULL : err_new(ERR_IO, "cannot write \"%s\": %s", path, strerror(why));
}

static bool ends(const char *path, const char *ending)
{
    size_t len = strlen(path), size = strlen(ending);
    return len > size && strcmp(path + len - size, ending) == 0;
}

Err *bundle_write(Cli *cli, const Plan *plan, json_t *rehearsal, const char *path)
{
    const char *now = utc_now(cli->arena);
    bool md = ends(path, ".md"), json = ends(path, ".json");
    if (!json)
        TRY(put(md ? path : arena_printf(cli->arena, "%s.md", path), markdown(cli, plan, rehearsal, now)));
    if (!md)
        TRY(put(json ? path : arena_printf(cli->arena, "%s.json", path),
                json_text(cli, plan, rehearsal, now)));
    return NULL;
}

static const char *text_in(Arena *arena, const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? NULL : arena_dup(arena, text);
}

Err *bundle_take(Arena *arena, const json_t *bundle, const char *path, Plan *ret_plan,
                 const char **ret_environment)
{
    TRY(plan_from_json(arena, json_object_get(bundle, "plan"), ret_plan));
    const char *digest = plan_digest_make(arena, ret_plan);
    if (!str_eq(digest, ret_plan->plan_digest))
        return err_new(ERR_UNSAFE, "\"%s\" was altered: it names plan %s, and its steps are those of %s",
                       path, ret_plan->plan_digest == NULL ? "" : ret_plan->plan_digest, digest);
    if (ret_plan->change == NULL || ret_plan->change_digest == NULL)
        return err_new(ERR_USAGE, "\"%s\" does not name its change", path);
    ret_plan->database = text_in(arena, bundle, "database");
    ret_plan->system_id = text_in(arena, bundle, "system");
    if (ret_environment != NULL)
        *ret_environment = text_in(arena, bundle, "environment");
    return NULL;
}

const json_t *bundle_rehearsal(const json_t *bundle, const Plan *plan)
{
    const json_t *rehearsal = json_object_get(bundle, "rehearsal");
    const char *digest = json_string_value(json_object_get(rehearsal, "plan_digest"));
    return str_eq(digest, plan->plan_digest) ? rehearsal : NULL;
}

Err *bundle_read(Cli *cli, const char *path, Plan *ret_plan, json_t **ret_rehearsal)
{
    json_error_t why;
    json_t *json = json_load_file(path, 0, &why);
    if (json == NULL)
        return err_hint(err_new(ERR_USAGE, "cannot read \"%s\" as a bundle: %s", path, why.text),
                        "it is the JSON that \"stoa plan --bundle\" writes");
    Err *err = bundle_take(cli->arena, json, path, ret_plan, NULL);
    if (err == NULL)
        *ret_rehearsal = json_deep_copy(bundle_rehearsal(json, ret_plan));
    json_decref(json);
    return err;
}
