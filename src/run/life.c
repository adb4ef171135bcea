/* The life of a column: what every change did to it, what was promised and said of it, in order. */
#include "run/columns.h"
#include "run/runner.h"

#include <string.h>
#include <strings.h>

/* Which column, and what is known of it so far. */
typedef struct Life {
    Dialect dialect;
    const char *schema, *table, *column; /* schema NULL: that of the first one met */
    json_t *events;
} Life;

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text == NULL ? "" : text;
}

/* "a"."B".c apart; the last two, or three, of them. */
static Err *read_name(Life *life, Arena *arena, const char *name)
{
    const char *parts[3];
    size_t count = 0;
    CLEANUP(str_donep) Str part = STR_INIT;
    bool quoted = false, good = true;
    for (const char *at = name;; at++) {
        if (*at == '"' || *at == '`') {
            quoted = !quoted;
        } else if (*at == '\0' || (*at == '.' && !quoted)) {
            good = good && part.len > 0 && count < ARRAY_LEN(parts);
            if (good)
                parts[count++] = arena_dup(arena, part.buf);
            str_clear(&part);
        } else {
            str_addn(&part, at, 1);
        }
        if (*at == '\0')
            break;
    }
    if (!good || quoted || count < 2)
        return err_hint(err_new(ERR_USAGE, "\"%s\" is no name of a column", name), "write table.column");
    life->schema = count == 3 ? parts[0] : NULL;
    life->table = parts[count - 2];
    life->column = parts[count - 1];
    return NULL;
}

static bool same(const Life *life, const char *a, const char *b)
{
    return life->dialect == DIALECT_MYSQL ? strcasecmp(a, b) == 0 : strcmp(a, b) == 0;
}

static bool is_it(const Life *life, const json_t *named)
{
    return same(life, text_of(named, "column"), life->column) &&
           same(life, text_of(named, "table"), life->table) &&
           (life->schema == NULL || same(life, text_of(named, "schema"), life->schema));
}

static void add_event(Life *life, const char *at, const json_t *change, const char *event, const char *text)
{
    json_array_append_new(life->events, json_pack("{s:s, s:s, s:s, s:i, s:s, s:n, s:n}", "at", at, "change",
                                                  text_of(change, "name"), "event", event, "step", 0, "text",
                                                  text, "detail", "by"));
}

/* What one change did, as far as it is told by its row. */
static void add_change(Life *life, Arena *arena, const json_t *change, const char *is)
{
    const char *owner = text_of(change, "owner"), *state = text_of(change, "state");
    const char *begun = arena_printf(arena, "%s by change %s%s%s", is, text_of(change, "name"),
                                     owner[0] == '\0' ? "" : ", owner ", owner);
    add_event(life, text_of(change, "created_at"), change, is, begun);
    if (text_of(change, "ready_at")[0] != '\0')
        add_event(life, text_of(change, "ready_at"), change, "ready", "ready for the new application");
    if (text_of(change, "ended_at")[0] != '\0')
        add_event(life, text_of(change, "ended_at"), change, state, state);
}

static void take_changes(Life *life, Arena *arena, const json_t *status)
{
    size_t i = 0, j = 0;
    const json_t *change = NULL, *named = NULL;
    json_array_foreach(json_object_get(status, "changes"), i, change)
        json_array_foreach(json_object_get(change, "columns"), j, named)
    {
        if (!is_it(life, named))
            continue;
        if (life->schema == NULL)
            life->schema = arena_dup(arena, text_of(named, "schema"));
        add_change(life, arena, change, text_of(named, "is"));
    }
}

/* Events that say something of this very column: in their detail, or by a name in it. */
static bool is_about(const Life *life, Arena *arena, const json_t *event)
{
    const json_t *detail = json_object_get(event, "detail");
    if (is_it(life, detail))
        return true;
    const char *name = arena_printf(arena, "%s.%s", life->table, life->column);
    const char *members[] = {"flag", "object", "column"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const char *text = text_of(detail, members[i]), *found = strstr(text, name);
        char behind = found == NULL ? '\0' : found[strlen(name)];
        bool begins = found != NULL && (found == text || found[-1] == '.');
        if (begins && (behind == '\0' || behind == '.' || behind == '@'))
            return true;
    }
    return false;
}

static bool is_earlier(const json_t *a, const json_t *b)
{
    return strcmp(text_of(a, "at"), text_of(b, "at")) < 0;
}

/* By time; what happened at one time stays in order. */
static void sort(json_t *events)
{
    for (size_t i = 1; i < json_array_size(events); i++)
        for (size_t j = i; j > 0 && is_earlier(json_array_get(events, j), json_array_get(events, j - 1));
             j--) {
            json_t *later = json_incref(json_array_get(events, j - 1));
            json_array_set(events, j - 1, json_array_get(events, j));
            json_array_set_new(events, j, later);
        }
}

static Err *tell(Life *life, Arena *arena, const RunOptions *options, const char *name, json_t **ret_json)
{
    json_t *status = NULL, *history = NULL;
    size_t i = 0;
    json_t *event = NULL;
    TRY(read_name(life, arena, name));
    TRY(run_status(options, arena, NULL, true, &status));
    take_changes(life, arena, status);
    Err *err = run_history(options, arena, NULL, &history);
    json_array_foreach(json_object_get(history, "events"), i, event) if (is_about(life, arena, event))
        json_array_append(life->events, event);
    json_decref(status);
    json_decref(history);
    TRY(err);
    if (json_array_size(life->events) == 0)
        return err_hint(
            err_new(ERR_USAGE, "no change in the journal was about \"%s\", and none has that name", name),
            "\"stoa history\" shows all that happened");
    sort(life->events);
    *ret_json = json_pack("{s:i, s:o, s:O}", "v", 1, "column",
                          json_sprintf("%s%s%s.%s", life->schema == NULL ? "" : life->schema,
                                       life->schema == NULL ? "" : ".", life->table, life->column),
                          "events", life->events);
    return NULL;
}

Err *run_life(const RunOptions *options, Arena *arena, const char *name, json_t **ret_json)
{
    Life life = {.dialect = options->ops->dialect, .events = json_array()};
    Err *err = tell(&life, arena, options, name, ret_json);
    json_decref(life.events);
    return err;
}
