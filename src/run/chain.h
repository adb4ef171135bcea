/* chain.h — the hash chain over the event log: what a seal says, and what does not agree with it. Pure.
 *
 * hash(n) = digest of hash(n-1), a newline, and the event's fields in the order of ChainField, each as
 * "LENGTH:TEXT" in bytes, or "-" for NULL, and a newline. Before the first seal stands the empty text. */
#pragma once
#include "base/arena.h"

#include <jansson.h>

/* As the journal's statements return them (engine/engine.h). */
typedef enum ChainField {
    CHAIN_ID,
    CHAIN_AT, /* "2026-11-29T12:38:33.123456", UTC */
    CHAIN_CHANGE,
    CHAIN_KIND,
    CHAIN_STEP,
    CHAIN_DETAIL,
    CHAIN_TEXT,
    CHAIN_BY,
    CHAIN_FIELDS
} ChainField;

/* "sha256:…" */
const char *chain_hash(Arena *arena, const char *before, const char *const fields[CHAIN_FIELDS]);

typedef struct ChainSeal {
    int64_t ordinal, event_id;
    const char *hash;
    const char *const *fields; /* CHAIN_FIELDS of them; NULL: there is no such event any more */
} ChainSeal;

/* A chain that is being read from its first seal on. Texts are copied. */
typedef struct Chain {
    const char *expected; /* a hash that must be in it; NULL */
    int64_t ordinal, event_id;
    char hash[80];
    char computed[80]; /* what the last hash had to be; "" where it is that */
    int64_t pending;   /* event of the last seal, whose hash is another one; 0: it is right */
    int64_t highest_at_s, highest_at_event;
    int64_t sealed;
    int64_t expected_ordinal; /* 0: not seen */
    json_t *findings;         /* [{"kind","event","seal","text"}], the first CHAIN_FINDINGS_MOST of them */
    size_t finding_count;
} Chain;
enum {
    CHAIN_FINDINGS_MOST = 100,
    CHAIN_LATE_S = 3600, /* no transaction of ours that writes an event stays open so long */
};

Chain *chain_new(const char *expected) __attribute__((returns_nonnull));
void chain_free(Chain *chain);
/* The next seal in the order of their numbers. */
void chain_take(Chain *chain, const ChainSeal *seal);
/* An event that has no seal: it is one that was put in where it tells of a time long before what is sealed.
 */
void chain_unsealed(Chain *chain, int64_t event_id, const char *at);
/* Behind the last seal. */
void chain_end(Chain *chain);
/* `kind`: "altered", "deleted", "inserted", "seal_missing", "seal_rewritten", "truncated". */
void chain_find(Chain *chain, const char *kind, int64_t event_id, int64_t ordinal, const char *fmt, ...)
    PRINTF(5, 6);
