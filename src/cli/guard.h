/* guard.h — a second process that lives beside a brown-out: when the first one is killed, it shows the thing
 * again. */
#pragma once
#include "cli/session.h"

typedef struct Guard {
    int64_t pid; /* 0: none */
    int fd;
} Guard;

/* Begins it, and returns when it has reached the database. ERR_UNSAFE where it does not come to that: then
 * nothing may be hidden. It has no descriptor of ours but one, so a session of ours that is lost is lost for
 * the server at once. */
Err *guard_start(Cli *cli, const RunOptions *options, Guard *ret_guard) MUST_USE;
/* All is shown again: it goes. Nothing where there is none. */
void guard_end(Guard *guard);
