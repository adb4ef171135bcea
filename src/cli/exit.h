/* exit.h — what the process tells its caller: one table of exit codes, and which one an error becomes. */
#pragma once
#include "base/err.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_HELD = 3,
    EXIT_UNSAFE = 4,
    EXIT_LOCK = 5,
    EXIT_VERIFY = 6,
    EXIT_CONNECT = 7,
    EXIT_AMBIGUOUS = 8,
    EXIT_BUG = 70,
    EXIT_SIGNAL = 128, /* plus the number of the signal */
};

typedef struct ExitInfo {
    int code;
    const char *meaning; /* for help and man page */
} ExitInfo;
extern const ExitInfo exit_infos[];
extern const size_t exit_info_count;

/* The exit code of an error of this kind. */
int exit_for(ErrKind kind);
