/* flags.h — the flags that are answered right now: of the last picture, held to what was answered before, and
 * kept in a file beyond the end of the process. */
#pragma once
#include "serve/board.h"
#include "serve/flagset.h"

typedef struct Flags Flags;

typedef struct FlagsOptions {
    const char *state_file;  /* NULL: nothing survives */
    const char *flagd_file;  /* NULL */
    const char *label;       /* of the database: what stands in a file of another one is not taken */
    const char *environment; /* NULL */
} FlagsOptions;

/* The options' texts must live as long. With what the state file has; a file that cannot be used is told in
 * the log. */
Flags *flags_new(const FlagsOptions *options) __attribute__((returns_nonnull));
void flags_free(Flags *flags);
/* On the board's thread, after each look. A true stays true while the journal bears it out or cannot be read.
 * Where server or timeline is another one, all flags are answered with an error until a second look at it.
 * Files are written where something changed. */
void flags_look(Flags *flags, const Picture *picture);
/* The flags for as long as they are held, from any thread; NULL: nothing was ever known. */
const FlagSet *flags_take(Flags *flags);
void flags_give(Flags *flags, const FlagSet *set);
/* Whether there is such a set. */
bool flags_known(Flags *flags);
/* How often there was such an answer; FLAG_REASON_COUNT: there was no such flag. */
void flags_count(Flags *flags, FlagReason reason);
/* One flag was asked for by its name. */
void flags_count_one(Flags *flags, const Flag *flag, FlagReason reason);
int64_t flags_counted(const Flags *flags, FlagReason reason);
