/* Rules about what cannot be judged, and what check says of comments and folders. */
#include "base/str.h"
#include "check/rule.h"

#include <string.h>

static bool has(const RuleCall *call, unsigned flag) { return (call->act->flags & flag) != 0; }

/* Words of the versions up to the parser's own. */
static const struct {
    ActKind kind;
    unsigned flag; /* one that the act has to have; 0 */
    int since;
} words[] = {
    {ACT_SET_ACCESS_METHOD, 0, 150000},
    {ACT_DETACH, ACT_CONCURRENTLY, 140000},
    {ACT_DETACH, ACT_FINALIZE, 140000},
    {ACT_REINDEX, ACT_CONCURRENTLY, 120000},
};

static int since_of(const Act *act)
{
    if (act->since != 0)
        return act->since;
    if (act->kind == ACT_ADD_COLUMN && act->column != NULL && act->column->stored)
        return 120000;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (words[i].kind == act->kind && (words[i].flag == 0 || (act->flags & words[i].flag) != 0))
            return words[i].since;
    return 0;
}

static bool match_too_new(RuleCall *call)
{
    int since = since_of(call->act);
    if (since <= call->stream->target->version)
        return false;
    call->detail = arena_printf(call->stream->arena, "PostgreSQL %d knows it", since / 10000);
    if (!call->stream->target->given) {
        call->severity = SEVERITY_NOTE;
        call->evidence = EVIDENCE_UNKNOWN;
    }
    return true;
}

static bool is_dynamic(const Act *act)
{
    return strstr(act->words, "EXECUTE") != NULL || str_eq(act->words, "\\gexec") ||
           str_eq(act->words, "PREPARE");
}

static bool is_broken(const Act *act)
{
    return str_eq(act->words, "statement") || str_eq(act->words, "text");
}

static bool match_dynamic(RuleCall *call)
{
    call->evidence = EVIDENCE_UNKNOWN;
    return is_dynamic(call->act);
}

static bool match_broken(RuleCall *call)
{
    call->evidence = EVIDENCE_UNKNOWN;
    call->detail = call->act->value;
    return is_broken(call->act);
}

static bool match_unknown(RuleCall *call)
{
    call->evidence = EVIDENCE_UNKNOWN;
    if (has(call, ACT_READS_FUNCTION) &&
        known_find(call->stream->known, KNOWN_FUNCTION, call->act->table) != NULL)
        return false; /* its body was read where it was made */
    return !is_dynamic(call->act) && !is_broken(call->act);
}

/* Spoken by check itself. */
static bool never(RuleCall *call UNUSED) { return false; }

static const Rule rules[] = {
    {.id = "syntax-unknown",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .kinds = {ACT_UNKNOWN},
     .match = match_broken,
     .on_new = true,
     .message = "not understood, so not judged: {reason}",
     .why = "What the parser does not know is never called clean. It may be a slip, or newer than the parser "
            "(PostgreSQL 15 and what is known of 16 to 19); the other statements of the file are judged."},
    {.id = "syntax-too-new",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .match = match_too_new,
     .on_new = true,
     .message = "the server does not know these words yet",
     .why = "The statement is a syntax error on the version that --server-version names."},
    {.id = "dynamic-sql",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .kinds = {ACT_UNKNOWN},
     .match = match_dynamic,
     .on_new = true,
     .message = "{words} cannot be judged: {reason}",
     .why = "Its statements are known only when it runs. Write them out, or try them on a copy (\"stoa "
            "plan\")."},
    {.id = "opaque-operation",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .match = never,
     .message = "an operation that is not written as SQL cannot be judged",
     .why = "The framework runs code of the application there. What is not seen is never called clean."},
    {.id = "unknown-statement",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .kinds = {ACT_UNKNOWN},
     .match = match_unknown,
     .on_new = true,
     .message = "{words} cannot be judged: {reason}",
     .why = "What is not understood is never called clean."},
    {.id = "silence-unused",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .match = never,
     .message = "this comment silences nothing: take it out",
     .why = "A silencer that is left behind hides the next finding."},
    {.id = "silence-expired",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .match = never,
     .message = "this comment has run out, and silences nothing any more",
     .why = "It was given a last day, which has passed."},
    {.id = "silence-malformed",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .match = never,
     .message = "this comment is not understood, and silences nothing",
     .why = "Write: -- stoa: ignore RULE[, RULE…] [until YYYY-MM-DD] [: REASON]"},
    {.id = "silence-without-reason",
     .severity = SEVERITY_OFF,
     .engines = RULE_ALL,
     .match = never,
     .message = "this comment silences without a reason",
     .why = "Whoever reads it later wants to know why: -- stoa: ignore RULE: REASON"},
    {.id = "migration-version-twice",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .match = never,
     .message = "two files of the folder have the same version",
     .why = "The tool runs one of them, or refuses both."},
    {.id = "migration-edited",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .match = never,
     .message = "this file has been applied, and is another one now",
     .why = "The database is what the old text made, and new ones will differ from it; Flyway and Prisma "
            "refuse to go "
            "on. Take the edit back and write a further file."},
    {.id = "migration-out-of-order",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .match = never,
     .message = "this file has not been applied, but one that sorts behind it has",
     .why = "It was tried after the files before it, and here it runs after those behind it; elsewhere the "
            "order is "
            "another. Flyway, goose and Atlas refuse it. Give it a version behind the last one.",
     .aliases = "atlas/non_linear"},
    {.id = "migration-malformed",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .match = never,
     .message = "the tool cannot read this file",
     .why = "A marker that the tool needs is missing, or stands where it may not."},
};

const RulePage rules_unknown = {"What cannot be judged; comments and folders", rules, ARRAY_LEN(rules)};
