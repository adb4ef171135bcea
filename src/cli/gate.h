/* gate.h — whether one database lets code that needs a column go live. */
#pragma once
#include "cli/places.h"
#include "serve/flagset.h"

typedef enum GateState {
    GATE_OPEN,
    GATE_SHUT,    /* something is missing */
    GATE_UNKNOWN, /* it cannot be told */
} GateState;

typedef struct GateAsk {
    const char *column; /* "orders.amount_cents", also with schema, or "@CHANGE" behind it */
    FlagKind use;       /* FLAG_WRITE, FLAG_READ, FLAG_DROP_READY */
} GateAsk;

/* Texts live in the arena of the look. */
typedef struct GateAnswer {
    GateState state;
    const char *key;                            /* the flag's, in full; NULL: none was found */
    const char *change, *change_digest, *stage; /* NULL where there is none */
    const char *missing;                        /* for people; NULL: nothing */
    const char *hint;                           /* NULL */
    int code;                                   /* of GATE_UNKNOWN: EXIT_USAGE or EXIT_CONNECT */
} GateAnswer;

/* Holds the flags of its journal against the question, and the catalog against the flags. Never fails: what
 * cannot be looked at is GATE_UNKNOWN. */
void gate_look(Cli *cli, Arena *arena, const Place *place, const GateAsk *ask, GateAnswer *ret_answer);
/* The answer for what could not be looked at; frees the error. */
GateAnswer gate_unknown(Arena *arena, Err *err);
