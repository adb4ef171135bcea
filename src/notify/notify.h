/* notify.h — tells others what happens to changes: programs (hooks) and URLs (webhooks).
 *
 * Whoever carries a change out is never kept waiting: each hook and webhook has a thread and a short queue of
 * its own, whose oldest entry goes when it is full. What is told comes either from one's own run
 * (notify_event, notify_progress), or from pictures of the journal (notify_look); not from both in one
 * process. A Notify of NULL tells nobody. */
#pragma once
#include "base/stop.h"
#include "run/run.h"

#include <jansson.h>

typedef struct Notify Notify;

enum { NOTIFY_RECEIVERS_MAX = 32, NOTIFY_QUEUE_MAX = 100, NOTIFY_END_MS = 10000 };

typedef struct NotifyOptions {
    const char *const *hooks; /* for sh -c */
    size_t hook_count;
    const char *const *webhooks; /* http:// or https:// */
    size_t webhook_count;
    const char *secret;         /* signs what is posted; NULL: it is not signed */
    int64_t throttled_after_ms; /* how long a change is held before that is told */
    const char *database;       /* redacted */
    const char *environment;    /* NULL */
} NotifyOptions;

/* Starts the threads; the texts are copied. *ret_notify is NULL where there is nobody to tell. Errors:
 * ERR_USAGE for a URL that is none, or too many. */
Err *notify_start(const NotifyOptions *options, Notify **ret_notify) MUST_USE;

/* For the observer. Never block, from any thread. */
void notify_event(Notify *notify, const Event *event);
void notify_progress(Notify *notify, const Progress *progress);
/* A run has ended with this: "failed", unless that was told, or nothing has happened yet. */
void notify_failed(Notify *notify, const char *text);
/* For pictures, as run_view_look() gives them; the first one is where it starts from. One thread. */
void notify_look(Notify *notify, const json_t *changes, const json_t *events);

/* Lets what is under way come to its end, for at most `most_ms` and while `stop` (NULL) is below STOP_NOW,
 * then gives it up, says in the log what was not told, and frees. */
void notify_stop(Notify *notify, const Stop *stop, int64_t most_ms);

/* Tells each of them, once, an event "test", and waits: [{"name":"hook","ok","severity","message","fix"}], as
 * run_doctor() has its checks. The caller's. */
json_t *notify_test(const NotifyOptions *options, const Stop *stop);
