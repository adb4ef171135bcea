/* Processes, one thread each to wait for them. */
#include "serve/actor.h"

#include "base/clock.h"
#include "base/command.h"
#include "base/log.h"
#include "base/str.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { KEPT = 20, WORDS_MAX = 24 };

typedef struct Act {
    Actor *actor;
    Arena *arena;
    const char *verb, *change;
    const char *input;
    const char *words[WORDS_MAX + ACT_OPTIONS + 7];
    char at[CLOCK_TEXT_BYTES];
    bool over;
    int code;
    const char *error;
    struct Act *before;
} Act;

struct Actor {
    ActorOptions options;
    Stop stop;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int running;
    Act *last; /* the newest; each knows the one before it */
};

/* ---- one act -------------------------------------------------------------------------------- */

/* The error object in the last line that has one. */
static const char *error_in(Arena *arena, const char *text)
{
    const char *found = NULL;
    for (const char *at = text; at != NULL && *at != '\0';) {
        const char *end = strchr(at, '\n');
        json_t *line = json_loadb(at, end == NULL ? strlen(at) : (size_t)(end - at), 0, NULL);
        const char *message = json_string_value(json_object_get(json_object_get(line, "error"), "message"));
        if (message != NULL)
            found = arena_dup(arena, message);
        json_decref(line);
        at = end == NULL ? NULL : end + 1;
    }
    return found;
}

static void note(Act *act, Err *err, int status, const char *said)
{
    Actor *actor = act->actor;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    const char *error = err != NULL ? arena_dup(act->arena, err->msg)
                        : code != 0 ? error_in(act->arena, said)
                                    : NULL;
    if (err == NULL && code != 0 && error == NULL)
        error = arena_printf(act->arena, "it ended with code %d", code);
    if (error != NULL)
        log_line(LOG_WARN, "stoa %s %s: %s", act->verb, act->change, error);
    pthread_mutex_lock(&actor->lock);
    act->over = true;
    act->code = err == NULL ? code : -1;
    act->error = error;
    actor->running--;
    pthread_cond_broadcast(&actor->ended);
    pthread_mutex_unlock(&actor->lock);
    err_free(err);
}

static void *act_main(void *argument)
{
    Act *act = argument;
    Actor *actor = act->actor;
    void (*ended)(void *context) = actor->options.ended;
    void *context = actor->options.context;
    Command command = {.words = (char *const *)(const void *)act->words,
                       .variables = actor->options.variables,
                       .input = act->input,
                       .stop = &actor->stop,
                       .end_signal = SIGTERM};
    CLEANUP(str_donep) Str said = STR_INIT;
    int status = 0;
    Err *err = command_run(&command, &said, &status);
    if (ended != NULL)
        ended(context);
    note(act, err, status, said.buf);
    return NULL;
}

/* ---- asking --------------------------------------------------------------------------------- */

static Err *add_argument(const Actor *actor, Act *act, size_t *count, const char *name, const json_t *value)
{
    size_t i = 0;
    const json_t *each = NULL;
    if (json_is_array(value)) { /* an option that may be given several times */
        json_array_foreach(value, i, each)
        {
            if (json_is_array(each))
                return err_new(ERR_USAGE, "\"%s\" is a list in a list", name);
            TRY(add_argument(actor, act, count, name, each));
        }
        return NULL;
    }
    const char *text = json_string_value(value);
    if (*count >= WORDS_MAX || !actor->options.may_give(act->verb, name))
        return err_new(ERR_USAGE, "\"%s\" cannot be given to %s from here", name, act->verb);
    if (text == NULL && !json_is_true(value))
        return err_hint(err_new(ERR_USAGE, "\"%s\" is neither a text, a list of texts nor true", name),
                        "{\"max-lag\": \"2s\"}");
    act->words[(*count)++] = text == NULL ? arena_printf(act->arena, "--%s", name)
                                          : arena_printf(act->arena, "--%s=%s", name, text);
    return NULL;
}

/* These only write to the journal, whatever else is under way. */
static bool steers(const char *verb)
{
    return str_eq(verb, "pause") || str_eq(verb, "resume") || str_eq(verb, "flag") || str_eq(verb, "approve");
}

static bool asks(const char *verb) { return !steers(verb) || str_eq(verb, "approve"); }

static Err *make_words(const Actor *actor, Act *act, const ActWish *wish)
{
    size_t count = 0;
    const char *name = NULL;
    json_t *value = NULL;
    act->words[count++] = actor->options.program;
    act->words[count++] = act->verb;
    act->words[count++] = "--json";
    if (asks(act->verb))
        act->words[count++] = "--yes";
    for (size_t i = 0; wish->options != NULL && i < ACT_OPTIONS && wish->options[i] != NULL; i++)
        act->words[count++] = arena_dup(act->arena, wish->options[i]);
    json_object_foreach((json_t *)(uintptr_t)wish->arguments, name, value)
        TRY(add_argument(actor, act, &count, name, value));
    act->words[count++] = "--";
    if (wish->input == NULL)
        act->words[count++] = act->change;
    if (wish->word != NULL)
        act->words[count++] = arena_dup(act->arena, wish->word);
    act->words[count] = NULL;
    return NULL;
}

/* Under the lock. */
static const Act *busy_with(const Actor *actor, const char *change)
{
    for (const Act *act = actor->last; act != NULL; act = act->before)
        if (!act->over && str_eq(act->change, change))
            return act;
    return NULL;
}

static void act_free(Act *act)
{
    arena_free(act->arena);
    free(act);
}

/* Under the lock: those that are over and of no interest any more. */
static void forget_old(Actor *actor)
{
    int count = 0;
    for (Act **at = &actor->last; *at != NULL;) {
        Act *act = *at;
        if (++count <= KEPT || !act->over) {
            at = &act->before;
            continue;
        }
        *at = act->before;
        act_free(act);
    }
}

static Err *launch(Actor *actor, Act *act)
{
    pthread_t thread;
    pthread_attr_t attributes;
    Err *err = NULL;
    pthread_mutex_lock(&actor->lock);
    const Act *other = steers(act->verb) ? NULL : busy_with(actor, act->change);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (other != NULL)
        err = err_new(ERR_HELD, "stoa %s %s is under way", other->verb, other->change);
    else if (pthread_create(&thread, &attributes, act_main, act) != 0)
        err = err_new(ERR_IO, "cannot start a thread");
    if (err == NULL) {
        act->before = actor->last;
        actor->last = act;
        actor->running++;
        forget_old(actor);
    }
    (void)pthread_attr_destroy(&attributes);
    pthread_mutex_unlock(&actor->lock);
    return err;
}

Err *actor_ask(Actor *actor, const ActWish *wish)
{
    Act *act = mem_zero(sizeof *act);
    act->actor = actor;
    act->arena = arena_new();
    act->verb = arena_dup(act->arena, wish->verb);
    act->change = arena_dup(act->arena, wish->change);
    act->input = wish->input == NULL ? NULL : arena_dup(act->arena, wish->input);
    clock_wall_text(act->at);
    Err *err = make_words(actor, act, wish);
    if (err == NULL)
        err = launch(actor, act);
    if (err != NULL)
        act_free(act);
    return err;
}

json_t *actor_told(Actor *actor)
{
    json_t *list = json_array();
    pthread_mutex_lock(&actor->lock);
    for (const Act *act = actor->last; act != NULL && json_array_size(list) < KEPT; act = act->before)
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:i, s:s?}", "verb", act->verb,
                                                    "change", act->change, "asked_at", act->at, "state",
                                                    !act->over       ? "running"
                                                    : act->code == 0 ? "done"
                                                                     : "failed",
                                                    "code", act->code, "error", act->error));
    pthread_mutex_unlock(&actor->lock);
    return list;
}

Actor *actor_new(const ActorOptions *options)
{
    Actor *actor = mem_zero(sizeof *actor);
    actor->options = *options;
    Err *err = stop_init(&actor->stop);
    if (err != NULL)
        abort();
    (void)pthread_mutex_init(&actor->lock, NULL);
    (void)pthread_cond_init(&actor->ended, NULL);
    return actor;
}

void actor_free(Actor *actor)
{
    stop_raise(&actor->stop, STOP_NOW, 0);
    pthread_mutex_lock(&actor->lock);
    while (actor->running > 0)
        (void)pthread_cond_wait(&actor->ended, &actor->lock);
    pthread_mutex_unlock(&actor->lock);
    while (actor->last != NULL) {
        Act *before = actor->last->before;
        act_free(actor->last);
        actor->last = before;
    }
    stop_done(&actor->stop);
    (void)pthread_mutex_destroy(&actor->lock);
    (void)pthread_cond_destroy(&actor->ended);
    free(actor);
}
