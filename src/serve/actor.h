/* actor.h — does what somebody who has the token asks for: each as a process of its own, so that neither can
 * hurt the other, and the work goes on through the journal as if it had been asked for on a terminal. */
#pragma once
#include "base/arena.h"

#include <jansson.h>

typedef struct Actor Actor;

typedef struct ActorOptions {
    const char *program;          /* the path of stoa */
    const char *const *variables; /* "STOA_URL=…": where the database is; NULL ends */
    /* Whether an option may be given to a verb from outside: limits, never where to connect or what to run.
     */
    bool (*may_give)(const char *verb, const char *option);
    void (*ended)(void *context); /* after each, on a thread of its own; may be NULL */
    void *context;
} ActorOptions;

/* The options' texts must live as long as the actor. */
Actor *actor_new(const ActorOptions *options) __attribute__((returns_nonnull));
/* Starts "stoa VERB CHANGE --yes" with options from `arguments`, {"max-lag": "2s", "force": true}, and does
 * not wait for it. Errors: ERR_USAGE for an argument that may not be given; ERR_HELD while the same change
 * has such a process already that is not at its end ("pause" and "resume" may come between). */
Err *actor_ask(Actor *actor, const char *verb, const char *change, const json_t *arguments) MUST_USE;
/* The same with a second word behind the first, which need not be a change. */
Err *actor_ask_word(Actor *actor, const char *verb, const char *change, const char *word,
                    const json_t *arguments) MUST_USE;
/* [{"verb","change","asked_at","state":"running|done|failed","code","error"}], the last 20, newest first. */
json_t *actor_told(Actor *actor);
/* Asks what is under way to stop at a safe place (SIGTERM) and waits for it. */
void actor_free(Actor *actor);
