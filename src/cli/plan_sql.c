/* stoa plan --sql: files, what stands above them, and what cannot be written so. */
#include "cli/plan_sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void plan_sql_comment(Str *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = mem_format(format, args);
    va_end(args);
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\r\n");
        str_addf(out, "-- %.*s\n", (int)len, line);
        line += len + strspn(line + len, "\r\n");
    }
    free(text);
}

/* ---- what only Stoa can do ------------------------------------------------------------------ */

static bool is_pg(const Plan *plan) { return str_eq(plan->engine, "postgres"); }

static const char *why_not_fills(const Plan *plan, const Step *step)
{
    for (size_t i = 0; i < step->fill_count; i++) {
        if (step->fills[i].sync.back_count > 0 || step->fills[i].sync.after)
            return "both applications write, and what either writes is carried over to the other shape";
        if (is_pg(plan) && strtol(plan->server, NULL, 10) < 11 && step->kind == STEP_BACKFILL)
            return "before PostgreSQL 11 nothing but a client can commit between batches";
    }
    if (step->sync && step->phase == PHASE_CUTOVER)
        return "the names change places together with the trigger that keeps both shapes in step";
    return NULL;
}

static const char *why_not(const Plan *plan, const Step *step)
{
    switch (step->kind) {
    case STEP_CAPTURE:
    case STEP_COPY:
    case STEP_COMPARE:
    case STEP_SWAP:
        return "a shadow table is kept in step from captured changes, which no SQL can do";
    case STEP_EVIDENCE:
        return "it goes by what was used since the change was ready, which the journal knows";
    case STEP_DDL:
    case STEP_BACKFILL:
    case STEP_VACUUM:
    case STEP_VERIFY:
    case STEP_CREATE_INDEX:
    case STEP_DROP_INDEX:
    case STEP_DETACH:
    case STEP_VALIDATE:
    case STEP_READY:
    case STEP_LONG:
    case STEP_OUTSIDE:
    case STEP_QUIET:
    case STEP_ALTER:
    case STEP_KIND_COUNT:
        break;
    }
    return why_not_fills(plan, step);
}

Err *plan_sql_refusal(const Plan *plan)
{
    if (plan->version_schema != NULL)
        return err_hint(
            err_new(ERR_UNSAFE, "--sql: views for two applications at once need Stoa's own triggers"),
            "carry the change out with \"stoa apply\"");
    for (size_t i = 0; i < plan->step_count; i++) {
        const Step *step = &plan->steps[i];
        const char *why = why_not(plan, step);
        if (why != NULL)
            return err_hint(err_new(ERR_UNSAFE, "--sql: step %d (%s) cannot be written as SQL: %s",
                                    step->ordinal, step->title, why),
                            "carry the change out with \"stoa apply\"");
    }
    return plan_refusal(plan);
}

/* ---- phases --------------------------------------------------------------------------------- */

static const struct {
    const char *when, *check;
} words[PHASE_COUNT] = {
    [PHASE_PREPARE] = {"first, at any time: it only reads",
                       "no query returns a row; else correct these rows before anything is changed"},
    [PHASE_EXPAND] =
        {"before the new application",
         "every transaction is committed. Where a timeout ends one, nothing has happened: run the "
         "file again from there a little later"},
    [PHASE_BACKFILL] = {"when the file before it is through, at any time of day",
                        "it ended without an error. Interrupted, it is simply run again"},
    [PHASE_VERIFY] = {"when the rows are filled",
                      "no query returns a row; else do not go on, correct these rows and run it again"},
    [PHASE_CONSTRAIN] = {"when verification returned no row",
                         "every statement went through. An index that was interrupted is INVALID: drop it "
                         "concurrently and build it again"},
    [PHASE_CUTOVER] = {"when everything before it is through",
                       "every transaction is committed. Where a timeout ends one, run it again"},
    [PHASE_CONTRACT] =
        {"later: when the new application is everywhere, and no old one reads or writes any more. "
         "There is no way back behind it",
         "every statement went through"},
};

static bool has_sql(const Step *step)
{
    return step->kind != STEP_READY && step->kind != STEP_QUIET && step->kind != STEP_EVIDENCE;
}

static size_t steps_of(const Plan *plan, Phase phase)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->step_count; i++)
        count += plan->steps[i].phase == phase && has_sql(&plan->steps[i]);
    return count;
}

static void add_step(const StepText *text, const Step *step)
{
    Str *out = text->out;
    str_add(out, "\n");
    plan_sql_comment(out, "step %d: %s", step->ordinal, step->title);
    if (step->lock != NULL && step->lock[0] != '\0' && step->lock_count > 0)
        plan_sql_comment(out, "lock: %s on %s", step->lock, step->lock_on[0]);
    for (size_t i = 0; i < step->undo_count; i++)
        plan_sql_comment(out, "undo: %s;", step->undo[i]);
    if (is_pg(text->plan))
        plan_sql_step_pg(text, step);
    else
        plan_sql_step_my(text, step);
}

static void add_phase(const StepText *text, Phase phase, size_t nth, size_t count)
{
    const Plan *plan = text->plan;
    Str *out = text->out;
    plan_sql_comment(out, "%s, phase %s: file %zu of %zu, for %s %s", plan->change, phase_name(phase), nth,
                     count, plan->engine, plan->server);
    plan_sql_comment(out, "change %s", plan->change_digest);
    plan_sql_comment(out, "when: %s", words[phase].when);
    plan_sql_comment(out, "check: %s", words[phase].check);
    plan_sql_comment(out, "Stop at the first error (%s). Not inside of a transaction of a tool.",
                     is_pg(plan) ? "psql -X -v ON_ERROR_STOP=1 -f FILE"
                                 : "mysql and mariadb do by themselves");
    str_add(out, "\n");
    if (is_pg(plan))
        plan_sql_head_pg(text);
    else
        plan_sql_head_my(text);
    for (size_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].phase == phase && has_sql(&plan->steps[i]))
            add_step(text, &plan->steps[i]);
}

/* ---- files ---------------------------------------------------------------------------------- */

static Err *write_new(const char *path, const Str *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool done = file != NULL && fwrite(text->buf, 1, text->len, file) == text->len;
    int why = errno;
    if (file != NULL && fclose(file) != 0)
        done = false;
    return done ? NULL : err_new(ERR_USAGE, "cannot write \"%s\": %s", path, strerror(why));
}

static void tell(Cli *cli, const char *const *paths, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(list, json_string(paths[i]));
        if (!cli->term.json)
            (void)puts(paths[i]);
    }
    json_t *json = json_pack("{s:i, s:o}", "v", 1, "files", list);
    if (cli->term.json)
        term_json(&cli->term, json, true);
    json_decref(json);
}

Err *plan_sql_write(Cli *cli, const Plan *plan, int64_t max_stall_ms, const char *folder)
{
    size_t count = 0, nth = 0;
    VEC(const char *) paths = {0};
    TRY(plan_sql_refusal(plan));
    for (Phase phase = PHASE_PREPARE; phase < PHASE_COUNT; phase++)
        count += steps_of(plan, phase) > 0;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return err_new(ERR_USAGE, "cannot make \"%s\": %s", folder, strerror(errno));
    for (Phase phase = PHASE_PREPARE; phase < PHASE_COUNT; phase++) {
        if (steps_of(plan, phase) == 0)
            continue;
        CLEANUP(str_donep) Str out = STR_INIT;
        StepText text = {.arena = cli->arena,
                         .plan = plan,
                         .max_stall_ms = max_stall_ms,
                         .version = (int)strtol(plan->server, NULL, 10),
                         .out = &out};
        add_phase(&text, phase, ++nth, count);
        const char *path = arena_printf(cli->arena, "%s/%02zu-%s.sql", folder, nth, phase_name(phase));
        TRY(write_new(path, &out));
        *vec_push(cli->arena, &paths) = path;
    }
    tell(cli, paths.items, paths.len);
    return NULL;
}
