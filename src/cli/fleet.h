/* fleet.h — one verb in the many databases of an environment: a process for each, in waves.
 *
 * Each database's journal is the truth of it, so nothing is kept here: the same verb again finds out what is
 * done. A process that loses its parent checkpoints and ends. */
#pragma once
#include "cli/places.h"

/* How many of `count` are done after each wave, at least one and the last one all, from "1,10%,100%"; at most
 * `most` of them. ERR_USAGE. */
Err *waves_read(const char *text, size_t count, size_t *ret_ends, size_t most,
                size_t *ret_wave_count) MUST_USE;

/* Where --env names many databases: works in each of them. *ret_over: this is the process that was started,
 * and all is done and said. Otherwise this process works on cli->place, and goes on with the verb; it may
 * have been there from the beginning, where there is only one database. `what` is asked about where nobody
 * said
 * --yes; NULL: it need not be asked. Nothing may have been started in threads before. */
Err *fleet_enter(Cli *cli, const char *what, bool *ret_over) MUST_USE;

/* What came of it in one database. */
typedef struct FleetMember {
    const Place *place;
    const char *state; /* of the change; "failed" …; NULL: not begun */
    const char *error, *hint;
    bool running, over, already;
    bool none; /* there is no such change */
    int code;  /* of the process */
    int64_t started_ms, wall_ms, cpu_ms, rows;
} FleetMember;

typedef struct FleetSum {
    size_t done, failed, left, none;
    int64_t wall_ms, cpu_ms; /* cpu: of all processes together */
} FleetSum;

/* fleet_show.c */
void fleet_show_member(Cli *cli, const FleetMember *member, int width);
/* The end of it: who failed, how many are left, how to go on; or the summary's object. */
void fleet_show_end(Cli *cli, const FleetMember *members, size_t count, const FleetSum *sum);
/* stoa status --env of many: the table; its exit code. */
Err *fleet_status(Cli *cli) MUST_USE;
