/* command.h — a program of the user's, run for what it prints. */
#pragma once
#include "base/stop.h"
#include "base/str.h"

typedef struct Command {
    char *const *words; /* the program, found by PATH, and its arguments; NULL ends the list */
    const char *const
        *variables; /* "NAME=value", beside or in place of our own environment's; NULL: none; NULL ends */
    const char *const *without; /* names that are not handed down; NULL: all are; NULL ends */
    const char *input;          /* what it reads; NULL: nothing */
    bool errors_too;            /* its errors are among what it prints */
    bool own_group;             /* signals of the terminal are not for it; it is ended with its children */
    const Stop *stop;           /* STOP_NOW ends it; NULL */
    int64_t timeout_ms;         /* 0: no limit */
    int end_signal;             /* what ends it then, and is waited for; 0: SIGKILL */
} Command;

/* Runs it, with its errors on ours, and adds what it prints to *ret_text, up to 64 MiB; it is ended where it
 * takes too long or we are stopped. *ret_status: as waitpid() says.
 * Errors: ERR_IO (it cannot be started, it prints too much), ERR_CANCELLED (too slow), ERR_STOPPED. */
Err *command_run(const Command *command, Str *ret_text, int *ret_status) MUST_USE;
