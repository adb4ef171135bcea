/* The hash chain over the event log. */
#include "run/chain.h"

#include "base/digest.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *chain_hash(Arena *arena, const char *before, const char *const fields[CHAIN_FIELDS])
{
    CLEANUP(str_donep) Str text = STR_INIT;
    str_add(&text, before);
    str_add(&text, "\n");
    for (size_t i = 0; i < CHAIN_FIELDS; i++) {
        if (fields[i] == NULL)
            str_add(&text, "-");
        else
            str_addf(&text, "%zu:%s", strlen(fields[i]), fields[i]);
        str_add(&text, "\n");
    }
    return digest_text(arena, text.buf, text.len);
}

Chain *chain_new(const char *expected)
{
    Chain *chain = mem_zero(sizeof *chain);
    chain->expected = expected;
    chain->findings = json_array();
    return chain;
}

void chain_free(Chain *chain)
{
    if (chain == NULL)
        return;
    json_decref(chain->findings);
    free(chain);
}

void chain_find(Chain *chain, const char *kind, int64_t event_id, int64_t ordinal, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    CLEANUP(mem_freep) char *text = mem_format(fmt, args);
    va_end(args);
    chain->finding_count++;
    if (json_array_size(chain->findings) >= CHAIN_FINDINGS_MOST)
        return;
    json_t *finding = json_pack("{s:s, s:I, s:I, s:s}", "kind", kind, "event", (json_int_t)event_id, "seal",
                                (json_int_t)ordinal, "text", text);
    if (event_id == 0)
        (void)json_object_set_new(finding, "event", json_null());
    (void)json_array_append_new(chain->findings, finding);
}

/* -1 for what is no time. */
static int64_t seconds_of(const char *at)
{
    struct tm tm = {0};
    /* NOLINTNEXTLINE(cert-err34-c): what cannot be read is no time of ours */
    if (at == NULL || sscanf(at, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
                             &tm.tm_min, &tm.tm_sec) != 6)
        return -1;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (int64_t)timegm(&tm);
}

static bool is_late(const Chain *chain, const char *at)
{
    int64_t when = seconds_of(at);
    return when >= 0 && when < chain->highest_at_s - CHAIN_LATE_S;
}

/* Where the seal behind agrees with what this one had to be, the event is as it was, and its seal is not. */
static void settle(Chain *chain, bool event_is_right)
{
    if (chain->pending == 0)
        return;
    if (event_is_right)
        chain_find(chain, "seal_rewritten", chain->pending, chain->ordinal,
                   "seal %lld was written anew: it says %s, and the chain goes on from %s",
                   (long long)chain->ordinal, chain->hash, chain->computed);
    else
        chain_find(chain, "altered", chain->pending, chain->ordinal,
                   "event %lld is not what seal %lld was made of", (long long)chain->pending,
                   (long long)chain->ordinal);
    chain->pending = 0;
}

static void look_at_time(Chain *chain, const ChainSeal *seal)
{
    const char *at = seal->fields[CHAIN_AT];
    int64_t when = seconds_of(at);
    if (is_late(chain, at))
        chain_find(chain, "inserted", seal->event_id, seal->ordinal,
                   "event %lld tells of %s, and was sealed behind event %lld, which is more than an hour "
                   "younger: it was put in afterwards, or the server's clock was set back",
                   (long long)seal->event_id, at, (long long)chain->highest_at_event);
    if (when > chain->highest_at_s) {
        chain->highest_at_s = when;
        chain->highest_at_event = seal->event_id;
    }
}

static void look_at_hash(Chain *chain, const ChainSeal *seal)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *hash = chain_hash(arena, chain->hash, seal->fields);
    bool right = str_eq(hash, seal->hash), from_computed = false;
    if (!right && chain->pending != 0) {
        const char *other = chain_hash(arena, chain->computed, seal->fields);
        from_computed = str_eq(other, seal->hash);
    }
    settle(chain, from_computed);
    if (right || from_computed)
        return;
    chain->pending = seal->event_id;
    (void)snprintf(chain->computed, sizeof chain->computed, "%s", hash);
}

void chain_take(Chain *chain, const ChainSeal *seal)
{
    if (seal->ordinal != chain->ordinal + 1) {
        settle(chain, false);
        chain_find(chain, "seal_missing", 0, chain->ordinal + 1, "seals are gone: %lld to %lld",
                   (long long)chain->ordinal + 1, (long long)seal->ordinal - 1);
    } else if (seal->fields == NULL) {
        settle(chain, false);
        chain_find(chain, "deleted", seal->event_id, seal->ordinal,
                   "event %lld is gone, and seal %lld stands", (long long)seal->event_id,
                   (long long)seal->ordinal);
    } else {
        look_at_hash(chain, seal);
    }
    if (seal->fields != NULL)
        look_at_time(chain, seal);
    chain->sealed++;
    chain->ordinal = seal->ordinal;
    chain->event_id = seal->event_id;
    (void)snprintf(chain->hash, sizeof chain->hash, "%s", seal->hash);
    if (chain->expected != NULL && str_eq(seal->hash, chain->expected))
        chain->expected_ordinal = seal->ordinal;
}

void chain_unsealed(Chain *chain, int64_t event_id, const char *at)
{
    if (is_late(chain, at))
        chain_find(
            chain, "inserted", event_id, 0,
            "event %lld tells of %s, and was not there when event %lld was sealed, which is more than an "
            "hour younger",
            (long long)event_id, at, (long long)chain->highest_at_event);
}

void chain_end(Chain *chain)
{
    settle(chain, false);
    if (chain->expected != NULL && chain->expected_ordinal == 0)
        chain_find(chain, "truncated", 0, 0,
                   "the chain does not contain %s: it was cut off or written anew since that was its head",
                   chain->expected);
}
