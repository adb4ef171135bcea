/* quiet.h — at which hours of the day a server has little to do, from what it has counted: samples of a sum,
 * taken now and then and kept in a file. Pure but for run_quiet() (run/run.h). */
#pragma once
#include "base/arena.h"
#include "base/err.h"

enum {
    QUIET_HOURS = 24,
    QUIET_DAYS_LEAST = 5, /* of each hour */
    QUIET_SPAN_DAYS = 7,  /* in all */
};

typedef struct QuietDay {
    double rate[QUIET_HOURS]; /* a second; in UTC */
    int days[QUIET_HOURS];    /* on how many days the hour was seen */
    int64_t span_s;           /* from the first sample that counts to the last */
} QuietDay;

typedef struct QuietHours {
    bool known;    /* enough was seen */
    bool found;    /* there are hours with at most a quarter of the busiest one */
    int from, to;  /* [from, to), over midnight where to <= from; the longest such */
    int share;     /* what they have of the busiest hour, in per cent */
    int least, at; /* of the quietest hour, and which it is */
} QuietHours;

/* `text`: a line for each sample, "seconds-since-1970 sum", oldest first; lines that begin with "#" are none.
 * What lies further back than four weeks before the last sample does not count, nor does a gap of more than
 * two hours, nor where the sum has fallen, since it began anew there. ERR_CONFIG with the line's number. */
Err *quiet_read(const char *text, QuietDay *ret_day) MUST_USE;
QuietHours quiet_find(const QuietDay *day);
/* For people, and as a --window; *ret_window NULL where there is none to suggest. */
const char *quiet_text(Arena *arena, const QuietDay *day, const char **ret_window);
