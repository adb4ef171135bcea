/* A retirement, a turn at a time. */
#include "run/brownout.h"
#include "run/keep_sql.h"
#include "run/retire_parts.h"
#include "run/retire_watch.h"

#include "base/failpoint.h"
#include "base/unit.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 50, /* at files and URL */
    ASK_MS = 500, /* whether the brown-out is still on */
    RECONNECT_MS = 300000,
    QUIET_MOST_MS = 86400000,
};

/* ---- a turn begins and ends ------------------------------------------------------------------ */

static json_t *text_or_null(const char *text) { return text == NULL ? json_null() : json_string(text); }

static void put_state(Turn *turn, const char *state) { turn_put(turn, "state", json_string(state)); }

static Err *open_turn(Turn *turn, const RunOptions *options, Arena *arena, const RetireWish *wish)
{
    static const char *const kinds[] = {
        [HIDE_COLUMN] = "column", [HIDE_TABLE] = "table", [HIDE_INDEX] = "index"};
    *turn = (Turn){
        .options = options, .arena = arena, .wish = wish, .report = json_object(), .notes = json_array()};
    turn_put(turn, "notes", turn->notes);
    TRY(runner_open(&turn->runner, options, arena));
    if (turn->runner.ops->hide_plan == NULL)
        return err_new(ERR_USAGE, "nothing can be retired on this kind of server");
    TRY(journal_upgrade(turn->runner.conn, turn->runner.ops, &turn->runner.server));
    TRY(subject_find(&turn->runner, arena, wish, &turn->subject, &turn->standing));
    turn_put(turn, "of", json_string(turn->subject.of));
    turn_put(turn, "kind", json_string(kinds[wish->kind]));
    return NULL;
}

static Err *close_turn(Turn *turn, Err *err, json_t **ret_report)
{
    standing_done(&turn->standing);
    runner_close(&turn->runner);
    if (err == NULL)
        *ret_report = turn->report;
    else
        json_decref(turn->report);
    return err;
}

static Err *ask(Turn *turn, const char *next)
{
    turn_put(turn, "next", json_string(next));
    if (turn->confirm != NULL && !turn->confirm(turn->context, turn->report))
        return err_new(ERR_STOPPED, "not confirmed; nothing was changed");
    return NULL;
}

/* ---- hidden --------------------------------------------------------------------------------- */

static Err *come_back(Turn *turn)
{
    Runner *runner = &turn->runner;
    for (int64_t until = clock_ms() + RECONNECT_MS;;) {
        conn_closep(&runner->conn);
        Wait wait = {.timeout_ms = JOURNAL_TIMEOUT_MS};
        Err *err = runner->ops->connect(&turn->options->target, "work", &wait, &runner->conn);
        if (err == NULL || clock_ms() > until)
            return err;
        err_free(err);
        stop_sleep(NULL, 500);
    }
}

/* Until its time is over, something is seen, somebody else ends it or we are asked to stop. *ret_on: it is
 * still to be ended. */
static Err *look_on(Turn *turn, const Brownout *brownout, RetireWatch *watch, bool *ret_on)
{
    int64_t until = clock_ms() + turn->wish->for_ms, asked = clock_ms();
    size_t seen = 0;
    *ret_on = true;
    while (clock_ms() < until && seen == 0 && *ret_on && stop_level(turn->options->stop) == STOP_NONE) {
        retire_watch_step(watch);
        (void)retire_watch_seen(watch, &seen);
        stop_sleep(turn->options->stop, LOOK_MS);
        if (clock_ms() - asked < ASK_MS)
            continue;
        asked = clock_ms();
        Err *err = brownout_is_on(&turn->runner, brownout, ret_on);
        if (err_is(err, ERR_CONN_LOST) || err_is(err, ERR_CANCELLED)) {
            err_free(err);
            err = come_back(turn);
        }
        TRY(err);
    }
    retire_watch_step(watch);
    return NULL;
}

static Err *end_it(Turn *turn, const Brownout *brownout, const char *why, bool *ret_ended)
{
    int64_t budget_ms = turn->options->controls.lock_wait_ms;
    Err *err = brownout_end(&turn->runner, brownout->key, why, budget_ms, ret_ended);
    if (!err_is(err, ERR_CONN_LOST))
        return err;
    err_free(err);
    TRY(come_back(turn));
    return brownout_end(&turn->runner, brownout->key, why, budget_ms, ret_ended);
}

static Err *in_use(Turn *turn, const char *const *lines, size_t count, const HidePlan *hide)
{
    json_t *detail = json_pack("{s:s, s:s?, s:o}", "by", hide_by_name(hide->by), "observed", turn->observed,
                               "seen", turn_texts(lines, count));
    turn_put(turn, "seen", turn_texts(lines, count));
    put_state(turn, "in_use");
    return retire_note(&turn->runner, &turn->subject, "in_use", detail,
                       arena_printf(turn->arena, "%s is in use: %.300s", turn->subject.of, lines[0]));
}

/* What came of it, once it is shown again. *ret_quiet: nobody was seen. */
static Err *weigh(Turn *turn, const HidePlan *hide, const RetireWatch *watch, bool was_on, bool *ret_quiet)
{
    size_t count = 0;
    const char *const *lines = retire_watch_seen(watch, &count);
    *ret_quiet = false;
    if (count > 0)
        return in_use(turn, lines, count, hide);
    if (!was_on)
        return err_hint(
            err_new(ERR_HELD, "the brown-out of %s was ended by another process", turn->subject.of),
            "see why: stoa history");
    if (stop_level(turn->options->stop) != STOP_NONE) {
        TRY(retire_note(&turn->runner, &turn->subject, "undone", NULL, "stopped: it is shown again"));
        return err_new(ERR_STOPPED, "stopped; %s is shown again", turn->subject.of);
    }
    *ret_quiet = true;
    return NULL;
}

static Err *hidden(Turn *turn, RetireWatch *watch, HidePlan *hide, bool *ret_quiet)
{
    Brownout brownout = {0};
    bool on = false, ended = false;
    HideRequest request = turn_request(turn);
    TRY(brownout_begin(&turn->runner, turn->arena, &request, turn->subject.of, turn->wish->for_ms, hide,
                       &brownout));
    runner_tell(&turn->runner, "brownout", 0, NULL,
                arena_printf(turn->arena, "%s is hidden by %s", turn->subject.of, hide_by_name(hide->by)));
    Err *err = look_on(turn, &brownout, watch, &on);
    size_t seen = 0;
    (void)retire_watch_seen(watch, &seen);
    const char *why = seen > 0      ? "it is in use"
                      : err != NULL ? "it could not be looked at"
                                    : "its time was over";
    Err *end = on ? end_it(turn, &brownout, why, &ended) : NULL;
    if (err != NULL) {
        err_free(end);
        return err;
    }
    TRY(end);
    runner_tell(&turn->runner, "brownout_ended", 0, NULL,
                arena_printf(turn->arena, "%s is shown again", turn->subject.of));
    return weigh(turn, hide, watch, on, ret_quiet);
}

static Err *brown_out(Turn *turn, HidePlan *hide, bool *ret_quiet)
{
    const Subject *subject = &turn->subject;
    const RetireWish *wish = turn->wish;
    CLEANUP(retire_watch_freep) RetireWatch *watch = NULL;
    const char *names[] = {subject->table, subject->name};
    *ret_quiet = true;
    if (hide->by == HIDE_BY_NONE)
        return NULL;
    TRY(retire_watch_open(wish->logs, wish->log_count, wish->url, names, subject->name == NULL ? 1 : 2,
                          &watch));
    turn->observed = retire_watch_by(watch);
    turn_put(turn, "observed", text_or_null(turn->observed));
    turn_put(turn, "for_ms", json_integer(wish->for_ms));
    return hidden(turn, watch, hide, ret_quiet);
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* The drop as a change, up to where it waits: an application may leave the column out from here on, and who
 * uses it is counted. An index has nothing to wait with. */
static Err *prepare(Turn *turn)
{
    Change change;
    RunSummary summary = {0};
    if (turn->subject.kind == HIDE_INDEX)
        return NULL;
    TRY(retire_drop_change(turn->arena, &turn->subject, &change));
    return run_apply(turn->options, turn->arena, &change, NULL, NULL, &summary);
}

static int64_t wait_of(const Turn *turn)
{
    json_t *kept = json_object_get(turn->standing.last, "wait_ms");
    bool waits = str_eq(turn->standing.state, "waiting");
    return turn->wish->wait_ms >= 0 ? turn->wish->wait_ms
           : waits && kept != NULL  ? json_integer_value(kept)
                                    : RETIRE_WAIT_MS;
}

static void put_waiting(Turn *turn, int64_t left_ms)
{
    put_state(turn, "waiting");
    turn_put(turn, "wait_ms", json_integer(wait_of(turn)));
    turn_put(turn, "left_ms", json_integer(left_ms));
    turn_put(turn, "change", text_or_null(turn->subject.kind == HIDE_INDEX ? NULL : turn->subject.change));
}

static const char *definition_of(const Subject *subject)
{
    const Index *index = subject->kind == HIDE_INDEX ? table_index(&subject->there, subject->name) : NULL;
    return index == NULL ? NULL : index->definition;
}

static Err *note_waiting(Turn *turn, const HidePlan *hide)
{
    char span[UNIT_TEXT_BYTES];
    json_t *detail = json_pack("{s:s, s:s?, s:I, s:I, s:s, s:s?}", "by", hide_by_name(hide->by), "observed",
                               turn->observed, "for_ms", (json_int_t)turn->wish->for_ms, "wait_ms",
                               (json_int_t)wait_of(turn), "change", turn->subject.change, "definition",
                               definition_of(&turn->subject));
    return retire_note(
        &turn->runner, &turn->subject, "waiting", detail,
        arena_printf(turn->arena, "%s may be dropped after %s%s", turn->subject.of,
                     unit_duration_text(wait_of(turn), span),
                     turn->observed == NULL ? "; errors were not observed" : "; no error was seen"));
}

/* ---- dropped -------------------------------------------------------------------------------- */

/* Where nothing counts who uses it, a brown-out that was looked at and hurt nobody tells. */
static Err *may_drop(const Turn *turn, bool *ret_force)
{
    const Subject *subject = &turn->subject;
    bool counted = turn->use_asked && (turn->use.unknown == NULL || subject->kind == HIDE_TABLE);
    *ret_force = turn->wish->force || (!counted && turn->observed != NULL);
    if (counted || *ret_force || subject->kind == HIDE_INDEX)
        return NULL;
    return err_hint(
        err_new(ERR_UNSAFE,
                "nothing tells whether %s is still used: %s, and nobody looked on while it "
                "was hidden",
                subject->of, turn->use.unknown != NULL ? turn->use.unknown : "this server is not asked"),
        "hide it again with --watch-log FILE or --check-url URL; or, if you know that nobody uses it: "
        "--force");
}

static const char *space_note(const Turn *turn)
{
    const Subject *subject = &turn->subject;
    if (subject->kind != HIDE_COLUMN)
        return "its files are removed: the space is free at once";
    return subject->mysql
               ? "a column that was dropped INSTANT leaves its bytes in the rows until the table is rebuilt: "
                 "stoa "
                 "apply 'ALTER TABLE … ENGINE=InnoDB, FORCE' (the server, or a shadow table) gives them back"
               : "its bytes stay in the rows that are there until each is written again; pg_repack, or "
                 "VACUUM FULL "
                 "(nobody can read the table meanwhile), gives them back at once";
}

static Err *note_dropped(Turn *turn, const char *definition, json_t *kept)
{
    json_t *detail = json_pack("{s:s, s:s?, s:s?, s:O?}", "change", turn->subject.change, "definition",
                               definition, "file", turn->wish->keep_file, "kept", kept);
    TRY(retire_note(&turn->runner, &turn->subject, "dropped", detail,
                    arena_printf(turn->arena, "%s is dropped", turn->subject.of)));
    put_state(turn, "dropped");
    turn_put(turn, "change", json_string(turn->subject.change));
    turn_add_note(turn, space_note(turn));
    return NULL;
}

static Err *drop_it(Turn *turn, bool force)
{
    Change change;
    RunSummary summary = {0};
    RunOptions options = *turn->options;
    int64_t quiet_ms = wait_of(turn) < QUIET_MOST_MS ? wait_of(turn) : QUIET_MOST_MS;
    if ((options.controls_given & CONTROL_QUIET) == 0)
        options.controls.quiet_ms = quiet_ms;
    options.controls_given |= CONTROL_QUIET;
    options.force = force;
    TRY(retire_drop_change(turn->arena, &turn->subject, &change));
    TRY(run_apply(&options, turn->arena, &change, NULL, NULL, &summary));
    TRY(failpoint_at("retire_ready"));
    if (summary.state != STATE_READY)
        return NULL;
    return run_complete(&options, turn->arena, turn->subject.change, &summary);
}

static bool is_gone(const Subject *subject)
{
    return subject->kind == HIDE_COLUMN ? subject->column == NULL : subject->there.kind == RELATION_MISSING;
}

/* A drop that was done, by a process that did not come to the end of its change. */
static Err *close_change(Turn *turn)
{
    JournalChange known = {0};
    RunSummary summary = {0};
    RunOptions options = *turn->options;
    options.force = true;
    TRY(journal_find(turn->runner.conn, turn->arena, turn->subject.change, &known));
    bool ready = str_eq(known.state, "ready");
    journal_change_done(&known);
    return ready ? run_complete(&options, turn->arena, turn->subject.change, &summary) : NULL;
}

static Err *keep(Turn *turn, json_t **ret_kept)
{
    if (turn->wish->keep_file == NULL)
        return NULL;
    TRY(keep_save(&turn->runner, turn->arena, &turn->subject, turn->wish->keep_file, ret_kept));
    turn_put(turn, "kept", json_incref(*ret_kept));
    return failpoint_at("retire_kept");
}

static Err *finish(Turn *turn)
{
    const char *definition = json_string_value(json_object_get(turn->standing.last, "definition"));
    json_t *kept = NULL;
    bool force = false;
    if (definition == NULL)
        definition = definition_of(&turn->subject);
    if (is_gone(&turn->subject)) { /* the process ended before it could say so */
        TRY(close_change(turn));
        return note_dropped(turn, definition, NULL);
    }
    if (turn->observed == NULL)
        turn->observed = json_string_value(json_object_get(turn->standing.last, "observed"));
    TRY(turn_use(turn));
    TRY(may_drop(turn, &force));
    TRY(ask(turn, "drop"));
    Err *err = keep(turn, &kept);
    if (err == NULL && turn->wish->keep_file != NULL)
        err = keep_check(&turn->runner, turn->arena, &turn->subject, turn->wish->keep_file);
    if (err == NULL)
        err = drop_it(turn, force);
    if (err == NULL)
        err = failpoint_at("retire_before_note");
    if (err == NULL)
        err = note_dropped(turn, definition, kept);
    json_decref(kept);
    return err;
}

/* ---- a turn --------------------------------------------------------------------------------- */

static Err *begin(Turn *turn)
{
    HidePlan hide = {0};
    bool quiet = false;
    KeepTable kept; /* said now rather than after the waiting time */
    TRY(turn_plan(turn));
    TRY(turn_may_be_left_out(turn));
    if (turn->wish->keep_file != NULL)
        TRY(keep_table(turn->arena, &turn->subject, &kept));
    TRY(turn_use(turn));
    TRY(turn_hiding(turn, &hide));
    put_state(turn, "planned");
    turn_put(turn, "wait_ms", json_integer(wait_of(turn)));
    turn_put(turn, "for_ms", json_integer(turn->wish->for_ms));
    TRY(ask(turn, hide.by == HIDE_BY_NONE ? "wait" : "hide"));
    TRY(journal_ensure(turn->runner.conn, turn->runner.ops, &turn->runner.server));
    Wait wait = journal_wait();
    TRY(turn->runner.ops->load_server(turn->runner.conn, &wait, turn->arena, &turn->runner.server));
    if (hide.by != HIDE_BY_NONE) /* by which it is found while it has another name */
        TRY(retire_note(&turn->runner, &turn->subject, "hiding", NULL,
                        arena_printf(turn->arena, "%s is to be hidden", turn->subject.of)));
    TRY(brown_out(turn, &hide, &quiet));
    if (!quiet)
        return NULL;
    TRY(failpoint_at("retire_shown"));
    TRY(prepare(turn));
    TRY(note_waiting(turn, &hide));
    put_waiting(turn, wait_of(turn));
    return wait_of(turn) == 0 ? finish(turn) : NULL;
}

static Err *one_turn(Turn *turn)
{
    const char *state = turn->standing.state;
    if (str_eq(state, "dropped") && is_gone(&turn->subject)) {
        put_state(turn, "dropped");
        return NULL;
    }
    if (!str_eq(state, "waiting"))
        return begin(turn);
    int64_t left_ms = wait_of(turn) - turn->standing.age_ms;
    if (left_ms <= 0 || is_gone(&turn->subject))
        return finish(turn);
    turn_put(turn, "observed",
             text_or_null(json_string_value(json_object_get(turn->standing.last, "observed"))));
    put_waiting(turn, left_ms);
    return NULL;
}

Err *run_retire(const RunOptions *options, Arena *arena, const RetireWish *wish, RetireConfirm *confirm,
                void *context, json_t **ret_report)
{
    Turn turn;
    Err *err = open_turn(&turn, options, arena, wish);
    turn.confirm = confirm;
    turn.context = context;
    if (err == NULL)
        err = one_turn(&turn);
    return close_turn(&turn, err, ret_report);
}

/* ---- back ----------------------------------------------------------------------------------- */

static Err *undo_waiting(Turn *turn)
{
    JournalChange known = {0};
    Runner *runner = &turn->runner;
    RunOptions options = *turn->options;
    options.force = true;
    TRY(journal_find(runner->conn, turn->arena, turn->subject.change, &known));
    bool there = known.id != 0 && !str_eq(known.state, "completed");
    journal_change_done(&known);
    if (there)
        TRY(run_abort(&options, turn->arena, turn->subject.change));
    put_state(turn, "undone");
    return retire_note(runner, &turn->subject, "undone", NULL,
                       arena_printf(turn->arena, "%s stays", turn->subject.of));
}

static Err *restore_index(Turn *turn)
{
    const char *definition = json_string_value(json_object_get(turn->standing.last, "definition"));
    Change change;
    RunSummary summary = {0};
    if (definition == NULL)
        return err_new(ERR_USAGE, "the journal does not have the definition of %s", turn->subject.of);
    const char *name = arena_printf(turn->arena, "restore-%s-%d", retire_slug(turn->arena, &turn->subject),
                                    turn->standing.dropped_count);
    TRY(retire_change(turn->arena, &turn->runner.server, definition, name, &change));
    return run_apply(turn->options, turn->arena, &change, NULL, NULL, &summary);
}

static Err *undo_dropped(Turn *turn)
{
    json_t *figures = NULL;
    if (turn->subject.kind == HIDE_TABLE)
        return err_hint(
            err_new(ERR_USAGE, "%s is dropped: a table comes back from a backup only", turn->subject.of),
            "restore it beside, and rename it");
    if (turn->subject.kind == HIDE_COLUMN && turn->wish->from_file == NULL)
        return err_hint(err_new(ERR_USAGE, "%s is dropped", turn->subject.of),
                        "stoa retire … --undo --from FILE, with the file that --keep-data has written");
    if (turn->subject.kind == HIDE_INDEX)
        TRY(restore_index(turn));
    else
        TRY(keep_restore(turn->options, &turn->runner, turn->arena, &turn->subject,
                         turn->standing.dropped_count, turn->wish->from_file, &figures));
    if (figures != NULL)
        turn_put(turn, "restored", figures);
    put_state(turn, "restored");
    return retire_note(&turn->runner, &turn->subject, "restored", NULL,
                       arena_printf(turn->arena, "%s is there again", turn->subject.of));
}

static Err *undo(Turn *turn)
{
    Runner *runner = &turn->runner;
    const char *key = brownout_key(turn->arena, turn->subject.schema, turn->subject.table);
    bool ended = false;
    if (runner->server.journal_version > 0)
        TRY(brownout_end(runner, key, "undone", turn->options->controls.lock_wait_ms, &ended));
    if (ended) {
        put_state(turn, "undone");
        return retire_note(runner, &turn->subject, "undone", NULL,
                           arena_printf(turn->arena, "%s is shown again", turn->subject.of));
    }
    if (str_eq(turn->standing.state, "waiting"))
        return undo_waiting(turn);
    if (str_eq(turn->standing.state, "dropped"))
        return undo_dropped(turn);
    put_state(turn, "nothing");
    return NULL;
}

Err *run_retire_undo(const RunOptions *options, Arena *arena, const RetireWish *wish, json_t **ret_report)
{
    Turn turn;
    Err *err = open_turn(&turn, options, arena, wish);
    if (err == NULL)
        err = undo(&turn);
    return close_turn(&turn, err, ret_report);
}
