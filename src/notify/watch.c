/* What of all that happens is told, once each. */
#include "notify/notice.h"

#include "base/str.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCKED_AGAIN_MS = 300000, /* while it lasts */
    STATE_SETTLES_MS = 3000,   /* the event that goes with a state comes before */
    JUST_TOLD_MS = 10000,
};

/* What is known of one change. */
typedef struct Known {
    char *change;
    char *told; /* the last event that was told; "" */
    int64_t told_ms;
    int64_t throttled_ms; /* since when, without a break; 0 */
    bool throttle_told;
    int blocked_step;
    int64_t blocked_ms; /* when that was last told; 0 */
    char *state;        /* in the last picture */
    int64_t state_ms;   /* since when, while no event has told it; 0 */
    struct Known *next;
} Known;

struct Watch {
    WatchOptions options;
    pthread_mutex_t lock;
    Known *all;
    char *last;     /* the change of the last event; NULL */
    json_t *events; /* of the last picture; NULL */
};

/* ---- records -------------------------------------------------------------------------------- */

static void keep(char **text, const char *value)
{
    char *copy = mem_dup(value);
    free(*text);
    *text = copy;
}

static Known *known(Watch *watch, const char *change)
{
    for (Known *at = watch->all; at != NULL; at = at->next)
        if (str_eq(at->change, change))
            return at;
    Known *fresh = mem_zero(sizeof *fresh);
    fresh->change = mem_dup(change);
    fresh->told = mem_dup("");
    fresh->state = mem_dup("");
    fresh->next = watch->all;
    watch->all = fresh;
    return fresh;
}

static void tell(Watch *watch, Known *about, int64_t now_ms, const Notice *notice)
{
    keep(&about->told, notice->event);
    about->told_ms = now_ms;
    watch->options.tell(watch->options.context, notice);
}

/* ---- events --------------------------------------------------------------------------------- */

/* What events of the journal are told as, and the state that goes with them. */
static const struct Kind {
    const char *kind, *event, *state;
} kinds[] = {
    {"planned", "started", "running"},      {"resumed", "started", "running"},
    {"lock_blocked", "blocked", "running"}, {"alarm", "alarm", "paused"},
    {"back_broken", "alarm", NULL},         {"ready", "ready", "ready"},
    {"failed", "failed", "failed"},         {"completed", "completed", "completed"},
    {"aborted", "aborted", "aborted"},      {"reverted", "reverted", "reverted"},
};

static const struct Kind *kind_of(const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(kinds[i].kind, kind))
            return &kinds[i];
    return NULL;
}

/* Blockers are named again and again. */
static bool is_news(Known *about, int64_t now_ms, const char *event, int step)
{
    if (!str_eq(event, "blocked"))
        return true;
    if (about->blocked_ms != 0 && about->blocked_step == step &&
        now_ms - about->blocked_ms < BLOCKED_AGAIN_MS)
        return false;
    about->blocked_step = step;
    about->blocked_ms = now_ms;
    return true;
}

/* Under the lock. `state` NULL: what the kind says. */
static void take_event(Watch *watch, int64_t now_ms, const char *change, const char *kind, int step,
                       const char *text, const char *state)
{
    const struct Kind *row = kind_of(kind);
    Known *about = known(watch, change);
    if (row == NULL || !is_news(about, now_ms, row->event, step))
        return;
    Notice notice = {.event = row->event,
                     .change = change,
                     .state = state != NULL ? state : row->state,
                     .step = step,
                     .text = text};
    tell(watch, about, now_ms, &notice);
}

void watch_event(Watch *watch, int64_t now_ms, const Event *event)
{
    const char *change = event->change == NULL ? "" : event->change;
    pthread_mutex_lock(&watch->lock);
    if (watch->last == NULL || event->change != NULL)
        keep(&watch->last, change);
    take_event(watch, now_ms, change, event->kind, event->step, event->text, NULL);
    pthread_mutex_unlock(&watch->lock);
}

void watch_failed(Watch *watch, int64_t now_ms, const char *text)
{
    pthread_mutex_lock(&watch->lock);
    Known *about = watch->last == NULL ? NULL : known(watch, watch->last);
    if (about != NULL && !str_eq(about->told, "failed"))
        take_event(watch, now_ms, about->change, "failed", 0, text, NULL);
    pthread_mutex_unlock(&watch->lock);
}

/* ---- throttling ----------------------------------------------------------------------------- */

/* Whoever has paused it knows. */
static void take_throttle(Watch *watch, Known *about, int64_t now_ms, const char *by, const char *state)
{
    if (by == NULL || by[0] == '\0' || str_eq(by, "paused")) {
        about->throttled_ms = 0;
        about->throttle_told = false;
        return;
    }
    about->throttled_ms = about->throttled_ms == 0 ? now_ms : about->throttled_ms;
    if (about->throttle_told || now_ms - about->throttled_ms < watch->options.throttled_after_ms)
        return;
    about->throttle_told = true;
    CLEANUP(str_donep) Str text = STR_INIT;
    str_addf(&text, "held for %lld s: %s", (long long)(now_ms - about->throttled_ms) / 1000, by);
    Notice notice = {.event = "throttled", .change = about->change, .state = state, .text = text.buf};
    tell(watch, about, now_ms, &notice);
}

void watch_progress(Watch *watch, int64_t now_ms, const char *change, const char *throttled_by)
{
    pthread_mutex_lock(&watch->lock);
    take_throttle(watch, known(watch, change == NULL ? "" : change), now_ms, throttled_by, "waiting");
    pthread_mutex_unlock(&watch->lock);
}

/* ---- pictures ------------------------------------------------------------------------------- */

static const char *word(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static const json_t *newest(const json_t *changes, const char *name)
{
    const json_t *found = NULL;
    for (size_t i = 0; i < json_array_size(changes); i++)
        if (str_eq(word(json_array_get(changes, i), "name"), name))
            found = json_array_get(changes, i);
    return found;
}

/* Numbers rise but for those that are committed late. */
static bool was_there(const json_t *events, json_int_t id)
{
    for (size_t i = json_array_size(events); i > 0; i--)
        if (json_integer_value(json_object_get(json_array_get(events, i - 1), "id")) == id)
            return true;
    return false;
}

static void take_new_events(Watch *watch, int64_t now_ms, const json_t *changes, const json_t *events)
{
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        if (was_there(watch->events, json_integer_value(json_object_get(event, "id"))))
            continue;
        const char *change = word(event, "change");
        take_event(watch, now_ms, change, word(event, "event"),
                   (int)json_integer_value(json_object_get(event, "step")), word(event, "text"),
                   json_string_value(json_object_get(newest(changes, change), "state")));
    }
}

/* A state without its event: whoever carried the change out has died between the two. */
static void take_state(Watch *watch, Known *about, int64_t now_ms, const json_t *change, bool first)
{
    static const char *const told[] = {"ready", "failed", "completed", "aborted", "reverted"};
    const char *state = word(change, "state");
    if (!str_eq(about->state, state)) {
        keep(&about->state, state);
        about->state_ms = 0;
        for (size_t i = 0; i < ARRAY_LEN(told) && !first; i++)
            about->state_ms = str_eq(told[i], state) ? now_ms : about->state_ms;
    }
    /* One that fails before it has changed anything is over at once. */
    bool fits = str_eq(about->told, state) || (str_eq(about->told, "failed") && str_eq(state, "aborted"));
    bool by_event = fits && now_ms - about->told_ms < JUST_TOLD_MS;
    if (by_event)
        about->state_ms = 0;
    if (about->state_ms == 0 || now_ms - about->state_ms < STATE_SETTLES_MS)
        return;
    about->state_ms = 0;
    const char *why = word(change, "error");
    Notice notice = {.event = state,
                     .change = about->change,
                     .state = state,
                     .text = why[0] != '\0' ? why : "so the journal says"};
    tell(watch, about, now_ms, &notice);
}

void watch_look(Watch *watch, int64_t now_ms, const json_t *changes, const json_t *events)
{
    pthread_mutex_lock(&watch->lock);
    bool first = watch->events == NULL;
    if (!first)
        take_new_events(watch, now_ms, changes, events);
    for (size_t i = 0; i < json_array_size(changes); i++) {
        const json_t *change = json_array_get(changes, i);
        const char *name = word(change, "name");
        if (newest(changes, name) != change)
            continue; /* an earlier one of that name */
        Known *about = known(watch, name);
        take_state(watch, about, now_ms, change, first);
        take_throttle(watch, about, now_ms, word(change, "throttled_by"), word(change, "state"));
    }
    json_decref(watch->events);
    watch->events = json_incref((json_t *)(uintptr_t)events);
    pthread_mutex_unlock(&watch->lock);
}

/* ---- life ----------------------------------------------------------------------------------- */

Watch *watch_new(const WatchOptions *options)
{
    Watch *watch = mem_zero(sizeof *watch);
    watch->options = *options;
    (void)pthread_mutex_init(&watch->lock, NULL);
    return watch;
}

void watch_free(Watch *watch)
{
    while (watch->all != NULL) {
        Known *next = watch->all->next;
        free(watch->all->change);
        free(watch->all->told);
        free(watch->all->state);
        free(watch->all);
        watch->all = next;
    }
    json_decref(watch->events);
    free(watch->last);
    (void)pthread_mutex_destroy(&watch->lock);
    free(watch);
}
