/* approval.h — who has approved which plan: what is signed, and what of it counts. Pure. Private to run/. */
#pragma once
#include "base/arena.h"

#include <jansson.h>

/* What an approval says. Times are UTC, "2026-11-30T13:05:00Z". */
typedef struct Approval {
    const char *action; /* "approve", "apply" */
    const char *change, *change_digest, *plan_digest;
    const char *database, *system, *environment; /* "" where it is not known, or not said */
    const char *at, *expires;
} Approval;

/* The text that is signed: a line for each of these. ERR_USAGE where one of them holds a line's end. */
Err *approval_text(Arena *arena, const Approval *approval, const char **ret_text) MUST_USE;
/* Reads such a text; false where it is none. */
bool approval_read(Arena *arena, const char *text, Approval *ret_approval);
/* Why it does not count for what is wanted at the moment `now`; NULL: it does. Only `change`, the digests,
 * database, system and environment of `wanted` are looked at; what either side does not know is no reason. */
const char *approval_flaw(Arena *arena, const Approval *approval, const Approval *wanted, const char *now);
/* The first step in which two plans differ, by their steps as approval_steps() has them; NULL: in none. */
const char *approval_difference(Arena *arena, const json_t *approved, const json_t *present);
