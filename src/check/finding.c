/* Names and order of what check reports. */
#include "check/rule.h"

#include "base/str.h"

#include <string.h>

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

int finding_compare(const void *a, const void *b)
{
    const Finding *one = a, *two = b;
    if (one->order != two->order)
        return one->order < two->order ? -1 : 1;
    if (one->start != two->start)
        return one->start < two->start ? -1 : 1;
    if (one->severity != two->severity)
        return one->severity > two->severity ? -1 : 1;
    return strcmp(one->rule->id, two->rule->id);
}
