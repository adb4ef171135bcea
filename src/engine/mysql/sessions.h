/* sessions.h — the list of sessions, under the one name by which statements of ours ask for it.
 *
 * information_schema.PROCESSLIST cannot be read at all on MySQL 8 and 9 while any session runs a statement
 * with a character outside of the basic plane: error 3854, "Cannot convert string … from utf8mb4 to utf8mb3"
 * (seen on 9.7). performance_schema.threads holds the same in utf8mb4. So where that can be read it is asked
 * instead. */
#pragma once
#include "base/arena.h"

#include <stdbool.h>

typedef enum SessionsView {
    SESSIONS_UNKNOWN,
    SESSIONS_PROCESSLIST,
    SESSIONS_THREADS,
} SessionsView;

/* A row where performance_schema.threads tells of this session. */
extern const char sessions_probe[];

bool sessions_named(const char *sql);
/* The same statement over performance_schema.threads, in `arena`. */
const char *sessions_by_threads(Arena *arena, const char *sql);
