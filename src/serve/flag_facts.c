/* From steps and states to facts. */
#include "serve/flag_facts.h"

/* Of all steps of a phase. */
typedef struct Tally {
    size_t count, done, begun, looks, seen; /* looks: steps of evidence; seen: those that are done */
} Tally;

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text == NULL ? "" : text;
}

static Tally tally(const json_t *change, const char *phase)
{
    Tally tally = {0};
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(change, "steps"), i, step)
    {
        const char *state = text_of(step, "state");
        if (!str_eq(text_of(step, "phase"), phase))
            continue;
        tally.count++;
        tally.done += str_eq(state, "done");
        tally.begun += !str_eq(state, "pending");
        tally.looks += str_eq(text_of(step, "kind"), "evidence");
        tally.seen += str_eq(state, "done") && str_eq(text_of(step, "kind"), "evidence");
    }
    return tally;
}

static bool all_done(const json_t *change, const char *phase)
{
    Tally all = tally(change, phase);
    return all.done == all.count;
}

static bool has_undone(const json_t *change)
{
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(change, "steps"), i,
                       step) if (str_eq(text_of(step, "state"), "undone")) return true;
    return false;
}

FlagFacts flag_facts(const json_t *change)
{
    const char *state = text_of(change, "state");
    FlagFacts facts = {.ended = str_eq(state, "aborted") || str_eq(state, "reverted") ||
                                str_eq(text_of(change, "phase"), "revert") || has_undone(change)};
    if (facts.ended)
        return facts;
    Tally contract = tally(change, "contract");
    facts.completed = str_eq(state, "completed");
    facts.ready = (facts.completed || str_eq(state, "ready")) && *text_of(change, "ready_position") != '\0';
    facts.expanded = facts.ready ||
                     (json_array_size(json_object_get(change, "steps")) > 0 && all_done(change, "prepare") &&
                      all_done(change, "expand") && all_done(change, "cutover"));
    facts.filled = facts.ready || (facts.expanded && all_done(change, "backfill"));
    facts.contracting = facts.completed || contract.begun > 0;
    facts.evidence = facts.completed || (contract.looks > 0 && contract.seen == contract.looks);
    return facts;
}

const char *flag_stage(const FlagFacts *facts)
{
    return facts->ended || !facts->expanded     ? "off"
           : facts->completed && facts->ready   ? "complete"
           : facts->ready && facts->contracting ? "rampdown"
           : facts->ready                       ? "live"
           : facts->filled                      ? "shadow"
                                                : "dualwrite";
}
