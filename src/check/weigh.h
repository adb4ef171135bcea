/* weigh.h — findings of a statement against what is known of the server: sizes, what the statement did on an
 * empty copy, duplicates, row versions. Pure but for what CheckServer is asked. */
#pragma once
#include "check/facts.h"
#include "check/rule.h"

typedef VEC(Finding) Findings;

typedef struct Weigh {
    Arena *arena;
    const CheckServer *server;
    Stream *stream;
    const Severity *severities; /* of the file at hand; NULL: the rules' own */
    Measured measured;          /* of the statement at hand */
    Findings said; /* what is to be reported besides: rule, severity, evidence, place, object, message */
    size_t tried, dropped; /* statements; findings that the server has shown to be wrong */
    bool there;            /* what a statement makes is there already */
} Weigh;

/* After the rules and the stream have seen the statement. Findings from `first` on are its own: those that
 * the server contradicts become SEVERITY_OFF, the others follow the sizes. */
Err *weigh_statement(Weigh *weigh, Finding *findings, size_t first, size_t count) MUST_USE;
/* What was set for the rule by hand. */
bool severity_is_given(const Severity *severities, const Rule *rule);
