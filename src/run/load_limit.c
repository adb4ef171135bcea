/* Limits of a server's load signals. */
#include "run/load_limit.h"

#include "base/clock.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUND_MS = 1000 };

static Err *not_a_limit(const EngineOps *ops, const char *text)
{
    CLEANUP(str_donep) Str names = STR_INIT;
    for (size_t i = 0; i < ops->load_signal_count; i++) {
        str_sep(&names, ", ");
        str_add(&names, ops->load_signals[i].name);
    }
    if (ops->load_signal_count == 0)
        return err_hint(err_new(ERR_USAGE, "there is no such signal on this kind of server"), "leave it out");
    return err_hint(err_new(ERR_USAGE, "\"%s\" is no limit of a signal", text),
                    "NAME=NUMBER, or NAME=off, of %s", names.buf);
}

Err *load_limit_parse(const EngineOps *ops, const char *text, double *limits)
{
    const char *equals = strchr(text, '=');
    for (size_t i = 0; equals != NULL && i < ops->load_signal_count; i++) {
        const char *name = ops->load_signals[i].name;
        if (strlen(name) != (size_t)(equals - text) || strncmp(name, text, strlen(name)) != 0)
            continue;
        char *end = NULL;
        double limit = str_eq(equals + 1, "off") ? LIMIT_OFF : strtod(equals + 1, &end);
        bool number = end == NULL || (end != equals + 1 && *end == '\0');
        if (!number || !isfinite(limit) || limit < 0)
            break;
        limits[i] = limit;
        return NULL;
    }
    return not_a_limit(ops, text);
}

/* Optional grants stay optional while nobody relies on the signal. */
static bool is_blind(const LoadSample *sample, size_t at, bool given)
{
    return sample->state[at] == SIGNAL_UNREADABLE || (sample->state[at] == SIGNAL_FORBIDDEN && given);
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
        Signal *signal = signal_tell(signals, load->name, "");
        if (signal == NULL)
            continue;
        signal->critical = given_critical ? controls->critical_limits[i] : LIMIT_OFF;
        if (sample->state[i] == SIGNAL_READ)
            signal_value(signal, sample->value[i], limit, sample->at_ms, "%s is %.12g (--max-load %s=%.12g)",
                         load->title, round(sample->value[i] * 1000) / 1000, load->name, limit);
        else
            signal_missing(signal, sample->at_ms, "%s: no sample (%s)", load->title,
                           sample->why[i] != NULL ? sample->why[i] : "the server does not tell it");
    }
}

Err *load_watch(Conn *conn, const Wait *wait, Arena *arena, const Controls *controls, LoadWatch *watch,
                Signals *signals)
{
    const EngineOps *ops = conn->ops;
    if (ops->load == NULL)
        return NULL;
    if (watch->sample.at_ms != 0 && clock_ms() - watch->sample.at_ms < ROUND_MS) {
        for (size_t i = 0; i < ops->load_signal_count; i++)
            signal_keep(signals, ops->load_signals[i].name);
        return NULL;
    }
    watch->sample.wanted = 0;
    for (size_t i = 0; i < ops->load_signal_count; i++) {
        double limit =
            controls->load_limits[i] >= 0 ? controls->load_limits[i] : ops->load_signals[i].usual_limit;
        if (limit < LIMIT_OFF || controls->critical_limits[i] >= 0)
            watch->sample.wanted |= 1U << i;
    }
    TRY(ops->load(conn, wait, arena, &watch->sample));
    load_limit_tell(ops, controls, &watch->sample, signals);
    return NULL;
}
