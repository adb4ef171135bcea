/* Values against limits, with some patience. */
#include "run/signal.h"

#include "base/str.h"

#include <stdarg.h>
#include <string.h>

void signals_begin(Signals *signals)
{
    for (size_t i = 0; i < signals->count; i++)
        signals->items[i].told = signals->items[i].alarms = false;
}

void signals_end(Signals *signals)
{
    size_t kept = 0;
    for (size_t i = 0; i < signals->count; i++)
        if (signals->items[i].told)
            signals->items[kept++] = signals->items[i];
    signals->count = kept;
}

Signal *signal_tell(Signals *signals, const char *name, const char *target)
{
    Signal fresh = {.limit = LIMIT_OFF, .critical = LIMIT_OFF, .told = true};
    (void)snprintf(fresh.name, sizeof fresh.name, "%s", name);
    (void)snprintf(fresh.target, sizeof fresh.target, "%s", target);
    for (size_t i = 0; i < signals->count; i++) {
        Signal *signal = &signals->items[i];
        if (str_eq(signal->name, fresh.name) && str_eq(signal->target, fresh.target)) {
            signal->told = true;
            return signal;
        }
    }
    if (signals->count == SIGNALS_MAX)
        return NULL;
    signals->items[signals->count] = fresh;
    return &signals->items[signals->count++];
}

void signal_keep(Signals *signals, const char *name)
{
    for (size_t i = 0; i < signals->count; i++)
        if (str_eq(signals->items[i].name, name))
            signals->items[i].told = true;
}

static bool is_past(const Signal *signal, double limit)
{
    return signal->minimum ? signal->value < limit : signal->value > limit;
}

/* Past its limit it holds; else it lets go once it is far enough from it, or has been for long enough. */
static bool still_holds(const Signal *signal, int64_t now_ms)
{
    if (is_past(signal, signal->limit))
        return true;
    double near = signal->minimum ? signal->limit / SIGNAL_RELEASE : signal->limit * SIGNAL_RELEASE;
    return signal->holds && is_past(signal, near) && now_ms - signal->calm_ms < SIGNAL_SETTLE_MS;
}

void signal_value(Signal *signal, double value, double limit, int64_t now_ms, const char *fmt, ...)
{
    if (signal == NULL)
        return;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(signal->text, sizeof signal->text, fmt, args);
    va_end(args);
    signal->known = true;
    signal->value = value;
    signal->limit = limit;
    signal->read_ms = now_ms;
    if (is_past(signal, limit))
        signal->calm_ms = 0;
    else if (signal->calm_ms == 0)
        signal->calm_ms = now_ms;
    signal->holds = still_holds(signal, now_ms);
    signal->alarms = signal->critical < LIMIT_OFF && is_past(signal, signal->critical);
}

void signal_missing(Signal *signal, int64_t now_ms, const char *fmt, ...)
{
    if (signal == NULL)
        return;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(signal->text, sizeof signal->text, fmt, args);
    va_end(args);
    signal->known = signal->alarms = false;
    signal->holds = true;
    signal->read_ms = now_ms;
    signal->calm_ms = 0;
}

const Signal *signals_holder(const Signals *signals)
{
    for (size_t i = 0; i < signals->count; i++)
        if (signals->items[i].holds)
            return &signals->items[i];
    return NULL;
}

const Signal *signals_alarm(const Signals *signals)
{
    for (size_t i = 0; i < signals->count; i++)
        if (signals->items[i].alarms)
            return &signals->items[i];
    return NULL;
}

static json_t *limit_json(double limit) { return limit >= LIMIT_OFF ? json_null() : json_real(limit); }

json_t *signals_json(const Signals *signals, int64_t now_ms)
{
    json_t *list = json_array();
    for (size_t i = 0; i < signals->count; i++) {
        const Signal *signal = &signals->items[i];
        (void)json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:o, s:o, s:o, s:b, s:b, s:s, s:I}", "name", signal->name, "target",
                      signal->target, "value", signal->known ? json_real(signal->value) : json_null(),
                      "limit", limit_json(signal->limit), "critical", limit_json(signal->critical), "minimum",
                      (int)signal->minimum, "holds", (int)signal->holds, "text",
                      signal->holds ? signal->text : "", "age_ms", (json_int_t)(now_ms - signal->read_ms)));
    }
    return list;
}
