/* build.h — a database of a rehearsal while it is made; known to what makes them only. */
#pragma once
#include "rehearse/stage.h"

/* How far sizes may be apart before room is made for it. */
enum { BUILD_ROOM_PERCENT = 3, BUILD_LEAST_FILL = 25 };

typedef struct Build {
    Stage *stage;
    const Fill *fill; /* NULL: no rows are made */
    const FactTable *const *tables;
    size_t table_count;
    const char *database;
    Conn *conn; /* to it */
    Wait wait;
    Arena *arena;
} Build;

Err *build_run(const Build *build, const char *sql) MUST_USE;
/* Of the first row. */
Err *build_number(const Build *build, const char *sql, int64_t *ret_number) MUST_USE;
/* Definitions of these parts, in rounds: what needs something that comes later succeeds in the next one. What
 * cannot be made is noted, and an error only where there would be no table. */
Err *build_parts(const Build *build, CopyPart first, CopyPart last) MUST_USE;
/* Bytes of the source in the measure of the rows made. */
double build_share(const Build *build, const FactTable *table, int64_t source_bytes);
