/* Findings that were there before. */
#include "base/str.h"
#include "check/check.h"

#include <jansson.h>
#include <stdlib.h>

char *baseline_text(const CheckResult *result)
{
    json_t *list = json_array();
    for (size_t i = 0; i < result->findings.len; i++) {
        const Finding *finding = &result->findings.items[i];
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "file", finding->file, "rule",
                                                    finding->rule->id, "print", finding->print));
    }
    json_t *object = json_pack("{s:i, s:o}", "v", 1, "findings", list);
    char *text = json_dumps(object, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    json_decref(object);
    return text == NULL ? mem_dup("{\"v\":1,\"findings\":[]}") : text;
}

Err *baseline_read(Arena *arena, const char *text, Baseline *ret_baseline)
{
    json_error_t where;
    json_t *object = json_loads(text, 0, &where);
    json_t *list = json_object_get(object, "findings"), *item;
    size_t index;
    if (!json_is_array(list)) {
        json_decref(object);
        return err_hint(err_new(ERR_CONFIG, "the baseline is not one that --write-baseline has written"),
                        "write it anew");
    }
    json_array_foreach(list, index, item)
    {
        const char *print = json_string_value(json_object_get(item, "print"));
        if (print != NULL)
            *vec_push(arena, ret_baseline) = (BaselineEntry){.print = arena_dup(arena, print)};
    }
    json_decref(object);
    return NULL;
}

bool baseline_takes(Baseline *baseline, const Finding *finding)
{
    for (size_t i = 0; i < baseline->len; i++) {
        BaselineEntry *entry = &baseline->items[i];
        if (entry->used || !str_eq(entry->print, finding->print))
            continue;
        return entry->used = true;
    }
    return false;
}
