/* flagset.h — the flags of one picture, with their answers made ready. A set never changes. The vocabulary
 * is in docs/flags.md. */
#pragma once
#include "base/str.h"
#include "serve/flag_counts.h"
#include "serve/flag_key.h"

#include <jansson.h>

typedef enum FlagKind { FLAG_WRITE, FLAG_READ, FLAG_STAGE, FLAG_DROP_READY, FLAG_KIND_COUNT } FlagKind;
const char *flag_kind_name(FlagKind kind);

typedef enum FlagReason {
    FLAG_STATIC,   /* what the journal says */
    FLAG_SPLIT,    /* for a share of the targets */
    FLAG_DISABLED, /* an operator has set it off */
    FLAG_ERROR,    /* what was true is not proved: clients use their defaults */
    FLAG_REASON_COUNT
} FlagReason;

/* An answer to one evaluation, without its beginning {"key":"…". */
typedef struct FlagAnswer {
    FlagReason reason;
    bool on;
    const char *tail;
    size_t tail_len;
    const char *whole; /* with the key in full */
    size_t whole_len;
} FlagAnswer;

typedef struct Flag {
    const char *key;   /* in full */
    const char *plain; /* flag_key_plain() of it */
    FlagKind kind;
    const char *change;
    bool named;        /* the key ends in "@CHANGE" */
    bool on;           /* what the journal says, whatever operators say; of a stage: it is not off */
    bool ended;        /* an operator ended it: aborted, reverted, or the column was dropped since */
    const char *stage; /* of FLAG_STAGE */
    bool off;
    int share;            /* FLAG_SHARE_ALL: everybody */
    const json_t *said;   /* the operator's last word, as run_view_flags() has it; NULL */
    const char *unproved; /* why it is answered with an error; NULL */
    FlagCount *counted;   /* NULL: not by itself */
    FlagAnswer in, out;   /* the same where there is no share; `out` also for who is without a key */
} Flag;

typedef struct FlagSet FlagSet;

typedef struct FlagSource {
    const json_t *changes; /* as Picture.changes */
    const json_t *said;    /* as Picture.flags */
    const char *database, *system;
    const char *environment; /* NULL */
    const json_t *promised;  /* {"key": "change"}: what was answered with true; NULL */
    const char *unproved;    /* nothing of it is proved, and why; NULL */
    FlagCounts *counts;      /* must live as long as the set; NULL: flags are not counted */
} FlagSource;

FlagSet *flagset_make(const FlagSource *source) __attribute__((returns_nonnull));
void flagset_free(FlagSet *set);
size_t flagset_count(const FlagSet *set);
const Flag *flagset_at(const FlagSet *set, size_t at);
/* By its key in full or in a shorter form that only one flag has. NULL: *ret_why says why, in `arena`. */
const Flag *flagset_find(const FlagSet *set, Arena *arena, const char *key, const char **ret_why);
/* `target` NULL: none is given. */
const FlagAnswer *flag_answer(const Flag *flag, const char *target, size_t target_len);

/* A document with what it is known by: an ETag in quotes, over the document. */
typedef struct FlagDoc {
    const char *text;
    size_t len;
    const char *etag;
} FlagDoc;
/* The answer to all flags at once without a target, and where no flag has a share to everybody; *ret_split
 * says whether one has. */
FlagDoc flagset_bulk(const FlagSet *set, bool *ret_split);
/* The same for one target, in `arena`. */
FlagDoc flagset_bulk_for(const FlagSet *set, Arena *arena, const char *target, size_t target_len);
/* flagd's document. */
FlagDoc flagset_flagd(const FlagSet *set);
/* For people and tools: [{"key","value","kind","change","share","off","said","error"}]. */
json_t *flagset_told(const FlagSet *set);
