/* Statements that commit by themselves, under a lock that the application queues behind.
 *
 * Nothing but the definition tells whether one has happened: a session that was told "done" may be lost
 * before it can say so, and a statement that was cut off may have come through. So one looks before each
 * attempt and after it. An attempt that does not wait costs the application nothing; one that waits does so
 * for half of --max-stall, never while somebody is known to hold the table for long, and so rarely that the
 * induced stalls stay under one per cent of the time. A build needs the lock twice, and cut off at the second
 * it is lost. */
#include "run/runner.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/unit.h"
#include "run/standby.h"

#include <stdlib.h>
#include <string.h>

enum {
    NOWAIT_PAUSE_MS = 10, /* plus as much at random */
    BLOCKED_PAUSE_MS = 100,
    STALL_SHARE = 100, /* waits may take one hundredth of the time */
    LOOK_EVERY = 20,   /* attempts that do not wait: who is in the way is asked that often */
    LOST_BUILDS_MAX = 3,
    BLOCKER_SAID_EVERY_MS = 10000,
};

typedef struct Alter {
    Runner *runner;
    const Step *step;
    bool undo;
    const char *sql;
    Name table;            /* for messages */
    int64_t not_before_ms; /* no attempt that may wait before this time */
    int64_t gentle_until_ms;
    int standby_tries; /* looks at replicas that found somebody */
    int64_t said_at_ms;
    int tries, lost_builds;
    char blocked_by[BLOCKERS_TEXT_BYTES];
} Alter;

/* ---- where it stands --------------------------------------------------------------------------------------
 */

typedef enum Seen {
    SEEN_BEFORE,
    SEEN_AFTER,
    SEEN_SAME,  /* as before and after, which are the same: the definition tells nothing */
    SEEN_OTHER, /* neither, or some tables so and some so */
} Seen;

Err *definition_digest(const EngineOps *ops, Conn *conn, const Wait *wait, Arena *arena, const Name *table,
                       const char **ret_text, const char **ret_digest)
{
    TRY(ops->definition(conn, wait, arena, table->schema, table->name, ret_text));
    *ret_digest = *ret_text == NULL ? NULL : digest_text(arena, *ret_text, strlen(*ret_text));
    return NULL;
}

/* *ret_where is the first table that stands neither here nor there; NULL. */
static Err *see(const Alter *alter, Seen *ret_seen, const Name **ret_where)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(alter->runner);
    size_t before = 0, after = 0, told = 0;
    *ret_where = NULL;
    for (size_t i = 0; i < alter->step->look_count; i++) {
        const StepLook *look = &alter->step->looks[i];
        const char *text = NULL, *now = NULL, *from = alter->undo ? look->after : look->before;
        const char *to = alter->undo ? look->before : look->after;
        TRY(definition_digest(alter->runner->ops, alter->runner->conn, &wait, arena, &look->table, &text,
                              &now));
        bool is_from = str_eq(now, from), is_to = str_eq(now, to);
        if (!is_from && !is_to && *ret_where == NULL)
            *ret_where = &look->table;
        if (str_eq(from, to))
            continue;
        told++;
        before += is_from;
        after += is_to;
    }
    *ret_seen = *ret_where != NULL ? SEEN_OTHER
                : told == 0        ? SEEN_SAME
                : before == told   ? SEEN_BEFORE
                : after == told    ? SEEN_AFTER
                                   : SEEN_OTHER;
    return NULL;
}

static Err *ambiguous(const Alter *alter, const Name *where)
{
    const Name *table = where != NULL ? where : &alter->step->looks[0].table;
    return err_hint(
        err_new(ERR_AMBIGUOUS,
                "table \"%s\" is neither as it was planned to be before step %d (%s) nor behind it: "
                "somebody else has changed it",
                table->name, alter->step->ordinal, alter->step->title),
        "look at it: SHOW CREATE TABLE `%s`.`%s`; bring it back to what it was, then go on: stoa "
        "resume %s",
        table->schema, table->name, alter->runner->name);
}

static Err *finished(const Alter *alter)
{
    Runner *runner = alter->runner;
    TRY(failpoint_at("alter_after"));
    if (alter->undo)
        return journal_step(runner->conn, runner->change_id, alter->step->ordinal, "undone", NULL);
    return journal_step_done(runner->conn, &runner->lease, runner->change_id, alter->step->ordinal);
}

/* ---- who is in the way ------------------------------------------------------------------------------------
 */

/* Holders that are only guessed at are named, and hold nothing up. */
static size_t known_first(Blocker *blockers, size_t count)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        if (!blockers[i].guessed) {
            Blocker kept = blockers[known];
            blockers[known++] = blockers[i];
            blockers[i] = kept;
        }
    return known;
}

static void show_waiting(Runner *runner, const char *text)
{
    pthread_mutex_lock(&runner->control.lock);
    (void)snprintf(runner->control.waiting_for, sizeof runner->control.waiting_for, "%s", text);
    pthread_mutex_unlock(&runner->control.lock);
}

/* *ret_long: an attempt that waits would wait for somebody who has been there for long already. */
static Err *holders_of(Alter *alter, Arena *arena, const Name *table, bool *ret_long, bool *ret_named)
{
    Runner *runner = alter->runner;
    Wait wait = runner_wait(runner);
    int64_t patience_ms = control_settings(runner).max_stall_ms / 2;
    char who[BLOCKERS_TEXT_BYTES];
    Blocker *blockers = NULL;
    size_t count = 0;
    TRY(runner->ops->holders(runner->conn, &wait, arena, table->schema, table->name, &blockers, &count));
    size_t known = known_first(blockers, count);
    *ret_long = blockers_text(blockers, known, patience_ms, who);
    *ret_named = *ret_long || blockers_text(blockers, count, patience_ms, who);
    if (*ret_named)
        (void)snprintf(alter->blocked_by, sizeof alter->blocked_by, "%s", who);
    if (!*ret_named || (alter->said_at_ms != 0 && clock_ms() - alter->said_at_ms <= BLOCKER_SAID_EVERY_MS))
        return NULL;
    alter->said_at_ms = clock_ms();
    runner_event(runner, "lock_blocked", alter->step->ordinal, NULL, "waiting for a lock on %s.%s: %s",
                 table->schema, table->name, who);
    return NULL;
}

/* A replica carries the statement out as well, and its readers queue behind it. */
static Err *look_at_standbys(Alter *alter, StandbyFound *ret_found)
{
    Runner *runner = alter->runner;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    size_t count = alter->step->look_count;
    Name *names = arena_alloc(arena, (count + 1) * sizeof *names);
    char who[BLOCKERS_TEXT_BYTES] = "";
    for (size_t i = 0; i < count; i++)
        names[i] = alter->step->looks[i].table;
    TRY(standby_look(runner,
                     &(StandbyAsk){.names = names, .name_count = count, .tries = alter->standby_tries},
                     ret_found, who));
    alter->standby_tries += *ret_found != STANDBY_FREE;
    if (*ret_found != STANDBY_HELD)
        return NULL;
    (void)snprintf(alter->blocked_by, sizeof alter->blocked_by, "%s", who);
    show_waiting(runner, who);
    if (alter->said_at_ms != 0 && clock_ms() - alter->said_at_ms <= BLOCKER_SAID_EVERY_MS)
        return NULL;
    alter->said_at_ms = clock_ms();
    runner_event(runner, "lock_blocked", alter->step->ordinal, NULL, "waiting for a lock on %s.%s: %s",
                 alter->table.schema, alter->table.name, who);
    return NULL;
}

/* Of all tables that the statement is about, until one is held for long. */
static Err *look_at_holders(Alter *alter, bool *ret_long)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    bool named = false, any = false;
    *ret_long = false;
    for (size_t i = 0; i < alter->step->look_count && !*ret_long; i++) {
        TRY(holders_of(alter, arena, &alter->step->looks[i].table, ret_long, &named));
        any = any || named;
    }
    show_waiting(alter->runner, any ? alter->blocked_by : "");
    return NULL;
}

/* ---- attempts ---------------------------------------------------------------------------------------------
 */

/* What takes long needs the lock again at its end: not to wait for it then would lose it every time. */
static bool is_build(const Alter *alter)
{
    return alter->step->timeout == TIMEOUT_WATCHDOG || alter->step->rewrites || alter->step->scans;
}

/* It works under a lock that stops writers: planned for a table so small that nobody notices. */
static bool stops_writers(const Alter *alter)
{
    return !alter->undo && alter->step->scans && alter->step->timeout == TIMEOUT_LOCK;
}

/* The server refused what it did: rows stand against it. */
static Err *told_apart(Err *err)
{
    if (err != NULL && err->kind == ERR_SQL && str_starts(err->sqlstate, "23"))
        err->kind = ERR_VERIFY;
    return err;
}

static Err *lost_too_often(const Alter *alter)
{
    if (stops_writers(alter))
        return err_hint(err_new(ERR_LOCK_BUDGET,
                                "\"%s\" could not be changed within --max-stall in %d attempts: writers wait "
                                "while the server copies the table%s%s",
                                alter->table.name, alter->lost_builds,
                                alter->blocked_by[0] != '\0' ? ", and it for " : "", alter->blocked_by),
                        "has it grown? plan again, or apply with a longer --max-stall");
    return err_hint(err_new(ERR_LOCK_BUDGET,
                            "the finished work on \"%s\" was lost %d times: its last lock would "
                            "have made the application wait longer than --max-stall%s%s",
                            alter->table.name, alter->lost_builds,
                            alter->blocked_by[0] != '\0' ? ", for " : "", alter->blocked_by),
                    "apply again at a quieter time, or with a longer --max-stall");
}

/* What became of it is looked at by the caller, whatever this says. */
static Err *attempt(Alter *alter, bool queue, AlterResult *ret_result)
{
    Runner *runner = alter->runner;
    Controls controls = control_settings(runner);
    Wait wait = {.stop = runner->options->stop};
    AlterRequest request = {.sql = alter->sql,
                            .schema = alter->table.schema,
                            .table = alter->table.name,
                            .stall_ms = controls.max_stall_ms / 2 > 0 ? controls.max_stall_ms / 2 : 1,
                            .work_ms = stops_writers(alter) ? (controls.max_stall_ms * 3 + 3) / 4
                                                            : 0, /* and undone */
                            .queue = queue,
                            .as_written = alter->step->as_written && !alter->undo,
                            .unchecked = alter->step->unchecked && !alter->undo,
                            .gentle = clock_ms() < alter->gentle_until_ms};
    TRY(lease_prove(runner));
    TRY(failpoint_at("alter_before"));
    control_long_begin(runner);
    Err *err = runner->ops->alter(runner->conn, &runner->options->target, &wait, &request, ret_result);
    (void)control_long_end(runner);
    TRY(told_apart(err));
    tally_add(&runner->tally, alter->step->ordinal, "locks", ret_result->done ? "acquired" : "timeout", 1);
    tally_time(&runner->tally, alter->step->ordinal, "lock_wait_s", ret_result->waited_ms * 1000);
    alter->not_before_ms = clock_ms() + ret_result->waited_ms * STALL_SHARE;
    bool lost = ret_result->built && is_build(alter);
    alter->lost_builds += lost;
    if (lost)
        runner_event(runner, "build_lost", alter->step->ordinal, NULL,
                     ret_result->slow ? "cut off after %.1f s, since writers waited: it begins anew"
                                      : "cut off at its last lock, after %.1f s of work: it begins anew",
                     (double)ret_result->ran_ms / 1000);
    return NULL;
}

/* The next attempt that may be made now; *ret_tried tells whether there was one. */
static Err *next_attempt(Alter *alter, bool *ret_tried, AlterResult *ret_result)
{
    bool blocked = false, paid = clock_ms() >= alter->not_before_ms;
    bool gentle = clock_ms() < alter->gentle_until_ms, queue = is_build(alter) || !gentle;
    *ret_tried = false;
    *ret_result = (AlterResult){0};
    StandbyFound found = STANDBY_FREE;
    TRY(look_at_standbys(alter, &found));
    if (found != STANDBY_FREE) {
        stop_sleep(alter->runner->options->stop, found == STANDBY_HELD ? BLOCKED_PAUSE_MS : NOWAIT_PAUSE_MS);
        return NULL;
    }
    bool may_wait = queue || !alter->runner->server.has_no_wait;
    if (may_wait || alter->tries % LOOK_EVERY == 6)
        TRY(look_at_holders(alter, &blocked));
    if (may_wait && (blocked || !paid)) {
        queue = false;
        if (!alter->runner->server.has_no_wait || is_build(alter)) {
            stop_sleep(alter->runner->options->stop, BLOCKED_PAUSE_MS);
            return NULL;
        }
    }
    alter->tries++;
    *ret_tried = true;
    TRY(attempt(alter, queue, ret_result));
    if (!gentle)
        alter->gentle_until_ms = clock_ms() + lock_gentle_ms(alter->runner);
    return NULL;
}

static Err *budget_used(const Alter *alter, int64_t lock_wait_ms)
{
    char text[UNIT_TEXT_BYTES];
    Err *err = err_new(ERR_LOCK_BUDGET, "no lock on \"%s\" within %s%s%s", alter->table.name,
                       unit_duration_text(lock_wait_ms, text),
                       alter->blocked_by[0] != '\0' ? ": blocked by " : "", alter->blocked_by);
    return err_hint(
        err, "end or wait for the blocking session, then apply again; or raise --lock-wait or --max-stall");
}

/* Until the definition is the one behind the statement. */
static Err *carry_out(Alter *alter)
{
    Runner *runner = alter->runner;
    int64_t from = runner_clock_ms(runner);
    alter->gentle_until_ms = clock_ms() + lock_gentle_ms(runner);
    for (;;) {
        const Name *where = NULL;
        Seen seen = SEEN_OTHER;
        bool tried = false;
        AlterResult result = {0};
        TRY(control_gate(runner));
        TRY(see(alter, &seen, &where));
        if (seen == SEEN_AFTER)
            return finished(alter);
        if (seen == SEEN_OTHER)
            return ambiguous(alter, where);
        Err *err = next_attempt(alter, &tried, &result);
        if (err == NULL && result.done && seen == SEEN_SAME)
            return finished(alter);
        if (err != NULL && err->kind != ERR_CONN_LOST && err->kind != ERR_STOPPED) {
            Err *look = see(alter, &seen, &where); /* it may have happened all the same */
            bool happened = look == NULL && seen == SEEN_AFTER;
            err_free(look);
            if (happened) {
                err_free(err);
                return finished(alter);
            }
        }
        TRY(err);
        int64_t lock_wait_ms = control_settings(runner).lock_wait_ms;
        if (alter->lost_builds >= LOST_BUILDS_MAX)
            return lost_too_often(alter);
        if (!result.done && runner_clock_ms(runner) - from >= lock_wait_ms) {
            bool blocked = false;
            StandbyFound found = STANDBY_FREE;
            TRY(look_at_standbys(alter, &found));
            if (found == STANDBY_FREE)
                TRY(look_at_holders(alter, &blocked));
            return budget_used(alter, lock_wait_ms);
        }
        if (tried && !result.done)
            stop_sleep(runner->options->stop, NOWAIT_PAUSE_MS + random() % NOWAIT_PAUSE_MS);
    }
}

static Err *run(Runner *runner, const Step *step, bool undo)
{
    size_t count = undo ? step->undo_count : step->sql_count;
    if (undo && count == 0)
        return journal_step(runner->conn, runner->change_id, step->ordinal, "undone", NULL);
    if (runner->ops->alter == NULL || runner->ops->holders == NULL || runner->ops->definition == NULL ||
        count != 1 || step->look_count == 0)
        return err_new(ERR_BUG, "step %d is none that this server's engine can carry out", step->ordinal);
    Alter alter = {.runner = runner,
                   .step = step,
                   .undo = undo,
                   .sql = undo ? step->undo[0] : step->sql[0],
                   .table = step->table.name != NULL ? step->table : step->looks[0].table};
    Err *err = carry_out(&alter);
    show_waiting(runner, "");
    runner->progress_marks += err == NULL;
    return err;
}

Err *alter_run(Runner *runner, const Step *step) { return run(runner, step, false); }
Err *alter_undo(Runner *runner, const Step *step) { return run(runner, step, true); }
