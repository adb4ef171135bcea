/* retire_watch.h — what is looked at while something is hidden: lines that come to files, and a URL. */
#pragma once
#include "base/arena.h"

typedef struct RetireWatch RetireWatch;

enum { RETIRE_LINES_MAX = 5 };

/* Whether a line of a log tells of an error that hiding these names makes: an error's number of a server
 * (42501, 42703, 42P01, 42S22, 42S02) alone, or its words beside one of the names, whatever the case. */
bool retire_line_tells(const char *line, const char *const *names, size_t count);

/* From the present end of each file on; a file that is put in its place is read from its beginning. The URL,
 * which may be NULL, must answer with 2xx now (within 5 s). Errors: ERR_USAGE, ERR_UNSAFE where the URL does
 * not. To be freed. */
Err *retire_watch_open(const char *const *files, size_t file_count, const char *url, const char *const *names,
                       size_t name_count, RetireWatch **ret_watch) MUST_USE;
/* Looks once; never waits. */
void retire_watch_step(RetireWatch *watch);
/* What was seen: at most RETIRE_LINES_MAX lines, each "file: line", or what the URL says. */
const char *const *retire_watch_seen(const RetireWatch *watch, size_t *ret_count);
/* "log", "url", "log and url"; NULL: nothing is looked at. */
const char *retire_watch_by(const RetireWatch *watch);
void retire_watch_free(RetireWatch *watch);
static inline void retire_watch_freep(RetireWatch **watch)
{
    retire_watch_free(*watch);
    *watch = NULL;
}
