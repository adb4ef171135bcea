/* Spans for traces, told to the observer. */
#include "run/runner.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/my_server.h"

static const char *engine_of(const Server *server)
{
    return server->my != NULL && server->my->mariadb ? "mariadb" : server->engine;
}

static TraceSpan span_of(const Runner *runner)
{
    return (TraceSpan){.change = runner->name,
                       .change_digest = runner->plan.change_digest,
                       .database = runner->server.database,
                       .engine = engine_of(&runner->server),
                       .change_id = runner->change_id,
                       .to_us = clock_wall_us(),
                       .rows = -1};
}

void span_step(Runner *runner, const Step *step, int64_t from_us, int64_t rested_ms, const Err *err)
{
    const Observer *observer = &runner->options->observer;
    Tally *tally = &runner->tally;
    bool fills = step->kind == STEP_BACKFILL || step->kind == STEP_COPY;
    if (observer->span == NULL)
        return;
    TraceSpan span = span_of(runner);
    CLEANUP(arena_freep) Arena *arena = arena_new();
    span.step = step->ordinal;
    span.title = step->title;
    span.phase = phase_name(step->phase);
    span.kind = step_kinds[step->kind].name;
    span.table =
        step->table.name == NULL ? "" : runner->ops->quote(arena, step->table.schema, step->table.name);
    span.lock = step->lock == NULL ? "" : step->lock;
    span.from_us = from_us;
    span.rows = fills ? tally_value(tally, step->ordinal, "sums", "rows") : -1;
    span.locks_acquired = tally_value(tally, step->ordinal, "locks", "acquired");
    span.locks_timed_out = tally_value(tally, step->ordinal, "locks", "timeout");
    span.rested_ms = runner->rested_ms - rested_ms;
    span.failed = err == NULL ? NULL : err->msg;
    observer->span(observer->context, &span);
}

void span_ready(Runner *runner)
{
    const Observer *observer = &runner->options->observer;
    Wait wait = journal_wait();
    Rows rows = {0};
    if (observer->span == NULL)
        return;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Err *err = conn_params(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_CREATED),
                           arena_printf(arena, "%lld", (long long)runner->change_id));
    TraceSpan span = span_of(runner);
    span.from_us = err == NULL && rows.row_count > 0 ? rows_int(&rows, 0, 0) : span.to_us;
    err_free(err);
    observer->span(observer->context, &span);
}
