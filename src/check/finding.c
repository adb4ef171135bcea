/* Names of what check reports. */
#include "check/finding.h"

#include "base/str.h"

static const char *const severities[SEVERITY_COUNT] = {"off", "note", "warn", "block"};

const char *severity_name(Severity severity) { return severities[severity]; }

Severity severity_of(const char *name)
{
    for (int i = 0; i < SEVERITY_COUNT; i++)
        if (str_eq(severities[i], name))
            return (Severity)i;
    return SEVERITY_COUNT;
}

const char *cost_name(Cost cost)
{
    static const char *const names[] = {"none", "scan",    "build", "rewrite",
                                        "copy", "rebuild", "rows",  "content"};
    return names[cost];
}
