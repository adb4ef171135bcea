/* What goes out: JSON for those who read it, variables for those who do not. */
#include "notify/notice.h"

#include "base/clock.h"
#include "base/str.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { TEXT_MOST_BYTES = 16 << 10 };

void parcel_id(char *ret_id)
{
    unsigned char bytes[16] = {0};
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort();
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(ret_id + 2 * i, 3, "%02x", bytes[i]);
}

/* Valid, and no longer than a program may be given. */
static json_t *text_json(const char *text)
{
    if (text == NULL)
        return json_null();
    CLEANUP(mem_freep) char *whole = utf8_mend(text);
    size_t len = strlen(whole);
    for (len = len < TEXT_MOST_BYTES ? len : TEXT_MOST_BYTES; ((unsigned char)whole[len] & 0xc0) == 0x80;)
        len--;
    return json_stringn(whole, len);
}

static char *variable(const char *name, const json_t *value)
{
    Str text = STR_INIT;
    const char *word = json_string_value(value);
    if (json_is_integer(value))
        str_addf(&text, "STOA_%s=%lld", name, (long long)json_integer_value(value));
    else
        str_addf(&text, "STOA_%s=%s", name, word == NULL ? "" : word);
    return str_take(&text);
}

static char **variables(const json_t *body)
{
    static const char *const names[][2] = {
        {"EVENT", "event"},     {"CHANGE", "change"}, {"STATE", "state"},
        {"STEP", "step"},       {"TEXT", "text"},     {"DATABASE", "database"},
        {"ENV", "environment"}, {"AT", "at"},         {"DELIVERY", "delivery"}};
    char **all = mem_zero((ARRAY_LEN(names) + 1) * sizeof *all);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        all[i] = variable(names[i][0], json_object_get(body, names[i][1]));
    return all;
}

Parcel *parcel_new(const NotifyOptions *options, const Notice *notice, const char *delivery)
{
    Parcel *parcel = mem_zero(sizeof *parcel);
    char at[CLOCK_TEXT_BYTES];
    clock_wall_text(at);
    memcpy(parcel->delivery, delivery, sizeof parcel->delivery);
    parcel->event = mem_dup(notice->event);
    parcel->told_ms = clock_ms();
    json_t *body = json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:i, s:o, s:o, s:o, s:s}", "v", 1, "delivery",
                             delivery, "at", at, "event", notice->event, "change", text_json(notice->change),
                             "state", text_json(notice->state), "step", notice->step, "text",
                             text_json(notice->text), "database", text_json(options->database), "environment",
                             text_json(options->environment), "stoa", STOA_VERSION);
    parcel->body = json_dumps(body, JSON_COMPACT);
    parcel->variables = variables(body);
    json_decref(body);
    return parcel;
}

void parcel_free(Parcel *parcel)
{
    for (size_t i = 0; parcel->variables[i] != NULL; i++)
        free(parcel->variables[i]);
    free(parcel->variables);
    free(parcel->event);
    free(parcel->body);
    free(parcel);
}
