/* Answers and documents of flags as text, made once a picture. */
#include "base/digest.h"
#include "serve/flag_facts.h"

#include <stdlib.h>
#include <string.h>

enum { ETAG_HEX = 32, MINUTE_TEXT = 16 };

static const char *const reasons[FLAG_REASON_COUNT] = {
    [FLAG_STATIC] = "STATIC", [FLAG_SPLIT] = "SPLIT", [FLAG_DISABLED] = "DISABLED", [FLAG_ERROR] = "ERROR"};
static const char *const stages[] = {"off", "dualwrite", "shadow", "live", "rampdown", "complete"};

static void add_json(Str *out, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    str_add(out, text == NULL ? "null" : text);
    free(text);
    json_decref(json);
}

/* ---- one flag ------------------------------------------------------------------------------- */

/* Nothing that moves while a change goes on but its stage: web clients take any difference for an event. */
static json_t *metadata(const FlagMaker *maker, const Flag *flag, const json_t *change)
{
    FlagFacts facts = flag_facts(change);
    const char *ready_at = json_string_value(json_object_get(change, "ready_at"));
    json_t *json = json_pack("{s:s, s:s}", "change", flag->change, "stage", flag_stage(&facts));
    if (ready_at != NULL && strlen(ready_at) > MINUTE_TEXT && facts.ready)
        json_object_set_new(json, "verified_at",
                            json_string(arena_printf(maker->arena, "%.*sZ", MINUTE_TEXT, ready_at)));
    if (maker->source->environment != NULL)
        json_object_set_new(json, "environment", json_string(maker->source->environment));
    return json;
}

static void set_text(FlagMaker maker, const Flag *flag, const Str *tail, FlagAnswer *answer)
{
    CLEANUP(str_donep) Str whole = STR_INIT;
    str_add(&whole, "{\"key\":");
    add_json(&whole, json_string(flag->key));
    str_addn(&whole, tail->buf, tail->len);
    answer->tail = arena_dupn(maker.arena, tail->buf, tail->len);
    answer->tail_len = tail->len;
    answer->whole = arena_dupn(maker.arena, whole.buf, whole.len);
    answer->whole_len = whole.len;
}

static void make(const FlagMaker *maker, const Flag *flag, const json_t *change, FlagReason reason, bool on,
                 FlagAnswer *answer)
{
    CLEANUP(str_donep) Str tail = STR_INIT;
    *answer = (FlagAnswer){.reason = reason, .on = on};
    if (reason == FLAG_ERROR) {
        str_add(&tail, ",\"errorCode\":\"GENERAL\",\"errorDetails\":");
        add_json(&tail, json_string(flag->unproved));
    } else if (flag->kind == FLAG_STAGE) {
        const char *stage = on ? flag->stage : "off";
        str_addf(&tail, ",\"value\":\"%s\",\"reason\":\"%s\",\"variant\":\"%s\"", stage, reasons[reason],
                 stage);
    } else {
        str_addf(&tail, ",\"value\":%s,\"reason\":\"%s\",\"variant\":\"%s\"", on ? "true" : "false",
                 reasons[reason], on ? "on" : "off");
    }
    str_add(&tail, ",\"metadata\":");
    add_json(&tail, metadata(maker, flag, change));
    str_add(&tail, "}");
    set_text(*maker, flag, &tail, answer);
}

void flag_prepare(const FlagMaker *maker, Flag *flag, const json_t *change)
{
    bool split = flag->on && flag->share < FLAG_SHARE_ALL;
    FlagReason reason = flag->unproved != NULL ? FLAG_ERROR
                        : flag->off            ? FLAG_DISABLED
                        : split                ? FLAG_SPLIT
                                               : FLAG_STATIC;
    bool on = flag->on && !flag->off && flag->unproved == NULL;
    make(maker, flag, change, reason, on, &flag->in);
    make(maker, flag, change, reason, on && !split, &flag->out);
}

const FlagAnswer *flag_answer(const Flag *flag, const char *target, size_t target_len)
{
    if (flag->in.reason != FLAG_SPLIT)
        return &flag->in;
    bool in = target != NULL && flag_share_has(flag->key, target, target_len, flag->share);
    return in ? &flag->in : &flag->out;
}

/* ---- all of them ---------------------------------------------------------------------------- */

FlagDoc flag_doc(Arena *arena, const Str *text)
{
    const char *hex = strchr(digest_text(arena, text->buf, text->len), ':');
    return (FlagDoc){.text = arena_dupn(arena, text->buf, text->len),
                     .len = text->len,
                     .etag = arena_printf(arena, "\"%.*s\"", ETAG_HEX, hex + 1)};
}

static json_t *set_metadata(const FlagSource *source)
{
    json_t *json = json_pack("{s:s, s:s, s:s}", "flagSetId", "stoa", "database", source->database, "system",
                             source->system);
    if (source->environment != NULL)
        json_object_set_new(json, "environment", json_string(source->environment));
    return json;
}

void flag_bulk_text(const FlagSource *source, const Flag *flags, size_t count, const char *target,
                    size_t target_len, Str *out)
{
    str_add(out, "{\"flags\":[");
    for (size_t i = 0; i < count; i++) {
        const FlagAnswer *answer = flag_answer(&flags[i], target, target_len);
        str_add(out, i == 0 ? "" : ",");
        str_addn(out, answer->whole, answer->whole_len);
    }
    str_add(out, "],\"eventStreams\":[{\"type\":\"sse\",\"endpoint\":{\"requestUri\":\"/ofrep/v1/stream\"}}],"
                 "\"metadata\":");
    add_json(out, set_metadata(source));
    str_add(out, "}");
}

/* Without a target flagd gives the default variant, as we do. */
static json_t *targeting(int share)
{
    return json_pack("{s:[[s,i],[s,i]]}", "fractional", "on", share, "off", FLAG_SHARE_ALL - share);
}

static json_t *flagd_flag(const Flag *flag)
{
    json_t *variants = json_object();
    for (size_t i = 0; i < ARRAY_LEN(stages) && flag->kind == FLAG_STAGE; i++)
        json_object_set_new(variants, stages[i], json_string(stages[i]));
    if (flag->kind != FLAG_STAGE) {
        json_object_set_new(variants, "on", json_true());
        json_object_set_new(variants, "off", json_false());
    }
    const char *variant = flag->kind != FLAG_STAGE ? (flag->out.on ? "on" : "off")
                          : flag->out.on           ? flag->stage
                                                   : "off";
    json_t *json =
        json_pack("{s:s, s:o, s:s, s:{s:s}}", "state", flag->unproved == NULL ? "ENABLED" : "DISABLED",
                  "variants", variants, "defaultVariant", variant, "metadata", "change", flag->change);
    if (flag->in.reason == FLAG_SPLIT)
        json_object_set_new(json, "targeting", targeting(flag->share));
    return json;
}

void flag_flagd_text(const FlagSource *source, const Flag *flags, size_t count, Str *out)
{
    json_t *all = json_object();
    for (size_t i = 0; i < count; i++)
        json_object_set_new(all, flags[i].key, flagd_flag(&flags[i]));
    json_t *json = json_pack("{s:s, s:o, s:o}", "$schema", "https://flagd.dev/schema/v0/flags.json", "flags",
                             all, "metadata", set_metadata(source));
    add_json(out, json);
}
