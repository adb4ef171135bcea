/* standby.h — replicas given by URL: each is asked by a thread of its own, so that one that does not answer
 * delays nobody, and before a strong lock the working thread looks who reads there. */
#pragma once
#include "run/runner.h"

enum {
    STANDBY_WHY_BYTES = 160,
    STANDBY_ANSWER_MS = 1000,    /* one that takes longer for an answer is missing */
    STANDBY_CONFLICT_MS = 10000, /* so long a query that was ended there counts */
};

/* What one of them said last. */
typedef struct StandbySeen {
    bool sampled;
    int64_t asked_ms;            /* clock_ms() when it was asked for that; 0: it has never answered */
    int64_t there;               /* bytes of the log that it has replayed, or the beat that has come there */
    int64_t beat_ms;             /* the newest beat when it was asked */
    int64_t waiting;             /* sessions there that wait for what is replayed; -1: not told */
    int64_t ended;               /* queries ended there for the sake of replay, lately; -1: not told */
    char why[STANDBY_WHY_BYTES]; /* why it was not sampled */
} StandbySeen;

typedef struct StandbyWatch StandbyWatch;

/* A thread for each of Runner.standbys that is given by URL. */
Err *standby_watch_start(const Runner *runner, StandbyWatch **ret_watch) MUST_USE;
/* Ends them, statements under way included; NULL is fine. */
void standby_watch_free(StandbyWatch *watch);
/* The beat that was just written on the primary. */
void standby_watch_beat(StandbyWatch *watch, int64_t beat_ms);
/* Waits for the first answers, a second at most: who has just been asked is not silent yet. */
void standby_watch_settle(StandbyWatch *watch);
/* The last answer of Runner.standbys[at]; where that is too old, or none came yet, it is not sampled and says
 * why. */
StandbySeen standby_watch_seen(StandbyWatch *watch, size_t at);

/* Before a lock on some tables that replicas will take as well. */
typedef struct StandbyAsk {
    const int64_t *ids; /* tables by number, where the engine's standbys have the same ones */
    size_t id_count;
    const Name *names; /* … by name, where they have numbers of their own */
    size_t name_count;
    int tries; /* looks before this one that found somebody: transactions that have just begun count at first,
                  since nobody can tell how long they will be, and less and less later on */
    bool quick; /* the lock is held already: who is there, and nothing else; one that takes longer to answer
                   than a lock may be held for it has been looked at before */
} StandbyAsk;

typedef enum StandbyFound {
    STANDBY_FREE,
    STANDBY_BUSY, /* somebody who has just begun: look again in a moment */
    STANDBY_HELD, /* somebody who has been there for long, or it cannot be told */
} StandbyFound;

/* For the working thread: whether somebody on a replica given by URL would hold up its replay, and with it
 * all readers behind it. `who` (BLOCKERS_TEXT_BYTES) says who and where. A replica that cannot be asked is as
 * one that is held: the lag signal says so, too. */
Err *standby_look(Runner *runner, const StandbyAsk *ask, StandbyFound *ret_found, char *who) MUST_USE;
/* Whether there is one to look at. */
bool standby_is_watched(const Runner *runner);
