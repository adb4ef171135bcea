/* Shows a plan. */
#include "base/unit.h"
#include "cli/show.h"

#include <string.h>

enum { LABEL_COLUMN = 4, TEXT_COLUMN = 11 };

static void label(Page *page, const char *text)
{
    page_to(page, LABEL_COLUMN);
    page_put(page, STYLE_DIM, text);
    page_to(page, TEXT_COLUMN);
}

static void line(Page *page, const char *name, const char *text)
{
    label(page, name);
    page_wrap(page, STYLE_PLAIN, TEXT_COLUMN, text);
    page_newline(page);
}

static void statements(Page *page, const char *name, const char *const *sql, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        label(page, i == 0 ? name : "");
        page_sql(page, TEXT_COLUMN, sql[i]);
        if (sql[i][0] != '\0' && sql[i][strlen(sql[i]) - 1] != ';')
            page_put(page, STYLE_PLAIN, ";");
        page_newline(page);
    }
}

static void sync_parts(Page *page, const Step *step)
{
    for (size_t i = 0; i < step->fill_count; i++) {
        const FillColumn *fill = &step->fills[i];
        Str text = STR_INIT;
        str_addf(&text, "a trigger keeps %s = %s on INSERT", fill->column, fill->sync.expr);
        for (size_t j = 0; j < fill->sync.source_count; j++)
            str_addf(&text, "%s%s", j == 0 ? ", when one of these changes: " : ", ", fill->sync.sources[j]);
        str_addf(&text, ", and while %s is NULL", fill->column);
        line(page, i == 0 ? "sync" : "", text.buf);
        str_done(&text);
    }
}

static void show_count(Page *page, const char *name, size_t count)
{
    label(page, name);
    page_putf(page, STYLE_DIM, "in %zu statements, shown by -v and --json", count);
    page_newline(page);
}

static const char *timeout_text(Timeout timeout)
{
    switch (timeout) {
    case TIMEOUT_NONE:
        return "";
    case TIMEOUT_LOCK:
        return ", in attempts within --max-stall";
    case TIMEOUT_CHUNK:
        return ", chunk by chunk, never waiting for rows";
    case TIMEOUT_WATCHDOG:
        return ", watched and cancelled when it would block";
    }
    return "";
}

static const char *evidence_text(Evidence evidence)
{
    switch (evidence) {
    case EVIDENCE_MEASURED:
        return "measured on an empty copy";
    case EVIDENCE_CATALOG:
        return "from the catalog";
    case EVIDENCE_RULE:
        return "by rule";
    case EVIDENCE_UNKNOWN:
        return "unknown";
    }
    return "";
}

static void locks(Page *page, const Step *step)
{
    if (step->lock == NULL || step->lock[0] == '\0') {
        if (step->timeout == TIMEOUT_CHUNK)
            line(page, "lock", "rows of a chunk only");
        return;
    }
    Str text = STR_INIT;
    str_add(&text, step->lock);
    for (size_t i = 0; i < step->lock_count; i++)
        str_addf(&text, "%s%s", i == 0 ? " on " : ", ", step->lock_on[i]);
    str_addf(&text, " (%s)%s", evidence_text(step->evidence), timeout_text(step->timeout));
    line(page, "lock", text.buf);
    str_done(&text);
}

/* An estimate pretends no more than two digits. */
static int64_t two_digits(int64_t ms)
{
    int64_t unit = 1;
    while (ms / unit >= 100)
        unit *= 10;
    return (ms + unit / 2) / unit * unit;
}

static void costs(Page *page, const Step *step)
{
    char range[RANGE_TEXT_BYTES];
    label(page, "time");
    page_put(page, STYLE_PLAIN,
             range_text(two_digits(step->estimate_low_ms), two_digits(step->estimate_high_ms), range));
    if (step->scans)
        page_put(page, STYLE_YELLOW, ", reads the whole table");
    if (step->rewrites)
        page_put(page, STYLE_RED, ", rewrites the table");
    page_newline(page);
}

static void show_step(Page *page, const Step *step, bool whole, const json_t *rehearsed)
{
    page_putf(page, STYLE_BOLD, "%3d", step->ordinal);
    page_to(page, LABEL_COLUMN);
    page_put(page, STYLE_CYAN, phase_name(step->phase));
    page_put(page, STYLE_DIM, " · ");
    page_wrap(page, STYLE_BOLD, TEXT_COLUMN, step->title);
    page_newline(page);
    if (step->kept != STEP_KEPT_NOT)
        line(page, "kept",
             step->kept == STEP_KEPT_DONE ? "from the change before, which has done it"
                                          : "from the change before, which has begun it: it is gone on with");
    statements(page, "sql", step->sql, step->sql_count);
    if (step->sync)
        sync_parts(page, step);
    const char *name = step->fill_count == 0 ? "sync" : "";
    if (whole)
        statements(page, name, step->sync_sql, step->sync_sql_count);
    else if (step->sync_sql_count > 0)
        show_count(page, name, step->sync_sql_count);
    for (size_t i = 0; i < step->check_count; i++)
        line(page, i == 0 ? "check" : "", step->checks[i].label);
    locks(page, step);
    if (step->kind != STEP_READY && step->kind != STEP_QUIET && step->kind != STEP_EVIDENCE)
        costs(page, step);
    if (rehearsed != NULL && step->phase < PHASE_READY) {
        label(page, "tried");
        show_rehearsal_step(page, rehearsed);
        page_newline(page);
    }
    for (size_t i = 0; i < step->undo_step_count; i++)
        statements(page, i == 0 ? "undo" : "", step->undo_steps[i].sql, step->undo_steps[i].sql_count);
    if (whole)
        statements(page, "undo", step->sync_undo, step->sync_undo_count);
    bool more = step->undo_step_count > 0 || (whole && step->sync_undo_count > 0);
    statements(page, more ? "" : "undo", step->undo, step->undo_count);
}

static void show_risk(Page *page, const Risk *risk)
{
    bool open = risk->accept != NULL && !risk->accepted;
    page_to(page, 2);
    if (risk->accept == NULL)
        page_put(page, STYLE_DIM, "·");
    else
        page_put(page, open ? STYLE_YELLOW : STYLE_GREEN, open ? "!" : "✓");
    page_to(page, LABEL_COLUMN);
    page_wrap(page, STYLE_PLAIN, LABEL_COLUMN, risk->message);
    page_newline(page);
    if (risk->sql != NULL) {
        page_to(page, LABEL_COLUMN);
        page_put(page, STYLE_DIM, "first");
        page_to(page, TEXT_COLUMN);
        page_sql(page, TEXT_COLUMN, risk->sql);
        page_newline(page);
    }
    if (risk->accept == NULL)
        return;
    page_to(page, LABEL_COLUMN);
    page_putf(page, open ? STYLE_YELLOW : STYLE_DIM, open ? "accept it with %s" : "accepted by %s",
              risk->accept);
    page_newline(page);
}

static void show_risks(Page *page, const Plan *plan)
{
    for (int pass = 0; pass < 2; pass++) { /* what must be accepted first, then notes */
        bool titled = false;
        for (size_t i = 0; i < plan->risk_count; i++) {
            if ((plan->risks[i].accept == NULL) != (pass == 1))
                continue;
            if (!titled) {
                page_newline(page);
                page_put(page, STYLE_BOLD, pass == 0 ? "What it may break" : "Notes");
                page_newline(page);
            }
            titled = true;
            show_risk(page, &plan->risks[i]);
        }
    }
}

static void show_lines(Page *page, const char *sign, Style style, Lines lines, size_t most)
{
    for (size_t i = 0; i < lines.count && i < most; i++) {
        page_to(page, 2);
        page_put(page, style, sign);
        page_to(page, LABEL_COLUMN);
        page_wrap(page, STYLE_PLAIN, LABEL_COLUMN, lines.items[i]);
        page_newline(page);
    }
    if (lines.count <= most)
        return;
    page_to(page, LABEL_COLUMN);
    page_putf(page, STYLE_DIM, "and %zu more such lines: --verbose, or \"fingerprint\" in --json",
              lines.count - most);
    page_newline(page);
}

/* What the catalog will differ by, as seen on the empty copy: nothing else may differ when it runs. */
static void show_marks(Page *page, const Plan *plan, bool whole)
{
    enum { MOST_LINES = 8 };
    for (size_t i = 0; i < plan->mark_count; i++) {
        const PlanMark *mark = &plan->marks[i];
        size_t count = mark->difference.removed.count + mark->difference.added.count;
        if (str_eq(mark->at, "cutover") || count == 0)
            continue;
        page_newline(page);
        page_put(page, STYLE_BOLD,
                 mark->step == 0 ? "What \"stoa complete\" makes different" : "What will be different");
        page_newline(page);
        show_lines(page, "-", STYLE_RED, mark->difference.removed, whole ? SIZE_MAX : MOST_LINES);
        show_lines(page, "+", STYLE_GREEN, mark->difference.added, whole ? SIZE_MAX : MOST_LINES);
    }
}

static void show_reverts(Page *page, const Plan *plan, bool whole)
{
    if (plan->nothing_to_do || (plan->revert_count == 0 && plan->no_revert == NULL))
        return;
    page_newline(page);
    if (plan->revert_count == 0) {
        page_put(page, STYLE_DIM, "no way back once it is ready: ");
        page_wrap(page, STYLE_DIM, 0, plan->no_revert);
        page_newline(page);
        return;
    }
    page_putf(page, STYLE_BOLD, "Instead of that, by \"stoa revert %s\"", plan->change);
    page_newline(page);
    for (size_t i = 0; i < plan->revert_count; i++) {
        if (i > 0)
            page_newline(page);
        show_step(page, &plan->reverts[i], whole, NULL);
    }
}

/* What gives way, and what of it goes first. */
static void show_replaces(Page *page, const PlanReplaces *replaces)
{
    page_newline(page);
    page_putf(page, STYLE_BOLD, "In the place of change %s", replaces->change_digest);
    page_newline(page);
    for (size_t i = 0; i < replaces->undone_count; i++) {
        page_to(page, LABEL_COLUMN);
        page_put(page, STYLE_YELLOW, i == 0 ? "undone" : "");
        page_to(page, TEXT_COLUMN);
        page_wrap(page, STYLE_PLAIN, TEXT_COLUMN, replaces->undone[i]);
        page_newline(page);
    }
    if (replaces->undone_count > 0)
        return;
    page_to(page, LABEL_COLUMN);
    page_put(page, STYLE_PLAIN, "nothing of it has to be undone");
    page_newline(page);
}

void show_plan(Page *page, const Plan *plan, bool whole, const json_t *rehearsal)
{
    page_put(page, STYLE_BOLD, plan->change);
    if (plan->owner != NULL && plan->owner[0] != '\0')
        page_putf(page, STYLE_DIM, " · owner %s", plan->owner);
    page_putf(page, STYLE_DIM, " · %s %s · %s", plan->engine, plan->server, plan->strategy);
    page_newline(page);
    page_putf(page, STYLE_DIM, "change %s", plan->change_digest);
    page_newline(page);
    page_putf(page, STYLE_DIM, "plan   %s", plan->plan_digest);
    page_newline(page);
    if (rehearsal != NULL)
        show_rehearsal(page, rehearsal);
    if (plan->nothing_to_do) {
        page_newline(page);
        page_put(page, STYLE_GREEN, "nothing to do: everything asked for is there already");
        page_newline(page);
    }
    if (plan->replaces != NULL)
        show_replaces(page, plan->replaces);
    bool later = false;
    for (size_t i = 0; i < plan->step_count && !plan->nothing_to_do; i++) {
        page_newline(page);
        if (plan->steps[i].phase == PHASE_CONTRACT && !later) {
            page_putf(page, STYLE_BOLD, "Later, by \"stoa complete %s\"", plan->change);
            page_newline(page);
            later = true;
        }
        show_step(page, &plan->steps[i], whole, rehearsal_step(rehearsal, plan->steps[i].ordinal));
    }
    show_marks(page, plan, whole);
    show_reverts(page, plan, whole);
    show_risks(page, plan);
}
