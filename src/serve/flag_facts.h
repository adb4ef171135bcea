/* flag_facts.h — what a change in the journal means for those who write and read its columns. */
#pragma once
#include "serve/flagset.h"

typedef struct FlagFacts {
    bool ended;       /* aborted, reverted, or about to be: the operator's act */
    bool expanded;    /* the column has its place, and whoever writes it is understood */
    bool filled;      /* so are all rows */
    bool ready;       /* verified and constrained, at a position that every replica has replayed */
    bool contracting; /* complete has begun */
    bool completed;
    bool evidence; /* complete has shown that nobody uses what is to go */
} FlagFacts;

FlagFacts flag_facts(const json_t *change);
/* "off", "dualwrite", "shadow", "live", "rampdown", "complete". */
const char *flag_stage(const FlagFacts *facts);

/* flag_answer.c */
typedef struct FlagMaker {
    Arena *arena;
    const FlagSource *source;
} FlagMaker;
/* Makes `in` and `out` of a flag that is otherwise whole. `change`: as in a picture; NULL. */
void flag_prepare(const FlagMaker *maker, Flag *flag, const json_t *change);
FlagDoc flag_doc(Arena *arena, const Str *text);
/* {"flags":[…],"eventStreams":[…],"metadata":{…}} for one target, NULL: none. */
void flag_bulk_text(const FlagSource *source, const Flag *flags, size_t count, const char *target,
                    size_t target_len, Str *out);
void flag_flagd_text(const FlagSource *source, const Flag *flags, size_t count, Str *out);
