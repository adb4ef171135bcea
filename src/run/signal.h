/* signal.h — what may hold the work, and whether it does: each signal with its value, its limit, and how old
 * both are. Pure: times are given. */
#pragma once
#include "engine/load_signal.h"

#include <jansson.h>

enum {
    SIGNALS_MAX = 80,
    SIGNAL_NAME_BYTES = 40,
    SIGNAL_TARGET_BYTES = 120,
    SIGNAL_TEXT_BYTES = 200,
    SIGNAL_SETTLE_MS = 3000, /* so long it must be at or below its limit, but above the level of release */
};

/* No limit of the user's: the signal's usual one holds. */
#define LIMIT_UNSET (-1.0)
#define LIMIT_OFF   LOAD_NO_LIMIT

/* One that holds the work lets go at this part of its limit at once, and nearer to it after SIGNAL_SETTLE_MS:
 * else it would stop and go all the time. */
#define SIGNAL_RELEASE 0.8

typedef struct Signal {
    char name[SIGNAL_NAME_BYTES];     /* "replica-lag", "threads-running", "check-sql" */
    char target[SIGNAL_TARGET_BYTES]; /* the replica, the file …; "" */
    bool known;                       /* there is a value */
    double value, limit;              /* LIMIT_OFF: it only shows */
    double critical;                  /* past it the change is paused; LIMIT_OFF */
    bool minimum;                     /* less is worse, and the limit the least there may be */
    bool holds;                       /* the work, now */
    bool alarms;                      /* it was read in this round, and is past `critical` */
    char text[SIGNAL_TEXT_BYTES];     /* what is said while it holds, or why there is no value */
    int64_t read_ms;                  /* when it was last told; 0 never */
    int64_t calm_ms;                  /* since when it has been at or below its limit; 0: it is not */
    bool told;                        /* in this round */
} Signal;

typedef struct Signals {
    Signal items[SIGNALS_MAX];
    size_t count;
} Signals;

/* A round: everything that is not told in it is forgotten at its end. */
void signals_begin(Signals *signals);
void signals_end(Signals *signals);

/* The signal of that name and target, told in this round; made where it is not there. NULL: there are
 * SIGNALS_MAX others. */
Signal *signal_tell(Signals *signals, const char *name, const char *target);
/* Was told before, and has nothing new. */
void signal_keep(Signals *signals, const char *name);
/* Its value now, and what is to be said if that is too much. */
void signal_value(Signal *signal, double value, double limit, int64_t now_ms, const char *fmt, ...)
    PRINTF(5, 6);
/* It should be there and is not: that holds the work. */
void signal_missing(Signal *signal, int64_t now_ms, const char *fmt, ...) PRINTF(3, 4);

/* The first that holds the work; NULL. */
const Signal *signals_holder(const Signals *signals);
/* The first that is past its critical limit; NULL. */
const Signal *signals_alarm(const Signals *signals);
/* [{"name","target","value","limit","critical","minimum","holds","text","age_ms"}] */
json_t *signals_json(const Signals *signals, int64_t now_ms);
