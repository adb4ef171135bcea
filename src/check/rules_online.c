/* Rules that only a server can speak of: what it did on an empty copy, and what stands in its tables. */
#include "check/rule.h"

/* Spoken by weigh.c. */
static bool never(RuleCall *call UNUSED) { return false; }

static const Rule rules[] = {
    {.id = "measured-rewrite",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_ALL,
     .match = never,
     .message = "the server writes the whole table anew",
     .why = "No rule has foreseen it, but on an empty copy the table got new storage. On one with rows that "
            "takes as "
            "long as copying it."},
    {.id = "measured-scan",
     .severity = SEVERITY_BLOCK,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .match = never,
     .message = "the server reads the whole table under a lock that stops writers",
     .why = "No rule has foreseen it, but on an empty copy the table was read from end to end."},
    {.id = "measured-lock",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .match = never,
     .message = "the server takes a lock that stops writers",
     .why = "No rule has foreseen it. While the lock is waited for, everybody behind it waits: a "
            "lock_timeout, and "
            "trying again, keep that short."},
    {.id = "measured-refused",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .match = never,
     .on_new = true,
     .message = "the server refuses the statement",
     .why = "It was tried on an empty copy of the tables, with what stands before it in the files. Where "
            "something is "
            "there already, the file may have been applied."},
    {.id = "measured-duplicates",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .match = never,
     .message = "values stand in the table more than once: the statement fails",
     .why = "A unique index over them cannot be built. The rows were looked at when the check ran; clean "
            "them first, and "
            "keep new ones out."},
    {.id = "row-versions-left",
     .severity = SEVERITY_WARN,
     .engines = RULE_MY,
     .match = never,
     .message = "few instant changes are left",
     .why = "MySQL keeps 64 (from 9.1 on 255) versions of a row; then ALGORITHM=INSTANT fails, and the next "
            "change "
            "writes the table anew. OPTIMIZE TABLE, or any rebuild, begins to count again."},
};

const RulePage rules_online = {"What a server says (--url)", rules, ARRAY_LEN(rules)};
