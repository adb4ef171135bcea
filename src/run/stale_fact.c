/* Members of facts, words for figures, and findings. */
#include "run/stale.h"

#include "base/str.h"
#include "base/unit.h"

#include <stdlib.h>
#include <string.h>

enum { DAY_S = 86400 };

const char *stale_text(const json_t *row, const char *member)
{
    return json_string_value(json_object_get(row, member));
}

int64_t stale_int(const json_t *row, const char *member)
{
    const json_t *value = json_object_get(row, member);
    if (json_is_string(value))
        return strtoll(json_string_value(value), NULL, 10);
    return json_is_real(value) ? (int64_t)json_real_value(value) : json_integer_value(value);
}

double stale_double(const json_t *row, const char *member)
{
    const json_t *value = json_object_get(row, member);
    return json_is_string(value) ? strtod(json_string_value(value), NULL) : json_number_value(value);
}

bool stale_flag(const json_t *row, const char *member)
{
    const json_t *value = json_object_get(row, member);
    const char *text = json_string_value(value);
    if (text != NULL)
        return text[0] == 't' || text[0] == '1' || text[0] == 'Y';
    return json_is_true(value) || json_integer_value(value) != 0;
}

bool stale_has(const json_t *row, const char *member)
{
    const json_t *value = json_object_get(row, member);
    return value != NULL && !json_is_null(value);
}

const json_t *stale_server(const Stale *stale) { return json_array_get(stale->facts[STALE_SERVER], 0); }

bool stale_is_live(const Stale *stale, const char *schema, const char *table)
{
    if (schema == NULL || table == NULL)
        return false;
    return json_object_get(stale->live, arena_printf(stale->arena, "%s.%s", schema, table)) != NULL;
}

bool stale_is_left(const Stale *stale, const char *object)
{
    size_t i = 0;
    const json_t *finding = NULL;
    json_array_foreach(stale->findings, i,
                       finding) if (str_eq(stale_text(finding, "kind"), "leftover") &&
                                    str_eq(stale_text(finding, "object"), object)) return true;
    return false;
}

/* ---- words for figures ---------------------------------------------------------------------- */

Confidence stale_by_age(int64_t age_s)
{
    return age_s >= 30 * DAY_S ? CONFIDENCE_HIGH : age_s >= 7 * DAY_S ? CONFIDENCE_MEDIUM : CONFIDENCE_LOW;
}

const char *confidence_name(Confidence confidence)
{
    static const char *const names[] = {"low", "medium", "high"};
    return names[confidence];
}

const char *stale_age(Arena *arena, int64_t age_s)
{
    char text[UNIT_TEXT_BYTES];
    if (age_s >= 2 * DAY_S)
        return arena_printf(arena, "%lld days", (long long)(age_s / DAY_S));
    return arena_dup(arena, unit_duration_text(age_s < 0 ? 0 : age_s * 1000, text));
}

const char *stale_size(Arena *arena, int64_t bytes)
{
    char text[UNIT_TEXT_BYTES];
    return arena_dup(arena, unit_size_text(bytes, text));
}

const char *stale_count(Arena *arena, int64_t count)
{
    char text[UNIT_TEXT_BYTES];
    return arena_dup(arena, unit_count_text(count, text));
}

const char *stale_apply(Arena *arena, const char *sql)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    str_add(&text, "stoa apply '");
    for (const char *at = sql; *at != '\0'; at++)
        if (*at == '\'')
            str_add(&text, "'\\''");
        else
            str_addn(&text, at, 1);
    str_add(&text, "'");
    return arena_dup(arena, text.buf);
}

const char *stale_unseen(const Stale *stale)
{
    int64_t standbys = stale_int(stale_server(stale), "standbys");
    if (stale->standby)
        return "this server is a standby, and its primary was not asked";
    if (standbys <= (int64_t)stale->replicas_asked)
        return NULL;
    return arena_printf(stale->arena, "%lld of %lld standbys were not asked (--replicas)",
                        (long long)(standbys - (int64_t)stale->replicas_asked), (long long)standbys);
}

/* ---- findings ------------------------------------------------------------------------------- */

void stale_add(Stale *stale, const StaleFinding *finding)
{
    json_t *json = json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s, s:s, s:s}", "kind", finding->kind, "object",
                             finding->object, "schema", finding->schema, "table", finding->table, "name",
                             finding->name, "confidence", confidence_name(finding->confidence), "evidence",
                             finding->evidence, "do", finding->todo);
    if (json == NULL)
        return; /* a name that is no UTF-8: it cannot be told */
    json_object_set_new(json, "bytes", finding->bytes < 0 ? json_null() : json_integer(finding->bytes));
    if (finding->tool != NULL)
        json_object_set_new(json, "tool", json_string(finding->tool));
    json_array_append_new(stale->findings, json);
}
