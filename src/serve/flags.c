/* One set at a time, counted like pictures; promises, proofs and files. */
#include "serve/flags.h"

#include "base/log.h"
#include "serve/flag_file.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct Held {
    FlagSet *set;
    int holders; /* under the lock */
    struct Held *next;
} Held;

struct Flags {
    FlagsOptions options;
    pthread_mutex_t lock;
    Held *held; /* the present one first, then those that somebody still has */
    _Atomic int64_t counts[FLAG_REASON_COUNT + 1];
    FlagCounts *by_flag;
    /* The board's thread alone: */
    int64_t looked; /* the number of the picture that all of it is of; 0 */
    json_t *changes, *said, *promised;
    json_t *lost; /* what operators said that another timeline does not know */
    char *database, *system;
    char *proving; /* another server or timeline that was seen once; NULL */
    char *state_etag, *flagd_etag;
};

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text == NULL ? "" : text;
}

/* ---- the set at hand ------------------------------------------------------------------------ */

const FlagSet *flags_take(Flags *flags)
{
    pthread_mutex_lock(&flags->lock);
    Held *held = flags->held;
    if (held != NULL)
        held->holders++;
    pthread_mutex_unlock(&flags->lock);
    return held == NULL ? NULL : held->set;
}

/* Under the lock: one that nobody has, and is not the present one. */
static Held *unlink_idle(Flags *flags)
{
    for (Held **at = &flags->held; *at != NULL; at = &(*at)->next) {
        Held *held = *at;
        if (held->holders > 0)
            continue;
        *at = held->next;
        return held;
    }
    return NULL;
}

static void drop_idle(Flags *flags)
{
    for (;;) {
        pthread_mutex_lock(&flags->lock);
        Held *held = unlink_idle(flags);
        pthread_mutex_unlock(&flags->lock);
        if (held == NULL)
            return;
        flagset_free(held->set);
        free(held);
    }
}

void flags_give(Flags *flags, const FlagSet *set)
{
    bool idle = false;
    pthread_mutex_lock(&flags->lock);
    for (Held *held = flags->held; held != NULL; held = held->next)
        if (held->set == set)
            idle = --held->holders == 0;
    pthread_mutex_unlock(&flags->lock);
    if (idle)
        drop_idle(flags);
}

/* Flags itself holds the present one. */
static void put(Flags *flags, FlagSet *set)
{
    Held *held = mem_zero(sizeof *held);
    *held = (Held){.set = set, .holders = 1};
    pthread_mutex_lock(&flags->lock);
    if (flags->held != NULL)
        flags->held->holders--;
    held->next = flags->held;
    flags->held = held;
    pthread_mutex_unlock(&flags->lock);
    drop_idle(flags);
}

bool flags_known(Flags *flags)
{
    pthread_mutex_lock(&flags->lock);
    bool known = flags->held != NULL;
    pthread_mutex_unlock(&flags->lock);
    return known;
}

void flags_count(Flags *flags, FlagReason reason) { atomic_fetch_add(&flags->counts[reason], 1); }

void flags_count_one(Flags *flags, const Flag *flag, FlagReason reason)
{
    flags_count(flags, reason);
    if (flag->counted != NULL)
        atomic_fetch_add(reason == FLAG_ERROR ? &flag->counted->errors : &flag->counted->values, 1);
}

int64_t flags_counted(const Flags *flags, FlagReason reason) { return atomic_load(&flags->counts[reason]); }

/* ---- promises ------------------------------------------------------------------------------- */

static const char *words(const Flag *flag)
{
    return flag->unproved != NULL ? flag->unproved : flag->in.on ? "true" : "false";
}

/* What it is from now on, where that is something else. */
static void tell(const FlagSet *before, const Flag *flag, Arena *arena)
{
    const char *why = NULL;
    const Flag *was = before == NULL ? NULL : flagset_find(before, arena, flag->key, &why);
    if (flag->kind == FLAG_STAGE || (was == NULL && !flag->in.on) ||
        (was != NULL && str_eq(words(was), words(flag))))
        return;
    log_line(flag->unproved != NULL ? LOG_WARN : LOG_INFO, "flag %s of change %s: %s", flag->key,
             flag->change, words(flag));
}

/* Promised is what the journal says, whatever an operator says. */
static void promise(Flags *flags, const FlagSet *set)
{
    for (size_t i = 0; i < flagset_count(set); i++) {
        const Flag *flag = flagset_at(set, i);
        const char *before = json_string_value(json_object_get(flags->promised, flag->key));
        if (flag->kind == FLAG_STAGE || flag->unproved != NULL)
            continue;
        if (flag->on)
            json_object_set_new(flags->promised, flag->key, json_string(flag->change));
        else if (before != NULL)
            json_object_del(flags->promised, flag->key);
    }
}

/* ---- files ---------------------------------------------------------------------------------- */

static void log_err(const char *what, Err *err)
{
    if (err == NULL)
        return;
    char *text = err_text(err);
    log_line(LOG_WARN, "%s: %s", what, text);
    free(text);
    err_free(err);
}

static bool renew(char **kept, const char *fresh)
{
    if (*kept != NULL && str_eq(*kept, fresh))
        return false;
    free(*kept);
    *kept = mem_dup(fresh);
    return true;
}

static void save(Flags *flags, const FlagSet *set)
{
    bool split = false;
    FlagDoc flagd = flagset_flagd(set), bulk = flagset_bulk(set, &split);
    if (flags->options.flagd_file != NULL && renew(&flags->flagd_etag, flagd.etag))
        log_err("flagd's file", flag_file_write(flags->options.flagd_file, flagd.text, flagd.len));
    if (flags->options.state_file == NULL || flags->proving != NULL || !renew(&flags->state_etag, bulk.etag))
        return;
    json_t *state =
        json_pack("{s:i, s:s, s:s, s:s, s:O, s:O, s:O, s:O}", "v", 1, "label", flags->options.label, "system",
                  flags->system, "database", flags->database, "changes", flags->changes, "flags", flags->said,
                  "promised", flags->promised, "lost", flags->lost);
    char *text = json_dumps(state, JSON_COMPACT);
    json_decref(state);
    if (text != NULL)
        log_err("the state file", flag_file_write(flags->options.state_file, text, strlen(text)));
    free(text);
}

/* ---- making sets ---------------------------------------------------------------------------- */

/* What flags are made of, which does not move with every chunk. */
static json_t *trim(const json_t *changes)
{
    static const char *const kept[] = {"name", "state", "phase", "ready_at", "ready_position", "columns"};
    static const char *const of_steps[] = {"phase", "kind", "state"};
    json_t *list = json_array(), *change = NULL, *step = NULL;
    size_t i = 0, j = 0;
    json_array_foreach(changes, i, change)
    {
        if (json_array_size(json_object_get(change, "columns")) == 0)
            continue;
        json_t *one = json_object(), *steps = json_array();
        for (j = 0; j < ARRAY_LEN(kept); j++)
            json_object_set(one, kept[j], json_object_get(change, kept[j]));
        json_array_foreach(json_object_get(change, "steps"), j, step)
        {
            json_t *two = json_object();
            for (size_t k = 0; k < ARRAY_LEN(of_steps); k++)
                json_object_set(two, of_steps[k], json_object_get(step, of_steps[k]));
            json_array_append_new(steps, two);
        }
        json_object_set_new(one, "steps", steps);
        json_array_append_new(list, one);
    }
    return list;
}

static void make(Flags *flags, const char *unproved)
{
    FlagSource source = {.changes = flags->changes,
                         .said = flags->said,
                         .database = flags->database,
                         .system = flags->proving != NULL ? flags->proving : flags->system,
                         .environment = flags->options.environment,
                         .promised = flags->promised,
                         .unproved = unproved,
                         .counts = flags->by_flag};
    FlagSet *set = flagset_make(&source);
    const FlagSet *before = flags_take(flags);
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (size_t i = 0; i < flagset_count(set); i++)
        tell(before, flagset_at(set, i), arena);
    if (before != NULL)
        flags_give(flags, before);
    promise(flags, set);
    save(flags, set);
    put(flags, set);
}

static void doubt(Flags *flags, const Picture *picture)
{
    log_line(LOG_WARN, "the server or its timeline is another one: %s instead of %s", picture->system_id,
             flags->system);
    (void)renew(&flags->proving, picture->system_id);
    make(flags, "the server or its timeline has changed: not proved yet");
}

static bool has(const json_t *list, const json_t *wanted)
{
    size_t i = 0;
    const json_t *each = NULL;
    json_array_foreach(list, i, each) if (json_equal(each, wanted)) return true;
    return false;
}

/* A flag that was held back stays so where the journal has lost that with its last transactions. */
static void keep_lost(Flags *flags, const json_t *said)
{
    size_t i = 0;
    json_t *each = NULL;
    json_array_foreach(flags->said, i, each) if (!has(said, each) && !has(flags->lost, each))
        json_array_append(flags->lost, each);
}

/* In the order of their times. */
static json_t *join_said(const Flags *flags, const json_t *said)
{
    json_t *all = json_array();
    size_t i = 0, j = 0, lost = json_array_size(flags->lost), count = json_array_size(said);
    while (i < lost || j < count) {
        json_t *a = json_array_get(flags->lost, i), *b = json_array_get(said, j);
        bool first = b == NULL || (a != NULL && strcmp(text_of(a, "at"), text_of(b, "at")) <= 0);
        json_array_append(all, first ? a : b);
        i += first;
        j += !first;
    }
    return all;
}

void flags_look(Flags *flags, const Picture *picture)
{
    if (picture->failed != NULL || picture->seen_ms == 0)
        return;
    bool known = flags->system != NULL, same = known && str_eq(flags->system, picture->system_id);
    bool again = flags->proving != NULL && str_eq(flags->proving, picture->system_id);
    if (same && flags->proving == NULL && flags->held != NULL && picture->number > 0 &&
        picture->number == flags->looked)
        return; /* most looks find nothing new */
    flags->looked = picture->number;
    if (known && !same && !again) {
        doubt(flags, picture);
        return;
    }
    if (known && !same)
        keep_lost(flags, picture->flags);
    json_t *changes = trim(picture->changes), *said = join_said(flags, picture->flags);
    bool fresh = !same || flags->proving != NULL || flags->held == NULL ||
                 !json_equal(changes, flags->changes) || !json_equal(said, flags->said);
    free(flags->proving);
    flags->proving = NULL;
    (void)renew(&flags->system, picture->system_id);
    (void)renew(&flags->database, picture->database);
    json_decref(flags->changes);
    json_decref(flags->said);
    flags->changes = changes;
    flags->said = said;
    if (fresh)
        make(flags, NULL);
}

/* ---- the beginning -------------------------------------------------------------------------- */

static void take_state(Flags *flags, const json_t *state)
{
    json_decref(flags->changes);
    json_decref(flags->said);
    json_decref(flags->promised);
    flags->changes = json_incref(json_object_get(state, "changes"));
    flags->said = json_incref(json_object_get(state, "flags"));
    flags->promised = json_incref(json_object_get(state, "promised"));
    json_array_extend(flags->lost, json_object_get(state, "lost"));
    (void)renew(&flags->system, text_of(state, "system"));
    (void)renew(&flags->database, text_of(state, "database"));
    make(flags, NULL);
}

static Err *load(Flags *flags)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *text = NULL;
    size_t len = 0;
    TRY(flag_file_read(arena, flags->options.state_file, &text, &len));
    if (text == NULL)
        return NULL;
    json_t *state = json_loadb(text, len, 0, NULL);
    bool whole = json_integer_value(json_object_get(state, "v")) == 1 &&
                 json_is_array(json_object_get(state, "changes")) &&
                 json_is_array(json_object_get(state, "flags")) &&
                 json_is_object(json_object_get(state, "promised"));
    bool ours = str_eq(text_of(state, "label"), flags->options.label);
    if (whole && ours)
        take_state(flags, state);
    json_decref(state);
    return !whole  ? err_new(ERR_CONFIG, "\"%s\" cannot be read; it is not used", flags->options.state_file)
           : !ours ? err_new(ERR_CONFIG, "\"%s\" is of another database; it is not used",
                             flags->options.state_file)
                   : NULL;
}

Flags *flags_new(const FlagsOptions *options)
{
    Flags *flags = mem_zero(sizeof *flags);
    flags->options = *options;
    flags->options.label = options->label == NULL ? "" : options->label;
    (void)pthread_mutex_init(&flags->lock, NULL);
    flags->by_flag = flag_counts_new();
    flags->changes = json_array();
    flags->said = json_array();
    flags->promised = json_object();
    flags->lost = json_array();
    if (options->state_file != NULL)
        log_err("the state file", load(flags));
    return flags;
}

void flags_free(Flags *flags)
{
    if (flags == NULL)
        return;
    if (flags->held != NULL)
        flags->held->holders--;
    drop_idle(flags);
    json_decref(flags->changes);
    json_decref(flags->said);
    json_decref(flags->promised);
    json_decref(flags->lost);
    flag_counts_free(flags->by_flag);
    char *const texts[] = {flags->database, flags->system, flags->proving, flags->state_etag,
                           flags->flagd_etag};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    (void)pthread_mutex_destroy(&flags->lock);
    free(flags);
}
