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
enum { ACT_OPTIONS = 4 };
typedef struct ActWish {
    const char *verb, *change;  /* the first word behind the verb, which need not be a change */
    const char *word;           /* a second one; NULL */
    const json_t *arguments;    /* options from outside, {"max-lag": "2s", "force": true}; NULL: none */
    const char *input;          /* what it reads, in place of words: `change` is only told then; NULL */
    const char *const *options; /* that nobody from outside can give, at most ACT_OPTIONS; NULL ends; NULL */
} ActWish;
/* Starts "stoa VERB CHANGE --yes" and does not wait for it. Errors: ERR_USAGE for an argument that may not be
 * given; ERR_HELD while the same change has such a process already that is not at its end (those that only
 * write to the journal may come between). */
Err *actor_ask(Actor *actor, const ActWish *wish) MUST_USE;
/* [{"verb","change","asked_at","state":"running|done|failed","code","error"}], the last 20, newest first. */
json_t *actor_told(Actor *actor);
/* Asks what is under way to stop at a safe place (SIGTERM) and waits for it. */
void actor_free(Actor *actor);
