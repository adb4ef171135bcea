/* The demo's figures side by side. */
#include "base/str.h"
#include "base/unit.h"
#include "demo/demo.h"
#include "demo/engine.h"

#include <string.h>

typedef enum Form { FORM_SECONDS, FORM_COUNT, FORM_BYTES, FORM_RATIO, FORM_MS } Form;

typedef struct Line {
    const char *label; /* NULL: what the engine calls its log */
    const char *path;  /* keys from the side's object, joined by dots */
    Form form;
    bool ratio; /* the last column says plain / stoa */
} Line;

static const Line lines[] = {
    {"seconds", "seconds", FORM_SECONDS, true},
    {"rows per second", "rows_per_s", FORM_COUNT, true},
    {NULL, "wal_bytes", FORM_BYTES, true},
    {"heap growth", "heap_ratio", FORM_RATIO, false},
    {"index growth", "index_ratio", FORM_RATIO, false},
    {"application p50", "p50_ms", FORM_MS, true},
    {"application p95", "p95_ms", FORM_MS, true},
    {"application p99", "p99_ms", FORM_MS, true},
    {"application longest wait", "max_ms", FORM_MS, true},
    {"application errors", "application.errors", FORM_COUNT, false},
    {"rows wrong", "rows_wrong", FORM_COUNT, false},
};

static const json_t *json_at(const json_t *json, const char *path)
{
    while (json != NULL && *path != '\0') {
        char key[64];
        size_t len = strcspn(path, ".");
        (void)snprintf(key, sizeof key, "%.*s", (int)len, path);
        json = json_object_get(json, key);
        path += len + (path[len] == '.');
    }
    return json;
}

/* Latencies stand below application.before and application.during. */
static const json_t *value_at(const json_t *side, const Line *line, const char *span)
{
    if (line->form != FORM_MS)
        return strcmp(span, "during") == 0 ? json_at(side, line->path) : NULL;
    return json_at(json_at(json_at(side, "application"), span), line->path);
}

static const char *value_text(const json_t *value, Form form, char *ret_text)
{
    ret_text[0] = '\0';
    if (!json_is_number(value))
        return ret_text;
    double number = json_number_value(value);
    switch (form) {
    case FORM_SECONDS:
        (void)snprintf(ret_text, UNIT_TEXT_BYTES, "%.1f s", number);
        break;
    case FORM_COUNT:
        (void)unit_count_text((int64_t)number, ret_text);
        break;
    case FORM_BYTES:
        (void)unit_size_text((int64_t)number, ret_text);
        break;
    case FORM_RATIO:
        (void)snprintf(ret_text, UNIT_TEXT_BYTES, "%.2fx", number);
        break;
    case FORM_MS:
        (void)snprintf(ret_text, UNIT_TEXT_BYTES, number < 100 ? "%.1f ms" : "%.0f ms", number);
        break;
    }
    return ret_text;
}

/* The server's words without the statement before and the row after them. */
static const char *error_words(Arena *arena, const char *text)
{
    if (text == NULL)
        return NULL;
    const char *from = strstr(text, "\": ");
    from = from != NULL ? from + 3 : text;
    const char *end = strstr(from, " (Failing row");
    return arena_dupn(arena, from, end != NULL ? (size_t)(end - from) : strlen(from));
}

/* ---- predictions ---------------------------------------------------------------------------- */

typedef struct Told {
    const char *label;
    const char *range, *actual; /* paths: of the report, and of the figures */
    Form form;
} Told;

static const Told tolds[] = {
    {"stoa apply, its steps", "prediction.seconds", "told.seconds.actual", FORM_SECONDS},
    {"  log, truth with the application's", "prediction.wal_bytes", "told.wal_bytes.actual", FORM_BYTES},
    {"  longest wait of the application", "prediction.longest_stall_ms", "application.during.max_ms",
     FORM_MS},
    {"as usually written", "naive.seconds", "naive.seconds", FORM_SECONDS},
    {"  log, truth with the application's", "naive.wal_bytes", "naive.wal_bytes", FORM_BYTES},
    {"  longest wait of the application", "naive.longest_stall_ms", "naive.application.during.max_ms",
     FORM_MS},
};

static void add_told(Str *out, const char *label, const json_t *range, const json_t *actual, Form form)
{
    char low[UNIT_TEXT_BYTES], high[UNIT_TEXT_BYTES], was[UNIT_TEXT_BYTES], span[2 * UNIT_TEXT_BYTES + 8];
    if (!json_is_number(actual) || !json_is_object(range))
        return;
    double from = json_number_value(json_object_get(range, "low"));
    double to = json_number_value(json_object_get(range, "high")), value = json_number_value(actual);
    (void)snprintf(span, sizeof span, "%s to %s", value_text(json_object_get(range, "low"), form, low),
                   value_text(json_object_get(range, "high"), form, high));
    str_addf(out, "%-48.48s%26s%14s  %s\n", label, span, value_text(actual, form, was),
             value < from  ? "less"
             : value <= to ? "inside"
                           : "more");
}

char *demo_predictions(Arena *arena, const json_t *json)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    const json_t *report = json_object_get(json, "rehearsal"), *step = NULL;
    const json_t *told = json_array_get(json_at(json, "predictions.changes"), 0);
    size_t i = 0;
    if (report == NULL || told == NULL)
        return arena_dup(arena, "");
    char rows[UNIT_TEXT_BYTES], made[UNIT_TEXT_BYTES], title[160];
    (void)snprintf(title, sizeof title, "rehearsed with %s rows for %s",
                   unit_count_text((int64_t)json_number_value(json_at(report, "rehearsed_rows")), made),
                   unit_count_text((int64_t)json_number_value(json_at(report, "rows")), rows));
    str_addf(&out, "%-48s%26s%14s\n", title, "predicted", "was");
    for (i = 0; i < ARRAY_LEN(tolds); i++) {
        const json_t *actual = strncmp(tolds[i].actual, "told.", 5) == 0 ? json_at(told, tolds[i].actual + 5)
                                                                         : json_at(json, tolds[i].actual);
        add_told(&out, tolds[i].label, json_at(report, tolds[i].range), actual, tolds[i].form);
    }
    json_array_foreach(json_object_get(told, "steps"), i, step)
    {
        char label[200];
        (void)snprintf(label, sizeof label, "%3d %s",
                       (int)json_integer_value(json_object_get(step, "ordinal")),
                       json_string_value(json_object_get(step, "title")));
        if (json_is_true(json_at(step, "seconds.scored")))
            add_told(&out, label, json_object_get(step, "seconds"), json_at(step, "seconds.actual"),
                     FORM_SECONDS);
    }
    return arena_dup(arena, out.buf);
}

char *demo_table(Arena *arena, const json_t *json)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    const json_t *naive = json_object_get(json, "naive");
    const DemoEngine *engine =
        str_eq(json_string_value(json_object_get(json, "engine")), host_engine_my.title) ? &demo_engine_my
                                                                                         : &demo_engine_pg;
    str_addf(&out, "%-26s%14s%14s%18s%10s\n", "", "before", "stoa apply", engine->plain_title, "ratio");
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char before[UNIT_TEXT_BYTES], stoa[UNIT_TEXT_BYTES], plain[UNIT_TEXT_BYTES],
            ratio[UNIT_TEXT_BYTES] = "";
        const json_t *ours = value_at(json, &lines[i], "during"),
                     *theirs = value_at(naive, &lines[i], "during");
        if (lines[i].ratio && json_number_value(ours) > 0)
            (void)snprintf(ratio, sizeof ratio, "%.2fx", json_number_value(theirs) / json_number_value(ours));
        str_addf(&out, "%-26s%14s%14s%18s%10s\n", lines[i].label != NULL ? lines[i].label : engine->log_title,
                 value_text(value_at(json, &lines[i], "before"), lines[i].form, before),
                 value_text(ours, lines[i].form, stoa), value_text(theirs, lines[i].form, plain), ratio);
    }
    const char *error = error_words(arena, json_string_value(json_at(naive, "application.first_error")));
    if (error != NULL)
        str_addf(&out, "\nWith %s the application, which does not know the change, met: %s\n",
                 engine->plain_title, error);
    return arena_dup(arena, out.buf);
}
