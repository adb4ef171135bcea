/* Limits of a server's load signals. */
#include "run/load_limit.h"

#include "base/clock.h"
#include "base/str.h"
#include "run/canary.h"
#include "run/runner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUND_MS = 1000, SHOWN_STATEMENTS = 10 };

static const char of_one[] = "statement-latency";

static Err *not_a_limit(const EngineOps *ops, const char *text, bool critical)
{
    CLEANUP(str_donep) Str names = STR_INIT;
    for (size_t i = 0; i < ops->load_signal_count; i++) {
        if (!critical && ops->load_signals[i].limited_by != NULL)
            continue;
        str_sep(&names, ", ");
        str_add(&names, ops->load_signals[i].name);
    }
    if (ops->load_signal_count == 0)
        return err_hint(err_new(ERR_USAGE, "there is no such signal on this kind of server"), "leave it out");
    return err_hint(err_new(ERR_USAGE, "\"%s\" is no limit of a signal", text),
                    "NAME=NUMBER, or NAME=off, of %s", names.buf);
}

Err *load_limit_parse(const EngineOps *ops, const char *text, bool critical, double *limits)
{
    const char *equals = strchr(text, '=');
    for (size_t i = 0; equals != NULL && i < ops->load_signal_count; i++) {
        const char *name = ops->load_signals[i].name;
        if (strlen(name) != (size_t)(equals - text) || strncmp(name, text, strlen(name)) != 0)
            continue;
        char *end = NULL;
        double limit = str_eq(equals + 1, "off") ? LIMIT_OFF : strtod(equals + 1, &end);
        if (!critical && ops->load_signals[i].limited_by != NULL)
            return err_hint(err_new(ERR_USAGE, "\"%s\" has an option of its own", name), "%s",
                            ops->load_signals[i].limited_by);
        bool number = end == NULL || (end != equals + 1 && *end == '\0');
        if (!number || !isfinite(limit) || limit < 0)
            break;
        limits[i] = limit;
        return NULL;
    }
    return not_a_limit(ops, text, critical);
}

/* Optional grants stay optional while nobody relies on the signal. */
static bool is_blind(const LoadSample *sample, size_t at, bool given)
{
    return sample->state[at] == SIGNAL_UNREADABLE || (sample->state[at] == SIGNAL_FORBIDDEN && given);
}

/* Of those that were called most in the last window, by the numbers under which the server counts them: a
 * queryid, or the beginning of a digest. */
static void tell_statements(const EngineOps *ops, const LoadSample *sample, Signals *signals)
{
    double most = HUGE_VAL, next = 0;
    for (int told = 0; told < SHOWN_STATEMENTS; most = next) {
        next = 0;
        for (size_t i = 0; i < sample->statement_count; i++)
            if (sample->statements[i].recent < most)
                next = fmax(next, sample->statements[i].recent);
        for (size_t i = 0; next > 0 && i < sample->statement_count && told < SHOWN_STATEMENTS; i++) {
            const LoadStatement *statement = &sample->statements[i];
            if (statement->recent < next || statement->recent > next)
                continue;
            char id[24];
            (void)snprintf(id, sizeof id, ops->dialect == DIALECT_POSTGRES ? "%lld" : "%015llx",
                           (long long)statement->id);
            Signal *signal = signal_tell(signals, of_one, id);
            if (signal != NULL)
                signal_value(signal, statement->ratio, LIMIT_OFF, sample->at_ms, "%s", "");
            told++;
        }
        if (next <= 0)
            return;
    }
}

void load_limit_tell(const EngineOps *ops, const Controls *controls, const LoadSample *sample,
                     Signals *signals)
{
    for (size_t i = 0; i < ops->load_signal_count; i++) {
        const LoadSignal *load = &ops->load_signals[i];
        bool given = controls->load_limits[i] >= 0, given_critical = controls->critical_limits[i] >= 0;
        double limit = given ? controls->load_limits[i] : load->usual_limit;
        bool off = limit >= LIMIT_OFF && !given_critical,
             blind = is_blind(sample, i, given || given_critical);
        if (sample->state[i] != SIGNAL_READ && (off || !blind))
            continue;
        const char *source = sample->source[i];
        Signal *signal = signal_tell(signals, load->name, source != NULL ? source : "");
        if (signal == NULL)
            continue;
        signal->critical = given_critical ? controls->critical_limits[i] : LIMIT_OFF;
        if (sample->state[i] == SIGNAL_READ && source != NULL)
            signal_value(signal, sample->value[i], limit, sample->at_ms,
                         "the time of our own %s, against before, is %.12g (--max-load %s=%.12g)", source,
                         round(sample->value[i] * 1000) / 1000, load->name, limit);
        else if (sample->state[i] == SIGNAL_READ)
            signal_value(signal, sample->value[i], limit, sample->at_ms, "%s is %.12g (--max-load %s=%.12g)",
                         load->title, round(sample->value[i] * 1000) / 1000, load->name, limit);
        else
            signal_missing(signal, sample->at_ms, "%s: no sample (%s)", load->title,
                           sample->why[i] != NULL ? sample->why[i] : "the server does not tell it");
        if (str_eq(load->name, "latency") && sample->state[i] == SIGNAL_READ && source == NULL)
            tell_statements(ops, sample, signals);
    }
}

void load_limit_one(const EngineOps *ops, const Controls *controls, const char *name, const char *target,
                    double value, int64_t now_ms, Signals *signals)
{
    for (size_t i = 0; i < ops->load_signal_count; i++) {
        const LoadSignal *load = &ops->load_signals[i];
        double limit = controls->load_limits[i] >= 0 ? controls->load_limits[i] : load->usual_limit;
        if (!str_eq(load->name, name))
            continue;
        Signal *signal = signal_tell(signals, name, target);
        if (signal == NULL)
            return;
        signal->critical = controls->critical_limits[i] >= 0 ? controls->critical_limits[i] : LIMIT_OFF;
        signal_value(signal, value, limit, now_ms, "%s on %s is %.12g (--max-load %s=%.12g)", load->title,
                     target, value, name, limit);
    }
}

/* The row of that name; their number where there is none. */
static size_t row_of(const EngineOps *ops, const char *name)
{
    size_t at = 0;
    while (at < ops->load_signal_count && !str_eq(ops->load_signals[at].name, name))
        at++;
    return at;
}

double load_limit_critical(const EngineOps *ops, const Controls *controls, const char *name)
{
    size_t at = row_of(ops, name);
    bool given = at < ops->load_signal_count && controls->critical_limits[at] >= 0;
    return given ? controls->critical_limits[at] : LIMIT_OFF;
}

/* Where the server counts no statements, and somebody wants to know how long they take. */
static Err *ask_canary(const Runner *runner, Arena *arena, size_t at, LoadWatch *watch)
{
    LoadSample *sample = &watch->sample;
    watch->counted_state = sample->state[at];
    watch->counted = sample->value[at];
    if ((sample->wanted & 1U << at) == 0 || sample->state[at] == SIGNAL_READ || runner->ops->canary == NULL) {
        load_done(watch);
        return NULL;
    }
    if (watch->canary == NULL)
        TRY(canary_start(runner, &watch->canary));
    CanarySeen seen = canary_seen(watch->canary);
    const char *text = arena_dup(arena, seen.text);
    sample->state[at] = seen.known ? SIGNAL_READ : SIGNAL_UNREADABLE;
    sample->value[at] = seen.ratio;
    sample->source[at] = seen.known ? text : NULL;
    sample->why[at] = seen.known ? NULL : text;
    return NULL;
}

/* The server is not asked for all of it in each round, so it finds what it said last. */
static Err *ask_server(const Runner *runner, Conn *conn, Arena *arena, LoadWatch *watch)
{
    const EngineOps *ops = conn->ops;
    const Wait wait = {.timeout_ms = CONTROL_TIMEOUT_MS};
    LoadSample *sample = &watch->sample;
    size_t latency = row_of(ops, "latency");
    if (latency < ops->load_signal_count) {
        sample->state[latency] = watch->counted_state;
        sample->value[latency] = watch->counted;
        sample->source[latency] = NULL;
    }
    TRY(ops->load(conn, &wait, arena, sample));
    return latency < ops->load_signal_count ? ask_canary(runner, arena, latency, watch) : NULL;
}

void load_done(LoadWatch *watch)
{
    canary_free(watch->canary);
    watch->canary = NULL;
}

Err *load_watch(const Runner *runner, Conn *conn, Arena *arena, const Controls *controls, LoadWatch *watch,
                Signals *signals)
{
    const EngineOps *ops = conn->ops;
    if (ops->load == NULL)
        return NULL;
    if (watch->sample.at_ms != 0 && clock_ms() - watch->sample.at_ms < ROUND_MS) {
        for (size_t i = 0; i < ops->load_signal_count; i++)
            signal_keep(signals, ops->load_signals[i].name);
        signal_keep(signals, of_one);
        return NULL;
    }
    watch->sample.wanted = 0;
    for (size_t i = 0; i < ops->load_signal_count; i++) {
        double limit =
            controls->load_limits[i] >= 0 ? controls->load_limits[i] : ops->load_signals[i].usual_limit;
        if (limit < LIMIT_OFF || controls->critical_limits[i] >= 0)
            watch->sample.wanted |= 1U << i;
    }
    TRY(ask_server(runner, conn, arena, watch));
    load_limit_tell(ops, controls, &watch->sample, signals);
    return NULL;
}
