/* sync.h — what the two ways of writing a sync trigger share; known inside plan/ only. */
#pragma once
#include "base/str.h"
#include "engine/sql.h"
#include "plan/plan.h"

typedef struct Sync {
    Arena *arena;
    const Server *server;
    const Table *table;
    const SyncColumn *columns;
    size_t count;
    const char *table_sql, *function_sql, *path_sql;
    const char *insert_trigger, *update_trigger; /* names */
} Sync;

/* The text of a Str, which is done with. */
char *sync_take(Arena *arena, Str *str);
/* "NEW.amount" */
const char *sync_field(Arena *arena, const char *row, const char *column);
/* OLD and NEW differ in this column. */
const char *sync_changed(const Sync *sync, const char *column);
/* The row's key as text, for the record of what could not be computed. */
const char *sync_key(const Sync *sync);
/* Counts one fill of the column, and at most once a minute notes who wrote. */
void sync_add_counting(Str *body, const Sync *sync, const SyncColumn *column);
/* "BEGIN NEW.c := expr …": the value, counted; what cannot be computed is recorded and the write goes on. */
void sync_add_fill(Str *body, const Sync *sync, const SyncColumn *column);

/* ---- both ways (sync_both_pg.c): where a column of the table has a way back, or is kept alive behind a
 * cutover ---- */

bool sync_both_wanted(const Sync *sync);
const char *sync_both_when(const Sync *sync, bool update);
/* The body of the function. */
void sync_both_body(Str *body, const Sync *sync);
/* Calls `each` for every column whose losses are counted: the targets of ways back, and those kept alive. */
void sync_both_targets(const SyncColumn *columns, size_t count,
                       void (*each)(void *context, const char *column), void *context);
