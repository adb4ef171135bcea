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
        return err_hint(err_new(ERR_USAGE, "--max-load: there is no such signal on this kind of server"),
                        "leave it out");
    return err_hint(err_new(ERR_USAGE, "--max-load: \"%s\" is no limit of a signal", text),
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
        double limit = str_eq(equals + 1, "off") ? LOAD_LIMIT_OFF : strtod(equals + 1, &end);
        bool number = end == NULL || (end != equals + 1 && *end == '\0');
        if (!number || !isfinite(limit) || limit < 0)
            break;
        limits[i] = limit;
        return NULL;
    }
    return not_a_limit(ops, text);
}

bool load_limit_passed(const EngineOps *ops, const double *limits, const LoadSample *sample, char *ret_text)
{
    for (size_t i = 0; i < ops->load_signal_count; i++) {
        const LoadSignal *signal = &ops->load_signals[i];
        double limit = limits[i] >= 0 ? limits[i] : signal->usual_limit;
        bool off = limit >= LOAD_LIMIT_OFF, blind = sample->state[i] == SIGNAL_UNREADABLE;
        /* Optional grants stay optional while nobody relies on the signal. */
        blind = blind || (sample->state[i] == SIGNAL_FORBIDDEN && limits[i] >= 0);
        if (!off && blind)
            (void)snprintf(ret_text, THROTTLE_BYTES, "%s: no sample (%s)", signal->title,
                           sample->why[i] != NULL ? sample->why[i] : "the server does not tell it");
        else if (!off && sample->state[i] == SIGNAL_READ && sample->value[i] > limit)
            (void)snprintf(ret_text, THROTTLE_BYTES, "%s is %.12g (--max-load %s=%.12g)", signal->title,
                           round(sample->value[i] * 1000) / 1000, signal->name, limit);
        else
            continue;
        return true;
    }
    return false;
}

Err *load_watch(Conn *conn, const Wait *wait, Arena *arena, const double *limits, LoadWatch *watch,
                char *ret_text)
{
    const EngineOps *ops = conn->ops;
    if (ops->load == NULL)
        return NULL;
    if (watch->sample.at_ms == 0 || clock_ms() - watch->sample.at_ms >= ROUND_MS) {
        watch->passed[0] = '\0';
        TRY(ops->load(conn, wait, arena, &watch->sample));
        (void)load_limit_passed(ops, limits, &watch->sample, watch->passed);
    }
    memcpy(ret_text, watch->passed, THROTTLE_BYTES);
    return NULL;
}
