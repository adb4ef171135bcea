/* load_signal.h — how busy a server is, as far as a change slows down for it: what an engine can measure, and
 * one round of it. */
#pragma once
#include "base/err.h"

enum { LOAD_SIGNALS_MAX = 4 };

/* Each engine has one table of them (EngineOps.load_signals); all values are such that more is worse. */
typedef struct LoadSignal {
    const char *name;   /* as --max-load takes it: "threads-running" */
    const char *title;  /* for messages: "Threads_running" */
    double usual_limit; /* where none is given */
} LoadSignal;

/* A signal that a server does not have is absent and stops nothing; one that should be there and cannot be
 * read has `why`. */
typedef enum SignalState { SIGNAL_ABSENT, SIGNAL_READ, SIGNAL_UNREADABLE, SIGNAL_FORBIDDEN } SignalState;

/* One round; given again to the next one, since some values are told by the difference. */
typedef struct LoadSample {
    SignalState state[LOAD_SIGNALS_MAX];
    double value[LOAD_SIGNALS_MAX];
    const char *why[LOAD_SIGNALS_MAX]; /* SIGNAL_UNREADABLE, SIGNAL_FORBIDDEN: in the caller's arena */
    int64_t at_ms;                     /* 0: there was no round before */
    int64_t counter;                   /* the engine's own */
} LoadSample;
