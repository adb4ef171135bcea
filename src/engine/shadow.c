/* A shadow's specification as the journal keeps it. */
#include "engine/shadow.h"

#include "base/str.h"

static json_t *text_json(const char *text) { return text == NULL ? json_null() : json_string(text); }

static json_t *list_json(const char *const *items, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_string(items[i]));
    return list;
}

static void put_logs(json_t *json, const ShadowSpec *spec)
{
    (void)json_object_set_new(json, "key_log", json_string(spec->key_log));
    (void)json_object_set_new(json, "copied_log", json_string(spec->copied_log));
    (void)json_object_set_new(json, "key_types", list_json(spec->key_types, spec->key_count));
    (void)json_object_set_new(json, "behind", list_json(spec->behind, spec->behind_count));
    (void)json_object_set_new(json, "front", list_json(spec->front, spec->front_count));
    (void)json_object_set_new(json, "role", text_json(spec->role));
}

json_t *shadow_spec_to_json(const ShadowSpec *spec)
{
    json_t *columns = json_array();
    for (size_t i = 0; i < spec->column_count; i++) {
        const ShadowColumn *column = &spec->columns[i];
        (void)json_array_append_new(columns, json_pack("{s:s, s:o, s:s, s:b}", "name", column->name, "source",
                                                       text_json(column->source), "expr", column->expr,
                                                       "same", column->same));
    }
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s*, s:o, s:s, s:o, s:o, s:b, s:b, s:b, s:b, s:s*, s:s*, s:s*, "
                  "s:s*, s:s, s:b, s:I}",
                  "schema", spec->schema, "source", spec->source, "shadow", spec->shadow, "old", spec->old,
                  "sentry", spec->sentry, "columns", columns, "key", spec->key, "key_columns",
                  list_json(spec->key_columns, spec->key_count), "key_targets",
                  list_json(spec->key_targets, spec->key_count), "key_exact", spec->key_exact, "key_unique",
                  spec->key_unique, "tightens", spec->tightens, "one_writer", spec->one_writer, "keys_off",
                  spec->keys_off, "keys_on", spec->keys_on, "keys_away", spec->keys_away, "keys_back",
                  spec->keys_back, "capture", spec->capture == CAPTURE_LOG ? "log" : "trigger", "back",
                  spec->back, "change_id", (json_int_t)spec->change_id);
    if (spec->key_log != NULL)
        put_logs(json, spec);
    return json;
}

static const char *get_text(Arena *arena, const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text == NULL ? NULL : arena_dup(arena, text);
}

static bool get_bool(const json_t *json, const char *key) { return json_is_true(json_object_get(json, key)); }

static const char *const *get_list(Arena *arena, const json_t *list)
{
    size_t count = json_array_size(list);
    const char **items = arena_alloc(arena, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        items[i] = arena_dup(arena, text == NULL ? "" : text);
    }
    return items;
}

const ShadowSpec *shadow_spec_from_json(Arena *arena, const json_t *json)
{
    if (!json_is_object(json))
        return NULL;
    const json_t *list = json_object_get(json, "columns");
    size_t count = json_array_size(list);
    ShadowColumn *columns = arena_alloc(arena, (count + 1) * sizeof *columns);
    for (size_t i = 0; i < count; i++) {
        const json_t *column = json_array_get(list, i);
        columns[i] = (ShadowColumn){.name = get_text(arena, column, "name"),
                                    .source = get_text(arena, column, "source"),
                                    .expr = get_text(arena, column, "expr"),
                                    .same = get_bool(column, "same")};
    }
    ShadowSpec *spec = arena_alloc(arena, sizeof *spec);
    *spec = (ShadowSpec){
        .schema = get_text(arena, json, "schema"),
        .source = get_text(arena, json, "source"),
        .shadow = get_text(arena, json, "shadow"),
        .old = get_text(arena, json, "old"),
        .sentry = get_text(arena, json, "sentry"),
        .columns = columns,
        .column_count = count,
        .key = get_text(arena, json, "key"),
        .key_columns = get_list(arena, json_object_get(json, "key_columns")),
        .key_targets = get_list(arena, json_object_get(json, "key_targets")),
        .key_count = json_array_size(json_object_get(json, "key_columns")),
        .key_exact = get_bool(json, "key_exact"),
        .key_unique = get_bool(json, "key_unique"),
        .tightens = get_bool(json, "tightens"),
        .one_writer = get_bool(json, "one_writer"),
        .keys_off = get_text(arena, json, "keys_off"),
        .keys_on = get_text(arena, json, "keys_on"),
        .keys_away = get_text(arena, json, "keys_away"),
        .keys_back = get_text(arena, json, "keys_back"),
        .capture = str_eq(json_string_value(json_object_get(json, "capture")), "log") ? CAPTURE_LOG
                                                                                      : CAPTURE_TRIGGER,
        .key_log = get_text(arena, json, "key_log"),
        .copied_log = get_text(arena, json, "copied_log"),
        .key_types = get_list(arena, json_object_get(json, "key_types")),
        .behind = get_list(arena, json_object_get(json, "behind")),
        .behind_count = json_array_size(json_object_get(json, "behind")),
        .front = get_list(arena, json_object_get(json, "front")),
        .front_count = json_array_size(json_object_get(json, "front")),
        .role = get_text(arena, json, "role"),
        .back = get_bool(json, "back"),
        .change_id = json_integer_value(json_object_get(json, "change_id")),
    };
    return spec;
}
